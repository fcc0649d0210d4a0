/**
 * Line, area and bar charts as fluid SVG: widths are percentages and heights pixels, so one drawing fits every screen
 * without a script and text is never stretched. Only paths live in a stretched inner drawing, with unscaled strokes.
 */
import { linearAxis, logAxis } from './scale.ts';
import type { Axis, Label } from './scale.ts';
import { element, escape, percentOf, short } from './svg.ts';

export interface Series {
  name: string;
  /** Name of a colour in theme.json. */
  color: string;
  values: readonly (number | null)[];
  isDashed?: boolean;
}

export interface CartesianSpec {
  kind: 'line' | 'area' | 'bar';
  series: readonly Series[];
  /** Where the x values lie, 0 to 1; bars use bands of equal width instead. */
  labels: readonly Label[];
  stack?: 'stacked' | 'percent' | undefined;
  scale?: 'linear' | 'log' | undefined;
  goal?: { value: number; label: string } | undefined;
  /** Low and high of a shaded band, such as a forecast interval. */
  band?: { low: readonly (number | null)[]; high: readonly (number | null)[]; color: string } | undefined;
  /** Writes a tick of the y axis. */
  formatTick: (value: number) => string;
  height?: number | undefined;
  /** Says in words what the picture shows. */
  description: string;
}

const WIDTH = 1000;
const LABEL_SPACE = 26;
/** Widest bar as a share of the drawing: a single one is a bar, not a wall. */
const WIDEST_BAR = 0.12;

/** The chart as HTML: a column of y labels beside the drawing. */
export function cartesian(spec: CartesianSpec): string {
  const height = spec.height ?? 220;
  const layers = stacked(spec);
  const axis = yAxis(spec, layers);
  const count = spec.series[0]?.values.length ?? 0;
  const place =
    spec.kind === 'bar'
      ? (at: number) => (at + 0.5) / count
      : (at: number) => (count > 1 ? at / (count - 1) : 0.5);
  const y = (value: number) => height * (1 - axis.position(value));
  const marks = spec.kind === 'bar' ? bars(spec, layers, y, count) : paths(spec, layers, y, place, height);
  const drawing = element(
    'svg',
    {
      class: 'plot',
      width: '100%',
      height: height + LABEL_SPACE,
      role: 'img',
      'aria-label': spec.description,
      'data-count': count,
      'data-kind': spec.kind,
    },
    grid(axis, height),
    marks,
    goalLine(spec, y),
    xLabels(
      spec.labels.filter(({ at }) => at < count),
      place,
      height,
    ),
  );
  const labels = [...axis.ticks].reverse().map((tick) => `<span>${escape(spec.formatTick(tick))}</span>`);
  return `<div class="chart"><div class="y-labels" aria-hidden="true">${labels.join('')}</div>${drawing}</div>`;
}

/** Low and high edge of each series at each x: from zero, or from the series below it. */
export interface Layer {
  series: Series;
  low: number[];
  high: (number | null)[];
}

export function stacked({ series, stack }: Pick<CartesianSpec, 'series' | 'stack'>): Layer[] {
  const count = series[0]?.values.length ?? 0;
  const totals = Array.from({ length: count }, (_, at) =>
    series.reduce((sum, one) => sum + (one.values[at] ?? 0), 0),
  );
  const base: number[] = Array.from({ length: count }, () => 0);
  return series.map((one) => {
    const low = stack ? [...base] : base.map(() => 0);
    const high = one.values.map((value, at) => {
      if (value === null && !stack) return null;
      const share = stack === 'percent' ? (value ?? 0) / (totals[at] || 1) : (value ?? 0);
      if (stack) base[at] = low[at]! + share;
      return low[at]! + share;
    });
    return { series: one, low, high };
  });
}

function yAxis(spec: CartesianSpec, layers: readonly Layer[]): Axis {
  const known = (values: readonly (number | null)[]) => values.filter((value) => value !== null);
  const values = [
    ...layers.flatMap(({ high }) => known(high)),
    ...known(spec.band?.high ?? []),
    ...known(spec.band?.low ?? []),
  ];
  if (spec.goal) values.push(spec.goal.value);
  if (spec.stack === 'percent') return linearAxis([1]);
  return spec.scale === 'log' ? logAxis(values) : linearAxis(values);
}

function grid(axis: Axis, height: number): string {
  return axis.ticks
    .map((tick) => {
      const at = height * (1 - axis.position(tick));
      return element('line', { class: tick === 0 ? 'axis' : 'grid', x1: 0, x2: '100%', y1: at, y2: at });
    })
    .join('');
}

