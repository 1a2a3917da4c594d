"""Runs as data for other tools: a DataFrame, or CSV."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tracknb.entities import Run
from tracknb.view.base import View, safe
from tracknb.view.format import json_number
from tracknb.view.table import runs_frame

if TYPE_CHECKING:
    import pandas as pd

# What a spreadsheet would take for a formula; a number is none.
_FORMULA = re.compile(r"(?![-+]?[\d.]+([eE][-+]?\d+)?$)[=+\-@\t\r]")


class RunData(View):
    """Runs with MLflow's columns, for a variable or a file."""

    def __init__(self, runs: Sequence[Run]) -> None:
        super().__init__()
        self.runs = list(runs)

    @classmethod
    def of(cls, runs: Sequence[Run]) -> RunData:
        """Return the view of these runs."""
        return cls(runs)

    def to_pandas(self) -> pd.DataFrame:
        """Return the runs as ``search_runs`` gives them."""
        return runs_frame(self.runs)

    def text(self, *, times: bool = False) -> str:
        """Return the runs as CSV; a text that a spreadsheet would run as a formula begins with an apostrophe."""
        frame = self.to_pandas().rename(columns=_harmless)
        for name in frame.select_dtypes(exclude=["number", "datetimetz"]):
            frame[name] = frame[name].map(_harmless)
        written: str = frame.to_csv(index=False, lineterminator="\n")
        return written.rstrip("\n")

    def html(self) -> str:
        """Return the CSV, escaped."""
        return f"<pre>{safe(self.text())}</pre>"

    def payload(self) -> dict[str, Any]:
        """Return one object a run."""
        return {
            "kind": "data",
            "runs": [
                {
                    "run_id": run.info.run_id,
                    "experiment_id": run.info.experiment_id,
                    "run_name": run.info.run_name,
                    "status": run.info.status,
                    "start_time": run.info.start_time,
                    "end_time": run.info.end_time,
                    "metrics": {key: json_number(value) for key, value in run.data.metrics.items()},
                    "params": dict(run.data.params),
                    "tags": dict(run.data.tags),
                }
                for run in self.runs
            ],
        }


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
