// Write src/generated/: one .d.ts per data schema, so that pages are typed by the contract they are checked against,
// and theme.css with the chart colours that theme.json shares with Metabase and the forecaster.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { compileFromFile } from 'json-schema-to-typescript';

interface Theme {
  colors: Record<string, { light: string; dark: string }>;
}

const here = (path: string) => new URL(path, import.meta.url);
const schemas = here('../schemas/');
const target = here('../src/generated/');

await mkdir(target, { recursive: true });

for (const file of (await readdir(schemas)).sort()) {
  const name = file.replace('.schema.json', '');
  const source = await compileFromFile(new URL(file, schemas).pathname, { additionalProperties: false });
  await writeFile(new URL(`${name}.d.ts`, target), source);
}

const theme = JSON.parse(await readFile(here('../../theme.json'), 'utf8')) as Theme;
const variables = Object.entries(theme.colors).map(
  ([name, { light, dark }]) => `  --chart-${name}: light-dark(${light}, ${dark});`,
);
const classes = Object.keys(theme.colors).map((name) => `.c-${name} {\n  --series: var(--chart-${name});\n}`);
await writeFile(
  new URL('theme.css', target),
  `:root {\n${variables.join('\n')}\n}\n\n${classes.join('\n\n')}\n`,
);
