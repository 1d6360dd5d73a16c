# SPDX-License-Identifier: MIT
"""Shows what the set-up does, runs its commands, and keeps their output in log files."""

from __future__ import annotations

import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Mapping, Optional, Sequence

from ..errors import SetupError, describe_exit, tail

_NINJA = re.compile(r"\[\d+/\d+\]")
# How often a line is written where it cannot be rewritten: a log file, a CI's console.
_PLAIN_PERIOD = 15.0


def ninja_status(line: str) -> Optional[str]:
    """The count at the head of a line of ninja's, if it has one."""
    match = _NINJA.match(line)
    return match.group() if match else None


class Step:
    """One thing that is made: a line on the terminal and a log file of its commands' output."""

    def __init__(self, title: str, log: Path, who: str = "setup") -> None:
        self.title = title
        self._who = who
        self.log = log
        self._start = time.monotonic()
        self._shown = self._start
        self._status = ""
        self._live = sys.stdout.isatty()

    def __enter__(self) -> Step:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        if self._live:
            self.tick()
        else:
            print(f"{self._who}: {self.title} ...", flush=True)
        return self

    def __exit__(self, kind: Optional[type[BaseException]], *_: object) -> None:
        if kind is None:
            self._write(f"done ({self._elapsed():.1f} s)", "\n")
        elif self._live:
            print(flush=True)

    def _elapsed(self) -> float:
        return time.monotonic() - self._start

    def _write(self, text: str, end: str) -> None:
        line = f"{self._who}: {self.title}: {text}"
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            line = f"\r{line[:width]}\x1b[K"
        print(line, end=end, flush=True)

    def tick(self, status: Optional[str] = None) -> None:
        """Shows that the step is alive, and how far it is."""
        if status is not None:
            self._status = status
        now = time.monotonic()
        if now - self._shown >= (0.2 if self._live else _PLAIN_PERIOD):
            self._shown = now
            self._write(
                f"{self._status} {self._elapsed():.0f} s".lstrip(), "" if self._live else "\n"
            )

    def run(
        self,
        command: Sequence[str],
        cwd: Optional[Path] = None,
        env: Optional[Mapping[str, str]] = None,
        status: Callable[[str], Optional[str]] = lambda line: None,
    ) -> None:
        """Runs a command, its output in the log. `status` makes of a line what is shown."""
        with open(self.log, "ab") as log:
            log.write(f"$ {shlex.join(command)}\n".encode())
            log.flush()
            # A group of its own, so that an interrupted set-up takes the compilers down with it.
            child = subprocess.Popen(
                command,
                cwd=cwd,
                env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                self._follow(child, log.write, status)
            except BaseException:
                os.killpg(child.pid, signal.SIGTERM)
                child.wait()
                raise
        if child.returncode:
            raise self.error(
                f"a command failed ({describe_exit(child.returncode)}): {shlex.join(command)}"
            )

    def _follow(
        self,
        child: subprocess.Popen[bytes],
        log: Callable[[bytes], object],
        status: Callable[[str], Optional[str]],
    ) -> None:
        assert child.stdout is not None
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            while True:
                if selector.select(0.5):
                    data = os.read(child.stdout.fileno(), 65536)
                    if not data:
                        break
                    log(data)
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        text = status(line.decode(errors="replace"))
                        if text is not None:
                            self.tick(text)
                self.tick()
        child.wait()

    def error(self, reason: str) -> SetupError:
        """An exception that names this step, its log file and the log's last lines."""
        text = self.log.read_text(errors="replace")
        return SetupError(
            f"{self.title}: {reason}\n  all of its output: {self.log}\n"
            f"  its last lines:\n{tail(text)}"
        )
