/** What changed since the attempt before: one line each, code folded. The words are the kernel's. */

import { h } from './dom';
import type { SinceJson } from './types';

export const CHANGES_CSS = `
.tracknb-view .tnb-changes { margin: 4px 0; }
.tracknb-view .tnb-changes > div { font-weight: 600; }
.tracknb-view .tnb-changes ul { list-style: none; margin: 0; padding: 0; max-height: 320px; overflow: auto; }
.tracknb-view .tnb-changes li { padding: 1px 0 1px 16px; overflow-wrap: anywhere; }
.tracknb-view .tnb-changes summary { cursor: pointer; color: inherit; margin-left: -16px; padding-left: 2px; }
.tracknb-view .tnb-changes pre { margin: 2px 0 4px; border: 1px solid var(--tnb-line); padding: 2px 0; max-height: 220px; overflow: auto; white-space: pre-wrap; }
.tracknb-view .tnb-changes pre code { display: block; padding: 0 8px; font: inherit; background: none; color: inherit; min-height: 18px; }
.tracknb-view .tnb-changes pre code.tnb-gone { background: color-mix(in srgb, var(--tnb-bad) 12%, transparent); }
.tracknb-view .tnb-changes pre code.tnb-come { background: color-mix(in srgb, var(--tnb-ok) 14%, transparent); }
.tracknb-view .tnb-changes .tnb-better { color: var(--tnb-ok); }
.tracknb-view .tnb-changes .tnb-worse { color: var(--tnb-bad); }
`;

/** The list; nothing where nobody told of a change. Words and signs say what colour only repeats. */
export function changesView(since: SinceJson | null | undefined): HTMLElement[] {
  if (!since) {
    return [];
  }
  const items = since.changes.map(change => {
    const text = h('span', {}, ...words(change.text, change.kind));
    if (!change.diff.length) {
      return h('li', {}, text);
    }
    const lines = change.diff.map(line => h('code', side(line), `${line}\n`));
    return h('li', {}, h('details', {}, h('summary', {}, text), h('pre', { tabindex: '0' }, ...lines)));
  });
  return [h('div', { class: 'tnb-changes' }, h('div', {}, since.title), ...(items.length ? [h('ul', {}, ...items)] : []))];
}

function side(line: string): Record<string, string> {
  return line.startsWith('-') ? { class: 'tnb-gone' } : line.startsWith('+') ? { class: 'tnb-come' } : {};
}

/** The last word of a metric's change, in its colour. */
function words(text: string, kind: string): (Node | string)[] {
  const found = kind === 'metric' ? /^(.*, )(better|worse)(\))$/.exec(text) : null;
  return found ? [found[1], h('span', { class: `tnb-${found[2]}` }, found[2]), found[3]] : [text];
}
