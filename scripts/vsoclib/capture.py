# SPDX-License-Identifier: MIT
"""`vsoc capture`: writes the frames of a running SoC's queues into a pcapng file.

The work is ivc-capture's (hw/capture/), which this finds the SoC's memory for and becomes.
docs/specs/capture.md describes both.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterable, NamedTuple, Optional

from . import arguments
from .config import DEFAULT_FILE
from .errors import ConfigError, SetupError, StateError

if TYPE_CHECKING:
    from .process import Process
    from .soc import Chip, Soc

PROGRAM = "ivc-capture"
# How ivshmem-server calls the file that it makes and then takes the name from.
MEMORY_NAME = "ivshmem."


class Memory(NamedTuple):
    """A way to the shared memory that needs nobody's help, and whose descriptor that is."""

    path: Path
    pid: int


def find_memory(processes: Iterable[Process]) -> Memory:
    """The shared memory among the open files of a SoC's processes. Asking ivshmem-server for it
    would make every QEMU hear of a newcomer, and end the server if we died just then.
    """
    for process in processes:
        folder = Path(f"/proc/{process.pid}/fd")
        try:
            for descriptor in folder.iterdir():
                try:
                    info = descriptor.stat()
                    name = Path(os.readlink(descriptor)).name
                except OSError:
                    continue        # closed meanwhile
                if stat.S_ISREG(info.st_mode) and info.st_nlink == 0 and \
                        name.startswith(MEMORY_NAME):
                    return Memory(descriptor, process.pid)
        except OSError:
            continue                # it has just ended, or is another user's
    raise StateError("no process of the SoC shows its shared memory in /proc: has it just ended, "
                     "or does it run as another user?")


def _processes(soc: Soc, chip: Chip) -> list[Process]:
    """The server first: it ends with the SoC."""
    children = [chip.server, *(machine.child for machine in soc.machines.values()
                               if soc.chip_of(machine.name) is chip)]
    return [child.process for child in children if child is not None]


def _choose_chip(soc: Soc, name: Optional[str]) -> Chip:
    if name is None and len(soc.chips) == 1:
        [chip] = soc.chips.values()
        return chip
    if name is None or name not in soc.chips:
        wrong = f"there is no SoC '{name}'" if name else "there are several SoCs"
        raise ConfigError(f"{wrong}; say --soc with one of {', '.join(soc.chips)}")
    return soc.chips[name]


def _check_queues(table: Path, known: Iterable[int], queues: Iterable[int]) -> None:
    for queue in queues:
        if queue not in known:
            raise ConfigError(f"the table has no queue {queue}; `vsoc pct show {table}` lists "
                              "them")


def _at_least(value: Any, least: Any, most: Any, name: str) -> None:
    if value is not None and not least <= value <= most:
        raise ConfigError(f"{name} {value:g} is not from {least:g} to {most:g}")


def _run(args: argparse.Namespace) -> int:
    from . import artifacts
    from .soc import TABLE, Soc, find_folder

    _at_least(args.seconds, 0.001, 4000000, "--seconds")
    _at_least(args.frames, 1, 1 << 62, "--frames")
    _at_least(args.cpu, 1, 100, "--cpu")
    _at_least(args.bytes, 1, 1 << 30, "--bytes")
    soc = Soc.attach(find_folder(args.file, Path(DEFAULT_FILE)))
    chip = _choose_chip(soc, args.soc)
    table = soc.folder / (chip.prefix + TABLE)
    _check_queues(table, {queue["id"] for queue in chip.table["queues"]}, args.queue or [])
    program = artifacts.load().sdk_host / "bin" / PROGRAM
    memory = find_memory(_processes(soc, chip))
    output = args.output or Path(f"{soc.folder.path.name.rpartition('-')[0]}.pcapng")
    if str(output) == "-" and sys.stdout.isatty():
        raise ConfigError("-o -: a terminal cannot show a capture; pipe it into a program")
    command = [str(program), "-m", str(memory.path), "-p", str(memory.pid),
               "-t", str(table), "-o", str(output), "-c", str(args.cpu)]
    for queue in args.queue or []:
        command += ["-q", str(queue)]
    for letter, value in (("-n", args.frames), ("-s", args.bytes),
                          ("-d", args.seconds and max(1, round(args.seconds * 1000)))):
        if value is not None:
            command += [letter, str(value)]
    try:
        os.execv(program, command)
    except OSError as err:
        raise SetupError(f"cannot start {program}: {err.strerror}: run scripts/setup") from None


def add_parser(subparsers: Any) -> None:
    """Adds `capture`."""
    text = "Writes the frames of a running SoC's queues into a pcapng file, until Ctrl-C."
    parser = subparsers.add_parser(
        "capture", help="write the frames of queues into a pcapng file", description=text,
        epilog="Frames that were overwritten before they could be copied are counted and told. "
               "Wireshark and tshark show the file with -X lua_script:scripts/wireshark/vsoc.lua")
    arguments.soc_file(parser)
    parser.add_argument("--soc", metavar="NAME", help="which, of several in a soc.toml")
    parser.add_argument("-q", "--queue", type=int, action="append", metavar="ID",
                        help="a queue; may be given again (default: all)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        help="what to write; -: standard output (default: NAME.pcapng, after the "
                             "SoC's name)")
    parser.add_argument("--seconds", type=float, metavar="N", help="end after this time")
    parser.add_argument("--frames", type=int, metavar="N", help="end after so many frames")
    parser.add_argument("--bytes", type=int, metavar="N", help="keep so much of each frame")
    parser.add_argument("--cpu", type=int, default=50, metavar="PERCENT",
                        help="of one CPU that it takes at most (default %(default)s)")
    parser.set_defaults(run=_run)
