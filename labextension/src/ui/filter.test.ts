import { expect, it } from 'vitest';
import { makeColumns, sortRows } from './columns';
import { payload } from './data.fixture';
import { emptyFilter, filterRows, isFiltered, toggle } from './filter';

const { data, now } = payload();
const rows = (change: (state: ReturnType<typeof emptyFilter>) => void) => {
  const state = emptyFilter();
  change(state);
  return [...filterRows(data, state)];
};

it('several tags mean any of them, several sets too, both kinds both', () => {
  expect(rows(() => undefined)).toEqual([0, 1, 2, 3]);
  expect(rows(state => state.tags.add(0))).toEqual([0, 2]);
  expect(rows(state => state.tags.add(0).add(1))).toEqual([0, 1, 2]);
  expect(rows(state => state.evalSets.add(0).add(1))).toEqual([0, 1, 2]);
  expect(rows(state => (state.tags.add(0), state.evalSets.add(0)))).toEqual([0]);
});

it('every word must occur', () => {
  expect(rows(state => (state.text = 'LR=0.1 good'))).toEqual([0]);
});

it('filters by user and notebook, and by what the view adds', () => {
  const mixed = { ...data, user: ['u', 'v', 'u', 'v'], source: ['a', 'a', 'b', 'b'] };
  const state = emptyFilter();
  state.users.add('u');
  expect([...filterRows(mixed, state)]).toEqual([0, 2]);
  state.sources.add('b');
  expect([...filterRows(mixed, state)]).toEqual([2]);
  expect([...filterRows(mixed, emptyFilter(), row => row > 1)]).toEqual([2, 3]);
});

it('toggles, and knows what filters', () => {
  const state = emptyFilter();
  expect(isFiltered(state)).toBe(false);
  toggle(state.tags, 2);
  toggle(state.evalSets, 1);
  expect(isFiltered(state)).toBe(true);
  toggle(state.tags, 2);
  toggle(state.evalSets, 1);
  expect(isFiltered(state)).toBe(false);
});

it('sorts with what is missing last both ways', () => {
  const rmse = makeColumns(data, now).find(column => column.id === 'metric:rmse')!;
  const all = Uint32Array.from([0, 1, 2, 3]);
  expect([...sortRows(all, rmse, false)]).toEqual([3, 0, 2, 1]);
  expect([...sortRows(all, rmse, true)]).toEqual([0, 3, 2, 1]);
});

it('sorts numeric params as numbers', () => {
  const lr = makeColumns(data, now).find(column => column.id === 'param:lr')!;
  expect([...sortRows(Uint32Array.from([0, 1, 2, 3]), lr, false)]).toEqual([1, 0, 3, 2]);
});

it('hides params at first when there are many', () => {
  const many = { ...data, params: Array.from({ length: 7 }, (_, i) => ({ ...data.params[0], key: `p${i}` })) };
  expect(makeColumns(many, now).some(column => column.group === 'Params' && column.visible)).toBe(false);
  expect(makeColumns(data, now).some(column => column.group === 'Params' && column.visible)).toBe(true);
});
