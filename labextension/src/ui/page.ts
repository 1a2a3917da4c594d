/** The page of a run: what it is, its curves, its code, its files. While it runs it follows the store. */

import { CHANGES_CSS, changesView } from './changes';
import { curvesView, CURVES_CSS, type CurvesView } from './curves';
import { button, copyButton, copyIcon, h, iconButton, selectText, setText, statusMark } from './dom';
import { filesView, FILES_CSS, type FilesView } from './files';
import { formatAgo, formatDuration, formatElapsed, formatNumber, formatTime, fullNumber, statusWord, toNumber } from './format';
import { isDoubtful } from './grade';
import { markdown, MARKDOWN_CSS, safeLink } from './markdown';
import { OUTPUTS_CSS, outputsView, type OutputsView } from './outputs';
import { makeTabs, TABS_CSS } from './tabs';
import { makeRoot, runColor } from './theme';
import type { Answer, Host, JsonNumber, PageRun, Pair, RunData, RunPagePayload, SeriesJson, View } from './types';

const NOTE = 'mlflow.note.content';
const HIDDEN = /^(?:mlflow|tracknb)\./;
/** Shown in places of their own. */
const ELSEWHERE = new Set([NOTE, 'tracknb.source.cell', 'tracknb.traceback', 'tracknb.grade', 'tracknb.hidden_state', 'tracknb.data.files', 'tracknb.data.stamps']);
const EVERY = 1_000;
const AFTER_FAILURE = 5_000;
const FILTER_FROM = 20;
const CODE_LINES = 5_000;
const NARROW = 560;

const CSS = `
.tracknb-view .tnb-pagehead { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; min-height: 28px; }
/* Names and values may be thousands of letters long: each keeps to some lines and scrolls. */
.tracknb-view .tnb-pagehead b, .tracknb-view .tnb-pagehead .tnb-quiet, .tracknb-view .tnb-facts dd, .tracknb-view .tnb-tag > span { max-height: 80px; overflow: auto; overflow-wrap: anywhere; }
.tracknb-view .tnb-pagehead b { font-size: 14px; }
.tracknb-view .tnb-pagehead .tnb-chip:empty { display: none; }
.tracknb-view .tnb-facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 0 24px; margin: 0; }
.tracknb-view .tnb-facts > div { display: flex; gap: 8px; min-height: 24px; align-items: flex-start; border-bottom: 1px solid var(--tnb-line); padding: 2px 0; min-width: 0; }
.tracknb-view .tnb-facts dt { flex: none; width: 104px; color: var(--tnb-fg2); font-weight: 400; }
.tracknb-view .tnb-facts .tnb-num { white-space: normal; }
.tracknb-view .tnb-facts code { font-family: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace); font-size: 12px; background: none; color: inherit; padding: 0; }
.tracknb-view .tnb-section h4 input { font-weight: 400; }
.tracknb-view .tnb-noteshown { max-height: 400px; overflow: auto; }
.tracknb-view .tnb-facts dd { margin: 0; min-width: 0; }
.tracknb-view .tnb-facts dd button.tnb-link { white-space: normal; overflow-wrap: anywhere; max-width: 100%; }
.tracknb-view .tnb-facts dd .tnb-iconbutton { height: 18px; vertical-align: text-bottom; }
.tracknb-view .tnb-sections { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); gap: 0 24px; }
.tracknb-view .tnb-section { min-width: 0; margin-top: 12px; }
.tracknb-view .tnb-section h4 { margin: 0; font-size: 13px; line-height: 24px; font-weight: 600; display: flex; align-items: center; gap: 4px; }
.tracknb-view .tnb-scroll { max-height: 336px; overflow: auto; border: 1px solid var(--tnb-line); }
.tracknb-view .tnb-table { border-collapse: collapse; width: 100%; margin: 0; font-size: inherit; table-layout: auto; }
.tracknb-view .tnb-table th { position: sticky; top: 0; background: var(--tnb-bg2); text-align: left; font-weight: 600; white-space: nowrap; }
.tracknb-view .tnb-table th, .tracknb-view .tnb-table td { padding: 2px 8px; border-bottom: 1px solid var(--tnb-line); vertical-align: top; max-width: 480px; overflow-wrap: anywhere; color: inherit; }
.tracknb-view .tnb-table td:first-child { min-width: 96px; }
.tracknb-view .tnb-table tr, .tracknb-view .tnb-table tr:nth-child(even), .tracknb-view .tnb-table tr:hover { background: none; }
.tracknb-view .tnb-table .tnb-n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tracknb-view .tnb-form { display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: center; padding: 4px 0; }
.tracknb-view .tnb-form input, .tracknb-view .tnb-form textarea { padding: 2px 8px; border: 1px solid var(--tnb-line2); border-radius: 2px; background: var(--tnb-bg); color: inherit; font: inherit; min-width: 0; }
.tracknb-view .tnb-form input { height: 24px; width: 160px; }
.tracknb-view .tnb-form textarea { width: 100%; min-height: 104px; resize: vertical; font-family: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace); font-size: 12px; line-height: 18px; }
.tracknb-view .tnb-tags { display: flex; flex-wrap: wrap; gap: 4px; align-items: center; }
.tracknb-view .tnb-tag { display: inline-flex; align-items: center; max-width: 100%; height: auto; white-space: normal; overflow-wrap: anywhere; }
.tracknb-view .tnb-tag .tnb-iconbutton { height: 18px; margin-right: -5px; }
.tracknb-view .tnb-tag .tnb-icon { width: 12px; height: 12px; }
.tracknb-view.tnb-nokernel .tnb-edit { display: none; }
.tracknb-view .tnb-source-code { border: 1px solid var(--tnb-line); padding: 8px 0; max-height: 480px; overflow: auto; counter-reset: tnb-line; white-space: pre; overflow-wrap: normal; }
.tracknb-view .tnb-source-code code { display: block; padding-right: 8px; counter-increment: tnb-line; font: inherit; background: none; color: inherit; min-height: 18px; line-height: 18px; }
.tracknb-view .tnb-source-code code::before { content: counter(tnb-line); display: inline-block; width: 40px; margin-right: 12px; text-align: right; color: var(--tnb-fg2); }
.tracknb-view .tnb-page .tnb-error { max-height: none; white-space: pre-wrap; }
.tracknb-view .tnb-page summary { cursor: pointer; color: var(--tnb-fg2); }
.tracknb-view .tnb-page details pre { max-height: 280px; overflow: auto; padding: 8px; border: 1px solid var(--tnb-line); }
.tracknb-view .tnb-iconbutton.tnb-done { color: var(--tnb-ok); }
`;

