/** Merging live points and arranging curves for drawing. No DOM. */

import { fullNumber, toNumber } from './format';
import type { JsonNumber, PanelRun, PointsMessage, SeriesJson } from './types';

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

/** What a curve's number tells under the pointer. */
export function seriesHint({ last, last_step: lastStep, min, min_step: minStep, max, max_step: maxStep, count }: SeriesJson): string {
  const at = (value: JsonNumber, step: number) => `${fullNumber(toNumber(value))} at ${step}`;
  return `last ${at(last, lastStep)}\nleast ${at(min, minStep)}\nmost ${at(max, maxStep)}\n${count} points`;
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

interface Made {
  curve: Curve;
  /** How many points of the series are in it, and the step of the last of them. */
  taken: number;
  last: number;
  /** All steps are equal: the points are counted instead. */
  flat: boolean;
}

const made = new WeakMap<SeriesJson, Made>();

/**
 * The points to draw: by step, or by index when all steps are equal; infinities leave a gap.
 * A curve that grew is only added to, so that a long one costs no more than its new points.
 */
export function curveOf(series: SeriesJson): Curve {
  const known = made.get(series);
  const { x: steps, y: values } = series;
  if (known && !known.flat && known.taken > 1 && known.taken <= steps.length && steps[known.taken - 1] === known.last) {
    let i = known.taken;
    while (i < steps.length && steps[i] >= known.last) {
      put(known.curve, steps[i], values[i]);
      known.last = steps[i];
      i += 1;
    }
    known.taken = i;
    if (i === steps.length) {
      return known.curve;
    }
  }
  const curve = wholeCurve(series);
  const flat = isFlat(steps);
  const isRising = !flat && curve.x[curve.x.length - 1] === steps[steps.length - 1];
  if (isRising) {
    made.set(series, { curve, taken: steps.length, last: steps[steps.length - 1], flat });
  } else {
    made.delete(series);
  }
  return curve;
}

const isFlat = (steps: number[]): boolean => steps.length > 1 && steps.every(step => step === steps[0]);

/** Of several values for one step the last one counts. */
function put(curve: Curve, step: number, value: JsonNumber): void {
  const number = toNumber(value);
  const drawn = number !== undefined && Number.isFinite(number) ? number : null;
  const end = curve.x.length - 1;
  if (end >= 0 && curve.x[end] === step) {
    curve.y[end] = drawn;
  } else {
    curve.x.push(step);
    curve.y.push(drawn);
  }
}

function wholeCurve(series: SeriesJson): Curve {
  const flat = isFlat(series.x);
  const order = series.x.map((_, i) => i);
  // Steps may come in any order; a chart needs them rising. The sort is stable.
  if (!flat && series.x.some((step, i) => i > 0 && step < series.x[i - 1])) {
    order.sort((a, b) => series.x[a] - series.x[b]);
  }
  const curve: Curve = { x: [], y: [] };
  for (const i of order) {
    put(curve, flat ? i : series.x[i], series.y[i]);
  }
  return curve;
}

/** Curves on one x axis, as the chart wants them; `undefined` where a curve has no point. */
export function align(curves: Curve[]): [number[], ...(number | null | undefined)[][]] {
  const [first, ...others] = curves;
  if (first && others.every(curve => isSame(curve.x, first.x))) {
    return [first.x, ...curves.map(curve => curve.y)];
  }
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

const isSame = (a: number[], b: number[]): boolean => a === b || (a.length === b.length && a.every((x, i) => x === b[i]));
