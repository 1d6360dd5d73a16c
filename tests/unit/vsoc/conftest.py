# SPDX-License-Identifier: MIT
"""What the tests of scripts/vsoc share: a cache of their own, files for a soc.toml, the command."""

import subprocess
from pathlib import Path
from typing import Callable

import pytest
from vsoc_samples import CHECKOUT


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that no other test and no user has."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("VSOC_CACHE", str(folder))
    monkeypatch.setenv("VSOC_SETUP_JSON", str(tmp_path / "no-setup.json"))
    return folder


@pytest.fixture
def soc_toml(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a soc.toml beside the files that GOOD names."""
    for name in ("platform_config.h", "guest.cfg", "guest.dtsi", "app"):
        (tmp_path / name).write_text(f"{name}\n")

    def write(text: str) -> Path:
        path = tmp_path / "soc.toml"
        path.write_text(text)
        return path
    return write


@pytest.fixture
def vsoc(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs scripts/vsoc in an empty folder."""
    folder = tmp_path / "here"
    folder.mkdir()

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([str(CHECKOUT / "scripts" / "vsoc"), *arguments], cwd=folder,
                              capture_output=True, text=True, timeout=60)
    return run
