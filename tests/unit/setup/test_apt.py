# SPDX-License-Identifier: MIT
"""The private apt: takes the machine's mirror and proxies, and touches nothing of the machine's."""

from __future__ import annotations

from pathlib import Path

import pytest
from vsoclib.errors import SetupError
from vsoclib.setup import apt


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that stand in for the machine's apt."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("VSOC_MIRROR", raising=False)
    return folder


def program(machine: Path, name: str, output: str) -> None:
    path = machine / name
    path.write_text(f"#!/bin/sh\ncat << 'END'\n{output}END\n")
    path.chmod(0o755)


def test_mirror_is_the_machines(machine: Path) -> None:
    program(machine, "apt-get", "Node|.|http://node.example/\n"
                                "Debian|Debian-Security|http://a.example/debian-security/\n"
                                "Debian|Debian|http://b.example/debian/\n")
    assert apt.machine_mirror() == "http://b.example/debian/"


def test_mirror_can_be_given(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSOC_MIRROR", "http://c.example/")
    assert apt.machine_mirror() == "http://c.example/"


def test_no_mirror_says_what_to_do(machine: Path) -> None:
    program(machine, "apt-get", "")
    with pytest.raises(SetupError, match="VSOC_MIRROR"):
        apt.machine_mirror()


def test_settings(machine: Path, tmp_path: Path) -> None:
    program(machine, "apt-config", 'Acquire::http::Proxy "http://proxy.example:3128";\n'
                                   'APT::Update::Post-Invoke:: "rm -rf /var/cache/apt";\n'
                                   'Dir::Cache "var/cache/apt";\n')
    root = tmp_path / "private"
    apt.PrivateApt(root, "http://b.example/debian/", "trixie", ["amd64", "arm64"])
    settings = (root / "apt.conf").read_text()
    assert 'Acquire::http::Proxy "http://proxy.example:3128";' in settings
    assert "Post-Invoke" not in settings and "var/cache" not in settings
    sources = (root / "sources.list").read_text()
    assert sources.splitlines()[0] == (
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg arch=amd64,arm64] "
        "http://b.example/debian/ trixie main")


def test_depends(machine: Path, tmp_path: Path) -> None:
    program(machine, "apt-config", "")
    program(machine, "apt-cache", "Package: x\nPre-Depends: no\n"
                                  "Depends: one (= 1.0-1), two:any | three, four (>> 2)\n")
    private = apt.PrivateApt(tmp_path / "private", "m", "trixie", ["amd64"])
    assert private.depends("x") == ["one", "two", "four"]
