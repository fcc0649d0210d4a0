/** Reads a chart under the pointer: a line at the nearest x and its numbers, taken from the chart's own table. */

const tip = document.createElement('div');
tip.className = 'tip';
tip.hidden = true;
const cursor = document.createElement('div');
cursor.className = 'cursor';

function rowAt(plot: SVGSVGElement, clientX: number): { index: number; share: number } {
  const { left, width } = plot.getBoundingClientRect();
  const count = Number(plot.dataset['count']);
  const share = Math.min(1, Math.max(0, (clientX - left) / width));
  if (plot.dataset['kind'] === 'bar') {
    const index = Math.min(count - 1, Math.floor(share * count));
    return { index, share: (index + 0.5) / count };
  }
  const index = Math.round(share * (count - 1));
  return { index, share: count > 1 ? index / (count - 1) : 0.5 };
}

/** Fill the tip from one row of the table; series without a value stay out. */
function fill(table: HTMLTableElement, index: number): boolean {
  const row = table.tBodies[0]?.rows[index];
  if (!row) return false;
  const title = document.createElement('strong');
  title.textContent = row.cells[0]!.textContent;
  const list = document.createElement('dl');
  [...row.cells].slice(1).forEach((cell, at) => {
    if (cell.textContent === '–') return;
    const name = document.createElement('dt');
    name.textContent = table.tHead!.rows[0]!.cells[at + 1]!.textContent;
    const value = document.createElement('dd');
    value.textContent = cell.textContent;
    list.append(name, value);
  });
  tip.replaceChildren(title, list);
  return true;
}

function hide(): void {
  tip.hidden = true;
  tip.remove();
  cursor.remove();
}

document.addEventListener('pointermove', ({ target, clientX }) => {
  const plot = (target as Element).closest?.<SVGSVGElement>('.plot[data-count]');
  const table = plot?.closest('[data-body]')?.querySelector<HTMLTableElement>('.chart-data table');
  if (!plot || !table) {
    hide();
    return;
  }
  const { index, share } = rowAt(plot, clientX);
  if (!fill(table, index)) return;
  const chart = plot.parentElement!;
  const offset = plot.getBoundingClientRect().left - chart.getBoundingClientRect().left;
  const x = offset + share * plot.getBoundingClientRect().width;
  chart.append(cursor, tip);
  tip.hidden = false;
  cursor.style.left = `${x}px`;
  cursor.style.height = `${plot.getBoundingClientRect().height - 26}px`;
  const isLeft = x > chart.clientWidth / 2;
  tip.style.left = `${isLeft ? Math.max(0, x - tip.offsetWidth - 12) : x + 12}px`;
  tip.style.top = '0';
});
