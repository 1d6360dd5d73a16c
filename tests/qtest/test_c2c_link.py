# SPDX-License-Identifier: MIT
"""Two chips, or one and a scripted other one: sessions, frames, ends, and what is refused."""

import os
import random
import signal
import time
from typing import Iterator, List

import pytest
from qtest_chip import (ACK, CLOSE, CREDIT, ESTABLISHED, FRAME, GOODBYE, HELLO, OPEN, PING, RESET,
                        SYNC, Channel, Chip, Chips, Peer, resident)
from qtest_soc import stopped, wait_for

ONE = Channel(5, 7)
TWO = Channel(6, 3, nframes=2, frame_size=128)
STATE_UNKNOWN, STATE_OPEN = 0, 1
TRANSFER, LINK, VALIDATION = 1, 2, 8


@pytest.fixture(name="chips")
def fixture_chips() -> Iterator[Chips]:
    with Chips() as chips:
        yield chips


def frame(number: int, size: int = 64) -> bytes:
    return number.to_bytes(4, "little") * (size // 4)


def in_session(chips: Chips, channel: Channel = ONE) -> tuple[Chip, Peer]:
    """A chip whose guest and a peer are in session 1 of a channel."""
    chip, peer, _ = chips.single(channel)
    chip.open(channel.device)
    peer.expect(OPEN, channel.remote, 1)
    peer.say(OPEN, channel.device, 1)
    chip.establish(channel.device)
    return chip, peer


# ---- sessions ----

def test_guest_is_willing_after_reset_only(chips: Chips) -> None:
    chip, peer, _ = chips.single(ONE)
    chip.set_open(5, 1)
    # What a dead guest left: nobody has rung since the queue was opened.
    chip.set_state(5, ACK)
    peer.expect_silence()
    chip.set_state(5, SYNC)
    chip.ring(5)
    peer.expect_silence()
    chip.answer(5)
    peer.expect(OPEN, 7, 1)
    assert chip.far_state(5) == SYNC


def test_peer_offers_first(chips: Chips) -> None:
    chip, peer, _ = chips.single(ONE)
    peer.say(OPEN, 5, 1)
    peer.expect_silence()
    assert chip.far_state(5) == SYNC
    chip.open(5)
    peer.expect(OPEN, 7, 1)
    chip.establish(5)
    assert chip.far(5) == (STATE_OPEN, 0, 0)
    assert chip.queue(5)["session"] == 1
    chip.expect_interrupt(5)


def test_frames_to_the_peer(chips: Chips) -> None:
    chip, peer = in_session(chips)
    chip.send(5, 0, frame(1), frame(2), frame(3))
    for number in (1, 2, 3):
        assert peer.expect(FRAME, 7, 1).payload == frame(number)
    assert chip.consumed(5) == 3
    chip.send(5, 3, frame(4), frame(5), frame(6))
    assert peer.expect(FRAME, 7, 1).payload == frame(4)
    # Four were sent; no more without credit.
    peer.expect_silence()
    assert chip.consumed(5) == 4 and chip.queue(5)["credit"] == 0
    peer.say(CREDIT, 5, 1, count=1)
    assert peer.expect(FRAME, 7, 1).payload == frame(5)
    peer.expect_silence()
    peer.say(CREDIT, 5, 1, count=3)
    assert peer.expect(FRAME, 7, 1).payload == frame(6)
    assert chip.queue(5)["credit"] == 2 and chip.queue(5)["frames-out"] == 6


def test_frames_from_the_peer(chips: Chips) -> None:
    chip, peer = in_session(chips)
    chip.take_interrupts()
    for number in range(4):
        peer.say(FRAME, 5, 1, frame(number))
    wait_for(lambda: chip.sent(5) == 4, "all frames")
    assert [chip.received(5, number) for number in range(4)] == [frame(n) for n in range(4)]
    # Once for the empty queue; it was not read meanwhile.
    chip.expect_interrupt(5)
    chip.consume(5, 1)
    peer.expect(CREDIT, 7, 1, 1)
    chip.consume(5, 4)
    peer.expect(CREDIT, 7, 1, 3)
    peer.say(FRAME, 5, 1, frame(9))
    wait_for(lambda: chip.sent(5) == 5, "a frame more")
    assert chip.received(5, 4) == frame(9)
    chip.expect_interrupt(5)


def test_full_queue_holds_up_itself_only(chips: Chips) -> None:
    chip, peer, _ = chips.single(ONE, TWO)
    for channel in (ONE, TWO):
        chip.open(channel.device)
        peer.expect(OPEN, channel.remote, 1)
        peer.say(OPEN, channel.device, 1)
        chip.establish(channel.device)
    chip.send(5, 0, *(frame(n) for n in range(4)))
    for _ in range(4):
        peer.expect(FRAME, 7, 1)
    chip.send(5, 4, *(frame(n) for n in range(4)))
    peer.expect_silence(0.1)
    for number in range(10):
        chip.send(6, number, frame(number, 128))
        assert peer.expect(FRAME, 3, 1).payload == frame(number, 128)
        peer.say(CREDIT, 6, 1, count=1)


def test_guest_resets(chips: Chips) -> None:
    chip, peer = in_session(chips)
    chip.set_state(5, SYNC)
    chip.ring(5)
    peer.expect(RESET, 7, 1)
    peer.expect_silence(0.1)
    chip.answer(5)
    peer.expect(OPEN, 7, 2)
    # Frames of the session before are not for this one.
    peer.say(FRAME, 5, 1, frame(1))
    peer.say(OPEN, 5, 2)
    chip.establish(5)
    assert chip.sent(5) == 0 and chip.queue(5)["stale"] == 1
    assert chip.far(5) == (STATE_OPEN, 0, 0)


def test_peer_resets(chips: Chips) -> None:
    chip, peer = in_session(chips)
    peer.say(FRAME, 5, 1, frame(1))
    peer.say(RESET, 5, 1)
    wait_for(lambda: chip.far_state(5) == SYNC, "the reset")
    # A live peer's reset: the generation stays.
    assert chip.far(5) == (STATE_UNKNOWN, 0, 0)
    chip.answer(5)
    peer.expect(OPEN, 7, 2)


def test_reset_waits_for_a_guest_at_ack(chips: Chips) -> None:
    """Who has not seen yet that it is established must not clear what came."""
    chip, peer, _ = chips.single(ONE)
    chip.open(5)
    peer.expect(OPEN, 7, 1)
    peer.say(OPEN, 5, 1)
    peer.say(FRAME, 5, 1, frame(1))
    peer.say(CLOSE, 5, 1)
    wait_for(lambda: chip.far(5)[2] == 1, "the departure")
    assert chip.far_state(5) == ESTABLISHED and chip.sent(5) == 1
    peer.expect_silence(0.1)
    chip.set_state(5, ESTABLISHED)
    chip.ring(5)
    assert chip.far_state(5) == SYNC


def test_peer_closes(chips: Chips) -> None:
    chip, peer = in_session(chips)
    peer.say(FRAME, 5, 1, frame(1))
    peer.say(CLOSE, 5, 1)
    wait_for(lambda: chip.far(5)[2] == 1, "the departure")
    assert chip.far(5) == (STATE_UNKNOWN, 0, 1)
    assert chip.sent(5) == 1 and chip.received(5, 0) == frame(1)
    assert chip.far_state(5) == SYNC


def test_guest_closes(chips: Chips) -> None:
    """What it sent before goes out first, as credit allows."""
    chip, peer = in_session(chips)
    chip.send(5, 0, *(frame(n) for n in range(4)))
    for number in range(4):
        assert peer.expect(FRAME, 7, 1).payload == frame(number)
    chip.send(5, 4, frame(4), frame(5))
    chip.set_open(5, 0)
    peer.expect_silence(0.1)
    # Somebody else opens it: he waits.
    chip.set_open(5, 1)
    chip.set_state(5, SYNC)
    chip.ring(5)
    assert chip.far_state(5) == ESTABLISHED
    peer.say(CREDIT, 5, 1, count=1)
    assert peer.expect(FRAME, 7, 1).payload == frame(4)
    peer.say(CREDIT, 5, 1, count=1)
    assert peer.expect(FRAME, 7, 1).payload == frame(5)
    peer.expect(CLOSE, 7, 1)
    wait_for(lambda: chip.far_state(5) == SYNC, "its turn")
    chip.answer(5)
    peer.expect(OPEN, 7, 2)


def test_two_that_leave_do_not_wait_for_each_other(chips: Chips) -> None:
    chip, peer = in_session(chips)
    chip.send(5, 0, *(frame(n) for n in range(4)))
    for _ in range(4):
        peer.expect(FRAME, 7, 1)
    chip.send(5, 4, frame(4))
    chip.set_open(5, 0)
    for number in range(4):
        peer.say(FRAME, 5, 1, frame(number))
    # They are thrown away: credit comes at once, in some portions.
    credit = 0
    while credit < 4:
        message = peer.hear()
        assert message.type == CREDIT and message.session == 1
        credit += message.count
    peer.say(CLOSE, 5, 1)
    peer.expect_silence(0.1)
    assert chip.queue(5)["session"] == 0


def test_guest_reset_closes(chips: Chips) -> None:
    chip, peer = in_session(chips)
    chip.cmd("system_reset")
    peer.expect(CLOSE, 7, 1)


def test_offer_taken_back(chips: Chips) -> None:
    chip, peer, _ = chips.single(ONE)
    chip.open(5)
    peer.expect(OPEN, 7, 1)
    chip.set_open(5, 0)
    peer.expect(CLOSE, 7, 1)
    chip.open(5)
    peer.expect(OPEN, 7, 2)


# ---- the end of a connection ----

def test_hang_up(chips: Chips) -> None:
    chip, peer = in_session(chips)
    peer.say(FRAME, 5, 1, frame(1))
    wait_for(lambda: chip.sent(5) == 1, "the frame")
    peer.close()
    chip.down()
    assert chip.far(5) == (STATE_UNKNOWN, LINK, 1)
    assert chip.get("link-error") == "the far end hung up"
    assert chip.received(5, 0) == frame(1)


def test_orderly_end(chips: Chips) -> None:
    chip, peer = in_session(chips)
    peer.say(GOODBYE)
    chip.down()
    assert chip.far(5) == (STATE_UNKNOWN, 0, 1)
    assert chip.get("link-error") == "the far chip has ended"
    peer.expect_end()


def test_quit_says_goodbye(chips: Chips) -> None:
    chip, peer = in_session(chips)
    chip.quit()
    assert peer.goodbye() == ""


def test_refusal_of_the_peer(chips: Chips) -> None:
    chip, peer = in_session(chips)
    peer.say(GOODBYE, payload=b"no\x1b[2Jmore")
    chip.down()
    assert chip.far(5) == (STATE_UNKNOWN, VALIDATION, 1)
    assert chip.get("link-error") == 'the far chip ended it, saying of us: "no?[2Jmore"'


def test_comes_back(chips: Chips) -> None:
    """A new connection starts with new numbers."""
    path = chips.path()
    chip = chips.listening(path, [ONE])
    chip.set_open(5, 1)
    chip.set_state(5, SYNC)
    chip.ring(5)
    for generation in range(3):
        peer = chips.peer(path, [ONE])
        chip.up()
        assert chip.get("connections") == generation + 1
        chip.answer(5)
        peer.expect(OPEN, 7, 1)
        peer.say(OPEN, 5, 1)
        chip.establish(5)
        peer.close()
        chip.down()
        wait_for(lambda: chip.far_state(5) == SYNC, "the next one")
        assert chip.far(5) == (STATE_UNKNOWN, LINK, generation + 1)


def test_no_session_no_departure(chips: Chips) -> None:
    chip, peer, _ = chips.single(ONE)
    chip.open(5)
    peer.expect(OPEN, 7, 1)
    peer.close()
    chip.down()
    assert chip.far(5) == (STATE_UNKNOWN, 0, 0)


def test_keep_alive(chips: Chips) -> None:
    """Who has nothing to say says PING; who says nothing is dead."""
    path = chips.path()
    chip = chips.listening(path, [ONE], keepalive=400)
    peer = chips.peer(path, [ONE])
    chip.up()
    for _ in range(8):
        assert peer.hear(pings=True).type == PING
        peer.say(PING)
    assert chip.get("link")
    start = time.monotonic()
    assert "nothing came for" in peer.goodbye()
    assert time.monotonic() - start < 2
    chip.down()


def test_stopped_peer_is_dead_within_two_seconds(chips: Chips) -> None:
    a, b = chips.pair(ONE)
    for chip, device in ((a, 5), (b, 7)):
        chip.open(device)
    a.establish(5)
    b.establish(7)
    pid = b.get_pid()
    assert pid
    with stopped(pid):
        start = time.monotonic()
        a.down()
        assert time.monotonic() - start < 2
        assert a.far(5) == (STATE_UNKNOWN, LINK, 1)
    # It comes back by itself.
    a.up()
    b.up()


def test_paused_vm_is_not_dead(chips: Chips) -> None:
    a, b = chips.pair(ONE, keepalive=200)
    b.cmd("stop")
    time.sleep(0.5)
    assert a.get("link") and b.get("link")
    assert a.get("connections") == 1


# ---- two devices ----

def test_two_chips_exchange_frames(chips: Chips) -> None:
    a, b = chips.pair(ONE, TWO)
    a.open(5)
    assert a.far_state(5) == SYNC
    b.open(7)
    a.establish(5)
    b.establish(7)
    for number in range(20):
        a.send(5, number, frame(number))
        wait_for(lambda: b.sent(7) == number + 1, "the frame")
        assert b.received(7, number) == frame(number)
        b.consume(7, number + 1)
        b.send(7, number, frame(number + 1000))
        wait_for(lambda: a.sent(5) == number + 1, "the answer")
        assert a.received(5, number) == frame(number + 1000)
        a.consume(5, number + 1)


def test_killed_chip(chips: Chips) -> None:
    a, b = chips.pair(ONE)
    a.open(5)
    b.open(7)
    a.establish(5)
    b.establish(7)
    pid = b.get_pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    start = time.monotonic()
    a.down()
    assert time.monotonic() - start < 1
    assert a.far(5) == (STATE_UNKNOWN, LINK, 1)
    a.expect_interrupt(5)


def test_large_frames_go_through_small_buffers(chips: Chips) -> None:
    """A message that no socket takes in one go."""
    channel = Channel(5, 5, nframes=3, frame_size=1 << 20)
    a, b = chips.pair(channel)
    a.open(5)
    b.open(5)
    a.establish(5)
    b.establish(5)
    sent: List[bytes] = [random.Random(n).randbytes(1 << 20) for n in range(5)]
    a.send(5, 0, *sent[:3])
    wait_for(lambda: b.sent(5) == 3, "three frames")
    b.consume(5, 3)
    a.send(5, 3, *sent[3:])
    wait_for(lambda: b.sent(5) == 5, "all frames")
    assert [b.received(5, n) for n in (3, 4)] == sent[3:]


# ---- what is refused ----

def test_mismatch_is_told_at_both_ends(chips: Chips) -> None:
    path = chips.path()
    a = chips.listening(path, [ONE])
    b = chips.connecting(path, [Channel(7, 5, nframes=8)])
    wait_for(lambda: a.get("link-error") and b.get("link-error"), "both refuse")
    text = "our device 5 has 4 frames of 64 bytes, its device 7 has 8 of 64"
    other = "our device 7 has 8 frames of 64 bytes, its device 5 has 4 of 64"
    said = (a.get("link-error"), b.get("link-error"))
    assert text in said[0] or other in said[0]
    assert text in said[1] or other in said[1]
    assert not a.get("link") and not b.get("link")


@pytest.mark.parametrize("version, magic, text", [
    (2, b"vsoc-c2c", "it speaks version 2 of the link, we speak 1"),
    (1, b"vsoc-c2d", "it is no hv-c2c"),
])
def test_other_hello(chips: Chips, version: int, magic: bytes, text: str) -> None:
    path = chips.path()
    chip = chips.listening(path, [ONE])
    peer = chips.peer(path, [ONE], hello=False)
    peer.say(HELLO, payload=peer.hello_payload(version=version, magic=magic))
    assert peer.goodbye() == text
    wait_for(lambda: chip.get("link-error") == text, "it says so")


def test_log_says_a_refusal_once(chips: Chips) -> None:
    path = chips.path()
    chip = chips.listening(path, [ONE])
    for _ in range(4):
        peer = chips.peer(path, [ONE], hello=False)
        peer.say(HELLO, payload=peer.hello_payload(channels=[]))
        peer.goodbye()
    chip.quit()
    log = chip.get_log()
    assert log is not None
    assert log.count("the link to the other chip is down: our device 5 goes to its device 7, "
                     "which this link does not carry there") == 1


@pytest.mark.parametrize("what, errors, text", [
    (lambda peer: peer.message(PING, device=5), VALIDATION, "does not fit"),
    (lambda peer: peer.message(9), VALIDATION, "unknown type 9"),
    (lambda peer: peer.message(HELLO, payload=peer.hello_payload()), VALIDATION, "HELLO twice"),
    (lambda peer: peer.message(OPEN, 6, 1), VALIDATION, "device 6"),
    (lambda peer: peer.message(OPEN, 5, 3), VALIDATION, "out of turn"),
    (lambda peer: peer.message(OPEN, 5, 2), VALIDATION, "before it ended"),
    (lambda peer: peer.message(CLOSE, 5, 2), VALIDATION, "never opened"),
    (lambda peer: peer.message(CREDIT, 5, 1, count=1), VALIDATION, "credit"),
    (lambda peer: peer.message(CREDIT, 5, 1), VALIDATION, "does not fit"),
    (lambda peer: peer.message(FRAME, 5, 1, b"x" * 63), VALIDATION, "63 bytes"),
    (lambda peer: peer.message(FRAME, 5, 1, b"x" * 65), VALIDATION, "65 bytes"),
    (lambda peer: peer.message(FRAME, 5, 2, b"x" * 64), VALIDATION, "never opened"),
    (lambda peer: b"".join(peer.message(FRAME, 5, 1, b"x" * 64) for _ in range(5)), VALIDATION,
     "without credit"),
    (lambda peer: (peer.message(PING), peer.message(PING))[1], TRANSFER, "lost or repeated"),
    (lambda peer: 2 * peer.message(PING), TRANSFER, "lost or repeated"),
    (lambda peer: b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", VALIDATION, "unknown type"),
], ids=["field", "type", "hello", "device", "session-jump", "session-early", "session-end",
        "credit", "no-credit", "short", "long", "session", "uncovered", "lost", "repeated",
        "http"])
def test_violation(chips: Chips, what: object, errors: int, text: str) -> None:
    chip, peer = in_session(chips)
    peer.send_bytes(what(peer))     # type: ignore[operator]
    assert text in peer.goodbye()
    chip.down()
    assert chip.far(5) == (STATE_UNKNOWN, errors, 1)
    assert text in chip.get("link-error")


def test_silent_client_is_dropped(chips: Chips) -> None:
    path = chips.path()
    chips.listening(path, [ONE], keepalive=200)
    peer = chips.peer(path, [ONE], hello=False)
    assert "nothing came" in peer.goodbye()


def test_random_input(chips: Chips) -> None:
    """Any stream of bytes leaves QEMU running, its memory bounded, and the next one served."""
    path = chips.path()
    chip = chips.listening(path, [ONE])
    before = resident(chip)
    rng = random.Random(1)
    for run in range(60):
        peer = chips.peer(path, [ONE], hello=bool(run % 2))
        try:
            for _ in range(rng.randrange(1, 30)):
                if rng.random() < 0.5:
                    data = bytearray(peer.message(
                        rng.randrange(1, 9), rng.choice([0, 5]), rng.randrange(3),
                        rng.randbytes(rng.choice([0, 64]))))
                    if rng.random() < 0.3:
                        data[rng.randrange(24)] ^= 1 << rng.randrange(8)
                else:
                    data = bytearray(rng.randbytes(rng.randrange(1, 20000)))
                peer.send_bytes(bytes(data))
        except (BrokenPipeError, ConnectionResetError):
            pass
        peer.close()
        chip.down()
    assert resident(chip) - before < 8 << 20
    chips.peer(path, [ONE])
    chip.up()


def test_peer_that_takes_nothing(chips: Chips) -> None:
    """The guest goes on, memory stays, and the peer is dead in time."""
    channel = Channel(5, 7, nframes=64, frame_size=65536)
    path = chips.path()
    chip = chips.listening(path, [channel], keepalive=1000)
    peer = chips.peer(path, [channel])
    chip.up()
    chip.open(5)
    peer.expect(OPEN, 7, 1)
    peer.say(OPEN, 5, 1)
    chip.establish(5)
    before = resident(chip)
    chip.send(5, 0, *(frame(n, 65536) for n in range(64)))
    assert resident(chip) - before < 16 << 20
    assert chip.consumed(5) < 64
    chip.down()
    assert chip.far(5) == (STATE_UNKNOWN, LINK, 1)
