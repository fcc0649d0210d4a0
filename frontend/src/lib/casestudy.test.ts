import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ownInputs, switchPoint } from './casestudy.ts';
import { coefficientsFrom } from './simulator/coefficients.ts';
import { PRESETS } from './simulator/inputs.ts';
import { simulate } from './simulator/simulate.ts';

const coefficients = coefficientsFrom({
  bytes_per_event: 280,
  transform_rows_per_s: 200_000,
  scan_rows_per_s: 6_000_000,
  batch_fixed_s: 8,
  peak_to_mean_ratio: 3,
  rows_measured: 500_000,
});

describe('ownInputs', () => {
  it('spreads the requests over the days they span, both ends counted', () => {
    const headline = {
      requests: 730,
      first_on: '2025-01-01',
      last_on: '2025-12-31',
      sources: [{ source: 'a' }],
    };
    assert.equal(ownInputs({ headline: headline as never }).eventsPerDay, 2);
  });
});

describe('switchPoint', () => {
  it('finds the load on both sides of which the choice differs', () => {
    const inputs = PRESETS[0]!.inputs;
    const point = switchPoint(inputs, coefficients, 'storage', 'eventsPerDay')!;
    const at = (eventsPerDay: number) =>
      simulate({ ...inputs, eventsPerDay }, coefficients).choices.storage.level;
    assert.equal(at(point * 1.0001) - at(point * 0.9999), 1);
  });

  it('finds the freshness below which batches are no longer enough', () => {
    const point = switchPoint(PRESETS[0]!.inputs, coefficients, 'processing', 'freshnessS')!;
    assert.ok(point < 86_400 && point > 1);
  });

  it('is null where nothing heavier exists', () => {
    assert.equal(switchPoint(PRESETS[2]!.inputs, coefficients, 'deployment', 'eventsPerDay'), null);
  });
});
