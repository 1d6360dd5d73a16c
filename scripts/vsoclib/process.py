# SPDX-License-Identifier: MIT
"""The processes of a SoC: starts them in its state folder, finds them again, ends them.

There are no pid files that could be stale: a process belongs to a SoC if it works in its folder
and has a role.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Iterator, NamedTuple, Optional, Sequence

from .errors import ProcessError, StateError
from .state import Folder

ROLE = "VSOC_ROLE"      # in the environment of each: "server", "SOC.server", "vm:NAME" or "recorder"
EXEC_TIME = 0.1         # seconds in which a program that is being started has an environment


class Process(NamedTuple):
    """A running process. start tells it from a later one with the same number."""

    pid: int
    role: str
    start: int


def _start_time(pid: int) -> int:
    """In clock ticks since the host's boot. A process that has ended and was not waited for has
    none.
    """
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    # The name, in brackets, may hold anything.
    fields = stat[stat.rindex(")") + 2:].split()
    if fields[0] in "ZX":
        raise ProcessLookupError(pid)
    return int(fields[19])


def _role(pid: int) -> str:
    # While the kernel replaces a program by another one, neither's environment is there.
    deadline = time.monotonic() + EXEC_TIME
    while not (environment := Path(f"/proc/{pid}/environ").read_bytes()) and \
            time.monotonic() < deadline:
        time.sleep(0.001)
    for entry in environment.split(b"\0"):
        name, _, value = entry.partition(b"=")
        if name == ROLE.encode():
            return value.decode(errors="replace")
    return ""


def find(folder: Path) -> list[Process]:
    """The processes that belong to the SoC of this folder, whoever started them."""
    try:
        place = os.stat(folder)
    except FileNotFoundError:
        return []
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        pid = int(name)
        try:
            if not os.path.samestat(os.stat(f"/proc/{pid}/cwd"), place):
                continue
            start = _start_time(pid)
            role = _role(pid)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if role:
            found.append(Process(pid, role, start))
    return found


def alive(process: Process) -> bool:
    """Whether it has not ended."""
    try:
        return _start_time(process.pid) == process.start
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill(process: Process, timeout: float = 10.0) -> None:
    """SIGKILL; returns when it has ended."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        # From here on the descriptor is that process, if it is the one that was found.
        if alive(process):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            if not select.select([fd], [], [], timeout)[0]:
                raise StateError(f"process {process.pid} ({process.role}) was killed and does "
                                 "not end")
    except ProcessLookupError:
        pass
    finally:
        os.close(fd)


def kill_all(folder: Path, timeout: float = 10.0) -> int:
    """Kills all that belong to the SoC of this folder. Returns how many there were."""
    killed = 0
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        processes = find(folder)
        if not processes:
            return killed
        for process in processes:
            kill(process)
        killed += len(processes)
    raise StateError(f"new processes keep starting in {folder}")


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignores the signals that end a program while it tidies up."""
    if threading.current_thread() is not threading.main_thread():
        yield       # Python runs handlers in the main thread only
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, handlers):
            signal.signal(number, handler)


def read_log(path: Path, limit: int = 65536, start: int = 0) -> str:
    """The end of a log file, or nothing. What stands before start does not count."""
    try:
        with open(path, "rb") as log:
            log.seek(max(start, log.seek(0, os.SEEK_END) - limit))
            return log.read().decode("utf-8", errors="replace").replace("\r", "")
    except FileNotFoundError:
        return ""


class Child:
    """A process of the SoC: one that we started, or one found running."""

    def __init__(self, log: Path, command: Sequence[str], process: Process,
                 popen: Optional["subprocess.Popen[bytes]"] = None, log_start: int = 0) -> None:
        """Before log_start the log is of another process."""
        self.log = log
        self._log_start = log_start
        self.command = list(command)
        self.process = process
        self._popen = popen

    @classmethod
    def start(cls, folder: Folder, role: str, log: str, command: Sequence[str],
              bound: bool, stdin: int = subprocess.DEVNULL) -> "Child":
        """Starts command with the folder as its working directory, so that socket names are
        short.

        bound: it is killed when this process ends, however that happens. The kernel ties this to
        the calling thread, which must be the main one.
        """
        # Who has died before setpriv was that far is no parent any more, and nothing begins.
        bind = ("setpriv", "--pdeathsig", "KILL", "--", "sh", "-c",
                'test "$PPID" = "$0" && exec "$@"', str(os.getpid()))
        words = [*(bind if bound else ()), *command]
        with open(folder / log, "ab") as output:
            log_start = output.tell()
            # A session of its own: the terminal's Ctrl-C is for vsoc, which ends the SoC in order.
            popen = subprocess.Popen(words, cwd=folder.path, env={**os.environ, ROLE: role},
                                     stdin=stdin, stdout=output,
                                     stderr=subprocess.STDOUT, start_new_session=True)
        try:
            start = _start_time(popen.pid)
        except ProcessLookupError:      # it has failed already; running() will say so
            start = 0
        return cls(folder / log, command, Process(popen.pid, role, start), popen, log_start)

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None if self._popen is not None else alive(self.process)

    def kill(self) -> None:
        """SIGKILL; returns when it has ended."""
        if self._popen is None:
            kill(self.process)
        elif self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait(10)

    def error(self, what: str, console: str = "") -> ProcessError:
        """An error that says how the process ended, with the end of its log and, of a QEMU, of
        its guest's console.
        """
        code = self._popen.poll() if self._popen is not None else None
        return ProcessError(what, self.command, code, read_log(self.log, start=self._log_start),
                            console)
