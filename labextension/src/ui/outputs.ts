/** What the cell of a run displayed, as it was kept: pictures at once, in the order in which they came. */

import { button, h } from './dom';
import { previewOf } from './files';
import { countOf, formatSize } from './format';
import type { Answer, FileJson, Host } from './types';

export const OUTPUTS_CSS = `
.tracknb-view .tnb-outputs { display: flex; flex-wrap: wrap; gap: 8px; align-items: flex-start; }
.tracknb-view .tnb-outputs figure { margin: 0; min-width: 0; max-width: 100%; border: 1px solid var(--tnb-line); padding: 4px 8px 8px; }
.tracknb-view .tnb-outputs figure.tnb-wide { flex: 1 1 320px; }
.tracknb-view .tnb-outputs figcaption { font-size: 12px; line-height: 20px; color: var(--tnb-fg2); }
.tracknb-view .tnb-outputs img { display: block; max-width: 100%; max-height: 360px; height: auto; background: #ffffff; }
.tracknb-view .tnb-outputs iframe { display: block; width: 100%; border: 0; background: #ffffff; }
.tracknb-view .tnb-outputs .tnb-out { max-height: 376px; overflow: auto; }
`;

/** Shown before somebody asks for the rest. */
const FIRST = 12;
const FOLDER = 'outputs/';
/** A table of a DataFrame brings no style along. */
const PLAIN = 'body{font:13px/1.4 system-ui,sans-serif;margin:0}table{border-collapse:collapse;border:0}th,td{padding:2px 8px;text-align:right;border:0;border-bottom:1px solid #dddddd}';
/** A frame without scripts cannot tell how high it is: rows of a table do. */
const ROW = 26;
const LOWEST = 80;
const HIGHEST = 360;

export interface OutputsView {
  element: HTMLElement;
  update(entries: FileJson[] | null): void;
  destroy(): void;
}

/** The outputs among the files of a run, in their order. */
export function outputsOf(entries: FileJson[]): FileJson[] {
  return entries
    .filter(entry => !entry.dir && /^outputs\/\d+\.[\w.]+$/.test(entry.path))
    .sort((a, b) => numberOf(a) - numberOf(b) || (a.path < b.path ? -1 : 1));
}

const numberOf = (entry: FileJson): number => parseInt(entry.path.slice(FOLDER.length), 10);
const isChart = (path: string): boolean => /\.(?:plotly|vegalite|vega)\.json$/.test(path);

/**
 * The outputs of a run; hidden where there are none. `given` are the run's files, null where nobody has
 * looked, and `onCount` is told how many outputs there are.
 */
export function outputsView(id: string, given: FileJson[] | null, host: Host, onCount: (count: number) => void): OutputsView {
  const box = h('div', { class: 'tnb-outputs' });
  const note = h('div', { class: 'tnb-quiet' });
  const more = button('', () => {
    limit = Infinity;
    draw();
  });
  const element = h('div', {}, box, note, more);
  const freed: (() => void)[] = [];
  const figures = new Map<string, HTMLElement>();
  let limit = FIRST;
  let entries: FileJson[] = [];
  let isOver = false;

  const canAsk = () => Boolean(host.ask) && (host.isThere?.() ?? true);

  function draw(): void {
    onCount(entries.length);
    const shown = canAsk() ? entries.slice(0, limit) : [];
    for (const entry of shown) {
      const key = `${entry.path} ${entry.size}`;
      if (!figures.has(key)) {
        const figure = figureOf(entry);
        figures.set(key, figure);
        box.append(figure);
      }
    }
    const left = entries.length - shown.length;
    more.hidden = left === 0 || !canAsk();
    more.textContent = `Show ${countOf(left, 'more output')}`;
    note.textContent = entries.length && !canAsk() ? `${countOf(entries.length, 'output')}, shown where a kernel runs.` : '';
  }

  function figureOf(entry: FileJson): HTMLElement {
    const name = entry.path.slice(FOLDER.length);
    const body = h('div', { class: 'tnb-out' });
    const size = entry.size === null ? '' : `, ${formatSize(entry.size)}`;
    const figure = h('figure', {}, body, h('figcaption', {}, `${name}${size}`));
    if (isChart(name)) {
      // To be drawn again by its library; here it would be a page of numbers.
      body.append(h('div', { class: 'tnb-quiet' }, 'A chart, kept as data.'));
      return figure;
    }
    body.append(h('div', { class: 'tnb-quiet' }, 'Reading…'));
    void fill(entry, name, figure, body);
    return figure;
  }

  async function fill(entry: FileJson, name: string, figure: HTMLElement, body: HTMLElement): Promise<void> {
    try {
      const answer = await host.ask!({ ask: 'file', id, path: entry.path });
      if (isOver) {
        return;
      }
      const look = previewOf(answer, `Output ${name}`, PLAIN);
      freed.push(look.free);
      body.replaceChildren(...look.elements);
      figure.classList.toggle('tnb-wide', answer.kind === 'html');
      const frame = body.querySelector('iframe');
      if (frame) {
        const rows = (String(answer.text ?? '').match(/<tr\b/gi) ?? []).length;
        frame.style.height = `${Math.min(HIGHEST, Math.max(LOWEST, ROW * rows + 16))}px`;
      }
    } catch (error) {
      body.replaceChildren(h('div', { class: 'tnb-error', role: 'alert' }, (error as Error).message));
    }
  }

  async function look(): Promise<void> {
    try {
      const answer = (await host.ask!({ ask: 'files', id, path: 'outputs' })) as Answer & { entries: FileJson[] };
      entries = outputsOf(answer.entries);
    } catch (error) {
      note.textContent = (error as Error).message;
      return;
    }
    if (!isOver) {
      draw();
    }
  }

  function take(next: FileJson[] | null): void {
    if (next !== null) {
      entries = outputsOf(next);
      draw();
    } else if (canAsk()) {
      draw();
      void look();
    } else {
      draw();
    }
  }

  take(given);
  return {
    element,
    update: take,
    destroy() {
      isOver = true;
      freed.forEach(free => free());
    }
  };
}
