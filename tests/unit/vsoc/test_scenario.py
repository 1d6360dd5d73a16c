# SPDX-License-Identifier: MIT
"""What scenarios are written with (vsoclib.scenario), on a SoC without QEMU: what reaches which
device, what a wait sees, and what is of a test and what is not.
"""

import time
from pathlib import Path
from typing import Any, Callable

import pytest
from fake_soc import FakeEngine, FakeMachine
from vsoclib.agent import Result
from vsoclib.channel import ChannelRefused, Said
from vsoclib.errors import (ConfigError, GuestError, PanicError, ProcessError, StateError,
                            WaitTimeout)
from vsoclib.scenario import Process, Queue, Soc

SHORT = 0.01


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    return FakeEngine(tmp_path)


@pytest.fixture
def soc(engine: FakeEngine) -> Soc:
    return engine.soc()


@pytest.fixture
def guest(engine: FakeEngine) -> FakeMachine:
    return engine.machines["guest"]


def set_faults(engine: FakeEngine) -> "list[tuple[str, str, dict[str, Any]]]":
    """What its devices were asked for."""
    return [(vm, device, {key: value for key, value in each.items()
                          if key not in ("id", "left", "hits")})
            for vm, machine in engine.machines.items()
            for device, found in machine.devices.items() for each in found.faults]


# Programs

class Program:
    """One that spawn() has started, and its guest's side of it."""

    def __init__(self, soc: Soc, guest: FakeMachine) -> None:
        self.process: Process = soc["guest"].spawn(["app", "a b"])
        self.future, self._output = guest.started[-1]

    def print(self, data: bytes, is_error: bool = False) -> None:
        """As the guest agent hands it over."""
        self._output(is_error, data)

    def end(self, code: int = 0) -> None:
        """It ends by itself."""
        self.future.set_result(Result(code, b"", b""))


@pytest.fixture
def program(soc: Soc, guest: FakeMachine) -> Program:
    return Program(soc, guest)


def test_lines_come_in_pieces(program: Program) -> None:
    program.print(b"one\r\ntw")
    assert program.process.wait_line("^one$")[0] == "one"
    with pytest.raises(WaitTimeout, match="no line with /tw/"):
        program.process.wait_line("tw", SHORT)
    program.print("o \u00e4".encode()[:-1])
    program.print("\u00e4".encode()[-1:] + b"\n")
    assert program.process.wait_line("two (.)")[1] == "\u00e4"


def test_a_line_is_found_once(program: Program) -> None:
    program.print(b"tick\ntick\n")
    for _ in range(2):
        program.process.wait_line("tick", SHORT)
    with pytest.raises(WaitTimeout):
        program.process.wait_line("tick", SHORT)


def test_errors_are_no_lines_but_are_shown(program: Program) -> None:
    program.print(b"the reason\n", is_error=True)
    with pytest.raises(WaitTimeout, match="(?s)`app 'a b'` has printed no line.*the reason"):
        program.process.wait_line("the reason", SHORT)


def test_the_last_line_needs_no_newline_when_it_is_over(program: Program) -> None:
    program.print(b"first\nhalf a li")
    assert program.process.lines == ["first"]
    program.print(b"ne")
    program.end()
    assert program.process.lines == ["first", "half a line"]
    assert program.process.wait_line("^half a line$")
    with pytest.raises(GuestError, match="ended, and printed no line with /line/"):
        program.process.wait_line("line")


def test_all_that_was_printed_counts_when_it_has_ended(program: Program) -> None:
    program.print(b"first\n")
    program.end(3)
    assert program.process.wait_line("first")
    with pytest.raises(GuestError, match="(?s)ended with 3.*first"):
        program.process.wait()
    done = program.process.wait(check=False)
    assert (done.command, done.returncode, done.stdout) == ("app 'a b'", 3, "first\n")


