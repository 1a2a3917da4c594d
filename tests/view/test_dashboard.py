"""The catalogue and the dashboard in their three forms, and the pages that views are saved as."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest

from tests.view.test_views import HOSTILE, RUNS, Tags, make_run, table_of
from tracknb.entities import Experiment, ExperimentUse
from tracknb.errors import InvalidValue, TracknbError
from tracknb.view import standalone
from tracknb.view.base import HTML_LIMIT, MIME, PAYLOAD_LIMIT
from tracknb.view.dashboard import Dashboard
from tracknb.view.experiments import ExperimentList, ExperimentPage
from tracknb.view.state import read_state


@pytest.fixture(autouse=True)
def script(tmp_path, monkeypatch):
    """A script in the place of the built one, which a checkout may lack."""
    path = tmp_path / "standalone.js"
    path.write_text("document.title = 'drawn';\n")
    monkeypatch.setattr(standalone, "_IN_CHECKOUT", path)
    return path


def experiment(number, name, tags=None):
    return Experiment(str(number), name, f"/data/artifacts/{number}", tags=tags or {}, creation_time=number)


EXPERIMENTS = [
    experiment(
        1,
        "nyc-taxi",
        {
            "owner": "ada",
            "lifecycle": "experimental",
            "tags": "machine-learning, regression",
            "description": "Trip times",
            "tracknb.star.ada": "true",
            "tracknb.star.bob": "true",
            "mlflow.experimentKind": "custom",
        },
    ),
    experiment(2, "mnist", {"owner": "guest", "team": "vision", "tags": "machine-learning"}),
    experiment(3, "boston", {"mlflow.note.content": "Houses", "team": "prices"}),
]
USE = {"1": ExperimentUse(12, 0, 1_700_000_000_000), "3": ExperimentUse(3, 3, 1_700_000_900_000)}


def catalogue(experiments=EXPERIMENTS, use=USE, view=""):
    made = ExperimentList.of(experiments, use=use, user="ada", now_ms=1_700_001_000_000)
    made.opened = read_state(view) if view else None
    return made


def dashboard(experiments=EXPERIMENTS, runs=RUNS, **options):
    table = table_of(runs) if runs is not None else None
    return Dashboard(catalogue(experiments), table, "nyc-taxi", **({"pages": {}} | options))


def test_the_catalogue_reads_as_aligned_text_the_last_used_on_top():
    text = catalogue().text().splitlines()

    assert [re.split(r"\s{2,}", line) for line in text] == [
        ["All (3)"],
        [""],
        ["experiment", "owner", "lifecycle", "description", "tags", "runs"],
        ["boston", "Houses", "team: prices", "3"],
        ["★ nyc-taxi", "ada", "experimental", "Trip times", "machine-learning, regression", "12"],
        ["mnist", "guest", "machine-learning, team: vision", "0"],
    ]
    assert len({len(line) for line in text[2:]}) == 1


@pytest.mark.parametrize(
    ("view", "head", "names"),
    [
        ("experiments?list=owned", "Owned (2)", ["boston", "nyc-taxi"]),
        ("experiments?list=starred", "Starred (1)", ["nyc-taxi"]),
        ("experiments?tags=machine-learning", "All (2)", ["nyc-taxi", "mnist"]),
        ("experiments?tags=machine-learning&owner=guest", "All (1)", ["mnist"]),
        ("experiments?tags=team: vision,team: prices", "All (2)", ["boston", "mnist"]),
        ("experiments?life=experimental&text=TRIP taxi", "All (1)", ["nyc-taxi"]),
        ("experiments?tags=no such", "All (0)", []),
    ],
)
def test_a_view_leaves_the_experiments_that_the_front_end_would_leave(view, head, names):
    made = catalogue(view=view)

    assert made.headline() == head
    assert [item.name for item in made.shown()] == names
    assert made.text().startswith(head)


def test_the_data_hold_what_the_page_reads_and_no_star_of_others():
    payload = catalogue().payload()

    assert payload["data"]["name"] == ["boston", "nyc-taxi", "mnist"]
    assert payload["data"]["runs"] == [3, 12, 0]
    assert payload["data"]["mine"] == [1, 0, 0]
    assert payload["data"]["lastRun"] == [1_700_000_900_000, 1_700_000_000_000, None]
    assert [payload["locationBase"] + end for end in payload["data"]["location"]] == [
        f"/data/artifacts/{number}" for number in (3, 1, 2)
    ]
    assert payload["star"] == "tracknb.star.ada"
    assert payload["data"]["tags"][1] == {
        "owner": "ada",
        "lifecycle": "experimental",
        "tags": "machine-learning, regression",
        "description": "Trip times",
        "tracknb.star.ada": "true",
    }


def test_a_thousand_experiments_with_long_texts_stay_light_and_what_is_missing_is_said():
    many = [experiment(number, f"experiment-{number}", {"description": "x" * 2_000}) for number in range(1, 1_001)]
    made = dashboard(many, runs=[make_run(number, f"run-{number}", metrics={"rmse": 1.0}) for number in range(3_000)])
    payload = made.payload()

    assert len(json.dumps(payload)) <= PAYLOAD_LIMIT
    assert "left out of this output" in payload["catalogue"]["note"]
    assert "left out of this output" in payload["runs"]["note"]
    assert payload["catalogue"]["total"] == 1_000
    assert len(made.html()) < 2 * HTML_LIMIT
    assert len(json.dumps(made._repr_mimebundle_())) < 250_000


@pytest.mark.parametrize("text", [HOSTILE, "\ud800", "=cmd()", "</script><script>alert(1)</script>"])
def test_hostile_experiments_stay_text_everywhere(text, tmp_path):
    hostile = [experiment(1, text, {"description": text, "owner": text, "lifecycle": text, "tags": text, "x": text})]
    runs = [make_run(1, text, tags={"t": text}, params={"p": text})]
    for view in (
        catalogue(hostile),
        Dashboard(catalogue(hostile), table_of(runs, title=text), text, pages={}),
        ExperimentPage(catalogue(hostile), table_of(runs), "active"),
    ):
        bundle = view._repr_mimebundle_()
        assert Tags(bundle["text/html"]).names <= {"p", "b", "table", "thead", "tbody", "tr", "th", "td", "pre"}
        json.dumps(bundle, allow_nan=False).encode()
        page = view.save(tmp_path / "page.html").read_text(encoding="utf-8")
        assert page.count("<script") == page.count("</script>") == 2
        assert "alert(1)" not in page.split("<script>")[1]
        assert Tags(page).names & {"img", "iframe", "object", "link"} == set()


def test_pages_of_runs_are_in_the_dashboard_as_far_as_they_fit():
    pages = {f"{number:032x}": {"kind": "panel", "text": "x" * 40_000} for number in range(5)}
    payload = dashboard(pages=pages).payload()

    assert list(payload["pages"]) == list(pages)[:2]
    saved = dashboard(pages=pages)
    saved.payload_limit = standalone.PAYLOAD_LIMIT
    assert list(saved.payload()["pages"]) == list(pages)


def test_a_dashboard_says_its_experiments_and_the_newest_runs():
    runs = [make_run(number, f"run-{number}") for number in range(30, 0, -1)]
    made = dashboard(runs=runs)

    assert made.text().startswith("All (3)")
    assert "run-21" in made.text()
    assert "run-20" not in made.text()
    assert made.text().endswith("and 20 more")
    assert "run-11" in made.html()
    assert "and 10 more" in made.html()


def test_a_view_that_a_line_opened_carries_what_was_set_and_what_was_passed_over():
    made = catalogue(view="experiments?list=starred&wings=<b>")
    bundle = made._repr_mimebundle_()

    assert bundle[MIME]["state"] == {"list": "starred"}
    assert bundle[MIME]["stateView"] == "experiments"
    assert bundle["text/plain"].endswith("\n\nNot known to this tracknb and passed over: 'wings'.")
    assert bundle["text/html"].endswith("<p>Not known to this tracknb and passed over: &#x27;wings&#x27;.</p>")


# -- saved pages -------------------------------------------------------------------


def test_a_saved_page_holds_data_html_and_a_policy_that_lets_nothing_else_run(tmp_path, script):
    page = dashboard().save(tmp_path / "runs.html").read_text(encoding="utf-8")

    assert page.startswith("<!DOCTYPE html>")
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1]
    assert not set("<>&\u2028\u2029") & set(data)
    payload = json.loads(data)
    assert payload["runs"]["data"]["name"] == ["forest", "ridge"]
    assert "view" not in payload
    assert "default-src 'none'; script-src 'sha256-" in page
    assert "<td" in page.split('id="plain"')[1].split("<script")[0]
    assert "http" not in page.replace("http-equiv", "")


def test_a_view_saved_twice_gives_the_same_page(tmp_path):
    made = dashboard()

    assert made.save(tmp_path / "a.html").read_bytes() == made.save(tmp_path / "b.html").read_bytes()


def test_more_fits_into_a_saved_page_than_into_an_output(tmp_path):
    runs = [make_run(number, f"run-{number}", params={"p": "x" * 200}) for number in range(3_000)]
    table = table_of(runs)
    page = table.save(tmp_path / "runs.html").read_text(encoding="utf-8")

    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert data["data"]["n"] == 3_000
    assert table.payload()["data"]["n"] < 3_000


def test_an_older_page_is_replaced_whole_or_not_at_all(tmp_path):
    target = tmp_path / "runs.html"
    target.write_text("older")
    dashboard().save(target)

    assert "older" not in target.read_text(encoding="utf-8")
    assert stat.S_IMODE(target.stat().st_mode) & 0o400
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs.html", "standalone.js"]


def test_what_cannot_be_written_is_said(tmp_path, monkeypatch):
    folder = tmp_path / "folder.html"
    folder.mkdir()
    for path, message in [
        (tmp_path / "no" / "runs.html", r"There is no folder .*no\. Make it first"),
        (tmp_path / "runs.ipynb", r"'runs\.ipynb' must end in one of \.html"),
        (folder, "is a folder"),
    ]:
        with pytest.raises(InvalidValue, match=message):
            dashboard().save(path)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(InvalidValue, match=r"runs\.html could not be written: Permission denied"):
        dashboard().save(tmp_path / "runs.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.html", "standalone.js"]


def test_a_missing_script_is_said_and_no_page_is_left(tmp_path, script, monkeypatch):
    script.unlink()
    monkeypatch.setattr(standalone, "_AS_INSTALLED", "share/nothing/there.js")

    with pytest.raises(TracknbError, match="Install tracknb again"):
        dashboard().save(tmp_path / "runs.html")
    assert not Path(tmp_path / "runs.html").exists()


def test_a_saved_catalogue_does_not_tell_how_the_users_folder_is_called(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    bicycles = Experiment("7", "bicycles", "/home/ada/work/runs-artifacts/7")
    view = ExperimentList.of([bicycles], use={}, user="ada", now_ms=0)

    assert "/home" not in json.dumps(view.payload())
    assert view.payload()["locationBase"].startswith("~/work/")
