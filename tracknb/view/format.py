"""How numbers, times and columns of text read; the front end's ``format.ts`` follows the same rules.

One difference is on purpose: a minus is the hyphen here, so that text copied from a
terminal is still a number.
"""

from __future__ import annotations

import math
import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Final

# JavaScript rounds the half of a digit up, which `.4g` and `.1f` do not.
_FOUR_DIGITS: Final = Context(prec=4, rounding=ROUND_HALF_UP)
# A param may hold thousands of letters; a column of text cannot.
_CELL_LETTERS: Final = 60
STATUS_MARKS: Final = {"RUNNING": "●", "FINISHED": "✓", "FAILED": "✕", "KILLED": "■", "SCHEDULED": "○"}


def number(value: float | None) -> str:
    """Return a number with 4 significant digits; missing is empty, NaN says NaN.

    Digits before the point stay up to a million, since 12346 reads better than 1.235e4.

    Examples
    --------
    >>> [number(x) for x in (0.123456, 12345.6, 1234567.0, 3.0, 0.00001234, float("nan"), None)]
    ['0.1235', '12346', '1.235e6', '3', '1.234e-5', 'NaN', '']
    """
    if value is None:
        return ""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if value == int(value) and size < 1e6:
        return str(int(value))
    if 1000 <= size < 1e6:
        return str(math.floor(value + 0.5))
    short = _FOUR_DIGITS.create_decimal_from_float(value)
    if 1e-4 <= size < 1e6:
        return f"{short.normalize():f}"
    digits, exponent = f"{short:.3e}".split("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"


def json_number(value: float | None) -> float | int | str | None:
    """Return a number as strict JSON can hold it."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def duration(milliseconds: int | None) -> str:
    """Return a length of time in its two largest units.

    Examples
    --------
    >>> [duration(x) for x in (800, 12_300, 59_960, 125_000, 7_500_000, 90_000_000)]
    ['0.8 s', '12 s', '1 min', '2 min 5 s', '2 h 5 min', '1 d 1 h']
    """
    if milliseconds is None:
        return ""
    seconds = max(0, milliseconds) / 1000
    if seconds < 9.95:
        return f"{Decimal(seconds).quantize(Decimal('0.1'), rounding=ROUND_HALF_UP)} s"
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    large, word, small, rest_word = next(
        units
        for units in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
        if whole >= units[0]
    )
    rest = whole % large // small
    return f"{whole // large} {word} {rest} {rest_word}" if rest else f"{whole // large} {word}"


def size(count: int) -> str:
    """Return a number of bytes in the unit that fits.

    Examples
    --------
    >>> [size(x) for x in (0, 999, 1_500, 2_000_000, 12_300_000_000)]
    ['0 B', '999 B', '1.5 kB', '2 MB', '12.3 GB']
    """
    if count < 1_000:
        return f"{count} B"
    for unit, factor in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if count < 999.95 * factor or unit == "GB":
            break
    return f"{count / factor:.1f}".removesuffix(".0") + f" {unit}"


def moment(timestamp_ms: int | None) -> str:
    """Return a time in the local zone, to the second."""
    if timestamp_ms is None:
        return ""
    try:
        return datetime.fromtimestamp(timestamp_ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return str(timestamp_ms)


def status(word: str) -> str:
    """Return a status with its mark."""
    return f"{STATUS_MARKS.get(word, '?')} {word}"


def one_line(text: str) -> str:
    """Return stored text that cannot move a terminal's cursor or begin a new line."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else " " if letter.isspace() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def clipped(text: str, limit: int) -> str:
    """Return a text of at most ``limit`` letters; an ellipsis stands for the rest."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def width(text: str) -> int:
    """Return how many columns a text takes in a terminal."""
    return sum(
        0 if unicodedata.category(letter) in ("Mn", "Me") else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[bool]) -> str:
    """Return aligned columns of text; those that are empty throughout are left out."""
    clean = [[one_line(clipped(cell, _CELL_LETTERS)) for cell in row] for row in (head, *rows)]
    kept = [index for index in range(len(head)) if any(row[index] for row in clean[1:])] or [0]
    wide = {index: max(width(row[index]) for row in clean) for index in kept}
    lines = []
    for row in clean:
        cells = []
        for index in kept:
            gap = " " * (wide[index] - width(row[index]))
            cells.append(gap + row[index] if right[index] else row[index] + gap)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def counted(shown: int, total: int, what: str = "run") -> str:
    """Return "12 of 480 runs", or "1 run" where all are shown."""
    plural = what if total == 1 else f"{what}s"
    return f"{total:,} {plural}" if shown == total else f"{shown:,} of {total:,} {plural}"


def sorted_keys(mappings: Sequence[dict[str, Any] | Any]) -> list[str]:
    """Return every key of several mappings, in alphabetical order."""
    return sorted({key for mapping in mappings for key in mapping})


def told_apart(runs: Sequence[tuple[str, str]]) -> list[str]:
    """Return the names of runs, given with their ids; names that several share get the beginning of the id.

    Examples
    --------
    >>> told_apart([("linear", "c0ffee42"), ("forest", "beef1234"), ("linear", "cafe5678")])
    ['linear c0ffee', 'forest', 'linear cafe56']
    """
    shared = Counter(name for name, _ in runs)
    return [name if shared[name] == 1 else f"{name} {run_id[:6]}" for name, run_id in runs]


def without_home(text: str, home: str | None = None) -> str:
    """Return a text for a saved output: it does not tell how the user's folder is called."""
    home = os.path.expanduser("~") if home is None else home
    return text.replace(f"{home}/", "~/") if len(home) > 1 else text
