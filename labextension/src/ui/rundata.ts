/**
 * The runs that a table holds, in columns, and how more of them come in from the kernel. No DOM.
 *
 * What a saved output holds is plain JSON; what the kernel adds are typed arrays, because
 * 100,000 runs of 40 columns are four million values. Both are read with `numberAt` and `timeAt`.
 */

import { toNumber } from './format';
import type { Answer, JsonNumber, NumberColumn, Pair, RunData } from './types';

/** A value of a column; `undefined` is missing, NaN was measured. */
export function numberAt(column: NumberColumn | undefined, row: number): number | undefined {
  if (!column) {
    return undefined;
  }
  return column.there && !column.there[row] ? undefined : toNumber(column.values[row]);
}

export function timeAt(times: ArrayLike<number | null>, row: number): number | undefined {
  const time = times[row];
  return time === null || time === undefined || Number.isNaN(time) ? undefined : time;
}

/**
 * Whether rows and codes are where the data say they are. A notebook may come from anybody: what
 * claims a billion rows that it has not would keep the page busy for ever.
 */
export function isSound(data: RunData): boolean {
  const within = (coded: { dict: unknown[]; codes: number[][] }): boolean =>
    coded.codes.every(row => row.every(code => code >= 0 && code < coded.dict.length));
  return data.n <= data.id.length && within(data.tags) && within(data.evalSets) && (!data.grades || within(data.grades));
}

/** Some rows in the order given, as the plain lists that a saved output holds: for other views. */
export function plainRows(data: RunData, rows: ArrayLike<number>): RunData {
  const all = Array.from(rows);
  const pick = <T>(list: ArrayLike<T>): T[] => all.map(row => list[row]);
  const place = new Map(all.map((row, at) => [row, at]));
  const numbers = (columns: NumberColumn[]): NumberColumn[] =>
    columns.map(column => ({ key: column.key, values: all.map(row => jsonNumber(numberAt(column, row))) }));
  const made: RunData = {
    ...data,
    n: all.length,
    start: all.map(row => timeAt(data.start, row) ?? null),
    end: all.map(row => timeAt(data.end, row) ?? null),
    tags: { dict: data.tags.dict, codes: pick(data.tags.codes) },
    evalSets: { dict: data.evalSets.dict, codes: pick(data.evalSets.codes) },
    ...(data.grades ? { grades: { dict: data.grades.dict, codes: pick(data.grades.codes) } } : {}),
    metrics: numbers(data.metrics),
    params: data.params.map(param => ({ key: param.key, dict: param.dict, codes: pick(param.codes) }))
  };
  for (const name of ['id', 'name', 'color', 'attempt', ...TEXTS] as const) {
    const list = data[name];
    if (list) {
      Object.assign(made, { [name]: pick<unknown>(list) });
    }
  }
  for (const mark of ['starred', 'pinned', 'archived'] as const) {
    made[mark] = (data[mark] ?? []).flatMap(row => place.get(row) ?? []);
  }
  if (data.system) {
    made.system = numbers(data.system);
  }
  return made;
}

function jsonNumber(value: number | undefined): JsonNumber {
  if (value === undefined) {
    return null;
  }
  return Number.isFinite(value) ? value : (String(value) as JsonNumber);
}

/** What the kernel says of the rows in an answer; their numbers stand in its buffers (see table.py, `chunk`). */
interface Chunk extends Answer {
  from: number;
  n: number;
  held: number;
  view: string;
  id: string[];
  name: string[];
  texts: Record<string, string[]>;
  starred: number[];
  pinned: number[];
  archived: number[];
  tags: Pair[][];
  evalSets: string[][];
  grades: Pair[][];
  metrics: string[];
  system: string[];
  params: { key: string; dict: string[] }[];
}

const TEXTS = ['status', 'lifecycle', 'user', 'experiment', 'source', 'group', 'parent', 'cell'] as const;

