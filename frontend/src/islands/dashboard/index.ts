/** Filters, tabs and the live frame of a dashboard page. */
import { setUpFilters } from './filters.ts';
import { setUpLive } from './live.ts';
import { root } from './root.ts';
import { setUpTabs } from './tabs.ts';

const filters = root.querySelector<HTMLFormElement>('[data-filters]');
if (filters) setUpFilters(filters);
const tabs = root.querySelector<HTMLElement>('[data-tabs]');
if (tabs) setUpTabs(tabs);
const live = root.querySelector<HTMLElement>('[data-live]');
if (live) void setUpLive(live);
