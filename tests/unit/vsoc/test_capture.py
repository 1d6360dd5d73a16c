# SPDX-License-Identifier: MIT
"""ivc-capture on memory that we write ourselves, and what tshark sees of it with our dissector."""

import json
import mmap
import os
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from vsoc_samples import CHECKOUT
from vsoclib import pct
from vsoclib.capture import find_memory
from vsoclib.errors import StateError
from vsoclib.process import Process

PROGRAM = CHECKOUT / "build/sdk/host/bin/ivc-capture"
DISSECTOR = CHECKOUT / "scripts/wireshark/vsoc.lua"
# From 4.4 on (Debian 13) root's tshark runs no Lua script, and does not say so. The files are root's.
NOT_ROOT = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
            "--inh-caps", "+dac_override", "--ambient-caps", "+dac_override")
HEADER = 128
STATUS = 0x1100

TABLE = """
.ivc = { .queue = {
    [10] = { .peers = {GID_A, GID_A}, .nframes = 4, .frame_size = 64 },
    [11] = { .peers = {GID_A, GID_A}, .nframes = 4, .frame_size = 64 },
    [255] = { .peers = {GID_A, GID_B}, .nframes = 8, .frame_size = 128 },
    [300] = { .peers = {GID_B, GID_A}, .nframes = 3, .frame_size = 64 },
} },
"""


class Memory:
    """A SoC's shared memory in a file, and its ends."""

    def __init__(self, folder: Path, table: Path, layout: "dict[str, Any]") -> None:
        self.table = table
        self.layout = layout
        self.path = folder / "memory"
        self.path.write_bytes(bytes(self.layout["total"]))
        self._file = open(self.path, "r+b")
        self.bytes = mmap.mmap(self._file.fileno(), 0)
        self.put(0, int(self.layout["digest"], 16), "<Q")

    def close(self) -> None:
        self.bytes.close()
        self._file.close()

    def put(self, offset: int, value: int, form: str = "<I") -> None:
        struct.pack_into(form, self.bytes, offset, value)

    def queue(self, number: int) -> dict[str, Any]:
        [queue] = [each for each in self.layout["queues"] if each["id"] == number]
        return dict(queue)

    def direction(self, number: int, end: int) -> int:
        """Where the direction begins in which this end sends: end 0 receives in the first."""
        queue = self.queue(number)
        return int(queue["area"] + queue["offset"] + (0 if end == 1 else queue["size"]))

    def send(self, number: int, end: int, count: int, data: bytes) -> None:
        queue = self.queue(number)
        start = self.direction(number, end)
        place = start + HEADER + count % queue["nframes"] * queue["frame_size"]
        self.bytes[place:place + len(data)] = data
        self.put(start, count + 1)

    def state(self, number: int, end: int, state: int) -> None:
        self.put(self.direction(number, end) + 4, state)

    def status(self, number: int, end: int, status: int) -> None:
        index = self.layout["queues"].index(self.queue(number))
        self.put(STATUS + 8 * index + 4 * end, status)


@pytest.fixture(scope="module")
def program() -> Path:
    assert PROGRAM.exists(), f"{PROGRAM} is missing: scripts/setup makes it"
    return PROGRAM


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> "tuple[Path, dict[str, Any]]":
    """Compiled, and with its layout."""
    folder = tmp_path_factory.mktemp("table")
    (folder / "platform_config.h").write_text(TABLE)
    (folder / "server-partitions.mk").write_text("GID_A := 2\nGID_B := 5\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VSOC_CACHE", str(folder / "cache"))
        pct.compile_table(folder / "platform_config.h", folder / "table.pct")
        return folder / "table.pct", pct.dump(folder / "table.pct")


@pytest.fixture
def memory(tmp_path: Path, table: "tuple[Path, dict[str, Any]]") -> Iterator[Memory]:
    made = Memory(tmp_path, *table)
    yield made
    made.close()


def capture(program: Path, memory: Memory, *words: object, check: bool = True,
            milliseconds: int = 100) -> "subprocess.CompletedProcess[bytes]":
    output = memory.path.parent / "out.pcapng"
    done = subprocess.run([program, "-m", memory.path, "-t", memory.table, "-o", output,
                           "-d", str(milliseconds), *map(str, words)], capture_output=True,
                          timeout=60)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def dissect(memory: Memory, only: str = "", layers: "tuple[str, ...]" = ("vsoc",)
            ) -> "list[dict[str, Any]]":
    """The fields that tshark sees of each packet."""
    tshark = shutil.which("tshark")
    assert tshark, "tshark is missing; scripts/setup installs it"
    command = [*(NOT_ROOT if os.geteuid() == 0 else ()), tshark, "-X", f"lua_script:{DISSECTOR}",
               "-r", str(memory.path.parent / "out.pcapng"), "-T", "json", "--no-duplicate-keys"]
    command += ["-Y", only] if only else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "Lua" not in done.stderr, done.stderr
    return [each["_source"]["layers"] for each in json.loads(done.stdout)]


