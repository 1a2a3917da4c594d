"""Small scripts that run as they stand under MLflow and under tracknb.

Each public function gets the module under the name ``mlflow``, an empty store and a
working folder of its own, and returns what it saw. Ids and times are not returned, only
what can be said of them. ``told`` gives an error by its code: wording is each side's own.
"""

from __future__ import annotations

import inspect
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _told(call: Callable[[], Any]) -> Any:
    """Return what a call returned, or the code of the error that it raised."""
    try:
        value = call()
    except Exception as error:
        return f"refused: {getattr(error, 'error_code', type(error).__name__)}"
    return value if value is None or isinstance(value, (str, int, float, bool, list, dict)) else type(value).__name__


def _user_tags(run: Any) -> dict[str, str]:
    return {key: value for key, value in sorted(run.data.tags.items()) if not key.startswith(("mlflow.", "tracknb."))}


def _history(mlflow: Any, run_id: str, key: str) -> list[list[float]]:
    return [[point.step, point.value] for point in mlflow.MlflowClient().get_metric_history(run_id, key)]


def _listed(mlflow: Any, run_id: str, path: str | None = None) -> list[list[Any]]:
    return [[item.path, item.is_dir, item.file_size] for item in mlflow.MlflowClient().list_artifacts(run_id, path)]


# -- starting and ending ------------------------------------------------------------------------


def a_block_starts_and_ends_a_run(mlflow):
    with mlflow.start_run(run_name="ridge") as run:
        inside = [mlflow.active_run().info.run_id == run.info.run_id, mlflow.active_run().info.status]
    after = mlflow.get_run(run.info.run_id)
    return {
        "inside": inside,
        "status": after.info.status,
        "name": after.info.run_name,
        "active": mlflow.active_run() is None,
        "ended": after.info.end_time >= after.info.start_time,
        "stage": after.info.lifecycle_stage,
        "tag": after.data.tags["mlflow.runName"],
    }


def the_info_of_a_run_and_its_types(mlflow):
    with mlflow.start_run() as run:
        pass
    info = mlflow.get_run(run.info.run_id).info
    names = ("run_id", "experiment_id", "run_name", "user_id", "status", "start_time", "end_time", "lifecycle_stage")
    return {
        **{name: type(getattr(info, name)).__name__ for name in (*names, "artifact_uri")},
        "hex": len(info.run_id) == 32 and int(info.run_id, 16) >= 0,
        "experiment": info.experiment_id,
        "milliseconds": abs(info.start_time - time.time() * 1000) < 60_000,
        "running has no end": run.info.end_time is None,
        "name parts": len(info.run_name.split("-")),
    }


def the_other_names_in_the_info_of_a_run(mlflow):
    with mlflow.start_run() as run:
        pass
    return {"run_uuid": run.info.run_uuid == run.info.run_id} if hasattr(run.info, "run_uuid") else {}


def the_data_of_a_run_and_its_types(mlflow):
    with mlflow.start_run() as run:
        mlflow.log_metric("m", 1)
        mlflow.log_param("p", 0.1)
        mlflow.set_tag("t", 5)
    data = mlflow.get_run(run.info.run_id).data
    return {
        "metrics": [type(data.metrics).__name__, data.metrics, type(data.metrics["m"]).__name__],
        "params": [type(data.params).__name__, data.params],
        "tags": [type(data.tags).__name__, data.tags["t"]],
    }


def nested_runs_know_their_parent(mlflow):
    with mlflow.start_run(run_name="parent") as parent:
        with mlflow.start_run(run_name="child", nested=True) as child:
            with mlflow.start_run(run_name="grandchild", nested=True) as grandchild:
                active = mlflow.active_run().info.run_name
            middle = mlflow.active_run().info.run_name
        last = mlflow.active_run().info.run_name

    def parent_of(run):
        return mlflow.get_run(run.info.run_id).data.tags.get("mlflow.parentRunId")

    return {
        "active": [active, middle, last],
        "child": parent_of(child) == parent.info.run_id,
        "grandchild": parent_of(grandchild) == child.info.run_id,
        "parent": parent_of(parent),
    }


def a_parent_by_its_id(mlflow):
    with mlflow.start_run() as parent, mlflow.start_run(parent_run_id=parent.info.run_id, nested=True) as child:
        pass
    tag = mlflow.get_run(child.info.run_id).data.tags["mlflow.parentRunId"]
    return {
        "tag": tag == parent.info.run_id,
        "unknown": _told(lambda: mlflow.start_run(parent_run_id="0" * 32, nested=True)),
    }


def the_parent_is_found_from_the_child(mlflow):
    with mlflow.start_run() as parent, mlflow.start_run(nested=True) as child:
        pass
    return {
        "fluent": mlflow.get_parent_run(child.info.run_id).info.run_id == parent.info.run_id,
        "client": mlflow.MlflowClient().get_parent_run(child.info.run_id).info.run_id == parent.info.run_id,
        "none": mlflow.get_parent_run(parent.info.run_id) is None,
    }


def a_second_run_inside_a_block_is_refused(mlflow):
    with mlflow.start_run(run_name="first"):
        try:
            mlflow.start_run(run_name="second")
        except Exception:
            refused = True
        else:
            refused = False
        active = mlflow.active_run().info.run_name
    return {"refused": refused, "active": active}


def a_second_bare_start_run(mlflow):
    mlflow.start_run(run_name="first")
    try:
        mlflow.start_run(run_name="second")
    except Exception:
        return "refused"
    return mlflow.active_run().info.run_name


def a_run_is_resumed(mlflow):
    with mlflow.start_run(run_name="first", tags={"a": "1"}) as run:
        mlflow.log_metric("m", 1, step=1)
    with mlflow.start_run(run_id=run.info.run_id, run_name="other name") as again:
        status = mlflow.get_run(run.info.run_id).info.status
        mlflow.log_metric("m", 2, step=2)
    after = mlflow.get_run(run.info.run_id)
    return {
        "same": again.info.run_id == run.info.run_id,
        "status": [status, after.info.status],
        "name": after.info.run_name,
        "tags": _user_tags(after),
        "history": _history(mlflow, run.info.run_id, "m"),
        "same start": after.info.start_time == run.info.start_time,
    }


def tags_are_set_on_a_resumed_run(mlflow):
    with mlflow.start_run(tags={"a": "1"}) as run:
        pass
    with mlflow.start_run(run_id=run.info.run_id, tags={"b": "2"}):
        pass
    return _user_tags(mlflow.get_run(run.info.run_id))


