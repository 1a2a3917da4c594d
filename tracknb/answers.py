"""What a view on the screen may ask while a kernel runs, and what it is told.

A question is a small dictionary: ``ask`` names it, the other keys are its arguments. The
answer is a dictionary for strict JSON; what is too big for JSON travels as bytes beside it.
Questions come from a page, so each argument is looked at before it is used.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from tracknb import active, names
from tracknb.capture.environment import user_name
from tracknb.client import TrackingClient
from tracknb.entities import ARCHIVED_TAG, NOTE_TAG, PIN_TAGS, STAR_TAGS, is_own_tag, pin_tag, star_tag
from tracknb.errors import InvalidValue, NotFound
from tracknb.looking.catalogue import catalogue, dashboard_view, experiment_page
from tracknb.looking.changes import changes_since_previous
from tracknb.looking.compare import MOST_RUNS, comparison, named_runs, too_many
from tracknb.looking.curves import as_live
from tracknb.looking.finding import DEFAULT_LIMIT, Found, find
from tracknb.looking.page import folder, preview, run_page, whole
from tracknb.looking.tables import run_table, sparks, trend_view
from tracknb.view.base import View, sendable, view_by_id
from tracknb.view.panel import Panel
from tracknb.view.table import RunsView, RunTable

ViewType = TypeVar("ViewType", bound=View)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the page is told; ``buffers`` are binary parts that ``content`` speaks of by their place."""

    content: dict[str, Any]
    buffers: tuple[bytes, ...] = ()


_Answering = Callable[[TrackingClient, Mapping[str, Any]], Answer]
_QUESTIONS: Final[dict[str, _Answering]] = {}
# A list, because what a page asks for may be anything, which no set would look up.
_WRITING: Final[list[str]] = []
# The store that a view was made from, while somebody holds the view.
_clients: Final[WeakKeyDictionary[View, TrackingClient]] = WeakKeyDictionary()


def remember(view: ViewType, client: TrackingClient) -> ViewType:
    """Note which store a view was made from, so that its questions are put to the same one."""
    _clients[view] = client
    return view


def question(name: str, *, is_writing: bool = False) -> Callable[[_Answering], _Answering]:
    """Register what answers the question ``{"ask": name, ...}``, and whether that changes the store."""

    def register(function: _Answering) -> _Answering:
        _QUESTIONS[name] = function
        if is_writing:
            _WRITING.append(name)
        return function

    return register


def answer(asked: Mapping[str, Any], view_id: str | None = None, *, client: TrackingClient | None = None) -> Answer:
    """Return the answer to a question of a view, or of one that this process no longer knows.

    Asked is the store of ``client``, else the one that the view was made from, else this process's.

    Raises
    ------
    TracknbError
        The question is unknown, an argument does not fit, or what it names does not exist.
    """
    name = asked.get("ask")
    answering = _QUESTIONS.get(name) if isinstance(name, str) else None
    if answering is None:
        raise InvalidValue(f"Nobody here can answer '{name}'. Restart the kernel if tracknb was updated.")
    view = view_by_id(view_id) if client is None and view_id is not None else None
    if view is not None:
        client = _clients.get(view)
    return answering(client or active.client(), asked)


def is_writing(asked: Mapping[str, Any]) -> bool:
    """Say whether a question changes the store."""
    return asked.get("ask") in _WRITING


