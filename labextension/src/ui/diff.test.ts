// @vitest-environment jsdom
import { expect, it, vi } from 'vitest';
import { diffCounts, diffLines, diffView, editsOf, folded, words } from './diff';

vi.hoisted(() => {
  const none = () => ({ matches: false, addEventListener() {}, removeEventListener() {} });
  Object.assign(globalThis, { matchMedia: none });
  Object.assign(window, { matchMedia: none });
});

const kinds = (before: string, after: string) => diffLines(before, after).map(row => row.kind);

/** What comes out when the edits are done. */
function replay(a: string[], b: string[]): string[] {
  const result: string[] = [];
  let [left, right] = [0, 0];
  for (const { same, removed, added } of editsOf(a, b)) {
    result.push(...a.slice(left, left + same), ...b.slice(right + same, right + same + added));
    left += same + removed;
    right += same + added;
  }
  expect([left, right]).toEqual([a.length, b.length]);
  return result;
}

it('finds as few edits as possible', () => {
  // The example of Myers' paper: five edits lead from ABCABBA to CBABAC.
  const steps = editsOf([...'ABCABBA'], [...'CBABAC']);
  expect(steps.reduce((sum, step) => sum + step.removed + step.added, 0)).toBe(5);
  expect(replay([...'ABCABBA'], [...'CBABAC']).join('')).toBe('CBABAC');
});

it('leads from one list to the other, whatever they are', () => {
  let seed = 7;
  const random = (most: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % most;
  for (let round = 0; round < 300; round++) {
    const list = () => Array.from({ length: random(12) }, () => 'abc'[random(3)]);
    const [a, b] = [list(), list()];
    expect(replay(a, b)).toEqual(b);
  }
});

it('shows a changed line as changed, and marks the word', () => {
  const rows = diffLines('lr = 0.1\nfit()\n', 'lr = 0.2\nfit()\n');
  expect(rows.map(row => row.kind)).toEqual(['changed', 'same']);
  expect(rows[0].left!.parts).toEqual([{ text: 'lr = 0.', changed: false }, { text: '1', changed: true }]);
  expect(rows[0].right!.parts).toEqual([{ text: 'lr = 0.', changed: false }, { text: '2', changed: true }]);
  expect(diffCounts(rows)).toEqual({ removed: 1, added: 1 });
});

it('knows lines that came and went', () => {
  expect(kinds('a\nb\nc', 'a\nc')).toEqual(['same', 'removed', 'same']);
  expect(kinds('a\nc', 'a\nb\nc')).toEqual(['same', 'added', 'same']);
  expect(kinds('', 'a')).toEqual(['added']);
  expect(kinds('a', '')).toEqual(['removed']);
  expect(kinds('', '')).toEqual([]);
  expect(kinds('a\r\nb\r\n', 'a\nb')).toEqual(['same', 'same']);
});

it('puts a line beside the one that it became', () => {
  const rows = diffLines('a = [1]\nmodel = Forest(depth=8)\n', 'a = [1, 2]\nscaler = fit(X)\nmodel = Forest(depth=12)\n');
  expect(rows.map(row => row.kind)).toEqual(['changed', 'added', 'changed']);
  expect(rows[2].right!.parts.filter(part => part.changed).map(part => part.text)).toEqual(['12']);
});

it('marks no words where two lines have little in common', () => {
  expect(words('import numpy', 'x = fit(1)')).toEqual([
    [{ text: 'import numpy', changed: false }],
    [{ text: 'x = fit(1)', changed: false }]
  ]);
});

it('folds equal lines, with some kept beside what changed', () => {
  const before = Array.from({ length: 30 }, (_, i) => `line ${i}`);
  const after = before.map((line, i) => (i === 15 ? 'other' : line));
  const shown = folded(diffLines(before.join('\n'), after.join('\n')));
  expect(shown.map(item => (item.kind === 'fold' ? item.rows.length : item.kind))).toEqual([
    12, 'same', 'same', 'same', 'changed', 'same', 'same', 'same', 11
  ]);
});

it('stays quick where two long texts have nothing in common', () => {
  const text = (word: string) => Array.from({ length: 20_000 }, (_, i) => `${word} ${i}`).join('\n');
  const start = performance.now();
  expect(diffCounts(diffLines(text('a'), text('b')))).toEqual({ removed: 20_000, added: 20_000 });
  expect(performance.now() - start).toBeLessThan(3_000);
});

it('shows code as text, and unfolds', () => {
  const lines = Array.from({ length: 20 }, (_, i) => `x${i} = "<img src=x onerror=alert(1)>"`);
  const { element, destroy } = diffView(lines.join('\n'), [...lines, 'new()'].join('\n'), ['a', '<b>b</b>']);
  document.body.append(element);
  expect(element.querySelector('img, b')).toBeNull();
  expect(element.querySelectorAll('tr[data-kind=same]')).toHaveLength(3);
  element.querySelector('button')!.click();
  expect(element.querySelectorAll('tr[data-kind=same]')).toHaveLength(20);
  expect(element.querySelectorAll('tr[data-kind=added]')).toHaveLength(1);
  destroy();
});
