"""The verbs: what they find, and how they say that something is not there."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

import tracknb
from tracknb.answers import answer
from tracknb.capture.environment import user_name
from tracknb.client import close_stores
from tracknb.entities import star_tag
from tracknb.errors import FilterError, InvalidValue, NotFound
from tracknb.looking import finding
from tracknb.looking.curves import as_live
from tracknb.verbs import run_verb
from tracknb.view import standalone
from tracknb.view.base import MIME
from tracknb.view.compare import Comparison
from tracknb.view.dashboard import Dashboard
from tracknb.view.experiments import ExperimentList
from tracknb.view.page import RunPage
from tracknb.view.saved import Saved
from tracknb.view.table import RunTable
from tracknb.view.trend import Trend


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tracknb.TrackingClient]:
    """A store of its own with two experiments, one of them without runs."""
    monkeypatch.setenv("TRACKNB_TRACKING_URI", f"sqlite:///{tmp_path}/runs.db")
    client = tracknb.TrackingClient()
    taxi = client.create_experiment("nyc-taxi")
    client.create_experiment("empty-exp")
    for number, (name, rmse, tags) in enumerate(
        [
            ("linear", 5.1, {"stage": "baseline", "mlflow.backstage.evaluation_set": "v1"}),
            ("ridge", 4.2, {"stage": "candidate", "data": "mnist", "tracknb.evaluation_set": "v1"}),
            ("forest", 3.8, {"stage": "candidate", "mlflow.backstage.evaluation_set": "v2"}),
        ]
    ):
        run = client.create_run(taxi, run_name=name, start_time=1_000 + number, tags={"mlflow.user": "ada", **tags})
        client.log_metric(run.info.run_id, "rmse", rmse, step=0)
        client.log_metric(run.info.run_id, "rmse", rmse - 0.5, step=1)
        client.set_terminated(run.info.run_id)
    yield client
    close_stores()


def found(*argv: str) -> list[str]:
    view = run_verb(["runs", *argv])
    assert isinstance(view, RunTable)
    return [run.info.run_name for run in view.runs]


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        ((), ["forest", "ridge", "linear"]),
        (("nyc-taxi",), ["forest", "ridge", "linear"]),
        (("--experiment", "nyc-taxi", "--experiment", "empty-exp"), ["forest", "ridge", "linear"]),
        (("metrics.rmse < 4",), ["forest", "ridge"]),
        (("--query", "metrics.rmse < 3.5"), ["forest"]),
        (("nyc-taxi", "--query", "metrics.rmse < 3.5"), ["forest"]),
        (("metrics.rmse < 4", "--experiment", "nyc-taxi", "--tag", "mnist"), ["ridge"]),
        (("--tag", "stage=candidate"), ["forest", "ridge"]),
        (("--tag", "mnist", "--tag", "baseline"), ["ridge", "linear"]),
        (("--tag", "ada"), []),
        (("--tag", "mlflow.user=ada"), ["forest", "ridge", "linear"]),
        (("--eval-set", "v1"), ["ridge", "linear"]),
        (("--eval-set", "v1", "--tag", "candidate"), ["ridge"]),
        (("--owner", "ada", "--eval-set", "v2"), ["forest"]),
        (("--owner", "nobody"), []),
        (("--limit", "2"), ["forest", "ridge"]),
        (("--tag", "candidate", "--limit", "1"), ["forest"]),
        (("empty-exp",), []),
    ],
)
def test_runs_finds_what_its_options_ask_for(client: tracknb.TrackingClient, argv: tuple[str, ...], names: list[str]):
    assert found(*argv) == names


def test_a_limit_cuts_what_is_shown_and_not_what_is_counted(client: tracknb.TrackingClient) -> None:
    payload = tracknb.runs_table(tags="candidate", max_results=1).payload()

    assert (payload["total"], payload["matched"], payload["data"]["n"]) == (3, 2, 1)


@pytest.mark.parametrize(("tags", "limit", "count"), [((), 10, 3), ((), 2, 2), (("candidate",), 10, 2)])
def test_runs_are_found_across_pages(
    client: tracknb.TrackingClient, tags: tuple[str, ...], limit: int, count: int
) -> None:
    runs, _ = finding._matching(client, ["1"], "", tags=tags, eval_sets=(), owners=(), limit=limit, page=1)

    assert len(runs) == count


def test_runs_and_search_runs_agree_on_a_count(client: tracknb.TrackingClient) -> None:
    table = tracknb.runs_table("metrics.rmse < 4", experiment="nyc-taxi")

    assert len(table.runs) == len(tracknb.search_runs(experiment_names=["nyc-taxi"], filter_string="metrics.rmse < 4"))


def test_an_experiment_without_runs_says_how_to_start(client: tracknb.TrackingClient) -> None:
    view = run_verb(["runs", "empty-exp"])

    assert view is not None
    assert "No runs found for this experiment" in view.text()
    assert "%%track_run" in view.text()
    assert "%%track_run" in view.html()


def test_looking_goes_to_the_experiment_that_was_set(client: tracknb.TrackingClient) -> None:
    tracknb.set_experiment("empty-exp")
    try:
        assert found() == []
        assert found("--all-experiments") == ["forest", "ridge", "linear"]
    finally:
        tracknb.set_experiment("Default")


@pytest.mark.parametrize(
    ("argv", "error", "message"),
    [
        (["runs", "nyc-taxy"], NotFound, "No experiment is called 'nyc-taxy'. Did you mean 'nyc-taxi'?"),
        (["runs", "--experiment", "nyc-taxy"], NotFound, "Did you mean 'nyc-taxi'?"),
        (["trend", "nyc-taxi", "--metric", "rsme"], NotFound, "Did you mean 'rmse'?"),
        (["show", "forrest"], NotFound, "Did you mean 'forest'?"),
        (["rnus"], InvalidValue, "No verb is called 'rnus'. Did you mean 'runs'?"),
        (
            ["xyz"],
            InvalidValue,
            "There are: code, compare, dashboard, df, diff, experiments, import, replay, runs, save, show, trend.",
        ),
        (["runs", "--experimnt", "a"], InvalidValue, "Did you mean '--experiment'?"),
        (["runs", "--limit", "many"], InvalidValue, "'many' is not a valid integer"),
        (["runs", "metrics.rmse < 4", "--query", "metrics.rmse < 4"], InvalidValue, "A filter was given twice"),
        (["runs", "metrics.rmse < four"], FilterError, "metrics.rmse < four"),
    ],
)
def test_a_mistake_is_answered_with_the_nearest_right_word(
    client: tracknb.TrackingClient, argv: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        run_verb(argv)

    assert message in str(caught.value)


def test_a_store_that_is_not_there_is_not_made_by_looking(client: tracknb.TrackingClient, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        run_verb(["runs", "--store", str(tmp_path / "other.db")])

    assert not (tmp_path / "other.db").exists()


def test_store_looks_into_another_file(client: tracknb.TrackingClient, tmp_path: Path) -> None:
    other = tracknb.TrackingClient(tmp_path / "other.db")
    other.create_run(other.create_experiment("elsewhere"), run_name="far")

    assert found("--store", str(tmp_path / "other.db")) == ["far"]


def test_a_view_asks_the_store_that_it_was_made_from(
    client: tracknb.TrackingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after the notebook went on to another one."""
    views = [tracknb.runs_table(), tracknb.trend("rmse"), tracknb.show("linear"), tracknb.dashboard()]
    monkeypatch.setenv("TRACKNB_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")

    for view in views:
        told = answer({"ask": "experiments"}, view.view_id).content["data"]["name"]
        assert sorted(told) == ["empty-exp", "nyc-taxi"]


