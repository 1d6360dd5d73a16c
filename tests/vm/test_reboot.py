# SPDX-License-Identifier: MIT
"""A guest's reboot (QMP system_reset) is like a death, and the guest works again after it."""

import concurrent.futures
import time
from typing import Callable

from vm_support import Steps
from vsoclib.soc import Soc

Run = Callable[..., Steps]


def test_reboot(run_steps: Run, soc: Soc) -> None:
    survivor = run_steps("guest", "open:ivc_test", "reset", "est", "send:9:0:30", "drain:1:0",
                         "again", "both:5:6:1000")
    victim = run_steps("update", "open:ivc_test", "reset", "est", "send:1:0:20", "hold")
    survivor.wait_for("send:9:0:30")
    victim.wait_for("send:1:0:20")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        start = time.monotonic()
        reset = pool.submit(soc["update"].reset, soc.boot_timeout)
        assert survivor.wait_for("drain:1:0") - start < 1.0
        reset.result()
    assert "drained 20 frames, last 19\n" in survivor.text
    run_steps("update", "open:ivc_test", "reset", "est", "both:6:5:1000").finish()
    survivor.finish()
    # The rebooted guest's other queues work as well.
    one = run_steps("guest", "open:ivc_odd", "reset", "est", "both:1:2:500")
    run_steps("update", "open:ivc_odd", "reset", "est", "both:2:1:500").finish()
    one.finish()
