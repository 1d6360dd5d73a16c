# SPDX-License-Identifier: MIT
"""The guests' kernels have nothing to complain of, after real work."""

import re
from typing import Callable

import pytest
from vm_support import Steps, kill_steps
from vsoclib.soc import Soc

WARNING = 4     # levels up to this are complaints
# Of any module that does not come with the kernel; of the PCI window of QEMU's virt machine; of a
# host that left the guest without a processor for some milliseconds.
EXPECTED = ("hrtimer: interrupt took",
            "Memory resource size exceeds max for 32 bits",
            "loading out-of-tree module taints kernel",
            "module verification failed: signature and/or required key missing")


def test_no_warnings(soc: Soc, run_steps: Callable[..., Steps]) -> None:
    guest = run_steps("guest", "open:ivc_test", "reset", "est", "both:1:2:1000", "hold")
    update = run_steps("update", "open:ivc_test", "reset", "est", "both:2:1:1000")
    update.finish()
    guest.wait_for("both:1:2:1000")
    kill_steps(soc["guest"])
    for machine in soc.machines.values():
        lines = machine.run(["dmesg", "-r"], check=True).stdout.decode().splitlines()
        assert any("hv_ivc" in line and "queues" in line for line in lines)
        bad = []
        for line in lines:
            level = re.match(r"<(\d+)>", line)
            complaint = level is not None and int(level[1]) & 7 <= WARNING
            oops = re.search(r"WARNING:|BUG:|Oops|Call trace|lockup|rcu.*stall", line)
            if (complaint or oops) and not any(words in line for words in EXPECTED):
                bad.append(line)
        if bad:
            pytest.fail(f"{machine.name}:\n" + "\n".join(bad))
