# SPDX-License-Identifier: MIT
"""A socket that speaks QMP (QEMU's monitor, or the guest agent behind it), shared by several vsoc
processes.

QEMU serves one client of such a socket at a time; a second one would hang. So the client holds a
file lock, and one who waits for it shows that with a second lock, `want`: the holder then leaves
between two commands and queues up again.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Coroutine, Mapping, Optional

from .errors import VsocError
from .state import Folder

if TYPE_CHECKING:
    from qemu.qmp import QMPClient

POLL = 0.01             # seconds between two attempts at a lock or a socket that is not there yet
WATCH = 0.1             # seconds between two looks whether the guest is still alive
END_SEEN = 1.0          # seconds in which a process that hung up is seen to have ended
COURTESY = 0.05         # seconds between two looks for one who waits
LOCK_TIMEOUT = 180.0    # for another vsoc to leave; one that boots the guest may take long
SYNC_TIMEOUT = 5.0      # for the agent to answer; a damaged request before ours makes it silent

# Its errors are exceptions, too; as a log they would tell of each attempt to connect.
logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())
logging.getLogger("qemu.qmp").propagate = False


def use_qemu_python(folder: Path) -> None:
    """Makes QEMU's own Python packages importable."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


class ChannelClosed(VsocError):
    """The far end hung up: QEMU has ended."""


class ChannelTimeout(VsocError):
    """No answer in time."""


class ChannelRefused(VsocError):
    """The far end answered with an error."""


@dataclass(frozen=True)
class Said:
    """A command that was sent, and what came of it."""

    seconds: float                  # since 1970, when it was sent
    command: str
    arguments: Mapping[str, object]
    answer: object                  # None while there is none, and if there is nothing to say
    error: str = ""


