# SPDX-License-Identifier: MIT
"""Gets Debian packages through a private apt: own sources and lists, the machine's mirror."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Iterable

from ..errors import SetupError
from .progress import Step

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def _output(command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, "LC_ALL": "C.UTF-8", **env},
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    if done.returncode:
        raise SetupError(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
    return done.stdout


def machine_mirror() -> str:
    """The address of the Debian archive that the machine's own apt uses, or $VSOC_MIRROR."""
    mirror = os.environ.get("VSOC_MIRROR")
    if mirror:
        return mirror
    listed = _output(
        [
            "apt-get",
            "indextargets",
            "--format",
            "$(ORIGIN)|$(LABEL)|$(REPO_URI)",
            "Created-By: Packages",
        ],
        {},
    )
    for line in listed.splitlines():
        origin, label, address = line.split("|", 2)
        if (origin, label) == ("Debian", "Debian"):
            return address
    raise SetupError(
        "this machine's apt knows no Debian archive (`apt-get indextargets` lists none of origin "
        "Debian): run `apt-get update`, or set VSOC_MIRROR to the address of one"
    )


class PrivateApt:
    """An apt for one suite; it leaves the machine's sources, lists and package cache alone."""

    def __init__(self, root: Path, mirror: str, suite: str, architectures: list[str]) -> None:
        self._root = root
        self._env = {"APT_CONFIG": str(root / "apt.conf")}
        for folder in ("parts", "sourceparts", "lists/partial", "cache/archives/partial"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "status").touch()
        options = f"[signed-by={_KEYRING} arch={','.join(architectures)}]"
        (root / "sources.list").write_text(
            f"deb {options} {mirror} {suite} main\n" f"deb-src {options} {mirror} {suite} main\n"
        )
        # How to reach the network (proxies, time-outs) is the machine's business; all else is ours.
        acquire = [
            line
            for line in _output(["apt-config", "dump"], {}).splitlines()
            if line.startswith("Acquire::")
        ]
        settings = {
            "APT::Architecture": architectures[0],
            "APT::Sandbox::User": "root",
            "Dir::Cache": f"{root}/cache",
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::parts": f"{root}/parts",
            "Dir::Etc::sourcelist": f"{root}/sources.list",
            "Dir::Etc::sourceparts": f"{root}/sourceparts",
            "Dir::State": str(root),
            "Dir::State::lists": f"{root}/lists",
            "Dir::State::status": f"{root}/status",
        }
        (root / "apt.conf").write_text(
            "\n".join(
                acquire
                + [f'{name} "{value}";' for name, value in settings.items()]
                + [f'APT::Architectures:: "{name}";' for name in architectures]
            )
            + "\n"
        )

    def update(self, step: Step) -> None:
        step.run(["apt-get", "update", "--error-on=any"], env=self._env)

    def depends(self, package: str) -> list[str]:
        """The names of the packages that one depends on, without versions and architectures."""
        shown = _output(["apt-cache", "show", "--no-all-versions", package], self._env)
        match = re.search(r"^Depends: (.*)$", shown, re.MULTILINE)
        if match is None:
            raise SetupError(f"the package {package} has no dependencies; it should have")
        return [re.split(r"[ :|(]", field.strip())[0] for field in match.group(1).split(",")]

    def download(self, step: Step, packages: Iterable[str], folder: Path) -> None:
        """Gets the packages' files, checked against the archive's signature, into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        step.run(["apt-get", "download", *packages], cwd=folder, env=self._env)

    def download_source(self, step: Step, package: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        step.run(
            ["apt-get", "source", "--only-source", "--download-only", package],
            cwd=folder,
            env=self._env,
        )


def unpack(step: Step, packages: Iterable[Path], folder: Path) -> None:
    """Unpacks packages without running anything of theirs."""
    for package in sorted(packages):
        step.run(["dpkg-deb", "--extract", str(package), str(folder)])
