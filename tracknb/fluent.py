"""MLflow's fluent calls: logging to the active run, and reading."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar, overload

from tracknb import active, config, data, names, validation
from tracknb.alerts import Rules
from tracknb.client import TrackingClient, as_point, experiment_ids_by_name, no_such_experiment
from tracknb.entities import (
    EVALUATION_DIGEST_TAG,
    EVALUATION_SET_TAGS,
    NOTE_TAG,
    RUN_NAME_TAG,
    Experiment,
    FileInfo,
    Metric,
    Run,
    RunStatus,
    ViewType,
)
from tracknb.errors import InvalidValue, NoActiveRun, NotFound
from tracknb.live import CURVE_LIMIT, LiveSeries, Progress
from tracknb.view.direction import DIRECTION_TAG, PRIMARY_TAG, UNIT_TAG

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


# -- where --------------------------------------------------------------------------


def set_tracking_uri(uri: str | os.PathLike[str] | None) -> None:
    """Choose the store: ``sqlite:///runs.db`` or a plain path; nothing is created yet.

    A relative path is relative to the working directory of this moment.

    Raises
    ------
    InvalidValue
        The scheme is none that tracknb knows.

    Examples
    --------
    >>> import tracknb
    >>> tracknb.set_tracking_uri("sqlite:///taxi.db")
    >>> tracknb.get_tracking_uri()
    'sqlite:///taxi.db'
    """
    config.choose_uri(uri)
    active.offer()


def is_tracking_uri_set() -> bool:
    """Tell whether a store was chosen, by ``set_tracking_uri`` or in the environment."""
    return config.is_chosen() or config.environment_uri() is not None


def get_tracking_uri() -> str:
    """Return the address of the store, as it was given."""
    return config.tracking_uri()


def set_experiment(experiment_name: str | None = None, experiment_id: str | None = None) -> Experiment:
    """Make an experiment the one that new runs go to; a new name creates it.

    Raises
    ------
    NotFound
        No experiment has this id.
    """
    if (experiment_name is None) == (experiment_id is None):
        raise InvalidValue("set_experiment takes a name or an experiment_id: one of them, not both.")
    if experiment_name is not None:
        experiment = active.client().get_or_create_experiment(experiment_name)
    else:
        experiment = active.client().get_experiment(str(experiment_id))
    if experiment.lifecycle_stage != "active":
        raise InvalidValue(
            f"The experiment '{experiment.name}' is deleted. "
            f"Bring it back with restore_experiment('{experiment.experiment_id}')."
        )
    active.state.experiment = experiment.name
    active.offer()
    if active.state.cell is not None:
        active.state.cell.experiment_id = None
    return experiment


def create_experiment(
    name: str,
    artifact_location: str | None = None,
    tags: Mapping[str, Any] | None = None,
    *,
    tag: Mapping[str, Any] | None = None,
) -> str:
    """Make an experiment and return its id; ``tag`` is another spelling of ``tags``.

    Raises
    ------
    AlreadyExists
        The name is taken; the message gives the id.
    """
    if tags is not None and tag is not None:
        raise InvalidValue("create_experiment got both tags and tag; they mean the same, give one.")
    return active.client().create_experiment(name, artifact_location, tags if tags is not None else tag)


def get_experiment(experiment_id: str) -> Experiment:
    """Return an experiment by its id."""
    return active.client().get_experiment(experiment_id)


def get_experiment_by_name(name: str) -> Experiment | None:
    """Return an experiment by its name, or None."""
    return active.client().get_experiment_by_name(name)


def search_experiments(
    view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: Sequence[str] | None = None,
) -> list[Experiment]:
    """Return the experiments that match a filter on ``name``, times or ``tags.``."""
    return list(active.client().search_experiments(view_type, max_results, filter_string, order_by))


def delete_experiment(experiment_id: str) -> None:
    """Delete an experiment and its runs softly: searches pass over them until they are restored."""
    active.client().delete_experiment(experiment_id)


def restore_experiment(experiment_id: str) -> None:
    """Take a deleted experiment back, and its runs with it."""
    active.client().restore_experiment(experiment_id)


def set_experiment_tag(key: str, value: Any) -> None:
    """Set a tag of the current experiment, over an older value if there is one."""
    active.client().set_experiment_tag(active.current_experiment_id(), key, value)


def set_experiment_tags(tags: Mapping[str, Any]) -> None:
    """Set tags of the current experiment."""
    for key, value in tags.items():
        set_experiment_tag(key, value)


def set_experiment_metric(
    key: str,
    *,
    direction: str | None = None,
    unit: str | None = None,
    primary: bool | None = None,
    experiment: str | None = None,
) -> None:
    """Say of a metric which way is better, its unit, and whether it is the one that counts most.

    Tables mark the best value of each metric, and comparisons colour differences by it. Of
    many metrics the name tells the direction (``val_loss``, ``f1``); this is for the others.
    It is kept in tags of the experiment.

    Parameters
    ----------
    key
        The metric.
    direction
        ``"lower"`` or ``"higher"``: which values are better.
    unit
        Such as ``"$"`` or ``"ms"``.
    primary
        True makes it the metric that views show first; False takes that back.
    experiment
        The experiment's name; the current one if left out.

    Raises
    ------
    InvalidValue
        The direction is another word.
    NotFound
        No experiment has this name.

    Examples
    --------
    >>> import tracknb
    >>> _ = tracknb.set_experiment("nyc-taxi")
    >>> tracknb.set_experiment_metric("fare_gap", direction="lower", unit="$", primary=True)
    >>> for name, gap in [("linear", 1.5), ("forest", 0.7)]:
    ...     with tracknb.start_run(run_name=name):
    ...         tracknb.log_metric("fare_gap", gap)
    >>> print(tracknb.runs_table())
    nyc-taxi: 2 runs
    <BLANKLINE>
    status      run     fare_gap ($)
    ✓ FINISHED  forest         *0.7
    ✓ FINISHED  linear          1.5
    <BLANKLINE>
    * the best value of a metric
    """
    if direction not in (None, "lower", "higher"):
        raise InvalidValue(f"The direction of the metric '{key}' is 'lower' or 'higher', not {direction!r}.")
    here = active.client()
    [place] = experiment_ids_by_name(here, [experiment]) if experiment is not None else [active.current_experiment_id()]
    validation.as_key(key, "metric")
    if direction is not None:
        here.set_experiment_tag(place, f"{DIRECTION_TAG}{key}", direction)
    if unit is not None:
        here.set_experiment_tag(place, f"{UNIT_TAG}{key}", unit)
    if primary:
        here.set_experiment_tag(place, PRIMARY_TAG, key)
    elif primary is False and here.get_experiment(place).tags.get(PRIMARY_TAG) == key:
        here.delete_experiment_tag(place, PRIMARY_TAG)


def delete_experiment_tag(key: str) -> None:
    """Take a tag off the current experiment; it must be there."""
    active.client().delete_experiment_tag(active.current_experiment_id(), key)


# -- runs -----------------------------------------------------------------------------


def start_run(
    run_id: str | None = None,
    experiment_id: str | None = None,
    run_name: str | None = None,
    nested: bool = False,
    parent_run_id: str | None = None,
    tags: Mapping[str, Any] | None = None,
    description: str | None = None,
    log_system_metrics: bool | None = None,
    *,
    durable: bool = False,
) -> active.ActiveRun:
    """Start a run, or resume one, and make it active; use it in a ``with`` block.

    In a ``%%track_run`` cell the first call takes over the cell's own run. A run that an
    earlier bare ``start_run()`` left open is ended first.

    Parameters
    ----------
    run_id
        Resumes this run; ``run_name`` and ``tags`` are then set on it.
    experiment_id
        Where the run goes; the current experiment if left out.
    run_name
        Two words and a number if left out.
    nested
        Makes the run a child of the active one.
    parent_run_id
        Makes the run a child of this one.
    tags
        Set on the new run.
    description
        The run's note, in Markdown.
    log_system_metrics
        Logs how busy this machine is as metrics ``system/...``; needs psutil. If left out,
        ``enable_system_metrics_logging`` decides.
    durable
        Lets every point reach the disk before its call returns, for as long as this run is
        open: it then survives a power cut too, not only the death of the process.

    Raises
    ------
    InvalidValue
        A ``with`` block's run is active and ``nested`` was not given.

    Examples
    --------
    >>> import tracknb
    >>> with tracknb.start_run(run_name="ridge") as run:
    ...     tracknb.log_metric("rmse", 4.2, step=1)
    >>> tracknb.get_run(run.info.run_id).info.status
    'FINISHED'
    """
    if run_id is None and not nested and parent_run_id is None and active.current() is None:
        run_id = config.environment_run_id()
        config.forget_environment_run_id()
    if description is not None:
        if str((tags or {}).get(NOTE_TAG, description)) != description:
            raise InvalidValue(f"start_run got description= and the tag '{NOTE_TAG}' with another text: give one.")
        tags = {**(tags or {}), NOTE_TAG: description}
    if run_id is not None:
        resumed = active.resume_run(active.client(), run_id, "user", durable=durable, system_metrics=log_system_metrics)
        if run_name is None and not tags:
            return resumed
        return active.changed(active.state.open[run_id], run_name, tags or {})
    top = active.current()
    if parent_run_id is not None and parent_run_id not in active.state.open:
        # It must be there; it need not be open.
        active.client().get_run(parent_run_id)
    parent = parent_run_id or (top.run.info.run_id if nested and top is not None else None)
    all_tags = {str(key): value for key, value in (tags or {}).items()}
    if parent is None and top is not None:
        if top.owner == "cell" and not top.adopted:
            if durable:
                active.make_durable(top)
            return active.adopt(top, run_name, all_tags, system_metrics=log_system_metrics)
        active.make_way(top)
    opened = active.open_run(
        active.client(),
        experiment_id,
        run_name,
        all_tags,
        {},
        parent,
        "user",
        durable=durable,
        system_metrics=log_system_metrics,
    )
    return opened.run


def end_run(status: str = "FINISHED") -> None:
    """End the active run, if there is one.

    An end that the store could not take is tried again.
    """
    top = active.current()
    if top is not None:
        active.end_run(top, RunStatus(status))
    else:
        active.store_ends()


def active_run() -> active.ActiveRun | None:
    """Return the run that logging calls go to, or None."""
    top = active.current()
    return top.run if top is not None else None


def last_active_run() -> Run | None:
    """Return the run that was active last, as the store knows it now, or None."""
    top = active.current()
    if top is not None:
        return top.client.get_run(top.run.info.run_id)
    if active.state.last is None:
        return None
    here, run_id = active.state.last
    return here.get_run(run_id)


def last_experiment_id() -> str | None:
    """Return the experiment of the run that was active last in the current store, or None."""
    if active.state.last is None or active.state.last[0].tracking_uri != active.client().tracking_uri:
        return None
    here, run_id = active.state.last
    try:
        return here.get_run(run_id).info.experiment_id
    except NotFound:
        return None


# -- logging ----------------------------------------------------------------------------


def log_metric(
    key: str,
    value: float,
    step: int | None = None,
    synchronous: bool | None = None,
    timestamp: int | None = None,
    run_id: str | None = None,
) -> None:
    """Keep one value of a metric; it is safe from the death of this process on return.

    Parameters
    ----------
    key
        Letters, digits, ``_ - . : /`` and spaces.
    value
        Any real number, NaN and the infinities too; it comes back exactly.
    step
        A whole number; 0 if left out, as in MLflow.
    synchronous
        Accepted for MLflow's sake; a call that returned is always kept.
    timestamp
        Milliseconds since 1970; now if left out.
    run_id
        Another run than the active one.

    Raises
    ------
    InvalidValue
        The key or value is refused; nothing was logged.
    """
    # What a training loop does a million times goes straight to the spool; whatever is
    # out of the ordinary takes the long way, which checks and explains.
    if type(value) is float and timestamp is None and run_id is None and not active.own.get():
        try:
            opened = active.state.shared[-1]
            append, fresh = opened.curves[key]
            if opened.cell is active.state.cell and (step is None or type(step) is int):
                fresh.append(append(step or 0, names.now_ms(), value + 0.0))
                if len(fresh) >= CURVE_LIMIT:
                    opened.live.fold()
                return
        except (LookupError, TypeError, struct.error):
            pass
    _log_points([as_point(key, value, step, timestamp)], run_id)


def log_metrics(
    metrics: Mapping[str, float],
    step: int | None = None,
    synchronous: bool | None = None,
    run_id: str | None = None,
    timestamp: int | None = None,
) -> None:
    """Keep one value of each of several metrics, all or none."""
    _log_points([as_point(key, value, step, timestamp) for key, value in metrics.items()], run_id)


def _log_points(points: Sequence[tuple[str, float, int, int]], run_id: str | None) -> None:
    if run_id is not None and run_id not in active.state.open:
        active.client().log_points(run_id, points)
        return
    target = active.state.open[run_id] if run_id is not None else active.needed()
    target.client.log_points(target.run.info.run_id, points)
    live = target.live
    for key, value, step, timestamp in points:
        series = live.series.get(key)
        if series is None:
            series = live.series.setdefault(key, LiveSeries(key))
        series.fresh.append((step, timestamp, value, 0))
        if key not in target.curves:
            handle = target.client.point_series(target.run.info.run_id, key)
            if handle is not None:
                target.curves[key] = handle.append, series.fresh
        if len(series.fresh) >= CURVE_LIMIT:
            series.fold()


def log_param(key: str, value: T, synchronous: bool | None = None, *, overwrite: bool | None = None) -> T:
    """Keep a parameter as text and return the value; the same value again is quiet.

    Parameters
    ----------
    key, value
        What to keep; the value as ``str`` shows it.
    synchronous
        Accepted for MLflow's sake.
    overwrite
        Replaces another value, which is kept in the param's history. Without it
        ``TRACKNB_OVERWRITE_PARAMS`` of the environment decides, else nothing is replaced.

    Raises
    ------
    ParamChanged
        The parameter was logged with another value, which stays.

    Examples
    --------
    >>> import tracknb
    >>> with tracknb.start_run() as run:
    ...     _ = tracknb.log_param("lr", 0.1)
    ...     _ = tracknb.log_param("lr", 0.2, overwrite=True)
    >>> tracknb.get_run(run.info.run_id).data.params
    {'lr': '0.2'}
    >>> [value for value, _ in tracknb.MlflowClient().param_history(run.info.run_id, "lr")]
    ['0.1']
    """
    log_params({key: value}, overwrite=overwrite)
    return value


# What MLflow's first documentation called it, in code that is still around.
log_parameter = log_param


def log_params(
    params: Mapping[str, Any],
    synchronous: bool | None = None,
    run_id: str | None = None,
    *,
    overwrite: bool | None = None,
) -> None:
    """Keep parameters as text, all or none; ``overwrite`` as for ``log_param``."""
    if run_id is not None and run_id not in active.state.open:
        active.client().log_params(run_id, params, overwrite=overwrite)
        return
    target = active.state.open[run_id] if run_id is not None else active.needed()
    # As it is stored, for the panel too: what looks like a key is in neither.
    clean = validation.as_params(params)
    target.client.log_params(target.run.info.run_id, clean, overwrite=overwrite)
    target.live.params.update(clean)
    active.note_changes(target, clean)
    target.live.version += 1
    active.name_by_params(target)


def log_input(
    dataset: Any = None,
    context: str | None = None,
    tags: Mapping[str, Any] | None = None,
    model: object | None = None,
) -> None:
    """Note which data the active run uses.

    Parameters
    ----------
    dataset
        What ``tracknb.data.from_pandas``, ``from_numpy`` or ``from_file`` made; a DataFrame, an
        array or a path will do. The data itself is not kept, only its name, digest, schema,
        size and source.
    context
        What it is used for, such as ``"training"``.
    tags
        More about this use of it.
    model
        Accepted for MLflow's sake; None only.

    Raises
    ------
    InvalidValue
        This is no data; nothing was logged.

    Examples
    --------
    >>> import pandas as pd, tracknb
    >>> rides = tracknb.data.from_pandas(pd.DataFrame({"fare": [4.5, 12.0]}), name="rides")
    >>> with tracknb.start_run() as run:
    ...     tracknb.log_input(rides, context="training")
    >>> [given.dataset.name for given in tracknb.get_run(run.info.run_id).inputs.dataset_inputs]
    ['rides']
    >>> len(tracknb.search_runs(filter_string="datasets.name = 'rides'"))
    1
    """
    given = [] if dataset is None else [data.as_input(dataset, context, tags)]
    target = active.needed()
    target.client.log_inputs(target.run.info.run_id, given, models=None if model is None else [model])


def log_inputs(
    datasets: Sequence[Any] | None = None,
    contexts: Sequence[str | None] | None = None,
    tags_list: Sequence[Mapping[str, Any] | None] | None = None,
    models: Sequence[object] | None = None,
) -> None:
    """Note several datasets in one step; the lists have the same length, and None in one is nothing."""
    columns = (datasets or [], contexts or [], tags_list or [])
    if len({len(column) for column in columns}) > 1:
        raise InvalidValue(
            f"log_inputs got {len(columns[0])} datasets, {len(columns[1])} contexts and {len(columns[2])} tags; "
            "the three lists have the same length. Nothing was logged."
        )
    given = [data.as_input(*item) for item in zip(*columns, strict=True) if item[0] is not None]
    target = active.needed()
    target.client.log_inputs(target.run.info.run_id, given, models=models)


def set_tag(key: str, value: Any, synchronous: bool | None = None, run_id: str | None = None) -> None:
    """Set a tag of the active run, over an older value if there is one."""
    set_tags({key: value}, run_id=run_id)


def set_tags(tags: Mapping[str, Any], synchronous: bool | None = None, run_id: str | None = None) -> None:
    """Set tags of the active run, all or none."""
    if run_id is not None and run_id not in active.state.open:
        active.client().set_tags(run_id, tags)
        return
    target = active.state.open[run_id] if run_id is not None else active.needed()
    clean = validation.as_tags(tags)
    target.client.set_tags(target.run.info.run_id, clean)
    if RUN_NAME_TAG in tags:
        # Named by hand: the template has done its work.
        target.template = None
    target.live.tags.update(clean)
    target.live.version += 1


def delete_tag(key: str, run_id: str | None = None) -> None:
    """Take a tag off the active run, or off another one; it must be there."""
    top = active.current()
    target = run_id or (top.run.info.run_id if top is not None else None)
    if target is None:
        raise NoActiveRun("delete_tag needs an open run, and none is. Give run_id=, or call it inside start_run().")
    opened = active.state.open.get(target)
    (opened.client if opened is not None else active.client()).delete_tag(target, key)
    if opened is not None:
        opened.live.tags.pop(key, None)
        opened.live.version += 1


def set_evaluation_set(evaluation_set: str, dataset: Any = None) -> None:
    """Say which held-out data the active run is evaluated on; tables and trends filter by it.

    Parameters
    ----------
    evaluation_set
        Its name.
    dataset
        The data itself, as for ``log_input``. Its digest is kept, of all rows, so that one
        name with different contents is noticed: here by a warning, in tables and trends by a note.

    Warns
    -----
    UserWarning
        Another run of the experiment was evaluated on other data of this name.

    Examples
    --------
    >>> import pandas as pd, tracknb
    >>> held_out = pd.DataFrame({"fare": [4.5, 12.0]})
    >>> with tracknb.start_run() as run:
    ...     tracknb.set_evaluation_set("march", held_out)
    """
    if dataset is None:
        known = active.needed().live.tags
        if EVALUATION_DIGEST_TAG in known and known.get(EVALUATION_SET_TAGS[0]) != evaluation_set:
            # It tells of the set before.
            delete_tag(EVALUATION_DIGEST_TAG)
        set_tag(EVALUATION_SET_TAGS[0], evaluation_set)
        return
    content = data.as_dataset(dataset)
    digest = content.fingerprint()
    target = active.needed()
    # By the set's name: the same data may be noted as training data already.
    noted = replace(content.to_entity(), name=evaluation_set)
    given = replace(data.as_input(content, "evaluation", None), dataset=noted)
    target.client.log_inputs(target.run.info.run_id, [given])
    set_tags({EVALUATION_SET_TAGS[0]: evaluation_set, EVALUATION_DIGEST_TAG: digest})
    other = target.client.other_content_of_set(target.run.info.experiment_id, evaluation_set, digest)
    if other is not None:
        warnings.warn(
            f"The evaluation set '{evaluation_set}' held other data in the run '{other.info.run_name}': metrics of "
            "the two cannot be compared. Give changed data a name of its own.",
            UserWarning,
            stacklevel=2,
        )


def track(iterable: Iterable[T], total: int | None = None, label: str = "progress") -> Iterator[T]:
    """Yield what an iterable yields, and show "x of n" in the live panel.

    Parameters
    ----------
    iterable
        Anything a ``for`` takes.
    total
        How many items will come; ``len(iterable)`` if it has one.
    label
        What the items are, such as ``"epoch"``.

    Examples
    --------
    >>> import tracknb
    >>> with tracknb.start_run():
    ...     for epoch in tracknb.track(range(3), label="epoch"):
    ...         tracknb.log_metric("loss", 1 / (1 + epoch), step=epoch)
    """
    if total is None:
        try:
            total = len(iterable)  # type: ignore[arg-type]
        except TypeError:
            total = None
    _set_progress(Progress(0, total, label))
    for done, item in enumerate(iterable, start=1):
        yield item
        _set_progress(Progress(done, total, label))


def _set_progress(progress: Progress) -> None:
    top = active.current()
    if top is not None:
        top.live.progress = progress
        top.live.version += 1


def enable_system_metrics_logging() -> None:
    """Let every run that starts from now on log how busy this machine is, as metrics ``system/...``.

    CPU, memory, disk, network and NVIDIA GPUs, every ten seconds, under MLflow's names.

    Examples
    --------
    >>> import time, tracknb
    >>> tracknb.enable_system_metrics_logging()
    >>> tracknb.set_system_metrics_sampling_interval(0.1)
    >>> with tracknb.start_run() as run:
    ...     time.sleep(0.15)
    >>> "system/cpu_utilization_percentage" in tracknb.get_run(run.info.run_id).data.metrics
    True
    >>> tracknb.disable_system_metrics_logging()
    >>> tracknb.set_system_metrics_sampling_interval(None)
    """
    config.choose_system_metrics(enabled=True)


def disable_system_metrics_logging() -> None:
    """Let runs log no system metrics, whatever the environment says."""
    config.choose_system_metrics(enabled=False)


def set_system_metrics_sampling_interval(interval: float | None) -> None:
    """Say how many seconds lie between two samples; None goes back to 10, or what the environment says."""
    config.choose_system_metrics(interval=interval)


def set_system_metrics_samples_before_logging(samples: int | None) -> None:
    """Say of how many samples the mean is logged; None goes back to 1, or what the environment says."""
    config.choose_system_metrics(samples=samples)


def set_system_metrics_node_id(node_id: str | None) -> None:
    """Give this machine a name among those of one run: its metrics are ``system/NAME/...``."""
    config.choose_system_metrics(node=None if node_id is None else str(node_id))


def set_alerts(*, plateau: int | None = None, overtime: str | None = None) -> None:
    """Say when a run is to speak up: in its panel, and in a tag that searches find.

    A metric that becomes NaN or infinite always does, as the tag ``tracknb.alert.nan.METRIC``.
    The call holds for the active run and for those that start from now on; each alert comes
    once a run.

    Parameters
    ----------
    plateau
        After so many steps without a better value, for each metric of which it is known
        which way is better; None is never.
    overtime
        When a run takes longer, such as ``"2h"`` or ``"1d12h"``; None is never.

    Raises
    ------
    InvalidValue
        ``plateau`` is no positive whole number, or ``overtime`` is no length of time.

    Examples
    --------
    >>> import tracknb
    >>> tracknb.set_alerts(plateau=2)
    >>> with tracknb.start_run() as run:
    ...     for step, loss in enumerate([3.0, 1.0, 1.5, 1.2]):
    ...         tracknb.log_metric("loss", loss, step=step)
    >>> tracknb.get_run(run.info.run_id).data.tags["tracknb.alert.plateau.loss"]
    'loss has not got better for 2 steps'
    """
    if plateau is not None and (isinstance(plateau, bool) or not isinstance(plateau, int) or plateau < 1):
        raise InvalidValue(f"plateau= is a number of steps, 1 or more, not {plateau!r}. Nothing was changed.")
    overtime_ms = None if overtime is None else validation.as_duration_ms(overtime)
    active.state.rules = Rules(plateau=plateau, overtime_ms=overtime_ms)
    top = active.current()
    if top is not None:
        top.rules = replace(top.rules, plateau=plateau, overtime_ms=overtime_ms)


def flush() -> None:
    """Commit every point that was logged before this call, however long it takes."""
    top = active.current()
    (top.client if top is not None else active.client()).flush()


# -- artifacts ----------------------------------------------------------------------------


def log_artifact(
    local_path: str | os.PathLike[str], artifact_path: str | None = None, run_id: str | None = None
) -> None:
    """Copy a file into the active run, in its folder ``artifact_path`` if given."""
    here, target = _artifact_target(run_id)
    here.log_artifact(target, local_path, artifact_path)


def log_artifacts(
    local_dir: str | os.PathLike[str], artifact_path: str | None = None, run_id: str | None = None
) -> None:
    """Copy the content of a folder into the active run."""
    here, target = _artifact_target(run_id)
    here.log_artifacts(target, local_dir, artifact_path)


def log_text(text: str, artifact_file: str, run_id: str | None = None) -> None:
    """Keep a text as a file of the active run."""
    here, target = _artifact_target(run_id)
    here.log_text(target, text, artifact_file)


def log_dict(dictionary: Mapping[str, Any] | Sequence[Any], artifact_file: str, run_id: str | None = None) -> None:
    """Keep a dictionary as a JSON or YAML file of the active run."""
    here, target = _artifact_target(run_id)
    here.log_dict(target, dictionary, artifact_file)


def log_figure(figure: Any, artifact_file: str, *, save_kwargs: Mapping[str, Any] | None = None) -> None:
    """Keep a matplotlib, Plotly or Altair figure as a file of the active run."""
    here, target = _artifact_target(None)
    here.log_figure(target, figure, artifact_file, save_kwargs=save_kwargs)


def log_stream(stream: BinaryIO, artifact_file: str, run_id: str | None = None) -> None:
    """Keep what a binary file-like object still holds as a file of the active run."""
    here, target = _artifact_target(run_id)
    here.log_stream(target, stream, artifact_file)


def log_image(
    image: Any,
    artifact_file: str | None = None,
    key: str | None = None,
    step: int | None = None,
    timestamp: int | None = None,
    synchronous: bool | None = False,
) -> None:
    """Keep an image of the active run: as a file, or as one of a series with ``key`` and ``step``.

    Parameters
    ----------
    image
        A Pillow image, or an array of height × width (× 1, 3 or 4): whole numbers from 0 to
        255, or floats from 0 to 1.
    artifact_file
        Its name; the ending says which kind of file.
    key, step, timestamp
        The series, and the place in it; step 0 and now if left out.
    synchronous
        Accepted for MLflow's sake.

    Examples
    --------
    >>> import numpy as np, tracknb
    >>> with tracknb.start_run() as run:
    ...     tracknb.log_image(np.zeros((4, 3), dtype="uint8"), "black.png")
    ...     tracknb.log_image(np.ones((4, 3)), key="samples", step=1)
    >>> [item.path for item in tracknb.list_artifacts(run.info.run_id)]
    ['black.png', 'images']
    """
    here, target = _artifact_target(None)
    here.log_image(target, image, artifact_file, key, step, timestamp)


def log_table(data: Any, artifact_file: str, run_id: str | None = None) -> None:
    """Keep a table of the active run, or add rows to the one of this name.

    Parameters
    ----------
    data
        A DataFrame, or a dictionary of columns.
    artifact_file
        Ends in ``.json`` (as MLflow keeps tables) or in ``.parquet``.
    run_id
        Another run than the active one.

    Examples
    --------
    >>> import tracknb
    >>> with tracknb.start_run() as run:
    ...     tracknb.log_table({"question": ["a", "b"], "score": [1, 2]}, "answers.json")
    ...     tracknb.log_table({"question": ["c"], "score": [3]}, "answers.json")
    >>> tracknb.load_table("answers.json", run_ids=[run.info.run_id])["score"].tolist()
    [1, 2, 3]
    """
    here, target = _artifact_target(run_id)
    here.log_table(target, data, artifact_file)


def load_table(
    artifact_file: str, run_ids: Sequence[str] | None = None, extra_columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return the rows of a table of the current experiment's runs; see ``MlflowClient.load_table``."""
    return active.client().load_table(active.current_experiment_id(), artifact_file, run_ids, extra_columns)


