# SPDX-License-Identifier: MIT
"""A VM's initramfs: the base image, and behind it an archive of the VM's own files."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

from .config import VmConfig
from .cpio import CpioWriter, read_names
from .errors import ConfigError, SetupError

CFG = "/etc/nvsciipc.cfg"


def write(base: Path, vm: VmConfig, target: Path) -> None:
    """Writes the initramfs of one VM."""
    with open(base, "rb") as source, open(target, "wb") as out:
        try:
            names = read_names(source)
        except ValueError as err:
            raise SetupError(f"{base}: {err}: run scripts/setup") from None
        source.seek(0)
        shutil.copyfileobj(source, out, 1 << 20)
        out.write(bytes(-out.tell() % 4))
        writer = CpioWriter(out, names.folders)
        # The first that goes to a place would be replaced by the next: say so instead.
        taken: dict[str, Path] = {}
        in_tree = vm.channels == "dt"
        cfg = [(vm.cfg, CFG, 0o644)] if vm.cfg is not None and not in_tree else []
        for host, guest, mode in cfg + [(f.host, f.guest, f.mode) for f in vm.files]:
            try:
                if mode is None:
                    mode = stat.S_IMODE(host.stat().st_mode)
                data = host.read_bytes()
            except OSError as err:
                raise ConfigError(f"cannot read {host}: {err.strerror}") from None
            name = names.resolve(guest)
            if name in taken:
                raise ConfigError(f"{vm.name}: both {taken[name]} and {host} would become {guest}")
            if name in names.folders:
                raise ConfigError(f"{vm.name}: {host} cannot become {guest}: that is a folder")
            if in_tree and name == names.resolve(CFG):
                raise ConfigError(f'{vm.name}: {host} cannot become {CFG}: with channels = "dt" '
                                  "the guest would read it and not its device tree")
            taken[name] = host
            writer.file(name, data, mode)
        writer.finish()
