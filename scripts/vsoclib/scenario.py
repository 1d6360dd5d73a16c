# SPDX-License-Identifier: MIT
"""What a scenario says: SoCs, VMs, queues and programs as a test sees them.

The pytest plug-in gives a test these; boot() gives them to any other program. This is the public
interface of vsoc for Python, described in docs/specs/scenarios.md. All that waits has a time
limit, and an error that says what was waited for and what was there instead. All errors are
vsoclib.errors.VsocError.
"""

from __future__ import annotations

import concurrent.futures
import functools
import json
import re
import shlex
import stat
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import (Any, Callable, Iterator, Mapping, Optional, ParamSpec, Sequence, TypeVar,
                    Union)

from . import faults, reactor, soc as engine, timeline
from .agent import SIGNAL_EXIT
from .config import load
from .errors import (ConfigError, GuestError, PanicError, ProcessError, StateError,
                     VsocError, WaitTimeout, tail)
from .faults import ActiveFault, Fault
from .machine import Machine
from .observe import partition_names, state_name
from .process import read_log

P = ParamSpec("P")
T = TypeVar("T")

TIMEOUT = 60.0          # of all that takes none from the caller
KERNEL_STAMP = re.compile(r"^\[ *(\d+\.\d+)\]", re.MULTILINE)
HEALTH_TIMEOUT = 20.0   # for a guest to answer before a test
POLL = 0.05             # seconds between two looks
SIGKILL = SIGNAL_EXIT + 9
LOG_LIMIT = 1 << 26     # bytes of a console that are looked through

Command = Union[str, Sequence[str]]
Pattern = Union[str, "re.Pattern[str]"]


def _public(function: Callable[P, T]) -> Callable[P, T]:
    """An error of vsoc says all that its reader can use: no traceback through vsoc's inside."""
    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        __tracebackhide__ = True
        try:
            return function(*args, **kwargs)
        except VsocError as err:
            raise err.with_traceback(None) from None
    return call


def _text(command: Command) -> str:
    return command if isinstance(command, str) else shlex.join(command)


def _until(look: Callable[[], Optional[T]], timeout: float,
           late: Callable[[], WaitTimeout]) -> T:
    """What look() finds, once that is not None."""
    deadline = time.monotonic() + timeout
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise late()
        time.sleep(POLL)


@dataclass(frozen=True)
class Completed:
    """How a program in a guest ended."""

    command: str
    returncode: int             # as in a shell: 128 + n if signal n ended it
    stdout: str
    stderr: str


class Process:
    """A program at work in a guest."""

    def __init__(self, vm: "Vm", command: Command) -> None:
        self.vm = vm
        self.command = _text(command)
        self._words = command
        self._output = {False: b"", True: b""}
        self._position = 0
        self._more = threading.Condition()
        self._killed = False
        self._future = vm.machine.submit(command, output=self._take, poll=POLL)

    def _take(self, is_error: bool, data: bytes) -> None:
        with self._more:
            self._output[is_error] += data
            self._more.notify_all()

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return self._output[False].decode(errors="replace")

    @property
    def stderr(self) -> str:
        """What it has printed as errors so far."""
        return self._output[True].decode(errors="replace")

    @property
    def lines(self) -> list[str]:
        """The whole lines that it has printed so far; what is behind the last one is a line, too,
        when it has ended.
        """
        ended = not self.running                    # before the look: all it printed is there
        lines = self.stdout.split("\n")
        rest = lines.pop()
        return lines + [rest] if ended and rest else lines

    @property
    def running(self) -> bool:
        """Whether it has not ended. One whose VM has ended, panicked or been reset has."""
        return not self._future.done()

    @property
    def output(self) -> str:
        """Both, for people, and how it ended."""
        ended = "" if self.running else "(it has ended)\n"
        return f"{self.stdout}{self.stderr}{ended}"

    def _shown(self) -> str:
        printed = "".join(f"\n  {name}:\n{tail(text)}" for name, text in
                          (("stdout", self.stdout), ("stderr", self.stderr)) if text.strip())
        return printed or "\n  it has printed nothing"

    @_public
    def wait(self, timeout: float = TIMEOUT, check: bool = True) -> Completed:
        """Waits until it ends. It goes on if it takes longer. With check, an exit code that is not
        0 is a GuestError.
        """
        try:
            code = self._future.result(timeout).returncode
        except concurrent.futures.TimeoutError:
            raise WaitTimeout(self.vm.name, f"`{self.command}` has not ended in {timeout:g} s"
                              + self._shown()) from None
        except concurrent.futures.CancelledError:
            code = SIGKILL
        if check and code != 0:
            raise GuestError(self.vm.name, f"`{self.command}` ended with {code}" + self._shown())
        return Completed(self.command, code, self.stdout, self.stderr)

    @_public
    def wait_line(self, pattern: Pattern, timeout: float = TIMEOUT) -> "re.Match[str]":
        """Waits for a line of its stdout in which the pattern is found. It looks behind the line
        that the last wait_line() found.
        """
        compiled = re.compile(pattern)
        deadline = time.monotonic() + timeout
        with self._more:
            while True:
                ended = self._future.done()         # before the look: all it printed is there
                lines = self.lines
                for number in range(self._position, len(lines)):
                    match = compiled.search(lines[number].rstrip("\r"))
                    if match is not None:
                        self._position = number + 1
                        return match
                missing = f"no line with /{compiled.pattern}/"
                if ended:
                    if not self._killed:
                        self._future.result()       # raises if its VM is what ended
                    raise GuestError(self.vm.name, f"`{self.command}` ended, and printed {missing}"
                                     + self._shown())
                left = deadline - time.monotonic()
                if left <= 0:
                    raise WaitTimeout(self.vm.name, f"`{self.command}` has printed {missing} in "
                                                    f"{timeout:g} s" + self._shown())
                self._more.wait(min(POLL, left))

    @_public
    def kill(self) -> None:
        """SIGKILL, for it and its children. Nothing happens if it has ended."""
        if not self._future.done():
            self._killed = True
            reactor.cancel(self._future)


