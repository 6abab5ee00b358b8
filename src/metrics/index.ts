import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';

export interface GaugeReading {
  labels?: Record<string, string>;
  value: number;
}

export interface GaugeOptions {
  name: string;
  help: string;
  labelNames?: readonly string[];
  /** Asked at each scrape: a figure of the whole fleet is read from the rows, so that every process reports the same. */
  read: () => Promise<GaugeReading[]>;
}

export interface Metrics {
  /** gateway, orchestrator or deployer: a label of every line. */
  process: string;
  /** For counters and histograms of one's own: `new Counter({ …, registers: [metrics.registry] })`. */
  registry: Registry;
  addGauge: (options: GaugeOptions) => void;
  /** Lines that somebody else keeps, in the same format; asked at each scrape. */
  addText: (read: () => string) => void;
  /** Everything, as /metrics shows it. */
  text: () => Promise<string>;
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
  const texts: (() => string)[] = [];
  return {
    process: processName,
    registry,
    addText: (read) => void texts.push(read),
    text: async () => [await registry.metrics(), ...texts.map((read) => read())].join('\n'),
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
