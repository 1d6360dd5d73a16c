# SPDX-License-Identifier: MIT
"""The links between chips at run time: which channels each carries, and what QEMU is told."""

from __future__ import annotations

import random
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, NamedTuple, Optional, Sequence

from .config import Config, SocConfig, VmConfig
from .errors import ConfigError, StateError, VsocError
from .link_config import Address, LinkConfig
from .machine import Machine
from .process import read_log
from .toml_reader import Reader

LOOPBACK = "127.0.0.1"
RECONNECT_MS = 200
# Each refusal is a line in a log.
RECONNECT_TLS_MS = 1000
# Says why a TLS handshake failed: QEMU's socket chardev tells it nowhere else.
TLS_TRACE = "chr_socket_tls_handshake_err"

# From privileged ports up to where the kernel takes ports for outgoing connections: one of those
# could be taken while the listener restarts, even by the end that tries to connect to it.
_FIRST_PORT = 10000
_PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_RANGE = 32768


class Channel(NamedTuple):
    """An entry of a table's .c2c."""

    device: int
    remote: int
    nframes: int
    frame_size: int


@dataclass(frozen=True)
class LinkEnd:
    """What one VM's hv-c2c device is of a link."""

    link: LinkConfig
    vm: str
    device: str             # its id in QEMU
    listens: bool
    channels: tuple[Channel, ...]
    port: int = 0           # of a local TCP link

    @property
    def chardev(self) -> str:
        """The id of its chardev, with which QEMU's messages name it."""
        return f"link-{self.link.name}"

    def _address(self) -> str:
        if self.link.transport == "unix":
            return f"path=link.{self.link.name}.sock"
        address = self.link.address or Address(LOOPBACK, self.port)
        return f"host={address.host},port={address.port},nodelay=on"

    def arguments(self, table: str, partition: str) -> list[str]:
        """QEMU's arguments for the device and what it needs."""
        words: list[str] = []
        chardev = f"socket,id={self.chardev},{self._address()}"
        if self.listens:
            chardev += ",server=on,wait=off"
        else:
            chardev += f",reconnect-ms={RECONNECT_TLS_MS if self.link.tls else RECONNECT_MS}"
        if self.link.tls is not None:
            folder = str(self.link.tls).replace(",", ",,")
            words += ["-object", f"tls-creds-x509,id=tls-{self.link.name},dir={folder},"
                                 f"endpoint={'server' if self.listens else 'client'},"
                                 "verify-peer=on",
                      "-trace", TLS_TRACE]
            chardev += f",tls-creds=tls-{self.link.name}"
        if self.link.peer is not None:
            words += ["-object", f"authz-simple,id=peer-{self.link.name},"
                                 f"identity=CN={self.link.peer}"]
            chardev += f",tls-authz=peer-{self.link.name}"
        devices = "/".join(str(each.device) for each in self.channels)
        device = (f"hv-c2c,id={self.device},chardev={self.chardev},pct={table},"
                  f"partition={partition},devices={devices}")
        if self.link.keepalive_ms is not None:
            device += f",keepalive={self.link.keepalive_ms}"
        return [*words, "-chardev", chardev, "-device", device]

    def way(self) -> str:
        """Where the other end is, in words."""
        if self.link.local:
            return f"{self.link.transport}, {'from' if self.listens else 'to'} {self._far_vm()}"
        assert self.link.address is not None
        host, port = self.link.address
        return f"{'listen' if self.listens else 'connect'} " + \
            (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")

    def _far_vm(self) -> str:
        [far] = [vm for vm in self.link.vms if vm != self.vm]
        return far

    def as_device(self) -> "LinkDevice":
        """What is kept of it while it runs."""
        return LinkDevice(self.link.name, self.vm, self.device, self.chardev, self.link.local,
                          self.way())


@dataclass(frozen=True)
class LinkState:
    """One end of a link at one moment, as `vsoc status --json` shows it."""

    link: str
    vm: str
    device: str
    way: str
    up: bool
    error: str              # why it is down


@dataclass(frozen=True)
class LinkDevice:
    """The hv-c2c device of a VM that runs or has run; soc.json keeps it."""

    link: str
    vm: str
    device: str
    chardev: str
    local: bool
    way: str

    def look(self, machine: Machine) -> LinkState:
        """Asks the device."""
        up, error = False, "its VM does not run"
        if machine.running():
            path = f"/machine/peripheral/{self.device}"
            try:
                up = machine.qmp("qom-get", {"path": path, "property": "link"})
                error = machine.qmp("qom-get", {"path": path, "property": "link-error"})
            except VsocError as err:
                error = str(err)
            else:
                error = (self.refusal(read_log(machine.qemu_log)) or error
                         or "nothing was heard from the other end yet")
        return LinkState(self.link, self.vm, self.device, self.way, up, "" if up else error)

    def refusal(self, log: str) -> Optional[str]:
        """Why TLS refused the far end, if that is the last news of this link in QEMU's log."""
        for line in reversed(log.splitlines()):
            if f"hv-c2c {self.device}: " in line:
                return None
            match = re.search(rf"{TLS_TRACE} .*\({re.escape(self.chardev)}\): (.*)", line)
            if match:
                return f"TLS: {match[1]}"
        return None


class Ports:
    """Free ports of this host, kept until QEMU listens there."""

    def __init__(self) -> None:
        self._kept: list[socket.socket] = []

    def take(self) -> int:
        """A port that nobody gets but one who sets SO_REUSEADDR, as QEMU does."""
        try:
            end = int(_PORT_RANGE.read_text(encoding="ascii").split()[0])
        except (OSError, ValueError, IndexError):
            end = _USUAL_RANGE
        if end <= _FIRST_PORT:
            end = _USUAL_RANGE
        for port in random.sample(range(_FIRST_PORT, end), end - _FIRST_PORT):
            trial = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((LOOPBACK, port))
            except OSError:
                trial.close()
                continue
            self._kept.append(trial)
            return port
        raise StateError(f"no TCP port of {LOOPBACK} from {_FIRST_PORT} to {end} is free")

    def close(self) -> None:
        """Lets them go."""
        for each in self._kept:
            each.close()
        self._kept.clear()


class _Planner:
    """Decides what each link carries. Errors name the soc.toml, its line, and the link."""

    def __init__(self, config: Config, tables: Mapping[str, Mapping[str, Any]]) -> None:
        """tables: of each SoC by its name, as `vsoc pct show --json` prints them."""
        self._config = config
        self._tables = tables
        self._vms: dict[str, tuple[SocConfig, VmConfig]] = {
            vm.name: (soc, vm) for soc in config.socs for vm in soc.vms}
        self._carried: dict[tuple[str, int], str] = {}      # by VM and device number: the link
        self._devices = dict.fromkeys(self._vms, 0)

    def _error(self, link: LinkConfig, message: str, key: str = "") -> ConfigError:
        at = ("link", link.name) + ((key,) if key else ())
        return Reader.of(self._config.path).error(at, message)

    def _channels(self, vm: str) -> dict[int, Channel]:
        """Those of a VM's partition, by device number."""
        soc, config = self._vms[vm]
        table = self._tables[soc.name]
        names = {str(each["id"]): each["name"] for each in table["partitions"]}
        partition = names.get(config.partition, config.partition)
        entries = (Channel(*(each[field] for field in Channel._fields))
                   for each in table.get("c2c", ()) if each["owner"] == partition)
        return {entry.device: entry for entry in entries}

    def _pairs(self, link: LinkConfig) -> dict[int, tuple[Channel, Channel]]:
        """The channels that both ends of a local link have, crosswise."""
        near, far = (self._channels(vm) for vm in link.vms)
        return {each.device: (each, far[each.remote]) for each in near.values()
                if each.remote in far and far[each.remote].remote == each.device}

    def _chosen(self, link: LinkConfig, numbers: Sequence[int]) -> list[int]:
        """Those of the possible channels that the link is to carry."""
        for number in link.devices:
            if number not in numbers:
                where = f"between {link.vms[0]} and {link.vms[1]}" if link.local \
                    else f"of {link.vms[0]}"
                raise self._error(link, f"device {number} is no channel {where}: the .c2c entries "
                                        f"have {', '.join(map(str, numbers)) or 'none'}",
                                  "devices")
        if not numbers:
            raise self._error(link, f"there is no channel for link {link.name}: no .c2c entry of "
                                    + (f"{link.vms[0]} has a remote in {link.vms[1]} that points "
                                       "back" if link.local else f"{link.vms[0]}"))
        return sorted(link.devices or numbers)

    def _end(self, link: LinkConfig, vm: str, listens: bool, channels: Sequence[Channel],
             port: int = 0) -> LinkEnd:
        for number in (each.device for each in channels):
            other = self._carried.setdefault((vm, number), link.name)
            if other != link.name:
                raise self._error(link, f"device {number} of {vm} is carried by link {other} "
                                        "already: give 'devices' to both")
        device = f"c2c{self._devices[vm]}"
        self._devices[vm] += 1
        return LinkEnd(link, vm, device, listens, tuple(channels), port)

    def ends(self, link: LinkConfig, ports: Ports) -> list[LinkEnd]:
        """The ends of a link that are ours."""
        if not link.local:
            channels = self._channels(link.vms[0])
            chosen = [channels[number] for number in self._chosen(link, list(channels))]
            return [self._end(link, link.vms[0], link.listens, chosen)]
        pairs = self._pairs(link)
        near, far = zip(*(pairs[number] for number in self._chosen(link, list(pairs))))
        for one, other in zip(near, far):
            if (one.nframes, one.frame_size) != (other.nframes, other.frame_size):
                raise self._error(link, f"device {one.device} of {link.vms[0]} has {one.nframes} x "
                                        f"{one.frame_size} bytes, its remote {other.device} in "
                                        f"{link.vms[1]} has {other.nframes} x {other.frame_size}: "
                                        "give both the same")
        port = ports.take() if link.transport == "tcp" else 0
        return [self._end(link, link.vms[0], True, near, port),
                self._end(link, link.vms[1], False, far, port)]


def plan(config: Config, tables: Mapping[str, Mapping[str, Any]], ports: Ports) -> list[LinkEnd]:
    """The ends of all links, for tables by the names of their SoCs."""
    planner = _Planner(config, tables)
    return [end for link in config.links for end in planner.ends(link, ports)]
