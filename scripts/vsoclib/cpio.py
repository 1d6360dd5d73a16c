# SPDX-License-Identifier: MIT
"""Writes (and looks into) cpio archives in the "newc" form that the Linux kernel unpacks as
initramfs.

Written here because the usual tool takes owners and device nodes from real files, which needs
root. The kernel accepts several archives one after the other; a later file replaces an earlier
one of the same name.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Iterable


class CpioWriter:
    """Appends entries to `out`; every owner is root, every time is 0, so equal content gives
    equal bytes.

    existing: folders that an earlier archive has; they are left as they are.
    """

    def __init__(self, out: BinaryIO, existing: Iterable[str] = ()) -> None:
        self._out = out
        self._ino = 0
        self._dirs: set[str] = {"", *existing}

    def _entry(self, name: str, mode: int, data: bytes = b"",
               rdev: tuple[int, int] = (0, 0)) -> None:
        self._ino += 1
        encoded = os.fsencode(name) + b"\0"
        fields = (self._ino, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(encoded), 0)
        record = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self._out.write(record + bytes(-len(record) % 4) + data + bytes(-len(data) % 4))

    def _parents(self, name: str) -> str:
        name = name.strip("/")
        if not name or ".." in name.split("/"):
            raise ValueError(f"not a path inside the image: {name!r}")
        self.directory(os.path.dirname(name))
        return name

    def directory(self, name: str, mode: int = 0o755) -> None:
        """Adds a folder and its parents, once."""
        name = name.strip("/")
        if name not in self._dirs:
            self._parents(name)
            self._dirs.add(name)
            self._entry(name, stat.S_IFDIR | mode)

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        self._entry(self._parents(name), stat.S_IFREG | mode, data)

    def symlink(self, name: str, target: str) -> None:
        self._entry(self._parents(name), stat.S_IFLNK | 0o777, os.fsencode(target))

    def char_device(self, name: str, major: int, minor: int, mode: int = 0o600) -> None:
        self._entry(self._parents(name), stat.S_IFCHR | mode, rdev=(major, minor))

    def copy(self, name: str, source: Path) -> None:
        """Adds a file or symbolic link as it is on the host; a folder with all that is in it."""
        info = source.lstat()
        if stat.S_ISLNK(info.st_mode):
            self.symlink(name, os.readlink(source))
        elif stat.S_ISDIR(info.st_mode):
            self.directory(name)
            for child in sorted(source.iterdir()):
                self.copy(f"{name}/{child.name}", child)
        elif stat.S_ISREG(info.st_mode):
            self.file(name, source.read_bytes(), 0o755 if info.st_mode & 0o111 else 0o644)
        else:
            raise ValueError(f"{source} is neither a file, a link nor a folder")

    def finish(self) -> None:
        """Writes the end mark. Another archive may follow."""
        self._entry("TRAILER!!!", 0)
        self._out.write(bytes(-self._out.tell() % 512))


@dataclass
class Names:
    """The folders and symbolic links of an archive: what decides where a path leads."""

    folders: set[str] = field(default_factory=set)
    links: dict[str, str] = field(default_factory=dict)

    def resolve(self, path: str) -> str:
        """The name, without leading slash, of what `path` leads to. A folder entry in the place
        of a link such as /lib would replace the link, and all that is found through it would be
        lost.
        """
        done: list[str] = []
        todo = path.split("/")[::-1]
        hops = 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                done = done[:-1]
                continue
            name = "/".join([*done, part])
            if name in self.links and todo:     # the last part is what is written, link or not
                hops += 1
                if hops > 40:
                    raise ValueError(f"too many symbolic links in {path!r}")
                target = self.links[name]
                if target.startswith("/"):
                    done = []
                todo += target.split("/")[::-1]
            else:
                done.append(part)
        return "/".join(done)


def read_names(source: BinaryIO) -> Names:
    """Reads the names of an archive; ValueError if it is none of this form."""
    names = Names()
    while True:
        header = source.read(110)
        if header[:6] != b"070701" or len(header) != 110:
            raise ValueError("not a cpio archive of the form newc")
        mode, size, length = (int(header[at:at + 8], 16) for at in (14, 54, 94))
        padded = source.read(length + -(110 + length) % 4)
        name = os.fsdecode(padded[:length - 1])
        if name == "TRAILER!!!":
            return names
        if stat.S_ISLNK(mode):
            names.links[name] = os.fsdecode(source.read(size))
            source.seek(-size % 4, os.SEEK_CUR)
        else:
            if stat.S_ISDIR(mode):
                names.folders.add(name)
            source.seek(size + -size % 4, os.SEEK_CUR)
