import { expect, test } from 'vitest';
import type { RunRow } from './runlist';
import { markText, statusText } from './runwords';

test('the line under a cell says count, last and best', () => {
  const runs = { runs: 3, isCut: false, running: false, status: 'FINISHED', metric: 'rmse', last: 3.9123, best: 3.71 };
  expect(markText(runs)).toBe('3 runs · rmse 3.912, best 3.71');
  expect(markText({ ...runs, best: 3.9123 })).toBe('3 runs · rmse 3.912');
  expect(markText({ ...runs, runs: 1 })).toBe('1 run · rmse 3.912');
  expect(markText({ ...runs, runs: 1, status: 'FAILED' })).toBe('1 run · failed · rmse 3.912');
  expect(markText({ ...runs, status: 'KILLED' })).toBe('3 runs · last killed · rmse 3.912, best 3.71');
  expect(markText({ ...runs, isCut: true, metric: null, last: null, best: null, running: true })).toBe('▶ running · 3+ runs');
});

test('the status bar names the newest run', () => {
  const run = { name: 'ridge', step: 120, metric: 'rmse', value: 3.9123 } as RunRow;
  expect(statusText([])).toBe('');
  expect(statusText([run])).toBe('▶ ridge · step 120 · rmse 3.912');
  expect(statusText([{ ...run, step: null, metric: null, value: null }, run])).toBe('▶ ridge (and 1 more)');
});
