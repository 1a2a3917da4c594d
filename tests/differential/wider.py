"""Where tracknb and MLflow differ on purpose.

``WIDER``: filters that MLflow refuses and tracknb answers; what they find is computed
here, in plain Python over the description in ``data.py``. ``STRICTER``: filters that
MLflow takes by accident of its parser and tracknb refuses, because the user meant
something else. ``BEHAVIOURS``: the few calls that answer otherwise, and why.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from tests.differential.corpus import Case
from tests.differential.data import INF, RUNS, T0, RunPlan

Predicate: TypeAlias = Callable[[RunPlan], bool]


def _number(text: str | None) -> float | None:
    """Return a param's text as a number, as JSON and Python's ``repr`` write one."""
    return float(text) if text and re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text) else None


def metric(key: str, holds: Callable[[float], bool]) -> Predicate:
    """Return whether a run's last value fulfils something; a missing one fulfils nothing."""

    def predicate(run: RunPlan) -> bool:
        value = run.last(key)
        return value is not None and holds(value)

    return predicate


def param(key: str, holds: Callable[[str], bool]) -> Predicate:
    """Return whether a run's param fulfils something; a missing one fulfils nothing."""
    return lambda run: key in run.params and holds(run.params[key])


def number(key: str, holds: Callable[[float], bool]) -> Predicate:
    """Return whether a run's param is a number that fulfils something."""

    def predicate(run: RunPlan) -> bool:
        value = _number(run.params.get(key))
        return value is not None and holds(value)

    return predicate


def tag(key: str, holds: Callable[[str], bool]) -> Predicate:
    """Return whether a run's tag fulfils something; a missing one fulfils nothing."""
    return lambda run: key in run.tags and holds(run.tags[key])


def both(*items: Predicate) -> Predicate:
    """Return whether all of these hold."""
    return lambda run: all(item(run) for item in items)


def either(*items: Predicate) -> Predicate:
    """Return whether at least one of these holds."""
    return lambda run: any(item(run) for item in items)


def no(item: Predicate) -> Predicate:
    """Return whether this does not hold, also where the value is missing."""
    return lambda run: not item(run)


def _aggregate(key: str, which: Callable[[list[float]], float], holds: Callable[[float], bool]) -> Predicate:
    def predicate(run: RunPlan) -> bool:
        values = [point.value for point in run.metrics if point.key == key and point.value == point.value]
        return bool(values) and holds(which(values))

    return predicate


_small = metric("rmse", lambda v: v < 4)
_ridge = param("model", lambda v: v == "ridge")
_forest = param("model", lambda v: v == "forest")
_alpha = tag("team", lambda v: v == "alpha")
_finished: Predicate = lambda run: run.status == "FINISHED"  # noqa: E731

