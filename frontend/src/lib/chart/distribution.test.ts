import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Column } from '../../generated/distributions.d.ts';
import { categoryNames, distribution } from './distribution.ts';

const column = (changes: Partial<Column>): Column => ({
  column: 'latency_ms',
  unit: 'ms',
  scale: 'log',
  family: 'log-normal',
  parameters: {},
  reason: 'because',
  values: 30,
  bins: [
    { low: 1, high: 10, count: 10, expected: 10 },
    { low: 10, high: 100, count: 20, expected: 20 },
  ],
  curve: [
    { x: 1, y: 2 },
    { x: 50, y: 8 },
  ],
  checks: [{ what: 'median', expected: 10, found: 10, kind: 'value' }],
  ...changes,
});

const numbers = (markup: string, pattern: RegExp) =>
  [...markup.matchAll(pattern)].map(([, value]) => Number(value));

describe('distribution', () => {
  it('gives bins of equal ratio equal widths on a logarithmic axis and heights by share', () => {
    const markup = distribution(column({}));
    assert.deepEqual(numbers(markup, /<rect[^>]* width="([^"%]*)%"/g), [50, 50]);
    const [first, second] = numbers(markup, /<rect[^>]* height="([^"]*)"/g);
    assert.ok(Math.abs(second! / first! - 2) < 0.01);
  });

  it('draws an uneven bin by area, not by count', () => {
    const bins: Column['bins'] = [
      { low: 1, high: 10, count: 10, expected: 10 },
      { low: 10, high: 1000, count: 20, expected: 20 },
    ];
    const [first, second] = numbers(distribution(column({ bins })), /<rect[^>]* height="([^"]*)"/g);
    assert.ok(Math.abs(first! - second!) < 0.5);
  });

  it('draws categories as rows with a mark where each was expected', () => {
    const bins: Column['bins'] = [
      { low: 200, high: 200, count: 15, expected: 30 },
      { low: 429, high: 429, count: 15, expected: 0 },
    ];
    const markup = distribution(column({ scale: 'category', bins, curve: [] }));
    assert.match(markup, /200<\/span>/);
    assert.match(markup, /class="expected" x1="100%"/);
    assert.match(markup, /50 %/);
  });

  it('reads category names from the unit', () => {
    assert.deepEqual(
      [...categoryNames('tier: 1 = free, 2 = starter')],
      [
        [1, 'free'],
        [2, 'starter'],
      ],
    );
    assert.equal(categoryNames('HTTP status').size, 0);
  });
});
