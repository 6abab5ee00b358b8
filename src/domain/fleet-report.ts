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

/** What the registry says of the workers of one machine. Offline rows beside a worker that beats are those of processes before it (ghosthands §5). */
export const registryOf = (workers: readonly FleetWorkerSeen[]): HealthFacts['registry'] => {
  if (workers.length === 0) return 'none';
  const present = workers.filter(({ status }) => status !== 'offline');
  if (present.length === 0) return 'offline';
  const beating = present.filter(({ isBeating }) => isBeating).length;
  if (beating === 0) return 'silent';
  return beating === present.length ? 'beating' : 'some';
};
