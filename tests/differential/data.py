"""What both stores hold: experiments and runs as plain values, odd on purpose.

Every run has a name of its own, by which the two stores' answers are compared. A run's
id is made from its place in the list, so that ids order ties alike in both stores.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Final

NAN: Final = math.nan
INF: Final = math.inf
T0: Final = 1_600_000_000_000
MINUTE: Final = 60_000


@dataclass(frozen=True)
class Point:
    """One logged value."""

    key: str
    value: float
    step: int = 0
    timestamp: int = T0


@dataclass(frozen=True)
class RunPlan:
    """A run to make; ``minute`` is its start after ``T0``, ``lasts`` minutes until its end."""

    name: str
    minute: int
    lasts: int | None = 5
    status: str = "FINISHED"
    metrics: tuple[Point, ...] = ()
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    parent: str | None = None
    deleted: bool = False
    datasets: tuple[tuple[str, str, str], ...] = ()
    experiment: str = "main"

    @property
    def run_id(self) -> str:
        return hashlib.md5(self.name.encode()).hexdigest()

    @property
    def start_time(self) -> int:
        return T0 + self.minute * MINUTE

    @property
    def end_time(self) -> int | None:
        return None if self.lasts is None else self.start_time + self.lasts * MINUTE

    def last(self, key: str) -> float | None:
        """Return the value at the highest step; then the latest time, then the highest value."""
        found = [(p.step, p.timestamp, p.value) for p in self.metrics if p.key == key]
        return max(found)[2] if found else None


@dataclass(frozen=True)
class ExperimentPlan:
    """An experiment to make at ``created``, and what is done to it later."""

    name: str
    created: int
    tags: dict[str, str] = field(default_factory=dict)
    later_tags: dict[str, str] = field(default_factory=dict)
    deleted: bool = False
    restored: bool = False
    changed: int | None = None


EXPERIMENTS: Final = (
    ExperimentPlan("main", T0, {"team": "alpha", "owner": "ann"}),
    ExperimentPlan("other", T0 + 1000, {"team": "beta", "release version": "1.2"}),
    ExperimentPlan("Other", T0 + 2000, {"team": "Alpha"}, later_tags={"stage": "late"}, changed=T0 + 50_000),
    ExperimentPlan("nyc-taxi", T0 + 3000, {"Team": "alpha", "note": 'it\'s 50% "good"'}),
    ExperimentPlan("nyc_taxi", T0 + 4000, {"mlflow.note.content": "a note", "team": ""}),
    ExperimentPlan("NYC Taxi 2", T0 + 5000, {"a.b.c": "dots", "path/to": "slash"}),
    ExperimentPlan("größe", T0 + 6000, {"team": "größe"}),
    ExperimentPlan("per%cent", T0 + 7000, {"team": "gamma"}, later_tags={"team": "delta"}, changed=T0 + 60_000),
    ExperimentPlan("quote's", T0 + 8000),
    ExperimentPlan("tie one", T0 + 9000),
    ExperimentPlan("tie two", T0 + 9000),
    ExperimentPlan("gone", T0 + 10_000, {"team": "alpha"}, deleted=True, changed=T0 + 70_000),
    ExperimentPlan("gone too", T0 + 11_000, {"team": "beta"}, deleted=True, changed=T0 + 80_000),
    ExperimentPlan("back", T0 + 12_000, {"team": "beta"}, deleted=True, restored=True, changed=T0 + 90_000),
)


def _grid() -> list[RunPlan]:
    """Return twelve plain runs of a sweep, two of each score equal."""
    runs = []
    for place, (model, lr) in enumerate(
        (model, lr) for model in ("ridge", "Ridge", "forest", "RIDGE forest") for lr in ("0.1", "0.01", "1e-3")
    ):
        runs.append(
            RunPlan(
                f"grid {place:02}",
                minute=place,
                lasts=place + 1,
                metrics=(
                    Point("rmse", 4.0 + place // 2, step=1, timestamp=T0 + 10),
                    Point("rmse", 3.0 + place // 2, step=2, timestamp=T0 + 20),
                    Point("acc", round(0.05 * place, 2)),
                ),
                params={"model": model, "lr": lr, "depth": str(place)},
                tags={"team": "alpha" if place % 2 else "beta", "stage": "candidate", "mlflow.user": "ann"},
                parent="grid 00" if place in (1, 2, 3) else None,
            )
        )
    return runs


RUNS: Final = (
    *_grid(),
    # Numbers that are none, or nearly none.
    RunPlan("nan", 20, metrics=(Point("rmse", NAN, step=3), Point("acc", NAN)), tags={"stage": "odd"}),
    RunPlan("was nan", 21, metrics=(Point("rmse", NAN, step=0), Point("rmse", 2.5, step=1))),
    RunPlan("became nan", 22, metrics=(Point("rmse", 2.5, step=0), Point("rmse", NAN, step=1))),
    RunPlan("infinite", 23, metrics=(Point("rmse", INF), Point("acc", 0.5))),
    RunPlan("minus infinite", 24, metrics=(Point("rmse", -INF), Point("acc", 0.5))),
    RunPlan("zero", 25, metrics=(Point("rmse", 0.0), Point("acc", 0.0))),
    RunPlan("minus zero", 26, metrics=(Point("rmse", -0.0),)),
    RunPlan("negative", 27, metrics=(Point("rmse", -5.0), Point("acc", -0.25))),
    RunPlan("huge", 28, metrics=(Point("rmse", 1e300), Point("acc", 1e16))),
    RunPlan("tiny", 29, metrics=(Point("rmse", 5e-324), Point("acc", 1e-10))),
    RunPlan("third", 30, metrics=(Point("rmse", 1 / 3), Point("acc", 0.1 + 0.2))),
    # Which of several points is the last one.
    RunPlan("unordered steps", 31, metrics=(Point("m", 1, 5, T0), Point("m", 2, 3, T0 + 99), Point("m", 3, 4, T0))),
    RunPlan("same step later", 32, metrics=(Point("m", 8, 1, T0 + 50), Point("m", 4, 1, T0 + 60))),
    RunPlan("same step earlier", 33, metrics=(Point("m", 4, 1, T0 + 60), Point("m", 8, 1, T0 + 50))),
    RunPlan("same step and time", 34, metrics=(Point("m", 6, 1), Point("m", 7, 1), Point("m", 5, 1))),
    RunPlan("negative step", 35, metrics=(Point("m", 9, -1, T0 + 99), Point("m", 10, -2, T0 + 100))),
    RunPlan("same point twice", 36, metrics=(Point("m", 3, 1), Point("m", 3, 1))),
    RunPlan("big step", 37, metrics=(Point("m", 11, 2**40), Point("m", 12, 2**31))),
    # Keys that need quoting, or nearly do.
    RunPlan(
        "odd metric keys",
        40,
        metrics=tuple(
            Point(key, float(place + 1))
            for place, key in enumerate(
                (
                    "val.loss",
                    "train/loss",
                    "val loss",
                    "f1-score",
                    "größe",
                    "2fast",
                    "order",
                    "and",
                    "select",
                    "timestamp",
                    "RMSE",
                    "m.a.n.y.dots",
                    "_private",
                    "a b.c/d-e",
                    "in",
                    "null",
                    "metrics.rmse",
                    "0",
                    "key",
                    "value",
                )
            )
        ),
    ),
    RunPlan(
        "odd param keys",
        41,
        params={
            "opt.name": "adam",
            "path/to": "x",
            "model name": "spaced",
            "LR": "0.1",
            "Model": "ridge",
            "größe": "groß",
            "lr-decay": "0.9",
            "1st": "first",
            "not": "keyword",
            "like": "keyword too",
            "params.lr": "prefix",
            "is": "is",
            "desc": "d",
        },
    ),
    RunPlan(
        "odd tag keys",
        42,
        tags={
            "release version": "2.0",
            "a.b.c": "dots",
            "path/to/x": "slashes",
            "Team": "alpha",
            "größe": "XL",
            "mlflow.note.content": "a note\nof two lines",
            "or": "keyword",
            "x-y": "dash",
            "run": "place",
            "asc": "a",
        },
    ),
    # Values that need quoting, or that a pattern might read.
    RunPlan("it's", 50, params={"model": "it's"}, tags={"note": "it's"}),
    RunPlan('say "hi"', 51, params={"model": 'say "hi"'}, tags={"note": 'say "hi"'}),
    RunPlan("back`tick", 52, params={"model": "back`tick"}, tags={"note": "back`tick"}),
    RunPlan("50%", 53, params={"model": "50%"}, tags={"note": "50% off"}),
    RunPlan("a_b", 54, params={"model": "a_b"}, tags={"note": "a_b"}),
    RunPlan("aXb", 55, params={"model": "aXb"}, tags={"note": "aXb"}),
    RunPlan("a*b?[c]", 56, params={"model": "a*b?[c]"}, tags={"note": "a*b?[c]"}),
    RunPlan("back\\slash", 57, params={"model": "back\\slash"}, tags={"note": "back\\slash"}),
    RunPlan("GRÖSSE größe", 58, params={"model": "größe"}, tags={"note": "GRÖSSE"}),
    RunPlan("Ünïcödé 🚕", 59, params={"model": "🚕"}, tags={"note": "日本語"}),
    RunPlan("  spaces  ", 60, params={"model": " ridge "}, tags={"note": "  "}),
    RunPlan("x = 1 AND y", 61, params={"model": "a AND b"}, tags={"note": "a OR b", "stage": "a, b"}),
    RunPlan("empty tag", 62, tags={"note": "", "stage": ""}),
    RunPlan("semi;colon", 63, params={"model": "a;b"}, tags={"note": "x'; DROP TABLE runs; --"}),
    RunPlan("-- comment", 64, params={"model": "a--b"}, tags={"note": "/* c */ # d"}),
    RunPlan("(paren)", 65, params={"model": "(a)"}, tags={"note": "f(x)"}),
    RunPlan("number text", 66, params={"model": "7", "lr": "07", "depth": "7.0"}, tags={"note": "1e3", "stage": "5"}),
    RunPlan("words", 67, params={"lr": "auto", "depth": "None"}, tags={"note": "NULL", "stage": "nan"}),
    RunPlan("number forms", 68, params={"lr": "1E-1", "depth": "-3"}, tags={"note": "True"}),
    RunPlan("number forms 2", 69, params={"lr": ".1", "depth": "+3"}),
    RunPlan("number forms 3", 70, params={"lr": "inf", "depth": "nan"}),
    RunPlan("brackets", 71, params={"lr": "[0.1]", "depth": "(3,)"}),
    # Life of a run.
    RunPlan("failed", 80, status="FAILED", tags={"team": "alpha"}),
    RunPlan("killed", 81, status="KILLED", tags={"team": "alpha"}),
    RunPlan("scheduled", 82, lasts=None, status="SCHEDULED"),
    RunPlan("running", 83, lasts=None, status="RUNNING", metrics=(Point("rmse", 3.0),), tags={"mlflow.user": "bob"}),
    RunPlan("deleted", 84, deleted=True, metrics=(Point("rmse", 1.0),), params={"model": "ridge"}),
    RunPlan("deleted too", 85, deleted=True, metrics=(Point("rmse", 9.0),), tags={"team": "beta"}),
    RunPlan("started first", -100, lasts=1),
    RunPlan("in no time", 86, lasts=0),
    # Ties of everything but the id.
    *(RunPlan(f"twin {letter}", 90, metrics=(Point("rmse", 3.0),), params={"model": "twin"}) for letter in "abcde"),
    RunPlan("data one", 95, datasets=(("taxi", "d1", "train"), ("taxi", "d2", "test"))),
    RunPlan("data two", 96, datasets=(("taxi", "d1", "train"),)),
    RunPlan("data three", 97, datasets=(("Iris set", "d3", "validation"),)),
    RunPlan("data four", 98, datasets=(("iris", "d4", ""),)),
    RunPlan("empty", 99),
    RunPlan("elsewhere one", 5, experiment="other", metrics=(Point("rmse", 3.5),), params={"model": "ridge"}),
    RunPlan("elsewhere two", 6, experiment="other", metrics=(Point("rmse", 3.0),), tags={"team": "alpha"}),
    RunPlan("elsewhere deleted", 7, experiment="other", deleted=True),
    RunPlan("in gone", 8, experiment="gone", metrics=(Point("rmse", 3.0),)),
)


def description() -> dict[str, Any]:
    """Return everything as values that JSON can carry, for ``side.py``."""
    runs = [
        asdict(run) | {"run_id": run.run_id, "start_time": run.start_time, "end_time": run.end_time} for run in RUNS
    ]
    return {"experiments": [asdict(experiment) for experiment in EXPERIMENTS], "runs": runs, "now": T0}
