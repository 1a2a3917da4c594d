"""The filter language: what it accepts, what it finds, and how it says no."""

from __future__ import annotations

import math

import pytest

import tracknb
from tracknb.errors import FilterError
from tracknb.search import And, Comparison, Not, Or, Order, parse_filter, parse_order


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.rmse < 4", Comparison("metrics", "rmse", "<", 4.0)),
        ("metric.rmse<=.1", Comparison("metrics", "rmse", "<=", 0.1)),
        ("metrics.rmse > -1e-3", Comparison("metrics", "rmse", ">", -0.001)),
        ("metrics.`val loss` = 1", Comparison("metrics", "val loss", "=", 1.0)),
        ('metrics."val loss" = 1', Comparison("metrics", "val loss", "=", 1.0)),
        ("metrics.a/b-c.d = 1", Comparison("metrics", "a/b-c.d", "=", 1.0)),
        ("params.model = 'ridge'", Comparison("params", "model", "=", "ridge")),
        ('params.model = "ridge"', Comparison("params", "model", "=", "ridge")),
        ("params.lr < 0.1", Comparison("params", "lr", "<", 0.1)),
        ("tags.mlflow.runName LIKE 'a%'", Comparison("tags", "mlflow.runName", "LIKE", "a%")),
        ("tag.stage ilike 'A%'", Comparison("tags", "stage", "ILIKE", "A%")),
        ("attributes.status != 'FAILED'", Comparison("attributes", "status", "!=", "FAILED")),
        ("status IN ('FAILED', 'KILLED')", Comparison("attributes", "status", "IN", ("FAILED", "KILLED"))),
        ("run_id not in ('a')", Comparison("attributes", "run_id", "NOT IN", ("a",))),
        ("tags.x IS NULL", Comparison("tags", "x", "IS NULL", None)),
        ("tags.x is not null", Comparison("tags", "x", "IS NOT NULL", None)),
        ("created > 5", Comparison("attributes", "start_time", ">", 5.0)),
        ("", None),
        ("   ", None),
    ],
)
def test_a_comparison_is_read(text, expected):
    assert parse_filter(text) == expected


def test_and_binds_closer_than_or():
    a, b, c = (Comparison("metrics", key, "=", 1.0) for key in "abc")

    assert parse_filter("metrics.a = 1 or metrics.b = 1 and metrics.c = 1") == Or((a, And((b, c))))
    assert parse_filter("(metrics.a = 1 or metrics.b = 1) AND NOT metrics.c = 1") == And((Or((a, b)), Not(c)))


def test_orders_are_read():
    assert parse_order(["metrics.rmse DESC", "start_time", "params.`a b` asc"]) == (
        Order("metrics", "rmse", True),
        Order("attributes", "start_time", False),
        Order("params", "a b", False),
    )


def test_an_error_points_into_the_users_own_text():
    with pytest.raises(FilterError) as caught:
        parse_filter("metrics.rmse < four")

    assert str(caught.value) == (
        "metrics.rmse needs a number after '<', not the word 'four'\n"
        "\n"
        "    metrics.rmse < four\n"
        "                   ~~~~\n"
        "\n"
        "Numbers stand bare (metrics.rmse < 4); text stands in quotes, after params. or tags."
    )


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("metrcs.rmse < 4", "Did you mean 'metrics.'?"),
        ("stauts = 'FAILED'", "Did you mean 'status'?"),
        ("metrics.rmse < '4'", "needs a number"),
        ("tags.stage = 4", "needs a text in quotes"),
        ("metrics.rmse <", "The filter ends where a value"),
        ("metrics.rmse", "The filter ends where an operator"),
        ("metrics.rmse 4", "needs an operator"),
        ("metrics.rmse < 4 metrics.mae < 3", "joined by AND or OR"),
        ("tags.stage = 'open", "never closed"),
        ("(metrics.a = 1", "The filter ends where ')'"),
        ("metrics.a LIKE 'x'", "is a number"),
        ("attributes.stauts = 'FAILED'", "Did you mean 'status'?"),
        ("loss < 4", "Did you mean 'metrics.loss' or 'params.loss'?"),
        ("metrics.a = 1 && metrics.b = 2", "Did you mean AND?"),
        ("metrics.a = 1 || metrics.b = 2", "Did you mean OR?"),
        ("metrics.a = 1)", "This ) closes nothing."),
        ("tags.a = 'it's'", "A text that holds ' stands in \"."),
        ("tags.a = 'x''y'", "A text that holds ' stands in \"."),
        ("status = FINISHED", "Write 'FINISHED' in single quotes."),
        ("metrics.`a b`.median < 1", "Nothing such as '.median' follows a key in quotes."),
        ("params.`a b`.min < 1", "Nothing such as '.min' follows a key in quotes."),
        ("metrics. = 1", "comes a key"),
        ("; DROP TABLE runs", "is nothing to filter by"),
        ("'; DROP TABLE runs; --' = 1", "is nothing to filter by"),
    ],
)
def test_what_cannot_be_read_is_said(text, part):
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("metrcs.rmse < 4", "metrcs"),
        ("metrics.rmse < 4 and attributes.stauts = 'x'", "stauts"),
        ("stauts = 'x'", "stauts"),
        ("metrics.a < 1 and\ttags.b = 4 or x", "4"),
        ("tags.a = '\x1b[2J' && tags.b = 'x'", "&&"),
        ("metrics.a = 1 and tags.b = 'open", "'"),
        ("metrics.`a b`.median < 1", ".median"),
    ],
)
def test_the_mark_stands_under_what_is_wrong(text, marked):
    with pytest.raises(FilterError) as caught:
        parse_filter(text)

    _, _, shown, mark, *_ = str(caught.value).splitlines()
    assert text[caught.value.start : caught.value.end] == marked
    assert "".join(sign for sign, under in zip(shown, mark, strict=False) if under == "~") == marked
    assert str(caught.value).replace("\n", "").isprintable()