export class Rows {
  /** The kernel's view that the rows are of; another one after a restart. */
  view: string;
  /** How many rows the kernel can give. */
  held: number;

  constructor(
    readonly data: RunData,
    view: string,
    held: number
  ) {
    this.view = view;
    this.held = Math.max(held, data.n);
  }

  get isWhole(): boolean {
    return this.data.n >= this.held;
  }

  /** Where the rows begin that come after an answer; nothing where only taking it in tells, or where it is the last. */
  after(answer: Answer): number | undefined {
    const { view, from, n, held } = answer as Chunk;
    const end = from + n;
    return view === this.view && from === this.data.n && n > 0 && end < held ? end : undefined;
  }

  /** Take in an answer; false where its rows do not follow ours, and the kernel must be asked from the start. */
  add(answer: Answer): boolean {
    const chunk = answer as Chunk;
    const { data } = this;
    if (chunk.view !== this.view || !this.capacity) {
      // Another view has other rows. The first answer also tells how much room is needed.
      if (chunk.view !== this.view && chunk.from > 0) {
        this.view = chunk.view;
        this.held = chunk.held;
        this.forget();
        return false;
      }
      if (chunk.view !== this.view) {
        this.forget();
      }
      this.view = chunk.view;
      this.held = chunk.held;
      this.makeRoom(chunk.held);
    }
    if (chunk.from !== data.n || chunk.n === 0) {
      this.held = data.n;
      return true;
    }
    const first = data.n;
    const { n } = chunk;
    if (first + n > this.capacity) {
      this.makeRoom(first + n);
    }
    const [numbers, codes, there] = chunk.buffers.map(bytesOf);
    const float = new Float64Array(numbers.buffer, 0, numbers.byteLength >> 3);
    const whole = new Int32Array(codes.buffer, 0, codes.byteLength >> 2);
    let place = 0;
    const nextCodes = () => whole.subarray(place, (place += n));

    data.id.push(...chunk.id);
    data.name.push(...chunk.name);
    for (const name of TEXTS) {
      const dict = chunk.texts[name];
      const into = (data[name] ??= new Array<string>(first).fill(''));
      for (const code of nextCodes()) {
        into.push(dict[code]);
      }
    }
    data.color.push(...nextCodes());
    for (const attempt of nextCodes()) {
      (data.attempt as (number | null)[]).push(attempt < 0 ? null : attempt);
    }
    this.addLists(data.tags, chunk.tags, nextCodes(), this.tagCodes, pair => pair.join('\u0000'));
    this.addLists(data.evalSets, chunk.evalSets, nextCodes(), this.setCodes, name => name);
    const grades = (data.grades ??= { dict: [], codes: Array.from({ length: first }, () => []) });
    this.addLists(grades, chunk.grades, nextCodes(), this.gradeCodes, pair => pair.join('\u0000'));
    for (const param of chunk.params) {
      this.addParam(param, nextCodes(), first);
    }

    const columns = [...chunk.metrics.map(key => this.column('metrics', key)), ...chunk.system.map(key => this.column('system', key))];
    const times = [data.start, data.end] as Float64Array[];
    for (let at = 0; at < columns.length + 2; at++) {
      const values = float.subarray(at * n, at * n + n);
      const has = there.subarray(at * n, at * n + n);
      if (at < 2) {
        times[at].set(values, first);
        has.forEach((one, row) => {
          if (!one) {
            times[at][first + row] = NaN;
          }
        });
      } else {
        (columns[at - 2].values as Float64Array).set(values, first);
        columns[at - 2].there!.set(has, first);
      }
    }
    for (const mark of ['starred', 'pinned', 'archived'] as const) {
      data[mark] = [...(data[mark] ?? []), ...chunk[mark].map(row => row + first)];
    }
    data.n += n;
    return true;
  }

  private capacity = 0;
  private tagCodes = new Map<string, number>();
  private setCodes = new Map<string, number>();
  private gradeCodes = new Map<string, number>();
  private readonly paramCodes = new Map<string, Map<string, number>>();

