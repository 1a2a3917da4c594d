/**
 * Draws outputs in JupyterLab and Notebook 7, saved ones without a kernel and without
 * trust, because nothing of a payload is ever run or read as HTML.
 */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { JSONObject } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';
import { CellLink } from './celllink';
import { KernelLine, type KernelLike } from './line';
import { loadViews, type Views } from './load';
import { TracknbServer } from './server';
import { reachBusyKernel } from './socket';
import { MIME, VERSION, type View } from './ui/types';

const HTML_MIME = 'text/html';
const WIDGET_MIME = 'application/vnd.jupyter.widget-view+json';
/** How long after a cell's end its closing update may still be under way. */
const AFTERWARDS = 500;
/** Half seconds to wait for the kernel connection of a notebook that is being opened. */
const CONNECTING = 60;
/** How long a socket to a busy kernel may take. */
const SOCKET = 5_000;
/** How often a panel asks for a run that another kernel has. */
const ELSEWHERE = 2_000;
/** Below the rank of a widget (-10): with both in one output, ours needs no kernel. */
const RANK = -20;

/** The kernel of whatever document holds this node; notebooks and consoles look alike here. */
function kernelOf(app: JupyterFrontEnd, node: Node): KernelLike | undefined {
  for (const widget of app.shell.widgets('main')) {
    if (widget.node.contains(node)) {
      const context = (widget as unknown as { sessionContext?: { session?: { kernel?: KernelLike | null } | null } })
        .sessionContext;
      return context?.session?.kernel ?? undefined;
    }
  }
  return undefined;
}

class TracknbRenderer extends Widget implements IRenderMime.IRenderer {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly registry: IRenderMimeRegistry
  ) {
    super();
    this.addClass('tracknb-output');
    // A page that is left closes its lines: what the kernel keeps for them would stay until it ends.
    window.addEventListener('pagehide', this.leave);
    // Keys in our views do not reach the notebook, but whoever saves means the notebook and not the page.
    this.node.addEventListener('keydown', event => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key === 's') {
        event.preventDefault();
        void app.commands.execute('docmanager:save');
      }
    });
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const payload = model.data[MIME];
    const text = model.data['text/plain'];
    const plain = Array.isArray(text) ? text.join('') : text;
    this.clear();
    const line = new KernelLine(
      (payload as { view?: unknown } | null)?.view,
      () => kernelOf(this.app, this.node),
      id => reachBusyKernel(id, this.app.serviceManager.serverSettings, SOCKET)
    );
    this.line = line;
    try {
      this.views = await loadViews();
    } catch (problem) {
      this.node.replaceChildren(asText(plain, problem as Error));
      return;
    }
    if (this.line !== line) {
      // Drawn anew, or gone, while the script was on its way.
      return;
    }
    if (isNewer(payload) && HTML_MIME in model.data) {
      this.delegate(HTML_MIME, model);
      return;
    }
    this.draw(withText(payload, plain), line);
    if (isLive(payload)) {
      // Attached first: the kernel is that of the document that this node is in.
      requestAnimationFrame(() => void this.follow(payload, model, line));
    }
  }

  dispose(): void {
    if (!this.isDisposed) {
      window.removeEventListener('pagehide', this.leave);
      this.clear();
      super.dispose();
    }
  }

  private draw(payload: unknown, line: KernelLine, live = false): void {
    this.view?.destroy();
    this.view = this.views!.createView(payload, {
      live,
      onSelect: ids => line.tell({ selected: ids }),
      ask: question => line.ask(question),
      isThere: () => line.isThere,
      cell: this.cell
    });
    this.node.replaceChildren(this.view.element);
  }

  /**
   * Join a panel whose cell may still run: get all of it, then what comes. A page that was
   * loaded again gets neither the points pushed meanwhile nor the closing update otherwise.
   */
  private async follow(payload: LivePayload, model: IRenderMime.IMimeModel, line: KernelLine): Promise<void> {
    // A notebook that is just being opened has no kernel connection yet.
    for (let tries = 0; !line.isThere; tries++) {
      if (tries === CONNECTING || this.line !== line) {
        return;
      }
      await new Promise(resolve => setTimeout(resolve, 500));
    }
    try {
      const answersWhileBusy = await line.answersWhileBusy();
      if (this.line !== line) {
        return;
      }
      if (!answersWhileBusy) {
        // The answer comes when the cell has ended; a widget is pushed the points until then.
        this.delegate(WIDGET_MIME, model);
      }
      const answer = await line.ask({ ask: 'panel', runs: payload.runs.map(run => run.id) }, Infinity);
      if (this.isDisposed || this.line !== line) {
        return;
      }
      if (answer.bundle) {
        // From now on the notebook holds the final form, as if the page had been there.
        model.setData({ data: answer.bundle as JSONObject });
        return;
      }
      this.draw(answer.payload, line, true);
      if (!answer.live) {
        // A run of another process, whose points nobody pushes to this kernel.
        setTimeout(() => this.line === line && void this.follow(payload, model, line), ELSEWHERE);
        return;
      }
      line.onPush = message => {
        if ((message as { type?: string }).type === 'over') {
          // The closing update, where it reaches this page, has disposed of the line by then.
          setTimeout(() => this.line === line && void this.follow(payload, model, line), AFTERWARDS);
        } else {
          this.view?.update?.(message);
        }
      };
    } catch {
      // No kernel, or one that knows nothing of it: what the output holds is shown.
    }
  }

  /** Let another renderer of the same output draw: its widget, or its HTML, which JupyterLab sanitises. */
  private delegate(mime: string, model: IRenderMime.IMimeModel): void {
    if (!(mime in model.data) || !this.registry.mimeTypes.includes(mime)) {
      return;
    }
    const renderer = this.registry.createRenderer(mime);
    void renderer.renderModel(model);
    this.view?.destroy();
    this.view = { element: renderer.node, destroy: () => renderer.dispose() };
    this.node.replaceChildren(renderer.node);
  }

  private clear(): void {
    this.view?.destroy();
    this.line?.dispose();
    this.view = this.line = undefined;
  }

  private readonly leave = (): void => this.line?.dispose();
  private readonly cell = new CellLink(this.app, new TracknbServer(this.app.serviceManager.serverSettings));
  private views: Views | undefined;
  private view: View | undefined;
  private line: KernelLine | undefined;
}

