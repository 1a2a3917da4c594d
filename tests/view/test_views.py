"""Every view in its three forms: aligned text, harmless HTML, strict JSON."""

from __future__ import annotations

import base64
import json
import math
import shlex
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from tracknb.entities import Run, RunData, RunInfo
from tracknb.live import LiveRun, LiveSeries, Progress
from tracknb.view import chart
from tracknb.view import format as fmt
from tracknb.view.base import MIME
from tracknb.view.direction import Goals, guess
from tracknb.view.panel import Panel
from tracknb.view.table import RunTable, runs_frame, spark
from tracknb.view.trend import Trend

HOSTILE = "<img src=x onerror=alert(1)></table>]]>'\"\x1b[31m\x00"


def make_run(number, name, *, metrics=None, params=None, tags=None, status="FINISHED"):
    info = RunInfo(
        run_id=f"{number:032x}",
        experiment_id="1",
        run_name=name,
        user_id="adam",
        status=status,
        start_time=1_700_000_000_000 + number * 60_000,
        end_time=1_700_000_030_000 + number * 60_000,
        lifecycle_stage="active",
        artifact_uri="/tmp/a",
    )
    return Run(info, RunData(metrics=metrics or {}, params=params or {}, tags=tags or {}))


RUNS = [
    make_run(2, "forest", metrics={"rmse": 3.81234}, params={"model": "forest"}, tags={"stage": "candidate"}),
    make_run(
        1,
        "ridge",
        metrics={"rmse": math.nan, "mae": 2.0},
        tags={"mlflow.backstage.evaluation_set": "v1", "mlflow.user": "adam"},
        status="FAILED",
    ),
]


def table_of(runs, **options):
    given = {"experiments": {"1": "nyc-taxi"}, "title": "nyc-taxi", "total": len(runs), "now_ms": 1_700_000_100_000}
    return RunTable.of(runs, **(given | options))


def trend_of(runs, **options):
    given = {"experiments": {"1": "nyc-taxi"}, "title": "nyc-taxi", "total": len(runs), "now_ms": 1_700_000_100_000}
    return Trend.of(runs, **(given | options))


class Tags(HTMLParser):
    """Collects the elements and attributes of a page."""

    def __init__(self, page):
        super().__init__()
        self.names, self.attributes = set(), set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


def live_run(**options):
    run = LiveRun("0" * 32, "curve", "nyc-taxi", "FINISHED", 0, 5_000, **options)
    for key in ("train_loss", "val_loss"):
        series = run.series[key] = LiveSeries(key)
        for step in range(3):
            series.add(step, 1 / (1 + step), 1_000 * step)
    return run


def test_the_table_reads_as_aligned_text_without_times_or_ids():
    assert table_of(RUNS, total=480, matched=2, query="metrics.rmse < 4").text() == (
        "nyc-taxi: 2 of 480 runs (metrics.rmse < 4)\n"
        "\n"
        "status      run     evaluation set  tags             mae   rmse  model\n"
        "✓ FINISHED  forest                  stage=candidate       3.812  forest\n"
        "✕ FAILED    ridge   v1                                 2    NaN"
    )


def test_an_empty_experiment_says_how_to_start():
    text = table_of([]).text()
    assert "No runs found for this experiment" in text
    assert "%%track_run --experiment nyc-taxi" in text


def test_a_filter_that_hides_all_says_so():
    assert "No run matches" in table_of([], total=5, matched=0, query="metrics.rmse < 0").text()


@pytest.mark.parametrize("view", [table_of(RUNS), trend_of(RUNS), Panel.of([live_run()], now_ms=0)])
def test_the_three_layers_are_there_and_strict(view):
    bundle = view._repr_mimebundle_()

    assert set(bundle) == {MIME, "text/html", "text/plain"}
    json.dumps(bundle, allow_nan=False)
    assert not Tags(bundle["text/html"]).names & {"script", "style", "link", "iframe"}


