"""The page of a run in its three forms."""

from __future__ import annotations

import json
import math

from tests.view.test_views import HOSTILE, Tags, live_run, make_run
from tracknb.entities import Dataset, DatasetInput, InputTag, Run, RunInputs
from tracknb.live import LiveSeries
from tracknb.view.base import HTML_LIMIT
from tracknb.view.page import PageFacts, PageFile, PageFiles, Relative, RunPage

TAGS = {
    "stage": "candidate",
    "mlflow.backstage.evaluation_set": "v1",
    "mlflow.note.content": "# First\n*good*",
    "mlflow.source.name": "/home/ada/taxi.ipynb",
    "tracknb.source.cell": "fare = 12\nfare / 0",
    "tracknb.source.execution_count": "7",
    "tracknb.attempt": "2",
    "tracknb.error": "ZeroDivisionError: division by zero",
    "tracknb.traceback": 'File "/home/ada/taxi.py"\nZeroDivisionError: division by zero',
    "tracknb.env.python": "3.12.4",
    "mlflow.source.git.commit": "0123456789abcdef",
    "mlflow.source.git.branch": "main",
    "tracknb.source.git.dirty": "true",
}


def page_of(*, tags=TAGS, params=None, series=None, name="forest", **facts):
    run = make_run(1, name, params=params or {"lr": "0.1"}, tags=tags, status="FAILED")
    data = Dataset("rides", "abc123", "local", json.dumps({"uri": "/home/ada/rides.csv"}))
    inputs = RunInputs([DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
    run = Run(run.info, run.data, inputs)
    given = {
        "experiment": "nyc-taxi",
        "series": live_run().series if series is None else series,
        "files": PageFiles("/home/ada/a", [PageFile("m", True, None), PageFile("m/x.csv", False, 1_500)]),
        "parent": Relative("f" * 32, "sweep", "FINISHED"),
        "children": [Relative("e" * 32, "fold-1", "FINISHED")],
        "home": "/home/ada",
    }
    return RunPage.of(PageFacts(run=run, **(given | facts)), now_ms=1_700_000_100_000)


def test_the_page_reads_as_text_without_times_ids_or_machines():
    assert page_of().text() == (
        "✕ FAILED  forest  in nyc-taxi  (attempt 2)\n"
        "\n"
        "error           ZeroDivisionError: division by zero\n"
        "evaluation set  v1\n"
        "tags            stage=candidate\n"
        "parent          sweep\n"
        "children        fold-1\n"
        "source          taxi.ipynb, cell [7]\n"
        "\n"
        "note\n"
        "    # First\n"
        "    *good*\n"
        "\n"
        "param  value\n"
        "lr     0.1\n"
        "\n"
        "metric        last  step     min  max  points\n"
        "train_loss  0.3333     2  0.3333    1       3\n"
        "val_loss    0.3333     2  0.3333    1       3\n"
        "\n"
        "data   digest  context\n"
        "rides  abc123  training\n"
        "\n"
        "file       size\n"
        "m/\n"
        "m/x.csv  1.5 kB\n"
        "\n"
        "code\n"
        "    fare = 12\n"
        "    fare / 0"
    )


def test_a_terminal_is_told_who_when_where_and_how():
    text = page_of().text(times=True)
    for line in (
        "run id          00000000000000000000000000000001",
        "submitted by    adam",
        "duration        30 s",
        "environment     Python 3.12.4",
        "git             main 0123456789ab, with changes that are not committed",
        "files at        ~/a",
    ):
        assert line in text


def test_the_payload_holds_every_field_of_the_page():
    run = page_of().payload()["run"]

    assert (run["name"], run["experiment"], run["status"], run["user"]) == ("forest", "nyc-taxi", "FAILED", "adam")
    assert run["source"] == {"name": "~/taxi.ipynb", "type": "", "cell": "", "count": "7"}
    assert run["git"] == {
        "commit": "0123456789abcdef",
        "branch": "main",
        "remote": "",
        "dirty": True,
        "changes": "",
        "untracked": [],
    }
    assert run["description"] == "# First\n*good*"
    assert run["tags"] == [["stage", "candidate"]]
    assert ["tracknb.env.python", "3.12.4"] in run["systemTags"]
    assert run["code"] == "fare = 12\nfare / 0"
    assert run["inputs"] == [
        {"name": "rides", "digest": "abc123", "context": "training", "source": "~/rides.csv", "type": "local"}
    ]
    assert run["files"]["entries"][1] == {"path": "m/x.csv", "dir": False, "size": 1_500}
    assert run["parent"]["name"] == "sweep"
    assert [child["name"] for child in run["children"]] == ["fold-1"]


def test_what_is_saved_does_not_tell_whose_folder_it_is():
    page = page_of()

    assert "/home/ada" not in json.dumps(page.payload()) + page.html() + page.text(times=True)
    assert page.full_payload()["run"]["files"]["location"] == "/home/ada/a"


def test_a_metric_tells_last_min_max_and_step():
    series = LiveSeries("rmse")
    for step, value in enumerate((3.0, 1.0, 2.0)):
        series.add(step, value, step)
    [facts] = page_of(series={"rmse": series}).payload()["run"]["series"]

    assert (facts["last"], facts["min"], facts["max"], facts["last_step"], facts["count"]) == (2.0, 1.0, 3.0, 2, 3)


def test_hostile_texts_stay_text():
    tags = dict.fromkeys(TAGS, HOSTILE) | {HOSTILE: HOSTILE}
    page = page_of(
        tags=tags,
        params={HOSTILE: HOSTILE},
        name=HOSTILE,
        experiment=HOSTILE,
        files=PageFiles(HOSTILE, [PageFile(HOSTILE, False, 1)]),
        parent=Relative("f" * 32, HOSTILE, "FINISHED"),
    )
    html = Tags(page.html())
    assert html.names <= {"p", "b", "table", "thead", "tbody", "tr", "th", "td", "img", "pre"}
    assert html.attributes <= {"style", "alt", "src"}
    assert "\x1b" not in page.text(times=True)
    assert "\x00" not in page.html()
    json.dumps(page._repr_mimebundle_(), allow_nan=False)


def test_a_page_of_any_size_stays_light_and_says_what_is_left_out():
    series = {}
    for number in range(60):
        item = series[f"m{number}"] = LiveSeries(f"m{number}")
        for step in range(2_000):
            item.add(step, math.sin(step / 50), step)
    params = {f"p{number}": "x" * 6_000 for number in range(100)}
    tags = {**TAGS, "tracknb.source.cell": "y = 1\n" * 1_300, "mlflow.note.content": "n" * 8_000}
    files = PageFiles("/a", [PageFile(f"f{number}", False, 1) for number in range(200)], is_cut=True)
    page = page_of(tags=tags, params=params, series=series, files=files)
    payload = page.payload()

    assert len(json.dumps(payload)) < 120_000
    assert len(page.html()) < HTML_LIMIT + 40_000
    assert "thinned" in payload["note"]
    assert "cut short" in payload["note"]
    assert payload["thinned"]
    assert len(page.full_payload()["run"]["params"][0][1]) == 6_000


def test_curves_become_an_altair_chart():
    chart = page_of().to_altair("val_loss").to_dict()
    assert {row["metric"] for rows in chart["datasets"].values() for row in rows} == {"val_loss"}


def test_alerts_stand_on_the_page():
    page = page_of(tags={**TAGS, "tracknb.alert.nan.loss": "loss is NaN at step 3"})

    assert "alerts          loss is NaN at step 3\n" in page.text()
    assert "loss is NaN at step 3" in page.html()
