/** A run as a point: a param or metric against a metric, coloured by the run or by a third. */

import { axisColumns, coloringOf, scaleOf, telling, wantsLog, type Coloring, type RunSet, type Scale } from './coordinates';
import { h, setText } from './dom';
import { columnSelect, fillLegend, fillTip, placeTip, sized } from './marks';
import type { ChartView } from './parallel';
import { followWidth } from './plot';
import { chartColors, isDark } from './theme';

export interface ScatterState {
  /** Column ids; `null` for those chosen by themselves. */
  x: string | null;
  y: string | null;
  /** A column id, or empty for each run's own colour. */
  color: string;
  /** `null` where the column decides. */
  logX: boolean | null;
  logY: boolean | null;
}

export interface ScatterOptions {
  state?: Partial<ScatterState>;
  onOpen?(row: number): void;
}

const HEIGHT = 300;
const [LEFT, RIGHT, TOP, FOOT] = [72, 24, 12, 264];
/** A pointer this near to a point means it. */
const NEAR = 16;

export const SCATTER_CSS = `
.tracknb-view .tnb-scatter { position: relative; height: ${HEIGHT}px; border: 1px solid var(--tnb-line); overflow: hidden; }
.tracknb-view .tnb-scatter canvas { position: absolute; left: 0; top: 0; }
`;

