"""Every error that tracknb raises.

One class owns its wording, MLflow's error code and the HTTP status; nobody else
keeps a table of codes. Each message says what failed, where, what is kept and
what to do next. In a notebook an error of ours shows its message without a
traceback; a bug of ours keeps its traceback.
"""

from __future__ import annotations

import errno
import json
import os
from typing import ClassVar, Final

# What every message about a failed write says of the rest.
KEPT: Final = "What was stored stays stored; this call was not."
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_REFUSED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_DESCRIPTORS: Final = (errno.EMFILE, errno.ENFILE)


class TracknbError(Exception):
    """The root of everything tracknb raises on purpose."""

    error_code: ClassVar[str] = "INTERNAL_ERROR"
    http_status: ClassVar[int] = 500

    @property
    def message(self) -> str:
        """The text alone."""
        return str(self)

    def get_http_status_code(self) -> int:
        """Return the HTTP status that this error has on a server."""
        return self.http_status

    def serialize_as_json(self) -> str:
        """Return the error as MLflow's servers send it."""
        return json.dumps({"error_code": self.error_code, "message": str(self)})

    def _render_traceback_(self) -> list[str]:
        """Give IPython the message alone: the user's own frames add nothing to it."""
        return [f"{type(self).__name__}: {self}"]


class InvalidValue(TracknbError, ValueError):
    """A name, key, value or option that tracknb refuses."""

    error_code = "INVALID_PARAMETER_VALUE"
    http_status = 400


class ParamChanged(InvalidValue):
    """A parameter that was already logged with another value."""


class RunDeleted(InvalidValue):
    """A run that is deleted and takes nothing until it is restored."""

    @classmethod
    def of(cls, run_id: str) -> RunDeleted:
        """Return the error for a run."""
        return cls(
            f"The run {run_id} is deleted and takes nothing more. Nothing was stored. "
            f"Bring it back with restore_run('{run_id}')."
        )


class FilterError(InvalidValue):
    """A filter or an order that cannot be read; the message marks the place.

    Parameters
    ----------
    problem
        What is wrong, in one line.
    text
        The whole text as the user typed it.
    start, end
        The characters of ``text`` that are wrong; ``end`` is exclusive.
    hint
        What to write instead, in one line.
    """

    def __init__(self, problem: str, *, text: str, start: int, end: int, hint: str = "") -> None:
        self.problem = _printable(problem)
        self.text = text
        self.start = start
        self.end = max(end, start + 1)
        self.hint = _printable(hint)
        super().__init__(self._message())

    def _message(self) -> str:
        # Only the neighbourhood of the fault is shown: a filter can be a megabyte long.
        first = max(0, self.start - 60)
        last = min(len(self.text), self.end + 60, self.start + 120)
        shown = _printable(self.text[first:last])
        marks = " " * (self.start - first) + "~" * min(self.end - self.start, last - self.start or 1)
        lead, tail = "…" if first else "", "…" if last < len(self.text) else ""
        lines = [self.problem, "", f"    {lead}{shown}{tail}", f"    {' ' * len(lead)}{marks}"]
        if self.hint:
            lines += ["", self.hint]
        return "\n".join(lines)


def _printable(text: str) -> str:
    """Return a text on one line, sign for sign: what moves a terminal's cursor would misplace the mark."""
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else "\ufffd" for sign in text)


class NotFound(TracknbError, LookupError):
    """An experiment, run, metric or file that is not there."""

    error_code = "RESOURCE_DOES_NOT_EXIST"
    http_status = 404


class AlreadyExists(TracknbError):
    """A name that is taken."""

    error_code = "RESOURCE_ALREADY_EXISTS"
    http_status = 400


class NoActiveRun(TracknbError, RuntimeError):
    """A call that needs an open run, and none is open."""

    error_code = "INVALID_STATE"
    http_status = 400


class ArtifactPathError(InvalidValue):
    """A path that would leave the run's own folder, or a file of a kind that is refused."""


class MissingExtra(TracknbError, ImportError):
    """An optional package that is not installed; the message holds the command."""


class StoreError(TracknbError):
    """The store cannot do what was asked."""


class StoreLocked(StoreError, TimeoutError):
    """Another process holds the store for longer than we wait."""

    error_code = "TEMPORARILY_UNAVAILABLE"
    http_status = 503


class NestedCall(StoreLocked):
    """A signal handler or a finalizer writes in the middle of another write of its own thread."""

    @classmethod
    def within(cls, shown: str, kept: str) -> NestedCall:
        """Return the error for a store, and what becomes of the call."""
        return cls(
            f"{shown} is being written by the call that this one interrupted (a signal handler, or a finalizer). "
            f"{kept} when that call has returned."
        )


class StoreFull(StoreError, OSError):
    """No room is left where the store lives."""

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> StoreFull:
        """Return the error for a file or folder."""
        return cls(f"No room is left for {path}. {KEPT} Make room and go on.")


class StoreReadOnly(StoreError, PermissionError):
    """The store, or its folder, may not be written."""

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> StoreReadOnly:
        """Return the error for a file or folder."""
        return cls(f"{path} cannot be written: check the permissions of the file and of its folder. {KEPT}")


class StoreDamaged(StoreError):
    """The file is no sound SQLite database, or not one of ours."""


class SourceDamaged(StoreDamaged):
    """What is imported cannot be read, whole or in part; nothing was written to it."""


class StoreTooNew(StoreError):
    """The store was written by a newer tracknb."""

    @classmethod
    def at(cls, shown: str | os.PathLike[str], version: int, known: int) -> StoreTooNew:
        """Return the error for a store of a schema that is newer than the one that is known."""
        return cls(
            f"{shown} was written by a newer tracknb (schema {version}; this one knows {known}). "
            "Nothing was written to it. Upgrade with: pip install -U tracknb"
        )


class StoreMoved(StoreError, FileNotFoundError):
    """The store's file was deleted or replaced while it was open."""


class StoreUnreachable(StoreError, ConnectionError):
    """The store's server does not answer, or the connection to it was cut."""

    error_code = "TEMPORARILY_UNAVAILABLE"
    http_status = 503


class AuthError(StoreError, PermissionError):
    """The store's server refuses the user or the password."""

    error_code = "PERMISSION_DENIED"
    http_status = 403


def of_system(error: OSError, path: str | os.PathLike[str]) -> StoreError:
    """Return the error of ours for one of the file system's."""
    if error.errno in _FULL:
        return StoreFull.at(path)
    if error.errno in _REFUSED:
        return StoreReadOnly.at(path)
    if error.errno in _NO_DESCRIPTORS:
        return StoreError(
            f"{path} could not be opened: this process has too many files open. {KEPT} Close some and try again."
        )
    return StoreError(f"{path} could not be used: {error.strerror or error}. {KEPT}")
