import { Gauge, Histogram } from 'prom-client';
import type { Metrics } from '../metrics';
import { createCommandCounter, type CommandEnded } from '../metrics/work';

export interface RequestTotals {
  totalRequests: number;
  totalErrors: number;
  errorRate: number;
  avgResponseTimeMs: number;
  requestsByPath: Record<string, number>;
  requestsByStatus: Record<string, number>;
}

export interface GatewayMetrics {
  observe: (request: { method: string; route: string; status: number; seconds: number }) => void;
  /** All requests since the start, in GH's fields (ghosthands §1.2). */
  readRequestTotals: () => Promise<RequestTotals>;
  /** Commands that end here, since they have no workflow. */
  observeCommand: (ended: CommandEnded) => void;
  /** Call it when a reader of that stream comes; the answer is called when it is gone. */
  openStream: (route: string) => () => void;
}

/** What the gateway adds to /metrics. Routes by their template: an id in a label would make a series of its own per job. */
export const createGatewayMetrics = (metrics: Metrics): GatewayMetrics => {
  const registers = [metrics.registry];
  const seconds = new Histogram({
    name: 'yardmaster_http_request_duration_seconds',
    help: 'Time from the request to its answer, by route template.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const readers = new Gauge({
    name: 'yardmaster_stream_readers',
    help: 'Readers of event streams that are connected to this gateway, by route template.',
    labelNames: ['route'],
    registers,
  });
  return {
    observe: ({ method, route, status, seconds: took }) => seconds.observe({ method, route, status: String(status) }, took),
    readRequestTotals: async () => totalsOf((await seconds.get()).values),
    observeCommand: createCommandCounter(metrics),
    openStream(route) {
      readers.inc({ route });
      let isOpen = true;
      return () => {
        if (isOpen) readers.dec({ route });
        isOpen = false;
      };
    },
  };
};

interface Reading {
  metricName?: string;
  value: number;
  labels: Partial<Record<string, string | number>>;
}

const totalsOf = (readings: readonly Reading[]): RequestTotals => {
  const counts = readings.filter(({ metricName }) => metricName?.endsWith('_count'));
  const sum = (of: readonly Reading[]): number => of.reduce((total, { value }) => total + value, 0);
  const by = (label: string): Record<string, number> => {
    const totals: Record<string, number> = {};
    for (const { labels, value } of counts) totals[String(labels[label])] = (totals[String(labels[label])] ?? 0) + value;
    return totals;
  };
  const totalRequests = sum(counts);
  const totalErrors = sum(counts.filter(({ labels }) => Number(labels['status']) >= 500));
  const seconds = sum(readings.filter(({ metricName }) => metricName?.endsWith('_sum')));
  return {
    totalRequests,
    totalErrors,
    errorRate: totalRequests === 0 ? 0 : totalErrors / totalRequests,
    avgResponseTimeMs: totalRequests === 0 ? 0 : Math.round((seconds / totalRequests) * 1_000),
    requestsByPath: by('route'),
    requestsByStatus: by('status'),
  };
};
