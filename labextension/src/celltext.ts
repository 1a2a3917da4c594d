/** What the text of a cell and the name of its notebook tell. Pure functions. */

/** The name of an experiment for a notebook: its file's, as an argument of the magic. */
export function experimentOf(path: string): string {
  const stem = path.split('/').pop()!.replace(/\.ipynb$/, '').replace(/["']/g, '');
  return /^[\w.-]+$/.test(stem) ? stem : `"${stem || 'experiment'}"`;
}

/** A cell's text with our line on top; undefined where another cell magic is there already. */
export function tracked(source: string, path: string): string | undefined {
  return source.trimStart().startsWith('%%') ? undefined : `%%track_run --experiment ${experimentOf(path)}\n${source}`;
}

/** Whether some text of a notebook loads the extension. */
export function loads(sources: readonly string[]): boolean {
  return sources.some(source => /^\s*(%(re)?load_ext\s+tracknb\b|import\s+tracknb\b|from\s+tracknb\b)/m.test(source));
}

/** The path below the server's folder for how a run names its notebook; undefined if it lies elsewhere. */
export function pathBelow(root: string, source: string): string | undefined {
  const base = root.replace(/[\\/]+$/, '');
  const path = source.replace(/\\/g, '/');
  return base && path.startsWith(`${base.replace(/\\/g, '/')}/`) ? path.slice(base.length + 1) : undefined;
}

/** Whether two texts of a cell are the same to a reader: how a line ends and what follows the last one is not looked at. */
export function isSameCode(one: string, other: string): boolean {
  const plain = (text: string) => text.replace(/[ \t\r]+$/gm, '').trimEnd();
  return plain(one) === plain(other);
}

/** What tells two texts of a cell apart, as the kernel makes it too (capture/document.py): a CRC-32. */
export function digest(source: string): number {
  const lines = source.split('\n').map(line => line.replace(/[ \t\r]+$/, ''));
  let rest = 0xffffffff;
  for (const byte of new TextEncoder().encode(lines.join('\n').replace(/\n+$/, ''))) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
    }
  }
  return (rest ^ 0xffffffff) >>> 0;
}
