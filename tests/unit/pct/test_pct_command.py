# SPDX-License-Identifier: MIT
"""`vsoc pct`: good and bad tables of tests/data/pct, and what is said of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

TOP = Path(__file__).resolve().parents[3]
DATA = TOP / "tests/data/pct"
MK = DATA / "server-partitions.mk"
GENERIC = TOP / "pct/platforms/generic/platform_config.h"
TWO_CHIPS = TOP / "pct/platforms/two-chips"

sys.path.insert(0, str(TOP / "scripts"))
from vsoclib import pct  # noqa: E402

SOURCE = "platform_config.h"
MAKEFILE = "server-partitions.mk"

# Folder -> for each message that is expected: file and line, queue or partition, rule, and what
# else must be in it (the value, and what would be right). No others may come.
BAD: dict[str, list[tuple[str, str, str, tuple[str, ...]]]] = {
    "bad-brace": [(f"{SOURCE}:7", "", "syntax", ("ends too early",))],
    "bad-c2c-comma": [(f"{SOURCE}:13", "c2c device 5", "syntax", ("comma", ".remote"))],
    "bad-c2c-count": [(SOURCE, "", "c2c-count", ("17 c2c devices", "at most 16"))],
    "bad-c2c-device": [(f"{SOURCE}:12", "c2c device 100", "c2c-device", ("100", "0 to 99"))],
    "bad-c2c-device-far": [(f"{SOURCE}:11", "c2c device 5000", "c2c-device", ("5000", "0 to 99"))],
    "bad-c2c-device-negative": [(f"{SOURCE}:11", "c2c device -1", "c2c-device", ("-1", "0 to 99"))],
    "bad-c2c-device-undefined": [
        (f"{SOURCE}:11", "c2c device MY_DEVICE", "syntax", ("not defined",))],
    "bad-c2c-dot": [(f"{SOURCE}:11", "c2c device 5", "syntax", ("write .remote",))],
    "bad-c2c-frame-size-large": [
        (f"{SOURCE}:11", "c2c device 5", "c2c-size", ("1048640 bytes", "at most 1048576"))],
    "bad-c2c-frame-size-odd": [
        (f"{SOURCE}:11", "c2c device 5", "frame-size", ("1500", "use 1536"))],
    "bad-c2c-frame-size-string": [(f"{SOURCE}:11", "c2c device 5", "number", (".frame_size",))],
    "bad-c2c-list": [(f"{SOURCE}:10", "", "member", (".devices", "write .device"))],
    "bad-c2c-many": [
        (f"{SOURCE}:6", "queue 255", "nframes", ("0 frames",)),
        (f"{SOURCE}:11", "c2c device 5", "nframes", ("0 frames",)),
        (f"{SOURCE}:11", "c2c device 5", "frame-size", ("1 is not", "use 64")),
        (f"{SOURCE}:12", "c2c device 100", "c2c-device", ("100", "0 to 99")),
        (f"{SOURCE}:12", "c2c device 100", "c2c-owner", ("9", "GID_UPDATE (3)"))],
    "bad-c2c-member-of-queue": [
        (f"{SOURCE}:11", "c2c device 5", "member", (".use_msi", "leave it out"))],
    "bad-c2c-member-twice": [(f"{SOURCE}:11", "c2c device 5", "member", (".remote", "twice"))],
    "bad-c2c-member-unknown": [
        (f"{SOURCE}:11", "c2c device 5", "member", (".remotes", "write .remote"))],
    "bad-c2c-nframes-missing": [(f"{SOURCE}:11", "c2c device 5", "nframes", ("0 frames",))],
    "bad-c2c-nframes-negative": [
        (f"{SOURCE}:11", "c2c device 5", "number", (".nframes is -1", "0 to"))],
    "bad-c2c-owner-missing": [
        (f"{SOURCE}:11", "c2c device 5", "c2c-owner", ("missing", ".owner = GID_A"))],
    "bad-c2c-owner-unknown-name": [
        (f"{SOURCE}:11", "c2c device 5", "c2c-owner", ("'GID_GUEST'", "write GID_GUEST_VM,"))],
    "bad-c2c-owner-unknown-number": [
        (f"{SOURCE}:11", "c2c device 5", "c2c-owner", ("9 is no partition", "GID_GUEST_VM (2)"))],
    "bad-c2c-owners-two": [
        (f"{SOURCE}:11", "c2c device 5", "c2c-owner", ("more than one owner",))],
    "bad-c2c-queue-in-it": [(f"{SOURCE}:11", "c2c device 255", "member", (".peers", ".owner"))],
    "bad-c2c-remote": [(f"{SOURCE}:13", "c2c device 5", "c2c-remote", ("100", "0 to 99"))],
    "bad-c2c-remote-missing": [
        (f"{SOURCE}:11", "c2c device 5", "c2c-remote", ("missing", ".remote = N"))],
    "bad-c2c-remote-negative": [(f"{SOURCE}:11", "c2c device 5", "c2c-remote", ("-1", "0 to 99"))],
    "bad-c2c-size": [
        (f"{SOURCE}:11", "c2c device 5", "c2c-size", ("64 * 1048576", "67108864", "63 frames"))],
    "bad-c2c-twice": [
        (f"{SOURCE}:13", "c2c device 5", "c2c-twice", ("number 5", "line 11", "its own"))],
    "bad-c2c-twice-list": [(f"{SOURCE}:14", "", "member", (".c2c", "twice", "into one"))],
    "bad-comma": [(f"{SOURCE}:9", "queue 300", "syntax", ("comma", ".frame_size"))],
    "bad-comma-entry": [(f"{SOURCE}:7", "queue 301", "syntax", ("expected", "'['"))],
    "bad-comment": [(f"{SOURCE}:2", "", "syntax", ("unterminated comment",))],
    "bad-dot": [(f"{SOURCE}:6", "queue 300", "syntax", ("write .nframes",))],
    "bad-empty": [(SOURCE, "", "syntax", ("const struct platform_config platform_config",))],
    "bad-frame-size-missing": [(f"{SOURCE}:6", "queue 300", "frame-size", ("0 bytes", "64"))],
    "bad-frame-size-odd": [(f"{SOURCE}:10", "queue 300", "frame-size", ("1500", "use 1536"))],
    "bad-frame-size-zero": [(f"{SOURCE}:6", "queue 300", "frame-size", ("0 bytes", "64"))],
    "bad-id-undefined": [(f"{SOURCE}:6", "queue MY_QUEUE", "syntax", ("not defined",))],
    "bad-include": [(f"{SOURCE}:3", "", "syntax", ("board/ivc_ids.h",))],
    "bad-loopback-alone": [(f"{SOURCE}:6", "queue 256", "loopback", ("queue 257", "not there"))],
    "bad-loopback-geometry": [
        (f"{SOURCE}:7", "queue 257", "loopback", ("32 x 1536", "64 x 1536", "equal"))],
    "bad-loopback-other-peers": [
        (f"{SOURCE}:6", "queue 256", "loopback", ("queue 257", "{GID_UPDATE, GID_UPDATE}"))],
    "bad-loopback-wrong-pair": [
        (f"{SOURCE}:6", "queue 257", "loopback", ("queue 256",)),
        (f"{SOURCE}:7", "queue 258", "loopback", ("queue 259",))],
    "bad-makefile": [(f"{MAKEFILE}:4", "", "partitions", ("missing separator",))],
    "bad-makefile-error": [(f"{MAKEFILE}:4", "", "partitions", ("no board chosen",))],
    "bad-makefile-include": [(f"{MAKEFILE}:4", "", "partitions", ("../nowhere/board.mk",))],
    "bad-many": [
        (f"{SOURCE}:6", "queue 255", "nframes", ("0 frames",)),
        (f"{SOURCE}:6", "queue 255", "frame-size", ("1 is not", "use 64")),
        (f"{SOURCE}:7", "queue 256", "loopback", ("queue 257",)),
        (f"{SOURCE}:8", "queue 600", "queue-id", ("600", "0 to 511")),
        (f"{SOURCE}:8", "queue 600", "peers", ("9", "GID_UPDATE (3)"))],
    "bad-member-of-board": [(f"{SOURCE}:8", "", "member", (".mempool", "leave it out"))],
    "bad-member-of-c2c": [(f"{SOURCE}:6", "queue 300", "member", (".remote", "leave it out"))],
    "bad-member-twice": [(f"{SOURCE}:6", "queue 300", "member", (".nframes", "twice"))],
    "bad-member-unknown": [
        (f"{SOURCE}:6", "queue 300", "member", (".framesize", "write .frame_size"))],
    "bad-memory": [
        (f"{SOURCE}:7", "queue 300", "memory", ("2147876864", "1073741824", "2049 MiB"))],
    "bad-nframes-zero": [(f"{SOURCE}:6", "queue 300", "nframes", ("0 frames", "at least 1"))],
    "bad-no-queue": [(SOURCE, "", "queue-count", ("0 queues", "1 to 512"))],
    "bad-number-fraction": [(f"{SOURCE}:6", "queue 300", "number", ("1.5",))],
    "bad-number-huge": [(f"{SOURCE}:6", "queue 300", "number", ("large",))],
    "bad-number-large": [(f"{SOURCE}:6", "queue 300", "number", ("4294967360", "4294967295"))],
    "bad-number-negative": [(f"{SOURCE}:6", "queue 300", "number", (".nframes is -1", "0 to"))],
    "bad-number-string": [(f"{SOURCE}:6", "queue 300", "number", (".frame_size",))],
    "bad-partition-count": [(MAKEFILE, "", "partition-count", ("17", "1 to 16"))],
    "bad-partition-empty": [(f"{MAKEFILE}:4", "partition GID_UPDATE", "partitions", ("''",))],
    "bad-partition-id": [
        (f"{MAKEFILE}:4", "partition GID_UPDATE", "partition-id", ("16", "0 to 15"))],
    "bad-partition-id-negative": [
        (f"{MAKEFILE}:4", "partition GID_UPDATE", "partition-id", ("-1", "0 to 15"))],
    "bad-partition-name": [
        (f"{MAKEFILE}:5", "partition GID_GUEST-2", "partition-name", ("letters",))],
    "bad-partition-name-long": [
        (f"{MAKEFILE}:5", "partition GID_ABCDEFGHIJKLMNOPQRSTUVWXYZ12", "partition-name",
         ("32 characters", "31"))],
    "bad-partition-twice": [
        (f"{MAKEFILE}:3", "partition GID_UPDATE", "partition-twice", ("GID_GUEST_VM (2)",))],
    "bad-partition-value": [
        (f"{MAKEFILE}:4", "partition GID_UPDATE", "partitions", ("'three'", "0 to 15"))],
    "bad-partitions-none": [(MAKEFILE, "", "partition-count", ("0", "GID_GUEST_VM := 2"))],
    "bad-peer-missing": [(f"{SOURCE}:6", "queue 300", "peers", ("peer 2", "{GID_A, GID_B}"))],
    "bad-peer-unknown-name": [
        (f"{SOURCE}:6", "queue 300", "peers", ("'GID_UPDATES'", "write GID_UPDATE,"))],
    "bad-peer-unknown-number": [
        (f"{SOURCE}:6", "queue 300", "peers", ("9 is no partition", "GID_GUEST_VM (2)"))],
    "bad-peers-three": [(f"{SOURCE}:6", "queue 300", "peers", ("more than two",))],
    "bad-prose": [(f"{SOURCE}:2", "", "syntax", ("'This'",))],
    "bad-queue-id": [(f"{SOURCE}:7", "queue 512", "queue-id", ("512", "0 to 511"))],
    "bad-queue-id-far": [(f"{SOURCE}:6", "queue 5000", "queue-id", ("5000", "0 to 511"))],
    "bad-queue-id-negative": [(f"{SOURCE}:6", "queue -1", "queue-id", ("-1", "0 to 511"))],
    "bad-queue-size": [
        (f"{SOURCE}:6", "queue 300", "queue-size", ("65536 * 65536", "at most 65535 frames"))],
    "bad-queue-twice": [
        (f"{SOURCE}:8", "queue 300", "queue-twice", ("id 300", "line 6", "its own"))],
    "bad-structure": [(f"{SOURCE}:3", "", "syntax", ("struct platform_config platform_config",))],
    "bad-use-msi": [(f"{SOURCE}:6", "queue 300", "number", (".use_msi is 2", "0 to 1"))],
    "bad-variable": [(SOURCE, "", "syntax", ("struct platform_config platform_config",))],
}

GOOD = ["good-512-queues", "good-c2c", "good-c2c-fragment", "good-fragment", "good-guide",
        "good-include", "good-makefile"]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of our own: the tools are built once, in it."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VSOC_CACHE", str(folder))
        yield folder


def partitions_of(name: str) -> Path:
    """The folder's own makefile, or that of all."""
    own = DATA / name / MAKEFILE
    return own if own.exists() else MK


