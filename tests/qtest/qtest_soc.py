# SPDX-License-Identifier: MIT
"""A SoC without guests: a table, a real ivshmem-server, and QEMUs driven over their qtest sockets.

What the tests know of the device they know from the specs, not from the sources: the bytes of the
info page, the layout and the registers are written down here a second time, on purpose.
"""

import array
import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SETUP_JSON = Path(os.environ.get("VSOC_SETUP_JSON", CHECKOUT / "build" / "setup.json"))
if not SETUP_JSON.exists():
    pytest.exit(f"{SETUP_JSON} is missing: run scripts/setup first", returncode=2)
SETUP: Dict[str, Any] = json.loads(SETUP_JSON.read_text())
sys.path.insert(0, SETUP["qemu_python"])

from qemu.machine.qtest import QEMUQtestMachine  # noqa: E402  (found by the line above)

PAGE = 0x10000
TIMEOUT = 10.0          # for what takes milliseconds, on a busy machine

# Where the tests put things in the "virt" machine: its first ECAM, its two PCI windows, its RAM.
ECAM = 0x3f000000
DEVICE = 5
CONFIG = ECAM + (DEVICE << 15)
BARS = {0: 0x10000000, 1: 0x10100000, 2: 0x8000000000, 4: 0x9000000000}
RAM = 0x40000000
MESSAGES = RAM + (8 << 20)      # MSI-X messages arrive here, 4 bytes a vector

# docs/specs/hv-ivc.md
ID, VERSION, PARTITION, LINK, NR_QUEUES, INFO, INFO_SIZE, PANIC = range(0, 0x20, 4)
RING, STATUS = 0, 4
UNKNOWN, OPEN, GONE = 0, 1, 2


def wait_for(condition: Callable[[], Any], what: str, timeout: float = TIMEOUT) -> Any:
    """The first true value of condition; an error that says what did not happen."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.002)


@dataclass(frozen=True)
class Queue:
    """An entry of the table."""
    id: int
    peers: Tuple[int, int]
    nframes: int = 4
    frame_size: int = 64
    use_msi: bool = False

    @property
    def loopback(self) -> bool:
        return self.peers[0] == self.peers[1]

    @property
    def size(self) -> int:
        """Bytes of one direction."""
        return 128 + self.nframes * self.frame_size

    @property
    def area_size(self) -> int:
        return (2 * self.size + PAGE - 1) // PAGE * PAGE


@dataclass
class Table:
    """A partition configuration table, and what the specs derive from it."""
    partitions: Dict[str, int]
    queues: List[Queue]
    name: str = "table"
    path: Path = field(default=Path(), compare=False)

    def __post_init__(self) -> None:
        self.queues.sort(key=lambda queue: queue.id)

    def of(self, partition: int) -> List[Queue]:
        """The queues of a partition, by slot."""
        return [queue for queue in self.queues if partition in queue.peers]

    def slot(self, partition: int, queue: int) -> int:
        return [q.id for q in self.of(partition)].index(queue)

    def offsets(self, partition: Optional[int] = None) -> Dict[int, int]:
        """Where each queue's area lies: in a partition's BAR, or in the shared region."""
        result: Dict[int, int] = {}
        at = PAGE if partition is None else 0
        for queue in self.queues if partition is None else self.of(partition):
            if queue.loopback and queue.id % 2 == 1:
                result[queue.id] = result[queue.id - 1]
            else:
                result[queue.id] = at
                at += queue.area_size
        return result

    @property
    def total(self) -> int:
        return PAGE + sum(q.area_size for q in self.queues if not (q.loopback and q.id % 2))

    @property
    def vectors(self) -> int:
        return min(64, 1 + len(self.queues), max(17, 272 // (len(self.partitions) + 1)))

    def info_page(self, partition: int, area_base: int, noti_base: int) -> bytes:
        """The info page that the guest of a partition is to see."""
        own = self.of(partition)
        region = len(own) * PAGE
        page = struct.pack("<4I6Q", len(own), len(own), 0, 0,
                           noti_base, region, PAGE, noti_base, region, PAGE)
        offsets = self.offsets(partition)
        for queue in own:
            peer = queue.peers[1] if queue.peers[0] == partition else queue.peers[0]
            page += struct.pack("<2QI2H", area_base + offsets[queue.id], queue.area_size, peer,
                                0, 0)
        for slot, queue in enumerate(own):
            at = noti_base + slot * PAGE
            page += struct.pack("<7I2H2Q", queue.id, *queue.peers, queue.size, queue.nframes,
                                queue.frame_size, 0, slot, slot,
                                0 if queue.use_msi else at, at if queue.use_msi else 0)
        return page

    def dts(self) -> str:
        """The source of the compiled table."""
        text = ["/dts-v1/;", "/ { compatible = \"vsoc,pct\"; version = <1>;",
                "partitions { #address-cells = <1>; #size-cells = <0>;"]
        for name, number in self.partitions.items():
            text.append(f"partition@{number:x} {{ reg = <{number}>;"
                        f" partition-name = \"{name}\"; }};")
        text.append("}; queues { #address-cells = <1>; #size-cells = <0>;")
        for q in self.queues:
            text.append(f"queue@{q.id:x} {{ reg = <{q.id}>; peers = <{q.peers[0]} {q.peers[1]}>;"
                        f" nframes = <{q.nframes}>; frame-size = <{q.frame_size}>;"
                        f" {'use-msi;' if q.use_msi else ''} }};")
        text.append("}; };")
        return "\n".join(text)

    def write(self, folder: Path) -> "Table":
        """Compiles the table into folder."""
        self.path = folder / f"{self.name}.pct"
        subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", str(self.path), "-"],
                       input=self.dts(), text=True, check=True)
        return self


def bus_table() -> Table:
    """Three partitions: C's queue lies between those of A and B; a loopback pair; odd sizes."""
    return Table({"GID_A": 2, "GID_B": 3, "GID_C": 9, "GID_LONE": 12}, [
        Queue(10, (2, 3), nframes=64, frame_size=1536),
        Queue(11, (9, 2)),
        Queue(12, (3, 2), nframes=7, frame_size=192, use_msi=True),
        Queue(255, (3, 9), nframes=1000, frame_size=64),
        Queue(256, (2, 2)),
        Queue(257, (2, 2)),
        Queue(511, (2, 3), nframes=1, frame_size=64),
    ])


