# SPDX-License-Identifier: MIT
"""The command line of vsoc without a guest: help, wrong words, exit codes."""

import json
import re
import subprocess
from pathlib import Path
from typing import Callable

import pytest
from vsoc_samples import CHECKOUT, GOOD

Vsoc = Callable[..., "subprocess.CompletedProcess[str]"]
COMMANDS = ("demo", "up", "down", "status", "run", "exec", "push", "logs", "log", "console",
            "reset", "kill", "qmp", "top", "capture", "graph", "pct", "certs", "test", "fault",
            "wait", "cc")
MAN = CHECKOUT / "docs/man/vsoc.1"


def test_help_names_every_command_and_the_exit_codes(vsoc: Vsoc) -> None:
    done = vsoc("--help")
    assert done.returncode == 0
    assert all(f"\n    {command} " in done.stdout for command in COMMANDS)
    assert "exit codes:" in done.stdout


def test_the_manual_page_has_every_command_and_exit_code(vsoc: Vsoc) -> None:
    page = MAN.read_text()
    synopsis = set(re.findall(r"\\fBvsoc ([a-z]+)|\\fR\|\\fB([a-z]+)(?=\\fR)", page))
    assert set(COMMANDS) <= {one or other for one, other in synopsis}
    commands = page[page.index(".SH COMMANDS"):page.index(".SH EXIT STATUS")]
    assert set(COMMANDS) == set(re.findall(r"^\.TP\n\.B ([a-z]+)$", commands, re.M))
    told = re.findall(r"^  (\d+)  |; (\d+), (\d+):", vsoc("--help").stdout, re.M)
    codes = {code for found in told for code in found if code}
    assert codes == {"0", "1", "2", "124", "125", "129", "130", "143"}
    status = page[page.index(".SH EXIT STATUS"):page.index(".SH ENVIRONMENT")]
    assert codes == set(re.findall(r"\d+", " ".join(re.findall(r"^\.B (.*)$", status, re.M))))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, vsoc: Vsoc) -> None:
    done = vsoc(command, "--help")
    assert done.returncode == 0 and done.stdout.startswith(f"usage: vsoc {command}")


@pytest.mark.parametrize("words", [(), ("fly",), ("exec",), ("reset",), ("up", "--fast"),
                                   ("logs", "--qemu", "--server"),
                                   ("top", "--once", "--count", "2")])
def test_wrong_words(words: "tuple[str, ...]", vsoc: Vsoc) -> None:
    done = vsoc(*words)
    assert done.returncode == 2 and done.stderr.startswith("usage: ")


@pytest.mark.parametrize("command", ["up", "run"])
def test_no_soc_toml(command: str, vsoc: Vsoc) -> None:
    done = vsoc(command)
    assert done.returncode == 2
    assert "vsoc: there is no soc.toml" in done.stderr and "-f" in done.stderr


@pytest.mark.parametrize("words", [("top", "--interval", "0"), ("top", "--count", "0"),
                                   ("capture", "--cpu", "0"), ("capture", "--frames", "0")])
def test_numbers_that_make_no_sense(words: "tuple[str, ...]", vsoc: Vsoc) -> None:
    done = vsoc(*words)
    assert done.returncode == 2 and f"{words[1]} {words[2]} is not " in done.stderr


@pytest.mark.parametrize("words,code", [
    (("exec", "guest", "--", "true"), 125), (("push", "guest", "a", "/b"), 1), (("logs",), 1),
    (("console", "guest"), 1), (("reset", "guest"), 1), (("kill", "guest"), 1),
    (("qmp", "guest", "stop"), 1), (("top",), 1),
    (("fault", "guest", "255", "drop"), 1), (("fault", "--list"), 1), (("fault", "--clear"), 1),
    (("wait", "guest", "--ready"), 1),
    (("capture",), 1), (("down",), 1)])
def test_nothing_runs(words: "tuple[str, ...]", code: int, vsoc: Vsoc) -> None:
    done = vsoc(*words)
    assert done.returncode == code
    assert done.stderr == "vsoc: no SoC is running; `vsoc up -f FILE` starts one\n"


