# SPDX-License-Identifier: MIT
"""What is written to one end of a loopback pair is read from the other, in the same guest."""

from typing import Callable

from vm_support import Steps

Run = Callable[..., Steps]


def test_in_one_process(run_steps: Run) -> None:
    run_steps("guest", "open:loopback_tx", "reset", "open:loopback_rx", "reset", "est",
              "use:loopback_tx", "est", "send:1:0:64", "use:loopback_rx", "recv:1:0:64",
              "send:2:0:10", "use:loopback_tx", "recv:2:0:10", "empty").finish()


def test_between_two_processes(run_steps: Run) -> None:
    one = run_steps("guest", "open:loopback_tx", "limit:60", "reset", "est", "both:1:2:4000")
    two = run_steps("guest", "open:loopback_rx", "limit:60", "reset", "est", "both:2:1:4000")
    one.finish()
    two.finish()


def test_the_other_vm_has_no_such_endpoint(run_steps: Run) -> None:
    run_steps("update", "fail:loopback_tx:0x1100").finish()     # NoSuchEntry
