# SPDX-License-Identifier: MIT
"""The recorder's process beside growing files, and what is read of its notes."""

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Iterator

import pytest
from vsoc_samples import CHECKOUT  # noqa: F401 (makes vsoclib importable)
from vsoclib import timeline
from vsoclib.process import Child, find
from vsoclib.state import Folder
from vsoclib.timeline import Entry, Reader, show

EVENT = (b'{"timestamp": {"seconds": 17, "microseconds": 250000}, "event": "RESET", '
         b'"data": {"guest": false}}\r\n')


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with Folder(tmp_path / "state") as made:
        assert made.fd >= 0
        yield made


@pytest.fixture
def recorder(folder: Folder) -> Iterator[Child]:
    child = start(folder)
    yield child
    child.kill()
    log = folder / timeline.LOG
    assert not log.exists() or log.read_text() == ""


def start(folder: Folder) -> Child:
    return timeline.record(folder, ["guest", "update"], [""], bound=True)


def add(folder: Folder, name: str, text: bytes) -> None:
    with open(folder / name, "ab") as log:
        log.write(text)


def wait_for(reader: Reader, count: int, found: "list[Entry]") -> "list[Entry]":
    """Until so many entries are there."""
    deadline = time.monotonic() + 10
    while len(found) < count:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
        found += reader.more()
    return found


def test_lines_are_noted_when_they_come(folder: Folder, recorder: Child) -> None:
    reader = Reader(folder)
    found: "list[Entry]" = []
    before = time.time()
    add(folder, "guest.console.log", b"first\r\n")
    wait_for(reader, 1, found)
    middle = time.time()
    add(folder, "update.console.log", b"second\n")
    wait_for(reader, 2, found)
    add(folder, "server.log", b"third\nfourth\n")
    wait_for(reader, 4, found)
    assert [(each.vm, each.kind, each.text) for each in found] == [
        ("guest", "console", "first"), ("update", "console", "second"),
        ("", "server", "third"), ("", "server", "fourth")]
    assert before <= found[0].time <= middle <= found[1].time <= time.time()


def test_what_was_there_before_the_recorder(folder: Folder) -> None:
    add(folder, "guest.console.log", b"early\n")
    child = start(folder)
    found = wait_for(Reader(folder), 1, [])
    child.kill()
    assert found[0].text == "early"


def test_a_line_has_the_time_of_its_beginning(folder: Folder, recorder: Child) -> None:
    reader = Reader(folder)
    add(folder, "guest.qemu.log", b"begin")
    time.sleep(0.1)
    before = time.time()
    add(folder, "guest.qemu.log", b"ning\nnext\n")
    first, second = wait_for(reader, 2, [])
    assert (first.text, second.text) == ("beginning", "next")
    assert first.time < before <= second.time


def test_a_prompt_is_a_line_after_a_while(folder: Folder, recorder: Child) -> None:
    reader = Reader(folder)
    add(folder, "guest.console.log", b"login: ")
    found = wait_for(reader, 1, [])
    add(folder, "guest.console.log", b"root\n\n")
    wait_for(reader, 2, found)
    assert [each.text for each in found] == ["login: ", "root"]


def test_events_have_their_own_time(folder: Folder, recorder: Child) -> None:
    reader = Reader(folder)
    add(folder, "guest.events.log", b'\n{"QMP": {}}\r\n{"return": {}}\r\n{"ev' + b"\n" + EVENT)
    [found] = wait_for(reader, 1, [])
    assert found == Entry(17.25, "guest", "event", "RESET guest false")


def test_any_bytes(folder: Folder, recorder: Child) -> None:
    reader = Reader(folder)
    add(folder, "guest.console.log", bytes(set(range(256)) - {10, 13}) + b"\n" + b"x" * 200000)
    found = wait_for(reader, 2, [])
    assert found[0].text.startswith("\0\1") and found[0].text.endswith("\ufffd")
    assert found[1].text == "x" * 200000


def test_one_recorder_goes_on_where_another_was_killed(folder: Folder) -> None:
    reader = Reader(folder)
    first = start(folder)
    add(folder, "guest.console.log", b"one\ntwo")
    found = wait_for(reader, 1, [])
    first.kill()
    add(folder, "guest.console.log", b"\nthree\n")
    add(folder, timeline.FILE, b'{"time": 1.0, "vm": "gu')        # killed in its line
    second = start(folder)
    wait_for(reader, 3, found)
    second.kill()
    assert [each.text for each in found] == ["one", "two", "three"]


