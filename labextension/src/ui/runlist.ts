/** The list of runs in a side panel: two lines a run, the newest first, live. */

import { button, copyLine, h, iconButton, setText, statusMark } from './dom';
import { formatAge, formatAgo, formatDuration, formatNumber, formatTime, fullNumber, statusWord, toNumber } from './format';
import { nest, unfolded, type NestedRow } from './nesting';
import { makeRoot, runColor } from './theme';
import type { JsonNumber } from './types';

/** A run as the server's list has it. */
export interface RunRow {
  id: string;
  name: string;
  status: string;
  running: boolean;
  start: number;
  end: number | null;
  experiment: string;
  color: number;
  attempt: number | null;
  starred: boolean;
  alerts: number;
  parent: string | null;
  /** The metric that counts most, its last value, and while it runs the step. */
  metric: string | null;
  value: JsonNumber;
  step: number | null;
  /** The notebook, by its path below the server's folder; null if it lies elsewhere. */
  document: string | null;
  cell: string;
  count: string;
}

/** What the runs of one cell came to. */
export interface CellRuns {
  runs: number;
  /** There are older runs that were not counted. */
  isCut: boolean;
  running: boolean;
  status: string;
  metric: string | null;
  last: JsonNumber;
  best: JsonNumber;
}

/** Which runs are shown. */
export interface RunFilters {
  /** Those of the notebook that is open, or all. */
  scope: 'notebook' | 'all';
  query: string;
  experiment: string;
  starred: boolean;
  /** The id of a cell; empty for all. */
  cell: string;
  /** A store that somebody chose; empty for the one that the notebook uses. */
  store: string;
}

export const NO_FILTERS: RunFilters = { scope: 'notebook', query: '', experiment: '', starred: false, cell: '', store: '' };

/** All that the list shows. */
export interface RunListState {
  filters: RunFilters;
  rows: readonly RunRow[];
  more: boolean;
  /** The rows, if any, answer what was asked before. */
  loading: boolean;
  /** What went wrong, for people. */
  problem: string;
  stores: readonly string[];
  /** The store that the open notebook uses. */
  likely: string | null;
  /** The open notebook, by its path; empty where there is none. */
  document: string;
  experiments: readonly string[];
}

export interface RunListHost {
  change(filters: Partial<RunFilters>): void;
  open(run: RunRow): void;
  compare(ids: string[]): void;
  dashboard(): void;
  goToCell(run: RunRow): void;
  star(run: RunRow, on: boolean): Promise<void>;
  showMore(): void;
}

export interface RunListView {
  element: HTMLElement;
  /** The runs that are ticked, as far as they are in the list. */
  readonly selected: string[];
  update(state: RunListState): void;
  destroy(): void;
}

