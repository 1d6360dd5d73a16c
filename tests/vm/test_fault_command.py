# SPDX-License-Identifier: MIT
"""`vsoc fault` and `vsoc wait` on a running SoC, as a shell script uses them."""

import json
import subprocess
import time
from typing import Callable, Iterator

import pytest
from vm_support import VSOC, Steps
from vsoclib import faults
from vsoclib.soc import STATE, Soc

Vsoc = Callable[..., "subprocess.CompletedProcess[str]"]
Run = Callable[..., Steps]
PEER = ("open:ivc_test", "reset", "est")


@pytest.fixture
def vsoc(soc: Soc) -> Iterator[Vsoc]:
    path = soc.folder.read_json(STATE)["soc_toml"]

    def run(command: str, *words: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([str(VSOC), command, "-f", path, *map(str, words)],
                              capture_output=True, text=True, timeout=100)
    yield run
    for machine in soc.machines.values():
        if machine.running():
            faults.end_all(machine)


def element(soc: Soc, vm: str, queue: int = 255) -> "dict[str, int]":
    return faults.element(soc[vm], "ivc", queue)


# fault

def test_a_fault_from_set_to_clear(vsoc: Vsoc) -> None:
    assert vsoc("fault", "guest", "--list").stdout == "no fault is active\n"
    assert vsoc("fault", "guest", 255, "drop", "--count", 3).returncode == 0
    assert vsoc("fault", "update", 0x104, "delay", "--delay-ms", 20, "--direction",
                "in").returncode == 0
    assert vsoc("fault", "--list").stdout.splitlines() == [
        "guest:ivc: queue 255: drop out: 0 hit, 3 to go",
        "update:ivc: queue 260: delay in delay-ms=20: 0 hit, until it is cleared"]
    shown = json.loads(vsoc("fault", "update", "--list", "--json").stdout)
    assert [(each["vm"], each["device"], each["queue"], each["kind"], each["direction"])
            for each in shown] == [("update", "ivc", 260, "delay", "in")]
    assert vsoc("fault", "update", 261, "--list").stdout == "no fault is active\n"
    assert vsoc("fault", "guest", 255, "--clear").returncode == 0
    assert len(vsoc("fault", "--list").stdout.splitlines()) == 1
    assert vsoc("fault", "--clear").returncode == 0
    assert vsoc("fault", "--list").stdout == "no fault is active\n"


def test_a_doorbell_that_is_lost(vsoc: Vsoc, run_steps: Run, soc: Soc) -> None:
    receiver = run_steps("update", *PEER, "recv:1:0:1", "hold")
    sender = run_steps("guest", *PEER, "go:/tmp/go", "send:1:0:1", "hold")
    assert vsoc("wait", "guest", "--established", 255).returncode == 0
    before = element(soc, "guest")["dropped"]
    assert vsoc("fault", "guest", "255", "drop", "--count", "1").returncode == 0
    soc["guest"].run("touch /tmp/go", check=True)
    sender.wait_for("send:1:0:1")
    time.sleep(1)
    assert "recv:1:0:1 ok" not in receiver.text
    assert element(soc, "guest")["dropped"] == before + 1
    assert vsoc("fault", "--list").stdout == "no fault is active\n"
    assert vsoc("fault", "update", "255", "spurious", "--direction", "in").returncode == 0
    receiver.wait_for("recv:1:0:1", timeout=10)


def test_a_link_that_is_down(vsoc: Vsoc, soc: Soc) -> None:
    assert vsoc("fault", "guest", "--link", "down").returncode == 0
    assert faults.get(soc["guest"], "ivc", "link") is False
    assert vsoc("fault", "guest", "--link", "up").returncode == 0
    assert faults.get(soc["guest"], "ivc", "link") is True
    vsoc("fault", "guest", "--link", "down")
    assert vsoc("fault", "--clear").returncode == 0
    assert faults.get(soc["guest"], "ivc", "link") is True


@pytest.mark.parametrize("words,code,text", [
    ((), 2, "say what to do"),
    (("guest", "255"), 2, "say what to do"),
    (("guest", "255", "drop", "--delay-ms", "5"), 2, "drop takes no --delay-ms"),
    (("guest", "255", "delay"), 2, "delay needs --delay-ms"),
    (("guest", "255", "header", "--word", "tx-count"), 2, "header needs --value"),
    (("guest", "255", "break"), 2, "invalid choice: 'break'"),
    (("guest", "many", "drop"), 2, "invalid number value: 'many'"),
    (("guest", "--list", "--clear"), 2, "do not go together"),
    (("guest", "255", "drop", "--list"), 2, "takes no KIND"),
    (("guest", "--clear", "--json"), 2, "--json goes with --list"),
    (("--link", "down"), 2, "--link takes a VM"),
    (("gast", "255", "drop"), 2, "has no VM 'gast'; it has guest, update"),
    (("guest", "255", "drop", "--device", "c2c0"), 2, "no device 'c2c0'; it has ivc"),
    (("guest", "1", "drop"), 1, "queue"),
    (("guest", "255", "drop", "--count", "0"), 1, "count"),
    (("guest", "255", "delay", "--delay-ms", "60001"), 1, "delay-ms")])
def test_a_fault_that_is_refused(words: "tuple[str, ...]", code: int, text: str,
                                 vsoc: Vsoc) -> None:
    done = vsoc("fault", *words)
    assert done.returncode == code and text in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert vsoc("fault", "--list").stdout == "no fault is active\n"


# wait

def test_wait_for_a_line(vsoc: Vsoc, soc: Soc) -> None:
    assert vsoc("wait", "guest", "--line", "guest ready after").returncode == 0
    soc["guest"].run("echo the marked line >/dev/ttyAMA0", check=True)
    assert "the marked line" in vsoc("wait", "guest", "--line", "mark.d").stdout
    late = vsoc("wait", "guest", "--line", "mark.d", "--new", "--timeout", "0.5")
    assert late.returncode == 124
    assert "guest: it has shown no line with /mark.d/ on its console in 0.5 s" in late.stderr
    with subprocess.Popen([VSOC, "wait", "-f", soc.folder.read_json(STATE)["soc_toml"], "guest",
                           "--line", "later", "--new"], stdout=subprocess.PIPE,
                          text=True) as waiting:
        time.sleep(1)
        soc["guest"].run("echo it came later >/dev/ttyAMA0", check=True)
        assert "it came later" in waiting.communicate(timeout=30)[0]
    assert waiting.returncode == 0


def test_wait_for_a_guest(vsoc: Vsoc, soc: Soc) -> None:
    assert vsoc("wait", "guest", "--ready").returncode == 0
    soc["guest"].qmp("stop")
    late = vsoc("wait", "guest", "--ready", "--timeout", "1")
    soc["guest"].qmp("cont")
    assert late.returncode == 124 and "it does not answer after 1 s" in late.stderr


def test_wait_for_a_panic_and_an_exit(vsoc: Vsoc, soc: Soc) -> None:
    late = vsoc("wait", "guest", "--panic", "--timeout", "0.5")
    assert late.returncode == 124 and "has not panicked in 0.5 s" in late.stderr
    soc["guest"].submit("sleep 1; echo c >/proc/sysrq-trigger")
    seen = vsoc("wait", "guest", "--panic")
    assert (seen.returncode, seen.stdout[:24]) == (0, "Kernel panic - not synci")
    ready = vsoc("wait", "guest", "--ready")
    assert ready.returncode == 1 and "Kernel panic" in ready.stderr
    late = vsoc("wait", "guest", "--exit", "--timeout", "0.5")
    assert late.returncode == 124 and "runs on after 0.5 s" in late.stderr
    soc["guest"].kill()
    gone = vsoc("wait", "guest", "--exit")
    assert gone.returncode == 0 and "guest" in gone.stdout
    for words in (("--line", "never"), ("--ready",), ("--panic",), ("--established", "255")):
        dead = vsoc("wait", "guest", *words)
        assert dead.returncode == 1 and "guest is not running" in dead.stderr


def test_wait_for_a_channel(vsoc: Vsoc, run_steps: Run) -> None:
    late = vsoc("wait", "guest", "--established", "255", "--timeout", "0.5")
    assert late.returncode == 124 and "queue 255 is not established after 0.5 s" in late.stderr
    wrong = vsoc("wait", "update", "--established", "256")
    assert wrong.returncode == 1 and "queue 256 has no end in update; it has guest" in wrong.stderr
    none = vsoc("wait", "update", "--established", "5")
    assert none.returncode == 2 and "the table has no queue 5" in none.stderr


@pytest.mark.parametrize("words,text", [
    (("guest",), "one of the arguments"), (("guest", "--line", "("), "--line (:"),
    (("guest", "--ready", "--timeout", "0"), "--timeout 0"), (("gast", "--ready"), "no VM 'gast'")])
def test_a_wait_that_is_refused(words: "tuple[str, ...]", text: str, vsoc: Vsoc) -> None:
    done = vsoc("wait", *words)
    assert done.returncode == 2 and text in done.stderr, done.stderr