def _clock(when: float) -> str:
    """Down to the millisecond, and not up: 0.9996 s are no 1000 ms."""
    return f"{time.strftime('%H:%M:%S', time.localtime(when))}.{int(when % 1 * 1000):03d}"


class Vm:
    """A virtual machine."""

    def __init__(self, soc: "Soc", machine: Machine) -> None:
        self.machine = machine
        self.name = machine.name
        self._soc = soc
        self.programs: list[Process] = []       # that spawn() started in this test
        # What was before this is not of the test.
        self._console_start = self._console_position = self._qemu_start = 0
        self._since = 0.0
        self._last_stamp = -1.0     # of the kernel's log
        self._boots = 0
        self.begin()

    def __repr__(self) -> str:
        return f"<Vm {self.name}>"

    # Its life

    @property
    def state(self) -> str:
        """"running", "paused", "panicked", or "stopped": its QEMU has ended."""
        return self.machine.state()

    @property
    def panicked(self) -> bool:
        """Whether its kernel has panicked since it started last."""
        return self.machine.panicked()

    @_public
    def kill(self) -> None:
        """Ends its QEMU as a crash would. The peers learn of it, the guest cannot say a word."""
        self.machine.check_process()
        self.machine.kill()

    @_public
    def start(self) -> None:
        """Starts it again after it has ended, and waits until the guest answers."""
        if self.machine.running():
            raise StateError(f"{self.name} is running; reset() starts it anew")
        self.machine.start(bound=True)
        self.machine.wait_ready(self._soc.engine.boot_timeout)

    @_public
    def reset(self) -> None:
        """Presses the reset button and waits until the guest answers again. Ends a pause."""
        self.machine.check_process()
        self.machine.reset(self._soc.engine.boot_timeout)

    @_public
    def pause(self) -> None:
        """Freezes all of it. Programs that spawn() started go on after resume()."""
        self.machine.check_process()
        self.machine.qmp("stop")

    @_public
    def resume(self) -> None:
        """Ends a pause."""
        self.machine.check_process()
        self.machine.qmp("cont")

    @_public
    def wait_panic(self, timeout: float = TIMEOUT) -> str:
        """Waits until the guest's kernel panics; returns what it says."""
        def look() -> Optional[str]:
            try:
                self.machine.check()
            except PanicError as err:
                return err.reason
            return None
        return _until(look, timeout, lambda: self._late(f"has not panicked in {timeout:g} s"))

    @_public
    def wait_exit(self, timeout: float = TIMEOUT) -> str:
        """Waits until its QEMU ends; returns why."""
        def look() -> Optional[str]:
            try:
                self.machine.check_process()
            except (ProcessError, StateError) as err:
                return str(err).split("\n", maxsplit=1)[0]
            return None
        return _until(look, timeout, lambda: self._late(f"runs on after {timeout:g} s"))

    def _late(self, what: str) -> WaitTimeout:
        return WaitTimeout(self.name, f"it {what}", self.console())

    # What runs in it

    @_public
    def exec(self, command: Command, timeout: float = TIMEOUT, check: bool = True,
             stdin: Union[bytes, str] = b"") -> Completed:
        """Runs a command to its end; a string is for the guest's shell. It is killed if it takes
        longer. With check, an exit code that is not 0 is a GuestError.
        """
        self.machine.check_awake()
        data = stdin.encode() if isinstance(stdin, str) else stdin
        result = self.machine.run(command, timeout, data, check=check)
        return Completed(_text(command), result.returncode, result.stdout.decode(errors="replace"),
                         result.stderr.decode(errors="replace"))

    @_public
    def spawn(self, command: Command) -> Process:
        """Starts a command and returns at once. It is killed at the end of the test."""
        self.machine.check_awake()
        self.programs.append(Process(self, command))
        return self.programs[-1]

    @_public
    def push(self, source: Union[str, Path, bytes], destination: str,
             mode: Optional[int] = None) -> None:
        """Puts a file, or bytes, into the guest; a file keeps its permissions without mode."""
        self.machine.check_awake()
        if isinstance(source, bytes):
            data, found = source, 0o644
        else:
            try:
                data = Path(source).read_bytes()
                found = stat.S_IMODE(Path(source).stat().st_mode)
            except OSError as err:
                raise ConfigError(f"cannot read {source}: {err.strerror}") from None
        self.machine.push(data, destination, found if mode is None else mode)

    @_public
    def pull(self, source: str, destination: Union[str, Path, None] = None) -> bytes:
        """Gets a file out of the guest; writes it to destination, too."""
        self.machine.check_awake()
        data = self.machine.pull(source)
        if destination is not None:
            try:
                Path(destination).write_bytes(data)
            except OSError as err:
                raise ConfigError(f"cannot write {destination}: {err.strerror}") from None
        return data

    # What it says

    def _console(self) -> str:
        return read_log(self.machine.console_log, LOG_LIMIT)

    def console(self) -> str:
        """What its console has shown since the test began."""
        return self._console()[self._console_start:]

    @_public
    def wait_line(self, pattern: Pattern, timeout: float = TIMEOUT) -> "re.Match[str]":
        """Waits for a line of the console in which the pattern is found. It looks at what came
        since the test began, or behind the line that the last wait_line() found.
        """
        compiled = re.compile(pattern)

        def look() -> Optional["re.Match[str]"]:
            ended = not self.machine.running()
            text = self._console()
            for line in re.finditer(r"([^\n]*)\n", text[self._console_position:]):
                match = compiled.search(line[1])
                if match is not None:
                    self._console_position += line.end()
                    return match
            if ended:
                self.machine.check_process()
            return None
        return _until(look, timeout, lambda: self._late(
            f"has shown no line with /{compiled.pattern}/ on its console in {timeout:g} s"))

    @_public
    def kernel_log(self, timeout: float = 10.0) -> str:
        """The guest's kernel log since the test began, or since the guest started in the test."""
        text = self.exec(["dmesg"], timeout).stdout
        if self.machine.boots() != self._boots:
            return text
        lines = text.splitlines(keepends=True)
        for number, line in enumerate(lines):
            stamp = KERNEL_STAMP.match(line)
            if stamp is not None and float(stamp[1]) > self._last_stamp:
                return "".join(lines[number:])
        return ""

    @_public
    def qmp(self, command: str, **arguments: object) -> Any:
        """One QMP command to its QEMU: vm.qmp("qom-get", path="/machine", property="type")."""
        self.machine.check_process()
        return self.machine.qmp(command, {name.replace("_", "-"): value
                                          for name, value in arguments.items()})

    def transcript(self) -> str:
        """The QMP commands that this process sent since the test began, their answers, and the
        events that came.
        """
        self.machine.events.look()
        entries: list[tuple[float, str]] = []
        for said in list(self.machine.said):
            words = f" {json.dumps(dict(said.arguments))}" if said.arguments else ""
            entries.append((said.seconds, f"-> {said.command}{words}\n"
                            + f"{'':14}<- {said.error or json.dumps(said.answer)}"))
        entries += [(each.seconds, f"** {each.name} {json.dumps(dict(each.data))}")
                    for each in self.machine.events.history]
        return "".join(f"{_clock(when)}  {text}\n" for when, text in sorted(entries)
                       if when >= self._since)

    def qemu_log(self) -> str:
        """What its QEMU has printed since the test began, but for what Soc.log() has of it."""
        text = read_log(self.machine.qemu_log, LOG_LIMIT, self._qemu_start)
        return "".join(line for line in text.splitlines(keepends=True)
                       if not timeline.is_trace(line))

    # Its cables

    def _device(self, device: Optional[str]) -> str:
        return faults.device_of(self.machine, device)

    @_public
    def link_down(self, device: Optional[str] = None) -> None:
        """Pulls the cable of a device: no doorbell passes. Without a name that of hv-ivc; c2c0,
        c2c1, ... are the links to other chips.
        """
        faults.put(self.machine, self._device(device), "link", False)

    @_public
    def link_up(self, device: Optional[str] = None) -> None:
        """Puts the cable back."""
        faults.put(self.machine, self._device(device), "link", True)

    @_public
    def faults(self) -> list[ActiveFault]:
        """Those of its devices that are not over."""
        return [fault for device in faults.devices(self.machine)
                for fault in faults.active(self.machine, device)]

    # For the plug-in and `vsoc wait`

    def rewind(self) -> None:
        """All that its console shows since its last start counts."""
        self._console_start = self._console_position = 0

    def begin(self) -> None:
        """What was on the console and said by QEMU and over QMP so far is not of this test."""
        self._console_start = self._console_position = len(self._console())
        log = self.machine.qemu_log
        self._qemu_start = log.stat().st_size if log.exists() else 0
        self._since = time.time()

    def end(self) -> None:
        """Kills what spawn() started."""
        for each in self.programs:
            try:
                each.kill()
            except VsocError:
                pass
        self.programs.clear()

    def _look_at_clock(self) -> None:
        self._boots = self.machine.boots()
        # Not /proc/uptime: it has hundredths of a second, and a line may be that young.
        log = self.machine.run(["dmesg"], timeout=HEALTH_TIMEOUT, check=True).stdout
        stamps = KERNEL_STAMP.findall(log.decode(errors="replace"))
        self._last_stamp = float(stamps[-1]) if stamps else -1.0

    def heal(self) -> None:
        """Makes it run, without faults, and answer."""
        state = self.state
        if state == "paused":
            self.resume()
        elif state != "running":
            self.machine.kill()
            self.start()
        try:
            self._look_at_clock()
        except GuestError:          # alive, but of no use
            self.machine.kill()
            self.start()
            self._look_at_clock()
        faults.end_all(self.machine)


