/** Which rows are shown: text, tag chips, evaluation-set chips. No DOM. */

import type { Pair, RunData } from './types';

export interface FilterState {
  text: string;
  /** Codes of the tag dictionary; a run needs any of them. */
  tags: Set<number>;
  /** Codes of the evaluation-set dictionary; a run needs any of them. */
  evalSets: Set<number>;
}

export function emptyFilter(): FilterState {
  return { text: '', tags: new Set(), evalSets: new Set() };
}

/** The filter that the payload asks for at first; what no run has is left out. */
export function initialFilter(data: RunData, tags: Pair[], evalSets: string[]): FilterState {
  const state = emptyFilter();
  for (const [key, value] of tags) {
    const code = data.tags.dict.findIndex(pair => pair[0] === key && pair[1] === value);
    if (code >= 0) {
      state.tags.add(code);
    }
  }
  for (const name of evalSets) {
    const code = data.evalSets.dict.indexOf(name);
    if (code >= 0) {
      state.evalSets.add(code);
    }
  }
  return state;
}

export function isFiltered(state: FilterState): boolean {
  return state.text.trim() !== '' || state.tags.size > 0 || state.evalSets.size > 0;
}

export function toggle(set: Set<number>, code: number): void {
  if (!set.delete(code)) {
    set.add(code);
  }
}

/** One lower-case line per row to search in; made once, when somebody first types. */
export function searchIndex(data: RunData): string[] {
  const lines = new Array<string>(data.n);
  for (let row = 0; row < data.n; row++) {
    const parts = [data.name[row], data.id[row], data.status[row], data.user[row], data.source[row], data.experiment[row]];
    for (const code of data.tags.codes[row]) {
      parts.push(data.tags.dict[code].join(': '));
    }
    for (const code of data.evalSets.codes[row]) {
      parts.push(data.evalSets.dict[code]);
    }
    for (const param of data.params) {
      const code = param.codes[row];
      if (code >= 0) {
        parts.push(`${param.key}=${param.dict[code]}`);
      }
    }
    lines[row] = parts.join('\n').toLowerCase();
  }
  return lines;
}

const anyOf = (codes: number[], wanted: Set<number>): boolean => wanted.size === 0 || codes.some(code => wanted.has(code));

/** The rows that pass; every word of the text must occur somewhere in the run. */
export function filterRows(data: RunData, state: FilterState, index: () => string[]): Uint32Array {
  const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
  const lines = words.length ? index() : [];
  const rows = new Uint32Array(data.n);
  let count = 0;
  for (let row = 0; row < data.n; row++) {
    if (
      anyOf(data.tags.codes[row], state.tags) &&
      anyOf(data.evalSets.codes[row], state.evalSets) &&
      words.every(word => lines[row].includes(word))
    ) {
      rows[count++] = row;
    }
  }
  return rows.slice(0, count);
}
