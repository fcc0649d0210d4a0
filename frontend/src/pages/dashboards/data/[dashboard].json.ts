import type { APIRoute, GetStaticPaths } from 'astro';
import { cardData, cardsOf, dashboards } from '../../../lib/dashboard/files.ts';

export const getStaticPaths: GetStaticPaths = () =>
  (dashboards()?.dashboards ?? []).map((dashboard) => ({
    params: { dashboard: dashboard.key },
    props: { dashboard },
  }));

/** Rows of every card that can be filtered, by card; fetched when a filter is first used. */
export const GET: APIRoute = ({ props }) => {
  const filtered = cardsOf(props['dashboard']).filter((card) => card.filters.length > 0);
  return Response.json(Object.fromEntries(filtered.map((card) => [card.key, cardData(card)])));
};
