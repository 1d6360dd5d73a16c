# SPDX-License-Identifier: MIT
"""Chips without guests: QEMUs with a hv-c2c, and a scripted far chip.

As in qtest_soc.py, what the tests know they know from docs/specs: the messages of
docs/specs/c2c-link.md are written down here a second time, on purpose.
"""

import contextlib
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

from qtest_soc import BARS, DEVICE, PAGE, STATUS, TIMEOUT, Queue, Table, Vm, wait_for

HELLO, PING, GOODBYE, OPEN, RESET, CLOSE, CREDIT, FRAME = range(1, 9)
ESTABLISHED, SYNC, ACK = range(3)
FAR = 0x100             # + remote device number: peers[1] in the info page
PARTITION = 2


@dataclass(frozen=True)
class Channel:
    """An entry of the .c2c table."""
    device: int
    remote: int
    nframes: int = 4
    frame_size: int = 64
    owner: int = PARTITION

    def far(self) -> "Channel":
        """The same as the other chip has it."""
        return Channel(self.remote, self.device, self.nframes, self.frame_size, self.owner)


def view_of(channels: Sequence[Channel]) -> Table:
    """What the device shows its guest, as a table of queues."""
    return Table({"GID_A": PARTITION}, [
        Queue(each.device, (each.owner, FAR + each.remote), each.nframes, each.frame_size)
        for each in channels])


def write_table(folder: Path, name: str, channels: Sequence[Channel]) -> Path:
    """Compiles a chip's table; it also has a queue, which a table must."""
    text = [f"device@{c.device:x} {{ reg = <{c.device}>; owner = <{c.owner}>;"
            f" remote = <{c.remote}>; nframes = <{c.nframes}>; frame-size = <{c.frame_size}>; }};"
            for c in channels]
    node = "c2c { #address-cells = <1>; #size-cells = <0>;" + "\n".join(text) + "};"
    source = Table({"GID_A": PARTITION, "GID_B": 3}, [Queue(1, (PARTITION, 3))]).dts()
    assert source.endswith("}; };")
    source = source[:-2] + (node if channels else "") + " };"
    path = folder / f"{name}.pct"
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", str(path), "-"],
                   input=source, text=True, check=True)
    return path


def chip_args(link: str, **properties: Any) -> List[str]:
    """-chardev and -device of a hv-c2c; a property that is None is left out."""
    device = {"chardev": "link", "id": "c2c0", "addr": DEVICE, **properties}
    text = ",".join(f"{key}={value}" for key, value in device.items() if value is not None)
    return ["-chardev", f"socket,id=link,{link}", "-device", f"hv-c2c,{text}"]


class Chip(Vm):
    """A QEMU with a hv-c2c; the test is its guest, and plays its rings by the rules."""

    def __init__(self, folder: Path, chardev: str, table: Path, channels: Sequence[Channel],
                 **properties: Any) -> None:
        self.channels = {each.device: each for each in channels}
        super().__init__(folder, view_of(channels), PARTITION,
                         chip_args(chardev, pct=table, partition=PARTITION, **properties),
                         name="c2c0")

    def up(self) -> None:
        wait_for(lambda: self.get("link"), "the link is up")

    def down(self) -> None:
        wait_for(lambda: not self.get("link"), "the link is down")

    # ---- the words of a ring: this end receives in the first direction ----

    def _rx(self, device: int) -> int:
        return self.area(device)

    def _tx(self, device: int) -> int:
        channel = self.channels[device]
        return self.area(device) + 128 + channel.nframes * channel.frame_size

    def set_state(self, device: int, state: int) -> None:
        self.write(self._tx(device) + 4, state)

    def far_state(self, device: int) -> int:
        return self.read(self._rx(device) + 4)

    def set_counts(self, device: int, sent: int, consumed: int) -> None:
        self.write(self._tx(device), sent)
        self.write(self._rx(device) + 64, consumed)

    def sent(self, device: int) -> int:
        """Frames that the device has put into the ring."""
        return self.read(self._rx(device))

    def consumed(self, device: int) -> int:
        """Frames that it has taken out."""
        return self.read(self._tx(device) + 64)

    def open(self, device: int) -> None:
        """Opens the queue, resets, and answers: willing."""
        self.set_open(device, 1)
        self.set_state(device, SYNC)
        self.ring(device)
        self.answer(device)

    def answer(self, device: int) -> None:
        assert self.far_state(device) == SYNC
        self.set_counts(device, 0, 0)
        self.set_state(device, ACK)
        self.ring(device)

    def establish(self, device: int) -> None:
        wait_for(lambda: self.far_state(device) == ESTABLISHED, "the far end agrees")
        self.set_state(device, ESTABLISHED)
        self.ring(device)

    def send(self, device: int, number: int, *frames: bytes) -> None:
        """Puts frames into the ring, of which the first is the number-th, and rings."""
        channel = self.channels[device]
        for frame in frames:
            at = self._tx(device) + 128 + number % channel.nframes * channel.frame_size
            self.write_bytes(at, frame.ljust(channel.frame_size, b"\0"))
            number += 1
        self.write(self._tx(device), number)
        self.ring(device)

    def received(self, device: int, number: int) -> bytes:
        """The number-th frame that came, with its zeros."""
        channel = self.channels[device]
        return self.read_bytes(
            self._rx(device) + 128 + number % channel.nframes * channel.frame_size,
            channel.frame_size)

    def consume(self, device: int, count: int) -> None:
        self.write(self._rx(device) + 64, count)
        self.ring(device)

    def far(self, device: int) -> Tuple[int, int, int]:
        """STATUS: state, error bits, generation."""
        word = self.read(BARS[4] + self.slot(device) * PAGE + STATUS)
        return word & 3, word >> 4 & 15, word >> 8


