/** The run table: query, chips, column picker, grid, marks of runs, selection, downloads. */

import {
  barsPath, bestValue, BINS, GROUPS, histogram, makeColumns, sortRows, sparkPath, type Column, type Sort
} from './columns';
import { compareFromRows } from './compared';
import { button, copyLine, download, drawing, h, icon, iconButton, setText, statusMark, titleBar } from './dom';
import { emptyFilter, filterRows, forgetNames, isFiltered, toggle, type ChipKind } from './filter';
import { countText, toCsv } from './format';
import { isDoubtful } from './grade';
import { createGrid } from './grid';
import { pageFromRow } from './page';
import { QUERY_CSS, queryBox } from './querybox';
import { plainRows, Rows } from './rundata';
import { copyViewButton, joined, separated, viewLine } from './state';
import { PLOTS, TABLEPLOT_CSS, tablePlot, type Plotted, type PlotName, type TablePlot } from './tableplot';
import { makeRoot, runColor } from './theme';
import { makeTree, placeRows, withAncestors, type Placed, type Tree } from './tree';
import type { Answer, Host, RunsPayload, View, ViewState } from './types';

/** More chips than this make the filter bar longer than the table; the rest is in the cells. */
const CHIPS_IN_BAR = 30;
/** Rows of one answer of the kernel: some 20 ms of its time, and of ours. */
const CHUNK = 4_000;
/** So often the table is drawn anew while rows come in. */
const PACE = 400;
const HEAD = 28;
const HEAD_WITH_BARS = 44;
const SPARK_WIDTH = 60;
const SPARK_HEIGHT = 16;
/** About how wide a chip's letter is, what stands beside its text, and what a chip that is cut short needs. */
const LETTER = 6.4;
const CHIP_SIDES = 20;
const LEAST_CHIP = 64;
const CELL_SIDES = 16;
/** More runs than this only a kernel compares. */
const COMPARED = 100;
/** From so many runs on, a histogram tells something. */
const BARS_FROM = 6;

const CSS = `
.tracknb-view .tnb-tablechips { padding-bottom: 6px; }
.tracknb-view .tnb-head .tnb-cell { position: relative; flex-direction: column; align-items: stretch; justify-content: flex-start; gap: 0; height: 100%; }
.tracknb-view .tnb-head .tnb-pin { position: sticky; }
.tracknb-view .tnb-head .tnb-cell > input { margin: 6px auto; }
.tracknb-view .tnb-head .tnb-cell button { flex: none; }
.tracknb-view .tnb-bars { flex: none; display: block; height: 14px; width: 100%; fill: var(--tnb-line2); }
.tracknb-view .tnb-edge { position: absolute; right: 0; top: 0; bottom: 0; width: 7px; cursor: col-resize; touch-action: none; }
.tracknb-view .tnb-edge::before { content: ""; position: absolute; right: 0; top: 6px; bottom: 6px; width: 1px; background: var(--tnb-line2); }
.tracknb-view .tnb-edge:hover::before { top: 0; bottom: 0; width: 2px; background: var(--tnb-accent); }
.tracknb-view .tnb-resizing, .tracknb-view .tnb-resizing * { cursor: col-resize; user-select: none; }
.tracknb-view .tnb-context .tnb-cell { color: var(--tnb-fg2); }
.tracknb-view .tnb-namecell:not(.tnb-pin) { position: relative; }
.tracknb-view .tnb-namecell .tnb-icon { width: 12px; height: 12px; color: var(--tnb-fg2); }
/* The name ends before them. */
.tracknb-view .tnb-namecell:has(.tnb-actions) { padding-right: 72px; }
.tracknb-view .tnb-actions { position: absolute; right: 0; top: 1px; height: 25px; display: flex; align-items: center; background: var(--tnb-bg2); }
.tracknb-view .tnb-actions .tnb-icon { width: 14px; height: 14px; }
.tracknb-view .tnb-actions button[aria-pressed=true] { color: var(--tnb-accent); }
.tracknb-view .tnb-actions button[aria-pressed=true] .tnb-icon { color: var(--tnb-accent); fill: currentColor; }
.tracknb-view .tnb-row[aria-selected=true] .tnb-actions { background: var(--tnb-soft); }
.tracknb-view .tnb-row button.tnb-fold { flex: none; width: 16px; height: 20px; padding: 0; border: 0; background: none; display: flex; align-items: center; }
.tracknb-view .tnb-fold .tnb-icon { width: 14px; height: 14px; }
.tracknb-view .tnb-nofold { flex: none; width: 16px; }
.tracknb-view .tnb-small { flex: none; font-size: 11px; color: var(--tnb-fg2); }
.tracknb-view .tnb-best { font-weight: 700; }
.tracknb-view .tnb-best::before { content: attr(data-mark); font-size: 9px; padding-right: 3px; color: var(--tnb-ok); }
.tracknb-view .tnb-inherited { font-style: italic; color: var(--tnb-fg2); }
.tracknb-view .tnb-numcell { justify-content: space-between; }
.tracknb-view .tnb-spark { flex: none; width: ${SPARK_WIDTH}px; height: ${SPARK_HEIGHT}px; fill: none; stroke-width: 1.2; stroke-linejoin: round; }
.tracknb-view .tnb-foot { display: flex; flex-wrap: wrap; gap: 0 16px; padding-top: 4px; font-size: 12px; line-height: 16px; }
.tracknb-view .tnb-picker .tnb-pickbar { position: sticky; top: -8px; background: var(--tnb-bg); padding: 0 0 8px; z-index: 1; }
.tracknb-view .tnb-pick { display: inline-flex; align-items: center; max-width: 100%; }
.tracknb-view .tnb-pick .tnb-icon { width: 12px; height: 12px; }
.tracknb-view .tnb-pick button.tnb-iconbutton { height: 18px; padding: 0 2px; color: var(--tnb-line2); }
.tracknb-view .tnb-pick button.tnb-iconbutton[aria-pressed=true] { color: var(--tnb-accent); }
`;

