# SPDX-License-Identifier: MIT
"""What gcc says of a platform_config.h, in the form of every other broken rule."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Optional

FORM = "const struct platform_config platform_config = {"

# pct/pct_source.h; only to suggest the right name for a wrong one.
MEMBERS = {
    "platform_config": ["ivc"],
    "pct_source_ivc": ["queue"],
    "pct_source_queue": ["peers", "nframes", "frame_size", "use_msi"],
}
QUEUE_MEMBERS = MEMBERS["pct_source_queue"]
MAX_QUEUE = 511

LINE = re.compile(r"(.*?):(\d+):(?:(\d+):)? (fatal error|error|warning|note): "
                  r"(.*?)(?: \[-W\S+\])?$")
NEAR = re.compile(r"\(near initialization for '(?:platform_config\.ivc\.)?([^']*)'\)")
NUMBER = re.compile(r"integer constant is (too|so) large|conversion from|overflow|division by zero|"
                    r"makes integer from pointer|initializer element is not (constant|computable)|"
                    r"invalid initializer")
DESIGNATOR = re.compile(r"\[\s*([^][]*?)\s*\]\s*=?\s*\{")


@dataclass
class Diagnostic:
    """One finding of gcc, with the member that its note names ("queue[300].peers")."""

    file: str
    line: int
    column: int
    text: str
    near: str = ""


def parse(stderr: str) -> list[Diagnostic]:
    """Errors and warnings, each with its note."""
    found: list[Diagnostic] = []
    for line in stderr.splitlines():
        match = LINE.match(line)
        if not match:
            continue
        near = NEAR.search(match[5])
        if match[4] != "note":
            found.append(Diagnostic(match[1], int(match[2]), int(match[3] or 0), match[5]))
        elif near and found:
            found[-1].near = near[1]
    return found


class Diagnostics:
    """Knows the source, to name the queue where gcc names none."""

    def __init__(self, name: str, text: str, partitions: list[str]) -> None:
        self.name = name
        self.source = text.splitlines()
        self.partitions = partitions

    def messages(self, stderr: str) -> list[str]:
        """Every specific fault; of general ones, if there are only such, the first: it made the
        others."""
        specific: dict[tuple[str, int, int], str] = {}
        general: list[str] = []
        for found in parse(stderr):
            if "incomplete type" in found.text:
                return [self._message(found, "", "syntax",
                                      f"the structure has another name; write: {FORM}")]
            told = self._specific(found)
            if told is not None:
                specific.setdefault((found.file, found.line, found.column), told)
            else:
                general.append(self._general(found))
        return list(dict.fromkeys(specific.values())) or general[:1]

    def _message(self, found: Diagnostic, queue: str, rule: str, text: str) -> str:
        where = f"queue {queue}: " if queue else ""
        return f"{found.file}:{found.line}: {where}rule {rule}: {text}"

    def _queue(self, found: Diagnostic) -> str:
        """The id of the entry that gcc speaks of, or else of the last one begun before."""
        near = re.match(r"queue\[(\d+)\]", found.near)
        if near:
            return near[1]
        if found.file != self.name:
            return ""
        for number in range(min(found.line, len(self.source)), 0, -1):
            text = self.source[number - 1]
            if number == found.line and found.column:
                text = text[:text.find("{", found.column) + 1 or len(text)]
            designators = DESIGNATOR.findall(text)
            if designators:
                return str(designators[-1])
        return ""

    def _specific(self, found: Diagnostic) -> Optional[str]:
        """The message, if we know better than gcc what is wrong."""
        text = found.text
        queue = self._queue(found)

        match = re.match(r"'(\w+)' undeclared", text)
        if match and match[1] != "platform_config":
            return self._undeclared(found, queue, match[1])
        match = re.match(r"'(?:const )?struct (\w+)' has no member named '(\w+)'", text)
        if match and match[1] in MEMBERS:
            return self._no_member(found, queue, match[1], match[2])
        if "field overwritten" in text:
            return self._overwritten(found, queue)
        if text.startswith("array index in initializer") or "array index range" in text:
            return self._index(found, queue)
        if text.startswith("excess elements in array") and found.near.endswith(".peers"):
            return self._message(found, queue, "peers",
                                 "more than two peers; write .peers = {GID_A, GID_B}")
        match = re.match(r"request for member '(\w+)_at'", text)
        if match:
            return self._message(found, queue, "syntax", f"a comma is missing before .{match[1]}")
        if NUMBER.search(text):
            member = found.near.rpartition(".")[2]
            which = f"the value of .{member}" if member in QUEUE_MEMBERS else "a value"
            return self._message(found, queue, "number",
                                 f"{which} is no whole number that fits; gcc says: {text}")
        match = re.match(r"(\S+): No such file or directory", text)
        if match:
            return self._message(found, "", "syntax", f"it includes '{match[1]}', which is not "
                                 "there; put that file beside it, or copy only what begins with "
                                 ".ivc")
        return None

    def _general(self, found: Diagnostic) -> str:
        if "undeclared (first use" in found.text:
            return f"{self.name}: rule syntax: it does not define platform_config; write: {FORM}"
        text = re.sub(r"\b(peers|nframes|frame_size|use_msi)_at\b", r"\1", found.text)
        if found.file == self.name and found.line > len(self.source):
            found.line = max(1, len(self.source))
            return self._message(found, "", "syntax", "the file ends too early; a brace, a comment "
                                 "or a semicolon is missing at its end")
        return self._message(found, self._queue(found), "syntax", f"gcc says: {text}")

    def _undeclared(self, found: Diagnostic, queue: str, name: str) -> str:
        member = re.sub(r"_at$", "", name)
        if member in QUEUE_MEMBERS:
            return self._message(found, queue, "syntax",
                                 f"a member begins with a dot; write .{member}")
        known = ", ".join(self.partitions)
        if not name.startswith("GID_"):
            return self._message(found, queue, "syntax", f"'{name}' is not defined; partitions are "
                                 f"{known}; define other names with #define")
        close = difflib.get_close_matches(name, self.partitions, 1, 0.8)
        hint = f"write {close[0]}, or add {name}" if close else f"add {name}"
        return self._message(found, queue, "peers", f"'{name}' is no partition; {hint} to "
                             f"server-partitions.mk, which has {known}")

    def _no_member(self, found: Diagnostic, queue: str, structure: str, name: str) -> str:
        name = re.sub(r"_at$", "", name)
        known = MEMBERS[structure]
        close = difflib.get_close_matches(name, known, 1)
        hint = f"leave it out: only {', '.join('.' + member for member in known)} counts"
        if close:
            hint = f"write .{close[0]}"
        return self._message(found, queue if structure == "pct_source_queue" else "", "member",
                             f".{name} is not known here; {hint}")

    def _overwritten(self, found: Diagnostic, queue: str) -> str:
        match = re.match(r"queue\[\d+\]\.(\w+?)(_at)?$", found.near)
        if match:
            return self._message(found, queue, "member", f".{match[1]} is given twice; delete one")
        if found.near.startswith("queue["):
            return self._message(found, queue, "queue-twice", f"id {queue} is given twice"
                                 f"{self._first(queue, found)}; give each queue its own")
        return self._message(found, "", "member", f".{found.near or 'ivc'} is given twice; put all "
                             "queues into one")

    def _first(self, queue: str, found: Diagnostic) -> str:
        """Where an id was given before, if we see it."""
        for number, line in enumerate(self.source[:found.line], 1):
            if queue in DESIGNATOR.findall(line) and number < found.line:
                return f", first in line {number}"
        return ""

    def _index(self, found: Diagnostic, queue: str) -> str:
        if found.near.endswith(".peers"):
            return self._message(found, queue, "peers", "there are two peers, [0] and [1]; write "
                                 ".peers = {GID_A, GID_B}")
        return self._message(found, queue, "queue-id",
                             f"'{queue}' is no id; use one from 0 to {MAX_QUEUE}")
