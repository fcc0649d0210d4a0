// Theme: the system's unless the visitor chose the other one. Runs before the first paint, so it stays tiny.
(() => {
  const root = document.documentElement;
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const system = () => (dark.matches ? 'dark' : 'light');
  const read = () => {
    try {
      return localStorage.getItem('theme');
    } catch {
      return null;
    }
  };
  const write = (theme) => {
    try {
      if (theme) localStorage.setItem('theme', theme);
      else localStorage.removeItem('theme');
    } catch {
      // Storage may be off: the choice then lasts for this page only.
    }
  };
  const chosen = read();
  if (chosen === 'dark' || chosen === 'light') root.dataset.theme = chosen;

  document.addEventListener('DOMContentLoaded', () => {
    const button = document.querySelector('[data-theme-toggle]');
    if (!button) return;
    const current = () => root.dataset.theme || system();
    const label = () =>
      button.setAttribute('aria-label', `Use the ${current() === 'dark' ? 'light' : 'dark'} theme`);
    button.hidden = false;
    label();
    dark.addEventListener('change', label);
    button.addEventListener('click', () => {
      const next = current() === 'dark' ? 'light' : 'dark';
      if (next === system()) delete root.dataset.theme;
      else root.dataset.theme = next;
      write(root.dataset.theme || null);
      label();
    });
  });
})();
