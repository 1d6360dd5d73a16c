# SPDX-License-Identifier: MIT
"""`vsoc run` of a finished configuration has its first frame within 10 seconds: a promise."""

import subprocess
import time
from pathlib import Path

from vm_support import PLATFORM, VSOC

PROMISE = 10.0
TRIES = 3           # a machine may be busy with something else
SOC = """
[soc]
name = "first"
pct = "{pct}"
[vm.guest]
partition = "GID_GUEST_VM"
cfg = "both.cfg"
run = "ivcping --server ivc_test"
[vm.update]
partition = "GID_UPDATE"
cfg = "both.cfg"
run = "ivcping --client ivc_test --count 1"
"""


def test_the_first_frame(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "both.cfg").write_text("INTER_VM ivc_test 255\n")
    path = tmp_path / "soc.toml"
    path.write_text(SOC.format(pct=PLATFORM))
    times = []
    for _ in range(TRIES):
        start = time.monotonic()
        with subprocess.Popen([VSOC, "run", "-f", path], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True) as run:
            assert run.stdout is not None
            for line in run.stdout:
                if line.startswith("update") and "received 1 frames" in line:
                    times.append(time.monotonic() - start)
        assert run.returncode == 0
        if times[-1] < PROMISE:
            return
    raise AssertionError(f"the first frame came after {times} s")
