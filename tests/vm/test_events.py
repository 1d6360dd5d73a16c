# SPDX-License-Identifier: MIT
"""What QEMU announces reaches those who wait, within a second and with its reason."""

import subprocess
import time
from pathlib import Path
from typing import Iterator

import pytest
from vm_support import PLATFORM, VSOC
from vsoclib import config
from vsoclib.errors import GuestReset, PanicError, ProcessError
from vsoclib.machine import Machine
from vsoclib.soc import Soc

SOON = 1.0
LATE = "sleep 1; {}; sleep 30"


@pytest.fixture(scope="module")
def lone(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Soc]:
    path = tmp_path_factory.mktemp("events") / "soc.toml"
    path.write_text(f'[soc]\nname = "events"\npct = "{PLATFORM}"\n'
                    '[vm.guest]\npartition = "GID_GUEST_VM"\nmemory = "96M"\n')
    with Soc.new(config.load(path)) as soc:
        yield soc


@pytest.fixture
def guest(lone: Soc) -> Machine:
    machine = lone["guest"]
    if machine.state() != "running":
        machine.kill()
        machine.start(bound=True)
        machine.wait_ready(lone.boot_timeout)
    return machine


def seen_within(machine: Machine, name: str) -> float:
    """How long ago the last such event was."""
    machine.events.look()
    [*_, last] = [each for each in machine.events.history if each.name == name]
    return time.time() - last.seconds


def test_a_guest_that_shuts_down(guest: Machine) -> None:
    with pytest.raises(ProcessError, match="QEMU has ended: the guest shut down") as caught:
        guest.run("sleep 1; echo last words >/dev/ttyAMA0; poweroff -f", timeout=60)
    assert seen_within(guest, "SHUTDOWN") < SOON
    assert "last words" in str(caught.value)


def test_a_panic(guest: Machine) -> None:
    running = guest.submit("sleep 1; echo c >/proc/sysrq-trigger; sleep 60", timeout=60)
    deadline = time.monotonic() + 60
    while not guest.panicked():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # Whoever sees it first, the guest tells QEMU, and that tells everybody.
    while not guest.events.panicked:
        guest.events.look()
        assert time.monotonic() < deadline
    assert seen_within(guest, "GUEST_PANICKED") < SOON
    with pytest.raises(PanicError, match="Kernel panic - not syncing: sysrq") as caught:
        running.result(30)
    assert "Call trace:" in str(caught.value)
    assert guest.state() == "panicked"
    status = guest.qmp("query-status")["status"]
    assert status == "running"                  # it goes on to write its report


def test_a_panic_that_the_console_does_not_show(guest: Machine) -> None:
    guest.run("echo 0 >/proc/sys/kernel/printk", check=True)
    with pytest.raises(PanicError, match="guest: the guest has panicked"):
        guest.run("echo c >/proc/sysrq-trigger; sleep 60", timeout=60)


def test_a_command_ends_when_its_guest_is_reset(guest: Machine, lone: Soc) -> None:
    old = guest.submit("sleep 1000")
    while guest.run("pidof sleep").returncode != 0:
        time.sleep(0.05)
    guest.reset(lone.boot_timeout)
    # The new guest's agent counts anew: the files of these have the numbers of the old one's.
    outputs = [guest.run(f"seq {n}", timeout=60).stdout for n in (3, 100)]
    assert outputs == [b"".join(b"%d\n" % i for i in range(1, n + 1)) for n in (3, 100)]
    with pytest.raises(GuestReset, match="the guest was reset while `.*sleep 1000"):
        old.result(10)


def test_another_vsoc_resets_it(guest: Machine, lone: Soc) -> None:
    old = guest.submit("sleep 1000")
    while guest.run("pidof sleep").returncode != 0:
        time.sleep(0.05)
    assert lone.config is not None
    subprocess.run([VSOC, "reset", "-f", lone.config.path, "guest"], check=True, timeout=100)
    with pytest.raises(GuestReset):
        old.result(10)


def test_pull(guest: Machine) -> None:
    data = bytes(range(256)) * 5000
    guest.push(data, "/tmp/data", 0o600)
    assert guest.pull("/tmp/data") == data
    guest.push(b"", "/tmp/data", 0o600)
    assert guest.pull("/tmp/data") == b""
