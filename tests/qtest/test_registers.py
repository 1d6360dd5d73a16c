# SPDX-License-Identifier: MIT
"""PCI identity, the register map, and what hostile accesses get."""

import random

import pytest
from qtest_soc import (BARS, CONFIG, ID, INFO, INFO_SIZE, LINK, NR_QUEUES, PAGE, PANIC, PARTITION,
                       RING, STATUS, VERSION, Soc, Vm)


@pytest.fixture
def vm(soc: Soc) -> Vm:
    return soc.boot(2)[0]


def test_pci_identity(soc: Soc) -> None:
    vm = soc.start(2)
    assert vm.read(CONFIG) == 0x49561234
    assert vm.read(CONFIG + 8) == 0xff000001
    sizes = {}
    for bar in (0, 1, 2, 4):
        at = CONFIG + 0x10 + 4 * bar
        kind = vm.read(at) & 0xf
        vm.write(at, 0xffffffff)
        mask = vm.read(at) & ~0xf
        if kind & 4:
            vm.write(at + 4, 0xffffffff)
            mask |= vm.read(at + 4) << 32
        else:
            mask |= 0xffffffff00000000
        sizes[bar] = (kind, (~mask & 0xffffffffffffffff) + 1)
    areas = sum(q.area_size for q in soc.table.of(2) if q.id != 257)
    assert sizes == {
        0: (0x0, 0x20000),                              # 32 bit
        1: (0x0, 0x1000),
        2: (0xc, 1 << (areas - 1).bit_length()),        # 64 bit, prefetchable
        4: (0x4, 8 * PAGE),                             # 64 bit
    }
    assert vm.read(vm.msix_capability() + 2, 2) & 0x7ff == len(soc.table.of(2)) - 1


def test_register_map(vm: Vm) -> None:
    own = vm.table.of(2)
    assert vm.register(ID) == 0x43564948
    assert vm.register(VERSION) == 0x00010000
    assert vm.register(PARTITION) == 2
    assert vm.register(LINK) == 1
    assert vm.register(NR_QUEUES) == len(own) == 6
    assert vm.register(INFO) == 0x10000
    assert vm.register(INFO_SIZE) == 64 + 6 * 24 + 6 * 48
    for slot in range(len(own)):
        assert vm.register(0x1000 + 4 * slot) == 0


def test_a_panic_is_announced_once(vm: Vm) -> None:
    def announced() -> int:
        return sum(event["event"] == "GUEST_PANICKED" for event in vm.get_qmp_events())
    assert vm.register(PANIC) == 0
    for value in (1, 0, 0xffffffff):
        vm.write(BARS[0] + PANIC, value)
    vm.write(BARS[0] + PANIC, 1, 2)
    assert announced() == 1
    assert vm.cmd("query-status")["status"] == "running"
    vm.cmd("system_reset")
    vm.event_wait("RESET", timeout=10)
    vm.map_bars()
    vm.write(BARS[0] + PANIC, 1)
    vm.cmd("query-status")
    assert announced() == 1


def test_endpoint_keeps_bit_0(vm: Vm) -> None:
    vm.write(BARS[0] + 0x1004, 0xffffffff)
    assert vm.register(0x1004) == 1
    assert vm.register(0x1000) == 0
    assert [queue["open"] for queue in vm.get("queues")] == [False, True] + 4 * [False]
    vm.write(BARS[0] + 0x1004, 0xfffffffe)
    assert vm.register(0x1004) == 0


def test_read_only_registers_stay(vm: Vm) -> None:
    before = [vm.register(offset) for offset in range(0, 0x20, 4)]
    for offset in range(0, 0x20, 4):
        vm.write(BARS[0] + offset, 0xffffffff)
    vm.write(BARS[0] + 0x10000, 0xffffffff)
    assert [vm.register(offset) for offset in range(0, 0x20, 4)] == before
    assert vm.register(0x10000) == 6


@pytest.mark.parametrize("size", [1, 2, 8])
def test_other_widths_read_0(vm: Vm, size: int) -> None:
    for offset in (ID, PARTITION, NR_QUEUES, 0x1000):
        assert vm.read(BARS[0] + offset, size) == 0
    vm.write(BARS[0] + 0x1000, 1, size)
    assert vm.register(0x1000) == 0
    assert vm.read(BARS[4] + STATUS, size) == 0
    vm.write(BARS[4] + RING, 1, size)
    assert vm.queue(10)["rings-out"] == 0


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_unaligned_reads_0(vm: Vm, size: int) -> None:
    for offset in (1, 2, 3, 5, 7, 0x1001, 0x1002):
        if offset % size:
            assert vm.read(BARS[0] + offset, size) == 0
            vm.write(BARS[0] + offset, 0xffffffffffffffff >> (64 - 8 * size), size)
            assert vm.read(BARS[4] + offset, size) == 0
    assert vm.register(0x1000) == 0
    assert vm.register(ID) == 0x43564948


