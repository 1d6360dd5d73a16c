# SPDX-License-Identifier: MIT
"""A scenario that fails, for test_vsoc_test.py."""


def test_fails(soc):
    soc["guest"].exec("echo on the console >/dev/ttyAMA0; echo in the kernel log >/dev/kmsg")
    soc["guest"].spawn("echo from a program; sleep 100").wait_line("program")
    soc["guest"].qmp("query-status")
    soc["update"].kill()
    soc["guest"].exec("echo the reason; exit 3")


def test_panics(soc):
    soc["guest"].exec("echo c >/proc/sysrq-trigger; sleep 60")
