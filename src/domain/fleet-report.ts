import { isAddress } from './host-address';
import { judgeHealth, type Health, type HealthFacts } from './health';

export interface FleetWorkerSeen {
  host: string | null;
  instanceId: string | null;
  status: string;
  isBeating: boolean;
}
export interface FleetProbeSeen {
  host: string;
  isFresh: boolean;
  isApiUp: boolean;
  isWorkerUp: boolean;
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

/** One entry a host: what its ports said, its workers, the holds that are about it, and its health by the one rule. */
export const reportHosts = <W extends FleetWorkerSeen, P extends FleetProbeSeen, H extends HoldRow>(rows: {
  workers: readonly W[];
  probes: readonly P[];
  holds: readonly H[];
}): { hosts: ReportedHost<W, P, H>[]; withoutAddress: W[] } => {
  const names = new Set([...rows.workers.map(({ host }) => host), ...rows.probes.map(({ host }) => host)].filter(isAddress));
  const hosts = [...names].toSorted().map((host) => {
    const workers = rows.workers.filter((worker) => worker.host === host);
    const probe = rows.probes.find((each) => each.host === host) ?? null;
    const ids = new Set<string | null>([host, ...workers.map(({ instanceId }) => instanceId)]);
    const ports = probe?.isFresh === true ? { isApiUp: probe.isApiUp, isWorkerUp: probe.isWorkerUp } : null;
    return {
      host,
      ...judgeHealth({ ports, registry: registryOf(workers) }),
      probe,
      holds: rows.holds.filter((hold) => ids.has(hold.host)),
      workers,
    };
  });
  return { hosts, withoutAddress: rows.workers.filter(({ host }) => !isAddress(host)) };
};

/**
 * Workers by the health of their host. One that is offline in the registry counts where nobody has taken its place, and its host is offline then; one
 * without an address is judged by the registry alone.
 */
export const countWorkersByHealth = ({
  hosts,
  withoutAddress,
}: {
  hosts: readonly { health: Health; workers: readonly FleetWorkerSeen[] }[];
  withoutAddress: readonly FleetWorkerSeen[];
}): Record<Health, number> => {
  const counts: Record<Health, number> = { healthy: 0, degraded: 0, offline: 0 };
  for (const { health, workers } of hosts) {
    if (workers.length > 0) counts[health] += Math.max(1, workers.filter(({ status }) => status !== 'offline').length);
  }
  for (const worker of withoutAddress) counts[judgeHealth({ ports: null, registry: registryOf([worker]) }).health] += 1;
  return counts;
};

/** What the registry says of the workers of one machine. Offline rows beside a worker that beats are those of processes before it (ghosthands §5). */
export const registryOf = (workers: readonly FleetWorkerSeen[]): HealthFacts['registry'] => {
  if (workers.length === 0) return 'none';
  const present = workers.filter(({ status }) => status !== 'offline');
  if (present.length === 0) return 'offline';
  const beating = present.filter(({ isBeating }) => isBeating).length;
  if (beating === 0) return 'silent';
  return beating === present.length ? 'beating' : 'some';
};
