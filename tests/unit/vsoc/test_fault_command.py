# SPDX-License-Identifier: MIT
"""`vsoc fault` and `vsoc wait` on a SoC without QEMU: which words ask which device for what, and
what comes out.
"""

import json
import signal
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from fake_soc import FakeEngine, FakeMachine
from vsoclib import cli, soc as engine_module
from vsoclib.errors import BootTimeout

Vsoc = Callable[..., int]
Out = pytest.CaptureFixture[str]


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    return FakeEngine(tmp_path)


@pytest.fixture
def guest(engine: FakeEngine) -> FakeMachine:
    return engine.machines["guest"]


@pytest.fixture
def vsoc(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vsoc]:
    """Runs a command on it; returns the exit code."""
    monkeypatch.setattr(engine_module, "find_folder", lambda path, default: None)
    monkeypatch.setattr(engine_module.Soc, "attach", lambda folder: engine)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}

    def run(*words: object) -> int:
        try:
            return cli.main([str(word) for word in words])
        except SystemExit as end:           # argparse's
            assert isinstance(end.code, int)
            return end.code
    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def faults_of(machine: FakeMachine, device: str = "ivc") -> "list[dict[str, Any]]":
    return [{key: value for key, value in each.items() if key not in ("id", "left", "hits")}
            for each in machine.devices[device].faults]


# fault

@pytest.mark.parametrize("words,fault", [
    ("drop --count 3", {"kind": "drop", "direction": "out", "count": 3}),
    ("drop --ms 0x10 --direction in", {"kind": "drop", "direction": "in", "ms": 16}),
    ("delay --delay-ms 5", {"kind": "delay", "direction": "out", "delay-ms": 5}),
    ("duplicate", {"kind": "duplicate", "direction": "out"}),
    ("spurious --count 7", {"kind": "spurious", "direction": "out", "count": 7}),
    ("header --word rx-count --value 0",
     {"kind": "header", "direction": "out", "word": "rx-count", "value": 0}),
    ("frame", {"kind": "frame", "direction": "out"}),
    ("frame --offset 0 --xor 1 --count 2 --ms 9",
     {"kind": "frame", "direction": "out", "offset": 0, "xor": 1, "count": 2, "ms": 9})])
def test_what_the_device_is_asked_for(words: str, fault: "dict[str, object]", vsoc: Vsoc,
                                      engine: FakeEngine, guest: FakeMachine) -> None:
    assert vsoc("fault", "guest", "0xff", *words.split()) == 0
    assert faults_of(guest) == [{"queue": 255, **fault}]
    assert faults_of(engine.machines["update"]) == []


def test_a_fault_of_a_link(vsoc: Vsoc, guest: FakeMachine) -> None:
    assert vsoc("fault", "guest", 5, "drop", "--device", "c2c0") == 0
    assert faults_of(guest) == [] and faults_of(guest, "c2c0")[0]["queue"] == 5
    assert vsoc("fault", "guest", "--link", "down", "--device", "c2c0") == 0
    assert guest.devices["ivc"].link and not guest.devices["c2c0"].link
    assert vsoc("fault", "guest", "--clear") == 0
    assert guest.devices["c2c0"].link and faults_of(guest, "c2c0") == []


def test_what_is_listed_and_cleared(vsoc: Vsoc, engine: FakeEngine, guest: FakeMachine,
                                    capsys: Out) -> None:
    for vm, queue in (("guest", 255), ("guest", 264), ("update", 255)):
        vsoc("fault", vm, queue, "drop", "--count", 2)

    def shown(*words: object) -> "list[tuple[str, int]]":
        capsys.readouterr()
        assert vsoc("fault", *words, "--list", "--json") == 0
        return [(each["vm"], each["queue"]) for each in json.loads(capsys.readouterr().out)]
    assert shown() == [("guest", 255), ("guest", 264), ("update", 255)]
    assert shown("guest") == [("guest", 255), ("guest", 264)]
    assert shown("guest", 264) == [("guest", 264)]
    assert shown("guest", 6) == []
    assert vsoc("fault", "guest", "255", "--clear") == 0
    assert shown() == [("guest", 264), ("update", 255)]
    assert vsoc("fault", "--clear") == 0
    assert shown() == []
    vsoc("fault", "--list")
    assert capsys.readouterr().out == "no fault is active\n"


def test_all_is_of_what_runs(vsoc: Vsoc, guest: FakeMachine, capsys: Out) -> None:
    guest.status = "stopped"
    assert vsoc("fault", "--list") == 0 and vsoc("fault", "--clear") == 0
    assert vsoc("fault", "guest", "--clear") == 1
    assert "guest: QEMU has ended" in capsys.readouterr().err


