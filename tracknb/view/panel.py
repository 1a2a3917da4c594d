"""The panel of a cell's runs: what was logged, and the curves."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tracknb.entities import HIDDEN_STATE_TAG, NOTE_TAG, alerts_of, evaluation_sets
from tracknb.live import LiveRun, LiveSeries
from tracknb.view import format as fmt
from tracknb.view.base import (
    VERSION,
    View,
    bounded_table,
    chip_texts,
    fitted,
    left_out_columns,
    safe,
    sendable,
    set_texts,
    short_note,
    shortened,
    shown_tags,
)
from tracknb.view.chart import (
    PALETTE,
    Curve,
    abscissa,
    color_index,
    curves_altair,
    image,
    looks_of,
    small_multiples,
    thin,
)
from tracknb.view.chart import Panel as ChartPanel

if TYPE_CHECKING:
    import altair as alt

    from tracknb.view.changes import Changes

# All curves of one output together; a point weighs some 40 bytes in JSON.
_POINTS: Final = 1_000
# Less than a table's: the picture beside it takes its share of the output.
_PAYLOAD_LIMIT: Final = 110_000
_PER_CURVE: Final = 500
_LEAST_PER_CURVE: Final = 16
_PICTURES: Final = 12
_ROWS: Final = 50
_LINE_LETTERS: Final = 500
_HTML_LETTERS: Final = 2_000
_COLUMNS_OF_MANY: Final = 8
METRIC_HEAD: Final = ("metric", "last", "step", "min", "max", "points")
METRIC_RIGHT: Final = (False, True, True, True, True, True)
_PART: Final = re.compile(
    r"^(?:train|training|val|valid|validation|test|eval)[_/ .-]|[_/ .-](?:train|val|valid|test|eval)$"
)


class Panel(View):
    """One or several runs with their params, last values and curves."""

    def __init__(self, runs: Sequence[LiveRun], *, now_ms: int, note: str, changes: Mapping[str, Changes]) -> None:
        super().__init__()
        self.runs = tuple(runs)
        self.note = note
        self.changes = changes
        self._now_ms = now_ms
        self.payload_limit = _PAYLOAD_LIMIT

    @classmethod
    def of(
        cls, runs: Sequence[LiveRun], *, now_ms: int, note: str = "", changes: Mapping[str, Changes] | None = None
    ) -> Panel:
        """Return the panel of runs as they are in memory.

        Parameters
        ----------
        runs
            The runs of a cell.
        now_ms
            When it is drawn, in milliseconds since 1970.
        note
            What is to be said of it.
        changes
            What changed since the attempt before, by run id. Without it the params that did are told.
        """
        return cls(runs, now_ms=now_ms, note=note, changes=changes or {})

    def text(self, *, times: bool = False) -> str:
        """Return a block of lines for each run, or one line each where there are many."""
        if not self.runs:
            return "No run was tracked in this cell."
        if len(self.runs) > 1:
            return self._text_of_many(times=times)
        return self._text_of(self.runs[0], times=times)

    def _text_of(self, run: LiveRun, *, times: bool) -> str:
        lines = [f"{fmt.status(run.status)}  {run.name}  in {run.experiment}"]
        if run.attempt is not None and run.attempt > 1:
            lines[0] += f"  (attempt {run.attempt})"
        if times:
            lines.append(f"{fmt.moment(run.start_time)}, took {self._elapsed(run)}")
        if run.error:
            lines.append(run.error)
        lines += [f"alert: {text}" for text in alerts_of(run.tags)]
        lines += [f"hidden state: {text}" for text in _hidden(run)]
        changes = self.changes.get(run.run_id)
        if changes is None:
            lines += [f"changed: {key} {old} → {new}" for key, old, new in run.changed]
        if run.params:
            lines.append("params: " + ", ".join(f"{key}={value}" for key, value in run.params.items()))
        if (sets := set_texts(run.tags)) != "":
            lines.append(f"evaluation set: {sets}")
        if chips := chip_texts(run.tags):
            lines.append("tags: " + ", ".join(chips))
        lines = [fmt.one_line(fmt.clipped(line, _LINE_LETTERS)) for line in lines]
        if changes is not None:
            lines += ["", *changes.lines()]
        if run.series:
            lines += ["", self._metric_columns(run)]
        return "\n".join(lines)

    def _metric_columns(self, run: LiveRun) -> str:
        return fmt.columns(METRIC_HEAD, metric_rows(_metrics(run)), right=METRIC_RIGHT)

    def _text_of_many(self, *, times: bool) -> str:
        head, rows, right = self._columns_of_many(times=times)
        shown = fmt.columns(head, rows[:_ROWS], right=right)
        more = f"\nand {len(rows) - _ROWS:,} more" if len(rows) > _ROWS else ""
        left_out = f"\n\n{self._left_out()}" if self._left_out() else ""
        return f"{fmt.one_line(self._headline())}\n\n{shown}{more}{left_out}"

    def _headline(self) -> str:
        experiments = ", ".join(dict.fromkeys(run.experiment for run in self.runs))
        return f"{fmt.counted(len(self.runs), len(self.runs))} in {experiments}"

    def _keys_of_many(self) -> tuple[list[str], list[str]]:
        metrics = fmt.sorted_keys([run.series.copy() for run in self.runs])
        return metrics, fmt.sorted_keys([run.params.copy() for run in self.runs])

    def _left_out(self) -> str:
        metrics, params = self._keys_of_many()
        return left_out_columns(len(metrics), len(params), _COLUMNS_OF_MANY)

    def _columns_of_many(self, *, times: bool) -> tuple[list[str], list[list[str]], list[bool]]:
        """Return heads, rows and which columns hold numbers, one row a run; none that is empty throughout."""
        metrics, params = (keys[:_COLUMNS_OF_MANY] for keys in self._keys_of_many())
        head = ["status", "run", "duration", "evaluation set", "tags", *metrics, *params, "changed", "alerts", "error"]
        right = [False] * 5 + [True] * len(metrics) + [False] * (len(params) + 3)
        rows = [
            [
                fmt.status(run.status),
                run.name,
                self._elapsed(run) if times else "",
                set_texts(run.tags),
                " ".join(chip_texts(run.tags)),
                *(_last(run.series.get(key)) for key in metrics),
                *(run.params.get(key, "") for key in params),
                ", ".join(f"{key} {old} → {new}" for key, old, new in run.changed),
                ", ".join(alerts_of(run.tags)),
                run.error or "",
            ]
            for run in self.runs
        ]
        kept = [place for place in range(len(head)) if place < 2 or any(row[place] for row in rows)]
        return [head[at] for at in kept], [[row[at] for at in kept] for row in rows], [right[at] for at in kept]

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
            parts.append(_paragraph(run.error))
        parts += [_paragraph(f"Alert: {text}") for text in alerts_of(run.tags)[:_ROWS]]
        parts += [_paragraph(f"Hidden state: {text}") for text in _hidden(run)[:_ROWS]]
        changes = self.changes.get(run.run_id)
        if changes is None:
            told = [f"changed: {key} {old} → {new}" for key, old, new in run.changed[:_ROWS]]
            parts += [_paragraph(text, _LINE_LETTERS) for text in told]
        else:
            parts.append(changes.html())
        facts = [
            ("evaluation set", set_texts(run.tags)),
            ("tags", ", ".join(chip_texts(run.tags))),
            ("note", run.tags.get(NOTE_TAG, "")),
        ]
        parts += [_paragraph(f"{name}: {text}") for name, text in facts if text]
        if run.params:
            params = list(run.params.copy().items())
            parts.append(bounded_table(["param", "value"], params, right=[False, False], total=len(params)))
        return "".join(parts)

    def _html_metrics(self, run: LiveRun) -> str:
        if not run.series:
            return ""
        rows = metric_rows(_metrics(run))
        return bounded_table(METRIC_HEAD, rows, right=METRIC_RIGHT, total=len(rows))

    def _html_of_many(self) -> str:
        head, rows, right = self._columns_of_many(times=True)
        left_out = _paragraph(self._left_out()) if self._left_out() else ""
        table = bounded_table(head, rows, right=right, total=len(rows))
        return f"<p><b>{safe(fmt.clipped(self._headline(), _HTML_LETTERS))}</b></p>{table}{left_out}"

    def _picture(self) -> str:
        several = len(self.runs) > 1
        looks = looks_of((run.run_id, run.name) for run in self.runs)
        charts: dict[str, list[Curve]] = {}
        if several:
            # Each run has its look, so a chart holds one metric, or nobody could tell.
            for run, look in zip(self.runs, looks, strict=True):
                for key, series in _metrics(run):
                    x, y, _ = _curve(series)
                    if len(x) > 1:
                        charts.setdefault(key, []).append(replace(look, x=abscissa(x), y=y))
        else:
            charts = family_charts(_metrics(self.runs[0]))
        panels = [
            ChartPanel(key if several else ", ".join(curve.name for curve in curves), curves)
            for key, curves in sorted(charts.items())[:_PICTURES]
        ]
        if not panels:
            return ""
        spoken = "Curves: " + ", ".join(panel.title for panel in panels)
        picture = image(small_multiples(panels, legend=looks if several else []), fmt.clipped(spoken, _LINE_LETTERS))
        left_out = len(charts) - len(panels)
        return picture + (_paragraph(f"and {left_out:,} more charts") if left_out else "")

    def _elapsed(self, run: LiveRun) -> str:
        return fmt.duration((run.end_time or self._now_ms) - run.start_time)

    def to_altair(self) -> alt.Chart | alt.FacetChart:
        """Return the curves as an Altair chart, to restyle or to export; thinned where they are long."""
        names = fmt.told_apart([(run.name, run.run_id) for run in self.runs])
        curves = [{key: _curve(series)[:2] for key, series in _metrics(run)} for run in self.runs]
        return curves_altair(dict(zip(names, curves, strict=True)))

    def payload(self) -> dict[str, Any]:
        """Return the runs' data, curves thinned to what a screen can show.

        Where it still weighs too much, long texts are cut, then later runs are left out,
        then metrics, params and tags; ``note`` says so.
        """
        return fitted(self._payload_of, self.payload_limit, count=len(self.runs), keys=self._most_keys)

    def _since(self, run: LiveRun, letters: int | None) -> dict[str, Any] | None:
        # Beside each other runs have no room for it.
        changes = self.changes.get(run.run_id) if len(self.runs) == 1 else None
        return None if changes is None else changes.payload(letters)

    def _most_keys(self) -> int:
        run = self.runs[0]
        return max(len(run.series), len(run.params), len(run.tags), len(run.changed))

    def _payload_of(self, count: int, letters: int | None, keys: int | None) -> dict[str, Any]:
        runs = self.runs[:count]
        # Without the later runs the curves of the others may keep more points.
        curves = sum(len(run.series) for run in runs) or 1
        limit = max(_LEAST_PER_CURVE, min(_PER_CURVE, _POINTS // curves))
        left_out = len(self.runs) - len(runs)
        notes = [
            self.note,
            f"{left_out:,} more {'run is' if left_out == 1 else 'runs are'} left out of this output; "
            "tracknb.search_runs() has them all."
            if left_out
            else "",
            short_note(letters, keys) if letters is not None and (keys is not None or _is_long(runs, letters)) else "",
        ]
        return {
            "version": VERSION,
            "kind": "panel",
            "view": self.view_id,
            "now": self._now_ms,
            "note": sendable(" ".join(filter(None, notes))),
            "runs": [
                {
                    **run_facts(run, letters=letters, keys=keys),
                    "since": self._since(run, letters),
                    "series": [
                        {**series_facts(series), **thinned_points(series, limit)} for _, series in _metrics(run)[:keys]
                    ],
                }
                for run in runs
            ],
        }


def run_facts(run: LiveRun, *, letters: int | None = None, keys: int | None = None) -> dict[str, Any]:
    """Return what a panel draws of a run beside its curves; ``letters`` and ``keys`` bound its texts."""
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
        "params": _pairs(run.params, letters, keys),
        "tags": _pairs(shown_tags(dict(run.tags)), letters, keys),
        "evalSets": [shortened(name, letters) for name in evaluation_sets(run.tags)],
        "note": shortened(run.tags.get(NOTE_TAG, ""), letters),
        "error": None if run.error is None else shortened(run.error, letters),
        "progress": None
        if progress is None
        else {"n": progress.n, "total": progress.total, "label": sendable(progress.label)},
        "alerts": [shortened(text, letters) for text in alerts_of(run.tags)[:keys]],
        "hidden": [shortened(text, letters) for text in _hidden(run)[:keys]],
        "changed": [[shortened(text, letters) for text in change] for change in run.changed[:keys]],
    }


def _hidden(run: LiveRun) -> list[str]:
    return run.tags.get(HIDDEN_STATE_TAG, "").splitlines()


def _pairs(mapping: Mapping[str, str], letters: int | None, keys: int | None) -> list[list[str]]:
    return [[sendable(key), shortened(value, letters)] for key, value in list(dict(mapping).items())[:keys]]


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


def thinned_points(series: LiveSeries, limit: int) -> dict[str, Any]:
    """Return at most ``limit`` points of a metric that keep the shape of its curve."""
    x, y, t = _curve(series)
    kept = thin(x, y, limit)
    return _points([x[index] for index in kept], [y[index] for index in kept], [t[index] for index in kept])


def _points(x: list[int], y: list[float], t: list[int]) -> dict[str, Any]:
    return {"x": x, "y": [fmt.json_number(value) for value in y], "t": t}


def _metrics(run: LiveRun) -> list[tuple[str, LiveSeries]]:
    # One step for the list: the cell may log a new metric while the panel's thread draws.
    return sorted(run.series.copy().items())


def _curve(series: LiveSeries) -> tuple[list[int], list[float], list[int]]:
    """Return a copy of a curve whose three parts are of one length, also while it grows."""
    x, y, t = list(series.x), list(series.y), list(series.t)
    count = min(len(x), len(y), len(t))
    return x[:count], y[:count], t[:count]


def metric_rows(metrics: Sequence[tuple[str, LiveSeries]]) -> list[list[str]]:
    """Return a row a metric, under ``METRIC_HEAD``."""
    return [
        [key, fmt.number(s.last), str(s.last_step), fmt.number(s.min), fmt.number(s.max), str(s.count)]
        for key, s in metrics
    ]


def family_charts(metrics: Sequence[tuple[str, LiveSeries]]) -> dict[str, list[Curve]]:
    """Return the curves of one run by chart: a colour per metric, and train_loss and val_loss share axes."""
    charts: dict[str, list[Curve]] = {}
    for place, (key, series) in enumerate(metrics):
        x, y, _ = _curve(series)
        if len(x) > 1:
            curve = Curve(key, place, abscissa(x), y, dash=place // len(PALETTE))
            charts.setdefault(_PART.sub("", key), []).append(curve)
    return charts


def _is_long(runs: Sequence[LiveRun], letters: int) -> bool:
    texts = (text for run in runs for text in (*run.params.copy().values(), *run.tags.copy().values(), run.error or ""))
    return any(len(text) > letters for text in texts)


def _paragraph(text: str, letters: int = _HTML_LETTERS) -> str:
    return f"<p>{safe(fmt.clipped(text, letters))}</p>"


def _last(series: LiveSeries | None) -> str:
    return fmt.number(None if series is None or (series.count == 0 and math.isnan(series.last)) else series.last)
