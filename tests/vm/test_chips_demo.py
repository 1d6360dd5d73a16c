# SPDX-License-Identifier: MIT
"""Two linked SoCs as a newcomer meets them: the demo, and the commands on several SoCs."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest
from vm_support import CHECKOUT, CHIPS, LOOPBACK_CFG, VSOC, chips_text
from vsoclib import process
from vsoclib.certificates import End, make
from vsoclib.config import load
from vsoclib.errors import LinkError
from vsoclib.soc import Soc
from vsoclib.state import Folder

EXAMPLE = CHECKOUT / "docs/examples/two-chips"

# What the configurations of both ends name: channel, shape, server, client.
ROWS = [(f"{chip} 255", "64 x 1536", f"{chip}.guest:ivc_test", f"{chip}.update:ivc_test")
        for chip in "ab"]
ROWS += [(f"{chip} 256", "64 x 1536", f"{chip}.guest:loopback_rx", f"{chip}.guest:loopback_tx")
         for chip in "ab"]
ROWS += [(f"link guests: {pair}", shape, f"a.guest:{name}", f"b.guest:{name}")
         for pair, shape, name in (("5-5", "64 x 1536", "chip_test"),
                                   ("6-7", "13 x 320", "chip_odd"),
                                   ("8-8", "1 x 64", "chip_one"),
                                   ("9-9", "16 x 24576", "chip_large"))]
ROWS += [("link updates: 10-10", "64 x 1536", "a.update:chip_test", "b.update:chip_test")]


def vsoc(*words: object, code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run([str(VSOC), *map(str, words)], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_the_demo_and_a_channel_that_is_added(tmp_path: Path) -> None:
    """The example with one line more in each table and each configuration."""
    shutil.copytree(EXAMPLE, tmp_path / "1/2/example")
    shutil.copytree(CHIPS, tmp_path / "pct/platforms/two-chips")
    for chip, near, far in ("a", 11, 12), ("b", 12, 11):
        table = tmp_path / f"pct/platforms/two-chips/chip-{chip}/platform_config.h"
        mark = "            [5]"
        table.write_text(table.read_text().replace(
            mark, f"            [{near}] = {{ .owner = GID_GUEST_VM, .remote = {far}, "
                  f".nframes = 8, .frame_size = 256 }},\n{mark}", 1))
        with open(tmp_path / f"1/2/example/{chip}-guest.cfg", "a") as cfg:
            cfg.write(f"INTER_CHIP my_channel {near}\n")
    path = tmp_path / "1/2/example/soc.toml"
    done = vsoc("demo", "-f", path, "-n", "100")
    rows = [*ROWS, ("link guests: 11-12", "8 x 256", "a.guest:my_channel", "b.guest:my_channel")]
    for row in rows:
        line = " +".join(map(re.escape, row))
        assert re.search(rf"^{line} +100 +100 +0 +\d+ +\d+ +\d+$", done.stdout, re.M), row
    assert len(re.findall(r" 100 +100 +0 +\d+ +\d+ +\d+$", done.stdout, re.M)) == len(rows)
    assert Folder.existing(path) is None


def test_run() -> None:
    done = vsoc("run", "-f", EXAMPLE / "soc.toml")
    for vm in ("a.guest", "b.guest"):
        assert re.search(rf"^{vm} \| chip_test: pingpong: sent 1000", done.stdout, re.M)


@pytest.fixture
def chips_up(tmp_path: Path) -> Iterator[Path]:
    """Two SoCs that are up, linked over TCP."""
    path = tmp_path / "soc.toml"
    path.write_text(chips_text(tmp_path) + 'transport = "tcp"\n')
    vsoc("up", "-f", path)
    yield path
    vsoc("down", "-f", path)


def status(path: Path) -> "dict[str, Any]":
    [soc] = json.loads(subprocess.run([VSOC, "status", "--json", "-f", path], timeout=60,
                                      capture_output=True, text=True).stdout)
    return dict(soc)


def ping(path: Path) -> None:
    server = subprocess.Popen([VSOC, "exec", "-f", path, "a.guest", "--", "ivcping", "--server",
                               "chip_test"], stdout=subprocess.DEVNULL)
    vsoc("exec", "-f", path, "b.guest", "--", "ivcping", "--client", "chip_test", "--count", "20")
    assert server.wait(60) == 0


def test_the_commands(chips_up: Path) -> None:
    shown = status(chips_up)
    assert [soc["name"] for soc in shown["socs"]] == ["a", "b"]
    assert all(isinstance(soc["server"], int) for soc in shown["socs"])
    assert [(vm["name"], vm["soc"], vm["partition"], vm["state"]) for vm in shown["vms"]] == [
        (f"{soc}.guest", soc, "GID_GUEST_VM", "running") for soc in "ab"]
    assert [(end["link"], end["vm"], end["device"], end["up"], end["error"], end["way"])
            for end in shown["links"]] == [
        ("0", "a.guest", "c2c0", True, "", "tcp, from b.guest"),
        ("0", "b.guest", "c2c0", True, "", "tcp, to a.guest")]
    text = vsoc("status", "-f", chips_up).stdout
    assert re.search(r"^chips +0 +a\.guest:c2c0 +tcp, from b\.guest +up$", text, re.M)

    assert vsoc("exec", "-f", chips_up, "b.guest", "--", "hostname").stdout == "b.guest\n"
    unknown = vsoc("exec", "-f", chips_up, "guest", "--", "true", code=125)
    assert "has no VM 'guest'; it has a.guest, b.guest" in unknown.stderr
    (chips_up.parent / "file").write_text("content\n")
    vsoc("push", "-f", chips_up, "a.guest", chips_up.parent / "file", "/tmp/")
    assert vsoc("exec", "-f", chips_up, "a.guest", "--", "cat", "/tmp/file").stdout == "content\n"
    assert "vsoc: b.guest ready" in vsoc("logs", "-f", chips_up, "b.guest").stdout
    vsoc("logs", "-f", chips_up, "--server")
    queues = json.loads(vsoc("qmp", "-f", chips_up, "b.guest", "qom-get",
                             '{"path": "/machine/peripheral/c2c0", "property": "queues"}').stdout)
    assert [(queue["id"], queue["remote"]) for queue in queues] == [(5, 5), (7, 6), (8, 8), (9, 9)]
    ping(chips_up)
    seen = json.loads(vsoc("top", "-f", chips_up, "--once", "--json").stdout)
    assert {channel["name"] for channel in seen["channels"]} >= {
        "a:255", "a:256/257", "b:255", "a.guest:c2c0:5", "b.guest:c2c0:7"}


def test_a_capture_is_of_one_soc(chips_up: Path) -> None:
    output = chips_up.parent / "b.pcapng"
    which = vsoc("capture", "-f", chips_up, "-o", output, code=2)
    assert "there are several SoCs; say --soc with one of a, b" in which.stderr
    unknown = vsoc("capture", "-f", chips_up, "--soc", "c", "-o", output, code=2)
    assert "there is no SoC 'c'; say --soc with one of a, b" in unknown.stderr
    (chips_up.parent / "loopback").write_text(LOOPBACK_CFG)
    vsoc("push", "-f", chips_up, "b.guest", chips_up.parent / "loopback", "/tmp/")
    capture = subprocess.Popen([VSOC, "capture", "-f", chips_up, "--soc", "b", "-q", "256", "-o",
                                output, "--frames", "40"], stderr=subprocess.DEVNULL)
    vsoc("exec", "-f", chips_up, "b.guest", "--", "sh", "-c",
         "export NVSCIIPC_CFG=/tmp/loopback; ivcping --server loopback_rx & "
         "ivcping --client loopback_tx --count 2000 && wait $!")
    assert capture.wait(60) == 0
    assert output.stat().st_size > 80 * 64


@pytest.mark.parametrize("victim", ["a.guest", "b.guest"], ids=["listener", "connector"])
def test_a_vm_that_ended_is_linked_again(victim: str, chips_up: Path) -> None:
    vsoc("kill", "-f", chips_up, victim)
    [far] = [end for end in status(chips_up)["links"] if end["vm"] != victim]
    [near] = [end for end in status(chips_up)["links"] if end["vm"] == victim]
    assert not far["up"] and far["error"] == "the far end hung up"
    assert not near["up"] and near["error"] == "its VM does not run"
    assert vsoc("status", "-f", chips_up, code=1).stdout.count("down: ") == 2
    assert "link 0 is up" in vsoc("up", "-f", chips_up).stderr
    assert all(end["up"] for end in status(chips_up)["links"])
    ping(chips_up)
    vsoc("reset", "-f", chips_up, victim)
    ping(chips_up)


def test_nothing_is_left_after_a_crash(chips_up: Path) -> None:
    folder = Folder.existing(chips_up)
    assert folder is not None
    found = process.find(folder.path)
    assert sorted(each.role for each in found) == ["a.server", "b.server", "recorder",
                                                   "vm:a.guest", "vm:b.guest"]
    for each in found:
        process.kill(each)
    vsoc("up", "-f", chips_up)
    ping(chips_up)
    vsoc("down", "-f", chips_up)
    assert not folder.path.exists() and not process.find(folder.path)


def test_a_partition_with_channels_to_other_chips_only(tmp_path: Path) -> None:
    """It needs no hv-ivc; and its SoC, where it is alone, no ivshmem-server."""
    for chip in "ab":
        shutil.copytree(CHIPS / f"chip-{chip}", tmp_path / chip)
        table = tmp_path / chip / "platform_config.h"
        text = re.sub(r"\[255\][^\n]*", "", table.read_text())
        table.write_text(text.replace("{GID_GUEST_VM, GID_GUEST_VM}", "{GID_UPDATE, GID_UPDATE}"))
    path = tmp_path / "soc.toml"
    path.write_text(chips_text(tmp_path).replace(f"{CHIPS}/chip-", f"{tmp_path}/"))
    try:
        vsoc("up", "-f", path)
        assert [soc["server"] for soc in status(path)["socs"]] == [None, None]
        ping(path)
        nodes = vsoc("exec", "-f", path, "a.guest", "--", "sh", "-c", "ls /dev | grep -E 'ivc|c2c'")
        assert nodes.stdout.split() == ["c2c5", "c2c6", "c2c8", "c2c9"]
    finally:
        vsoc("down", "-f", path)


def test_a_link_that_does_not_come_up_ends_the_start(tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason, and nothing is left running. The certificate is for another host."""
    monkeypatch.setattr("vsoclib.soc.LINK_TIMEOUT", 3.0)
    make(tmp_path / "certs", [End("elsewhere", ("elsewhere",))])
    path = tmp_path / "soc.toml"
    path.write_text(chips_text(tmp_path) + 'tls = "certs/elsewhere"\n')
    soc = Soc.new(load(path))
    with pytest.raises(LinkError) as caught:
        soc.start(bound=True, purpose="test")
    assert "0: b.guest: TLS: Certificate does not match the hostname 127.0.0.1" in str(caught.value)
    folder = Folder.existing(path)
    assert folder is not None and not process.find(folder.path)
    assert "(link-0): " in vsoc("logs", "-f", path, "--qemu", "b.guest").stdout
    vsoc("down", "-f", path)


def test_a_link_over_tls_between_two_of_the_file(tmp_path: Path) -> None:
    vsoc("certs", tmp_path / "certs")
    path = tmp_path / "soc.toml"
    path.write_text(chips_text(tmp_path) + 'tls = "certs/localhost"\n')
    with Soc.new(load(path)):
        ping(path)
