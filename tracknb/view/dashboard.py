"""The dashboard: experiments, the runs of one of them, their trend, a comparison, run pages, in one output."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from tracknb.view.base import VERSION, View, sendable
from tracknb.view.experiments import ExperimentList
from tracknb.view.table import RunTable, runs_frame

if TYPE_CHECKING:
    import pandas as pd

# What the data of a saved dashboard may weigh, and what its list of experiments may take of that.
_PAYLOAD_LIMIT: Final = 110_000
_CATALOGUE_SHARE: Final = 0.35
_TEXT_RUNS: Final = 10
_HTML_RUNS: Final = 20


class Dashboard(View):
    """All that a store holds, to walk through; make one with ``tracknb.dashboard()``.

    The runs of one experiment are in it once; the table and the trend share them. Other
    experiments are asked from the kernel when somebody opens them.
    """

    def __init__(
        self,
        experiments: ExperimentList,
        runs: RunTable | None,
        experiment: str | None,
        *,
        pages: Mapping[str, dict[str, Any]],
        others: Mapping[str, RunTable] | None = None,
    ) -> None:
        super().__init__()
        self.payload_limit = _PAYLOAD_LIMIT
        self.experiments = experiments
        self.runs = runs
        self.experiment = experiment
        self._pages = dict(pages)
        self._others = dict(others or {})

    @property
    def selected(self) -> pd.DataFrame:
        """The runs that are ticked, of those that it was made with, as ``search_runs`` gives them."""
        tables = [table for table in (self.runs, *self._others.values()) if table is not None]
        return runs_frame([run for table in tables for run in table.runs if run.info.run_id in self.selection])

    def text(self, *, times: bool = False) -> str:
        """Return the experiments, and the newest runs of the one that is open."""
        texts = [self.experiments.text(times=times)]
        if self.runs is not None:
            texts.append(_newest(self.runs, _TEXT_RUNS).text(times=times))
        return "\n\n".join(texts)

    def html(self) -> str:
        """Return the same as plain tables, everything stored escaped."""
        return self.experiments.html() + ("" if self.runs is None else _newest(self.runs, _HTML_RUNS).html())

    def payload(self) -> dict[str, Any]:
        """Return the catalogue, the runs of the open experiment, and as many pages of the newest runs as fit."""
        self.experiments.payload_limit = int(self.payload_limit * _CATALOGUE_SHARE)
        payload: dict[str, Any] = {
            "version": VERSION,
            "kind": "dashboard",
            "view": self.view_id,
            "catalogue": self.experiments.payload(),
            "experiment": None if self.experiment is None else sendable(self.experiment),
            "runs": None,
            "pages": {},
            "others": {},
        }
        if self.runs is not None:
            # Half of what is left, where other experiments are to have some of it.
            left = self.payload_limit - len(json.dumps(payload))
            self.runs.payload_limit = left // 2 if self._others else left
            payload["runs"] = self.runs.payload()
        room = self.payload_limit - len(json.dumps(payload))
        for run_id, page in self._pages.items():
            room -= len(json.dumps(page)) + len(run_id) + 6
            if room < 0:
                break
            payload["pages"][run_id] = page
        for name, table in self._others.items():
            table.payload_limit = max(1, room // 2)
            data = table.payload()
            room -= len(json.dumps(data)) + len(name) + 6
            if room < 0:
                break
            payload["others"][sendable(name)] = data
        return payload

    def title_text(self) -> str:
        """Return what a saved page is called."""
        return "Experiments" if self.experiment is None else f"{self.experiment}: experiments and runs"


def _newest(table: RunTable, count: int) -> RunTable:
    """Return a table of the newest runs; it says how many more there are."""
    shorter = copy.copy(table)
    shorter.runs = table.runs[:count]
    return shorter
