/** What changed between two texts: lines by Myers' algorithm, words inside changed lines, and how that is shown. */

import { button, h } from './dom';
import { followWidth } from './plot';

/** A stretch of a line, and whether it is not in the other text's line. */
export interface Part {
  text: string;
  changed: boolean;
}

export interface Side {
  /** The line's number, from 1. */
  number: number;
  parts: Part[];
}

/** A line of both texts, or of one: then the other side is missing. */
export interface DiffRow {
  kind: 'same' | 'changed' | 'removed' | 'added';
  left?: Side;
  right?: Side;
}

/** Equal lines that are not shown. */
export interface Fold {
  kind: 'fold';
  rows: DiffRow[];
}

/** With more edits than this the texts have little in common, and looking on takes long. */
const MOST_EDITS = 1500;
const MOST_WORD_EDITS = 120;
/** Lines with less in common than this are two lines and not one that changed. */
const ALIKE = 0.4;
/** Beyond so many pairs of lines they are taken in their order. */
const MOST_PAIRS = 2500;
const WORD = /[\p{L}\p{N}_]+|[^\p{L}\p{N}_\s]/gu;

/** An edit: how many items are equal, then removed, then added. */
interface Step {
  same: number;
  removed: number;
  added: number;
}

/**
 * The edits from one list to another, as few as possible (Myers 1986). Beyond `most` edits
 * what lies between the equal beginning and end counts as replaced.
 */
export function editsOf(a: string[], b: string[], most = MOST_EDITS): Step[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) {
    start += 1;
  }
  let [endA, endB] = [a.length, b.length];
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA -= 1;
    endB -= 1;
  }
  const steps: Step[] = [];
  const add = (kind: keyof Step, count: number) => {
    const last = steps[steps.length - 1];
    const fits = last && (kind !== 'same' || (last.removed === 0 && last.added === 0)) && (kind !== 'removed' || last.added === 0);
    if (count > 0 && fits) {
      last[kind] += count;
    } else if (count > 0) {
      steps.push({ same: 0, removed: 0, added: 0, [kind]: count });
    }
  };
  add('same', start);
  const middle = shortest(a.slice(start, endA), b.slice(start, endB), most);
  if (middle) {
    // Within a stretch of edits the order means nothing: what went stands first.
    let [removed, added] = [0, 0];
    const flush = () => {
      add('removed', removed);
      add('added', added);
      removed = added = 0;
    };
    for (const move of middle) {
      if (move === 'same') {
        flush();
        add('same', 1);
      } else if (move === 'removed') {
        removed += 1;
      } else {
        added += 1;
      }
    }
    flush();
  } else {
    add('removed', endA - start);
    add('added', endB - start);
  }
  add('same', a.length - endA);
  return steps;
}

function shortest(a: string[], b: string[], most: number): (keyof Step)[] | undefined {
  const limit = Math.min(most, a.length + b.length);
  // furthest[k + offset] is how far in `a` the diagonal k was followed.
  const offset = limit + 1;
  const furthest = new Int32Array(2 * limit + 3);
  const trace: Int32Array[] = [];
  for (let edits = 0; edits <= limit; edits++) {
    trace.push(furthest.slice(offset - edits - 1, offset + edits + 2));
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || (k !== edits && furthest[offset + k - 1] < furthest[offset + k + 1]);
      let x = down ? furthest[offset + k + 1] : furthest[offset + k - 1] + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) {
        x += 1;
      }
      furthest[offset + k] = x;
      if (x >= a.length && x - k >= b.length) {
        return walkBack(a.length, b.length, trace);
      }
    }
  }
  return undefined;
}

function walkBack(lengthA: number, lengthB: number, trace: Int32Array[]): (keyof Step)[] {
  const moves: (keyof Step)[] = [];
  let [x, y] = [lengthA, lengthB];
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const before = trace[edits];
    const at = (k: number) => before[k + edits + 1];
    const k = x - y;
    const down = k === -edits || (k !== edits && at(k - 1) < at(k + 1));
    const previousK = down ? k + 1 : k - 1;
    const previousX = edits === 0 ? 0 : at(previousK);
    const previousY = edits === 0 ? 0 : previousX - previousK;
    while (x > previousX && y > previousY) {
      moves.push('same');
      x -= 1;
      y -= 1;
    }
    if (edits > 0) {
      moves.push(down ? 'added' : 'removed');
      [x, y] = [previousX, previousY];
    }
  }
  return moves.reverse();
}

