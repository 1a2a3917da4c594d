"""The trend in its forms: each tells the same values, and the same best so far."""

from __future__ import annotations

import math

import pytest

from tests.view.test_views import make_run, picture_of, trend_of
from tracknb.view.direction import Goals
from tracknb.view.trend import best_so_far


def runs_of(*values, metric="rmse", tags=()):
    """Runs with these values, the oldest first; a view takes the newest first."""
    found = [
        make_run(place, f"r{place}", metrics={metric: value}, tags=dict(tags[place]) if place < len(tags) else {})
        for place, value in enumerate(values)
    ]
    return found[::-1]


def test_the_best_of_3_1_2_is_3_1_1_in_every_form():
    view = trend_of(runs_of(3.0, 1.0, 2.0))

    assert view.text() == (
        "nyc-taxi: 3 runs: rmse, oldest first, lower is better\n"
        "\n"
        "rmse  best so far  run\n"
        "   3            3  r0\n"
        "   1            1  r1\n"
        "   2            1  r2"
    )
    [rows] = view.to_altair().to_dict()["datasets"].values()
    assert [(row["value"], row["best so far"]) for row in rows] == [(3, 3), (1, 1), (2, 1)]
    assert view.payload()["directions"] == {"rmse": "lower"}
    html = view.html()
    cells = [row.split("</td>")[:2] for row in html.split("<tr><td")[1:]]
    assert [[cell.rpartition(">")[2] for cell in row] for row in cells] == [["2", "1"], ["1", "1"], ["3", "3"]]
    assert "best 1" in html


def test_the_picture_has_the_best_as_a_line_of_steps():
    picture = picture_of(trend_of(runs_of(3.0, 1.0, 2.0)))

    line, best = [element.get("d") for element in picture.iter() if element.tag.endswith("path")]
    heights = [float(point.split(" ")[1]) for point in best[1:].split("L")]
    assert line.count("L") == 2
    assert heights == [heights[0], heights[0], heights[2], heights[2], heights[2]]
    assert heights[0] < heights[2], "the greatest value stands on top"
    assert "best so far, lower is better" in [element.text for element in picture.iter()]


def test_a_metric_that_tells_no_direction_has_no_best():
    view = trend_of(runs_of(3.0, 1.0, metric="width"))

    assert view.text() == "nyc-taxi: 2 runs: width, oldest first\n\nwidth  run\n    3  r0\n    1  r1"
    assert "best" not in view.html()
    [rows] = view.to_altair().to_dict()["datasets"].values()
    assert "best so far" not in rows[0]


def test_an_experiment_says_which_way_and_which_metric():
    goals = Goals(directions={"width": "higher"}, primary="width")
    runs = [make_run(1, "a", metrics={"rmse": 1.0, "width": 2.0}), make_run(0, "b", metrics={"rmse": 2.0})]

    view = trend_of(runs, goals=goals)

    assert (view.metric, view.direction) == ("width", "higher")


@pytest.mark.parametrize(
    ("values", "expected"),
    [([math.nan, 2.0, math.inf, 1.0], [math.nan, 2.0, 2.0, 1.0]), ([], []), ([math.nan], [math.nan])],
)
def test_what_is_no_number_is_never_the_best(values, expected):
    assert list(map(str, best_so_far(values, "lower"))) == list(map(str, expected))


V1, V2 = {"mlflow.backstage.evaluation_set": "v1"}, {"mlflow.backstage.evaluation_set": "v2"}


def test_runs_of_different_evaluation_sets_are_warned_of_in_text_and_picture():
    view = trend_of(runs_of(3.0, 1.0, 2.0, tags=[V1, V2]))

    warning = "These runs were evaluated on different Evaluation Sets: 'v1', 'v2'. Choose one to compare them."
    assert view.text().endswith(warning)
    assert view.payload()["warning"] == warning
    assert "different Evaluation Sets" in view.html()
    assert view.payload()["note"] == "", "the interactive form warns by itself, of what it shows"
    assert trend_of(runs_of(3.0, 1.0, 2.0, tags=[V1, {}, V1])).warning_text() == ""


def test_one_name_for_two_contents_is_warned_of():
    digest = "tracknb.evaluation_set.digest"
    view = trend_of(runs_of(3.0, 1.0, 2.0, tags=[{**V1, digest: "a"}, {**V1, digest: "b"}]))

    assert view.warning_text() == (
        "Evaluated on different data of one name: 'v1'. Metrics of these runs cannot be compared."
    )
    assert view.payload()["digests"] == [None, 0, 1]
    assert "digests" not in trend_of(runs_of(3.0, 1.0, tags=[{**V1, digest: "a"}])).payload()
