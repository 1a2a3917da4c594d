"""The panel of runs, the tabs that it opens, the way between runs and cells, in a real JupyterLab."""

from __future__ import annotations

import json
import os

import pytest
from playwright.sync_api import expect

import tracknb
from tests.browser.lab import LabPage, jupyter, wait_until
from tests.browser.test_accessibility import AXE, RUN_AXE
from tracknb.capture.environment import user_name
from tracknb.client import close_stores
from tracknb.entities import star_tag

pytestmark = pytest.mark.browser

LOAD = "%load_ext tracknb\nimport time, tracknb"
QUICK = """%%track_run --experiment taxi --name quick
tracknb.log_params({"model": "ridge"})
tracknb.log_metric("rmse", 4.0)"""
SLOW = """%%track_run --experiment taxi --name slow
for step in range(600):
    tracknb.log_metric("rmse", 6 - step / 100, step=step)
    time.sleep(0.05)"""


@pytest.fixture(scope="module")
def own_lab(tmp_path_factory):
    """A JupyterLab below the home folder, as most are, that holds the stores of these tests only."""
    home = tmp_path_factory.mktemp("panel")
    with jupyter(home, environment={**os.environ, "HOME": str(home)}) as lab:
        yield lab


@pytest.fixture
def page(request, lend, own_lab):
    """A page; each test works in a folder of its own, and so in a store of its own."""
    # The panel remembers what was chosen, and the layout what was open.
    with lend(request, own_lab, keep_application=False) as page:
        yield page


@pytest.fixture
def folder(own_lab, request):
    # A test that is done again needs another one.
    place = own_lab.folder / f"{request.node.originalname}-{getattr(request.node, 'execution_count', 1)}"
    place.mkdir()
    return place


def write(page, folder, name, cells):
    """Write a notebook into a folder; returns its path below the server's."""
    return page.lab.write(f"{folder.name}/{name}", cells)


def opened(page, name, *, kernel=True):
    """Open a notebook with the panel beside it."""
    page.open(name)
    if kernel:
        page.wait_for_kernel()
    page.command("tracknb:show-runs")
    side = page.page.locator("#tracknb-runs")
    side.get_by_role("list", name="Runs").wait_for(timeout=20_000, state="attached")
    return side


def make_runs(folder, count=3, *, source=None, experiment="taxi", cell=""):
    """Runs in the store of a folder, the newest last."""
    client = tracknb.MlflowClient(f"sqlite:///{folder}/tracknb.db")
    place = client.get_experiment_by_name(experiment)
    experiment_id = place.experiment_id if place else client.create_experiment(experiment)
    ids = []
    for number in range(count):
        tags = {"tracknb.source.cell_id": cell} | ({"mlflow.source.name": str(source)} if source else {})
        run = client.create_run(experiment_id, run_name=f"run-{number}", start_time=1_000_000 + number, tags=tags)
        client.log_metric(run.info.run_id, "rmse", 5.0 - number)
        client.log_param(run.info.run_id, "depth", number)
        client.set_terminated(run.info.run_id)
        ids.append(run.info.run_id)
    close_stores()
    return ids


def names(side):
    return side.locator(".tnb-sidename").all_inner_texts()


def is_clean(page):
    return (page.errors, page.complaints, page.foreign) == ([], [], [])


def test_a_row_comes_when_a_cell_starts_and_lives_while_the_kernel_is_busy(page, folder):
    side = opened(page, write(page, folder, "live.ipynb", [LOAD, SLOW]))
    side.get_by_text("No runs yet").wait_for(timeout=10_000)
    page.run_cell(0)
    page.wait_until_done(0)
    page.run_cell(1)

    side.get_by_role("button", name="slow", exact=True).wait_for(timeout=15_000)
    assert page.is_busy(1)
    step = side.locator(".tnb-sidesub").first
    before = step.inner_text()
    wait_until(lambda: step.inner_text() != before, 10, "the step stands still")
    status = page.page.locator(".tracknb-status button")
    assert "slow · step" in status.inner_text()

    # The page of a run that is running follows it, with no kernel that could answer.
    status.click()
    tab = page.page.locator(".tracknb-document")
    tab.get_by_role("tab", name="Curves").wait_for(timeout=10_000)
    points = tab.locator("table", has_text="Points").locator("tbody td").last
    first = int(points.inner_text())
    wait_until(lambda: int(points.inner_text()) > first, 10, "the page of the run stands still")
    assert page.is_busy(1)
    assert is_clean(page)