def get_artifact_uri(artifact_path: str | None = None) -> str:
    """Return where files of the active run are kept."""
    here, target = _artifact_target(None)
    return here.artifacts(target).uri(artifact_path)


def list_artifacts(run_id: str | None = None, artifact_path: str | None = None) -> list[FileInfo]:
    """Return what lies directly in a folder of a run; of the last active one if not named."""
    here, target = _reading_target(run_id)
    return here.list_artifacts(target, artifact_path)


def download_artifacts(
    run_id: str | None = None, artifact_path: str = "", dst_path: str | os.PathLike[str] | None = None
) -> str:
    """Return where a file or folder of a run lies on this machine; a copy in ``dst_path`` if given."""
    here, target = _reading_target(run_id)
    return here.download_artifacts(target, artifact_path, dst_path)


def _artifact_target(run_id: str | None) -> tuple[TrackingClient, str]:
    if run_id is not None and run_id not in active.state.open:
        return active.client(), run_id
    target = active.state.open[run_id] if run_id is not None else active.needed()
    return target.client, target.run.info.run_id


def _reading_target(run_id: str | None) -> tuple[TrackingClient, str]:
    if run_id is not None:
        return active.client(), run_id
    top = active.current()
    if top is not None:
        return top.client, top.run.info.run_id
    if active.state.last is None:
        raise NoActiveRun("No run was started here yet. Give run_id=.")
    return active.state.last


