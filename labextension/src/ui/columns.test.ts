import { expect, test } from 'vitest';
import { barsPath, bestValue, histogram, makeColumns, naturalKey, sortRows, sparkPath } from './columns';
import { makeTree } from './tree';
import type { RunData } from './types';

function data(changes: Partial<RunData> = {}): RunData {
  return {
    n: 4,
    id: ['a', 'b', 'c', 'd'],
    name: ['one', 'two', 'three', 'four'],
    status: ['FINISHED', 'FINISHED', 'RUNNING', 'FAILED'],
    start: [1000, 2000, 3000, 4000],
    end: [1500, 2500, null, 4100],
    lifecycle: ['active', 'active', 'active', 'active'],
    user: ['adam', 'adam', 'adam', 'adam'],
    experiment: ['e', 'e', 'e', 'e'],
    source: ['', '', '', ''],
    color: [0, 1, 2, 3],
    group: ['', '', '', ''],
    attempt: [null, null, null, null],
    tags: { dict: [], codes: [[], [], [], []] },
    evalSets: { dict: [], codes: [[], [], [], []] },
    metrics: [{ key: 'rmse', values: [3, null, 'NaN', 1] }],
    params: [{ key: 'rmse', dict: ['10', '9'], codes: [0, 1, -1, 1] }],
    ...changes
  };
}

const ALL = Uint32Array.of(0, 1, 2, 3);

test('missing values come last in both directions, NaN just before them', () => {
  const column = makeColumns(data(), 5000).find(candidate => candidate.id === 'metric:rmse')!;

  expect([...sortRows(ALL, column, false)]).toEqual([3, 0, 2, 1]);
  expect([...sortRows(ALL, column, true)]).toEqual([0, 3, 2, 1]);
});

test('params that are all numbers sort as numbers', () => {
  const column = makeColumns(data(), 5000).find(candidate => candidate.id === 'param:rmse')!;

  expect([...sortRows(ALL, column, false)]).toEqual([1, 3, 0, 2]);
});

test('the columns stand in their fixed order; Lifecycle only where something is deleted', () => {
  const labels = (value: RunData) => makeColumns(value, 5000).filter(column => column.visible).map(column => column.label);

  expect(labels(data())).toEqual(['Status', 'Run name', 'Start time', 'Duration', 'rmse', 'rmse']);
  expect(labels(data({ lifecycle: ['active', 'deleted', 'active', 'active'] })).slice(3, 5)).toEqual(['Duration', 'Lifecycle']);
});

test('many params are hidden at first', () => {
  const params = Array.from({ length: 9 }, (_, i) => ({ key: `p${i}`, dict: ['1'], codes: [0, 0, 0, 0] }));

  expect(makeColumns(data({ params }), 5000).filter(column => column.group === 'Params' && column.visible)).toEqual([]);
});

const GRADED: Partial<RunData> = {
  grades: { dict: [['stale name', 'lr came from an older version.\nCommit.'], ['clean', ''], ['dirty git', 'Commit.']], codes: [[1], [], [0], [2]] }
};

test('grades are a column of the group System, shown where one of them needs a look, sorted from good to bad', () => {
  const column = makeColumns(data(GRADED), 5000).find(candidate => candidate.label === 'Grade')!;

  expect([column.group, column.visible]).toEqual(['System', true]);
  expect([0, 1, 2].map(row => column.title(row))).toEqual(['clean', '', 'stale name\nlr came from an older version.\nCommit.']);
  expect([...sortRows(ALL, column, false)]).toEqual([0, 3, 2, 1]);
  const calm = { dict: [['clean', ''], ['dirty git', 'Commit.']] as [string, string][], codes: [[0], [1], [0], [0]] };
  expect(makeColumns(data({ grades: calm }), 5000).find(candidate => candidate.label === 'Grade')!.visible).toBe(false);
});

const metricOf = (value: RunData, goals = {}) =>
  makeColumns(value, 5000, goals, makeTree(value)).find(candidate => candidate.id === 'metric:rmse')!;

