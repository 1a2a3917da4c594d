"""The same views in JupyterLab and in Notebook 7."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing

import nbformat
import pytest

from tests.browser.lab import wait_until
from tests.browser.test_lab import FIVE, TRAIN, done_epochs, new_store

pytestmark = pytest.mark.browser
in_both = pytest.mark.parametrize("both", ["lab", "notebook"], indirect=True)
COMPARED = """for name, lr in [("slow", 0.1), ("fast", 0.2)]:
    with tracknb.start_run(run_name=name, tags={"tracknb.source.cell": f"fit(lr={lr})"}):
        tracknb.log_param("lr", lr)
        for step in range(20):
            tracknb.log_metric("loss", 1 / (1 + step) + lr, step=step)
"""
CATALOGUE = """client = tracknb.MlflowClient()
for name, tags in [("nyc-taxi", {"owner": "ada"}), ("mnist", {"owner": "eve", "tags": "vision"})]:
    experiment = client.create_experiment(name, tags=tags)
    for number in range(3):
        run = client.create_run(experiment, run_name=f"{name}-{number}")
        client.log_metric(run.info.run_id, "rmse", 5.0 - number)
        client.set_terminated(run.info.run_id)
"""


@in_both
def test_panel_table_and_trend_are_drawn_and_answer(both, page_of_both):
    page = page_of_both
    cells = [new_store("seven"), TRAIN, FIVE, "%track runs digits", "%track trend digits"]
    page.open(both.write("seven.ipynb", cells))
    page.run_all()
    panel = page.output(1)
    panel.locator(".tnb-chart").first.wait_for(timeout=40_000)
    early = done_epochs(panel)
    page.page.wait_for_timeout(1_200)
    assert page.is_busy(1)
    assert done_epochs(panel) > early >= 0

    page.wait_until_done(4)
    table, trend = page.output(3), page.output(4)
    assert panel.locator(".tnb-chart").count() == 2
    table.get_by_role("button", name="data: mnist").first.click()
    assert table.locator("[role=status]").first.inner_text() == "2 of 4 runs"
    table.get_by_role("button", name="c", exact=True).click()
    table.get_by_role("button", name="Back").wait_for(timeout=10_000)
    assert trend.locator(".uplot").is_visible()
    page.save()
    assert page.errors == []
    assert page.complaints == []
    assert page.foreign == []


@in_both
def test_a_saved_notebook_is_drawn_without_a_kernel_and_untrusted(both, page_of_both):
    page = page_of_both
    name = both.write("saved7.ipynb", [new_store("saved7") + "\n" + FIVE, "%track runs", "%track trend"])
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", name]
    subprocess.run(command, cwd=both.folder, check=True, capture_output=True)
    notebook = both.read(name)
    notebook.metadata.kernelspec = {"name": "gone", "display_name": "Gone", "language": "gone"}
    notebook.metadata.language_info = {"name": "gone"}
    nbformat.write(notebook, both.folder / name)

    page.open(name)
    page.page.locator(".jp-Dialog").get_by_role("button", name="No Kernel").click(timeout=20_000)
    table = page.output(1)
    table.get_by_role("grid").wait_for(timeout=20_000)
    table.get_by_role("button", name="data: mnist").first.click()

    assert table.locator("[role=status]").first.inner_text() == "2 of 4 runs"
    assert page.output(2).locator(".uplot").is_visible()
    assert page.errors == []
    assert page.foreign == []


@pytest.fixture
def quiet_page(page_of_both):
    """A page on which nothing raises, complains or leaves this machine."""
    yield page_of_both
    assert page_of_both.errors == []
    assert page_of_both.complaints == []
    assert page_of_both.foreign == []


def output_of(both, page, name, *cells):
    """The output of the last cell of a notebook that was run to its end."""
    page.open(both.write(f"{name}.ipynb", [new_store(name), *cells]))
    page.run_all()
    page.wait_until_done(len(cells))
    return page.output(len(cells))


def tags_in(both, store):
    with closing(sqlite3.connect(both.folder / f"{store}.db")) as connection:
        return dict(connection.execute("SELECT key, value FROM tags"))


@in_both
def test_the_page_of_a_run_reads_a_file_and_keeps_a_note(both, quiet_page):
    train = "with tracknb.start_run(run_name='forest'):\n    tracknb.log_metric('rmse', 3)\n"
    train += "    tracknb.log_text('fare,km\\n4.5,1\\n', 'rides.csv')"
    view = output_of(both, quiet_page, "page7", train, "%track show last")
    view.get_by_role("tab", name="Files").click(timeout=20_000)
    view.get_by_role("treeitem", name="rides.csv").click()
    preview = view.get_by_role("region", name="Preview")
    preview.get_by_text("1 row, 2 columns").wait_for(timeout=10_000)
    assert preview.locator("tbody td").all_inner_texts() == ["4.5", "1"]

    view.get_by_role("tab", name="Overview").click()
    view.get_by_role("button", name=re.compile("note")).first.click()
    view.get_by_label("Note, in Markdown").fill("**kept**")
    view.get_by_role("button", name="Set Note").click()
    view.locator(".tnb-markdown strong", has_text="kept").wait_for(timeout=10_000)
    assert tags_in(both, "page7")["mlflow.note.content"] == "**kept**"


@in_both
def test_a_comparison_shows_curves_and_opens_a_run_whole(both, quiet_page):
    view = output_of(both, quiet_page, "compare7", COMPARED, "%track compare slow fast")
    view.get_by_role("tab", name="Curves").click(timeout=20_000)
    view.locator(".tnb-chart canvas").first.wait_for()
    view.get_by_role("tab", name="Scatter").click()
    assert view.locator(".tnb-scatter").is_visible()

    view.get_by_role("tab", name="Table").click()
    view.get_by_role("button", name="fast", exact=True).click()
    # Only the kernel knows the number of points; a row of the comparison holds thinned curves.
    view.get_by_role("button", name="Back").wait_for(timeout=10_000)
    view.get_by_role("tab", name="Files").wait_for(timeout=10_000)
    assert "executed as" in view.inner_text()
    view.get_by_role("button", name="Back").click()
    assert view.get_by_role("tab", name="Table").is_visible()


@in_both
def test_the_catalogue_keeps_a_star_and_opens_an_experiment(both, quiet_page):
    view = output_of(both, quiet_page, "catalogue7", CATALOGUE, "%track experiments")
    view.get_by_role("button", name="Star mnist").click(timeout=20_000)
    view.get_by_role("button", name="Starred 1").click(timeout=10_000)
    assert view.locator("table.tnb-list .tnb-name").all_inner_texts() == ["mnist"]
    with closing(sqlite3.connect(both.folder / "catalogue7.db")) as connection:
        stars = connection.execute("SELECT value FROM experiment_tags WHERE key LIKE 'tracknb.star.%'").fetchall()
    assert stars == [("true",)]

    view.get_by_role("button", name="mnist", exact=True).click()
    page = view.get_by_role("tablist", name="Experiment mnist")
    page.get_by_role("tab", name="Latest Runs").click(timeout=10_000)
    assert "mnist-2" in view.get_by_role("tabpanel", name="Latest Runs").inner_text()


@in_both
def test_the_dashboard_asks_for_the_runs_of_another_experiment_and_compares(both, quiet_page):
    view = output_of(both, quiet_page, "dashboard7", CATALOGUE, "%track")
    view.get_by_role("tab", name="Runs", exact=True).click(timeout=20_000)
    runs = view.get_by_role("tabpanel", name="Runs", exact=True)
    runs.get_by_label("Experiment", exact=True).select_option("nyc-taxi", timeout=20_000)
    runs.get_by_text("nyc-taxi-2").first.wait_for(timeout=10_000)
    runs.get_by_label("Experiment", exact=True).select_option("mnist")
    runs.get_by_text("mnist-2").first.wait_for(timeout=10_000)
    for box in runs.locator(".tnb-row input[type=checkbox]").all()[:2]:
        box.check()
    runs.get_by_role("button", name="Compare (2)").click()

    view.get_by_text("2 runs compared").wait_for(timeout=10_000)
    assert view.locator(".tnb-side tbody tr", has_text="rmse").count() == 1
    view.get_by_role("tab", name="Trend").click()
    assert view.get_by_role("tabpanel", name="Trend").locator(".uplot").is_visible()


@in_both
def test_saving_with_the_focus_in_a_view_saves_the_notebook(both, quiet_page):
    """Keys in our views do not reach the notebook; this one means it."""
    table = output_of(both, quiet_page, "save7", FIVE, "%track runs")
    table.get_by_role("grid").wait_for(timeout=20_000)
    # Read as text: a file that is just being written is no notebook yet.
    file = both.folder / "save7.ipynb"
    assert "application/vnd.tracknb.view+json" not in file.read_text()

    table.get_by_role("searchbox", name="Filter runs by text").press("Control+s")
    wait_until(lambda: "application/vnd.tracknb.view+json" in file.read_text(), 10, "the notebook was not saved")


@in_both
def test_a_page_that_is_left_closes_its_lines(both, quiet_page):
    """The kernel goes on; what it keeps for a page that is gone would stay until its end."""
    lines = "len([c for c in get_ipython().kernel.comm_manager.comms.values() if c.target_name == 'tracknb.view'])"
    name = "leave7.ipynb"
    quiet_page.open(both.write(name, [new_store("leave7"), FIVE, "%track runs", lines]))
    quiet_page.wait_for_kernel()
    for number in range(3):
        quiet_page.run_cell(number)
        quiet_page.wait_until_done(number)
    quiet_page.output(2).locator(".tnb-row input").first.check()
    quiet_page.run_cell(3)
    # The table's, and the one over which the notebook tells how it stands.
    quiet_page.output(3).get_by_text("2", exact=True).wait_for(timeout=10_000)

    quiet_page.page.goto("about:blank")
    quiet_page.open(name)
    quiet_page.wait_for_kernel()
    quiet_page.run_cell(3)
    quiet_page.output(3).get_by_text(re.compile("^[0-9]+$")).wait_for(timeout=10_000)
    assert quiet_page.output(3).inner_text().split()[-1] == "0"


@in_both
def test_a_cell_that_was_edited_and_not_run_is_told(both, quiet_page):
    page = quiet_page
    train = "%%track_run --experiment taxi\ntracknb.log_metric('rmse', 4 * lr)"
    page.open(both.write("stale7.ipynb", [new_store("stale7"), "lr = 0.1", train]))
    page.wait_for_kernel()
    for number in (0, 1):
        page.run_cell(number)
        page.wait_until_done(number)
    page.cell(1).locator(".jp-InputArea-editor .cm-content").click()
    page.page.keyboard.press("End")
    page.page.keyboard.type("5")
    page.page.wait_for_timeout(700)
    page.run_cell(2)
    page.output(2).locator(".tnb-doubts").get_by_text("lr came from an older version of the cell [2]").wait_for()
    assert tags_in(both, "stale7")["tracknb.grade"] == "stale name"


@in_both
def test_the_page_of_a_run_has_room(both, page_of_both):
    """Notebook 7 puts the tab below the notebook, where nothing has any height by itself."""
    page = page_of_both
    (both.folder / "room").mkdir(exist_ok=True)
    page.open(both.write("room/room.ipynb", ["%load_ext tracknb", "%%track_run --experiment room --name quick\n1"]))
    page.wait_for_kernel()
    for number in range(2):
        page.run_cell(number)
        page.wait_until_done(number)
    page.command("tracknb:show-runs")
    page.page.locator("#tracknb-runs").get_by_role("button", name="quick", exact=True).click(timeout=20_000)
    tab = page.page.locator(".tracknb-document")
    tab.get_by_role("tab", name="Code").click(timeout=10_000)
    assert tab.bounding_box()["height"] > 200


@in_both
def test_an_output_of_a_newer_tracknb_shows_its_html_without_what_runs(both, page_of_both):
    page = page_of_both
    name = both.write("newer.ipynb", ["%track runs"])
    notebook = both.read(name)
    html = (
        "<table><tr><td>ridge</td></tr></table><img src=x onerror=\"document.title='owned'\"><script>owned()</script>"
    )
    data = {"application/vnd.tracknb.view+json": {"version": 99, "kind": "runs"}, "text/html": html, "text/plain": "x"}
    notebook.cells[0].outputs = [nbformat.v4.new_output("display_data", data)]
    nbformat.write(notebook, both.folder / name)
    page.open(name)

    page.output(0).get_by_role("cell", name="ridge").wait_for(timeout=20_000)
    assert "owned" not in page.page.title()
    assert page.errors == []
