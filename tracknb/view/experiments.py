"""The list of experiments: what a store holds, one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from tracknb.entities import Experiment
from tracknb.view.base import View

_EMPTY = "No experiments yet. Track a cell with:\n\n    %%track_run --experiment my-experiment"
_STYLE = "text-align:left; padding:2px 16px 2px 0; white-space:pre"


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

    def text(self, *, times: bool = False) -> str:
        """Return aligned columns; ``times`` adds the one that a repeated run would change."""
        if not self.experiments:
            return _EMPTY
        rows = [("experiment", "runs", "last run" if times else "")]
        for item, count, last in zip(self.experiments, self._counts, self._last_runs, strict=True):
            rows.append((_one_line(item.name), str(count), _minute(last) if times else ""))
        wide = max(len(row[0]) for row in rows)
        high = max(len(row[1]) for row in rows)
        return "\n".join(f"{name:<{wide}}  {runs:>{high}}  {last}".rstrip() for name, runs, last in rows)

    def html(self) -> str:
        """Return a plain table, every name escaped."""
        if not self.experiments:
            return f"<pre>{escape(_EMPTY)}</pre>"
        head = "".join(f'<th style="{_STYLE}">{word}</th>' for word in ("Experiment", "Runs", "Last run"))
        body = "".join(
            f'<tr><td style="{_STYLE}">{escape(_one_line(item.name))}</td>'
            f'<td style="{_STYLE}">{count}</td><td style="{_STYLE}">{_minute(last)}</td></tr>'
            for item, count, last in zip(self.experiments, self._counts, self._last_runs, strict=True)
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def payload(self) -> dict[str, Any]:
        """Return the list as data."""
        return {
            "version": 1,
            "kind": "experiments",
            "experiments": [
                {"id": item.experiment_id, "name": item.name, "runs": count, "lastRun": last}
                for item, count, last in zip(self.experiments, self._counts, self._last_runs, strict=True)
            ],
        }

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        # A list this plain has no interactive form: what our renderer gets it could not draw.
        return {"text/plain": self.text(), "text/html": self.html()}


def _minute(timestamp_ms: int | None) -> str:
    if timestamp_ms is None:
        return ""
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def _one_line(name: str) -> str:
    """Return a stored name that cannot move the cursor or begin a new line."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