class Message(NamedTuple):
    """One that came."""
    type: int
    device: int
    sequence: int
    count: int
    session: int
    payload: bytes


class Peer:
    """The far chip, as the test wants it: either end of the socket."""

    def __init__(self, connection: socket.socket, channels: Sequence[Channel]) -> None:
        self.channels = [each.far() for each in channels]
        self._socket = connection
        self._socket.settimeout(TIMEOUT)
        self._next_out = 0
        self._next_in = 0

    def close(self) -> None:
        self._socket.close()

    def send_bytes(self, data: bytes) -> None:
        self._socket.sendall(data)

    def message(self, kind: int, device: int = 0, session: int = 0, payload: bytes = b"",
                count: int = 0) -> bytes:
        """The bytes of the next message."""
        self._next_out += 1
        return struct.pack("<IHHIIQ", len(payload), kind, device, self._next_out - 1, count,
                           session) + payload

    def say(self, kind: int, device: int = 0, session: int = 0, payload: bytes = b"",
            count: int = 0) -> None:
        self.send_bytes(self.message(kind, device, session, payload, count))

    def hello_payload(self, channels: Optional[Sequence[Channel]] = None, version: int = 1,
                      magic: bytes = b"vsoc-c2c") -> bytes:
        own = sorted(self.channels if channels is None else channels, key=lambda c: c.device)
        return magic + struct.pack("<HHI", version, len(own), 0) + b"".join(
            struct.pack("<4I", c.device, c.remote, c.nframes, c.frame_size) for c in own)

    def hello(self) -> None:
        self.say(HELLO, payload=self.hello_payload())

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                raise EOFError(f"hung up after {len(data)} of {size} bytes")
            data += more
        return data

    def hear(self, pings: bool = False) -> Message:
        """The next message but PING."""
        while True:
            length, kind, device, sequence, count, session = struct.unpack(
                "<IHHIIQ", self._exactly(24))
            assert sequence == self._next_in
            self._next_in += 1
            message = Message(kind, device, sequence, count, session, self._exactly(length))
            if pings or kind != PING:
                return message

    def expect(self, kind: int, device: int = 0, session: int = 0, count: int = 0) -> Message:
        message = self.hear()
        assert (message.type, message.device, message.session, message.count) == \
            (kind, device, session, count)
        return message

    def expect_silence(self, seconds: float = 0.2) -> None:
        """Nothing but PING comes, and the connection stands."""
        self._socket.settimeout(seconds)
        try:
            raise AssertionError(f"came: {self.hear()}")
        except socket.timeout:
            pass
        finally:
            self._socket.settimeout(TIMEOUT)

    def expect_end(self) -> None:
        with contextlib.suppress(ConnectionResetError):
            assert self._socket.recv(1) == b""

    def goodbye(self) -> str:
        """The text of the GOODBYE that comes, after which the device hangs up."""
        message = self.hear()
        while message.type != GOODBYE:
            message = self.hear()
        self.expect_end()
        return message.payload.decode()


class Chips:
    """Chips, and what is between them; use as a context manager."""

    def __init__(self) -> None:
        # Not pytest's: the path of a socket has to be short.
        self.folder = Path(tempfile.mkdtemp(prefix="vsoc-qtest-"))
        self._chips: List[Chip] = []
        self._peers: List[Peer] = []
        self._files = 0

    def __enter__(self) -> "Chips":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def path(self) -> Path:
        self._files += 1
        return self.folder / f"link{self._files}.sock"

    def start(self, chardev: str, channels: Sequence[Channel], **properties: Any) -> Chip:
        self._files += 1
        table = write_table(self.folder, f"table{self._files}", channels)
        own = [c for c in channels if c.owner == PARTITION]
        if "devices" in properties:
            own = [c for c in own if str(c.device) in properties["devices"].split("/")]
        chip = Chip(self.folder, chardev, table, own, **properties)
        self._chips.append(chip)
        chip.launch()
        chip.boot()
        return chip

    def listening(self, path: Path, channels: Sequence[Channel], **properties: Any) -> Chip:
        return self.start(f"path={path},server=on,wait=off", channels, **properties)

    def connecting(self, path: Path, channels: Sequence[Channel], **properties: Any) -> Chip:
        return self.start(f"path={path},reconnect-ms=20", channels, **properties)

    def peer(self, path: Path, channels: Sequence[Channel], hello: bool = True) -> Peer:
        """Connects to a chip that listens."""
        connection = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                connection.connect(str(path))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                assert time.monotonic() < end
                time.sleep(0.01)
        peer = Peer(connection, channels)
        self._peers.append(peer)
        if hello:
            peer.hello()
            assert peer.hear().type == HELLO
        return peer

    def single(self, *channels: Channel, **properties: Any) -> Tuple[Chip, Peer, Path]:
        """A chip, and a peer of it that has said HELLO."""
        path = self.path()
        chip = self.listening(path, channels, **properties)
        peer = self.peer(path, channels)
        chip.up()
        return chip, peer, path

    def pair(self, *channels: Channel, **properties: Any) -> Tuple[Chip, Chip]:
        """Two chips with a link between them that is up."""
        path = self.path()
        chips = (self.listening(path, channels, **properties),
                 self.connecting(path, [c.far() for c in channels], **properties))
        for chip in chips:
            chip.up()
        return chips

    def close(self) -> None:
        for peer in self._peers:
            peer.close()
        for chip in self._chips:
            with contextlib.suppress(Exception):
                chip.shutdown(hard=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def resident(chip: Chip) -> int:
    """Bytes of memory that a QEMU uses."""
    pid = chip.get_pid()
    assert pid
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
