import { Gauge, Histogram } from 'prom-client';
import type { Metrics } from '../metrics';
import { createCommandCounter, type CommandEnded } from '../metrics/work';

export interface GatewayMetrics {
  observe: (request: { method: string; route: string; status: number; seconds: number }) => void;
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
