import { Histogram } from 'prom-client';
import { jobStates, terminalJobStates, type JobState } from '../contracts/job';
import type { Metrics } from '../metrics';

export interface GatewayMetrics {
  observe: (request: { method: string; route: string; status: number; seconds: number }) => void;
}

export interface GatewayMetricsSource {
  countLiveJobs: () => Promise<{ state: JobState; jobs: number }[]>;
  isPaused: () => Promise<boolean>;
}

const liveStates = jobStates.filter((state) => !(terminalJobStates as readonly JobState[]).includes(state));

/** What the gateway adds to /metrics. Routes by their template: an id in a label would make a series of its own per job. */
export const createGatewayMetrics = (metrics: Metrics, source: GatewayMetricsSource): GatewayMetrics => {
  const seconds = new Histogram({
    name: 'yardmaster_http_request_duration_seconds',
    help: 'Time from the request to its answer, by route template.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [metrics.registry],
  });
  metrics.addGauge({
    name: 'yardmaster_live_jobs',
    help: 'Jobs that have not ended, by state.',
    labelNames: ['state'],
    read: async () => {
      const counts = await source.countLiveJobs();
      return liveStates.map((state) => ({ labels: { state }, value: counts.find((count) => count.state === state)?.jobs ?? 0 }));
    },
  });
  metrics.addGauge({
    name: 'yardmaster_fleet_paused',
    help: '1 while nothing new is assigned anywhere.',
    read: async () => [{ value: Number(await source.isPaused()) }],
  });
  return {
    observe: ({ method, route, status, seconds: took }) => seconds.observe({ method, route, status: String(status) }, took),
  };
};
