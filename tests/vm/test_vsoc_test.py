# SPDX-License-Identifier: MIT
"""`vsoc test`, and the plug-in in a pytest of one's own: what they run, tell and leave."""

import os
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from vm_support import CHECKOUT, PLATFORM, VSOC
from vsoclib import process
from vsoclib.state import Folder

SCENARIOS = CHECKOUT / "tests/vm/scenarios"
SOC = """
[soc]
name = "scenarios"
pct = "{pct}"
[vm.guest]
partition = "GID_GUEST_VM"
cfg = "both.cfg"
memory = "96M"
[vm.update]
partition = "GID_UPDATE"
cfg = "both.cfg"
memory = "96M"
"""


@pytest.fixture
def soc_toml(tmp_path: Path) -> Path:
    (tmp_path / "both.cfg").write_text("INTER_VM ivc_test 255\n")
    path = tmp_path / "soc.toml"
    path.write_text(SOC.format(pct=PLATFORM))
    return path


def scenario(soc_toml: Path, name: str) -> Path:
    """A copy beside the soc.toml, where the fixtures of this folder's conftest.py are not seen."""
    return shutil.copy(SCENARIOS / f"{name}.py", soc_toml.parent / f"test_{name}.py")


def vsoc_test(*words: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(VSOC), "test", "-p", "no:cacheprovider", *map(str, words)],
                          capture_output=True, text=True, timeout=200, **options)


def nothing_left(soc_toml: Path) -> bool:
    return Folder.existing(soc_toml) is None


def test_good_scenarios(soc_toml: Path, tmp_path: Path) -> None:
    done = vsoc_test("-f", soc_toml, "--junitxml", tmp_path / "out.xml", "-v",
                     scenario(soc_toml, "good"))
    assert done.returncode == 0, done.stdout + done.stderr
    cases = list(ElementTree.parse(tmp_path / "out.xml").iter("testcase"))
    assert len(cases) == 5 and not any(list(case) for case in cases)
    assert nothing_left(soc_toml)


def test_what_a_failure_tells(soc_toml: Path, tmp_path: Path) -> None:
    done = vsoc_test("-f", soc_toml, "--junitxml", "out.xml", "--report", "report",
                     scenario(soc_toml, "failing"), cwd=tmp_path)
    assert done.returncode == 1
    one, two = ElementTree.parse(tmp_path / "out.xml").iter("testcase")
    for text in (done.stdout, one[0].text or ""):
        for words in ("ended with 3:", "the reason", "vsoc: queues", "update (GID_UPDATE): stopped",
                      "vsoc: console of guest", "on the console",
                      "vsoc: kernel log of guest", "in the kernel log",
                      "vsoc: program 1 of guest", "from a program",
                      "vsoc: QMP of guest", "query-status"):
            assert words in text, text
        assert "Linux version" not in text      # of before the test
    assert "Kernel panic - not syncing: sysrq" in (two[0].text or "")
    assert "vsoc: QMP of guest" in (two[0].text or "")
    [folder] = (tmp_path / "report").glob("test_failing.py-test_fails/call")
    files = {path.name: path.read_text() for path in folder.iterdir()}
    assert "on the console" in files["console-of-guest.txt"]
    assert "in the kernel log" in files["kernel-log-of-guest.txt"]
    assert "255" in files["queues.txt"] and "from a program" in files["program-1-of-guest.txt"]
    assert nothing_left(soc_toml)


def test_a_soc_that_does_not_boot(soc_toml: Path) -> None:
    soc_toml.write_text(soc_toml.read_text() + 'append = "rdinit=/nothing root=/dev/nothing"\n')
    done = vsoc_test("-f", soc_toml, scenario(soc_toml, "good"), "-k", "frames")
    assert done.returncode == 1
    assert "\nupdate: Kernel panic" in done.stdout and "Traceback" not in done.stdout
    assert "vsoclib" not in done.stdout


@pytest.mark.parametrize("words,text", [
    ((), "there is no /"), (("-f", "none.toml"), "none.toml")], ids=["default", "named"])
def test_no_soc_toml(words: "tuple[str, ...]", text: str, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(soc): pass\n")
    done = vsoc_test(*words, "test_it.py", cwd=tmp_path)
    assert done.returncode == 1 and text in done.stdout and "vsoclib" not in done.stdout


@pytest.mark.parametrize("number,code", [(signal.SIGINT, 2), (signal.SIGTERM, 143),
                                         (signal.SIGKILL, -9)])
def test_the_end_of_a_test_that_is_ended(number: signal.Signals, code: int,
                                         soc_toml: Path) -> None:
    words = [VSOC, "test", "-s", "-p", "no:cacheprovider", "-f", soc_toml,
             scenario(soc_toml, "waiting")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as test:
        try:
            assert test.stdout is not None
            for line in test.stdout:
                if "waiting\n" in line:
                    break
            folder = Folder.existing(soc_toml)
            assert folder is not None
            assert sorted(each.role for each in process.find(folder.path)) == [
                "recorder", "server", "vm:guest", "vm:update"]
            test.send_signal(number)
            test.stdout.read()
        except BaseException:
            test.kill()
            raise
    assert test.returncode == code
    if number == signal.SIGKILL:
        # The kernel ends what is bound to it, a moment after we know that it is dead.
        deadline = time.monotonic() + 5
        while process.find(folder.path):
            assert time.monotonic() < deadline, process.find(folder.path)
            time.sleep(0.05)
        folder = None
        subprocess.run([VSOC, "down", "-f", soc_toml], check=True)
    assert nothing_left(soc_toml)


def test_the_plug_in_alone(soc_toml: Path) -> None:
    done = subprocess.run(
        ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-p",
         "vsoclib.pytest_plugin", "-k", "frames", "--rootdir", soc_toml.parent,
         scenario(soc_toml, "good")], capture_output=True, text=True, timeout=100,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / "scripts")})
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout and nothing_left(soc_toml)


def test_without_pytest(soc_toml: Path) -> None:
    program = ("import sys\nfrom vsoclib import scenario\n"
               "with scenario.boot(sys.argv[1]) as soc:\n"
               "    print(soc['guest'].exec('hostname').stdout, end='')\n"
               "    soc['update'].exec('exit 3')\n")
    done = subprocess.run(["/usr/bin/python3", "-c", program, soc_toml], capture_output=True,
                          text=True, timeout=100,
                          env={**os.environ, "PYTHONPATH": str(CHECKOUT / "scripts")})
    assert done.returncode == 1 and done.stdout == "guest\n"
    assert "GuestError: update: `exit 3` ended with 3" in done.stderr
    assert nothing_left(soc_toml)


def test_arguments_of_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_one(): pass\ndef test_two(): assert 0\n")
    assert vsoc_test("-q", "-k", "one", tmp_path).stdout.count("1 passed") == 1
    assert vsoc_test("--no-such-option", tmp_path).returncode == 4
    assert vsoc_test(tmp_path, "-k", "three").returncode == 5
