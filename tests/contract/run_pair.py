#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs a program of this folder over an intra-VM backend: both ends in one process, or in two."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CFG = """
{backend} near far 16 128
{backend} second_near second_far 3 1536
{backend} control_near control_far 2 64
"""
TIMEOUT = 1000  # meson ends it earlier


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backend", choices=["INTER_THREAD", "INTER_PROCESS"])
    parser.add_argument("ends", choices=["one-process", "two-processes"])
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="PROGRAM...",
                        help="a word near:X is for the near end's process only, far:X for the "
                             "other's")
    options = parser.parse_args()
    sides = [["near", "far"]] if options.ends == "one-process" else [["near"], ["far"]]
    with tempfile.TemporaryDirectory(prefix="vsoc-contract-") as folder:
        cfg = Path(folder) / "nvsciipc.cfg"
        cfg.write_text(CFG.format(backend=options.backend))
        running: list[subprocess.Popen[bytes]] = []
        try:
            for side in sides:
                command = []
                for word in options.program:
                    who, colon, rest = word.partition(":")
                    if colon and who in ("near", "far"):
                        word = rest
                    if not colon or who not in ("near", "far") or who in side:
                        command.append(word)
                # The near end's output is the test's.
                running.append(subprocess.Popen(
                    command, env={**os.environ, "NVSCIIPC_CFG": str(cfg)}, stdin=subprocess.DEVNULL,
                    stdout=None if side[0] == "near" else sys.stderr))
            codes = [each.wait(TIMEOUT) for each in running]
        finally:
            for each in running:
                if each.poll() is None:
                    each.kill()
                    each.wait()
    if any(codes):
        print(f"# exit codes: {codes}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
