"""The trend: one metric's last value from run to run, over the time they started, and the best until then."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from tracknb.entities import (
    EVALUATION_DIGEST_TAG,
    SYSTEM_METRICS,
    Run,
    ambiguous_evaluation_sets,
    evaluation_sets,
)
from tracknb.view import format as fmt
from tracknb.view.base import bounded_table, safe, sendable, set_texts
from tracknb.view.chart import ALTAIR_ROWS, BEST, DOTS, color_index, dots, image, thin
from tracknb.view.direction import Direction
from tracknb.view.table import RunsView, utc

if TYPE_CHECKING:
    import altair as alt

_ROWS = 50


class Trend(RunsView):
    """A metric over runs; make one with ``tracknb.trend()``."""

    kind = "trend"
    metric: str | None = None

    @classmethod
    def of(
        cls,
        runs: Sequence[Run],
        *,
        experiments: Mapping[str, str],
        title: str,
        query: str = "",
        total: int,
        matched: int | None = None,
        now_ms: int,
        metric: str | None = None,
        **known: Any,
    ) -> Self:
        """Return the trend of runs, given the newest first.

        Without ``metric`` it is the one that counts most, if somebody said so and a run has
        it; else the one that most runs have, the first by name among equals. The other
        parameters are those of ``RunTable.of``.
        """
        view = cls(
            runs,
            experiments=experiments,
            title=title,
            query=query,
            total=total,
            matched=len(runs) if matched is None else matched,
            now_ms=now_ms,
            **known,
        )
        counts = Counter(key for run in runs for key in run.data.metrics if not key.startswith(SYSTEM_METRICS))
        first = view.goals.primary
        view.metric = metric or min(counts, key=lambda key: (key != first, -counts[key], key), default=None)
        return view

    @property
    def direction(self) -> Direction | None:
        """Which way the metric is better; None where nobody said so and its name does not tell."""
        return None if self.metric is None else self.goals.direction(self.metric)

    def _points(self) -> list[Run]:
        """Return the runs that have the metric, the oldest first."""
        return [run for run in reversed(self.runs) if self.metric in run.data.metrics]

    def _best(self, points: Sequence[Run]) -> list[float]:
        """Return the best value until each of these runs; nothing where no value is better than another."""
        if self.metric is None or self.direction is None:
            return []
        return best_so_far([run.data.metrics[self.metric] for run in points], self.direction)

    def warning_text(self) -> str:
        """Return what makes the values hard to compare, or nothing."""
        points = self._points()
        different = {found for run in points if (found := evaluation_sets(run.data.tags))}
        names = sorted({name for found in different for name in found})
        listed = ", ".join(f"'{fmt.one_line(name)}'" for name in names[:3]) + (" ..." if len(names) > 3 else "")
        apart = f"These runs were evaluated on different Evaluation Sets: {listed}. Choose one to compare them."
        return " ".join(filter(None, [super().warning_text(), apart if len(different) > 1 else ""]))

    def text(self, *, times: bool = False) -> str:
        """Return the values in the order that the runs started, and the best until each."""
        points = self._points()
        if not self.runs:
            return self.empty_text()
        if self.metric is None or not points:
            return f"{self.headline()}\nNone of these runs has a metric. Log one with tracknb.log_metric(key, value)."
        best = self._best(points)
        shown = range(max(0, len(points) - _ROWS), len(points))
        rows = [
            [
                fmt.moment(points[place].info.start_time) if times else "",
                fmt.number(points[place].data.metrics[self.metric]),
                _number_at(best, place),
                points[place].info.run_name,
                set_texts(points[place].data.tags),
            ]
            for place in shown
        ]
        head = ["start", self.metric, "best so far", "run", "evaluation set"]
        better = f", {self.direction} is better" if self.direction else ""
        lines = [
            f"{self.headline()}: {self.metric}, oldest first{better}",
            "",
            fmt.columns(head, rows, right=[False, True, True, False, False]),
        ]
        if len(shown) < len(points):
            lines.insert(2, f"{len(points) - len(shown):,} older ones are left out")
        if warning := self.warning_text():
            lines += ["", warning]
        return "\n".join(lines)

    def html(self) -> str:
        """Return the picture of the trend, and the newest values under it."""
        points = self._points()
        if self.metric is None or not points:
            return f"<pre>{safe(self.text())}</pre>"
        xs = [float(run.info.start_time) for run in points]
        ys = [run.data.metrics[self.metric] for run in points]
        colors = [color_index(run.info.run_id) for run in points]
        names = (fmt.moment(points[0].info.start_time), fmt.moment(points[-1].info.start_time))
        best = self._best(points)
        picture = dots(self.metric, xs, ys, colors, names, best, f"best so far, {self.direction} is better")
        drawn = f"<p>The picture shows {len(thin(xs, ys, DOTS)):,} of {len(xs):,} values.</p>" if len(xs) > DOTS else ""
        spoken = f"{self.metric} over {fmt.counted(len(points), len(points))}: last value {fmt.number(ys[-1])}"
        spoken += f", best {_number_at(best, -1)}" if best else ""
        # The newest on top: what does not fit is older.
        rows = [
            [
                fmt.number(ys[place]),
                *([_number_at(best, place)] if best else []),
                points[place].info.run_name,
                set_texts(points[place].data.tags),
                fmt.moment(points[place].info.start_time),
            ]
            for place in range(len(points) - 1, max(-1, len(points) - 1 - _ROWS), -1)
        ]
        head = [self.metric, *(["best so far"] if best else []), "run", "evaluation set", "start"]
        right = [True] * (len(head) - 3) + [False] * 3
        table = bounded_table(head, rows, right=right, total=len(points))
        warning = f"<p>{safe(self.warning_text())}</p>" if self.warning_text() else ""
        return f"<p><b>{safe(self.headline())}</b></p>{image(picture, spoken)}{warning}{drawn}{table}"

    def payload(self) -> dict[str, Any]:
        """Return the run table's data, the metric that is drawn first, and which data a run's set stood for.

        The interactive form warns by itself, of those runs that it shows.
        """
        payload = super().payload()
        payload["note"] = payload["note"].removeprefix(payload["warning"]).lstrip()
        payload["metric"] = None if self.metric is None else sendable(self.metric)
        if ambiguous_evaluation_sets(self.runs):
            codes: dict[str, int] = {}
            digests = [run.data.tags.get(EVALUATION_DIGEST_TAG) for run in self.runs[: payload["data"]["n"]]]
            payload["digests"] = [codes.setdefault(digest, len(codes)) if digest else None for digest in digests]
        return payload

    def to_altair(self) -> alt.LayerChart:
        """Return the trend as an Altair chart, to restyle or to export; thinned where there are thousands of runs."""
        import altair as alt
        import pandas as pd

        points = self._points()
        best = self._best(points)
        if self.metric is not None:
            values = [run.data.metrics[self.metric] for run in points]
            kept = thin(range(len(values)), values, ALTAIR_ROWS)
            points, best = [points[index] for index in kept], [best[index] for index in kept if best]
        frame = pd.DataFrame(
            {
                "start": utc([run.info.start_time for run in points]),
                "value": [run.data.metrics[self.metric] for run in points if self.metric is not None],
                "run": [run.info.run_name for run in points],
                "user": [run.info.user_id for run in points],
                "evaluation set": [set_texts(run.data.tags) or "none" for run in points],
            }
        )
        base = alt.Chart(frame).encode(
            x=alt.X("start:T", title="start time"),
            y=alt.Y("value:Q", title=self.metric or "", scale=alt.Scale(zero=False)),
        )
        tips = ["start:T", "value:Q", "run:N", "user:N", "evaluation set:N"]
        layered: alt.LayerChart = base.mark_line(color="#777777", strokeWidth=1)
        if best:
            frame["best so far"] = best
            tips.insert(2, "best so far:Q")
            layered += base.mark_line(color=BEST, interpolate="step-after").encode(y="best so far:Q")
        layered += base.mark_point(filled=True, size=60).encode(color="evaluation set:N", tooltip=tips)
        return layered


def best_so_far(values: Iterable[float], direction: Direction) -> list[float]:
    """Return for each value the best that was reached until then; NaN before the first number.

    Examples
    --------
    >>> best_so_far([3.0, 1.0, 2.0], "lower"), best_so_far([3.0, 1.0, 4.0], "higher")
    ([3.0, 1.0, 1.0], [3.0, 3.0, 4.0])
    """
    best = math.nan
    found = []
    for value in values:
        if math.isfinite(value) and (math.isnan(best) or (value < best if direction == "lower" else value > best)):
            best = value
        found.append(best)
    return found


def _number_at(best: Sequence[float], place: int) -> str:
    return fmt.number(best[place]) if best and not math.isnan(best[place]) else ""
