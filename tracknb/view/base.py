"""What every view is: three layers, each complete in itself.

``text/plain`` says it in aligned words, ``text/html`` in a plain escaped table without
script or style sheet, and our own type carries the data for the interactive form.
"""

from __future__ import annotations

import json
import os
import re
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tracknb import names
from tracknb.entities import evaluation_sets, is_own_tag
from tracknb.errors import InvalidValue
from tracknb.view import pictures, standalone
from tracknb.view.format import clipped, one_line
from tracknb.view.state import ViewState

if TYPE_CHECKING:
    import altair as alt

MIME: Final = "application/vnd.tracknb.view+json"
VERSION: Final = 1
# What a saved output may weigh; beyond it the oldest runs are left out, and it says so.
PAYLOAD_LIMIT: Final = 115_000
# The same for the HTML's table, which stands beside the data in the saved output.
HTML_LIMIT: Final = 50_000
HTML_ROWS: Final = 50
# How short texts become before anything else is left out.
SHORT_TEXT: Final = 250
# What neither HTML nor the XML of a picture may hold, not even escaped.
_UNSHOWABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_CELL_LETTERS: Final = 200
_LETTERS_AND_ROWS: Final = ((_CELL_LETTERS, HTML_ROWS), (60, HTML_ROWS), (60, 20), (30, 8))
# Lists that are no longer than that stay as they are, for those who read the file.
_SHORT_LIST: Final = 4
_TURNS: Final = dict.fromkeys(map(ord, "\u202d\u202e"), "\N{REPLACEMENT CHARACTER}")
_PAGE_ENDINGS: Final = (".html", ".htm")
# Views that somebody still holds, so that the one on the screen hears what is ticked in it.
_views: weakref.WeakValueDictionary[str, View] = weakref.WeakValueDictionary()


class View(ABC):
    """Something to look at.

    ``selection`` holds the ids of the runs that are ticked in the interactive form, while
    a kernel listens.
    """

    def __init__(self) -> None:
        self.view_id = names.new_id()
        self.selection: tuple[str, ...] = ()
        # What the data may weigh; a page that stands alone may weigh more than an output.
        self.payload_limit = PAYLOAD_LIMIT
        self.opened: ViewState | None = None
        _views[self.view_id] = self

    @property
    def exit_code(self) -> int:
        """What ``tracknb VERB`` ends with once the view is printed."""
        return 0

    @abstractmethod
    def text(self, *, times: bool = False) -> str:
        """Return the view in words; without ``times`` nothing that a repeated run would change."""

    @abstractmethod
    def html(self) -> str:
        """Return the view as HTML without script or style sheet; everything stored is escaped."""

    @abstractmethod
    def payload(self) -> dict[str, Any]:
        """Return the view's data, for strict JSON."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return self.bundle()

    def bundle(self) -> dict[str, Any]:
        """Return the three layers; where a copied line opened the view, with what was set in it."""
        payload, html, text = self.payload(), self.html(), self.text()
        if self.opened is not None:
            payload["stateView"] = self.opened.view
            payload["state"] = {key: sendable(value) for key, value in self.opened.parts.items()}
            if self.opened.note:
                note = one_line(self.opened.note)
                payload["stateNote"] = sendable(note)
                html, text = f"{html}<p>{safe(note)}</p>", f"{text}\n\n{note}"
        return {MIME: packed(payload), "text/html": html, "text/plain": text}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save the view and return its path: a page that works in any browser, or the picture of its chart.

        The page (``.html``) needs no kernel and no network, and more fits into it than into an
        output. Pictures (``.svg``, ``.png``, ``.pdf``) are what `to_altair` returns. An older
        file of this name is replaced.

        Raises
        ------
        InvalidValue
            The name ends otherwise, the view has no chart, the folder is not there, or nobody
            may write there.
        MissingExtra
            A picture needs ``pip install "tracknb[export]"``.

        Examples
        --------
        >>> import tracknb
        >>> _ = tracknb.set_experiment("nyc-taxi")
        >>> with tracknb.start_run(run_name="linear"):
        ...     tracknb.log_metric("rmse", 5.1)
        >>> tracknb.runs_table().save("runs.html").name
        'runs.html'
        """
        ending = Path(path).suffix.lower()
        if ending in pictures.ENDINGS:
            return standalone.write(path, pictures.drawn(self.to_altair(), ending))
        if ending not in _PAGE_ENDINGS:
            known = ", ".join((_PAGE_ENDINGS[0], *pictures.ENDINGS))
            raise InvalidValue(f"'{Path(path).name}' must end in one of {known}: a page, or the picture of a chart.")
        usual, self.payload_limit = self.payload_limit, max(self.payload_limit, standalone.PAYLOAD_LIMIT)
        try:
            layers = self.bundle()
        finally:
            self.payload_limit = usual
        title = safe(clipped(one_line(self.title_text()), 120))
        payload = {"text": layers["text/plain"], **layers[MIME]}
        page = standalone.page_of(payload, html=layers["text/html"], title=title)
        return standalone.write(path, page.encode())

    def to_altair(self) -> alt.TopLevelMixin:
        """Return the view's chart for Altair, to restyle or to export.

        Raises
        ------
        InvalidValue
            This view has no chart.
        """
        raise InvalidValue(
            f"{type(self).__name__} has no chart. Trends, comparisons and runs have one, and tracknb.chart() draws "
            "the curves of any runs."
        )

    def title_text(self) -> str:
        """Return what a saved page is called."""
        return self.text().partition("\n")[0] or "tracknb"

    def __repr__(self) -> str:
        return self.text()


