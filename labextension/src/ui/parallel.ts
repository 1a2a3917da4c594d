/**
 * Parallel coordinates: an axis for each chosen param and metric, a line for each run. A range
 * on an axis keeps the runs that pass through it; the others stay, faint.
 */

import { axisColumns, coloringOf, distanceTo, scaleOf, telling, wantsLog, within, type Coloring, type RunSet, type Scale } from './coordinates';
import { button, h, setText } from './dom';
import { countText } from './format';
import { columnSelect, fillLegend, fillTip, placeTip, sized } from './marks';
import { followWidth } from './plot';
import { chartColors, isDark } from './theme';

export interface ParallelState {
  /** Column ids from left to right; `null` for those chosen by themselves. */
  axes: string[] | null;
  /** Columns with a logarithmic axis; `null` for those that ask for one. */
  log: string[] | null;
  /** A column id, or empty for each run's own colour; `null` for the first metric. */
  color: string | null;
  /** By column id, from 0 at the foot to 1. */
  ranges: Record<string, [number, number]>;
}

export interface ParallelOptions {
  state?: Partial<ParallelState>;
  onOpen?(row: number): void;
}

export interface ChartView {
  element: HTMLElement;
  update(set: RunSet): void;
  redraw(): void;
  destroy(): void;
}

const HEIGHT = 300;
const TOP = 52;
const FOOT = 272;
/** Where runs pass that lack the value. */
const MISSING = 290;
const SIDE = 80;
const LEAST_GAP = 104;
const AXES = 7;
/** A pointer this near to a line means it. */
const NEAR = 8;
const STEP = 0.05;

export const PARALLEL_CSS = `
.tracknb-view .tnb-parallel { position: relative; overflow-x: auto; overflow-y: hidden; border: 1px solid var(--tnb-line); }
.tracknb-view .tnb-parallel canvas { position: absolute; left: 0; top: 0; pointer-events: none; }
.tracknb-view .tnb-coords { position: relative; height: ${HEIGHT}px; cursor: default; }
.tracknb-view .tnb-axis { position: absolute; top: 0; height: ${HEIGHT}px; width: 0; }
.tracknb-view .tnb-axisname { position: absolute; top: 4px; transform: translateX(-50%); width: 100px; text-align: center; font-size: 12px; line-height: 16px; font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.tracknb-view .tnb-axis button.tnb-log { position: absolute; top: 22px; left: 0; transform: translateX(-50%); height: 18px; line-height: 14px; padding: 0 4px; font-size: 11px; color: var(--tnb-fg2); }
.tracknb-view .tnb-axis button.tnb-log[aria-pressed=true] { background: var(--tnb-soft); border-color: var(--tnb-accent); color: var(--tnb-fg); }
.tracknb-view .tnb-rail { position: absolute; top: ${TOP}px; height: ${FOOT - TOP}px; left: -10px; width: 20px; cursor: ns-resize; touch-action: none; }
.tracknb-view .tnb-rail::before { content: ""; position: absolute; left: 9px; width: 1px; top: 0; bottom: 0; background: var(--tnb-fg2); }
.tracknb-view .tnb-range { position: absolute; left: 4px; width: 12px; border: 1px solid var(--tnb-accent); background: color-mix(in srgb, var(--tnb-accent) 24%, transparent); pointer-events: none; }
.tracknb-view .tnb-tick { position: absolute; right: 8px; transform: translateY(-50%); padding: 0 2px; max-width: 84px; font-size: 11px; line-height: 13px; color: var(--tnb-fg2); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; pointer-events: none;
  background: color-mix(in srgb, var(--tnb-bg) 78%, transparent); font-variant-numeric: tabular-nums; }
.tracknb-view .tnb-parallel .tnb-tip { max-width: 240px; }
`;

