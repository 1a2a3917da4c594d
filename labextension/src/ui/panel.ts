/** The live panel of running cells, and its final, static form. */

import { CHANGES_CSS, changesView } from './changes';
import { h, setText, statusMark } from './dom';
import { formatDuration, formatElapsed, formatNumber, formatTime, fullNumber, statusWord, toNumber } from './format';
import { axes, DASHES, followWidth, isSparse, noteNothing, padded, spread, uPlot } from './plot';
import { align, curveOf, families, mergePoints, seriesHint } from './series';
import { makeRoot, PALETTE, runColor } from './theme';
import type { PanelPayload, PanelRun, PointsMessage, SeriesJson, View } from './types';

const HEIGHT = 112;
const CHIPS = 60;

export interface PanelOptions {
  /** A kernel may still send points: elapsed times tick. */
  live?: boolean;
}

interface Line {
  element: HTMLElement;
  update(run: PanelRun, now: number, live: boolean): void;
}

function makeLine(swatch: boolean): Line {
  const mark = h('span', { style: 'display: inline-flex' });
  const word = h('span', { class: 'tnb-sr' });
  const square = h('span', { class: 'tnb-swatch' });
  const name = h('b');
  const experiment = h('span', { class: 'tnb-quiet' });
  const attempt = h('span', { class: 'tnb-quiet' });
  const elapsed = h('span', { class: 'tnb-num' });
  const steps = h('span', { class: 'tnb-num' });
  const single = h('span', { class: 'tnb-quiet' });
  const fill = h('div');
  const bar = h('div', { class: 'tnb-progress', role: 'progressbar', 'aria-valuemin': '0' }, fill);
  const element = h('div', { class: 'tnb-line' }, mark, word, ...(swatch ? [square] : []), name, experiment, attempt, elapsed, bar, steps, single);
  let status = '';
  return {
    element,
    update(run, now, live) {
      if (run.status !== status) {
        status = run.status;
        mark.replaceChildren(statusMark(status));
        mark.title = statusWord(status);
        setText(word, statusWord(status));
      }
      square.style.background = runColor(run.color);
      setText(name, run.name);
      name.title = `${run.name}\n${run.id}`;
      setText(experiment, run.experiment);
      setText(attempt, run.attempt && run.attempt > 1 ? `attempt ${run.attempt}` : '');
      // With several runs there is no room for tiles: numbers without a curve stand in the line.
      const numbers = swatch ? run.series.filter(series => series.x.length < 2) : [];
      setText(single, numbers.map(series => `${series.key} ${formatNumber(toNumber(series.last))}`).join(', '));
      single.title = single.textContent ?? '';
      const until = run.end ?? now;
      setText(elapsed, run.end === null && live ? formatElapsed(until - run.start) : formatDuration(until - run.start));
      elapsed.title = `Started ${formatTime(run.start)}`;
      const { progress } = run;
      const done = progress?.total != null && progress.n >= progress.total && run.end !== null;
      bar.hidden = progress?.total == null || done;
      if (progress) {
        const label = progress.label && progress.label !== 'progress' ? `${progress.label} ` : '';
        setText(steps, label + (progress.total != null ? `${progress.n} of ${progress.total}` : String(progress.n)));
        if (progress.total != null) {
          const share = progress.total > 0 ? Math.min(1, progress.n / progress.total) : 0;
          fill.style.width = `${(share * 100).toFixed(1)}%`;
          bar.setAttribute('aria-valuemax', String(progress.total));
          bar.setAttribute('aria-valuenow', String(progress.n));
          bar.setAttribute('aria-label', progress.label || 'progress');
        }
      } else {
        setText(steps, '');
      }
    }
  };
}

interface Member {
  run: PanelRun;
  runIndex: number;
  key: string;
  series: SeriesJson;
}

interface Look {
  color: string;
  dash: number[];
}

