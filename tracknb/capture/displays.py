"""What a cell displays, as files: pictures, tables, charts and results, each in the form that says most.

It is what stays under the cell: what was cleared is gone, and of a display that was updated the last
form counts. Limits keep a run small; what they leave out is counted and said. Texts are kept
without keys and passwords. Widgets and tracknb's own views are no outputs.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tracknb.capture import secrets

FOLDER: Final = "outputs"
# Of these the first that an output has. Matplotlib gives a picture and words that name it, pandas a
# table and the same in words.
_PICTURES: Final = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/svg+xml": "svg",
    "image/gif": "gif",
    "image/webp": "webp",
}
_TEXTS: Final = {
    "text/html": "html",
    "text/markdown": "md",
    "text/latex": "tex",
    "application/json": "json",
    "text/plain": "txt",
}
# Charts that can be drawn again, kept beside the picture of them if there is one.
_CHARTS: Final = (
    (re.compile(r"application/vnd\.plotly\.v\d+\+json"), "plotly.json"),
    (re.compile(r"application/vnd\.vegalite\.v\d+\+json"), "vegalite.json"),
    (re.compile(r"application/vnd\.vega\.v\d+\+json"), "vega.json"),
)
_NO_OUTPUTS: Final = ("application/vnd.tracknb.", "application/vnd.jupyter.widget")
# What Python writes of an object that has nothing to say: its class, and an address that is always another.
_MOST_LETTERS_OF_NOTHING: Final = 10_000
_SAYS_NOTHING: Final = re.compile(r"\[?<[^>]* at 0x[0-9a-f]+>[\s,\]]*|<Figure size [^>]*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept: bytes of each file and of all together, and how many outputs."""

    each_bytes: int = 5_000_000
    all_bytes: int = 20_000_000
    outputs: int = 50


@dataclass(slots=True)
class _Shown:
    """One output: to whom it belongs, and its forms by the ending of their file."""

    owner: str
    forms: dict[str, _Form]


@dataclass(frozen=True, slots=True)
class _Form:
    """An output as one MIME type; None stands for a text that is too long to be held."""

    kind: str
    content: Any


class Displays:
    """The outputs of one execution of a cell, in the order in which they came."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        # Threads of a cell display too.
        self._lock = threading.Lock()
        self._shown: list[_Shown] = []
        self._by_id: dict[str, _Shown] = {}
        self._is_clearing = False
        self._too_many: Counter[str] = Counter()

    def add(self, data: Mapping[str, Any], *, owner: str, display_id: str | None = None, update: bool = False) -> None:
        """Take in an output.

        Parameters
        ----------
        data
            By MIME type.
        owner
            The run that it belongs to.
        display_id
            What an update names it by.
        update
            Whether it takes the place of the one of that name.
        """
        if any(kind.startswith(_NO_OUTPUTS) for kind in data):
            return
        forms = _forms_of(data, self._limits.each_bytes)
        with self._lock:
            if update:
                # Without one it is of another cell: what is under this one has not changed.
                known = self._by_id.get(display_id or "")
                if known is not None:
                    known.forms = forms
                return
            if self._is_clearing:
                self._clear()
            if not forms:
                return
            if len(self._shown) >= self._limits.outputs:
                self._too_many[owner] += 1
                return
            shown = _Shown(owner, forms)
            self._shown.append(shown)
            if display_id is not None:
                self._by_id[display_id] = shown

    def clear(self, *, wait: bool) -> None:
        """Forget what was displayed; with ``wait`` once the next output comes."""
        with self._lock:
            self._is_clearing = wait
            if not wait:
                self._clear()

    def _clear(self) -> None:
        self._shown.clear()
        self._by_id.clear()
        self._too_many.clear()
        self._is_clearing = False

    def owners(self) -> set[str]:
        """Return to whom there is an output."""
        return {shown.owner for shown in self._shown}

    def files(self, counts: dict[str, int] | None = None) -> tuple[dict[str, dict[str, bytes]], dict[str, str]]:
        """Return the files of each owner by their paths, and in words what was left out of each.

        ``counts`` says how many outputs an owner has already: numbers go on from there.
        """
        found: dict[str, dict[str, bytes]] = {}
        counts = dict(counts or {})
        limits = self._limits
        large, full, unreadable = Counter[str](), Counter[str](), Counter[str]()
        together = 0
        for shown in self._shown:
            number = counts[shown.owner] = counts.get(shown.owner, 0) + 1
            for ending, form in shown.forms.items():
                try:
                    # Only now: a display may have been updated a thousand times.
                    content = _bytes_of(form)
                except (ValueError, TypeError, RecursionError):
                    # Anything may be displayed as anything: a picture that is none, data that no file can hold.
                    unreadable[shown.owner] += 1
                    continue
                if content is None or len(content) > limits.each_bytes:
                    large[shown.owner] += 1
                elif together + len(content) > limits.all_bytes:
                    full[shown.owner] += 1
                else:
                    together += len(content)
                    found.setdefault(shown.owner, {})[f"{FOLDER}/{number}.{ending}"] = content
        reasons = (
            (large, f"larger than {_size(limits.each_bytes)}"),
            (full, f"beyond {_size(limits.all_bytes)} together"),
            (unreadable, "not readable as what it claims to be"),
            (self._too_many, f"after the first {limits.outputs}"),
        )
        left_out: dict[str, list[str]] = {}
        for count, reason in reasons:
            for owner, number in count.items():
                left_out.setdefault(owner, []).append(f"{number:,} {reason}")
        return found, {owner: ", ".join(told) for owner, told in left_out.items()}


def _size(count: int) -> str:
    return f"{count / 1e6:g} MB"


def _forms_of(data: Mapping[str, Any], most: int) -> dict[str, _Form]:
    """Return the forms of an output that are kept, by the ending of their file."""
    found: dict[str, _Form] = {}
    for pattern, ending in _CHARTS:
        kind = next((kind for kind in data if pattern.fullmatch(kind)), None)
        if kind is not None:
            found[ending] = _form(kind, data[kind], most)
    kind = next((kind for kind in _PICTURES if data.get(kind)), None)
    if kind is not None:
        found[_PICTURES[kind]] = _form(kind, data[kind], most)
    if not found:
        kind = next((kind for kind in _TEXTS if data.get(kind) is not None), None)
        if kind is not None and not (kind == "text/plain" and _says_nothing(str(data[kind]))):
            found[_TEXTS[kind]] = _form(kind, data[kind], most)
    return found


def _says_nothing(text: str) -> bool:
    return len(text) < _MOST_LETTERS_OF_NOTHING and _SAYS_NOTHING.fullmatch(text.strip()) is not None


def _form(kind: str, content: Any, most: int) -> _Form:
    # Base64 is a third longer than what it stands for.
    is_held = not isinstance(content, str | bytes) or len(content) <= 1.5 * most
    return _Form(kind, content if is_held else None)


def _bytes_of(form: _Form) -> bytes | None:
    """Return what a file of an output holds; None where that was too much to be held."""
    content = form.content
    if content is None:
        return None
    if form.kind in _PICTURES and form.kind != "image/svg+xml":
        # IPython publishes pictures either way.
        return base64.b64decode(content) if isinstance(content, str) else bytes(content)
    if form.kind.endswith("json"):
        text = json.dumps(content, default=str)
    else:
        text = "".join(map(str, content)) if isinstance(content, list | tuple) else str(content)
    return secrets.mask(text, "an output").encode("utf-8", "replace")
