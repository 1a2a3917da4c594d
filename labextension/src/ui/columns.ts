/** The columns of the run table, their order, their best values and how they lie. No DOM. */

import { formatAgo, formatDuration, formatNumber, formatTime, fullNumber, statusWord } from './format';
import { GRADES, isDoubtful } from './grade';
import { numberAt, timeAt } from './rundata';
import { bestOfNested, type Tree } from './tree';
import type { Goals, NumberColumn, RunData } from './types';

export const GROUPS = ['Run', 'Metrics', 'Params', 'Tags', 'System'] as const;
export type ColumnGroup = (typeof GROUPS)[number];
export type ColumnKind = 'status' | 'name' | 'text' | 'number' | 'time' | 'tags' | 'evalSets' | 'grade';

export interface Column {
  /** Unique among the columns: a metric and a param may share their key. */
  id: string;
  label: string;
  group: ColumnGroup;
  kind: ColumnKind;
  width: number;
  align: 'left' | 'right';
  visible: boolean;
  /** Metrics only: the key, and which way is better. */
  metric?: string;
  direction?: 'lower' | 'higher';
  /** What parents show of their children, where they have no value of their own. */
  inherited?: Map<number, number>;
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

function textWidth(label: string, least: number, most: number): number {
  return Math.max(least, Math.min(most, label.length * 7 + 28));
}

/** Whether a column of texts says different things, such as several users or notebooks. */
function hasSeveral(texts: string[], n: number): boolean {
  for (let row = 1; row < n; row++) {
    if (texts[row] !== texts[0]) {
      return true;
    }
  }
  return false;
}

/** All columns of the payload, in the order in which they are shown. */
export function makeColumns(data: RunData, now: number, goals: Goals = {}, tree?: Tree): Column[] {
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
  const start = (row: number) => timeAt(data.start, row);
  const duration = (row: number): number | undefined => {
    const from = start(row);
    const until = timeAt(data.end, row) ?? (data.status[row] === 'RUNNING' ? now : undefined);
    return from === undefined || until === undefined ? undefined : Math.max(0, until - from);
  };
  const tagText = (row: number) => data.tags.codes[row].map(code => data.tags.dict[code].join(': ')).join(', ');
  const setText = (row: number) => data.evalSets.codes[row].map(code => data.evalSets.dict[code]).join(', ');
  const cell = (row: number) => {
    const place = data.source[row] ?? '';
    return data.cell?.[row] ? `${place} [${data.cell[row]}]`.trim() : place;
  };

  const columns: Column[] = [
    { ...text('status', 'Status', 'status', 100, row => statusWord(data.status[row])), raw: row => data.status[row] },
    { ...text('name', 'Run name', 'name', 200, row => data.name[row]), title: row => `${data.name[row]}\n${data.id[row]}` },
    {
      ...text('start', 'Start time', 'time', 108, row => formatAgo(start(row), now)),
      title: row => formatTime(start(row)),
      raw: row => {
        const time = start(row);
        return time === undefined || Math.abs(time) > 8.64e15 ? '' : new Date(time).toISOString();
      },
      value: start
    },
    {
      ...text('duration', 'Duration', 'number', 92, row => formatDuration(duration(row))),
      align: 'right',
      raw: row => {
        const span = duration(row);
        return span === undefined ? '' : String(span / 1000);
      },
      value: duration
    },
    text('evalSets', 'Evaluation Sets', 'evalSets', 136, setText, data.evalSets.dict.length > 0),
    text('tags', 'Tags', 'tags', 184, tagText, data.tags.dict.length > 0)
  ];
  const { grades } = data;
  if (grades && grades.dict.length > 0) {
    const grade = (row: number) => grades.dict[grades.codes[row][0]] ?? ['', ''];
    columns.splice(4, 0, {
      ...text('grade', 'Grade', 'grade', 120, row => grade(row)[0], grades.dict.some(([word]) => isDoubtful(word))),
      group: 'System',
      title: row => grade(row).join('\n').trim(),
      // The worst is the greatest.
      value: row => (grade(row)[0] ? GRADES.indexOf(grade(row)[0]) : undefined)
    });
  }
  if (data.lifecycle.includes('deleted')) {
    columns.splice(4, 0, text('lifecycle', 'Lifecycle', 'text', 88, row => statusWord(data.lifecycle[row])));
  }
  if (hasSeveral(data.experiment, data.n)) {
    columns.splice(2, 0, text('experiment', 'Experiment', 'text', 136, row => data.experiment[row]));
  }
  columns.push(
    text('user', 'User', 'text', 96, row => data.user[row] ?? '', hasSeveral(data.user, data.n)),
    text('source', 'Notebook and cell', 'text', 152, cell, hasSeveral(data.source, data.n)),
    text('id', 'Run ID', 'text', 248, row => data.id[row], false)
  );

  const metric = (item: NumberColumn, group: 'Metrics' | 'System', visible: boolean): Column => {
    const direction = goals.directions?.[item.key];
    const unit = goals.units?.[item.key];
    const own = (row: number) => numberAt(item, row);
    const inherited = bestOfNested(tree, own, direction);
    const number = inherited.size ? (row: number) => own(row) ?? inherited.get(row) : own;
    const label = unit ? `${item.key} (${unit})` : item.key;
    return {
      id: `${group === 'System' ? 'system' : 'metric'}:${item.key}`,
      label,
      group,
      kind: 'number',
      width: textWidth(label, 84, 168),
      align: 'right',
      visible,
      metric: item.key,
      direction,
      inherited,
      text: row => formatNumber(number(row)),
      title: row => {
        const full = fullNumber(number(row));
        return own(row) === undefined && full ? `${full}\nBest of the runs nested in this one` : full;
      },
      raw: row => fullNumber(own(row)),
      value: number
    };
  };
  const ordered = data.metrics.map((item, at) => ({ item, at })).sort(
    (a, b) => Number(b.item.key === goals.primary) - Number(a.item.key === goals.primary) || compareText(a.item.key, b.item.key) || a.at - b.at
  );
  columns.push(...ordered.map(({ item }, index) => metric(item, 'Metrics', index < METRICS_SHOWN)));

  for (const param of [...data.params].sort((a, b) => compareText(a.key, b.key))) {
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
  const tagKeys = new Set(data.tags.dict.map(pair => pair[0]));
  for (const key of [...tagKeys].sort(compareText)) {
    const get = (row: number) => {
      for (const code of data.tags.codes[row]) {
        if (data.tags.dict[code][0] === key) {
          return data.tags.dict[code][1];
        }
      }
      return '';
    };
    columns.push({ ...text(key, key, 'text', textWidth(key, 84, 168), get, false), id: `tag:${key}`, group: 'Tags' });
  }
  columns.push(...(data.system ?? []).map(item => metric(item, 'System', false)));
  return columns;
}

function isNumber(text: string): boolean {
  return text.trim() !== '' && Number.isFinite(Number(text));
}

/** As Python sorts keys: by their characters. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

// -- order -----------------------------------------------------------------------------

export interface Sort {
  column: string;
  descending: boolean;
}

/** Where each row stands among all values of a column: equal values share a rank, NaN and missing come after. */
interface Ranks {
  ranks: Int32Array;
  values: number;
}

const known = new WeakMap<Column, Ranks>();

/** The ranks of a column's first `n` rows; made once a column, so that a second sort costs next to nothing. */
function ranksOf(column: Column, n: number): Ranks {
  let found = known.get(column);
  if (!found || found.ranks.length !== n) {
    found = makeRanks(column, n);
    known.set(column, found);
  }
  return found;
}

function makeRanks(column: Column, n: number): Ranks {
  const ranks = new Int32Array(n);
  const numbers = new Float64Array(n);
  const texts: (string | undefined)[] = [];
  let isText = false;
  let there = 0;
  for (let row = 0; row < n; row++) {
    const value = column.value(row);
    if (typeof value === 'string') {
      isText = true;
      texts[row] = value;
      continue;
    }
    // -1 waits for its rank, -2 is NaN, -3 is missing.
    ranks[row] = value === undefined ? -3 : Number.isNaN(value) ? -2 : -1;
    if (ranks[row] === -1) {
      numbers[there++] = value!;
    }
  }
  if (isText) {
    return textRanks(column, texts, n);
  }
  const sorted = numbers.slice(0, there).sort();
  let values = 0;
  for (let at = 0; at < there; at++) {
    if (at === 0 || sorted[at] !== sorted[at - 1]) {
      sorted[values++] = sorted[at];
    }
  }
  for (let row = 0; row < n; row++) {
    ranks[row] = ranks[row] === -1 ? placeOf(sorted, values, column.value(row) as number) : ranks[row] === -2 ? values : values + 1;
  }
  return { ranks, values };
}

function placeOf(sorted: Float64Array, length: number, value: number): number {
  let [low, high] = [0, length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

function textRanks(column: Column, texts: (string | undefined)[], n: number): Ranks {
  const different = new Map<string, number>();
  const rowTexts = Array.from({ length: n }, (_, row) => {
    const value = texts[row] ?? column.value(row);
    return value === undefined ? undefined : String(value);
  });
  for (const text of rowTexts) {
    if (text !== undefined) {
      different.set(text, 0);
    }
  }
  const keyed = Array.from(different.keys(), text => ({ text, key: naturalKey(text) }));
  keyed.sort((a, b) => compareText(a.key, b.key) || compareText(a.text, b.text));
  keyed.forEach(({ text }, rank) => different.set(text, rank));
  const ranks = Int32Array.from(rowTexts, text => (text === undefined ? keyed.length + 1 : different.get(text)!));
  return { ranks, values: keyed.length };
}

/**
 * A text whose characters order as people would: small letters, without accents, numbers by their
 * size. A collator does the same, and takes two seconds for 100,000 names.
 */
export function naturalKey(text: string): string {
  const plain = /[^\x00-\x7f]/.test(text) ? text.normalize('NFD').replace(/\p{M}/gu, '') : text;
  // The number of digits stands first, as one sign between '0' and 'a'.
  return plain.toLowerCase().replace(/\d+/g, digits => {
    const bare = digits.replace(/^0+(?=\d)/, '');
    return String.fromCharCode(48 + Math.min(bare.length, 40)) + bare;
  });
}

/** The rows in the order of a column; what is missing or NaN comes last both ways. */
export function sortRows(rows: Uint32Array, column: Column, descending: boolean, n = rows.reduce((most, row) => Math.max(most, row + 1), 0)): Uint32Array {
  const { ranks, values } = ranksOf(column, n);
  const rankOf = (row: number) => (descending && ranks[row] < values ? values - 1 - ranks[row] : ranks[row]);
  // Sorting by counting: the ranks are small whole numbers, and equal ones stay in the order given.
  const ends = new Uint32Array(values + 3);
  for (const row of rows) {
    ends[rankOf(row) + 1] += 1;
  }
  for (let rank = 1; rank < ends.length; rank++) {
    ends[rank] += ends[rank - 1];
  }
  const sorted = new Uint32Array(rows.length);
  for (const row of rows) {
    sorted[ends[rankOf(row)]++] = row;
  }
  return sorted;
}

// -- what a column tells as a whole ----------------------------------------------------------

/** The best finite value of a metric, where its direction is known and rows differ. */
export function bestValue(column: Column, n: number, counts: (row: number) => boolean): number | undefined {
  if (!column.direction) {
    return undefined;
  }
  let [low, high] = [Infinity, -Infinity];
  for (let row = 0; row < n; row++) {
    const value = column.inherited?.has(row) ? undefined : (column.value(row) as number | undefined);
    if (value !== undefined && Number.isFinite(value) && counts(row)) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return low < high ? (column.direction === 'lower' ? low : high) : undefined;
}

export const BINS = 12;

/** How many finite values of the first `n` rows lie in each twelfth between the lowest and the highest; nothing where there is no spread. */
export function histogram(column: Column, n: number): Uint32Array | undefined {
  if (column.kind !== 'number' && column.kind !== 'time') {
    return undefined;
  }
  const values = new Float64Array(n);
  let count = 0;
  let [low, high] = [Infinity, -Infinity];
  for (let row = 0; row < n; row++) {
    const value = column.value(row);
    if (typeof value === 'number' && Number.isFinite(value)) {
      values[count++] = value;
      low = value < low ? value : low;
      high = value > high ? value : high;
    }
  }
  const span = high / 2 - low / 2;
  if (!(span > 0)) {
    return undefined;
  }
  const bins = new Uint32Array(BINS);
  for (let at = 0; at < count; at++) {
    bins[Math.min(BINS - 1, Math.floor((BINS * (values[at] / 2 - low / 2)) / span))] += 1;
  }
  return bins;
}

/** The path of bars that stand for counts, in a box of a width and height. */
export function barsPath(bins: Uint32Array, width: number, height: number): string {
  const most = Math.max(...bins);
  const step = width / bins.length;
  let path = '';
  bins.forEach((count, at) => {
    if (count) {
      // The least bar is one pixel: one run is not none.
      const tall = Math.max(1, Math.round((height * count) / most));
      path += `M${(at * step).toFixed(1)} ${height}v-${tall}h${(step - 1).toFixed(1)}v${tall}z`;
    }
  });
  return path;
}

/** The path of a small curve: digits in sixteenths of the height, a blank where there is no value. */
export function sparkPath(shape: string, width: number, height: number): string {
  let path = '';
  let pen = 'M';
  const step = shape.length > 1 ? (width - 2) / (shape.length - 1) : 0;
  for (let at = 0; at < shape.length; at++) {
    const level = parseInt(shape[at], 16);
    if (Number.isNaN(level)) {
      pen = 'M';
      continue;
    }
    path += `${pen}${(1 + at * step).toFixed(1)} ${(height - 1 - (level / 15) * (height - 2)).toFixed(1)}`;
    pen = 'L';
  }
  return path;
}
