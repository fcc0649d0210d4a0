/**
 * Every number the simulator multiplies with, and where it comes from.
 *
 * `measured` values are read from this project's own warehouse, dbt run and benchmarks when the site is built;
 * `published` values cite their document; `derived` ones show the arithmetic on published ones.
 */
export interface Coefficient {
  value: number;
  unit: string;
  meaning: string;
  kind: 'measured' | 'published' | 'derived';
  source: string;
}

/** What the exporter measures, see schemas/calibration.schema.json. */
export interface Calibration {
  bytes_per_event: number;
  transform_rows_per_s: number;
  scan_rows_per_s: number;
  batch_fixed_s: number;
  peak_to_mean_ratio: number;
  rows_measured: number;
}

const published = (value: number, unit: string, meaning: string, source: string): Coefficient => ({
  value,
  unit,
  meaning,
  kind: 'published',
  source,
});

const derived = (value: number, unit: string, meaning: string, source: string): Coefficient => ({
  value,
  unit,
  meaning,
  kind: 'derived',
  source,
});

export const HOURS_PER_MONTH = 730;

const NODE_MTTF_MONTHS = 4.3;
const CHANGE_SHARE = 0.7;
const MEDIAN_WAGE = 53.91;
const WAGE_SHARE = 0.698;

/** Hours until somebody sees a failure when nothing alerts: the mean wait for the next 40-hour-week office hour. */
const UNWATCHED_H = (4 * 16 ** 2 + 64 ** 2) / 2 / 168;

export const PUBLISHED = {
  vcpuUsdPerMonth: published(
    (0.0816 / 2) * HOURS_PER_MONTH,
    'USD',
    'one virtual CPU with 4 GiB of memory for a month',
    'AWS EC2 on-demand list, m7g.large (2 vCPU, 8 GiB), us-east-1, June 2026: 0.0816 USD per hour, halved, times 730 h',
  ),
  memoryBytesPerVcpu: published(
    4 * 1024 ** 3,
    'bytes',
    'of memory come with one virtual CPU',
    'AWS EC2 list, m7g.large: 2 vCPU, 8 GiB',
  ),
  diskUsdPerGbMonth: published(
    0.08,
    'USD',
    'one GB of block storage for a month',
    'AWS EBS price list, gp3, us-east-1',
  ),
  objectUsdPerGbMonth: published(
    0.023,
    'USD',
    'one GB of object storage for a month',
    'AWS S3 price list, Standard, first 50 TB, us-east-1',
  ),
  crossZoneUsdPerGb: published(
    0.02,
    'USD',
    'one GB copied to another zone',
    'AWS EC2 price list, data transfer between zones: 0.01 USD per GB in each direction',
  ),
  clusterUsdPerMonth: published(
    0.1 * HOURS_PER_MONTH,
    'USD',
    'a Kubernetes control plane for a month',
    'AWS EKS price list: 0.10 USD per cluster and hour',
  ),
  columnCompression: published(
    100 / 9.26,
    'times',
    'smaller than PostgreSQL rows when stored by column',
    'ClickBench, 100 million rows: about 100 GiB in PostgreSQL, 9.26 GiB in ClickHouse',
  ),
  columnScanSpeedup: published(
    8,
    'times',
    'faster scans by column than by row, the low end of the published range',
    'ClickBench comparisons of PostgreSQL and ClickHouse report 8 to 361 times',
  ),
  brokerEventsPerS: published(
    2_024_032 / 3,
    'events per second',
    'one Kafka broker takes with three copies of each event',
    'J. Kreps, Benchmarking Apache Kafka: 2,024,032 records per second on three machines of six cores',
  ),
  brokerLatencyS: published(
    0.003,
    's',
    'from producer to consumer through Kafka, 99th percentile',
    'J. Kreps, Benchmarking Apache Kafka, end-to-end latency',
  ),
  insertIntervalS: published(
    1,
    's',
    'between inserts that a column store merges without falling behind',
    'ClickHouse documentation, Bulk inserts: around one insert query per second',
  ),
  diskBytesPerS: published(
    125 * 1024 ** 2,
    'bytes per second',
    'read from disk, by a scan that memory does not hold and by a node being filled again',
    'AWS EBS documentation: gp3 baseline throughput of 125 MiB/s',
  ),
  failoverS: published(
    45,
    's',
    'until a replicated group moves on without a dead member',
    'Apache Kafka documentation: session.timeout.ms defaults to 45,000',
  ),
  pagerS: published(
    1_800,
    's',
    'until somebody with a pager has begun to work',
    'Site Reliability Engineering, chapter 11: 30 minutes for less time-sensitive systems',
  ),
  incidentH: published(
    6,
    'h',
    'of work per incident, root cause and follow-up included',
    'Site Reliability Engineering, chapter 11',
  ),
  onCallTeam: published(
    8,
    'engineers',
    'the least a single-site rotation needs',
    'Site Reliability Engineering, chapter 11: two on call, at most a quarter of the time each',
  ),
  operationsShare: published(
    0.5,
    'share',
    'of a team that operations may take',
    'Site Reliability Engineering, chapter 1: at most 50 %',
  ),
  patienceS: published(
    10,
    's',
    'a person waits for an answer before leaving',
    'J. Nielsen, Response Times: The 3 Important Limits',
  ),
  flowS: published(
    1,
    's',
    'a person waits without losing the thread',
    'J. Nielsen, Response Times: The 3 Important Limits',
  ),
  nodeFailuresPerMonth: derived(
    1 / NODE_MTTF_MONTHS,
    'per month',
    'failures of one machine',
    'D. Ford et al., Availability in Globally Distributed Storage Systems, OSDI 2010: node MTTF 4.3 months',
  ),
  changeFailuresPerMonth: derived(
    CHANGE_SHARE / (1 - CHANGE_SHARE) / NODE_MTTF_MONTHS,
    'per month',
    'failures of one technology because somebody changed it',
    'Site Reliability Engineering, chapter 1: 70 % of outages follow a change, so 0.7 / 0.3 for each hardware failure',
  ),
  unwatchedH: derived(
    UNWATCHED_H,
    'h',
    'until somebody sees a failure that alerts nobody',
    'A 40-hour week: four nights of 16 h and a weekend of 64 h, (4 x 16^2 + 64^2) / 2 / 168',
  ),
  engineerUsdPerH: derived(
    MEDIAN_WAGE / WAGE_SHARE,
    'USD',
    'an hour of an engineer',
    'US BLS: 53.91 USD median hourly pay of database administrators and architects (2022), over wages being 69.8 % of what professionals cost their employer',
  ),
} satisfies Record<string, Coefficient>;

