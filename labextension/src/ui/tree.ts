/** Which run lies under which: nested runs under their parent, earlier attempts of a cell under the newest. No DOM. */

import type { RunData } from './types';

export interface Tree {
  /** The row that a row lies under; -1 for none. */
  parentOf: Int32Array;
  /** Whether a row lies there because it is an earlier attempt. */
  isEarlier: Uint8Array;
  /** The rows directly under a row, in the order given. */
  under: Map<number, number[]>;
}

/** The tree of the runs; undefined where none lies under another. */
export function makeTree(data: RunData): Tree | undefined {
  const { n } = data;
  const parentOf = new Int32Array(n).fill(-1);
  const isEarlier = new Uint8Array(n);
  let found = false;
  if (data.parent?.some(Boolean)) {
    const rowOf = new Map<string, number>();
    for (let row = 0; row < n; row++) {
      rowOf.set(data.id[row], row);
    }
    for (let row = 0; row < n; row++) {
      const parent = data.parent[row] ? rowOf.get(data.parent[row]) : undefined;
      if (parent !== undefined && parent !== row) {
        parentOf[row] = parent;
        found = true;
      }
    }
    if (found) {
      breakCircles(parentOf);
    }
  }
  // The first run of a cell's newest attempt carries those of the attempts before.
  const newest = new Map<string, number>();
  for (let row = 0; row < n; row++) {
    const group = data.group[row];
    const attempt = data.attempt[row];
    if (group && attempt && parentOf[row] < 0) {
      const head = newest.get(group);
      if (head === undefined || attempt > data.attempt[head]!) {
        newest.set(group, row);
      }
    }
  }
  for (let row = 0; row < n; row++) {
    const head = data.group[row] && parentOf[row] < 0 ? newest.get(data.group[row]) : undefined;
    const attempt = data.attempt[row];
    if (head !== undefined && attempt && attempt < data.attempt[head]!) {
      parentOf[row] = head;
      isEarlier[row] = 1;
      found = true;
    }
  }
  if (!found) {
    return undefined;
  }
  const under = new Map<number, number[]>();
  parentOf.forEach((parent, row) => {
    if (parent >= 0) {
      const rows = under.get(parent);
      if (rows) {
        rows.push(row);
      } else {
        under.set(parent, [row]);
      }
    }
  });
  return { parentOf, isEarlier, under };
}

/** Runs that name each other as parents would hang nowhere: the first one met becomes a top. */
function breakCircles(parentOf: Int32Array): void {
  const seen = new Int32Array(parentOf.length);
  for (let start = 0; start < parentOf.length; start++) {
    let row = start;
    while (parentOf[row] >= 0 && !seen[row]) {
      seen[row] = start + 1;
      row = parentOf[row];
    }
    if (seen[row] === start + 1) {
      parentOf[row] = -1;
    }
  }
}

export interface Placed {
  rows: Uint32Array;
  /** How deep each lies; empty where nothing is nested. */
  levels: Uint8Array;
}

/** The rows with all that they lie under, which a filter must not hide. */
export function withAncestors(tree: Tree, rows: Uint32Array, lift: (row: number) => boolean): Uint32Array {
  const all = new Uint8Array(tree.parentOf.length);
  let count = 0;
  for (const match of rows) {
    for (let row = match; row >= 0 && !all[row]; row = lift(row) ? -1 : tree.parentOf[row]) {
      all[row] = 1;
      count += 1;
    }
  }
  const made = new Uint32Array(count);
  let at = 0;
  all.forEach((one, row) => {
    if (one) {
      made[at++] = row;
    }
  });
  return made;
}

/**
 * Rows in the order given, each under its parent, those of folded ones left out. `lift` names
 * rows that stand at the top whatever they belong to: pinned ones.
 */
export function placeRows(tree: Tree, rows: Uint32Array, isOpen: (row: number) => boolean, lift: (row: number) => boolean): Placed {
  const under = new Map<number, number[]>();
  const tops: number[] = [];
  for (const row of rows) {
    const parent = lift(row) ? -1 : tree.parentOf[row];
    if (parent < 0) {
      tops.push(row);
    } else {
      const list = under.get(parent);
      if (list) {
        list.push(row);
      } else {
        under.set(parent, [row]);
      }
    }
  }
  const placed: number[] = [];
  const levels: number[] = [];
  const stack = tops.reverse().map((row): [number, number] => [row, 1]);
  while (stack.length) {
    const [row, level] = stack.pop()!;
    placed.push(row);
    levels.push(level);
    const rowsUnder = under.get(row);
    if (rowsUnder && isOpen(row)) {
      for (let at = rowsUnder.length - 1; at >= 0; at--) {
        stack.push([rowsUnder[at], Math.min(level + 1, 200)]);
      }
    }
  }
  return { rows: Uint32Array.from(placed), levels: Uint8Array.from(levels) };
}

/** What parents without a value of their own show: the best of the runs nested in them. */
export function bestOfNested(
  tree: Tree | undefined,
  value: (row: number) => number | undefined,
  direction: 'lower' | 'higher' | undefined
): Map<number, number> {
  const found = new Map<number, number>();
  if (!tree || !direction) {
    return found;
  }
  for (const start of tree.under.keys()) {
    for (const child of tree.under.get(start)!) {
      const own = value(child);
      if (own === undefined || !Number.isFinite(own)) {
        continue;
      }
      // Upwards, as far as this value is the best so far and nobody has one of its own.
      for (let row = child; tree.parentOf[row] >= 0 && !tree.isEarlier[row]; ) {
        row = tree.parentOf[row];
        const best = found.get(row);
        if (value(row) !== undefined || (best !== undefined && (direction === 'lower' ? best <= own : best >= own))) {
          break;
        }
        found.set(row, own);
      }
    }
  }
  return found;
}
