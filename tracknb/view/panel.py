"""The panel of a cell's runs: what was logged, and the curves."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Final

from tracknb.entities import EVALUATION_SET_TAGS, NOTE_TAG, evaluation_sets
from tracknb.live import LiveRun, LiveSeries
from tracknb.view import format as fmt
from tracknb.view.base import VERSION, View, chip_texts, safe, set_texts, shown_tags
from tracknb.view.chart import Curve, color_index, image, small_multiples, thin
from tracknb.view.chart import Panel as ChartPanel

# All curves of one output together; a point weighs some 30 bytes in JSON.
_POINTS: Final = 3_000
_PER_CURVE: Final = 500
_PICTURES: Final = 12
_PART: Final = re.compile(
    r"^(?:train|training|val|valid|validation|test|eval)[_/ .-]|[_/ .-](?:train|val|valid|test|eval)$"
)


class Panel(View):
    """One or several runs with their params, last values and curves."""

    def __init__(self, runs: Sequence[LiveRun], *, now_ms: int, note: str) -> None:
        super().__init__()
        self.runs = tuple(runs)
        self.note = note
        self._now_ms = now_ms

    @classmethod
    def of(cls, runs: Sequence[LiveRun], *, now_ms: int, note: str = "") -> Panel:
        """Return the panel of runs as they are in memory; ``now_ms`` is when it is drawn."""
        return cls(runs, now_ms=now_ms, note=note)

    def text(self, *, times: bool = False) -> str:
        """Return a block of lines for each run, or one line each where there are many."""
        if not self.runs:
            return "No run was tracked in this cell."
        if len(self.runs) > 1:
            return self._text_of_many()
        return self._text_of(self.runs[0], times=times)

    def _text_of(self, run: LiveRun, *, times: bool) -> str:
        lines = [f"{fmt.status(run.status)}  {run.name}  in {run.experiment}"]
        if run.attempt is not None and run.attempt > 1:
            lines[0] += f"  (attempt {run.attempt})"
        if times:
            lines.append(f"{fmt.moment(run.start_time)}, took {self._elapsed(run)}")
        if run.error:
            lines.append(run.error)
        lines += [f"changed: {key} {old} → {new}" for key, old, new in run.changed]
        if run.params:
            lines.append("params: " + ", ".join(f"{key}={value}" for key, value in run.params.items()))
        if (sets := set_texts(run.tags)) != "":
            lines.append(f"evaluation set: {sets}")
        if chips := chip_texts(run.tags):
            lines.append("tags: " + ", ".join(chips))
        lines = [fmt.one_line(line) for line in lines]
        if run.series:
            lines += ["", self._metric_columns(run)]
        return "\n".join(lines)

    def _metric_columns(self, run: LiveRun) -> str:
        rows = [
            [key, fmt.number(s.last), str(s.last_step), fmt.number(s.min), fmt.number(s.max), str(s.count)]
            for key, s in sorted(run.series.items())
        ]
        head = ["metric", "last", "step", "min", "max", "points"]
        return fmt.columns(head, rows, right=[False, True, True, True, True, True])

    def _text_of_many(self) -> str:
        keys = fmt.sorted_keys([run.series for run in self.runs])[:8]
        rows = [[fmt.status(run.status), run.name, *(_last(run.series.get(key)) for key in keys)] for run in self.runs]
        table = fmt.columns(["status", "run", *keys], rows, right=[False, False, *(True for _ in keys)])
        return f"{fmt.counted(len(rows), len(rows))} in {fmt.one_line(self.runs[0].experiment)}\n\n{table}"

    def html(self) -> str:
        """Return tables and the picture of the curves, every stored text escaped."""
        if not self.runs:
            return f"<p>{safe(self.text())}</p>"
        note = f"<p>{safe(self.note)}</p>" if self.note else ""
        head = "".join(self._html_head(run) for run in self.runs) if len(self.runs) == 1 else ""
        table = self._html_metrics(self.runs[0]) if len(self.runs) == 1 else f"<pre>{safe(self.text())}</pre>"
        return f"{head}{table}{self._picture()}{note}"

    def _html_head(self, run: LiveRun) -> str:
        parts = [
            f"<p><b>{safe(fmt.status(run.status))} {safe(run.name)}</b> in {safe(run.experiment)}, "
            f"{self._elapsed(run)}</p>"
        ]
        if run.error:
            parts.append(f"<p>{safe(run.error)}</p>")
        parts += [f"<p>changed: {safe(key)} {safe(old)} → {safe(new)}</p>" for key, old, new in run.changed]
        facts = [
            ("params", ", ".join(f"{key}={value}" for key, value in run.params.items())),
            ("evaluation set", set_texts(run.tags)),
            ("tags", ", ".join(chip_texts(run.tags))),
            ("note", run.tags.get(NOTE_TAG, "")),
        ]
        parts += [f"<p>{name}: {safe(text)}</p>" for name, text in facts if text]
        return "".join(parts)

    def _html_metrics(self, run: LiveRun) -> str:
        if not run.series:
            return ""
        head = "".join(f"<th>{word}</th>" for word in ("Metric", "Last", "Step", "Min", "Max", "Points"))
        rows = "".join(
            f"<tr><td>{safe(key)}</td><td>{fmt.number(s.last)}</td><td>{s.last_step}</td>"
            f"<td>{fmt.number(s.min)}</td><td>{fmt.number(s.max)}</td><td>{s.count}</td></tr>"
            for key, s in sorted(run.series.items())
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def _picture(self) -> str:
        families: dict[str, list[Curve]] = {}
        for run in self.runs:
            for place, (key, series) in enumerate(sorted(run.series.items())):
                if len(series.x) < 2:
                    continue
                # One run: a colour per metric. Several: each run in its own.
                color = place if len(self.runs) == 1 else color_index(run.run_id)
                name = key if len(self.runs) == 1 else run.name
                families.setdefault(_PART.sub("", key), []).append(Curve(name, color, _abscissa(series), series.y))
        panels = [
            ChartPanel(", ".join(dict.fromkeys(c.name for c in curves)) if len(self.runs) == 1 else family, curves)
            for family, curves in sorted(families.items())[:_PICTURES]
        ]
        if not panels:
            return ""
        spoken = "Curves: " + ", ".join(panel.title for panel in panels)
        return image(small_multiples(panels), spoken)

    def _elapsed(self, run: LiveRun) -> str:
        return fmt.duration((run.end_time or self._now_ms) - run.start_time)

    def payload(self) -> dict[str, Any]:
        """Return the runs' data, curves thinned to what a screen can show."""
        curves = sum(len(run.series) for run in self.runs) or 1
        limit = max(8, min(_PER_CURVE, _POINTS // curves))
        return {
            "version": VERSION,
            "kind": "panel",
            "view": self.view_id,
            "now": self._now_ms,
            "note": self.note,
            "runs": [
                {
                    **run_facts(run),
                    "series": [
                        {**series_facts(s), **_points(s, thin(s.x, s.y, limit))} for _, s in sorted(run.series.items())
                    ],
                }
                for run in self.runs
            ],
        }


def run_facts(run: LiveRun) -> dict[str, Any]:
    """Return what a panel draws of a run beside its curves."""
    progress = run.progress
    return {
        "id": run.run_id,
        "name": run.name,
        "experiment": run.experiment,
        "status": run.status,
        "start": run.start_time,
        "end": run.end_time,
        "color": color_index(run.run_id),
        "attempt": run.attempt,
        "params": [list(pair) for pair in run.params.items()],
        "tags": [list(pair) for pair in shown_tags(run.tags).items() if pair[0] not in EVALUATION_SET_TAGS],
        "evalSets": list(evaluation_sets(run.tags)),
        "note": run.tags.get(NOTE_TAG, ""),
        "error": run.error,
        "progress": None if progress is None else {"n": progress.n, "total": progress.total, "label": progress.label},
        "changed": [list(change) for change in run.changed],
    }


def series_facts(series: LiveSeries) -> dict[str, Any]:
    """Return what a panel says of a metric beside its points."""
    return {
        "key": series.key,
        "last": fmt.json_number(series.last),
        "last_step": series.last_step,
        "min": fmt.json_number(series.min),
        "min_step": series.min_step,
        "max": fmt.json_number(series.max),
        "max_step": series.max_step,
        "count": series.count,
    }


def new_points(series: LiveSeries, start: int) -> dict[str, Any]:
    """Return a metric's facts and its points from index ``start`` on."""
    return {**series_facts(series), **_points(series, range(start, len(series.x)))}


def _points(series: LiveSeries, indexes: Sequence[int]) -> dict[str, Any]:
    return {
        "x": [series.x[index] for index in indexes],
        "y": [fmt.json_number(series.y[index]) for index in indexes],
        "t": [series.t[index] for index in indexes],
    }


def _abscissa(series: LiveSeries) -> Sequence[float]:
    # Whoever gave no step logged everything at 0: the order then stands in for it.
    return range(len(series.x)) if series.x[0] == series.x[-1] == min(series.x) == max(series.x) else series.x


def _last(series: LiveSeries | None) -> str:
    return fmt.number(None if series is None or (series.count == 0 and math.isnan(series.last)) else series.last)
