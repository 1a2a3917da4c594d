"""What a page shows of a file: its beginning as text, table, picture or cells. Nothing of it is run.

A pickle is never opened. HTML travels as text; the page shows it in a frame without
scripts, without an origin and without the right to load anything.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import PurePosixPath
from typing import Any, Final

from tracknb.view.base import sendable
from tracknb.view.format import clipped
from tracknb.view.parquet import NoPreview, parquet_head, text_of

ROWS: Final = 100
COLUMNS: Final = 60
_CELL_LETTERS: Final = 300
_CELLS: Final = 200
_PRETTY_LETTERS: Final = 5_000_000
_PICTURES: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".svg": "image/svg+xml",
}
_TABLES: Final = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True, slots=True)
class Preview:
    """What is shown of a file; ``data`` are the bytes of a picture."""

    content: dict[str, Any]
    data: bytes | None = None


def preview_of(path: str, data: bytes, size: int) -> Preview:
    """Return what to show of a file, of which ``data`` is the beginning and ``size`` the whole."""
    suffix = PurePosixPath(path).suffix.lower()
    is_cut = len(data) < size
    if suffix in _PICTURES:
        if is_cut:
            return nothing(f"The picture has {size:,} bytes; previews end at {len(data):,}.")
        return Preview({"kind": "image", "mime": _PICTURES[suffix]}, data)
    if suffix in (".parquet", ".pq"):
        return _parquet(data, is_cut)
    text = _as_text(data, is_cut)
    if text is None:
        return nothing("This is no text. Download it to open it elsewhere.")
    if suffix in _TABLES:
        return _separated(text, _TABLES[suffix], is_cut)
    if suffix in (".html", ".htm"):
        return Preview({"kind": "html", "text": text, "cut": is_cut})
    if not is_cut and suffix == ".ipynb":
        found = _notebook(text)
        if found is not None:
            return found
    if not is_cut and suffix == ".json":
        found = _json(text)
        if found is not None:
            return found
    return Preview({"kind": "text", "text": text, "cut": is_cut})


def nothing(reason: str) -> Preview:
    """Return the preview of what cannot be shown, and why."""
    return Preview({"kind": "none", "note": reason})


def _as_text(data: bytes, is_cut: bool) -> str | None:
    if b"\x00" in data[:8_000]:
        return None
    if is_cut:
        # The cut may go through a letter: it is at most 4 bytes long.
        for end in range(4):
            try:
                return data[: len(data) - end].decode("utf-8-sig")
            except UnicodeDecodeError:
                continue
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Mostly text all the same, such as a CSV in Latin-1.
        text = data.decode("utf-8", "replace")
        return text if text.count("\N{REPLACEMENT CHARACTER}") <= len(text) / 20 else None


def _table(head: Sequence[Any], rows: Sequence[Sequence[Any]], total: int | None, note: str = "") -> Preview:
    def cells(row: Sequence[Any]) -> list[str]:
        return [_cell(value) for value in row[:COLUMNS]]

    return Preview(
        {
            "kind": "table",
            "head": cells(head),
            "rows": [cells(row) for row in rows[:ROWS]],
            "total": total,
            "columns": len(head),
            "note": note,
        }
    )


def _cell(value: Any) -> str:
    return sendable(clipped(text_of(value), _CELL_LETTERS))


def _separated(text: str, delimiter: str, is_cut: bool) -> Preview:
    first = text.split("\n", 1)[0]
    if delimiter == "," and first.count(";") > first.count(","):
        delimiter = ";"
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[list[Any]] = []
    total = 0
    try:
        for row in lines:
            total += bool(row)
            if row and len(rows) <= ROWS + 1:
                rows.append(row)
    except csv.Error:
        return Preview({"kind": "text", "text": text, "cut": is_cut})
    if not rows:
        return Preview({"kind": "text", "text": text, "cut": is_cut})
    return _table(rows[0], rows[1:], None if is_cut else total - 1)


def _json(text: str) -> Preview | None:
    try:
        value = json.loads(text)
        if (
            isinstance(value, dict)
            and set(value) == {"columns", "data"}
            and all(isinstance(part, list) for part in (value["columns"], value["data"], *value["data"]))
        ):
            # How log_table keeps tables.
            return _table(value["columns"], value["data"], len(value["data"]))
        pretty = _pretty(value)
    except (ValueError, RecursionError):
        return None
    return None if pretty is None else Preview({"kind": "json", "text": sendable(pretty), "cut": False})


def _pretty(value: Any) -> str | None:
    """Return JSON with its lines set in; None where that would be far longer than the file.

    A million letters of brackets within brackets would be a gigabyte of spaces.
    """
    parts: list[str] = []
    length = 0
    for part in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        length += len(part)
        if length > _PRETTY_LETTERS:
            return None
        parts.append(part)
    return "".join(parts)


def _notebook(text: str) -> Preview | None:
    try:
        cells = json.loads(text)["cells"]
        shown = [
            {
                "type": sendable(str(cell.get("cell_type", ""))),
                "source": _joined(cell.get("source")),
                "output": _outputs(cell),
            }
            for cell in cells[:_CELLS]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return Preview({"kind": "notebook", "cells": shown, "total": len(cells)})


def _joined(text: Any) -> str:
    return sendable("".join(str(line) for line in text) if isinstance(text, list) else str(text or ""))


def _outputs(cell: Any) -> str:
    """Return the outputs of a cell that are text."""
    parts = []
    for output in cell.get("outputs", []):
        if "text" in output:
            parts.append(_joined(output["text"]))
        elif isinstance(output.get("data"), dict) and "text/plain" in output["data"]:
            parts.append(_joined(output["data"]["text/plain"]))
        elif output.get("output_type") == "error":
            parts.append(sendable(f"{output.get('ename', '')}: {output.get('evalue', '')}"))
    return "\n".join(part.rstrip("\n") for part in parts)[:20_000]


def _parquet(data: bytes, is_cut: bool) -> Preview:
    if find_spec("pyarrow") is None:
        return nothing('Previews of Parquet need pyarrow: pip install "pyarrow".')
    if is_cut:
        return nothing("The file is too large for a preview: what Parquet holds is told at its end.")
    try:
        return _table(*parquet_head(data, rows=ROWS, columns=COLUMNS))
    except NoPreview as problem:
        return nothing(str(problem))
