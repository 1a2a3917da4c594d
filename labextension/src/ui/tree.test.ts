import { expect, it } from 'vitest';
import { payload } from './data.fixture';
import { makeTree, placeRows, withAncestors } from './tree';
import type { RunData } from './types';

const runs = (changes: Partial<RunData>): RunData => ({ ...payload().data, ...changes });
const ALL = Uint32Array.of(0, 1, 2, 3);
const never = () => false;
const always = () => true;

it('is not there where nothing is nested', () => {
  expect(makeTree(runs({}))).toBeUndefined();
  expect(makeTree(runs({ parent: ['gone', 'b', '', ''] }))).toBeUndefined();
});

it('folds children, and keeps the order of siblings', () => {
  const tree = makeTree(runs({ parent: ['c', '', '', 'c'] }))!;
  const order = Uint32Array.of(3, 2, 1, 0);

  expect(placeRows(tree, order, never, never)).toEqual({ rows: Uint32Array.of(2, 1), levels: Uint8Array.of(1, 1) });
  expect(placeRows(tree, order, always, never)).toEqual({ rows: Uint32Array.of(2, 3, 0, 1), levels: Uint8Array.of(1, 2, 2, 1) });
});

it('keeps the parents of what a filter finds, and pinned runs at the top', () => {
  const tree = makeTree(runs({ parent: ['b', 'c', '', ''] }))!;

  expect([...withAncestors(tree, Uint32Array.of(0), never)]).toEqual([0, 1, 2]);
  expect([...withAncestors(tree, Uint32Array.of(0), row => row === 1)]).toEqual([0, 1]);
  expect([...placeRows(tree, ALL, always, row => row === 1).rows]).toEqual([1, 0, 2, 3]);
});

it('puts earlier attempts of a cell under the newest one, and no runs of one attempt', () => {
  const tree = makeTree(runs({ group: ['g', 'g', 'g', 'h'], attempt: [2, 2, 1, 1] }))!;

  expect([...tree.parentOf]).toEqual([-1, -1, 0, -1]);
  expect([...tree.isEarlier]).toEqual([0, 0, 1, 0]);
  expect(makeTree(runs({ group: ['g', 'g', 'g', 'h'], attempt: [1, 1, 1, 1] }))).toBeUndefined();
});

it('loses no run where parents name each other', () => {
  const tree = makeTree(runs({ parent: ['b', 'a', 'd', 'a'] }))!;

  expect([...placeRows(tree, ALL, always, never).rows].sort()).toEqual([0, 1, 2, 3]);
});
