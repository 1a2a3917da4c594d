"""Every view there is, as the cell that shows it: tests and screenshots go through this list.

A new view is one line of `VIEWS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from playwright.sync_api import Locator

from tests.browser.stores import EXPERIMENT

# The newest run once more, as a cell that trains; its keys are made plain, because the API refuses hostile ones.
_LIVE = f"""%%track_run --experiment live
last = next(iter(tracknb.MlflowClient().search_runs(["{EXPERIMENT}"], max_results=1)), None)
if last is not None:
    tracknb.set_tag("mlflow.runName", last.info.run_name[:400])
    tracknb.log_params({{f"p{{i}}": value[:5000] for i, value in enumerate(last.data.params.values())}})
    tracknb.set_tags({{f"t{{i}}": value[:5000] for i, value in enumerate(last.data.tags.values())}})
for epoch in tracknb.track(range(20), label="epoch"):
    tracknb.log_metrics({{"train_loss": 1 / (1 + epoch), "val_loss": 1.2 / (1 + epoch), "rmse": 9 / (3 + epoch)}})
"""
# The newest runs beside each other.
_COMPARE = f"""ids = [run.info.run_id for run in tracknb.MlflowClient().search_runs(["{EXPERIMENT}"], max_results=4)]
tracknb.compare(*ids)
"""


@dataclass(frozen=True)
class View:
    """A view: the cell that shows it, and what is done to see it; ``runs`` is how many runs it needs."""

    name: str
    cell: str
    then: Callable[[Locator], None] | None = None
    runs: int = 0


def first_cell(address: str) -> str:
    """Return the cell that opens a store."""
    return f"%load_ext tracknb\nimport tracknb\ntracknb.set_tracking_uri({address!r})\n" + (
        f"_ = tracknb.set_experiment(experiment_id={EXPERIMENT!r})"
    )


def _open_columns(output: Locator) -> None:
    output.get_by_role("button", name="Columns").first.click()


def _open_plot(output: Locator) -> None:
    output.get_by_role("button", name="Plot", exact=True).first.click()


def _open_scatter(output: Locator) -> None:
    _open_plot(output)
    output.get_by_role("tab", name="Scatter").click()


def _open_run(output: Locator) -> None:
    output.locator(".tnb-row .tnb-link").first.click()
    output.get_by_role("button", name=re.compile(r"^\W*Back$")).first.wait_for(timeout=20_000)


def _open_experiment(output: Locator) -> None:
    output.locator("table.tnb-list .tnb-name").first.click()
    output.get_by_role("button", name="Back").wait_for(timeout=20_000)


VIEWS: Final = (
    View("dashboard", "%track"),
    View("experiments", "%track experiments"),
    View("experiment", "%track experiments", _open_experiment, runs=1),
    View("table", "%track runs"),
    View("columns", "%track runs", _open_columns, runs=1),
    View("plot", "%track runs", _open_plot, runs=1),
    View("scatter", "%track runs", _open_scatter, runs=2),
    View("run from the table", "%track runs", _open_run, runs=1),
    View("trend", "%track trend", runs=1),
    View("run", "%track show last", runs=1),
    View("experiments", "%track experiments"),
    View("dashboard", "%track"),
    View("compare", _COMPARE, runs=2),
    View("live", _LIVE),
)
