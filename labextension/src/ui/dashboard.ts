/** The dashboard: experiments, the runs of one, their trend and a comparison as tabs; pages open on top. */

import { compareFromRows } from './compared';
import { copyLine, h } from './dom';
import { forOneView, trendOf } from './share';
import { copyViewButton, viewLine, type ViewName } from './state';
import { makeTabs, TABS_CSS } from './tabs';
import { makeRoot } from './theme';
import type { DashboardPayload, Host, RunsPayload, Target, View } from './types';

const CSS = `
${TABS_CSS}
.tracknb-view .tracknb-view { padding: 0; }
.tracknb-view .tnb-dashhead { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; border-bottom: 1px solid var(--tnb-line); margin-bottom: 4px; }
.tracknb-view .tnb-dashhead > .tnb-tabs { flex: 1 0 auto; max-width: 100%; border: 0; margin: 0 0 -1px; }
.tracknb-view .tnb-dashhead > .tnb-copy { margin: 0; }
.tracknb-view .tnb-waiting { padding: 16px; color: var(--tnb-fg2); }
`;

type Tab = 'experiments' | 'runs' | 'trend' | 'compare';
const TABS: readonly (readonly [Tab, string])[] = [
  ['experiments', 'Experiments'], ['runs', 'Runs'], ['trend', 'Trend'], ['compare', 'Compare']
];

