"""What five published guides show of tracking and retrieval runs as printed, with one line changed: the import.

Typographic quotes are straight here, as Python needs them; nothing else differs. The names
that a guide leaves to its reader (``best_params``, ``X_train`` ...) are given beside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from datetime import datetime
from types import SimpleNamespace

import pandas as pd
import pytest

import tracknb

IMPORT = "import tracknb as mlflow\n"


@pytest.fixture
def folder(store, tmp_path, monkeypatch):
    """An empty working directory and a store of the test's own."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def run_snippet(text, **given):
    """Run a guide's lines in one namespace, as a notebook would, and return it."""
    names = dict(given)
    exec(compile(IMPORT + textwrap.dedent(text), "<guide>", "exec"), names)
    return names


def script(text, folder, **environment):
    """Run a guide's lines as a program of its own."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "TRACKNB_"))}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT + textwrap.dedent(text)],
        cwd=folder,
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def only_run(**where):
    [run] = tracknb.search_runs(**where, output_format="list")
    return run


# -- the Backstage plugin ------------------------------------------------------------


def test_an_evaluation_set_is_a_tag_and_its_runs_are_compared(folder):
    run_snippet(
        """
        mlflow.set_tracking_uri("sqlite:///backstage.db")
        mlflow.set_experiment("mnist")

        for MY_EVALUATION_SET, loss in [("keras-mnist-test-set", 0.05), ("keras-mnist-test-set", 0.2), ("other", 0.01)]:
            with mlflow.start_run():
                mlflow.set_tag('mlflow.backstage.evaluation_set', MY_EVALUATION_SET)
                mlflow.log_metric("loss", loss)
        """
    )

    table = tracknb.runs_table("metrics.loss < .1", eval_set="keras-mnist-test-set")
    assert [run.data.metrics for run in table.runs] == [{"loss": 0.05}]
    assert tracknb.get_experiment_by_name("mnist").experiment_id.isdecimal()


# -- the MLOps guide with its taxi notebook -----------------------------------------


def test_the_taxi_guide_runs_cell_by_cell(shell, folder):
    """Its third step, then a training such as it asks for, then its comparison of runs."""
    cells = [
        IMPORT
        + textwrap.dedent(
            """\
            # Set the tracking URI to use SQLite
            mlflow.set_tracking_uri("sqlite:///mlflow.db")

            # Set the experiment name
            mlflow.set_experiment("nyc-taxi-experiment")
            """
        ),
        textwrap.dedent(
            """\
            distance = [0.5, 1.2, 2.5, 4.0, 8.0]
            duration = [4.0, 7.0, 12.0, 16.0, 31.0]

            def train(alpha):
                slope = sum(x * y for x, y in zip(distance, duration)) / (sum(x * x for x in distance) + alpha)
                return (sum((y - slope * x) ** 2 for x, y in zip(distance, duration)) / len(distance)) ** 0.5
            """
        ),
        textwrap.dedent(
            """\
            for alpha in (0.01, 10):
                with mlflow.start_run():
                    mlflow.set_tag("model", "ridge")
                    mlflow.log_param("alpha", alpha)
                    mlflow.log_metric("rmse", train(alpha))
            """
        ),
        'best = mlflow.search_runs(order_by=["metrics.rmse ASC"]).iloc[0]',
    ]
    for cell in cells:
        shell.run_cell(cell, store_history=True).raise_error()

    table = shell.run_line_magic("track", "runs")
    assert table.payload()["title"] == "nyc-taxi-experiment"
    assert [run.data.params["alpha"] for run in table.runs] == ["10", "0.01"]
    assert shell.user_ns["best"]["params.alpha"] == "0.01"
    assert {path.name for path in folder.iterdir()} - {"mlflow.db-wal", "mlflow.db-shm"} <= {
        "mlflow.db",
        *(path.name for path in folder.glob("mlflow.db.*")),
    }


# -- the workflow with its steps -----------------------------------------------------


def test_steps_of_a_workflow_are_programs_that_share_a_store_by_a_variable(folder):
    """Experiments are made beforehand; a later step reads what an earlier one logged."""
    address = f"sqlite:///{folder / 'workflow.db'}"
    script(
        """
        for name in ("madminer-ml-sample", "madminer-ml-train", "madminer-ml-eval"):
            mlflow.create_experiment(name)
        """,
        folder,
        MLFLOW_TRACKING_URI=address,
    )
    script(
        """
        mlflow.set_experiment("madminer-ml-sample")
        with mlflow.start_run():
            mlflow.set_tag("step", "sampling")
            mlflow.log_param("samples", 1000)
            mlflow.log_text("1 2 3", "data/dummy.txt")
        """,
        folder,
        MLFLOW_TRACKING_URI=address,
    )
    printed = script(
        """
        [sampling] = mlflow.search_runs(experiment_names=["madminer-ml-sample"], output_format="list")
        data = open(mlflow.download_artifacts(run_id=sampling.info.run_id, artifact_path="data/dummy.txt")).read()
        for alpha in (0.1, 0.5):
            with mlflow.start_run():
                mlflow.log_param("alpha", alpha)
                mlflow.log_metric("total", sum(map(int, data.split())) * alpha)
        print(mlflow.search_runs(filter_string="params.alpha > 0.2")["metrics.total"].tolist())
        """,
        folder,
        MLFLOW_TRACKING_URI=address,
        MLFLOW_EXPERIMENT_NAME="madminer-ml-train",
    )
    assert printed == "[3.0]\n"


# -- the guide to metadata and artifacts -----------------------------------------------


@pytest.fixture
def logged(folder):
    """The guide's own experiment and run; its names."""
    names = run_snippet(
        """
        experiment_id = mlflow.create_experiment(
            experiment_name, 
            tag={"description": description, "owner": owner}
        ) 

        with mlflow.start_run(experiment_id=experiment_id, run_name="name_of_the_run") as run:
            mlflow.set_tag("experiment_type", "GridSearch_CrossValidation")
            mlflow.set_tag("model_type", model_name)

            # Model parameters log
            mlflow.log_params({f"model_{k}": v for k, v in best_params.items()})

            # Dataset feature log
            mlflow.log_param("data_samples", X_train.shape[0])
            mlflow.log_param("data_features", X_train.shape[1])
            mlflow.log_param("data_classes", len(set(y_train)))

            # Parameter log for grid search
            mlflow.log_params({f"grid_search_{k}": v for k, v in param_grid[model_name].items()})
            mlflow.log_param("grid_search_scoring", scoring_grid_search)
            mlflow.log_param("grid_search_cv_folds", cv)

            # Model performance metrics log
            mlflow.log_metrics({f"model_{k}": v for k, v in metrics.items()})

            # Log of system metrics.
            mlflow.log_metric("system_cpu_usage", result['cpu_usage'])
            mlflow.log_metric("system_execution_time", result['execution_time'])
        """,
        experiment_name="iris",
        description="three kinds of iris",
        owner="ada",
        model_name="forest",
        best_params={"depth": 3, "trees": 50},
        X_train=pd.DataFrame({"length": [5.1, 4.9, 6.2], "width": [3.5, 3.0, 2.9]}),
        y_train=["setosa", "setosa", "virginica"],
        param_grid={"forest": {"depth": [2, 3], "trees": [10, 50]}},
        scoring_grid_search="f1_macro",
        cv=5,
        metrics={"accuracy": 0.9, "f1": 0.85},
        result={"cpu_usage": 41.5, "execution_time": 2.25},
    )
    return SimpleNamespace(experiment_id=names["experiment_id"], run_id=names["run"].info.run_id)


