# SPDX-License-Identifier: MIT
"""Scenarios: `vsoc test -f soc.toml test_frames.py`. docs/howto/ci.md tells of them."""


def test_frames(soc):
    server = soc["guest"].spawn("ivcping --server ivc_test")
    soc["update"].exec("ivcping --client ivc_test --count 20")
    server.wait()


def test_late_doorbells(soc):
    """Doorbells that are late hold up what they tell of; nothing is lost."""
    queue = soc.queue(255)
    queue.delay_doorbells(20, count=5, vm="update")
    server = soc["guest"].spawn("ivcping --server ivc_test")
    soc["update"].exec("ivcping --client ivc_test --count 100")
    server.wait()
    assert queue.stats()["update"].delayed == 5
