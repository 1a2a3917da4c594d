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

/** The mark of a status: told apart by its shape, and coloured as well. */
export function statusMark(status: string): SVGSVGElement {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  const path = document.createElementNS(space, 'path');
  svg.setAttribute('class', 'tnb-mark');
  svg.setAttribute('viewBox', '0 0 10 10');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('data-status', status);
  path.setAttribute('d', SHAPES[status] ?? SHAPES.SCHEDULED);
  svg.append(path);
  return svg;
}

let counter = 0;

/** An id that no other view on the page has. */
export function uniqueId(): string {
  counter += 1;
  return `tnb-${Date.now().toString(36)}-${counter}`;
}

/** The line of an empty state, which can be copied. */
export function copyLine(line: string): HTMLElement {
  const code = h('code', { class: 'tnb-code', tabindex: '0' }, line);
  const copy = button('Copy', () => {
    const done = () => {
      copy.textContent = 'Copied';
      setTimeout(() => {
        copy.textContent = 'Copy';
      }, 1500);
    };
    const select = () => {
      // Without the right to write to the clipboard, select the line for the person to copy.
      const range = document.createRange();
      range.selectNodeContents(code);
      const selection = window.getSelection();
      selection?.removeAllRanges();
      selection?.addRange(range);
    };
    if (navigator.clipboard?.writeText) {
      navigator.clipboard.writeText(line).then(done, select);
    } else {
      select();
    }
  });
  return h('div', { class: 'tnb-copy' }, code, copy);
}
