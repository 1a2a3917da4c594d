"""What is to be reached, and the table that says whether it was.

``GOALS`` is the list of all figures: a part of the run measures some of them, and one that
could not be measured is a row too, with the reason.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Ratio = Literal["ours / its", "its / ours", "ours"]


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure: how its ratio is taken, and what it has to be.

    A ratio ``its / ours`` says how many times cheaper ours is and has to be at least
    ``must``; so has a rate, ``ours / its`` with ``is_rate``. Any other ratio, and a bare
    ``ours``, has to be at most ``must``. Without ``must`` the row is for information.
    ``smaller`` are words of the name, and what stands there where ``--quick`` measures less.
    """

    part: str
    name: str
    unit: str
    ratio: Ratio
    must: float | None = None
    aim: float | None = None
    is_rate: bool = False
    smaller: tuple[str, str] | None = None

    def named(self, *, quick: bool) -> str:
        """Return the name with the sizes that were measured."""
        return self.name.replace(*self.smaller) if quick and self.smaller else self.name

    @property
    def at_least(self) -> bool:
        """Tell whether more is better."""
        return self.is_rate or self.ratio == "its / ours"

    def bound(self, value: float | None) -> str:
        """Return a bound as it is written in the table."""
        if value is None:
            return ""
        if self.ratio == "ours":
            return f"{value:g}"
        return f"{'≥' if self.at_least else '≤'} {value:,g}×"

    def reaches(self, ratio: float, bound: float) -> bool:
        """Tell whether a ratio is on the right side of a bound."""
        return ratio >= bound if self.at_least else ratio <= bound


