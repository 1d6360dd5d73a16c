# SPDX-License-Identifier: MIT
"""`vsoc top`: the queues of a running SoC, live."""

from __future__ import annotations

import argparse
import contextlib
import curses
import dataclasses
import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence

from . import arguments
from .config import DEFAULT_FILE
from .errors import ConfigError, VsocError

if TYPE_CHECKING:
    from .observe import Channel, End, Look, Observer

TICK = 0.1      # seconds between two looks at the keyboard

# Heading, whether it goes to the right.
HEADS = (("QUEUE", True), ("A", False), ("B", False), ("A>B /s", True), ("DEPTH", True),
         ("B>A /s", True), ("DEPTH", True), ("STATE A", False), ("STATE B", False),
         ("BELLS/s A", True), ("B", True), ("IRQ/s A", True), ("B", True), ("FAULTS", False))


def _number(value: Optional[float]) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 10 or value == 0 else f"{value:.1f}"


def _depth(end: End, channel: Channel) -> str:
    if not channel.known:
        return "-"
    return f"{'BAD' if end.depth is None else end.depth}/{channel.nframes}"


def _faults(channel: Channel) -> str:
    return ", ".join(f"{name} {count}" for name, count in channel.faults.items()) or "-"


def row(channel: Channel) -> tuple[str, ...]:
    """A channel's line."""
    a, b = channel.ends
    states = [f"{end.presence} {end.state}" if channel.known else "-" for end in (a, b)]
    return (channel.name, a.name, b.name,
            _number(a.frames_per_s), _depth(a, channel), _number(b.frames_per_s),
            _depth(b, channel), *states, _number(a.rings_per_s), _number(b.rings_per_s),
            _number(a.interrupts_per_s), _number(b.interrupts_per_s), _faults(channel))


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines: headings first."""
    heads = [head for head, _ in HEADS]
    widths = [max(len(line[i]) for line in [heads, *rows]) for i in range(len(HEADS))]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(f"{cell:>{width}}" if right else f"{cell:{width}}"
                         for cell, width, (_, right) in zip(cells, widths, HEADS)).rstrip()
    return [line(heads), *map(line, rows)]


# What the rows can be sorted by; the largest first, but for the queue.
ORDERS: tuple[tuple[str, Callable[[int, Channel], float]], ...] = (
    ("queue", lambda place, channel: place),
    ("frames", lambda place, channel: -channel.frames_per_s),
    ("depth", lambda place, channel: -sum(end.depth or 0 for end in channel.ends)),
    ("doorbells", lambda place, channel: -sum(end.rings_per_s or 0 for end in channel.ends)),
    ("faults", lambda place, channel: -sum(channel.faults.values())))


def ordered(channels: Sequence[Channel], order: str, reverse: bool) -> list[Channel]:
    """The channels in one of these orders; equal ones stay in the table's."""
    key = dict(ORDERS)[order]
    numbered = sorted(enumerate(channels), key=lambda pair: (key(*pair), pair[0]))
    return [channel for _, channel in (numbered[::-1] if reverse else numbered)]


def headline(name: str, looks: Sequence[Look]) -> str:
    """The SoC and its VMs."""
    vms = ", ".join(f"{look.vm} ({look.partition}) "
                    f"{look.state}{': ' * bool(look.problem)}{look.problem}" for look in looks)
    return f"{name}, {datetime.now():%H:%M:%S}: {vms}"


def as_json(name: str, looks: Sequence[Look], channels: Sequence[Channel]) -> str:
    """One look as a line of JSON."""
    def plain(channel: Channel) -> dict[str, Any]:
        shown = dataclasses.asdict(channel)
        del shown["when"]
        for end in shown["ends"]:
            for key, value in end.items():
                if isinstance(value, float):
                    end[key] = round(value, 3)
        return shown
    return json.dumps({
        "time": round(time.time(), 3), "soc": name,
        "vms": [{"vm": look.vm, "partition": look.partition, "state": look.state,
                 "problem": look.problem} for look in looks],
        "channels": [plain(channel) for channel in channels]})