def vsoc(*arguments: object, **options: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(TOP / "scripts/vsoc"), "pct", *map(str, arguments)], capture_output=True, text=True,
        timeout=60, check=False, **options)     # type: ignore[call-overload,no-any-return]


def test_each_bad_table_is_tried() -> None:
    assert sorted(BAD) == sorted(path.name for path in DATA.glob("bad-*"))
    assert GOOD == sorted(path.name for path in DATA.glob("good-*"))


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad(name: str) -> None:
    messages = pct.check(DATA / name / SOURCE, partitions_of(name))
    assert len(messages) == len(BAD[name]), messages
    for message, (where, what, rule, parts) in zip(messages, BAD[name]):
        begin = f"{DATA / name / where}" if where.startswith(SOURCE) else (
            f"{partitions_of(name).parent / where}")
        assert message.startswith(f"{begin}: {what + ': ' if what else ''}rule {rule}: ")
        for part in parts:
            assert part in message
        assert "\n" not in message and str(TOP / "pct/pct_compile.c") not in message


@pytest.mark.parametrize("name", GOOD)
def test_good(name: str) -> None:
    assert pct.check(DATA / name / SOURCE, partitions_of(name)) == []


def test_spec_names_every_rule() -> None:
    spec = (TOP / "docs/specs/pct.md").read_text(encoding="utf-8")
    for rule in {rule for faults in BAD.values() for _, _, rule, _ in faults}:
        assert f"| `{rule}` |" in spec


