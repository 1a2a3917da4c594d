"""The tracking store: experiments, runs and what was logged to them, in one database.

One public method is one transaction, and returns entities. Metric points go through
the spool: ``log_points`` returns when they are safe in its file, every read commits
them first. Nothing is created before the first call that needs the store.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import os
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from tracknb import names
from tracknb.config import StoreLocation, is_durable, note_store
from tracknb.entities import (
    ATTEMPT_TAG,
    CELL_GROUP_TAG,
    END_REASON_TAG,
    EVALUATION_DIGEST_TAG,
    EVALUATION_SET_TAGS,
    RUN_NAME_TAG,
    CellExecution,
    DatasetInput,
    Experiment,
    ExperimentUse,
    LifecycleStage,
    Metric,
    MetricSummary,
    PagedList,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunStatus,
    ViewType,
)
from tracknb.errors import (
    AlreadyExists,
    InvalidValue,
    NestedCall,
    NotFound,
    ParamChanged,
    RunDeleted,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    StoreUnreachable,
)
from tracknb.search import parse_filter, parse_order
from tracknb.store import compile as compiler
from tracknb.store import executions, functions, inputs, intake, lease, schema, spool, upkeep
from tracknb.store.engine import insert_missing, open_engine, upsert
from tracknb.store.places import Places
from tracknb.store.points import Points, from_stored, parts

if TYPE_CHECKING:
    import pandas as pd

    from tracknb.store.points import Curve

_SETTLE_SECONDS: Final = 2.0
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
        if location.path is not None:
            note_store(location.path)
        self._engine = open_engine(location)
        self._places = Places(location)
        self._points = Points(self._engine)
        self._spool = spool.Spool(
            location.spool_base,
            location.shown,
            self._points.commit,
            is_writing_here=self._engine.is_writing_here,
            durable=is_durable(),
        )
        self._leases = lease.Leases(self._engine)
        self._settled = 0.0
        _open_stores.add(self)

    # -- experiments -------------------------------------------------------------

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: Mapping[str, str] | None = None
    ) -> str:
        """Make an experiment and return its id; its name must be new."""

        def work(connection: sa.Connection) -> str:
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

        return self._engine.write(work, repeatable=False)

    def get_or_create_experiment(self, name: str) -> Experiment:
        """Return the experiment of this name, making it if it is new; safe to race."""
        found = self.get_experiment_by_name(name)
        if found is None:
            # Another process may win between the look and the insert: it then waits for
            # this lock or we for its, and the second of us finds the first one's row.
            def work(connection: sa.Connection) -> str:
                number = connection.execute(
                    sa.select(schema.experiments.c.id).where(schema.experiments.c.name == name)
                ).scalar()
                return str(number) if number is not None else self._insert_experiment(connection, name, None, {})

            found = self.get_experiment(self._engine.write(work))
        return found

    def _insert_experiment(
        self, connection: sa.Connection, name: str, artifact_location: str | None, tags: Mapping[str, str]
    ) -> str:
        now = names.now_ms()
        inserted = connection.execute(
            sa.insert(schema.experiments).values(
                name=name,
                artifact_location=artifact_location or "",
                lifecycle_stage=LifecycleStage.ACTIVE.value,
                creation_time=now,
                last_update_time=now,
            )
        ).inserted_primary_key
        assert inserted is not None  # one row was inserted
        number = inserted[0]
        if artifact_location is None:
            connection.execute(
                sa.update(schema.experiments)
                .where(schema.experiments.c.id == number)
                .values(artifact_location=f"{self.location.artifact_root}/{number}")
            )
        if tags:
            rows = [{"experiment": number, "key": key, "value": value} for key, value in tags.items()]
            connection.execute(sa.insert(schema.experiment_tags), rows)
        return str(number)

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Return an experiment by its id."""
        found = self._experiments(schema.experiments.c.id == _experiment_number(experiment_id))
        if not found:
            raise NotFound(f"No experiment has the id {experiment_id} in {self.location.shown}.")
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
        page_token: str | None = None,
    ) -> PagedList[Experiment]:
        """Return a page of the experiments that match, the newest first; all of them without ``max_results``."""
        condition: sa.ColumnElement[bool] = schema.experiments.c.lifecycle_stage.in_(_STAGES[ViewType(view_type)])
        node = parse_filter(filter_string or "", entity="experiments")
        if node is not None:
            condition = sa.and_(condition, compiler.experiment_condition(node))
        order = compiler.experiment_order(parse_order(order_by or (), entity="experiments"))
        offset = _read_token(page_token)
        if max_results is None:
            return PagedList(self._experiments(condition, order=order, offset=offset), None)
        found = self._experiments(condition, order=order, limit=max_results + 1, offset=offset)
        token = _make_token(offset + max_results) if len(found) > max_results else None
        return PagedList(found[:max_results], token)

    def _experiments(
        self,
        condition: sa.ColumnElement[bool],
        *,
        order: Sequence[Any] = (),
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Experiment]:
        def work(connection: sa.Connection) -> tuple[Sequence[sa.Row[Any]], dict[int, dict[str, str]]]:
            statement = sa.select(schema.experiments).where(condition).order_by(*order)
            if limit is not None or offset:
                # SQLite and MySQL know no OFFSET without a LIMIT; SQLAlchemy gives them one.
                statement = statement.limit(limit).offset(offset)
            rows = connection.execute(statement).all()
            tags: dict[int, dict[str, str]] = {row.id: {} for row in rows}
            for part in parts(list(tags)):
                for number, key, value in connection.execute(
                    sa.select(schema.experiment_tags).where(schema.experiment_tags.c.experiment.in_(part))
                ):
                    tags[number][key] = value
            return rows, tags

        rows, tags = self._engine.read(work)
        return [
            Experiment(
                experiment_id=str(row.id),
                name=row.name,
                artifact_location=self._places.of_experiment(row.artifact_location),
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
        number = _experiment_number(experiment_id)

        row = {"experiment": number, "key": key, "value": value}
        self._engine.write(lambda connection: upsert(connection, schema.experiment_tags, [row], "value"))

    def change_experiment_tags(self, experiment_id: str, tags: Mapping[str, str], removed: Sequence[str]) -> None:
        """Set some tags of an experiment and take others off, all or none; what is not there need not be taken off."""
        self.get_experiment(experiment_id)
        number, table = _experiment_number(experiment_id), schema.experiment_tags
        rows = [{"experiment": number, "key": key, "value": value} for key, value in tags.items()]

        def work(connection: sa.Connection) -> None:
            if removed:
                connection.execute(sa.delete(table).where(table.c.experiment == number, table.c.key.in_(removed)))
            if rows:
                upsert(connection, table, rows, "value")

        self._engine.write(work)

    def set_experiment_stage(self, experiment_id: str, stage: LifecycleStage) -> None:
        """Delete an experiment softly, or take it back; its runs go and come with it."""
        found = self.get_experiment(experiment_id)
        if found.lifecycle_stage == stage:
            raise NotFound(
                f"No {'active' if stage == LifecycleStage.DELETED else 'deleted'} experiment has the id "
                f"{experiment_id}: '{found.name}' is {stage.value} already."
            )
        number, now = _experiment_number(experiment_id), names.now_ms()
        deleted = now if stage == LifecycleStage.DELETED else None

        def work(connection: sa.Connection) -> None:
            connection.execute(
                sa.update(schema.experiments)
                .where(schema.experiments.c.id == number)
                .values(lifecycle_stage=stage.value, last_update_time=now)
            )
            connection.execute(
                sa.update(schema.runs)
                .where(schema.runs.c.experiment == number)
                .values(lifecycle_stage=stage.value, deleted_time=deleted)
            )

        self._engine.write(work)

    def rename_experiment(self, experiment_id: str, name: str) -> None:
        """Give an active experiment another name, which must be free."""
        found = self.get_experiment(experiment_id)
        if found.lifecycle_stage != LifecycleStage.ACTIVE:
            raise InvalidValue(
                f"The experiment '{found.name}' is deleted and cannot be renamed. "
                f"Bring it back with restore_experiment('{experiment_id}')."
            )
        number = _experiment_number(experiment_id)

        def work(connection: sa.Connection) -> None:
            taken = connection.execute(
                sa.select(schema.experiments.c.id).where(
                    schema.experiments.c.name == name, schema.experiments.c.id != number
                )
            ).scalar()
            if taken is not None:
                raise AlreadyExists(f"An experiment called '{name}' exists already, with id {taken}.")
            connection.execute(
                sa.update(schema.experiments)
                .where(schema.experiments.c.id == number)
                .values(name=name, last_update_time=names.now_ms())
            )

        self._engine.write(work)

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Take a tag off an experiment; it must be there."""
        self.get_experiment(experiment_id)
        table = schema.experiment_tags
        statement = sa.delete(table).where(table.c.experiment == _experiment_number(experiment_id), table.c.key == key)
        if self._engine.write(lambda connection: connection.execute(statement).rowcount, repeatable=False) == 0:
            raise NotFound(f"The experiment {experiment_id} has no tag '{key}'.")

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
        tags = {**tags, RUN_NAME_TAG: run_name}
        row: dict[str, Any] = {
            "run_id": run_id,
            "experiment": _experiment_number(experiment_id),
            "name": run_name,
            "user_id": user_id,
            "status": RunStatus.RUNNING.value,
            "start_time": start_time,
            "lifecycle_stage": LifecycleStage.ACTIVE.value,
            "heartbeat": start_time,
            **self._leases.columns(),
        }

        def work(connection: sa.Connection) -> int:
            experiments = schema.experiments
            kept = connection.execute(
                sa.select(experiments.c.artifact_location).where(experiments.c.id == row["experiment"])
            ).scalar_one()
            row["artifact_uri"] = f"{self._places.kept(kept).rstrip('/')}/{run_id}/artifacts"
            # The id is ours: if the answer to an earlier try was lost, the run is there.
            insert_missing(connection, schema.runs, [row])
            number: int = connection.execute(
                sa.select(schema.runs.c.id).where(schema.runs.c.run_id == run_id)
            ).scalar_one()
            if attempt_group is not None:
                tags[CELL_GROUP_TAG] = attempt_group
                tags[ATTEMPT_TAG] = str(_attempts(connection, attempt_group, number) + 1)
            insert_missing(
                connection, schema.tags, [{"run": number, "key": key, "value": value} for key, value in tags.items()]
            )
            if params:
                _insert_params(connection, number, params)
            return number

        number = self._engine.write(work)
        self._points.know_run(run_id)
        self._leases.hold(number)
        info = RunInfo(
            run_id=run_id,
            experiment_id=experiment_id,
            run_name=run_name,
            user_id=user_id,
            status=RunStatus.RUNNING.value,
            start_time=start_time,
            end_time=None,
            lifecycle_stage=LifecycleStage.ACTIVE.value,
            artifact_uri=self._places.of_runs()(row["artifact_uri"]),
        )
        return Run(info, RunData(params=dict(params or {}), tags=tags))

    def get_run(self, run_id: str) -> Run:
        """Return a run with its last metric values, params and tags."""
        self._commit_first()

        def work(connection: sa.Connection) -> Run:
            rows = connection.execute(sa.select(schema.runs).where(schema.runs.c.run_id == run_id)).all()
            if not rows:
                raise self._no_such_run(run_id)
            return _load_runs(connection, rows, self._places)[0]

        return self._engine.read(work)

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
        self._commit_first()
        conditions: list[sa.ColumnElement[bool]] = [
            _in_experiments(experiment_ids),
            schema.runs.c.lifecycle_stage.in_(_STAGES[ViewType(run_view_type)]),
        ]
        node = parse_filter(filter_string)
        if node is not None:
            conditions.append(compiler.run_condition(node, self._places.folder))
        offset = _read_token(page_token)
        found = compiler.ordered_runs(sa.select(schema.runs).where(*conditions), parse_order(order_by or ()))
        # One more than asked for tells whether there is another page.
        statement = found.limit(max_results + 1).offset(offset)

        def work(connection: sa.Connection) -> PagedList[Run]:
            rows = connection.execute(statement).all()
            token = _make_token(offset + max_results) if len(rows) > max_results else None
            return PagedList(_load_runs(connection, rows[:max_results], self._places), token)

        return self._engine.read(work)

    def count_runs(self, experiment_ids: Sequence[str]) -> int:
        """Return how many runs that are not deleted the experiments hold."""
        statement = (
            sa.select(sa.func.count())
            .select_from(schema.runs)
            .where(
                _in_experiments(experiment_ids),
                schema.runs.c.lifecycle_stage == LifecycleStage.ACTIVE.value,
            )
        )
        return self._engine.read(lambda connection: connection.execute(statement).scalar_one())

    def experiment_use(self, user: str, experiment_ids: Sequence[str] | None = None) -> dict[str, ExperimentUse]:
        """Return what the runs of each experiment come to, by its id; one without runs is left out.

        Deleted runs do not count. It is one statement, however many experiments there are.
        """
        runs = schema.runs.c
        condition = runs.lifecycle_stage == LifecycleStage.ACTIVE.value
        if experiment_ids is not None:
            condition = sa.and_(condition, _in_experiments(experiment_ids))
        of_user = sa.func.sum(sa.case((runs.user_id == user, 1), else_=0))
        statement = (
            sa.select(runs.experiment, sa.func.count(), of_user, sa.func.max(runs.start_time))
            .where(condition)
            .group_by(runs.experiment)
        )
        rows = self._engine.read(lambda connection: connection.execute(statement).all())
        return {str(number): ExperimentUse(count, int(own), newest) for number, count, own, newest in rows}

    def update_run(
        self,
        run_id: str,
        *,
        status: str | None = None,
        end_time: int | None = None,
        run_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        even_deleted: bool = False,
    ) -> None:
        """Change how a run stands, its name or its tags, in one transaction.

        Its points are committed first, so a run that has ended is whole. Back to RUNNING
        clears the end time and gives the run to this process.
        """
        self._spool.drain()
        values: dict[str, Any] = {}
        if status is not None:
            values["status"] = status
            values["end_time"] = None if status == RunStatus.RUNNING else end_time
            if status == RunStatus.RUNNING:
                values |= self._leases.columns() | {"heartbeat": names.now_ms()}
        tags = dict(tags or {})
        if run_name is not None:
            values["name"] = tags[RUN_NAME_TAG] = run_name

        def work(connection: sa.Connection) -> int:
            find = self._number if even_deleted else self._writable
            number = find(connection, run_id)
            if values:
                connection.execute(sa.update(schema.runs).where(schema.runs.c.id == number).values(values))
            _upsert_tags(connection, number, tags)
            if status is not None:
                # Why it ended before is no longer true.
                connection.execute(
                    sa.delete(schema.tags).where(schema.tags.c.run == number, schema.tags.c.key == END_REASON_TAG)
                )
            return number

        number = self._engine.write(work)
        if status == RunStatus.RUNNING:
            self._leases.hold(number)
        elif status is not None:
            self._leases.release(number)

    def set_run_stage(self, run_id: str, stage: LifecycleStage) -> None:
        """Delete a run softly, or take it back."""
        deleted = names.now_ms() if stage == LifecycleStage.DELETED else None

        def work(connection: sa.Connection) -> None:
            connection.execute(
                sa.update(schema.runs)
                .where(schema.runs.c.id == self._number(connection, run_id))
                .values(lifecycle_stage=stage.value, deleted_time=deleted)
            )

        self._engine.write(work)
        self._points.forget_run(run_id)

    def latest_run_of_group(self, group: str) -> Run | None:
        """Return the newest run of a cell, or None."""
        self._commit_first()

        def work(connection: sa.Connection) -> Run | None:
            rows = connection.execute(_runs_of_group(group).order_by(schema.runs.c.id.desc()).limit(1)).all()
            return _load_runs(connection, rows, self._places)[0] if rows else None

        return self._engine.read(work)

    def run_of_attempt_before(self, run_id: str) -> Run | None:
        """Return the run that stood in the place of a run in the attempt of its cell before, or None.

        A cell may have several runs in one attempt; where it had fewer before, the last stands for the rest.
        """
        self._commit_first()

        def work(connection: sa.Connection) -> Run | None:
            number = sa.select(schema.runs.c.id).where(schema.runs.c.run_id == run_id).scalar_subquery()
            own = _tags_of_run(connection, number, (CELL_GROUP_TAG, ATTEMPT_TAG))
            if len(own) < 2:
                return None
            attempt, runs = schema.tags.alias(), schema.runs
            of_group = (
                _runs_of_group(own[CELL_GROUP_TAG])
                .join(attempt, attempt.c.run == runs.c.id)
                .where(attempt.c.key == ATTEMPT_TAG, runs.c.id < number)
                .add_columns(attempt.c.value.label("attempt"))
            )
            earlier = of_group.where(attempt.c.value != own[ATTEMPT_TAG]).order_by(runs.c.id.desc()).limit(1)
            newest = connection.execute(earlier).first()
            if newest is None:
                return None
            count = sa.select(sa.func.count()).select_from(
                of_group.where(attempt.c.value == own[ATTEMPT_TAG]).subquery()
            )
            place = connection.execute(count).scalar_one()
            same = of_group.where(attempt.c.value == newest.attempt).order_by(runs.c.id)
            rows = connection.execute(same.offset(place).limit(1)).all() or [newest]
            return _load_runs(connection, rows, self._places)[0]

        return self._engine.read(work)

    def other_content_of_set(self, experiment_id: str, evaluation_set: str, digest: str) -> Run | None:
        """Return the newest run whose evaluation set of this name had other content, or None."""
        named, content = schema.tags.alias(), schema.tags.alias()

        def work(connection: sa.Connection) -> Run | None:
            rows = connection.execute(
                sa.select(schema.runs)
                .join(named, named.c.run == schema.runs.c.id)
                .join(content, content.c.run == schema.runs.c.id)
                .where(named.c.key.in_(EVALUATION_SET_TAGS), named.c.value == evaluation_set)
                .where(content.c.key == EVALUATION_DIGEST_TAG, content.c.value != digest)
                .where(schema.runs.c.experiment == _experiment_number(experiment_id))
                .where(schema.runs.c.lifecycle_stage == LifecycleStage.ACTIVE.value)
                .order_by(schema.runs.c.id.desc())
                .limit(1)
            ).all()
            return _load_runs(connection, rows, self._places)[0] if rows else None

        return self._engine.read(work)

    # -- what is logged ------------------------------------------------------------

    def log_points(self, run_id: str, points: Sequence[tuple[str, float, int, int]]) -> None:
        """Keep points of (key, value, step, timestamp in ms); safe from a kill on return.

        All of them are kept or none. The order of calls is the order of points.
        """
        if self.location.backend == "mysql":
            _refuse_greatest(points)
        if not self._points.knows_run(run_id):
            # Points of no run would be dropped later, when nobody listens.
            self._engine.read(lambda connection: self._writable(connection, run_id))
        self._spool.append(run_id, points)

    def point_series(self, run_id: str, key: str) -> spool.Series | None:
        """Return the handle by which a loop's points of one metric are appended; None if each must be checked."""
        return self._spool.series(run_id, key) if self.location.backend != "mysql" else None

    def log_params(self, run_id: str, params: Mapping[str, str], *, overwrite: bool = False) -> None:
        """Store parameters, all or none; one that was logged with another value is refused, or replaced."""

        def work(connection: sa.Connection) -> None:
            _insert_params(connection, self._writable(connection, run_id), params, overwrite=overwrite)

        self._engine.write(work)

    def param_history(self, run_id: str, key: str) -> list[tuple[str, int]]:
        """Return what a param was before, and when each value was replaced, the oldest first."""
        table = schema.param_history

        def work(connection: sa.Connection) -> list[tuple[str, int]]:
            number = self._number(connection, run_id)
            rows = connection.execute(
                sa.select(table.c.value, table.c.replaced_time)
                .where(table.c.run == number, table.c.key == key)
                .order_by(table.c.id)
            )
            return [(value, replaced) for value, replaced in rows]

        return self._engine.read(work)

    def log_inputs(self, run_id: str, dataset_inputs: Sequence[DatasetInput]) -> None:
        """Store which datasets a run used; one that is noted already stays as it is."""

        def work(connection: sa.Connection) -> None:
            inputs.insert(connection, self._writable(connection, run_id), dataset_inputs)

        self._engine.write(work)

    def record_cells(
        self, tags: Mapping[str, Mapping[str, str]], kernel: str, notebook: str, cells: Sequence[CellExecution]
    ) -> None:
        """Note the executions of a kernel, what they are to runs, and the runs' tags that follow from it, by run id."""

        def work(connection: sa.Connection) -> None:
            numbers = {run_id: self._writable(connection, run_id) for run_id in tags}
            executions.insert(connection, list(numbers.values()), kernel, notebook, cells)
            for run_id, found in tags.items():
                _upsert_tags(connection, numbers[run_id], found)

        self._engine.write(work)

    def cells_of(self, run_id: str, *, with_before: bool = False) -> list[CellExecution]:
        """Return the cells that a run depends on and its own, in the order of their execution."""
        return self._engine.read(lambda connection: executions.of_run(connection, run_id, with_before=with_before))

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run, over older values; ``mlflow.runName`` renames it."""

        def work(connection: sa.Connection) -> None:
            number = self._writable(connection, run_id)
            _upsert_tags(connection, number, tags)
            if RUN_NAME_TAG in tags:
                connection.execute(
                    sa.update(schema.runs).where(schema.runs.c.id == number).values(name=tags[RUN_NAME_TAG])
                )

        self._engine.write(work)

    def delete_tag(self, run_id: str, key: str) -> None:
        """Take a tag off a run; it must be there."""

        def work(connection: sa.Connection) -> None:
            number = self._writable(connection, run_id)
            found = connection.execute(
                sa.delete(schema.tags).where(schema.tags.c.run == number, schema.tags.c.key == key)
            )
            if found.rowcount == 0:
                raise NotFound(f"The run {run_id} has no tag '{key}'.")

        self._engine.write(work, repeatable=False)

    def metric_history(self, run_id: str, key: str) -> list[Metric]:
        """Return every point of a metric by step, then time; nothing if it was never logged."""
        self._commit_first()
        return self._engine.read(
            lambda connection: self._points.history(connection, self._run(connection, run_id), run_id, key)
        )

    def metric_frame(self, run_ids: Sequence[str], keys: Sequence[str] | None) -> pd.DataFrame:
        """Return the points of many metrics of many runs as one tidy table."""
        self._commit_first()

        def work(connection: sa.Connection) -> pd.DataFrame:
            found = self._points.runs(connection, run_ids)
            for run_id in run_ids:
                if run_id not in found:
                    raise self._no_such_run(run_id)
            return self._points.frame(connection, {run_id: found[run_id] for run_id in run_ids}, keys)

        return self._engine.read(work)

    def metric_series(self, run_id: str, key: str, max_points: int) -> Curve:
        """Return steps, times and values of a curve, thinned to look the same when drawn."""
        self._commit_first()
        return self._engine.read(
            lambda connection: self._points.series(connection, self._run(connection, run_id), key, max_points)
        )

    def metric_outlines(
        self, run_ids: Sequence[str], keys: Sequence[str], max_points: int
    ) -> dict[tuple[str, str], list[float]]:
        """Return the thinned values of several metrics of several runs; who has fewer than two points is left out."""
        self._commit_first()

        def work(connection: sa.Connection) -> dict[tuple[str, str], list[float]]:
            return self._points.outlines(connection, self._points.runs(connection, run_ids), keys, max_points)

        return self._engine.read(work)

    def metric_summaries(self, run_id: str) -> dict[str, MetricSummary]:
        """Return last, count, min and max of each metric of a run."""
        self._commit_first()
        return self._engine.read(lambda connection: self._points.summaries(connection, self._run(connection, run_id)))

    # -- from elsewhere ------------------------------------------------------------------

    def import_experiment(self, experiment: Experiment, state: str) -> tuple[Experiment, bool]:
        """Take an experiment of another tracker in by its name; returns ours, and whether it is new."""
        root = self.location.artifact_root
        number, is_new = self._engine.write(
            lambda connection: intake.take_experiment(connection, experiment, state, root)
        )
        return self.get_experiment(str(number)), is_new

    def import_run(
        self, run: Run, history: intake.History, *, state: str, deleted_time: int | None = None
    ) -> intake.Taken:
        """Take a run of another tracker in, with every point, in one transaction.

        The same state again changes nothing; another one adds what is missing here.
        """
        self._spool.drain()
        return self._engine.write(
            lambda connection: intake.take_run(
                connection, self._points, run, history, state=state, deleted_time=deleted_time
            )
        )

    # -- upkeep ------------------------------------------------------------------------

    def run_sizes(self, run_ids: Sequence[str] | None = None) -> list[upkeep.RunSize]:
        """Return what each run holds, the greatest first."""
        self._commit_first()
        return self._engine.read(lambda connection: upkeep.sizes(connection, self._places.of_runs(), run_ids))

    def removable_runs(self, before_ms: int, run_ids: Sequence[str] | None) -> list[upkeep.RunSize]:
        """Return the runs that were deleted before a time, alone or with their experiment."""
        self._commit_first()

        def work(connection: sa.Connection) -> list[upkeep.RunSize]:
            return upkeep.sizes(connection, self._places.of_runs(), upkeep.removable(connection, before_ms, run_ids))

        return self._engine.read(work)

    def is_removable(self, before_ms: int, run_id: str) -> bool:
        """Tell whether a run is still one of those that were deleted before a time."""
        return bool(self._engine.read(lambda connection: upkeep.removable(connection, before_ms, [run_id])))

    def remove_run(self, run_id: str) -> None:
        """Take a run out for good, with all that was logged to it."""
        self._engine.write(lambda connection: upkeep.remove_run(connection, run_id))
        self._points.forget()

    def remove_empty_experiments(self, before_ms: int) -> list[str]:
        """Take out deleted experiments that hold no run any more; returns their artifact folders."""
        kept = self._engine.write(lambda connection: upkeep.remove_empty_experiments(connection, before_ms))
        return [self._places.of_experiment(place) for place in kept]

    def long_metrics(self, max_points: int, run_ids: Sequence[str] | None) -> list[upkeep.LongMetric]:
        """Return the metrics of ended runs that have more points than wanted."""
        self._commit_first()
        return self._engine.read(lambda connection: upkeep.long_metrics(connection, max_points, run_ids))

    def thin_metric(self, metric: upkeep.LongMetric, max_points: int) -> int:
        """Keep the points of a metric that draw its curve; returns how many went."""
        return self._engine.write(lambda connection: upkeep.thin_metric(connection, metric, max_points))

    def compact(self) -> bool:
        """Give free room back to the disk; False where others use the store just now."""
        return self._engine.compact()

    # -- the spool's door ------------------------------------------------------------

    def flush(self) -> None:
        """Commit every point that was logged before this call, however long it takes."""
        self._spool.drain()

    def set_durable(self, durable: bool) -> None:
        """Say whether every point from now on is on the disk before its call returns."""
        self._spool.set_durable(durable)

    def retire_spool(self) -> None:
        """Commit everything and remove the spool's file until the next point."""
        self._spool.close()
        # What workers of this process logged and left behind.
        spool.take_in_abandoned(self.location.spool_base, self._points.commit)

    def close(self) -> None:
        """Commit everything and let go of the database."""
        try:
            self._spool.close()
        finally:
            self._leases.release_all()
            self._engine.close()
            # The next use may find another store in this place.
            self._points.forget()

    def hold_still(self) -> bool:
        """Begin no write until ``go_on``, because this process is about to fork; tells whether to call it."""
        return self._engine.hold_still()

    def go_on(self) -> None:
        """Let this process write again."""
        self._engine.go_on()

    def after_fork(self) -> None:
        """Start afresh in a forked child."""
        self._engine.after_fork()
        self._spool.after_fork()
        self._leases.after_fork()

    def settle(self) -> None:
        """Take in what dead processes left and end their runs as KILLED.

        Looks at most every two seconds; writes only when there is something to settle.
        """
        if time.monotonic() - self._settled < _SETTLE_SECONDS:
            return
        self._settled = time.monotonic()
        if self._engine.exists():
            # A store that cannot be written now is read as it stands, without waiting.
            with contextlib.suppress(StoreReadOnly, StoreFull, StoreLocked, StoreUnreachable):
                at_once = functools.partial(self._points.commit, patience=0.0)
                spool.take_in_abandoned(self.location.spool_base, at_once)
                self._leases.settle(patience=0.0)

    def _commit_first(self) -> None:
        """Take in what was logged before a read; where nothing can be written now, read what is there."""
        self.settle()
        try:
            self._spool.drain()
        except NestedCall:
            pass
        except (StoreFull, StoreReadOnly, StoreLocked) as error:
            self._spool.say_waiting(error)

    def _run(self, connection: sa.Connection, run_id: str) -> tuple[int, int]:
        """Return a run's inner number, which holds within a transaction and no longer, and its start."""
        found = self._points.runs(connection, [run_id])
        if run_id not in found:
            raise self._no_such_run(run_id)
        return found[run_id]

    def _number(self, connection: sa.Connection, run_id: str) -> int:
        return self._run(connection, run_id)[0]

    def _writable(self, connection: sa.Connection, run_id: str) -> int:
        """Return the inner number of a run that is not deleted."""
        runs = schema.runs
        row = connection.execute(sa.select(runs.c.id, runs.c.lifecycle_stage).where(runs.c.run_id == run_id)).first()
        if row is None:
            raise self._no_such_run(run_id)
        if row.lifecycle_stage != LifecycleStage.ACTIVE.value:
            raise RunDeleted.of(run_id)
        self._points.know_run(run_id)
        number: int = row.id
        return number

    def _no_such_run(self, run_id: str) -> NotFound:
        return NotFound(f"No run has the id '{run_id}' in {self.location.shown}.")


def _refuse_greatest(points: Sequence[tuple[str, float, int, int]]) -> None:
    for key, value, _, _ in points:
        if abs(value) == sys.float_info.max:
            raise InvalidValue(
                f"The metric '{key}' cannot be {value} here: MySQL has no infinities, and this number stands for them. "
                "Nothing was logged."
            )


def _insert_params(
    connection: sa.Connection, number: int, params: Mapping[str, str], *, overwrite: bool = False
) -> None:
    if not params:
        return
    old: dict[str, str] = {}
    for part in parts(list(params)):
        rows = connection.execute(
            sa.select(schema.params.c.key, schema.params.c.value).where(
                schema.params.c.run == number, schema.params.c.key.in_(part)
            )
        )
        old.update({row.key: row.value for row in rows})
    other = [key for key, value in params.items() if key in old and old[key] != value]
    if other and not overwrite:
        key = other[0]
        raise ParamChanged(
            f"The param '{key}' is '{old[key]}' in this run and cannot become '{params[key]}'. "
            "Nothing of this call was stored. Start another run for another value, or pass overwrite=True."
        )
    if other:
        now = names.now_ms()
        connection.execute(
            sa.insert(schema.param_history),
            [{"run": number, "key": key, "value": old[key], "replaced_time": now} for key in other],
        )
        upsert(connection, schema.params, [{"run": number, "key": key, "value": params[key]} for key in other], "value")
    fresh = [{"run": number, "key": key, "value": value} for key, value in params.items() if key not in old]
    if fresh:
        connection.execute(sa.insert(schema.params), fresh)


def _upsert_tags(connection: sa.Connection, number: int, tags: Mapping[str, str]) -> None:
    rows = [{"run": number, "key": key, "value": value} for key, value in tags.items()]
    upsert(connection, schema.tags, rows, "value")


def _runs_of_group(group: str) -> sa.Select[Any]:
    """Return the question for the runs of a cell that are not deleted."""
    return (
        sa.select(schema.runs)
        .join(schema.tags, schema.tags.c.run == schema.runs.c.id)
        .where(schema.tags.c.key == CELL_GROUP_TAG, schema.tags.c.value == group)
        .where(schema.runs.c.lifecycle_stage == LifecycleStage.ACTIVE.value)
    )


def _tags_of_run(connection: sa.Connection, run: Any, keys: Sequence[str]) -> dict[str, str]:
    """Return those tags of a run, given by its inner number, that it has."""
    table = schema.tags
    found = connection.execute(sa.select(table.c.key, table.c.value).where(table.c.run == run, table.c.key.in_(keys)))
    return {row.key: row.value for row in found}


def _attempts(connection: sa.Connection, group: str, number: int) -> int:
    """Return the highest attempt of a cell so far, other than this run's."""
    of_group = sa.select(schema.tags.c.run).where(schema.tags.c.key == CELL_GROUP_TAG, schema.tags.c.value == group)
    highest = sa.select(sa.func.max(functions.as_number(schema.tags.c.value))).where(
        schema.tags.c.key == ATTEMPT_TAG, schema.tags.c.run.in_(of_group), schema.tags.c.run != number
    )
    return int(connection.execute(highest).scalar() or 0)


def _load_runs(connection: sa.Connection, rows: Sequence[Sequence[Any]], places: Places) -> list[Run]:
    """Return runs for rows of ``runs``, with what was logged to them."""
    numbers = [row[0] for row in rows]
    params: dict[int, dict[str, str]] = {number: {} for number in numbers}
    tags: dict[int, dict[str, str]] = {number: {} for number in numbers}
    metrics: dict[int, dict[str, float]] = {number: {} for number in numbers}
    is_mysql = connection.dialect.name == "mysql"
    # The driver's own rows, one at a time: SQLAlchemy's cost three times as much, a list of all of
    # them half as much again, and there are 20 a run. Equal keys become one text for all runs.
    cursor: Any = connection.connection.cursor()
    known: dict[str, str] = {}
    for part in parts(numbers):
        chosen = ", ".join(map(str, part))
        for table, into in (("params", params), ("tags", tags)):
            cursor.execute(f'SELECT run, "key", value FROM {table} WHERE run IN ({chosen})')
            for number, key, value in cursor:
                into[number][known.setdefault(key, key)] = value
        of_part = f"FROM latest_metrics WHERE run IN ({chosen})"
        cursor.execute(f'SELECT id, name FROM metric_keys WHERE id IN (SELECT "key" {of_part})')
        keys = dict(cursor.fetchall())
        cursor.execute(f'SELECT run, "key", value {of_part}')
        for number, key, value in cursor:
            is_plain = value is not None and not is_mysql
            metrics[number][keys[key]] = value if is_plain else from_stored(schema.from_mysql(value))
    cursor.close()
    used = inputs.of_runs(connection, numbers)
    resolved = places.of_runs()
    return [
        Run(
            RunInfo(run_id, str(experiment), name, user_id, status, start, end, stage, resolved(artifact_uri)),
            RunData(metrics[number], params[number], tags[number]),
            RunInputs(used.get(number, [])),
        )
        for number, run_id, experiment, name, user_id, status, start, end, stage, artifact_uri, *_ in rows
    ]


def _experiment_number(experiment_id: str) -> int:
    try:
        number = int(experiment_id)
        # None is greater in any database; a number that is would be the driver's error.
        return number if 0 <= number < 1 << 31 else -1
    except ValueError:
        raise InvalidValue(
            f"An experiment id is a number such as '1', not '{experiment_id}'. "
            "Use get_experiment_by_name to look up a name."
        ) from None


def _in_experiments(experiment_ids: Sequence[str]) -> sa.ColumnElement[bool]:
    return functions.among(schema.runs.c.experiment, [_experiment_number(item) for item in experiment_ids])


def _make_token(offset: int) -> str:
    # As MLflow's clients know it.
    return base64.b64encode(json.dumps({"offset": offset}).encode()).decode()


def _read_token(token: str | None) -> int:
    if not token:
        return 0
    # A token of ours is short; a long one could nest deeper than Python reads.
    with contextlib.suppress(ValueError, TypeError, KeyError):
        if isinstance(token, str) and len(token) <= 100:
            offset = json.loads(base64.b64decode(token.encode(), validate=True))["offset"]
            if type(offset) is int and 0 <= offset < 1 << 62:
                return offset
    raise InvalidValue(f"{str(token)[:40]!r} is no page token. Use the token of the page before.")


_still: list[TrackingStore] = []


def _hold_still() -> None:
    _still.extend(store for store in list(_open_stores) if store.hold_still())


def _go_on() -> None:
    while _still:
        _still.pop().go_on()


def _reset_after_fork() -> None:
    _still.clear()
    for store in _open_stores:
        store.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=_hold_still, after_in_parent=_go_on, after_in_child=_reset_after_fork)
