/** The runs of a table as parallel coordinates or a scatter plot, above the table that chooses them. */

import { runSetOf, type RunSet } from './coordinates';
import { h, setText } from './dom';
import { countText } from './format';
import { MARKS_CSS } from './marks';
import { PARALLEL_CSS, parallelView, type ChartView } from './parallel';
import { SCATTER_CSS, scatterView } from './scatter';
import { makeTabs, TABS_CSS } from './tabs';
import type { RunData } from './types';

export const PLOTS = ['parallel', 'scatter'] as const;
export type PlotName = (typeof PLOTS)[number];

/** More lines than this hide each other, and take longer than a frame or two to draw. */
export const MOST_DRAWN = 2_000;

export const TABLEPLOT_CSS = `
${TABS_CSS}${MARKS_CSS}${PARALLEL_CSS}${SCATTER_CSS}
.tracknb-view .tnb-tableplot { border: 1px solid var(--tnb-line2); padding: 0 8px 8px; margin-bottom: 4px; }
`;

/** Which runs are drawn, and whether a person ticked them or the filters left them. */
export interface Plotted {
  rows: ArrayLike<number>;
  ticked: boolean;
}

export interface TablePlot {
  element: HTMLElement;
  /** The plot that is open; `null` while none is. */
  readonly shown: PlotName | null;
  show(name: PlotName | null): void;
  /** The runs, or what is known of them, have changed. */
  update(): void;
  redraw(): void;
  destroy(): void;
}

export function tablePlot(data: RunData, now: number, wanted: () => Plotted, onOpen: (row: number) => void, primary: string | null): TablePlot {
  const views = new Map<PlotName, ChartView>();
  const note = h('div', { class: 'tnb-quiet' });
  const nothing = h('div', { class: 'tnb-empty' });
  const tabs = makeTabs<PlotName>('Plot', [['parallel', 'Parallel coordinates'], ['scatter', 'Scatter']], draw);
  const element = h(
    'div',
    { class: 'tnb-tableplot', role: 'region', 'aria-label': 'Plot of the runs', hidden: '' },
    tabs.strip, note, tabs.panels.parallel, tabs.panels.scatter, nothing
  );

  function make(name: PlotName, set: RunSet): ChartView {
    const metric = primary !== null && data.metrics.some(item => item.key === primary) ? `metric:${primary}` : null;
    return name === 'parallel'
      ? parallelView(set, { state: { color: metric }, onOpen })
      : scatterView(set, { state: { y: metric }, onOpen });
  }

  function draw(name: PlotName): void {
    const { rows, ticked } = wanted();
    const drawn = Array.from({ length: Math.min(rows.length, MOST_DRAWN) }, (_, i) => rows[i]);
    const problem = whyNot(data, rows.length, ticked);
    setText(nothing, problem);
    nothing.hidden = problem === '';
    tabs.panels[name].hidden = problem !== '';
    setText(note, problem ? '' : whatIsDrawn(drawn.length, rows.length, ticked));
    if (problem) {
      return;
    }
    const set = runSetOf(data, now, drawn);
    const view = views.get(name);
    if (view) {
      view.update(set);
    } else {
      const made = make(name, set);
      views.set(name, made);
      tabs.panels[name].append(made.element);
    }
  }

  const update = () => {
    if (!element.hidden) {
      draw(tabs.current);
    }
  };
  return {
    element,
    get shown() {
      return element.hidden ? null : tabs.current;
    },
    show(name) {
      element.hidden = name === null;
      if (name !== null) {
        tabs.show(name);
      }
    },
    update,
    redraw: () => views.forEach(view => view.redraw()),
    destroy: () => views.forEach(view => view.destroy())
  };
}

/** Why there is nothing to draw, and what to do; empty where there is something. */
function whyNot(data: RunData, count: number, ticked: boolean): string {
  if (data.metrics.length + data.params.length === 0) {
    return 'These runs have no params and metrics to draw.';
  }
  if (count < 2) {
    const more = ticked ? ' Tick another run, or none to draw all that the filters leave.' : ' Loosen the filters to draw more.';
    return `A plot needs two runs or more.${data.n < 2 ? '' : more}`;
  }
  return '';
}

function whatIsDrawn(drawn: number, count: number, ticked: boolean): string {
  const which = ticked ? 'ticked' : 'in the table';
  if (drawn < count) {
    return `The first ${countText(drawn, count)} ${which} are drawn, in the order of the table. Filter, sort or tick to choose others.`;
  }
  return `${countText(count, count)} ${which}${ticked ? '' : '. Filters and ticks choose which.'}`;
}
