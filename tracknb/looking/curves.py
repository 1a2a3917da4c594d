"""Runs with their curves, read from the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracknb.client import TrackingClient
from tracknb.entities import ERROR_TAG, Run, attempt_of
from tracknb.live import CURVE_LIMIT, LiveRun
from tracknb.view.format import told_apart
from tracknb.view.table import RunTable


def as_live(client: TrackingClient, run: Run) -> LiveRun:
    """Return a stored run in the form that the panel draws."""
    return LiveRun(
        run_id=run.info.run_id,
        name=run.info.run_name,
        experiment=client.get_experiment(run.info.experiment_id).name,
        status=run.info.status,
        start_time=run.info.start_time,
        end_time=run.info.end_time,
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        error=run.data.tags.get(ERROR_TAG),
        series=client.live_series(run.info.run_id),
        attempt=attempt_of(run.data.tags),
    )


def histories(
    client: TrackingClient, runs: Sequence[Run], keys: Sequence[str]
) -> dict[str, dict[str, tuple[list[int], list[float]]]]:
    """Return the points of each metric by run; runs that share a name are told apart by their ids."""
    names = told_apart([(run.info.run_name, run.info.run_id) for run in runs])
    histories = {}
    for name, run in zip(names, runs, strict=True):
        curves = {}
        for key in keys:
            if key in run.data.metrics:
                steps, _, values = client.metric_curve(run.info.run_id, key, CURVE_LIMIT)
                curves[key] = (steps, values)
        histories[name] = curves
    return histories


def run_ids(runs: Any) -> list[str]:
    """Return the run ids that a caller of `chart` means, in order."""
    if isinstance(runs, RunTable):
        return [run.info.run_id for run in runs.runs]
    if hasattr(runs, "columns"):
        return [str(run_id) for run_id in runs["run_id"]]
    if isinstance(runs, str) or hasattr(runs, "info"):
        runs = [runs]
    return [item if isinstance(item, str) else item.info.run_id for item in runs]
