// @vitest-environment jsdom
import { expect, it, vi } from 'vitest';
import { runSetOf } from './coordinates';
import { payload } from './data.fixture';
import { scatterView } from './scatter';

vi.hoisted(() => {
  const none = () => ({ matches: false, addEventListener() {}, removeEventListener() {} });
  Object.assign(globalThis, { matchMedia: none });
  Object.assign(window, { matchMedia: none });
});

HTMLCanvasElement.prototype.getContext = () => null;

it('keeps the run that is pointed at when the plot is laid out anew', () => {
  const onOpen = vi.fn();
  const plot = scatterView(runSetOf(payload().data, Date.now(), [0, 1, 2]), { onOpen });
  document.body.append(plot.element);
  const plane = plot.element.querySelector<HTMLElement>('.tnb-scatter')!;
  const press = (key: string) => plane.dispatchEvent(new KeyboardEvent('keydown', { key }));
  const tip = plot.element.querySelector<HTMLElement>('.tnb-tip')!;
  press('ArrowRight');
  const told = tip.textContent;
  plot.redraw();
  expect(tip.hidden).toBe(false);
  expect(tip.textContent).toBe(told);
  press('Enter');
  expect(onOpen).toHaveBeenCalledOnce();
});
