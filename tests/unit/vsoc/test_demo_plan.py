# SPDX-License-Identifier: MIT
"""What the demo makes of the table and the configurations: who pings whom."""

from pathlib import Path
from typing import Any

from vsoclib.config import SocConfig, VmConfig
from vsoclib.demo import inter_vm_lines, plan


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
    assert inter_vm_lines(cfg) == {255: "a", 7: "b"}
    assert inter_vm_lines(None) == {}


def test_plan(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("INTER_VM a10 10\nINTER_VM a11 11\nINTER_VM tx 14\nINTER_VM rx 15\n"
                                "INTER_VM a99 99\n")
    (tmp_path / "b").write_text("INTER_VM b10 10\nINTER_VM half 16\n")
    config = SocConfig(tmp_path / "soc.toml", "demo", tmp_path / "pct", (
        VmConfig("one", "A", tmp_path / "a"), VmConfig("two", "3", tmp_path / "b")))
    said: "list[str]" = []
    pings = plan(config, PCT, said.append)
    assert [(ping.queue["id"], ping.server, ping.client) for ping in pings] == [
        (10, ("one", "a10"), ("two", "b10")), (14, ("one", "rx"), ("one", "tx"))]
    assert said == ["queue 11: only one names it: not used",
                    "one: a99: the table has no queue 99: ignored"]
