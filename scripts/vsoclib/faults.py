# SPDX-License-Identifier: MIT
"""Faults on demand in the devices of a VM, through plain QMP (docs/specs/faults.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional

from .errors import ConfigError, StateError
from .machine import Machine

DOORBELLS = ("drop", "delay", "duplicate", "spurious")
KINDS = (*DOORBELLS, "header", "frame")
DIRECTIONS = ("out", "in")
WORDS = ("tx-count", "tx-state", "rx-count")
DEVICES = ("hv-ivc", "hv-c2c")      # the QOM types that have queues
IVC = "ivc"                         # the id of a VM's hv-ivc; its hv-c2c are c2c0, c2c1, ...

_PERIPHERAL = "/machine/peripheral"


@dataclass(frozen=True)
class Fault:
    """What is to go wrong with a queue. None: the device's default."""

    queue: int
    kind: str
    direction: Optional[str] = None
    count: Optional[int] = None
    ms: Optional[int] = None
    delay_ms: Optional[int] = None
    word: Optional[str] = None
    value: Optional[int] = None
    offset: Optional[int] = None
    xor: Optional[int] = None

    def as_qmp(self) -> dict[str, Any]:
        """The value of the property `fault`."""
        return {name.replace("_", "-"): value for name, value in vars(self).items()
                if value is not None}


@dataclass(frozen=True)
class ActiveFault:
    """A fault of a device that is not over yet."""

    vm: str
    device: str
    queue: int
    kind: str
    direction: str
    left: Optional[int]             # how often it will still hit; None: until it is cleared
    hits: int                       # how often it has
    details: Mapping[str, Any]      # all that the device says of it

    def __str__(self) -> str:
        known = ("id", "queue", "kind", "direction", "left", "hits", "count")
        rest = "".join(f" {key}={value}" for key, value in self.details.items()
                       if key not in known and value is not None)
        left = "until it is cleared" if self.left is None else f"{self.left} to go"
        return (f"{self.vm}:{self.device}: queue {self.queue}: {self.kind} {self.direction}{rest}: "
                f"{self.hits} hit, {left}")


def devices(machine: Machine) -> list[str]:
    """The ids of a VM's devices that have queues, hv-ivc first."""
    types = {f"child<{each}>" for each in DEVICES}
    found = [each["name"] for each in machine.qmp("qom-list", {"path": _PERIPHERAL})
             if each["type"] in types]
    return sorted(found, key=lambda name: (name != IVC, name))


def get(machine: Machine, device: str, name: str) -> Any:
    """A property of a device."""
    return machine.qmp("qom-get", {"path": f"{_PERIPHERAL}/{device}", "property": name})


def put(machine: Machine, device: str, name: str, value: object) -> None:
    """Sets a property of a device."""
    machine.qmp("qom-set", {"path": f"{_PERIPHERAL}/{device}", "property": name, "value": value})


def inject(machine: Machine, device: str, fault: Fault) -> None:
    """Makes a fault happen."""
    put(machine, device, "fault", fault.as_qmp())


def clear(machine: Machine, device: str, queue: Optional[int] = None) -> None:
    """Ends the faults of a queue, or all of a device."""
    value: dict[str, Any] = {"kind": "clear"}
    if queue is not None:
        value["queue"] = queue
    put(machine, device, "fault", value)


def active(machine: Machine, device: str) -> list[ActiveFault]:
    """Those that are not over."""
    return [ActiveFault(machine.name, device, each["queue"], each["kind"],
                        each.get("direction", "out"), each.get("left"), each.get("hits", 0), each)
            for each in get(machine, device, "faults")]


def end_all(machine: Machine, only: Optional[str] = None) -> None:
    """Ends all faults of a VM's devices, or of one, and puts cables back that were pulled."""
    for device in devices(machine) if only is None else [device_of(machine, only)]:
        if active(machine, device):
            clear(machine, device)
        if not get(machine, device, "link"):
            put(machine, device, "link", True)


def element(machine: Machine, device: str, queue: int) -> dict[str, Any]:
    """What a device says of one of its queues. Of two with a number, which a loopback has, each
    is one.
    """
    for each in get(machine, device, "queues"):
        if each["id"] == queue:
            return dict(each)
    raise ConfigError(f"{machine.name}: {device} has no queue {queue}: "
                      f"{known_queues(machine, device)}")


def known_queues(machine: Machine, device: str) -> str:
    """Which a device has, for a message."""
    numbers = [str(each["id"]) for each in get(machine, device, "queues")]
    return f"it has {', '.join(numbers)}"


def device_of(machine: Machine, name: Optional[str]) -> str:
    """The device that a user means: hv-ivc without a name, or the only one."""
    known = devices(machine)
    if name is None and known:
        return known[0]
    if name in known:
        assert name is not None
        return name
    if not known:
        raise StateError(f"{machine.name} has no device with queues")
    raise ConfigError(f"{machine.name} has no device '{name}'; it has {', '.join(known)}")