def test_runs_are_listed_without_any_kernel(page, folder):
    make_runs(folder, source=folder / "still.ipynb")
    page.open(write(page, folder, "still.ipynb", ["1"]))
    page.page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")
    page.command("tracknb:show-runs")
    side = page.page.locator("#tracknb-runs")
    expect(side.locator(".tnb-sidename")).to_have_text(["run-2", "run-1", "run-0"], timeout=15_000)
    side.get_by_role("button", name="run-1", exact=True).click()
    tab = page.page.locator(".tracknb-document")
    expect(tab.locator(".tnb-pagehead b")).to_have_text("run-1")
    assert is_clean(page)


def test_filters_queries_and_what_an_empty_list_says(page, folder):
    make_runs(folder, source=folder / "a.ipynb")
    make_runs(folder, 1, experiment="bikes", source=folder / "b.ipynb")
    side = opened(page, write(page, folder, "a.ipynb", ["1"]), kernel=False)
    expect(side.locator(".tnb-sidename")).to_have_count(3)
    side.get_by_role("button", name="All", exact=True).click()
    expect(side.locator(".tnb-sidename")).to_have_count(4)
    side.get_by_role("combobox", name="Experiment").select_option("bikes")
    expect(side.locator(".tnb-sidename")).to_have_count(1)
    side.get_by_role("combobox", name="Experiment").select_option("")

    query = side.get_by_role("searchbox", name="Filter runs")
    query.fill("metrics.rmse < 4.5 and params.depth = '1'")
    expect(side.locator(".tnb-sidename")).to_have_text(["run-1"])
    query.fill("metrics.rmse <")
    expect(side.get_by_role("alert")).to_contain_text("metrics.rmse <")
    query.fill("metrics.rmse > 100")
    side.get_by_text("No run matches.").wait_for()
    side.get_by_role("button", name="Clear filters").click()
    expect(side.locator(".tnb-sidename")).to_have_count(4)
    assert query.input_value() == ""

    # By keys alone: from the query into the list, down, and into a page.
    query.press("ArrowDown")
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("Enter")
    page.page.locator(".tracknb-document .tnb-pagehead").wait_for()
    assert is_clean(page)


def test_a_star_is_kept_in_the_store(page, folder):
    _, middle, _ = make_runs(folder, source=folder / "star.ipynb")
    side = opened(page, write(page, folder, "star.ipynb", ["1"]), kernel=False)
    side.get_by_role("button", name="Star of run-1").click()
    expect(side.get_by_role("button", name="Star of run-1")).to_have_attribute("aria-pressed", "true")
    tags = tracknb.MlflowClient(f"sqlite:///{folder}/tracknb.db").get_run(middle).data.tags
    close_stores()
    assert tags[star_tag(user_name())] == "true"
    side.get_by_role("button", name="Only runs with your star").click()
    expect(side.locator(".tnb-sidename")).to_have_text(["run-1"])
    side.get_by_role("button", name="Star of run-1").click()
    side.get_by_text("No run matches.").wait_for()
    assert is_clean(page)