def a_run_that_is_not_there_or_deleted_cannot_be_resumed(mlflow):
    with mlflow.start_run() as run:
        pass
    mlflow.delete_run(run.info.run_id)
    return {
        "unknown": _told(lambda: mlflow.start_run(run_id="0" * 32)),
        "deleted": _told(lambda: mlflow.start_run(run_id=run.info.run_id)).startswith("refused"),
        "active": mlflow.active_run() is None,
    }


def the_environment_names_the_run(mlflow):
    run = mlflow.MlflowClient().create_run("0", run_name="launched")
    os.environ["MLFLOW_RUN_ID"] = run.info.run_id
    with mlflow.start_run() as started:
        mlflow.log_metric("m", 1)
    return {
        "same": started.info.run_id == run.info.run_id,
        "variable": "MLFLOW_RUN_ID" in os.environ,
        "status": mlflow.get_run(run.info.run_id).info.status,
    }


def the_environment_names_the_experiment(mlflow):
    mlflow.create_experiment("by id")
    os.environ["MLFLOW_EXPERIMENT_NAME"] = "by name"
    with mlflow.start_run() as first:
        pass
    del os.environ["MLFLOW_EXPERIMENT_NAME"]
    return mlflow.get_experiment(first.info.experiment_id).name


def the_environment_names_the_experiment_by_id(mlflow):
    os.environ["MLFLOW_EXPERIMENT_ID"] = mlflow.create_experiment("by id")
    with mlflow.start_run() as run:
        pass
    return mlflow.get_experiment(run.info.experiment_id).name


def statuses_that_end_run_takes(mlflow):
    seen = {}
    for status in ("FINISHED", "FAILED", "KILLED", "RUNNING", "SCHEDULED"):
        run = mlflow.start_run()
        mlflow.end_run(status)
        after = mlflow.get_run(run.info.run_id)
        seen[status] = [after.info.status, mlflow.active_run() is None]
    return seen


def end_run_without_a_run(mlflow):
    return _told(mlflow.end_run)


def a_status_that_does_not_exist(mlflow):
    run = mlflow.MlflowClient().create_run("0")
    told = _told(lambda: mlflow.MlflowClient().set_terminated(run.info.run_id, "STOPPED"))
    return {"refused": str(told).startswith("refused"), "status": mlflow.get_run(run.info.run_id).info.status}


def an_exception_ends_the_run_as_failed(mlflow):
    try:
        with mlflow.start_run() as run:
            mlflow.log_metric("m", 1)
            raise ValueError("no")
    except ValueError as error:
        came = str(error)
    after = mlflow.get_run(run.info.run_id)
    return [came, after.info.status, after.data.metrics, mlflow.active_run() is None, after.info.end_time is not None]


def an_interrupt_ends_the_run(mlflow):
    try:
        with mlflow.start_run() as run:
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    return mlflow.get_run(run.info.run_id).info.status


def a_clean_exit_ends_the_run(mlflow):
    try:
        with mlflow.start_run() as run:
            sys.exit(0)
    except SystemExit:
        pass
    return mlflow.get_run(run.info.run_id).info.status


def the_last_active_run(mlflow):
    before = mlflow.last_active_run()
    with mlflow.start_run(run_name="first"):
        inside = mlflow.last_active_run().info.run_name
    with mlflow.start_run(run_name="second"):
        mlflow.log_metric("m", 1)
    last = mlflow.last_active_run()
    return [before, inside, last.info.run_name, last.info.status, last.data.metrics]


def logging_without_a_run_starts_one(mlflow):
    mlflow.log_metric("m", 1)
    active = mlflow.active_run()
    mlflow.log_param("p", "x")
    same = mlflow.active_run().info.run_id == active.info.run_id
    mlflow.end_run()
    run = mlflow.get_run(active.info.run_id)
    return [same, run.info.status, run.data.metrics, run.data.params, run.info.experiment_id]


def names_of_runs(mlflow):
    with mlflow.start_run(tags={"mlflow.runName": "from the tag"}) as tagged:
        pass
    with mlflow.start_run(run_name="named") as named:
        mlflow.set_tag("mlflow.runName", "renamed by tag")
    return {
        "tag": mlflow.get_run(tagged.info.run_id).info.run_name,
        "renamed": [
            mlflow.get_run(named.info.run_id).info.run_name,
            mlflow.get_run(named.info.run_id).data.tags["mlflow.runName"],
        ],
    }


def a_run_is_renamed_by_the_client(mlflow):
    client = mlflow.MlflowClient()
    run = client.create_run("0", run_name="before")
    client.update_run(run.info.run_id, name="after")
    client.update_run(run.info.run_id, status="FAILED")
    after = client.get_run(run.info.run_id)
    return [after.info.run_name, after.data.tags["mlflow.runName"], after.info.status]


def a_name_that_the_tag_contradicts(mlflow):
    return _told(lambda: mlflow.start_run(run_name="one", tags={"mlflow.runName": "two"}))


def a_description_is_the_note(mlflow):
    with mlflow.start_run(description="**why**") as run:
        pass
    return mlflow.get_run(run.info.run_id).data.tags["mlflow.note.content"]


def a_description_that_the_tag_contradicts(mlflow):
    return _told(lambda: mlflow.start_run(description="one", tags={"mlflow.note.content": "two"}))


def the_tags_that_every_run_carries(mlflow):
    with mlflow.start_run() as run:
        pass
    tags = mlflow.get_run(run.info.run_id).data.tags
    return {
        "keys": sorted(key for key in tags if key.startswith("mlflow.") and ".git." not in key),
        "type": tags["mlflow.source.type"],
        "user is the info's": tags["mlflow.user"] == run.info.user_id,
    }


# -- metrics ------------------------------------------------------------------------------------


def a_metric_has_step_0_and_the_time_of_now(mlflow):
    with mlflow.start_run() as run:
        returned = mlflow.log_metric("m", 1)
    [point] = mlflow.MlflowClient().get_metric_history(run.info.run_id, "m")
    return {
        "returned": _told(lambda: returned),
        "point": [point.key, point.value, point.step, type(point.value).__name__, type(point.step).__name__],
        "now": abs(point.timestamp - time.time() * 1000) < 60_000,
        "time": type(point.timestamp).__name__,
    }


def a_history_in_the_order_of_logging(mlflow):
    with mlflow.start_run() as run:
        for step in (0, 1, 2, 5, 10):
            mlflow.log_metric("m", step * 0.5, step=step, timestamp=1_600_000_000_000 + step)
    return _history(mlflow, run.info.run_id, "m")


