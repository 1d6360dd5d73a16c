# SPDX-License-Identifier: MIT
"""Builds QEMU with our device out of Debian's source package.

There is one source tree and one build tree for a version of QEMU and its toolchain; both stay in
the cache, so that a change of ours costs only its own files. What comes out is stored by the
content of our sources.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from .cache import Cache, content_key, source_files, tree_key
from .progress import Step, ninja_status

SUITE = "trixie"
PACKAGE = "qemu"

# Our files in QEMU's tree: hw/qemu/ becomes hw/vsoc/, and these keep their paths below it.
_SOURCES = ("guest-lib/driver/uapi", "guest-lib/ivc", "hw", "pct")
_GLUE = "hw/qemu"
_DEVICES = f"{_GLUE}/aarch64.mak"

# file of QEMU's -> the line before ours (None: append), and ours
_HOOKS = {
    "hw/Kconfig": (None, "source vsoc/Kconfig"),
    "hw/meson.build": (None, "subdir('vsoc')"),
    "meson.build": ("trace_events_subdirs = [", "  'hw/vsoc',"),
}

_CONFIGURE = (
    "--python=/usr/bin/python3",
    "--target-list=aarch64-softmmu",
    "--with-devices-aarch64=vsoc",
    "--without-default-devices",
    "--without-default-features",
    "--enable-fdt=system",
    "--enable-gnutls",  # for TLS between two hosts' chip-to-chip devices
    "--enable-tcg",
    "--enable-tools",  # for ivshmem-server
    "--enable-werror",
    "--disable-debug-info",
    "--disable-docs",
    "--disable-download",
    "--disable-install-blobs",
)
_TARGETS = ("qemu-system-aarch64", "contrib/ivshmem-server/ivshmem-server")


def _our_files(checkout: Path) -> dict[str, Path]:
    """The place of each of our files below QEMU's hw/vsoc/."""
    files = {
        name: checkout / name
        for name in source_files(checkout, _SOURCES, (".c", ".h"))
        if not name.startswith(_GLUE)
    }
    for path in (checkout / _GLUE).iterdir():
        files[path.name] = path
    return files


def _hook(source: Path) -> None:
    for name, (before, line) in _HOOKS.items():
        lines = (source / name).read_text().splitlines()
        place = len(lines) if before is None else lines.index(before) + 1
        lines.insert(place, line)
        (source / name).write_text("\n".join(lines) + "\n")


def _sync(checkout: Path, vsoc: Path) -> None:
    """Makes hw/vsoc/ what it should be; leaves equal files alone, so that ninja does too."""
    files = _our_files(checkout)
    for path in [*vsoc.rglob("*")] if vsoc.is_dir() else []:
        if path.is_file() and str(path.relative_to(vsoc)) not in files:
            path.unlink()
    for name, path in files.items():
        target = vsoc / name
        data = path.read_bytes()
        if not target.is_file() or target.read_bytes() != data:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)


class Qemu:
    """QEMU for one checkout, from one source package."""

    def __init__(
        self, cache: Cache, checkout: Path, package: Path, meson: list[Path], toolchain: str
    ) -> None:
        self._cache = cache
        self._checkout = checkout
        self._dsc = next(package.glob("*.dsc"))
        self._meson = meson
        devices = (checkout / _DEVICES).read_text()
        self._tree_key = content_key(
            self._dsc,
            repr(_HOOKS),
            repr(_CONFIGURE),
            devices,
            toolchain,
            *(path.name for path in meson),
        )
        self.key = tree_key(
            checkout,
            source_files(checkout, [_GLUE]) + source_files(checkout, _SOURCES, (".c", ".h")),
            self._tree_key,
        )

    def made(self) -> bool:
        return self._cache.has("qemu", self.key)

    def unpacked(self) -> bool:
        return self._cache.has("qemu-tree", self._tree_key)

    def unpack(self, step: Step) -> None:
        """Makes the source tree, with our folder hooked in."""

        def make(work: Path) -> None:
            source = work / "src"
            step.run(["dpkg-source", "--no-check", "--extract", str(self._dsc), str(source)])
            _hook(source)
            devices = source / "configs/devices/aarch64-softmmu/vsoc.mak"
            devices.write_text((self._checkout / _DEVICES).read_text())
            # Debian 12's meson is too old for QEMU; that of its backports works where it lies.
            for package in self._meson:
                step.run(["dpkg-deb", "--extract", str(package), str(work / "meson")])

        self._cache.publish("qemu-tree", self._tree_key, make)

    def build(self, step: Step) -> None:
        """Brings the build tree up to date and stores the result."""
        tree = self._cache.path("qemu-tree", self._tree_key)
        build = tree / "build"
        env = {
            "PYTHONPATH": str(tree / "meson/usr/lib/python3/dist-packages") if self._meson else ""
        }
        _sync(self._checkout, tree / "src/hw/vsoc")
        if not (build / "build.ninja").is_file():
            shutil.rmtree(build, ignore_errors=True)
            build.mkdir()
            step.tick("configure")
            step.run(["../src/configure", *_CONFIGURE], cwd=build, env=env)
        step.run(["ninja", "-C", str(build), *_TARGETS], env=env, status=ninja_status)

        def make(work: Path) -> None:
            for target in _TARGETS:
                shutil.copy2(build / target, work)
            shutil.copytree(tree / "src/python/qemu", work / "python/qemu")

        self._cache.publish("qemu", self.key, make)

    def entries(self) -> list[Path]:
        """What of the cache is in use. The tree may be gone: only a new build needs it."""
        paths = [self._cache.path("qemu", self.key), self._cache.path("qemu-tree", self._tree_key)]
        return [path for path in paths if path.is_dir()]

    def result(self) -> dict[str, object]:
        entry = self._cache.path("qemu", self.key)
        return {
            "qemu": str(entry / "qemu-system-aarch64"),
            "qemu_args": [],
            "ivshmem_server": str(entry / "ivshmem-server"),
            "qemu_python": str(entry / "python"),
        }
