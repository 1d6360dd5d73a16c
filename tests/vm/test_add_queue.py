# SPDX-License-Identifier: MIT
"""A queue that is added to the table and to both configurations works; one that the table does not
have is ignored."""

from pathlib import Path
from typing import Iterator

import pytest
from vm_support import PLATFORM, Steps, soc_text
from vsoclib import config
from vsoclib.soc import Soc

LINE = "            [300] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 7, " \
       ".frame_size = 448 },\n"


@pytest.fixture(scope="module")
def edited(cache: Path, tmp_path_factory: pytest.TempPathFactory,
           steps: Path) -> Iterator[Soc]:
    """What a newcomer does: a line in the table, a line in both configurations, and up."""
    folder = tmp_path_factory.mktemp("edited")
    (folder / "server-partitions.mk").write_text(
        (PLATFORM.parent / "server-partitions.mk").read_text())
    text = PLATFORM.read_text()
    mark = "            [255]"
    assert mark in text
    (folder / "platform_config.h").write_text(text.replace(mark, LINE + mark, 1))
    path = folder / "soc.toml"
    path.write_text(soc_text(folder, [f"{steps}:/usr/bin/steps"],
                             folder / "platform_config.h", "edited"))
    for name in ("guest.cfg", "update.cfg"):
        with open(folder / name, "a") as cfg:
            cfg.write("INTER_VM added 300\nINTER_VM not_in_the_table 301\n")
    with Soc.new(config.load(path)) as soc:
        yield soc


def test_the_added_queue_works(edited: Soc) -> None:
    guest = Steps(edited["guest"], ["open:added", "info:7:448", "reset", "est", "both:1:2:1000"])
    update = Steps(edited["update"], ["open:added", "info:7:448", "reset", "est", "both:2:1:1000"])
    guest.finish()
    update.finish()


def test_a_queue_without_an_entry_in_the_table_is_ignored(edited: Soc) -> None:
    for vm in ("guest", "update"):
        # NoSuchEntry, and nothing else suffers.
        Steps(edited[vm], ["fail:not_in_the_table:0x1100", "open:ivc_test"]).finish()


def test_the_other_queues_still_work(edited: Soc) -> None:
    guest = Steps(edited["guest"], ["open:ivc_test", "reset", "est", "both:1:2:1000"])
    Steps(edited["update"], ["open:ivc_test", "reset", "est", "both:2:1:1000"]).finish()
    guest.finish()
