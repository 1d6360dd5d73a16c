# SPDX-License-Identifier: MIT
"""The contract tests' programs in guests: between VMs, through a loopback pair, and inside a VM."""

from typing import Iterator

import pytest
from contract_programs import CONTRACT, GUIDE, ROUNDS, Programs, check_tap, guide_ends
from vsoclib.soc import Soc

# Queues of the generic platform, the loopback pair the guest's own; geometries differ on purpose.
CFG = """
INTER_VM      vm         255
INTER_VM      vm_two     260
INTER_VM      vm_control 261
INTER_VM      loop_near  256
INTER_VM      loop_far   257
INTER_THREAD  thread_near thread_far 16 128
INTER_THREAD  thread_two_near thread_two_far 3 1536
INTER_PROCESS process_near process_far 16 128
INTER_PROCESS process_two_near process_two_far 3 1536
INTER_PROCESS process_control_near process_control_far 2 64
"""
FRAMES = "300"
QUIET = "80"        # ms: interrupts of guests on a busy host are late at times


@pytest.fixture
def guests(soc: Soc, programs: Programs) -> Iterator[Soc]:
    """Both guests with the programs in them, and what ran of them ended."""
    yield from programs.serve(soc, {"guest": CFG, "update": CFG})


@pytest.mark.parametrize("name", CONTRACT)
def test_contract(name: str, guests: Soc, programs: Programs) -> None:
    options = ["-n", ROUNDS, "-q", QUIET]
    process = ["process_near", "process_far", "process_control_near", "process_control_far"]
    output = programs.run(guests, name, [
        ("guest", [*options, "near", "vm", "vm", "vm_control", "vm_control"]),
        ("guest", [*options, "both", "loop_near", "loop_far"]),
        ("update", [*options, "both", "thread_near", "thread_far"]),
        ("update", [*options, "near", *process]),
        ("update", [*options, "far", *process]),
        ("update", [*options, "far", "vm", "vm", "vm_control", "vm_control"]),
    ])
    for text in output[:4]:
        check_tap(text)


@pytest.mark.parametrize("name", GUIDE[:3])
def test_guide(name: str, guests: Soc, programs: Programs) -> None:
    def ends(flag: str, *names: str) -> list[str]:
        return guide_ends(name, flag, *names)

    options = ["--frames", FRAMES]
    programs.run(guests, name, [
        ("guest", [*options, *ends("--write", "vm", "vm_two")]),
        ("guest", [*options, *ends("--write", "loop_near"), *ends("--read", "loop_far")]),
        ("update", [*options, *ends("--write", "thread_near", "thread_two_near"),
                    *ends("--read", "thread_far", "thread_two_far")]),
        ("update", [*options, *ends("--write", "process_near", "process_two_near")]),
        ("update", [*options, *ends("--read", "process_far", "process_two_far")]),
        ("update", [*options, *ends("--read", "vm", "vm_two")]),
    ])


def test_guide_without_endpoints(guests: Soc, programs: Programs) -> None:
    programs.run(guests, "guide_local", [("guest", ["--frames", FRAMES])])
