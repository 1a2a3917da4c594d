/** The columns of the run table, made from the columnar payload. No DOM. */

import { formatAgo, formatDuration, formatNumber, formatTime, fullNumber, statusWord, toNumber } from './format';
import type { RunData } from './types';

export type ColumnGroup = 'Run' | 'Metrics' | 'Params';
export type ColumnKind = 'status' | 'name' | 'text' | 'number' | 'time' | 'tags' | 'evalSets';

export interface Column {
  /** Unique among the columns: a metric and a param may share their key. */
  id: string;
  label: string;
  group: ColumnGroup;
  kind: ColumnKind;
  width: number;
  align: 'left' | 'right';
  visible: boolean;
  /** What is shown in a row. */
  text(row: number): string;
  /** What hovering tells. */
  title(row: number): string;
  /** What goes into a file: full precision. */
  raw(row: number): string;
  /** What sorting compares; `undefined` is missing. */
  value(row: number): number | string | undefined;
}

/** More params than this are hidden at first: they crowd out what was measured. */
const PARAMS_SHOWN = 6;
const METRICS_SHOWN = 12;

const present = (value: number | null): number | undefined => (value === null ? undefined : value);

function textWidth(label: string, least: number, most: number): number {
  return Math.max(least, Math.min(most, label.length * 7 + 28));
}

/** All columns of the payload, in the order in which they are shown. */
export function makeColumns(data: RunData, now: number): Column[] {
  const text = (
    id: string,
    label: string,
    kind: ColumnKind,
    width: number,
    get: (row: number) => string,
    visible = true
  ): Column => ({
    id: `run:${id}`,
    label,
    group: 'Run',
    kind,
    width,
    align: 'left',
    visible,
    text: get,
    title: get,
    raw: get,
    value: row => get(row) || undefined
  });
  const start = (row: number) => present(data.start[row]);
  const duration = (row: number): number | undefined => {
    const from = start(row);
    const until = present(data.end[row]) ?? (data.status[row] === 'RUNNING' ? now : undefined);
    return from === undefined || until === undefined ? undefined : Math.max(0, until - from);
  };
  const tagText = (row: number) => data.tags.codes[row].map(code => data.tags.dict[code].join(': ')).join(', ');
  const setText = (row: number) => data.evalSets.codes[row].map(code => data.evalSets.dict[code]).join(', ');
  const several = new Set(data.experiment).size > 1;

  const columns: Column[] = [
    { ...text('status', 'Status', 'status', 100, row => statusWord(data.status[row])), raw: row => data.status[row] },
    { ...text('name', 'Run name', 'name', 184, row => data.name[row]), title: row => `${data.name[row]}\n${data.id[row]}` },
    {
      ...text('start', 'Start time', 'time', 132, row => formatAgo(start(row), now)),
      title: row => formatTime(start(row)),
      raw: row => {
        const time = start(row);
        return time === undefined ? '' : new Date(time).toISOString();
      },
      value: start
    },
    {
      ...text('duration', 'Duration', 'number', 96, row => formatDuration(duration(row))),
      align: 'right',
      raw: row => {
        const span = duration(row);
        return span === undefined ? '' : String(span / 1000);
      },
      value: duration
    },
    text('evalSets', 'Evaluation Sets', 'evalSets', 132, setText),
    text('tags', 'Tags', 'tags', 216, tagText)
  ];
  if (data.lifecycle.includes('deleted')) {
    columns.splice(4, 0, text('lifecycle', 'Lifecycle', 'text', 88, row => statusWord(data.lifecycle[row])));
  }
  if (several) {
    columns.splice(2, 0, text('experiment', 'Experiment', 'text', 136, row => data.experiment[row]));
  }
  columns.push(
    text('user', 'User', 'text', 96, row => data.user[row] ?? '', false),
    text('source', 'Source', 'text', 136, row => data.source[row] ?? '', false),
    text('id', 'Run ID', 'text', 248, row => data.id[row], false)
  );

  data.metrics.forEach((metric, index) => {
    const number = (row: number) => toNumber(metric.values[row]);
    columns.push({
      id: `metric:${metric.key}`,
      label: metric.key,
      group: 'Metrics',
      kind: 'number',
      width: textWidth(metric.key, 84, 168),
      align: 'right',
      visible: index < METRICS_SHOWN,
      text: row => formatNumber(number(row)),
      title: row => fullNumber(number(row)),
      raw: row => fullNumber(number(row)),
      value: number
    });
  });

  for (const param of data.params) {
    const get = (row: number) => (param.codes[row] < 0 ? '' : param.dict[param.codes[row]]);
    const numeric = param.dict.length > 0 && param.dict.every(isNumber);
    const numbers = numeric ? param.dict.map(Number) : [];
    columns.push({
      id: `param:${param.key}`,
      label: param.key,
      group: 'Params',
      kind: numeric ? 'number' : 'text',
      width: textWidth(param.key, 84, 168),
      align: numeric ? 'right' : 'left',
      visible: data.params.length <= PARAMS_SHOWN,
      text: get,
      title: get,
      raw: get,
      value: row => {
        const code = param.codes[row];
        return code < 0 ? undefined : numeric ? numbers[code] : param.dict[code];
      }
    });
  }
  return columns;
}

function isNumber(text: string): boolean {
  return text.trim() !== '' && Number.isFinite(Number(text));
}

export interface Sort {
  column: string;
  descending: boolean;
}

/** The rows in the order of a column; what is missing or NaN comes last both ways. */
export function sortRows(rows: Uint32Array, column: Column, descending: boolean): Uint32Array {
  const values = new Map<number, number | string>();
  const missing: number[] = [];
  const there: number[] = [];
  for (const row of rows) {
    const value = column.value(row);
    if (value === undefined || Number.isNaN(value)) {
      missing.push(row);
    } else {
      values.set(row, value);
      there.push(row);
    }
  }
  const sign = descending ? -1 : 1;
  const collator = new Intl.Collator('en', { numeric: true });
  there.sort((a, b) => {
    const left = values.get(a)!;
    const right = values.get(b)!;
    const order =
      typeof left === 'number' && typeof right === 'number'
        ? left < right ? -1 : left > right ? 1 : 0
        : collator.compare(String(left), String(right));
    return order ? sign * order : a - b;
  });
  // NaN was measured, so it stands before what was never logged.
  missing.sort((a, b) => Number(column.value(a) === undefined) - Number(column.value(b) === undefined) || a - b);
  return Uint32Array.from([...there, ...missing]);
}