def test_frames_both_ways(program: Path, memory: Memory) -> None:
    memory.send(255, 0, 0, b"from A" * 20)
    memory.send(255, 1, 0, b"from B")
    memory.send(255, 1, 1, b"B again")
    before = memory.path.read_bytes()
    capture(program, memory, "-q", 255)
    assert memory.path.read_bytes() == before
    frames = dissect(memory, "vsoc.kind == 0")
    seen = [(one["vsoc"]["vsoc.direction"], one["vsoc"]["vsoc.sequence"],
             bytes.fromhex(one["vsoc.payload"].replace(":", "")).rstrip(b"\0")) for one in frames]
    assert seen == [("0", "0", b"from A" * 20), ("1", "0", b"from B"), ("1", "1", b"B again")]
    first = frames[0]["vsoc"]
    assert (first["vsoc.queue"], first["vsoc.frame_size"]) == ("255", "128")
    assert (first["vsoc.end0.partition"], first["vsoc.end1.partition"]) == ("2", "5")
    assert (first["vsoc.tx_count"], first["vsoc.rx_count"], first["vsoc.depth"]) == ("1", "0", "1")
    assert frames[0]["frame"]["frame.interface_id_tree"]["frame.interface_name"] == "queue 255"
    assert frames[0]["frame"]["frame.len"] == str(48 + 128)


def test_the_order_of_peers_decides_who_is_end_0(program: Path, memory: Memory) -> None:
    memory.send(300, 0, 0, b"from B")
    capture(program, memory, "-q", 300)
    [one] = dissect(memory, "vsoc.kind == 0")
    assert (one["vsoc"]["vsoc.end0.partition"], one["vsoc"]["vsoc.direction"]) == ("5", "0")


@pytest.mark.parametrize("number", [10, 11])
def test_a_loopback_is_one_channel(program: Path, memory: Memory, number: int) -> None:
    memory.send(10, 0, 0, b"from 10")
    memory.send(10, 1, 0, b"from 11")
    memory.status(10, 0, 1)
    memory.status(11, 0, 0x202)
    capture(program, memory, "-q", number)
    state, *frames = dissect(memory)
    assert [one["vsoc"]["vsoc.queue"] for one in frames] == ["10", "10"]
    assert [one["vsoc"]["vsoc.direction"] for one in frames] == ["0", "1"]
    words = state["vsoc"]
    assert (words["vsoc.end0.status"], words["vsoc.end1.status"]) == ("1", "2")
    assert words["vsoc.end1.left"] == "2"


