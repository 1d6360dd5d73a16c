# SPDX-License-Identifier: MIT
"""What vsoc prints of the guests."""

import pytest
from vsoclib.output import Labelled, table


def test_lines_have_labels_however_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    out = Labelled("a", 3, 0, lines.append)
    out(False, b"one\ntw")
    out(True, b"bad \xff")
    out(False, b"o\r\nthree")
    out.finish()
    out.finish()
    got = capsys.readouterr()
    assert got.out == "a   | one\na   | two\na   | three\n"
    assert got.err == "a   | bad \N{REPLACEMENT CHARACTER}\n"
    assert lines == ["one", "two", "three", "bad \N{REPLACEMENT CHARACTER}"]


def test_table() -> None:
    assert table(("QUEUE", "NAME"), [(255, "a"), (7, "long name")]) == (
        "QUEUE  NAME\n-----  ---------\n  255  a\n    7  long name")
    assert table(("A",), []) == "A\n-"
