"""The list of experiments: what a store holds, one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracknb.entities import Experiment
from tracknb.view import format as fmt
from tracknb.view.base import VERSION, View, safe

_EMPTY = "No experiments yet. Track a cell with:\n\n    %%track_run --experiment my-experiment"
_HEAD = ("experiment", "runs", "last run")


class ExperimentList(View):
    """Experiments with how many runs each holds and when the newest run began."""

    def __init__(
        self, experiments: Sequence[Experiment], counts: Sequence[int], last_runs: Sequence[int | None]
    ) -> None:
        super().__init__()
        self.experiments = tuple(experiments)
        self._counts = tuple(counts)
        self._last_runs = tuple(last_runs)

    @classmethod
    def of(
        cls,
        experiments: Sequence[Experiment],
        *,
        counts: Mapping[str, int],
        last_runs: Mapping[str, int],
    ) -> ExperimentList:
        """Return the list, the experiment that was used last on top.

        Parameters
        ----------
        experiments
            What to list.
        counts
            Runs by experiment id.
        last_runs
            When the newest run began (milliseconds), by experiment id; absent if none.
        """
        ordered = sorted(experiments, key=lambda item: -last_runs.get(item.experiment_id, 0))
        ids = [item.experiment_id for item in ordered]
        return cls(ordered, [counts[key] for key in ids], [last_runs.get(key) for key in ids])

    def _rows(self) -> list[list[str]]:
        return [
            [item.name, str(count), fmt.moment(last) if last is not None else ""]
            for item, count, last in zip(self.experiments, self._counts, self._last_runs, strict=True)
        ]

    def text(self, *, times: bool = False) -> str:
        """Return aligned columns; ``times`` adds when the newest run began."""
        if not self.experiments:
            return _EMPTY
        width = len(_HEAD) if times else len(_HEAD) - 1
        return fmt.columns(_HEAD[:width], [row[:width] for row in self._rows()], right=[False, True, False][:width])

    def html(self) -> str:
        """Return a plain table, every name escaped."""
        if not self.experiments:
            return f"<pre>{safe(_EMPTY)}</pre>"
        head = "".join(f'<th style="text-align:left">{word}</th>' for word in _HEAD)
        body = "".join(
            "<tr>" + "".join(f'<td style="text-align:left">{safe(cell)}</td>' for cell in row) + "</tr>"
            for row in self._rows()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def payload(self) -> dict[str, Any]:
        """Return the list as data."""
        return {
            "version": VERSION,
            "kind": "experiments",
            "experiments": [
                {"id": item.experiment_id, "name": item.name, "runs": count, "lastRun": last}
                for item, count, last in zip(self.experiments, self._counts, self._last_runs, strict=True)
            ],
        }

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        # A list this plain has no interactive form: what our renderer gets it could not draw.
        return {"text/plain": self.text(), "text/html": self.html()}