# -- reading --------------------------------------------------------------------------------


def get_run(run_id: str) -> Run:
    """Return a run with its last metric values, params and tags.

    Raises
    ------
    NotFound
        No run has this id.
    """
    opened = active.state.open.get(run_id)
    return (opened.client if opened is not None else active.client()).get_run(run_id)


def get_parent_run(run_id: str) -> Run | None:
    """Return the run that a nested run belongs to, or None."""
    return active.client().get_parent_run(run_id)


def get_child_runs(run_id: str) -> list[Run]:
    """Return the runs that were nested directly in a run, the newest first.

    Examples
    --------
    >>> import tracknb
    >>> with tracknb.start_run() as sweep:
    ...     with tracknb.start_run(run_name="lr=0.1", nested=True):
    ...         pass
    >>> [run.info.run_name for run in tracknb.get_child_runs(sweep.info.run_id)]
    ['lr=0.1']
    """
    return active.client().get_child_runs(run_id)


def delete_run(run_id: str) -> None:
    """Delete a run softly: searches pass over it until it is restored."""
    opened = active.state.open.get(run_id)
    if opened is not None:
        # Its loops ask again, and are told.
        opened.curves.clear()
    active.client().delete_run(run_id)


def restore_run(run_id: str) -> None:
    """Take a deleted run back."""
    active.client().restore_run(run_id)


