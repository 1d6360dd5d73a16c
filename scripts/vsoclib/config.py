# SPDX-License-Identifier: MIT
"""soc.toml -> Config; docs/specs/soc-toml.md is the specification."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from .link_config import LinkConfig, links
from .toml_reader import KeyPath, Reader

DEFAULT_FILE = "soc.toml"
ACCELS = ("auto", "tcg", "kvm")
CHANNELS = ("cfg", "dt")
FRAGMENT_SUFFIX = ".dtsi"
MIN_MEMORY_MIB = 64

MAX_VM_NAME = 64        # it becomes the guest's host name

_MEMORY = re.compile(r"([1-9][0-9]{0,6})([MG])")
_GUEST_FILE = re.compile(r"(?P<host>.+?):(?P<guest>/[^:]*)(:(?P<mode>[^:/]*))?")


@dataclass(frozen=True)
class GuestFile:
    """A file of the host that is put into the guest before it boots."""

    host: Path
    guest: str
    mode: Optional[int]     # None: as on the host


@dataclass(frozen=True)
class VmConfig:
    """One virtual machine."""

    name: str
    partition: str
    cfg: Optional[Path] = None
    channels: str = "cfg"
    files: tuple[GuestFile, ...] = ()
    run: Optional[str] = None
    memory_mib: int = 256
    append: str = ""
    trace: bool = False
    qemu: tuple[str, ...] = ()


@dataclass(frozen=True)
class SocConfig:
    """One SoC: its table and its virtual machines."""

    name: str
    pct: Path
    vms: tuple[VmConfig, ...]
    prefix: str = ""        # of its VMs' and files' names: "a." in a file with [soc.a]


@dataclass(frozen=True)
class Config:
    """A soc.toml: a SoC, or several and their links."""

    path: Path              # of the soc.toml
    name: str
    socs: tuple[SocConfig, ...]
    links: tuple[LinkConfig, ...] = ()
    accel: str = "auto"
    boot_timeout: float = 120.0

    @property
    def vms(self) -> tuple[VmConfig, ...]:
        """The virtual machines of all SoCs."""
        return tuple(vm for soc in self.socs for vm in soc.vms)


def _guest_file(reader: Reader, key: KeyPath, text: str) -> GuestFile:
    match = _GUEST_FILE.fullmatch(text)
    if match is None:
        raise reader.error(key, f"'{text}' is not HOST:GUEST or HOST:GUEST:MODE, "
                                "with GUEST an absolute path")
    guest = match["guest"]
    if guest.endswith("/") or ".." in guest.split("/"):
        raise reader.error(key, f"'{guest}' is not a full file name in the guest")
    mode = None
    if match["mode"] is not None:
        if not re.fullmatch(r"[0-7]{3,4}", match["mode"]):
            raise reader.error(key, f"mode '{match['mode']}' of '{text}' is not octal, as 755 is")
        mode = int(match["mode"], 8)
    return GuestFile(reader.existing(match["host"], key), guest, mode)


def _channels(reader: Reader, table: dict[str, Any], at: KeyPath) -> tuple[Optional[Path], str]:
    cfg = reader.file(table, at, "cfg")
    channels = reader.get(table, at, "channels", str, "a string", default="cfg")
    if channels not in CHANNELS:
        raise reader.error(at + ("channels",),
                           f"channels '{channels}' is none of {', '.join(CHANNELS)}")
    if channels == "dt":
        if cfg is None:
            raise reader.error(at + ("channels",), 'channels = "dt" needs the channels: name a '
                                                   "file as 'cfg'")
        if any(re.fullmatch("--?dtb", word) for word in reader.strings(table, at, "qemu")):
            raise reader.error(at + ("qemu",), 'channels = "dt" makes the device tree: it cannot '
                                               "be given with -dtb too")
    elif cfg is not None and cfg.suffix == FRAGMENT_SUFFIX:
        raise reader.error(at + ("cfg",), f"{cfg} is a fragment of a device tree: that needs "
                                          'channels = "dt"')
    return cfg, str(channels)


def _vm(reader: Reader, at: KeyPath, prefix: str, table: dict[str, Any]) -> VmConfig:
    name = reader.name(at, at[-1], "a virtual machine")
    if len(prefix + name) > MAX_VM_NAME:
        raise reader.error(at, f"'{prefix}{name}' is longer than the {MAX_VM_NAME} characters of a "
                               "host name")
    reader.known(table, at, ("partition", "cfg", "channels", "files", "run", "memory", "append",
                             "trace", "qemu"))
    memory = reader.get(table, at, "memory", str, 'a string as "256M" is', default="256M")
    match = _MEMORY.fullmatch(memory)
    if match is None:
        raise reader.error(at + ("memory",), f"memory '{memory}' is not a size as 256M or 1G is")
    mib = int(match[1]) * (1024 if match[2] == "G" else 1)
    if mib < MIN_MEMORY_MIB:
        raise reader.error(at + ("memory",), f"memory '{memory}' is less than the "
                                             f"{MIN_MEMORY_MIB}M that a guest needs")
    partition = reader.get(table, at, "partition", (str, int), "a partition's name or number",
                           required=True)
    cfg, channels = _channels(reader, table, at)
    return VmConfig(
        name=prefix + name,
        partition=str(partition),
        cfg=cfg,
        channels=channels,
        files=tuple(_guest_file(reader, at + ("files",), text)
                    for text in reader.strings(table, at, "files")),
        run=reader.get(table, at, "run", str, "a string (a command)"),
        memory_mib=mib,
        append=reader.get(table, at, "append", str, "a string", default=""),
        trace=reader.get(table, at, "trace", bool, "true or false", default=False),
        qemu=tuple(reader.strings(table, at, "qemu")))


def _vms(reader: Reader, parent: dict[str, Any], at: KeyPath, prefix: str) -> tuple[VmConfig, ...]:
    """The tables [at.NAME], which are virtual machines of one SoC."""
    tables = reader.table(parent, at)
    vms = tuple(_vm(reader, at + (name,), prefix, reader.table(tables, at + (name,)))
                for name in tables)
    if not vms:
        raise reader.error(at, f"there is no virtual machine: add a table [{'.'.join(at)}.NAME]")
    taken: dict[str, str] = {}
    for name, vm in zip(tables, vms):
        if vm.partition in taken:
            raise reader.error(at + (name, "partition"),
                               f"partition {vm.partition} is already that of "
                               f"[{'.'.join(at)}.{taken[vm.partition]}]")
        taken[vm.partition] = name
    return vms


def _pct(reader: Reader, table: dict[str, Any], at: KeyPath) -> Path:
    pct = reader.file(table, at, "pct", required=True)
    assert pct is not None
    return pct


def _socs(reader: Reader, data: dict[str, Any]) -> tuple[SocConfig, ...]:
    """The tables [soc.NAME]."""
    if "vm" in data:
        raise reader.error(("vm",), "there are several SoCs: write [soc.NAME.vm.NAME] for a "
                                    "virtual machine of one")
    socs = []
    for name, table in data["soc"].items():
        at = ("soc", name)
        if not isinstance(table, dict):
            place = "in one of them" if name == "pct" else "above the first table"
            raise reader.error(at, f"there are several SoCs: '{name}' stands {place}")
        reader.name(at, name, "a SoC")
        reader.known(table, at, ("pct", "vm"))
        socs.append(SocConfig(name, _pct(reader, table, at),
                              _vms(reader, table, at + ("vm",), f"{name}."), f"{name}."))
    return tuple(socs)


def _config(reader: Reader) -> Config:
    data = reader.parse()
    several = isinstance(data.get("soc"), dict) and \
        any(isinstance(value, dict) for value in data["soc"].values())
    whole = ("name", "accel", "boot-timeout")
    if several:
        reader.known(data, (), (*whole, "soc", "vm", "link"))
        at: KeyPath = ()
        table = data
    else:
        reader.known(data, (), ("soc", "vm", "link"))
        at = ("soc",)
        table = reader.table(data, at)
        reader.known(table, at, (*whole, "pct"))
    name = reader.name(at + ("name",), reader.get(table, at, "name", str, "a string",
                                                  required=True), "a SoC")
    accel = reader.get(table, at, "accel", str, "a string", default="auto")
    if accel not in ACCELS:
        raise reader.error(at + ("accel",), f"accel '{accel}' is none of {', '.join(ACCELS)}")
    boot_timeout = reader.get(table, at, "boot-timeout", (int, float), "a number of seconds",
                              default=120)
    if not 0 < boot_timeout < 86400:
        raise reader.error(at + ("boot-timeout",), f"boot-timeout {boot_timeout} is not more than "
                                                   "0 and less than 86400 seconds")
    if several:
        socs = _socs(reader, data)
    else:
        socs = (SocConfig(name, _pct(reader, table, at), _vms(reader, data, ("vm",), "")),)
    names = [vm.name for soc in socs for vm in soc.vms]
    return Config(path=reader.path.resolve(), name=name, socs=socs,
                  links=links(reader, data, names), accel=accel, boot_timeout=float(boot_timeout))


def load(path: Path) -> Config:
    """Reads a soc.toml; raises ConfigError at the first thing that is wrong."""
    return _config(Reader.of(path))
