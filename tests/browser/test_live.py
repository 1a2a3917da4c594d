"""The live panel in a real browser: what a page that is loaded again still shows."""

from __future__ import annotations

import re
import sqlite3

import pytest

from tracknb.view.base import MIME

pytestmark = pytest.mark.browser

LOAD = "%load_ext tracknb\nimport os, time, tracknb\ntracknb.set_tracking_uri('reload.db')"
# The test decides when the cell ends: how long loading a page takes depends on the machine.
TRAIN = """%%track_run --experiment nyc-taxi --name curve
epoch = 0
while not os.path.exists("stop"):
    tracknb.log_metric("loss", 1 / (1 + epoch), step=epoch)
    epoch += 1
    time.sleep(0.2)
"""
WIDGET = "application/vnd.jupyter.widget-view+json"


def points(output):
    """The points that a panel says a metric has, read from the hint of its last value."""
    title = output.locator(".tnb-legend b").first.get_attribute("title", timeout=20_000)
    return int(re.search(r"(\d+) points", title).group(1))


def test_a_page_loaded_again_while_the_cell_runs_shows_the_whole_curve_and_its_end(lab, lab_page):
    name = lab.write("reload.ipynb", [LOAD, TRAIN])
    lab_page.open(name)
    lab_page.run_all()
    lab_page.output(1).locator(".tnb-chart").first.wait_for(timeout=40_000)
    lab_page.save()
    lab_page.page.reload()
    lab_page.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    output = lab_page.output(1)
    output.locator(".tnb-chart").first.wait_for(timeout=40_000)

    early = points(output)
    lab_page.page.wait_for_timeout(1_500)
    assert points(output) > early

    (lab.folder / "stop").touch()
    lab_page.page.wait_for_function("document.querySelector('.tnb-mark').dataset.status === 'FINISHED'", timeout=30_000)
    lab_page.page.wait_for_timeout(1_000)
    with sqlite3.connect(lab.folder / "reload.db") as store:
        [[logged]] = store.execute("SELECT count(*) FROM metrics")
    # Every step is there: also those that were pushed while no page listened.
    assert points(output) == logged
    lab_page.save()
    [panel] = lab.read(name).cells[1].outputs
    assert WIDGET not in panel.data
    assert panel.data[MIME]["runs"][0]["status"] == "FINISHED"
    assert panel.data[MIME]["runs"][0]["series"][0]["count"] == logged
    assert lab_page.errors == []