const CSS = `
.tracknb-view.tnb-runlist { display: flex; flex-direction: column; height: 100%; padding: 0; overflow: hidden; }
.tracknb-view .tnb-listhead { flex: none; padding: 8px; border-bottom: 1px solid var(--tnb-line); display: flex; flex-direction: column; gap: 4px; }
.tracknb-view .tnb-listhead .tnb-bar { padding: 0; flex-wrap: nowrap; }
.tracknb-view .tnb-listhead select, .tracknb-view .tnb-listhead input[type=search] { flex: none; width: 100%; min-width: 0; max-width: none; }
.tracknb-view .tnb-scope { display: flex; flex: 1; }
.tracknb-view .tnb-scope button { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; }
.tracknb-view .tnb-scope button + button { margin-left: -1px; }
.tracknb-view .tnb-scope button[aria-pressed=true] { background: var(--tnb-soft); border-color: var(--tnb-accent); position: relative; font-weight: 600; }
.tracknb-view .tnb-sidelist { flex: 1; overflow: auto; margin: 0; padding: 0; list-style: none; }
.tracknb-view .tnb-sidelist[aria-busy=true] { opacity: .5; transition: opacity .1s .3s; }
.tracknb-view .tnb-siderow { display: grid; grid-template-columns: 14px 10px minmax(0, 1fr) auto 24px; column-gap: 6px; align-items: center; padding: 4px 4px 4px 8px;
  border-bottom: 1px solid var(--tnb-line); content-visibility: auto; contain-intrinsic-size: auto 49px; }
.tracknb-view .tnb-siderow:hover { background: var(--tnb-bg2); }
.tracknb-view .tnb-siderow[data-depth='1'] { padding-left: 24px; }
.tracknb-view .tnb-siderow[data-depth='2'] { padding-left: 40px; }
.tracknb-view .tnb-siderow .tnb-sidefold { grid-column: 1; grid-row: 2; margin-left: -3px; }
.tracknb-view .tnb-sidefold .tnb-icon { width: 14px; height: 14px; }
.tracknb-view .tnb-sidefold[aria-expanded=true] .tnb-icon { transform: rotate(90deg); }
.tracknb-view button.tnb-sidename { border: 0; background: none; padding: 0; height: 20px; text-align: left; overflow: hidden; text-overflow: ellipsis; }
.tracknb-view button.tnb-sidename:hover { background: none; text-decoration: underline; }
.tracknb-view .tnb-sidevalue { font-variant-numeric: tabular-nums; text-align: right; }
.tracknb-view .tnb-sidesub { grid-column: 3 / 5; display: flex; gap: 0 8px; align-items: center; color: var(--tnb-fg2); font-size: 12px; line-height: 16px; overflow: hidden; white-space: nowrap; }
.tracknb-view .tnb-sidesub span { flex: none; max-width: 100%; overflow: hidden; text-overflow: ellipsis; }
.tracknb-view .tnb-sidesub span.tnb-quiet { flex: 0 1 auto; min-width: 32px; }
.tracknb-view .tnb-sidesub span.tnb-place { flex: 0 1000 auto; min-width: 0; }
.tracknb-view .tnb-sidesub .tnb-alerted { color: var(--tnb-bad); }
.tracknb-view .tnb-siderow .tnb-swatch { width: 10px; height: 10px; margin: 0; }
.tracknb-view .tnb-siderow .tnb-goto { grid-column: 5; grid-row: 2; }
.tracknb-view .tnb-siderow .tnb-iconbutton { width: 20px; height: 20px; }
.tracknb-view .tnb-sidemore { padding: 8px; text-align: center; }
.tracknb-view .tnb-sidefoot { flex: none; display: flex; gap: 4px; align-items: center; padding: 4px 8px; border-top: 1px solid var(--tnb-line); color: var(--tnb-fg2); white-space: nowrap; }
.tracknb-view .tnb-sidefoot > span { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; }
.tracknb-view .tnb-sidefoot button { flex: none; padding: 0 6px; color: var(--tnb-fg); }
.tracknb-view.tnb-runlist .tnb-empty { padding: 16px 8px; border: 0; display: flex; flex-direction: column; align-items: flex-start; gap: 8px; }
.tracknb-view.tnb-runlist .tnb-copy { flex-wrap: wrap; }
.tracknb-view.tnb-runlist .tnb-code { overflow-wrap: anywhere; white-space: normal; }
`;

/** How long a person may pause while writing a query. */
const PAUSE = 300;
/** How often "2 minutes ago" is looked at. */
const CLOCK = 30_000;

interface Line {
  element: HTMLLIElement;
  tick: HTMLInputElement;
  update(nested: NestedRow): void;
}

