/** Numbers as people read them. One way per quantity, the same on every page. */

const SUFFIXES = [
  { at: 1e12, suffix: 'T' },
  { at: 1e9, suffix: 'B' },
  { at: 1e6, suffix: 'M' },
  { at: 1e3, suffix: 'K' },
] as const;

/** Three significant digits without trailing zeros: 0.0123, 4.56, 123. */
export function significant(value: number, digits = 3): string {
  if (value === 0) return '0';
  const magnitude = Math.floor(Math.log10(Math.abs(value)));
  const decimals = Math.max(0, digits - 1 - magnitude);
  const text = value.toFixed(Math.min(decimals, 8));
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** Short count: 950, 12.3K, 4.56M. */
export function count(value: number): string {
  for (const { at, suffix } of SUFFIXES) {
    if (Math.abs(value) >= at * 0.9995) return significant(value / at) + suffix;
  }
  return significant(value);
}

/** Every digit: 500,000. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Money in US dollars: $12.34 below a thousand, short above. */
export function dollars(value: number): string {
  const sign = value < 0 ? '-' : '';
  const size = Math.abs(value);
  if (size >= 999.5) return `${sign}$${count(size)}`;
  if (size >= 100) return `${sign}$${size.toFixed(0)}`;
  return `${sign}$${size.toFixed(2)}`;
}

/** A share as percent, with as many nines as it takes: 99.95 %, 3 %. */
export function percent(ratio: number): string {
  const value = ratio * 100;
  const distance = Math.min(Math.abs(value), Math.abs(100 - value));
  const decimals = distance === 0 ? 0 : Math.min(4, Math.max(0, 1 - Math.floor(Math.log10(distance))));
  return `${value
    .toFixed(decimals)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '')} %`;
}

/** Bytes in decimal units: 1.23 GB. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  const step = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  return `${significant(value / 1000 ** step)} ${units[step]}`;
}

/** A span of time in the unit people would say: 3 ms, 12 s, 15 min, 6 h, 2 days. */
export function duration(seconds: number): string {
  if (seconds < 1) return `${significant(seconds * 1000, 2)} ms`;
  if (seconds < 120) return `${significant(seconds, 2)} s`;
  if (seconds < 7_200) return `${significant(seconds / 60, 2)} min`;
  if (seconds <= 172_800) return `${significant(seconds / 3_600, 2)} h`;
  return `${significant(seconds / 86_400)} days`;
}

/** The first and the last day with requests, in words. */
export const span = ({ first_on, last_on }: { first_on: string | null; last_on: string | null }): string =>
  first_on === null || last_on === null ? 'no requests yet' : `${first_on} to ${last_on}`;