def test_states_losses_and_resets_as_they_come(program: Path, memory: Memory) -> None:
    output = memory.path.parent / "out.pcapng"
    with subprocess.Popen([program, "-m", memory.path, "-t", memory.table, "-o", output, "-q",
                           "255"], stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None and "capturing 1 channels" in run.stderr.readline()
        time.sleep(0.1)
        memory.state(255, 0, 1)
        memory.status(255, 1, 1)
        time.sleep(0.1)
        start = memory.direction(255, 0)
        memory.put(start + 64, 20)      # all consumed, and then:
        memory.put(start, 20)           # 20 frames at once through 8 places
        time.sleep(0.1)
        memory.put(start + 64, 0)
        memory.put(start, 0)
        memory.state(255, 0, 0)
        time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        said = run.stderr.read()
        assert run.wait(10) == 0
    assert "GID_A -> GID_B: 7 frames, 13 lost" in said and "out.pcapng: 7 frames" in said
    packets = dissect(memory)
    kinds = [one["vsoc"]["vsoc.kind"] for one in packets]
    assert kinds[0] == "1" and kinds.count("0") == 7 and kinds.count("2") == 1
    [loss] = dissect(memory, "vsoc.expert.loss")
    assert (loss["vsoc"]["vsoc.sequence"], loss["vsoc"]["vsoc.lost"]) == ("0", "13")
    [sync] = dissect(memory, "vsoc.flags.state0 == 1 && vsoc.end0.state == 1")
    assert sync["vsoc"]["vsoc.end1.status"] == "1"
    assert len(dissect(memory, "vsoc.flags.status1 == 1")) == 1
    assert len(dissect(memory, "vsoc.flags.cleared0 == 1")) == 1
    times = [float(one["frame"]["frame.time_epoch"]) for one in packets]
    assert times == sorted(times) and abs(times[0] - time.time()) < 60


def test_the_file_has_its_losses_in_its_statistics(program: Path, memory: Memory) -> None:
    start = memory.direction(255, 0)
    memory.put(start, 5)
    memory.put(start + 64, 5)
    with subprocess.Popen([program, "-m", memory.path, "-t", memory.table, "-o",
                           memory.path.parent / "out.pcapng", "-q", "255", "-n", "3"],
                          stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        run.stderr.readline()
        time.sleep(0.1)
        memory.put(start + 64, 13)
        memory.put(start, 13)
        run.stderr.read()
    data = (memory.path.parent / "out.pcapng").read_bytes()
    blocks = []
    while data:
        kind, size = struct.unpack_from("=II", data)
        assert struct.unpack_from("=I", data, size - 4) == (size,)
        blocks.append((kind, data[:size]))
        data = data[size:]
    assert [blocks[0][0], blocks[1][0], blocks[-1][0]] == [0x0A0D0D0A, 1, 5]
    received, dropped = (struct.unpack_from("=HHQ", blocks[-1][1], 20 + 12 * i) for i in (2, 3))
    assert received == (4, 8, 8) and dropped == (5, 8, 1)


def test_only_the_first_bytes(program: Path, memory: Memory) -> None:
    memory.send(255, 0, 0, b"0123456789" * 10)
    capture(program, memory, "-q", 255, "-s", 10)
    [one] = dissect(memory, "vsoc.kind == 0")
    assert one["vsoc.payload"] == ":".join(f"{byte:02x}" for byte in b"0123456789012345")
    assert (one["frame"]["frame.cap_len"], one["frame"]["frame.len"]) == ("64", "176")


def test_into_a_pipe(program: Path, memory: Memory) -> None:
    memory.send(255, 0, 0, b"x")
    done = subprocess.run([program, "-m", memory.path, "-t", memory.table, "-o", "-", "-d", "50"],
                          capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stdout[:4] == b"\n\r\r\n"
    assert b"-: 1 frames of 3 channels" in done.stderr


def test_nobody_reads_the_pipe(program: Path, memory: Memory) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([program, "-m", memory.path, "-t", memory.table, "-o", "-"],
                          stdout=write, stderr=subprocess.PIPE, timeout=60)
    os.close(write)
    assert done.returncode == 1 and b"cannot write: " in done.stderr


def test_it_ends_with_the_soc(program: Path, memory: Memory) -> None:
    with subprocess.Popen(["sleep", "987"]) as soc:
        with subprocess.Popen([program, "-m", memory.path, "-t", memory.table, "-o",
                               memory.path.parent / "out.pcapng", "-p", str(soc.pid)],
                              stderr=subprocess.PIPE, text=True) as run:
            assert run.stderr is not None
            run.stderr.readline()
            soc.kill()
            soc.wait()
            assert "the SoC has ended" in run.stderr.read()
            assert run.wait(10) == 0
    assert len(dissect(memory)) == 3


@pytest.mark.parametrize("words,text", [
    (["-q", "256"], "the table has no queue 256"), (["-q", "999"], "is not a number from 0 to 511"),
    (["-c", "0"], "-c '0' is not a number from 1 to 100"), (["-p", "999999999"], "process 9"),
    (["-t", "/nowhere"], "/nowhere: cannot open"), (["-m", "/nowhere"], "/nowhere: cannot open"),
    (["-m", "/dev/null"], "has 0 bytes"), (["-o", "/nowhere/x"], "/nowhere/x: cannot write")])
def test_what_is_wrong_is_said(program: Path, memory: Memory, words: "list[str]",
                               text: str) -> None:
    done = capture(program, memory, *words, check=False)
    assert done.returncode == 1 and text in done.stderr.decode()


def test_the_memory_of_another_table(program: Path, memory: Memory) -> None:
    memory.put(0, 1234, "<Q")
    done = capture(program, memory, check=False)
    assert done.returncode == 1 and b"memory of another table" in done.stderr


def test_the_memory_is_found_among_open_files(tmp_path: Path) -> None:
    path = tmp_path / "ivshmem.abcdef"
    with open(path, "wb") as file:
        file.write(b"here")
        file.flush()
        path.unlink()
        found = find_memory([Process(1 << 22, "server", 0), Process(os.getpid(), "vm:a", 0)])
        assert (found.path.read_bytes(), found.pid) == (b"here", os.getpid())
    with pytest.raises(StateError):
        find_memory([Process(os.getpid(), "vm:a", 0)])
