# SPDX-License-Identifier: MIT
"""Frames arrive whole, in order, both ways at once, whatever the queue's shape."""

from typing import Callable

import pytest
from vm_support import Steps

Run = Callable[..., Steps]


@pytest.mark.parametrize("name,nframes,size,count", [
    ("ivc_test", 64, 1536, 100000), ("ivc_odd", 13, 320, 100000), ("ivc_one", 1, 64, 1000),
    ("ivc_msi", 32, 4096, 10000)])
def test_both_ways_at_once(name: str, nframes: int, size: int, count: int,
                           run_steps: Run) -> None:
    start = (f"open:{name}", f"info:{nframes}:{size}", "limit:100", "reset", "est")
    guest = run_steps("guest", *start, f"both:1:2:{count}")
    update = run_steps("update", *start, f"both:2:1:{count}")
    guest.finish()
    update.finish()


def test_a_full_queue_takes_no_more_and_loses_nothing(run_steps: Run) -> None:
    writer = run_steps("guest", "open:ivc_odd", "reset", "est", "send:7:0:13", "sleep:1000",
                       "send:7:13:20", "empty")
    reader = run_steps("update", "open:ivc_odd", "reset", "est", "sleep:1500", "recv:7:0:33",
                       "sleep:500")
    writer.finish()
    reader.finish()


def test_queues_do_not_disturb_each_other(run_steps: Run) -> None:
    runs = [run_steps(vm, f"open:{name}", "limit:60", "reset", "est", f"both:{out}:{back}:5000")
            for name, tag in (("ivc_test", 10), ("ivc_odd", 20), ("ivc_msi", 30))
            for vm, out, back in (("guest", tag, tag + 1), ("update", tag + 1, tag))]
    for each in runs:
        each.finish()
