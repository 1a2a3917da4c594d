"""The tracking store: experiments, runs and what was logged to them, in one SQLite file.

One public method is one transaction, and returns entities. Metric points go through
the spool: ``log_points`` returns when they are safe in its file, every read commits
them first. Nothing is created before the first call that needs the store.
"""

from __future__ import annotations

import base64
import contextlib
import math
import os
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert as upsert

from tracknb import names
from tracknb.config import StoreLocation
from tracknb.entities import (
    ATTEMPT_TAG,
    CELL_GROUP_TAG,
    END_REASON_TAG,
    RUN_NAME_TAG,
    Experiment,
    LifecycleStage,
    Metric,
    MetricSummary,
    PagedList,
    Run,
    RunData,
    RunInfo,
    RunStatus,
    ViewType,
)
from tracknb.errors import AlreadyExists, InvalidValue, NotFound, ParamChanged
from tracknb.search import parse_filter, parse_order
from tracknb.store import compile as compiler
from tracknb.store import lease, schema, spool
from tracknb.store.engine import SqliteEngine

_SETTLE_SECONDS: Final = 2.0
# SQLite takes 32,766 bound values in a statement.
_IN_LIMIT: Final = 10_000
_STAGES: Final = {
    ViewType.ACTIVE_ONLY: (LifecycleStage.ACTIVE.value,),
    ViewType.DELETED_ONLY: (LifecycleStage.DELETED.value,),
    ViewType.ALL: (LifecycleStage.ACTIVE.value, LifecycleStage.DELETED.value),
}
_open_stores: weakref.WeakSet[TrackingStore] = weakref.WeakSet()


