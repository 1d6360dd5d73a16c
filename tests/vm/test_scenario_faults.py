# SPDX-License-Identifier: MIT
"""Every fault that a scenario can ask for, and what the library makes of it (docs/specs/faults.md).
"""

import json
import time
from typing import Callable, Iterator

import pytest
from vsoclib.errors import GuestError, VsocError
from vsoclib.scenario import Process, Queue, Soc
from vsoclib.soc import Soc as Engine

A, B = "go:/tmp/a", "go:/tmp/b"


@pytest.fixture
def soc(started: Engine) -> Iterator[Soc]:
    """As the plug-in gives it to a test."""
    ready = Soc(started)
    ready.begin()
    yield ready
    ready.end()


@pytest.fixture
def queue(soc: Soc) -> Queue:
    return soc.queue(255)


Peers = Callable[[str, str], "tuple[Process, Process]"]


@pytest.fixture
def peers(soc: Soc, queue: Queue) -> Peers:
    """Starts both ends; when it returns they are established. Then each does its words."""
    def start(guest: str, update: str) -> "tuple[Process, Process]":
        both = [soc[vm].spawn(f"steps open:ivc_test reset est {words} hold")
                for vm, words in (("guest", guest), ("update", update))]
        for each in both:
            each.wait_line("^est ok")
        queue.wait_established()
        return both[0], both[1]
    return start


def go(soc: Soc, vm: str, name: str = "a") -> None:
    soc[vm].exec(["touch", f"/tmp/{name}"])


def count(queue: Queue, vm: str, name: str) -> int:
    return int(getattr(queue.stats()[vm], name))


def waits(process: Process, step: str, seconds: float = 0.7) -> None:
    """It sleeps in this step: nothing has woken it."""
    time.sleep(seconds)
    assert process.running and not any(line.startswith(f"{step} ok") for line in process.lines), \
        process.output


# Doorbells

@pytest.mark.parametrize("at,direction", [("guest", "out"), ("update", "in")])
def test_a_lost_doorbell(at: str, direction: str, soc: Soc, queue: Queue, peers: Peers) -> None:
    guest, update = peers(f"{A} send:1:0:1 {B} send:1:1:1", "recv:1:0:1 recv:1:1:1")
    before = count(queue, at, "dropped")
    queue.drop_doorbells(1, vm=at, direction=direction)
    assert [(each.vm, each.kind, each.left) for each in queue.faults()] == [(at, "drop", 1)]
    go(soc, "guest")
    guest.wait_line("send:1:0:1 ok")
    waits(update, "recv:1:0:1")
    assert count(queue, at, "dropped") == before + 1 and queue.faults() == []
    # Any later notification ends the sleep; nothing is lost or reordered.
    queue.spurious_doorbells(1, vm="update", direction="in")
    update.wait_line("recv:1:0:1 ok", timeout=5)
    go(soc, "guest", "b")
    update.wait_line("recv:1:1:1 ok", timeout=5)


def test_lost_doorbells_for_a_time(soc: Soc, queue: Queue, peers: Peers) -> None:
    guest, update = peers(f"{A} send:1:0:1 {B} send:1:1:1", "recv:1:0:1 recv:1:1:1")
    queue.drop_doorbells(vm="guest", ms=3000)
    go(soc, "guest")
    guest.wait_line("send:1:0:1 ok")
    waits(update, "recv:1:0:1")
    deadline = time.monotonic() + 10
    while queue.faults():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    queue.spurious_doorbells(1, vm="guest")
    update.wait_line("recv:1:0:1 ok", timeout=5)
    go(soc, "guest", "b")
    update.wait_line("recv:1:1:1 ok", timeout=5)


def test_a_lost_doorbell_in_a_handshake(soc: Soc, queue: Queue) -> None:
    queue.drop_doorbells()
    guest = soc["guest"].spawn(f"steps open:ivc_test reset {A} reset est send:1:0:9 hold")
    guest.wait_line("^reset ok")
    update = soc["update"].spawn("steps open:ivc_test reset est recv:1:0:9 hold")
    waits(update, "est")
    assert not queue.established
    queue.clear_faults()
    go(soc, "guest")        # a Reset in a handshake changes nothing, but rings
    update.wait_line("recv:1:0:9 ok", timeout=10)


def test_a_late_doorbell(soc: Soc, queue: Queue, peers: Peers) -> None:
    guest, update = peers(f"{A} send:1:0:1", "recv:1:0:1")
    before = count(queue, "guest", "delayed")
    queue.delay_doorbells(2000, count=1, vm="guest")
    go(soc, "guest")
    guest.wait_line("send:1:0:1 ok")
    waits(update, "recv:1:0:1")
    update.wait_line("recv:1:0:1 ok", timeout=10)
    assert count(queue, "guest", "delayed") == before + 1