def a_history_of_steps_out_of_order(mlflow):
    client = mlflow.MlflowClient()
    run = client.create_run("0")
    for step, timestamp in ((3, 1000), (1, 2000), (2, 500)):
        client.log_metric(run.info.run_id, "m", float(step), timestamp=timestamp, step=step)
    return _history(mlflow, run.info.run_id, "m")


def a_point_logged_twice(mlflow):
    client = mlflow.MlflowClient()
    run = client.create_run("0")
    for _ in range(2):
        client.log_metric(run.info.run_id, "m", 1.0, timestamp=1000, step=1)
    return _history(mlflow, run.info.run_id, "m")


def the_last_value_is_the_one_at_the_highest_step(mlflow):
    with mlflow.start_run() as run:
        mlflow.log_metric("m", 5, step=5)
        mlflow.log_metric("m", 3, step=3)
        mlflow.log_metric("same", 1, step=1, timestamp=2000)
        mlflow.log_metric("same", 9, step=1, timestamp=1000)
    return mlflow.get_run(run.info.run_id).data.metrics


def numbers_that_a_metric_takes(mlflow):
    import numpy

    values = [1, True, 2.5, numpy.float32(0.5), numpy.int64(7), numpy.array(3.0), numpy.array([4.0]), 10**15]
    with mlflow.start_run() as run:
        told = [_told(lambda place=place, value=value: mlflow.log_metric(f"m{place}", value)) for place, value in
                enumerate(values)]  # fmt: skip
    return [told, dict(sorted(mlflow.get_run(run.info.run_id).data.metrics.items()))]


def not_a_number(mlflow):
    with mlflow.start_run() as run:
        mlflow.log_metric("m", math.nan)
    value = mlflow.get_run(run.info.run_id).data.metrics["m"]
    [point] = mlflow.MlflowClient().get_metric_history(run.info.run_id, "m")
    return [math.isnan(value), math.isnan(point.value)]


def infinite_metrics(mlflow):
    with mlflow.start_run() as run:
        mlflow.log_metric("plus", math.inf)
        mlflow.log_metric("minus", -math.inf)
    return mlflow.get_run(run.info.run_id).data.metrics


def values_that_are_no_metric(mlflow):
    with mlflow.start_run():
        return [
            _told(lambda: mlflow.log_metric("m", "high")),
            _told(lambda: mlflow.log_metric("m", None)),
            _told(lambda: mlflow.log_metric("m", [1, 2])).startswith("refused"),
        ]


def a_number_as_text(mlflow):
    with mlflow.start_run() as run:
        told = _told(lambda: mlflow.log_metric("m", "0.5"))
    return [told, mlflow.get_run(run.info.run_id).data.metrics]


def keys_that_are_refused(mlflow):
    seen = {}
    keys = ("", "a'b", 'a"b', "a;b", "a\nb", "a,b", "a\\b", "../a", "/a", "a//b", "./a", "a/..", ".", "x" * 251)
    with mlflow.start_run():
        for key in keys:
            seen[key] = [
                _told(lambda key=key: mlflow.log_metric(key, 1)),
                _told(lambda key=key: mlflow.log_param(key, 1)),
                _told(lambda key=key: mlflow.set_tag(key, 1)),
            ]
    return seen


def keys_that_are_taken(mlflow):
    keys = ("a b", "a.b", "a/b", "a-b", "a_b", "größe", "1", "x" * 250, "a:b", " a", "a ", "日本")
    with mlflow.start_run() as run:
        told = [
            [_told(lambda key=key: mlflow.log_metric(key, 1)), _told(lambda key=key: mlflow.log_param(key, 1))]
            for key in keys
        ]
    return [told, sorted(mlflow.get_run(run.info.run_id).data.metrics)]


def several_metrics_at_once(mlflow):
    with mlflow.start_run() as run:
        returned = mlflow.log_metrics({"a": 1, "b": 2.5}, step=3)
        mlflow.log_metrics({"a": 2}, step=4, timestamp=1_600_000_000_000)
    client = mlflow.MlflowClient()
    return [
        _told(lambda: returned),
        mlflow.get_run(run.info.run_id).data.metrics,
        _history(mlflow, run.info.run_id, "b"),
        [p.timestamp for p in client.get_metric_history(run.info.run_id, "a") if p.step == 4],
    ]


def several_metrics_of_which_one_is_bad(mlflow):
    with mlflow.start_run() as run:
        told = _told(lambda: mlflow.log_metrics({"good": 1, "bad": "x"}))
    return [told, mlflow.get_run(run.info.run_id).data.metrics]


def logging_into_another_run_by_its_id(mlflow):
    other = mlflow.MlflowClient().create_run("0")
    with mlflow.start_run() as run:
        mlflow.log_metric("m", 1, run_id=other.info.run_id)
        mlflow.log_metrics({"n": 2}, run_id=other.info.run_id)
        mlflow.log_params({"p": 3}, run_id=other.info.run_id)
        mlflow.log_text("text", "a.txt", run_id=other.info.run_id)
    after = mlflow.get_run(other.info.run_id)
    return [
        after.data.metrics,
        after.data.params,
        _listed(mlflow, other.info.run_id),
        after.info.status,
        mlflow.get_run(run.info.run_id).data.metrics,
    ]


def the_history_of_a_metric_that_was_never_logged(mlflow):
    run = mlflow.MlflowClient().create_run("0")
    return _told(lambda: list(mlflow.MlflowClient().get_metric_history(run.info.run_id, "m")))


def a_metric_of_a_run_that_is_not_there(mlflow):
    client = mlflow.MlflowClient()
    return [
        _told(lambda: client.log_metric("0" * 32, "m", 1.0)),
        _told(lambda: client.log_param("0" * 32, "p", 1)),
        _told(lambda: client.set_tag("0" * 32, "t", 1)),
    ]


def a_metric_of_a_run_that_has_ended(mlflow):
    client = mlflow.MlflowClient()
    run = client.create_run("0")
    client.set_terminated(run.info.run_id)
    client.log_metric(run.info.run_id, "m", 1.0)
    client.log_param(run.info.run_id, "p", 1)
    after = client.get_run(run.info.run_id)
    return [after.info.status, after.data.metrics, after.data.params]


# -- params and tags --------------------------------------------------------------------------------


def log_param_returns_the_value(mlflow):
    with mlflow.start_run():
        return [mlflow.log_param("a", 0.1), mlflow.log_param("b", "x"), mlflow.log_param("c", None)]


def params_are_kept_as_text(mlflow):
    values = {"f": 0.1, "i": 1, "b": True, "n": None, "l": [1, "a"], "d": {"k": 1}, "e": "", "t": (1,), "s": 1e-5}
    with mlflow.start_run() as run:
        mlflow.log_params(values)
    return dict(sorted(mlflow.get_run(run.info.run_id).data.params.items()))