def test_ticked_runs_are_compared_and_the_dashboard_opens(page, folder):
    make_runs(folder, source=folder / "compare.ipynb")
    side = opened(page, write(page, folder, "compare.ipynb", ["1"]), kernel=False)
    compare = side.get_by_role("button", name="Compare", exact=True)
    assert compare.is_disabled()
    side.get_by_role("checkbox", name="Select run-0").check()
    side.get_by_role("checkbox", name="Select run-2").check()
    assert side.get_by_role("status").last.inner_text() == "2 selected"
    compare.click()
    tab = page.page.locator(".tracknb-document")
    tab.get_by_role("tab", name="Parallel coordinates").wait_for(timeout=10_000)
    assert tab.get_by_text("run-2").count() > 0
    side.get_by_role("button", name="Dashboard").click()
    board = page.page.locator(".tracknb-document:visible")
    board.get_by_role("grid").wait_for(timeout=10_000)
    board.get_by_role("tab", name="Experiments").click()
    board.get_by_text("taxi").first.wait_for()
    assert is_clean(page)


def test_tabs_come_back_with_the_page(page, folder):
    make_runs(folder, source=folder / "back.ipynb")
    side = opened(page, write(page, folder, "back.ipynb", ["1"]), kernel=False)
    side.get_by_role("button", name="run-2", exact=True).click()
    page.page.locator(".tracknb-document .tnb-pagehead").wait_for()
    saved = """async () => { const name = location.pathname.split('/workspaces/')[1].split('/')[0];
        return (await fetch('/lab/api/workspaces/' + name)).text(); }"""
    wait_until(lambda: "tracknb:" in page.page.evaluate(saved), 15, "the layout is not saved")
    page.page.goto(page.page.url.replace("?reset", ""))
    expect(page.page.locator(".tracknb-document .tnb-pagehead b")).to_have_text("run-2", timeout=30_000)
    assert page.errors == []


def test_from_a_run_to_its_cell_and_back(page, folder):
    cells = [LOAD, *["'nothing'\n" * 8] * 30, QUICK]
    last = len(cells) - 1
    side = opened(page, write(page, folder, "link.ipynb", cells))
    page.run_cell(0)
    page.wait_until_done(0)
    page.page.evaluate(f"jupyterapp.shell.currentWidget.content.activeCellIndex = {last}")
    page.page.evaluate(f"jupyterapp.shell.currentWidget.content.scrollToItem({last})")
    for _ in range(2):
        page.command("notebook:run-cell")
        page.page.wait_for_timeout(1_500)
    mark = page.page.locator(".tracknb-cellmark")
    expect(mark).to_have_text("2 runs · rmse 4", timeout=15_000)

    # Clicked, the line under the cell narrows the panel to its runs.
    side.get_by_role("button", name="All", exact=True).click()
    mark.click()
    expect(side.get_by_title("Show the runs of all cells again")).to_be_visible()
    expect(side.locator(".tnb-sidename")).to_have_count(2)

    page.page.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex = 0")
    page.page.evaluate("jupyterapp.shell.currentWidget.content.scrollToItem(0)")
    side.get_by_role("button", name="Go to the cell of quick").first.click()
    there = page.page.locator(".jp-Cell.tracknb-here")
    expect(there).to_be_in_viewport(timeout=10_000)
    assert "--name quick" in there.inner_text()
    assert page.page.locator(".Toastify").get_by_text("has changed").count() == 0

    # The cell is edited: said, and the run's own code can be had again.
    page.page.evaluate(
        "cell => jupyterapp.shell.currentWidget.content.widgets[cell].model.sharedModel.setSource('1 + 1')", last
    )
    side.get_by_role("button", name="Go to the cell of quick").first.click()
    page.page.get_by_text("The code of this cell has changed since quick").wait_for(timeout=10_000)
    page.page.get_by_role("button", name="Restore the run's code below").click()
    wait_until(
        lambda: (
            page.page.evaluate(
                "cell => jupyterapp.shell.currentWidget.content.widgets[cell + 1]?.model.sharedModel.getSource()", last
            )
            == QUICK
        ),
        10,
        "the code did not come back",
    )

    # And the cell is gone.
    page.page.evaluate("cell => jupyterapp.shell.currentWidget.content.model.sharedModel.deleteCell(cell)", last)
    side.get_by_role("button", name="Go to the cell of quick").first.click()
    page.page.get_by_text("The cell of quick is no longer in this notebook").wait_for(timeout=10_000)
    assert is_clean(page)


