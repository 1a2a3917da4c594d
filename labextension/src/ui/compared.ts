/** What a comparison says: rows of facts, differences to a baseline, groups of runs. No DOM. */

import { formatDuration, formatNumber, formatTime, fullNumber, statusWord, toNumber } from './format';
import type { ComparePayload, JsonNumber, RunData } from './types';

export interface Cell {
  text: string;
  /** In full, for those who hover. */
  title: string;
  delta?: Delta;
  /** The best of its row, where somebody knows which way is up. */
  best?: boolean;
}

export interface Fact {
  section: string;
  key: string;
  kind: 'text' | 'number' | 'status' | 'code';
  cells: Cell[];
  /** Whether the runs differ in it. */
  differs: boolean;
  /** Which cells are not as the baseline's. */
  other: boolean[];
}

export type Outcome = 'better' | 'worse' | 'unknown' | 'equal';

export interface Delta {
  text: string;
  outcome: Outcome;
}

export type Direction = 'lower' | 'higher' | undefined;

/** The difference of two values of a metric; `undefined` where one is missing or not finite. */
export function deltaOf(value: number | undefined, base: number | undefined, direction: Direction): Delta | undefined {
  if (value === undefined || base === undefined || !Number.isFinite(value) || !Number.isFinite(base)) {
    return undefined;
  }
  const change = value - base;
  if (change === 0) {
    return { text: '=', outcome: 'equal' };
  }
  const share = base === 0 ? '' : ` (${signed(Number(((100 * change) / Math.abs(base)).toPrecision(3)))} %)`;
  const outcome = !direction ? 'unknown' : change < 0 === (direction === 'lower') ? 'better' : 'worse';
  return { text: `${signed(change)}${share}`, outcome };
}

const signed = (value: number): string => (value > 0 ? `+${formatNumber(value)}` : formatNumber(value));

/** Sections in the order in which they are shown. */
const SECTIONS = ['Metrics', 'Params', 'Tags', 'Evaluation', 'Data', 'Note', 'Run', 'Environment', 'Packages', 'Code'];

/** Every fact of the runs, by section, compared with the run at `baseline`. */
export function factsOf(payload: ComparePayload, baseline: number): Fact[] {
  const { data } = payload;
  const rows = Array.from({ length: data.n }, (_, row) => row);
  const facts: Fact[] = [];
  const add = (section: string, key: string, texts: string[], options: { kind?: Fact['kind']; titles?: string[]; matters?: boolean } = {}) => {
    if (!texts.some(Boolean)) {
      return;
    }
    const { kind = 'text', titles = texts, matters = true } = options;
    facts.push({
      section,
      key,
      kind,
      cells: texts.map((text, i) => ({ text, title: titles[i] })),
      differs: matters && texts.some(text => text !== texts[0]),
      other: texts.map(text => matters && text !== texts[baseline])
    });
  };

  add('Run', 'Status', rows.map(row => statusWord(data.status[row])), { kind: 'status' });
  if (new Set(data.experiment).size > 1) {
    add('Run', 'Experiment', rows.map(row => data.experiment[row]));
  }
  add('Run', 'User', rows.map(row => data.user[row] ?? ''));
  // Times always differ, which tells nothing.
  add('Run', 'Start', rows.map(row => formatTime(data.start[row] ?? undefined)), { matters: false });
  const until = (row: number) => data.end[row] ?? (data.status[row] === 'RUNNING' ? payload.now : null);
  const duration = (row: number) => (until(row) === null || data.start[row] === null ? undefined : until(row)! - data.start[row]!);
  add('Run', 'Duration', rows.map(row => formatDuration(duration(row))), { matters: false });
  add('Run', 'Attempt', rows.map(row => (data.attempt[row] ? String(data.attempt[row]) : '')));
  for (const metric of data.metrics) {
    facts.push(metricFact(metric.key, rows.map(row => toNumber(metric.values[row])), baseline, payload.directions?.[metric.key], payload.units?.[metric.key]));
  }
  for (const param of data.params) {
    add('Params', param.key, rows.map(row => param.dict[param.codes[row]] ?? ''));
  }
  for (const [key, values] of tagColumns(data)) {
    add('Tags', key, values);
  }
  add('Evaluation', 'Evaluation set', rows.map(row => data.evalSets.codes[row].map(code => data.evalSets.dict[code]).join(', ')));
  for (const fact of payload.facts) {
    add(word(fact.section), word(fact.key), rows.map(row => fact.dict[fact.codes[row]] ?? ''));
  }
  if (payload.code.dict.length) {
    const texts = rows.map(row => (payload.code.codes[row] < 0 ? '' : `Version ${payload.code.codes[row] + 1}`));
    add('Code', 'Cell', texts, { kind: 'code' });
  }
  const rank = (section: string) => (SECTIONS.indexOf(section) + SECTIONS.length + 1) % (SECTIONS.length + 1);
  return facts.map((fact, i): [Fact, number] => [fact, i]).sort((a, b) => rank(a[0].section) - rank(b[0].section) || a[1] - b[1]).map(([fact]) => fact);
}

