# SPDX-License-Identifier: MIT
"""Faults on demand, over plain QMP: each kind, each refusal, in both devices."""

import time
from typing import Any, Iterator, List

import pytest
from qemu.qmp.qmp_client import ExecuteError
from qtest_chip import CREDIT, FRAME, OPEN, Channel, Chips
from qtest_soc import GONE, LINK, Soc, Vm, wait_for

A, B = 2, 3


def fault(vm: Vm, device: str = "ivc", **value: Any) -> None:
    vm.cmd("qom-set", path=f"/machine/peripheral/{device}", property="fault",
           value={key.replace("_", "-"): each for key, each in value.items()})


def set_link(vm: Vm, is_up: bool, device: str = "ivc") -> None:
    vm.cmd("qom-set", path=f"/machine/peripheral/{device}", property="link", value=is_up)


@pytest.fixture(name="pair")
def fixture_pair(soc: Soc) -> List[Vm]:
    return soc.boot(A, B)


def silent(vm: Vm, seconds: float = 0.1) -> None:
    time.sleep(seconds)
    assert vm.take_interrupts() == []


# ---- doorbells ----

def test_dropped_on_the_way_out(pair: List[Vm]) -> None:
    a, b = pair
    fault(a, queue=10, kind="drop", count=2)
    a.ring(10)
    a.ring(10)
    silent(b)
    a.ring(10)
    b.expect_interrupt(10)
    assert a.queue(10)["dropped"] == 2 and a.queue(10)["rings-out"] == 3
    assert b.queue(10)["rings-in"] == 1 and a.get("faults") == []


def test_dropped_on_the_way_in(pair: List[Vm]) -> None:
    a, b = pair
    fault(b, queue=10, kind="drop", direction="in", count=1)
    a.ring(10)
    wait_for(lambda: b.queue(10)["rings-in"] == 1, "the doorbell")
    silent(b)
    a.ring(10)
    b.expect_interrupt(10)
    assert b.queue(10)["dropped"] == 1 and a.queue(10)["dropped"] == 0


def test_only_this_queue_and_direction(pair: List[Vm]) -> None:
    a, b = pair
    fault(a, queue=10, kind="drop")
    a.ring(12)
    b.expect_interrupt(12)
    b.ring(10)
    a.expect_interrupt(10)


def test_for_a_time(pair: List[Vm]) -> None:
    a, b = pair
    fault(a, queue=10, kind="drop", ms=150)
    a.ring(10)
    silent(b)
    wait_for(lambda: a.get("faults") == [], "its end")
    a.ring(10)
    b.expect_interrupt(10)


def test_delayed(pair: List[Vm]) -> None:
    a, b = pair
    fault(a, queue=10, kind="delay", delay_ms=300, count=1)
    start = time.monotonic()
    a.ring(10)
    silent(b)
    b.expect_interrupt(10)
    assert time.monotonic() - start >= 0.3
    assert a.queue(10)["delayed"] == 1


def test_clear_lets_the_late_come(pair: List[Vm]) -> None:
    a, b = pair
    fault(a, queue=10, kind="delay", delay_ms=60000)
    a.ring(10)
    a.ring(10)
    silent(b)
    fault(a, kind="clear")
    b.expect_interrupt(10)
    assert a.get("faults") == []


def test_duplicated(pair: List[Vm]) -> None:
    a, b = pair
    fault(b, queue=10, kind="duplicate", direction="in", count=1)
    a.ring(10)
    wait_for(lambda: b.queue(10)["interrupts"] == 2, "two interrupts")
    assert b.queue(10)["duplicated"] == 1 and b.queue(10)["rings-in"] == 1


def test_spurious(pair: List[Vm]) -> None:
    a, b = pair
    fault(b, queue=10, kind="spurious", direction="in", count=3)
    assert b.queue(10)["interrupts"] == 3 and b.queue(10)["spurious"] == 3
    b.expect_interrupt(10)
    fault(a, queue=12, kind="spurious")
    b.expect_interrupt(12)


def test_a_departure_is_told_all_the_same(pair: List[Vm]) -> None:
    a, b = pair
    b.set_open(10, 1)
    fault(a, queue=10, kind="drop", direction="in")
    b.kill_9()
    wait_for(lambda: 10 in a.take_interrupts(), "the announcement")
    assert a.status(10)[0] == GONE