export function runListView(host: RunListHost): RunListView {
  const root = makeRoot(undefined, CSS);
  root.element.classList.add('tnb-runlist');
  let state: RunListState | undefined;
  const ticked = new Set<string>();
  const lines = new Map<string, Line>();
  let asked = '';
  let pause = 0;

  /** What is still being written is asked as well: no click may lose it. */
  function change(filters: Partial<RunFilters>): void {
    clearTimeout(pause);
    const next = { query: query.value.trim(), ...filters };
    asked = next.query;
    host.change(next);
  }
  // What somebody folded or unfolded; the rest is folded, unless a filter looks for single runs.
  const folds = new Map<string, boolean>();
  const isOpen = (id: string) => folds.get(id) ?? (state?.filters.query !== '' || state.filters.starred);
  let total = 0;

  // -- the head ---------------------------------------------------------------------------

  const store = h('select', { 'aria-label': 'Store' });
  store.addEventListener('change', () => change({ store: store.value }));
  const scopes = (['notebook', 'all'] as const).map(scope =>
    button(scope === 'notebook' ? 'Notebook' : 'All', () => change({ scope, cell: '' }))
  );
  const star = iconButton('star', 'Only runs with your star', () => change({ starred: !state?.filters.starred }));
  const query = h('input', {
    type: 'search',
    placeholder: 'metrics.rmse < 4',
    title: "Such as: metrics.rmse < 4 and params.model = 'ridge'",
    'aria-label': 'Filter runs',
    spellcheck: 'false',
    autocomplete: 'off'
  });
  query.addEventListener('input', () => {
    clearTimeout(pause);
    pause = window.setTimeout(() => change({}), PAUSE);
  });
  query.addEventListener('keydown', event => {
    if (event.key === 'Enter') {
      change({});
    } else if (event.key === 'ArrowDown') {
      event.preventDefault();
      list.querySelector<HTMLElement>('.tnb-sidename')?.focus();
    }
  });
  const experiment = h('select', { 'aria-label': 'Experiment' });
  experiment.addEventListener('change', () => change({ experiment: experiment.value }));
  const cell = button('', () => change({ cell: '' }), { class: 'tnb-chip', title: 'Show the runs of all cells again' });
  const problem = h('div', { role: 'alert', class: 'tnb-problem' });
  problem.style.color = 'var(--tnb-bad)';
  problem.style.whiteSpace = 'pre-wrap';
  problem.style.overflowWrap = 'anywhere';
  // The mark below a query stands under its letter.
  problem.style.fontFamily = 'var(--jp-code-font-family, monospace)';

  // -- the rows ---------------------------------------------------------------------------

  const list = h('ul', { class: 'tnb-sidelist', 'aria-label': 'Runs' });
  const empty = h('div', { class: 'tnb-empty', role: 'status' });
  const more = h('li', { class: 'tnb-sidemore' }, button('Show more', () => host.showMore()));
  list.addEventListener('keydown', event => {
    const names = [...list.querySelectorAll<HTMLElement>('.tnb-sidename')];
    const at = names.indexOf(event.target as HTMLElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const isRight = event.key === 'ArrowRight';
    if (at < 0 || (!step && !isRight && event.key !== 'ArrowLeft')) {
      return;
    }
    event.preventDefault();
    if (step) {
      (names[at + step] ?? (step < 0 ? query : names[at])).focus();
      return;
    }
    const fold = names[at].closest('li')?.querySelector<HTMLElement>('.tnb-sidefold:not([hidden])');
    if (fold?.getAttribute('aria-expanded') === String(!isRight)) {
      fold.click();
    }
  });

  function unfold(id: string, on: boolean): void {
    folds.set(id, on);
    drawRows();
  }

  function makeLine(first: RunRow): Line {
    let row = first;
    const tick = h('input', { type: 'checkbox' });
    tick.addEventListener('change', () => {
      ticked[tick.checked ? 'add' : 'delete'](row.id);
      drawFoot();
    });
    const mark = h('span');
    const swatch = h('span', { class: 'tnb-swatch' });
    swatch.style.background = runColor(row.color);
    const name = button('', () => host.open(row), { class: 'tnb-sidename' });
    const value = h('span', { class: 'tnb-sidevalue' });
    const starred = iconButton('star', '', () => {
      starred.disabled = true;
      void host.star(row, !row.starred).finally(() => (starred.disabled = false));
    });
    const quiet = () => h('span', { class: 'tnb-quiet' });
    const [alerts, metric, when, nested, place] = [h('span', { class: 'tnb-alerted' }), quiet(), h('span'), h('span'), h('span', { class: 'tnb-place' })];
    const fold = iconButton('right', '', () => unfold(row.id, !isOpen(row.id)), { class: 'tnb-iconbutton tnb-sidefold' });
    const goTo = iconButton('target', '', () => host.goToCell(row), { class: 'tnb-iconbutton tnb-goto' });
    const sub = h('div', { class: 'tnb-sidesub' }, swatch, alerts, metric, nested, when, place);
    const element = h('li', { class: 'tnb-siderow' }, tick, mark, name, value, starred, fold, sub, goTo);
    let status = '';
    return {
      element,
      tick,
      update({ row: next, depth, under, above }) {
        row = next;
        const word = statusWord(row.status);
        if (status !== row.status) {
          status = row.status;
          mark.replaceChildren(statusMark(row.status), h('span', { class: 'tnb-sr' }, word));
          mark.title = word;
        }
        element.dataset.depth = String(Math.min(depth, 2));
        fold.hidden = under === 0;
        fold.setAttribute('aria-expanded', String(isOpen(row.id)));
        fold.setAttribute('aria-label', `Runs nested in ${row.name}`);
        fold.title = isOpen(row.id) ? 'Fold what is nested in it (←)' : 'Show what is nested in it (→)';
        setText(nested, under ? `${under} nested` : '');
        setText(name, row.name);
        name.title = `${row.name}\n${word}, ${formatTime(row.start)}`;
        tick.setAttribute('aria-label', `Select ${row.name}`);
        tick.checked = ticked.has(row.id);
        const number = toNumber(row.value);
        setText(value, formatNumber(number));
        value.title = row.metric === null ? '' : `${row.metric}: ${fullNumber(number)}`;
        setText(alerts, row.alerts ? (row.alerts === 1 ? '1 alert' : `${row.alerts} alerts`) : '');
        metric.title = row.metric ?? '';
        setText(metric, [row.metric, row.step !== null && `step ${row.step}`].filter(Boolean).join(' · '));
        const again = row.attempt && row.attempt > 1 ? `#${row.attempt} ` : '';
        // The mark says already that it is running, and the step needs the room.
        setText(when, again + (!row.running ? formatAge(row.end ?? row.start, Date.now()) : row.step === null ? 'running' : ''));
        when.title = row.running || row.end === null ? formatTime(row.start) : `${formatAgo(row.end, Date.now())}: ${formatTime(row.start)}, took ${formatDuration(row.end - row.start)}`;
        const isKnown = (state?.experiments.length ?? 0) < 2 || state?.filters.experiment || row.experiment === above?.experiment;
        setText(place, isKnown ? '' : row.experiment);
        place.title = `Experiment ${row.experiment}`;
        for (const part of [alerts, metric, when, nested, place]) {
          part.hidden = part.textContent === '';
        }
        const pressed = String(row.starred);
        if (starred.getAttribute('aria-pressed') !== pressed) {
          starred.setAttribute('aria-pressed', pressed);
          starred.querySelector('svg')?.classList.toggle('tnb-filled', row.starred);
        }
        starred.setAttribute('aria-label', `Star of ${row.name}`);
        starred.title = row.starred ? 'Take your star off' : 'Give it your star';
        goTo.hidden = !row.cell;
        goTo.setAttribute('aria-label', `Go to the cell of ${row.name}`);
        goTo.title = row.count ? `Go to its cell [${row.count}]` : 'Go to its cell';
      }
    };
  }

  function drawRows(): void {
    const { filters } = state!;
    const rows = state!.rows.filter(row => !filters.cell || row.cell === filters.cell);
    const there = new Set(rows.map(row => row.id));
    ticked.forEach(id => there.has(id) || ticked.delete(id));
    total = rows.length;
    const seen = unfolded(nest(rows), isOpen);
    const wanted = new Set(seen.map(each => each.row.id));
    for (const [id, line] of lines) {
      if (!wanted.has(id)) {
        line.element.remove();
        lines.delete(id);
      }
    }
    let before: Element | null = null;
    for (const nested of seen) {
      const { row } = nested;
      const line: Line = lines.get(row.id) ?? makeLine(row);
      lines.set(row.id, line);
      line.update(nested);
      // Only what is out of place is moved: a row that has the focus keeps it.
      const next: Element | null = before ? before.nextElementSibling : list.firstElementChild;
      if (next !== line.element) {
        list.insertBefore(line.element, next);
      }
      before = line.element;
    }
    list.append(more);
  }

  // -- the foot ---------------------------------------------------------------------------

  const count = h('span', { role: 'status' });
  const compare = button('Compare', () => host.compare([...ticked]), { class: 'tnb-push' });
  const dashboard = button('Dashboard', () => host.dashboard(), { title: 'Experiments, runs, trend and comparison in a tab' });

  function drawFoot(): void {
    setText(count, ticked.size ? `${ticked.size} selected` : total ? `${total}${state?.more ? '+' : ''} ${total === 1 ? 'run' : 'runs'}` : '');
    dashboard.disabled = !state?.filters.store && (state?.likely ?? null) === null;
    compare.disabled = ticked.size < 2;
    compare.title = compare.disabled ? 'Tick two or more runs' : 'Compare the ticked runs in a tab';
  }

  function drawHead(now: RunListState): void {
    const { filters } = now;
    fill(store, [['', now.likely === null ? 'No store yet' : now.likely], ...now.stores.filter(key => key !== now.likely).map(key => [key, key] as const)], filters.store);
    store.title = filters.store || now.likely || '';
    store.hidden = now.stores.length < 2;
    scopes[0].disabled = !now.document;
    scopes[0].title = now.document ? `Runs of ${now.document}` : 'No notebook is open';
    scopes[1].title = 'Runs of the whole store';
    scopes.forEach((scope, at) => scope.setAttribute('aria-pressed', String((at === 0) === (filters.scope === 'notebook' && now.document !== ''))));
    star.setAttribute('aria-pressed', String(filters.starred));
    star.querySelector('svg')?.classList.toggle('tnb-filled', filters.starred);
    fill(experiment, [['', 'All experiments'], ...now.experiments.map(name => [name, name] as const)], filters.experiment);
    experiment.hidden = now.experiments.length < 2 && !filters.experiment;
    const count = now.rows.find(row => row.cell === filters.cell)?.count;
    setText(cell, count ? `Cell [${count}] ×` : 'One cell ×');
    cell.hidden = !filters.cell;
    if (filters.query !== asked) {
      clearTimeout(pause);
      query.value = asked = filters.query;
    }
    setText(problem, now.problem);
    problem.hidden = !now.problem;
  }

  function clear({ scope, store }: RunFilters): void {
    query.value = '';
    change({ ...NO_FILTERS, scope, store });
  }

  function drawEmpty(now: RunListState): void {
    empty.hidden = lines.size > 0 || now.problem !== '';
    if (!empty.hidden) {
      empty.replaceChildren(...words(now, () => clear(now.filters), () => change({ scope: 'all' })));
    }
  }

  const clock = window.setInterval(() => {
    if (state && !document.hidden) {
      drawRows();
    }
  }, CLOCK);

  root.element.append(
    h(
      'div',
      { class: 'tnb-listhead' },
      store,
      h('div', { class: 'tnb-bar' }, h('div', { class: 'tnb-scope', role: 'group', 'aria-label': 'Runs of' }, ...scopes), star),
      query,
      experiment,
      h('div', {}, cell),
      problem
    ),
    empty,
    list,
    h('div', { class: 'tnb-sidefoot' }, count, compare, dashboard)
  );
  cell.hidden = experiment.hidden = store.hidden = problem.hidden = more.hidden = true;
  drawFoot();

  return {
    element: root.element,
    get selected() {
      return [...ticked];
    },
    update(next) {
      state = next;
      more.hidden = !next.more;
      drawHead(next);
      drawRows();
      drawFoot();
      drawEmpty(next);
      list.setAttribute('aria-busy', String(next.loading));
    },
    destroy() {
      clearInterval(clock);
      clearTimeout(pause);
      root.destroy();
    }
  };
}

/** What an empty list says: why, and what to do next. */
function words(now: RunListState, clear: () => void, all: () => void): Node[] {
  const { filters } = now;
  if (now.loading) {
    return [h('div', {}, 'Loading runs …')];
  }
  if (filters.query || filters.starred || filters.experiment || filters.cell) {
    return [h('div', {}, 'No run matches.'), button('Clear filters', clear)];
  }
  const line = copyLine('%%track_run --experiment my-experiment');
  const isOneOf = filters.scope === 'notebook' && now.document && now.likely !== null;
  return [
    h('div', {}, isOneOf ? 'This notebook has no runs yet. Run this line once:' : 'No runs yet. Run this line once in a notebook:'),
    copyLine('%load_ext tracknb'),
    h('div', {}, 'Then put this one at the top of a cell, and run it:'),
    line,
    ...(isOneOf ? [button('Show all runs', all)] : [])
  ];
}

/** Give a select its options, if they are others than it has. */
function fill(select: HTMLSelectElement, options: readonly (readonly [string, string])[], value: string): void {
  const key = JSON.stringify(options);
  if (select.dataset.options !== key) {
    select.dataset.options = key;
    select.replaceChildren(...options.map(([id, label]) => h('option', { value: id }, label)));
  }
  select.value = value;
  if (select.value !== value) {
    // Chosen once, and no longer there.
    select.append(h('option', { value }, value));
    select.value = value;
  }
}
