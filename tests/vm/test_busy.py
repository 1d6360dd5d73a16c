# SPDX-License-Identifier: MIT
"""An endpoint has one owner at a time."""

from typing import Callable

from vm_support import Steps, kill_steps
from vsoclib.soc import Soc

Run = Callable[..., Steps]
BUSY = "fail:ivc_test:0x202"


def test_a_second_open_is_busy(run_steps: Run) -> None:
    first = run_steps("guest", "open:ivc_test", BUSY, "hold")
    first.wait_for(BUSY)
    run_steps("guest", BUSY).finish()
    # The other end is another endpoint, and so are other queues.
    run_steps("update", "open:ivc_test").finish()
    run_steps("guest", "open:ivc_odd").finish()


def test_close_gives_it_free(run_steps: Run) -> None:
    run_steps("guest", "open:ivc_test", "close", "open:ivc_test", BUSY).finish()
    run_steps("guest", "open:ivc_test").finish()


def test_a_killed_owner_gives_it_free(run_steps: Run, soc: Soc) -> None:
    run_steps("guest", "open:ivc_test", "reset", "hold").wait_for("reset")
    kill_steps(soc["guest"])
    run_steps("guest", "open:ivc_test").finish()
