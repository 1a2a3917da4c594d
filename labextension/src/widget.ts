/** The anywidget face: the live panel in every notebook that shows widgets. */

import { panelView } from './ui/panel';
import { mergePoints } from './ui/series';
import { viewOr } from './ui/text';
import type { PanelPayload, PointsMessage, View } from './ui/types';

/** The part of an anywidget model that is used here. */
interface Model {
  get(name: string): unknown;
  on(event: string, callback: (...args: never[]) => void): void;
  off(event: string, callback: (...args: never[]) => void): void;
}

interface State {
  /** The payload with all points that have come so far: a view drawn late shows them too. */
  payload: unknown;
  views: Set<View>;
}

function copyPayload(model: Model): unknown {
  const value = model.get('view');
  return value === undefined || value === null ? value : JSON.parse(JSON.stringify(value));
}

function listen(model: Model): { state: State; stop(): void } {
  const state: State = { payload: copyPayload(model), views: new Set() };
  const onMessage = (message: PointsMessage) => {
    if (message?.type !== 'points' || !Array.isArray(message.runs)) {
      return;
    }
    const panel = state.payload as PanelPayload | null;
    if (panel?.kind === 'panel' && Array.isArray(panel.runs)) {
      mergePoints(panel.runs, message);
      panel.now = message.now ?? panel.now;
    }
    state.views.forEach(view => view.update?.(message));
  };
  model.on('msg:custom', onMessage);
  return {
    state,
    stop: () => model.off('msg:custom', onMessage)
  };
}

function show(model: Model, state: State, el: HTMLElement): () => void {
  let view: View | undefined;
  const draw = () => {
    if (view) {
      state.views.delete(view);
      view.destroy();
    }
    view = viewOr(state.payload, kind =>
      kind === 'panel' ? panelView(state.payload as PanelPayload, { live: true }) : undefined
    );
    state.views.add(view);
    el.append(view.element);
  };
  const replaced = () => {
    state.payload = copyPayload(model);
    draw();
  };
  model.on('change:view', replaced);
  draw();
  return () => {
    model.off('change:view', replaced);
    if (view) {
      state.views.delete(view);
      view.destroy();
    }
  };
}

/**
 * anywidget calls this once per model. What `initialize` has heard stands in this closure,
 * because `render` gets another model object, which hears nothing from before.
 */
export default function widget() {
  let heard: State | undefined;
  return {
    initialize({ model }: { model: Model }): () => void {
      const { state, stop } = listen(model);
      heard = state;
      return () => {
        stop();
        heard = undefined;
      };
    },
    render({ model, el }: { model: Model; el: HTMLElement }): () => void {
      // A host that calls `render` alone still gets points from then on.
      const own = heard ? undefined : listen(model);
      const hide = show(model, own?.state ?? heard!, el);
      return () => {
        hide();
        own?.stop();
      };
    }
  };
}
