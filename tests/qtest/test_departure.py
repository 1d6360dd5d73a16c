# SPDX-License-Identifier: MIT
"""A death is announced: status, generation and interrupt in the survivor, once, whoever dies."""

import os
import signal

from qtest_soc import GONE, OPEN, UNKNOWN, Soc, refusal, device_args, stopped, wait_for


def test_open_and_close(soc: Soc) -> None:
    a, b, c = soc.boot(2, 3, 9)
    assert b.status(10) == (UNKNOWN, 0)
    a.set_open(10, 1)
    assert b.status(10) == (OPEN, 0)
    a.set_open(10, 0)
    assert b.status(10) == (GONE, 1)
    b.expect_interrupt(10)
    a.set_open(10, 1)
    assert b.status(10) == (OPEN, 1)
    a.set_open(10, 0)
    assert b.status(10) == (GONE, 2)
    b.expect_interrupt(10)
    # Nobody else hears of it, and A does not see itself.
    assert a.status(10) == (UNKNOWN, 0)
    assert (b.status(12), c.status(11)) == ((UNKNOWN, 0), (UNKNOWN, 0))
    assert a.take_interrupts() == c.take_interrupts() == []
    assert b.queue(10)["far-state"] == "gone"
    assert b.queue(10)["far-generation"] == 2


def test_writing_it_again_does_nothing(soc: Soc) -> None:
    a, b = soc.boot(2, 3)
    a.set_open(10, 0)
    assert b.status(10) == (UNKNOWN, 0)
    a.set_open(10, 1)
    a.set_open(10, 1)
    a.set_open(10, 0)
    a.set_open(10, 0)
    b.expect_interrupt(10)
    assert b.status(10) == (GONE, 1)
    assert b.queue(10)["interrupts"] == 1


def test_loopback(soc: Soc) -> None:
    a, b = soc.boot(2, 3)
    a.set_open(256, 1)
    assert (a.status(257), a.status(256)) == ((OPEN, 0), (UNKNOWN, 0))
    a.set_open(256, 0)
    a.expect_interrupt(257)
    assert (a.status(257), a.status(256)) == ((GONE, 1), (UNKNOWN, 0))
    assert b.take_interrupts() == []


def test_guest_reset(soc: Soc) -> None:
    """All that was open is left; what was not open is not."""
    a, b, c = soc.boot(2, 3, 9)
    for queue in (10, 11, 511):
        a.set_open(queue, 1)
    b.set_open(255, 1)
    a.cmd("system_reset")
    b.expect_interrupt(10, 511)
    c.expect_interrupt(11)
    assert [b.status(queue) for queue in (10, 12, 511)] == [(GONE, 1), (UNKNOWN, 0), (GONE, 1)]
    assert c.status(11) == (GONE, 1)
    assert c.status(255) == (OPEN, 0)
    a.boot()
    assert [a.register(0x1000 + 4 * slot) for slot in range(6)] == [0] * 6
    # The guest is back: as before, the generation goes on.
    a.set_open(10, 1)
    assert b.status(10) == (OPEN, 1)
    a.ring(10)
    b.expect_interrupt(10)


def test_qemu_killed(soc: Soc) -> None:
    """Open or never said: its ends are left, and only those who face it are told."""
    a, b, c = soc.boot(2, 3, 9)
    a.set_open(10, 1)
    a.set_open(12, 1)
    a.set_open(12, 0)
    b.expect_interrupt(12)
    b.set_open(255, 1)
    a.kill_9()
    b.expect_interrupt(10, 511)
    c.expect_interrupt(11)
    assert [b.status(queue) for queue in (10, 12, 511)] == [(GONE, 1)] * 3
    assert c.status(11) == (GONE, 1)
    assert b.status(255) == (UNKNOWN, 0)
    assert c.status(255) == (OPEN, 0)
    # B and C go on.
    b.ring(255)
    c.expect_interrupt(255)


def test_qemu_ends_in_good_order(soc: Soc) -> None:
    a, b = soc.boot(2, 3)
    a.set_open(10, 1)
    a.quit()
    b.expect_interrupt(10, 12, 511)
    assert [b.status(queue) for queue in (10, 12, 511)] == [(GONE, 1)] * 3
    # Its partition is free at once, and its successor finds nothing to settle.
    a = soc.boot(2)[0]
    a.set_open(10, 1)
    assert b.status(10) == (OPEN, 1)
    a.ring(10)
    b.expect_interrupt(10)