def test_what_the_guide_logs_is_kept(logged):
    run = tracknb.get_run(logged.run_id)

    assert run.data.params == {
        "model_depth": "3",
        "model_trees": "50",
        "data_samples": "3",
        "data_features": "2",
        "data_classes": "2",
        "grid_search_depth": "[2, 3]",
        "grid_search_trees": "[10, 50]",
        "grid_search_scoring": "f1_macro",
        "grid_search_cv_folds": "5",
    }
    assert run.data.metrics == {
        "model_accuracy": 0.9,
        "model_f1": 0.85,
        "system_cpu_usage": 41.5,
        "system_execution_time": 2.25,
    }
    assert tracknb.get_experiment(logged.experiment_id).tags == {"description": "three kinds of iris", "owner": "ada"}


def test_every_documented_parameter_of_the_two_searches_is_taken(logged):
    names = run_snippet(
        """
        experiments = mlflow.search_experiments(view_type=1, max_results=None, filter_string="name = 'iris'",
                                                order_by=["last_update_time ASC", "name DESC"])
        [exp] = experiments
        runs = mlflow.search_runs(experiment_ids=[exp.experiment_id])
        same = mlflow.search_runs(experiment_ids=None, filter_string='metrics.model_f1 < 0.9', run_view_type=1,
                                  max_results=100000, order_by=["metrics.model_accuracy DESC"], output_format='list',
                                  search_all_experiments=False, experiment_names=["iris"])
        """
    )

    assert names["runs"]["run_id"].tolist() == [run.info.run_id for run in names["same"]] == [logged.run_id]