def test_list(pair: List[Vm]) -> None:
    a, _ = pair
    fault(a, queue=10, kind="delay", delay_ms=5, count=9)
    fault(a, queue=12, kind="frame", direction="in", offset=3, xor=1, ms=60000)
    first, second = a.get("faults")
    assert first == {"id": 1, "queue": 10, "kind": "delay", "direction": "out", "delay-ms": 5,
                     "left": 9, "hits": 0}
    assert 0 < second.pop("ms-left") <= 60000
    assert second == {"id": 2, "queue": 12, "kind": "frame", "direction": "in", "offset": 3,
                      "xor": 1, "left": 1, "hits": 0}
    fault(a, kind="clear", queue=10)
    assert [each["id"] for each in a.get("faults")] == [2]


def test_guest_reset_leaves_them(pair: List[Vm]) -> None:
    a, _ = pair
    fault(a, queue=10, kind="drop")
    a.cmd("system_reset")
    assert len(a.get("faults")) == 1


# ---- memory ----

@pytest.mark.parametrize("word, own, at", [("tx-count", True, 0), ("tx-state", True, 4),
                                           ("rx-count", False, 64)])
@pytest.mark.parametrize("direction", ["out", "in"])
def test_header(pair: List[Vm], word: str, own: bool, at: int, direction: str) -> None:
    """Queue 10 has peers A, B: A receives in the first direction."""
    a, b = pair
    fault(a, queue=10, kind="header", direction=direction, word=word, value=0xdeadbeef)
    second = (direction == "out") == own
    size = 128 + 64 * 1536
    area = b.read_bytes(b.area(10), 2 * size)
    word_at = (size if second else 0) + at
    assert area[word_at:word_at + 4] == bytes.fromhex("efbeadde")
    assert area.count(0) == len(area) - 4
    assert a.queue(10)["corrupted"] == 1
    silent(b)


def test_frame(pair: List[Vm]) -> None:
    a, b = pair
    size = 128 + 64 * 1536
    tx = a.area(10) + size
    fault(a, queue=10, kind="frame", offset=5, xor=0x10, count=2)
    for number in range(3):
        a.write_bytes(tx + 128 + number * 1536, bytes([number + 1]) * 1536)
    a.write(tx, 3)
    a.ring(10)
    b.expect_interrupt(10)
    frames = [b.read_bytes(b.area(10) + size + 128 + n * 1536, 1536) for n in range(3)]
    good = [bytes([n + 1]) * 1536 for n in range(3)]
    for number in range(2):
        flipped = bytearray(good[number])
        flipped[5] ^= 0x10
        assert frames[number] == bytes(flipped)
    assert frames[2] == good[2]
    assert a.queue(10)["corrupted"] == 2 and a.get("faults") == []


def test_frame_that_does_not_ring(pair: List[Vm]) -> None:
    a, b = pair
    tx = a.area(10) + 128 + 64 * 1536
    fault(b, queue=10, kind="frame", direction="in", count=1)
    a.write(tx, 1)
    wait_for(lambda: b.queue(10)["corrupted"] == 1, "the flip")
    assert a.read(tx + 128, 1) == 0xff


@pytest.mark.parametrize("count", [0xffffffff, 65, 0x80000000])
def test_frame_with_a_lying_count(pair: List[Vm], count: int) -> None:
    """Nothing outside of the queue is touched, and it ends."""
    a, _ = pair
    tx = a.area(10) + 128 + 64 * 1536
    fault(a, queue=10, kind="frame", count=1000000, offset=1535)
    a.write(tx, count)
    a.write(tx + 64, count - 1)
    a.ring(10)
    assert a.queue(10)["corrupted"] <= 64
    area = a.read_bytes(a.area(10), 2 * (128 + 64 * 1536))
    assert set(area[:128]) == {0}


# ---- the link ----

def test_link_of_ivc(pair: List[Vm]) -> None:
    a, b = pair
    b.set_open(10, 1)
    set_link(a, False)
    assert a.register(LINK) == 0 and not a.get("link")
    a.ring(10)
    b.ring(10)
    silent(a)
    silent(b)
    b.set_open(10, 0)
    silent(a)
    set_link(a, True)
    assert a.register(LINK) == 1
    # What departed meanwhile is told now.
    a.expect_interrupt(10)
    a.ring(10)
    b.expect_interrupt(10)


# ---- refusals ----

