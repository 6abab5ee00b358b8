import type { DeployLock } from '../../src/contracts/deploy';
import { readDeployHealth } from '../../src/db/deploys/deploy-fleet';
import { saveProbes } from '../../src/db/fleet/workers';
import { isSuccess } from '../../src/domain/child-end';
import { judgeHost, judgeVersions, type HostFacts, type HostVerdict, type RoleVersion } from '../../src/domain/deploy-verify';
import { machineName } from '../../src/domain/machine-name';
import { portsOfRoles } from '../../src/domain/role-ports';
import { appVersion, lockStatus } from '../../src/kamal/commands';
import { parseAppVersions, parseLockStatus } from '../../src/kamal/output';
import type { HangingHook, KamalEnd } from '../../src/kamal/run';
import type { DeployDeps } from './deploy-deps';
import type { StepRun } from './deploy-step';
import { probeHost } from '../fleet/host-probe';

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
  if (!isSuccess(ended)) return { kind: 'unknown', problem: describeEnd(ended) };
  const lock = parseLockStatus(ended.output);
  return lock === null ? { kind: 'free' } : { kind: 'held', lock };
};

/** What a host is like but for the version that runs. */
export type HostHealth = Omit<HostFacts, 'versions'>;

/** Ports, registry rows and what API and worker say of themselves, as of now. */
export const inspectHealth = async (
  { pool, hosts: reader, limits, rolePorts }: DeployDeps,
  run: StepRun,
  hosts: readonly string[],
): Promise<HostHealth[]> => {
  const answers = await Promise.all(
    hosts.map(async (host) => {
      const [probe, api] = await Promise.all([probeHost(reader, host), reader.readApiHealth(host)]);
      return { probe, api };
    }),
  );
  await saveProbes(
    pool,
    answers.map(({ probe }) => ({ ...probe, host: machineName(probe.host) })),
    { jitterMs: limits.processStartJitterMs },
  );
  const seen = await readDeployHealth(pool, run.deploy.deployId, limits);
  return seen.flatMap((each) => {
    const answer = answers.find(({ probe }) => probe.host === each.host);
    if (answer === undefined) return [];
    const roles = rolesOf(run, each.host);
    return [{ ...each, roles, serves: portsOfRoles(roles, rolePorts), api: answer.api, worker: workerOf(answer.probe) }];
  });
};

const workerOf = ({ workerId, isRunning, isDraining }: Awaited<ReturnType<typeof probeHost>>): HostFacts['worker'] =>
  workerId === null || isRunning === null || isDraining === null ? null : { workerId, isRunning, isDraining };

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
  health: readonly HostHealth[],
  versions: RunningVersions,
  wantedOf: (host: string) => string | null,
  how?: Parameters<typeof judgeHost>[2],
): HostVerdict[] =>
  health.map((each) =>
    withProblem(versions, judgeHost({ ...each, versions: versions.get(each.host)?.versions ?? null }, wantedOf(each.host), how)),
  );

/** How a command ended, for a person. */
export const describeEnd = ({ end, error, hook }: Pick<KamalEnd, 'end' | 'error' | 'hook'>): string => {
  if (hook !== null) return describeHook(hook);
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

/** The command waited for it, and nothing is known of what the command itself would have found. */
const describeHook = ({ name, said }: HangingHook): string =>
  `their hook ${name} did not end and was ended${said === '' ? ', it had said nothing' : `; it had said: ${said}`}`;
