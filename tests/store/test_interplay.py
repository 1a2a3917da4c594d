"""What processes, threads and handlers do to each other in the middle of a run."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

import tracknb
from tracknb import errors
from tracknb.errors import ArtifactPathError, InvalidValue, NotFound


def in_another_process(script, *arguments):
    """Run a script to its end and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys, tracknb\n" + textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


REMOVE = """
tracknb.set_tracking_uri(sys.argv[1])
client = tracknb.MlflowClient()
client.delete_run(sys.argv[2])
client.gc()
"""


def test_a_run_that_is_open_is_not_removed_under_its_process(store):
    run = tracknb.start_run()
    tracknb.log_metric("loss", 1.0, step=1)
    tracknb.flush()
    innocent = in_another_process(
        REMOVE
        + """
with tracknb.start_run(run_name="innocent") as other:
    tracknb.log_metric("loss", 42.0, step=1)
print(other.info.run_id)
""",
        store,
        run.info.run_id,
    )
    tracknb.log_metric("loss", -1.0, step=2)
    tracknb.end_run("FAILED")

    assert [point.value for point in tracknb.get_metric_history(run.info.run_id, "loss")] == [1.0, -1.0]
    found = tracknb.get_run(innocent)
    assert (found.info.status, found.data.metrics) == ("FINISHED", {"loss": 42.0})


def test_a_removed_runs_number_passes_on_nothing(store):
    """SQLite hands the number of a removed run on; what was meant for the one must not reach the other."""
    client = tracknb.MlflowClient()
    gone = client.create_run("0").info.run_id
    client.log_metric(gone, "loss", 1.0)
    client.flush()
    client._store.remove_run(gone)
    innocent = in_another_process(
        """
tracknb.set_tracking_uri(sys.argv[1])
with tracknb.start_run() as run:
    tracknb.log_metric("loss", 42.0)
print(run.info.run_id)
""",
        store,
    )
    for call in (
        lambda: client.log_param(gone, "lr", 0.1),
        lambda: client.set_tag(gone, "stage", "mine"),
        lambda: client.set_terminated(gone, "FAILED"),
        lambda: client.get_metric_history(gone, "loss"),
    ):
        with pytest.raises(NotFound, match=gone):
            call()

    found = client.get_run(innocent)
    assert (found.info.status, found.data.metrics, found.data.params) == ("FINISHED", {"loss": 42.0}, {})


def test_a_removed_run_is_told_of_and_stops_no_other_run(any_store):
    client = tracknb.MlflowClient()
    gone, good = (client.create_run("0").info.run_id for _ in range(2))
    for run_id in (gone, good):
        client.log_metric(run_id, "loss", 1.0)
    client.flush()
    client.delete_run(gone)
    client._store.remove_run(gone)
    client._store._points.know_run(gone)
    client.log_metric(gone, "loss", 2.0, step=1)
    client.log_metric(good, "loss", 2.0, step=1)

    with pytest.warns(RuntimeWarning, match=f"{gone} is no longer in"):
        client.flush()
    assert [point.value for point in client.get_metric_history(good, "loss")] == [1.0, 2.0]
    with pytest.raises(NotFound):
        client.log_metric(gone, "loss", 3.0)


def test_the_store_is_no_artifact(store, tmp_path):
    """Closing a copy's descriptor would drop the locks that keep other processes out."""
    (store.parent / "notes.txt").write_text("fine")
    with tracknb.start_run():
        tracknb.log_param("before", 1)
        for call in (lambda: tracknb.log_artifact(store), lambda: tracknb.log_artifacts(store.parent)):
            with pytest.raises(ArtifactPathError, match="the store itself"):
                call()
        os.link(store, tmp_path / "link.db")
        with pytest.raises(ArtifactPathError, match="the store itself"):
            tracknb.log_artifact(tmp_path / "link.db")
        assert tracknb.list_artifacts() == []
        tracknb.log_artifact(store.parent / "notes.txt")
        assert [file.path for file in tracknb.list_artifacts()] == ["notes.txt"]


