"""What every store promises, held against SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import math
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import sqlalchemy as sa

import tracknb
from tracknb.entities import ExperimentUse
from tracknb.errors import AlreadyExists, InvalidValue, NotFound, ParamChanged

pytestmark = pytest.mark.usefixtures("any_store")
HOSTILE = [
    "'; DROP TABLE runs; --",
    "<img src=x onerror=alert(1)>",
    "\u202eevil",
    "100% _x_",
    "a\\b",
    "🚕 é ﷺ",
    "x" * 6000,
]


def values(run_id, key):
    return [point.value for point in tracknb.get_metric_history(run_id, key)]


@pytest.mark.parametrize(
    "value",
    [
        0.1,
        5e-324,
        -5e-324,
        1.7976931348623155e308,
        math.pi,
        math.inf,
        -math.inf,
        123456789012345678.0,
        2**53,
        True,
        np.float32(0.1),
        np.int64(7),
        np.array(2.5),
        Decimal("0.5"),
        Fraction(1, 3),
    ],
)
def test_a_number_comes_back_exactly(value):
    with tracknb.start_run() as run:
        tracknb.log_metric("m", value)
    assert values(run.info.run_id, "m") == [float(value)]
    assert tracknb.get_run(run.info.run_id).data.metrics == {"m": float(value)}


def test_nan_comes_back_as_nan_and_minus_zero_as_zero():
    with tracknb.start_run() as run:
        tracknb.log_metrics({"nan": math.nan, "zero": -0.0})
    assert math.isnan(values(run.info.run_id, "nan")[0])
    assert math.copysign(1, values(run.info.run_id, "zero")[0]) == 1


def test_the_greatest_number_comes_back_or_is_refused_by_name(any_store):
    with tracknb.start_run() as run:
        if any_store.startswith("mysql"):
            with pytest.raises(InvalidValue, match="'m'"):
                tracknb.log_metric("m", sys.float_info.max)
        else:
            tracknb.log_metric("m", sys.float_info.max)
            assert values(run.info.run_id, "m") == [sys.float_info.max]


@pytest.mark.parametrize("value", ["0.5", None, 1j, 2**60 + 1, 10**400, [1.0, 2.0], b"1"])
def test_what_is_no_number_is_refused_with_its_name_and_nothing_is_logged(value):
    with tracknb.start_run() as run:
        with pytest.raises(InvalidValue, match="'bad'"):
            tracknb.log_metrics({"good": 1.0, "bad": value})
        assert tracknb.get_run(run.info.run_id).data.metrics == {}


@pytest.mark.parametrize("step", [0, -1, 2**63 - 1, -(2**63), np.int32(3)])
def test_a_step_comes_back_exactly(step):
    with tracknb.start_run() as run:
        tracknb.log_metric("m", 1.0, step=step)
    assert [point.step for point in tracknb.get_metric_history(run.info.run_id, "m")] == [int(step)]


@pytest.mark.parametrize("step", [2**63, 0.5, "1", math.nan])
def test_a_step_that_is_no_whole_number_is_refused(step):
    with tracknb.start_run(), pytest.raises(InvalidValue, match="step"):
        tracknb.log_metric("m", 1.0, step=step)


def test_equal_points_are_kept_as_points():
    with tracknb.start_run() as run:
        for _ in range(3):
            tracknb.log_metric("m", 1.0, step=1, timestamp=5)
    assert values(run.info.run_id, "m") == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_comes_back_exactly(text):
    name = text[:250]
    experiment = tracknb.create_experiment(f"e {name}", tags={"t": text[:5000]})
    tracknb.set_experiment(experiment_id=experiment)
    with tracknb.start_run(run_name=name, tags={"t": text}, description=text) as run:
        tracknb.log_param("p", text)
    found = tracknb.get_run(run.info.run_id)
    assert found.info.run_name == name
    assert found.data.params == {"p": text}
    assert found.data.tags["t"] == text
    assert found.data.tags["mlflow.note.content"] == text
    assert tracknb.get_experiment_by_name(f"e {name}").tags == {"t": text[:5000]}
    [run] = tracknb.MlflowClient().search_runs([experiment], order_by=["params.p"])
    assert run.data.params["p"] == text


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_a_text_that_some_database_refuses_is_refused_by_all(text):
    with tracknb.start_run() as run:
        with pytest.raises(InvalidValue, match="'p'"):
            tracknb.log_params({"fine": "1", "p": text})
        assert tracknb.get_run(run.info.run_id).data.params == {}


def test_names_and_values_that_look_alike_stay_apart():
    """Databases' default collations take A for a, and 'a ' for 'a'."""
    alike = {"Acc": "x", "acc": "X", "áçc": "x ", "acc2": "x"}
    with tracknb.start_run() as run:
        tracknb.log_params(alike)
        tracknb.log_metrics({"Loss": 1.0, "loss": 2.0})
    found = tracknb.get_run(run.info.run_id).data
    assert found.params == alike
    assert found.metrics == {"Loss": 1.0, "loss": 2.0}
    for query, count in {
        "params.Acc = 'x'": 1,
        "params.Acc = 'X'": 0,
        "params.áçc = 'x'": 0,
        "metrics.Loss = 2": 0,
        "params.acc LIKE 'x%'": 0,
        "params.acc ILIKE 'x%'": 1,
    }.items():
        assert len(tracknb.search_runs(filter_string=query)) == count, query


