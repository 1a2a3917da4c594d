/**
 * The notebooks that are open, and their cells. Only the few parts that are used are named here,
 * because JupyterLab's notebook package would tie the extension to one minor version of it.
 */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ISignal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';
import type { KernelLike } from './line';

export interface CellLike extends Widget {
  model: { id: string; type: string; sharedModel: { getSource(): string; setSource(text: string): void } };
}

/** The kernel connection of a document, as far as it is listened to. */
export interface ListenedKernel extends KernelLike {
  status: string;
  anyMessage: ISignal<unknown, { direction: 'send' | 'recv'; msg: { header: { msg_id: string; msg_type: string }; content: unknown } }>;
}

export interface SessionLike {
  session?: { kernel?: ListenedKernel | null } | null;
  kernelChanged: ISignal<unknown, unknown>;
  statusChanged: ISignal<unknown, string>;
}

export interface NotebookLike extends Widget {
  context: { path: string; ready: Promise<void>; isReady: boolean; sessionContext: SessionLike };
  revealed: Promise<void>;
  content: Widget & {
    widgets: readonly CellLike[];
    activeCell: CellLike | null;
    activeCellIndex: number;
    model: {
      cells: { changed: ISignal<unknown, unknown> };
      contentChanged: ISignal<unknown, unknown>;
      sharedModel: { insertCell(index: number, cell: { cell_type: 'code'; source: string }): unknown };
    } | null;
    scrollToItem?(index: number, align?: string): Promise<void>;
  };
}

export function isNotebook(widget: Widget | null | undefined): widget is NotebookLike {
  return widget?.hasClass('jp-NotebookPanel') === true && 'context' in widget && 'content' in widget;
}

export function openNotebooks(app: JupyterFrontEnd): NotebookLike[] {
  return [...app.shell.widgets('main')].filter(isNotebook);
}

/** The notebook that a person works in: the tab in front, else the one that was there last. */
export class CurrentNotebook {
  constructor(private readonly app: JupyterFrontEnd) {}

  get(): NotebookLike | undefined {
    const front = this.app.shell.currentWidget;
    if (isNotebook(front)) {
      this.last = front;
    } else if (!this.last || this.last.isDisposed) {
      this.last = openNotebooks(this.app)[0];
    }
    return this.last;
  }

  private last: NotebookLike | undefined;
}

/** Put a code cell into a notebook and go to it; `index` is where it will be. */
export async function insertCell(notebook: NotebookLike, index: number, source: string): Promise<void> {
  notebook.content.model?.sharedModel.insertCell(index, { cell_type: 'code', source });
  await showCell(notebook, index);
}

/** Scroll to a cell and make it the active one. */
export async function showCell(notebook: NotebookLike, index: number): Promise<void> {
  notebook.content.activeCellIndex = index;
  try {
    await notebook.content.scrollToItem?.(index, 'center');
  } catch {
    // A notebook that renders everything has nothing to wait for.
  }
  notebook.content.widgets[index]?.node.scrollIntoView({ block: 'nearest' });
}
