/** Tables: as a card of their own, and as the text alternative of a drawing. */
import { escape } from '../chart/svg.ts';
import { cell, formatOf, titleOf } from './card.ts';
import type { CardView, Row } from './card.ts';
import { written } from './format.ts';

/** The columns a table card names, numbers to the right. */
export function table(view: CardView): string {
  const columns = view.card.chart.columns!;
  const isNumber = columns.map((column) =>
    view.rows.every((row) => typeof cell(view, row, column) === 'number' || cell(view, row, column) === null),
  );
  const side = (at: number) => (isNumber[at] ? ' class="numeric"' : '');
  const head = columns.map(
    (column, at) => `<th scope="col"${side(at)}>${escape(titleOf(view, column))}</th>`,
  );
  const body = view.rows.map((row) => {
    const cells = columns.map((column, at) => {
      const value = escape(written(cell(view, row, column), formatOf(view, column), view.theme));
      return at === 0 ? `<th scope="row"${side(at)}>${value}</th>` : `<td${side(at)}>${value}</td>`;
    });
    return `<tr>${cells.join('')}</tr>`;
  });
  return `<div class="table-frame" tabindex="0" role="group" aria-label="${escape(view.card.title)}"><table class="table"><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
}

/** The numbers behind a drawing, folded away; `lines` are written out already where `isText`, else rows to be written. */
export function dataTable(
  view: CardView,
  columns: readonly string[],
  lines: readonly Row[],
  isText = false,
): string {
  const titles = isText ? columns : columns.map((column) => titleOf(view, column));
  const texts = isText
    ? (lines as readonly string[][])
    : lines.map((row) =>
        columns.map((column) => written(cell(view, row, column), formatOf(view, column), view.theme)),
      );
  const head = titles.map((title) => `<th scope="col">${escape(title)}</th>`).join('');
  const body = texts.map(
    ([first, ...rest]) =>
      `<tr><th scope="row">${escape(first!)}</th>${rest.map((value) => `<td>${escape(value)}</td>`).join('')}</tr>`,
  );
  return `<details class="chart-data"><summary>Numbers</summary><div class="table-frame" tabindex="0" role="group" aria-label="Numbers of ${escape(view.card.title)}"><table class="table"><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table></div></details>`;
}