@dataclass(frozen=True)
class EndStats:
    """One end of a queue as the device of its VM sees it."""

    vm: str
    queue: int                  # at this end; the two of a loopback, and of two chips, differ
    device: str                 # "ivc", "c2c0", ...
    open: bool                  # a program in the guest has it open
    state: str                  # "established", "sync", "ack": this end's word in the channel
    far_state: str              # "open", "gone", "unknown": what this end is told of the other one
    far_generation: int         # how often the other one has gone
    tx_count: int               # frames sent since the channel was established
    rx_count: int               # frames taken
    rings_out: int              # doorbells that the guest rang
    rings_in: int               # doorbells that came in
    interrupts: int             # interrupts that the guest got
    dropped: int = 0            # what faults did: docs/specs/faults.md
    delayed: int = 0
    duplicated: int = 0
    spurious: int = 0
    corrupted: int = 0

    @classmethod
    def of(cls, vm: str, device: str, element: Mapping[str, Any]) -> "EndStats":
        """From an element of the device's property `queues`."""
        own = {"vm": vm, "queue": element["id"], "device": device,
               "state": state_name(element["tx-state"])}
        names = (each.name for each in fields(cls) if each.name not in own)
        return cls(**own, **{name: element[name.replace("_", "-")] for name in names
                             if name.replace("_", "-") in element})


