"""Every verb once: what it may be asked, and the view it answers with.

``%track VERB`` displays the view and ``tracknb VERB`` prints it, so help, quoting,
errors and option names are the same in both. Nothing in here prints. The same
tables and charts under Python names (`runs_table`, `trend`, `chart`) stand here too,
because a verb is such a call with its arguments read from text.
"""

from __future__ import annotations

import difflib
import functools
import os
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec

import click

from tracknb import active, config, fluent, names
from tracknb.client import TrackingClient, experiment_ids_by_name, no_such_experiment
from tracknb.entities import ATTEMPT_TAG, ERROR_TAG, Experiment, Run, evaluation_sets
from tracknb.errors import InvalidValue, NotFound
from tracknb.live import CURVE_LIMIT, LiveRun
from tracknb.transfer import ImportSummary, import_mlflow
from tracknb.view.base import View
from tracknb.view.chart import curves_altair
from tracknb.view.data import RunData
from tracknb.view.experiments import ExperimentList
from tracknb.view.panel import Panel
from tracknb.view.table import RunTable
from tracknb.view.trend import Trend

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

P = ParamSpec("P")

# The newest runs that a view is given. What reaches the saved output is thinned further.
DEFAULT_LIMIT = 10_000
# Runs are read a page at a time: one page is a handful of statements, whatever its size.
_PAGE = 1_000
# More curves than this in one chart cannot be told apart.
_CHART_RUNS = 20


# -- the verbs ---------------------------------------------------------------------


class VerbGroup(click.Group):
    """A group of commands that suggests the nearest verb for one it does not know."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of the first word, or fail with a near miss."""
        word = args[0]
        if not word.startswith("-") and self.get_command(ctx, word) is None:
            near = difflib.get_close_matches(word, self.commands, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(sorted(self.commands))}."
            raise click.UsageError(f"No verb is called '{word}'. {hint}", ctx)
        return super().resolve_command(ctx, args)


VERBS = VerbGroup(name="track", help="Look at what was tracked.")


class Word(str):
    """A word of a line as it is meant, and as it was written."""

    written: str

    def __new__(cls, written: str) -> Word:
        """Return a word without the quotes that it is written with."""
        word = super().__new__(cls, "".join(shlex.split(written)))
        word.written = written
        return word


def split_line(line: str) -> list[str]:
    """Return the words of a line; each remembers its quotes, because a filter's are part of it.

    Raises
    ------
    ValueError
        A quote is not closed.
    """
    shlex.split(line)
    return [Word(written) for written in re.findall(r"""(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+""", line)]


def _joined_query(context: click.Context, parameter: click.Parameter, words: Sequence[str]) -> str:
    """Return the filter that several words are, as they were written; a single quoted word without its quotes."""
    written = [word.written if isinstance(word, Word) else word.strip() for word in words]
    if len(written) == 1 and written[0][:1] in ("'", '"') and written[0].find(written[0][0], 1) == len(written[0]) - 1:
        return str(words[0])
    return " ".join(written)


