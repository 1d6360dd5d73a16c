# SPDX-License-Identifier: MIT
"""What scenarios are written with (vsoclib.scenario), on real guests."""

import time
from pathlib import Path
from typing import Iterator

import pytest
from vsoclib.errors import (ConfigError, GuestError, GuestReset, ProcessError, StateError,
                            WaitTimeout)
from vsoclib.scenario import Process, Soc
from vsoclib.soc import Soc as Engine

PEER = ["open:ivc_test", "reset", "est"]


@pytest.fixture
def soc(started: Engine) -> Iterator[Soc]:
    """As the plug-in gives it to a test."""
    ready = Soc(started)
    ready.begin()
    yield ready
    ready.end()


def steps(soc: Soc, vm: str, *words: str) -> Process:
    return soc[vm].spawn(["steps", *words])


# exec, push, pull

def test_exec(soc: Soc) -> None:
    done = soc["guest"].exec("echo out; echo err >&2")
    assert (done.command, done.returncode) == ("echo out; echo err >&2", 0)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    assert soc["guest"].exec(["printf", "%s", "$HOME"]).stdout == "$HOME"
    assert soc["guest"].exec("cat", stdin="text\n").stdout == "text\n"


def test_exec_that_fails(soc: Soc) -> None:
    with pytest.raises(GuestError, match="guest: `echo why; exit 3` ended with 3:\nwhy"):
        soc["guest"].exec("echo why; exit 3")
    assert soc["guest"].exec("exit 3", check=False).returncode == 3


def test_exec_that_takes_too_long(soc: Soc) -> None:
    with pytest.raises(GuestError, match="did not end in 0.5 s and was killed"):
        soc["guest"].exec("sleep 100", timeout=0.5)
    assert soc["guest"].exec("pidof sleep", check=False).returncode == 1


def test_push_and_pull(soc: Soc, tmp_path: Path) -> None:
    (tmp_path / "app").write_bytes(b"#!/bin/sh\necho it runs\n")
    (tmp_path / "app").chmod(0o755)
    soc["guest"].push(tmp_path / "app", "/tmp/app")
    assert soc["guest"].exec("/tmp/app").stdout == "it runs\n"
    soc["guest"].push(b"\0\1", "/tmp/data", mode=0o600)
    assert soc["guest"].exec("stat -c %a /tmp/data").stdout == "600\n"
    assert soc["guest"].pull("/tmp/data", tmp_path / "data") == b"\0\1"
    assert (tmp_path / "data").read_bytes() == b"\0\1"
    soc["guest"].exec("rm /tmp/app /tmp/data")
    with pytest.raises(ConfigError, match="cannot read /no/such"):
        soc["guest"].push("/no/such", "/tmp/x")
    with pytest.raises(GuestError, match="No such file"):
        soc["guest"].pull("/tmp/none")


# spawn

def test_spawn(soc: Soc) -> None:
    talker = soc["guest"].spawn("for i in 1 2 3; do echo line $i; done; echo e >&2; read x; exit 4")
    assert talker.wait_line(r"line (\d)")[1] == "1"
    assert talker.wait_line(r"line (\d)")[1] == "2"
    done = talker.wait(check=False)
    assert (done.returncode, talker.running) == (4, False)
    assert (talker.lines, done.stderr) == (["line 1", "line 2", "line 3"], "e\n")
    with pytest.raises(GuestError, match="(?s)ended with 4.*line 3"):
        talker.wait()


def test_a_line_that_does_not_come(soc: Soc) -> None:
    talker = soc["guest"].spawn("echo hello; sleep 100")
    with pytest.raises(WaitTimeout, match="(?s)no line with /good .bye/ in 1 s.*hello"):
        talker.wait_line("good ?bye", timeout=1)
    with pytest.raises(WaitTimeout, match="(?s)has not ended in 0.2 s.*hello"):
        talker.wait(timeout=0.2)
    start = time.monotonic()
    talker.kill()
    assert time.monotonic() - start < 5
    assert talker.wait(check=False).returncode == 137
    with pytest.raises(GuestError, match="ended, and printed no line with /more/"):
        talker.wait_line("more")
    talker.kill()