/** One run: a colour per key. Several: a colour per run, a dash per key. */
function lookOf(member: Member, keyIndex: number, several: boolean): Look {
  if (!several) {
    return { color: PALETTE[keyIndex % PALETTE.length], dash: DASHES[keyIndex % DASHES.length] };
  }
  const dash = (keyIndex + Math.floor(member.runIndex / PALETTE.length)) % DASHES.length;
  return { color: runColor(member.run.color), dash: DASHES[dash] };
}

class FamilyChart {
  readonly element = h('div', { class: 'tnb-chart' });
  private readonly host = h('div', { class: 'tnb-plot' });
  private readonly legend = h('div', { class: 'tnb-legend' });
  private readonly values: HTMLElement[] = [];
  private plot: uPlot | undefined;
  private shape = '';
  private members: Member[] = [];
  private stop: () => void;
  /** What is to be drawn once the chart is in sight: fifty charts that nobody sees would cost a frame. */
  private due: (() => void) | undefined;
  private isSeen = true;
  private readonly sight: IntersectionObserver | undefined;

  constructor(
    private readonly root: HTMLElement,
    family: string
  ) {
    this.host.style.minHeight = `${HEIGHT}px`;
    this.host.setAttribute('role', 'img');
    this.host.setAttribute('aria-label', `Curve of ${family}`);
    this.element.append(h('h4', { title: family }, family), this.host, this.legend);
    this.stop = followWidth(this.host, width => this.plot?.setSize({ width, height: HEIGHT }));
    if (typeof IntersectionObserver !== 'undefined') {
      this.sight = new IntersectionObserver(entries => {
        this.isSeen = entries[entries.length - 1].isIntersecting;
        this.drawDue();
      });
      this.sight.observe(this.element);
    }
  }

  update(members: Member[], several: boolean): void {
    this.members = members;
    this.due = () => this.draw(several);
    this.drawDue();
    this.showLast();
  }

  private drawDue(): void {
    if (this.due && (this.isSeen || !this.plot)) {
      const draw = this.due;
      this.due = undefined;
      draw();
    }
  }

  private draw(several: boolean): void {
    const shape = JSON.stringify([several, this.members.map(member => [member.run.id, member.key, member.run.color])]);
    const data = align(this.members.map(member => curveOf(member.series))) as uPlot.AlignedData;
    if (shape !== this.shape) {
      this.shape = shape;
      this.build(data, several);
    } else {
      this.plot?.setData(data);
    }
    noteNothing(this.host, data.slice(1));
    this.showLast();
  }

  redraw(): void {
    this.plot?.redraw(false, true);
  }

  private build(data: uPlot.AlignedData, several: boolean): void {
    const keys = [...new Set(this.members.map(member => member.key))];
    const looks = this.members.map(member => lookOf(member, keys.indexOf(member.key), several));
    this.legend.replaceChildren();
    this.values.length = 0;
    this.members.forEach((member, i) => {
      const line = h('i', looks[i].dash.length ? { class: 'tnb-dash' } : {});
      line.style.borderTopColor = looks[i].color;
      const label = several ? (keys.length > 1 ? `${member.run.name} ${member.key}` : member.run.name) : member.key;
      const value = h('b');
      this.values.push(value);
      this.legend.append(h('span', { title: label }, line, h('em', {}, label), value));
    });
    this.plot?.destroy();
    this.plot = new uPlot(
      {
        width: this.host.clientWidth || 224,
        height: HEIGHT,
        legend: { show: false },
        padding: [8, 8, 0, 0],
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
        scales: { x: { time: false, range: spread(1) }, y: { range: padded } },
        axes: axes(this.root, false),
        series: [
          {},
          ...looks.map(look => ({
            stroke: look.color,
            dash: look.dash,
            width: 1.5,
            spanGaps: false,
            points: { show: isSparse, size: 5 }
          }))
        ],
        hooks: { setCursor: [(self: uPlot) => this.showAt(self.cursor.idx)] }
      },
      data,
      this.host
    );
  }

