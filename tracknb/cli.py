"""``tracknb VERB``: the verbs in a terminal, and the demo.

The exit code is 0, or 1 for an error of ours (its message on standard error) and for a
replay whose numbers are different, or 2 for a command line that cannot be read.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from tracknb import config, demo
from tracknb.errors import NotFound, TracknbError
from tracknb.verbs import VERBS, VerbGroup, run_verb, usage_message
from tracknb.view.base import View

# The verbs that may be the first to use a store.
_MAKING_A_STORE: Final = ("import",)


def _printing(command: click.Command) -> click.Command:
    """Return a verb that prints its view, as text or as JSON."""
    view_of: Callable[..., View] = command.callback  # type: ignore[assignment]

    @functools.wraps(view_of)
    def call(*, as_json: bool, **options: Any) -> int:
        if options["store"] is None and command.name not in _MAKING_A_STORE:
            _need_store()
        view = view_of(**options)
        # Strict JSON: NaN and the infinities are texts in every payload.
        text = json.dumps(view.payload(), allow_nan=False) if as_json else view.text(times=True)
        try:
            click.echo(text)
        except BrokenPipeError:
            # Who reads has seen enough; click ends quietly.
            raise
        except OSError as error:
            raise TracknbError(f"The output could not be written: {error.strerror}.") from error
        return view.exit_code

    json_option = click.Option(["--json", "as_json"], is_flag=True, help="Print the data as JSON.")
    return type(command)(command.name, params=[*command.params, json_option], callback=call, help=command.help)


def _need_store() -> None:
    """Refuse to look where nothing is: in a terminal, looking must not make a store."""
    path = config.locate(config.resolved_uri()).path
    if path is not None and not os.path.exists(path):
        raise NotFound(f"There is no store at {path} yet. Name one with --store, or begin with: tracknb demo")


cli = VerbGroup(
    name="tracknb",
    help="Experiment tracking whose dashboards live in the notebook.",
    commands={name: _printing(command) for name, command in VERBS.commands.items()},
)
click.version_option(package_name="tracknb", message="tracknb %(version)s")(cli)


@cli.command("demo")
@click.option("--out", default="tracknb-demo", metavar="DIR", help="The folder to write the notebook into.")
@click.option("--browser/--no-browser", default=True, help="Whether to open JupyterLab at the end.")
@click.option("--force", is_flag=True, help="Write over a notebook that is already there.")
def _demo(out: str, browser: bool, force: bool) -> None:
    """Write the first notebook, run it, show its runs and open it in JupyterLab."""
    notebook = demo.write(Path(out), force=force)
    click.echo(f"{demo.as_typed(notebook)}: a model of taxi trip times, trained a few times over")
    cells = demo.cell_count(notebook)
    with click.progressbar(length=cells, label="Running its cells", file=sys.stderr) as bar:
        store = demo.execute(notebook, done=lambda: bar.update(1))
    click.echo()
    table = run_verb(["runs", "--store", str(store)])
    assert table is not None
    click.echo(table.text(times=True))
    click.echo()
    click.echo(f"The same table again:  {demo.command_word()} runs --store {demo.as_typed(store)}")
    if browser and demo.can_open_browser():
        click.echo("Opening JupyterLab; end it here with Ctrl+C.")
        demo.open_lab(notebook)
    else:
        click.echo(f"Open the notebook:     {demo.lab_command(notebook)}")


def _say_progress(done: int, total: int, name: str) -> None:
    """Say on standard error how far an import has come: in place on a terminal, else now and then."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done:,} of {total:,} runs" + ("\n" if done == total else ""))
    elif done == total or done % 1_000 == 0:
        sys.stderr.write(f"{done:,} of {total:,} runs\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without Unicode shows '?' where a mark was, rather than failing.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        result = cli.main(args=words or ["--help"], prog_name="tracknb", standalone_mode=False, obj=_say_progress)
    except click.UsageError as problem:
        click.echo(f"tracknb: {usage_message(problem)}", err=True)
        return 2
    except TracknbError as problem:
        click.echo(f"tracknb: {problem}", err=True)
        return 1
    except BrokenPipeError:
        # `tracknb runs | head`: the reader has seen enough. Without this, Python would
        # complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (click.Abort, KeyboardInterrupt):
        click.echo("tracknb: stopped", err=True)
        return 130
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    sys.exit(main())
