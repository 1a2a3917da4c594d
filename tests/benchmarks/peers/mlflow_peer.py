"""MLflow on its SQLite store as a contestant."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

import mlflow
import pandas as pd
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient
from protocol import Answer, batches, bulk, latencies, paced, serve, step_metrics, timed, write_at

WARM = 5


def open_store(path: str, experiment: str) -> str:
    """Make a store the one of this process, and an experiment the current one; returns its id."""
    mlflow.set_tracking_uri(f"sqlite:///{path}")
    return str(mlflow.set_experiment(experiment).experiment_id)


def _run() -> AbstractContextManager[object]:
    run = mlflow.start_run()
    for step in range(WARM):
        mlflow.log_metric("warm", 0.0, step=step)
    return run


def calls(count: int) -> Answer:
    """Time ``log_metric`` calls in a tight loop."""
    with _run():
        return latencies(lambda step: mlflow.log_metric("loss", 0.5, step=step), count)


def steps(count: int, keys: int) -> Answer:
    """Time ``log_metrics`` calls with several metrics each."""
    metrics = step_metrics(keys, 0.5)
    with _run():
        return latencies(lambda step: mlflow.log_metrics(metrics, step=step), count)


def until_durable(count: int) -> Answer:
    """Log points; each call returns when its point is committed."""
    with _run():
        return bulk(lambda step: mlflow.log_metric("loss", 0.5, step=step), count, lambda: None)


def paced_loop(size: int, steps: int, pairs: int, keys: int) -> dict[str, list[float]]:
    """Measure what logging adds to a training step."""
    if keys == 1:

        def log(step: int, loss: float) -> None:
            mlflow.log_metric("loss", loss, step=step)
    else:

        def log(step: int, loss: float) -> None:
            mlflow.log_metrics(step_metrics(keys, loss), step=step)

    with _run():
        return paced(log, lambda: None, size=size, steps=steps, pairs=pairs)


def fill(count: int, keys: int) -> str:
    """Log ``count`` steps of ``keys`` metrics in batches; returns the run's id."""
    now = int(time.time() * 1000)
    points = [
        Metric(key, value, now + step, step)
        for step in range(count)
        for key, value in step_metrics(keys, 1 / (1 + step)).items()
    ]
    with mlflow.start_run() as run:
        for part in batches(points, 1000):
            MlflowClient().log_batch(run.info.run_id, metrics=part)
    return str(run.info.run_id)


def build_runs(count: int, params: int, keys: int) -> Answer:
    """Make whole runs through the fluent calls."""

    def one(number: int) -> None:
        with mlflow.start_run(run_name=f"run-{number}", tags={"stage": "candidate"}):
            mlflow.log_params({f"param_{index:02}": number for index in range(params)})
            mlflow.log_metrics(step_metrics(keys, 0.5))

    return bulk(one, count, lambda: None)


def page(experiment_id: str, max_results: int, order_by: list[str], repeats: int) -> Answer:
    """Time a page of an experiment's runs; without an order the newest."""
    client = MlflowClient()
    client.search_runs([experiment_id], max_results=1)
    return timed(lambda: client.search_runs([experiment_id], max_results=max_results, order_by=order_by), repeats)


def table(experiment_id: str, repeats: int) -> Answer:
    """Time a whole experiment as a DataFrame."""
    mlflow.search_runs([experiment_id], max_results=10)
    return timed(lambda: mlflow.search_runs([experiment_id]), repeats)


def history(run_ids: list[str], key: str, repeats: int) -> Answer:
    """Time the points of runs as one DataFrame, a call per run as MLflow has it."""
    client = MlflowClient()
    pd.DataFrame({"value": [0.0]})

    def read() -> pd.DataFrame:
        parts = []
        for run_id in run_ids:
            points = client.get_metric_history(run_id, key)
            columns = {
                "step": [point.step for point in points],
                "timestamp": [point.timestamp for point in points],
                "value": [point.value for point in points],
            }
            parts.append(pd.DataFrame(columns).assign(run_id=run_id, key=key))
        return pd.concat(parts, ignore_index=True)

    return timed(read, repeats)


def write(at: float, points: int) -> Answer:
    """Log into a run of its own from a moment on, and end it."""
    run = mlflow.start_run()
    answer = write_at(at, lambda step: mlflow.log_metric("loss", 0.5, step=step), mlflow.end_run, points)
    return {**answer, "run_id": run.info.run_id}


def kept(run_id: str, below: int) -> int:
    """Return how many of the first ``below`` steps of a run the store holds."""
    history = MlflowClient().get_metric_history(run_id, "loss")
    return len({point.step for point in history if point.step < below})


if __name__ == "__main__":
    serve(
        {
            command.__name__: command
            for command in (
                open_store,
                calls,
                steps,
                until_durable,
                paced_loop,
                fill,
                build_runs,
                page,
                table,
                history,
                write,
                kept,
            )
        }
    )
