# SPDX-License-Identifier: MIT
"""The one asyncio loop of the process, in a thread of its own, for QEMU's asynchronous QMP client.

The rest of vsoc is plain, synchronous code: it hands a coroutine over with run() or start().
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import weakref
from typing import Any, Coroutine, Optional, TypeVar

T = TypeVar("T")

_loop: Optional[asyncio.AbstractEventLoop] = None
_guard = threading.Lock()
# A future that was cancelled is done at once; this says when its work is.
_ended: "weakref.WeakKeyDictionary[concurrent.futures.Future[Any], threading.Event]" = \
    weakref.WeakKeyDictionary()


def loop() -> asyncio.AbstractEventLoop:
    """The loop, which is started at the first call."""
    global _loop
    with _guard:
        if _loop is None:
            made = asyncio.new_event_loop()
            threading.Thread(target=made.run_forever, name="reactor", daemon=True).start()
            # Only now: a signal's exception before that must not leave a loop that nobody runs.
            _loop = made
        return _loop


def start(work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """Starts work on the loop; the future has its result."""
    ended = threading.Event()

    async def whole() -> T:
        try:
            return await work
        finally:
            ended.set()
    future = asyncio.run_coroutine_threadsafe(whole(), loop())
    with _guard:
        _ended[future] = ended
    return future


def cancel(future: "concurrent.futures.Future[Any]", timeout: float = 10.0) -> None:
    """Ends work that start() began, and waits until it has tidied up."""
    future.cancel()
    with _guard:
        ended = _ended.get(future)
    if ended is not None:
        ended.wait(timeout)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs work on the loop and waits for it. An interrupt of the waiter ends the work, too."""
    future = start(work)
    try:
        return future.result()
    except BaseException:
        cancel(future)
        raise
