"""The page of a run, and what its files hold, read from the store."""

from __future__ import annotations

import os
from collections import deque
from typing import Final

from tracknb import names
from tracknb.client import TrackingClient
from tracknb.entities import PARENT_TAG, FileInfo, Run
from tracknb.errors import InvalidValue, NotFound, TracknbError
from tracknb.files import LocalArtifacts
from tracknb.looking.changes import changes_since_previous
from tracknb.view.page import PageFacts, PageFile, PageFiles, Relative, RunPage
from tracknb.view.preview import Preview, preview_of

# How much of a file is read to show its beginning, and the most that travels to a page at once.
PREVIEW_BYTES: Final = 1_000_000
DOWNLOAD_BYTES: Final = 50_000_000
_CHILDREN: Final = 50
_FILES: Final = 200
_FOLDER: Final = 2_000


def run_page(client: TrackingClient, run: Run) -> RunPage:
    """Return the page of a run as it stands in the store."""
    info = run.info
    query = f"tags.`{PARENT_TAG}` = '{info.run_id}'"
    children = client.search_runs([info.experiment_id], query, max_results=_CHILDREN)
    facts = PageFacts(
        run=run,
        experiment=client.get_experiment(info.experiment_id).name,
        series=client.live_series(info.run_id),
        files=_files_of(client, run),
        parent=_parent_of(client, run),
        children=[_relative(child) for child in children],
        has_more_children=children.token is not None,
        home=os.path.expanduser("~"),
        cells=[cell for cell in client.get_cells(info.run_id) if cell.role == "needed"],
        changes=changes_since_previous(client, run) if info.end_time is not None else None,
    )
    return RunPage.of(facts, now_ms=names.now_ms())


def _parent_of(client: TrackingClient, run: Run) -> Relative | None:
    parent = run.data.tags.get(PARENT_TAG)
    if not parent:
        return None
    try:
        return _relative(client.get_run(parent))
    except NotFound:
        # Its run was removed for good, or it was imported without it.
        return Relative(parent, parent, "")


def _relative(run: Run) -> Relative:
    return Relative(run.info.run_id, run.info.run_name, run.info.status)


def _files_of(client: TrackingClient, run: Run) -> PageFiles:
    """Return the files of a run in a folder of this machine; elsewhere only where they are."""
    location = run.info.artifact_uri
    try:
        folder = client.artifacts(run.info.run_id)
        if not isinstance(folder, LocalArtifacts):
            return PageFiles(location)
        # By path: a link to a folder above it leads to files that are here already.
        found: dict[str, FileInfo] = {}
        waiting = deque([""])
        while waiting and len(found) <= _FILES:
            for item in folder.list(waiting.popleft()):
                if item.is_dir and item.path not in found:
                    waiting.append(item.path)
                found.setdefault(item.path, item)
    except (TracknbError, OSError) as problem:
        return PageFiles(location, problem=str(problem))
    shown = sorted([*found.values()][:_FILES], key=lambda item: item.path.split("/"))
    return PageFiles(location, [_entry(item) for item in shown], is_cut=len(found) > _FILES or bool(waiting))


def _entry(item: FileInfo) -> PageFile:
    return PageFile(item.path, item.is_dir, item.file_size)


def folder(client: TrackingClient, run_id: str, path: str) -> tuple[list[PageFile], bool]:
    """Return what lies in a folder of a run, and whether there is more than that."""
    found = client.list_artifacts(run_id, path or None)
    return [_entry(item) for item in found[:_FOLDER]], len(found) > _FOLDER


def preview(client: TrackingClient, run_id: str, path: str) -> tuple[Preview, int]:
    """Return what to show of a file, and how many bytes it has."""
    files = client.artifacts(run_id)
    data, size = files.head(path, PREVIEW_BYTES)
    return preview_of(path, data, size), size


def whole(client: TrackingClient, run_id: str, path: str) -> bytes:
    """Return all bytes of a file.

    Raises
    ------
    InvalidValue
        It is too large to travel to a page; the message says how to get it.
    """
    data, size = client.artifacts(run_id).head(path, DOWNLOAD_BYTES)
    if size > len(data):
        raise InvalidValue(
            f"'{path}' has {size:,} bytes; a page takes {DOWNLOAD_BYTES:,} at most. "
            f"In a cell: tracknb.download_artifacts(run_id={run_id!r}, artifact_path={path!r}, dst_path='.')"
        )
    return data
