# SPDX-License-Identifier: MIT
"""What the demo makes of the table and the configurations: who pings whom."""

from pathlib import Path
from typing import Any

from vsoclib.config import Config, SocConfig, VmConfig
from vsoclib.demo import INTER_CHIP, INTER_VM, named, plan, plan_chips
from vsoclib.link_config import LinkConfig
from vsoclib.links import Channel, LinkEnd


def queue(number: int, *peers: str) -> "dict[str, Any]":
    return {"id": number, "peers": list(peers), "nframes": 4, "frame_size": 64,
            "loopback": peers[0] == peers[1]}


PCT = {"partitions": [{"name": "A", "id": 2}, {"name": "B", "id": 3}, {"name": "C", "id": 4}],
       "queues": [queue(10, "A", "B"), queue(11, "B", "A"), queue(12, "A", "C"),
                  queue(14, "A", "A"), queue(15, "A", "A"), queue(16, "B", "B"),
                  queue(17, "B", "B")]}


def test_lines(tmp_path: Path) -> None:
    cfg = tmp_path / "cfg"
    cfg.write_text("#CFGVER:1\nINTER_VM\ta  255 \n INTER_VM b 7 30000 # gid\n#INTER_VM c 8\n"
                   "INTER_PROCESS p q 1 64\nINTER_VM broken\nINTER_VM x y\n\n")
    assert named(cfg, INTER_VM) == {255: "a", 7: "b"}
    assert named(None, INTER_VM) == {}


def test_chip_lines(tmp_path: Path) -> None:
    """As docs/specs/configuration.md reads DEVICE."""
    cfg = tmp_path / "cfg"
    cfg.write_text("INTER_CHIP a 5\nINTER_CHIP b 0106\nINTER_CHIP c 0000\nINTER_VM d 8\n"
                   "INTER_CHIP nvscic2c_pcie_s0_c5_9 0000\n")
    assert named(cfg, INTER_CHIP) == {5: "a", 6: "b", 0: "c", 9: "nvscic2c_pcie_s0_c5_9"}


def test_plan(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("INTER_VM a10 10\nINTER_VM a11 11\nINTER_VM tx 14\nINTER_VM rx 15\n"
                                "INTER_VM a99 99\n")
    (tmp_path / "b").write_text("INTER_VM b10 10\nINTER_VM half 16\n")
    soc = SocConfig("demo", tmp_path / "pct", (
        VmConfig("one", "A", tmp_path / "a"), VmConfig("two", "3", tmp_path / "b")))
    said: "list[str]" = []
    pings = plan(soc, PCT, said.append)
    assert [(ping.channel, ping.shape, ping.server, ping.client) for ping in pings] == [
        ("10", (4, 64), ("one", "a10"), ("two", "b10")),
        ("14", (4, 64), ("one", "rx"), ("one", "tx"))]
    assert said == ["queue 11: only one names it: not used",
                    "one: a99: the table has no queue 99: ignored"]


def test_plan_between_chips(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("INTER_CHIP a5 5\nINTER_CHIP a6 6\nINTER_CHIP a8 8\n")
    (tmp_path / "b").write_text("INTER_CHIP b5 5\nINTER_CHIP b7 0007\nINTER_CHIP b9 9\n")
    config = Config(tmp_path / "soc.toml", "demo", tuple(
        SocConfig(name, tmp_path / "pct", (VmConfig(f"{name}.vm", "A", tmp_path / name),),
                  f"{name}.") for name in "ab"))
    near = tuple(Channel(device, remote, 4, 64) for device, remote in
                 ((5, 5), (6, 7), (8, 8), (9, 9), (10, 10)))
    far = tuple(Channel(each.remote, each.device, 4, 64) for each in near)
    link = LinkConfig("x", ("a.vm", "b.vm"), "unix")
    remote = LinkConfig("y", ("a.vm",), "tcp")
    said: "list[str]" = []
    pings = plan_chips(config, [LinkEnd(link, "a.vm", "c2c0", True, near),
                                LinkEnd(link, "b.vm", "c2c0", False, far),
                                LinkEnd(remote, "a.vm", "c2c1", True, near)], said.append)
    assert [(ping.channel, ping.server, ping.client) for ping in pings] == [
        ("link x: 5-5", ("a.vm", "a5"), ("b.vm", "b5")),
        ("link x: 6-7", ("a.vm", "a6"), ("b.vm", "b7"))]
    assert said == ["link x: 8-8: only a.vm names it: not used",
                    "link x: 9-9: only b.vm names it: not used"]
