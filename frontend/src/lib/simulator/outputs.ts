import { LARGE_CORES, monthScanS, SMALL_CORES } from './choices.ts';
import type { Levels } from './choices.ts';
import { HOURS_PER_MONTH } from './coefficients.ts';
import type { Coefficients } from './coefficients.ts';
import { technologiesOf } from './components.ts';
import type { Component } from './components.ts';
import { MONTH_DAYS } from './demand.ts';
import type { Demand } from './demand.ts';
import type { Inputs } from './inputs.ts';

export interface Latency {
  /** Oldest age of a number on a dashboard. */
  dataAgeS: number;
  /** Time to read one month of events for a question nobody prepared. */
  queryS: number;
}

export interface Cost {
  compute: number;
  storage: number;
  network: number;
  operations: number;
  total: number;
}

export interface Complexity {
  technologies: string[];
  instances: number;
  operationsH: number;
  /** Operations hours over the hours the team has. */
  teamShare: number;
  /** Share of time each engineer is on call, 0 where nobody is. */
  onCallShare: number;
  isSustainable: boolean;
}

const ENGINEER_H_PER_MONTH = (40 * 52) / 12;
const GB = 1e9;

/** A batch waits for its start and then runs; a stream waits for the next insert; stream state answers at once. */
export function latencyOf(inputs: Inputs, demand: Demand, c: Coefficients, levels: Levels): Latency {
  const insertS = c.insertIntervalS.value + c.brokerLatencyS.value;
  const dataAgeS = [
    demand.intervalS + demand.serialBatchS,
    inputs.freshnessS,
    insertS,
    2 * c.brokerLatencyS.value,
  ][levels.processing]!;
  if (levels.storage <= 1) {
    return { dataAgeS, queryS: monthScanS(demand, c, levels.storage === 0 ? SMALL_CORES : LARGE_CORES) };
  }
  const leastRate = c.scan_rows_per_s.value * c.columnScanSpeedup.value * LARGE_CORES;
  return { dataAgeS, queryS: Math.min(c.patienceS.value, demand.monthRows / leastRate) };
}

/**
 * Expected share of the month in which dashboards answer: failures per month times how long each lasts.
 *
 * On one host undoing a failure or a bad change means restoring from the archived rows, however they are stored later.
 */
export function availabilityOf(
  demand: Demand,
  c: Coefficients,
  levels: Levels,
  onPath: readonly string[],
): number {
  const seenH = levels.monitoring === 0 ? c.unwatchedH.value : c.pagerS.value / 3_600;
  const restoreH = demand.hotBytes / c.diskBytesPerS.value / 3_600;
  const outageH = [seenH + restoreH, seenH + restoreH, seenH, c.failoverS.value / 3_600][levels.deployment]!;
  const failures = c.nodeFailuresPerMonth.value + onPath.length * c.changeFailuresPerMonth.value;
  return Math.max(0, 1 - (failures * outageH) / HOURS_PER_MONTH);
}

/** USD per month. Operations are hours of people: incidents after changes, and machines nobody fails over for them. */
export function costOf(
  demand: Demand,
  c: Coefficients,
  levels: Levels,
  components: readonly Component[],
): Cost {
  const sum = (amount: (part: Component) => number) =>
    components.reduce((total, part) => total + amount(part), 0);
  const cluster = levels.deployment === 3 ? c.clusterUsdPerMonth.value : 0;
  const compute = sum((p) => p.instances * p.cores) * c.vcpuUsdPerMonth.value + cluster;
  const storage =
    sum((p) => p.instances * p.diskGb) * c.diskUsdPerGbMonth.value +
    sum((p) => p.objectGb) * c.objectUsdPerGbMonth.value;
  const copies = [0, 0, 1, 2][levels.deployment]! * (levels.processing >= 2 ? 2 : 1);
  const network = ((demand.dayBytes * MONTH_DAYS) / GB) * copies * c.crossZoneUsdPerGb.value;
  const operations = operationsH(c, levels, components) * c.engineerUsdPerH.value;
  return { compute, storage, network, operations, total: compute + storage + network + operations };
}

function operationsH(c: Coefficients, levels: Levels, components: readonly Component[]): number {
  const hosts = [1, 1, 2, 0][levels.deployment]!;
  const incidents =
    technologiesOf(components).length * c.changeFailuresPerMonth.value + hosts * c.nodeFailuresPerMonth.value;
  return incidents * c.incidentH.value;
}

export function complexityOf(
  inputs: Inputs,
  c: Coefficients,
  levels: Levels,
  components: readonly Component[],
): Complexity {
  const hours = operationsH(c, levels, components);
  const teamShare = hours / (inputs.teamSize * ENGINEER_H_PER_MONTH);
  const onCallShare = levels.monitoring === 0 ? 0 : Math.min(1, 2 / inputs.teamSize);
  return {
    technologies: technologiesOf(components),
    instances: components.reduce((total, part) => total + part.instances, 0),
    operationsH: hours,
    teamShare,
    onCallShare,
    isSustainable: teamShare <= c.operationsShare.value && onCallShare <= 2 / c.onCallTeam.value,
  };
}
