# SPDX-License-Identifier: MIT
"""What a run of tests leaves behind: processes, sockets, temporary files, shared memory.

Several runs may be at work on a machine. So each has a folder for temporary files of its own, and
a mark in its environment, which its processes inherit.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Iterator

MARK = "VSOC_TEST_RUN"
SHM = Path("/dev/shm")
PATIENCE = 5.0          # seconds for processes that were told to end


def _processes() -> Iterator[Path]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            yield entry


def _in_use(path: Path) -> bool:
    """Whether a process has the file open, or mapped."""
    for process in _processes():
        try:
            if f" {path}\n" in (process / "maps").read_text(encoding="utf-8", errors="replace"):
                return True
            if any(os.path.samefile(fd, path) for fd in (process / "fd").iterdir()
                   if os.path.exists(fd)):
                return True
        except OSError:         # it has ended, or is somebody else's
            continue
    return False


class Leftovers:
    """Looks at one run from `with` on; left() says what it has left."""

    def __init__(self, name: str) -> None:
        self._mark = f"{name}-{os.getpid()}-{time.monotonic_ns()}"
        self._folder = Path()
        self._shm: set[str] = set()

    def __enter__(self) -> "Leftovers":
        # Sockets are made in it: its path is short.
        self._folder = Path(tempfile.mkdtemp(prefix="vsoc-"))
        self._shm = set(os.listdir(SHM))
        return self

    def __exit__(self, *exc: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def environment(self) -> dict[str, str]:
        """What the run needs in its environment. pytest keeps its own folders, for who looks for
        the reason of a failure: it removes old ones.
        """
        return {MARK: self._mark, "TMPDIR": str(self._folder),
                "PYTEST_DEBUG_TEMPROOT": tempfile.gettempdir()}

    def _marked(self) -> list[str]:
        wanted = f"{MARK}={self._mark}".encode()
        found = []
        for process in _processes():
            try:
                if wanted in (process / "environ").read_bytes().split(b"\0"):
                    words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(
                        errors="replace").strip()
                    if words:           # not one that has ended and nobody has waited for
                        found.append(f"process {process.name}: {words[:200]}")
            except OSError:
                continue
        return found

    def left(self) -> list[str]:
        """A line for each thing."""
        deadline = time.monotonic() + PATIENCE
        found = self._marked()
        while found and time.monotonic() < deadline:
            time.sleep(0.1)
            found = self._marked()
        for path in sorted(self._folder.rglob("*")):
            kind = "socket" if path.is_socket() else "folder" if path.is_dir() else "file"
            found.append(f"temporary {kind} {path.relative_to(self._folder)}")
        for name in sorted(set(os.listdir(SHM)) - self._shm):
            if not _in_use(SHM / name):
                found.append(f"shared memory {SHM / name}")
        return found
