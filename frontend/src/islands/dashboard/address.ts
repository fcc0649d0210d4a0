/** What is chosen on a dashboard stands in the address bar. */

export const query = new URLSearchParams(location.search);

export function remember(key: string, value: string | null): void {
  if (value === null) query.delete(key);
  else query.set(key, value);
  const text = query.toString();
  history.replaceState(null, '', location.pathname + (text && `?${text}`));
}