def test_a_vm_that_ends_under_a_program(program: Program) -> None:
    program.future.set_exception(ProcessError("guest: QEMU has ended", ["qemu"], -9))
    for wait in (lambda: program.process.wait(), lambda: program.process.wait_line("x")):
        with pytest.raises(ProcessError, match="QEMU has ended"):
            wait()
    assert not program.process.running


def test_a_program_that_is_killed(program: Program) -> None:
    program.process.kill()
    program.process.kill()
    assert program.process.wait(check=False).returncode == 137
    with pytest.raises(GuestError, match="ended with 137"):
        program.process.wait()
    with pytest.raises(GuestError, match="printed no line"):
        program.process.wait_line("x")


def test_the_end_of_a_test_kills_what_it_started(soc: Soc, program: Program) -> None:
    soc.end()
    assert program.future.cancelled() and soc["guest"].programs == []


# A VM's life

def test_reset_ends_a_pause(soc: Soc, guest: FakeMachine) -> None:
    soc["guest"].pause()
    assert soc["guest"].state == "paused"
    soc["guest"].reset()
    assert guest.done == ["stop", "reset"] and soc["guest"].state == "running"


def test_start_waits_as_long_as_soc_toml_says(soc: Soc, guest: FakeMachine) -> None:
    with pytest.raises(StateError, match="guest is running; reset"):
        soc["guest"].start()
    soc["guest"].kill()
    soc["guest"].start()
    assert guest.done == ["kill", "start", "ready 77"]


@pytest.mark.parametrize("act", [
    lambda vm: vm.kill(), lambda vm: vm.reset(), lambda vm: vm.pause(), lambda vm: vm.resume(),
    lambda vm: vm.exec("x"), lambda vm: vm.spawn("x"), lambda vm: vm.push(b"", "/x"),
    lambda vm: vm.pull("/x"), lambda vm: vm.qmp("stop"), lambda vm: vm.wait_line("x"),
    lambda vm: vm.kernel_log(), lambda vm: vm.link_down()])
def test_what_a_vm_that_has_ended_cannot(act: Callable[[Any], object], soc: Soc) -> None:
    soc["guest"].kill()
    with pytest.raises(ProcessError, match="guest: QEMU has ended"):
        act(soc["guest"])


@pytest.mark.parametrize("act", [lambda vm: vm.exec("x"), lambda vm: vm.spawn("x"),
                                 lambda vm: vm.push(b"", "/x"), lambda vm: vm.pull("/x")])
def test_what_a_guest_that_is_in_no_state_to_answer_cannot(act: Callable[[Any], object], soc: Soc,
                                                           guest: FakeMachine) -> None:
    guest.status = "paused"
    with pytest.raises(StateError, match="paused: nothing can run in it until resume"):
        act(soc["guest"])
    guest.status = "panicked"
    with pytest.raises(PanicError, match="Kernel panic"):
        act(soc["guest"])
    assert guest.started == [] and guest.files == {}


def test_waits_for_a_panic_and_an_exit(soc: Soc, guest: FakeMachine) -> None:
    guest.say("what it did\n")
    vm = soc["guest"]
    vm.rewind()
    with pytest.raises(WaitTimeout, match="(?s)has not panicked in 0.01 s.*what it did"):
        vm.wait_panic(SHORT)
    with pytest.raises(WaitTimeout, match="runs on after 0.01 s"):
        vm.wait_exit(SHORT)
    guest.status = "panicked"
    assert vm.wait_panic(SHORT) == "Kernel panic - not syncing: fake"
    guest.status = "stopped"
    assert vm.wait_exit(SHORT) == "guest: QEMU has ended (killed by signal 9)"
    with pytest.raises(ProcessError):       # it will not panic any more
        vm.wait_panic(SHORT)


def test_health(engine: FakeEngine, soc: Soc, guest: FakeMachine) -> None:
    guest.status = "paused"
    engine.machines["update"].status = "panicked"
    soc.begin()
    assert "cont" in guest.done and "start" not in guest.done
    assert [each for each in engine.machines["update"].done if not each.startswith("q")] == \
        ["kill", "start", "ready 77"]
    assert all(vm.state == "running" for vm in soc)


