# SPDX-License-Identifier: MIT
"""Nothing of a SoC is left, however it or its vsoc ends; and SoCs do not disturb each other."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from vm_support import PLATFORM, VSOC
from vsoclib import process
from vsoclib.state import Folder

TICK = 'run = "while :; do echo tick; sleep 0.2; done"'


def vsoc(*words: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(VSOC), *map(str, words)], capture_output=True, text=True,
                          timeout=100, **options)


@pytest.fixture
def soc_toml(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "soc.toml"
    path.write_text(f'[soc]\nname = "down"\npct = "{PLATFORM}"\n'
                    f'[vm.guest]\npartition = "GID_GUEST_VM"\nmemory = "128M"\n{TICK}\n')
    yield path
    vsoc("down", "-f", path)


def processes(path: Path) -> "list[process.Process]":
    folder = Folder.existing(path)
    return process.find(folder.path) if folder is not None else []


def wait_gone(path: Path, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while processes(path):
        assert time.monotonic() < deadline, processes(path)
        time.sleep(0.02)


def test_down_cleans_up_after_kill_9_of_everything(soc_toml: Path) -> None:
    assert vsoc("up", "-f", soc_toml).returncode == 0
    folder = Folder.existing(soc_toml)
    assert folder is not None
    found = processes(soc_toml)
    assert sorted(each.role for each in found) == ["recorder", "server", "vm:guest"]
    for each in found:
        os.kill(each.pid, signal.SIGKILL)
    wait_gone(soc_toml)
    assert vsoc("status", "-f", soc_toml).returncode == 1
    failed = vsoc("exec", "-f", soc_toml, "guest", "--", "true")
    assert failed.returncode == 125 and "guest is not running" in failed.stderr
    assert vsoc("down", "-f", soc_toml).returncode == 0
    assert not folder.path.exists()
    again = vsoc("down", "-f", soc_toml)
    assert again.returncode == 0 and "was not running" in again.stderr
    # Nor is a crash in the way of the next start.
    assert vsoc("up", "-f", soc_toml).returncode == 0
    for each in processes(soc_toml):
        os.kill(each.pid, signal.SIGKILL)
    wait_gone(soc_toml)
    up = vsoc("up", "-f", soc_toml)
    assert up.returncode == 0, up.stderr
    assert vsoc("exec", "-f", soc_toml, "guest", "--", "true").returncode == 0


@pytest.mark.parametrize("number,when,code", [
    (signal.SIGINT, "guest | tick", 130), (signal.SIGTERM, "booting", 143),
    (signal.SIGKILL, "guest | tick", -9)])
def test_an_ended_run_leaves_nothing(number: signal.Signals, when: str, code: int,
                                     soc_toml: Path) -> None:
    run = subprocess.Popen([str(VSOC), "run", "-f", str(soc_toml)], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
    assert run.stdout is not None
    with run.stdout:
        for line in run.stdout:
            if when in line:
                break
        assert processes(soc_toml)
        run.send_signal(number)
        run.stdout.read()
    assert run.wait(20) == code
    wait_gone(soc_toml)
    folder = Folder.existing(soc_toml)
    if number == signal.SIGINT:
        assert folder is None


def test_down_ends_a_run(soc_toml: Path) -> None:
    run = subprocess.Popen([str(VSOC), "run", "-f", str(soc_toml)], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
    assert run.stdout is not None
    with run.stdout:
        for line in run.stdout:
            if "guest | tick" in line:
                break
        # A visitor is served while the run goes on.
        assert vsoc("exec", "-f", soc_toml, "guest", "--", "echo", "hello").stdout == "hello\n"
        busy = vsoc("up", "-f", soc_toml)
        assert busy.returncode == 1 and f"process {run.pid}, `vsoc run`" in busy.stderr
        assert vsoc("down", "-f", soc_toml).returncode == 0
        run.stdout.read()
    assert run.wait(20) == 143
    assert Folder.existing(soc_toml) is None


def test_a_killed_vm_ends_a_run(soc_toml: Path) -> None:
    run = subprocess.Popen([str(VSOC), "run", "-f", str(soc_toml)], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
    assert run.stdout is not None
    with run.stdout:
        for line in run.stdout:
            if "guest | tick" in line:
                break
        assert vsoc("kill", "-f", soc_toml, "guest").returncode == 0
        rest = run.stdout.read()
    assert run.wait(20) == 1 and "guest: QEMU has ended (killed by signal 9)" in rest
    assert not processes(soc_toml)


def test_two_socs_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / name / "soc.toml" for name in ("one", "two")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(f'[soc]\nname = "same"\npct = "{PLATFORM}"\n'
                        f'[vm.guest]\npartition = "GID_GUEST_VM"\nmemory = "128M"\n'
                        f'files = ["name:/etc/name"]\n')
        (path.parent / "name").write_text(path.parent.name)
    try:
        ups = [subprocess.Popen([str(VSOC), "up", "-f", str(path)], stderr=subprocess.PIPE,
                                text=True) for path in paths]
        for up in ups:
            _, text = up.communicate(timeout=100)
            assert up.returncode == 0, text
        for path in paths:
            shown = vsoc("exec", "-f", path, "guest", "--", "cat", "/etc/name")
            assert shown.stdout == path.parent.name
        which = vsoc("exec", "guest", "--", "true", cwd=tmp_path)
        assert which.returncode == 125 and all(f"-f {path}" in which.stderr for path in paths)
        listed = json.loads(vsoc("status", "--json").stdout)
        assert {soc["soc_toml"] for soc in listed} >= set(map(str, paths))
        assert vsoc("down", "-f", paths[0]).returncode == 0
        assert vsoc("exec", "-f", paths[1], "guest", "--", "true").returncode == 0
        assert vsoc("up", "-f", paths[1]).returncode == 0
        paths[1].write_text(paths[1].read_text().replace("128M", "130M"))
        changed = vsoc("up", "-f", paths[1])
        assert changed.returncode == 1 and "`vsoc down` first" in changed.stderr
    finally:
        for path in paths:
            vsoc("down", "-f", path)
    assert not any(map(processes, paths))


def test_a_cache_with_a_path_longer_than_a_socket_address(tmp_path: Path, soc_toml: Path,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSOC_CACHE", str(tmp_path / ("long" * 30)))
    up = vsoc("up", "-f", soc_toml)
    assert up.returncode == 0, up.stderr
    assert vsoc("exec", "-f", soc_toml, "guest", "--", "echo", "hello").stdout == "hello\n"
    assert '"running": true' in vsoc("qmp", "-f", soc_toml, "guest", "query-status").stdout
    assert vsoc("console", "-f", soc_toml, "guest", stdin=subprocess.DEVNULL).returncode == 0
    assert vsoc("down", "-f", soc_toml).returncode == 0
    assert not processes(soc_toml)
