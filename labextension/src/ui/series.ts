/** Merging live points and arranging curves for drawing. No DOM. */

import { toNumber } from './format';
import type { PanelRun, PointsMessage, SeriesJson } from './types';

/** Longer series are halved: a curve is a few hundred pixels wide. */
const LIMIT = 8000;

const PREFIX = /^(train|training|val|valid|validation|test|eval)[_/.\- ](.+)$/i;
const SUFFIX = /^(.+)[_/.\- ](train|training|val|valid|validation|test|eval)$/i;

/** `train_loss`, `val_loss` and `loss` are one family: they share their axes. */
export function familyOf(key: string): string {
  const prefix = PREFIX.exec(key);
  if (prefix) {
    return prefix[2];
  }
  const suffix = SUFFIX.exec(key);
  return suffix ? suffix[1] : key;
}

/** The keys by family, in the order in which they first occur. */
export function families(keys: Iterable<string>): Map<string, string[]> {
  const result = new Map<string, string[]>();
  for (const key of keys) {
    const family = familyOf(key);
    const members = result.get(family);
    if (!members) {
      result.set(family, [key]);
    } else if (!members.includes(key)) {
      members.push(key);
    }
  }
  return result;
}

/** Add the points of a message to the runs; new runs come last. */
export function mergePoints(runs: PanelRun[], message: PointsMessage): void {
  for (const part of message.runs) {
    const { append, ...fields } = part;
    let run = runs.find(candidate => candidate.id === part.id);
    if (!run) {
      run = {
        name: '', experiment: '', status: 'RUNNING', start: message.now, end: null, color: 0, attempt: null,
        params: [], tags: [], evalSets: [], note: '', error: null, progress: null, changed: [],
        ...fields, series: []
      };
      runs.push(run);
    } else {
      Object.assign(run, fields);
    }
    for (const more of append ?? []) {
      appendSeries(run.series, more);
    }
  }
}

function appendSeries(list: SeriesJson[], more: SeriesJson): void {
  const series = list.find(candidate => candidate.key === more.key);
  if (!series) {
    list.push({ ...more, x: [...(more.x ?? [])], y: [...(more.y ?? [])], t: [...(more.t ?? [])] });
    return;
  }
  const { x, y, t } = series;
  Object.assign(series, more, { x, y, t });
  for (let i = 0; i < (more.x ?? []).length; i++) {
    x.push(more.x[i]);
    y.push(more.y[i]);
    t.push(more.t?.[i] ?? 0);
  }
  while (x.length > LIMIT) {
    // Every second point goes, but the last one stays: it is what people look at.
    const keep = (_: unknown, i: number) => i % 2 === (x.length - 1) % 2;
    const [a, b, c] = [x.filter(keep), y.filter(keep), t.filter(keep)];
    x.splice(0, x.length, ...a);
    y.splice(0, y.length, ...b);
    t.splice(0, t.length, ...c);
  }
}

export interface Curve {
  x: number[];
  y: (number | null)[];
}

/** The points to draw: by step, or by index when all steps are equal; infinities leave a gap. */
export function curveOf(series: SeriesJson): Curve {
  const first = series.x[0];
  const flat = series.x.length > 1 && series.x.every(step => step === first);
  const points = series.x.map((step, i): [number, number | null] => {
    const value = toNumber(series.y[i]);
    return [flat ? i : step, value !== undefined && Number.isFinite(value) ? value : null];
  });
  // Steps may come in any order; a chart needs them rising. The sort is stable.
  if (points.some((point, i) => i > 0 && point[0] < points[i - 1][0])) {
    points.sort((a, b) => a[0] - b[0]);
  }
  // Of several values for one step the last one counts.
  const x: number[] = [];
  const y: (number | null)[] = [];
  for (const [step, value] of points) {
    if (x.length && x[x.length - 1] === step) {
      y[y.length - 1] = value;
    } else {
      x.push(step);
      y.push(value);
    }
  }
  return { x, y };
}

/** Curves on one x axis, as the chart wants them; `undefined` where a curve has no point. */
export function align(curves: Curve[]): [number[], ...(number | null | undefined)[][]] {
  const all = [...new Set(curves.flatMap(curve => curve.x))].sort((a, b) => a - b);
  const place = new Map(all.map((x, i) => [x, i]));
  const columns = curves.map(curve => {
    const column = new Array<number | null | undefined>(all.length).fill(undefined);
    curve.x.forEach((x, i) => {
      column[place.get(x)!] = curve.y[i];
    });
    return column;
  });
  return [all, ...columns];
}