class Server:
    """A real ivshmem-server; nothing of it is left in /dev/shm."""

    def __init__(self, folder: Path, size: int, vectors: int) -> None:
        self.socket = folder / "server.sock"
        # Not with "with": it lives as long as this object says.
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [*MORTAL, SETUP["ivshmem_server"], "-F", "-S", str(self.socket), "-m", str(folder),
             "-l", str(size), "-n", str(vectors)], stdout=subprocess.DEVNULL)
        wait_for(self._listens, "ivshmem-server listens")

    def _listens(self) -> bool:
        # Not by connecting: a client that hangs up during the greeting ends the server.
        if self.process.poll() is not None:
            raise AssertionError(f"ivshmem-server exits with {self.process.returncode}")
        sockets = Path("/proc/net/unix").read_text().splitlines()
        return any(" 00010000 " in line and line.endswith(str(self.socket)) for line in sockets)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        self.socket.unlink(missing_ok=True)


class FakeServer:
    """A socket of ours that sends a QEMU whatever the test wants it to."""

    def __init__(self, path: Path) -> None:
        self.socket = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(4)
        self._listener.settimeout(TIMEOUT)
        self._connections: List[socket.socket] = []
        self._fds: List[int] = []
        self._thread: Optional[threading.Thread] = None

    def accept(self) -> socket.socket:
        connection, _ = self._listener.accept()
        self._connections.append(connection)
        return connection

    def serve(self, script: Callable[[socket.socket], None]) -> None:
        """Runs script with the next connection, in a thread."""
        def run() -> None:
            with contextlib.suppress(OSError):
                script(self.accept())
        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    @staticmethod
    def say(connection: socket.socket, number: int, *fds: int) -> None:
        socket.send_fds(connection, [struct.pack("<q", number)], list(fds))

    def eventfd(self) -> int:
        fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._fds.append(fd)
        return fd

    def memory(self, size: int) -> int:
        fd = os.memfd_create("board")
        os.ftruncate(fd, size)
        self._fds.append(fd)
        return fd

    def greet(self, connection: socket.socket, table: Table, own: int = 0) -> List[int]:
        """Says all that a good server says; returns the eventfds of the QEMU."""
        self.say(connection, 0)
        self.say(connection, own)
        self.say(connection, -1, self.memory(table.total))
        fds = [self.eventfd() for _ in range(table.vectors)]
        for fd in fds:
            self.say(connection, own, fd)
        return fds

    def close(self) -> None:
        self._listener.close()
        for connection in self._connections:
            connection.close()
        if self._thread:
            self._thread.join(TIMEOUT)
        for fd in self._fds:
            os.close(fd)
        self.socket.unlink(missing_ok=True)


