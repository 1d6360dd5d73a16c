# SPDX-License-Identifier: MIT
"""Who sees which memory: a queue's two partitions, and nobody else."""

from qtest_soc import BARS, PAGE, Soc, Vm


def pattern(partition: int, queue: int) -> bytes:
    return f"<{partition}:{queue}>".encode().ljust(16, b".")


def bar(vm: Vm) -> bytes:
    """All of BAR 2."""
    size = sum(q.area_size for q in vm.table.of(vm.partition) if not (q.loopback and q.id % 2))
    size = 1 << (size - 1).bit_length()
    return b"".join(vm.read_bytes(BARS[2] + at, PAGE) for at in range(0, size, PAGE))


def test_everybody_sees_their_own(soc: Soc) -> None:
    """Each VM marks first and last bytes of its areas; each sees just the marks of its queues."""
    vms = soc.boot(2, 3, 9)
    marks = {}
    for vm in vms:
        for queue in vm.table.of(vm.partition):
            mark = pattern(vm.partition, queue.id)
            marks[mark] = queue
            side = queue.peers.index(vm.partition)
            if queue.loopback:
                side = queue.id % 2
            vm.write_bytes(vm.area(queue.id) + 16 * side, mark)
            vm.write_bytes(vm.area(queue.id) + queue.area_size - 32 + 16 * side, mark)
    assert len(marks) == 12
    for vm in vms:
        seen = bar(vm)
        for mark, queue in marks.items():
            assert seen.count(mark) == (2 if vm.partition in queue.peers else 0), mark
        for queue in vm.table.of(vm.partition):
            peers = {mark for mark, q in marks.items() if q.id == queue.id}
            area = vm.read_bytes(vm.area(queue.id), 32)
            assert all(mark in area for mark in peers)


def test_third_partition_sees_nothing_of_a_queue_between(soc: Soc) -> None:
    a, b, c = soc.boot(2, 3, 9)
    before = bar(c)
    for queue in (q for q in soc.table.queues if 9 not in q.peers):
        vm = a if 2 in queue.peers else b
        for at in range(0, queue.area_size, 0x8000):
            vm.write_bytes(vm.area(queue.id) + at, b"\xa5" * 0x8000)
    assert bar(c) == before
    # And what C writes, wherever it can, reaches its own queues only.
    untouched = [(vm, q) for vm in (a, b) for q in vm.table.of(vm.partition) if 9 not in q.peers]
    for at in range(0, len(before), 0x8000):
        c.write_bytes(BARS[2] + at, b"\x5a" * 0x8000)
    for vm, queue in untouched:
        assert b"\x5a" not in vm.read_bytes(vm.area(queue.id), queue.area_size)


def test_nobody_sees_the_board_page(soc: Soc) -> None:
    vms = soc.boot(2, 3, 9)
    vms[0].set_open(10, 1)
    vms[1].ring(10)
    for vm in vms:
        assert not any(bar(vm)), "memory of a fresh SoC is all zero but for the board page"


def test_loopback_is_one_area(soc: Soc) -> None:
    vm = soc.boot(2)[0]
    assert vm.area(256) == vm.area(257)
    vm.write_bytes(vm.area(256), b"round")
    assert vm.read_bytes(vm.area(257), 5) == b"round"


def test_memory_outlives_a_reset(soc: Soc) -> None:
    """Queues belong to the hypervisor: a guest's reset does not touch them."""
    a, b = soc.boot(2, 3)
    a.write_bytes(a.area(10), b"kept")
    a.cmd("system_reset")
    a.event_wait("RESET", timeout=10)
    assert b.read_bytes(b.area(10), 4) == b"kept"
    assert a.boot().read_bytes(a.area(10), 4) == b"kept"
