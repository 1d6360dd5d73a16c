# SPDX-License-Identifier: MIT
"""vsoc's plug-in for pytest: boots the SoC of a soc.toml for scenarios, and tells why one failed.

`vsoc test` loads it; `-p vsoclib.pytest_plugin` does for a pytest that has scripts/ on its path,
and `pip install -e ./scripts` for one that is to have it always. docs/specs/scenarios.md describes
what a test gets.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, Generator, Iterator, Mapping, NoReturn, Optional

import pytest
from _pytest._code.code import ExceptionRepr

from . import scenario_report
from .config import DEFAULT_FILE, load
from .errors import VsocError
from .output import Progress
from .scenario import Soc, Vm
from .soc import Soc as Engine

FRESH = "fresh_soc"
_REPORTED = pytest.StashKey["_Booted"]()


class _Booted:
    """The SoC of the session."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine: Optional[Engine] = None
        self.soc: Optional[Soc] = None

    def fresh(self) -> None:
        """Ends the SoC if it runs, and boots it."""
        self.stop()
        engine = Engine.new(load(self._path), Progress(quiet=True))
        engine.start(bound=True, purpose="test")
        self._engine, self.soc = engine, Soc(engine)

    def ready(self, fresh: bool) -> Soc:
        """The SoC for the next test."""
        lame = self._engine is not None and not all(
            chip.server is None or chip.server.running() for chip in self._engine.chips.values())
        if fresh or lame or self.soc is None:
            self.fresh()
        assert self.soc is not None
        self.soc.begin()
        return self.soc

    def stop(self) -> None:
        """Ends it."""
        engine, self._engine, self.soc = self._engine, None, None
        if engine is not None:
            engine.stop()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("vsoc", "virtual SoC")
    group.addoption("--soc-toml", metavar="FILE", help="the SoC that scenarios run on (default: "
                    "soc.toml in the root folder of the tests)")
    group.addoption("--vsoc-report", metavar="DIR", help="write the consoles, kernel logs, queues "
                    "and QMP transcripts of each failed test into a folder below this one")
    parser.addini("soc_toml", "the same as --soc-toml, relative to the root folder")


def _terminate(number: int, _frame: object) -> NoReturn:
    pytest.exit("terminated", returncode=128 + number)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{FRESH}: boots the SoC anew for this test")
    # The end in order, which ends the SoC, instead of Python's sudden one.
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def _soc_toml(config: pytest.Config) -> Path:
    given = config.getoption("--soc-toml")
    if given:
        return Path(config.invocation_params.dir, given)
    path = Path(config.rootpath, config.getini("soc_toml") or DEFAULT_FILE)
    if not path.is_file():
        pytest.fail(f"there is no {path}: name the SoC with --soc-toml (vsoc test -f)",
                    pytrace=False)
    return path


@pytest.fixture(scope="session")
def _booted(request: pytest.FixtureRequest) -> Iterator[_Booted]:
    booted = _Booted(_soc_toml(request.config))
    yield booted
    booted.stop()


@pytest.fixture
def soc(_booted: _Booted, request: pytest.FixtureRequest) -> Iterator[Soc]:
    """The SoC: all its VMs run, answer, and have no faults."""
    request.node.stash[_REPORTED] = _booted
    try:
        ready = _booted.ready(request.node.get_closest_marker(FRESH) is not None)
    except VsocError as err:
        pytest.fail(str(err), pytrace=False)
    yield ready
    ready.end()


@pytest.fixture
def vms(soc: Soc) -> Mapping[str, Vm]:
    """Its virtual machines by their names."""
    return soc.vms


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item,
                              call: "pytest.CallInfo[Any]") -> Generator[None, Any, None]:
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    booted = item.stash.get(_REPORTED, None)
    if not report.failed or booted is None or booted.soc is None:
        return
    found = scenario_report.parts(booted.soc)
    folder = item.config.getoption("--vsoc-report")
    if folder:
        target = Path(item.config.invocation_params.dir, folder,
                      scenario_report.folder_name(item.nodeid), report.when or "")
        found["files"] = scenario_report.write(found, target)
    if isinstance(report.longrepr, ExceptionRepr):
        # Behind the traceback: so the terminal and JUnit XML both have it.
        for title, text in found.items():
            report.longrepr.addsection(f"vsoc: {title}", scenario_report.shortened(text))
    else:
        report.sections += [(f"vsoc: {title}", scenario_report.shortened(text))
                            for title, text in found.items()]
