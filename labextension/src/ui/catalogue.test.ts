import { expect, it } from 'vitest';
import { about, changesOf, editOf, facets, filterOf, isLeft, isOwned, sortExperiments, stateOf, type Experiment } from './catalogue';

const STAR = 'tracknb.star.ada';
const make = (name: string, tags: Record<string, string>, runs = 0, mine = false): Experiment => ({
  id: name, name, runs, mine, lastRun: runs || null, created: null, location: '', tags
});
const ALL = [
  make('taxi', { owner: 'ada', lifecycle: 'experimental', tags: 'ml, regression', 'mlflow.note.content': 'Trip Times', [STAR]: 'true' }, 3),
  make('mnist', { owner: 'guest', lifecycle: 'production', tags: 'ml', team: 'vision', 'mlflow.x': 'y' }, 12),
  make('boston', { description: 'Houses', team: 'prices' }, 1, true)
];
const left = (state: Record<string, string>) => ALL.filter(each => isLeft(each, filterOf(state), 'ada', STAR)).map(each => each.name);

it('reads what the tags say', () => {
  expect(about(ALL[1].tags)).toEqual({
    description: '', owner: 'guest', lifecycle: 'production', words: ['ml'], others: [['team', 'vision']], labels: ['ml', 'team: vision']
  });
  expect(about(ALL[0].tags).description).toBe('Trip Times');
});

it.each([
  [{}, ['taxi', 'mnist', 'boston']],
  [{ list: 'owned' }, ['taxi', 'boston']],
  [{ list: 'starred' }, ['taxi']],
  [{ tags: 'ml' }, ['taxi', 'mnist']],
  [{ tags: 'ml,regression' }, ['taxi']],
  [{ tags: 'ml', owner: 'guest' }, ['mnist']],
  [{ tags: 'team: vision,team: prices' }, ['mnist', 'boston']],
  [{ tags: 'ml,team: vision' }, ['mnist']],
  [{ life: 'production,experimental' }, ['taxi', 'mnist']],
  [{ text: 'times TAXI' }, ['taxi']],
  [{ text: '  ' }, ['taxi', 'mnist', 'boston']],
  [{ list: 'mine', tags: 'no such' }, []]
])('filters by %j', (state, names) => {
  expect(left(state as Record<string, string>)).toEqual(names);
});

it('is owned by its owner, and by its runs only where nobody is named', () => {
  expect([isOwned(make('x', { owner: 'guest' }, 1, true), 'ada'), isOwned(make('x', {}, 1, true), 'ada')]).toEqual([false, true]);
});

it('writes the filter that it read', () => {
  const state = { list: 'starred', text: 'a b', tags: 'x%2Cy,team: z', owner: 'ada', life: 'production' };
  expect(stateOf(filterOf(state))).toEqual(state);
});

it('offers owners, lifecycles, words and other keys with their counts', () => {
  expect(facets(ALL).map(({ title, values }) => [title, ...values.map(each => `${each.shown} ${each.count}`)])).toEqual([
    ['Owner', 'ada 1', 'guest 1'], ['Lifecycle', 'experimental 1', 'production 1'], ['Tags', 'ml 2', 'regression 1'], ['team', 'prices 1', 'vision 1']
  ]);
});

it('changes only what was written differently, under the key that is there', () => {
  const { tags } = ALL[0];
  expect(changesOf(tags, editOf(tags))).toEqual({ set: {}, delete: [] });
  expect(changesOf(tags, { description: 'New', owner: '', lifecycle: 'production ', words: 'ml ,,x' })).toEqual({
    set: { 'mlflow.note.content': 'New', lifecycle: 'production', tags: 'ml, x' }, delete: ['owner']
  });
  expect(changesOf(ALL[2].tags, { ...editOf(ALL[2].tags), description: 'Flats' }).set).toEqual({ description: 'Flats' });
  expect(changesOf({}, { description: 'x', owner: 'y', lifecycle: '', words: '' })).toEqual({
    set: { 'mlflow.note.content': 'x', owner: 'y' }, delete: []
  });
});

it('sorts with what is missing last both ways', () => {
  const names = (descending: boolean) => sortExperiments(ALL, 'owner', descending).map(each => each.name);
  expect([names(false), names(true)]).toEqual([['taxi', 'mnist', 'boston'], ['mnist', 'taxi', 'boston']]);
  expect(sortExperiments(ALL, 'runs', true)[0].name).toBe('mnist');
});
