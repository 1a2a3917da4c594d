// @vitest-environment jsdom
import { expect, it } from 'vitest';
import { makeColumns } from './columns';
import { payload } from './data.fixture';
import { createGrid } from './grid';

it('keeps its columns while it is out of the page', () => {
  const { data } = payload();
  data.metrics = Array.from({ length: 20 }, (_, i) => ({ key: `m${i}`, values: [1, 2, 3, 4] }));
  const none = () => undefined;
  const grid = createGrid({
    label: 'Runs', headHeight: 28, headExtra: none, renderCell: none, stateOf: () => ({ level: 1, isOpen: undefined, isContext: false }),
    isSelected: () => false, onToggle: none, onToggleAll: none, onSort: none, onOpen: none, onFold: none, onResize: none,
    onKey: () => false, onRow: none, onSight: none
  });
  let width = 2_000;
  Object.defineProperty(grid.element, 'clientWidth', { get: () => width });
  grid.setColumns(makeColumns(data, 0), 0);
  grid.setRows(Uint32Array.from([0, 1, 2, 3]), false);
  const heads = () => grid.element.querySelectorAll('[role=columnheader]').length;
  const before = heads();

  width = 0;
  grid.refresh();
  expect(heads()).toBe(before);
  width = 400;
  grid.refresh();
  expect(heads()).toBeLessThan(before);
});