def test_hostile_names_stay_text_everywhere():
    runs = [make_run(1, HOSTILE, metrics={"a": 1.0}, params={"p": HOSTILE}, tags={"t": HOSTILE})]
    live = live_run(params={"p": HOSTILE}, tags={"t": HOSTILE}, error=HOSTILE)
    live.name = live.experiment = HOSTILE
    views = [table_of(runs, title=HOSTILE), trend_of(runs, title=HOSTILE), Panel.of([live], now_ms=0)]
    for view in views:
        page = Tags(view.html())
        assert page.names <= {"p", "b", "table", "thead", "tbody", "tr", "th", "td", "img", "pre"}
        assert page.attributes <= {"style", "alt", "src"}
        assert "\x1b" not in view.text()
        assert "\x00" not in view.html()


def test_half_a_surrogate_pair_breaks_nothing():
    view = table_of([make_run(1, "a\ud800b", tags={"t": "\ud800"})])
    json.dumps(view._repr_mimebundle_()).encode()
    view.html().encode()


def test_the_payload_is_columnar_and_tells_missing_from_nan():
    data = table_of(RUNS).payload()["data"]

    assert data["name"] == ["forest", "ridge"]
    assert data["metrics"] == [
        {"key": "mae", "values": [None, 2.0]},
        {"key": "rmse", "values": [3.81234, "NaN"]},
    ]
    assert data["params"] == [{"key": "model", "codes": [0, -1], "dict": ["forest"]}]
    assert data["tags"] == {"dict": [["stage", "candidate"]], "codes": [[0], []]}
    assert data["evalSets"] == {"dict": ["v1"], "codes": [[], [0]]}


def test_a_large_table_stays_light_and_says_what_it_left_out():
    metrics = {f"m{index}": index / 7 for index in range(40)}
    runs = [make_run(number, f"run-{number}", metrics=metrics) for number in range(5_000)]
    view = table_of(runs)
    payload = view.payload()

    assert len(json.dumps(payload)) < 200_000
    left_out = 5_000 - payload["data"]["n"]
    assert payload["note"].startswith(f"{left_out:,} older runs are left out")
    assert view.html().count("<tr>") == 51
    assert "and 4,950 more" in view.text()


def test_the_trend_goes_from_the_oldest_to_the_newest():
    runs = [make_run(n, f"r{n}", metrics={"rmse": 5.0 - n}) for n in (3, 2, 1)]
    assert trend_of(runs).text().splitlines()[2:] == [
        "rmse  best so far  run",
        "   4            4  r1",
        "   3            3  r2",
        "   2            2  r3",
    ]
    assert trend_of(runs).to_altair().to_dict()["layer"]


def test_the_panel_tells_last_min_and_max():
    run = live_run(params={"lr": "0.2"}, tags={"stage": "a"}, changed=[("lr", "0.1", "0.2")], attempt=2)
    run.progress = Progress(3, 30, "epoch")

    assert Panel.of([run], now_ms=0).text() == (
        "✓ FINISHED  curve  in nyc-taxi  (attempt 2)\n"
        "changed: lr 0.1 → 0.2\n"
        "params: lr=0.2\n"
        "tags: stage=a\n"
        "\n"
        "metric        last  step     min  max  points\n"
        "train_loss  0.3333     2  0.3333    1       3\n"
        "val_loss    0.3333     2  0.3333    1       3"
    )


def test_long_curves_are_thinned_and_keep_their_spikes():
    run = LiveRun("0" * 32, "long", "e", "FINISHED", 0, 1)
    series = run.series["loss"] = LiveSeries("loss")
    for step in range(3_900):
        series.add(step, 99.0 if step == 1_234 else 1.0, step)
    [sent] = Panel.of([run], now_ms=0).payload()["runs"][0]["series"]

    assert len(sent["x"]) <= 500
    assert 99.0 in sent["y"]
    assert (sent["x"][0], sent["x"][-1], sent["count"]) == (0, 3_899, 3_900)


def test_a_curve_of_any_length_stays_small_in_memory():
    series = LiveSeries("loss")
    for step in range(100_000):
        series.add(step, float(step), step)

    assert len(series.x) < 4_000
    assert (series.count, series.last, series.min, series.max) == (100_000, 99_999.0, 0.0, 99_999.0)


