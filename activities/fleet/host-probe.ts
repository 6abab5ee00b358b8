import type { HostProbe } from '../../src/db/fleet/workers';
import type { HostReader } from '../deps';

/** What the two ports of a host say now. */
export const probeHost = async (hosts: HostReader, host: string): Promise<HostProbe> => {
  const sentAtMs = Date.now();
  const [worker, api] = await Promise.all([hosts.readWorkerPort(host), hosts.readApi(host)]);
  const status = worker.kind === 'answers' ? worker.status : null;
  return {
    host,
    isApiUp: api.isUp,
    imageTag: api.imageTag,
    isWorkerUp: status !== null,
    workerId: status?.worker_id ?? null,
    dispatchMode: status?.dispatch_mode ?? null,
    isRunning: status?.is_running ?? null,
    isDraining: status?.is_draining ?? null,
    activeJobs: status?.active_jobs ?? null,
    uptimeMs: status?.uptime_ms ?? null,
    sentAtMs,
    problem: worker.kind === 'answers' ? null : worker.kind === 'refused' ? 'refused' : worker.problem,
  };
};
