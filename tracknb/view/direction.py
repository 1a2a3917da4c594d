"""Which way a metric is better: what an experiment says of it, else what its name tells.

An experiment says it in tags: ``tracknb.direction.rmse`` = ``lower``, ``tracknb.unit.rmse``
= ``$`` and ``tracknb.primary_metric`` = ``rmse``. A metric of which nobody said anything,
and whose name tells nothing, has no direction, and no value of it is marked as the best.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from tracknb.entities import SYSTEM_METRICS

Direction: TypeAlias = Literal["lower", "higher"]

DIRECTION_TAG: Final = "tracknb.direction."
UNIT_TAG: Final = "tracknb.unit."
PRIMARY_TAG: Final = "tracknb.primary_metric"
_LOWER: Final = """
    loss error err rmse mae mse msle rmsle mape smape nll perplexity ppl wer cer fid brier logloss crossentropy
    entropy regret deviance latency
""".split()  # noqa: SIM905 -- a list would be a page long
_HIGHER: Final = """
    acc accuracy auc auroc auprc roc f1 r2 score precision recall iou dice map ap bleu rouge meteor ndcg mrr psnr
    ssim reward return throughput hits kappa mcc
""".split()  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class Goals:
    """What is known of the metrics of some experiments."""

    directions: Mapping[str, Direction] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    primary: str | None = None

    @classmethod
    def of(cls, experiments: Iterable[Mapping[str, str]]) -> Goals:
        """Return what the tags of experiments say; of two that disagree the first is right."""
        directions: dict[str, Direction] = {}
        units: dict[str, str] = {}
        primary = None
        for tags in experiments:
            for key, value in tags.items():
                if key.startswith(DIRECTION_TAG) and value in ("lower", "higher"):
                    directions.setdefault(key.removeprefix(DIRECTION_TAG), "lower" if value == "lower" else "higher")
                elif key.startswith(UNIT_TAG) and value:
                    units.setdefault(key.removeprefix(UNIT_TAG), value)
            primary = primary or tags.get(PRIMARY_TAG)
        return cls(directions, units, primary)

    def direction(self, metric: str) -> Direction | None:
        """Return which way a metric is better, or None where nothing tells."""
        return self.directions.get(metric) or guess(metric)

    def best(self, metric: str, values: Iterable[float | None]) -> float | None:
        """Return the best of several values; NaN and the infinities are never it."""
        direction = self.direction(metric)
        finite = [value for value in values if value is not None and math.isfinite(value)]
        if direction is None or not finite:
            return None
        return min(finite) if direction == "lower" else max(finite)

    def payload(self, metrics: Iterable[str]) -> dict[str, Any]:
        """Return what the front end is told of these metrics."""
        known = {metric: direction for metric in metrics if (direction := self.direction(metric)) is not None}
        units = {metric: self.units[metric] for metric in metrics if metric in self.units}
        return {"directions": known, "units": units, "primary": self.primary}


# A list of runs asks for the same thousands of names again and again.
@functools.lru_cache(maxsize=50_000)
def guess(metric: str) -> Direction | None:
    """Return which way a metric is better, as far as its name tells.

    Examples
    --------
    >>> [guess(name) for name in ("val_loss", "test/F1", "eval.rougeL", "epoch", "error_free_score")]
    ['lower', 'higher', 'higher', None, None]
    """
    if metric.startswith(SYSTEM_METRICS):
        return None
    words = set(re.findall(r"[a-z]+\d*|\d+", re.sub(r"([a-z])(?=[A-Z])", r"\1 ", metric).lower()))
    words |= {"".join(pair) for pair in (("log", "loss"), ("cross", "entropy")) if set(pair) <= words}
    lower, higher = not words.isdisjoint(_LOWER), not words.isdisjoint(_HIGHER)
    if lower == higher:
        return None
    return "lower" if lower else "higher"