def test_a_param_keeps_its_first_value():
    with tracknb.start_run() as run:
        tracknb.log_param("lr", 0.1)
        tracknb.log_param("lr", 0.1)
        with pytest.raises(ParamChanged, match=r"'0\.1'.*'0\.2'"):
            tracknb.log_params({"new": 1, "lr": 0.2})
    assert tracknb.get_run(run.info.run_id).data.params == {"lr": "0.1"}


def test_an_experiment_is_made_once():
    number = tracknb.create_experiment("taxi")
    with pytest.raises(AlreadyExists, match=number):
        tracknb.create_experiment("taxi")
    assert tracknb.set_experiment("taxi").experiment_id == number
    assert tracknb.get_experiment("0").name == "Default"
    with pytest.raises(NotFound):
        tracknb.get_experiment("999")


def test_the_use_of_experiments_is_counted_in_one_statement_without_deleted_runs():
    client = tracknb.MlflowClient()
    taxi, empty, mnist = (client.create_experiment(name) for name in ("taxi", "empty", "mnist"))
    for number, (experiment, user) in enumerate([(taxi, "ada"), (taxi, "bob"), (mnist, "bob"), (taxi, "ada")]):
        run = client.create_run(experiment, start_time=1_000 + number, tags={"mlflow.user": user})
        client.set_terminated(run.info.run_id)
    client.delete_run(run.info.run_id)
    statements = []

    def note(connection, cursor, statement, *_):
        statements.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        use = client.experiment_use("ada")
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)

    assert use == {taxi: ExperimentUse(2, 1, 1_001), mnist: ExperimentUse(1, 0, 1_002)}
    assert sum("runs" in statement for statement in statements) == 1
    assert client.experiment_use("bob", [mnist, empty]) == {mnist: ExperimentUse(1, 1, 1_002)}
    assert client.experiment_use("bob", []) == {}


def test_tags_of_an_experiment_change_together_or_not_at_all():
    client = tracknb.MlflowClient()
    taxi = client.create_experiment("taxi", tags={"owner": "ada", "team": "x"})

    changed = client.change_experiment_tags(taxi, {"owner": "bob", "lifecycle": "experimental"}, ["team", "unknown"])

    assert changed.tags == {"owner": "bob", "lifecycle": "experimental"}
    with pytest.raises(InvalidValue):
        client.change_experiment_tags(taxi, {"owner": "eve", "": "x"}, ["lifecycle"])
    assert client.get_experiment(taxi).tags == changed.tags
    with pytest.raises(NotFound):
        client.change_experiment_tags("999", {"owner": "eve"})


def test_threads_race_for_an_experiment_and_find_one():
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: tracknb.MlflowClient().get_or_create_experiment("taxi"), range(16)))
    assert len({experiment.experiment_id for experiment in found}) == 1