class _VerbCommand(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # No option begins with a digit, so `metrics.loss > -1` means the number.
        return super().parse_args(ctx, [f" {word}" if re.match(r"-[\d.]", word) else word for word in args])


def verb(name: str) -> Callable[[Callable[Concatenate[TrackingClient, P], View]], Callable[..., View]]:
    """Register a function of (client, options...) that returns a view as a verb."""

    def register(function: Callable[Concatenate[TrackingClient, P], View]) -> Callable[..., View]:
        @functools.wraps(function)
        def call(*args: Any, store: str | None, **options: Any) -> View:
            return function(open_client(store), *args, **options)

        with_store = click.option("--store", metavar="URI", help="The store to look into, such as runs.db.")(call)
        VERBS.add_command(click.command(name, cls=_VerbCommand)(with_store))
        return call

    return register


def _choice_options(function: Callable[..., View]) -> Callable[..., View]:
    """Add what chooses runs; `runs`, `trend` and `df` share it."""
    for option in reversed(
        [
            click.argument(
                "query",
                nargs=-1,
                type=click.UNPROCESSED,
                callback=_joined_query,
                metavar="[EXPERIMENT | QUERY]",
                required=False,
            ),
            click.option("--query", "query_option", default="", metavar="FILTER", help="Such as 'metrics.rmse < 4'."),
            click.option("--experiment", multiple=True, help="Where to look; may be repeated."),
            click.option("--all-experiments", is_flag=True, help="Look into every experiment."),
            click.option("--tag", "tags", multiple=True, metavar="K=V", help="A tag, or only its value; any of them."),
            click.option("--eval-set", "eval_sets", multiple=True, help="An evaluation set; any of them."),
            click.option("--owner", "owners", multiple=True, metavar="USER", help="Who started the run; any of them."),
            click.option(
                "--limit", type=click.IntRange(min=1), default=DEFAULT_LIMIT, help="Keep this many of the newest runs."
            ),
        ]
    ):
        function = option(function)
    return function


@verb("runs")
@_choice_options
def _runs(client: TrackingClient, query: str, query_option: str, **chosen: Any) -> RunTable:
    """Show runs as a table, the newest first.

    QUERY is a filter such as "metrics.rmse < 4". The name of an experiment shows that
    experiment. Without either it is the current experiment, or all of them where none
    was chosen.
    """
    return _run_table(_find(client, positional=query, query=query_option, **chosen))


@verb("trend")
@click.option("--metric", help="The metric to draw; chosen for you if left out.")
@_choice_options
def _trend(client: TrackingClient, query: str, query_option: str, metric: str | None, **chosen: Any) -> Trend:
    """Show how a metric went from run to run, the oldest first."""
    return _trend_view(_find(client, positional=query, query=query_option, **chosen), metric)


@verb("df")
@_choice_options
@click.option("--order", multiple=True, metavar="COLUMN", help="Such as 'metrics.rmse ASC'; may be repeated.")
def _df(client: TrackingClient, query: str, query_option: str, order: Sequence[str], **chosen: Any) -> RunData:
    """Give runs as a DataFrame; in a terminal, print them as CSV.

    `df = %track df metrics.rmse < 5` has a row a run and MLflow's columns, as
    search_runs gives them.
    """
    return RunData.of(_find(client, positional=query, query=query_option, order=order, **chosen).runs)


@verb("experiments")
def _experiments(client: TrackingClient) -> ExperimentList:
    """Show the experiments of the store, with how many runs each holds."""
    shown = _in_use(client, client.search_experiments(max_results=None))
    counts = {item.experiment_id: client.count_runs([item.experiment_id]) for item in shown}
    return ExperimentList.of(shown, counts=counts, last_runs=_last_runs(client, shown))


@verb("show")
@click.argument("run", default="last")
def _show(client: TrackingClient, run: str) -> Panel:
    """Show one run: its params, tags, last values and curves.

    RUN is a run's id, the beginning of one, its name, or `last` for the newest.
    """
    return Panel.of([_as_live(client, _named_run(client, run))], now_ms=names.now_ms())


@VERBS.command("import")
@click.argument("kind", type=click.Choice(["mlflow", "mlruns"]))
@click.argument("source", metavar="PATH_OR_URI")
@click.option(
    "--artifacts",
    type=click.Choice(["copy", "link", "skip"]),
    default="copy",
    help="Whether to copy the runs' files, to link to them, or to leave them.",
)
@click.option("--store", metavar="URI", help="The store to import into; made if it is new.")
@click.pass_obj
def _import(
    progress: Callable[[int, int, str], None] | None,
    kind: str,
    source: str,
    artifacts: Literal["copy", "link", "skip"],
    store: str | None,
) -> ImportSummary:
    """Copy the runs of an MLflow store into this one.

    PATH_OR_URI is an mlruns folder or an MLflow database such as sqlite:///mlflow.db.
    Doing it again adds what is new there.
    """
    address = active.client().address if store is None else store
    return import_mlflow(source, tracking_uri=address, artifacts=artifacts, progress=progress)


def run_verb(argv: Sequence[str], prog: str = "%track") -> View | None:
    """Run one verb and return its view; None where help was asked for and printed.

    Parameters
    ----------
    argv
        The verb and its arguments, already split; none at all means ``runs``.
    prog
        How help and errors name the command.

    Raises
    ------
    InvalidValue
        The verb or an option is unknown, or a value does not fit; the message names
        the nearest one that exists.
    """
    try:
        result = VERBS.main(args=list(argv) or ["runs"], prog_name=prog, standalone_mode=False)
    except click.UsageError as problem:
        raise InvalidValue(usage_message(problem)) from None
    return result if isinstance(result, View) else None


def usage_message(problem: click.UsageError) -> str:
    """Return what is wrong with a command line, with the nearest right word and where help is."""
    context = problem.ctx
    text = problem.format_message()
    if isinstance(problem, click.NoSuchOption) and context:
        # Click's own suggestion depends on its version; ours reads as everywhere else.
        known = [word for param in context.command.params for word in param.opts if word.startswith("--")]
        near = difflib.get_close_matches(problem.option_name, known, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(known)}."
        text = f"No option is called '{problem.option_name}'. {hint}"
    return f"{text}\nSee: {context.command_path} --help" if context else text


# -- the same from Python ----------------------------------------------------------


def runs_table(
    query: str = "",
    *,
    experiment: str | Sequence[str] | None = None,
    tags: str | Sequence[str] = (),
    eval_set: str | Sequence[str] | None = None,
    owner: str | Sequence[str] | None = None,
    max_results: int = DEFAULT_LIMIT,
) -> RunTable:
    """Return the run table that ``%track runs`` shows, the newest run first.

    Parameters
    ----------
    query
        A filter such as ``"metrics.rmse < 4"``; every run if left out.
    experiment
        One name or several; the current experiment if left out, or all of them where
        none was chosen.
    tags
        Each ``"key=value"`` or only a value; a run with any of them is shown.
    eval_set
        One evaluation set or several; a run of any of them is shown.
    owner
        Who started the runs, by user name; one or several.
    max_results
        Keep this many of the newest runs.

    Raises
    ------
    NotFound
        No experiment has this name.
    FilterError
        The filter cannot be read. The message marks the place.

    Examples
    --------
    >>> import tracknb
    >>> _ = tracknb.set_experiment("nyc-taxi")
    >>> for name, rmse in [("linear", 5.1), ("forest", 3.8)]:
    ...     with tracknb.start_run(run_name=name):
    ...         tracknb.log_metric("rmse", rmse)
    >>> table = tracknb.runs_table("metrics.rmse < 4")
    >>> [run.info.run_name for run in table.runs]
    ['forest']
    """
    client = active.client()
    found = _find(
        client,
        query=query,
        experiment=_as_list(experiment),
        tags=_as_list(tags),
        eval_sets=_as_list(eval_set),
        owners=_as_list(owner),
        limit=max_results,
    )
    return _run_table(found)


def trend(
    metric: str | None = None,
    *,
    query: str = "",
    experiment: str | Sequence[str] | None = None,
    tags: str | Sequence[str] = (),
    eval_set: str | Sequence[str] | None = None,
    owner: str | Sequence[str] | None = None,
    max_results: int = DEFAULT_LIMIT,
) -> Trend:
    """Return the chart of a metric's last value from run to run, the oldest run first.

    The metric is chosen for you if left out; the other arguments are those of
    `runs_table`.

    Raises
    ------
    NotFound
        No experiment has this name, or no run that was found has this metric.
    """
    found = _find(
        active.client(),
        query=query,
        experiment=_as_list(experiment),
        tags=_as_list(tags),
        eval_sets=_as_list(eval_set),
        owners=_as_list(owner),
        limit=max_results,
    )
    return _trend_view(found, metric)


def chart(
    runs: str | Run | Iterable[str | Run] | pd.DataFrame | RunTable | None = None,
    metric: str | Sequence[str] | None = None,
    *,
    query: str = "",
    experiment: str | Sequence[str] | None = None,
    max_runs: int = _CHART_RUNS,
) -> alt.Chart | alt.FacetChart:
    """Return an Altair chart of metric curves, to restyle or to export.

    Parameters
    ----------
    runs
        Run ids, runs, a run table or a frame with a ``run_id`` column such as
        ``table.selected``. Left out, it is the newest runs that ``query`` and
        ``experiment`` choose.
    metric
        One metric or several; all of them if left out.
    query, experiment
        As for `runs_table`; only read when ``runs`` is left out.
    max_runs
        Draw this many of the newest runs at most.

    Raises
    ------
    NotFound
        A run is unknown, or none of the runs has the metric.

    Examples
    --------
    >>> import tracknb
    >>> _ = tracknb.set_experiment("nyc-taxi")
    >>> with tracknb.start_run(run_name="linear"):
    ...     for step, loss in enumerate([3.0, 2.0, 1.5]):
    ...         tracknb.log_metric("loss", loss, step=step)
    >>> picture = tracknb.chart(metric="loss").properties(width=400)
    >>> picture.to_dict()["width"]
    400
    """
    client = active.client()
    if runs is None:
        chosen = _find(client, query=query, experiment=_as_list(experiment), limit=max_runs).runs
    else:
        chosen = [client.get_run(run_id) for run_id in dict.fromkeys(_run_ids(runs))][:max_runs]
    known = sorted({key for run in chosen for key in run.data.metrics})
    keys = _as_list(metric) or known
    for key in keys:
        if key not in known:
            raise _no_such_metric(key, known)
    return curves_altair(_histories(client, chosen, keys))


# -- finding runs ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """The runs that were asked for, and the words that say what was asked."""

    runs: list[Run]
    experiments: dict[str, str]
    title: str
    query: str
    total: int
    matched: int


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


def _find(
    client: TrackingClient,
    *,
    positional: str = "",
    query: str = "",
    experiment: Sequence[str] = (),
    all_experiments: bool = False,
    tags: Sequence[str] = (),
    eval_sets: Sequence[str] = (),
    owners: Sequence[str] = (),
    limit: int = DEFAULT_LIMIT,
    order: Sequence[str] = (),
) -> _Found:
    wanted = list(dict.fromkeys(experiment))
    if positional and client.get_experiment_by_name(positional) is not None:
        wanted.append(positional)
    elif positional and not _reads_like_filter(positional):
        raise no_such_experiment(client, positional)
    elif positional and query:
        raise InvalidValue("A filter was given twice, alone and after --query. Join them with 'and' into one.")
    else:
        query = positional or query
    places = _places(client, wanted, all_experiments=all_experiments)
    ids = list(places)
    total = client.count_runs(ids)
    runs, matched = _matching(
        client, ids, query, tags=tags, eval_sets=eval_sets, owners=owners, limit=limit, order=order
    )
    if not (query or tags or eval_sets or owners):
        matched = total
    return _Found(
        runs=runs,
        experiments=places,
        title=", ".join(places.values()) if wanted or len(places) == 1 else "all experiments",
        query=_as_asked(query, tags, eval_sets, owners),
        total=total,
        matched=matched,
    )


def _reads_like_filter(text: str) -> bool:
    """Say whether a text is meant as a filter; what is not was meant as a name."""
    return re.search(r"[=<>!`\"']|\b(and|like|ilike|in|is)\b", text, re.IGNORECASE) is not None or "." in text


def _places(client: TrackingClient, wanted: Sequence[str], *, all_experiments: bool) -> dict[str, str]:
    """Return the experiments to look into, as names by id."""
    if wanted and all_experiments:
        raise InvalidValue("--experiment and --all-experiments exclude each other. Leave one out.")
    if wanted:
        return dict(zip(experiment_ids_by_name(client, wanted), wanted, strict=True))
    current = None if all_experiments else _current_experiment(client)
    found = [current] if current is not None else _in_use(client, client.search_experiments(max_results=None))
    return {item.experiment_id: item.name for item in found}


def _in_use(client: TrackingClient, experiments: Sequence[Experiment]) -> list[Experiment]:
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
    everything = not (query or tags or eval_sets or owners)
    token: str | None = None
    while True:
        size = min(page, limit) if everything else page
        runs = client.search_runs(ids, query, max_results=size, order_by=order, page_token=token)
        for run in runs:
            of_owner = not owners or run.info.user_id in owners
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
        own = (tag for name, tag in run.data.tags.items() if not name.startswith(("mlflow.", "tracknb.")))
        if text in own:
            return True
    return False


def _is_of_any_set(run: Run, wanted: Sequence[str]) -> bool:
    return not wanted or not set(wanted).isdisjoint(evaluation_sets(run.data.tags))


def _as_asked(query: str, tags: Sequence[str], eval_sets: Sequence[str], owners: Sequence[str]) -> str:
    """Return the whole question as one line, for the head of the view."""
    parts = [query] if query else []
    parts += [f"tag {' or '.join(tags)}"] if tags else []
    parts += [f"evaluation set {' or '.join(eval_sets)}"] if eval_sets else []
    parts += [f"by {' or '.join(owners)}"] if owners else []
    return " · ".join(parts)


def _named_run(client: TrackingClient, text: str) -> Run:
    """Return the run that an id, the beginning of one, a name or ``last`` means."""
    if re.fullmatch(r"[0-9a-f]{32}", text):
        return client.get_run(text)
    places = _places(client, (), all_experiments=True)
    if text == "last":
        for run in _all_runs(client, places, page=1):
            return run
        raise NotFound("There is no run to show yet. Track a cell with: %%track_run --experiment my-experiment")
    seen: list[str] = []
    beginning: list[Run] = []
    for run in _all_runs(client, places):
        if run.info.run_name == text:
            return run
        if len(text) >= 4 and run.info.run_id.startswith(text):
            beginning.append(run)
        seen.append(run.info.run_name)
    if len(beginning) == 1:
        return beginning[0]
    if beginning:
        raise InvalidValue(f"{len(beginning)} runs have an id that begins with '{text}'. Write more of it.")
    near = difflib.get_close_matches(text, seen, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else " A run is named by its id, the beginning of one, or its name."
    raise NotFound(f"No run is called '{text}', and no run's id begins so.{hint}")


def _all_runs(client: TrackingClient, places: Iterable[str], page: int = _PAGE) -> Iterator[Run]:
    """Give every run, the newest first, reading pages only as they are needed."""
    token: str | None = None
    while True:
        found = client.search_runs(list(places), max_results=page, page_token=token)
        yield from found
        token = found.token
        if token is None:
            return


def _last_runs(client: TrackingClient, experiments: Iterable[Experiment]) -> dict[str, int]:
    """Return when the newest run of each experiment started; one without runs is left out."""
    newest = {}
    for item in experiments:
        for run in client.search_runs([item.experiment_id], max_results=1):
            newest[item.experiment_id] = run.info.start_time
    return newest


# -- building views ----------------------------------------------------------------


def _run_table(found: _Found) -> RunTable:
    return RunTable.of(
        found.runs,
        experiments=found.experiments,
        title=found.title,
        query=found.query,
        total=found.total,
        matched=found.matched,
        now_ms=names.now_ms(),
    )


def _trend_view(found: _Found, metric: str | None) -> Trend:
    known = sorted({key for run in found.runs for key in run.data.metrics})
    if metric is not None and found.runs and metric not in known:
        raise _no_such_metric(metric, known)
    return Trend.of(
        found.runs,
        experiments=found.experiments,
        title=found.title,
        query=found.query,
        total=found.total,
        matched=found.matched,
        now_ms=names.now_ms(),
        metric=metric,
    )


def _no_such_metric(metric: str, known: Sequence[str]) -> NotFound:
    near = difflib.get_close_matches(metric, known, n=1)
    if near:
        hint = f"Did you mean '{near[0]}'?"
    elif known:
        hint = f"They have: {', '.join(known[:8])}."
    else:
        hint = "They have no metric at all."
    return NotFound(f"None of these runs has a metric '{metric}'. {hint}")


def _as_live(client: TrackingClient, run: Run) -> LiveRun:
    """Return a stored run in the form that the panel draws."""
    attempt = run.data.tags.get(ATTEMPT_TAG, "")
    return LiveRun(
        run_id=run.info.run_id,
        name=run.info.run_name,
        experiment=client.get_experiment(run.info.experiment_id).name,
        status=run.info.status,
        start_time=run.info.start_time,
        end_time=run.info.end_time,
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        error=run.data.tags.get(ERROR_TAG),
        series=client.live_series(run.info.run_id),
        attempt=int(attempt) if attempt.isdecimal() else None,
    )


def _histories(
    client: TrackingClient, runs: Sequence[Run], keys: Sequence[str]
) -> dict[str, dict[str, tuple[list[int], list[float]]]]:
    """Return the points of each metric by run; runs that share a name are told apart by their ids."""
    shared = Counter(run.info.run_name for run in runs)
    histories = {}
    for run in runs:
        name = run.info.run_name
        curves = {}
        for key in keys:
            if key in run.data.metrics:
                steps, _, values = client.metric_curve(run.info.run_id, key, CURVE_LIMIT)
                curves[key] = (steps, values)
        histories[name if shared[name] == 1 else f"{name} {run.info.run_id[:6]}"] = curves
    return histories


def _as_list(value: str | Sequence[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _run_ids(runs: Any) -> list[str]:
    """Return the run ids that a caller of `chart` means, in order."""
    if isinstance(runs, RunTable):
        return [run.info.run_id for run in runs.runs]
    if hasattr(runs, "columns"):
        return [str(run_id) for run_id in runs["run_id"]]
    if isinstance(runs, str) or hasattr(runs, "info"):
        runs = [runs]
    return [item if isinstance(item, str) else item.info.run_id for item in runs]
