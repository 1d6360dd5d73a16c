#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a shared library exports is what its header declares; and it has the right SONAME."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path


def declared(header: Path) -> set[str]:
    """The functions of a public header: a prototype begins in the first column."""
    text = re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.S)
    return set(re.findall(r"^(?:NvSciError|void)\s+(NvSci\w+)\(", text, re.M))


def exported(nm: str, library: Path) -> set[str]:
    out = subprocess.run([nm, "-D", "--defined-only", "-P", str(library)], check=True,
                         capture_output=True, text=True).stdout
    return {line.split()[0] for line in out.splitlines()}


def dynamic(readelf: str, library: Path) -> str:
    return subprocess.run([readelf, "-dW", str(library)], check=True, capture_output=True,
                          text=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--header", type=Path, required=True)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--soname", required=True)
    parser.add_argument("--nm", default="nm")
    parser.add_argument("--readelf", default="readelf")
    args = parser.parse_args()

    faults = []
    promised = declared(args.header)
    if not promised:
        faults.append(f"{args.header}: no prototype found: is this test still right?")
    kept = exported(args.nm, args.library)
    faults += [f"{name}: declared, not exported" for name in sorted(promised - kept)]
    faults += [f"{name}: exported, not declared" for name in sorted(kept - promised)]
    if f"soname: [{args.soname}]" not in dynamic(args.readelf, args.library):
        faults.append(f"{args.library}: its SONAME is not {args.soname}")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
