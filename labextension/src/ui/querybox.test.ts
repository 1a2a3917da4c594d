// @vitest-environment jsdom
import { afterEach, expect, it, vi } from 'vitest';
import { complete } from './completion';
import { payload } from './data.fixture';
import { queryBox, type QueryBox } from './querybox';
import type { Host } from './types';

const { data } = payload();
let box: QueryBox;
let rows: number[] | undefined;

function open(host: Host = {}, initial = '') {
  rows = undefined;
  const heard = vi.fn((matches: ((row: number) => boolean) | undefined, _text: string) => {
    rows = [0, 1, 2, 3].filter(row => matches === undefined || matches(row));
  });
  box = queryBox({ label: 'Search runs', initial, data, host, experiment: 'taxi', onChange: heard });
  document.body.append(box.element);
  const input = box.element.querySelector('input')!;
  const type = (text: string) => {
    input.value = text;
    input.setSelectionRange(text.length, text.length);
    input.dispatchEvent(new Event('input'));
  };
  const press = (key: string) => {
    const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true });
    input.dispatchEvent(event);
    return event.defaultPrevented;
  };
  const named = (name: string) => [...box.element.querySelectorAll('button')].find(one => one.textContent === name)!;
  const fault = box.element.querySelector<HTMLElement>('[role=alert]')!;
  return { heard, input, type, press, named, fault };
}

afterEach(() => box.destroy());

it('Enter and Search search, Clear Search shows every run again', () => {
  const { type, press, named } = open();

  type('metrics.rmse < 2');
  press('Enter');
  expect([rows, box.text()]).toEqual([[3], 'metrics.rmse < 2']);
  type("tags.stage = 'bad'");
  named('Search').click();
  expect(rows).toEqual([1]);
  named('Clear Search').click();
  expect([rows, box.text()]).toEqual([[0, 1, 2, 3], '']);
});

it('an error stands under the box with its place marked, and what is shown stays', () => {
  const { heard, input, type, press, fault } = open();

  type('metrics.rmse < <img>');
  press('Enter');

  expect(heard).not.toHaveBeenCalled();
  expect(fault.hidden).toBe(false);
  expect(fault.querySelector('pre')!.textContent).toBe(['metrics.rmse < <img>', '               ~'].join('\n'));
  expect(fault.querySelector('img')).toBeNull();
  expect(input.getAttribute('aria-invalid')).toBe('true');
  expect(input.getAttribute('aria-describedby')).toContain(fault.id);
  type('metrics.rmse < 2');
  press('Enter');
  expect([rows, fault.hidden, input.getAttribute('aria-invalid')]).toEqual([[3], true, 'false']);
});

it('asks the kernel for what the data do not hold', async () => {
  const ask = vi.fn(async () => ({ ids: ['b', 'c', 'of another page'], buffers: [] }));
  const { type, press } = open({ ask });

  type("datasets.name = 'x'");
  press('Enter');
  await vi.waitFor(() => expect(rows).toEqual([1, 2]));

  expect(ask).toHaveBeenCalledWith({ ask: 'matching', experiment: 'taxi', query: "datasets.name = 'x'" });
});

it('says so where no kernel answers', async () => {
  const { type, press, fault } = open({ ask: () => Promise.reject(new Error('No kernel is running.')) });

  type("datasets.name = 'x'");
  press('Enter');
  await vi.waitFor(() => expect(fault.hidden).toBe(false));

  expect(fault.textContent).toContain('This output does not hold datasets.name');
  expect(fault.textContent).toContain('No kernel is running.');
});

it('an answer that comes too late changes nothing', async () => {
  let answer: (value: never) => void = () => undefined;
  const { type, press } = open({ ask: () => new Promise(resolve => (answer = resolve)) });

  type("datasets.name = 'x'");
  press('Enter');
  type('metrics.rmse < 2');
  press('Enter');
  answer({ ids: ['a'] } as never);
  await Promise.resolve();

  expect(rows).toEqual([3]);
});

it('searches what it was opened with', async () => {
  open({}, "params.lr = '0.02'");
  await Promise.resolve();

  expect([rows, box.text()]).toEqual([[1], "params.lr = '0.02'"]);
});

it('searches again for the same while somebody types the next query', () => {
  const { input, type, press, heard } = open();
  type('metrics.rmse < 2');
  press('Enter');
  type('metrics.rmse < ');

  box.refresh();

  expect([rows, box.text(), input.value, heard.mock.calls.length]).toEqual([[3], 'metrics.rmse < 2', 'metrics.rmse < ', 2]);
});

it('completes names by arrow and Enter, and Escape closes first the list, then the search', () => {
  const { input, type, press, heard } = open();

  type('met');
  expect(input.getAttribute('aria-expanded')).toBe('true');
  press('ArrowDown');
  expect(box.element.querySelector('[aria-selected=true]')!.textContent).toBe('metrics.rmse');
  press('Enter');
  expect([input.value, heard.mock.calls.length]).toEqual(['metrics.rmse', 0]);
  type('metrics.rmse < 2 and par');
  expect(press('Escape')).toBe(true);
  expect(input.value).toBe('metrics.rmse < 2 and par');
  press('Escape');
  expect([input.value, rows]).toEqual(['', [0, 1, 2, 3]]);
  expect(press('Escape')).toBe(false);
});

it('Tab leaves the box where nothing was chosen', () => {
  const { type, press } = open();
  type('met');

  expect(press('Tab')).toBe(false);
});

it('offers names and values that the runs have', () => {
  const options = (text: string) => complete(text, text.length, data)?.options;

  expect(options('tags.')).toEqual(['tags.stage', 'tags.team']);
  expect(options("tags.stage = '")).toEqual(["good'", "bad'"]);
  expect(options("tags.stage in ('good', \"b")).toEqual(['bad"']);
  expect(options("params.lr = '0.0")).toEqual(["0.02'"]);
  expect(options("status = 'F")).toEqual(["FINISHED'", "FAILED'"]);
  expect(options('rms')).toEqual(['metrics.rmse']);
  expect(options('metrics.rmse')).toBeUndefined();
  expect(options('metrics.rmse <')).toBeUndefined();
  expect(options("tags.stage = 'good' ")).toBeUndefined();
  expect(options("unknown = '")).toBeUndefined();
  const graded = { ...data, grades: { dict: [['clean', '']] as [string, string][], codes: [[0]] } };
  expect(complete('grade', 5, graded)?.options).toEqual(['tags.tracknb.grade']);
  expect(complete("tags.tracknb.grade = 'st", 24, graded)?.options).toEqual(["stale name'"]);
  expect(complete('x', 1, { ...data, metrics: [{ key: 'a x', values: [] }], params: [] })?.options).toEqual(['metrics.`a x`']);
});