def test_the_latest_value_is_that_of_the_highest_step_then_time_then_value():
    with tracknb.start_run() as run:
        for value, step, timestamp in [(1, 5, 10), (9, 3, 99), (2, 5, 10), (math.nan, 5, 10), (7, 5, 9)]:
            tracknb.log_metric("m", value, step=step, timestamp=timestamp)
            tracknb.flush()
        for value, step, timestamp in [(1, 5, 10), (math.nan, 5, 10), (2, 5, 10), (7, 5, 9)]:
            tracknb.log_metric("at_once", value, step=step, timestamp=timestamp)
    assert tracknb.get_run(run.info.run_id).data.metrics == {"m": 2.0, "at_once": 2.0}
    summary = tracknb.MlflowClient().metric_summaries(run.info.run_id)["m"]
    assert (summary.count, summary.min, summary.max, summary.min_step, summary.max_step) == (5, 1.0, 9.0, 5, 3)


def test_a_history_comes_by_step_then_time():
    with tracknb.start_run() as run:
        for value, step, timestamp in [(1, 2, 5), (2, 1, 9), (3, 2, 4), (4, 1, 9)]:
            tracknb.log_metric("m", value, step=step, timestamp=timestamp)
    assert values(run.info.run_id, "m") == [2, 4, 3, 1]


def test_histories_of_many_runs_come_as_one_tidy_table():
    runs = []
    for number in range(3):
        with tracknb.start_run() as run:
            for step in range(4):
                tracknb.log_metrics({"loss": number + step / 10, "acc": math.inf, "odd": math.nan}, step=step)
            runs.append(run.info.run_id)
    client = tracknb.MlflowClient()
    frame = client.get_metric_history_df(runs[::-1], ["loss", "acc"])
    assert list(frame.columns) == ["run_id", "key", "step", "timestamp", "value"]
    assert len(frame) == 3 * 4 * 2
    first = frame[(frame["run_id"] == runs[1]) & (frame["key"] == "loss")]
    assert first["value"].tolist() == [1.0, 1.1, 1.2, 1.3]
    assert first["step"].tolist() == [0, 1, 2, 3]
    assert frame[frame["key"] == "acc"]["value"].tolist() == [math.inf] * 12
    one = client.get_metric_history_df(runs[0], "odd")
    assert one["run_id"].tolist() == [runs[0]] * 4
    assert one["value"].isna().all()
    assert client.get_metric_history_df(runs[0], "none").empty
    assert len(client.get_metric_history_df(runs)) == 36
    with pytest.raises(NotFound):
        client.get_metric_history_df("0" * 32)


def test_a_long_curve_keeps_its_ends_and_peaks_when_it_is_thinned():
    with tracknb.start_run() as run:
        for step in range(5_500):
            value = {1234: 99.0, 4321: -99.0, 5000: math.nan}.get(step, math.sin(step / 100))
            tracknb.log_metric("m", value, step=step, timestamp=step)
        curve = tracknb.MlflowClient().metric_series(run.info.run_id, "m", max_points=200)
    assert 20 <= len(curve) <= 220
    assert curve["step"].iloc[0] == 0
    assert curve["step"].iloc[-1] == 5_499
    assert curve["value"].max() == 99.0
    assert curve["value"].min() == -99.0
    assert curve["step"].is_monotonic_increasing
    assert curve["timestamp"].tolist() == curve["step"].tolist()


def test_a_curve_logged_in_small_portions_is_summarised_alike():
    with tracknb.start_run() as run:
        for step in range(2_500):
            tracknb.log_metric("m", float(step % 700), step=step)
            if step % 97 == 0:
                tracknb.flush()
        curve = tracknb.MlflowClient().metric_series(run.info.run_id, "m", max_points=100)
    assert curve["value"].max() == 699.0
    assert curve["step"].iloc[-1] == 2_499