def test_a_sweep_is_one_row_until_it_is_unfolded(page, folder):
    cells = [LOAD, "%%track_run --experiment taxi --name sweep\nfor depth in range(3):\n"
             "    with tracknb.start_run(run_name=f'depth-{depth}', nested=True):\n"
             "        tracknb.log_metric('rmse', depth)"]  # fmt: skip
    side = opened(page, write(page, folder, "sweep.ipynb", [*cells, QUICK]))
    for cell in range(3):
        page.run_cell(cell)
        page.wait_until_done(cell)
    names = side.locator(".tnb-sidename")
    expect(names).to_have_text(["quick", "sweep"], timeout=15_000)
    expect(side.get_by_text("3 nested")).to_be_visible()
    side.get_by_role("button", name="Runs nested in sweep").click()
    expect(names).to_have_text(["quick", "sweep", "depth-2", "depth-1", "depth-0"])

    # What is ticked stays so while it is folded; by keys as in the run table.
    side.get_by_role("checkbox", name="Select depth-1").check()
    names.nth(1).focus()
    page.page.keyboard.press("ArrowLeft")
    expect(names).to_have_text(["quick", "sweep"])
    assert side.get_by_role("status").last.inner_text() == "1 selected"
    page.page.keyboard.press("ArrowRight")
    assert side.get_by_role("checkbox", name="Select depth-1").is_checked()

    # A query looks for single runs.
    side.get_by_role("button", name="Runs nested in sweep").click()
    side.get_by_role("searchbox", name="Filter runs").fill("attributes.run_name = 'depth-1'")
    expect(names).to_have_text(["depth-1"])
    assert is_clean(page)


def test_a_renamed_notebook_keeps_its_runs_lines_and_cells(page, folder):
    side = opened(page, write(page, folder, "before.ipynb", [LOAD, QUICK]))
    for cell in range(2):
        page.run_cell(cell)
        page.wait_until_done(cell)
    expect(page.page.locator(".tracknb-cellmark")).to_have_text("1 run · rmse 4", timeout=15_000)
    page.save()
    name = f"{folder.name}/after.ipynb"
    page.page.evaluate("name => jupyterapp.shell.currentWidget.context.rename(name.split('/').pop())", name)
    wait_until(lambda: (page.lab.folder / name).exists(), 10, "the notebook was not renamed")
    page.run_cell(1)
    expect(page.page.locator(".tracknb-cellmark")).to_have_text("2 runs · rmse 4", timeout=15_000)
    expect(side.locator(".tnb-sidename")).to_have_count(2)
    for scope in ("Notebook", "All"):
        side.get_by_role("button", name=scope, exact=True).click()
        page.page.evaluate(
            "document.querySelectorAll('.tracknb-here').forEach(e => e.classList.remove('tracknb-here'))"
        )
        side.get_by_role("button", name="Go to the cell of quick").first.click()
        expect(page.page.locator(".jp-Cell.tracknb-here")).to_contain_text("--name quick")
    assert page.errors == []


def test_the_page_of_a_run_leads_to_its_cell_from_an_output_too(page, folder):
    opened(page, write(page, folder, "shown.ipynb", [LOAD, QUICK, "%track show last"]))
    for cell in range(3):
        page.run_cell(cell)
        page.wait_until_done(cell)
    output = page.output(2)
    output.get_by_role("button", name="executed as [2]").click()
    expect(page.page.locator(".jp-Cell.tracknb-here")).to_contain_text("--name quick")
    output.get_by_role("tab", name="Code").click()
    output.get_by_role("button", name="Restore into a new cell").click()
    expect(page.cell(2)).to_contain_text("--name quick")
    assert is_clean(page)


TRAIN = """%%track_run --experiment taxi --name {name}
tracknb.log_metric("rmse", 4 * lr)"""


