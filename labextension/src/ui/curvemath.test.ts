import { expect, it } from 'vitest';
import { aligned, bandOf, elapsedTick, forLog, lineOf, nearestIndex, smoothed, spreadOf, valueAt } from './curvemath';
import type { SeriesJson } from './types';

const series = (x: number[], y: SeriesJson['y'], t = x.map(step => 1000 * step)): SeriesJson => ({
  key: 'loss', x, y, t, last: 0, last_step: 0, min: 0, min_step: 0, max: 0, max_step: 0, count: x.length
});

it('draws against steps, wall time and time since the start', () => {
  const given = series([0, 10], [3, 2], [61_000, 65_000]);
  expect(lineOf(given, 'step', 60_000).x).toEqual([0, 10]);
  expect(lineOf(given, 'wall', 60_000).x).toEqual([61, 65]);
  expect(lineOf(given, 'relative', 60_000).x).toEqual([1, 5]);
  expect(lineOf(given, 'relative', null).x).toEqual([0, 4]);
});

it('counts the points when nobody gave steps, sorts, and takes the last value of a step', () => {
  expect(lineOf(series([0, 0, 0], [3, 2, 1]), 'step', null).x).toEqual([0, 1, 2]);
  expect(lineOf(series([2, 1, 2], [1, 5, 9]), 'step', null)).toEqual({ x: [1, 2], y: [5, 9], odd: new Map() });
});

it('leaves a gap for what is not finite, and says what it was', () => {
  const line = lineOf(series([0, 1, 2, 3], [1, 'NaN', 'Infinity', 2]), 'step', null);
  expect(line.y).toEqual([1, null, null, 2]);
  expect([...line.odd]).toEqual([[1, NaN], [2, Infinity]]);
});

it('smooths as TensorBoard does: no pull to zero at the beginning, constants stay', () => {
  expect(smoothed([1, 2, 4], 0)).toEqual([1, 2, 4]);
  const [a, b, c] = smoothed([1, 2, 4], 0.5) as number[];
  expect(a).toBe(1);
  expect(b).toBeCloseTo((1 * 0.25 + 2 * 0.5) / 0.75, 12);
  expect(c).toBeCloseTo((1 * 0.125 + 2 * 0.25 + 4 * 0.5) / 0.875, 12);
  expect(smoothed([7, 7, null, 7], 0.9)).toEqual([7, 7, null, 7]);
  expect(smoothed([1, null, 2], 0.5)[1]).toBeNull();
});

it('puts lines on one axis', () => {
  expect(aligned([{ x: [0, 2], y: [1, null] }, { x: [1, 2], y: [3, 4] }])).toEqual({
    x: [0, 1, 2], columns: [[1, undefined, null], [undefined, 3, 4]]
  });
});

it('rounds the places of very many curves to what a screen can show', () => {
  const lines = Array.from({ length: 10 }, (_, i) => {
    const x = Array.from({ length: 1000 }, (_, k) => k + i / 10);
    return { x, y: x };
  });
  const { x, columns } = aligned(lines, 50_000);
  expect(x.length).toBeLessThanOrEqual(4001);
  expect(columns.every(column => column.filter(value => value !== undefined).length === 1000)).toBe(true);
});

it('makes a band of mean and deviation (n − 1) where runs have points', () => {
  const band = bandOf([{ x: [0, 1, 2], y: [1, 2, 3] }, { x: [0, 2], y: [3, 5] }, { x: [2, 3], y: [7, 1] }]);
  expect(band.x).toEqual([0, 1, 2, 3]);
  expect(band.n).toEqual([2, 2, 3, 1]);
  expect(band.mean).toEqual([2, 3, 5, 1]);
  expect(band.high![0]).toBeCloseTo(2 + Math.SQRT2, 12);
  expect(band.low![2]).toBeCloseTo(3, 12);
  expect([band.low[3], band.high[3]]).toEqual([1, 1]);
  expect(spreadOf([])).toEqual({});
});

it('reads a value between points only', () => {
  const line = { x: [0, 2, 4], y: [0, 2, null] };
  expect([valueAt(line, 1), valueAt(line, 2), valueAt(line, 3), valueAt(line, 5)]).toEqual([1, 2, undefined, undefined]);
});

it('finds the point under the pointer, and none beyond the end of a curve', () => {
  const x = [0, 1, 2, 3, 10];
  expect(nearestIndex(x, [5, undefined, undefined, 6, undefined], 1)).toBe(0);
  expect(nearestIndex(x, [5, undefined, undefined, 6, undefined], 2)).toBe(3);
  expect(nearestIndex(x, [5, undefined, undefined, 6, undefined], 4)).toBeUndefined();
  expect(nearestIndex(x, [undefined, 5, 6, 6, 6], 0, 1)).toBe(1);
});

it('has no place for zero on a log scale', () => {
  expect(forLog([1, 0, -2, null, undefined])).toEqual([1, null, null, null, undefined]);
});

it('writes elapsed times short', () => {
  expect([0, 90, 1500, 10_800, 200_000].map(elapsedTick)).toEqual(['0 s', '90 s', '25 min', '3 h', '2.315 d']);
});
