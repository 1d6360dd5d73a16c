# SPDX-License-Identifier: MIT
"""`vsoc fault`: makes faults happen in a running SoC, shows and ends them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Optional

from . import arguments, faults
from .config import DEFAULT_FILE
from .errors import ConfigError
from .faults import DIRECTIONS, KINDS, WORDS, Fault
from .machine import Machine

# Kind -> what it needs, and what it may have besides queue, direction.
_NEEDS = {"delay": ("delay_ms",), "header": ("word", "value")}
_MAY = {"drop": ("count", "ms"), "delay": ("count", "ms", "delay_ms"), "duplicate": ("count", "ms"),
        "spurious": ("count",), "header": ("word", "value"),
        "frame": ("count", "ms", "offset", "xor")}
_OPTIONS = ("count", "ms", "delay_ms", "word", "value", "offset", "xor")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _fault(args: argparse.Namespace) -> Fault:
    given = {name: getattr(args, name) for name in _OPTIONS if getattr(args, name) is not None}
    for name in _NEEDS.get(args.kind, ()):
        if name not in given:
            raise ConfigError(f"{args.kind} needs {_option(name)}")
    for name in given:
        if name not in _MAY[args.kind]:
            raise ConfigError(f"{args.kind} takes no {_option(name)}; it takes "
                              f"{', '.join(map(_option, _MAY[args.kind]))}")
    return Fault(args.queue, args.kind, args.direction, **given)


def _machines(args: argparse.Namespace) -> list[Machine]:
    """The VM that is named, or all that run."""
    from .soc import Soc, find_folder

    soc = Soc.attach(find_folder(args.file, Path(DEFAULT_FILE)))
    if args.vm is not None:
        soc[args.vm].check_process()
        return [soc[args.vm]]
    return [machine for machine in soc.machines.values() if machine.running()]


def _devices(machine: Machine, name: Optional[str]) -> list[str]:
    return faults.devices(machine) if name is None else [faults.device_of(machine, name)]


def _list(machines: list[Machine], args: argparse.Namespace) -> None:
    found = [fault for machine in machines for device in _devices(machine, args.device)
             for fault in faults.active(machine, device)
             if args.queue in (None, fault.queue)]
    if args.json:
        print(json.dumps([{"vm": each.vm, "device": each.device, **each.details}
                          for each in found], indent=2))
    elif not found:
        print("no fault is active")
    for each in found if not args.json else ():
        print(each)


def _run(args: argparse.Namespace) -> int:
    actions = [name for name in ("list", "clear", "link") if getattr(args, name)]
    if len(actions) > 1:
        raise ConfigError(f"--{actions[0]} and --{actions[1]} do not go together")
    if args.json and actions != ["list"]:
        raise ConfigError("--json goes with --list")
    if actions and args.kind is not None:
        raise ConfigError(f"--{actions[0]} takes no KIND")
    if not actions and args.kind is None:
        raise ConfigError("say what to do: VM QUEUE KIND, --list, --clear or --link up|down")
    if args.link and (args.vm is None or args.queue is not None):
        raise ConfigError("--link takes a VM and no QUEUE")
    fault = None if actions else _fault(args)
    machines = _machines(args)
    if args.list:
        _list(machines, args)
    for machine in machines if not args.list else ():
        device = faults.device_of(machine, args.device)
        if fault is not None:
            faults.inject(machine, device, fault)
        elif args.link:
            faults.put(machine, device, "link", args.link == "up")
        elif args.queue is not None:
            faults.clear(machine, device, args.queue)
        else:
            faults.end_all(machine, args.device)
    return 0


def _number(text: str) -> int:
    return int(text, 0)


_number.__name__ = "number"     # in argparse's messages


def add_parser(subparsers: Any) -> None:
    """Adds `fault`."""
    text = "Makes a fault happen in a queue of a running SoC, or shows or ends them."
    parser = subparsers.add_parser(
        "fault", help="make faults happen in queues", description=text,
        usage="vsoc fault [-f SOC_TOML] VM QUEUE KIND [--direction out|in] [OPTION...]\n"
              "       vsoc fault [-f SOC_TOML] [VM [QUEUE]] --list [--json] | --clear\n"
              "       vsoc fault [-f SOC_TOML] VM --link up|down",
        formatter_class=argparse.RawDescriptionHelpFormatter, epilog="""kinds:
  drop       doorbells are lost                          [--count N] [--ms T]
  delay      they come later                  --delay-ms T [--count N] [--ms T]
  duplicate  they come twice                             [--count N] [--ms T]
  spurious   they come though nobody rang                [--count N]
  header     a word of the queue's headers is overwritten  --word W --value V
  frame      a byte of frames is xored        [--offset O] [--xor X] [--count N] [--ms T]

Without --count and --ms a fault of doorbells lasts until --clear. All that --clear names
ends, and without a QUEUE cables that were pulled are back, too.
docs/specs/faults.md has the details.""")
    arguments.soc_file(parser)
    parser.add_argument("vm", nargs="?", metavar="VM", help="the VM in whose device it is")
    parser.add_argument("queue", nargs="?", type=_number, metavar="QUEUE",
                        help="the queue's id; with --device c2c0 the number of the channel")
    parser.add_argument("kind", nargs="?", choices=KINDS, metavar="KIND",
                        help="one of " + ", ".join(KINDS))
    parser.add_argument("--device", metavar="NAME",
                        help="the VM's device (default: ivc, its queues inside the SoC; c2c0, ...: "
                             "its links to other chips)")
    parser.add_argument("--direction", choices=DIRECTIONS, default="out",
                        help="out: what this VM rings and writes; in: what comes to it "
                             "(default: %(default)s)")
    parser.add_argument("--count", type=_number, metavar="N", help="how many are hit")
    parser.add_argument("--ms", type=_number, metavar="T", help="for how long, in milliseconds")
    parser.add_argument("--delay-ms", type=_number, metavar="T", help="by how much they come later")
    parser.add_argument("--word", choices=WORDS, help="the word that is overwritten")
    parser.add_argument("--value", type=_number, metavar="V", help="by what")
    parser.add_argument("--offset", type=_number, metavar="O",
                        help="of the byte in the frame (default: 0)")
    parser.add_argument("--xor", type=_number, metavar="X",
                        help="what it is xored with (default: 255)")
    parser.add_argument("--list", action="store_true", help="show those that are not over")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--clear", action="store_true", help="end them")
    parser.add_argument("--link", choices=("up", "down"),
                        help="down: as if the device's cable was pulled; up: back again")
    parser.set_defaults(run=_run)
