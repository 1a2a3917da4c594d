/** Which runs of a columnar payload a filter finds; it means what `tracknb/store/compile.py` makes of it. No DOM. */

import { GRADE_TAG } from './grade';
import { timeAt } from './rundata';
import { FilterError, type Comparison, type Node } from './search';
import type { NumberColumn, RunData } from './types';

/** Each row's 1 or 0. */
export type Marks = Uint8Array;
type TextTest = (text: string) => boolean;

/** Tags that tracknb and MLflow set themselves; payloads leave them out. */
const HIDDEN = /^(mlflow|tracknb)\./;
const SYSTEM_METRICS = 'system/';
const AGGREGATE = /^(.+)\.(min|max|count)$/s;
/** Payloads that would weigh too much cut texts at this length, with an ellipsis. */
const SHORT_TEXT = 250;
const MANY = 8;

/** The first comparison that these data cannot answer, because a payload does not hold what it names. */
export function beyond(node: Node | null, data: RunData): Comparison | undefined {
  if (node === null) {
    return undefined;
  }
  if (node.kind === 'comparison') {
    return isHeld(node, data) ? undefined : node;
  }
  for (const item of node.kind === 'not' ? [node.item] : node.items) {
    const found = beyond(item, data);
    if (found) {
      return found;
    }
  }
  return undefined;
}

/** What to say where no kernel can be asked about it. */
export function beyondError(text: string, node: Comparison): FilterError {
  return new FilterError(
    `This output does not hold ${node.shown.length > 60 ? 'that' : node.shown}; only a running kernel can look there.`,
    text,
    node.start,
    node.end,
    'Run the cell again, or give the filter to tracknb.search_runs().'
  );
}

function isHeld({ place, key, operator }: Comparison, data: RunData): boolean {
  const comparesText = operator !== 'IS NULL' && operator !== 'IS NOT NULL';
  switch (place) {
    case 'attributes':
      return key !== 'artifact_uri' && key !== 'source_name';
    case 'metrics': {
      if (metricColumn(data, key)) {
        return true;
      }
      const base = AGGREGATE.exec(key)?.[1];
      const hasAll = data.keys == null && (data.system !== undefined || !key.startsWith(SYSTEM_METRICS));
      return hasAll && !(base && metricColumn(data, base));
    }
    case 'params': {
      const param = data.params.find(candidate => candidate.key === key);
      return param ? !(comparesText && param.dict.some(isCut)) : data.keys == null;
    }
    case 'tags':
      if (key === GRADE_TAG && data.grades) {
        return true;
      }
      return (
        !HIDDEN.test(key) &&
        data.keys == null &&
        !(comparesText && data.tags.dict.some(pair => pair[0] === key && isCut(pair[1])))
      );
    case 'datasets':
      return false;
  }
}

function isCut(text: string): boolean {
  return text.endsWith('…') && text.length >= SHORT_TEXT && Array.from(text).length === SHORT_TEXT;
}

/** Whether each row is found; the data must hold all that the filter names. */
export function evaluate(node: Node | null, data: RunData): Marks {
  return node === null ? new Uint8Array(data.n).fill(1) : marksOf(node, data, new Map());
}

type Tags = Map<string, Int32Array>;

function marksOf(node: Node, data: RunData, tags: Tags): Marks {
  switch (node.kind) {
    case 'comparison':
      return compared(node, data, tags);
    case 'not': {
      // A comparison with what is missing does not hold, so NOT finds it.
      const marks = marksOf(node.item, data, tags);
      for (let row = 0; row < marks.length; row++) {
        marks[row] ^= 1;
      }
      return marks;
    }
    default: {
      const [first, ...rest] = node.kind === 'or' ? listed(node.items) : node.items;
      const marks = marksOf(first, data, tags);
      const decided = node.kind === 'or' ? 1 : 0;
      for (const item of rest) {
        if (!marks.includes(1 - decided)) {
          break;
        }
        const other = marksOf(item, data, tags);
        for (let row = 0; row < marks.length; row++) {
          marks[row] = decided ? marks[row] | other[row] : marks[row] & other[row];
        }
      }
      return marks;
    }
  }
}

/** Alternatives, where many equalities of one key have become one list: thousands are looked up at once. */
function listed(items: Node[]): Node[] {
  const rest: Node[] = [];
  const lists = new Map<string, Comparison>();
  for (const item of items) {
    if (item.kind !== 'comparison' || item.operator !== '=' || items.length <= MANY) {
      rest.push(item);
      continue;
    }
    const name = `${item.place}.${item.key}`;
    const list = lists.get(name);
    if (list) {
      (list.value as (number | string)[]).push(item.value as number | string);
    } else {
      const made: Comparison = { ...item, operator: 'IN', value: [item.value as number | string] };
      lists.set(name, made);
      rest.push(made);
    }
  }
  return rest;
}

