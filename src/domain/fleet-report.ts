import { groupBy } from './group-by';
import { isAddress } from './host-address';
import { judgeHealth, portsOf, type Health, type HealthFacts, type ProbeFacts } from './health';

export interface WorkerHealthFacts {
  host: string | null;
  instanceId: string | null;
  status: string;
  isBeating: boolean;
}
export interface HostProbeFacts extends ProbeFacts {
  host: string;
  /** An attempt that has not ended is there, whatever became of its worker's row. */
  hasAttempt: boolean;
}
interface HoldRow {
  host: string;
}

export interface ReportedHost<W, P, H> {
  host: string;
  health: Health;
  reason: string;
  probe: P | null;
  holds: H[];
  workers: W[];
}

/**
 * One entry a host: what its ports said, its workers, the holds that are about it, and its health by the one rule. The fleet is the registry plus the
 * configuration (atm §3); any other machine is in it only as long as something of ours is there, a live attempt or a hold.
 */
export const reportHosts = <W extends WorkerHealthFacts, P extends HostProbeFacts, H extends HoldRow>(rows: {
  workers: readonly W[];
  probes: readonly P[];
  holds: readonly H[];
  /** Addresses of the configured machines. */
  configured: readonly string[];
}): { hosts: ReportedHost<W, P, H>[]; withoutAddress: W[] } => {
  const known = new Set([...rows.configured, ...rows.holds.map(({ host }) => host)]);
  const probed = rows.probes.filter(({ host, hasAttempt }) => hasAttempt || known.has(host));
  const names = new Set([...rows.workers, ...probed].map(({ host }) => host).filter(isAddress));
  const [workersOf, probesOf, holdsOf] = [groupBy(rows.workers, hostOf), groupBy(rows.probes, hostOf), groupBy(rows.holds, hostOf)];
  const hosts = [...names].toSorted().map((host) => {
    const workers = workersOf.get(host) ?? [];
    const probe = probesOf.get(host)?.[0] ?? null;
    const ids = new Set([host, ...workers.flatMap(({ instanceId }) => instanceId ?? [])]);
    return {
      host,
      ...judgeHealth({ ports: portsOf(probe), registry: registryOf(workers) }),
      probe,
      holds: [...ids].flatMap((id) => holdsOf.get(id) ?? []),
      workers,
    };
  });
  return { hosts, withoutAddress: rows.workers.filter(({ host }) => !isAddress(host)) };
};

const hostOf = <Host extends string | null>({ host }: { host: Host }): Host => host;

/**
 * Workers by the health of their host. One that is offline in the registry counts where nobody has taken its place, and its host is offline then. One
 * without an address is offline: it has no port that anybody could ask, and gets no job.
 */
export const countWorkersByHealth = ({
  hosts,
  withoutAddress,
}: {
  hosts: readonly { health: Health; workers: readonly WorkerHealthFacts[] }[];
  withoutAddress: readonly WorkerHealthFacts[];
}): Record<Health, number> => {
  const counts: Record<Health, number> = { healthy: 0, degraded: 0, offline: 0 };
  for (const { health, workers } of hosts) {
    if (workers.length > 0) counts[health] += Math.max(1, workers.filter(({ status }) => status !== 'offline').length);
  }
  counts.offline += withoutAddress.length;
  return counts;
};

/** What the registry says of the workers of one machine. Offline rows beside a worker that beats are those of processes before it (ghosthands §2.3). */
export const registryOf = (workers: readonly WorkerHealthFacts[]): HealthFacts['registry'] => {
  if (workers.length === 0) return 'none';
  const present = workers.filter(({ status }) => status !== 'offline');
  if (present.length === 0) return 'offline';
  const beating = present.filter(({ isBeating }) => isBeating).length;
  if (beating === 0) return 'silent';
  return beating === present.length ? 'beating' : 'some';
};
