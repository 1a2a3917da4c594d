"""The run table in a real JupyterLab: filters, folds, marks, downloads, and many runs."""

from __future__ import annotations

import csv
import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

LOAD = "%load_ext tracknb\nimport tracknb"
FIVE = """for name, loss, tag, data, status in [
    ("a", 0.05, "mnist", "v1", "FINISHED"), ("b", 0.2, "boston", "v1", "FAILED"), ("c", 0.3, "mnist", "v2", "KILLED"),
    ("d", 0.04, "boston", "v2", "FINISHED"), ("e", None, "other", "v2", "FINISHED"),
]:
    run = tracknb.start_run(run_name=name, tags={"data": tag, "mlflow.backstage.evaluation_set": data})
    tracknb.log_param("model", "=1+1")
    if loss is not None:
        tracknb.log_metrics({"loss": loss, "accuracy": 1 - loss})
    tracknb.end_run(status)
"""
PLOTTED = """for number in range(30):
    model = ["forest", "ridge"][number % 2]
    with tracknb.start_run(run_name=f"{model}-{number}"):
        tracknb.log_params({"lr": number / 100, "model": model})
        tracknb.log_metric("rmse", 5 - number / 10)
"""
SWEEP = """for model in ["ridge", "forest", "boost"]:
    with tracknb.start_run(run_name=model):
        for number in range(4):
            with tracknb.start_run(run_name=f"{model}-{number}", nested=True, tags={"part": str(number)}):
                tracknb.log_metric("loss", len(model) + number)
"""
MANY = """tracknb.set_experiment("many")
client = tracknb.MlflowClient()
place = tracknb.get_experiment_by_name("many").experiment_id
import sqlite3
first = client.create_run(place, run_name="first").info.run_id
client.log_metric(first, "loss", 0.5)
client.flush()
client.set_terminated(first)
with sqlite3.connect(tracknb.get_tracking_uri().removeprefix("sqlite:///")) as db:
    keys = [key for key, in db.execute("SELECT id FROM metric_keys WHERE name = 'loss'")]
    start = db.execute("SELECT max(id) FROM runs").fetchone()[0]
    for n in range(1, 10_000):
        at = n * 1000
        values = (start + n, f"{n:032x}", int(place), f"run-{n}", "ada", "FINISHED", at, at + 500, "active", "x")
        db.execute("INSERT INTO runs(id,run_id,experiment,name,user_id,status,start_time,end_time,lifecycle_stage,"
                   "artifact_uri) VALUES (?,?,?,?,?,?,?,?,?,?)", values)
        db.execute('INSERT INTO latest_metrics(run,"key",value,timestamp,step,count) VALUES (?,?,?,1,0,1)',
                   (start + n, keys[0], (n * 7919 % 10_007) / 10_007))
        db.execute("INSERT INTO params(run,\\"key\\",value) VALUES (?,?,?)", (start + n, "lr", str(n % 10)))
"""


def new_store(name):
    return f"{LOAD}\ntracknb.set_tracking_uri('{name}.db')\ntracknb.set_experiment('digits')"


@pytest.fixture
def table_of(lab, lab_page, request):
    """Run cells and return the last one's output."""

    def opened(name, *cells):
        # A test that is done again needs a store of its own.
        name = f"{name}-{getattr(request.node, 'execution_count', 1)}"
        lab_page.open(lab.write(f"{name}.ipynb", [new_store(name), *cells, "%track runs"]))
        lab_page.run_all()
        lab_page.wait_until_done(len(cells) + 1, 180)
        output = lab_page.output(len(cells) + 1)
        output.locator(".tnb-grid").wait_for(timeout=20_000)
        return output

    yield opened
    assert lab_page.errors == []
    assert lab_page.foreign == []


def shown(table):
    return table.locator("[role=status]").first.inner_text()


def names(table):
    return table.locator(".tnb-row .tnb-link").all_inner_texts()


def heads(table):
    return [re.sub(" [↑↓]$", "", item.inner_text()) for item in table.locator(".tnb-head button").all()]


