#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The benchmark runs: every transport, in every case, moves its frames. No time is asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SMALL = {"pipe", "seqpacket", "nvsciipc-select", "nvsciipc-event", "nvsciipc-poll", "ring-mqueue", "ring-eventfd",
         "ring-spin"}


def main() -> int:
    program = sys.argv[1]
    done = subprocess.run([sys.executable, HERE / "drive.py", "intra", "--json", "--rounds", "1", "--count", "100",
                           "--program", program], capture_output=True, text=True)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return 1
    report = json.loads(done.stdout)
    faults = []
    places = {result["cpus"] for result in report["results"]}
    for backend in ("INTER_PROCESS", "INTER_THREAD"):
        for place in places:
            for mode, size in (("pingpong", 64), ("pingpong", 1536), ("stream", 64), ("stream", 1536),
                               ("stream", 24576)):
                ran = {r["transport"]: r for r in report["results"]
                       if (r["backend"], r["cpus"], r["mode"], r["size"]) == (backend, place, mode, size)}
                expected = SMALL | ({"memcpy"} if mode == "stream" else set())
                faults += [f"{backend} {place} {mode} {size}: {name} is missing" for name in expected - ran.keys()]
                faults += [f"{backend} {place} {mode} {size}: {name}: {r}" for name, r in ran.items()
                           if r["runs"][0]["count"] != 100 or r["median_ns" if mode == "pingpong" else "frame_ns"] <= 0]
    if not report["aims"] or "one" not in places:
        faults.append("nothing was compared")
    wrong = subprocess.run([program, "--transport", "none"], capture_output=True, text=True)
    if wrong.returncode != 2 or "no transport none" not in wrong.stderr:
        faults.append(f"a wrong transport: exit code {wrong.returncode}, {wrong.stderr}")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
