"""What a run depends on that its notebook, run from top to bottom, would not show; and the grade that follows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Final

from tracknb.capture.document import Document, digest
from tracknb.capture.executions import FILE, STATE, Execution, Needed, in_words

CLEAN: Final = "clean"
DIRTY: Final = "dirty git"
UNSEEDED: Final = "unseeded"
CHANGED_FILE: Final = "changed file"
OUT_OF_ORDER: Final = "out of order"
STALE: Final = "stale name"
# From the best to the worst; a run has the worst that holds.
GRADES: Final = (CLEAN, DIRTY, UNSEEDED, CHANGED_FILE, OUT_OF_ORDER, STALE)
# Those of runs with hidden state.
DOUBTFUL: Final = GRADES[2:]
# Generators of random numbers that all of a process shares, and how each is seeded.
_SEEDS: Final = {
    f"{STATE}random": "random.seed(0)",
    f"{STATE}numpy": "numpy.random.seed(0)",
    f"{STATE}torch": "torch.manual_seed(0)",
}
# What is state of the process anyway, and orders no cells.
_PROCESS: Final = frozenset({f"{STATE}path", f"{STATE}environ", f"{STATE}cwd"})
# How many reasons of one kind are told, and how many cells are held against each other: each against all.
_REASONS: Final = 5
_CHAIN: Final = 300
_AGAIN: Final = "Put its code back (%track code shows it), then run this cell again."


@dataclass(frozen=True, slots=True)
class Hidden:
    """One thing that a run depends on and its notebook does not show, and what helps."""

    grade: str
    reason: str
    remedy: str


def worst(grades: Iterable[str]) -> str:
    """Return the worst of some grades; ``clean`` if there are none.

    Examples
    --------
    >>> worst(["dirty git", "stale name", "unseeded"]), worst([])
    ('stale name', 'clean')
    """
    return max((grade for grade in grades if grade in GRADES), key=GRADES.index, default=CLEAN)


def hidden_state(
    executions: Sequence[Execution],
    needed: Sequence[Needed],
    unmade: Collection[str],
    *,
    document: Document | None = None,
    changed: Mapping[str, Execution] | None = None,
) -> list[Hidden]:
    """Return what a run depends on that its notebook, run from top to bottom, would not show; the worst first.

    Parameters
    ----------
    executions
        All of the kernel's, the run's own last.
    needed, unmade
        As `slice_of` returns them.
    document
        The notebook as it stands, as far as anybody tells.
    changed
        Files that are others than they were when an execution read them.

    Examples
    --------
    >>> first = Execution(1, "lr = 0.1", "a", 1, 0, writes={"lr"}, kills={"lr"})
    >>> target = Execution(2, "print(lr)", "b", 2, 0, reads={"lr"})
    >>> document = Document({"a": digest("lr = 0.2"), "b": digest("print(lr)")}, seen=2, has_order=True)
    >>> from tracknb.capture.executions import slice_of
    >>> [found] = hidden_state([first, target], *slice_of([first, target], target), document=document)
    >>> found.grade, found.reason
    ('stale name', 'lr came from an older version of the cell [1]')
    >>> found.remedy
    'Run the cell [1] again, then this one.'
    """
    if not executions:
        return []
    target = executions[-1]
    found = [
        *_stale(executions, needed, document),
        *_out_of_order(needed, target, document),
        *_repeated(needed, target, unmade),
        *_changed_files(changed or {}, target),
        *_unseeded(unmade),
    ]
    # Two executions of one cell may say the same.
    return sorted(dict.fromkeys(found), key=lambda item: -GRADES.index(item.grade))


def _stale(executions: Sequence[Execution], needed: Sequence[Needed], document: Document | None) -> Iterable[Hidden]:
    """Yield what came from a text of a cell that the notebook no longer has."""
    latest = {item.cell_id: item for item in executions if item.cell_id}
    for item in needed:
        execution, names = item.execution, _listed(item.names)
        newest = latest.get(execution.cell_id, execution)
        # What ran after the notebook was looked at is as it ran.
        told = document if document is not None and execution.cell_id and newest.number <= document.seen else None
        if told is not None and execution.cell_id not in told.cells:
            reason = f"{names} came from the cell {_bracketed(newest)}, which is no longer in the notebook"
            yield Hidden(STALE, reason, _AGAIN)
        elif digest(execution.source) != (digest(newest.source) if told is None else told.cells[execution.cell_id]):
            reason = f"{names} came from an older version of the cell {_bracketed(newest)}"
            is_edited = digest(execution.source) == digest(newest.source)
            again = f"Run the cell {_bracketed(newest)} again, then this one."
            yield Hidden(STALE, reason, again if is_edited else _AGAIN)


def _out_of_order(needed: Sequence[Needed], target: Execution, document: Document | None) -> Iterable[Hidden]:
    """Yield cells that ran before one that stands above them, where that makes a difference."""
    if document is None or not document.has_order:
        return
    places = {cell_id: place for place, cell_id in enumerate(document.cells)}
    ran = [item.execution for item in needed[-_CHAIN:]] + [target]
    pairs = combinations([item for item in ran if item.cell_id in places], 2)
    wrong = (pair for pair in pairs if places[pair[0].cell_id] > places[pair[1].cell_id] and _depend(*pair))
    for before, after in islice(wrong, _REASONS):
        first, second = _bracketed(before), "this cell" if after is target else f"the cell {_bracketed(after)}"
        yield Hidden(
            OUT_OF_ORDER,
            f"the cell {first} ran before {second}, which stands above it",
            f"Move the cell {first} above {second}, or run the notebook from top to bottom.",
        )


def _depend(before: Execution, after: Execution) -> bool:
    """Say whether two executions would do something else in the other order; what is only assumed does not count."""
    made, makes = before.writes - before.assumed, after.writes - after.assumed
    return bool(((made & (after.reads | makes)) | (before.reads & makes)) - _PROCESS)


def _repeated(needed: Sequence[Needed], target: Execution, unmade: Collection[str]) -> Iterable[Hidden]:
    """Yield cells that ran more than once for a run: from top to bottom they run once."""
    # Random numbers that nobody seeded are others each time anyway.
    passed = _PROCESS | (_SEEDS.keys() & set(unmade))
    latest = {item.execution.cell_id: item.execution for item in needed} | {target.cell_id: target}
    names: dict[str, dict[str, None]] = {}
    counts: dict[str, int] = {}
    for item in needed:
        execution, last = item.execution, latest[item.execution.cell_id]
        sure = [name for name in item.names if name not in execution.assumed and name not in passed]
        if execution.cell_id and execution is not last and digest(execution.source) == digest(last.source) and sure:
            names.setdefault(execution.cell_id, {}).update(dict.fromkeys(sure))
            counts[execution.cell_id] = counts.get(execution.cell_id, 1) + 1
    for cell_id, count in counts.items():
        cell = "this cell" if cell_id == target.cell_id else f"the cell {_bracketed(latest[cell_id])}"
        yield Hidden(
            OUT_OF_ORDER,
            f"{_listed([*names[cell_id]])} came from {count} runs of {cell}",
            "Restart the kernel and run the notebook from top to bottom.",
        )


def _changed_files(changed: Mapping[str, Execution], target: Execution) -> Iterable[Hidden]:
    """Yield files that are others than they were when a cell read them."""
    for path, execution in changed.items():
        own = execution is target
        reader = "this cell" if own else f"the cell {_bracketed(execution)}"
        remedy = "Run this cell again." if own else f"Run {reader} again, then this one."
        if path.endswith(".py"):
            # What was imported once is not read again.
            remedy = "Restart the kernel and run the notebook from top to bottom."
        reason = f"the file {in_words(FILE + path)} has changed since {reader} read it"
        yield Hidden(CHANGED_FILE, reason, remedy)


def _unseeded(unmade: Collection[str]) -> Iterable[Hidden]:
    """Yield what says that random numbers were drawn without a seed."""
    drawn = sorted(name for name in unmade if name in _SEEDS)
    if drawn:
        listed = ", ".join(name.removeprefix(STATE) for name in drawn)
        seeds = " and ".join(_SEEDS[name] for name in drawn)
        reason = f"random numbers of {listed} were drawn without a seed"
        yield Hidden(UNSEEDED, reason, f"Call {seeds} first, in this cell or one above.")


def _bracketed(execution: Execution) -> str:
    return f"[{execution.execution_count}]"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(in_words(name) for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")