def test_the_picture_stands_alone():
    html = Panel.of([live_run()], now_ms=0).html()
    picture = base64.b64decode(html.split("base64,")[1].split('"')[0]).decode()

    assert picture.startswith("<svg xmlns='http://www.w3.org/2000/svg'")
    assert picture.count("<path") == 2
    assert "href" not in picture


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 7.9), (1e-9, 2e-9), (5, 5), (0, 1e12)])
def test_ticks_are_few_and_within(low, high):
    found = chart.ticks(low, high)
    assert 1 <= len(found) <= 6
    assert all(low - 1e-6 * abs(low) <= tick <= high * (1 + 1e-6) for tick in found)


def test_a_frame_without_runs_has_mlflows_columns():
    assert list(runs_frame([]).columns) == [
        "run_id",
        "experiment_id",
        "status",
        "artifact_uri",
        "start_time",
        "end_time",
    ]


def live_runs(count, metrics, points=600):
    runs = []
    for number in range(count):
        run = LiveRun(f"{number * 7919:032x}", f"run-{number}", "nyc-taxi", "FINISHED", 0, 1, params={"a": "b" * 500})
        for place in range(metrics):
            series = run.series[f"m{place}"] = LiveSeries(f"m{place}")
            for step in range(points):
                series.add(step, math.sin(step / (number + 1)), 10**12 + step)
        runs.append(run)
    return runs


def picture_of(view):
    """The first picture of a view, as XML."""
    return ElementTree.fromstring(base64.b64decode(view.html().split("base64,")[1].split('"')[0]).decode())


def legend_of(view):
    """Names with the colour and the dashes of the line that stands before each."""
    elements = [element for element in picture_of(view) if not element.tag.endswith("}g")]
    return {
        text.text: (line.get("stroke"), line.get("stroke-dasharray"))
        for line, text in zip(elements[::2], elements[1::2], strict=True)
    }


@pytest.mark.parametrize(("runs", "metrics"), [(1, 30), (60, 5), (300, 2)])
def test_a_panel_of_many_curves_stays_light(runs, metrics):
    bundle = Panel.of(live_runs(runs, metrics), now_ms=0)._repr_mimebundle_()

    assert len(json.dumps(bundle[MIME])) + len(bundle["text/html"]) < 200_000


def test_a_panel_says_how_many_runs_it_left_out():
    payload = Panel.of(live_runs(300, 2), now_ms=0, note="as asked").payload()
    left_out = 300 - len(payload["runs"])

    assert left_out > 0
    assert payload["note"] == (
        f"as asked {left_out} more runs are left out of this output; tracknb.search_runs() has them all. "
        "Texts longer than 250 letters are cut short in this output."
    )


def test_a_typical_panel_weighs_less_than_50_kilobytes():
    assert len(json.dumps(Panel.of(live_runs(1, 10), now_ms=0).payload())) <= 50_000


def test_half_a_surrogate_pair_breaks_no_panel():
    half = "\ud800"
    run = live_run(params={half: half}, tags={half: half}, error=half, changed=[(half, half, half)])
    run.name = run.experiment = half
    run.progress = Progress(1, None, half)
    run.series[half] = LiveSeries(half, x=[0, 1], y=[1.0, 2.0], t=[0, 0], count=2)

    assert json.dumps(Panel.of([run], now_ms=0)._repr_mimebundle_(), ensure_ascii=False).encode()


def test_a_curve_that_grows_while_it_is_read_is_cut_to_whole_points():
    run = LiveRun("0" * 32, "growing", "e", "RUNNING", 0)
    run.series["loss"] = LiveSeries("loss", x=[0, 1, 2], y=[3.0, 2.0], t=[10], count=3, last=1.0)
    [sent] = Panel.of([run], now_ms=0).payload()["runs"][0]["series"]

    assert (sent["x"], sent["y"], sent["t"]) == ([0], [3.0], [10])


def test_the_picture_of_a_hostile_metric_is_well_formed():
    run = live_run()
    run.series[HOSTILE] = LiveSeries(HOSTILE, x=[0, 1], y=[1.0, 2.0], t=[0, 0], count=2)
    html = Panel.of([run], now_ms=0).html()
    picture = base64.b64decode(html.split("base64,")[1].split('"')[0]).decode()

    # It raises where the text is not XML.
    assert {element.tag.rsplit("}")[-1] for element in ElementTree.fromstring(picture).iter()} == {
        "svg",
        "g",
        "text",
        "tspan",
        "line",
        "path",
    }


