/** Runs side by side: table, curves, parallel coordinates, scatter plot, and what changed in their code. */

import { CHANGES_CSS, changesView } from './changes';
import { factsOf, groupings, groupsOf, type Cell, type Fact } from './compared';
import { runSetOf } from './coordinates';
import { CURVES_CSS, curvesView, type CurveGroup, type CurveRun, type CurvesView } from './curves';
import { DIFF_CSS, diffCounts, diffLines, diffView, type DiffView } from './diff';
import { button, h, setText, statusMark, uniqueId } from './dom';
import { statusWord } from './format';
import { MARKS_CSS } from './marks';
import { pageFromRow } from './page';
import { OUTPUTS_CSS, outputsView } from './outputs';
import { PARALLEL_CSS, parallelView } from './parallel';
import { SCATTER_CSS, scatterView } from './scatter';
import { copyViewButton, viewLine } from './state';
import { makeTabs, TABS_CSS } from './tabs';
import { makeRoot, runColor } from './theme';
import type { ComparePayload, Host, RunPagePayload, View } from './types';

/** More rows than this are drawn when they are asked for. */
const ROWS = 200;
const CELL_LETTERS = 400;

const COMPARE_CSS = `
.tracknb-view .tnb-side { max-height: 560px; overflow: auto; border: 1px solid var(--tnb-line); }
.tracknb-view .tnb-side table { border-collapse: separate; border-spacing: 0; font-size: inherit; }
.tracknb-view .tnb-side th, .tracknb-view .tnb-side td { padding: 3px 24px 3px 8px; text-align: left; vertical-align: top; border: 0; border-bottom: 1px solid var(--tnb-line); background: var(--tnb-bg); max-width: 320px; min-width: 104px; font-weight: 400; overflow-wrap: break-word; }
.tracknb-view .tnb-side thead th { position: sticky; top: 0; z-index: 2; background: var(--tnb-bg2); font-weight: 600; }
.tracknb-view .tnb-side thead th .tnb-runname { display: flex; gap: 6px; align-items: center; min-width: 0; }
.tracknb-view .tnb-side thead th .tnb-runname button { font-weight: 600; }
.tracknb-view .tnb-side thead th label { font-weight: 400; font-size: 12px; line-height: 16px; color: var(--tnb-fg2); }
.tracknb-view .tnb-side thead th input { margin: 0; accent-color: var(--tnb-accent); }
.tracknb-view .tnb-side th:first-child { position: sticky; left: 0; z-index: 1; width: 1%; min-width: 120px; max-width: min(240px, 40vw); }
.tracknb-view .tnb-side thead th:first-child { z-index: 3; }
.tracknb-view .tnb-side tbody th:first-child { display: table-cell; padding-left: 24px; padding-right: 8px; text-indent: -16px; color: var(--tnb-fg2); }
.tracknb-view .tnb-side tbody tr.tnb-differs th:first-child { color: var(--tnb-fg); font-weight: 600; }
.tracknb-view .tnb-side tbody tr.tnb-differs td.tnb-other { background: var(--tnb-soft); }
.tracknb-view .tnb-side .tnb-ne { display: inline-block; width: 16px; text-indent: 0; color: var(--tnb-accent); font-weight: 700; }
.tracknb-view .tnb-side tr.tnb-sidehead th { padding: 8px 8px 2px; font-size: 12px; font-weight: 600; text-indent: 0; color: var(--tnb-fg2); }
.tracknb-view .tnb-side .tnb-factname { overflow: hidden; overflow-wrap: break-word; display: inline-block; vertical-align: top; text-indent: 0; max-width: min(190px, 34vw); max-height: 60px; }
.tracknb-view .tnb-side td.tnb-figure { font-variant-numeric: tabular-nums; white-space: nowrap; }
.tracknb-view .tnb-side td .tnb-mark { margin-right: 6px; vertical-align: baseline; }
.tracknb-view .tnb-side td small { display: block; font-size: 12px; line-height: 16px; color: var(--tnb-fg2); }
.tracknb-view .tnb-side td small.tnb-better { color: var(--tnb-ok); }
.tracknb-view .tnb-side td small.tnb-worse { color: var(--tnb-bad); }
.tracknb-view .tnb-side td b { font-weight: 700; }
.tracknb-view .tnb-columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 280px), 1fr)); gap: 8px; align-items: start; padding: 4px 0; }
.tracknb-view .tnb-columns h4 { margin: 0; font-size: 13px; line-height: 24px; overflow-wrap: anywhere; }
`;

