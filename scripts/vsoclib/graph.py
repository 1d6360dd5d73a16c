# SPDX-License-Identifier: MIT
"""`vsoc graph`: a picture of a SoC's partitions and queues, and of its channels to other chips."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Optional, Sequence

from . import arguments
from .config import DEFAULT_FILE, Config, SocConfig, load
from .errors import ConfigError, ProcessError, SetupError

if TYPE_CHECKING:
    from .observe import Channel, Look

PICTURES = ("svg", "png", "pdf")
TEXTS = ("dot", "gv")
# More queues than this between the same two partitions become one line.
MOST_LINES = 8
INTERVAL = 1.0      # seconds between two looks, for the rates

GOOD, HANDSHAKE, UNUSED = "#2e7d32", "#e65100", "#9e9e9e"
OTHER_CHIP = "other chip"


@dataclass
class Vm:
    """Who runs a partition."""

    name: str
    endpoints: Mapping[int, str] = field(default_factory=dict)      # queue -> name
    devices: Mapping[int, str] = field(default_factory=dict)        # device number -> name
    state: str = ""                                                 # only of a running SoC


@dataclass
class Chip:
    """One SoC."""

    name: str
    table: Mapping[str, Any]
    vms: Mapping[str, Vm]                                           # by partition
    live: Mapping[str, "Channel"] = field(default_factory=dict)     # by the channel's name


@dataclass
class Line:
    """What is drawn between two partitions."""

    ends: "tuple[str, str]"         # nodes
    texts: list[str]
    colour: str = ""
    width: float = 1.0


def quote(text: str) -> str:
    """A string of the dot language; a line break stays one."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def ranges(numbers: Sequence[int]) -> str:
    """1, 2, 3, 7 -> "1-3, 7"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _node(chip: Chip, partition: str) -> str:
    return f"{chip.name}/{partition}"


def _nodes(chip: Chip) -> Iterator[str]:
    for partition in chip.table["partitions"]:
        name, vm = partition["name"], chip.vms.get(partition["name"])
        look = "style=dashed, color=gray50, fontcolor=gray50"
        text = f"{name} ({partition['id']})\nno VM"
        if vm is not None:
            text = f"{vm.name}\n{name} ({partition['id']})"
            look = "style=filled, fillcolor=" + quote("#e3f2fd")
            if vm.state and vm.state != "running":
                text += f"\n{vm.state}"
                look = "style=filled, fillcolor=" + quote("#ffcdd2")
        yield f"{quote(_node(chip, name))} [shape=box, label={quote(text)}, {look}];"


def _rate(channel: "Channel") -> str:
    a, b = channel.ends
    return f"{a.name}: {a.frames_per_s or 0:.0f}/s, {b.name}: {b.frames_per_s or 0:.0f}/s"


def _colour(channel: "Channel") -> str:
    """By what its ends are at, and whether they are."""
    if any(end.presence != "open" for end in channel.ends):
        return UNUSED
    return GOOD if all(end.state == "established" for end in channel.ends) else HANDSHAKE


def _queue_lines(chip: Chip) -> Iterator[Line]:
    """A line a queue; a loopback pair is one."""
    for queue in chip.table["queues"]:
        number = queue["id"]
        if queue["loopback"] and number % 2 == 1:
            continue
        name = f"{number}/{number + 1}" if queue["loopback"] else str(number)
        numbers = (number, number + 1) if queue["loopback"] else (number, number)
        called = [chip.vms[peer].endpoints[each] for peer, each in zip(queue["peers"], numbers)
                  if peer in chip.vms and each in chip.vms[peer].endpoints]
        first, second = queue["peers"]
        line = Line((_node(chip, first), _node(chip, second)),
                    [f"{name}: {queue['nframes']} x {queue['frame_size']}",
                     *([", ".join(dict.fromkeys(called))] if called else [])])
        _show(line, chip.live.get(name))
        yield line


def _show(line: Line, channel: "Optional[Channel]") -> None:
    """Adds what is going on."""
    if channel is None or not channel.known:
        return
    line.colour = _colour(channel)
    if channel.frames_per_s > 0:
        line.texts.append(_rate(channel))
        line.width = 3.0
    if channel.faults:
        line.texts.append(", ".join(f"{name} {count}" for name, count in channel.faults.items()))


def _bundled(lines: Sequence[Line]) -> Iterator[Line]:
    """Many lines between the same two become one."""
    pairs: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        pairs.setdefault(tuple(sorted(line.ends)), []).append(line)
    for group in pairs.values():
        if len(group) <= MOST_LINES:
            yield from group
            continue
        numbers = [int(each) for line in group
                   for each in line.texts[0].partition(":")[0].split("/")]
        busy = [line for line in group if line.width > 1]
        made = Line(group[0].ends, [f"{len(group)} queues: {ranges(numbers)}"])
        if busy:
            # The busiest ones tell the most; all would not fit.
            made.texts += [" ".join((line.texts[0].partition(":")[0] + ":", line.texts[-1]))
                           for line in busy[:MOST_LINES]]
            made.colour, made.width = busy[0].colour, 3.0
        yield made


def _far_end(chips: Sequence[Chip], chip: Chip,
             here: Mapping[str, Any]) -> "Optional[tuple[Chip, Mapping[str, Any]]]":
    """The end that a channel to another chip has here, if there is one and no doubt."""
    found = [(other, far) for other in chips if other is not chip
             for far in other.table.get("c2c", ())
             if (far["device"], far["remote"]) == (here["remote"], here["device"])]
    return found[0] if len(found) == 1 else None


def _c2c_lines(chips: Sequence[Chip]) -> Iterator[Line]:
    """Channels between chips. A far end that no chip here has is outside."""
    for index, chip in enumerate(chips):
        for here in chip.table.get("c2c", ()):
            far = _far_end(chips, chip, here)
            if far is not None and chips.index(far[0]) < index:
                continue            # that chip has drawn it
            ends = [(chip, here), *([far] if far is not None else [])]
            called = [each.vms[end["owner"]].devices.get(end["device"], "")
                      for each, end in ends if end["owner"] in each.vms]
            nodes = [_node(each, end["owner"]) for each, end in ends] + [OTHER_CHIP]
            line = Line((nodes[0], nodes[1]),
                        [f"c2c {here['device']} - {here['remote']}: {here['nframes']} x "
                         f"{here['frame_size']}",
                         *([", ".join(dict.fromkeys(filter(None, called)))] if any(called)
                           else [])])
            if here["owner"] in chip.vms:
                vm = chip.vms[here["owner"]].name
                for name, channel in chip.live.items():
                    if name.startswith(f"{vm}:") and channel.ends[0].queue == here["device"]:
                        _show(line, channel)
            yield line


def draw(chips: Sequence[Chip]) -> str:
    """The picture in the dot language."""
    text = ["digraph vsoc {", "  rankdir=LR; nodesep=0.6; ranksep=2.5;",
            '  node [fontname="sans-serif", fontsize=12];',
            '  edge [fontname="sans-serif", fontsize=9, dir=both, arrowsize=0.6];']
    for number, chip in enumerate(chips):
        text += [f"  subgraph cluster_{number} {{", f"    label={quote(chip.name)}; color=gray50;",
                 *(f"    {node}" for node in _nodes(chip)), "  }"]
    outside = list(_c2c_lines(chips))
    if any(OTHER_CHIP in line.ends for line in outside):
        text.append(f"  {quote(OTHER_CHIP)} [shape=box3d, style=dashed];")
    for line in [*(line for chip in chips for line in _bundled(list(_queue_lines(chip)))),
                 *outside]:
        look = f"label={quote(chr(10).join(line.texts))}"
        if line.colour:
            look += f", color={quote(line.colour)}, penwidth={line.width:g}"
        text.append(f"  {quote(line.ends[0])} -> {quote(line.ends[1])} [{look}];")
    return "\n".join([*text, "}", ""])


# Where the chips come from


def _vms(soc: SocConfig, table: Mapping[str, Any]) -> dict[str, Vm]:
    from .demo import INTER_CHIP, INTER_VM, named
    from .observe import partition_names

    names = partition_names(table, {vm.name: vm.partition for vm in soc.vms})
    return {names[vm.name]: Vm(vm.name, named(vm.cfg, INTER_VM), named(vm.cfg, INTER_CHIP))
            for vm in soc.vms}


def planned(config: Config) -> list[Chip]:
    """As soc.toml and its tables say."""
    from . import pct

    tables = [pct.dump(soc.pct) for soc in config.socs]
    return [Chip(soc.name, table, _vms(soc, table)) for soc, table in zip(config.socs, tables)]


def running(path: Optional[Path]) -> list[Chip]:
    """As it is, with rates."""
    from .observe import Observer
    from .soc import STATE, Soc, find_folder

    folder = find_folder(path, Path(DEFAULT_FILE))
    with Observer(folder) as observer:
        observer.look()
        time.sleep(INTERVAL)
        looks, channels = observer.look()
    soc = Soc.attach(folder)
    try:
        # The names of endpoints, if the file is still there and right: the SoC runs without it.
        config: Optional[Config] = load(Path(folder.read_json(STATE)["soc_toml"]))
    except (ConfigError, OSError):
        config = None
    chips = []
    for chip in soc.chips.values():
        called: dict[str, Vm] = {}
        for each in config.socs if config is not None else ():
            if each.name == chip.name:
                called = _vms(each, chip.table)
        own = [look for look in looks if soc.chip_of(look.vm) is chip]
        # Those of several SoCs begin with its name, or that of its VM.
        mine = {channel.name.removeprefix(f"{chip.name}:"): channel for channel in channels
                if not chip.prefix or channel.name.startswith((f"{chip.name}:", chip.prefix))}
        chips.append(Chip(chip.name, chip.table, {look.partition: _live_vm(look, called)
                                                  for look in own}, mine))
    return chips


def _live_vm(look: "Look", called: Mapping[str, Vm]) -> Vm:
    known = called.get(look.partition, Vm(look.vm))
    return Vm(look.vm, known.endpoints, known.devices, look.state)


def _soc_toml(path: Optional[Path]) -> Path:
    """The file that is meant; a SoC that runs knows its own."""
    from .soc import STATE, find_folder

    if path is not None or Path(DEFAULT_FILE).is_file():
        return path or Path(DEFAULT_FILE)
    return Path(find_folder(None, Path(DEFAULT_FILE)).read_json(STATE)["soc_toml"])


def _render(text: str, output: Path, kind: str) -> None:
    command = ["dot", f"-T{kind}", "-o", str(output)]
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise SetupError(f"there is no dot, which makes {kind} pictures: install Debian's package "
                         "graphviz (scripts/setup does), or write a .dot file") from None
    if done.returncode != 0:
        raise ProcessError(f"dot could not make {output}", command, done.returncode, done.stderr)


def _run(args: argparse.Namespace) -> int:
    kind = args.output.suffix[1:] if args.output is not None else "dot"
    if kind not in PICTURES + TEXTS:
        raise ConfigError(f"{args.output}: its name does not end in one of "
                          + ", ".join(f".{each}" for each in PICTURES + TEXTS))
    text = draw(running(args.file) if args.live else planned(load(_soc_toml(args.file))))
    if args.output is None:
        sys.stdout.write(text)
    elif kind in TEXTS:
        try:
            args.output.write_text(text, encoding="utf-8")
        except OSError as err:
            raise ConfigError(f"cannot write {args.output}: {err.strerror}") from None
    else:
        _render(text, args.output, kind)
    return 0


def add_parser(subparsers: Any) -> None:
    """Adds `graph`."""
    text = "Draws the partitions of a SoC, its queues, and its channels to other chips."
    parser = subparsers.add_parser(
        "graph", help="a picture of partitions, queues and chips", description=text,
        epilog="Without -o the picture goes to standard output in Graphviz' dot language.")
    arguments.soc_file(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        help="what to write: .svg, .png, .pdf, or .dot for the text")
    parser.add_argument("--live", action="store_true",
                        help="of the SoC as it runs: frames per second, states, VMs that ended")
    parser.set_defaults(run=_run)