# What a table comes to.


def test_guide_example() -> None:
    table = pct.dump(DATA / "good-guide" / SOURCE, MK)
    assert table["queues"] == [{
        "id": 255, "peers": ["GID_GUEST_VM", "GID_UPDATE"], "nframes": 64, "frame_size": 1536,
        "use_msi": False, "loopback": False, "area": 0x10000, "area_size": 0x40000, "offset": 0,
        "size": 128 + 64 * 1536, "vector": 1, "bit": 0}]
    assert table["total"] == 0x50000
    assert table["nr_vectors"] == 2
    names = {partition["name"]: partition for partition in table["partitions"]}
    assert names["GID_GUEST_VM"] == {
        "name": "GID_GUEST_VM", "id": 2, "bar_size": 0x40000, "slots": [
            {"slot": 0, "queue": 255, "far_queue": 255, "peer": "GID_UPDATE", "rx_first": True,
             "bar_offset": 0}]}
    assert names["GID_UPDATE"]["slots"][0]["rx_first"] is False
    assert names["GID_ZERO"]["slots"] == []


def test_fragment() -> None:
    queues = pct.dump(DATA / "good-fragment" / SOURCE, MK)["queues"]
    assert [(queue["id"], queue["peers"][1], queue["nframes"], queue["use_msi"])
            for queue in queues] == [(255, "GID_UPDATE", 64, False), (300, "GID_ZERO", 4, True)]


