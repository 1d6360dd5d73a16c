# SPDX-License-Identifier: MIT
"""What the tests of the device share: SoCs, and a check that nothing of them is left."""

import os
from typing import Callable, Iterator, List, Set

import pytest
from qtest_soc import Soc, Table, bus_table


def _shm() -> Set[str]:
    return set(os.listdir("/dev/shm"))


@pytest.fixture(scope="session", autouse=True)
def nothing_in_dev_shm() -> Iterator[None]:
    before = _shm()
    yield
    assert not {name for name in _shm() - before if "ivshmem" in name or "vsoc" in name}


@pytest.fixture
def make_soc() -> Iterator[Callable[..., Soc]]:
    """Makes SoCs that end with the test."""
    socs: List[Soc] = []

    def make(table: Table, **arguments: int) -> Soc:
        socs.append(Soc(table, **arguments))
        return socs[-1]
    yield make
    for soc in socs:
        soc.close()


@pytest.fixture
def soc(make_soc: Callable[..., Soc]) -> Soc:
    """The SoC that most tests use."""
    return make_soc(bus_table())
