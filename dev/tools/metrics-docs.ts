import { limits } from '../../src/contracts/limits';
import { fleetGauges, lastSweepAgeGauge } from '../../src/db/fleet/fleet-gauges';
import type { Queryable } from '../../src/db/queryable';
import { createGatewayMetrics } from '../../src/gateway/gateway-metrics';
import { createMetrics, type Metrics } from '../../src/metrics';
import { createWorkMetrics } from '../../src/metrics/work';

export const metricsMarkers = { start: '<!-- metrics:start -->', end: '<!-- metrics:end -->' } as const;

/** Answers no figure: the documents want names alone. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The gauges ask for nothing but `query`.
const noDatabase = { query: async () => await Promise.resolve({ rows: [] }) } as unknown as Queryable;

const processes: Record<string, (metrics: Metrics) => unknown> = {
  gateway: (metrics) => {
    createGatewayMetrics(metrics);
    metrics.addGauge(lastSweepAgeGauge(noDatabase));
  },
  orchestrator: (metrics) => {
    fleetGauges(noDatabase, limits).forEach(metrics.addGauge);
    createWorkMetrics(metrics);
  },
  deployer: () => undefined,
};

interface MetricDoc {
  name: string;
  type: string;
  labels: string[];
  help: string;
  processes: string[];
}

/** Every figure of ours, with the processes that show it; those of Node and of the SDK are theirs. */
export const metricDocs = async (): Promise<MetricDoc[]> => {
  const docs = new Map<string, MetricDoc>();
  for (const [process, add] of Object.entries(processes)) {
    const metrics = createMetrics({ process });
    add(metrics);
    for (const metric of metrics.registry.getMetricsAsArray()) {
      if (!metric.name.startsWith('yardmaster_')) continue;
      const known = docs.get(metric.name);
      if (known !== undefined) known.processes.push(process);
      else docs.set(metric.name, { ...describe(metric), processes: [process] });
    }
  }
  return await Promise.resolve([...docs.values()]);
};

const describe = (metric: object): Omit<MetricDoc, 'processes'> => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- prom-client declares neither on the type that it hands out.
  const { name, help, labelNames, constructor } = metric as {
    name: string;
    help: string;
    labelNames: string[];
    constructor: { name: string };
  };
  return { name, help, type: constructor.name.toLowerCase(), labels: labelNames.filter((label) => label !== 'le') };
};

export const makeMetricsTable = async (): Promise<string> =>
  [
    '| metric | type | labels | meaning | processes |',
    '|---|---|---|---|---|',
    ...(await metricDocs()).map(
      ({ name, type, labels, help, processes: shownBy }) =>
        `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} | ${shownBy.join(', ')} |`,
    ),
  ].join('\n');
