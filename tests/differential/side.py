"""One side of the comparison: ``side.py NAME`` answers a JSON order as ``mlflow`` or ``tracknb``.

Runs under two Pythons, so it imports nothing of tests and either module only by its
name. The order has one key a job: ``data`` and ``cases`` (build a store, then search
it), ``behaviours`` (small scripts, each in a process of its own) and ``surface``
(signatures). Chance and clock are replaced, so both sides make equal ids and times.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import multiprocessing
import multiprocessing.connection
import os
import shutil
import sys
import tempfile
import traceback
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet", "MLFLOW_LOGGING_LEVEL": "ERROR"}
for variable in ("TRACKNB_TRACKING_URI", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
    os.environ.pop(variable, None)

PAGES_AT_MOST = 60
BEHAVIOUR_SECONDS = 60
BEHAVIOURS_AT_ONCE = 2


class Clock:
    """Says the time it was set to, as milliseconds."""

    now = 0

    def __call__(self) -> int:
        return self.now


def problem(error: BaseException) -> dict[str, Any]:
    """Return what is compared of an error, and its text for the reader of a failure."""
    return {
        "refused": True,
        "type": type(error).__name__,
        "error_code": getattr(error, "error_code", None),
        "message": str(error)[:300],
    }


# -- a store made from data.py -------------------------------------------------------------


class Builder:
    """Makes what the description says through the client's own calls."""

    def __init__(self, mlflow: Any, clock: Clock) -> None:
        self.mlflow = mlflow
        self.clock = clock
        self.client = mlflow.MlflowClient()
        self.ids: dict[str, str] = {}
        self.failed: list[str] = []

    def attempt(self, what: str, call: Callable[[], Any]) -> Any:
        """Return what a call returns; a failure is noted, and the building goes on."""
        try:
            return call()
        except Exception as error:
            self.failed.append(f"{what}: {type(error).__name__}: {str(error)[:200]}")
            return None

    def experiment(self, plan: dict[str, Any]) -> None:
        client, name = self.client, plan["name"]
        self.clock.now = plan["created"]
        number = self.ids[name] = client.create_experiment(name, tags=plan["tags"])
        self.clock.now = plan["changed"] or plan["created"]
        for key, value in plan["later_tags"].items():
            client.set_experiment_tag(number, key, value)
        if plan["deleted"]:
            # Runs cannot be made in a deleted experiment: this one's come first.
            for run in self.runs_of(name):
                self.run(run)
            client.delete_experiment(number)
        if plan["restored"]:
            client.restore_experiment(number)

    def runs_of(self, experiment: str) -> list[dict[str, Any]]:
        return [run for run in self.plan["runs"] if run["experiment"] == experiment]

    def run(self, plan: dict[str, Any]) -> None:
        client = self.client
        tags = dict(plan["tags"])
        if plan["parent"]:
            tags["mlflow.parentRunId"] = self.ids[f"run {plan['parent']}"]
        real = uuid.uuid4
        uuid.uuid4 = lambda: uuid.UUID(plan["run_id"])
        try:
            made = client.create_run(
                self.ids[plan["experiment"]], start_time=plan["start_time"], tags=tags, run_name=plan["name"]
            )
        finally:
            uuid.uuid4 = real
        run_id = self.ids[f"run {plan['name']}"] = made.info.run_id
        assert run_id == plan["run_id"], "the run's id was not taken from uuid.uuid4"
        for key, value in plan["params"].items():
            self.attempt(f"param {key}={value!r}", lambda k=key, v=value: client.log_param(run_id, k, v))
        for point in plan["metrics"]:
            self.attempt(f"metric {point['key']}={point['value']!r}", lambda p=point: client.log_metric(run_id, **p))
        if plan["datasets"]:
            self.attempt("log_inputs", lambda: self.inputs(run_id, plan["datasets"]))
        if plan["status"] == "SCHEDULED":
            client.update_run(run_id, status="SCHEDULED")
        elif plan["end_time"] is not None:
            client.set_terminated(run_id, plan["status"], end_time=plan["end_time"])
        if plan["deleted"]:
            client.delete_run(run_id)

    def inputs(self, run_id: str, datasets: list[tuple[str, str, str]]) -> None:
        entities = self.mlflow.entities
        self.client.log_inputs(
            run_id,
            datasets=[
                entities.DatasetInput(
                    entities.Dataset(name=name, digest=digest, source_type="local", source="{}"),
                    [entities.InputTag("mlflow.data.context", context)] if context else [],
                )
                for name, digest, context in datasets
            ],
        )

    def whole(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        deleted = {item["name"] for item in plan["experiments"] if item["deleted"]}
        for experiment in plan["experiments"]:
            self.experiment(experiment)
        for run in plan["runs"]:
            if run["experiment"] not in deleted:
                self.run(run)


# -- searches -------------------------------------------------------------------------------


def searched(mlflow: Any, ids: dict[str, str], case: dict[str, Any]) -> dict[str, Any]:
    """Return the names on each page of a search, or what refused it."""
    view = getattr(mlflow.entities.ViewType, case["view"])
    client = mlflow.MlflowClient()
    options: dict[str, Any] = {"filter_string": case["filter"], "order_by": case["order_by"]}
    if case["max_results"] is not None:
        options["max_results"] = case["max_results"]
    if case["page_token"] is not None:
        options["page_token"] = case["page_token"]
    pages = []
    try:
        while len(pages) < PAGES_AT_MOST:
            if case["entity"] == "experiments":
                page = client.search_experiments(view_type=view, **options)
                pages.append([item.name for item in page])
            else:
                chosen = [ids.get(name, name) for name in case["experiments"]]
                page = client.search_runs(chosen, run_view_type=view, **options)
                pages.append([item.info.run_name for item in page])
            token = getattr(page, "token", None)
            if not token:
                break
            options["page_token"] = token
    except Exception as error:
        return problem(error)
    return {"pages": pages}


def values_of_runs(mlflow: Any, ids: dict[str, str]) -> dict[str, Any]:
    """Return everything a run carries, by its name."""
    client = mlflow.MlflowClient()
    found = {}
    for key, run_id in ids.items():
        if not key.startswith("run "):
            continue
        run = client.get_run(run_id)
        info = run.info
        found[info.run_name] = {
            "metrics": dict(run.data.metrics),
            "params": dict(run.data.params),
            "tags": {key: value for key, value in run.data.tags.items() if not key.startswith("tracknb.")},
            "status": info.status,
            "times": [info.start_time, info.end_time],
            "stage": info.lifecycle_stage,
            "histories": {
                name: [[p.step, p.timestamp, p.value] for p in client.get_metric_history(run_id, name)]
                for name in run.data.metrics
            },
        }
    return found


# -- behaviours -------------------------------------------------------------------------------


def behave(name: str, order: dict[str, Any], behaviour: str, pipe: Any) -> None:
    """Run one behaviour in a folder and a store of its own, and send what it returned."""
    try:
        folder = Path(tempfile.mkdtemp(dir=order["folder"], prefix=f"{behaviour}-"))
        os.chdir(folder)
        mlflow = importlib.import_module(name)
        if order.get("template"):
            shutil.copy(order["template"], folder / "runs.db")
        mlflow.set_tracking_uri("sqlite:///runs.db")
        function = getattr(importlib.import_module("behaviours"), behaviour)
        answer = {"returned": function(mlflow)}
    except BaseException as error:
        answer = problem(error) | {"traceback": traceback.format_exc()[-1500:]}
    pipe.send(json.dumps(answer, default=repr))
    pipe.close()


def behaved(name: str, order: dict[str, Any]) -> dict[str, Any]:
    # Imported once here, not again in every child.
    own = ("mlflow.store.tracking.sqlalchemy_store", "git") if name == "mlflow" else ("tracknb.store.tracking",)
    for module in ("numpy", "pandas", *own):
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    answers = {}
    fork = multiprocessing.get_context("fork")
    waiting, running = list(order["behaviours"]), {}
    while waiting or running:
        while waiting and len(running) < BEHAVIOURS_AT_ONCE:
            behaviour = waiting.pop(0)
            ours, theirs = fork.Pipe(duplex=False)
            process = fork.Process(target=behave, args=(name, order, behaviour, theirs))
            process.start()
            theirs.close()
            running[ours] = (behaviour, process)
        ready = multiprocessing.connection.wait(list(running), timeout=BEHAVIOUR_SECONDS)
        for pipe in ready or list(running):
            behaviour, process = running.pop(pipe)
            if ready:
                answers[behaviour] = json.loads(pipe.recv())
            else:
                answers[behaviour] = {"refused": True, "message": f"no answer after {BEHAVIOUR_SECONDS} s"}
                process.kill()
            process.join()
    return answers


# -- the surface ------------------------------------------------------------------------------


def signatures(place: Any, names: list[str]) -> dict[str, list[list[Any]] | None]:
    """Return name, kind and whether there is a default of each parameter; None for what is missing."""
    found: dict[str, list[list[Any]] | None] = {}
    for name in names:
        function = getattr(place, name, None)
        if not callable(function):
            found[name] = None
            continue
        parameters = inspect.signature(function).parameters.values()
        found[name] = [
            [item.name, item.kind.name, item.default is not inspect.Parameter.empty]
            for item in parameters
            if item.name != "self"
        ]
    return found


def public(place: Any) -> list[str]:
    """Return the public callables of a module or class."""
    return sorted(name for name in dir(place) if not name.startswith("_") and inspect.isroutine(getattr(place, name)))


# -- the order ----------------------------------------------------------------------------------


def replace_clock(name: str, clock: Clock) -> None:
    if name == "mlflow":
        from mlflow.store.tracking import sqlalchemy_store

        sqlalchemy_store.get_current_time_millis = clock
    else:
        from tracknb import names

        names.now_ms = clock


def template(folder: Path) -> str:
    """Return a database with MLflow's tables: making them anew for each behaviour takes seconds."""
    import sqlalchemy
    from mlflow.store.db.utils import _initialize_tables

    engine = sqlalchemy.create_engine(f"sqlite:///{folder / 'template.db'}")
    _initialize_tables(engine)
    engine.dispose()
    return str(folder / "template.db")


def answer(name: str, order: dict[str, Any]) -> dict[str, Any]:
    mlflow = importlib.import_module(name)
    importlib.import_module(f"{name}.entities")
    answers: dict[str, Any] = {"version": mlflow.__version__}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made).resolve()
        os.chdir(folder)
        order["folder"] = str(folder)
        if name == "mlflow" and ("behaviours" in order or "data" in order):
            order["template"] = template(folder)
        if "surface" in order:
            answers["surface"] = {
                "module": signatures(mlflow, order["surface"]["module"]),
                "client": signatures(mlflow.MlflowClient, order["surface"]["client"]),
                "public module": public(mlflow),
                "public client": public(mlflow.MlflowClient),
            }
        if "behaviours" in order:
            answers["behaviours"] = behaved(name, order)
        if "data" in order:
            if "template" in order:
                shutil.copy(order["template"], folder / "data.db")
            clock = Clock()
            clock.now = order["data"]["now"] - 60_000
            replace_clock(name, clock)
            mlflow.set_tracking_uri(f"sqlite:///{folder / 'data.db'}")
            mlflow.MlflowClient().get_experiment("0")  # the store is made now, at the clock's first time
            builder = Builder(mlflow, clock)
            builder.whole(order["data"])
            answers["failed"] = builder.failed
            answers["values"] = values_of_runs(mlflow, builder.ids)
            answers["cases"] = [searched(mlflow, builder.ids, case) for case in order["cases"]]
        os.chdir("/")
    return answers


def main() -> None:
    # What a library prints must not get between the lines of the answer.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    json.dump(answer(sys.argv[1], json.load(sys.stdin)), out)
    out.flush()


if __name__ == "__main__":
    main()
