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
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar

import click

from tracknb import active
from tracknb.answers import pages_of, remember
from tracknb.client import TrackingClient
from tracknb.entities import Run
from tracknb.errors import InvalidValue
from tracknb.looking.catalogue import catalogue, dashboard_view
from tracknb.looking.code import code_of
from tracknb.looking.compare import comparison, named_runs
from tracknb.looking.curves import histories, run_ids
from tracknb.looking.finding import (
    DEFAULT_LIMIT,
    Found,
    as_list,
    find,
    named_run,
    open_client,
)
from tracknb.looking.page import run_page
from tracknb.looking.tables import no_such_metric, run_table, trend_view
from tracknb.replaying import replay as replayed
from tracknb.transfer import ImportSummary, import_mlflow
from tracknb.view.base import View
from tracknb.view.chart import curves_altair
from tracknb.view.code import RunCode
from tracknb.view.compare import Comparison
from tracknb.view.dashboard import Dashboard
from tracknb.view.data import RunData
from tracknb.view.experiments import ExperimentList
from tracknb.view.page import RunPage
from tracknb.view.replay import ReplayVerdict
from tracknb.view.saved import Saved
from tracknb.view.state import ViewState, read_state
from tracknb.view.table import RunTable
from tracknb.view.trend import Trend

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

P = ParamSpec("P")
ViewMade = TypeVar("ViewMade", bound=View)

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


def verb(name: str, **settings: Any) -> Callable[[Callable[Concatenate[TrackingClient, P], View]], Callable[..., View]]:
    """Register a function of (client, options...) that returns a view as a verb."""

    def register(function: Callable[Concatenate[TrackingClient, P], View]) -> Callable[..., View]:
        @functools.wraps(function)
        def call(*args: Any, store: str | None, **options: Any) -> View:
            client = open_client(store)
            return remember(function(client, *args, **options), client)

        with_store = click.option("--store", metavar="URI", help="The store to look into, such as runs.db.")(call)
        VERBS.add_command(click.command(name, cls=_VerbCommand, **settings)(with_store))
        return call

    return register


def _read_view(context: click.Context, parameter: click.Parameter, text: str | None) -> ViewState | None:
    return None if text is None else read_state(text)


_view_option = click.option(
    "--view", "state", callback=_read_view, metavar="VIEW", help="Open it as a line from 'Copy view' says."
)


def _opened(view: ViewMade, state: ViewState | None) -> ViewMade:
    """Return a view as a copied line opens it."""
    view.opened = state
    return view


def _found(client: TrackingClient, query: str, query_option: str, state: ViewState | None, **chosen: Any) -> Found:
    """Return the runs that a verb's options mean; what they leave open, a copied line may say."""
    parts = state.parts if state is not None else {}
    if not (query or query_option):
        query_option = parts.get("q", "")
    if not (chosen["experiment"] or chosen["all_experiments"]):
        chosen["experiment"] = [parts["e"]] if parts.get("e") else []
        chosen["all_experiments"] = parts.get("all") == "1" and not chosen["experiment"]
    return find(client, positional=query, query=query_option, **chosen)


def _made_dashboard(
    client: TrackingClient, experiment: str | None, state: ViewState | None, *, is_page: bool = False
) -> Dashboard:
    wanted = experiment or (state.parts.get("e") if state is not None else None)
    return _opened(dashboard_view(client, experiment=wanted, pages_of=pages_of, is_page=is_page), state)


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
            click.option("--starred", is_flag=True, help="Only runs that you starred."),
            click.option("--archived", is_flag=True, help="Archived runs too."),
            click.option(
                "--limit", type=click.IntRange(min=1), default=DEFAULT_LIMIT, help="Keep this many of the newest runs."
            ),
        ]
    ):
        function = option(function)
    return function


@verb("runs")
@_view_option
@_choice_options
def _runs(client: TrackingClient, query: str, query_option: str, state: ViewState | None, **chosen: Any) -> RunTable:
    """Show runs as a table, the newest first.

    QUERY is a filter such as "metrics.rmse < 4". The name of an experiment shows that
    experiment. Without either it is the current experiment, or all of them where none
    was chosen.
    """
    return _opened(run_table(_found(client, query, query_option, state, **chosen)), state)


@verb("trend")
@click.option("--metric", help="The metric to draw; chosen for you if left out.")
@_view_option
@_choice_options
def _trend(
    client: TrackingClient,
    query: str,
    query_option: str,
    metric: str | None,
    state: ViewState | None,
    **chosen: Any,
) -> Trend:
    """Show how a metric went from run to run, the oldest first."""
    found = _found(client, query, query_option, state, **chosen).without_archived()
    drawn = state.parts.get("metric") if state is not None else None
    if metric is None and any(drawn in run.data.metrics for run in found.runs):
        metric = drawn
    return _opened(trend_view(found, metric), state)