def test_children_that_are_forked_in_the_middle_of_a_commit_can_write(store, monkeypatch):
    monkeypatch.setenv("TRACKNB_BUSY_SECONDS", "5")
    over = threading.Event()
    with tracknb.start_run() as run:

        def log():
            step = 0
            while not over.wait(0.001):
                tracknb.log_metrics({f"m{number}": 1.0 for number in range(100)}, step=step)
                step += 1

        thread = threading.Thread(target=log)
        thread.start()
        endings = []
        for number in range(12):
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    tracknb.log_param(f"w{number}", number)
                    code = 0
                except Exception:
                    traceback.print_exc()
                finally:
                    os._exit(code)
            endings.append(os.waitpid(pid, 0)[1])
        over.set()
        thread.join()

    assert endings == [0] * 12
    assert len(tracknb.get_run(run.info.run_id).data.params) == 12


def test_helper_threads_of_a_task_log_into_its_run(store):
    async def main():
        loop = asyncio.get_running_loop()
        with tracknb.start_run(run_name="async-run"):
            await asyncio.gather(
                *(loop.run_in_executor(None, tracknb.log_metric, "loss", float(i), i) for i in range(3))
            )

    asyncio.run(main())
    [run] = tracknb.search_runs(output_format="list")
    assert run.info.run_name == "async-run"
    assert len(tracknb.get_metric_history(run.info.run_id, "loss")) == 3


def test_a_pool_of_a_thread_logs_into_the_threads_run(store):
    def work():
        with tracknb.start_run(run_name="thread-run"), ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda step: tracknb.log_metric("loss", 1.0, step=step), range(4)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    [run] = tracknb.search_runs(output_format="list")
    assert len(tracknb.get_metric_history(run.info.run_id, "loss")) == 4


def test_a_run_beside_a_threads_run_is_its_own(store):
    """Logging without a run goes to the only one that is open; starting one does not."""
    opened, over = threading.Event(), threading.Event()

    def work():
        with tracknb.start_run(run_name="thread-run"):
            opened.set()
            over.wait(20)
            tracknb.log_metric("a", 1.0)

    thread = threading.Thread(target=work)
    thread.start()
    opened.wait(20)
    assert tracknb.active_run() is None
    with tracknb.start_run(run_name="main-run"):
        tracknb.log_metric("b", 2.0)
    over.set()
    thread.join()

    found = {run.info.run_name: run for run in tracknb.search_runs(output_format="list")}
    assert found["thread-run"].data.metrics == {"a": 1.0}
    assert found["main-run"].data.metrics == {"b": 2.0}
    assert {run.info.status for run in found.values()} == {"FINISHED"}


@pytest.fixture
def locked(store, monkeypatch):
    """A store that another connection can lock, and a process that does not wait long."""
    monkeypatch.setenv("TRACKNB_BUSY_SECONDS", "0.3")
    tracknb.search_experiments()
    other = sqlite3.connect(store, isolation_level=None)
    yield other
    other.close()


def test_an_end_that_the_store_refused_is_stored_later(locked):
    with tracknb.start_run() as run:
        tracknb.log_metric("a", 1.0)
        tracknb.flush()
        locked.execute("BEGIN IMMEDIATE")
        with pytest.raises(errors.StoreLocked):
            tracknb.end_run()
        locked.execute("ROLLBACK")
        tracknb.end_run()

    found = tracknb.get_run(run.info.run_id)
    assert found.info.status == "FINISHED"
    assert tracknb.active_run() is None


def test_a_refused_end_does_not_replace_the_users_own_exception(locked):
    run_ids = []

    def fails():
        with tracknb.start_run() as run:
            run_ids.append(run.info.run_id)
            locked.execute("BEGIN IMMEDIATE")
            1 / 0  # noqa: B018

    with pytest.warns(RuntimeWarning, match="StoreLocked"), pytest.raises(ZeroDivisionError):
        fails()
    locked.execute("ROLLBACK")
    with tracknb.start_run():
        pass

    assert tracknb.get_run(run_ids[0]).info.status == "FAILED"
    assert "ZeroDivisionError" in tracknb.get_run(run_ids[0]).data.tags["tracknb.error"]


