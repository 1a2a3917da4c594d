/** The panel of runs at the side of JupyterLab: what its list shows, and what its buttons do. */

import { Poll } from '@lumino/polling';
import { Widget } from '@lumino/widgets';
import { Feed } from './feed';
import { loadViews } from './load';
import type { Places } from './places';
import type { TracknbServer } from './server';
import { NO_FILTERS, type RunFilters, type RunListView, type RunRow } from './ui/runlist';
import type { Question } from './ui/types';

const EVERY = 2_000;
const PAGE = 200;
const MOST = 2_000;

/** What the panel does outside of itself. */
export interface SidebarHost {
  /** The path of the notebook that a person works in; empty where none is open. */
  document(): string;
  show(store: string, question: Question, title: string): void;
  goToCell(store: string, run: RunRow): void;
  /** Tell whoever just clicked. */
  say(text: string): void;
}

/** Runs that were asked for, and the store they are from. */
interface Listed {
  key: string;
  store: string;
  feed: Feed<RunRow>;
}

export class RunsSidebar extends Widget {
  constructor(
    private readonly server: TracknbServer,
    private readonly places: Places,
    private readonly host: SidebarHost
  ) {
    super();
    this.id = 'tracknb-runs';
    this.addClass('tracknb-sidebar');
    this.title.caption = 'Runs (tracknb)';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Runs of tracknb');
    this.poll = new Poll({
      auto: false,
      factory: () => this.look(),
      frequency: { interval: EVERY, backoff: true, max: 8 * EVERY },
      standby: () => document.hidden || !this.isVisible,
      name: 'tracknb:runs'
    });
  }

  /** Ids of the runs that are ticked. */
  get selected(): string[] {
    return this.list?.selected ?? [];
  }

  /** The store to look into; undefined while there is none. */
  get store(): string | undefined {
    return this.filters.store || this.likely || undefined;
  }

  /** Show the runs of one cell of the open notebook. */
  showCell(cell: string): void {
    this.change({ ...NO_FILTERS, store: this.filters.store, cell });
  }

  /** Another notebook is in front. */
  documentChanged(): void {
    if (this.document !== this.host.document()) {
      this.change({ cell: '' });
    }
  }

  compare(ids = this.selected): void {
    if (this.listed && ids.length > 1) {
      this.host.show(this.listed.store, { ask: 'compare', ids }, `Comparison of ${ids.length} runs`);
    }
  }

  dashboard(): void {
    if (this.store) {
      this.host.show(this.store, { ask: 'dashboard', experiment: null }, 'Dashboard');
    }
  }

  dispose(): void {
    this.poll.dispose();
    this.list?.destroy();
    super.dispose();
  }

  protected onBeforeShow(): void {
    void this.draw();
    void this.poll.start();
    void this.lookNow();
  }

  private change(filters: Partial<RunFilters>): void {
    this.filters = { ...this.filters, ...filters };
    this.limit = PAGE;
    // What is there stays, and can be used, until what is asked now has come.
    this.isStale = true;
    this.problem = '';
    // Whatever is under way answers what is no longer asked.
    this.looks += 1;
    if (this.isVisible) {
      void this.draw();
      void this.lookNow();
    }
  }

  /** Unlike `Poll.refresh` this waits for no look that is under way; that one is passed over. */
  private lookNow(): Promise<void> {
    this.looks += 1;
    return this.poll.schedule({ interval: Poll.IMMEDIATE, phase: 'refreshed' });
  }

  private async look(): Promise<void> {
    const look = (this.looks += 1);
    const isOvertaken = () => look !== this.looks;
    this.document = this.host.document();
    try {
      const { stores, likely } = await this.places.around(this.document);
      if (isOvertaken()) {
        return;
      }
      [this.stores, this.likely] = [stores, likely];
      const listed = this.store === undefined ? undefined : this.wanted(this.store);
      await listed?.feed.refresh();
      if (isOvertaken()) {
        return;
      }
      this.listed = listed;
      this.isStale = false;
      this.problem = '';
    } catch (problem) {
      if (!isOvertaken()) {
        this.problem = (problem as Error).message;
        if (this.isStale) {
          this.listed = undefined;
        }
        await this.draw();
      }
      throw problem;
    }
    await this.draw();
  }

  /** What the filters ask of a store: the list that is here, if that was asked the same. */
  private wanted(store: string): Listed {
    const { scope, query, experiment, starred } = this.filters;
    const wanted = { store, document: scope === 'notebook' ? this.document : '', query, experiment, starred, limit: this.limit };
    const key = JSON.stringify(wanted);
    return this.listed?.key === key ? this.listed : { key, store, feed: new Feed(since => this.server.runs(wanted, since)) };
  }

  private async draw(): Promise<void> {
    try {
      const views = await loadViews();
      if (this.isDisposed) {
        return;
      }
      if (!this.list) {
        this.list = views.runListView({
          change: filters => this.change(filters),
          open: run => this.listed && this.host.show(this.listed.store, { ask: 'run', id: run.id }, run.name),
          compare: ids => this.compare(ids),
          dashboard: () => this.dashboard(),
          goToCell: run => this.listed && this.host.goToCell(this.listed.store, run),
          star: (run, on) => this.star(run, on),
          showMore: () => {
            this.limit = Math.min(MOST, this.limit + PAGE);
            void this.lookNow();
          }
        });
        this.node.append(this.list.element);
      }
    } catch (problem) {
      this.node.textContent = (problem as Error).message;
      return;
    }
    const feed = this.listed?.feed;
    this.list.update({
      filters: this.filters,
      rows: [...(feed?.rows.values() ?? [])],
      more: (feed?.more ?? false) && this.limit < MOST,
      loading: this.isStale,
      problem: this.problem,
      stores: this.stores,
      likely: this.likely,
      document: this.document,
      experiments: feed?.experiments ?? []
    });
  }

  private async star(run: RunRow, on: boolean): Promise<void> {
    const star = this.places.star;
    if (this.listed && star) {
      try {
        await this.server.ask(this.listed.store, { ask: 'change_run', id: run.id, ...(on ? { set: { [star]: 'true' } } : { delete: [star] }) });
      } catch (problem) {
        this.host.say((problem as Error).message);
        return;
      }
      await this.lookNow();
    }
  }

  private readonly poll: Poll;
  private list: RunListView | undefined;
  private listed: Listed | undefined;
  private filters: RunFilters = NO_FILTERS;
  /** How many looks have begun: the last one counts. */
  private looks = 0;
  private limit = PAGE;
  private stores: string[] = [];
  private likely: string | null = null;
  private document = '';
  private problem = '';
  /** What is listed is not yet what is asked. */
  private isStale = true;
}
