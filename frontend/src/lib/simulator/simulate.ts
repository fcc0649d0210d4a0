import {
  chooseModelling,
  chooseMonitoring,
  chooseProcessing,
  chooseStorage,
  describeDeployment,
  LAYER_NAMES,
  MAX_HOST_CORES,
} from './choices.ts';
import type { Choice, LayerName, Level, Levels } from './choices.ts';
import type { Coefficients } from './coefficients.ts';
import { componentsOf, technologiesOf } from './components.ts';
import type { Component } from './components.ts';
import { demandOf } from './demand.ts';
import type { Demand } from './demand.ts';
import { INPUT_NAMES, RANGES, withinRange } from './inputs.ts';
import type { InputName, Inputs } from './inputs.ts';
import { availabilityOf, complexityOf, costOf, latencyOf } from './outputs.ts';
import type { Complexity, Cost, Latency } from './outputs.ts';

export interface Simulation {
  inputs: Inputs;
  choices: Record<LayerName, Choice>;
  components: Component[];
  latency: Latency;
  cost: Cost;
  availabilityRatio: number;
  complexity: Complexity;
}

interface Candidate {
  levels: Levels;
  choices: Record<LayerName, Choice>;
  components: Component[];
  availabilityRatio: number;
}

/** Everything that follows once a deployment is fixed. */
function candidate(inputs: Inputs, demand: Demand, c: Coefficients, deployment: Level): Candidate {
  const processing = chooseProcessing(inputs, demand, c);
  const storage = chooseStorage(demand, c);
  const modelling = chooseModelling(inputs, demand, c);
  const monitoring = chooseMonitoring(inputs, c, deployment);
  const levels: Levels = {
    processing: processing.level,
    storage: storage.level,
    modelling: modelling.level,
    deployment,
    monitoring: monitoring.level,
  };
  const components = componentsOf(inputs, demand, c, levels);
  return {
    levels,
    choices: {
      processing,
      storage,
      modelling,
      monitoring,
      deployment: describeDeployment(deployment, 0, 0, null),
    },
    components,
    availabilityRatio: availabilityOf(demand, c, levels, technologiesOf(components, true)),
  };
}

/** Why a deployment is impossible whatever availability it reaches, or null. */
function obstacle({ levels, components }: Candidate): string | null {
  const cores = components.reduce((sum, part) => sum + part.instances * part.cores, 0);
  if (levels.deployment < 3 && levels.storage === 3)
    return 'Object storage under several nodes needs a scheduler to place them.';
  if (levels.deployment < 3 && cores > MAX_HOST_CORES)
    return `${Math.ceil(cores)} cores are more than one host has (${MAX_HOST_CORES}).`;
  if (levels.deployment === 2 && levels.processing >= 2)
    return 'Kafka needs three brokers for a majority, two hosts have none.';
  if (levels.deployment === 0 && (levels.processing > 0 || levels.monitoring > 0))
    return 'Several services must be started together and restarted alone.';
  return null;
}

/**
 * Choose an architecture for `inputs` and say what it costs, how fast, reliable and complex it is.
 *
 * Takes the simplest deployment that reaches the availability asked for; if none does, the strongest, whose choice says so.
 */
export function simulate(rawInputs: Inputs, c: Coefficients): Simulation {
  const inputs = withinRange(rawInputs);
  const demand = demandOf(inputs, c);
  let reason: string | null = null;
  let chosen = candidate(inputs, demand, c, 0);
  for (const deployment of [0, 1, 2, 3] as const) {
    chosen = candidate(inputs, demand, c, deployment);
    const blocked = obstacle(chosen);
    const reaches = chosen.availabilityRatio >= inputs.availabilityRatio;
    if (blocked === null && reaches) break;
    if (deployment < 3) reason = blocked;
  }
  const { levels, choices, components, availabilityRatio } = chosen;
  choices.deployment = describeDeployment(
    levels.deployment,
    availabilityRatio,
    inputs.availabilityRatio,
    reason,
  );
  return {
    inputs,
    choices,
    components,
    latency: latencyOf(inputs, demand, c, levels),
    cost: costOf(demand, c, levels, components),
    availabilityRatio,
    complexity: complexityOf(inputs, c, levels, components),
  };
}

export interface NextSwitch {
  layer: LayerName;
  input: InputName;
  at: number;
  to: string;
}

/** For each layer the nearest stop of one slider, others held, at which the choice becomes a heavier one. */
export function nextSwitches(inputs: Inputs, c: Coefficients): NextSwitch[] {
  const now = simulate(inputs, c);
  return LAYER_NAMES.flatMap((layer) => {
    const found = INPUT_NAMES.flatMap((input) => {
      const stops = RANGES[input].stops;
      const ahead = stops.filter((stop) => isHarder(input, stop, inputs[input]));
      for (const [steps, stop] of ahead.entries()) {
        const then = simulate({ ...inputs, [input]: stop }, c).choices[layer];
        if (then.level > now.choices[layer].level)
          return [{ steps, next: { layer, input, at: stop, to: then.name } }];
      }
      return [];
    });
    found.sort((a, b) => a.steps - b.steps);
    return found[0] ? [found[0].next] : [];
  });
}

const isHarder = (input: InputName, stop: number, now: number) =>
  input === 'freshnessS' ? stop < now : stop > now;