def packed(payload: Any) -> Any:
    """Return a payload as outputs hold it: each list of plain values as one text of JSON.

    Notebooks are saved with a line for every item of a list, which makes a curve four times
    as heavy. The front end reads both forms (``unpacked`` in text.ts).

    Examples
    --------
    >>> packed({"n": 6, "x": [0, 1, 2, 3, 4, 5], "runs": [{"id": "a"}]})
    {'n': 6, 'x': {'[]': '[0,1,2,3,4,5]'}, 'runs': [{'id': 'a'}]}
    """
    if isinstance(payload, dict):
        return {key: packed(value) for key, value in payload.items()}
    if not isinstance(payload, list):
        return payload
    if len(payload) > _SHORT_LIST and _is_plain(payload):
        return {"[]": json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)}
    return [packed(value) for value in payload]


def _is_plain(values: list[Any]) -> bool:
    return all(_is_plain(value) if isinstance(value, list) else not isinstance(value, dict) for value in values)


def view_by_id(view_id: str) -> View | None:
    """Return the view with an id, while somebody holds it."""
    return _views.get(view_id)


def shown_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that a user set: not MLflow's and not ours."""
    return {key: value for key, value in tags.items() if is_own_tag(key)}


def chip_texts(tags: Mapping[str, str]) -> list[str]:
    """Return a run's tags as ``key=value``."""
    return [f"{key}={value}" for key, value in shown_tags(tags).items()]


def set_texts(tags: Mapping[str, str]) -> str:
    """Return the evaluation sets of a run in one text."""
    return ", ".join(evaluation_sets(tags))


def safe(text: object) -> str:
    """Return stored text for HTML: escaped, and without what no browser could show."""
    return escape(_UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", sendable(str(text))))


def html_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[bool], letters: int = _CELL_LETTERS
) -> str:
    """Return a plain table, every text escaped and of a bounded length; ``right`` tells which columns hold numbers."""
    styles = [f'style="text-align:{"right" if number else "left"}"' for number in right]
    heads = "".join(
        f"<th {style}>{safe(clipped(word, letters))}</th>" for word, style in zip(head, styles, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td {style}>{safe(clipped(cell, letters))}</td>" for cell, style in zip(row, styles, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def bounded_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[bool], total: int, limit: int = HTML_LIMIT
) -> str:
    """Return a table that an output can carry: shorter texts, then fewer rows; it says how many of ``total`` miss."""
    table, shown = "", 0
    for letters, count in _LETTERS_AND_ROWS:
        table, shown = html_table(head, rows[:count], right=right, letters=letters), min(count, len(rows))
        if len(table) <= limit:
            break
    return table + (f"<p>and {total - shown:,} more</p>" if shown < total else "")


def left_out_columns(metrics: int, params: int, shown: int) -> str:
    """Return a sentence on how many metrics and params a table has no column for; nothing if it has them all."""
    counts = [(metrics - shown, "metric"), (params - shown, "param")]
    words = " and ".join(f"{count:,} more {what}{'s' if count > 1 else ''}" for count, what in counts if count > 0)
    return f"Not shown: {words}; tracknb.search_runs() has them all." if words else ""


def fitted(
    make: Callable[[int, int | None, int | None], dict[str, Any]],
    limit: int,
    *,
    count: int,
    letters: int | None = None,
    keys: Callable[[], int] | None = None,
) -> dict[str, Any]:
    """Return data that weighs at most ``limit`` as JSON: long texts are cut, then items left out, then keys.

    Parameters
    ----------
    make
        Makes the data of the first ``count`` items, of texts of so many letters and of so many
        keys an item (None is all).
    limit
        In letters. What weighs more with nothing left in it is returned all the same.
    count
        How many items there are.
    letters
        How short texts are from the beginning.
    keys
        Tells how many keys the first item has: it is always there, with fewer of them. Without
        it items have no keys to leave out, and the first goes too.
    """
    kept: int | None = None
    least = 0 if keys is None else 1
    data = make(count, letters, kept)
    while (weight := len(json.dumps(data))) > limit:
        # Weight grows about with what is in it; a little less than the share fits.
        share = limit / weight * 0.95
        if letters is None:
            letters = SHORT_TEXT
        elif count > least:
            count = max(least, min(count - 1, int(count * share)))
        elif keys is None or count == 0 or kept == 0:
            # What is left is the title and the query, and those are the user's own.
            break
        else:
            held = keys()
            kept = int(min(held, held if kept is None else kept) * share)
        data = make(count, letters, kept)
    return data


def short_note(letters: int, keys: int | None) -> str:
    """Return what to say of a payload whose texts were cut, and that may hold only some keys."""
    only = f" Only the first {keys:,} metrics, params and tags are in it." if keys is not None else ""
    return f"Texts longer than {letters} letters are cut short in this output.{only}"


def shortened(text: str, limit: int | None) -> str:
    """Return stored text for the payload, cut where there is a limit."""
    return sendable(text if limit is None else clipped(text, limit))


def sendable(text: str) -> str:
    """Return stored text that can travel as UTF-8, and that shows its letters in their order.

    Half of a surrogate pair cannot travel. What turns the direction of all that follows would
    show a name as another one.
    """
    # Nearly all text is plain, and a table asks this of a hundred thousand.
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode().translate(_TURNS)
