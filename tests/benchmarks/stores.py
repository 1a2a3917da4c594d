"""Stores of many runs, made by inserting rows: 100,000 runs through an API would take hours.

The tables' columns are looked up when rows are inserted, so a column that came later gets
its default, or something empty of its type.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Row = Mapping[str, object]
NOW_MS = 1_700_000_000_000


@dataclass(frozen=True, slots=True)
class SampleRun:
    """A run as both libraries get it: 10 params, 5 metrics of one point, 6 tags."""

    number: int
    param_count: int = 10
    metric_count: int = 5

    @property
    def run_id(self) -> str:
        """Its id, 32 hexadecimal digits that do not come in order."""
        return f"{(self.number * 0x9E3779B97F4A7C15) % (1 << 64):016x}{self.number:016x}"

    @property
    def start_time(self) -> int:
        """When it started."""
        return NOW_MS + 1000 * self.number

    @property
    def params(self) -> dict[str, str]:
        """Its params."""
        return {f"param_{index:02}": str((self.number * (index + 3)) % 97) for index in range(self.param_count)}

    @property
    def metrics(self) -> dict[str, float]:
        """Its metrics."""
        return {f"metric_{index:02}": (self.number * (index + 7) % 1009) / 1009 for index in range(self.metric_count)}

    @property
    def tags(self) -> dict[str, str]:
        """Its tags."""
        return {
            "mlflow.runName": f"run-{self.number}",
            "mlflow.user": "ana",
            "mlflow.source.name": "train.py",
            "mlflow.source.type": "LOCAL",
            "stage": "candidate" if self.number % 3 else "final",
            "team": f"team-{self.number % 7}",
        }


class _Inserter:
    """Puts rows into tables whose columns it looks up."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def insert(self, table: str, rows: Iterable[Row]) -> None:
        """Insert rows, giving columns that none of them has what they need."""
        waiting = iter(rows)
        first = next(waiting, None)
        if first is None:
            return
        filling: dict[str, object] = {}
        for _, name, kind, not_null, default, _ in self._connection.execute(f"PRAGMA table_info({table})"):
            if name not in first and not_null and default is None:
                filling[name] = "" if "CHAR" in kind.upper() or "TEXT" in kind.upper() else 0
        columns = [*first, *filling]
        rest = tuple(filling.values())
        names = ", ".join(f'"{name}"' for name in columns)
        statement = f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"

        def values() -> Iterator[tuple[object, ...]]:
            yield (*first.values(), *rest)
            for row in waiting:
                yield (*row.values(), *rest)

        self._connection.executemany(statement, values())


def _sample(count: int) -> Iterator[SampleRun]:
    return (SampleRun(number) for number in range(count))


def fill_ours(path: Path, experiment_id: str, count: int, *, params: int = 10, metrics: int = 5) -> None:
    """Insert runs into a store of tracknb that nobody has open."""
    sample = [SampleRun(number, params, metrics) for number in range(count)]
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    put = _Inserter(connection).insert
    first = 1 + (connection.execute("SELECT max(id) FROM runs").fetchone()[0] or 0)
    put(
        "runs",
        (
            {
                "id": first + run.number,
                "run_id": run.run_id,
                "experiment": int(experiment_id),
                "name": f"run-{run.number}",
                "user_id": "ana",
                "status": "FINISHED",
                "start_time": run.start_time,
                "end_time": run.start_time + 500,
                "lifecycle_stage": "active",
                "artifact_uri": f"artifacts/{run.run_id}",
            }
            for run in sample
        ),
    )
    for table in ("params", "tags"):
        put(
            table,
            (
                {"run": first + run.number, "key": key, "value": value}
                for run in sample
                for key, value in sorted(getattr(run, table).items())
            ),
        )
    connection.executemany(
        "INSERT OR IGNORE INTO metric_keys (name) VALUES (?)", [(key,) for key in SampleRun(0, params, metrics).metrics]
    )
    keys = dict(connection.execute("SELECT name, id FROM metric_keys").fetchall())
    put(
        "metrics",
        (
            {
                "run": first + run.number,
                "key": keys[key],
                "step": 0,
                "point": 0,
                "elapsed": 0,
                "value": value,
            }
            for run in sample
            for key, value in run.metrics.items()
        ),
    )
    put(
        "latest_metrics",
        (
            {
                "run": first + run.number,
                "key": keys[key],
                "value": value,
                "timestamp": run.start_time,
                "step": 0,
                "count": 1,
                "min": value,
                "min_step": 0,
                "max": value,
                "max_step": 0,
            }
            for run in sample
            for key, value in run.metrics.items()
        ),
    )
    connection.execute("COMMIT")
    connection.close()


def fill_mlflow(path: Path, experiment_id: str, count: int) -> None:
    """Insert the same runs into a store of MLflow that nobody has open."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    put = _Inserter(connection).insert
    put("runs", (_mlflow_run(run.run_id, experiment_id, run.start_time) for run in _sample(count)))
    for table in ("params", "tags"):
        put(
            table,
            (
                {"run_uuid": run.run_id, "key": key, "value": value}
                for run in _sample(count)
                for key, value in getattr(run, table).items()
            ),
        )
    for table in ("metrics", "latest_metrics"):
        put(
            table,
            (
                _mlflow_point(run.run_id, key, 0, run.start_time, value)
                for run in _sample(count)
                for key, value in run.metrics.items()
            ),
        )
    connection.execute("COMMIT")
    connection.close()


def fill_mlflow_history(path: Path, experiment_id: str, runs: int, points: int) -> list[str]:
    """Insert runs with one metric ``loss`` of ``points`` points each; returns their ids."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    put = _Inserter(connection).insert
    run_ids = [f"{number:024x}{points:08x}" for number in range(runs)]
    put("runs", (_mlflow_run(run_id, experiment_id, NOW_MS) for run_id in run_ids))
    put(
        "metrics",
        (
            _mlflow_point(run_id, "loss", step, NOW_MS + step, 1 / (1 + step))
            for run_id in run_ids
            for step in range(points)
        ),
    )
    put("latest_metrics", (_mlflow_point(run_id, "loss", points - 1, NOW_MS, 0.5) for run_id in run_ids))
    connection.execute("COMMIT")
    connection.close()
    return run_ids


def _mlflow_run(run_id: str, experiment_id: str, start_time: int) -> Row:
    return {
        "run_uuid": run_id,
        "name": "run",
        "source_type": "LOCAL",
        "source_name": "train.py",
        "user_id": "ana",
        "status": "FINISHED",
        "start_time": start_time,
        "end_time": start_time + 500,
        "lifecycle_stage": "active",
        "artifact_uri": f"artifacts/{run_id}",
        "experiment_id": int(experiment_id),
    }


def _mlflow_point(run_id: str, key: str, step: int, timestamp: int, value: float) -> Row:
    return {"run_uuid": run_id, "key": key, "step": step, "timestamp": timestamp, "value": value, "is_nan": 0}
