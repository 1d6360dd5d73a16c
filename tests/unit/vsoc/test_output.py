# SPDX-License-Identifier: MIT
"""What vsoc prints of the guests."""

import pytest
from vsoclib.errors import tail
from vsoclib.output import Labelled, table


def test_lines_have_labels_however_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    out = Labelled("a", 3, 0)
    out(False, b"one\ntw")
    out(True, b"bad \xff")
    out(False, b"o\r\nthree")
    out.finish()
    out.finish()
    got = capsys.readouterr()
    assert got.out == "a   | one\na   | two\na   | three\n"
    assert got.err == "a   | bad \N{REPLACEMENT CHARACTER}\n"


def test_a_line_may_be_said_in_other_words(capsys: pytest.CaptureFixture[str]) -> None:
    out = Labelled("a", 1, 0, str.upper)
    out(False, b"one\ntwo")
    out.finish()
    assert capsys.readouterr().out == "a | ONE\na | TWO\n"


def test_table() -> None:
    assert table(("QUEUE", "NAME"), [(255, "a"), (7, "long name")]) == (
        "QUEUE  NAME\n-----  ---------\n  255  a\n    7  long name")
    assert table(("A",), []) == "A\n-"


def test_no_terminal_acts_on_the_end_of_a_log() -> None:
    """A guest's shell asks its terminal where the cursor is, and a terminal types the answer."""
    assert tail("one\r\n/ # \x1b[6n\x1b[1;31mred\x07\tend\n") == "    one\n    / # red\tend"