# Whatever ends the tests ends what they started.
MORTAL = ("setpriv", "--pdeathsig", "KILL")

MACHINE = ("-machine", "virt,gic-version=3,highmem-ecam=off", "-m", "16", "-nodefaults",
           "-action", "panic=none")


def device_args(server: Path, **properties: Any) -> List[str]:
    """-chardev and -device of a hv-ivc; a property that is None is left out."""
    device = {"chardev": "board", "id": "ivc", "addr": DEVICE, **properties}
    text = ",".join(f"{key}={value}" for key, value in device.items() if value is not None)
    return ["-chardev", f"socket,id=board,path={server}", "-device", f"hv-ivc,{text}"]


class Vm(QEMUQtestMachine):
    """A QEMU with one of our devices and no guest; the test is its guest."""

    def __init__(self, folder: Path, table: Table, partition: int, device: Sequence[str],
                 extra: Sequence[str] = (), name: str = "ivc") -> None:
        """table: the queues that the device shows; name: the id that it is given."""
        self.table = table
        self.partition = partition
        self._device = name
        self._folder = Path(tempfile.mkdtemp(prefix="vm-", dir=folder))
        super().__init__(SETUP["qemu"], wrapper=MORTAL, base_temp_dir=str(self._folder),
                         args=[*SETUP["qemu_args"], *MACHINE, *extra, *device])

    # ---- the machine ----

    def command(self, line: str) -> str:
        """One line of the qtest protocol; its answer without the OK."""
        assert self._qtest is not None
        answer = self._qtest.cmd(line).split(None, 1)
        assert answer and answer[0] == "OK", f"{line}: {answer}"
        return answer[1].strip() if len(answer) > 1 else ""

    def read(self, address: int, size: int = 4) -> int:
        return int(self.command(f"read{' bw l   q'[size]} {address:#x}"), 16)

    def write(self, address: int, value: int, size: int = 4) -> None:
        self.command(f"write{' bw l   q'[size]} {address:#x} {value:#x}")

    def read_bytes(self, address: int, size: int) -> bytes:
        return bytes.fromhex(self.command(f"read {address:#x} {size:#x}")[2:])

    def write_bytes(self, address: int, data: bytes) -> None:
        self.command(f"write {address:#x} {len(data):#x} 0x{data.hex()}")

    def kill_9(self) -> None:
        """Dies as a crash would have it: at once, without a word."""
        self.shutdown(hard=True)

    def quit(self) -> None:
        """Ends in good order."""
        self.shutdown()

    # ---- its PCI ----

    def map_bars(self, bars: Optional[Dict[int, int]] = None) -> None:
        """Puts the BARs somewhere and turns memory and bus mastering on."""
        self.write(CONFIG + 4, 0, 2)
        for bar, base in (bars or BARS).items():
            self.write(CONFIG + 0x10 + 4 * bar, base & 0xffffffff)
            if bar in (2, 4):
                self.write(CONFIG + 0x14 + 4 * bar, base >> 32)
        self.write(CONFIG + 4, 6, 2)

    def msix_capability(self) -> int:
        at = self.read(CONFIG + 0x34, 1)
        while at and self.read(CONFIG + at, 1) != 0x11:
            at = self.read(CONFIG + at + 1, 1)
        assert at, "no MSI-X capability"
        return CONFIG + at

    def enable_msix(self, enable: bool = True) -> None:
        self.write(self.msix_capability() + 2, 0x8000 if enable else 0, 2)

    def boot(self) -> "Vm":
        """As a guest's driver: BARs mapped, each vector sends its own word to its own place."""
        self.map_bars()
        for vector in range(len(self.table.of(self.partition))):
            entry = BARS[1] + 16 * vector
            self.write(entry, MESSAGES + 4 * vector)
            self.write(entry + 4, 0)
            self.write(entry + 8, vector + 1)
            self.write(entry + 12, 0)
        self.enable_msix()
        return self

    # ---- the device ----

    def slot(self, queue: int) -> int:
        return self.table.slot(self.partition, queue)

    def register(self, offset: int) -> int:
        return self.read(BARS[0] + offset)

    def set_open(self, queue: int, is_open: int) -> None:
        self.write(BARS[0] + 0x1000 + 4 * self.slot(queue), is_open)

    def ring(self, queue: int, value: int = 1) -> None:
        self.write(BARS[4] + self.slot(queue) * PAGE + RING, value)

    def status(self, queue: int) -> Tuple[int, int]:
        """State and generation of the far end."""
        word = self.read(BARS[4] + self.slot(queue) * PAGE + STATUS)
        assert word & 0xfc == 0
        return word & 3, word >> 8

    def area(self, queue: int) -> int:
        return BARS[2] + self.table.offsets(self.partition)[queue]

    def take_interrupts(self) -> List[int]:
        """The queues whose MSI-X message has arrived since the last call."""
        own = self.table.of(self.partition)
        words = array.array("I", self.read_bytes(MESSAGES, 4 * len(own)))
        for slot, word in enumerate(words):
            assert word in (0, slot + 1), f"slot {slot} got the message {word}"
            if word:
                self.write(MESSAGES + 4 * slot, 0)
        return [queue.id for queue, word in zip(own, words) if word]

    def expect_interrupt(self, *queues: int) -> None:
        """Exactly these queues interrupt, now."""
        got: List[int] = []

        def all_there() -> bool:
            got.extend(self.take_interrupts())
            return set(queues) <= set(got)
        wait_for(all_there, f"interrupts of {queues} in partition {self.partition}")
        assert sorted(set(got)) == sorted(queues)

    def get(self, name: str) -> Any:
        """A property of the device, over QMP."""
        return self.cmd("qom-get", path=f"/machine/peripheral/{self._device}", property=name)

    def queue(self, queue: int) -> Dict[str, Any]:
        """What QMP tells of a queue."""
        return self.get("queues")[self.slot(queue)]


