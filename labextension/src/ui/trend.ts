/** One metric over the start times of runs: is it getting better? */

import { button, h, setText, titleBar } from './dom';
import { countText, formatNumber, formatTime, fullNumber } from './format';
import { placeTip } from './marks';
import { pageFromRow } from './page';
import { axes, followWidth, padded, spread, uPlot } from './plot';
import { queryBox, QUERY_CSS } from './querybox';
import { Rows } from './rundata';
import { emptyState } from './runs';
import { chartColors, makeRoot, runColor } from './theme';
import { bestSoFar, logTicks, metricsIn, trendPoints, warningOf, type Direction, type TrendPoint } from './trending';
import type { Host, TrendPayload, View } from './types';

const HEIGHT = 248;
/** A click this far from a point still means it. */
const REACH = 24;
/** More points than this are drawn as squares of 2 pixels: circles would take seconds. */
const CIRCLES = 2_000;
/** More chips than these make their bar longer than the chart. */
const CHIPS = 24;
/** Rows of one answer of the kernel: some 20 ms of its time, and of ours. */
const CHUNK = 4_000;
const TREND_CSS = `
.tracknb-view .tnb-trend .uplot { cursor: default; }
.tracknb-view .tnb-trend.tnb-near .uplot, .tracknb-view .tnb-trend.tnb-near .u-over { cursor: pointer; }
.tracknb-view .tnb-bestline { display: flex; flex-wrap: wrap; align-items: center; gap: 0 6px; font-size: 12px; line-height: 20px; }
.tracknb-view .tnb-bestline i { width: 16px; height: 0; flex: none; border-top: 2px solid var(--tnb-ok); }
`;