/** What the key of an alert's tag begins with (entities.py). */
const ALERT = 'tracknb.alert.';

type TabName = 'overview' | 'curves' | 'code' | 'files';

/** A page of what a table's row holds: for saved notebooks, where nobody can be asked for more. */
export function pageFromRow(data: RunData, row: number): RunPagePayload {
  const series = data.metrics.flatMap(({ key, values }): SeriesJson[] => {
    const last = values[row];
    return last === null || last === undefined
      ? []
      : [{ key, last, last_step: NaN, min: null, min_step: NaN, max: null, max_step: NaN, count: 0, x: [], y: [], t: [] }];
  });
  const graded = data.grades?.dict[data.grades.codes[row][0]];
  return {
    version: 1,
    kind: 'run',
    view: '',
    now: data.end[row] ?? data.start[row] ?? 0,
    note: 'This is what the table knows of the run. Curves, code and files are shown where a kernel runs.',
    thinned: true,
    partial: true,
    run: {
      id: data.id[row],
      name: data.name[row],
      experiment: data.experiment[row],
      experimentId: '',
      status: data.status[row],
      lifecycle: data.lifecycle[row],
      user: data.user[row],
      start: data.start[row],
      end: data.end[row],
      color: data.color[row],
      attempt: data.attempt[row],
      grade: graded?.[0],
      doubts: graded?.[1].split('\n').filter(Boolean),
      source: { name: data.source[row], type: '', cell: '', count: '' },
      env: { python: '', platform: '' },
      git: { commit: '', branch: '', remote: '', dirty: false },
      error: '',
      traceback: '',
      description: '',
      evalSets: data.evalSets.codes[row].map(code => data.evalSets.dict[code]),
      tags: data.tags.codes[row].map(code => data.tags.dict[code]),
      systemTags: [],
      params: data.params.flatMap(({ key, dict, codes }): Pair[] => (codes[row] < 0 ? [] : [[key, dict[codes[row]]]])),
      series,
      code: '',
      inputs: [],
      files: { location: '', entries: null, cut: false, problem: '' },
      parent: null,
      children: [],
      moreChildren: false
    }
  };
}

