/** Making elements. Text is only ever set as text, so names from users can do no harm. */

type Child = Node | string;

/** An element with attributes and children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A button that is never a submit button. */
export function button(label: string, onClick: () => void, attributes: Record<string, string> = {}): HTMLButtonElement {
  const element = h('button', { type: 'button', ...attributes }, label);
  element.addEventListener('click', onClick);
  return element;
}

/** Set the text only if it changed, so that a redraw costs nothing where nothing moved. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

const SHAPES: Record<string, string> = {
  FINISHED: 'M5 1a4 4 0 1 0 0 8a4 4 0 1 0 0-8Z',
  RUNNING: 'M2 1.2L8.6 5L2 8.8Z',
  FAILED: 'M1.8 1.8L8.2 8.2M8.2 1.8L1.8 8.2',
  KILLED: 'M1.5 1.5h7v7h-7Z',
  SCHEDULED: 'M5 1.6a3.4 3.4 0 1 0 0 6.8a3.4 3.4 0 1 0 0-6.8Z'
};

/** A drawing of one path; not for those who hear the page. */
export function drawing(name: string, viewBox: string, path: string): SVGSVGElement {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  const line = document.createElementNS(space, 'path');
  svg.setAttribute('class', name);
  svg.setAttribute('viewBox', viewBox);
  svg.setAttribute('aria-hidden', 'true');
  line.setAttribute('d', path);
  svg.append(line);
  return svg;
}

/** The mark of a status: told apart by its shape, and coloured as well. */
export function statusMark(status: string): SVGSVGElement {
  const svg = drawing('tnb-mark', '0 0 10 10', SHAPES[status] ?? SHAPES.SCHEDULED);
  svg.setAttribute('data-status', status);
  return svg;
}

/** 16 × 16 outlines; drawn, because an icon font would have to be loaded. */
const ICONS = {
  star: 'M8 1.8l1.9 4 4.3.6-3.1 3 .8 4.4L8 11.7l-3.9 2.1.8-4.4-3.1-3 4.3-.6Z',
  pin: 'M5.5 2h5M6.5 2v4.5L4.5 9v1h7V9l-2-2.5V2M8 10v4.5',
  archive: 'M2 3h12v3H2ZM3 6v7.5h10V6M6.5 8.5h3',
  close: 'M4 4l8 8M12 4l-8 8',
  plus: 'M8 3v10M3 8h10',
  pencil: 'M3 13l.7-3L11 2.7l2.3 2.3L6 12.3ZM9.5 4.2l2.3 2.3',
  down: 'M4 6l4 4 4-4',
  right: 'M6 4l4 4-4 4',
  copy: 'M5.5 5.5h8v8h-8ZM10.5 5.5v-3h-8v8h3',
  target: 'M8 1.5v4M8 10.5v4M1.5 8h4M10.5 8h4M8 4.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7Z',
  folder: 'M1.5 4V13h13V5H8L6.5 3h-5Z',
  file: 'M3.5 1.5h6l3 3v10h-9ZM9.5 1.5v3h3'
} as const;
export type IconName = keyof typeof ICONS;

/** An icon in the colour of the text; `filled` where a state is on. */
export function icon(name: IconName, filled = false): SVGSVGElement {
  return drawing(filled ? 'tnb-icon tnb-filled' : 'tnb-icon', '0 0 16 16', ICONS[name]);
}

/** A button that shows an icon only; `label` is its name for those who hear it, and its hint. */
export function iconButton(
  name: IconName,
  label: string,
  onClick: () => void,
  attributes: Record<string, string> = {},
  filled = false
): HTMLButtonElement {
  const element = button('', onClick, { class: 'tnb-iconbutton', 'aria-label': label, title: label, ...attributes });
  element.append(icon(name, filled));
  return element;
}

let counter = 0;

/** An id that no other view on the page has. */
export function uniqueId(): string {
  counter += 1;
  return `tnb-${Date.now().toString(36)}-${counter}`;
}

/** Put a text on the clipboard; `denied` where there is no right to, or a page without https. */
function putText(text: string, done: () => void, denied: () => void): void {
  if (navigator.clipboard?.writeText) {
    navigator.clipboard.writeText(text).then(done, denied);
  } else {
    denied();
  }
}

/** A button with an icon that copies a text, and says so for a moment. */
export function copyIcon(label: string, text: () => string): HTMLButtonElement {
  let timer = 0;
  const copy = iconButton('copy', label, () => {
    const say = (words: string) => {
      copy.title = words;
      copy.setAttribute('aria-label', words);
      copy.classList.toggle('tnb-done', words === 'Copied');
      clearTimeout(timer);
    };
    const forAMoment = (words: string) => {
      say(words);
      timer = window.setTimeout(() => say(label), 1500);
    };
    putText(text(), () => forAMoment('Copied'), () => forAMoment('Not copied: the browser does not allow it'));
  });
  return copy;
}

/** A button that copies a text, and says so for a moment; `denied` shows it where the browser does not allow that. */
export function copyButton(
  label: string,
  text: () => string,
  denied: (text: string) => void,
  attributes: Record<string, string> = {}
): HTMLButtonElement {
  let timer = 0;
  const copy = button(label, () => {
    const copied = text();
    const done = () => {
      copy.textContent = 'Copied';
      clearTimeout(timer);
      timer = window.setTimeout(() => (copy.textContent = label), 1500);
    };
    putText(copied, done, () => denied(copied));
  }, attributes);
  return copy;
}

/** Select what an element says, for a person to copy. */
export function selectText(element: Element): void {
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = window.getSelection();
  selection?.removeAllRanges();
  selection?.addRange(range);
}

/** Hand a file to the browser to be saved. */
export function download(name: string, type: string, parts: BlobPart[]): void {
  const url = URL.createObjectURL(new Blob(parts, { type }));
  h('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1_000);
}

/** The line of an empty state, which can be copied. */
export function copyLine(line: string): HTMLElement {
  const code = h('code', { class: 'tnb-code', tabindex: '0' }, line);
  const copy = copyButton('Copy', () => line, () => selectText(code));
  return h('div', { class: 'tnb-copy' }, code, copy);
}

/** What a view shows, as its first line; a view inside another has that said above it. */
export function titleBar(title: string, about: string, isInside = false): HTMLElement {
  return h('div', { class: 'tnb-bar', ...(isInside && !about ? { hidden: '' } : {}) }, isInside ? '' : h('span', { class: 'tnb-title', title }, title), h('span', { class: 'tnb-quiet' }, about));
}
