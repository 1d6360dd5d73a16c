# SPDX-License-Identifier: MIT
"""Why a command over a socket of QEMU failed: its end is the reason, not that it hung up first."""

import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Callable, Iterator, Optional

import pytest
import vsoc_samples  # noqa: F401  (the path to vsoclib)
from vsoclib import channel, reactor
from vsoclib.channel import Channel, ChannelClosed, Said
from vsoclib.errors import ProcessError
from vsoclib.state import Folder


class QMPError(Exception):
    """As in QEMU's package."""


class ExecuteError(QMPError):
    """As in QEMU's package."""


class BrokenClient:
    """A connection that breaks as soon as something is asked."""

    async def execute(self, *_: object) -> object:
        raise QMPError("Disconnected")

    async def disconnect(self) -> None:
        """It is already."""


@pytest.fixture(autouse=True)
def qemu_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names that channel.py takes from QEMU's Python package, which tests without QEMU lack."""
    for name, error in (("qemu", None), ("qemu.qmp", QMPError),
                        ("qemu.qmp.qmp_client", ExecuteError)):
        module = ModuleType(name)
        if error is not None:
            setattr(module, error.__name__, error)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    found = Folder(tmp_path / "state")
    yield found
    found.close()


def ask(folder: Folder, alive: Callable[[], None],
        monkeypatch: pytest.MonkeyPatch) -> "tuple[BaseException, Optional[Said]]":
    """Asks over a connection that breaks: the error, and what the transcript has of it."""
    said: "list[Said]" = []
    one = Channel(folder, "guest.qmp.sock", False, alive, said.append)

    async def connected(_: float) -> BrokenClient:
        return BrokenClient()
    monkeypatch.setattr(one, "_connected", connected)
    with pytest.raises(Exception) as caught:
        reactor.run(one.execute("query-status"))
    return caught.value, said[-1] if said else None


def test_a_qemu_that_is_seen_to_have_ended_after_it_hung_up(
        folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    start = time.monotonic()

    def alive() -> None:
        if time.monotonic() > start + 0.2:
            raise ProcessError("guest: QEMU has ended", ["qemu"], -9)
    error, said = ask(folder, alive, monkeypatch)
    assert isinstance(error, ProcessError) and "QEMU has ended" in str(error)
    assert said is not None and said.error.startswith("guest: QEMU has ended")


def test_a_qemu_that_has_ended_is_not_waited_for(folder: Folder,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "END_SEEN", 1000.0)

    def alive() -> None:
        raise ProcessError("guest: QEMU has ended", ["qemu"], -9)
    assert isinstance(ask(folder, alive, monkeypatch)[0], ProcessError)


def test_a_connection_that_breaks_while_qemu_runs_on(folder: Folder,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "END_SEEN", 0.05)
    error, said = ask(folder, lambda: None, monkeypatch)
    assert isinstance(error, ChannelClosed)
    assert str(error) == "query-status: the connection broke: Disconnected"
    assert said is not None and said.error == str(error)
