import { once } from 'node:events';
import { createServer } from 'node:http';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { Log } from './log';

export interface GaugeReading {
  labels?: Record<string, string>;
  value: number;
}

export interface GaugeOptions {
  name: string;
  help: string;
  labelNames?: readonly string[];
  /** Asked at each scrape: a figure of the whole fleet is read from the rows, so that every process tells the same. */
  read: () => Promise<GaugeReading[]>;
}

export interface Metrics {
  /** For counters and histograms of one's own: `new Counter({ …, registers: [metrics.registry] })`. */
  registry: Registry;
  addGauge: (options: GaugeOptions) => void;
}

/** A scrape must answer while Postgres does not: what is not read by then is left out of it, and counted. */
const readTimeoutMs = 2_000;

/** Node's default figures, and a place for ours. */
export function createMetrics({ process: processName }: { process: string }): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ process: processName });
  collectDefaultMetrics({ register: registry });
  const failures = new Counter({
    name: 'yardmaster_gauge_read_failures_total',
    help: 'Gauges that could not be read at a scrape.',
    labelNames: ['gauge'],
    registers: [registry],
  });
  return {
    registry,
    addGauge({ name, help, labelNames = [], read }) {
      const gauge = new Gauge({
        name,
        help,
        labelNames: [...labelNames],
        registers: [registry],
        async collect() {
          const readings = await within(readTimeoutMs, read).catch(() => null);
          if (readings === null) failures.inc({ gauge: name });
          // A stale figure, or the 0 of a reset, would look like a true one.
          gauge.reset();
          if (labelNames.length === 0) gauge.remove();
          for (const { labels = {}, value } of readings ?? []) gauge.set(labels, value);
        },
      });
    },
  };
}

const within = async <Result>(ms: number, work: () => Promise<Result>): Promise<Result> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no figure within ${ms} ms`)), ms);
  });
  return await Promise.race([work(), late]).finally(() => clearTimeout(timer));
};

export interface MetricsServer {
  port: number;
  stop(): Promise<void>;
}

/** `GET /metrics` on a port of its own, which need not be open to those who may call the API. */
export async function startMetricsServer(
  metrics: Metrics,
  { host, port, log }: { host: string; port: number; log: Log },
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' || path !== '/metrics') {
      response.writeHead(404).end('Only GET /metrics is here.\n');
      return;
    }
    metrics.registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text),
      (error: unknown) => {
        log.warn('The metrics could not be collected', { error });
        response.writeHead(500).end();
      },
    );
  });
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
