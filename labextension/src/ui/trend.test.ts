// @vitest-environment jsdom
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { payload } from './data.fixture';
import { trendView } from './trend';
import { bestSoFar, logTicks, metricsIn, trendPoints, warningOf } from './trending';
import type { Host, RunData, TrendPayload, View } from './types';

vi.hoisted(() => {
  const none = () => ({ matches: false, addEventListener() {}, removeEventListener() {} });
  Object.assign(globalThis, { matchMedia: none });
  Object.assign(window, { matchMedia: none });
});

beforeAll(() => {
  // jsdom draws nothing; what is asked of the canvas is swallowed.
  const context: unknown = new Proxy(() => context, { get: (_, name) => (name === 'measureText' ? () => ({ width: 8 }) : context), set: () => true });
  HTMLCanvasElement.prototype.getContext = (() => context) as never;
  Object.assign(globalThis, { Path2D: class { moveTo() {} lineTo() {} rect() {} arc() {} addPath() {} closePath() {} } });
});

function trend(change: Partial<TrendPayload> = {}, data: Partial<RunData> = {}): TrendPayload {
  const base = payload();
  return {
    ...base,
    kind: 'trend',
    metric: 'rmse',
    directions: { rmse: 'lower' },
    ...change,
    data: {
      ...base.data,
      metrics: [{ key: 'mae', values: [null, null, 9, null] }, { key: 'rmse', values: [2, 1, 3, 'NaN'] }],
      ...data
    }
  };
}

let view: View;
const open = (given: TrendPayload, host: Host = {}) => {
  view = trendView(given, host);
  document.body.append(view.element);
  const element = view.element;
  const pick = (label: string, value: string) => {
    const select = [...element.querySelectorAll('label')].find(one => one.textContent!.startsWith(label))!.querySelector('select')!;
    select.value = value;
    select.dispatchEvent(new Event('change'));
  };
  return {
    element,
    pick,
    status: () => element.querySelector('[role=status]')!.textContent,
    options: () => [...element.querySelectorAll<HTMLSelectElement>('select')[0].options].map(option => option.value),
    chip: (code: number) => element.querySelector<HTMLElement>(`[data-code="${code}"]`)!,
    plot: () => element.querySelector<HTMLElement>('.tnb-trend')!
  };
};
afterEach(() => view?.destroy());

describe('what is drawn', () => {
  it('goes from the oldest to the newest and leaves NaN out', () => {
    expect(trendPoints(trend().data, [0, 1, 2, 3], 'rmse').map(point => [point.time, point.value])).toEqual([
      [2000, 3],
      [3000, 1],
      [4000, 2]
    ]);
  });

  it('steps 3, 1, 1 for 3, 1, 2 where lower is better, and passes over NaN', () => {
    expect(bestSoFar([3, 1, 2], 'lower')).toEqual([3, 1, 1]);
    expect(bestSoFar([3, 1, 4], 'higher')).toEqual([3, 3, 4]);
    expect(bestSoFar([NaN, Infinity, 2, NaN], 'higher')).toEqual([NaN, NaN, 2, 2]);
  });

  it('has round ticks on a log scale of any width', () => {
    expect(logTicks(3.8, 7.9)).toEqual([4, 5, 6, 7]);
    expect(logTicks(0.012, 0.9)).toEqual([0.02, 0.05, 0.1, 0.2, 0.5]);
    expect(logTicks(1e-6, 2)).toEqual([1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1]);
    expect(logTicks(1e-300, 1e300).length).toBeLessThan(12);
  });

  it('offers only metrics that the shown runs have', () => {
    expect(metricsIn(trend().data, [0, 1])).toEqual(['rmse']);
    expect(metricsIn(trend().data, [2, 3])).toEqual(['mae', 'rmse']);
    expect(metricsIn(trend().data, [3])).toEqual([]);
  });
});

describe('warnings', () => {
  const points = (rows: number[]) => rows.map(row => ({ row, time: row, value: 1 }));
  const { data } = payload();

  it('tell of different sets, and nothing of runs that name none', () => {
    expect(warningOf(data, undefined, points([0, 1, 2, 3]))).toBe(
      "These runs were evaluated on different Evaluation Sets: 'v1', 'v2'. Choose one to compare them."
    );
    expect(warningOf(data, undefined, points([0, 3]))).toBe('');
  });

  it('tell of one name that stands for two contents', () => {
    const same = { ...data, evalSets: { dict: ['v1'], codes: [[0], [0], [0], []] } };
    expect(warningOf(same, [0, 1, null, null], points([0, 1, 2]))).toBe(
      "Evaluated on different data of one name: 'v1'. Metrics of these runs cannot be compared."
    );
    expect(warningOf(same, [0, 1, null, null], points([0, 2]))).toBe('');
  });
});

