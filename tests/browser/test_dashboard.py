"""The dashboard and the catalogue, as a person walks through them in a real JupyterLab."""

from __future__ import annotations

import re
import sqlite3

import pytest

import tracknb
from tests.browser.conftest import LabPage
from tests.browser.test_lab import LOAD
from tracknb.client import close_stores

pytestmark = pytest.mark.browser

EXPERIMENTS = """
client = tracknb.MlflowClient()
for name, tags in {
    "nyc-taxi": {"owner": "ada", "lifecycle": "experimental", "tags": "machine-learning,regression",
                 "description": "Trip times"},
    "mnist": {"owner": "guest", "lifecycle": "production", "tags": "machine-learning", "team": "vision"},
    "boston": {"owner": "guest", "tags": "regression"},
}.items():
    experiment = client.create_experiment(name, tags=tags)
    for number in range(4):
        run = client.create_run(experiment, run_name=f"{name}-{number}", tags={"data": ["v1", "v2"][number % 2]})
        client.log_metric(run.info.run_id, "rmse", 5.0 - number)
        client.set_terminated(run.info.run_id)
"""


@pytest.fixture
def other_page(browser, lab):
    """A second browser that knows nothing of the first."""
    context = browser.new_context(viewport={"width": 1400, "height": 1100})
    yield LabPage(context.new_page(), lab)
    context.close()


def opened(name):
    return f"{LOAD}\ntracknb.set_tracking_uri('{name}.db')"


def rows(output):
    return output.locator("table.tnb-list tbody tr").all_inner_texts()


def names(output):
    return output.locator("table.tnb-list .tnb-name").all_inner_texts()


def head(output):
    return output.locator(".tnb-catalogue [role=status]").inner_text()


def star_rows(path):
    with sqlite3.connect(path) as connection:
        return connection.execute(
            "SELECT name, value FROM experiment_tags JOIN experiments ON id = experiment "
            "WHERE key LIKE 'tracknb.star.%'"
        ).fetchall()


def test_stars_filters_and_edits_of_the_catalogue_are_kept_in_the_store(lab, lab_page, other_page):
    cells = [opened("stars") + EXPERIMENTS, "%track experiments"]
    lab_page.open(lab.write("stars.ipynb", cells))
    lab_page.run_all()
    output = lab_page.output(1)
    output.locator("table.tnb-list").wait_for(timeout=40_000)

    assert head(output) == "All (3)"
    assert names(output) == ["boston", "mnist", "nyc-taxi"]
    assert [text.split("\t")[:4] for text in rows(output)] == [
        ["boston", "guest", "", ""],
        ["mnist", "guest", "production", ""],
        ["nyc-taxi", "ada", "experimental", "Trip times"],
    ]

    output.get_by_role("button", name="Star nyc-taxi").click()
    output.get_by_role("button", name="Starred 1").click()
    assert (head(output), names(output)) == ("Starred (1)", ["nyc-taxi"])
    assert star_rows(lab.folder / "stars.db") == [("nyc-taxi", "true")]

    output.get_by_role("button", name="Edit nyc-taxi").click()
    output.get_by_label("Owner", exact=True).fill("eve")
    output.get_by_label("Description", exact=True).fill("=Trip <b>times</b>")
    output.get_by_role("button", name="Save").click()
    output.get_by_role("cell", name="eve").wait_for()
    assert rows(output)[0].split("\t")[1:4] == ["eve", "experimental", "=Trip <b>times</b>"]

    output.get_by_role("button", name="All 3").click()
    output.get_by_role("checkbox", name="machine-learning").check()
    assert (head(output), names(output)) == ("All (2)", ["mnist", "nyc-taxi"])
    output.get_by_role("checkbox", name="guest").check()
    assert names(output) == ["mnist"]
    output.get_by_role("button", name="Clear").click()
    assert len(names(output)) == 3
    output.get_by_role("checkbox", name="vision").check()
    assert names(output) == ["mnist"]
    output.get_by_role("button", name="Clear").click()
    output.get_by_role("searchbox", name="Filter experiments by text").fill("trip TAXI")
    assert names(output) == ["nyc-taxi"]
    assert lab_page.errors == []
    assert lab_page.foreign == []

    # Another kernel, another browser: what was starred and written is in the store.
    lab_page = other_page
    lab_page.open(lab.write("stars-again.ipynb", [opened("stars"), "%track experiments"]))
    lab_page.run_all()
    output = lab_page.output(1)
    output.get_by_role("button", name="Starred 1").click(timeout=40_000)
    assert names(output) == ["nyc-taxi"]
    star = output.get_by_role("button", name="Star nyc-taxi")
    assert star.get_attribute("aria-pressed") == "true"
    star.click()
    output.get_by_role("button", name="Starred 0").wait_for()
    assert star_rows(lab.folder / "stars.db") == []


