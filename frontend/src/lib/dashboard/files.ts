/** Reads the dashboards' export at build: definitions, each card's rows, and where Metabase serves the same dashboards. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CardData } from '../../generated/card-data.d.ts';
import type { Card, Dashboard, Dashboards } from '../../generated/dashboards.d.ts';
import { checked, dataFolder, readIfThere } from '../data.ts';

const schema = (name: string) =>
  JSON.parse(readFileSync(join('schemas', `${name}.schema.json`), 'utf8')) as object;

const folder = join(dataFolder(), 'dashboards');

/** The definitions; null where none were exported, which the pages say. */
export function dashboards(): Dashboards | null {
  const path = join(folder, 'dashboards.json');
  const text = readIfThere(path);
  return text === null ? null : checked<Dashboards>(text, schema('dashboards'), path);
}

export function cardData(card: Card): CardData {
  const path = join(folder, card.data);
  return checked<CardData>(readIfThere(path) ?? 'null', schema('card-data'), path);
}

export function cardsOf(dashboard: Dashboard): Card[] {
  return dashboard.tabs.flatMap(({ items }) => items.flatMap(({ card }) => (card ? [card] : [])));
}

interface Links {
  dashboards: { key: string; path: string; rows: number }[];
}

/** Path of a dashboard in Metabase, from links.json, which the provisioner writes; null where it has not run. */
export function livePath(key: string): { path: string; rows: number } | null {
  const text = readIfThere(
    process.env['METABASE_LINKS_FILE'] ?? join(dataFolder(), '..', 'metabase', 'links.json'),
  );
  if (text === null) return null;
  const found = (JSON.parse(text) as Links).dashboards.find((link) => link.key === key);
  return found ? { path: found.path, rows: found.rows } : null;
}

/** Drawing height of a card that is `units` of the grid high: what its frame and its words leave. */
export function drawingHeight(units: number): number {
  return Math.max(96, units * 46 - 92);
}