GOALS: Final = {
    "call.mlflow": Goal("calls", "log_metric p50, MLflow / ours", "µs", "its / ours", 1_000, 4_000),
    "call.append": Goal("calls", "log_metric p50, ours / file append", "µs", "ours / its", 5, 2),
    "call.commit": Goal("calls", "log_metric p99, ours / raw SQLite commit", "µs", "ours / its", 0.05, 0.01),
    "call.trackio": Goal("calls", "log_metric p50, trackio / ours", "µs", "its / ours"),
    "call.append99": Goal("calls", "log_metric p99, ours / file append", "µs", "ours / its"),
    "step.mlflow": Goal("calls", "20 metrics a step p50, MLflow / ours", "µs", "its / ours"),
    "step.append": Goal("calls", "20 metrics a step p50, ours / one append of 20", "µs", "ours / its"),
    "step.trackio": Goal("calls", "20 metrics a step p50, trackio / ours", "µs", "its / ours"),
    "cpu.raw": Goal("durable", "CPU per point until committed, ours / executemany", "µs", "ours / its", 3.5, 1.7),
    "rate.mlflow": Goal(
        "durable", "points/s until durable, ours / MLflow", "/s", "ours / its", 500, 1_000, is_rate=True
    ),
    "rate.trackio": Goal("durable", "points/s until durable, ours / trackio", "/s", "ours / its", 5, 10, is_rate=True),
    "cpu.trackio": Goal("durable", "CPU per point until committed, trackio / ours", "µs", "its / ours"),
    "paced.mlflow": Goal("paced", "CPU added to a 1 ms step, MLflow / ours", "µs", "its / ours", 100, 500),
    "paced.trackio": Goal("paced", "CPU added to a 1 ms step, ours / trackio", "µs", "ours / its", 1, 0.3),
    "paced.wall.mlflow": Goal("paced", "wall added to a 1 ms step, MLflow / ours", "µs", "its / ours", 100, 500),
    "paced.wall.trackio": Goal("paced", "wall added to a 1 ms step, ours / trackio", "µs", "ours / its", 1, 0.3),
    "paced20.mlflow": Goal("paced", "CPU added, 20 metrics a step, MLflow / ours", "µs", "its / ours"),
    "paced20.trackio": Goal("paced", "CPU added, 20 metrics a step, ours / trackio", "µs", "ours / its"),
    "bytes": Goal("bytes", "bytes per point, MLflow / ours", "B", "its / ours", 8, 10),
    "start.load": Goal("start", "%load_ext, main thread's CPU, MLflow's import / ours", "ms", "its / ours", 20, 40),
    "start.load.all": Goal(
        "start", "%load_ext with its warm-up thread, CPU, MLflow's import / ours", "ms", "its / ours"
    ),
    "start.new": Goal("start", "process start to first metric, new store, MLflow / ours", "ms", "its / ours", 9, 20),
    "start.old": Goal("start", "process start to first metric, old store, MLflow / ours", "ms", "its / ours", 5.5, 12),
    "cell.small": Goal("cells", "added to a small cell, ours beside ipyflow", "ms", "ours", 3, 1),
    "cell.late": Goal(
        "cells", "added to a small cell after 5,000 others", "ms", "ours", 3, 1, smaller=("5,000", "500")
    ),
    "cell.loop": Goal("cells", "added to a loop of 3,000,000 steps, ours beside ipyflow", "%", "ours", 5, 2),
    "cell.calls": Goal("cells", "added to a loop of 1,000,000 calls, ours beside ipyflow", "%", "ours", 5, 2),
    "build": Goal("search", "building runs through the API, MLflow / ours", "ms/run", "its / ours"),
    "page.1k": Goal("search", "page of 50 runs at 1k, MLflow / ours", "ms", "its / ours", 5, 6),
    # MLflow's newest releases find the newest runs of 10,000 by an index; sorting is what they do not.
    "page.10k": Goal("search", "page of 50 runs at 10k, MLflow / ours", "ms", "its / ours"),
    "page.grow": Goal("search", "page of 50 runs, ours at 100k / ours at 1k", "ms", "ours / its", 2, 1.3),
    "sorted.1k": Goal("search", "page of 50 runs by a metric at 1k, MLflow / ours", "ms", "its / ours", 5, 6),
    "sorted.10k": Goal("search", "page of 50 runs by a metric at 10k, MLflow / ours", "ms", "its / ours", 40, 60),
    "sorted.grow": Goal("search", "page of 50 runs by a metric, ours at 100k / ours at 1k", "ms", "ours / its"),
    "table": Goal("search", "whole table at 1k runs into pandas, MLflow / ours", "ms", "its / ours", 20, 35),
    "history.raw": Goal(
        "history",
        "history of 1M points into pandas, CPU, ours / fetchall",
        "ms",
        "ours / its",
        1.2,
        0.9,
        smaller=("1M points", "100k points"),
    ),
    "history.mlflow": Goal("history", "history into pandas, CPU per point, MLflow / ours", "µs", "its / ours", 22, 30),
    "history.many": Goal(
        "history",
        "history of 100 runs × 1k into pandas, MLflow / ours",
        "ms",
        "its / ours",
        40,
        60,
        smaller=("100 runs", "20 runs"),
    ),
    "chart": Goal(
        "history",
        "chart of a 1M-point metric, ours / reading its rows",
        "ms",
        "ours / its",
        0.05,
        0.01,
        smaller=("1M-point", "100k-point"),
    ),
    "kill.paced": Goal("kill", "acknowledged points lost to SIGKILL, 1 call/ms", "points", "ours", 0),
    "kill.tight": Goal("kill", "acknowledged points lost to SIGKILL, tight loop", "points", "ours", 0),
    "writers4.errors": Goal("writers", "4 writers: errors", "", "ours", 0),
    "writers4.lost": Goal("writers", "4 writers: lost points", "points", "ours", 0),
    "writers4.rate": Goal("writers", "4 writers: points/s, ours / MLflow", "/s", "ours / its", is_rate=True),
    "writers8.errors": Goal("writers", "8 writers: errors", "", "ours", 0),
    "writers8.lost": Goal("writers", "8 writers: lost points", "points", "ours", 0),
    "writers8.rate": Goal("writers", "8 writers: points/s, ours / MLflow", "/s", "ours / its", is_rate=True),
    "race": Goal("race", "first-open race of 16 processes: failures", "", "ours", 0),
    # Looking. The bounds are the issue's, for a free machine: CPU first where that is said.
    "table.100.first": Goal("view-table", "table of 100 runs × 40 columns: output to picture", "ms", "ours", 300),
    "table.100.wall": Goal("view-table", "table of 100 runs × 40 columns: output to all rows", "ms", "ours", 300),
    "table.100.kernel": Goal("view-table", "table of 100 runs × 40 columns: kernel's work before", "ms", "ours"),
    "table.100.total": Goal("view-table", "table of 100 runs × 40 columns: cell to all rows", "ms", "ours"),
    "table.100.cpu": Goal("view-table", "table of 100 runs × 40 columns: renderer's CPU", "ms", "ours", 250),
    "table.10k.first": Goal("view-table", "table of 10k runs × 40 columns: output to picture", "ms", "ours", 400),
    "table.10k.wall": Goal("view-table", "table of 10k runs × 40 columns: output to all rows", "ms", "ours", 400),
    "table.10k.kernel": Goal("view-table", "table of 10k runs × 40 columns: kernel's work before", "ms", "ours"),
    "table.10k.total": Goal("view-table", "table of 10k runs × 40 columns: cell to all rows", "ms", "ours"),
    "table.10k.cpu": Goal("view-table", "table of 10k runs × 40 columns: renderer's CPU", "ms", "ours", 400),
    "scroll.10k": Goal("view-table", "scrolling 10k runs: CPU a frame", "ms", "ours", 12),
    "nodes.10k": Goal("view-table", "scrolling 10k runs: DOM nodes", "", "ours", 600),
    "sort.10k": Goal("view-table", "sorting 10k runs", "ms", "ours", 200),
    "filter.10k": Goal("view-table", "a keystroke in the filter of 10k runs", "ms", "ours", 100),
    "table.100k.first": Goal("view-table", "table of 100k runs × 40 columns: output to picture", "ms", "ours", 1500),
    "table.100k.wall": Goal("view-table", "table of 100k runs × 40 columns: output to all rows", "ms", "ours", 1500),
    "table.100k.kernel": Goal("view-table", "table of 100k runs × 40 columns: kernel's work before", "ms", "ours"),
    "table.100k.total": Goal("view-table", "table of 100k runs × 40 columns: cell to all rows", "ms", "ours"),
    "table.100k.cpu": Goal("view-table", "table of 100k runs × 40 columns: renderer's CPU", "ms", "ours", 1200),
    "scroll.100k": Goal("view-table", "scrolling 100k runs: CPU a frame", "ms", "ours", 12),
    "nodes.100k": Goal("view-table", "scrolling 100k runs: DOM nodes", "", "ours", 600),
    "sort.100k": Goal("view-table", "sorting 100k runs", "ms", "ours", 400),
    "filter.100k": Goal("view-table", "a keystroke in the filter of 100k runs", "ms", "ours", 200),
    "itables.100.wall": Goal("view-table", "table of 100 runs: picture, itables / ours", "ms", "its / ours"),
    "itables.100.total": Goal("view-table", "table of 100 runs: in all, itables / ours", "ms", "its / ours"),
    "itables.10k.wall": Goal("view-table", "table of 10k runs: picture, itables / ours", "ms", "its / ours"),
    "itables.10k.total": Goal("view-table", "table of 10k runs: in all, itables / ours", "ms", "its / ours"),
    "ipydatagrid.100.wall": Goal("view-table", "table of 100 runs: picture, ipydatagrid / ours", "ms", "its / ours"),
    "ipydatagrid.100.total": Goal("view-table", "table of 100 runs: in all, ipydatagrid / ours", "ms", "its / ours"),
    "ipydatagrid.10k.wall": Goal("view-table", "table of 10k runs: picture, ipydatagrid / ours", "ms", "its / ours"),
    "ipydatagrid.10k.total": Goal("view-table", "table of 10k runs: in all, ipydatagrid / ours", "ms", "its / ours"),
    "foreign": Goal("view-table", "requests that leave the machine", "", "ours", 0),
    "chart.1x1k.wall": Goal("view-charts", "1 curve × 1k points: to the picture", "ms", "ours", 400),
    "chart.1x1k.cpu": Goal("view-charts", "1 curve × 1k points: renderer's CPU", "ms", "ours"),
    "chart.50x1k.wall": Goal("view-charts", "50 curves × 1k points: to the picture", "ms", "ours", 500),
    "chart.50x1k.cpu": Goal("view-charts", "50 curves × 1k points: renderer's CPU", "ms", "ours"),
    "chart.5x100k.wall": Goal(
        "view-charts",
        "5 curves × 100k points: to the picture",
        "ms",
        "ours",
        1500,
        smaller=("100k points", "10k points"),
    ),
    "chart.5x100k.cpu": Goal(
        "view-charts", "5 curves × 100k points: renderer's CPU", "ms", "ours", smaller=("100k points", "10k points")
    ),
    "live.5.late": Goal("view-live", "live, 5 series: p50 from the call to the picture", "ms", "ours", 100),
    "live.5.fps": Goal("view-live", "live, 5 series: frames a second", "/s", "ours", 45, is_rate=True),
    "live.5.paints": Goal("view-live", "live, 5 series: pictures a second", "/s", "ours", is_rate=True),
    "live.50.late": Goal(
        "view-live",
        "live, 50 series × 4,000 points: p50 from the call to the picture",
        "ms",
        "ours",
        200,
        smaller=("4,000", "400"),
    ),
    "live.50.fps": Goal(
        "view-live",
        "live, 50 series × 4,000 points: frames a second",
        "/s",
        "ours",
        30,
        is_rate=True,
        smaller=("4,000", "400"),
    ),
    "live.50.paints": Goal(
        "view-live",
        "live, 50 series × 4,000 points: pictures a second",
        "/s",
        "ours",
        4,
        is_rate=True,
        smaller=("4,000", "400"),
    ),
    "controls": Goal("view-live", "a chip while a cell runs", "ms", "ours", 200),
    "size.typical": Goal("view-sizes", "saved output, median of the notebooks", "kB", "ours", 50),
    "size.worst": Goal("view-sizes", "saved output, worst case", "kB", "ours", 200),
    "size.widget": Goal("view-sizes", "widget bundle", "KB", "ours", 120),
    "size.extension": Goal("view-sizes", "JupyterLab extension", "KB", "ours", 300),
}
PARTS: Final = tuple(dict.fromkeys(goal.part for goal in GOALS.values()))


