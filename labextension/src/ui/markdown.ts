/**
 * A note in Markdown as elements. Only what stands here is ever made: headings, paragraphs,
 * lists, quotes, code, tables, emphasis and links to http, https and mail. Everything else,
 * HTML and pictures above all, is text. Nothing is parsed by the browser.
 */

import { h } from './dom';

const DEPTH = 8;
/** What divides no table, such as a line of a hundred thousand spaces, would be looked at for minutes. */
const DIVIDER_LETTERS = 2_000;
const LINK = /^(?:https?:\/\/|mailto:)[^\s<>"'`\\]+$/i;
const BARE = /https?:\/\/[^\s<>"'`\\]{1,2000}/iy;
const PUNCTUATION = /[!-/:-@[-`{-~]/;

/** The elements of a note. */
export function markdown(text: string): HTMLElement {
  const root = h('div', { class: 'tnb-markdown' });
  root.append(...blocks(text.replace(/\r\n?/g, '\n').replace(/\t/g, '    ').split('\n'), 0));
  return root;
}

export const MARKDOWN_CSS = `
.tracknb-view .tnb-markdown { overflow-wrap: anywhere; }
.tracknb-view .tnb-markdown > :first-child { margin-top: 0; }
.tracknb-view .tnb-markdown > :last-child { margin-bottom: 0; }
.tracknb-view .tnb-markdown p, .tracknb-view .tnb-markdown ul, .tracknb-view .tnb-markdown ol,
.tracknb-view .tnb-markdown pre, .tracknb-view .tnb-markdown table, .tracknb-view .tnb-markdown blockquote { margin: 0 0 8px; }
.tracknb-view .tnb-markdown h3, .tracknb-view .tnb-markdown h4, .tracknb-view .tnb-markdown h5, .tracknb-view .tnb-markdown h6 { margin: 12px 0 4px; font-weight: 600; line-height: 20px; }
.tracknb-view .tnb-markdown h3 { font-size: 16px; } .tracknb-view .tnb-markdown h4 { font-size: 14px; }
.tracknb-view .tnb-markdown h5, .tracknb-view .tnb-markdown h6 { font-size: 13px; }
.tracknb-view .tnb-markdown ul, .tracknb-view .tnb-markdown ol { padding-left: 24px; }
.tracknb-view .tnb-markdown blockquote { padding-left: 8px; border-left: 2px solid var(--tnb-line2); color: var(--tnb-fg2); }
.tracknb-view .tnb-markdown code { font-family: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace); font-size: 12px; background: var(--tnb-bg2); padding: 0 2px; }
.tracknb-view .tnb-markdown pre { padding: 8px; background: var(--tnb-bg2); }
.tracknb-view .tnb-markdown hr { border: 0; border-top: 1px solid var(--tnb-line); margin: 8px 0; }
.tracknb-view .tnb-markdown table { border-collapse: collapse; }
.tracknb-view .tnb-markdown th, .tracknb-view .tnb-markdown td { border: 1px solid var(--tnb-line); padding: 2px 8px; text-align: left; }
.tracknb-view .tnb-markdown a { color: var(--tnb-accent); }
`;

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$/;
const RULE = /^ {0,3}(?:(?:-\s*){3,}|(?:\*\s*){3,}|(?:_\s*){3,})$/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(?:( +)(.*))?$/;
const QUOTE = /^ {0,3}> ?/;
const DIVIDER = /^ {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

function startsBlock(line: string): boolean {
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);
}

function blocks(lines: string[], depth: number): HTMLElement[] {
  const made: HTMLElement[] = [];
  let i = 0;
  while (i < lines.length) {
    const line = lines[i];
    if (!line.trim()) {
      i += 1;
      continue;
    }
    const fence = FENCE.exec(line);
    if (fence) {
      const body: string[] = [];
      i += 1;
      while (i < lines.length && !closes(lines[i], fence[1])) {
        body.push(lines[i]);
        i += 1;
      }
      i += 1;
      made.push(h('pre', {}, body.join('\n')));
      continue;
    }
    const heading = HEADING.exec(line);
    if (heading) {
      // A note is a part of the page: its first heading is below the page's own.
      const level = Math.min(6, heading[1].length + 2) as 3 | 4 | 5 | 6;
      made.push(h(`h${level}`, {}, ...inline(heading[2] ?? '', 0)));
      i += 1;
      continue;
    }
    if (RULE.test(line)) {
      made.push(h('hr'));
      i += 1;
      continue;
    }
    if (QUOTE.test(line) && depth < DEPTH) {
      const body: string[] = [];
      while (i < lines.length && QUOTE.test(lines[i])) {
        body.push(lines[i].replace(QUOTE, ''));
        i += 1;
      }
      made.push(h('blockquote', {}, ...blocks(body, depth + 1)));
      continue;
    }
    const item = ITEM.exec(line);
    if (item && depth < DEPTH) {
      const ordered = /\d/.test(item[2]);
      const { list, next } = listOf(lines, i, ordered, depth);
      made.push(list);
      i = next;
      continue;
    }
    if (line.includes('|') && i + 1 < lines.length && lines[i + 1].includes('-') && lines[i + 1].length < DIVIDER_LETTERS && DIVIDER.test(lines[i + 1]) && cells(line).length > 1) {
      const head = cells(line);
      const body: string[][] = [];
      i += 2;
      while (i < lines.length && lines[i].trim() && lines[i].includes('|')) {
        body.push(cells(lines[i]));
        i += 1;
      }
      made.push(
        h(
          'table',
          {},
          h('thead', {}, h('tr', {}, ...head.map(cell => h('th', {}, ...inline(cell, 0))))),
          h('tbody', {}, ...body.map(row => h('tr', {}, ...head.map((_, at) => h('td', {}, ...inline(row[at] ?? '', 0))))))
        )
      );
      continue;
    }
    const body = [line];
    i += 1;
    while (i < lines.length && lines[i].trim() && !startsBlock(lines[i])) {
      body.push(lines[i]);
      i += 1;
    }
    made.push(h('p', {}, ...paragraph(body)));
  }
  return made;
}

function closes(line: string, fence: string): boolean {
  const text = line.trim();
  return text.length >= fence.length && text === fence[0].repeat(text.length);
}

/** Lines of a paragraph; two spaces or a backslash at the end break the line. */
function paragraph(lines: string[]): (Node | string)[] {
  const parts: (Node | string)[] = [];
  let text: string[] = [];
  const flush = () => {
    parts.push(...inline(text.join('\n'), 0));
    text = [];
  };
  lines.forEach((line, at) => {
    const breaks = at < lines.length - 1 && (/ {2}$/.test(line) || line.endsWith('\\'));
    text.push(line.trim().replace(breaks ? /\\$/ : /$^/, ''));
    if (breaks) {
      flush();
      parts.push(h('br'));
    }
  });
  flush();
  return parts;
}

function listOf(lines: string[], start: number, ordered: boolean, depth: number): { list: HTMLElement; next: number } {
  const list = h(ordered ? 'ol' : 'ul');
  const number = ordered ? parseInt(ITEM.exec(lines[start])![2], 10) : 1;
  if (number !== 1) {
    list.setAttribute('start', String(number));
  }
  let i = start;
  while (i < lines.length) {
    const item = ITEM.exec(lines[i]);
    if (!item || /\d/.test(item[2]) !== ordered || RULE.test(lines[i])) {
      break;
    }
    const indent = item[1].length + item[2].length + Math.min(4, item[3]?.length ?? 1);
    const body = [item[4] ?? ''];
    i += 1;
    while (i < lines.length) {
      const line = lines[i];
      const inside = /^ */.exec(line)![0].length >= Math.min(indent, item[1].length + 2);
      if (!line.trim()) {
        // A blank line belongs to the item only if the item goes on behind it.
        const after = lines[i + 1] ?? '';
        if (!after.trim() || /^ */.exec(after)![0].length < Math.min(indent, item[1].length + 2)) {
          break;
        }
      } else if (!inside && startsBlock(line)) {
        break;
      }
      body.push(line.slice(Math.min(indent, /^ */.exec(line)![0].length)));
      i += 1;
    }
    const made = blocks(body, depth + 1);
    // An item of one paragraph needs no paragraph around it.
    const [first] = made;
    const element = h('li');
    if (first?.tagName === 'P') {
      element.append(...first.childNodes, ...made.slice(1));
    } else {
      element.append(...made);
    }
    list.append(element);
    while (i < lines.length && !lines[i].trim() && i + 1 < lines.length && ITEM.test(lines[i + 1])) {
      i += 1;
    }
  }
  return { list, next: Math.max(i, start + 1) };
}

function cells(line: string): string[] {
  return line
    .trim()
    .replace(/^\||\|$/g, '')
    .split('|')
    .map(cell => cell.trim());
}

/** A link, if its address is of a kind that runs nothing; else nothing. */
export function safeLink(address: string, children: (Node | string)[]): HTMLAnchorElement | undefined {
  if (!LINK.test(address)) {
    return undefined;
  }
  return h('a', { href: address, rel: 'noopener noreferrer', target: '_blank' }, ...children);
}

function inline(text: string, depth: number): (Node | string)[] {
  const parts: (Node | string)[] = [];
  let plain = '';
  const push = (node: Node) => {
    if (plain) {
      parts.push(plain);
      plain = '';
    }
    parts.push(node);
  };
  // What was searched for in vain once is not there further on either.
  const missing = new Set<string>();
  const find = (mark: string, from: number): number => {
    if (missing.has(mark)) {
      return -1;
    }
    const at = text.indexOf(mark, from);
    if (at < 0) {
      missing.add(mark);
    }
    return at;
  };
  const inner = (part: string) => (depth < DEPTH ? inline(part, depth + 1) : [part]);
  let i = 0;
  while (i < text.length) {
    const letter = text[i];
    if (letter === '\\' && PUNCTUATION.test(text[i + 1] ?? '')) {
      plain += text[i + 1];
      i += 2;
      continue;
    }
    if (letter === '`') {
      const ticks = /^`+/.exec(text.slice(i, i + 16))![0];
      const end = find(ticks, i + ticks.length);
      if (end > 0) {
        push(h('code', {}, text.slice(i + ticks.length, end).replace(/\n/g, ' ')));
        i = end + ticks.length;
      } else {
        plain += ticks;
        i += ticks.length;
      }
      continue;
    }
    if (letter === '[' || (letter === '!' && text[i + 1] === '[')) {
      const from = letter === '!' ? i + 2 : i + 1;
      const middle = find('](', from);
      const end = middle > 0 ? text.indexOf(')', middle) : -1;
      if (middle > 0 && end > 0 && end - middle < 2_000 && !text.slice(from, middle).includes('[')) {
        const label = text.slice(from, middle);
        const address = text.slice(middle + 2, end).trim().split(/\s/)[0].replace(/^<|>$/g, '');
        const link = letter === '!' ? undefined : safeLink(address, inner(label));
        if (link) {
          push(link);
        } else {
          // Pictures are not loaded: whoever wrote the note would learn who reads it.
          plain += letter === '!' ? label : `${label} (${address})`;
        }
        i = end + 1;
        continue;
      }
    }
    if (letter === '<') {
      const end = text.indexOf('>', i);
      const link = end > 0 && end - i < 2_000 ? safeLink(text.slice(i + 1, end), [text.slice(i + 1, end)]) : undefined;
      if (link) {
        push(link);
        i = end + 1;
        continue;
      }
    }
    if ((letter === 'h' || letter === 'H') && !/\w/.test(text[i - 1] ?? '')) {
      BARE.lastIndex = i;
      const address = BARE.exec(text)?.[0].replace(/[.,;:!?)\]}*_~]+$/, '');
      const link = address ? safeLink(address, [address]) : undefined;
      if (address && link) {
        push(link);
        i += address.length;
        continue;
      }
    }
    const mark = /^(?:\*\*|__|~~|\*|_)/.exec(text.slice(i, i + 2))?.[0];
    if (mark) {
      const opens = !/\s/.test(text[i + mark.length] ?? ' ') && (mark[0] !== '_' || !/\w/.test(text[i - 1] ?? ''));
      const end = opens ? closing(text, mark, i + mark.length, find) : -1;
      if (end > 0) {
        const tag = mark === '~~' ? 'del' : mark.length === 2 ? 'strong' : 'em';
        push(h(tag, {}, ...inner(text.slice(i + mark.length, end))));
        i = end + mark.length;
      } else {
        plain += mark;
        i += mark.length;
      }
      continue;
    }
    plain += letter;
    i += 1;
  }
  if (plain) {
    parts.push(plain);
  }
  return parts;
}

/** Where an emphasis ends: at the same mark, not behind a space, and for `_` not inside a word. */
function closing(text: string, mark: string, from: number, find: (mark: string, from: number) => number): number {
  let tries = 0;
  for (let at = find(mark, from); at > 0 && tries < 50; at = find(mark, at + 1), tries++) {
    const double = mark.length === 1 && (text[at + 1] === mark || text[at - 1] === mark);
    if (at > from && !double && !/[\s\\]/.test(text[at - 1]) && (mark[0] !== '_' || !/\w/.test(text[at + mark.length] ?? ''))) {
      return at;
    }
  }
  return -1;
}
