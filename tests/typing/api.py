"""What a user types, for a type checker to read: each line is checked by ``mypy --strict``, and none is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_type

import pandas as pd

import tracknb
import tracknb as mlflow
from tracknb import (
    ActiveRun,
    Experiment,
    LifecycleStage,
    Metric,
    MlflowClient,
    Run,
    RunData,
    RunInfo,
    RunStatus,
    TracknbError,
    ViewType,
)
from tracknb.entities import MetricSummary, PagedList
from tracknb.errors import FilterError, NotFound, ParamChanged


def choose() -> None:
    mlflow.set_tracking_uri("sqlite:///runs.db")
    mlflow.set_tracking_uri(Path("runs.db"))
    mlflow.set_tracking_uri(None)
    assert_type(mlflow.get_tracking_uri(), str)
    assert_type(mlflow.is_tracking_uri_set(), bool)
    assert_type(mlflow.set_experiment("nyc-taxi"), Experiment)
    assert_type(mlflow.set_experiment(experiment_id="1"), Experiment)
    assert_type(mlflow.create_experiment("nyc-taxi", tags={"owner": "ada", "year": 2024}), str)
    assert_type(mlflow.get_experiment("1"), Experiment)
    assert_type(mlflow.get_experiment_by_name("nyc-taxi"), Experiment | None)
    mlflow.set_experiment_tag("owner", "ada")
    mlflow.set_experiment_tags({"owner": "ada"})
    mlflow.delete_experiment_tag("owner")
    mlflow.delete_experiment("1")
    mlflow.restore_experiment("1")


def log_in_a_block(loss: float, figure: object) -> None:
    with mlflow.start_run(run_name="ridge", tags={"stage": "candidate"}, description="first") as run:
        assert_type(run, ActiveRun)
        assert_type(run.info.run_id, str)
        assert_type(mlflow.log_param("alpha", 0.1), float)
        assert_type(mlflow.log_parameter("kind", "ridge"), str)
        mlflow.log_params({"depth": 3, "model": "forest", "layers": [1, 2], "nothing": None})
        mlflow.log_metric("loss", loss)
        mlflow.log_metric("loss", 3, step=1, timestamp=1_600_000_000_000)
        mlflow.log_metrics({"rmse": 3.5, "n": 7}, step=2)
        mlflow.set_tag("stage", "old")
        mlflow.set_tags({"a": 1, "b": "2"})
        mlflow.delete_tag("a")
        mlflow.set_evaluation_set("january")
        mlflow.log_text("text", "notes/a.txt")
        mlflow.log_dict({"a": [1, 2]}, "a.json")
        mlflow.log_figure(figure, "loss.png")
        mlflow.log_artifact("model.pkl", "model")
        mlflow.log_artifact(Path("model.pkl"))
        mlflow.log_artifacts("plots", artifact_path="figures")
        assert_type(mlflow.get_artifact_uri("model"), str)
        with mlflow.start_run(nested=True) as child:
            assert_type(child, ActiveRun)
    for epoch in mlflow.track(range(3)):
        assert_type(epoch, int)
    mlflow.flush()


def log_without_a_block() -> None:
    run = mlflow.start_run(experiment_id="1", durable=True)
    assert_type(run, ActiveRun)
    assert_type(mlflow.active_run(), ActiveRun | None)
    assert_type(mlflow.last_active_run(), Run | None)
    mlflow.end_run()
    mlflow.end_run("FAILED")
    mlflow.end_run(RunStatus.KILLED)
    mlflow.start_run(run_id=run.info.run_id)


def search(output_format: str) -> None:
    frame = mlflow.search_runs(["1"], "metrics.rmse < 4 or params.lr < 0.1", order_by=["metrics.rmse ASC"])
    assert_type(frame, pd.DataFrame)
    assert_type(mlflow.search_runs(output_format="pandas"), pd.DataFrame)
    runs = mlflow.search_runs(experiment_names=["nyc-taxi"], output_format="list", max_results=5)
    assert_type(runs, list[Run])
    assert_type(mlflow.search_runs(["1"], "", ViewType.ALL, 5, ["start_time"], "list"), list[Run])
    assert_type(mlflow.search_runs(output_format=output_format), pd.DataFrame | list[Run])
    mlflow.search_runs(search_all_experiments=True, run_view_type=ViewType.DELETED_ONLY)
    assert_type(runs[0].data.metrics["rmse"], float)
    for experiment in mlflow.search_experiments(view_type=ViewType.ALL, filter_string="name LIKE 'n%'"):
        assert_type(experiment, Experiment)
    assert_type(mlflow.get_metric_history(runs[0].info.run_id, "loss"), list[Metric])
    assert_type(mlflow.get_parent_run(runs[0].info.run_id), Run | None)


def read(run: Run, experiment: Experiment, point: Metric) -> None:
    assert_type(mlflow.get_run("0" * 32), Run)
    assert_type(run.info, RunInfo)
    assert_type(run.data, RunData)
    assert_type(run.info.run_name, str)
    assert_type(run.info.experiment_id, str)
    assert_type(run.info.user_id, str)
    assert_type(run.info.status, str)
    assert_type(run.info.start_time, int)
    assert_type(run.info.end_time, int | None)
    assert_type(run.info.artifact_uri, str)
    assert_type(run.info.lifecycle_stage, str)
    assert_type(run.data.metrics, Mapping[str, float])
    assert_type(run.data.params, Mapping[str, str])
    assert_type(run.data.tags.get("mlflow.runName", "no name"), str)
    assert_type(run.info.status == RunStatus.FINISHED, bool)
    assert_type(run.info.lifecycle_stage == LifecycleStage.ACTIVE, bool)
    assert_type(experiment.experiment_id, str)
    assert_type(experiment.name, str)
    assert_type(experiment.tags, Mapping[str, str])
    assert_type(experiment.artifact_location, str)
    assert_type(experiment.creation_time, int | None)
    assert_type(experiment.last_update_time, int | None)
    assert_type((point.key, point.value, point.step, point.timestamp), tuple[str, float, int, int])


def use_the_client() -> None:
    client = MlflowClient("sqlite:///runs.db")
    MlflowClient()
    experiment_id = client.create_experiment("nyc-taxi", tags={"owner": "ada"})
    assert_type(experiment_id, str)
    run = client.create_run(experiment_id, run_name="ridge", tags={"a": "b"})
    assert_type(run, Run)
    run_id = run.info.run_id
    client.log_param(run_id, "alpha", 0.1)
    client.log_metric(run_id, "rmse", 3.5, step=1)
    client.log_batch(run_id, metrics=[Metric("rmse", 3.0, 1_600_000_000_000, 2)], params={"a": "1"}, tags={"b": "2"})
    client.set_tag(run_id, "stage", "old")
    client.delete_tag(run_id, "stage")
    client.log_text(run_id, "text", "a.txt")
    client.log_artifact(run_id, "a.txt")
    client.set_terminated(run_id, "FAILED", end_time=1_600_000_000_000)
    client.update_run(run_id, name="new")
    page = client.search_runs([experiment_id], "status = 'FAILED'", ViewType.ALL, 10, ["start_time DESC"])
    assert_type(page, PagedList[Run])
    assert_type(page.token, str | None)
    assert_type(page[0], Run)
    client.search_runs([experiment_id], page_token=page.token)
    assert_type(client.search_experiments(max_results=None), PagedList[Experiment])
    assert_type(client.get_metric_history(run_id, "rmse"), list[Metric])
    assert_type(client.get_metric_history_df([run_id], ["rmse"]), pd.DataFrame)
    assert_type(client.metric_series(run_id, "rmse", max_points=100), pd.DataFrame)
    assert_type(client.metric_summaries(run_id), dict[str, MetricSummary])
    for item in client.list_artifacts(run_id):
        assert_type(item.path, str)
    assert_type(client.download_artifacts(run_id, "a.txt"), str)
    assert_type(client.storage(), pd.DataFrame)
    client.gc("30d", dry_run=True)
    client.delete_run(run_id)
    client.restore_run(run_id)


def look() -> None:
    table = tracknb.runs_table("metrics.rmse < 4", experiment="nyc-taxi", tags="stage=candidate", eval_set=["a", "b"])
    assert_type(table.text(), str)
    assert_type(table.to_pandas(), pd.DataFrame)
    assert_type(table.selected, pd.DataFrame)
    assert_type(tracknb.dashboard("experiments", experiment="nyc-taxi").text(), str)
    assert_type(tracknb.save_html("runs.html", table), Path)
    assert_type(tracknb.show("last").text(), str)
    assert_type(tracknb.trend("rmse", query="params.model = 'ridge'").text(), str)
    chart: Any = tracknb.chart(table, "loss")
    chart.properties(width=400)


def fail() -> str:
    try:
        mlflow.log_param("lr", 0.2)
    except ParamChanged as error:
        return str(error)
    except FilterError as error:
        return error.problem + error.hint
    except (NotFound, TracknbError) as error:
        return error.error_code
    return ""
