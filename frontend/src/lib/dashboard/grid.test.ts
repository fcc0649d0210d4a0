import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { widened } from './grid.ts';

const at = (row: number, w: number, h = 4) => ({ row, w, h });

describe('widened', () => {
  it('gives the whole row to a card that has nothing beside it', () => {
    assert.deepEqual(
      widened([at(0, 12), at(0, 12), at(4, 12)]).map(({ w }) => w),
      [12, 12, 24],
    );
  });

  it('leaves a card alone that stands beside the lower half of another', () => {
    assert.deepEqual(
      widened([at(0, 12, 8), at(4, 12)]).map(({ w }) => w),
      [12, 12],
    );
  });
});
