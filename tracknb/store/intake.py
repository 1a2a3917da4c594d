"""What was tracked elsewhere, taken in under its own ids: whole or not at all, and once however often.

A tag remembers a digest of how each run looked where it came from. The same digest again
is nothing to do; another one means that the run grew there, and what is missing here is
added. Nothing that is here is taken away, and a run that was not imported is not touched.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from tracknb import names
from tracknb.entities import IMPORT_TAG, Experiment, LifecycleStage, Run
from tracknb.errors import AlreadyExists, InvalidValue
from tracknb.store import engine, inputs, points, schema

if TYPE_CHECKING:
    from tracknb.store.spool import Point

# Portions of one metric after the other: its name, and points of (step, time in ms, value, 0).
History = Callable[[], Iterable[tuple[str, Sequence["Point"]]]]

# What points there are: NaN equals nothing, itself included, so None stands for it.
_Known = Counter[tuple[int, int, float | None]]
_RUN_COLUMNS: Final = ("id", "experiment", "start_time", "artifact_uri")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a run: ``new``, ``updated`` or ``unchanged``, and how many points were added."""

    outcome: str
    points: int
    artifact_uri: str


def take_experiment(
    connection: sa.Connection, experiment: Experiment, state: str, artifact_root: str
) -> tuple[int, bool]:
    """Find or make the experiment of a name; returns its number, and whether it is new."""
    table = schema.experiments
    found = connection.execute(sa.select(table.c.id).where(table.c.name == experiment.name).with_for_update()).scalar()
    if found is None:
        number = _insert_experiment(connection, experiment, artifact_root)
        _write_experiment_tags(connection, number, {**experiment.tags, IMPORT_TAG: state})
        return number, True
    number = int(found)
    tags = schema.experiment_tags
    before = connection.execute(
        sa.select(tags.c.value).where(tags.c.experiment == number, tags.c.key == IMPORT_TAG)
    ).scalar()
    if before is None:
        # It is ours: what it says of itself stays.
        rows = [{"experiment": number, "key": key, "value": value} for key, value in experiment.tags.items()]
        engine.insert_missing(connection, tags, rows)
    elif before != state:
        changed = {"lifecycle_stage": experiment.lifecycle_stage, "last_update_time": _updated(experiment)}
        connection.execute(sa.update(table).where(table.c.id == number).values(changed))
        _write_experiment_tags(connection, number, {**experiment.tags, IMPORT_TAG: state})
    return number, False


def _insert_experiment(connection: sa.Connection, experiment: Experiment, artifact_root: str) -> int:
    created = experiment.creation_time
    inserted = connection.execute(
        sa.insert(schema.experiments).values(
            name=experiment.name,
            artifact_location="",
            lifecycle_stage=experiment.lifecycle_stage,
            creation_time=names.now_ms() if created is None else created,
            last_update_time=_updated(experiment),
        )
    ).inserted_primary_key
    assert inserted is not None  # one row was inserted
    number = int(inserted[0])
    where = schema.experiments.c.id == number
    connection.execute(sa.update(schema.experiments).where(where).values(artifact_location=f"{artifact_root}/{number}"))
    return number


def _updated(experiment: Experiment) -> int:
    times = (experiment.last_update_time, experiment.creation_time)
    return next((time for time in times if time is not None), names.now_ms())


def _write_experiment_tags(connection: sa.Connection, number: int, tags: dict[str, str]) -> None:
    rows = [{"experiment": number, "key": key, "value": value} for key, value in tags.items()]
    engine.upsert(connection, schema.experiment_tags, rows, "value")


def take_run(
    connection: sa.Connection,
    store: points.Points,
    run: Run,
    history: History,
    *,
    state: str,
    deleted_time: int | None,
) -> Taken:
    """Take a run in, or what it has grown by since it was; everything in this transaction."""
    table = schema.runs
    chosen = [table.c[name] for name in _RUN_COLUMNS]
    # Another process may import the same: it waits here until we are done, or we for it.
    found = connection.execute(sa.select(*chosen).where(table.c.run_id == run.info.run_id).with_for_update()).first()
    if found is None:
        number, artifact_uri = _insert_run(connection, run, deleted_time)
        _insert_texts(connection, schema.params, number, run.data.params)
        _insert_texts(connection, schema.tags, number, {**run.data.tags, IMPORT_TAG: state})
        inputs.insert(connection, number, run.inputs.dataset_inputs)
        added = _add_history(connection, store, (number, run.info.start_time), history, _nothing_known)
        return Taken("new", added, artifact_uri)
    texts = {name: _texts(connection, name, found.id) for name in (schema.params, schema.tags)}
    before = texts[schema.tags].get(IMPORT_TAG)
    if before == state:
        return Taken("unchanged", 0, found.artifact_uri)
    _refuse_another(run, found.start_time, texts[schema.params], is_imported=before is not None)
    _update_run(connection, found.id, run)
    fresh = {key: value for key, value in run.data.params.items() if key not in texts[schema.params]}
    _insert_texts(connection, schema.params, found.id, fresh)
    inputs.insert(connection, found.id, run.inputs.dataset_inputs)
    # What somebody set here since stays: of tags only new ones come.
    _insert_texts(
        connection,
        schema.tags,
        found.id,
        {key: value for key, value in run.data.tags.items() if key not in texts[schema.tags]},
    )
    engine.upsert(connection, schema.tags, [{"run": found.id, "key": IMPORT_TAG, "value": state}], "value")
    place = (found.id, found.start_time)
    added = _add_history(connection, store, place, history, lambda key: _known_points(connection, place, key))
    return Taken("updated", added, found.artifact_uri)


