# SPDX-License-Identifier: MIT
"""A store to RING raises that queue's vector in the peer, and only that."""

from typing import Callable

import pytest
from qtest_soc import BARS, MESSAGES, RING, Queue, Soc, Table, Vm, wait_for


def test_exactly_that_vector(soc: Soc) -> None:
    vms = {vm.partition: vm for vm in soc.boot(2, 3, 9)}
    for queue in soc.table.queues:
        for sender, receiver in (queue.peers, queue.peers[::-1]):
            if queue.loopback:
                continue
            vms[sender].ring(queue.id)
            vms[receiver].expect_interrupt(queue.id)
            for vm in vms.values():
                assert vm.take_interrupts() == []
    for vm in vms.values():
        for shown in vm.get("queues"):
            expected = 0 if shown["id"] in (256, 257) else 1
            assert [shown[key] for key in ("rings-out", "rings-in", "interrupts")] \
                == [expected] * 3


@pytest.mark.parametrize("value", [0, 1, 0xffffffff])
def test_any_value_rings(soc: Soc, value: int) -> None:
    a, b = soc.boot(2, 3)
    a.ring(12, value)
    b.expect_interrupt(12)


def test_loopback(soc: Soc) -> None:
    """The other queue of the pair interrupts, in the same VM, and no other VM hears of it."""
    a, b = soc.boot(2, 3)
    a.ring(256)
    a.expect_interrupt(257)
    a.ring(257)
    a.expect_interrupt(256)
    assert a.queue(256)["rings-out"] == a.queue(256)["rings-in"] == 1
    a.ring(10)
    b.expect_interrupt(10)


def test_masked_vector_is_pending(soc: Soc) -> None:
    a, b = soc.boot(2, 3)
    slot = b.slot(12)
    b.write(BARS[1] + 16 * slot + 12, 1)
    pba = (b.read(b.msix_capability() + 8) & ~7) + BARS[1]
    a.ring(12)
    wait_for(lambda: b.read(pba, 8) == 1 << slot, "the pending bit")
    assert b.take_interrupts() == []
    b.write(BARS[1] + 16 * slot + 12, 0)
    b.expect_interrupt(12)
    assert b.read(pba, 8) == 0


def test_no_stale_interrupt_after_msix_was_off(soc: Soc) -> None:
    a, b = soc.boot(2, 3)
    b.enable_msix(False)
    a.ring(12)
    wait_for(lambda: b.queue(12)["rings-in"] == 1, "the doorbell")
    b.enable_msix()
    a.ring(10)
    b.expect_interrupt(10)


def test_nobody_there(soc: Soc) -> None:
    """A ring to a partition that nobody runs is lost; who comes later starts in silence."""
    a = soc.boot(2)[0]
    for _ in range(3):
        a.ring(10)
        a.ring(11)
    b = soc.boot(3)[0]
    a.ring(12)
    b.expect_interrupt(12)
    assert b.queue(10)["rings-in"] == 0


def test_bursts_lose_nothing(soc: Soc) -> None:
    """Many rings may be one interrupt, but the last one is never lost."""
    a, b = soc.boot(2, 3)
    for _ in range(50):
        for _ in range(7):
            a.ring(10)
            a.ring(511)
        b.expect_interrupt(10, 511)
        wait_for(lambda: [q["rings-in"] for q in (b.queue(10), b.queue(511))]
                 == [q["interrupts"] for q in (b.queue(10), b.queue(511))], "quiet")
        b.take_interrupts()
    assert 50 <= b.queue(10)["rings-in"] <= 350
    assert a.queue(10)["rings-out"] == 350


def test_both_ways_at_once(soc: Soc) -> None:
    a, b = soc.boot(2, 3)
    for _ in range(20):
        a.ring(10)
        b.ring(10)
        a.expect_interrupt(10)
        b.expect_interrupt(10)


def full_table() -> Table:
    return Table({"GID_A": 0, "GID_B": 15},
                 [Queue(i, (0, 15) if i % 2 else (15, 0)) for i in range(512)])


def test_512_queues_over_64_vectors(make_soc: Callable[..., Soc]) -> None:
    """Queues that share an ivshmem vector are told apart; each MSI-X vector is its queue's."""
    soc = make_soc(full_table())
    assert soc.table.vectors == 64
    a, b = soc.boot(0, 15)
    assert a.register(0x10) == b.register(0x10) == 512
    for queue in (0, 1, 62, 63, 64, 125, 126, 127, 510, 511):
        a.ring(queue)
        b.expect_interrupt(queue)
        b.ring(queue)
        a.expect_interrupt(queue)
    # All of them, and nothing else: a word each, then what QMP has counted.
    for slot in range(512):
        a.write(BARS[4] + slot * 0x10000 + RING, 1)
    wait_for(lambda: len(a_words(b)) == 512, "512 interrupts")
    counts = {q["id"]: q["rings-in"] for q in b.get("queues")}
    assert all(count >= 1 for count in counts.values())
    assert {q["vector"] for q in b.get("queues")} == set(range(1, 64))


def a_words(vm: Vm) -> list:
    data = vm.read_bytes(MESSAGES, 4 * 512)
    words = [int.from_bytes(data[4 * i:4 * i + 4], "little") for i in range(512)]
    assert all(word in (0, i + 1) for i, word in enumerate(words))
    return [word for word in words if word]


def test_sixteen_partitions(make_soc: Callable[..., Soc]) -> None:
    """As many VMs as there can be, all connected, with a table that fills the bitmaps."""
    queues = [Queue(i, (i % 16, (i + 1 + i // 16 % 15) % 16)) for i in range(512)]
    soc = make_soc(Table({f"GID_{i}": i for i in range(16)}, queues))
    assert soc.table.vectors == 17
    vms = [soc.start(i) for i in range(16)]
    vms[0].boot()
    last = vms[15].boot()
    queue = next(q.id for q in queues if set(q.peers) == {0, 15})
    vms[0].ring(queue)
    last.expect_interrupt(queue)


def test_reset_silences_the_device(soc: Soc) -> None:
    """After a guest's reset MSI-X is off: rings do not write to the new guest's memory."""
    a, b = soc.boot(2, 3)
    b.cmd("system_reset")
    b.event_wait("RESET", timeout=10)
    a.ring(10)
    wait_for(lambda: b.queue(10)["rings-in"] == 1, "the doorbell")
    assert b.read_bytes(MESSAGES, 4 * 4) == bytes(16)
    b.boot()
    a.ring(10)
    b.expect_interrupt(10)
