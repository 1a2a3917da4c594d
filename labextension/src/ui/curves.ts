/** Curves of one or several runs, with what it takes to read them: axis, scale, smoothing, zoom, values under the pointer. */

import {
  aligned, bandOf, elapsedTick, forLog, lineOf, nearestIndex, smoothed, type Column, type Line, type XAxis
} from './curvemath';
import { button, drawing, h, setText } from './dom';
import { formatNumber, formatTime, toNumber } from './format';
import { axes, DASHES, followWidth, isSparse, noteNothing, padded, spread, uPlot } from './plot';
import { families, seriesHint } from './series';
import { PALETTE, runColor } from './theme';
import type { SeriesJson } from './types';

export interface CurveRun {
  id: string;
  name: string;
  color: number;
  start: number | null;
  series: SeriesJson[];
}

/** Runs that are shown as one: their mean, and one standard deviation around it. */
export interface CurveGroup {
  label: string;
  color: number;
  ids: string[];
}

export interface CurvesState {
  /** The metrics that are drawn; `null` for those chosen by themselves. */
  metrics: string[] | null;
  x: XAxis;
  log: boolean;
  /** From 0, nothing, to 0.99. */
  smooth: number;
  zoom: [number, number] | null;
}

export interface CurvesOptions {
  state?: Partial<CurvesState>;
  /** With groups, a mean and a band each; their members behind, faint. Runs in no group are drawn as ever. */
  groups?: CurveGroup[];
}

export interface CurvesView {
  element: HTMLElement;
  /** Other runs, or the same with more points; what is chosen and the zoom stay. */
  update(runs: CurveRun[], groups?: CurveGroup[]): void;
  state(): CurvesState;
  /** The colours have changed. */
  redraw(): void;
  destroy(): void;
}

/** What makeRoot must be given where curves are shown. */
export const CURVES_CSS = `
.tracknb-view .tnb-curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); gap: 8px; }
.tracknb-view .tnb-curves.tnb-one { grid-template-columns: minmax(0, 1fr); }
.tracknb-view .tnb-curves .tnb-plot { cursor: crosshair; }
.tracknb-view .tnb-curves .tnb-tip { white-space: nowrap; max-width: 320px; }
.tracknb-view .tnb-tip .tnb-tiprow { display: flex; gap: 6px; align-items: center; }
.tracknb-view .tnb-curves .tnb-legend { max-height: 48px; }
.tracknb-view .tnb-sample { width: 20px; height: 8px; flex: none; }
.tracknb-view .tnb-tip .tnb-tiprow em { font-style: normal; overflow: hidden; text-overflow: ellipsis; flex: 1; }
.tracknb-view .tnb-tip .tnb-tiprow span { font-variant-numeric: tabular-nums; }
.tracknb-view .tnb-tip .tnb-tiprow.tnb-near { font-weight: 600; }
.tracknb-view .tnb-smooth { width: 88px; accent-color: var(--tnb-accent); }
.tracknb-view .tnb-curvebar label { white-space: nowrap; }
`;

const HEIGHT = 176;
const TALL = 264;
/** More charts than this are not drawn by themselves; the picker has the others. */
const CHARTS = 12;
const FILTER_FROM = 20;
const LEGEND = 12;
const TIP_ROWS = 10;
const AXES: [XAxis, string][] = [['step', 'Step'], ['wall', 'Wall time'], ['relative', 'Relative time']];

interface Drawn {
  label: string;
  color: string;
  dash: number[];
  /** Where it stands in the chart's data. */
  at: number;
  odd: Map<number, number>;
  last: SeriesJson | null;
}

/** The metrics that have a curve, those of the machine last. */
function keysOf(runs: CurveRun[]): string[] {
  const keys = new Set<string>();
  for (const run of runs) {
    for (const series of run.series) {
      if (series.x.length > 1) {
        keys.add(series.key);
      }
    }
  }
  const all = [...keys];
  return [...all.filter(key => !key.startsWith('system/')), ...all.filter(key => key.startsWith('system/'))];
}

