import type { Coefficients } from './coefficients.ts';
import type { Inputs } from './inputs.ts';

/** Dashboards compare a month with the same month a year earlier, so 13 months stay at hand. */
export const HOT_DAYS = 400;
export const MONTH_DAYS = 30;
const EXPERIMENT_DAYS = 14;
const DAY_S = 86_400;

/** What the inputs ask of the machines, before any choice is made. */
export interface Demand {
  peakEventsPerS: number;
  monthRows: number;
  monthBytes: number;
  hotRows: number;
  hotBytes: number;
  dayBytes: number;
  /** A batch may start this often, leaving as long again to run: their sum is the freshness asked for. */
  intervalS: number;
  batchRows: number;
  /** Sources loaded one after the other, then the models, on one core. */
  serialBatchS: number;
  experimentRowsPerDay: number;
}

export function demandOf(inputs: Inputs, c: Coefficients): Demand {
  const peakEventsPerS = (inputs.eventsPerDay / DAY_S) * c.peak_to_mean_ratio.value;
  const hotRows = inputs.eventsPerDay * HOT_DAYS;
  const intervalS = inputs.freshnessS / 2;
  const batchRows = Math.min(peakEventsPerS * intervalS, inputs.eventsPerDay);
  return {
    peakEventsPerS,
    monthRows: inputs.eventsPerDay * MONTH_DAYS,
    monthBytes: inputs.eventsPerDay * MONTH_DAYS * c.bytes_per_event.value,
    hotRows,
    hotBytes: hotRows * c.bytes_per_event.value,
    dayBytes: inputs.eventsPerDay * c.bytes_per_event.value,
    intervalS,
    batchRows,
    serialBatchS: inputs.dataSources * c.batch_fixed_s.value + batchRows / c.transform_rows_per_s.value,
    experimentRowsPerDay:
      inputs.experimentsPerMonth * (EXPERIMENT_DAYS / MONTH_DAYS) * EXPERIMENT_DAYS * inputs.eventsPerDay,
  };
}