def test_include() -> None:
    queues = pct.dump(DATA / "good-include" / SOURCE, MK)["queues"]
    assert [(queue["id"], queue["peers"]) for queue in queues] == [
        (7, ["GID_GUEST_VM", "GID_UPDATE"])]


def test_512_queues() -> None:
    table = pct.dump(DATA / "good-512-queues" / SOURCE, MK)
    assert len(table["queues"]) == 512
    assert table["nr_vectors"] == 64


def test_c2c() -> None:
    """By rising number; partition 0 and device 0 are not what was left out."""
    with_c2c = pct.dump(DATA / "good-c2c" / SOURCE, MK)
    assert with_c2c.pop("c2c") == [
        {"device": 0, "owner": "GID_ZERO", "remote": 0, "nframes": 1, "frame_size": 64},
        {"device": 5, "owner": "GID_GUEST_VM", "remote": 99, "nframes": 64, "frame_size": 1536},
        {"device": 99, "owner": "GID_GUEST_VM", "remote": 99, "nframes": 63,
         "frame_size": 0x100000}]
    # They change nothing of what the QEMUs of a SoC share, its digest least of all.
    without = pct.dump(DATA / "good-guide" / SOURCE, MK)
    assert without.pop("c2c") == []
    assert with_c2c == without


def test_c2c_fragment() -> None:
    table = pct.dump(DATA / "good-c2c-fragment" / SOURCE, MK)
    assert table["c2c"] == [
        {"device": 5, "owner": "GID_UPDATE", "remote": 7, "nframes": 4, "frame_size": 64}]
    assert [queue["id"] for queue in table["queues"]] == [5]


