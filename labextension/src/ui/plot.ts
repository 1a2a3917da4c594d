/** What both kinds of charts need from uPlot. */

import uPlot from 'uplot';
import { formatNumber } from './format';
import { chartColors } from './theme';

/** A tick: four digits would be too wide when short ones do. */
export function tick(value: number): string {
  if (value === null || value === undefined) {
    return '';
  }
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e5 || size < 1e-3)) {
    return value.toExponential(1).replace('e+', 'e').replace(/\.0e/, 'e').replace(/-/g, '−');
  }
  return String(Number(value.toPrecision(6))).replace('-', '−');
}

const FONT = '11px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif';

const none = null;
/** Ticks of times as in ISO 8601: from this step on, the text, and what is added when year or day change. */
const TIMES: uPlot.Axis.Values = [
  [31536000, '{YYYY}', none, none, none, none, none, none, 1],
  [2419200, '{YYYY}-{MM}', none, none, none, none, none, none, 1],
  [86400, '{MM}-{DD}', '\n{YYYY}', none, none, none, none, none, 1],
  [60, '{HH}:{mm}', '\n{YYYY}-{MM}-{DD}', none, '\n{MM}-{DD}', none, none, none, 1],
  [1, '{HH}:{mm}:{ss}', '\n{YYYY}-{MM}-{DD}', none, '\n{MM}-{DD}', none, none, none, 1],
  [0.001, ':{ss}.{fff}', '\n{YYYY}-{MM}-{DD} {HH}:{mm}', none, '\n{MM}-{DD} {HH}:{mm}', none, '\n{HH}:{mm}', none, 1]
];

/** Steps between ticks for every number that a float can hold; uPlot's own end at a quadrillion. */
const STEPS = Array.from({ length: 616 }, (_, i) => i - 308).flatMap(power =>
  [1, 2, 2.5, 5].map(digit => Number(`${digit}e${power}`))
);

/** Say over a plot that there is nothing to draw, or that there is again. */
export function noteNothing(box: HTMLElement, columns: readonly ArrayLike<number | null | undefined>[]): void {
  const isEmpty = columns.every(column => Array.prototype.every.call(column, value => value === null || value === undefined));
  if (isEmpty) {
    box.dataset.note = 'No finite value';
  } else {
    delete box.dataset.note;
  }
}

/** Dashes that can be told apart, for lines of one colour. */
export const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [4, 6], [10, 3, 2, 3, 2, 3], [1, 5]];

/** Few points are drawn as dots: one alone makes no line. Asked at each drawing, since curves grow. */
export function isSparse(plot: uPlot, index: number): boolean {
  let count = 0;
  for (const value of plot.data[index]) {
    if (value !== null && value !== undefined && ++count > 2) {
      return false;
    }
  }
  return true;
}

/** Axes in the theme's colours; the width of the left one follows its longest tick. */
export function axes(element: Element, time: boolean): uPlot.Axis[] {
  const common = {
    stroke: () => chartColors(element).text,
    font: FONT,
    grid: { stroke: () => chartColors(element).line, width: 1 },
    ticks: { show: false },
    border: { show: false }
  };
  return [
    time
      ? { ...common, size: 40, gap: 4, space: 72, values: TIMES }
      : { ...common, size: 24, gap: 4, space: 44, values: (_: uPlot, ticks: number[]) => ticks.map(tick) },
    {
      ...common,
      gap: 4,
      // A low chart needs closer ticks to have two at all.
      space: (_: uPlot, _axis: number, _low: number, _high: number, height: number) => (height < 120 ? 18 : 28),
      incrs: STEPS,
      values: (_: uPlot, ticks: number[]) => ticks.map(tick),
      size: (_: uPlot, values: string[] | null) =>
        Math.max(28, 10 + 6.6 * Math.max(0, ...(values ?? []).map(text => text.length)))
    }
  ];
}

/** A y range with room, also when all values are equal. */
export function padded(_: uPlot, low: number | null, high: number | null): uPlot.Range.MinMax {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) {
    return [0, 1];
  }
  const room = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

/**
 * An x range that is never a point, with a share of room at both ends. For a single point
 * uPlot proposes a range of years, so the data are asked and not uPlot.
 */
export function spread(single: number, share = 0): uPlot.Range.Function {
  return (plot: uPlot): uPlot.Range.MinMax => {
    const xs = plot.data[0];
    if (!xs?.length) {
      return [0, 1];
    }
    const [low, high] = [xs[0], xs[xs.length - 1]];
    const room = low === high ? single : (high - low) * share;
    return [low - room, high + room];
  };
}

/** Follow the width of an element; answers with a function that stops. */
export function followWidth(element: HTMLElement, onWidth: (width: number) => void): () => void {
  if (typeof ResizeObserver === 'undefined') {
    return () => undefined;
  }
  let last = 0;
  const observer = new ResizeObserver(entries => {
    const width = Math.floor(entries[entries.length - 1].contentRect.width);
    if (width > 0 && width !== last) {
      last = width;
      // Resizing inside the callback would make the observer complain.
      requestAnimationFrame(() => onWidth(width));
    }
  });
  observer.observe(element);
  return () => observer.disconnect();
}

export { formatNumber, uPlot };
