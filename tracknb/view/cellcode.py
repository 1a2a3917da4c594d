"""Which lines of code differ between two runs, cell by cell.

The cells behind a run stand in the order in which they ran. A cell of one run is the same cell
in another by its id, else by its lines; what has no partner is new or gone. The line of
``%%track_run`` does not count, because what it says is told as params and tags, and neither does
a literal whose change is told already: ``lr = 0.1`` beside the param ``lr``.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from tracknb.entities import CellExecution

_LINE: Final = "%%track_run"
# Cells that are held against each other line by line to find out which belong together.
_MOST_PAIRS: Final = 400
_ALIKE: Final = 0.5


@dataclass(frozen=True, slots=True)
class CellChange:
    """A cell whose code differs between two runs.

    ``lines`` begin with ``-`` and ``+``, as in a unified diff without lines around; there are none
    where only comments or the layout differ.
    """

    old: CellExecution | None
    new: CellExecution | None
    lines: tuple[str, ...] = ()


def changed_cells(
    before: Sequence[CellExecution], after: Sequence[CellExecution], told: Set[tuple[str, str]] = frozenset()
) -> list[CellChange]:
    """Return the cells that differ, those that are gone after those that are there.

    Parameters
    ----------
    before, after
        The cells behind two runs, each run's own last.
    told
        Values, old and new, whose change is told elsewhere.

    Examples
    --------
    >>> def cell(source: str) -> CellExecution:
    ...     return CellExecution(1, source, "", 1, 0, None, "FINISHED", "needed")
    >>> [change.lines for change in changed_cells([cell("a = 1\\nb = 2")], [cell("a = 1\\nb = 3")])]
    [('-b = 2', '+b = 3')]
    >>> changed_cells([cell("a = 1\\nb = 2")], [cell("a = 1\\nb = 3")], {("2", "3")})
    []
    """
    old, new = _distinct(before), _distinct(after)
    partners, gone = _pairs(old, new)
    found = []
    for cell, partner in zip(new, partners, strict=True):
        if partner is None:
            found.append(CellChange(None, cell, tuple(f"+{line}" for line in body(cell).splitlines())))
        elif body(cell) != body(partner):
            difference = _difference(body(partner), body(cell), told)
            found += [] if difference is None else [CellChange(partner, cell, difference)]
    return found + [CellChange(cell, None, tuple(f"-{line}" for line in body(cell).splitlines())) for cell in gone]


def body(cell: CellExecution) -> str:
    """Return the code of a cell without the line that tracks it."""
    first, _, rest = cell.source.lstrip().partition("\n")
    return (rest if first.split(None, 1)[:1] == [_LINE] else cell.source).strip()


def joined(cells: Sequence[CellExecution]) -> str:
    """Return the code of cells in one text, so that it can be held against another run's."""
    return "\n\n".join(text for cell in _distinct(cells) if (text := cell.source.strip()))


def _distinct(cells: Sequence[CellExecution]) -> list[CellExecution]:
    """Return each code once, and of the run's own cell only what ran last: it may have needed itself."""
    own = cells[-1] if cells else None
    kept: dict[str, CellExecution] = {}
    for cell in cells:
        text = body(cell)
        if text and (cell is own or own is None or not cell.cell_id or cell.cell_id != own.cell_id):
            kept.pop(text, None)
            kept[text] = cell
    return list(kept.values())


def _pairs(
    old: Sequence[CellExecution], new: Sequence[CellExecution]
) -> tuple[list[CellExecution | None], list[CellExecution]]:
    """Return the partner of each new cell, and the old ones that are nobody's."""
    partners: dict[int, int] = {}
    matcher = difflib.SequenceMatcher(None, [body(cell) for cell in old], [body(cell) for cell in new], autojunk=False)
    for first, second, count in matcher.get_matching_blocks():
        partners |= {second + place: first + place for place in range(count)}
    if old and new and not {len(new) - 1} & partners.keys() and len(old) - 1 not in partners.values():
        # Each run's own cell: it is the same one, or nobody would compare them.
        partners[len(new) - 1] = len(old) - 1
    free = [place for place in range(len(old)) if place not in set(partners.values())]
    for place, cell in enumerate(new):
        if place not in partners:
            found = _partner(cell, old, free, is_small=len(old) * len(new) <= _MOST_PAIRS)
            if found is not None:
                partners[place] = found
                free.remove(found)
    found_partners = [old[partners[place]] if place in partners else None for place in range(len(new))]
    return found_partners, [old[place] for place in free]


def _partner(cell: CellExecution, old: Sequence[CellExecution], free: Sequence[int], *, is_small: bool) -> int | None:
    """Return which of the free old cells a new one was: by id, else the most alike that gave the same names."""
    if cell.cell_id:
        for place in free:
            if old[place].cell_id == cell.cell_id:
                return place
    if not is_small:
        return None
    lines = body(cell).splitlines()
    rated = []
    for place in free:
        if not (cell.cell_id and old[place].cell_id):
            alike = difflib.SequenceMatcher(None, body(old[place]).splitlines(), lines, autojunk=False).ratio()
            rated.append((bool(set(cell.names) & set(old[place].names)), alike, -place))
    if not rated:
        return None
    gives_same, alike, place = max(rated)
    return -place if gives_same or alike > _ALIKE else None


def _difference(old: str, new: str, told: Set[tuple[str, str]]) -> tuple[str, ...] | None:
    """Return the lines that differ; None where all that differs is told elsewhere."""
    trees = _tree(old), _tree(new)
    if trees[0] is not None and trees[1] is not None:
        try:
            if _is_same(*trees, frozenset()):
                return ()
            if told and _is_same(*trees, told):
                return None
        except RecursionError:
            pass
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
    return tuple(line for line in list(lines)[2:] if not line.startswith("@@"))


def _tree(source: str) -> ast.AST | None:
    """Return the tree of a cell; a line of IPython's counts as the text that it is."""
    lines = [repr(line) if line.startswith(("%", "!")) else line for line in source.split("\n")]
    try:
        return ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_same(old: Any, new: Any, told: Set[tuple[str, str]]) -> bool:
    """Say whether two trees differ in nothing, or only in literals whose change is told."""
    if told and isinstance(old, ast.expr) and isinstance(new, ast.expr) and (_text(old), _text(new)) in told:
        return True
    if type(old) is not type(new):
        return False
    if isinstance(old, ast.AST):
        return all(_is_same(getattr(old, name, None), getattr(new, name, None), told) for name in old._fields)
    if isinstance(old, list):
        return len(old) == len(new) and all(_is_same(a, b, told) for a, b in zip(old, new, strict=True))
    return bool(old == new)


def _text(node: ast.expr) -> str | None:
    """Return a literal as it is logged as a param; None for what is none."""
    if not isinstance(node, ast.Constant | ast.UnaryOp | ast.List | ast.Tuple | ast.Dict | ast.Set):
        return None
    try:
        return str(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
