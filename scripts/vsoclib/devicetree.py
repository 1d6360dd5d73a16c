# SPDX-License-Identifier: MIT
"""A VM's device tree: QEMU's own, and in it the channels of the VM's configuration."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Sequence

from .config import FRAGMENT_SUFFIX, VmConfig
from .errors import ConfigError, ProcessError, SetupError
from .machine import Machine

BACKEND_PREFIX = b"INTER_"
TIMEOUT = 60.0


def _quoted(field: bytes) -> str:
    """A string of a device tree's source, of any bytes."""
    plain = b"".join(bytes([byte]) if 32 <= byte < 127 and byte not in b'"\\' else
                     b"\\x%02x" % byte for byte in field)
    # dtc's \x takes two digits at most, so a digit that follows is safe.
    return f'"{plain.decode("ascii")}"'


def fragment(cfg: Path) -> str:
    """The source of a tree that has nothing but the channels of a configuration."""
    try:
        data = cfg.read_bytes()
    except OSError as err:
        raise ConfigError(f"cannot read {cfg}: {err.strerror}") from None
    if cfg.suffix == FRAGMENT_SUFFIX:
        return data.decode("utf-8", "surrogateescape")
    entries = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        fields: list[bytes] = []
        for field in line.replace(b"\r", b" ").replace(b"\t", b" ").split(b" "):
            if field.startswith(b"#"):
                break
            if field:
                fields.append(field)
        if not fields:
            continue
        if not fields[0].startswith(BACKEND_PREFIX):
            raise ConfigError(f"{cfg}:{number}: '{fields[0].decode(errors='replace')}' is no "
                              "backend; in a device tree the line would be a part of the one "
                              "before it")
        if b"\0" in line:
            raise ConfigError(f"{cfg}:{number}: a NUL byte cannot be put into a device tree")
        entries.append(", ".join(map(_quoted, fields)))
    strings = " =\n    " + ",\n    ".join(entries) if entries else ""
    return ('/ { chosen { nvsciipc {\n    compatible = "nvsciipc,channel-db";\n'
            f'    status = "okay";\n    nvsciipc,channel-db{strings};\n}}; }}; }};\n')


def _run(command: Sequence[str], what: str, folder: Path) -> bytes:
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=TIMEOUT)
    except FileNotFoundError:
        raise SetupError(f"{what}: there is no {command[0]}: run scripts/setup") from None
    except subprocess.TimeoutExpired as err:
        raise ProcessError(what, command, None,
                           (err.stderr or b"").decode(errors="replace")) from None
    if done.returncode != 0:
        raise ProcessError(what, command, done.returncode, done.stderr.decode(errors="replace"))
    return done.stdout


def add_channels(tree: bytes, vm: VmConfig, folder: Path) -> Path:
    """Writes VM.dts and VM.dtb into a folder: the source of QEMU's tree, and behind it the
    fragment, which dtc joins with it."""
    assert vm.cfg is not None
    source, target = folder / f"{vm.name}.dts", folder / f"{vm.name}.dtb"
    # The fragment keeps its own name and line numbers in what dtc says.
    source.write_bytes(tree + f'#line 1 "{vm.cfg}"\n'.encode()
                       + fragment(vm.cfg).encode("utf-8", "surrogateescape"))
    _run(["dtc", "-q", "-i", str(vm.cfg.parent), "-I", "dts", "-O", "dtb", "-o", str(target),
          str(source)], f"{vm.name}: dtc cannot compile {vm.cfg}", folder)
    return target


def write(qemu: Sequence[str], vm: VmConfig, folder: Path) -> list[str]:
    """Makes the device tree of a VM for which `qemu` is the emulator, its machine and its CPU.
    Returns the arguments that make QEMU use it."""
    base = folder / f"{vm.name}.base.dtb"
    _run([*qemu, *Machine.board_arguments(vm.memory_mib), *vm.qemu, "-machine",
          f"dumpdtb={base.name}"], f"{vm.name}: QEMU does not write its device tree", folder)
    tree = _run(["dtc", "-q", "-I", "dtb", "-O", "dts", str(base)],
                f"{vm.name}: dtc cannot read QEMU's device tree", folder)
    base.unlink()
    return ["-dtb", add_channels(tree, vm, folder).name]