function compared(node: Comparison, data: RunData, tags: Tags): Marks {
  const marks = new Uint8Array(data.n);
  const mark = (holds: (row: number) => boolean) => {
    for (let row = 0; row < data.n; row++) {
      marks[row] = Number(holds(row));
    }
    return marks;
  };
  switch (node.place) {
    case 'attributes':
      return mark(attribute(node, data));
    case 'metrics':
      return metricMarks(node, metricColumn(data, node.key), marks);
    case 'params': {
      const param = data.params.find(candidate => candidate.key === node.key);
      return coded(node, param?.codes, param?.dict ?? [], paramTest, marks);
    }
    default: {
      if (node.key === GRADE_TAG && data.grades) {
        const { dict, codes } = data.grades;
        return coded(node, codes.map(row => row[0] ?? -1), dict.map(pair => pair[0]), textTest, marks);
      }
      let codes = tags.get(node.key);
      if (!codes) {
        tags.set(node.key, (codes = tagCodes(data, node.key)));
      }
      return coded(node, codes, data.tags.dict.map(pair => pair[1]), textTest, marks);
    }
  }
}

function metricColumn(data: RunData, key: string): NumberColumn | undefined {
  const isIt = (column: NumberColumn) => column.key === key;
  return data.metrics.find(isIt) ?? data.system?.find(isIt);
}

function metricMarks(node: Comparison, column: NumberColumn | undefined, marks: Marks): Marks {
  const isNull = node.operator === 'IS NULL';
  if (!column) {
    return isNull ? marks.fill(1) : marks;
  }
  // As numberAt reads it, without a call for each of 100,000 rows.
  const { values, there } = column;
  const test = isNull ? () => false : node.operator === 'IS NOT NULL' ? () => true : metricTest(node);
  for (let row = 0; row < marks.length; row++) {
    const value = values[row];
    const isThere = there ? there[row] === 1 : value !== null && value !== undefined;
    marks[row] = Number(isThere ? test(typeof value === 'number' ? value : Number(value)) : isNull);
  }
  return marks;
}

/** Compare texts that stand as codes: each text is looked at once, however many runs have it. */
function coded(
  node: Comparison,
  codes: ArrayLike<number> | undefined,
  dict: string[],
  makeTest: (node: Comparison) => TextTest,
  marks: Marks
): Marks {
  const isNull = node.operator === 'IS NULL';
  if (!codes) {
    return isNull ? marks.fill(1) : marks;
  }
  const known = new Int8Array(dict.length).fill(-1);
  const test = isNull ? () => false : node.operator === 'IS NOT NULL' ? () => true : makeTest(node);
  for (let row = 0; row < marks.length; row++) {
    const code = codes[row];
    if (code < 0) {
      marks[row] = Number(isNull);
      continue;
    }
    if (known[code] < 0) {
      known[code] = Number(test(dict[code]));
    }
    marks[row] = known[code];
  }
  return marks;
}

/** Which entry of the dictionary each row has for a tag's key; -1 where it has none. */
function tagCodes(data: RunData, key: string): Int32Array {
  const isKey = Uint8Array.from(data.tags.dict, pair => Number(pair[0] === key));
  const found = new Int32Array(data.n).fill(-1);
  for (let row = 0; row < data.n; row++) {
    for (const code of data.tags.codes[row]) {
      if (isKey[code]) {
        found[row] = code;
      }
    }
  }
  return found;
}

function attribute(node: Comparison, data: RunData): (row: number) => boolean {
  const { key, operator } = node;
  if (key === 'start_time' || key === 'end_time') {
    const times = key === 'start_time' ? data.start : data.end;
    if (operator === 'IS NULL' || operator === 'IS NOT NULL') {
      return row => (timeAt(times, row) === undefined) === (operator === 'IS NULL');
    }
    const test = numberTest(node);
    return row => {
      const time = timeAt(times, row);
      return time !== undefined && test(time);
    };
  }
  const texts = { status: data.status, run_id: data.id, run_name: data.name, user_id: data.user }[key] ?? [];
  if (operator === 'IS NULL' || operator === 'IS NOT NULL') {
    return () => operator === 'IS NOT NULL';
  }
  const test = textTest(node);
  return row => test(texts[row]);
}

const several = (node: Comparison): (number | string)[] => (Array.isArray(node.value) ? node.value : [node.value ?? '']);

/** NaN is equal to no number here and different from each. */
function numberTest(node: Comparison): (value: number) => boolean {
  const numbers = several(node).filter(value => typeof value === 'number' && !Number.isNaN(value)) as number[];
  switch (node.operator) {
    case '=':
    case 'IN':
      return among(numbers);
    case '!=':
    case 'NOT IN': {
      const found = among(numbers);
      return value => !found(value);
    }
  }
  const [limit] = numbers;
  switch (limit === undefined ? '' : node.operator) {
    case '<':
      return value => value < limit;
    case '<=':
      return value => value <= limit;
    case '>':
      return value => value > limit;
    case '>=':
      return value => value >= limit;
  }
  return () => false;
}

