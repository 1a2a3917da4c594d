/** What experiments say of themselves, and which are shown. No DOM. Python has the same in view/experiments.py. */

import { joined, separated } from './state';
import type { ExperimentData, ViewState } from './types';

const NOTE = 'mlflow.note.content';
const DESCRIPTION = 'description';
const OWNER = 'owner';
const LIFECYCLE = 'lifecycle';
const WORDS = 'tags';
const KNOWN = new Set([DESCRIPTION, OWNER, LIFECYCLE, WORDS]);
const HIDDEN = /^(mlflow|tracknb)\./;

export interface Experiment {
  id: string;
  name: string;
  runs: number;
  mine: boolean;
  lastRun: number | null;
  created: number | null;
  location: string;
  tags: Record<string, string>;
}

export interface About {
  description: string;
  owner: string;
  lifecycle: string;
  /** Tags that are only a word. */
  words: string[];
  /** Every other tag of a user's own, as key and value. */
  others: [string, string][];
  /** Both as they are shown and ticked. */
  labels: string[];
}

export type ListName = 'all' | 'owned' | 'starred';

export interface CatalogueFilter {
  list: ListName;
  text: string;
  labels: Set<string>;
  owners: Set<string>;
  lives: Set<string>;
}

const label = (key: string, value: string) => `${key}: ${value}`;

/** Tags are replaced and never changed, so what they say is read once and not at every letter that is typed. */
const read = new WeakMap<Record<string, string>, About>();

/** What an experiment's tags say of it. */
export function about(tags: Record<string, string>): About {
  const known = read.get(tags) ?? saidBy(tags);
  read.set(tags, known);
  return known;
}

function saidBy(tags: Record<string, string>): About {
  const words = (tags[WORDS] ?? '').split(',').map(word => word.trim()).filter(Boolean);
  const others = Object.entries(tags)
    .filter(([key]) => !KNOWN.has(key) && !HIDDEN.test(key))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    description: tags[NOTE] || tags[DESCRIPTION] || '',
    owner: tags[OWNER] || tags['mlflow.user'] || '',
    lifecycle: tags[LIFECYCLE] ?? '',
    words,
    others,
    labels: [...new Set([...words, ...others.map(([key, value]) => label(key, value))])]
  };
}

/** The rows of the columns that travelled. */
export function experimentsOf(data: ExperimentData, locationBase: string): Experiment[] {
  return data.id.map((id, row) => ({
    id,
    name: data.name[row],
    runs: data.runs[row],
    mine: data.mine[row] === 1,
    lastRun: data.lastRun[row],
    created: data.created[row],
    location: locationBase + data.location[row],
    tags: data.tags[row]
  }));
}

export const isStarred = (experiment: Experiment, star: string) => experiment.tags[star] === 'true';

/** By its owner, or by runs where nobody is named as owner. */
export function isOwned(experiment: Experiment, user: string): boolean {
  const { owner } = about(experiment.tags);
  return owner ? owner === user : experiment.mine;
}

export function inList(experiment: Experiment, list: ListName, user: string, star: string): boolean {
  return list === 'owned' ? isOwned(experiment, user) : list === 'starred' ? isStarred(experiment, star) : true;
}

/**
 * Whether an experiment is shown: every word that is ticked is among its tags; of the ticked
 * values of another key, of the owners and of the lifecycles it has one.
 */
export function isLeft(experiment: Experiment, filter: CatalogueFilter, user: string, star: string): boolean {
  if (!inList(experiment, filter.list, user, star)) {
    return false;
  }
  const facts = about(experiment.tags);
  const words = `${experiment.name}\n${facts.description}`.toLowerCase();
  if (!filter.text.toLowerCase().split(/\s+/).every(word => words.includes(word))) {
    return false;
  }
  const byKey = new Map<string, boolean>();
  for (const each of filter.labels) {
    const has = facts.labels.includes(each);
    const place = each.indexOf(': ');
    const key = place < 0 ? each : each.slice(0, place + 1);
    byKey.set(key, has || (byKey.get(key) ?? false));
  }
  return (
    [...byKey.values()].every(Boolean) &&
    (filter.owners.size === 0 || filter.owners.has(facts.owner)) &&
    (filter.lives.size === 0 || filter.lives.has(facts.lifecycle))
  );
}

export interface Facet {
  title: string;
  kind: 'labels' | 'owners' | 'lives';
  /** What is ticked, what is read, and how many experiments have it; the most frequent first. */
  values: { value: string; shown: string; count: number }[];
}

