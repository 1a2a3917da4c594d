"""Real MLflow: ``judge.py make URI`` fills a store, ``judge.py tell URI`` prints what its client says of one.

Runs under a Python that has MLflow, of any version from 2.13 on, so it imports nothing of
tests. ``grow`` adds to what ``make`` left.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ |= {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, ViewType

HOSTILE_NAME = "it's: \"x\" # é\t<b>\U0001f600 {a} - 'b' " + "long words " * 12 + "end"


def make(uri: str) -> None:
    client = MlflowClient(uri)
    taxi = client.create_experiment("nyc: taxi #1", tags={"team": "a: b\nc", "mlflow.note.content": "# Taxi\n\nwords"})
    run = client.create_run(taxi, start_time=1_600_000_000_000, run_name=HOSTILE_NAME, tags={"mlflow.user": "ada"})
    run_id = run.info.run_id
    values = [1.0, math.nan, math.inf, -math.inf, 0.1, 1e-320, -5, 1 / 3, 2.0, 2.0]
    for place, value in enumerate(values):
        client.log_metric(run_id, "train/loss", value, step=place, timestamp=1_600_000_001_000 + place)
    # Several of one step, steps that go back, a negative one, a time before the run's start.
    batch = [
        Metric("acc", place / 7, 1_600_000_002_000 + place % 3, step) for place, step in enumerate([3, 3, 1, -2, 3, 9])
    ]
    client.log_batch(run_id, metrics=[*batch, Metric("acc", 0.5, 1_500_000_000_000, 4), Metric("m b.c-d", 1.0, 1, 0)])
    client.log_metric(run_id, "twice", 0.25, timestamp=1_600_000_003_000, step=5)
    client.log_metric(run_id, "twice", 0.25, timestamp=1_600_000_003_000, step=5)
    client.log_metric(run_id, "only nan", math.nan, timestamp=1_600_000_003_000)
    client.log_param(run_id, "model/depth", 3)
    client.log_param(run_id, "text", "two\nlines and a blank ")
    client.log_param(run_id, "long", "x" * 500)
    client.set_tag(run_id, "note", 'an "odd"\n\n<script>alert(1)</script> tag ä\u2028b')
    client.set_tag(run_id, "empty", "")
    rides = Dataset("ri\"d's: é", "d1", "local", '{"uri": "a: b.csv"}', '{"mlflow_colspec": []}', '{"num_rows": 2}')
    client.log_inputs(
        run_id,
        [
            DatasetInput(rides, [InputTag("mlflow.data.context", "training"), InputTag("k", "v: 'w'")]),
            DatasetInput(Dataset("bare", "d2", "code", "{}"), []),
        ],
    )
    client.log_text(run_id, "hello", "notes/a b.txt")
    client.log_text(run_id, "ä", "ü.txt")
    if hasattr(client, "create_logged_model"):
        model = client.create_logged_model(taxi, name="forest", source_run_id=run_id)
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "MLmodel").write_text("flavors: {}\n")
            client.log_model_artifacts(model.model_id, folder)
        client.finalize_logged_model(model.model_id, "READY")
    client.set_terminated(run_id, end_time=1_600_000_009_000)
    child = client.create_run(taxi, tags={"mlflow.parentRunId": run_id, "stage": "candidate"})
    client.log_inputs(child.info.run_id, [DatasetInput(rides, [InputTag("mlflow.data.context", "evaluation")])])
    client.set_terminated(child.info.run_id, "FAILED")
    killed = client.create_run(taxi)
    client.set_terminated(killed.info.run_id, "KILLED")
    gone = client.create_run(taxi, run_name="gone")
    client.log_metric(gone.info.run_id, "acc", 0.5, step=1)
    client.delete_run(gone.info.run_id)
    client.create_run("0", run_name="still going")
    old = client.create_experiment("old")
    inside = client.create_run(old, run_name="inside")
    client.log_text(inside.info.run_id, "kept", "kept.txt")
    client.delete_experiment(old)
    client.create_experiment("nothing in it")


def grow(uri: str) -> None:
    client = MlflowClient(uri)
    [run] = client.search_runs(["0"])
    run_id = run.info.run_id
    for step in (5, 2, 2):
        client.log_metric(run_id, "late", step / 2, step=step, timestamp=1_700_000_000_000)
    client.log_param(run_id, "lr", 0.1)
    client.set_tag(run_id, "stage", "done")
    client.log_text(run_id, "more", "more.txt")
    client.set_terminated(run_id)
    taxi = client.get_experiment_by_name("nyc: taxi #1").experiment_id
    [first] = [run for run in client.search_runs([taxi]) if run.data.tags.get("empty") == ""]
    client.log_metric(first.info.run_id, "train/loss", math.nan, step=1, timestamp=1_600_000_001_001 + 1)
    client.log_metric(first.info.run_id, "train/loss", 7.0, step=3, timestamp=1_600_000_001_500)
    client.set_experiment_tag(taxi, "team", "b")
    client.create_run(taxi, run_name="newcomer")


def tell(uri: str) -> dict[str, Any]:
    client = MlflowClient(uri)
    told = {}
    for experiment in client.search_experiments(ViewType.ALL):
        runs = client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL)
        told[experiment.name] = {
            "lifecycle_stage": experiment.lifecycle_stage,
            "creation_time": experiment.creation_time,
            "last_update_time": experiment.last_update_time,
            "tags": dict(experiment.tags),
            "runs": {run.info.run_id: tell_run(client, run) for run in runs},
        }
    return told


def tell_run(client: Any, run: Any) -> dict[str, Any]:
    info, run_id = run.info, run.info.run_id
    return {
        **{name: getattr(info, name) for name in ("run_name", "status", "start_time", "end_time", "lifecycle_stage")},
        "user_id": info.user_id,
        "params": dict(run.data.params),
        "inputs": tell_inputs(run),
        "tags": dict(run.data.tags),
        "metrics": {key: repr(value) for key, value in run.data.metrics.items()},
        "points": {
            key: sorted(
                [point.step, point.timestamp, repr(point.value)] for point in client.get_metric_history(run_id, key)
            )
            for key in run.data.metrics
        },
        "files": dict(sorted([*files(client, run_id, ""), *model_files(client, info)])),
    }


PARTS = ("name", "digest", "source_type", "source", "schema", "profile")


def tell_inputs(run: Any) -> list[Any]:
    return sorted(
        (
            [
                {
                    name: getattr(given.dataset, name)
                    for name in ("name", "digest", "source_type", "source", "schema", "profile")
                },
                sorted([tag.key, tag.value] for tag in given.tags),
            ]
            for given in run.inputs.dataset_inputs
        ),
        key=str,
    )


def files(client: Any, run_id: str, folder: str) -> Any:
    for found in client.list_artifacts(run_id, folder or None):
        if found.is_dir:
            yield from files(client, run_id, found.path)
        else:
            yield found.path, Path(client.download_artifacts(run_id, found.path)).read_text()


def model_files(client: Any, info: Any) -> Any:
    """Give what lies behind ``runs:/RUN_ID/NAME_OF_A_MODEL``, which lists of artifacts leave out."""
    if hasattr(client, "search_logged_models"):
        for model in client.search_logged_models([info.experiment_id]):
            if model.source_run_id == info.run_id:
                yield from files(client, info.run_id, model.name)


if __name__ == "__main__":
    job, address = sys.argv[1:]
    answer = {"make": make, "grow": grow, "tell": tell}[job](address)
    print(json.dumps(answer))
