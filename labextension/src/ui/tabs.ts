/** Tabs as the ARIA pattern has them: one is in the tab order, arrows move, the panel belongs to its tab. */

import { button, h, uniqueId } from './dom';

export const TABS_CSS = `
.tracknb-view .tnb-tabs { display: flex; border-bottom: 1px solid var(--tnb-line); margin: 4px 0 8px; overflow-x: auto; min-width: 0; }
.tracknb-view .tnb-tabs button { flex: none; height: 28px; padding: 0 12px; border: 0; border-bottom: 2px solid transparent; border-radius: 0; background: none; color: var(--tnb-fg2); }
.tracknb-view .tnb-tabs button[aria-selected=true] { border-bottom-color: var(--tnb-accent); color: var(--tnb-fg); font-weight: 600; }
`;

export interface Tabs<Id extends string> {
  strip: HTMLElement;
  /** One that is hidden is passed over by the arrows. */
  heads: Record<Id, HTMLButtonElement>;
  panels: Record<Id, HTMLElement>;
  /** The tab that is shown. */
  readonly current: Id;
  show(id: Id): void;
}

/** A strip of tabs and their panels; `onShow` runs before a panel is seen. */
export function makeTabs<Id extends string>(
  label: string,
  tabs: readonly (readonly [Id, string])[],
  onShow: (id: Id) => void
): Tabs<Id> {
  const strip = h('div', { class: 'tnb-tabs', role: 'tablist', 'aria-label': label });
  const heads = {} as Record<Id, HTMLButtonElement>;
  const panels = {} as Record<Id, HTMLElement>;
  let current = tabs[0][0];
  const show = (id: Id) => {
    current = id;
    for (const [other] of tabs) {
      const on = other === id;
      heads[other].setAttribute('aria-selected', String(on));
      heads[other].tabIndex = on ? 0 : -1;
      panels[other].hidden = !on;
    }
    onShow(id);
  };
  for (const [id, text] of tabs) {
    const [tabId, panelId] = [uniqueId(), uniqueId()];
    heads[id] = button(text, () => show(id), { role: 'tab', id: tabId, 'aria-controls': panelId });
    strip.append(heads[id]);
    panels[id] = h('div', { role: 'tabpanel', id: panelId, 'aria-labelledby': tabId });
  }
  strip.addEventListener('keydown', event => {
    const ids = tabs.map(([id]) => id).filter(id => !heads[id].hidden);
    const place = ids.indexOf(current);
    const next: Record<string, number> = {
      ArrowRight: (place + 1) % ids.length,
      ArrowLeft: (place + ids.length - 1) % ids.length,
      Home: 0,
      End: ids.length - 1
    };
    if (event.key in next) {
      event.preventDefault();
      event.stopPropagation();
      show(ids[next[event.key]]);
      heads[current].focus({ preventScroll: true });
    }
  });
  return {
    strip,
    heads,
    panels,
    get current() {
      return current;
    },
    show
  };
}
