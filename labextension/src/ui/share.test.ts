import { expect, it } from 'vitest';
import { payload } from './data.fixture';
import { rowsOf, trendOf } from './share';

it('takes the metric that most runs have, and shares the data', () => {
  const runs = payload();
  runs.data.metrics.unshift({ key: 'a', values: [1, null, null, null] });
  const trend = trendOf(runs);
  expect([trend.kind, trend.metric]).toEqual(['trend', 'rmse']);
  expect(trend.data).toBe(runs.data);
  expect(trendOf(runs, 'a').metric).toBe('a');
});

it('leaves archived runs out', () => {
  const runs = payload();
  Object.assign(runs.data, { archived: [1], starred: [0, 1, 3] });
  const { data, total } = trendOf(runs);
  expect([data.n, total, data.id, data.tags.codes, data.metrics[0].values, data.params[0].codes]).toEqual([
    3, 3, ['a', 'c', 'd'], [[0], [0, 2], []], [3, 'NaN', 1], [0, -1, 0]
  ]);
  expect(data.tags.dict).toEqual(runs.data.tags.dict);
  expect(data).toMatchObject({ archived: [], starred: [0, 2] });
});

it('keeps the columns where there are as many as rows', () => {
  const { data } = payload();
  data.metrics = [0, 1, 2, 3].map(key => ({ key: String(key), values: [key, key, key, key] }));
  expect(rowsOf(data, [2]).metrics.map(({ values }) => values)).toEqual([[0], [1], [2], [3]]);
});
