// @vitest-environment jsdom
import { expect, it, vi } from 'vitest';
import { payload } from './data.fixture';
import { MOST_DRAWN, tablePlot } from './tableplot';
import type { RunsPayload, View, ViewState } from './types';
import { createView } from './view';

// uPlot asks when it is imported, and jsdom has no such function.
vi.hoisted(() => {
  const none = () => ({ matches: false, addEventListener() {}, removeEventListener() {} });
  Object.assign(globalThis, { matchMedia: none });
  Object.assign(window, { matchMedia: none });
});

HTMLCanvasElement.prototype.getContext = () => null;

function shown(given: RunsPayload = payload(), state: ViewState = {}) {
  const view: View = createView({ ...given, state }, { open: vi.fn() });
  document.body.replaceChildren(view.element);
  const press = (name: string) => [...view.element.querySelectorAll<HTMLElement>('button')].find(item => item.textContent === name)!;
  const plot = () => view.element.querySelector<HTMLElement>('.tnb-tableplot')!;
  const tick = (row: number) => view.element.querySelectorAll<HTMLInputElement>('.tnb-row input')[row].click();
  return { view, press, plot, tick, said: () => plot().querySelector('.tnb-quiet')!.textContent };
}

it('draws the runs that the filters leave, or those that are ticked', () => {
  const { view, press, tick, said } = shown();
  press('Plot').click();
  expect(press('Plot').getAttribute('aria-expanded')).toBe('true');
  expect(said()).toBe('4 runs in the table. Filters and ticks choose which.');
  view.element.querySelector<HTMLElement>('[data-chip="tags:0"]')!.click();
  expect(said()).toBe('2 runs in the table. Filters and ticks choose which.');
  tick(0);
  tick(1);
  expect(said()).toBe('2 runs ticked');
});

it('says what is missing where there are too few runs or nothing to draw', () => {
  const { press, plot, tick } = shown();
  press('Plot').click();
  tick(0);
  expect(plot().querySelector('.tnb-empty:not([hidden])')!.textContent).toBe(
    'A plot needs two runs or more. Tick another run, or none to draw all that the filters leave.'
  );
  tick(0);
  expect(plot().querySelector('[role=tabpanel]:not([hidden])')).not.toBeNull();

  const one = payload();
  one.data.n = 1;
  const alone = shown(one);
  alone.press('Plot').click();
  expect(alone.plot().querySelector('.tnb-empty')!.textContent).toBe('A plot needs two runs or more.');

  const bare = payload();
  bare.data.metrics = [];
  bare.data.params = [];
  const other = shown(bare);
  other.press('Plot').click();
  expect(other.plot().textContent).toContain('These runs have no params and metrics to draw.');
});

it('opens again as it was left', () => {
  const { view, press, plot } = shown(payload(), { chart: 'scatter' });
  expect(plot().querySelector('[role=tab][aria-selected=true]')!.textContent).toBe('Scatter');
  expect(view.state!()).toMatchObject({ chart: 'scatter' });
  press('Plot').click();
  expect(plot().hidden).toBe(true);
  expect(view.state!()).not.toHaveProperty('chart');
});

it('draws so many runs that it stays quick, and says which', () => {
  const { data } = payload();
  const rows = Uint32Array.from({ length: 10_000 }, (_, i) => i % 4);
  const plot = tablePlot(data, 0, () => ({ rows, ticked: false }), () => undefined, null);
  plot.show('parallel');

  expect(MOST_DRAWN).toBe(2_000);
  expect(plot.element.textContent).toContain(
    'The first 2,000 of 10,000 runs in the table are drawn, in the order of the table. Filter, sort or tick to choose others.'
  );
  expect(plot.element.querySelector('[role=status]')!.textContent).toBe('2,000 runs');
});