def test_retrieval_1_counts_the_runs_of_each_experiment(logged):
    names = run_snippet(
        """
        experiments = mlflow.search_experiments()
        experiments_list = []

        for exp in experiments:
           runs = mlflow.search_runs(experiment_ids=[exp.experiment_id])
           run_count = len(runs)

           experiments_list.append({
               "experiment_id": exp.experiment_id,
               "name": exp.name,
               "lifecycle_stage": exp.lifecycle_stage,
               "run_count": run_count
           })
        """
    )

    assert names["experiments_list"] == [
        {"experiment_id": logged.experiment_id, "name": "iris", "lifecycle_stage": "active", "run_count": 1},
        {"experiment_id": "0", "name": "Default", "lifecycle_stage": "active", "run_count": 0},
    ]


def test_retrieval_2_reports_on_the_runs_of_an_experiment(logged):
    with pytest.raises(ZeroDivisionError), tracknb.start_run(experiment_id=logged.experiment_id):
        1 / 0  # noqa: B018
    names = run_snippet(
        """
        experiment_runs = mlflow.search_runs([experiment_id])
        report = {
            "number_of_runs": len(experiment_runs),
            "completed_runs": sum(run["status"] == 'FINISHED' for _, run in experiment_runs.iterrows()),
            "failed_runs": sum(run["status"] == 'FAILED' for _, run in experiment_runs.iterrows()),
            "active_runs": sum(run["status"] == 'RUNNING' for _, run in experiment_runs.iterrows()),
            "stopped_runs": sum(run["status"] == 'STOPPED' for _, run in experiment_runs.iterrows()),
            "first_run_completed": min(run["start_time"].strftime('%Y-%m-%d %H:%M:%S') for _, run in experiment_runs.iterrows()),
            "last_run_completed": max(run["end_time"].strftime('%Y-%m-%d %H:%M:%S') for _, run in experiment_runs.iterrows()),
        }
        """,
        experiment_id=logged.experiment_id,
    )

    report = names["report"]
    counts = {key: value for key, value in report.items() if key.endswith("runs")}
    assert counts == {
        "number_of_runs": 2,
        "completed_runs": 1,
        "failed_runs": 1,
        "active_runs": 0,
        "stopped_runs": 0,
    }
    first, last = (datetime.fromisoformat(report[f"{which}_run_completed"]) for which in ("first", "last"))
    assert first <= last


def test_retrieval_3_tells_of_an_experiment(logged):
    names = run_snippet(
        """
        from datetime import datetime
        experiment = mlflow.get_experiment(experiment_id)
        experiment_info = {
            "experiment_id": experiment.experiment_id,
            "experiment_name": experiment.name,
            "artifact_location": experiment.artifact_location,
            "lifecycle_stage": experiment.lifecycle_stage,
            "tags": experiment.tags,
            "data_creation": datetime.fromtimestamp(experiment.creation_time / 1000).strftime('%Y-%m-%d %H:%M:%S') if experiment.creation_time else None,
            "last_updated": datetime.fromtimestamp(experiment.last_update_time / 1000).strftime('%Y-%m-%d %H:%M:%S') if experiment.last_update_time else None,
        }
        """,
        experiment_id=logged.experiment_id,
    )

    info = names["experiment_info"]
    assert (info["experiment_name"], info["lifecycle_stage"], info["tags"]["owner"]) == ("iris", "active", "ada")
    assert datetime.fromisoformat(info["data_creation"]) <= datetime.fromisoformat(info["last_updated"])


def test_retrieval_4_tells_of_a_run(logged):
    names = run_snippet(
        """
        run = self.mlflow.get_run(run_id)
        run_metrics = run.data.metrics
        params = run.data.params
        run_name = run.data.tags.get('mlflow.runName', 'Unnamed Run')
        model = run.data.tags.get('model_type', 'Unknown Model Type')
        lifecycle_stage = run.info.lifecycle_stage
        """,
        self=SimpleNamespace(mlflow=tracknb),
        run_id=logged.run_id,
    )

    assert (names["run_name"], names["model"], names["lifecycle_stage"]) == ("name_of_the_run", "forest", "active")
    assert names["run_metrics"]["model_f1"] == 0.85
    assert names["params"]["model_depth"] == "3"


# -- MLflow's own documentation of tracking ----------------------------------------------


def test_a_run_is_the_length_of_its_with_block(folder):
    run_snippet(
        """
        with mlflow.start_run():
            mlflow.log_parameter("x", 1)
            mlflow.log_metric("y", 2)
            ...
        """
    )

    run = only_run()
    assert (run.data.params, run.data.metrics, run.info.status) == ({"x": "1"}, {"y": 2.0}, "FINISHED")