export function trendView(payload: TrendPayload, host: Host = {}): View {
  const { data } = payload;
  let plot: uPlot | undefined;
  const root = makeRoot(() => plot?.redraw(false, true), QUERY_CSS + TREND_CSS);
  root.element.append(titleBar(payload.title, payload.query, host.inside));
  if (data.n === 0) {
    root.element.append(
      payload.total > 0
        ? h('div', { class: 'tnb-empty' }, `No run matches. ${countText(0, payload.total)}.`)
        : emptyState(payload.experiment)
    );
    return { element: root.element, destroy: root.destroy };
  }

  const given = host.state ?? {};
  const isArchived = new Set<number>();
  // Where archived runs were not asked for, a table that the kernel makes anew may bring them.
  const hidesArchived = !data.archived?.length;
  let evalSet = data.evalSets.dict.indexOf(given.sets ?? '');
  // What was asked for stays asked for while other runs are shown, which may lack it.
  let wanted = given.metric ?? payload.metric;
  let metric = wanted;
  let matches: ((row: number) => boolean) | undefined;
  let points: TrendPoint[] = [];
  let best: number[] = [];
  let current = -1;
  // What a person chose for a metric counts more than what its name tells.
  const chosen = new Map<string, Direction | 'off'>();
  if (metric !== null && isDirection(given.best)) {
    chosen.set(metric, given.best);
  }

  const box = queryBox({
    label: 'Search runs',
    initial: given.q,
    data,
    host,
    experiment: payload.experiment,
    onChange(found) {
      matches = found;
      draw();
    }
  });

  const rowsShown = (): number[] => {
    const rows: number[] = [];
    for (let row = 0; row < data.n; row++) {
      if (isArchived.has(row)) {
        continue;
      }
      if ((evalSet < 0 || data.evalSets.codes[row].includes(evalSet)) && (!matches || matches(row))) {
        rows.push(row);
      }
    }
    return rows;
  };

  const choice = (label: string, words: [string, string][], onChange: (value: string) => void) => {
    const select = h('select', {}, ...words.map(([value, text]) => h('option', { value }, text)));
    select.addEventListener('change', () => onChange(select.value));
    return { select, element: h('label', {}, label, select) };
  };
  const metrics = choice('Metric', [], value => {
    wanted = value;
    draw();
  });
  const direction = choice('Best', [['lower', 'Lower is better'], ['higher', 'Higher is better'], ['off', 'Not drawn']], value => {
    if (metric !== null) {
      chosen.set(metric, value as Direction | 'off');
    }
    draw();
  });
  const across = choice('X axis', [['time', 'Start time'], ['order', 'Order of runs']], draw);
  across.select.value = given.x === 'order' ? 'order' : 'time';
  const log = h('input', { type: 'checkbox' });
  log.checked = given.log === 'y';
  log.addEventListener('change', draw);

  const chips = h('div', { class: 'tnb-chips', role: 'group', 'aria-label': 'Evaluation Set, one at a time' });
  const count = h('span', { class: 'tnb-quiet tnb-num', role: 'status' });
  const warning = h('div', { class: 'tnb-warning', role: 'note', hidden: '' });
  const plotBox = h('div', { class: 'tnb-plot tnb-trend', tabindex: '0', role: 'application' });
  plotBox.style.minHeight = `${HEIGHT}px`;
  const tip = h('div', { class: 'tnb-tip', hidden: '' });
  const spoken = h('div', { class: 'tnb-sr', 'aria-live': 'polite' });
  const bestLine = h('div', { class: 'tnb-bestline', hidden: '' });
  const nothing = h('div', { class: 'tnb-empty', hidden: '' });
  const note = h('div', { class: 'tnb-quiet' }, payload.note);
  let gone = false;

  function makeChips(): void {
    const frequency = new Array<number>(data.evalSets.dict.length).fill(0);
    data.evalSets.codes.forEach(codes => codes.forEach(code => (frequency[code] += 1)));
    const sets = data.evalSets.dict.map((_, code) => code).sort((a, b) => frequency[b] - frequency[a] || a - b);
    chips.replaceChildren();
    for (const code of sets.filter((one, place) => place < CHIPS || one === evalSet)) {
      const name = data.evalSets.dict[code];
      const chip = button(
        name,
        () => {
          evalSet = evalSet === code ? -1 : code;
          draw();
        },
        { class: 'tnb-chip tnb-set', 'data-code': String(code), title: `${name}\nShow only runs of this Evaluation Set` }
      );
      chips.append(chip);
    }
  }

  const directionNow = (): Direction | 'off' =>
    metric === null ? 'off' : (chosen.get(metric) ?? payload.directions?.[metric] ?? 'off');
  const xOf = (place: number) => (across.select.value === 'order' ? place + 1 : points[place].time / 1000);

  function open(place: number): void {
    const { row } = points[place];
    const id = data.id[row];
    host.onSelect?.([id]);
    host.open?.({ page: 'run', id }, pageFromRow(data, row));
  }

  function showTip(place: number, announce: boolean): void {
    current = place;
    if (!plot || place < 0 || place >= points.length) {
      tip.hidden = true;
      return;
    }
    const { row, time, value } = points[place];
    const names = data.evalSets.codes[row].map(code => data.evalSets.dict[code]).join(', ');
    const isBest = best.length > 0 && best[place] === value && best[place - 1] !== value;
    const lines = [isBest ? 'Best so far' : '', formatTime(time), data.name[row], data.user[row], names].filter(Boolean);
    tip.replaceChildren(h('b', {}, `${metric}: ${formatNumber(value)}`), ...lines.map(line => h('div', {}, line)));
    tip.title = fullNumber(value);
    const ratio = window.devicePixelRatio || 1;
    const left = plot.valToPos(xOf(place), 'x') + plot.bbox.left / ratio;
    const top = plot.valToPos(value, 'y') + plot.bbox.top / ratio;
    placeTip(tip, left, top, plotBox.clientWidth, HEIGHT);
    if (announce) {
      setText(spoken, [`${metric} ${formatNumber(value)}`, ...lines, 'Enter opens the run'].join(', '));
    }
  }

  /** The point nearest to the pointer, and how far away it is. uPlot itself looks along x only. */
  function nearest(self: uPlot): [place: number, distance: number] {
    const { idx, left = -1, top = -1 } = self.cursor;
    if (idx === null || idx === undefined || left < 0) {
      return [-1, Infinity];
    }
    let found = -1;
    let least = Infinity;
    for (const step of [-1, 1]) {
      for (let place = step < 0 ? idx : idx + 1; place >= 0 && place < points.length; place += step) {
        const dx = self.valToPos(xOf(place), 'x') - left;
        if (Math.abs(dx) > Math.max(least, REACH)) {
          break;
        }
        const distance = Math.hypot(dx, self.valToPos(points[place].value, 'y') - top);
        if (distance < least) {
          [found, least] = [place, distance];
        }
      }
    }
    return [found < 0 ? idx : found, least];
  }

  plotBox.addEventListener('keydown', event => {
    const steps: Record<string, number> = {
      ArrowRight: current + 1,
      ArrowLeft: current < 0 ? points.length - 1 : current - 1,
      Home: 0,
      End: points.length - 1
    };
    if (event.key === 'Escape' && current >= 0) {
      plot?.setCursor({ left: -10, top: -10 }, false);
      showTip(-1, false);
    } else if (event.key === 'Enter' && points[current]) {
      open(current);
    } else if (Object.hasOwn(steps, event.key) && points.length) {
      const next = Math.max(0, Math.min(points.length - 1, steps[event.key]));
      plot?.setCursor({ left: plot.valToPos(xOf(next), 'x'), top: plot.valToPos(points[next].value, 'y') }, false);
      showTip(next, true);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
  plotBox.addEventListener('blur', () => showTip(-1, false));
  plotBox.addEventListener('mouseleave', () => showTip(-1, false));
  plotBox.addEventListener('click', () => {
    const [place, distance] = plot ? nearest(plot) : [-1, Infinity];
    if (points[place] && distance <= REACH) {
      open(place);
    }
  });

  function drawControls(keys: string[]): void {
    metrics.select.replaceChildren(...keys.map(key => h('option', { value: key }, key)));
    metrics.select.disabled = direction.select.disabled = keys.length === 0;
    if (metric !== null) {
      metrics.select.value = metric;
    }
    direction.select.value = directionNow();
    for (const chip of chips.querySelectorAll('button')) {
      chip.setAttribute('aria-pressed', String(chip.getAttribute('data-code') === String(evalSet)));
    }
  }

  function drawWords(shown: number): void {
    setText(count, countText(points.length, Math.max(payload.total, data.n)));
    const words = warningOf(data, payload.digests, points);
    setText(warning, words);
    warning.hidden = words === '';
    nothing.hidden = points.length > 0;
    plotBox.hidden = points.length === 0;
    setText(
      nothing,
      shown === 0
        ? 'No run matches the query and the Evaluation Set.'
        : log.checked && metric !== null
          ? `No value of ${metric} is above 0, so a log scale has nothing to show.`
          : 'These runs have no metric with a number to draw.'
    );
    const axis = across.select.value === 'order' ? 'in the order they started' : 'over their start time';
    plotBox.setAttribute(
      'aria-label',
      `${metric ?? 'No metric'} of ${points.length} runs ${axis}. Arrow keys move from run to run, Enter opens one.`
    );
    const last = best.length - 1;
    bestLine.hidden = last < 0 || Number.isNaN(best[last]);
    if (!bestLine.hidden) {
      const place = points.findIndex(point => point.value === best[last]);
      const name = data.name[points[place].row];
      bestLine.replaceChildren(
        h('i', {}),
        `Best so far (${directionNow() === 'lower' ? 'lower is better' : 'higher is better'}):`,
        h('b', { title: fullNumber(best[last]) }, formatNumber(best[last])),
        host.open ? button(name, () => open(place), { class: 'tnb-plainlink', title: 'Open this run' }) : name
      );
    }
  }

  function draw(): void {
    const rows = rowsShown();
    const keys = metricsIn(data, rows);
    metric = wanted !== null && keys.includes(wanted) ? wanted : (keys[0] ?? null);
    drawControls(keys);
    points = metric === null ? [] : trendPoints(data, rows, metric);
    if (log.checked) {
      points = points.filter(point => point.value > 0);
    }
    const values = points.map(point => point.value);
    const goal = directionNow();
    best = goal === 'off' ? [] : bestSoFar(values, goal);
    tip.hidden = true;
    current = -1;
    drawWords(rows.length);
    plot?.destroy();
    plot = undefined;
    if (!points.length) {
      return;
    }
    const isOrder = across.select.value === 'order';
    plot = new uPlot(
      {
        width: plotBox.clientWidth || 640,
        height: HEIGHT,
        legend: { show: false },
        padding: [12, 16, 0, 28],
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
        scales: {
          x: { time: !isOrder, range: spread(isOrder ? 1 : 3600, 0.01) },
          y: log.checked ? { distr: 3, range: paddedLog } : { range: padded }
        },
        axes: trendAxes(root.element, isOrder, log.checked),
        series: [
          {},
          { stroke: () => chartColors(root.element).text, width: 0.7, points: { show: false } },
          {
            show: goal !== 'off',
            stroke: () => getComputedStyle(root.element).getPropertyValue('--tnb-ok').trim() || '#2e7d32',
            width: 2,
            paths: uPlot.paths.stepped!({ align: 1 }),
            points: { show: false }
          }
        ],
        hooks: {
          draw: [drawDots],
          setCursor: [
            (self: uPlot) => {
              if (plotBox.matches(':hover')) {
                const [place, distance] = nearest(self);
                plotBox.classList.toggle('tnb-near', distance <= REACH);
                showTip(place, false);
              }
            }
          ]
        }
      },
      [points.map((_, place) => xOf(place)), values, goal === 'off' ? values : best],
      plotBox
    );
    plotBox.append(tip);
  }

  /** Each run in its own colour, which uPlot's own points cannot have. */
  function drawDots(self: uPlot): void {
    const ratio = window.devicePixelRatio || 1;
    const { ctx } = self;
    const radius = (points.length > 200 ? 2 : 4) * ratio;
    ctx.save();
    points.forEach((point, place) => {
      const x = self.valToPos(xOf(place), 'x', true);
      const y = self.valToPos(point.value, 'y', true);
      ctx.fillStyle = runColor(data.color[point.row]);
      if (points.length > CIRCLES) {
        ctx.fillRect(x - ratio, y - ratio, 2 * ratio, 2 * ratio);
      } else {
        ctx.beginPath();
        ctx.arc(x, y, radius, 0, 2 * Math.PI);
        ctx.fill();
      }
    });
    ctx.restore();
  }

  root.element.append(
    box.element,
    h('div', { class: 'tnb-bar' }, chips),
    h(
      'div',
      { class: 'tnb-bar' },
      metrics.element, direction.element, across.element, h('label', {}, log, 'Log scale'), h('span', { class: 'tnb-push' }), count
    ),
    warning,
    plotBox,
    bestLine,
    spoken,
    nothing,
    note
  );
  makeChips();
  draw();
  const { ask } = host;
  let seen: IntersectionObserver | undefined;
  if (ask && (payload.held ?? data.n) > data.n && typeof IntersectionObserver !== 'undefined') {
    // Only what is on the page finds its kernel, and only what somebody looks at needs one.
    seen = new IntersectionObserver(entries => {
      if (entries.some(entry => entry.isIntersecting)) {
        seen?.disconnect();
        void load(ask);
      }
    });
    seen.observe(root.element);
  }

  /** Fetch the runs that the output had no room for; without a kernel the note says how many those are. */
  async function load(ask: NonNullable<Host['ask']>): Promise<void> {
    const rows = new Rows(data, payload.view, payload.held ?? data.n);
    try {
      while (!rows.isWhole && !gone) {
        const asked = { ask: 'rows', view: rows.view, from: data.n, count: CHUNK, asked: payload.asked ?? null };
        rows.add(await ask(asked));
      }
      data.keys = null;
      setText(note, '');
    } catch {
      // What came in until then is drawn.
    }
    if (gone) {
      return;
    }
    if (hidesArchived) {
      data.archived?.forEach(row => isArchived.add(row));
    }
    makeChips();
    box.refresh();
    draw();
  }

  const stop = followWidth(plotBox, width => {
    plot?.setSize({ width, height: HEIGHT });
    showTip(-1, false);
  });
  return {
    element: root.element,
    state() {
      const parts: Record<string, string> = {};
      const put = (key: string, value: string | null | undefined, usual: string | null | undefined) => {
        if (value && value !== usual) {
          parts[key] = value;
        }
      };
      put('q', box.text(), '');
      put('sets', data.evalSets.dict[evalSet], '');
      put('metric', wanted, payload.metric);
      put('x', across.select.value, 'time');
      put('log', log.checked ? 'y' : '', '');
      put('best', metric === null ? '' : chosen.get(metric), payload.directions?.[metric ?? ''] ?? 'off');
      return parts;
    },
    destroy() {
      gone = true;
      seen?.disconnect();
      stop();
      box.destroy();
      plot?.destroy();
      root.destroy();
    }
  };
}

function isDirection(text: string | undefined): text is Direction | 'off' {
  return text === 'lower' || text === 'higher' || text === 'off';
}

/** Whole numbers for the order of runs, and round ones on a log scale. */
function trendAxes(element: Element, isOrder: boolean, isLog: boolean): uPlot.Axis[] {
  const [x, y] = axes(element, !isOrder);
  const whole = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000];
  return [
    isOrder ? { ...x, incrs: whole } : x,
    isLog ? { ...y, splits: (_, __, low, high) => logTicks(low, high), filter: (_, ticks) => ticks } : y
  ];
}

/** A logarithmic range with room, also when all values are equal. */
function paddedLog(_: uPlot, low: number | null, high: number | null): uPlot.Range.MinMax {
  if (!low || !high || low <= 0) {
    return [0.1, 10];
  }
  const room = Math.max(1.15, (high / low) ** 0.06);
  return [Math.max(low / room, Number.MIN_VALUE), Math.min(high * room, Number.MAX_VALUE)];
}
