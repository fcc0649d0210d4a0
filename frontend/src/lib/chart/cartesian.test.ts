import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rows, spark } from './bars.ts';
import { cartesian, stacked, unbroken } from './cartesian.ts';
import type { CartesianSpec } from './cartesian.ts';

const spec = (changes: Partial<CartesianSpec> = {}): CartesianSpec => ({
  kind: 'line',
  series: [{ name: 'Requests', color: 'green', values: [1, 4, 2] }],
  labels: [{ at: 0, text: 'Jan' }],
  formatTick: String,
  description: 'Requests per month',
  ...changes,
});

const attribute = (markup: string, name: string) =>
  [...markup.matchAll(new RegExp(` ${name}="([^"]*)"`, 'g'))].map(([, value]) => value!);

describe('stacked', () => {
  const series = [
    { name: 'a', color: 'green', values: [1, 2, null] },
    { name: 'b', color: 'blue', values: [3, 2, 4] },
  ];

  it('puts each series on top of the one before', () => {
    const [a, b] = stacked({ series, stack: 'stacked' });
    assert.deepEqual(a!.high, [1, 2, 0]);
    assert.deepEqual(b!.low, [1, 2, 0]);
    assert.deepEqual(b!.high, [4, 4, 4]);
  });

  it('fills the whole when it shows shares', () => {
    assert.deepEqual(stacked({ series, stack: 'percent' })[1]!.high, [1, 1, 1]);
  });

  it('leaves gaps where values are missing and nothing is stacked', () => {
    assert.deepEqual(stacked({ series })[0]!.high, [1, 2, null]);
  });
});

describe('cartesian', () => {
  it('breaks a line at a gap', () => {
    assert.deepEqual(unbroken([1, null, 2, 3]), [[0], [2, 3]]);
    const markup = cartesian(spec({ series: [{ name: 'a', color: 'green', values: [1, 2, null, 3, 4] }] }));
    assert.equal(attribute(markup, 'd')[0]!.split('M').length - 1, 2);
  });

  it('draws one bar per value, as tall as the value', () => {
    const markup = cartesian(
      spec({ kind: 'bar', series: [{ name: 'a', color: 'green', values: [1, 2, 4] }], height: 400 }),
    );
    const bars = [...markup.matchAll(/<rect[^>]* height="([^"]*)"/g)].map(([, height]) => Number(height));
    assert.equal(bars.length, 3);
    assert.equal(bars[1], 2 * bars[0]!);
    assert.equal(bars[2], 4 * bars[0]!);
  });

  it('has a text alternative and no style that the content policy forbids', () => {
    const markup = cartesian(spec({ kind: 'area', goal: { value: 3, label: 'Budget' } }));
    assert.match(markup, /role="img" aria-label="Requests per month"/);
    assert.match(markup, /Budget/);
    assert.doesNotMatch(markup, / style=/);
  });

  it('never writes NaN, whatever is missing', () => {
    for (const values of [[], [null], [null, null], [0], [5]]) {
      for (const kind of ['line', 'area', 'bar'] as const) {
        const markup = cartesian(
          spec({ kind, series: [{ name: 'a', color: 'green', values }], scale: 'log' }),
        );
        assert.doesNotMatch(markup, /NaN|Infinity/, `${kind} ${values}`);
      }
    }
  });

  it('draws a value without neighbours as a dot and a single bar no wider than an eighth', () => {
    const series = [{ name: 'a', color: 'green', values: [7] }];
    assert.match(cartesian(spec({ series })), /<circle class="dot c-green" cx="50%"/);
    assert.doesNotMatch(cartesian(spec()), /<circle/);
    assert.match(cartesian(spec({ kind: 'bar', series })), /class="bar c-green" x="44%" width="12%"/);
  });

  it('escapes names from the warehouse', () => {
    assert.doesNotMatch(cartesian(spec({ description: '<script>"' })), /<script>/);
    assert.doesNotMatch(
      rows([{ name: '<b>', text: '&', segments: [{ name: 'x', color: 'green', value: 1 }] }]),
      /<b>/,
    );
  });
});

describe('rows', () => {
  it('gives the widest row the whole width and the others their share', () => {
    const row = (name: string, value: number) => ({
      name,
      text: String(value),
      segments: [{ name, color: 'blue', value }],
    });
    assert.deepEqual(attribute(rows([row('a', 50), row('b', 200)]), 'width'), [
      '100%',
      '25%',
      '100%',
      '100%',
    ]);
  });
});

describe('spark', () => {
  it('spans from the lowest to the highest value', () => {
    const markup = spark([5, null, 10], 'green', 44);
    assert.match(markup, /M0 42\.0/);
    assert.match(markup, /M1000 2\.0/);
  });
});
