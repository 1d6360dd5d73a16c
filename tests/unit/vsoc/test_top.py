# SPDX-License-Identifier: MIT
"""vsoc top: its table, what keys do to it, its JSON; and the whole of it on a small terminal."""

import curses
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from vsoc_samples import CHECKOUT
from vsoclib import top
from vsoclib.observe import Channel, End, Look

LOOKS = [Look("guest", "GID_GUEST_VM", "running", 1.0),
         Look("update", "GID_UPDATE", "no answer", 1.0, {}, "it is stopped")]


def channel(number: int, rate: float = 0.0, **more: object) -> Channel:
    a = End("guest", "GID_GUEST_VM", number, "open", "established", 7, 5, 2, rings_out=3,
            frames_per_s=rate, rings_per_s=rate / 10)
    b = End("update", "GID_UPDATE", number, "gone", "sync", 5, 5, 0)
    made = Channel(str(number), "ivc", 64, 1536, 1.0, (a, b))
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_a_row() -> None:
    one = channel(255, 1234.5)
    one.ends[1].faults["dropped"] = 3
    assert top.row(one) == ("255", "guest", "update", "1234", "2/64", "-", "0/64",
                            "open established", "gone sync", "123", "-", "-", "-", "dropped 3")


def test_absurd_counts_and_unknown_queues_are_shown_as_such() -> None:
    bad = channel(1)
    bad.ends[0].depth = None
    assert top.row(bad)[4] == "BAD/64"
    assert top.row(channel(1, known=False))[4:9:2] == ("-", "-", "-")


def test_the_headline_says_who_does_not_answer() -> None:
    line = top.headline("demo", LOOKS)
    assert line.startswith("demo, ") and line.endswith(
        "guest (GID_GUEST_VM) running, update (GID_UPDATE) no answer: it is stopped")


def test_json() -> None:
    shown = json.loads(top.as_json("demo", LOOKS, [channel(255, 2.0)]))
    assert shown["soc"] == "demo" and shown["vms"][1]["state"] == "no answer"
    [one] = shown["channels"]
    assert one["name"] == "255" and one["ends"][0]["frames_per_s"] == 2.0
    assert one["ends"][1]["frames_per_s"] is None


def numbers(lines: "list[str]") -> "list[int]":
    """The queues of a screen's lines."""
    return [int(line.split()[0]) for line in lines[2:-1] if line]


MANY = [channel(number, rate=number % 7) for number in range(512)]


def test_scrolling_512_queues() -> None:
    view = top.View()
    assert numbers(view.lines("", MANY, 24)) == list(range(21))
    assert view.key(curses.KEY_NPAGE, 24)
    assert numbers(view.lines("", MANY, 24)) == list(range(20, 41))
    view.key(curses.KEY_END, 24)
    assert numbers(view.lines("", MANY, 24)) == list(range(491, 512))
    view.key(curses.KEY_DOWN, 24)
    assert numbers(view.lines("", MANY, 24))[-1] == 511
    view.key(curses.KEY_UP, 24)
    assert numbers(view.lines("", MANY, 24))[-1] == 510
    view.key(curses.KEY_HOME, 24)
    assert numbers(view.lines("", MANY, 24))[0] == 0


def test_a_window_that_grows_or_shrinks_is_filled() -> None:
    view = top.View()
    view.key(curses.KEY_END, 24)
    assert numbers(view.lines("", MANY, 24))[-1] == 511
    assert len(numbers(view.lines("", MANY, 600))) == 512
    for height in range(1, 6):
        assert len(view.lines("", MANY, height)) == height


def test_sorting() -> None:
    view = top.View()
    view.key(ord("s"), 24)
    lines = view.lines("", MANY, 24)
    assert numbers(lines)[:3] == [6, 13, 20] and "by frames" in lines[-1]
    view.key(ord("r"), 24)
    assert numbers(view.lines("", MANY, 24))[:2] == [511, 504]
    for order, _ in top.ORDERS:
        assert len(top.ordered(MANY, order, False)) == 512


def test_only_the_busy_ones() -> None:
    view = top.View()
    view.key(ord("b"), 24)
    assert 0 not in {number % 7 for number in numbers(view.lines("", MANY, 600))}


def test_q_ends() -> None:
    assert not top.View().key(ord("q"), 24)
    assert top.View().key(ord("x"), 24)


# top's screen with an observer that needs no SoC.
PROGRAM = """
import curses, sys
sys.path[:0] = {paths!r}
from test_top import LOOKS, channel
from vsoclib import top

class Observer:
    name = "demo"
    looks = 0
    def look(self):
        self.looks += 1
        return LOOKS, [channel(number, self.looks) for number in range(512)]

top._show(Observer(), 0.1)
print("well ended")
"""


@pytest.fixture(params=["xterm"])
def terminal(request: pytest.FixtureRequest) -> "tuple[subprocess.Popen[bytes], int]":
    paths = [str(CHECKOUT / "scripts"), str(Path(__file__).parent)]
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))
    run = subprocess.Popen([sys.executable, "-c", PROGRAM.format(paths=paths)], stdin=side,
                           stdout=side, stderr=side, env={**os.environ, "TERM": request.param})
    os.close(side)
    yield run, main                 # type: ignore[misc]
    run.kill()
    run.wait()
    os.close(main)


def read_until(fd: int, text: bytes) -> bytes:
    seen = b""
    deadline = time.monotonic() + 20
    while text not in seen:
        assert select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0], seen
        seen += os.read(fd, 65536)
    return seen


def test_on_a_terminal(terminal: "tuple[subprocess.Popen[bytes], int]") -> None:
    run, fd = terminal
    read_until(fd, b"1-21 of 512")
    os.write(fd, b"\x1b[F\x1bOF")                       # End, in both of its forms
    read_until(fd, b"492-512")
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("4H", 10, 60, 0, 0))
    run.send_signal(signal.SIGWINCH)
    read_until(fd, b"492-498 of 512")
    os.write(fd, b"q")
    read_until(fd, b"well ended")
    assert run.wait(10) == 0


@pytest.mark.parametrize("terminal", ["vt100"], indirect=True)
def test_on_a_terminal_without_colours(terminal: "tuple[subprocess.Popen[bytes], int]") -> None:
    run, fd = terminal
    read_until(fd, b"1-21 of 512")
    os.write(fd, b"q")
    read_until(fd, b"well ended")
    assert run.wait(10) == 0


@pytest.mark.parametrize("terminal", ["dumb"], indirect=True)
def test_on_a_terminal_that_can_do_nothing(terminal: "tuple[subprocess.Popen[bytes], int]") -> None:
    seen = read_until(terminal[1], b"--count N")
    assert b"VsocError: the terminal dumb cannot" in seen
