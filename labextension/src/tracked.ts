/** Making a cell a tracked one: the line on top of it, and the one that loads the extension. */

import { insertCell, type NotebookLike } from './notebooks';
import { say } from './say';
import { loads, tracked } from './celltext';

const LOAD = '%load_ext tracknb';

/** Track the active cell of a notebook, or a new one where it has no code. */
export async function trackCell(notebook: NotebookLike): Promise<void> {
  const { content } = notebook;
  if (content.activeCell?.model.type !== 'code') {
    await insertCell(notebook, content.activeCellIndex + 1, '');
  }
  const cell = content.activeCell;
  if (!cell) {
    return;
  }
  const source = cell.model.sharedModel.getSource();
  const text = tracked(source, notebook.context.path);
  if (text === undefined) {
    const first = source.trimStart().split(/\s/)[0];
    say(first === '%%track_run' ? 'This cell is tracked already.' : `This cell begins with ${first}, and a cell has room for one such line.`);
    return;
  }
  cell.model.sharedModel.setSource(text);
  if (!loads(content.widgets.map(widget => widget.model.sharedModel.getSource()))) {
    const index = content.activeCellIndex;
    await insertCell(notebook, index, LOAD);
    content.activeCellIndex = index + 1;
    say('The cell above loads tracknb. Run it once, then the tracked one.');
  }
}
