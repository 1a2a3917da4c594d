"""What an object holds, as a digest, and which mutable parts it is made of.

Two looks at the same object tell whether something has changed it; two objects that share a
part change together. The C pickler walks them; what it cannot walk, or not in the time
there is, is not known, and whoever asks has to assume the worse.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final

# Nobody can change these, so they need no look.
ATOMS: Final = (
    *(int, float, complex, bool, str, bytes, type(None), type(Ellipsis)),
    *(range, CodeType, ModuleType, type, BuiltinFunctionType),
)
# What much of a program shares without being joined by it.
_SHARED: Final = (*ATOMS, FunctionType, MethodType, tuple, frozenset, logging.Logger, Enum, pickle.PickleBuffer)
_CALLS_BETWEEN_LOOKS: Final = 512
# Packages whose objects pack themselves in a way that is known to be harmless and can be stopped.
_WALKED: Final = frozenset(
    {
        *("__main__", "builtins", "collections", "copyreg", "datetime", "decimal", "enum", "fractions", "functools"),
        *("itertools", "operator", "pathlib", "random", "re", "statistics", "types", "uuid", "zoneinfo"),
        *("numpy", "pandas", "pyarrow", "scipy", "sklearn"),
    }
)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at an object: a digest of all that it holds, and the ids of its mutable parts."""

    digest: bytes
    parts: frozenset[int]


class Budget:
    """The time that looks may take together, in seconds."""

    def __init__(self, seconds: float) -> None:
        self._end = time.perf_counter() + seconds

    @property
    def is_spent(self) -> bool:
        """Whether no time is left."""
        return time.perf_counter() > self._end


class _Unknown(Exception):
    """An object that is better left alone."""


class _Spent(Exception):
    """The time was over in the middle of a look."""


def is_atom(value: object) -> bool:
    """Say whether nothing can change a value."""
    return isinstance(value, ATOMS) and type(value).__hash__ is not None


def look(value: object, budget: Budget) -> Look | None:
    """Return what an object holds now; None where it cannot be known, or not in time.

    Examples
    --------
    >>> rows = [1, 2]
    >>> before = look(rows, Budget(1.0))
    >>> rows.append(3)
    >>> look(rows, Budget(1.0)).digest == before.digest
    False
    """
    if budget.is_spent:
        return None
    seen: list[Any] = []
    digest = _digest_of(value, budget, seen)
    return None if digest is None else Look(digest, frozenset(_lasting(seen)))


def _digest_of(value: object, budget: Budget, seen: list[Any]) -> bytes | None:
    """Return a digest of all that an object holds, and put its mutable parts into ``seen``."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        _Walk(digest, budget, seen).dump(value)
    except Exception:
        # The time is over, or objects raised what they like when they were walked.
        return None
    return digest.digest()


def _lasting(seen: list[Any]) -> Iterator[int]:
    """Give the ids of the parts that somebody else holds too: what was made for the walk gives its id to others."""
    # The outer ones first, as they were walked: with them goes what only they hold.
    seen.reverse()
    while seen:
        part = seen.pop()
        # This name and the argument of the call.
        if sys.getrefcount(part) > 2:
            yield id(part)


class _Sink:
    """Takes the pickler's bytes into a digest."""

    def __init__(self, digest: Any, budget: Budget) -> None:
        self._digest = digest
        self._budget = budget

    def write(self, data: Any) -> int:
        if self._budget.is_spent:
            raise _Spent
        self._digest.update(data)
        return len(data)


class _Walk(pickle.Pickler):
    def __init__(self, digest: Any, budget: Budget, seen: list[Any]) -> None:
        super().__init__(_Sink(digest, budget), protocol=5, buffer_callback=self._buffer)
        self._seen = seen
        self._digest = digest
        self._budget = budget
        self._calls = 0

    def persistent_id(self, value: Any) -> Any:
        self._calls += 1
        if self._calls % _CALLS_BETWEEN_LOOKS == 0 and self._budget.is_spent:
            raise _Spent
        kind = type(value)
        if kind in _FAST:
            return None
        if isinstance(value, ModuleType) or (_is_code(value) and not _is_own(value)):
            return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value)}"
        if _is_index(value):
            # Nobody changes it, and many frames share one.
            return _digest_of((value.name, value._values), self._budget, [])
        if not isinstance(value, _SHARED) and not _is_type_of_numpy(value):
            self._seen.append(_root(value))
        return None

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if kind is FunctionType:
            return tuple, (_of_function(value),)
        module = kind.__module__.partition(".")[0]
        # Not its blocks: pandas joins them when it likes, without a change that anybody sees.
        if module == "pandas" and hasattr(value, "columns") and hasattr(value, "index"):
            return tuple, ((value.columns, value.index, *_columns(value)),)
        if module == "pandas" and hasattr(value, "_values") and hasattr(value, "index"):
            return tuple, ((str(value.dtype), value.name, value.index, value._values),)
        if module == "torch" and hasattr(value, "_version") and hasattr(value, "data_ptr"):
            # It counts its own changes, and its values may lie on another device.
            return tuple, ((id(value), value._version, tuple(value.shape)),)
        if module in _WALKED or _is_plain(kind):
            return NotImplemented
        # Who packs itself may take gigabytes and minutes for it, and nothing here could stop it.
        raise _Unknown

    def _buffer(self, buffer: pickle.PickleBuffer) -> bool:
        with buffer.raw() as data:
            for start in range(0, len(data), _CHUNK):
                if self._budget.is_spent:
                    raise _Spent
                self._digest.update(data[start : start + _CHUNK])
        return False


_CHUNK: Final = 1 << 22
_FAST: Final = frozenset({int, float, complex, bool, str, bytes, type(None), tuple})


def _root(value: Any) -> Any:
    """Return the array whose memory an array looks at, or the value itself."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        while isinstance(value, numpy.ndarray) and value.base is not None:
            value = value.base
    return value


def _is_plain(kind: type) -> bool:
    """Say whether objects of a class are packed as Python does it by itself: attribute by attribute."""
    usual = ("__reduce_ex__", "__reduce__", "__getstate__")
    return all(getattr(kind, name, None) is getattr(object, name, None) for name in usual)


def _is_code(value: Any) -> bool:
    """Say whether a value is a class or a function, of Python or compiled."""
    if isinstance(value, type):
        return True
    return callable(value) and hasattr(value, "__qualname__") and not isinstance(value, MethodType)


def _is_own(value: Any) -> bool:
    """Say whether a function was written in a cell: what those of packages hold is nobody's state."""
    return isinstance(value, FunctionType) and value.__module__ == "__main__"


def _is_index(value: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.Index)


def _is_type_of_numpy(value: Any) -> bool:
    """Say whether a value is a type of NumPy's or a number, which nobody changes."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.dtype | numpy.generic)


def _columns(frame: Any) -> Iterator[Any]:
    for place in range(len(frame.columns)):
        yield frame.iloc[:, place]._values


def _of_function(function: FunctionType) -> tuple[Any, ...]:
    """Return what a function holds beside its code: defaults, attributes, what it closes over."""
    closed = []
    for cell in function.__closure__ or ():
        try:
            closed.append(cell.cell_contents)
        except ValueError:
            closed.append(None)
    return (function.__qualname__, function.__code__.co_code, function.__defaults__, function.__dict__, closed)


def hash_of_state(read: Callable[[], Any]) -> bytes | None:
    """Return a digest of what a function returns, or None if it raises."""
    try:
        return hashlib.blake2b(pickle.dumps(read(), protocol=5), digest_size=16).digest()
    except Exception:
        return None
