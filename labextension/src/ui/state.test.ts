import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { joined, LONGEST, readState, separated, viewLine, writeState, type ViewName } from './state';

const corpus = JSON.parse(readFileSync('../tests/data/view_states.json', 'utf8')) as {
  text: string;
  view: ViewName | null;
  parts: Record<string, string>;
  note: string;
  same?: boolean;
}[];

it.each(corpus)('reads $text', ({ text, view, parts, note, same }) => {
  expect(readState(text)).toEqual({ view, parts, note });
  if (same) {
    expect(writeState(view!, parts)).toBe(text);
  }
  if (view) {
    expect(readState(writeState(view, parts))).toEqual({ view, parts, note: '' });
  }
});

it('does not read what is too long', () => {
  expect(readState(`runs?q=${'x'.repeat(LONGEST)}`).view).toBeNull();
});

it('joins values that hold commas', () => {
  const values = ['a,b', '100%', "it's", ''];
  expect(separated(joined(values))).toEqual(values);
});

it('writes a line that no quote, brace or line end of a value can leave', () => {
  const line = viewLine('runs', { e: "a' --store /x '{b}\n%%c" });
  expect(line).toBe("%track runs --view 'runs?e=a%27 --store /x %27%7Bb%7D%0A%25%25c'");
});
