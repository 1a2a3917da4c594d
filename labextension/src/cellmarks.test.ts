// @vitest-environment jsdom
import './jsdom.fixture';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { expect, it, vi } from 'vitest';
import { CellMarks } from './cellmarks';
import type { NotebookLike } from './notebooks';
import { aMoment, AskedServer, whole } from './server.fixture';

const ONE = { runs: 2, isCut: false, running: false, status: 'FINISHED', metric: 'rmse', last: 4, best: 3 };

/** As much of a notebook as there is to its cells: one, called `one`. */
function notebook(): { notebook: NotebookLike; move(): void; text(): (string | null)[] } {
  const cell = Object.assign(new Widget(), { model: { id: 'one' } });
  cell.node.innerHTML = '<div class="jp-Cell-inputWrapper"></div>';
  const model = { cells: {} as { changed: Signal<object, void> } };
  model.cells.changed = new Signal(model);
  const content = Object.assign(new Widget(), { widgets: [cell], model });
  content.node.append(cell.node);
  const made = Object.assign(new Widget(), { content, context: { path: 'a.ipynb', isReady: true } });
  made.node.append(content.node);
  Widget.attach(made, document.body);
  return {
    notebook: made as unknown as NotebookLike,
    move() {
      model.cells.changed.emit();
      content.node.dispatchEvent(new Event('scroll'));
    },
    text: () => [...made.node.querySelectorAll('.tracknb-cellmark')].map(mark => mark.textContent)
  };
}

it('leaves nothing behind when the lines are switched off', async () => {
  const asked = new AskedServer();
  const { notebook: held, move, text } = notebook();
  const marks = new CellMarks(held, asked.server, async () => 'a.db', () => undefined);
  (await asked.request('cells')).reply(whole({ one: ONE }));
  await vi.waitFor(() => expect(text()).toEqual(['2 runs · rmse 4, best 3']));
  marks.refresh();
  const late = await asked.request('cells');
  marks.dispose();
  move();
  late.reply(whole({ one: { ...ONE, runs: 3 } }));
  await aMoment();

  expect(text()).toEqual([]);
});

it('takes the lines away when the notebook has no store any more', async () => {
  const asked = new AskedServer();
  const { notebook: held, move, text } = notebook();
  let store: string | undefined = 'a.db';
  const marks = new CellMarks(held, asked.server, async () => store, () => undefined);
  (await asked.request('cells')).reply(whole({ one: ONE }));
  await vi.waitFor(() => expect(text()).toHaveLength(1));
  store = undefined;
  marks.refresh();
  await vi.waitFor(() => expect(text()).toEqual([]));
  move();
  await aMoment();

  expect(text()).toEqual([]);
  marks.dispose();
});
