/** The files of a run: a tree, and beside it what the chosen one holds. Nothing of a file is run. */

import { button, copyIcon, download, h, icon } from './dom';
import { countOf, formatSize } from './format';
import { markdown } from './markdown';
import type { Answer, FileJson, FilesJson, Host } from './types';

export const FILES_CSS = `
.tracknb-view .tnb-files { display: grid; grid-template-columns: minmax(200px, 30%) minmax(0, 1fr); gap: 8px; align-items: start; }
.tracknb-view.tnb-narrow .tnb-files { grid-template-columns: minmax(0, 1fr); }
.tracknb-view .tnb-tree { border: 1px solid var(--tnb-line); max-height: 424px; overflow: auto; }
.tracknb-view.tnb-narrow .tnb-tree { max-height: 184px; }
.tracknb-view .tnb-file { display: flex; align-items: center; gap: 4px; height: 28px; padding-right: 8px; cursor: pointer; white-space: nowrap; }
.tracknb-view .tnb-file:hover { background: var(--tnb-bg2); }
.tracknb-view .tnb-file[aria-selected=true] { background: var(--tnb-soft); }
.tracknb-view .tnb-file .tnb-t { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; }
.tracknb-view .tnb-preview { border: 1px solid var(--tnb-line); padding: 4px 8px 8px; min-width: 0; }
.tracknb-view .tnb-preview .tnb-body-of { max-height: 380px; overflow: auto; }
.tracknb-view .tnb-preview img { max-width: 100%; height: auto; display: block; background: repeating-conic-gradient(#e4e4e4 0 25%, #ffffff 0 50%) 0 0 / 16px 16px; }
.tracknb-view .tnb-preview iframe { display: block; width: 100%; height: 376px; border: 0; background: #ffffff; }
.tracknb-view .tnb-preview .tnb-nbcell { margin-bottom: 8px; }
.tracknb-view .tnb-preview .tnb-nbcell pre.tnb-source { background: var(--tnb-bg2); padding: 4px 8px; }
.tracknb-view .tnb-preview .tnb-nbcell pre.tnb-output { padding: 4px 8px; }
`;

/** An HTML file is shown with styles and pictures of its own, and loads nothing. */
const CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; media-src data:";

/**
 * The page of an HTML file for a sandboxed frame: without scripts, without what makes a browser
 * look up or open other addresses. The frame and its policy forbid both as well.
 */
export function framed(text: string, css = ''): string {
  const page = new DOMParser().parseFromString(text, 'text/html');
  page.querySelectorAll('script, link, meta, base, iframe, frame, object, embed, portal').forEach(each => each.remove());
  for (const link of page.querySelectorAll('[href], [action], [formaction], [ping], [*|href]')) {
    for (const name of link.getAttributeNames()) {
      if (/^(?:xlink:)?href$|^(?:form)?action$|^ping$/i.test(name) && !/^#/.test(link.getAttribute(name) ?? '')) {
        link.removeAttribute(name);
      }
    }
  }
  return `<!doctype html><meta http-equiv="Content-Security-Policy" content="${CSP}"><meta charset="utf-8">${css && `<style>${css}</style>`}${page.documentElement.outerHTML}`;
}