def test_c2c_text() -> None:
    shown = vsoc("show", "--partitions", MK, DATA / "good-c2c" / SOURCE)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["c2c", "nframes", "frame_size", "remote", "owner"] in lines
    assert ["5", "64", "1536", "99", "GID_GUEST_VM"] in lines
    without = vsoc("show", "--partitions", MK, DATA / "good-guide" / SOURCE)
    assert "c2c" not in without.stdout


def test_makefile() -> None:
    """Conditionals, includes and references are make's; the environment has no say."""
    table = vsoc("show", "--json", DATA / "good-makefile" / SOURCE,
                 env={**os.environ, "GID_EVIL": "7", "GID_UPDATE_": "1", "MAKEFLAGS": "-n"})
    assert table.stderr == ""
    assert {partition["name"]: partition["id"] for partition in json.loads(table.stdout)[
        "partitions"]} == {"GID_GUEST_VM": 4, "GID_UPDATE": 5}


def test_generic_platform() -> None:
    table = pct.dump(GENERIC)
    queues = {queue["id"]: queue for queue in table["queues"]}
    assert queues[255]["peers"] == ["GID_GUEST_VM", "GID_UPDATE"]
    assert (queues[255]["nframes"], queues[255]["frame_size"]) == (64, 1536)
    assert queues[256]["loopback"] and queues[257]["loopback"]
    assert queues[256]["area"] == queues[257]["area"]
    assert queues[256]["vector"] != queues[257]["vector"]
    assert any(queue["use_msi"] for queue in queues.values())


def test_two_chips_platform() -> None:
    """What the one has, the other has crosswise."""
    ends = {}
    for chip in ("a", "b"):
        table = pct.dump(TWO_CHIPS / f"chip-{chip}" / SOURCE)
        assert any(queue["id"] == 255 for queue in table["queues"])
        ends[chip] = [(end["owner"], end["device"], end["remote"], end["nframes"],
                       end["frame_size"]) for end in table["c2c"]]
    assert len(ends["a"]) == 5
    assert sorted((owner, remote, device, nframes, frame_size)
                  for owner, device, remote, nframes, frame_size in ends["a"]) == sorted(ends["b"])


