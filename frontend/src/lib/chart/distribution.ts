/** A histogram of what is stored with the curve it was drawn from, or bars with a mark for each expected share. */
import type { Column } from '../../generated/distributions.d.ts';
import { count, percent } from '../format.ts';
import { linearAxis, logAxis } from './scale.ts';
import type { Axis } from './scale.ts';
import { element, escape, percentOf, short } from './svg.ts';

interface Frame {
  /** Position on the x axis, 0 to 1. */
  x: (value: number) => number;
  /** Width of a bin on that axis, in the unit the curve's density counts in. */
  widthOf: (low: number, high: number) => number;
  ticks: { value: number; text: string }[];
}

const HEIGHT = 220;
const LABEL_SPACE = 26;

/** Categories are drawn as rows; everything else as a histogram. */
export function distribution(column: Column): string {
  return column.scale === 'category' ? shares(column) : histogram(column);
}

/** Names of categories, from a unit such as 'tier: 1 = free, 2 = starter'. */
export function categoryNames(unit: string): Map<number, string> {
  return new Map(
    [...unit.matchAll(/(\d+) = ([^,;]+)/g)].map(([, value, name]) => [Number(value), name!.trim()]),
  );
}

function frameOf({ scale, bins }: Column): Frame {
  const low = bins[0]!.low;
  const high = bins[bins.length - 1]!.high;
  if (scale === 'linear') {
    const ticks = [0, 6, 12, 18, 24].map((value) => ({
      value,
      text: `${String(value).padStart(2, '0')}:00`,
    }));
    return { x: (value) => (value - low) / (high - low), widthOf: (a, b) => b - a, ticks };
  }
  const span = Math.log(high / low);
  const decades = Array.from({ length: 8 }, (_, at) => 10 ** at).filter(
    (value) => value >= low && value <= high,
  );
  return {
    x: (value) => Math.log(Math.max(value, low) / low) / span,
    widthOf: (a, b) => Math.log(b / a),
    ticks: decades.map((value) => ({ value, text: count(value) })),
  };
}

function histogram(column: Column): string {
  const frame = frameOf(column);
  const { bins, curve, values } = column;
  const first = bins[0]!;
  // Bars of the same share have the same area; the axis reads as the share in a bar of usual width.
  const usual = frame.widthOf(first.low, bins[bins.length - 1]!.high) / bins.length;
  const shareOf = (amount: number, low: number, high: number) =>
    ((amount / values) * usual) / frame.widthOf(low, high);
  const heights = bins.map(({ low, high, count: found }) => shareOf(found, low, high));
  const line = curve
    .filter(({ x }) => x >= first.low && x <= bins[bins.length - 1]!.high)
    .map(({ x, y }) => ({ at: frame.x(x), share: (y / values) * usual }));
  const isPowerLaw = column.family.startsWith('Pareto');
  const axis = isPowerLaw
    ? logAxis(heights.filter((share) => share > 0))
    : linearAxis([...heights, ...line.map(({ share }) => share)]);
  const y = (share: number) => HEIGHT * (1 - axis.position(share));
  const bars = bins.map(({ low, high }, index) =>
    element('rect', {
      class: 'bar c-blue',
      x: percentOf(frame.x(low)),
      width: percentOf(frame.x(high) - frame.x(low)),
      y: y(heights[index]!),
      height: HEIGHT - y(heights[index]!),
    }),
  );
  const label = `${column.column}: histogram of ${count(values)} stored values with the ${column.family} curve they were drawn from`;
  const svg = element(
    'svg',
    {
      class: 'plot distribution',
      width: '100%',
      height: HEIGHT + LABEL_SPACE,
      role: 'img',
      'aria-label': label,
    },
    gridLines(axis),
    ...bars,
    theory(line, y),
    ...xTicks(frame),
  );
  const labels = [...axis.ticks].reverse().map((tick) => `<span>${escape(percent(tick))}</span>`);
  return `<div class="chart"><div class="y-labels" aria-hidden="true">${labels.join('')}</div>${svg}</div>`;
}

function gridLines(axis: Axis): string {
  return axis.ticks
    .map((tick) => {
      const at = HEIGHT * (1 - axis.position(tick));
      return element('line', {
        class: tick === axis.ticks[0] ? 'axis' : 'grid',
        x1: 0,
        x2: '100%',
        y1: at,
        y2: at,
      });
    })
    .join('');
}

function theory(line: readonly { at: number; share: number }[], y: (share: number) => number): string {
  const d = line
    .filter(({ share }) => share > 0)
    .map(
      ({ at, share }, index) =>
        `${index ? 'L' : 'M'}${short(at * 1000)} ${short(Math.min(HEIGHT, y(share)))}`,
    );
  const inner = {
    width: '100%',
    height: HEIGHT,
    viewBox: `0 0 1000 ${HEIGHT}`,
    preserveAspectRatio: 'none',
    overflow: 'hidden',
  };
  return element('svg', inner, element('path', { class: 'line theory', d: d.join('') }));
}

function xTicks(frame: Frame): string[] {
  return frame.ticks.map(({ value, text }) => {
    const share = frame.x(value);
    const anchor = share < 0.03 ? 'start' : share > 0.97 ? 'end' : 'middle';
    return element(
      'text',
      { class: 'x-label', x: percentOf(share), y: HEIGHT + 18, 'text-anchor': anchor },
      escape(text),
    );
  });
}

function shares({ bins, values, unit }: Column): string {
  const names = categoryNames(unit);
  const widest = Math.max(...bins.map(({ count: found, expected }) => Math.max(found, expected))) / values;
  const items = bins.map(({ low, count: found, expected }) => {
    const share = found / values;
    const bar = element(
      'svg',
      { class: 'row-bar', width: '100%', height: 22, 'aria-hidden': 'true' },
      element('rect', { class: 'bar c-blue', x: 0, y: 2, width: percentOf(share / widest), height: 18 }),
      element('line', {
        class: 'expected',
        x1: percentOf(expected / values / widest),
        x2: percentOf(expected / values / widest),
        y1: 0,
        y2: 22,
      }),
    );
    return `<li><span class="row-name">${escape(names.get(low) ?? String(low))}</span>${bar}<span class="row-value number">${escape(percent(Math.round(share * 1e4) / 1e4))}</span></li>`;
  });
  return `<ul class="rows">${items.join('')}</ul>`;
}
