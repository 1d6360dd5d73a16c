# SPDX-License-Identifier: MIT
"""A link over TLS: who has a certificate of the CA is let in, everybody else is refused at either
end, and the log and `vsoc status` say why."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from vm_support import CHIP_CFG, CHIPS, VSOC, Steps
from vsoclib.certificates import End, make
from vsoclib.config import load
from vsoclib.links import Ports
from vsoclib.soc import Soc

UNKNOWN_ISSUER = "The certificate hasn't got a known issuer"


def soc_text(chip: str, odd: int, steps: Path, certificates: Path, ways: "tuple[str, str]") -> str:
    """One guest with a link by which its other end comes, and one by which it goes there."""
    (certificates.parent / f"{chip}.cfg").write_text(CHIP_CFG.format(odd=odd))
    text = f"""
[soc]
name = "tls-{chip}"
pct = "{CHIPS}/chip-{chip}/platform_config.h"
[vm.guest]
partition = "GID_GUEST_VM"
cfg = "{chip}.cfg"
files = ["{steps}:/usr/bin/steps"]
"""
    for way, device in zip(ways, (5, odd)):
        name = way.split()[0]
        peer = 'peer = "chip-b"' if (chip, name) == ("a", "listen") else ""
        text += f"""
[link.{name}]
vm = "guest"
{way}
devices = [{device}]
tls = "{certificates}/chip-{chip}"
{peer}
"""
    return text


@pytest.fixture(scope="module")
def ports() -> "tuple[int, int]":
    """One where a listens, one where b does."""
    found = Ports()
    numbers = (found.take(), found.take())
    found.close()
    return numbers


@pytest.fixture(scope="module")
def folder(ports: "tuple[int, int]", cache: Path, steps: Path,
           tmp_path_factory: pytest.TempPathFactory) -> Path:
    """a.toml and b.toml, certificates of their CA, and those of another one."""
    folder = tmp_path_factory.mktemp("tls")
    make(folder / "ours", [End.parse("chip-a"), End.parse("chip-b"), End.parse("chip-c"),
                           End("elsewhere", ("elsewhere",))])
    make(folder / "theirs", [End.parse("chip-b")])
    for chip, odd, ways in (
            ("a", 6, (f'listen = "127.0.0.1:{ports[0]}"', f'connect = "localhost:{ports[1]}"')),
            ("b", 7, (f'connect = "localhost:{ports[0]}"', f'listen = "127.0.0.1:{ports[1]}"'))):
        path = folder / f"{chip}.toml"
        path.write_text(soc_text(chip, odd, steps, folder / "ours", ways))
    return folder


@pytest.fixture(scope="module")
def chip_a(folder: Path) -> Iterator[Soc]:
    with Soc.new(load(folder / "a.toml")) as soc:
        yield soc


def state(folder: Path, chip: str, link: str) -> "dict[str, Any]":
    """One end of a link, as `vsoc status` knows it."""
    done = subprocess.run([VSOC, "status", "--json", "-f", folder / f"{chip}.toml"],
                          capture_output=True, text=True, timeout=60, check=True)
    [found] = [end for end in json.loads(done.stdout)[0]["links"] if end["link"] == link]
    return dict(found)


def wait(what: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def news(soc: Soc, before: int) -> str:
    return soc["guest"].qemu_log.read_text()[before:]


def wait_for_refusal(soc: Soc, link: str, before: int, reason: str) -> None:
    """Until the log says it, in a line with the link's name."""
    try:
        wait(lambda: any(f"(link-{link}): " in line and reason in line
                         for line in news(soc, before).splitlines()))
    except AssertionError:
        pytest.fail(f"no '{reason}' in:\n{news(soc, before)}")


