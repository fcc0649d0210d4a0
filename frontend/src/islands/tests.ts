/** Filters the table of tests; the choice stands in the address. */

const form = document.querySelector<HTMLFormElement>('[data-test-filters]')!;
const rows = [...document.querySelectorAll<HTMLTableRowElement>('[data-tests] tbody tr')];
const texts = rows.map((row) => row.textContent.toLowerCase());
const counter = form.querySelector<HTMLElement>('[data-test-count]')!;
const none = document.querySelector<HTMLElement>('[data-test-none]')!;

function apply(): void {
  const chosen = Object.fromEntries(new FormData(form)) as Record<string, string>;
  const words = chosen['q']!.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  rows.forEach((row, at) => {
    const fits = ['status', 'kind', 'layer'].every((key) => !chosen[key] || row.dataset[key] === chosen[key]);
    row.hidden = !(fits && words.every((word) => texts[at]!.includes(word)));
    if (!row.hidden) shown += 1;
  });
  counter.textContent = shown === rows.length ? `${shown} tests` : `${shown} of ${rows.length} tests`;
  none.hidden = shown > 0;
  const query = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value)).toString();
  history.replaceState(null, '', location.pathname + (query && `?${query}`) + location.hash);
}

for (const [key, value] of new URLSearchParams(location.search)) {
  const field = form.elements.namedItem(key);
  if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) field.value = value;
}
form.hidden = false;
form.addEventListener('input', apply);
form.addEventListener('submit', (event) => event.preventDefault());
if (location.search) apply();
