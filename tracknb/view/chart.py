"""Pictures of curves: SVG for what is saved, Altair for what people restyle.

An SVG stands alone in an ``<img>``: no script, no font, no colour of the page. Mid-grey
text and palette colours read on light and on dark ground.
"""

from __future__ import annotations

import base64
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracknb.view.base import safe
from tracknb.view.format import clipped, number

if TYPE_CHECKING:
    import altair as alt

# Paul Tol's bright and vibrant schemes: colours that colour-blind readers can tell apart.
PALETTE: Final = (
    "#4477AA",
    "#EE6677",
    "#228833",
    "#CCBB44",
    "#66CCEE",
    "#AA3377",
    "#EE7733",
    "#009988",
    "#BB5566",
    "#777777",
)
_DASHES: Final = ("", "6 3", "2 2", "8 3 2 3")
# Points of one picture together, and curves in one of its charts or names below it: what an output can carry.
_PICTURE_POINTS: Final = 2_000
_CURVES: Final = 30
_END_LABELS: Final = 6
DOTS: Final = 400
# Altair refuses to draw more than 5,000 rows.
ALTAIR_ROWS: Final = 4_900
_GREY: Final = "#888888"
# The line of the best so far; green reads on light and on dark ground.
BEST: Final = "#228833"


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart: its name, colour index, points, and which dashes it has."""

    name: str
    color: int
    x: Sequence[float]
    y: Sequence[float]
    dash: int = 0

    @property
    def style(self) -> str:
        """The line's colour and dashes in SVG's words."""
        dashes = _DASHES[self.dash % len(_DASHES)]
        return f"stroke='{PALETTE[self.color % len(PALETTE)]}'" + (f" stroke-dasharray='{dashes}'" if dashes else "")


@dataclass(frozen=True, slots=True)
class Panel:
    """One small chart of a picture: its title and curves."""

    title: str
    curves: Sequence[Curve]


def color_index(run_id: str) -> int:
    """Return a run's place in the palette, the same everywhere."""
    try:
        return int(run_id[:8], 16) % len(PALETTE)
    except ValueError:
        return 0


def looks_of(runs: Iterable[tuple[str, str]]) -> list[Curve]:
    """Return name, colour and dashes of runs, given by id and name; those of one colour differ in their dashes."""
    seen: Counter[int] = Counter()
    looks = []
    for run_id, name in runs:
        color = color_index(run_id)
        looks.append(Curve(name, color, (), (), dash=seen[color]))
        seen[color] += 1
    return looks


