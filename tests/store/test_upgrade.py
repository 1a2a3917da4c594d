"""A store of every released schema opens, keeps its rows, and a copy of it stays behind."""

from __future__ import annotations

import math
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tracknb
from tracknb.store import schema

DATA = Path(__file__).parents[1] / "data"
OLDER = sorted(DATA.glob("schema-*.db"))


@pytest.fixture(params=OLDER, ids=[path.stem for path in OLDER])
def older(request, store):
    """A store of an older schema where the test tracks; gives its place."""
    shutil.copy(request.param, store)
    return store


def copy_of(store):
    [kept] = store.parent.glob("runs.db.schema-*.bak")
    return kept


def version_of(path):
    connection = sqlite3.connect(path)
    try:
        return connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        connection.close()


def test_every_released_schema_but_the_present_one_has_a_store_here():
    assert [path.stem for path in OLDER] == [f"schema-{number}" for number in range(1, schema.SCHEMA_VERSION)]


def test_an_older_store_keeps_all_that_was_in_it(older):
    tracknb.set_experiment("nyc-taxi")
    runs = {run.info.run_name: run for run in tracknb.search_runs(output_format="list")}
    ridge = runs["ridge"]
    losses = tracknb.get_metric_history(ridge.info.run_id, "loss")
    odd = [point.value for point in tracknb.get_metric_history(ridge.info.run_id, "odd")]
    summary = tracknb.MlflowClient().metric_summaries(ridge.info.run_id)["loss"]

    assert set(runs) == {"ridge", "forest"}
    assert ridge.data.params["model"] == "ridge"
    assert ridge.data.tags["stage"]
    assert [point.step for point in losses] == list(range(2_500))
    assert (summary.count, summary.last) == (2_500, losses[-1].value)
    assert (summary.min, summary.max) == (min(p.value for p in losses), max(p.value for p in losses))
    assert math.isnan(odd[0])
    assert odd[1:] == [math.inf, -math.inf]


def test_an_older_store_is_copied_before_it_is_upgraded(older):
    before = version_of(older)
    tracknb.search_experiments()

    assert version_of(older) == schema.SCHEMA_VERSION
    assert version_of(copy_of(older)) == before
    assert copy_of(older).name == f"runs.db.schema-{before}.bak"


def test_an_upgraded_store_has_the_tables_of_a_new_one(older, tmp_path):
    tracknb.search_experiments()
    tracknb.MlflowClient(f"sqlite:///{tmp_path}/new.db").search_experiments()

    def shape(path):
        connection = sqlite3.connect(path)
        names = connection.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
        columns = {name: connection.execute(f'PRAGMA table_info("{name}")').fetchall() for _, name in names}
        connection.close()
        return sorted(names), columns

    assert shape(older) == shape(tmp_path / "new.db")


def test_a_long_curve_of_an_older_store_is_drawn_and_goes_on(older):
    """Its summaries are made when it gets its next point."""
    tracknb.set_experiment("nyc-taxi")
    [run] = tracknb.search_runs(filter_string="attributes.run_name = 'ridge'", output_format="list")
    client = tracknb.MlflowClient()
    before = client.metric_series(run.info.run_id, "loss", 100)
    for step in range(2_500, 4_000):
        client.log_metric(run.info.run_id, "loss", 1_000.0, step=step)
    after = client.metric_series(run.info.run_id, "loss", 100)

    assert len(before) <= 110
    assert before["step"].iloc[-1] == 2_499
    assert after["step"].iloc[-1] == 3_999
    assert after["value"].max() == 1_000.0


def test_an_upgrade_that_is_killed_is_finished_by_the_next(older):
    """At any moment: the store is as it was, or upgraded, and never in between."""
    script = "import sys, tracknb; tracknb.set_tracking_uri(sys.argv[1]); print('go', flush=True)\n"
    script += "tracknb.search_experiments(); print('done', flush=True); sys.stdin.read()"
    original, released = older.read_bytes(), version_of(older)
    finished, whole = 0, 0.0
    # The first comes to its end; the others have from little to much more than the time that it took.
    for moment in range(20):
        for left in older.parent.glob("runs.db*"):
            left.unlink()
        older.write_bytes(original)
        with subprocess.Popen(
            [sys.executable, "-c", script, str(older)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            child.stdout.readline()
            begin = time.perf_counter()
            if moment == 0:
                assert child.stdout.readline() == "done\n"
                finished, whole = 1, time.perf_counter() - begin
            else:
                signal.sigtimedwait([signal.SIGUSR1], whole * moment / 8)
            child.kill()
            finished += "done" in child.stdout.read()
        version = version_of(older)
        assert version in (released, schema.SCHEMA_VERSION)
        tracknb.client.close_stores()
        assert {e.name for e in tracknb.search_experiments()} == {"Default", "nyc-taxi"}
        assert version_of(older) == schema.SCHEMA_VERSION

    assert 0 < finished < 20


def test_processes_that_meet_an_older_store_at_once_upgrade_it_once(older):
    script = (
        "import sys, tracknb; tracknb.set_tracking_uri(sys.argv[1]); tracknb.set_experiment('nyc-taxi')\n"
        "with tracknb.start_run(): tracknb.log_metric('loss', 1.0)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", script, str(older)], stderr=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    problems = [process.communicate(timeout=60)[1] for process in started]

    assert [process.returncode for process in started] == [0] * 6, problems
    assert len(tracknb.search_runs(experiment_names=["nyc-taxi"], output_format="list")) == 8
    copy_of(older)
