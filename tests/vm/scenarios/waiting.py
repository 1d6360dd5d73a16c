# SPDX-License-Identifier: MIT
"""A scenario that takes long, for test_vsoc_test.py."""


def test_waits(soc):
    print("waiting", flush=True)
    soc["guest"].exec("sleep 1000", timeout=1000)