def test_a_picture_tells_which_curve_is_whose():
    one, two = live_runs(1, 1, points=3) + live_runs(1, 1, points=3)
    two.run_id, two.name = "00000001" + "0" * 24, "other"
    assert legend_of(Panel.of([one, two], now_ms=0)) == {
        "run-0": (chart.PALETTE[0], None),
        "other": (chart.PALETTE[1], None),
    }


def test_runs_whose_colours_fall_together_differ_in_their_dashes():
    """Colours come from ids, so two of five runs often share one."""
    one, two, three = (live_runs(1, 1, points=3)[0] for _ in range(3))
    two.name, three.name = "two", "three"

    assert legend_of(Panel.of([one, two, three], now_ms=0)) == {
        "run-0": (chart.PALETTE[0], None),
        "two": (chart.PALETTE[0], "6 3"),
        "three": (chart.PALETTE[0], "2 2"),
    }


def test_a_legend_says_how_many_runs_it_does_not_name():
    texts = [element.text for element in picture_of(Panel.of(live_runs(33, 1, points=3), now_ms=0)).iter()]

    assert "run-29" in texts
    assert "run-30" not in texts
    assert "and 3 more" in texts


@pytest.mark.parametrize("values", [[1e308, -1e308], [5e-324, 1e-323], [1e-14, 3e-14], [math.inf, 1.0], [math.nan] * 2])
def test_any_floats_can_be_drawn(values):
    picture = chart.small_multiples([chart.Panel("loss", [chart.Curve("loss", 0, [0, 1], values)])])
    numbers = [value for element in ElementTree.fromstring(picture).iter() for value in element.attrib.values()]

    assert not [value for value in numbers if "nan" in value or "inf" in value]


def test_a_frame_holds_times_floats_and_texts_and_tells_what_is_missing():
    frame = runs_frame([RUNS[1], replace(RUNS[0], info=replace(RUNS[0].info, start_time=10**17, end_time=None))])

    assert list(frame.columns[6:]) == [
        "metrics.rmse",
        "metrics.mae",
        "params.model",
        "tags.mlflow.backstage.evaluation_set",
        "tags.mlflow.user",
        "tags.stage",
    ]
    assert frame["start_time"].dt.strftime("%F %T").fillna("").tolist() == ["2023-11-14 22:14:20", ""]
    assert frame["end_time"].isna().tolist() == [False, True]
    assert str(frame["start_time"].dt.tz) == "UTC"
    assert frame["metrics.mae"].tolist()[0] == 2.0
    assert math.isnan(frame["metrics.mae"].tolist()[1])
    assert frame["params.model"].tolist() == [None, "forest"]
    assert frame["params.model"].dtype == object


def test_selected_are_the_runs_that_were_ticked():
    view = table_of(RUNS)
    view.selection = (RUNS[1].info.run_id, "unknown")

    assert view.selected["run_id"].tolist() == [RUNS[1].info.run_id]
    assert view.to_pandas()["run_id"].tolist() == [run.info.run_id for run in RUNS]


def test_the_trend_takes_the_metric_that_most_runs_have():
    assert trend_of(RUNS).metric == "rmse"
    assert trend_of([make_run(1, "a", metrics={"b": 1.0, "a": 2.0})]).metric == "a"
    assert trend_of([]).payload()["metric"] is None


def test_wide_letters_take_two_columns_and_long_texts_end_in_an_ellipsis():
    assert fmt.columns(["name", "n"], [["日本", "1"], ["x" * 99, "2"]], right=[False, True]) == (
        "name" + " " * 56 + "  n\n日本" + " " * 56 + "  1\n" + "x" * 59 + "…  2"
    )
    assert fmt.one_line("a\nb\x1bc") == "a b\N{REPLACEMENT CHARACTER}c"


def test_several_metrics_become_one_altair_chart_each():
    chart_of = chart.curves_altair({"a": {"loss": ([0, 1], [1.0, 2.0]), "acc": ([0, 1], [0.1, 0.2])}}).to_dict()

    assert chart_of["facet"]["field"] == "metric"


