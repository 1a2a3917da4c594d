/** What is done to curves before they are drawn: axes, smoothing, bands. No DOM. */

import { toNumber } from './format';
import type { JsonNumber, SeriesJson } from './types';

export type XAxis = 'step' | 'wall' | 'relative';

/** A curve against the chosen axis; what is not finite is a gap (`null`) and named in `odd`. */
export interface Line {
  x: number[];
  y: (number | null)[];
  odd: Map<number, number>;
}

/** A column of an aligned chart: `undefined` where the curve has no point, `null` where it has a gap. */
export type Column = (number | null | undefined)[];

/** More cells than this (x positions times curves) make a chart slow, and no screen can show them. */
const CELLS = 3_000_000;
const BUCKETS = 4_000;

/**
 * The points of a series against an axis, rising. Steps that are all equal stand for no steps:
 * then the points are counted. Times are in seconds, as uPlot wants them; relative ones count
 * from the start of the run, or from the first point where the start is unknown or later.
 */
export function lineOf(series: SeriesJson, axis: XAxis, start: number | null): Line {
  const { x: steps, y, t } = series;
  const flat = axis === 'step' && steps.length > 1 && steps.every(step => step === steps[0]);
  let from = 0;
  if (axis === 'relative') {
    const first = t.reduce((least, time) => Math.min(least, time), Infinity);
    from = start === null || start > first ? first : start;
  }
  const at = (i: number): number => (axis === 'step' ? (flat ? i : steps[i]) : (t[i] - from) / 1000);
  const points = steps.map((_, i): [number, JsonNumber] => [at(i), y[i]]);
  if (points.some((point, i) => i > 0 && point[0] < points[i - 1][0])) {
    points.sort((a, b) => a[0] - b[0]);
  }
  const line: Line = { x: [], y: [], odd: new Map() };
  for (const [x, value] of points) {
    const number = toNumber(value) ?? NaN;
    const shown = Number.isFinite(number) ? number : null;
    line.odd.delete(x);
    if (shown === null) {
      line.odd.set(x, number);
    }
    // Of several values at one place the last one counts.
    if (line.x.length && line.x[line.x.length - 1] === x) {
      line.y[line.y.length - 1] = shown;
    } else {
      line.x.push(x);
      line.y.push(shown);
    }
  }
  return line;
}

/**
 * An exponential moving average, without the pull to zero that it has at its beginning;
 * what TensorBoard draws. Gaps stay gaps, and a constant stays as it is.
 */
export function smoothed(values: (number | null)[], weight: number): (number | null)[] {
  const first = values.find(value => value !== null);
  if (weight <= 0 || values.every(value => value === null || value === first)) {
    return values;
  }
  let average = 0;
  let count = 0;
  return values.map(value => {
    if (value === null) {
      return null;
    }
    count += 1;
    average = average * weight + (1 - weight) * value;
    return average / (1 - weight ** count);
  });
}

/** Lines on one rising x axis. Very many different places are rounded to what a screen can show. */
export function aligned(lines: { x: number[]; y: (number | null)[] }[], cells = CELLS): { x: number[]; columns: Column[] } {
  let places = union(lines.map(line => line.x));
  let round = (x: number): number => x;
  if (places.length * lines.length > cells && places.length > BUCKETS) {
    const low = places[0];
    const width = (places[places.length - 1] - low) / BUCKETS;
    round = x => low + Math.round((x - low) / width) * width;
    places = union([places.map(round)]);
  }
  const index = new Map(places.map((x, i) => [x, i]));
  const columns = lines.map(line => {
    const column: Column = new Array(places.length).fill(undefined);
    line.x.forEach((x, i) => {
      column[index.get(round(x))!] = line.y[i];
    });
    return column;
  });
  return { x: places, columns };
}

function union(lists: number[][]): number[] {
  // Runs of one script mostly share their steps.
  const [first] = lists;
  if (first && lists.every(list => list === first || (list.length === first.length && list.every((x, i) => x === first[i])))) {
    return [...new Set(first)];
  }
  return [...new Set(lists.flat())].sort((a, b) => a - b);
}

/** The value of a line at a place, on the straight line between its points; nothing outside of it or in a gap. */
export function valueAt(line: { x: number[]; y: (number | null)[] }, place: number): number | undefined {
  const { x, y } = line;
  let low = 0;
  let high = x.length - 1;
  if (high < 0 || place < x[0] || place > x[high]) {
    return undefined;
  }
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (x[middle] <= place) {
      low = middle;
    } else {
      high = middle;
    }
  }
  const [before, after] = [y[low], y[high]];
  if (place === x[low]) {
    return before ?? undefined;
  }
  if (place === x[high]) {
    return after ?? undefined;
  }
  return before === null || after === null ? undefined : before + ((after - before) * (place - x[low])) / (x[high] - x[low]);
}

export interface Band {
  x: number[];
  mean: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  /** How many lines stand behind each place. */
  n: number[];
}

/** Mean and standard deviation (n − 1) of lines at each of their places; one line alone has no spread. */
export function bandOf(lines: { x: number[]; y: (number | null)[] }[]): Band {
  let places = union(lines.map(line => line.x));
  if (places.length > BUCKETS) {
    const every = places.length / BUCKETS;
    places = Array.from({ length: BUCKETS }, (_, i) => places[Math.min(places.length - 1, Math.round(i * every))]);
  }
  const band: Band = { x: places, mean: [], low: [], high: [], n: [] };
  for (const place of places) {
    const values = lines.map(line => valueAt(line, place)).filter(value => value !== undefined);
    const { mean, deviation } = spreadOf(values);
    band.n.push(values.length);
    band.mean.push(mean ?? null);
    band.low.push(mean === undefined ? null : mean - (deviation ?? 0));
    band.high.push(mean === undefined ? null : mean + (deviation ?? 0));
  }
  return band;
}

/** Mean and standard deviation (n − 1); one value has no deviation, none has no mean. */
export function spreadOf(values: number[]): { mean?: number; deviation?: number } {
  if (values.length === 0) {
    return {};
  }
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length === 1) {
    return { mean };
  }
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (values.length - 1)) };
}

/**
 * The index of the point of a column that lies nearest to a place. A curve has a value only
 * between its first and last point; `tolerance` is how far beyond them still counts.
 */
export function nearestIndex(x: number[], column: Column, index: number, tolerance = 0): number | undefined {
  let left = index;
  while (left >= 0 && column[left] === undefined) {
    left -= 1;
  }
  let right = index;
  while (right < x.length && column[right] === undefined) {
    right += 1;
  }
  const [back, ahead] = [left >= 0 ? x[index] - x[left] : Infinity, right < x.length ? x[right] - x[index] : Infinity];
  if (Math.max(back, ahead) === Infinity && Math.min(back, ahead) > tolerance) {
    return undefined;
  }
  return back <= ahead ? left : right;
}

/** A logarithm has no place for zero and below. */
export function forLog(column: Column): Column {
  return column.map(value => (typeof value === 'number' && value <= 0 ? null : value));
}

/** Elapsed seconds as a tick: `90 s`, `25 min`, `3 h`. */
export function elapsedTick(seconds: number): string {
  const size = Math.abs(seconds);
  const [unit, word] = size >= 172_800 ? [86_400, 'd'] : size >= 7_200 ? [3_600, 'h'] : size >= 120 ? [60, 'min'] : [1, 's'];
  return `${String(Number((seconds / unit).toPrecision(4))).replace('-', '−')} ${word}`;
}
