# SPDX-License-Identifier: MIT
"""What a failed scenario leaves to its reader: consoles, kernel logs, queues, QMP."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from typing import Callable

from . import timeline
from .errors import VsocError
from .observe import Observer
from .output import plain, table
from .process import read_log
from .scenario import Soc, Vm
from .server import LOG

LONGEST_NAME = 120      # of a folder, without its digest
SHOWN_LINES = 60        # of each part on the terminal and in JUnit XML; files have all of it

HEADS = ("QUEUE", "END", "", "STATE", "SENT", "TAKEN", "UNDER WAY", "RINGS OUT", "IN", "INTERRUPTS",
         "FAULTS OF BOTH")


def _said(look: Callable[[], str]) -> str:
    try:
        return look()
    except VsocError as err:
        return f"(not to be had: {str(err).splitlines()[0]})"


def _kernel_log(vm: Vm) -> str:
    if vm.state == "panicked":
        return "(it has panicked: see the console)"
    return vm.kernel_log()


def _queues(soc: Soc) -> str:
    with Observer(soc.engine.folder) as observer:
        looks, channels = observer.look()
    lines = [f"{look.vm} ({look.partition}): {look.state}{': ' * bool(look.problem)}"
             f"{look.problem}" for look in looks]
    lines.append("The counts are since the start of each QEMU, not of the test.")
    rows = []
    for channel in channels:
        if channel.known:
            faults = ", ".join(f"{name} {count}" for name, count in channel.faults.items())
            rows += [(channel.name, end.name, end.presence, end.state, end.tx_count, end.rx_count,
                      "BAD" if end.depth is None else f"{end.depth}/{channel.nframes}",
                      *("-" if count is None else count
                        for count in (end.rings_out, end.rings_in, end.interrupts)), faults)
                     for end in channel.ends]
    return "\n".join([*lines, table(HEADS, rows)])


def _faults(soc: Soc) -> str:
    lines = []
    for vm in soc:
        if vm.machine.running():
            lines += [str(each) for each in vm.faults()]
    return "\n".join(lines)


def parts(soc: Soc) -> dict[str, str]:
    """The report of a test: title -> text. Never raises for what is wrong with the SoC."""
    transcripts = {vm.name: vm.transcript() for vm in soc}      # before we ask for more
    found = {"queues": _said(lambda: _queues(soc))}
    faults = _said(lambda: _faults(soc))
    if faults:
        found["faults"] = faults
    width = max(len(vm.name) for vm in soc)
    found["time line"] = "\n".join(timeline.show(entry, soc.began, width) for entry in soc.log())
    for vm in soc:
        for number, program in enumerate(vm.programs, 1):
            found[f"program {number} of {vm.name}"] = f"$ {program.command}\n" + program.output
        found[f"console of {vm.name}"] = vm.console()
        found[f"kernel log of {vm.name}"] = _said(lambda: _kernel_log(vm))
        found[f"QMP of {vm.name}"] = transcripts[vm.name]
        found[f"QEMU of {vm.name}"] = vm.qemu_log()
    for chip in soc.engine.chips.values():
        found[f"ivshmem-server {chip.prefix.rstrip('.')}".rstrip()] = read_log(
            soc.engine.folder / (chip.prefix + LOG))
    return {title: text for title, text in found.items() if text.strip()}


def shortened(text: str) -> str:
    """The last lines of a part."""
    lines = plain(text).rstrip().split("\n")
    left = len(lines) - SHOWN_LINES
    return "\n".join(([f"... {left} lines before"] if left > 0 else []) + lines[-SHOWN_LINES:])


def folder_name(test: str) -> str:
    """Of a test's report. Parameters can be long, and have what a file name cannot: such a name is
    told from others by a digest.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", test).strip("-")
    _, _, parameters = test.partition("[")
    if len(name) > LONGEST_NAME or re.search(r"[^A-Za-z0-9_.-]", parameters.removesuffix("]")):
        name = f"{name[:LONGEST_NAME]}-{hashlib.sha256(test.encode()).hexdigest()[:8]}"
    return name


def write(found: dict[str, str], folder: Path) -> str:
    """A file for each part, instead of those of an earlier run. Returns what to tell of them: that
    they cannot be written is no reason to end the tests.
    """
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        for title, text in found.items():
            name = re.sub(r"[^A-Za-z0-9_.-]+", "-", title)
            (folder / f"{name}.txt").write_text(text, encoding="utf-8", errors="replace")
    except OSError as err:
        return f"cannot write {folder}: {err.strerror}"
    return f"all of it: {folder}"
