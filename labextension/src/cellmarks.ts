/** A line under each tracked cell: how many runs it has, the best and the last value. */

import { Poll } from '@lumino/polling';
import { Signal } from '@lumino/signaling';
import { Feed } from './feed';
import type { NotebookLike } from './notebooks';
import type { TracknbServer } from './server';
import type { CellRuns } from './ui/runlist';
import { markText } from './ui/runwords';

const MARK = 'tracknb-cellmark';
const EVERY = 3_000;

export class CellMarks {
  /**
   * @param storeOf the store of a notebook, by its path; undefined while it has none
   * @param onOpen called with a cell's id when its line is clicked
   */
  constructor(
    private readonly notebook: NotebookLike,
    private readonly server: TracknbServer,
    private readonly storeOf: (document: string) => Promise<string | undefined>,
    private readonly onOpen: (cell: string) => void
  ) {
    this.poll = new Poll({
      factory: () => this.look(),
      frequency: { interval: EVERY, backoff: true, max: 10 * EVERY },
      standby: () => document.hidden || !notebook.isVisible,
      name: `tracknb:cells ${notebook.id}`
    });
    notebook.disposed.connect(this.dispose, this);
    // Cells that were moved, pasted or scrolled to are drawn anew by the notebook.
    notebook.content.model?.cells.changed.connect(this.drawSoon, this);
    notebook.content.node.addEventListener('scroll', this.scrolled, { capture: true, passive: true });
  }

  /** Look now: the notebook was in the background for a while. */
  refresh(): void {
    void this.poll.refresh();
  }

  dispose(): void {
    this.poll.dispose();
    Signal.clearData(this);
    this.notebook.content.node.removeEventListener('scroll', this.scrolled, { capture: true });
    for (const mark of this.notebook.node.querySelectorAll(`.${MARK}`)) {
      mark.remove();
    }
  }

  private async look(): Promise<void> {
    const { path } = this.notebook.context;
    const store = await this.storeOf(path);
    const from = `${store}\n${path}`;
    if (store === undefined) {
      this.feed = undefined;
    } else if (!this.feed || this.from !== from) {
      this.from = from;
      this.feed = new Feed(since => this.server.cells(store, path, since));
    }
    await this.feed?.refresh();
    this.draw();
  }

  private drawSoon(): void {
    if (!this.pending && this.feed?.rows.size) {
      this.pending = true;
      requestAnimationFrame(() => {
        this.pending = false;
        this.draw();
      });
    }
  }

  private draw(): void {
    if (this.poll.isDisposed) {
      return;
    }
    for (const widget of this.notebook.content.widgets) {
      const runs = this.feed?.rows.get(widget.model.id);
      const place = widget.node.querySelector('.jp-Cell-inputWrapper');
      const mark = widget.node.querySelector<HTMLButtonElement>(`.${MARK}`);
      if (!runs || !place) {
        mark?.remove();
        continue;
      }
      const button = mark ?? this.makeMark(widget.model.id);
      const text = markText(runs);
      if (button.textContent !== text) {
        button.textContent = text;
        button.title = 'Show the runs of this cell in the panel';
      }
      if (!mark) {
        place.after(button);
      }
    }
  }

  private makeMark(cell: string): HTMLButtonElement {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = MARK;
    button.addEventListener('click', () => this.onOpen(cell));
    return button;
  }

  private readonly scrolled = (): void => this.drawSoon();
  private readonly poll: Poll;
  private feed: Feed<CellRuns> | undefined;
  private from = '';
  private pending = false;
}