def test_columns_stand_in_their_order_and_what_is_missing_is_empty(table_of):
    table = table_of("order", FIVE)

    assert heads(table)[:6] == ["Status", "Run name", "Start time", "Duration", "Evaluation Sets", "Tags"]
    table.locator(".tnb-grid").evaluate("grid => grid.scrollLeft = 9999")
    table.locator(".tnb-head button", has_text="accuracy").wait_for()
    assert heads(table)[-3:] == ["accuracy", "loss", "model"]
    row = table.locator(".tnb-row", has=table.page.get_by_role("button", name="e", exact=True))
    assert [cell.inner_text() for cell in row.locator(".tnb-cell").all()][-3:] == ["", "", "=1+1"]
    marks = {mark.get_attribute("data-status") for mark in table.locator(".tnb-mark").all()}
    assert marks == {"FINISHED", "FAILED", "KILLED"}
    # The least loss and the highest accuracy are the same run's.
    assert [item.inner_text() for item in table.locator(".tnb-best").all()] == ["0.96", "0.04"]


def test_a_query_chooses_runs_and_a_bad_one_keeps_the_table(table_of):
    table = table_of("query", FIVE)
    box = table.locator("input.tnb-query")

    box.fill("metrics.loss < .1")
    table.get_by_role("button", name="Search", exact=True).click()
    assert names(table) == ["d", "a"]
    assert shown(table) == "2 of 5 runs"

    box.fill("metrics.loss < four")
    table.get_by_role("button", name="Search", exact=True).click()
    assert "needs a number after '<'" in table.locator(".tnb-queryerror").inner_text()
    assert "~~~~" in table.locator(".tnb-queryerror").inner_text()
    assert names(table) == ["d", "a"]

    table.get_by_role("button", name="Clear Search").click()
    assert shown(table) == "5 runs"


def test_chips_of_one_kind_mean_any_and_of_two_kinds_both(table_of):
    table = table_of("chips", FIVE)
    bar = table.locator(".tnb-tablechips")
    clear = table.get_by_role("button", name="Clear All Filters")
    assert clear.is_disabled()

    def press(*wanted):
        for name in wanted:
            bar.get_by_role("button", name=name).click()

    for tag, data, expected in [
        ("mnist", "v1", ["a"]),
        ("mnist", "v2", ["c"]),
        ("boston", "v1", ["b"]),
        ("boston", "v2", ["d"]),
    ]:
        press(tag, data)
        assert names(table) == expected
        assert clear.is_enabled()
        press(tag, data)
    press("mnist", "boston")
    assert names(table) == ["d", "c", "b", "a"]
    assert bar.get_by_role("button", name="mnist").get_attribute("aria-pressed") == "true"
    clear.click()
    assert shown(table) == "5 runs"
    assert clear.is_disabled()


def test_a_sweep_is_folded_to_its_parents(table_of):
    table = table_of("sweep", SWEEP)

    assert names(table) == ["boost", "forest", "ridge"]
    assert shown(table) == "15 runs, 12 folded"
    # Parents show the best of their children.
    assert [item.inner_text() for item in table.locator(".tnb-inherited").all()] == ["5", "6", "5"]

    table.get_by_role("button", name="Unfold all").click()
    assert names(table)[:6] == ["boost", "boost-3", "boost-2", "boost-1", "boost-0", "forest"]
    assert table.locator(".tnb-row[aria-level='2']").count() == 12
    table.get_by_role("button", name="Fold all").click()
    table.get_by_role("button", name="Unfold 4 runs").nth(1).click()
    assert names(table)[1:3] == ["forest", "forest-3"]
    table.get_by_role("button", name="Fold 4 runs", exact=True).click()

    table.get_by_label("Filter runs by text").fill("ridge-2")
    expect(table.locator(".tnb-row .tnb-link")).to_have_text(["ridge", "ridge-2"])
    assert shown(table) == "1 of 15 runs"


def test_attempts_of_a_cell_are_folded_to_the_newest(table_of):
    cell = "%%track_run --experiment digits --name again\ntracknb.log_metric('loss', 1.0)"
    table = table_of("attempts", cell)
    page = table.page
    assert names(table) == ["again"]
    # The same cell twice more, then the table anew.
    for number, times in ((1, 2), (2, 1)):
        for _ in range(times):
            page.locator(".jp-Notebook .jp-Cell").nth(number).locator(".cm-content").first.click()
            page.keyboard.press("Control+Enter")
            page.wait_for_timeout(2_500)

    table = page.locator(".jp-Notebook .jp-Cell").nth(2).locator(".jp-Cell-outputArea")
    table.get_by_role("treegrid").wait_for(timeout=10_000)
    assert names(table) == ["again"]
    assert shown(table) == "3 runs, 2 folded"
    assert "#3" in table.locator(".tnb-row").first.inner_text()


