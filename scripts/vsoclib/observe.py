# SPDX-License-Identifier: MIT
"""Looks at the queues of a running SoC: asks the devices of its VMs over QMP, and joins what they
say to channels of two ends. Nothing is written anywhere, and no guest notices.
"""

from __future__ import annotations

import concurrent.futures
import time
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional

from . import reactor
from .errors import StateError, VsocError
from .machine import Ask, Machine
from .soc import STATE, Chip, Soc
from .state import Folder

DEVICES = ("hv-ivc", "hv-c2c")      # QOM types that have the property `queues`
STATES = ("established", "sync", "ack")
# Keys of an element that count what was done to the queue, or went wrong.
FAULTS = ("dropped", "delayed", "duplicated", "spurious", "corrupted", "stale", "lost")
# Of a QEMU that is stopped (SIGSTOP), or busy with another vsoc.
PATIENCE = 2.0

Element = Mapping[str, Any]


@dataclass(frozen=True)
class Look:
    """What the devices of one VM said at one moment."""

    vm: str
    partition: str
    state: str                      # "running", "paused", ...; "stopped": QEMU has ended
    when: float                     # time.monotonic()
    devices: Mapping[str, "list[Element]"] = field(default_factory=dict)
    problem: str = ""               # why there is no answer


Place = tuple[Look, str, Element]   # who showed an element: VM, device


@dataclass
class End:
    """One end of a channel."""

    name: str                       # of the VM; of the partition, if no VM runs it
    partition: str
    queue: int                      # of a loopback each end has one
    presence: str = ""              # "open", "gone", "unknown": its status; "closed": one of two
    state: str = "unknown"
    tx_count: int = 0
    rx_count: int = 0
    depth: Optional[int] = None     # frames that it sent and the other has not taken; None: absurd
    # Only the device of a running VM counts these.
    rings_out: Optional[int] = None
    rings_in: Optional[int] = None
    interrupts: Optional[int] = None
    faults: dict[str, int] = field(default_factory=dict)
    # Since the look before; None at the first one.
    frames_per_s: Optional[float] = None
    rings_per_s: Optional[float] = None
    interrupts_per_s: Optional[float] = None


@dataclass
class Channel:
    """A queue, a loopback pair or a channel to another chip, as its devices show it."""

    name: str                       # "255", "256/257", "guest:c2c0:5"; of several SoCs "a:255"
    device: str                     # of the VM that showed it: "ivc", "c2c0"
    nframes: int
    frame_size: int
    when: float
    ends: "tuple[End, End]"
    known: bool = True              # False: none of its ends runs

    @property
    def frames_per_s(self) -> float:
        """Both ways."""
        return sum(end.frames_per_s or 0.0 for end in self.ends)

    @property
    def faults(self) -> dict[str, int]:
        """Of both ends."""
        total: dict[str, int] = {}
        for end in self.ends:
            for name, count in end.faults.items():
                total[name] = total.get(name, 0) + count
        return total


def state_name(word: int) -> str:
    """The word tx.state; an end may write anything."""
    return STATES[word] if 0 <= word < len(STATES) else f"invalid {word:#x}"


def difference(now: int, before: int) -> int:
    """How far a frame count has come. After a reset it counts from 0 again: the frames since then
    are known, those between the look before and the reset are not.
    """
    moved = (now - before) & 0xffffffff
    return moved if moved < 1 << 31 else now


def partition_names(table: Mapping[str, Any], partitions: Mapping[str, str]) -> dict[str, str]:
    """VM -> name of its partition, which soc.toml may give as a number."""
    names = {str(each["id"]): str(each["name"]) for each in table["partitions"]}
    return {vm: names.get(str(value), str(value)) for vm, value in partitions.items()}


