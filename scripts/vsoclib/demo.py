# SPDX-License-Identifier: MIT
"""vsoc demo: ivcping over each channel that the configurations of two VMs name, and loopbacks."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional, Sequence

from .artifacts import CHECKOUT
from .config import Config, SocConfig, VmConfig, load
from .errors import ConfigError, VsocError
from .links import LinkEnd
from .output import Labelled, Progress, table
from .soc import Soc

DEMO = CHECKOUT / "docs" / "examples" / "two-guests" / "soc.toml"
CHIPS = CHECKOUT / "docs" / "examples" / "two-chips" / "soc.toml"

# A server waits while the queues before its own have their turn.
SERVER_TIMEOUT = 3600
_CHIP_NODE = re.compile(r"nvscic2c_pcie_s\d+_c\d+_(\d+)")
INTER_VM, INTER_CHIP = "INTER_VM", "INTER_CHIP"
HEADS = ("CHANNEL", "FRAMES x BYTES", "SERVER", "CLIENT", "SENT", "BACK", "ERRORS", "RTT us: MIN",
         "MEDIAN", "P99")


@dataclass
class Ping:
    """Frames over one channel: from a client to a server and back."""

    channel: str                    # what the table at the end calls it
    shape: tuple[int, int]          # frames, bytes of a frame
    server: tuple[str, str]         # VM, endpoint
    client: tuple[str, str]
    results: dict[str, Any] = field(default_factory=dict)   # by "server" and "client"

    def row(self) -> tuple[object, ...]:
        """Its line of the table at the end."""
        head = (self.channel, f"{self.shape[0]} x {self.shape[1]}", ":".join(self.server),
                ":".join(self.client))
        if not self.good():
            return (*head, "failed", "", "", "", "", "")
        client, server = self.results["client"], self.results["server"]
        trip = client["rtt_us"]
        return (*head, client["sent"], client["received"], client["errors"] + server["errors"],
                round(trip["min"]), round(trip["median"]), round(trip["p99"]))

    def good(self) -> bool:
        """Whether both sides have reported."""
        return "client" in self.results and "server" in self.results

    def faultless(self) -> bool:
        """Whether all frames went and came back as they were."""
        return self.good() and self.row()[6] == 0


def named(cfg: Optional[Path], backend: str) -> dict[int, str]:
    """Queue id, or device number -> endpoint name, of a backend's lines. The library in the guest
    judges the file; what is no such line is skipped here."""
    names: dict[int, str] = {}
    text = cfg.read_text(encoding="utf-8", errors="replace") if cfg is not None else ""
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) >= 3 and words[0] == backend and words[2].isdecimal():
            number = int(words[2])
            if backend == INTER_CHIP:
                # Four digits are a role, which says nothing, and a device.
                in_name = _CHIP_NODE.fullmatch(words[1]) if words[2] == "0000" else None
                number = int(in_name[1]) if in_name else number % 100
            names[number] = words[1]
    return names


def plan(soc: SocConfig, pct: dict[str, Any], say: Callable[[str], None]) -> list[Ping]:
    """Who pings whom in a SoC: over queues that both ends' configurations name, and over
    loopbacks."""
    numbers = {str(each["id"]): each["name"] for each in pct["partitions"]}
    vms: dict[str, VmConfig] = {numbers.get(vm.partition, vm.partition): vm for vm in soc.vms}
    names = {partition: named(vm.cfg, INTER_VM) for partition, vm in vms.items()}
    where = soc.prefix.replace(".", " ")
    pings = []
    for queue in pct["queues"]:
        number = queue["id"]
        shape = (queue["nframes"], queue["frame_size"])
        if queue["loopback"]:
            [partition, _] = queue["peers"]
            own = names.get(partition, {})
            if number % 2 == 0 and number in own and number + 1 in own:
                vm = vms[partition].name
                pings.append(Ping(f"{where}{number}", shape, (vm, own[number + 1]),
                                  (vm, own[number])))
            continue
        knowing = [peer for peer in queue["peers"] if number in names.get(peer, {})]
        if len(knowing) == 2:
            first, second = knowing
            pings.append(Ping(f"{where}{number}", shape, (vms[first].name, names[first][number]),
                              (vms[second].name, names[second][number])))
        elif knowing:
            say(f"queue {number}: only {vms[knowing[0]].name} names it: not used")
    known = {queue["id"] for queue in pct["queues"]}
    for partition, own in names.items():
        for number, name in own.items():
            if number not in known:
                say(f"{vms[partition].name}: {name}: the table has no queue {number}: ignored")
    return pings


def plan_chips(config: Config, ends: Sequence[LinkEnd], say: Callable[[str], None]) -> list[Ping]:
    """Who pings whom between chips: over channels of our links that both ends' configurations
    name."""
    names = {vm.name: named(vm.cfg, INTER_CHIP) for vm in config.vms}
    pings = []
    for near in (end for end in ends if end.link.local and end.listens):
        [far] = [vm for vm in near.link.vms if vm != near.vm]
        for channel in near.channels:
            ours, theirs = names[near.vm].get(channel.device), names[far].get(channel.remote)
            text = f"link {near.link.name}: {channel.device}-{channel.remote}"
            if ours is not None and theirs is not None:
                pings.append(Ping(text, (channel.nframes, channel.frame_size), (near.vm, ours),
                                  (far, theirs)))
            elif ours is not None or theirs is not None:
                say(f"{text}: only {near.vm if ours else far} names it: not used")
    return pings


def _words(result: dict[str, Any]) -> str:
    text = (f"{result['endpoint']}: sent {result['sent']}, received {result['received']} frames "
            f"of {result['size']} bytes, {result['errors']} errors")
    if "rtt_us" in result:
        text += f", round trip {result['rtt_us']['median']:.0f} us"
    return text


def _exchange(soc: Soc, pings: list[Ping], frames: int,
              labels: Callable[[str, Callable[[str], str]], Labelled]) -> None:
    """Starts all servers of one VM, and then the clients of another, one after the other, so that
    they do not disturb each other's times."""
    [server], [client] = ({ping.server[0] for ping in pings}, {ping.client[0] for ping in pings})

    def note(line: str) -> str:
        if not line.startswith("{"):
            return line
        result = json.loads(line)
        for ping in pings:
            if result["endpoint"] == (ping.client if result["role"] == "client"
                                      else ping.server)[1]:
                ping.results[result["role"]] = result
        return _words(result)

    serve = "".join(f"ivcping --server {shlex.quote(ping.server[1])} --json "
                    f"--timeout {SERVER_TIMEOUT} & all=\"$all $!\"\n" for ping in pings)
    serve += "code=0; for one in $all; do wait $one || code=$?; done; exit $code"
    ask = "\n".join(f"ivcping --client {shlex.quote(ping.client[1])} --json --count {frames} "
                    f"--size {ping.shape[1]} || exit" for ping in pings)
    outputs = [labels(vm, note) for vm in (server, client)]
    serving = soc[server].submit(serve, output=outputs[0])
    asking = soc[client].submit(ask, output=outputs[1])
    try:
        # A client that fails leaves its server waiting: the end of the SoC ends it.
        code = asking.result().returncode or serving.result().returncode
    finally:
        for output in outputs:
            output.finish()
        serving.cancel()
        asking.cancel()
    if code != 0:
        raise VsocError(f"ivcping failed with exit code {code}")


