/** The case study's numbers: this warehouse's own load put through the simulator, and the loads at which it would change. */
import type { SiteFacts } from '../generated/site.d.ts';
import type { Coefficients } from './simulator/coefficients.ts';
import { PRESETS, RANGES } from './simulator/inputs.ts';
import type { InputName, Inputs } from './simulator/inputs.ts';
import type { LayerName } from './simulator/choices.ts';
import { simulate } from './simulator/simulate.ts';

const DAY_MS = 86_400_000;

/** What this project asks for: its measured load, the startup's promises. */
export function ownInputs({ headline }: Pick<SiteFacts, 'headline'>): Inputs {
  // Without requests nothing is measured yet: all of it is the startup's.
  if (headline.first_on === null || headline.last_on === null) return PRESETS[0]!.inputs;
  const days = (Date.parse(headline.last_on) - Date.parse(headline.first_on)) / DAY_MS + 1;
  return {
    ...PRESETS[0]!.inputs,
    eventsPerDay: headline.requests / days,
    dataSources: headline.sources.length,
  };
}

/** The value of one input at which a layer leaves its choice, found by halving between neighbouring stops. */
export function switchPoint(
  inputs: Inputs,
  c: Coefficients,
  layer: LayerName,
  input: InputName,
): number | null {
  const level = (value: number) => simulate({ ...inputs, [input]: value }, c).choices[layer].level;
  const now = level(inputs[input]);
  const isHarder = (stop: number) => (input === 'freshnessS' ? stop < inputs[input] : stop > inputs[input]);
  const above = RANGES[input].stops.filter(isHarder).find((stop) => level(stop) > now);
  if (above === undefined) return null;
  let [stays, changes] = [inputs[input], above];
  for (let step = 0; step < 60; step += 1) {
    const middle = (stays + changes) / 2;
    if (level(middle) > now) changes = middle;
    else stays = middle;
  }
  return changes;
}