class QueueStats(Mapping[str, EndStats]):
    """Both ends of a queue, by their VMs' names. An end whose VM does not run is missing."""

    def __init__(self, ends: Sequence[EndStats], ours: int = 2) -> None:
        self.ends = tuple(ends)     # of a loopback both are of one VM, and [vm] is the first
        self._ours = ours           # ends that there are with all VMs running

    def __getitem__(self, vm: str) -> EndStats:
        for end in self.ends:
            if end.vm == vm:
                return end
        raise KeyError(f"no running VM '{vm}' has this queue; there are "
                       f"{', '.join(self) or 'none'}")

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(end.vm for end in self.ends))

    def __len__(self) -> int:
        return len(set(end.vm for end in self.ends))

    @property
    def established(self) -> bool:
        """Whether both ends are open and say so. (An untouched channel says so, too: but nobody
        has rung there.) Of a channel to another host our end says what it is told of the other.
        """
        return len(self.ends) == self._ours and all(
            end.open and end.state == "established" and end.rings_out > 0
            and (self._ours == 2 or end.far_state == "open") for end in self.ends)

    def __str__(self) -> str:
        return "\n".join(", ".join(f"{name}={value}" for name, value in vars(end).items())
                         for end in self.ends)


@dataclass(frozen=True)
class _End:
    vm: "Vm"
    device: str
    queue: int


