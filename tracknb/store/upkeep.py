"""Keeping a store small: what each run holds, and taking runs and points out for good.

What goes is gone: there is no way back. A run is taken out in a transaction of its own,
so an interruption leaves whole runs, and the next call goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from tracknb.entities import LifecycleStage, RunStatus
from tracknb.store import executions, schema
from tracknb.store.points import parts, thinned_history

# Measured with SQLite: what a point takes in its table, and a row of a metric's summary with its index.
_POINT_BYTES: Final = 26
_LATEST_BYTES: Final = 110


@dataclass(frozen=True, slots=True)
class RunSize:
    """What one run holds in the database.

    ``size_bytes`` is counted from its points and the length of its texts; pages that are
    half empty are nobody's.
    """

    run_id: str
    name: str
    experiment_id: str
    experiment: str
    status: str
    lifecycle_stage: str
    artifact_uri: str
    points: int
    size_bytes: int


def sizes(
    connection: sa.Connection, resolved: Callable[[str], str], run_ids: Sequence[str] | None = None
) -> list[RunSize]:
    """Return what each run holds, the greatest first; of all runs, or of the named ones.

    ``resolved`` gives the place of a run's files for what the table says of it.
    """
    points = _sums(connection, schema.latest_metrics, sa.func.sum(schema.latest_metrics.c.count))
    series = _sums(connection, schema.latest_metrics, sa.func.count())
    # A value stands in its table and in the index of values.
    texts = [
        _sums(connection, table, sa.func.sum(sa.func.length(table.c.key) * 2 + sa.func.length(table.c.value) * 2 + 16))
        for table in (schema.params, schema.tags)
    ]
    runs = schema.runs
    statement = sa.select(runs, schema.experiments.c.name.label("experiment_name")).join(
        schema.experiments, schema.experiments.c.id == runs.c.experiment
    )
    found = [
        RunSize(
            run_id=row.run_id,
            name=row.name,
            experiment_id=str(row.experiment),
            experiment=row.experiment_name,
            status=row.status,
            lifecycle_stage=row.lifecycle_stage,
            artifact_uri=resolved(row.artifact_uri),
            points=points.get(row.id, 0),
            size_bytes=points.get(row.id, 0) * _POINT_BYTES
            + series.get(row.id, 0) * _LATEST_BYTES
            + sum(text.get(row.id, 0) for text in texts),
        )
        for row in connection.execute(statement)
        if run_ids is None or row.run_id in run_ids
    ]
    return sorted(found, key=lambda size: (-size.size_bytes, size.run_id))


def _sums(connection: sa.Connection, table: sa.Table, what: sa.ColumnElement[Any]) -> dict[int, int]:
    rows = connection.execute(sa.select(table.c.run, what).group_by(table.c.run))
    return {number: int(total or 0) for number, total in rows}


def removable(connection: sa.Connection, before_ms: int, run_ids: Sequence[str] | None) -> list[str]:
    """Return the deleted runs that may go for good: deleted before a time, or with their experiment."""
    runs, experiments = schema.runs, schema.experiments
    with_experiment = sa.and_(
        experiments.c.lifecycle_stage == LifecycleStage.DELETED.value, experiments.c.last_update_time <= before_ms
    )
    alone = sa.and_(
        runs.c.lifecycle_stage == LifecycleStage.DELETED.value, sa.func.coalesce(runs.c.deleted_time, 0) <= before_ms
    )
    statement = (
        sa.select(runs.c.run_id)
        .join(experiments, experiments.c.id == runs.c.experiment)
        .where(sa.or_(with_experiment, alone), runs.c.status != RunStatus.RUNNING.value)
        .order_by(runs.c.id)
    )
    return [run_id for (run_id,) in connection.execute(statement) if run_ids is None or run_id in run_ids]


def remove_run(connection: sa.Connection, run_id: str) -> None:
    """Take a run out, with all that was logged to it."""
    number = connection.execute(sa.select(schema.runs.c.id).where(schema.runs.c.run_id == run_id)).scalar()
    if number is None:
        return
    kernels = executions.kernels_of(connection, number)
    used = sa.select(schema.inputs.c.id).where(schema.inputs.c.run == number)
    connection.execute(sa.delete(schema.input_tags).where(schema.input_tags.c.input.in_(used)))
    for table in (
        schema.metric_blocks,
        schema.metrics,
        schema.latest_metrics,
        schema.params,
        schema.param_history,
        schema.run_executions,
        schema.tags,
        schema.inputs,
        schema.run_executions,
    ):
        connection.execute(sa.delete(table).where(table.c.run == number))
    connection.execute(sa.delete(schema.runs).where(schema.runs.c.id == number))
    executions.remove_unused(connection, kernels)


def remove_empty_experiments(connection: sa.Connection, before_ms: int) -> list[str]:
    """Take out the deleted experiments whose last run is gone, and return their artifact folders as kept."""
    experiments = schema.experiments
    rows = connection.execute(
        sa.select(experiments.c.id, experiments.c.artifact_location).where(
            experiments.c.lifecycle_stage == LifecycleStage.DELETED.value,
            experiments.c.last_update_time <= before_ms,
            experiments.c.id.not_in(sa.select(schema.runs.c.experiment)),
        )
    ).all()
    for part in parts([row.id for row in rows]):
        for table in (schema.experiment_tags, schema.datasets):
            connection.execute(sa.delete(table).where(table.c.experiment.in_(part)))
        connection.execute(sa.delete(experiments).where(experiments.c.id.in_(part)))
    return [row.artifact_location for row in rows]


@dataclass(frozen=True, slots=True)
class LongMetric:
    """A metric of an ended run that has more points than are wanted."""

    run: int
    key: int
    run_id: str
    name: str
    points: int


def long_metrics(connection: sa.Connection, max_points: int, run_ids: Sequence[str] | None) -> list[LongMetric]:
    """Return the metrics that have more than ``max_points`` points, of runs that have ended."""
    latest, runs, keys = schema.latest_metrics, schema.runs, schema.metric_keys
    statement = (
        sa.select(
            latest.c.run, latest.c["key"].label("number"), runs.c.run_id, keys.c.name, latest.c["count"].label("n")
        )
        .join(runs, runs.c.id == latest.c.run)
        .join(keys, keys.c.id == latest.c["key"])
        .where(latest.c["count"] > max_points, runs.c.status != RunStatus.RUNNING.value)
        .order_by(latest.c.run, keys.c.name)
    )
    return [
        LongMetric(row.run, row.number, row.run_id, row.name, row.n)
        for row in connection.execute(statement)
        if run_ids is None or row.run_id in run_ids
    ]


def thin_metric(connection: sa.Connection, metric: LongMetric, max_points: int) -> int:
    """Keep about ``max_points`` points of a metric that draw the same curve; returns how many went.

    Last, lowest and highest value stay as they are: their points are among those that are kept.
    """
    table = schema.metrics
    found = connection.execute(sa.select(schema.runs.c.id).where(schema.runs.c.run_id == metric.run_id)).scalar()
    if found != metric.run:
        # Removed meanwhile.
        return 0
    of_metric = (table.c.run == metric.run) & (table.c["key"] == metric.key)
    kept = thinned_history(connection, metric.run, metric.key, max_points)
    connection.execute(sa.delete(table).where(of_metric))
    connection.execute(sa.insert(table), kept)
    blocks = schema.metric_blocks
    # Without summaries a curve is read from its points, which are few now.
    connection.execute(sa.delete(blocks).where(blocks.c.run == metric.run, blocks.c["key"] == metric.key))
    latest = schema.latest_metrics
    connection.execute(
        sa.update(latest).where(latest.c.run == metric.run, latest.c["key"] == metric.key).values({"count": len(kept)})
    )
    return metric.points - len(kept)
