// @vitest-environment jsdom
import { expect, it } from 'vitest';
import { changesView } from './changes';

const HOSTILE = '<img src=x onerror=alert(1)>';

it('says a line a change, with the lines of code folded', () => {
  const [element] = changesView({
    title: 'Changed since attempt 1',
    changes: [
      { kind: 'param', text: 'param lr 0.1 → 0.2', diff: [] },
      { kind: 'code', text: 'code of the cell [2]: +1 -1', diff: ['-a = 1', '+a = 2', 'and 3 more lines'] },
      { kind: 'metric', text: 'metric loss 0.31 → 0.27 (-0.04, -12.9 %, better)', diff: [] }
    ]
  });

  expect(element.firstElementChild!.textContent).toBe('Changed since attempt 1');
  expect([...element.querySelectorAll('li > span, summary')].map(item => item.textContent)).toEqual([
    'param lr 0.1 → 0.2',
    'code of the cell [2]: +1 -1',
    'metric loss 0.31 → 0.27 (-0.04, -12.9 %, better)'
  ]);
  expect(element.querySelector('details')!.open).toBe(false);
  expect([...element.querySelectorAll('pre code')].map(line => [line.className, line.textContent])).toEqual([
    ['tnb-gone', '-a = 1\n'],
    ['tnb-come', '+a = 2\n'],
    ['', 'and 3 more lines\n']
  ]);
  expect(element.querySelector('.tnb-better')!.textContent).toBe('better');
});

it('is one line where nothing changed, and nothing where nobody told', () => {
  const [element] = changesView({ title: 'Nothing changed since attempt 1; the metrics did not', changes: [] });
  expect(element.textContent).toBe('Nothing changed since attempt 1; the metrics did not');
  expect(changesView(null)).toEqual([]);
  expect(changesView(undefined)).toEqual([]);
});

it('takes what is stored for text', () => {
  const [element] = changesView({ title: HOSTILE, changes: [{ kind: 'code', text: HOSTILE, diff: [`+${HOSTILE}`] }] });
  expect(element.querySelector('img')).toBeNull();
  expect(element.querySelector('pre')!.textContent).toBe(`+${HOSTILE}\n`);
});
