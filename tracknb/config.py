"""Where the store is and which options hold: the only reader of ``os.environ``.

The order is: a call, then an option of the magic or command, then the environment,
then the default ``tracknb.db`` in the working directory.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from tracknb.errors import InvalidValue

DEFAULT_URI: Final = "sqlite:///tracknb.db"
_KNOWN_FORMS: Final = "sqlite:///runs.db or a plain path such as runs.db"


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """A local store: its SQLite file and the folder of its artifacts, both absolute."""

    path: Path
    artifact_root: Path

    @property
    def uri(self) -> str:
        """The location as a tracking URI."""
        return f"sqlite:///{self.path}"


def environment_uri() -> str | None:
    """Return the tracking URI that the environment names, tracknb's own variable first."""
    return os.environ.get("TRACKNB_TRACKING_URI") or os.environ.get("MLFLOW_TRACKING_URI") or None


def environment_experiment() -> tuple[str | None, str | None]:
    """Return the experiment's id and name that the environment gives."""
    return os.environ.get("MLFLOW_EXPERIMENT_ID") or None, os.environ.get("MLFLOW_EXPERIMENT_NAME") or None


def environment_run_id() -> str | None:
    """Return the id of the run that a launcher opened for this process."""
    return os.environ.get("MLFLOW_RUN_ID") or None


def resolve_uri(uri: str | os.PathLike[str]) -> str:
    """Return a tracking URI with its path made absolute, as it holds from now on.

    Relative paths are relative to the working directory of this moment, so a later
    ``os.chdir`` does not move the store.

    Raises
    ------
    InvalidValue
        The scheme is none that tracknb knows.
    """
    return locate(uri).uri


def locate(uri: str | os.PathLike[str]) -> StoreLocation:
    """Return the files behind a tracking URI or path.

    Raises
    ------
    InvalidValue
        The scheme is none that tracknb knows, or the path is a folder.
    """
    text = os.fspath(uri)
    if not text:
        raise InvalidValue(f"A tracking URI cannot be empty. Use {_KNOWN_FORMS}.")
    if text.startswith("sqlite:"):
        path = Path(_sqlite_path(text))
    elif text.startswith("file:"):
        path = Path(unquote(urlsplit(text).path))
    elif "://" in text:
        # Only the scheme is shown: what follows may hold a password.
        scheme = text.split("://", 1)[0]
        raise InvalidValue(f"This version of tracknb does not open '{scheme}://' stores. Use {_KNOWN_FORMS}.")
    else:
        path = Path(text).expanduser()
    path = Path(os.path.abspath(path))
    if path.is_dir():
        raise InvalidValue(f"{path} is a folder; a store is one file. Use sqlite:///{path / 'tracknb.db'}")
    return StoreLocation(path=path, artifact_root=path.with_name(f"{path.stem}-artifacts"))


def _sqlite_path(text: str) -> str:
    if not text.startswith("sqlite:///"):
        raise InvalidValue(f"'{text}' has too few slashes: write sqlite:///runs.db, or sqlite:////folder/runs.db.")
    path = text.removeprefix("sqlite:///").split("?", 1)[0]
    if not path or path == ":memory:":
        raise InvalidValue("A store in memory would be lost with the kernel. Use sqlite:///runs.db.")
    return path


def script_name() -> str:
    """Return what started this process, as the source of runs that no notebook owns."""
    return os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] not in ("", "-c") else "python"


@dataclass(slots=True)
class _Choice:
    """The tracking URI of this process: as it was given, and as it holds."""

    given: str | None = None
    resolved: str | None = None


_choice = _Choice()


def choose_uri(uri: str | os.PathLike[str] | None) -> None:
    """Make a tracking URI the one of this process; None goes back to environment and default."""
    if uri is None:
        _choice.given = _choice.resolved = None
        return
    resolved = resolve_uri(uri)
    _choice.given, _choice.resolved = os.fspath(uri), resolved


def tracking_uri() -> str:
    """Return the tracking URI that holds, as it was given."""
    return _choice.given or environment_uri() or DEFAULT_URI


def resolved_uri() -> str:
    """Return the tracking URI that holds, with its path absolute."""
    return _choice.resolved or resolve_uri(environment_uri() or DEFAULT_URI)
