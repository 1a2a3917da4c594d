"""Runs side by side: what differs, what is better, whose code changed, and what is left out."""

from __future__ import annotations

import base64
import json
import math
import re
from xml.etree import ElementTree

import pytest

from tests.view.test_views import HOSTILE, Tags, make_run
from tracknb.entities import Dataset, DatasetInput, InputTag, Run, RunInputs
from tracknb.live import LiveSeries
from tracknb.view.base import MIME
from tracknb.view.compare import Comparison, delta
from tracknb.view.direction import Goals

CODE = "lr = 0.1\nmodel = fit(lr)\nscore(model)\n"


def comparison_of(runs, **options):
    given = {
        "experiments": {"1": "nyc-taxi"},
        "curves": {},
        "goals": Goals(),
        "now_ms": 1_700_000_100_000,
    }
    return Comparison.of(runs, **(given | options))


def two_runs():
    tags = {"tracknb.source.cell": CODE, "mlflow.backstage.evaluation_set": "v1", "stage": "candidate"}
    return [
        make_run(1, "linear", metrics={"rmse": 5.0, "speed": 10.0}, params={"lr": "0.1", "seed": "7"}, tags=tags),
        make_run(
            2,
            "forest",
            metrics={"rmse": 4.0, "speed": 12.0},
            params={"lr": "0.2", "seed": "7"},
            tags={**tags, "tracknb.source.cell": CODE.replace("0.1", "0.2")},
        ),
    ]


def series_of(key, values):
    series = LiveSeries(key)
    for step, value in enumerate(values):
        series.add(step, value, 1_000 * step)
    return series


def curves_of(runs, points=20):
    return {run.info.run_id: {"loss": series_of("loss", [1 / (1 + step) for step in range(points)])} for run in runs}


def test_a_comparison_reads_as_aligned_text_that_marks_what_differs():
    assert comparison_of(two_runs()).text() == (
        "2 runs in nyc-taxi; the others against linear\n"
        "\n"
        "                   linear      forest\n"
        "   RUN\n"
        "   status          ✓ FINISHED  ✓ FINISHED\n"
        "   METRICS\n"
        "≠  rmse            5           4 (-1, -20 %, better)\n"
        "≠  speed           10          12 (+2, +20 %)\n"
        "   PARAMS\n"
        "≠  lr              0.1         0.2\n"
        "   seed            7           7\n"
        "   TAGS\n"
        "   stage           candidate   candidate\n"
        "   EVALUATION\n"
        "   evaluation set  v1          v1\n"
        "   CODE\n"
        "≠  cell            version 1   version 2\n"
        "\n"
        "--- linear\n"
        "+++ forest\n"
        "@@ -1,3 +1,3 @@\n"
        "-lr = 0.1\n"
        "+lr = 0.2\n"
        " model = fit(lr)\n"
        " score(model)"
    )


def test_differences_only_leaves_out_what_all_runs_share():
    text = comparison_of(two_runs(), differences_only=True).text()

    assert "lr" in text
    assert "seed" not in text
    assert "stage" not in text


@pytest.mark.parametrize(
    ("value", "base", "direction", "expected"),
    [
        (4.0, 5.0, "lower", "-1, -20 %, better"),
        (4.0, 5.0, "higher", "-1, -20 %, worse"),
        (4.0, 5.0, None, "-1, -20 %"),
        # Seen from below zero, up is still up.
        (-4.0, -5.0, "higher", "+1, +20 %, better"),
        # Nothing is a share of 0.
        (1.0, 0.0, "lower", "+1, worse"),
    ],
)
def test_a_difference_says_how_much_and_whether_that_is_better(value, base, direction, expected):
    found = delta(value, base, direction)

    assert found is not None
    assert found.text() == expected


@pytest.mark.parametrize(("value", "base"), [(None, 1.0), (1.0, None), (math.nan, 1.0), (1.0, math.inf)])
def test_what_is_no_number_has_no_difference(value, base):
    assert delta(value, base, "lower") is None


def test_values_that_look_alike_in_four_digits_still_differ():
    runs = [make_run(1, "a", metrics={"rmse": 1.00001}), make_run(2, "b", metrics={"rmse": 1.00002})]

    [row] = [row for row in comparison_of(runs).rows() if row.section == "metrics"]
    assert row.differs


def test_a_warning_of_long_and_many_names_stays_a_sentence():
    sets = [{"mlflow.backstage.evaluation_set": f"{number}" + "x" * 4_000} for number in range(30)]
    [warning] = comparison_of([make_run(n, f"run-{n}" * 100, tags=tags) for n, tags in enumerate(sets)]).warnings()

    assert len(warning) < 800
    assert "; and 26 more. Metrics" in warning


def test_runs_of_different_evaluation_sets_are_warned_about_everywhere():
    first, second = two_runs()
    second = make_run(2, "forest", tags={"mlflow.backstage.evaluation_set": "v2"})
    view = comparison_of([first, second])
    warning = "Not evaluated on one evaluation set: linear on v1; forest on v2. Metrics of these runs may not compare."

    assert warning in view.text()
    assert warning in view.html()
    assert view.payload()["warnings"] == [warning]


