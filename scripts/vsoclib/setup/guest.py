# SPDX-License-Identifier: MIT
"""Makes the guest's kernel, the driver's headers and the base image out of Debian packages."""

from __future__ import annotations

import lzma
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from ..cpio import CpioWriter
from ..errors import SetupError
from .apt import unpack
from .progress import Step

CROSS_PREFIX = "aarch64-linux-gnu-"
LIBRARY_DIR = "usr/lib/aarch64-linux-gnu"
MODULE_LIST = "etc/vsoc/modules"
_LOADER = "usr/lib/ld-linux-aarch64.so.1"
_IMAGE_DIR = "guest-lib/image"

# Our own files in the image
_OWN = {"init": "init", "inittab": "etc/inittab", "guest-agent": "usr/lib/vsoc/guest-agent"}


def manifest(checkout: Path) -> dict[str, Any]:
    """What the guest is made of."""
    return tomllib.loads((checkout / _IMAGE_DIR / "image.toml").read_text())


def make_kernel(step: Step, packages: Path, modules: list[str], work: Path) -> None:
    """Lays out Image, release, modules/ and the header packages' usr/."""
    root = work / "root"
    unpack(step, packages.glob("linux-image-*.deb"), root)
    image = next((root / "boot").glob("vmlinuz-*"))
    image.rename(work / "Image")
    (work / "release").write_text(image.name.removeprefix("vmlinuz-"))
    (work / "modules").mkdir()
    for module in modules:
        found = [*root.rglob(f"{module}.ko"), *root.rglob(f"{module}.ko.xz")]
        if not found:
            raise SetupError(
                f"the kernel {image.name} has no module {module}; see {_IMAGE_DIR}/image.toml"
            )
        data = found[0].read_bytes()
        (work / "modules" / f"{module}.ko").write_bytes(
            lzma.decompress(data) if found[0].suffix == ".xz" else data
        )
    shutil.rmtree(root)
    unpack(
        step, [*packages.glob("linux-headers-*.deb"), *packages.glob("linux-kbuild-*.deb")], work
    )


def _needed(path: Path) -> list[str]:
    """The libraries that a program or library asks for."""
    shown = subprocess.run(
        [f"{CROSS_PREFIX}readelf", "--dynamic", "--wide", str(path)],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", shown)


def make_base(step: Step, checkout: Path, packages: Path, kernel: Path, work: Path) -> None:
    """Writes base.cpio: all of the guest but what is built from this checkout."""
    description = manifest(checkout)
    root = work / "root"
    unpack(step, packages.glob("*.deb"), root)
    programs = description["userspace"]["programs"]
    libraries: list[str] = []
    wanted = list(description["userspace"]["libraries"])
    for program in programs:
        wanted += _needed(root / program)
    while wanted:
        library = wanted.pop()
        if library in libraries or library == Path(_LOADER).name:
            continue
        path = root / LIBRARY_DIR / library
        if not path.exists():
            raise SetupError(
                f"no package of the guest has the library {library}; name the one that has it in "
                f"{_IMAGE_DIR}/image.toml (`apt-file search {library}` finds it)"
            )
        libraries.append(library)
        wanted += _needed(path)

    with open(work / "base.cpio", "wb") as out:
        cpio = CpioWriter(out)
        for folder in ("dev", "proc", "root", "run", "sys", "tmp", "usr/bin", "usr/sbin"):
            cpio.directory(folder)
        for folder in ("bin", "lib", "sbin"):
            cpio.symlink(folder, f"usr/{folder}")
        # The kernel opens it for init before anything is mounted.
        cpio.char_device("dev/console", 5, 1)
        for program in programs:
            cpio.copy(program, root / program)
        cpio.symlink("usr/bin/sh", "busybox")
        cpio.file(_LOADER, (root / _LOADER).read_bytes(), 0o755)
        for library in sorted(libraries):
            cpio.file(
                f"{LIBRARY_DIR}/{library}", (root / LIBRARY_DIR / library).read_bytes(), 0o755
            )
        for module in description["kernel"]["modules"]:
            cpio.copy(f"usr/lib/modules/{module}.ko", kernel / "modules" / f"{module}.ko")
        for name, target in _OWN.items():
            cpio.copy(target, checkout / _IMAGE_DIR / name)
        cpio.file("etc/passwd", b"root::0:0:root:/root:/bin/sh\n")
        cpio.file("etc/group", b"root:x:0:\n")
        cpio.finish()
    shutil.rmtree(root)


def make_initrd(base: Path, modules: list[str], driver: Path, sdk: Path, target: Path) -> None:
    """Writes the complete image: the base, then what is built from this checkout."""
    part = target.with_suffix(".part")
    with open(part, "wb") as out:
        out.write((base / "base.cpio").read_bytes())
        cpio = CpioWriter(out)
        cpio.copy(f"usr/lib/modules/{driver.name}", driver)
        cpio.file(MODULE_LIST, "".join(f"{name}\n" for name in [*modules, driver.stem]).encode())
        for library in sorted((sdk / "lib").glob("*.so*")):
            cpio.copy(f"{LIBRARY_DIR}/{library.name}", library)
        for program in sorted((sdk / "bin").glob("*")):
            cpio.copy(f"usr/bin/{program.name}", program)
        cpio.finish()
    part.rename(target)
