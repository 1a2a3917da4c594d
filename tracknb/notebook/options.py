"""The options of ``%%track_run``, read by click as those of the verbs are.

Imported when the first tracked cell runs: loading the extension does not pay for click.
"""

from __future__ import annotations

import difflib
import shlex
from dataclasses import dataclass

import click

from tracknb.entities import EVALUATION_SET_TAGS
from tracknb.errors import InvalidValue
from tracknb.notebook.magics import LINE
from tracknb.notebook.parameters import parse_wanted
from tracknb.validation import as_duration_ms


@dataclass(frozen=True, slots=True)
class CellOptions:
    """What a ``%%track_run`` line asks for."""

    experiment: str | None
    name: str | None
    tags: dict[str, str]
    params: dict[str, str]
    wanted_params: tuple[str, ...]
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
    outputs: bool


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


def _wanted(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    try:
        return () if text is None else parse_wanted(text)
    except InvalidValue as problem:
        raise click.BadParameter(str(problem), context, parameter) from None


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
@click.option(
    "--params",
    "wanted_params",
    callback=_wanted,
    metavar="auto|NAMES",
    help="Log variables as params: 'lr depth' by name, auto what the cell assigns literally.",
)
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
@click.option(
    "--no-outputs", "outputs", is_flag=True, default=True, flag_value=False, help="Keep nothing that the cell displays."
)
def _command(
    experiment: str | None,
    name: str | None,
    tags: dict[str, str],
    params: dict[str, str],
    wanted_params: tuple[str, ...],
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
    outputs: bool,
) -> CellOptions:
    """Run the cell as one tracked run, with a live panel under it."""
    if eval_set is not None:
        tags = {**tags, EVALUATION_SET_TAGS[0]: eval_set}
    return CellOptions(
        experiment=experiment,
        name=name,
        tags=tags,
        params=params,
        wanted_params=wanted_params,
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
        outputs=outputs,
    )
