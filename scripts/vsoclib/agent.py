# SPDX-License-Identifier: MIT
"""The guest agent: runs commands in a guest and puts files into it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shlex
from dataclasses import dataclass
from typing import Any, AsyncIterator, Callable, Optional, Sequence

from .channel import Channel, ChannelClosed, ChannelRefused, ChannelTimeout
from .errors import AgentError, ExecTimeout, GuestReset, VsocError

# Bytes of a file in one message. qemu.qmp takes answers up to 10 MB, and these are in base64.
CHUNK = 512 * 1024
FIRST_POLL = 0.01
SLOWEST_POLL = 0.15
SIGNAL_EXIT = 128       # a command killed by signal n counts as this + n, as in a shell

# The output goes to files without a name that the agent has open, too: so it can be read while
# the command runs, whatever its size and content, and nothing is left however it ends. setsid:
# the command and its children can be killed together.
_WRAPPER = 'exec >>"$1" 2>>"$2"; rm -f "$1" "$2"; shift 2; exec setsid "$@"'


@dataclass(frozen=True)
class Result:
    """How a command in a guest ended."""

    returncode: int         # as in a shell: 128 + n if signal n ended it
    stdout: bytes
    stderr: bytes


Output = Callable[[bool, bytes], None]
"""Gets output as it comes: (is it stderr?, bytes)."""


class Agent:
    """The guest agent of one VM. All methods run on the reactor's loop."""

    def __init__(self, vm: str, channel: Channel, boots: Callable[[], int]) -> None:
        """boots() changes when the guest starts anew."""
        self.vm = vm
        self.channel = channel
        self._boots = boots
        self._count = 0

    async def command(self, name: str, timeout: float = 60.0, boot: Optional[int] = None,
                      **arguments: object) -> Any:
        """One command of the agent's protocol (guest-...). Not sent if the guest has started
        since boot: its numbers of processes and files would mean others by now.
        """
        def same() -> None:
            if boot is not None and self._boots() != boot:
                raise GuestReset(self.vm, "the guest was reset")

        try:
            answer = await self.channel.execute(name, arguments, timeout, same)
        except (ChannelClosed, ChannelRefused, ChannelTimeout) as err:
            same()
            raise AgentError(self.vm, f"guest agent: {err}") from err
        # A request that was on its way reaches the new guest's agent.
        same()
        return answer

    @contextlib.asynccontextmanager
    async def _file(self, path: str, mode: str, boot: int) -> AsyncIterator[int]:
        handle = await self.command("guest-file-open", path=path, mode=mode, boot=boot)
        try:
            yield handle
        finally:
            with contextlib.suppress(VsocError):
                await self.command("guest-file-close", handle=handle, timeout=5.0, boot=boot)

    async def _drain(self, handle: int, boot: int, sink: Callable[[bytes], None]) -> None:
        while True:
            answer = await self.command("guest-file-read", handle=handle, count=CHUNK, boot=boot)
            if answer["count"]:
                sink(base64.b64decode(answer["buf-b64"]))
            if answer["count"] < CHUNK:
                return

    async def execute(self, command: Sequence[str], timeout: Optional[float] = None,
                      stdin: bytes = b"", output: Optional[Output] = None,
                      poll: float = SLOWEST_POLL) -> Result:
        """Runs a command to its end. With output, what it prints goes there instead of into the
        result, at most poll seconds late.
        """
        stdout, stderr = bytearray(), bytearray()
        self._count += 1
        base = f"/tmp/.vsoc-{os.getpid()}-{self._count}"
        names = [f"{base}.out", f"{base}.err"]

        def sink_out(data: bytes) -> None:
            if output is not None:
                output(False, data)
            else:
                stdout.extend(data)

        def sink_err(data: bytes) -> None:
            if output is not None:
                output(True, data)
            else:
                stderr.extend(data)

        boot = self._boots()
        async with self._file(names[0], "w+", boot) as out, \
                self._file(names[1], "w+", boot) as err:
            request: dict[str, Any] = {"path": "/bin/sh",
                                       "arg": ["-c", _WRAPPER, "sh", *names, *command]}
            if stdin:
                request["input-data"] = base64.b64encode(stdin).decode()
            pid = (await self.command("guest-exec", boot=boot, **request))["pid"]

            async def finish() -> dict[str, Any]:
                pause = FIRST_POLL
                while True:
                    status: dict[str, Any] = await self.command("guest-exec-status", pid=pid,
                                                                boot=boot)
                    await self._drain(out, boot, sink_out)
                    await self._drain(err, boot, sink_err)
                    if status["exited"]:
                        return status
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, poll)
            try:
                status = await asyncio.wait_for(finish(), timeout)
            except GuestReset:
                raise GuestReset(self.vm, f"the guest was reset while `{shlex.join(command)}` "
                                          "ran in it") from None
            except BaseException as stop:   # time is up, we are to end, nobody reads the output
                if not isinstance(stop, VsocError):
                    await self._kill(pid, boot)
                if isinstance(stop, asyncio.TimeoutError):
                    raise ExecTimeout(self.vm, f"`{shlex.join(command)}` did not end in "
                                               f"{timeout:g} s and was killed") from None
                raise
        code = SIGNAL_EXIT + status["signal"] if "signal" in status else status.get("exitcode", 0)
        return Result(code, bytes(stdout), bytes(stderr))

    async def _kill(self, pid: int, boot: int) -> None:
        """Kills a command and its children; the shell of an earlier moment if setsid was not
        reached.
        """
        script = 'kill -9 -"$1" 2>/dev/null || kill -9 "$1"'
        with contextlib.suppress(VsocError):
            await self.command("guest-exec", timeout=5.0, boot=boot, path="/bin/sh",
                               arg=["-c", script, "sh", str(pid)])
            await self.command("guest-exec-status", timeout=5.0, boot=boot, pid=pid)

    async def push(self, data: bytes, path: str, mode: int) -> None:
        """Puts a file into the guest. It has its name only when all of it is there."""
        temporary = f"{path}.vsoc-new"
        boot = self._boots()
        async with self._file(temporary, "w", boot) as handle:
            for start in range(0, len(data), CHUNK):
                chunk = data[start:start + CHUNK]
                content: dict[str, Any] = {"buf-b64": base64.b64encode(chunk).decode()}
                answer = await self.command("guest-file-write", handle=handle, boot=boot,
                                            **content)
                if answer["count"] != len(chunk):
                    raise AgentError(self.vm, f"{path}: only {start + answer['count']} of "
                                              f"{len(data)} bytes could be written: is its "
                                              "memory full?")
        script = 'chmod "$2" "$1" && stat -c %s "$1" && mv -f "$1" "$3"'
        result = await self.execute(["/bin/sh", "-c", script, "sh", temporary, f"{mode:o}", path],
                                    timeout=60.0)
        size = result.stdout.decode(errors="replace").strip()
        if result.returncode != 0 or size != str(len(data)):
            text = result.stderr.decode(errors="replace").strip()
            raise AgentError(self.vm, f"{path}: {size or 'no'} bytes arrived of {len(data)}. "
                                      f"{text}")

    async def pull(self, path: str) -> bytes:
        """Gets a file out of the guest."""
        content = bytearray()
        boot = self._boots()
        async with self._file(path, "r", boot) as handle:
            await self._drain(handle, boot, content.extend)
        return bytes(content)
