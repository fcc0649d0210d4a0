import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { costByProvider, costFigure, coverage, outlook, usersFigure } from './home.ts';

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

describe('costFigure', () => {
  const headline = { cost_usd: 12.5, requests: 1000, unpriced_requests: 0, models: 3 };

  it('is no sum where nothing has a price', () => {
    assert.equal(costFigure({ ...headline, cost_usd: 0, unpriced_requests: 1000 }).value, '–');
  });

  it('says what is left out of it', () => {
    assert.match(costFigure({ ...headline, unpriced_requests: 999 }).note, /^999 requests have no price/);
    assert.match(costFigure(headline).note, /^on 3 models/);
    assert.equal(costFigure({ ...headline, cost_usd: 0, requests: 0 }).value, '$0.00');
  });
});

const hour = (starts_at: string, coverage_80_ratio: number | null = null, coverage_count = 0) => ({
  starts_at,
  forecast: 5,
  low_80: 3,
  high_80: 8,
  coverage_80_ratio,
  coverage_count,
});

describe('usersFigure', () => {
  const sources = (...names: string[]) =>
    names.map((source) => ({ source, requests: 1, first_on: '2026-01-01', last_on: '2026-01-01' }));

  it('says who made the requests in the words of who brought them', () => {
    const demo = { users: 2000, companies: 300, sources: sources('synthetic', 'litellm') };
    assert.equal(usersFigure(demo), 'by 2,000 users in 300 companies');
    assert.equal(
      usersFigure({ users: 5, companies: 2, sources: sources('litellm') }),
      'by 5 users in 2 teams',
    );
    assert.equal(usersFigure({ users: 1, companies: 1, sources: sources('litellm') }), 'by 1 user in 1 team');
    assert.equal(usersFigure({ users: 5, companies: 0, sources: sources('litellm') }), 'by 5 users');
  });
});

describe('outlook', () => {
  const day = (value: number) => Array.from({ length: 24 }, () => value) as never;

  it('shows the end of twenty years of hours', () => {
    const { days } = outlook(
      { start_on: '2005-01-01', days: Array.from({ length: 7305 }, () => day(1)) },
      { hours: [] },
      2,
    );
    assert.deepEqual([days.length, days.at(-1)], [48, '2024-12-31']);
  });

  it('joins the last days with what comes after them, each in its own line', () => {
    const hours = [hour('2026-01-02T00:00:00+00:00'), hour('2026-01-02T01:00:00+00:00')];
    const { days, counts, forecast, low } = outlook(
      { start_on: '2025-12-30', days: [day(1), day(2), day(3)] },
      { hours },
      2,
    );
    assert.equal(counts.length, 50);
    assert.deepEqual([days[0], days[49], counts[0], counts[47]], ['2025-12-31', '2026-01-02', 2, 3]);
    assert.deepEqual([counts[48], forecast[47], forecast[48], low[49]], [null, null, 5, 3]);
  });

  it('does not take the rest of a day that the log breaks off in for hours without requests', () => {
    const { counts, forecast } = outlook(
      { start_on: '2026-01-01', days: [day(1)] },
      { hours: [hour('2026-01-01T18:00:00+00:00')] },
      14,
    );
    assert.deepEqual([counts[17], counts[18], counts[23], forecast[18]], [1, null, null, 5]);
  });

  it('is the past alone where nothing was forecast', () => {
    const { counts, forecast } = outlook({ start_on: '2025-12-30', days: [day(1)] }, { hours: [] }, 14);
    assert.equal(counts.length, 24);
    assert.ok(forecast.every((value) => value === null));
  });
});

describe('coverage', () => {
  it('weighs each hour by how often it was judged', () => {
    const at = '2026-01-01T00:00:00+00:00';
    assert.equal(coverage({ hours: [hour(at, 0.9, 30), hour(at, 0.6, 10), hour(at)] }), 0.825);
    assert.equal(coverage({ hours: [hour(at)] }), null);
  });
});
