/**
 * One card of a dashboard as HTML, from its definition and its rows. Pure text in, text out: the build draws the default
 * view with it, the page's script draws the others.
 */
import type { Card } from '../../generated/dashboards.d.ts';
import { cartesian } from '../chart/cartesian.ts';
import type { Series } from '../chart/cartesian.ts';
import { rows as barRows, spark } from '../chart/bars.ts';
import { dateLabels, thinned } from '../chart/scale.ts';
import { element, escape, percentOf } from '../chart/svg.ts';
import { tick, written } from './format.ts';
import type { Theme, Value } from './format.ts';
import { dataTable, table } from './table.ts';

export type Row = readonly Value[];

export interface CardView {
  card: Card;
  /** Names of the columns of `rows`, in order. */
  columns: readonly string[];
  rows: readonly Row[];
  theme: Theme;
  /** Height of the drawing in pixels. */
  height: number;
}

/** The card's body: drawing, legend and the same numbers as a table. */
export function cardBody(view: CardView): string {
  if (view.rows.length === 0) {
    const plain = view.card.filters.length ? 'No rows for this choice.' : 'Nothing to list.';
    return nothing(view.card.empty ?? plain);
  }
  switch (view.card.chart.type) {
    case 'scalar':
      return scalar(view);
    case 'trend':
      return trend(view);
    case 'row':
      return rowChart(view);
    case 'funnel':
      return funnel(view);
    case 'table':
      return table(view);
    case 'matrix':
      return matrix(view);
    default:
      return xy(view);
  }
}

const nothing = (words: string) => `<p class="empty">${escape(words)}</p>`;

const only = (name: string | string[] | undefined) => (Array.isArray(name) ? name[0]! : name!);
const many = (names: string | string[] | undefined) => (Array.isArray(names) ? names : [names!]);

export function cell(view: CardView, row: Row, column: string): Value {
  return row[view.columns.indexOf(column)] ?? null;
}

export function formatOf({ card }: CardView, column: string): string {
  return card.columns.find(({ name }) => name === column)?.format ?? 'text';
}

export function titleOf({ card }: CardView, column: string): string {
  return card.columns.find(({ name }) => name === column)?.title ?? column;
}

const text = (view: CardView, row: Row, column: string) =>
  written(cell(view, row, column), formatOf(view, column), view.theme);

const number = (view: CardView, row: Row, column: string): number | null => {
  const value = cell(view, row, column);
  return typeof value === 'number' ? value : null;
};

function scalar(view: CardView): string {
  return `<p class="scalar">${escape(text(view, view.rows[0]!, only(view.card.chart.y)))}</p>`;
}

/** The last value, its change against the one before, and the way there. */
function trend(view: CardView): string {
  const { chart } = view.card;
  const [x, y] = [chart.x!, only(chart.y)];
  const last = view.rows[view.rows.length - 1]!;
  const before = view.rows[view.rows.length - 2];
  const values = view.rows.map((row) => number(view, row, y));
  const note = before ? changeNote(view, last, before) : '';
  return `<p class="scalar">${escape(text(view, last, y))}</p><p class="change">${escape(text(view, last, x))}${note}</p>${values.length > 2 ? spark(values, 'green', 36) : ''}${dataTable(view, [x, y], view.rows)}`;
}

function changeNote(view: CardView, last: Row, before: Row): string {
  const { chart } = view.card;
  const [now, then] = [number(view, last, only(chart.y)), number(view, before, only(chart.y))];
  if (now === null || then === null || then === 0) return '';
  const change = (now - then) / Math.abs(then);
  const state = change === 0 ? 'same' : change > 0 === ((chart.good ?? 'up') === 'up') ? 'good' : 'bad';
  const arrow = change === 0 ? 'unchanged' : change > 0 ? 'up' : 'down';
  const size = `${(Math.abs(change) * 100).toFixed(1)}%`;
  return ` <span class="${state}">${arrow}${change === 0 ? '' : ` ${size}`}</span> vs. ${escape(text(view, before, chart.x!))}`;
}

const isDate = (value: Value) => typeof value === 'string' && /^\d{4}-\d{2}-\d{2}/.test(value);

/** Values along x: one series per y column, or per value of the splitting column. */
export function seriesOf(view: CardView): { names: Value[]; series: Series[] } {
  const { chart, series = [] } = view.card;
  const names = [...new Set(view.rows.map((row) => cell(view, row, chart.x!)))];
  // Time runs to the right, whichever way the query sorts its table.
  if (names.every(isDate)) names.sort();
  const at = new Map(names.map((name, index) => [name, index]));
  const drawn = series.map(({ name, title, color }) => {
    const values: (number | null)[] = names.map(() => null);
    for (const row of view.rows) {
      if (chart.series && String(cell(view, row, chart.series)) !== name) continue;
      values[at.get(cell(view, row, chart.x!))!] = number(view, row, chart.series ? only(chart.y) : name);
    }
    return { name: title, color, values };
  });
  // A part that never occurs needs no name in the legend, unless nothing occurs at all.
  const occurring = drawn.filter(({ values }) => values.some(Boolean));
  return { names, series: occurring.length ? occurring : drawn };
}

