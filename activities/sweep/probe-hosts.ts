import type { HostProbe } from '../../src/db/fleet/workers';
import type { PortFacts } from '../../src/domain/registry-sweep';
import { atOnce } from '../at-once';
import { probeHost } from '../fleet/host-probe';
import type { SweepDeps } from './pass';

/**
 * Asks both ports of each host, some at a time, each question with its deadline (src/ghosthands/client.ts), until the time for it is over: a fleet that
 * is silent must not keep the pass from its jobs. `left` are those that nobody asked.
 */
export const probeHosts = async (
  { hosts, limits, heartbeat }: SweepDeps,
  addresses: readonly string[],
): Promise<{ probes: HostProbe[]; left: string[] }> => {
  /** From the first question on: to queue those of a large fleet takes a moment. */
  let endsAtMs: number | null = null;
  const left: string[] = [];
  const probes = await atOnce(addresses, limits.probesAtOnce, async (host) => {
    endsAtMs ??= Date.now() + limits.probingMs;
    if (Date.now() > endsAtMs) {
      left.push(host);
      return null;
    }
    const probe = await probeHost(hosts, host);
    heartbeat();
    return probe;
  });
  return { probes: probes.filter((probe) => probe !== null), left };
};

export const portOf = ({ host, isWorkerUp, workerId, activeJobs, problem }: HostProbe): PortFacts => ({
  host,
  kind: isWorkerUp ? 'answers' : problem === 'refused' ? 'refused' : 'silent',
  workerId,
  activeJobs,
  problem,
});
