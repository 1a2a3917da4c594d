"""What many points of a metric come to: their ends, their lowest and highest, the latest.

Arithmetic over points, without a database. It runs for every point that is logged, so it
goes through them as few times as it can, and with what Python does in C.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracknb.store.spool import Point

if TYPE_CHECKING:
    import numpy as np

_CORNERS: Final = ("first", "min", "max", "last")
_FIELDS: Final = ("step", "time", "value")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some points of a metric; ``first`` and ``last`` by step, then time.

    ``min`` and ``max`` pass over NaN, and are None where there is nothing else.
    """

    count: int
    first: Point
    min: Point | None
    max: Point | None
    last: Point

    @classmethod
    def of(cls, points: Sequence[Point]) -> Stretch:
        """Return what points, at least one and in any order, come to."""
        values = [point[2] for point in points]
        total = sum(values)
        if total == total:
            low, high = values.index(min(values)), values.index(max(values))
            return cls(len(points), min(points), points[low], points[high], max(points))
        # NaN is among them (or both infinities). It has no order, and loses a tie.
        numbers = [point for point in points if point[2] == point[2]]
        return cls(
            len(points),
            min(points, key=_place),
            min(numbers, key=_value, default=None),
            max(numbers, key=_value, default=None),
            max(points, key=_rank),
        )

    @classmethod
    def stored(cls, columns: Sequence[Any]) -> Stretch:
        """Return what columns of ``metric_blocks`` stand for, from ``count`` on."""
        count, *fields = columns
        corners: list[Point | None] = []
        for step, time, value in zip(fields[0::3], fields[1::3], fields[2::3], strict=True):
            corners.append(None if step is None else (step, time, math.nan if value is None else value, 0))
        first, low, high, last = corners
        assert first is not None  # a block has a point
        assert last is not None
        return cls(count, first, low, high, last)

    def with_more(self, other: Stretch) -> Stretch:
        """Return both as one."""
        joined = Stretch.of([*self.corners(), *other.corners()])
        return Stretch(self.count + other.count, joined.first, joined.min, joined.max, joined.last)

    def corners(self) -> list[Point]:
        """Return the points that stand for all, in their order; one of them may be here twice."""
        found = [point for point in (self.first, self.min, self.max, self.last) if point is not None]
        return sorted(found, key=_place)

    def columns(self) -> dict[str, Any]:
        """Return the columns of ``metric_blocks``."""
        corners = (self.first, self.min, self.max, self.last)
        return {"count": self.count} | {
            f"{name}_{field}": None if point is None else point[place]
            for name, point in zip(_CORNERS, corners, strict=True)
            for place, field in enumerate(_FIELDS)
        }


def _place(point: Point) -> tuple[int, int]:
    return point[:2]


def _value(point: Point) -> float:
    return point[2]


def _rank(point: Point) -> tuple[int, int, float]:
    step, timestamp, value, _ = point
    return step, timestamp, value if value == value else -math.inf


@dataclass(slots=True)
class Latest:
    """The row of ``latest_metrics`` in the making."""

    value: float = math.nan
    timestamp: int = -(1 << 63)
    step: int = -(1 << 63)
    count: int = 0
    min: float | None = None
    min_step: int | None = None
    max: float | None = None
    max_step: int | None = None

    def add(self, more: Stretch) -> None:
        """Take points in: the latest has the highest step, then time, then value; NaN loses a tie."""
        step, timestamp, value, _ = more.last
        place, own = (step, timestamp), (self.step, self.timestamp)
        if place > own or (place == own and (self.value != self.value or value >= self.value)):
            self.step, self.timestamp, self.value = step, timestamp, value
        self.count += more.count
        if more.min is not None and (self.min is None or more.min[2] < self.min):
            self.min, self.min_step = more.min[2], more.min[0]
        if more.max is not None and (self.max is None or more.max[2] > self.max):
            self.max, self.max_step = more.max[2], more.max[0]


def corner_places(values: np.ndarray, max_points: int) -> np.ndarray:
    """Return the places of at most ``max_points`` points that draw the same curve.

    Of each stretch of the curve the first, the lowest, the highest and the last point
    stay (the M4 method of Jugel et al., 2014), so no peak is lost.
    """
    import numpy as np

    count = len(values)
    size = -(-count // max(max_points // 4, 1))
    firsts = np.arange(0, count, size)
    # One row a stretch; what is missing in the last one is passed over like NaN.
    rows = np.full((len(firsts), size), np.nan)
    rows.flat[:count] = values
    missing = np.isnan(rows)
    lows = firsts + np.where(missing, np.inf, rows).argmin(axis=1)
    highs = firsts + np.where(missing, -np.inf, rows).argmax(axis=1)
    lasts = np.minimum(firsts + size, count) - 1
    places: np.ndarray = np.unique(np.concatenate([firsts, lows, highs, lasts]))
    return places