def edit(page, cell, text):
    """Type over a cell's text, as a person does; it is neither run nor saved."""
    page.cell(cell).locator(".jp-InputArea-editor .cm-content").click()
    page.page.keyboard.press("Control+a")
    page.page.keyboard.type(text)
    # Nobody trains within half a second of the last key; who does is told nothing wrong.
    page.page.wait_for_timeout(700)


def train(page, cell):
    page.run_cell(cell)
    page.wait_until_done(cell)
    return page.output(cell).locator(".tnb-doubts")


def test_a_cell_that_was_edited_and_not_run_is_told_at_once(page, folder):
    """What R127 asks for: define `lr`, edit that cell without running it, train. Nothing is saved."""
    cells = [LOAD, "lr = 0.1", TRAIN.format(name="first"), TRAIN.format(name="second")]
    side = opened(page, write(page, folder, "stale.ipynb", cells))
    for cell in (0, 1):
        page.run_cell(cell)
        page.wait_until_done(cell)
    expect(train(page, 2)).to_be_empty()

    edit(page, 1, "lr = 0.2")
    doubts = train(page, 3)
    reason = "lr came from an older version of the cell [2]. Run the cell [2] again, then this one."
    expect(doubts).to_have_text(f"△ {reason}")
    side.get_by_role("button", name="second", exact=True).click()
    shown = page.page.locator(".tracknb-document")
    expect(shown.locator(".tnb-pagehead .tnb-chip")).to_have_text("△ stale name")
    expect(shown.locator(".tnb-doubts")).to_have_text(reason)

    # The remedy helps.
    page.page.get_by_role("tab", name="stale.ipynb").click()
    page.run_cell(1)
    page.wait_until_done(1)
    expect(train(page, 3)).to_be_empty()
    client = tracknb.MlflowClient(f"sqlite:///{folder}/tracknb.db")
    experiment = client.get_experiment_by_name("taxi").experiment_id
    runs = client.search_runs([experiment], order_by=["start_time ASC"])
    close_stores()
    assert [run.data.tags["tracknb.grade"] for run in runs] == ["clean", "stale name", "clean"]
    assert is_clean(page)


def test_cells_that_were_moved_and_deleted_are_told_of(page, folder):
    cells = [LOAD, "base = 2", "lr = base / 10", TRAIN.format(name="moved"), TRAIN.format(name="deleted")]
    opened(page, write(page, folder, "moved.ipynb", cells))
    for cell in (0, 1, 2):
        page.run_cell(cell)
        page.wait_until_done(cell)
    notebook = "jupyterapp.shell.currentWidget.content.model.sharedModel"
    page.page.evaluate(f"{notebook}.moveCell(2, 1)")
    page.page.wait_for_timeout(700)
    expect(train(page, 3)).to_have_text(
        "△ the cell [2] ran before the cell [3], which stands above it. "
        "Move the cell [2] above the cell [3], or run the notebook from top to bottom."
    )

    page.page.evaluate(f"{notebook}.deleteCell(1)")
    page.page.wait_for_timeout(700)
    expect(train(page, 3)).to_have_text(
        "△ lr came from the cell [3], which is no longer in the notebook. "
        "Put its code back (%track code shows it), then run this cell again."
    )
    assert is_clean(page)


def test_what_is_edited_while_a_cell_runs_does_not_count_for_it(page, folder):
    cells = [LOAD, "lr = 0.1", TRAIN.format(name="long") + "\ntime.sleep(4)"]
    opened(page, write(page, folder, "long.ipynb", cells))
    for cell in (0, 1):
        page.run_cell(cell)
        page.wait_until_done(cell)
    page.run_cell(2)
    edit(page, 1, "lr = 0.2")
    assert page.is_busy(2)
    page.wait_until_done(2)
    expect(page.output(2).locator(".tnb-doubts")).to_be_empty()
    page.page.wait_for_timeout(700)
    expect(train(page, 2)).to_contain_text("lr came from an older version of the cell [2]")
    assert is_clean(page)


