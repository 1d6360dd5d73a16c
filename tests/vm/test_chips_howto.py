# SPDX-License-Identifier: MIT
"""Every command of docs/howto/two-chips.md, in its order, on two hosts where it says so."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cable import ADDRESSES, Cable, why_not
from vm_support import CHECKOUT, VSOC

HOWTO = CHECKOUT / "docs/howto/two-chips.md"
COMMAND = re.compile(r"^    (scripts/vsoc .*|scp .*)$|^On the (?P<host>first|second) host", re.M)


def commands() -> "list[tuple[str, int]]":
    """Each with the host that it is for."""
    host = 0
    found = []
    for match in COMMAND.finditer(HOWTO.read_text()):
        if match["host"]:
            host = ("first", "second").index(match["host"])
        else:
            found.append((match[1], host))
    return found


@pytest.fixture
def checkouts(tmp_path: Path) -> "list[Path]":
    """The checkout as each host has it: its certificates are its own."""
    made = []
    for host in ("first", "second"):
        folder = tmp_path / host
        shutil.copytree(CHECKOUT / "docs", folder / "docs")
        for name in ("scripts", "pct"):
            (folder / name).symlink_to(CHECKOUT / name)
        made.append(folder)
    (made[1] / "docs/examples/two-hosts/certs").mkdir()
    return made


def run(command: str, host: int, cable: Cable, checkouts: "list[Path]",
        background: "list[subprocess.Popen[str]]") -> str:
    """What it prints. One that ends in & runs on."""
    words = ["sh", "-c", command.rstrip(" &")]
    if command.startswith("scp "):
        _, _, source, target = command.split()
        address, _, place = target.partition(":")
        assert address == ADDRESSES[1]
        shutil.copytree(checkouts[host] / source,
                        checkouts[1] / place.removeprefix("vsoc/") / Path(source).name)
        return ""
    started = subprocess.Popen([*cable.inside(host), *words], cwd=checkouts[host], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if command.endswith(" &"):
        background.append(started)
        return ""
    output, _ = started.communicate(timeout=120)
    assert started.returncode == 0, f"{command}\n{output}"
    return output


def test_every_command(checkouts: "list[Path]", monkeypatch: pytest.MonkeyPatch) -> None:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    # Of the guide's reader: without -f the only SoC that runs is meant.
    monkeypatch.setenv("VSOC_CACHE", str(checkouts[0].parent / "cache"))
    background: "list[subprocess.Popen[str]]" = []
    outputs = {}
    with Cable() as cable:
        try:
            for command, host in commands():
                outputs[command] = run(command, host, cable, checkouts, background)
            for each in background:
                text, _ = each.communicate(timeout=60)
                assert each.returncode == 0, text
            assert not os.listdir(checkouts[0].parent / "cache/run")
        finally:
            for each in background:
                each.kill()
                each.wait()
            subprocess.run([VSOC, "down", "--all"], check=True, timeout=60)
    assert len(outputs) >= 15 and any(host == 1 for _, host in commands())
    assert re.search(r"^chip-b +0 +guest:c2c0 +connect 192\.0\.2\.1:7000 +up$",
                     "".join(outputs.values()), re.M)
