/** The catalogue of experiments, and the page of one. */

import {
  about, changesOf, editOf, experimentsOf, facets, filterOf, inList, isLeft, isStarred, sortExperiments, stateOf,
  type CatalogueFilter, type Experiment, type ListName, type SortKey
} from './catalogue';
import { button, copyLine, h, icon, iconButton, setText } from './dom';
import { formatAgo, formatTime } from './format';
import { forOneView, trendOf } from './share';
import { copyViewButton, viewLine } from './state';
import { makeTabs, TABS_CSS } from './tabs';
import { makeRoot } from './theme';
import type { ExperimentPayload, ExperimentsPayload, Host, View } from './types';

/** A page of the list; more rows than this at once are slow to make and nobody reads them. */
const ROWS = 50;
const LISTS: Record<ListName, string> = { all: 'All', owned: 'Owned', starred: 'Starred' };

const CSS = `
${TABS_CSS}
.tracknb-view .tnb-catalogue { container-type: inline-size; }
.tracknb-view .tnb-lists { display: inline-flex; }
.tracknb-view .tnb-lists button { border-radius: 0; margin-left: -1px; }
.tracknb-view .tnb-lists button:first-child { border-radius: 2px 0 0 2px; margin-left: 0; }
.tracknb-view .tnb-lists button:last-child { border-radius: 0 2px 2px 0; }
.tracknb-view .tnb-lists button[aria-pressed=true] { background: var(--tnb-soft); border-color: var(--tnb-accent); z-index: 1; position: relative; }
.tracknb-view .tnb-split { display: grid; grid-template-columns: minmax(0, 1fr); gap: 8px; align-items: start; }
.tracknb-view .tnb-facets { display: flex; flex-wrap: wrap; gap: 8px 24px; border: 1px solid var(--tnb-line); padding: 8px; max-height: 240px; overflow: auto; }
.tracknb-view .tnb-facets[data-open=false] { display: none; }
.tracknb-view .tnb-facets fieldset { border: 0; margin: 0; padding: 0; min-width: 0; }
.tracknb-view .tnb-facets legend { padding: 0; font-weight: 600; max-width: 100%; overflow: hidden; text-overflow: ellipsis; }
.tracknb-view .tnb-facets div { max-height: 168px; overflow-y: auto; }
.tracknb-view .tnb-facets label { display: flex; gap: 6px; min-height: 22px; }
.tracknb-view .tnb-facets label span:first-of-type { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; flex: 0 1 auto; }
@container (min-width: 720px) {
  .tracknb-view .tnb-split:has(> .tnb-facets) { grid-template-columns: 168px minmax(0, 1fr); gap: 16px; }
  .tracknb-view .tnb-facets, .tracknb-view .tnb-facets[data-open=false] { display: grid; gap: 12px; border: 0; padding: 4px 0; max-height: 520px; }
  .tracknb-view .tnb-facetbutton { display: none; }
}
.tracknb-view .tnb-listbox { overflow: auto; max-height: 480px; border: 1px solid var(--tnb-line); }
.tracknb-view table.tnb-list { border-collapse: separate; border-spacing: 0; width: 100%; font-size: inherit; table-layout: auto; margin: 0; }
.tracknb-view table.tnb-list th, .tracknb-view table.tnb-list td { text-align: left; padding: 0 8px; height: 28px; border: 0; border-bottom: 1px solid var(--tnb-line); white-space: nowrap; vertical-align: middle; background: var(--tnb-bg); max-width: 280px; overflow: hidden; text-overflow: ellipsis; }
.tracknb-view table.tnb-list th { position: sticky; top: 0; z-index: 1; background: var(--tnb-bg2); border-bottom-color: var(--tnb-line2); font-weight: 600; }
.tracknb-view table.tnb-list tbody tr:last-child > td { border-bottom: 0; }
.tracknb-view table.tnb-list tbody tr:hover > td { background: var(--tnb-bg2); }
.tracknb-view table.tnb-list th button { padding: 0; border: 0; background: none; height: 27px; font-weight: 600; }
.tracknb-view table.tnb-list .tnb-number { text-align: right; font-variant-numeric: tabular-nums; }
.tracknb-view table.tnb-list td.tnb-tools, .tracknb-view table.tnb-list th.tnb-tools { width: 1%; padding: 0 4px; overflow: visible; position: sticky; right: 0; }
.tracknb-view table.tnb-list th.tnb-tools { z-index: 2; }
.tracknb-view .tnb-tools > span { display: inline-flex; gap: 2px; vertical-align: middle; }
.tracknb-view table.tnb-list th.tnb-text { min-width: 120px; }
.tracknb-view table.tnb-list td.tnb-text { width: 100%; max-width: 0; }
.tracknb-view table.tnb-list td.tnb-labels { max-width: 216px; }
@container (max-width: 559px) {
  .tracknb-view table.tnb-list .tnb-aside { display: none; }
  .tracknb-view table.tnb-list td.tnb-labels { max-width: 88px; }
  .tracknb-view table.tnb-list td:first-child { max-width: 116px; }
  .tracknb-view .tnb-catalogue input[type=search] { flex: 1 1 140px; }
}
.tracknb-view table.tnb-list .tnb-name { font-weight: 600; color: var(--tnb-accent); max-width: 100%; }
.tracknb-view table.tnb-list td .tnb-chip { vertical-align: middle; margin-right: 4px; }
.tracknb-view table.tnb-list td.tnb-wide { white-space: normal; max-width: none; padding: 8px; background: var(--tnb-bg2); }
.tracknb-view .tnb-starred { color: var(--tnb-accent); }
.tracknb-view .tnb-editor { display: grid; grid-template-columns: max-content minmax(0, 480px); gap: 6px 12px; align-items: start; }
.tracknb-view .tnb-editor label { font-weight: 400; min-height: 24px; }
.tracknb-view .tnb-editor input, .tracknb-view .tnb-editor textarea { width: 100%; font: inherit; color: inherit; background: var(--tnb-bg); border: 1px solid var(--tnb-line2); border-radius: 2px; padding: 1px 6px; min-height: 24px; }
.tracknb-view .tnb-editor textarea { min-height: 64px; resize: vertical; }
.tracknb-view .tnb-editor > div:last-child { grid-column: 2; display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
.tracknb-view .tnb-says { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 4px 16px; margin: 0; }
.tracknb-view .tnb-says dt { float: none; width: auto; font-weight: 400; color: var(--tnb-fg2); white-space: nowrap; }
.tracknb-view .tnb-says dd { float: none; width: auto; margin: 0; padding: 0; overflow: auto; max-height: 240px; overflow-wrap: anywhere; white-space: pre-wrap; }
.tracknb-view .tnb-about { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 8px 32px; padding: 8px 0; }
.tracknb-view .tnb-about h4 { margin: 0 0 4px; font-size: inherit; line-height: 20px; font-weight: 600; }
.tracknb-view .tracknb-view { padding: 0; }
`;