def test_programs_end_with_their_test(started: Engine) -> None:
    soc = Soc(started)
    soc.begin()
    soc["guest"].spawn("sleep 977")
    soc["update"].spawn("sleep 977")
    soc.end()
    for vm in soc:
        assert vm.exec("pidof sleep", check=False).returncode == 1


# console, kernel log

def test_console(soc: Soc) -> None:
    guest = soc["guest"]
    assert guest.console() == ""
    guest.exec("(echo one; echo two; echo two) >/dev/ttyAMA0")
    assert guest.wait_line("t(w)o")[1] == "w"
    guest.wait_line("two")
    with pytest.raises(WaitTimeout, match="(?s)no line with /two/ on its console in 0.3 s.*one"):
        guest.wait_line("two", timeout=0.3)
    assert guest.console().replace("\r", "") == "one\ntwo\ntwo\n"
    soc.begin()
    assert guest.console() == ""


def test_kernel_log(soc: Soc) -> None:
    guest = soc["guest"]
    assert "one of ours" not in guest.kernel_log()
    guest.exec("echo one of ours >/dev/kmsg")
    assert guest.kernel_log().splitlines()[-1].endswith("] one of ours")
    assert "Linux version" not in guest.kernel_log()
    soc.begin()
    assert guest.kernel_log() == ""
    guest.reset()
    assert "Linux version" in guest.kernel_log()


# kill, reset, pause, panic

def test_kill_and_start(soc: Soc) -> None:
    guest, update = soc["guest"], soc["update"]
    peer = steps(soc, "update", *PEER, "lost", "again", "recv:1:0:5", "hold")
    sender = steps(soc, "guest", *PEER, "hold")
    soc.queue(255).wait_established()
    guest.kill()
    assert guest.state == "stopped" and update.state == "running"
    with pytest.raises(ProcessError, match="QEMU has ended"):
        sender.wait()
    with pytest.raises(ProcessError, match="QEMU has ended"):
        guest.exec("true")
    peer.wait_line("lost ok")
    assert list(soc.queue(255).stats()) == ["update"]
    guest.start()
    steps(soc, "guest", *PEER, "send:1:0:5", "empty").wait()
    peer.wait_line("recv:1:0:5 ok")
    with pytest.raises(StateError, match="is running"):
        guest.start()


def test_reset(soc: Soc) -> None:
    peer = steps(soc, "update", *PEER, "lost", "hold")
    victim = steps(soc, "guest", *PEER, "hold")
    soc.queue(255).wait_established()
    soc["guest"].reset()
    peer.wait_line("lost ok")
    with pytest.raises(GuestReset, match="the guest was reset while `steps"):
        victim.wait()
    assert soc["guest"].exec("pidof steps", check=False).returncode == 1


def test_pause_and_resume(soc: Soc) -> None:
    guest = soc["guest"]
    clock = guest.spawn("while :; do echo tick; sleep 0.1; done")
    clock.wait_line("tick")
    guest.pause()
    assert guest.state == "paused"
    with pytest.raises(StateError, match="guest is paused.*resume"):
        guest.exec("true")
    seen = len(clock.lines)
    time.sleep(1)
    assert len(clock.lines) <= seen + 1
    guest.resume()
    assert guest.state == "running"
    for _ in range(5):
        clock.wait_line("tick")


def test_a_panic_and_the_next_test(soc: Soc) -> None:
    guest = soc["guest"]
    guest.spawn("sleep 0.5; echo c >/proc/sysrq-trigger")
    assert guest.wait_panic().startswith("Kernel panic - not syncing: sysrq")
    assert guest.panicked and guest.state == "panicked"
    assert guest.wait_line("Kernel panic") is not None
    soc.begin()
    assert guest.state == "running" and not guest.panicked
    assert guest.exec("echo alive").stdout == "alive\n"