def _insert_run(connection: sa.Connection, run: Run, deleted_time: int | None) -> tuple[int, str]:
    info = run.info
    experiment = int(info.experiment_id)
    location = connection.execute(
        sa.select(schema.experiments.c.artifact_location).where(schema.experiments.c.id == experiment)
    ).scalar_one()
    artifact_uri = f"{location.rstrip('/')}/{info.run_id}/artifacts"
    # Without a lease: a run that is still going elsewhere is nobody's to end here.
    inserted = connection.execute(
        sa.insert(schema.runs).values(
            run_id=info.run_id,
            experiment=experiment,
            user_id=info.user_id,
            start_time=info.start_time,
            artifact_uri=artifact_uri,
            **_changing(run, deleted_time),
        )
    ).inserted_primary_key
    assert inserted is not None  # one row was inserted
    return int(inserted[0]), artifact_uri


def _changing(run: Run, deleted_time: int | None) -> dict[str, Any]:
    """Return the columns of a run that change while it lives."""
    is_deleted = run.info.lifecycle_stage == LifecycleStage.DELETED
    return {
        "name": run.info.run_name,
        "status": run.info.status,
        "end_time": run.info.end_time,
        "lifecycle_stage": run.info.lifecycle_stage,
        "deleted_time": (names.now_ms() if deleted_time is None else deleted_time) if is_deleted else None,
    }


def _update_run(connection: sa.Connection, number: int, run: Run) -> None:
    """Let a run go on to its end; its name and whether it is deleted are the user's here."""
    runs = schema.runs
    ended = {"status": run.info.status, "end_time": run.info.end_time}
    connection.execute(sa.update(runs).where(runs.c.id == number).values(ended))


def _refuse_another(run: Run, start_time: int, params: dict[str, str], *, is_imported: bool) -> None:
    """Raise if what is here under a run's id is not that run at an earlier time."""
    if not is_imported:
        raise AlreadyExists("A run of this id is here that was not imported. It was left as it is.")
    if start_time != run.info.start_time:
        raise AlreadyExists("A run of this id is here that started at another time. It was left as it is.")
    for key, value in run.data.params.items():
        if params.get(key, value) != value:
            raise AlreadyExists(
                f"A run of this id is here whose param '{key}' is '{params[key]}', not '{value}'. It was left as it is."
            )


def _insert_texts(connection: sa.Connection, table: sa.Table, number: int, texts: Any) -> None:
    if texts:
        connection.execute(
            sa.insert(table), [{"run": number, "key": key, "value": value} for key, value in texts.items()]
        )


def _texts(connection: sa.Connection, table: sa.Table, number: int) -> dict[str, str]:
    rows = connection.execute(sa.select(table.c.key, table.c.value).where(table.c.run == number))
    return {row.key: row.value for row in rows}


def _nothing_known(_: str) -> _Known:
    return Counter()


def _known_points(connection: sa.Connection, run: tuple[int, int], key: str) -> _Known:
    number, start = run
    return Counter(
        (step, start + elapsed, None if math.isnan(value) else value)
        for step, elapsed, value in points.metric_rows(connection, number, key)
    )


def _add_history(
    connection: sa.Connection,
    store: points.Points,
    run: tuple[int, int],
    history: History,
    known_points: Callable[[str], _Known],
) -> int:
    """Add the points that are not known yet, and return how many they were."""
    number, start = run
    added = 0
    current: str | None = None
    known: _Known = Counter()
    key_number = 0
    for key, portion in history():
        if key != current:
            current, known = key, known_points(key)
            key_number = store.key_numbers(connection, {key})[key]
        fresh = _unknown(portion, known) if known else portion
        if connection.dialect.name == "mysql":
            _refuse_greatest(key, fresh)
        if fresh:
            points.add_points(connection, {(number, key_number): list(fresh)}, {number: start})
            added += len(fresh)
    return added


def _unknown(portion: Sequence[Point], known: _Known) -> list[Point]:
    """Return the points that are not known, and take those that are out of ``known``: a point may be there twice."""
    fresh = []
    for point in portion:
        step, timestamp, value, _ = point
        name = (step, timestamp, None if math.isnan(value) else value)
        if known[name] > 0:
            known[name] -= 1
        else:
            fresh.append(point)
    return fresh


def _refuse_greatest(key: str, portion: Sequence[Point]) -> None:
    for point in portion:
        if abs(point[2]) == sys.float_info.max:
            raise InvalidValue(
                f"The metric '{key}' cannot be {point[2]} here: MySQL has no infinities, "
                "and this number stands for them."
            )
