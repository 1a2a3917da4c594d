"""What a view on the screen may ask while a kernel runs, and what it is told.

A question is a small dictionary: ``ask`` names it, the other keys are its arguments. The
answer is a dictionary for strict JSON; what is too big for JSON travels as bytes beside it.
Questions come from a page, so each argument is looked at before it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from tracknb import active, names
from tracknb.client import TrackingClient
from tracknb.errors import InvalidValue
from tracknb.looking.catalogue import catalogue, experiment_page
from tracknb.looking.curves import as_live
from tracknb.looking.finding import Found, find
from tracknb.looking.tables import run_table, trend_view
from tracknb.view.base import View, view_by_id
from tracknb.view.panel import Panel

ViewType = TypeVar("ViewType", bound=View)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the page is told; ``buffers`` are binary parts that ``content`` speaks of by their place."""

    content: dict[str, Any]
    buffers: tuple[bytes, ...] = ()


_Answering = Callable[[TrackingClient, Mapping[str, Any]], Answer]
_QUESTIONS: Final[dict[str, _Answering]] = {}
# The store that a view was made from, while somebody holds the view.
_clients: Final[WeakKeyDictionary[View, TrackingClient]] = WeakKeyDictionary()


def remember(view: ViewType, client: TrackingClient) -> ViewType:
    """Note which store a view was made from, so that its questions are put to the same one."""
    _clients[view] = client
    return view


def question(name: str) -> Callable[[_Answering], _Answering]:
    """Register what answers the question ``{"ask": name, ...}``."""

    def register(function: _Answering) -> _Answering:
        _QUESTIONS[name] = function
        return function

    return register


def answer(asked: Mapping[str, Any], view_id: str | None = None) -> Answer:
    """Return the answer to a question of a view, or of one that this process no longer knows.

    Raises
    ------
    TracknbError
        The question is unknown, an argument does not fit, or what it names does not exist.
    """
    name = asked.get("ask")
    answering = _QUESTIONS.get(name) if isinstance(name, str) else None
    if answering is None:
        raise InvalidValue(f"Nobody here can answer '{name}'. Restart the kernel if tracknb was updated.")
    view = view_by_id(view_id) if view_id is not None else None
    client = _clients.get(view) if view is not None else None
    return answering(client or active.client(), asked)


def pages_of(client: TrackingClient, run_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the pages of runs by run id, for an output that is to show them without a kernel."""
    pages = {run_id: _QUESTIONS["run"](client, {"ask": "run", "id": run_id}) for run_id in run_ids}
    return {run_id: page.content for run_id, page in pages.items() if not page.buffers}


def text_of(asked: Mapping[str, Any], key: str) -> str:
    """Return an argument that must be text.

    Raises
    ------
    InvalidValue
        It is missing or something else.
    """
    value = asked.get(key)
    if not isinstance(value, str):
        raise InvalidValue(f"The question '{asked.get('ask')}' needs a text as '{key}'.")
    return value


def texts_of(asked: Mapping[str, Any], key: str) -> list[str]:
    """Return an argument that must be a list of texts; see `text_of`."""
    value = asked.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidValue(f"The question '{asked.get('ask')}' needs a list of texts as '{key}'.")
    return value


# -- the questions -----------------------------------------------------------------


@question("run")
def _run(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with the page of a run."""
    run = client.get_run(text_of(asked, "id"))
    return Answer(remember(Panel.of([as_live(client, run)], now_ms=names.now_ms()), client).payload())


@question("runs")
def _runs(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with the run table of an experiment, or of all where ``experiment`` is null."""
    return Answer(remember(run_table(_found(client, asked)), client).payload())


@question("trend")
def _trend(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with the trend of an experiment, or of all where ``experiment`` is null."""
    metric = text_of(asked, "metric") if asked.get("metric") is not None else None
    return Answer(remember(trend_view(_found(client, asked), metric), client).payload())


def _found(client: TrackingClient, asked: Mapping[str, Any]) -> Found:
    wanted = [text_of(asked, "experiment")] if asked.get("experiment") is not None else []
    query = text_of(asked, "query") if asked.get("query") is not None else ""
    return find(client, query=query, experiment=wanted, all_experiments=not wanted)


@question("experiments")
def _experiments(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with the catalogue."""
    return Answer(remember(catalogue(client), client).payload())


@question("experiment")
def _experiment(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with the page of an experiment, by its id."""
    experiment = client.get_experiment(text_of(asked, "id"))
    return Answer(remember(experiment_page(client, experiment), client).payload())


@question("change_experiment")
def _change_experiment(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Set tags of an experiment and take others off; answer with its tags as they are then."""
    tags = asked.get("set") or {}
    if not isinstance(tags, dict) or not all(isinstance(item, str) for pair in tags.items() for item in pair):
        raise InvalidValue("The question 'change_experiment' needs texts by key as 'set'.")
    removed = texts_of(asked, "delete") if asked.get("delete") is not None else []
    changed = client.change_experiment_tags(text_of(asked, "id"), tags, removed)
    return Answer({"tags": dict(changed.tags)})
