"""Run tables and trends of what was found."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from tracknb import names
from tracknb.capture.environment import user_name
from tracknb.client import TrackingClient
from tracknb.entities import SYSTEM_METRICS, Run
from tracknb.errors import NotFound
from tracknb.looking.finding import Found
from tracknb.view.direction import Goals
from tracknb.view.table import SPARK_METRICS, SPARK_RUNS, RunTable, spark
from tracknb.view.trend import Trend

# More points than this cannot be told apart in a picture as small as a cell.
_SPARK_POINTS = 48


def run_table(found: Found) -> RunTable:
    """Return the table of what was found."""
    goals = Goals.of(found.tags)
    return RunTable.of(
        found.runs,
        experiments=found.experiments,
        title=found.title,
        query=found.query,
        total=found.total,
        matched=found.matched,
        now_ms=names.now_ms(),
        archived=found.archived,
        goals=goals,
        user=user_name(),
        asked=found.asked,
        sparks=_first_sparks(found.client, found.runs[:SPARK_RUNS], goals),
    )


def _first_sparks(client: TrackingClient, runs: Sequence[Run], goals: Goals) -> dict[str, list[str]]:
    """Return the small curves of the newest runs and of the metrics that count most."""
    keys = {key for run in runs for key in run.data.metrics if not key.startswith(SYSTEM_METRICS)}
    chosen = sorted(keys, key=lambda key: (key != goals.primary, goals.direction(key) is None, key))[:SPARK_METRICS]
    shapes = sparks(client, [run.info.run_id for run in runs], chosen)
    drawn = {key for of_run in shapes.values() for key in of_run}
    return {key: [shapes.get(run.info.run_id, {}).get(key, "") for run in runs] for key in chosen if key in drawn}


def sparks(client: TrackingClient, run_ids: Sequence[str], keys: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return curves of runs as a few digits each, by run and metric; see `spark`."""
    found: dict[str, dict[str, str]] = {}
    for (run_id, key), values in client.metric_outlines(run_ids, keys, _SPARK_POINTS).items():
        if shape := spark(values):
            found.setdefault(run_id, {})[key] = shape
    return found


def trend_view(found: Found, metric: str | None) -> Trend:
    """Return the trend of what was found; raises `NotFound` where none of the runs has the metric."""
    known = sorted({key for run in found.runs for key in run.data.metrics})
    if metric is not None and found.runs and metric not in known:
        raise no_such_metric(metric, known)
    return Trend.of(
        found.runs,
        experiments=found.experiments,
        title=found.title,
        query=found.query,
        total=found.total,
        matched=found.matched,
        now_ms=names.now_ms(),
        metric=metric,
        goals=Goals.of(found.tags),
        user=user_name(),
        asked=found.asked,
    )


def no_such_metric(metric: str, known: Sequence[str]) -> NotFound:
    """Return the error for a metric that none of the runs has, with the nearest one that they have."""
    near = difflib.get_close_matches(metric, known, n=1)
    if near:
        hint = f"Did you mean '{near[0]}'?"
    elif known:
        hint = f"They have: {', '.join(known[:8])}."
    else:
        hint = "They have no metric at all."
    return NotFound(f"None of these runs has a metric '{metric}'. {hint}")