def openssl(*words: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["openssl", *map(str, words)], stdin=subprocess.PIPE,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def ended(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.communicate()


STRANGERS = {
    "no certificate": ((), "No certificate was found"),
    "another ca": (("theirs", "chip-b"), UNKNOWN_ISSUER),
    "another name": (("ours", "chip-c"), "TLS x509 authz check for CN=chip-c is denied"),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_who_connects(stranger: str, chip_a: Soc, folder: Path,
                                 ports: "tuple[int, int]") -> None:
    where, reason = STRANGERS[stranger]
    own = ["-cert", folder.joinpath(*where, "client-cert.pem"),
           "-key", folder.joinpath(*where, "client-key.pem")] if where else []
    before = chip_a["guest"].qemu_log.stat().st_size
    with ended(openssl("s_client", "-connect", f"127.0.0.1:{ports[0]}", "-quiet", *own)):
        wait_for_refusal(chip_a, "listen", before, reason)
    found = state(folder, "a", "listen")
    assert not found["up"] and reason in found["error"]
    assert (found["vm"], found["way"]) == ("guest", f"listen 127.0.0.1:{ports[0]}")


def test_a_stranger_who_speaks_no_tls(chip_a: Soc, folder: Path, ports: "tuple[int, int]") -> None:
    before = chip_a["guest"].qemu_log.stat().st_size
    with socket.create_connection(("127.0.0.1", ports[0])) as plain:
        plain.sendall(b"vsoc-c2c" * 10)
        wait_for_refusal(chip_a, "listen", before, "unexpected TLS packet")


HOSTS = {
    "another ca": (("theirs", "chip-b"), UNKNOWN_ISSUER),
    "another host": (("ours", "elsewhere"), "Certificate does not match the hostname localhost"),
}


@pytest.mark.parametrize("host", HOSTS)
def test_a_stranger_who_listens(host: str, chip_a: Soc, folder: Path,
                                ports: "tuple[int, int]") -> None:
    where, reason = HOSTS[host]
    before = chip_a["guest"].qemu_log.stat().st_size
    with ended(openssl("s_server", "-accept", f"127.0.0.1:{ports[1]}", "-quiet",
                       "-cert", folder.joinpath(*where, "server-cert.pem"),
                       "-key", folder.joinpath(*where, "server-key.pem"))):
        wait_for_refusal(chip_a, "connect", before, reason)
    found = state(folder, "a", "connect")
    assert not found["up"] and reason in found["error"]


def test_a_peer_with_the_right_certificate(chip_a: Soc, folder: Path,
                                           run_on: Callable[..., Steps]) -> None:
    with Soc.new(load(folder / "b.toml")) as chip_b:
        for link in ("listen", "connect"):
            wait(lambda: bool(state(folder, "a", link)["up"]))
        before = chip_a["guest"].qemu_log.stat().st_size
        for channel in ("chip_test", "chip_odd"):
            ends = [run_on(soc, f"open:{channel}", "reset", "est", f"both:{end}:{1 - end}:300",
                           last) for end, (soc, last) in enumerate(((chip_a, "quiet:50"),
                                                                    (chip_b, "hold")))]
            ends[0].finish()
            ends[1].stop()
        # Who is let in is no news.
        assert "tls" not in news(chip_a, before)


@pytest.fixture
def run_on() -> Iterator[Callable[..., Steps]]:
    """Starts the peer program in the guest of a SoC."""
    running: "list[Steps]" = []

    def start(soc: Soc, *words: str) -> Steps:
        running.append(Steps(soc["guest"], words))
        return running[-1]
    yield start
    for each in running:
        each.stop()


def test_up_refuses_a_folder_that_will_not_do(folder: Path, tmp_path: Path) -> None:
    """Before anything starts."""
    shutil.copytree(folder, tmp_path / "bad")
    shutil.copyfile(folder / "theirs/chip-b/server-cert.pem",
                    tmp_path / "bad/ours/chip-a/server-cert.pem")
    path = tmp_path / "bad/a.toml"
    path.write_text(path.read_text().replace(str(folder), str(tmp_path / "bad")))
    done = subprocess.run([VSOC, "up", "-f", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"{path}: link listen: " in done.stderr and "server-cert.pem cannot be" in done.stderr
    assert "booting" not in done.stderr
    subprocess.run([VSOC, "down", "-f", path], check=True, timeout=60)
