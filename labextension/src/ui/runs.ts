/** The run table: filter bar, column picker, grid, selection, CSV. */

import { makeColumns, sortRows, type Column, type ColumnGroup, type Sort } from './columns';
import { button, copyLine, h, setText, statusMark } from './dom';
import { filterRows, initialFilter, isFiltered, searchIndex, toggle } from './filter';
import { countText, toCsv } from './format';
import { createGrid } from './grid';
import { makeRoot, runColor } from './theme';
import type { Host, RunsPayload, View } from './types';

/** More chips than this make the filter bar longer than the table; the rest is in the cells. */
const CHIPS_IN_BAR = 30;

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

export function runsView(payload: RunsPayload, host: Host = {}): View {
  const root = makeRoot();
  const { data } = payload;
  root.element.append(
    h(
      'div',
      { class: 'tnb-bar' },
      h('span', { class: 'tnb-title' }, payload.title),
      h('span', { class: 'tnb-quiet' }, payload.query)
    )
  );
  if (data.n === 0) {
    if (payload.total > 0) {
      root.element.append(h('div', { class: 'tnb-empty' }, `No run matches. ${countText(0, payload.total)}.`));
    } else {
      root.element.append(emptyState(payload.experiment));
    }
    return { element: root.element, destroy: root.destroy };
  }

  const columns = makeColumns(data, payload.now);
  const filter = initialFilter(data, payload.tagFilter ?? [], payload.evalFilter ?? []);
  const selected = new Set<number>();
  let sort: Sort | undefined;
  let shown = new Uint32Array(0);
  let lines: string[] | undefined;
  const index = () => (lines ??= searchIndex(data));

  const input = h('input', { type: 'search', placeholder: 'Filter by name, tag or param', 'aria-label': 'Filter runs by text' });
  let typing = 0;
  input.addEventListener('input', () => {
    cancelAnimationFrame(typing);
    typing = requestAnimationFrame(() => {
      filter.text = input.value;
      apply();
    });
  });
  const clear = button('Clear All Filters', () => {
    filter.tags.clear();
    filter.evalSets.clear();
    filter.text = input.value = '';
    apply();
  });
  const count = h('span', { class: 'tnb-quiet tnb-num', role: 'status', 'aria-live': 'polite' });

  const picker = h('div', { class: 'tnb-picker', hidden: '' });
  const pick = button('Columns', () => {
    picker.hidden = !picker.hidden;
    pick.setAttribute('aria-expanded', String(!picker.hidden));
    if (!picker.hidden) {
      fillPicker();
    } else {
      picker.replaceChildren();
    }
  }, { 'aria-expanded': 'false' });
  const csv = button('Download CSV', () => {
    const chosen = [idColumn, ...visible().filter(column => column !== idColumn)];
    const rows = [chosen.map(column => column.label)];
    for (const row of shown) {
      rows.push(chosen.map(column => column.raw(row)));
    }
    const url = URL.createObjectURL(new Blob(['\ufeff', toCsv(rows)], { type: 'text/csv;charset=utf-8' }));
    const link = h('a', { href: url, download: `${(payload.experiment ?? 'runs').replace(/[^\w.-]+/g, '_')}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });
  const idColumn = columns.find(column => column.id === 'run:id')!;
  const visible = () => columns.filter(column => column.visible);

  function chip(kind: 'tags' | 'evalSets', code: number, focusable: boolean): HTMLButtonElement {
    const text = kind === 'tags' ? data.tags.dict[code].join(': ') : data.evalSets.dict[code];
    const what = kind === 'tags' ? 'tag' : 'Evaluation Set';
    const element = button(
      text,
      () => {
        toggle(filter[kind], code);
        apply();
      },
      {
        class: kind === 'tags' ? 'tnb-chip' : 'tnb-chip tnb-set',
        title: `${text}\nShow only runs with this ${what}`,
        'aria-pressed': String(filter[kind].has(code)),
        'data-chip': `${kind}:${code}`
      }
    );
    if (!focusable) {
      element.tabIndex = -1;
    }
    return element;
  }

  const chips = h('div', { class: 'tnb-chips', role: 'group', 'aria-label': 'Filter by Evaluation Set or tag' });
  const orders = {
    evalSets: frequent(data.evalSets.codes, data.evalSets.dict.length),
    tags: frequent(data.tags.codes, data.tags.dict.length)
  };
  function drawChips(): void {
    const active = chips.contains(document.activeElement) ? document.activeElement?.getAttribute('data-chip') : null;
    chips.replaceChildren();
    for (const kind of ['evalSets', 'tags'] as const) {
      const first = orders[kind].slice(0, CHIPS_IN_BAR / 2);
      for (const code of orders[kind]) {
        // What filters is always in the bar, however rare.
        if (first.includes(code) || filter[kind].has(code)) {
          chips.append(chip(kind, code, true));
        }
      }
    }
    if (active) {
      chips.querySelector<HTMLElement>(`[data-chip="${active}"]`)?.focus({ preventScroll: true });
    }
  }

  function fillPicker(): void {
    picker.replaceChildren();
    for (const group of ['Run', 'Metrics', 'Params'] as ColumnGroup[]) {
      const members = columns.filter(column => column.group === group);
      if (!members.length) {
        continue;
      }
      const legend = h('legend', {}, group);
      const set = h('fieldset', {}, legend);
      const setAll = (on: boolean) => {
        members.forEach(column => (column.visible = on || column.kind === 'name'));
        fillPicker();
        grid.setColumns(visible(), pinnedCount());
      };
      legend.append(button('All', () => setAll(true), { 'aria-label': `Show all: ${group}` }));
      legend.append(button('None', () => setAll(false), { 'aria-label': `Show none: ${group}` }));
      for (const column of members) {
        const box = h('input', { type: 'checkbox' });
        box.checked = column.visible;
        box.disabled = column.kind === 'name';
        box.addEventListener('change', () => {
          column.visible = box.checked;
          grid.setColumns(visible(), pinnedCount());
        });
        set.append(h('label', {}, box, column.label));
      }
      picker.append(set);
    }
  }

  function pinnedCount(): number {
    return visible().filter(column => column.kind === 'status' || column.kind === 'name').length;
  }

  function renderCell(cell: HTMLElement, column: Column, row: number): void {
    if (column.kind === 'tags' || column.kind === 'evalSets') {
      for (const code of data[column.kind].codes[row]) {
        cell.append(chip(column.kind, code, false));
      }
      cell.title = column.title(row);
      return;
    }
    const text = column.text(row);
    if (column.kind === 'status') {
      cell.append(statusMark(data.status[row]), text);
      return;
    }
    if (column.kind === 'name') {
      const swatch = h('span', { class: 'tnb-swatch' });
      swatch.style.background = runColor(data.color[row]);
      const open = button(text, () => host.open?.({ page: 'run', id: data.id[row] }), { class: 'tnb-link tnb-t', tabindex: '-1' });
      cell.append(swatch, open);
      const attempt = data.attempt?.[row];
      if (attempt && attempt > 1) {
        cell.append(h('span', { class: 'tnb-quiet' }, `#${attempt}`));
      }
    } else {
      cell.classList.add('tnb-plain');
      cell.textContent = text;
    }
    const title = column.title(row);
    if (title) {
      cell.title = title;
    }
  }

  function tellSelection(): void {
    grid.refresh();
    drawCount();
    host.onSelect?.([...selected].sort((a, b) => a - b).map(row => data.id[row]));
  }

  const grid = createGrid({
    label: `Runs of ${payload.title}`,
    renderCell,
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
      for (const row of shown) {
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
      apply();
    }
  });

  const nothing = h('div', { class: 'tnb-empty', hidden: '' }, 'No run matches the filters.');

  function drawCount(): void {
    const base = countText(shown.length, Math.max(payload.total, data.n));
    setText(count, selected.size ? `${base}, ${selected.size} selected` : base);
  }

  function apply(): void {
    shown = Uint32Array.from(filterRows(data, filter, index));
    const column = sort && columns.find(candidate => candidate.id === sort!.column);
    if (sort && column) {
      shown = Uint32Array.from(sortRows(shown, column, sort.descending));
    }
    clear.disabled = !isFiltered(filter);
    nothing.hidden = shown.length > 0;
    grid.element.hidden = shown.length === 0;
    drawChips();
    drawCount();
    grid.setRows(shown);
  }

  root.element.append(
    h('div', { class: 'tnb-bar' }, input, clear, count, h('span', { class: 'tnb-push' }), pick, csv),
    h('div', { class: 'tnb-bar' }, chips),
    picker,
    grid.element,
    nothing,
    h('div', { class: 'tnb-quiet' }, payload.note)
  );
  grid.setColumns(visible(), pinnedCount());
  apply();
  return {
    element: root.element,
    destroy() {
      cancelAnimationFrame(typing);
      grid.destroy();
      root.destroy();
    }
  };
}
