# SPDX-License-Identifier: MIT
"""What gcc says of a platform_config.h, in the form of every other broken rule."""

from __future__ import annotations

import difflib
import re
import sys
from dataclasses import dataclass
from typing import Optional

FORM = "const struct platform_config platform_config = {"

# pct/pct_source.h; only to suggest the right name for a wrong one.
MEMBERS = {
    "platform_config": ["ivc", "c2c"],
    "pct_source_ivc": ["queue"],
    "pct_source_queue": ["peers", "nframes", "frame_size", "use_msi"],
    "pct_source_c2c": ["device"],
    "pct_source_device": ["owner", "remote", "nframes", "frame_size"],
}
ENTRY_MEMBERS = sorted({*MEMBERS["pct_source_queue"], *MEMBERS["pct_source_device"]})

LINE = re.compile(r"(.*?):(\d+):(?:(\d+):)? (fatal error|error|warning|note): "
                  r"(.*?)(?: \[-W\S+\])?$")
NEAR = re.compile(r"\(near initialization for '(?:platform_config\.)?([^']*)'\)")
NUMBER = re.compile(r"integer constant is (too|so) large|conversion from|overflow|division by zero|"
                    r"makes integer from pointer|initializer element is not (constant|computable)|"
                    r"invalid initializer")
# The beginning of a list of entries, or of an entry in it.
BEGIN = re.compile(r"\.\s*(?P<list>queue|device)\b|\[\s*(?P<entry>[^][]*?)\s*\]\s*=?\s*\{")


@dataclass(frozen=True)
class Kind:
    """What a list has entries of, and what the rules call them."""

    path: str       # of the list in platform_config
    name: str       # as messages begin
    id: str         # what the number in brackets is called
    id_rule: str
    most: int       # the largest id
    twice_rule: str
    partition_rule: str


QUEUE = Kind("ivc.queue", "queue", "id", "queue-id", 511, "queue-twice", "peers")
DEVICE = Kind("c2c.device", "c2c device", "number", "c2c-device", 99, "c2c-twice", "c2c-owner")
KINDS = (QUEUE, DEVICE)


@dataclass(frozen=True)
class Entry:
    """An entry of the source, as its designator has it: [300], [MY_QUEUE]."""

    kind: Kind
    id: str
    line: int = 0
    column: int = 0     # from 1, as gcc counts

    def __str__(self) -> str:
        return f"{self.kind.name} {self.id}"


