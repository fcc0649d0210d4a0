/** Filters, tabs and the live frame of a dashboard page. What is chosen stands in the address bar. */
import type { CardData } from '../generated/card-data.d.ts';
import type { Card } from '../generated/dashboards.d.ts';
import { cardBody } from '../lib/dashboard/card.ts';
import type { Theme } from '../lib/dashboard/format.ts';
import { variantFor } from '../lib/dashboard/variant.ts';
import type { Choice } from '../lib/dashboard/variant.ts';

const root = document.querySelector<HTMLElement>('[data-dashboard]')!;
const { theme, cards } = JSON.parse(root.querySelector('[data-definitions]')!.textContent) as {
  theme: Theme;
  cards: Card[];
};
const query = new URLSearchParams(location.search);

function remember(key: string, value: string | null): void {
  if (value === null) query.delete(key);
  else query.set(key, value);
  const text = query.toString();
  history.replaceState(null, '', location.pathname + (text && `?${text}`));
}

let loading: Promise<Record<string, CardData>> | undefined;

/** Rows of all views, fetched once, at the first use of a filter. */
function allRows(): Promise<Record<string, CardData>> {
  loading ??= fetch(`/dashboards/data/${root.dataset['dashboard']}.json`).then(async (response) => {
    if (!response.ok) throw new Error(`answered ${response.status}`);
    return (await response.json()) as Record<string, CardData>;
  });
  return loading;
}

function setUpFilters(form: HTMLFormElement): void {
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

function setUpTabs(list: HTMLElement): void {
  const tabs = [...list.querySelectorAll<HTMLButtonElement>('[role=tab]')];
  const panels = [...root.querySelectorAll<HTMLElement>('[data-panel]')];
  const show = (chosen: number): void => {
    tabs.forEach((tab, at) => {
      tab.setAttribute('aria-selected', String(at === chosen));
      tab.tabIndex = at === chosen ? 0 : -1;
    });
    panels.forEach((panel, at) => (panel.hidden = at !== chosen));
  };
  list.hidden = false;
  panels.forEach((panel, at) => {
    panel.setAttribute('role', 'tabpanel');
    panel.setAttribute('aria-labelledby', tabs[at]!.id);
    panel.removeAttribute('aria-label');
  });
  list.addEventListener('click', ({ target }) => {
    const at = tabs.indexOf((target as Element).closest('button') as HTMLButtonElement);
    if (at < 0) return;
    show(at);
    remember('tab', at === 0 ? null : tabs[at]!.textContent.trim());
  });
  list.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next =
      tabs[(tabs.indexOf(document.activeElement as HTMLButtonElement) + step + tabs.length) % tabs.length]!;
    next.focus();
    next.click();
  });
  show(
    Math.max(
      0,
      tabs.findIndex((tab) => tab.textContent.trim() === query.get('tab')),
    ),
  );
}

/** Metabase is shown when it answers in time; otherwise the drawn cards stay, and the page says why. */
async function setUpLive(live: HTMLElement): Promise<void> {
  const state = live.querySelector<HTMLElement>('[data-live-state]')!;
  const button = live.querySelector<HTMLButtonElement>('[data-live-switch]')!;
  const frame = live.querySelector<HTMLElement>('[data-live-frame]')!;
  const drawn = root.querySelector<HTMLElement>('[data-drawn]')!;
  try {
    const response = await fetch(live.dataset['live']!, {
      method: 'HEAD',
      signal: AbortSignal.timeout(4000),
    });
    if (!response.ok) throw new Error(`answered ${response.status}`);
  } catch (error) {
    const { name, message } = error as Error;
    const cause =
      name === 'TimeoutError'
        ? 'did not answer in time'
        : name === 'TypeError'
          ? 'cannot be reached'
          : message;
    state.textContent = `Metabase ${cause}. These are the same cards, drawn when the site was built.`;
    return;
  }
  const iframe = frame.querySelector('template')!.content.querySelector('iframe')!;
  iframe.height = String(Number(live.dataset['rows']) * 62 + 120);
  state.textContent = 'Loading the live dashboard from Metabase…';
  iframe.addEventListener('load', () => {
    state.textContent = 'Live from Metabase.';
    button.hidden = false;
    drawn.hidden = true;
  });
  frame.append(iframe);
  frame.hidden = false;
  button.addEventListener('click', () => {
    drawn.hidden = !drawn.hidden;
    frame.hidden = !drawn.hidden;
    button.textContent = drawn.hidden ? 'Show the drawn cards' : 'Show Metabase';
    state.textContent = drawn.hidden ? 'Live from Metabase.' : 'Drawn when the site was built.';
  });
}

const filters = root.querySelector<HTMLFormElement>('[data-filters]');
if (filters) setUpFilters(filters);
const tabs = root.querySelector<HTMLElement>('[data-tabs]');
if (tabs) setUpTabs(tabs);
const live = root.querySelector<HTMLElement>('[data-live]');
if (live) void setUpLive(live);
