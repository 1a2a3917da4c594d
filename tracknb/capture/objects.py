"""What an object holds, as a digest, and which mutable parts it is made of.

Two looks at the same object tell whether something has changed it; two objects that share a
part change together. The C pickler walks them; what it cannot walk, or not in the time
there is, is not known, and whoever asks has to assume the worse.
"""

from __future__ import annotations

import functools
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

from tracknb.capture.cellnames import globals_of
from tracknb.capture.secrets import is_secret_name

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
    """One look at an object: a digest of all that it holds, and the ids of its mutable parts.

    ``is_portable`` says whether another process, where an object holds the same, comes to the same digest.
    ``looked_up`` are the names that functions of the user's look up when they are called that it holds.
    """

    digest: bytes
    parts: frozenset[int]
    is_portable: bool = True
    looked_up: frozenset[str] = frozenset()


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
    """Say whether nothing can change a value; classes of packages are taken for such, those of cells are not."""
    return is_a(value, ATOMS) and type(value).__hash__ is not None and not _is_own_class(value)


def is_a(value: object, kinds: type | tuple[type, ...]) -> bool:
    """Say of what type a value really is: its ``__class__`` may claim another one, or raise as a dead proxy's does.

    Examples
    --------
    >>> from unittest.mock import Mock
    >>> is_a(Mock(spec=int), int), is_a(True, int)
    (False, True)
    """
    return issubclass(type(value), kinds)


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
    looked_up: set[str] = set()
    walk = _walked_class if _is_own_class(value) else _walked
    walked = walk(value, budget, seen, looked_up)
    return None if walked is None else Look(walked[0], frozenset(_lasting(seen)), walked[1], frozenset(looked_up))


def _walked(value: object, budget: Budget, seen: list[Any], looked_up: set[str]) -> tuple[bytes, bool] | None:
    """Return a digest of all that an object holds and whether it is portable.

    Its mutable parts are put into ``seen``, and what its functions look up into ``looked_up``.
    """
    digest = hashlib.blake2b(digest_size=16)
    walk = _Walk(digest, budget, seen, looked_up)
    try:
        walk.dump(value)
    except Exception:
        # The time is over, or objects raised what they like when they were walked.
        return None
    return digest.digest(), walk.is_portable


def _walked_class(kind: Any, budget: Budget, seen: list[Any], looked_up: set[str]) -> tuple[bytes, bool] | None:
    """Return a digest of what a class holds: its methods may count in it, or keep what they made."""
    digest = hashlib.blake2b(digest_size=16)
    for name, member in sorted(vars(kind).items()):
        if name.startswith(("__", "_abc_")):
            continue
        is_data = not callable(member) and not hasattr(type(member), "__get__")
        walked = _walked(member, budget, seen, looked_up) if is_data else None
        if budget.is_spent:
            return None
        # Of a method, and of what cannot be walked, only whether it is another one.
        digest.update(name.encode() + (b"%d" % id(member) if walked is None else walked[0]))
    return digest.digest(), False


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
    def __init__(self, digest: Any, budget: Budget, seen: list[Any], looked_up: set[str]) -> None:
        super().__init__(_Sink(digest, budget), protocol=5, buffer_callback=self._buffer)
        self._seen = seen
        self._looked_up = looked_up
        self._kinds: set[type] = set()
        self._digest = digest
        self._budget = budget
        self._calls = 0
        self._dicts = 0
        self.is_portable = True

    def persistent_id(self, value: Any) -> Any:
        self._calls += 1
        if self._calls % _CALLS_BETWEEN_LOOKS == 0 and self._budget.is_spent:
            raise _Spent
        kind = type(value)
        if kind in _FAST:
            return None
        self._note_code(value)
        if isinstance(value, ModuleType) or (_is_code(value) and not _is_own(value)):
            return name_of_code(value)
        if _is_index(value):
            # Nobody changes it, and many frames share one.
            walked = _walked((value.name, value._values), self._budget, [], self._looked_up)
            self.is_portable &= walked is not None and walked[1]
            return walked
        if kind is set or kind is frozenset:
            return self._in_order(value)
        if kind is dict and self._dicts < _DICTS_READ:
            self._dicts += 1
            # A digest of a password lets others try words until one fits.
            self.is_portable &= len(value) > _KEYS_READ or not any(map(_is_secret, value))
        if not isinstance(value, _SHARED) and not _is_type_of_numpy(value):
            self._seen.append(_root(value))
        return None

    def _note_code(self, value: Any) -> None:
        """Note what a function of the user's, bare or wrapped, or the methods of a class of the user's look up."""
        kind = value if is_a(value, type) else type(value)
        if kind.__module__ == "__main__":
            if kind not in self._kinds:
                self._kinds.add(kind)
                for base in kind.__mro__:
                    for member in vars(base).values() if base.__module__ == "__main__" else ():
                        self._note_function(getattr(member, "fget", None) or getattr(member, "__func__", member))
        elif kind is FunctionType or kind in _WRAPPERS:
            self._note_function(getattr(value, "__wrapped__", value))
            self._note_function(value)

    def _note_function(self, function: Any) -> None:
        if is_a(function, FunctionType) and function.__module__ == "__main__":
            self._looked_up |= globals_of(function.__code__)

    def _in_order(self, value: set[Any] | frozenset[Any]) -> Any:
        """Return what stands for a set; how it goes through texts is another way in each process."""
        if type(value) is set:
            self._seen.append(value)
        if len(value) <= _SORTED and all(map(_is_simple, value)):
            return type(value).__name__, sorted(value, key=repr)
        self.is_portable = self.is_portable and not value
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
            self.is_portable = False
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
_WRAPPERS: Final = (functools._lru_cache_wrapper,)
_FAST: Final = frozenset({int, float, complex, bool, str, bytes, type(None), tuple})
# Sorting cannot be stopped, so a set of more is taken as it comes.
_SORTED: Final = 5_000
# How many dictionaries of a walk are looked through for keys that name a password, and how large ones.
_DICTS_READ: Final = 200
_KEYS_READ: Final = 50


def _is_simple(value: Any) -> bool:
    """Say whether ``repr`` tells all of a value, and the same in each process."""
    kind = type(value)
    return kind in _FAST and (
        kind is not tuple or all(type(item) in _FAST and type(item) is not tuple for item in value)
    )


def _is_secret(key: Any) -> bool:
    return type(key) is str and is_secret_name(key)


def name_of_code(value: Any) -> str:
    """Return how a module, or a class or function of one, is called."""
    if isinstance(value, ModuleType):
        return value.__name__
    # NumPy 2 calls its own inner package otherwise.
    module = str(getattr(value, "__module__", "")).replace("numpy._core", "numpy.core")
    return f"{module}.{value.__qualname__}"


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


def _is_own_class(value: Any) -> bool:
    """Say whether a value is a class that a cell defined."""
    return is_a(value, type) and type.__getattribute__(value, "__dict__").get("__module__") == "__main__"


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
    kept = (function.__defaults__, function.__kwdefaults__, function.__dict__, closed)
    return (function.__qualname__, of_code(function.__code__), *kept)


def of_code(code: CodeType) -> tuple[Any, ...]:
    """Return what code does, without where it stands."""
    consts = tuple(of_code(item) if isinstance(item, CodeType) else item for item in code.co_consts)
    return (code.co_code, code.co_names, code.co_varnames, code.co_freevars, consts)


def hash_of_state(read: Callable[[], Any]) -> bytes | None:
    """Return a digest of what a function returns, or None if it raises."""
    try:
        return hashlib.blake2b(pickle.dumps(read(), protocol=5), digest_size=16).digest()
    except Exception:
        return None