def test_the_page_of_a_run_opens_its_notebook(page, folder):
    name = write(page, folder, "closed.ipynb", [LOAD, QUICK])
    side = opened(page, name)
    for cell in range(2):
        page.run_cell(cell)
        page.wait_until_done(cell)
    side.get_by_role("button", name="quick", exact=True).click()
    tab = page.page.locator(".tracknb-document")
    tab.locator(".tnb-pagehead").wait_for()
    page.save()
    page.page.evaluate("[...jupyterapp.shell.widgets('main')].find(item => 'context' in item).dispose()")
    tab.get_by_role("button", name="executed as [2]").click()
    expect(page.page.locator(".jp-Cell.tracknb-here")).to_contain_text("--name quick", timeout=15_000)
    assert is_clean(page)


def test_what_cannot_be_done_is_said(page, folder):
    make_runs(folder, 1, source=folder / "away.ipynb", cell="one")
    side = opened(page, write(page, folder, "away.ipynb", ["1"]), kernel=False)
    side.locator(".tnb-sidename").wait_for()
    page.page.route("**/tracknb/ask?*", lambda route: route.abort())
    side.get_by_role("button", name="Go to the cell of run-0").click()
    page.page.get_by_text("The Jupyter server does not answer.").wait_for()
    assert page.errors == []


def test_the_settings_switch_the_status_item_and_the_lines_off_and_on(page, folder):
    name = write(page, folder, "settings.ipynb", [LOAD, SLOW])
    opened(page, name)
    for cell in range(2):
        page.run_cell(cell)
    status, mark = page.page.locator(".tracknb-status button"), page.page.locator(".tracknb-cellmark")
    expect(status).to_contain_text("slow", timeout=20_000)
    expect(mark).to_have_count(1)
    page.command("settingeditor:open", query="tracknb")
    boxes = page.page.locator(".jp-SettingsEditor, .jp-SettingsPanel").get_by_role("checkbox")
    expect(boxes).to_have_count(2)
    for is_on in (False, True):
        for box in boxes.all():
            box.set_checked(is_on)
        expect(status).to_have_count(int(is_on), timeout=10_000)
    assert mark.count() == 0
    # What nobody sees asks for nothing; brought to the front, the notebook has its lines again.
    page.command("docmanager:open", path=name)
    expect(mark).to_have_count(1, timeout=10_000)
    assert is_clean(page)


def test_two_kernels_write_and_one_panel_shows_both(page, folder):
    first, second = (write(page, folder, name, [LOAD, SLOW]) for name in ("one.ipynb", "two.ipynb"))
    side = opened(page, first)
    page.run_cell(0)
    page.wait_until_done(0)
    page.run_cell(1)
    expect(side.locator(".tnb-sidename")).to_have_count(1, timeout=15_000)
    page.command("docmanager:open", path=second)
    page.page.locator(".jp-NotebookPanel:visible .jp-Cell").first.wait_for()
    page.wait_for_kernel()
    side.get_by_text("This notebook has no runs yet").wait_for(timeout=10_000)
    page.command("notebook:run-all-cells")
    expect(side.locator(".tnb-sidename")).to_have_count(1, timeout=20_000)
    side.get_by_role("button", name="All", exact=True).click()
    expect(side.locator(".tnb-sidename")).to_have_count(2)
    expect(page.page.locator(".tracknb-status button")).to_contain_text("and 1 more", timeout=10_000)
    assert is_clean(page)


def test_a_cell_becomes_a_tracked_one(page, folder):
    page.open(write(page, folder, "My best.ipynb", ["import tracknb\ntracknb.log_metric('a', 1)"]))
    page.wait_for_kernel()
    page.cell(0).locator(".cm-content").click()
    page.command("tracknb:track-cell")
    expect(page.cell(0)).to_contain_text('%%track_run --experiment "My best"')
    page.command("tracknb:track-cell")
    page.page.get_by_text("This cell is tracked already.").wait_for()
    assert is_clean(page)