class TrackingStore:
    """The store at a location; nothing is read or written before the first call."""

    def __init__(self, location: StoreLocation) -> None:
        self.location = location
        self._engine = SqliteEngine(location.path, location.artifact_root)
        self._spool = spool.Spool(location.path, self._commit_points)
        self._run_ids: dict[str, int] = {}
        self._key_ids: dict[str, int] = {}
        self._settled = 0.0
        _open_stores.add(self)

    # -- experiments -------------------------------------------------------------

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: Mapping[str, str] | None = None
    ) -> str:
        """Make an experiment and return its id; its name must be new."""
        with self._engine.write() as connection:
            taken = connection.execute(
                sa.select(schema.experiments.c.id, schema.experiments.c.lifecycle_stage).where(
                    schema.experiments.c.name == name
                )
            ).first()
            if taken is not None:
                state = " (deleted)" if taken.lifecycle_stage == LifecycleStage.DELETED else ""
                raise AlreadyExists(
                    f"An experiment called '{name}' exists already, with id {taken.id}{state}. "
                    f"Use set_experiment('{name}') to log into it."
                )
            return self._insert_experiment(connection, name, artifact_location, tags or {})

    def get_or_create_experiment(self, name: str) -> Experiment:
        """Return the experiment of this name, making it if it is new; safe to race."""
        found = self.get_experiment_by_name(name)
        if found is None:
            # Another process may win between the look and the insert: it then waits for
            # this lock or we for its, and the second of us finds the first one's row.
            with self._engine.write() as connection:
                number = connection.execute(
                    sa.select(schema.experiments.c.id).where(schema.experiments.c.name == name)
                ).scalar()
                identity = str(number) if number is not None else self._insert_experiment(connection, name, None, {})
            found = self.get_experiment(identity)
        return found

    def _insert_experiment(
        self, connection: sa.Connection, name: str, artifact_location: str | None, tags: Mapping[str, str]
    ) -> str:
        now = names.now_ms()
        number = connection.execute(
            sa.insert(schema.experiments).values(
                name=name,
                artifact_location=artifact_location or "",
                lifecycle_stage=LifecycleStage.ACTIVE.value,
                creation_time=now,
                last_update_time=now,
            )
        ).lastrowid
        if artifact_location is None:
            connection.execute(
                sa.update(schema.experiments)
                .where(schema.experiments.c.id == number)
                .values(artifact_location=str(self.location.artifact_root / str(number)))
            )
        if tags:
            rows = [{"experiment": number, "key": key, "value": value} for key, value in tags.items()]
            connection.execute(sa.insert(schema.experiment_tags), rows)
        return str(number)

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Return an experiment by its id."""
        found = self._experiments(schema.experiments.c.id == _experiment_number(experiment_id))
        if not found:
            raise NotFound(f"No experiment has the id {experiment_id} in {self.location.path}.")
        return found[0]

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """Return an experiment by its name, or None."""
        found = self._experiments(schema.experiments.c.name == name)
        return found[0] if found else None

    def search_experiments(
        self,
        view_type: ViewType = ViewType.ACTIVE_ONLY,
        max_results: int | None = None,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
    ) -> list[Experiment]:
        """Return the experiments that match, the last changed first."""
        condition: sa.ColumnElement[bool] = schema.experiments.c.lifecycle_stage.in_(_STAGES[ViewType(view_type)])
        node = parse_filter(filter_string or "", entity="experiments")
        if node is not None:
            condition = sa.and_(condition, compiler.experiment_condition(node))
        order = compiler.experiment_order(parse_order(order_by or (), entity="experiments"))
        return self._experiments(condition, order=order, limit=max_results)

    def _experiments(
        self, condition: sa.ColumnElement[bool], *, order: Sequence[Any] = (), limit: int | None = None
    ) -> list[Experiment]:
        with self._engine.read() as connection:
            statement = sa.select(schema.experiments).where(condition).order_by(*order).limit(limit)
            rows = connection.execute(statement).all()
            numbers = [row.id for row in rows]
            tags: dict[int, dict[str, str]] = {number: {} for number in numbers}
            for part in _parts(numbers):
                for number, key, value in connection.execute(
                    sa.select(schema.experiment_tags).where(schema.experiment_tags.c.experiment.in_(part))
                ):
                    tags[number][key] = value
        return [
            Experiment(
                experiment_id=str(row.id),
                name=row.name,
                artifact_location=row.artifact_location,
                lifecycle_stage=row.lifecycle_stage,
                tags=tags[row.id],
                creation_time=row.creation_time,
                last_update_time=row.last_update_time,
            )
            for row in rows
        ]

    def set_experiment_tag(self, experiment_id: str, key: str, value: str) -> None:
        """Set a tag of an experiment, over an older value if there is one."""
        self.get_experiment(experiment_id)
        with self._engine.write() as connection:
            number = _experiment_number(experiment_id)
            statement = upsert(schema.experiment_tags).values(experiment=number, key=key, value=value)
            connection.execute(statement.on_conflict_do_update(set_={"value": value}))
            connection.execute(
                sa.update(schema.experiments)
                .where(schema.experiments.c.id == number)
                .values(last_update_time=names.now_ms())
            )

    def set_experiment_stage(self, experiment_id: str, stage: LifecycleStage) -> None:
        """Delete an experiment softly, or take it back."""
        self.get_experiment(experiment_id)
        with self._engine.write() as connection:
            connection.execute(
                sa.update(schema.experiments)
                .where(schema.experiments.c.id == _experiment_number(experiment_id))
                .values(lifecycle_stage=stage.value, last_update_time=names.now_ms())
            )

    # -- runs --------------------------------------------------------------------

    def create_run(
        self,
        experiment_id: str,
        *,
        run_name: str,
        user_id: str,
        start_time: int,
        tags: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        attempt_group: str | None = None,
    ) -> Run:
        """Make a RUNNING run held by this process.

        With ``attempt_group`` its attempt tag is one more than the group's highest, found
        and set in the same transaction.
        """
        experiment = self.get_experiment(experiment_id)
        if experiment.lifecycle_stage != LifecycleStage.ACTIVE:
            raise InvalidValue(
                f"The experiment '{experiment.name}' is deleted, so no run can start in it. "
                f"Bring it back with restore_experiment('{experiment_id}')."
            )
        run_id = names.new_run_id()
        artifact_uri = f"{experiment.artifact_location.rstrip('/')}/{run_id}/artifacts"
        own = lease.mine()
        tags = {**tags, RUN_NAME_TAG: run_name}
        with self._engine.write() as connection:
            number = connection.execute(
                sa.insert(schema.runs).values(
                    run_id=run_id,
                    experiment=_experiment_number(experiment_id),
                    name=run_name,
                    user_id=user_id,
                    status=RunStatus.RUNNING.value,
                    start_time=start_time,
                    lifecycle_stage=LifecycleStage.ACTIVE.value,
                    artifact_uri=artifact_uri,
                    lease_host=own.host,
                    lease_boot=own.boot,
                    lease_pid=own.pid,
                    lease_process_start=own.process_start,
                    heartbeat=start_time,
                )
            ).lastrowid
            if attempt_group is not None:
                tags[CELL_GROUP_TAG] = attempt_group
                tags[ATTEMPT_TAG] = str(_attempts(connection, attempt_group) + 1)
            connection.execute(
                sa.insert(schema.tags), [{"run": number, "key": key, "value": value} for key, value in tags.items()]
            )
            if params:
                _insert_params(connection, number, run_name, params)
        self._run_ids[run_id] = number
        info = RunInfo(
            run_id=run_id,
            experiment_id=experiment_id,
            run_name=run_name,
            user_id=user_id,
            status=RunStatus.RUNNING.value,
            start_time=start_time,
            end_time=None,
            lifecycle_stage=LifecycleStage.ACTIVE.value,
            artifact_uri=artifact_uri,
        )
        return Run(info, RunData(params=dict(params or {}), tags=tags))

    def get_run(self, run_id: str) -> Run:
        """Return a run with its last metric values, params and tags."""
        self.settle()
        self._spool.drain()
        with self._engine.read() as connection:
            rows = connection.execute(sa.select(schema.runs).where(schema.runs.c.run_id == run_id)).all()
            if not rows:
                raise self._no_such_run(run_id)
            return _load_runs(connection, rows)[0]

    def search_runs(
        self,
        experiment_ids: Sequence[str],
        filter_string: str = "",
        run_view_type: ViewType = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Run]:
        """Return a page of runs: one statement for its ids, then one a table."""
        if max_results < 1:
            raise InvalidValue(f"max_results must be at least 1, not {max_results}.")
        self.settle()
        self._spool.drain()
        conditions: list[sa.ColumnElement[bool]] = [
            schema.runs.c.experiment.in_([_experiment_number(item) for item in experiment_ids]),
            schema.runs.c.lifecycle_stage.in_(_STAGES[ViewType(run_view_type)]),
        ]
        node = parse_filter(filter_string)
        if node is not None:
            conditions.append(compiler.run_condition(node))
        offset = _read_token(page_token)
        statement = (
            sa.select(schema.runs)
            .where(*conditions)
            .order_by(*compiler.run_order(parse_order(order_by or ())))
            # One more than asked for tells whether there is another page.
            .limit(max_results + 1)
            .offset(offset)
        )
        with self._engine.read() as connection:
            rows = connection.execute(statement).all()
            runs = _load_runs(connection, rows[:max_results])
        token = _make_token(offset + max_results) if len(rows) > max_results else None
        return PagedList(runs, token)

    def count_runs(self, experiment_ids: Sequence[str]) -> int:
        """Return how many runs that are not deleted the experiments hold."""
        with self._engine.read() as connection:
            return connection.execute(
                sa.select(sa.func.count())
                .select_from(schema.runs)
                .where(
                    schema.runs.c.experiment.in_([_experiment_number(item) for item in experiment_ids]),
                    schema.runs.c.lifecycle_stage == LifecycleStage.ACTIVE.value,
                )
            ).scalar_one()

    def update_run(
        self,
        run_id: str,
        *,
        status: str | None = None,
        end_time: int | None = None,
        run_name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Change how a run stands, its name or its tags, in one transaction.

        Its points are committed first, so a run that has ended is whole. Back to RUNNING
        clears the end time and gives the run to this process.
        """
        self._spool.drain()
        number = self._run_number(run_id)
        values: dict[str, Any] = {}
        if status is not None:
            values["status"] = status
            values["end_time"] = None if status == RunStatus.RUNNING else end_time
            if status == RunStatus.RUNNING:
                own = lease.mine()
                values |= {
                    "lease_host": own.host,
                    "lease_boot": own.boot,
                    "lease_pid": own.pid,
                    "lease_process_start": own.process_start,
                }
        tags = dict(tags or {})
        if run_name is not None:
            values["name"] = tags[RUN_NAME_TAG] = run_name
        with self._engine.write() as connection:
            if values:
                connection.execute(sa.update(schema.runs).where(schema.runs.c.id == number).values(values))
            _upsert_tags(connection, number, tags)

    def set_run_stage(self, run_id: str, stage: LifecycleStage) -> None:
        """Delete a run softly, or take it back."""
        number = self._run_number(run_id)
        deleted = names.now_ms() if stage == LifecycleStage.DELETED else None
        with self._engine.write() as connection:
            connection.execute(
                sa.update(schema.runs)
                .where(schema.runs.c.id == number)
                .values(lifecycle_stage=stage.value, deleted_time=deleted)
            )

    def latest_run_of_group(self, group: str) -> Run | None:
        """Return the newest run of a cell, or None."""
        self._spool.drain()
        with self._engine.read() as connection:
            rows = connection.execute(
                sa.select(schema.runs)
                .join(schema.tags, schema.tags.c.run == schema.runs.c.id)
                .where(schema.tags.c.key == CELL_GROUP_TAG, schema.tags.c.value == group)
                .where(schema.runs.c.lifecycle_stage == LifecycleStage.ACTIVE.value)
                .order_by(schema.runs.c.id.desc())
                .limit(1)
            ).all()
            return _load_runs(connection, rows)[0] if rows else None

    # -- what is logged ------------------------------------------------------------

    def log_points(self, run_id: str, points: Sequence[tuple[str, float, int, int]]) -> None:
        """Keep points of (key, value, step, timestamp in ms); safe from a kill on return."""
        self._spool.append(run_id, points)

    def log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        """Store parameters, all or none; one that was logged with another value is refused."""
        number = self._run_number(run_id)
        with self._engine.write() as connection:
            _insert_params(connection, number, run_id, params)

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run, over older values; ``mlflow.runName`` renames it."""
        number = self._run_number(run_id)
        with self._engine.write() as connection:
            _upsert_tags(connection, number, tags)
            if RUN_NAME_TAG in tags:
                connection.execute(
                    sa.update(schema.runs).where(schema.runs.c.id == number).values(name=tags[RUN_NAME_TAG])
                )

    def delete_tag(self, run_id: str, key: str) -> None:
        """Take a tag off a run; it must be there."""
        number = self._run_number(run_id)
        with self._engine.write() as connection:
            found = connection.execute(
                sa.delete(schema.tags).where(schema.tags.c.run == number, schema.tags.c.key == key)
            )
            if found.rowcount == 0:
                raise NotFound(f"The run {run_id} has no tag '{key}'.")

    def metric_history(self, run_id: str, key: str) -> list[Metric]:
        """Return every point of a metric by step, then time; nothing if it was never logged."""
        self._spool.drain()
        number = self._run_number(run_id)
        table = schema.metrics
        statement = (
            sa.select(table.c.value, table.c.timestamp, table.c.step)
            .join(schema.metric_keys, schema.metric_keys.c.id == table.c.key)
            .where(table.c.run == number, schema.metric_keys.c.name == key)
            .order_by(table.c.step, table.c.timestamp, table.c.point)
        )
        with self._engine.read() as connection:
            rows = connection.execute(statement).all()
        return [Metric(key, _from_stored(value), timestamp, step, run_id) for value, timestamp, step in rows]

    def metric_summaries(self, run_id: str) -> dict[str, MetricSummary]:
        """Return last, count, min and max of each metric of a run."""
        self._spool.drain()
        number = self._run_number(run_id)
        table = schema.latest_metrics
        statement = (
            sa.select(schema.metric_keys.c.name, table)
            .join(schema.metric_keys, schema.metric_keys.c.id == table.c.key)
            .where(table.c.run == number)
            .order_by(schema.metric_keys.c.name)
        )
        with self._engine.read() as connection:
            rows = connection.execute(statement).all()
        return {
            row.name: MetricSummary(
                last=_from_stored(row.value),
                last_step=row.step,
                timestamp=row.timestamp,
                count=row._mapping["count"],
                min=_from_stored(row.min),
                min_step=row.min_step if row.min_step is not None else row.step,
                max=_from_stored(row.max),
                max_step=row.max_step if row.max_step is not None else row.step,
            )
            for row in rows
        }

    # -- the spool's door ------------------------------------------------------------

    def flush(self) -> None:
        """Commit every point that was logged before this call, however long it takes."""
        self._spool.drain()

    def retire_spool(self) -> None:
        """Commit everything and remove the spool's file until the next point."""
        self._spool.close()

    def close(self) -> None:
        """Commit everything and let go of the file."""
        self._spool.close()
        self._engine.close()

    def after_fork(self) -> None:
        """Start afresh in a forked child."""
        self._spool.after_fork()

    def _commit_points(self, spool_id: str, points: Sequence[spool.Point]) -> None:
        with self._engine.write() as connection:
            writer, committed = _writer(connection, spool_id)
            fresh = [point for point in points if point.number > committed]
            if not fresh:
                return
            runs = self._known_runs(connection, {point.run_id for point in fresh})
            keys = self._known_keys(connection, {point.key for point in fresh})
            upper = writer << 32
            rows = [
                (runs[p.run_id], keys[p.key], p.step, upper | p.number, p.timestamp, p.value)
                for p in fresh
                # A run that is gone from the store cannot take points any more.
                if p.run_id in runs
            ]
            # The driver itself: SQLAlchemy's parameter handling would cost more than the insert.
            cursor = connection.connection.cursor()
            cursor.executemany(
                "INSERT INTO metrics (run, key, step, point, timestamp, value) VALUES (?, ?, ?, ?, ?, ?)", rows
            )
            _fold_latest(cursor, rows)
            cursor.executemany(
                "UPDATE runs SET heartbeat = max(coalesce(heartbeat, 0), ?) WHERE id = ?",
                [(max(row[4] for row in rows if row[0] == number), number) for number in {row[0] for row in rows}],
            )
            cursor.execute("UPDATE writers SET committed = ? WHERE id = ?", (fresh[-1].number, writer))
            cursor.close()
        # Only now: an insert that was rolled back must leave no number behind.
        self._key_ids.update(keys)

    def _known_runs(self, connection: sa.Connection, run_ids: set[str]) -> dict[str, int]:
        missing = [run_id for run_id in run_ids if run_id not in self._run_ids]
        for part in _parts(missing):
            found = connection.execute(
                sa.select(schema.runs.c.run_id, schema.runs.c.id).where(schema.runs.c.run_id.in_(part))
            )
            self._run_ids.update({row.run_id: row.id for row in found})
        return {run_id: self._run_ids[run_id] for run_id in run_ids if run_id in self._run_ids}

    def _known_keys(self, connection: sa.Connection, keys: set[str]) -> dict[str, int]:
        known = {key: self._key_ids[key] for key in keys if key in self._key_ids}
        missing = sorted(keys - known.keys())
        if missing:
            connection.execute(upsert(schema.metric_keys).on_conflict_do_nothing(), [{"name": key} for key in missing])
            for part in _parts(missing):
                rows = connection.execute(
                    sa.select(schema.metric_keys.c.name, schema.metric_keys.c.id).where(
                        schema.metric_keys.c.name.in_(part)
                    )
                )
                known.update({row.name: row.id for row in rows})
        return known

    def _run_number(self, run_id: str) -> int:
        number = self._run_ids.get(run_id)
        if number is None:
            with self._engine.read() as connection:
                number = connection.execute(sa.select(schema.runs.c.id).where(schema.runs.c.run_id == run_id)).scalar()
            if number is None:
                raise self._no_such_run(run_id)
            self._run_ids[run_id] = number
        return number

    def _no_such_run(self, run_id: str) -> NotFound:
        return NotFound(f"No run has the id '{run_id}' in {self.location.path}.")

    # -- runs whose process is gone ----------------------------------------------------

    def settle(self) -> None:
        """Take in what dead processes left and end their runs as KILLED.

        Looks at most every two seconds; writes only when there is something to settle.
        """
        if time.monotonic() - self._settled < _SETTLE_SECONDS:
            return
        self._settled = time.monotonic()
        if self.location.path.exists():
            spool.take_in_abandoned(self.location.path, self._commit_points)
            lost = self._lost_runs()
            if lost:
                self._end_lost_runs(lost)

    def _lost_runs(self) -> list[int]:
        table = schema.runs
        with self._engine.read() as connection:
            rows = connection.execute(
                sa.select(
                    table.c.id, table.c.lease_host, table.c.lease_boot, table.c.lease_pid, table.c.lease_process_start
                ).where(table.c.status == RunStatus.RUNNING.value, table.c.lease_pid.is_not(None))
            ).all()
        return [number for number, *held in rows if held[2] != os.getpid() and lease.is_over(lease.Lease(*held))]

    def _end_lost_runs(self, lost: Sequence[int]) -> None:
        table = schema.runs
        with self._engine.write() as connection:
            for number in lost:
                ended = connection.execute(
                    sa.update(table)
                    .where(table.c.id == number, table.c.status == RunStatus.RUNNING.value)
                    .values(
                        status=RunStatus.KILLED.value, end_time=sa.func.coalesce(table.c.heartbeat, table.c.start_time)
                    )
                )
                if ended.rowcount:
                    _upsert_tags(connection, number, {END_REASON_TAG: "the process that ran it is gone"})