  /** Under the pointer the legend shows the values there, else the last ones. */
  private showAt(index: number | null | undefined): void {
    if (index === null || index === undefined || !this.plot) {
      this.showLast();
      return;
    }
    const step = this.plot.data[0][index];
    this.values.forEach((element, i) => {
      const value = this.plot!.data[i + 1]?.[index];
      setText(element, value === null || value === undefined ? '–' : formatNumber(value));
      element.title = `at ${step}`;
    });
  }

  private showLast(): void {
    this.members.forEach((member, i) => {
      const { series } = member;
      setText(this.values[i], formatNumber(toNumber(series.last)));
      this.values[i].title = seriesHint(series);
    });
  }

  destroy(): void {
    this.stop();
    this.sight?.disconnect();
    this.plot?.destroy();
    this.element.remove();
  }
}

export function panelView(payload: PanelPayload, options: PanelOptions = {}): View {
  // A copy: the payload belongs to the widget model and to the notebook.
  const runs = JSON.parse(JSON.stringify(payload.runs ?? [])) as PanelRun[];
  const live = options.live ?? false;
  const charts = new Map<string, FamilyChart>();
  const lines = new Map<string, Line>();
  const root = makeRoot(() => charts.forEach(chart => chart.redraw()), CHANGES_CSS);
  let offset = 0;
  let frame = 0;
  let timer = 0;

  const lineBox = h('div', { class: 'tnb-lines' });
  const chartBox = h('div', { class: 'tnb-charts' });
  const tileBox = h('div', { class: 'tnb-tiles' });
  const chips = h('div', { class: 'tnb-chips' });
  const changes = h('div', { class: 'tnb-quiet' });
  const since = runs.length === 1 ? changesView(runs[0].since) : [];
  const alerts = h('div', { class: 'tnb-alert', role: 'status' });
  const doubts = h('div', { class: 'tnb-doubts', role: 'note', 'aria-label': 'Hidden state' });
  const errors = h('div', { class: 'tnb-error', role: 'alert' });
  const note = h('div', { class: 'tnb-quiet' }, payload.note ?? '');
  const waiting = h('div', { class: 'tnb-quiet' });
  root.element.append(lineBox, alerts, doubts, waiting, chartBox, tileBox, ...since, chips, changes, errors, note);

  const now = () => (live ? Math.max(Date.now() + offset, offset ? 0 : payload.now) : payload.now);

  function drawLines(): void {
    const time = now();
    const several = runs.length > 1;
    for (const run of runs) {
      const key = `${run.id}:${several}`;
      let line = lines.get(key);
      if (!line) {
        line = makeLine(several);
        lines.set(key, line);
      }
      // Leave what stands where it is: moving it would lose its scroll position.
      if (line.element.parentNode !== lineBox) {
        if (several && lines.has(`${run.id}:false`)) {
          lines.get(`${run.id}:false`)!.element.remove();
        }
        lineBox.append(line.element);
      }
      line.update(run, time, live);
    }
    const running = runs.some(run => run.end === null && run.status === 'RUNNING');
    if (live && running && !timer) {
      timer = window.setInterval(drawLines, 1000);
    } else if (timer && !running) {
      clearInterval(timer);
      timer = 0;
    }
  }

  function drawCharts(): void {
    const several = runs.length > 1;
    const byKey = new Map<string, Member[]>();
    runs.forEach((run, runIndex) => {
      for (const series of run.series) {
        const member = { run, runIndex, key: series.key, series };
        byKey.set(series.key, [...(byKey.get(series.key) ?? []), member]);
      }
    });
    const tiles: HTMLElement[] = [];
    const seen = new Set<string>();
    for (const [family, keys] of families(byKey.keys())) {
      const members = keys.flatMap(key => byKey.get(key)!);
      const curves = members.filter(member => member.series.x.length > 1);
      if (!curves.length) {
        if (!several) {
          tiles.push(...members.map(tile));
        }
        continue;
      }
      seen.add(family);
      let chart = charts.get(family);
      if (!chart) {
        chart = new FamilyChart(root.element, family);
        charts.set(family, chart);
        chartBox.append(chart.element);
      }
      // A single point beside curves is drawn with them, as a dot.
      chart.update(members, several);
    }
    for (const [family, chart] of charts) {
      if (!seen.has(family)) {
        chart.destroy();
        charts.delete(family);
      }
    }
    tileBox.replaceChildren(...tiles);
  }

  function tile(member: Member): HTMLElement {
    const value = toNumber(member.series.last);
    return h(
      'div',
      { class: 'tnb-tile', title: `${member.key}\n${fullNumber(value)}` },
      h('b', {}, formatNumber(value)),
      h('span', {}, member.key)
    );
  }

  let chipsDrawn = '';
  function drawWords(): void {
    const several = runs.length > 1;
    const words: [string, string][] = [];
    if (!several) {
      for (const run of runs) {
        run.params.forEach(([key, value]) => words.push([`${key} = ${value}`, `param ${key} = ${value}`]));
        run.evalSets.forEach(name => words.push([name, `Evaluation Set ${name}`]));
        run.tags.forEach(([key, value]) => words.push([`${key}: ${value}`, `tag ${key}: ${value}`]));
      }
    }
    const key = JSON.stringify(words);
    if (key !== chipsDrawn) {
      chipsDrawn = key;
      chips.replaceChildren(...words.slice(0, CHIPS).map(([text, title]) => h('span', { class: 'tnb-chip', title }, text)));
      if (words.length > CHIPS) {
        chips.append(h('span', { class: 'tnb-quiet' }, `and ${words.length - CHIPS} more`));
      }
    }
    // At the end all is told, and the params with it.
    const changed = several || since.length ? [] : runs.flatMap(run => run.changed);
    const side = (text: string | null) => (text === null || text === '' ? '(none)' : text);
    setText(
      changes,
      changed.length ? `Changed: ${changed.map(([name, old, next]) => `${name} ${side(old)} → ${side(next)}`).join(', ')}` : ''
    );
    setText(
      alerts,
      runs.flatMap(run => (run.alerts ?? []).map(text => (several ? `${run.name}: ${text}` : text))).join('\n')
    );
    setText(
      doubts,
      runs.flatMap(run => (run.hidden ?? []).map(text => `△ ${several ? `${run.name}: ${text}` : text}`)).join('\n')
    );
    setText(errors, runs.filter(run => run.error).map(run => (several ? `${run.name}: ${run.error}` : run.error)).join('\n'));
    errors.style.whiteSpace = 'pre-wrap';
    const empty = runs.every(run => run.series.length === 0);
    const busy = runs.some(run => run.status === 'RUNNING');
    setText(waiting, empty && busy && live ? 'No metric yet.' : '');
    const notes = [...new Set([payload.note, ...runs.map(run => run.note)].filter(Boolean))];
    setText(note, notes.join(' '));
  }

  function draw(): void {
    drawLines();
    drawCharts();
    drawWords();
  }
  draw();

  return {
    element: root.element,
    update(message: unknown) {
      const points = message as PointsMessage;
      if (points?.type !== 'points' || !Array.isArray(points.runs)) {
        return;
      }
      mergePoints(runs, points);
      if (typeof points.now === 'number') {
        offset = points.now - Date.now();
      }
      // Messages may come faster than pictures: draw once for all of them.
      if (!frame) {
        frame = requestAnimationFrame(() => {
          frame = 0;
          draw();
        });
      }
    },
    destroy() {
      cancelAnimationFrame(frame);
      clearInterval(timer);
      charts.forEach(chart => chart.destroy());
      root.destroy();
    }
  };
}
