"""The trend: one metric's last value from run to run, over the time they started."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from tracknb.entities import SYSTEM_METRICS, Run
from tracknb.view import format as fmt
from tracknb.view.base import bounded_table, safe, sendable, set_texts
from tracknb.view.chart import ALTAIR_ROWS, DOTS, color_index, dots, image, thin
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
    ) -> Self:
        """Return the trend of runs, given the newest first.

        Without ``metric`` it is the one that most runs have, the first by name among equals.
        The other parameters are those of ``RunTable.of``.
        """
        view = cls(
            runs,
            experiments=experiments,
            title=title,
            query=query,
            total=total,
            matched=len(runs) if matched is None else matched,
            now_ms=now_ms,
        )
        counts = Counter(key for run in runs for key in run.data.metrics if not key.startswith(SYSTEM_METRICS))
        view.metric = metric or min(counts, key=lambda key: (-counts[key], key), default=None)
        return view

    def _points(self) -> list[Run]:
        """Return the runs that have the metric, the oldest first."""
        return [run for run in reversed(self.runs) if self.metric in run.data.metrics]

    def text(self, *, times: bool = False) -> str:
        """Return the values in the order that the runs started."""
        points = self._points()
        if not self.runs:
            return self.empty_text()
        if self.metric is None or not points:
            return f"{self.headline()}\nNone of these runs has a metric. Log one with tracknb.log_metric(key, value)."
        shown = points[-_ROWS:]
        rows = [
            [
                fmt.moment(run.info.start_time) if times else "",
                fmt.number(run.data.metrics[self.metric]),
                run.info.run_name,
                set_texts(run.data.tags),
            ]
            for run in shown
        ]
        head = ["start", self.metric, "run", "evaluation set"]
        lines = [
            f"{self.headline()}: {self.metric}, oldest first",
            "",
            fmt.columns(head, rows, right=[False, True, False, False]),
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
        picture = dots(self.metric, xs, ys, colors, names)
        drawn = f"<p>The picture shows {len(thin(xs, ys, DOTS)):,} of {len(xs):,} values.</p>" if len(xs) > DOTS else ""
        spoken = f"{self.metric} over {fmt.counted(len(points), len(points))}: last value {fmt.number(ys[-1])}"
        # The newest on top: what does not fit is older.
        newest = points[: -_ROWS - 1 : -1]
        rows = [
            [
                fmt.number(run.data.metrics[self.metric]),
                run.info.run_name,
                set_texts(run.data.tags),
                fmt.moment(run.info.start_time),
            ]
            for run in newest
        ]
        head = [self.metric, "run", "evaluation set", "start"]
        table = bounded_table(head, rows, right=[True, False, False, False], total=len(points))
        warning = f"<p>{safe(self.warning_text())}</p>" if self.warning_text() else ""
        return f"<p><b>{safe(self.headline())}</b></p>{image(picture, spoken)}{warning}{drawn}{table}"

    def payload(self) -> dict[str, Any]:
        """Return the run table's data and the metric that is drawn first."""
        return {**super().payload(), "metric": None if self.metric is None else sendable(self.metric)}

    def to_altair(self) -> alt.LayerChart:
        """Return the trend as an Altair chart, to restyle or to export; thinned where there are thousands of runs."""
        import altair as alt
        import pandas as pd

        points = self._points()
        if self.metric is not None:
            values = [run.data.metrics[self.metric] for run in points]
            points = [points[index] for index in thin(range(len(values)), values, ALTAIR_ROWS)]
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
        layered: alt.LayerChart = base.mark_line(color="#777777") + base.mark_point(filled=True, size=60).encode(
            color="evaluation set:N", tooltip=tips
        )
        return layered
