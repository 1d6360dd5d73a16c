# SPDX-License-Identifier: MIT
"""The contract tests' programs in guests: between VMs, through a loopback pair, and inside a VM."""

import subprocess
from pathlib import Path
from typing import Iterator, Sequence

import pytest
from vm_support import CHECKOUT, VSOC
from vsoclib import reactor
from vsoclib.machine import Machine
from vsoclib.soc import Soc

CONTRACT = ("api", "events", "wakeups")
GUIDE = ("guide_select", "guide_single", "guide_multiple", "guide_local")

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
ROUNDS = "80"       # of ping-pong on each way to wait: a wake-up costs a millisecond here
FRAMES = "300"
QUIET = "80"        # ms: interrupts of guests on a busy host are late at times
TIMEOUT = 200.0

Command = tuple[str, Sequence[str]]     # VM, words


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Built with `vsoc cc`, as a user builds theirs."""
    folder = tmp_path_factory.mktemp("contract")
    sources = CHECKOUT / "tests/contract"
    built = {}
    for name in CONTRACT + GUIDE:
        shared = "guide.c" if name in GUIDE else "contract.c"
        libraries = [] if name == "guide_local" else ["-lnvsciipc"]
        subprocess.run([VSOC, "cc", "-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE",
                        sources / shared, sources / f"{name}.c", "-o", folder / name, "-pthread",
                        *libraries, "-lnvscievent"], check=True)
        built[name] = Path(folder / name).read_bytes()
    return built


@pytest.fixture
def guests(soc: Soc, programs: dict[str, bytes]) -> Iterator[Soc]:
    """Both guests with the programs in /run/contract, and what ran of them ended."""
    for machine in soc.machines.values():
        machine.run(["mkdir", "-p", "/run/contract"], timeout=30)
        machine.push(CFG.encode(), "/run/contract/cfg", 0o644)
    yield soc
    for machine in soc.machines.values():
        machine.run(["killall", "-q", "-9", *programs], timeout=30)


def run(guests: Soc, program: bytes, name: str, commands: Sequence[Command]) -> list[str]:
    """Runs the program in these ways, all at once; returns what each has printed."""
    path = f"/run/contract/{name}"
    for machine in guests.machines.values():
        machine.push(program, path, 0o755)
    running = []
    try:
        for vm, words in commands:
            machine: Machine = guests[vm]
            running.append(machine.submit(["env", "NVSCIIPC_CFG=/run/contract/cfg", path, *words],
                                          TIMEOUT))
        results = [each.result() for each in running]
    finally:
        for each in running:
            reactor.cancel(each)
    for (vm, words), result in zip(commands, results):
        assert result.returncode == 0, (f"{vm}: {name} {' '.join(words)}: {result.returncode}\n"
                                        f"{result.stdout.decode()}{result.stderr.decode()}")
    return [result.stdout.decode() for result in results]


@pytest.mark.parametrize("name", CONTRACT)
def test_contract(name: str, guests: Soc, programs: dict[str, bytes]) -> None:
    options = ["-n", ROUNDS, "-q", QUIET]
    process = ["process_near", "process_far", "process_control_near", "process_control_far"]
    output = run(guests, programs[name], name, [
        ("guest", [*options, "near", "vm", "vm", "vm_control", "vm_control"]),
        ("guest", [*options, "both", "loop_near", "loop_far"]),
        ("update", [*options, "both", "thread_near", "thread_far"]),
        ("update", [*options, "near", *process]),
        ("update", [*options, "far", *process]),
        ("update", [*options, "far", "vm", "vm", "vm_control", "vm_control"]),
    ])
    for text in output[:4]:
        plan = int(text.splitlines()[0].partition("..")[2])
        assert plan > 5 and sum(line.startswith("ok ") for line in text.splitlines()) == plan


@pytest.mark.parametrize("name", GUIDE[:3])
def test_guide(name: str, guests: Soc, programs: dict[str, bytes]) -> None:
    def ends(flag: str, *names: str) -> list[str]:
        """The first one; both for the program that waits for several."""
        wanted = names if name == "guide_multiple" else names[:1]
        return [word for each in wanted for word in (flag, each)]

    options = ["--frames", FRAMES]
    run(guests, programs[name], name, [
        ("guest", [*options, *ends("--write", "vm", "vm_two")]),
        ("guest", [*options, *ends("--write", "loop_near"), *ends("--read", "loop_far")]),
        ("update", [*options, *ends("--write", "thread_near", "thread_two_near"),
                    *ends("--read", "thread_far", "thread_two_far")]),
        ("update", [*options, *ends("--write", "process_near", "process_two_near")]),
        ("update", [*options, *ends("--read", "process_far", "process_two_far")]),
        ("update", [*options, *ends("--read", "vm", "vm_two")]),
    ])


def test_guide_without_endpoints(guests: Soc, programs: dict[str, bytes]) -> None:
    run(guests, programs["guide_local"], "guide_local", [("guest", ["--frames", FRAMES])])
