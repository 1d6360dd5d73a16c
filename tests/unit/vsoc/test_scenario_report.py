# SPDX-License-Identifier: MIT
"""What a failed scenario leaves to its reader, whatever its name and wherever it is to lie."""

import os
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Callable

import pytest
from fake_soc import FakeEngine, FakeMachine
from vsoc_samples import CHECKOUT
from vsoclib import scenario_report
from vsoclib.agent import Result
from vsoclib.scenario_report import SHOWN_LINES, parts, shortened

# A SoC of the session that is none: as the plug-in boots one, without QEMU.
CONFTEST = """
import sys, tempfile
from pathlib import Path
sys.path.insert(0, {tests!r})
from fake_soc import FakeEngine
from vsoclib import pytest_plugin

class Fake(pytest_plugin._Booted):
    def fresh(self):
        engine = FakeEngine(Path({folder!r}))
        engine.stop = lambda: None
        engine.chip.server = None
        self._engine, self.soc = engine, engine.soc()
pytest_plugin._Booted = Fake
pytest_plugin.scenario_report._queues = lambda soc: "the queues"
"""

Scenarios = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def scenarios(tmp_path: Path) -> Scenarios:
    """Runs a test file with the plug-in, on a fake SoC. The report goes to `report`."""
    (tmp_path / "soc.toml").touch()
    (tmp_path / "conftest.py").write_text(CONFTEST.format(
        tests=str(Path(__file__).parent), folder=str(tmp_path)))

    def run(text: str, *words: str) -> "subprocess.CompletedProcess[str]":
        (tmp_path / "test_it.py").write_text(text)
        return subprocess.run(
            ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p",
             "vsoclib.pytest_plugin", "--vsoc-report", "report", "--junitxml", "out.xml", *words],
            cwd=tmp_path, capture_output=True, text=True, timeout=60,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT / "scripts"),
                 "PYTHONDONTWRITEBYTECODE": "1"})
    return run


def test_a_folder_for_each_failed_test(scenarios: Scenarios, tmp_path: Path) -> None:
    done = scenarios("def test_good(soc): pass\n"
                     "def test_bad(soc):\n"
                     "    soc['guest'].machine.say('why\\n')\n"
                     "    assert 0\n"
                     "def test_other(): assert 0\n")
    assert done.returncode == 1 and "1 passed" in done.stdout
    [folder] = (tmp_path / "report").iterdir()
    assert folder.name == "test_it.py-test_bad"
    assert (folder / "call/console-of-guest.txt").read_text() == "why\n"
    assert f"all of it: {folder}/call" in done.stdout
    cases = {case.get("name"): case for case in ElementTree.parse(tmp_path / "out.xml").iter(
        "testcase")}
    assert "why" in (cases["test_bad"][0].text or "")
    assert "vsoc:" not in (cases["test_other"][0].text or "")


def test_names_that_no_file_can_have(scenarios: Scenarios, tmp_path: Path) -> None:
    done = scenarios("import pytest\n"
                     "@pytest.mark.parametrize('it', ['x' * 300, 'x' * 299, 'a/b', 'a b', '\u00e4'])\n"
                     "def test_it(soc, it):\n"
                     "    soc['guest'].machine.say(it + ' failed\\n')\n"
                     "    assert 0\n")
    assert done.returncode == 1 and "5 failed" in done.stdout, done.stdout
    said = sorted(path.read_text() for path in (tmp_path / "report").glob(
        "*/call/console-of-guest.txt"))
    assert said == sorted(f"{it} failed\n" for it in ("x" * 300, "x" * 299, "a/b", "a b", "\u00e4"))
    assert len(list(ElementTree.parse(tmp_path / "out.xml").iter("failure"))) == 5


def test_the_same_test_has_the_same_folder_next_time(scenarios: Scenarios, tmp_path: Path) -> None:
    text = ("import pytest\n"
            "@pytest.mark.parametrize('it', ['a/b', 'a b'])\n"
            "def test_it(soc, it): assert 0\n")
    scenarios(text)
    names = set(os.listdir(tmp_path / "report"))
    (tmp_path / "report" / min(names) / "call" / "of-before.txt").touch()
    scenarios(text, "-k", "b")
    assert set(os.listdir(tmp_path / "report")) == names and len(names) == 2
    assert not list((tmp_path / "report").rglob("of-before.txt"))


