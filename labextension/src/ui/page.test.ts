// @vitest-environment jsdom
import { afterEach, expect, it, vi } from 'vitest';
import { payload as table } from './data.fixture';
import { framed } from './files';
import { pageFromRow, pageView } from './page';
import type { Answer, Host, PageRun, Question, RunPagePayload } from './types';

// uPlot asks when it is imported, and jsdom has no such function.
vi.hoisted(() => {
  const none = () => ({ matches: false, addEventListener() {}, removeEventListener() {} });
  Object.assign(globalThis, { matchMedia: none });
  Object.assign(window, { matchMedia: none });
});

const HOSTILE = '<img src=x onerror=alert(1)>';

function page(run: Partial<PageRun> = {}): RunPagePayload {
  return {
    version: 1, kind: 'run', view: 'v', now: 10_000, note: '', thinned: false,
    run: {
      id: 'r1', name: 'forest', experiment: 'taxi', experimentId: '1', status: 'FINISHED', lifecycle: 'active', user: 'ada',
      start: 1000, end: 5000, color: 1, attempt: 2,
      source: { name: '~/a/taxi.ipynb', type: 'NOTEBOOK', cell: 'abc', count: '7' },
      env: { python: '3.12.4', platform: 'Linux x86_64' },
      git: { commit: '0123456789abcdef', branch: 'main', remote: 'https://example.org/r.git', dirty: true },
      error: '', traceback: '', description: '**good**', evalSets: ['v1'], tags: [['team', 'a']],
      systemTags: [['mlflow.user', 'ada']], params: [['lr', '0.1']],
      series: [{
        key: 'rmse', last: 2, last_step: 2, min: 1, min_step: 1, max: 3, max_step: 0, count: 3, x: [0, 1, 2], y: [3, 1, 2], t: [1, 2, 3]
      }],
      code: 'a = 1\nb = 2', inputs: [{ name: 'rides', digest: 'd1', context: 'training', source: 'rides.csv', type: 'local' }],
      files: {
        location: '/a', cut: false, problem: '',
        entries: [{ path: 'm', dir: true, size: null }, { path: 'm/n', dir: true, size: null }, { path: 'm/n/x.csv', dir: false, size: 1500 }]
      },
      parent: { id: 'p', name: 'sweep', status: 'FINISHED', color: 0 }, children: [], moreChildren: false,
      ...run
    }
  };
}

const views: { destroy(): void }[] = [];
function show(payload = page(), host: Host = {}): HTMLElement {
  const view = pageView(payload, host);
  views.push(view);
  document.body.append(view.element);
  return view.element;
}
afterEach(() => {
  views.splice(0).forEach(view => view.destroy());
  vi.useRealTimers();
});

const named = (element: HTMLElement, name: string) =>
  [...element.querySelectorAll<HTMLElement>('button')].find(each => (each.getAttribute('aria-label') ?? each.textContent) === name)!;

/** A kernel with one run. */
function kernel(fails = ''): { host: Host; asked: Question[] } {
  const asked: Question[] = [];
  const tags: Record<string, string> = { team: 'a', 'mlflow.note.content': '**good**', 'mlflow.user': 'ada' };
  return {
    asked,
    host: {
      async ask(question) {
        asked.push(question);
        if (fails) {
          throw new Error(fails);
        }
        Object.assign(tags, question.set ?? {});
        ((question.delete as string[]) ?? []).forEach(key => delete tags[key]);
        return { tags: { ...tags }, name: (question.name as string) ?? 'forest', buffers: [] } as Answer;
      }
    }
  };
}

it('shows every field of a run', () => {
  const element = show();
  const facts = Object.fromEntries(
    [...element.querySelectorAll('.tnb-facts > div')].map(each => [each.querySelector('dt')!.textContent, each.querySelector('dd')!.textContent!.trim()])
  );
  expect(facts).toMatchObject({
    Experiment: 'taxi', Status: 'Finished', 'Submitted by': 'ada', Duration: '4.0 s', 'Run id': 'r1', Attempt: '2', Source: 'taxi.ipynb',
    Cell: 'executed as [7]', Environment: 'Python 3.12.4, Linux x86_64',
    Git: 'main 0123456789ab, with changes that are not committed', Repository: 'https://example.org/r.git',
    'Evaluation set': 'v1'
  });
  expect(facts.Parent).toContain('sweep');
  expect([...element.querySelectorAll('.tnb-sections tbody tr')].map(row => [...row.children].map(cell => cell.textContent))).toEqual([
    ['lr', '0.1'],
    ['rmse', '2', '1', '3', '2', '3']
  ]);
  expect(element.querySelector('.tnb-markdown strong')!.textContent).toBe('good');
});

