"""The code behind a run: the cells that it depends on, as they were, in the order in which they ran."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tracknb.capture.executions import in_words
from tracknb.entities import CellExecution
from tracknb.errors import InvalidValue
from tracknb.view import standalone
from tracknb.view.base import HTML_LIMIT, VERSION, View, safe, sendable, shortened
from tracknb.view.format import clipped

_ENDINGS: Final = (".py", ".ipynb")
_LETTERS: Final = 100_000


class RunCode(View):
    """The cells behind a run; make one with ``tracknb.code()``.

    ``cells`` holds them: the run's own cell last, before it those that it depends on. ``changed``
    holds the paths of files that they read and that are others now.
    """

    def __init__(self, run_name: str, cells: Sequence[CellExecution], *, own: str, changed: Sequence[str] = ()) -> None:
        super().__init__()
        self.run_name = run_name
        self.cells = tuple(cells) or (_unrecorded(own),)
        self.changed = tuple(changed)

    def text(self, *, times: bool = False) -> str:
        """Return the cells one after the other, each under a line that says why it is there."""
        cells = [f"{_reason(cell)}\n{cell.source.rstrip()}" for cell in self.cells]
        return "\n\n".join([*(f"# {line}" for line in self._warnings()), *cells])

    def _warnings(self) -> list[str]:
        return [sendable(f"{path} has changed since the run read it") for path in self.changed]

    def html(self) -> str:
        """Return the same as HTML, escaped."""
        limit = HTML_LIMIT // (2 * len(self.cells)) if self.cells else 0
        warnings = "".join(f"<p>{safe(line)}</p>" for line in self._warnings())
        return warnings + "".join(
            f"<p>{safe(_reason(cell))}</p><pre>{safe(clipped(cell.source.rstrip(), max(200, limit)))}</pre>"
            for cell in self.cells
        )

    def payload(self) -> dict[str, Any]:
        """Return the text, which every front end shows."""
        return {
            "version": VERSION,
            "kind": "code",
            "view": self.view_id,
            "text": shortened(self.text(), _LETTERS),
        }

    def title_text(self) -> str:
        """Return what a saved page is called."""
        return f"Code of {self.run_name}"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the cells as a notebook (``.ipynb``), a script (``.py``) or a page (``.html``), and return its path.

        A script holds IPython's lines, such as ``%time``, as comments: Python does not know them.

        Raises
        ------
        InvalidValue
            The name ends otherwise, or nobody may write there.
        """
        ending = Path(path).suffix.lower()
        if ending == ".html":
            return super().save(path)
        if ending not in _ENDINGS:
            raise InvalidValue(f"Code is saved as .ipynb, .py or .html; '{Path(path).name}' ends otherwise.")
        content = self._notebook() if ending == ".ipynb" else self._script()
        return standalone.write(path, content.encode("utf-8", "replace"))

    def _notebook(self) -> str:
        cells: list[dict[str, Any]] = [
            {
                "cell_type": "code",
                "id": f"cell-{cell.number}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": cell.source.splitlines(keepends=True),
            }
            for cell in self.cells
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}
        return json.dumps(notebook, indent=1) + "\n"

    def _script(self) -> str:
        parts = []
        for cell in self.cells:
            lines = cell.source.rstrip().split("\n")
            parts.append("\n".join([_reason(cell), *(_as_python(line) for line in lines)]))
        return "\n\n".join(parts) + "\n"


def _reason(cell: CellExecution) -> str:
    """Return the comment above a cell: its number in the brackets, and what it is needed for."""
    place = f"[{cell.execution_count}]" if cell.execution_count else "a cell"
    failed = "" if cell.status == "FINISHED" else f", {cell.status.lower()}"
    if cell.role == "needed":
        names = ", ".join(map(in_words, cell.names[:6]))
        more = f" and {len(cell.names) - 6} more" if len(cell.names) > 6 else ""
        return sendable(f"# {place} for {names}{more}{failed}")
    return f"# {place} the run{failed}"


def _as_python(line: str) -> str:
    return f"# {line}" if line.lstrip().startswith(("%", "!")) else line


def _unrecorded(own: str) -> CellExecution:
    """Return the one cell that a run of an older tracknb, or of another tracker, knows."""
    return CellExecution(1, own, "", 0, 0, None, "FINISHED", "tracked")
