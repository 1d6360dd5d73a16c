# SPDX-License-Identifier: MIT
"""Runs the test suites and counts: programs in sanitizer builds by meson, Python by pytest."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Optional, Sequence

from .errors import VsocError, tail
from .leftovers import Leftovers
from .setup.build import configure
from .setup.cache import content_key
from .setup.progress import Step, ninja_status

_CHECKOUT = Path(__file__).resolve().parents[2]
_BUILD = _CHECKOUT / "build/test"

# suite -> the sanitizers with which its programs are built. Run in this order, quick ones first.
_SUITES = {
    "style": "address,undefined",
    "abi": "address,undefined",
    "unit": "address,undefined",
    "thread": "thread",
    "fuzz": "address,undefined",
    "qtest": "address,undefined",
    "vm": "address,undefined",
}
_TAIL_LINES = 60
_SLOW_MACHINE = 4
_NO_TESTS = 5  # pytest's exit code
_PATIENCE = 60.0  # seconds for tests that are interrupted to end what they have started


@dataclass
class Counts:
    """What came of some tests."""

    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return f"{text}, {len(self.skipped)} skipped" if self.skipped else text


def _environment(leftovers: Optional[Leftovers] = None) -> dict[str, str]:
    # Nothing of the caller's Python gets in, and no compiled Python gets into the tree of tests.
    more = leftovers.environment() if leftovers is not None else {}
    return {**os.environ, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1", **more}


class Terminated(BaseException):
    """SIGTERM came: a CI job that is cancelled."""


def _terminate(_number: int, _frame: object) -> NoReturn:
    raise Terminated


def attend(command: Sequence[str], **options: Any) -> tuple[int, str]:
    """Runs what runs tests; its exit code, and its output if that is a pipe. If we are to end, it
    ends first as it does on Ctrl-C, for it ends what its tests have started.
    """
    # A session of its own, so that Ctrl-C comes to it once, from us.
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, start_new_session=True,
                          **options) as child:
        try:
            output = child.communicate()[0]
        except BaseException:
            child.send_signal(signal.SIGINT)
            try:
                child.communicate(timeout=_PATIENCE)
            except BaseException:       # once more Ctrl-C: at once, then
                child.kill()
            raise
    return child.returncode, output or ""


# Programs


def _programs_step(title: str, build: Path) -> Step:
    return Step(title, _CHECKOUT / f"build/log/test-{build.name}.log", who="test")


def _configure(sanitizers: str) -> Path:
    """The meson build with some sanitizers."""
    build = _BUILD / sanitizers.replace(",", "-")
    options = [
        f"-Db_sanitize={sanitizers}",
        "-Db_lundef=false",
        # False alarms in instrumented code, says GCC's manual; the SDK's builds have the warning.
        "-Dc_args=-Wno-maybe-uninitialized",
    ]
    versions = subprocess.run(
        "meson --version; cc --version", shell=True, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    with _programs_step(f"configure the {sanitizers} sanitizer build", build) as step:
        configure(step, _CHECKOUT, build, options, content_key(versions, *options))
        # Notices changed meson.build files, and builds next to nothing.
        step.run(["ninja", "-C", str(build), "build.ninja"])
    return build


def _programs(build: Path, suite: str, expression: Optional[str]) -> list[str]:
    """The names of a suite's programs."""
    names = []
    for test in json.loads((build / "meson-info/intro-tests.json").read_text()):
        suites = {name.rpartition(":")[2] for name in test["suite"]}
        if not suites & set(_SUITES):
            raise VsocError(
                f"the test {test['name']} belongs to none of the suites {', '.join(_SUITES)}; "
                "give it a `suite:` in its meson.build"
            )
        if suite in suites and (expression is None or expression in test["name"]):
            names.append(test["name"])
    return names


def _count_program(test: dict[str, Any]) -> Counts:
    """Counts a program's cases, as its TAP output says; one that says none is one case."""
    counts = Counts()
    name, result = test["name"], test["result"]
    for line in (test.get("stdout") or "").splitlines():
        match = re.match(
            r"(not )?ok\b[\s\d-]*([^#]*)(?:#\s*(skip\S*)\s*(.*))?", line, re.IGNORECASE
        )
        if match is None:
            continue
        failed, case, skip, reason = match.groups()
        if skip:
            counts.skipped.append(f"{name} {case.strip()}: {reason or 'no reason given'}")
        elif failed:
            counts.failed += 1
        else:
            counts.passed += 1
    if result == "SKIP" and not counts.skipped:
        counts.skipped.append(f"{name}: {(test.get('stdout') or 'no reason given').strip()}")
    elif result not in ("OK", "SKIP", "EXPECTEDFAIL") and counts.failed == 0:
        counts.failed += 1
    elif result == "OK" and counts == Counts():
        counts.passed += 1
    return counts


