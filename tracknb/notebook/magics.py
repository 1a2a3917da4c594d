"""``%%track_run`` and ``%track``: what the user types above a cell and on a line.

``%%track_run`` is an input transformation, not a nested ``run_cell``: its line becomes
one call that opens the run, and the rest of the cell runs as IPython runs it anyway. So
line numbers, tracebacks, ``await``, ``Out[n]`` and interrupts are IPython's own.
"""

from __future__ import annotations

import difflib
import shlex
from dataclasses import dataclass
from typing import Any, Final

import click

from tracknb.entities import EVALUATION_SET_TAGS
from tracknb.errors import InvalidValue
from tracknb.validation import as_duration_ms

LINE: Final = "%%track_run"
# What the line becomes. The name is found in the user's namespace, so that nothing has to be
# imported there and the call fits on the line it replaces.
OPENER: Final = "get_ipython().run_line_magic"
OPENER_MAGIC: Final = "_tracknb_open"


@dataclass(frozen=True, slots=True)
class CellOptions:
    """What a ``%%track_run`` line asks for."""

    experiment: str | None
    name: str | None
    tags: dict[str, str]
    params: dict[str, str]
    note: str | None
    nested: bool
    parent: str | None
    resume: str | None
    store: str | None
    durable: bool
    system_metrics: bool
    plateau: int | None
    overtime_ms: int | None
    display: bool


def transform(lines: list[str]) -> list[str]:
    """Turn a first line ``%%track_run ...`` into one call on the same line.

    Where the next line is another cell magic such as ``%%time``, it becomes the call that
    IPython makes of a cell magic: it only knows them on a cell's first line.
    """
    first = next((index for index, line in enumerate(lines) if line.strip()), None)
    if first is None or not _is_ours(lines[first]):
        return lines
    arguments = lines[first].strip().removeprefix(LINE).strip()
    call = f"{OPENER}({OPENER_MAGIC!r}, {arguments!r})\n"
    if "--help" in arguments.split():
        # Who asks how it works does not want the cell run yet.
        return [*lines[:first], call]
    following = next((index for index in range(first + 1, len(lines)) if lines[index].strip()), None)
    if following is not None and lines[following].lstrip().startswith("%%"):
        name, _, rest = lines[following].lstrip()[2:].strip().partition(" ")
        body = "".join(lines[following + 1 :])
        run = f"get_ipython().run_cell_magic({name!r}, {rest!r}, {body!r})\n"
        return [*lines[:first], call, *lines[first + 1 : following], run]
    return [*lines[:first], call, *lines[first + 1 :]]


def _is_ours(line: str) -> bool:
    words = line.split(None, 1)
    return bool(words) and words[0] == LINE and not line.rstrip().endswith("?")


def parse_line(line: str) -> CellOptions | None:
    """Return what a ``%%track_run`` line asks for; None where help was asked for and printed.

    Raises
    ------
    InvalidValue
        An option is unknown or a value does not fit; the message names the nearest one.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InvalidValue(f"{LINE} {line}: {error}. Put texts with spaces in quotes that are closed.") from None
    try:
        result = _command.main(args=words, prog_name=LINE, standalone_mode=False)
    except click.NoSuchOption as problem:
        known = [option for param in _command.params for option in param.opts]
        near = difflib.get_close_matches(problem.option_name, known, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(known)}."
        raise InvalidValue(f"{LINE} has no option '{problem.option_name}'. {hint} The cell was not run.") from None
    except click.UsageError as problem:
        told = problem.format_message().rstrip(".")
        raise InvalidValue(f"{LINE}: {told}. The cell was not run.") from None
    return result if isinstance(result, CellOptions) else None


def _pairs(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in values:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise click.BadParameter(f"'{text}' is no key=value.", context, parameter)
        pairs[key] = value
    return pairs


def _duration(context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    try:
        return None if text is None else as_duration_ms(text)
    except InvalidValue as problem:
        raise click.BadParameter(str(problem), context, parameter) from None


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--experiment", metavar="NAME", help="Where the run goes; a new name makes the experiment.")
@click.option("--name", metavar="NAME", help="The run's name; '{model} lr={lr}' is filled in by params.")
@click.option("--tag", "tags", multiple=True, callback=_pairs, metavar="K=V", help="A tag; may be repeated.")
@click.option("--param", "params", multiple=True, callback=_pairs, metavar="K=V", help="A param; may be repeated.")
@click.option("--eval-set", metavar="ID", help="The evaluation set that the run is measured on.")
@click.option("--note", metavar="TEXT", help="The run's note, in Markdown.")
@click.option("--nested", is_flag=True, help="Make it a child of the run that is open.")
@click.option("--parent", metavar="ID", help="Make it a child of this run.")
@click.option("--resume", metavar="ID|last", help="Continue a run; 'last' is this cell's newest.")
@click.option("--store", metavar="URI", help="The store of this cell's runs, such as runs.db.")
@click.option("--durable", is_flag=True, help="Let every call reach the disk before it returns.")
@click.option("--system-metrics", is_flag=True, help="Log how busy this machine is; needs psutil.")
@click.option(
    "--plateau", type=click.IntRange(min=1), metavar="STEPS", help="Alert after so many without a better value."
)
@click.option("--overtime", callback=_duration, metavar="TIME", help="Alert when the run takes longer, such as 2h.")
@click.option("--no-display", "display", is_flag=True, default=True, flag_value=False, help="Show no panel.")
def _command(
    experiment: str | None,
    name: str | None,
    tags: dict[str, str],
    params: dict[str, str],
    eval_set: str | None,
    note: str | None,
    nested: bool,
    parent: str | None,
    resume: str | None,
    store: str | None,
    durable: bool,
    system_metrics: bool,
    plateau: int | None,
    overtime: int | None,
    display: bool,
) -> CellOptions:
    """Run the cell as one tracked run, with a live panel under it."""
    if eval_set is not None:
        tags = {**tags, EVALUATION_SET_TAGS[0]: eval_set}
    return CellOptions(
        experiment=experiment,
        name=name,
        tags=tags,
        params=params,
        note=note,
        nested=nested,
        parent=parent,
        resume=resume,
        store=store,
        durable=durable,
        system_metrics=system_metrics,
        plateau=plateau,
        overtime_ms=overtime,
        display=display,
    )


def track(line: str) -> Any:
    """Look at what was tracked: ``%track runs``, ``%track trend``, ``%track show last``.

    ``%track`` alone shows the dashboard; ``df = %track df metrics.rmse < 5`` is a DataFrame;
    ``%track VERB --help`` tells a verb's options.
    """
    from tracknb import verbs
    from tracknb.view.data import RunData

    try:
        words = verbs.split_line(line)
    except ValueError as error:
        raise InvalidValue(f"%track {line}: {error}. Put texts with spaces in quotes that are closed.") from None
    view = verbs.run_verb(words)
    return view.to_pandas() if isinstance(view, RunData) else view


def track_run_help(line: str, cell: str) -> None:
    """Run the cell as one tracked run, with a live panel under it.

    Put ``%%track_run --experiment NAME`` on the first line of a cell. Options: --experiment,
    --name, --tag K=V, --param K=V, --eval-set, --note, --nested, --parent, --resume, --store,
    --durable, --system-metrics, --plateau, --overtime, --no-display; ``%%track_run --help`` explains them.
    """
    raise InvalidValue(f"{LINE} must be the first line of its cell. The cell was not run.")
