/** The element that holds a dashboard page. */
export const root = document.querySelector<HTMLElement>('[data-dashboard]')!;
