/** What the trend draws: points in order, the best so far, and what makes runs hard to compare. No DOM. */

import { numberAt, timeAt } from './rundata';
import type { NumberColumn, RunData } from './types';

export type Direction = 'lower' | 'higher';

export interface TrendPoint {
  row: number;
  time: number;
  value: number;
}

const NAMES_SHOWN = 3;

/** The finite points of a metric among some rows, oldest first. */
export function trendPoints(data: RunData, rows: ArrayLike<number>, metric: string): TrendPoint[] {
  const column = data.metrics.find(candidate => candidate.key === metric);
  const points: TrendPoint[] = [];
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place];
    const value = numberAt(column, row);
    const time = timeAt(data.start, row);
    if (value !== undefined && Number.isFinite(value) && time !== undefined) {
      points.push({ row, time, value });
    }
  }
  return points.sort((a, b) => a.time - b.time || b.row - a.row);
}

/** The metrics of which at least one of these rows has a number. */
export function metricsIn(data: RunData, rows: ArrayLike<number>): string[] {
  const isThere = (column: NumberColumn) => {
    for (let place = 0; place < rows.length; place++) {
      if (Number.isFinite(numberAt(column, rows[place]) ?? NaN)) {
        return true;
      }
    }
    return false;
  };
  return data.metrics.filter(isThere).map(metric => metric.key);
}

/** For each value the best that was reached until then: 3, 1, 2 gives 3, 1, 1 where lower is better. */
export function bestSoFar(values: number[], direction: Direction): number[] {
  let best = NaN;
  return values.map(value => {
    if (Number.isFinite(value) && (Number.isNaN(best) || (direction === 'lower' ? value < best : value > best))) {
      best = value;
    }
    return best;
  });
}

function listed(names: string[]): string {
  return names.slice(0, NAMES_SHOWN).map(name => `'${name}'`).join(', ') + (names.length > NAMES_SHOWN ? ' ...' : '');
}

/** What makes these points hard to compare, in the words that Python uses; empty if nothing does. */
export function warningOf(data: RunData, digests: (number | null)[] | undefined, points: TrendPoint[]): string {
  const different = new Map<string, number[]>();
  const contents = new Map<number, Set<number>>();
  for (const { row } of points) {
    const codes = data.evalSets.codes[row];
    if (codes.length) {
      different.set(codes.join(), codes);
    }
    const digest = digests?.[row];
    if (digest !== null && digest !== undefined) {
      for (const code of codes) {
        contents.set(code, (contents.get(code) ?? new Set()).add(digest));
      }
    }
  }
  const nameOf = (code: number) => data.evalSets.dict[code];
  const ambiguous = [...contents].filter(([, found]) => found.size > 1).map(([code]) => nameOf(code)).sort();
  const names = [...new Set([...different.values()].flat().map(nameOf))].sort();
  return [
    ambiguous.length
      ? `Evaluated on different data of one name: ${listed(ambiguous)}. Metrics of these runs cannot be compared.`
      : '',
    different.size > 1 ? `These runs were evaluated on different Evaluation Sets: ${listed(names)}. Choose one to compare them.` : ''
  ].filter(Boolean).join(' ');
}

/** Round numbers over a logarithmic range: powers of ten, with 2 and 5 where there is room, else as on any scale. */
export function logTicks(low: number, high: number): number[] {
  const decades = Math.log10(high / low);
  if (decades < 1) {
    const rough = (high - low) / 5;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * ([1, 2, 5, 10].find(factor => factor * power >= rough) ?? 10);
    const first = Math.ceil(low / step);
    return Array.from({ length: Math.max(0, Math.floor(high / step) - first + 1) }, (_, place) =>
      Number(((first + place) * step).toPrecision(12))
    );
  }
  const every = Math.ceil(decades / 8);
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const factor of decades < 4 ? [1, 2, 5] : [1]) {
      const tick = Number(`${factor}e${power}`);
      if (tick >= low && tick <= high && power % every === 0) {
        ticks.push(tick);
      }
    }
  }
  return ticks;
}
