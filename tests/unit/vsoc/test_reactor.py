# SPDX-License-Identifier: MIT
"""The process' asyncio loop: signals, which become exceptions anywhere, do not make it hang."""

import asyncio
import threading

import pytest
from vsoc_samples import CHECKOUT  # noqa: F401 (makes vsoclib importable)
from vsoclib import reactor


def test_an_interrupt_of_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who tidies up after that needs the loop again."""
    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt
    monkeypatch.setattr(reactor, "_loop", None)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            reactor.loop()
    assert reactor.start(asyncio.sleep(0, "done")).result(5) == "done"
    reactor.loop().call_soon_threadsafe(reactor.loop().stop)