def channels(table: Mapping[str, Any], looks: Mapping[str, Look]) -> list[Channel]:
    """All that the table has, with what is known of each."""
    by_partition = {look.partition: look for look in looks.values()}
    places = {(look.partition, element["id"]): (look, device, element)
              for look in looks.values() for device, elements in look.devices.items()
              for element in elements if "peer" in element}
    found = []
    for queue in table["queues"]:
        number = queue["id"]
        if queue["loopback"]:
            if number % 2 == 0:
                found.append(_channel(f"{number}/{number + 1}", queue, (number, number + 1),
                                      by_partition, places))
        else:
            found.append(_channel(str(number), queue, (number, number), by_partition,
                                  places))
    shapes = {each["device"]: each for each in table.get("c2c", ())}
    for look in looks.values():
        for device, elements in look.devices.items():
            found += [_to_other_chip(look, device, element, shapes.get(element["id"], {}))
                      for element in elements if "remote" in element]
    return found


def _channel(name: str, queue: Mapping[str, Any], numbers: "tuple[int, int]",
             by_partition: Mapping[str, Look],
             places: "Mapping[tuple[str, int], Place]") -> Channel:
    peers = queue["peers"]
    ends = [End(by_partition[partition].vm if partition in by_partition else partition,
                partition, number) for partition, number in zip(peers, numbers)]
    seen = [places.get((end.partition, end.queue)) for end in ends]
    channel = Channel(name, "", queue["nframes"], queue["frame_size"], 0.0, (ends[0], ends[1]),
                      known=False)
    for mine, (own, far) in zip(seen, (ends, ends[::-1])):
        if mine is not None:
            look, device, element = mine
            _counters(own, element)
            far.presence = element["far-state"]
            # One of the two is enough: both see the same memory.
            if not channel.known:
                _words(own, far, element, channel.nframes)
                channel.known, channel.device, channel.when = True, device, look.when
    for own, mine in zip(ends, seen):
        if not own.presence:
            # The far end's VM would know the status. Its own knows whether it is open.
            own.presence = "unknown" if mine is None else _presence(mine[2])
    return channel


def _to_other_chip(look: Look, device: str, element: Element,
                   shape: Mapping[str, Any]) -> Channel:
    own = End(look.vm, look.partition, element["id"])
    far = End("other chip", "", element["remote"], presence=element["far-state"])
    own.presence = _presence(element)
    _counters(own, element)
    channel = Channel(f"{look.vm}:{device}:{element['id']}", device, shape.get("nframes", 0),
                      shape.get("frame_size", 0), look.when, (own, far))
    _words(own, far, element, channel.nframes)
    return channel


def _presence(element: Element) -> str:
    return "open" if element["open"] else "closed"


def _counters(end: End, element: Element) -> None:
    end.rings_out, end.rings_in = element["rings-out"], element["rings-in"]
    end.interrupts = element["interrupts"]
    end.faults = {name: element[name] for name in FAULTS if element.get(name)}


def _words(own: End, far: End, element: Element, nframes: int) -> None:
    own.state, far.state = (state_name(element[key]) for key in ("tx-state", "peer-tx-state"))
    own.tx_count, far.tx_count = element["tx-count"], element["peer-tx-count"]
    own.rx_count, far.rx_count = element["rx-count"], element["peer-rx-count"]
    for sender, receiver in ((own, far), (far, own)):
        sender.depth = depth(sender.tx_count, receiver.rx_count, nframes)


def depth(tx_count: int, rx_count: int, nframes: int) -> Optional[int]:
    """Frames under way; None if these counts cannot be. The two are not read at one instant: what
    a queue of this size can do between is put right.
    """
    used = (tx_count - rx_count) & 0xffffffff
    if used >= (1 << 32) - nframes:
        return 0
    return min(used, nframes) if used <= 2 * nframes else None


