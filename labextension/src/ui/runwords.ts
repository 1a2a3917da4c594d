/** Runs in a few words: for the line under a cell, and for the status bar. */

import { formatNumber, statusWord, toNumber } from './format';
import type { CellRuns, RunRow } from './runlist';

/** `3 runs · rmse 3.85, best 3.71`, `1 run · failed`: what fits into a line. */
export function markText(runs: CellRuns): string {
  const count = `${runs.runs}${runs.isCut ? '+' : ''} ${runs.runs === 1 ? 'run' : 'runs'}`;
  const last = formatNumber(toNumber(runs.last));
  const best = formatNumber(toNumber(runs.best));
  const values = runs.metric === null || !last ? '' : ` · ${runs.metric} ${last}${runs.runs > 1 && best && best !== last ? `, best ${best}` : ''}`;
  const isBad = !runs.running && runs.status !== 'FINISHED';
  const ended = isBad ? ` · ${runs.runs > 1 ? 'last ' : ''}${statusWord(runs.status).toLowerCase()}` : '';
  return `${runs.running ? '▶ running · ' : ''}${count}${ended}${values}`;
}

/** `ridge · step 120 · rmse 3.91`; of several runs, how many there are beside the newest. */
export function statusText(rows: readonly RunRow[]): string {
  if (!rows.length) {
    return '';
  }
  const [run] = rows;
  const value = formatNumber(toNumber(run.value));
  const parts = [run.name, run.step !== null && `step ${run.step}`, run.metric && value && `${run.metric} ${value}`].filter(Boolean);
  return `▶ ${parts.join(' · ')}${rows.length > 1 ? ` (and ${rows.length - 1} more)` : ''}`;
}
