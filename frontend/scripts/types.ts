// Write src/generated/<name>.d.ts from schemas/<name>.schema.json, so that pages are typed by the contract they are
// checked against. Only the type checker reads them.
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { compileFromFile } from 'json-schema-to-typescript';

const schemas = new URL('../schemas/', import.meta.url);
const target = new URL('../src/generated/', import.meta.url);

await mkdir(target, { recursive: true });
for (const file of (await readdir(schemas)).sort()) {
  const name = file.replace('.schema.json', '');
  const source = await compileFromFile(new URL(file, schemas).pathname, { additionalProperties: false });
  await writeFile(new URL(`${name}.d.ts`, target), source);
}