def test_a_guest_that_runs_but_is_of_no_use(soc: Soc, guest: FakeMachine) -> None:
    def dead_until_it_starts_anew(_: object) -> Result:
        return Result(0 if guest.starts > 1 else 1, b"", b"")
    guest.guest = dead_until_it_starts_anew
    soc.begin()
    assert guest.starts == 2


# What it says

def test_what_was_on_the_console_before_is_not_of_the_test(soc: Soc, guest: FakeMachine) -> None:
    vm = soc["guest"]
    guest.say("before\n")
    soc.begin()
    guest.say("after 1\nafter 2\nhal")
    assert vm.console() == "after 1\nafter 2\nhal"
    assert vm.wait_line("after", SHORT).string == "after 1"
    assert vm.wait_line("after", SHORT).string == "after 2"
    for pattern in ("before", "after", "hal"):
        with pytest.raises(WaitTimeout, match=f"no line with /{pattern}/ on its console in 0.01 s"):
            vm.wait_line(pattern, SHORT)
    vm.rewind()
    assert vm.wait_line("before", SHORT)


def test_the_last_words_of_a_vm_count(soc: Soc, guest: FakeMachine) -> None:
    guest.say("last words\n")
    guest.status = "stopped"
    soc["guest"].rewind()
    assert soc["guest"].wait_line("last words")
    with pytest.raises(ProcessError, match="QEMU has ended"):
        soc["guest"].wait_line("more")


def test_the_kernel_log_of_a_test(soc: Soc, guest: FakeMachine) -> None:
    log = b"[    0.000000] Linux version\n[   12.000001] old\n"
    guest.guest = lambda _: Result(0, log, b"")
    soc.begin()
    assert soc["guest"].kernel_log() == ""
    log += b"[   12.000002] new\n and its second line\n"
    assert soc["guest"].kernel_log() == "[   12.000002] new\n and its second line\n"
    guest.starts += 1
    log = b"[    0.000000] Linux version\n"
    assert soc["guest"].kernel_log() == log.decode()


def test_the_transcript_of_a_test(soc: Soc, guest: FakeMachine) -> None:
    def said(command: str, seconds: float, **more: Any) -> None:
        guest.said.append(Said(**{"seconds": seconds, "command": command, "arguments": {},
                                  "answer": {}, "error": "", **more}))
    said("before", time.time() - 60)
    guest.event("BEFORE", time.time() - 60)
    soc.begin()
    now = time.time()
    said("second", int(now) + 2.5, error="no such thing")
    guest.event("EVENT", int(now) + 2.0)
    said("first", int(now) + 1.0 + 0.9996, arguments={"a": 1}, answer=[2])
    lines = soc["guest"].transcript().splitlines()
    assert [line[14:] for line in lines] == ['-> first {"a": 1}', "<- [2]", "** EVENT {}",
                                             "-> second", "<- no such thing"]


def test_files(soc: Soc, guest: FakeMachine, tmp_path: Path) -> None:
    (tmp_path / "app").write_bytes(b"x")
    (tmp_path / "app").chmod(0o750)
    vm = soc["guest"]
    vm.push(tmp_path / "app", "/1")
    vm.push(str(tmp_path / "app"), "/2", mode=0o600)
    vm.push(b"y", "/3")
    assert guest.files == {"/1": (b"x", 0o750), "/2": (b"x", 0o600), "/3": (b"y", 0o644)}
    assert vm.pull("/3", tmp_path / "out") == b"y" == (tmp_path / "out").read_bytes()
    with pytest.raises(ConfigError, match="cannot read /no/such: No such file"):
        vm.push("/no/such", "/4")
    with pytest.raises(ConfigError, match="cannot write /no/such: No such file"):
        vm.pull("/3", "/no/such")