/** The empty state, shared with the trend. */
export function emptyState(experiment: string | null): HTMLElement {
  // A name with a space needs quotes to be one argument of the magic.
  const name = experiment ?? 'NAME';
  const argument = /^[\w.\-/]+$/.test(name) ? name : `"${name.replace(/["\\]/g, '\\$&')}"`;
  return h(
    'div',
    { class: 'tnb-empty' },
    h('div', {}, experiment === null ? 'No runs found' : 'No runs found for this experiment'),
    h('div', { class: 'tnb-quiet' }, 'Put this line at the top of a cell and run it:'),
    copyLine(`%%track_run --experiment ${argument}`)
  );
}

/** How many runs have each code, most frequent first. */
function frequent(codes: number[][], size: number): number[] {
  const counts = new Array<number>(size).fill(0);
  for (const row of codes) {
    for (const code of row) {
      counts[code] += 1;
    }
  }
  return counts.map((_, code) => code).sort((a, b) => counts[b] - counts[a] || a - b);
}

/** The different texts of a column, if there are several, most frequent first. */
function several(texts: string[]): string[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    if (text) {
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
  }
  return counts.size > 1 ? [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)!) : [];
}

/** The name of a column in a view's state, as a query would write it. */
function nameOf(column: Column): string {
  const key = column.id.slice(column.id.indexOf(':') + 1);
  const prefix = { Run: '', Metrics: 'metrics.', System: 'metrics.', Params: 'params.', Tags: 'tags.' }[column.group];
  return prefix + key;
}

function svg(width: number, height: number, path: string, name: string): SVGSVGElement {
  const element = drawing(name, `0 0 ${width} ${height}`, path);
  element.setAttribute('preserveAspectRatio', 'none');
  return element;
}

type Mark = 'starred' | 'pinned' | 'archived';
const MARKS: [Mark, 'star' | 'pin' | 'archive', string, string, string][] = [
  ['starred', 'star', 's', 'Star this run', 'Take the star off'],
  ['pinned', 'pin', 'p', 'Keep this run on top', 'Do not keep this run on top'],
  ['archived', 'archive', 'a', 'Archive this run', 'Take this run out of the archive']
];

