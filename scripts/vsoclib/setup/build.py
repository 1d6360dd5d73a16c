# SPDX-License-Identifier: MIT
"""Builds what comes from this checkout: the guest's driver, and the libraries and tools."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Sequence

from .apt import unpack
from .cache import source_files
from .guest import CROSS_PREFIX, LIBRARY_DIR
from .progress import Step, ninja_status

# The driver's sources and the contracts they include, at the same relative paths.
DRIVER_SOURCES = ("guest-lib/driver", "guest-lib/ivc", "hw/include", "pct")
SDK_SOURCES = ("capture", "guest-lib", "hw", "meson", "pct")
SDK_FILES = ("meson.build", "meson_options.txt")
# For the guest: of the guest's suite. This machine's own is installed.
LIBFDT = "libfdt-dev:arm64"

_OPTIONS = {
    "host": ["-Dtests=false"],
    "aarch64": ["-Dtests=false", "-Dhost-tools=false", "--cross-file=meson/aarch64.cross"],
}


def build_driver(step: Step, checkout: Path, kernel: Path, work: Path) -> None:
    """Builds hv_ivc.ko into `work`, in a copy of its sources. A warning is an error."""
    release = (kernel / "release").read_text()
    headers = kernel / "usr/src"
    copy = work / "src"
    for name in source_files(checkout, DRIVER_SOURCES):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(checkout / name, copy / name)
    common = f"linux-headers-{release.removesuffix('-cloud-arm64')}-common"
    # The wrapper Makefile of the headers names its file by an absolute path, hence --file.
    step.run(
        [
            "make",
            f"--directory={headers}/linux-headers-{release}",
            f"--file={headers}/{common}/Makefile",
            f"M={copy}/guest-lib/driver",
            "ARCH=arm64",
            f"CROSS_COMPILE={CROSS_PREFIX}",
            f"CC={CROSS_PREFIX}gcc",
            "KCFLAGS=-Werror",
            "modules",
        ]
    )
    if re.search(r"warning", step.log.read_text(errors="replace"), re.IGNORECASE):
        raise step.error("the driver's build warns")
    step.run(
        [
            f"{CROSS_PREFIX}strip",
            "--strip-debug",
            "-o",
            str(work / "hv_ivc.ko"),
            str(copy / "guest-lib/driver/hv_ivc.ko"),
        ]
    )
    shutil.rmtree(copy)


def lay_out_libfdt(step: Step, packages: Path, work: Path) -> None:
    """Makes the folder that the option `libfdt` of our meson.build names."""
    root = work / "root"
    unpack(step, packages.glob("*.deb"), root)
    (root / "usr/include").rename(work / "include")
    (root / LIBRARY_DIR).rename(work / "lib")
    shutil.rmtree(root)


def configure(step: Step, checkout: Path, build: Path, options: Sequence[str], key: str) -> None:
    """Makes a meson build folder; anew when `key`, of tools and options, has changed."""
    mark = build / ".key"
    if not mark.is_file() or mark.read_text() != key:
        shutil.rmtree(build, ignore_errors=True)
        step.run(["meson", "setup", str(build), *options], cwd=checkout)
        mark.write_text(key)


def build_sdk(step: Step, checkout: Path, machine: str, libfdt: Path, key: str) -> None:
    """Brings build/meson/MACHINE up to date and installs it as build/sdk/MACHINE."""
    build = checkout / "build/meson" / machine
    sdk = checkout / "build/sdk" / machine
    stage = checkout / "build/sdk" / f".{machine}.stage"
    options = [
        *_OPTIONS[machine],
        f"--prefix={sdk}",
        "--libdir=lib",
        "-Dpkgconfig.relocatable=true",
    ]
    if machine == "aarch64":
        options.append(f"-Dlibfdt={libfdt}")
    configure(step, checkout, build, options, key)
    step.run(["ninja", "-C", str(build)], status=ninja_status)
    shutil.rmtree(stage, ignore_errors=True)
    # Below the stage, meson repeats the whole path of the prefix.
    staged = Path(f"{stage}{sdk}")
    staged.mkdir(parents=True)
    step.run(["meson", "install", "-C", str(build), "--no-rebuild", "--destdir", str(stage)])
    shutil.rmtree(sdk, ignore_errors=True)
    staged.rename(sdk)
    shutil.rmtree(stage)
