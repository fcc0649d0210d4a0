import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytes, count, dollars, duration, percent, significant, whole } from './format.ts';

const cases = (name: string, format: (value: number) => string, pairs: [number, string][]) =>
  it(name, () => {
    for (const [value, text] of pairs) assert.equal(format(value), text);
  });

describe('format', () => {
  cases('writes short counts', count, [
    [0, '0'],
    [7, '7'],
    [950, '950'],
    [12_345, '12.3K'],
    [999_900, '1M'],
    [4_560_000, '4.56M'],
    [2e9, '2B'],
    [-1500, '-1.5K'],
  ]);
  cases('writes whole counts', whole, [[500_000, '500,000']]);
  cases('keeps three significant digits', significant, [
    [0.01234, '0.0123'],
    [4.5, '4.5'],
    [123.4, '123'],
  ]);
  cases('writes money', dollars, [
    [0.5, '$0.50'],
    [99.994, '$99.99'],
    [512.3, '$512'],
    [18_577, '$18.6K'],
    [-3, '-$3.00'],
  ]);
  cases('writes shares with the nines they need', percent, [
    [1, '100 %'],
    [0.03, '3 %'],
    [0.999, '99.9 %'],
    [0.9995, '99.95 %'],
    [0.97254, '97.3 %'],
    [0.0603, '6 %'],
  ]);
  cases('writes bytes', bytes, [
    [0, '0 B'],
    [143_000_000, '143 MB'],
  ]);
  cases('writes spans of time', duration, [
    [0.003, '3 ms'],
    [12, '12 s'],
    [900, '15 min'],
    [43_200, '12 h'],
    [864_000, '10 days'],
  ]);
});