/** What an output says in words, for where nothing draws it. */
function asText(plain: unknown, problem: Error): HTMLElement {
  const element = document.createElement('pre');
  element.textContent = `${problem.message}\n\n${typeof plain === 'string' ? plain : ''}`;
  return element;
}

interface LivePayload {
  live: true;
  runs: { id: string }[];
}

function isLive(payload: unknown): payload is LivePayload {
  const fields = payload as Partial<LivePayload> | null;
  return fields?.live === true && Array.isArray(fields.runs) && fields.runs.length > 0;
}

/** Whether a payload was written by a newer tracknb, in a form that nobody here knows. */
function isNewer(payload: unknown): boolean {
  const version = (payload as { version?: unknown } | null)?.version;
  return typeof version === 'number' && version > VERSION;
}

/** Payloads of an unknown version are shown as text; the bundle has that beside them. */
function withText(payload: unknown, text: unknown): unknown {
  if (payload && typeof payload === 'object' && !('text' in payload) && typeof text === 'string') {
    return { ...payload, text };
  }
  return payload;
}

export const renderer: JupyterFrontEndPlugin<void> = {
  id: 'tracknb:renderer',
  description: 'Draws run tables, trends and panels of tracknb.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  activate(app: JupyterFrontEnd, registry: IRenderMimeRegistry) {
    // So that the first output that is opened is drawn at once.
    void app.started.then(loadViews).catch(() => undefined);
    registry.addFactory(
      {
        safe: true,
        mimeTypes: [MIME],
        defaultRank: RANK,
        createRenderer: () => new TracknbRenderer(app, registry)
      },
      RANK
    );
  }
};