def test_doubled_doorbells(soc: Soc, queue: Queue, peers: Peers) -> None:
    guest, update = peers(f"{A} both:1:2:300", f"{A} both:2:1:300 quiet:500")
    before = count(queue, "guest", "duplicated")
    queue.duplicate_doorbells(vm="guest")
    go(soc, "guest")
    go(soc, "update")
    guest.wait_line("both:1:2:300 ok")
    update.wait_line("quiet:500 ok")
    assert count(queue, "guest", "duplicated") > before


@pytest.mark.parametrize("at,direction", [("guest", "out"), ("update", "in")])
def test_doorbells_for_nothing(at: str, direction: str, soc: Soc, queue: Queue,
                               peers: Peers) -> None:
    guest, update = peers(f"{A} send:1:0:3", "quiet:2500 recv:1:0:3")
    before = count(queue, at, "spurious")
    woken = count(queue, "update", "interrupts")
    queue.spurious_doorbells(7, vm=at, direction=direction)
    update.wait_line("quiet:2500 ok")
    assert count(queue, at, "spurious") == before + 7
    assert count(queue, "update", "interrupts") > woken
    go(soc, "guest")
    update.wait_line("recv:1:0:3 ok", timeout=5)


def test_a_stream_with_bad_doorbells(soc: Soc, queue: Queue, peers: Peers) -> None:
    """Late, doubled and for nothing, both ways at once. The reader checks each byte."""
    guest, update = peers(f"{A} both:1:2:5000", f"{A} both:2:1:5000")
    before = {vm: queue.stats()[vm] for vm in ("guest", "update")}
    queue.delay_doorbells(30, count=20, vm="guest")
    queue.duplicate_doorbells(vm="guest", direction="in")
    queue.duplicate_doorbells(100, vm="update")
    queue.delay_doorbells(10, count=20, vm="update", direction="in")
    go(soc, "guest")
    go(soc, "update")
    for _ in range(5):
        queue.spurious_doorbells(100, vm="guest")
        queue.spurious_doorbells(100, vm="guest", direction="in")
    guest.wait_line("both:1:2:5000 ok")
    update.wait_line("both:2:1:5000 ok")
    for vm, name in (("guest", "delayed"), ("guest", "duplicated"), ("guest", "spurious"),
                     ("update", "delayed"), ("update", "duplicated")):
        assert count(queue, vm, name) > getattr(before[vm], name), (vm, name)


def test_all_doorbells_lost_in_a_stream(soc: Soc, queue: Queue, peers: Peers) -> None:
    """It stands still, and one doorbell each is enough to go on."""
    guest, update = peers(f"limit:60 {A} both:1:2:20000", f"limit:60 {A} both:2:1:20000")
    before = {vm: count(queue, vm, "dropped") for vm in ("guest", "update")}
    go(soc, "guest")
    go(soc, "update")
    for vm in "guest", "update":
        for direction in "out", "in":
            queue.drop_doorbells(vm=vm, direction=direction, ms=1500)
    deadline = time.monotonic() + 10
    while queue.faults():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert sum(count(queue, vm, "dropped") - before[vm] for vm in before) > 0
    for vm in before:
        queue.spurious_doorbells(1, vm=vm, direction="in")
    guest.wait_line("both:1:2:20000 ok")
    update.wait_line("both:2:1:20000 ok")


# Words

LOST = ("both:1:2:10 lost again both:3:4:500", "both:2:1:10 lost again both:4:3:500")


def lost_and_again(guest: Process, update: Process) -> None:
    guest.wait_line("both:3:4:500 ok")
    update.wait_line("both:4:3:500 ok")


@pytest.mark.parametrize("direction", ["out", "in"])
def test_a_reset_that_nobody_asked_for(direction: str, soc: Soc, queue: Queue,
                                       peers: Peers) -> None:
    """On behalf of either end: both are told, and both are back at once."""
    guest, update = peers(*LOST)
    guest.wait_line("both:1:2:10 ok")
    update.wait_line("both:2:1:10 ok")
    queue.corrupt_header("tx-state", 1, vm="guest", direction=direction)
    waits(guest, "lost", 0.3)               # no doorbell
    queue.spurious_doorbells(1, vm="guest", direction="in")
    queue.spurious_doorbells(1, vm="guest")
    lost_and_again(guest, update)