def get_metric_history(run_id: str, key: str) -> list[Metric]:
    """Return every point of a metric by step, then time; nothing if it was never logged."""
    opened = active.state.open.get(run_id)
    return (opened.client if opened is not None else active.client()).get_metric_history(run_id, key)


@overload
def search_runs(
    experiment_ids: Sequence[str] | None = None,
    filter_string: str = "",
    run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int = 100_000,
    order_by: Sequence[str] | None = None,
    output_format: Literal["pandas"] = "pandas",
    search_all_experiments: bool = False,
    experiment_names: Sequence[str] | None = None,
) -> pd.DataFrame: ...


@overload
def search_runs(
    experiment_ids: Sequence[str] | None = None,
    filter_string: str = "",
    run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int = 100_000,
    order_by: Sequence[str] | None = None,
    *,
    output_format: Literal["list"],
    search_all_experiments: bool = False,
    experiment_names: Sequence[str] | None = None,
) -> list[Run]: ...


@overload
def search_runs(
    experiment_ids: Sequence[str] | None,
    filter_string: str,
    run_view_type: int,
    max_results: int,
    order_by: Sequence[str] | None,
    output_format: Literal["list"],
    search_all_experiments: bool = False,
    experiment_names: Sequence[str] | None = None,
) -> list[Run]: ...


