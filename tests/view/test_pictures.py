"""Views as files: pictures of charts, and what is said where there is none."""

from __future__ import annotations

import sys

import pytest

import tracknb
from tracknb.errors import InvalidValue, MissingExtra
from tracknb.verbs import run_verb

# How files of these kinds begin.
STARTS = {".svg": b"<svg", ".png": b"\x89PNG\r\n", ".pdf": b"%PDF-"}


@pytest.fixture(autouse=True)
def _runs(store):
    tracknb.set_experiment("nyc-taxi")
    for name, loss in [("linear", 3.0), ("forest", 2.0)]:
        with tracknb.start_run(run_name=name):
            for step in range(5):
                tracknb.log_metric("loss", loss / (1 + step), step=step)


@pytest.mark.parametrize("ending", STARTS)
@pytest.mark.parametrize("argv", [["trend"], ["show", "last"], ["compare", "linear", "forest"]])
def test_a_chart_is_saved_as_a_picture(tmp_path, argv, ending):
    saved = run_verb(argv).save(tmp_path / f"chart{ending}")

    assert saved.read_bytes().startswith(STARTS[ending])
    assert [path.name for path in tmp_path.glob("chart*")] == [saved.name]


def test_a_view_without_a_chart_says_which_have_one(tmp_path):
    with pytest.raises(InvalidValue, match=r"ExperimentList has no chart. Trends, comparisons and runs"):
        run_verb(["experiments"]).save(tmp_path / "chart.png")


def test_a_name_that_tells_no_kind_is_refused(tmp_path):
    with pytest.raises(InvalidValue, match=r"'chart.gif' must end in one of .html, .svg, .png, .pdf"):
        run_verb(["trend"]).save(tmp_path / "chart.gif")


def test_without_the_extra_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)

    with pytest.raises(MissingExtra, match=r'pip install "tracknb\[export\]"'):
        run_verb(["trend"]).save(tmp_path / "chart.png")
