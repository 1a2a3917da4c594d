/** Views in tabs of their own: a run's page, a comparison, the dashboard; they ask the server and need no kernel. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';
import { runsIcon } from './icon';
import { loadViews } from './load';
import type { TracknbServer } from './server';
import type { CellHost, Question, View } from './ui/types';

/** What a tab shows: kept in the layout, so that it comes back with the page. */
export interface Shown {
  store: string;
  question: Question;
  title: string;
}

/** One name for each thing that can be shown: asking for it again brings its tab to the front. */
export function nameOf({ store, question }: Shown): string {
  return JSON.stringify([store, question]);
}

export class ViewDocument extends Widget {
  constructor(
    readonly shown: Shown,
    private readonly server: TracknbServer,
    private readonly cell: CellHost
  ) {
    super();
    this.addClass('tracknb-document');
    this.title.label = shown.title;
    this.title.caption = `${shown.title}\n${shown.store}`;
    this.title.closable = true;
    this.say('Loading …');
    void this.load();
  }

  dispose(): void {
    this.view?.destroy();
    this.view = undefined;
    super.dispose();
  }

  private async load(): Promise<void> {
    const { store, question } = this.shown;
    const ask = (asked: Question) => this.server.ask(store, asked);
    try {
      const [views, answer] = await Promise.all([loadViews(), ask(question)]);
      if (!this.isDisposed) {
        this.view = views.createView(answer, { ask, isThere: () => true, cell: this.cell });
        this.node.replaceChildren(this.view.element);
      }
    } catch (problem) {
      if (!this.isDisposed) {
        this.say((problem as Error).message, () => void this.load());
      }
    }
  }

  private say(text: string, again?: () => void): void {
    const words = document.createElement('p');
    words.setAttribute('role', again ? 'alert' : 'status');
    words.textContent = text;
    this.node.replaceChildren(words);
    if (again) {
      const button = document.createElement('button');
      button.textContent = 'Try again';
      button.addEventListener('click', () => {
        this.say('Loading …');
        again();
      });
      this.node.append(button);
    }
  }

  private view: View | undefined;
}

export class Documents {
  /** @param onOpened told of each new tab, so that somebody can keep it in the layout */
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly server: TracknbServer,
    private readonly cell: CellHost,
    private readonly onOpened: (tab: MainAreaWidget<ViewDocument>) => void
  ) {}

  show(shown: Shown): void {
    const name = nameOf(shown);
    const open = this.open.get(name);
    if (open && !open.isDisposed) {
      this.app.shell.activateById(open.id);
      return;
    }
    const tab = new MainAreaWidget({ content: new ViewDocument(shown, this.server, this.cell) });
    tab.title.icon = runsIcon;
    // It would be an empty line.
    tab.toolbar.hide();
    tab.id = `tracknb-${(this.count += 1)}-${Date.now().toString(36)}`;
    this.open.set(name, tab);
    tab.disposed.connect(() => this.open.delete(name));
    // Notebook 7 has room for one document above, and for tabs below it, which begin without any height.
    const isBelow = this.app.name === 'Jupyter Notebook';
    // Of the content: the tab's own is overwritten with what its content needs.
    tab.content.node.style.minHeight = isBelow ? '40vh' : '';
    this.app.shell.add(tab, isBelow ? 'down' : 'main');
    this.app.shell.activateById(tab.id);
    this.onOpened(tab);
  }

  private readonly open = new Map<string, MainAreaWidget<ViewDocument>>();
  private count = 0;
}
