"""Alerts: what a run says by itself, once, in its tags and in its panel."""

from __future__ import annotations

import math

import pytest

import tracknb
from tracknb import active
from tracknb.errors import InvalidValue


@pytest.fixture(autouse=True)
def _no_rules(store):
    yield
    active.state.rules = active.Rules()


def alerts(run):
    tags = tracknb.get_run(run.info.run_id).data.tags
    return {key.removeprefix("tracknb.alert."): text for key, text in tags.items() if key.startswith("tracknb.alert.")}


@pytest.mark.parametrize(("value", "word"), [(math.nan, "NaN"), (math.inf, "infinite"), (-math.inf, "infinite")])
def test_a_metric_that_is_no_number_is_said_with_its_first_step(value, word):
    with tracknb.start_run() as run:
        for step, loss in enumerate([3.0, 2.0, 1.0, value, value]):
            tracknb.log_metric("loss", loss, step=step)

    assert alerts(run) == {"nan.loss": f"loss is {word} at step 3"}


def test_huge_numbers_whose_sum_overflows_are_numbers():
    with tracknb.start_run() as run:
        for step in range(4):
            tracknb.log_metric("loss", 1.7e308, step=step)

    assert alerts(run) == {}


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("val_loss", [3.0, 1.0, 1.5, 1.2, 1.1], {"plateau.val_loss": "val_loss has not got better for 3 steps"}),
        ("accuracy", [0.1, 0.9, 0.8, 0.7, 0.6], {"plateau.accuracy": "accuracy has not got better for 3 steps"}),
        ("val_loss", [5.0, 4.0, 3.0, 2.0, 1.0], {}),
        ("zorg", [5.0, 4.0, 5.0, 6.0, 5.0], {}),
    ],
)
def test_a_plateau_is_said_where_it_is_known_which_way_is_better(metric, values, expected):
    tracknb.set_alerts(plateau=3)

    with tracknb.start_run() as run:
        for step, value in enumerate(values):
            tracknb.log_metric(metric, value, step=step)

    assert alerts(run) == expected


def test_an_alert_comes_once():
    tracknb.set_alerts(plateau=1)
    with tracknb.start_run() as run:
        for step, value in enumerate([1.0, 2.0]):
            tracknb.log_metric("loss", value, step=step)
        active.snapshot([run.info.run_id])
        active.state.open[run.info.run_id].live.fold()
        active.check_alerts()
        first = alerts(run)
        for step in range(2, 9):
            tracknb.log_metric("loss", 3.0, step=step)

    assert first == alerts(run) == {"plateau.loss": "loss has not got better for 1 step"}


def test_a_run_that_takes_too_long_says_so(monkeypatch):
    tracknb.set_alerts(overtime="1h")
    with tracknb.start_run() as run:
        live = active.state.open[run.info.run_id].live
        live.start_time -= 3_600_001
        active.check_alerts()

    assert alerts(run) == {"overtime": "the run takes longer than 1 h"}


@pytest.mark.parametrize("asked", [{"plateau": 0}, {"plateau": True}, {"plateau": 1.5}, {"overtime": "soon"}])
def test_a_rule_that_makes_no_sense_is_refused(asked):
    with pytest.raises(InvalidValue):
        tracknb.set_alerts(**asked)


def test_searches_find_runs_by_their_alerts():
    tracknb.set_experiment("nyc-taxi")
    for value in (1.0, math.nan):
        with tracknb.start_run():
            tracknb.log_metric("loss", value)

    found = tracknb.search_runs(filter_string="tags.`tracknb.alert.nan.loss` LIKE '%'", output_format="list")
    assert [math.isnan(run.data.metrics["loss"]) for run in found] == [True]
