# SPDX-License-Identifier: MIT
"""How our files get into QEMU's tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from vsoclib.setup import qemu


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    for name in ("hw/hv-ivc.c", "hw/include/regs.h", "hw/meson.build", "hw/qemu/meson.build",
                 "hw/qemu/Kconfig", "pct/pct.h", "guest-lib/ivc/ivc.c", "guest-lib/driver/uapi/u.h",
                 "guest-lib/ipc/other.c"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_layout(checkout: Path, tmp_path: Path) -> None:
    qemu._sync(checkout, tmp_path / "vsoc")
    assert files(tmp_path / "vsoc") == [
        "Kconfig", "guest-lib/driver/uapi/u.h", "guest-lib/ivc/ivc.c", "hw/hv-ivc.c",
        "hw/include/regs.h", "meson.build", "pct/pct.h"]
    assert (tmp_path / "vsoc/meson.build").read_text() == "hw/qemu/meson.build"


def test_change_touches_its_own_file_only(checkout: Path, tmp_path: Path) -> None:
    vsoc = tmp_path / "vsoc"
    qemu._sync(checkout, vsoc)
    before = {name: (vsoc / name).stat().st_mtime_ns for name in files(vsoc)}
    (checkout / "pct/pct.h").write_text("changed")
    (checkout / "hw/hv-ivc.c").unlink()
    qemu._sync(checkout, vsoc)
    assert not (vsoc / "hw/hv-ivc.c").exists()
    after = {name: (vsoc / name).stat().st_mtime_ns for name in files(vsoc)}
    assert {name for name in after if after[name] != before[name]} == {"pct/pct.h"}


def test_hooks(tmp_path: Path) -> None:
    for name, text in (("hw/Kconfig", "source xen/Kconfig\n"),
                       ("hw/meson.build", "subdir('xen')\n"),
                       ("meson.build", "x = 1\ntrace_events_subdirs = [\n  'crypto',\n]\n")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    qemu._hook(tmp_path)
    assert (tmp_path / "hw/Kconfig").read_text() == "source xen/Kconfig\nsource vsoc/Kconfig\n"
    assert (tmp_path / "hw/meson.build").read_text() == "subdir('xen')\nsubdir('vsoc')\n"
    assert (tmp_path / "meson.build").read_text() == (
        "x = 1\ntrace_events_subdirs = [\n  'hw/vsoc',\n  'crypto',\n]\n")


def test_hook_without_its_place_fails(tmp_path: Path) -> None:
    (tmp_path / "hw").mkdir()
    for name in ("hw/Kconfig", "hw/meson.build", "meson.build"):
        (tmp_path / name).write_text("")
    with pytest.raises(ValueError, match="trace_events_subdirs"):
        qemu._hook(tmp_path)
