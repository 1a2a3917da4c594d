/** A payload to the view that it asks for. */

import { compareView } from './compare';
import { withPages } from './pages';
import { panelView } from './panel';
import { runsView } from './runs';
import { viewOr } from './text';
import { trendView } from './trend';
import type { Host, View } from './types';

/** A payload to the view that it asks for; pages that it opens lie on top of it. */
export function createView(payload: unknown, host: Host = {}): View {
  return host.open ? makeView(payload, host) : withPages(host, own => makeView(payload, own), makeView);
}

function makeView(payload: unknown, host: Host): View {
  return viewOr(payload, kind => {
    switch (kind) {
      case 'runs':
        return runsView(payload as never, host);
      case 'trend':
        return trendView(payload as never, host);
      case 'compare':
        return compareView(payload as never, host);
      case 'panel':
        return panelView(payload as never, { live: host.live });
      default:
        return undefined;
    }
  });
}
