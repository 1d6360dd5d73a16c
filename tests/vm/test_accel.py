# SPDX-License-Identifier: MIT
"""The trial guest that decides whether an accelerator really works."""

import time

import pytest
from vsoclib import accel, artifacts
from vsoclib.errors import ConfigError


@pytest.fixture(scope="module")
def qemu() -> "list[str]":
    made = artifacts.load()
    return [str(made.qemu), *made.qemu_args]


def test_a_guest_that_powers_off(qemu: "list[str]") -> None:
    assert accel.works(qemu, accel.TCG)


def test_a_guest_that_hangs(qemu: "list[str]") -> None:
    start = time.monotonic()
    assert not accel.works(qemu, [*accel.TCG, "-S"], timeout=1.0)
    assert time.monotonic() - start < 10


def test_a_qemu_that_aborts(qemu: "list[str]") -> None:
    assert not accel.works(qemu, ["-accel", "no-such-accelerator"])


def test_choice(qemu: "list[str]", monkeypatch: pytest.MonkeyPatch) -> None:
    assert accel.choose("tcg", qemu) == accel.TCG
    monkeypatch.setattr(accel, "works", lambda qemu, arguments: False)
    # Whatever this host has: what does not run a guest is not taken.
    assert accel.choose("auto", qemu) == accel.TCG
    with pytest.raises(ConfigError, match="KVM cannot be used here"):
        accel.choose("kvm", qemu)