@dataclasses.dataclass
class View:
    """What is seen of the table on a terminal, and what a key does to that. No curses here."""

    order: int = 0
    reverse: bool = False
    all_queues: bool = True
    first: int = 0                  # the row on top
    paused: bool = False

    def lines(self, head: str, channels: Sequence[Channel], height: int) -> list[str]:
        """A screen of `height` lines. Scrolls no further than there is something."""
        shown = [channel for channel in channels if self.all_queues or channel.frames_per_s]
        rows = table([row(channel) for channel in
                      ordered(shown, ORDERS[self.order][0], self.reverse)])
        room = max(1, height - 3)
        self.first = max(0, min(self.first, len(rows) - 1 - room))
        body = rows[1 + self.first:1 + self.first + room]
        last = self.first + len(body)
        foot = (f"{self.first + 1 if body else 0}-{last} of {len(rows) - 1}, by "
                f"{ORDERS[self.order][0]}{', reversed' if self.reverse else ''}"
                f"{'' if self.all_queues else ', busy ones'}{', PAUSED' if self.paused else ''}"
                "  q quit  s sort  r reverse  b busy/all  p pause  arrows, PgUp, PgDn, Home, End")
        return [head, rows[0], *body, *[""] * (room - len(body)), foot][:height]

    def key(self, key: int, height: int) -> bool:
        """Takes a key; False: that was the end."""
        page = max(1, height - 4)
        moves = {curses.KEY_UP: -1, curses.KEY_DOWN: 1, curses.KEY_PPAGE: -page,
                 curses.KEY_NPAGE: page, curses.KEY_HOME: -(1 << 30), curses.KEY_END: 1 << 30,
                 ord("k"): -1, ord("j"): 1}
        if key == ord("q"):
            return False
        if key in moves:
            self.first = max(0, self.first + moves[key])
        elif key == ord("s"):
            self.order, self.first = (self.order + 1) % len(ORDERS), 0
        elif key == ord("r"):
            self.reverse = not self.reverse
        elif key == ord("b"):
            self.all_queues, self.first = not self.all_queues, 0
        elif key == ord("p"):
            self.paused = not self.paused
        return True


def _screen(screen: "curses.window", observer: Observer, interval: float) -> None:
    with contextlib.suppress(curses.error):
        curses.use_default_colors()     # this terminal has no colours
    with contextlib.suppress(curses.error):
        curses.curs_set(0)              # this terminal cannot hide it
    screen.timeout(int(TICK * 1000))
    view = View()
    looks, channels = observer.look()
    due = time.monotonic() + min(interval, TICK * 2)    # the first rates soon
    stale = True
    while True:
        if not view.paused and time.monotonic() >= due:
            looks, channels = observer.look()
            due = time.monotonic() + interval
            stale = True
        height, width = screen.getmaxyx()
        if stale:
            _paint(screen, view.lines(headline(observer.name, looks), channels, height), width)
            stale = False
        key = screen.getch()
        if key != -1:
            stale = True
            if not view.key(key, height):
                return


def _paint(screen: "curses.window", lines: Sequence[str], width: int) -> None:
    screen.erase()
    for number, line in enumerate(lines):
        bold = number == 0 or number == len(lines) - 1
        attribute = curses.A_REVERSE if number == 1 else curses.A_BOLD if bold else curses.A_NORMAL
        try:
            screen.addnstr(number, 0, line.ljust(width) if number == 1 else line, width, attribute)
        except curses.error:
            pass        # the lower right corner cannot be written; or the window has just shrunk
    screen.refresh()


def _show(observer: Observer, interval: float) -> None:
    observer.look()                 # what is wrong is said on a screen that stays
    try:
        curses.setupterm()
    except curses.error:
        raise VsocError(f"there is no description of the terminal "
                        f"{os.environ.get('TERM') or '(TERM is not set)'}: set TERM, or use "
                        "`vsoc top --count N`") from None
    if not curses.tigetstr("cup"):
        raise VsocError(f"the terminal {os.environ['TERM']} cannot move its cursor: use "
                        "`vsoc top --count N`")
    try:
        curses.wrapper(_screen, observer, interval)
    except KeyboardInterrupt:
        pass                        # as good as q


def _print(observer: Observer, count: Optional[int], interval: float, as_lines: bool) -> None:
    looks, channels = observer.look()
    number = 0
    while count is None or number < count:
        time.sleep(interval)
        looks, channels = observer.look()
        if as_lines:
            print(as_json(observer.name, looks, channels), flush=True)
        else:
            rows = [row(channel) for channel in channels if channel.known]
            print("\n" * (number > 0) + "\n".join([headline(observer.name, looks), *table(rows)]),
                  flush=True)
        number += 1


def _run(args: argparse.Namespace) -> int:
    from .observe import Observer
    from .soc import find_folder

    if not 0.1 <= args.interval <= 3600:
        raise ConfigError(f"--interval {args.interval:g} is not from 0.1 to 3600 seconds")
    count = 1 if args.once else args.count
    if count is not None and count < 1:
        raise ConfigError(f"--count {count} is not at least 1")
    with Observer(find_folder(args.file, Path(DEFAULT_FILE))) as observer:
        if count is None and not args.json and sys.stdout.isatty() and sys.stdin.isatty():
            _show(observer, args.interval)
        else:
            _print(observer, count, args.interval, args.json)
    return 0


def add_parser(subparsers: Any) -> None:
    """Adds `top`."""
    text = "Shows the queues of a running SoC, live: frames, depth, states, doorbells, faults."
    parser = subparsers.add_parser(
        "top", help="the queues of a running SoC, live", description=text,
        epilog="Plain text when the output is no terminal, or with --once, --count, --json.")
    arguments.soc_file(parser)
    parser.add_argument("--interval", type=float, default=1.0, metavar="SECONDS",
                        help="between two looks (default %(default)s)")
    many = parser.add_mutually_exclusive_group()
    many.add_argument("--once", action="store_true",
                      help="look twice, an interval apart, and print that once")
    many.add_argument("--count", type=int, metavar="N", help="print so often, then end")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    parser.set_defaults(run=_run)