def a_param_logged_again(mlflow):
    with mlflow.start_run() as run:
        mlflow.log_param("lr", 0.1)
        same = _told(lambda: mlflow.log_param("lr", 0.1))
        text = _told(lambda: mlflow.log_param("lr", "0.1"))
        other = _told(lambda: mlflow.log_param("lr", 0.2))
    return [same, text, other, mlflow.get_run(run.info.run_id).data.params]


def several_params_of_which_one_changed(mlflow):
    with mlflow.start_run() as run:
        mlflow.log_param("a", 1)
        told = _told(lambda: mlflow.log_params({"b": 2, "a": 3}))
    return [told, mlflow.get_run(run.info.run_id).data.params]


def long_values(mlflow):
    with mlflow.start_run() as run:
        told = [
            _told(lambda: mlflow.log_param("p", "x" * 6000)),
            _told(lambda: mlflow.set_tag("t", "x" * 8000)),
        ]
    after = mlflow.get_run(run.info.run_id)
    return [told[0] == "x" * 6000, told[1], len(after.data.params["p"]), len(after.data.tags["t"])]


def a_very_long_param(mlflow):
    with mlflow.start_run() as run:
        told = _told(lambda: mlflow.log_param("p", "x" * 6001))
    return [str(told)[:40], len(mlflow.get_run(run.info.run_id).data.params.get("p", ""))]


def a_very_long_tag(mlflow):
    with mlflow.start_run() as run:
        told = _told(lambda: mlflow.set_tag("t", "x" * 8001))
    return [told, len(mlflow.get_run(run.info.run_id).data.tags.get("t", ""))]


def tags_are_set_and_replaced(mlflow):
    with mlflow.start_run(tags={"a": 1}) as run:
        mlflow.set_tag("a", 2)
        mlflow.set_tag("b", None)
        mlflow.set_tags({"c": True, "d": [1]})
    return _user_tags(mlflow.get_run(run.info.run_id))


def tags_are_deleted(mlflow):
    with mlflow.start_run(tags={"a": 1, "b": 2}) as run:
        mlflow.delete_tag("a")
        missing = _told(lambda: mlflow.delete_tag("absent"))
    mlflow.MlflowClient().delete_tag(run.info.run_id, "b")
    return [missing, _user_tags(mlflow.get_run(run.info.run_id))]


def a_batch_of_everything(mlflow):
    entities = mlflow.entities
    client = mlflow.MlflowClient()
    run = client.create_run("0")
    returned = client.log_batch(
        run.info.run_id,
        metrics=[entities.Metric("m", 1.0, 1000, 0), entities.Metric("m", 2.0, 2000, 1)],
        params=[entities.Param("p", "1")],
        tags=[entities.RunTag("t", "x")],
    )
    after = client.get_run(run.info.run_id)
    return [
        _told(lambda: returned),
        after.data.metrics,
        after.data.params,
        _user_tags(after),
        _history(mlflow, run.info.run_id, "m"),
    ]


def a_batch_of_metrics(mlflow):
    client = mlflow.MlflowClient()
    run = client.create_run("0")
    client.log_batch(run.info.run_id, [mlflow.entities.Metric("m", float(n), 1000 + n, n) for n in range(5)])
    client.log_batch(run.info.run_id)
    return _history(mlflow, run.info.run_id, "m")


# -- experiments --------------------------------------------------------------------------------------


def an_experiment_and_its_types(mlflow):
    number = mlflow.create_experiment("taxi", tags={"team": "alpha"})
    experiment = mlflow.get_experiment(number)
    names = ("experiment_id", "name", "artifact_location", "lifecycle_stage", "creation_time", "last_update_time")
    return {
        **{name: type(getattr(experiment, name)).__name__ for name in names},
        "id": number,
        "tags": [type(experiment.tags).__name__, experiment.tags],
        "stage": experiment.lifecycle_stage,
        "times": experiment.creation_time == experiment.last_update_time,
    }


def the_default_experiment(mlflow):
    experiment = mlflow.get_experiment("0")
    return [experiment.name, experiment.lifecycle_stage, [item.name for item in mlflow.search_experiments()]]


def an_experiment_is_found_by_name(mlflow):
    number = mlflow.create_experiment("taxi")
    return [
        mlflow.get_experiment_by_name("taxi").experiment_id == number,
        mlflow.get_experiment_by_name("Taxi"),
        mlflow.get_experiment_by_name("absent"),
        mlflow.MlflowClient().get_experiment_by_name("taxi").experiment_id == number,
    ]


def experiments_that_cannot_be_made(mlflow):
    mlflow.create_experiment("taxi")
    return [
        _told(lambda: mlflow.create_experiment("taxi")),
        _told(lambda: mlflow.create_experiment("")),
        _told(lambda: mlflow.create_experiment(None)),
        _told(lambda: mlflow.create_experiment(5)),
        _told(lambda: mlflow.create_experiment("x" * 501)),
    ]


def experiments_that_are_not_there(mlflow):
    client = mlflow.MlflowClient()
    return [
        _told(lambda: mlflow.get_experiment("987654")),
        _told(lambda: client.delete_experiment("987654")),
        _told(lambda: client.restore_experiment("987654")),
        _told(lambda: client.set_experiment_tag("987654", "a", "b")),
        _told(lambda: mlflow.set_experiment(experiment_id="987654")),
        _told(lambda: client.create_run("987654")),
    ]


def set_experiment_makes_and_chooses(mlflow):
    first = mlflow.set_experiment("taxi")
    again = mlflow.set_experiment("taxi")
    with mlflow.start_run() as run:
        pass
    other = mlflow.create_experiment("other")
    by_id = mlflow.set_experiment(experiment_id=other)
    with mlflow.start_run() as second:
        pass
    return [
        first.name,
        again.experiment_id == first.experiment_id,
        run.info.experiment_id == first.experiment_id,
        by_id.name,
        second.info.experiment_id == other,
        type(first).__name__,
    ]


def set_experiment_wants_one_of_two(mlflow):
    number = mlflow.create_experiment("taxi")
    return [
        _told(lambda: mlflow.set_experiment()),
        _told(lambda: mlflow.set_experiment("taxi", number)),
    ]