def test_killed_and_started_again(soc: Soc) -> None:
    """Several times: each life is one departure, and the new one's doorbells work."""
    a, b = soc.boot(2, 3)
    for life in range(3):
        assert b.status(10) == (UNKNOWN if life == 0 else GONE, life)
        a.set_open(10, 1)
        assert b.status(10) == (OPEN, life)
        a.kill_9()
        a = soc.boot(2)[0]
        wait_for(lambda: 10 in b.take_interrupts(), "the announcement")
        wait_for(lambda: b.status(10) == (GONE, life + 1), "the departure")
        b.take_interrupts()
        a.ring(12)
        b.expect_interrupt(12)
        b.ring(12)
        a.expect_interrupt(12)


def test_restarted_before_the_survivor_looks(soc: Soc) -> None:
    """B sees nothing until A has died, was started anew and has opened again: it is told."""
    a, b = soc.boot(2, 3)
    a.set_open(10, 1)
    with stopped(b.get_pid()):
        a.kill_9()
        a = soc.boot(2)[0]
        a.set_open(10, 1)
        a.set_open(12, 1)
    b.expect_interrupt(10)
    assert b.status(10) == (OPEN, 1)
    assert b.status(12) == (OPEN, 0)
    a.ring(12)
    b.expect_interrupt(12)
    assert b.status(10) == (OPEN, 1), "the late news of A's death must not bury the new A"


def test_two_deaths_before_the_survivor_looks(soc: Soc) -> None:
    a, b = soc.boot(2, 3)
    a.set_open(10, 1)
    with stopped(b.get_pid()):
        a.kill_9()
        a = soc.boot(2)[0]
        a.set_open(10, 1)
        a.kill_9()
    wait_for(lambda: b.status(10) == (GONE, 2), "both departures")
    wait_for(lambda: 10 in b.take_interrupts(), "the announcement")


def test_newcomer_learns_of_the_dead(soc: Soc) -> None:
    """Nobody saw A die; B, who comes after that, must not take it for alive."""
    a = soc.boot(2)[0]
    a.set_open(10, 1)
    a.kill_9()
    b = soc.boot(3)[0]
    assert b.status(10) == (GONE, 1)
    assert b.status(12) == (GONE, 1)
    # That is no news to a guest that starts now.
    soc.boot(9)[0].ring(255)
    b.expect_interrupt(255)


def test_newcomer_finds_the_living(soc: Soc) -> None:
    a = soc.boot(2)[0]
    a.set_open(10, 1)
    b = soc.boot(3)[0]
    assert b.status(10) == (OPEN, 0)
    assert b.status(12) == (UNKNOWN, 0)


def test_own_remains_are_settled(soc: Soc) -> None:
    """Nobody was there when A died and came back: the end it left open is not the new one's."""
    a = soc.boot(2)[0]
    a.set_open(10, 1)
    a.kill_9()
    soc.boot(2)
    b = soc.boot(3)[0]
    assert b.status(10) == (GONE, 1)


def test_sigterm_is_good_order(soc: Soc) -> None:
    a, b = soc.boot(2, 3)
    a.set_open(10, 1)
    os.kill(a.get_pid(), signal.SIGTERM)
    b.expect_interrupt(10, 12, 511)
    assert b.status(10) == (GONE, 1)


def test_server_dies(soc: Soc) -> None:
    """The link is down; queues, doorbells and announcements between those who are there go on."""
    a, b = soc.boot(2, 3)
    a.set_open(10, 1)
    assert soc.server
    soc.server.kill()
    for vm in (a, b):
        wait_for(lambda: vm.register(0xc) == 0, "LINK clears")  # pylint: disable=W0640
        assert vm.get("link") is False
    a.ring(12)
    b.expect_interrupt(12)
    a.set_open(10, 0)
    b.expect_interrupt(10)
    assert b.status(10) == (GONE, 1)
    a.set_open(10, 1)
    a.quit()
    b.expect_interrupt(10, 12, 511)
    assert b.status(10) == (GONE, 2)


def test_server_is_terminated(soc: Soc) -> None:
    """A known fault of the server: it buries the living first. Nobody may fall over that."""
    a, b = soc.boot(2, 3)
    assert soc.server
    soc.server.process.terminate()
    soc.server.process.wait()
    for vm in (a, b):
        wait_for(lambda: vm.register(0xc) == 0, "LINK clears")  # pylint: disable=W0640
    a.set_open(10, 1)
    a.ring(10)
    a.set_open(10, 0)
    a.quit()
    assert b.register(8) == 3


def test_taken_while_it_lives(soc: Soc) -> None:
    """A second QEMU of a partition is refused, and the first one notices nothing."""
    a, b = soc.boot(2, 3)
    a.set_open(10, 1)
    assert soc.server
    message = refusal(device_args(soc.server.socket, pct=soc.table.path, partition=2))
    assert message.startswith("partition GID_A is taken by a running VM (client ")
    assert b.status(10) == (OPEN, 0)
    a.ring(10)
    b.expect_interrupt(10)
    b.ring(10)
    a.expect_interrupt(10)
