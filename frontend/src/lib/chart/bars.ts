/** Horizontal bars with their names and values as text: rows and funnels. */
import { element, escape, percentOf } from './svg.ts';

export interface Segment {
  name: string;
  color: string;
  value: number;
}

export interface Row {
  name: string;
  /** What stands at the end of the bar. */
  text: string;
  segments: readonly Segment[];
}

/** Bars of one common scale, or each filled to its whole with `stack` 'percent'. */
export function rows(items: readonly Row[], stack?: 'stacked' | 'percent'): string {
  const total = (row: Row) => row.segments.reduce((sum, { value }) => sum + value, 0);
  const widest =
    Math.max(
      ...items.map((row) => (stack ? total(row) : Math.max(...row.segments.map(({ value }) => value)))),
      0,
    ) || 1;
  const drawn = items.map((row) => {
    const scale = stack === 'percent' ? total(row) || 1 : widest;
    return `<li><span class="row-name">${escape(row.name)}</span>${bar(row.segments, scale, Boolean(stack))}<span class="row-value number">${escape(row.text)}</span></li>`;
  });
  return `<ul class="rows">${drawn.join('')}</ul>`;
}

function bar(segments: readonly Segment[], scale: number, isStacked: boolean): string {
  const thickness = 18;
  let from = 0;
  const marks = segments.map(({ color, value }, index) => {
    const width = Math.max(0, value / scale);
    const mark = element('rect', {
      class: `bar c-${color}`,
      x: percentOf(isStacked ? from : 0),
      y: isStacked ? 0 : (thickness / segments.length) * index,
      width: percentOf(width),
      height: isStacked ? thickness : thickness / segments.length - (segments.length > 1 ? 1 : 0),
    });
    from += width;
    return mark;
  });
  return element(
    'svg',
    { class: 'row-bar', width: '100%', height: thickness, 'aria-hidden': 'true' },
    ...marks,
  );
}

/** A line without axes for small places; `values` from left to right. */
export function spark(values: readonly (number | null)[], color: string, height = 40): string {
  const known = values.filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const y = (value: number) => 2 + (height - 4) * (1 - (value - low) / (high - low || 1));
  const step = 1000 / Math.max(1, values.length - 1);
  let pen = 'M';
  const d = values.map((value, at) => {
    if (value === null) {
      pen = 'M';
      return '';
    }
    const move = `${pen}${Math.round(at * step)} ${y(value).toFixed(1)}`;
    pen = 'L';
    return move;
  });
  return element(
    'svg',
    {
      class: 'spark',
      width: '100%',
      height,
      viewBox: `0 0 1000 ${height}`,
      preserveAspectRatio: 'none',
      'aria-hidden': 'true',
    },
    element('path', { class: `line c-${color}`, d: d.join('') }),
  );
}
