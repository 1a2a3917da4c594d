"""The SQLite store: its file, its promises to other processes, and its errors."""

from __future__ import annotations

import io
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

import tracknb
from tracknb.errors import InvalidValue, StoreDamaged, StoreMoved, StoreTooNew
from tracknb.store import spool


def query(path, sql):
    with sqlite3.connect(path) as connection:
        rows = connection.execute(sql).fetchall()
    connection.close()
    return rows


def test_the_first_call_makes_every_table(store, store_path):
    tracknb.search_experiments()

    tables = {name for (name,) in query(store_path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {
        "experiments",
        "experiment_tags",
        "runs",
        "params",
        "tags",
        "metrics",
        "latest_metrics",
    } <= tables
    assert query(store_path, "PRAGMA journal_mode") == [("wal",)]


def test_plain_sqlite_reads_points_with_names(store, store_path):
    with tracknb.start_run() as run:
        tracknb.log_metric("loss", 0.5, step=3, timestamp=1_700_000_000_000)

    assert query(store_path, "SELECT * FROM metric_points") == [
        (run.info.run_id, "loss", 3, 1_700_000_000_000, 0.5),
    ]
    assert query(store_path, "SELECT key, value, step, count FROM latest_metric_values") == [("loss", 0.5, 3, 1)]


def test_an_artifact_stays_out_of_the_database(store, store_path, tmp_path):
    (tmp_path / "big.bin").write_bytes(os.urandom(5_000_000))
    with tracknb.start_run():
        before = store_path.stat().st_size
        tracknb.log_artifact(tmp_path / "big.bin")
    assert store_path.stat().st_size - before < 50_000


@pytest.mark.parametrize("content", [b"not a database at all" * 20, b"x"])
def test_a_file_that_is_no_database_is_left_alone(store, store_path, content):
    store_path.write_bytes(content)
    with pytest.raises(StoreDamaged, match=r"runs\.db"):
        tracknb.search_experiments()
    assert store_path.read_bytes() == content


def test_another_programs_database_is_left_alone(store, store_path):
    query(store_path, "CREATE TABLE users (name TEXT)")
    before = store_path.read_bytes()
    with pytest.raises(StoreDamaged, match="another program"):
        tracknb.search_experiments()
    assert store_path.read_bytes() == before


def test_a_newer_store_is_left_alone(store, store_path):
    tracknb.search_experiments()
    tracknb.client.close_stores()
    query(store_path, "PRAGMA user_version = 99")
    query(store_path, "PRAGMA wal_checkpoint(TRUNCATE)")
    before = store_path.read_bytes()
    with pytest.raises(StoreTooNew, match="schema 99"):
        tracknb.search_experiments()
    assert store_path.read_bytes() == before


def test_a_store_that_was_deleted_is_noticed(store, store_path):
    tracknb.search_experiments()
    store_path.unlink()
    with pytest.raises(StoreMoved, match=r"runs\.db"):
        tracknb.set_experiment("x")


RACE = """
import sys, time, tracknb
tracknb.set_tracking_uri(sys.argv[1])
time.sleep(max(0, float(sys.argv[2]) - time.time()))
tracknb.set_experiment("same")
with tracknb.start_run():
    for step in range(100):
        tracknb.log_metric("a", step, step=step)
"""


def test_processes_that_start_at_once_make_one_experiment_and_lose_nothing(store, store_path):
    """Also on the very first use of a store."""
    start = str(time.time() + 4)
    workers = [
        subprocess.Popen([sys.executable, "-c", RACE, str(store_path), start], stderr=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    problems = [worker.communicate()[1] for worker in workers]

    assert problems == [""] * 8
    assert query(store_path, "SELECT count(*) FROM experiments WHERE name = 'same'") == [(1,)]
    assert query(store_path, "SELECT count(*) FROM runs WHERE status = 'FINISHED'") == [(8,)]
    assert query(store_path, "SELECT count(*) FROM metrics") == [(800,)]


KILLED = """
import sys, tracknb
tracknb.set_tracking_uri(sys.argv[1])
tracknb.start_run()
for step in range(1_000_000):
    tracknb.log_metric("a", step, step=step)
    print(step, flush=True)
"""


def test_a_killed_process_loses_no_point_that_was_acknowledged(store, store_path):
    worker = subprocess.Popen([sys.executable, "-c", KILLED, str(store_path)], stdout=subprocess.PIPE, text=True)
    acknowledged = -1
    for line in worker.stdout:
        acknowledged = int(line)
        if acknowledged == 3_000:
            worker.send_signal(signal.SIGKILL)
            break
    for line in worker.stdout:
        if line.endswith("\n"):
            acknowledged = int(line)
    worker.wait()

    [run] = tracknb.search_runs(output_format="list")
    history = tracknb.get_metric_history(run.info.run_id, "a")
    assert [point.step for point in history[: acknowledged + 1]] == list(range(acknowledged + 1))
    assert run.info.status == "KILLED"
    assert run.info.end_time == history[-1].timestamp


def test_taking_a_spool_in_twice_doubles_nothing(store, store_path):
    with tracknb.start_run() as run:
        run_id = run.info.run_id
    # What a process that died between commit and removal leaves.
    path = store_path.with_name(f"{store_path.name}-spool-{'a' * 32}")
    writer = spool.Spool(store_path, "runs.db", lambda batch: ())
    writer.append(run_id, [("loss", 1.0, 0, 1), ("loss", 2.0, 1, 2)])
    [written] = [p for p in store_path.parent.iterdir() if "-spool-" in p.name]
    data = written.read_bytes()
    writer.close()
    from tracknb.client import _store_at

    inner = _store_at(tracknb.MlflowClient().tracking_uri)
    for _ in range(2):
        path.write_bytes(data)
        inner._settled = 0.0
        inner.settle()

    assert not path.exists()
    assert [p.value for p in tracknb.get_metric_history(run_id, "loss")] == [1.0, 2.0]


def test_a_torn_record_hides_only_what_follows_it(tmp_path):
    writer = spool.Spool(tmp_path / "runs.db", "runs.db", lambda batch: ())
    writer.append("r" * 32, [("a", float(i), i, i) for i in range(10)])
    [path] = list(tmp_path.iterdir())
    data = path.read_bytes()[: writer._at]

    def values(content):
        batches = spool.Reader(io.BytesIO(content), "x").batches()
        return [value for batch in batches for _, _, points in batch.series for _, _, value, _ in points]

    assert values(data) == [float(i) for i in range(10)]
    assert values(data[:-1]) == [float(i) for i in range(9)]
    damaged = bytearray(data)
    damaged[-100] ^= 0xFF
    assert len(values(bytes(damaged))) < 10
    assert values(b"") == []


def test_pages_lead_through_all_runs(store):
    for number in range(7):
        with tracknb.start_run(run_name=f"r{number}"):
            pass
    client = tracknb.MlflowClient()
    names, token = [], None
    while True:
        page = client.search_runs(["0"], max_results=3, page_token=token)
        names += [run.info.run_name for run in page]
        token = page.token
        if token is None:
            break
    assert sorted(names) == [f"r{number}" for number in range(7)]
    with pytest.raises(InvalidValue, match="page token"):
        client.search_runs(["0"], page_token="nonsense")