/** The form in which a person writes what an experiment is. */
function editor(experiment: Experiment, save: (set: Record<string, string>, gone: string[]) => Promise<void>, close: () => void): HTMLElement {
  const edit = editOf(experiment.tags);
  const description = h('textarea', { rows: '3' });
  description.value = edit.description;
  const field = (value: string, hint = '') => {
    const input = h('input', { type: 'text', placeholder: hint });
    input.value = value;
    return input;
  };
  const owner = field(edit.owner);
  const lifecycle = field(edit.lifecycle, 'experimental, production, deprecated');
  const words = field(edit.words, 'machine-learning, demo');
  const problem = h('span', { class: 'tnb-error', role: 'alert' });
  const form = h('form', { class: 'tnb-editor', 'aria-label': `Edit ${experiment.name}` });
  const rows: [string, HTMLElement][] = [['Description', description], ['Owner', owner], ['Lifecycle', lifecycle], ['Tags', words]];
  for (const [label, control] of rows) {
    control.id = `tnb-edit-${experiment.id}-${label}-${Math.random().toString(36).slice(2)}`;
    form.append(h('label', { for: control.id }, label), control);
  }
  const ok = h('button', { type: 'submit' }, 'Save');
  form.append(h('div', {}, ok, button('Cancel', close), problem));
  form.addEventListener('submit', event => {
    event.preventDefault();
    const { set, delete: gone } = changesOf(experiment.tags, {
      description: description.value, owner: owner.value, lifecycle: lifecycle.value, words: words.value
    });
    ok.disabled = true;
    setText(problem, '');
    save(set, gone).then(close, error => {
      ok.disabled = false;
      setText(problem, (error as Error).message);
    });
  });
  form.addEventListener('keydown', event => {
    if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  });
  return form;
}