@verb("df")
@_choice_options
@click.option("--order", multiple=True, metavar="COLUMN", help="Such as 'metrics.rmse ASC'; may be repeated.")
def _df(client: TrackingClient, query: str, query_option: str, order: Sequence[str], **chosen: Any) -> RunData:
    """Give runs as a DataFrame; in a terminal, print them as CSV.

    `df = %track df metrics.rmse < 5` has a row a run and MLflow's columns, as
    search_runs gives them.
    """
    found = find(client, positional=query, query=query_option, order=order, **chosen)
    return RunData.of(found.without_archived().runs)


@verb("experiments")
@_view_option
def _experiments(client: TrackingClient, state: ViewState | None) -> ExperimentList:
    """Show the experiments of the store: what is said about them, and how many runs each holds."""
    return _opened(catalogue(client), state)


@verb("dashboard")
@click.option("--experiment", help="The experiment to open; the current one if left out.")
@_view_option
def _dashboard(client: TrackingClient, experiment: str | None, state: ViewState | None) -> Dashboard:
    """Show experiments, runs, trend and comparison in one view; `%track` alone does the same."""
    return _made_dashboard(client, experiment, state)


@verb("save", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("path")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[VERB ...]")
@click.pass_context
def _save(context: click.Context, client: TrackingClient, path: str, words: Sequence[str]) -> Saved:
    """Save a view as one HTML page that works in any browser, offline.

    PATH is a file such as runs.html; an older page is replaced. VERB is what the page shows, such as
    `runs "metrics.rmse < 4"`; the dashboard if left out. Options of `save` stand before PATH.
    """
    if not words:
        return Saved(_made_dashboard(client, None, None, is_page=True).save(path))
    store = context.params["store"]
    view = run_verb([*words, *(["--store", store] if store is not None else [])])
    if view is None:
        raise InvalidValue("That shows no view, so there is nothing to save.")
    return Saved(view.save(path))


@verb("show")
@click.argument("run", default="last")
def _show(client: TrackingClient, run: str) -> RunPage:
    """Show one run: its params, tags, metrics, curves, code, environment, data and files.

    RUN is a run's id, the beginning of one, its name, or `last` for the newest.
    """
    return run_page(client, named_run(client, run))


@verb("compare")
@click.argument("runs", nargs=-1, metavar="RUN RUN [RUN ...]")
@click.option("--differences", is_flag=True, help="Leave out what all of them share.")
def _compare(client: TrackingClient, runs: Sequence[str], differences: bool) -> Comparison:
    """Show runs side by side: params, metrics, tags, data, environment, code and curves.

    RUN is a run's id, the beginning of one, its name, or `last` for the newest. The
    others are compared with the first.
    """
    return comparison(client, named_runs(client, runs), differences_only=differences)


@verb("diff")
@click.argument("runs", nargs=-1, metavar="RUN RUN")
def _diff(client: TrackingClient, runs: Sequence[str]) -> Comparison:
    """Show only what differs between runs, lines of code included.

    RUN is as for `compare`, and so is what is shown.
    """
    return comparison(client, named_runs(client, runs), differences_only=True)


@verb("code")
@click.argument("run", metavar="RUN")
@click.argument("path", required=False, metavar="[PATH]")
def _code(client: TrackingClient, run: str, path: str | None) -> RunCode | Saved:
    """Show the cells behind a run, in the order in which they ran, or save them.

    RUN is a run's id, the beginning of one, its name, or `last`. PATH ends in .ipynb, .py or .html.
    """
    found = code_of(client, named_run(client, run))
    return found if path is None else Saved(found.save(path), f"{len(found.cells)} cells behind {found.run_name}")


@verb("replay")
@click.argument("run", metavar="RUN")
@click.option("--locked", is_flag=True, help="In a new environment of the packages that the run recorded.")
@click.option("--timeout", type=click.IntRange(min=1), metavar="SECONDS", help="The longest that one cell may take.")
def _replay(client: TrackingClient, run: str, locked: bool, timeout: int | None) -> ReplayVerdict:
    """Run the cells behind a run in a new kernel, and compare the numbers.

    RUN is a run's id, the beginning of one, its name, or `last`. The new run is a child of it.
    """
    return replayed(client, named_run(client, run), locked=locked, timeout_seconds=timeout)


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
        The verb and its arguments, already split; options without a verb are those of ``dashboard``.
    prog
        How help and errors name the command.

    Raises
    ------
    InvalidValue
        The verb or an option is unknown, or a value does not fit; the message names
        the nearest one that exists.
    """
    try:
        words = list(argv)
        if not words or (words[0].startswith("--") and words[0] != "--help"):
            words.insert(0, "dashboard")
        result = VERBS.main(args=words, prog_name=prog, standalone_mode=False)
    except click.UsageError as problem:
        raise InvalidValue(usage_message(problem)) from None
    except click.Abort:
        # Click's name for it would pass for a failure of ours.
        raise KeyboardInterrupt from None
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


def code(run: str | Run = "last") -> RunCode:
    """Return the code behind a run: the cells that it depends on, as they were, and its own.

    Which cells these are is found out while a notebook runs: by the names that each cell
    reads and binds, the objects that it changed, the files it opened, the random numbers it drew.

    Parameters
    ----------
    run
        A run, its id or the beginning of it, its name, or ``"last"``.

    Raises
    ------
    NotFound
        There is no such run.

    Examples
    --------
    >>> import tracknb
    >>> with tracknb.start_run(run_name="linear"):
    ...     tracknb.log_metric("rmse", 5.1)
    >>> tracknb.code("linear").cells[-1].role
    'tracked'
    """
    client = active.client()
    return remember(code_of(client, run if isinstance(run, Run) else named_run(client, run)), client)


def replay(run: str | Run = "last", *, locked: bool = False, timeout_seconds: int | None = None) -> ReplayVerdict:
    """Run the cells behind a run in a new kernel, and return how the numbers compare.

    The cells are those that ``tracknb.code()`` shows. The new run is a child of the old one,
    with its id as the tag ``tracknb.replay_of``.

    Parameters
    ----------
    run
        A run, its id or the beginning of it, its name, or ``"last"``.
    locked
        Whether it runs in a new virtual environment with the packages that the run recorded,
        made by uv or pip and removed afterwards. tracknb itself is the one that runs.
    timeout_seconds
        The longest that one cell may take; any time if left out.

    Raises
    ------
    NotFound
        There is no such run.
    InvalidValue
        Its cells were not recorded, as of a run that a script made; or its packages.
    MissingExtra
        It needs ``pip install "tracknb[lab]"``.
    TracknbError
        A cell failed that did not fail then, or the environment cannot be made.

    Examples
    --------
    >>> import tracknb
    >>> with tracknb.start_run(run_name="by a script"):
    ...     tracknb.log_metric("rmse", 5.1)
    >>> try:
    ...     tracknb.replay("by a script")
    ... except tracknb.TracknbError as error:
    ...     print(str(error).split(",")[0])
    Which cells made by a script was not recorded
    """
    client = active.client()
    found = run if isinstance(run, Run) else named_run(client, run)
    return remember(replayed(client, found, locked=locked, timeout_seconds=timeout_seconds), client)


def dashboard(view: str | None = None, *, experiment: str | None = None) -> Dashboard:
    """Return the dashboard that ``%track`` shows: experiments, runs, trend and comparison in one view.

    Parameters
    ----------
    view
        The tab to open (``"experiments"``, ``"runs"``, ``"trend"``, ``"compare"``), or the text
        of a view that was copied with Copy view.
    experiment
        The experiment to open; the current one if left out, else the one that was used last.

    Raises
    ------
    NotFound
        No experiment has this name.

    Examples
    --------
    >>> import tracknb
    >>> _ = tracknb.set_experiment("nyc-taxi")
    >>> with tracknb.start_run(run_name="linear"):
    ...     tracknb.log_metric("rmse", 5.1)
    >>> print(tracknb.dashboard("experiments"))
    All (1)
    <BLANKLINE>
    experiment  runs
    nyc-taxi       1
    <BLANKLINE>
    nyc-taxi: 1 run
    <BLANKLINE>
    status      run     rmse
    ✓ FINISHED  linear   5.1
    """
    client = active.client()
    return remember(_made_dashboard(client, experiment, None if view is None else read_state(view)), client)


def save_html(path: str | os.PathLike[str], view: View | None = None) -> Path:
    """Save a view as one HTML page that works in any browser, without a kernel and offline; return its path.

    Without ``view`` it is the dashboard of the current store, with more in it than an output
    holds: other experiments' runs and more run pages. An older page is replaced.

    Raises
    ------
    InvalidValue
        The name does not end in ``.html``, the folder is not there, or nobody may write there.

    Examples
    --------
    >>> import tracknb
    >>> _ = tracknb.set_experiment("nyc-taxi")
    >>> with tracknb.start_run(run_name="linear"):
    ...     tracknb.log_metric("rmse", 5.1)
    >>> tracknb.save_html("runs.html").name
    'runs.html'
    """
    if view is None:
        view = _made_dashboard(active.client(), None, None, is_page=True)
    return view.save(path)


def runs_table(
    query: str = "",
    *,
    experiment: str | Sequence[str] | None = None,
    tags: str | Sequence[str] = (),
    eval_set: str | Sequence[str] | None = None,
    owner: str | Sequence[str] | None = None,
    starred: bool = False,
    archived: bool = False,
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
    starred
        Only runs that you starred.
    archived
        Whether runs that were archived are shown too.
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
    found = _chosen(
        query,
        experiment=experiment,
        tags=tags,
        eval_sets=eval_set,
        owners=owner,
        starred=starred,
        archived=archived,
        limit=max_results,
    )
    return remember(run_table(found), found.client)


def trend(
    metric: str | None = None,
    *,
    query: str = "",
    experiment: str | Sequence[str] | None = None,
    tags: str | Sequence[str] = (),
    eval_set: str | Sequence[str] | None = None,
    owner: str | Sequence[str] | None = None,
    starred: bool = False,
    archived: bool = False,
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
    found = _chosen(
        query,
        experiment=experiment,
        tags=tags,
        eval_sets=eval_set,
        owners=owner,
        starred=starred,
        archived=archived,
        limit=max_results,
    )
    return remember(trend_view(found.without_archived(), metric), found.client)


def _chosen(
    query: str,
    *,
    starred: bool,
    archived: bool,
    limit: int,
    **several: str | Sequence[str] | None,
) -> Found:
    """Return the runs of the current store that a caller means; ``several`` are one text or more each."""
    lists: dict[str, Any] = {name: as_list(value) for name, value in several.items()}
    return find(active.client(), query=query, starred=starred, archived=archived, limit=limit, **lists)


def compare(*runs: str | Run | Iterable[str | Run] | pd.DataFrame | RunTable) -> Comparison:
    """Return runs side by side as ``%track compare`` shows them; the first is the baseline.

    Parameters
    ----------
    *runs
        Ids, beginnings of ids, names or ``"last"``, runs, a run table, or a frame with a
        ``run_id`` column such as ``table.selected``.

    Raises
    ------
    NotFound
        A run is unknown.
    InvalidValue
        They are fewer than two runs, or more than can stand side by side.

    Examples
    --------
    >>> import tracknb
    >>> _ = tracknb.set_experiment("nyc-taxi")
    >>> for name, rmse in [("linear", 5.0), ("forest", 4.0)]:
    ...     with tracknb.start_run(run_name=name):
    ...         _ = tracknb.log_param("model", name)
    ...         tracknb.log_metric("rmse", rmse)
    >>> tracknb.compare("linear", "forest")
    2 runs in nyc-taxi; the others against linear
    <BLANKLINE>
                linear      forest
       RUN
       status   ✓ FINISHED  ✓ FINISHED
       METRICS
    ≠  rmse     5           4 (-1, -20 %, better)
       PARAMS
    ≠  model    linear      forest
    """
    client = active.client()
    return remember(comparison(client, named_runs(client, runs)), client)


def show(run: str | Run = "last") -> RunPage:
    """Return the page of a run that ``%track show`` shows: all that is known of it.

    Parameters
    ----------
    run
        A run, its id, the beginning of one, its name, or ``"last"`` for the newest.

    Raises
    ------
    NotFound
        No run is called so.

    Examples
    --------
    >>> import tracknb
    >>> _ = tracknb.set_experiment("nyc-taxi")
    >>> with tracknb.start_run(run_name="linear"):
    ...     for step, rmse in enumerate([3.0, 1.0, 2.0]):
    ...         tracknb.log_metric("rmse", rmse, step=step)
    >>> print(tracknb.show("linear"))
    ✓ FINISHED  linear  in nyc-taxi
    ...
    metric  last  step  min  max  points
    rmse       2     2    1    3       3
    """
    client = active.client()
    found = named_run(client, run) if isinstance(run, str) else client.get_run(run.info.run_id)
    return remember(run_page(client, found), client)


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
        chosen = find(client, query=query, experiment=as_list(experiment), limit=max_runs).runs
    else:
        chosen = [client.get_run(run_id) for run_id in dict.fromkeys(run_ids(runs))][:max_runs]
    known = sorted({key for run in chosen for key in run.data.metrics})
    keys = as_list(metric) or known
    for key in keys:
        if key not in known:
            raise no_such_metric(key, known)
    return curves_altair(histories(client, chosen, keys))
