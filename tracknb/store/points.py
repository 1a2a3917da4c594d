"""Metric points in the store: how they get in, and how curves and tables of them come out.

Writing and reading go to the driver itself: SQLAlchemy's parameters and rows cost more
than the database does. A metric that passed 1,000 points has a summary per 1,000, so a
chart of a million points reads a thousand rows.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from tracknb import names
from tracknb.entities import Metric, MetricSummary
from tracknb.store import engine, schema
from tracknb.store.spool import Batch, Point
from tracknb.store.summaries import Latest, Stretch, corner_places

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    # Steps, times in ms and values of a metric, in order.
    Curve = tuple[np.ndarray, np.ndarray, np.ndarray]

BLOCK: Final = 1_000
# Below this many points of a metric in one transaction, one statement takes all metrics.
_FEW: Final = 16
# SQLite takes 32,766 bound values in a statement.
_IN_LIMIT: Final = 10_000
# Few enough to stay in the processor's cache: twice as fast as tens of thousands at once.
_CHUNK: Final = 500

_INSERT: Final = 'INSERT INTO metrics (run, "key", step, elapsed, value, point) VALUES (?, ?, ?, ?, ?, ?)'
# Numbered, because run, key, the run's start and whether points are told apart by a number
# (1, else 0) are the same in every row.
_ROWS: Final = 128
# These releases of Python warn of each numbered value, which costs more than it saves.
_TAKES_NUMBERS: Final = not (3, 12) <= sys.version_info < (3, 12, 4)
_SERIES_ROW, _SERIES_ROWS = (
    'INSERT INTO metrics (run, "key", step, elapsed, value, point) VALUES '
    + ", ".join(f"(?1, ?2, ?{at}, ?{at + 1} - ?3, ?{at + 2}, ?{at + 3} * ?4)" for at in range(5, 5 + 4 * rows, 4))
    for rows in (1, _ROWS)
)
_LATEST: Final = (
    'SELECT value, timestamp, step, count, min, min_step, max, max_step FROM latest_metrics WHERE run = ? AND "key" = ?'
)
_RUNS: Final = "SELECT run_id, id, start_time FROM runs WHERE run_id IN (?)"
_WRITER: Final = "SELECT id, committed FROM writers WHERE uuid = ?"
_BEAT: Final = "UPDATE runs SET heartbeat = CASE WHEN heartbeat > ? THEN heartbeat ELSE ? END WHERE id = ?"
_BLOCK_COLUMNS: Final = tuple(column.name for column in schema.metric_blocks.columns if not column.primary_key)
_LAST_BLOCK: Final = (
    f"SELECT {', '.join(('block', *_BLOCK_COLUMNS))} FROM metric_blocks "
    'WHERE run = ? AND "key" = ? ORDER BY block DESC LIMIT 1'
)


def parts(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Return items in portions that fit into one ``IN``."""
    return (items[first : first + _IN_LIMIT] for first in range(0, len(items), _IN_LIMIT))


