import { describe, expect, it } from 'vitest';
import { countText, csvCell, formatAge, formatAgo, formatDuration, formatElapsed, formatNumber, toCsv, toNumber } from './format';

describe('numbers', () => {
  it.each([
    [undefined, ''],
    [0, '0'],
    [30, '30'],
    [0.05, '0.05'],
    [3.14159, '3.142'],
    [-2.5, '−2.5'],
    [12345.6, '12346'],
    [1.23456e9, '1.235e9'],
    [0.0000012, '1.2e−6'],
    [NaN, 'NaN'],
    [Infinity, '∞']
  ])('%s is shown as %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
  it('reads the words of JSON', () => {
    expect(toNumber('NaN')).toBeNaN();
    expect(toNumber('-Infinity')).toBe(-Infinity);
    expect(toNumber(null)).toBeUndefined();
  });
});

describe('times', () => {
  it('spans', () => {
    expect(formatDuration(800)).toBe('0.8 s');
    expect(formatDuration(200_000)).toBe('3 min 20 s');
    expect(formatDuration(7_500_000)).toBe('2 h 5 min');
    expect(formatElapsed(3_725_000)).toBe('1:02:05');
  });
  it('ago', () => {
    expect(formatAgo(0, 1000)).toBe('just now');
    expect(formatAgo(0, 3_600_000)).toBe('1 hour ago');
    expect(formatAgo(0, 3 * 86_400_000)).toBe('3 days ago');
    expect(formatAge(0, 1000)).toBe('now');
    expect(formatAge(0, 240_000)).toBe('4 min ago');
    expect(formatAge(0, 3 * 86_400_000)).toBe('3 d ago');
  });
});

it('counts', () => {
  expect(countText(12, 480)).toBe('12 of 480 runs');
  expect(countText(1, 1)).toBe('1 run');
  expect(countText(10000, 10000)).toBe('10,000 runs');
});

describe('CSV', () => {
  it('disarms formulas and leaves numbers alone', () => {
    expect(csvCell('=SUM(A1)')).toBe("'=SUM(A1)");
    expect(csvCell('@x')).toBe("'@x");
    expect(csvCell(' =1+1')).toBe("' =1+1");
    expect(csvCell('-0.5')).toBe('-0.5');
    expect(csvCell('+1e-3')).toBe('+1e-3');
    expect(csvCell('-x')).toBe("'-x");
  });
  it('quotes', () => {
    expect(toCsv([['a,b', 'say "x"'], ['1', '']])).toBe('"a,b","say ""x"""\r\n1,\r\n');
  });
});
