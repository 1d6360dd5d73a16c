# SPDX-License-Identifier: MIT
"""vsoc demo and vsoc run as a newcomer meets them."""

import re
import shutil
import signal
import subprocess
from pathlib import Path

from vm_support import CHECKOUT, PLATFORM, VSOC
from vsoclib import process
from vsoclib.state import Folder

EXAMPLE = CHECKOUT / "docs/examples/two-guests"


def test_the_demo(tmp_path: Path) -> None:
    done = subprocess.run([VSOC, "demo", "-n", "100"], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    for vm in ("guest", "update"):
        assert re.search(rf"^{vm} +\| ivc_test: sent 100, received 100 .* 0 errors", done.stdout,
                         re.M)
    for queue in (255, 256, 260, 261):
        assert re.search(rf"^ *{queue} .* 100 +100 +0 +\d+ +\d+ +\d+$", done.stdout, re.M)
    assert Folder.existing(EXAMPLE / "soc.toml") is None


def test_a_queue_that_is_added_appears_in_the_demo(tmp_path: Path) -> None:
    """One line in the table, one in each configuration, and nothing else."""
    shutil.copytree(EXAMPLE, tmp_path / "example")
    shutil.copytree(PLATFORM.parent, tmp_path / "platform")
    table = tmp_path / "platform/platform_config.h"
    mark = "            [255]"
    table.write_text(table.read_text().replace(
        mark, "            [40] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 3, "
              ".frame_size = 192 },\n" + mark, 1))
    for name in ("guest.cfg", "update.cfg"):
        with open(tmp_path / "example" / name, "a") as cfg:
            cfg.write("INTER_VM mine 40\n")
    soc = tmp_path / "example/soc.toml"
    soc.write_text(re.sub(r'pct += ".*"', f'pct = "{PLATFORM}"', soc.read_text()))
    done = subprocess.run([VSOC, "demo", "-n", "20", "-f", soc, "--platform", table.parent],
                          capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^ *40 +3 x 192 +guest:mine +update:mine +20 +20 +0 ", done.stdout, re.M)


def test_an_interrupted_demo_leaves_nothing() -> None:
    demo = subprocess.Popen([VSOC, "demo", "-n", "1000000"], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    assert demo.stdout is not None
    with demo.stdout:
        for line in demo.stdout:
            if "sends 1000000 frames" in line:
                break
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
    assert demo.wait(20) == 130
    assert Folder.existing(EXAMPLE / "soc.toml") is None


def test_run(tmp_path: Path) -> None:
    done = subprocess.run([VSOC, "run", "-f", EXAMPLE / "soc.toml"], capture_output=True,
                          text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^guest  \| ivc_test: pingpong: sent 1000", done.stdout, re.M)
    assert re.search(r"^update \| ivc_test: pingpong: sent 1000", done.stdout, re.M)


def test_run_fails_if_one_fails(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "example")
    soc = tmp_path / "example/soc.toml"
    text = re.sub(r'pct += ".*"', f'pct = "{PLATFORM}"', soc.read_text())
    soc.write_text(text.replace("ivcping --client ivc_test", "echo oh no >&2; exit 5"))
    done = subprocess.run([VSOC, "run", "-f", soc], capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert "update | oh no\n" in done.stderr
    assert "vsoc: update: `echo oh no >&2; exit 5` failed with exit code 5" in done.stderr
    assert Folder.existing(soc) is None and not process.find(tmp_path)
