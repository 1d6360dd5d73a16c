# SPDX-License-Identifier: MIT
"""Scenarios for test_vsoc_test.py: what one leaves, the next one does not find."""

import pytest


def test_frames(soc, vms):
    assert list(vms) == ["guest", "update"] and vms["guest"] is soc["guest"]
    server = soc["guest"].spawn("ivcping --server ivc_test")
    soc["update"].exec("ivcping --client ivc_test --count 20")
    server.wait()


def test_ruin(soc):
    soc["guest"].exec("echo ruined >/tmp/mark")
    soc["guest"].pause()
    soc["update"].kill()


def test_after_ruin(soc):
    assert [vm.state for vm in soc] == ["running", "running"]
    assert soc["guest"].exec("cat /tmp/mark").stdout == "ruined\n"


@pytest.mark.fresh_soc
def test_fresh(soc):
    assert soc["guest"].exec("ls /tmp").stdout == ""


def test_without_a_soc():
    pass
