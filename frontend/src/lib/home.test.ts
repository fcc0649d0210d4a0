import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { costByProvider, lastDays } from './home.ts';

describe('costByProvider', () => {
  it('sums models per provider and month, the dearest first, unpriced ones left out', () => {
    const row = (provider: string, month: string, cost_usd: number | null) => ({
      model_name: 'm',
      provider,
      month,
      cost_usd,
    });
    const { months, series } = costByProvider([
      row('a', '2025-02-01', 1),
      row('b', '2025-01-01', 3),
      row('b', '2025-01-01', 4),
      row('c', '2025-01-01', null),
    ]);
    assert.deepEqual(months, ['2025-01-01', '2025-02-01']);
    assert.deepEqual(
      series.map(({ name, values }) => [name, values]),
      [
        ['b', [7, 0]],
        ['a', [0, 1]],
      ],
    );
  });
});

describe('lastDays', () => {
  it('names the day of every hour it returns', () => {
    const hours = (value: number) => Array.from({ length: 24 }, () => value) as never;
    const { days, counts } = lastDays({ start_on: '2025-12-30', days: [hours(1), hours(2), hours(3)] }, 2);
    assert.equal(counts.length, 48);
    assert.deepEqual([days[0], days[47], counts[0], counts[47]], ['2025-12-31', '2026-01-01', 2, 3]);
  });
});
