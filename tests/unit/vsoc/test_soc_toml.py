# SPDX-License-Identifier: MIT
"""soc.toml: what a good one means, and how each bad one is refused."""

from pathlib import Path
from typing import Callable

import pytest
from vsoc_samples import GOOD
from vsoclib.config import load
from vsoclib.errors import ConfigError

Write = Callable[[str], Path]


def test_good(soc_toml: Write) -> None:
    path = soc_toml(GOOD)
    config = load(path)
    assert (config.name, config.accel, config.boot_timeout) == ("demo", "auto", 120)
    [soc] = config.socs
    assert (soc.name, soc.prefix, soc.vms) == ("demo", "", config.vms)
    assert config.path == path and soc.pct == path.parent / "platform_config.h"
    guest, update = config.vms
    assert (guest.name, guest.partition, guest.run) == ("guest", "GID_GUEST_VM", "app")
    assert guest.cfg == path.parent / "guest.cfg" and guest.memory_mib == 256
    [app] = guest.files
    assert (app.host, app.guest, app.mode) == (path.parent / "app", "/usr/bin/app", 0o755)
    assert (update.partition, update.memory_mib, update.cfg, update.run) == ("3", 1024, None, None)


def test_a_file_keeps_its_mode_and_may_have_a_colon(soc_toml: Write, tmp_path: Path) -> None:
    (tmp_path / "a:b").write_text("")
    config = load(soc_toml(GOOD.replace("app:/usr/bin/app:755", "a:b:/usr/bin/app")))
    [file] = config.vms[0].files
    assert (file.host.name, file.guest, file.mode) == ("a:b", "/usr/bin/app", None)


@pytest.mark.parametrize("cfg", ["guest.cfg", "guest.dtsi"])
def test_channels_in_the_device_tree(cfg: str, soc_toml: Write) -> None:
    text = GOOD.replace("guest.cfg", cfg).replace('run = "app"', 'channels = "dt"')
    path = soc_toml(text)
    assert [(vm.cfg, vm.channels) for vm in load(path).vms] == [(path.parent / cfg, "dt"),
                                                                (None, "cfg")]


def test_a_demo_is_good() -> None:
    config = load(Path(__file__).parents[3] / "docs/examples/two-guests/soc.toml")
    assert [vm.partition for vm in config.vms] == ["GID_GUEST_VM", "GID_UPDATE"]


# name, (old, new) in GOOD, line, words of the message
BAD = {
    "syntax": (('name = "demo"', "name = "), 3, "not TOML"),
    "unclosed": (('memory = "1G"', 'memory = "1G'), 14, "not TOML"),
    "unknown table": (("[soc]", "[sox]\n[soc]"), 2, "unknown key 'sox' in the file; is it 'soc'?"),
    "unknown key": (('pct =', 'pkt = 1\npct ='), 4, "unknown key 'pkt' in [soc]; is it 'pct'?"),
    "unknown key far from all": (('pct =', 'zzz = 1\npct ='), 4, "known are name, accel, boot-timeout, pct"),
    "unknown key of a vm": (("memory", "memori"), 14,
                            "unknown key 'memori' in [vm.update]; is it 'memory'?"),
    "no name": (('name = "demo"\n', ""), 2, "[soc] has no 'name'"),
    "no pct": (('pct = "platform_config.h"\n', ""), 2, "[soc] has no 'pct'"),
    "no partition": (("partition = 3\n", ""), 12, "[vm.update] has no 'partition'"),
    "soc is no table": (('[soc]\nname = "demo"\npct = "platform_config.h"', "soc = 1"), 2,
                        "soc is not a table"),
    "vm is no table": (('[vm.update]\npartition = 3\nmemory = "1G"', "[vm]\nupdate = 1"), 13,
                       "vm.update is not a table"),
    "name of a wrong type": (('"demo"', "1"), 3, "'name' is not a string"),
    "name with a slash": (('"demo"', '"a/b"'), 3, "'a/b' cannot name a SoC"),
    "vm's name": (("[vm.update]", '[vm."up date"]'), 12, "'up date' cannot name a virtual machine"),
    "partition true": (("partition = 3", "partition = true"), 13, "'partition' is not"),
    "partition twice": (("partition = 3", 'partition = "GID_GUEST_VM"'), 13,
                        "already that of [vm.guest]"),
    "memory without unit": (('"1G"', '"1024"'), 14, "'1024' is not a size"),
    "memory too small": (('"1G"', '"32M"'), 14, "less than the 64M"),
    "accel": (("[vm.guest]", 'accel = "xen"\n[vm.guest]'), 6, "accel 'xen' is none of"),
    "timeout": (("[vm.guest]", "boot-timeout = 0\n[vm.guest]"), 6, "boot-timeout 0"),
    "no such cfg": (("guest.cfg", "other.cfg"), 8, "there is no file"),
    "channels": (('run = "app"', 'channels = "tree"'), 10, "channels 'tree' is none of cfg, dt"),
    "channels no string": (('run = "app"', "channels = true"), 10, "'channels' is not a string"),
    "channels without cfg": (('memory = "1G"', 'channels = "dt"'), 14,
                             "needs the channels: name a file as 'cfg'"),
    "channels and -dtb": (('run = "app"', 'channels = "dt"\nqemu = ["-dtb", "x"]'), 11,
                          "cannot be given with -dtb"),
    "fragment as cfg": (("guest.cfg", "guest.dtsi"), 8, 'that needs channels = "dt"'),
    "pct is a folder": (("platform_config.h", "."), 4, "is a folder"),
    "no such file": (("app:/usr", "appp:/usr"), 9, "there is no file"),
    "file's form": (("app:/usr/bin/app:755", "app"), 9, "'app' is not HOST:GUEST"),
    "file's mode": ((":755", ":999"), 9, "mode '999'"),
    "file to a folder": (("/usr/bin/app:755", "/usr/bin/"), 9, "not a full file name"),
    "file out of the guest": (("/usr/bin/app", "/../app"), 9, "not a full file name"),
    "files no strings": (('["app:/usr/bin/app:755"]', "[\n    1,\n]"), 9, "not a list of strings"),
    "run no string": (('run = "app"', 'run = ["app"]'), 10, "'run' is not a string"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad(name: str, soc_toml: Write) -> None:
    (old, new), line, words = BAD[name]
    assert old in GOOD
    path = soc_toml(GOOD.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}:{line}: "), text
    assert words in text


def test_no_vm(soc_toml: Write) -> None:
    path = soc_toml(GOOD[:GOOD.index("[vm.guest]")])
    with pytest.raises(ConfigError, match=r"table \[vm\] is missing"):
        load(path)
    soc_toml(path.read_text() + "[vm]\n")
    with pytest.raises(ConfigError, match=r":6: there is no virtual machine"):
        load(path)


def test_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no .*nothing.toml"):
        load(tmp_path / "nothing.toml")


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / "soc.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot read"):
        load(tmp_path / "soc.toml")