def test_unknown_offsets_read_0(vm: Vm) -> None:
    end = 0x1000 + 4 * 6
    for offset in (0x1c, 0x20, 0xffc, end, end + 4, 0x17fc, 0x1800, 0xfffc):
        assert vm.register(offset) == 0
        vm.write(BARS[0] + offset, 0xffffffff)
        assert vm.register(offset) == 0
    # Notification pages: between the words, behind the queues.
    for offset in (RING, 8, 0xffc, 0xfffc, 6 * PAGE, 6 * PAGE + STATUS, 8 * PAGE - 4):
        assert vm.read(BARS[4] + offset) == 0
    vm.write(BARS[4] + STATUS, 0xffffffff)
    vm.write(BARS[4] + 6 * PAGE + RING, 1)
    assert vm.read(BARS[4] + STATUS) == 0
    assert all(queue["rings-out"] == 0 for queue in vm.get("queues"))


def test_areas_end_in_nothing(soc: Soc) -> None:
    vm = soc.boot(9)[0]
    end = sum(q.area_size for q in soc.table.of(9))
    size = 1 << (end - 1).bit_length()
    assert end < size
    for at in (end, end + 1, size - 8):
        vm.write(BARS[2] + at, 0x1122334455667788, 8)
        assert vm.read(BARS[2] + at, 8) == 0
    # The last words of the last area are memory; a write across its end is cut there.
    vm.write(BARS[2] + end - 4, 0x1122334455667788, 8)
    assert vm.read(BARS[2] + end - 4, 8) == 0x55667788


def test_random_accesses(soc: Soc) -> None:
    """Thousands of reads and writes of all kinds, all over the three BARs: the device goes on."""
    a, b = soc.boot(2, 3)
    rng = random.Random(4956)
    sizes = {0: 0x20000, 1: 0x1000, 2: 0x100000, 4: 8 * PAGE}
    interesting = [0, 4, 8, 0xffc, 0x1000, 0x1018, 0x10000, 0x1fffc, 0x1ffff, PAGE - 4, PAGE + 4]
    for _ in range(3000):
        bar = rng.choice(list(sizes))
        size = rng.choice([1, 2, 4, 8])
        at = rng.choice(interesting) + rng.randint(-4, 4) if rng.random() < 0.5 \
            else rng.randrange(sizes[bar])
        at = max(0, min(at, sizes[bar] - size))
        if rng.random() < 0.5:
            a.read(BARS[bar] + at, size)
        elif bar != 1:
            a.write(BARS[bar] + at, rng.getrandbits(8 * size), size)
    assert a.register(ID) == 0x43564948
    b.take_interrupts()
    b.ring(10)
    assert b.register(ID) == 0x43564948


def test_guest_errors_are_logged(soc: Soc) -> None:
    log = soc.folder / "log"
    vm = soc.start(9, extra=["-d", "guest_errors", "-D", str(log)]).boot()
    vm.read(BARS[0] + ID, 2)
    vm.write(BARS[0] + 0x2000, 1)
    vm.read(BARS[4] + 8)
    vm.read(BARS[2] + 0x30000)
    vm.quit()
    assert log.read_text().splitlines() == [
        "hv-ivc: bad read of 2 bytes at 0x0 of the registers",
        "hv-ivc: bad write of 4 bytes at 0x2000 of the registers",
        "hv-ivc: bad read of 4 bytes at 0x8 of the notification pages",
        "hv-ivc: bad read of 4 bytes at 0x30000 of the areas",
    ]


def test_qmp(vm: Vm) -> None:
    assert vm.get("link") is True
    assert vm.get("partition-id") == 2
    assert vm.get("memory-size") >= vm.table.total
    queues = vm.get("queues")
    assert [queue["id"] for queue in queues] == [10, 11, 12, 256, 257, 511]
    assert queues[1] == {
        "id": 11, "peer": "GID_C", "slot": 1, "vector": 2, "rings-out": 0, "rings-in": 0,
        "interrupts": 0, "open": False, "far-state": "unknown", "far-generation": 0,
        "tx-count": 0, "tx-state": 0, "rx-count": 0,
        "peer-tx-count": 0, "peer-tx-state": 0, "peer-rx-count": 0,
        "dropped": 0, "delayed": 0, "duplicated": 0, "spurious": 0, "corrupted": 0,
    }


def test_qmp_shows_the_headers(vm: Vm) -> None:
    """Queue 10: A receives in the first direction; queue 11: in the second one."""
    for queue, first in ((10, True), (11, False)):
        size = [q.size for q in vm.table.queues if q.id == queue][0]
        rx = vm.area(queue) + (0 if first else size)
        tx = vm.area(queue) + (size if first else 0)
        for at, value in ((tx, 101), (tx + 4, 2), (rx + 64, 102),
                          (rx, 103), (rx + 4, 1), (tx + 64, 104)):
            vm.write(at, value)
        shown = vm.queue(queue)
        assert [shown[key] for key in ("tx-count", "tx-state", "rx-count", "peer-tx-count",
                                       "peer-tx-state", "peer-rx-count")] \
            == [101, 2, 102, 103, 1, 104]


def test_no_migration(soc: Soc) -> None:
    vm = soc.start(2)
    answer = vm.qmp("migrate", uri="exec:cat >/dev/null")
    assert answer["error"]["desc"] == \
        "hv-ivc cannot be migrated: its queues are shared with other VMs"


def test_hot_plug_is_refused(soc: Soc) -> None:
    """The machine's root bus takes no device while it runs, and says so."""
    vm = soc.start(2)
    answer = vm.qmp("device_add", driver="hv-ivc", chardev="x", pct="x", partition="2")
    assert answer["error"]["desc"] == "Bus 'pcie.0' does not support hotplugging"
