# SPDX-License-Identifier: MIT
"""One virtual machine of a SoC: its QEMU, its console, its guest agent."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import shlex
import time
from pathlib import Path
from typing import Any, Awaitable, Callable, Coroutine, Mapping, Optional, Sequence, TypeVar, Union

from . import events, reactor, timeline
from .agent import SLOWEST_POLL, Agent, Output, Result
from .channel import Channel, ChannelTimeout, Said
from .console import Watch
from .errors import BootError, BootTimeout, GuestError, PanicError, StateError
from .process import Child, read_log
from .state import Folder

T = TypeVar("T")
# A QMP command and its arguments.
Ask = Callable[[str, Mapping[str, object]], Awaitable[Any]]

# kpti and mitigations cost a quarter of TCG's speed and protect nobody here.
RESET_TIMEOUT = 10.0    # for QEMU to do it
TRANSCRIPT = 1000       # QMP commands and answers that are kept

KERNEL_COMMAND_LINE = "console=ttyAMA0 quiet mitigations=off kpti=off"


def role(vm: str) -> str:
    """What the process of this VM says it is."""
    return f"vm:{vm}"


class Machine:
    """A VM of a SoC that is being started, or was found running."""

    def __init__(self, folder: Folder, name: str, command: Sequence[str],
                 child: Optional[Child] = None) -> None:
        self.name = name
        self.command = list(command)
        self.child = child
        self.ready_after: Optional[float] = None
        self._folder = folder
        self._watch = Watch(self.console_log)
        self.events = events.Events(folder / events.log_name(name))
        self.said: "collections.deque[Said]" = collections.deque(maxlen=TRANSCRIPT)
        self._monitor = Channel(folder, f"{name}.qmp.sock", False, self.check_process,
                                self.said.append)
        self._agent = Agent(name, Channel(folder, f"{name}.agent.sock", True, self.check),
                            self.boots)

    @staticmethod
    def board_arguments(memory_mib: int) -> list[str]:
        """What the board is, but for the devices that the guest finds by itself."""
        return ["-nodefaults", "-no-user-config", "-display", "none",
                "-smp", "1", "-m", f"{memory_mib}M"]

    # A guest that panics goes on, to say on its console what happened.
    PANIC = ("-action", "panic=none")

    @staticmethod
    def qemu_arguments(name: str, memory_mib: int, append: str, trace: bool) -> list[str]:
        """All but the accelerator, the kernel and our device. File names are relative to the
        state folder.
        """
        words = f"{KERNEL_COMMAND_LINE} vsoc.vm={name}{' vsoc.trace' * trace} {append}".rstrip()
        return ["-name", name, *Machine.board_arguments(memory_mib), *Machine.PANIC,
                *timeline.trace_arguments(), "-initrd", f"{name}.initrd", "-append", words,
                "-chardev", f"socket,id=qmp,path={name}.qmp.sock,server=on,wait=off",
                "-mon", "chardev=qmp,mode=control", *events.arguments(name),
                "-chardev", f"socket,id=console,path={name}.console.sock,server=on,wait=off,"
                            f"logfile={name}.console.log,logappend=on",
                "-serial", "chardev:console",
                "-chardev", f"socket,id=agent,path={name}.agent.sock,server=on,wait=off",
                "-device", "virtio-serial-pci",
                "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"]

    # Its files

    @property
    def console_log(self) -> Path:
        """What the guest's console showed since the SoC started."""
        return self._folder / f"{self.name}.console.log"

    @property
    def qemu_log(self) -> Path:
        """What its QEMU printed since the SoC started."""
        return self._folder / f"{self.name}.qemu.log"

    def console(self) -> str:
        """The end of it, since the guest was started or reset last."""
        return read_log(self.console_log, start=self._watch.start)

    # Its life

    def start(self, bound: bool) -> None:
        """Starts QEMU. wait_ready() waits for the guest."""
        self._watch.skip()
        self.events.begin()
        self.ready_after = None
        with events.standard_input() as stdin:
            self.child = Child.start(self._folder, role(self.name), self.qemu_log.name,
                                     self.command, bound, stdin)

    def running(self) -> bool:
        """Whether its QEMU runs."""
        return self.child is not None and self.child.running()

    def check_process(self) -> None:
        """Raises if QEMU has ended."""
        if self.child is None:
            raise StateError(f"{self.name} is not running; `vsoc up` starts it")
        if not self.child.running():
            raise self.child.error(f"{self.name}: QEMU has ended{self.events.why_ended()}",
                                   self.console())

    def check(self) -> None:
        """Raises if QEMU has ended or the guest's kernel has panicked."""
        self.check_process()
        if self.panicked():
            self._watch.let_finish()
            self._watch.look()
            raise PanicError(self.name, self._watch.panic or "the guest has panicked",
                             self.console())

    def panicked(self) -> bool:
        """Whether the guest's kernel has: it says so itself, and on its console. One that panics
        before it has our driver does the latter only.
        """
        self.events.look()
        self._watch.look()
        return self.events.panicked or self._watch.panic is not None

    def boots(self) -> int:
        """Changes when the guest starts anew."""
        self.events.look()
        return self.events.boots

    def state(self) -> str:
        """"running", "paused", "panicked" or "stopped"."""
        if not self.running():
            return "stopped"
        if self.panicked():
            return "panicked"
        return "paused" if self.events.paused else "running"

    def check_awake(self) -> None:
        """Raises if nothing can run in the guest, which will not answer."""
        self.check()
        if self.events.paused:
            raise StateError(f"{self.name} is paused: nothing can run in it until resume(), or "
                             f"`vsoc qmp {self.name} cont`")

    def _check_boot(self) -> None:
        self.check()
        if self._watch.failed is not None:
            raise BootError(self.name, f"its start failed: {self._watch.failed}", self.console())

    async def _wait_ready(self, timeout: float) -> None:
        start = time.monotonic()
        ask = asyncio.create_task(self._agent.channel.execute("guest-ping", timeout=timeout))
        # Its error is of no interest when the guest's is known already.
        ask.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            while not (await asyncio.wait({ask}, timeout=0.1))[0]:
                self._check_boot()
            await ask
        except ChannelTimeout:
            self._check_boot()
            raise BootTimeout(self.name, f"its guest agent does not answer {timeout:g} s after the "
                              "start", self.console()) from None
        finally:
            ask.cancel()
        self._check_boot()
        self.ready_after = time.monotonic() - start

    def start_waiting(self, timeout: float) -> "concurrent.futures.Future[None]":
        """The future ends when the guest answers, or with the reason why it does not."""
        return reactor.start(self._wait_ready(timeout))

    def wait_ready(self, timeout: float) -> None:
        """Returns when the guest answers; raises as soon as it is clear that it will not."""
        reactor.run(self._wait_ready(timeout))

    def kill(self) -> None:
        """Ends QEMU as a crash would."""
        if self.child is not None:
            self.child.kill()
        self.close()

    def close(self, for_good: bool = False) -> None:
        """Hangs up; the machine runs on. for_good: what still uses the machine fails."""
        reactor.run(self._monitor.close(for_good))
        reactor.run(self._agent.channel.close(for_good))

    def reset(self, timeout: float) -> None:
        """Presses the reset button and waits until the guest answers again; ends a pause."""
        reactor.run(self._agent.channel.close())
        reactor.run(self._reset())
        self.wait_ready(timeout)

    async def _reset(self) -> None:
        before = self.boots()
        deadline = time.monotonic() + RESET_TIMEOUT
        await self._monitor.execute("system_reset")
        # Until then the old guest could still answer.
        while self.boots() == before:
            self.check_process()
            if time.monotonic() > deadline:
                raise GuestError(self.name, f"QEMU did not reset it in {RESET_TIMEOUT:g} s")
            await asyncio.sleep(0.01)
        self._watch.skip()
        if self.events.paused:
            await self._monitor.execute("cont")

    # Talking to it

    def qmp(self, command: str, arguments: Optional[Mapping[str, object]] = None) -> Any:
        """One QMP command to its QEMU."""
        return reactor.run(self._monitor.execute(command, arguments or {}))

    def converse(self, talk: "Callable[[Ask], Coroutine[Any, Any, T]]"
                 ) -> "concurrent.futures.Future[T]":
        """Lets talk send QMP commands. Hangs up after that, so that nobody else has to wait."""
        async def work() -> T:
            try:
                return await talk(self._monitor.execute)
            finally:
                await self._monitor.close()
        return reactor.start(work())

    def submit(self, command: Union[str, Sequence[str]], timeout: Optional[float] = None,
               stdin: bytes = b"", output: Optional[Output] = None,
               poll: float = SLOWEST_POLL) -> "concurrent.futures.Future[Result]":
        """Starts a command in the guest; a string is for its shell. Cancelling the future kills
        it.
        """
        words = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        return reactor.start(self._agent.execute(words, timeout, stdin, output, poll))

    def run(self, command: Union[str, Sequence[str]], timeout: Optional[float] = None,
            stdin: bytes = b"", output: Optional[Output] = None, check: bool = False) -> Result:
        """Runs a command in the guest to its end; with check, failure raises."""
        future = self.submit(command, timeout, stdin, output)
        try:
            result = future.result()
        except BaseException:
            reactor.cancel(future)
            raise
        if check and result.returncode != 0:
            text = command if isinstance(command, str) else shlex.join(command)
            raise GuestError(self.name, f"`{text}` ended with {result.returncode}:\n"
                             + (result.stdout + result.stderr).decode(errors="replace"))
        return result

    def push(self, data: bytes, path: str, mode: int) -> None:
        """Puts a file into the guest."""
        reactor.run(self._agent.push(data, path, mode))

    def pull(self, path: str) -> bytes:
        """Gets a file out of the guest."""
        return reactor.run(self._agent.pull(path))
