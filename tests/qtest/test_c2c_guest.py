# SPDX-License-Identifier: MIT
"""hv-c2c as its guest sees it, and what it refuses to start with."""

from pathlib import Path
from typing import Iterator

import pytest
from qtest_chip import PARTITION, Channel, Chip, Chips, chip_args, view_of, write_table
from qtest_soc import (BARS, CONFIG, ID, INFO, INFO_SIZE, LINK, NR_QUEUES, VERSION, refusal,
                       wait_for)
from qtest_soc import PARTITION as PARTITION_REGISTER

CHANNELS = (Channel(5, 5), Channel(6, 7, nframes=13, frame_size=320),
            Channel(99, 0, nframes=1, frame_size=4096), Channel(9, 9, owner=3))
OWN = [each for each in CHANNELS if each.owner == PARTITION]


@pytest.fixture(name="chips")
def fixture_chips() -> Iterator[Chips]:
    with Chips() as chips:
        yield chips


@pytest.fixture(name="chip")
def fixture_chip(chips: Chips) -> Chip:
    return chips.listening(chips.path(), CHANNELS)


def test_identity_and_registers(chip: Chip) -> None:
    assert chip.read(CONFIG) == 0x43321234
    assert chip.read(CONFIG + 8) == 0xff000001
    assert chip.register(ID) == 0x43324348
    assert chip.register(VERSION) == 0x00010000
    assert chip.register(PARTITION_REGISTER) == PARTITION
    assert chip.register(NR_QUEUES) == 3
    assert chip.register(LINK) == 0
    assert chip.register(INFO) == 0x10000
    assert chip.register(INFO_SIZE) == 64 + 3 * 24 + 3 * 48


def test_info_page(chip: Chip) -> None:
    page = view_of(OWN).info_page(PARTITION, BARS[2], BARS[4])
    assert chip.read_bytes(BARS[0] + 0x10000, len(page)) == page


def test_link_register_follows(chips: Chips) -> None:
    path = chips.path()
    chip = chips.listening(path, CHANNELS)
    peer = chips.peer(path, OWN)
    chip.up()
    assert chip.register(LINK) == 1
    peer.close()
    chip.down()
    assert chip.register(LINK) == 0


def test_areas_are_memory_of_its_own(chip: Chip) -> None:
    for number, channel in enumerate(OWN):
        chip.write_bytes(chip.area(channel.device) + 128, bytes([number + 1]) * 64)
    for number, channel in enumerate(OWN):
        assert chip.read_bytes(chip.area(channel.device) + 128, 64) == bytes([number + 1]) * 64


def test_areas_outlive_a_reset(chip: Chip) -> None:
    chip.write_bytes(chip.area(6) + 128, b"here")
    chip.cmd("system_reset")
    wait_for(lambda: chip.read(CONFIG + 4, 2) == 0, "the reset")
    chip.boot()
    assert chip.read_bytes(chip.area(6) + 128, 4) == b"here"


def test_queues_of_qmp(chip: Chip) -> None:
    queues = chip.get("queues")
    assert [(q["id"], q["remote"], q["session"], q["far-state"]) for q in queues] == \
        [(5, 5, 0, "unknown"), (6, 7, 0, "unknown"), (99, 0, 0, "unknown")]
    # It waits in SYNC for a guest.
    assert [(q["peer-tx-state"], q["tx-state"]) for q in queues] == 3 * [(1, 0)]
    assert chip.get("connections") == 0 and chip.get("link-error") == ""


def test_devices(chips: Chips) -> None:
    chip = chips.listening(chips.path(), CHANNELS, devices="99/5")
    assert [queue["id"] for queue in chip.get("queues")] == [5, 99]


# ---- refusals ----

def refuse(folder: Path, **properties: object) -> str:
    table = write_table(folder, "table", CHANNELS)
    return refusal(chip_args("path=/tmp/none.sock,reconnect-ms=1000",
                             **{"pct": table, "partition": "GID_A", **properties}))


@pytest.mark.parametrize("properties, message", [
    ({"chardev": None}, "hv-c2c needs 'chardev': the link to the other chip"),
    ({"pct": None}, "hv-c2c needs 'pct': a table made by 'vsoc pct compile'"),
    ({"partition": None},
     "hv-c2c needs 'partition': the name or number of this VM's partition in the table"),
    ({"partition": "GID_X"},
     "partition 'GID_X' is not in table '{table}'; it has GID_A (2), GID_B (3)"),
    ({"devices": "5/x"}, "devices '5/x': 'x' is no device number; write them as 5/6/7"),
    ({"devices": ""}, "devices is empty; write device numbers as 5/6/7"),
    ({"devices": "5/"}, "devices '5/': '' is no device number; write them as 5/6/7"),
    ({"devices": "5/9"}, "devices '5/9': partition GID_A has no channel with device number 9 "
                         "in table '{table}'"),
    ({"devices": "6/5/6"}, "devices '6/5/6': 6 is given twice"),
    ({"keepalive": 99}, "keepalive 99 ms is too short; use at least 100"),
])
def test_refused(tmp_path: Path, properties: dict, message: str) -> None:
    assert refuse(tmp_path, **properties) == message.format(table=tmp_path / "table.pct")


def test_partition_without_channels(tmp_path: Path) -> None:
    table = write_table(tmp_path, "none", [Channel(9, 9, owner=3)])
    assert refuse(tmp_path, pct=table) == \
        f"partition GID_A has no channel to another chip in table '{table}': add one to .c2c"


def test_only_migratable(tmp_path: Path) -> None:
    table = write_table(tmp_path, "table", CHANNELS)
    arguments = chip_args("path=/tmp/none.sock,reconnect-ms=1000", pct=table, partition="GID_A")
    assert refusal(["-only-migratable", *arguments]).endswith(
        "hv-c2c cannot be migrated: its queues are shared with other VMs")
