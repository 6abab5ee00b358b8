import type { Limits } from '../contracts/limits';
import type { SweepItem } from '../contracts/sweep';
import { groupBy } from './group-by';
import { quote } from './host-address';

/** A registry row as it is seen, whatever is in it. Ages are the database's; null where the row says nothing. */
export interface WorkerRow {
  workerId: string;
  status: string;
  /** Where it can be asked (src/domain/host-address.ts); null when nobody knows. */
  host: string | null;
  /** As the registry has it. */
  address: string | null;
  heartbeatAgeMs: number | null;
  registeredAgeMs: number | null;
  /** The heartbeat as Postgres writes it: a repair holds only while it is still this one. */
  beat: string | null;
  /** It names one of our attempts as its present job, and that has ended, or its job has: so long ago. */
  endedJob: { jobId: string; ageMs: number } | null;
}

/** What a host's worker port said in this pass. `refused`: the machine is there and nothing listens. */
export interface PortFacts {
  host: string;
  kind: 'answers' | 'refused' | 'silent';
  workerId: string | null;
  activeJobs: number | null;
  problem: string | null;
}

export interface OfflineRepair {
  workerId: string;
  status: string;
  beat: string;
  reason: 'silent' | 'replaced';
}

export type RegistryLimits = Pick<
  Limits,
  'workerSilentMs' | 'workerReplacedMs' | 'workerHeartbeatFreshMs' | 'clockSkewMs' | 'busyAfterEndMs'
>;

/** Compares the registry with the ports: which rows are put right, and what else a person should know. */
export const sweepRegistry = (
  seen: { workers: readonly WorkerRow[]; ports: readonly PortFacts[] },
  limits: RegistryLimits,
): { offline: OfflineRepair[]; findings: SweepItem[] } => {
  const answering = groupBy(seen.ports, ({ kind, workerId }) => (kind === 'answers' ? workerId : null));
  const portOf = new Map(seen.ports.map((port) => [port.host, port]));
  const newest = newestBeating(seen.workers, limits);
  const findings: SweepItem[] = [];
  const offline: OfflineRepair[] = [];

  for (const port of seen.ports) {
    if (port.kind !== 'answers') findings.push({ finding: 'worker_port_down', subject: port.host, detail: port.problem ?? port.kind });
  }
  for (const [workerId, ports] of answering) {
    if (ports.length > 1) findings.push({ finding: 'twin_workers', subject: workerId, detail: ports.map(({ host }) => host).join(', ') });
  }
  for (const worker of seen.workers) {
    const bad = findBadField(worker, limits);
    if (bad !== null) findings.push({ finding: 'bad_registry_row', subject: worker.workerId, detail: bad });
    const ports = answering.get(worker.workerId) ?? [];
    const isBusy = ports.some(({ activeJobs }) => (activeJobs ?? 0) > 0);
    const { endedJob } = worker;
    if (isBusy && endedJob !== null && endedJob.ageMs > limits.busyAfterEndMs) {
      const detail = `job ${endedJob.jobId}, ended ${seconds(endedJob.ageMs)} ago`;
      findings.push({ finding: 'busy_with_ended_job', subject: worker.workerId, detail });
    }
    if (bad !== null || !isPresent(worker)) continue;
    const dead = isBeating(worker, limits) ? findDeadAddress(worker, ports, portOf) : null;
    if (dead !== null) findings.push({ finding: 'dead_address', subject: worker.workerId, detail: dead });
    if (isBeating(worker, limits) && ports.length === 0 && worker.host !== null && portOf.get(worker.host)?.kind === 'silent') {
      findings.push({ finding: 'deaf_port', subject: worker.workerId, detail: portOf.get(worker.host)?.problem ?? 'no answer' });
    }
    const reason = silence(worker, newest, limits);
    // Never one whose port answers: it lost its way to the database, or its clock is wrong, and lives.
    if (reason !== null && ports.length === 0 && worker.beat !== null) {
      offline.push({ workerId: worker.workerId, status: worker.status, beat: worker.beat, reason });
    }
  }
  return { offline, findings };
};

/**
 * An address is written at registration alone, so that the survivor of two twins beats in a row that names the machine of the other one, and gets no job
 * (ghosthands §2.6).
 */
const findDeadAddress = (
  { workerId, host }: WorkerRow,
  answering: readonly PortFacts[],
  portOf: ReadonlyMap<string, PortFacts>,
): string | null => {
  if (host === null || answering.some((port) => port.host === host)) return null;
  const registered = portOf.get(host);
  const [living] = answering;
  // Refused or silent alone may be a start, or a lost answer; and after a restart under another id somebody else answers there.
  if (registered === undefined || living === undefined) return null;
  return `Restart ${workerId}, so that it registers its own address: its row names ${host}, and it is at ${living.host}`;
};

/** GH reaps `active` rows only, and only while some worker lives; a draining one it never reaps (ghosthands §2.3). */
const silence = (worker: WorkerRow, newest: ReadonlyMap<string, number>, limits: RegistryLimits): OfflineRepair['reason'] | null => {
  const age = worker.heartbeatAgeMs ?? 0;
  if (age > limits.workerSilentMs) return 'silent';
  if (age <= limits.workerReplacedMs || worker.host === null || worker.host !== worker.address) return null;
  return (newest.get(worker.host) ?? Infinity) < (worker.registeredAgeMs ?? 0) ? 'replaced' : null;
};

/** By address, how long ago the newest worker that beats there was registered. */
const newestBeating = (workers: readonly WorkerRow[], limits: RegistryLimits): ReadonlyMap<string, number> => {
  const newest = new Map<string, number>();
  for (const worker of workers) {
    const { host, address, registeredAgeMs, status } = worker;
    if (host === null || host !== address || registeredAgeMs === null || status !== 'active' || !isBeating(worker, limits)) continue;
    newest.set(host, Math.min(newest.get(host) ?? Infinity, registeredAgeMs));
  }
  return newest;
};

/** What cannot be: such a row is reported, and no rule is applied to it. */
const findBadField = ({ status, heartbeatAgeMs, registeredAgeMs }: WorkerRow, { clockSkewMs }: RegistryLimits): string | null => {
  if (!['active', 'draining', 'offline'].includes(status)) return `status: ${quote(status)} is no word of GH`;
  if (status === 'offline') return null;
  if (heartbeatAgeMs === null || !Number.isFinite(heartbeatAgeMs)) return 'last_heartbeat: no moment';
  if (heartbeatAgeMs < -clockSkewMs) return `last_heartbeat: ${seconds(-heartbeatAgeMs)} in the future`;
  return registeredAgeMs === null || !Number.isFinite(registeredAgeMs) ? 'registered_at: no moment' : null;
};

const isPresent = ({ status }: WorkerRow): boolean => status === 'active' || status === 'draining';

const isBeating = ({ heartbeatAgeMs }: WorkerRow, limits: RegistryLimits): boolean =>
  heartbeatAgeMs !== null && heartbeatAgeMs < limits.workerHeartbeatFreshMs && heartbeatAgeMs > -limits.clockSkewMs;

const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`;
