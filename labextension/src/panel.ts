/** What looks at runs beside the notebooks: side panel, tabs, status item, lines under cells, commands. */

import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, type MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { CellLink } from './celllink';
import { CellMarks } from './cellmarks';
import { Documents, nameOf, type Shown, type ViewDocument } from './documents';
import { runsIcon } from './icon';
import { CurrentNotebook, isNotebook, openNotebooks, type NotebookLike } from './notebooks';
import { Places } from './places';
import { say } from './say';
import { TracknbServer } from './server';
import { RunsSidebar } from './sidebar';
import { RunningItem } from './status';
import { trackCell } from './tracked';
import type { RunRow } from './ui/runlist';
import type { RunPagePayload } from './ui/types';

const ID = 'tracknb:panel';
const CATEGORY = 'tracknb';
/** Commands, by the names that palette, menus and shortcuts know. */
const SHOW_RUNS = 'tracknb:show-runs';
const DASHBOARD = 'tracknb:dashboard';
const TRACK_CELL = 'tracknb:track-cell';
const CELL_RUNS = 'tracknb:cell-runs';
const COMPARE = 'tracknb:compare-selected';
const OPEN = 'tracknb:open';

const CSS = `
.tracknb-sidebar, .tracknb-document { background: var(--jp-layout-color1); color: var(--jp-ui-font-color1); }
.tracknb-sidebar { min-width: 220px; }
.tracknb-document { overflow: auto; padding: 8px; }
.tracknb-cellmark { display: block; margin-left: calc(var(--jp-cell-prompt-width) + var(--jp-cell-collapser-width)); padding: 0 4px; border: 0; background: none;
  color: var(--jp-ui-font-color2); font: 11px/18px var(--jp-ui-font-family); cursor: pointer; text-align: left; max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.tracknb-cellmark:hover, .tracknb-cellmark:focus-visible { color: var(--jp-ui-font-color1); text-decoration: underline; }
.tracknb-status button { border: 0; padding: 0 4px; background: none; color: inherit; font: inherit; line-height: 24px; cursor: pointer; max-width: 320px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.tracknb-status button:hover { background: var(--jp-layout-color3); }
.tracknb-here { outline: 2px solid var(--jp-brand-color1); outline-offset: -2px; }
`;

interface Settings {
  cellMarks: boolean;
  statusItem: boolean;
}

export const panel: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'Runs of tracknb at the side, in tabs, under their cells and in the status bar.',
  autoStart: true,
  optional: [ICommandPalette, ILayoutRestorer, IStatusBar, ISettingRegistry],
  activate
};

function activate(
  app: JupyterFrontEnd,
  palette: ICommandPalette | null,
  restorer: ILayoutRestorer | null,
  statusBar: IStatusBar | null,
  registry: ISettingRegistry | null
): void {
  const style = document.createElement('style');
  style.textContent = CSS;
  document.head.append(style);

  const server = new TracknbServer(app.serviceManager.serverSettings);
  const places = new Places(server);
  const current = new CurrentNotebook(app);
  const link = new CellLink(app, server);
  const currentPath = () => current.get()?.context.path ?? '';

  const tracker = new WidgetTracker<MainAreaWidget<ViewDocument>>({ namespace: 'tracknb' });
  const documents = new Documents(app, server, link, tab => void tracker.add(tab));
  const showRun = (store: string, run: RunRow) => documents.show({ store, question: { ask: 'run', id: run.id }, title: run.name });

  async function goToCell(store: string, run: RunRow): Promise<void> {
    try {
      const page = (await server.ask(store, { ask: 'run', id: run.id })) as unknown as RunPagePayload;
      const { name, source, code } = page.run;
      await link.goTo({ run: name, source: source.name, document: run.document ?? undefined, cell: run.cell, code });
    } catch (problem) {
      say((problem as Error).message);
    }
  }

  const sidebar = new RunsSidebar(server, places, {
    document: currentPath,
    show: (store, question, title) => documents.show({ store, question, title }),
    goToCell: (store, run) => void goToCell(store, run),
    say
  });
  sidebar.title.icon = runsIcon;
  app.shell.add(sidebar, 'left', { rank: 550, type: 'tracknb' });
  restorer?.add(sidebar, sidebar.id);

  addCommands(app, palette, { sidebar, documents, current });
  if (restorer) {
    void restorer.restore(tracker, {
      command: OPEN,
      args: tab => tab.content.shown as unknown as ReadonlyPartialJSONObject,
      name: tab => nameOf(tab.content.shown)
    });
  }

  // -- lines under cells, and the status item, as the settings want them --------------------

  const marks = new Map<NotebookLike, CellMarks>();
  let settings: Settings = { cellMarks: true, statusItem: true };
  const storeOf = async (path: string) => (await places.around(path)).likely ?? undefined;
  const openCell = (cell: string) => {
    app.shell.activateById(sidebar.id);
    sidebar.showCell(cell);
  };

  function mark(notebook: NotebookLike): void {
    if (!settings.cellMarks || marks.has(notebook)) {
      return;
    }
    void notebook.context.ready.then(() => {
      // Both once more: it may have been asked for twice meanwhile.
      if (!notebook.isDisposed && settings.cellMarks && !marks.has(notebook)) {
        marks.set(notebook, new CellMarks(notebook, server, storeOf, openCell));
        notebook.disposed.connect(() => marks.delete(notebook));
      }
    });
  }

  app.shell.currentChanged?.connect((_, { newValue }) => {
    if (isNotebook(newValue)) {
      mark(newValue);
      marks.get(newValue)?.refresh();
    }
    sidebar.documentChanged();
  });
  void app.restored.then(() => openNotebooks(app).forEach(mark));

  let running: { dispose(): void } | undefined;
  function apply(next: Settings): void {
    settings = next;
    if (!settings.cellMarks) {
      marks.forEach(each => each.dispose());
      marks.clear();
    } else {
      openNotebooks(app).forEach(mark);
    }
    if (statusBar && settings.statusItem && !running) {
      const item = new RunningItem(server, places, currentPath, showRun);
      running = statusBar.registerStatusItem('tracknb:running', { item, align: 'left', rank: 700 });
    } else if (!settings.statusItem) {
      running?.dispose();
      running = undefined;
    }
  }
  void readSettings(registry, apply);
}

