/**
 * What a filter may say, read in the browser: the grammar, the errors and the marked place of
 * `tracknb/search.py`, which explains them. `tests/data/search_corpus.json` holds both to the same answers.
 */

export type Place = 'metrics' | 'params' | 'tags' | 'datasets' | 'attributes';
export type Value = number | string | (number | string)[] | null;

export interface Comparison {
  kind: 'comparison';
  place: Place;
  key: string;
  operator: string;
  /** A list for IN and NOT IN, null for IS NULL and IS NOT NULL. */
  value: Value;
  /** The name as it was typed, and where. */
  shown: string;
  start: number;
  end: number;
}

export type Node = Comparison | { kind: 'and' | 'or'; items: Node[] } | { kind: 'not'; item: Node };

const MAX_LENGTH = 1_000_000;
const MAX_DEPTH = 50;
const MAX_COMPARISONS = 5_000;
const MAX_PATTERN = 10_000;

const PLACES = new Map<string, Place>(
  Object.entries({
    metrics: 'metrics', metric: 'metrics',
    params: 'params', param: 'params', parameters: 'params', parameter: 'params',
    tags: 'tags', tag: 'tags',
    datasets: 'datasets', dataset: 'datasets',
    attributes: 'attributes', attribute: 'attributes', attr: 'attributes', run: 'attributes'
  })
);
const PLACE_NAMES: Place[] = ['metrics', 'params', 'tags', 'datasets', 'attributes'];
const KNOWN_PLACES = PLACE_NAMES.map(place => `${place}.`).join(', ');
const DATASET_KEYS = ['name', 'digest', 'context'];
const NUMBERS = new Set(['start_time', 'end_time', 'creation_time', 'last_update_time']);
export const ATTRIBUTES = new Map<string, string>([
  ...['status', 'start_time', 'end_time', 'run_id', 'run_name', 'user_id', 'artifact_uri'].map(name => [name, name] as const),
  ['run name', 'run_name'],
  ['run_uuid', 'run_id'],
  ['created', 'start_time'],
  ['source_name', 'source_name']
]);
const JOINERS = new Map([['&&', 'AND'], ['&', 'AND'], ['||', 'OR'], ['|', 'OR']]);
const WORDS = new Set(['and', 'or', 'not', 'in', 'is', 'null', 'like', 'ilike']);
const NUMBER_WORDS = new Map([['nan', NaN], ['inf', Infinity], ['+inf', Infinity], ['-inf', -Infinity], ['infinity', Infinity]]);

// Python's white space; JavaScript's lacks some control characters and counts U+FEFF.
const BLANK = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const SPACE = new RegExp(`${BLANK}+`, 'y');
const IS_SPACE = new RegExp(BLANK);
const NUMBER = /[+-]?(?:\p{Nd}+(?:\.\p{Nd}*)?|\.\p{Nd}+)(?:[eE][+-]?\p{Nd}+)?(?![\p{L}\p{N}_.])/uy;
const OPERATOR = /==|!=|<>|<=|>=|=|<|>/y;
const IN_NAME = new RegExp(`[^${BLANK.slice(1, -1)}=!<>(),'"\`]+`, 'y');
// What no database of ours can hold.
const IMPOSSIBLE = /[\0\ud800-\udfff]/u;

/** A filter that cannot be read; the message marks the place. `start` and `end` count characters, as Python does. */
export class FilterError extends Error {
  readonly start: number;
  readonly end: number;
  readonly problem: string;
  readonly hint: string;
  /** The neighbourhood of the fault, and the marks to stand under it. */
  readonly shown: string;
  readonly marks: string;

  constructor(problem: string, text: string, start: number, end: number, hint = '') {
    const isPlain = !/[\ud800-\udfff]/.test(text);
    const signs = isPlain ? text : Array.from(text);
    const count = (units: number) => (isPlain ? units : Array.from(text.slice(0, units)).length + Math.max(0, units - text.length));
    const from = count(start);
    const until = Math.max(count(end), from + 1);
    // Only the neighbourhood of the fault is shown: a filter can be a megabyte long.
    const first = Math.max(0, from - 60);
    const last = Math.min(signs.length, until + 60, from + 120);
    const near = signs.slice(first, last);
    const lead = first ? '…' : '';
    const shown = lead + printable(typeof near === 'string' ? near : near.join('')) + (last < signs.length ? '…' : '');
    const marks = ' '.repeat(lead.length + from - first) + '~'.repeat(Math.min(until - from, last - from || 1));
    const lines = [printable(problem), '', `    ${shown}`, `    ${marks}`];
    super((hint ? [...lines, '', printable(hint)] : lines).join('\n'));
    this.name = 'FilterError';
    this.problem = printable(problem);
    this.hint = printable(hint);
    this.start = from;
    this.end = until;
    this.shown = shown;
    this.marks = marks;
  }
}