@pytest.mark.parametrize("value, text", [
    ({}, "'kind' is missing; it is one of 'drop', 'delay'"),
    ({"kind": "explode", "queue": 10}, "'kind' is none of 'drop'"),
    ({"kind": 3, "queue": 10}, "'kind' is none of 'drop'"),
    ({"kind": "drop"}, "'queue' is missing"),
    ({"kind": "drop", "queue": 255}, "partition GID_A has no queue 255 here"),
    ({"kind": "drop", "queue": "10"}, "'queue' is no whole number from 0"),
    ({"kind": "drop", "queue": 10, "direction": "up"}, "'direction' is none of 'out', 'in'"),
    ({"kind": "drop", "queue": 10, "count": 0}, "'count' is no whole number from 1"),
    ({"kind": "drop", "queue": 10, "count": 1.5}, "'count' is no whole number"),
    ({"kind": "drop", "queue": 10, "ms": -1}, "'ms' is no whole number from 1"),
    ({"kind": "drop", "queue": 10, "delay-ms": 1}, "kind 'drop' has no 'delay-ms'"),
    ({"kind": "drop", "queue": 10, "cuont": 1}, "there is no key 'cuont'"),
    ({"kind": "delay", "queue": 10}, "'delay-ms' is missing"),
    ({"kind": "delay", "queue": 10, "delay-ms": 60001}, "'delay-ms' is no whole number from 1 to "
                                                        "60000"),
    ({"kind": "spurious", "queue": 10, "count": 1001}, "'count' is no whole number from 1 to 1000"),
    ({"kind": "spurious", "queue": 10, "ms": 5}, "kind 'spurious' has no 'ms'"),
    ({"kind": "header", "queue": 10, "value": 1}, "'word' is missing; it is one of 'tx-count'"),
    ({"kind": "header", "queue": 10, "word": "tx-count"}, "'value' is missing"),
    ({"kind": "header", "queue": 10, "word": "rx-state", "value": 1}, "'word' is none of"),
    ({"kind": "header", "queue": 10, "word": "tx-count", "value": 1 << 32}, "'value' is no whole"),
    ({"kind": "frame", "queue": 10, "offset": 1536}, "'offset' is no whole number from 0 to 1535"),
    ({"kind": "frame", "queue": 10, "xor": 0}, "'xor' is no whole number from 1 to 255"),
    ({"kind": "clear", "count": 1}, "kind 'clear' has no 'count'"),
    ("drop", "it is an object"),
    ([1], "it is an object"),
])
def test_refused(pair: List[Vm], value: Any, text: str) -> None:
    a, _ = pair
    with pytest.raises(ExecuteError, match="fault: ") as error:
        a.cmd("qom-set", path="/machine/peripheral/ivc", property="fault", value=value)
    assert text in str(error.value)
    assert a.get("faults") == []
    assert all(queue["corrupted"] == 0 for queue in a.get("queues"))


def test_no_more_than_64(pair: List[Vm]) -> None:
    a, _ = pair
    for _ in range(64):
        fault(a, queue=10, kind="drop")
    with pytest.raises(ExecuteError, match="there are 64 already; clear some"):
        fault(a, queue=10, kind="drop")
    assert len(a.get("faults")) == 64


# ---- hv-c2c ----

@pytest.fixture(name="chips")
def fixture_chips() -> Iterator[Chips]:
    with Chips() as chips:
        yield chips


def test_c2c(chips: Chips) -> None:
    channel = Channel(5, 7)
    chip, peer, _ = chips.single(channel)
    chip.open(5)
    peer.expect(OPEN, 7, 1)
    peer.say(OPEN, 5, 1)
    chip.establish(5)
    chip.take_interrupts()

    fault(chip, "c2c0", queue=5, kind="drop", count=1)
    chip.send(5, 0, b"lost bell")
    peer.expect_silence(0.1)
    chip.ring(5)
    assert peer.expect(FRAME, 7, 1).payload.startswith(b"lost bell")

    fault(chip, "c2c0", queue=5, kind="drop", direction="in", count=1)
    peer.say(FRAME, 5, 1, b"x" * 64)
    wait_for(lambda: chip.sent(5) == 1, "the frame")
    silent(chip)
    chip.consume(5, 1)
    peer.say(CREDIT, 5, 1, count=1)

    fault(chip, "c2c0", queue=5, kind="frame", offset=1)
    chip.send(5, 1, b"abc")
    assert peer.expect(FRAME, 7, 1).payload.startswith(b"a\x9dc")
    queue = chip.queue(5)
    assert (queue["dropped"], queue["corrupted"]) == (2, 1)


def test_c2c_link(chips: Chips) -> None:
    channel = Channel(5, 7)
    a, b = chips.pair(channel)
    a.open(5)
    b.open(7)
    a.establish(5)
    b.establish(7)
    set_link(a, False, "c2c0")
    b.down()
    assert not a.get("link")
    assert a.get("link-error") == "it is cut, by the property 'link'"
    for chip, device in ((a, 5), (b, 7)):
        wait_for(lambda: chip.far(device)[2] == 1, "the departure")
        assert chip.far(device)[1] == 2
    time.sleep(0.3)
    assert not a.get("link") and not b.get("link")
    set_link(a, True, "c2c0")
    a.up()
    b.up()
