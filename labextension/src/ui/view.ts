/** A payload to the view that it asks for. */

import { h } from './dom';
import { pageView } from './page';
import { withPages } from './pages';
import { panelView } from './panel';
import { runsView } from './runs';
import { makeRoot } from './theme';
import { trendView } from './trend';
import { VERSION, type Host, type Payload, type View } from './types';

/** The text form: for payloads that a newer tracknb has written, or that are damaged. */
function textView(text: string): View {
  const root = makeRoot();
  root.element.append(h('pre', {}, text));
  return { element: root.element, destroy: root.destroy };
}

/** A payload to the view that it asks for; pages that it opens lie on top of it. */
export function createView(payload: unknown, host: Host = {}): View {
  return host.open ? makeView(payload, host) : withPages(host, own => makeView(payload, own), makeView);
}

function makeView(payload: unknown, host: Host): View {
  const fields = (payload ?? {}) as Partial<Payload>;
  const text = typeof fields.text === 'string' ? fields.text : '';
  if (typeof fields.version !== 'number' || fields.version > VERSION) {
    return textView(text || 'A newer tracknb has written this output. Update tracknb to see it.');
  }
  try {
    switch (fields.kind) {
      case 'runs':
        return runsView(payload as never, host);
      case 'trend':
        return trendView(payload as never, host);
      case 'panel':
        return panelView(payload as never, { live: host.live });
      case 'run':
        return pageView(payload as never, host);
      default:
        return textView(text || 'This tracknb does not know this kind of output.');
    }
  } catch (error) {
    console.error('tracknb: this output could not be drawn', error);
    return textView(text || 'This output could not be drawn.');
  }
}
