"""Which run is active, and a run's life: how it is opened, who ends it, what a cell and a worker take over.

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
import threading
import traceback as tracebacks
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from tracknb import alerts, config, live, names, provenance, validation
from tracknb.alerts import Rules
from tracknb.capture import ending, environment, git, secrets, workers
from tracknb.capture.hidden import CLEAN, DIRTY
from tracknb.client import TrackingClient, close_stores
from tracknb.entities import (
    ATTEMPT_TAG,
    CELL_GROUP_TAG,
    CODE_PARAMS_TAG,
    ERROR_TAG,
    GIT_BRANCH_TAG,
    GIT_CHANGES_TAG,
    GIT_COMMIT_TAG,
    GIT_DIRTY_TAG,
    GIT_REMOTE_TAG,
    GRADE_TAG,
    LEFT_OUT_PARAMS_TAG,
    NOTE_TAG,
    PARENT_TAG,
    PLATFORM_TAG,
    PYTHON_TAG,
    REPLAY_TAG,
    SOURCE_NAME_TAG,
    SOURCE_TYPE_TAG,
    TRACEBACK_TAG,
    Run,
    RunStatus,
    attempt_of,
    code_param_names,
)
from tracknb.errors import InvalidValue, NestedCall, NotFound, TracknbError
from tracknb.live import LiveRun
from tracknb.view.direction import Goals

if TYPE_CHECKING:
    from tracknb.monitor import Monitor

T = TypeVar("T")
# Step, time in ms, value and its number among the points of this process.
Point = tuple[int, int, float, int]
# "worker": the run is another process's, which ends it.
Owner = Literal["user", "cell", "bare", "worker"]
_TRACEBACK_LIMIT = 7_500
_LEFT_OUT_LIMIT = 2_000


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
class OpenRun:
    """An open run: where it logs, how it looks live, and who ends it."""

    run: ActiveRun
    client: TrackingClient
    live: LiveRun
    owner: Owner
    previous: Run | None = None
    adopted: bool = False
    durable: bool = False
    monitor: Monitor | None = None
    rules: Rules = field(default_factory=Rules)
    # A name such as "{model} lr={lr}", which the params fill in.
    template: str | None = None
    # What was asked of its surroundings; its end gets the answer.
    begun: provenance.Begun | None = None
    # The cell that this run was last touched in, and the one that it was opened in.
    cell: _Cell | None = None
    home: _Cell | None = None
    # By metric, once it was logged: where its points go, in the store and in the live curve.
    curves: dict[str, tuple[Callable[[int, int, float], Point], list[Point]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CodeParams:
    """Params that code gives a run by what it assigns, as texts, and why others are left out."""

    values: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    def tags(self, names: Collection[str] = (), left_out: str = "") -> dict[str, str]:
        """Return what is noted of them, beside names and reasons that are noted already."""
        told = [left_out] if left_out else []
        told += [f"{name}: {reason}" for name, reason in self.left_out.items() if f"{name}: {reason}" not in left_out]
        noted = {
            CODE_PARAMS_TAG: ", ".join(dict.fromkeys([*names, *self.values])),
            LEFT_OUT_PARAMS_TAG: "; ".join(told)[:_LEFT_OUT_LIMIT],
        }
        return {key: value for key, value in noted.items() if value}


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
    rules: Rules | None = None
    code_params: CodeParams = field(default_factory=CodeParams)
    opened: list[OpenRun] = field(default_factory=list)
    folder: Callable[[], str] = os.getcwd


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a run ended, until the store has taken it."""

    opened: OpenRun
    status: str
    end_time: int
    tags: dict[str, str]