def test_qmp_takes_names_as_python_has_them(soc: Soc, guest: FakeMachine,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    seen: "list[tuple[str, object]]" = []
    monkeypatch.setattr(guest, "qmp", lambda command, words: seen.append((command, words)))
    soc["guest"].qmp("set_it", read_only=True)
    assert seen == [("set_it", {"read-only": True})]


# Queues

def test_the_ends_of_queues(soc: Soc) -> None:
    assert soc.queue(255).vms == ["update", "guest"]
    assert [(end.vm, end.queue) for end in soc.queue(7).stats().ends] == [("guest", 7),
                                                                          ("guest", 6)]
    assert soc.queue(264).vms == ["guest"]      # no VM runs the other partition
    assert [(end.vm, end.device, end.queue) for end in soc.channel("update", 9).stats().ends] == \
        [("update", "c2c0", 9), ("guest", "c2c0", 5)]


@pytest.mark.parametrize("look,text", [
    (lambda soc: soc["gast"], "no VM 'gast'; there are guest, update"),
    (lambda soc: soc.queue(1), "no queue 1; it has 6, 7, 255, 264"),
    (lambda soc: soc.queue(255, chip="b"), "chip= one of fake"),
    (lambda soc: soc.channel("guest", 9), "guest has no channel 9"),
    (lambda soc: soc.queue(255).drop_doorbells(vm="gast"), "no end in 'gast'; it has update and")])
def test_what_is_not_there(look: Callable[[Soc], object], text: str, soc: Soc) -> None:
    with pytest.raises(ConfigError, match=text):
        look(soc)


def test_stats(soc: Soc, guest: FakeMachine) -> None:
    element = guest.devices["ivc"].queues[255]
    element.update({"tx-state": 7, "tx-count": 99, "dropped": 2, "of-a-later-version": 1})
    stats = soc.queue(255).stats()
    assert list(stats) == ["update", "guest"] and len(stats) == 2
    end = stats["guest"]
    assert (end.vm, end.device, end.queue, end.tx_count, end.dropped) == ("guest", "ivc", 255, 99, 2)
    assert end.state == "invalid 0x7" and stats["update"].state == "established"
    soc["guest"].kill()
    with pytest.raises(KeyError, match="no running VM 'guest' has this queue; there are update"):
        soc.queue(255).stats()["guest"]


@pytest.mark.parametrize("change", [{"open": False}, {"tx-state": 1}, {"rings-out": 0}])
@pytest.mark.parametrize("vm", ["guest", "update"])
def test_established_is_what_both_ends_say(vm: str, change: "dict[str, object]",
                                           engine: FakeEngine, soc: Soc) -> None:
    assert soc.queue(255).established
    engine.machines[vm].devices["ivc"].queues[255].update(change)
    assert not soc.queue(255).established
    with pytest.raises(WaitTimeout, match="(?s)queue 255 is not established after 0.01 s:.*vm=g"):
        soc.queue(255).wait_established(SHORT)


def test_a_queue_whose_vm_has_ended_is_not_established(soc: Soc) -> None:
    for queue in (soc.queue(255), soc.channel("guest", 5)):
        assert queue.established
    soc["update"].kill()
    for queue in (soc.queue(255), soc.channel("guest", 5)):
        assert not queue.established


def test_a_channel_to_another_host(tmp_path: Path) -> None:
    engine = FakeEngine(tmp_path, both_ends=False)
    channel = engine.soc().channel("guest", 5)
    assert channel.vms == ["guest"] and channel.wait_established(SHORT)["guest"].open
    element = engine.machines["guest"].devices["c2c0"].queues[5]
    for change in ({"open": False}, {"tx-state": 1}, {"rings-out": 0}, {"far-state": "unknown"}):
        before = dict(element)
        element.update(change)
        assert not channel.established
        element.update(before)
    engine.soc()["guest"].kill()
    assert not channel.established


# Faults

@pytest.mark.parametrize("inject,fault", [
    (lambda q: q.drop_doorbells(3, vm="guest"),
     {"kind": "drop", "direction": "out", "count": 3}),
    (lambda q: q.drop_doorbells(vm="guest", direction="in", ms=100),
     {"kind": "drop", "direction": "in", "ms": 100}),
    (lambda q: q.delay_doorbells(50, 2, vm="guest"),
     {"kind": "delay", "direction": "out", "delay-ms": 50, "count": 2}),
    (lambda q: q.duplicate_doorbells(vm="guest"), {"kind": "duplicate", "direction": "out"}),
    (lambda q: q.spurious_doorbells(vm="guest"),
     {"kind": "spurious", "direction": "out", "count": 1}),
    (lambda q: q.corrupt_header("tx-count", 0, vm="guest"),
     {"kind": "header", "direction": "out", "word": "tx-count", "value": 0}),
    (lambda q: q.flip_bytes(0, vm="guest", direction="in"),
     {"kind": "frame", "direction": "in", "offset": 0, "xor": 255, "count": 1})])
def test_what_a_fault_asks_the_device_for(inject: Callable[[Queue], None],
                                          fault: "dict[str, object]", engine: FakeEngine,
                                          soc: Soc) -> None:
    inject(soc.queue(255))
    assert set_faults(engine) == [("guest", "ivc", {"queue": 255, **fault})]


def test_where_faults_go(engine: FakeEngine, soc: Soc) -> None:
    drop = {"kind": "drop", "direction": "out"}
    soc.queue(255).drop_doorbells()
    soc.queue(6).drop_doorbells(vm="guest")
    soc.channel("guest", 5).drop_doorbells(vm="update")
    assert set_faults(engine) == [
        ("guest", "ivc", {"queue": 255, **drop}), ("guest", "ivc", {"queue": 6, **drop}),
        ("guest", "ivc", {"queue": 7, **drop}), ("update", "ivc", {"queue": 255, **drop}),
        ("update", "c2c0", {"queue": 9, **drop})]
    assert [(each.vm, each.queue) for each in soc.queue(255).faults()] == \
        [("update", 255), ("guest", 255)]
    assert str(soc["update"].faults()[0]) == \
        "update:ivc: queue 255: drop out: 0 hit, until it is cleared"
    soc.queue(255).clear_faults()
    assert [fault["queue"] for _, _, fault in set_faults(engine)] == [6, 7, 9]
    soc.clear_faults()
    assert set_faults(engine) == []


def test_a_fault_at_both_ends_of_a_queue_that_has_one(engine: FakeEngine, soc: Soc) -> None:
    soc["guest"].kill()
    with pytest.raises(ProcessError, match="guest: QEMU has ended"):
        soc.queue(255).drop_doorbells()
    assert set_faults(engine) == []             # none, not half of it
    soc.queue(255).clear_faults()
    assert soc.queue(255).faults() == []


def test_a_fault_that_the_device_refuses(soc: Soc, guest: FakeMachine) -> None:
    del guest.devices["ivc"].queues[264]
    with pytest.raises(ChannelRefused, match="no queue 264"):
        soc.queue(264).drop_doorbells()


def test_cables(soc: Soc, guest: FakeMachine) -> None:
    soc["guest"].link_down()
    assert not guest.devices["ivc"].link and guest.devices["c2c0"].link
    soc["guest"].link_down("c2c0")
    soc["guest"].link_up()
    assert guest.devices["ivc"].link and not guest.devices["c2c0"].link
    with pytest.raises(ConfigError, match="guest has no device 'c2c1'; it has ivc, c2c0"):
        soc["guest"].link_down("c2c1")
    soc.clear_faults()
    assert guest.devices["c2c0"].link


@pytest.mark.parametrize("when", ["begin", "end"])
def test_no_fault_goes_from_test_to_test(when: str, engine: FakeEngine, soc: Soc,
                                         guest: FakeMachine) -> None:
    soc.queue(255).drop_doorbells()
    soc["guest"].link_down("c2c0")
    getattr(soc, when)()
    assert set_faults(engine) == [] and guest.devices["c2c0"].link


def test_the_end_of_a_test_that_left_a_vm_dead(soc: Soc) -> None:
    soc["update"].kill()
    soc.end()
    assert soc["update"].state == "stopped"     # the next test's begin() starts it
