# SPDX-License-Identifier: MIT
"""The state folder: its name, its lock, and the processes that are found in it."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest
from vsoc_samples import CHECKOUT
from vsoclib import process
from vsoclib.errors import ProcessError, StateError
from vsoclib.process import ROLE, Child
from vsoclib.soc import down
from vsoclib.state import Folder, all_folders


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    (tmp_path / "soc.toml").write_text("")
    with Folder.of("demo", tmp_path / "soc.toml") as made:
        made.lock("test")
        yield made
        process.kill_all(made.path)


def test_one_folder_a_soc_toml(tmp_path: Path) -> None:
    one = Folder.of("demo", tmp_path / "soc.toml")
    assert Folder.of("demo", tmp_path / "." / "soc.toml").path == one.path
    assert Folder.of("demo", tmp_path / "other.toml").path != one.path
    assert not list(all_folders()) and Folder.existing(tmp_path / "soc.toml") is None
    assert one.fd >= 0
    # A SoC that was renamed while it ran is still found.
    assert Folder.of("renamed", tmp_path / "soc.toml").path == one.path
    one.close()


def test_a_long_path_has_a_socket_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSOC_CACHE", str(tmp_path / ("long" * 30)))
    with Folder.of("demo", tmp_path / "soc.toml") as folder:
        assert len(str(folder.path)) > 107 > len(folder.socket("guest.console.sock"))


def test_the_lock_is_exclusive_and_says_who(folder: Folder, tmp_path: Path) -> None:
    with Folder.of("demo", tmp_path / "soc.toml") as other:
        with pytest.raises(StateError, match=rf"process {os.getpid()}, `vsoc test`"):
            other.lock("up")


def test_the_lock_of_a_removed_folder_is_not_the_lock(folder: Folder, tmp_path: Path) -> None:
    with Folder.of("demo", tmp_path / "soc.toml") as other:
        assert other.fd >= 0
        folder.remove()
        other.lock("up")
        assert (other.path / "lock").read_text().endswith(" up\n")


def test_processes_are_found_and_ended(folder: Folder) -> None:
    child = Child.start(folder, "vm:a", "a.log", ["sleep", "60"], bound=False)
    # Neither a process in the folder without a role nor one elsewhere with a role is ours.
    plain = subprocess.Popen(["sleep", "60"], cwd=folder.path)
    elsewhere = subprocess.Popen(["sleep", "60"], env={**os.environ, ROLE: "vm:b"})
    try:
        assert [(each.pid, each.role) for each in process.find(folder.path)] == \
            [(child.process.pid, "vm:a")]
        assert child.running()
        assert process.kill_all(folder.path) == 1
        assert not child.running() and plain.poll() is None and elsewhere.poll() is None
        assert process.kill_all(folder.path) == 0
    finally:
        for other in (plain, elsewhere):
            other.kill()
            other.wait()


def test_another_process_with_the_same_number_is_not_killed(folder: Folder) -> None:
    child = Child.start(folder, "vm:a", "a.log", ["sleep", "60"], bound=False)
    process.kill(child.process._replace(start=child.process.start + 1))
    assert child.running()


def test_a_process_is_found_from_its_first_moment(folder: Folder) -> None:
    """The kernel shows a program that is being started with no environment at all."""
    for _ in range(300):
        child = Child.start(folder, "vm:a", "a.log", ["sleep", "60"], bound=False)
        assert child.process in process.find(folder.path)
        child.kill()


def test_a_failed_process_says_why(folder: Folder) -> None:
    child = Child.start(folder, "vm:a", "a.log", ["sh", "-c", "echo so bad; exit 3"], bound=False)
    while child.running():
        time.sleep(0.01)
    error = child.error("it failed")
    assert isinstance(error, ProcessError) and error.returncode == 3
    assert str(error) == ("it failed (exit code 3)\n  command: sh -c 'echo so bad; exit 3'\n"
                          "  its last lines:\n    so bad")


# Starts a process that is bound to it, says so, and stays.
PARENT = """
import sys, time; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from vsoclib.process import Child
from vsoclib.state import Folder
Child.start(Folder(Path(sys.argv[2])), 'vm:a', 'a.log', ['sh', '-c', 'echo at work; exec sleep 60'],
            bound=True)
print('started', flush=True)
time.sleep(60)
"""


def kill_parent(folder: Folder, until: Callable[[], bool], path: str) -> None:
    """Kills one of those once it is so, and waits until its child is gone, too."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(CHECKOUT / "scripts"),
                               str(folder.path)], stdout=subprocess.PIPE,
                              env={**os.environ, "PATH": path})
    assert parent.stdout is not None
    with parent.stdout:
        parent.stdout.readline()
        while not until():
            time.sleep(0.01)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 5
    while process.find(folder.path):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_bound_process_dies_with_us_even_by_kill_9(folder: Folder) -> None:
    log = folder / "a.log"
    kill_parent(folder, lambda: log.exists() and bool(log.read_text()), os.environ["PATH"])


def test_we_die_before_it_is_bound(folder: Folder, tmp_path: Path) -> None:
    """Then it does not begin."""
    late = tmp_path / "setpriv"
    late.write_text("#!/bin/sh\nwhile kill -0 $PPID 2>/dev/null; do sleep 0.01; done\n"
                    f"exec {shutil.which('setpriv')} \"$@\"\n")
    late.chmod(0o755)
    kill_parent(folder, lambda: True, f"{tmp_path}:{os.environ['PATH']}")
    assert (folder / "a.log").read_text() == ""


def test_a_full_disk_keeps_nobody_from_ending_it(folder: Folder, tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest's console may have filled it."""
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    Child.start(folder, "vm:a", "a.log", ["sleep", "60"], bound=False)
    folder.close()
    monkeypatch.setattr(os, "pwrite", full)
    assert down(Folder.of("demo", tmp_path / "soc.toml")) == 1
    assert not folder.path.exists()


def test_down_ends_what_a_crash_left(folder: Folder, tmp_path: Path) -> None:
    Child.start(folder, "server", "server.log", ["sleep", "60"], bound=False)
    Child.start(folder, "vm:a", "a.log", ["sleep", "60"], bound=False)
    folder.close()      # as the kernel does for a vsoc that was killed
    assert down(Folder.of("demo", tmp_path / "soc.toml")) == 2
    assert not folder.path.exists()
    assert down(Folder.of("demo", tmp_path / "soc.toml")) == 0
