# SPDX-License-Identifier: MIT
"""Ten SoCs at once on one host: none disturbs another, and nothing is left of them."""

import os
import subprocess
from pathlib import Path

import pytest
from vm_support import PLATFORM, VSOC
from vsoclib import process
from vsoclib.state import Folder

SOCS = 10
# All ten boot on two cores, perhaps.
SOC = """
[soc]
name = "tenth"
pct = "{pct}"
boot-timeout = 400
[vm.guest]
partition = "GID_GUEST_VM"
cfg = "{number}.cfg"
memory = "80M"
run = "ivcping --server only_{number} --timeout 300"
[vm.update]
partition = "GID_UPDATE"
cfg = "{number}.cfg"
memory = "80M"
run = "ivcping --client only_{number} --mode duplex --count 50 --timeout 300"
"""


def test_ten_at_once(cache: Path, tmp_path: Path) -> None:
    paths = []
    for number in range(SOCS):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / f"{number}.cfg").write_text(f"INTER_VM only_{number} 260\n")
        paths.append(folder / "soc.toml")
        paths[-1].write_text(SOC.format(pct=PLATFORM, number=number))
    before = set(os.listdir("/dev/shm"))
    runs = [subprocess.Popen([VSOC, "run", "-f", path], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True) for path in paths]
    try:
        said = [run.communicate(timeout=500)[0] for run in runs]
    except subprocess.TimeoutExpired:
        for run in runs:
            run.terminate()
        pytest.fail("\n".join(run.communicate(timeout=60)[0] for run in runs))
    for number, (run, text) in enumerate(zip(runs, said)):
        assert run.returncode == 0, text
        assert f"ivcping --client only_{number}" in text
        assert text.count("ended with exit code 0") == 2, text
    for path in paths:
        folder = Folder.existing(path)
        assert folder is None or not process.find(folder.path)
        assert folder is None
    assert not {name for name in set(os.listdir("/dev/shm")) - before if "ivshmem" in name}
