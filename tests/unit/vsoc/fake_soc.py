# SPDX-License-Identifier: MIT
"""A SoC without QEMU: what vsoclib.scenario asks of soc.Soc and machine.Machine.

Its devices keep the faults that are set, and its guests do what a test tells them to.
"""

import concurrent.futures
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Mapping, Optional, Sequence, Union, cast

import vsoc_samples  # noqa: F401  (the path to vsoclib)
from vsoclib.agent import Output, Result
from vsoclib.channel import ChannelRefused, Said
from vsoclib.errors import ConfigError, GuestError, PanicError, ProcessError, StateError
from vsoclib.events import Event
from vsoclib.scenario import Soc
from vsoclib.soc import Soc as Engine

Command = Union[str, Sequence[str]]
Value = dict[str, Any]

TABLE = {
    "partitions": [{"name": "A", "id": 2}, {"name": "B", "id": 3}, {"name": "M", "id": 4}],
    "queues": [
        {"id": 6, "peers": ["A", "A"], "loopback": True, "nframes": 4, "frame_size": 64},
        {"id": 7, "peers": ["A", "A"], "loopback": True, "nframes": 4, "frame_size": 64},
        {"id": 255, "peers": ["B", "A"], "loopback": False, "nframes": 8, "frame_size": 64},
        {"id": 264, "peers": ["A", "M"], "loopback": False, "nframes": 8, "frame_size": 64}]}


def element(number: int) -> Value:
    """An open, established queue, as docs/specs/hv-ivc.md shows it."""
    return {"id": number, "slot": 0, "vector": 1, "peer": "?", "open": True, "far-state": "open",
            "far-generation": 0, "tx-state": 0, "tx-count": 5, "rx-count": 4, "rings-out": 3,
            "rings-in": 2, "interrupts": 1, "dropped": 0, "delayed": 0, "duplicated": 0,
            "spurious": 0, "corrupted": 0}


class Device:
    """hv-ivc or hv-c2c: its queues and faults."""

    def __init__(self, kind: str, *numbers: int) -> None:
        self.kind = kind
        self.queues = {number: element(number) for number in numbers}
        self.link = True
        self.faults: list[Value] = []

    def get(self, name: str) -> Any:
        """A property."""
        return {"queues": list(self.queues.values()), "faults": list(self.faults),
                "link": self.link}[name]

    def set(self, name: str, value: Any) -> None:
        """A property; what is wrong is refused, and nothing changes then."""
        if name == "link":
            self.link = value
            return
        queue = value.get("queue")
        if queue is not None and queue not in self.queues:
            raise ChannelRefused(f"there is no queue {queue}")
        if value["kind"] == "clear":
            self.faults = [each for each in self.faults if queue not in (None, each["queue"])]
        else:
            self.faults.append({"id": len(self.faults), "left": value.get("count"), "hits": 0,
                                **value})


