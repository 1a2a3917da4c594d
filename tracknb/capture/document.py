"""A notebook as it stands: which cells it has and in which order, as a page or the saved file tells."""

from __future__ import annotations

import json
import os
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tracknb.capture.executions import Execution

# What a page says, and what a file holds, beyond which it is not listened to.
_MOST_CELLS: Final = 5_000
_MOST_LETTERS: Final = 100
_MOST_PAGES: Final = 16
_FILE_BYTES: Final = 8_000_000
# A file system that does not answer must not keep the cell from ending.
_FILE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Document:
    """A notebook at one moment.

    Parameters
    ----------
    cells
        Digests of its code cells by id, in their order.
    seen
        The number of the last execution that had begun by then: cells that ran later are known better.
    has_order
        Whether the order is that of the moment in which the run's cell began.
    """

    cells: Mapping[str, int]
    seen: int
    has_order: bool


def digest(source: str) -> int:
    """Return what tells two texts of a cell apart; how a line ends and what follows the last one is not looked at.

    The extension makes the same in `celltext.ts`.

    Examples
    --------
    >>> digest("lr = 0.1  \\r\\n\\n") == digest("lr = 0.1"), digest("lr = 0.1")
    (True, 420253990)
    """
    lines = [line.rstrip(" \t\r") for line in source.split("\n")]
    return zlib.crc32("\n".join(lines).rstrip("\n").encode("utf-8", "replace"))


# -- from pages ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Word:
    cells: Mapping[str, int]
    before: str
    seen: int


@dataclass(slots=True)
class Told:
    """What pages said of the notebooks that they show.

    A page tells while the kernel is idle, and when it sends a cell: then ``before`` names the
    message that the cell travels in. So what is edited while a cell runs does not count for it.
    """

    _words: dict[Any, _Word] = field(default_factory=dict)
    _begun: dict[Any, _Word] = field(default_factory=dict)
    _message: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, page: Any, told: object, *, seen: int) -> None:
        """Take in what a page says; what is malformed or too much is passed over.

        ``seen`` is the number of the last execution that has begun.
        """
        word = _word_of(told, seen)
        if word is None:
            return
        with self._lock:
            self._words.pop(page, None)
            self._words[page] = word
            while len(self._words) > _MOST_PAGES:
                self._words.pop(next(iter(self._words)))
            if word.before and word.before == self._message:
                self._begun[page] = word

    def forget(self, page: Any) -> None:
        """Note that a page is gone: what happens to its notebook from now on nobody tells."""
        with self._lock:
            self._words.pop(page, None)

    def begin(self, message: str) -> None:
        """Note that a cell begins, and the id of the message that it came in."""
        with self._lock:
            self._begun = dict(self._words)
            self._message = message

    def document(self, target: Execution) -> Document | None:
        """Return the notebook of the cell that runs, as it stood when that began; None if no page tells."""
        with self._lock:
            words = list(self._begun.values())
        for word in reversed(words):
            if target.cell_id and target.cell_id in word.cells:
                return Document(word.cells, word.seen, has_order=True)
        return None


def _word_of(told: object, seen: int) -> _Word | None:
    """Return what a page said; None where it is not what our pages say."""
    cells = told.get("cells") if isinstance(told, dict) else None
    before = told.get("before") if isinstance(told, dict) else None
    if not isinstance(cells, list) or len(cells) > _MOST_CELLS:
        return None
    found: dict[str, int] = {}
    for item in cells:
        match item:
            case [str(cell_id), int(number)] if cell_id and len(cell_id) <= _MOST_LETTERS:
                found[cell_id] = number
            case _:
                return None
    return _Word(found, before if isinstance(before, str) and len(before) <= _MOST_LETTERS else "", seen)


# -- from the file ---------------------------------------------------------------------


@dataclass(slots=True)
class Saved:
    """The saved file of a notebook, read again only where it was saved again."""

    _key: tuple[str, int, int] = ("", 0, 0)
    _cells: Mapping[str, int] | None = None
    _reading: threading.Thread | None = None

    def document(self, path: str, executions: Sequence[Execution]) -> Document | None:
        """Return what the file tells at the end of the last of the executions; None where it could mislead.

        It misleads where it was saved before the run's cell was there, and where cells have no ids.
        """
        if self._reading is not None and self._reading.is_alive():
            return None
        self._reading = threading.Thread(target=self._read, args=(path,), name="tracknb-notebook", daemon=True)
        self._reading.start()
        self._reading.join(_FILE_SECONDS)
        target = executions[-1]
        if self._reading.is_alive() or self._cells is None or target.cell_id not in self._cells:
            return None
        saved_ms = self._key[1] // 1_000_000
        seen = max((item.number for item in executions if item.start_time < saved_ms), default=0)
        return Document(self._cells, seen, has_order=seen >= target.number)

    def _read(self, path: str) -> None:
        try:
            status = os.stat(path)
            key = (path, status.st_mtime_ns, status.st_size)
            if key == self._key:
                return
            self._key, self._cells = key, None
            if status.st_size <= _FILE_BYTES:
                with open(path, encoding="utf-8") as file:
                    self._cells = _cells_of(json.load(file))
        except (OSError, ValueError, RecursionError):
            self._key, self._cells = ("", 0, 0), None


def _cells_of(notebook: object) -> Mapping[str, int] | None:
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or len(cells) > _MOST_CELLS:
        return None
    found = {}
    for cell in cells:
        match cell:
            case {"cell_type": "code", "id": str(cell_id), "source": str() | list() as source}:
                found[cell_id] = digest(source if isinstance(source, str) else "".join(map(str, source)))
            case {"cell_type": "code"}:
                # Before format 4.5 cells have no ids, and those of the page are others each time.
                return None
    return found
