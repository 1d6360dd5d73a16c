# SPDX-License-Identifier: MIT
"""vsoc exec, push, logs, console, qmp, reset on a running SoC."""

import hashlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest
from vm_support import VSOC
from vsoclib.soc import STATE, Soc

Vsoc = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def vsoc(soc: Soc) -> Vsoc:
    path = soc.folder.read_json(STATE)["soc_toml"]

    def run(command: str, *words: object, **options: Any) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run([str(VSOC), command, "-f", path, *map(str, words)],
                              capture_output=True, timeout=100, **options)
    return run


def test_output_and_exit_code_come_back(vsoc: Vsoc) -> None:
    done = vsoc("exec", "guest", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")


@pytest.mark.parametrize("command,code", [
    (["true"], 0), (["no-such-command"], 127), (["sh", "-c", "kill -SEGV $$"], 139),
    (["sh", "-c", "exit 255"], 255)])
def test_exit_codes(command: "list[str]", code: int, vsoc: Vsoc) -> None:
    assert vsoc("exec", "guest", "--", *command).returncode == code


def test_arguments_arrive_as_they_are(vsoc: Vsoc) -> None:
    words = ["", "a b", "$HOME", "'\"", "\N{GREEK SMALL LETTER PI}", "-x", "--", "\n"]
    done = vsoc("exec", "guest", "--", "printf", "[%s]", *words)
    assert done.stdout.decode() == "".join(f"[{word}]" for word in words)


def test_large_binary_output(vsoc: Vsoc) -> None:
    done = vsoc("exec", "guest", "--", "sh", "-c",
                "dd if=/dev/urandom bs=65536 count=64 of=/tmp/big 2>/dev/null;"
                "cat /tmp/big; sha256sum < /tmp/big >&2; rm /tmp/big")
    assert done.returncode == 0 and len(done.stdout) == 4 << 20
    assert hashlib.sha256(done.stdout).hexdigest() == done.stderr.split()[0].decode()


def test_options_stand_before_the_vm(vsoc: Vsoc) -> None:
    """Behind it they would be the command."""
    done = vsoc("exec", "guest", "--timeout", "3", "--", "true")
    assert done.returncode == 125 and b"--timeout stands behind the VM" in done.stderr


def test_a_paused_guest(vsoc: Vsoc, soc: Soc) -> None:
    """Who needs its answer is told at once, and a reset ends the pause."""
    vsoc("qmp", "guest", "stop")
    try:
        assert json.loads(vsoc("status", "--json").stdout)[0]["vms"][0]["state"] == "paused"
        for words in (("exec", "guest", "--", "true"), ("push", "guest", __file__, "/tmp/x")):
            done = vsoc(*words)
            assert b"guest is paused" in done.stderr and b"qmp guest cont" in done.stderr
    finally:
        assert vsoc("reset", "guest").returncode == 0
    assert vsoc("exec", "guest", "--", "true").returncode == 0


def test_stdin(vsoc: Vsoc) -> None:
    data = os.urandom(100000)
    assert vsoc("exec", "-i", "guest", "--", "cat", input=data).stdout == data


def test_a_command_that_takes_too_long_is_killed_with_its_children(vsoc: Vsoc, soc: Soc) -> None:
    done = vsoc("exec", "--timeout", "1", "guest", "--", "sh", "-c", "echo on; sleep 987 & wait")
    assert done.returncode == 124 and done.stdout == b"on\n"
    assert b"did not end in 1 s and was killed" in done.stderr
    assert soc["guest"].run("ps | grep -q '[s]leep 987'").returncode == 1


def test_nothing_is_left_in_the_guest(vsoc: Vsoc, soc: Soc) -> None:
    vsoc("exec", "guest", "--", "true")
    assert soc["guest"].run("ls -A /tmp").stdout == b""


def test_push(vsoc: Vsoc, soc: Soc, tmp_path: Path) -> None:
    data = os.urandom(1500000)
    (tmp_path / "app").write_bytes(data)
    (tmp_path / "app").chmod(0o755)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "empty").chmod(0o640)
    for words in (("/tmp/renamed",), ("/tmp",)):
        done = vsoc("push", "guest", tmp_path / "app", *words)
        assert done.returncode == 0, done.stderr
    assert vsoc("push", "guest", tmp_path / "app", tmp_path / "empty", "/opt").returncode == 1
    assert vsoc("push", "guest", tmp_path / "app", tmp_path / "empty", "/tmp/").returncode == 0
    shown = soc["guest"].run("sha256sum < /tmp/renamed; cd /tmp; stat -c '%n %a %s' *").stdout
    digest, *rest = shown.decode().split("\n")
    assert digest.split()[0] == hashlib.sha256(data).hexdigest()
    assert rest == ["app 755 1500000", "empty 640 0", "renamed 755 1500000", ""]
    soc["guest"].run("rm /tmp/*", check=True)