WIDER: Final[dict[str, Predicate]] = {
    # or, not, parentheses
    "params.model = 'ridge' OR params.model = 'forest'": either(_ridge, _forest),
    "params.model = 'ridge' or params.model = 'forest'": either(_ridge, _forest),
    "metrics.rmse < 4 AND params.model = 'ridge' OR tags.team = 'alpha'": either(both(_small, _ridge), _alpha),
    "tags.team = 'alpha' OR metrics.rmse < 4 AND params.model = 'ridge'": either(_alpha, both(_small, _ridge)),
    "(tags.team = 'alpha' OR metrics.rmse < 4) AND params.model = 'ridge'": both(either(_alpha, _small), _ridge),
    "(metrics.rmse < 4)": _small,
    "((metrics.rmse < 4) AND (params.model = 'ridge'))": both(_small, _ridge),
    "( metrics.rmse < 4 )": _small,
    "NOT metrics.rmse < 4": no(_small),
    "not metrics.rmse < 4": no(_small),
    "NOT NOT metrics.rmse < 4": _small,
    "NOT (metrics.rmse < 4 OR tags.team = 'alpha')": no(either(_small, _alpha)),
    "NOT (metrics.rmse < 4 AND tags.team = 'alpha')": no(both(_small, _alpha)),
    "NOT tags.team = 'alpha' AND status = 'FINISHED'": both(no(_alpha), _finished),
    "NOT params.model != 'ridge'": no(param("model", lambda v: v != "ridge")),
    "NOT params.model IS NULL": lambda run: "model" in run.params,
    "status = 'FAILED' OR status = 'KILLED' OR status = 'RUNNING'": lambda run: (
        run.status
        in (
            "FAILED",
            "KILLED",
            "RUNNING",
        )
    ),
    "params.absent = 'x' OR tags.absent = 'x'": lambda run: False,
    "NOT params.absent = 'x'": lambda run: True,
    # params as numbers
    "params.lr < 0.1": number("lr", lambda v: v < 0.1),
    "params.lr = 0.01": number("lr", lambda v: v == 0.01),
    "params.lr <= 1e-3": number("lr", lambda v: v <= 1e-3),
    "params.depth > 8": number("depth", lambda v: v > 8),
    "params.depth >= 10 AND params.lr < 0.1": both(number("depth", lambda v: v >= 10), number("lr", lambda v: v < 0.1)),
    "params.depth = 7": number("depth", lambda v: v == 7),
    "params.depth < 0": number("depth", lambda v: v < 0),
    "params.depth > -4 AND params.depth < 1": number("depth", lambda v: -4 < v < 1),
    "params.model = 7": number("model", lambda v: v == 7),
    "params.depth IN (1, 2, 11)": number("depth", lambda v: v in (1, 2, 11)),
    # in, and is null, everywhere
    "params.model IN ('ridge', 'forest')": either(_ridge, _forest),
    "params.model NOT IN ('ridge')": param("model", lambda v: v != "ridge"),
    "tags.team IN ('alpha')": _alpha,
    "tags.team not in ('alpha', 'x')": tag("team", lambda v: v not in ("alpha", "x")),
    "status IN ('FINISHED')": _finished,
    "status IN ('FAILED', 'KILLED')": lambda run: run.status in ("FAILED", "KILLED"),
    "run_name IN ('twin a', 'twin b')": lambda run: run.name in ("twin a", "twin b"),
    "run_name NOT IN ('twin a', 'twin b')": lambda run: run.name not in ("twin a", "twin b"),
    "user_id IN ('ann')": tag("mlflow.user", lambda v: v == "ann"),
    "metrics.rmse IN (3, 4)": metric("rmse", lambda v: v in (3, 4)),
    "metrics.rmse NOT IN (3)": metric("rmse", lambda v: v != 3),
    "start_time IN (1600005400000)": lambda run: run.start_time == 1600005400000,
    "metrics.rmse IS NULL": lambda run: run.last("rmse") is None,
    "metrics.rmse IS NOT NULL": lambda run: run.last("rmse") is not None,
    "end_time IS NULL": lambda run: run.end_time is None,
    "end_time IS NOT NULL": lambda run: run.end_time is not None,
    "start_time IS NULL": lambda run: False,
    "status IS NULL": lambda run: False,
    "run_name IS NOT NULL": lambda run: True,
    "params.model IS  NOT  NULL": lambda run: "model" in run.params,
    # numbers that MLflow's parser does not know
    "metrics.rmse > 1e+3": metric("rmse", lambda v: v > 1e3),
    "metrics.rmse > +3": metric("rmse", lambda v: v > 3),
    "metrics.rmse = nan": metric("rmse", lambda v: v != v),
    "metrics.rmse = NaN": metric("rmse", lambda v: v != v),
    "metrics.rmse != nan": metric("rmse", lambda v: v == v),
    "metrics.rmse = inf": metric("rmse", lambda v: v == INF),
    "metrics.rmse = Infinity": metric("rmse", lambda v: v == INF),
    "metrics.rmse < inf": metric("rmse", lambda v: v < INF),
    "metrics.rmse > -inf": metric("rmse", lambda v: v > -INF),
    "start_time > 99999999999999999999": lambda run: False,
    # places and fields in any case, and more names of fields
    "Metrics.rmse < 4": _small,
    "METRICS.rmse < 4": _small,
    "Params.model = 'ridge'": _ridge,
    "Tags.team = 'alpha'": _alpha,
    "Attributes.status = 'FAILED'": lambda run: run.status == "FAILED",
    "RUN.status = 'FAILED'": lambda run: run.status == "FAILED",
    "Status = 'FAILED'": lambda run: run.status == "FAILED",
    "STATUS = 'FAILED'": lambda run: run.status == "FAILED",
    "attributes.STATUS = 'FAILED'": lambda run: run.status == "FAILED",
    "attributes.Start_Time > 1600005000000": lambda run: run.start_time > 1600005000000,
    "CREATED > 1600005000000": lambda run: run.start_time > 1600005000000,
    "attributes.`RUN NAME` = 'zero'": lambda run: run.name == "zero",
    "run_uuid = 'd02c4c4cde7ae76252540d116a40f23a'": lambda run: run.name == "zero",
    "attributes.run_uuid LIKE 'd%'": lambda run: run.run_id.startswith("d"),
    "source_name = ''": lambda run: False,
    # keys without quotes, and other spellings of operators
    "metrics.train/loss = 2": metric("train/loss", lambda v: v == 2),
    "metrics.f1-score = 4": metric("f1-score", lambda v: v == 4),
    "metrics.in = 15": metric("in", lambda v: v == 15),
    "metrics.0 = 18": metric("0", lambda v: v == 18),
    "params.path/to = 'x'": param("path/to", lambda v: v == "x"),
    "params.lr-decay = '0.9'": param("lr-decay", lambda v: v == "0.9"),
    "tags.path/to/x = 'slashes'": tag("path/to/x", lambda v: v == "slashes"),
    "tags.x-y = 'dash'": tag("x-y", lambda v: v == "dash"),
    "params.model == 'ridge'": _ridge,
    "params.model <> 'ridge'": param("model", lambda v: v != "ridge"),
    "tags.stage == 'odd'": tag("stage", lambda v: v == "odd"),
    "metrics.rmse == 3": metric("rmse", lambda v: v == 3),
    # only spaces are no filter
    " ": lambda run: True,
    "\n": lambda run: True,
    "\t": lambda run: True,
    # aggregates of a metric's history
    "metrics.m.min < 4": _aggregate("m", min, lambda v: v < 4),
    "metrics.m.max > 7": _aggregate("m", max, lambda v: v > 7),
    "metrics.rmse.max >= 9": _aggregate("rmse", max, lambda v: v >= 9),
    "metrics.rmse.min = 3 AND metrics.rmse = 3": both(
        _aggregate("rmse", min, lambda v: v == 3), metric("rmse", lambda v: v == 3)
    ),
}

