# SPDX-License-Identifier: MIT
"""tests/bench/bench, built and run: what all measurements share."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
NOT_HERE = 77  # the program's exit code


class BenchError(Exception):
    """Something failed; the message says what."""


class NotHere(Exception):
    """This system has, or allows, no such transport."""


@dataclass(frozen=True)
class Case:
    """What is measured of a transport."""

    mode: str
    size: int
    count: int

    @property
    def value(self) -> str:
        """The key of the figure that is compared."""
        return "median_ns" if self.mode == "pingpong" else "frame_ns"


@dataclass
class Bench:
    """The program, and the place where it may leave files."""

    program: Path
    folder: Path
    notes: set[str] = field(default_factory=set)

    def transports(self) -> list[str]:
        return self.run("--list").split()

    def run(self, *arguments: str, under: tuple[str, ...] = ()) -> str:
        """Its output; BenchError if it fails, NotHere if this system lacks or forbids the transport."""
        command = [*under, str(self.program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              env={**os.environ, "TMPDIR": str(self.folder)})
        # Of a tracer's output nothing is for the reader.
        notes = [line for line in done.stderr.splitlines() if line.startswith("bench: ")]
        if done.returncode == NOT_HERE:
            raise NotHere("; ".join(notes))
        if done.returncode:
            raise BenchError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
        self.notes.update(notes)
        return done.stdout


def progress(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def host() -> dict[str, Any]:
    model = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.M)
    return {"cpu": model.group(1) if model else platform.machine(), "cpus": len(os.sched_getaffinity(0)),
            "kernel": platform.release(), "load": os.getloadavg()[0]}


def build() -> Path:
    from vsoclib.setup.build import configure
    from vsoclib.setup.cache import content_key
    from vsoclib.setup.progress import Step, ninja_status

    folder = CHECKOUT / "build/bench"
    versions = subprocess.run("meson --version; cc --version", shell=True, check=True, capture_output=True,
                              text=True).stdout
    # Standard output is for the figures.
    with contextlib.redirect_stdout(sys.stderr), \
            Step("build the benchmark", CHECKOUT / "build/log/bench.log", who="bench") as step:
        configure(step, CHECKOUT, folder, [], content_key(versions))
        step.run(["ninja", "-C", str(folder), "tests/bench/bench"], status=ninja_status)
    return folder / "tests/bench/bench"


def count_of(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000_000:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 to 10000000")
    return int(text)