def test_the_experiment_is_inferred_from_the_variable(folder):
    address = f"sqlite:///{folder / 'runs.db'}"
    number = script('print(mlflow.create_experiment("fraud-detection"))', folder, MLFLOW_TRACKING_URI=address).strip()
    script(
        """
        # Launch a run. The experiment ID is inferred from the MLFLOW_EXPERIMENT_ID environment
        # variable, or from the --experiment-id parameter passed to the MLflow CLI (the latter
        # taking precedence)
        with mlflow.start_run():
            mlflow.log_parameter("a", 1)
            mlflow.log_metric("b", 2)
        """,
        folder,
        MLFLOW_TRACKING_URI=address,
        MLFLOW_EXPERIMENT_ID=number,
    )

    [run] = tracknb.MlflowClient(address).search_runs([number])
    assert (run.data.params, run.data.metrics) == ({"a": "1"}, {"b": 2.0})


def test_a_program_logs_to_the_store_that_the_variable_names(folder):
    address = f"sqlite:///{folder / 'elsewhere.db'}"
    script(
        """
        with mlflow.start_run():
            mlflow.log_metric("a", 1)
        """,
        folder,
        MLFLOW_TRACKING_URI=address,
    )

    [run] = tracknb.MlflowClient(address).search_runs(["0"])
    assert run.data.metrics == {"a": 1.0}


def test_each_basic_logging_function_does_what_is_said_of_it(folder):
    (folder / "plots").mkdir()
    (folder / "plots" / "loss.svg").write_text("<svg/>")
    names = run_snippet(
        """
        mlflow.set_tracking_uri("sqlite:///tracking.db")
        uri = mlflow.get_tracking_uri()
        experiment_id = mlflow.create_experiment("basic")
        before = mlflow.active_run()
        run = mlflow.start_run(experiment_id=experiment_id)
        same = mlflow.active_run()
        mlflow.log_param("alpha", 0.5)
        for step, loss in enumerate([3, 2, 1]):
            mlflow.log_metric("loss", loss, step=step)
        mlflow.log_artifact("plots/loss.svg", artifact_path="figures")
        mlflow.log_artifacts("plots")
        artifact_uri = mlflow.get_artifact_uri()
        mlflow.end_run(status="FAILED")
        after = mlflow.active_run()
        mlflow.set_experiment(experiment_id=experiment_id)
        mlflow.log_metric("by_itself", 1)
        mlflow.end_run()
        """
    )

    assert (names["uri"], names["before"], names["after"]) == ("sqlite:///tracking.db", None, None)
    assert names["same"].info.run_id == names["run"].info.run_id
    by_itself, run = tracknb.search_runs([names["experiment_id"]], output_format="list")
    assert (run.info.status, run.data.params) == ("FAILED", {"alpha": "0.5"})
    assert [point.value for point in tracknb.get_metric_history(run.info.run_id, "loss")] == [3, 2, 1]
    assert names["artifact_uri"] == run.info.artifact_uri
    assert {item.path for item in tracknb.MlflowClient().list_artifacts(run.info.run_id)} == {"figures", "loss.svg"}
    assert by_itself.data.metrics == {"by_itself": 1.0}


def test_the_tasks_of_querying_by_program(folder):
    """Compare in pandas, feed an artifact into a new run, and search parameters by what was measured."""
    names = run_snippet(
        """
        mlflow.set_experiment("search")
        step, x = 4.0, 0.0
        for attempt in range(10):
            runs = mlflow.search_runs(order_by=["metrics.loss ASC"], max_results=1)
            if len(runs):
                best = float(runs["params.x"][0])
                x, step = best + step, -step * 0.7
            with mlflow.start_run(tags={"side": "left" if x < 3 else "right"}):
                mlflow.log_param("x", x)
                mlflow.log_metric("loss", (x - 3) ** 2)
                mlflow.log_text(str(x), "guess.txt")

        by_side = mlflow.search_runs().groupby("tags.side")["metrics.loss"].min()
        [best] = mlflow.search_runs(order_by=["metrics.loss"], max_results=1, output_format="list")
        guess = open(best.info.artifact_uri.removeprefix("file://") + "/guess.txt").read()
        with mlflow.start_run(run_name="again"):
            mlflow.log_param("x", guess)
        """
    )

    assert names["best"].data.metrics["loss"] < 9.0
    assert set(names["by_side"].index) == {"left", "right"}
    assert names["by_side"].min() == names["best"].data.metrics["loss"]
    assert only_run(filter_string="run_name = 'again'").data.params["x"] == names["best"].data.params["x"]