def pages_of(client: TrackingClient, run_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the pages of runs by run id, for an output that is to show them without a kernel."""
    return {run_id: run_page(client, client.get_run(run_id)).payload() for run_id in run_ids}


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


def whole_of(asked: Mapping[str, Any], key: str) -> int:
    """Return an argument that must be a whole number, zero or more; see `text_of`."""
    value = asked.get(key)
    if type(value) is not int or value < 0:
        raise InvalidValue(f"The question '{asked.get('ask')}' needs a whole number as '{key}'.")
    return value


def tags_of(asked: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Return the tags that a page wants to set, and those that it wants gone.

    A page may write a user's own tags, the note, whether something is archived, and the marks
    of the user who runs this kernel. All else is what the tracker found out, or another user's: a
    notebook of strangers must not rewrite it at a click.

    Raises
    ------
    InvalidValue
        One of the tags is not for pages, or they are no texts by key.
    """
    tags = asked.get("set") or {}
    if not isinstance(tags, dict) or not all(isinstance(item, str) for pair in tags.items() for item in pair):
        raise InvalidValue(f"The question '{asked.get('ask')}' needs texts by tag as 'set'.")
    gone = texts_of(asked, "delete") if asked.get("delete") is not None else []
    user = user_name()
    for key in (*tags, *gone):
        if is_own_tag(key) or key in (NOTE_TAG, ARCHIVED_TAG, star_tag(user), pin_tag(user)):
            continue
        if key.startswith((STAR_TAGS, PIN_TAGS)):
            raise InvalidValue(
                f"'{key}' is a mark of another user; yours is called '{star_tag(user)}' or '{pin_tag(user)}'. "
                "Nothing was changed. Run the cell again, and its output sets your own."
            )
        raise InvalidValue(
            f"The tag '{key}' is kept by the tracker, and a page does not write it. Nothing was changed. "
            "From code: tracknb.MlflowClient().set_tag()"
        )
    return tags, gone


# -- the questions -----------------------------------------------------------------


@question("run")
def _run(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with the page of a run."""
    run = client.get_run(text_of(asked, "id"))
    return Answer(remember(run_page(client, run), client).full_payload())


@question("files")
def _files(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with what lies in a folder of a run; ``path`` is empty for its root."""
    entries, is_cut = folder(client, text_of(asked, "id"), text_of(asked, "path"))
    found = [{"path": sendable(item.path), "dir": item.is_dir, "size": item.size_bytes} for item in entries]
    return Answer({"entries": found, "cut": is_cut})


@question("file")
def _file(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with the beginning of a file of a run, or with all its bytes where ``whole`` is true."""
    run_id, path = text_of(asked, "id"), text_of(asked, "path")
    if asked.get("whole") is True:
        data = whole(client, run_id, path)
        return Answer({"path": path, "size": len(data)}, (data,))
    shown, size = preview(client, run_id, path)
    return Answer({"path": path, "size": size, **shown.content}, () if shown.data is None else (shown.data,))


@question("change_run", is_writing=True)
def _change_run(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Set and delete tags of a run, or give it another name; answer with its tags and name."""
    run_id = text_of(asked, "id")
    tags, gone = tags_of(asked)
    name = text_of(asked, "name") if asked.get("name") is not None else None
    if tags or name is not None:
        client.update_run(run_id, name=name, tags=tags)
    for key in gone:
        # Somebody else was faster: it is gone, as was asked.
        with contextlib.suppress(NotFound):
            client.delete_tag(run_id, key)
    run = client.get_run(run_id)
    return Answer({"tags": _sendable_tags(run.data.tags), "name": sendable(run.info.run_name)})


def _sendable_tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {sendable(key): sendable(value) for key, value in tags.items()}


@question("panel")
def _panel(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with the panel of runs that no cell of this kernel holds: their output's final form, once all ended."""
    stored = [client.get_run(run_id) for run_id in dict.fromkeys(texts_of(asked, "runs"))]
    runs = [as_live(client, run) for run in stored]
    is_over = all(run.end_time is not None for run in runs)
    changes = changes_since_previous(client, stored[0]) if is_over and len(stored) == 1 else None
    told = {} if changes is None else {runs[0].run_id: changes}
    panel = remember(Panel.of(runs, now_ms=names.now_ms(), changes=told), client)
    if not is_over:
        return Answer({"payload": panel.payload()})
    return Answer({"bundle": panel._repr_mimebundle_()})


@question("runs")
def _runs(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with the run table of an experiment, or of all where ``experiment`` is null."""
    return Answer(remember(run_table(_found(client, asked)), client).payload())


@question("rows")
def _rows(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with ``count`` runs of a table after the first ``from``, in columns; see `RunsView.chunk`.

    Where the table that the page shows is gone, the question it was made from (``asked``) is
    put again, and the answer's ``view`` is another one: its runs may be others too.
    """
    first, count = (whole_of(asked, key) for key in ("from", "count"))
    shown = view_by_id(text_of(asked, "view"))
    if not isinstance(shown, RunsView):
        shown = _asked_again(client, asked)
    return Answer(*shown.chunk(first, min(count, _MOST_ROWS)))


def _asked_again(client: TrackingClient, asked: Mapping[str, Any]) -> RunTable:
    again = asked.get("asked")
    if not isinstance(again, dict):
        raise InvalidValue("The runs of this output are no longer in the kernel's memory. Run the cell again.")
    again = {**again, "ask": asked.get("ask")}
    limit = again.get("limit")
    options = {name: texts_of(again, key) for name, key in _FILTERS.items() if again.get(key)}
    found = find(
        client,
        query=text_of(again, "query") if again.get("query") else "",
        all_experiments="experiment" not in options,
        starred=again.get("starred") is True,
        limit=max(1, limit) if type(limit) is int else DEFAULT_LIMIT,
        **options,  # type: ignore[arg-type]
    )
    table = remember(run_table(found), client)
    # Somebody must hold it until the page has all of it; the last two are enough.
    _held[:] = [table, *_held[:1]]
    return table


_FILTERS: Final = {"experiment": "experiments", "tags": "tags", "eval_sets": "evalSets", "owners": "owners"}
# One answer holds no more, so that neither the kernel nor the page stands still over it.
_MOST_ROWS: Final = 10_000
_MOST_SPARKS: Final = 2_000
_held: Final[list[RunTable]] = []


@question("sparks")
def _sparks(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with the small curves of some runs and metrics."""
    ids, keys = texts_of(asked, "ids"), texts_of(asked, "keys")
    if len(ids) * len(keys) > _MOST_SPARKS:
        raise InvalidValue(f"{len(ids) * len(keys):,} curves are too many for one question; {_MOST_SPARKS:,} are not.")
    return Answer({"sparks": sparks(client, ids, keys)})


@question("trend")
def _trend(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with the trend of an experiment, or of all where ``experiment`` is null."""
    metric = text_of(asked, "metric") if asked.get("metric") is not None else None
    return Answer(remember(trend_view(_found(client, asked).without_archived(), metric), client).payload())


@question("compare")
def _compare(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with the comparison of runs, given by their ids; the first is the baseline."""
    ids = texts_of(asked, "ids")
    if len(ids) > MOST_RUNS:
        # Before any of them is looked up.
        raise too_many(len(ids))
    return Answer(remember(comparison(client, named_runs(client, ids)), client).payload())


@question("matching")
def _matching(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with the ids of all runs that a filter finds, for a query about what a payload does not hold."""
    return Answer({"ids": [run.info.run_id for run in _found(client, asked, limit=sys.maxsize).runs]})


def _found(client: TrackingClient, asked: Mapping[str, Any], *, limit: int = DEFAULT_LIMIT) -> Found:
    wanted = [text_of(asked, "experiment")] if asked.get("experiment") is not None else []
    query = text_of(asked, "query") if asked.get("query") is not None else ""
    return find(client, query=query, experiment=wanted, all_experiments=not wanted, limit=limit)


@question("dashboard")
def _dashboard(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with the dashboard, open at an experiment or, where ``experiment`` is null, at the one used last."""
    experiment = text_of(asked, "experiment") if asked.get("experiment") is not None else None
    return Answer(remember(dashboard_view(client, experiment=experiment, pages_of=pages_of), client).payload())


@question("experiments")
def _experiments(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with the catalogue."""
    return Answer(remember(catalogue(client), client).payload())


@question("experiment")
def _experiment(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Answer with the page of an experiment, by its id."""
    experiment = client.get_experiment(text_of(asked, "id"))
    return Answer(remember(experiment_page(client, experiment), client).payload())


@question("change_experiment", is_writing=True)
def _change_experiment(client: TrackingClient, asked: Mapping[str, Any]) -> Answer:
    """Set tags of an experiment and take others off; answer with its tags as they are then."""
    tags, gone = tags_of(asked)
    changed = client.change_experiment_tags(text_of(asked, "id"), tags, gone)
    return Answer({"tags": _sendable_tags(changed.tags)})