describe('the view', () => {
  it('names the best so far, in the direction that is chosen', () => {
    const { element, pick } = open(trend());

    expect(element.querySelector('.tnb-bestline')!.textContent).toBe('Best so far (lower is better):1<img src=x onerror=alert(1)>');
    expect(element.querySelector('img')).toBeNull();
    pick('Best', 'higher');
    expect(element.querySelector('.tnb-bestline')!.textContent).toBe('Best so far (higher is better):3three');
    pick('Best', 'off');
    expect(element.querySelector<HTMLElement>('.tnb-bestline')!.hidden).toBe(true);
    expect(view.state!()).toEqual({ best: 'off' });
  });

  it('a query and one Evaluation Set at a time decide what is shown', () => {
    const { element, chip, status, options } = open(trend());
    expect([status(), options()]).toEqual(['3 of 4 runs', ['mae', 'rmse']]);

    chip(0).click();
    expect([status(), options()]).toEqual(['2 of 4 runs', ['rmse']]);
    chip(1).click();
    expect([chip(0), chip(1)].map(one => one.getAttribute('aria-pressed'))).toEqual(['false', 'true']);
    expect(status()).toBe('2 of 4 runs');
    chip(1).click();
    const input = element.querySelector<HTMLInputElement>('.tnb-query')!;
    input.value = "tags.team = 'x' and metrics.rmse > 2";
    input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }));
    expect([status(), view.state!()]).toEqual(['1 of 4 runs', { q: "tags.team = 'x' and metrics.rmse > 2" }]);

    input.value = 'metrics.rmse <';
    input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }));
    expect(element.querySelector('[role=alert]')!.textContent).toContain('The filter ends where a value');
    expect(status()).toBe('1 of 4 runs');
  });

  it('Enter opens the run that the arrows reached', () => {
    const opened = vi.fn();
    const chosen = vi.fn();
    const { plot } = open(trend(), { open: opened, onSelect: chosen });
    const press = (key: string) => plot().dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));

    press('Home');
    press('ArrowRight');
    press('Enter');

    expect(opened).toHaveBeenCalledWith({ page: 'run', id: 'b' }, expect.objectContaining({ kind: 'run', run: expect.objectContaining({ id: 'b' }) }));
    expect(chosen).toHaveBeenCalledWith(['b']);
    expect(view.element.querySelector('[aria-live=polite]')!.textContent).toContain('rmse 1, Best so far');
  });

  it('says why nothing is drawn', () => {
    const { element, status } = open(trend());
    const input = element.querySelector<HTMLInputElement>('.tnb-query')!;
    input.value = "run_name = 'nobody'";
    input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }));

    expect(element.querySelector('.tnb-empty:not([hidden])')!.textContent).toBe('No run matches the query and the Evaluation Set.');
    expect(status()).toBe('0 of 4 runs');
    input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }));
    expect(element.querySelector<HTMLSelectElement>('select')!.value).toBe('rmse');
  });

  it('fetches the runs that the output had no room for, once it is seen', async () => {
    let look: (entries: object[]) => void = () => undefined;
    vi.stubGlobal('IntersectionObserver', class {
      constructor(callback: typeof look) {
        look = callback;
      }
      observe() {}
      disconnect() {}
    });
    const bytes = (array: Float64Array | Int32Array | Uint8Array) => new DataView(array.buffer);
    const texts = ['status', 'lifecycle', 'user', 'experiment', 'source', 'group', 'parent', 'cell'];
    const ask = vi.fn(async () => ({
      from: 4, n: 1, held: 5, view: '0123456789ab', id: ['e'], name: ['five'], texts: Object.fromEntries(texts.map(name => [name, ['']])),
      starred: [], pinned: [], archived: [], tags: [[]], evalSets: [[]], grades: [[]], metrics: ['rmse'], system: [], params: [],
      buffers: [bytes(Float64Array.of(500, 600, 0.5)), bytes(new Int32Array(13)), bytes(Uint8Array.of(1, 1, 1))]
    }));
    const { element, status } = open(trend({ held: 5, total: 5, matched: 5, note: '1 older run is left out.' }), { ask: ask as never });
    expect([status(), ask.mock.calls.length]).toEqual(['3 of 5 runs', 0]);

    look([{ isIntersecting: true }]);
    await vi.waitFor(() => expect(status()).toBe('4 of 5 runs'));

    expect(element.querySelector('.tnb-bestline')!.textContent).toContain('0.5five');
    expect(element.textContent).not.toContain('left out');
    vi.unstubAllGlobals();
  });

  it('opens as its state says, and a log scale leaves out what it cannot show', async () => {
    const state = { q: 'metrics.rmse > 1', x: 'order', log: 'y', best: 'higher', sets: 'v1' };
    const { status } = open(trend({}, { metrics: [{ key: 'rmse', values: [2, 0, 3, -1] }] }), { state });
    await Promise.resolve();

    expect(view.state!()).toEqual({ ...state });
    expect(status()).toBe('1 of 4 runs');
  });
});
