# SPDX-License-Identifier: MIT
"""Two processes of one guest, and two threads' ends of one process: channels within a VM."""

from typing import Callable

from vm_support import Steps
from vsoclib.soc import Soc

Run = Callable[..., Steps]
SECOND = 1.0


def test_two_processes_of_a_guest(run_steps: Run) -> None:
    first = run_steps("guest", "open:ipc_a", "fail:ipc_a:0x202", "info:64:1536", "reset", "est",
                      "both:1:2:2000")
    # Who is done first closes; what it sent arrives all the same.
    second = run_steps("guest", "open:ipc_b", "reset", "est", "both:2:1:2000")
    first.finish()
    second.finish()


def test_two_ends_of_a_process(run_steps: Run) -> None:
    run_steps("guest", "open:thread_a", "open:thread_b", "reset", "use:thread_a", "reset",
              "use:thread_b", "sleep:50", "use:thread_a", "est", "use:thread_b", "est",
              "send:1:0:5", "use:thread_a", "recv:1:0:5").finish()


def test_guests_are_apart(run_steps: Run) -> None:
    run_steps("update", "open:ipc_b", "hold").wait_for("open:ipc_b")
    run_steps("guest", "open:ipc_b").finish()


def test_a_killed_process(run_steps: Run, soc: Soc) -> None:
    """Its frames arrive, its end is known within a second, its name is free, nothing is left."""
    survivor = run_steps("guest", "open:ipc_a", "reset", "est", "sleep:1000", "drain:1:0", "again",
                         "recv:2:0:10", "lost")
    victim = run_steps("guest", "open:ipc_b", "reset", "est", "send:1:0:40", "die")
    survivor.wait_for("drain:1:0")
    assert "drained 40 frames, last 39\n" in survivor.text
    victim.end()
    run_steps("guest", "open:ipc_b", "reset", "est", "send:2:0:10", "empty", "die").end()
    survivor.finish()
    left = soc["guest"].run(["ls", "/dev/shm", "/dev/mqueue"], timeout=30)
    assert b"nvsciipc" not in left.stdout


def test_a_death_is_known_within_a_second(run_steps: Run) -> None:
    survivor = run_steps("guest", "open:ipc_a", "reset", "est", "lost")
    victim = run_steps("guest", "open:ipc_b", "reset", "est", "sleep:500", "die")
    died = victim.wait_for("sleep:500")
    assert survivor.wait_for("lost") - died < SECOND
    survivor.finish()
