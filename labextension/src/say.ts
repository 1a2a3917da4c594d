/** A sentence for whoever just clicked, which goes by itself. */

import { Notification } from '@jupyterlab/apputils';

const SHOWN = 6_000;
/** Whoever is to choose needs longer. */
const SHOWN_WITH_ACTIONS = 20_000;

export function say(text: string, actions: Notification.IAction[] = []): void {
  // JupyterLab shows nothing of one that has no time to close.
  Notification.info(text, { actions, autoClose: actions.length ? SHOWN_WITH_ACTIONS : SHOWN });
}