export type Coefficients = Record<keyof typeof PUBLISHED | keyof Calibration, Coefficient>;

/** Join what was published with what this project measured on itself. */
export function coefficientsFrom(calibration: Calibration): Coefficients {
  const rows = calibration.rows_measured.toLocaleString('en-US');
  const isMeasured = calibration.rows_measured > 0;
  // An empty warehouse has nothing to measure on: the exporter gives the benchmarks' figures instead.
  const measured = (value: number, unit: string, meaning: string, source: string): Coefficient => ({
    value,
    unit,
    meaning,
    kind: isMeasured ? 'measured' : 'published',
    source: isMeasured ? `${source} (${rows} rows)` : `benchmarks/README.md, 500,000 requests. ${source}`,
  });
  return {
    ...PUBLISHED,
    bytes_per_event: measured(
      calibration.bytes_per_event,
      'bytes',
      'one event in PostgreSQL, indexes included',
      'Size of this warehouse’s fact table over its rows',
    ),
    transform_rows_per_s: measured(
      calibration.transform_rows_per_s,
      'rows per second',
      'one core turns into facts',
      'The fact’s joins and keys over the latest month, one worker, timed at export',
    ),
    scan_rows_per_s: measured(
      calibration.scan_rows_per_s,
      'rows per second',
      'one core aggregates in PostgreSQL',
      'A sum over the latest month of the fact table, one worker, timed at export',
    ),
    batch_fixed_s: measured(
      calibration.batch_fixed_s,
      's',
      'a batch takes before its first row',
      'Seconds of the quickest recorded dbt build',
    ),
    peak_to_mean_ratio: measured(
      calibration.peak_to_mean_ratio,
      'times',
      'the mean in the busiest hour',
      'Requests per hour in this warehouse',
    ),
    rows_measured: measured(
      calibration.rows_measured,
      'rows',
      'in the fact table when it was measured',
      'Count of the fact table',
    ),
  };
}
