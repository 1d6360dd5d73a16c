# SPDX-License-Identifier: MIT
"""The plug-in as a pytest finds it when scripts/ is installed (`pip install -e ./scripts`)."""

import os
import subprocess
import tomllib
from pathlib import Path
from typing import Callable

import pytest
from vsoc_samples import CHECKOUT

Pytest = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def installed(tmp_path: Path) -> Pytest:
    """What pip leaves of an editable install: the folder on the path, and the entry points."""
    project = tomllib.loads((CHECKOUT / "scripts/pyproject.toml").read_text())["project"]
    info = tmp_path / "site" / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\n"
                                   f"Version: {project['version']}\n")
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        path = os.pathsep.join((str(info.parent), str(CHECKOUT / "scripts")))
        command = ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60,
                              env={**os.environ, "PYTHONPATH": path})
    return run


def test_pytest_finds_it(installed: Pytest) -> None:
    done = installed("--help")
    assert "virtual SoC:" in done.stdout and "--soc-toml=FILE" in done.stdout
    assert "--vsoc-report=DIR" in done.stdout


def test_its_fixtures_and_marker(installed: Pytest, tmp_path: Path) -> None:
    done = installed("--fixtures")
    assert "\nsoc -- " in done.stdout and "\nvms -- " in done.stdout
    assert "fresh_soc" in installed("--markers").stdout


def test_it_boots_nothing_that_is_not_asked_for(installed: Pytest, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_plain(): pass\n")
    assert installed().returncode == 0


def test_a_soc_toml_that_is_not_there(installed: Pytest, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(soc): pass\n")
    done = installed()
    assert done.returncode == 1
    assert f"there is no {tmp_path}/soc.toml: name the SoC with --soc-toml" in done.stdout


def test_the_ini_file_names_it(installed: Pytest, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nsoc_toml = boards/one.toml\n")
    (tmp_path / "test_it.py").write_text("def test_it(soc): pass\n")
    assert f"there is no {tmp_path}/boards/one.toml" in installed().stdout