def test_a_pinned_run_stays_first_under_any_sort(table_of, lab_page):
    table = table_of("pins", FIVE, "import os")
    # The question that keeps a mark is another page's; here its answer is enough.
    row = table.locator(".tnb-row", has=table.page.get_by_role("button", name="b", exact=True))
    colour = row.locator(".tnb-swatch").evaluate("item => item.style.background")
    row.hover()
    row.get_by_role("button", name="Keep this run on top").click()
    lab_page.page.wait_for_timeout(800)
    if table.locator(".tnb-warning[role=alert]").inner_text():
        pytest.skip("this build cannot change runs")

    for head in ("Run name", "Run name", "Start time", "Duration"):
        table.locator(".tnb-head button", has_text=head).click()
        assert names(table)[0] == "b"
    first = table.locator(".tnb-row").first
    assert first.locator(".tnb-swatch").evaluate("item => item.style.background") == colour


def test_csv_holds_the_rows_and_columns_shown(table_of, tmp_path):
    table = table_of("csv", FIVE)
    table.get_by_role("button", name="Columns").click()
    table.get_by_label("Find a column").fill("dur")
    table.locator(".tnb-pick", has_text="Duration").get_by_role("checkbox").uncheck()
    table.locator(".tnb-tablechips").get_by_role("button", name="mnist").click()
    with table.page.expect_download() as given:
        table.get_by_role("button", name="Download CSV").click()
    given.value.save_as(tmp_path / "runs.csv")

    [head, *rows] = csv.reader((tmp_path / "runs.csv").read_text("utf-8-sig").splitlines())
    assert head == [
        "Run ID",
        "Status",
        "Run name",
        "Start time",
        "Evaluation Sets",
        "Tags",
        "accuracy",
        "loss",
        "model",
    ]
    assert [(row[2], row[7], row[8]) for row in rows] == [("c", "0.3", "'=1+1"), ("a", "0.05", "'=1+1")]


def test_ten_thousand_runs_are_all_there_and_answer(table_of):
    table = table_of("many", MANY)
    table.page.wait_for_function(
        "() => [...document.querySelectorAll('[role=status]')].some(item => item.textContent === '10,000 runs')",
        timeout=60_000,
    )

    for _ in range(2):
        table.locator('[data-column="run:name"]').click()
    table.locator("input[type=search]").first.fill("run-77")
    table.get_by_role("button", name="Plot", exact=True).click()
    table.get_by_text("111 runs in the table").wait_for(timeout=5_000)
    table.get_by_role("button", name="Plot", exact=True).click()
    assert shown(table) == "111 of 10,000 runs"
    assert names(table)[0] == "run-7799"
    assert table.locator(".tnb-grid *").count() < 600
    table.locator("input.tnb-query").fill("params.lr = '3' and metrics.loss < 0.5")
    table.get_by_role("button", name="Search", exact=True).click()
    expect(table.locator("[role=status]").first).to_have_text(re.compile(r"^\d+ of 10,000 runs$"))
    assert shown(table) != "111 of 10,000 runs"


def test_plot_draws_what_the_filters_leave_and_opens_a_run(table_of):
    """By keys alone: Plot, the tab of the scatter plot, a point of it."""
    table = table_of("plot", PLOTTED)
    table.get_by_role("button", name="Plot", exact=True).press("Enter")
    plot = table.get_by_role("region", name="Plot of the runs")
    assert plot.locator(".tnb-axisname").all_inner_texts() == ["lr", "model", "rmse"]
    assert "30 runs in the table" in plot.inner_text()

    table.get_by_role("searchbox", name="Filter runs by text").fill("forest")
    plot.get_by_text("15 runs in the table").wait_for(timeout=5_000)
    plot.get_by_role("tab", name="Parallel coordinates").press("ArrowRight")
    plane = plot.locator(".tnb-scatter")
    plane.press("ArrowRight")
    assert "forest" in plane.locator(".tnb-tip").inner_text()
    plane.press("Enter")
    table.get_by_role("button", name="Back").wait_for(timeout=10_000)


def test_chips_of_a_cell_are_cut_short_and_not_cut_off(table_of):
    train = "with tracknb.start_run(run_name='many', tags={f'tag {n}': 'some value' for n in range(6)}):\n    pass"
    cell = table_of("chips", train).locator(".tnb-row .tnb-cell", has_text="tag 0").first

    inner = cell.bounding_box()
    for chip in cell.locator(".tnb-chip").all():
        box = chip.bounding_box()
        assert box["x"] + box["width"] <= inner["x"] + inner["width"]
    assert re.search(r"\+\d$", cell.inner_text())
