import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import sharp from 'sharp';
import { dayEdges, opacities, YEAR_HEIGHT, yearPicture } from './year.ts';

const day = (counts: Record<number, number>) => Array.from({ length: 24 }, (_, hour) => counts[hour] ?? 0);

describe('dayEdges', () => {
  it('leaves a wider gap before each Monday', () => {
    const steps = dayEdges('2025-01-01', 14).map((edge, at, all) => edge - (all[at - 1] ?? 0));
    // 1 January 2025 was a Wednesday, so the fifth day after it is a Monday.
    assert.deepEqual(steps.slice(1, 7), [3, 3, 3, 3, 7, 3]);
  });
});

describe('opacities', () => {
  it('are row by row, dark without requests and full at the top', () => {
    const cells = opacities([day({ 0: 100 }), day({ 1: 25 })]);
    assert.equal(cells.length, 48);
    assert.deepEqual(cells.slice(0, 4), [255, 0, 0, 128]);
  });

  it('survive a year without a request', () => {
    assert.ok(opacities([day({})]).every((opacity) => opacity === 0));
  });
});

describe('yearPicture', () => {
  it('is as wide as its days', async () => {
    const { width, height } = await sharp(
      await yearPicture({ start_on: '2025-01-01', days: [day({}), day({ 3: 1 })] }, [0, 0, 0]),
    ).metadata();
    assert.deepEqual([width, height], [6, YEAR_HEIGHT]);
  });
});