/** What is drawn when nobody chose: the first charts, and the machine's metrics only where there are no others. */
export function chosenKeys(keys: string[]): string[] {
  const own = keys.filter(key => !key.startsWith('system/'));
  const groups = families(own.length ? own : keys);
  return [...groups.values()].slice(0, CHARTS).flat();
}

/** How often a colour has come before: then the dash must tell two runs apart. */
function repeats(colors: number[]): number[] {
  const seen = new Map<number, number>();
  return colors.map(color => {
    const place = ((color % PALETTE.length) + PALETTE.length) % PALETTE.length;
    const count = seen.get(place) ?? 0;
    seen.set(place, count + 1);
    return count;
  });
}

/** What all charts of one view share. */
interface Setting {
  root: HTMLElement;
  state: CurvesState;
  runs: CurveRun[];
  groups: CurveGroup[];
  zoomTo(range: [number, number] | null): void;
}

class Chart {
  readonly element = h('div', { class: 'tnb-chart' });
  private readonly box = h('div', { class: 'tnb-plot', tabindex: '0', role: 'img' });
  private readonly legend = h('div', { class: 'tnb-legend' });
  private readonly tip = h('div', { class: 'tnb-tip', hidden: '' });
  private readonly spoken = h('div', { class: 'tnb-sr', 'aria-live': 'polite' });
  private readonly note = h('div', { class: 'tnb-quiet' });
  private plot: uPlot | undefined;
  private shape = '';
  private drawn: Drawn[] = [];
  private x: number[] = [];
  private columns: Column[] = [];
  private current = -1;
  private height = HEIGHT;
  private readonly stop: () => void;

  constructor(
    private readonly setting: Setting,
    family: string
  ) {
    this.element.append(h('h4', { title: family }, family), this.box, this.legend, this.note, this.spoken);
    this.stop = followWidth(this.box, width => {
      this.plot?.setSize({ width, height: this.height });
      this.showTip(-1, false);
    });
    this.box.addEventListener('keydown', event => this.pressed(event));
    this.box.addEventListener('blur', () => this.leave());
    this.box.addEventListener('dblclick', () => setting.zoomTo(null));
  }

  update(keys: string[], tall: boolean): void {
    const { state, runs } = this.setting;
    const height = tall ? TALL : HEIGHT;
    const parts = this.collect(keys);
    const { x, columns } = aligned(parts.lines);
    this.x = x;
    this.columns = state.log ? columns.map(forLog) : columns;
    this.drawn = parts.drawn;
    const shape = JSON.stringify([
      parts.looks, parts.bands, state.log, state.x, state.smooth > 0, height
    ]);
    const data = [x, ...this.columns] as uPlot.AlignedData;
    if (shape !== this.shape) {
      this.shape = shape;
      this.height = height;
      this.build(data, parts);
    } else {
      this.plot?.setData(data);
    }
    noteNothing(this.box, data.slice(1) as (number | null | undefined)[][]);
    const hidden = state.log
      ? parts.drawn.reduce((sum, { at }) => sum + columns[at].filter(value => typeof value === 'number' && value <= 0).length, 0)
      : 0;
    setText(this.note, hidden ? `${hidden} ${hidden === 1 ? 'value' : 'values'} at or below 0 not drawn on the log scale.` : '');
    const axis = AXES.find(([name]) => name === state.x)![1].toLowerCase();
    this.box.setAttribute(
      'aria-label',
      `${keys.join(', ')} of ${runs.length === 1 ? runs[0].name : `${runs.length} runs`} over ${axis}. ` +
        'Arrow keys move along the curve, plus and minus zoom, 0 shows all.'
    );
    this.drawLegend(keys.length);
    if (this.current >= 0) {
      this.showTip(Math.min(this.current, x.length - 1), false);
    }
  }

