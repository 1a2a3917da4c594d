/**
 * The JupyterLab and Notebook 7 plugin: draws saved outputs without a kernel and
 * without trust, because nothing of a payload is ever run or read as HTML.
 */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';
import { KernelLine, type KernelLike } from './line';
import { MIME, type Host, type View } from './ui/types';
import { createView } from './ui/view';

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
  constructor(private readonly app: JupyterFrontEnd) {
    super();
    this.addClass('tracknb-output');
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const payload = model.data[MIME];
    const text = model.data['text/plain'];
    const plain = Array.isArray(text) ? text.join('') : text;
    this.clear();
    const line = new KernelLine((payload as { view?: unknown } | null)?.view, () => kernelOf(this.app, this.node));
    const host: Host = {
      onSelect: ids => line.tell({ selected: ids }),
      ask: question => line.ask(question)
    };
    this.line = line;
    this.view = createView(withText(payload, plain), host);
    this.node.replaceChildren(this.view.element);
  }

  dispose(): void {
    if (!this.isDisposed) {
      this.clear();
      super.dispose();
    }
  }

  private clear(): void {
    this.view?.destroy();
    this.line?.dispose();
    this.view = this.line = undefined;
  }

  private view: View | undefined;
  private line: KernelLine | undefined;
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