def test_an_exit(soc: Soc) -> None:
    soc["guest"].spawn("sleep 0.5; poweroff -f")
    assert "guest: QEMU has ended: the guest shut down" in soc["guest"].wait_exit()
    with pytest.raises(WaitTimeout, match="update: it runs on after 0.2 s"):
        soc["update"].wait_exit(timeout=0.2)


# queues

def test_queue_stats(soc: Soc) -> None:
    queue = soc.queue(255)
    before = queue.stats()
    assert set(before) == {"guest", "update"} and not queue.established
    receiver = steps(soc, "update", *PEER, "recv:1:0:7", "hold")
    steps(soc, "guest", *PEER, "send:1:0:7", "empty", "hold")
    receiver.wait_line("recv:1:0:7 ok")
    stats = queue.stats()
    guest, update = stats["guest"], stats["update"]
    assert (guest.tx_count, update.rx_count, update.tx_count) == (7, 7, 0)
    assert guest.open and guest.far_state == "open" and guest.state == "established"
    assert guest.rings_out > before["guest"].rings_out
    assert update.rings_in > before["update"].rings_in
    assert update.interrupts > before["update"].interrupts
    assert guest.dropped == before["guest"].dropped
    assert update.spurious == before["update"].spurious
    assert "tx_count=7" in str(stats)
    soc["update"].kill()
    with pytest.raises(KeyError, match="no running VM 'update' has this queue; there are guest"):
        queue.stats()["update"]


def test_waiting_for_a_channel_that_does_not_come_up(soc: Soc) -> None:
    steps(soc, "guest", *PEER, "hold")
    with pytest.raises(WaitTimeout, match="(?s)queue 255 is not established after 1 s:"
                                          ".*vm=guest.*vm=update"):
        soc.queue(255).wait_established(timeout=1)


def test_a_loopback(soc: Soc) -> None:
    stats = soc.queue(256).stats()
    assert [(end.vm, end.queue) for end in stats.ends] == [("guest", 256), ("guest", 257)]


def test_what_is_not_there(soc: Soc) -> None:
    with pytest.raises(ConfigError, match="no VM 'gast'; there are guest, update"):
        soc["gast"]
    with pytest.raises(ConfigError, match="no queue 1; it has .*255"):
        soc.queue(1)
    with pytest.raises(ConfigError, match="queue 255 has no end in 'gast'"):
        soc.queue(255).drop_doorbells(1, vm="gast")
    with pytest.raises(ConfigError, match="one of tests"):
        soc.queue(255, chip="b")
    with pytest.raises(ConfigError, match="no channel 5"):
        soc.channel("guest", 5)


def test_qmp_and_its_transcript(soc: Soc) -> None:
    assert soc["guest"].qmp("qom-get", path="/machine/peripheral/ivc",
                            property="partition-id") == 2
    soc["guest"].pause()
    soc["guest"].resume()
    shown = soc["guest"].transcript()
    assert '-> qom-get {"path": "/machine/peripheral/ivc", "property": "partition-id"}' in shown
    assert "<- 2\n" in shown and "** STOP {}" in shown and "** RESUME {}" in shown
    assert shown.index("-> stop") < shown.index("** RESUME")
    soc.begin()
    assert "STOP" not in soc["guest"].transcript()


def test_a_channel_between_chips(started_chips: Engine) -> None:
    soc = Soc(started_chips)
    soc.begin()
    channel = soc.channel("a.guest", 6)
    steps(soc, "a.guest", "open:chip_odd", "reset", "est", "hold")
    steps(soc, "b.guest", "open:chip_odd", "reset", "est", "hold")
    stats = channel.wait_established()
    assert [(end.vm, end.queue, end.device) for end in stats.ends] == \
        [("a.guest", 6, "c2c0"), ("b.guest", 7, "c2c0")]
    assert [end.vm for end in soc.queue(255, chip="b").stats().ends] == ["b.guest"]
    with pytest.raises(ConfigError, match="chip= one of a, b"):
        soc.queue(255)
    soc.end()
