# SPDX-License-Identifier: MIT
"""Helpers of the VM tests: a soc.toml, and the peer program at work in a guest."""

import re
import sys
import threading
import time
from pathlib import Path
from typing import Sequence

CHECKOUT = Path(__file__).resolve().parents[2]
VSOC = CHECKOUT / "scripts" / "vsoc"
sys.path.insert(0, str(CHECKOUT / "scripts"))

from vsoclib import reactor  # noqa: E402
from vsoclib.agent import Result  # noqa: E402
from vsoclib.errors import VsocError  # noqa: E402
from vsoclib.machine import Machine  # noqa: E402
from vsoclib.state import cache_folder  # noqa: E402

PLATFORM = CHECKOUT / "pct/platforms/generic/platform_config.h"

CHIPS = CHECKOUT / "pct/platforms/two-chips"

SHARED_CFG = """
INTER_VM ivc_test  255
INTER_VM ivc_odd   260
INTER_VM ivc_one   263
INTER_VM ivc_msi   262
INTER_PROCESS ipc_a ipc_b 64 1536
INTER_THREAD thread_a thread_b 64 1536
"""
LOOPBACK_CFG = """
INTER_VM loopback_tx 256
INTER_VM loopback_rx 257
"""

# Between the GUEST_VMs of the two chips; a's device 6 is b's 7.
CHIP_CFG = """
INTER_CHIP chip_test 5
INTER_CHIP chip_odd  {odd}
INTER_CHIP chip_one  8
INTER_CHIP chip_big  9
INTER_VM   ivc_test  255
"""

# What scripts/setup filled. The fixture `cache` gives the tests another one.
SETUP_CACHE = cache_folder()

ANSWER = 0.02       # seconds between two looks at what the peer program says


def soc_text(folder: Path, files: Sequence[str] = (), pct: Path = PLATFORM,
             name: str = "tests") -> str:
    """A soc.toml for two guests, and beside it their configurations."""
    (folder / "guest.cfg").write_text(SHARED_CFG + LOOPBACK_CFG)
    (folder / "update.cfg").write_text(SHARED_CFG)
    listed = ", ".join(f'"{each}"' for each in files)
    return f"""
[soc]
name = "{name}"
pct = "{pct}"
[vm.guest]
partition = "GID_GUEST_VM"
cfg = "guest.cfg"
files = [{listed}]
[vm.update]
partition = "GID_UPDATE"
cfg = "update.cfg"
files = [{listed}]
"""


def chips_text(folder: Path, files: Sequence[str] = (), name: str = "chips") -> str:
    """A soc.toml for two SoCs of one guest each and a link between them, a.guest and b.guest."""
    listed = ", ".join(f'"{each}"' for each in files)
    text = f'name = "{name}"\n'
    for chip, odd in ("a", 6), ("b", 7):
        (folder / f"{chip}.cfg").write_text(CHIP_CFG.format(odd=odd))
        text += f"""
[soc.{chip}]
pct = "{CHIPS}/chip-{chip}/platform_config.h"
[soc.{chip}.vm.guest]
partition = "GID_GUEST_VM"
cfg = "{chip}.cfg"
files = [{listed}]
"""
    return text + '[link.0]\nends = ["a.guest", "b.guest"]\n'


def filled_cache(folder: Path) -> Path:
    """A cache for scripts/setup, in which it finds all that it has made before."""
    kinds: "dict[str, list[Path]]" = {}
    for entry in SETUP_CACHE.iterdir():
        if re.fullmatch(r".*-[0-9a-f]{16}", entry.name):
            kinds.setdefault(entry.name.rpartition("-")[0], []).append(entry)
    # Links: what is made anew lies here. So few that nothing is pruned; the last ones are in use.
    for entries in kinds.values():
        for entry in sorted(entries, key=lambda entry: entry.stat().st_mtime)[-2:]:
            (folder / entry.name).symlink_to(entry)
    return folder


class Steps:
    """The peer program (guest/steps.c) at work in a guest."""

    def __init__(self, machine: Machine, words: Sequence[str], timeout: float = 120.0) -> None:
        self.words = list(words)
        self._machine = machine
        self._text = b""
        self._seen = threading.Condition()
        self._future = machine.submit(["steps", *words], timeout, output=self._output,
                                      poll=ANSWER)

    def _output(self, _is_error: bool, data: bytes) -> None:
        with self._seen:
            self._text += data
            self._seen.notify_all()

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return self._text.decode(errors="replace")

    def wait_for(self, step: str, timeout: float = 60.0, count: int = 1) -> float:
        """Waits until this step (its count-th time) is done; returns the time it was seen at."""
        deadline = time.monotonic() + timeout
        with self._seen:
            while True:
                done = sum(line.startswith(f"{step} ok ") for line in self.text.splitlines())
                if done >= count:
                    return time.monotonic()
                if self._future.done():
                    # The end of its output may have come between.
                    self._future.result()
                    if f"{step} ok " not in self.text:
                        raise AssertionError(f"steps ended without {step}:\n{self.text}")
                if time.monotonic() > deadline:
                    raise AssertionError(f"steps: no {step} in {timeout:g} s:\n{self.text}")
                self._seen.wait(0.1)

    def end(self) -> Result:
        """Waits until it has ended, however."""
        return self._future.result()

    def finish(self) -> str:
        """Waits until it has ended well; returns all that it printed."""
        result = self.end()
        assert result.returncode == 0, f"steps {' '.join(self.words)}:\n{self.text}"
        return self.text

    def stop(self) -> None:
        """Ends it, if it still runs."""
        reactor.cancel(self._future)


def kill_steps(machine: Machine) -> float:
    """SIGKILL for the peer program; returns the time after which it is dead."""
    result = machine.run(["killall", "-9", "steps"], timeout=30)
    if result.returncode != 0:
        raise VsocError(f"killall: {result.stderr!r}")
    return time.monotonic()
