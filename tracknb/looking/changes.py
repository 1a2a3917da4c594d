"""What changed between a run and the attempt before it, read from the store."""

from __future__ import annotations

import threading
from typing import Final

from tracknb.capture.lockfile import Lock
from tracknb.client import TrackingClient
from tracknb.entities import CELL_GROUP_TAG, ENVIRONMENT_TAG, Run
from tracknb.errors import TracknbError
from tracknb.files import LocalArtifacts
from tracknb.provenance import lock_of
from tracknb.view.changes import Changes, Facts, changes_between
from tracknb.view.direction import Goals

# How long a cell that ends, or a page, waits for two small files in a bucket.
_SECONDS: Final = 2.0


def changes_since_previous(client: TrackingClient, run: Run) -> Changes | None:
    """Return what changed since the attempt of its cell before a run; None for a first attempt."""
    # Most runs that scripts made are no attempt of anything.
    previous = client.run_of_attempt_before(run.info.run_id) if CELL_GROUP_TAG in run.data.tags else None
    return None if previous is None else changes_of(client, previous, run)


def changes_of(client: TrackingClient, old: Run, new: Run, *, since: str | None = None) -> Changes:
    """Return what changed from one run to another; ``since`` is what the first is called, its attempt if left out."""
    experiments = dict.fromkeys(run.info.experiment_id for run in (new, old))
    goals = Goals.of(client.get_experiment(item).tags for item in experiments)
    locks = _locks(client, old, new)
    before, after = (
        Facts(run, client.get_cells(run.info.run_id), lock) for run, lock in zip((old, new), locks, strict=True)
    )
    return changes_between(before, after, goals=goals, since=since)


def _locks(client: TrackingClient, old: Run, new: Run) -> tuple[Lock | None, Lock | None]:
    """Return the environments of two runs; nothing where they are the same, or are not there in time."""
    if old.data.tags.get(ENVIRONMENT_TAG) == new.data.tags.get(ENVIRONMENT_TAG):
        return None, None
    found: list[Lock | None] = []

    def read() -> None:
        for run in (old, new):
            found.append(lock_of(client, run))

    if all(_is_near(client, run) for run in (old, new)):
        read()
    else:
        # A bucket that is away is asked for a minute.
        thread = threading.Thread(target=read, name="tracknb-changes", daemon=True)
        thread.start()
        thread.join(_SECONDS)
    before, after = [*found, None, None][:2]
    return before, after


def _is_near(client: TrackingClient, run: Run) -> bool:
    try:
        return isinstance(client.artifacts(run.info.run_id), LocalArtifacts)
    except TracknbError:
        return False
