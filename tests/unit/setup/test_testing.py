# SPDX-License-Identifier: MIT
"""How scripts/test counts the cases of a program, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from vsoclib import testing
from vsoclib.testing import Counts, _count_program, attend


@pytest.mark.parametrize("result, output, passed, failed, skipped", [
    ("OK", "TAP version 13\n1..2\nok 1 /a\nok 2 - /b\n", 2, 0, []),
    ("FAIL", "1..2\nok 1 /a\nnot ok 2 /b\n", 1, 1, []),
    ("ERROR", "1..2\nok 1 /a\n", 1, 1, []),
    ("TIMEOUT", "", 0, 1, []),
    ("OK", "1..2\nok 1 /a\nok 2 /b # SKIP needs x\n", 1, 0, ["t /b: needs x"]),
    ("SKIP", "1..1\nok 1 /b # SKIP needs x\n", 0, 0, ["t /b: needs x"]),
    ("SKIP", "needs y\n", 0, 0, ["t: needs y"]),
    ("OK", "no TAP at all\n", 1, 0, []),
    ("FAIL", "no TAP at all\n", 0, 1, []),
    ("OK", "# ok 1 this is a remark\nokay\n", 1, 0, []),
])
def test_count_program(result: str, output: str, passed: int, failed: int,
                       skipped: list[str]) -> None:
    assert _count_program({"name": "t", "result": result, "stdout": output}) == Counts(
        passed, failed, skipped)


def test_closing_line() -> None:
    assert str(Counts(3, 1)) == "3 passed, 1 failed"
    assert str(Counts(3, 0, ["why"])) == "3 passed, 0 failed, 1 skipped"


def test_attend() -> None:
    assert attend(["sh", "-c", "exit 3"]) == (3, "")
    assert attend(["sh", "-c", "echo said"], stdout=subprocess.PIPE) == (0, "said\n")


# As main() does; its tests take time to tidy up.
ENDED = """
import signal, sys
from vsoclib import testing
signal.signal(signal.SIGTERM, testing._terminate)
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    testing.attend([sys.executable, "-c", sys.argv[1]])
except (testing.Terminated, KeyboardInterrupt) as reason:
    print("after", type(reason).__name__)
"""
TESTS = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    print("at work", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.3)
    print("tidied up", flush=True)
"""


@pytest.mark.parametrize("number,reason", [(signal.SIGTERM, "Terminated"),
                                           (signal.SIGINT, "KeyboardInterrupt")])
def test_tests_tidy_up_before_we_end(number: signal.Signals, reason: str) -> None:
    scripts = Path(testing.__file__).parents[1]
    with subprocess.Popen([sys.executable, "-c", ENDED, TESTS], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONPATH": str(scripts)}) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "at work\n"
        run.send_signal(number)
        assert run.stdout.read() == f"tidied up\nafter {reason}\n"
