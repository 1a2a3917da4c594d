"""Which runs a question means: experiments, filters, tags, owners, and a run by its name."""

from __future__ import annotations

import contextlib
import difflib
import gc
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tracknb import active, config, fluent
from tracknb.capture.environment import user_name
from tracknb.client import TrackingClient, experiment_ids_by_name, no_such_experiment
from tracknb.entities import (
    ARCHIVED_TAG,
    REPLAY_TAG,
    Experiment,
    Run,
    evaluation_sets,
    is_marked,
    is_own_tag,
    star_tag,
)
from tracknb.errors import InvalidValue, NotFound

# The newest runs that a view is given. What reaches the saved output is thinned further.
DEFAULT_LIMIT = 10_000
# Runs are read a page at a time: one page is a handful of statements, whatever its size.
_PAGE = 1_000
# Where every run is wanted, a page may be large; each page goes past all that came before it.
_LARGE_PAGE = 20_000
# A question about more experiments than this means all of them.
_NAMED = 50


@dataclass(frozen=True, slots=True)
class Found:
    """The runs that were asked for, and the words that say what was asked."""

    client: TrackingClient
    runs: list[Run]
    experiments: dict[str, str]
    title: str
    query: str
    total: int
    matched: int
    # The experiments' own tags, in their order, and whether archived runs were asked for.
    tags: list[Mapping[str, str]] = field(default_factory=list)
    archived: bool = False
    # The same question in plain words, to put it again when nobody holds the runs any more.
    asked: dict[str, Any] = field(default_factory=dict)

    def without_archived(self) -> Found:
        """Return what was found without the runs that were put aside, unless they were asked for."""
        kept = [run for run in self.runs if self.archived or not is_marked(run.data.tags, ARCHIVED_TAG)]
        return replace(self, runs=kept, matched=self.matched - len(self.runs) + len(kept))


def open_client(store: str | None) -> TrackingClient:
    """Return the client of a store that was named, or of the current one.

    Raises
    ------
    NotFound
        There is no such file: a typing error must not leave an empty store behind.
    """
    if store is None:
        return active.client()
    path = config.locate(store).path
    if path is not None and not os.path.exists(path):
        raise NotFound(f"There is no store at {path}. Nothing was made. Check the name after --store.")
    return TrackingClient(store)


def find(
    client: TrackingClient,
    *,
    positional: str = "",
    query: str = "",
    experiment: Sequence[str] = (),
    all_experiments: bool = False,
    tags: Sequence[str] = (),
    eval_sets: Sequence[str] = (),
    owners: Sequence[str] = (),
    starred: bool = False,
    archived: bool = False,
    limit: int = DEFAULT_LIMIT,
    order: Sequence[str] = (),
) -> Found:
    """Return the runs that a question means; the arguments are the options of the verbs.

    Archived runs are among them: whether they are shown is the view's business.
    """
    wanted = list(dict.fromkeys(experiment))
    if positional and client.get_experiment_by_name(positional) is not None:
        wanted.append(positional)
    elif positional and not _reads_like_filter(positional):
        raise no_such_experiment(client, positional)
    elif positional and query:
        raise InvalidValue("A filter was given twice, alone and after --query. Join them with 'and' into one.")
    else:
        query = positional or query
    places = places_of(client, wanted, all_experiments=all_experiments)
    ids = list(places)
    total = client.count_runs(ids)
    star = star_tag(user_name()) if starred else ""
    with _without_collection():
        runs, matched = _matching(
            client, ids, query, tags=tags, eval_sets=eval_sets, owners=owners, star=star, limit=limit, order=order
        )
    if not (query or tags or eval_sets or owners or starred):
        matched = total
    return Found(
        client=client,
        runs=runs,
        experiments=places,
        title=", ".join(places.values()) if wanted or len(places) == 1 else "all experiments",
        query=_as_asked(query, tags, eval_sets, owners, starred=starred),
        total=total,
        matched=matched,
        tags=_tags_of(client, ids),
        archived=archived,
        asked={
            "experiments": list(places.values()) if len(places) < _NAMED else [],
            "query": query,
            "tags": list(tags),
            "evalSets": list(eval_sets),
            "owners": list(owners),
            "starred": starred,
            "limit": limit,
        },
    )


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Keep Python from looking for garbage while hundreds of thousands of objects are made, of which none is.

    Reading 100,000 runs takes a third of the time so. What was made counts as old from then on:
    going through it soon after would hold up the answers to the page by half as much as reading did.
    It holds for the whole process: another thread answers a page while the user's cell runs, and
    leaves that cell's garbage to Python.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on and gc.get_freeze_count() == 0:
            gc.freeze()
            gc.unfreeze()
        if was_on:
            gc.enable()


def _tags_of(client: TrackingClient, ids: Sequence[str]) -> list[Mapping[str, str]]:
    if len(ids) == 1:
        return [client.get_experiment(ids[0]).tags]
    wanted = set(ids)
    return [item.tags for item in client.search_experiments(max_results=None) if item.experiment_id in wanted]


def _reads_like_filter(text: str) -> bool:
    """Say whether a text is meant as a filter; what is not was meant as a name."""
    return re.search(r"[=<>!`\"']|\b(and|like|ilike|in|is)\b", text, re.IGNORECASE) is not None or "." in text


