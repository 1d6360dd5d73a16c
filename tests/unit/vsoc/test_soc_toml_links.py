# SPDX-License-Identifier: MIT
"""soc.toml with several SoCs and links: what it means, and how each bad one is refused."""

from pathlib import Path
from typing import Callable

import pytest
from vsoc_samples import CHIPS, GOOD
from vsoclib.config import load
from vsoclib.errors import ConfigError

Write = Callable[[str], Path]


def test_good(soc_toml: Write) -> None:
    config = load(soc_toml(CHIPS))
    assert config.name == "chips"
    assert [(soc.name, soc.prefix, [vm.name for vm in soc.vms]) for soc in config.socs] == [
        ("a", "a.", ["a.guest", "a.update"]), ("b", "b.", ["b.guest"])]
    assert [vm.name for vm in config.vms] == ["a.guest", "a.update", "b.guest"]
    main, out = config.links
    assert (main.name, main.vms, main.transport, main.local, main.tls, main.devices) == (
        "main", ("a.guest", "b.guest"), "unix", True, None, ())
    assert (out.vms, out.transport, out.local, out.listens, out.address) == (
        ("a.update",), "tcp", False, True, ("0.0.0.0", 7000))


def test_one_soc_may_be_linked(soc_toml: Write, tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    [link] = load(soc_toml(GOOD + '[link.x]\nvm = "guest"\nconnect = "[fe80::1]:70"\ntls = "tls"\n'
                                  "devices = [5, 6]\nkeepalive = 100\n")).links
    assert (link.vms, link.listens, link.address, link.tls) == (
        ("guest",), False, ("fe80::1", 70), tmp_path / "tls")
    assert (link.devices, link.keepalive_ms) == ((5, 6), 100)


def test_tls_between_two_of_the_file_is_tcp(soc_toml: Write, tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    main, out = load(soc_toml(CHIPS.replace("[link.out]", 'tls = "tls"\n[link.out]')
                              + 'tls = "tls"\npeer = "b"\n')).links
    assert main.transport == out.transport == "tcp" and main.peer is None and out.peer == "b"


# name, (old, new) in CHIPS, line, words of the message
BAD = {
    "no name": (('name = "chips"\n', ""), 1, "the file has no 'name'"),
    "name in soc": (('name = "chips"\n\n[soc.a]', '[soc]\nname = "chips"\n[soc.a]'), 1,
                    "the file has no 'name'"),
    "key of all in soc": (("\n[soc.a]", '[soc]\naccel = "tcg"\n[soc.a]'), 4,
                          "'accel' stands above the first table"),
    "table for all": (("\n[soc.a]", '[soc]\npct = "platform_config.h"\n[soc.a]'), 4,
                      "'pct' stands in one of them"),
    "vm of no soc": (("[soc.b]", '[vm.x]\npartition = 2\n[soc.b]'), 11, "[soc.NAME.vm.NAME]"),
    "key of all in a soc": (("[soc.a.vm.guest]", 'accel = "tcg"\n[soc.a.vm.guest]'), 6,
                            "unknown key 'accel' in [soc.a]; known are pct, vm"),
    "accel": (('name = "chips"', 'name = "chips"\naccel = "xen"'), 3, "accel 'xen' is none of"),
    "soc without vm": (('[soc.b.vm.guest]\npartition = "GID_GUEST_VM"\n', ""), 11,
                       "[soc.b.vm] is missing"),
    "soc without pct": (('[soc.b]\npct = "platform_config.h"\n', "[soc.b]\n"), 11,
                        "[soc.b] has no 'pct'"),
    "soc's name": (("[soc.b]", '[soc."b.c"]\n[soc.b]'), 11, "'b.c' cannot name a SoC"),
    "long name": (("[soc.b.vm.guest]", f"[soc.{'b' * 32}.vm.{'c' * 32}]\npartition = 2\n"
                   f"[soc.{'b' * 32}]\npct = \"platform_config.h\"\n[soc.b.vm.guest]"), 13,
                  "64 characters"),
    "partition twice": (("partition = 3", 'partition = "GID_GUEST_VM"'), 9,
                        "already that of [soc.a.vm.guest]"),
    "link is no table": (("[link.main]", "[link]\nmain = 1\n[link.x]"), 17, "link.main is not"),
    "link's name": (("[link.main]", '[link."a b"]'), 16, "'a b' cannot name a link"),
    "unknown key": (("[link.out]", "prot = 1\n[link.out]"), 18,
                    "unknown key 'prot' in [link.main]"),
    "neither ends nor vm": (('ends = ["a.guest", "b.guest"]\n', ""), 16, "needs either 'ends'"),
    "both": (("[link.out]", 'vm = "a.guest"\n[link.out]'), 16, "needs either 'ends'"),
    "one end": (('["a.guest", "b.guest"]', '["a.guest"]'), 17, "not a list of two"),
    "same end": (('["a.guest", "b.guest"]', '["a.guest", "a.guest"]'), 17, "not a list of two"),
    "no such end": (('"b.guest"]', '"b.gast"]'), 17,
                    "no virtual machine 'b.gast'; there are a.guest, a.update, b.guest"),
    "no such vm": (('vm = "a.update"', 'vm = "update"'), 19, "no virtual machine 'update'"),
    "listen with ends": (("[link.out]", 'listen = "h:1"\n[link.out]'), 18,
                         "'listen' does not go with 'ends'"),
    "peer with ends": (("[link.out]", 'peer = "h"\n[link.out]'), 18,
                       "'peer' does not go with 'ends'"),
    "transport with vm": (('listen = "0.0.0.0:7000"', 'listen = "h:1"\ntransport = "tcp"'), 21,
                          "'transport' does not go with 'vm'"),
    "neither listen nor connect": (('listen = "0.0.0.0:7000"\n', ""), 18,
                                   "needs either 'listen' or 'connect'"),
    "listen and connect": (('listen = "0.0.0.0:7000"\n', 'listen = "a:1"\nconnect = "b:1"\n'), 18,
                           "needs either 'listen' or 'connect'"),
    "no port": (('"0.0.0.0:7000"', '"0.0.0.0"'), 20, "'0.0.0.0' is not HOST:PORT"),
    "port 0": (('"0.0.0.0:7000"', '"h:0"'), 20, "is not HOST:PORT"),
    "port too large": (('"0.0.0.0:7000"', '"h:65536"'), 20, "is not HOST:PORT"),
    "address without brackets": (('"0.0.0.0:7000"', '"::1:7000"'), 20, "in brackets"),
    "host with a comma": (('"0.0.0.0:7000"', '"h,server=off:7"'), 20, "is not HOST:PORT"),
    "transport": (("[link.out]", 'transport = "udp"\n[link.out]'), 18, "'udp' is none of"),
    "no such folder": (("[link.out]", 'tls = "none"\n[link.out]'), 18, "none; `vsoc certs` makes"),
    "tls over unix": (("[link.out]", 'tls = "."\ntransport = "unix"\n[link.out]'), 18,
                      'TLS needs transport = "tcp"'),
    "peer without tls": (('listen = "0.0.0.0:7000"', 'listen = "h:1"\npeer = "x"'), 21,
                         "'peer' needs 'tls' and 'listen'"),
    "peer and connect": (('listen = "0.0.0.0:7000"', 'connect = "h:1"\ntls = "."\npeer = "x"'), 22,
                         "'peer' needs 'tls' and 'listen'"),
    "peer's name": (('listen = "0.0.0.0:7000"', 'listen = "h:1"\ntls = "."\npeer = "x,y"'), 22,
                    "'x,y' is not a name"),
    "keepalive": (("[link.out]", "keepalive = 99\n[link.out]"), 18, "keepalive 99 is not 100"),
    "no devices": (("[link.out]", "devices = []\n[link.out]"), 18, "is empty or has"),
    "device twice": (("[link.out]", "devices = [5, 5]\n[link.out]"), 18, "has a number twice"),
    "device no number": (("[link.out]", 'devices = ["5"]\n[link.out]'), 18,
                         "not a list of integers"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad(name: str, soc_toml: Write) -> None:
    (old, new), line, words = BAD[name]
    assert old in CHIPS
    path = soc_toml(CHIPS.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}:{line}: "), text
    assert words in text
