/** The same dashboard in Metabase, where it answers. */
import { root } from './root.ts';

/** Metabase is shown when it answers in time; otherwise the drawn cards stay, and the page says why. */
export async function setUpLive(live: HTMLElement): Promise<void> {
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