class Soc:
    """A server and its QEMUs; use as a context manager."""

    def __init__(self, table: Table, size: Optional[int] = None,
                 vectors: Optional[int] = None) -> None:
        # Not pytest's: the path of a socket has to be short.
        self.folder = Path(tempfile.mkdtemp(prefix="vsoc-qtest-"))
        self.vms: List[Vm] = []
        self.fakes: List[FakeServer] = []
        self.server: Optional[Server] = None
        try:
            self.table = table.write(self.folder)
            self.server = Server(self.folder, size or table.total, vectors or table.vectors)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Soc":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def start(self, partition: int, table: Optional[Table] = None,
              server: Optional[Path] = None, extra: Sequence[str] = ()) -> Vm:
        """A QEMU whose BARs are not mapped yet."""
        assert self.server
        table = table or self.table
        vm = Vm(self.folder, table, partition,
                device_args(server or self.server.socket, pct=table.path, partition=partition),
                extra)
        self.vms.append(vm)
        vm.launch()
        return vm

    def boot(self, *partitions: int) -> List[Vm]:
        return [self.start(partition).boot() for partition in partitions]

    def fake_server(self) -> FakeServer:
        fake = FakeServer(self.folder / f"fake{len(self.fakes)}.sock")
        self.fakes.append(fake)
        return fake

    def close(self) -> None:
        for vm in self.vms:
            with contextlib.suppress(Exception):
                vm.shutdown(hard=True)
        for fake in self.fakes:
            fake.close()
        if self.server:
            self.server.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def refusal(arguments: Sequence[str], timeout: float = 30) -> str:
    """What a QEMU says that must not start: one line, without its own name."""
    done = subprocess.run([SETUP["qemu"], *SETUP["qemu_args"], *MACHINE, "-accel", "qtest",
                           "-display", "none", *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 1, f"exit code {done.returncode}: {done.stderr}"
    lines = done.stderr.splitlines()
    assert len(lines) == 1, f"not one line: {done.stderr}"
    # "qemu-system-aarch64: -device hv-ivc,...: what is wrong"
    _, option, message = lines[0].split(": ", 2)
    assert option.startswith(("-device hv-ivc", "-device hv-c2c")), lines[0]
    return message


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process sees nothing of what happens meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
