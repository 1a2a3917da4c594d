// @vitest-environment jsdom
import { expect, test, vi } from 'vitest';
import type { PanelPayload } from './ui/types';
import widget from './widget';

// uPlot asks for it as soon as it is imported, and jsdom has none.
vi.hoisted(() => {
  window.matchMedia = (() => ({ matches: false, addEventListener() {}, removeEventListener() {} })) as never;
});

const PANEL: PanelPayload = {
  version: 1,
  kind: 'panel',
  view: 'abcdefabcdef',
  now: 1000,
  note: '',
  runs: [
    {
      id: 'a1', name: 'calm-otter', experiment: 'nyc-taxi', status: 'RUNNING', start: 0, end: null, color: 0, attempt: null,
      params: [], tags: [], evalSets: [], note: '', error: null, progress: null, changed: [], series: []
    }
  ]
};
const POINT = {
  type: 'points',
  now: 2000,
  runs: [
    {
      id: 'a1',
      append: [
        { key: 'rmse', last: 3.8, last_step: 0, min: 3.8, min_step: 0, max: 3.8, max_step: 0, count: 1, x: [0], y: [3.8], t: [1] }
      ]
    }
  ]
};

type Listener = (...args: never[]) => void;

/** anywidget's model: each caller gets a proxy of its own around one set of listeners. */
function makeModel(view: unknown) {
  const listeners: [string, Listener][] = [];
  return {
    proxy: () => ({
      get: () => view,
      set: () => undefined,
      save_changes: () => undefined,
      on: (name: string, listener: Listener) => void listeners.push([name, listener]),
      off: (name: string, listener: Listener) => {
        const place = listeners.findIndex(entry => entry[0] === name && entry[1] === listener);
        listeners.splice(place, 1);
      }
    }),
    send: (message: unknown) => {
      listeners.filter(entry => entry[0] === 'msg:custom').forEach(entry => entry[1](message as never));
    },
    listeners
  };
}

test('points that came before the first view are in it, though it gets another model object', () => {
  const model = makeModel(PANEL);
  const { initialize, render } = widget();
  initialize({ model: model.proxy() });
  model.send(POINT);
  const el = document.createElement('div');

  render({ model: model.proxy(), el });

  expect(el.querySelector('.tnb-tile')?.textContent).toBe('3.8rmse');
  expect(PANEL.runs[0].series).toEqual([]);
});

test('a second view of a model shows the same, and nothing listens after the end', () => {
  const model = makeModel(PANEL);
  const { initialize, render } = widget();
  const stop = initialize({ model: model.proxy() });
  const [first, second] = [document.createElement('div'), document.createElement('div')];
  const hideFirst = render({ model: model.proxy(), el: first });
  model.send(POINT);
  const hideSecond = render({ model: model.proxy(), el: second });

  expect(second.querySelector('.tnb-tile')?.textContent).toBe('3.8rmse');
  hideFirst();
  hideSecond();
  stop();
  expect(model.listeners).toEqual([]);
});
