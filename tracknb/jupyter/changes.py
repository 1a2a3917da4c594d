"""What has changed since a page asked last, so that nothing new costs nothing and little new costs little."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final

from tracknb.looking.listing import RunList

# Questions that are remembered, and how many answers of each: every open page may be at another one.
_QUESTIONS: Final = 50
_ANSWERS: Final = 8
# A run that a dead kernel left is noticed by time alone.
_RUNNING_SECONDS: Final = 15.0


@dataclass(slots=True)
class _Told:
    """One answer: digests of its rows, and the state of the store that it was read from."""

    rows: dict[str, str]
    state: str | None
    is_changing: bool
    read_at: float


@dataclass(slots=True)
class _Question:
    lock: threading.Lock = field(default_factory=threading.Lock)
    newest: str | None = None
    told: OrderedDict[str, _Told] = field(default_factory=OrderedDict)


class Changes:
    """The answers that pages of one server were given lately."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._questions: OrderedDict[Hashable, _Question] = OrderedDict()

    def since(
        self, question: Hashable, revision: str, state: str | None, read: Callable[[], RunList]
    ) -> dict[str, Any]:
        """Return what a page that knows a revision lacks: changed rows by id, ids that are gone, and the new revision.

        ``state`` is the store's, taken before anything is read; None where the store has to be
        read to know. ``whole`` says that the rows are all there are, because nobody remembers
        the page's revision.
        """
        asked = self._question(question)
        with asked.lock:
            newest = asked.told.get(asked.newest or "")
            if newest is not None and revision == asked.newest and _still_holds(newest, state):
                return {"revision": revision}
            return self._read_again(asked, revision, state, read)

    def _read_again(
        self, asked: _Question, revision: str, state: str | None, read: Callable[[], RunList]
    ) -> dict[str, Any]:
        now = time.monotonic()
        found = read()
        rows = {key: _digest(row) for key, row in found.rows.items()}
        new = _digest([sorted(rows.items()), found.has_more, found.experiments])
        known = asked.told.get(revision)
        asked.told[new] = _Told(rows, state, found.is_changing, now)
        asked.told.move_to_end(new)
        asked.newest = new
        while len(asked.told) > _ANSWERS:
            asked.told.popitem(last=False)
        if new == revision:
            return {"revision": new}
        before = known.rows if known is not None else {}
        return {
            "revision": new,
            "whole": known is None,
            "rows": {key: row for key, row in found.rows.items() if before.get(key) != rows[key]},
            "gone": [key for key in before if key not in rows],
            "more": found.has_more,
            "experiments": found.experiments,
        }

    def _question(self, question: Hashable) -> _Question:
        with self._lock:
            asked = self._questions.setdefault(question, _Question())
            self._questions.move_to_end(question)
            if len(self._questions) > _QUESTIONS:
                self._questions.popitem(last=False)
            return asked


def _still_holds(told: _Told, state: str | None) -> bool:
    if state is None or told.state != state:
        return False
    return not told.is_changing or time.monotonic() - told.read_at < _RUNNING_SECONDS


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:20]
