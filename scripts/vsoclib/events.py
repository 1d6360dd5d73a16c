# SPDX-License-Identifier: MIT
"""The QMP events of one VM: panics, resets, why its QEMU ended.

A monitor serves one client, and who is not connected misses events. So QEMU has a second monitor
that writes into a file, whose reader may come late, go, and be one of many. What this monitor
reads is a pipe that QEMU holds both ends of: it holds one command, and never ends.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional


@dataclass(frozen=True)
class Event:
    """A QMP event, or the greeting of a QEMU that starts (GREETING)."""

    name: str
    seconds: float                  # since 1970, 0 for the greeting
    data: Mapping[str, Any] = field(default_factory=dict)


GREETING = "greeting"


def log_name(vm: str) -> str:
    """The file in the state folder."""
    return f"{vm}.events.log"


def arguments(vm: str) -> list[str]:
    """QEMU's arguments for it. Needs standard_input()."""
    return ["-chardev", f"file,id=events,path={log_name(vm)},append=on,input-path=/dev/stdin",
            "-mon", "chardev=events,mode=control"]


@contextmanager
def standard_input() -> Iterator[int]:
    """QEMU's standard input: a pipe that is its own writer, with the command that starts the
    monitor.
    """
    read, write = os.pipe()
    os.close(write)
    both = os.open(f"/proc/self/fd/{read}", os.O_RDWR | os.O_CLOEXEC)
    os.close(read)
    try:
        os.write(both, b'{"execute": "qmp_capabilities"}\n')
        yield both
    finally:
        os.close(both)


def _parse(line: bytes) -> Optional[Event]:
    try:
        said = json.loads(line)
    except ValueError:      # a QEMU that was killed in the middle of a line
        return None
    if "QMP" in said:
        return Event(GREETING, 0.0)
    if "event" not in said:
        return None
    when = said.get("timestamp", {})
    return Event(said["event"], when.get("seconds", 0) + when.get("microseconds", 0) / 1e6,
                 said.get("data", {}))


class Events:
    """Reads on in that file."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._position = 0
        self._rest = b""
        self.boots = 0                          # times that the guest has started
        self.panicked = False                   # since its last start
        self.paused = False                     # QMP's stop, until cont
        self.shutdown: Optional[Event] = None   # of its last QEMU
        self.history: list[Event] = []

    def begin(self) -> None:
        """Before QEMU starts: what is there is of another one, perhaps with half a line at its
        end.
        """
        self.look()
        self.panicked = self.paused = False
        self.shutdown = None
        self._rest = b""
        with open(self._log, "ab") as log:
            log.write(b"\n")

    def look(self) -> None:
        """Reads what is new."""
        try:
            with open(self._log, "rb") as log:
                log.seek(self._position)
                fresh = log.read()
        except FileNotFoundError:
            return
        self._position += len(fresh)
        *lines, self._rest = (self._rest + fresh).split(b"\n")
        for event in filter(None, map(_parse, lines)):
            self._take(event)

    def _take(self, event: Event) -> None:
        if event.name in (GREETING, "RESET"):
            self.boots += 1
            self.panicked = False
            self.shutdown = None
            if event.name == GREETING:
                self.paused = False
        elif event.name == "GUEST_PANICKED":
            self.panicked = True
        elif event.name in ("STOP", "RESUME"):
            self.paused = event.name == "STOP"
        elif event.name == "SHUTDOWN":
            self.shutdown = event
        if event.name != GREETING:
            self.history.append(event)

    def why_ended(self) -> str:
        """Why QEMU has ended, if it was asked to: ": the guest shut down", or nothing."""
        self.look()
        if self.shutdown is None:
            return ""
        reason = str(self.shutdown.data.get("reason", "unknown"))
        return {"guest-shutdown": ": the guest shut down",
                "guest-reset": ": the guest reset itself",
                "guest-panic": ": the guest panicked",
                "host-signal": ": a signal asked it to end",
                "host-qmp-quit": ": a client asked it to end (quit)"}.get(reason, f": {reason}")
