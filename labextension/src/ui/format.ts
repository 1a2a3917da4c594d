/** Numbers, times and words as people read them. Pure functions, no DOM. */

import type { JsonNumber } from './types';

/** The number that JSON carried; a missing one is `undefined`. */
export function toNumber(value: JsonNumber | undefined): number | undefined {
  if (value === null || value === undefined) {
    return undefined;
  }
  return typeof value === 'number' ? value : Number(value);
}

/** A number with four significant digits; missing is empty. */
export function formatNumber(value: number | undefined): string {
  if (value === undefined) {
    return '';
  }
  if (!Number.isFinite(value)) {
    return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞';
  }
  if (value === 0) {
    return '0';
  }
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) {
    return String(value).replace('-', '−');
  }
  const short = size >= 1e6 || size < 1e-4 ? value.toExponential(3).replace(/\.?0+e/, 'e') : fixed(value, size);
  return short.replace('e+', 'e').replace(/-/g, '−');
}

function fixed(value: number, size: number): string {
  if (size >= 1000) {
    return String(Math.round(value));
  }
  return String(Number(value.toPrecision(4)));
}

/** The number in full, as it would be typed. */
export function fullNumber(value: number | undefined): string {
  return value === undefined ? '' : String(value);
}

/** A number of bytes in the unit that fits: `999 B`, `1.5 kB`, `12.3 GB`. */
export function formatSize(count: number): string {
  if (count < 1000) {
    return `${count} B`;
  }
  const units: [string, number][] = [['kB', 1e3], ['MB', 1e6], ['GB', 1e9]];
  const [word, factor] = units.find(([name, size]) => count < 999.95 * size || name === 'GB')!;
  return `${(count / factor).toFixed(1).replace(/\.0$/, '')} ${word}`;
}

/** A span of milliseconds: `0.8 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(ms: number | undefined): string {
  if (ms === undefined || !Number.isFinite(ms)) {
    return '';
  }
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.round(seconds);
  if (whole < 60) {
    return `${whole} s`;
  }
  if (whole < 3600) {
    return two(whole, 60, 'min', 's', 1);
  }
  if (whole < 86400) {
    return two(whole, 3600, 'h', 'min', 60);
  }
  return two(whole, 86400, 'd', 'h', 3600);
}

function two(seconds: number, big: number, bigWord: string, smallWord: string, small: number): string {
  const first = Math.floor(seconds / big);
  const rest = Math.floor((seconds % big) / small);
  return rest ? `${first} ${bigWord} ${rest} ${smallWord}` : `${first} ${bigWord}`;
}

/** Elapsed time that ticks: whole seconds only, so that it never changes width wildly. */
export function formatElapsed(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  const pad = (value: number) => String(value).padStart(2, '0');
  return hours ? `${hours}:${pad(minutes)}:${pad(total % 60)}` : `${minutes}:${pad(total % 60)}`;
}

/** How long ago, seen from `now`. */
export function formatAgo(time: number | undefined, now: number): string {
  if (time === undefined) {
    return '';
  }
  const [count, unit] = age(time, now);
  return unit ? `${count} ${unit.word}${count === 1 ? '' : 's'} ago` : 'just now';
}

/** The same where there is little room: `4 min ago`. */
export function formatAge(time: number, now: number): string {
  const [count, unit] = age(time, now);
  return unit ? `${count} ${unit.short} ago` : 'now';
}

const UNITS = [
  { seconds: 60, word: 'minute', short: 'min' },
  { seconds: 3600, word: 'hour', short: 'h' },
  { seconds: 86400, word: 'day', short: 'd' },
  { seconds: 86400 * 30.44, word: 'month', short: 'mo' },
  { seconds: 86400 * 365.25, word: 'year', short: 'y' }
];

/** How many of which unit; no unit for less than a minute. */
function age(time: number, now: number): [number, (typeof UNITS)[number]?] {
  const seconds = (now - time) / 1000;
  if (seconds < 45) {
    return [0];
  }
  const unit = [...UNITS].reverse().find(each => seconds >= each.seconds) ?? UNITS[0];
  return [Math.max(1, Math.round(seconds / unit.seconds)), unit];
}

/** A local time to the second, the same in every locale. */
export function formatTime(time: number | undefined): string {
  if (time === undefined || !Number.isFinite(time)) {
    return '';
  }
  const date = new Date(time);
  const pad = (value: number) => String(value).padStart(2, '0');
  return (
    `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ` +
    `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
  );
}

/** `1 row`, `1,200 rows`. */
export function countOf(count: number, noun: string): string {
  return `${String(count).replace(/\B(?=(\d{3})+$)/g, ',')} ${noun}${count === 1 ? '' : 's'}`;
}

/** `12 of 480 runs`, or `480 runs` when nothing is hidden. */
export function countText(shown: number, total: number): string {
  const group = (value: number) => String(value).replace(/\B(?=(\d{3})+$)/g, ',');
  const noun = total === 1 ? 'run' : 'runs';
  return shown === total ? `${group(total)} ${noun}` : `${group(shown)} of ${group(total)} ${noun}`;
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/**
 * One CSV cell. A spreadsheet runs text that starts with one of `= + - @` as a
 * formula, so such text gets a leading apostrophe unless it is a number.
 */
export function csvCell(text: string): string {
  const dangerous = /^\s*[=+\-@]/.test(text) || /^[\t\r]/.test(text);
  const special = text === '-Infinity';
  const safe = dangerous && !special && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

/** Rows of cells as CSV text. */
export function toCsv(rows: string[][]): string {
  return rows.map(row => row.map(csvCell).join(',')).join('\r\n') + '\r\n';
}

/** The status as a word for people. */
export function statusWord(status: string): string {
  return status ? status[0].toUpperCase() + status.slice(1).toLowerCase() : '';
}
