/**
 * The site's data: JSON files written by `python -m frontend.export`, checked against schemas/ before anything is drawn.
 *
 * A file that is missing or does not fit its schema stops the build; every problem of a file is named at once.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { CalibrationFile } from '../generated/calibration.d.ts';
import type { Distributions } from '../generated/distributions.d.ts';
import type { ForecastHours } from '../generated/forecast.d.ts';
import type { Lineage } from '../generated/lineage.d.ts';
import type { Quality } from '../generated/quality.d.ts';
import type { SiteFacts } from '../generated/site.d.ts';
import type { Traffic } from '../generated/traffic.d.ts';

interface Files {
  site: SiteFacts;
  traffic: Traffic;
  lineage: Lineage;
  quality: Quality;
  distributions: Distributions;
  calibration: CalibrationFile;
  forecast: ForecastHours;
}

export class DataError extends Error {}

const root = process.cwd();

/** Folder of the exported files: SITE_DATA_DIR, else where `make site-data` writes by default. */
export function dataFolder(environment = process.env): string {
  const data = environment['TOKENSCOPE_DATA_DIR'] ?? join(root, '..', '.data');
  return resolve(environment['SITE_DATA_DIR'] ?? join(data, 'site'));
}

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });

/** Parse `text` and check it against a schema; `name` is what the message calls it. */
export function checked<T>(text: string, schema: object, name: string): T {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new DataError(
      `site data: expected JSON in ${name}, found ${(error as Error).message}; run 'make site-data'`,
    );
  }
  const validate = ajv.compile<T>(schema);
  if (validate(data)) return data;
  const problems = (validate.errors ?? []).map(
    ({ instancePath, message }) => `${instancePath || '/'} ${message}`,
  );
  throw new DataError(
    `site data: ${name} does not fit its schema: ${problems.join('; ')}; run 'make site-data'`,
  );
}

/** Read a file that may be absent: null then. */
export function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

const cache = new Map<string, unknown>();

/** One file of the export, checked. */
export function data<Name extends keyof Files>(name: Name): Files[Name] {
  if (!cache.has(name)) {
    const path = join(dataFolder(), `${name}.json`);
    const text = readIfThere(path);
    if (text === null)
      throw new DataError(`site data: expected ${path}, found no such file; run 'make site-data'`);
    const schema = JSON.parse(readFileSync(join(root, 'schemas', `${name}.schema.json`), 'utf8')) as object;
    cache.set(name, checked<Files[Name]>(text, schema, path));
  }
  return cache.get(name) as Files[Name];
}
