/** What parallel coordinates and scatter plots share: a column as an axis, and as a colour. No DOM. */

import type { Column } from './columns';
import { formatDuration, formatNumber, formatTime } from './format';
import { PALETTE } from './theme';

/** Runs to draw: their columns, which rows, and how a row is called and coloured. */
export interface RunSet {
  columns: Column[];
  rows: number[];
  id(row: number): string;
  name(row: number): string;
  /** Its place in the palette. */
  color(row: number): number;
}

export interface Tick {
  /** From 0, the foot, to 1. */
  at: number;
  text: string;
}

/** A column as an axis: where a row lies on it, from 0 to 1; `undefined` where it has no place. */
export interface Scale {
  id: string;
  label: string;
  kind: 'number' | 'category';
  log: boolean;
  /** Whether a logarithm has a place for every value. */
  canLog: boolean;
  at(row: number): number | undefined;
  ticks: Tick[];
  text(row: number): string;
}

/** More words than this on one axis are only partly named. */
const NAMED = 12;
const FEW = 7;

/** Columns that can be an axis: what was logged first. Names and ids are as many as runs and tell nothing. */
export function axisColumns(columns: Column[]): Column[] {
  // Params, metrics, then facts of the run.
  const rank = (column: Column) => (column.group === 'Params' ? 0 : column.group === 'Metrics' ? 1 : 2);
  return columns
    .filter(column => ['number', 'text', 'time', 'evalSets', 'status'].includes(column.kind) && column.id !== 'run:id')
    .map((column, i): [Column, number] => [column, i])
    .sort((a, b) => rank(a[0]) - rank(b[0]) || a[1] - b[1])
    .map(([column]) => column);
}

/** Columns in which the rows differ, at most `most`: what is worth looking at when nobody chose. */
export function telling(columns: Column[], rows: number[], most: number): Column[] {
  const differs = (column: Column) => {
    const seen = new Set<unknown>();
    for (const row of rows) {
      const value = column.value(row);
      if (value !== undefined && !Number.isNaN(value)) {
        seen.add(value);
      }
      if (seen.size > 1) {
        return true;
      }
    }
    return false;
  };
  const found = axisColumns(columns).filter(differs);
  const params = found.filter(column => column.group === 'Params');
  const others = found.filter(column => column.group === 'Metrics');
  // Both ends of the question: what was chosen, and what came of it.
  const metrics = others.slice(0, Math.max(1, most - Math.min(params.length, Math.ceil(most * 0.6))));
  return [...params.slice(0, most - metrics.length), ...metrics];
}

/** The axis of a column over some rows. */
export function scaleOf(column: Column, rows: number[], log = false): Scale {
  const values = rows.map(row => column.value(row));
  const numeric = ['number', 'time'].includes(column.kind);
  return numeric ? numberScale(column, values as (number | undefined)[], log) : wordScale(column, values);
}

const finite = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

function numberScale(column: Column, values: (number | undefined)[], wantsLog: boolean): Scale {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (finite(value)) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  const canLog = column.kind === 'number' && low > 0 && high > low;
  const log = wantsLog && canLog;
  const bend = log ? Math.log10 : (value: number) => value;
  const [from, to] = [bend(low), bend(high)];
  const place = (value: number) => (to > from ? (bend(value) - from) / (to - from) : 0.5);
  const text = column.kind === 'time' ? formatTime : column.id === 'run:duration' ? formatDuration : formatNumber;
  const ticks = low > high ? [] : (fewTicks(values, place) ?? (log ? logTicks(low, high) : linearTicks(low, high, text !== formatNumber)));
  return {
    id: column.id,
    label: column.label,
    kind: 'number',
    log,
    canLog,
    at: row => {
      const value = column.value(row);
      return finite(value) ? place(value) : undefined;
    },
    ticks: ticks.map(value => ({ at: place(value), text: text(value) })),
    text: row => text(column.value(row) as number | undefined)
  };
}

/** The values themselves, where they are few: 2, 4, 8 and 16 say more than 5 and 10. */
function fewTicks(values: (number | undefined)[], place: (value: number) => number): number[] | undefined {
  const found = new Set<number>();
  for (const value of values) {
    if (finite(value) && found.add(value).size > FEW) {
      return undefined;
    }
  }
  const ticks: number[] = [];
  for (const value of [...found].sort((a, b) => b - a)) {
    if (!ticks.length || place(ticks[ticks.length - 1]) - place(value) > 0.06) {
      ticks.push(value);
    }
  }
  return ticks.reverse();
}

