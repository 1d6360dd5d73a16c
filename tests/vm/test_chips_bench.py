# SPDX-License-Identifier: MIT
"""The benchmark of INTER_CHIP runs and leaves nothing running. No time is asserted."""

import json
import os
import subprocess
import sys
from pathlib import Path

from vm_support import CHECKOUT

WAYS = {"chip-unix", "chip-tcp", "vm", "unix", "tcp"}
OTHERS = {"vm", "unix", "tcp"}
CASES = {("pingpong", 64), ("pingpong", 1536), ("stream", 64), ("stream", 1536), ("stream", 24576)}


def test_bench_chips(cache: Path) -> None:
    done = subprocess.run([sys.executable, CHECKOUT / "tests/bench/drive.py", "chips", "--json",
                           "--rounds", "1", "--count", "50"], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(CHECKOUT / "scripts")})
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    ran = {(each["transport"], each["mode"], each["size"]) for each in results}
    assert ran == {(way, *case) for way in WAYS for case in CASES}
    for each in results:
        assert [run["count"] for run in each["runs"]] == [50]
        assert each["median_ns" if each["mode"] == "pingpong" else "frame_ns"] > 0
        assert set(each.get("ratios", OTHERS)) == OTHERS
        assert ("ratios" in each) == each["transport"].startswith("chip-")
