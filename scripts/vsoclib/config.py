# SPDX-License-Identifier: MIT
"""soc.toml -> SocConfig; docs/specs/soc-toml.md is the specification."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

from .errors import ConfigError

DEFAULT_FILE = "soc.toml"
ACCELS = ("auto", "tcg", "kvm")
CHANNELS = ("cfg", "dt")
FRAGMENT_SUFFIX = ".dtsi"
MIN_MEMORY_MIB = 64

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
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
    qemu: tuple[str, ...] = ()


@dataclass(frozen=True)
class SocConfig:
    """One SoC: its table and its virtual machines."""

    path: Path              # of the soc.toml
    name: str
    pct: Path
    vms: tuple[VmConfig, ...]
    accel: str = "auto"
    boot_timeout: float = 120.0


KeyPath = tuple[str, ...]


def _line_of(text: str, path: KeyPath) -> int:
    """The line on which the key at path begins.

    tomllib keeps no positions, so it is asked again: the statement begins on the line after the
    longest prefix of whole lines that parses and does not have the key yet. Only errors take this
    road.
    """
    lines = text.splitlines(keepends=True)
    start = 1
    for count in range(1, len(lines) + 1):
        try:
            node: Any = tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue        # in the middle of a statement of several lines
        for key in path:
            if not isinstance(node, dict) or key not in node:
                break
            node = node[key]
        else:
            return start
        start = count + 1
    return 1


class _Reader:
    """Takes typed values out of the parsed file; errors name file, line and key."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text

    def error(self, key: KeyPath, message: str) -> ConfigError:
        line = _line_of(self.text, key) if key else 1
        return ConfigError(f"{self.path}:{line}: {message}")

    def table(self, parent: dict[str, Any], key: KeyPath) -> dict[str, Any]:
        value = parent.get(key[-1])
        if value is None:
            raise self.error((), f"the table [{'.'.join(key)}] is missing")
        if not isinstance(value, dict):
            raise self.error(key, f"{'.'.join(key)} is not a table")
        return value

    def known(self, table: dict[str, Any], at: KeyPath, names: tuple[str, ...]) -> None:
        for name in table:
            if name not in names:
                near = difflib.get_close_matches(name, names, 1)
                hint = f"; is it '{near[0]}'?" if near else f"; known are {', '.join(names)}"
                place = f"[{'.'.join(at)}]" if at else "the file"
                raise self.error(at + (name,), f"unknown key '{name}' in {place}{hint}")

    def get(self, table: dict[str, Any], at: KeyPath, name: str,
            kind: Union[type, tuple[type, ...]], what: str, default: Any = None,
            required: bool = False) -> Any:
        if name not in table:
            if required:
                raise self.error(at, f"[{'.'.join(at)}] has no '{name}'")
            return default
        value = table[name]
        # bool is an int in Python, but not in TOML.
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.error(at + (name,), f"'{name}' is not {what}")
        return value

    def file(self, table: dict[str, Any], at: KeyPath, name: str,
             required: bool = False) -> Optional[Path]:
        value = self.get(table, at, name, str, "a string (a file name)", required=required)
        return None if value is None else self.existing(value, at + (name,))

    def existing(self, name: str, key: KeyPath) -> Path:
        path = (self.path.parent / name).resolve()
        if path.is_dir():
            raise self.error(key, f"{path} is a folder; name a file")
        if not path.is_file():
            raise self.error(key, f"there is no file {path}")
        return path

    def strings(self, table: dict[str, Any], at: KeyPath, name: str) -> list[str]:
        values = self.get(table, at, name, list, "a list of strings", default=[])
        if not all(isinstance(value, str) for value in values):
            raise self.error(at + (name,), f"'{name}' is not a list of strings")
        return list(values)


def _guest_file(reader: _Reader, key: KeyPath, text: str) -> GuestFile:
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


def _channels(reader: _Reader, table: dict[str, Any], at: KeyPath) -> tuple[Optional[Path], str]:
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


def _vm(reader: _Reader, name: str, table: dict[str, Any]) -> VmConfig:
    at = ("vm", name)
    if not _NAME.fullmatch(name):
        raise reader.error(at, f"'{name}' cannot name a virtual machine: use letters, digits, "
                               "'-' and '_', at most 32")
    reader.known(table, at, ("partition", "cfg", "channels", "files", "run", "memory", "append",
                             "qemu"))
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
        name=name,
        partition=str(partition),
        cfg=cfg,
        channels=channels,
        files=tuple(_guest_file(reader, at + ("files",), text)
                    for text in reader.strings(table, at, "files")),
        run=reader.get(table, at, "run", str, "a string (a command)"),
        memory_mib=mib,
        append=reader.get(table, at, "append", str, "a string", default=""),
        qemu=tuple(reader.strings(table, at, "qemu")))


def load(path: Path) -> SocConfig:
    """Reads a soc.toml; raises ConfigError at the first thing that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"there is no {path}; name the SoC's soc.toml with -f") from None
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError(f"cannot read {path}: {err}") from err
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        match = re.search(r"\(at line (\d+), column \d+\)", str(err))
        line = match[1] if match else str(max(1, len(text.splitlines())))
        raise ConfigError(f"{path}:{line}: not TOML: {err}") from None

    reader = _Reader(path, text)
    reader.known(data, (), ("soc", "vm"))
    soc = reader.table(data, ("soc",))
    reader.known(soc, ("soc",), ("name", "pct", "accel", "boot-timeout"))
    name = reader.get(soc, ("soc",), "name", str, "a string", required=True)
    if not _NAME.fullmatch(name):
        raise reader.error(("soc", "name"), f"'{name}' cannot name a SoC: use letters, digits, "
                                            "'-' and '_', at most 32")
    accel = reader.get(soc, ("soc",), "accel", str, "a string", default="auto")
    if accel not in ACCELS:
        raise reader.error(("soc", "accel"), f"accel '{accel}' is none of {', '.join(ACCELS)}")
    boot_timeout = reader.get(soc, ("soc",), "boot-timeout", (int, float), "a number of seconds",
                              default=120)
    if not 0 < boot_timeout < 86400:
        raise reader.error(("soc", "boot-timeout"), f"boot-timeout {boot_timeout} is not more than "
                                                    "0 and less than 86400 seconds")
    pct = reader.file(soc, ("soc",), "pct", required=True)
    assert pct is not None

    tables = reader.table(data, ("vm",))
    vms = tuple(_vm(reader, vm, reader.table(tables, ("vm", vm))) for vm in tables)
    if not vms:
        raise reader.error(("vm",), "there is no virtual machine: add a table [vm.NAME]")
    taken: dict[str, str] = {}
    for vm in vms:
        if vm.partition in taken:
            raise reader.error(("vm", vm.name, "partition"),
                               f"partition {vm.partition} is already that of "
                               f"[vm.{taken[vm.partition]}]")
        taken[vm.partition] = vm.name
    return SocConfig(path=path.resolve(), name=name, pct=pct, vms=vms, accel=accel,
                     boot_timeout=float(boot_timeout))
