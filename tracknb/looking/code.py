"""The code behind a run, read from the store."""

from __future__ import annotations

from tracknb.capture import opened
from tracknb.client import TrackingClient
from tracknb.entities import CELL_TAG, STAMPS_TAG, Run
from tracknb.view.code import RunCode


def code_of(client: TrackingClient, run: Run) -> RunCode:
    """Return the cells that a run depends on; only its own, where no more was recorded.

    On the machine that made the run it is looked whether the files that they read are still the same.
    """
    tags = run.data.tags
    changed = opened.changed(tags.get(STAMPS_TAG, ""))
    return RunCode(run.info.run_name, client.get_cells(run.info.run_id), own=tags.get(CELL_TAG, ""), changed=changed)
