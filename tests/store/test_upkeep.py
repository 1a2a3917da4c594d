"""What a store holds, and taking runs and points out of it for good."""

from __future__ import annotations

import math
import sqlite3
import warnings
from pathlib import Path

import pytest

import tracknb
from tracknb import names
from tracknb.errors import InvalidValue, NotFound

DAY = 24 * 60 * 60 * 1000


@pytest.fixture
def client():
    return tracknb.MlflowClient()


def finished(name, points=0, params=0, artifact=None):
    """Track a run to its end; returns its id."""
    with tracknb.start_run(run_name=name) as run:
        for step in range(points):
            tracknb.log_metric("loss", math.sin(step / 50), step=step)
        tracknb.log_params({f"p{number}": "x" * 20 for number in range(params)})
        if artifact is not None:
            tracknb.log_text(artifact, "notes.txt")
    return run.info.run_id


def everything(run_id, client):
    """Return all that is known of a run."""
    run = client.get_run(run_id)
    return run, client.get_metric_history(run_id, "loss"), client.metric_summaries(run_id)


def test_storage_lists_runs_by_their_size(any_store, client):
    small, large = finished("small", points=10), finished("large", points=3_000, params=5, artifact="a" * 1_000)
    frame = client.storage()

    assert frame["run_name"].tolist() == ["large", "small"]
    assert frame["points"].tolist() == [3_000, 10]
    assert frame["artifact_bytes"].tolist() == [1_000, 0]
    assert frame["store_bytes"].iloc[0] > 3_000 * 20
    assert client.storage(small)["run_id"].tolist() == [small]
    assert large in frame["run_id"].tolist()


def test_the_counted_sizes_add_up_to_the_file(store, client):
    for number in range(5):
        finished(f"r{number}", points=20_000)
    tracknb.client.close_stores()

    counted = client.storage()["store_bytes"].sum()
    assert 0.7 < counted / store.stat().st_size < 1.2


def test_an_empty_store_has_no_runs(any_store, client):
    assert client.storage().empty
    assert client.gc().empty
    assert client.prune(100).empty


def test_gc_removes_deleted_runs_and_leaves_the_others_as_they_were(any_store, client):
    kept, gone = finished("kept", points=1_500, artifact="a"), finished("gone", points=1_500, params=3, artifact="b")
    folder = Path(client.get_run(gone).info.artifact_uri)
    before = everything(kept, client)
    client.delete_run(gone)

    assert client.gc(dry_run=True)["run_name"].tolist() == ["gone"]
    assert folder.exists()
    assert client.gc()["run_name"].tolist() == ["gone"]
    assert not folder.parent.exists()
    with pytest.raises(NotFound):
        client.get_run(gone)
    assert everything(kept, client) == before
    assert client.storage()["run_id"].tolist() == [kept]
    assert client.gc().empty


def test_gc_waits_as_long_as_it_is_told(any_store, client, monkeypatch):
    run = finished("old")
    client.delete_run(run)

    assert client.gc("30d").empty
    monkeypatch.setattr(names, "now_ms", lambda now=names.now_ms: now() + 31 * DAY)
    assert client.gc("30d", dry_run=True)["run_id"].tolist() == [run]
    assert client.gc("30d")["run_id"].tolist() == [run]


def test_gc_takes_only_the_runs_it_is_given(any_store, client):
    runs = [finished(f"r{number}") for number in range(3)]
    for run in runs[:2]:
        client.delete_run(run)

    # The third is not deleted, so it stays.
    assert client.gc(run_ids=runs[1:])["run_id"].tolist() == [runs[1]]
    assert client.gc(run_ids=runs[0])["run_id"].tolist() == [runs[0]]
    assert client.storage()["run_id"].tolist() == [runs[2]]


