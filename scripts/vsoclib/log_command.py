# SPDX-License-Identifier: MIT
"""`vsoc log`: all that happens in a SoC on one time line."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any, Iterable

from . import arguments, timeline
from .config import DEFAULT_FILE
from .errors import ConfigError, StateError
from .output import coloured
from .timeline import Entry

TICK = 0.1          # seconds between two looks with --follow


def _print(entries: Iterable[Entry], began: float, names: "list[str]", as_json: bool) -> None:
    width = max(map(len, names))
    colours = sys.stdout.isatty()
    for entry in entries:
        if as_json:
            print(json.dumps(dataclasses.asdict(entry)))
            continue
        text = timeline.show(entry, began, width)
        of_vm = entry.vm in names       # and of no server
        print(coloured(text, names.index(entry.vm)) if colours and of_vm else text)
    sys.stdout.flush()


def _run(args: argparse.Namespace) -> int:
    from .soc import STATE, Soc, find_folder

    folder = find_folder(args.file, Path(DEFAULT_FILE))
    state = folder.read_json(STATE)
    if state is None:
        raise StateError(f"{folder.path.name} has no log: it has not run, or has ended well")
    names = list(state["commands"])
    for name in args.vm:
        if name not in names:
            raise ConfigError(f"there is no VM '{name}'; there are {', '.join(names)}")
    reader = timeline.Reader(folder)
    soc = Soc.attach(folder)

    def wanted(entry: Entry) -> bool:
        return (not args.vm or entry.vm in args.vm) and \
            (not args.kind or entry.kind in args.kind)
    while True:
        unwritten = soc.running() and not soc.recording()
        alive = folder.path.exists() and soc.running()
        _print(filter(wanted, reader.more()), state["started"], names, args.json)
        if unwritten:
            text = "the recorder has ended, so there is no more; `vsoc up` starts it again"
            if args.follow:
                raise StateError(text)
            print(f"vsoc: {text}", file=sys.stderr)
        if not args.follow:
            return 0
        if not alive:
            raise StateError(f"{folder.path.name} has ended")
        time.sleep(TICK)


def add_parser(subparsers: Any) -> None:
    """Adds `log`."""
    parser = subparsers.add_parser(
        "log", help="all that happens in a SoC, on one time line",
        description="Consoles, what the devices and QEMU say, QMP events and traces of libnvsciipc, "
                    "on one time line: seconds since the SoC was started, VM, kind, text. `vsoc "
                    "logs` has the consoles alone, as they are.",
        epilog="The time is when the host saw the line; of an event it is QEMU's. Library traces: "
               "`trace = true` in soc.toml, or NVSCIIPC_TRACE=/dev/console in the program's "
               "environment.")
    arguments.soc_file(parser)
    parser.add_argument("vm", nargs="*", metavar="VM", help="only of these VMs")
    parser.add_argument("--kind", action="append", choices=timeline.KINDS,
                        help="only of this kind; may be given again")
    parser.add_argument("--follow", action="store_true", help="go on with what comes")
    parser.add_argument("--json", action="store_true",
                        help="a JSON object a line: time (since 1970), vm, kind, text")
    parser.set_defaults(run=_run)