/** Change tags in the store; the experiment then holds what the store says. */
async function change(host: Host, experiment: Experiment, set: Record<string, string>, gone: string[]): Promise<void> {
  if (!host.ask) {
    throw new Error('No kernel is running, so nothing can be changed.');
  }
  if (Object.keys(set).length || gone.length) {
    const answer = await host.ask({ ask: 'change_experiment', id: experiment.id, set, delete: gone });
    experiment.tags = answer.tags as Record<string, string>;
  }
}

/** The star: a switch where a kernel can keep it, else a mark. */
function starOf(host: Host, experiment: Experiment, star: string, done: () => void, failed: (text: string) => void): HTMLElement {
  const on = isStarred(experiment, star);
  if (!host.ask) {
    const mark = h('span', on ? { class: 'tnb-starred', role: 'img', 'aria-label': 'Starred', title: 'Starred' } : {});
    if (on) {
      mark.append(icon('star', true));
    }
    return mark;
  }
  const toggle = iconButton(
    'star',
    `Star ${experiment.name}`,
    () => {
      toggle.disabled = true;
      change(host, experiment, on ? {} : { [star]: 'true' }, on ? [star] : []).then(done, error => {
        toggle.disabled = false;
        failed((error as Error).message);
      });
    },
    { 'aria-pressed': String(on), title: on ? 'Starred; click to take the star back' : 'Star', 'data-key': `star:${experiment.id}` },
    on
  );
  toggle.classList.toggle('tnb-starred', on);
  return toggle;
}

