/** A small virtualised table: only the rows and columns in sight are in the page. */

import type { Column, Sort } from './columns';
import { button, h, uniqueId } from './dom';

export const ROW_HEIGHT = 28;
const NARROWEST = 48;
const WIDEST = 1200;
/** How far a key widens a column. */
const STEP = 16;
const CHECK_WIDTH = 32;
const ROWS_IN_SIGHT = 14;
const OVERSCAN = 2;
/** Below this width nothing but the checkbox stays in place while scrolling sideways. */
const PIN_FROM = 720;
/** Taken for the width of a grid that nobody has seen yet. */
const UNSEEN_WIDTH = 900;

/** How a row lies in the tree of rows. */
export interface RowState {
  level: number;
  /** Undefined where nothing lies under it. */
  isOpen: boolean | undefined;
  /** Shown for the rows under it, not for itself. */
  isContext: boolean;
}

export interface GridOptions {
  label: string;
  headHeight: number;
  /** What stands under a header, such as a histogram. */
  headExtra(column: Column): Element | undefined;
  stateOf(position: number, row: number): RowState;
  onOpen(row: number): void;
  onFold(row: number, open: boolean): void;
  onResize(column: Column, width: number): void;
  /** A key in an active row that the grid itself has no use for; true if it was used. */
  onKey(key: string, row: number): boolean;
  /** The row under the pointer or with the active cell, and its element. */
  onRow(row: number, element: HTMLElement): void;
  /** The rows in sight have changed. */
  onSight(rows: Uint32Array): void;
  renderCell(cell: HTMLElement, column: Column, row: number, position: number): void;
  isSelected(row: number): boolean;
  onToggle(row: number, selected: boolean): void;
  onToggleAll(selected: boolean): void;
  onSort(column: Column): void;
}

export interface Grid {
  element: HTMLElement;
  /** `draws` is false where rows are set right after: what is in sight is then drawn once. */
  setColumns(columns: Column[], pinned: number, draws?: boolean): void;
  /** `stay` keeps the place: rows were added, folded or unfolded. */
  setRows(rows: Uint32Array, isTree: boolean, stay?: boolean): void;
  setSort(sort: Sort | undefined): void;
  /** Draw again what is in sight: selection or chips have changed. */
  refresh(): void;
  destroy(): void;
}

