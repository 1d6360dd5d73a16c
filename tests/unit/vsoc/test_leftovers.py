# SPDX-License-Identifier: MIT
"""What scripts/test finds of a run that does not tidy up."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest
from vsoc_samples import CHECKOUT  # noqa: F401 (makes vsoclib importable)
from vsoclib import leftovers
from vsoclib.leftovers import SHM, Leftovers


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Leftovers]:
    monkeypatch.setattr(leftovers, "PATIENCE", 0.3)
    with Leftovers("unit") as found:
        yield found


def test_nothing(run: Leftovers) -> None:
    subprocess.run([sys.executable, "-c", "import tempfile; tempfile.TemporaryDirectory()"],
                   env={**os.environ, **run.environment()}, check=True)
    assert run.left() == []


def test_a_process(run: Leftovers) -> None:
    with subprocess.Popen(["sleep", "977"], env={**os.environ, **run.environment()}) as sleep:
        assert run.left() == [f"process {sleep.pid}: sleep 977"]
        sleep.kill()
    assert run.left() == []


def test_somebody_elses_process(run: Leftovers) -> None:
    with Leftovers("unit") as other, \
            subprocess.Popen(["sleep", "977"], env={**os.environ, **other.environment()}) as sleep:
        assert run.left() == []
        sleep.kill()


def test_temporary_files(run: Leftovers) -> None:
    folder = Path(run.environment()["TMPDIR"])
    (folder / "one").mkdir()
    (folder / "one" / "file").touch()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "sock"))
    assert run.left() == ["temporary folder one", "temporary file one/file",
                          "temporary socket sock"]


def test_shared_memory(run: Leftovers) -> None:
    path = SHM / f"vsoc-test-{os.getpid()}"
    try:
        with open(path, "w", encoding="ascii"):
            assert run.left() == []     # somebody's who is still at work
        assert run.left() == [f"shared memory {path}"]
    finally:
        path.unlink()


def test_the_folder_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    with Leftovers("unit") as found:
        folder = Path(found.environment()["TMPDIR"])
        (folder / "file").touch()
    assert not folder.exists()