interface Part {
  element: HTMLElement;
  redraw?(): void;
  destroy?(): void;
}

export function compareView(payload: ComparePayload, host: Host = {}): View {
  const shown = new Map<string, Part>();
  const root = makeRoot(
    () => shown.forEach(part => part.redraw?.()),
    TABS_CSS + COMPARE_CSS + CHANGES_CSS + CURVES_CSS + DIFF_CSS + MARKS_CSS + OUTPUTS_CSS + PARALLEL_CSS + SCATTER_CSS
  );
  const { data } = payload;
  const open = (row: number) => host.open?.({ page: 'run', id: data.id[row] }, knownPage(payload, row));
  const primary = payload.primary && data.metrics.some(item => item.key === payload.primary) ? `metric:${payload.primary}` : null;
  const set = runSetOf(data, payload.now, Array.from({ length: data.n }, (_, row) => row), payload.labels);

  // A part is made when it is looked at for the first time.
  const parts = new Map<string, [string, () => Part]>([['table', ['Table', () => sideBySide(payload, open)]]]);
  if (payload.curves.length) {
    parts.set('curves', ['Curves', () => curves(payload)]);
  }
  if (data.metrics.length + data.params.length > 1) {
    parts.set('parallel', ['Parallel coordinates', () => parallelView(set, { state: { color: primary }, onOpen: open })]);
    parts.set('scatter', ['Scatter', () => scatterView(set, { state: { y: primary }, onOpen: open })]);
  }
  if (new Set(payload.code.codes.filter(code => code >= 0)).size > 0) {
    parts.set('code', ['Code', () => code(payload)]);
  }
  if (host.ask && payload.outputs?.some(Boolean)) {
    parts.set('outputs', ['Outputs', () => outputs(payload, host)]);
  }

  const names = [...parts.keys()];
  const tabs = makeTabs('Comparison', names.map(name => [name, parts.get(name)![0]] as const), name => {
    if (!shown.has(name)) {
      const part = parts.get(name)![1]();
      shown.set(name, part);
      tabs.panels[name].append(part.element);
    }
  });

  function state(): Record<string, string> {
    return tabs.current === 'table' ? {} : { tab: tabs.current };
  }

  const copy = copyViewButton(() => viewLine('compare', { ...state(), ids: data.id.join(',') }));
  root.element.append(
    h(
      'div',
      { class: 'tnb-bar' },
      h('span', { class: 'tnb-title', title: payload.title }, payload.title),
      h('span', { class: 'tnb-quiet' }, `${data.n} runs compared`),
      ...(host.inside ? [] : [h('span', { class: 'tnb-push' }), copy])
    ),
    ...payload.warnings.map(text => h('div', { class: 'tnb-warning', role: 'note' }, h('b', {}, 'Warning: '), text)),
    ...changesView(payload.since),
    tabs.strip,
    ...names.map(name => tabs.panels[name]),
    h('div', { class: 'tnb-quiet' }, payload.note)
  );
  tabs.show(names.find(name => name === host.state?.tab) ?? 'table');
  return {
    element: root.element,
    state,
    destroy() {
      shown.forEach(part => part.destroy?.());
      root.destroy();
    }
  };
}

/** What a comparison knows of one run, for when no kernel tells more. */
function knownPage(payload: ComparePayload, row: number): RunPagePayload {
  const page = pageFromRow(payload.data, row);
  // Code of several cells is no cell's: it must not be put back as one.
  page.run.code = payload.code.several?.[payload.code.codes[row]] ? '' : (payload.code.dict[payload.code.codes[row]] ?? '');
  for (const curve of payload.curves) {
    const series = curve.runs.find(candidate => candidate.run === row);
    const at = page.run.series.findIndex(candidate => candidate.key === curve.key);
    if (series && at >= 0) {
      page.run.series[at] = { ...series, key: curve.key };
    }
  }
  return page;
}

