"""tracknb as a contestant."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

import pandas as pd
from protocol import Answer, bulk, latencies, log_until_killed, paced, serve, step_metrics, timed, wait_until, write_at

import tracknb

WARM = 100


def open_store(path: str, experiment: str) -> str:
    """Make a store the one of this process, and an experiment the current one; returns its id."""
    tracknb.set_tracking_uri(f"sqlite:///{path}")
    return tracknb.set_experiment(experiment).experiment_id


def _run() -> AbstractContextManager[object]:
    run = tracknb.start_run()
    for step in range(WARM):
        tracknb.log_metric("warm", 0.0, step=step)
    tracknb.flush()
    return run


def calls(count: int) -> Answer:
    """Time ``log_metric`` calls in a tight loop."""
    with _run():
        return latencies(lambda step: tracknb.log_metric("loss", 0.5, step=step), count)


def steps(count: int, keys: int) -> Answer:
    """Time ``log_metrics`` calls with several metrics each."""
    metrics = step_metrics(keys, 0.5)
    with _run():
        return latencies(lambda step: tracknb.log_metrics(metrics, step=step), count)


def until_durable(count: int) -> Answer:
    """Log points and wait until they are committed."""
    with _run():
        return bulk(lambda step: tracknb.log_metric("loss", 0.5, step=step), count, tracknb.flush)


def paced_loop(size: int, steps: int, pairs: int, keys: int) -> dict[str, list[float]]:
    """Measure what logging adds to a training step."""
    if keys == 1:

        def log(step: int, loss: float) -> None:
            tracknb.log_metric("loss", loss, step=step)
    else:

        def log(step: int, loss: float) -> None:
            tracknb.log_metrics(step_metrics(keys, loss), step=step)

    with _run():
        return paced(log, tracknb.flush, size=size, steps=steps, pairs=pairs)


def fill(count: int, keys: int) -> str:
    """Log ``count`` steps of ``keys`` metrics as a training loop does; returns the run's id."""
    with tracknb.start_run() as run:
        for step in range(count):
            tracknb.log_metrics(step_metrics(keys, 1 / (1 + step)), step=step)
    return run.info.run_id


def fill_one(count: int) -> str:
    """Log one metric of ``count`` points; returns the run's id."""
    with tracknb.start_run() as run:
        for step in range(count):
            tracknb.log_metric("loss", 1 / (1 + step), step=step)
    return run.info.run_id


def build_runs(count: int, params: int, keys: int) -> Answer:
    """Make whole runs through the fluent calls."""

    def one(number: int) -> None:
        with tracknb.start_run(run_name=f"run-{number}", tags={"stage": "candidate"}):
            tracknb.log_params({f"param_{index:02}": number for index in range(params)})
            tracknb.log_metrics(step_metrics(keys, 0.5))

    return bulk(one, count, tracknb.flush)


def page(experiment_id: str, max_results: int, order_by: list[str], repeats: int) -> Answer:
    """Time a page of an experiment's runs; without an order the newest."""
    client = tracknb.MlflowClient()

    def read() -> Sequence[object]:
        return client.search_runs([experiment_id], max_results=max_results, order_by=order_by)

    read()
    return timed(read, repeats)


def table(experiment_id: str, repeats: int) -> Answer:
    """Time a whole experiment as a DataFrame."""
    tracknb.search_runs([experiment_id], max_results=10)
    return timed(lambda: tracknb.search_runs([experiment_id]), repeats)


def history(run_ids: list[str], key: str, repeats: int) -> Answer:
    """Time the points of runs as one DataFrame."""
    client = tracknb.MlflowClient()
    pd.DataFrame({"value": [0.0]})
    if not hasattr(client, "get_metric_history_df"):
        raise NotImplementedError("client.get_metric_history_df is not there yet")
    return timed(lambda: client.get_metric_history_df(run_ids, [key]), repeats)


def chart(run_id: str, key: str, repeats: int) -> Answer:
    """Time the thinned series that a chart draws."""
    client = tracknb.MlflowClient()
    if not hasattr(client, "metric_series"):
        raise NotImplementedError("client.metric_series is not there yet")
    client.metric_series(run_id, key, max_points=1000)
    return timed(lambda: client.metric_series(run_id, key, max_points=1000), repeats)


def begin_run() -> str:
    """Start a run that stays open; returns its id."""
    return tracknb.start_run().info.run_id


def log_forever(ack_path: str, pause_ms: float) -> None:
    """Log into the open run until killed."""
    log_until_killed(lambda step: tracknb.log_metric("loss", 0.5, step=step), ack_path, pause_ms)


def kept(run_id: str, below: int) -> int:
    """Return how many of the first ``below`` steps of a run the store holds."""
    # What a dead process left is taken in by who opens the store, at the latest here.
    tracknb.MlflowClient().get_run(run_id)
    history = tracknb.MlflowClient().get_metric_history(run_id, "loss")
    return len({point.step for point in history if point.step < below})


def write(at: float, points: int) -> Answer:
    """Log into a run of its own from a moment on, and end it."""
    run = tracknb.start_run()
    answer = write_at(at, lambda step: tracknb.log_metric("loss", 0.5, step=step), tracknb.end_run, points)
    return {**answer, "run_id": run.info.run_id}


def race(at: float, path: str, experiment: str) -> Answer:
    """Open a store that may not exist yet at a moment, and log a run into it."""
    wait_until(at)
    begin = time.monotonic()
    experiment_id = open_store(path, experiment)
    with tracknb.start_run() as run:
        tracknb.log_metric("loss", 0.5)
    return {"experiment_id": experiment_id, "run_id": run.info.run_id, "wall": time.monotonic() - begin}


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
                fill_one,
                build_runs,
                page,
                table,
                history,
                chart,
                begin_run,
                log_forever,
                kept,
                write,
                race,
            )
        }
    )
