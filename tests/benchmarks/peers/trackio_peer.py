"""trackio, logging to its local SQLite files, as a contestant."""

from __future__ import annotations

import itertools
import os
import sqlite3
from pathlib import Path

import trackio
from protocol import Answer, bulk, latencies, log_until_killed, paced, serve, step_metrics

PROJECT = "bench"
WARM = 100
_names = (f"run-{os.getpid()}-{number}" for number in itertools.count())


def _begin() -> str:
    name = next(_names)
    # What it samples by itself is not what is compared.
    trackio.init(project=PROJECT, name=name, embed=False, auto_log_gpu=False, auto_log_cpu=False)
    return name


def calls(count: int) -> Answer:
    """Time ``log`` calls of one metric in a tight loop."""
    return steps(count, 1)


def steps(count: int, keys: int) -> Answer:
    """Time ``log`` calls with several metrics each."""
    metrics = step_metrics(keys, 0.5)
    _begin()
    for step in range(WARM):
        trackio.log({"warm": 0.0}, step=step)
    try:
        return latencies(lambda step: trackio.log(metrics, step=step), count)
    finally:
        trackio.finish()


def until_durable(count: int) -> Answer:
    """Log points and end the run, the only way to know that they are committed."""
    _begin()
    return bulk(lambda step: trackio.log({"loss": 0.5}, step=step), count, trackio.finish)


def paced_loop(size: int, steps: int, pairs: int, keys: int) -> dict[str, list[float]]:
    """Measure what logging adds to a training step; every loop is a run, for the same reason."""

    def log(step: int, loss: float) -> None:
        trackio.log(step_metrics(keys, loss), step=step)

    found: dict[str, list[float]] = {"cpu": [], "wall": []}
    for _ in range(pairs):
        _begin()
        for name, values in paced(log, trackio.finish, size=size, steps=steps, pairs=1).items():
            found[name] += values
    return found


def begin_run() -> str:
    """Start a run that stays open; returns its name."""
    return _begin()


def log_forever(ack_path: str, pause_ms: float) -> None:
    """Log into the open run until killed."""
    log_until_killed(lambda step: trackio.log({"loss": 0.5}, step=step), ack_path, pause_ms)


def kept(run_id: str, below: int) -> int:
    """Return how many of the first ``below`` steps of a run its files hold."""
    # Whatever it recovers, it recovers when a run starts.
    _begin()
    trackio.finish()
    connection = sqlite3.connect(Path(os.environ["TRACKIO_DIR"]) / f"{PROJECT}.db")
    statement = "SELECT count(DISTINCT step) FROM metrics WHERE run_name = ? AND step < ?"
    found = connection.execute(statement, (run_id, below)).fetchone()[0]
    connection.close()
    return int(found)


if __name__ == "__main__":
    serve(
        {
            command.__name__: command
            for command in (calls, steps, until_durable, paced_loop, begin_run, log_forever, kept)
        }
    )
