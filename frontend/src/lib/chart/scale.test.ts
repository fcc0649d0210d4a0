import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dateLabels, linearAxis, logAxis, thinned } from './scale.ts';

describe('linearAxis', () => {
  it('starts at zero, ends on a round tick above the data and spaces ticks equally', () => {
    for (const top of [0.003, 0.7, 1, 3, 9.99, 47, 100, 812, 123_456, 9.9e9]) {
      const { ticks, position } = linearAxis([top / 2, top]);
      assert.equal(ticks[0], 0);
      assert.ok(ticks.at(-1)! >= top * 0.999);
      assert.ok(position(top) > 0.5 && position(top) <= 1.001, `${top} sits at ${position(top)}`);
      assert.ok(ticks.length >= 3 && ticks.length <= 7, `${ticks}`);
    }
  });

  it('reaches below zero when the data does', () => {
    const { ticks, position } = linearAxis([-30, 50]);
    assert.ok(ticks[0]! <= -30);
    assert.ok(ticks.includes(0));
    assert.equal(position(ticks[0]!), 0);
  });

  it('survives no data and only zeros', () => {
    for (const values of [[], [0, 0]]) assert.ok(linearAxis(values).ticks.every(Number.isFinite));
  });
});

describe('logAxis', () => {
  it('has one tick per decade around the data', () => {
    const { ticks, position } = logAxis([3, 40_000]);
    assert.deepEqual(ticks, [1, 10, 100, 1_000, 10_000, 100_000]);
    assert.ok(Math.abs(position(1_000) - 0.6) < 1e-9);
  });

  it('puts zero and below at the bottom', () => {
    assert.equal(logAxis([1, 100]).position(0), 0);
    assert.equal(logAxis([]).position(0), 0);
  });
});

describe('labels', () => {
  it('name months with the year where it begins', () => {
    const days = Array.from({ length: 365 }, (_, at) =>
      new Date(Date.UTC(2025, 0, 1 + at)).toISOString().slice(0, 10),
    );
    const labels = dateLabels(days, 12);
    assert.equal(labels.length, 12);
    assert.deepEqual(labels[0], { at: 0, text: 'Jan 2025' });
    assert.deepEqual(labels[1], { at: 31, text: 'Feb' });
  });

  it('name days when there are few', () => {
    assert.deepEqual(dateLabels(['2025-03-05', '2025-03-06']), [
      { at: 0, text: '5 Mar' },
      { at: 1, text: '6 Mar' },
    ]);
  });

  it('name a day of several values once, where it begins', () => {
    const hours = ['2025-03-05', '2025-03-05', '2025-03-06', '2025-03-06', '2025-03-07'];
    assert.deepEqual(
      dateLabels(hours, 2).map(({ at, text }) => [at, text]),
      [
        [0, '5 Mar'],
        [4, '7 Mar'],
      ],
    );
  });

  it('are thinned to what fits', () => {
    assert.deepEqual(
      thinned(['a', 'b', 'c', 'd', 'e'], 3).map(({ text }) => text),
      ['a', 'c', 'e'],
    );
  });
});
