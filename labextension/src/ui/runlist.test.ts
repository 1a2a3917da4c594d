// @vitest-environment jsdom
import '../jsdom.fixture';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { NO_FILTERS, runListView, type RunFilters, type RunListState, type RunListView, type RunRow } from './runlist';

let filters: RunFilters;
let changes: RunFilters[];
let view: RunListView;

beforeEach(() => {
  vi.useFakeTimers();
  [filters, changes] = [NO_FILTERS, []];
  view = runListView({
    change(next) {
      filters = { ...filters, ...next };
      changes.push(filters);
      view.update(state({ filters }));
    },
    open: () => undefined,
    compare: () => undefined,
    dashboard: () => undefined,
    goToCell: () => undefined,
    star: async () => undefined,
    showMore: () => undefined
  });
  document.body.replaceChildren(view.element);
});

afterEach(() => {
  view.destroy();
  vi.useRealTimers();
});

function state(parts: Partial<RunListState> = {}): RunListState {
  return {
    filters, rows: [], more: false, loading: false, problem: '', stores: ['a.db'], likely: 'a.db', document: 'a.ipynb', experiments: [], ...parts
  };
}

function row(id: string, parts: Partial<RunRow> = {}): RunRow {
  return {
    id, name: id, status: 'FINISHED', running: false, start: 1, end: 2, experiment: 'taxi', color: 0, attempt: null, starred: false, alerts: 0,
    parent: null, metric: null, value: null, step: null, document: null, cell: '', count: '', ...parts
  };
}

const lines = () => [...view.element.querySelectorAll<HTMLElement>('.tnb-siderow')];
const nameOf = (line: HTMLElement) => line.querySelector('.tnb-sidename')!.textContent!;
const press = (text: string) => [...view.element.querySelectorAll('button')].find(item => item.textContent === text)!.click();

function write(text: string): HTMLInputElement {
  const query = view.element.querySelector<HTMLInputElement>('input[type=search]')!;
  query.focus();
  query.value = text;
  query.dispatchEvent(new Event('input'));
  return query;
}

it('asks a query once its writer pauses', () => {
  write('metrics.rmse');
  vi.advanceTimersByTime(200);
  write('metrics.rmse < 4');
  vi.advanceTimersByTime(1_000);

  expect(changes.map(item => item.query)).toEqual(['metrics.rmse < 4']);
});

it('asks what is still being written together with what is clicked', () => {
  const query = write('metrics.rmse < 4');
  press('All');
  vi.advanceTimersByTime(1_000);

  expect(changes).toEqual([{ ...NO_FILTERS, scope: 'all', query: 'metrics.rmse < 4' }]);
  expect(query.value).toBe('metrics.rmse < 4');
});

it('leaves a query alone while it is being written, and follows one that is set from elsewhere', () => {
  const query = write('metrics.rmse <');
  view.update(state({ filters }));
  expect(query.value).toBe('metrics.rmse <');
  vi.advanceTimersByTime(1_000);
  filters = NO_FILTERS;
  view.update(state({ filters }));

  expect(query.value).toBe('');
});

it('clears what is written too', () => {
  const query = write('metrics.rmse > 100');
  vi.advanceTimersByTime(1_000);
  write('metrics.rmse > 1000');
  press('Clear filters');
  vi.advanceTimersByTime(1_000);

  expect([query.value, filters.query, changes.length]).toEqual(['', '', 2]);
});

it('keeps ticks while runs come and go, and drops those of runs that went', () => {
  view.update(state({ rows: [row('a'), row('b'), row('c')] }));
  view.element.querySelectorAll<HTMLInputElement>('.tnb-siderow input').forEach(tick => tick.click());
  view.update(state({ rows: [row('a'), row('c'), row('d', { start: 5 })] }));

  expect(view.selected).toEqual(['a', 'c']);
  expect(lines().map(line => [nameOf(line), line.querySelector('input')!.checked])).toEqual([['d', false], ['a', true], ['c', true]]);
});