@dataclass(slots=True)
class _Latest:
    """The row of ``latest_metrics`` in the making."""

    value: float | None
    timestamp: int
    step: int
    count: int
    min: float | None
    min_step: int | None
    max: float | None
    max_step: int | None

    def add(self, step: int, timestamp: int, value: float) -> None:
        self.count += 1
        # Highest step, then latest time, then greatest value; NaN loses a full tie.
        if step > self.step or (
            step == self.step
            and (timestamp > self.timestamp or (timestamp == self.timestamp and _greater(value, self.value)))
        ):
            self.value, self.timestamp, self.step = value, timestamp, step
        if value == value:
            if self.min is None or value < self.min:
                self.min, self.min_step = value, step
            if self.max is None or value > self.max:
                self.max, self.max_step = value, step


def _greater(value: float, old: float | None) -> bool:
    return old is None or old != old or value >= old


def _fold_latest(cursor: Any, rows: Sequence[tuple[int, int, int, int, int, float]]) -> None:
    """Bring ``latest_metrics`` up to date with freshly inserted points."""
    latest: dict[tuple[int, int], _Latest] = {}
    for run, key, step, _, timestamp, value in rows:
        entry = latest.get((run, key))
        if entry is None:
            stored = cursor.execute(
                "SELECT value, timestamp, step, count, min, min_step, max, max_step FROM latest_metrics "
                "WHERE run = ? AND key = ?",
                (run, key),
            ).fetchone()
            entry = latest[run, key] = (
                _Latest(*stored) if stored else _Latest(None, -(1 << 63), -(1 << 63), 0, None, None, None, None)
            )
        entry.add(step, timestamp, value)
    cursor.executemany(
        "INSERT OR REPLACE INTO latest_metrics (run, key, value, timestamp, step, count, min, min_step, max, max_step) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (run, key, e.value, e.timestamp, e.step, e.count, e.min, e.min_step, e.max, e.max_step)
            for (run, key), e in latest.items()
        ],
    )


