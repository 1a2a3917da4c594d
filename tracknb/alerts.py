"""What somebody would want to be told of a run while it runs.

Three rules over a run as it is in memory: a metric that is no number, a metric that no
longer gets better, a run that takes too long. Each speaks once a run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from tracknb.entities import ALERT_TAG
from tracknb.live import LiveRun, LiveSeries
from tracknb.view.direction import Goals

# A tag key's own limit; a metric's name may be that long by itself.
_KEY_LETTERS: Final = 250


@dataclass(frozen=True, slots=True)
class Rules:
    """When to speak: after so many steps without a better value, after so many milliseconds; None is never.

    ``goals`` tells which way a metric is better.
    """

    plateau: int | None = None
    overtime_ms: int | None = None
    goals: Goals = field(default_factory=Goals)


def due(run: LiveRun, rules: Rules, now_ms: int) -> dict[str, str]:
    """Return the alerts that a run's state calls for and that it does not have yet, as tags."""
    found: dict[str, str] = {}
    for key, series in sorted(run.series.copy().items()):
        if series.bad_step is not None:
            word = "NaN" if math.isnan(series.bad_value) else "infinite"
            found[f"{ALERT_TAG}nan.{key}"] = f"{key} is {word} at step {series.bad_step}"
        since = _steps_without_better(series, rules.goals.direction(key))
        if rules.plateau is not None and since is not None and since >= rules.plateau:
            found[f"{ALERT_TAG}plateau.{key}"] = f"{key} has not got better for {since:,} step{'s'[: since > 1]}"
    took = (run.end_time or now_ms) - run.start_time
    if rules.overtime_ms is not None and took > rules.overtime_ms:
        found[f"{ALERT_TAG}overtime"] = f"the run takes longer than {_span(rules.overtime_ms)}"
    return {key: text for key, text in found.items() if key not in run.tags and len(key) <= _KEY_LETTERS}


def _steps_without_better(series: LiveSeries, better: str | None) -> int | None:
    """Return the steps since a metric's best value; None where nobody knows which way is better."""
    if better is None or series.count < 2:
        return None
    return series.last_step - (series.min_step if better == "lower" else series.max_step)


def _span(milliseconds: int) -> str:
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"