@pytest.mark.parametrize("durable", [False, True])
def test_a_finalizer_may_log_in_the_middle_of_a_logging_call(store, durable):
    gone = []

    class Meter:
        def __init__(self):
            self.me = self

        def __del__(self):
            tracknb.log_metric("meter", 1.0)
            tracknb.log_metrics({"x": 1.0, "y": 2.0})
            gone.append(1)

    steps = 500 if durable else 5_000
    with tracknb.start_run(durable=durable) as run:
        for step in range(steps):
            Meter()
            tracknb.log_metric("loss", float(step), step=step)
            tracknb.log_metrics({"a": 1.0, "b": 2.0}, step=step)
        while len(gone) < steps:
            # Another thread may just be collecting.
            gc.collect()

    counts = {key: found.count for key, found in tracknb.MlflowClient().metric_summaries(run.info.run_id).items()}
    assert counts == dict.fromkeys(("meter", "x", "y", "loss", "a", "b"), steps)


INTERRUPTED = """
import os, signal, sys
import tracknb

tracknb.set_tracking_uri(sys.argv[1])
logged = {"handler": 0, "loss": 0, "after": 0}

inside = False

def handler(*_):
    global inside
    if inside:
        # A signal that comes while its handler runs: without this they nest without end.
        return
    inside = True
    try:
        log()
    finally:
        inside = False

def log():
    number = logged["handler"]
    tracknb.log_metric("handler", float(number), step=number)
    tracknb.log_metrics({"handler_a": float(number), "handler_b": float(number)}, step=number)
    logged["handler"] += 1
    if number % 16 == 0:
        try:
            tracknb.flush()
        except tracknb.errors.StoreLocked:
            pass
        tracknb.log_metric("after", float(number), step=number)
        logged["after"] += 1

with tracknb.start_run() as run:
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0003)
    while logged["handler"] < 2_000:
        step = logged["loss"]
        tracknb.log_metric("loss", float(step), step=step)
        tracknb.log_metrics({"a": 1.0, "b": 2.0}, step=step)
        logged["loss"] += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    if "--die" in sys.argv:
        print(run.info.run_id, *logged.values(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
print(run.info.run_id, *logged.values())
"""


@pytest.mark.parametrize("end", ["", "--die"])
def test_calls_of_a_signal_handler_within_logging_calls_are_kept_like_all_others(store, end):
    process = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, store, end], capture_output=True, text=True, timeout=120, check=False
    )
    assert process.returncode == (-signal.SIGKILL if end else 0), process.stderr
    run_id, handled, logged, after = process.stdout.split()

    counts = {key: found.count for key, found in tracknb.MlflowClient().metric_summaries(run_id).items()}
    by_handler = dict.fromkeys(("handler", "handler_a", "handler_b"), int(handled))
    assert counts == by_handler | dict.fromkeys(("loss", "a", "b"), int(logged)) | {"after": int(after)}


def test_a_run_may_be_ended_by_a_signal_handler_in_the_middle_of_a_logging_call(store):
    code = """
import os, signal, sys, threading, time
import tracknb

def on_term(*_):
    tracknb.log_metric("preempted", 1.0)
    tracknb.end_run("KILLED")
    sys.exit(3)

tracknb.set_tracking_uri(sys.argv[1])
signal.signal(signal.SIGTERM, on_term)
run = tracknb.start_run()
print(run.info.run_id, flush=True)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
step = 0
while True:
    tracknb.log_metric("loss", 0.5, step=step)
    step += 1
"""
    for _ in range(4):
        process = subprocess.run(
            [sys.executable, "-c", code, store], capture_output=True, text=True, timeout=60, check=False
        )
        assert process.returncode == 3, process.stderr
        found = tracknb.get_run(process.stdout.strip())
        assert (found.info.status, found.data.metrics["preempted"]) == ("KILLED", 1.0)


def test_a_signal_handler_that_writes_in_the_middle_of_a_write_is_refused_at_once(store):
    problems = []

    def handler(*_):
        began = time.monotonic()
        try:
            tracknb.set_tag("handler", "1")
        except errors.StoreLocked as error:
            problems.append((str(error), time.monotonic() - began))

    previous = signal.signal(signal.SIGALRM, handler)
    try:
        with tracknb.start_run():
            signal.setitimer(signal.ITIMER_REAL, 0.001, 0.002)
            for number in range(200):
                tracknb.log_param(f"p{number}", number)
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)

    assert all("interrupted" in text and seconds < 5 for text, seconds in problems)