# The command.


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    out = tmp_path / "generic.pct"
    result = vsoc("compile", GENERIC, "-o", out)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    return out


def test_check_exit_codes() -> None:
    good = vsoc("check", GENERIC)
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    bad = vsoc("check", "--partitions", MK, DATA / "bad-frame-size-odd" / SOURCE)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr == (f"{DATA / 'bad-frame-size-odd' / SOURCE}:10: queue 300: rule frame-size: "
                          "1500 is not a multiple of 64; use 1536\n")
    assert vsoc("check").returncode == 2
    assert vsoc("check", "--memory", "lots", GENERIC).returncode == 2


@pytest.mark.parametrize("command", [[], ["check"], ["show"], ["compile"]])
def test_help(command: list[str]) -> None:
    result = vsoc(*command, "--help")
    assert result.returncode == 0
    assert "usage: vsoc pct" in result.stdout


def test_relative_name() -> None:
    """A message calls the file what the user called it."""
    result = vsoc("check", "--partitions", MAKEFILE, f"bad-nframes-zero/{SOURCE}", cwd=DATA)
    assert result.stderr.startswith(f"bad-nframes-zero/{SOURCE}:6: queue 300: rule nframes: ")


def test_strange_name(tmp_path: Path) -> None:
    folder = tmp_path / 'a "b" \\c %s é'
    shutil.copytree(DATA / "bad-nframes-zero", folder)
    shutil.copy(MK, folder)
    messages = pct.check(folder / SOURCE)
    assert len(messages) == 1
    assert messages[0].startswith(f"{folder / SOURCE}:6: queue 300: rule nframes: ")


def test_show_is_the_same_for_blob_and_source(blob: Path) -> None:
    source = vsoc("show", "--json", GENERIC)
    assert source.returncode == 0
    assert json.loads(source.stdout) == pct.dump(blob) == pct.dump(GENERIC)
    text = vsoc("show", blob)
    assert text.returncode == 0
    assert "GID_GUEST_VM loopback" in text.stdout
    assert str(pct.dump(blob)["digest"]) in text.stdout