def an_experiment_is_deleted_and_restored(mlflow):
    number = mlflow.create_experiment("taxi")
    mlflow.delete_experiment(number)
    deleted = [
        mlflow.get_experiment(number).lifecycle_stage,
        mlflow.get_experiment_by_name("taxi").lifecycle_stage,
        [item.name for item in mlflow.search_experiments()],
        [item.name for item in mlflow.search_experiments(view_type=mlflow.entities.ViewType.DELETED_ONLY)],
        len(mlflow.search_experiments(view_type=mlflow.entities.ViewType.ALL)),
        _told(lambda: mlflow.set_experiment("taxi")),
        _told(lambda: mlflow.create_experiment("taxi")),
        _told(lambda: mlflow.MlflowClient().create_run(number)),
    ]
    mlflow.MlflowClient().restore_experiment(number)
    return [deleted, mlflow.get_experiment(number).lifecycle_stage]


def deleting_by_the_client(mlflow):
    client = mlflow.MlflowClient()
    number = client.create_experiment("taxi")
    client.delete_experiment(number)
    stage = client.get_experiment(number).lifecycle_stage
    client.restore_experiment(number)
    return [stage, client.get_experiment(number).lifecycle_stage]


def deleting_an_experiment_twice(mlflow):
    client = mlflow.MlflowClient()
    number = client.create_experiment("taxi")
    client.delete_experiment(number)
    told = _told(lambda: client.delete_experiment(number))
    client.restore_experiment(number)
    return [told, _told(lambda: client.restore_experiment(number))]


def runs_follow_their_experiment_into_deletion(mlflow):
    client = mlflow.MlflowClient()
    number = client.create_experiment("taxi")
    run = client.create_run(number)
    client.delete_experiment(number)
    deleted = client.get_run(run.info.run_id).info.lifecycle_stage
    client.restore_experiment(number)
    return [deleted, client.get_run(run.info.run_id).info.lifecycle_stage]


def an_experiment_is_renamed(mlflow):
    client = mlflow.MlflowClient()
    number = client.create_experiment("before")
    client.create_experiment("taken")
    client.rename_experiment(number, "after")
    return [
        client.get_experiment(number).name,
        client.get_experiment_by_name("before"),
        _told(lambda: client.rename_experiment(number, "taken")).startswith("refused"),
    ]


def tags_of_an_experiment(mlflow):
    client = mlflow.MlflowClient()
    number = client.create_experiment("taxi", tags={"a": "1"})
    client.set_experiment_tag(number, "a", "2")
    client.set_experiment_tag(number, "b", 3)
    return client.get_experiment(number).tags


def tags_of_the_current_experiment(mlflow):
    mlflow.set_experiment("taxi")
    mlflow.set_experiment_tag("a", 1)
    mlflow.set_experiment_tags({"b": "2", "c": 3})
    return mlflow.get_experiment_by_name("taxi").tags


def a_tag_of_an_experiment_is_deleted(mlflow):
    client = mlflow.MlflowClient()
    number = client.create_experiment("taxi", tags={"a": "1", "b": "2"})
    client.delete_experiment_tag(number, "a")
    return client.get_experiment(number).tags


def a_tag_does_not_change_when_an_experiment_was_updated(mlflow):
    client = mlflow.MlflowClient()
    number = client.create_experiment("taxi")
    before = client.get_experiment(number).last_update_time
    time.sleep(0.01)
    client.set_experiment_tag(number, "a", "1")
    return client.get_experiment(number).last_update_time == before


def searching_experiments_by_the_fluent_call(mlflow):
    for name in ("a", "b", "c"):
        mlflow.create_experiment(name, tags={"odd": str(name != "b")})
        time.sleep(0.002)
    return {
        "all": [item.name for item in mlflow.search_experiments()],
        "filtered": [item.name for item in mlflow.search_experiments(filter_string="tags.odd = 'True'")],
        "ordered": [item.name for item in mlflow.search_experiments(order_by=["name DESC"])],
        "two": [item.name for item in mlflow.search_experiments(max_results=2, order_by=["name"])],
        "type": type(mlflow.search_experiments()).__name__,
    }


def pages_of_experiments_by_the_client(mlflow):
    client = mlflow.MlflowClient()
    for name in ("a", "b", "c"):
        client.create_experiment(name)
    first = client.search_experiments(max_results=2, order_by=["name"])
    second = client.search_experiments(max_results=2, order_by=["name"], page_token=first.token)
    return [[item.name for item in first], [item.name for item in second], bool(second.token)]


# -- deleting runs --------------------------------------------------------------------------------------


def a_run_is_deleted_and_restored(mlflow):
    with mlflow.start_run(run_name="ridge") as run:
        mlflow.log_metric("m", 1)
    mlflow.delete_run(run.info.run_id)
    client = mlflow.MlflowClient()
    deleted = [
        client.get_run(run.info.run_id).info.lifecycle_stage,
        len(client.search_runs(["0"])),
        len(client.search_runs(["0"], run_view_type=mlflow.entities.ViewType.DELETED_ONLY)),
        client.get_run(run.info.run_id).data.metrics,
    ]
    client.restore_run(run.info.run_id)
    return [deleted, client.get_run(run.info.run_id).info.lifecycle_stage, len(client.search_runs(["0"]))]


def deleting_a_run_by_the_client(mlflow):
    client = mlflow.MlflowClient()
    run = client.create_run("0")
    client.delete_run(run.info.run_id)
    stage = client.get_run(run.info.run_id).info.lifecycle_stage
    client.restore_run(run.info.run_id)
    return [stage, client.get_run(run.info.run_id).info.lifecycle_stage, _told(lambda: client.delete_run("0" * 32))]


def a_deleted_run_takes_nothing(mlflow):
    client = mlflow.MlflowClient()
    run = client.create_run("0")
    client.delete_run(run.info.run_id)
    return [
        _told(lambda: client.log_metric(run.info.run_id, "m", 1.0)),
        _told(lambda: client.log_param(run.info.run_id, "p", 1)),
        _told(lambda: client.set_tag(run.info.run_id, "t", 1)),
        _told(lambda: client.set_terminated(run.info.run_id)),
    ]


# -- the client -----------------------------------------------------------------------------------------


def a_run_made_by_the_client(mlflow):
    client = mlflow.MlflowClient()
    run = client.create_run("0", start_time=1234, tags={"a": "1"}, run_name="named")
    return {
        "info": [run.info.run_name, run.info.status, run.info.start_time, run.info.end_time, run.info.lifecycle_stage],
        "tags": _user_tags(run),
        "active": mlflow.active_run() is None,
        "type": type(run).__name__,
        "metrics": run.data.metrics,
    }


def the_user_of_a_run_made_by_the_client(mlflow):
    client = mlflow.MlflowClient()
    run = client.create_run("0")
    ann = client.create_run("0", tags={"mlflow.user": "ann"})
    return [run.info.user_id, run.data.tags.get("mlflow.user"), ann.info.user_id]