def test_gc_removes_a_deleted_experiment_with_its_runs(any_store, client):
    tracknb.set_experiment("gone")
    finished("r", points=5)
    experiment = tracknb.get_experiment_by_name("gone")
    client.delete_experiment(experiment.experiment_id)

    assert client.gc()["experiment"].tolist() == ["gone"]
    assert tracknb.get_experiment_by_name("gone") is None
    # The name is free again.
    assert tracknb.create_experiment("gone") != experiment.experiment_id or any_store.startswith("sqlite")


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1w", "1h1d", 30, "1.5d"])
def test_a_length_of_time_that_is_none_removes_nothing(store, client, text):
    run = finished("r")
    client.delete_run(run)
    with pytest.raises(InvalidValue, match="30d"):
        client.gc(text)
    assert client.storage()["run_id"].tolist() == [run]


def test_a_folder_that_is_not_the_runs_own_is_left_alone(store, client, tmp_path):
    """A store may come from a stranger: what it names as a run's folder is not removed unseen."""
    run = finished("r", artifact="a")
    precious = tmp_path / "precious" / "artifacts"
    precious.mkdir(parents=True)
    (precious / "thesis.txt").write_text("years of work")
    client.delete_run(run)
    tracknb.client.close_stores()
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE runs SET artifact_uri = ?", (str(precious),))

    client.gc()
    assert (precious / "thesis.txt").read_text() == "years of work"


def test_the_file_shrinks(store, client):
    finished("kept", points=10)
    gone = finished("gone", points=100_000)
    tracknb.client.close_stores()
    before = store.stat().st_size
    client.delete_run(gone)
    client.gc()

    assert store.stat().st_size < before / 4


def test_a_store_in_use_shrinks_later_and_says_so(store, client, monkeypatch):
    monkeypatch.setenv("TRACKNB_BUSY_SECONDS", "0.2")
    gone = finished("gone", points=1_000)
    client.delete_run(gone)
    reader = sqlite3.connect(store, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM runs").fetchone()
    with pytest.warns(RuntimeWarning, match="in use"):
        client.gc()
    reader.close()

    assert client.storage().empty
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client.gc()


def test_prune_thins_what_is_long_and_keeps_how_it_looks(any_store, client):
    long, short = finished("long", points=5_000), finished("short", points=50)
    with tracknb.start_run(run_name="odd") as run:
        for step in range(400):
            tracknb.log_metric("loss", [math.nan, math.inf, -math.inf, 1.0][step % 4], step=step)
    before = client.metric_summaries(long)["loss"]
    untouched = everything(short, client)

    assert sorted(client.prune(100, dry_run=True)["points"]) == [400, 5_000]
    assert len(client.get_metric_history(long, "loss")) == 5_000
    client.prune(100)
    after = client.metric_summaries(long)["loss"]
    history = client.get_metric_history(long, "loss")
    assert 50 <= len(history) <= 100
    assert after.count == len(history)
    assert (after.last, after.last_step, after.min, after.min_step, after.max, after.max_step) == (
        before.last,
        before.last_step,
        before.min,
        before.min_step,
        before.max,
        before.max_step,
    )
    assert {before.min, before.max, before.last} <= {point.value for point in history}
    assert len(client.metric_series(long, "loss", 1_000)) == len(history)
    assert everything(short, client) == untouched
    odd = [point.value for point in client.get_metric_history(run.info.run_id, "loss")]
    assert {math.inf, -math.inf} <= set(odd)


def test_a_run_that_is_open_is_not_pruned(store, client):
    with tracknb.start_run():
        for step in range(500):
            tracknb.log_metric("loss", 1.0, step=step)
        assert client.prune(100).empty


def test_a_pruned_run_can_be_resumed(store, client):
    run_id = finished("r", points=3_000)
    client.prune(100)
    kept = len(client.get_metric_history(run_id, "loss"))
    with tracknb.start_run(run_id=run_id):
        for step in range(3_000, 5_000):
            tracknb.log_metric("loss", 9.0, step=step)

    assert len(client.get_metric_history(run_id, "loss")) == kept + 2_000
    assert client.metric_series(run_id, "loss", 50)["value"].max() == 9.0


def test_prune_refuses_to_keep_next_to_nothing(store, client):
    with pytest.raises(InvalidValue, match="at least 4"):
        client.prune(3)
