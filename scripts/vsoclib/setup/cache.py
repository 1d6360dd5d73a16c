# SPDX-License-Identifier: MIT
"""Stores what was made under a key of what went into it, so that it is made once.

An entry is a folder KIND-KEY. It is made elsewhere and renamed into place when it is complete, so
an entry that exists is whole. Only the holder of the lock changes anything here.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections import defaultdict
from pathlib import Path
from typing import Callable, Iterable, Iterator, Union

# An entry goes when it is unused for long, or many newer ones of its kind exist; QEMU's build
# trees are large.
_KEEP_DAYS = 14
_KEEP_MOST = 8
_KEEP_TREES = 2


def content_key(*parts: Union[str, Path]) -> str:
    """A key of texts and of files' contents."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part.encode()
        sha.update(b"%d:" % len(data) + data)
    return sha.hexdigest()[:16]


def source_files(
    root: Path, folders: Iterable[str], suffixes: tuple[str, ...] = ("",)
) -> list[str]:
    """The files under some folders of a checkout, as sorted paths relative to it."""
    found = []
    for folder in folders:
        for path, names, files in os.walk(root / folder):
            names[:] = [name for name in names if name != "__pycache__"]
            found += [
                os.path.relpath(os.path.join(path, name), root)
                for name in files
                if name.endswith(suffixes)
            ]
    return sorted(found)


def tree_key(root: Path, files: Iterable[str], *more: str) -> str:
    """A key of files' names, modes and contents."""
    parts: list[Union[str, Path]] = list(more)
    for name in files:
        parts += [name, "x" if os.access(root / name, os.X_OK) else "-", root / name]
    return content_key(*parts)


class Cache:
    """The folder of entries."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._tmp = root / "tmp"

    @contextlib.contextmanager
    def locked(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Holds the cache for one run; calls `waiting` first if another one has it."""
        self.root.mkdir(parents=True, exist_ok=True)
        with open(self.root / "lock", "a", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(lock, fcntl.LOCK_EX)
            # Whatever an interrupted run left half made.
            shutil.rmtree(self._tmp, ignore_errors=True)
            try:
                yield
            finally:
                shutil.rmtree(self._tmp, ignore_errors=True)

    def path(self, kind: str, key: str) -> Path:
        return self.root / f"{kind}-{key}"

    def has(self, kind: str, key: str) -> bool:
        return self.path(kind, key).is_dir()

    def publish(self, kind: str, key: str, make: Callable[[Path], None]) -> Path:
        """Gives the entry; makes it first, in an empty folder, if it does not exist."""
        entry = self.path(kind, key)
        if not entry.is_dir():
            work = self._tmp / kind
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            make(work)
            work.rename(entry)
        os.utime(entry)
        return entry

    def forget(self, kind: str) -> None:
        for entry in self.root.glob(f"{kind}-*"):
            shutil.rmtree(entry)

    def prune(self) -> None:
        """Removes what nothing has used for long. An entry's time is that of its last use."""
        kinds = defaultdict(list)
        for entry in self.root.glob("*-*"):
            kinds[entry.name.rpartition("-")[0]].append((entry.stat().st_mtime, entry))
        for kind, entries in kinds.items():
            entries.sort(reverse=True)
            most = _KEEP_TREES if kind.endswith("tree") else _KEEP_MOST
            for place, (used, entry) in enumerate(entries):
                old = time.time() - used > _KEEP_DAYS * 86400
                if place >= most or (place > 0 and old):
                    shutil.rmtree(entry)
