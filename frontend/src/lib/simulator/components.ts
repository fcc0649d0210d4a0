import type { LayerName, Levels } from './choices.ts';
import { LARGE_CORES, refillLimitBytes, SMALL_CORES } from './choices.ts';
import type { Coefficients } from './coefficients.ts';
import type { Demand } from './demand.ts';
import { MONTH_DAYS } from './demand.ts';
import type { Inputs } from './inputs.ts';

/** Something that runs. Components of one technology share a name. */
export interface Component {
  layer: LayerName | 'serving';
  technology: string;
  instances: number;
  cores: number;
  diskGb: number;
  objectGb: number;
  /** A dashboard stops answering when it fails. */
  isOnPath: boolean;
}

const part = (layer: Component['layer'], technology: string, fields: Partial<Component> = {}): Component => ({
  layer,
  technology,
  instances: 1,
  cores: 0,
  diskGb: 0,
  objectGb: 0,
  isOnPath: false,
  ...fields,
});

const GB = 1e9;

/** Every component of an architecture, sized for the busiest hour. */
export function componentsOf(inputs: Inputs, demand: Demand, c: Coefficients, levels: Levels): Component[] {
  return [
    ...processingParts(inputs, demand, c, levels),
    ...storageParts(demand, c, levels),
    ...modellingParts(levels),
    ...servingParts(levels),
    ...monitoringParts(levels),
    ...(levels.deployment === 3 ? [part('deployment', 'Kubernetes')] : []),
  ];
}

/** Distinct technologies somebody must know, all or only those a dashboard depends on. */
export function technologiesOf(components: readonly Component[], onPathOnly = false): string[] {
  return [...new Set(components.filter((p) => p.isOnPath || !onPathOnly).map((p) => p.technology))];
}

function processingParts(inputs: Inputs, demand: Demand, c: Coefficients, levels: Levels): Component[] {
  const batchCores = Math.max(
    1,
    Math.ceil(demand.batchRows / c.transform_rows_per_s.value / demand.intervalS),
  );
  const streamCores = Math.max(1, Math.ceil(demand.peakEventsPerS / c.transform_rows_per_s.value));
  if (levels.processing === 0) return [part('processing', 'cron', { cores: 1 })];
  const orchestrator = [
    part('processing', 'Dagster', { cores: 1 }),
    part('processing', 'Python workers', { cores: batchCores + Math.ceil(inputs.dataSources / 50) }),
  ];
  if (levels.processing === 1) return orchestrator;
  const brokers =
    levels.deployment === 3
      ? Math.max(3, Math.ceil((2 * demand.peakEventsPerS) / c.brokerEventsPerS.value))
      : 1;
  const kafka = part('processing', 'Kafka', {
    instances: brokers,
    cores: 2,
    diskGb: demand.dayBytes / GB,
    isOnPath: levels.processing === 3,
  });
  const consumers = part('processing', 'Python workers', {
    cores: streamCores + Math.ceil(inputs.dataSources / 50),
  });
  const stream = [part('processing', 'Dagster', { cores: 1 }), kafka, consumers];
  if (levels.processing === 2) return stream;
  const copies = levels.deployment === 3 ? 2 : 1;
  return [
    ...stream,
    part('processing', 'Flink', { instances: copies, cores: 1 + streamCores, isOnPath: true }),
  ];
}

/** Cores that read every experiment's rows within half a day. */
const experimentCores = (demand: Demand, scanRate: number) =>
  Math.ceil(demand.experimentRowsPerDay / scanRate / 43_200);

function storageParts(demand: Demand, c: Coefficients, levels: Levels): Component[] {
  const copies = [1, 1, 2, 3][levels.deployment]!;
  const rowScan = c.scan_rows_per_s.value;
  const hotGb = demand.hotBytes / GB;
  const postgres = (fields: Partial<Component>) =>
    part('storage', 'PostgreSQL', { isOnPath: true, ...fields });
  if (levels.storage <= 1) {
    const readers = levels.storage === 0 ? SMALL_CORES : LARGE_CORES;
    return [
      postgres({ instances: copies, cores: readers + experimentCores(demand, rowScan), diskGb: hotGb }),
    ];
  }
  const columnScan = rowScan * c.columnScanSpeedup.value;
  const cores =
    Math.max(LARGE_CORES, Math.ceil(demand.monthRows / (columnScan * c.patienceS.value))) +
    experimentCores(demand, columnScan);
  const columnGb = hotGb / c.columnCompression.value;
  const registry = postgres({ instances: copies, cores: SMALL_CORES, isOnPath: false });
  if (levels.storage === 2) {
    return [
      registry,
      part('storage', 'ClickHouse', { instances: copies, cores, diskGb: columnGb, isOnPath: true }),
    ];
  }
  const shards = Math.max(1, Math.ceil(demand.hotBytes / c.columnCompression.value / refillLimitBytes(c)));
  const monthGb = (demand.dayBytes * MONTH_DAYS) / GB / c.columnCompression.value;
  return [
    registry,
    part('storage', 'Object storage', { objectGb: columnGb }),
    part('storage', 'ClickHouse', {
      instances: copies * shards,
      cores: Math.max(LARGE_CORES, Math.ceil(cores / shards)),
      diskGb: monthGb / shards,
      isOnPath: true,
    }),
  ];
}

function modellingParts({ modelling }: Levels): Component[] {
  const names = ['dbt', 'Metric layer', 'Data catalogue'].slice(0, modelling);
  return names.map((name) => part('modelling', name, { cores: name === 'dbt' ? 1 : 2 }));
}

function servingParts({ deployment }: Levels): Component[] {
  const copies = [1, 1, 2, 3][deployment]!;
  const dashboards = part('serving', 'Metabase', { instances: copies, cores: 1, isOnPath: true });
  return deployment === 0
    ? [dashboards]
    : [part('serving', 'Traefik', { instances: copies, cores: 0.5, isOnPath: true }), dashboards];
}

function monitoringParts({ monitoring }: Levels): Component[] {
  if (monitoring === 0) return [];
  const alerts = part('monitoring', 'Alerts', { cores: 0.5 });
  if (monitoring === 1) return [alerts];
  const metrics = [
    alerts,
    part('monitoring', 'Prometheus', { cores: 1 }),
    part('monitoring', 'Grafana', { cores: 1 }),
  ];
  return monitoring === 2 ? metrics : [...metrics, part('monitoring', 'OpenTelemetry', { cores: 2 })];
}
