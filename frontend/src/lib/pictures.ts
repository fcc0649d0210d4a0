/** What each page's Open Graph picture says. */
export const PICTURES: Record<string, string> = {
  home: 'See what every LLM token costs',
  pipeline: 'From a request to a number you can trust',
  quality: 'Every rule, every run, in the open',
  dashboards: 'The answers, drawn from definitions',
  simulator: 'How much architecture do you need?',
  'case-study': 'Scalable analytics, decided by measurement',
};