@pytest.mark.parametrize("word", ["tx-count", "rx-count"])
def test_a_wrong_count_does_not_last(word: str, soc: Soc, queue: Queue, peers: Peers) -> None:
    """Whose word it is finds it when it is woken for nothing, and resets the channel."""
    guest, update = peers(*LOST)
    guest.wait_line("both:1:2:10 ok")
    update.wait_line("both:2:1:10 ok")
    queue.corrupt_header(word, 0x80000000, vm="guest")
    queue.spurious_doorbells(1, vm="guest", direction="in")
    lost_and_again(guest, update)


def test_an_impossible_count_of_sent_frames(soc: Soc, queue: Queue, peers: Peers) -> None:
    guest, update = peers(f"{A} send:1:0:3", "quiet:2500 recv:1:0:3")
    before = count(queue, "guest", "corrupted")
    queue.corrupt_header("tx-count", 0x80000000, vm="guest")
    queue.spurious_doorbells(1, vm="guest")
    assert count(queue, "guest", "tx_count") == 0x80000000
    update.wait_line("quiet:2500 ok")           # as empty
    assert count(queue, "guest", "corrupted") == before + 1
    go(soc, "guest")                            # the next write publishes the right one
    update.wait_line("recv:1:0:3 ok", timeout=5)


def test_an_impossible_count_of_taken_frames(soc: Soc, queue: Queue, peers: Peers) -> None:
    guest, update = peers(f"send:1:0:1 {A} send:1:1:1", f"{A} recv:1:0:1 recv:1:1:1")
    guest.wait_line("send:1:0:1 ok")
    queue.corrupt_header("rx-count", 0x7fffffff, vm="guest", direction="in")
    go(soc, "guest")
    waits(guest, "send:1:1:1")                  # as full
    go(soc, "update")
    update.wait_line("recv:1:0:1 ok")           # and with that the right count
    queue.spurious_doorbells(1, vm="guest", direction="in")
    update.wait_line("recv:1:1:1 ok", timeout=5)


def test_a_forged_reset(soc: Soc, queue: Queue, peers: Peers) -> None:
    guest, update = peers("", "lost again recv:1:0:5")
    queue.corrupt_header("tx-state", 1, vm="guest")
    queue.spurious_doorbells(1, vm="guest")
    update.wait_line("lost ok", timeout=5)
    guest.kill()
    soc["guest"].spawn("steps open:ivc_test reset est send:1:0:5 hold")
    update.wait_line("recv:1:0:5 ok", timeout=10)


def test_a_state_that_is_none(soc: Soc, queue: Queue, peers: Peers) -> None:
    guest, update = peers(f"{A} send:1:0:3", "quiet:1500 recv:1:0:3")
    queue.corrupt_header("tx-state", 77, vm="guest")
    queue.spurious_doorbells(1, vm="guest")
    assert queue.stats()["guest"].state == "invalid 0x4d"
    update.wait_line("quiet:1500 ok")
    go(soc, "guest")
    update.wait_line("recv:1:0:3 ok", timeout=5)


# Frames

@pytest.mark.parametrize("at,direction", [("guest", "out"), ("update", "in")])
def test_a_damaged_frame(at: str, direction: str, soc: Soc, queue: Queue, peers: Peers) -> None:
    guest, update = peers(f"{A} send:1:0:1", "recv:1:0:1")
    before = count(queue, at, "corrupted")
    queue.flip_bytes(16, vm=at, xor=0x01, direction=direction)
    go(soc, "guest")
    with pytest.raises(GuestError, match="frame 0 is damaged at byte 16"):
        update.wait(timeout=10)
    assert count(queue, at, "corrupted") == before + 1


# Cables, partitions

def test_a_cable_that_is_pulled(soc: Soc, queue: Queue, peers: Peers) -> None:
    guest, update = peers(f"{A} send:1:0:1", "recv:1:0:1 lost")
    soc["guest"].link_down()
    assert soc["guest"].qmp("qom-get", path="/machine/peripheral/ivc", property="link") is False
    go(soc, "guest")
    guest.wait_line("send:1:0:1 ok")
    waits(update, "recv:1:0:1")
    soc["guest"].link_up()
    queue.spurious_doorbells(1, vm="guest")
    update.wait_line("recv:1:0:1 ok", timeout=5)
    soc["update"].link_down()
    guest.kill()
    waits(update, "lost")
    soc["update"].link_up()
    update.wait_line("lost ok", timeout=5)


def test_a_frozen_partition(soc: Soc, queue: Queue, peers: Peers) -> None:
    guest, update = peers(f"limit:20 {A} send:1:0:200", "recv:1:0:200")
    soc["update"].pause()
    go(soc, "guest")
    waits(guest, "send:1:0:200")
    stats = queue.stats()
    assert stats["guest"].tx_count - stats["update"].rx_count == 64     # full
    soc["update"].resume()
    update.wait_line("recv:1:0:200 ok")


