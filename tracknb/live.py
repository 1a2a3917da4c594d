"""What a run looks like while it runs: its params, last values and curves in memory.

The live panel reads from here, so showing a run costs no query and waits for no
transaction. Curves are thinned as they grow; the store keeps every point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

# Beyond this many points every second one is dropped, so a curve of any length
# stays between half of it and all of it: enough for a chart 1,000 pixels wide.
CURVE_LIMIT = 4_000


@dataclass(slots=True)
class LiveSeries:
    """One metric of a running run.

    ``x``, ``y`` and ``t`` are steps, values and times (milliseconds) of equal length.
    ``min`` and ``max`` pass over NaN, and are NaN while nothing else was logged.
    ``generation`` changes when old points were dropped, so that a reader who only asks
    for what is new knows to read the whole curve again.
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
    generation: int = 0
    stride: int = 1

    def add(self, step: int, value: float, timestamp: int) -> None:
        """Take in one point."""
        if self.count == 0 or step >= self.last_step:
            self.last = value
            self.last_step = step
        # `not (a >= b)` also holds while the bound is still NaN.
        if value == value:
            if not value >= self.min:
                self.min, self.min_step = value, step
            if not value <= self.max:
                self.max, self.max_step = value, step
        if self.count % self.stride == 0:
            self.x.append(step)
            self.y.append(value)
            self.t.append(timestamp)
            if len(self.x) >= CURVE_LIMIT:
                self._halve()
        self.count += 1

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