class FakeMachine:
    """A VM whose guest answers at once."""

    def __init__(self, folder: Path, name: str, devices: Mapping[str, Device]) -> None:
        self.name = name
        self.devices = dict(devices)
        self.console_log = folder / f"{name}.console.log"
        self.qemu_log = folder / f"{name}.qemu.log"
        self.events = SimpleNamespace(look=lambda: None, history=[])
        self.said: list[Said] = []
        self.status = "running"         # "paused", "panicked", "stopped"
        self.done: list[str] = []       # what was done to it, in order
        self.files: dict[str, "tuple[bytes, int]"] = {}
        self.guest: Callable[[Command], Result] = lambda _: Result(0, b"", b"")
        self.started: "list[tuple[concurrent.futures.Future[Result], Output]]" = []
        self.starts = 1

    def say(self, text: str) -> None:
        """On its console."""
        with open(self.console_log, "a", encoding="utf-8") as log:
            log.write(text)

    def event(self, name: str, seconds: float) -> None:
        """Its QEMU tells of one."""
        self.events.history.append(Event(name, seconds))

    # What scenario.py uses

    def running(self) -> bool:
        return self.status != "stopped"

    def panicked(self) -> bool:
        return self.status == "panicked"

    def state(self) -> str:
        return self.status

    def boots(self) -> int:
        return self.starts

    def check_process(self) -> None:
        if not self.running():
            raise ProcessError(f"{self.name}: QEMU has ended", ["qemu"], -9)

    def check(self) -> None:
        self.check_process()
        if self.panicked():
            raise PanicError(self.name, "Kernel panic - not syncing: fake")

    def check_awake(self) -> None:
        self.check()
        if self.status == "paused":
            raise StateError(f"{self.name} is paused: nothing can run in it until resume()")

    def kill(self) -> None:
        self.done.append("kill")
        self.status = "stopped"

    def start(self, bound: bool) -> None:
        assert bound        # nothing outlives the tests
        self.done.append("start")
        self.starts += 1
        self.status = "running"
        for device in self.devices.values():
            device.faults.clear()
            device.link = True

    def wait_ready(self, timeout: float) -> None:
        self.done.append(f"ready {timeout:g}")

    def reset(self, timeout: float) -> None:
        self.done.append("reset")
        self.starts += 1
        self.status = "running"

    def qmp(self, command: str, arguments: Optional[Mapping[str, Any]] = None) -> Any:
        self.check_process()
        words = arguments or {}
        self.said.append(Said(time.time(), command, words, None))
        self.done.append(command)
        if command == "query-status":
            return {"status": "paused" if self.status == "paused" else "running"}
        if command in ("stop", "cont"):
            self.status = "paused" if command == "stop" else "running"
            return {}
        if command == "qom-list":
            return [{"name": name, "type": f"child<{each.kind}>"}
                    for name, each in self.devices.items()] + [{"name": "type", "type": "string"}]
        device = self.devices[words["path"].rpartition("/")[2]]
        if command == "qom-get":
            return device.get(words["property"])
        assert command == "qom-set"
        device.set(words["property"], words["value"])
        return {}

    def run(self, command: Command, timeout: Optional[float] = None, stdin: bytes = b"",
            output: Optional[Output] = None, check: bool = False) -> Result:
        result = self.guest(command)
        if check and result.returncode != 0:
            raise GuestError(self.name, f"ended with {result.returncode}")
        return result

    def submit(self, command: Command, timeout: Optional[float] = None, stdin: bytes = b"",
               output: Optional[Output] = None, poll: float = 0.0
               ) -> "concurrent.futures.Future[Result]":
        assert output is not None
        self.started.append((concurrent.futures.Future(), output))
        return self.started[-1][0]

    def push(self, data: bytes, path: str, mode: int) -> None:
        self.files[path] = (data, mode)

    def pull(self, path: str) -> bytes:
        return self.files[path][0]


class FakeFolder:
    """The state folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def read_json(self, _: str) -> Value:
        """soc.json."""
        return {"name": "fake", "partitions": {"guest": "A", "update": 3}}


class FakeEngine:
    """A SoC of two VMs, each with a link to another chip: to each other's, or to another host."""

    boot_timeout = 77.0

    def __init__(self, folder: Path, both_ends: bool = True) -> None:
        self.machines = {
            "guest": FakeMachine(folder, "guest", {"c2c0": Device("hv-c2c", 5),
                                                   "ivc": Device("hv-ivc", 6, 7, 255, 264)}),
            "update": FakeMachine(folder, "update", {"ivc": Device("hv-ivc", 255),
                                                     "c2c0": Device("hv-c2c", 9)})}
        for vm, far in (("guest", 9), ("update", 5)):
            for each in self.machines[vm].devices["c2c0"].queues.values():
                each["remote"] = far
        self.chip = SimpleNamespace(name="fake", prefix="", table=TABLE, server=None)
        self.chips = {"fake": self.chip}
        self.links = [SimpleNamespace(link="main", vm=vm, device="c2c0")
                      for vm in (["guest", "update"] if both_ends else ["guest"])]
        self.folder = FakeFolder(folder)

    def __getitem__(self, vm: str) -> FakeMachine:
        if vm not in self.machines:
            raise ConfigError(f"fake has no VM '{vm}'")
        return self.machines[vm]

    def chip_of(self, _: str) -> object:
        """All are of one."""
        return self.chip

    def soc(self) -> Soc:
        """What a scenario gets."""
        return Soc(cast(Engine, self))
