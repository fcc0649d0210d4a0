/** The miniatures of the home page, from the exported traffic. */
import type { Traffic } from '../generated/traffic.d.ts';
import type { Series } from './chart/cartesian.ts';

const COLORS = ['green', 'blue', 'amber', 'magenta', 'violet', 'cyan', 'slate'];
const DAY_MS = 86_400_000;

/** Cost per month stacked by provider, the dearest provider at the bottom. */
export function costByProvider(cost: Traffic['cost']): { months: string[]; series: Series[] } {
  const months = [...new Set(cost.map(({ month }) => month))].sort();
  const totals = new Map<string, number>();
  for (const { provider, cost_usd } of cost)
    totals.set(provider, (totals.get(provider) ?? 0) + (cost_usd ?? 0));
  const providers = [...totals].filter(([, total]) => total > 0).sort(([, a], [, b]) => b - a);
  const sum = (provider: string, month: string) =>
    cost.reduce(
      (total, row) => total + (row.provider === provider && row.month === month ? (row.cost_usd ?? 0) : 0),
      0,
    );
  const series = providers.map(([name], at) => ({
    name,
    color: COLORS[at % COLORS.length]!,
    values: months.map((month) => sum(name, month)),
  }));
  return { months, series };
}

/** The last `count` days hour by hour, with the day of each hour. */
export function lastDays(
  { start_on, days }: Pick<Traffic, 'start_on' | 'days'>,
  count: number,
): { days: string[]; counts: number[] } {
  const from = Math.max(0, days.length - count);
  const date = (at: number) => new Date(Date.parse(start_on) + at * DAY_MS).toISOString().slice(0, 10);
  return {
    days: days.slice(from).flatMap((hours, at) => hours.map(() => date(from + at))),
    counts: days.slice(from).flat(),
  };
}