def test_only_the_neighbourhood_of_a_fault_is_shown():
    with pytest.raises(FilterError) as caught:
        parse_filter("metrics.a = 1 and " * 1_000 + "x" * 100_000)

    assert len(str(caught.value)) < 800


@pytest.mark.parametrize(
    "text",
    ["(" * 5_000 + "metrics.a = 1" + ")" * 5_000, "not " * 5_000 + "metrics.a = 1", "metrics.a = 1 and " * 80_000],
)
def test_huge_filters_end_in_a_clear_error(text):
    with pytest.raises(FilterError):
        parse_filter(text)


def test_a_long_chain_of_and_is_read():
    assert len(parse_filter(" and ".join(["metrics.a = 1"] * 5_000)).items) == 5_000


@pytest.fixture
def runs(store):
    """Three runs: one with everything, one with other values, one that lacks them."""
    with tracknb.start_run(run_name="Ridge"):
        tracknb.log_metrics({"rmse": 3.0, "loss": 0.05})
        tracknb.log_params({"lr": 0.1, "model": "ridge"})
        tracknb.set_tags({"stage": "candidate", "n": "10"})
    with tracknb.start_run(run_name="forest"):
        tracknb.log_metrics({"rmse": 5.0, "loss": math.nan})
        tracknb.log_params({"lr": "1e-2", "model": "forest"})
        tracknb.set_tag("stage", "old")
    with tracknb.start_run(run_name="bare"):
        tracknb.log_param("lr", "auto")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("metrics.rmse < 4", {"Ridge"}),
        ("metrics.rmse != 3", {"forest"}),
        ("metrics.rmse >= 3 and params.model = 'forest'", {"forest"}),
        ("metrics.loss < .1", {"Ridge"}),
        ("metrics.loss != 0.05", {"forest"}),
        ("metrics.loss = nan", {"forest"}),
        ("params.lr < 0.05", {"forest"}),
        ("params.lr = '0.1'", {"Ridge"}),
        ("params.lr = 0.10", {"Ridge"}),
        ("params.lr != 7", {"Ridge", "forest"}),
        ("tags.stage = 'candidate'", {"Ridge"}),
        ("tags.stage != 'candidate'", {"forest"}),
        ("tags.stage is null", {"bare"}),
        ("tags.stage is not null", {"Ridge", "forest"}),
        ("metrics.rmse is null", {"bare"}),
        ("not metrics.rmse < 4", {"forest", "bare"}),
        ("metrics.rmse < 4 or run_name = 'bare'", {"Ridge", "bare"}),
        ("run_name like 'ri%'", set()),
        ("run_name ilike 'ri%'", {"Ridge"}),
        ("run_name like '%r_s%'", {"forest"}),
        ("tags.stage in ('old', 'new')", {"forest"}),
        ("status = 'FINISHED'", {"Ridge", "forest", "bare"}),
        ("tags.stage = ''' OR 1=1 --'", None),
        ("tags.stage = '* OR 1=1 --'", set()),
        ("metrics.unknown < 4", set()),
    ],
)
def test_the_filter_finds(runs, text, found):
    if found is None:
        with pytest.raises(FilterError):
            tracknb.search_runs(filter_string=text, output_format="list")
        return
    assert {run.info.run_name for run in tracknb.search_runs(filter_string=text, output_format="list")} == found


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (["metrics.rmse DESC"], ["forest", "Ridge", "bare"]),
        (["metrics.rmse"], ["Ridge", "forest", "bare"]),
        (["metrics.loss ASC"], ["Ridge", "forest", "bare"]),
        (["params.model"], ["forest", "Ridge", "bare"]),
        (["run_name"], ["Ridge", "bare", "forest"]),
        ([], ["bare", "forest", "Ridge"]),
    ],
)
def test_missing_values_come_last_in_both_directions(runs, order, names):
    assert [run.info.run_name for run in tracknb.search_runs(order_by=order, output_format="list")] == names


def test_experiments_are_filtered_and_ordered(store):
    tracknb.create_experiment("taxi", tags={"owner": "adam"})
    tracknb.create_experiment("digits", tags={"owner": "eve"})

    def found(**options):
        return [experiment.name for experiment in tracknb.search_experiments(**options)]

    assert found(filter_string="tags.owner = 'adam'") == ["taxi"]
    assert found(filter_string="name like 'd%'") == ["digits"]
    assert found(order_by=["name DESC"]) == ["taxi", "digits", "Default"]
    assert found(order_by=["name"], max_results=1) == ["Default"]
    with pytest.raises(FilterError, match="Experiments have no metrics"):
        found(filter_string="metrics.rmse < 4")