/** The facts of the runs in columns, against a run that is chosen as the baseline. */
function sideBySide(payload: ComparePayload, open: (row: number) => void): { element: HTMLElement } {
  const { data } = payload;
  let baseline = 0;
  let everything = false;
  const name = uniqueId();
  const only = h('input', { type: 'checkbox' });
  only.checked = payload.onlyDifferences;
  only.addEventListener('change', draw);
  const search = h('input', { type: 'search', placeholder: 'Find a param, metric or tag', 'aria-label': 'Find a row' });
  search.addEventListener('input', draw);
  const count = h('span', { class: 'tnb-quiet tnb-num', role: 'status', 'aria-live': 'polite' });
  const body = h('tbody');
  const more = button('', () => {
    everything = true;
    draw();
  });
  const nothing = h('div', { class: 'tnb-empty', hidden: '' });

  const heads = Array.from({ length: data.n }, (_, row) => {
    const swatch = h('span', { class: 'tnb-swatch' });
    swatch.style.background = runColor(data.color[row]);
    const radio = h('input', { type: 'radio', name });
    radio.checked = row === 0;
    radio.addEventListener('change', () => {
      baseline = row;
      draw();
    });
    const label = payload.labels[row];
    radio.setAttribute('aria-label', `Compare with ${label}`);
    return h(
      'th',
      { scope: 'col', title: `${label}\n${statusWord(data.status[row])}\n${data.id[row]}` },
      h('span', { class: 'tnb-runname' }, statusMark(data.status[row]), swatch, button(label, () => open(row), { class: 'tnb-link' })),
      h('label', {}, radio, 'Baseline')
    );
  });
  const table = h('table', {}, h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, ''), ...heads)), body);
  const box = h('div', { class: 'tnb-side', tabindex: '0', role: 'region', 'aria-label': 'Runs side by side' }, table);

  function draw(): void {
    const facts = factsOf(payload, baseline);
    const words = search.value.trim().toLowerCase();
    const differing = facts.filter(fact => fact.differs);
    const wanted = (only.checked ? differing : facts).filter(fact => !words || fact.key.toLowerCase().includes(words));
    const rows = everything ? wanted : wanted.slice(0, ROWS);
    setText(count, `${differing.length} of ${facts.length} rows differ`);
    more.hidden = rows.length === wanted.length;
    setText(more, `Show ${wanted.length - rows.length} more rows`);
    nothing.hidden = wanted.length > 0;
    box.hidden = wanted.length === 0;
    setText(nothing, words ? 'No row has this name.' : 'The runs do not differ in anything that was logged.');
    const made: HTMLElement[] = [];
    let section = '';
    for (const fact of rows) {
      if (fact.section !== section) {
        section = fact.section;
        made.push(h('tr', { class: 'tnb-sidehead' }, h('th', { scope: 'rowgroup', colspan: String(data.n + 1) }, section)));
      }
      made.push(rowOf(fact, data.status));
    }
    body.replaceChildren(...made);
  }
  draw();
  return {
    element: h('div', {}, h('div', { class: 'tnb-bar' }, h('label', {}, only, 'Differences only'), search, count), box, nothing, more)
  };
}

function rowOf(fact: Fact, statuses: string[]): HTMLElement {
  const mark = h('span', { class: 'tnb-ne', ...(fact.differs ? { title: 'The runs differ in this' } : {}) }, fact.differs ? '≠' : '');
  const head = h('th', { scope: 'row', title: fact.key }, mark, h('span', { class: 'tnb-factname' }, fact.key));
  const cells = fact.cells.map((cell, row) => {
    // Measured values nearly always differ; how far is said beside them.
    const other = fact.differs && fact.other[row] && fact.kind !== 'number';
    const kind = [fact.kind === 'number' ? 'tnb-figure' : '', other ? 'tnb-other' : ''].filter(Boolean).join(' ');
    return h('td', { ...(kind ? { class: kind } : {}), ...(cell.title !== cell.text ? { title: cell.title } : {}) }, ...content(fact, cell, statuses[row]));
  });
  return h('tr', fact.differs ? { class: 'tnb-differs' } : {}, head, ...cells);
}

function content(fact: Fact, cell: Cell, status: string): (Node | string)[] {
  if (fact.kind === 'status') {
    return [statusMark(status), cell.text];
  }
  if (fact.kind !== 'number') {
    return [cell.text.length > CELL_LETTERS ? `${cell.text.slice(0, CELL_LETTERS - 1)}…` : cell.text];
  }
  const parts: (Node | string)[] = [cell.best ? h('b', { title: `${cell.title}, the best of these` }, `${cell.text} ★`) : cell.text];
  if (cell.delta && cell.delta.outcome !== 'equal') {
    const { outcome, text } = cell.delta;
    const word = outcome === 'unknown' ? '' : ` ${outcome}`;
    parts.push(h('small', { class: `tnb-${outcome}` }, `${text}${word}`));
  }
  return parts;
}