export function runsView(payload: RunsPayload, host: Host = {}): View {
  let plot: TablePlot | undefined;
  const root = makeRoot(() => plot?.redraw(), QUERY_CSS + TABLEPLOT_CSS + CSS);
  const { data } = payload;
  root.element.append(titleBar(payload.title, payload.query, host.inside));
  if (data.n === 0) {
    if (payload.total > 0) {
      const hint = payload.query ? 'Loosen the filter of this cell, or leave it out.' : '';
      root.element.append(
        h('div', { class: 'tnb-empty' }, `No run matches. ${countText(0, payload.total)}.`, h('div', { class: 'tnb-quiet' }, hint))
      );
    } else {
      root.element.append(emptyState(payload.experiment));
    }
    return { element: root.element, destroy: root.destroy };
  }

  const begin = host.state ?? {};
  const filter = emptyFilter();
  const held = new Rows(data, payload.view, host.ask ? (payload.held ?? data.n) : data.n);
  const selected = new Set<number>();
  const marked: Record<Mark, Set<number>> = { starred: new Set(), pinned: new Set(), archived: new Set() };
  const layout = new Map<string, { visible?: boolean; width?: number; pinned?: boolean }>();
  // What somebody folded or unfolded; the rest follows `unfoldAll` and the filter.
  const folded = new Map<number, boolean>();
  const sparks = new Map<string, Record<string, string>>();
  let unfoldAll = begin.fold === 'none';
  let showArchived = payload.showArchived ?? false;
  let found: ((row: number) => boolean) | undefined;
  let columns: Column[] = [];
  let tree: Tree | undefined;
  let sort: Sort | undefined;
  let matches = new Uint32Array(0);
  let isMatch: Uint8Array | undefined;
  let placed: Placed = { rows: matches, levels: new Uint8Array(0) };
  let pointed = -1;
  let gone = false;
  const bests = new Map<string, number | undefined>();
  const bars = new Map<string, string>();

  // -- what is known of the runs ---------------------------------------------------------

  function readMarks(): void {
    for (const [mark] of MARKS) {
      marked[mark] = new Set(data[mark] ?? []);
    }
  }

  /** Make everything anew that depends on which runs there are. */
  function readRows(): void {
    readMarks();
    tree = makeTree(data);
    columns = makeColumns(data, payload.now, payload, tree);
    for (const column of columns) {
      if (column.metric && payload.sparks?.[column.metric]) {
        column.width += SPARK_WIDTH + 8;
      }
      const own = layout.get(column.id);
      column.visible = own?.visible ?? column.visible;
      column.width = own?.width ?? column.width;
    }
    bests.clear();
    bars.clear();
  }
  const isPinned = (column: Column) => layout.get(column.id)?.pinned ?? (column.kind === 'status' || column.kind === 'name');
  const shownColumns = (): Column[] => {
    const visible = columns.filter(column => column.visible);
    return [...visible.filter(isPinned), ...visible.filter(column => !isPinned(column))];
  };
  const layColumns = (draws = true) => {
    const shown = shownColumns();
    grid.setColumns(shown, shown.filter(isPinned).length, draws);
  };

  function bestOf(column: Column): number | undefined {
    if (!bests.has(column.id)) {
      bests.set(column.id, bestValue(column, data.n, row => !marked.archived.has(row)));
    }
    return bests.get(column.id);
  }

  for (const [metric, shapes] of Object.entries(payload.sparks ?? {})) {
    shapes.forEach((shape, row) => {
      const of = sparks.get(data.id[row]) ?? {};
      of[metric] = shape;
      sparks.set(data.id[row], of);
    });
  }

  // -- controls ----------------------------------------------------------------------------

  const input = h('input', { type: 'search', placeholder: 'Filter by name, tag or param', 'aria-label': 'Filter runs by text' });
  let typing = 0;
  input.addEventListener('input', () => {
    cancelAnimationFrame(typing);
    typing = requestAnimationFrame(() => {
      filter.text = input.value;
      apply();
    });
  });
  const query = queryBox({
    label: 'Search runs',
    initial: begin.q,
    data,
    host,
    experiment: payload.experiment,
    onChange(matching) {
      found = matching;
      apply();
    }
  });
  const clear = button('Clear All Filters', () => {
    for (const set of [filter.tags, filter.evalSets, filter.users, filter.sources]) {
      set.clear();
    }
    filter.text = input.value = '';
    query.clear();
    apply();
  });
  const count = h('span', { class: 'tnb-quiet tnb-num', role: 'status', 'aria-live': 'polite' });
  const archived = button('', () => {
    showArchived = !showArchived;
    apply();
  }, { 'aria-pressed': 'false' });
  const unfold = button('', () => {
    unfoldAll = !unfoldAll;
    folded.clear();
    apply(true);
  });
  const goals = () => ({ directions: payload.directions ?? {}, units: payload.units ?? {}, primary: payload.primary ?? null });
  const compare = button('Compare', () => {
    const rows = [...selected].sort((a, b) => a - b);
    const known = rows.length <= COMPARED ? compareFromRows(plainRows(data, rows), [...rows.keys()], goals()) : undefined;
    host.open?.({ page: 'compare', ids: rows.map(row => data.id[row]) }, known);
  }, { title: 'Tick two runs or more to compare them' });
  compare.hidden = !host.open;

  const picker = h('div', { class: 'tnb-picker', hidden: '' });
  const wanted = h('input', { type: 'search', placeholder: 'Find a column', 'aria-label': 'Find a column' });
  const fields = h('div');
  wanted.addEventListener('input', fillPicker);
  picker.append(h('div', { class: 'tnb-pickbar' }, wanted), fields);
  const pick = button('Columns', () => {
    picker.hidden = !picker.hidden;
    pick.setAttribute('aria-expanded', String(!picker.hidden));
    if (!picker.hidden) {
      fillPicker();
      wanted.focus({ preventScroll: true });
    }
  }, { 'aria-expanded': 'false' });
  const plotting = button('Plot', () => plotAs(plot?.shown ? null : PLOTS[0]), {
    'aria-expanded': 'false', title: 'Draw params against metrics of the runs in the table, or of those that are ticked'
  });
  /** Parallel coordinates or a scatter plot of the runs shown; made when somebody asks for one. */
  function plotAs(name: PlotName | null): void {
    if (!plot) {
      plot = tablePlot(data, payload.now, plotted, openRun, payload.primary ?? null);
      problem.before(plot.element);
    }
    plot.show(name);
    plotting.setAttribute('aria-expanded', String(name !== null));
  }
  picker.addEventListener('keydown', event => {
    if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      pick.click();
      pick.focus({ preventScroll: true });
    }
  });

  const fileName = () => (payload.experiment ?? 'runs').replace(/[^\w.-]+/g, '_');
  /** The rows that pass the filters in the order shown, those that are folded away too. */
  const written = () => (tree ? place(() => true).rows.filter(row => isMatch?.[row]) : placed.rows);
  /** What is ticked, in the order of the table; where nothing is, what passes the filters. */
  const plotted = (): Plotted => {
    const rows = written();
    return selected.size ? { rows: rows.filter(row => selected.has(row)), ticked: true } : { rows, ticked: false };
  };
  const chosenColumns = () => {
    const id = columns.find(column => column.id === 'run:id')!;
    return [id, ...shownColumns().filter(column => column !== id)];
  };
  const csv = button('CSV', () => {
    const chosen = chosenColumns();
    const lines = [chosen.map(column => column.label)];
    for (const row of written()) {
      lines.push(chosen.map(column => column.raw(row)));
    }
    download(`${fileName()}.csv`, 'text/csv;charset=utf-8', ['\ufeff', toCsv(lines)]);
  }, { 'aria-label': 'Download CSV', title: 'Download the rows and columns shown as CSV' });
  const json = button('JSON', () => {
    const chosen = chosenColumns();
    const objects = Array.from(written(), row =>
      Object.fromEntries(
        chosen.map(column => {
          const value = column.kind === 'number' && !column.inherited?.has(row) ? column.value(row) : undefined;
          const isFinite = typeof value === 'number' && Number.isFinite(value) && column.id !== 'run:duration';
          return [nameOf(column), isFinite ? value : column.raw(row) || null];
        })
      )
    );
    download(`${fileName()}.json`, 'application/json', [JSON.stringify(objects, null, 1)]);
  }, { 'aria-label': 'Download JSON', title: 'Download the rows and columns shown as JSON' });

  const CHIP_NAMES: Record<ChipKind, string> = { tags: 'tag', evalSets: 'Evaluation Set', users: 'user', sources: 'notebook' };
  const chipText = (kind: ChipKind, item: number | string) =>
    typeof item === 'string' ? item : kind === 'tags' ? data.tags.dict[item].join(': ') : data.evalSets.dict[item];

  function chip(kind: ChipKind, item: number | string, focusable: boolean): HTMLButtonElement {
    const text = chipText(kind, item);
    const set = filter[kind] as Set<number | string>;
    const element = button(
      text,
      () => {
        toggle(set, item);
        apply();
      },
      {
        class: kind === 'tags' ? 'tnb-chip' : 'tnb-chip tnb-set',
        title: `${text}\nShow only runs with this ${CHIP_NAMES[kind]}`,
        'aria-pressed': String(set.has(item)),
        'data-chip': `${kind}:${item}`
      }
    );
    if (!focusable) {
      element.tabIndex = -1;
    }
    return element;
  }

  const chips = h('div', { class: 'tnb-chips tnb-tablechips', role: 'group', 'aria-label': 'Filter by Evaluation Set, tag, user or notebook' });
  let orders: Record<ChipKind, (number | string)[]> = { evalSets: [], tags: [], users: [], sources: [] };
  function orderChips(): void {
    orders = {
      evalSets: frequent(data.evalSets.codes, data.evalSets.dict.length),
      tags: frequent(data.tags.codes, data.tags.dict.length),
      users: several(data.user),
      sources: several(data.source)
    };
  }
  function drawChips(): void {
    const active = chips.contains(document.activeElement) ? document.activeElement?.getAttribute('data-chip') : null;
    chips.replaceChildren();
    for (const kind of ['evalSets', 'tags', 'users', 'sources'] as const) {
      const first = orders[kind].slice(0, kind === 'tags' || kind === 'evalSets' ? CHIPS_IN_BAR / 2 : 6);
      const set = filter[kind] as Set<number | string>;
      for (const item of new Set([...first, ...set])) {
        // What filters is always in the bar, however rare.
        chips.append(chip(kind, item, true));
      }
    }
    if (active) {
      for (const element of chips.querySelectorAll<HTMLElement>('[data-chip]')) {
        if (element.getAttribute('data-chip') === active) {
          element.focus({ preventScroll: true });
        }
      }
    }
  }

  /** Show or hide, pin or free a column from here on. */
  function lay(column: Column, change: { visible?: boolean; width?: number; pinned?: boolean }): void {
    layout.set(column.id, { ...layout.get(column.id), ...change });
    column.visible = change.visible ?? column.visible;
  }

  /** A store may hold a thousand keys: so many of a group are in the picker, and words find the others. */
  const IN_PICKER = 200;
  function fillPicker(): void {
    fields.replaceChildren();
    const words = wanted.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const group of GROUPS) {
      const members = columns.filter(
        column => column.group === group && words.every(word => column.label.toLowerCase().includes(word))
      );
      if (!members.length) {
        continue;
      }
      const legend = h('legend', {}, group);
      const set = h('fieldset', {}, legend);
      const setAll = (on: boolean) => {
        members.forEach(column => lay(column, { visible: on || column.kind === 'name' }));
        fillPicker();
        layColumns();
      };
      legend.append(button('All', () => setAll(true), { 'aria-label': `Show all: ${group}` }));
      legend.append(button('None', () => setAll(false), { 'aria-label': `Show none: ${group}` }));
      for (const column of members.slice(0, IN_PICKER)) {
        const box = h('input', { type: 'checkbox' });
        box.checked = column.visible;
        box.disabled = column.kind === 'name';
        box.addEventListener('change', () => {
          lay(column, { visible: box.checked });
          layColumns();
        });
        const pin = iconButton('pin', `Pin ${column.label}`, () => {
          const on = !isPinned(column);
          lay(column, { pinned: on, visible: on || column.visible });
          pin.setAttribute('aria-pressed', String(on));
          box.checked = column.visible;
          layColumns();
        }, { 'aria-pressed': String(isPinned(column)) });
        set.append(h('span', { class: 'tnb-pick' }, h('label', {}, box, column.label), pin));
      }
      if (members.length > IN_PICKER) {
        set.append(h('span', { class: 'tnb-quiet' }, `and ${members.length - IN_PICKER} more: type a part of the name`));
      }
      fields.append(set);
    }
    if (!fields.childElementCount) {
      fields.append(h('div', { class: 'tnb-quiet' }, 'No column has this in its name.'));
    }
  }

  // -- marks of runs -------------------------------------------------------------------------

  const problem = h('div', { class: 'tnb-warning', role: 'alert' });
  const actions = h('span', { class: 'tnb-actions' });
  // In a notebook of a stranger a star must not stand for another tag.
  const tags = payload.marks;
  const canMark = Boolean(
    host.ask &&
      tags?.star.startsWith('tracknb.star.') &&
      tags.pin.startsWith('tracknb.pin.') &&
      tags.archived === 'tracknb.archived'
  );

  function drawActions(): void {
    actions.replaceChildren(
      ...MARKS.map(([mark, name, key, set, unset]) => {
        const on = marked[mark].has(pointed);
        return iconButton(name, `${on ? unset : set} (${key.toUpperCase()})`, () => void change(mark, pointed), {
          'aria-pressed': String(on),
          tabindex: '-1'
        });
      })
    );
  }

  async function change(mark: Mark, row: number): Promise<void> {
    const id = data.id[row];
    const tag = { starred: payload.marks!.star, pinned: payload.marks!.pin, archived: payload.marks!.archived }[mark];
    const on = !marked[mark].has(row);
    const put = (to: boolean) => {
      const at = data.id[row] === id ? row : data.id.indexOf(id);
      const rows = new Set(data[mark] ?? []);
      if (to) {
        rows.add(at);
      } else {
        rows.delete(at);
      }
      data[mark] = [...rows];
      readMarks();
      bests.clear();
      apply(true);
    };
    put(on);
    setText(problem, '');
    try {
      await host.ask!({ ask: 'change_run', id, ...(on ? { set: { [tag]: 'true' } } : { delete: [tag] }) });
    } catch (error) {
      if (!gone) {
        put(!on);
        setText(problem, `${data.name[row]} stays as it was. ${(error as Error).message}`);
      }
    }
  }

  // -- cells --------------------------------------------------------------------------------------

  const isOpen = (row: number): boolean => {
    const own = folded.get(row);
    if (own !== undefined) {
      return own;
    }
    // What a filter found must be seen, so what only stands for its children is open.
    return unfoldAll || (isMatch !== undefined && !isMatch[row]);
  };
  const lift = (row: number) => marked.pinned.has(row);

  function fold(row: number, open: boolean): void {
    folded.set(row, open);
    apply(true);
  }

  function openRun(row: number): void {
    host.open?.({ page: 'run', id: data.id[row] }, pageFromRow(plainRows(data, [row]), 0));
  }

  function renderName(cell: HTMLElement, column: Column, row: number, position: number): void {
    cell.classList.add('tnb-namecell');
    const level = placed.levels[position] ?? 1;
    if (tree) {
      cell.style.paddingLeft = `${8 + (Math.min(level, 12) - 1) * 16}px`;
      const under = tree.under.get(row)?.length;
      if (under) {
        const open = isOpen(row);
        const press = button('', () => fold(row, !open), {
          class: 'tnb-fold',
          tabindex: '-1',
          'aria-label': `${open ? 'Fold' : 'Unfold'} ${under} ${under === 1 ? 'run' : 'runs'}`
        });
        press.append(icon(open ? 'down' : 'right'));
        cell.append(press);
      } else {
        cell.append(h('span', { class: 'tnb-nofold' }));
      }
    }
    const swatch = h('span', { class: 'tnb-swatch' });
    swatch.style.background = runColor(data.color[row]);
    cell.append(swatch, button(column.text(row), () => openRun(row), { class: 'tnb-link tnb-t', tabindex: '-1' }));
    const attempt = data.attempt[row];
    if (attempt && attempt > 1) {
      cell.append(h('span', { class: 'tnb-small', title: `Attempt ${attempt} of this cell` }, `#${attempt}`));
    }
    const under = tree?.under.get(row)?.length;
    if (under && !isOpen(row)) {
      cell.append(h('span', { class: 'tnb-small' }, `+${under}`));
    }
    for (const [mark, name] of MARKS) {
      if (marked[mark].has(row)) {
        const sign = icon(name, mark === 'starred');
        sign.removeAttribute('aria-hidden');
        sign.setAttribute('role', 'img');
        sign.setAttribute('aria-label', mark);
        cell.append(sign);
        cell.setAttribute('data-marks', `${cell.getAttribute('data-marks') ?? ''} ${mark}`.trim());
      }
    }
    if (canMark && row === pointed) {
      drawActions();
      cell.append(actions);
    }
  }

  function renderNumber(cell: HTMLElement, column: Column, row: number): void {
    const text = column.text(row);
    const metric = column.metric;
    const isBest = text !== '' && bestOf(column) !== undefined && column.value(row) === bestOf(column);
    const own = h('span', {}, text);
    if (column.inherited?.has(row)) {
      own.className = 'tnb-inherited';
    } else if (isBest) {
      own.className = 'tnb-best';
      own.setAttribute('data-mark', column.direction === 'lower' ? '▼' : '▲');
      own.setAttribute('aria-label', `${text}, the best`);
    }
    const shape = metric && payload.sparks?.[metric] ? sparks.get(data.id[row])?.[metric] : undefined;
    if (shape) {
      const line = svg(SPARK_WIDTH, SPARK_HEIGHT, sparkPath(shape, SPARK_WIDTH, SPARK_HEIGHT), 'tnb-spark');
      line.style.stroke = runColor(data.color[row]);
      cell.classList.add('tnb-numcell');
      cell.append(line);
    }
    if (own.className || shape) {
      cell.append(own);
    } else {
      cell.classList.add('tnb-plain');
      cell.textContent = text;
    }
    const title = column.title(row);
    if (title) {
      cell.title = isBest ? `${title}\nThe best: ${column.direction} is better` : title;
    }
  }

  /** As many chips as there is room for, the last of them cut short, and how many more there are. */
  function renderChips(cell: HTMLElement, kind: 'tags' | 'evalSets', codes: number[], width: number): void {
    let room = width - CELL_SIDES;
    let count = 0;
    while (count < codes.length && (count === 0 || room > LEAST_CHIP)) {
      cell.append(chip(kind, codes[count], false));
      room -= CHIP_SIDES + LETTER * chipText(kind, codes[count]).length;
      count += 1;
    }
    if (count < codes.length) {
      cell.append(h('span', { class: 'tnb-small' }, `+${codes.length - count}`));
    }
  }

  function renderCell(cell: HTMLElement, column: Column, row: number, position: number): void {
    if (column.kind === 'tags' || column.kind === 'evalSets') {
      renderChips(cell, column.kind, data[column.kind].codes[row], column.width);
      cell.title = column.title(row);
      return;
    }
    if (column.kind === 'status') {
      cell.append(statusMark(data.status[row]), column.text(row));
      return;
    }
    if (column.metric) {
      renderNumber(cell, column, row);
      return;
    }
    if (column.kind === 'name') {
      renderName(cell, column, row, position);
    } else if (column.kind === 'grade' && isDoubtful(column.text(row))) {
      cell.append(h('span', { class: 'tnb-doubt', 'aria-hidden': 'true' }, '△'), column.text(row));
    } else {
      cell.classList.add('tnb-plain');
      cell.textContent = column.text(row);
    }
    const title = column.title(row);
    if (title) {
      cell.title = title;
    }
  }

  function headExtra(column: Column): Element | undefined {
    if (held.held < BARS_FROM || (column.kind !== 'number' && column.kind !== 'time')) {
      return undefined;
    }
    if (!bars.has(column.id)) {
      const bins = histogram(column, data.n);
      bars.set(column.id, bins ? barsPath(bins, BINS * 6, 14) : '');
    }
    const path = bars.get(column.id)!;
    return path ? svg(BINS * 6, 14, path, 'tnb-bars') : undefined;
  }

  let asking = 0;
  let asked = new Set<string>();
  /** Ask for the small curves of the rows in sight that have none yet. */
  function wantSparks(rows: Uint32Array): void {
    const keys = Object.keys(payload.sparks ?? {});
    if (!host.ask || !keys.length || !columns.some(column => column.visible && column.metric && keys.includes(column.metric))) {
      return;
    }
    const ids = Array.from(rows, row => data.id[row]).filter(id => !sparks.has(id) && !asked.has(id));
    clearTimeout(asking);
    if (ids.length) {
      asking = window.setTimeout(() => {
        ids.forEach(id => asked.add(id));
        host.ask!({ ask: 'sparks', ids, keys }).then(
          answer => {
            const shapes = answer.sparks as Record<string, Record<string, string>>;
            ids.forEach(id => sparks.set(id, shapes[id] ?? {}));
            if (!gone) {
              grid.refresh();
            }
          },
          () => undefined
        );
      }, 150);
    }
  }

  // -- the grid ------------------------------------------------------------------------------------

  function tellSelection(): void {
    grid.refresh();
    drawCount();
    plot?.update();
    host.onSelect?.([...selected].sort((a, b) => a - b).map(row => data.id[row]));
  }

  readRows();
  const grid = createGrid({
    label: `Runs of ${payload.title}`,
    headHeight: held.held >= BARS_FROM ? HEAD_WITH_BARS : HEAD,
    headExtra,
    renderCell,
    stateOf: (position, row) => ({
      level: placed.levels[position] ?? 1,
      isOpen: tree?.under.has(row) ? isOpen(row) : undefined,
      isContext: isMatch !== undefined && !isMatch[row]
    }),
    isSelected: row => selected.has(row),
    onToggle(row, on) {
      if (on) {
        selected.add(row);
      } else {
        selected.delete(row);
      }
      tellSelection();
    },
    onToggleAll(on) {
      for (const row of placed.rows) {
        if (on) {
          selected.add(row);
        } else {
          selected.delete(row);
        }
      }
      tellSelection();
    },
    onSort(column) {
      // The first click sorts up, the second down, the third restores the order given.
      if (sort?.column !== column.id) {
        sort = { column: column.id, descending: false };
      } else if (!sort.descending) {
        sort = { column: column.id, descending: true };
      } else {
        sort = undefined;
      }
      grid.setSort(sort);
      show();
    },
    onOpen: openRun,
    onFold: fold,
    onResize(column, width) {
      lay(column, { width });
      layColumns();
    },
    onKey(key, row) {
      const mark = canMark ? MARKS.find(candidate => candidate[2] === key.toLowerCase()) : undefined;
      if (mark) {
        void change(mark[0], row);
      }
      return mark !== undefined;
    },
    onRow(row, element) {
      if (canMark && (row !== pointed || !element.contains(actions))) {
        pointed = row;
        drawActions();
        element.querySelector('.tnb-namecell')?.append(actions);
      }
    },
    onSight: wantSparks
  });

  const nothing = h('div', { class: 'tnb-empty', hidden: '' }, 'No run matches the filters. Clear All Filters shows all of them.');
  const note = h('div', { class: 'tnb-quiet' }, payload.note);
  const warning = h('div', payload.warning ? { class: 'tnb-warning', role: 'note' } : { class: 'tnb-warning' }, payload.warning ?? '');
  if (payload.warning && payload.note.startsWith(payload.warning)) {
    note.textContent = payload.note.slice(payload.warning.length).trim();
  }

  let loading = false;
  function drawCount(): void {
    const base = countText(matches.length, Math.max(payload.total, data.n));
    const away = tree ? matches.length - placed.rows.filter(row => isMatch?.[row]).length : 0;
    const group = (value: number) => String(value).replace(/\B(?=(\d{3})+$)/g, ',');
    const parts = [
      base,
      away > 0 ? `${group(away)} folded` : '',
      selected.size ? `${group(selected.size)} selected` : '',
      loading ? `loading ${group(data.n)} of ${group(held.held)}` : ''
    ];
    setText(count, parts.filter(Boolean).join(', '));
    compare.disabled = selected.size < 2;
    setText(compare, selected.size < 2 ? 'Compare' : `Compare (${group(selected.size)})`);
  }

  /** Sort, put pinned rows first, and place rows under their parents. */
  function place(open: (row: number) => boolean): Placed {
    const all = tree ? withAncestors(tree, matches, lift) : matches;
    const column = sort && columns.find(candidate => candidate.id === sort!.column);
    let rows = sort && column ? sortRows(all, column, sort.descending, data.n) : all;
    if (marked.pinned.size) {
      const top = rows.filter(row => marked.pinned.has(row));
      if (top.length) {
        const sorted = new Uint32Array(rows.length);
        sorted.set(top);
        sorted.set(rows.filter(row => !marked.pinned.has(row)), top.length);
        rows = sorted;
      }
    }
    return tree ? placeRows(tree, rows, open, lift) : { rows, levels: new Uint8Array(0) };
  }

  /** Lay out the rows that pass; `stay` keeps the place that is in sight. */
  function show(stay = false): void {
    placed = place(isOpen);
    drawCount();
    grid.setRows(placed.rows, tree !== undefined, stay);
    plot?.update();
  }

  function apply(stay = false): void {
    const hides = !showArchived && marked.archived.size > 0;
    const also = found || hides ? (row: number) => (!hides || !marked.archived.has(row)) && (!found || found(row)) : undefined;
    matches = new Uint32Array(filterRows(data, filter, also));
    if (tree) {
      isMatch = new Uint8Array(data.n);
      for (const row of matches) {
        isMatch[row] = 1;
      }
    } else {
      isMatch = undefined;
    }
    clear.disabled = !isFiltered(filter) && found === undefined;
    nothing.hidden = matches.length > 0;
    grid.element.hidden = matches.length === 0;
    archived.hidden = marked.archived.size === 0;
    setText(archived, `Show archived (${marked.archived.size})`);
    archived.setAttribute('aria-pressed', String(showArchived));
    unfold.hidden = tree === undefined;
    setText(unfold, unfoldAll ? 'Fold all' : 'Unfold all');
    drawChips();
    show(stay);
  }

  // -- the rest of the runs ------------------------------------------------------------------------

  /** Fetch what the saved output had no room for, a part at a time, so that the page stays quick. */
  async function load(): Promise<void> {
    loading = true;
    drawCount();
    let drawn = performance.now();
    let pace = PACE;
    const part = (from: number): Promise<Answer> => {
      const coming = host.ask!({ ask: 'rows', view: held.view, from, count: CHUNK, asked: payload.asked ?? null });
      // One that is no longer waited for may fail.
      coming.catch(() => undefined);
      return coming;
    };
    try {
      let coming: Promise<Answer> | undefined;
      while (!held.isWhole && !gone) {
        const answer = await (coming ?? part(data.n));
        if (gone) {
          return;
        }
        // The kernel makes the next part while this one is taken in.
        const next = held.after(answer);
        coming = next === undefined ? undefined : part(next);
        const before = data.n;
        if (!held.add(answer) || data.n < before) {
          // The kernel was restarted: other rows, from the first one on.
          selected.clear();
          folded.clear();
          forgetNames(data);
        }
        for (const key of ['directions', 'units', 'primary', 'marks'] as const) {
          Object.assign(payload, { [key]: answer[key] ?? payload[key] });
        }
        if (performance.now() - drawn > pace && !held.isWhole) {
          const begun = performance.now();
          tookIn();
          drawn = performance.now();
          // Drawing anew takes longer the more rows there are; most of the time is the person's.
          pace = Math.max(pace, PACE + 20 * (drawn - begun));
        } else {
          drawCount();
        }
        await new Promise(resolve => setTimeout(resolve, 0));
      }
      data.keys = null;
      setText(note, '');
    } catch {
      // The note says what is missing, and what to call for it.
    }
    loading = false;
    if (!gone) {
      tookIn();
    }
  }

  function tookIn(): void {
    readRows();
    orderChips();
    layColumns(false);
    if (found) {
      // The same query over more rows.
      query.refresh();
    }
    apply(true);
    if (!picker.hidden) {
      fillPicker();
    }
  }

  let seen: IntersectionObserver | undefined;
  if (!held.isWhole) {
    if (typeof IntersectionObserver === 'undefined') {
      setTimeout(() => void load(), 0);
    } else {
      // A notebook of many tables asks for those that somebody looks at.
      seen = new IntersectionObserver(entries => {
        if (entries.some(entry => entry.isIntersecting)) {
          seen?.disconnect();
          void load();
        }
      });
      seen.observe(root.element);
    }
  }

  // -- state ------------------------------------------------------------------------------------------

  function takeState(state: ViewState): void {
    filter.text = input.value = state.text ?? '';
    for (const text of separated(state.tags)) {
      const code = data.tags.dict.findIndex(pair => pair.join('=') === text);
      if (code >= 0) {
        filter.tags.add(code);
      }
    }
    for (const name of separated(state.sets)) {
      const code = data.evalSets.dict.indexOf(name);
      if (code >= 0) {
        filter.evalSets.add(code);
      }
    }
    separated(state.owner).forEach(name => filter.users.add(name));
    showArchived = state.archived === undefined ? showArchived : state.archived === 'shown';
    const named = (name: string) => columns.find(column => nameOf(column) === name);
    if (state.cols !== undefined) {
      const names = new Set(separated(state.cols));
      columns.forEach(column => lay(column, { visible: column.kind === 'name' || names.has(nameOf(column)) }));
    }
    if (state.pin !== undefined) {
      const names = new Set(separated(state.pin));
      columns.forEach(column => lay(column, { pinned: names.has(nameOf(column)) }));
    }
    const column = state.sort ? named(state.sort.replace(/^-/, '')) : undefined;
    if (column) {
      sort = { column: column.id, descending: state.sort.startsWith('-') };
      grid.setSort(sort);
    }
  }

  function state(): ViewState {
    const sorted = sort && columns.find(column => column.id === sort!.column);
    const changed = (what: 'visible' | 'pinned') => [...layout.values()].some(own => own[what] !== undefined);
    const parts: Record<string, string> = {
      e: payload.experiment ?? '',
      q: query.text(),
      text: filter.text,
      tags: joined([...filter.tags].map(code => data.tags.dict[code].join('='))),
      sets: joined([...filter.evalSets].map(code => data.evalSets.dict[code])),
      owner: joined(filter.users),
      cols: changed('visible') ? joined(columns.filter(column => column.visible).map(nameOf)) : '',
      pin: changed('pinned') ? joined(columns.filter(isPinned).map(nameOf)) : '',
      sort: sorted ? `${sort!.descending ? '-' : ''}${nameOf(sorted)}` : '',
      fold: tree && unfoldAll ? 'none' : '',
      archived: showArchived ? 'shown' : '',
      chart: plot?.shown ?? ''
    };
    return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== ''));
  }

  const keys = ['Enter opens a run', 'Space ticks it', ...(tree ? ['→ unfolds, ← folds'] : [])];
  if (canMark) {
    keys.push('S stars', 'P pins', 'A archives');
  }
  root.element.append(
    query.element,
    h('div', { class: 'tnb-bar' }, input, clear, count, h('span', { class: 'tnb-push' }), archived, unfold, compare, plotting, pick, csv, json),
    chips,
    picker,
    problem,
    warning,
    grid.element,
    nothing,
    h('div', { class: 'tnb-foot tnb-quiet' }, note, h('span', {}, `Keys: ${keys.join('; ')}`))
  );
  if (!host.inside) {
    json.after(copyViewButton(() => viewLine('runs', state())));
  }
  takeState(begin);
  orderChips();
  layColumns(false);
  apply();
  const drawn = PLOTS.find(name => name === begin.chart);
  if (drawn) {
    plotAs(drawn);
  }
  return {
    element: root.element,
    state,
    destroy() {
      gone = true;
      cancelAnimationFrame(typing);
      clearTimeout(asking);
      seen?.disconnect();
      query.destroy();
      plot?.destroy();
      grid.destroy();
      root.destroy();
    }
  };
}
