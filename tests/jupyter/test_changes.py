"""What a page has after any changes, asked at any time, is what a new page would be told."""

from __future__ import annotations

import random
import time

import pytest

import tracknb
from tracknb.client import close_stores
from tracknb.config import locate
from tracknb.entities import ARCHIVED_TAG
from tracknb.jupyter.changes import Changes
from tracknb.jupyter.stores import ServedStore
from tracknb.looking.listing import run_list


class Page:
    """What a browser keeps of a list; see `Feed` in the front end."""

    def __init__(self):
        self.revision, self.rows, self.more, self.experiments = "", {}, False, ()

    def take(self, told):
        self.revision = told["revision"]
        if "rows" in told:
            if told["whole"]:
                self.rows = {}
            for key in told["gone"]:
                del self.rows[key]
            self.rows |= told["rows"]
            self.more, self.experiments = told["more"], told["experiments"]


@pytest.mark.parametrize("seed", range(4))
def test_pages_end_up_with_what_is_stored(tmp_path, seed):
    chance = random.Random(seed)
    path = tmp_path / "tracknb.db"
    client = tracknb.MlflowClient(f"sqlite:///{path}")
    experiments = [client.create_experiment("taxi")]
    store = ServedStore("tracknb.db", locate(path), is_named=False)
    changes, pages, runs = Changes(), [Page() for _ in range(12)], []

    def read():
        return run_list(client, limit=10)

    def edit():
        kind = chance.choice(("run", "run", "metric", "end", "name", "delete", "restore", "archive", "experiment"))
        if kind == "run" or not runs:
            run = client.create_run(chance.choice(experiments), run_name="a", start_time=chance.randrange(9_999))
            runs.append(run.info.run_id)
        elif kind == "experiment":
            experiments.append(client.create_experiment(f"more-{len(experiments)}"))
        else:
            run_id = chance.choice(runs)
            if kind in ("delete", "restore"):
                getattr(client, f"{kind}_run")(run_id)
            elif client.get_run(run_id).info.lifecycle_stage == "active":
                if kind == "metric":
                    client.log_metric(run_id, "rmse", chance.random())
                elif kind == "end":
                    client.set_terminated(run_id)
                elif kind == "name":
                    client.update_run(run_id, name=chance.choice(("b", "c", "d")))
                else:
                    client.set_tag(run_id, ARCHIVED_TAG, chance.choice(("true", "false")))

    for _ in range(150):
        for _ in range(chance.randrange(3)):
            edit()
        page = chance.choice(pages)
        page.take(changes.since("question", page.revision, store.state(), read))
        fresh = read()
        assert (page.rows, page.more, page.experiments) == (fresh.rows, fresh.has_more, fresh.experiments)
        if chance.random() < 0.02:
            # So that the store's state counts, and not only its newness.
            time.sleep(1.1)
    close_stores()