export function experimentsView(payload: ExperimentsPayload, host: Host = {}): View {
  const root = makeRoot(undefined, CSS);
  const { star, user, now } = payload;
  const all = experimentsOf(payload.data, payload.locationBase);
  if (!all.length) {
    root.element.append(
      h(
        'div',
        { class: 'tnb-empty' },
        h('div', {}, 'No experiments yet'),
        h('div', { class: 'tnb-quiet' }, 'Put this line at the top of a cell and run it:'),
        copyLine('%%track_run --experiment my-experiment')
      )
    );
    return { element: root.element, destroy: root.destroy };
  }
  const filter: CatalogueFilter = filterOf(host.state);
  let sort: { key: SortKey; descending: boolean } | undefined = readSort(host.state?.sort);
  let limit = ROWS;
  let editing: string | undefined;
  // Kept while it is open: a redraw must not lose what somebody writes.
  let form: { id: string; element: HTMLElement } | undefined;

  const input = h('input', { type: 'search', placeholder: 'Name or description', 'aria-label': 'Filter experiments by text' });
  input.value = filter.text;
  input.addEventListener('input', () => {
    filter.text = input.value;
    draw();
  });
  const clear = button('Clear', () => {
    filter.labels.clear();
    filter.owners.clear();
    filter.lives.clear();
    filter.text = input.value = '';
    draw();
    input.focus();
  });
  const lists = h('span', { class: 'tnb-lists', role: 'group', 'aria-label': 'Experiments' });
  const listButtons = (Object.keys(LISTS) as ListName[]).map(name => {
    const made = button(LISTS[name], () => {
      filter.list = name;
      draw();
    });
    lists.append(made);
    return [name, made] as const;
  });
  const side = h('div', { class: 'tnb-facets', role: 'group', 'aria-label': 'Filters', 'data-open': 'false' });
  const more = button('Filters', () => {
    const open = side.getAttribute('data-open') !== 'true';
    side.setAttribute('data-open', String(open));
    more.setAttribute('aria-expanded', String(open));
  }, { class: 'tnb-facetbutton', 'aria-expanded': 'false' });
  const title = h('span', { class: 'tnb-title', role: 'status', 'aria-live': 'polite' });
  const problem = h('div', { class: 'tnb-error', role: 'alert' });
  const head = h('tr');
  const body = h('tbody');
  const table = h('table', { class: 'tnb-list' }, h('thead', {}, head), body);
  const scroll = h('div', { class: 'tnb-listbox', tabindex: '0', role: 'group', 'aria-label': 'Table of experiments' }, table);
  const nothing = h('div', { class: 'tnb-empty' });
  const showMore = button('', () => {
    limit += ROWS * 4;
    draw();
  });
  const bar = h('div', { class: 'tnb-bar' }, lists, input, more, clear);
  if (!host.inside) {
    bar.append(h('span', { class: 'tnb-push' }), copyViewButton(() => viewLine('experiments', state())));
  }

  // What a narrow output leaves out stands on the experiment's page.
  const CLASSES: Record<string, string> = {
    Lifecycle: 'tnb-aside', Description: 'tnb-text tnb-aside', Runs: 'tnb-number', 'Last run': 'tnb-aside', Actions: 'tnb-tools'
  };
  const COLUMNS: [string, SortKey | undefined][] = [
    ['Name', 'name'], ['Owner', 'owner'], ['Lifecycle', 'lifecycle'], ['Description', undefined], ['Tags', undefined],
    ['Runs', 'runs'], ['Last run', 'last'], ['Actions', undefined]
  ];
  function drawHead(): void {
    head.replaceChildren(
      ...COLUMNS.map(([label, key]) => {
        const cell = h('th', { scope: 'col', class: CLASSES[label] ?? '' });
        if (!key) {
          cell.append(label === 'Actions' ? h('span', { class: 'tnb-sr' }, label) : label);
          return cell;
        }
        const on = sort?.key === key;
        cell.setAttribute('aria-sort', on ? (sort!.descending ? 'descending' : 'ascending') : 'none');
        cell.append(
          button(on ? `${label} ${sort!.descending ? '↓' : '↑'}` : label, () => {
            sort = !on ? { key, descending: key === 'runs' || key === 'last' } : sort!.descending === (key === 'runs' || key === 'last') ? { key, descending: !sort!.descending } : undefined;
            draw();
          }, { 'data-key': `sort:${key}` })
        );
        return cell;
      })
    );
  }

  function drawFacets(): void {
    side.replaceChildren(
      ...facets(all).map(facet => {
        const box = h('div');
        for (const { value, shown, count } of facet.values) {
          const tick = h('input', { type: 'checkbox', 'data-key': `facet:${facet.kind}:${value}` });
          tick.checked = filter[facet.kind].has(value);
          tick.addEventListener('change', () => {
            if (tick.checked) {
              filter[facet.kind].add(value);
            } else {
              filter[facet.kind].delete(value);
            }
            draw();
          });
          box.append(h('label', { title: shown }, tick, h('span', {}, shown), h('span', { class: 'tnb-quiet tnb-num' }, String(count))));
        }
        return h('fieldset', {}, h('legend', { title: facet.title }, facet.title), box);
      })
    );
    side.hidden = more.hidden = side.childElementCount === 0;
  }

  function open(experiment: Experiment): void {
    host.open?.({ page: 'experiment', id: experiment.id }, alone(payload, all.indexOf(experiment), experiment));
  }

  function rowOf(experiment: Experiment): HTMLElement[] {
    const facts = about(experiment.tags);
    const cell = (text: string, attributes: Record<string, string> = {}) => h('td', { title: text, ...attributes }, text);
    const name = button(experiment.name, () => open(experiment), { class: 'tnb-link tnb-name', title: experiment.name, 'data-key': `name:${experiment.id}` });
    const tags = h('td', { class: 'tnb-labels', title: facts.labels.join(', ') });
    for (const each of facts.labels) {
      tags.append(
        button(each, () => {
          filter.labels.add(each);
          draw();
        }, { class: 'tnb-chip', title: `Show experiments with ${each}`, 'aria-pressed': String(filter.labels.has(each)) })
      );
    }
    const actions = h('span', {}, iconButton('right', `Open ${experiment.name}`, () => open(experiment), { 'data-key': `open:${experiment.id}` }));
    if (host.ask) {
      actions.append(
        iconButton('pencil', `Edit ${experiment.name}`, () => {
          editing = editing === experiment.id ? undefined : experiment.id;
          form = undefined;
          draw();
          body.querySelector<HTMLElement>('.tnb-editor textarea')?.focus();
        }, { 'data-key': `edit:${experiment.id}`, 'aria-expanded': String(editing === experiment.id) })
      );
    }
    actions.append(starOf(host, experiment, star, draw, text => setText(problem, text)));
    const rows = [
      h(
        'tr',
        {},
        h('td', {}, name),
        cell(facts.owner),
        cell(facts.lifecycle, { class: CLASSES.Lifecycle }),
        cell(facts.description, { class: CLASSES.Description }),
        tags,
        h('td', { class: 'tnb-number' }, String(experiment.runs)),
        h('td', { class: CLASSES['Last run'], title: formatTime(experiment.lastRun ?? undefined) }, formatAgo(experiment.lastRun ?? undefined, now)),
        h('td', { class: 'tnb-tools' }, actions)
      )
    ];
    if (editing === experiment.id) {
      const close = () => {
        editing = form = undefined;
        drawFacets();
        draw();
        body.querySelector<HTMLElement>(`[data-key="${CSS_ESCAPE(`edit:${experiment.id}`)}"]`)?.focus();
      };
      if (form?.id !== experiment.id) {
        form = { id: experiment.id, element: editor(experiment, (set, gone) => change(host, experiment, set, gone), close) };
      }
      rows.push(h('tr', {}, h('td', { class: 'tnb-wide', colspan: String(COLUMNS.length) }, form.element)));
    }
    return rows;
  }

  function draw(): void {
    const active = root.element.contains(document.activeElement) ? document.activeElement?.getAttribute('data-key') : null;
    setText(problem, '');
    for (const [name, made] of listButtons) {
      setText(made, `${LISTS[name]} ${all.filter(each => inList(each, name, user, star)).length}`);
      made.setAttribute('aria-pressed', String(filter.list === name));
    }
    let shown = all.filter(each => isLeft(each, filter, user, star));
    if (sort) {
      shown = sortExperiments(shown, sort.key, sort.descending);
    }
    setText(title, `${LISTS[filter.list]} (${shown.length})`);
    for (const tick of side.querySelectorAll<HTMLInputElement>('input')) {
      const [, kind, ...rest] = tick.getAttribute('data-key')!.split(':');
      tick.checked = filter[kind as 'labels'].has(rest.join(':'));
    }
    clear.disabled = !filter.text.trim() && !filter.labels.size && !filter.owners.size && !filter.lives.size;
    drawHead();
    body.replaceChildren(...shown.slice(0, limit).flatMap(rowOf));
    scroll.hidden = shown.length === 0;
    nothing.hidden = shown.length > 0;
    setText(nothing, filter.list === 'starred' && clear.disabled
      ? 'No experiment is starred yet. Click the star of one.'
      : filter.list === 'owned' && clear.disabled
        ? `No experiment is owned by ${user}: none has this owner, or runs of this user.`
        : 'No experiment matches the filters.');
    showMore.hidden = shown.length <= limit;
    setText(showMore, `Show ${Math.min(ROWS * 4, shown.length - limit)} more of ${shown.length}`);
    if (active) {
      root.element.querySelector<HTMLElement>(`[data-key="${CSS_ESCAPE(active)}"]`)?.focus({ preventScroll: true });
    }
  }

  function state(): Record<string, string> {
    return { ...stateOf(filter), sort: sort ? (sort.descending ? '-' : '') + sort.key : '' };
  }

  const main = h('div', {}, h('div', { class: 'tnb-bar' }, title), problem, scroll, nothing, h('div', { class: 'tnb-bar' }, showMore));
  drawFacets();
  const split = h('div', { class: 'tnb-split' });
  if (!side.hidden) {
    split.append(side);
  }
  split.append(main);
  root.element.append(h('div', { class: 'tnb-catalogue' }, bar, split), h('div', { class: 'tnb-quiet' }, payload.note));
  draw();
  return { element: root.element, state, destroy: root.destroy };
}

