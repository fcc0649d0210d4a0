/** Filters of a dashboard: fetch all views once, redraw the cards that take part. */
import type { CardData } from '../../generated/card-data.d.ts';
import type { Card } from '../../generated/dashboards.d.ts';
import { cardBody } from '../../lib/dashboard/card.ts';
import type { Theme } from '../../lib/dashboard/format.ts';
import { variantFor } from '../../lib/dashboard/variant.ts';
import type { Choice } from '../../lib/dashboard/variant.ts';
import { query, remember } from './address.ts';
import { root } from './root.ts';

const definitions = root.querySelector('[data-definitions]')!.textContent;
const { theme, cards } = JSON.parse(definitions) as { theme: Theme; cards: Card[] };

let loading: Promise<Record<string, CardData>> | undefined;

/** Rows of all views, fetched once, at the first use of a filter. */
function allRows(): Promise<Record<string, CardData>> {
  loading ??= fetch(`/dashboards/data/${root.dataset['dashboard']}.json`).then(async (response) => {
    if (!response.ok) throw new Error(`answered ${response.status}`);
    return (await response.json()) as Record<string, CardData>;
  });
  return loading;
}

export function setUpFilters(form: HTMLFormElement): void {
  const selects = [...form.querySelectorAll('select')];
  const state = form.querySelector<HTMLElement>('[data-filter-state]')!;
  const defaults = new Map(selects.map((select) => [select.name, select.value]));
  const choice = () =>
    Object.fromEntries(selects.map(({ name, value }) => [name, JSON.parse(value)])) as Choice;

  const show = async (): Promise<void> => {
    try {
      const rows = await allRows();
      for (const card of cards) drawCard(card, rows[card.key]!, choice());
      state.textContent = '';
    } catch (error) {
      loading = undefined;
      state.textContent = `The numbers for this choice could not be fetched (${(error as Error).message}); choose again to retry.`;
    }
  };

  form.hidden = false;
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('change', ({ target }) => {
    const { name, value } = target as HTMLSelectElement;
    remember(name, value === defaults.get(name) ? null : String(JSON.parse(value) ?? ''));
    void show();
  });
  const given = selects.filter((select) => query.has(select.name));
  for (const select of given) {
    const wanted = query.get(select.name)!;
    const option = [...select.options].find(({ value }) => String(JSON.parse(value) ?? '') === wanted);
    if (option) select.value = option.value;
  }
  if (given.length > 0) void show();
}

function drawCard(card: Card, file: CardData, choice: Choice): void {
  const frame = root.querySelector<HTMLElement>(`[data-card="${card.key}"]`)!;
  const rows = variantFor(file, choice)?.rows ?? [];
  const columns = file.columns.map(({ name }) => name);
  frame.querySelector('[data-body]')!.innerHTML = cardBody({
    card,
    columns,
    rows,
    theme,
    height: Number(frame.dataset['height']),
  });
}
