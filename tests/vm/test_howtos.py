# SPDX-License-Identifier: MIT
"""The commands of README and the pages for newcomers, as they stand there, in their order."""

import os
import re
import subprocess
from pathlib import Path
from typing import Iterator

import pytest
from vm_support import CHECKOUT, filled_cache

COMMAND = re.compile(r"^    ((?:scripts/|vsoc |make |cp |scp ).*?)(?:\s+# .*)?$", re.M)
# Who runs the commands of a page.
PAGES = {"README.md": __file__, "docs/howto/first-boot.md": __file__,
         "docs/howto/add-a-queue.md": __file__, "docs/howto/see.md": __file__,
         "docs/howto/ci.md": "test_ci_howto.py",
         "docs/howto/two-chips.md": "test_chips_howto.py"}
# That is us.
NOT_RUN = {"scripts/test"}
RUNS_ON = re.compile(r"ivcping --server")

APP = """
#include <stdio.h>
#include <nvsciipc.h>
int main(void) { return NvSciIpcInit() == NvSciError_Success && puts("it works") > 0 ? 0 : 1; }
"""


def commands(page: str) -> "list[str]":
    return COMMAND.findall((CHECKOUT / page).read_text(encoding="utf-8"))


def test_every_page_with_commands_has_who_runs_them() -> None:
    pages = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs/howto").glob("*.md"))]
    names = {str(page.relative_to(CHECKOUT)) for page in pages}
    assert {name for name in names if commands(name)} == set(PAGES)
    for page, test in PAGES.items():
        text = (Path(__file__).parent / test).read_text(encoding="utf-8")
        assert Path(page).name in text


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One that is written to besides what git has, with what README's reader brings along."""
    for name in ("scripts", "docs", "pct", "tests"):
        (tmp_path / name).symlink_to(CHECKOUT / name)
    (tmp_path / "app.c").write_text(APP)
    (tmp_path / "my").mkdir()
    example = CHECKOUT / "docs/examples/two-guests"
    for path in example.iterdir():
        if path.suffix in (".cfg", ".toml"):
            text = path.read_text().replace('"../../../pct', f'"{CHECKOUT}/pct')
            (tmp_path / "my" / path.name).write_text(text)
    return tmp_path


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> "dict[str, str]":
    return {**os.environ, "VSOC_CACHE": str(filled_cache(tmp_path_factory.mktemp("cache")))}


@pytest.fixture
def background() -> "Iterator[list[subprocess.Popen[str]]]":
    running: "list[subprocess.Popen[str]]" = []
    yield running
    for each in running:
        each.kill()
        each.communicate()


@pytest.mark.parametrize("page", [page for page, test in PAGES.items() if test == __file__])
def test_the_commands(page: str, checkout: Path, environment: "dict[str, str]",
                      background: "list[subprocess.Popen[str]]") -> None:
    said = {}
    found = commands(page)
    assert found
    try:
        for command in found:
            if command in NOT_RUN:
                continue
            started = subprocess.Popen(["sh", "-c", command], cwd=checkout, env=environment,
                                       text=True, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if RUNS_ON.search(command):
                background.append(started)
                continue
            said[command], _ = started.communicate(timeout=300)
            assert started.returncode == 0, f"{command}: {started.returncode}\n{said[command]}"
        for server in background:
            server.communicate(timeout=60)
            assert server.returncode == 0
    finally:
        subprocess.run(["scripts/vsoc", "down", "--all"], cwd=checkout, env=environment,
                       check=True)
    if page == "README.md":
        assert said["scripts/vsoc exec -f my/soc.toml guest -- app"] == "it works\n"
    assert not list(Path(environment["VSOC_CACHE"], "run").iterdir())