/** A text on one line, sign for sign, so that the mark stands under its place. */
function printable(text: string): string {
  return text.replace(/[\p{C}\p{Z}]/gu, sign => (sign === ' ' || IS_SPACE.test(sign) ? ' ' : '\ufffd'));
}

interface Token {
  kind: 'number' | 'text' | 'operator' | 'mark' | 'name' | '';
  text: string;
  start: number;
  end: number;
  /** Lower-case, for names only. */
  word: string;
}

/** The tree of a filter; null for an empty one, which matches every run. Throws a `FilterError`. */
export function parseFilter(text: string): Node | null {
  const tokens = tokenize(text);
  return tokens.length ? new Parser(text, tokens).whole() : null;
}

function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

function matchAt(pattern: RegExp, text: string, place: number): number {
  pattern.lastIndex = place;
  return pattern.test(text) ? pattern.lastIndex : place;
}

function tokenize(text: string): Token[] {
  const signs = text.length > MAX_LENGTH ? Array.from(text) : [];
  if (signs.length > MAX_LENGTH) {
    const start = signs.slice(0, MAX_LENGTH).join('').length;
    throw new FilterError(
      `A filter may have ${grouped(MAX_LENGTH)} characters; this one has ${grouped(signs.length)}.`, text, start, text.length
    );
  }
  const impossible = IMPOSSIBLE.exec(text);
  if (impossible) {
    const code = impossible[0].charCodeAt(0);
    const name = code === 0 ? 'NUL' : `U+${code.toString(16).toUpperCase()}, half a character`;
    throw new FilterError(`A filter cannot hold ${name}: nothing that is stored does.`, text, impossible.index, impossible.index + 1);
  }
  const tokens: Token[] = [];
  let place = 0;
  while (place < text.length) {
    const [kind, end] = readToken(text, place);
    if (end === place) {
      const sign = text[place];
      throw new FilterError(
        '\'"`'.includes(sign) ? `The ${sign} is never closed.` : `Nothing can begin with '${sign}'.`,
        text, place, place + 1, '\'"'.includes(sign) ? otherQuote(sign) : ''
      );
    }
    if (kind !== '') {
      const part = text.slice(place, end);
      tokens.push({ kind, text: part, start: place, end, word: kind === 'name' ? part.toLowerCase() : '' });
    }
    place = end;
  }
  return tokens;
}

/** The kind and the end of what stands at a place; the place itself where nothing can be read. */
function readToken(text: string, place: number): [Token['kind'], number] {
  let end = matchAt(SPACE, text, place);
  if (end > place) {
    return ['', end];
  }
  end = matchAt(NUMBER, text, place);
  if (end > place) {
    return ['number', end];
  }
  const sign = text[place];
  if (sign === "'" || sign === '"') {
    return ['text', closing(text, place)];
  }
  end = matchAt(OPERATOR, text, place);
  if (end > place) {
    return ['operator', end];
  }
  return sign === '(' || sign === ')' || sign === ',' ? ['mark', place + 1] : ['name', nameEnd(text, place)];
}

/** Where what a quote opens ends; the quote's own place where it is never closed. */
function closing(text: string, place: number): number {
  const end = text.indexOf(text[place], place + 1);
  return end < 0 ? place : end + 1;
}

function nameEnd(text: string, start: number): number {
  let place = text[start] === '`' ? closing(text, start) : start;
  while (place < text.length) {
    const run = matchAt(IN_NAME, text, place);
    if (run > place) {
      place = run;
      continue;
    }
    // After a dot, and only there, a key may stand in quotes.
    const isKey = '`\'"'.includes(text[place]) && place > start && text[place - 1] === '.';
    const end = isKey ? closing(text, place) : place;
    if (end === place) {
      break;
    }
    place = end;
  }
  return place;
}

/** Reads tokens from left to right; `place` is the next one. */
class Parser {
  private place = 0;
  private depth = 0;
  private comparisons = 0;

