# SPDX-License-Identifier: MIT
"""`vsoc wait`: waits until something is so in a running SoC."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from . import arguments
from .config import DEFAULT_FILE
from .errors import BootTimeout, ConfigError, StateError, WaitTimeout


def _run(args: argparse.Namespace) -> int:
    from . import scenario, soc as engine

    if args.line is not None:
        try:
            re.compile(args.line)
        except re.error as err:
            raise ConfigError(f"--line {args.line}: {err}") from None
    if args.new and args.line is None:
        raise ConfigError("--new goes with --line")
    if not 0 < args.timeout <= 86400:
        raise ConfigError(f"--timeout {args.timeout:g} is not from 0 to 86400 seconds")
    soc = scenario.Soc(engine.Soc.attach(engine.find_folder(args.file, Path(DEFAULT_FILE))))
    vm = soc[args.vm]
    if args.exit:
        print(vm.wait_exit(args.timeout))
        return 0
    if vm.state == "stopped":
        vm.machine.check_process()
    if args.ready:
        try:
            vm.machine.wait_ready(args.timeout)
        except BootTimeout as err:
            raise WaitTimeout(vm.name, f"it does not answer after {args.timeout:g} s",
                              err.console) from None
    elif args.panic:
        print(vm.wait_panic(args.timeout))
    elif args.line is not None:
        if not args.new:
            vm.rewind()
        print(vm.wait_line(args.line, args.timeout).string)
    else:
        queue = soc.queue(args.established, soc.engine.chip_of(args.vm).name)
        if vm.name not in queue.vms:
            raise StateError(f"queue {args.established} has no end in {vm.name}; it has "
                             f"{' and '.join(queue.vms)}")
        queue.wait_established(args.timeout)
    return 0


def _number(text: str) -> int:
    return int(text, 0)


_number.__name__ = "number"     # in argparse's messages


def add_parser(subparsers: Any) -> None:
    """Adds `wait`."""
    text = "Waits until something is so, or fails as soon as it cannot become so any more."
    parser = subparsers.add_parser(
        "wait", help="wait for a line, a panic, a channel, ...", description=text,
        epilog="Exit code 0: it is so; 1: it will not be; 124: it was not in time.")
    arguments.soc_file(parser)
    parser.add_argument("vm", metavar="VM", help="the VM's name in soc.toml")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--line", metavar="REGEX",
                      help="its console shows, or has shown since the SoC was started, a line "
                           "in which this is found; that line is printed")
    what.add_argument("--ready", action="store_true", help="the guest answers")
    what.add_argument("--panic", action="store_true",
                      help="its kernel has panicked; what it says is printed")
    what.add_argument("--exit", action="store_true", help="its QEMU has ended; why is printed")
    what.add_argument("--established", type=_number, metavar="QUEUE",
                      help="both ends of the queue are open, and frames can go through")
    parser.add_argument("--new", action="store_true", help="with --line: not a line of before")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS",
                        help="give up after this time (default: %(default)s)")
    parser.set_defaults(run=_run)
