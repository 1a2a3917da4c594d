"""Run tables and trends of what was found."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from tracknb import names
from tracknb.errors import NotFound
from tracknb.looking.finding import Found
from tracknb.view.table import RunTable
from tracknb.view.trend import Trend


def run_table(found: Found) -> RunTable:
    """Return the table of what was found."""
    return RunTable.of(
        found.runs,
        experiments=found.experiments,
        title=found.title,
        query=found.query,
        total=found.total,
        matched=found.matched,
        now_ms=names.now_ms(),
    )


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