def test_a_page_that_is_answered_beside_a_cell_leaves_its_garbage_collection_on(
    client: tracknb.TrackingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell that trains makes garbage of its own, and its memory must not grow while somebody looks."""
    was_on = []
    read = tracknb.TrackingClient.search_runs

    def search_runs(*args: object, **options: object) -> object:
        was_on.append(gc.isenabled())
        return read(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(tracknb.TrackingClient, "search_runs", search_runs)
    with ThreadPoolExecutor() as threads:
        threads.submit(found, "nyc-taxi").result()
    found("nyc-taxi")

    assert was_on == [True, False]
    assert gc.isenabled()


def test_trend_draws_the_metric_that_was_named(client: tracknb.TrackingClient) -> None:
    view = run_verb(["trend", "nyc-taxi", "--metric", "rmse"])

    assert isinstance(view, Trend)
    assert view.payload()["metric"] == "rmse"
    assert view.payload()["data"]["n"] == 3


def test_show_draws_a_stored_run_by_name_id_beginning_or_last(client: tracknb.TrackingClient) -> None:
    [newest] = client.search_runs(["1"], max_results=1)

    for word in ("last", "forest", newest.info.run_id, newest.info.run_id[:8]):
        view = run_verb(["show", word])
        assert isinstance(view, RunPage)
        run = view.payload()["run"]
        assert (run["name"], run["status"]) == ("forest", "FINISHED")
        assert run["series"][0]["y"] == [3.8, 3.3]


def test_experiments_lists_them_with_their_runs(client: tracknb.TrackingClient) -> None:
    view = run_verb(["experiments"])

    assert isinstance(view, ExperimentList)
    assert view.text() == "All (2)\n\nexperiment  runs\nnyc-taxi       3\nempty-exp      0"


def test_a_hostile_experiment_name_stays_text(client: tracknb.TrackingClient) -> None:
    client.create_experiment("<img src=x onerror=alert(1)>")
    view = run_verb(["experiments"])

    assert view is not None
    assert "<img" not in view.html()


def test_no_verb_at_all_opens_the_dashboard_at_the_experiment_used_last(client: tracknb.TrackingClient) -> None:
    view = run_verb([])

    assert isinstance(view, Dashboard)
    assert view.experiment == "nyc-taxi"
    text = view.text()
    assert text.startswith("All (2)\n\nexperiment  runs\nnyc-taxi       3\n")
    assert "nyc-taxi: 3 runs" in text
    assert list(view.payload()["pages"]) == [run.info.run_id for run in tracknb.runs_table().runs]


def test_a_dashboard_without_any_run_says_how_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKNB_TRACKING_URI", f"sqlite:///{tmp_path}/empty.db")

    assert "%%track_run --experiment" in tracknb.dashboard().text()
    assert "%%track_run --experiment" in tracknb.dashboard().html()


def test_a_copied_line_opens_the_same_runs(client: tracknb.TrackingClient) -> None:
    line = ["runs", "--view", "runs?e=nyc-taxi&q=metrics.rmse < 4&sort=-metrics.rmse&wings=2"]
    view = run_verb(line)

    assert isinstance(view, RunTable)
    assert [run.info.run_name for run in view.runs] == ["forest", "ridge"]
    bundle = view.bundle()
    assert bundle[MIME]["state"] == {"e": "nyc-taxi", "q": "metrics.rmse < 4", "sort": "-metrics.rmse"}
    assert bundle["text/plain"].endswith("Not known to this tracknb and passed over: 'wings'.")


@pytest.mark.parametrize(
    "text", ["", "runs?", "<script>", "runs?id=../../etc&tab=%00", "trend?metric=no such", "?" * 9_999]
)
def test_no_text_of_a_view_breaks_the_dashboard(client: tracknb.TrackingClient, text: str) -> None:
    for argv in (["--view", text], ["dashboard", "--view", text], ["runs", "--view", text], ["trend", "--view", text]):
        view = run_verb(argv)
        assert view is not None
        assert "<script" not in view.bundle()["text/html"]


def test_the_catalogue_opens_as_a_line_says(client: tracknb.TrackingClient) -> None:
    taxi = client.get_experiment_by_name("nyc-taxi")
    assert taxi is not None
    client.change_experiment_tags(taxi.experiment_id, {star_tag(user_name()): "true"})
    view = run_verb(["experiments", "--view", "experiments?list=starred"])

    assert view is not None
    assert view.text() == "Starred (1)\n\nexperiment  runs\n★ nyc-taxi     3"


def test_help_is_printed_and_shows_no_view(client: tracknb.TrackingClient, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb(["runs", "--help"]) is None

    assert "Usage: %track runs [OPTIONS] [EXPERIMENT | QUERY]" in capsys.readouterr().out


def test_chart_draws_one_line_a_run(client: tracknb.TrackingClient) -> None:
    drawn = tracknb.chart(metric="rmse", experiment="nyc-taxi").to_dict()

    [rows] = drawn["datasets"].values()
    assert len(rows) == 6


def test_chart_takes_ids_runs_frames_and_tables(client: tracknb.TrackingClient) -> None:
    table = tracknb.runs_table("metrics.rmse < 3.5", experiment="nyc-taxi")
    [run] = table.runs

    for given in (run.info.run_id, [run.info.run_id], run, table, table.to_pandas()):
        [rows] = tracknb.chart(given, "rmse").to_dict()["datasets"].values()
        assert len(rows) == 2


def test_chart_refuses_a_metric_that_no_run_has(client: tracknb.TrackingClient) -> None:
    with pytest.raises(NotFound, match="Did you mean 'rmse'"):
        tracknb.chart(metric="rsme", experiment="nyc-taxi")


def test_a_run_with_a_long_metric_is_shown_from_its_summaries(store):
    """Half a second for a million points, and what is said of it is said of all of them."""
    with tracknb.start_run() as run:
        for step in range(20_000):
            tracknb.log_metric("loss", 9.0 if step == 12_345 else step / 1e6, step=step)
    [live] = [as_live(tracknb.MlflowClient(), tracknb.get_run(run.info.run_id))]

    series = live.series["loss"]
    assert len(series.x) <= 2_500
    assert (series.count, series.max, series.max_step, series.last_step) == (20_000, 9.0, 12_345, 19_999)
    assert 9.0 in series.y


def test_stars_and_archived_runs_choose_rows(client):
    """A star is a tag of one user; what is archived is left out of all but the table's data."""
    runs = {run.info.run_name: run.info.run_id for run in client.search_runs(["1"])}
    client.set_tag(runs["ridge"], star_tag(user_name()), "true")
    client.set_tag(runs["linear"], star_tag("somebody-else"), "true")
    client.set_tag(runs["forest"], "tracknb.archived", "true")

    assert found("nyc-taxi", "--starred") == ["ridge"]
    assert "forest" not in run_verb(["runs", "nyc-taxi"]).text()
    assert "forest" in run_verb(["runs", "nyc-taxi", "--archived"]).text()
    assert list(run_verb(["df", "nyc-taxi"]).to_pandas()["metrics.rmse"]) == [3.7, 4.6]
    assert list(run_verb(["df", "nyc-taxi", "--archived"]).to_pandas()["metrics.rmse"]) == [3.3, 3.7, 4.6]
    assert "forest" not in tracknb.trend(experiment="nyc-taxi").text()


def test_a_page_reads_all_rows_of_a_table_that_is_gone(client):
    """After a restart of the kernel nobody holds the view, so the question is put again."""
    table = tracknb.runs_table("metrics.rmse > 3.5", experiment="nyc-taxi", tags="candidate")
    asked = {"ask": "rows", "view": table.view_id, "from": 0, "count": 10, "asked": table.payload()["asked"]}

    first = answer(asked).content
    again = answer({**asked, "view": "gone"}).content

    assert first["view"] == table.view_id != again["view"]
    assert first["name"] == again["name"] == ["ridge"]
    assert answer({**asked, "view": again["view"]}).content["view"] == again["view"]
    for wrong in ({"from": -1}, {"count": "9"}, {"view": "gone", "asked": None}):
        with pytest.raises(InvalidValue):
            answer({**asked, **wrong})


def test_a_page_asks_which_runs_match_what_its_output_does_not_hold(client):
    [ridge] = [run for run in client.search_runs(["1"]) if run.info.run_name == "ridge"]
    asked = {"ask": "matching", "experiment": "nyc-taxi", "query": f"artifact_uri = '{ridge.info.artifact_uri}'"}

    assert answer(asked).content == {"ids": [ridge.info.run_id]}
    assert answer({**asked, "experiment": None}).content == {"ids": [ridge.info.run_id]}
    with pytest.raises(FilterError):
        answer({**asked, "query": "metrics.rmse <"})


def test_small_curves_are_given_by_run_and_metric(client):
    ids = [run.info.run_id for run in client.search_runs(["1"])]

    assert answer({"ask": "sparks", "ids": [*ids[:1], "gone"], "keys": ["rmse", "none"]}).content == {
        "sparks": {ids[0]: {"rmse": "f0"}}
    }
    assert tracknb.runs_table(experiment="nyc-taxi").payload()["sparks"] == {"rmse": ["f0", "f0", "f0"]}


def test_an_experiment_says_of_its_metrics_which_way_is_better(client):
    tracknb.set_experiment_metric("rmse", direction="higher", unit="$", primary=True, experiment="nyc-taxi")
    payload = tracknb.runs_table(experiment="nyc-taxi").payload()

    assert (payload["directions"], payload["units"], payload["primary"]) == ({"rmse": "higher"}, {"rmse": "$"}, "rmse")
    tracknb.set_experiment_metric("rmse", primary=False, experiment="nyc-taxi")
    assert tracknb.runs_table(experiment="nyc-taxi").payload()["primary"] is None
    with pytest.raises(InvalidValue, match="'lower' or 'higher', not 'up'"):
        tracknb.set_experiment_metric("rmse", direction="up")


def test_compare_takes_names_ids_and_last_and_the_first_is_the_baseline(client: tracknb.TrackingClient) -> None:
    [newest] = client.search_runs(["1"], max_results=1)

    for word in ("last", "forest", newest.info.run_id, newest.info.run_id[:8]):
        view = run_verb(["compare", "linear", word])
        assert isinstance(view, Comparison)
        assert [run.info.run_name for run in view.runs] == ["linear", "forest"]
        assert "≠  rmse" in view.text()
        [curve] = view.payload()["curves"]
        assert (curve["key"], [part["y"] for part in curve["runs"]]) == ("rmse", [[5.1, 4.6], [3.8, 3.3]])


@pytest.mark.parametrize("argv", [["compare"], ["compare", "linear"], ["compare", "linear", "linear"]])
def test_a_comparison_of_less_than_two_runs_says_how(client: tracknb.TrackingClient, argv: list[str]) -> None:
    with pytest.raises(InvalidValue, match=r"at least two runs.*%track compare baseline last"):
        run_verb(argv)


def test_compare_suggests_the_nearest_name(client: tracknb.TrackingClient) -> None:
    with pytest.raises(NotFound, match="Did you mean 'forest'"):
        run_verb(["compare", "linear", "forrest"])


def test_too_many_runs_do_not_stand_side_by_side(client: tracknb.TrackingClient) -> None:
    ids = [client.create_run("1", run_name=f"r{number}").info.run_id for number in range(51)]

    with pytest.raises(InvalidValue, match="51 runs are too many"):
        tracknb.compare(ids)


def test_compare_takes_runs_frames_and_tables(client: tracknb.TrackingClient) -> None:
    table = tracknb.runs_table(experiment="nyc-taxi")

    for given in ([*table.runs], [table], [table.to_pandas()], ["forest", "ridge", "linear"]):
        assert [run.info.run_name for run in tracknb.compare(*given).runs] == ["forest", "ridge", "linear"]


def test_the_direction_of_a_metric_is_the_experiments(client: tracknb.TrackingClient) -> None:
    assert "better" in tracknb.compare("linear", "forest").text()
    client.set_experiment_tag("1", "tracknb.direction.rmse", "higher")

    assert "worse" in tracknb.compare("linear", "forest").text()


def test_a_page_asks_for_a_comparison_by_ids(client: tracknb.TrackingClient) -> None:
    ids = [run.info.run_id for run in client.search_runs(["1"])]

    told = answer({"ask": "compare", "ids": ids}).content
    assert (told["kind"], told["data"]["id"]) == ("compare", ids)
    with pytest.raises(InvalidValue):
        answer({"ask": "compare", "ids": "linear"})


def test_the_catalogue_of_a_thousand_experiments_is_a_handful_of_statements(client: tracknb.TrackingClient) -> None:
    for number in range(1_000):
        client.create_experiment(f"experiment-{number}", tags={"owner": f"user-{number % 7}"})
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        view = run_verb(["experiments"])
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)

    assert isinstance(view, ExperimentList)
    assert view.headline() == "All (1,002)"
    assert len(statements) <= 10
    assert len(json.dumps(view.payload())) < 150_000


