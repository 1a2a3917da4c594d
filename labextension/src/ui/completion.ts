/** What may be typed next in a query: the names and the values that the runs have. No DOM. */

import { GRADE_TAG, GRADES } from './grade';
import type { RunData } from './types';

export interface Completion {
  /** What an option replaces: from here to the caret. */
  from: number;
  options: string[];
}

const OPTIONS = 8;
/** Longer queries were pasted; nobody completes them. */
const LONGEST = 5_000;
const ATTRIBUTES = ['status', 'run_name', 'start_time', 'end_time', 'user_id', 'run_id'];
const STATUSES = ['FINISHED', 'RUNNING', 'FAILED', 'KILLED', 'SCHEDULED'];
const VALUE_OF = /(?:(params?|parameters?|tags?)\.(`[^`]*`|[^\s=!<>(),'"`]+)|(status|attributes\.status|attr\.status))\s*(?:=|==|!=|<>|i?like|(?:not\s+)?in\s*\([^()]*)\s*$/i;

/** A key as the language reads it: in back quotes where it holds a blank or a sign. */
export function writtenKey(key: string): string {
  return /^[^\s=!<>(),'"`]+$/.test(key) ? key : key.includes('`') ? `"${key}"` : `\`${key}\``;
}

/** All names that a query over these data may use. */
export function namesIn(data: RunData): string[] {
  const tags = new Set(data.tags.dict.map(pair => pair[0]));
  return [
    ...data.metrics.map(metric => `metrics.${writtenKey(metric.key)}`),
    ...data.params.map(param => `params.${writtenKey(param.key)}`),
    ...[...tags].map(key => `tags.${writtenKey(key)}`),
    ...(data.grades?.dict.length ? [`tags.${writtenKey(GRADE_TAG)}`] : []),
    ...ATTRIBUTES
  ];
}

/** What could stand at the caret instead of what was begun; nothing where nothing was begun. */
export function complete(text: string, caret: number, data: RunData): Completion | undefined {
  const before = text.slice(0, caret);
  if (before.length > LONGEST) {
    return undefined;
  }
  const quote = openQuote(before);
  if (quote >= 0) {
    return begunWith(before.slice(quote + 1), valuesAt(before.slice(0, quote), data), quote + 1, before[quote]);
  }
  const begun = /(?:\w+\.)?`[^`]*$|[^\s=!<>(),'"`]+$/.exec(before);
  return begun && !/^[+\-.\d]/.test(begun[0]) ? begunWith(begun[0], namesIn(data), begun.index) : undefined;
}

function begunWith(begun: string, words: string[], from: number, quote = ''): Completion | undefined {
  const wanted = begun.toLowerCase();
  const fitting = words.filter(word => word !== begun && word.toLowerCase().includes(wanted) && !(quote && word.includes(quote)));
  // "rm" means metrics.rmse as well, after what begins so.
  const starts = (word: string) => Number(word.toLowerCase().startsWith(wanted));
  const options = fitting.sort((a, b) => starts(b) - starts(a)).slice(0, OPTIONS);
  return options.length && !(words.includes(begun) && !starts(options[0])) ? { from, options: options.map(word => word + quote) } : undefined;
}

/** Where the quote stands that the caret is inside of; -1 outside of texts. */
function openQuote(before: string): number {
  let open = -1;
  for (let place = 0; place < before.length; place++) {
    const sign = before[place];
    if (open >= 0 ? sign === before[open] : sign === "'" || sign === '"' || sign === '`') {
      open = open >= 0 ? -1 : place;
    }
  }
  return open >= 0 && before[open] !== '`' ? open : -1;
}

function valuesAt(before: string, data: RunData): string[] {
  const found = VALUE_OF.exec(before);
  if (!found) {
    return [];
  }
  const [, place, written = ''] = found;
  const key = written.replace(/^`|`$/g, '');
  if (!place) {
    return STATUSES;
  }
  if (key === GRADE_TAG) {
    return GRADES;
  }
  return place.toLowerCase().startsWith('tag')
    ? data.tags.dict.filter(pair => pair[0] === key).map(pair => pair[1])
    : (data.params.find(param => param.key === key)?.dict ?? []);
}
