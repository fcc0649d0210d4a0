/** What a team knows about itself before it chooses an architecture: the simulator's six inputs. */
export interface Inputs {
  eventsPerDay: number;
  experimentsPerMonth: number;
  dataSources: number;
  /** Oldest age a number on a dashboard may have, in seconds. */
  freshnessS: number;
  /** Share of the month in which dashboards must answer, 0 to 1. */
  availabilityRatio: number;
  teamSize: number;
}

export type InputName = keyof Inputs;

interface Range {
  label: string;
  /** Key in the address bar; short, because two configurations share one address. */
  key: string;
  hint: string;
  min: number;
  max: number;
  /** Stops of the slider from left to right: cheap to demanding. */
  stops: readonly number[];
}

/** Rounded 1-2-5 stops of a logarithmic slider from `min` to `max`. */
function decades(min: number, max: number): number[] {
  const stops: number[] = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.log10(max); power += 1) {
    for (const step of [1, 2, 5]) stops.push(step * 10 ** power);
  }
  return stops.filter((stop) => stop >= min && stop <= max);
}

const FRESHNESS_STOPS = [86_400, 43_200, 21_600, 10_800, 3_600, 1_800, 900, 300, 120, 60, 30, 10, 5, 2, 1];

export const RANGES: Record<InputName, Range> = {
  eventsPerDay: {
    label: 'Events per day',
    key: 'e',
    hint: 'Requests, clicks or log lines that must become rows.',
    min: 1e3,
    max: 1e10,
    stops: decades(1e3, 1e10),
  },
  experimentsPerMonth: {
    label: 'Experiments per month',
    key: 'x',
    hint: 'Each is read out once a day for two weeks.',
    min: 0,
    max: 200,
    stops: [0, 1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200],
  },
  dataSources: {
    label: 'Data sources',
    key: 's',
    hint: 'Systems with their own schema and their own bad days.',
    min: 1,
    max: 200,
    stops: [1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200],
  },
  freshnessS: {
    label: 'Freshness needed',
    key: 'f',
    hint: 'The oldest age a number on a dashboard may have.',
    min: 1,
    max: 86_400,
    stops: FRESHNESS_STOPS,
  },
  availabilityRatio: {
    label: 'Availability needed',
    key: 'a',
    hint: 'Share of the month in which dashboards answer.',
    min: 0.95,
    max: 0.9999,
    stops: [0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999],
  },
  teamSize: {
    label: 'Team size',
    key: 't',
    hint: 'Engineers who share the building and the pager.',
    min: 1,
    max: 200,
    stops: [1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200],
  },
};

export const INPUT_NAMES = Object.keys(RANGES) as InputName[];

export interface Preset {
  name: string;
  story: string;
  inputs: Inputs;
}

export const PRESETS: readonly Preset[] = [
  {
    name: 'Startup',
    story: 'One product, numbers once a day, two people who also do everything else.',
    inputs: {
      eventsPerDay: 5e4,
      experimentsPerMonth: 2,
      dataSources: 3,
      freshnessS: 86_400,
      availabilityRatio: 0.95,
      teamSize: 2,
    },
  },
  {
    name: 'Growth',
    story: 'Sales, product and finance look all day, five minutes behind, and notice when it is down.',
    inputs: {
      eventsPerDay: 2e6,
      experimentsPerMonth: 20,
      dataSources: 30,
      freshnessS: 300,
      availabilityRatio: 0.998,
      teamSize: 8,
    },
  },
  {
    name: 'Enterprise',
    story: 'Billions of events, decisions within seconds, several teams with a pager.',
    inputs: {
      eventsPerDay: 2e9,
      experimentsPerMonth: 100,
      dataSources: 80,
      freshnessS: 5,
      availabilityRatio: 0.9995,
      teamSize: 50,
    },
  },
];

/** Move every input into its range; what is not a number becomes the range's gentlest stop. */
export function withinRange(inputs: Inputs): Inputs {
  const bounded = { ...inputs };
  for (const name of INPUT_NAMES) {
    const { min, max, stops } = RANGES[name];
    const value = inputs[name];
    bounded[name] = Number.isFinite(value) ? Math.min(max, Math.max(min, value)) : stops[0]!;
  }
  return bounded;
}

/** Write inputs as address parameters, `suffix` telling a second configuration from the first. */
export function toQuery(inputs: Inputs, suffix = ''): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of INPUT_NAMES) query.set(RANGES[name].key + suffix, String(inputs[name]));
  return query;
}

/** Read inputs from address parameters; what is missing or unreadable keeps the value of `fallback`. */
export function fromQuery(query: URLSearchParams, fallback: Inputs, suffix = ''): Inputs {
  const inputs = { ...fallback };
  for (const name of INPUT_NAMES) {
    const text = query.get(RANGES[name].key + suffix);
    if (text !== null && text.trim() !== '' && Number.isFinite(Number(text))) inputs[name] = Number(text);
  }
  return withinRange(inputs);
}

/** The slider position whose stop is nearest to `value`, compared by ratio. */
export function nearestStop(name: InputName, value: number): number {
  const distance = (stop: number) => Math.abs(Math.log((stop + 1e-9) / (value + 1e-9)));
  const { stops } = RANGES[name];
  return stops.reduce((best, stop, at) => (distance(stop) < distance(stops[best]!) ? at : best), 0);
}