@dataclass(frozen=True, slots=True)
class Row:
    """A measured figure: the values of its rounds.

    ``note`` is shown in the peer's column: why there is no value, or what a peer did.
    """

    key: str
    ours: Sequence[float] = ()
    its: Sequence[float] = ()
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The ratio of the rounds' medians; of a bare figure its median, or the worst round."""
        goal = GOALS[self.key]
        if goal.ratio == "ours":
            # What must not happen at all is told of the worst round, what is measured of the middle one.
            if goal.must == 0:
                return max(self.ours, default=None)
            return statistics.median(self.ours) if self.ours else None
        if not self.ours or not self.its:
            return None
        ours, its = statistics.median(self.ours), statistics.median(self.its)
        return _divide(its, ours) if goal.ratio == "its / ours" else _divide(ours, its)

    @property
    def verdict(self) -> str:
        """What the table's last column says."""
        goal, ratio = GOALS[self.key], self.ratio
        if ratio is None:
            return "not measured"
        if goal.must is None:
            return ""
        if not goal.reaches(ratio, goal.must):
            return "NO"
        if goal.aim is None:
            return "yes"
        return "aim" if goal.reaches(ratio, goal.aim) else "must"

    def cells(self, *, quick: bool) -> tuple[str, ...]:
        """Return what stands in the table."""
        goal, ratio = GOALS[self.key], self.ratio
        its = self.note or _shown(self.its, goal.unit)
        told = "" if ratio is None or goal.ratio == "ours" else f"{_number(ratio)}×"
        bare = goal.ratio == "ours" and not goal.unit
        ours = str(int(max(self.ours))) if bare and self.ours else _shown(self.ours, goal.unit)
        return goal.named(quick=quick), ours, its, told, goal.bound(goal.must), goal.bound(goal.aim), self.verdict


def markdown(rows: Iterable[Row], *, quick: bool) -> str:
    """Return the rows as an aligned Markdown table."""
    lines = [("figure", "ours", "peer", "ratio", "must", "aim", "met?"), *(row.cells(quick=quick) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    told = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    told.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(told)


def _divide(a: float, b: float) -> float:
    # What costs nothing, or less within the noise, is counted as a hundredth of the unit.
    return max(a, 0.01) / max(b, 0.01)


def _shown(values: Sequence[float], unit: str) -> str:
    return f"{_number(statistics.median(values))} {unit}".strip() if values else ""


def _number(value: float) -> str:
    """Return three significant digits, without an exponent."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 1 else f"{value:.4f}"
