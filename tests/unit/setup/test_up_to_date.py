# SPDX-License-Identifier: MIT
"""When the set-up may do nothing."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from vsoclib.setup import __main__ as main_module
from vsoclib.setup.__main__ import SetUp
from vsoclib.setup.cache import Cache

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SetUp:
    """A set-up that has just been run on a small checkout."""
    build = tmp_path / "build"
    (tmp_path / "hw/deep").mkdir(parents=True)
    build.mkdir()
    (tmp_path / "hw/deep/a.c").write_text("1")
    (tmp_path / "meson.build").write_text("1")
    (build / "product").write_text("1")
    for name, value in (("_CHECKOUT", tmp_path), ("_INPUTS", ("hw", "meson.build")),
                        ("_RESULT", build / "setup.json"), ("_STATE", build / "setup.state")):
        monkeypatch.setattr(main_module, name, value)
    cache = Cache(tmp_path / "cache")
    (cache.root / "qemu-key").mkdir(parents=True)
    (build / "setup.json").write_text(json.dumps({"qemu": str(build / "product"), "qemu_args": []}))
    (build / "setup.state").write_text(json.dumps(
        {"glance": main_module._glance(cache), "used": [str(cache.root / "qemu-key")]}))
    return SetUp(cache, refresh=False)


def test_nothing_changed(done: SetUp) -> None:
    assert done.up_to_date()


def test_use_is_noted(done: SetUp, tmp_path: Path) -> None:
    entry = tmp_path / "cache/qemu-key"
    os.utime(entry, (1, 1))
    assert done.up_to_date()
    assert entry.stat().st_mtime > 1


@pytest.mark.parametrize("path, act", [
    ("hw/deep/a.c", lambda path: path.write_text("2")),
    ("hw/deep/a.c", Path.unlink),
    ("hw/new.c", lambda path: path.write_text("1")),
    ("meson.build", lambda path: path.chmod(0o755)),
    ("build/product", Path.unlink),
    ("build/setup.state", Path.unlink),
    ("build/setup.state", lambda path: path.write_text("{")),
    ("cache/qemu-key", Path.rmdir),
], ids=["changed", "removed", "added", "mode", "product", "state", "damaged", "entry"])
def test_something_changed(done: SetUp, tmp_path: Path, path: str, act: object) -> None:
    act(tmp_path / path)        # type: ignore[operator]
    assert not done.up_to_date()


def test_refresh_was_asked_for(done: SetUp) -> None:
    done._refresh = True
    assert not done.up_to_date()


@pytest.mark.skipif(not (CHECKOUT / "build/setup.state").exists(),
                    reason="scripts/setup was not run")
def test_second_run_costs_well_under_a_second() -> None:
    costs = []
    for _ in range(3):
        start = time.monotonic()
        done = subprocess.run([CHECKOUT / "scripts/setup"], stdin=subprocess.DEVNULL, check=True,
                              stdout=subprocess.PIPE, text=True)
        costs.append(time.monotonic() - start)
    assert done.stdout == ""
    assert min(costs) < 0.7