def _other_table(config: Config, platform: Path) -> Config:
    """The same SoC with the table of another platform."""
    source = platform / "platform_config.h" if platform.is_dir() else platform
    if not source.is_file():
        raise ConfigError(f"there is no {source}")
    if len(config.socs) != 1:
        raise ConfigError(f"--platform is for one SoC, {config.path} has {len(config.socs)}")
    [soc] = config.socs
    return dataclasses.replace(config, socs=(dataclasses.replace(soc, pct=source),))


def _all(soc: Soc, config: Config, say: Callable[[str], None]) -> list[Ping]:
    """Inside the SoCs, and between them."""
    pings = [ping for one in config.socs for ping in plan(one, soc.chips[one.name].table, say)]
    pings += plan_chips(config, soc.ends, say)
    if not pings:
        raise ConfigError(f"{config.path}: no channel of the tables is named in the configurations "
                          "of both its VMs")
    return pings


def demo(file: Path, platform: Optional[Path], frames: int) -> int:
    """Boots the SoCs, pings over all that their configurations name, and shows a table."""
    if frames < 1:
        raise ConfigError(f"--frames {frames} is not at least 1")
    config = load(file)
    if platform is not None:
        config = _other_table(config, platform)
    say = Progress()
    order = [vm.name for vm in config.vms]
    width = max(map(len, order))
    with Soc.new(config, say) as soc:
        pings = _all(soc, config, say)
        pairs = list(dict.fromkeys((ping.server[0], ping.client[0]) for ping in pings))
        try:
            for server, client in pairs:
                group = [ping for ping in pings
                         if (ping.server[0], ping.client[0]) == (server, client)]
                say(f"{client} sends {frames} frames to {server}, and gets them back, over "
                    + ", ".join(ping.channel for ping in group))
                _exchange(soc, group, frames,
                          lambda vm, note: Labelled(vm, width, order.index(vm), note))
        finally:
            print("\n" + table(HEADS, [ping.row() for ping in pings]) + "\n", flush=True)
    if not all(ping.faultless() for ping in pings):
        raise VsocError("frames were lost or damaged")
    say("done: no frame was lost")
    return 0