def test_the_tabs_of_the_dashboard_and_of_an_experiment_need_no_cell(lab, lab_page):
    lab_page.open(lab.write("tabs.ipynb", [opened("tabs") + EXPERIMENTS, "%track"]))
    lab_page.run_all()
    lab_page.wait_until_done(1)
    output = lab_page.output(1)
    output.get_by_role("grid").wait_for(timeout=40_000)
    dashboard = output.get_by_role("tablist", name="Dashboard")

    assert dashboard.get_by_role("tab", selected=True).inner_text() == "Runs"
    assert "boston-3" in output.get_by_role("grid").inner_text()
    dashboard.get_by_role("tab", name="Runs").press("ArrowRight")
    assert dashboard.get_by_role("tab", selected=True).inner_text() == "Trend"
    output.locator(".uplot").wait_for()
    output.get_by_role("tabpanel", name="Trend").get_by_label("Experiment", exact=True).select_option("mnist")
    dashboard.get_by_role("tab", name="Runs").click()
    output.get_by_text("mnist-3").first.wait_for()

    dashboard.get_by_role("tab", name="Experiments").click()
    output.get_by_role("button", name="nyc-taxi", exact=True).click()
    page = output.get_by_role("tablist", name="Experiment nyc-taxi")
    page.wait_for()
    with sqlite3.connect(lab.folder / "tabs.db") as connection:
        [(count,)] = connection.execute(
            "SELECT count(*) FROM runs JOIN experiments e ON e.id = experiment WHERE e.name = 'nyc-taxi'"
        ).fetchall()
    facts = output.get_by_role("tabpanel", name="Overview").inner_text()
    assert re.search(rf"Number of runs\s+{count}\s", facts)
    assert "Trip times" in facts
    page.get_by_role("tab", name="Latest Runs").click()
    assert "nyc-taxi-3" in output.get_by_role("tabpanel", name="Latest Runs").inner_text()
    page.get_by_role("tab", name="Metric Trends").click()
    assert output.get_by_role("tabpanel", name="Metric Trends").locator(".uplot").is_visible()
    output.get_by_role("button", name="Back").click()
    assert dashboard.get_by_role("tab", selected=True).inner_text() == "Experiments"
    assert lab_page.errors == []
    assert lab_page.foreign == []


def test_a_copied_view_opens_the_same_again(lab, lab_page, other_page):
    lab_page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    lab_page.open(lab.write("copy.ipynb", [opened("copy") + EXPERIMENTS, "%track --view experiments"]))
    lab_page.run_all()
    output = lab_page.output(1)
    output.get_by_role("checkbox", name="machine-learning").check(timeout=40_000)
    output.get_by_role("button", name="Name", exact=True).click()
    output.get_by_role("button", name="Copy view").click()
    output.get_by_role("button", name="Copied").wait_for()
    line = lab_page.page.evaluate("navigator.clipboard.readText()")

    assert line == "%track --view 'experiments?tags=machine-learning&sort=name'"

    lab_page = other_page
    lab_page.open(lab.write("copy-again.ipynb", [opened("copy"), line, "%track --view 'runs?e=nyc-taxi&wings=1'"]))
    lab_page.run_all()
    output = lab_page.output(1)
    output.locator("table.tnb-list").wait_for(timeout=40_000)
    assert output.get_by_role("checkbox", name="machine-learning").is_checked()
    assert names(output) == ["mnist", "nyc-taxi"]
    output = lab_page.output(2)
    output.get_by_role("grid").wait_for()
    assert "nyc-taxi-3" in output.inner_text()
    assert "Not known to this tracknb and passed over: 'wings'." in output.inner_text()
    assert lab_page.errors == []


def test_a_saved_page_works_offline_and_loads_nothing(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKNB_TRACKING_URI", f"sqlite:///{tmp_path}/runs.db")
    exec(EXPERIMENTS, {"tracknb": tracknb})
    page_file = tracknb.save_html(tmp_path / "runs.html")
    close_stores()
    context = browser.new_context(offline=True)
    page = context.new_page()
    requests, problems = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text))
    page.goto(page_file.as_uri())
    page.get_by_role("grid").wait_for()

    page.locator(".tnb-chips").first.get_by_role("button", name=re.compile("v1")).click()
    assert "2 of 4 runs" in page.inner_text("body")
    page.get_by_role("tab", name="Trend").click()
    page.locator(".uplot").wait_for()
    page.get_by_role("tabpanel", name="Trend").get_by_label("Experiment", exact=True).select_option("nyc-taxi")
    page.get_by_role("tab", name="Runs").click()
    assert "nyc-taxi-3" in page.get_by_role("grid").inner_text()
    page.get_by_role("tab", name="Experiments").click()
    page.get_by_role("checkbox", name="machine-learning").check()
    assert names(page) == ["mnist", "nyc-taxi"]
    assert page.get_by_role("button", name=re.compile("Edit|Star ")).count() == 0
    assert problems == []
    assert requests == [page_file.as_uri()]
    text = page_file.read_text(encoding="utf-8")
    assert re.findall(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", text) == []
    assert set(re.findall(r"https?://[^\s\"'`<>)\\]+", text)) <= {"http://www.w3.org/2000/svg"}
    context.close()

    bare = browser.new_context(java_script_enabled=False)
    page = bare.new_page()
    page.goto(page_file.as_uri())
    assert page.get_by_role("cell", name="boston-3").is_visible()
    bare.close()
