/** A payload in words: for what a newer tracknb has written, or what is damaged. */

import { h } from './dom';
import { makeRoot } from './theme';
import { VERSION, type Payload, type View } from './types';

function textView(text: string): View {
  const root = makeRoot();
  root.element.append(h('pre', {}, text));
  return { element: root.element, destroy: root.destroy };
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