def thin(x: Sequence[float], y: Sequence[float], limit: int) -> list[int]:
    """Return the indexes of at most ``limit`` points that keep a curve's shape.

    The first and last stay, and the least and greatest of each bucket, so no spike is
    lost.
    """
    count = len(x)
    if count <= limit:
        return list(range(count))
    if limit < 4:
        return [0, count - 1][:limit]
    buckets = max(1, (limit - 2) // 2)
    keep = {0, count - 1}
    for bucket in range(buckets):
        start, end = bucket * count // buckets, (bucket + 1) * count // buckets
        indexes = [index for index in range(start, end) if y[index] == y[index]] or [start]
        keep.add(min(indexes, key=y.__getitem__))
        keep.add(max(indexes, key=y.__getitem__))
    return sorted(keep)


def abscissa(steps: Sequence[int]) -> Sequence[int]:
    """Return the steps, or the points' order where all steps are equal: whoever gave none logged all at 0."""
    return range(len(steps)) if len(steps) > 0 and min(steps) == max(steps) else steps


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return round numbers that cover a range."""
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    rough = span / count
    if rough < sys.float_info.min:
        return [low]
    step = 10.0 ** math.floor(math.log10(rough))
    step = next(step * factor for factor in (1, 2, 5, 10, 20) if span / (step * factor) <= count)
    first = math.ceil(low / step - 1e-9)
    # Through 12 digits of text: 3 × 0.1 is to read 0.3, and 3e-14 is not to become 0.
    found = [float(f"{index * step:.12g}") for index in range(first, math.floor(high / step + 1e-9) + 1)]
    return found if 0 < len(found) <= 2 * count else [low]


def data_uri(svg: str) -> str:
    """Return a picture as the address that an ``<img>`` takes."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode('utf-8', 'replace')).decode()}"


def image(svg: str, alt: str) -> str:
    """Return the ``<img>`` of a picture."""
    return f'<img alt="{safe(alt)}" src="{data_uri(svg)}">'


def small_multiples(
    panels: Sequence[Panel],
    *,
    legend: Sequence[Curve] = (),
    per_row: int = 3,
    wide: int = 300,
    high: int = 170,
) -> str:
    """Return one picture of several small charts, and below them whose lines are whose."""
    rows = max(1, math.ceil(len(panels) / per_row))
    across = min(per_row, max(1, len(panels), len(legend)))
    drawn = sum(min(len(panel.curves), _CURVES) for panel in panels)
    limit = max(8, min(200, _PICTURE_POINTS // max(1, drawn)))
    parts = []
    for place, panel in enumerate(panels):
        left, top = place % across * wide, place // across * high
        parts.append(f"<g transform='translate({left} {top})'>{_chart(panel, wide, high, limit=limit)}</g>")
    total_wide, total_high = across * wide, rows * high
    for place, curve in enumerate(legend[:_CURVES]):
        left, top = 46 + place % across * wide, total_high + 14 + place // across * 16
        parts.append(f"<path d='M{left} {top - 4}h26' fill='none' {curve.style} stroke-width='2'/>")
        parts.append(_label(left + 32, top, clipped(curve.name, 32)))
    if legend:
        total_high += 8 + 16 * math.ceil(min(len(legend), _CURVES) / across)
    if len(legend) > _CURVES:
        total_high += 16
        parts.append(_label(46, total_high - 8, f"and {len(legend) - _CURVES:,} more"))
    return _svg(total_wide, total_high, "".join(parts))


def _svg(wide: int, high: int, content: str) -> str:
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{wide}' height='{high}' viewBox='0 0 {wide} {high}' "
        f"font-family='sans-serif' font-size='11'>{content}</svg>"
    )


def _chart(
    panel: Panel, wide: int, high: int, *, limit: int = 1_000, points: bool = False, x_names: Sequence[str] = ()
) -> str:
    # Room for labels: numbers at the left, the last values at the right, steps below.
    left, right, top, bottom = 46, wide - 52, 22, high - 24
    curves = panel.curves[:_CURVES]
    ys = [y for curve in curves for y in curve.y if math.isfinite(y)]
    xs = [x for curve in curves for x in curve.x]
    parts = [f"<text x='{left}' y='13' fill='{_GREY}' font-weight='bold'>{_title(panel)}</text>"]
    if not ys:
        parts.append(_label(left, high / 2, "no finite value"))
        return "".join(parts)
    low, high_y = _padded(min(ys), max(ys))
    first, last = min(xs), max(xs)

    def across(x: float) -> float:
        return left + (right - left) * ((x - first) / (last - first) if last > first else 0.5)

    def down(y: float) -> float:
        return bottom - (bottom - top) * _share(y, low, high_y)

    for tick in ticks(low, high_y):
        place = f"{down(tick):.1f}"
        parts.append(
            f"<line x1='{left}' x2='{right}' y1='{place}' y2='{place}' stroke='{_GREY}' stroke-opacity='.25'/>"
        )
        parts.append(_label(left - 5, down(tick) + 4, number(tick), anchor="end"))
    for tick, name in zip((first, last), x_names or (number(first), number(last)), strict=False):
        anchor = "start" if tick == first else "end"
        parts.append(_label(across(tick), bottom + 16, name, anchor=anchor))
        if first == last:
            break
    ends = []
    for curve in curves:
        color = PALETTE[curve.color % len(PALETTE)]
        parts.append(f"<path d='{_path(curve, limit, across, down)}' fill='none' {curve.style} stroke-width='1.6'/>")
        finite = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(y)]
        if len(finite) == 1:
            parts.append(
                f"<circle cx='{across(finite[0][0]):.1f}' cy='{down(finite[0][1]):.1f}' r='3' fill='{color}'/>"
            )
        if finite:
            ends.append((down(finite[-1][1]), curve, finite[-1][1], color))
    if not points:
        parts += _end_labels(ends, right, top, bottom)
    return "".join(parts)


def _title(panel: Panel) -> str:
    """Return a chart's title; where it names the curves, each name in its curve's colour."""
    if len(panel.curves) < 2 or panel.title != ", ".join(curve.name for curve in panel.curves):
        return safe(clipped(panel.title, 40))
    letters = max(6, 40 // len(panel.curves))
    return ", ".join(
        f"<tspan fill='{PALETTE[curve.color % len(PALETTE)]}'>{safe(clipped(curve.name, letters))}</tspan>"
        for curve in panel.curves[:6]
    )


def _label(x: float, y: float, text: str, *, anchor: str = "start", color: str = _GREY) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{color}'>{safe(text)}</text>"


def _end_labels(ends: list[tuple[float, Curve, float, str]], right: int, top: int, bottom: int) -> list[str]:
    """Return the last values beside the curves' ends, moved apart where they would overlap."""
    parts: list[str] = []
    below = float(top - 12)
    for place, _, value, color in sorted(ends, key=lambda end: end[0]):
        place = max(place, below + 12)
        if place > bottom + 6 or len(parts) == _END_LABELS:
            break
        below = place
        parts.append(_label(right + 4, place + 4, number(value), color=color))
    return parts


def _path(curve: Curve, limit: int, across: Callable[[float], float], down: Callable[[float], float]) -> str:
    parts = []
    pen_down = False
    for index in thin(curve.x, curve.y, limit):
        y = curve.y[index]
        if not math.isfinite(y):
            # A gap says that there was no number here.
            pen_down = False
            continue
        parts.append(f"{'L' if pen_down else 'M'}{across(curve.x[index]):.1f} {down(y):.1f}")
        pen_down = True
    return "".join(parts)


def _share(value: float, low: float, high: float) -> float:
    """Return how far up a range a value lies, also where the range is wider than a float holds."""
    if math.isinf(high - low):
        value, low, high = value / 4, low / 4, high / 4
    return (value - low) / (high - low) if high > low else 0.5


def _padded(low: float, high: float) -> tuple[float, float]:
    if high == low:
        pad = abs(low) * 0.1 or 1.0
        return low - pad, high + pad
    pad = (high - low) * 0.05
    # Beyond the greatest floats there is no room for a margin.
    return (low - pad, high + pad) if math.isfinite(pad) else (low, high)


def dots(
    title: str,
    xs: Sequence[float],
    ys: Sequence[float],
    colors: Sequence[int],
    x_names: Sequence[str],
    best: Sequence[float] = (),
    best_name: str = "",
) -> str:
    """Return the picture of points joined by one line, each in the colour of its run; at most ``DOTS``.

    ``best`` are the best values until each point, drawn as a line of steps.
    """
    wide, high = 720, 260
    kept = thin(xs, ys, DOTS)
    best = [best[index] for index in kept] if best else []
    xs, ys, colors = [xs[index] for index in kept], [ys[index] for index in kept], [colors[index] for index in kept]
    curves = [Curve(title, PALETTE.index("#777777"), xs, ys)]
    if best:
        # Each step is two points: the old best until the run started, then the new one.
        steps = [(x, y) for place, x in enumerate(xs) for y in (*best[max(0, place - 1) : place], best[place])]
        curves.append(Curve(best_name, PALETTE.index(BEST), [x for x, _ in steps], [y for _, y in steps]))
    line = _chart(Panel(title, curves), wide, high, points=True, x_names=x_names)
    left, right, top, bottom = 46, wide - 52, 22, high - 24
    finite = [y for y in ys if math.isfinite(y)]
    parts = []
    if best and finite:
        parts.append(_label(right, 13, best_name, anchor="end", color=BEST))
    if finite:
        low, top_y = _padded(min(finite), max(finite))
        first, span = min(xs), max(xs) - min(xs)
        for x, y, color in zip(xs, ys, colors, strict=True):
            if math.isfinite(y):
                share = (x - first) / span if span else 0.5
                cx, cy = left + (right - left) * share, bottom - (bottom - top) * _share(y, low, top_y)
                parts.append(f"<circle cx='{cx:.1f}' cy='{cy:.1f}' r='4' fill='{PALETTE[color]}'/>")
    return _svg(wide, high, line + "".join(parts))


def curves_altair(
    histories: Mapping[str, Mapping[str, tuple[Sequence[int], Sequence[float]]]], *, limit: int = 500
) -> alt.Chart | alt.FacetChart:
    """Return an Altair chart of curves: run name → metric → (steps, values), thinned.

    Several metrics become one small chart each. A curve whose steps are all equal is drawn
    over the order of its points.
    """
    import altair as alt
    import pandas as pd

    chart: Any
    run, metric, steps, values = [], [], [], []
    limit = max(2, min(limit, ALTAIR_ROWS // max(1, sum(len(of_run) for of_run in histories.values()))))
    for name, of_run in histories.items():
        for key, (x, y) in of_run.items():
            kept = thin(x, y, limit)
            x = abscissa(x)
            run += [name] * len(kept)
            metric += [key] * len(kept)
            steps += [x[index] for index in kept]
            values += [y[index] for index in kept]
    frame = pd.DataFrame({"run": run, "metric": metric, "step": steps, "value": values})
    chart = (
        alt.Chart(frame)
        .mark_line(point=len(frame) <= 200)
        .encode(
            x=alt.X("step:Q"),
            y=alt.Y("value:Q", scale=alt.Scale(zero=False)),
            color=alt.Color("run:N", scale=alt.Scale(range=list(PALETTE))),
            tooltip=["run:N", "metric:N", "step:Q", "value:Q"],
        )
    )
    if len(set(metric)) > 1:
        faceted: alt.FacetChart = (
            chart.properties(width=260, height=180).facet("metric:N", columns=3).resolve_scale(y="independent")
        )
        return faceted
    single: alt.Chart = chart.properties(title=metric[0] if metric else "")
    return single