export function createGrid(options: GridOptions): Grid {
  const prefix = uniqueId();
  let columns: Column[] = [];
  let pinned = 0;
  let lefts: number[] = [];
  let totalWidth = 0;
  let rows = new Uint32Array(0);
  let sort: Sort | undefined;
  let active = { row: 0, column: 0 };
  let drawn = new Map<number, HTMLElement>();
  let window_ = '';
  // A row without its run, and the columns of its cells: copying it is much cheaper than making each cell.
  let blank = h('div');
  let cellColumns: [child: number, column: number][] = [];
  let frame = 0;
  let isTree = false;

  const head = h('div', { class: 'tnb-head', role: 'row', 'aria-rowindex': '1' });
  const body = h('div', { class: 'tnb-body', role: 'rowgroup' });
  const headGroup = h('div', { role: 'rowgroup', style: 'display: contents' }, head);
  const element = h(
    'div',
    {
      class: 'tnb-grid',
      role: 'grid',
      tabindex: '0',
      'aria-label': options.label,
      'aria-multiselectable': 'true'
    },
    headGroup,
    body
  );

  head.style.height = `${options.headHeight}px`;
  const all = h('input', { type: 'checkbox', 'aria-label': 'Select all runs shown' });
  all.addEventListener('change', () => options.onToggleAll(all.checked));

  // JupyterLab takes outputs that are out of sight out of the page, and puts them back as wide as before.
  let lastWidth = UNSEEN_WIDTH;
  const width = () => (lastWidth = element.clientWidth || lastWidth);
  // Looked at once a drawing: the browser lays the whole page out anew for each look between changes.
  let isWide = true;
  const isPinned = (index: number) => index < pinned && isWide;

  function columnRange(): [number, number] {
    const from = element.scrollLeft + CHECK_WIDTH;
    const until = element.scrollLeft + width();
    let first = 0;
    while (first < columns.length - 1 && lefts[first] + columns[first].width < from) {
      first += 1;
    }
    let last = first;
    while (last < columns.length - 1 && lefts[last + 1] < until) {
      last += 1;
    }
    return [first, last];
  }

  /** Put the cells of a row or of the header into it: pinned ones, a gap, those in sight. */
  function fill(row: HTMLElement, range: [number, number], make: (index: number) => HTMLElement): void {
    let reached = CHECK_WIDTH;
    const add = (index: number, pin: boolean) => {
      if (lefts[index] > reached) {
        row.append(h('div', { role: 'presentation', style: `flex: none; width: ${lefts[index] - reached}px` }));
      }
      const cell = make(index);
      cell.style.width = `${columns[index].width}px`;
      cell.setAttribute('aria-colindex', String(index + 2));
      if (pin) {
        cell.classList.add('tnb-pin');
        cell.style.left = `${lefts[index]}px`;
      }
      row.append(cell);
      reached = lefts[index] + columns[index].width;
    };
    let index = 0;
    for (; index < columns.length && isPinned(index); index++) {
      add(index, true);
    }
    for (index = Math.max(index, range[0]); index <= range[1]; index++) {
      add(index, false);
    }
  }

  function drawHead(range: [number, number]): void {
    const check = h('div', { class: 'tnb-cell tnb-pin', role: 'columnheader', 'aria-colindex': '1' }, all);
    check.style.width = `${CHECK_WIDTH}px`;
    check.style.left = '0';
    const focused = head.contains(document.activeElement) ? document.activeElement?.getAttribute('data-column') : null;
    head.replaceChildren(check);
    head.style.width = `${totalWidth}px`;
    fill(head, range, index => {
      const column = columns[index];
      const sorted = sort?.column === column.id ? (sort.descending ? 'descending' : 'ascending') : 'none';
      const mark = sorted === 'none' ? '' : sorted === 'descending' ? ' ↓' : ' ↑';
      const control = button(column.label + mark, () => options.onSort(column), {
        title: `${column.label} (${column.group.toLowerCase().replace(/(metric|param|tag)s$/, '$1')}${
          column.direction ? `, ${column.direction} is better` : ''
        })\nSorts. Alt with the left or right arrow changes the width.`,
        'data-column': column.id
      });
      control.addEventListener('keydown', event => {
        if (event.altKey && (event.key === 'ArrowLeft' || event.key === 'ArrowRight')) {
          event.preventDefault();
          event.stopPropagation();
          resize(column, column.width + (event.key === 'ArrowLeft' ? -STEP : STEP));
        }
      });
      const cell = h(
        'div',
        { class: `tnb-cell${column.align === 'right' ? ' tnb-right' : ''}`, role: 'columnheader', 'aria-sort': sorted },
        control
      );
      const extra = options.headExtra(column);
      if (extra) {
        cell.append(extra);
      }
      cell.append(handle(column));
      return cell;
    });
    if (focused) {
      for (const control of head.querySelectorAll<HTMLElement>('[data-column]')) {
        if (control.getAttribute('data-column') === focused) {
          control.focus({ preventScroll: true });
        }
      }
    }
  }

  function resize(column: Column, width: number): void {
    const next = Math.round(Math.max(NARROWEST, Math.min(WIDEST, width)));
    if (next !== column.width) {
      column.width = next;
      options.onResize(column, next);
    }
  }

  /** The edge of a column, to be dragged; the header's own button takes the keys. */
  function handle(column: Column): HTMLElement {
    const edge = h('span', { class: 'tnb-edge', 'aria-hidden': 'true' });
    edge.addEventListener('pointerdown', event => {
      event.preventDefault();
      event.stopPropagation();
      const from = event.clientX - column.width;
      // The header is drawn anew while it is dragged, so the pointer is followed on the grid itself.
      const move = (next: PointerEvent) => resize(column, next.clientX - from);
      const stop = () => {
        element.removeEventListener('pointermove', move);
        element.removeEventListener('pointerup', stop);
        element.removeEventListener('pointercancel', stop);
        element.classList.remove('tnb-resizing');
      };
      element.setPointerCapture?.(event.pointerId);
      element.classList.add('tnb-resizing');
      element.addEventListener('pointermove', move);
      element.addEventListener('pointerup', stop);
      element.addEventListener('pointercancel', stop);
    });
    return edge;
  }

  function makeBlank(range: [number, number]): void {
    blank = h('div', { class: 'tnb-row', role: 'row' });
    blank.style.width = `${totalWidth}px`;
    const box = h('input', { type: 'checkbox', tabindex: '-1', 'aria-label': 'Select run' });
    const check = h('div', { class: 'tnb-cell tnb-pin', role: 'gridcell', 'aria-colindex': '1' }, box);
    check.style.width = `${CHECK_WIDTH}px`;
    check.style.left = '0';
    blank.append(check);
    const made = new Map<Element, number>();
    fill(blank, range, index => {
      const cell = h('div', { class: `tnb-cell${columns[index].align === 'right' ? ' tnb-right' : ''}`, role: 'gridcell' });
      made.set(cell, index);
      return cell;
    });
    cellColumns = [...blank.children].flatMap((cell, child) => (made.has(cell) ? [[child, made.get(cell)!]] : []));
  }

  function drawRow(position: number): HTMLElement {
    const row = rows[position];
    const selected = options.isSelected(row);
    const state = options.stateOf(position, row);
    const element = blank.cloneNode(true) as HTMLElement;
    element.classList.toggle('tnb-context', state.isContext);
    element.setAttribute('aria-rowindex', String(position + 2));
    element.setAttribute('aria-selected', String(selected));
    if (isTree) {
      element.setAttribute('aria-level', String(state.level));
      if (state.isOpen !== undefined) {
        element.setAttribute('aria-expanded', String(state.isOpen));
      }
    }
    element.style.top = `${position * ROW_HEIGHT}px`;
    (element.firstElementChild!.firstElementChild as HTMLInputElement).checked = selected;
    const cells = element.children;
    for (const [child, index] of cellColumns) {
      options.renderCell(cells[child] as HTMLElement, columns[index], row, position);
    }
    return element;
  }

  function draw(): void {
    isWide = width() >= PIN_FROM;
    const range = columnRange();
    const height = Math.max(ROW_HEIGHT, (element.clientHeight || ROWS_IN_SIGHT * ROW_HEIGHT) - options.headHeight);
    const first = Math.max(0, Math.floor(element.scrollTop / ROW_HEIGHT) - OVERSCAN);
    const last = Math.min(rows.length - 1, Math.ceil((element.scrollTop + height) / ROW_HEIGHT) - 1 + OVERSCAN);
    const now = `${range.join()}:${isPinned(0)}`;
    if (now !== window_) {
      window_ = now;
      drawn.clear();
      body.replaceChildren();
      drawHead(range);
      makeBlank(range);
    }
    for (const [position, row] of drawn) {
      if (position < first || position > last) {
        row.remove();
        drawn.delete(position);
      }
    }
    let before: HTMLElement | null = null;
    for (let position = last; position >= first; position--) {
      let row = drawn.get(position);
      if (!row) {
        row = drawRow(position);
        drawn.set(position, row);
        // Rows stand in the page in their order, for those who hear them read.
        body.insertBefore(row, before);
      }
      before = row;
    }
    if (first <= last) {
      options.onSight(rows.subarray(first, last + 1));
    }
    markActive();
  }

  function redraw(): void {
    window_ = '';
    draw();
    const chosen = rows.reduce((count, row) => count + Number(options.isSelected(row)), 0);
    all.checked = chosen > 0 && chosen === rows.length;
    all.indeterminate = chosen > 0 && chosen < rows.length;
  }

  function markActive(): void {
    body.querySelector('.tnb-active')?.classList.remove('tnb-active');
    const focused = (element.getRootNode() as Document | ShadowRoot).activeElement === element;
    const cell = focused ? drawn.get(active.row)?.querySelector<HTMLElement>(`[aria-colindex="${active.column + 2}"]`) : undefined;
    if (cell) {
      cell.classList.add('tnb-active');
      cell.id = `${prefix}-${active.row}-${active.column}`;
      options.onRow(rows[active.row], cell.parentElement!);
      element.setAttribute('aria-activedescendant', cell.id);
    } else {
      element.removeAttribute('aria-activedescendant');
    }
  }

  function reveal(): void {
    const top = active.row * ROW_HEIGHT;
    const height = element.clientHeight - options.headHeight;
    if (top < element.scrollTop) {
      element.scrollTop = top;
    } else if (top + ROW_HEIGHT > element.scrollTop + height) {
      element.scrollTop = top + ROW_HEIGHT - height;
    }
    if (!isPinned(active.column) && columns.length) {
      const fixed = isPinned(0) && pinned < columns.length ? lefts[pinned] : CHECK_WIDTH;
      const left = lefts[active.column];
      if (left - fixed < element.scrollLeft) {
        element.scrollLeft = left - fixed;
      } else if (left + columns[active.column].width > element.scrollLeft + element.clientWidth) {
        element.scrollLeft = left + columns[active.column].width - element.clientWidth;
      }
    }
    draw();
  }

  function onKey(event: KeyboardEvent): void {
    if (event.target !== element || !rows.length || event.altKey || event.metaKey) {
      return;
    }
    const page = Math.max(1, Math.floor(element.clientHeight / ROW_HEIGHT) - 2);
    const row = rows[active.row];
    const { isOpen } = options.stateOf(active.row, row);
    const unfolds = event.key === 'ArrowRight' && isOpen === false;
    if ((unfolds || (event.key === 'ArrowLeft' && isOpen === true)) && columns[active.column]?.kind === 'name') {
      event.preventDefault();
      event.stopPropagation();
      options.onFold(row, unfolds);
      return;
    }
    const moves: Record<string, [number, number]> = {
      ArrowDown: [1, 0],
      ArrowUp: [-1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      PageDown: [page, 0],
      PageUp: [-page, 0],
      Home: event.ctrlKey ? [-rows.length, -columns.length] : [0, -columns.length],
      End: event.ctrlKey ? [rows.length, columns.length] : [0, columns.length]
    };
    const move = moves[event.key];
    if (move) {
      active = {
        row: Math.max(0, Math.min(rows.length - 1, active.row + move[0])),
        column: Math.max(0, Math.min(columns.length - 1, active.column + move[1]))
      };
      reveal();
    } else if (event.key === ' ') {
      options.onToggle(row, !options.isSelected(row));
    } else if (event.key === 'Enter') {
      options.onOpen(row);
    } else if (event.ctrlKey || !options.onKey(event.key, row)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  const schedule = () => {
    if (!frame) {
      frame = requestAnimationFrame(() => {
        frame = 0;
        draw();
      });
    }
  };
  // One listener for all rows: they come and go while scrolling.
  const positionOf = (event: Event): number | undefined => {
    const row = (event.target as Element).closest?.('.tnb-row');
    const position = row ? Number(row.getAttribute('aria-rowindex')) - 2 : -1;
    return row && drawn.get(position) === row ? position : undefined;
  };
  const pointed = (event: Event): number | undefined => {
    const position = positionOf(event);
    if (position !== undefined) {
      options.onRow(rows[position], drawn.get(position)!);
    }
    return position;
  };
  body.addEventListener('pointerover', pointed);
  body.addEventListener('click', event => {
    active.row = pointed(event) ?? active.row;
  });
  body.addEventListener('change', event => {
    const position = positionOf(event);
    if (position !== undefined) {
      options.onToggle(rows[position], (event.target as HTMLInputElement).checked);
    }
  });
  element.addEventListener('scroll', schedule, { passive: true });
  element.addEventListener('keydown', onKey);
  element.addEventListener('focus', markActive);
  element.addEventListener('blur', markActive);
  const observer = typeof ResizeObserver === 'undefined' ? undefined : new ResizeObserver(schedule);
  observer?.observe(element);

  return {
    element,
    setColumns(next, pin, draws = true) {
      columns = next;
      pinned = pin;
      lefts = [];
      totalWidth = CHECK_WIDTH;
      for (const column of columns) {
        lefts.push(totalWidth);
        totalWidth += column.width;
      }
      body.style.width = `${totalWidth}px`;
      element.setAttribute('aria-colcount', String(columns.length + 1));
      active.column = Math.min(active.column, Math.max(0, columns.length - 1));
      if (draws) {
        redraw();
      }
    },
    setRows(next, tree, stay = false) {
      const before = rows[active.row];
      rows = next;
      isTree = tree;
      element.setAttribute('role', tree ? 'treegrid' : 'grid');
      active.row = stay ? Math.max(0, rows.indexOf(before)) : 0;
      // Two more pixels for the border, and room for a sideways scroll bar.
      element.style.maxHeight = `${ROWS_IN_SIGHT * ROW_HEIGHT + options.headHeight + 2}px`;
      body.style.height = `${rows.length * ROW_HEIGHT}px`;
      element.setAttribute('aria-rowcount', String(rows.length + 1));
      if (!stay) {
        element.scrollTop = 0;
      }
      redraw();
    },
    setSort(next) {
      sort = next;
    },
    refresh: redraw,
    destroy() {
      cancelAnimationFrame(frame);
      observer?.disconnect();
      drawn = new Map();
    }
  };
}
