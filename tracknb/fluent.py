"""The active run: MLflow's fluent calls, and what a notebook needs to give cells runs.

A run opened in the main thread is seen by every thread, so a helper thread logs into
the run you meant. A run that a thread or an asyncio task opens for itself is seen by
it and by what it starts, so interleaved tasks do not mix.

Who ends a run: a ``with`` block ends its own; ``%%track_run`` and bare logging calls
give a cell its run, which ends with the cell; a bare ``start_run()`` stays open until
``end_run()``, the next ``start_run()`` or the end of the process.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import struct
import threading
import traceback as tracebacks
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from tracknb import config, live, names
from tracknb.artifacts import FileInfo
from tracknb.capture import ending, environment, git, secrets, workers
from tracknb.client import TrackingClient, as_point, close_stores, experiment_ids_by_name
from tracknb.entities import (
    ATTEMPT_TAG,
    CELL_GROUP_TAG,
    ERROR_TAG,
    EVALUATION_SET_TAGS,
    GIT_BRANCH_TAG,
    GIT_COMMIT_TAG,
    GIT_DIRTY_TAG,
    GIT_REMOTE_TAG,
    NOTE_TAG,
    PARENT_TAG,
    PLATFORM_TAG,
    PYTHON_TAG,
    SOURCE_NAME_TAG,
    SOURCE_TYPE_TAG,
    TRACEBACK_TAG,
    Experiment,
    Metric,
    Run,
    RunStatus,
    ViewType,
)
from tracknb.errors import InvalidValue, NestedCall, NoActiveRun, NotFound, TracknbError
from tracknb.live import CURVE_LIMIT, LiveRun, LiveSeries, Progress

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
# Step, time in ms, value and its number among the points of this process.
Point = tuple[int, int, float, int]
# "worker": the run is another process's, which ends it.
Owner = Literal["user", "cell", "bare", "worker"]
_TRACEBACK_LIMIT = 7_500


class ActiveRun(Run):
    """A run that is open; leaving its ``with`` block ends it, FAILED if it raised."""

    __slots__ = ()

    def __enter__(self) -> ActiveRun:
        _entered.add(self.info.run_id)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        status = RunStatus.FINISHED
        if kind is not None and not (issubclass(kind, SystemExit) and getattr(error, "code", None) in (None, 0)):
            status = RunStatus.KILLED if issubclass(kind, KeyboardInterrupt) else RunStatus.FAILED
        told = text = None
        if status is not RunStatus.FINISHED and error is not None:
            told = "".join(tracebacks.format_exception_only(error)).strip()
            text = "".join(tracebacks.format_exception(error))
        try:
            _end_with_nested(self.info.run_id, status, told, text)
        except TracknbError as problem:
            if error is None:
                raise
            # The user's own exception goes on; what the store said of the run's end is told beside it.
            warnings.warn(f"{type(problem).__name__}: {problem}", RuntimeWarning, stacklevel=2)


@dataclass(slots=True, eq=False)
class _Open:
    """An open run: where it logs, how it looks live, and who ends it."""

    run: ActiveRun
    client: TrackingClient
    live: LiveRun
    owner: Owner
    previous: Run | None = None
    adopted: bool = False
    durable: bool = False
    # The cell that this run was last touched in, and the one that it was opened in.
    cell: _Cell | None = None
    home: _Cell | None = None
    # By metric, once it was logged: where its points go, in the store and in the live curve.
    curves: dict[str, tuple[Callable[[int, int, float], Point], list[Point]]] = field(default_factory=dict)


@dataclass(slots=True)
class _Cell:
    """The cell that is being executed, and the runs that it touched."""

    tags: Callable[[], Mapping[str, str]]
    touched: dict[str, None] = field(default_factory=dict)
    client: TrackingClient | None = None
    experiment_id: str | None = None
    run_tags: dict[str, str] = field(default_factory=dict)
    attempt: str | None = None
    previous: Run | None = None
    on_run: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a run ended, until the store has taken it."""

    opened: _Open
    status: str
    end_time: int
    tags: dict[str, str]


