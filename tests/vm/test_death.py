# SPDX-License-Identifier: MIT
"""When one side dies the other gets every frame that was sent, then CONN_RESET within a second, and
re-establishes when the peer is back; no frame from before is delivered after that."""

from typing import Callable

import pytest
from vm_support import Steps, kill_steps
from vsoclib.machine import Machine
from vsoclib.soc import Soc

Run = Callable[..., Steps]
Death = Callable[[Machine], float]
SECOND = 1.0


def kill_qemu(machine: Machine) -> float:
    import time

    machine.kill()
    return time.monotonic()


def bring_back(machine: Machine) -> None:
    if not machine.running():
        machine.start(bound=True)
        machine.wait_ready(120)


DEATHS = pytest.mark.parametrize("death", [kill_steps, kill_qemu],
                                 ids=["application", "qemu"])


@DEATHS
def test_conn_reset_within_a_second(death: Death, run_steps: Run, soc: Soc) -> None:
    victim = run_steps("update", "open:ivc_test", "reset", "est", "recv:1:0:3", "hold")
    survivor = run_steps("guest", "open:ivc_test", "reset", "est", "send:1:0:3", "lost", "again",
                         "both:5:6:1000")
    victim.wait_for("recv:1:0:3")
    died = death(soc["update"])
    assert survivor.wait_for("lost") - died < SECOND
    bring_back(soc["update"])
    again = run_steps("update", "open:ivc_test", "reset", "est", "both:6:5:1000")
    again.finish()
    survivor.finish()


@DEATHS
def test_frames_sent_before_a_death_arrive_first(death: Death, run_steps: Run, soc: Soc) -> None:
    survivor = run_steps("guest", "open:ivc_test", "reset", "est", "sleep:3000", "drain:1:0",
                         "again", "recv:2:0:10", "quiet:300", "send:3:0:10", "hold")
    victim = run_steps("update", "open:ivc_test", "reset", "est", "send:1:0:40", "hold")
    victim.wait_for("send:1:0:40")
    death(soc["update"])
    survivor.wait_for("drain:1:0")
    assert "drained 40 frames, last 39\n" in survivor.text
    bring_back(soc["update"])
    run_steps("update", "open:ivc_test", "reset", "est", "send:2:0:10", "recv:3:0:10").finish()


@DEATHS
def test_what_the_survivor_had_sent_is_not_for_the_next_one(death: Death, run_steps: Run,
                                                            soc: Soc) -> None:
    victim = run_steps("update", "open:ivc_odd", "reset", "est", "hold")
    survivor = run_steps("guest", "open:ivc_odd", "reset", "est", "send:1:0:13", "lost", "again",
                         "send:2:0:5", "hold")
    victim.wait_for("est")
    survivor.wait_for("send:1:0:13")
    death(soc["update"])
    survivor.wait_for("lost")
    bring_back(soc["update"])
    run_steps("update", "open:ivc_odd", "reset", "est", "recv:2:0:5", "quiet:300").finish()


def test_a_peer_that_is_killed_and_back_before_anyone_looked(run_steps: Run, soc: Soc) -> None:
    """A quick restart is not missed: the survivor was asleep all the while."""
    survivor = run_steps("guest", "open:ivc_test", "reset", "est", "sleep:4000", "drain:1:0",
                         "again", "recv:2:0:20")
    run_steps("update", "open:ivc_test", "reset", "est", "send:1:0:20", "hold").wait_for(
        "send:1:0:20")
    kill_steps(soc["update"])
    run_steps("update", "open:ivc_test", "reset", "est", "send:2:0:20", "hold")
    survivor.finish()
    assert "drained 20 frames, last 19\n" in survivor.text


def test_both_die_and_start_again(run_steps: Run, soc: Soc) -> None:
    for vm in ("guest", "update"):
        run_steps(vm, "open:ivc_test", "reset", "est", f"send:{9 if vm == 'guest' else 8}:0:64",
                  "hold")
    for vm in ("guest", "update"):
        kill_steps(soc[vm])
    guest = run_steps("guest", "open:ivc_test", "reset", "est", "both:1:2:100", "quiet:200")
    update = run_steps("update", "open:ivc_test", "reset", "est", "both:2:1:100", "sleep:500")
    guest.finish()
    update.finish()