def test_names_from_a_stranger_are_text(page, folder):
    client = tracknb.MlflowClient(f"sqlite:///{folder}/tracknb.db")
    attack = "<img src=x onerror=\"document.title='owned'\">"
    experiment = client.create_experiment(attack)
    client.create_experiment("another")
    run = client.create_run(
        experiment,
        run_name=attack,
        tags={"mlflow.source.name": str(folder / "strange.ipynb"), "tracknb.source.cell_id": "'\"><b>"},
    )
    client.log_metric(run.info.run_id, "rmse", float("nan"))
    client.set_terminated(run.info.run_id)
    close_stores()
    side = opened(page, write(page, folder, "strange.ipynb", ["1"]), kernel=False)
    expect(side.locator(".tnb-sidename")).to_have_text([attack])
    side.locator(".tnb-sidename").click()
    page.page.locator(".tracknb-document .tnb-pagehead").wait_for()
    assert page.page.locator(".tracknb-document img, #tracknb-runs img, #tracknb-runs b").count() == 0
    assert "owned" not in page.page.title()
    assert is_clean(page)


@pytest.mark.skipif(not AXE.exists() and not os.environ.get("CI"), reason="axe-core is not installed")
def test_axe_finds_nothing_serious_in_either_theme(page, folder):
    make_runs(folder, source=folder / "axe.ipynb")
    make_runs(folder, 1, experiment="bikes")
    side = opened(page, write(page, folder, "axe.ipynb", ["1"]), kernel=False)
    side.get_by_role("button", name="All", exact=True).click()
    expect(side.locator(".tnb-sidename")).to_have_count(4)
    side.get_by_role("checkbox", name="Select run-1").check()
    page.page.evaluate(AXE.read_text())
    for theme in ("light", "dark"):
        page.show(theme)
        found = page.page.locator("#tracknb-runs .tracknb-view").evaluate(RUN_AXE)
        assert [item for item in found if item["impact"] in ("serious", "critical")] == [], theme


def test_without_our_part_of_the_server(browser, tmp_path_factory):
    """The panel says what to do; outputs are drawn as ever."""
    home = tmp_path_factory.mktemp("no-server-part")
    (home / "config").mkdir()
    switched_off = {"ServerApp": {"jpserver_extensions": {"tracknb.jupyter": False}}}
    (home / "config" / "jupyter_server_config.json").write_text(json.dumps(switched_off))
    with jupyter(home) as lab:
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        page = LabPage(context.new_page(), lab)
        page.open(lab.write("plain.ipynb", [LOAD, QUICK]))
        page.wait_for_kernel()
        page.command("tracknb:show-runs")
        page.page.locator("#tracknb-runs").get_by_text("Restart it, and this list shows your runs").wait_for()
        for cell in range(2):
            page.run_cell(cell)
            page.wait_until_done(cell)
        page.output(1).locator(".tracknb-view").first.wait_for()
        assert (page.errors, page.complaints) == ([], [])
        context.close()


def test_with_the_extension_switched_off(browser, tmp_path_factory):
    """Everything works without it: the widget draws while the cell runs, HTML stays."""
    home = tmp_path_factory.mktemp("no-extension")
    labconfig = home / "config" / "labconfig"
    labconfig.mkdir(parents=True)
    (labconfig / "page_config.json").write_text(json.dumps({"disabledExtensions": {"tracknb": True}}))
    with jupyter(home) as lab:
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        page = LabPage(context.new_page(), lab)
        page.open(lab.write("plain.ipynb", [LOAD, QUICK, SLOW.replace("600", "60"), "%track runs"]))
        page.wait_for_kernel()
        assert not page.page.evaluate("jupyterapp.commands.hasCommand('tracknb:show-runs')")
        for cell in range(4):
            page.run_cell(cell)
            page.wait_until_done(cell)
        assert "quick" in page.output(1).inner_text()
        assert "slow" in page.output(3).locator("table").inner_text()
        assert page.errors == []
        context.close()
