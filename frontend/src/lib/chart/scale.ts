/** Axes: which values get a tick, and where a value lies between the ends of its axis. */

export interface Axis {
  /** Tick values from low to high, the ends of the axis included; equally spaced on screen. */
  ticks: number[];
  /** Share of the axis, 0 at its low end and 1 at its high end. */
  position: (value: number) => number;
}

const STEPS = [1, 2, 2.5, 5, 10];

/** A linear axis over `values` and zero with three to six round ticks. */
export function linearAxis(values: readonly number[], intervals = 4): Axis {
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values);
  if (high === low) return { ticks: [0, 1], position: (value) => value };
  const span = high - low;
  const magnitude = 10 ** Math.floor(Math.log10(span / intervals));
  const step = magnitude * STEPS.find((candidate) => candidate * magnitude * intervals >= span * 0.999)!;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(Math.ceil(high / step - 1e-9), first + 1);
  const ticks = Array.from({ length: last - first + 1 }, (_, at) => round((first + at) * step));
  const [bottom, top] = [ticks[0]!, ticks[ticks.length - 1]!];
  return { ticks, position: (value) => (value - bottom) / (top - bottom) };
}

/** A logarithmic axis over the positive ones of `values`, one tick per decade. */
export function logAxis(values: readonly number[]): Axis {
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) positive.push(1);
  const first = Math.floor(Math.log10(Math.min(...positive)) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...positive)) - 1e-9));
  const every = Math.ceil((last - first) / 6);
  const decades = Math.ceil((last - first) / every);
  const ticks = Array.from({ length: decades + 1 }, (_, at) => 10 ** (first + at * every));
  const span = decades * every;
  return { ticks, position: (value) => (value > 0 ? Math.max(0, (Math.log10(value) - first) / span) : 0) };
}

/** Remove the noise of binary fractions: 0.30000000000000004 is 0.3. */
const round = (value: number) => Number(value.toPrecision(12));

export interface Label {
  /** Index into the axis values. */
  at: number;
  text: string;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** At most `most` of `texts`, equally spaced, the first one included. */
export function thinned(texts: readonly string[], most: number): Label[] {
  const every = Math.max(1, Math.ceil(texts.length / most));
  return texts.flatMap((text, at) => (at % every === 0 ? [{ at, text }] : []));
}

/** Labels for ISO dates in order: months where there are several, else days. The year stands where it begins. */
export function dateLabels(dates: readonly string[], most = 7): Label[] {
  const months = dates.flatMap((date, at) =>
    at === 0 || date.slice(0, 7) !== dates[at - 1]!.slice(0, 7) ? [at] : [],
  );
  const isDaily = dates.some((date) => date.slice(8, 10) !== '01');
  if (months.length > 3 && (isDaily || months.length === dates.length)) {
    const starts = isDaily && dates[0]!.slice(8, 10) !== '01' ? months.slice(1) : months;
    const every = Math.ceil(starts.length / most);
    return starts
      .filter((_, index) => index % every === 0)
      .map((at) => ({ at, text: monthLabel(dates[at]!, at === starts[0]) }));
  }
  const begun = dates.flatMap((date, at) => (date === dates[at - 1] ? [] : [at]));
  const every = Math.ceil(begun.length / most);
  return begun.filter((_, index) => index % every === 0).map((at) => ({ at, text: dayLabel(dates[at]!) }));
}

const month = (date: string) => MONTHS[Number(date.slice(5, 7)) - 1]!;

function monthLabel(date: string, isFirst: boolean): string {
  return isFirst || date.slice(5, 7) === '01' ? `${month(date)} ${date.slice(0, 4)}` : month(date);
}

const dayLabel = (date: string) =>
  `${Number(date.slice(8, 10))} ${month(date)}${date.length > 10 ? ` ${date.slice(11, 16)}` : ''}`;