@dataclass
class Diagnostic:
    """One finding of gcc, with the member that its note names ("ivc.queue[300].peers")."""

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
    """Knows the source, to name the entry where gcc names none."""

    def __init__(self, name: str, text: str, partitions: list[str]) -> None:
        self.name = name
        self.lines = len(text.splitlines())
        self.entries = _entries(text)
        self.partitions = partitions

    def messages(self, stderr: str) -> list[str]:
        """Every specific fault; of general ones, if there are only such, the first: it made the
        others."""
        specific: dict[tuple[str, int, int], str] = {}
        general: list[str] = []
        for found in parse(stderr):
            if "incomplete type" in found.text:
                return [_message(found, None, "syntax",
                                 f"the structure has another name; write: {FORM}")]
            told = self._specific(found)
            if told is not None:
                specific.setdefault((found.file, found.line, found.column), told)
            else:
                general.append(self._general(found))
        return list(dict.fromkeys(specific.values())) or general[:1]

    def _entry(self, found: Diagnostic) -> Optional[Entry]:
        """The entry that gcc speaks of, or else the last one begun before."""
        for kind in KINDS:
            near = re.match(rf"{re.escape(kind.path)}\[(\d+)\]", found.near)
            if near:
                return Entry(kind, near[1])
        if found.file != self.name:
            return None
        place = (found.line, found.column or sys.maxsize)
        before = [entry for entry in self.entries if (entry.line, entry.column) <= place]
        return before[-1] if before else None

    def _specific(self, found: Diagnostic) -> Optional[str]:
        """The message, if we know better than gcc what is wrong."""
        text = found.text
        entry = self._entry(found)
        member = found.near.rpartition(".")[2]

        match = re.match(r"'(\w+)' undeclared", text)
        if match and match[1] != "platform_config":
            return self._undeclared(found, entry, match[1])
        match = re.match(r"'(?:const )?struct (\w+)' has no member named '(\w+)'", text)
        if match and match[1] in MEMBERS:
            return _no_member(found, entry, match[1], match[2])
        if "field overwritten" in text:
            return self._overwritten(found, entry)
        if text.startswith("array index in initializer") or "array index range" in text:
            return _index(found, entry)
        if text.startswith("excess elements in array") and member == "peers":
            return _message(found, entry, "peers",
                            "more than two peers; write .peers = {GID_A, GID_B}")
        if text.startswith("excess elements in scalar") and member == "owner":
            return _message(found, entry, "c2c-owner", "more than one owner; write .owner = GID_A")
        match = re.match(r"request for member '(\w+)_at'", text)
        if match:
            return _message(found, entry, "syntax", f"a comma is missing before .{match[1]}")
        if NUMBER.search(text):
            which = f"the value of .{member}" if member in ENTRY_MEMBERS else "a value"
            return _message(found, entry, "number",
                            f"{which} is no whole number that fits; gcc says: {text}")
        match = re.match(r"(\S+): No such file or directory", text)
        if match:
            return _message(found, None, "syntax", f"it includes '{match[1]}', which is not there; "
                            "put that file beside it, or copy only what begins with .ivc")
        return None

    def _general(self, found: Diagnostic) -> str:
        if "undeclared (first use" in found.text:
            return f"{self.name}: rule syntax: it does not define platform_config; write: {FORM}"
        text = re.sub(rf"\b({'|'.join(ENTRY_MEMBERS)})_at\b", r"\1", found.text)
        if found.file == self.name and found.line > self.lines:
            found.line = max(1, self.lines)
            return _message(found, None, "syntax", "the file ends too early; a brace, a comment or "
                            "a semicolon is missing at its end")
        return _message(found, self._entry(found), "syntax", f"gcc says: {text}")

    def _undeclared(self, found: Diagnostic, entry: Optional[Entry], name: str) -> str:
        member = re.sub(r"_at$", "", name)
        if member in ENTRY_MEMBERS:
            return _message(found, entry, "syntax", f"a member begins with a dot; write .{member}")
        known = ", ".join(self.partitions)
        if not name.startswith("GID_"):
            return _message(found, entry, "syntax", f"'{name}' is not defined; partitions are "
                            f"{known}; define other names with #define")
        close = difflib.get_close_matches(name, self.partitions, 1, 0.8)
        hint = f"write {close[0]}, or add {name}" if close else f"add {name}"
        kind = entry.kind if entry else QUEUE
        return _message(found, entry, kind.partition_rule, f"'{name}' is no partition; {hint} to "
                        f"server-partitions.mk, which has {known}")

    def _overwritten(self, found: Diagnostic, entry: Optional[Entry]) -> Optional[str]:
        if re.search(r"_at\.(file|line)$", found.near):
            return None     # where gcc put the place of a member that it did not know
        match = re.fullmatch(r".*\]\.(\w+?)(_at)?", found.near)
        if match:
            return _message(found, entry, "member", f".{match[1]} is given twice; delete one")
        if entry and found.near.endswith("]"):
            kind = entry.kind
            return _message(found, entry, kind.twice_rule, f"{kind.id} {entry.id} is given twice"
                            f"{self._first(entry, found)}; give each {kind.name} its own")
        return _message(found, None, "member", f".{found.near.rpartition('.')[2] or 'ivc'} is "
                        "given twice; put all that is in the two into one")

    def _first(self, entry: Entry, found: Diagnostic) -> str:
        """Where an id was given before, if we see it."""
        for other in self.entries:
            if (other.kind, other.id) == (entry.kind, entry.id) and other.line < found.line:
                return f", first in line {other.line}"
        return ""


def _entries(text: str) -> list[Entry]:
    """The entries of a source, each of the list that was begun last before it."""
    entries = []
    kind = QUEUE
    for number, line in enumerate(text.splitlines(), 1):
        for begin in BEGIN.finditer(line):
            if begin["list"]:
                kind = DEVICE if begin["list"] == "device" else QUEUE
            else:
                entries.append(Entry(kind, begin["entry"], number, begin.start() + 1))
    return entries


def _message(found: Diagnostic, entry: Optional[Entry], rule: str, text: str) -> str:
    where = f"{entry}: " if entry else ""
    return f"{found.file}:{found.line}: {where}rule {rule}: {text}"


def _no_member(found: Diagnostic, entry: Optional[Entry], structure: str, name: str) -> str:
    name = re.sub(r"_at$", "", name)
    known = MEMBERS[structure]
    close = difflib.get_close_matches(name, known, 1)
    hint = f"leave it out: only {', '.join('.' + member for member in known)} counts"
    if close:
        hint = f"write .{close[0]}"
    of_entry = structure in ("pct_source_queue", "pct_source_device")
    return _message(found, entry if of_entry else None, "member",
                    f".{name} is not known here; {hint}")


def _index(found: Diagnostic, entry: Optional[Entry]) -> str:
    if found.near.endswith(".peers"):
        return _message(found, entry, "peers", "there are two peers, [0] and [1]; write .peers = "
                        "{GID_A, GID_B}")
    kind = entry.kind if entry else QUEUE
    what = f"'{entry.id}'" if entry else "what is in brackets"
    return _message(found, entry, kind.id_rule,
                    f"{what} is no {kind.id}; use one from 0 to {kind.most}")
