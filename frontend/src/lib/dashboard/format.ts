/** Values as theme.json wants them written: the same way in Metabase, the forecaster and here. */
import type { Dashboards } from '../../generated/dashboards.d.ts';
import { count } from '../format.ts';

export type Theme = Dashboards['theme'];
export type Value = string | number | boolean | null;

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function dated(text: string, style: 'date' | 'month' | 'datetime'): string {
  const [year, month, day] = text.slice(0, 10).split('-');
  const name = MONTHS[Number(month) - 1];
  if (!name) return text;
  if (style === 'month') return `${name} ${year}`;
  const date = `${Number(day)} ${name}, ${year}`;
  return style === 'datetime' && text.length > 10 ? `${date}, ${text.slice(11, 16)}` : date;
}

function number(value: number, decimals: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** Write one value of a column; a missing one is a dash, so that it is not taken for zero. */
export function written(value: Value, format: string, theme: Theme): string {
  if (value === null) return '–';
  const { style, decimals = 0, prefix = '', suffix = '' } = theme.formats[format] ?? { style: 'text' };
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (style === 'date' || style === 'month' || style === 'datetime') return dated(String(value), style);
  if (typeof value !== 'number') return value;
  if (style === 'percent') return `${number(value * 100, decimals)}%`;
  const sign = value < 0 ? '-' : '';
  if (style === 'currency') return `${sign}$${number(Math.abs(value), decimals)}`;
  return style === 'number' ? `${prefix}${number(value, decimals)}${suffix}` : String(value);
}

/** The same, short enough for an axis; a share keeps a decimal only where the ticks differ by less than a point. */
export function tick(format: string, theme: Theme): (value: number) => string {
  const { style, suffix = '' } = theme.formats[format] ?? { style: 'number' };
  if (style === 'percent') return (value) => `${Number((value * 100).toPrecision(3))}%`;
  if (style === 'currency') return (value) => `${value < 0 ? '-' : ''}$${count(Math.abs(value))}`;
  return (value) => count(value) + suffix;
}
