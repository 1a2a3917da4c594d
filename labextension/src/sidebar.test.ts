// @vitest-environment jsdom
import './jsdom.fixture';
import { Widget } from '@lumino/widgets';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Places } from './places';
import { aMoment, AskedServer, stores, whole } from './server.fixture';
import { RunsSidebar } from './sidebar';
import type { RunRow } from './ui/runlist';
import * as views from './views';

let asked: AskedServer;
let open: string;
let shown: string[];
let said: string[];
let panel: RunsSidebar;

beforeEach(() => {
  [asked, open, shown, said] = [new AskedServer(), 'a.ipynb', [], []];
  // What a browser does with the script: jsdom fetches none.
  new MutationObserver((_, seen) => {
    Object.assign(window, { tracknbViews: views });
    document.head.querySelectorAll('script').forEach(script => script.dispatchEvent(new Event('load')));
    seen.disconnect();
  }).observe(document.head, { childList: true });
  panel = new RunsSidebar(asked.server, new Places(asked.server), {
    document: () => open,
    show: store => shown.push(store),
    goToCell: () => undefined,
    say: text => said.push(text)
  });
  panel.hide();
  Widget.attach(panel, document.body);
  panel.show();
});

afterEach(() => panel.dispose());

const names = () => [...panel.node.querySelectorAll('.tnb-sidename')].map(item => item.textContent);

function runs(...ids: string[]): object {
  const row = (id: string): Partial<RunRow> => ({ id, name: id, status: 'FINISHED', start: 1, end: 2, parent: null, cell: 'one', value: null, metric: null });
  return whole(Object.fromEntries(ids.map(id => [id, row(id)])));
}

it('asks at once when the filter changes while an answer is under way, and passes that answer over', async () => {
  (await asked.request('stores')).reply(stores('a.db'));
  const first = await asked.request('runs');
  panel.showCell('one');
  const second = await asked.request('runs');
  second.reply(runs('new'));
  await vi.waitFor(() => expect(names()).toEqual(['new']));
  first.reply(runs('old'));
  await aMoment();

  expect(names()).toEqual(['new']);
});

it('opens a run in the store that it is from, whatever comes late about the notebook before', async () => {
  const late = await asked.request('stores', { document: 'a.ipynb' });
  open = 'b.ipynb';
  panel.documentChanged();
  (await asked.request('stores', { document: 'b.ipynb' })).reply(stores('b.db'));
  (await asked.request('runs', { store: 'b.db' })).reply(runs('one'));
  await vi.waitFor(() => expect(names()).toEqual(['one']));
  late.reply(stores('a.db'));
  await aMoment();
  panel.node.querySelector<HTMLElement>('.tnb-sidename')!.click();

  expect(shown).toEqual(['b.db']);
  expect(panel.store).toBe('b.db');
});

it('says that the server does not know us for as long as it does not, and asks seldom', async () => {
  const told = () => panel.node.querySelector('[role=alert]')?.textContent ?? '';
  (await asked.request('stores')).reply({}, 404);
  await vi.waitFor(() => expect(told()).toContain('Restart it'));
  open = 'b.ipynb';
  panel.documentChanged();
  await aMoment();

  expect(told()).toContain('Restart it');
  expect(panel.node.querySelector<HTMLElement>('.tnb-empty')!.hidden).toBe(true);
  expect(asked.asked).toEqual([]);
});

it('tells why a star could not be given', async () => {
  (await asked.request('stores')).reply(stores('a.db'));
  (await asked.request('runs')).reply(runs('one'));
  await vi.waitFor(() => expect(names()).toEqual(['one']));
  panel.node.querySelector<HTMLElement>('[aria-label="Star of one"]')!.click();
  (await asked.request('ask')).reply({ message: 'You may look at runs here, but not change them.' }, 403);

  await vi.waitFor(() => expect(said).toEqual(['You may look at runs here, but not change them.']));
});

it('keeps rows and ticks, and opens what is clicked, until what another filter asks has come', async () => {
  (await asked.request('stores')).reply(stores('a.db'));
  (await asked.request('runs')).reply(runs('one', 'two'));
  await vi.waitFor(() => expect(names()).toHaveLength(2));
  panel.node.querySelector<HTMLInputElement>('[aria-label="Select two"]')!.click();
  const list = panel.node.querySelector('.tnb-sidelist')!;
  panel.node.querySelector<HTMLElement>('[aria-label="Only runs with your star"]')!.click();
  const answer = await asked.request('runs', { starred: 'true' });
  expect(names()).toHaveLength(2);
  expect(list.getAttribute('aria-busy')).toBe('true');
  panel.node.querySelector<HTMLElement>('.tnb-sidename')!.click();
  expect(shown).toEqual(['a.db']);
  answer.reply(runs('two'));

  await vi.waitFor(() => expect(names()).toEqual(['two']));
  expect(list.getAttribute('aria-busy')).toBe('false');
  expect(panel.selected).toEqual(['two']);
});
