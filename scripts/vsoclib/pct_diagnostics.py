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
    "platform_config": ["ivc", "c2c"],
    "pct_source_ivc": ["queue"],
    "pct_source_queue": ["peers", "nframes", "frame_size", "use_msi"],
    "pct_source_c2c": ["device"],
    "pct_source_c2c_device": ["owner", "remote", "nframes", "frame_size"],
}
QUEUE_MEMBERS = MEMBERS["pct_source_queue"]
ENTRY_MEMBERS = sorted({*QUEUE_MEMBERS, *MEMBERS["pct_source_c2c_device"]})
# The array of the source that an entry is of -> what messages call it, its largest number, and the
# rules on a number out of range and on one given twice.
ENTRIES = {
    "queue": ("queue", 511, "queue-id", "queue-twice"),
    "device": ("c2c device", 99, "c2c-device", "c2c-twice"),
}

LINE = re.compile(r"(.*?):(\d+):(?:(\d+):)? (fatal error|error|warning|note): "
                  r"(.*?)(?: \[-W\S+\])?$")
NEAR = re.compile(r"\(near initialization for '(?:platform_config\.(?:ivc|c2c)\.)?([^']*)'\)")
NUMBER = re.compile(r"integer constant is (too|so) large|conversion from|overflow|division by zero|"
                    r"makes integer from pointer|initializer element is not (constant|computable)|"
                    r"invalid initializer")
DESIGNATOR = re.compile(r"\[\s*([^][]*?)\s*\]\s*=?\s*\{")
ARRAY = re.compile(r"\.(queue|device)\s*=")


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
        # A member that is not known makes gcc lose count: it takes the entry for given twice.
        lost = set()
        for found in parse(stderr):
            if "incomplete type" in found.text:
                return [self._message(found, "", "syntax",
                                      f"the structure has another name; write: {FORM}")]
            if "has no member named" in found.text:
                lost.add((found.file, found.line))
            if "overwritten" in found.text and (found.file, found.line) in lost:
                continue
            told = self._specific(found)
            if told is not None:
                specific.setdefault((found.file, found.line, found.column), told)
            else:
                general.append(self._general(found))
        return list(dict.fromkeys(specific.values())) or general[:1]

    def _message(self, found: Diagnostic, entry: str, rule: str, text: str) -> str:
        where = f"{entry}: " if entry else ""
        return f"{found.file}:{found.line}: {where}rule {rule}: {text}"

    def _array(self, found: Diagnostic) -> str:
        """Which array gcc speaks of, or else the last one begun before: a key of ENTRIES."""
        near = re.match(r"(queue|device)\[", found.near)
        if near:
            return near[1]
        for text in reversed(self.source[:found.line] if found.file == self.name else []):
            arrays = ARRAY.findall(text)
            if arrays:
                return str(arrays[-1])
        return "queue"

    def _number(self, found: Diagnostic) -> str:
        """The number of the entry that gcc speaks of, or else of the last one begun before."""
        near = re.match(r"\w+\[(\d+)\]", found.near)
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

    def _entry(self, found: Diagnostic) -> str:
        """"queue 300", "c2c device 5", or nothing."""
        number = self._number(found)
        return f"{ENTRIES[self._array(found)][0]} {number}" if number else ""

    def _specific(self, found: Diagnostic) -> Optional[str]:
        """The message, if we know better than gcc what is wrong."""
        text = found.text
        entry = self._entry(found)

        match = re.match(r"'(\w+)' undeclared", text)
        if match and match[1] != "platform_config":
            return self._undeclared(found, entry, match[1])
        match = re.match(r"'(?:const )?struct (\w+)' has no member named '(\w+)'", text)
        if match and match[1] in MEMBERS:
            return self._no_member(found, entry, match[1], match[2])
        if "field overwritten" in text:
            return self._overwritten(found, entry)
        if text.startswith("array index in initializer") or "array index range" in text:
            return self._index(found, entry)
        if text.startswith("excess elements in array") and found.near.endswith(".peers"):
            return self._message(found, entry, "peers",
                                 "more than two peers; write .peers = {GID_A, GID_B}")
        match = re.match(r"request for member '(\w+)_at'", text)
        if match:
            return self._message(found, entry, "syntax", f"a comma is missing before .{match[1]}")
        if NUMBER.search(text):
            member = found.near.rpartition(".")[2]
            which = f"the value of .{member}" if member in ENTRY_MEMBERS else "a value"
            return self._message(found, entry, "number",
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
        text = re.sub(r"\b(peers|nframes|frame_size|use_msi|owner|remote)_at\b", r"\1", found.text)
        if found.file == self.name and found.line > len(self.source):
            found.line = max(1, len(self.source))
            return self._message(found, "", "syntax", "the file ends too early; a brace, a comment "
                                 "or a semicolon is missing at its end")
        return self._message(found, self._entry(found), "syntax", f"gcc says: {text}")

    def _undeclared(self, found: Diagnostic, entry: str, name: str) -> str:
        member = re.sub(r"_at$", "", name)
        if member in ENTRY_MEMBERS:
            return self._message(found, entry, "syntax",
                                 f"a member begins with a dot; write .{member}")
        known = ", ".join(self.partitions)
        if not name.startswith("GID_"):
            return self._message(found, entry, "syntax", f"'{name}' is not defined; partitions are "
                                 f"{known}; define other names with #define")
        close = difflib.get_close_matches(name, self.partitions, 1, 0.8)
        hint = f"write {close[0]}, or add {name}" if close else f"add {name}"
        rule = "peers" if self._array(found) == "queue" else "c2c-owner"
        return self._message(found, entry, rule, f"'{name}' is no partition; {hint} to "
                             f"server-partitions.mk, which has {known}")

    def _no_member(self, found: Diagnostic, entry: str, structure: str, name: str) -> str:
        name = re.sub(r"_at$", "", name)
        known = MEMBERS[structure]
        close = difflib.get_close_matches(name, known, 1)
        hint = f"leave it out: only {', '.join('.' + member for member in known)} counts"
        if close:
            hint = f"write .{close[0]}"
        of_entry = structure in ("pct_source_queue", "pct_source_c2c_device")
        return self._message(found, entry if of_entry else "", "member",
                             f".{name} is not known here; {hint}")

    def _overwritten(self, found: Diagnostic, entry: str) -> str:
        match = re.match(r"\w+\[\d+\]\.(\w+?)(_at)?$", found.near)
        if match:
            return self._message(found, entry, "member", f".{match[1]} is given twice; delete one")
        if re.match(r"(queue|device)\[", found.near):
            what, _, _, rule = ENTRIES[self._array(found)]
            number = self._number(found)
            return self._message(found, entry, rule, f"id {number} is given twice"
                                 f"{self._first(number, found)}; give each {what} its own")
        return self._message(found, "", "member", f".{found.near or 'ivc'} is given twice; put all "
                             "entries into one")

    def _first(self, number: str, found: Diagnostic) -> str:
        """Where an id was given before, if we see it."""
        for line, text in enumerate(self.source[:found.line - 1], 1):
            if number in DESIGNATOR.findall(text):
                return f", first in line {line}"
        return ""

    def _index(self, found: Diagnostic, entry: str) -> str:
        if found.near.endswith(".peers"):
            return self._message(found, entry, "peers", "there are two peers, [0] and [1]; write "
                                 ".peers = {GID_A, GID_B}")
        _, largest, rule, _ = ENTRIES[self._array(found)]
        return self._message(found, entry, rule, f"'{self._number(found)}' is no id; use one from "
                             f"0 to {largest}")
