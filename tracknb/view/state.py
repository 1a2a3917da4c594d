"""The state of a view as one short readable text: ``runs?e=nyc-taxi&q=metrics.rmse < 4&sort=-metrics.rmse``.

The front end reads and writes the same text (``state.ts``, one corpus for both). What
nobody knows is passed over, and said; no text can do harm or fail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# The views that a text may open, and the parts that some view knows: what each means stands in state.ts.
VIEWS: Final = ("experiments", "experiment", "runs", "trend", "compare", "run")
PARTS: Final = (
    "e",
    "all",
    "q",
    "text",
    "tags",
    "sets",
    "owner",
    "life",
    "list",
    "cols",
    "pin",
    "sort",
    "group",
    "fold",
    "archived",
    "metric",
    "x",
    "y",
    "color",
    "log",
    "smooth",
    "best",
    "chart",
    "tab",
    "id",
    "ids",
)
# Longer than any view's own text; what is beyond is no view. Counted as JavaScript counts letters.
_LONGEST: Final = 4_000
# What would end a part, a quoted word or a magic's line, or what IPython replaces in one.
_SPECIAL: Final = re.compile(r"[%&'\"\\{}$`\x00-\x1f\x7f]")
_ESCAPED: Final = re.compile("%([0-7][0-9A-Fa-f])")
# What JavaScript's trim() takes for space.
_SPACE: Final = "\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))


@dataclass(frozen=True, slots=True)
class ViewState:
    """What a text says: which view, what is set in it, and what was passed over in words."""

    view: str | None
    parts: dict[str, str]
    note: str


def write_state(view: str, parts: Mapping[str, str]) -> str:
    """Return a view and what is set in it as text; empty parts are left out.

    Examples
    --------
    >>> write_state("runs", {"e": "nyc-taxi", "q": "params.model = 'ridge'"})
    'runs?e=nyc-taxi&q=params.model = %27ridge%27'
    """
    written = [f"{key}={_SPECIAL.sub(_escaped, parts[key])}" for key in PARTS if parts.get(key)]
    return f"{view}?{'&'.join(written)}" if written else view


def read_state(text: str) -> ViewState:
    """Return what a text says; never fails.

    Examples
    --------
    >>> read_state("runs?e=nyc-taxi&wings=2")
    ViewState(view='runs', parts={'e': 'nyc-taxi'}, note="Not known to this tracknb and passed over: 'wings'.")
    """
    if len(text.encode("utf-16-le", "surrogatepass")) > 2 * _LONGEST:
        return ViewState(None, {}, "The view is too long to be one of tracknb and was not used.")
    name, mark, rest = text.partition("?")
    name = name.strip(_SPACE)
    unknown = [name] if name and name not in VIEWS else []
    parts: dict[str, str] = {}
    for piece in rest.split("&") if mark else []:
        key, sign, value = piece.partition("=")
        key = key.strip(_SPACE)
        if sign and key in PARTS:
            parts[key] = _unescaped(value)
        elif key:
            unknown.append(key)
    words = ", ".join(f"'{word[:40]}'" for word in unknown[:5]) + (" ..." if len(unknown) > 5 else "")
    note = f"Not known to this tracknb and passed over: {words}." if unknown else ""
    return ViewState(name if name in VIEWS else None, parts, note)


def separated(part: str) -> list[str]:
    """Return the values of a part that holds several; the front end's ``joined`` wrote them.

    Examples
    --------
    >>> separated("a%2Cb,100%25")
    ['a,b', '100%']
    """
    return [_unescaped(value) for value in part.split(",")] if part else []


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _escaped(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"
