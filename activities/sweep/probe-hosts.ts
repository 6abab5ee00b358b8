import type { HostProbe } from '../../src/db/workers';
import type { PortFacts } from '../../src/domain/registry-sweep';
import { probeHost } from '../host-probe';
import { atOnce, type SweepDeps } from './pass';

/**
 * Asks both ports of each host, some at a time, each question with its deadline (src/ghosthands/client.ts), until the time for it is over: a fleet that
 * is silent must not keep the pass from its jobs. `left` are those that nobody asked.
 */
export const probeHosts = async (
  { hosts, limits, heartbeat }: SweepDeps,
  addresses: readonly string[],
): Promise<{ probes: HostProbe[]; left: string[] }> => {
  const endsAtMs = Date.now() + limits.probingMs;
  const left: string[] = [];
  const probes = await atOnce(addresses, limits.probesAtOnce, async (host) => {
    if (Date.now() > endsAtMs) {
      left.push(host);
      return [];
    }
    const probe = await probeHost(hosts, host);
    heartbeat();
    return [probe];
  });
  return { probes: probes.flat(), left };
};

export const portOf = ({ host, isWorkerUp, workerId, activeJobs, problem }: HostProbe): PortFacts => ({
  host,
  kind: isWorkerUp ? 'answers' : problem === 'refused' ? 'refused' : 'silent',
  workerId,
  activeJobs,
  problem,
});