def test_compile_is_reproducible(blob: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.pct"
    pct.compile_table(GENERIC, again)
    assert again.read_bytes() == blob.read_bytes()
    pct.compile_table(blob, again)      # a compiled one is checked and copied
    assert again.read_bytes() == blob.read_bytes()


def test_dtc_reads_it(blob: Path) -> None:
    result = subprocess.run(["dtc", "-I", "dtb", "-O", "dts", blob], capture_output=True,
                            text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert 'compatible = "vsoc,pct"' in result.stdout


def test_compile_leaves_nothing_when_refused(tmp_path: Path) -> None:
    out = tmp_path / "bad.pct"
    out.write_text("as before")
    for name in ("bad-nframes-zero", "bad-queue-twice", "bad-brace"):
        result = vsoc("compile", "--partitions", MK, DATA / name / SOURCE, "-o", out)
        assert result.returncode == 1
    assert out.read_text() == "as before"
    assert list(tmp_path.iterdir()) == [out]


def test_output_folder_missing(tmp_path: Path) -> None:
    result = vsoc("compile", GENERIC, "-o", tmp_path / "nowhere/out.pct")
    assert result.returncode == 1
    assert result.stderr == (
        f"{tmp_path / 'nowhere/out.pct'}: cannot write: No such file or directory\n")


def test_memory_limit() -> None:
    needs = pct.dump(GENERIC)["total"]
    assert vsoc("check", "--memory", needs, GENERIC).returncode == 0
    result = vsoc("check", "--memory", needs - 1, GENERIC)
    assert result.returncode == 1
    assert "queue 261: rule memory: " in result.stderr
    assert str(needs) in result.stderr
    assert vsoc("check", "--memory", "3G", "--partitions", MK,
                DATA / "bad-memory" / SOURCE).returncode == 0


def test_blob_that_breaks_rules(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pct"
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", bad, DATA / "blobs/bad-rules.dts"],
                   check=True)
    assert pct.check(bad) == [
        f"{bad}: queue 255: rule peers: 3 is no partition; use two of GID_GUEST_VM (2)",
        f"{bad}: queue 300: rule frame-size: 1500 is not a multiple of 64; use 1536",
        f"{bad}: queue 300: rule loopback: it is a loopback of GID_GUEST_VM, but its other end, "
        "queue 301, is not there; give both the peers {GID_GUEST_VM, GID_GUEST_VM}"]


def test_blob_that_breaks_c2c_rules(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pct"
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", bad,
                    DATA / "blobs/bad-c2c-rules.dts"], check=True)
    assert pct.check(bad) == [
        f"{bad}: c2c device 5: rule c2c-owner: 4 is no partition; use one of GID_GUEST_VM (2), "
        "GID_UPDATE (3)",
        f"{bad}: c2c device 5: rule c2c-remote: 100 is too large; use the far chip's device "
        "number, from 0 to 99",
        f"{bad}: c2c device 5: rule nframes: 0 frames; use at least 1",
        f"{bad}: c2c device 5: rule frame-size: 1500 is not a multiple of 64; use 1536",
        f"{bad}: c2c device 6: rule c2c-size: 64 * 1048576 + 128 bytes are 67108992, more than "
        "67108864; use at most 63 frames of that size",
        f"{bad}: c2c device 7: rule c2c-size: frames of 1048640 bytes; use at most 1048576",
        f"{bad}: c2c device 100: rule c2c-device: 100 is too large; use a number from 0 to 99"]


def test_c2c_blob(tmp_path: Path) -> None:
    """Compiled from the source and by dtc, it is the same table."""
    compiled, by_hand = tmp_path / "compiled.pct", tmp_path / "by-hand.pct"
    pct.compile_table(TWO_CHIPS / "chip-a" / SOURCE, compiled)
    assert pct.dump(compiled) == pct.dump(TWO_CHIPS / "chip-a" / SOURCE)
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", by_hand,
                    DATA / "blobs/good-c2c.dts"], check=True)
    assert [end["device"] for end in pct.dump(by_hand)["c2c"]] == [5, 6, 10]


def test_blob_that_is_damaged(blob: Path) -> None:
    blob.write_bytes(blob.read_bytes()[:-1])
    result = vsoc("show", blob)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"{blob}: the table is damaged: ")
    blob.write_bytes(b"")
    assert pct.check(blob) == [f"{blob}: not a compiled table"]


def test_missing_file(tmp_path: Path) -> None:
    result = vsoc("check", tmp_path / SOURCE)
    assert result.returncode == 1
    assert f"{tmp_path / SOURCE}: no such file" in result.stderr
    assert "is a folder" in pct.check(tmp_path)[0]


def test_missing_makefile(tmp_path: Path) -> None:
    shutil.copy(GENERIC, tmp_path)
    messages = pct.check(tmp_path / SOURCE)
    assert len(messages) == 1
    assert messages[0].startswith(f"{tmp_path / MAKEFILE}: rule partitions: cannot read: ")
    assert "--partitions MK" in messages[0]


def test_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = vsoc("check", GENERIC, env={**os.environ, "VSOC_CACHE": str(tmp_path / "file")})
    assert result.returncode == 1
    assert "cannot write" in result.stderr and "VSOC_CACHE" in result.stderr


def test_tools_are_built_once(cache: Path) -> None:
    pct.check(GENERIC)
    built = sorted((cache / "pct").iterdir())
    pct.check(GENERIC)
    assert sorted((cache / "pct").iterdir()) == built and len(built) == 1
