"""Files of runs by their addresses, under the names of ``mlflow.artifacts``.

An address is ``runs:/RUN_ID/path``, a folder or file of this machine, or a URL such as
``s3://bucket/folder/file``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracknb import active, config
from tracknb.client import TrackingClient, open_artifacts
from tracknb.contents import open_image
from tracknb.entities import FileInfo
from tracknb.errors import InvalidValue, NotFound, of_system

if TYPE_CHECKING:
    import PIL.Image

_RUNS = "runs:/"


def download_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
    dst_path: str | os.PathLike[str] | None = None,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
) -> str:
    """Return where a file or folder lies on this machine.

    Parameters
    ----------
    artifact_uri
        Its address; or else ``run_id``.
    run_id, artifact_path
        A run and a path in it; all of its files if the path is left out.
    dst_path
        A folder to copy it to. If left out, what lies in a local folder stays where it is.
    tracking_uri
        The store of the run, if it is not the current one.
    registry_uri
        Accepted for MLflow's sake.

    Raises
    ------
    NotFound
        Nothing is there.

    Examples
    --------
    >>> import tracknb
    >>> with tracknb.start_run() as run:
    ...     tracknb.log_text("hello", "notes/a.txt")
    >>> tracknb.artifacts.load_text(f"runs:/{run.info.run_id}/notes/a.txt")
    'hello'
    """
    found, path = _place(artifact_uri, run_id, artifact_path, tracking_uri)
    return str(found.local_path(path, dst_path))


def list_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
    tracking_uri: str | None = None,
) -> list[FileInfo]:
    """Return what lies directly in a folder; parameters as for ``download_artifacts``."""
    found, path = _place(artifact_uri, run_id, artifact_path, tracking_uri, is_folder=True)
    return list(found.list(path or None))


def load_text(artifact_uri: str) -> str:
    """Return a file as text.

    Raises
    ------
    InvalidValue
        It is no text in UTF-8.
    """
    try:
        return _content(artifact_uri).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidValue(f"The file {artifact_uri} is no text in UTF-8: {error}.") from error


def load_dict(artifact_uri: str) -> dict[str, Any]:
    """Return the dictionary that a JSON file holds.

    Raises
    ------
    InvalidValue
        It is no JSON.
    """
    text = load_text(artifact_uri)
    try:
        held: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise InvalidValue(f"The file {artifact_uri} is no JSON: {error}.") from error
    return held


def load_image(artifact_uri: str) -> PIL.Image.Image:
    """Return a file as a Pillow image."""
    return open_image(_content(artifact_uri), artifact_uri)


def _content(artifact_uri: str) -> bytes:
    path = Path(download_artifacts(artifact_uri))
    if path.exists() and not path.is_dir() and not path.is_file():
        raise InvalidValue(f"{artifact_uri} is a pipe, socket or device, and no file.")
    try:
        return path.read_bytes()
    except IsADirectoryError as error:
        raise InvalidValue(f"{artifact_uri} is a folder; list_artifacts shows what is in it.") from error
    except OSError as error:
        raise of_system(error, path) from error


def _place(
    artifact_uri: str | None,
    run_id: str | None,
    artifact_path: str | None,
    tracking_uri: str | None,
    *,
    is_folder: bool = False,
) -> tuple[Any, str]:
    """Return the files that an address leads to, and the path in them."""
    if (artifact_uri is None) == (run_id is None):
        raise InvalidValue("Give artifact_uri= or run_id=: one of the two.")
    here = active.client() if tracking_uri is None else TrackingClient(tracking_uri)
    if run_id is not None:
        return here.artifacts(run_id), artifact_path or ""
    artifact_uri = os.fspath(artifact_uri or "")
    if artifact_path is not None:
        raise InvalidValue("artifact_path goes with run_id=; an artifact_uri holds the whole path.")
    if artifact_uri.startswith(_RUNS):
        of_run, _, path = artifact_uri.removeprefix(_RUNS).lstrip("/").partition("/")
        return here.artifacts(of_run), path
    if artifact_uri.startswith("models:/"):
        raise NotFound(f"There are no registered models here, so nothing is at {artifact_uri}.")
    place = config.artifact_place(artifact_uri)
    if is_folder:
        return open_artifacts(place), ""
    root, _, name = place.rpartition("/")
    return open_artifacts(root), name