class Queue:
    """A queue between two VMs, a loopback pair, or a channel between two chips.

    What a fault does at which end: `vm` is the VM in whose device it is set, without it each end's.
    direction="out" are the doorbells that this VM rings, and the words and frames that it writes;
    "in" are those that come to it.
    """

    def __init__(self, name: str, ends: Sequence[_End]) -> None:
        self.name = name
        self._ends = tuple(ends)

    def __repr__(self) -> str:
        return f"<Queue {self.name}>"

    @property
    def vms(self) -> list[str]:
        """The VMs that it has ends in; one for a loopback, and where the other is not ours."""
        return list(dict.fromkeys(end.vm.name for end in self._ends))

    @_public
    def stats(self) -> QueueStats:
        """Both ends, now."""
        return QueueStats([EndStats.of(end.vm.name, end.device, faults.element(
            end.vm.machine, end.device, end.queue))
            for end in self._ends if end.vm.machine.running()], len(self._ends))

    @property
    def established(self) -> bool:
        """Whether frames can go through it."""
        return self.stats().established

    @_public
    def wait_established(self, timeout: float = TIMEOUT) -> QueueStats:
        """Waits until frames can go through it."""
        last = QueueStats(())

        def look() -> Optional[QueueStats]:
            nonlocal last
            last = self.stats()
            return last if last.established else None

        def late() -> WaitTimeout:
            shown = "\n".join("    " + line for line in str(last).splitlines())
            return WaitTimeout(self._ends[0].vm.name, f"queue {self.name} is not established after "
                                                      f"{timeout:g} s:\n{shown}")
        return _until(look, timeout, late)

    # Faults

    def _at(self, vm: Optional[str]) -> list[_End]:
        ends = [end for end in self._ends if vm in (None, end.vm.name)]
        if not ends:
            raise ConfigError(f"queue {self.name} has no end in '{vm}'; it has "
                              f"{' and '.join(self.vms)}")
        return ends

    def _inject(self, vm: Optional[str], kind: str, direction: str, **options: Any) -> None:
        ends = self._at(vm)
        for end in ends:
            end.vm.machine.check_process()      # all or none
        for end in ends:
            faults.inject(end.vm.machine, end.device, Fault(end.queue, kind, direction, **options))

    @_public
    def drop_doorbells(self, count: Optional[int] = None, vm: Optional[str] = None,
                       direction: str = "out", ms: Optional[int] = None) -> None:
        """The next `count` doorbells, or those of the next `ms`, or all, are lost."""
        self._inject(vm, "drop", direction, count=count, ms=ms)

    @_public
    def delay_doorbells(self, delay_ms: int, count: Optional[int] = None,
                        vm: Optional[str] = None, direction: str = "out",
                        ms: Optional[int] = None) -> None:
        """They come later by delay_ms."""
        self._inject(vm, "delay", direction, count=count, ms=ms, delay_ms=delay_ms)

    @_public
    def duplicate_doorbells(self, count: Optional[int] = None, vm: Optional[str] = None,
                            direction: str = "out", ms: Optional[int] = None) -> None:
        """They come twice."""
        self._inject(vm, "duplicate", direction, count=count, ms=ms)

    @_public
    def spurious_doorbells(self, count: int = 1, vm: Optional[str] = None,
                           direction: str = "out") -> None:
        """So many come that nobody rang."""
        self._inject(vm, "spurious", direction, count=count)

    @_public
    def corrupt_header(self, word: str, value: int, vm: str, direction: str = "out") -> None:
        """Overwrites "tx-count", "tx-state" or "rx-count", as vm ("out") or its peer ("in") wrote
        it, once and now.
        """
        self._inject(vm, "header", direction, word=word, value=value)

    @_public
    def flip_bytes(self, offset: int, vm: str, count: int = 1, xor: int = 0xff,
                   direction: str = "out") -> None:
        """In the next `count` frames that vm sends ("out") or gets ("in"), the byte at this offset
        is xored.
        """
        self._inject(vm, "frame", direction, count=count, offset=offset, xor=xor)

    @_public
    def faults(self) -> list[ActiveFault]:
        """Those that are not over."""
        return [each for end in self._ends if end.vm.machine.running()
                for each in faults.active(end.vm.machine, end.device) if each.queue == end.queue]

    @_public
    def clear_faults(self) -> None:
        """Ends them."""
        for end in self._ends:
            if end.vm.machine.running():
                faults.clear(end.vm.machine, end.device, end.queue)