class _State:
    """What this process tracks right now."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.experiment: str | None = None
        self.shared: list[_Open] = []
        self.open: dict[str, _Open] = {}
        self.live: dict[str, LiveRun] = {}
        self.cell: _Cell | None = None
        self.home_task: asyncio.Task[Any] | None = None
        self.last: tuple[TrackingClient, str] | None = None
        self.inherited = False
        self.unended: dict[str, _Ending] = {}


_state = _State()
# Ids of runs whose `with` block is being executed.
_entered: set[str] = set()
_own: ContextVar[tuple[_Open, ...]] = ContextVar("tracknb_runs", default=())


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
    _offer()


def is_tracking_uri_set() -> bool:
    """Tell whether a store was chosen, by ``set_tracking_uri`` or in the environment."""
    return config.is_chosen() or config.environment_uri() is not None


def get_tracking_uri() -> str:
    """Return the address of the store, as it was given."""
    return config.tracking_uri()


def client() -> TrackingClient:
    """Return a client of the store that holds at this moment."""
    if _state.cell is not None and _state.cell.client is not None:
        return _state.cell.client
    _inherit()
    return TrackingClient()


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
        experiment = client().get_or_create_experiment(experiment_name)
    else:
        experiment = client().get_experiment(str(experiment_id))
    if experiment.lifecycle_stage != "active":
        raise InvalidValue(
            f"The experiment '{experiment.name}' is deleted. "
            f"Bring it back with restore_experiment('{experiment.experiment_id}')."
        )
    _state.experiment = experiment.name
    _offer()
    if _state.cell is not None:
        _state.cell.experiment_id = None
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
    return client().create_experiment(name, artifact_location, tags if tags is not None else tag)


def get_experiment(experiment_id: str) -> Experiment:
    """Return an experiment by its id."""
    return client().get_experiment(experiment_id)


def get_experiment_by_name(name: str) -> Experiment | None:
    """Return an experiment by its name, or None."""
    return client().get_experiment_by_name(name)


def search_experiments(
    view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: Sequence[str] | None = None,
) -> list[Experiment]:
    """Return the experiments that match a filter on ``name``, times or ``tags.``."""
    return client().search_experiments(view_type, max_results, filter_string, order_by)


def delete_experiment(experiment_id: str) -> None:
    """Delete an experiment and its runs softly: searches pass over them until they are restored."""
    client().delete_experiment(experiment_id)


def restore_experiment(experiment_id: str) -> None:
    """Take a deleted experiment back, and its runs with it."""
    client().restore_experiment(experiment_id)


def set_experiment_tag(key: str, value: Any) -> None:
    """Set a tag of the current experiment, over an older value if there is one."""
    client().set_experiment_tag(current_experiment_id(), key, value)


def set_experiment_tags(tags: Mapping[str, Any]) -> None:
    """Set tags of the current experiment."""
    for key, value in tags.items():
        set_experiment_tag(key, value)


def delete_experiment_tag(key: str) -> None:
    """Take a tag off the current experiment; it must be there."""
    client().delete_experiment_tag(current_experiment_id(), key)


def current_experiment_id() -> str:
    """Return the id of the experiment that a new run would go to."""
    here = client()
    if _state.cell is not None and _state.cell.experiment_id is not None:
        return _state.cell.experiment_id
    if _state.experiment is not None:
        return here.get_or_create_experiment(_state.experiment).experiment_id
    number, name = config.environment_experiment()
    if number is not None:
        return here.get_experiment(number).experiment_id
    if name is not None:
        return here.get_or_create_experiment(name).experiment_id
    return "0"


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
) -> ActiveRun:
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
        Accepted for MLflow's sake; this version samples none.
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
    if run_id is not None:
        resumed = _resume(client(), run_id, "user", durable=durable)
        return _changed(_state.open[run_id], run_name, tags or {}) if run_name is not None or tags else resumed
    top = _top()
    if parent_run_id is not None and parent_run_id not in _state.open:
        # It must be there; it need not be open.
        client().get_run(parent_run_id)
    parent = parent_run_id or (top.run.info.run_id if nested and top is not None else None)
    all_tags = {str(key): value for key, value in (tags or {}).items()}
    if description is not None:
        all_tags[NOTE_TAG] = description
    if parent is None and top is not None:
        if top.owner == "cell" and not top.adopted:
            if durable:
                _make_durable(top)
            return _adopt(top, run_name, all_tags)
        _make_way(top)
    return _begin(client(), experiment_id, run_name, all_tags, {}, parent, "user", durable=durable).run


def _make_way(top: _Open) -> None:
    """End what a bare call left open, or refuse where a block still needs its run."""
    if top.owner == "worker":
        return
    if top in _own.get() or not _is_side():
        if top.owner == "user" and top.run.info.run_id in _entered:
            raise InvalidValue(
                f"The run '{top.live.name}' is still active: its with block has not ended. "
                "Pass nested=True to start a child run inside it."
            )
        _end(top, RunStatus.FINISHED)


def _adopt(top: _Open, run_name: str | None, tags: Mapping[str, Any]) -> ActiveRun:
    top.adopted = True
    return _changed(top, run_name, tags) if run_name is not None or tags else top.run


def _changed(opened: _Open, run_name: str | None, tags: Mapping[str, Any]) -> ActiveRun:
    """Give an open run another name and more tags."""
    opened.client.update_run(opened.run.info.run_id, name=run_name, tags=tags)
    opened.live.name = run_name or opened.live.name
    opened.live.tags.update({str(key): str(value) for key, value in tags.items()})
    opened.live.version += 1
    opened.run = _as_active(opened.client.get_run(opened.run.info.run_id))
    return opened.run


def _begin(
    here: TrackingClient,
    experiment_id: str | None,
    run_name: str | None,
    tags: Mapping[str, Any],
    params: Mapping[str, Any],
    parent: str | None,
    owner: Owner,
    *,
    durable: bool = False,
) -> _Open:
    cell = _state.cell
    context = dict(cell.tags()) if cell is not None else _script_tags()
    group = context.pop(CELL_GROUP_TAG, None)
    merged = {**context, **(cell.run_tags if cell is not None else {}), **tags}
    if parent is not None:
        merged[PARENT_TAG] = parent
    attempt_group = None
    if cell is not None and group is not None:
        # Attempts are counted by executions of the cell, not by the runs in one of them.
        if cell.attempt is None:
            cell.previous = here.latest_run_of_group(group)
            attempt_group = group
        else:
            merged |= {CELL_GROUP_TAG: group, ATTEMPT_TAG: cell.attempt}
    experiment = here.get_experiment(experiment_id or current_experiment_id())
    run = here.create_run(
        experiment.experiment_id,
        tags=merged,
        run_name=run_name,
        params=params,
        attempt_group=attempt_group,
    )
    if cell is not None:
        cell.attempt = run.data.tags.get(ATTEMPT_TAG)
    opened = _Open(
        run=_as_active(run),
        client=here,
        live=_live_of(run, experiment.name),
        owner=owner,
        previous=cell.previous if cell is not None else None,
    )
    _note_changes(opened, run.data.params)
    if durable:
        _make_durable(opened)
    _push(opened)
    return opened


def _make_durable(opened: _Open) -> None:
    opened.durable = True
    opened.client.set_durable(True)


def _resume(here: TrackingClient, run_id: str, owner: Owner, *, durable: bool = False) -> ActiveRun:
    already = _state.open.get(run_id)
    if already is not None:
        if durable:
            _make_durable(already)
        _touch(already)
        return already.run
    here.update_run(run_id, RunStatus.RUNNING)
    run = here.get_run(run_id)
    opened = _Open(_as_active(run), here, _live_of(run, here.get_experiment(run.info.experiment_id).name), owner)
    opened.live.series.update(here.live_series(run_id))
    if durable:
        _make_durable(opened)
    _push(opened)
    return opened.run


def _live_of(run: Run, experiment: str) -> LiveRun:
    attempt = run.data.tags.get(ATTEMPT_TAG, "")
    return LiveRun(
        run_id=run.info.run_id,
        name=run.info.run_name,
        experiment=experiment,
        status=run.info.status,
        start_time=run.info.start_time,
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        attempt=int(attempt) if attempt.isdecimal() else None,
    )


def _as_active(run: Run) -> ActiveRun:
    return ActiveRun(run.info, run.data, run.inputs)


def _push(opened: _Open) -> None:
    opened.home = _state.cell
    with _state.lock:
        if _is_side():
            _own.set((*_own.get(), opened))
        else:
            _state.shared.append(opened)
        _state.open[opened.run.info.run_id] = opened
        _offer()
        ending.watch()
        ending.go_on()
        _state.last = (opened.client, opened.run.info.run_id)
    _touch(opened)


def _offer() -> None:
    """Tell workers that start from now on which run is meant."""
    top = _state.shared[-1] if _state.shared else None
    try:
        address = config.resolved_uri() if top is None else top.client.address
    except OSError:
        # The working directory is gone, and with it what a relative store means.
        return
    run_id = None if top is None else top.run.info.run_id
    workers.offer(workers.Offer(address, _state.experiment, run_id, top is not None and top.durable))


def _inherit() -> _Open | None:
    """Track where the process does that made this worker, if it is one, and in its run."""
    if _state.inherited:
        return None
    with _state.lock:
        meant = workers.offered()
        if meant is None or _state.inherited:
            _state.inherited = True
            return _state.shared[-1] if _state.shared else None
        if not config.is_chosen():
            config.choose_uri(meant.address)
            _state.experiment = _state.experiment or meant.experiment
        opened = None
        if meant.run_id is not None:
            here = TrackingClient(meant.address)
            run = here.get_run(meant.run_id)
            experiment = here.get_experiment(run.info.experiment_id).name
            opened = _Open(_as_active(run), here, _live_of(run, experiment), "worker")
            # For every thread and task of this worker, whichever came first.
            _state.shared.append(opened)
            _state.open[meant.run_id] = opened
            if meant.durable:
                _make_durable(opened)
        # Last: what failed is tried again with the next call.
        _state.inherited = True
        workers.at_end(close_stores)
        return opened


def _is_side() -> bool:
    """Tell whether this code runs in a thread or task of its own."""
    if threading.current_thread() is not threading.main_thread():
        return True
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task is not _state.home_task


def _top() -> _Open | None:
    for item in reversed(_own.get()):
        if item.run.info.run_id in _state.open:
            return item
    return _state.shared[-1] if _state.shared else _inherit()


def _touch(opened: _Open) -> None:
    _state.live[opened.run.info.run_id] = opened.live
    opened.cell = cell = _state.cell
    if cell is not None:
        first = not cell.touched
        cell.touched[opened.run.info.run_id] = None
        if first and cell.on_run is not None:
            cell.on_run()


def _end(opened: _Open, status: str, error: str | None = None, traceback: str | None = None) -> None:
    """End a run; it leaves the stack even if the store refuses, and is ended when that is possible."""
    run_id = opened.run.info.run_id
    with _state.lock:
        if _state.open.pop(run_id, None) is None:
            return
        _entered.discard(run_id)
        _state.shared = [item for item in _state.shared if item is not opened]
    if opened.owner == "worker":
        opened.client.flush()
        return
    # A traceback quotes source lines, and those may hold keys.
    error = secrets.mask(error) if error is not None else None
    traceback = secrets.mask(traceback) if traceback is not None else None
    live = opened.live
    # A clock that was set back must not end a run before its start.
    live.status, live.end_time, live.error = str(status), max(names.now_ms(), live.start_time), error
    live.version += 1
    if _state.cell is None:
        # No panel will ask for it any more.
        live.fold()
        _state.live.pop(run_id, None)
    tags = {}
    if error is not None:
        tags[ERROR_TAG] = error[:_TRACEBACK_LIMIT]
    if traceback is not None:
        # The end of a traceback holds the error; its middle can be a thousand frames.
        tags[TRACEBACK_TAG] = traceback[-_TRACEBACK_LIMIT:]
    _state.unended[run_id] = _Ending(opened, str(status), live.end_time, tags)
    try:
        _store_ends()
        if not _state.open:
            opened.client.retire()
    except NestedCall:
        # In a signal handler, in the middle of a commit: a thread waits until that is over.
        threading.Thread(target=_store_ends, name="tracknb-end", daemon=True).start()
    _offer()
    if opened.durable and not any(item.durable for item in _state.open.values()):
        opened.client.set_durable(config.is_durable())


def _store_ends() -> None:
    """Store the ends of runs, those too that could not be stored before; one that fails stops no other."""
    failed: TracknbError | None = None
    for run_id, end in list(_state.unended.items()):
        client = end.opened.client
        try:
            if end.tags:
                client.set_tags(run_id, end.tags)
            client.set_terminated(run_id, end.status, end.end_time)
        except NotFound as problem:
            # Somebody removed the run: there is nothing to end any more.
            failed = failed or problem
        except TracknbError as problem:
            failed = problem
            continue
        _state.unended.pop(run_id, None)
    if failed is not None:
        raise failed


def _end_with_nested(run_id: str, status: str, error: str | None, traceback: str | None) -> None:
    """End a run, and with it the children that were left open inside it."""
    opened = _state.open.get(run_id)
    if opened is None:
        return
    stack = _own.get() if opened in _own.get() else tuple(_state.shared)
    for item in reversed(stack[stack.index(opened) :] if opened in stack else (opened,)):
        _end(item, status, error, traceback)


def end_run(status: str = "FINISHED") -> None:
    """End the active run, if there is one.

    An end that the store could not take is tried again.
    """
    top = _top()
    if top is not None:
        _end(top, RunStatus(status))
    else:
        _store_ends()


def active_run() -> ActiveRun | None:
    """Return the run that logging calls go to, or None."""
    top = _top()
    return top.run if top is not None else None


def last_active_run() -> Run | None:
    """Return the run that was active last, as the store knows it now, or None."""
    top = _top()
    if top is not None:
        return top.client.get_run(top.run.info.run_id)
    if _state.last is None:
        return None
    here, run_id = _state.last
    return here.get_run(run_id)


def last_experiment_id() -> str | None:
    """Return the experiment of the run that was active last in the current store, or None."""
    if _state.last is None or _state.last[0].tracking_uri != client().tracking_uri:
        return None
    here, run_id = _state.last
    try:
        return here.get_run(run_id).info.experiment_id
    except NotFound:
        return None


def _needed() -> _Open:
    """Return the active run; without one a bare call starts it."""
    top = _top()
    if top is None and len(_state.open) == 1:
        # A helper thread of a task or thread that opened a run for itself: where only one is open, it is meant.
        top = next(iter(list(_state.open.values())), None)
    if top is None:
        top = _begin(client(), None, None, {}, {}, None, "bare")
    elif _state.cell is not None and top.run.info.run_id not in _state.cell.touched:
        _touch(top)
    else:
        top.cell = _state.cell
    return top


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
    if type(value) is float and timestamp is None and run_id is None and not _own.get():
        try:
            opened = _state.shared[-1]
            append, fresh = opened.curves[key]
            if opened.cell is _state.cell and (step is None or type(step) is int):
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
    if run_id is not None and run_id not in _state.open:
        client().log_points(run_id, points)
        return
    target = _state.open[run_id] if run_id is not None else _needed()
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


def log_param(key: str, value: T, synchronous: bool | None = None) -> T:
    """Keep a parameter as text and return the value; the same value again is quiet.

    Raises
    ------
    ParamChanged
        The parameter was logged with another value, which stays.
    """
    log_params({key: value})
    return value


def log_params(params: Mapping[str, Any], synchronous: bool | None = None, run_id: str | None = None) -> None:
    """Keep parameters as text, all or none."""
    if run_id is not None and run_id not in _state.open:
        client().log_params(run_id, params)
        return
    target = _state.open[run_id] if run_id is not None else _needed()
    target.client.log_params(target.run.info.run_id, params)
    clean = {str(key): str(value) for key, value in params.items()}
    target.live.params.update(clean)
    _note_changes(target, clean)
    target.live.version += 1


def _note_changes(target: _Open, params: Mapping[str, str]) -> None:
    if target.previous is None:
        return
    before = target.previous.data.params
    told = {key for key, _, _ in target.live.changed}
    target.live.changed += [
        (key, before[key], value)
        for key, value in params.items()
        if key in before and before[key] != value and key not in told
    ]


def set_tag(key: str, value: Any, synchronous: bool | None = None, run_id: str | None = None) -> None:
    """Set a tag of the active run, over an older value if there is one."""
    set_tags({key: value}, run_id=run_id)


def set_tags(tags: Mapping[str, Any], synchronous: bool | None = None, run_id: str | None = None) -> None:
    """Set tags of the active run, all or none."""
    if run_id is not None and run_id not in _state.open:
        client().set_tags(run_id, tags)
        return
    target = _state.open[run_id] if run_id is not None else _needed()
    target.client.set_tags(target.run.info.run_id, tags)
    target.live.tags.update({str(key): str(value) for key, value in tags.items()})
    target.live.version += 1


def delete_tag(key: str, run_id: str | None = None) -> None:
    """Take a tag off the active run, or off another one; it must be there."""
    top = _top()
    target = run_id or (top.run.info.run_id if top is not None else None)
    if target is None:
        raise NoActiveRun("delete_tag needs an open run, and none is. Give run_id=, or call it inside start_run().")
    opened = _state.open.get(target)
    (opened.client if opened is not None else client()).delete_tag(target, key)
    if opened is not None:
        opened.live.tags.pop(key, None)
        opened.live.version += 1


def set_evaluation_set(evaluation_set: str) -> None:
    """Say which held-out data the active run is evaluated on; tables and trends filter by it."""
    set_tag(EVALUATION_SET_TAGS[0], evaluation_set)


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
    top = _top()
    if top is not None:
        top.live.progress = progress
        top.live.version += 1


def flush() -> None:
    """Commit every point that was logged before this call, however long it takes."""
    top = _top()
    (top.client if top is not None else client()).flush()


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


def get_artifact_uri(artifact_path: str | None = None) -> str:
    """Return where files of the active run are kept."""
    here, target = _artifact_target(None)
    return here.artifacts(target).uri(artifact_path)


def list_artifacts(run_id: str | None = None, artifact_path: str | None = None) -> list[FileInfo]:
    """Return what lies directly in a folder of a run; of the last active one if not named."""
    here, target = _reading_target(run_id)
    return here.list_artifacts(target, artifact_path)


def download_artifacts(run_id: str | None = None, artifact_path: str = "") -> str:
    """Return where a file of a run lies on this machine."""
    here, target = _reading_target(run_id)
    return here.download_artifacts(target, artifact_path)


def _artifact_target(run_id: str | None) -> tuple[TrackingClient, str]:
    if run_id is not None and run_id not in _state.open:
        return client(), run_id
    target = _state.open[run_id] if run_id is not None else _needed()
    return target.client, target.run.info.run_id


def _reading_target(run_id: str | None) -> tuple[TrackingClient, str]:
    if run_id is not None:
        return client(), run_id
    top = _top()
    if top is not None:
        return top.client, top.run.info.run_id
    if _state.last is None:
        raise NoActiveRun("No run was started here yet. Give run_id=.")
    return _state.last


# -- reading --------------------------------------------------------------------------------


def get_run(run_id: str) -> Run:
    """Return a run with its last metric values, params and tags.

    Raises
    ------
    NotFound
        No run has this id.
    """
    opened = _state.open.get(run_id)
    return (opened.client if opened is not None else client()).get_run(run_id)


def get_parent_run(run_id: str) -> Run | None:
    """Return the run that a nested run belongs to, or None."""
    return client().get_parent_run(run_id)


def delete_run(run_id: str) -> None:
    """Delete a run softly: searches pass over it until it is restored."""
    client().delete_run(run_id)


def restore_run(run_id: str) -> None:
    """Take a deleted run back."""
    client().restore_run(run_id)


def get_metric_history(run_id: str, key: str) -> list[Metric]:
    """Return every point of a metric by step, then time; nothing if it was never logged."""
    opened = _state.open.get(run_id)
    return (opened.client if opened is not None else client()).get_metric_history(run_id, key)


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
    here = client()
    if experiment_names:
        known = [here.get_experiment_by_name(name) for name in experiment_names]
        ids = [experiment.experiment_id for experiment in known if experiment is not None]
        if not ids:
            ids = experiment_ids_by_name(here, experiment_names)
    elif experiment_ids:
        ids = [str(item) for item in experiment_ids]
    elif search_all_experiments:
        ids = [experiment.experiment_id for experiment in here.search_experiments(max_results=None)]
    else:
        ids = [current_experiment_id()]
    runs = here.all_runs(ids, filter_string, run_view_type, max_results, order_by)
    if output_format == "list":
        return runs
    from tracknb.view.table import runs_frame

    return runs_frame(runs)


# -- the notebook's door ------------------------------------------------------------------------


def begin_cell(tags: Callable[[], Mapping[str, str]], on_run: Callable[[], None] | None = None) -> None:
    """Say that a cell begins.

    Parameters
    ----------
    tags
        Asked for the cell's tags whenever a run starts in it.
    on_run
        Called when the cell touches its first run.
    """
    try:
        _state.home_task = asyncio.current_task()
    except RuntimeError:
        _state.home_task = None
    _state.live = {run_id: opened.live for run_id, opened in _state.open.items()}
    _state.cell = _Cell(tags, on_run=on_run)


def mute_cell() -> None:
    """Say that the runs of the executed cell are not shown under it."""
    if _state.cell is not None:
        _state.cell.on_run = None


def open_cell_run(
    *,
    experiment: str | None = None,
    run_name: str | None = None,
    tags: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    description: str | None = None,
    nested: bool = False,
    parent_run_id: str | None = None,
    resume: str | None = None,
    store: str | None = None,
    durable: bool = False,
) -> ActiveRun:
    """Open the run of a ``%%track_run`` cell; its options hold for every run of the cell."""
    if _state.cell is None:
        begin_cell(dict)
    cell = _state.cell
    assert cell is not None
    if store is not None:
        cell.client = TrackingClient(store)
    here = client()
    if experiment is not None:
        cell.experiment_id = here.get_or_create_experiment(experiment).experiment_id
    if resume is not None:
        return _resume(here, _resumed_id(here, resume), "cell", durable=durable)
    if parent_run_id is not None:
        parent: str | None = here.get_run(parent_run_id).info.run_id
    else:
        top = _top()
        parent = top.run.info.run_id if nested and top is not None else None
    cell.run_tags = dict(tags or {})
    own_tags = {NOTE_TAG: description} if description is not None else {}
    return _begin(here, None, run_name, own_tags, params or {}, parent, "cell", durable=durable).run


def _resumed_id(here: TrackingClient, resume: str) -> str:
    if resume != "last":
        return resume
    cell = _state.cell
    group = cell.tags().get(CELL_GROUP_TAG) if cell is not None else None
    found = here.latest_run_of_group(group) if group else None
    if found is None:
        newest = here.search_runs([current_experiment_id()], max_results=1)
        found = newest[0] if newest else None
    if found is None:
        raise NotFound("There is no run to resume in this experiment yet. Leave --resume out to start one.")
    return found.info.run_id


def cell_runs() -> tuple[str, ...]:
    """Return the ids of the runs that the executed cell started or logged to, in order."""
    return tuple(_state.cell.touched) if _state.cell is not None else ()


def cell_runs_reader() -> Callable[[], tuple[str, ...]]:
    """Return what gives the executed cell's runs, also after the cell has ended."""
    cell = _state.cell
    return lambda: tuple(cell.touched) if cell is not None else ()


