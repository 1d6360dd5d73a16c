# SPDX-License-Identifier: MIT
"""docs/examples/ci-project, run as its CI files say: their shell steps as they stand."""

import os
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml
from vm_support import CHECKOUT, filled_cache

PROJECT = CHECKOUT / "docs/examples/ci-project"
SCENARIOS = {"test_good_run", "test_lost_doorbells", "test_damaged_frames", "test_peer_killed",
             "test_peer_reset", "test_peer_frozen"}


def gitlab() -> "tuple[list[str], list[str]]":
    job = yaml.safe_load((PROJECT / ".gitlab-ci.yml").read_text())["scenarios"]
    # The runner joins them: one shell for the first two, another for the last.
    return ["\n".join(job["before_script"] + job["script"])], ["\n".join(job["after_script"])]


def github() -> "tuple[list[str], list[str]]":
    file = yaml.safe_load((PROJECT / ".github/workflows/ci.yml").read_text())
    steps = [step for step in file["jobs"]["scenarios"]["steps"] if "run" in step]
    return ([step["run"] for step in steps if "if" not in step],
            [step["run"] for step in steps if step.get("if") == "always()"])


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout with what is not committed yet, as a repository to clone."""
    folder = tmp_path_factory.mktemp("repository")
    files = subprocess.run(["git", "-C", CHECKOUT, "ls-files", "-coz", "--exclude-standard"],
                           check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, files):
        if (CHECKOUT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, folder / name, follow_symlinks=False)

    def git(*words: str) -> None:
        subprocess.run(["git", "-C", folder, "-c", "user.name=vsoc", "-c", "user.email=v@soc",
                        *words], check=True, capture_output=True)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "as it is")
    return folder


@pytest.fixture(scope="module")
def environment(repository: Path, tmp_path_factory: pytest.TempPathFactory
                ) -> Iterator["dict[str, str]"]:
    """As a CI system gives it, with a cache that other runs have filled."""
    cache = filled_cache(tmp_path_factory.mktemp("ci-cache"))
    yield {**os.environ, "VSOC_CACHE": str(cache), "VSOC_REPOSITORY": f"file://{repository}"}


@pytest.mark.parametrize("steps", [gitlab, github], ids=["gitlab", "github"])
def test_the_ci_file_as_it_stands(steps: Any, environment: "dict[str, str]",
                                  tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project)

    def run(script: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=project,
                              env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=500)
    work, always = steps()
    assert work and always
    try:
        for script in work:
            done = run(script)
            assert done.returncode == 0, f"{script}\n{done.stdout}"
    finally:
        ends = [run(script) for script in always]
    assert [end.returncode for end in ends] == [0], ends
    cases = {case.get("name"): list(case) for case in
             ElementTree.parse(project / "build/report.xml").iter("testcase")}
    assert set(cases) == SCENARIOS and not any(cases.values())
    assert not list(Path(environment["VSOC_CACHE"], "run").iterdir())


def test_what_the_job_keeps_of_a_failure(environment: "dict[str, str]", tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project)
    source = project / "heartbeat.c"
    broken = source.read_text().replace("crc >> 1 ^", "crc >> 2 ^", 1)
    # The other end still has the right one: no beat is ever answered.
    (project / "broken.c").write_text(broken)
    scenario = project / "test_scenario.py"
    scenario.write_text('def test_broken(soc):\n'
                        '    soc["guest"].push("build/broken", "/usr/bin/broken")\n'
                        '    soc["guest"].spawn("broken answer heartbeat")\n'
                        '    soc["update"].exec("heartbeat beat heartbeat 3")\n')
    vsoc = CHECKOUT / "scripts/vsoc"
    subprocess.run(["make", f"VSOC={vsoc}", "build/heartbeat"], cwd=project, check=True,
                   capture_output=True)
    subprocess.run([vsoc, "cc", "broken.c", "-o", "build/broken", "-lnvsciipc"], cwd=project,
                   check=True)
    done = subprocess.run(["make", f"VSOC={vsoc}", "test"], cwd=project, capture_output=True,
                          text=True, timeout=200)
    assert done.returncode == 2         # of make
    text = (project / "build/report.xml").read_text()
    assert "heartbeat: no answer" in text and "vsoc: queues" in text
    [report] = (project / "build/report").iterdir()
    assert {"queues.txt", "program-1-of-guest.txt"} <= {path.name for path
                                                        in (report / "call").iterdir()}