class Soc:
    """What a soc.toml describes, at work."""

    def __init__(self, running: engine.Soc) -> None:
        self.engine = running
        self.vms: dict[str, Vm] = {name: Vm(self, machine)
                                   for name, machine in running.machines.items()}
        self.began = time.time()        # the test

    @_public
    def __getitem__(self, vm: str) -> Vm:
        try:
            return self.vms[vm]
        except KeyError:
            raise ConfigError(f"there is no VM '{vm}'; there are {', '.join(self.vms)}") from None

    def __iter__(self) -> Iterator[Vm]:
        return iter(self.vms.values())

    @property
    def name(self) -> str:
        """Of the soc.toml."""
        return str(self.engine.folder.read_json(engine.STATE)["name"])

    @_public
    def queue(self, number: int, chip: Optional[str] = None) -> Queue:
        """The queue of this number; of several SoCs, that of the one called chip."""
        chips = self.engine.chips
        if chip is None and len(chips) == 1:
            [chip] = chips
        if chip is None or chip not in chips:
            raise ConfigError(f"say of which SoC queue {number} is: chip= one of "
                              f"{', '.join(chips)}")
        table = chips[chip].table
        state = self.engine.folder.read_json(engine.STATE)
        vms = {partition: vm for vm, partition in
               partition_names(table, state["partitions"]).items()
               if self.engine.chip_of(vm) is chips[chip]}
        for queue in table["queues"]:
            if queue["id"] == number:
                numbers = (number, number ^ 1) if queue["loopback"] else (number, number)
                return Queue(str(number), [_End(self[vms[peer]], faults.IVC, each)
                                           for peer, each in zip(queue["peers"], numbers)
                                           if peer in vms])
        known = ", ".join(str(each["id"]) for each in table["queues"])
        raise ConfigError(f"the table has no queue {number}; it has {known}")

    @_public
    def channel(self, vm: str, number: int) -> Queue:
        """The channel to another chip that has this device number in this VM. Its far end is
        there, too, if it is of the same soc.toml.
        """
        ends: list[_End] = []
        for link in self.engine.links:
            if link.vm != vm:
                continue
            for each in faults.get(self[vm].machine, link.device, "queues"):
                if each["id"] == number:
                    ends = [_End(self[vm], link.device, number)]
                    ends += [_End(self[far.vm], far.device, each["remote"])
                             for far in self.engine.links if far.link == link.link and far != link]
        if not ends:
            raise ConfigError(f"{vm} has no channel {number} to another chip")
        return Queue(f"{vm}:{number}", ends)

    def log(self) -> list[timeline.Entry]:
        """What has happened since the test began, by time; as `vsoc log` has it."""
        return [entry for entry in timeline.Reader(self.engine.folder).more()
                if entry.time >= self.began]

    @_public
    def clear_faults(self) -> None:
        """Ends all faults and puts all cables back."""
        for vm in self:
            if vm.machine.running():
                faults.end_all(vm.machine)

    # For the plug-in

    def begin(self) -> None:
        """Before a test: all run and answer, without faults."""
        for vm in self:
            vm.heal()
        self.began = time.time()
        for vm in self:
            vm.begin()

    def end(self) -> None:
        """After a test."""
        for vm in self:
            vm.end()
        self.clear_faults()


@contextmanager
def boot(soc_toml: Union[str, Path],
         say: Callable[[str], None] = lambda _: None) -> Iterator[Soc]:
    """Boots a SoC for the block and ends it. Nothing of it outlives this process. To be called in
    the main thread.
    """
    with engine.Soc.new(load(Path(soc_toml)), say) as running:
        yield Soc(running)
