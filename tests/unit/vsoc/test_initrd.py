# SPDX-License-Identifier: MIT
"""A VM's initramfs: its files lie behind the base image, where the base image's links lead."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from vsoclib import initrd
from vsoclib.config import GuestFile, VmConfig
from vsoclib.cpio import CpioWriter, Names, read_names
from vsoclib.errors import ConfigError, SetupError


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base"
    with open(path, "wb") as out:
        writer = CpioWriter(out)
        writer.directory("usr/bin")
        writer.directory("etc")
        writer.directory("tmp", 0o1777)
        writer.symlink("bin", "usr/bin")
        writer.symlink("sbin", "/bin")
        writer.file("usr/bin/sh", b"shell", 0o755)
        writer.finish()
    return path


def unpack(archive: Path, folder: Path) -> Path:
    """As the kernel does: one archive after the other, padding between them."""
    data = archive.read_bytes()
    folder.mkdir()
    while data:
        end = data.index(b"TRAILER!!!")
        end += -end % 4 + 16
        subprocess.run(["cpio", "-idmu", "--quiet"], cwd=folder, input=data[:end], check=True)
        data = data[end:].lstrip(b"\0")
    return folder


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
def test_the_files_are_where_links_lead(base: Path, tmp_path: Path) -> None:
    (tmp_path / "cfg").write_text("INTER_VM a 255\n")
    app = tmp_path / "app"
    app.write_bytes(b"\0\xff" * 1001)
    app.chmod(0o751)
    vm = VmConfig("guest", "2", cfg=tmp_path / "cfg", files=(
        GuestFile(app, "/sbin/app", None), GuestFile(app, "/opt/new/app", 0o600),
        GuestFile(app, "/tmp/app", 0o644)))
    initrd.write(base, vm, tmp_path / "out")
    root = unpack(tmp_path / "out", tmp_path / "root")
    assert (root / "bin").is_symlink() and (root / "bin/sh").read_bytes() == b"shell"
    assert (root / "usr/bin/app").read_bytes() == app.read_bytes()
    assert (root / "usr/bin/app").stat().st_mode & 0o7777 == 0o751
    assert (root / "opt/new/app").stat().st_mode & 0o7777 == 0o600
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert (root / "etc/nvsciipc.cfg").read_text() == "INTER_VM a 255\n"


def test_two_files_for_one_place(base: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    vm = VmConfig("guest", "2", cfg=tmp_path / "a",
                  files=(GuestFile(tmp_path / "a", "/etc/./nvsciipc.cfg", None),))
    with pytest.raises(ConfigError, match="both .* would become"):
        initrd.write(base, vm, tmp_path / "out")


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
def test_channels_in_the_device_tree_are_no_file(base: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    initrd.write(base, VmConfig("guest", "2", cfg=tmp_path / "a", channels="dt"), tmp_path / "out")
    assert not (unpack(tmp_path / "out", tmp_path / "root") / "etc/nvsciipc.cfg").exists()


def test_a_file_that_would_hide_the_device_tree(base: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    vm = VmConfig("guest", "2", cfg=tmp_path / "a", channels="dt",
                  files=(GuestFile(tmp_path / "a", "/etc/./nvsciipc.cfg", None),))
    with pytest.raises(ConfigError, match="would read it and not its device tree"):
        initrd.write(base, vm, tmp_path / "out")


def test_a_file_for_a_folder(base: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    vm = VmConfig("guest", "2", files=(GuestFile(tmp_path / "a", "/bin/../bin", None),
                                       GuestFile(tmp_path / "a", "/usr/bin", None)))
    with pytest.raises(ConfigError, match="that is a folder"):
        initrd.write(base, vm, tmp_path / "out")


def test_a_base_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(b"\x1f\x8b" + bytes(200))
    with pytest.raises(SetupError, match="not a cpio archive"):
        initrd.write(tmp_path / "base", VmConfig("guest", "2"), tmp_path / "out")


def test_a_cut_off_archive() -> None:
    out = io.BytesIO()
    CpioWriter(out).file("a", b"1234")
    with pytest.raises(ValueError):
        read_names(io.BytesIO(out.getvalue()))


def test_links_in_a_circle() -> None:
    with pytest.raises(ValueError, match="too many"):
        Names(links={"a": "b", "b": "a"}).resolve("/a/x")