const word = (text: string): string => (text ? text[0].toUpperCase() + text.slice(1) : '');

function metricFact(key: string, values: (number | undefined)[], baseline: number, direction: Direction, unit?: string): Fact {
  const finite = values.filter((value): value is number => value !== undefined && Number.isFinite(value));
  const best = !direction || finite.length < 2 ? undefined : direction === 'lower' ? Math.min(...finite) : Math.max(...finite);
  const isTold = best !== undefined && finite.some(value => value !== best);
  return {
    section: 'Metrics',
    key: unit ? `${key} (${unit})` : key,
    kind: 'number',
    cells: values.map((value, row) => ({
      text: formatNumber(value),
      title: fullNumber(value),
      delta: row === baseline ? undefined : deltaOf(value, values[baseline], direction),
      best: isTold && value === best
    })),
    // In full: what four digits show alike may still differ.
    differs: values.some(value => !Object.is(value, values[0])),
    other: values.map(value => !Object.is(value, values[baseline]))
  };
}

/** The users' tags as columns, by their keys. */
export function tagColumns(data: RunData): [string, string[]][] {
  const columns = new Map<string, string[]>();
  data.tags.codes.forEach((codes, row) => {
    for (const code of codes) {
      const [key, value] = data.tags.dict[code];
      if (!columns.has(key)) {
        columns.set(key, new Array<string>(data.n).fill(''));
      }
      columns.get(key)![row] = value;
    }
  });
  return [...columns].sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

/** A way to take runs together, and what it is called. */
export interface Grouping {
  id: string;
  label: string;
  /** The group of a row; rows of one text are one group. */
  of(row: number): string;
}

/** The ways in which these runs can be taken together: only those that join some of them. */
export function groupings(payload: ComparePayload): Grouping[] {
  const { data } = payload;
  const found: Grouping[] = [{ id: 'all', label: 'All runs together', of: () => 'all runs' }];
  const param = (key: string) => data.params.find(candidate => candidate.key === key)!;
  const valueOf = (key: string, row: number) => param(key).dict[param(key).codes[row]] ?? '';
  const varying = data.params.filter(item => new Set(Array.from(item.codes)).size > 1).map(item => item.key);
  const seeds = varying.filter(key => /(^|[^a-z])(seed|random_state|fold)($|[^a-z])/i.test(key));
  const others = varying.filter(key => !seeds.includes(key));
  if (seeds.length && others.length) {
    const label = `Same params but for ${seeds.join(', ')}`;
    found.push({ id: 'seeds', label, of: row => others.map(key => `${key}=${valueOf(key, row)}`).join(', ') });
  }
  const facts: [string, string, (row: number) => string][] = [
    ...payload.facts
      .filter(fact => fact.key === 'parent')
      .map((fact): [string, string, (row: number) => string] => ['parent', 'Parent', row => fact.dict[fact.codes[row]] ?? '']),
    ['experiment', 'Experiment', row => data.experiment[row]],
    ['user', 'User', row => data.user[row]],
    ...data.params.map((item): [string, string, (row: number) => string] => [`param:${item.key}`, `Param ${item.key}`, row => valueOf(item.key, row)]),
    ...tagColumns(data).map(([key, values]): [string, string, (row: number) => string] => [`tag:${key}`, `Tag ${key}`, row => values[row]])
  ];
  for (const [id, label, of] of facts) {
    const groups = new Set(Array.from({ length: data.n }, (_, row) => of(row)));
    if (groups.size > 1 && groups.size < data.n) {
      const name = label.replace(/^(Param|Tag) /, '');
      found.push({ id, label, of: row => `${name}=${of(row) || '(none)'}` });
    }
  }
  return found;
}

/** The groups of a grouping, in the order in which they first come. */
export function groupsOf(grouping: Grouping, count: number): { label: string; rows: number[] }[] {
  const groups = new Map<string, number[]>();
  for (let row = 0; row < count; row++) {
    const label = grouping.of(row);
    groups.set(label, [...(groups.get(label) ?? []), row]);
  }
  return [...groups].map(([label, rows]) => ({ label, rows }));
}

/** Some rows of a run table's data, in the order given. */
export function someRows(data: RunData, rows: number[]): RunData {
  const pick = <T>(list: ArrayLike<T>): T[] => rows.map(row => list[row]);
  // Typed columns, which come from the kernel, say in `there` where a value is.
  const numbers = (item: { values: ArrayLike<JsonNumber>; there?: Uint8Array }) =>
    rows.map(row => (item.there && !item.there[row] ? null : item.values[row]));
  const place = new Map(rows.map((row, i) => [row, i]));
  const result: Record<string, unknown> = { n: rows.length };
  for (const [name, value] of Object.entries(data) as [string, unknown][]) {
    if (name === 'metrics' || name === 'system') {
      result[name] = (value as RunData['metrics'])
        .map(item => ({ key: item.key, values: numbers(item) }))
        .filter(item => item.values.some(found => found !== null && found !== undefined));
    } else if (name === 'params') {
      result[name] = data.params.map(item => ({ ...item, codes: pick(item.codes) })).filter(item => item.codes.some(code => code >= 0));
    } else if (name === 'start' || name === 'end' || name === 'attempt') {
      // There NaN, and -1 for an attempt, stand for what is missing.
      result[name] = pick(value as ArrayLike<number | null>).map(found => (found !== null && found >= 0 ? found : null));
    } else if (name === 'tags' || name === 'evalSets') {
      const coded = data[name] as { dict: unknown[]; codes: number[][] };
      result[name] = { dict: coded.dict, codes: pick(coded.codes) };
    } else if (['starred', 'pinned', 'archived'].includes(name)) {
      // These list places of rows.
      result[name] = (value as number[]).filter(row => place.has(row)).map(row => place.get(row)!);
    } else if ((Array.isArray(value) || ArrayBuffer.isView(value)) && (value as unknown as ArrayLike<unknown>).length === data.n) {
      result[name] = pick(value as unknown as ArrayLike<unknown>);
    }
  }
  return result as unknown as RunData;
}

/** What a run table knows of some of its rows, as a comparison; for when no kernel can tell more. */
export function compareFromRows(
  data: RunData,
  rows: number[],
  goals: Pick<ComparePayload, 'directions' | 'units' | 'primary'> = {}
): ComparePayload {
  const some = someRows(data, rows);
  const sets = new Set(some.evalSets.codes.map(codes => codes.map(code => some.evalSets.dict[code]).join(', ')));
  return {
    version: 1,
    view: '',
    title: [...new Set(some.experiment)].join(', '),
    now: Date.now(),
    warnings: sets.size > 1 ? ['These runs were not evaluated on one evaluation set. Their metrics may not compare.'] : [],
    onlyDifferences: false,
    directions: goals.directions,
    units: goals.units,
    primary: goals.primary,
    kind: 'compare',
    labels: labelsOf(some),
    data: some,
    facts: [],
    code: { dict: [], codes: [] },
    curves: [],
    note: 'This is what the run table knows. Curves, code and environment need a running kernel.'
  };
}

/** The runs' names; those that share one are told apart by attempt, else by number. */
export function labelsOf(data: RunData): string[] {
  const count = (name: string) => data.name.filter(other => other === name).length;
  const seen = new Map<string, number>();
  return data.name.map((name, row) => {
    const number = (seen.get(name) ?? 0) + 1;
    seen.set(name, number);
    if (count(name) === 1) {
      return name;
    }
    const attempt = data.attempt[row];
    const alone = attempt && data.name.filter((other, i) => other === name && data.attempt[i] === attempt).length === 1;
    return alone ? `${name} #${attempt}` : `${name} (${number})`;
  });
}
