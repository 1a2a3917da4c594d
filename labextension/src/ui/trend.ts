/** One metric over the start times of runs: is it getting better? */

import { button, h, setText } from './dom';
import { countText, formatNumber, formatTime, fullNumber, toNumber } from './format';
import { axes, followWidth, padded, spread, uPlot } from './plot';
import { emptyState } from './runs';
import { makeRoot, runColor } from './theme';
import type { Host, TrendPayload, View } from './types';

const HEIGHT = 248;

export interface TrendPoint {
  row: number;
  time: number;
  value: number;
}

/** The finite points of a metric among some rows, oldest first. */
export function trendPoints(payload: TrendPayload, rows: number[], metric: string): TrendPoint[] {
  const values = payload.data.metrics.find(candidate => candidate.key === metric)?.values ?? [];
  const points: TrendPoint[] = [];
  for (const row of rows) {
    const value = toNumber(values[row]);
    const time = payload.data.start[row];
    if (value !== undefined && Number.isFinite(value) && time !== null) {
      points.push({ row, time, value });
    }
  }
  return points.sort((a, b) => a.time - b.time || b.row - a.row);
}

export function trendView(payload: TrendPayload, host: Host = {}): View {
  const { data } = payload;
  let plot: uPlot | undefined;
  const root = makeRoot(() => plot?.redraw(false, true));
  root.element.append(
    h('div', { class: 'tnb-bar' }, h('span', { class: 'tnb-title' }, payload.title), h('span', { class: 'tnb-quiet' }, payload.query))
  );
  if (data.n === 0) {
    root.element.append(
      payload.total > 0
        ? h('div', { class: 'tnb-empty' }, `No run matches. ${countText(0, payload.total)}.`)
        : emptyState(payload.experiment)
    );
    return { element: root.element, destroy: root.destroy };
  }

  const tagCodes = (payload.tagFilter ?? []).map(([key, value]) =>
    data.tags.dict.findIndex(pair => pair[0] === key && pair[1] === value)
  );
  let evalSet = payload.evalFilter?.length ? data.evalSets.dict.indexOf(payload.evalFilter[0]) : -1;
  let metric = payload.metric;
  let points: TrendPoint[] = [];
  let current = -1;

  const rowsShown = (): number[] => {
    const rows: number[] = [];
    for (let row = 0; row < data.n; row++) {
      const tags = tagCodes.length === 0 || data.tags.codes[row].some(code => tagCodes.includes(code));
      if (tags && (evalSet < 0 || data.evalSets.codes[row].includes(evalSet))) {
        rows.push(row);
      }
    }
    return rows;
  };

  const select = h('select');
  select.addEventListener('change', () => {
    metric = select.value;
    draw();
  });
  const chips = h('div', { class: 'tnb-chips', role: 'group', 'aria-label': 'Evaluation Set' });
  const count = h('span', { class: 'tnb-quiet tnb-num', role: 'status' });
  const plotBox = h('div', { class: 'tnb-plot', tabindex: '0', role: 'img' });
  plotBox.style.minHeight = `${HEIGHT}px`;
  const tip = h('div', { class: 'tnb-tip', hidden: '' });
  const spoken = h('div', { class: 'tnb-sr', 'aria-live': 'polite' });
  const nothing = h('div', { class: 'tnb-empty', hidden: '' }, 'These runs have no numeric metric to draw.');

  data.evalSets.dict.forEach((name, code) => {
    const chip = button(
      name,
      () => {
        evalSet = evalSet === code ? -1 : code;
        draw();
      },
      { class: 'tnb-chip tnb-set', 'data-code': String(code), title: name }
    );
    chips.append(chip);
  });

  function showTip(index: number, announce: boolean): void {
    current = index;
    if (!plot || index < 0 || index >= points.length) {
      tip.hidden = true;
      return;
    }
    const { row, time, value } = points[index];
    const sets = data.evalSets.codes[row].map(code => data.evalSets.dict[code]).join(', ');
    const lines = [formatTime(time), data.name[row], data.user[row], sets].filter(Boolean);
    tip.replaceChildren(h('b', {}, `${metric}: ${formatNumber(value)}`), ...lines.map(line => h('div', {}, line)));
    tip.title = fullNumber(value);
    tip.hidden = false;
    const ratio = window.devicePixelRatio || 1;
    const left = plot.valToPos(time / 1000, 'x') + plot.bbox.left / ratio;
    const top = plot.valToPos(value, 'y') + plot.bbox.top / ratio;
    const { offsetWidth, offsetHeight } = tip;
    tip.style.left = `${left + 12 + offsetWidth > plotBox.clientWidth ? Math.max(0, left - 12 - offsetWidth) : left + 12}px`;
    tip.style.top = `${Math.max(0, Math.min(top - offsetHeight / 2, HEIGHT - offsetHeight))}px`;
    if (announce) {
      setText(spoken, [`${metric} ${formatNumber(value)}`, ...lines].join(', '));
    }
  }

  plotBox.addEventListener('keydown', event => {
    const steps: Record<string, number> = {
      ArrowRight: current + 1,
      ArrowLeft: current < 0 ? points.length - 1 : current - 1,
      Home: 0,
      End: points.length - 1
    };
    if (event.key === 'Escape') {
      plot?.setCursor({ left: -10, top: -10 }, false);
      showTip(-1, false);
    } else if (event.key in steps && points.length) {
      const next = Math.max(0, Math.min(points.length - 1, steps[event.key]));
      const { time, value } = points[next];
      plot?.setCursor({ left: plot.valToPos(time / 1000, 'x'), top: plot.valToPos(value, 'y') }, false);
      showTip(next, true);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
  plotBox.addEventListener('blur', () => showTip(-1, false));

  function draw(): void {
    const rows = rowsShown();
    const keys = data.metrics
      .filter(candidate => rows.some(row => Number.isFinite(toNumber(candidate.values[row]) ?? NaN)))
      .map(candidate => candidate.key);
    if (metric === null || !keys.includes(metric)) {
      metric = keys[0] ?? null;
    }
    select.replaceChildren(...keys.map(key => h('option', { value: key }, key)));
    select.disabled = keys.length === 0;
    if (metric !== null) {
      select.value = metric;
    }
    for (const chip of chips.querySelectorAll('button')) {
      chip.setAttribute('aria-pressed', String(chip.getAttribute('data-code') === String(evalSet)));
    }
    points = metric === null ? [] : trendPoints(payload, rows, metric);
    setText(count, countText(points.length, Math.max(payload.total, data.n)));
    nothing.hidden = points.length > 0;
    plotBox.hidden = points.length === 0;
    plotBox.setAttribute(
      'aria-label',
      `${metric ?? 'No metric'} of ${points.length} runs over their start time. Arrow keys move from run to run.`
    );
    tip.hidden = true;
    current = -1;
    plot?.destroy();
    plot = undefined;
    if (!points.length) {
      return;
    }
    plot = new uPlot(
      {
        width: plotBox.clientWidth || 640,
        height: HEIGHT,
        legend: { show: false },
        padding: [12, 16, 0, 28],
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 9 } },
        scales: { x: { time: true, range: spread(3600, 0.01) }, y: { range: padded } },
        axes: axes(root.element, true),
        series: [
          {},
          {
            stroke: () => getComputedStyle(root.element).getPropertyValue('--tnb-fg2').trim() || '#777777',
            width: 1,
            points: { show: false }
          }
        ],
        hooks: {
          draw: [drawDots],
          setCursor: [
            (self: uPlot) => {
              if (plotBox.matches(':hover')) {
                showTip(self.cursor.idx ?? -1, false);
              }
            }
          ]
        }
      },
      [points.map(point => point.time / 1000), points.map(point => point.value)],
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
    for (const point of points) {
      ctx.fillStyle = runColor(data.color[point.row]);
      ctx.beginPath();
      ctx.arc(self.valToPos(point.time / 1000, 'x', true), self.valToPos(point.value, 'y', true), radius, 0, 2 * Math.PI);
      ctx.fill();
    }
    ctx.restore();
  }

  plotBox.addEventListener('click', () => {
    if (current >= 0 && points[current]) {
      host.onSelect?.([data.id[points[current].row]]);
    }
  });

  root.element.append(
    h('div', { class: 'tnb-bar' }, h('label', {}, 'Metric', select), chips, count),
    plotBox,
    spoken,
    nothing,
    h('div', { class: 'tnb-quiet' }, payload.note)
  );
  draw();
  const stop = followWidth(plotBox, width => {
    plot?.setSize({ width, height: HEIGHT });
    showTip(-1, false);
  });
  return {
    element: root.element,
    destroy() {
      stop();
      plot?.destroy();
      root.destroy();
    }
  };
}
