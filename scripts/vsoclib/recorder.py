# SPDX-License-Identifier: MIT
"""The process that notes when each line of a SoC's logs was written.

    recorder.py TIMELINE SOURCES        in the state folder

SOURCES is a JSON object: file -> [whose, kind]. QEMU writes consoles into files without a time, and
a vsoc that looks later cannot know it. So this one sleeps beside the files, reads on when one of
them grows, and adds a line to TIMELINE for each of theirs: a JSON object with `time` (since 1970),
`vm`, `kind`, `text`, and with `file` and `at`, how far that file has been read. Nobody waits for
it: without it lines have no time, and all else goes on.

It stands alone, without the rest of vsoclib, to start fast and stay small.
"""

import ctypes
import json
import os
import select
import signal
import sys
import time
from typing import Any, BinaryIO, Dict, List, Optional, Tuple

IN_MODIFY, IN_CREATE, IN_DELETE = 0x2, 0x100, 0x200
TOGETHER = 0.002        # seconds; a console grows byte by byte, which is one look, not many
WHOLE = 0.2             # after that a line that does not end, as a prompt, is a line
LONGEST = 1 << 16       # so is one of so many bytes
AT_ONCE = 1 << 18       # bytes read of a file before the others have their turn


class Tail:
    """Reads on in one file."""

    def __init__(self, name: str, vm: str, kind: str, position: int) -> None:
        self.name = name
        self._vm = vm
        self._kind = kind
        self._position = position
        self._rest = b""
        self._since = 0.0           # when the rest was begun

    def look(self, now: float, out: BinaryIO) -> bool:
        """Notes what is new. Whether there may be more of it."""
        try:
            with open(self.name, "rb") as log:
                log.seek(self._position)
                fresh = log.read(AT_ONCE)
        except FileNotFoundError:
            return False
        if not fresh:
            return False
        self._position += len(fresh)
        if not self._rest:
            self._since = now
        *lines, rest = (self._rest + fresh).split(b"\n")
        done = self._position - len(self._rest) - len(fresh)
        for line in lines:
            done += len(line) + 1
            self._note(self._since, line, done, out)
            self._since = now
        self._rest = rest
        if len(rest) > LONGEST:
            self.finish(out)
        return len(fresh) == AT_ONCE

    def waits_until(self) -> Optional[float]:
        """When a line that has not ended is one."""
        return self._since + WHOLE if self._rest else None

    def finish(self, out: BinaryIO) -> None:
        """What has no end so far is a line."""
        if self._rest:
            self._note(self._since, self._rest, self._position, out)
            self._rest = b""

    def _note(self, now: float, line: bytes, at: int, out: BinaryIO) -> None:
        text = line.rstrip(b"\r").decode("utf-8", errors="replace")
        if not text:
            return
        when, kind = now, self._kind
        if kind == "event":
            found = _event(text)
            if found is None:
                return
            when, text = found
        out.write(json.dumps({"time": round(when, 6), "vm": self._vm, "kind": kind, "text": text,
                              "file": self.name, "at": at}).encode() + b"\n")


def _event(line: str) -> Optional[Tuple[float, str]]:
    """A QMP event: its own time, and what it says. Nothing for what is no event."""
    try:
        said = json.loads(line)
        name = said["event"]
        stamp = said["timestamp"]
        when = stamp["seconds"] + stamp["microseconds"] / 1e6
        data: Dict[str, Any] = said.get("data", {})
        words = [f"{key} {json.dumps(value)}" for key, value in data.items()]
        return when, f"{name} {', '.join(words)}".rstrip()
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _read_so_far(path: str) -> Dict[str, int]:
    """How far each file was read by one that was here before, and has ended perhaps within a line
    of its own.
    """
    positions: Dict[str, int] = {}
    with open(path, "ab+") as timeline:
        timeline.seek(0)
        last = b"\n"
        for line in timeline:
            last = line
            try:
                note = json.loads(line)
                positions[note["file"]] = note["at"]
            except (ValueError, KeyError, TypeError):
                continue
        if not last.endswith(b"\n"):
            timeline.write(b"\n")
    return positions


def _watch() -> int:
    """A descriptor that is readable when a file of this folder changes."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    if fd < 0 or libc.inotify_add_watch(fd, b".", IN_MODIFY | IN_CREATE | IN_DELETE) < 0:
        raise OSError(ctypes.get_errno(), "inotify")
    return fd


def _asked_to_end() -> int:
    """A descriptor that is readable after SIGTERM, which may come in the middle of a line."""
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(write)
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    return read


def main(path: str, sources: Dict[str, Tuple[str, str]]) -> None:
    """Until SIGTERM, or until the folder is gone."""
    end = _asked_to_end()
    watch = _watch()
    positions = _read_so_far(path)
    tails = [Tail(name, vm, kind, positions.get(name, 0))
             for name, (vm, kind) in sources.items()]
    ready: List[int] = []
    with open(path, "ab", buffering=0) as out:
        while os.path.exists(path):
            more = True
            while more:
                more = any([tail.look(time.time(), out) for tail in tails])
            if end in ready:
                for tail in tails:
                    tail.finish(out)
                return
            waiting = [(tail, until) for tail in tails
                       if (until := tail.waits_until()) is not None]
            now = time.time()
            ready = select.select([watch, end], [], [], max(0.0, min(
                until for _, until in waiting) - now) if waiting else None)[0]
            now = time.time()
            for tail, until in waiting:
                if until <= now and not ready:
                    tail.finish(out)
            if watch in ready:
                time.sleep(TOGETHER)
                os.read(watch, 1 << 16)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
