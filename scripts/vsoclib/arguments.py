# SPDX-License-Identifier: MIT
"""Arguments that several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path


def soc_file(parser: argparse.ArgumentParser) -> None:
    """-f: which SoC."""
    parser.add_argument("-f", "--file", type=Path, metavar="SOC_TOML",
                        help="the SoC's description (default: ./soc.toml, or the only SoC that "
                             "runs)")