function xLabels(labels: readonly Label[], place: (at: number) => number, height: number): string {
  return labels
    .map(({ at, text }, index) => {
      const share = place(at);
      const anchor = share < 0.03 ? 'start' : share > 0.97 ? 'end' : 'middle';
      return element(
        'text',
        {
          class: index % 2 ? 'x-label minor' : 'x-label',
          x: percentOf(share),
          y: height + 18,
          'text-anchor': anchor,
        },
        escape(text),
      );
    })
    .join('');
}

function bars(
  spec: CartesianSpec,
  layers: readonly Layer[],
  y: (value: number) => number,
  count: number,
): string {
  const side = spec.stack ? 1 : layers.length;
  const band = Math.min(count > 40 ? 0.92 : 0.76, WIDEST_BAR * side * count);
  return layers
    .flatMap(({ series, low, high }, index) =>
      high.map((top, at) => {
        if (top === null || top === low[at]) return '';
        const [from, to] = [y(low[at]!), y(top)];
        const left = (at + (1 - band) / 2 + (spec.stack ? 0 : (band * index) / side)) / count;
        return element('rect', {
          class: `bar c-${series.color}`,
          x: percentOf(left),
          width: percentOf(band / side / count),
          y: Math.min(from, to),
          height: Math.max(1, Math.abs(from - to)),
        });
      }),
    )
    .join('');
}

type Point = [x: number, y: number];

function paths(
  spec: CartesianSpec,
  layers: readonly Layer[],
  y: (value: number) => number,
  place: (at: number) => number,
  height: number,
): string {
  const x = (at: number) => place(at) * WIDTH;
  const parts = layers.map(({ series, low, high }) => {
    const runs = unbroken(high);
    const top = runs.map((run) => line(run.map((at): Point => [x(at), y(high[at]!)]))).join('');
    const fill =
      spec.kind === 'area'
        ? runs
            .map((run) =>
              area(
                run.map((at): Point => [x(at), y(high[at]!)]),
                run.map((at): Point => [x(at), y(low[at]!)]),
              ),
            )
            .join('')
        : '';
    const areaMark = fill && element('path', { class: `area c-${series.color}`, d: fill });
    return (
      areaMark +
      element('path', { class: `line c-${series.color}${series.isDashed ? ' dashed' : ''}`, d: top })
    );
  });
  const inner = {
    width: '100%',
    height,
    viewBox: `0 0 ${WIDTH} ${height}`,
    preserveAspectRatio: 'none',
    overflow: 'visible',
  };
  return element('svg', inner, bandMark(spec, x, y), ...parts) + dots(layers, y, place);
}

/** A value without neighbours is no line: it becomes a dot. */
function dots(layers: readonly Layer[], y: (value: number) => number, place: (at: number) => number): string {
  return layers
    .flatMap(({ series, high }) =>
      unbroken(high)
        .filter((run) => run.length === 1)
        .map(([at]) =>
          element('circle', {
            class: `dot c-${series.color}`,
            cx: percentOf(place(at!)),
            cy: y(high[at!]!),
            r: 4,
          }),
        ),
    )
    .join('');
}

function bandMark({ band }: CartesianSpec, x: (at: number) => number, y: (value: number) => number): string {
  if (!band) return '';
  const d = unbroken(band.high)
    .map((run) =>
      area(
        run.map((at): Point => [x(at), y(band.high[at]!)]),
        run.map((at): Point => [x(at), y(band.low[at]!)]),
      ),
    )
    .join('');
  return element('path', { class: `band c-${band.color}`, d });
}

/** Indexes of each stretch without a gap. */
export function unbroken(values: readonly (number | null)[]): number[][] {
  const runs: number[][] = [];
  values.forEach((value, at) => {
    if (value === null) return;
    const last = runs[runs.length - 1];
    if (last && last[last.length - 1] === at - 1) last.push(at);
    else runs.push([at]);
  });
  return runs;
}

function line(points: readonly Point[]): string {
  return points.map(([x, y], index) => `${index ? 'L' : 'M'}${short(x)} ${short(y)}`).join('');
}

function area(top: readonly Point[], bottom: readonly Point[]): string {
  return `${line(top)}${[...bottom]
    .reverse()
    .map(([x, y]) => `L${short(x)} ${short(y)}`)
    .join('')}Z`;
}

function goalLine({ goal }: CartesianSpec, y: (value: number) => number): string {
  if (!goal) return '';
  const at = y(goal.value);
  return (
    element('line', { class: 'goal', x1: 0, x2: '100%', y1: at, y2: at }) +
    element('text', { class: 'goal-label', x: '100%', y: at - 6, 'text-anchor': 'end' }, escape(goal.label))
  );
}