/** A value inside a quoted attribute selector. */
const CSS_ESCAPE = (text: string) => text.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\a ');

function readSort(text: string | undefined): { key: SortKey; descending: boolean } | undefined {
  const key = text?.replace(/^-/, '');
  return key && ['name', 'owner', 'lifecycle', 'runs', 'last'].includes(key)
    ? { key: key as SortKey, descending: text!.startsWith('-') }
    : undefined;
}

/** The page of one experiment, from what the catalogue knows of it. */
function alone(payload: ExperimentsPayload, row: number, experiment: Experiment): ExperimentPayload {
  const { data } = payload;
  return {
    ...payload,
    kind: 'experiment',
    note: '',
    stage: 'active',
    runs: null,
    data: {
      id: [experiment.id],
      name: [experiment.name],
      runs: [experiment.runs],
      mine: [data.mine[row]],
      lastRun: [experiment.lastRun],
      created: [experiment.created],
      location: [data.location[row]],
      tags: [experiment.tags]
    }
  };
}

type ExperimentTab = 'overview' | 'runs' | 'trends';

export function experimentView(
  payload: ExperimentPayload,
  host: Host,
  make: (payload: unknown, host: Host) => View
): View {
  const root = makeRoot(undefined, CSS);
  const [experiment] = experimentsOf(payload.data, payload.locationBase);
  const inside: Host = { ...host, inside: true, state: undefined };
  const children = new Map<ExperimentTab, View>();
  const problem = h('div', { class: 'tnb-error', role: 'alert' });
  const head = h('div', { class: 'tnb-bar' });
  let editing = false;

  const tabs = makeTabs<ExperimentTab>(
    `Experiment ${experiment.name}`,
    [['overview', 'Overview'], ['runs', 'Latest Runs'], ['trends', 'Metric Trends']],
    id => {
      if (id !== 'overview' && !children.has(id)) {
        if (!payload.runs) {
          tabs.panels[id].replaceChildren(
            h('div', { class: 'tnb-empty' }, 'The runs of this experiment are not in this output. With a kernel, this line shows them:', copyLine(viewLine('runs', { e: experiment.name })))
          );
          return;
        }
        const runs = forOneView(payload.runs);
        const child = make(id === 'runs' ? runs : trendOf(runs), inside);
        children.set(id, child);
        tabs.panels[id].append(child.element);
      }
    }
  );

  function drawHead(): void {
    head.replaceChildren(
      h('span', { class: 'tnb-title' }, experiment.name),
      starOf(host, experiment, payload.star, () => {
        drawHead();
        head.querySelector<HTMLElement>('[aria-pressed]')?.focus();
      }, text => setText(problem, text)),
      h('span', { class: 'tnb-push' }),
      copyViewButton(() => viewLine('experiment', { e: experiment.name, tab: tabs.current === 'overview' ? '' : tabs.current }))
    );
  }

  function drawOverview(): void {
    const facts = about(experiment.tags);
    const list = (pairs: [string, string | HTMLElement][]) =>
      h('dl', { class: 'tnb-says' }, ...pairs.flatMap(([key, value]) => [h('dt', {}, key), h('dd', {}, value || '–')]));
    const chips = facts.labels.length
      ? h('span', { class: 'tnb-chips' }, ...facts.labels.map(each => h('span', { class: 'tnb-chip', title: each }, each)))
      : '';
    const aboutHead = h('h4', {}, 'About ');
    const edit = iconButton('pencil', `Edit ${experiment.name}`, () => {
      editing = true;
      drawOverview();
      tabs.panels.overview.querySelector('textarea')?.focus();
    });
    if (host.ask && !editing) {
      aboutHead.append(edit);
      edit.style.verticalAlign = 'middle';
    }
    const close = () => {
      editing = false;
      drawOverview();
      tabs.panels.overview.querySelector<HTMLElement>('h4 button')?.focus();
    };
    const left = editing
      ? editor(experiment, (set, gone) => change(host, experiment, set, gone), close)
      : list([['Description', facts.description], ['Owner', facts.owner], ['Lifecycle', facts.lifecycle], ['Tags', chips]]);
    tabs.panels.overview.replaceChildren(
      h(
        'div',
        { class: 'tnb-about' },
        h('section', {}, aboutHead, left),
        h(
          'section',
          {},
          h('h4', {}, 'Details'),
          list([
            ['Lifecycle stage', payload.stage],
            ['Number of runs', String(experiment.runs)],
            ['Last run', experiment.lastRun === null ? '' : `${formatAgo(experiment.lastRun, payload.now)} (${formatTime(experiment.lastRun)})`],
            ['Created', formatTime(experiment.created ?? undefined)],
            ['Artifact location', experiment.location],
            ['Experiment ID', experiment.id]
          ])
        )
      )
    );
  }

  drawHead();
  drawOverview();
  root.element.append(head, tabs.strip, problem, tabs.panels.overview, tabs.panels.runs, tabs.panels.trends);
  const wanted = host.state?.tab;
  tabs.show(wanted === 'runs' || wanted === 'trends' ? wanted : 'overview');
  return {
    element: root.element,
    state: () => ({ e: experiment.name, tab: tabs.current === 'overview' ? '' : tabs.current }),
    destroy() {
      children.forEach(child => child.destroy());
      root.destroy();
    }
  };
}
