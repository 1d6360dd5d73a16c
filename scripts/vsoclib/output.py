# SPDX-License-Identifier: MIT
"""What vsoc prints: progress, the guests' lines with their labels, tables."""

from __future__ import annotations

import re
import sys
import threading
import time
from typing import BinaryIO, Callable, Optional, Sequence

_COLOURS = (36, 33, 35, 32, 34)
_guard = threading.Lock()
# What a terminal would act on: some sequences even make it type an answer.
_CONTROL = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|[^[])|[\x00-\x08\x0b-\x1f\x7f]")


def plain(text: str) -> str:
    """What a guest says, without what a terminal would act on."""
    return _CONTROL.sub("", text)


def coloured(text: str, index: int) -> str:
    """In the colour of the VM that is the index-th."""
    return f"\x1b[{_COLOURS[index % len(_COLOURS)]}m{text}\x1b[0m"


class Progress:
    """Prints steps on stderr with the time since the start, so that stdout is the result alone."""

    def __init__(self, quiet: bool = False) -> None:
        self._start = time.monotonic()
        self._quiet = quiet

    def __call__(self, text: str) -> None:
        if not self._quiet:
            with _guard:
                print(f"[{time.monotonic() - self._start:5.1f} s] {text}", file=sys.stderr,
                      flush=True)


class Labelled:
    """Prints a guest's output line by line, each with the name of the VM before it."""

    def __init__(self, label: str, width: int, index: int,
                 line: Optional[Callable[[str], str]] = None) -> None:
        """line gets each line without its label, and says what to print in its place."""
        self._label = f"{label:{width}} |"
        self._index = index
        self._rest = {False: b"", True: b""}
        self._line = line

    def __call__(self, is_error: bool, data: bytes) -> None:
        *lines, self._rest[is_error] = (self._rest[is_error] + data).split(b"\n")
        for line in lines:
            self._print(is_error, line)

    def finish(self) -> None:
        """Prints what is left without a newline."""
        for is_error, rest in self._rest.items():
            if rest:
                self._print(is_error, rest)
            self._rest[is_error] = b""

    def _print(self, is_error: bool, line: bytes) -> None:
        stream = sys.stderr if is_error else sys.stdout
        text = line.decode("utf-8", errors="replace").rstrip("\r")
        if self._line is not None:
            text = self._line(text)
        label = coloured(self._label, self._index) if stream.isatty() else self._label
        with _guard:
            print(label, text, file=stream, flush=True)


def write_all(stream: BinaryIO, data: bytes) -> None:
    """Writes bytes at once, without a buffer that would keep them."""
    stream.write(data)
    stream.flush()


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A plain table; numbers go to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(heads), *cells]) for i in range(len(heads))]
    right = [bool(rows) and all(isinstance(row[i], (int, float)) for row in rows)
             for i in range(len(heads))]

    def line(row: Sequence[str]) -> str:
        return "  ".join(f"{cell:>{width}}" if aligned else f"{cell:{width}}"
                         for cell, width, aligned in zip(row, widths, right)).rstrip()
    return "\n".join([line(heads), line(["-" * width for width in widths]),
                      *(line(row) for row in cells)])
