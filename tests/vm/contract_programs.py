# SPDX-License-Identifier: MIT
"""The programs of tests/contract, in guests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Iterator, Mapping, Sequence

from vm_support import CHECKOUT, VSOC
from vsoclib import reactor
from vsoclib.soc import Soc

CONTRACT = ("api", "events", "wakeups")
GUIDE = ("guide_select", "guide_single", "guide_multiple", "guide_local")
FOLDER = "/run/contract"    # in a guest
# VSOC_TEST_SCALE=250 is 20000 rounds of ping-pong on each way to wait.
SCALE = int(os.environ.get("VSOC_TEST_SCALE", "1"))
ROUNDS = str(80 * SCALE)    # a wake-up costs a millisecond here
TIMEOUT = 200.0 * SCALE

Command = tuple[str, Sequence[str]]     # VM, words


class Programs:
    """Built with `vsoc cc`, as a user builds theirs."""

    def __init__(self, folder: Path) -> None:
        sources = CHECKOUT / "tests/contract"
        self._built: dict[str, bytes] = {}
        for name in CONTRACT + GUIDE:
            shared = "guide.c" if name in GUIDE else "contract.c"
            libraries = [] if name == "guide_local" else ["-lnvsciipc"]
            subprocess.run([VSOC, "cc", "-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE",
                            sources / shared, sources / f"{name}.c", "-o", folder / name,
                            "-pthread", *libraries, "-lnvscievent"], check=True)
            self._built[name] = Path(folder / name).read_bytes()

    def serve(self, soc: Soc, configurations: Mapping[str, str]) -> Iterator[Soc]:
        """A fixture's body: these VMs are ready for run(), and none of it is left after."""
        machines = [soc[vm] for vm in configurations]
        for machine, text in zip(machines, configurations.values()):
            machine.run(["mkdir", "-p", FOLDER], timeout=30)
            machine.push(text.encode(), f"{FOLDER}/cfg", 0o644)
        yield soc
        for machine in machines:
            machine.run(["killall", "-q", "-9", *self._built], timeout=30)

    def run(self, soc: Soc, name: str, commands: Sequence[Command]) -> list[str]:
        """Runs a program in these ways, all at once; returns what each has printed."""
        path = f"{FOLDER}/{name}"
        for vm in {vm for vm, _ in commands}:
            soc[vm].push(self._built[name], path, 0o755)
        running = []
        try:
            for vm, words in commands:
                running.append(soc[vm].submit(["env", f"NVSCIIPC_CFG={FOLDER}/cfg", path, *words],
                                              TIMEOUT))
            results = [each.result() for each in running]
        finally:
            for each in running:
                reactor.cancel(each)
        # Who fails first takes the others along: the reason may be in any of them.
        said = [f"{vm}: {name} {' '.join(words)}: {result.returncode}\n{result.stdout.decode()}"
                f"{result.stderr.decode()}" for (vm, words), result in zip(commands, results)
                if result.returncode != 0]
        assert not said, "\n".join(said)
        return [result.stdout.decode() for result in results]


def check_tap(text: str) -> None:
    """As many cases went well as the near end's program said it has."""
    plan = int(text.splitlines()[0].partition("..")[2])
    assert plan > 5 and sum(line.startswith("ok ") for line in text.splitlines()) == plan


def guide_ends(name: str, flag: str, *names: str) -> list[str]:
    """The options that name the first endpoint; both for the program that waits for several."""
    wanted = names if name == "guide_multiple" else names[:1]
    return [word for each in wanted for word in (flag, each)]