def _run_programs(build: Path, names: list[str], leftovers: Leftovers) -> Counts:
    with _programs_step("build the programs", build) as step:
        step.run(["ninja", "-C", str(build), "all", "meson-test-prereq"], status=ninja_status)
    log = build / "meson-logs/testlog-setarch.json"  # meson adds the wrapper's name
    log.unlink(missing_ok=True)
    # The thread sanitizer needs certain addresses free; setarch -R ends randomisation.
    command = [
        "meson",
        "test",
        "-C",
        str(build),
        "--no-rebuild",
        "--print-errorlogs",
        "--wrapper=setarch -R",
        f"--timeout-multiplier={_SLOW_MACHINE}",
        *names,
    ]
    code, output = attend(
        command,
        env=_environment(leftovers),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    counts = Counts()
    ran = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    for test in ran:
        one = _count_program(test)
        counts.add(one)
        print(f"  {test['name']}: {one} ({test['duration']:.1f} s)")
        if one.failed:
            print(f"    command: {shlex.join(test['command'])}")
            for stream in ("stdout", "stderr"):
                if test.get(stream):
                    print(f"    {stream}:\n{tail(test[stream], _TAIL_LINES)}")
            print(f"    all of it: {log.with_suffix('.txt')}", flush=True)
    if len(ran) != len(names) or (code and not counts.failed):
        counts.failed += 1
        print(f"  meson ran {len(ran)} of {len(names)} programs:\n{tail(output)}")
    return counts


# Python


def _pytest(suite: str, expression: Optional[str], *more: str) -> list[str]:
    command = [
        "/usr/bin/python3",
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(_CHECKOUT),
        *more,
        f"tests/{suite}",
    ]
    return command + (["-k", expression] if expression else [])


def _has_python(suite: str) -> bool:
    return any((_CHECKOUT / "tests" / suite).rglob("test_*.py"))


def _run_python(suite: str, expression: Optional[str], leftovers: Leftovers) -> Counts:
    report = _BUILD / f"{suite}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    # pytest's own output is the progress; its failures are told where they happen.
    verbosity = ["-v"] if suite in ("qtest", "vm") else ["-q"]
    command = _pytest(
        suite,
        expression,
        *verbosity,
        "--tb=short",
        "-o",
        "console_output_style=count",
        f"--junitxml={report}",
    )
    code, _ = attend(command, cwd=_CHECKOUT, env=_environment(leftovers))
    counts = Counts()
    for case in ElementTree.parse(report).iter("testcase") if report.is_file() else ():
        skipped = case.find("skipped")
        if skipped is not None:
            counts.skipped.append(
                f"{case.get('classname')}.{case.get('name')}: {skipped.get('message')}"
            )
        elif case.find("failure") is not None or case.find("error") is not None:
            counts.failed += 1
        else:
            counts.passed += 1
    if code not in (0, _NO_TESTS) and not counts.failed:
        counts.failed += 1
        print(f"  pytest itself failed (exit code {code}): {shlex.join(command)}")
    return counts


# All


def _list(suite: str, expression: Optional[str], build: Path) -> None:
    for name in _programs(build, suite, expression):
        print(f"{suite}: {name}")
    if _has_python(suite):
        done = subprocess.run(
            _pytest(suite, expression, "--collect-only", "-q"),
            cwd=_CHECKOUT,
            env=_environment(),
            check=False,
            text=True,
            stdout=subprocess.PIPE,
        )
        if done.returncode not in (0, _NO_TESTS):
            raise VsocError(f"pytest cannot collect the tests of {suite}:\n{tail(done.stdout)}")
        for line in done.stdout.splitlines():
            if "::" in line:
                print(f"{suite}: {line}")


def _run(suite: str, expression: Optional[str], build: Path) -> Counts:
    print(f"test: suite {suite}", flush=True)
    start = time.monotonic()
    counts = Counts()
    names = _programs(build, suite, expression)
    with Leftovers(suite) as leftovers:
        if names:
            counts.add(_run_programs(build, names, leftovers))
        if _has_python(suite):
            counts.add(_run_python(suite, expression, leftovers))
        left = leftovers.left()
    if left:
        counts.failed += 1
        print("  the tests have left behind:\n" + "\n".join(f"    {each}" for each in left))
    if expression is None and counts == Counts():
        counts.failed += 1
        print(f"  the suite {suite} has no tests")
    print(f"test: suite {suite}: {counts} ({time.monotonic() - start:.0f} s)", flush=True)
    return counts


def main(arguments: Optional[list[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="scripts/test")
    parser.add_argument("--suite", action="append", choices=list(_SUITES))
    parser.add_argument("-k", dest="expression")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    chosen = [suite for suite in _SUITES if options.suite is None or suite in options.suite]
    total = Counts()
    try:
        sanitizers = dict.fromkeys(_SUITES[suite] for suite in chosen)
        builds = {name: _configure(name) for name in sanitizers}
        for suite in chosen:
            if options.list:
                _list(suite, options.expression, builds[_SUITES[suite]])
            else:
                total.add(_run(suite, options.expression, builds[_SUITES[suite]]))
    except VsocError as error:
        print(f"scripts/test: {error}", file=sys.stderr)
        total.failed += 1
    except KeyboardInterrupt:
        print("scripts/test: interrupted", file=sys.stderr)
        return 130
    except Terminated:
        print("scripts/test: terminated", file=sys.stderr)
        return 143
    if options.list:
        return 1 if total.failed else 0
    for reason in total.skipped:
        print(f"skipped: {reason}")
    if total.passed + total.failed == 0:
        print("scripts/test: no test ran", file=sys.stderr)
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
