# SPDX-License-Identifier: MIT
"""The watch over a console's log: what counts as bad news of the guest."""

from pathlib import Path

import pytest
from vsoclib.console import Watch

PANIC = b"[    1.234567] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n"


@pytest.mark.parametrize("text,panic,failed", [
    (b"", None, None),
    (b"[    1.0] Booting\r\n" + PANIC, "VFS: Unable to mount root fs", None),
    (b"Kernel panic - not syncing: x\n", "x", None),
    (b"$ echo [ 1.0] Kernel panic - not syncing: x\r\n", None, None),
    (b"vsoc: guest FAILED: cannot load the module hv_ivc\r\n", None,
     "cannot load the module hv_ivc"),
    (b"vsoc: guest ready after 1.58 s\r\n", None, None),
])
def test_news(text: bytes, panic: str, failed: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    watch = Watch(log)
    watch.look()
    log.write_bytes(text)
    watch.look()
    assert watch.panic == (f"Kernel panic - not syncing: {panic}" if panic else None)
    assert watch.failed == failed


def test_a_line_that_comes_in_pieces(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "log")
    for at in range(0, len(PANIC), 7):
        assert watch.panic is None
        with open(tmp_path / "log", "ab") as log:
            log.write(PANIC[at:at + 7])
        watch.look()
    assert watch.panic == "Kernel panic - not syncing: VFS: Unable to mount root fs"


def test_a_restart_is_a_new_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(PANIC)
    watch = Watch(log)
    watch.skip()
    watch.look()
    assert watch.panic is None


def test_a_guest_that_came_up_after_a_panic_is_well(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(PANIC + b"vsoc: guest ready after 1.58 s\r\n")
    watch = Watch(log)
    watch.look()
    assert watch.panic is None