export interface FilesView {
  element: HTMLElement;
  update(files: FilesJson): void;
  /** Look into a file, with the folders above it open. */
  choose(entry: FileJson): void;
  destroy(): void;
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

export function filesView(id: string, given: FilesJson, host: Host): FilesView {
  let files = given;
  /** What lies in each folder that was looked into. */
  const known = new Map<string, FileJson[]>();
  const open = new Set<string>();
  const problems = new Map<string, string>();
  const cut = new Set<string>();
  let selected = '';
  let active = '';
  let free = (): void => undefined;
  let shown = 0;

  const canAsk = () => Boolean(host.ask) && (host.isThere?.() ?? true);
  const location = h('div', { class: 'tnb-bar' });
  const tree = h('div', { class: 'tnb-tree', role: 'tree', 'aria-label': 'Files' });
  const preview = h('div', { class: 'tnb-preview', role: 'region', 'aria-label': 'Preview' });
  const both = h('div', { class: 'tnb-files' }, tree, preview);
  const note = h('div', { class: 'tnb-quiet' });
  const element = h('div', {}, location, both, note);
  preview.append(h('div', { class: 'tnb-quiet' }, 'Choose a file to look into it.'));

  function take(entries: FileJson[] | null): void {
    if (entries === null) {
      return;
    }
    const folders = new Map<string, FileJson[]>([['', []]]);
    for (const entry of entries) {
      if (entry.dir && !folders.has(entry.path)) {
        folders.set(entry.path, []);
      }
      const parent = parentOf(entry.path);
      folders.set(parent, [...(folders.get(parent) ?? []), entry]);
    }
    folders.forEach((inside, path) => {
      // Of a list that was cut, what lies in a folder may be missing.
      if (!files.cut || path === '' || inside.length) {
        known.set(path, inside);
      }
    });
  }

  async function look(path: string): Promise<void> {
    if (!host.ask) {
      return;
    }
    problems.delete(path);
    try {
      const answer = (await host.ask({ ask: 'files', id, path })) as Answer & { entries: FileJson[]; cut: boolean };
      known.set(path, answer.entries);
      if (answer.cut) {
        cut.add(path);
      }
    } catch (error) {
      problems.set(path, (error as Error).message);
    }
    draw();
  }

  /** The rows that are visible, from the top. */
  function rows(path = '', level = 1): { entry: FileJson; level: number }[] {
    return (known.get(path) ?? []).flatMap(entry => [
      { entry, level },
      ...(entry.dir && open.has(entry.path) ? rows(entry.path, level + 1) : [])
    ]);
  }

  function toggle(entry: FileJson, wanted = !open.has(entry.path)): void {
    if (wanted) {
      open.add(entry.path);
      if (!known.has(entry.path)) {
        void look(entry.path);
      }
    } else {
      open.delete(entry.path);
    }
    draw();
  }

  function choose(entry: FileJson): void {
    active = entry.path;
    if (entry.dir) {
      toggle(entry);
    } else {
      selected = entry.path;
      draw();
      void show(entry);
    }
  }

  function draw(): void {
    const visible = rows();
    if (!visible.some(row => row.entry.path === active)) {
      active = visible[0]?.entry.path ?? '';
    }
    const focused = tree.contains(document.activeElement);
    const top = tree.scrollTop;
    tree.replaceChildren(
      ...visible.flatMap(({ entry, level }) => {
        const row = h(
          'div',
          {
            class: 'tnb-file',
            role: 'treeitem',
            'aria-level': String(level),
            'aria-selected': String(entry.path === selected),
            tabindex: entry.path === active ? '0' : '-1',
            title: entry.path,
            ...(entry.dir ? { 'aria-expanded': String(open.has(entry.path)) } : {})
          },
          entry.dir ? icon(open.has(entry.path) ? 'down' : 'right') : h('span', { class: 'tnb-icon' }),
          icon(entry.dir ? 'folder' : 'file'),
          h('span', { class: 'tnb-t' }, nameOf(entry.path)),
          h('span', { class: 'tnb-quiet tnb-num' }, entry.size === null ? '' : formatSize(entry.size))
        );
        row.style.paddingLeft = `${(level - 1) * 16 + 4}px`;
        row.addEventListener('click', () => {
          choose(entry);
          tree.querySelector<HTMLElement>('[tabindex="0"]')?.focus({ preventScroll: true });
        });
        const problem = problems.get(entry.path);
        return problem ? [row, h('div', { class: 'tnb-error', role: 'alert' }, problem)] : [row];
      })
    );
    tree.scrollTop = top;
    if (focused) {
      tree.querySelector<HTMLElement>('[tabindex="0"]')?.focus({ preventScroll: true });
    }
    both.hidden = visible.length === 0;
    const root = problems.get('') ?? files.problem;
    const words = root
      ? root
      : !known.has('')
        ? canAsk()
          ? 'Looking…'
          : 'What lies there is listed where a kernel runs.'
        : visible.length === 0
          ? 'This run has no files. Keep one with tracknb.log_artifact("file.png").'
          : files.cut || cut.size
            ? 'There are more files than are listed here.'
            : '';
    note.textContent = words;
    note.className = root ? 'tnb-error' : 'tnb-quiet';
  }

  tree.addEventListener('keydown', event => {
    const visible = rows();
    const at = visible.findIndex(row => row.entry.path === active);
    const entry = visible[at]?.entry;
    if (!entry || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const go = (place: number) => {
      active = visible[Math.max(0, Math.min(visible.length - 1, place))].entry.path;
      draw();
    };
    if (event.key === 'ArrowDown') {
      go(at + 1);
    } else if (event.key === 'ArrowUp') {
      go(at - 1);
    } else if (event.key === 'Home') {
      go(0);
    } else if (event.key === 'End') {
      go(visible.length - 1);
    } else if (event.key === 'ArrowRight' && entry.dir) {
      if (open.has(entry.path)) {
        go(at + 1);
      } else {
        toggle(entry, true);
      }
    } else if (event.key === 'ArrowLeft') {
      if (entry.dir && open.has(entry.path)) {
        toggle(entry, false);
      } else {
        const parent = visible.findIndex(row => row.entry.path === parentOf(entry.path));
        go(parent < 0 ? at : parent);
      }
    } else if (event.key === 'Enter' || event.key === ' ') {
      choose(entry);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    tree.querySelector('[tabindex="0"]')?.scrollIntoView?.({ block: 'nearest' });
  });

  async function show(entry: FileJson): Promise<void> {
    const turn = (shown += 1);
    forget();
    const body = h('div', { class: 'tnb-body-of', tabindex: '0' }, h('div', { class: 'tnb-quiet' }, 'Reading…'));
    const problem = h('div', { class: 'tnb-error', role: 'alert' });
    const head = h(
      'div',
      { class: 'tnb-bar' },
      h('b', { class: 'tnb-title' }, nameOf(entry.path)),
      h('span', { class: 'tnb-quiet tnb-num' }, entry.size === null ? '' : formatSize(entry.size)),
      h('span', { class: 'tnb-push' })
    );
    head.append(copyIcon('Copy path', () => entry.path));
    if (host.ask) {
      head.append(
        button('Download', () => {
          problem.textContent = '';
          save(entry.path).catch((error: Error) => (problem.textContent = error.message));
        })
      );
    }
    preview.replaceChildren(head, problem, body);
    if (!host.ask) {
      body.replaceChildren(h('div', { class: 'tnb-quiet' }, 'A file is shown where a kernel runs.'));
      return;
    }
    try {
      const answer = await host.ask({ ask: 'file', id, path: entry.path });
      if (turn === shown) {
        const look = previewOf(answer, nameOf(entry.path));
        free = look.free;
        body.replaceChildren(...look.elements);
      }
    } catch (error) {
      if (turn === shown) {
        body.replaceChildren();
        problem.textContent = (error as Error).message;
      }
    }
  }

  async function save(path: string): Promise<void> {
    const answer = await host.ask!({ ask: 'file', id, path, whole: true });
    download(nameOf(path), 'application/octet-stream', [answer.buffers[0] as DataView<ArrayBuffer>]);
  }

  function forget(): void {
    free();
    free = () => undefined;
  }

  function drawLocation(): void {
    location.replaceChildren(h('code', { class: 'tnb-code' }, files.location), copyIcon('Copy location', () => files.location));
    location.hidden = !files.location;
  }

  take(files.entries);
  drawLocation();
  draw();
  if (!known.has('') && canAsk()) {
    void look('');
  }
  return {
    element,
    update(next) {
      const changed = JSON.stringify(next) !== JSON.stringify(files);
      files = next;
      if (changed) {
        take(next.entries);
        drawLocation();
        draw();
      }
    },
    choose(entry) {
      for (let above = parentOf(entry.path); above; above = parentOf(above)) {
        open.add(above);
      }
      choose(entry);
    },
    destroy() {
      shown += 1;
      forget();
      element.remove();
    }
  };
}

/** What is shown of a file, and what gives its memory back. */
export interface Preview {
  elements: HTMLElement[];
  free(): void;
}

/** Show what the kernel answered of a file; `css` is for HTML that brings none along. */
export function previewOf(answer: Answer, name: string, css = ''): Preview {
  const text = String(answer.text ?? '');
  const kept = (...elements: HTMLElement[]): Preview => ({ elements, free: () => undefined });
  const more = answer.cut
    ? [h('div', { class: 'tnb-quiet' }, `The first ${formatSize(text.length)} of ${formatSize(Number(answer.size))}. Download it to see the rest.`)]
    : [];
  switch (answer.kind) {
    case 'image': {
      const bytes = answer.buffers[0] as DataView<ArrayBuffer>;
      // Opened in a tab of its own, an SVG runs its scripts: behind a data URL these are nobody's, behind an object URL Jupyter's.
      if (answer.mime === 'image/svg+xml') {
        return kept(h('img', { src: `data:image/svg+xml,${encodeURIComponent(new TextDecoder().decode(bytes))}`, alt: name }));
      }
      const src = URL.createObjectURL(new Blob([bytes], { type: String(answer.mime) }));
      return { elements: [h('img', { src, alt: name })], free: () => URL.revokeObjectURL(src) };
    }
    case 'text':
    case 'json':
      return kept(h('pre', {}, text || '(empty)'), ...more);
    case 'html':
      return kept(h('iframe', { sandbox: '', srcdoc: framed(text, css), title: name, referrerpolicy: 'no-referrer' }), ...more);
    case 'table':
      return kept(...tableOf(answer));
    case 'notebook':
      return kept(...notebookOf(answer));
    default:
      return kept(h('div', { class: 'tnb-quiet' }, String(answer.note ?? 'There is no preview of this kind of file.')));
  }
}

function tableOf(answer: Answer): HTMLElement[] {
  const head = (answer.head ?? []) as string[];
  const body = (answer.rows ?? []) as string[][];
  const table = h(
    'table',
    { class: 'tnb-table' },
    h('thead', {}, h('tr', {}, ...head.map(cell => h('th', { scope: 'col' }, cell)))),
    h('tbody', {}, ...body.map(row => h('tr', {}, ...row.map(cell => h('td', {}, cell)))))
  );
  const total = answer.total as number | null;
  const columns = Number(answer.columns);
  const words = [
    total === null ? `The first ${countOf(body.length, 'row')}` : total > body.length ? `${body.length} of ${countOf(total, 'row')}` : countOf(total, 'row'),
    columns > head.length ? `${head.length} of ${countOf(columns, 'column')}` : countOf(columns, 'column')
  ];
  return [h('div', { class: 'tnb-quiet' }, words.join(', ')), table];
}

function notebookOf(answer: Answer): HTMLElement[] {
  const cells = (answer.cells ?? []) as { type: string; source: string; output: string }[];
  const made = cells.map(cell =>
    h(
      'div',
      { class: 'tnb-nbcell' },
      ...(cell.type === 'markdown'
        ? [markdown(cell.source)]
        : [h('pre', { class: 'tnb-source' }, cell.source), ...(cell.output ? [h('pre', { class: 'tnb-output' }, cell.output)] : [])])
    )
  );
  const left = Number(answer.total) - cells.length;
  return left > 0 ? [...made, h('div', { class: 'tnb-quiet' }, `and ${left} more cells`)] : made;
}
