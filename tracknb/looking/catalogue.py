"""The catalogue of a store, an experiment's page, and the dashboard that holds both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tracknb import names
from tracknb.capture import environment
from tracknb.client import TrackingClient
from tracknb.entities import Experiment
from tracknb.looking.finding import DEFAULT_LIMIT, find, places_of
from tracknb.looking.tables import run_table
from tracknb.view.dashboard import Dashboard
from tracknb.view.experiments import ExperimentList, ExperimentPage

# Run pages in an output and in a saved page, and experiments beside the open one in a saved page.
_PAGES: Final = 3
_PAGES_SAVED: Final = 30
_OTHERS_SAVED: Final = 20


def catalogue(client: TrackingClient) -> ExperimentList:
    """Return the experiments of a store; ``Default``, which every store begins with, only once it has runs."""
    user = environment.user_name()
    found = client.search_experiments(max_results=None)
    use = client.experiment_use(user)
    others = [item for item in found if item.experiment_id != "0"]
    shown = others if others and "0" not in use else list(found)
    return ExperimentList.of(shown, use=use, user=user, now_ms=names.now_ms())


def experiment_page(client: TrackingClient, experiment: Experiment, limit: int = DEFAULT_LIMIT) -> ExperimentPage:
    """Return the page of one experiment."""
    user = environment.user_name()
    use = client.experiment_use(user, [experiment.experiment_id])
    alone = ExperimentList.of([experiment], use=use, user=user, now_ms=names.now_ms())
    runs = run_table(find(client, experiment=[experiment.name], limit=limit))
    return ExperimentPage(alone, runs, experiment.lifecycle_stage)


def dashboard_view(
    client: TrackingClient,
    *,
    experiment: str | None,
    pages_of: Callable[[TrackingClient, Sequence[str]], Mapping[str, dict[str, Any]]],
    is_page: bool = False,
) -> Dashboard:
    """Return the dashboard: the catalogue, and the runs of one experiment with pages of the newest.

    Without ``experiment`` it is the one that this process works in, else the one that was used
    last. ``is_page`` makes it whole enough for a page that no kernel stands behind.
    """
    listed = catalogue(client)
    places = places_of(client, [experiment] if experiment is not None else [], all_experiments=False)
    chosen = next(iter(places.values()), None)
    if len(places) > 1 and listed.experiments:
        chosen = listed.experiments[0].name
    table = run_table(find(client, experiment=[chosen])) if chosen is not None else None
    newest = [] if table is None else table.runs[: _PAGES_SAVED if is_page else _PAGES]
    nearby = [item.name for item in listed.experiments if item.name != chosen and listed.use_of(item).runs]
    return Dashboard(
        listed,
        table,
        chosen,
        pages=pages_of(client, [run.info.run_id for run in newest]),
        others={name: run_table(find(client, experiment=[name])) for name in nearby[:_OTHERS_SAVED]} if is_page else {},
    )
