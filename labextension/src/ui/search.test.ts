import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { beyond, beyondError, evaluate } from './matching';
import { closeMatch, FilterError, parseFilter } from './search';
import type { JsonNumber, RunData } from './types';

interface CorpusRun {
  name: string;
  start: number;
  end: number | null;
  status: string;
  params: Record<string, string>;
  tags: Record<string, string>;
  metrics: Record<string, JsonNumber[]>;
}
type Case =
  | { query: string; error: string; start: number; end: number }
  | { query: string; names?: string[]; all_but?: string[]; beyond?: boolean };
const corpus: { runs: CorpusRun[]; cases: Case[] } = JSON.parse(
  readFileSync(new URL('../../../tests/data/search_corpus.json', import.meta.url), 'utf-8')
);

const keysOf = (items: object[]) => [...new Set(items.flatMap(item => Object.keys(item)))];
const own = <T>(item: Record<string, T>, key: string): T | undefined => (Object.hasOwn(item, key) ? item[key] : undefined);

/** The columnar data that Python makes of runs. */
function dataOf(runs: CorpusRun[]): RunData {
  const pairs = runs.map(run => Object.entries(run.tags).filter(([key]) => !/^(mlflow|tracknb)\./.test(key)));
  const dict = [...new Set(pairs.flat().map(pair => JSON.stringify(pair)))];
  const of = <T>(value: T) => runs.map(() => value);
  return {
    n: runs.length,
    id: runs.map((_, index) => `${index}`.padStart(32, '0')),
    name: runs.map(run => run.name),
    status: runs.map(run => run.status),
    start: runs.map(run => run.start),
    end: runs.map(run => run.end),
    lifecycle: of('active'),
    user: of('somebody'),
    experiment: of('corpus'),
    source: of(''),
    color: of(0),
    group: of(''),
    attempt: of(null),
    tags: {
      dict: dict.map(text => JSON.parse(text) as [string, string]),
      codes: pairs.map(row => row.map(pair => dict.indexOf(JSON.stringify(pair))))
    },
    evalSets: { dict: [], codes: of([]) },
    metrics: keysOf(runs.map(run => run.metrics))
      .filter(key => !key.startsWith('system/'))
      .map(key => ({ key, values: runs.map(run => own(run.metrics, key)?.at(-1) ?? null) })),
    params: keysOf(runs.map(run => run.params)).map(key => {
      const texts = [...new Set(runs.map(run => own(run.params, key)).filter(text => text !== undefined))];
      return { key, dict: texts, codes: runs.map(run => texts.indexOf(own(run.params, key)!)) };
    })
  };
}

const data = dataOf(corpus.runs);
const errorOf = (text: string): FilterError => {
  try {
    parseFilter(text);
  } catch (error) {
    return error as FilterError;
  }
  throw new Error(`This can be read: ${text.slice(0, 60)}`);
};

describe('finds or says what Python does:', () => {
  it.each(corpus.cases.map(one => [JSON.stringify(one.query).slice(0, 80), one] as const))('%s', (_, one) => {
    if ('error' in one) {
      const { message, start, end } = errorOf(one.query);
      expect([message, start, end]).toEqual([one.error, one.start, one.end]);
      return;
    }
    const node = parseFilter(one.query);
    expect(beyond(node, data) !== undefined).toBe(one.beyond ?? false);
    if (one.beyond) {
      return;
    }
    const marks = evaluate(node, data);
    const names = one.names ?? data.name.filter(name => !one.all_but!.includes(name));

    expect(data.name.filter((_, row) => marks[row])).toEqual(names);
  });
});

it('says what a saved output does not hold, and marks it', () => {
  const text = "status = 'FAILED' or datasets.name = 'taxi'";

  expect(beyondError(text, beyond(parseFilter(text), data)!).message).toBe(
    [
      'This output does not hold datasets.name; only a running kernel can look there.',
      '',
      "    status = 'FAILED' or datasets.name = 'taxi'",
      '                         ~~~~~~~~~~~~~',
      '',
      'Run the cell again, or give the filter to tracknb.search_runs().'
    ].join('\n')
  );
});

it('finds grades, which no other tag of tracknb has in the data', () => {
  const graded: RunData = { ...data, grades: { dict: [['clean', ''], ['stale name', 'lr']], codes: data.id.map((_, row) => [[0], [1], []][row % 3]) } };
  const found = (text: string) => [...evaluate(parseFilter(text), graded)].flatMap((mark, row) => (mark && row < 3 ? [row] : []));

  expect(beyond(parseFilter("tags.tracknb.grade = 'clean'"), data)?.key).toBe('tracknb.grade');
  expect(beyond(parseFilter("tags.tracknb.grade = 'clean'"), graded)).toBeUndefined();
  expect(beyond(parseFilter('tags.tracknb.hidden_state IS NULL'), graded)?.key).toBe('tracknb.hidden_state');
  expect(found("tags.`tracknb.grade` = 'clean'")).toEqual([0]);
  expect(found("tags.tracknb.grade IN ('stale name', 'unseeded')")).toEqual([1]);
  expect(found('tags.tracknb.grade IS NULL')).toEqual([2]);
});