def a_run_is_terminated_by_the_client(mlflow):
    client = mlflow.MlflowClient()
    first, second = client.create_run("0"), client.create_run("0")
    client.set_terminated(first.info.run_id)
    client.set_terminated(second.info.run_id, "FAILED", end_time=99)
    one, two = client.get_run(first.info.run_id), client.get_run(second.info.run_id)
    return [
        one.info.status,
        abs(one.info.end_time - time.time() * 1000) < 60_000,
        two.info.status,
        two.info.end_time,
        _told(lambda: client.set_terminated("0" * 32)),
    ]


def runs_that_are_not_there(mlflow):
    client = mlflow.MlflowClient()
    return [
        _told(lambda: mlflow.get_run("0" * 32)),
        _told(lambda: client.get_run("nonsense")),
        _told(lambda: client.update_run("0" * 32, status="FAILED")),
        _told(lambda: client.list_artifacts("0" * 32)),
    ]


def entities_turn_into_dictionaries(mlflow):
    with mlflow.start_run(run_name="ridge") as run:
        mlflow.log_metric("m", 1)
    told = mlflow.get_run(run.info.run_id).to_dictionary()
    return [sorted(told), told["data"]["metrics"], told["info"]["run_name"], dict(run.info)["run_name"]]


def names_in_the_entities(mlflow):
    wanted = [
        "Dataset",
        "DatasetInput",
        "Experiment",
        "ExperimentTag",
        "FileInfo",
        "InputTag",
        "LifecycleStage",
        "Metric",
        "Param",
        "Run",
        "RunData",
        "RunInfo",
        "RunInputs",
        "RunStatus",
        "RunTag",
        "SourceType",
        "ViewType",
    ]
    return {name: hasattr(mlflow.entities, name) for name in wanted}


def numbers_of_the_view_types(mlflow):
    view = mlflow.entities.ViewType
    return [int(view.ACTIVE_ONLY), int(view.DELETED_ONLY), int(view.ALL)]


def statuses_as_words(mlflow):
    status = mlflow.entities.RunStatus
    return [status.to_string(status.FINISHED), status.to_string(status.KILLED)]


def errors_are_caught_as_mlflows(mlflow):
    from importlib import import_module

    exceptions = import_module(f"{mlflow.__name__}.exceptions")
    try:
        mlflow.get_run("0" * 32)
    except exceptions.MlflowException as error:
        return [error.error_code, error.get_http_status_code(), mlflow.MlflowException is exceptions.MlflowException]


def modules_that_code_imports_from(mlflow):
    from importlib import import_module

    return {
        name: _told(lambda name=name: import_module(f"{mlflow.__name__}.{name}").__name__.partition(".")[2])
        for name in ("tracking", "entities", "exceptions", "artifacts", "data", "client")
    }


def the_address_of_the_store(mlflow):
    mlflow.set_tracking_uri("sqlite:///elsewhere.db")
    with mlflow.start_run():
        pass
    return [mlflow.get_tracking_uri(), Path("elsewhere.db").exists()]


def the_address_may_be_a_path(mlflow):
    mlflow.set_tracking_uri(f"sqlite:///{Path('other.db').absolute()}")
    with mlflow.start_run():
        pass
    return [mlflow.is_tracking_uri_set(), Path("other.db").exists()]


# -- search_runs ------------------------------------------------------------------------------------------


def _three_runs(mlflow):
    mlflow.set_experiment("taxi")
    for place, name in enumerate(("first", "second", "third")):
        with mlflow.start_run(run_name=name):
            mlflow.log_metric("rmse", 3.0 - place)
            if place:
                mlflow.log_metric("a only", place)
                mlflow.log_param("model", "ridge")
            mlflow.log_param("depth", place)
            mlflow.set_tag("stage", "odd" if place == 1 else "even")
        time.sleep(0.005)


def the_frame_of_runs(mlflow):
    _three_runs(mlflow)
    frame = mlflow.search_runs()
    ours = [name for name in frame.columns if not name.startswith(("tags.mlflow.source.git", "tags.tracknb."))]
    values = frame[[name for name in ours if name.startswith(("metrics.", "params.", "tags.stage", "status"))]]
    return {
        "fixed columns": ours[:6],
        "columns": sorted(ours),
        "values": {name: [str(value) for value in values[name].dropna()] for name in sorted(values.columns)},
        "index": list(frame.index),
        "names": list(frame["tags.mlflow.runName"]),
    }


def the_dtypes_of_the_frame_of_runs(mlflow):
    import pandas

    _three_runs(mlflow)
    frame = mlflow.search_runs()
    wanted = [name for name in frame.columns if not name.startswith(("tags.mlflow.source.git", "tags.tracknb."))]
    return {
        "dtypes": {
            name: str(frame[name].dtype).replace("object", "text").replace("str", "text") for name in sorted(wanted)
        },
        "missing": [frame["metrics.a only"].isna().tolist(), frame["params.model"].isna().tolist()],
        "times": all(isinstance(value, pandas.Timestamp) for value in frame["start_time"]),
        "zone": str(frame["start_time"].dt.tz),
    }


def the_order_of_columns_in_the_frame(mlflow):
    mlflow.set_experiment("taxi")
    with mlflow.start_run():
        mlflow.log_metric("z", 1)
        mlflow.log_metric("a", 1)
        mlflow.log_param("y", 1)
        mlflow.log_param("b", 1)
    columns = list(mlflow.search_runs().columns)
    return [name for name in columns if not name.startswith("tags.")]


def the_frame_of_no_runs(mlflow):
    frame = mlflow.search_runs()
    return [len(frame), list(frame.columns)]


def what_stands_for_a_missing_param_in_the_frame(mlflow):
    _three_runs(mlflow)
    return [str(value) for value in mlflow.search_runs()["params.model"]]


def the_frame_of_a_running_run(mlflow):
    mlflow.start_run()
    frame = mlflow.search_runs()
    mlflow.end_run()
    return [list(frame["status"]), frame["end_time"].isna().tolist()]


def runs_as_a_list(mlflow):
    _three_runs(mlflow)
    runs = mlflow.search_runs(output_format="list", order_by=["metrics.rmse ASC"], max_results=2)
    return [type(runs).__name__, type(runs[0]).__name__, [run.info.run_name for run in runs]]