def end_cell(status: str, error: str | None = None, traceback: str | None = None) -> tuple[str, ...]:
    """Say that the cell has ended: its own runs end with it.

    A run that ``start_run()`` left open stays open, unless the very cell that opened it
    went wrong. Returns the ids of the runs that the cell touched.
    """
    cell = _state.cell
    if cell is None:
        return ()
    touched = tuple(cell.touched)
    try:
        for opened in reversed(list(_state.open.values())):
            if opened.run.info.run_id not in cell.touched:
                continue
            if opened.owner != "user" or (status != RunStatus.FINISHED and opened.home is cell):
                _end(opened, status, error, traceback)
    finally:
        _state.cell = None
        _state.home_task = None
    return touched


def snapshot(run_ids: Sequence[str]) -> list[LiveRun]:
    """Return how runs of this process look right now, from memory."""
    found = [_state.live[run_id] for run_id in run_ids if run_id in _state.live]
    for item in found:
        item.fold()
    return found


def _script_tags() -> dict[str, str]:
    facts = git.facts(os.getcwd())
    tags = {
        SOURCE_NAME_TAG: config.script_name(),
        SOURCE_TYPE_TAG: "LOCAL",
        PYTHON_TAG: environment.python_version(),
        PLATFORM_TAG: environment.platform_name(),
    }
    return tags | git_tags(facts)


