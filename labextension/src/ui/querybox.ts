/** The box for a query in MLflow's filter language: searched in the browser, or asked from the kernel. */

import { complete, type Completion } from './completion';
import { button, h, setText, uniqueId } from './dom';
import { beyond, beyondError, evaluate } from './matching';
import { FilterError, parseFilter, type Node } from './search';
import type { Host, RunData } from './types';

export interface QueryBoxOptions {
  /** The name of the search, for those who hear it. */
  label: string;
  /** Searched at once; `onChange` hears of it a moment later. */
  initial?: string;
  data: RunData;
  host?: Host;
  /** Where the kernel looks for what the data do not hold; null for all experiments. */
  experiment?: string | null;
  /** What is found: nothing given means every row. It is not called where the query cannot be read. */
  onChange(matches: ((row: number) => boolean) | undefined, text: string): void;
}

export interface QueryBox {
  element: HTMLElement;
  /** The query that the rows shown were found by. */
  text(): string;
  /** Put a query into the box and search. */
  set(text: string): void;
  /** Search again for the same, after rows came in; what is being typed stays. */
  refresh(): void;
  clear(): void;
  destroy(): void;
}

const EXAMPLES: [string, string][] = [
  ['metrics.rmse < 4', 'by the last value of a metric'],
  ["params.model = 'ridge' and params.lr < .1", 'params are text; with a bare number, numbers'],
  ["tags.stage IN ('candidate', 'old')", 'any of several'],
  ["run_name ILIKE '%forest%'", '% is any text, _ one character; LIKE tells A from a'],
  ["metrics.`val loss` <= 0.5 or not status = 'FINISHED'", 'names with blanks in back quotes; NOT, AND, OR, parentheses'],
  ['metrics.loss = nan', 'runs that ended in NaN'],
  ['tags.reviewed IS NULL', 'what a run lacks']
];

export const QUERY_CSS = `
.tracknb-view .tnb-querybox { padding: 4px 0; }
.tracknb-view .tnb-queryline { display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: center; }
.tracknb-view .tnb-queryfield { position: relative; flex: 1 1 264px; min-width: 0; max-width: 640px; }
.tracknb-view input.tnb-query { width: 100%; height: 24px; padding: 0 8px; border: 1px solid var(--tnb-line2); border-radius: 2px; background: var(--tnb-bg);
  font-family: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace); font-size: 12px; }
.tracknb-view input.tnb-query::placeholder { color: var(--tnb-fg2); opacity: 1; }
.tracknb-view input.tnb-query[aria-invalid=true] { border-color: var(--tnb-bad); }
.tracknb-view .tnb-options { position: absolute; z-index: 8; top: 26px; left: 0; min-width: 184px; max-width: 100%; margin: 0; padding: 2px 0; list-style: none;
  border: 1px solid var(--tnb-line2); background: var(--tnb-bg); font-family: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace); font-size: 12px; }
.tracknb-view .tnb-options li { padding: 1px 8px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; cursor: pointer; }
.tracknb-view .tnb-options li:hover { background: var(--tnb-bg2); }
.tracknb-view .tnb-options li[aria-selected=true] { background: var(--tnb-soft); }
.tracknb-view .tnb-queryhint { font-size: 12px; line-height: 16px; padding-top: 2px; }
.tracknb-view .tnb-queryerror { margin-top: 4px; padding: 4px 8px; border-left: 2px solid var(--tnb-bad); background: var(--tnb-bg2); overflow-wrap: anywhere; }
.tracknb-view .tnb-queryerror b { color: var(--tnb-bad); font-weight: 600; }
.tracknb-view .tnb-queryerror pre { margin: 2px 0; white-space: pre; overflow-x: auto; overflow-wrap: normal; font-size: 12px; line-height: 16px; }
.tracknb-view .tnb-queryerror pre span { color: var(--tnb-bad); }
.tracknb-view .tnb-queryhelp { margin-top: 4px; padding: 4px 8px; border: 1px solid var(--tnb-line); }
.tracknb-view .tnb-examples { display: grid; grid-template-columns: minmax(0, max-content) minmax(0, 1fr); gap: 2px 16px; }
.tracknb-view .tnb-examples > span { color: var(--tnb-fg2); }
.tracknb-view .tnb-queryhelp button { height: auto; padding: 0; border: 0; background: none; text-align: left; white-space: normal; overflow-wrap: anywhere; color: var(--tnb-accent);
  font-family: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace); font-size: 12px; }
.tracknb-view .tnb-queryhelp button:hover:enabled { text-decoration: underline; background: none; }
@media (max-width: 640px) { .tracknb-view .tnb-examples { grid-template-columns: minmax(0, 1fr); } .tracknb-view .tnb-examples > span { padding-bottom: 4px; } }
`;

