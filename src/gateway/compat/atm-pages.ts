import type { z } from 'zod';
import { parseJson } from '../../domain/json';
import type { FleetHost } from '../fleet-reader';
import type { HostReader } from '../gateway-deps';
import type { AtmServer } from './atm-servers';
import type { hostHealthSchema, hostMetricsSchema } from './atm-schemas';
import { machineSchema } from './monitoring-schemas';

/** Health of a machine from the rows, as every other page shows it: nothing is asked, so one that is off answers at once. */
export const hostHealth = (
  { host }: AtmServer,
  { now, currentDeploy }: { now: number; currentDeploy: string | null },
): z.output<typeof hostHealthSchema> => {
  const probe = host?.probe?.isFresh === true ? host.probe : null;
  const activeJobs = activeJobsOf(host);
  return {
    status: host?.health ?? 'offline',
    reason: host?.reason ?? 'it is configured, has never registered and has not been probed',
    activeWorkers: activeJobs,
    deploySafe: probe?.isWorkerUp === true && activeJobs === 0,
    apiHealthy: probe?.isApiUp ?? false,
    workerStatus: probe?.isWorkerUp !== true ? 'unreachable' : probe.isDraining === true ? 'draining' : activeJobs > 0 ? 'busy' : 'idle',
    currentDeploy,
    uptimeMs: probe?.isWorkerUp === true && probe.processStartedAt !== null ? Math.max(0, now - probe.processStartedAt.getTime()) : 0,
  };
};

/** What the port said, or what we have given it, whichever is more. */
export const activeJobsOf = (host: FleetHost | null): number => {
  if (host === null) return 0;
  const given = host.workers.filter(({ job }) => job !== null).length;
  return Math.max(given, host.probe?.isFresh === true ? (host.probe.activeJobs ?? 0) : 0);
};

/** A moment ago neither of its ports answered, so asking again costs the caller seconds. What the registry says proves nothing of the kind. */
export const isKnownDown = (host: FleetHost | null): boolean =>
  host?.probe?.isFresh === true && !host.probe.isApiUp && !host.probe.isWorkerUp;

const nothing: z.output<typeof hostMetricsSchema> = {
  available: false,
  cpu: { usagePercent: 0, cores: 0 },
  memory: { usedMb: 0, totalMb: 0, usagePercent: 0 },
  disk: { usedGb: 0, totalGb: 0, usagePercent: 0 },
};

/** GH's machine figures have had two paths (atm §6); zeros that say so where neither answers. */
export const readHostMetrics = async (hosts: HostReader, { address, host }: AtmServer): Promise<z.output<typeof hostMetricsSchema>> => {
  if (address === null || isKnownDown(host)) return nothing;
  for (const path of ['/monitoring/system', '/health/system']) {
    const page = await hosts.getPage(address, 'api', path);
    const figures = page.kind === 'body' && page.status === 200 ? figuresSchema.safeParse(parseJson(page.text)) : null;
    if (figures?.success === true) return { available: true, ...figures.data };
  }
  return nothing;
};

/** GH adds loads and a timestamp. */
const figuresSchema = machineSchema.extend({ cpu: machineSchema.shape.cpu.strip() }).strip();

/** The dashboard cuts `image_tag` where there is a `commit_sha` (atm §4.1), so both are texts or neither is there. */
export const readHostVersion = async (hosts: HostReader, address: string | null): Promise<object> => {
  if (address === null) return { status: 'unreachable' };
  const page = await hosts.getPage(address, 'api', '/health/version');
  const body = page.kind === 'body' && page.status === 200 ? parseJson(page.text) : null;
  if (typeof body !== 'object' || body === null) return { status: 'unreachable' };
  const textOf = (name: string): string => {
    const value: unknown = Reflect.get(body, name);
    return typeof value === 'string' ? value : '';
  };
  return { ...body, commit_sha: textOf('commit_sha'), image_tag: textOf('image_tag') };
};
