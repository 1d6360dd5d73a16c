# SPDX-License-Identifier: MIT
"""A guest that does not come up ends `vsoc up` at once: the reason, its console's end, exit code 1,
and nothing left running."""

import subprocess
import time
from pathlib import Path

import pytest
from vm_support import PLATFORM, VSOC
from vsoclib import process
from vsoclib.state import Folder


def up(folder: Path, soc: str, vm: str) -> "tuple[subprocess.CompletedProcess[str], float]":
    path = folder / "soc.toml"
    path.write_text(f'[soc]\nname = "fails"\npct = "{PLATFORM}"\n{soc}\n'
                    f'[vm.guest]\npartition = "GID_GUEST_VM"\n{vm}\n'
                    '[vm.update]\npartition = "GID_UPDATE"\n')
    start = time.monotonic()
    done = subprocess.run([VSOC, "up", "-f", path], capture_output=True, text=True, timeout=100)
    seconds = time.monotonic() - start
    state = Folder.existing(path)
    assert state is not None and not process.find(state.path)
    assert done.returncode == 1
    return done, seconds


def test_a_panic(tmp_path: Path) -> None:
    done, seconds = up(tmp_path, "", 'append = "rdinit=/nothing root=/dev/nothing"')
    assert "vsoc: guest: Kernel panic - not syncing: VFS: Unable to mount root fs" in done.stderr
    assert "last lines of its console:" in done.stderr and "Call trace:" in done.stderr
    assert seconds < 30


def test_a_start_script_that_fails(tmp_path: Path) -> None:
    (tmp_path / "rc").write_text("#!/bin/sh\necho this is the reason\nexit 3\n")
    done, _ = up(tmp_path, "", 'files = ["rc:/etc/vsoc/rc:755"]')
    assert "vsoc: guest: its start failed: /etc/vsoc/rc ended with status 3" in done.stderr
    assert "    this is the reason\n" in done.stderr


def test_a_guest_that_hangs(tmp_path: Path) -> None:
    (tmp_path / "rc").write_text("#!/bin/sh\necho hanging\nsleep 1000\n")
    done, seconds = up(tmp_path, "boot-timeout = 8", 'files = ["rc:/etc/vsoc/rc:755"]')
    assert "vsoc: guest: its guest agent does not answer 8 s after the start" in done.stderr
    assert "    hanging\n" in done.stderr and seconds < 15


@pytest.mark.parametrize("vm,words", [
    ('qemu = ["-device", "no-such-device"]', "'no-such-device' is not a valid device"),
    ('qemu = ["-M", "no-such-machine"]', "unsupported machine type")],
    ids=["device", "machine"])
def test_a_qemu_that_refuses(vm: str, words: str, tmp_path: Path) -> None:
    done, seconds = up(tmp_path, "", vm)
    assert "vsoc: guest: QEMU has ended (exit code 1)" in done.stderr
    assert "qemu-system-aarch64" in done.stderr and words in done.stderr
    assert seconds < 15


def test_a_partition_that_is_not_in_the_table(tmp_path: Path) -> None:
    path = tmp_path / "soc.toml"
    path.write_text(f'[soc]\nname = "fails"\npct = "{PLATFORM}"\n'
                    '[vm.guest]\npartition = "GID_NOBODY"\n')
    done = subprocess.run([VSOC, "up", "-f", path], capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert "GID_NOBODY" in done.stderr and "QEMU has ended (exit code 1)" in done.stderr


def test_a_table_that_breaks_a_rule(tmp_path: Path) -> None:
    text = PLATFORM.read_text().replace(".frame_size = 320", ".frame_size = 321")
    (tmp_path / "platform_config.h").write_text(text)
    (tmp_path / "server-partitions.mk").write_text(
        (PLATFORM.parent / "server-partitions.mk").read_text())
    path = tmp_path / "soc.toml"
    path.write_text('[soc]\nname = "fails"\npct = "platform_config.h"\n'
                    '[vm.guest]\npartition = "GID_GUEST_VM"\n')
    done = subprocess.run([VSOC, "up", "-f", path], capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert "platform_config.h:" in done.stderr and "queue 260" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_logs_are_still_there(tmp_path: Path) -> None:
    up(tmp_path, "", 'append = "rdinit=/nothing root=/dev/nothing"')
    shown = subprocess.run([VSOC, "logs", "-f", tmp_path / "soc.toml", "guest"],
                           capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0 and "Kernel panic" in shown.stdout
    gone = subprocess.run([VSOC, "down", "-f", tmp_path / "soc.toml"], capture_output=True,
                          text=True, timeout=60)
    assert gone.returncode == 0
    assert Folder.existing(tmp_path / "soc.toml") is None
