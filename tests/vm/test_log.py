# SPDX-License-Identifier: MIT
"""`vsoc log`: what happens in two guests, the device and QEMU, in the order in which it happened."""

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest
from vm_support import VSOC, soc_text
from vsoclib import config, timeline
from vsoclib.scenario import Soc
from vsoclib.soc import Soc as Engine
from vsoclib.timeline import Entry

CHANNEL = ("open:ivc_test", "reset", "est")


@pytest.fixture(scope="module")
def soc_toml(cache: Path, steps: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "soc.toml"
    text = soc_text(path.parent, files=[f"{steps}:/usr/bin/steps"], name="log")
    path.write_text(text.replace('cfg = "', 'trace = true\ncfg = "'))
    return path


@pytest.fixture(scope="module")
def traced(soc_toml: Path) -> Iterator[Engine]:
    with Engine.new(config.load(soc_toml)) as engine:
        yield engine


@pytest.fixture(name="soc")
def fixture_soc(traced: Engine) -> Iterator[Soc]:
    ready = Soc(traced)
    ready.begin()
    yield ready
    ready.end()


def vsoc(soc_toml: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([VSOC, words[0], "-f", soc_toml, *words[1:]], capture_output=True,
                          text=True, timeout=60)


def wait_for(soc: Soc, what: "Callable[[Entry], bool]") -> Entry:
    deadline = time.monotonic() + 10
    while True:
        for entry in soc.log():
            if what(entry):
                return entry
        assert time.monotonic() < deadline, soc.log()
        time.sleep(0.05)


def said(vm: str, kind: str, text: str) -> "Callable[[Entry], bool]":
    return lambda entry: (entry.vm, entry.kind) == (vm, kind) and text in entry.text


def test_the_life_and_death_of_a_channel(soc: Soc, soc_toml: Path) -> None:
    update = soc["update"].spawn(["steps", *CHANNEL, "lost", "hold"])
    update.wait_line("reset ok")
    soc["guest"].spawn(["steps", *CHANNEL, "hold"])
    soc.queue(255).wait_established()
    soc["guest"].exec("echo I die now >/dev/console")
    wait_for(soc, said("guest", "console", "I die now"))
    soc["guest"].kill()
    update.wait_line("lost ok")
    soc["guest"].start()
    wait_for(soc, said("update", "library", "CONN_RESET"))
    story = [("update", "device", "queue 255 open 1"), ("update", "library", "ivc_test: opened"),
             ("guest", "device", "queue 255 open 1"), ("guest", "library", "CONN_EST"),
             ("guest", "console", "I die now"), ("update", "device", "queue 255 departed"),
             ("update", "library", "ivc_test: CONN_RESET"), ("guest", "console", "ready after")]
    places = []
    log = soc.log()
    for step in story:
        places.append(next((index for index, entry in enumerate(log) if said(*step)(entry)), step))
    assert places == sorted(places)
    shown = vsoc(soc_toml, "log")
    assert shown.returncode == 0
    for entry in log:
        assert any(entry.vm in line and entry.kind in line and entry.text[-20:].strip() in line
                   for line in shown.stdout.splitlines()), entry


def test_a_part_of_it(soc: Soc, soc_toml: Path) -> None:
    soc["update"].reset()
    soc.queue(255).drop_doorbells(1, vm="guest")
    wait_for(soc, said("update", "event", "RESET"))
    wait_for(soc, said("guest", "device", "queue 255, in 0: drop"))
    done = vsoc(soc_toml, "log", "update", "--kind", "event", "--kind", "device", "--json")
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each["vm"] for each in entries} == {"update"}
    assert {each["kind"] for each in entries} == {"event", "device"}
    assert set(entries[0]) == {"time", "vm", "kind", "text"}
    assert [each["time"] for each in entries] == sorted(each["time"] for each in entries)


def test_what_comes(soc: Soc, soc_toml: Path) -> None:
    follow = subprocess.Popen([VSOC, "log", "-f", soc_toml, "--follow", "guest"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert follow.stdout is not None
    try:
        follow.stdout.readline()            # it has read so far
        soc["update"].exec("echo not for us >/dev/console")
        soc["guest"].exec("echo for us >/dev/console")
        for line in follow.stdout:
            assert "not for us" not in line
            if "for us" in line:
                break
        follow.send_signal(signal.SIGINT)
        assert follow.wait(10) == 130
    finally:
        follow.kill()
        follow.communicate()


def test_without_its_recorder(soc: Soc, soc_toml: Path) -> None:
    recorder = soc.engine.recorder
    assert recorder is not None
    recorder.kill()
    soc["guest"].exec("echo nobody sees this >/dev/console")        # all else goes on
    # To go on is what --follow is asked for, so that one fails.
    for words, code in (("log",), 0), (("log", "--follow"), 1):
        done = vsoc(soc_toml, *words)
        assert done.returncode == code and "guest" in done.stdout
        assert done.stderr == ("vsoc: the recorder has ended, so there is no more; `vsoc up` starts "
                               "it again\n")


def test_nothing_to_show(tmp_path: Path) -> None:
    path = tmp_path / "soc.toml"
    path.write_text(soc_text(tmp_path, name="never"))
    done = vsoc(path, "log")
    assert done.returncode == 1
    assert "it has not run, or has ended well" in done.stderr


def test_no_such_vm(soc: Soc, soc_toml: Path) -> None:
    done = vsoc(soc_toml, "log", "gast")
    assert done.returncode == 2 and "no VM 'gast'; there are guest, update" in done.stderr


def test_the_log_of_a_start_that_failed(tmp_path: Path) -> None:
    path = tmp_path / "soc.toml"
    path.write_text(soc_text(tmp_path, name="fails").replace(
        'cfg = "guest.cfg"', 'cfg = "guest.cfg"\nappend = "rdinit=/nowhere"'))
    done = vsoc(path, "up")
    assert done.returncode == 1
    shown = vsoc(path, "log")
    assert shown.returncode == 0 and "Kernel panic" in shown.stdout
    assert timeline.FILE not in shown.stderr
    assert vsoc(path, "down").returncode == 0