@pytest.mark.parametrize("words,text", [
    (("/nothing/here", "/tmp"), b"cannot read /nothing/here"),
    (("/etc/hostname", "tmp"), b"is not an absolute path")])
def test_push_refuses(words: "tuple[str, ...]", text: bytes, vsoc: Vsoc) -> None:
    done = vsoc("push", "guest", *words)
    assert done.returncode == 2 and text in done.stderr


def test_an_unknown_vm(vsoc: Vsoc) -> None:
    done = vsoc("exec", "gast", "--", "true")
    assert done.returncode == 125 and b"has no VM 'gast'; it has guest, update" in done.stderr


def test_four_at_once(soc: Soc) -> None:
    path = soc.folder.read_json(STATE)["soc_toml"]
    runs = [subprocess.Popen([VSOC, "exec", "-f", path, "guest", "--", "sh", "-c",
                              f"sleep 1; echo {i}"], stdout=subprocess.PIPE) for i in range(4)]
    assert [run.communicate(timeout=60)[0] for run in runs] == [b"%d\n" % i for i in range(4)]


def test_qmp(vsoc: Vsoc) -> None:
    done = vsoc("qmp", "guest", "qom-get", '{"path": "/machine/peripheral/ivc", '
                                           '"property": "partition-id"}')
    assert json.loads(done.stdout) == 2
    bad = vsoc("qmp", "guest", "no-such-command")
    assert bad.returncode == 1 and b"no-such-command" in bad.stderr
    assert vsoc("qmp", "guest", "query-status", "{").returncode == 2


def test_console_and_logs(vsoc: Vsoc, soc: Soc) -> None:
    path = soc.folder.read_json(STATE)["soc_toml"]
    with subprocess.Popen([VSOC, "console", "-f", path, "guest"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as console:
        assert console.stdin is not None and console.stdout is not None
        console.stdin.write(b"echo $((6 * 7))\n")
        console.stdin.flush()
        seen = b""
        while b"\n42" not in seen:
            more = os.read(console.stdout.fileno(), 4096)
            assert more
            seen += more
        second = vsoc("console", "guest")
        assert second.returncode == 1 and b"another `vsoc console`" in second.stderr
        console.stdin.write(b"\x1d")        # Ctrl-]
        console.stdin.close()
        assert console.wait(10) == 0
    shown = vsoc("logs", "guest")
    assert shown.returncode == 0
    assert b"vsoc: guest ready after" in shown.stdout and b"\n42\n" in shown.stdout
    both = vsoc("logs").stdout
    assert b"guest  | vsoc: guest ready" in both and b"update | vsoc: update ready" in both


def test_status(vsoc: Vsoc, soc: Soc) -> None:
    [shown] = json.loads(vsoc("status", "--json").stdout)
    assert shown["folder"] == str(soc.folder.path)
    assert [(vm["name"], vm["partition"], vm["state"]) for vm in shown["vms"]] == [
        ("guest", "GID_GUEST_VM", "running"), ("update", "GID_UPDATE", "running")]


def test_a_panic_ends_what_waits(vsoc: Vsoc, soc: Soc) -> None:
    done = vsoc("exec", "update", "--", "sh", "-c", "sleep 1; echo c > /proc/sysrq-trigger")
    assert done.returncode == 125
    assert b"Kernel panic - not syncing: sysrq triggered crash" in done.stderr
    assert b"panicked" in vsoc("status").stdout
    assert vsoc("reset", "update").returncode == 0
    assert vsoc("exec", "update", "--", "true").returncode == 0


def test_an_interrupted_exec_ends_its_command(soc: Soc) -> None:
    path = soc.folder.read_json(STATE)["soc_toml"]
    with subprocess.Popen([VSOC, "exec", "-f", path, "guest", "--", "sh", "-c",
                           "echo on; sleep 876"], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None and run.stdout.readline() == b"on\n"
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
    assert soc["guest"].run("ps | grep -q '[s]leep 876'").returncode == 1


def test_a_command_that_nobody_reads_any_more_ends(soc: Soc) -> None:
    path = soc.folder.read_json(STATE)["soc_toml"]
    with subprocess.Popen([VSOC, "exec", "-f", path, "guest", "--", "sh", "-c",
                           "while :; do echo on; sleep 0.1; done"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as run:
        assert run.stdout is not None and run.stderr is not None
        run.stdout.readline()
        run.stdout.close()
        assert run.wait(20) == 1 and run.stderr.read() == b""
    assert soc["guest"].run("ps | grep -q 'while [:]'").returncode == 1
