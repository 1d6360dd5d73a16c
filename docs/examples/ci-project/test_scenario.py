# SPDX-License-Identifier: MIT
"""What a board does once a month, each time: the heartbeat has to survive it."""

import pytest


@pytest.fixture
def answering(soc):
    """The answering end, at work in the guest."""
    return soc["guest"].spawn("heartbeat answer heartbeat")


@pytest.fixture
def beating(soc, answering):
    """The beating end, at work in the other VM and established."""
    program = soc["update"].spawn("heartbeat beat heartbeat 100")
    program.wait_line("beat 5")
    return program


def repeated(beating):
    """How many beats had to be repeated, at the end."""
    beating.wait()
    return int(beating.wait_line(r"100 beats answered, (\d+) repeated")[1])


def test_good_run(soc, beating):
    stats = soc.queue(255).wait_established()
    assert stats["guest"].open and stats["update"].open
    assert repeated(beating) == 0


def test_lost_doorbells(soc, beating):
    soc.queue(255).drop_doorbells(3, vm="update")
    soc.queue(255).drop_doorbells(2, vm="guest")
    assert repeated(beating) == 0       # late, but all there
    stats = soc.queue(255).stats()
    assert stats["update"].dropped == 3 and stats["guest"].dropped == 2


def test_damaged_frames(soc, beating):
    soc.queue(255).flip_bytes(offset=10, count=2, vm="update")
    assert repeated(beating) == 2


def test_peer_killed(soc, beating):
    soc["guest"].kill()
    beating.wait_line("peer lost 1", timeout=5)
    soc["guest"].start()
    soc["guest"].spawn("heartbeat answer heartbeat")
    beating.wait_line("peer is there")
    repeated(beating)


def test_peer_reset(soc, beating):
    soc["guest"].reset()
    soc["guest"].spawn("heartbeat answer heartbeat")
    beating.wait_line("peer lost 1")
    beating.wait_line("peer is there")
    repeated(beating)


def test_peer_frozen(soc, answering):
    beating = soc["update"].spawn("heartbeat beat heartbeat 100")
    beating.wait_line("beat 5")
    soc["guest"].pause()
    assert "no answer" in beating.wait(timeout=30, check=False).stderr
    soc["guest"].resume()
    answering.wait_line("peer lost 1")
