# SPDX-License-Identifier: MIT
"""The guest's console: watches its log for bad news, and connects a terminal to it."""

from __future__ import annotations

import fcntl
import os
import re
import select
import socket
import sys
import termios
import time
import tty
from pathlib import Path
from typing import Optional

from .errors import StateError
from .state import Folder

ESCAPE = 0x1d       # Ctrl-]

# At the beginning of a line, so that a program that prints these words does no harm.
_NEWS = re.compile(rb"^(?:(?:\[ *\d+\.\d+\] )?(?P<panic>Kernel panic - not syncing[^\r\n]*)"
                   rb"|vsoc: \S+ (?:FAILED: (?P<failed>[^\r\n]*)|(?P<ready>ready after) .*))\r?\n",
                   re.M)


class Watch:
    """Reads what is new in a console's log and keeps the first bad news of the guest."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._position = self.start = 0     # start: of the guest that counts
        self._rest = b""
        self.panic: Optional[str] = None
        self.failed: Optional[str] = None

    def skip(self) -> None:
        """What stands in the log by now does not count: the guest starts anew."""
        self.panic = self.failed = None
        self._rest = b""
        try:
            self._position = self._log.stat().st_size
        except FileNotFoundError:
            self._position = 0
        self.start = self._position

    def look(self) -> None:
        """Reads on."""
        try:
            with open(self._log, "rb") as log:
                log.seek(self._position)
                fresh = log.read()
        except FileNotFoundError:
            return
        self._position += len(fresh)
        text = self._rest + fresh
        lines, newline, self._rest = text.rpartition(b"\n")
        for news in _NEWS.finditer(lines + newline):
            if news["ready"]:
                self.panic = self.failed = None
            elif news["panic"]:
                self.panic = self.panic or news["panic"].decode(errors="replace")
            else:
                self.failed = self.failed or news["failed"].decode(errors="replace")

    def let_finish(self) -> None:
        """Waits until the guest prints no more: a panicking kernel says what happened first, and
        how it came to that after. At most two seconds."""
        end = time.monotonic() + 2
        quiet = time.monotonic()
        size = -1
        while time.monotonic() < end and time.monotonic() - quiet < 0.3:
            now = self._log.stat().st_size if self._log.exists() else 0
            if now != size:
                size, quiet = now, time.monotonic()
            time.sleep(0.05)


def attach(folder: Folder, name: str) -> None:
    """Connects stdin and stdout to a console until Ctrl-] or end of file on stdin."""
    fd = os.open(f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=folder.fd)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError("another `vsoc console` is connected to this guest") from None
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as console:
            try:
                console.connect(folder.socket(name))
            except OSError as err:
                raise StateError(f"cannot connect to the console: {err.strerror}") from err
            _copy(console)
    finally:
        os.close(fd)


def _copy(console: socket.socket) -> None:
    stdin = sys.stdin.fileno()
    saved = termios.tcgetattr(stdin) if os.isatty(stdin) else None
    if saved is not None:
        print("Connected; Ctrl-] leaves.", file=sys.stderr)
    try:
        if saved is not None:
            tty.setraw(stdin)
        while True:
            ready, _, _ = select.select([stdin, console], [], [])
            if console in ready:
                data = console.recv(65536)
                if not data:
                    raise StateError("the guest's QEMU has ended")
                while data:
                    data = data[os.write(sys.stdout.fileno(), data):]
            if stdin in ready:
                data = os.read(stdin, 4096)
                if not data:
                    return
                keys, escape, _ = data.partition(bytes([ESCAPE]))
                console.sendall(keys)
                if escape:
                    return
    finally:
        if saved is not None:
            termios.tcsetattr(stdin, termios.TCSADRAIN, saved)
            print("\nDisconnected.", file=sys.stderr)
