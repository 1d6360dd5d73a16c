# SPDX-License-Identifier: MIT
"""`vsoc test`: runs scenario files with pytest and our plug-in."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from .errors import SetupError

# Debian's, which has the pytest that scripts/setup installs.
PYTHON = "/usr/bin/python3"


def _run(args: argparse.Namespace) -> int:
    scripts = Path(__file__).resolve().parents[1]
    words = [PYTHON, "-m", "pytest", "-p", "vsoclib.pytest_plugin"]
    for option, value in (("--soc-toml", args.file), ("--junitxml", args.junitxml),
                          ("--vsoc-report", args.report)):
        if value is not None:
            words += [option, str(value)]
    words += args.pytest_arguments
    path = os.pathsep.join(filter(None, (str(scripts), os.environ.get("PYTHONPATH"))))
    try:
        # pytest itself gets Ctrl-C and SIGTERM, and ends the SoC.
        os.execve(PYTHON, words, {**os.environ, "PYTHONPATH": path})
    except OSError as err:
        raise SetupError(f"cannot start {PYTHON}: {err.strerror}") from None


def add_parser(subparsers: Any) -> None:
    """Adds `test`."""
    text = "Boots the SoC, runs scenarios (pytest files) on it, ends it, and tells why one failed."
    parser = subparsers.add_parser(
        "test", help="run scenarios with pytest", description=text, allow_abbrev=False,
        usage="vsoc test [-h] [-f SOC_TOML] [--junitxml FILE] [--report DIR] "
              "[PYTEST_ARGUMENT...] FILE...",
        epilog="All other arguments go to pytest (-k, -x, -v, ...), and so does its exit code: 0 "
               "all passed, 1 some failed, 2 interrupted, 3 pytest itself failed, 4 wrong "
               "arguments, 5 no scenario found. docs/howto/ci.md shows how to write scenarios, "
               "docs/specs/scenarios.md has all that they can do.")
    parser.add_argument("-f", "--file", type=Path, metavar="SOC_TOML",
                        help="the SoC (default: soc.toml in the root folder of the scenarios)")
    parser.add_argument("--junitxml", type=Path, metavar="FILE", help="write a JUnit XML report")
    parser.add_argument("--report", type=Path, metavar="DIR",
                        help="write consoles, kernel logs, queues and QMP transcripts of failed "
                             "scenarios into folders below this one")
    parser.set_defaults(run=_run, pytest_arguments=[])
