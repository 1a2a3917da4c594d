"""The same views in JupyterLab and in Notebook 7."""

from __future__ import annotations

import subprocess
import sys

import nbformat
import pytest

from tests.browser.test_lab import FIVE, TRAIN, done_epochs, new_store

pytestmark = pytest.mark.browser
in_both = pytest.mark.parametrize("both", ["lab", "notebook"], indirect=True)


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