def where_search_runs_looks(mlflow):
    _three_runs(mlflow)
    mlflow.set_experiment("empty")

    def found(**options):
        return len(mlflow.search_runs(output_format="list", **options))

    number = mlflow.get_experiment_by_name("taxi").experiment_id
    return {
        "current": found(),
        "names": found(experiment_names=["taxi"]),
        "ids": found(experiment_ids=[number]),
        "all": found(search_all_experiments=True),
        "none": found(experiment_ids=[]),
        "unknown id": _told(lambda: found(experiment_ids=["987654"])),
    }


def an_experiment_name_that_is_not_there_in_a_search(mlflow):
    return _told(lambda: len(mlflow.search_runs(experiment_names=["absent"], output_format="list")))


def arguments_that_search_runs_refuses(mlflow):
    return [
        _told(lambda: mlflow.search_runs(experiment_ids=["0"], experiment_names=["Default"])),
        _told(lambda: mlflow.search_runs(filter_string="metrics.rmse <")),
        _told(lambda: mlflow.search_runs(order_by=["nonsense"])),
        _told(lambda: mlflow.MlflowClient().search_runs(["0"], max_results=0)),
        _told(lambda: mlflow.MlflowClient().search_experiments(filter_string="nonsense = 5")),
    ]


def pages_of_runs(mlflow):
    client = mlflow.MlflowClient()
    for name in ("a", "b", "c"):
        client.create_run("0", start_time=ord(name), run_name=name)
    first = client.search_runs(["0"], max_results=2)
    second = client.search_runs(["0"], max_results=2, page_token=first.token)
    return [[run.info.run_name for run in first], [run.info.run_name for run in second], bool(second.token)]


def one_experiment_id_as_text(mlflow):
    mlflow.MlflowClient().create_run("0", run_name="a")
    return _told(lambda: [run.info.run_name for run in mlflow.MlflowClient().search_runs("0")])


# -- artifacts ------------------------------------------------------------------------------------------


def texts_and_dictionaries_as_artifacts(mlflow):
    with mlflow.start_run() as run:
        mlflow.log_text("größe\n", "notes/a.txt")
        mlflow.log_dict({"b": 1, "a": [1, None]}, "config.json")
        mlflow.log_dict({"b": 1}, "config.yaml")
    root = Path(mlflow.MlflowClient().download_artifacts(run.info.run_id, ""))
    return {
        "listed": _listed(mlflow, run.info.run_id)[-1:],
        "names": [item[0] for item in _listed(mlflow, run.info.run_id)],
        "inside": _listed(mlflow, run.info.run_id, "notes"),
        "text": (root / "notes/a.txt").read_text("utf-8"),
        "json": (root / "config.json").read_text(),
        "yaml": (root / "config.yaml").read_text(),
    }


def files_and_folders_as_artifacts(mlflow):
    Path("data/sub").mkdir(parents=True)
    Path("data/a.csv").write_text("x\n1\n")
    Path("data/sub/b.bin").write_bytes(b"\x00\x01")
    with mlflow.start_run() as run:
        mlflow.log_artifact("data/a.csv")
        mlflow.log_artifact("data/a.csv", "tables")
        mlflow.log_artifacts("data", "tree")
        mlflow.log_artifact("data", "whole")
    return {
        "root": _listed(mlflow, run.info.run_id),
        **{path: _listed(mlflow, run.info.run_id, path) for path in ("tables", "tree", "tree/sub", "whole/data")},
        "missing": _listed(mlflow, run.info.run_id, "absent"),
    }


def listing_a_file(mlflow):
    with mlflow.start_run() as run:
        mlflow.log_text("x", "a/b.txt")
    return _listed(mlflow, run.info.run_id, "a/b.txt")


def an_artifact_that_is_not_there(mlflow):
    with mlflow.start_run() as run:
        told = _told(lambda: mlflow.log_artifact("absent.csv"))
    client = mlflow.MlflowClient()
    return [
        str(told).startswith("refused"),
        str(_told(lambda: client.download_artifacts(run.info.run_id, "absent.csv"))).startswith("refused"),
        _listed(mlflow, run.info.run_id),
    ]


def paths_that_leave_the_run(mlflow):
    Path("a.txt").write_text("x")
    with mlflow.start_run() as run:
        told = [
            str(_told(lambda: mlflow.log_artifact("a.txt", "../../up"))).startswith("refused"),
            str(_told(lambda: mlflow.log_text("x", "../up.txt"))).startswith("refused"),
            str(_told(lambda: mlflow.log_text("x", "/up.txt"))).startswith("refused"),
        ]
    return [told, _listed(mlflow, run.info.run_id)]


def the_address_of_artifacts(mlflow):
    with mlflow.start_run() as run:
        root, inside = mlflow.get_artifact_uri(), mlflow.get_artifact_uri("a/b.txt")
    return [root == run.info.artifact_uri, inside == f"{root}/a/b.txt", root.endswith(f"{run.info.run_id}/artifacts")]


def artifacts_are_downloaded_by_the_module(mlflow):
    with mlflow.start_run() as run:
        mlflow.log_text("x", "a/b.txt")
    by_path = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="a/b.txt")
    by_uri = mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/a/b.txt")
    Path("here").mkdir()
    copied = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="a", dst_path="here")
    return [Path(by_path).read_text(), Path(by_uri).read_text(), os.path.relpath(copied), os.listdir("here/a")]


def artifacts_are_read_by_the_module(mlflow):
    with mlflow.start_run() as run:
        mlflow.log_text("größe", "a.txt")
        mlflow.log_dict({"a": 1}, "a.json")
    root = mlflow.get_run(run.info.run_id).info.artifact_uri
    return [
        mlflow.artifacts.load_text(f"{root}/a.txt"),
        mlflow.artifacts.load_dict(f"{root}/a.json"),
        [item.path for item in mlflow.artifacts.list_artifacts(run_id=run.info.run_id)],
    ]


def a_download_by_the_client_to_a_folder(mlflow):
    client = mlflow.MlflowClient()
    run = client.create_run("0")
    client.log_text(run.info.run_id, "x", "a/b.txt")
    Path("here").mkdir()
    path = client.download_artifacts(run.info.run_id, "a/b.txt", "here")
    return [os.path.relpath(path), Path(path).read_text()]


def artifacts_by_the_client(mlflow):
    Path("a.txt").write_text("x")
    client = mlflow.MlflowClient()
    run = client.create_run("0")
    client.log_artifact(run.info.run_id, "a.txt", "folder")
    client.log_text(run.info.run_id, "text", "b.txt")
    client.log_dict(run.info.run_id, {"a": 1}, "c.json")
    return [_listed(mlflow, run.info.run_id, "folder"), [item[0] for item in _listed(mlflow, run.info.run_id)]]