# What holds for all

def test_faults_end_with_their_test(started: Engine) -> None:
    soc = Soc(started)
    soc.begin()
    soc.queue(255).drop_doorbells()
    soc.queue(260).delay_doorbells(50, vm="update", direction="in")
    soc["guest"].link_down()
    assert len(soc["guest"].faults()) == 1 and len(soc["update"].faults()) == 2
    soc.end()
    assert [vm.faults() for vm in soc] == [[], []]
    assert all(vm.qmp("qom-get", path="/machine/peripheral/ivc", property="link") for vm in soc)


@pytest.mark.parametrize("break_it,words", [
    (lambda queue: queue.drop_doorbells(0), "count"),
    (lambda queue: queue.delay_doorbells(0), "delay-ms"),
    (lambda queue: queue.drop_doorbells(1, direction="up"), "'direction' is none of"),
    (lambda queue: queue.corrupt_header("no-count", 1, vm="guest"), "'word' is none of"),
    (lambda queue: queue.flip_bytes(1536, vm="guest"), "offset")])
def test_a_fault_that_is_refused(break_it: "Callable[[Queue], None]", words: str,
                                 queue: Queue) -> None:
    with pytest.raises(VsocError, match=words):
        break_it(queue)
    assert queue.faults() == []


# Between chips

@pytest.fixture
def chips(started_chips: Engine) -> Iterator[Soc]:
    ready = Soc(started_chips)
    ready.begin()
    yield ready
    ready.end()


def test_a_channel_with_bad_doorbells_and_words(chips: Soc) -> None:
    """Doorbells late, doubled and for nothing; then the device's own word is overwritten."""
    channel = chips.channel("a.guest", 5)
    before = channel.stats()["a.guest"]
    channel.delay_doorbells(20, count=10, vm="a.guest", direction="in")
    channel.duplicate_doorbells(vm="a.guest")
    channel.spurious_doorbells(500, vm="b.guest", direction="in")
    a, b = (chips[vm].spawn(f"steps open:chip_test reset est {words} hold") for vm, words in (
        ("a.guest", LOST[0]), ("b.guest", LOST[1])))
    a.wait_line("both:1:2:10 ok")
    b.wait_line("both:2:1:10 ok")
    now = channel.stats()["a.guest"]
    assert now.delayed > before.delayed and now.duplicated > before.duplicated
    channel.clear_faults()
    channel.corrupt_header("tx-state", 1, vm="a.guest", direction="in")
    channel.spurious_doorbells(1, vm="a.guest", direction="in")
    lost_and_again(a, b)


def test_damaged_frames_of_a_channel(chips: Soc) -> None:
    """In a stream, where most frames do not ring: exactly these."""
    channel = chips.channel("a.guest", 5)
    before = channel.stats()["a.guest"]
    server = chips["b.guest"].spawn("ivcping --server chip_test")
    client = chips["a.guest"].spawn("ivcping --client chip_test --mode stream --count 30000 "
                                    "--timeout 60 --json")
    deadline = time.monotonic() + 30
    channel.wait_established()
    while not 10 < channel.stats()["a.guest"].tx_count < 20000:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    channel.flip_bytes(60, count=7, vm="a.guest")
    done = client.wait(check=False)
    server.wait(check=False)
    assert channel.stats()["a.guest"].corrupted - before.corrupted == 7
    assert done.returncode == 1 and json.loads(done.stdout)["errors"] == 7


def test_faults_between_chips(started_chips: Engine) -> None:
    soc = Soc(started_chips)
    soc.begin()
    try:
        channel = soc.channel("a.guest", 5)
        sender = soc["a.guest"].spawn(f"steps open:chip_test reset est {A} send:1:0:1 "
                                      "lost again hold")
        receiver = soc["b.guest"].spawn("steps open:chip_test reset est recv:1:0:1 lost again hold")
        channel.wait_established()
        channel.drop_doorbells(1, vm="b.guest", direction="in")
        assert [each.device for each in channel.faults()] == ["c2c0"]
        go(soc, "a.guest")
        waits(receiver, "recv:1:0:1")
        channel.spurious_doorbells(1, vm="b.guest", direction="in")
        receiver.wait_line("recv:1:0:1 ok", timeout=5)
        soc["a.guest"].link_down("c2c0")
        sender.wait_line("lost ok", timeout=10)
        receiver.wait_line("lost ok", timeout=10)
        soc["a.guest"].link_up("c2c0")
        sender.wait_line("again ok")
        receiver.wait_line("again ok")
    finally:
        soc.end()
    assert soc["b.guest"].faults() == []
