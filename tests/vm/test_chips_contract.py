# SPDX-License-Identifier: MIT
"""INTER_CHIP keeps the contract: the contract tests' programs in guests of two SoCs, and what the
survivor is told when the other chip, or a program on it, is no more."""

import json
import time
from typing import Callable, Iterator

import pytest
from contract_programs import CONTRACT, GUIDE, ROUNDS, Programs, check_tap, guide_ends
from vm_support import Steps, kill_steps
from vsoclib.machine import Machine
from vsoclib.soc import Soc

# The same names at both ends; a's device 6 is b's 7.
CFG = """
INTER_CHIP      chip         0105
INTER_CHIP      chip_two     020{odd}
INTER_CHIP_PCIE chip_control 9
"""
FRAMES = "300"
QUIET = "80"        # as between VMs
SECOND = 1.0
LINK_LOST = "2"     # NV_SCI_ASYNC_PCIE_AER_UNCORRECTABLE_FATAL

Run = Callable[..., Steps]


@pytest.fixture
def guests(chips: Soc, programs: Programs) -> Iterator[Soc]:
    """A guest of each chip with the programs in it, and what ran of them ended."""
    yield from programs.serve(chips, {"a.guest": CFG.format(odd=6), "b.guest": CFG.format(odd=7)})


@pytest.mark.parametrize("name", CONTRACT)
def test_contract(name: str, guests: Soc, programs: Programs) -> None:
    options = ["-c", "-n", ROUNDS, "-q", QUIET]
    ends = ["chip", "chip", "chip_control", "chip_control"]
    check_tap(programs.run(guests, name, [("a.guest", [*options, "near", *ends]),
                                          ("b.guest", [*options, "far", *ends])])[0])


@pytest.mark.parametrize("name", GUIDE[:3])
def test_guide(name: str, guests: Soc, programs: Programs) -> None:
    options = ["--frames", FRAMES]
    programs.run(guests, name, [
        ("a.guest", [*options, *guide_ends(name, "--write", "chip", "chip_two")]),
        ("b.guest", [*options, *guide_ends(name, "--read", "chip", "chip_two")]),
    ])


@pytest.mark.parametrize("channel, size", [("chip_test", 1536), ("chip_odd", 320),
                                           ("chip_one", 64), ("chip_big", 24576)])
def test_ivcping(channel: str, size: int, chips: Soc) -> None:
    server = chips["b.guest"].submit(["ivcping", "--server", channel], 60.0)
    result = chips["a.guest"].run(["ivcping", "--client", channel, "--mode", "duplex", "--size",
                                   str(size), "--count", "500", "--json"], timeout=60)
    assert result.returncode == 0, result.stderr.decode()
    assert server.result().returncode == 0, server.result().stderr.decode()
    report = json.loads(result.stdout)
    assert (report["sent"], report["received"], report["errors"]) == (500, 500, 0)


def test_a_device_that_is_not_there(guests: Soc, run_chips: Run) -> None:
    """Its line is as if it were not there; another number than the table's is no device either."""
    guests["a.guest"].push(b"INTER_CHIP none 99\nINTER_CHIP far 7\n", "/run/none.cfg", 0o644)
    result = guests["a.guest"].run(["env", "NVSCIIPC_CFG=/run/none.cfg", "steps",
                                    "fail:none:0x1100", "fail:far:0x1100"], timeout=60)
    assert result.returncode == 0, result.stdout.decode()


# Deaths


def kill_qemu(machine: Machine) -> float:
    machine.kill()
    return time.monotonic()


def frames_in(machine: Machine, device: int) -> int:
    """Frames of this channel that the link has brought so far."""
    queues = machine.qmp("qom-get", {"path": "/machine/peripheral/c2c0", "property": "queues"})
    return next(int(each["frames-in"]) for each in queues if each["id"] == device)


def bring_back(machine: Machine) -> None:
    if not machine.running():
        machine.start(bound=True)
        machine.wait_ready(120)


# A program's death is a close of its end, as within a SoC; with its QEMU the link is lost.
DEATHS = pytest.mark.parametrize("death, errors", [(kill_steps, "0"), (kill_qemu, LINK_LOST)],
                                 ids=["application", "qemu"])


@DEATHS
def test_conn_reset_within_a_second(death: Callable[[Machine], float], errors: str, chips: Soc,
                                    run_chips: Run) -> None:
    victim = run_chips("b.guest", "open:chip_test", "reset", "est", "recv:1:0:3", "hold")
    survivor = run_chips("a.guest", "open:chip_test", "reset", "est", "send:1:0:3", "lost",
                         f"errors:{errors}", "again", "errors:0", "both:5:6:1000")
    victim.wait_for("recv:1:0:3")
    died = death(chips["b.guest"])
    assert survivor.wait_for("lost") - died < SECOND
    bring_back(chips["b.guest"])
    again = run_chips("b.guest", "open:chip_test", "reset", "est", "both:6:5:1000")
    again.finish()
    survivor.finish()


@DEATHS
def test_frames_that_came_before_a_death_are_read_first(death: Callable[[Machine], float],
                                                        errors: str, chips: Soc,
                                                        run_chips: Run) -> None:
    survivor = run_chips("a.guest", "open:chip_test", "reset", "est", "sleep:3000", "drain:1:0",
                         f"errors:{errors}", "again", "recv:2:0:10", "quiet:300", "send:3:0:10",
                         "hold")
    before = frames_in(chips["a.guest"], 5)
    victim = run_chips("b.guest", "open:chip_test", "reset", "est", "send:1:0:40", "hold")
    victim.wait_for("send:1:0:40")
    deadline = time.monotonic() + 20
    while frames_in(chips["a.guest"], 5) - before < 40:
        assert time.monotonic() < deadline, "the frames do not arrive"
        time.sleep(0.02)
    death(chips["b.guest"])
    survivor.wait_for("drain:1:0")
    assert "drained 40 frames, last 39\n" in survivor.text
    bring_back(chips["b.guest"])
    run_chips("b.guest", "open:chip_test", "reset", "est", "send:2:0:10", "recv:3:0:10").finish()