def places_of(client: TrackingClient, wanted: Sequence[str], *, all_experiments: bool) -> dict[str, str]:
    """Return the experiments to look into, as names by id."""
    if wanted and all_experiments:
        raise InvalidValue("--experiment and --all-experiments exclude each other. Leave one out.")
    if wanted:
        return dict(zip(experiment_ids_by_name(client, wanted), wanted, strict=True))
    current = None if all_experiments else _current_experiment(client)
    found = [current] if current is not None else in_use(client, client.search_experiments(max_results=None))
    return {item.experiment_id: item.name for item in found}


def in_use(client: TrackingClient, experiments: Sequence[Experiment]) -> list[Experiment]:
    """Return experiments without ``Default``, which every store begins with, while it is empty."""
    others = [item for item in experiments if item.experiment_id != "0"]
    return others if others and client.count_runs(["0"]) == 0 else list(experiments)


def _current_experiment(client: TrackingClient) -> Experiment | None:
    """Return the experiment that this process works in; None where it chose none."""
    if client.tracking_uri != active.client().tracking_uri:
        return None
    chosen = active.current_experiment_id()
    if chosen != "0":
        return client.get_experiment(chosen)
    # `%%track_run --experiment` holds for its cell only; whoever looks next means what ran last.
    last = fluent.last_experiment_id()
    try:
        return client.get_experiment(last) if last is not None else None
    except NotFound:
        return None


def _matching(
    client: TrackingClient,
    ids: Sequence[str],
    query: str,
    *,
    tags: Sequence[str],
    eval_sets: Sequence[str],
    owners: Sequence[str],
    star: str = "",
    limit: int,
    order: Sequence[str] = (),
    page: int = _PAGE,
) -> tuple[list[Run], int]:
    """Return the newest runs that match, or the first in an order, and how many match in all.

    Tags, evaluation sets and owners are looked at here and not in the filter: each means
    "any of them", and stays apart from what the user wrote.
    """
    found: list[Run] = []
    matched = 0
    everything = not (query or tags or eval_sets or owners or star)
    token: str | None = None
    while True:
        size = min(_LARGE_PAGE, limit - len(found)) if everything else page
        runs = client.search_runs(ids, query, max_results=size, order_by=order, page_token=token)
        for run in runs:
            of_owner = (not owners or run.info.user_id in owners) and (not star or is_marked(run.data.tags, star))
            if of_owner and _has_any_tag(run, tags) and _is_of_any_set(run, eval_sets):
                matched += 1
                if len(found) < limit:
                    found.append(run)
        token = runs.token
        if token is None or (everything and len(found) >= limit):
            return found, matched


def _has_any_tag(run: Run, wanted: Sequence[str]) -> bool:
    if not wanted:
        return True
    for text in wanted:
        key, sign, value = text.partition("=")
        if sign and run.data.tags.get(key) == value:
            return True
        # A bare value looks at the user's own tags only: `--tag adam` means no user name.
        if any(tag == text and is_own_tag(name) for name, tag in run.data.tags.items()):
            return True
    return False


def _is_of_any_set(run: Run, wanted: Sequence[str]) -> bool:
    return not wanted or not set(wanted).isdisjoint(evaluation_sets(run.data.tags))


def _as_asked(
    query: str, tags: Sequence[str], eval_sets: Sequence[str], owners: Sequence[str], *, starred: bool
) -> str:
    """Return the whole question as one line, for the head of the view."""
    parts = [query] if query else []
    parts += [f"tag {' or '.join(tags)}"] if tags else []
    parts += [f"evaluation set {' or '.join(eval_sets)}"] if eval_sets else []
    parts += [f"by {' or '.join(owners)}"] if owners else []
    parts += ["starred"] if starred else []
    return " · ".join(parts)


def named_run(client: TrackingClient, text: str) -> Run:
    """Return the run that an id, the beginning of one, a name or ``last`` means.

    A replay, which has the name of its run, is meant only where nothing else is.
    """
    if re.fullmatch(r"[0-9a-f]{32}", text):
        return client.get_run(text)
    places = places_of(client, (), all_experiments=True)
    no_replay = f"tags.`{REPLAY_TAG}` IS NULL"
    if text == "last":
        for query in (no_replay, ""):
            for run in client.search_runs(list(places), query, max_results=1):
                return run
        raise NotFound("There is no run to show yet. Track a cell with: %%track_run --experiment my-experiment")
    # The store finds a name at once; its runs are gone through only to say which name was near.
    for quote in "'\"":
        if quote not in text:
            is_called = f"attributes.run_name = {quote}{text}{quote}"
            for query in (f"{is_called} AND {no_replay}", is_called):
                for run in client.search_runs(list(places), query, max_results=1):
                    return run
            break
    if re.fullmatch(r"[0-9a-f]{4,31}", text):
        beginning = client.search_runs(list(places), f"attributes.run_id LIKE '{text}%'", max_results=_PAGE)
        if len(beginning) == 1:
            return beginning[0]
        if beginning:
            raise InvalidValue(f"{len(beginning)} runs have an id that begins with '{text}'. Write more of it.")
    seen = []
    for run in _all_runs(client, places):
        if run.info.run_name == text:
            return run
        seen.append(run.info.run_name)
    near = difflib.get_close_matches(text, seen, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else " A run is named by its id, the beginning of one, or its name."
    raise NotFound(f"No run is called '{text}', and no run's id begins so.{hint}")


def _all_runs(client: TrackingClient, places: Iterable[str]) -> Iterator[Run]:
    """Give every run, the newest first, reading pages only as they are needed."""
    token: str | None = None
    while True:
        found = client.search_runs(list(places), max_results=_PAGE, page_token=token)
        yield from found
        token = found.token
        if token is None:
            return


def as_list(value: str | Sequence[str] | None) -> list[str]:
    """Return one name or several as a list."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