/** The lines of two texts beside each other; in lines that changed the words that did are marked. */
export function diffLines(before: string, after: string): DiffRow[] {
  const a = linesOf(before);
  const b = linesOf(after);
  const rows: DiffRow[] = [];
  let [left, right] = [0, 0];
  for (const { same, removed, added } of editsOf(a, b)) {
    for (let i = 0; i < same; i++) {
      rows.push({ kind: 'same', left: whole(a[left], ++left), right: whole(b[right], ++right) });
    }
    const pairs = pairsOf(a.slice(left, left + removed), b.slice(right, right + added));
    for (const [old, now] of pairs) {
      if (old && now) {
        const [was, is] = words(a[left], b[right]);
        rows.push({ kind: 'changed', left: { number: ++left, parts: was }, right: { number: ++right, parts: is } });
      } else if (old) {
        rows.push({ kind: 'removed', left: whole(a[left], ++left) });
      } else {
        rows.push({ kind: 'added', right: whole(b[right], ++right) });
      }
    }
  }
  return rows;
}

/**
 * Which of the lines that went stand beside which that came, in order: those that are most
 * alike. Each pair tells whether there is a line on the left and on the right.
 */
function pairsOf(old: string[], now: string[]): [boolean, boolean][] {
  if (old.length * now.length > MOST_PAIRS || old.length === 0 || now.length === 0) {
    return Array.from({ length: Math.max(old.length, now.length) }, (_, i) => [i < old.length, i < now.length]);
  }
  // best[i][j]: how much the lines from i and from j on have in common at most.
  const best = Array.from({ length: old.length + 1 }, () => new Float64Array(now.length + 1));
  const alike = old.map(line => now.map(other => likeness(line, other)));
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      best[i][j] = Math.max(best[i + 1][j], best[i][j + 1], alike[i][j] + best[i + 1][j + 1]);
    }
  }
  const pairs: [boolean, boolean][] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    const both = i < old.length && j < now.length;
    if (both && best[i][j] === alike[i][j] + best[i + 1][j + 1]) {
      pairs.push([true, true]);
      i += 1;
      j += 1;
    } else if (i < old.length && (!both || best[i][j] === best[i + 1][j])) {
      pairs.push([true, false]);
      i += 1;
    } else {
      pairs.push([false, true]);
      j += 1;
    }
  }
  return pairs;
}

/** The share of two lines' words that both have; next to nothing where it is too little to call one the other's new form. */
function likeness(before: string, after: string): number {
  const [a, b] = [before.match(WORD) ?? [], after.match(WORD) ?? []];
  const left = new Map<string, number>();
  a.forEach(word => left.set(word, (left.get(word) ?? 0) + 1));
  const shared = b.filter(word => {
    const count = left.get(word) ?? 0;
    left.set(word, count - 1);
    return count > 0;
  }).length;
  const share = (2 * shared) / Math.max(1, a.length + b.length);
  return share < ALIKE ? 0.001 : share;
}

const whole = (text: string, number: number): Side => ({ number, parts: [{ text, changed: false }] });

function linesOf(text: string): string[] {
  const lines = text.split(/\r\n|\r|\n/);
  // The end of the last line is no line of its own.
  if (lines[lines.length - 1] === '') {
    lines.pop();
  }
  return lines;
}

/** Two lines with the words marked that are not in the other; none where they are unlike as a whole. */
export function words(before: string, after: string): [Part[], Part[]] {
  const split = (text: string) => text.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];
  const [a, b] = [split(before), split(after)];
  const [old, now]: [Part[], Part[]] = [[], []];
  const add = (parts: Part[], text: string, changed: boolean) => {
    const last = parts[parts.length - 1];
    if (last && last.changed === changed) {
      last.text += text;
    } else if (text) {
      parts.push({ text, changed });
    }
  };
  let [left, right, alike] = [0, 0, 0];
  for (const { same, removed, added } of editsOf(a, b, MOST_WORD_EDITS)) {
    const kept = a.slice(left, left + same).join('');
    alike += kept.trim().length;
    add(old, kept, false);
    add(now, kept, false);
    left += same;
    right += same;
    add(old, a.slice(left, left + removed).join(''), true);
    add(now, b.slice(right, right + added).join(''), true);
    left += removed;
    right += added;
  }
  if (alike < 0.3 * Math.max(before.trim().length, after.trim().length)) {
    return [[{ text: before, changed: false }], [{ text: after, changed: false }]];
  }
  return [old, now];
}