export function pageView(payload: RunPagePayload, host: Host = {}): View {
  let run: PageRun = payload.run;
  let curves: CurvesView | undefined;
  let files: FilesView | undefined;
  let outputs: OutputsView | undefined;
  const root = makeRoot(() => curves?.redraw(), TABS_CSS + CSS + CHANGES_CSS + CURVES_CSS + FILES_CSS + MARKDOWN_CSS + OUTPUTS_CSS);
  const body = h('div', { class: 'tnb-page' });
  root.element.append(body);
  const hasKernel = () => Boolean(host.ask) && (host.isThere?.() ?? true);
  /** How far this machine's clock is from the kernel's. */
  let offset = 0;
  let asked = false;
  const now = () => (asked ? Date.now() + offset : Math.max(payload.now, run.start ?? 0));

  /** Draw a part again only if what it shows has changed, so that scrolling, focus and selection stay. */
  const drawn = new Map<string, string>();
  const changed = (part: string, value: unknown): boolean => {
    const text = JSON.stringify(value);
    if (drawn.get(part) === text) {
      return false;
    }
    drawn.set(part, text);
    return true;
  };

  async function change(question: { set?: Record<string, string>; delete?: string[]; name?: string }): Promise<void> {
    const answer = (await host.ask!({ ask: 'change_run', id: run.id, ...question })) as Answer & {
      tags: Record<string, string>;
      name: string;
    };
    const pairs = Object.entries(answer.tags);
    run = {
      ...run,
      name: answer.name,
      description: answer.tags[NOTE] ?? '',
      tags: pairs.filter(([key]) => !HIDDEN.test(key)),
      systemTags: pairs.filter(([key]) => HIDDEN.test(key) && !ELSEWHERE.has(key))
    };
    draw();
  }

  // -- the head -------------------------------------------------------------------------

  const mark = h('span', { style: 'display: inline-flex' });
  const swatch = h('span', { class: 'tnb-swatch' });
  const title = h('b');
  const experiment = h('span', { class: 'tnb-quiet' });
  const elapsed = h('span', { class: 'tnb-num' });
  const grade = h('span', { class: 'tnb-chip' });
  const head = h('div', { class: 'tnb-pagehead' }, mark, swatch, title);
  const rename = iconButton('pencil', 'Rename', () => renaming(true), { class: 'tnb-iconbutton tnb-edit' });
  const nameInput = h('input', { 'aria-label': 'Name of the run' });
  const nameError = h('div', { class: 'tnb-error', role: 'alert' });
  const setName = button('Set Name', () => {
    void guarded(setName, nameError, async () => {
      await change({ name: nameInput.value });
      renaming(false);
    });
  });
  const nameForm = h('span', { class: 'tnb-form', hidden: '' }, nameInput, setName, button('Cancel', () => renaming(false)), nameError);
  keys(nameForm, () => setName.click(), () => renaming(false));
  head.append(rename, nameForm, experiment, elapsed, grade);

  function renaming(on: boolean): void {
    nameForm.hidden = !on;
    title.hidden = rename.hidden = on;
    nameError.textContent = '';
    if (on) {
      nameInput.value = run.name;
      nameInput.select();
      nameInput.focus();
    } else {
      rename.focus({ preventScroll: true });
    }
  }

  // -- the tabs -------------------------------------------------------------------------

  const tabs = makeTabs<TabName>(
    'Parts of the run page',
    [['overview', 'Overview'], ['curves', 'Curves'], ['code', 'Code'], ['files', 'Files']],
    () => draw()
  );
  const { heads, panels } = tabs;

  // -- overview: facts, note, tags, params, metrics, data ---------------------------------

  const alerts = h('div', { class: 'tnb-alert', role: 'status' });
  const doubts = h('div', { class: 'tnb-doubts', role: 'note', 'aria-label': 'What speaks against the grade clean' });
  const problem = h('div', { class: 'tnb-error' });
  const trace = h('details', {}, h('summary', {}, 'Traceback'));
  const traceText = h('pre');
  trace.append(traceText);
  const facts = h('dl', { class: 'tnb-facts' });

  function fact(label: string, ...value: (Node | string)[]): HTMLElement[] {
    return value.every(part => part === '') ? [] : [h('div', {}, h('dt', {}, label), h('dd', {}, ...value))];
  }

  function link(text: string, open: () => void): HTMLElement {
    return button(text, open, { class: 'tnb-link' });
  }

  function relatives(list: PageRun['children'], more: boolean): (Node | string)[] {
    const links = list.map(each => {
      const dot = h('span', { class: 'tnb-swatch' });
      dot.style.background = runColor(each.color);
      return h('span', { style: 'white-space: nowrap' }, dot, ' ', link(each.name, () => host.open?.({ page: 'run', id: each.id })), ' ');
    });
    return more ? [...links, 'and more'] : links;
  }

  function drawFacts(): void {
    if (!changed('facts', [run.id, run.experiment, run.status, run.lifecycle, run.user, run.start, run.end, run.source, run.env, run.git, run.evalSets, run.parent, run.children, run.attempt, run.files.entries])) {
      return;
    }
    const length = h('span', { class: 'tnb-num' }, run.end === null ? '' : formatDuration(run.end - (run.start ?? run.end)));
    running = run.end === null ? length : undefined;
    const { source, git } = run;
    const name = source.name.replace(/\\/g, '/').split('/').pop()!;
    const remote = git.remote && (safeLink(git.remote, [git.remote]) ?? git.remote);
    facts.replaceChildren(
      ...fact('Experiment', link(run.experiment, () => host.open?.({ page: 'runs', experiment: run.experiment }))),
      ...fact('Status', statusWord(run.status) + (run.lifecycle === 'active' ? '' : `, ${run.lifecycle}`)),
      ...fact('Submitted by', run.user),
      ...fact('Start', time(run.start)),
      ...fact('End', time(run.end)),
      ...fact('Duration', run.start === null ? '' : length),
      ...fact('Run id', h('code', { title: run.id }, run.id.length > 12 ? `${run.id.slice(0, 12)}…` : run.id), copyIcon('Copy run id', () => run.id)),
      ...fact('Attempt', run.attempt === null ? '' : String(run.attempt)),
      ...fact('Source', name ? h('span', { title: source.name }, name) : ''),
      ...fact('Cell', source.count ? cellFact(`executed as [${source.count}]`) : ''),
      ...fact('Environment', ...environmentFact()),
      ...fact(
        'Git',
        git.commit
          ? h('span', { title: git.commit }, [git.branch, git.commit.slice(0, 12)].filter(Boolean).join(' '))
          : '',
        git.commit && (git.dirty || git.changes) ? ', with ' : '',
        git.commit && (git.dirty || git.changes) ? fileLink('changes that are not committed', 'git/diff.patch') : '',
        git.commit && git.changes ? ` (${git.changes})` : ''
      ),
      ...fact('Imported, not in git', ...(git.untracked ?? []).flatMap((name, i) => [i ? ', ' : '', fileLink(name, `git/untracked/${name}`)])),
      ...fact('Repository', remote),
      ...fact('Evaluation set', run.evalSets.join(', ')),
      ...fact('Parent', ...(run.parent ? relatives([run.parent], false) : [''])),
      ...fact('Children', ...(run.children.length ? relatives(run.children, run.moreChildren) : ['']))
    );
  }
  let running: HTMLElement | undefined;

  function environmentFact(): (Node | string)[] {
    const { python, platform, accelerator, packages } = run.env;
    const words = [python && `Python ${python}`, platform, accelerator].filter(Boolean).join(', ');
    return [words, packages && words ? ', ' : '', packages ? fileLink(`${packages} packages`, 'environment/pylock.toml') : ''];
  }

  /** A way to a file of the run; only words where the run does not list it. */
  function fileLink(text: string, path: string): Node | string {
    const entry = run.files.entries?.find(item => item.path === path);
    return entry
      ? link(text, () => {
          tabs.show('files');
          files?.choose(entry);
        })
      : text;
  }

  /** The cell of the run: a way to it where there are notebooks. */
  function cellFact(text: string): HTMLElement {
    const shown = host.cell && run.source.cell ? link(text, () => void host.cell!.goTo(place())) : h('span', {}, text);
    shown.title = run.source.cell && `Cell id ${run.source.cell}`;
    return shown;
  }
  const place = () => ({ run: run.name, source: run.source.name, cell: run.source.cell, code: run.code });

  function time(moment: number | null): Node | string {
    return moment === null ? '' : h('span', { title: formatAgo(moment, now()), class: 'tnb-num' }, formatTime(moment));
  }

  const noteShown = h('div', { class: 'tnb-noteshown' });
  const noteError = h('div', { class: 'tnb-error', role: 'alert' });
  const noteInput = h('textarea', { 'aria-label': 'Note, in Markdown', rows: '6' });
  const setNote = button('Set Note', () => {
    void guarded(setNote, noteError, async () => {
      const text = noteInput.value;
      await change(text.trim() ? { set: { [NOTE]: text } } : { delete: [NOTE] });
      writing(false);
    });
  });
  const noteForm = h('div', { class: 'tnb-form', hidden: '' }, noteInput, setNote, button('Cancel', () => writing(false)), noteError);
  const editNote = iconButton('pencil', 'Edit the note', () => writing(true), { class: 'tnb-iconbutton tnb-edit' });
  keys(noteForm, undefined, () => writing(false), () => setNote.click());
  const noteSection = section('Note', [editNote], noteShown, noteForm);

  function writing(on: boolean): void {
    noteForm.hidden = !on;
    noteShown.hidden = editNote.hidden = on;
    noteError.textContent = '';
    if (on) {
      noteInput.value = run.description;
      noteInput.focus();
    } else {
      editNote.focus({ preventScroll: true });
    }
  }

  function drawNote(): void {
    if (changed('note', run.description)) {
      noteShown.replaceChildren(
        run.description ? markdown(run.description) : h('span', { class: 'tnb-quiet' }, 'No note.')
      );
    }
  }

  const tagBox = h('div', { class: 'tnb-tags' });
  const tagError = h('div', { class: 'tnb-error', role: 'alert' });
  const keyInput = h('input', { 'aria-label': 'Key', placeholder: 'key' });
  const valueInput = h('input', { 'aria-label': 'Value', placeholder: 'value' });
  const create = button('Create', () => {
    void guarded(create, tagError, async () => {
      if (!keyInput.value.trim()) {
        throw new Error('A tag needs a key.');
      }
      await change({ set: { [keyInput.value.trim()]: valueInput.value } });
      tagging(false);
    });
  });
  const tagForm = h('div', { class: 'tnb-form', hidden: '' }, keyInput, valueInput, create, button('Cancel', () => tagging(false)));
  keys(tagForm, () => create.click(), () => tagging(false));
  const addTag = iconButton('plus', 'Add a tag', () => tagging(true), { class: 'tnb-iconbutton tnb-edit' });
  const systemTags = h('div', { hidden: '' });
  const toggleSystem = button('', () => {
    systemTags.hidden = !systemTags.hidden;
    draw();
  }, { class: 'tnb-plainlink' });
  const tagSection = section('Tags', [addTag], tagBox, tagForm, tagError, toggleSystem, systemTags);

  function tagging(on: boolean): void {
    tagForm.hidden = !on;
    tagError.textContent = '';
    if (on) {
      keyInput.focus();
    } else {
      keyInput.value = valueInput.value = '';
      addTag.focus({ preventScroll: true });
    }
  }

  function drawTags(): void {
    if (changed('tags', run.tags)) {
      tagBox.replaceChildren(
        ...run.tags.map(([key, value]) => {
          const remove = iconButton(
            'close',
            `Delete the tag ${key}`,
            () => {
              void guarded(remove, tagError, async () => {
                await change({ delete: [key] });
                addTag.focus({ preventScroll: true });
              });
            },
            { class: 'tnb-iconbutton tnb-edit' }
          );
          return h('span', { class: 'tnb-chip tnb-tag' }, h('span', {}, `${key}: ${value}`), remove);
        }),
        ...(run.tags.length ? [] : [h('span', { class: 'tnb-quiet' }, 'No tags.')])
      );
    }
    toggleSystem.hidden = run.systemTags.length === 0;
    setText(toggleSystem, systemTags.hidden ? `Show ${run.systemTags.length} tags of mlflow and tracknb` : 'Hide tags of mlflow and tracknb');
    toggleSystem.setAttribute('aria-expanded', String(!systemTags.hidden));
    if (!systemTags.hidden && changed('system', run.systemTags)) {
      systemTags.replaceChildren(h('div', { class: 'tnb-scroll', tabindex: '0' }, table(['Tag', 'Value'], run.systemTags)));
    }
  }

  const params = filteredTable('Params', ['Param', 'Value'], []);
  const metrics = filteredTable('Metrics', ['Metric', 'Last', 'Min', 'Max', 'Step', 'Points'], [1, 2, 3, 4, 5]);
  const dataBox = h('div', { class: 'tnb-scroll', tabindex: '0' });
  const dataSection = section('Data', [], dataBox);

  function drawTables(): void {
    if (changed('params', run.params)) {
      params.fill(run.params.map(([key, value]) => [{ text: key }, { text: value }]));
    }
    const sorted = [...run.series].sort((a, b) => Number(a.key.startsWith('system/')) - Number(b.key.startsWith('system/')));
    if (changed('metrics', sorted.map(({ key, last, last_step, min, min_step, max, max_step, count }) => [key, last, last_step, min, min_step, max, max_step, count]))) {
      metrics.fill(
        sorted.map(series => [
          { text: series.key },
          numberCell(series.last, series.last_step),
          numberCell(series.min, series.min_step),
          numberCell(series.max, series.max_step),
          { text: series.count ? String(series.last_step) : '' },
          { text: series.count ? String(series.count) : '' }
        ])
      );
    }
    dataSection.hidden = run.inputs.length === 0;
    if (changed('inputs', run.inputs)) {
      dataBox.replaceChildren(
        table(
          ['Name', 'Digest', 'Context', 'Source'],
          run.inputs.map(input => [input.name, input.digest, input.context, input.source])
        )
      );
    }
  }

  const note = h('div', { class: 'tnb-quiet' });
  const more = button('Load everything', () => void refresh(true), { class: 'tnb-edit' });
  const noteBar = h('div', { class: 'tnb-bar' }, note, more);
  const since = h('div');
  function drawSince(): void {
    if (changed('since', run.since ?? null)) {
      since.replaceChildren(...changesView(run.since));
    }
  }
  const outputSection = section('Outputs', []);
  function drawOutputs(): void {
    if (!changed('outputs', run.files.entries)) {
      return;
    }
    if (!outputs) {
      outputs = outputsView(run.id, run.files.entries, host, count => (outputSection.hidden = count === 0));
      outputSection.append(outputs.element);
    } else {
      outputs.update(run.files.entries);
    }
  }
  panels.overview.append(alerts, doubts, problem, trace, facts, since, outputSection, noteSection, tagSection, h('div', { class: 'tnb-sections' }, params.element, metrics.element), dataSection);

  // -- code -----------------------------------------------------------------------------

  const copyCode = copyButton('Copy', () => run.code, () => selectText(code));
  const codeTitle = h('span', { class: 'tnb-quiet' });
  const goTo = button('Go to cell', () => void host.cell?.goTo(place()));
  const restore = button('Restore into a new cell', () => void host.cell?.restore(place()));
  const code = h('pre', { class: 'tnb-source-code', tabindex: '0', 'aria-label': 'Code of the cell' });
  const earlierTitle = h('summary');
  const earlierCells = h('div');
  const earlier = h('details', {}, earlierTitle, earlierCells);
  panels.code.append(earlier, h('div', { class: 'tnb-bar' }, codeTitle, h('span', { class: 'tnb-push' }), ...(host.cell ? [goTo, restore] : []), copyCode), code);

  function drawCode(): void {
    if (!changed('code', [run.code, run.source, run.cells])) {
      return;
    }
    const lines = run.code.split('\n');
    goTo.hidden = !run.source.cell;
    setText(codeTitle, [run.source.name.split('/').pop(), run.source.count && `cell [${run.source.count}]`].filter(Boolean).join(', '));
    code.replaceChildren(...lines.slice(0, CODE_LINES).map(line => h('code', {}, `${line}\n`)));
    const cells = run.cells ?? [];
    earlier.hidden = cells.length === 0;
    setText(earlierTitle, cells.length === 1 ? 'One earlier cell that it depends on' : `${cells.length} earlier cells that it depends on, in their order`);
    earlierCells.replaceChildren(
      ...cells.flatMap(({ count, names, source }) => [
        h('div', { class: 'tnb-quiet' }, `${count ? `[${count}] ` : ''}for ${names.join(', ')}`),
        h('pre', { class: 'tnb-source-code', tabindex: '0', 'aria-label': `Code of an earlier cell ${count || ''}` }, source)
      ])
    );
  }

  // -- all of it --------------------------------------------------------------------------

  function draw(): void {
    if (changed('mark', run.status)) {
      mark.replaceChildren(statusMark(run.status), h('span', { class: 'tnb-sr' }, statusWord(run.status)));
      mark.title = statusWord(run.status);
    }
    swatch.style.background = runColor(run.color);
    setText(title, run.name);
    setText(experiment, `${run.experiment}${run.attempt && run.attempt > 1 ? `, attempt ${run.attempt}` : ''}${run.lifecycle === 'active' ? '' : `, ${run.lifecycle}`}`);
    tick();
    const drawable = run.series.filter(series => series.x.length > 1).length;
    setText(heads.curves, drawable ? `Curves ${drawable}` : 'Curves');
    const count = run.files.entries?.filter(entry => !entry.dir).length ?? 0;
    setText(heads.files, count ? `Files ${count}${run.files.cut ? '+' : ''}` : 'Files');
    heads.code.hidden = !run.code;
    heads.curves.hidden = heads.files.hidden = payload.partial ?? false;
    setText(alerts, run.systemTags.flatMap(([key, text]) => (key.startsWith(ALERT) ? [text] : [])).join('\n'));
    const word = run.grade ?? '';
    setText(grade, isDoubtful(word) ? `△ ${word}` : word);
    grade.title = run.doubts?.length ? run.doubts.join('\n') : 'Nothing was found that the notebook does not show.';
    setText(doubts, (run.doubts ?? []).join('\n'));
    setText(problem, run.error);
    problem.hidden = !run.error;
    setText(traceText, run.traceback);
    trace.hidden = !run.traceback;
    drawFacts();
    drawSince();
    drawOutputs();
    drawNote();
    drawTags();
    drawTables();
    drawCode();
    setText(note, payload.note);
    more.hidden = !payload.thinned || asked;
    noteBar.hidden = !payload.note;
    if (tabs.current === 'curves') {
      const shown = [{ id: run.id, name: run.name, color: run.color, start: run.start, series: run.series }];
      if (!curves) {
        curves = curvesView(shown);
        panels.curves.append(curves.element);
        drawn.set('curves', JSON.stringify(run.series));
      } else if (changed('curves', run.series)) {
        curves.update(shown);
      }
    }
    if (tabs.current === 'files') {
      if (!files) {
        files = filesView(run.id, run.files, host);
        panels.files.append(files.element);
      } else {
        files.update(run.files);
      }
    }
  }

  function tick(): void {
    const open = run.end === null && run.status === 'RUNNING';
    const length = run.start === null ? '' : open ? formatElapsed(now() - run.start) : formatDuration((run.end ?? now()) - run.start);
    setText(elapsed, length);
    if (running) {
      setText(running, length);
    }
    root.element.classList.toggle('tnb-nokernel', !hasKernel());
  }

  // -- following a run that is not over ----------------------------------------------------

  let isSeen = true;
  let asking = false;
  let next = 0;
  async function refresh(anyway = false): Promise<void> {
    if (asking || !host.ask || (!anyway && !hasKernel())) {
      return;
    }
    asking = true;
    const begun = Date.now();
    try {
      const answer = (await host.ask({ ask: 'run', id: run.id })) as unknown as RunPagePayload;
      if (answer.kind === 'run' && answer.run) {
        payload = answer;
        run = answer.run;
        offset = answer.now - Date.now();
        asked = true;
        draw();
      }
      // A page that is heavy to make is asked for less often.
      next = Date.now() + Math.max(EVERY, 3 * (Date.now() - begun));
    } catch (error) {
      next = Date.now() + AFTER_FAILURE;
      if (anyway) {
        setText(note, (error as Error).message);
      }
    } finally {
      asking = false;
    }
  }
  const timer = window.setInterval(() => {
    if (!isSeen || document.hidden || !root.element.isConnected) {
      return;
    }
    tick();
    if (run.status === 'RUNNING' && Date.now() >= next - 50) {
      void refresh();
    }
  }, EVERY);
  const watcher =
    typeof IntersectionObserver === 'undefined'
      ? undefined
      : new IntersectionObserver(entries => (isSeen = entries[entries.length - 1].isIntersecting));
  watcher?.observe(root.element);
  const sizes =
    typeof ResizeObserver === 'undefined'
      ? undefined
      : new ResizeObserver(entries => root.element.classList.toggle('tnb-narrow', entries[entries.length - 1].contentRect.width < NARROW));
  sizes?.observe(body);
  // A kernel may come or go while nothing else happens.
  root.element.addEventListener('pointerenter', tick);
  root.element.addEventListener('focusin', tick);

  body.append(head, tabs.strip, noteBar, ...Object.values(panels));
  tabs.show('overview');
  return {
    element: root.element,
    update(message: unknown) {
      const fresh = message as RunPagePayload;
      if (fresh?.kind === 'run' && fresh.run?.id === run.id) {
        payload = fresh;
        run = fresh.run;
        draw();
      }
    },
    destroy() {
      clearInterval(timer);
      watcher?.disconnect();
      sizes?.disconnect();
      curves?.destroy();
      files?.destroy();
      outputs?.destroy();
      root.destroy();
    }
  };
}