test('texts order as people would: numbers by their size, letters whatever their case or accent', () => {
  const names = ['run-10', 'Run-2', 'alpha', 'Émile', 'fox', 'run-2'];
  expect([...names].sort((a, b) => (naturalKey(a) < naturalKey(b) ? -1 : 1))).toEqual(
    ['alpha', 'Émile', 'fox', 'Run-2', 'run-2', 'run-10']
  );
});

test('equal values keep the order given, both ways', () => {
  const column = metricOf(data({ metrics: [{ key: 'rmse', values: [2, 1, 2, 1] }] }));

  expect([...sortRows(ALL, column, false)]).toEqual([1, 3, 0, 2]);
  expect([...sortRows(ALL, column, true)]).toEqual([0, 2, 1, 3]);
});

test('the best value follows the direction; NaN is never it, and one value alone is no best', () => {
  const metrics = [{ key: 'rmse', values: [3, null, 'NaN' as const, 1] }];
  const all = () => true;

  expect(bestValue(metricOf(data({ metrics }), { directions: { rmse: 'lower' } }), 4, all)).toBe(1);
  expect(bestValue(metricOf(data({ metrics }), { directions: { rmse: 'higher' } }), 4, all)).toBe(3);
  expect(bestValue(metricOf(data({ metrics })), 4, all)).toBeUndefined();
  expect(bestValue(metricOf(data({ metrics }), { directions: { rmse: 'lower' } }), 4, row => row !== 3)).toBeUndefined();
});

test('a parent without a value shows and sorts by the best of its children', () => {
  const nested = data({ parent: ['', 'a', 'a', ''], metrics: [{ key: 'rmse', values: [null, 3, 2, 2.5] }] });
  const column = metricOf(nested, { directions: { rmse: 'lower' } });

  expect(column.text(0)).toBe('2');
  expect(column.title(0)).toBe('2\nBest of the runs nested in this one');
  expect(column.raw(0)).toBe('');
  expect([...sortRows(ALL, column, false)]).toEqual([0, 2, 3, 1]);
  expect(metricOf(nested).text(0)).toBe('');
});

test('each tag key may be a column, metrics of the machine too; the primary metric stands first', () => {
  const value = data({
    tags: { dict: [['stage', 'good'], ['team', 'x']], codes: [[0, 1], [1], [], []] },
    metrics: [{ key: 'acc', values: [1, 1, 1, 1] }, { key: 'rmse', values: [1, 1, 1, 1] }],
    system: [{ key: 'system/cpu', values: [5, null, null, null] }],
    source: ['a.ipynb', 'b.ipynb', '', ''],
    cell: ['3', '', '', '']
  });
  const columns = makeColumns(value, 5000, { primary: 'rmse', units: { rmse: '$' } });
  const at = (id: string) => columns.find(column => column.id === id)!;

  expect(columns.filter(column => column.group === 'Metrics').map(column => column.label)).toEqual(['rmse ($)', 'acc']);
  expect([at('tag:stage').text(0), at('tag:stage').text(1), at('tag:stage').visible]).toEqual(['good', '', false]);
  expect([at('system:system/cpu').text(0), at('system:system/cpu').visible]).toEqual(['5', false]);
  expect([at('run:source').text(0), at('run:source').visible]).toEqual(['a.ipynb [3]', true]);
});

test('a histogram counts what lies in each twelfth', () => {
  const column = metricOf(data({ metrics: [{ key: 'rmse', values: [0, 1, 12, 'NaN'] }] }));

  expect([...histogram(column, ALL.length)!]).toEqual([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  expect(histogram(metricOf(data({ metrics: [{ key: 'rmse', values: [1, 1, null, 1] }] })), ALL.length)).toBeUndefined();
  expect(barsPath(Uint32Array.of(1, 0, 100), 30, 10)).toBe('M0.0 10v-1h9.0v1zM20.0 10v-10h9.0v10z');
});

test('a small curve is lifted over what is missing', () => {
  expect(sparkPath('0 f', 60, 16)).toBe('M1.0 15.0M59.0 1.0');
  expect(sparkPath('', 60, 16)).toBe('');
});