/** The rows, with long stretches of equal lines folded to some lines of context. */
export function folded(rows: DiffRow[], context = 3): (DiffRow | Fold)[] {
  const result: (DiffRow | Fold)[] = [];
  let start = 0;
  while (start < rows.length) {
    let end = start;
    while (end < rows.length && (rows[end].kind === 'same') === (rows[start].kind === 'same')) {
      end += 1;
    }
    const head = start === 0 ? 0 : context;
    const tail = end === rows.length ? 0 : context;
    // A fold that hides one or two lines saves nothing.
    if (rows[start].kind === 'same' && end - start > head + tail + 2) {
      result.push(...rows.slice(start, start + head));
      result.push({ kind: 'fold', rows: rows.slice(start + head, end - tail) });
      result.push(...rows.slice(end - tail, end));
    } else {
      result.push(...rows.slice(start, end));
    }
    start = end;
  }
  return result;
}

/** How many lines were removed and added, counting a changed line as both. */
export function diffCounts(rows: DiffRow[]): { removed: number; added: number } {
  return {
    removed: rows.filter(row => row.kind === 'removed' || row.kind === 'changed').length,
    added: rows.filter(row => row.kind === 'added' || row.kind === 'changed').length
  };
}

export const DIFF_CSS = `
.tracknb-view .tnb-diff { border: 1px solid var(--tnb-line); overflow: auto; max-height: 520px; }
.tracknb-view .tnb-diff table { border-collapse: collapse; width: 100%; table-layout: fixed; font-family: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace); font-size: 12px; line-height: 18px; }
.tracknb-view .tnb-diff th { position: sticky; top: 0; z-index: 1; height: 28px; padding: 0 8px; text-align: left; font-family: var(--jp-ui-font-family, system-ui, sans-serif); background: var(--tnb-bg2); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.tracknb-view .tnb-diff td { padding: 0 8px; vertical-align: top; white-space: pre-wrap; overflow-wrap: anywhere; text-align: left; }
.tracknb-view .tnb-diff td.tnb-no { width: 40px; padding: 0 4px; text-align: right; color: var(--tnb-fg2); user-select: none; }
.tracknb-view .tnb-diff td.tnb-sign { width: 16px; padding: 0 2px; text-align: center; color: var(--tnb-fg2); user-select: none; }
.tracknb-view .tnb-diff .tnb-old { background: color-mix(in srgb, var(--tnb-bad) 12%, transparent); }
.tracknb-view .tnb-diff .tnb-new { background: color-mix(in srgb, var(--tnb-ok) 14%, transparent); }
.tracknb-view .tnb-diff .tnb-none { background: var(--tnb-bg2); }
.tracknb-view .tnb-diff mark { color: inherit; border-radius: 2px; text-decoration: underline; text-underline-offset: 3px; }
.tracknb-view .tnb-diff .tnb-old mark { background: color-mix(in srgb, var(--tnb-bad) 32%, transparent); }
.tracknb-view .tnb-diff .tnb-new mark { background: color-mix(in srgb, var(--tnb-ok) 36%, transparent); }
.tracknb-view .tnb-diff td.tnb-folded { padding: 0; background: var(--tnb-bg2); }
.tracknb-view .tnb-diff td.tnb-folded button { width: 100%; border: 0; border-radius: 0; background: none; color: var(--tnb-fg2); text-align: left; }
`;

/** Narrower than this, the two sides stand under each other. */
const WIDE = 620;

export interface DiffView {
  element: HTMLElement;
  destroy(): void;
}

