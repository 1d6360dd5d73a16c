# SPDX-License-Identifier: MIT
"""The bytes of the info page, wherever the guest puts the BARs."""

import pytest
from qtest_soc import BARS, Soc, Vm


def page(vm: Vm) -> bytes:
    return vm.read_bytes(BARS[0] + 0x10000, 0x10000)


def expected(vm: Vm, areas: int, notifications: int) -> bytes:
    return vm.table.info_page(vm.partition, areas, notifications).ljust(0x10000, b"\0")


@pytest.mark.parametrize("partition", [2, 3, 9])
def test_bytes(soc: Soc, partition: int) -> None:
    vm = soc.boot(partition)[0]
    assert page(vm) == expected(vm, BARS[2], BARS[4])


def test_follows_the_bars(soc: Soc) -> None:
    vm = soc.start(2)
    vm.map_bars({0: BARS[0], 2: 0x8080000000, 4: 0x8180000000})
    assert page(vm) == expected(vm, 0x8080000000, 0x8180000000)
    vm.map_bars({4: 0x11000000})
    assert page(vm) == expected(vm, 0x8080000000, 0x11000000)
    vm.map_bars()
    assert page(vm) == expected(vm, BARS[2], BARS[4])


def test_bar_that_is_not_mapped_is_at_0(soc: Soc) -> None:
    vm = soc.start(2)
    vm.map_bars({0: BARS[0]})
    assert page(vm) == expected(vm, 0, 0)
    vm.map_bars({2: BARS[2]})
    assert page(vm) == expected(vm, BARS[2], 0)


def test_after_a_reset(soc: Soc) -> None:
    vm = soc.boot(2)[0]
    assert page(vm) == expected(vm, BARS[2], BARS[4])
    vm.cmd("system_reset")
    vm.event_wait("RESET", timeout=10)
    vm.map_bars({0: BARS[0]})
    assert page(vm) == expected(vm, 0, 0)


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_any_width(soc: Soc, size: int) -> None:
    vm = soc.boot(3)[0]
    data = expected(vm, BARS[2], BARS[4])[:64 + 4 * 72]
    for at in range(0, len(data) - 8, 3):
        assert vm.read(BARS[0] + 0x10000 + at, size) == \
            int.from_bytes(data[at:at + size], "little")