def test_only_spools_are_taken_in(store):
    """A sync folder's copy would double points, and a file of one's own is nobody's to remove."""
    with tracknb.start_run():
        tracknb.log_metric("loss", 1.0)
    own = [store.with_name(f"{store.name}-spool-notes.txt"), store.with_name(f"{store.name}-spool-{'a' * 32} (copy)")]
    for path in own:
        path.write_text("mine")
    tracknb.MlflowClient()._store._settled = 0.0
    tracknb.search_runs()

    assert [path.read_text() for path in own] == ["mine", "mine"]


def test_a_spool_of_a_store_that_was_renamed_is_kept_and_told_of(store):
    script = """
    import os, signal
    tracknb.set_tracking_uri(sys.argv[1])
    tracknb.start_run()
    tracknb.log_metric("loss", 0.0)
    tracknb.flush()
    for step in range(1, 100):
        tracknb.log_metric("loss", float(step), step=step)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run(
        [sys.executable, "-c", "import sys, tracknb\n" + textwrap.dedent(script), str(store)], check=False, timeout=60
    )
    for path in list(store.parent.glob("runs.db*")):
        if "-spool-" not in path.name:
            path.rename(path.with_name(path.name.replace("runs.db", "old.db")))
    tracknb.search_experiments()
    tracknb.MlflowClient()._store._settled = 0.0
    with pytest.warns(RuntimeWarning, match="was renamed"):
        tracknb.search_runs()
    [spool] = store.parent.glob("runs.db-spool-*")
    spool.rename(spool.with_name(spool.name.replace("runs.db", "old.db")))

    old = tracknb.MlflowClient(store.with_name("old.db"))
    [run] = old.search_runs(["0"])
    assert len(old.get_metric_history(run.info.run_id, "loss")) == 100


@pytest.mark.parametrize("name", ["a?1.db", "b#c.db", "100%.db", "sp ace.db", "quote's.db", "größe.db", "a%20b.db"])
@pytest.mark.parametrize("spelling", ["{}", "sqlite:///{}"])
def test_a_store_lies_where_its_name_says(tmp_path, name, spelling):
    client = tracknb.MlflowClient(spelling.format(tmp_path / name))
    client.create_experiment("x")
    again = tracknb.MlflowClient(client.tracking_uri)

    assert (tmp_path / name).exists()
    assert again.get_experiment_by_name("x") is not None


def test_times_are_whole_numbers_or_refused(store):
    import numpy as np

    client = tracknb.MlflowClient()
    run = client.create_run("0", start_time=np.int64(1_700_000_000_000))
    client.log_metric(run.info.run_id, "a", 1.0)
    client.set_terminated(run.info.run_id, end_time=np.int64(1_700_000_000_500))
    for bad in ("yesterday", -5):
        with pytest.raises(InvalidValue, match="milliseconds"):
            client.create_run("0", start_time=bad)

    [found] = client.search_runs(["0"])
    assert (found.info.start_time, found.info.end_time) == (1_700_000_000_000, 1_700_000_000_500)


def test_odd_questions_have_clear_answers(any_store):
    client = tracknb.MlflowClient()
    with pytest.raises(NotFound):
        client.get_experiment("9" * 30)
    with pytest.raises(InvalidValue):
        client.search_runs(["0"], max_results=10**30)
    with pytest.raises(InvalidValue):
        client.create_run("0", tags={"mlflow.user": "u" * 600})
    run = client.create_run("0", attempt_group="g")
    client.set_tag(run.info.run_id, "tracknb.attempt", "second")
    assert client.create_run("0", attempt_group="g").data.tags["tracknb.attempt"] == "1"


def test_a_file_name_that_is_no_text_starts_a_run(store, tmp_path):
    script = tmp_path / os.fsdecode(b"caf\xe9.py")
    script.write_text(f"import tracknb\ntracknb.set_tracking_uri({str(store)!r})\ntracknb.log_metric('a', 1.0)\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert len(tracknb.search_runs(output_format="list")) == 1


def test_ended_runs_leave_memory(store):
    for _ in range(5):
        with tracknb.start_run():
            tracknb.log_metric("loss", 1.0)

    assert tracknb.active.state.live == {}


def test_no_warning_comes_in_an_ordinary_run(store):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with tracknb.start_run():
            for step in range(100):
                tracknb.log_metric("loss", 1.0, step=step)
        tracknb.search_runs()
