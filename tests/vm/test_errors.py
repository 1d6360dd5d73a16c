# SPDX-License-Identifier: MIT
"""What the commands say of a VM that is not there, or does not run, in a SoC that does."""

import subprocess

import pytest
from vm_support import VSOC
from vsoclib.soc import STATE, Soc

# With VM for its name; and the exit code.
COMMANDS = (
    (("exec", "VM", "--", "true"), 125),
    (("push", "VM", "/etc/hostname", "/tmp/x"), 1),
    (("console", "VM"), 1),
    (("reset", "VM"), 1),
    (("kill", "VM"), 1),
    (("qmp", "VM", "query-status"), 1),
    (("fault", "VM", "255", "drop"), 1),
    (("fault", "VM", "--list"), 1),
    (("fault", "VM", "--clear"), 1),
    (("fault", "VM", "--link", "down"), 1),
    (("wait", "VM", "--ready"), 1),
    (("wait", "VM", "--line", "x"), 1),
    (("wait", "VM", "--established", "255"), 1),
)
IDS = [" ".join(words[:1] + words[2:]) for words, _ in COMMANDS]


def run(soc: Soc, words: "tuple[str, ...]", vm: str) -> "subprocess.CompletedProcess[str]":
    command, *rest = (vm if word == "VM" else word for word in words)
    path = soc.folder.read_json(STATE)["soc_toml"]
    return subprocess.run([VSOC, command, "-f", path, *rest], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60)


@pytest.mark.parametrize("words,code", COMMANDS, ids=IDS)
def test_no_such_vm(words: "tuple[str, ...]", code: int, soc: Soc) -> None:
    done = run(soc, words, "gast")
    assert done.returncode == (125 if words[0] == "exec" else 2)
    assert done.stderr.startswith("vsoc: ") and done.stderr.count("\n") == 1
    assert "no VM 'gast'" in done.stderr and "guest, update" in done.stderr


def test_a_vm_that_does_not_run(soc: Soc) -> None:
    soc["update"].kill()
    for words, code in COMMANDS:
        done = run(soc, words, "update")
        assert done.returncode == code, words
        assert done.stderr == "vsoc: update is not running; `vsoc up` starts it\n", words


def test_logs_of_no_such_vm(soc: Soc) -> None:
    done = run(soc, ("logs", "VM"), "gast")
    assert done.returncode == 2 and "there is no VM 'gast'; there are guest, update" in done.stderr