/** Whether a column covers so many powers of ten that a linear axis would hide most of it. */
export function wantsLog(column: Column, rows: number[]): boolean {
  let [low, high] = [Infinity, 0];
  for (const row of rows) {
    const value = column.value(row);
    if (finite(value)) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return column.kind === 'number' && column.group === 'Params' && low > 0 && high / low >= 100;
}

/** Round numbers inside a range, with its ends. */
export function linearTicks(low: number, high: number, endsOnly = false, count = 5): number[] {
  const span = high - low;
  if (!(span > 0)) {
    return [low];
  }
  if (endsOnly || !Number.isFinite(span)) {
    return [low, high];
  }
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(factor => factor * power).find(size => span / size <= count) ?? 10 * power;
  const ticks = [low];
  for (let i = Math.ceil(low / step); i * step <= high; i++) {
    const tick = Number((i * step).toPrecision(12));
    // One that would touch an end is left out: the end says more.
    if (tick - low > span * 0.09 && high - tick > span * 0.09) {
      ticks.push(tick);
    }
  }
  return [...ticks, high];
}

/** Powers of ten inside a range, with its ends. */
export function logTicks(low: number, high: number): number[] {
  const span = Math.log10(high / low);
  const every = Math.max(1, Math.ceil(span / 5));
  const ticks = [low];
  for (let power = Math.ceil(Math.log10(low)); power <= Math.log10(high); power += every) {
    const tick = Number(`1e${power}`);
    if (Math.log10(tick / low) > span * 0.09 && Math.log10(high / tick) > span * 0.09) {
      ticks.push(tick);
    }
  }
  return [...ticks, high];
}

function wordScale(column: Column, values: (number | string | undefined)[]): Scale {
  const collator = new Intl.Collator('en', { numeric: true });
  const found = [...new Set(values.filter(value => value !== undefined).map(String))].sort(collator.compare);
  const places = new Map(found.map((word, i) => [word, found.length > 1 ? i / (found.length - 1) : 0.5]));
  const every = Math.max(1, Math.ceil(found.length / NAMED));
  return {
    id: column.id,
    label: column.label,
    kind: 'category',
    log: false,
    canLog: false,
    at: row => {
      const value = column.value(row);
      return value === undefined ? undefined : places.get(String(value));
    },
    ticks: found.filter((_, i) => i % every === 0).map(word => ({ at: places.get(word)!, text: word })),
    text: row => column.text(row)
  };
}

// Matplotlib's viridis at tenths: equal steps of the value look equally far apart, to
// colour-blind readers too.
const VIRIDIS = [
  '#440154', '#482475', '#414487', '#355f8d', '#2a788e', '#21918c', '#22a884', '#44bf70', '#7ad151', '#bddf26', '#fde725'
];

/** A colour of viridis, from 0 to 1, as red, green and blue. */
export function viridis(share: number): [number, number, number] {
  const place = Math.max(0, Math.min(1, share)) * (VIRIDIS.length - 1);
  const index = Math.min(VIRIDIS.length - 2, Math.floor(place));
  const rest = place - index;
  const channel = (color: string, i: number) => parseInt(color.slice(1 + 2 * i, 3 + 2 * i), 16);
  const mix = (i: number) =>
    Math.round(channel(VIRIDIS[index], i) * (1 - rest) + channel(VIRIDIS[index + 1], i) * rest);
  return [mix(0), mix(1), mix(2)];
}

/** The part of the scale that stands out from the ground: no yellow on white, no violet on black. */
export function scaleColor(share: number, dark: boolean): string {
  const [low, high] = dark ? [0.25, 1] : [0, 0.85];
  const [r, g, b] = viridis(low + share * (high - low));
  return `rgb(${r}, ${g}, ${b})`;
}

/** What colours the runs: a column, or each run's own colour. */
export interface Coloring {
  color(row: number): string;
  /** Words and colours for a legend; a range has its two ends and the steps between. */
  legend: { text: string; color: string }[];
  kind: 'run' | 'range' | 'words';
}

const MISSING = '#888888';

export function coloringOf(set: RunSet, scale: Scale | undefined, dark: boolean): Coloring {
  const palette = (index: number) => PALETTE[((index % PALETTE.length) + PALETTE.length) % PALETTE.length];
  if (!scale) {
    return { color: row => palette(set.color(row)), legend: [], kind: 'run' };
  }
  if (scale.kind === 'category') {
    const words = [...new Map(set.rows.map(row => [scale.at(row), scale.text(row)] as const)).entries()]
      .filter((entry): entry is [number, string] => entry[0] !== undefined)
      .sort((a, b) => a[0] - b[0]);
    const index = new Map(words.map(([at], i) => [at, i]));
    const color = (row: number) => {
      const at = scale.at(row);
      return at === undefined ? MISSING : palette(index.get(at)!);
    };
    return { color, legend: words.map(([, text], i) => ({ text, color: palette(i) })), kind: 'words' };
  }
  const color = (row: number) => {
    const at = scale.at(row);
    return at === undefined ? MISSING : scaleColor(at, dark);
  };
  const [first, last] = [scale.ticks[0], scale.ticks[scale.ticks.length - 1]];
  const steps = [0, 0.25, 0.5, 0.75, 1].map(share => ({ text: '', color: scaleColor(share, dark) }));
  steps[0].text = first?.text ?? '';
  steps[4].text = last?.text ?? '';
  return { color, legend: steps, kind: 'range' };
}

/** The rows that lie inside every range, each given as shares of its axis. */
export function within(rows: number[], scales: Map<string, Scale>, ranges: Map<string, [number, number]>): number[] {
  return rows.filter(row => {
    for (const [id, [low, high]] of ranges) {
      const at = scales.get(id)?.at(row);
      if (at === undefined || at < low - 1e-9 || at > high + 1e-9) {
        return false;
      }
    }
    return true;
  });
}

/** How far a point is from a stretch between two points. */
export function distanceTo(x: number, y: number, x0: number, y0: number, x1: number, y1: number): number {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const length = dx * dx + dy * dy;
  const share = length === 0 ? 0 : Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / length));
  return Math.hypot(x - x0 - share * dx, y - y0 - share * dy);
}