def test_filters_and_orders_mean_the_same_everywhere():
    for number, (loss, model) in enumerate([(0.5, "ridge"), (math.nan, "Ridge"), (0.1, None), (math.inf, "forest")]):
        with tracknb.start_run(run_name=f"r{number}"):
            tracknb.log_metric("loss", loss)
            if model is not None:
                tracknb.log_params({"model": model, "depth": 10**number, "text": "9" if number else "abc"})
    with tracknb.start_run(run_name="bare"):
        pass

    def names(query="", order=("attributes.run_name",)):
        return " ".join(tracknb.search_runs(filter_string=query, order_by=list(order))["tags.mlflow.runName"])

    assert names("metrics.loss < 1") == "r0 r2"
    assert names("metrics.loss > 1") == "r3"
    assert names("NOT metrics.loss < 1") == "bare r1 r3"
    assert names("params.depth > 5") == "r1 r3"
    assert names("params.text < 10") == "r1 r3"
    assert names("params.model IN ('ridge', 'forest')") == "r0 r3"
    assert names("params.model LIKE '%idge' OR tags.nothing = 'x'") == "r0 r1"
    assert names("params.model IS NULL") == "bare r2"
    assert names(order=("metrics.loss ASC", "attributes.run_name")) == "r2 r0 r3 r1 bare"
    assert names(order=("metrics.loss DESC", "attributes.run_name")) == "r3 r0 r2 r1 bare"
    assert names(order=("params.model ASC", "attributes.run_name")) == "r1 r3 r0 bare r2"


def test_tags_are_overwritten_and_taken_off():
    with tracknb.start_run() as run:
        tracknb.set_tags({"a": "1", "b": "2"})
        tracknb.set_tags({"a": "3"})
        tracknb.delete_tag("b")
        with pytest.raises(NotFound, match="'b'"):
            tracknb.delete_tag("b")
    tags = tracknb.get_run(run.info.run_id).data.tags
    assert tags["a"] == "3"
    assert "b" not in tags


def test_pages_hold_every_run_once():
    for _ in range(7):
        with tracknb.start_run():
            pass
    client, found, token = tracknb.MlflowClient(), [], None
    while True:
        page = client.search_runs(["0"], max_results=3, page_token=token)
        found += [run.info.run_id for run in page]
        token = page.token
        if token is None:
            break
    assert len(found) == len(set(found)) == 7


def test_a_deleted_run_is_passed_over_until_it_is_restored():
    client = tracknb.MlflowClient()
    with tracknb.start_run() as run:
        pass
    client.delete_run(run.info.run_id)
    assert client.search_runs(["0"]) == []
    client.restore_run(run.info.run_id)
    assert len(client.search_runs(["0"])) == 1


def test_threads_log_into_one_run_and_nothing_is_lost():
    with tracknb.start_run() as run, ThreadPoolExecutor(4) as pool:

        def work(number):
            for step in range(250):
                tracknb.log_metric(f"m{number}", float(step), step=step)
            tracknb.log_param(f"p{number}", number)

        list(pool.map(work, range(4)))
    found = tracknb.get_run(run.info.run_id).data
    assert found.params == {f"p{number}": str(number) for number in range(4)}
    for number in range(4):
        assert values(run.info.run_id, f"m{number}") == [float(step) for step in range(250)]


def test_a_run_is_held_against_the_one_in_its_place_of_the_attempt_before():
    """A cell may make several runs in one attempt, and fewer the time before."""
    client = tracknb.MlflowClient()

    def attempt(count, group="g"):
        first = client.create_run("0", attempt_group=group)
        tags = {key: first.data.tags[key] for key in ("tracknb.source.group", "tracknb.attempt")}
        more = [client.create_run("0", tags=tags) for _ in range(count - 1)]
        return [run.info.run_id for run in (first, *more)]

    def before(run_id):
        found = client.run_of_attempt_before(run_id)
        return None if found is None else found.info.run_id

    one, other, two, three = attempt(2), attempt(1, "h"), attempt(3), attempt(1)

    assert [before(run) for run in one + other] == [None, None, None]
    assert [before(run) for run in two] == [one[0], one[1], one[1]]
    assert before(three[0]) == two[0]
    client.delete_run(one[0])
    assert before(two[0]) == one[1]
    client.delete_run(three[0])
    assert before(three[0]) == two[0], "a deleted run has a page too"
    assert before(client.create_run("0").info.run_id) is None
