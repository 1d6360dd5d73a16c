# SPDX-License-Identifier: MIT
"""The set-up: which steps there are and what each depends on. scripts/setup starts it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Optional

from ..errors import SetupError, VsocError
from . import build, guest, qemu
from .apt import PrivateApt, machine_mirror
from .cache import Cache, content_key, source_files, tree_key
from .progress import Step

_CHECKOUT = Path(__file__).resolve().parents[3]
_BUILD = _CHECKOUT / "build"
_RESULT = _BUILD / "setup.json"
_STATE = _BUILD / "setup.state"
# All that a step reads, roughly: whole folders, whose files' times are looked at.
_INPUTS = (
    "capture",
    "guest-lib",
    "hw",
    "meson",
    "meson.build",
    "meson_options.txt",
    "pct",
    "scripts/vsoclib/cpio.py",
    "scripts/vsoclib/errors.py",
    "scripts/vsoclib/setup",
)
_DPKG_STATUS = "/var/lib/dpkg/status"
_NEEDED_BYTES = 2 << 30


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def _glance(cache: Cache) -> str:
    """A text that changes when a file that a step reads was touched. No file is opened."""
    seen = [str(cache.root), sys.version]

    def note(path: str, info: os.stat_result) -> None:
        changing = info.st_mode, info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino
        seen.append(f"{path} {changing}")

    def walk(folder: str) -> None:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda item: item.name):
                if entry.name == "__pycache__":
                    continue
                if entry.is_dir(follow_symlinks=False):
                    walk(entry.path)
                else:
                    note(entry.path, entry.stat())

    for name in _INPUTS:
        path = str(_CHECKOUT / name)
        if os.path.isdir(path):
            walk(path)
        else:
            note(path, os.stat(path))
    note(_DPKG_STATUS, os.stat(_DPKG_STATUS))
    return content_key(*seen)


class SetUp:
    """One run."""

    def __init__(self, cache: Cache, refresh: bool) -> None:
        self._cache = cache
        self._refresh = refresh
        self._used: list[Path] = []

    def _step(self, title: str, name: str) -> Step:
        return Step(title, _BUILD / "log" / f"{name}.log")

    def up_to_date(self) -> bool:
        """Whether nothing was touched since the last run and all that it made is still there."""
        try:
            state = json.loads(_STATE.read_text())
            result = json.loads(_RESULT.read_text())
        except (OSError, ValueError):
            return False
        paths = [path for path in result.values() if str(path).startswith("/")] + state["used"]
        if (
            self._refresh
            or state["glance"] != _glance(self._cache)
            or not all(map(os.path.exists, paths))
        ):
            return False
        for entry in state["used"]:
            os.utime(entry)
        return True

    def _toolchain(self, *packages: str) -> str:
        versions = _output("dpkg-query", "--show", *packages)
        return content_key(
            versions, _output("cc", "--version"), _output(f"{guest.CROSS_PREFIX}gcc", "--version")
        )

    def _fetch(self, manifest: dict[str, Any]) -> Path:
        """Gets all Debian packages: QEMU's source, the guest's kernel and user space, and meson."""
        kernel, userspace = manifest["kernel"], manifest["userspace"]
        host = _output("dpkg", "--print-architecture").strip()
        meson = _output("dpkg-query", "--show", "--showformat=${Version}", "meson")
        old_meson = (
            subprocess.run(
                ["dpkg", "--compare-versions", meson, "lt", "1.5"], check=False
            ).returncode
            == 0
        )

        def make(work: Path) -> None:
            mirror = machine_mirror()
            with self._step("get Debian packages", "packages") as step:

                def apt(suite: str, *architectures: str) -> PrivateApt:
                    step.tick(suite)
                    private = PrivateApt(work / "apt" / suite, mirror, suite, list(architectures))
                    private.update(step)
                    return private

                new = apt(userspace["suite"], host, "arm64")
                new.download(
                    step, [f"{name}:arm64" for name in userspace["packages"]], work / "userspace"
                )
                source = new if qemu.SUITE == userspace["suite"] else apt(qemu.SUITE, host)
                source.download_source(step, qemu.PACKAGE, work / "qemu")
                old = apt(kernel["suite"], host, "arm64")
                image = old.depends(f"{kernel['image']}:arm64")[0]
                headers = old.depends(f"{kernel['headers']}:arm64")[0]
                # The flavour's headers need the common ones and build tools for this machine.
                tools = [
                    name
                    for name in old.depends(f"{headers}:arm64")
                    if name.startswith(("linux-headers-", "linux-kbuild-"))
                ]
                old.download(step, [f"{image}:arm64", f"{headers}:arm64", *tools], work / "kernel")
                (work / "meson").mkdir()
                if old_meson:
                    apt("bookworm-backports", host).download(step, ["meson"], work / "meson")
            shutil.rmtree(work / "apt")

        if self._refresh:
            self._cache.forget("packages")
        key = content_key(
            json.dumps(
                [
                    kernel,
                    userspace["suite"],
                    userspace["packages"],
                    host,
                    old_meson,
                    qemu.SUITE,
                    qemu.PACKAGE,
                ]
            )
        )
        return self._use(self._cache.publish("packages", key, make))

    def _use(self, entry: Path) -> Path:
        self._used.append(entry)
        return entry

    def _libfdt(self, suite: str) -> Path:
        """Gets the guest's libfdt. Apart from _fetch: to add it there fetches all of that again."""
        host = _output("dpkg", "--print-architecture").strip()

        def make(work: Path) -> None:
            with self._step("get the guest's libfdt", "libfdt") as step:
                private = PrivateApt(work / "apt", machine_mirror(), suite, [host, "arm64"])
                private.update(step)
                private.download(step, [build.LIBFDT], work / "packages")
                build.lay_out_libfdt(step, work / "packages", work)
            shutil.rmtree(work / "apt")
            shutil.rmtree(work / "packages")

        if self._refresh:
            self._cache.forget("libfdt")
        return self._use(self._cache.publish("libfdt", content_key(build.LIBFDT, suite), make))

    def _qemu(self, packages: Path) -> dict[str, object]:
        toolchain = self._toolchain(
            "libfdt-dev", "libglib2.0-dev", "libgnutls28-dev", "python3", "zlib1g-dev"
        )
        our_qemu = qemu.Qemu(
            self._cache,
            _CHECKOUT,
            packages / "qemu",
            sorted((packages / "meson").iterdir()),
            toolchain,
        )
        if not our_qemu.made():
            if not our_qemu.unpacked():
                with self._step("unpack QEMU's source", "qemu-source") as step:
                    our_qemu.unpack(step)
            with self._step("build QEMU with our device", "qemu") as step:
                our_qemu.build(step)
        self._used += our_qemu.entries()
        return our_qemu.result()

    def _image(self, packages: Path, manifest: dict[str, Any]) -> dict[str, object]:
        def names(folder: str) -> str:
            return content_key(*sorted(os.listdir(packages / folder)))

        modules = manifest["kernel"]["modules"]
        code = tree_key(_CHECKOUT, ["scripts/vsoclib/setup/guest.py", "scripts/vsoclib/cpio.py"])
        kernel_key = content_key(names("kernel"), code, *modules)

        def make_kernel(work: Path) -> None:
            with self._step("unpack the guest's kernel", "kernel") as step:
                guest.make_kernel(step, packages / "kernel", modules, work)

        kernel = self._use(self._cache.publish("kernel", kernel_key, make_kernel))

        def make_base(work: Path) -> None:
            with self._step("make the guest's base image", "image") as step:
                guest.make_base(step, _CHECKOUT, packages / "userspace", kernel, work)

        base_key = tree_key(
            _CHECKOUT, source_files(_CHECKOUT, ["guest-lib/image"]), names("userspace"), kernel_key
        )
        base = self._use(self._cache.publish("image", base_key, make_base))

        recipe = content_key(
            _CHECKOUT / "scripts/vsoclib/setup/build.py",
            self._toolchain("libc6-dev-arm64-cross", "libfdt-dev", "meson"),
        )
        driver_key = tree_key(
            _CHECKOUT, source_files(_CHECKOUT, build.DRIVER_SOURCES), kernel_key, recipe
        )

        def make_driver(work: Path) -> None:
            with self._step("build the guest's driver", "driver") as step:
                build.build_driver(step, _CHECKOUT, kernel, work)

        driver = self._use(self._cache.publish("driver", driver_key, make_driver)) / "hv_ivc.ko"

        libfdt = self._libfdt(manifest["userspace"]["suite"])
        recipe = content_key(recipe, str(libfdt), libfdt / "lib/libfdt.a")

        def sources_key() -> str:
            return tree_key(
                _CHECKOUT,
                source_files(_CHECKOUT, build.SDK_SOURCES) + list(build.SDK_FILES),
                recipe,
            )

        sdk_key = sources_key()
        for machine, what in (("host", "this machine"), ("aarch64", "the guest")):
            if self._changed(f"sdk-{machine}", sdk_key, _BUILD / "sdk" / machine):
                with self._step(f"build libraries and tools for {what}", f"sdk-{machine}") as step:
                    build.build_sdk(step, _CHECKOUT, machine, libfdt, recipe)
                if sources_key() == sdk_key:
                    self._note(f"sdk-{machine}", sdk_key)
                else:
                    # Somebody edited a source meanwhile. An object that is older in content may
                    # be newer in time, and ninja would keep it for good.
                    shutil.rmtree(_BUILD / "meson" / machine)

        initrd = _BUILD / "initrd.cpio"
        initrd_key = content_key(base_key, driver_key, sdk_key)
        if self._changed("initrd", initrd_key, initrd):
            guest.make_initrd(base, modules, driver, _BUILD / "sdk/aarch64", initrd)
            self._note("initrd", initrd_key)
        return {
            "kernel": str(kernel / "Image"),
            "kernel_release": (kernel / "release").read_text(),
            "initrd": str(initrd),
            "sdk_host": str(_BUILD / "sdk/host"),
            "sdk_aarch64": str(_BUILD / "sdk/aarch64"),
            "cross_prefix": guest.CROSS_PREFIX,
        }

    # What lies in build/ has its key beside it.
    def _changed(self, name: str, key: str, product: Path) -> bool:
        try:
            return (_BUILD / "keys" / name).read_text() != key or not product.exists()
        except OSError:
            return True

    def _note(self, name: str, key: str) -> None:
        (_BUILD / "keys").mkdir(exist_ok=True)
        _write(_BUILD / "keys" / name, key)

    def run(self) -> None:
        """Makes all that is missing and writes the result."""
        glance = _glance(self._cache)
        manifest = guest.manifest(_CHECKOUT)
        packages = self._fetch(manifest)
        result = {**self._qemu(packages), **self._image(packages, manifest)}
        _write(_RESULT, json.dumps(result, indent=4) + "\n")
        _write(_STATE, json.dumps({"glance": glance, "used": list(map(str, self._used))}))
        self._cache.prune()


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text)
    part.rename(path)