@pytest.mark.parametrize("words,code,text", [
    ("", 2, "say what to do"), ("guest", 2, "say what to do"), ("guest 255", 2, "say what to do"),
    ("guest 255 delay --count 1", 2, "delay needs --delay-ms"),
    ("guest 255 header --value 1", 2, "header needs --word"),
    ("guest 255 header --word tx-count", 2, "header needs --value"),
    ("guest 255 header --word tx-count --value 1 --count 2", 2, "header takes no --count"),
    ("guest 255 header --word colour --value 1", 2, "invalid choice: 'colour'"),
    ("guest 255 drop --xor 1", 2, "drop takes no --xor; it takes --count, --ms"),
    ("guest 255 spurious --ms 1", 2, "spurious takes no --ms"),
    ("guest 255 break", 2, "invalid choice: 'break'"),
    ("guest 255 drop --direction up", 2, "invalid choice: 'up'"),
    ("guest 255 drop --count many", 2, "invalid number value: 'many'"),
    ("guest 255 drop --clear", 2, "--clear takes no KIND"),
    ("--list --clear", 2, "--list and --clear do not go together"),
    ("--clear --json", 2, "--json goes with --list"),
    ("--link up", 2, "--link takes a VM and no QUEUE"),
    ("guest 255 --link up", 2, "--link takes a VM and no QUEUE"),
    ("gast 255 drop", 2, "no VM 'gast'"),
    ("guest 255 drop --device c2c7", 2, "no device 'c2c7'; it has ivc, c2c0"),
    ("guest 1 drop", 1, "there is no queue 1"),
    ("guest 255 drop --bogus", 2, "unrecognized arguments: --bogus")])
def test_a_fault_that_is_refused(words: str, code: int, text: str, vsoc: Vsoc, engine: FakeEngine,
                                 capsys: Out) -> None:
    assert vsoc("fault", *words.split()) == code
    assert text in capsys.readouterr().err
    assert all(each.faults == [] and each.link for machine in engine.machines.values()
               for each in machine.devices.values())


# wait

def test_a_line(vsoc: Vsoc, guest: FakeMachine, capsys: Out) -> None:
    guest.say("of before: 1\nof before: 2\n")
    assert vsoc("wait", "guest", "--line", "before: [12]") == 0
    assert capsys.readouterr().out == "of before: 1\n"
    assert vsoc("wait", "guest", "--line", "before", "--new", "--timeout", "0.01") == 124
    assert "vsoc: guest: it has shown no line with /before/" in capsys.readouterr().err


def test_a_guest_that_answers(vsoc: Vsoc, guest: FakeMachine, capsys: Out,
                              monkeypatch: pytest.MonkeyPatch) -> None:
    assert vsoc("wait", "guest", "--ready", "--timeout", 7) == 0
    assert guest.done == ["ready 7"]

    def late(timeout: float) -> None:
        raise BootTimeout("guest", "its agent", "its console")
    monkeypatch.setattr(guest, "wait_ready", late)
    assert vsoc("wait", "guest", "--ready", "--timeout", 7) == 124
    said = capsys.readouterr().err
    assert "guest: it does not answer after 7 s" in said and "its console" in said


def test_a_panic_and_an_end(vsoc: Vsoc, guest: FakeMachine, capsys: Out) -> None:
    assert vsoc("wait", "guest", "--panic", "--timeout", "0.01") == 124
    assert vsoc("wait", "guest", "--exit", "--timeout", "0.01") == 124
    guest.status = "panicked"
    capsys.readouterr()
    assert vsoc("wait", "guest", "--panic") == 0
    assert capsys.readouterr().out == "Kernel panic - not syncing: fake\n"
    guest.status = "stopped"
    assert vsoc("wait", "guest", "--exit") == 0
    assert capsys.readouterr().out == "guest: QEMU has ended (killed by signal 9)\n"


@pytest.mark.parametrize("words", ["--line x", "--ready", "--panic", "--established 255"])
def test_what_will_not_be_any_more(words: str, vsoc: Vsoc, guest: FakeMachine,
                                   capsys: Out) -> None:
    guest.status = "stopped"
    assert vsoc("wait", "guest", *words.split(), "--timeout", "60") == 1
    assert "guest: QEMU has ended" in capsys.readouterr().err


def test_a_channel(vsoc: Vsoc, engine: FakeEngine, capsys: Out) -> None:
    assert vsoc("wait", "guest", "--established", "0xff") == 0
    assert vsoc("wait", "update", "--established", 264) == 1
    assert "queue 264 has no end in update; it has guest" in capsys.readouterr().err
    engine.machines["update"].devices["ivc"].queues[255]["open"] = False
    assert vsoc("wait", "guest", "--established", 255, "--timeout", "0.01") == 124
    assert "queue 255 is not established after 0.01 s" in capsys.readouterr().err


@pytest.mark.parametrize("words,text", [
    ("guest", "one of the arguments --line --ready"),
    ("guest --ready --new", "--new goes with --line"),
    ("guest --ready --panic", "not allowed with"), ("guest --line (", "--line (:"),
    ("guest --ready --timeout 0", "--timeout 0 is not from 0"),
    ("guest --ready --timeout nan", "--timeout nan is not from 0"),
    ("guest --ready --timeout 86401", "is not from 0 to 86400"),
    ("gast --ready", "no VM 'gast'"), ("guest --established 1", "the table has no queue 1")])
def test_a_wait_that_is_refused(words: str, text: str, vsoc: Vsoc, capsys: Out) -> None:
    assert vsoc("wait", *words.split()) == 2
    assert text in capsys.readouterr().err
