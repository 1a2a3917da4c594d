"""Work beside the event loop, and how much of it one store may keep waiting.

A database server that does not answer holds whoever asks it for a minute. It holds only
those who ask that one, and never the end of the Jupyter server: pools of Python's own would
wait for their threads then.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")
# How many questions to one store are under way at once, and to all of them.
_OF_ONE: Final = 2
_OF_ALL: Final = 16


def started(step: Callable[[], T]) -> Future[T]:
    """Begin a step in a thread of its own, and return what will hold its result."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            result = step()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name="tracknb-jupyter", daemon=True).start()
    return future


class Turns:
    """Lets the questions to each store take turns, so that a slow one takes none of another's."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(_OF_ALL)
        self._of_stores: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def work(self, store: str, step: Callable[[], T]) -> T:
        """Do a step in another thread when it is the store's turn."""
        turn = self._of_stores.setdefault(store, asyncio.Semaphore(_OF_ONE))
        async with turn, self._all:
            return await asyncio.wrap_future(started(step))
