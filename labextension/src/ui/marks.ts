/** Parts that parallel coordinates and scatter plots share: canvas, tip, legend, choice of a column. */

import type { Column } from './columns';
import type { Coloring, RunSet } from './coordinates';
import { h } from './dom';

/** A canvas over a box, in the pixels of the screen; `undefined` where nothing can be drawn. */
export function sized(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D | undefined {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext?.('2d') ?? undefined;
  context?.scale(ratio, ratio);
  return context;
}

/** A choice among columns, by group; `first` is what stands before all columns. */
export function columnSelect(
  label: string,
  columns: Column[],
  chosen: string,
  onChange: (id: string) => void,
  first?: [string, string]
): HTMLSelectElement {
  const select = h('select', { 'aria-label': label });
  if (first) {
    select.append(h('option', { value: first[0] }, first[1]));
  }
  for (const group of new Set(columns.map(column => column.group))) {
    const options = columns.filter(column => column.group === group);
    select.append(h('optgroup', { label: group }, ...options.map(column => h('option', { value: column.id }, column.label))));
  }
  select.value = chosen;
  select.addEventListener('change', () => onChange(select.value));
  return select;
}

/** More words than this in a legend are counted and not listed. */
const WORDS = 12;

/** What the colours mean; nothing where each run has its own. */
export function fillLegend(element: HTMLElement, title: string, coloring: Coloring): void {
  element.hidden = coloring.kind === 'run';
  if (coloring.kind === 'range') {
    const bar = h('span', { class: 'tnb-ramp', 'aria-hidden': 'true' });
    bar.style.background = `linear-gradient(to right, ${coloring.legend.map(entry => entry.color).join(', ')})`;
    const [low, high] = [coloring.legend[0].text, coloring.legend[coloring.legend.length - 1].text];
    element.replaceChildren(h('em', {}, title), h('span', {}, low), bar, h('span', {}, high));
    return;
  }
  const entries = coloring.legend.slice(0, WORDS).map(({ text, color }) => {
    const swatch = h('span', { class: 'tnb-swatch' });
    swatch.style.background = color;
    return h('span', {}, swatch, h('em', {}, text));
  });
  const more = coloring.legend.length - entries.length;
  element.replaceChildren(h('em', {}, title), ...entries, ...(more > 0 ? [h('span', { class: 'tnb-quiet' }, `and ${more} more`)] : []));
}

/** What a tip tells of a run: its name, and its values of some columns. */
export function fillTip(tip: HTMLElement, set: RunSet, row: number, facts: { label: string; text: string }[]): string {
  const lines = facts.filter(fact => fact.text).map(fact => `${fact.label}: ${fact.text}`);
  tip.replaceChildren(h('b', {}, set.name(row)), ...lines.map(line => h('div', {}, line)));
  return [set.name(row), ...lines].join(', ');
}

/** Put a tip beside a point, inside its box. */
export function placeTip(tip: HTMLElement, left: number, top: number, width: number, height: number): void {
  tip.hidden = false;
  const { offsetWidth, offsetHeight } = tip;
  tip.style.left = `${left + 12 + offsetWidth > width ? Math.max(0, left - 12 - offsetWidth) : left + 12}px`;
  tip.style.top = `${Math.max(0, Math.min(top - offsetHeight / 2, height - offsetHeight))}px`;
}

export const MARKS_CSS = `
.tracknb-view .tnb-key { display: flex; flex-wrap: wrap; gap: 0 12px; align-items: center; font-size: 12px; line-height: 16px; max-height: 48px; overflow-y: auto; padding: 4px 0; }
.tracknb-view .tnb-key em { font-style: normal; color: var(--tnb-fg2); overflow-wrap: anywhere; }
.tracknb-view .tnb-key span { display: inline-flex; gap: 4px; align-items: center; }
.tracknb-view .tnb-key .tnb-ramp { width: 120px; height: 8px; }
.tracknb-view .tnb-key span em { color: inherit; }
`;
