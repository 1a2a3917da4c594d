"""A run again: the cells behind it, in a new kernel, and whether the numbers are the same."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from tracknb import config
from tracknb.capture import lockfile
from tracknb.capture.environment import VARIABLES
from tracknb.capture.executions import DELETED, OTHERS, in_words
from tracknb.client import TrackingClient
from tracknb.entities import (
    CELL_GROUP_TAG,
    EXECUTION_COUNT_TAG,
    HIDDEN_STATE_TAG,
    PYTHON_TAG,
    REPLAY_TAG,
    SOURCE_NAME_TAG,
    CellExecution,
    Run,
    RunStatus,
)
from tracknb.errors import InvalidValue, MissingExtra, TracknbError
from tracknb.executing import execute
from tracknb.installing import Environment, environment
from tracknb.provenance import lock_of, lock_text_of
from tracknb.view.replay import Departure, Difference, ReplayVerdict, compared_metrics

# Beyond this share of a value two numbers count as different: other machines round sums otherwise.
TOLERANCE: Final = 1e-6
_NEEDED: Final = ("nbclient", "nbformat", "ipykernel")


def say_on_stderr(text: str) -> None:
    """Tell how far a replay is, beside its answer."""
    print(text, file=sys.stderr, flush=True)


def replay(
    client: TrackingClient,
    run: Run,
    *,
    locked: bool = False,
    timeout_seconds: int | None = None,
    say: Callable[[str], None] = say_on_stderr,
) -> ReplayVerdict:
    """Run the cells that a run depends on, and its own, in a new kernel; return how the numbers compare.

    Parameters
    ----------
    run
        The run; what is made again is a child of it, tagged with its id.
    locked
        Whether it runs in a new environment of the packages that the run recorded.
    timeout_seconds
        The longest that one cell may take; any time if left out.
    say
        Is told how far the environment is.

    Raises
    ------
    InvalidValue
        Its cells were not recorded, as of a run that a script made; or its packages.
    MissingExtra
        nbclient or ipykernel is not installed.
    TracknbError
        A cell failed that did not fail then, or none made a run in this store; or the
        environment cannot be made.
    """
    cells = client.get_cells(run.info.run_id)
    if not cells:
        raise InvalidValue(
            f"Which cells made {run.info.run_name} was not recorded, so it cannot be replayed. "
            "tracknb.code() shows what is known of its code."
        )
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(f'A replay needs {", ".join(missing)}. Install: pip install "tracknb[lab]"')
    known = {item.info.run_id for item in _replays(client, run)}
    with _environment_of(client, run, locked=locked, say=say) as made_for_it:
        _execute(client, run, cells, timeout_seconds, made_for_it)
    made = [item for item in _replays(client, run) if item.info.run_id not in known]
    if not made:
        raise TracknbError(
            f"The cells of {run.info.run_name} ran, and made no run in {client.tracking_uri}. "
            "Perhaps one of them names another store."
        )
    again = _likest(client, run, made, cells)
    found = differences(run, again)
    departs = None
    notes = [] if made_for_it is None else list(made_for_it.notes)
    if found:
        then, now = (item.data.tags.get(PYTHON_TAG, "") for item in (run, again))
        if then.split(".")[:2] == now.split(".")[:2]:
            departs = departure(cells, client.get_cells(again.info.run_id, with_before=True))
        else:
            # Each compiles functions in another way.
            notes.append(f"Python {now} (then {then}): which cell departs cannot be told.")
        if HIDDEN_STATE_TAG in run.data.tags:
            reasons = " ".join(run.data.tags[HIDDEN_STATE_TAG].splitlines())
            notes.append(f"Hidden state of the run: {reasons}")
    if found or locked:
        notes += _other_packages(lock_of(client, run), lock_of(client, again), locked=locked)
    where = "" if made_for_it is None else made_for_it.description
    return ReplayVerdict(run, again, found, cells=len(cells), departure=departs, environment=where, notes=notes)


@contextlib.contextmanager
def _environment_of(
    client: TrackingClient, run: Run, *, locked: bool, say: Callable[[str], None]
) -> Iterator[Environment | None]:
    """Make the environment that a run recorded; None stands for the one that is here."""
    if not locked:
        yield None
        return
    text = lock_text_of(client, run)
    if text is None:
        raise InvalidValue(f"{run.info.run_name} keeps no record of its packages. Replay it without --locked.")
    try:
        wanted = lockfile.requirements(text)
    except ValueError as problem:
        raise InvalidValue(f"The recorded packages of {run.info.run_name} cannot be read: {problem}.") from problem
    with environment(wanted, say=say) as made_for_it:
        # They change what a computation gives, as the packages do.
        told = lockfile.read(text).variables
        kept = {name: told[name] for name in VARIABLES if name in told}
        yield dataclasses.replace(made_for_it, variables={**made_for_it.variables, **kept})


def _other_packages(then: lockfile.Lock | None, now: lockfile.Lock | None, *, locked: bool) -> list[str]:
    """Return a sentence on packages whose version is another one now; tracknb itself is always the one that is here."""
    if then is None or now is None:
        return []
    shared = sorted((then.versions.keys() & now.versions.keys()) - {"tracknb"})
    other = [
        f"{name} {now.versions[name]} (then {then.versions[name]})"
        for name in shared
        if now.versions[name] != then.versions[name]
    ]
    if not other:
        return []
    more = f" and {len(other) - 5} more" if len(other) > 5 else ""
    hint = "" if locked else " --locked installs those of then."
    return [f"Packages that differ: {', '.join(other[:5])}{more}.{hint}"]


def differences(run: Run, again: Run) -> list[Difference]:
    """Return what differs between a run and its replay: how they ended, the metrics' last values, and params.

    How busy the machine was, the metrics ``system/...``, is no result.
    """
    found = []
    if RunStatus.RUNNING != run.info.status != again.info.status:
        found.append(Difference("status", "", run.info.status, again.info.status))
    metrics, metrics_now = compared_metrics(run), compared_metrics(again)
    for key in sorted(metrics.keys() | metrics_now.keys()):
        was, now = metrics.get(key), metrics_now.get(key)
        if was is None or now is None:
            found.append(Difference("metric", key, _written(was), _written(now)))
        elif not (was == now or (math.isnan(was) and math.isnan(now))):
            is_close = math.isclose(was, now, rel_tol=TOLERANCE)
            found.append(Difference("metric", key, repr(was), repr(now), is_close=is_close))
    params, params_now = run.data.params, again.data.params
    for key in sorted(params.keys() | params_now.keys()):
        if params.get(key) != params_now.get(key):
            found.append(Difference("param", key, params.get(key), params_now.get(key)))
    return found


def _written(value: float | None) -> str | None:
    return None if value is None else repr(value)


def departure(cells: Sequence[CellExecution], again: Sequence[CellExecution]) -> Departure | None:
    """Return the first of a run's cells whose result is known to be another one in the replay.

    Only names count for which a cell is needed, so a clock that nobody reads makes no difference.

    Parameters
    ----------
    cells
        Those that the run depends on, and its own.
    again
        All that ran in the kernel of the replay: one that loads tracknb, and the same cells.

    Examples
    --------
    >>> def cell(number, source, role, names, digests):
    ...     return CellExecution(number, source, "", number, 0, 0, "FINISHED", role, names, digests)
    >>> then = [cell(3, "rows = read()", "needed", ("rows",), {"rows": "1f"}), cell(4, "fit(rows)", "tracked", (), {})]
    >>> load = cell(1, "%load_ext tracknb", "before", (), {})
    >>> now = [load, cell(2, "rows = read()", "before", (), {"rows": "2e"}), cell(3, "fit(rows)", "tracked", (), {})]
    >>> departure(then, now).sentence
    'The first cell whose result is known to depart is [3]: `rows` is another value.'
    """
    held: dict[str, str] = {}
    unknown: list[str] = []
    for cell, repeated in zip(cells, again[1:], strict=False):
        if repeated.source != cell.source:
            # A cell that loads the extension anew begins to count anew.
            return None
        if cell.role == "tracked":
            return Departure(cell.execution_count, cell.source, unknown=tuple(dict.fromkeys(unknown)))
        held |= repeated.digests
        departed = [] if cell.status == repeated.status else [f"its end ({repeated.status.lower()})"]
        for name in cell.names:
            then, now = cell.digests.get(name, ""), held.get(name, "" if OTHERS in held else DELETED)
            if not then or not now:
                unknown.append(in_words(name))
            elif then != now:
                departed.append(in_words(name))
        if departed:
            return Departure(cell.execution_count, cell.source, tuple(departed), tuple(dict.fromkeys(unknown)))
    return None


def _replays(client: TrackingClient, run: Run) -> list[Run]:
    """Return the replays of a run, the oldest first."""
    filter_string = f"tags.`{REPLAY_TAG}` = '{run.info.run_id}'"
    ids = [item.experiment_id for item in client.search_experiments(max_results=None)]
    return list(client.search_runs(ids, filter_string))[::-1]


def _likest(client: TrackingClient, run: Run, made: Sequence[Run], cells: Sequence[CellExecution]) -> Run:
    """Return which of several new runs stands for the old one: a cell may make many, and one before it too."""
    # Behind the cell that loads tracknb; cells before the run's own may be tracked as well.
    count = str(len(cells) + 1)
    made = [item for item in made if item.data.tags.get(EXECUTION_COUNT_TAG) == count] or made
    place = _place_in_cell(client, run, cells[-1]) if len(made) > 1 else 0

    def unlike(nth: int) -> tuple[bool, bool, bool, int]:
        other = made[nth]
        return (
            other.info.run_name != run.info.run_name,
            dict(other.data.params) != dict(run.data.params),
            other.data.metrics.keys() != run.data.metrics.keys(),
            abs(nth - place),
        )

    return made[min(range(len(made)), key=unlike)]


def _place_in_cell(client: TrackingClient, run: Run, cell: CellExecution) -> int:
    """Return how many runs the same execution of a cell opened before a run."""
    group = run.data.tags.get(CELL_GROUP_TAG, "")
    when = f"attributes.start_time >= {cell.start_time} and attributes.start_time <= {run.info.start_time}"
    found = client.search_runs([run.info.experiment_id], f"tags.`{CELL_GROUP_TAG}` = '{group}' and {when}")
    ids = [item.info.run_id for item in reversed(found)]
    return ids.index(run.info.run_id) if run.info.run_id in ids else 0


def _execute(
    client: TrackingClient,
    run: Run,
    cells: Sequence[CellExecution],
    timeout_seconds: int | None,
    made_for_it: Environment | None,
) -> None:
    import nbformat
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call,unused-ignore]
        cells=[_load_cell(), *map(_as_cell, cells)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    source = run.data.tags.get(SOURCE_NAME_TAG, "")
    folder = os.path.dirname(source) if os.path.isabs(source) else ""
    folder = folder if os.path.isdir(folder) else os.getcwd()
    finished: list[None] = []
    try:
        execute(
            notebook,
            folder=folder,
            environment=_variables(client, run, source, os.environ if made_for_it is None else made_for_it.variables),
            timeout_seconds=timeout_seconds,
            python=None if made_for_it is None else made_for_it.python,
            done=lambda: finished.append(None),
        )
    except CellExecutionError as problem:
        raise TracknbError(
            f"{_first_failed(notebook, cells)} failed, and did not when {run.info.run_name} was made: "
            f"{problem.ename}: {problem.evalue}. Its code: %track code {run.info.run_id[:8]}"
            + "".join(f"\n{note}" for note in (made_for_it.notes if made_for_it is not None else ()))
        ) from problem
    except CellTimeoutError as problem:
        raise TracknbError(
            f"The {_named(cells, len(finished))} took longer than {timeout_seconds} s, so the replay of "
            f"{run.info.run_name} was stopped. More time: --timeout SECONDS"
        ) from problem
    except DeadKernelError as problem:
        raise TracknbError(
            f"The kernel died at the {_named(cells, len(finished))} when {run.info.run_name} was replayed. "
            "Perhaps there was not enough memory."
        ) from problem


def _variables(client: TrackingClient, run: Run, source: str, others: Mapping[str, str]) -> Mapping[str, str]:
    own = {
        "TRACKNB_TRACKING_URI": client.address,
        config.REPLAY_VARIABLE: run.info.run_id,
        # What Jupyter Server sets for its kernels: the new run's source is the same notebook.
        "JPY_SESSION_NAME": source,
    }
    return {**others, **own}


def _load_cell() -> Any:
    """Return the cell that makes ``%%track_run`` known; the run's own kernel may have loaded it by its settings."""
    import nbformat

    return nbformat.v4.new_code_cell("%load_ext tracknb")  # type: ignore[no-untyped-call,unused-ignore]


def _as_cell(cell: CellExecution) -> Any:
    import nbformat

    # One that failed then is let fail again: what it did before that counts.
    tags = [] if cell.status == "FINISHED" else ["raises-exception"]
    return nbformat.v4.new_code_cell(cell.source, metadata={"tags": tags})  # type: ignore[no-untyped-call,unused-ignore]


def _first_failed(notebook: Any, cells: Sequence[CellExecution]) -> str:
    for place, (item, cell) in enumerate(zip(notebook.cells[1:], cells, strict=True), 1):
        failed = any(output.output_type == "error" for output in item.get("outputs", []))
        if failed and cell.status == "FINISHED":
            return f"The {_named(cells, place)}"
    return "A cell"


def _named(cells: Sequence[CellExecution], place: int) -> str:
    """Return what the cell at a place of the replay is called; the first one loads tracknb."""
    count = cells[place - 1].execution_count if 0 < place <= len(cells) else 0
    return f"cell [{count}]" if count else "cell without a number" if place else "cell that loads tracknb"
