/** The item in the status bar: the run that is running, its step and last value. */

import { Poll } from '@lumino/polling';
import { Widget } from '@lumino/widgets';
import { Feed } from './feed';
import type { Places } from './places';
import type { TracknbServer } from './server';
import type { RunRow } from './ui/runlist';
import { statusText } from './ui/runwords';

const EVERY = 2_000;
const QUERY = "attributes.status = 'RUNNING'";

export class RunningItem extends Widget {
  /**
   * @param currentDocument the path of the notebook that a person works in; empty where none is open
   * @param onOpen called with the run that is named, when the item is clicked
   */
  constructor(
    private readonly server: TracknbServer,
    private readonly places: Places,
    private readonly currentDocument: () => string,
    onOpen: (store: string, run: RunRow) => void
  ) {
    super();
    this.addClass('tracknb-status');
    this.button.type = 'button';
    this.button.addEventListener('click', () => {
      const [run] = this.rows;
      if (run && this.store) {
        onOpen(this.store, run);
      }
    });
    this.node.append(this.button);
    this.draw();
    this.poll = new Poll({
      factory: () => this.look(),
      frequency: { interval: EVERY, backoff: true, max: 8 * EVERY },
      standby: 'when-hidden',
      name: 'tracknb:status'
    });
  }

  dispose(): void {
    this.poll.dispose();
    super.dispose();
  }

  private async look(): Promise<void> {
    try {
      const { likely } = await this.places.around(this.currentDocument());
      if (likely !== this.store) {
        this.store = likely;
        this.rows = [];
        this.feed = likely === null ? undefined : new Feed(since => this.server.runs({ store: likely, query: QUERY, limit: 20 }, since));
      }
      await this.feed?.refresh();
      this.rows = [...(this.feed?.rows.values() ?? [])].sort((a, b) => b.start - a.start);
    } catch (problem) {
      this.rows = [];
      this.draw();
      throw problem;
    }
    this.draw();
  }

  private draw(): void {
    if (this.isDisposed) {
      return;
    }
    const text = statusText(this.rows);
    if (this.button.textContent !== text) {
      this.button.textContent = text;
      this.button.title = text ? 'Open the page of this run' : '';
    }
    this.setHidden(text === '');
  }

  private readonly poll: Poll;
  private readonly button = document.createElement('button');
  private feed: Feed<RunRow> | undefined;
  private store: string | null = null;
  private rows: RunRow[] = [];
}