@overload
def search_runs(
    experiment_ids: Sequence[str] | None = None,
    filter_string: str = "",
    run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int = 100_000,
    order_by: Sequence[str] | None = None,
    output_format: str = "pandas",
    search_all_experiments: bool = False,
    experiment_names: Sequence[str] | None = None,
) -> pd.DataFrame | list[Run]: ...


def search_runs(
    experiment_ids: Sequence[str] | None = None,
    filter_string: str = "",
    run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int = 100_000,
    order_by: Sequence[str] | None = None,
    output_format: str = "pandas",
    search_all_experiments: bool = False,
    experiment_names: Sequence[str] | None = None,
) -> pd.DataFrame | list[Run]:
    """Return the runs that match a filter, the newest first.

    Parameters
    ----------
    experiment_ids, experiment_names
        Where to look, by one or the other; the current experiment if both are left out.
    filter_string
        Such as ``"metrics.rmse < 4 and tags.stage = 'candidate'"``.
    run_view_type
        Whether deleted runs count.
    max_results
        The most runs to return.
    order_by
        Such as ``["metrics.rmse ASC"]``; runs that lack the value come last.
    output_format
        ``"pandas"`` for a DataFrame with MLflow's columns, ``"list"`` for Run objects.
    search_all_experiments
        Looks everywhere, if no experiment is named.

    Raises
    ------
    FilterError
        The filter cannot be read. The message marks the place.

    Examples
    --------
    >>> import tracknb
    >>> _ = tracknb.set_experiment("nyc-taxi")
    >>> with tracknb.start_run(run_name="ridge"):
    ...     tracknb.log_metric("rmse", 4.2)
    >>> tracknb.search_runs(filter_string="metrics.rmse < 5")["metrics.rmse"].tolist()
    [4.2]
    """
    if output_format not in ("pandas", "list"):
        raise InvalidValue(f"output_format is 'pandas' or 'list', not '{output_format}'.")
    if experiment_ids and experiment_names:
        raise InvalidValue("search_runs takes experiment_ids or experiment_names: one of them, not both.")
    here = active.client()
    if experiment_names:
        ids = []
        for name in [experiment_names] if isinstance(experiment_names, str) else experiment_names:
            experiment = here.get_experiment_by_name(name)
            if experiment is not None:
                ids.append(experiment.experiment_id)
            else:
                warnings.warn(f"{no_such_experiment(here, name)} It is passed over.", UserWarning, stacklevel=2)
    elif experiment_ids:
        ids = [str(item) for item in experiment_ids]
    elif search_all_experiments:
        ids = [experiment.experiment_id for experiment in here.search_experiments(max_results=None)]
    else:
        ids = [active.current_experiment_id()]
    runs = here.all_runs(ids, filter_string, run_view_type, max_results, order_by)
    if output_format == "list":
        return runs
    from tracknb.view.table import runs_frame

    return runs_frame(runs)