def git_tags(facts: git.GitFacts | None) -> dict[str, str]:
    """Return what is known of a work tree as tags."""
    if facts is None:
        return {}
    found = {
        GIT_COMMIT_TAG: facts.commit,
        GIT_BRANCH_TAG: facts.branch,
        GIT_REMOTE_TAG: facts.remote,
        GIT_DIRTY_TAG: None if facts.dirty is None else str(facts.dirty).lower(),
    }
    return {key: value for key, value in found.items() if value}


def _end_at_exit() -> None:
    """End what is still open when the process ends, and commit everything."""
    error = ending.reason()
    status, told, text = RunStatus.FINISHED, None, None
    if error is not None:
        status = RunStatus.KILLED if isinstance(error, KeyboardInterrupt) else RunStatus.FAILED
        told = "".join(tracebacks.format_exception_only(error)).strip()
        text = "".join(tracebacks.format_exception(error))
    try:
        for opened in reversed(list(_state.open.values())):
            with contextlib.suppress(TracknbError):
                _end(opened, status, told, text)
        _store_ends()
    finally:
        close_stores()


def _reset_after_fork() -> None:
    # A worker logs into the parent's runs; its exit must not end them.
    _state.lock = threading.RLock()
    live.reset_after_fork()
    atexit.unregister(_end_at_exit)
    # Only commit what this child logged.
    atexit.register(close_stores)
    workers.at_end_of_forked(_state, close_stores)
    # A forked worker has all of it in memory.
    _state.inherited = True
    for opened in _state.open.values():
        opened.owner = "worker"


atexit.register(_end_at_exit)
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_reset_after_fork)