export function scatterView(first: RunSet, options: ScatterOptions = {}): ChartView {
  let set = first;
  const state: ScatterState = { x: null, y: null, color: '', logX: null, logY: null, ...options.state };
  let [x, y]: (Scale | undefined)[] = [];
  let color: Scale | undefined;
  let coloring: Coloring | undefined;
  let points: { row: number; left: number; top: number }[] = [];
  let width = 640;
  let current = -1;

  const element = h('div');
  const bar = h('div', { class: 'tnb-bar' });
  const canvas = h('canvas', { 'aria-hidden': 'true' });
  const above = h('canvas', { 'aria-hidden': 'true' });
  const tip = h('div', { class: 'tnb-tip', hidden: '' });
  const plane = h('div', { class: 'tnb-scatter', tabindex: '0', role: 'group' }, canvas, above, tip);
  const key = h('div', { class: 'tnb-key' });
  const note = h('div', { class: 'tnb-quiet' });
  const spoken = h('div', { class: 'tnb-sr', 'aria-live': 'polite' });
  element.append(bar, plane, key, note, spoken);

  const column = (id: string | null) => set.columns.find(candidate => candidate.id === id);

  function choose(): { x: string; y: string } {
    const found = telling(set.columns, set.rows, 99);
    const all = axisColumns(set.columns);
    const y = column(state.y)?.id ?? (found.find(item => item.group === 'Metrics') ?? all.find(item => item.group === 'Metrics') ?? all[0])?.id ?? '';
    const x = column(state.x)?.id ?? (found.find(item => item.group === 'Params' && item.kind === 'number') ?? found.find(item => item.id !== y) ?? all[0])?.id ?? '';
    return { x, y };
  }

  function drawBar(chosen: { x: string; y: string }): void {
    const columns = axisColumns(set.columns);
    const focused = document.activeElement?.getAttribute('aria-label');
    const had = bar.contains(document.activeElement);
    const log = (label: string, scale: Scale | undefined, on: boolean, put: (on: boolean) => void) => {
      const box = h('input', { type: 'checkbox', 'aria-label': label });
      box.checked = on && !!scale?.canLog;
      box.disabled = !scale?.canLog;
      box.addEventListener('change', () => {
        put(box.checked);
        draw();
      });
      return h('label', {}, box, 'log');
    };
    bar.replaceChildren(
      h('label', {}, 'X', columnSelect('Horizontal axis', columns, chosen.x, id => {
        state.x = id;
        state.logX = null;
        draw();
      })),
      log('Logarithmic horizontal axis', x, !!x?.log, on => (state.logX = on)),
      h('label', {}, 'Y', columnSelect('Vertical axis', columns, chosen.y, id => {
        state.y = id;
        state.logY = null;
        draw();
      })),
      log('Logarithmic vertical axis', y, !!y?.log, on => (state.logY = on)),
      h('label', {}, 'Colour', columnSelect('Colour of the points', columns, column(state.color)?.id ?? '', id => {
        state.color = id;
        draw();
      }, ['', 'Each run']))
    );
    if (had && focused) {
      [...bar.querySelectorAll<HTMLElement>('select, input')].find(child => child.getAttribute('aria-label') === focused)?.focus({ preventScroll: true });
    }
  }

  function draw(): void {
    const chosen = choose();
    const [columnX, columnY, by] = [column(chosen.x), column(chosen.y), column(state.color)];
    x = columnX && scaleOf(columnX, set.rows, state.logX ?? wantsLog(columnX, set.rows));
    y = columnY && scaleOf(columnY, set.rows, state.logY ?? wantsLog(columnY, set.rows));
    color = by && scaleOf(by, set.rows, wantsLog(by, set.rows));
    coloring = coloringOf(set, color, isDark());
    drawBar(chosen);
    fillLegend(key, color?.label ?? '', coloring);
    plane.setAttribute('aria-label', `${y?.label ?? ''} over ${x?.label ?? ''}. Left and right move from run to run, Enter opens one.`);
    paint();
  }

  /** Draws the points anew; the run that was pointed at stays so. */
  function paint(): void {
    const kept = points[current]?.row;
    layOut();
    light(kept === undefined ? -1 : points.findIndex(point => point.row === kept), false);
  }

  function layOut(): void {
    light(-1, false);
    points = [];
    const context = sized(canvas, width, HEIGHT);
    if (!x || !y) {
      setText(note, 'These runs have no params and metrics to draw.');
      return;
    }
    const across = (at: number) => LEFT + 8 + at * (width - LEFT - RIGHT - 16);
    const down = (at: number) => FOOT - 8 - at * (FOOT - TOP - 16);
    for (const row of set.rows) {
      const [atX, atY] = [x.at(row), y.at(row)];
      if (atX !== undefined && atY !== undefined) {
        points.push({ row, left: across(atX), top: down(atY) });
      }
    }
    points.sort((a, b) => a.left - b.left || a.top - b.top);
    const missing = set.rows.length - points.length;
    setText(note, missing ? `${missing} of ${set.rows.length} runs lack one of the two values.` : '');
    if (!context) {
      return;
    }
    const colors = chartColors(element);
    context.font = '11px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif';
    context.strokeStyle = colors.line;
    context.fillStyle = colors.text;
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    for (const tick of y.ticks) {
      const top = Math.round(down(tick.at)) + 0.5;
      context.beginPath();
      context.moveTo(LEFT, top);
      context.lineTo(width - RIGHT, top);
      context.stroke();
      context.fillText(clip(tick.text, 11), LEFT - 6, top);
    }
    let free = -Infinity;
    for (const tick of x.ticks) {
      const left = Math.round(across(tick.at)) + 0.5;
      context.beginPath();
      context.moveTo(left, TOP);
      context.lineTo(left, FOOT);
      context.stroke();
      const text = clip(tick.text, 20);
      const half = context.measureText(text).width / 2;
      const middle = Math.max(LEFT + half - 8, Math.min(width - half - 4, left));
      if (middle - half > free) {
        context.textAlign = 'center';
        context.fillText(text, middle, FOOT + 12);
        free = middle + half + 6;
      }
    }
    context.textAlign = 'center';
    context.font = `600 ${context.font}`;
    context.fillText(clip(x.label, 60), (LEFT + width - RIGHT) / 2, FOOT + 28);
    context.textAlign = 'left';
    context.globalAlpha = points.length > 300 ? 0.55 : 0.85;
    const radius = points.length > 300 ? 3 : 4.5;
    for (const point of points) {
      context.fillStyle = coloring!.color(point.row);
      context.beginPath();
      context.arc(point.left, point.top, radius, 0, 2 * Math.PI);
      context.fill();
    }
  }

  function light(index: number, announce: boolean): void {
    if (index === current && !announce) {
      return;
    }
    current = index;
    const point = points[index];
    const context = sized(above, width, HEIGHT);
    tip.hidden = true;
    plane.style.cursor = point && options.onOpen ? 'pointer' : '';
    if (!point) {
      return;
    }
    if (context) {
      context.strokeStyle = chartColors(element).text;
      context.lineWidth = 2;
      context.beginPath();
      context.arc(point.left, point.top, 7, 0, 2 * Math.PI);
      context.stroke();
    }
    const facts = [x, y, color].filter((scale, i, all): scale is Scale => !!scale && all.findIndex(other => other?.id === scale.id) === i);
    const text = fillTip(tip, set, point.row, facts.map(scale => ({ label: scale.label, text: scale.text(point.row) })));
    placeTip(tip, point.left, point.top, width, HEIGHT);
    if (announce) {
      setText(spoken, text);
    }
  }

  plane.addEventListener('pointermove', event => {
    const box = plane.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    let [best, least] = [-1, NEAR];
    points.forEach((point, i) => {
      const far = Math.hypot(point.left - left, point.top - top);
      if (far < least) {
        [best, least] = [i, far];
      }
    });
    light(best, false);
  });
  plane.addEventListener('pointerleave', () => light(-1, false));
  plane.addEventListener('blur', () => light(-1, false));
  plane.addEventListener('click', () => {
    if (points[current]) {
      options.onOpen?.(points[current].row);
    }
  });
  plane.addEventListener('keydown', event => {
    const moves: Record<string, number> = {
      ArrowRight: current + 1, ArrowLeft: current < 0 ? points.length - 1 : current - 1, Home: 0, End: points.length - 1
    };
    if (event.key in moves && points.length) {
      light(Math.max(0, Math.min(points.length - 1, moves[event.key])), true);
    } else if (event.key === 'Enter' && points[current]) {
      options.onOpen?.(points[current].row);
    } else if (event.key === 'Escape' && current >= 0) {
      light(-1, false);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });

  draw();
  const stop = followWidth(plane, now => {
    width = now;
    paint();
  });
  return {
    element,
    update(next) {
      // Its rows are others.
      light(-1, false);
      set = next;
      draw();
    },
    redraw: draw,
    destroy() {
      stop();
      element.remove();
    }
  };
}

const clip = (text: string, letters: number) => (text.length > letters ? `${text.slice(0, letters - 1)}…` : text);