  redraw(): void {
    this.plot?.redraw(false, true);
  }

  /** The zoom has changed, maybe in another chart. */
  rescale(): void {
    this.plot?.setData(this.plot.data);
    this.showTip(-1, false);
  }

  destroy(): void {
    this.stop();
    this.plot?.destroy();
    this.element.remove();
  }

  /** The lines in the order in which they are painted: faint ones first. */
  private collect(keys: string[]): Parts {
    const { state, runs, groups } = this.setting;
    const several = runs.length > 1;
    const again = repeats(runs.map(run => run.color));
    const grouped = new Set(groups.flatMap(group => group.ids));
    const parts: Parts = { lines: [], looks: [], drawn: [], bands: [] };
    const back: { line: Line; look: Look }[] = [];
    const front: { line: Line; look: Look; drawn: Omit<Drawn, 'at'> }[] = [];
    const members = new Map<string, Line[]>();
    keys.forEach((key, keyIndex) => {
      runs.forEach((run, runIndex) => {
        const series = run.series.find(candidate => candidate.key === key);
        if (!series || !series.x.length) {
          return;
        }
        const raw = lineOf(series, state.x, run.start);
        const line = { ...raw, y: smoothed(raw.y, state.smooth) };
        const place = several ? keyIndex + keys.length * again[runIndex] : Math.floor(keyIndex / PALETTE.length);
        const look = {
          color: several ? runColor(run.color) : PALETTE[keyIndex % PALETTE.length],
          dash: DASHES[place % DASHES.length],
          faint: false
        };
        if (grouped.has(run.id)) {
          const mark = JSON.stringify([key, run.id]);
          members.set(mark, [line]);
          back.push({ line, look: { ...look, faint: true } });
          return;
        }
        if (line.y !== raw.y) {
          back.push({ line: raw, look: { ...look, faint: true } });
        }
        const label = several ? (keys.length > 1 ? `${run.name} ${key}` : run.name) : key;
        front.push({ line, look, drawn: { label, color: look.color, dash: look.dash, odd: raw.odd, last: series } });
      });
      const alike = repeats(groups.map(group => group.color));
      groups.forEach((group, groupIndex) => {
        const lines = group.ids.flatMap(id => members.get(JSON.stringify([key, id])) ?? []);
        if (!lines.length) {
          return;
        }
        const band = bandOf(lines);
        const color = runColor(group.color);
        const dash = DASHES[(keyIndex + keys.length * alike[groupIndex]) % DASHES.length];
        const label = `${group.label}${keys.length > 1 ? ` ${key}` : ''} (mean of ${lines.length})`;
        const odd = new Map<number, number>();
        const edge = { color: 'transparent', dash: [], faint: false };
        // A band lies between two lines of the chart: upper first.
        parts.bands.push({ at: back.length, color });
        back.push({ line: { x: band.x, y: band.high, odd }, look: edge }, { line: { x: band.x, y: band.low, odd }, look: edge });
        front.push({ line: { x: band.x, y: band.mean, odd }, look: { color, dash, faint: false }, drawn: { label, color, dash, odd, last: null } });
      });
    });
    for (const { line, look } of [...back, ...front]) {
      parts.lines.push(line);
      parts.looks.push(look);
    }
    parts.drawn = front.map((item, i) => ({ ...item.drawn, at: back.length + i }));
    return parts;
  }