def test_one_name_for_two_contents_is_warned_about():
    runs = [
        make_run(
            number,
            name,
            tags={"tracknb.evaluation_set": "hold-out", "tracknb.evaluation_set.digest": f"digest{number}"},
        )
        for number, name in [(1, "a"), (2, "b")]
    ]

    [warning] = comparison_of(runs).warnings()
    assert "Evaluated on different data of one name: 'hold-out'" in warning


def test_datasets_are_compared_by_what_they_hold():
    run = two_runs()[0]
    runs = []
    for number, digest in [(1, "aaa"), (2, "bbb")]:
        data = DatasetInput(Dataset("taxi", digest, "local", "{}"), [InputTag("mlflow.data.context", "train")])
        copy = make_run(number, f"run{number}")
        runs.append(Run(copy.info, run.data, RunInputs([data])))

    [row] = [row for row in comparison_of(runs).rows() if row.section == "data"]
    assert (row.key, row.cells, row.differs) == ("taxi (train)", ("aaa", "bbb"), True)


def test_runs_of_one_name_are_told_apart():
    runs = [make_run(1, "a"), make_run(2, "a"), make_run(3, "b", tags={"tracknb.attempt": "2"})]

    assert comparison_of(runs).labels() == ["a (1)", "a (2)", "b"]


def test_the_picture_has_a_legend_entry_for_each_run():
    runs = two_runs()
    page = comparison_of(runs, curves=curves_of(runs)).html()
    found = re.search(r"data:image/svg\+xml;base64,([^\"]+)", page)

    assert found is not None
    svg = base64.b64decode(found[1]).decode()
    ElementTree.fromstring(svg)
    assert ">linear<" in svg
    assert ">forest<" in svg


def test_hostile_text_stays_text_in_every_form():
    tags = {"t": HOSTILE, "tracknb.source.cell": HOSTILE, "mlflow.note.content": HOSTILE}
    runs = [
        make_run(1, HOSTILE, metrics={HOSTILE: 1.0}, params={HOSTILE: HOSTILE}, tags=tags),
        make_run(2, "other", metrics={HOSTILE: 2.0}, params={HOSTILE: "b"}, tags={**tags, "tracknb.source.cell": "x"}),
    ]
    curves = {run.info.run_id: {HOSTILE: series_of(HOSTILE, [1.0, math.nan])} for run in runs}
    bundle = comparison_of(runs, experiments={"1": HOSTILE}, curves=curves)._repr_mimebundle_()

    seen = Tags(bundle["text/html"])
    assert seen.names <= {"p", "b", "table", "thead", "tbody", "tr", "th", "td", "img", "pre"}
    assert "onerror" not in seen.attributes
    assert "\x1b" not in bundle["text/plain"]
    json.dumps(bundle[MIME], allow_nan=False)


def test_many_runs_have_a_row_each_with_what_differs():
    runs = [make_run(n, f"run{n}", metrics={"rmse": float(n)}, params={"lr": "0.1"}) for n in range(1, 21)]
    text = comparison_of(runs).text()

    assert len([line for line in text.splitlines() if line.startswith("✓")]) == 20
    assert "lr" not in text.splitlines()[2]
    assert "rmse" in text.splitlines()[2]


def test_a_heavy_comparison_says_what_it_leaves_out():
    runs = [
        make_run(
            number,
            f"run{number}",
            params={f"param{key}": f"{number} {key}" for key in range(60)},
            tags={"tracknb.source.cell": f"x = {number}\n" * 4_000},
        )
        for number in range(1, 51)
    ]
    curves = {
        run.info.run_id: {f"loss{key}": series_of(f"loss{key}", [step / 7 for step in range(400)]) for key in range(3)}
        for run in runs
    }
    view = comparison_of(runs, curves=curves, curves_left_out=5)
    payload = view.payload()

    assert len(json.dumps(payload)) <= 170_000
    assert len(view.html()) <= 150_000
    assert "cut short" in payload["note"]
    assert "Curves of 5 more metrics are not in it." in payload["note"]
    assert "Curves are drawn from at most" in payload["note"]


def test_altair_has_the_curves_and_the_parallel_coordinates():
    runs = two_runs()
    view = comparison_of(runs, curves=curves_of(runs))

    [curves] = view.to_altair().to_dict()["datasets"].values()
    assert {row["run"] for row in curves} == {"linear", "forest"}
    [places] = view.parallel_altair().to_dict()["datasets"].values()
    assert {(row["run"], row["column"], row["place"]) for row in places} == {
        ("linear", "metrics.rmse", 1.0),
        ("forest", "metrics.rmse", 0.0),
        ("linear", "metrics.speed", 0.0),
        ("forest", "metrics.speed", 1.0),
        ("linear", "params.lr", 0.0),
        ("forest", "params.lr", 1.0),
    }


def test_the_notebook_of_a_run_is_told_without_the_folder_of_its_user(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    tags = {"mlflow.source.name": "/home/ada/taxi/first.ipynb"}
    view = comparison_of([make_run(1, "linear", tags=tags), make_run(2, "forest")])

    assert "/home/ada" not in json.dumps(view._repr_mimebundle_())
    assert "~/taxi/first.ipynb" in json.dumps(view.payload())
