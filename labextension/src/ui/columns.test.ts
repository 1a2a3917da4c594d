import { expect, test } from 'vitest';
import { makeColumns, sortRows } from './columns';
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

  expect(labels(data())).toEqual(['Status', 'Run name', 'Start time', 'Duration', 'Evaluation Sets', 'Tags', 'rmse', 'rmse']);
  expect(labels(data({ lifecycle: ['active', 'deleted', 'active', 'active'] })).slice(3, 5)).toEqual(['Duration', 'Lifecycle']);
});

test('many params are hidden at first', () => {
  const params = Array.from({ length: 9 }, (_, i) => ({ key: `p${i}`, dict: ['1'], codes: [0, 0, 0, 0] }));

  expect(makeColumns(data({ params }), 5000).filter(column => column.group === 'Params' && column.visible)).toEqual([]);
});