it('leads from the environment and the changes to the files that hold them', () => {
  const files = ['environment', 'environment/pylock.toml', 'git', 'git/diff.patch'];
  const element = show(
    page({
      env: { python: '3.12.4', platform: 'Linux x86_64', accelerator: 'NVIDIA A100, CUDA 12.4', packages: '57' },
      git: { commit: '0123456789abcdef', branch: 'main', remote: '', dirty: true, changes: '1 file, +1 -1', untracked: ['features.py'] },
      files: { location: '/a', cut: false, problem: '', entries: files.map(path => ({ path, dir: !/\./.test(path), size: 1 })) }
    })
  );
  const text = element.querySelector('.tnb-facts')!.textContent;
  expect(text).toContain('Python 3.12.4, Linux x86_64, NVIDIA A100, CUDA 12.4, 57 packages');
  expect(text).toContain('with changes that are not committed (1 file, +1 -1)');
  expect(text).toContain('features.py');

  named(element, '57 packages').click();

  expect(element.querySelector('.tnb-file[aria-selected=true]')!.getAttribute('title')).toBe('environment/pylock.toml');
});

it('tells what a run was to speak up about', () => {
  const element = show(page({ systemTags: [['mlflow.user', 'ada'], ['tracknb.alert.nan.loss', 'loss is NaN at step 3']] }));

  expect(element.querySelector('.tnb-alert')!.textContent).toBe('loss is NaN at step 3');
});

it('has the grade as a badge, and says what speaks against it', () => {
  const doubts = ['lr came from an older version of the cell [3]. Run the cell [3] again, then this one.', 'Changes were not committed. Commit them.'];
  const badge = (element: HTMLElement) => element.querySelector('.tnb-pagehead .tnb-chip')!.textContent;
  const element = show(page({ grade: 'stale name', doubts }));

  expect(badge(element)).toBe('△ stale name');
  expect(element.querySelector('.tnb-doubts')!.textContent).toBe(doubts.join('\n'));
  expect(badge(show(page({ grade: 'clean', doubts: [] })))).toBe('clean');
  expect(badge(show(page()))).toBe('');
  const data = { ...table().data, grades: { dict: [['stale name', doubts.join('\n')]] as [string, string][], codes: [[0], [], [], []] } };
  expect([badge(show(pageFromRow(data, 0))), badge(show(pageFromRow(data, 1)))]).toEqual(['△ stale name', '']);
});

it('keeps hostile texts text', () => {
  const element = show(
    page({
      name: HOSTILE, experiment: HOSTILE, user: HOSTILE, error: HOSTILE, traceback: HOSTILE, description: HOSTILE, code: HOSTILE,
      tags: [[HOSTILE, HOSTILE]], params: [[HOSTILE, HOSTILE]], evalSets: [HOSTILE], systemTags: [[HOSTILE, HOSTILE]],
      git: { commit: HOSTILE, branch: HOSTILE, remote: 'javascript:alert(1)', dirty: true },
      files: { location: HOSTILE, cut: false, problem: '', entries: [{ path: HOSTILE, dir: false, size: 1 }] },
      children: [{ id: HOSTILE, name: HOSTILE, status: HOSTILE, color: 0 }]
    })
  );
  named(element, 'Files 1').click();
  expect(element.querySelector('img, script, iframe, a')).toBeNull();
  expect(element.textContent).toContain(HOSTILE);
});

it('sets a note, and Cancel changes nothing', async () => {
  const { host, asked } = kernel();
  const element = show(page(), host);
  const area = element.querySelector('textarea')!;
  named(element, 'Edit the note').click();
  expect(area.value).toBe('**good**');
  area.value = 'lost';
  [...element.querySelectorAll('button')].filter(each => each.textContent === 'Cancel')[1].click();
  expect(asked).toEqual([]);
  named(element, 'Edit the note').click();
  area.value = '*better*';
  named(element, 'Set Note').click();
  await vi.waitFor(() => expect(element.querySelector('.tnb-markdown em')?.textContent).toBe('better'));
  expect(asked).toEqual([{ ask: 'change_run', id: 'r1', set: { 'mlflow.note.content': '*better*' } }]);
  named(element, 'Edit the note').click();
  area.value = ' ';
  named(element, 'Set Note').click();
  await vi.waitFor(() => expect(element.textContent).toContain('No note.'));
  expect(asked[1]).toMatchObject({ delete: ['mlflow.note.content'] });
});

it('keeps what was typed when a write fails, and says why', async () => {
  const { host } = kernel('The store is locked.');
  const element = show(page(), host);
  named(element, 'Add a tag').click();
  const [key, value] = element.querySelectorAll<HTMLInputElement>('.tnb-form input[placeholder]');
  key.value = 'stage';
  value.value = 'x';
  named(element, 'Create').click();
  await vi.waitFor(() => expect(element.textContent).toContain('The store is locked.'));
  expect([key.value, value.value]).toEqual(['stage', 'x']);
});

