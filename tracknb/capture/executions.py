"""What each execution of a cell read and changed, and which of them a later one depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tracknb.capture.opened import Stamp

# What stands for state that no name holds; names of Python have no such letters.
FILE: Final = "file:"
STATE: Final = "state:"
# What stands for a name that is gone, and for names that are left out.
DELETED: Final = "-"
OTHERS: Final = "*"
_STATES: Final = {
    f"{STATE}random": "the state of random's random numbers",
    f"{STATE}numpy": "the state of numpy's random numbers",
    f"{STATE}torch": "the state of torch's random numbers",
    f"{STATE}environ": "os.environ",
    f"{STATE}path": "sys.path",
    f"{STATE}cwd": "the working directory",
}


def in_words(name: str) -> str:
    """Return what a name, file or state is called where people read of it; of a file not where it lies.

    Examples
    --------
    >>> in_words("lr"), in_words("file:/home/ada/rides.csv"), in_words("state:path")
    ('lr', 'rides.csv', 'sys.path')
    """
    if name.startswith(FILE):
        return name.removeprefix(FILE).replace("\\", "/").rsplit("/", 1)[-1]
    return _STATES.get(name, name)


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
    assumed
        Those of ``writes`` that nobody could look at in time: they are taken for changed.
    files
        How the files that it read stood then, by path.
    contents
        What the files held that it read and did not write: digests by absolute path.
    digests
        What names of ``writes`` held after it, as a few letters: `DELETED` where they are gone, empty where
        nobody knows. A key `OTHERS` says that some are left out.
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
    assumed: set[str] = field(default_factory=set)
    files: dict[str, Stamp] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)


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
