import type { HostProbe } from '../../src/db/workers';
import type { PortSeen } from '../../src/domain/registry-sweep';
import { atOnce, type SweepDeps } from './pass';

/** Asks both ports of each host, some at a time, each question with its deadline (src/ghosthands/client.ts). */
export const probeHosts = async ({ hosts, limits, heartbeat }: SweepDeps, addresses: readonly string[]): Promise<HostProbe[]> =>
  await atOnce(addresses, limits.probesAtOnce, async (host) => {
    const sentAtMs = Date.now();
    const [worker, isApiUp] = await Promise.all([hosts.readWorkerPort(host), hosts.isApiUp(host)]);
    // A thousand hosts that all are silent take a minute.
    heartbeat();
    const status = worker.kind === 'answers' ? worker.status : null;
    return {
      host,
      isApiUp,
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
  });

export const portOf = ({ host, isWorkerUp, workerId, activeJobs, problem }: HostProbe): PortSeen => ({
  host,
  kind: isWorkerUp ? 'answers' : problem === 'refused' ? 'refused' : 'silent',
  workerId,
  activeJobs,
  problem,
});