def test_the_end(folder: Folder, recorder: Child) -> None:
    add(folder, "guest.console.log", b"begun\n")
    reader = Reader(folder)
    found = wait_for(reader, 1, [])
    os.kill(recorder.process.pid, signal.SIGSTOP)
    add(folder, "guest.console.log", b"last words")
    os.kill(recorder.process.pid, signal.SIGCONT)
    timeline.finish(recorder)
    assert not recorder.running()
    found += reader.more()
    assert [each.text for each in found] == ["begun", "last words"]
    timeline.finish(recorder)


def test_it_ends_with_its_folder(folder: Folder, recorder: Child) -> None:
    add(folder, "guest.console.log", b"x\n")
    wait_for(Reader(folder), 1, [])
    assert [each.role for each in find(folder.path)] == [timeline.ROLE]
    shutil.rmtree(folder.path)
    deadline = time.monotonic() + 10
    while recorder.running():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_sleeps(folder: Folder, recorder: Child) -> None:
    def ticks() -> int:
        fields = Path(f"/proc/{recorder.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    add(folder, "guest.console.log", b"x\ny")
    wait_for(Reader(folder), 2, [])
    before = ticks()
    time.sleep(1)
    assert ticks() - before <= 1


def test_it_stays_small(folder: Folder) -> None:
    """However much is there that no recorder has read."""
    line = b"x" * 65535 + b"\n"
    with open(folder / "guest.console.log", "wb") as log:
        for _ in range(1024):
            log.write(line)
    add(folder, "guest.events.log", EVENT)
    child = start(folder)
    try:
        deadline = time.monotonic() + 30
        last = f'"at": {1024 * len(line)}}}\n'.encode()
        while not (folder / timeline.FILE).exists() or not read_end(folder).endswith(last):
            assert time.monotonic() < deadline and child.running()
            time.sleep(0.05)
        status = Path(f"/proc/{child.process.pid}/status").read_text()
        [most] = [int(each.split()[1]) for each in status.splitlines() if "VmHWM" in each]
        assert most < 40 << 10      # KiB; all at once took 140 MiB
    finally:
        child.kill()


def read_end(folder: Folder) -> bytes:
    with open(folder / timeline.FILE, "rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - 100))
        return log.read()


def test_kinds_and_order(folder: Folder) -> None:
    notes = [(3.0, "guest", "qemu", "hv_pci_endpoint partition 2: queue 255 open 1"),
             (2.0, "update", "console", "[   12.345678] nvsciipc[7/8] a: opened"),
             (4.0, "update", "console", "nvsciipc: no such file"),
             (1.0, "guest", "qemu", "qemu: warning")]
    with open(folder / timeline.FILE, "w", encoding="utf-8") as log:
        for when, vm, kind, text in notes:
            log.write(json.dumps({"time": when, "vm": vm, "kind": kind, "text": text}) + "\n")
        log.write('no JSON\n[]\n{"time": 1}\n{"time": 9, "vm": "a", "kind": "b", "text": "half')
    found = list(Reader(folder).more())
    assert [(each.time, each.kind) for each in found] == [
        (1.0, "qemu"), (2.0, "library"), (3.0, "device"), (4.0, "console")]


def test_a_long_time_line_is_read_in_pieces(folder: Folder, monkeypatch: pytest.MonkeyPatch
                                            ) -> None:
    """One that is as long as a day is not held in memory, and a long line is a line."""
    monkeypatch.setattr(timeline, "AT_ONCE", 1000)
    texts = [str(number) for number in range(300)] + ["x" * 5000, "the end"]
    with open(folder / timeline.FILE, "w", encoding="utf-8") as log:
        for number, text in enumerate(texts):
            log.write(json.dumps({"time": number, "vm": "a", "kind": "qemu", "text": text}) + "\n")
        log.write('{"time": 9, "vm": "a')
    reader = Reader(folder)
    entries = reader.more()
    assert next(entries).text == "0" and reader.position <= 1000
    assert [each.text for each in entries] == texts[1:]
    with open(folder / timeline.FILE, "a", encoding="utf-8") as log:
        log.write('", "kind": "qemu", "text": "whole"}\n')
    assert [each.text for each in reader.more()] == ["whole"]


def test_nothing_yet(folder: Folder) -> None:
    assert not list(Reader(folder).more())


def test_no_terminal_acts_on_what_is_shown() -> None:
    entry = Entry(12.5, "guest", "console", "/ # \x1b[6n\x1b]0;title\x07\x1b[1;31mred\x1b[0m\a\tend")
    assert show(entry, 10.0, 6) == "     2.500  guest   console  / # 0;titlered\tend"