class State:
    """What this process tracks right now."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.experiment: str | None = None
        self.shared: list[OpenRun] = []
        self.open: dict[str, OpenRun] = {}
        self.live: dict[str, LiveRun] = {}
        self.cell: _Cell | None = None
        self.home_task: asyncio.Task[Any] | None = None
        self.last: tuple[TrackingClient, str] | None = None
        self.inherited = False
        self.unended: dict[str, _Ending] = {}
        self.rules = Rules()
        # What gives papermill's parameters, in the kernel of a notebook that has some.
        self.injected: Callable[[], CodeParams] = CodeParams


state = State()
# Ids of runs whose `with` block is being executed.
_entered: set[str] = set()
own: ContextVar[tuple[OpenRun, ...]] = ContextVar("tracknb_runs", default=())


def client() -> TrackingClient:
    """Return a client of the store that holds at this moment."""
    if state.cell is not None and state.cell.client is not None:
        return state.cell.client
    inherit()
    return TrackingClient()


def current_experiment_id() -> str:
    """Return the id of the experiment that a new run would go to."""
    here = client()
    if state.cell is not None and state.cell.experiment_id is not None:
        return state.cell.experiment_id
    if state.experiment is not None:
        return here.get_or_create_experiment(state.experiment).experiment_id
    number, name = config.environment_experiment()
    if number is not None:
        return here.get_experiment(number).experiment_id
    if name is not None:
        return here.get_or_create_experiment(name).experiment_id
    return "0"


# -- which one -------------------------------------------------------------------------


def current() -> OpenRun | None:
    """Return the run that logging calls go to, or None."""
    for item in reversed(own.get()):
        if item.run.info.run_id in state.open:
            return item
    return state.shared[-1] if state.shared else inherit()


def needed() -> OpenRun:
    """Return the active run; without one a bare call starts it."""
    top = current()
    if top is None and len(state.open) == 1:
        # A helper thread of a task or thread that opened a run for itself: where only one is open, it is meant.
        top = next(iter(list(state.open.values())), None)
    if top is None:
        top = open_run(client(), None, None, {}, {}, None, "bare")
    elif state.cell is not None and top.run.info.run_id not in state.cell.touched:
        _touch(top)
    else:
        top.cell = state.cell
    return top


def _is_side() -> bool:
    """Tell whether this code runs in a thread or task of its own."""
    if threading.current_thread() is not threading.main_thread():
        return True
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task is not state.home_task


def _touch(opened: OpenRun) -> None:
    state.live[opened.run.info.run_id] = opened.live
    opened.cell = cell = state.cell
    if cell is not None:
        first = not cell.touched
        cell.touched[opened.run.info.run_id] = None
        if first and cell.on_run is not None:
            cell.on_run()


# -- opening ---------------------------------------------------------------------------


def open_run(
    here: TrackingClient,
    experiment_id: str | None,
    run_name: str | None,
    tags: Mapping[str, Any],
    params: Mapping[str, Any],
    parent: str | None,
    owner: Owner,
    *,
    durable: bool = False,
    system_metrics: bool | None = None,
) -> OpenRun:
    """Start a run with what its surroundings say of it, and make it active."""
    cell = state.cell
    context = dict(cell.tags()) if cell is not None else _script_tags()
    group = context.pop(CELL_GROUP_TAG, None)
    merged = {**context, **(cell.run_tags if cell is not None else {}), **tags}
    replayed = config.environment_replay_of()
    if replayed is not None:
        merged[REPLAY_TAG] = replayed
        parent = parent or replayed
        # It is no attempt of its own: what comes after it is held against the run itself.
        group = None
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
    code = _code_params(cell, params)
    run = here.create_run(
        experiment.experiment_id,
        tags={**merged, **code.tags()},
        run_name=run_name,
        params={**code.values, **params},
        attempt_group=attempt_group,
    )
    opened = OpenRun(
        run=_as_active(run),
        client=here,
        live=_live_of(run, experiment.name),
        owner=owner,
        previous=cell.previous if cell is not None else None,
    )
    if cell is not None:
        cell.attempt = run.data.tags.get(ATTEMPT_TAG)
        cell.opened.append(opened)
    opened.rules = replace((cell.rules if cell is not None else None) or state.rules, goals=Goals.of([experiment.tags]))
    opened.template = _template(run_name)
    note_changes(opened, run.data.params)
    if durable:
        make_durable(opened)
    _push(opened)
    name_by_params(opened)
    _watch(opened, system_metrics)
    _look_around(opened)
    return opened


def _code_params(cell: _Cell | None, params: Mapping[str, Any]) -> CodeParams:
    """Return what code gives a new run; the cell's own go before papermill's, and what is logged before both."""
    found = [state.injected(), *([cell.code_params] if cell is not None else [])]
    values = {name: text for item in found for name, text in item.values.items() if name not in params}
    left_out = {name: reason for item in found for name, reason in item.left_out.items() if name not in values}
    return CodeParams(values, left_out)


def log_code_params(code: CodeParams) -> None:
    """Log what code gave the runs that the executed cell opened, ended ones too; what a call logged stays."""
    if code.values or code.left_out:
        for opened in state.cell.opened if state.cell is not None else ():
            _add_code_params(opened, code)


def _add_code_params(opened: OpenRun, code: CodeParams) -> None:
    run_id = opened.run.info.run_id
    data = opened.client.get_run(run_id).data
    names = code_param_names(data.tags)
    values = {key: text for key, text in code.values.items() if key not in data.params or key in names}
    tags = CodeParams(values, code.left_out).tags(names, data.tags.get(LEFT_OUT_PARAMS_TAG, ""))
    opened.client.log_params(run_id, values, overwrite=True)
    opened.client.set_tags(run_id, tags)
    opened.live.params.update(values)
    opened.live.tags.update(tags)
    note_changes(opened, values)
    opened.live.version += 1
    if run_id in state.open:
        name_by_params(opened)


def _look_around(opened: OpenRun) -> None:
    """Begin to look for what the run keeps of its surroundings."""
    # Without a working directory there is nothing to look at.
    with contextlib.suppress(OSError):
        folder = state.cell.folder() if state.cell is not None else os.getcwd()
        opened.begun = provenance.begin(folder, as_files=opened.owner == "cell")


def _watch(opened: OpenRun, wanted: bool | None) -> None:
    if opened.monitor is None and (config.wants_system_metrics() if wanted is None else wanted):
        from tracknb import monitor  # here, because `import tracknb` is to stay fast

        opened.monitor = monitor.start(opened.client, opened.run.info.run_id)


def resume_run(
    here: TrackingClient, run_id: str, owner: Owner, *, durable: bool = False, system_metrics: bool | None = None
) -> ActiveRun:
    """Make a run that is in the store active again."""
    already = state.open.get(run_id)
    if already is not None:
        if durable:
            make_durable(already)
        _touch(already)
        _watch(already, system_metrics)
        return already.run
    here.update_run(run_id, RunStatus.RUNNING)
    run = here.get_run(run_id)
    opened = OpenRun(_as_active(run), here, _live_of(run, here.get_experiment(run.info.experiment_id).name), owner)
    opened.live.series.update(here.live_series(run_id))
    if durable:
        make_durable(opened)
    _push(opened)
    _watch(opened, system_metrics)
    _look_around(opened)
    return opened.run


def make_way(top: OpenRun) -> None:
    """End what a bare call left open, or refuse where a block still needs its run."""
    if top.owner == "worker":
        return
    if top in own.get() or not _is_side():
        if top.owner == "user" and top.run.info.run_id in _entered:
            raise InvalidValue(
                f"The run '{top.live.name}' is still active: its with block has not ended. "
                "Pass nested=True to start a child run inside it."
            )
        end_run(top, RunStatus.FINISHED)


def adopt(
    top: OpenRun, run_name: str | None, tags: Mapping[str, Any], *, system_metrics: bool | None = None
) -> ActiveRun:
    """Take over the run that a ``%%track_run`` cell was given."""
    top.adopted = True
    _watch(top, system_metrics)
    if run_name is None and not tags:
        return top.run
    changed(top, run_name, tags)
    if run_name is not None:
        top.template = _template(run_name)
        name_by_params(top)
    return top.run


def changed(opened: OpenRun, run_name: str | None, tags: Mapping[str, Any]) -> ActiveRun:
    """Give an open run another name and more tags."""
    opened.client.update_run(opened.run.info.run_id, name=run_name, tags=tags)
    opened.run = _as_active(opened.client.get_run(opened.run.info.run_id))
    opened.live.name = opened.run.info.run_name
    opened.live.tags.update({key: opened.run.data.tags[key] for key in tags})
    opened.live.version += 1
    return opened.run


def make_durable(opened: OpenRun) -> None:
    """Let every point reach the disk before its call returns, while this run is open."""
    opened.durable = True
    opened.client.set_durable(True)


def _live_of(run: Run, experiment: str) -> LiveRun:
    return LiveRun(
        run_id=run.info.run_id,
        name=run.info.run_name,
        experiment=experiment,
        status=run.info.status,
        start_time=run.info.start_time,
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        attempt=attempt_of(run.data.tags),
    )


def _as_active(run: Run) -> ActiveRun:
    return ActiveRun(run.info, run.data, run.inputs)


def note_changes(target: OpenRun, params: Mapping[str, str]) -> None:
    """Note which params differ from the previous attempt, for the live panel."""
    if target.previous is None:
        return
    before = target.previous.data.params
    told = {key for key, _, _ in target.live.changed}
    target.live.changed += [
        (key, before[key], value)
        for key, value in params.items()
        if key in before and before[key] != value and key not in told
    ]


def _template(run_name: str | None) -> str | None:
    return run_name if run_name is not None and "{" in run_name else None


def name_by_params(opened: OpenRun) -> None:
    """Give a run the name that its template and its params make, once all of them are there."""
    if opened.template is None:
        return
    name = names.filled(opened.template, opened.live.params)
    if name is None or name == opened.live.name:
        return
    # The params are stored; a name that cannot be must not make their call fail.
    with contextlib.suppress(InvalidValue):
        changed(opened, name[: validation.MAX_NAME], {})


def _push(opened: OpenRun) -> None:
    opened.home = state.cell
    with state.lock:
        if _is_side():
            own.set((*own.get(), opened))
        else:
            state.shared.append(opened)
        state.open[opened.run.info.run_id] = opened
        offer()
        ending.watch()
        ending.go_on()
        state.last = (opened.client, opened.run.info.run_id)
    _touch(opened)


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


# -- ending ----------------------------------------------------------------------------


def end_run(opened: OpenRun, status: str, error: str | None = None, traceback: str | None = None) -> None:
    """End a run; it leaves the stack even if the store refuses, and is ended when that is possible."""
    run_id = opened.run.info.run_id
    with state.lock:
        if state.open.pop(run_id, None) is None:
            return
        _entered.discard(run_id)
        state.shared = [item for item in state.shared if item is not opened]
    if opened.owner == "worker":
        opened.client.flush()
        return
    if opened.monitor is not None:
        opened.monitor.stop()
    # A traceback quotes source lines, and those may hold keys.
    error = secrets.mask(error, "an error") if error is not None else None
    traceback = secrets.mask(traceback, "a traceback") if traceback is not None else None
    live = opened.live
    # A clock that was set back must not end a run before its start.
    live.status, live.end_time, live.error = str(status), max(names.now_ms(), live.start_time), error
    live.version += 1
    live.fold()
    tags = alerts.due(live, opened.rules, live.end_time)
    live.tags.update(tags)
    if state.cell is None:
        # No panel will ask for it any more.
        state.live.pop(run_id, None)
    if error is not None:
        tags[ERROR_TAG] = _storable(error)[:_TRACEBACK_LIMIT]
    if traceback is not None:
        # The end of a traceback holds the error; its middle can be a thousand frames.
        tags[TRACEBACK_TAG] = _storable(traceback)[-_TRACEBACK_LIMIT:]
    try:
        if opened.begun is not None:
            tags |= provenance.end(opened.begun, opened.run.info.artifact_uri)
        if GIT_CHANGES_TAG in tags and live.tags.get(GRADE_TAG) == CLEAN:
            # Git had not said so when the run began.
            tags[GRADE_TAG] = live.tags[GRADE_TAG] = DIRTY
    finally:
        # Whoever presses Stop while git is waited for has ended the run all the same.
        state.unended[run_id] = _Ending(opened, str(status), live.end_time, tags)
        _store_end(opened)
    offer()
    if opened.durable and not any(item.durable for item in state.open.values()):
        opened.client.set_durable(config.is_durable())


def _store_end(opened: OpenRun) -> None:
    try:
        store_ends()
        if not state.open:
            opened.client.retire()
    except NestedCall:
        # In a signal handler, in the middle of a commit: a thread waits until that is over.
        threading.Thread(target=store_ends, name="tracknb-end", daemon=True).start()


def check_alerts() -> None:
    """Tag the open runs with what somebody would want to be told by now; the panel shows it."""
    for opened in list(state.open.values()):
        if opened.owner == "worker":
            continue
        tags = alerts.due(opened.live, opened.rules, names.now_ms())
        if tags:
            opened.client.set_tags(opened.run.info.run_id, tags)
            opened.live.tags.update(tags)
            opened.live.version += 1


def _storable(text: str) -> str:
    """Return a text of somebody else's as databases take it: what they refuse is written out."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def store_ends() -> None:
    """Store the ends of runs, those too that could not be stored before; one that fails stops no other."""
    failed: TracknbError | None = None
    for run_id, end in list(state.unended.items()):
        client = end.opened.client
        try:
            client.close_run(run_id, end.status, end.end_time, end.tags)
        except (NotFound, InvalidValue) as problem:
            # Somebody removed the run, or its end can never be stored: no later run is to stumble over it.
            failed = failed or problem
        except TracknbError as problem:
            failed = problem
            continue
        state.unended.pop(run_id, None)
    if failed is not None:
        raise failed


