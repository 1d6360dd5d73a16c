# SPDX-License-Identifier: MIT
"""The state folder of one SoC: its place, its lock, what was started."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any, Iterator, Optional

from .errors import StateError


def cache_folder() -> Path:
    """Where vsoc keeps what it makes."""
    chosen = os.environ.get("VSOC_CACHE")
    return Path(chosen).absolute() if chosen else Path.home() / ".cache" / "vsoc"


def runs_folder() -> Path:
    """Where the state folders are."""
    return cache_folder() / "run"


def _digest(soc_toml: Path) -> str:
    return hashlib.sha256(os.fsencode(soc_toml.resolve())).hexdigest()[:10]


class Folder:
    """One state folder. Open it with `with`, or close() it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1
        self._lock = -1

    @classmethod
    def of(cls, name: str, soc_toml: Path) -> "Folder":
        """The folder of the SoC that this soc.toml describes; one that is there already keeps its
        name.
        """
        return cls.existing(soc_toml) or cls(runs_folder() / f"{name}-{_digest(soc_toml)}")

    @classmethod
    def existing(cls, soc_toml: Path) -> Optional["Folder"]:
        """The folder that was made for this soc.toml, whatever is in that file by now."""
        for path in runs_folder().glob(f"*-{_digest(soc_toml)}"):
            return cls(path)
        return None

    @property
    def fd(self) -> int:
        """A descriptor of the folder, made with the folder at the first use."""
        if self._fd < 0:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self._fd

    def socket(self, name: str) -> str:
        """An address for connect(): the folder's own path may be longer than the 107 bytes it may
        have.
        """
        return f"/proc/self/fd/{self.fd}/{name}"

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def close(self) -> None:
        """Gives up lock and descriptor."""
        for fd in (self._lock, self._fd):
            if fd >= 0:
                os.close(fd)
        self._lock = self._fd = -1

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # The lock

    def lock(self, what: str) -> None:
        """Claims the right to change the SoC; StateError if another process has it."""
        if not self._attempt_lock():
            raise StateError(f"{self.path.name} is in use by another vsoc (process "
                             f"{self.holder() or 'unknown'}, `vsoc {self._purpose()}`); "
                             "`vsoc down` ends it")
        # Who has it is for others to read. On a full disk that is missing, and `vsoc down` works.
        with contextlib.suppress(OSError):
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()} {what}\n".encode(), 0)

    def _attempt_lock(self) -> bool:
        if self._lock >= 0:
            return True
        while True:
            # Another one may remove the folder at any of these steps: then it is made anew.
            fd = -1
            try:
                fd = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=self.fd)
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(fd), os.stat(self.path / "lock")):
                    self._lock = fd
                    return True
            except BlockingIOError:
                os.close(fd)
                return False
            except FileNotFoundError:
                pass
            if fd >= 0:
                os.close(fd)
            os.close(self._fd)
            self._fd = -1

    def _lock_words(self) -> list[str]:
        try:
            return (self.path / "lock").read_text(encoding="utf-8").split(maxsplit=1)
        except FileNotFoundError:
            return []

    def holder(self) -> Optional[int]:
        """The process that wrote its number into the lock."""
        words = self._lock_words()
        return int(words[0]) if words else None

    def _purpose(self) -> str:
        words = self._lock_words()
        return words[1].strip() if len(words) > 1 else "?"

    def take_over(self, timeout: float = 20.0) -> bool:
        """Locks, after asking a vsoc that holds the lock to end. True if there was one."""
        deadline = time.monotonic() + timeout
        asked: Optional[int] = None
        before: Optional[int] = None
        while not self._attempt_lock():
            pid = self.holder()
            # Seen twice: who has just got the lock has not written his number yet.
            if pid is not None and pid == before and pid not in (asked, os.getpid()):
                try:
                    os.kill(pid, signal.SIGTERM)
                except ProcessLookupError:
                    pass
                asked = pid
            before = pid
            if time.monotonic() > deadline:
                raise StateError(f"process {pid} (`vsoc {self._purpose()}`) holds "
                                 f"{self.path.name} and does not end")
            time.sleep(0.02)
        self.lock("down")
        return asked is not None

    # What was started

    def write_json(self, name: str, data: Any) -> None:
        """Replaces a file in one step."""
        temporary = self.path / f".{name}.new"
        temporary.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        temporary.rename(self.path / name)

    def read_json(self, name: str) -> Any:
        """None if there is no such file."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def remove(self) -> None:
        """Removes the folder with all that is in it. The lock must be held."""
        shutil.rmtree(self.path, ignore_errors=True)


def all_folders() -> Iterator[Folder]:
    """The state folders of this cache."""
    try:
        names = sorted(os.listdir(runs_folder()))
    except FileNotFoundError:
        return
    for name in names:
        yield Folder(runs_folder() / name)
