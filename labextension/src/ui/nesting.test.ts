import { expect, it } from 'vitest';
import { nest, unfolded } from './nesting';
import type { RunRow } from './runlist';

function row(id: string, start: number, parent: string | null = null): RunRow {
  return {
    id,
    name: id,
    status: 'FINISHED',
    running: false,
    start,
    end: start,
    experiment: 'taxi',
    color: 0,
    attempt: null,
    starred: false,
    alerts: 0,
    parent,
    metric: null,
    value: null,
    step: null,
    document: null,
    cell: '',
    count: ''
  };
}

const drawn = (rows: ReturnType<typeof nest>) => rows.map(each => `${' '.repeat(each.depth)}${each.row.id}`);

it('runs lie under the run that they are nested in, the newest first', () => {
  const rows = [row('b', 2, 'sweep'), row('sweep', 1), row('deep', 5, 'b'), row('alone', 4), row('c', 3, 'sweep')];

  const nested = nest(rows);

  expect(drawn(nested)).toEqual(['alone', 'sweep', ' c', ' b', '  deep']);
  expect(nested.map(each => each.under)).toEqual([0, 3, 0, 1, 0]);
});

it('a run whose parent is not in the list is a top, and so is one of a circle', () => {
  expect(drawn(nest([row('orphan', 1, 'gone')]))).toEqual(['orphan']);
  expect(drawn(nest([row('a', 1, 'b'), row('b', 2, 'a')]))).toEqual(['b', ' a']);
});

it('what is folded is not seen', () => {
  const nested = nest([row('sweep', 1), row('b', 2, 'sweep'), row('deep', 5, 'b'), row('last', 0)]);

  expect(drawn(unfolded(nested, () => false))).toEqual(['sweep', 'last']);
  expect(drawn(unfolded(nested, id => id === 'sweep'))).toEqual(['sweep', ' b', 'last']);
  expect(drawn(unfolded(nested, () => true))).toEqual(['sweep', ' b', '  deep', 'last']);
});
