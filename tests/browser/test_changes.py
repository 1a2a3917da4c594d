"""What changed under a tracked cell, and what it displayed, in a real JupyterLab."""

from __future__ import annotations

import json

import pytest

from tests.browser.test_accessibility import AXE, RUN_AXE
from tracknb.view.base import MIME

pytestmark = pytest.mark.browser

LOAD = """%load_ext tracknb
import tracknb, matplotlib.pyplot as plt, pandas as pd
tracknb.set_tracking_uri('changes.db')"""
SCALE = "# how large\nscale = 2\nheadings = ['<b>fare</b>']"
TRACKED = """%%track_run --name ridge --param depth=3
for step in range(5):
    tracknb.log_metric("loss", scale / (1 + step), step=step)
_ = plt.plot([scale / (1 + step) for step in range(5)])
plt.show()
pd.DataFrame({"fare": [4.5, 12.0, 7.25], "km": [1, 5, 2]})"""


def edit(page, number, old, new):
    """Change a text in a cell, as somebody who types."""
    editor = page.cell(number).locator(".jp-InputArea-editor .cm-content")
    editor.click()
    page.page.keyboard.press("Control+a")
    page.page.keyboard.press("Delete")
    source = {1: SCALE, 2: TRACKED}[number].replace(old, new)
    page.page.keyboard.insert_text(source)


def run(page, *numbers):
    for number in numbers:
        page.run_cell(number)
        page.wait_until_done(number)


def attempt_twice(lab, page, name):
    """Run a notebook, change a line of a cell that the tracked one needs, and run both again."""
    page.open(lab.write(name, [LOAD, SCALE, TRACKED, "%track show last", "%track diff ridge last"]))
    page.wait_for_kernel()
    run(page, 0, 1, 2)
    edit(page, 1, "scale = 2", "scale = 3")
    edit(page, 2, "depth=3", "depth=4")
    run(page, 1, 2)
    changes = page.output(2).locator(".tnb-changes")
    changes.wait_for(timeout=20_000)
    return changes


def test_what_changed_is_told_under_the_cell_and_on_the_page_with_the_pictures(lab, lab_page):
    changes = attempt_twice(lab, lab_page, "changes.ipynb")

    words = [
        "param depth 3 → 4",
        "code of the cell [4]: +1 -1",
        "metric loss 0.4 → 0.6 (+0.2, +50 %, worse)",
    ]
    assert changes.locator("> div").inner_text() == "Changed since attempt 1"
    assert changes.locator("li > span, summary").all_inner_texts() == words
    changes.locator("summary").click()
    assert changes.locator("pre code").all_inner_texts() == ["-scale = 2\n", "+scale = 3\n"]

    lab_page.save()
    [saved] = [item for item in lab.read("changes.ipynb").cells[2].outputs if MIME in item.get("data", {})]
    assert len(json.dumps(saved.data[MIME]["runs"][0]["since"])) < 1_000

    run(lab_page, 3)
    page = lab_page.output(3)
    page.locator(".tnb-outputs figure iframe").wait_for(timeout=20_000)
    assert page.locator(".tnb-changes li > span, .tnb-changes summary").all_inner_texts() == words
    picture = page.get_by_role("img", name="Output 1.png")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300
    frame = page.locator(".tnb-outputs iframe").content_frame
    assert frame.get_by_role("cell", name="7.25").is_visible()
    if AXE.exists():
        lab_page.page.evaluate(AXE.read_text())
        assert page.locator(".tracknb-view").first.evaluate(RUN_AXE) == []
    assert lab_page.errors == []
    assert lab_page.foreign == []


def test_outputs_of_two_runs_stand_beside_each_other(lab, lab_page):
    attempt_twice(lab, lab_page, "beside.ipynb")
    ids = "[run.info.run_id for run in tracknb.search_runs(search_all_experiments=True, output_format='list')][:2]"
    lab_page.open(lab.write("beside_2.ipynb", [LOAD, f"tracknb.compare(*{ids})"]))
    lab_page.wait_for_kernel()
    run(lab_page, 0, 1)

    view = lab_page.output(1)
    view.get_by_role("tab", name="Outputs").click(timeout=20_000)
    view.locator(".tnb-columns iframe").nth(1).wait_for(timeout=20_000)
    assert view.locator(".tnb-columns section").count() == 2
    assert view.get_by_role("img", name="Output 1.png").count() == 2
    assert lab_page.errors == []