/** What experiments can be filtered by: owners, lifecycles, words, and every other key. */
export function facets(experiments: Experiment[]): Facet[] {
  const found = new Map<string, { title: string; kind: Facet['kind']; counts: Map<string, [string, number]> }>();
  const note = (id: string, title: string, kind: Facet['kind'], value: string, shown: string) => {
    const facet = found.get(id) ?? { title, kind, counts: new Map<string, [string, number]>() };
    found.set(id, facet);
    facet.counts.set(value, [shown, (facet.counts.get(value)?.[1] ?? 0) + 1]);
  };
  for (const experiment of experiments) {
    const facts = about(experiment.tags);
    if (facts.owner) {
      note(' owner', 'Owner', 'owners', facts.owner, facts.owner);
    }
    if (facts.lifecycle) {
      note(' lifecycle', 'Lifecycle', 'lives', facts.lifecycle, facts.lifecycle);
    }
    new Set(facts.words).forEach(word => note(' tags', 'Tags', 'labels', word, word));
    facts.others.forEach(([key, value]) => note(key, key, 'labels', label(key, value), value));
  }
  const order = (id: string) => [' owner', ' lifecycle', ' tags'].indexOf(id) + 1 || 4;
  return [...found.entries()]
    .sort(([a], [b]) => order(a) - order(b) || (a < b ? -1 : 1))
    .map(([, { title, kind, counts }]) => ({
      title,
      kind,
      values: [...counts]
        .map(([value, [shown, count]]) => ({ value, shown, count }))
        .sort((a, b) => b.count - a.count || (a.shown < b.shown ? -1 : 1))
    }));
}

/** The filter that a copied line asks for. */
export function filterOf(state: ViewState = {}): CatalogueFilter {
  const list = state.list === 'owned' || state.list === 'starred' ? state.list : 'all';
  return {
    list,
    text: state.text ?? '',
    labels: new Set(separated(state.tags)),
    owners: new Set(separated(state.owner)),
    lives: new Set(separated(state.life))
  };
}

/** The filter as parts of a copied line. */
export function stateOf(filter: CatalogueFilter): Record<string, string> {
  return {
    list: filter.list === 'all' ? '' : filter.list,
    text: filter.text.trim(),
    tags: joined(filter.labels),
    owner: joined(filter.owners),
    life: joined(filter.lives)
  };
}

export type SortKey = 'name' | 'owner' | 'lifecycle' | 'runs' | 'last';

/** Experiments in the order of a column; what is missing comes last both ways. */
export function sortExperiments(experiments: Experiment[], key: SortKey, descending: boolean): Experiment[] {
  const value = (each: Experiment): string | number | null =>
    key === 'name' ? each.name
      : key === 'runs' ? each.runs
      : key === 'last' ? each.lastRun
      : about(each.tags)[key] || null;
  const collator = new Intl.Collator('en', { numeric: true });
  const sign = descending ? -1 : 1;
  return [...experiments].sort((a, b) => {
    const [left, right] = [value(a), value(b)];
    if (left === null || right === null) {
      return Number(left === null) - Number(right === null);
    }
    return sign * (typeof left === 'number' ? left - (right as number) : collator.compare(left, String(right)));
  });
}

/** What a person writes of an experiment. */
export interface Edit {
  description: string;
  owner: string;
  lifecycle: string;
  words: string;
}

export function editOf(tags: Record<string, string>): Edit {
  const { description, owner, lifecycle, words } = about(tags);
  return { description, owner: tags[OWNER] ?? owner, lifecycle, words: words.join(', ') };
}

/** The tags to set and to take off, so that an experiment says what was written. */
export function changesOf(tags: Record<string, string>, edit: Edit): { set: Record<string, string>; delete: string[] } {
  const before = editOf(tags);
  const set: Record<string, string> = {};
  const gone: string[] = [];
  const put = (keys: string[], was: string, value: string) => {
    if (value.trim() === was) {
      return;
    }
    const own = keys.filter(key => key in tags);
    if (value.trim()) {
      // The key that is there keeps the text; a new one gets the key that MLflow's pages show.
      set[own[0] ?? keys[0]] = value.trim();
    } else {
      gone.push(...own);
    }
  };
  put([NOTE, DESCRIPTION], before.description, edit.description);
  put([OWNER], before.owner, edit.owner);
  put([LIFECYCLE], before.lifecycle, edit.lifecycle);
  put([WORDS], before.words, edit.words.split(',').map(word => word.trim()).filter(Boolean).join(', '));
  return { set, delete: gone };
}
