// Write src/generated/theme.css: the chart colours that theme.json shares with Metabase and the forecaster.
import { mkdir, readFile, writeFile } from 'node:fs/promises';

interface Theme {
  colors: Record<string, { light: string; dark: string }>;
}

const here = (path: string) => new URL(path, import.meta.url);
const theme = JSON.parse(await readFile(here('../../theme.json'), 'utf8')) as Theme;
const variables = Object.entries(theme.colors).map(
  ([name, { light, dark }]) => `  --chart-${name}: light-dark(${light}, ${dark});`,
);
const classes = Object.keys(theme.colors).map((name) => `.c-${name} {\n  --series: var(--chart-${name});\n}`);

await mkdir(here('../src/generated/'), { recursive: true });
await writeFile(
  here('../src/generated/theme.css'),
  `:root {\n${variables.join('\n')}\n}\n\n${classes.join('\n\n')}\n`,
);