  private build(data: uPlot.AlignedData, parts: Parts): void {
    const { root, state } = this.setting;
    const [xAxis, yAxis] = axes(root, state.x === 'wall');
    if (state.x === 'relative') {
      xAxis.values = (_, ticks) => ticks.map(elapsedTick);
      xAxis.space = 64;
    }
    const whole = spread(1);
    const marked = new Set(parts.drawn.map(item => item.at + 1));
    this.plot?.destroy();
    this.box.style.minHeight = `${this.height}px`;
    this.plot = new uPlot(
      {
        width: this.box.clientWidth || 304,
        height: this.height,
        legend: { show: false },
        padding: [8, 12, 0, 0],
        cursor: {
          y: false,
          drag: { x: true, y: false, setScale: false, dist: 4 },
          points: parts.drawn.length <= LEGEND ? { size: 6 } : { show: false },
          // uPlot takes null for "no point here", which its types do not say.
          dataIdx: (_, seriesIndex, index) =>
            seriesIndex === 0 ? index : ((marked.has(seriesIndex) ? (this.indexOn(seriesIndex, index) ?? null) : null) as number)
        },
        scales: {
          x: { time: state.x === 'wall', range: (plot, low, high) => this.setting.state.zoom ?? whole(plot, low, high, 'x') },
          y: state.log
            ? {
                distr: 3,
                range: (_, low, high) => (low !== null && low > 0 && high !== null ? uPlot.rangeLog(low, high, 10, false) : [0.1, 1])
              }
            : { range: padded }
        },
        axes: [xAxis, yAxis],
        bands: parts.bands.map(band => ({ series: [band.at + 1, band.at + 2] as [number, number], fill: `${band.color}2e` })),
        series: [
          {},
          ...parts.looks.map(look => ({
            stroke: look.color,
            dash: look.faint ? [] : look.dash,
            width: look.faint ? 1 : 1.5,
            alpha: look.faint ? 0.25 : 1,
            spanGaps: false,
            points: { show: look.faint || look.color === 'transparent' ? false : isSparse, size: 5 }
          }))
        ],
        hooks: {
          draw: [plot => this.drawOdd(plot)],
          setSelect: [plot => this.selected(plot)],
          setCursor: [plot => this.showTip(plot.cursor.idx ?? -1, false)]
        }
      },
      data,
      this.box
    );
    this.box.append(this.tip);
  }

  /** Dragging chose a part of the x axis. */
  private selected(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < 4) {
      return;
    }
    const range: [number, number] = [plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')];
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.setting.zoomTo(range);
  }

  private indexOn(seriesIndex: number, index: number): number | undefined {
    const column = this.columns[seriesIndex - 1];
    if (!column || !this.x.length) {
      return undefined;
    }
    return nearestIndex(this.x, column, index, (this.x[this.x.length - 1] - this.x[0]) * 0.01);
  }

  /** A mark at the foot for NaN and −∞, at the head for ∞, where the curve has a gap. */
  private drawOdd(plot: uPlot): void {
    const ratio = window.devicePixelRatio || 1;
    const { ctx, bbox } = plot;
    const size = 4 * ratio;
    ctx.save();
    for (const item of this.drawn) {
      ctx.fillStyle = item.color;
      for (const [place, value] of item.odd) {
        const x = plot.valToPos(place, 'x', true);
        if (x < bbox.left || x > bbox.left + bbox.width) {
          continue;
        }
        const up = value === Infinity;
        const y = up ? bbox.top : bbox.top + bbox.height;
        const tip = up ? y + 2 * size : y - 2 * size;
        ctx.beginPath();
        ctx.moveTo(x - size, y);
        ctx.lineTo(x + size, y);
        ctx.lineTo(x, tip);
        ctx.fill();
      }
    }
    ctx.restore();
  }

  private drawLegend(keys: number): void {
    // A mean without its name would be taken for a run.
    const alone = this.drawn.length === 1 && keys === 1 && this.drawn[0].last !== null;
    const rows = this.drawn.slice(0, LEGEND).map(item => {
      const value = h('b', {}, item.last ? formatNumber(toNumber(item.last.last)) : '');
      if (item.last) {
        value.title = seriesHint(item.last);
      }
      return h('span', { title: item.label }, lineSample(item.color, item.dash), ...(alone ? [] : [h('em', {}, item.label)]), value);
    });
    const more = this.drawn.length - rows.length;
    this.legend.replaceChildren(...rows, ...(more > 0 ? [h('span', { class: 'tnb-quiet' }, `and ${more} more`)] : []));
  }

