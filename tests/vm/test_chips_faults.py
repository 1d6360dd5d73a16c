# SPDX-License-Identifier: MIT
"""Two SoCs on two hosts, and a network that fails between them: what arrives is what was sent, in
order; a lost link is known at both ends, and comes back by itself."""

import subprocess
import threading
from pathlib import Path
from typing import Any, Callable, Iterator, Optional, Sequence

import pytest
from cable import ADDRESSES, CALM, Cable, Weather, why_not
from contract_programs import SCALE
from vm_support import CHIP_CFG, CHIPS, VSOC, Steps
from vsoclib.machine import Machine
from vsoclib.soc import Soc
from vsoclib.state import Folder

CYCLES = 30 * SCALE         # VSOC_TEST_SCALE=4 is 120
FRAMES = 20             # of each cycle that have arrived for sure when the link is cut
LINK_LOST = "2"         # NV_SCI_ASYNC_PCIE_AER_UNCORRECTABLE_FATAL
KEEPALIVE_MS = 300      # of the link that is cut; the other one bears with a bad network
PATIENT_MS = 10000


class Host:
    """One of the two hosts: its soc.toml, and how a command is run on it."""

    def __init__(self, path: Path, inside: Sequence[str]) -> None:
        self._path = path
        self._inside = list(inside)
        self._soc: Optional[Soc] = None

    def vsoc(self, command: str, *words: str) -> None:
        """One vsoc command on this host, which must go well."""
        self.leave()
        done = subprocess.run([*self._inside, str(VSOC), command, "-f", str(self._path), *words],
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr

    def machine(self) -> Machine:
        """Its guest, as it is now."""
        if self._soc is None:
            folder = Folder.existing(self._path)
            assert folder is not None
            self._soc = Soc.attach(folder)
        return self._soc["guest"]

    def link(self, device: str, what: str) -> Any:
        """What a link's device says."""
        return self.machine().qmp("qom-get", {"path": f"/machine/peripheral/{device}",
                                              "property": what})

    def leave(self) -> None:
        """Hangs up, as its machines may be others from here on."""
        if self._soc is not None:
            self._soc["guest"].close(for_good=True)
            self._soc.folder.close()
            self._soc = None


def soc_text(chip: str, odd: int, steps: Path, way: str) -> str:
    return f"""
[soc]
name = "net-{chip}"
pct = "{CHIPS}/chip-{chip}/platform_config.h"
[vm.guest]
partition = "GID_GUEST_VM"
cfg = "cfg"
files = ["{steps}:/usr/bin/steps"]
[link.quick]
vm = "guest"
{way}:7000"
devices = [5]
keepalive = {KEEPALIVE_MS}
[link.patient]
vm = "guest"
{way}:7001"
devices = [{odd}, 9]
keepalive = {PATIENT_MS}
"""


@pytest.fixture(scope="module")
def cable() -> Iterator[Cable]:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    with Cable() as made:
        yield made


@pytest.fixture(scope="module")
def both(cable: Cable, cache: Path, steps: Path,
         tmp_path_factory: pytest.TempPathFactory) -> Iterator["list[Host]"]:
    """Both hosts' SoCs; b connects to a."""
    hosts = []
    for end, (chip, odd, way) in enumerate((("a", 6, 'listen = "0.0.0.0'),
                                            ("b", 7, f'connect = "{ADDRESSES[0]}'))):
        folder = tmp_path_factory.mktemp(f"net-{chip}")
        (folder / "cfg").write_text(CHIP_CFG.format(odd=odd))
        (folder / "soc.toml").write_text(soc_text(chip, odd, steps, way))
        hosts.append(Host(folder / "soc.toml", cable.inside(end)))
    try:
        ups = [threading.Thread(target=host.vsoc, args=("up",)) for host in hosts]
        for up in ups:
            up.start()
        for up in ups:
            up.join()
        yield hosts
    finally:
        for host in hosts:
            host.vsoc("down")


@pytest.fixture
def hosts(both: "list[Host]", cable: Cable) -> Iterator["list[Host]"]:
    """Both hosts, with a network between them that is well."""
    yield both
    cable.weather = CALM
    for end in range(2):
        cable.plug(end, True)


@pytest.fixture
def run(hosts: "list[Host]") -> Iterator[Callable[..., Steps]]:
    """Starts the peer program in a guest."""
    running: "list[Steps]" = []

    def start(end: int, *words: str, timeout: float = 120.0) -> Steps:
        running.append(Steps(hosts[end].machine(), words, timeout))
        return running[-1]
    yield start
    for each in running:
        each.stop()


def test_the_link_is_cut_again_and_again(hosts: "list[Host]", run: Callable[..., Steps],
                                         cable: Cable) -> None:
    """In the middle of a stream, each way in turn: at either host, and on the way, where nobody is
    told. What arrived is what was sent, up to somewhere; nothing of it comes in the next session.
    """
    words: "list[list[str]]" = [["open:chip_test", "reset", "est"] for _ in range(2)]
    for cycle in range(CYCLES):
        words[cycle % 2] += [f"flood:{cycle}:0", "again"]
        words[1 - cycle % 2] += [f"recv:{cycle}:0:{FRAMES}", f"rest:{cycle}:{FRAMES}", "again"]
    for end, last in enumerate(("quiet:300", "hold")):
        words[end] += [f"errors:{LINK_LOST}", f"both:{end}:{1 - end}:64", last]
    ends = [run(end, "limit:60", *words[end], timeout=400) for end in range(2)]
    for cycle in range(CYCLES):
        sender, receiver = ends[cycle % 2], ends[1 - cycle % 2]
        receiver.wait_for(f"recv:{cycle}:0:{FRAMES}")
        if cycle % 3 < 2:
            cable.plug(cycle % 3, False)
        else:
            cable.weather = Weather(lost=1.0)
        sender.wait_for(f"flood:{cycle}:0")
        receiver.wait_for(f"rest:{cycle}:{FRAMES}")
        if cycle % 3 < 2:
            cable.plug(cycle % 3, True)
        else:
            cable.weather = CALM
    ends[0].finish()
    assert all(host.link("c2c0", "connections") > CYCLES for host in hosts)


def test_a_bad_network(hosts: "list[Host]", run: Callable[..., Steps], cable: Cable) -> None:
    """Packets are lost, repeated, overtaken, late: frames are not, and the link stays."""
    before = [host.link("c2c1", "connections") for host in hosts]
    ends = [run(end, *(word for name, count in (("chip_odd", 2000), ("chip_big", 100))
                       for word in (f"open:{name}", "reset", "est",
                                    f"both:{end}:{1 - end}:{count}")), "use:chip_odd", last)
            for end, last in enumerate(("quiet:200", "hold"))]
    for end in ends:
        end.wait_for("est")
    counts = dict(cable.counts)
    cable.weather = Weather(lost=0.02, repeated=0.02, overtaken=0.1, delay=0.004)
    ends[0].finish()
    for kind in ("lost", "repeated", "overtaken"):
        assert cable.counts[kind] > counts[kind] + 5, cable.counts
    assert [host.link("c2c1", "connections") for host in hosts] == before


@pytest.mark.parametrize("victim", [0, 1], ids=["listener", "connector"])
def test_each_end_restarts(victim: int, hosts: "list[Host]", run: Callable[..., Steps]) -> None:
    for channel in ("chip_test", "chip_odd"):
        survivor = run(1 - victim, f"open:{channel}", "reset", "est", "send:1:0:3", "lost",
                       f"errors:{LINK_LOST}", "again", "both:5:6:200")
        died = run(victim, f"open:{channel}", "reset", "est", "recv:1:0:3", "hold")
        died.wait_for("recv:1:0:3")
        hosts[victim].vsoc("kill", "guest")
        survivor.wait_for("lost")
        hosts[victim].vsoc("up")
        run(victim, f"open:{channel}", "reset", "est", "both:6:5:200").finish()
        survivor.finish()