def rate(now: Channel, before: Channel) -> None:
    """Fills in the rates of `now`. The VM that showed the channel may be another one by now, but
    times and words belong together."""
    seconds = now.when - before.when
    if not (now.known and before.known) or seconds <= 0:
        return
    for end, earlier in zip(now.ends, before.ends):
        end.frames_per_s = difference(end.tx_count, earlier.tx_count) / seconds
        for counter, name in (("rings_out", "rings_per_s"), ("interrupts", "interrupts_per_s")):
            new, old = getattr(end, counter), getattr(earlier, counter)
            # A QEMU that was started anew counts from 0.
            if new is not None and old is not None:
                setattr(end, name, (new - old if new >= old else new) / seconds)


Answer = tuple[str, dict[str, list[Element]]]      # state of the VM; elements by device


async def _ask(ask: Ask) -> Answer:
    """All that a QEMU's devices say of their queues."""
    status = await ask("query-status", {})
    types = {f"child<{each}>" for each in DEVICES}
    devices = {}
    for each in await ask("qom-list", {"path": "/machine/peripheral"}):
        if each["type"] in types:
            devices[each["name"]] = await ask("qom-get", {
                "path": f"/machine/peripheral/{each['name']}", "property": "queues"})
    return status["status"], devices


class Observer:
    """Looks again and again at a SoC whose VMs may come and go. Open it with `with`."""

    def __init__(self, folder: Folder, patience: float = PATIENCE) -> None:
        self._folder = folder
        self._patience = patience
        self._pending: dict[str, "concurrent.futures.Future[Answer]"] = {}
        self._before: dict[str, Channel] = {}
        self.name = folder.path.name

    def __enter__(self) -> "Observer":
        return self

    def __exit__(self, *exc: object) -> None:
        for future in self._pending.values():
            reactor.cancel(future)

    def look(self) -> "tuple[list[Look], list[Channel]]":
        """One look at all. Raises StateError when the SoC has ended."""
        looks: list[Look] = []
        found: list[Channel] = []
        for chip, own in self._looks():
            looks += own
            for each in channels(chip.table, {look.vm: look for look in own}):
                # A channel to another chip begins with its VM's name, which says it already.
                if chip.prefix and not each.name.startswith(chip.prefix):
                    each.name = f"{chip.name}:{each.name}"
                found.append(each)
        for channel in found:
            if channel.name in self._before:
                rate(channel, self._before[channel.name])
        # A VM that does not answer this once is compared with what it said last.
        self._before.update({channel.name: channel for channel in found if channel.known})
        return looks, found

    def _looks(self) -> "list[tuple[Chip, list[Look]]]":
        """By SoC."""
        soc = Soc.attach(self._folder)
        state = self._folder.read_json(STATE)
        if state is None or not soc.running():
            raise StateError(f"{self.name} has ended; `vsoc up` starts it")
        self.name = state["name"]
        for machine in soc.machines.values():
            # Who has not answered yet is not asked twice.
            if machine.running() and machine.name not in self._pending:
                self._pending[machine.name] = machine.converse(_ask)
        deadline = time.monotonic() + self._patience
        found = []
        for chip in soc.chips.values():
            partitions = partition_names(chip.table, state["partitions"])
            found.append((chip, [self._answer(machine, partitions[machine.name], deadline)
                                 for machine in soc.machines.values()
                                 if soc.chip_of(machine.name) is chip]))
        return found

    def _answer(self, machine: Machine, partition: str, deadline: float) -> Look:
        future = self._pending.get(machine.name)
        if future is None:
            return Look(machine.name, partition, "stopped", time.monotonic())
        problem = ""
        status = "no answer"
        devices: dict[str, list[Element]] = {}
        try:
            status, devices = future.result(max(0.0, deadline - time.monotonic()))
        except concurrent.futures.TimeoutError:
            pass
        except VsocError as err:
            problem = str(err).split("\n", maxsplit=1)[0]
        if future.done():
            del self._pending[machine.name]
        state = machine.state()
        return Look(machine.name, partition, status if state == "running" else state,
                    time.monotonic(), devices, problem)