  /** Have typed arrays of this length, with what was there before in them. */
  private makeRoom(capacity: number): void {
    const { data } = this;
    this.capacity = capacity;
    const times = (old: ArrayLike<number | null>) => Float64Array.from({ length: capacity }, (_, row) => timeAt(old, row) ?? NaN);
    data.start = times(data.start);
    data.end = times(data.end);
    data.attempt = Array.from(data.attempt);
    const numbers = (column: NumberColumn): NumberColumn => {
      const made = { key: column.key, values: new Float64Array(capacity).fill(NaN), there: new Uint8Array(capacity) };
      for (let row = 0; row < data.n; row++) {
        const value = numberAt(column, row);
        if (value !== undefined) {
          made.values[row] = value;
          made.there[row] = 1;
        }
      }
      return made;
    };
    data.metrics = data.metrics.map(numbers);
    data.system = data.system?.map(numbers);
    for (const param of data.params) {
      const codes = new Int32Array(capacity).fill(-1);
      codes.set(Array.from(param.codes).slice(0, data.n));
      param.codes = codes;
      this.paramCodes.set(param.key, new Map(param.dict.map((text, code) => [text, code])));
    }
    this.tagCodes = new Map(data.tags.dict.map((pair, code) => [pair.join('\u0000'), code]));
    this.gradeCodes = new Map(data.grades?.dict.map((pair, code) => [pair.join('\u0000'), code]));
    this.setCodes = new Map(data.evalSets.dict.map((name, code) => [name, code]));
  }

  private forget(): void {
    const { data } = this;
    data.n = this.capacity = 0;
    for (const list of [data.id, data.name, data.color, data.tags.codes, data.evalSets.codes, data.grades?.codes ?? []] as unknown[][]) {
      list.length = 0;
    }
    data.attempt = [];
    for (const name of TEXTS) {
      data[name] = [];
    }
    data.starred = data.pinned = data.archived = [];
    data.metrics = [];
    data.params = [];
    data.system = undefined;
  }

  private column(place: 'metrics' | 'system', key: string): NumberColumn {
    const columns = (this.data[place] ??= []);
    let column = columns.find(candidate => candidate.key === key);
    if (!column) {
      column = { key, values: new Float64Array(this.capacity).fill(NaN), there: new Uint8Array(this.capacity) };
      columns.push(column);
    }
    return column;
  }

  private addParam(param: { key: string; dict: string[] }, codes: Int32Array, first: number): void {
    let column = this.data.params.find(candidate => candidate.key === param.key);
    if (!column) {
      column = { key: param.key, dict: [], codes: new Int32Array(this.capacity).fill(-1) };
      this.data.params.push(column);
      this.paramCodes.set(param.key, new Map());
    }
    const known = this.paramCodes.get(param.key)!;
    const ours = Int32Array.from(param.dict, text => codeOf(known, text, column.dict, text));
    const into = column.codes as Int32Array;
    codes.forEach((code, row) => {
      into[first + row] = code < 0 ? -1 : ours[code];
    });
  }

  private addLists<T>(
    into: { dict: T[]; codes: number[][] },
    lists: T[][],
    codes: Int32Array,
    known: Map<string, number>,
    mark: (item: T) => string
  ): void {
    // Rows with the same items share one array.
    const ours = lists.map(items => items.map(item => codeOf(known, mark(item), into.dict, item)));
    for (const code of codes) {
      into.codes.push(ours[code]);
    }
  }
}

function codeOf<T>(known: Map<string, number>, mark: string, dict: T[], item: T): number {
  let code = known.get(mark);
  if (code === undefined) {
    code = dict.length;
    known.set(mark, code);
    dict.push(item);
  }
  return code;
}

/** The bytes at the beginning of a buffer of their own, where typed arrays of any kind may lie. */
function bytesOf(view: DataView): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(view.byteLength);
  bytes.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  return bytes;
}

