"""How far a value of a metric is from another, and whether that is better."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tracknb.view import format as fmt

Outcome = Literal["better", "worse", "unknown", "equal"]


@dataclass(frozen=True, slots=True)
class Delta:
    """How far a metric is from the baseline's; ``share`` is None where the baseline is 0."""

    change: float
    share: float | None
    outcome: Outcome

    def text(self) -> str:
        """Return such as ``-1.3, -25.5 %, better``."""
        words = [_signed(self.change)]
        words += [f"{_signed(_rounded(100 * self.share))} %"] if self.share is not None else []
        words += [self.outcome] if self.outcome in ("better", "worse") else []
        return ", ".join(words)


def delta(value: float | None, base: float | None, direction: str | None) -> Delta | None:
    """Return the difference of two values of a metric; None where one is missing or not finite.

    Examples
    --------
    >>> delta(3.8, 5.0, "lower").text()
    '-1.2, -24 %, better'
    """
    if value is None or base is None or not math.isfinite(value) or not math.isfinite(base):
        return None
    change = value - base
    outcome: Outcome = "unknown"
    if change == 0:
        outcome = "equal"
    elif direction in ("lower", "higher"):
        outcome = "better" if (change < 0) == (direction == "lower") else "worse"
    return Delta(change, change / abs(base) if base else None, outcome)


def _signed(value: float) -> str:
    return f"+{fmt.number(value)}" if value > 0 else fmt.number(value)


def _rounded(percent: float) -> float:
    """Return a share with three digits; more would pretend."""
    return float(f"{percent:.3g}")
