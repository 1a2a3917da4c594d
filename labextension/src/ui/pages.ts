/** One page opened from another, in the same place: a run from a table, a comparison from ticked runs. */

import { button, h } from './dom';
import { makeRoot } from './theme';
import type { Host, Payload, Target, View } from './types';

const HEADLINES: Record<Target['page'], string> = { run: 'Run', runs: 'Runs', experiment: 'Experiment', trend: 'Trend', compare: 'Compare' };

/** The question that asks the kernel for a page. */
export function questionOf(target: Target): { ask: string; [key: string]: unknown } {
  const { page, ...rest } = target;
  return { ask: page, ...rest };
}

/** The page of a target: asked from the kernel, else what the saved output knows of it, else a line to run. */
export async function loadPage(
  target: Target,
  known: Payload | undefined,
  host: Host,
  make: (payload: unknown, host: Host) => View
): Promise<View> {
  let problem = 'No kernel is running.';
  if (host.ask) {
    try {
      return make(await host.ask(questionOf(target)), host);
    } catch (error) {
      problem = (error as Error).message;
    }
  }
  if (known) {
    const view = make(known, host);
    if (host.ask) {
      // Why there is no more than that.
      view.element.append(h('div', { class: 'tnb-quiet', role: 'alert' }, problem));
    }
    return view;
  }
  const root = makeRoot();
  root.element.append(h('div', { class: 'tnb-empty', role: 'alert' }, problem));
  return { element: root.element, destroy: root.destroy };
}

/**
 * A view that can be left for another page and come back to as it was. What a page opens
 * lies on top of it; Back and the Escape key take the top one away.
 */
export function withPages(host: Host, makeFirst: (host: Host) => View, make: (payload: unknown, host: Host) => View): View {
  const element = h('div', { class: 'tnb-pages' });
  let gone = false;
  /** What is on its way: a second click on the same link opens it once. */
  const coming = new Set<string>();
  const stack: { frame: HTMLElement; view: View; focus: Element | null }[] = [];

  const top = () => stack[stack.length - 1];
  const pop = () => {
    const gone = stack.pop();
    if (!gone) {
      return;
    }
    gone.view.destroy();
    gone.frame.remove();
    (top()?.frame ?? first.element).hidden = false;
    (gone.focus as HTMLElement | null)?.focus?.({ preventScroll: true });
  };

  const own: Host = {
    ...host,
    open(target, known) {
      const focus = document.activeElement;
      const name = JSON.stringify(target);
      if (coming.has(name)) {
        return;
      }
      coming.add(name);
      void loadPage(target, known, own, make).then(view => {
        coming.delete(name);
        if (gone) {
          // Nobody would ever end what it follows.
          view.destroy();
          return;
        }
        const back = button('← Back', pop, { class: 'tnb-back' });
        const frame = h(
          'section',
          { 'aria-label': HEADLINES[target.page], 'data-lm-suppress-shortcuts': 'true' },
          view.element
        );
        // Inside the view's own root, where its styles reach.
        view.element.insertBefore(h('div', { class: 'tnb-bar' }, back), view.element.querySelector(':scope > style')?.nextSibling ?? null);
        frame.addEventListener('keydown', event => {
          const field = event.target as Partial<HTMLInputElement>;
          // In a search field with words in it, the browser's own Escape clears them.
          const clears = field.type === 'search' && field.value !== '';
          if (event.key === 'Escape' && !event.defaultPrevented && !clears) {
            event.preventDefault();
            event.stopPropagation();
            pop();
          }
        });
        (top()?.frame ?? first.element).hidden = true;
        stack.push({ frame, view, focus });
        element.append(frame);
        back.focus({ preventScroll: true });
      });
    }
  };
  const first = makeFirst(host.open ? host : own);
  element.append(first.element);
  return {
    element,
    update: message => first.update?.(message),
    destroy() {
      gone = true;
      while (stack.length) {
        pop();
      }
      first.destroy();
      element.remove();
    }
  };
}
