import type { Coefficients } from './coefficients.ts';
import type { Demand } from './demand.ts';
import type { Inputs } from './inputs.ts';
import { bytes, count, duration, percent } from '../format.ts';

export type LayerName = 'processing' | 'storage' | 'modelling' | 'deployment' | 'monitoring';
export type Level = 0 | 1 | 2 | 3;
export type Levels = Record<LayerName, Level>;

export const LAYER_NAMES: readonly LayerName[] = [
  'processing',
  'storage',
  'modelling',
  'deployment',
  'monitoring',
];

export const OPTIONS: Record<LayerName, readonly [string, string, string, string]> = {
  processing: ['cron and SQL', 'Orchestrated micro-batches', 'Kafka and consumers', 'Kafka and Flink'],
  storage: [
    'PostgreSQL',
    'PostgreSQL, partitioned by month',
    'ClickHouse beside PostgreSQL',
    'Parquet lake under ClickHouse',
  ],
  modelling: ['SQL views', 'dbt star schema', 'Incremental dbt and a metric layer', 'Data products by team'],
  deployment: [
    'One host',
    'Docker Compose on one host',
    'Two hosts with a standby',
    'Kubernetes in three zones',
  ],
  monitoring: [
    'Logs and exit codes',
    'Freshness alerts and a pager',
    'Prometheus and Grafana',
    'SLOs, traces and error budgets',
  ],
};

/** One layer's choice with the comparison that made it: `actual` against `limit`, both readable. */
export interface Choice {
  layer: LayerName;
  level: Level;
  name: string;
  because: string;
}

/** Fewest cores a single node of each store gets; a month must be scanned by them within a person's patience. */
const SMALL_CORES = 2;
const LARGE_CORES = 8;
const MAX_HOST_CORES = 64;
const MAX_BATCH_CORES = 16;
const CRON_MINIMUM_S = 60;

const choice = (layer: LayerName, level: Level, because: string): Choice => ({
  layer,
  level,
  name: OPTIONS[layer][level],
  because,
});

/** How events become rows: the first way whose whole batch fits into half of the freshness asked for. */
export function chooseProcessing(inputs: Inputs, demand: Demand, c: Coefficients): Choice {
  const { intervalS, serialBatchS, batchRows } = demand;
  const half = duration(intervalS);
  if (intervalS >= CRON_MINIMUM_S && serialBatchS <= intervalS) {
    return choice(
      'processing',
      0,
      `One job after the other takes ${duration(serialBatchS)}; half of the freshness asked for is ${half}.`,
    );
  }
  const parallelS = c.batch_fixed_s.value + batchRows / (c.transform_rows_per_s.value * MAX_BATCH_CORES);
  if (parallelS <= intervalS) {
    const why =
      intervalS < CRON_MINIMUM_S
        ? 'cron starts once a minute at most'
        : `one job after the other takes ${duration(serialBatchS)}`;
    return choice(
      'processing',
      1,
      `A batch may take ${half}, but ${why}; ${MAX_BATCH_CORES} cores side by side need ${duration(parallelS)}.`,
    );
  }
  const streamS = 2 * (c.insertIntervalS.value + c.brokerLatencyS.value);
  if (inputs.freshnessS >= streamS - 2 * c.brokerLatencyS.value) {
    return choice(
      'processing',
      2,
      `Even ${MAX_BATCH_CORES} cores need ${duration(parallelS)} per batch and only ${half} are allowed, so events are written as they come.`,
    );
  }
  return choice(
    'processing',
    3,
    `A column store is filled once per ${duration(c.insertIntervalS.value)}; ${duration(inputs.freshnessS)} of age leaves no time for it, so the stream itself answers.`,
  );
}

/** Seconds `cores` need to read a month of rows: at the measured rate while memory holds them, at the disk's beyond. */
export function monthScanS(demand: Demand, c: Coefficients, cores: number): number {
  const computeS = demand.monthRows / (c.scan_rows_per_s.value * cores);
  if (demand.monthBytes <= c.memoryBytesPerVcpu.value * cores) return computeS;
  return Math.max(computeS, demand.monthBytes / c.diskBytesPerS.value);
}

const memoryNote = (demand: Demand, c: Coefficients, cores: number) =>
  demand.monthBytes > c.memoryBytesPerVcpu.value * cores
    ? `, whose memory cannot hold its ${bytes(demand.monthBytes)},`
    : '';

/** Bytes one node can hold and still be filled again within a day. */
export const refillLimitBytes = (c: Coefficients) => c.diskBytesPerS.value * 86_400;

