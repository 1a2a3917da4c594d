"""The product as a person meets it: a real JupyterLab in a real browser."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import nbformat
import pytest

pytestmark = pytest.mark.browser

LOAD = "%load_ext tracknb\nimport time, tracknb"
TRAIN = """%%track_run --experiment nyc-taxi --name curve --tag stage=candidate --eval-set v1
for epoch in tracknb.track(range(30), label="epoch"):
    losses = {"train_loss": 1 / (1 + epoch), "val_loss": 1.2 / (1 + epoch)}
    tracknb.log_metrics({**losses, "rmse": 9 / (3 + epoch)}, step=epoch)
    time.sleep(0.15)
"""
FIVE = """for name, loss, tag, data in [
    ("a", 0.05, "mnist", "v1"), ("b", 0.2, "boston", "v1"), ("c", 0.3, "mnist", "v2"), ("d", 0.4, "boston", "v2")
]:
    with tracknb.start_run(run_name=name, tags={"data": tag, "mlflow.backstage.evaluation_set": data}):
        tracknb.log_metric("loss", loss)
"""
HOSTILE = "<img src=x onerror=alert(1)>"


def new_store(name):
    return f"{LOAD}\ntracknb.set_tracking_uri('{name}.db')\ntracknb.set_experiment('digits')"


def done_epochs(output):
    text = output.locator(".tnb-line").first.inner_text(timeout=20_000)
    found = re.search(r"(\d+) (?:of|/) 30", text)
    return int(found.group(1)) if found else -1


def test_the_panel_grows_while_the_cell_runs(lab, lab_page):
    lab_page.open(lab.write("grow.ipynb", [new_store("grow"), TRAIN, "%track runs nyc-taxi", "%track trend nyc-taxi"]))
    lab_page.run_all()
    output = lab_page.output(1)
    output.locator(".tnb-chart").first.wait_for(timeout=40_000)

    early, height = done_epochs(output), output.locator(".tracknb-view").bounding_box()["height"]
    assert lab_page.is_busy(1)
    lab_page.page.wait_for_timeout(1_500)
    late = done_epochs(output)
    assert lab_page.is_busy(1)
    assert late > early >= 0
    assert output.locator(".tracknb-view").bounding_box()["height"] == pytest.approx(height, abs=2)

    lab_page.wait_until_done(3)
    output = lab_page.output(1)
    assert "FINISHED" in output.inner_text() or "finished" in output.inner_html().lower()
    assert output.locator(".tnb-chart").count() == 2
    assert lab_page.output(2).get_by_role("grid").is_visible()
    assert lab_page.output(3).locator(".uplot").is_visible()
    assert lab_page.foreign == []
    assert lab_page.errors == []


def test_chips_filter_while_the_kernel_is_busy(lab, lab_page):
    lab_page.open(lab.write("busy.ipynb", [new_store("busy") + "\n" + FIVE, "%track runs", "time.sleep(20)"]))
    lab_page.run_all()
    table = lab_page.output(1)
    table.get_by_role("grid").wait_for(timeout=40_000)
    lab_page.page.wait_for_timeout(500)
    clear = table.get_by_role("button", name="Clear All Filters")
    bar = table.locator(".tnb-chips").first

    def shown():
        return table.locator("[role=status]").first.inner_text()

    def click(name):
        begin = time.monotonic()
        bar.get_by_role("button", name=re.compile(name)).click()
        return time.monotonic() - begin

    assert lab_page.is_busy(2)
    assert clear.is_disabled()
    click("mnist")
    assert shown() == "2 of 4 runs"
    assert clear.is_enabled()
    click("boston")
    assert shown() == "4 runs"
    click("boston")
    click("v1")
    assert shown() == "1 of 4 runs"
    clear.click()
    assert shown() == "4 runs"
    assert clear.is_disabled()
    assert lab_page.is_busy(2)
    assert lab_page.foreign == []


def test_ticked_rows_are_read_back_in_python(lab, lab_page):
    cells = [
        new_store("ticks") + "\n" + FIVE,
        "view = tracknb.runs_table()\nview",
        "print(sorted(view.selected['metrics.loss']))",
    ]
    lab_page.open(lab.write("ticks.ipynb", cells))
    lab_page.wait_for_kernel()
    lab_page.run_cell(0)
    lab_page.wait_until_done(0)
    lab_page.run_cell(1)
    lab_page.wait_until_done(1)
    boxes = lab_page.output(1).get_by_role("checkbox", name="Select run")
    boxes.nth(0).click()
    boxes.nth(3).click()
    lab_page.page.wait_for_timeout(500)
    lab_page.run_cell(2)
    lab_page.wait_until_done(2)

    assert lab_page.output(2).inner_text().strip() == "[0.05, 0.4]"


def test_hostile_names_stay_text(lab, lab_page):
    cells = [
        new_store("hostile"),
        f"with tracknb.start_run(run_name={HOSTILE!r}, tags={{'t': {HOSTILE!r}}}):\n"
        f"    tracknb.log_param('p', {HOSTILE!r})\n    tracknb.log_metric('a', 1)",
        "%track runs",
        "%track trend",
    ]
    lab_page.open(lab.write("hostile.ipynb", cells))
    lab_page.run_all()
    lab_page.wait_until_done(3)
    lab_page.page.wait_for_timeout(500)

    assert HOSTILE in lab_page.output(2).inner_text()
    assert lab_page.page.locator(".jp-Cell-outputArea img[onerror]").count() == 0
    assert lab_page.errors == []


@pytest.fixture(scope="module")
def saved(lab):
    """A notebook executed without a browser, of which only the file is left."""
    name = lab.write(
        "saved.ipynb",
        [new_store("saved"), TRAIN.replace("0.15", "0.01"), FIVE, "%track runs digits", "%track trend digits"],
    )
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", name]
    subprocess.run(command, cwd=lab.folder, check=True, capture_output=True)
    notebook = lab.read(name)
    # No kernel of this name exists, and nobody signed the file: it opens untrusted, with no kernel.
    notebook.metadata.kernelspec = {"name": "gone", "display_name": "Gone", "language": "gone"}
    notebook.metadata.language_info = {"name": "gone"}
    nbformat.write(notebook, lab.folder / name)
    return name


def test_a_run_opens_from_the_table_while_a_cell_runs(lab, lab_page):
    """The page asks over a subshell, so the kernel answers beside the running cell."""
    busy = "end = time.time() + 12\nwhile time.time() < end:\n    pass"
    lab_page.open(lab.write("ask.ipynb", [new_store("ask") + "\n" + FIVE, "table = tracknb.runs_table()\ntable", busy]))
    lab_page.run_all()
    table = lab_page.output(1)
    table.get_by_role("grid").wait_for(timeout=40_000)
    table.get_by_role("button", name="c", exact=True).click()

    table.get_by_role("button", name="Back").wait_for(timeout=8_000)
    assert lab_page.is_busy(2)
    assert "0.3" in table.inner_text()

    lab_page.page.keyboard.press("Escape")
    assert table.get_by_role("grid").is_visible()
    assert lab_page.errors == []


def test_a_saved_notebook_works_without_a_kernel_and_untrusted(lab, lab_page, saved):
    lab_page.open(saved)
    # The dialog that asks for a kernel: none, please.
    lab_page.page.locator(".jp-Dialog").get_by_role("button", name="No Kernel").click(timeout=20_000)
    table = lab_page.output(3)
    table.get_by_role("grid").wait_for(timeout=20_000)

    assert lab_page.output(1).locator(".tnb-chart").count() == 2
    table.locator(".tnb-chips").first.get_by_role("button", name=re.compile("mnist")).click()
    assert table.locator("[role=status]").first.inner_text() == "2 of 4 runs"
    assert lab_page.output(4).locator(".uplot").is_visible()
    assert lab_page.errors == []
    assert lab_page.foreign == []


def test_the_exported_page_shows_table_and_picture_with_scripts_off(lab, browser, saved):
    subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "html", saved], cwd=lab.folder, check=True, capture_output=True
    )
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.route("http://**", lambda route: route.abort())
    page.route("https://**", lambda route: route.abort())
    page.goto((lab.folder / "saved.html").as_uri(), wait_until="domcontentloaded")

    pictures = page.locator("img[src^='data:image/svg']")
    assert pictures.count() == 2
    assert pictures.first.bounding_box()["width"] > 100
    assert page.locator("table", has_text="boston").first.is_visible()
    context.close()