def _writer(connection: sa.Connection, spool_id: str) -> tuple[int, int]:
    """Return the number of a spool's writer and how many of its points are in."""
    connection.execute(upsert(schema.writers).values(uuid=spool_id, committed=0).on_conflict_do_nothing())
    row = connection.execute(
        sa.select(schema.writers.c.id, schema.writers.c.committed).where(schema.writers.c.uuid == spool_id)
    ).one()
    return row.id, row.committed


def _insert_params(connection: sa.Connection, number: int, run: str, params: Mapping[str, str]) -> None:
    if not params:
        return
    old: dict[str, str] = {}
    for part in _parts(list(params)):
        rows = connection.execute(
            sa.select(schema.params.c.key, schema.params.c.value).where(
                schema.params.c.run == number, schema.params.c.key.in_(part)
            )
        )
        old.update({row.key: row.value for row in rows})
    for key, value in params.items():
        if key in old and old[key] != value:
            raise ParamChanged(
                f"The param '{key}' is '{old[key]}' in this run and cannot become '{value}'. "
                "Nothing of this call was stored. Start another run for another value."
            )
    fresh = [{"run": number, "key": key, "value": value} for key, value in params.items() if key not in old]
    if fresh:
        connection.execute(sa.insert(schema.params), fresh)


def _upsert_tags(connection: sa.Connection, number: int, tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        statement = upsert(schema.tags).values(run=number, key=key, value=value)
        connection.execute(statement.on_conflict_do_update(set_={"value": value}))


def _attempts(connection: sa.Connection, group: str) -> int:
    """Return the highest attempt of a cell so far."""
    of_group = sa.select(schema.tags.c.run).where(schema.tags.c.key == CELL_GROUP_TAG, schema.tags.c.value == group)
    highest = sa.select(sa.func.max(sa.cast(schema.tags.c.value, sa.Integer))).where(
        schema.tags.c.key == ATTEMPT_TAG, schema.tags.c.run.in_(of_group)
    )
    return connection.execute(highest).scalar() or 0


def _load_runs(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[Run]:
    numbers = [row.id for row in rows]
    params: dict[int, dict[str, str]] = {number: {} for number in numbers}
    tags: dict[int, dict[str, str]] = {number: {} for number in numbers}
    metrics: dict[int, dict[str, float]] = {number: {} for number in numbers}
    latest = schema.latest_metrics
    for part in _parts(numbers):
        for table, into in ((schema.params, params), (schema.tags, tags)):
            for number, key, value in connection.execute(
                sa.select(table.c.run, table.c.key, table.c.value).where(table.c.run.in_(part))
            ):
                into[number][key] = value
        for number, key, value in connection.execute(
            sa.select(latest.c.run, schema.metric_keys.c.name, latest.c.value)
            .join(schema.metric_keys, schema.metric_keys.c.id == latest.c.key)
            .where(latest.c.run.in_(part))
        ):
            metrics[number][key] = _from_stored(value)
    return [
        Run(
            RunInfo(
                run_id=row.run_id,
                experiment_id=str(row.experiment),
                run_name=row.name,
                user_id=row.user_id,
                status=row.status,
                start_time=row.start_time,
                end_time=row.end_time,
                lifecycle_stage=row.lifecycle_stage,
                artifact_uri=row.artifact_uri,
            ),
            RunData(metrics=metrics[row.id], params=params[row.id], tags=tags[row.id]),
        )
        for row in rows
    ]


def _from_stored(value: float | None) -> float:
    return math.nan if value is None else value


def _experiment_number(experiment_id: str) -> int:
    try:
        return int(experiment_id)
    except ValueError:
        raise InvalidValue(
            f"An experiment id is a number such as '1', not '{experiment_id}'. "
            "Use get_experiment_by_name to look up a name."
        ) from None


def _parts(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[first : first + _IN_LIMIT] for first in range(0, len(items), _IN_LIMIT))


def _make_token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"offset:{offset}".encode()).decode()


def _read_token(token: str | None) -> int:
    if not token:
        return 0
    with contextlib.suppress(ValueError):
        text = base64.urlsafe_b64decode(token.encode()).decode()
        if text.startswith("offset:"):
            return int(text.removeprefix("offset:"))
    raise InvalidValue(f"'{token[:40]}' is no page token. Use the token of the page before.")


def _reset_after_fork() -> None:
    for store in _open_stores:
        store.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_reset_after_fork)
