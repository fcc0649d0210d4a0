/** Tabs of a dashboard, by mouse and by arrow keys. Without a script all parts stand below each other. */
import { query, remember } from './address.ts';
import { root } from './root.ts';

export function setUpTabs(list: HTMLElement): void {
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
