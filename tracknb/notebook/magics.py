"""``%%track_run`` and ``%track``: what the user types above a cell and on a line.

``%%track_run`` is an input transformation, not a nested ``run_cell``: its line becomes
one call that opens the run, and the rest of the cell runs as IPython runs it anyway. So
line numbers, tracebacks, ``await``, ``Out[n]`` and interrupts are IPython's own.
"""

from __future__ import annotations

import linecache
import sys
from types import FrameType
from typing import Any, Final

from tracknb.errors import InvalidValue

LINE: Final = "%%track_run"
# What the line becomes. The name is found in the user's namespace, so that nothing has to be
# imported there and the call fits on the line it replaces.
OPENER: Final = "get_ipython().run_line_magic"
OPENER_MAGIC: Final = "_tracknb_open"


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


def show_as_typed(written: str) -> None:
    """Let tracebacks of the cell that runs quote its first line as it was typed, not as the call it became.

    As a comment: IPython colours and marks only what it can parse.
    """
    call, typed = f"{OPENER}({OPENER_MAGIC!r}, ", f"# {LINE} {written}".rstrip() + "\n"
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        known = linecache.cache.get(frame.f_code.co_filename)
        lines = known[2] if known is not None and len(known) == 4 else []
        at = frame.f_lineno - 1
        if at < len(lines) and lines[at].startswith(call):
            lines[at] = typed
            return
        frame = frame.f_back


def _is_ours(line: str) -> bool:
    words = line.split(None, 1)
    return bool(words) and words[0] == LINE and not line.rstrip().endswith("?")


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
    --name, --tag K=V, --param K=V, --params, --eval-set, --note, --nested, --parent, --resume, --store,
    --durable, --system-metrics, --plateau, --overtime, --no-display, --no-outputs; ``%%track_run --help``
    explains them.

    ``--params auto`` logs what the cell assigns literally (numbers, texts, bools, None, and lists,
    tuples or dictionaries of them) on its top level and only once, so not in loops or branches.
    ``--params "lr depth"`` logs variables by name: one that the cell assigns literally or that is there
    already when the run starts, any other with the value that it has when the cell ends. What a
    call logs goes before both; names that sound like secrets are left out.
    """
    raise InvalidValue(f"{LINE} must be the first line of its cell. The cell was not run.")
