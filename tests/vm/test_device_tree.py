# SPDX-License-Identifier: MIT
"""Guests without /etc/nvsciipc.cfg have their channels from the device tree, root and others alike;
without a list there, NvSciIpcInit says what is missing."""

from pathlib import Path
from typing import Iterator

import pytest
from vm_support import CHECKOUT, LOOPBACK_CFG, PLATFORM, SHARED_CFG, Steps
from vsoclib import config
from vsoclib.soc import Soc

NO_SUCH_ENTRY = 0x1100


@pytest.fixture(scope="module")
def trees(cache: Path, tmp_path_factory: pytest.TempPathFactory,
          steps: Path) -> Iterator[Soc]:
    """One guest whose lines become the list, one with the fragment of dts/."""
    folder = tmp_path_factory.mktemp("trees")
    (folder / "guest.cfg").write_text("INTER_VM wrong 512\n" + SHARED_CFG + LOOPBACK_CFG)
    path = folder / "soc.toml"
    path.write_text(f"""
[soc]
name = "trees"
pct = "{PLATFORM}"
[vm.guest]
partition = "GID_GUEST_VM"
cfg = "guest.cfg"
channels = "dt"
files = ["{steps}:/usr/bin/steps"]
[vm.update]
partition = "GID_UPDATE"
cfg = "{CHECKOUT}/dts/nvsciipc.dtsi"
channels = "dt"
files = ["{steps}:/usr/bin/steps"]
""")
    with Soc.new(config.load(path)) as soc:
        yield soc


def talk(soc: Soc) -> None:
    guest = Steps(soc["guest"], ["open:ivc_test", "reset", "est", "both:1:2:500"])
    Steps(soc["update"], ["open:ivc_test", "reset", "est", "both:2:1:500"]).finish()
    guest.finish()


def test_two_guests_talk(trees: Soc) -> None:
    for machine in trees.machines.values():
        assert machine.run(["test", "-e", "/etc/nvsciipc.cfg"]).returncode == 1
    talk(trees)


def test_after_a_reboot(trees: Soc) -> None:
    trees["guest"].reset(trees.boot_timeout)
    talk(trees)


def test_a_user_that_is_not_root(trees: Soc) -> None:
    result = trees["guest"].run(
        'echo "user:x:1000:1000::/:/bin/sh" >> /etc/passwd; chmod 666 /dev/ivc25[67]; '
        'su user -c "head -c 1 /sys/firmware/fdt; ivcping --server loopback_tx & '
        'ivcping --client loopback_rx && wait"', timeout=60)
    assert b"fdt: Permission denied" in result.stderr
    assert result.returncode == 0, result.stderr
    assert b"1000 frames of 64 bytes, 0 errors" in result.stdout


def test_a_wrong_entry_is_named(trees: Soc) -> None:
    result = trees["guest"].run(["ivcping", "--client", "wrong"], timeout=60)
    assert (b"nvsciipc: device tree, /chosen/nvsciipc, entry 1: queue 512 is too large; at most "
            b"511; entry skipped\n") in result.stderr
    assert b"NvSciIpcOpenEndpoint" in result.stderr


def test_a_file_goes_before_the_tree(trees: Soc) -> None:
    update = trees["update"]
    update.push(b"INTER_VM of_the_file 255\n", "/etc/nvsciipc.cfg", 0o644)
    try:
        Steps(update, ["open:of_the_file", f"fail:ivc_test:{NO_SUCH_ENTRY:#x}"]).finish()
    finally:
        update.run(["rm", "/etc/nvsciipc.cfg"], check=True)


def test_neither_file_nor_tree(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "soc.toml"
    path.write_text(f'[soc]\nname = "bare"\npct = "{PLATFORM}"\n'
                    '[vm.guest]\npartition = "GID_GUEST_VM"\n')
    with Soc.new(config.load(path)) as soc:
        result = soc["guest"].run(["ivcping", "--client", "ivc_test"], timeout=60)
    assert result.returncode == 1
    assert (b"nvsciipc: there is no /etc/nvsciipc.cfg, and of the device tree's /chosen/nvsciipc: "
            b"there is no such node") in result.stderr
    assert f"NvSciIpcInit: NvSciError {NO_SUCH_ENTRY:#x}".encode() in result.stderr
