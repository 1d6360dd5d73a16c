# SPDX-License-Identifier: MIT
"""How scripts/test counts the cases of a program."""

from __future__ import annotations

import pytest
from vsoclib.testing import Counts, _count_program


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
