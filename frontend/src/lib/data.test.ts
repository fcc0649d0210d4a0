import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checked, dataFolder, DataError } from './data.ts';

const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['requests', 'first_on'],
  properties: {
    requests: { type: 'integer', minimum: 1 },
    first_on: { type: 'string', pattern: '^\\d{4}-' },
  },
};

describe('checked', () => {
  it('returns what fits', () => {
    assert.deepEqual(checked('{"requests": 3, "first_on": "2025-01-01"}', schema, 'site.json'), {
      requests: 3,
      first_on: '2025-01-01',
    });
  });

  it('names the file and every problem of an export that does not fit', () => {
    assert.throws(
      () => checked('{"requests": 0, "more": 1}', schema, 'site.json'),
      (error: Error) => {
        assert.ok(error instanceof DataError);
        for (const part of [
          'site.json',
          'first_on',
          '/requests must be >= 1',
          'additional',
          'make site-data',
        ]) {
          assert.match(error.message, new RegExp(part), part);
        }
        return true;
      },
    );
  });

  it('says so when a file is no JSON', () => {
    assert.throws(() => checked('<html>', schema, 'site.json'), /expected JSON in site\.json/);
  });
});

describe('dataFolder', () => {
  it('is SITE_DATA_DIR, else the site folder of the data directory', () => {
    assert.equal(dataFolder({ SITE_DATA_DIR: '/a/b' }), '/a/b');
    assert.equal(dataFolder({ TOKENSCOPE_DATA_DIR: '/data' }), '/data/site');
    assert.match(dataFolder({}), /\.data\/site$/);
  });
});
