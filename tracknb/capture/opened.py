"""Which files a cell opens, how they stood when it read them, and whether they stand otherwise now."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, field, replace
from importlib.util import source_from_cache
from types import FrameType
from typing import Any, Final

from tracknb.capture.objects import Budget

# How many files of a cell are remembered as they stood, and up to which size what they held.
_MOST_STAMPS: Final = 1_000
_SMALL_FILE: Final = 1_000_000
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# What a run keeps of them, and how long it is looked for changes later.
_LETTERS: Final = 4_000
_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Stamp:
    """How a file stood: its size, when it was changed, and what a small one held."""

    size_bytes: int
    mtime_ns: int
    digest: str = ""


@dataclass(slots=True)
class Opened:
    """The files that a cell opened: how, by path as it was written; and how those stood that it read, by whole path."""

    how: dict[str, str] = field(default_factory=dict)
    stamps: dict[str, Stamp] = field(default_factory=dict)


_watched: Opened | None = None
_tell_import: Callable[[FrameType], None] | None = None
_is_hooked = False
# What belongs to Python, to packages and to Jupyter is no data of the user's.
_OWN: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PLACES: Final = {_OWN, sys.prefix, sys.base_prefix, *(item for item in sys.path if "site-packages" in item)}
_NOT_THE_USERS: Final = (
    *(os.path.realpath(place) + os.sep for place in _PLACES),
    *("/proc/", "/sys/", "/dev/", "/etc/", "/usr/share/"),
)


def watch(found: Opened | None, heard: Callable[[FrameType], None] | None = None) -> None:
    """Note the files that are opened from now on, and tell from where a module is looked for; None ends it."""
    global _watched, _tell_import, _is_hooked
    _watched, _tell_import = found, heard
    if found is not None and not _is_hooked:
        _is_hooked = True
        # It cannot be taken back, so it does next to nothing while nobody watches.
        sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "import" and (tell := _tell_import) is not None:
        with contextlib.suppress(Exception):
            tell(sys._getframe(1))
    if _watched is None or event not in _EVENTS:
        return
    with contextlib.suppress(Exception):
        _EVENTS[event](_watched, arguments)


def _opened(found: Opened, arguments: tuple[Any, ...]) -> None:
    path, mode, flags = arguments
    if isinstance(path, int):
        return
    path = os.fsdecode(path)
    if path.endswith((".pyc", ".pyo")):
        with contextlib.suppress(ValueError):
            path = source_from_cache(path)
    if not is_of_user(path):
        return
    real = os.path.abspath(path)
    if isinstance(mode, str):
        writes = any(letter in mode for letter in "wxa+")
        how = ("a" if "a" in mode else "") + ("r" if "r" in mode or "+" in mode else "") + ("w" if writes else "")
    else:
        writes = bool((flags or 0) & _WRITING)
        how = ("w" if writes else "r") + ("a" if (flags or 0) & os.O_APPEND else "")
    if "r" in how and real not in found.stamps and len(found.stamps) < _MOST_STAMPS:
        stood = stamp(path)
        if stood is not None:
            found.stamps[real] = stood
    note(found, path, how)


def _removed(found: Opened, arguments: tuple[Any, ...]) -> None:
    note(found, os.fsdecode(arguments[0]), "w")


def _renamed(found: Opened, arguments: tuple[Any, ...]) -> None:
    for path, how in zip(map(os.fsdecode, arguments[:2]), ("rw", "w"), strict=True):
        note(found, path, how)


def is_of_user(path: str) -> bool:
    """Say whether a file may be the user's: it belongs neither to Python, packages or the system, nor to us."""
    real = os.path.abspath(path)
    return not (real.startswith(_NOT_THE_USERS) or f"{os.sep}." in real or "tracknb" in os.path.basename(real))


def note(found: Opened, path: str, how: str) -> None:
    """Note how a file was opened: ``r``, ``w`` and ``a``, or several of them."""
    found.how[path] = "".join(sorted(set(found.how.get(path, "") + how)))


def stamp(path: str) -> Stamp | None:
    """Return how a file stands; None where it is no plain file or is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return Stamp(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def with_digest(then: Stamp, path: str, budget: Budget) -> Stamp:
    """Return how a file stood when it was opened, with what it held if it is small and still the same."""
    if budget.is_spent or then.size_bytes > _SMALL_FILE or stamp(path) != then:
        return then
    return replace(then, digest=_digest(path))


def differs(path: str, then: Stamp, now: Stamp) -> bool:
    """Say whether a file holds something else; one that was only written anew does not."""
    if then.size_bytes != now.size_bytes:
        return True
    return then.mtime_ns != now.mtime_ns and not (then.digest and then.digest == _digest(path))


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.blake2b(file.read(_SMALL_FILE), digest_size=16).hexdigest()
    except OSError:
        return ""


_EVENTS: Final = {"open": _opened, "os.remove": _removed, "os.rename": _renamed}


# -- what a run keeps ------------------------------------------------------------------


def written(files: Mapping[str, Stamp], earlier: str = "") -> str:
    """Return how files stood as a run keeps it, beside what it keeps already; empty if there are none.

    As many as there is room for. It holds on this machine only: the same path may be another file elsewhere.
    """
    stood = {path: list(astuple(stamp)) for path, stamp in {**_read(earlier), **files}.items()}
    held = fitting(stood, _LETTERS - len(as_text({"host": _host(), "files": {}})))
    return as_text({"host": _host(), "files": held}) if held else ""


def fitting(files: Mapping[str, Any], letters: int) -> dict[str, Any]:
    """Return the first of some values by path, as many as `as_text` writes in so many letters.

    Examples
    --------
    >>> fitting({"a": 1, "b": 2, "c": 3}, len(as_text({"a": 1, "b": 2})))
    {'a': 1, 'b': 2}
    """
    found: dict[str, Any] = {}
    for path, value in files.items():
        # Its braces stand for the comma and the space behind it.
        letters -= len(as_text({path: value}))
        if letters < 0:
            break
        found[path] = value
    return found


def as_text(value: object) -> str:
    """Return JSON that every store takes: a file's name need not be a text."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def changed(text: str) -> list[str]:
    """Return the paths of files that a run has read and that stand otherwise now; those that are gone are not told.

    Examples
    --------
    >>> changed(written({os.devnull: Stamp(3, 0)})), changed("something else")
    ([], [])
    """
    budget, found = Budget(_SECONDS), []
    for path, then in _read(text).items():
        now = None if budget.is_spent else stamp(path)
        if now is not None and differs(path, then, now):
            found.append(path)
    return found


def _read(text: str) -> dict[str, Stamp]:
    """Return how files stood as `written` tells; nothing of another machine, nor of another form."""
    try:
        told = json.loads(text)
        if told["host"] != _host():
            return {}
        return {
            path: Stamp(int(size_bytes), int(mtime_ns), str(held))
            for path, (size_bytes, mtime_ns, held) in told["files"].items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _host() -> str:
    return hashlib.blake2b(platform.node().encode(), digest_size=6).hexdigest()
