# SPDX-License-Identifier: MIT
"""A VM's state; and the last words of a QEMU that has ended and of its guest."""

from pathlib import Path
from typing import Iterator

import pytest
from vsoc_samples import CHECKOUT  # noqa: F401 (makes vsoclib importable)
from vsoclib import events
from vsoclib.errors import ProcessError, StateError
from vsoclib.machine import Machine
from vsoclib.state import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with Folder(tmp_path / "state") as made:
        assert made.fd >= 0
        yield made


def end(folder: Folder, script: str) -> str:
    """Starts a VM whose QEMU is this shell script, and says how it ended."""
    machine = Machine(folder, "guest", ["sh", "-c", script])
    machine.start(bound=True)
    assert machine.child is not None
    while machine.child.running():
        pass
    with pytest.raises(ProcessError) as caught:
        machine.check_process()
    return str(caught.value)


def test_words_of_qemu_and_of_its_guest(folder: Folder) -> None:
    """A long console leaves QEMU's own words their place."""
    text = end(folder, "echo assertion failed; exit 3 >guest.console.log")
    assert "exit code 3" in text and "its last lines:\n    assertion failed" in text
    assert "console:" not in text
    text = end(folder, "for i in $(seq 100); do echo line $i; done >>guest.console.log; "
                       "echo assertion failed; kill -ABRT $$")
    assert "killed by signal 6" in text and "    assertion failed\n" in text
    assert text.endswith("    line 100")


def test_words_of_an_earlier_guest(folder: Folder) -> None:
    """Its panic is not why this one ended."""
    end(folder, "echo old panic >>guest.console.log; echo old words")
    text = end(folder, "echo new >>guest.console.log; echo new words; kill -9 $$")
    assert "new\n" in text + "\n" and "new words" in text
    assert "old" not in text.partition("last lines")[2]


def test_a_paused_guest_is_not_asked(folder: Folder) -> None:
    """It would not answer before a long time is over."""
    machine = Machine(folder, "guest", ["sleep", "60"])
    machine.start(bound=True)
    try:
        machine.check_awake()
        assert machine.state() == "running"
        with open(folder / events.log_name("guest"), "ab") as log:
            log.write(b'{"timestamp": {"seconds": 1, "microseconds": 0}, "event": "STOP"}\r\n')
        assert machine.state() == "paused"
        with pytest.raises(StateError, match="guest is paused: .* `vsoc qmp guest cont`"):
            machine.check_awake()
    finally:
        machine.kill()
    assert machine.state() == "stopped"
