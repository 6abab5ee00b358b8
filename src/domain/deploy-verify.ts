import type { DeployPhase, Disagreement } from '../contracts/deploy';
import { judgeHealth, type HealthFacts } from './health';

/** What a host is like after a step, from four sources that need not agree. */
export interface HostFacts {
  host: string;
  roles: readonly string[];
  /** As `kamal app version` reports it; a role that runs nothing is not in it. Null: nobody could look. */
  versions: readonly RoleVersion[] | null;
  ports: HealthFacts['ports'];
  registry: HealthFacts['registry'];
  /** A registry row that beats, of a process that started after the stop. */
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

/** ATM's names (atm §2.4): the primary role serves the API, every other one is a worker. */
const apiRole = 'web';

/** Is a worker among what runs on a host with these roles? */
export const hasWorkerRole = (roles: readonly string[]): boolean => roles.some((role) => role !== apiRole);

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

/** And is it healthy, in a new process? */
export const judgeHost = (seen: HostFacts, wanted: string | null): HostVerdict => {
  const byVersion = judgeVersions(seen, wanted);
  if (!byVersion.isVerified) return byVersion;
  const verdict = (isVerified: boolean, detail: string): HostVerdict => ({ ...byVersion, isVerified, detail });
  if (wanted === null) return verdict(true, 'nothing runs there, as before');

  const hasWorker = hasWorkerRole(seen.roles);
  const hasApi = seen.roles.includes(apiRole);
  // What a host is not meant to run is not missed there.
  const ports = seen.ports === null ? null : { isApiUp: seen.ports.isApiUp || !hasApi, isWorkerUp: seen.ports.isWorkerUp || !hasWorker };
  const { health, reason } = judgeHealth({ ports, registry: hasWorker ? seen.registry : 'beating' });
  if (health !== 'healthy') return verdict(false, `${health}: ${reason}`);
  if (hasWorker && !seen.isWorkerFresh) return verdict(false, 'no worker has registered since the stop');
  return verdict(true, `${wanted} runs and is healthy`);
};

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