/** Two texts, what went and what came marked by colour, sign and underline. */
export function diffView(before: string, after: string, names: [string, string]): DiffView {
  const rows = diffLines(before, after);
  const open = new Set<Fold>();
  const shown = folded(rows);
  const element = h('div', { class: 'tnb-diff', tabindex: '0', role: 'region', 'aria-label': `Code of ${names[1]} against ${names[0]}` });
  let wide: boolean | undefined;

  function draw(width: number): void {
    if (wide === width >= WIDE) {
      return;
    }
    wide = width >= WIDE;
    redraw();
  }

  function redraw(): void {
    const body = h('tbody');
    const table = h('table', {}, ...heads(names, wide!), body);
    let pending: DiffRow[] = [];
    const flush = () => {
      body.append(...(wide ? pending.map(beside) : under(pending)));
      pending = [];
    };
    for (const item of shown) {
      if (item.kind !== 'fold') {
        pending.push(item);
      } else if (open.has(item)) {
        pending.push(...item.rows);
      } else {
        flush();
        const more = button(`⋯ ${item.rows.length} equal lines`, () => {
          open.add(item);
          redraw();
          element.focus({ preventScroll: true });
        });
        body.append(h('tr', {}, h('td', { class: 'tnb-folded', colspan: wide ? '6' : '4' }, more)));
      }
    }
    flush();
    element.replaceChildren(table);
  }

  draw(WIDE);
  const stop = followWidth(element, draw);
  return {
    element,
    destroy() {
      stop();
      element.remove();
    }
  };
}

function heads(names: [string, string], wide: boolean): HTMLElement[] {
  const head = (text: string, span: string) => h('th', { scope: 'col', colspan: span, title: text }, text);
  const columns = wide ? ['40px', '16px', '', '40px', '16px', ''] : ['40px', '40px', '16px', ''];
  const group = h('colgroup', {}, ...columns.map(width => h('col', width ? { style: `width: ${width}` } : {})));
  const row = wide ? h('tr', {}, head(names[0], '3'), head(names[1], '3')) : h('tr', {}, head(`− ${names[0]}   + ${names[1]}`, '4'));
  return [group, h('thead', {}, row)];
}

const content = (side: Side): (Node | string)[] => side.parts.map(part => (part.changed ? h('mark', {}, part.text) : part.text));

function half(side: Side | undefined, kind: string, sign: string): HTMLElement[] {
  if (!side) {
    return [h('td', { class: 'tnb-no tnb-none' }), h('td', { class: 'tnb-sign tnb-none' }), h('td', { class: 'tnb-none' })];
  }
  return [
    h('td', { class: `tnb-no ${kind}` }, String(side.number)),
    h('td', { class: `tnb-sign ${kind}` }, sign),
    h('td', { class: kind }, ...content(side))
  ];
}

function beside(row: DiffRow): HTMLElement {
  const same = row.kind === 'same';
  return h('tr', { 'data-kind': row.kind }, ...half(row.left, same ? '' : 'tnb-old', same ? '' : '−'), ...half(row.right, same ? '' : 'tnb-new', same ? '' : '+'));
}

/** One line under the other: of neighbours that changed, what went stands before what came. */
function under(rows: DiffRow[]): HTMLElement[] {
  const result: HTMLElement[] = [];
  let came: HTMLElement[] = [];
  const line = (kind: string, sign: string, left: string, right: string, side: Side) =>
    h(
      'tr',
      { 'data-kind': kind === 'tnb-old' ? 'removed' : kind === 'tnb-new' ? 'added' : 'same' },
      h('td', { class: `tnb-no ${kind}` }, left),
      h('td', { class: `tnb-no ${kind}` }, right),
      h('td', { class: `tnb-sign ${kind}` }, sign),
      h('td', { class: kind }, ...content(side))
    );
  for (const row of rows) {
    if (row.kind === 'same') {
      result.push(...came, line('', '', String(row.left!.number), String(row.right!.number), row.right!));
      came = [];
      continue;
    }
    if (row.left) {
      result.push(line('tnb-old', '−', String(row.left.number), '', row.left));
    }
    if (row.right) {
      came.push(line('tnb-new', '+', '', String(row.right.number), row.right));
    }
  }
  return [...result, ...came];
}
