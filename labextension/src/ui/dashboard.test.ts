// @vitest-environment jsdom
import { expect, it, vi } from 'vitest';
import { payload as runs } from './data.fixture';
import type { Answer, DashboardPayload, Host, Question } from './types';
import { createView } from './view';

vi.hoisted(() => {
  const none = () => ({ matches: false, addEventListener() {}, removeEventListener() {} });
  Object.assign(globalThis, { matchMedia: none });
  Object.assign(window, { matchMedia: none });
});

HTMLCanvasElement.prototype.getContext = () => null;

const HOSTILE = '<img src=x onerror=alert(1)>';

function payload(): DashboardPayload {
  return {
    version: 1,
    kind: 'dashboard',
    view: 'v',
    experiment: 'taxi',
    runs: runs(),
    pages: {},
    others: {},
    catalogue: {
      version: 1,
      kind: 'experiments',
      view: 'w',
      now: 10_000,
      total: 2,
      star: 'tracknb.star.ada',
      user: 'ada',
      note: '',
      locationBase: '/files/',
      data: {
        id: ['1', '2'],
        name: ['taxi', HOSTILE],
        runs: [4, 1],
        mine: [0, 0],
        lastRun: [4000, 100],
        created: [1, 2],
        location: ['1', '2'],
        tags: [{ owner: 'ada', tags: 'ml' }, { description: HOSTILE, team: HOSTILE }]
      }
    }
  };
}

const shown = (given: DashboardPayload, host: Host = {}) => {
  const view = createView(given, host);
  document.body.replaceChildren(view.element);
  return view.element;
};
const tab = (element: Element, name: string) =>
  [...element.querySelectorAll<HTMLElement>('[role=tab]')].find(each => each.textContent === name)!;
const named = (element: Element, name: string) =>
  [...element.querySelectorAll<HTMLElement>('button')].find(each => (each.getAttribute('aria-label') ?? each.textContent) === name)!;
const answer = (content: object): Answer => ({ ...content, buffers: [] });

it('opens at the runs; arrows move from tab to tab', () => {
  const element = shown(payload());
  expect(tab(element, 'Runs').getAttribute('aria-selected')).toBe('true');
  expect(element.textContent).toContain('4 runs');
  tab(element, 'Runs').dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }));
  expect(tab(element, 'Experiments').getAttribute('aria-selected')).toBe('true');
  expect(document.activeElement).toBe(tab(element, 'Experiments'));
  expect([...element.querySelectorAll('[role=tab]')].map(each => (each as HTMLElement).tabIndex)).toEqual([0, -1, -1, -1]);
  expect(element.querySelector('img, script')).toBeNull();
  expect(element.textContent).toContain(HOSTILE);
});

it('asks for the runs of another experiment once, and shows what it waits for and what went wrong', async () => {
  const asked: Question[] = [];
  let fail = true;
  const element = shown(payload(), {
    ask: async question => {
      asked.push(question);
      if (fail) {
        throw new Error('The kernel is busy.');
      }
      return answer({ ...runs(), title: HOSTILE, experiment: HOSTILE });
    }
  });
  const select = element.querySelector<HTMLSelectElement>('select[aria-label=Experiment]')!;
  const choose = (name: string) => {
    select.value = name;
    select.dispatchEvent(new Event('change'));
  };
  choose(HOSTILE);
  expect(element.textContent).toContain(`Loading the runs of ${HOSTILE}`);
  await vi.waitFor(() => expect(element.querySelector('[role=alert]')?.textContent).toContain('The kernel is busy.'));
  expect(element.querySelector('.tnb-code')!.textContent).toBe(`%track runs --view 'runs?e=${HOSTILE}'`);
  fail = false;
  choose('taxi');
  choose(HOSTILE);
  await vi.waitFor(() => expect(element.textContent).toContain('4 runs'));
  expect(asked).toEqual([1, 2].map(() => ({ ask: 'runs', experiment: HOSTILE })));
  choose('taxi');
  choose(HOSTILE);
  expect(asked.length).toBe(2);
});

