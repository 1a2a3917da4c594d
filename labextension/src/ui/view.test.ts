// @vitest-environment jsdom
import { expect, it, vi } from 'vitest';
import { payload } from './data.fixture';
import { createView } from './view';

// uPlot asks when it is imported, and jsdom has no such function.
vi.hoisted(() => {
  const none = () => ({ matches: false, addEventListener() {}, removeEventListener() {} });
  Object.assign(globalThis, { matchMedia: none });
  Object.assign(window, { matchMedia: none });
});

it('shows names as text and tells the selection', () => {
  const onSelect = vi.fn();
  const view = createView(payload(), { onSelect });
  document.body.append(view.element);
  expect(view.element.querySelector('img, script')).toBeNull();
  expect(view.element.textContent).toContain('<img src=x onerror=alert(1)>');
  expect(view.element.querySelector('.tracknb-view')!.getAttribute('data-lm-suppress-shortcuts')).toBe('true');
  view.element.querySelectorAll<HTMLInputElement>('.tnb-row input')[1].click();
  expect(onSelect).toHaveBeenCalledWith(['b']);
  view.destroy();
  expect(document.querySelector('.tracknb-view')).toBeNull();
});

it('opens a page over the view, and Back leads to the view as it was', async () => {
  const asked: unknown[] = [];
  const view = createView(payload(), {
    ask: async question => {
      asked.push(question);
      return { version: 2, kind: 'run', text: 'the page of a run', buffers: [] };
    }
  });
  document.body.append(view.element);
  const table = view.element.querySelector<HTMLElement>('.tracknb-view')!;
  view.element.querySelector<HTMLElement>('[data-chip="tags:0"]')!.click();

  view.element.querySelector<HTMLElement>('.tnb-row .tnb-link')!.click();
  await vi.waitFor(() => expect(view.element.textContent).toContain('the page of a run'));

  expect(asked).toEqual([{ ask: 'run', id: 'a' }]);
  expect(table.hidden).toBe(true);
  view.element.querySelector<HTMLElement>('.tnb-back')!.click();
  expect(view.element.textContent).not.toContain('the page of a run');
  expect(table.hidden).toBe(false);
  expect(view.element.querySelector('[role=status]')!.textContent).toBe('2 of 4 runs');
  view.destroy();
});

it('shows what the table knows of a run where the kernel does not answer, and says why', async () => {
  const view = createView(payload(), { ask: () => Promise.reject(new Error('The kernel is busy.')) });
  document.body.append(view.element);

  view.element.querySelector<HTMLElement>('.tnb-row .tnb-link')!.click();

  await vi.waitFor(() => expect(view.element.textContent).toContain('The kernel is busy.'));
  expect(view.element.querySelector('.tnb-page .tnb-facts')!.textContent).toContain('taxi');
  view.destroy();
});

it('takes a mark back that the kernel could not keep, and says why', async () => {
  const asked: unknown[] = [];
  const given = { ...payload(), marks: { star: 'tracknb.star.u', pin: 'tracknb.pin.u', archived: 'tracknb.archived' } };
  const view = createView(given, {
    ask: question => {
      asked.push(question);
      return asked.length === 1
        ? Promise.resolve({ tags: {}, name: 'one', buffers: [] })
        : Promise.reject(new Error('The store is away.'));
    }
  });
  document.body.append(view.element);
  const press = (row: number, name: string) => {
    view.element.querySelectorAll('.tnb-row')[row].dispatchEvent(new Event('pointerover', { bubbles: true }));
    view.element.querySelector<HTMLElement>(`.tnb-actions [aria-label^="${name}"]`)!.click();
  };
  const first = () => view.element.querySelector('.tnb-row .tnb-link')!.textContent;

  press(3, 'Keep this run on top');
  await vi.waitFor(() => expect(first()).toBe('four'));
  expect(asked[0]).toEqual({ ask: 'change_run', id: 'd', set: { 'tracknb.pin.u': 'true' } });

  press(1, 'Archive');
  await vi.waitFor(() => expect(view.element.querySelector('.tnb-warning')!.textContent).toContain('The store is away.'));
  expect(view.element.querySelectorAll('.tnb-row')).toHaveLength(4);
  view.destroy();
});

it('filters by chip and clears', () => {
  const view = createView(payload());
  document.body.append(view.element);
  const clear = [...view.element.querySelectorAll('button')].find(each => each.textContent === 'Clear All Filters')!;
  expect(clear.disabled).toBe(true);
  view.element.querySelector<HTMLElement>('[data-chip="tags:0"]')!.click();
  expect(view.element.querySelector('[role=status]')!.textContent).toBe('2 of 4 runs');
  expect(view.element.querySelector('[data-chip="tags:0"]')!.getAttribute('aria-pressed')).toBe('true');
  clear.click();
  expect(view.element.querySelector('[role=status]')!.textContent).toBe('4 runs');
  view.destroy();
});

it('shows the text of a version that it does not know', () => {
  const view = createView({ version: 2, kind: 'other', text: '<b>plain</b>' });
  expect(view.element.querySelector('pre')!.textContent).toBe('<b>plain</b>');
  view.destroy();
});

it('reads lists that are kept as texts, and shows the text form where one is damaged', () => {
  const whole = JSON.parse(JSON.stringify(payload()));
  whole.data.name = { '[]': JSON.stringify(whole.data.name) };
  const view = createView(whole);
  document.body.append(view.element);
  expect(view.element.querySelector('.tnb-row .tnb-link')!.textContent).toBe('one');
  view.destroy();

  whole.data.name = { '[]': '["one", "tw' };
  expect(createView({ ...whole, text: 'in words' }).element.textContent).toContain('in words');
});

it('says what to do when there is no run', () => {
  const empty = payload();
  empty.total = empty.data.n = 0;
  const view = createView(empty);
  expect(view.element.textContent).toContain('No runs found for this experiment');
  expect(view.element.querySelector('code')!.textContent).toBe('%%track_run --experiment taxi');
  view.destroy();
});

it.each([
  ['more rows than it has', { n: 1_000_000_000 }],
  ['tags that are not there', { tags: { dict: [['a', 'b']], codes: [[1_000_000_000], [], [], []] } }]
])('shows a payload in words that claims %s', (_, claimed) => {
  const given = payload();
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const view = createView({ ...given, text: 'in words', data: { ...given.data, ...claimed } });
  expect(view.element.textContent).toContain('in words');
  view.destroy();
});

it('offers no star that stands for another tag', () => {
  const marks = { star: 'mlflow.runName', pin: 'tracknb.pin.u', archived: 'tracknb.archived' };
  const view = createView({ ...payload(), marks }, { ask: vi.fn() });
  document.body.append(view.element);
  view.element.querySelectorAll('.tnb-row')[0].dispatchEvent(new Event('pointerover', { bubbles: true }));
  expect(view.element.querySelector('.tnb-actions')).toBeNull();
  view.destroy();
});
