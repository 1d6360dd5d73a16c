# SPDX-License-Identifier: MIT
"""The time line of a SoC: consoles, device events, QMP events and library traces, by time.

recorder.py notes them while the SoC runs; here its process is started, and what it noted is read.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional, Sequence

from . import events, server
from .output import plain
from .process import Child
from .state import Folder

FILE = "timeline.log"
LOG = "recorder.log"            # what the recorder's process says, if anything
ROLE = "recorder"
END_TIMEOUT = 1.0               # seconds for the recorder to note what is left
AT_ONCE = 1 << 22               # bytes of the time line that are in memory

KINDS = ("console", "library", "device", "event", "qemu", "server")

# Trace events of our devices that tell a story and are rare. They are in each QEMU's log.
TRACES = ("hv_pci_endpoint", "hv_pci_reset", "hv_pci_panic", "hv_ivc_announce", "hv_ivc_claim_wait",
          "hv_ivc_link_down", "hv_c2c_up", "hv_c2c_down", "hv_fault_set", "hv_fault_clear",
          "hv_fault_header", "hv_fault_link")
# What libnvsciipc writes with NVSCIIPC_TRACE, docs/specs/configuration.md.
_LIBRARY = re.compile(r"\[ *\d+\.\d{6}\] nvsciipc\[\d+/\d+\]")


@dataclass(frozen=True)
class Entry:
    """One line of it."""

    time: float                 # seconds since 1970
    vm: str                     # whose; a SoC's name, or "", for its server
    kind: str                   # of KINDS
    text: str


def is_trace(line: str) -> bool:
    """Whether a line of QEMU's log is a device event."""
    return line.startswith("hv_")


def trace_arguments() -> list[str]:
    """QEMU's arguments for device events."""
    return [word for name in TRACES for word in ("-trace", name)]


def _sources(vms: Sequence[str], prefixes: Sequence[str]) -> dict[str, tuple[str, str]]:
    # Lines that are seen in one look stay in this order: what the device did, then what a guest
    # said of it.
    return {**{prefix + server.LOG: (prefix.rstrip("."), "server") for prefix in prefixes},
            **{events.log_name(vm): (vm, "event") for vm in vms},
            **{f"{vm}.qemu.log": (vm, "qemu") for vm in vms},
            **{f"{vm}.console.log": (vm, "console") for vm in vms}}


def record(folder: Folder, vms: Sequence[str], prefixes: Sequence[str], bound: bool) -> Child:
    """Starts the recorder. One that was there before may have ended anywhere."""
    program = Path(__file__).with_name("recorder.py")
    # Nothing of the user's Python, and no look at site-packages: it starts in half the time.
    return Child.start(folder, ROLE, LOG, [
        sys.executable, "-I", "-S", str(program), FILE, json.dumps(_sources(vms, prefixes))], bound)


def finish(recorder: Child) -> None:
    """Lets it note what is left, before it is killed."""
    if not recorder.running():
        return
    try:
        os.kill(recorder.process.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + END_TIMEOUT
    while recorder.running() and time.monotonic() < deadline:
        time.sleep(0.01)


def _entry(line: bytes) -> Optional[Entry]:
    try:
        note: Mapping[str, Any] = json.loads(line)
        kind, text = note["kind"], note["text"]
        if kind == "qemu" and is_trace(text):
            kind = "device"
        elif kind == "console" and _LIBRARY.match(text):
            kind = "library"
        return Entry(note["time"], note["vm"], kind, text)
    except (ValueError, KeyError, TypeError):
        return None             # its recorder was killed in the middle of it


class Reader:
    """Reads what was noted, and reads on."""

    def __init__(self, folder: Folder) -> None:
        self._path = folder / FILE
        self.position = 0           # bytes of the file that have been read

    def more(self) -> Iterator[Entry]:
        """What is new by now, by time. A flood is sorted piece by piece: an event, whose time is
        QEMU's, may be some lines late between two.
        """
        end = self._path.stat().st_size if self._path.exists() else 0
        while self.position < end and (piece := self._piece()):
            self.position += len(piece)
            yield from sorted(filter(None, map(_entry, piece.split(b"\n"))),
                              key=lambda entry: entry.time)

    def _piece(self) -> bytes:
        """Some whole lines, or none."""
        try:
            with open(self._path, "rb") as timeline:
                timeline.seek(self.position)
                fresh = timeline.read(AT_ONCE)
                while b"\n" not in fresh:
                    more = timeline.read(AT_ONCE)
                    if not more:
                        return b""
                    fresh += more
        except FileNotFoundError:
            return b""
        return fresh[:fresh.rindex(b"\n") + 1]


def show(entry: Entry, began: float, width: int) -> str:
    """A line for people: seconds since the SoC was started, whose, what."""
    return (f"{entry.time - began:10.3f}  {entry.vm:{width}}  {entry.kind:7}  "
            f"{plain(entry.text)}")