it('stars and edits through the kernel, and says what was refused', async () => {
  const host: Host = {
    ask: vi.fn(async (question: Question) => {
      if (question.ask !== 'change_experiment') {
        throw new Error('No.');
      }
      if ((question.set as Record<string, string>).owner) {
        throw new Error('This value is refused.');
      }
      return answer({ tags: { owner: 'ada', ...(question.set as object) } });
    })
  };
  const given = payload();
  given.stateView = 'experiments';
  const element = shown(given, host);
  expect(named(element, 'Starred 0')).toBeDefined();
  named(element, 'Star taxi').click();
  await vi.waitFor(() => expect(named(element, 'Starred 1')).toBeDefined());
  expect(host.ask).toHaveBeenCalledWith({ ask: 'change_experiment', id: '1', set: { 'tracknb.star.ada': 'true' }, delete: [] });
  expect(named(element, 'Star taxi').getAttribute('aria-pressed')).toBe('true');
  named(element, 'Edit taxi').click();
  const form = element.querySelector('form')!;
  const owner = form.querySelectorAll('input')[0];
  owner.value = 'eve';
  form.dispatchEvent(new Event('submit', { cancelable: true }));
  await vi.waitFor(() => expect(form.querySelector('[role=alert]')!.textContent).toBe('This value is refused.'));
  expect(owner.value).toBe('eve');
});

it('keeps what is being written of an experiment while the list is drawn anew', () => {
  const given = payload();
  given.stateView = 'experiments';
  const element = shown(given, { ask: vi.fn() });
  named(element, 'Edit taxi').click();
  element.querySelector('textarea')!.value = 'half a sentence';

  named(element, 'Owned 1').click();
  expect(element.querySelector('textarea')!.value).toBe('half a sentence');
  named(element, 'Cancel').click();
  named(element, 'Edit taxi').click();
  expect(element.querySelector('textarea')!.value).toBe('');
});

it('without a kernel has nothing to star or edit, and opens an experiment from what it holds', async () => {
  const given = payload();
  given.stateView = 'experiments';
  given.state = { tags: 'ml' };
  const element = shown(given);
  expect(element.querySelector('.tnb-catalogue [role=status]')!.textContent).toBe('All (1)');
  expect(named(element, 'Edit taxi') ?? named(element, 'Star taxi')).toBeUndefined();
  named(element, 'Open taxi').click();
  await vi.waitFor(() => expect(tab(element, 'Latest Runs')).toBeDefined());
  expect(element.textContent).toContain('/files/1');
  tab(element, 'Latest Runs').click();
  expect(element.querySelectorAll('.tnb-row').length).toBeGreaterThan(0);
});

it('copies the line that opens the tab again', async () => {
  const written: string[] = [];
  Object.assign(navigator, { clipboard: { writeText: async (text: string) => void written.push(text) } });
  const given = payload();
  given.stateView = 'experiments';
  given.state = { list: 'owned', sort: '-runs', owner: "o'neill" };
  const element = shown(given);
  named(element, 'Copy view').click();
  await vi.waitFor(() => expect(written.length).toBe(1));
  expect(written[0]).toBe("%track --view 'experiments?owner=o%27neill&list=owned&sort=-runs'");
});

it('keeps the tab of a comparison in the copied line, and for the next runs compared', async () => {
  const given = payload();
  given.stateView = 'compare';
  given.state = { ids: 'aa11,bb22', tab: 'scatter' };
  const ids = ['aa11', 'bb22', 'cc33', 'dd44'];
  given.runs!.data.id = ids;
  const view = createView(given, { open: vi.fn() });
  document.body.replaceChildren(view.element);
  const { element } = view;
  await vi.waitFor(() => expect(tab(element, 'Scatter').getAttribute('aria-selected')).toBe('true'));
  expect(view.state!()).toEqual({ ids: 'aa11,bb22', tab: 'scatter' });

  tab(element, 'Runs').click();
  ids.forEach((_, row) => element.querySelectorAll<HTMLInputElement>('.tnb-row input')[row].click());
  tab(element, 'Compare').click();
  await vi.waitFor(() => expect(element.textContent).toContain('4 runs compared'));
  expect(tab(element, 'Scatter').getAttribute('aria-selected')).toBe('true');
});

it('tells what of a copied line nobody knew, as text', () => {
  const given = payload();
  given.stateNote = `Not known: '${HOSTILE}'.`;
  const notes = [...shown(given).querySelectorAll('[role=note]')].map(note => note.textContent);
  expect(notes).toContain(given.stateNote);
});
