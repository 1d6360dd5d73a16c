# SPDX-License-Identifier: MIT
"""Close destroys nothing that was sent."""

from typing import Callable

from vm_support import Steps

Run = Callable[..., Steps]


def test_a_writer_that_closes_at_once_loses_nothing(run_steps: Run) -> None:
    reader = run_steps("guest", "open:ivc_test", "reset", "est", "sleep:1000", "drain:1:0",
                       "quiet:200")
    writer = run_steps("update", "open:ivc_test", "reset", "est", "send:1:0:64", "close")
    writer.finish()
    reader.finish()
    assert "drained 64 frames, last 63\n" in reader.text


def test_quick_restarts(run_steps: Run) -> None:
    """The writer closes and opens again as fast as it can, in one process and with new ones."""
    rounds = 40
    reads: "list[str]" = []
    writes: "list[str]" = []
    for tag in range(rounds):
        count = 1 + tag % 13
        reads += ["est", f"drain:{tag}:0"]
        writes += ["open:ivc_odd", "reset", "est", f"send:{tag}:0:{count}", "close"]
    reader = run_steps("guest", "open:ivc_odd", "reset", *reads)
    for start in range(0, rounds, rounds // 4):
        run_steps("update", *writes[5 * start:5 * (start + rounds // 4)]).finish()
    text = reader.finish()
    for tag in range(rounds):
        assert f"drained {1 + tag % 13} frames, last {tag % 13}\ndrain:{tag}:0 ok" in text


def test_the_reader_closes(run_steps: Run) -> None:
    writer = run_steps("guest", "open:ivc_test", "reset", "est", "send:1:0:10", "lost", "again",
                       "send:2:0:10", "empty")
    run_steps("update", "open:ivc_test", "reset", "est", "recv:1:0:4", "close").finish()
    # It stays for a while, that its peer may see the queue empty rather than the channel reset.
    run_steps("update", "open:ivc_test", "reset", "est", "recv:2:0:10", "sleep:500").finish()
    writer.finish()
