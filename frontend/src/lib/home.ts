/** The miniatures of the home page, from the exported traffic. */
import type { ForecastHours } from '../generated/forecast.d.ts';
import type { SiteFacts } from '../generated/site.d.ts';
import type { Traffic } from '../generated/traffic.d.ts';
import type { Series } from './chart/cartesian.ts';
import { dollars, whole } from './format.ts';

type Headline = Pick<SiteFacts['headline'], 'cost_usd' | 'requests' | 'unpriced_requests' | 'models'>;

const COLORS = ['green', 'blue', 'amber', 'magenta', 'violet', 'cyan', 'slate'];
const HOUR_MS = 3_600_000;

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

/** What the requests cost, as far as they have a price; a sum of nothing is no cost of zero. */
export function costFigure({ cost_usd, requests, unpriced_requests, models }: Headline): {
  value: string;
  note: string;
} {
  if (requests > 0 && unpriced_requests === requests)
    return { value: '–', note: 'no request has a price yet' };
  if (unpriced_requests > 0)
    return {
      value: dollars(cost_usd),
      note: `${whole(unpriced_requests)} requests have no price and are left out`,
    };
  return { value: dollars(cost_usd), note: `on ${whole(models)} models, priced per request` };
}

export interface Outlook {
  /** ISO day of each hour. */
  days: string[];
  counts: (number | null)[];
  forecast: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
}

const DEMO = 'synthetic';

type Counted = Pick<SiteFacts['headline'], 'users' | 'companies' | 'sources'>;

/** Who made the requests: logs of a gateway name teams, the demo companies, a log may name users alone. */
export function usersFigure({ users, companies, sources }: Counted): string {
  const noun = sources.some(({ source }) => source === DEMO) ? ['company', 'companies'] : ['team', 'teams'];
  const by = `by ${whole(users)} ${users === 1 ? 'user' : 'users'}`;
  return companies === 0 ? by : `${by} in ${whole(companies)} ${noun[companies === 1 ? 0 : 1]}`;
}

/** The last `count` days hour by hour up to the end of the data, where the forecast begins, and what was forecast. */
export function outlook(
  { start_on, days }: Pick<Traffic, 'start_on' | 'days'>,
  { hours }: ForecastHours,
  count: number,
): Outlook {
  if (start_on === null || days.length === 0)
    return { days: [], counts: [], forecast: [], low: [], high: [] };
  const begin = Date.parse(start_on);
  const known = new Map(days.flat().map((requests, at) => [begin + at * HOUR_MS, requests]));
  const expected = new Map(hours.map((hour) => [Date.parse(hour.starts_at), hour]));
  const first = begin + Math.max(0, days.length - count) * 24 * HOUR_MS;
  const last = Math.max(begin + (known.size - 1) * HOUR_MS, ...expected.keys());
  const ends = Math.min(...expected.keys()); // the last day of a log is seldom whole
  const times = Array.from({ length: (last - first) / HOUR_MS + 1 }, (_, at) => first + at * HOUR_MS);
  return {
    days: times.map((time) => new Date(time).toISOString().slice(0, 10)),
    counts: times.map((time) => (time < ends ? (known.get(time) ?? null) : null)),
    forecast: times.map((time) => expected.get(time)?.forecast ?? null),
    low: times.map((time) => expected.get(time)?.low_80 ?? null),
    high: times.map((time) => expected.get(time)?.high_80 ?? null),
  };
}

/** Share of past 80 % ranges that held, over all hours judged; null where none has been. */
export function coverage({ hours }: ForecastHours): number | null {
  const judged = hours.filter(
    ({ coverage_80_ratio, coverage_count }) => coverage_80_ratio !== null && coverage_count > 0,
  );
  const total = judged.reduce((sum, { coverage_count }) => sum + coverage_count, 0);
  if (total === 0) return null;
  return judged.reduce((sum, hour) => sum + hour.coverage_80_ratio! * hour.coverage_count, 0) / total;
}
