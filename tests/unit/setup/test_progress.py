# SPDX-License-Identifier: MIT
"""A step: its log, its error, and that it leaves no process behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from vsoclib.errors import SetupError
from vsoclib.setup.progress import Step, ninja_status


def test_output_goes_to_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Step("make x", tmp_path / "log/x.log") as step:
        step.run(["sh", "-c", "echo out; echo err >&2"])
    assert step.log.read_text() == "$ sh -c 'echo out; echo err >&2'\nout\nerr\n"
    shown = capfd.readouterr()
    assert "setup: make x: done" in shown.out and "err" not in shown.out + shown.err


def test_failure_names_step_command_and_log(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    with pytest.raises(SetupError) as caught, Step("make x", log) as step:
        step.run(["sh", "-c", "echo no such thing; exit 3"])
    message = str(caught.value)
    for part in ("make x", "exit code 3", "exit 3'", str(log), "    no such thing"):
        assert part in message


def test_interrupt_ends_the_whole_group(tmp_path: Path) -> None:
    def status(line: str) -> str:
        (tmp_path / "pid").write_text(line)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Step("make x", tmp_path / "x.log") as step:
        step.run(["sh", "-c", "sleep 60 & echo $!; wait"], status=status)
    pid = int((tmp_path / "pid").read_text())
    for _ in range(50):
        try:
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return
            os.kill(pid, 0)
        except (FileNotFoundError, ProcessLookupError):
            return
        time.sleep(0.1)
    pytest.fail("the command's child outlives the step")


@pytest.mark.parametrize("line, status", [("[12/345] Compiling C object x.o", "[12/345]"),
                                          ("warning: [1/2]", None), ("", None)])
def test_ninja_status(line: str, status: str) -> None:
    assert ninja_status(line) == status