def _end_with_nested(run_id: str, status: str, error: str | None, traceback: str | None) -> None:
    """End a run, and with it the children that were left open inside it."""
    opened = state.open.get(run_id)
    if opened is None:
        return
    stack = own.get() if opened in own.get() else tuple(state.shared)
    for item in reversed(stack[stack.index(opened) :] if opened in stack else (opened,)):
        end_run(item, status, error, traceback)


def _end_at_exit() -> None:
    """End what is still open when the process ends, and commit everything."""
    error = ending.reason()
    status, told, text = RunStatus.FINISHED, None, None
    if error is not None:
        status = RunStatus.KILLED if isinstance(error, KeyboardInterrupt) else RunStatus.FAILED
        told = "".join(tracebacks.format_exception_only(error)).strip()
        text = "".join(tracebacks.format_exception(error))
    try:
        for opened in reversed(list(state.open.values())):
            with contextlib.suppress(TracknbError):
                end_run(opened, status, told, text)
        store_ends()
        provenance.finish()
    finally:
        close_stores()


# -- workers ---------------------------------------------------------------------------


def offer() -> None:
    """Tell workers that start from now on which run is meant."""
    top = state.shared[-1] if state.shared else None
    try:
        address = config.resolved_uri() if top is None else top.client.address
    except OSError:
        # The working directory is gone, and with it what a relative store means.
        return
    run_id = None if top is None else top.run.info.run_id
    workers.offer(workers.Offer(address, state.experiment, run_id, top is not None and top.durable))


