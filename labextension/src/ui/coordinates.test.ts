import { expect, it, vi } from 'vitest';
import { axisColumns, coloringOf, distanceTo, linearTicks, logTicks, scaleOf, telling, viridis, wantsLog, within, type RunSet } from './coordinates';
import { makeColumns } from './columns';
import { payload } from './data.fixture';

vi.hoisted(() => {
  Object.assign(globalThis, { matchMedia: () => ({ matches: false, addEventListener() {}, removeEventListener() {} }) });
});

function runs(): RunSet {
  const { data, now } = payload();
  return {
    columns: makeColumns(data, now),
    rows: [0, 1, 2, 3],
    id: row => data.id[row],
    name: row => data.name[row],
    color: row => data.color[row]
  };
}
const column = (id: string) => runs().columns.find(candidate => candidate.id === id)!;

it('puts numbers on a line, and what is missing or NaN nowhere', () => {
  const scale = scaleOf(column('metric:rmse'), [0, 1, 2, 3]);
  expect([0, 1, 2, 3].map(row => scale.at(row))).toEqual([1, undefined, undefined, 0]);
  expect(scale.ticks.map(tick => tick.text)).toEqual(['1', '3']);
});

it('puts powers of ten at equal distances on a logarithmic axis', () => {
  const values = [0.001, 0.03, 1, 0.002, 0.004, 0.05, 0.06, 0.2, 0.3];
  const made = { ...column('metric:rmse'), value: (row: number) => values[row] };
  const scale = scaleOf(made, [0, 1, 2, 3, 4, 5, 6, 7, 8], true);
  // numpy: (log10(0.03) - log10(0.001)) / (log10(1) - log10(0.001))
  expect(scale.at(1)).toBeCloseTo(0.4923737515732208, 12);
  expect(scale.ticks.map(tick => tick.text)).toEqual(['0.001', '0.01', '0.1', '1']);
});

it('names the values themselves where they are few', () => {
  const made = { ...column('metric:rmse'), value: (row: number) => [2, 4, 8, 16][row] };
  expect(scaleOf(made, [0, 1, 2, 3]).ticks.map(tick => tick.text)).toEqual(['2', '4', '8', '16']);
});

it('asks for a logarithm where a param covers powers of ten', () => {
  const param = (value: (row: number) => number | undefined) => ({ ...column('param:lr'), value });
  expect(wantsLog(param(row => [0.0001, 0.1][row]), [0, 1])).toBe(true);
  expect(wantsLog(param(row => [0, 0.1][row]), [0, 1])).toBe(false);
  expect(wantsLog(param(row => [1, 4][row]), [0, 1])).toBe(false);
});

it('offers no logarithm where a value is zero or below', () => {
  const made = { ...column('metric:rmse'), value: (row: number) => row - 1 };
  const scale = scaleOf(made, [0, 1, 2], true);
  expect([scale.canLog, scale.log]).toEqual([false, false]);
  expect(scale.at(1)).toBe(0.5);
});

it('gives words places of equal distance', () => {
  const made = { ...column('param:lr'), kind: 'text' as const, value: (row: number) => ['adam', 'sgd', 'lion', undefined][row] };
  const scale = scaleOf(made, [0, 1, 2, 3]);
  expect([0, 1, 2, 3].map(row => scale.at(row))).toEqual([0, 1, 0.5, undefined]);
});

it('chooses round ticks and keeps the ends', () => {
  expect(linearTicks(0.13, 0.97)).toEqual([0.13, 0.4, 0.6, 0.8, 0.97]);
  expect(linearTicks(3, 3)).toEqual([3]);
  expect(logTicks(0.002, 700)).toEqual([0.002, 0.01, 1, 100, 700]);
});

it('chooses what differs, params before metrics', () => {
  expect(telling(runs().columns, [0, 1, 2, 3], 6).map(found => found.id)).toEqual(['param:lr', 'metric:rmse']);
  expect(telling(runs().columns, [0], 6)).toEqual([]);
  expect(axisColumns(runs().columns).some(found => found.id === 'run:name')).toBe(false);
});

it('agrees with matplotlib on viridis', () => {
  // matplotlib.colormaps['viridis'](x) in 8 bits; a straight line between tenths is off by 2 at most.
  const known: [number, number[]][] = [
    [0, [68, 1, 84]], [0.25, [59, 82, 139]], [0.33, [49, 103, 142]], [0.5, [33, 145, 140]], [1, [253, 231, 37]]
  ];
  for (const [share, color] of known) {
    viridis(share).forEach((channel, i) => expect(Math.abs(channel - color[i])).toBeLessThanOrEqual(2));
  }
});

it('colours by a number, by a word, or by the run', () => {
  const set = runs();
  expect(coloringOf(set, undefined, false).kind).toBe('run');
  const range = coloringOf(set, scaleOf(column('metric:rmse'), set.rows), false);
  expect(range.color(3)).toBe('rgb(68, 1, 84)');
  expect(range.color(1)).toBe('#888888');
  expect([range.legend[0].text, range.legend[4].text]).toEqual(['1', '3']);
  const words = coloringOf(set, scaleOf(column('run:status'), set.rows), false);
  expect(words.legend.map(entry => entry.text)).toEqual(['Failed', 'Finished', 'Running']);
  expect(words.color(0)).toBe(words.color(3));
});

it('keeps the rows that lie in every range', () => {
  const set = runs();
  const scales = new Map(['metric:rmse', 'param:lr'].map(id => [id, scaleOf(column(id), set.rows)]));
  expect(within(set.rows, scales, new Map())).toEqual([0, 1, 2, 3]);
  expect(within(set.rows, scales, new Map([['metric:rmse', [0, 0.4]]]))).toEqual([3]);
  expect(within(set.rows, scales, new Map([['param:lr', [0.9, 1]], ['metric:rmse', [0.9, 1]]]))).toEqual([0]);
});

it('measures how far a point is from a line', () => {
  expect(distanceTo(0, 1, -1, 0, 1, 0)).toBe(1);
  expect(distanceTo(4, 4, 0, 0, 1, 0)).toBe(5);
});
