"""Workers log into the run that is meant, however they are started, and never end it."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ProcessPoolExecutor

import pytest

import tracknb

METHODS = [method for method in ("fork", "spawn", "forkserver") if method in multiprocessing.get_all_start_methods()]


def count(number):
    """What a worker does: some points, a param, and nothing about runs."""
    for step in range(50):
        tracknb.log_metric(f"worker{number}", step / 2, step=step)
    tracknb.log_param(f"p{number}", number)
    return number


def child_run(number):
    with tracknb.start_run(run_name=f"child{number}", nested=True):
        tracknb.log_metric("loss", float(number))


def own_run(number):
    # Its own place in the stack of a worker: the first end_run is the run's, the second nobody's.
    tracknb.start_run(run_name=f"own{number}")
    tracknb.log_metric("loss", float(number))
    tracknb.end_run()
    tracknb.end_run()


def in_workers(method, work, numbers):
    context = multiprocessing.get_context(method)
    started = [context.Process(target=work, args=(number,)) for number in numbers]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
    assert [process.exitcode for process in started] == [0] * len(started)


@pytest.mark.parametrize("method", METHODS)
def test_workers_log_into_the_run_that_is_open(store, method):
    with tracknb.start_run() as run:
        tracknb.log_metric("main", 1.0)
        in_workers(method, count, range(3))
        assert tracknb.get_run(run.info.run_id).info.status == "RUNNING"
        tracknb.log_metric("main", 2.0, step=1)

    [found] = tracknb.search_runs(output_format="list")
    assert found.info.run_id == run.info.run_id
    assert found.info.status == "FINISHED"
    assert found.data.params == {f"p{number}": str(number) for number in range(3)}
    counts = {key: summary.count for key, summary in tracknb.MlflowClient().metric_summaries(run.info.run_id).items()}
    assert counts == {"main": 2, "worker0": 50, "worker1": 50, "worker2": 50}


@pytest.mark.parametrize("method", METHODS)
def test_a_pool_that_is_torn_down_leaves_its_points(store, method):
    """A pool ends its workers with a signal: what they logged is taken from what they left."""
    with tracknb.start_run() as run, multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(count, range(4)) == [0, 1, 2, 3]

    summaries = tracknb.MlflowClient().metric_summaries(run.info.run_id)
    assert {key: summary.count for key, summary in summaries.items()} == {f"worker{n}": 50 for n in range(4)}


def test_an_executor_of_processes_works_alike(store):
    with tracknb.start_run() as run:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            assert list(pool.map(count, range(2))) == [0, 1]

    assert len(tracknb.MlflowClient().get_metric_history(run.info.run_id, "worker1")) == 50


@pytest.mark.parametrize("method", METHODS)
def test_a_workers_own_runs_are_its_own(store, method):
    with tracknb.start_run(run_name="parent") as run:
        in_workers(method, child_run, range(2))
        in_workers(method, own_run, range(2))
        assert tracknb.active_run().info.run_id == run.info.run_id
        assert tracknb.get_run(run.info.run_id).info.status == "RUNNING"

    found = {item.info.run_name: item for item in tracknb.search_runs(output_format="list")}
    assert set(found) == {"parent", "child0", "child1", "own0", "own1"}
    assert {item.info.status for item in found.values()} == {"FINISHED"}
    assert found["child0"].data.tags["mlflow.parentRunId"] == run.info.run_id
    assert "mlflow.parentRunId" not in found["own0"].data.tags


def test_a_forked_child_that_leaves_the_block_does_not_end_the_run(store):
    with tracknb.start_run() as run:
        pid = os.fork()
        if pid == 0:
            try:
                with run:
                    tracknb.log_metric("child", 1.0)
                    raise ValueError
            except ValueError:
                os._exit(0)
        os.waitpid(pid, 0)
        assert tracknb.get_run(run.info.run_id).info.status == "RUNNING"

    assert tracknb.get_run(run.info.run_id).data.metrics == {"child": 1.0}


def test_a_worker_of_a_process_without_a_run_starts_one(store):
    script = """
    import multiprocessing, sys, tracknb
    def work():
        tracknb.log_metric("loss", 1.0)
    if __name__ == "__main__":
        tracknb.set_tracking_uri(sys.argv[1])
        worker = multiprocessing.get_context("fork").Process(target=work)
        worker.start()
        worker.join()
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(store)], check=True)

    [run] = tracknb.search_runs(output_format="list")
    assert run.data.metrics == {"loss": 1.0}
