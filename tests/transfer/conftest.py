"""Stores that real MLflow wrote, and what its own client says of them."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import tracknb
from tests.differential import environment

JUDGE = Path(__file__).with_name("judge.py")
OLD = Path(__file__).parents[1] / "data" / "mlflow-2.13.zip"


def judge(job: str, uri: str, folder: Path) -> Any:
    """Let real MLflow do a job in a folder; skips where there is no MLflow."""
    try:
        python = environment.find()
    except FileNotFoundError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    done = subprocess.run([str(python), str(JUDGE), job, uri], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@dataclass(frozen=True)
class Written:
    """A store that MLflow wrote: what to import, and what MLflow says of it."""

    kind: str
    folder: Path
    told: dict[str, Any]

    @property
    def uri(self) -> str:
        """The store's address as its users write it, relative to ``folder``."""
        return "./mlruns" if self.kind == "files" else "sqlite:///mlflow.db"

    @property
    def path(self) -> Path:
        """The folder or file to import."""
        return self.folder / ("mlruns" if self.kind == "files" else "mlflow.db")

    def grown(self) -> Written:
        """Let MLflow add to the store."""
        judge("grow", self.uri, self.folder)
        return Written(self.kind, self.folder, judge("tell", self.uri, self.folder))


@pytest.fixture(params=["files", "database"])
def new(request: pytest.FixtureRequest, tmp_path: Path) -> Written:
    """A store of each kind, just written by the newest MLflow."""
    folder = tmp_path / "mlflow"
    folder.mkdir()
    written = Written(request.param, folder, {})
    judge("make", written.uri, folder)
    return Written(request.param, folder, judge("tell", written.uri, folder))


def old_store(kind: str, folder: Path) -> Written:
    """A store that MLflow 2.13 wrote on another machine; ``told.json`` beside it was said there."""
    with zipfile.ZipFile(OLD) as stored:
        stored.extractall(folder)
    return Written(kind, folder / kind, json.loads((folder / kind / "told.json").read_text()))


@pytest.fixture(params=["files", "database"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Written:
    """A store of each kind that MLflow 2.13 wrote on another machine."""
    return old_store(request.param, tmp_path)


def expected(written: Written) -> dict[str, Any]:
    """Return what tracknb is to say of an imported store: what MLflow says, but for three things.

    MLflow's databases turn infinities into the greatest float, which becomes what it was.
    MLflow does not find the files of an experiment that it moved to ``.trash``; they are
    there. tracknb's own first experiment keeps its own times.
    """
    text = json.dumps(written.told)
    if written.kind == "database":
        text = text.replace("1.7976931348623157e+308", "inf")
    told: dict[str, Any] = json.loads(text)
    if written.kind == "files":
        [inside] = told["old"]["runs"].values()
        inside["files"] = {"kept.txt": "kept"}
    told.setdefault("Default", {"lifecycle_stage": "active", "tags": {}, "runs": {}})
    for name in ("creation_time", "last_update_time"):
        told["Default"].pop(name, None)
    for experiment in told.values():
        for run in experiment["runs"].values():
            # MLflow 2.13 was not asked.
            run.setdefault("inputs", [])
            for points in run["points"].values():
                points.sort()
    return told


def tell(uri: str | None = None) -> dict[str, Any]:
    """Return what tracknb's client says of its store, as the judge tells it of MLflow's."""
    client = tracknb.TrackingClient(uri)
    told = {}
    for experiment in client.search_experiments(tracknb.ViewType.ALL):
        runs = client.search_runs([experiment.experiment_id], run_view_type=tracknb.ViewType.ALL)
        told[experiment.name] = {
            "lifecycle_stage": experiment.lifecycle_stage,
            "creation_time": experiment.creation_time,
            "last_update_time": experiment.last_update_time,
            "tags": _foreign(experiment.tags),
            "runs": {run.info.run_id: _tell_run(client, run) for run in runs},
        }
    for name in ("creation_time", "last_update_time"):
        told["Default"].pop(name)
    return told


def _foreign(tags: Any) -> dict[str, str]:
    return {key: value for key, value in tags.items() if not key.startswith("tracknb.")}


def _tell_run(client: tracknb.TrackingClient, run: tracknb.Run) -> dict[str, Any]:
    info, run_id = run.info, run.info.run_id
    return {
        **{name: getattr(info, name) for name in ("run_name", "status", "start_time", "end_time", "lifecycle_stage")},
        "user_id": info.user_id,
        "params": dict(run.data.params),
        "inputs": _inputs(run),
        "tags": _foreign(run.data.tags),
        "metrics": {key: repr(value) for key, value in run.data.metrics.items()},
        "points": {
            key: sorted(
                [point.step, point.timestamp, repr(point.value)] for point in client.get_metric_history(run_id, key)
            )
            for key in run.data.metrics
        },
        "files": dict(sorted(_files(client, run_id, ""))),
    }


def _inputs(run: tracknb.Run) -> list[Any]:
    return sorted(
        (
            [given.dataset.to_dictionary(), sorted([tag.key, tag.value] for tag in given.tags)]
            for given in run.inputs.dataset_inputs
        ),
        key=str,
    )


def _files(client: tracknb.TrackingClient, run_id: str, folder: str) -> Any:
    for found in client.list_artifacts(run_id, folder or None):
        if found.is_dir:
            yield from _files(client, run_id, found.path)
        else:
            yield found.path, Path(client.download_artifacts(run_id, found.path)).read_text()


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return every file of a folder with its time and content."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }
