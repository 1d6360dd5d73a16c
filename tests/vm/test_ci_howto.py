# SPDX-License-Identifier: MIT
"""Every command of docs/howto/ci.md, as it stands there."""

import os
import subprocess
from pathlib import Path

from vm_support import CHECKOUT

PAGE = CHECKOUT / "docs/howto/ci.md"
EXAMPLE = "docs/examples/two-guests/soc.toml"


def test_the_commands(tmp_path: Path) -> None:
    for name in ("scripts", "docs", "tests"):
        (tmp_path / name).symlink_to(CHECKOUT / name)
    # Its own runs, so that its SoC is the only one.
    environment = {**os.environ, "VSOC_CACHE": str(tmp_path / "cache")}

    def run(command: str) -> str:
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
                              check=False)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout

    commands = [line.strip() for line in PAGE.read_text(encoding="utf-8").splitlines()
                if line.startswith(("    scripts/vsoc ", "    cp ", "    make "))]
    scenarios = [command for command in commands if command.startswith("scripts/vsoc test ")]
    project = [command for command in commands if "my-project" in command]
    assert len(scenarios) == 2 and len(project) == 2 and len(commands) == 9
    for command in scenarios + project:
        run(command)
    assert "testsuite" in (tmp_path / "report.xml").read_text(encoding="utf-8")
    run(f"scripts/vsoc up -f {EXAMPLE}")
    try:
        said = [run(command) for command in commands if command not in scenarios + project]
        assert "drop" in said[-2] and "255" in said[-2]
    finally:
        run(f"scripts/vsoc down -f {EXAMPLE}")