function among<T>(values: T[]): (value: T) => boolean {
  if (values.length === 1) {
    const [only] = values;
    return value => value === only;
  }
  const set = new Set(values);
  return value => set.has(value);
}

/** Asking a metric for NaN by name finds it, though NaN does not equal itself. */
function metricTest(node: Comparison): (value: number) => boolean {
  const test = numberTest(node);
  const asksForNan = several(node).some(value => Number.isNaN(value));
  switch (node.operator) {
    case '=':
    case 'IN':
      return value => (Number.isNaN(value) ? asksForNan : test(value));
    case '!=':
    case 'NOT IN':
      return value => (Number.isNaN(value) ? !asksForNan : test(value));
  }
  return test;
}

// A number as the store reads a param: ASCII digits only, of a bounded length.
const PARAM_NUMBER = /^ *[-+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]{1,4})? *$/;

function readNumber(text: string): number | undefined {
  return text.length <= 400 && PARAM_NUMBER.test(text) ? Number(text) : undefined;
}

/** Params compare as text with texts and as numbers with numbers; a list may hold both. */
function paramTest(node: Comparison): TextTest {
  const values = several(node);
  const texts = values.filter(value => typeof value === 'string');
  if (texts.length === values.length) {
    return textTest(node);
  }
  if (texts.length === 0) {
    const test = numberTest(node);
    return text => {
      const number = readNumber(text);
      return number !== undefined && test(number);
    };
  }
  const isText = among(texts);
  const isNumber = numberTest({ ...node, operator: 'IN' });
  const wanted = node.operator === 'IN';
  return text => {
    const number = readNumber(text);
    return (isText(text) || (number !== undefined && isNumber(number))) === wanted;
  };
}

function textTest(node: Comparison): TextTest {
  const values = several(node) as string[];
  const [value] = values;
  switch (node.operator) {
    case 'LIKE':
      return likeTest(value);
    case 'ILIKE': {
      const test = likeTest(lower(value));
      return text => test(lower(text));
    }
    case '=':
    case 'IN':
      return among(values);
    case '!=':
    case 'NOT IN': {
      const found = among(values);
      return text => !found(text);
    }
    case '<':
      return text => comparePoints(text, value) < 0;
    case '<=':
      return text => comparePoints(text, value) <= 0;
    case '>':
      return text => comparePoints(text, value) > 0;
    default:
      return text => comparePoints(text, value) >= 0;
  }
}

/** ILIKE knows the letters A to Z and no others, as SQLite and MLflow. */
function lower(text: string): string {
  return text.replace(/[A-Z]+/g, capitals => capitals.toLowerCase());
}

/** Order by code point, as the database does; JavaScript's own is by half characters. */
function comparePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let place = 0; place < length; place++) {
    const [a, b] = [left.charCodeAt(place), right.charCodeAt(place)];
    if (a !== b) {
      const areHalves = [a >= 0xd800 && a <= 0xdfff, b >= 0xd800 && b <= 0xdfff];
      return areHalves[0] === areHalves[1] ? a - b : areHalves[0] ? 1 : -1;
    }
  }
  return left.length - right.length;
}

/**
 * A LIKE pattern as a test. Texts between `%` are looked for from left to right, so that no
 * pattern takes longer than text times pattern; a regular expression may take for ever.
 */
function likeTest(pattern: string): TextTest {
  const pieces = pattern.split('%').map(piece => Array.from(piece));
  if (!pattern.includes('_')) {
    const [first, ...rest] = pattern.split('%');
    const last = rest.pop();
    if (last === undefined) {
      return text => text === first;
    }
    return text => {
      let place = first.length;
      if (!text.startsWith(first)) {
        return false;
      }
      for (const piece of rest) {
        const found = text.indexOf(piece, place);
        if (found < 0) {
          return false;
        }
        place = found + piece.length;
      }
      return text.length - last.length >= place && text.endsWith(last);
    };
  }
  return text => matchesPieces(Array.from(text), pieces);
}

function matchesPieces(signs: string[], pieces: string[][]): boolean {
  const fits = (piece: string[], at: number) => {
    for (let place = 0; place < piece.length; place++) {
      if (piece[place] !== '_' && piece[place] !== signs[at + place]) {
        return false;
      }
    }
    return true;
  };
  const first = pieces[0];
  const last = pieces[pieces.length - 1];
  if (pieces.length === 1) {
    return signs.length === first.length && fits(first, 0);
  }
  const until = signs.length - last.length;
  if (until < first.length || !fits(first, 0) || !fits(last, until)) {
    return false;
  }
  let place = first.length;
  for (const piece of pieces.slice(1, -1)) {
    while (place + piece.length <= until && !fits(piece, place)) {
      place += 1;
    }
    if (place + piece.length > until) {
      return false;
    }
    place += piece.length;
  }
  return true;
}
