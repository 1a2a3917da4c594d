import { expect, it } from 'vitest';
import { compareFromRows, deltaOf, factsOf, groupings, groupsOf, labelsOf } from './compared';
import { bandOf } from './curvemath';
import { payload } from './data.fixture';
import type { ComparePayload } from './types';

function comparison(): ComparePayload {
  return {
    ...compareFromRows(payload().data, [0, 3, 1]),
    directions: { rmse: 'lower' },
    facts: [{ section: 'environment', key: 'python', dict: ['3.12.1'], codes: [0, 0, 0] }],
    code: { dict: ['a', 'b'], codes: [0, 1, -1] }
  };
}
const fact = (key: string, baseline = 0) => factsOf(comparison(), baseline).find(found => found.key === key)!;

it('says how far a value is from the baseline, and whether that is better', () => {
  expect(deltaOf(4, 5, 'lower')).toEqual({ text: '−1 (−20 %)', outcome: 'better' });
  expect(deltaOf(4, 5, 'higher')).toEqual({ text: '−1 (−20 %)', outcome: 'worse' });
  expect(deltaOf(-4, -5, 'higher')).toEqual({ text: '+1 (+20 %)', outcome: 'better' });
  expect(deltaOf(1, 0, undefined)).toEqual({ text: '+1', outcome: 'unknown' });
  expect(deltaOf(5, 5, 'lower')).toEqual({ text: '=', outcome: 'equal' });
  expect(deltaOf(NaN, 5, 'lower')).toBeUndefined();
  expect(deltaOf(1, undefined, 'lower')).toBeUndefined();
});

it('marks the facts in which runs differ, and the best value', () => {
  const rmse = fact('rmse');
  expect(rmse.cells.map(cell => cell.text)).toEqual(['3', '1', '']);
  expect(rmse.cells.map(cell => cell.best)).toEqual([false, true, false]);
  expect(rmse.cells[1].delta).toEqual({ text: '−2 (−66.7 %)', outcome: 'better' });
  expect(fact('rmse', 1).cells[0].delta).toEqual({ text: '+2 (+200 %)', outcome: 'worse' });
  expect([fact('lr').differs, fact('lr').other]).toEqual([true, [false, false, true]]);
  expect(fact('lr', 2).other).toEqual([true, true, false]);
  expect(fact('Python').differs).toBe(false);
  // Times always differ, which tells nothing.
  expect(fact('Start').differs).toBe(false);
  expect(fact('Cell').cells.map(cell => cell.text)).toEqual(['Version 1', 'Version 2', '']);
});

it('keeps the sections in order', () => {
  const sections = [...new Set(factsOf(comparison(), 0).map(found => found.section))];
  expect(sections).toEqual(['Metrics', 'Params', 'Tags', 'Evaluation', 'Run', 'Environment', 'Code']);
});

it('takes rows out of a table in the order asked', () => {
  const made = compareFromRows(payload().data, [2, 0]);
  expect(made.data.id).toEqual(['c', 'a']);
  expect(made.data.metrics).toEqual([{ key: 'rmse', values: ['NaN', 3] }]);
  expect(made.data.params[0].codes).toEqual([-1, 0]);
  expect(made.data.tags.codes).toEqual([[0, 2], [0]]);
  expect(made.warnings).toHaveLength(1);
  expect(compareFromRows(payload().data, [0, 0]).warnings).toHaveLength(0);
});

it('takes rows of typed columns and of marks', () => {
  const { data } = payload();
  const made = compareFromRows({ ...data, start: new Float64Array([4, 3, 2, 1]), starred: [1, 3] } as never, [3, 1]);
  expect(made.data.start).toEqual([1, 3]);
  expect((made.data as unknown as { starred: number[] }).starred).toEqual([1, 0]);
});

it('tells runs of one name apart', () => {
  const { data } = payload();
  expect(labelsOf({ ...data, name: ['a', 'a', 'b', 'b'], attempt: [1, 2, null, null] })).toEqual(['a #1', 'a #2', 'b (1)', 'b (2)']);
});

it('takes seeds of the same params together', () => {
  const { data } = payload();
  const params = [
    { key: 'lr', dict: ['0.1', '0.2'], codes: [0, 0, 1, 1] },
    { key: 'seed', dict: ['1', '2'], codes: [0, 1, 0, 1] }
  ];
  const made = { ...comparison(), data: { ...data, params }, facts: [], code: { dict: [], codes: [] } };
  const found = groupings(made).find(grouping => grouping.id === 'seeds')!;
  expect(found.label).toBe('Same params but for seed');
  expect(groupsOf(found, 4)).toEqual([
    { label: 'lr=0.1', rows: [0, 1] },
    { label: 'lr=0.2', rows: [2, 3] }
  ]);
  expect(groupings(made).map(grouping => grouping.id)).toContain('param:lr');
});

it('draws the mean and deviation that SciPy gives', () => {
  // scipy.stats.describe([[1, 2, 4, 7, 11], [.5, .25, .125, .0625, .03125]], axis=1): mean and sqrt(variance)
  const lines = [[1, 0.5], [2, 0.25], [4, 0.125], [7, 0.0625], [11, 0.03125]].map(y => ({ x: [0, 1], y }));
  const band = bandOf(lines);
  expect(band.mean[0]).toBeCloseTo(5.0, 12);
  expect(band.high[0]! - band.mean[0]!).toBeCloseTo(4.06201920231798, 12);
  expect(band.mean[1]).toBeCloseTo(0.19375, 12);
  expect(band.high[1]! - band.mean[1]!).toBeCloseTo(0.19059938352471134, 12);
});
