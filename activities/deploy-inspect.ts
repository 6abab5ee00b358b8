import type { DeployLock } from '../src/contracts/deploy';
import { readDeployHealth } from '../src/db/deploy-fleet';
import { saveProbes } from '../src/db/workers';
import { judgeHost, judgeVersions, type HostFacts, type HostVerdict, type RoleVersion } from '../src/domain/deploy-verify';
import { appVersion, lockStatus } from '../src/kamal/commands';
import { parseAppVersions, parseLockStatus } from '../src/kamal/output';
import type { DeployDeps } from './deploy-deps';
import type { StepRun } from './deploy-step';
import { probeHost } from './host-probe';

export type LockState = { kind: 'free' } | { kind: 'held'; lock: DeployLock } | { kind: 'unknown'; problem: string };

/** What the roles of each host run; null where nobody could look. A host that runs nothing has none. */
export type RunningVersions = Map<string, RoleVersion[]> | null;

export const inspectVersions = async (run: StepRun, hosts: readonly string[]): Promise<RunningVersions> => {
  const ended = await run.kamal(appVersion(hosts), { isQuick: true });
  if (ended.end.kind !== 'exited' || ended.end.code !== 0) return null;
  const versions = parseAppVersions(ended.output);
  return new Map(hosts.map((host) => [host, versions.filter((each) => each.host === host)]));
};

export const inspectLock = async (run: Pick<StepRun, 'kamal'>): Promise<LockState> => {
  const ended = await run.kamal(lockStatus(), { isQuick: true, hasLock: false });
  if (ended.end.kind !== 'exited' || ended.end.code !== 0) return { kind: 'unknown', problem: describeEnd(ended) };
  const lock = parseLockStatus(ended.output);
  return lock === null ? { kind: 'free' } : { kind: 'held', lock };
};

/** Ports and registry rows of these hosts, as of now. */
export const inspectHealth = async (
  { pool, hosts: reader, limits }: DeployDeps,
  run: StepRun,
  hosts: readonly string[],
): Promise<Awaited<ReturnType<typeof readDeployHealth>>> => {
  const probes = await Promise.all(hosts.map(async (host) => await probeHost(reader, host)));
  await saveProbes(pool, probes, { jitterMs: limits.processStartJitterMs });
  return (await readDeployHealth(pool, run.deploy.deployId, limits)).filter(({ host }) => hosts.includes(host));
};

/** Does the wanted version run there, whatever its health? */
export const judgeVersionsOf = (run: StepRun, hosts: readonly string[], seen: RunningVersions, wanted: string | null): HostVerdict[] =>
  hosts.map((host) => judgeVersions({ host, roles: rolesOf(run, host), versions: seen?.get(host) ?? null }, wanted));

const rolesOf = (run: StepRun, host: string): string[] => run.deploy.hosts.find((each) => each.host === host)?.roles ?? [];

/** Is the wanted version there, and healthy? */
export const judgeHosts = (
  run: StepRun,
  health: Awaited<ReturnType<typeof readDeployHealth>>,
  versions: RunningVersions,
  wantedOf: (host: string) => string | null,
): HostVerdict[] =>
  health.map((each) => {
    const seen: HostFacts = { ...each, roles: rolesOf(run, each.host), versions: versions?.get(each.host) ?? null };
    return judgeHost(seen, wantedOf(each.host));
  });

/** How a command ended, for a person. */
export const describeEnd = ({ end, error }: Awaited<ReturnType<StepRun['kamal']>>): string => {
  const reason = error === null ? '' : `: ${error.class}: ${error.message}`;
  switch (end.kind) {
    case 'exited':
      return `exit code ${end.code}${reason}`;
    case 'signalled':
      return `ended by ${end.signal}${reason}`;
    case 'timed_out':
      return 'ran too long and was ended';
    case 'silent':
      return 'was silent for too long and was ended';
    case 'stopped':
      return 'was stopped';
    case 'not_started':
      return `could not be started (${end.problem})`;
    case 'lost':
      return 'was lost with its supervisor';
  }
};