/** Where rows live: moved when a month takes longer to read than a person waits. */
export function chooseStorage(demand: Demand, c: Coefficients): Choice {
  const patience = c.patienceS.value;
  const small = monthScanS(demand, c, SMALL_CORES);
  const large = monthScanS(demand, c, LARGE_CORES);
  if (large > patience) {
    const compressed = demand.hotBytes / c.columnCompression.value;
    const limit = refillLimitBytes(c);
    if (compressed > limit) {
      return choice(
        'storage',
        3,
        `13 months take ${count(compressed / 1e12)} TB even by column; a lost node could refill only ${count(limit / 1e12)} TB within a day, so files live in object storage.`,
      );
    }
    return choice(
      'storage',
      2,
      `Reading a month of rows takes ${duration(large)} on ${LARGE_CORES} cores${memoryNote(demand, c, LARGE_CORES)}; people leave after ${duration(patience)}.`,
    );
  }
  if (small > patience) {
    return choice(
      'storage',
      1,
      `Reading a month takes ${duration(small)} on ${SMALL_CORES} cores${memoryNote(demand, c, SMALL_CORES)} and ${duration(large)} on ${LARGE_CORES}; partitions keep old months out of the way.`,
    );
  }
  return choice(
    'storage',
    0,
    `A month of events is read in ${duration(small)} on ${SMALL_CORES} cores; people wait ${duration(patience)}.`,
  );
}

/** How rows get meaning: from views to owned data products. */
export function chooseModelling(inputs: Inputs, demand: Demand, c: Coefficients): Choice {
  const teams = Math.floor(inputs.teamSize / c.onCallTeam.value);
  const rebuildS = demand.hotRows / c.transform_rows_per_s.value;
  if (teams >= 2 && inputs.dataSources > inputs.teamSize / teams) {
    return choice(
      'modelling',
      3,
      `${inputs.dataSources} sources and ${teams} teams with their own rotation: each owns its models, contracts sit between them.`,
    );
  }
  const readoutS = demand.experimentRowsPerDay / c.scan_rows_per_s.value;
  if (rebuildS > demand.intervalS || readoutS > demand.intervalS) {
    const what =
      rebuildS > demand.intervalS
        ? `Rebuilding 13 months takes ${duration(rebuildS)}`
        : `Reading out experiments takes ${duration(readoutS)} a day`;
    return choice(
      'modelling',
      2,
      `${what}; only ${duration(demand.intervalS)} are free, so only what changed is built.`,
    );
  }
  const viewS = demand.hotRows / (c.scan_rows_per_s.value * SMALL_CORES);
  if (inputs.dataSources > 1 || viewS > c.flowS.value) {
    const what =
      inputs.dataSources > 1
        ? `${inputs.dataSources} sources name things differently`
        : `A view over 13 months answers in ${duration(viewS)}`;
    return choice(
      'modelling',
      1,
      `${what}; a tested star schema settles it once. A full rebuild takes ${duration(rebuildS)}.`,
    );
  }
  return choice('modelling', 0, `One source, and a view over 13 months answers in ${duration(viewS)}.`);
}

/** What watches: a failure must be seen before the freshness asked for is gone. */
export function chooseMonitoring(inputs: Inputs, c: Coefficients, deployment: Level): Choice {
  const unwatchedS = c.unwatchedH.value * 3_600;
  const need = `Numbers may be ${duration(inputs.freshnessS)} old`;
  if (deployment === 3 || inputs.freshnessS <= c.failoverS.value) {
    return choice(
      'monitoring',
      3,
      deployment === 3
        ? 'Fail-over without people needs signals that need no reading.'
        : `${need}, which is less than a fail-over takes.`,
    );
  }
  if (deployment === 2 || inputs.freshnessS <= c.pagerS.value) {
    return choice(
      'monitoring',
      2,
      deployment === 2
        ? 'Somebody promotes the standby, so somebody must see both hosts.'
        : `${need}; a pager alone takes ${duration(c.pagerS.value)}.`,
    );
  }
  if (deployment === 1 || inputs.freshnessS <= unwatchedS) {
    return choice(
      'monitoring',
      1,
      inputs.freshnessS <= unwatchedS
        ? `${need}; unwatched failures are seen after ${duration(unwatchedS)}.`
        : 'The availability asked for is lost before somebody happens to look.',
    );
  }
  return choice('monitoring', 0, `${need}, and unwatched failures are seen after ${duration(unwatchedS)}.`);
}

/** Name the deployment; which one is possible is decided where availability is known, see simulate.ts. */
export function describeDeployment(
  level: Level,
  reached: number,
  needed: number,
  forced: string | null,
): Choice {
  if (forced !== null) return choice('deployment', level, forced);
  const comparison = `${percent(reached)} expected, ${percent(needed)} asked for`;
  return choice(
    'deployment',
    level,
    reached >= needed
      ? `The simplest that reaches it: ${comparison}.`
      : `The most this model knows, and not enough: ${comparison}.`,
  );
}

export { LARGE_CORES, MAX_HOST_CORES, SMALL_CORES };