class _Lock:
    """flock(2) on a file of the state folder, for coroutines."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self._name = name
        self._fd = -1

    def attempt(self) -> bool:
        fd = os.open(self._name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600,
                     dir_fd=self._folder.fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._fd = fd
        return True

    async def acquire(self, alive: Callable[[], None]) -> None:
        deadline = asyncio.get_running_loop().time() + LOCK_TIMEOUT
        while not self.attempt():
            alive()
            if asyncio.get_running_loop().time() > deadline:
                raise ChannelTimeout(f"another vsoc keeps {self._name} for {LOCK_TIMEOUT:g} s: "
                                     "is there one that was stopped with Ctrl-Z?")
            await asyncio.sleep(POLL)

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Channel:
    """Commands over one such socket. All methods run on the reactor's loop."""

    def __init__(self, folder: Folder, name: str, agent: bool, alive: Callable[[], None],
                 record: Optional[Callable[[Said], None]] = None) -> None:
        """alive() raises if the process at the far end has ended. record() gets all commands and
        their answers.
        """
        self._folder = folder
        self._name = name
        self._agent = agent
        self._alive = alive
        self._record = record
        self._closed = False
        self._mutex = asyncio.Lock()
        self._lock = _Lock(folder, f"{name}.lock")
        self._want = _Lock(folder, f"{name}.want")
        self._client: Optional[QMPClient] = None
        self._courtesy: Optional[asyncio.Task[None]] = None

    async def execute(self, command: str, arguments: Optional[Mapping[str, object]] = None,
                      timeout: float = 30.0,
                      before: Optional[Callable[[], None]] = None) -> Any:
        """Runs one command and returns its result. before() is called when the far end can get
        it, and may raise.
        """
        async with self._mutex:
            start = time.time()
            try:
                client = await self._connected(timeout)
                if before is not None:
                    before()
                start = time.time()
                answer = await self._ask(client, command, arguments, timeout)
            except VsocError as err:
                self._keep(Said(start, command, arguments or {}, None, str(err)))
                raise
            self._keep(Said(start, command, arguments or {}, answer))
            return answer

    def _keep(self, said: Said) -> None:
        if self._record is not None:
            self._record(said)

    async def close(self, for_good: bool = False) -> None:
        """Hangs up, and lets others in. The next command connects anew, or fails if for_good."""
        self._closed = self._closed or for_good
        async with self._mutex:
            await self._disconnect()

    async def _watched(self, work: Coroutine[Any, Any, object], timeout: float) -> object:
        """Waits for an answer, but not for that of a dead guest."""
        task = asyncio.create_task(work)
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            while True:
                left = deadline - asyncio.get_running_loop().time()
                done, _ = await asyncio.wait({task}, timeout=max(0.0, min(WATCH, left)))
                if done:
                    return task.result()
                self._alive()
                if left <= 0:
                    raise asyncio.TimeoutError
        finally:
            task.cancel()

    async def _see_end(self) -> None:
        """A QEMU that ends closes its sockets a moment before anybody can see that it has ended,
        and its end is what is to be told.
        """
        deadline = asyncio.get_running_loop().time() + END_SEEN
        while True:
            self._alive()
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(POLL)

    async def _ask(self, client: "QMPClient", command: str,
                   arguments: Optional[Mapping[str, object]], timeout: float) -> Any:
        from qemu.qmp import QMPError
        from qemu.qmp.qmp_client import ExecuteError

        try:
            return await self._watched(client.execute(command, arguments), timeout)
        except ExecuteError as err:
            raise ChannelRefused(f"{command}: {err}") from err
        except asyncio.TimeoutError:
            # The answer may still come; who asks next must not get it.
            await self._disconnect()
            raise ChannelTimeout(f"{command}: no answer for {timeout:g} s") from None
        except (QMPError, OSError, EOFError) as err:
            await self._disconnect()
            await self._see_end()
            raise ChannelClosed(f"{command}: the connection broke: {err}") from err
        except BaseException:       # cancelled, or the guest is dead
            await self._disconnect()
            raise

    async def _connected(self, timeout: float) -> "QMPClient":
        """Takes the lock and connects, if that is still to be done."""
        from qemu.qmp import QMPClient
        from qemu.qmp.protocol import ConnectError, Runstate

        if self._client is not None:
            if self._client.runstate == Runstate.RUNNING:
                return self._client
            await self._disconnect()
        if self._closed:
            raise ChannelClosed(f"{self._name} was closed")
        await self._want.acquire(self._alive)
        try:
            await self._lock.acquire(self._alive)
        finally:
            self._want.release()
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            while True:
                self._alive()
                client = QMPClient(self._name)
                client.logger = logging.getLogger("qemu.qmp.vsoc")
                client.await_greeting = client.negotiate = not self._agent
                try:
                    await client.connect(self._folder.socket(self._name))
                except ConnectError as err:
                    if asyncio.get_running_loop().time() > deadline:
                        raise ChannelTimeout(f"{self._name}: cannot connect: {err}") from err
                    await asyncio.sleep(POLL)
                    continue
                self._client = client
                if not self._agent or await self._synchronised(client, deadline):
                    break
                await self._hang_up()
            self._courtesy = asyncio.create_task(self._be_courteous())
            return client
        except BaseException:
            await self._disconnect()
            raise

    async def _synchronised(self, client: "QMPClient", deadline: float) -> bool:
        """Reads away the answers to a client before us. False: connect again and retry."""
        from qemu.qmp import QMPError
        from qemu.qmp.qmp_client import ExecuteError

        now = asyncio.get_running_loop().time
        while True:
            token = random.getrandbits(48)
            try:
                # The answer to the first one may take until the guest is up. Later ones are quick.
                answer = await self._watched(client.execute("guest-sync", {"id": token}),
                                             max(0.1, min(deadline - now(), SYNC_TIMEOUT)))
            except ExecuteError:
                continue
            except asyncio.TimeoutError:    # which is an OSError
                if now() > deadline:
                    raise ChannelTimeout("the guest agent does not answer") from None
                return False
            except (QMPError, OSError, EOFError):
                self._alive()
                return False
            if answer == token:
                return True

    async def _be_courteous(self) -> None:
        while True:
            await asyncio.sleep(COURTESY)
            if self._want.attempt():
                self._want.release()
                continue
            async with self._mutex:
                self._courtesy = None
                await self._disconnect()
            return

    async def _hang_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            try:
                await client.disconnect()
            except Exception as err:    # the connection is of no use any more, whatever it says
                logging.getLogger("vsoc").debug("%s: disconnect: %s", self._name, err)

    async def _disconnect(self) -> None:
        if self._courtesy is not None:
            self._courtesy.cancel()
            self._courtesy = None
        try:
            await self._hang_up()
        finally:
            self._lock.release()
