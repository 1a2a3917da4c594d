/** From a run to its cell: scroll there, say so when the code is no longer the run's, bring that code back. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { isSameCode, pathBelow } from './celltext';
import { PageConfig } from '@jupyterlab/coreutils';
import { insertCell, isNotebook, openNotebooks, showCell, type NotebookLike } from './notebooks';
import { say } from './say';
import type { TracknbServer } from './server';
import type { CellHost, RunPlace } from './ui/types';

const HERE = 'tracknb-here';
/** How long the cell that was gone to stays outlined. */
const OUTLINED = 3_000;

export class CellLink implements CellHost {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly server: TracknbServer
  ) {}

  /** Scroll to the cell of a run; opens its notebook if need be. */
  async goTo(place: RunPlace): Promise<void> {
    const path = await this.pathOf(place);
    const notebook = this.inOpenNotebook(place, path) ?? (await this.open(path)) ?? this.having(place)[0];
    if (!notebook) {
      const name = place.source.split(/[\\/]/).pop();
      say(name ? `The notebook of ${place.run} was not found. It was ${name}, and is renamed, deleted, or outside of the folder that Jupyter shows.` : `Which notebook ${place.run} comes from is not known.`);
      return;
    }
    this.app.shell.activateById(notebook.id);
    await notebook.context.ready;
    await notebook.revealed;
    const index = indexOf(notebook, place.cell);
    if (index < 0) {
      const actions = place.code ? [{ label: 'Restore its code', callback: () => void this.restoreIn(notebook, place) }] : [];
      say(`The cell of ${place.run} is no longer in this notebook.`, actions);
      return;
    }
    await showCell(notebook, index);
    outline(notebook.content.widgets[index].node);
    const now = notebook.content.widgets[index].model.sharedModel.getSource();
    if (place.code && !isSameCode(now, place.code)) {
      const actions = [{ label: "Restore the run's code below", callback: () => void this.restoreIn(notebook, place) }];
      say(`The code of this cell has changed since ${place.run}.`, actions);
    }
  }

  /** Put the run's code into a new cell below its own, or below the active one. */
  async restore(place: RunPlace): Promise<void> {
    const front = this.app.shell.currentWidget;
    const path = await this.pathOf(place);
    const notebook = this.inOpenNotebook(place, path) ?? (isNotebook(front) ? front : (await this.open(path)) ?? openNotebooks(this.app)[0]);
    if (!notebook) {
      say('No notebook is open to put the code into.');
      return;
    }
    this.app.shell.activateById(notebook.id);
    await notebook.context.ready;
    await this.restoreIn(notebook, place);
  }

  private async restoreIn(notebook: NotebookLike, place: RunPlace): Promise<void> {
    const own = indexOf(notebook, place.cell);
    const index = (own < 0 ? notebook.content.activeCellIndex : own) + 1;
    await insertCell(notebook, index, place.code);
    outline(notebook.content.widgets[index]?.node);
  }

  /** The path of a run's notebook below the server's folder; undefined if it lies elsewhere. */
  private async pathOf({ document, source }: RunPlace): Promise<string | undefined> {
    if (document !== undefined) {
      return document;
    }
    const root = PageConfig.getOption('serverRoot');
    // Below the home folder JupyterLab is told no more than that.
    return pathBelow(root.startsWith('~') ? await this.server.root() : root, source);
  }

  /** The open notebook that has the cell: the run's own, else, where nobody knows that, one with the same cell. */
  private inOpenNotebook(place: RunPlace, path: string | undefined): NotebookLike | undefined {
    const having = this.having(place);
    return having.find(notebook => notebook.context.path === path) ?? (path === undefined ? having[0] : undefined);
  }

  private having({ cell }: RunPlace): NotebookLike[] {
    return openNotebooks(this.app).filter(notebook => notebook.context.isReady && indexOf(notebook, cell) >= 0);
  }

  private async open(path: string | undefined): Promise<NotebookLike | undefined> {
    if (path === undefined) {
      return undefined;
    }
    try {
      const opened = (await this.app.commands.execute('docmanager:open', { path })) as NotebookLike | undefined;
      return isNotebook(opened) ? opened : openNotebooks(this.app).find(notebook => notebook.context.path === path);
    } catch {
      return undefined;
    }
  }
}

function indexOf(notebook: NotebookLike, cell: string): number {
  return cell ? notebook.content.widgets.findIndex(widget => widget.model.id === cell) : -1;
}

function outline(node: HTMLElement | undefined): void {
  node?.classList.add(HERE);
  setTimeout(() => node?.classList.remove(HERE), OUTLINED);
}
