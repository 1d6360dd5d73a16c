# SPDX-License-Identifier: MIT
"""What devices say of their queues becomes channels of two ends, and two looks become rates."""

from typing import Any

import pytest
import vsoc_samples  # noqa: F401  (the path to vsoclib)
from vsoclib.observe import Channel, Look, channels, depth, difference, partition_names, rate

TABLE = {
    "partitions": [{"name": "A", "id": 2}, {"name": "B", "id": 3}, {"name": "M", "id": 4}],
    "queues": [
        {"id": 6, "peers": ["A", "A"], "loopback": True, "nframes": 4, "frame_size": 64},
        {"id": 7, "peers": ["A", "A"], "loopback": True, "nframes": 4, "frame_size": 64},
        {"id": 255, "peers": ["B", "A"], "loopback": False, "nframes": 8, "frame_size": 64},
        {"id": 264, "peers": ["A", "M"], "loopback": False, "nframes": 8, "frame_size": 64}],
    "c2c": [{"device": 5, "owner": "A", "remote": 9, "nframes": 16, "frame_size": 128}]}


def element(number: int, **more: Any) -> dict[str, Any]:
    """A queue's element as a device shows it: nothing has happened."""
    values: dict[str, Any] = {
        "id": number, "peer": "?", "slot": 0, "vector": 1, "rings-out": 0, "rings-in": 0,
        "interrupts": 0, "open": False, "far-state": "unknown", "far-generation": 0,
        "tx-count": 0, "tx-state": 0, "rx-count": 0, "peer-tx-count": 0, "peer-tx-state": 0,
        "peer-rx-count": 0}
    values.update({name.replace("_", "-"): value for name, value in more.items()})
    return values


def look(vm: str, partition: str, *elements: "dict[str, Any]", when: float = 1.0) -> Look:
    return Look(vm, partition, "running", when, {"ivc": list(elements)})


def one(name: str, *looks: Look) -> Channel:
    [found] = [each for each in channels(TABLE, {each.vm: each for each in looks})
               if each.name == name]
    return found


def test_both_ends_of_a_queue() -> None:
    found = one("255",
                look("guest", "A", element(255, open=True, far_state="gone", tx_count=12,
                                           peer_rx_count=9, rx_count=3, peer_tx_count=3,
                                           tx_state=1, peer_tx_state=2, rings_out=5)),
                look("update", "B", element(255, far_state="open", rings_out=7)))
    b, a = found.ends
    assert (b.name, a.name) == ("update", "guest")
    assert (a.presence, b.presence) == ("open", "gone")
    # The words are those that the first end's VM showed: all 0.
    assert (b.state, a.state) == ("established", "established")
    assert (a.rings_out, b.rings_out) == (5, 7)


def test_one_end_shows_the_words_of_both() -> None:
    found = one("255", look("guest", "A", element(
        255, open=True, far_state="gone", tx_count=12, peer_rx_count=9, rx_count=3,
        peer_tx_count=4, tx_state=1, peer_tx_state=2)))
    b, a = found.ends
    assert (a.state, b.state, a.depth, b.depth) == ("sync", "ack", 3, 1)
    assert (a.tx_count, a.rx_count, b.tx_count, b.rx_count) == (12, 3, 4, 9)
    assert (b.name, b.presence, b.rings_out) == ("B", "gone", None)
    assert a.presence == "open"


def test_the_far_ends_vm_tells_more_than_open_or_not() -> None:
    guest = look("guest", "A", element(255))
    assert one("255", guest).ends[1].presence == "closed"
    update = look("update", "B", element(255, far_state="gone"))
    assert one("255", guest, update).ends[1].presence == "gone"


def test_a_loopback_is_one_channel() -> None:
    found = one("6/7", look("guest", "A", element(6, tx_count=2, open=True),
                            element(7, rx_count=1, far_state="open", open=False)))
    first, second = found.ends
    assert (first.queue, second.queue, first.name, second.name) == (6, 7, "guest", "guest")
    assert (first.presence, second.presence) == ("open", "unknown")
    assert first.depth == 2


def test_nobody_runs_it() -> None:
    found = one("264", look("update", "B", element(255)))
    assert not found.known and [end.name for end in found.ends] == ["A", "M"]


def test_a_channel_to_another_chip() -> None:
    shown = element(5, remote=9, session=3, credit=4, stale=2, lost=0, tx_count=6, open=True,
                    far_state="open", peer_rx_count=6)
    del shown["peer"], shown["vector"]
    found = one("guest:c2c0:5", Look("guest", "A", "running", 1.0, {"c2c0": [shown]}))
    here, there = found.ends
    assert (found.device, found.nframes, here.name, there.queue) == ("c2c0", 16, "guest", 9)
    assert (here.presence, there.presence, here.depth) == ("open", "open", 0)
    assert found.faults == {"stale": 2}


def test_faults_of_both_ends_are_added() -> None:
    found = one("255", look("guest", "A", element(255, dropped=3, delayed=0)),
                look("update", "B", element(255, dropped=1, corrupted=2)))
    assert found.faults == {"dropped": 4, "corrupted": 2}


@pytest.mark.parametrize("tx,rx,expected", [
    (0, 0, 0), (8, 0, 8), (3, 0xfffffffe, 5),
    (5, 6, 0), (9, 0, 8),               # read at two instants
    (17, 0, None), (0, 9, None), (0x80000000, 0, None)])
def test_depth(tx: int, rx: int, expected: "int | None") -> None:
    assert depth(tx, rx, 8) == expected


@pytest.mark.parametrize("now,before,expected", [
    (7, 5, 2), (1, 0xffffffff, 2), (3, 500, 3), (0, 0, 0)])
def test_difference(now: int, before: int, expected: int) -> None:
    assert difference(now, before) == expected


def test_rates() -> None:
    before = one("255", look("guest", "A", element(255, tx_count=10, rings_out=4, interrupts=50)))
    now = one("255", look("guest", "A", element(255, tx_count=30, rings_out=8, interrupts=2,
                                                peer_tx_count=6), when=3.0))
    rate(now, before)
    b, a = now.ends
    assert (a.frames_per_s, b.frames_per_s, now.frames_per_s) == (10, 3, 13)
    assert a.rings_per_s == 2
    assert a.interrupts_per_s == 1      # its QEMU was started anew
    assert b.rings_per_s is None


def test_rates_of_what_was_unknown() -> None:
    before = one("264")
    now = one("264", look("guest", "A", element(264, tx_count=30), when=3.0))
    rate(now, before)
    assert now.ends[0].frames_per_s is None and now.frames_per_s == 0


def test_a_word_that_no_end_should_write_is_shown() -> None:
    found = one("255", look("guest", "A", element(255, tx_state=7)))
    assert found.ends[1].state == "invalid 0x7"


def test_partitions_by_number() -> None:
    assert partition_names(TABLE, {"guest": "2", "update": "B"}) == {"guest": "A", "update": "B"}