class Points:
    """The metric tables of one store."""

    def __init__(self, database: engine.Engine) -> None:
        self._engine = database
        self._seen: set[str] = set()
        self._key_ids: dict[str, int] = {}

    def know_run(self, run_id: str) -> None:
        """Remember that a run is in the store."""
        self._seen.add(run_id)

    def forget_run(self, run_id: str) -> None:
        """Look again whether a run is there before the next of its points is taken."""
        self._seen.discard(run_id)

    def forget(self) -> None:
        """Forget every number: the store behind them may be another one now."""
        self._seen, self._key_ids = set(), {}

    def knows_run(self, run_id: str) -> bool:
        """Tell whether a run was seen in the store."""
        return run_id in self._seen

    def runs(self, connection: sa.Connection, run_ids: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Return the inner number and the start (in milliseconds) of runs, of those that are there."""
        known: dict[str, tuple[int, int]] = {}
        # Asked anew each time: another process may have removed a run, and a later one have its number.
        for part in parts(sorted(set(run_ids))):
            found = engine.run_sql(connection, _RUNS.replace("(?)", f"({', '.join('?' * len(part))})"), part)
            known.update({run_id: (number, start) for run_id, number, start in found.fetchall()})
        self._seen |= known.keys()
        return known

    # -- in ----------------------------------------------------------------------------

    def commit(self, batch: Batch, patience: float | None = None) -> set[str]:
        """Take a batch of a spool in, in one transaction; what is in already is skipped.

        Returns the runs whose points could not be taken: they are not in the store.
        """
        keys, gone = self._engine.write(lambda connection: self._insert(connection, batch), patience=patience)
        # Only now: a key that was rolled back must leave no number behind.
        self._key_ids.update(keys)
        self._seen -= gone
        return gone

    def _insert(self, connection: sa.Connection, batch: Batch) -> tuple[dict[str, int], set[str]]:
        writer, committed = _writer(connection, batch.spool_id)
        if batch.last <= committed:
            return {}, set()
        runs = self.runs(connection, {run_id for run_id, _, _ in batch.series})
        keys = self.key_numbers(connection, {key for run_id, key, _ in batch.series if run_id in runs})
        taken: dict[tuple[int, int], list[Point]] = {}
        for run_id, key, points in batch.series:
            if run_id in runs:
                fresh = [point for point in points if point[3] > committed]
                if fresh:
                    taken.setdefault((runs[run_id][0], keys[key]), []).extend(fresh)
        add_points(connection, taken, dict(runs.values()))
        engine.run_sql(connection, "UPDATE writers SET committed = ? WHERE id = ?", (batch.last, writer))
        return keys, {run_id for run_id, _, _ in batch.series} - runs.keys()

    def key_numbers(self, connection: sa.Connection, keys: set[str]) -> dict[str, int]:
        """Return the inner numbers of metric names, giving one to those that are new."""
        known = {key: self._key_ids[key] for key in keys if key in self._key_ids}
        missing = sorted(keys - known.keys())
        if missing:
            engine.insert_missing(connection, schema.metric_keys, [{"name": key} for key in missing])
            for part in parts(missing):
                rows = connection.execute(
                    sa.select(schema.metric_keys.c.name, schema.metric_keys.c.id).where(
                        schema.metric_keys.c.name.in_(part)
                    )
                )
                known.update({row.name: row.id for row in rows})
        return known

    # -- out ---------------------------------------------------------------------------

    def history(self, connection: sa.Connection, run: tuple[int, int], run_id: str, key: str) -> list[Metric]:
        """Return every point of a metric by step, then time."""
        number, start = run
        rows = metric_rows(connection, number, key)
        return [Metric(key, value, start + elapsed, step, run_id) for step, elapsed, value in rows]

    def frame(
        self, connection: sa.Connection, runs: Mapping[str, tuple[int, int]], keys: Sequence[str] | None
    ) -> pd.DataFrame:
        """Return the points of many metrics of many runs, columns at once."""
        import numpy as np
        import pandas as pd

        of_number = {number: run_id for run_id, (number, _) in runs.items()}
        starts = dict(runs.values())
        names = _key_names(connection, keys)
        places, curves = _curves(connection, list(of_number), list(names))
        lengths = [len(steps) for steps, _, _ in curves]
        found = {of_number[number] for number, _ in places}
        present = [run_id for run_id in runs if run_id in found]
        run_codes = {run_id: code for code, run_id in enumerate(present)}
        key_codes = {name: code for code, name in enumerate(sorted({names[number] for _, number in places}))}
        run = np.repeat(np.array([run_codes[of_number[number]] for number, _ in places], np.int32), lengths)
        key = np.repeat(np.array([key_codes[names[number]] for _, number in places], np.int32), lengths)
        start = np.repeat(np.array([starts[number] for number, _ in places], np.int64), lengths)
        step, elapsed, value = _joined(curves)
        return pd.DataFrame(
            {
                "run_id": pd.Categorical.from_codes(run, pd.Index(list(run_codes), dtype=object)),
                "key": pd.Categorical.from_codes(key, pd.Index(list(key_codes), dtype=object)),
                "step": step,
                "timestamp": elapsed + start,
                "value": value,
            },
            copy=False,
        )

    def series(self, connection: sa.Connection, run: tuple[int, int], key: str, max_points: int) -> Curve:
        """Return steps, times and values of a curve, thinned from its summaries if it is long."""
        number, _ = run
        found = connection.execute(
            sa.select(schema.latest_metrics.c["key"], schema.latest_metrics.c["count"])
            .join(schema.metric_keys, schema.metric_keys.c.id == schema.latest_metrics.c["key"])
            .where(schema.latest_metrics.c.run == number, schema.metric_keys.c.name == key)
        ).first()
        if found is None:
            return _joined([])
        return _thinned(connection, run, found.key, found._mapping["count"], max_points)

    def outlines(
        self, connection: sa.Connection, runs: Mapping[str, tuple[int, int]], keys: Sequence[str], max_points: int
    ) -> dict[tuple[str, str], list[float]]:
        """Return the values of curves of at least two points by run and metric, thinned as by `series`."""
        of_number = {number: run_id for run_id, (number, _) in runs.items()}
        table = schema.latest_metrics
        if not of_number or not keys:
            return {}
        statement = (
            sa.select(table.c.run, table.c["key"], table.c["count"], schema.metric_keys.c.name)
            .join(schema.metric_keys, schema.metric_keys.c.id == table.c["key"])
            .where(table.c.run.in_(list(of_number)), schema.metric_keys.c.name.in_(keys), table.c["count"] > 1)
        )
        found = {}
        for number, key, count, name in connection.execute(statement).all():
            run_id = of_number[number]
            _, _, values = _thinned(connection, runs[run_id], key, count, max_points)
            found[run_id, name] = values.tolist()
        return found

    def summaries(self, connection: sa.Connection, run: tuple[int, int]) -> dict[str, MetricSummary]:
        """Return last, count, min and max of each metric of a run."""
        table = schema.latest_metrics
        statement = (
            sa.select(schema.metric_keys.c.name, table)
            .join(schema.metric_keys, schema.metric_keys.c.id == table.c["key"])
            .where(table.c.run == run[0])
            .order_by(schema.metric_keys.c.name)
        )
        return {
            row.name: MetricSummary(
                last=from_stored(row.value),
                last_step=row.step,
                timestamp=row.timestamp,
                count=row._mapping["count"],
                min=from_stored(row.min),
                min_step=row.min_step if row.min_step is not None else row.step,
                max=from_stored(row.max),
                max_step=row.max_step if row.max_step is not None else row.step,
            )
            for row in connection.execute(statement)
        }


def from_stored(value: float | None) -> float:
    """Return a metric's value for what the database keeps."""
    return math.nan if value is None else value


def _writer(connection: sa.Connection, spool_id: str) -> tuple[int, int]:
    """Return the number of a spool's writer and how many of its points are in."""
    row = engine.run_sql(connection, _WRITER, (spool_id,)).fetchone()
    if row is None:
        # Not tried first: an insert that finds its row there still uses up a number on a server.
        engine.insert_missing(connection, schema.writers, [{"uuid": spool_id, "committed": 0}])
        row = engine.run_sql(connection, _WRITER, (spool_id,)).fetchone()
    number, committed = row
    return number, committed


def add_points(connection: sa.Connection, taken: dict[tuple[int, int], list[Point]], starts: dict[int, int]) -> None:
    """Insert points and bring the latest values and the summaries up to date.

    Parameters
    ----------
    connection
        In a writing transaction.
    taken
        Points by the inner numbers of run and metric.
    starts
        When each of the runs started, in milliseconds.
    """
    if not taken:
        return
    newest: dict[int, int] = {}
    for (run, _), points in taken.items():
        # A time that the user gave may lie in the future; a sign of life does not.
        newest[run] = max(newest.get(run, 0), min(points[-1][1], names.now_ms()))
    # First, and in order: from here on other writers of these runs wait their turn.
    for run in sorted(newest):
        engine.run_sql(connection, _BEAT, (newest[run], newest[run], run))
    entries = {place: _stored_latest(connection, *place) for place in taken}
    _insert_rows(connection, taken, entries, starts)
    latest: list[dict[str, Any]] = []
    for (run, key), points in taken.items():
        entry = entries[run, key]
        is_long = entry.count + len(points) > BLOCK
        for added in _summarise(connection, run, key, points, starts[run]) if is_long else [Stretch.of(points)]:
            entry.add(added)
        latest.append({"run": run, "key": key} | {name: getattr(entry, name) for name in _LATEST_COLUMNS})
    engine.upsert(connection, schema.latest_metrics, latest, *_LATEST_COLUMNS)


_LATEST_COLUMNS: Final = ("value", "timestamp", "step", "count", "min", "min_step", "max", "max_step")


def _stored_latest(connection: sa.Connection, run: int, key: int) -> Latest:
    stored = engine.run_sql(connection, _LATEST, (run, key)).fetchone()
    if stored is None:
        return Latest()
    value, timestamp, step, count, low, low_step, high, high_step = stored
    if connection.dialect.name == "mysql":
        value, low, high = (schema.from_mysql(item) for item in (value, low, high))
    return Latest(from_stored(value), timestamp, step, count, low, low_step, high, high_step)


def _insert_rows(
    connection: sa.Connection,
    taken: dict[tuple[int, int], list[Point]],
    entries: dict[tuple[int, int], Latest],
    starts: dict[int, int],
) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    mixed: list[tuple[int, int, int, int, float, int]] = []
    for (run, key), points in taken.items():
        entry = entries[run, key]
        is_ahead = (entry.count == 0 or points[0][0] > entry.step) and _is_rising([point[0] for point in points])
        if not is_ahead:
            # Some steps may be there already: each point gets its place in the metric.
            points = [(*point[:3], place) for place, point in enumerate(points, start=entry.count)]
        if is_sqlite and _TAKES_NUMBERS and len(points) >= _FEW:
            _insert_series(connection, (run, key, starts[run], 0 if is_ahead else 1), points)
        else:
            mixed += [
                (run, key, step, timestamp - starts[run], value, 0 if is_ahead else place)
                for step, timestamp, value, place in points
            ]
    engine.run_many(connection, _INSERT, mixed)


def _is_rising(steps: Sequence[int]) -> bool:
    return all(map(operator.lt, steps, steps[1:]))


def _insert_series(connection: sa.Connection, shared: tuple[int, int, int, int], points: Sequence[Point]) -> None:
    """Insert points of one metric into SQLite, which turns NaN into NULL by itself.

    Many rows a statement: half the work of a statement a row, and the driver lets a busy
    training loop have the interpreter once a statement instead of once a row.
    """
    cursor = connection.connection.cursor()
    whole = len(points) - len(points) % _ROWS
    for first in range(0, whole, _ROWS):
        cursor.execute(_SERIES_ROWS, (*shared, *chain.from_iterable(points[first : first + _ROWS])))
    cursor.executemany(_SERIES_ROW, [(*shared, *point) for point in points[whole:]])
    cursor.close()


def _summarise(connection: sa.Connection, run: int, key: int, points: Sequence[Point], start: int) -> list[Stretch]:
    """Bring the summaries of a long metric up to date with points that were just inserted.

    Returns what the new points come to.
    """
    tail = engine.run_sql(connection, _LAST_BLOCK, (run, key)).fetchone()
    rows: list[dict[str, Any]] = []
    if tail is None:
        # It has just become long: from now on it has summaries, of what is there already too.
        everything = [(step, start + elapsed, value, 0) for step, elapsed, value in _rows(connection, run, key)]
        rows += [
            {"block": number, **Stretch.of(everything[first : first + BLOCK]).columns()}
            for number, first in enumerate(range(0, len(everything), BLOCK))
        ]
        added = [Stretch.of(points)]
    else:
        block: int
        block, *columns = tail
        if connection.dialect.name == "mysql":
            columns = [schema.from_mysql(item) if type(item) is float else item for item in columns]
        last = Stretch.stored(columns)
        room = max(BLOCK - last.count, 0)
        added = []
        if filling := points[:room]:
            added.append(Stretch.of(filling))
            rows.append({"block": block, **last.with_more(added[0]).columns()})
        for number, first in enumerate(range(room, len(points), BLOCK), start=block + 1):
            added.append(Stretch.of(points[first : first + BLOCK]))
            rows.append({"block": number, **added[-1].columns()})
    engine.upsert(connection, schema.metric_blocks, [{"run": run, "key": key, **row} for row in rows], *_BLOCK_COLUMNS)
    return added


def _key_names(connection: sa.Connection, keys: Sequence[str] | None) -> dict[int, str]:
    statement = sa.select(schema.metric_keys.c.id, schema.metric_keys.c.name)
    if keys is not None:
        statement = statement.where(schema.metric_keys.c.name.in_(list(keys)))
    return {row.id: row.name for row in connection.execute(statement)}


def _cursor(connection: sa.Connection, where: str, *, order: str, chosen: str = "step, elapsed, value") -> Any:
    """Return the driver's cursor over points: the values in the text are numbers of our own making."""
    cursor = connection.connection.cursor()
    cursor.execute(f"SELECT {chosen} FROM metrics WHERE {where} ORDER BY {order}")
    return cursor


def _rows(connection: sa.Connection, run: int, key: int) -> list[tuple[int, int, float]]:
    """Return a metric's points of (step, elapsed, value) by step, then time."""
    # The order of the table itself; points of one step come in the order of their arrival.
    cursor = _cursor(connection, f'run = {run:d} AND "key" = {key:d}', order="step, point")
    is_mysql = connection.dialect.name == "mysql"
    rows = [
        (step, elapsed, from_stored(schema.from_mysql(value) if is_mysql else value))
        for step, elapsed, value in cursor.fetchall()
    ]
    rows.sort(key=operator.itemgetter(0, 1))
    return rows


def metric_rows(connection: sa.Connection, run: int, key: str) -> list[tuple[int, int, float]]:
    """Return a metric's points of (step, milliseconds since the run's start, value) in order, by its name."""
    return [row for number in _key_names(connection, [key]) for row in _rows(connection, run, number)]


def _curve(connection: sa.Connection, run: int, key: int) -> Curve:
    """Return steps, milliseconds since the run's start and values of a metric."""
    cursor = _cursor(connection, f'run = {run:d} AND "key" = {key:d}', order="step, point")
    return _in_order(*_columns(connection, cursor, 3))


def _thinned(connection: sa.Connection, run: tuple[int, int], key: int, count: int, max_points: int) -> Curve:
    """Return steps, times and values of a metric of ``count`` points, from its summaries if those are many."""
    number, start = run
    if count > max(4 * max_points, 2 * BLOCK):
        covered, curve = _outline(connection, number, key)
        # A writer of another version may have added points and no summaries.
        if covered == count:
            return thin(*curve, max_points)
    steps, elapsed, values = _curve(connection, number, key)
    return thin(steps, elapsed + start, values, max_points)


def _in_order(steps: np.ndarray, elapsed: np.ndarray, values: np.ndarray) -> Curve:
    import numpy as np

    if not (steps[1:] == steps[:-1]).any():
        return steps, elapsed, values
    order = np.lexsort((elapsed, steps))
    return steps[order], elapsed[order], values[order]


def _curves(
    connection: sa.Connection, runs: Sequence[int], keys: Sequence[int]
) -> tuple[list[tuple[int, int]], list[Curve]]:
    """Return the places (run, key) where there are points, and the curves that lie there."""
    if not runs or not keys:
        return [], []
    where = f'run IN ({", ".join(map(str, runs))}) AND "key" IN ({", ".join(map(str, keys))})'
    if connection.dialect.name == "sqlite":
        # SQLite would sort what an IN finds; a statement a curve costs it next to nothing.
        found = connection.exec_driver_sql(f'SELECT run, "key" FROM latest_metrics WHERE {where} ORDER BY run, "key"')
        places = [(run, key) for run, key in found]
        return places, [_curve(connection, run, key) for run, key in places]
    cursor = _cursor(
        connection, where, order='run, "key", step, elapsed, point', chosen='run, "key", step, elapsed, value'
    )
    return _split(*_columns(connection, cursor, 5))


def _split(
    runs: np.ndarray, keys: np.ndarray, steps: np.ndarray, elapsed: np.ndarray, values: np.ndarray
) -> tuple[list[tuple[int, int]], list[Curve]]:
    import numpy as np

    edges = np.flatnonzero((runs[1:] != runs[:-1]) | (keys[1:] != keys[:-1])) + 1
    firsts = [0, *edges.tolist()] if len(runs) else []
    places = [(int(runs[first]), int(keys[first])) for first in firsts]
    parted = [np.split(column, edges) for column in (steps, elapsed, values)]
    return places, list(zip(*parted, strict=True)) if places else []


def _joined(curves: Sequence[Curve]) -> Curve:
    """Return curves one after the other, as columns of whole numbers and floats."""
    import numpy as np

    empty = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))
    steps, elapsed, values = zip(*curves, strict=True) if curves else ((column,) for column in empty)
    return np.concatenate(steps), np.concatenate(elapsed), np.concatenate(values)


