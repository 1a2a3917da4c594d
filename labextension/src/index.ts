/**
 * The JupyterLab and Notebook 7 plugin: draws saved outputs without a kernel and
 * without trust, because nothing of a payload is ever run or read as HTML.
 */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';
import { MIME, type View } from './ui/types';
import { createView } from './ui/view';

const TARGET = 'tracknb.view';
/** Below the rank of a widget (-10): with both in one output, ours needs no kernel. */
const RANK = -20;

interface CommLike {
  open(data: unknown): unknown;
  send(data: unknown): unknown;
  isDisposed?: boolean;
  onClose?: unknown;
}

interface KernelLike {
  id?: string;
  createComm(target: string): CommLike;
}

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
  constructor(private readonly app: JupyterFrontEnd) {
    super();
    this.addClass('tracknb-output');
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const payload = model.data[MIME];
    const viewId = (payload as { view?: unknown } | null)?.view;
    const text = model.data['text/plain'];
    const plain = Array.isArray(text) ? text.join('') : text;
    this.view?.destroy();
    this.view = createView(withText(payload, plain), { onSelect: ids => this.tell(viewId, ids) });
    this.node.replaceChildren(this.view.element);
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this.view?.destroy();
    this.view = undefined;
    super.dispose();
  }

  /** Tell the kernel what is selected; without a kernel there is nobody to tell. */
  private tell(viewId: unknown, ids: string[]): void {
    try {
      const kernel = kernelOf(this.app, this.node);
      if (!kernel) {
        return;
      }
      if (!this.comm || this.comm.isDisposed || this.kernel !== kernel) {
        this.comm = kernel.createComm(TARGET);
        this.kernel = kernel;
        this.settle(this.comm.open({ view: viewId }));
      }
      this.settle(this.comm.send({ selected: ids }));
    } catch {
      // A kernel that is dead, restarting or of another language.
      this.comm = undefined;
    }
  }

  /** Comm calls answer with futures whose failure must not reach the console as unhandled. */
  private settle(future: unknown): void {
    const done = (future as { done?: Promise<unknown> } | undefined)?.done;
    done?.catch?.(() => {
      this.comm = undefined;
    });
  }

  private view: View | undefined;
  private comm: CommLike | undefined;
  private kernel: KernelLike | undefined;
}

/** Payloads of an unknown version are shown as text; the bundle has that beside them. */
function withText(payload: unknown, text: unknown): unknown {
  if (payload && typeof payload === 'object' && !('text' in payload) && typeof text === 'string') {
    return { ...payload, text };
  }
  return payload;
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'tracknb:renderer',
  description: 'Draws run tables, trends and panels of tracknb.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  activate(app: JupyterFrontEnd, registry: IRenderMimeRegistry) {
    registry.addFactory(
      {
        safe: true,
        mimeTypes: [MIME],
        defaultRank: RANK,
        createRenderer: () => new TracknbRenderer(app)
      },
      RANK
    );
  }
};

export default plugin;
