import type { Metrics } from '.';

/** One update of a metric of the Temporal SDK, as its buffer hands it out. */
export interface SdkUpdate {
  metric: { name: string; kind: string; description?: string };
  /** A counter's is a difference, the others' the value itself. */
  value: number;
  /** The SDK hands out the same object for the same labels again and again. */
  attributes: Readonly<Record<string, string | number | boolean>>;
}

export interface SdkMetricsSource {
  retrieve: () => Iterable<SdkUpdate>;
}

/** Seconds; from a poll's answer to an activity that retries. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];
/** The SDK drops what its buffer cannot hold, so it is emptied between scrapes too. */
const drainEveryMs = 1_000;

type Series = { value: number } | { counts: number[]; count: number; sum: number };

interface Family {
  kind: 'counter' | 'gauge' | 'histogram';
  help: string;
  series: Map<string, Series>;
}

/**
 * The SDK's own metrics behind the address of ours: its exporter wants a port of its own, its buffer does not. prom-client cannot hold them, since
 * the SDK gives one metric other labels from case to case.
 */
export const addSdkMetrics = (metrics: Metrics, source: SdkMetricsSource): { stop(): void } => {
  const families = new Map<string, Family>();
  const labels = new WeakMap<object, string>();
  const labelsOf = (attributes: SdkUpdate['attributes']): string => {
    const known = labels.get(attributes);
    if (known !== undefined) return known;
    const made = formatLabels({ ...attributes, process: metrics.process });
    labels.set(attributes, made);
    return made;
  };
  const drain = (): void => {
    for (const { metric, value, attributes } of source.retrieve()) {
      const name = nameOf(metric);
      let family = families.get(name);
      if (family === undefined) {
        family = { kind: kindOf(metric.kind), help: metric.description ?? '', series: new Map() };
        families.set(name, family);
      }
      addTo(family, labelsOf(attributes), value);
    }
  };
  metrics.addText(() => {
    drain();
    return [...families].map(([name, family]) => formatFamily(name, family)).join('');
  });
  const timer = setInterval(drain, drainEveryMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
};

const kindOf = (kind: string): Family['kind'] => (kind === 'counter' || kind === 'histogram' ? kind : 'gauge');

const nameOf = ({ name, kind }: SdkUpdate['metric']): string => {
  const whole = `${name.startsWith('temporal_') ? '' : 'temporal_'}${name.replaceAll(/[^a-zA-Z0-9_]/g, '_')}`;
  return kind === 'counter' ? `${whole}_total` : kind === 'histogram' ? `${whole}_seconds` : whole;
};

const addTo = ({ kind, series }: Family, key: string, value: number): void => {
  const known = series.get(key);
  if (kind === 'histogram') {
    const histogram = known !== undefined && 'counts' in known ? known : { counts: buckets.map(() => 0), count: 0, sum: 0 };
    const bucket = buckets.findIndex((upTo) => value <= upTo);
    if (bucket !== -1) histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1;
    histogram.count++;
    histogram.sum += value;
    series.set(key, histogram);
    return;
  }
  const before = kind === 'counter' && known !== undefined && 'value' in known ? known.value : 0;
  series.set(key, { value: before + value });
};

const formatFamily = (name: string, { kind, help, series }: Family): string => {
  const lines = [...series].flatMap(([key, one]) => ('value' in one ? [`${name}{${key}} ${one.value}`] : formatHistogram(name, key, one)));
  return [`# HELP ${name} ${help.replaceAll('\n', ' ')}`, `# TYPE ${name} ${kind}`, ...lines, ''].join('\n');
};

const formatHistogram = (name: string, key: string, { counts, count, sum }: Extract<Series, { counts: number[] }>): string[] => {
  let below = 0;
  return [
    ...buckets.map((upTo, index) => {
      below += counts[index] ?? 0;
      return `${name}_bucket{${key},le="${upTo}"} ${below}`;
    }),
    `${name}_bucket{${key},le="+Inf"} ${count}`,
    `${name}_sum{${key}} ${sum}`,
    `${name}_count{${key}} ${count}`,
  ];
};

const formatLabels = (attributes: SdkUpdate['attributes']): string =>
  Object.entries(attributes)
    .map(([label, value]) => `${label.replaceAll(/[^a-zA-Z0-9_]/g, '_')}="${escape(String(value))}"`)
    .join(',');

const escape = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
