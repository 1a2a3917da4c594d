import { expect, it } from 'vitest';
import { makeColumns, sortRows } from './columns';
import { payload } from './data.fixture';
import { emptyFilter, filterRows } from './filter';
import { evaluate } from './matching';
import { numberAt, Rows, timeAt } from './rundata';
import { parseFilter } from './search';
import type { Answer } from './types';

/** An answer of the kernel as `chunk` in table.py makes it, for two runs. */
function answer(changes: object = {}): Answer {
  const numbers = Float64Array.of(900, 800, 950, 0, 7, NaN, 0, 5);
  const codes = Int32Array.of(0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 6, 7, -1, 2, 0, 1, 0, 0, 0, 1, -1, 0);
  const there = Uint8Array.of(1, 1, 1, 0, 1, 1, 0, 1);
  // As JupyterLab gives them: parts of one message, at any place in it.
  const odd = (bytes: ArrayBuffer) => {
    const message = new Uint8Array(bytes.byteLength + 3);
    message.set(new Uint8Array(bytes), 3);
    return new DataView(message.buffer, 3);
  };
  return {
    from: 4, n: 2, held: 6, view: payload().view, id: ['e', 'f'], name: ['five', 'six'],
    texts: {
      status: ['FINISHED', 'RUNNING'], lifecycle: ['active'], user: ['u'], experiment: ['taxi'],
      source: ['', 'b.ipynb'], group: [''], parent: [''], cell: ['']
    },
    starred: [1], pinned: [], archived: [0], tags: [[['team', 'x'], ['new', 'y']], []], evalSets: [['v2']],
    grades: [[], [['stale name', 'lr came from an older version of the cell [3].']]],
    metrics: ['rmse'], system: ['system/cpu'], params: [{ key: 'lr', dict: ['0.02'] }],
    buffers: [odd(numbers.buffer), odd(codes.buffer), odd(there.buffer)],
    ...changes
  };
}

it('adds rows of the kernel to those of the output', () => {
  const { data, now, view } = payload();
  const rows = new Rows(data, view, 6);
  expect(rows.isWhole).toBe(false);

  expect(rows.add(answer())).toBe(true);

  expect(rows.isWhole).toBe(true);
  expect(data.name).toEqual(['one', '<img src=x onerror=alert(1)>', 'three', 'four', 'five', 'six']);
  expect(data.metrics.map(metric => [0, 1, 2, 3, 4, 5].map(row => numberAt(metric, row)))).toEqual([[3, undefined, NaN, 1, 7, NaN]]);
  expect(numberAt(data.system![0], 5)).toBe(5);
  expect([0, 2, 4, 5].map(row => timeAt(data.end, row))).toEqual([5000, undefined, 950, undefined]);
  expect([data.source[4], data.status[5], data.color[5], data.attempt[4], data.attempt[5]]).toEqual(['', 'RUNNING', 7, null, 2]);
  expect(data.tags.codes.slice(3)).toEqual([[], [2, 3], []]);
  expect(data.evalSets.codes[5]).toEqual([1]);
  expect(data.grades!.codes).toEqual([[], [], [], [], [], [0]]);
  expect(Array.from(data.params[0].codes)).toEqual([0, 1, -1, 0, -1, 1]);
  expect([data.starred, data.archived]).toEqual([[5], [4]]);

  const column = makeColumns(data, now).find(candidate => candidate.id === 'metric:rmse')!;
  expect([...sortRows(Uint32Array.of(0, 1, 2, 3, 4, 5), column, true)]).toEqual([4, 0, 3, 2, 5, 1]);
  expect([...evaluate(parseFilter('metrics.rmse IS NULL or end_time IS NULL'), data)]).toEqual([0, 1, 1, 0, 0, 1]);
  expect([...filterRows(data, { ...emptyFilter(), text: 'lr=0.02' })]).toEqual([1, 5]);
});

it('tells where the next part begins only where the rows are those it has', () => {
  const { data, view } = payload();
  const rows = new Rows(data, view, 9);

  expect(rows.after(answer({ held: 9 }))).toBe(6);
  expect(rows.after(answer({ held: 6 }))).toBe(undefined);
  expect(rows.after(answer({ held: 9, view: 'other' }))).toBe(undefined);
  expect(rows.after(answer({ held: 9, from: 0 }))).toBe(undefined);
  expect(rows.after(answer({ held: 9, n: 0 }))).toBe(undefined);
});

it('begins anew where a restarted kernel holds other runs', () => {
  const { data, view } = payload();
  const rows = new Rows(data, view, 6);

  expect(rows.add(answer({ view: 'other', held: 2 }))).toBe(false);
  expect([data.n, rows.view, rows.isWhole]).toEqual([0, 'other', false]);
  rows.add(answer({ view: 'other', from: 0, held: 2 }));

  expect([data.n, rows.isWhole, data.name]).toEqual([2, true, ['five', 'six']]);
});