def test_a_page_changes_what_an_experiment_says(client: tracknb.TrackingClient) -> None:
    taxi = client.get_experiment_by_name("nyc-taxi")
    assert taxi is not None
    asked = {"ask": "change_experiment", "id": taxi.experiment_id, "set": {"owner": "ada", "x": "1"}, "delete": []}

    assert answer(asked).content == {"tags": {"owner": "ada", "x": "1"}}
    assert answer({**asked, "set": {}, "delete": ["x"]}).content == {"tags": {"owner": "ada"}}
    page = answer({"ask": "experiment", "id": taxi.experiment_id}).content
    assert page["kind"] == "experiment"
    assert (page["data"]["runs"], page["runs"]["total"], page["stage"]) == ([3], 3, "active")
    listed = answer({"ask": "experiments"}).content
    assert listed["data"]["name"] == ["nyc-taxi", "empty-exp"]
    for bad in ({"set": {"owner": 1}}, {"set": "x"}, {"delete": "x"}, {"id": 1}, {"set": {"": "x"}}):
        with pytest.raises(InvalidValue):
            answer({**asked, **bad})
    with pytest.raises(NotFound):
        answer({**asked, "id": "999"})


@pytest.mark.parametrize(
    ("argv", "held"),
    [
        ([], ["empty-exp", "forest"]),
        (["runs", "nyc-taxi", "--query", "metrics.rmse < 3.5"], ["forest"]),
        (["experiments"], ["empty-exp"]),
    ],
)
def test_save_writes_what_a_verb_shows(
    client: tracknb.TrackingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], held: list[str]
) -> None:
    script = tmp_path / "standalone.js"
    script.write_text("1;")
    monkeypatch.setattr(standalone, "_IN_CHECKOUT", script)
    view = run_verb(["save", str(tmp_path / "page.html"), *argv])

    assert isinstance(view, Saved)
    assert view.text().startswith("Saved page.html (")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(name in page for name in held)
    assert ("ridge" in page) == (not argv)


def test_diff_shows_only_what_differs(client: tracknb.TrackingClient) -> None:
    view = run_verb(["diff", "linear", "ridge"])

    assert view is not None
    assert "stage" in view.text()
    assert "evaluation set" not in view.text()
    assert view.payload()["onlyDifferences"]
