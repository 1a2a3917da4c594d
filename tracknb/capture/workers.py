"""What a worker of multiprocessing knows of the process that started it.

A forked worker has its parent's memory. A spawned one begins empty: it is told by the
settings that every worker gets from the process that makes it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import process

_KEY = "tracknb"
# Any number will do: finalizers without one are not called in workers.
_LAST = -100


@dataclass(frozen=True, slots=True)
class Offer:
    """Where a process tracks: its store, its experiment, and the run that is open."""

    address: str = field(repr=False)
    experiment: str | None
    run_id: str | None
    durable: bool = False


def offer(what: Offer) -> None:
    """Say what workers that are made from now on are to know."""
    process.current_process()._config[_KEY] = what  # type: ignore[attr-defined]


def offered() -> Offer | None:
    """Return what the process that made this worker offered; None if this is no worker."""
    if process.parent_process() is None:
        return None
    found: Offer | None = process.current_process()._config.get(_KEY)  # type: ignore[attr-defined]
    return found


def at_end(call: Callable[[], None]) -> None:
    """Call something when this worker ends, which it may do without ``atexit``."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, call, exitpriority=_LAST)


def at_end_of_forked(owner: object, call: Callable[[], None]) -> None:
    """Call something when the worker ends that was just forked and has not begun yet."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        # At its start a worker forgets all finalizers; what is registered so comes after.
        util.register_after_fork(owner, lambda _: at_end(call))
