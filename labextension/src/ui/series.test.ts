import { expect, it } from 'vitest';
import { align, curveOf, families, mergePoints } from './series';
import type { PanelRun, SeriesJson } from './types';

const series = (key: string, x: number[], y: SeriesJson['y']): SeriesJson => ({
  key, x, y, t: x.map(() => 0), last: y[y.length - 1], last_step: x[x.length - 1],
  min: 0, min_step: 0, max: 1, max_step: 0, count: x.length
});

it('puts train and val on one axis', () => {
  expect([...families(['train_loss', 'val_loss', 'loss', 'acc_test', 'acc'])]).toEqual([
    ['loss', ['train_loss', 'val_loss', 'loss']],
    ['acc', ['acc_test', 'acc']]
  ]);
});

it('merges points by run and key', () => {
  const runs: PanelRun[] = [];
  mergePoints(runs, { type: 'points', now: 5, runs: [{ id: 'a', name: 'n', append: [series('loss', [0], [1])] }] });
  mergePoints(runs, {
    type: 'points', now: 6, runs: [{ id: 'a', status: 'FINISHED', append: [series('loss', [1, 2], [0.5, 'NaN'])] }]
  });
  expect(runs).toHaveLength(1);
  expect(runs[0].status).toBe('FINISHED');
  expect(runs[0].name).toBe('n');
  expect(runs[0].series[0].x).toEqual([0, 1, 2]);
  expect(runs[0].series[0].y).toEqual([1, 0.5, 'NaN']);
});

it('bounds what it keeps, and keeps the last point', () => {
  const runs: PanelRun[] = [];
  const x = Array.from({ length: 9000 }, (_, i) => i);
  mergePoints(runs, { type: 'points', now: 0, runs: [{ id: 'a', append: [series('loss', [0], [0])] }] });
  mergePoints(runs, { type: 'points', now: 0, runs: [{ id: 'a', append: [series('loss', x, x)] }] });
  expect(runs[0].series[0].x.length).toBeLessThanOrEqual(8000);
  expect(runs[0].series[0].x.at(-1)).toBe(8999);
});

it('draws against the index when nobody gave steps', () => {
  expect(curveOf(series('a', [0, 0, 0], [3, 2, 1]))).toEqual({ x: [0, 1, 2], y: [3, 2, 1] });
});

it('sorts steps, takes the last value of a step, and leaves gaps for NaN', () => {
  expect(curveOf(series('a', [2, 1, 2, 3], [1, 5, 9, 'NaN']))).toEqual({ x: [1, 2, 3], y: [5, 9, null] });
});

it('aligns curves of different steps', () => {
  expect(align([{ x: [0, 2], y: [1, 2] }, { x: [1, 2], y: [3, 4] }])).toEqual([
    [0, 1, 2], [1, undefined, 2], [undefined, 3, 4]
  ]);
});

it('adds to a curve that grew, and makes it anew where points came out of order or were dropped', () => {
  const loss = series('loss', [0, 1], [3, 2]);
  const first = curveOf(loss);
  loss.x.push(2, 2);
  loss.y.push(1, 'NaN');
  expect(curveOf(loss)).toBe(first);
  expect(first).toEqual({ x: [0, 1, 2], y: [3, 2, null] });

  loss.x.push(1);
  loss.y.push(9);
  expect(curveOf(loss)).toEqual({ x: [0, 1, 2], y: [3, 9, null] });

  loss.x.splice(0, 5, 0, 4);
  loss.y.splice(0, 5, 3, 8);
  expect(curveOf(loss)).toEqual({ x: [0, 4], y: [3, 8] });
});

it('counts the points of a metric that was logged without steps, also while it grows', () => {
  const loss = series('loss', [0], [5]);
  expect(curveOf(loss)).toEqual({ x: [0], y: [5] });
  loss.x.push(0, 0);
  loss.y.push(6, 7);
  expect(curveOf(loss)).toEqual({ x: [0, 1, 2], y: [5, 6, 7] });
});
