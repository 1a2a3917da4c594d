/** The trend from what a table holds, so that an output carries its runs once. No DOM. */

import { numberAt, plainRows } from './rundata';
import type { RunData, RunsPayload, TrendPayload } from './types';

/** What holds columns, and what no row stands behind. */
const COLUMNS = new Set(['metrics', 'params', 'system']);
const PLACES = new Set(['starred', 'pinned', 'archived']);
const WHOLE = new Set(['dict', 'n', 'keys', 'key']);

/** The data of some rows only, whatever columns they have. */
export function rowsOf(data: RunData, kept: number[]): RunData {
  const pick = (value: unknown, name: string): unknown => {
    if (WHOLE.has(name) || value === null || typeof value !== 'object') {
      return value;
    }
    if (COLUMNS.has(name) && Array.isArray(value)) {
      return value.map(column => pick(column, ''));
    }
    if (PLACES.has(name)) {
      const marked = new Set(value as number[]);
      return kept.flatMap((row, place) => (marked.has(row) ? [place] : []));
    }
    if (Array.isArray(value) || ArrayBuffer.isView(value)) {
      return kept.map(row => (value as ArrayLike<unknown>)[row]);
    }
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, pick(part, key)]));
  };
  return { ...(pick(data, '') as RunData), n: kept.length };
}

/** Runs for one view: where it will fetch the rest from the kernel and put it in, a copy of its own. */
export function forOneView(runs: RunsPayload): RunsPayload {
  const isWhole = ((runs as { held?: number }).held ?? runs.data.n) <= runs.data.n;
  return isWhole ? runs : { ...runs, data: structuredClone(runs.data) };
}

/** The trend of a table's runs without those that are archived, by the metric that most of them have. */
export function trendOf(runs: RunsPayload, metric?: string): TrendPayload {
  const archived = new Set((runs.data as { archived?: number[] }).archived ?? []);
  const rows = Array.from({ length: runs.data.n }, (_, row) => row).filter(row => !archived.has(row));
  // A table that has fetched runs from the kernel holds typed arrays.
  const isTyped = ArrayBuffer.isView(runs.data.start);
  const data = isTyped ? plainRows(runs.data, rows) : archived.size ? rowsOf(runs.data, rows) : runs.data;
  let best: string | null = null;
  let most = 0;
  for (const column of data.metrics) {
    const { key } = column;
    let count = 0;
    for (let row = 0; row < data.n; row++) {
      count += Number(numberAt(column, row) !== undefined);
    }
    if (count > most) {
      [best, most] = [key, count];
    }
  }
  const gone = runs.data.n - data.n;
  const trend: TrendPayload = {
    ...runs, kind: 'trend', metric: metric ?? best, total: runs.total - gone, matched: runs.matched - gone, data
  };
  // Rows that were left out here would be fetched twice, so what is here has to do.
  return gone ? { ...trend, held: data.n } as TrendPayload : trend;
}