def test_a_report_that_cannot_be_written(scenarios: Scenarios, tmp_path: Path) -> None:
    (tmp_path / "report").touch()
    done = scenarios("def test_bad(soc):\n"
                     "    soc['guest'].machine.say('why\\n')\n"
                     "    assert 0\n"
                     "def test_good(soc): pass\n")
    assert done.returncode == 1 and "1 failed, 1 passed" in done.stdout, done.stdout
    assert f"cannot write {tmp_path}/report/test_it.py-test_bad/call: Not a dir" in done.stdout
    assert "why" in done.stdout


def test_a_soc_that_does_not_start(scenarios: Scenarios) -> None:
    """Why is told, and nothing of vsoc's inside."""
    done = scenarios("from vsoclib import pytest_plugin\n"
                     "from vsoclib.errors import BootError\n"
                     "def fresh(self):\n"
                     "    raise BootError('guest', 'its start failed: no module')\n"
                     "pytest_plugin._Booted.fresh = fresh\n"
                     "def test_it(soc): pass\n")
    assert done.returncode == 1 and "1 error" in done.stdout, done.stdout
    assert "\nguest: its start failed: no module\n" in done.stdout
    assert "pytest_plugin.py" not in done.stdout and "_booted" not in done.stdout


def test_a_vm_that_there_is_not(scenarios: Scenarios) -> None:
    done = scenarios("def test_it(soc): soc['gues'].exec('true')\n")
    assert "there is no VM 'gues'; there are guest, update" in done.stdout
    assert "scenario.py" not in done.stdout


# What is in it

@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    monkeypatch.setattr(scenario_report, "_queues", lambda soc: "the queues")
    return FakeEngine(tmp_path)


@pytest.fixture
def guest(engine: FakeEngine) -> FakeMachine:
    return engine.machines["guest"]


def test_all_of_a_soc(engine: FakeEngine, guest: FakeMachine) -> None:
    soc = engine.soc()
    soc["guest"].spawn("app")
    guest.started[-1][1](False, b"printed\n")
    guest.say("on the console\n")
    guest.guest = lambda _: Result(0, b"[    1.000000] in the log\n", b"")
    guest.qemu_log.write_text("of QEMU\n")
    soc.queue(255).drop_doorbells(2, vm="guest")
    found = parts(soc)
    assert found["queues"] == "the queues"
    assert found["faults"] == "guest:ivc: queue 255: drop out: 0 hit, 2 to go"
    assert found["console of guest"] == "on the console\n"
    assert "in the log" in found["kernel log of guest"]
    assert found["program 1 of guest"] == "$ app\nprinted\n"
    assert found["QEMU of guest"] == "of QEMU\n"
    assert "console of update" not in found         # nothing is no part


def test_what_is_not_of_the_test(engine: FakeEngine, guest: FakeMachine) -> None:
    """Neither what QEMU said before, nor what the time line has, nor what the report asks for."""
    guest.qemu_log.write_text("of an earlier test\nhv_pci_endpoint partition 2: queue 7 open 1\n")
    soc = engine.soc()
    with open(guest.qemu_log, "a", encoding="utf-8") as log:
        log.write("hv_pci_endpoint partition 2: queue 7 open 0\n")
    assert "QEMU of guest" not in parts(soc)
    with open(guest.qemu_log, "a", encoding="utf-8") as log:
        log.write("qemu: it warns\nhv_pci_reset partition 2\n")
    soc["guest"].qmp("query-status")
    asked = soc["guest"].transcript()
    found = parts(soc)
    assert found["QEMU of guest"] == "qemu: it warns\n"
    assert found["QMP of guest"] == asked and "query-status" in asked


@pytest.mark.parametrize("status,text", [
    ("stopped", "(not to be had: guest: QEMU has ended"),
    ("paused", "(not to be had: guest is paused"), ("panicked", "(it has panicked: see the")])
def test_what_a_vm_cannot_say_any_more(status: str, text: str, engine: FakeEngine,
                                       guest: FakeMachine) -> None:
    guest.say("last words\n")
    guest.status = status
    soc = engine.soc()
    soc["guest"].rewind()
    found = parts(soc)
    assert found["kernel log of guest"].startswith(text)
    assert found["console of guest"] == "last words\n"


def test_a_long_part_keeps_its_end() -> None:
    text = "".join(f"{number}\n" for number in range(SHOWN_LINES + 3))
    lines = shortened(text).splitlines()
    assert lines[:2] == ["... 3 lines before", "3"] and len(lines) == SHOWN_LINES + 1
    assert shortened("a\nb\n\n") == "a\nb"
