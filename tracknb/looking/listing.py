"""Short lists: runs as one line each, and what the runs of each cell of a notebook came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tracknb import search
from tracknb.capture.environment import user_name
from tracknb.client import TrackingClient
from tracknb.entities import (
    ARCHIVED_TAG,
    CELL_ID_TAG,
    EXECUTION_COUNT_TAG,
    PARENT_TAG,
    SOURCE_NAME_TAG,
    SYSTEM_METRICS,
    Run,
    RunStatus,
    alerts_of,
    attempt_of,
    is_marked,
    star_tag,
)
from tracknb.looking.finding import in_use
from tracknb.view.base import sendable
from tracknb.view.chart import color_index
from tracknb.view.direction import Goals
from tracknb.view.format import clipped, json_number

# A cell's runs beyond the newest of a notebook are counted no more.
CELL_RUNS: Final = 2_000
_NAME_LETTERS: Final = 200


@dataclass(frozen=True, slots=True)
class RunList:
    """Runs as a list shows them, by run id, the newest first, and whether there are more."""

    rows: dict[str, dict[str, Any]]
    has_more: bool = False
    # The names of all experiments that a list of runs may be narrowed to.
    experiments: tuple[str, ...] = ()

    @property
    def is_changing(self) -> bool:
        """Whether time alone may change it: a run that is RUNNING may turn out to be lost."""
        return any(row.get("running") for row in self.rows.values())


def run_list(
    client: TrackingClient,
    *,
    query: str = "",
    experiment: str | None = None,
    notebook: Sequence[str] = (),
    starred: bool = False,
    limit: int,
) -> RunList:
    """Return the newest runs, of a notebook by its names or of all, as lines of a list.

    Raises
    ------
    FilterError
        The query cannot be read. Its place is that in the query as it was given.
    """
    experiments = {item.experiment_id: item for item in client.search_experiments(max_results=None)}
    if query:
        # By itself, so that an error points into what the user wrote.
        search.parse_filter(query)
    wanted = [f"({query})"] if query else []
    if notebook:
        wanted.append(search.tag_is_any(SOURCE_NAME_TAG, notebook))
    if starred:
        wanted.append(search.tag_is(star_tag(user_name()), "true"))
    ids = [key for key, item in experiments.items() if experiment is None or item.name == experiment]
    found = client.search_runs(ids, " and ".join(wanted), max_results=limit)
    goals = {key: Goals.of([item.tags]) for key, item in experiments.items()}
    rows = {
        run.info.run_id: _row(client, run, experiments[run.info.experiment_id].name, goals[run.info.experiment_id])
        for run in found
        if not is_marked(run.data.tags, ARCHIVED_TAG)
    }
    used = in_use(client, list(experiments.values()))
    return RunList(rows, found.token is not None, tuple(sendable(item.name) for item in used))


def cell_list(client: TrackingClient, notebook: Sequence[str]) -> RunList:
    """Return what is known of each tracked cell of a notebook, given by its names: runs, last and best value."""
    experiments = {item.experiment_id: item for item in client.search_experiments(max_results=None)}
    found = client.search_runs(list(experiments), search.tag_is_any(SOURCE_NAME_TAG, notebook), max_results=CELL_RUNS)
    by_cell: dict[str, list[Run]] = {}
    for run in found:
        if (cell := run.data.tags.get(CELL_ID_TAG)) and not is_marked(run.data.tags, ARCHIVED_TAG):
            by_cell.setdefault(cell, []).append(run)
    rows = {}
    for cell, runs in by_cell.items():
        goals = Goals.of([experiments[runs[0].info.experiment_id].tags])
        metric = headline_metric(runs[0].data.metrics, goals)
        values = [run.data.metrics.get(metric) for run in runs] if metric is not None else []
        rows[cell] = {
            "runs": len(runs),
            "isCut": found.token is not None,
            "running": any(run.info.status == RunStatus.RUNNING for run in runs),
            "status": runs[0].info.status,
            "metric": sendable(metric) if metric is not None else None,
            "last": json_number(values[0]) if values else None,
            "best": json_number(goals.best(metric, values)) if metric is not None else None,
        }
    return RunList(rows)


def headline_metric(metrics: Mapping[str, float], goals: Goals) -> str | None:
    """Return the metric to show where there is room for one: the primary, else one whose direction is known."""
    own = [key for key in metrics if not key.startswith(SYSTEM_METRICS)]
    return min(own, key=lambda key: (key != goals.primary, goals.direction(key) is None, key), default=None)


def _row(client: TrackingClient, run: Run, experiment: str, goals: Goals) -> dict[str, Any]:
    info, tags = run.info, run.data.tags
    metric = headline_metric(run.data.metrics, goals)
    is_running = info.status == RunStatus.RUNNING
    step = None
    if is_running and metric is not None:
        summary = client.metric_summaries(info.run_id).get(metric)
        step = summary.last_step if summary is not None else None
    return {
        "id": info.run_id,
        "name": sendable(clipped(info.run_name, _NAME_LETTERS)),
        "status": info.status,
        "running": is_running,
        "start": info.start_time,
        "end": info.end_time,
        "experiment": sendable(experiment),
        "color": color_index(info.run_id),
        "attempt": attempt_of(tags),
        "starred": is_marked(tags, star_tag(user_name())),
        "alerts": len(alerts_of(tags)),
        "parent": tags.get(PARENT_TAG),
        "metric": sendable(metric) if metric is not None else None,
        "value": json_number(run.data.metrics[metric]) if metric is not None else None,
        "step": step,
        "notebook": sendable(tags.get(SOURCE_NAME_TAG, "")),
        "cell": sendable(tags.get(CELL_ID_TAG, "")),
        "count": sendable(tags.get(EXECUTION_COUNT_TAG, "")),
    }
