/** Which rows are shown: text, chips, a query's result, what is archived. No DOM. */

import type { RunData } from './types';

export interface FilterState {
  text: string;
  /** Codes of the tag dictionary; a run needs any of them. */
  tags: Set<number>;
  /** Codes of the evaluation-set dictionary; a run needs any of them. */
  evalSets: Set<number>;
  /** Users and notebooks by name; a run needs any of each. */
  users: Set<string>;
  sources: Set<string>;
}

export type ChipKind = 'tags' | 'evalSets' | 'users' | 'sources';

export function emptyFilter(): FilterState {
  return { text: '', tags: new Set(), evalSets: new Set(), users: new Set(), sources: new Set() };
}

export function isFiltered(state: FilterState): boolean {
  return state.text.trim() !== '' || state.tags.size + state.evalSets.size + state.users.size + state.sources.size > 0;
}

export function toggle<T>(set: Set<T>, item: T): void {
  if (!set.delete(item)) {
    set.add(item);
  }
}

const anyOf = (codes: number[], wanted: Set<number>): boolean => wanted.size === 0 || codes.some(code => wanted.has(code));

/** Names in small letters, made once: 100,000 of them take longer than to look through them. */
const lowered = new WeakMap<string[], string[]>();

function lower(texts: string[], n: number): string[] {
  const known = lowered.get(texts) ?? [];
  for (let row = known.length; row < n; row++) {
    known.push(texts[row].toLowerCase());
  }
  // After a restart of the kernel the same array holds other runs.
  known.length = n;
  lowered.set(texts, known);
  return known;
}

/** Forget the names: the rows have been replaced. */
export function forgetNames(data: RunData): void {
  lowered.delete(data.name);
  lowered.delete(data.id);
}

/** Mark the rows in which a word occurs; each different text is looked at once, however many runs have it. */
function rowsWith(data: RunData, word: string): Uint8Array {
  const found = new Uint8Array(data.n);
  const { n } = data;
  for (const texts of [lower(data.name, n), lower(data.id, n)]) {
    for (let row = 0; row < n; row++) {
      if (texts[row].includes(word)) {
        found[row] = 1;
      }
    }
  }
  for (const texts of [data.status, data.user, data.source, data.experiment]) {
    const known = new Map<string, boolean>();
    for (let row = 0; row < n; row++) {
      const text = texts[row];
      let has = known.get(text);
      if (has === undefined) {
        has = (text ?? '').toLowerCase().includes(word);
        known.set(text, has);
      }
      if (has) {
        found[row] = 1;
      }
    }
  }
  const lists: [number[][], boolean[]][] = [
    [data.tags.codes, data.tags.dict.map(pair => pair.join(': ').toLowerCase().includes(word))],
    [data.evalSets.codes, data.evalSets.dict.map(name => name.toLowerCase().includes(word))]
  ];
  for (const [codes, has] of lists) {
    if (has.includes(true)) {
      for (let row = 0; row < n; row++) {
        if (codes[row].some(code => has[code])) {
          found[row] = 1;
        }
      }
    }
  }
  for (const { key, dict, codes } of data.params) {
    const has = Uint8Array.from(dict, text => Number(`${key}=${text}`.toLowerCase().includes(word)));
    if (has.includes(1)) {
      for (let row = 0; row < n; row++) {
        if (codes[row] >= 0 && has[codes[row]]) {
          found[row] = 1;
        }
      }
    }
  }
  return found;
}

/** The rows that pass; every word of the text must occur somewhere in the run. `also` has the last word on a row. */
export function filterRows(data: RunData, state: FilterState, also: (row: number) => boolean = () => true): Uint32Array {
  const words = state.text.toLowerCase().split(/\s+/).filter(Boolean).map(word => rowsWith(data, word));
  const rows = new Uint32Array(data.n);
  const hasChips = state.tags.size + state.evalSets.size + state.users.size + state.sources.size > 0;
  let count = 0;
  for (let row = 0; row < data.n; row++) {
    if (
      (!hasChips ||
        (anyOf(data.tags.codes[row], state.tags) &&
          anyOf(data.evalSets.codes[row], state.evalSets) &&
          (state.users.size === 0 || state.users.has(data.user[row])) &&
          (state.sources.size === 0 || state.sources.has(data.source[row])))) &&
      words.every(has => has[row]) &&
      also(row)
    ) {
      rows[count++] = row;
    }
  }
  return rows.slice(0, count);
}