def _outline(connection: sa.Connection, run: int, key: int) -> tuple[int, Curve]:
    """Return how many points a metric's summaries stand for, and their corners as one curve."""
    import numpy as np

    cursor = connection.connection.cursor()
    chosen = ", ".join(_BLOCK_COLUMNS)
    cursor.execute(f'SELECT {chosen} FROM metric_blocks WHERE run = {run:d} AND "key" = {key:d} ORDER BY block')
    rows = cursor.fetchall()
    if not rows:
        return 0, _joined([])
    counts, *columns = zip(*rows, strict=True)
    corners = [corner for place in range(0, 12, 3) for corner in zip(*columns[place : place + 3], strict=True)]
    # Where there is only NaN, lowest and highest are nowhere.
    points = [corner for corner in dict.fromkeys(corners) if corner[0] is not None]
    steps, times, values = zip(*points, strict=True)
    order = np.lexsort((times, steps))
    floats = _logged(connection, np.array(values, np.float64))
    return sum(counts), (np.array(steps, np.int64)[order], np.array(times, np.int64)[order], floats[order])


def _columns(connection: sa.Connection, cursor: Any, width: int) -> Any:
    """Return a cursor's rows as arrays, the last one of floats with NaN for NULL, the others of whole numbers."""
    import numpy as np

    found: list[list[np.ndarray]] = [[] for _ in range(width)]
    kinds = [np.int64] * (width - 1) + [np.float64]
    while chunk := cursor.fetchmany(_CHUNK):
        for pieces, kind, column in zip(found, kinds, zip(*chunk, strict=True), strict=True):
            pieces.append(np.array(column, dtype=kind))
    columns = [
        np.concatenate(pieces) if pieces else np.empty(0, kind) for pieces, kind in zip(found, kinds, strict=True)
    ]
    return (*columns[:-1], _logged(connection, columns[-1]))


def _logged(connection: sa.Connection, values: np.ndarray) -> np.ndarray:
    """Return what was logged for what the database keeps: MySQL has no infinities."""
    import numpy as np

    if connection.dialect.name != "mysql":
        return values
    return np.where(np.abs(values) == np.finfo(float).max, np.copysign(np.inf, values), values)


def thin(steps: np.ndarray, times: np.ndarray, values: np.ndarray, max_points: int) -> Curve:
    """Return at most about ``max_points`` points of a curve that look the same when drawn."""
    if len(steps) <= max_points:
        return steps, times, values
    places = corner_places(values, max_points)
    return steps[places], times[places], values[places]


def thinned_history(connection: sa.Connection, run: int, key: int, max_points: int) -> list[dict[str, Any]]:
    """Return the rows of a metric that stay when its history is thinned."""
    import numpy as np

    table = schema.metrics
    rows = connection.execute(
        sa.select(table)
        .where(table.c.run == run, table.c["key"] == key)
        .order_by(table.c.step, table.c.elapsed, table.c.point)
    ).all()
    values = np.array([from_stored(row.value) for row in rows])
    # Counted anew, so that later points find their numbers free.
    return [{**rows[place]._mapping, "point": number} for number, place in enumerate(corner_places(values, max_points))]
