/** A payload to the view that it asks for. */

import { compareView } from './compare';
import { dashboardView } from './dashboard';
import { h } from './dom';
import { experimentsView, experimentView } from './experiments';
import { pageView } from './page';
import { withPages } from './pages';
import { panelView } from './panel';
import { isSound } from './rundata';
import { runsView } from './runs';
import { unpacked, viewOr } from './text';
import { trendView } from './trend';
import { VERSION, type Host, type Payload, type RunData, type View } from './types';

/** A payload to the view that it asks for; pages that it opens lie on top of it. */
export function createView(given: unknown, host: Host = {}): View {
  const payload = readable(given);
  const { state, stateNote } = (payload ?? {}) as Partial<Payload>;
  // Only the first view is opened by a copied line; a page on top of it opens as it always does.
  const make = (own: Host) => makeView(payload, { ...own, state: state ?? host.state });
  const view = host.open ? make(host) : withPages({ ...host, state: undefined }, make, makeView);
  if (typeof stateNote === 'string') {
    const root = view.element.closest('.tracknb-view') ?? view.element.querySelector('.tracknb-view');
    root?.append(h('div', { class: 'tnb-quiet', role: 'note' }, stateNote));
  }
  return view;
}

function readable(given: unknown): unknown {
  try {
    return unpacked(given);
  } catch {
    // A list that was cut off or edited by hand.
    return { version: VERSION, text: (given as Partial<Payload>).text };
  }
}

function makeView(payload: unknown, host: Host): View {
  return viewOr(payload, kind => {
    const { data } = payload as { data?: Partial<RunData> };
    if (data?.n !== undefined && !isSound(data as RunData)) {
      throw new Error('rows or codes are missing');
    }
    switch (kind) {
      case 'runs':
        return runsView(payload as never, host);
      case 'trend':
        return trendView(payload as never, host);
      case 'compare':
        return compareView(payload as never, host);
      case 'experiments':
        return experimentsView(payload as never, host);
      case 'experiment':
        return experimentView(payload as never, host, makeView);
      case 'dashboard':
        return dashboardView(payload as never, host, makeView);
      case 'panel':
        return panelView(payload as never, { live: host.live });
      case 'run':
        return pageView(payload as never, host);
      default:
        return undefined;
    }
  });
}
