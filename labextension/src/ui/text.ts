/** A payload in words: for what a newer tracknb has written, or what is damaged. */

import { h } from './dom';
import { makeRoot } from './theme';
import { VERSION, type Payload, type View } from './types';

function textView(text: string): View {
  const root = makeRoot();
  root.element.append(h('pre', {}, text));
  return { element: root.element, destroy: root.destroy };
}

/** A payload as outputs hold it with its lists as lists: long ones are kept as a text each (base.py, `packed`). */
export function unpacked(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(unpacked);
  }
  if (value === null || typeof value !== 'object') {
    return value;
  }
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0][0] === '[]' && typeof entries[0][1] === 'string') {
    const list: unknown = JSON.parse(entries[0][1]);
    return Array.isArray(list) ? list : [];
  }
  return Object.fromEntries(entries.map(([key, part]) => [key, unpacked(part)]));
}

/**
 * The view that `make` draws of a payload. It is given the payload and its kind; where it
 * answers with nothing, or fails, the text form is shown.
 */
export function viewOr(payload: unknown, make: (kind: string | undefined) => View | undefined): View {
  const fields = (payload ?? {}) as Partial<Payload>;
  const text = typeof fields.text === 'string' ? fields.text : '';
  if (typeof fields.version !== 'number' || fields.version > VERSION) {
    return textView(text || 'A newer tracknb has written this output. Update tracknb to see it.');
  }
  try {
    return make(fields.kind) ?? textView(text || 'This tracknb does not know this kind of output.');
  } catch (error) {
    console.error('tracknb: this output could not be drawn', error);
    return textView(text || 'This output could not be drawn.');
  }
}