def _check_place(cache: Cache) -> None:
    for path in (_CHECKOUT, cache.root):
        # make and pkg-config split at white space; PATH-like lists split at colons.
        if any(char.isspace() or char in ":$#%" for char in str(path)):
            raise SetupError(
                f"the path {path} has a character that build tools cannot handle (white space or "
                "one of :$#%); move the checkout, or set VSOC_CACHE to another folder"
            )
    free = shutil.disk_usage(cache.root).free
    if free < _NEEDED_BYTES and not any(cache.root.glob("qemu-tree-*")):
        raise SetupError(
            f"{cache.root} has {free >> 20} MiB free, {_NEEDED_BYTES >> 20} are needed; make "
            "room, or set VSOC_CACHE to a folder on another disk"
        )


def _die_politely() -> None:
    """Makes SIGTERM and SIGHUP unwind like Ctrl-C: children end, half-made things go."""

    def stop(number: int, _frame: Any) -> None:
        raise KeyboardInterrupt(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def main(arguments: Optional[list[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/setup", description=__doc__.split("\n\n", maxsplit=1)[0]
    )
    parser.add_argument(
        "--refresh",
        action="store_true",
        help="look for newer Debian packages of QEMU and of the guest",
    )
    options = parser.parse_args(arguments)
    start = time.monotonic()
    cache = Cache(Path(os.environ.get("VSOC_CACHE") or Path.home() / ".cache/vsoc").absolute())
    setup = SetUp(cache, options.refresh)

    def waiting() -> None:
        print(f"setup: waiting for another run that uses {cache.root}", flush=True)

    _die_politely()
    try:
        with cache.locked(waiting):
            if setup.up_to_date():
                return 0
            _check_place(cache)
            setup.run()
    except VsocError as error:
        print(f"scripts/setup: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"scripts/setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("scripts/setup: interrupted; run it again to go on", file=sys.stderr)
        return 130
    print(f"setup: ready ({time.monotonic() - start:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
