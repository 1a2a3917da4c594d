"""A few letters for what a name holds, to which another kernel comes as well where it holds the same.

A replay is held against them: the first cell that gives something else is where it departs.
What differs from process to process (addresses, the order of sets), takes long or is a password
has none, because none is better than a wrong one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, Final

from tracknb.capture.objects import Budget, Look, is_atom, look, name_of_code, of_code
from tracknb.capture.secrets import is_secret_name, mask

_LETTERS: Final = 12
_MOST_BYTES: Final = 100_000
_MASKED_LETTERS: Final = 1_000
_NUMBERS: Final = (bool, int, float, complex, type(None), type(Ellipsis), range)
_PLAIN: Final = (str, bytes, *_NUMBERS)


def fingerprint(name: str, value: object, seen: Look | None, budget: Budget) -> str:
    """Return what stands for the value of a name; empty where nothing can.

    Parameters
    ----------
    seen
        The look at it, if anybody can change it.
    budget
        For looking at classes of the user's.

    Examples
    --------
    >>> fingerprint("lr", 0.1, None, Budget(1.0)) == fingerprint("rate", 0.1, None, Budget(1.0))
    True
    >>> fingerprint("password", "melon", None, Budget(1.0))
    ''
    """
    if is_secret_name(name):
        return ""
    if not is_atom(value) and not isinstance(value, type):
        return seen.digest.hex()[:_LETTERS] if seen is not None and seen.is_portable else ""
    try:
        return _of_atom(value, budget)
    except Exception:
        # An integer of ten thousand digits has no repr; a class may hold anything.
        return ""


def of_state(digest: object) -> str:
    """Return what stands for the state of random numbers."""
    return digest.hex()[:_LETTERS] if isinstance(digest, bytes) else ""


def _of_atom(value: object, budget: Budget) -> str:
    if isinstance(value, type):
        return _of_class(value, budget)
    if isinstance(value, ModuleType | BuiltinFunctionType):
        return _short(name_of_code(value).encode())
    if isinstance(value, CodeType):
        return _of_parts(of_code(value), budget)
    if isinstance(value, str):
        # Its own text: a subclass may say anything.
        text = str.__str__(value)
        # A longer one holds too much else for anybody to guess what is in it.
        is_telling = len(text) <= _MASKED_LETTERS and mask(text, None) != text
        return "" if len(text) > _MOST_BYTES or is_telling else _short(b"s" + text.encode("utf-8", "replace"))
    if isinstance(value, bytes):
        return _short(b"b" + bytes(value)) if len(value) <= _MOST_BYTES else ""
    if isinstance(value, _NUMBERS):
        kind: Any = next(kind for kind in _NUMBERS if isinstance(value, kind))
        return _short(f"{kind.__name__} {kind.__repr__(value)}".encode())
    return ""


def _of_class(kind: type, budget: Budget) -> str:
    if kind.__module__ != "__main__":
        return _short(name_of_code(kind).encode())
    bases = tuple(name_of_code(base) for base in kind.__bases__)
    return _of_parts((kind.__qualname__, bases, tuple(_members(kind))), budget)


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """Give the functions of a class and its plain values; the rest is Python's own."""
    for name, member in vars(kind).items():
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        # What dataclasses write for themselves follows from the rest.
        if isinstance(function, FunctionType) and function.__code__.co_filename != "<string>":
            yield name, function
        elif not name.startswith("__") and isinstance(member, _PLAIN):
            yield name, member


def _of_parts(parts: tuple[Any, ...], budget: Budget) -> str:
    seen = look(parts, budget)
    return seen.digest.hex()[:_LETTERS] if seen is not None and seen.is_portable else ""


def _short(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=_LETTERS // 2).hexdigest()
