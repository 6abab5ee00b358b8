import type { HostProbe } from '../../src/db/workers';
import type { PortSeen } from '../../src/domain/registry-sweep';
import { probeHost } from '../host-probe';
import { atOnce, type SweepDeps } from './pass';

/** Asks both ports of each host, some at a time, each question with its deadline (src/ghosthands/client.ts). */
export const probeHosts = async ({ hosts, limits, heartbeat }: SweepDeps, addresses: readonly string[]): Promise<HostProbe[]> =>
  await atOnce(addresses, limits.probesAtOnce, async (host) => {
    const probe = await probeHost(hosts, host);
    // A thousand hosts that all are silent take a minute.
    heartbeat();
    return probe;
  });

export const portOf = ({ host, isWorkerUp, workerId, activeJobs, problem }: HostProbe): PortSeen => ({
  host,
  kind: isWorkerUp ? 'answers' : problem === 'refused' ? 'refused' : 'silent',
  workerId,
  activeJobs,
  problem,
});