async function readSettings(registry: ISettingRegistry | null, apply: (settings: Settings) => void): Promise<void> {
  try {
    const loaded = await registry?.load(ID);
    const read = () => apply({ cellMarks: loaded?.composite.cellMarks !== false, statusItem: loaded?.composite.statusItem !== false });
    read();
    loaded?.changed.connect(read);
  } catch {
    // Without its schema, as in a checkout that was not built whole.
    apply({ cellMarks: true, statusItem: true });
  }
}

function addCommands(
  app: JupyterFrontEnd,
  palette: ICommandPalette | null,
  parts: { sidebar: RunsSidebar; documents: Documents; current: CurrentNotebook }
): void {
  const { sidebar, documents, current } = parts;
  const { commands } = app;
  const activeCell = () => current.get()?.content.activeCell;
  commands.addCommand(SHOW_RUNS, {
    label: 'Show Runs',
    caption: 'The runs of this notebook, at the side',
    icon: runsIcon,
    execute: () => app.shell.activateById(sidebar.id)
  });
  commands.addCommand(DASHBOARD, {
    label: 'Open Runs Dashboard',
    caption: 'Experiments, runs, trend and comparison in a tab',
    isEnabled: () => sidebar.store !== undefined,
    execute: () => sidebar.dashboard()
  });
  commands.addCommand(TRACK_CELL, {
    label: 'Track This Cell as a Run',
    caption: 'Put %%track_run on top of the active cell',
    isEnabled: () => current.get() !== undefined,
    execute: async () => {
      const notebook = current.get();
      return notebook && trackCell(notebook);
    }
  });
  commands.addCommand(CELL_RUNS, {
    label: 'Show Runs of This Cell',
    isEnabled: () => activeCell()?.model.type === 'code',
    execute: () => {
      const cell = activeCell();
      if (cell) {
        app.shell.activateById(sidebar.id);
        sidebar.showCell(cell.model.id);
      }
    }
  });
  commands.addCommand(COMPARE, {
    label: 'Compare Selected Runs',
    caption: 'Runs that are ticked in the panel',
    isEnabled: () => sidebar.selected.length > 1,
    execute: () => sidebar.compare()
  });
  // Kept in the layout, so its arguments may come from another day.
  commands.addCommand(OPEN, {
    label: 'Open Run',
    execute: args => {
      const { store, question, title } = args as Partial<Shown>;
      if (typeof store === 'string' && typeof question?.ask === 'string' && !question.ask.startsWith('change')) {
        documents.show({ store, question, title: typeof title === 'string' ? title : 'Run' });
      }
    }
  });
  for (const command of [SHOW_RUNS, DASHBOARD, TRACK_CELL, CELL_RUNS, COMPARE]) {
    palette?.addItem({ command, category: CATEGORY });
  }
}