it('leaves to the kernel what was cut or left out of the payload', () => {
  const long = `${'x'.repeat(249)}…`;
  const cut: RunData = { ...data, params: [{ key: 'text', dict: [long], codes: data.id.map(() => 0) }] };

  expect(beyond(parseFilter("params.text LIKE '%y'"), cut)?.key).toBe('text');
  expect(beyond(parseFilter('params.text IS NOT NULL'), cut)).toBeUndefined();
  expect(beyond(parseFilter('params.unknown IS NOT NULL'), { ...data, keys: 3 })?.key).toBe('unknown');
  expect(beyond(parseFilter('metrics.unknown < 3'), { ...data, keys: 3 })?.key).toBe('unknown');
  expect(beyond(parseFilter('metrics.loss < 3'), { ...data, keys: 3 })).toBeUndefined();
});

it('finds metrics of the machine where they are in the data, and values in typed arrays', () => {
  const there = Uint8Array.from(data.id, (_, row) => Number(row < 3));
  const typed: RunData = { ...data, system: [{ key: 'system/cpu', values: Float64Array.from(data.id, (_, row) => (row === 1 ? NaN : row)), there }] };
  const found = (text: string) => [...evaluate(parseFilter(text), typed).keys()].filter(row => evaluate(parseFilter(text), typed)[row]);

  expect(beyond(parseFilter('metrics.system/cpu < 9 or metrics.system/gpu < 9'), typed)).toBeUndefined();
  expect(found('metrics.system/cpu < 9')).toEqual([0, 2]);
  expect(found('metrics.system/cpu = nan')).toEqual([1]);
  expect(found('metrics.system/cpu IS NOT NULL')).toEqual([0, 1, 2]);
  expect(found('metrics.system/cpu IS NULL').length).toBe(data.n - 3);
});

it('finds near words as difflib does', () => {
  expect(closeMatch('metrcs', ['metrics', 'params'])).toBe('metrics');
  expect(closeMatch('zzz', ['metrics', 'params'])).toBeUndefined();
  expect(closeMatch('ab', ['abc', 'abd'])).toBe('abd');
});

/** A square in the length of a text would take minutes: generous, because machines are shared. */
const HANGS = 60_000;

describe('a hostile text ends in words, and soon:', () => {
  const million = 1_000_000;
  const control = Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join('');
  it.each<[string, string]>([
    ['parentheses', '('.repeat(10_000) + 'metrics.a = 1' + ')'.repeat(10_000)],
    ['only closing ones', ')'.repeat(10_000)],
    ['not not not', 'not '.repeat(10_000) + 'metrics.a = 1'],
    ['too many comparisons', 'metrics.a = 1 and '.repeat(50_000)],
    ['a megabyte of letters', 'x'.repeat(million)],
    ['more than a megabyte', 'x'.repeat(million + 1)],
    ['a megabyte of taxis', '🚕'.repeat(million)],
    ['a megabyte of digits', `metrics.a = ${'1'.repeat(million - 20)}x`],
    ['a megabyte of digits of another script', `metrics.a = ${'٣'.repeat(million - 20)}x`],
    ['a megabyte of dots', '.'.repeat(million)],
    ['a megabyte of blanks, then nothing', `metrics.a =${' '.repeat(million - 20)}`],
    ['an open quote far away', `tags.a = '${'x'.repeat(million - 20)}`],
    ['open back quotes', '.`'.repeat(10_000) + 'a.`'],
    ['a pattern too long', `tags.a LIKE '${'%a'.repeat(20_000)}'`],
    ['control characters', control.slice(1)],
    ['NUL', control],
    ['half a character', "tags.a = '\ud800'"],
    ['a key of a megabyte', `datasets.${'x'.repeat(million - 20)} = 1`],
    ['commas', `metrics.a IN (${'1,'.repeat(400_000)}`],
    ['other signs', '§$%&/\\{}[]?*+~#^°@€µ|;:-_']
  ])('%s', (_, text) => {
    const error = errorOf(text);
    expect(error).toBeInstanceOf(FilterError);
    expect(error.message.length).toBeLessThan(1_000);
    // One line each for the problem, the text, the mark: nothing moves them apart.
    expect(error.shown).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  }, HANGS);

  it('whatever is cut out of a filter, what is left is answered or refused', () => {
    const whole =
      "metrics.`a b`.min <= -1.5e3 AND (params.\"x\" NOT IN ('a', 2) OR NOT tags.c ILIKE '%d_') AND end_time IS NULL";
    let refused = 0;
    for (let start = 0; start < whole.length; start++) {
      for (const length of [1, 2, 5, 13, 40]) {
        try {
          evaluate(parseFilter(whole.slice(0, start) + whole.slice(start + length)), data);
        } catch (error) {
          expect(error).toBeInstanceOf(FilterError);
          refused += 1;
        }
      }
    }
    expect(refused).toBeGreaterThan(100);
  });

  it('patterns that make regular expressions run for ever', () => {
    const text = 'a'.repeat(5_000);
    const big: RunData = { ...data, params: [{ key: 'p', dict: [text], codes: data.id.map(() => 0) }] };
    for (const pattern of ['%a'.repeat(2_000) + 'b', '%_a'.repeat(2_000) + 'b', '%a_'.repeat(1_600) + '%']) {
      evaluate(parseFilter(`params.p LIKE '${pattern}'`), big);
    }
  }, HANGS);
});
