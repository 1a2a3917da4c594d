"""The panel of a cell's runs: what was logged, and the curves."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tracknb.entities import NOTE_TAG, evaluation_sets
from tracknb.live import LiveRun, LiveSeries
from tracknb.view import format as fmt
from tracknb.view.base import (
    PAYLOAD_LIMIT,
    VERSION,
    View,
    chip_texts,
    html_table,
    safe,
    sendable,
    set_texts,
    shown_tags,
)
from tracknb.view.chart import Curve, color_index, image, small_multiples, thin
from tracknb.view.chart import Panel as ChartPanel

# All curves of one output together; a point weighs some 40 bytes in JSON.
_POINTS: Final = 1_000
_PER_CURVE: Final = 500
_LEAST_PER_CURVE: Final = 16
_PICTURES: Final = 12
_ROWS: Final = 50
_LINE_LETTERS: Final = 500
_METRICS_OF_MANY: Final = 8
_METRIC_HEAD: Final = ("metric", "last", "step", "min", "max", "points")
_METRIC_RIGHT: Final = (False, True, True, True, True, True)
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
        lines = [fmt.one_line(fmt.clipped(line, _LINE_LETTERS)) for line in lines]
        if run.series:
            lines += ["", self._metric_columns(run)]
        return "\n".join(lines)

    def _metric_columns(self, run: LiveRun) -> str:
        return fmt.columns(_METRIC_HEAD, _metric_rows(run), right=_METRIC_RIGHT)

    def _text_of_many(self) -> str:
        head, rows, right = self._columns_of_many()
        shown = fmt.columns(head, rows[:_ROWS], right=right)
        more = f"\nand {len(rows) - _ROWS:,} more" if len(rows) > _ROWS else ""
        return f"{fmt.counted(len(rows), len(rows))} in {fmt.one_line(self.runs[0].experiment)}\n\n{shown}{more}"

    def _columns_of_many(self) -> tuple[list[str], list[list[str]], list[bool]]:
        """Return heads, rows and which columns hold numbers, one row a run."""
        keys = fmt.sorted_keys([dict(run.series) for run in self.runs])[:_METRICS_OF_MANY]
        rows = [[fmt.status(run.status), run.name, *(_last(run.series.get(key)) for key in keys)] for run in self.runs]
        return ["status", "run", *keys], rows, [False, False, *(True for _ in keys)]

    def html(self) -> str:
        """Return tables and the picture of the curves, every stored text escaped."""
        if not self.runs:
            return f"<p>{safe(self.text())}</p>"
        note = f"<p>{safe(self.note)}</p>" if self.note else ""
        head = "".join(self._html_head(run) for run in self.runs) if len(self.runs) == 1 else ""
        table = self._html_metrics(self.runs[0]) if len(self.runs) == 1 else self._html_of_many()
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
            ("evaluation set", set_texts(run.tags)),
            ("tags", ", ".join(chip_texts(run.tags))),
            ("note", run.tags.get(NOTE_TAG, "")),
        ]
        parts += [f"<p>{name}: {safe(text)}</p>" for name, text in facts if text]
        if run.params:
            params = list(run.params.items())
            parts.append(html_table(["param", "value"], params[:_ROWS], right=[False, False]))
            parts.append(_more(len(params)))
        return "".join(parts)

    def _html_metrics(self, run: LiveRun) -> str:
        if not run.series:
            return ""
        rows = _metric_rows(run)
        return html_table(_METRIC_HEAD, rows[:_ROWS], right=_METRIC_RIGHT) + _more(len(rows))

    def _html_of_many(self) -> str:
        head, rows, right = self._columns_of_many()
        title = f"{fmt.counted(len(rows), len(rows))} in {self.runs[0].experiment}"
        return f"<p><b>{safe(title)}</b></p>{html_table(head, rows[:_ROWS], right=right)}{_more(len(rows))}"

    def _picture(self) -> str:
        families: dict[str, list[Curve]] = {}
        for run in self.runs:
            for place, (key, series) in enumerate(_metrics(run)):
                x, y, _ = _curve(series)
                if len(x) < 2:
                    continue
                # One run: a colour per metric. Several: each run in its own.
                color = place if len(self.runs) == 1 else color_index(run.run_id)
                name = key if len(self.runs) == 1 else run.name
                families.setdefault(_PART.sub("", key), []).append(Curve(name, color, _abscissa(x), y))
        panels = [
            ChartPanel(", ".join(dict.fromkeys(c.name for c in curves)) if len(self.runs) == 1 else family, curves)
            for family, curves in sorted(families.items())[:_PICTURES]
        ]
        if not panels:
            return ""
        spoken = "Curves: " + ", ".join(panel.title for panel in panels)
        legend = [(run.name, color_index(run.run_id)) for run in self.runs] if len(self.runs) > 1 else []
        return image(small_multiples(panels, legend=legend), fmt.clipped(spoken, _LINE_LETTERS))

    def _elapsed(self, run: LiveRun) -> str:
        return fmt.duration((run.end_time or self._now_ms) - run.start_time)

    def payload(self) -> dict[str, Any]:
        """Return the runs' data, curves thinned to what a screen can show."""
        runs = self.runs
        payload = self._payload_of(runs)
        while len(runs) > 1 and (weight := len(json.dumps(payload))) > PAYLOAD_LIMIT:
            # Without the later runs the curves of the others may keep more points.
            runs = runs[: max(1, min(len(runs) - 1, int(len(runs) * PAYLOAD_LIMIT / weight * 0.95)))]
            payload = self._payload_of(runs)
        return payload

    def _payload_of(self, runs: Sequence[LiveRun]) -> dict[str, Any]:
        curves = sum(len(run.series) for run in runs) or 1
        limit = max(_LEAST_PER_CURVE, min(_PER_CURVE, _POINTS // curves))
        left_out = len(self.runs) - len(runs)
        note = (
            f"{left_out:,} more {'run is' if left_out == 1 else 'runs are'} left out of this output; "
            "tracknb.search_runs() has them all."
        )
        return {
            "version": VERSION,
            "kind": "panel",
            "view": self.view_id,
            "now": self._now_ms,
            "note": sendable(" ".join(filter(None, [self.note, note if left_out else ""]))),
            "runs": [
                {
                    **run_facts(run),
                    "series": [
                        {**series_facts(series), **_points(*_thinned(_curve(series), limit))}
                        for _, series in _metrics(run)
                    ],
                }
                for run in runs
            ],
        }


def run_facts(run: LiveRun) -> dict[str, Any]:
    """Return what a panel draws of a run beside its curves."""
    progress = run.progress
    return {
        "id": run.run_id,
        "name": sendable(run.name),
        "experiment": sendable(run.experiment),
        "status": run.status,
        "start": run.start_time,
        "end": run.end_time,
        "color": color_index(run.run_id),
        "attempt": run.attempt,
        "params": _pairs(run.params),
        "tags": _pairs(shown_tags(dict(run.tags))),
        "evalSets": [sendable(name) for name in evaluation_sets(run.tags)],
        "note": sendable(run.tags.get(NOTE_TAG, "")),
        "error": None if run.error is None else sendable(run.error),
        "progress": None
        if progress is None
        else {"n": progress.n, "total": progress.total, "label": sendable(progress.label)},
        "changed": [[sendable(text) for text in change] for change in run.changed],
    }


def _pairs(mapping: Mapping[str, str]) -> list[list[str]]:
    return [[sendable(key), sendable(value)] for key, value in dict(mapping).items()]


def series_facts(series: LiveSeries) -> dict[str, Any]:
    """Return what a panel says of a metric beside its points."""
    return {
        "key": sendable(series.key),
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
    x, y, t = _curve(series)
    return {**series_facts(series), **_points(x[start:], y[start:], t[start:])}


def _thinned(curve: tuple[list[int], list[float], list[int]], limit: int) -> tuple[list[int], list[float], list[int]]:
    x, y, t = curve
    kept = thin(x, y, limit)
    return [x[index] for index in kept], [y[index] for index in kept], [t[index] for index in kept]


def _points(x: list[int], y: list[float], t: list[int]) -> dict[str, Any]:
    return {"x": x, "y": [fmt.json_number(value) for value in y], "t": t}


def _abscissa(steps: Sequence[int]) -> Sequence[float]:
    # Whoever gave no step logged everything at 0: the order then stands in for it.
    return range(len(steps)) if min(steps) == max(steps) else steps


def _metrics(run: LiveRun) -> list[tuple[str, LiveSeries]]:
    # One step for the list: the cell may log a new metric while the panel's thread draws.
    return sorted(run.series.copy().items())


def _curve(series: LiveSeries) -> tuple[list[int], list[float], list[int]]:
    """Return a copy of a curve whose three parts are of one length, also while it grows."""
    x, y, t = list(series.x), list(series.y), list(series.t)
    count = min(len(x), len(y), len(t))
    return x[:count], y[:count], t[:count]


def _metric_rows(run: LiveRun) -> list[list[str]]:
    return [
        [key, fmt.number(s.last), str(s.last_step), fmt.number(s.min), fmt.number(s.max), str(s.count)]
        for key, s in _metrics(run)
    ]


def _more(count: int) -> str:
    return f"<p>and {count - _ROWS:,} more</p>" if count > _ROWS else ""


def _last(series: LiveSeries | None) -> str:
    return fmt.number(None if series is None or (series.count == 0 and math.isnan(series.last)) else series.last)