function drawing(view: CardView, { names, series }: ReturnType<typeof seriesOf>, mostLabels: number): string {
  const { chart } = view.card;
  const isPercent = chart.stack === 'percent';
  return cartesian({
    kind: chart.type as 'line' | 'area' | 'bar',
    series,
    labels: names.every(isDate)
      ? dateLabels(names as string[], mostLabels)
      : thinned(
          names.map((name) => written(name, formatOf(view, chart.x!), view.theme)),
          mostLabels,
        ),
    stack: chart.stack,
    scale: chart.scale,
    goal: chart.goal,
    formatTick: isPercent
      ? (value) => `${Math.round(value * 100)}%`
      : tick(formatOf(view, only(chart.y)), view.theme),
    height: view.height,
    description: `${view.card.title}: ${view.card.question}`,
  });
}

const isFlat = (series: readonly Series[]) => series.every(({ values }) => values.every((value) => !value));

/** The drawing alone, to stand for its dashboard; null where a card has none worth showing. */
export function picture(view: CardView): string | null {
  if (view.card.chart.type === 'row')
    return view.rows.length ? rowChart({ ...view, rows: view.rows.slice(0, 4) }) : null;
  if (!['line', 'area', 'bar'].includes(view.card.chart.type)) return null;
  const found = seriesOf(view);
  return found.names.length < 2 || isFlat(found.series) ? null : drawing(view, found, 3);
}

function xy(view: CardView): string {
  const { chart } = view.card;
  const found = seriesOf(view);
  const { names, series } = found;
  const format = formatOf(view, only(chart.y));
  const columns = [titleOf(view, chart.x!), ...series.map(({ name }) => name)];
  const lines = names.map((name, at) => [
    written(name, formatOf(view, chart.x!), view.theme),
    ...series.map(({ values }) => written(values[at] ?? null, format, view.theme)),
  ]);
  if (isFlat(series)) {
    const isKnown = series.some(({ values }) => values.some((value) => value !== null));
    const plain = isKnown ? 'Zero throughout.' : 'Not known: no log shown here reports it.';
    return nothing(view.card.empty ?? plain) + dataTable(view, columns, lines, true);
  }
  return (
    legend(series) + axisTitle(view.card) + drawing(view, found, 7) + dataTable(view, columns, lines, true)
  );
}

const axisTitle = ({ y_title: title }: Card) => (title ? `<p class="y-title">${escape(title)}</p>` : '');

function legend(series: readonly Series[]): string {
  if (series.length < 2) return '';
  const items = series.map(
    ({ name, color }) => `<li><span class="swatch c-${color}"></span>${escape(name)}</li>`,
  );
  return `<ul class="legend">${items.join('')}</ul>`;
}

function rowChart(view: CardView): string {
  const { chart, series = [] } = view.card;
  const columns = many(chart.y);
  const items = view.rows.map((row) => ({
    name: text(view, row, chart.x!),
    text: columns.map((column) => text(view, row, column)).join(' / '),
    segments: columns.map((column, at) => ({
      name: titleOf(view, column),
      color: series[at]?.color ?? 'green',
      value: number(view, row, column) ?? 0,
    })),
  }));
  const names = columns.map((column, at) => ({
    name: titleOf(view, column),
    color: series[at]?.color ?? 'green',
    values: [],
  }));
  return legend(names) + barRows(items, chart.stack);
}

function funnel(view: CardView): string {
  const { chart } = view.card;
  const y = only(chart.y);
  const first = number(view, view.rows[0]!, y) || 1;
  const steps = view.rows.map((row, at) => {
    const value = number(view, row, y) ?? 0;
    const before = at === 0 ? value : (number(view, view.rows[at - 1]!, y) ?? 0);
    const kept = at === 0 ? '' : ` · ${((value / (before || 1)) * 100).toFixed(1)}% of the step before`;
    const bar = element(
      'svg',
      { width: '100%', height: 26, 'aria-hidden': 'true' },
      element('rect', {
        class: 'bar c-green',
        x: percentOf((1 - value / first) / 2),
        width: percentOf(value / first),
        height: 26,
        rx: 3,
      }),
    );
    return `<li><p><b>${escape(text(view, row, chart.x!))}</b> <span class="number">${escape(text(view, row, y))}</span><span class="soft">${kept}</span></p>${bar}</li>`;
  });
  return `<ol class="funnel">${steps.join('')}</ol>`;
}

/** Rows by columns with the number in each cell, shaded by size; the rows stay as the query ordered them. */
function matrix(view: CardView): string {
  const { chart } = view.card;
  const [x, across, y] = [chart.x!, chart.series!, only(chart.y)];
  const columns = [...new Set(view.rows.map((row) => String(cell(view, row, across))))];
  const lines = new Map<string, Map<string, number | null>>();
  for (const row of view.rows) {
    const name = text(view, row, x);
    if (!lines.has(name)) lines.set(name, new Map());
    lines.get(name)!.set(String(cell(view, row, across)), number(view, row, y));
  }
  const most = Math.max(0, ...view.rows.map((row) => number(view, row, y) ?? 0)) || 1;
  const shade = (value: number | null) =>
    value === null
      ? ' class="numeric"'
      : ` class="numeric heat-${Math.min(5, Math.ceil((value / most) * 5))}"`;
  const body = [...lines].map(([name, values]) => {
    const cells = columns.map((column) => values.get(column) ?? null);
    return `<tr><th scope="row">${escape(name)}</th>${cells.map((value) => `<td${shade(value)}>${escape(written(value, formatOf(view, y), view.theme))}</td>`).join('')}</tr>`;
  });
  const head = columns.map((column) => `<th scope="col" class="numeric">${escape(column)}</th>`);
  return `<div class="table-frame" tabindex="0" role="group" aria-label="${escape(view.card.title)}"><table class="table matrix"><thead><tr><th scope="col">${escape(titleOf(view, x))}</th>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
}
