# SPDX-License-Identifier: MIT
"""The file with a VM's QMP events, as QEMU writes it."""

import os
import select
from pathlib import Path

import pytest
from vsoc_samples import CHECKOUT  # noqa: F401 (makes vsoclib importable)
from vsoclib.events import Events, standard_input

GREETING = b'{"QMP": {"version": {}, "capabilities": ["oob"]}}\r\n{"return": {}}\r\n'


def event(name: str, **data: object) -> bytes:
    text = ", ".join(f'"{key}": {value}' for key, value in data.items())
    return (f'{{"timestamp": {{"seconds": 17, "microseconds": 250000}}, "event": "{name}", '
            f'"data": {{{text}}}}}\r\n').encode()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "guest.events.log"


def add(log: Path, text: bytes) -> None:
    with open(log, "ab") as file:
        file.write(text)


def test_no_file_is_no_event(log: Path) -> None:
    events = Events(log)
    events.look()
    assert (events.boots, events.panicked, events.why_ended(), events.history) == (0, False, "", [])


def test_a_start_and_a_reset_are_boots(log: Path) -> None:
    events = Events(log)
    events.begin()
    add(log, GREETING)
    events.look()
    assert events.boots == 1
    add(log, event("STOP") + event("RESET", guest="false"))
    events.look()
    events.look()
    assert events.boots == 2
    assert [(each.name, each.seconds) for each in events.history] == [("STOP", 17.25),
                                                                      ("RESET", 17.25)]


def test_a_pause_lasts_until_it_goes_on(log: Path) -> None:
    """A reset does not end it: QEMU waits for `cont` with the new guest, too."""
    events = Events(log)
    for text, paused in ((GREETING, False), (event("STOP"), True), (event("RESET"), True),
                         (event("RESUME"), False), (event("STOP"), True)):
        add(log, text)
        events.look()
        assert events.paused == paused
    events.begin()
    assert not events.paused


def test_a_line_that_comes_in_two_parts(log: Path) -> None:
    events = Events(log)
    line = event("RESET")
    for part in line[:20], line[20:]:
        add(log, part)
        events.look()
    assert events.boots == 1


def test_a_qemu_that_was_killed_in_a_line_hides_no_start(log: Path) -> None:
    events = Events(log)
    add(log, GREETING + event("SHUTDOWN", reason='"guest-shutdown"')[:30])
    events.begin()
    add(log, GREETING)
    events.look()
    assert events.boots == 2


def test_a_panic_ends_with_the_next_start(log: Path) -> None:
    events = Events(log)
    add(log, GREETING + event("GUEST_PANICKED", action='"run"'))
    events.look()
    assert events.panicked
    add(log, event("RESET"))
    events.look()
    assert not events.panicked


def test_a_qemu_that_is_about_to_start_has_not_panicked(log: Path) -> None:
    events = Events(log)
    add(log, GREETING + event("GUEST_PANICKED") + event("SHUTDOWN", reason='"guest-panic"'))
    events.begin()
    events.look()
    assert not events.panicked and events.why_ended() == ""


@pytest.mark.parametrize("reason,words", [
    ("guest-shutdown", ": the guest shut down"), ("host-signal", ": a signal asked it to end"),
    ("of-its-own", ": of-its-own")])
def test_why_qemu_ended(reason: str, words: str, log: Path) -> None:
    events = Events(log)
    add(log, GREETING + event("SHUTDOWN", guest="true", reason=f'"{reason}"'))
    assert events.why_ended() == words
    add(log, b"\n" + GREETING)
    assert events.why_ended() == ""


def test_the_input_has_one_command_and_no_end() -> None:
    with standard_input() as both:
        copy = os.open(f"/proc/self/fd/{both}", os.O_RDONLY | os.O_NONBLOCK)
        try:
            assert os.read(copy, 4096) == b'{"execute": "qmp_capabilities"}\n'
            assert select.select([copy], [], [], 0)[0] == []
        finally:
            os.close(copy)
