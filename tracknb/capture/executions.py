"""What each execution of a cell read and changed, and which of them a later one depends on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

# What stands for state that no name holds; names of Python have no such letters.
FILE: Final = "file:"
STATE: Final = "state:"
# Generators of random numbers that all of a process shares.
_SEEDED: Final = (f"{STATE}random", f"{STATE}numpy", f"{STATE}torch")


@dataclass(slots=True)
class Execution:
    """One execution of a cell.

    Parameters
    ----------
    number
        Its place among all executions of the kernel since the extension was loaded, from 1.
    reads
        Names, files and states that it read as they were before it.
    writes
        Names, files and states that are others after it, or may be.
    kills
        Those of ``writes`` whose former value no longer matters: bound anew, and not only changed.
    files
        What the files held that it read and did not write: digests by absolute path.
    """

    number: int
    source: str
    cell_id: str
    execution_count: int
    start_time: int
    end_time: int | None = None
    status: str = "RUNNING"
    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    kills: set[str] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Needed:
    """An execution that another one depends on, and the names for which it does."""

    execution: Execution
    names: tuple[str, ...]


def slice_of(executions: Sequence[Execution], target: Execution) -> tuple[list[Needed], set[str]]:
    """Return the executions before one that it depends on, in their order, and what none of them made.

    Goes backward: an execution belongs to it if it changed what is wanted. What it bound anew
    is then no longer wanted, and what it read is.

    Examples
    --------
    >>> make = Execution(1, "a = [1]", "", 1, 0, writes={"a"}, kills={"a"})
    >>> other = Execution(2, "b = 2", "", 2, 0, writes={"b"}, kills={"b"})
    >>> change = Execution(3, "a.append(2)", "", 3, 0, reads={"a"}, writes={"a"})
    >>> target = Execution(4, "sum(a)", "", 4, 0, reads={"a", "sum"})
    >>> needed, unmade = slice_of([make, other, change], target)
    >>> [(item.execution.number, item.names) for item in needed], unmade
    ([(1, ('a',)), (3, ('a',))], {'sum'})
    """
    wanted = set(target.reads)
    found: list[Needed] = []
    for execution in sorted(executions, key=lambda item: -item.number):
        if execution.number >= target.number:
            continue
        met = wanted & execution.writes
        if met:
            found.append(Needed(execution, tuple(sorted(met))))
            wanted -= execution.kills
            wanted |= execution.reads
    return found[::-1], wanted


def hidden_state(executions: Sequence[Execution], needed: Sequence[Needed], unmade: Collection[str]) -> list[str]:
    """Return what a run depends on that its notebook, run from top to bottom, would not show; one sentence each.

    Parameters
    ----------
    executions
        All of the kernel's, the run's own last.
    needed, unmade
        As `slice_of` returns them.

    Examples
    --------
    >>> first = Execution(1, "lr = 0.1", "a", 1, 0, writes={"lr"}, kills={"lr"})
    >>> again = Execution(2, "rate = 0.2", "a", 2, 0, writes={"rate"}, kills={"rate"})
    >>> target = Execution(3, "print(lr)", "b", 3, 0, reads={"lr"})
    >>> hidden_state([first, again, target], *slice_of([first, again], target))
    ['lr came from an older version of the cell [2]']
    """
    latest = {item.cell_id: item for item in executions if item.cell_id}
    found = []
    for item in needed:
        newest = latest.get(item.execution.cell_id, item.execution)
        if newest.source != item.execution.source:
            found.append(f"{_listed(item.names)} came from an older version of the cell [{newest.execution_count}]")
    drawn = sorted(name.removeprefix(STATE) for name in unmade if name in _SEEDED)
    if drawn:
        found.append(f"random numbers of {', '.join(drawn)} were drawn without a seed")
    return found


def _listed(names: Sequence[str]) -> str:
    shown = [name.partition(":")[2] or name for name in names]
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")