  constructor(
    private readonly text: string,
    private readonly tokens: Token[]
  ) {}

  whole(): Node {
    const node = this.either();
    if (this.place < this.tokens.length) {
      const token = this.tokens[this.place];
      let problem = `Comparisons are joined by AND or OR, not by '${short(token.text)}'.`;
      let hint = '';
      const joiner = JOINERS.get(token.text);
      if (joiner) {
        hint = `Did you mean ${joiner}?`;
      } else if (token.text === ')') {
        problem = 'This ) closes nothing.';
      } else if (token.kind === 'text' && this.tokens[this.place - 1].kind === 'text') {
        hint = otherQuote(token.text[0]);
      }
      throw this.error(problem, token, hint);
    }
    return node;
  }

  private either(): Node {
    const items = [this.both()];
    while (this.accept('or')) {
      items.push(this.both());
    }
    return items.length === 1 ? items[0] : { kind: 'or', items };
  }

  private both(): Node {
    const items = [this.one()];
    while (this.accept('and')) {
      items.push(this.one());
    }
    return items.length === 1 ? items[0] : { kind: 'and', items };
  }

  private one(): Node {
    if (this.depth >= MAX_DEPTH) {
      throw this.error(`A filter may be nested ${MAX_DEPTH} levels deep.`, this.next('a comparison'));
    }
    this.depth += 1;
    let node: Node;
    if (this.accept('not')) {
      node = { kind: 'not', item: this.one() };
    } else if (this.acceptMark('(')) {
      node = this.either();
      this.expectMark(')');
    } else {
      node = this.comparison();
    }
    this.depth -= 1;
    return node;
  }

  private comparison(): Comparison {
    const first = this.next('a comparison such as metrics.rmse < 4');
    this.place -= 1;
    this.comparisons += 1;
    if (this.comparisons > MAX_COMPARISONS) {
      throw this.error(
        `A filter may have ${grouped(MAX_COMPARISONS)} comparisons; here begins one too many.`,
        first,
        "Many values of one key stand in a list: params.model IN ('ridge', 'forest')."
      );
    }
    const [place, key] = this.column();
    const end = this.tokens[this.place - 1].end;
    const shown = this.text.slice(first.start, end);
    const made = (operator: string, value: Value): Comparison => ({
      kind: 'comparison', place, key, operator, value, shown, start: first.start, end
    });
    const token = this.next(`an operator after ${short(shown)}, such as =`);
    if (place === 'datasets' && (['<', '<=', '>', '>='].includes(token.text) || token.word === 'is')) {
      throw this.error(`${short(shown)} is compared by = != LIKE ILIKE IN or NOT IN.`, token);
    }
    if (token.word === 'is') {
      const isNegated = this.accept('not');
      const word = this.next('NULL');
      if (word.word !== 'null') {
        throw this.error(`After IS comes NULL or NOT NULL, not '${short(word.text)}'.`, word);
      }
      return made(isNegated ? 'IS NOT NULL' : 'IS NULL', null);
    }
    if (token.word === 'in' || (token.word === 'not' && this.accept('in'))) {
      return made(token.word === 'in' ? 'IN' : 'NOT IN', this.values(place, key, shown));
    }
    if (token.word === 'like' || token.word === 'ilike') {
      return made(token.word.toUpperCase(), this.pattern(place, key, shown, token));
    }
    if (token.kind !== 'operator') {
      throw this.error(
        `${short(shown)} needs an operator, not '${short(token.text)}'.`,
        token,
        'Operators: = != < <= > >= LIKE ILIKE IN, NOT IN, IS NULL, IS NOT NULL.'
      );
    }
    const operator = token.text === '==' ? '=' : token.text === '<>' ? '!=' : token.text;
    return made(operator, this.value(place, key, shown, token.text));
  }

  private pattern(place: Place, key: string, shown: string, token: Token): number | string {
    const word = token.word.toUpperCase();
    if (place === 'metrics' || NUMBERS.has(key)) {
      throw this.error(`${short(shown)} is a number; ${word} compares text.`, token);
    }
    const value = this.value(place, key, shown, token.text, true);
    const letters = typeof value === 'string' && value.length > MAX_PATTERN ? Array.from(value).length : 0;
    if (letters > MAX_PATTERN) {
      const problem = `A pattern of ${word} may have ${grouped(MAX_PATTERN)} characters, not ${grouped(letters)}.`;
      throw this.error(problem, this.tokens[this.place - 1]);
    }
    return value;
  }

