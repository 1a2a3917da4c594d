// @vitest-environment jsdom
import { expect, it, vi } from 'vitest';
import { compareFromRows } from './compared';
import { payload } from './data.fixture';
import type { ComparePayload } from './types';
import { createView } from './view';

// uPlot asks when it is imported, and jsdom has no such function.
vi.hoisted(() => {
  const none = () => ({ matches: false, addEventListener() {}, removeEventListener() {} });
  Object.assign(globalThis, { matchMedia: none });
  Object.assign(window, { matchMedia: none });
});

function comparison(): ComparePayload {
  return {
    ...compareFromRows(payload().data, [0, 3, 1]),
    directions: { rmse: 'lower' },
    code: { dict: ['lr = 0.1\nfit()', 'lr = 0.2\nfit()'], codes: [0, 1, 0] }
  };
}

function shown(made = comparison(), host = {}) {
  const view = createView(made, host);
  document.body.replaceChildren(view.element);
  const row = (key: string) => [...view.element.querySelectorAll('.tnb-side tbody tr')].find(tr => tr.querySelector('th')!.title === key);
  const tab = (name: string) => [...view.element.querySelectorAll<HTMLElement>('[role=tab]')].find(item => item.textContent === name)!;
  return { view, element: view.element, row, tab };
}

HTMLCanvasElement.prototype.getContext = () => null;

it('marks what differs by a sign, and says what is better in words', () => {
  const { element, row, view } = shown();
  expect(row('rmse')!.textContent).toContain('≠');
  expect(row('rmse')!.textContent).toContain('−2 (−66.7 %) better');
  expect(row('rmse')!.textContent).toContain('1 ★');
  expect(row('User')!.textContent).not.toContain('≠');
  expect(element.querySelector('img, script')).toBeNull();
  expect(element.textContent).toContain('<img src=x onerror=alert(1)>');
  view.destroy();
});

it('hides what all share, and compares with another run', () => {
  const { element, row } = shown();
  const box = element.querySelector<HTMLInputElement>('input[type=checkbox]')!;
  box.click();
  expect(row('User')).toBeUndefined();
  expect(row('rmse')).toBeDefined();

  element.querySelectorAll<HTMLInputElement>('input[type=radio]')[1].click();
  expect(row('rmse')!.textContent).toContain('+2 (+200 %) worse');
});

it('shows warnings, and opens a run by its name', () => {
  const open = vi.fn();
  const { element } = shown(comparison(), { open });
  expect(element.querySelector('.tnb-warning')!.textContent).toContain('not evaluated on one evaluation set');
  element.querySelectorAll<HTMLElement>('.tnb-side .tnb-link')[1].click();
  const [target, known] = open.mock.calls[0];
  expect(target).toEqual({ page: 'run', id: 'd' });
  expect([known.kind, known.run.name, known.run.code]).toEqual(['run', 'four', 'lr = 0.2\nfit()']);
});

it('moves between tabs with the arrow keys, and shows the changed line', () => {
  const { element, tab } = shown();
  expect([...element.querySelectorAll('[role=tab]')].map(item => item.textContent)).toEqual([
    'Table', 'Parallel coordinates', 'Scatter', 'Code'
  ]);
  tab('Table').focus();
  tab('Table').dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }));
  expect(document.activeElement).toBe(tab('Code'));
  expect(tab('Code').getAttribute('aria-selected')).toBe('true');
  expect([...element.querySelectorAll('.tnb-diff mark')].map(mark => mark.textContent)).toEqual(['1', '2']);
  expect(element.querySelector('.tnb-diff')!.closest('[role=tabpanel]')!.textContent).toContain('1 line removed, 1 line added');
});

it('keeps a range of an axis by keys, and takes it back', () => {
  const { element, tab } = shown();
  tab('Parallel coordinates').click();
  const count = () => element.querySelector('[role=tabpanel]:not([hidden]) [role=status]')!.textContent;
  expect(count()).toBe('3 runs');
  const rail = [...element.querySelectorAll<HTMLElement>('.tnb-rail')].find(item => item.getAttribute('aria-label') === 'Range of rmse')!;
  rail.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }));
  // What lacks the value lies in no range of it.
  expect(count()).toBe('1 of 3 runs');
  expect(rail.getAttribute('aria-valuetext')).toBe('0 to 95 percent of the axis');
  rail.dispatchEvent(new KeyboardEvent('keydown', { key: 'Delete', bubbles: true }));
  expect(count()).toBe('3 runs');
});

it('opens at the tab that was left open, and at the table where that is missing', () => {
  const { view, tab } = shown(comparison(), { open: vi.fn() });
  expect(view.state!()).toEqual({});
  tab('Scatter').click();
  expect(view.state!()).toEqual({ tab: 'scatter' });

  const again = shown({ ...comparison(), state: view.state!() });
  expect(again.tab('Scatter').getAttribute('aria-selected')).toBe('true');
  // These runs logged no curves.
  const without = shown({ ...comparison(), state: { tab: 'curves' } });
  expect(without.tab('Table').getAttribute('aria-selected')).toBe('true');
});
