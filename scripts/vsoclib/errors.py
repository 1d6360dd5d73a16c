# SPDX-License-Identifier: MIT
"""The one exception tree of vsoc: each message says what is wrong, where, and what to do."""

from __future__ import annotations

import shlex
from typing import Optional, Sequence

from .output import plain

TAIL_LINES = 25


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, indented, for the end of a message."""
    kept = plain(text).rstrip().split("\n")[-lines:]
    return "\n".join("    " + line for line in kept)


class VsocError(Exception):
    """Something failed. The process ends with exit_code."""

    exit_code = 1


class ConfigError(VsocError):
    """A soc.toml, or another file or argument the user wrote, is wrong."""

    exit_code = 2


class SetupError(VsocError):
    """Something that scripts/setup makes is missing."""


class StateError(VsocError):
    """The SoC is not in the state that the command needs (running, not running)."""


class ProcessError(VsocError):
    """A process failed: its command line, exit code, and the tail of its log; of a QEMU that of
    its guest's console, too.
    """

    def __init__(self, what: str, command: Sequence[str], returncode: Optional[int],
                 log: str = "", console: str = "") -> None:
        self.command = list(command)
        self.returncode = returncode
        self.log = log
        lines = [f"{what} ({describe_exit(returncode)})", f"  command: {shlex.join(command)}"]
        if log.strip():
            lines += ["  its last lines:", tail(log)]
        if console.strip():
            lines += ["  the last lines of its guest's console:", tail(console)]
        super().__init__("\n".join(lines))


class GuestError(VsocError):
    """A guest is in trouble: which, why, and the tail of its console."""

    def __init__(self, vm: str, reason: str, console: str = "") -> None:
        self.vm = vm
        self.reason = reason
        self.console = console
        message = f"{vm}: {reason}"
        if console.strip():
            message += f"\n  the last lines of its console:\n{tail(console)}"
        super().__init__(message)


class LinkError(VsocError):
    """A link between two chips did not come up."""


class BootError(GuestError):
    """The guest did not come up."""


class BootTimeout(BootError):
    """It has not come up in time."""


class PanicError(GuestError):
    """The guest's kernel panicked."""


class AgentError(GuestError):
    """The guest agent refused a request or does not answer."""


class GuestReset(GuestError):
    """The guest was started anew while a command ran in it, or a file was copied."""


class ExecTimeout(GuestError):
    """A command in the guest took longer than it was given; it was killed."""

    exit_code = 124


class WaitTimeout(GuestError):
    """What was waited for has not come."""

    exit_code = 124


def describe_exit(returncode: Optional[int]) -> str:
    """Says how a process ended, as Popen.returncode has it."""
    if returncode is None:
        return "exit code unknown"
    if returncode < 0:
        return f"killed by signal {-returncode}"
    return f"exit code {returncode}"
