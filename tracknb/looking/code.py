"""The code behind a run, read from the store."""

from __future__ import annotations

from tracknb.client import TrackingClient
from tracknb.entities import CELL_TAG, Run
from tracknb.view.code import RunCode


def code_of(client: TrackingClient, run: Run) -> RunCode:
    """Return the cells that a run depends on; only its own, where no more was recorded."""
    cells = client.get_cells(run.info.run_id)
    return RunCode(run.info.run_name, cells, own=run.data.tags.get(CELL_TAG, ""))