def test_status_of_nothing(vsoc: Vsoc) -> None:
    assert vsoc("status").stdout == "no SoC is running\n"
    assert json.loads(vsoc("status", "--json").stdout) == []


def test_status_of_a_soc_that_does_not_run(vsoc: Vsoc, soc_toml: Callable[[str], Path]) -> None:
    done = vsoc("status", "-f", str(soc_toml(GOOD)))
    assert (done.returncode, done.stdout) == (1, "no SoC is running\n")


def test_down_is_idempotent(vsoc: Vsoc, soc_toml: Callable[[str], Path], cache: Path) -> None:
    done = vsoc("down", "-f", str(soc_toml(GOOD)))
    assert done.returncode == 0 and "was not running" in done.stderr
    assert not list(cache.glob("run/*"))


@pytest.mark.parametrize("words", [("up",), ("run",), ("demo",), ("graph",)])
def test_a_wrong_soc_toml(words: "tuple[str, ...]", vsoc: Vsoc,
                          soc_toml: Callable[[str], Path]) -> None:
    path = soc_toml(GOOD.replace("cfg =", "config ="))
    done = vsoc(*words, "-f", str(path))
    line = GOOD.splitlines().index('cfg = "guest.cfg"') + 1
    assert done.returncode == 2 and f"vsoc: {path}:{line}: " in done.stderr, done.stderr


@pytest.mark.parametrize("command", ["up", "run", "cc"])
def test_without_setup(command: str, vsoc: Vsoc, soc_toml: Callable[[str], Path],
                       cache: Path) -> None:
    words = ["cc", "app.c"] if command == "cc" else [command, "-f", str(soc_toml(GOOD))]
    done = vsoc(*words)
    assert done.returncode == 1
    assert "no-setup.json: run scripts/setup" in done.stderr


def test_a_setup_that_is_gone(vsoc: Vsoc, tmp_path: Path,
                              soc_toml: Callable[[str], Path]) -> None:
    (tmp_path / "no-setup.json").write_text(json.dumps({"qemu": "/nowhere/qemu"}))
    for words in (("cc", "app.c"), ("up", "-f", str(soc_toml(GOOD))),
                  ("run", "-f", str(soc_toml(GOOD)))):
        done = vsoc(*words)
        assert done.returncode == 1 and "/nowhere/qemu, which " in done.stderr
        assert "run scripts/setup" in done.stderr


def test_a_cache_that_cannot_be_written(vsoc: Vsoc, soc_toml: Callable[[str], Path],
                                        cache: Path) -> None:
    cache.touch()
    done = vsoc("up", "-f", str(soc_toml(GOOD)))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith(f"vsoc: {cache}/run/") and "Not a directory" in done.stderr


def test_run_without_a_command(vsoc: Vsoc, soc_toml: Callable[[str], Path]) -> None:
    done = vsoc("run", "-f", str(soc_toml(GOOD.replace('run = "app"\n', ""))))
    assert done.returncode == 2 and "no VM has a `run` command" in done.stderr


def test_cc_is_the_cross_compiler_with_our_folders(vsoc: Vsoc, tmp_path: Path) -> None:
    compiler = tmp_path / "cross-gcc"
    compiler.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    compiler.chmod(0o755)
    values = {name: str(tmp_path) for name in (
        "qemu", "ivshmem_server", "qemu_python", "kernel", "initrd", "sdk_host", "sdk_aarch64")}
    (tmp_path / "no-setup.json").write_text(json.dumps(
        {**values, "qemu_args": [], "cross_prefix": f"{tmp_path}/cross-"}))
    done = vsoc("cc", "--version", "app.c", "-o", "app", "-lnvsciipc")
    assert done.returncode == 0
    words = done.stdout.split("\n")
    assert words[:2] == [f"-I{tmp_path}/include", f"-L{tmp_path}/lib"]
    assert words[3:] == ["--version", "app.c", "-o", "app", "-lnvsciipc", ""]