def inherit() -> OpenRun | None:
    """Track where the process does that made this worker, if it is one, and in its run."""
    if state.inherited:
        return None
    with state.lock:
        meant = workers.offered()
        if meant is None or state.inherited:
            state.inherited = True
            return state.shared[-1] if state.shared else None
        if not config.is_chosen():
            config.choose_uri(meant.address)
            state.experiment = state.experiment or meant.experiment
        opened = None
        if meant.run_id is not None:
            here = TrackingClient(meant.address)
            run = here.get_run(meant.run_id)
            experiment = here.get_experiment(run.info.experiment_id).name
            opened = OpenRun(_as_active(run), here, _live_of(run, experiment), "worker")
            # For every thread and task of this worker, whichever came first.
            state.shared.append(opened)
            state.open[meant.run_id] = opened
            if meant.durable:
                make_durable(opened)
        # Last: what failed is tried again with the next call.
        state.inherited = True
        workers.at_end(close_stores)
        return opened


def _reset_after_fork() -> None:
    # A worker logs into the parent's runs; its exit must not end them.
    state.lock = threading.RLock()
    live.reset_after_fork()
    provenance.reset_after_fork()
    atexit.unregister(_end_at_exit)
    # Only commit what this child logged.
    atexit.register(close_stores)
    workers.at_end_of_forked(state, close_stores)
    # A forked worker has all of it in memory.
    state.inherited = True
    for opened in state.open.values():
        opened.owner, opened.monitor, opened.begun = "worker", None, None


