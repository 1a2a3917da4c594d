"""Comparisons of runs that somebody named."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from tracknb import names
from tracknb.capture.displays import FOLDER as OUTPUTS_FOLDER
from tracknb.capture.lockfile import Lock
from tracknb.client import TrackingClient
from tracknb.entities import ENVIRONMENT_TAG, SYSTEM_METRICS, Run
from tracknb.errors import InvalidValue, TracknbError
from tracknb.files import LocalArtifacts
from tracknb.live import LiveSeries
from tracknb.looking.changes import changes_of
from tracknb.looking.curves import run_ids
from tracknb.looking.finding import named_run
from tracknb.provenance import lock_of
from tracknb.view.changes import Changes
from tracknb.view.compare import Comparison
from tracknb.view.direction import Goals

# More columns than this nobody reads; parallel coordinates of a table show hundreds of runs.
MOST_RUNS: Final = 50
_CURVES: Final = 120
_METRICS: Final = 12
_POINTS: Final = 400
# Beside each other more pictures than these could not be seen.
_OUTPUTS: Final = 8
# Small files are read for it; from a bucket not all of them may come in time.
_ENVIRONMENT_SECONDS: Final = 3.0


def named_runs(client: TrackingClient, wanted: Iterable[Any]) -> list[Run]:
    """Return the runs that ids, beginnings of ids, names, ``last``, runs or frames mean, each once.

    Raises
    ------
    NotFound
        A run is unknown.
    InvalidValue
        They are fewer than two runs, or more than can stand side by side.
    """
    found: dict[str, Run] = {}
    for item in wanted:
        runs = [named_run(client, item)] if isinstance(item, str) else [client.get_run(it) for it in run_ids(item)]
        found.update({run.info.run_id: run for run in runs})
    if len(found) > MOST_RUNS:
        raise too_many(len(found))
    if len(found) < 2:
        one = f"Only '{next(iter(found.values())).info.run_name}' was named. " if found else ""
        raise InvalidValue(
            f"{one}A comparison needs at least two runs: by id, the beginning of one, name, or 'last'. "
            "For example: %track compare baseline last"
        )
    return list(found.values())


def too_many(count: int) -> InvalidValue:
    """Return the error for more runs than can stand side by side."""
    return InvalidValue(
        f"{count:,} runs are too many to stand side by side; compare at most {MOST_RUNS}, "
        "or look at all of them in a run table."
    )


def comparison(client: TrackingClient, runs: Sequence[Run], *, differences_only: bool = False) -> Comparison:
    """Return the comparison of runs with the first of them, curves included."""
    experiments = {item: client.get_experiment(item) for item in dict.fromkeys(run.info.experiment_id for run in runs)}
    curves, left_out = _curves(client, runs)
    return Comparison.of(
        runs,
        experiments={item: experiment.name for item, experiment in experiments.items()},
        curves=curves,
        goals=Goals.of(experiment.tags for experiment in experiments.values()),
        now_ms=names.now_ms(),
        differences_only=differences_only,
        curves_left_out=left_out,
        environments=_environments(client, runs),
        cells={run.info.run_id: client.get_cells(run.info.run_id) for run in runs},
        changes=_in_short(client, *runs) if differences_only and len(runs) == 2 else None,
        with_outputs=[run.info.run_id for run in runs[:_OUTPUTS] if _has_outputs(client, run)],
    )


def _has_outputs(client: TrackingClient, run: Run) -> bool:
    try:
        folder = client.artifacts(run.info.run_id)
        # A bucket would have to be waited for.
        return isinstance(folder, LocalArtifacts) and bool(folder.list(OUTPUTS_FOLDER))
    except TracknbError:
        return False


def _in_short(client: TrackingClient, old: Run, new: Run) -> Changes:
    # Two of one name are mostly attempts of one cell.
    name = old.info.run_name
    return changes_of(client, old, new, since=None if name == new.info.run_name else name)


def _environments(client: TrackingClient, runs: Sequence[Run]) -> dict[str, Lock]:
    """Return what the runs imported, by run id; each environment is read once."""
    until = time.monotonic() + _ENVIRONMENT_SECONDS
    read: dict[str, Lock] = {}
    found: dict[str, Lock] = {}
    for run in runs:
        digest = run.data.tags.get(ENVIRONMENT_TAG)
        if digest is None:
            continue
        lock = read.get(digest)
        if lock is None and time.monotonic() < until:
            lock = lock_of(client, run)
        if lock is not None:
            found[run.info.run_id] = read[digest] = lock
    return found


def _curves(client: TrackingClient, runs: Sequence[Run]) -> tuple[dict[str, dict[str, LiveSeries]], int]:
    """Return the curves of the metrics that most runs have, and how many metrics have some that are not given."""
    held = {
        run.info.run_id: {
            key: summary for key, summary in client.metric_summaries(run.info.run_id).items() if summary.count > 1
        }
        for run in runs
    }
    counts = Counter(key for of_run in held.values() for key in of_run)
    # What the machine did comes after what the model did.
    ordered = sorted(counts, key=lambda key: (key.startswith(SYSTEM_METRICS), -counts[key], key))
    chosen = ordered[: max(1, min(_METRICS, _CURVES // len(runs)))]
    curves = {
        run_id: {
            key: LiveSeries.stored(key, of_run[key], client.metric_curve(run_id, key, _POINTS))
            for key in chosen
            if key in of_run
        }
        for run_id, of_run in held.items()
    }
    return curves, len(ordered) - len(chosen)
