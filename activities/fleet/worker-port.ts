import type { PortAnswer } from '../../src/domain/process-liveness';
import type { HostReader } from '../deps';

/** What a worker's port says now, by our clock. */
export const readPort = async (hosts: HostReader, host: string): Promise<PortAnswer> => {
  const askedAtMs = Date.now();
  const answer = await hosts.readWorkerPort(host);
  const atMs = Date.now();
  if (answer.kind !== 'answers') return { kind: answer.kind, atMs };
  const { worker_id: workerId, active_jobs: activeJobs, uptime_ms: uptimeMs } = answer.status;
  return { kind: 'answers', atMs, workerId, activeJobs, startedAfterMs: askedAtMs - uptimeMs, startedBeforeMs: atMs - uptimeMs };
};
