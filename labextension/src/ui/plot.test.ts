// @vitest-environment jsdom
import { expect, it, vi } from 'vitest';
import { axes, noteNothing } from './plot';

// uPlot asks for it as soon as it is imported, and jsdom has none.
vi.hoisted(() => {
  window.matchMedia = (() => ({ matches: false, addEventListener() {}, removeEventListener() {} })) as never;
});

it('says over a plot that there is nothing to draw, until there is', () => {
  const box = document.createElement('div');
  noteNothing(box, [[null, undefined], []]);
  expect(box.dataset.note).toBe('No finite value');

  noteNothing(box, [[null, 0]]);
  expect(box.dataset.note).toBeUndefined();
});

it('has steps between ticks for every size of number', () => {
  const steps = axes(document.body, false)[1].incrs as number[];

  expect(steps.every((step, i) => i === 0 || step > steps[i - 1])).toBe(true);
  expect([steps[0], steps[steps.length - 1]]).toEqual([1e-308, 5e307]);
});