def test_the_text_of_several_runs_tells_their_params_and_errors():
    good, bad = (
        live_run(params={"lr": "0.1"}),
        live_run(params={"lr": "9"}, error="ZeroDivisionError: division by zero"),
    )
    bad.name, bad.status, bad.experiment = "bad", "FAILED", "other"

    assert Panel.of([good, bad], now_ms=0).text() == (
        "2 runs in nyc-taxi, other\n"
        "\n"
        "status      run    train_loss  val_loss  lr   error\n"
        "✓ FINISHED  curve      0.3333    0.3333  0.1\n"
        "✕ FAILED    bad        0.3333    0.3333  9    ZeroDivisionError: division by zero"
    )


def test_several_runs_have_one_chart_for_each_metric():
    """Colours stand for the runs then, and nothing is left to tell two metrics apart."""
    one, two = live_run(), live_run()
    titles = [e.text for e in picture_of(Panel.of([one, two], now_ms=0)).iter() if e.get("font-weight") == "bold"]

    assert titles == ["train_loss", "val_loss"]


def test_a_trend_of_ten_thousand_runs_is_drawn_thinned_and_says_so():
    view = trend_of([make_run(n, f"r{n}", metrics={"rmse": math.sin(n)}) for n in range(10_000, 0, -1)])
    html = view.html()

    assert len(html) < 60_000
    assert "of 10,000 values.</p>" in html
    assert html.index('<td style="text-align:left">r10000<') < html.index("<p>and 9,950 more</p>")


LONG = {f"p{place}": "&é" * 3_000 for place in range(200)}


@pytest.mark.parametrize(
    "view",
    [
        table_of([make_run(1, "x", params=LONG, tags=LONG)]),
        table_of([make_run(number, "x" * 500, params=LONG) for number in range(50)]),
        table_of([make_run(1, "x", metrics={f"m{place}": 1 / 3 for place in range(9_000)})]),
        Panel.of([live_run(params=LONG, tags=LONG, error="&" * 500_000)], now_ms=0),
        Panel.of(live_runs(1, 1_000, points=100), now_ms=0),
    ],
)
def test_no_store_makes_an_output_heavy_and_the_payload_says_what_it_lacks(view):
    bundle = view._repr_mimebundle_()

    assert len(json.dumps(bundle[MIME])) <= 150_000
    assert len(bundle["text/html"]) < 100_000
    assert "in this output" in bundle[MIME]["note"]


def test_a_query_of_any_length_still_gives_a_payload():
    for runs in ([], RUNS):
        assert table_of(runs, query="x" * 300_000, total=2).payload()["query"] == "x" * 300_000


def test_long_texts_stay_whole_where_there_is_room():
    payload = table_of([make_run(1, "x", params={"p": "y" * 6_000})]).payload()

    assert payload["data"]["params"] == [{"key": "p", "codes": [0], "dict": ["y" * 6_000]}]
    assert payload["note"] == ""


def test_columns_without_room_are_counted():
    view = table_of([make_run(1, "a", metrics={f"m{place:02}": 1.0 for place in range(15)}, params={"p": "1"})])

    assert view.text().endswith("\n\nNot shown: 3 more metrics; tracknb.search_runs() has them all.")
    assert "Not shown: 3 more metrics; " in view.html()


@pytest.mark.parametrize(
    ("name", "argument"), [("nyc-taxi", "nyc-taxi"), ("my taxi", '"my taxi"'), ('a"b\\c', '"a\\"b\\\\c"')]
)
def test_the_line_to_copy_names_the_experiment_in_one_argument(name, argument):
    line = table_of([], experiments={"1": name}).text().splitlines()[-1].strip()

    assert line == f"%%track_run --experiment {argument}"
    assert shlex.split(line) == ["%%track_run", "--experiment", name]


def test_numbers_read_as_in_the_front_end():
    """The values are those of ``format.test.ts`` and the borders between its rules."""
    given = [
        0.0,
        -0.0,
        42.0,
        999_999.0,
        1e6,
        12_345.6,
        123_456.7,
        1_000.5,
        9_999.5,
        2.0625,
        1e-4,
        1e-5,
        5e-324,
        -1.5e300,
    ]

    assert " ".join(map(fmt.number, given)) == (
        "0 0 42 999999 1e6 12346 123457 1001 10000 2.063 0.0001 1e-5 4.941e-324 -1.5e300"
    )


