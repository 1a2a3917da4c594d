/** Runs of a list under the runs that they are nested in. No DOM. */

import type { RunRow } from './runlist';

export interface NestedRow {
  row: RunRow;
  depth: number;
  /** How many runs lie under it, at any depth. */
  under: number;
  /** The run that it lies under. */
  above?: RunRow;
}

/** All rows, the newest first, each followed by what lies under it; a run whose parent is not there is a top. */
export function nest(rows: readonly RunRow[]): NestedRow[] {
  const sorted = [...rows].sort((a, b) => b.start - a.start || (a.id < b.id ? -1 : 1));
  const there = new Set(sorted.map(row => row.id));
  const under = new Map<string, RunRow[]>();
  for (const row of sorted) {
    if (row.parent !== null && there.has(row.parent)) {
      under.set(row.parent, [...(under.get(row.parent) ?? []), row]);
    }
  }
  const found: NestedRow[] = [];
  const placed = new Set<string>();
  const place = (row: RunRow, depth: number, above?: RunRow) => {
    if (placed.has(row.id)) {
      return;
    }
    placed.add(row.id);
    const nested: NestedRow = { row, depth, under: 0, above };
    found.push(nested);
    const before = found.length;
    under.get(row.id)?.forEach(child => place(child, depth + 1, row));
    nested.under = found.length - before;
  };
  sorted.filter(row => row.parent === null || !there.has(row.parent)).forEach(row => place(row, 0));
  // Runs that name each other as parents hang nowhere: the newest becomes a top.
  sorted.forEach(row => place(row, 0));
  return found;
}

/** The rows that are seen while only some of the runs are unfolded. */
export function unfolded(rows: readonly NestedRow[], isOpen: (id: string) => boolean): NestedRow[] {
  const seen: NestedRow[] = [];
  for (let at = 0; at < rows.length; at++) {
    seen.push(rows[at]);
    if (!isOpen(rows[at].row.id)) {
      at += rows[at].under;
    }
  }
  return seen;
}