function section(title: string, tools: HTMLElement[], ...content: HTMLElement[]): HTMLElement {
  return h('section', { class: 'tnb-section' }, h('h4', {}, title, ...tools), ...content);
}

interface Cell {
  text: string;
  title?: string;
}

function numberCell(value: JsonNumber, step: number): Cell {
  const number = toNumber(value);
  return { text: formatNumber(number), title: number === undefined ? '' : `${fullNumber(number)}${Number.isFinite(step) ? ` at step ${step}` : ''}` };
}

function table(head: string[], rows: string[][]): HTMLElement {
  return h(
    'table',
    { class: 'tnb-table' },
    h('thead', {}, h('tr', {}, ...head.map(word => h('th', { scope: 'col' }, word)))),
    h('tbody', {}, ...rows.map(row => h('tr', {}, ...row.map(cell => h('td', {}, cell)))))
  );
}

/** A table whose rows can be searched when there are many. */
function filteredTable(title: string, head: string[], right: number[]): { element: HTMLElement; fill(rows: Cell[][]): void } {
  let all: Cell[][] = [];
  const filter = h('input', { type: 'search', class: 'tnb-push', placeholder: 'Find', 'aria-label': `Find in ${title}` });
  const body = h('tbody');
  const heads = head.map((word, at) => h('th', right.includes(at) ? { scope: 'col', class: 'tnb-n' } : { scope: 'col' }, word));
  const box = h('div', { class: 'tnb-scroll', tabindex: '0' }, h('table', { class: 'tnb-table' }, h('thead', {}, h('tr', {}, ...heads)), body));
  const nothing = h('div', { class: 'tnb-quiet' });
  const element = section(title, [filter], box, nothing);
  filter.style.width = '120px';
  const draw = () => {
    const words = filter.hidden ? '' : filter.value.toLowerCase();
    const rows = all.filter(row => row.slice(0, 2).some(cell => cell.text.toLowerCase().includes(words)));
    body.replaceChildren(
      ...rows.map(row =>
        h(
          'tr',
          {},
          ...row.map((cell, at) =>
            h('td', { ...(right.includes(at) ? { class: 'tnb-n' } : {}), ...(cell.title ? { title: cell.title } : {}) }, cell.text)
          )
        )
      )
    );
    box.hidden = rows.length === 0;
    setText(nothing, all.length === 0 ? `No ${title.toLowerCase()}.` : rows.length === 0 ? 'None is called so.' : '');
  };
  filter.addEventListener('input', draw);
  return {
    element,
    fill(rows) {
      all = rows;
      filter.hidden = rows.length <= FILTER_FROM;
      draw();
    }
  };
}

/** Do what a button asks the kernel for; what goes wrong is told beside it, and nothing that was typed is lost. */
async function guarded(pressed: HTMLButtonElement, error: HTMLElement, work: () => Promise<void>): Promise<void> {
  error.textContent = '';
  pressed.disabled = true;
  try {
    await work();
  } catch (problem) {
    error.textContent = (problem as Error).message;
  } finally {
    pressed.disabled = false;
  }
}

/** Enter, Escape and Control-Enter in a form. */
function keys(form: HTMLElement, onEnter: (() => void) | undefined, onEscape: () => void, onControlEnter = onEnter): void {
  form.addEventListener('keydown', event => {
    if (event.key === 'Escape') {
      onEscape();
    } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && onControlEnter) {
      onControlEnter();
    } else if (event.key === 'Enter' && onEnter && event.target instanceof HTMLInputElement) {
      onEnter();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
}
