"""The same searches on the same data find the same runs and experiments, page by page."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.differential import wider
from tests.differential.corpus import CASES, Case
from tests.differential.data import RUNS, RunPlan


def answers_to(searches: Any, case: Case) -> tuple[dict[str, Any], dict[str, Any]]:
    place = (*CASES, *wider.CASES, *wider.STRICTER_CASES).index(case)
    return searches.mlflow["cases"][place], searches.tracknb["cases"][place]


def is_clear(answer: dict[str, Any]) -> bool:
    """Return whether an answer is a refusal in the user's words, and no crash."""
    return answer.get("error_code") == "INVALID_PARAMETER_VALUE"


# What both answer, or MLflow refuses; the differences that are meant have tests of their own.
ON_PURPOSE = {
    "runs: metrics.rmse < 1e400": "infinity is kept as such here, and is not below itself",
    "runs: params.model = '\\x00'": "no store holds NUL, so it is a mistake",
    "runs:  | order ['metrics.']": "an order needs a name",
    "experiments: name = 'quote''s' | in ": "a doubled quote is refused",
    "experiments: tags.note = 'it''s 50% \"good\"' | in ": "a doubled quote is refused",
    "experiments: name = 'main' AND | in ": "a filter that breaks off is refused",
    "experiments: name = 'main' name = 'other' | in ": "comparisons that nothing joins are refused",
}
SHARED = [case for case in CASES if case not in (*wider.CASES, *wider.STRICTER_CASES) and str(case) not in ON_PURPOSE]


@pytest.mark.parametrize("case", SHARED, ids=str)
def test_a_search_finds_what_mlflow_finds(searches, case):
    """What MLflow refuses, tracknb refuses in words, or knows an answer to."""
    theirs, ours = answers_to(searches, case)

    if theirs.get("refused"):
        assert is_clear(ours) or "pages" in ours, (theirs, ours)
    else:
        assert ours == theirs


@pytest.mark.parametrize("text", wider.WIDER)
def test_a_wider_filter_finds_what_python_finds(searches, text):
    """Should a newer MLflow learn the words, both must agree again."""
    theirs, ours = answers_to(searches, Case(text))

    assert ours == {"pages": [wider.expected(wider.WIDER[text])]}
    # MLflow takes an aggregate for the name of a metric, which nobody has.
    assert theirs.get("refused") or theirs == ours or theirs == {"pages": [[]]}


@pytest.mark.parametrize("order_by", wider.LENIENT_ORDERS)
def test_an_order_that_only_tracknb_takes(searches, order_by):
    theirs, ours = answers_to(searches, Case(order_by=order_by))

    key = wider.LENIENT_ORDERS[order_by]
    there = [run for run in RUNS if run.experiment == "main" and not run.deleted]
    newest_first = sorted(there, key=lambda run: (-run.start_time, run.run_id))
    if order_by[0] == "start_time":
        newest_first = sorted(there, key=lambda run: run.run_id)
    assert ours == {"pages": [[run.name for run in sorted(newest_first, key=key)]]}
    assert theirs.get("refused")


@pytest.mark.parametrize("text", wider.STRICTER)
def test_a_filter_that_mlflow_takes_by_accident_is_refused(searches, text):
    theirs, ours = answers_to(searches, Case(text))

    assert "pages" in theirs
    assert is_clear(ours), ours


def test_the_corpus_is_large_enough():
    assert len(SHARED) >= 300


def test_everything_could_be_logged(searches):
    assert searches.mlflow["failed"] == []
    assert searches.tracknb["failed"] == []


@pytest.mark.parametrize("name", [run.name for run in RUNS])
def test_a_run_holds_what_mlflow_holds(searches, name):
    """Infinities and points logged twice are kept here, and MLflow changes them."""
    theirs, ours = (plain(side["values"][name]) for side in (searches.mlflow, searches.tracknb))

    [plan] = [run for run in RUNS if run.name == name]
    assert ours == theirs
    assert ours["metrics"] == {key: shown(plan.last(key)) for key in last_keys(plan)}


def last_keys(plan: RunPlan) -> set[str]:
    return {point.key for point in plan.metrics}


def plain(values: dict[str, Any]) -> dict[str, Any]:
    return values | {
        "metrics": {key: shown(value) for key, value in values["metrics"].items()},
        "tags": {key: value for key, value in values["tags"].items() if key != "mlflow.user"},
        "histories": {
            key: sorted({(step, time, str(shown(value))) for step, time, value in history})
            for key, history in values["histories"].items()
        },
    }


def shown(value: float | None) -> Any:
    if value is None or math.isnan(value):
        return "NaN"
    return math.copysign(1.7976931348623157e308, value) if math.isinf(value) else value