export function queryBox(options: QueryBoxOptions): QueryBox {
  const { data, host = {} } = options;
  const id = uniqueId();
  let searched = '';
  // Answers of the kernel to an older question come too late.
  let turn = 0;

  const input = h('input', {
    type: 'text', class: 'tnb-query', spellcheck: 'false', autocomplete: 'off', autocapitalize: 'off',
    placeholder: "metrics.loss < .1 and params.model = 'ridge'",
    'aria-label': options.label, 'aria-describedby': `${id}-hint ${id}-error`,
    role: 'combobox', 'aria-autocomplete': 'list', 'aria-expanded': 'false', 'aria-controls': `${id}-options`
  });
  const list = h('ul', { class: 'tnb-options', id: `${id}-options`, role: 'listbox', 'aria-label': 'Names and values', hidden: '' });
  const clearButton = button('Clear Search', () => {
    clear();
    input.focus();
  });
  const help = h('div', { class: 'tnb-queryhelp', id: `${id}-help`, hidden: '' });
  const helpButton = button('Help', () => {
    help.hidden = !help.hidden;
    helpButton.setAttribute('aria-expanded', String(!help.hidden));
  }, { 'aria-expanded': 'false', 'aria-controls': `${id}-help`, 'aria-label': 'Help on queries' });
  const hint = h('div', { class: 'tnb-quiet tnb-queryhint', id: `${id}-hint` });
  const fault = h('div', { class: 'tnb-queryerror', id: `${id}-error`, role: 'alert', hidden: '' });
  help.append(
    // Not a list of definitions: JupyterLab has its own idea of how wide their terms are.
    h('div', { class: 'tnb-examples' }, ...EXAMPLES.flatMap(([example, meaning]) => [
      h('div', {}, button(example, () => {
        input.value = example;
        tell();
        input.focus();
      }, { title: 'Put this into the box' })),
      h('span', {}, meaning)
    ]))
  );
  const element = h(
    'div',
    { class: 'tnb-querybox', role: 'search', 'aria-label': options.label },
    h('div', { class: 'tnb-queryline' }, h('div', { class: 'tnb-queryfield' }, input, list), button('Search', search), clearButton, helpButton),
    hint, fault, help
  );

  function tell(): void {
    clearButton.disabled = searched === '' && input.value === '';
    setText(hint, 'Enter searches. Chips filter what the query finds.');
  }

  function showFault(error?: Error): void {
    fault.hidden = error === undefined;
    input.setAttribute('aria-invalid', String(error !== undefined));
    fault.replaceChildren();
    if (error instanceof FilterError) {
      fault.append(
        h('b', {}, error.problem),
        h('pre', {}, `${error.shown}\n`, h('span', { 'aria-hidden': 'true' }, error.marks)),
        h('div', { class: 'tnb-quiet' }, error.hint)
      );
    } else if (error) {
      fault.append(h('b', {}, error.message));
    }
  }

  function found(text: string, matches: ((row: number) => boolean) | undefined): void {
    searched = text;
    showFault();
    tell();
    options.onChange(matches, text);
  }

  function search(): void {
    closeList();
    searchFor(input.value.trim());
  }

  function searchFor(text: string): void {
    turn += 1;
    let node: Node | null;
    try {
      node = parseFilter(text);
    } catch (error) {
      showFault(error as Error);
      tell();
      return;
    }
    const missing = beyond(node, data);
    if (missing === undefined) {
      const marks = evaluate(node, data);
      found(text, node === null ? undefined : row => marks[row] === 1);
    } else if (host.ask) {
      void askKernel(text, beyondError(text, missing), host.ask);
    } else {
      showFault(beyondError(text, missing));
      tell();
    }
  }

  async function askKernel(text: string, missing: FilterError, ask: NonNullable<Host['ask']>): Promise<void> {
    const mine = turn;
    showFault();
    setText(hint, 'Asking the kernel…');
    try {
      const { ids } = await ask({ ask: 'matching', experiment: options.experiment ?? null, query: text });
      const wanted = new Set(ids as string[]);
      if (mine === turn) {
        found(text, row => wanted.has(data.id[row]));
      }
    } catch (error) {
      if (mine === turn) {
        showFault(new FilterError(missing.problem, text, missing.start, missing.end, (error as Error).message));
        tell();
      }
    }
  }

  function clear(): void {
    turn += 1;
    input.value = '';
    closeList();
    found('', undefined);
  }

  let offered: Completion | undefined;
  let active = -1;

  function closeList(): void {
    offered = undefined;
    active = -1;
    list.hidden = true;
    list.replaceChildren();
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
  }

  function offer(): void {
    const completion = complete(input.value, input.selectionStart ?? input.value.length, data);
    closeList();
    if (!completion) {
      return;
    }
    offered = completion;
    completion.options.forEach((option, index) => {
      const item = h('li', { role: 'option', id: `${id}-option-${index}`, 'aria-selected': 'false' }, option);
      // The box keeps the focus, so the list must act before it loses it.
      item.addEventListener('mousedown', event => {
        event.preventDefault();
        accept(index);
      });
      list.append(item);
    });
    list.hidden = false;
    input.setAttribute('aria-expanded', 'true');
  }

  function choose(index: number): void {
    active = index;
    [...list.children].forEach((item, place) => item.setAttribute('aria-selected', String(place === index)));
    if (index < 0) {
      input.removeAttribute('aria-activedescendant');
    } else {
      input.setAttribute('aria-activedescendant', `${id}-option-${index}`);
    }
  }

  function accept(index: number): void {
    if (!offered) {
      return;
    }
    const { from, options: words } = offered;
    const caret = input.selectionStart ?? input.value.length;
    input.setRangeText(words[index], from, caret, 'end');
    closeList();
    tell();
  }

  input.addEventListener('input', () => {
    offer();
    tell();
  });
  input.addEventListener('blur', closeList);
  input.addEventListener('keydown', event => {
    const count = offered?.options.length ?? 0;
    if (count && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      // One place more than there are options: none is chosen there.
      const step = event.key === 'ArrowDown' ? 1 : count;
      choose(((active + 1 + step) % (count + 1)) - 1);
    } else if (event.key === 'ArrowDown' && !offered) {
      offer();
      choose(offered === undefined ? -1 : 0);
    } else if ((event.key === 'Enter' || event.key === 'Tab') && !event.shiftKey && active >= 0) {
      accept(active);
    } else if (event.key === 'Enter' && !event.isComposing) {
      search();
    } else if (event.key === 'Escape' && offered) {
      closeList();
    } else if (event.key === 'Escape' && (input.value || searched)) {
      clear();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });

  tell();
  if (options.initial) {
    input.value = options.initial;
    queueMicrotask(search);
  }
  return {
    element,
    text: () => searched,
    set(text) {
      input.value = text;
      search();
    },
    refresh() {
      if (searched) {
        searchFor(searched);
      }
    },
    clear,
    destroy() {
      turn += 1;
      element.remove();
    }
  };
}