STRICTER: Final[dict[str, str]] = {
    "metrics.rmse < 5 AND": "something is missing behind AND",
    "AND metrics.rmse < 5": "something is missing before AND",
    "metrics.rmse < 5 AND AND metrics.acc > 0": "something is missing between AND and AND",
    "metrics.rmse < 5 params.model = 'ridge'": "AND is missing",
    "metrics. < 4": "a key is missing; MLflow looks for the empty one",
    "metrics.`` < 4": "a key is missing; MLflow looks for the empty one",
    'metrics."" < 4': "a key is missing; MLflow looks for the empty one",
    "run_id IN ('a' 'b')": "a comma is missing; MLflow joins the texts as Python does",
    "run_id IN ('a',)": "a value is missing behind the comma",
    "params.model = 'it''s'": "MLflow keeps both quotes and finds nothing",
    "params.model = 'it\\'s'": "MLflow keeps the backslash and finds nothing",
    'params.model = "say ""hi"" twice"': "MLflow keeps all quotes and finds nothing",
    "params.model = 'ridge''forest'": "MLflow keeps both quotes and finds nothing",
    "params.model = 'x'' OR ''1''=''1'": "MLflow keeps all quotes and finds nothing",
    "tags.note = 'it''s'": "MLflow keeps both quotes and finds nothing",
    "tags.note = 'x''; DROP TABLE runs; --'": "MLflow keeps both quotes and finds nothing",
    "tags.note LIKE '%''%'": "MLflow keeps both quotes and finds nothing",
}

# Orders and page sizes that MLflow refuses, with the plain order they lead to.
LENIENT_ORDERS: Final[dict[tuple[str, ...], Callable[[RunPlan], tuple[object, ...]]]] = {
    ("`run name`",): lambda run: (run.name,),
    ("attributes.`Run Name`",): lambda run: (run.name,),
    ("run_uuid",): lambda run: (run.run_id,),
    ("start_time", "start_time DESC"): lambda run: (run.start_time,),
    ("start_time", "attributes.start_time"): lambda run: (run.start_time,),
    ("start_time", "Created"): lambda run: (run.start_time,),
}

BEHAVIOURS: Final[dict[str, str]] = {
    "a_second_bare_start_run": "in a notebook the cell is executed again; the run that a bare call left open ends",
    "an_interrupt_ends_the_run": "KILLED tells a stopped cell from a broken one (R61)",
    "a_clean_exit_ends_the_run": "sys.exit(0) is no failure",
    "infinite_metrics": "infinities survive (R51); MLflow keeps the largest float instead",
    "a_point_logged_twice": "the full history is kept (R51); MLflow's primary key drops the second point",
    "a_history_of_steps_out_of_order": "a history is by step; MLflow's SQL store gives none, so the time's comes out",
    "the_order_of_columns_in_the_frame": "columns are sorted; MLflow's follow the order of rows in its tables",
    "what_stands_for_a_missing_param_in_the_frame": "pandas decides between None and NaN by its own version",
    "a_very_long_tag": "nothing is cut in silence; MLflow cuts at 8,000 characters",
    "a_very_long_param": "nothing is cut in silence; MLflow keeps what its newest release allows",
    "a_number_as_text": "a metric is a number (R51: text value is an error); MLflow reads '0.5'",
}


def expected(holds: Predicate) -> list[str]:
    """Return the names of the runs of ``main`` that a predicate holds for, the newest first."""
    chosen = [run for run in RUNS if run.experiment == "main" and not run.deleted and holds(run)]
    return [run.name for run in sorted(chosen, key=lambda run: (-run.start_time, run.run_id))]


CASES: Final = (*(Case(text) for text in WIDER), *(Case(order_by=order) for order in LENIENT_ORDERS))
STRICTER_CASES: Final = tuple(Case(text) for text in STRICTER)
assert T0 == 1_600_000_000_000  # the filters above name times as numbers
