# SPDX-License-Identifier: MIT
"""vsoc demo: ivcping over each queue that the configurations of two VMs name, and loopbacks."""

from __future__ import annotations

import dataclasses
import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

from .artifacts import CHECKOUT
from .config import SocConfig, VmConfig, load
from .errors import ConfigError, VsocError
from .output import Labelled, Progress, table
from .soc import Soc

DEMO = CHECKOUT / "docs" / "examples" / "two-guests" / "soc.toml"

# A server waits while the queues before its own have their turn.
SERVER_TIMEOUT = 3600
HEADS = ("QUEUE", "FRAMES x BYTES", "SERVER", "CLIENT", "SENT", "BACK", "ERRORS", "RTT us: MIN",
         "MEDIAN", "P99")


@dataclass
class Ping:
    """Frames over one queue: from a client to a server and back."""

    queue: dict[str, Any]           # of the table
    server: tuple[str, str]         # VM, endpoint
    client: tuple[str, str]
    results: dict[str, Any] = field(default_factory=dict)   # by "server" and "client"

    def row(self) -> tuple[object, ...]:
        """Its line of the table at the end."""
        shape = f"{self.queue['nframes']} x {self.queue['frame_size']}"
        head = (self.queue["id"], shape, ":".join(self.server), ":".join(self.client))
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


def inter_vm_lines(cfg: Optional[Path]) -> dict[int, str]:
    """Queue id -> endpoint name, of the INTER_VM lines. The library in the guest judges the file;
    what is no such line is skipped here."""
    names: dict[int, str] = {}
    text = cfg.read_text(encoding="utf-8", errors="replace") if cfg is not None else ""
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) >= 3 and words[0] == "INTER_VM" and words[2].isdecimal():
            names[int(words[2])] = words[1]
    return names


def plan(config: SocConfig, pct: dict[str, Any], say: Callable[[str], None]) -> list[Ping]:
    """Who pings whom: over queues that both ends' configurations name, and over loopbacks."""
    numbers = {str(each["id"]): each["name"] for each in pct["partitions"]}
    vms: dict[str, VmConfig] = {numbers.get(vm.partition, vm.partition): vm for vm in config.vms}
    named = {partition: inter_vm_lines(vm.cfg) for partition, vm in vms.items()}
    pings = []
    for queue in pct["queues"]:
        number = queue["id"]
        if queue["loopback"]:
            [partition, _] = queue["peers"]
            names = named.get(partition, {})
            if number % 2 == 0 and number in names and number + 1 in names:
                vm = vms[partition].name
                pings.append(Ping(queue, (vm, names[number + 1]), (vm, names[number])))
            continue
        knowing = [peer for peer in queue["peers"] if number in named.get(peer, {})]
        if len(knowing) == 2:
            first, second = knowing
            pings.append(Ping(queue, (vms[first].name, named[first][number]),
                              (vms[second].name, named[second][number])))
        elif knowing:
            say(f"queue {number}: only {vms[knowing[0]].name} names it: not used")
    known = {queue["id"] for queue in pct["queues"]}
    for partition, names in named.items():
        for number, name in names.items():
            if number not in known:
                say(f"{vms[partition].name}: {name}: the table has no queue {number}: ignored")
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
                    f"--size {ping.queue['frame_size']} || exit" for ping in pings)
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


def demo(file: Optional[Path], platform: Optional[Path], frames: int) -> int:
    """Boots the SoC, pings over all that its configurations name, and shows a table."""
    if frames < 1:
        raise ConfigError(f"--frames {frames} is not at least 1")
    config = load(file or DEMO)
    if platform is not None:
        table_source = platform / "platform_config.h" if platform.is_dir() else platform
        if not table_source.is_file():
            raise ConfigError(f"there is no {table_source}")
        config = dataclasses.replace(config, pct=table_source)
    say = Progress()
    order = [vm.name for vm in config.vms]
    width = max(map(len, order))
    with Soc.new(config, say) as soc:
        pings = plan(config, soc.table, say)
        if not pings:
            raise ConfigError(f"{config.path}: no queue of the table is named in the "
                              "configurations of both its VMs")
        pairs = list(dict.fromkeys((ping.server[0], ping.client[0]) for ping in pings))
        try:
            for server, client in pairs:
                group = [ping for ping in pings
                         if (ping.server[0], ping.client[0]) == (server, client)]
                say(f"{client} sends {frames} frames to {server}, and gets them back, over "
                    + ", ".join(str(ping.queue["id"]) for ping in group))
                _exchange(soc, group, frames,
                          lambda vm, note: Labelled(vm, width, order.index(vm), note))
        finally:
            print("\n" + table(HEADS, [ping.row() for ping in pings]) + "\n", flush=True)
    if not all(ping.faultless() for ping in pings):
        raise VsocError("frames were lost or damaged")
    say("done: no frame was lost")
    return 0