  /** What stands at a place: the x value, and the curves nearest to the pointer first. */
  private rowsAt(index: number): { head: string; rows: { item: Drawn; text: string; y: number | null }[] } {
    const { state } = this.setting;
    const place = this.x[index];
    const head =
      state.x === 'wall' ? formatTime(place * 1000) : state.x === 'relative' ? elapsedTick(place) : `step ${place}`;
    const rows = this.drawn.flatMap(item => {
      const at = this.indexOn(item.at + 1, index);
      if (at === undefined) {
        return [];
      }
      const value = this.columns[item.at][at];
      const odd = item.odd.get(this.x[at]);
      const text = typeof value === 'number' ? formatNumber(value) : odd !== undefined ? formatNumber(odd) : '';
      return text ? [{ item, text, y: typeof value === 'number' ? value : null }] : [];
    });
    return { head, rows };
  }

  private showTip(index: number, announce: boolean): void {
    this.current = index;
    const { plot, tip } = this;
    if (!plot || index < 0 || index >= this.x.length) {
      tip.hidden = true;
      return;
    }
    const { head, rows } = this.rowsAt(index);
    const pointer = plot.cursor.top ?? -1;
    const far = (y: number | null) => (y === null ? Infinity : Math.abs(plot.valToPos(y, 'y') - pointer));
    const near = pointer >= 0 && rows.length > 1 ? rows.reduce((best, row) => (far(row.y) < far(best.y) ? row : best)) : undefined;
    const shown = rows.length > TIP_ROWS ? [...rows].sort((a, b) => far(a.y) - far(b.y)).slice(0, TIP_ROWS) : rows;
    tip.replaceChildren(
      h('b', {}, head),
      ...shown.map(row =>
        h(
          'div',
          { class: row === near ? 'tnb-tiprow tnb-near' : 'tnb-tiprow' },
          lineSample(row.item.color, row.item.dash),
          h('em', {}, row.item.label),
          h('span', {}, row.text)
        )
      ),
      ...(rows.length > shown.length ? [h('div', { class: 'tnb-quiet' }, `and ${rows.length - shown.length} more`)] : [])
    );
    tip.hidden = false;
    const ratio = window.devicePixelRatio || 1;
    const left = plot.valToPos(this.x[index], 'x') + plot.bbox.left / ratio;
    const { offsetWidth, offsetHeight } = tip;
    // Beside the pointer, over a neighbouring chart if need be, but not out of the view.
    const [own, around] = [this.box.getBoundingClientRect(), this.setting.root.getBoundingClientRect()];
    const beyond = own.left + left + 12 + offsetWidth > around.right;
    tip.style.left = `${beyond ? Math.max(around.left - own.left, left - 12 - offsetWidth) : left + 12}px`;
    tip.style.top = `${Math.max(0, Math.min((pointer >= 0 ? pointer : 0) - offsetHeight / 2, this.height - offsetHeight))}px`;
    if (announce) {
      setText(this.spoken, [head, ...shown.map(row => `${row.item.label} ${row.text}`)].join(', '));
    }
  }

  private leave(): void {
    this.plot?.setCursor({ left: -10, top: -10 }, false);
    this.showTip(-1, false);
  }

