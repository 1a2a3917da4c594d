"""What a run looks like while it runs: its params, last values and curves in memory.

The live panel reads from here, so showing a run costs no query and waits for no
transaction. Curves are thinned as they grow; the store keeps every point.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tracknb.entities import MetricSummary

# Beyond this many points every second one is dropped, so a curve of any length
# stays between half of it and all of it: enough for a chart 1,000 pixels wide.
CURVE_LIMIT: Final = 4_000

_folding = threading.RLock()


def reset_after_fork() -> None:
    """Free the lock that another thread of the parent may have held."""
    global _folding
    _folding = threading.RLock()


@dataclass(slots=True)
class LiveSeries:
    """One metric of a running run.

    ``x``, ``y`` and ``t`` are steps, values and times (milliseconds) of equal length.
    ``min`` and ``max`` pass over NaN, and are NaN while nothing else was logged.
    ``generation`` changes when old points were dropped, so that a reader who only asks
    for what is new knows to read the whole curve again. ``fresh`` holds points of (step,
    time, value, number) that ``fold`` has not taken in yet: a training loop only appends.
    """

    key: str
    x: list[int] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    t: list[int] = field(default_factory=list)
    count: int = 0
    last: float = math.nan
    last_step: int = 0
    min: float = math.nan
    min_step: int = 0
    max: float = math.nan
    max_step: int = 0
    # The first value that is no number to go on with, NaN or infinite, and its step; None if all are.
    bad_value: float = 0.0
    bad_step: int | None = None
    generation: int = 0
    stride: int = 1
    fresh: list[tuple[int, int, float, int]] = field(default_factory=list)

    @classmethod
    def stored(cls, key: str, summary: MetricSummary, curve: tuple[list[int], list[int], list[float]]) -> LiveSeries:
        """Return a metric as the store has it; the curve's steps, times and values may be thinned."""
        stride = 1
        while summary.count >= CURVE_LIMIT * stride:
            stride *= 2
        steps, times, values = curve
        return cls(
            key,
            x=steps,
            y=values,
            t=times,
            count=summary.count,
            last=summary.last,
            last_step=summary.last_step,
            min=summary.min,
            min_step=summary.min_step,
            max=summary.max,
            max_step=summary.max_step,
            stride=stride,
        )

    def fold(self) -> bool:
        """Take in what was appended to ``fresh``, and tell whether there was anything."""
        if _folding._is_owned():  # type: ignore[attr-defined]
            # A finalizer or signal handler that logs, in the middle of this.
            return False
        with _folding:
            taken = self.fresh[:]
            # What a loop appends meanwhile stays; the list itself does, too.
            del self.fresh[: len(taken)]
            if taken:
                steps, times, values, _ = zip(*taken, strict=True)
                self._extend(steps, values, times)
        return bool(taken)

    def add(self, step: int, value: float, timestamp: int) -> None:
        """Take in one point."""
        self._extend((step,), (value,), (timestamp,))

    def _extend(self, steps: Sequence[int], values: Sequence[float], times: Sequence[int]) -> None:
        top = max(steps)
        if self.count == 0 or top >= self.last_step:
            # Of equal steps the point that was logged last.
            place = len(steps) - 1 - steps[::-1].index(top)
            self.last, self.last_step = values[place], top
        # A sum that is no number, which huge values can make as well, says where to look closer.
        numbers: Sequence[float] = values
        if not math.isfinite(sum(values)):
            numbers = [value for value in values if value == value]
            self._note_bad(steps, values)
        if numbers:
            low, high = min(numbers), max(numbers)
            # `not (a >= b)` also holds while the bound is still NaN.
            if not low >= self.min:
                self.min, self.min_step = low, steps[values.index(low)]
            if not high <= self.max:
                self.max, self.max_step = high, steps[values.index(high)]
        first = -self.count % self.stride
        self.x.extend(steps[first :: self.stride])
        self.y.extend(values[first :: self.stride])
        self.t.extend(times[first :: self.stride])
        self.count += len(steps)
        while len(self.x) >= CURVE_LIMIT:
            self._halve()

    def _note_bad(self, steps: Sequence[int], values: Sequence[float]) -> None:
        if self.bad_step is None:
            for step, value in zip(steps, values, strict=True):
                if not math.isfinite(value):
                    self.bad_step, self.bad_value = step, value
                    return

    def _halve(self) -> None:
        # New lists, not `del`: another thread may be reading the old ones.
        self.x, self.y, self.t = self.x[::2], self.y[::2], self.t[::2]
        self.stride *= 2
        self.generation += 1


@dataclass(slots=True)
class Progress:
    """How far a tracked loop has come; ``total`` is None where nobody knows."""

    n: int
    total: int | None
    label: str


@dataclass(slots=True)
class LiveRun:
    """A run as this process sees it; times are milliseconds since 1970.

    ``changed`` holds (param, value in the previous attempt, value now);
    ``version`` grows with everything that a panel would draw.
    """

    run_id: str
    name: str
    experiment: str
    status: str
    start_time: int
    end_time: int | None = None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    progress: Progress | None = None
    series: dict[str, LiveSeries] = field(default_factory=dict)
    changed: list[tuple[str, str, str]] = field(default_factory=list)
    attempt: int | None = None
    version: int = 0

    def frozen(self) -> LiveRun:
        """Return a copy that stays as it is while the run goes on."""
        # Nothing is folded meanwhile, so a curve's parts, its count and its last value belong together.
        with _folding:
            series = {
                key: replace(item, x=list(item.x), y=list(item.y), t=list(item.t), fresh=[])
                for key, item in list(self.series.items())
            }
        return replace(self, params=dict(self.params), tags=dict(self.tags), changed=list(self.changed), series=series)

    def fold(self) -> None:
        """Take in what was logged since the last look."""
        # A list of them: another thread may be adding a metric.
        if sum(series.fold() for series in list(self.series.values())):
            self.version += 1
