import type { DeployPhase, Disagreement } from '../contracts/deploy';
import { judgeHealth, type HealthFacts } from './health';
import type { portsOfRoles } from './role-ports';

/** What a host is like after a step, from sources that need not agree. */
export interface HostFacts {
  host: string;
  roles: readonly string[];
  /** Which ports these roles are to answer on. */
  serves: ReturnType<typeof portsOfRoles>;
  /** As `kamal app version` reports it; a role that runs nothing is not in it. Null: nobody could look. */
  versions: readonly RoleVersion[] | null;
  ports: HealthFacts['ports'];
  registry: HealthFacts['registry'];
  /** What the API says of itself; null: it gives no answer. */
  api: { isWell: boolean; says: string } | null;
  /** What the worker's process says of itself; null: it gives no answer. */
  worker: { workerId: string; isRunning: boolean; isDraining: boolean } | null;
  /** A registry row that beats, of the process that answers, which started after the stop. */
  isWorkerFresh: boolean;
}

export interface RoleVersion {
  role: string;
  version: string;
}

export interface HostVerdict {
  host: string;
  isVerified: boolean;
  version: string | null;
  detail: string;
}

/** Does every role of the host run the wanted version, and no other one? Null wants nothing to run; unread versions prove nothing. */
export const judgeVersions = (
  { host, roles, versions }: Pick<HostFacts, 'host' | 'roles' | 'versions'>,
  wanted: string | null,
): HostVerdict => {
  if (versions === null) return { host, isVerified: false, version: null, detail: 'its version could not be read' };
  const running = [...new Set(versions.map(({ version }) => version))];
  const version = running.length === 1 ? (running[0] ?? null) : null;
  const verdict = (detail: string): HostVerdict => ({ host, isVerified: detail === '', version, detail });
  if (running.length > 1) return verdict(versions.map((each) => `${each.role} runs ${each.version}`).join(', '));
  if (version !== wanted) return verdict(`${version ?? 'nothing'} runs instead of ${wanted ?? 'nothing'}`);
  const missing = wanted === null ? [] : roles.filter((role) => !versions.some((each) => each.role === role));
  return verdict(missing.length === 0 ? '' : `${missing.join(' and ')} does not run`);
};

/** And is it healthy, in a new process? `isRestarted: false`: the process may be one that was there before, in whatever state somebody had put it. */
export const judgeHost = (seen: HostFacts, wanted: string | null, { isRestarted = true }: { isRestarted?: boolean } = {}): HostVerdict => {
  const byVersion = judgeVersions(seen, wanted);
  if (!byVersion.isVerified) return byVersion;
  const verdict = (isVerified: boolean, detail: string): HostVerdict => ({ ...byVersion, isVerified, detail });
  if (wanted === null) return verdict(true, 'nothing runs there, as before');

  const { hasApi, hasWorker } = seen.serves;
  // What a host is not meant to run is not missed there.
  const ports = seen.ports === null ? null : { isApiUp: seen.ports.isApiUp || !hasApi, isWorkerUp: seen.ports.isWorkerUp || !hasWorker };
  const { health, reason } = judgeHealth({ ports: hasApi || hasWorker ? ports : allUp, registry: hasWorker ? seen.registry : 'beating' });
  if (health !== 'healthy') return verdict(false, `${health}: ${reason}`);
  const problem = (hasApi ? findApiProblem(seen) : null) ?? (hasWorker ? findWorkerProblem(seen, isRestarted) : null);
  return problem === null ? verdict(true, describeVerified(seen, wanted, isRestarted)) : verdict(false, problem);
};

const allUp = { isApiUp: true, isWorkerUp: true };

/** Any answer says that the port is open, which is all that the fleet's health asks for; a version that calls itself ill is not verified. */
const findApiProblem = ({ api }: HostFacts): string | null => {
  if (api === null) return 'the API does not say how it is';
  return api.isWell ? null : `the API ${api.says}`;
};

const findWorkerProblem = ({ worker, isWorkerFresh }: HostFacts, isRestarted: boolean): string | null => {
  if (!isRestarted) return null;
  if (worker === null) return 'the worker does not say how it is';
  const { workerId, isRunning, isDraining } = worker;
  if (!isRunning) return `worker ${workerId} says that it does not run (is_running: false)`;
  if (isDraining) return `worker ${workerId} is draining`;
  return isWorkerFresh ? null : `worker ${workerId} has not registered since the stop`;
};

/** All that was looked at, for whoever reads what "verified" means. */
const describeVerified = ({ serves: { hasApi, hasWorker }, api, worker }: HostFacts, wanted: string, isRestarted: boolean): string =>
  [
    `${wanted} runs`,
    ...(hasApi && api !== null ? [`the API ${api.says}`] : []),
    ...(hasWorker && worker !== null && isRestarted
      ? [`worker ${worker.workerId} is running, not draining, and has registered since the stop`]
      : []),
    ...(hasWorker && !isRestarted ? ['its workers beat'] : []),
    ...(hasApi || hasWorker ? [] : ['its roles serve no port that could be asked']),
  ].join('; ');

/** Where an exit code and the hosts report different things: it never decides, and is always reported. */
export const findDisagreements = ({
  phase,
  exit,
  verdicts,
}: {
  phase: DeployPhase;
  /** What Kamal said of its own step; null where it was not run. */
  exit: { isSuccess: boolean; detail: string } | null;
  verdicts: readonly HostVerdict[];
}): Disagreement[] => {
  if (exit === null) return [];
  const unverified = verdicts.filter(({ isVerified }) => !isVerified);
  if (exit.isSuccess) return unverified.map(({ host, detail }) => ({ phase, host, expected: 'Kamal reported success', found: detail }));
  if (unverified.length > 0) return [];
  return [{ phase, host: null, expected: `Kamal reported a failure (${exit.detail})`, found: 'every host runs what it should' }];
};
