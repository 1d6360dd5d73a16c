#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Each public header compiles alone, as C99, C11 and C++17, twice, without a warning."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def compile_alone(compiler: list[str], language: str, standard: str, header: Path) -> str:
    """What the compiler has to say; nothing if all is well. Twice, for the include guard."""
    command = [*compiler, f"-std={standard}", *WARNINGS, "-fsyntax-only",
               "-I", str(header.parent), "-x", language, "-"]
    source = f"#include <{header.name}>\n#include <{header.name}>\nint main(void) {{ return 0; }}\n"
    if language == "c++":
        source = source.replace("(void)", "()")
    run = subprocess.run(command, input=source, capture_output=True, text=True)
    return "" if run.returncode == 0 else f"{header.name} as {standard}:\n{run.stderr}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cc", nargs="+", required=True, help="the C compiler")
    parser.add_argument("headers", nargs="+", type=Path)
    args = parser.parse_intermixed_args()

    cxx = shutil.which("g++") or shutil.which("clang++")
    if cxx is None:
        print("no C++ compiler (apt-get install g++)", file=sys.stderr)
        return 77
    faults = ""
    for header in args.headers:
        for standard in ("c99", "c11"):
            faults += compile_alone(args.cc, "c", standard, header)
        faults += compile_alone([cxx], "c++", "c++17", header)
    print(faults, end="", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
