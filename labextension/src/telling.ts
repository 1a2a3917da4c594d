/**
 * Tells a kernel that tracks how its notebook stands: which cells there are, in which order and
 * with which text. So a run that used a cell which was edited, deleted or moved since says so,
 * also where the notebook was not saved. It is told while the kernel is idle, and with each cell that
 * is sent: what is edited while a cell runs does not count for that one.
 */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Signal } from '@lumino/signaling';
import { digest } from './celltext';
import { KernelLine } from './line';
import { isNotebook, openNotebooks, type ListenedKernel, type NotebookLike } from './notebooks';

/** How long a notebook is left alone before it is told: nobody counts the letters of a word. */
const QUIET = 400;
/** The kernel listens to no more. */
const MOST_CELLS = 5_000;

export class Teller {
  constructor(private readonly notebook: NotebookLike) {
    const { sessionContext } = notebook.context;
    this.line = new KernelLine(null, () => sessionContext.session?.kernel ?? undefined);
    this.line.onLost = () => this.forget();
    notebook.content.model?.contentChanged.connect(this.tellSoon, this);
    sessionContext.kernelChanged.connect(this.listen, this);
    sessionContext.statusChanged.connect(this.statusChanged, this);
    notebook.disposed.connect(this.dispose, this);
    window.addEventListener('pagehide', this.leave);
    this.listen();
  }

  dispose(): void {
    window.removeEventListener('pagehide', this.leave);
    clearTimeout(this.timer);
    this.kernel?.anyMessage.disconnect(this.heard, this);
    this.line.dispose();
    Signal.clearData(this);
  }

  private listen(): void {
    const kernel = this.notebook.context.sessionContext.session?.kernel ?? undefined;
    if (kernel !== this.kernel) {
      this.kernel?.anyMessage.disconnect(this.heard, this);
      this.kernel = kernel;
      kernel?.anyMessage.connect(this.heard, this);
      this.forget();
    }
  }

  private heard(_: unknown, { direction, msg }: { direction: string; msg: { header: { msg_id: string; msg_type: string }; content: unknown } }): void {
    if (direction !== 'send' || msg.header.msg_type !== 'execute_request') {
      return;
    }
    const code = String((msg.content as { code?: unknown }).code ?? '');
    if (this.isTracking || isTracked(code)) {
      this.isTracking = true;
      this.tell(msg.header.msg_id);
    } else if (/^\s*%(re)?load_ext\s+tracknb\b/m.test(code)) {
      // Not before it has run: until then the kernel knows no line.
      this.isTracking = true;
    }
  }

  private statusChanged(_: unknown, status: string): void {
    if (status.endsWith('restarting') || status === 'dead') {
      this.forget();
    } else if (status === 'idle') {
      this.tellSoon();
    }
  }

  private tellSoon(): void {
    if (!this.isTracking) {
      return;
    }
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      if (this.kernel?.status === 'idle') {
        this.tell('');
      }
    }, QUIET);
  }

  /** Tell how the notebook stands, if that is news; `before` is the message with the cell that comes next. */
  private tell(before: string): void {
    const cells = this.cells();
    const news = JSON.stringify(cells);
    if (news !== this.told && cells.length <= MOST_CELLS) {
      this.told = news;
      this.line.tell({ notebook: { cells, before } });
    }
  }

  private cells(): [string, number][] {
    const known = new Map<string, { source: string; number: number }>();
    const found = this.notebook.content.widgets
      .filter(({ model }) => model.type === 'code')
      .map(({ model }): [string, number] => {
        const source = model.sharedModel.getSource();
        const held = this.known.get(model.id);
        const item = held?.source === source ? held : { source, number: digest(source) };
        known.set(model.id, item);
        return [model.id, item.number];
      });
    this.known = known;
    return found;
  }

  /** The kernel knows nothing of this notebook, and maybe nothing of tracknb. */
  private forget(): void {
    this.isTracking = false;
    this.told = '';
  }

  private readonly leave = (): void => this.line.dispose();
  private readonly line: KernelLine;
  private kernel: ListenedKernel | undefined;
  private known = new Map<string, { source: string; number: number }>();
  private isTracking = false;
  private told = '';
  private timer = 0;
}

function isTracked(code: string): boolean {
  return code.trimStart().startsWith('%%track_run');
}

export const telling: JupyterFrontEndPlugin<void> = {
  id: 'tracknb:telling',
  description: 'Tells kernels that use tracknb which cells of their notebook were edited, deleted or moved.',
  autoStart: true,
  activate(app: JupyterFrontEnd) {
    const known = new WeakSet<NotebookLike>();
    const follow = (notebook: NotebookLike) => {
      if (!known.has(notebook)) {
        known.add(notebook);
        void notebook.context.ready.then(() => notebook.isDisposed || new Teller(notebook));
      }
    };
    app.shell.currentChanged?.connect((_, { newValue }) => {
      if (isNotebook(newValue)) {
        follow(newValue);
      }
    });
    void app.restored.then(() => openNotebooks(app).forEach(follow));
  }
};