def test_altair_charts_of_many_points_stay_within_its_limit():
    """Altair raises beyond 5,000 rows, and twenty long curves are what ``tracknb.chart()`` draws by itself."""
    steps = list(range(600))
    histories = {f"run-{n}": {"loss": (steps, [math.sin(n + step) for step in steps])} for n in range(20)}
    trend = trend_of([make_run(n, "r", metrics={"rmse": float(n % 7)}) for n in range(6_000)])

    for picture in (chart.curves_altair(histories), trend.to_altair()):
        [rows] = picture.to_dict()["datasets"].values()
        assert 1_000 < len(rows) <= 5_000


def test_points_without_steps_are_drawn_in_their_order():
    [rows] = chart.curves_altair({"a": {"loss": ([0, 0, 0], [3.0, 2.0, 1.0])}}).to_dict()["datasets"].values()

    assert [row["step"] for row in rows] == [0, 1, 2]


def test_marks_that_sit_on_letters_take_no_column():
    assert [fmt.width(text) for text in ("e\u0301", "✓\ufe0f", "日", "नि")] == [1, 1, 2, 2]


def test_the_best_value_of_a_metric_is_marked_by_its_direction():
    runs = [
        make_run(3, "a", metrics={"loss": 0.5, "acc": 0.7, "width": 1.0}),
        make_run(2, "b", metrics={"loss": math.nan, "acc": 0.9, "width": 2.0}),
        make_run(1, "c", metrics={"loss": 0.25, "acc": -math.inf}),
    ]
    goals = Goals({"width": "higher"}, {"width": "mm"}, "width")

    assert table_of(runs, goals=goals).text() == (
        "nyc-taxi: 3 runs\n"
        "\n"
        "status      run  width (mm)   acc   loss\n"
        "✓ FINISHED  a             1   0.7    0.5\n"
        "✓ FINISHED  b            *2  *0.9    NaN\n"
        "✓ FINISHED  c                  -∞  *0.25\n"
        "\n"
        "* the best value of a metric"
    )
    payload = table_of(runs, goals=goals).payload()
    assert payload["directions"] == {"acc": "higher", "loss": "lower", "width": "higher"}
    assert (payload["units"], payload["primary"]) == ({"width": "mm"}, "width")


def test_children_and_attempts_read_as_such_and_archived_runs_are_counted():
    parent = make_run(1, "sweep", tags={"tracknb.attempt": "2"})
    child = make_run(2, "lr=1", tags={"mlflow.parentRunId": parent.info.run_id})
    aside = make_run(3, "old", tags={"tracknb.archived": "true"})
    runs = [aside, child, make_run(4, "x"), parent]

    assert table_of(runs).text() == (
        "nyc-taxi: 4 runs\n"
        "\n"
        "status      run\n"
        "✓ FINISHED  x\n"
        "✓ FINISHED  sweep (attempt 2)\n"
        "✓ FINISHED  └ lr=1\n"
        "\n"
        "Not shown: 1 archived run; %track runs --archived shows them."
    )
    assert "old" in table_of(runs, archived=True).text()
    data = table_of(runs).payload()["data"]
    assert (data["archived"], data["parent"]) == ([0], ["", parent.info.run_id, "", ""])


def test_runs_that_are_parents_of_each_other_are_all_shown():
    one = make_run(1, "one", tags={"mlflow.parentRunId": f"{2:032x}"})
    two = make_run(2, "two", tags={"mlflow.parentRunId": f"{1:032x}"})

    text = table_of([two, one]).text()
    assert "one" in text
    assert "two" in text