  private column(): [Place, string] {
    const token = this.next('a name such as metrics.rmse');
    if ((token.kind !== 'name' && token.kind !== 'text') || WORDS.has(token.word)) {
      throw this.error(
        `A comparison begins with a name, not with ${short(token.text)}.`,
        token,
        'Names: metrics.rmse, params.lr, tags.stage, status.'
      );
    }
    const [prefix, hasDot, rest] = parts(token.text);
    const isPlaced = hasDot && token.kind === 'name';
    const place = isPlaced ? PLACES.get(prefix.toLowerCase()) : undefined;
    if (place === undefined && isPlaced) {
      const near = closeMatch(first60(prefix.toLowerCase()), PLACE_NAMES);
      throw this.error(
        `There is no '${short(prefix)}.' to filter by.`,
        { start: token.start, end: token.start + prefix.length },
        near ? `Did you mean '${near}.'?` : `There are: ${KNOWN_PLACES}.`
      );
    }
    if (place === undefined || place === 'attributes') {
      return ['attributes', this.attribute(token, unquoted(place ? rest : token.text))];
    }
    const key = this.key(place, token, rest);
    if (!key) {
      throw this.error(`After '${prefix}.' comes a key, such as ${prefix}.rmse.`, token);
    }
    if (place === 'datasets' && !DATASET_KEYS.includes(key)) {
      const near = closeMatch(key, DATASET_KEYS);
      const hint = near ? `Did you mean '${prefix}.${near}'?` : `There are: ${DATASET_KEYS.join(', ')}.`;
      throw this.error(`Datasets have no '${short(key)}' to filter by.`, token, hint);
    }
    return [place, key];
  }

  private key(place: Place, token: Token, written: string): string {
    const quote = written[0] ?? ' ';
    const end = '`"\''.includes(quote) ? written.indexOf(quote, 1) : -1;
    if (end < 0 || end === written.length - 1) {
      return unquoted(written);
    }
    const more = written.slice(end + 1);
    if (place !== 'metrics' || !['.min', '.max', '.count'].includes(more)) {
      const at = { start: token.end - more.length, end: token.end };
      throw this.error(`Nothing such as '${short(more)}' follows a key in quotes.`, at, 'Only .min, .max and .count of a metric may.');
    }
    return written.slice(1, end) + more;
  }

  private attribute(token: Token, name: string): string {
    const found = ATTRIBUTES.get(name) ?? ATTRIBUTES.get(name.toLowerCase());
    if (found !== undefined) {
      return found;
    }
    const near = closeMatch(first60(name.toLowerCase()), [...ATTRIBUTES.keys()]);
    let hint = `There are: ${[...ATTRIBUTES.keys()].join(', ')}, ${KNOWN_PLACES}`;
    if (near) {
      hint = `Did you mean '${near}'?`;
    } else if (token.kind === 'name' && name === token.text && /^[\p{XIDS}_]\p{XIDC}*$/u.test(name)) {
      hint = `Did you mean 'metrics.${short(name)}' or 'params.${short(name)}'? ${hint}`;
    }
    const at = { start: Math.max(token.start, token.end - name.length), end: token.end };
    throw this.error(`'${short(name)}' is nothing to filter by.`, at, hint);
  }

  private values(place: Place, key: string, shown: string): (number | string)[] {
    this.expectMark('(');
    const values = [this.value(place, key, shown, 'IN (')];
    while (this.acceptMark(',')) {
      values.push(this.value(place, key, shown, ','));
    }
    this.expectMark(')');
    return values;
  }

  private value(place: Place, key: string, shown: string, after: string, asText = false): number | string {
    const token = this.next(`a value after ${short(shown)} ${after}`);
    const needsNumber = place === 'metrics' || (place === 'attributes' && NUMBERS.has(key));
    if (token.kind === 'text') {
      if (needsNumber) {
        throw this.error(
          `${short(shown)} needs a number after '${after}', not the text ${short(token.text)}`,
          token,
          'Numbers stand bare: metrics.rmse < 4.'
        );
      }
      return token.text.slice(1, -1);
    }
    const number = token.kind === 'number' ? readDigits(token.text) : NUMBER_WORDS.get(token.word);
    if (number !== undefined && (needsNumber || (place === 'params' && !asText))) {
      return number;
    }
    if (needsNumber) {
      throw this.error(
        `${short(shown)} needs a number after '${after}', not the word '${short(token.text)}'`,
        token,
        'Numbers stand bare (metrics.rmse < 4); text stands in quotes, after params. or tags.'
      );
    }
    throw this.error(
      `${short(shown)} needs a text in quotes after '${after}', not ${short(token.text)}`,
      token,
      `Write '${short(token.text)}' in single quotes.`
    );
  }