# -- cells -----------------------------------------------------------------------------


def begin_cell(
    tags: Callable[[], Mapping[str, str]],
    on_run: Callable[[], None] | None = None,
    folder: Callable[[], str] = os.getcwd,
) -> None:
    """Say that a cell begins.

    Parameters
    ----------
    tags
        Asked for the cell's tags whenever a run starts in it.
    on_run
        Called when the cell touches its first run.
    folder
        Asked for where the notebook lies.
    """
    try:
        state.home_task = asyncio.current_task()
    except RuntimeError:
        state.home_task = None
    state.live = {run_id: opened.live for run_id, opened in state.open.items()}
    state.cell = _Cell(tags, on_run=on_run, folder=folder)


def mute_cell() -> None:
    """Say that the runs of the executed cell are not shown under it."""
    if state.cell is not None:
        state.cell.on_run = None


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
    system_metrics: bool | None = None,
    plateau: int | None = None,
    overtime_ms: int | None = None,
    code_params: CodeParams | None = None,
) -> ActiveRun:
    """Open the run of a ``%%track_run`` cell; its options hold for every run of the cell."""
    if state.cell is None:
        begin_cell(dict)
    cell = state.cell
    assert cell is not None
    cell.rules = Rules(
        plateau=state.rules.plateau if plateau is None else plateau,
        overtime_ms=state.rules.overtime_ms if overtime_ms is None else overtime_ms,
    )
    if code_params is not None:
        cell.code_params = code_params
    if store is not None:
        cell.client = TrackingClient(store)
    here = client()
    if experiment is not None:
        cell.experiment_id = here.get_or_create_experiment(experiment).experiment_id
    if resume is not None:
        run = resume_run(here, _resumed_id(here, resume), "cell", durable=durable, system_metrics=system_metrics)
        cell.opened.append(state.open[run.info.run_id])
        log_code_params(_code_params(cell, {}))
        return run
    if parent_run_id is not None:
        parent: str | None = here.get_run(parent_run_id).info.run_id
    else:
        top = current()
        parent = top.run.info.run_id if nested and top is not None else None
    cell.run_tags = dict(tags or {})
    own_tags = {NOTE_TAG: description} if description is not None else {}
    opened = open_run(
        here, None, run_name, own_tags, params or {}, parent, "cell", durable=durable, system_metrics=system_metrics
    )
    return opened.run


