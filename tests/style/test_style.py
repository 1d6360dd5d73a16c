# SPDX-License-Identifier: MIT
"""The house's map, and the checkers that Python has, as tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PYTHON = [str(path) for path in (TOP / "scripts" / "vsoc", TOP / "scripts" / "check-house",
                                 TOP / "scripts" / "vsoclib", TOP / "tests") if path.exists()]


def check_house(top: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOP / "scripts" / "check-house", "--top", top], capture_output=True, text=True)


def test_house() -> None:
    result = check_house(TOP)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name, text, complaint", [
    ("guest-lib/backend/x.c", '/* SPDX-License-Identifier: MIT */\n#include "ivc/ivc.h"\n', "no arrow"),
    ("guest-lib/tools/x.c", '/* SPDX-License-Identifier: MIT */\n#include "nvipc_ivc.h"\n', "must not know"),
    ("pct/x.c", "/* SPDX-License-Identifier: MIT */\n#include <libfdt.h>\n", "may"),
    ("hw/x.c", "/* SPDX-License-Identifier: MIT */\n", "licensed"),
    ("pct/x.c", "/* nothing */\n", "SPDX"),
    ("pct/misc/x.c", "/* SPDX-License-Identifier: MIT */\n", "misc"),
    ("docs/x.md", "<!-- SPDX-License-Identifier: MIT -->\n" + "x" * 300_001, "bytes"),
], ids=["arrow", "contract", "library", "licence", "no licence", "folder", "size"])
def test_house_catches(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for path, content in (("guest-lib/ivc/ivc.h", "/* SPDX-License-Identifier: MIT */\n"),
                          ("guest-lib/driver/uapi/nvipc_ivc.h", "/* SPDX-License-Identifier: MIT */\n"),
                          (name, text)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    result = check_house(tmp_path)
    assert result.returncode == 1
    assert name in result.stdout and complaint in result.stdout


@pytest.mark.parametrize("command", [
    ["flake8", "--max-line-length=120"],
    ["mypy", "--python-executable=/usr/bin/python3", "--ignore-missing-imports", "--explicit-package-bases"],
], ids=["flake8", "mypy"])
def test_python(command: list[str]) -> None:
    tool = shutil.which(command[0], path="/usr/bin")
    assert tool, f"{command[0]} is missing; scripts/setup installs it"
    if command[0] == "mypy":
        files = ["-p", "vsoclib"]
        result = subprocess.run([tool, *command[1:], *files], cwd=TOP / "scripts", capture_output=True, text=True)
    else:
        result = subprocess.run([tool, *command[1:], *PYTHON], cwd=TOP, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