/** The runs' curves on shared axes; runs that are taken together are a mean with a band. */
function curves(payload: ComparePayload): { element: HTMLElement; redraw(): void; destroy(): void } {
  const { data } = payload;
  const runs: CurveRun[] = Array.from({ length: data.n }, (_, row) => ({
    id: data.id[row],
    name: payload.labels[row],
    color: data.color[row],
    start: data.start[row],
    series: payload.curves.flatMap(curve =>
      curve.runs.filter(series => series.run === row).map(series => ({ ...series, key: curve.key }))
    )
  }));
  const ways = groupings(payload);
  const select = h(
    'select',
    { 'aria-label': 'Runs taken together' },
    h('option', { value: '' }, 'Each run'),
    ...ways.map(way => h('option', { value: way.id }, way.label))
  );
  const groups = (): CurveGroup[] => {
    const way = ways.find(candidate => candidate.id === select.value);
    return way
      ? groupsOf(way, data.n).map(({ label, rows }, i) => ({ label, color: i, ids: rows.map(row => data.id[row]) }))
      : [];
  };
  const view: CurvesView = curvesView(runs);
  const note = h('span', { class: 'tnb-quiet' });
  select.addEventListener('change', () => {
    setText(note, select.value ? 'Mean, with one standard deviation to both sides' : '');
    view.update(runs, groups());
  });
  return {
    element: h('div', {}, h('div', { class: 'tnb-bar' }, h('label', {}, 'Show', select), note), view.element),
    redraw: view.redraw,
    destroy: view.destroy
  };
}

/** What the runs' cells displayed, a column each. */
function outputs(payload: ComparePayload, host: Host): Part {
  const views = payload.labels.flatMap((label, row) => {
    if (!payload.outputs?.[row]) {
      return [];
    }
    const swatch = h('span', { class: 'tnb-swatch' });
    swatch.style.background = runColor(payload.data.color[row]);
    const view = outputsView(payload.data.id[row], null, host, () => undefined);
    return [{ view, column: h('section', { 'aria-label': `Outputs of ${label}` }, h('h4', {}, swatch, ' ', label), view.element) }];
  });
  const element = h('div', { class: 'tnb-columns' }, ...views.map(({ column }) => column));
  return { element, destroy: () => views.forEach(({ view }) => view.destroy()) };
}

/** What changed in a run's code since another's. */
function code(payload: ComparePayload): { element: HTMLElement; destroy(): void } {
  const { codes, dict } = payload.code;
  const rows = codes.flatMap((found, row) => (found >= 0 ? [row] : []));
  let before = rows[0];
  let after = rows.find(row => codes[row] !== codes[before]) ?? rows[rows.length - 1];
  let view: DiffView | undefined;
  const place = h('div');
  const note = h('span', { class: 'tnb-quiet', role: 'status' });
  const choice = (label: string, chosen: number, onChange: (row: number) => void) => {
    const select = h('select', { 'aria-label': label }, ...rows.map(row => h('option', { value: String(row) }, `${payload.labels[row]} (version ${codes[row] + 1})`)));
    select.value = String(chosen);
    select.addEventListener('change', () => {
      onChange(Number(select.value));
      draw();
    });
    return h('label', {}, label, select);
  };

  function draw(): void {
    view?.destroy();
    const [old, now] = [dict[codes[before]], dict[codes[after]]];
    const { removed, added } = diffCounts(diffLines(old, now));
    const lines = (number: number) => `${number} ${number === 1 ? 'line' : 'lines'}`;
    setText(note, old === now ? 'The code is the same.' : `${lines(removed)} removed, ${lines(added)} added`);
    view = diffView(old, now, [payload.labels[before], payload.labels[after]]);
    place.replaceChildren(view.element);
  }
  draw();
  return {
    element: h(
      'div',
      {},
      h('div', { class: 'tnb-bar' }, choice('From', before, row => (before = row)), choice('To', after, row => (after = row)), note),
      place
    ),
    destroy: () => view?.destroy()
  };
}
