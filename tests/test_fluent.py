"""MLflow's fluent calls: what they do to the active run and to the store."""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import tracknb
import tracknb as mlflow
from tracknb.errors import AlreadyExists, InvalidValue, NotFound, ParamChanged


def only_run(experiment="Default"):
    [run] = tracknb.search_runs(experiment_names=[experiment], output_format="list")
    return run


def test_importing_and_choosing_a_store_create_nothing(store_path):
    tracknb.set_tracking_uri(f"sqlite:///{store_path}")

    assert os.listdir(store_path.parent) == []


def test_the_address_is_read_back_as_it_was_given(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for uri in ("sqlite:///runs.db", "runs.db", "sqlite:////tmp/x/runs.db"):
        tracknb.set_tracking_uri(uri)
        assert tracknb.get_tracking_uri() == uri


def test_a_relative_store_stays_where_it_was_chosen(monkeypatch, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    tracknb.set_tracking_uri("sqlite:///runs.db")
    monkeypatch.chdir(tmp_path / "elsewhere")
    with tracknb.start_run():
        pass

    assert (tmp_path / "runs.db").exists()


def test_tracknbs_variable_wins_over_mlflows(monkeypatch, tmp_path):
    tracknb.set_tracking_uri(None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/a.db")
    assert tracknb.get_tracking_uri().endswith("a.db")
    monkeypatch.setenv("TRACKNB_TRACKING_URI", f"sqlite:///{tmp_path}/b.db")
    assert tracknb.get_tracking_uri().endswith("b.db")


def test_an_unknown_scheme_is_refused_without_showing_the_password():
    with pytest.raises(InvalidValue) as caught:
        tracknb.set_tracking_uri("oracle://adam:secret@host/db")

    assert "oracle://" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_block_ends_its_run_and_keeps_all_that_was_logged(store):
    with mlflow.start_run(run_name="ridge", description="a note", tags={"stage": "candidate"}) as run:
        assert mlflow.active_run() is run
        mlflow.log_param("lr", 0.1)
        mlflow.log_params({"depth": 3})
        for step in range(3):
            mlflow.log_metric("rmse", 3.0 - step, step=step)
        mlflow.log_metrics({"mae": 1.5, "r2": 0.9})
        mlflow.set_tag("team", "a")

    assert mlflow.active_run() is None
    read = mlflow.get_run(run.info.run_id)
    assert read.info.status == "FINISHED"
    assert read.info.end_time >= read.info.start_time
    assert read.data.params == {"lr": "0.1", "depth": "3"}
    assert read.data.metrics == {"rmse": 1.0, "mae": 1.5, "r2": 0.9}
    assert read.data.tags["mlflow.runName"] == "ridge"
    assert read.data.tags["mlflow.note.content"] == "a note"
    assert {"stage": "candidate", "team": "a"}.items() <= read.data.tags.items()
    assert [(m.step, m.value) for m in mlflow.get_metric_history(run.info.run_id, "rmse")] == [
        (0, 3.0),
        (1, 2.0),
        (2, 1.0),
    ]


def test_a_block_that_raises_leaves_a_failed_run_and_the_users_own_exception(store):
    with pytest.raises(ZeroDivisionError), mlflow.start_run():
        raise ZeroDivisionError("no fares")

    run = only_run()
    assert run.info.status == "FAILED"
    assert run.data.tags["tracknb.error"] == "ZeroDivisionError: no fares"
    assert mlflow.active_run() is None


def test_an_interrupted_block_leaves_a_killed_run(store):
    with pytest.raises(KeyboardInterrupt), mlflow.start_run():
        raise KeyboardInterrupt

    assert only_run().info.status == "KILLED"


def test_the_last_value_is_the_one_at_the_highest_step(store):
    with mlflow.start_run() as run:
        for step, value in [(0, 3.0), (2, 2.0), (1, 1.0)]:
            mlflow.log_metric("loss", value, step=step)

    assert mlflow.get_run(run.info.run_id).data.metrics == {"loss": 2.0}
    summary = mlflow.MlflowClient().metric_summaries(run.info.run_id)["loss"]
    assert (summary.last, summary.last_step, summary.count) == (2.0, 2, 3)
    assert (summary.min, summary.min_step, summary.max, summary.max_step) == (1.0, 1, 3.0, 0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e-320, 1.7976931348623157e308, 0.1 + 0.2])
def test_odd_numbers_come_back_as_logged(store, value):
    with mlflow.start_run() as run:
        mlflow.log_metric("odd", value)

    [point] = mlflow.get_metric_history(run.info.run_id, "odd")
    assert point.value == value or (math.isnan(value) and math.isnan(point.value))
    last = mlflow.get_run(run.info.run_id).data.metrics["odd"]
    assert last == value or (math.isnan(value) and math.isnan(last))


def test_equal_points_are_kept_as_points(store):
    with mlflow.start_run() as run:
        for _ in range(3):
            mlflow.log_metric("loss", 1.0, step=5, timestamp=1_700_000_000_000)

    assert len(mlflow.get_metric_history(run.info.run_id, "loss")) == 3


def test_a_text_as_metric_is_refused_and_nothing_of_the_batch_is_kept(store):
    with mlflow.start_run() as run, pytest.raises(InvalidValue, match="loss"):
        mlflow.log_metrics({"rmse": 1.0, "loss": "low"})
    assert mlflow.get_run(run.info.run_id).data.metrics == {}


def test_a_parameter_keeps_its_first_value(store):
    with mlflow.start_run() as run:
        assert mlflow.log_param("lr", 0.1) == 0.1
        mlflow.log_param("lr", 0.1)
        with pytest.raises(ParamChanged, match=r"'lr' is '0\.1' .* cannot become '0\.2'"):
            mlflow.log_params({"depth": 3, "lr": 0.2})
    assert mlflow.get_run(run.info.run_id).data.params == {"lr": "0.1"}


def test_tags_are_overwritten_and_deleted(store):
    with mlflow.start_run() as run:
        mlflow.set_tag("stage", "a")
        mlflow.set_tags({"stage": "b", "mlflow.runName": "renamed"})
        mlflow.set_tag("gone", 1)
        mlflow.delete_tag("gone")
        with pytest.raises(NotFound, match="gone"):
            mlflow.delete_tag("gone")
    read = mlflow.get_run(run.info.run_id)
    assert read.data.tags["stage"] == "b"
    assert "gone" not in read.data.tags
    assert read.info.run_name == "renamed"


def test_experiments_are_made_once_and_found_both_ways(store):
    first = mlflow.set_experiment("nyc-taxi")
    again = mlflow.set_experiment("nyc-taxi")

    assert first.experiment_id == again.experiment_id
    assert mlflow.get_experiment(first.experiment_id).name == "nyc-taxi"
    assert mlflow.get_experiment_by_name("nyc-taxi").experiment_id == first.experiment_id
    assert mlflow.get_experiment_by_name("unknown") is None
    with pytest.raises(NotFound, match="999"):
        mlflow.set_experiment(experiment_id="999")
    with pytest.raises(AlreadyExists, match=f"id {first.experiment_id}"):
        mlflow.create_experiment("nyc-taxi")


def test_create_experiment_takes_tag_as_the_guide_writes_it(store):
    identity = mlflow.create_experiment("guide", tag={"description": "a guide", "owner": "adam"})

    assert isinstance(identity, str)
    assert mlflow.get_experiment(identity).tags == {"description": "a guide", "owner": "adam"}


def test_the_environment_picks_the_experiment(store, monkeypatch):
    identity = mlflow.create_experiment("by-id")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", identity)
    with mlflow.start_run() as run:
        pass
    assert run.info.experiment_id == identity
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "by-name")
    with mlflow.start_run() as run:
        pass
    assert mlflow.get_experiment(run.info.experiment_id).name == "by-name"


def test_resuming_keeps_the_runs_name_unless_another_is_given(store):
    with mlflow.start_run(run_name="first") as run:
        mlflow.log_metric("loss", 1, step=0)
    with mlflow.start_run(run_id=run.info.run_id):
        assert mlflow.get_run(run.info.run_id).info.status == "RUNNING"
        mlflow.log_metric("loss", 2, step=1)

    read = mlflow.get_run(run.info.run_id)
    assert (read.info.run_name, read.info.status) == ("first", "FINISHED")
    assert len(mlflow.get_metric_history(run.info.run_id, "loss")) == 2
    with mlflow.start_run(run_id=run.info.run_id, run_name="second", tags={"stage": "b"}) as resumed:
        assert resumed.info.run_name == "second"
    assert mlflow.get_run(run.info.run_id).data.tags["stage"] == "b"


def test_a_run_without_a_name_gets_two_words_and_a_number(store):
    with mlflow.start_run() as run:
        pass
    first, second, number = run.info.run_name.split("-")
    assert first.isalpha()
    assert second.isalpha()
    assert number.isdecimal()


def test_nested_runs_know_their_parent(store):
    with mlflow.start_run() as parent:
        with mlflow.start_run(nested=True) as child:
            mlflow.log_metric("a", 1)
        assert mlflow.active_run() is parent
        with pytest.raises(InvalidValue, match="nested=True"):
            mlflow.start_run()
    assert mlflow.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert mlflow.get_run(parent.info.run_id).data.metrics == {}


def test_a_parent_that_is_not_there_is_refused(store):
    with pytest.raises(NotFound, match="0000"):
        mlflow.start_run(parent_run_id="0" * 32)


def test_a_parent_need_not_be_open(store):
    with mlflow.start_run() as parent:
        pass
    with mlflow.start_run(parent_run_id=parent.info.run_id) as child:
        pass
    assert mlflow.get_parent_run(child.info.run_id).info.run_id == parent.info.run_id
    assert mlflow.get_parent_run(parent.info.run_id) is None


def test_a_run_left_open_gives_way_to_the_next(store):
    """Nobody is told to call end_run() first."""
    first = mlflow.start_run()
    second = mlflow.start_run()
    mlflow.end_run()

    assert mlflow.get_run(first.info.run_id).info.status == "FINISHED"
    assert mlflow.get_run(second.info.run_id).info.status == "FINISHED"
    assert mlflow.active_run() is None
    assert mlflow.last_active_run().info.run_id == second.info.run_id


def test_a_thread_logs_into_the_run_that_is_open(store):
    with mlflow.start_run() as run:
        worker = threading.Thread(target=lambda: mlflow.log_metric("from_thread", 1))
        worker.start()
        worker.join()
    assert mlflow.get_run(run.info.run_id).data.metrics == {"from_thread": 1.0}


def test_interleaved_tasks_do_not_mix(store):
    async def train(value):
        with mlflow.start_run() as run:
            for step in range(5):
                mlflow.log_metric("value", value, step=step)
                await asyncio.sleep(0)
        return run.info.run_id

    async def main():
        return await asyncio.gather(*(train(value) for value in range(8)))

    ids = asyncio.run(main())
    for value, run_id in enumerate(ids):
        assert {p.value for p in mlflow.get_metric_history(run_id, "value")} == {float(value)}


def test_threads_with_runs_of_their_own_do_not_mix(store):
    def train(value):
        with mlflow.start_run(run_name=f"r{value}"):
            for step in range(20):
                mlflow.log_metric("value", value, step=step)

    workers = [threading.Thread(target=train, args=(value,)) for value in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    runs = tracknb.search_runs(output_format="list")
    assert {run.info.run_name: run.data.metrics["value"] for run in runs} == {f"r{v}": float(v) for v in range(6)}


def test_a_forked_worker_logs_into_the_run_and_does_not_end_it(store):
    with mlflow.start_run() as run:
        mlflow.log_metric("a", 1, step=0)
        pid = os.fork()
        if pid == 0:
            mlflow.log_metric("a", 2, step=1)
            mlflow.flush()
            os._exit(0)
        os.waitpid(pid, 0)
        assert mlflow.get_run(run.info.run_id).info.status == "RUNNING"
    assert [p.value for p in mlflow.get_metric_history(run.info.run_id, "a")] == [1.0, 2.0]


def test_artifacts_are_kept_under_the_run(store, tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.bin").write_bytes(bytes(range(256)))
    with mlflow.start_run() as run:
        mlflow.log_artifact(tmp_path / "data" / "a.bin", "raw")
        mlflow.log_artifacts(tmp_path / "data", "tree/deep")
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"a": 1}, "config.json")
        mlflow.log_figure(Figure(), "plot.png")
        uri = mlflow.get_artifact_uri("raw")
    assert uri.startswith(mlflow.get_experiment(run.info.experiment_id).artifact_location)
    assert uri.endswith("raw")
    assert Path(mlflow.download_artifacts(run.info.run_id, "tree/deep/a.bin")).read_bytes() == bytes(range(256))
    assert [item.path for item in mlflow.list_artifacts(run.info.run_id)] == [
        "config.json",
        "notes",
        "plot.png",
        "raw",
        "tree",
    ]


@pytest.mark.parametrize("path", ["../out.txt", "/etc/out.txt", "a/../../../out.txt", "nul\x00.txt"])
def test_an_artifact_path_that_leads_out_is_refused(store, path):
    with mlflow.start_run() as run, pytest.raises(InvalidValue):
        mlflow.log_text("x", path)
    assert mlflow.list_artifacts(run.info.run_id) == []


def test_a_pipe_is_refused_as_artifact(store, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with mlflow.start_run(), pytest.raises(InvalidValue, match="pipe"):
        mlflow.log_artifact(tmp_path / "pipe")


def test_search_runs_gives_mlflows_columns(store):
    mlflow.set_experiment("nyc-taxi")
    with mlflow.start_run(run_name="a"):
        mlflow.log_metric("rmse", 5.1)
        mlflow.log_param("model", "linear")
    with mlflow.start_run(run_name="b"):
        mlflow.log_metric("rmse", 3.8)

    frame = mlflow.search_runs()
    assert list(frame.columns[:6]) == ["run_id", "experiment_id", "status", "artifact_uri", "start_time", "end_time"]
    assert str(frame["start_time"].dtype).startswith("datetime64[")
    assert "UTC" in str(frame["start_time"].dtype)
    assert frame["metrics.rmse"].tolist() == [3.8, 5.1]
    assert frame["params.model"].tolist() == [None, "linear"]
    assert list(mlflow.search_runs(filter_string="metrics.rmse < 4")["tags.mlflow.runName"]) == ["b"]
    assert list(mlflow.search_runs(order_by=["metrics.rmse DESC"])["tags.mlflow.runName"]) == ["a", "b"]
    assert len(mlflow.search_runs(max_results=1)) == 1


def test_a_deleted_run_leaves_the_search_until_it_is_restored(store):
    with mlflow.start_run() as run:
        pass
    client = mlflow.MlflowClient()
    client.delete_run(run.info.run_id)
    assert tracknb.search_runs(output_format="list") == []
    client.restore_run(run.info.run_id)
    assert len(tracknb.search_runs(output_format="list")) == 1


SCRIPT = """
import os, sys, tracknb
tracknb.set_tracking_uri(sys.argv[1])
tracknb.log_metric("loss", 1.0)
{ending}
"""


@pytest.mark.parametrize(
    ("ending", "status"),
    [("", "FINISHED"), ("raise ValueError('x')", "FAILED"), ("os._exit(1)", "KILLED")],
)
def test_a_script_that_never_ended_its_run_leaves_none_running(store, store_path, ending, status):
    subprocess.run(
        [sys.executable, "-c", SCRIPT.format(ending=ending), str(store_path)], check=False, capture_output=True
    )

    run = only_run()
    assert run.info.status == status
    assert run.info.end_time is not None
    assert run.data.metrics == {"loss": 1.0}


def test_nothing_but_the_store_and_artifacts_is_left(store, store_path):
    with mlflow.start_run():
        mlflow.log_metric("a", 1)
        mlflow.log_text("x", "x.txt")

    left = {name.removesuffix("-wal").removesuffix("-shm") for name in os.listdir(store_path.parent)}
    assert left == {"runs.db", "runs-artifacts"}


def test_importing_and_loading_pull_in_nothing_heavy():
    code = (
        "import sys, tracknb; from IPython.core.interactiveshell import InteractiveShell as S;"
        "before = set(sys.modules); S.instance().run_line_magic('load_ext', 'tracknb');"
        "heavy = {'sqlalchemy','pandas','numpy','altair','anywidget','ipywidgets','click','tornado','jupyter_server'};"
        "print(sorted((heavy | {'tracknb.jupyter'}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("text", ["bad header \x00\x01", "half \ud800 of a letter"])
def test_an_error_that_no_database_takes_ends_its_run_and_no_other(store, text):
    with pytest.raises(ValueError, match=r"bad|half"), tracknb.start_run() as failed:
        raise ValueError(text)
    with tracknb.start_run() as clean:
        tracknb.log_metric("m", 1.0)

    assert tracknb.get_run(failed.info.run_id).info.status == "FAILED"
    assert "\\" in tracknb.get_run(failed.info.run_id).data.tags["tracknb.error"]
    assert tracknb.get_run(clean.info.run_id).info.status == "FINISHED"
