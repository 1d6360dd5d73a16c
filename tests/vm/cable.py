# SPDX-License-Identifier: MIT
"""Two hosts in one: network namespaces, and between them a cable that a test can cut or disturb.

The cable is this process: it reads IP packets from a TUN device in one namespace and writes them
to that in the other. So it needs no queueing discipline of the kernel's, and what it loses,
delays, repeats or reorders is counted.
"""

import contextlib
import ctypes
import errno
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import Iterator, Optional

ADDRESSES = ("192.0.2.1", "192.0.2.2")      # for documentation, says RFC 5737
DEVICE = "cable"
MTU = 1500

_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_IFNAMSIZ = 16


@dataclass
class Weather:
    """What happens to packets on their way, as probabilities."""

    lost: float = 0.0
    repeated: float = 0.0
    overtaken: float = 0.0      # it comes so much later that others are before it
    delay: float = 0.0          # seconds, for each


CALM = Weather()
CUT = Weather(lost=1.0)


def why_not() -> Optional[str]:
    """Why there can be no cable here, if so."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "there is no /dev/net/tun"
    trial = f"vsoc-{os.getpid()}-trial"
    done = subprocess.run(["ip", "netns", "add", trial], capture_output=True, text=True)
    if done.returncode != 0:
        return f"this host makes no network namespace: {done.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", trial], check=True)
    return None


def _tun(namespace: str) -> int:
    """A new TUN device in a namespace. A thread is in a namespace of its own."""
    opened: list[object] = []

    def work() -> None:
        try:
            with open(f"/run/netns/{namespace}", "rb") as place:
                if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(fd, _TUNSETIFF, struct.pack(f"{_IFNAMSIZ}sH22x", DEVICE.encode(),
                                                    _IFF_TUN | _IFF_NO_PI))
            opened.append(fd)
        except OSError as err:
            opened.append(err)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    [fd] = opened
    if isinstance(fd, OSError):
        raise fd
    assert isinstance(fd, int)
    return fd


class Cable:
    """The namespaces and the cable; use it with `with`."""

    def __init__(self) -> None:
        self.namespaces = tuple(f"vsoc-{os.getpid()}-{end}" for end in "ab")
        self.weather = CALM
        self.counts = dict.fromkeys(("passed", "lost", "repeated", "overtaken"), 0)
        self._stack = contextlib.ExitStack()
        self._random = random.Random(1)
        self._fds: list[int] = []
        self._stop, self._stopped = os.pipe()
        # Packets on their way: when they arrive, in order of departure, at which end.
        self._way: list[tuple[float, int, int, bytes]] = []
        self._departed = 0

    def __enter__(self) -> "Cable":
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, self._stop)
            for name, near, far in zip(self.namespaces, ADDRESSES, reversed(ADDRESSES)):
                self._ip("netns", "add", name)
                stack.callback(self._ip, "netns", "del", name)
                self._fds.append(_tun(name))
                stack.callback(os.close, self._fds[-1])
                self._ip("-n", name, "addr", "add", near, "peer", far, "dev", DEVICE)
                self._ip("-n", name, "link", "set", "lo", "up")
                self._ip("-n", name, "link", "set", DEVICE, "mtu", str(MTU), "up")
            thread = threading.Thread(target=self._carry, name="cable", daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(os.close, self._stopped)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    @staticmethod
    def _ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    def inside(self, end: int) -> list[str]:
        """What, before a command, runs it in the namespace of an end."""
        return ["nsenter", f"--net=/run/netns/{self.namespaces[end]}"]

    def plug(self, end: int, up: bool) -> None:
        """Takes an end's device down, as pulling its cable does, or up."""
        self._ip("-n", self.namespaces[end], "link", "set", DEVICE, "up" if up else "down")

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """For a while no packet arrives, and nobody is told."""
        self.weather = CUT
        try:
            yield
        finally:
            self.weather = CALM

    def _carry(self) -> None:
        while True:
            wait = max(0.0, self._way[0][0] - time.monotonic()) if self._way else None
            ready, _, _ = select.select([self._stop, *self._fds], [], [], wait)
            if self._stop in ready:
                return
            for end, fd in enumerate(self._fds):
                if fd in ready:
                    self._read(fd, 1 - end)
            while self._way and self._way[0][0] <= time.monotonic():
                _, _, end, packet = heapq.heappop(self._way)
                self._write(self._fds[end], packet)

    def _read(self, fd: int, far: int) -> None:
        try:
            packet = os.read(fd, 65536)
        except OSError as err:
            if err.errno not in (errno.EAGAIN, errno.EIO, errno.EBADFD, errno.EFAULT):
                raise
            time.sleep(0.005)       # the device is down
            return
        weather = self.weather
        if self._random.random() < weather.lost:
            self.counts["lost"] += 1
            return
        self.counts["passed"] += 1
        self._depart(weather.delay, far, packet)
        if self._random.random() < weather.repeated:
            self.counts["repeated"] += 1
            self._depart(2 * weather.delay, far, packet)

    def _depart(self, delay: float, far: int, packet: bytes) -> None:
        if self._random.random() < self.weather.overtaken:
            self.counts["overtaken"] += 1
            delay *= 3
        self._departed += 1
        heapq.heappush(self._way, (time.monotonic() + delay, self._departed, far, packet))

    @staticmethod
    def _write(fd: int, packet: bytes) -> None:
        try:
            os.write(fd, packet)
        except OSError as err:
            if err.errno not in (errno.EAGAIN, errno.EIO):      # full, down: it is lost
                raise
