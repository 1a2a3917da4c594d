"""Comparing runs as a person does it, in a real JupyterLab."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

RUNS = """%load_ext tracknb
import tracknb
tracknb.set_tracking_uri('STORE.db')
tracknb.set_experiment('nyc-taxi')
def train(name, lr, seed):
    code = f"model = fit(lr={lr})\\nscore(model)"
    with tracknb.start_run(run_name=name, tags={"tracknb.source.cell": code, "stage": "candidate"}):
        tracknb.log_params({"lr": lr, "seed": seed, "model": "forest"})
        for step in range(20):
            tracknb.log_metric("loss", 1 / (1 + step) + lr + seed / 100, step=step)
"""
TWO = "train('slow', 0.1, 1)\ntrain('fast', 0.2, 1)\n"
SEEDS = "for seed in range(5):\n    train(f'seed {seed}', 0.1, seed)\n"


@pytest.fixture
def two(lab, lab_page):
    """The output of a comparison of two runs."""
    cells = [RUNS.replace("STORE", "compare-two") + TWO, "%track compare slow fast"]
    lab_page.open(lab.write("compare-two.ipynb", cells))
    lab_page.run_all()
    lab_page.wait_until_done(1)
    return lab_page.output(1)


def rows(output, selector=""):
    return [text.split("\t")[0].strip() for text in output.locator(f".tnb-side tbody tr{selector}").all_inner_texts()]


def test_only_what_differs_is_marked(lab_page, two):
    two.get_by_role("tab", name="Table").wait_for(timeout=20_000)

    assert set(rows(two, ".tnb-differs")) == {"≠loss", "≠lr", "≠Cell"}
    assert {"seed", "model", "stage", "Status"} <= set(rows(two))
    two.get_by_label("Differences only").check()
    assert set(rows(two, ":not(.tnb-sidehead)")) == {"≠loss", "≠lr", "≠Cell"}
    assert lab_page.errors == []
    assert lab_page.foreign == []


def test_a_difference_tells_better_from_worse_and_follows_the_baseline(two):
    loss = two.locator(".tnb-side tbody tr", has_text="loss").first
    loss.wait_for(timeout=20_000)

    assert loss.locator(".tnb-worse").inner_text().startswith("+0.1")
    two.get_by_label("Compare with fast").check()
    assert loss.locator(".tnb-better").inner_text().startswith("−0.1")


def test_curves_lie_over_each_other_with_a_legend_entry_for_each_run(lab_page, two):
    two.get_by_role("tab", name="Curves").click(timeout=20_000)
    chart = two.locator(".tnb-chart").first
    chart.locator("canvas").first.wait_for()

    assert [re.sub(r"[\s\d.]+$", "", text) for text in chart.locator(".tnb-legend > span").all_inner_texts()] == [
        "slow",
        "fast",
    ]
    assert lab_page.errors == []


def test_one_changed_line_of_code_is_shown_as_such(two):
    two.get_by_role("tab", name="Code").click(timeout=20_000)
    diff = two.locator(".tnb-diff")

    assert diff.locator("tr[data-kind=changed]").count() == 1
    assert diff.locator("tr[data-kind=same]").count() == 1
    assert diff.locator("mark").all_inner_texts() == ["1", "2"]


def test_five_seeds_are_one_band_and_the_axis_may_be_time(lab, lab_page):
    cells = [
        RUNS.replace("STORE", "compare-seeds") + SEEDS,
        "tracknb.compare(*[f'seed {number}' for number in range(5)])",
    ]
    lab_page.open(lab.write("compare-seeds.ipynb", cells))
    lab_page.run_all()
    lab_page.wait_until_done(1)
    output = lab_page.output(1)
    output.get_by_role("tab", name="Curves").click(timeout=20_000)
    output.get_by_label("Runs taken together").select_option(label="All runs together")

    legend = output.locator(".tnb-chart .tnb-legend > span")
    assert [text.strip() for text in legend.all_inner_texts()] == ["all runs (mean of 5)"]
    chart = output.locator(".tnb-chart").first
    chart.locator(".u-over").hover()
    lab_page.page.wait_for_timeout(300)
    assert "step" in chart.locator(".tnb-tip").inner_text()
    output.get_by_label("X axis").select_option(label="Relative time")
    chart.locator(".u-over").hover(position={"x": 60, "y": 60})
    lab_page.page.wait_for_timeout(300)
    assert re.match(r"[\d.e−]+ s", chart.locator(".tnb-tip").inner_text())
    assert lab_page.errors == []


def test_parallel_coordinates_keep_a_range_and_scatter_opens_a_run(lab, lab_page):
    cells = [
        RUNS.replace("STORE", "compare-plots") + SEEDS,
        "tracknb.compare(*[f'seed {number}' for number in range(5)])",
    ]
    lab_page.open(lab.write("compare-plots.ipynb", cells))
    lab_page.run_all()
    lab_page.wait_until_done(1)
    output = lab_page.output(1)
    output.get_by_role("tab", name="Parallel coordinates").click(timeout=20_000)
    rail = output.get_by_role("slider", name="Range of seed")
    box = lab_page.steady_box(rail)
    lab_page.page.mouse.move(box["x"] + 10, box["y"] + box["height"] - 1)
    lab_page.page.mouse.down()
    lab_page.page.mouse.move(box["x"] + 10, box["y"] + box["height"] * 0.4, steps=4)
    lab_page.page.mouse.up()
    count = output.locator("[role=tabpanel]:not([hidden]) [role=status]").first

    expect(count).to_have_text("3 of 5 runs")
    rail.focus()
    lab_page.page.keyboard.press("Delete")
    expect(count).to_have_text("5 runs")

    output.get_by_role("tab", name="Scatter").click()
    output.locator(".tnb-scatter").focus()
    lab_page.page.keyboard.press("ArrowRight")
    expect(output.locator(".tnb-scatter .tnb-tip")).to_contain_text("seed 0")
    lab_page.page.keyboard.press("Enter")
    output.get_by_role("button", name="Back").wait_for(timeout=10_000)
    assert "seed 0" in output.inner_text()
    assert lab_page.errors == []