export function parallelView(first: RunSet, options: ParallelOptions = {}): ChartView {
  let set = first;
  const state: ParallelState = { axes: null, log: null, color: null, ranges: {}, ...options.state };
  let scales: Scale[] = [];
  let byId = new Map<string, Scale>();
  let coloring: Coloring | undefined;
  let inside: number[] = [];
  let width = 640;
  let current: number | undefined;

  const element = h('div');
  const lines = h('canvas', { 'aria-hidden': 'true' });
  const above = h('canvas', { 'aria-hidden': 'true' });
  const axisLayer = h('div');
  const tip = h('div', { class: 'tnb-tip', hidden: '' });
  const spoken = h('div', { class: 'tnb-sr', 'aria-live': 'polite' });
  const plane = h(
    'div',
    { class: 'tnb-coords', tabindex: '0', role: 'group', 'aria-label': 'Parallel coordinates. Left and right move from run to run, Enter opens one.' },
    lines, axisLayer, above, tip
  );
  const frame = h('div', { class: 'tnb-parallel' }, plane);
  const nothing = h('div', { class: 'tnb-empty', hidden: '' }, 'Choose at least two axes.');
  const key = h('div', { class: 'tnb-key' });
  const count = h('span', { class: 'tnb-quiet tnb-num', role: 'status', 'aria-live': 'polite' });
  const clear = button('Clear ranges', () => {
    state.ranges = {};
    ranged();
    drawAxes();
  });
  const picker = h('div', { class: 'tnb-picker', hidden: '' });
  const pick = button('Axes', () => {
    picker.hidden = !picker.hidden;
    pick.setAttribute('aria-expanded', String(!picker.hidden));
    fillPicker();
  }, { 'aria-expanded': 'false' });
  const colorBox = h('label', {}, 'Colour');
  element.append(h('div', { class: 'tnb-bar' }, pick, colorBox, clear, count), picker, frame, nothing, key, spoken);

  const column = (id: string) => set.columns.find(candidate => candidate.id === id);
  const axisIds = (): string[] =>
    (state.axes ?? telling(set.columns, set.rows, AXES).map(found => found.id)).filter(id => column(id));
  const colorId = (): string => {
    if (state.color !== null && (state.color === '' || column(state.color))) {
      return state.color;
    }
    const ids = axisIds();
    return [...ids].reverse().find(id => column(id)!.group === 'Metrics') ?? '';
  };

  function fillPicker(): void {
    if (picker.hidden) {
      picker.replaceChildren();
      return;
    }
    const chosen = new Set(axisIds());
    const columns = axisColumns(set.columns);
    const sets = [...new Set(columns.map(item => item.group))].map(group => {
      const boxes = columns.filter(item => item.group === group).map(item => {
        const box = h('input', { type: 'checkbox' });
        box.checked = chosen.has(item.id);
        box.addEventListener('change', () => {
          const now = axisIds();
          state.axes = box.checked ? [...now, item.id] : now.filter(id => id !== item.id);
          delete state.ranges[item.id];
          draw();
        });
        return h('label', {}, box, item.label);
      });
      return h('fieldset', {}, h('legend', {}, group), ...boxes);
    });
    picker.replaceChildren(...sets);
  }

  const logs = (): string[] => state.log ?? axisColumns(set.columns).filter(item => wantsLog(item, set.rows)).map(item => item.id);

  const gap = () => Math.max(LEAST_GAP, (width - 2 * SIDE) / Math.max(1, scales.length - 1));
  const xOf = (axis: number) => SIDE + axis * gap();
  const yOf = (at: number | undefined) => (at === undefined ? MISSING : FOOT - at * (FOOT - TOP));
  const planeWidth = () => Math.max(width, 2 * SIDE + LEAST_GAP * (scales.length - 1));

  function draw(): void {
    const ids = axisIds();
    const log = logs();
    scales = ids.map(id => scaleOf(column(id)!, set.rows, log.includes(id)));
    byId = new Map(scales.map(scale => [scale.id, scale]));
    const by = colorId();
    const colorScale = by ? (byId.get(by) ?? scaleOf(column(by)!, set.rows, log.includes(by))) : undefined;
    coloring = coloringOf(set, colorScale, isDark());
    const select = columnSelect('Colour of the lines', axisColumns(set.columns), by, id => {
      state.color = id;
      draw();
    }, ['', 'Each run']);
    const focused = colorBox.contains(document.activeElement);
    colorBox.replaceChildren('Colour', select);
    if (focused) {
      select.focus({ preventScroll: true });
    }
    fillLegend(key, colorScale?.label ?? '', coloring);
    frame.hidden = scales.length < 2;
    nothing.hidden = scales.length >= 2;
    setText(nothing, state.axes === null ? 'These runs do not differ in any param or metric. Choose axes.' : 'Choose at least two axes.');
    setText(pick, `Axes: ${scales.length}`);
    drawAxes();
    ranged();
  }

  function drawAxes(): void {
    plane.style.width = `${planeWidth()}px`;
    const focused = document.activeElement?.closest('[data-axis]')?.getAttribute('data-axis');
    const part = document.activeElement?.className;
    axisLayer.replaceChildren(...scales.map(axisElement));
    if (focused && part) {
      // An id comes from users, so it is compared and never written into a selector.
      const axis = [...axisLayer.children].find(child => child.getAttribute('data-axis') === focused);
      [...(axis?.querySelectorAll<HTMLElement>('[tabindex], button') ?? [])].find(child => child.className === part)?.focus({ preventScroll: true });
    }
  }

  function axisElement(scale: Scale, index: number): HTMLElement {
    const axis = h('div', { class: 'tnb-axis', 'data-axis': scale.id });
    axis.style.left = `${xOf(index)}px`;
    axis.append(h('div', { class: 'tnb-axisname', title: scale.label }, scale.label));
    if (scale.canLog) {
      axis.append(
        button('log', () => {
          state.log = scale.log ? logs().filter(id => id !== scale.id) : [...logs(), scale.id];
          delete state.ranges[scale.id];
          draw();
        }, { class: 'tnb-log', 'aria-pressed': String(scale.log), 'aria-label': `Logarithmic axis: ${scale.label}` })
      );
    }
    for (const tick of scale.ticks) {
      const label = h('span', { class: 'tnb-tick', title: tick.text }, tick.text);
      label.style.top = `${yOf(tick.at)}px`;
      axis.append(label);
    }
    if (set.rows.some(row => scale.at(row) === undefined)) {
      const label = h('span', { class: 'tnb-tick' }, 'missing');
      label.style.top = `${MISSING}px`;
      axis.append(label);
    }
    axis.append(railOf(scale));
    return axis;
  }

  function railOf(scale: Scale): HTMLElement {
    const mark = h('div', { class: 'tnb-range', hidden: '' });
    const rail = h('div', {
      class: 'tnb-rail', tabindex: '0', role: 'slider', 'aria-orientation': 'vertical', 'aria-label': `Range of ${scale.label}`,
      'aria-valuemin': '0', 'aria-valuemax': '100',
      title: 'Drag to keep a range. Keys: up and down move its upper end, with Shift its lower end, Delete clears it.'
    }, mark);
    const show = () => {
      const range = state.ranges[scale.id];
      mark.hidden = !range;
      rail.setAttribute('aria-valuenow', String(Math.round(100 * (range?.[1] ?? 1))));
      rail.setAttribute('aria-valuetext', range ? `${Math.round(100 * range[0])} to ${Math.round(100 * range[1])} percent of the axis` : 'all');
      if (range) {
        mark.style.top = `${yOf(range[1]) - TOP}px`;
        mark.style.height = `${Math.max(2, yOf(range[0]) - yOf(range[1]))}px`;
      }
    };
    const setRange = (range: [number, number] | undefined) => {
      if (range && (range[0] > 0 || range[1] < 1)) {
        state.ranges[scale.id] = range;
      } else {
        delete state.ranges[scale.id];
      }
      show();
      ranged();
    };
    let from: number | undefined;
    const at = (event: PointerEvent) => {
      const box = rail.getBoundingClientRect();
      const share = (box.bottom - event.clientY) / box.height;
      // Nobody hits the end of an axis to the pixel, and the least and greatest values lie there.
      return share < 0.02 ? 0 : share > 0.98 ? 1 : share;
    };
    rail.addEventListener('pointerdown', event => {
      from = at(event);
      rail.setPointerCapture?.(event.pointerId);
      event.preventDefault();
      rail.focus({ preventScroll: true });
    });
    rail.addEventListener('pointermove', event => {
      if (from !== undefined) {
        const to = at(event);
        setRange([Math.min(from, to), Math.max(from, to)]);
      }
    });
    rail.addEventListener('pointerup', event => {
      // A click without a drag takes the range away.
      if (from !== undefined && Math.abs(at(event) - from) < 0.01) {
        setRange(undefined);
      }
      from = undefined;
    });
    rail.addEventListener('keydown', event => {
      const [low, high] = state.ranges[scale.id] ?? [0, 1];
      const step = event.key === 'ArrowUp' ? STEP : event.key === 'ArrowDown' ? -STEP : 0;
      if (step && event.shiftKey) {
        setRange([Math.max(0, Math.min(high, low + step)), high]);
      } else if (step) {
        setRange([low, Math.max(low, Math.min(1, high + step))]);
      } else if (event.key === 'Delete' || event.key === 'Backspace' || (event.key === 'Escape' && state.ranges[scale.id])) {
        setRange(undefined);
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    });
    show();
    return rail;
  }

  function ranged(): void {
    const ranges = new Map(Object.entries(state.ranges).filter(([id]) => byId.has(id)));
    inside = within(set.rows, byId, ranges);
    clear.disabled = ranges.size === 0;
    setText(count, countText(inside.length, set.rows.length));
    drawLines();
    light(undefined, false);
  }

  function path(context: CanvasRenderingContext2D, row: number): void {
    scales.forEach((scale, axis) => {
      const [x, y] = [xOf(axis), yOf(scale.at(row))];
      if (axis) {
        context.lineTo(x, y);
      } else {
        context.moveTo(x, y);
      }
    });
  }

  function drawLines(): void {
    const context = sized(lines, planeWidth(), HEIGHT);
    sized(above, planeWidth(), HEIGHT);
    if (!context || scales.length < 2) {
      return;
    }
    const kept = new Set(inside);
    context.lineWidth = 1;
    context.strokeStyle = chartColors(element).line;
    context.globalAlpha = 0.6;
    context.beginPath();
    for (const row of set.rows) {
      if (!kept.has(row)) {
        path(context, row);
      }
    }
    context.stroke();
    // Many lines on each other would hide their density.
    context.globalAlpha = inside.length > 200 ? 0.35 : inside.length > 50 ? 0.6 : 0.9;
    context.lineWidth = inside.length > 50 ? 1 : 1.5;
    for (const row of inside) {
      context.strokeStyle = coloring!.color(row);
      context.beginPath();
      path(context, row);
      context.stroke();
    }
  }

  /** Put a run in front and tell its name. */
  function light(row: number | undefined, announce: boolean, x = SIDE, y = TOP): void {
    if (row === current && row !== undefined && !announce) {
      placeTip(tip, x, y, planeWidth(), HEIGHT);
      return;
    }
    current = row;
    const context = sized(above, planeWidth(), HEIGHT);
    if (row === undefined) {
      tip.hidden = true;
      plane.style.cursor = '';
      return;
    }
    if (context) {
      context.lineJoin = 'round';
      for (const [color, wide] of [[chartColors(element).bg, 6], [coloring!.color(row), 3]] as const) {
        context.strokeStyle = color;
        context.lineWidth = wide;
        context.beginPath();
        path(context, row);
        context.stroke();
      }
    }
    const text = fillTip(tip, set, row, scales.map(scale => ({ label: scale.label, text: scale.text(row) })));
    placeTip(tip, x, y, planeWidth(), HEIGHT);
    plane.style.cursor = options.onOpen ? 'pointer' : '';
    if (announce) {
      setText(spoken, text);
    }
  }

  function rowAt(x: number, y: number): number | undefined {
    const axis = Math.max(0, Math.min(scales.length - 2, Math.floor((x - SIDE) / gap())));
    const [left, right] = [scales[axis], scales[axis + 1]];
    let best: number | undefined;
    let least = NEAR;
    for (const row of inside) {
      const far = distanceTo(x, y, xOf(axis), yOf(left.at(row)), xOf(axis + 1), yOf(right.at(row)));
      if (far < least) {
        [best, least] = [row, far];
      }
    }
    return best;
  }

  plane.addEventListener('pointermove', event => {
    if (scales.length < 2 || (event.target as Element).closest('.tnb-rail, button')) {
      return;
    }
    const box = plane.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    light(rowAt(x, y), false, x, y);
  });
  plane.addEventListener('pointerleave', () => light(undefined, false));
  plane.addEventListener('click', event => {
    if (current !== undefined && !(event.target as Element).closest('.tnb-rail, button')) {
      options.onOpen?.(current);
    }
  });
  plane.addEventListener('keydown', event => {
    if (event.target !== plane) {
      return;
    }
    const place = current === undefined ? -1 : inside.indexOf(current);
    if ((event.key === 'ArrowRight' || event.key === 'ArrowLeft') && inside.length) {
      const next = (place + (event.key === 'ArrowRight' ? 1 : place < 0 ? 0 : -1) + inside.length) % inside.length;
      light(inside[next], true, xOf(scales.length - 1), yOf(scales[scales.length - 1]?.at(inside[next])));
    } else if (event.key === 'Enter' && current !== undefined) {
      options.onOpen?.(current);
    } else if (event.key === 'Escape' && current !== undefined) {
      light(undefined, false);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
  plane.addEventListener('blur', () => light(undefined, false));

  draw();
  const stop = followWidth(frame, now => {
    width = now;
    drawAxes();
    drawLines();
    const kept = current;
    light(undefined, false);
    light(kept, false, xOf(scales.length - 1));
  });
  return {
    element,
    update(next) {
      set = next;
      draw();
      fillPicker();
    },
    redraw: draw,
    destroy() {
      stop();
      element.remove();
    }
  };
}