def an_artifact_written_twice(mlflow):
    with mlflow.start_run() as run:
        mlflow.log_text("first", "a.txt")
        mlflow.log_text("second", "a.txt")
    return Path(mlflow.MlflowClient().download_artifacts(run.info.run_id, "a.txt")).read_text()


def tables(mlflow):
    import pandas

    with mlflow.start_run() as run:
        mlflow.log_table({"q": ["a", "b"], "score": [1, 2]}, "answers.json")
        mlflow.log_table(pandas.DataFrame({"q": ["c"], "score": [3]}), "answers.json")
    frame = mlflow.load_table("answers.json", run_ids=[run.info.run_id], extra_columns=["run_id"])
    raw = Path(mlflow.MlflowClient().download_artifacts(run.info.run_id, "answers.json")).read_text()
    return {
        "columns": list(frame.columns),
        "values": [list(frame["q"]), list(frame["score"])],
        "ids": set(frame["run_id"]) == {run.info.run_id},
        "raw": raw,
        "tag": mlflow.get_run(run.info.run_id).data.tags["mlflow.loggedArtifacts"],
    }


def images(mlflow):
    import numpy
    from PIL import Image

    with mlflow.start_run() as run:
        mlflow.log_image(numpy.zeros((4, 3, 3), dtype="uint8"), "black.png")
        mlflow.log_image(Image.new("RGB", (5, 6)), "folder/pil.jpg")
    root = Path(mlflow.MlflowClient().download_artifacts(run.info.run_id, ""))
    return [Image.open(root / "black.png").size, Image.open(root / "folder/pil.jpg").format]


def images_by_step(mlflow):
    import numpy

    with mlflow.start_run() as run:
        mlflow.log_image(numpy.zeros((4, 3, 3), dtype="uint8"), key="dogs", step=3, synchronous=True)
    return [name[0].split("%")[0].split("+")[0] for name in _listed(mlflow, run.info.run_id, "images")]


# -- datasets -------------------------------------------------------------------------------------------


def a_dataset_from_pandas(mlflow):
    import pandas

    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    data = mlflow.data.from_pandas(frame, source="taxi.csv", name="taxi", targets="b")
    with mlflow.start_run() as run:
        mlflow.log_input(data, context="training", tags={"k": "v"})
    [given] = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
    return {
        "name": given.dataset.name,
        "source type": given.dataset.source_type,
        "tags": sorted([tag.key, tag.value] for tag in given.tags),
        "schema": given.dataset.schema,
        "profile": given.dataset.profile,
        "digest": [len(given.dataset.digest), given.dataset.digest == data.digest],
    }


def a_dataset_from_numpy(mlflow):
    import numpy

    data = mlflow.data.from_numpy(numpy.arange(6).reshape(2, 3), name="array")
    with mlflow.start_run() as run:
        mlflow.log_input(data)
    [given] = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
    return [given.dataset.name, [tag.key for tag in given.tags], given.dataset.profile]


def the_same_dataset_twice(mlflow):
    import pandas

    data = mlflow.data.from_pandas(pandas.DataFrame({"a": [1]}), name="taxi")
    with mlflow.start_run() as run:
        mlflow.log_input(data, context="train")
        mlflow.log_input(data, context="train")
    return len(mlflow.get_run(run.info.run_id).inputs.dataset_inputs)


def several_datasets(mlflow):
    import pandas

    sets = [mlflow.data.from_pandas(pandas.DataFrame({"a": [n]}), name=f"d{n}") for n in range(2)]
    with mlflow.start_run() as run:
        mlflow.log_inputs(sets, contexts=["train", "test"], tags_list=[None, {"k": "v"}])
    inputs = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
    return sorted([given.dataset.name, sorted([t.key, t.value] for t in given.tags)] for given in inputs)


def digests_and_schemas_of_frames(mlflow):
    import numpy
    import pandas

    frame = pandas.DataFrame(
        {
            "i": [1, 2],
            "f": [1.5, None],
            "s": ["a", None],
            "t": ["a", "b"],
            "b": [True, False],
            "d": pandas.to_datetime(["2020-01-01", "2021-01-01"]),
            "i8": numpy.array([1, 2], "int8"),
            "i32": numpy.array([1, 2], "int32"),
            "f32": numpy.array([1, 2], "float32"),
            "raw": [b"x", b"y"],
        }
    )
    long = pandas.DataFrame({"n": range(20_000), "t": [str(n) for n in range(20_000)]})
    frames = {
        "all": frame,
        "numbers": frame[["i", "f"]],
        "texts": frame[["t"]],
        "categories": pandas.DataFrame({"c": pandas.Categorical(["x", "y"])}),
        "unsigned": pandas.DataFrame({"u": numpy.array([1, 2], "uint64")}),
        "nothing": pandas.DataFrame({"a": []}),
        "numbered": pandas.DataFrame({1: [1], "x y": [2]}),
        "indexed": pandas.DataFrame({"a": [1, 2]}, index=["p", "q"]),
        "long": long,
        "longer": pandas.concat([long, long]),
    }
    found = {name: mlflow.data.from_pandas(item, source="a.csv").to_dict() for name, item in frames.items()}
    arrays = {
        "flat": numpy.arange(5.0),
        "square": numpy.arange(6, dtype="float32").reshape(2, 3),
        "texts": numpy.array(["x", "yy"]),
        "named": {"b": numpy.zeros(2), "a": numpy.array([1, 2])},
        "long": numpy.arange(30_000),
    }
    for name, item in arrays.items():
        found[f"array {name}"] = mlflow.data.from_numpy(item, source="https://host/a.npy").to_dict()
        found[f"targets {name}"] = mlflow.data.from_numpy(item, source="s3://bucket/a", targets=item).to_dict()
    return found


def a_column_that_is_not_there_as_targets(mlflow):
    import pandas

    return _told(lambda: mlflow.data.from_pandas(pandas.DataFrame({"a": [1]}), targets="b")).startswith("refused")


def where_data_came_from(mlflow):
    import pandas

    with mlflow.start_run() as run:
        mlflow.log_input(mlflow.data.from_pandas(pandas.DataFrame({"a": [1]}), source="taxi.csv"))
    [given] = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
    return [mlflow.data.get_source(given).to_dict(), mlflow.data.get_source(given.dataset).to_dict()]


def a_run_without_datasets(mlflow):
    with mlflow.start_run() as run:
        pass
    return len(mlflow.get_run(run.info.run_id).inputs.dataset_inputs)


NAMES = tuple(name for name, item in list(globals().items()) if inspect.isfunction(item) and not name.startswith("_"))
