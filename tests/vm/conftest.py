# SPDX-License-Identifier: MIT
"""What the VM tests share: one SoC of two guests for all, a peer program in them, vsoc itself."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Callable, Iterator

import pytest
from contract_programs import Programs
from vm_support import CHECKOUT, VSOC, Steps, chips_text, soc_text
from vsoclib import artifacts, config, process
from vsoclib.errors import VsocError
from vsoclib.soc import Soc, down
from vsoclib.state import all_folders


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A shell starts what runs in its background, such as a CI job, with SIGINT ignored, and children
    inherit that. Tests press Ctrl-C: the children that we start are to feel it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """State folders of our own. Nothing may be left in them, or in /dev/shm, at the end."""
    folder = tmp_path_factory.mktemp("cache")
    patch = pytest.MonkeyPatch()
    # Before the first test, and without a skip: who runs these tests wants them run.
    artifacts.load()
    patch.setenv("VSOC_CACHE", str(folder))
    before = set(os.listdir("/dev/shm"))
    yield folder
    left = [each for one in all_folders() for each in process.find(one.path)]
    for one in all_folders():
        down(one)
    patch.undo()
    assert not left
    assert not {name for name in set(os.listdir("/dev/shm")) - before if "ivshmem" in name}


@pytest.fixture(scope="session")
def steps(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The peer program, built with `vsoc cc` as a user builds theirs."""
    program = tmp_path_factory.mktemp("guest") / "steps"
    source = CHECKOUT / "tests/vm/guest/steps.c"
    subprocess.run([VSOC, "cc", "-O2", "-Wall", "-Wextra", "-Werror", source, "-o", program,
                    "-lnvsciipc"], check=True)
    return program


@pytest.fixture(scope="session")
def programs(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """The contract tests' programs."""
    return Programs(tmp_path_factory.mktemp("contract"))


@pytest.fixture(scope="session")
def started(cache: Path, tmp_path_factory: pytest.TempPathFactory,
            steps: Path) -> Iterator[Soc]:
    """The SoC that most tests use."""
    path = tmp_path_factory.mktemp("soc") / "soc.toml"
    path.write_text(soc_text(path.parent, files=[f"{steps}:/usr/bin/steps"]))
    with Soc.new(config.load(path)) as soc:
        yield soc


@pytest.fixture(scope="module")
def started_chips(cache: Path, tmp_path_factory: pytest.TempPathFactory,
                  steps: Path) -> Iterator[Soc]:
    """Two SoCs, and a link between their chips."""
    path = tmp_path_factory.mktemp("chips") / "soc.toml"
    path.write_text(chips_text(path.parent, files=[f"{steps}:/usr/bin/steps"]))
    with Soc.new(config.load(path)) as soc:
        yield soc


def for_one_test(started: Soc) -> Iterator[Soc]:
    """All guests up, none of an earlier test's programs in them."""
    for machine in started.machines.values():
        if not machine.running():
            machine.start(bound=True)
            machine.wait_ready(started.boot_timeout)
    yield started
    for machine in started.machines.values():
        try:
            machine.run(["killall", "-q", "-9", "steps"], timeout=30)
        except VsocError:
            machine.kill()      # the next test starts it again


@pytest.fixture
def soc(started: Soc) -> Iterator[Soc]:
    """The SoC for one test."""
    yield from for_one_test(started)


@pytest.fixture
def chips(started_chips: Soc) -> Iterator[Soc]:
    """The two SoCs for one test."""
    yield from for_one_test(started_chips)


def running_steps(soc: Soc) -> Iterator[Callable[..., Steps]]:
    """Starts the peer program in a guest."""
    running: list[Steps] = []

    def start(vm: str, *words: str) -> Steps:
        running.append(Steps(soc[vm], words))
        return running[-1]
    yield start
    for each in running:
        each.stop()


@pytest.fixture
def run_steps(soc: Soc) -> Iterator[Callable[..., Steps]]:
    """Starts the peer program in a guest of the SoC."""
    yield from running_steps(soc)


@pytest.fixture
def run_chips(chips: Soc) -> Iterator[Callable[..., Steps]]:
    """Starts the peer program in a guest of the two SoCs."""
    yield from running_steps(chips)
