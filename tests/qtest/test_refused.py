# SPDX-License-Identifier: MIT
"""What QEMU refuses to start with: one clear line each."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Callable, Iterator, List

import pytest
from qtest_soc import Queue, Soc, Table, bus_table, device_args, refusal


@pytest.fixture(scope="module", name="shared")
def fixture_shared() -> Iterator[Soc]:
    """One server for all refused QEMUs of this file: none of them may spoil it for the next."""
    with Soc(bus_table()) as soc:
        yield soc


def refuse(soc: Soc, **properties: object) -> str:
    """The message for a device that has these properties instead of the good ones."""
    assert soc.server
    return refusal(device_args(soc.server.socket,
                               **{"pct": soc.table.path, "partition": "GID_A", **properties}))


# ---- properties ----

def test_no_chardev(shared: Soc) -> None:
    assert refuse(shared, chardev=None) == \
        "hv-ivc needs 'chardev': a socket to the SoC's ivshmem-server"


def test_no_pct(shared: Soc) -> None:
    assert refuse(shared, pct=None) == "hv-ivc needs 'pct': a table made by 'vsoc pct compile'"


def test_no_partition(shared: Soc) -> None:
    assert refuse(shared, partition=None) == \
        "hv-ivc needs 'partition': the name or number of this VM's partition in the table"


@pytest.mark.parametrize("partition", ["GID_X", "gid_a", "", "4", "-2", "2x", "4294967298"])
def test_unknown_partition(shared: Soc, partition: str) -> None:
    assert refuse(shared, partition=partition) == \
        f"partition '{partition}' is not in table '{shared.table.path}'; " \
        "it has GID_A (2), GID_B (3), GID_C (9), GID_LONE (12)"


def test_partition_without_queues(shared: Soc) -> None:
    assert refuse(shared, partition="GID_LONE") == \
        f"partition GID_LONE has no IVC queue in table '{shared.table.path}'"


@pytest.mark.parametrize("chardev", ["null,id=board", "ringbuf,id=board",
                                     "socket,id=board,host=127.0.0.1,port=0,server=on,wait=off"])
def test_chardev_of_another_kind(shared: Soc, chardev: str) -> None:
    arguments = ["-chardev", chardev, "-device",
                 f"hv-ivc,chardev=board,pct={shared.table.path},partition=GID_A"]
    assert refusal(arguments) == \
        "chardev 'board' is no unix socket: hv-ivc needs -chardev socket,id=...,path=SERVER_SOCKET"


def test_machine_without_msi(shared: Soc) -> None:
    assert shared.server
    arguments = device_args(shared.server.socket, pct=shared.table.path, partition=2)
    assert refusal(["-machine", "its=off", *arguments]) == \
        "hv-ivc needs MSI-X, which this machine lacks: " \
        "on aarch64 use -machine virt,gic-version=3"


def test_only_migratable(shared: Soc) -> None:
    assert shared.server
    arguments = device_args(shared.server.socket, pct=shared.table.path, partition=2)
    assert refusal(["-only-migratable", *arguments]).endswith(
        "hv-ivc cannot be migrated: its queues are shared with other VMs")


# ---- the table ----

def test_no_such_file(shared: Soc, tmp_path: Path) -> None:
    path = tmp_path / "none.pct"
    assert refuse(shared, pct=path) == f"cannot open the table '{path}': No such file or directory"


def test_folder(shared: Soc, tmp_path: Path) -> None:
    assert refuse(shared, pct=tmp_path) == f"cannot read the table '{tmp_path}': Is a directory"


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"#include <stdio.h>\n" * 100])
def test_no_table(shared: Soc, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.pct"
    path.write_bytes(content)
    message = refuse(shared, pct=path)
    assert message.startswith(f"'{path}' is no compiled table: ")
    assert message.endswith("; make one with 'vsoc pct compile'")


def test_endless_file(shared: Soc) -> None:
    assert refuse(shared, pct="/dev/zero") == \
        "'/dev/zero' is no compiled table: it is larger than 262144 bytes"


def test_truncated_table(shared: Soc, tmp_path: Path) -> None:
    path = tmp_path / "short.pct"
    path.write_bytes(shared.table.path.read_bytes()[:-40])
    assert refuse(shared, pct=path).startswith(f"'{path}' is no compiled table: ")


def broken_tables() -> List[object]:
    """One rule broken in each."""
    ab = (2, 3)
    return [pytest.param(rule, queues, id=rule) for rule, queues in (
        ("peers", [Queue(1, (2, 7))]),
        ("nframes", [Queue(1, ab, nframes=0)]),
        ("frame-size", [Queue(1, ab, frame_size=100)]),
        ("queue-size", [Queue(1, ab, nframes=1 << 26)]),
        ("queue-id", [Queue(512, ab)]),
        ("loopback", [Queue(256, (2, 2))]),
    )]


@pytest.mark.parametrize("rule, queues", broken_tables())
def test_broken_rule(shared: Soc, tmp_path: Path, rule: str, queues: List[Queue]) -> None:
    path = Table({"GID_A": 2, "GID_B": 3}, queues).write(tmp_path).path
    message = refuse(shared, pct=path)
    assert message.startswith(f"table '{path}' breaks rule {rule}: ")
    assert str(queues[0].id) in message


def test_another_table(shared: Soc, tmp_path: Path) -> None:
    """The SoC runs a table from its first VM on; one frame more makes another one."""
    shared.start(3)
    table = bus_table()
    table.queues[0] = replace(table.queues[0], nframes=65)
    path = table.write(tmp_path).path
    assert re.fullmatch(
        r"the SoC runs another table \(digest 0x[0-9a-f]{16}\) than "
        rf"'{re.escape(str(path))}' \(0x[0-9a-f]{{16}}\): give all its VMs the same one, "
        r"or start a new ivshmem-server", refuse(shared, pct=path))


# ---- the server ----

def test_partition_is_taken(shared: Soc) -> None:
    """However it is named."""
    shared.start(9)
    assert re.fullmatch(
        r"partition GID_C is taken by a running VM \(client \d+ of the ivshmem-server\)",
        refuse(shared, partition="0x9"))


def test_too_little_memory(make_soc: Callable[..., Soc]) -> None:
    soc = make_soc(bus_table(), size=1 << 18)
    assert refuse(soc) == \
        f"the ivshmem-server has 262144 bytes of shared memory, table '{soc.table.path}' needs " \
        f"{soc.table.total}: start it with -l {soc.table.total}"


@pytest.mark.parametrize("vectors", [1, 7])
def test_too_few_vectors(make_soc: Callable[..., Soc], vectors: int) -> None:
    soc = make_soc(bus_table(), vectors=vectors)
    assert refuse(soc) == \
        f"the ivshmem-server offers {vectors} vectors, table '{soc.table.path}' needs 8: " \
        "start it with -n 8"


def test_good_after_all_that(shared: Soc) -> None:
    """The server of the refused ones serves a good VM."""
    shared.start(2)