export function dashboardView(
  payload: DashboardPayload,
  host: Host,
  make: (payload: unknown, host: Host) => View
): View {
  const root = makeRoot(undefined, CSS);
  // One copy of the runs of an experiment, for the table and the trend.
  const known = new Map<string, RunsPayload>(Object.entries(payload.others ?? {}));
  if (payload.runs && payload.experiment !== null) {
    known.set(payload.experiment, payload.runs);
  }
  const children: Partial<Record<Tab, View>> = {};
  const begin: Partial<Record<Tab, Record<string, string>>> = {};
  let experiment = payload.experiment;
  let ids: string[] = [];
  let compared = '';
  let metric: string | undefined;

  const names = [...new Set([...payload.catalogue.data.name, ...(experiment === null ? [] : [experiment])])];
  // The tables and the trend speak of the same experiment, so each tab has the same choice on top.
  const selects: HTMLSelectElement[] = [];
  const chooser = () => {
    const select = h('select', { 'aria-label': 'Experiment' }, ...names.map(name => h('option', { value: name }, name)));
    select.addEventListener('change', () => choose(select.value));
    selects.push(select);
    return h('div', { class: 'tnb-bar' }, h('label', {}, 'Experiment', select));
  };

  const tabs = makeTabs<Tab>('Dashboard', TABS, show);
  const places = { runs: h('div'), trend: h('div'), compare: h('div'), experiments: h('div') };
  tabs.panels.runs.append(chooser(), places.runs);
  tabs.panels.trend.append(chooser(), places.trend);
  tabs.panels.compare.append(places.compare);
  tabs.panels.experiments.append(places.experiments);

  const inside = (tab: Tab): Host => {
    const state = begin[tab];
    delete begin[tab];
    return {
      ...host,
      inside: true,
      state,
      onSelect(chosen) {
        ids = chosen;
        host.onSelect?.(chosen);
      },
      open
    };
  };

  function open(target: Target, saved?: Parameters<NonNullable<Host['open']>>[1]): void {
    if ((target.page === 'runs' || target.page === 'trend') && target.experiment !== null) {
      metric = target.page === 'trend' ? target.metric : metric;
      choose(target.experiment);
      tabs.show(target.page);
    } else if (target.page === 'compare') {
      ids = target.ids;
      tabs.show('compare');
    } else if (target.page === 'run') {
      host.open?.(target, saved ?? payload.pages?.[target.id]);
    } else if (target.page === 'experiment' && saved?.kind === 'experiment') {
      host.open?.(target, { ...saved, runs: known.get(saved.data.name[0]) ?? null });
    } else {
      host.open?.(target, saved);
    }
  }

  function choose(name: string): void {
    if (name === experiment) {
      return;
    }
    experiment = name;
    ids = [];
    drop('runs');
    drop('trend');
    show(tabs.current);
  }

  function drop(tab: Tab): void {
    children[tab]?.destroy();
    delete children[tab];
    places[tab].replaceChildren();
  }

  function put(tab: Tab, made: View): void {
    drop(tab);
    children[tab] = made;
    places[tab].append(made.element);
  }

  const say = (tab: Tab, text: string, line?: string, role = 'status') =>
    places[tab].replaceChildren(h('div', { class: 'tnb-empty', role }, h('div', {}, text), ...(line ? [copyLine(line)] : [])));

  function show(tab: Tab): void {
    for (const select of selects) {
      select.value = experiment ?? '';
    }
    if (tab === 'experiments') {
      children.experiments ?? put(tab, make(payload.catalogue, inside(tab)));
    } else if (tab === 'compare') {
      void compare();
    } else if (!children[tab]) {
      void fill(tab);
    }
  }

  /** Draw a tab of the experiment, asking for its runs if they are not here. */
  async function fill(tab: 'runs' | 'trend'): Promise<void> {
    const wanted = experiment;
    if (wanted === null) {
      say(tab, 'No runs yet. Put this line at the top of a cell and run it:', '%%track_run --experiment my-experiment');
      return;
    }
    if (!known.has(wanted)) {
      const line = viewLine(tab, { e: wanted });
      if (!host.ask) {
        say(tab, `The runs of ${wanted} are not in this page. In a notebook this line shows them:`, line);
        return;
      }
      const waiting = h('div', { class: 'tnb-waiting', role: 'status' }, `Loading the runs of ${wanted} …`);
      places[tab].replaceChildren(waiting);
      try {
        known.set(wanted, (await host.ask({ ask: 'runs', experiment: wanted })) as unknown as RunsPayload);
      } catch (error) {
        if (wanted === experiment) {
          say(tab, `${(error as Error).message} This line shows the runs of ${wanted}:`, line, 'alert');
        }
        return;
      }
    }
    // Meanwhile another experiment may have been chosen, or the tab left.
    if (wanted === experiment && tab === tabs.current && !children[tab]) {
      const runs = forOneView(known.get(wanted)!);
      put(tab, make(tab === 'runs' ? runs : trendOf(runs, metric), inside(tab)));
    }
  }

  async function compare(): Promise<void> {
    const key = ids.join();
    if (ids.length < 2) {
      drop('compare');
      compared = '';
      say('compare', 'Tick two or more runs in the Runs tab to compare them here.');
      return;
    }
    if (key === compared) {
      return;
    }
    compared = key;
    // Other runs are looked at in the same tab as the ones before.
    begin.compare ??= children.compare?.state?.();
    drop('compare');
    const line = `%track compare ${ids.map(id => id.slice(0, 8)).join(' ')}`;
    // What this page knows of the runs, for when no kernel tells more.
    const here = [...known.values()].find(runs => ids.every(id => runs.data.id.includes(id)));
    const small = here && compareFromRows(here.data, ids.map(id => here.data.id.indexOf(id)), here);
    if (!host.ask) {
      if (small) {
        put('compare', make(small, inside('compare')));
      } else {
        say('compare', 'A comparison needs a kernel. In a notebook this line makes it:', line);
      }
      return;
    }
    places.compare.replaceChildren(h('div', { class: 'tnb-waiting', role: 'status' }, `Loading ${ids.length} runs …`));
    try {
      const answer = await host.ask({ ask: 'compare', ids });
      if (key === compared) {
        put('compare', make(answer, inside('compare')));
      }
    } catch (error) {
      if (key === compared && small) {
        put('compare', make(small, inside('compare')));
      } else if (key === compared) {
        compared = '';
        say('compare', `${(error as Error).message} This line makes the comparison:`, line, 'alert');
      }
    }
  }

  function state(): Record<string, string> {
    const tab = tabs.current;
    const own = { ...children[tab]?.state?.() };
    if ((tab === 'runs' || tab === 'trend') && experiment !== null) {
      own.e = experiment;
    }
    if (tab === 'compare') {
      own.ids = ids.join(',');
    }
    return own;
  }

  root.element.append(
    h('div', { class: 'tnb-dashhead' }, tabs.strip, copyViewButton(() => viewLine(tabs.current, state(), true))),
    ...TABS.map(([tab]) => tabs.panels[tab])
  );

  const parts = host.state ?? {};
  const view = payload.stateView as ViewName | null | undefined;
  const first: Tab = TABS.some(([tab]) => tab === view)
    ? (view as Tab)
    : view === 'experiment' || !(payload.runs && payload.runs.total > 0) ? 'experiments' : 'runs';
  begin[first] = { ...parts };
  if (first === 'compare') {
    ids = (parts.ids ?? '').split(',').filter(id => /^[0-9a-f]{4,64}$/.test(id));
  }
  metric = first === 'trend' ? parts.metric : undefined;
  tabs.show(first);
  if (view === 'run' && /^\w{1,64}$/.test(parts.id ?? '')) {
    open({ page: 'run', id: parts.id });
  } else if (view === 'experiment' && parts.e) {
    const row = payload.catalogue.data.name.indexOf(parts.e);
    if (row >= 0) {
      open({ page: 'experiment', id: payload.catalogue.data.id[row] });
    }
  }
  return {
    element: root.element,
    state,
    destroy() {
      for (const [tab] of TABS) {
        drop(tab);
      }
      root.destroy();
    }
  };
}