  private pressed(event: KeyboardEvent): void {
    const { plot, x } = this;
    const { state, zoomTo } = this.setting;
    if (!plot || !x.length || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const [low, high] = state.zoom ?? [x[0], x[x.length - 1]];
    const first = Math.max(0, x.findIndex(place => place >= low));
    let last = x.length - 1;
    while (last > first && x[last] > high) {
      last -= 1;
    }
    const moves: Record<string, number> = {
      ArrowRight: this.current < 0 ? first : this.current + 1,
      ArrowLeft: this.current < 0 ? last : this.current - 1,
      Home: first,
      End: last
    };
    if (event.key in moves) {
      const next = Math.max(first, Math.min(last, moves[event.key]));
      plot.setCursor({ left: plot.valToPos(x[next], 'x'), top: -1 }, false);
      this.showTip(next, true);
    } else if (event.key === '+' || event.key === '=' || event.key === '-') {
      const middle = this.current >= 0 ? x[this.current] : (low + high) / 2;
      const share = event.key === '-' ? 2 : 0.5;
      const [from, to] = [middle - (middle - low) * share, middle + (high - middle) * share];
      zoomTo(from <= x[0] && to >= x[x.length - 1] ? null : [Math.max(from, x[0]), Math.min(to, x[x.length - 1])]);
    } else if (event.key === '0' && state.zoom) {
      zoomTo(null);
    } else if (event.key === 'Escape' && this.current >= 0) {
      this.leave();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

interface Look {
  color: string;
  dash: number[];
  faint: boolean;
}

interface Parts {
  lines: Line[];
  looks: Look[];
  drawn: Drawn[];
  bands: { at: number; color: string }[];
}

/** A piece of a line as it is drawn, for legends. */
function lineSample(color: string, dash: number[]): SVGSVGElement {
  const svg = drawing('tnb-sample', '0 0 20 8', 'M0 4h20');
  const line = svg.firstElementChild!;
  line.setAttribute('stroke', color);
  line.setAttribute('stroke-width', '2');
  line.setAttribute('stroke-dasharray', dash.join(' '));
  return svg;
}

export function curvesView(runs: CurveRun[], options: CurvesOptions = {}): CurvesView {
  const element = h('div');
  const state: CurvesState = { metrics: null, x: 'step', log: false, smooth: 0, zoom: null, ...options.state };
  const charts = new Map<string, Chart>();
  const setting: Setting = { root: element, state, runs, groups: options.groups ?? [], zoomTo };

  const picker = h('div', { class: 'tnb-picker', hidden: '' });
  const pick = button(
    'Metrics',
    () => {
      picker.hidden = !picker.hidden;
      pick.setAttribute('aria-expanded', String(!picker.hidden));
      fillPicker();
    },
    { 'aria-expanded': 'false' }
  );
  const axis = h('select', { 'aria-label': 'X axis' }, ...AXES.map(([value, label]) => h('option', { value }, label)));
  axis.value = state.x;
  axis.addEventListener('change', () => {
    state.x = axis.value as XAxis;
    // Steps and seconds have nothing in common.
    state.zoom = null;
    draw();
  });
  const log = h('input', { type: 'checkbox' });
  log.checked = state.log;
  log.addEventListener('change', () => {
    state.log = log.checked;
    draw();
  });
  const slider = h('input', { type: 'range', min: '0', max: '0.99', step: '0.01', class: 'tnb-smooth', 'aria-label': 'Smoothing' });
  slider.value = String(state.smooth);
  const amount = h('span', { class: 'tnb-quiet tnb-num' });
  let frame = 0;
  slider.addEventListener('input', () => {
    state.smooth = Number(slider.value);
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(draw);
  });
  const reset = button('Reset zoom', () => zoomTo(null));
  const bar = h(
    'div',
    { class: 'tnb-bar tnb-curvebar' },
    pick,
    h('label', {}, 'X axis', axis),
    h('label', {}, log, 'Log scale'),
    h('label', { title: 'Exponential moving average, as in TensorBoard; the raw curve stays behind, faint.' }, 'Smoothing', slider),
    amount,
    reset
  );
  const grid = h('div', { class: 'tnb-curves' });
  const nothing = h('div', { class: 'tnb-quiet' });
  element.append(bar, picker, grid, nothing);

  function zoomTo(range: [number, number] | null): void {
    if (range === null && state.zoom === null) {
      return;
    }
    const focused = document.activeElement === reset;
    state.zoom = range;
    charts.forEach(chart => chart.rescale());
    drawBar();
    if (focused) {
      axis.focus({ preventScroll: true });
    }
  }

  function drawBar(): void {
    setText(amount, state.smooth ? state.smooth.toFixed(2) : 'off');
    reset.hidden = state.zoom === null;
  }

  const shownKeys = (keys: string[]): string[] =>
    state.metrics === null ? chosenKeys(keys) : keys.filter(key => state.metrics!.includes(key));

  function fillPicker(): void {
    if (picker.hidden) {
      picker.replaceChildren();
      return;
    }
    const keys = keysOf(setting.runs);
    const on = new Set(shownKeys(keys));
    const labels: [string, HTMLElement, HTMLInputElement][] = keys.map(key => {
      const box = h('input', { type: 'checkbox' });
      box.checked = on.has(key);
      box.addEventListener('change', () => {
        const now = new Set(shownKeys(keysOf(setting.runs)));
        if (box.checked) {
          now.add(key);
        } else {
          now.delete(key);
        }
        state.metrics = [...now];
        draw();
      });
      return [key, h('label', {}, box, key), box];
    });
    const setAll = (wanted: boolean) => {
      const seen = labels.filter(([, label]) => !label.hidden);
      const now = new Set(shownKeys(keysOf(setting.runs)));
      for (const [key, , box] of seen) {
        box.checked = wanted;
        if (wanted) {
          now.add(key);
        } else {
          now.delete(key);
        }
      }
      state.metrics = [...now];
      draw();
    };
    const legend = h('legend', {}, 'Metrics');
    legend.append(
      button('All', () => setAll(true), { 'aria-label': 'Show all metrics' }),
      button('None', () => setAll(false), { 'aria-label': 'Show no metric' })
    );
    const set = h('fieldset', {}, legend);
    if (keys.length > FILTER_FROM) {
      const filter = h('input', { type: 'search', placeholder: 'Find a metric', 'aria-label': 'Find a metric' });
      filter.addEventListener('input', () => {
        const words = filter.value.toLowerCase();
        labels.forEach(([key, label]) => (label.hidden = !key.toLowerCase().includes(words)));
      });
      legend.append(filter);
    }
    set.append(...labels.map(([, label]) => label));
    picker.replaceChildren(set);
  }

  function draw(): void {
    const keys = keysOf(setting.runs);
    const shown = shownKeys(keys);
    const groups = families(shown);
    for (const [family, chart] of charts) {
      if (!groups.has(family)) {
        chart.destroy();
        charts.delete(family);
      }
    }
    let before: Element | null = null;
    for (const [family, members] of groups) {
      let chart = charts.get(family);
      if (!chart) {
        chart = new Chart(setting, family);
        charts.set(family, chart);
      }
      const wanted: Element | null = before ? before.nextElementSibling : grid.firstElementChild;
      if (wanted !== chart.element) {
        grid.insertBefore(chart.element, wanted);
      }
      before = chart.element;
      chart.update(members, groups.size === 1);
    }
    grid.classList.toggle('tnb-one', groups.size === 1);
    setText(pick, keys.length === shown.length ? 'Metrics' : `Metrics: ${shown.length} of ${keys.length}`);
    bar.hidden = keys.length === 0;
    setText(
      nothing,
      keys.length === 0 ? 'No metric has more than one point yet.' : shown.length === 0 ? 'No metric is chosen.' : ''
    );
    drawBar();
  }
  draw();

  return {
    element,
    update(next, groups) {
      const known = JSON.stringify(keysOf(setting.runs));
      setting.runs = next;
      setting.groups = groups ?? setting.groups;
      draw();
      if (!picker.hidden && JSON.stringify(keysOf(next)) !== known) {
        fillPicker();
      }
    },
    state: () => ({ ...state }),
    redraw: () => charts.forEach(chart => chart.redraw()),
    destroy() {
      cancelAnimationFrame(frame);
      charts.forEach(chart => chart.destroy());
      element.remove();
    }
  };
}