def test_a_chunk_holds_the_rows_of_the_payload_in_columns():
    runs = [
        make_run(3, "a", metrics={"loss": math.nan, "system/cpu": 5.0}, params={"lr": "1"}, tags={"t": "x"}),
        make_run(2, "b", metrics={"acc": 0.5}, tags={"t": "x", "tracknb.attempt": "4"}),
        make_run(1, "c", status="RUNNING"),
    ]
    content, (numbers, codes, there) = table_of(runs).chunk(1, 5)
    numbers, codes = np.frombuffer(numbers, "<f8"), np.frombuffer(codes, "<i4")

    json.dumps(content, allow_nan=False)
    assert (content["from"], content["n"], content["held"], content["name"]) == (1, 2, 3, ["b", "c"])
    assert (content["metrics"], content["system"], content["params"]) == (["acc"], [], [])
    assert numbers.reshape(3, 2)[2][0] == 0.5
    assert np.isnan(numbers.reshape(3, 2)[2][1])
    assert list(there) == [1, 1, 1, 1, 1, 0]
    assert content["texts"]["status"] == ["FINISHED", "RUNNING"]
    assert codes.reshape(-1, 2).tolist()[0] == [0, 1]
    # After the eight texts and the colours: attempts, tags, evaluation sets, grades.
    assert codes.reshape(-1, 2).tolist()[9:] == [[4, -1], [0, 1], [0, 0], [0, 0]]
    assert content["tags"] == [[["t", "x"]], []]

    content, (numbers, _, there) = table_of(runs).chunk(0, 1)
    assert np.isnan(np.frombuffer(numbers, "<f8")[2])
    assert list(there) == [1, 1, 1, 1]
    assert (content["metrics"], content["system"]) == (["loss"], ["system/cpu"])


def test_a_chunk_is_the_same_whether_all_runs_have_all_columns_or_not():
    of_first = {"metrics": {"a": 1.0, "b": 2.0}, "params": {"x": "1", "y": "2"}}
    of_second = {"metrics": {"a": math.nan, "b": 4.0}, "params": {"y": "2", "x": "3"}}
    full = [make_run(3, "a", **of_first), make_run(2, "b", **of_second)]

    content, (numbers, codes, there) = table_of(full).chunk(0, 2)
    wider, (more, longer, _) = table_of([*full, make_run(1, "c")]).chunk(0, 3)

    values = np.frombuffer(numbers, "<f8").reshape(4, 2)
    codes, longer = (np.frombuffer(held, "<i4").reshape(-1, n) for held, n in ((codes, 2), (longer, 3)))
    assert repr(values[2:].tolist()) == "[[1.0, nan], [2.0, 4.0]]"
    assert list(there) == [1] * 8
    assert np.array_equal(values, np.frombuffer(more, "<f8").reshape(4, 3)[:, :2], equal_nan=True)
    assert np.array_equal(
        np.frombuffer(codes, "<i4").reshape(-1, 2), np.frombuffer(longer, "<i4").reshape(-1, 3)[:, :2]
    )
    assert (content["params"], content["metrics"]) == (wider["params"], wider["metrics"])


@pytest.mark.parametrize(
    ("metric", "direction"),
    [("val_loss", "lower"), ("test/F1", "higher"), ("valRMSE", "lower"), ("r2", "higher"), ("epoch", None)],
)
def test_a_metrics_name_tells_its_direction(metric, direction):
    assert guess(metric) == direction


def test_a_curve_becomes_a_few_digits():
    assert spark([0.0, 1.0, 2.0, 3.0]) == "05af"
    assert spark([5.0, 5.0]) == "77"
    assert spark([-1.7e308, math.inf, 1.7e308]) == "0 f"
    assert len(spark([float(n) for n in range(1_000)])) == 24


def test_a_name_cannot_turn_the_letters_that_follow_it():
    """U+202E would show "photo_gnp.exe" as a picture."""
    table = table_of([make_run(1, "photo_\u202egnp.exe")])

    assert table.payload()["data"]["name"] == ["photo_\ufffdgnp.exe"]
    assert "\u202e" not in table.html()


def test_runs_below_runs_below_runs_read_as_such():
    tags = [{}, {"mlflow.parentRunId": "a" * 32}, {"mlflow.parentRunId": "b" * 32}]
    runs = [
        replace(run, info=replace(run.info, run_id=letter * 32))
        for letter, run in zip("abc", (make_run(n, name, tags=tags[n]) for n, name in enumerate("xyz")), strict=True)
    ]
    table = table_of(runs)

    assert [line.split("FINISHED  ")[1].rstrip() for line in table.text().splitlines()[3:]] == ["x", "└ y", "  └ z"]
    assert "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}└ z" in table.html()
