"""The params that a run gets from code, without a call: what its cell assigns, names that were asked for, papermill's.

Texts come out, bounded in number and length, and of what is left out the reason. Names
that sound like secrets are never among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tracknb import validation
from tracknb.active import CodeParams
from tracknb.capture import literals, secrets
from tracknb.errors import InvalidValue

AUTO: Final = "auto"
# So many names fill a page; what has more is a table of data.
_MOST: Final = 100
# A longer literal is a prompt or data; who wants it as a param asks for it by its name.
_LONGEST: Final = 500
_MOST_ITEMS: Final = 50
_LONGEST_NAME: Final = 70
# Magics whose cell is Python that runs in the user's namespace.
_PYTHON_MAGICS: Final = ("%%track_run", "%%time", "%%capture", "%%prun")


def of_cell(source: str, wanted: Iterable[str], namespace: Mapping[str, Any]) -> tuple[CodeParams, tuple[str, ...]]:
    """Return the params that a cell's run begins with, and the names that only the end of the cell can tell.

    Parameters
    ----------
    source
        The cell as it was typed.
    wanted
        Names, and ``auto`` for all that ``capture.literals.parameters`` finds. A name that the
        cell assigns literally has that value; one that it binds in another way has a value
        at its end; any other is looked up in the namespace.
    namespace
        The user's names.
    """
    code = _python_of(source)
    found, bound = literals.parameters(code), literals.bound_names(code)
    names = list(dict.fromkeys(wanted))
    given: dict[str, Any] = {}
    pending = []
    for name in names:
        if name in found:
            given[name] = found[name]
        elif name in namespace and name not in bound:
            given[name] = namespace[name]
        elif name != AUTO:
            pending.append(name)
    rest = {name: value for name, value in found.items() if name not in given} if AUTO in names else {}
    asked = bounded(given, longest=validation.MAX_PARAM_VALUE)
    return _together(asked, bounded(rest, longest=_LONGEST)), tuple(pending)


def at_end(pending: Iterable[str], namespace: Mapping[str, Any]) -> tuple[CodeParams, tuple[str, ...]]:
    """Return the params that were told by the end of a cell, and the names that are nowhere."""
    names = tuple(pending)
    found = {name: namespace[name] for name in names if name in namespace}
    return bounded(found, longest=validation.MAX_PARAM_VALUE), tuple(name for name in names if name not in found)


def injected(given: Mapping[str, Any], namespace: Mapping[str, Any]) -> CodeParams:
    """Return papermill's parameters with the values that they have by now."""
    now = {
        name: namespace[name] if type(namespace.get(name)) is type(value) else value for name, value in given.items()
    }
    return bounded(now, longest=validation.MAX_PARAM_VALUE)


def bounded(values: Mapping[str, Any], *, longest: int) -> CodeParams:
    """Return values as texts, without those that are secret, too long or too many."""
    texts: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for name, value in values.items():
        text, reason = _text(name, value, longest)
        if text is None:
            left_out[name] = reason
        elif len(texts) == _MOST:
            left_out[name] = f"there are more than {_MOST}"
        else:
            texts[name] = text
    return CodeParams(texts, left_out)


def _text(name: str, value: Any, longest: int) -> tuple[str | None, str]:
    """Return a value as it is logged, or None and why it is not."""
    if len(name) > _LONGEST_NAME:
        return None, f"its name has more than {_LONGEST_NAME} characters"
    if isinstance(value, (list, tuple, dict, set, frozenset)) and len(value) > _MOST_ITEMS:
        return None, f"{len(value):,} items"
    try:
        text = str(value)
        # A replay runs the stored source, in which it is masked already.
        if secrets.hides(name, text) or (text == secrets.MASK and secrets.is_secret_name(name)):
            return None, "its name sounds like a secret"
        if len(text) > longest:
            return None, f"{len(text):,} characters"
        return validation.as_params({name: text})[name], ""
    except InvalidValue:
        return None, "a database refuses it"
    except Exception as problem:
        # Somebody else's __str__.
        return None, f"it has no text ({type(problem).__name__})"


def _together(one: CodeParams, other: CodeParams) -> CodeParams:
    return CodeParams({**one.values, **other.values}, {**one.left_out, **other.left_out})


def _python_of(source: str) -> str:
    """Return a cell as Python: without the cell magics above it, its other magics as calls."""
    lines = source.splitlines(keepends=True)
    while lines and (not lines[0].strip() or lines[0].lstrip().startswith("%%")):
        magic = lines.pop(0).split()
        if magic and magic[0] not in _PYTHON_MAGICS:
            return ""
    # Here, because a kernel that never asks for params does not need it.
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return str(TransformerManager().transform_cell("".join(lines)))  # type: ignore[no-untyped-call,unused-ignore]
    except SyntaxError:
        return ""


def parse_wanted(text: str) -> tuple[str, ...]:
    """Return the names that ``--params`` lists, with spaces or commas between them.

    Raises
    ------
    InvalidValue
        A word is no name of a variable.
    """
    words = re.split(r"[\s,]+", text.strip(" ,"))
    for word in words:
        if not word.isidentifier():
            hint = " --param K=V gives a value." if "=" in word else ""
            raise InvalidValue(f"'{word}' is no name of a variable; --params takes 'auto' or names.{hint}")
    return tuple(words)
