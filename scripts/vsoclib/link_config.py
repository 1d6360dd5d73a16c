# SPDX-License-Identifier: MIT
"""The tables [link.NAME] of a soc.toml: which VMs are linked, by which way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Optional, Sequence

from .toml_reader import KeyPath, Reader

TRANSPORTS = ("unix", "tcp")
MIN_KEEPALIVE_MS = 100      # hv-c2c's

# An IPv6 address is in brackets. A comma would end the word on QEMU's command line.
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:,\[\]]+):(?P<port>[0-9]{1,5})")
_PEER = re.compile(r"[^\s,=+]{1,64}")


class Address(NamedTuple):
    """Where a link listens, or connects to."""

    host: str
    port: int


@dataclass(frozen=True)
class LinkConfig:
    """One link between two chips: between two VMs of the file, or of one with another host."""

    name: str
    vms: tuple[str, ...]        # one or two
    transport: str
    address: Optional[Address] = None       # with one VM
    listens: bool = True        # the first VM does
    tls: Optional[Path] = None
    peer: Optional[str] = None
    devices: tuple[int, ...] = ()           # of the first VM; none: all
    keepalive_ms: Optional[int] = None

    @property
    def local(self) -> bool:
        """Whether both ends are in the file."""
        return len(self.vms) == 2


def _ends(reader: Reader, at: KeyPath, table: dict[str, Any],
          names: Sequence[str]) -> tuple[str, ...]:
    if ("ends" in table) == ("vm" in table):
        raise reader.error(at, f"[{'.'.join(at)}] needs either 'ends', two virtual machines of "
                               "this file, or 'vm', one that is linked with another host")
    if "vm" in table:
        key = "vm"
        ends = [reader.get(table, at, "vm", str, "a string")]
    else:
        key = "ends"
        ends = reader.strings(table, at, "ends")
        if len(ends) != 2 or ends[0] == ends[1]:
            raise reader.error(at + ("ends",), "'ends' is not a list of two virtual machines")
    for end in ends:
        if end not in names:
            raise reader.error(at + (key,), f"there is no virtual machine '{end}'; there are "
                                            f"{', '.join(names)}")
    return tuple(ends)


def _address(reader: Reader, at: KeyPath, table: dict[str, Any], key: str) -> Address:
    text = reader.get(table, at, key, str, "a string")
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise reader.error(at + (key,), f"'{text}' is not HOST:PORT; an IPv6 address is in "
                                        "brackets, as in [::1]:7000")
    return Address(match["host"].strip("[]"), int(match["port"]))


def _remote(reader: Reader, at: KeyPath, table: dict[str, Any]) -> tuple[Address, bool]:
    """The address of a link with another host, and whether we listen there."""
    if ("listen" in table) == ("connect" in table):
        raise reader.error(at, f"[{'.'.join(at)}] needs either 'listen' or 'connect', as its "
                               "other end is on another host")
    listens = "listen" in table
    return _address(reader, at, table, "listen" if listens else "connect"), listens


def _link(reader: Reader, at: KeyPath, table: dict[str, Any], names: Sequence[str]) -> LinkConfig:
    reader.name(at, at[-1], "a link")
    reader.known(table, at, ("ends", "vm", "listen", "connect", "transport", "tls", "peer",
                             "devices", "keepalive"))
    vms = _ends(reader, at, table, names)
    tls = reader.folder(table, at, "tls", "; `vsoc certs` makes such folders")
    address, listens = None, True
    if len(vms) == 1:
        address, listens = _remote(reader, at, table)
    for key in ("listen", "connect", "peer") if len(vms) == 2 else ("transport",):
        if key in table:
            raise reader.error(at + (key,), f"'{key}' does not go with "
                                            f"'{'ends' if len(vms) == 2 else 'vm'}'")
    usual = "unix" if len(vms) == 2 and tls is None else "tcp"
    transport = reader.get(table, at, "transport", str, "a string", default=usual)
    if transport not in TRANSPORTS:
        raise reader.error(at + ("transport",),
                           f"transport '{transport}' is none of {', '.join(TRANSPORTS)}")
    if tls is not None and transport == "unix":
        raise reader.error(at + ("tls",), "TLS needs transport = \"tcp\"")
    peer = reader.get(table, at, "peer", str, "a string (a certificate's name)")
    if peer is not None and (tls is None or not listens):
        raise reader.error(at + ("peer",), "'peer' needs 'tls' and 'listen': one who connects "
                                           "checks that the certificate is for its HOST")
    if peer is not None and not _PEER.fullmatch(peer):
        raise reader.error(at + ("peer",), f"'{peer}' is not a name as a certificate has it (CN)")
    keepalive = reader.get(table, at, "keepalive", int, "a number of milliseconds")
    if keepalive is not None and not MIN_KEEPALIVE_MS <= keepalive < 1 << 31:
        raise reader.error(at + ("keepalive",), f"keepalive {keepalive} is not {MIN_KEEPALIVE_MS} "
                                                "milliseconds or more")
    devices = tuple(reader.integers(table, at, "devices"))
    if "devices" in table and (not devices or len(set(devices)) < len(devices)):
        raise reader.error(at + ("devices",), "'devices' is empty or has a number twice")
    return LinkConfig(at[-1], vms, transport, address, listens, tls, peer, devices, keepalive)


def links(reader: Reader, data: dict[str, Any], names: Sequence[str]) -> tuple[LinkConfig, ...]:
    """All links of a file whose virtual machines have these names."""
    if "link" not in data:
        return ()
    tables = reader.table(data, ("link",))
    return tuple(_link(reader, ("link", name), reader.table(tables, ("link", name)), names)
                 for name in tables)
