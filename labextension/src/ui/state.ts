/**
 * The state of a view as one short readable text: `runs?e=nyc-taxi&q=metrics.rmse < 4&sort=-metrics.rmse`.
 *
 * Python reads the same text (view/state.py, one corpus for both). Only ASCII letters that
 * would end a part, a quoted word or a magic's line are written as %XX, so a person can read
 * and change it. What nobody knows is passed over, and said.
 */

import { copyButton, copyLine } from './dom';
import type { ViewState } from './types';

/** The views that a text may open. */
export const VIEWS = ['experiments', 'experiment', 'runs', 'trend', 'compare', 'run'] as const;
export type ViewName = (typeof VIEWS)[number];

/** The parts that some view knows; Python has the same list. */
export const PARTS: Readonly<Record<string, string>> = {
  e: 'the experiment',
  all: '1: runs of all experiments',
  q: 'the query',
  text: 'the words searched for',
  tags: 'tag chips, as key=value joined by commas',
  sets: 'Evaluation-Set chips, joined by commas',
  owner: 'owners, joined by commas',
  life: 'lifecycles, joined by commas',
  list: 'which experiments: all, owned or starred',
  cols: 'the columns shown, joined by commas',
  pin: 'the columns pinned, joined by commas',
  sort: 'the column sorted by; a minus before it sorts down',
  group: 'how rows are grouped',
  fold: 'what is folded',
  archived: 'whether archived runs are shown',
  metric: 'the metric of a chart',
  x: 'the x axis of a chart',
  y: 'the y axis of a chart',
  color: 'what colours a chart',
  log: 'which axes are logarithmic',
  smooth: 'how much curves are smoothed',
  best: 'whether the best so far is drawn',
  chart: 'which chart, or the plot over the table: parallel or scatter',
  tab: 'the tab of a page',
  id: 'the run',
  ids: 'the runs compared, joined by commas'
};

/** Longer than any view's own text; what is beyond is no view. */
export const LONGEST = 4_000;

export interface Read {
  view: ViewName | null;
  parts: Record<string, string>;
  /** What was passed over, in words; empty if nothing was. */
  note: string;
}

const SPECIAL = /[%&'"\\{}$`\x00-\x1f\x7f]/g;
const hex = (letter: string) => `%${letter.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
const encode = (text: string) => text.replace(SPECIAL, hex);
const decode = (text: string) =>
  text.replace(/%([0-7][0-9A-Fa-f])/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)));

/** Several values as one part: commas inside them become %2C. */
export function joined(values: Iterable<string>): string {
  return Array.from(values, value => value.replace(/[%,]/g, hex)).join(',');
}

/** The values of a part made by `joined`. */
export function separated(part: string | undefined): string[] {
  return part ? part.split(',').map(decode) : [];
}

/** A view and its parts as text, in the order of `PARTS`; empty parts are left out. */
export function writeState(view: ViewName, parts: ViewState): string {
  const written = Object.keys(PARTS)
    .filter(key => Object.hasOwn(parts, key) && parts[key] !== '')
    .map(key => `${key}=${encode(parts[key])}`);
  return written.length ? `${view}?${written.join('&')}` : view;
}

/** What a text says; never fails. */
export function readState(text: string): Read {
  const parts: Record<string, string> = {};
  if (text.length > LONGEST) {
    return { view: null, parts, note: 'The view is too long to be one of tracknb and was not used.' };
  }
  const mark = text.indexOf('?');
  const name = (mark < 0 ? text : text.slice(0, mark)).trim();
  const known = (VIEWS as readonly string[]).includes(name);
  const unknown: string[] = known || !name ? [] : [name];
  for (const piece of mark < 0 ? [] : text.slice(mark + 1).split('&')) {
    const sign = piece.indexOf('=');
    const key = (sign < 0 ? piece : piece.slice(0, sign)).trim();
    if (sign >= 0 && Object.hasOwn(PARTS, key)) {
      parts[key] = decode(piece.slice(sign + 1));
    } else if (key) {
      unknown.push(key);
    }
  }
  const words = unknown.slice(0, 5).map(word => `'${[...word].slice(0, 40).join('')}'`).join(', ');
  const note = unknown.length ? `Not known to this tracknb and passed over: ${words}${unknown.length > 5 ? ' ...' : ''}.` : '';
  return { view: known ? (name as ViewName) : null, parts, note };
}

/** The line that opens a view again: alone, or as the dashboard's tab. */
export function viewLine(view: ViewName, parts: ViewState, inDashboard = false): string {
  const isVerb = view === 'runs' || view === 'trend' || view === 'experiments';
  const verb = isVerb && !inDashboard ? ` ${view}` : '';
  return `%track${verb} --view '${writeState(view, parts)}'`;
}

/** The button that puts that line on the clipboard; without the right to, it shows the line. */
export function copyViewButton(line: () => string): HTMLButtonElement {
  let shown: HTMLElement | undefined;
  const copy = copyButton('Copy view', line, text => {
    const made = copyLine(text);
    (shown ?? copy)[shown ? 'replaceWith' : 'after'](made);
    shown = made;
  }, { title: 'Copy the line that opens this view again' });
  return copy;
}
