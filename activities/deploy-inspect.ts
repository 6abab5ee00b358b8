import type { DeployLock } from '../src/contracts/deploy';
import { readDeployHealth } from '../src/db/deploy-fleet';
import { saveProbes } from '../src/db/workers';
import { isSuccess } from '../src/domain/child-end';
import { judgeHost, judgeVersions, type HostFacts, type HostVerdict, type RoleVersion } from '../src/domain/deploy-verify';
import { appVersion, lockStatus } from '../src/kamal/commands';
import { parseAppVersions, parseLockStatus } from '../src/kamal/output';
import type { KamalEnd } from '../src/kamal/run';
import type { DeployDeps } from './deploy-deps';
import type { StepRun } from './deploy-step';
import { probeHost } from './host-probe';

export type LockState = { kind: 'free' } | { kind: 'held'; lock: DeployLock } | { kind: 'unknown'; problem: string };

/** What the roles of a host run, none where nothing runs; `versions` is null where nobody could look, and `problem` says why. */
export interface RunningOnHost {
  versions: RoleVersion[] | null;
  problem: string;
}
export type RunningVersions = ReadonlyMap<string, RunningOnHost>;

/** Each host by itself: one that is silent hides no other. */
export const inspectVersions = async (run: StepRun, hosts: readonly string[]): Promise<RunningVersions> => {
  if (hosts.length === 0) return new Map();
  return readVersions(hosts, await run.kamal(appVersion(hosts), { isQuick: true }));
};

/** Of `appVersion`. */
export const readVersions = (hosts: readonly string[], { output, answers }: KamalEnd): RunningVersions => {
  const versions = parseAppVersions(output);
  return new Map(
    hosts.map((host): [string, RunningOnHost] => {
      const failed = answers.find((answer) => answer.host === host && !isSuccess(answer));
      if (failed !== undefined) return [host, { versions: null, problem: `its version could not be read: ${describeEnd(failed)}` }];
      const own = versions.filter((each) => each.host === host).map(({ role, version }) => ({ role, version }));
      return [host, { versions: own, problem: '' }];
    }),
  );
};

/** Hosts that nobody could look at, each with why. */
export const findSilent = (seen: RunningVersions): { host: string; problem: string }[] =>
  [...seen].flatMap(([host, { versions, problem }]) => (versions === null ? [{ host, problem }] : []));

export const inspectLock = async (run: Pick<StepRun, 'kamal'>, { isLogged = true } = {}): Promise<LockState> => {
  const ended = await run.kamal(lockStatus(), { isQuick: true, hasLock: false, isLogged });
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
  hosts.map((host) =>
    withProblem(seen, judgeVersions({ host, roles: rolesOf(run, host), versions: seen.get(host)?.versions ?? null }, wanted)),
  );

/** Why nobody could look says more than that nobody could. */
const withProblem = (seen: RunningVersions, verdict: HostVerdict): HostVerdict => {
  const { versions = null, problem = '' } = seen.get(verdict.host) ?? {};
  return versions === null && problem !== '' ? { ...verdict, detail: problem } : verdict;
};

export const rolesOf = (run: StepRun, host: string): string[] => run.deploy.hosts.find((each) => each.host === host)?.roles ?? [];

/** Is the wanted version there, and healthy? */
export const judgeHosts = (
  run: StepRun,
  health: Awaited<ReturnType<typeof readDeployHealth>>,
  versions: RunningVersions,
  wantedOf: (host: string) => string | null,
): HostVerdict[] =>
  health.map((each) => {
    const seen: HostFacts = { ...each, roles: rolesOf(run, each.host), versions: versions.get(each.host)?.versions ?? null };
    return withProblem(versions, judgeHost(seen, wantedOf(each.host)));
  });

/** How a command ended, for a person. */
export const describeEnd = ({ end, error }: Pick<KamalEnd, 'end' | 'error'>): string => {
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