def _resumed_id(here: TrackingClient, resume: str) -> str:
    if resume != "last":
        return resume
    cell = state.cell
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
    return tuple(state.cell.touched) if state.cell is not None else ()


def cell_runs_reader() -> Callable[[], tuple[str, ...]]:
    """Return what gives the executed cell's runs, also after the cell has ended."""
    cell = state.cell
    return lambda: tuple(cell.touched) if cell is not None else ()


def shown_in() -> OpenRun | None:
    """Return the run of the executed cell that what is displayed now belongs to: the innermost, else its last."""
    opened = cell_opened()
    running = [item for item in opened if item.run.info.run_id in state.open]
    return next(reversed(running or opened), None)


def cell_opened() -> list[OpenRun]:
    """Return the runs that the executed cell opened, ended ones too."""
    return list(state.cell.opened) if state.cell is not None else []


def end_cell(status: str, error: str | None = None, traceback: str | None = None) -> tuple[str, ...]:
    """Say that the cell has ended: its own runs end with it.

    A run that ``start_run()`` left open stays open, unless the very cell that opened it
    went wrong. Returns the ids of the runs that the cell touched.
    """
    cell = state.cell
    if cell is None:
        return ()
    touched = tuple(cell.touched)
    try:
        for opened in reversed(list(state.open.values())):
            if opened.run.info.run_id not in cell.touched:
                continue
            if opened.owner != "user" or (status != RunStatus.FINISHED and opened.home is cell):
                end_run(opened, status, error, traceback)
    finally:
        state.cell = None
        state.home_task = None
    return touched


def snapshot(run_ids: Sequence[str]) -> list[LiveRun]:
    """Return how runs of this process look right now, from memory."""
    found = [state.live[run_id] for run_id in run_ids if run_id in state.live]
    for item in found:
        item.fold()
    return found


atexit.register(_end_at_exit)
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_reset_after_fork)