it('creates and deletes tags, and renames', async () => {
  const { host, asked } = kernel();
  const element = show(page(), host);
  named(element, 'Add a tag').click();
  const [key, value] = element.querySelectorAll<HTMLInputElement>('.tnb-form input[placeholder]');
  key.value = 'stage';
  value.value = 'x';
  key.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
  await vi.waitFor(() => expect(element.querySelector('.tnb-tags')!.textContent).toContain('stage: x'));
  named(element, 'Delete the tag team').click();
  await vi.waitFor(() => expect(element.querySelector('.tnb-tags')!.textContent).not.toContain('team'));
  named(element, 'Rename').click();
  element.querySelector<HTMLInputElement>('[aria-label="Name of the run"]')!.value = 'oak';
  named(element, 'Set Name').click();
  await vi.waitFor(() => expect(element.querySelector('.tnb-pagehead b')!.textContent).toBe('oak'));
  expect(asked.map(({ ask, id, ...rest }) => rest)).toEqual([{ set: { stage: 'x' } }, { delete: ['team'] }, { name: 'oak' }]);
});

it('hides what needs a kernel where there is none', () => {
  expect(show().classList.contains('tnb-nokernel')).toBe(true);
  expect(show(page(), { ...kernel().host, isThere: () => false }).classList.contains('tnb-nokernel')).toBe(true);
  expect(show(page(), kernel().host).classList.contains('tnb-nokernel')).toBe(false);
});

it('follows a run that goes on, and keeps what is being typed', async () => {
  vi.useFakeTimers();
  let count = 0;
  const host: Host = {
    async ask() {
      count += 1;
      const fresh = page({ status: count < 2 ? 'RUNNING' : 'FINISHED', end: count < 2 ? null : 9000, params: [['lr', String(count)]] });
      return { ...fresh, buffers: [] } as unknown as Answer;
    }
  };
  const element = show(page({ status: 'RUNNING', end: null }), host);
  named(element, 'Edit the note').click();
  const area = element.querySelector('textarea')!;
  area.value = 'half a word';
  await vi.advanceTimersByTimeAsync(6000);
  expect(count).toBe(2);
  expect(area.value).toBe('half a word');
  expect(element.querySelector('.tnb-sections td + td')!.textContent).toBe('2');
});

it('opens the tree, and previews a table', async () => {
  const asked: Question[] = [];
  const host: Host = {
    async ask(question) {
      asked.push(question);
      return { kind: 'table', head: ['=x', 'y'], rows: [['1', HOSTILE]], total: 5, columns: 2, note: '', buffers: [] } as Answer;
    }
  };
  const element = show(page(), host);
  named(element, 'Files 1').click();
  const row = (name: string) => [...element.querySelectorAll<HTMLElement>('[role=treeitem]')].find(each => each.textContent!.includes(name))!;
  row('m').click();
  element.querySelector<HTMLElement>('[role=tree] [tabindex="0"]')!.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }));
  element.querySelector<HTMLElement>('[role=tree] [tabindex="0"]')!.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));
  expect(row('x.csv').getAttribute('aria-level')).toBe('3');
  row('x.csv').click();
  await vi.waitFor(() => expect(element.querySelector('.tnb-preview')!.textContent).toContain('1 of 5 rows, 2 columns'));
  expect(asked).toEqual([{ ask: 'file', id: 'r1', path: 'm/n/x.csv' }]);
  expect(element.querySelector('.tnb-preview img')).toBeNull();
});

it('frames HTML without scripts and without what opens other addresses', () => {
  const text = framed(
    '<script>alert(1)</script><link rel=preconnect href=//evil><meta http-equiv=refresh content="0;url=//evil"><base href=//evil>' +
      '<a href="https://evil/" ping="https://evil">x</a><a href="#top">y</a><form action=//evil></form><svg><a xlink:href="//evil">z</a></svg>'
  );
  expect(text).toMatch(/^<!doctype html><meta http-equiv="Content-Security-Policy" content="default-src 'none'/);
  expect(text).not.toMatch(/evil|<script|<link|<base|refresh/);
  expect(text).toContain('href="#top"');
});

it('makes a page of a row of a table', () => {
  const element = show(pageFromRow(table().data, 0));
  expect(element.querySelector('.tnb-pagehead')!.textContent).toContain('one');
  expect([...element.querySelectorAll('.tnb-sections tbody tr')].map(row => [...row.children].map(cell => cell.textContent))).toEqual([
    ['lr', '0.1'],
    ['rmse', '3', '', '', '', '']
  ]);
  expect(element.textContent).toContain('shown where a kernel runs');
});