  private next(expected: string): Token {
    if (this.place >= this.tokens.length) {
      const end = this.text.length;
      throw new FilterError(`The filter ends where ${expected} is expected.`, this.text, end, end + 1);
    }
    return this.tokens[this.place++];
  }

  private accept(word: string): boolean {
    const isFound = this.tokens[this.place]?.word === word;
    this.place += Number(isFound);
    return isFound;
  }

  private acceptMark(mark: string): boolean {
    const isFound = this.tokens[this.place]?.text === mark;
    this.place += Number(isFound);
    return isFound;
  }

  private expectMark(mark: string): void {
    const token = this.next(`'${mark}'`);
    if (token.text !== mark) {
      throw this.error(`Here comes '${mark}', not '${short(token.text)}'.`, token);
    }
  }

  private error(problem: string, at: { start: number; end: number }, hint = ''): FilterError {
    return new FilterError(problem, this.text, at.start, at.end, hint);
  }
}

/** What stands before a name's first dot outside of quotes, whether there is one, and what follows. */
function parts(name: string): [string, boolean, string] {
  const end = name[0] === '`' ? name.indexOf('`', 1) + 1 : 0;
  const dot = name.indexOf('.', end);
  return dot < 0 ? [name, false, ''] : [unquoted(name.slice(0, dot)), true, name.slice(dot + 1)];
}

function unquoted(key: string): string {
  const isQuoted = key.length >= 2 && key[0] === key[key.length - 1] && '`"\''.includes(key[0]);
  return isQuoted ? key.slice(1, -1) : key;
}

function otherQuote(quote: string): string {
  return `A text that holds ${quote} stands in ${quote === "'" ? '"' : "'"}.`;
}

function short(text: string): string {
  const signs = text.length > 60 ? Array.from(text) : [];
  return signs.length <= 60 ? text : `${signs.slice(0, 57).join('')}...`;
}

function first60(text: string): string {
  return text.length <= 60 ? text : Array.from(text.slice(0, 120)).slice(0, 60).join('');
}

/** A number as Python reads one: digits of any script. */
function readDigits(text: string): number {
  return Number(/^[\x20-\x7f]*$/.test(text) ? text : text.replace(/\p{Nd}/gu, sign => String(digitValue(sign))));
}

/** Unicode keeps the ten digits of a script together, in order. */
function digitValue(sign: string): number {
  const code = sign.codePointAt(0)!;
  let first = code;
  while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) {
    first -= 1;
  }
  return (code - first) % 10;
}

/** The word nearest to a text, as Python's `difflib.get_close_matches` chooses it; nothing where none is near. */
export function closeMatch(text: string, words: readonly string[]): string | undefined {
  const wanted = Array.from(text.length > 400 ? '' : text);
  let best: string | undefined;
  let score = 0.6;
  for (const word of words) {
    const signs = Array.from(word);
    const total = wanted.length + signs.length;
    const ratio = total ? (2 * common(signs, 0, signs.length, wanted, 0, wanted.length)) / total : 1;
    if (ratio > score || (ratio === score && (best === undefined || word > best))) {
      [best, score] = [word, ratio];
    }
  }
  return best;
}

/** How many characters two texts share: in the longest block, and so on left and right of it. */
function common(a: string[], aFrom: number, aTo: number, b: string[], bFrom: number, bTo: number): number {
  let [start, other, size] = [aFrom, bFrom, 0];
  for (let i = aFrom; i < aTo; i++) {
    for (let j = bFrom; j < bTo; j++) {
      let length = 0;
      while (i + length < aTo && j + length < bTo && a[i + length] === b[j + length]) {
        length += 1;
      }
      if (length > size) {
        [start, other, size] = [i, j, length];
      }
    }
  }
  return size === 0
    ? 0
    : size + common(a, aFrom, start, b, bFrom, other) + common(a, start + size, aTo, b, other + size, bTo);
}
