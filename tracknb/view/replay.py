"""How the numbers of a run and of its replay compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from tracknb.entities import SYSTEM_METRICS, Run
from tracknb.view.base import VERSION, View, html_table, safe, sendable, shortened
from tracknb.view.format import clipped, columns, counted, one_line

_HEAD: Final = ("what", "then", "now")
_LETTERS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric, param or status that is another one in the replay; ``then`` or ``now`` is None where it is missing."""

    kind: Literal["metric", "param", "status"]
    key: str
    then: str | None
    now: str | None
    is_close: bool = False


@dataclass(frozen=True, slots=True)
class Departure:
    """The first cell whose result is known to be another one in the replay.

    ``names`` are what it gave otherwise; without any it is the run's own cell, and no other is
    known to depart. ``unknown`` are results of the cells before it that could not be compared.
    """

    execution_count: int
    source: str
    names: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What is known, in words."""
        cell = _place(self.execution_count)
        if self.names:
            is_one = len(self.names) == 1
            values = "is another value" if is_one else "are other values"
            return f"The first cell whose result is known to depart is {cell}: {_listed(self.names)} {values}."
        if self.unknown:
            left_out = f"{_listed(self.unknown)} could not be compared"
            return f"No cell before the run's own, {cell}, is known to depart; {left_out}."
        return f"The run's own cell, {cell}, departs: the cells before it gave the same as then."


class ReplayVerdict(View):
    """What a replay came to; make one with ``tracknb.replay()``.

    ``verdict`` is ``"identical"``, ``"within tolerance"`` or ``"different"``; ``replayed`` is
    the new run, a child of ``run``; ``departure`` the first cell that is known to depart, if any is;
    ``environment`` says in words what it ran in, where that was made for it.
    """

    def __init__(
        self,
        run: Run,
        replayed: Run,
        differences: Sequence[Difference],
        *,
        cells: int,
        departure: Departure | None = None,
        environment: str = "",
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.run = run
        self.replayed = replayed
        self.differences = tuple(differences)
        self.departure = departure
        self.environment = environment
        self.notes = tuple(notes)
        self._cells = cells

    @property
    def verdict(self) -> Literal["identical", "within tolerance", "different"]:
        """How the last values of the metrics and the params compare."""
        if not self.differences:
            return "identical"
        return "within tolerance" if all(item.is_close for item in self.differences) else "different"

    @property
    def exit_code(self) -> int:
        """What ``tracknb replay`` ends with: 1 where the numbers are different."""
        return int(self.verdict == "different")

    def text(self, *, times: bool = False) -> str:
        """Return the verdict, what differs, and where it departs."""
        table = [columns(_HEAD, self._rows(), right=[False] * 3)] if self.differences else []
        return "\n\n".join([self._line(), *table, *(["\n".join(self._sentences())] if self._sentences() else [])])

    def html(self) -> str:
        """Return the same as HTML, everything stored escaped."""
        table = html_table(_HEAD, self._rows(), right=[False] * 3) if self.differences else ""
        marks = (("pre" if item.startswith(" ") else "p", item.strip()) for item in self._sentences())
        return f"<p>{safe(self._line())}</p>{table}" + "".join(f"<{mark}>{safe(item)}</{mark}>" for mark, item in marks)

    def payload(self) -> dict[str, Any]:
        """Return the text, which every front end shows, and its parts for programs."""
        return {
            "version": VERSION,
            "kind": "replay",
            "view": self.view_id,
            "text": sendable(self.text()),
            "verdict": self.verdict,
            "run": self.run.info.run_id,
            "replayed": self.replayed.info.run_id,
            "differences": [
                {
                    "kind": item.kind,
                    "key": sendable(item.key),
                    "then": None if item.then is None else sendable(item.then),
                    "now": None if item.now is None else sendable(item.now),
                    "close": item.is_close,
                }
                for item in self.differences
            ],
            "departure": None if self.departure is None else _sent(self.departure),
            "environment": sendable(self.environment),
            "notes": [sendable(item) for item in self.notes],
        }

    def _line(self) -> str:
        metrics = len(compared_metrics(self.run))
        compared = f"{counted(metrics, metrics, 'metric')} compared"
        ran = counted(self._cells, self._cells, "cell")
        where = f" and {self.environment}" if self.environment else ""
        return one_line(f"{self.run.info.run_name}: {self.verdict} ({ran} in a new kernel{where}, {compared})")

    def _sentences(self) -> list[str]:
        departure = self.departure
        found = [] if departure is None else [departure.sentence, f"    {clipped(_first(departure.source), 100)}"]
        return [*found, *map(one_line, self.notes)]

    def _rows(self) -> list[list[str]]:
        return [
            [f"{item.kind} {item.key}".strip(), *("missing" if it is None else it for it in (item.then, item.now))]
            for item in self.differences
        ]


def compared_metrics(run: Run) -> dict[str, float]:
    """Return the last values that count: how busy the machine was does not."""
    return {key: value for key, value in run.data.metrics.items() if not key.startswith(SYSTEM_METRICS)}


def _place(execution_count: int) -> str:
    return f"[{execution_count}]" if execution_count else "one without a number"


def _listed(names: Sequence[str]) -> str:
    """Return names as code, the first few."""
    shown = [f"`{clipped(name, 60)}`" if name.isidentifier() else clipped(one_line(name), 60) for name in names[:3]]
    if len(names) > 3:
        return f"{', '.join(shown)} and {len(names) - 3} more"
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]


def _first(source: str) -> str:
    """Return the first line of a cell that says something."""
    lines = [one_line(line.strip()) for line in source.splitlines()]
    return next((line for line in lines if line and not line.startswith("#")), lines[0] if lines else "")


def _sent(departure: Departure) -> dict[str, Any]:
    return {
        "count": departure.execution_count,
        "source": shortened(departure.source, _LETTERS),
        "names": [sendable(name) for name in departure.names],
        "unknown": [sendable(name) for name in departure.unknown],
    }
