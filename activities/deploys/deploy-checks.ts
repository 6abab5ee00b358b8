import type { DeployCheck, DeployHost } from '../../src/contracts/deploy';
import { listUnregisteredHosts } from '../../src/db/deploys/deploy-fleet';
import { isSuccess } from '../../src/domain/child-end';
import { parseLockMessage } from '../../src/domain/deploy-lock';
import { portsOfRoles } from '../../src/domain/role-ports';
import { buildPull, diskSpace, hostByHost } from '../../src/kamal/commands';
import { parseDiskSpace } from '../../src/kamal/output';
import type { KamalEnd } from '../../src/kamal/run';
import type { DeployDeps } from './deploy-deps';
import { describeEnd, inspectLock, type RunningVersions } from './deploy-inspect';
import { describeHolder, isLeftBehind } from './deploy-lock';
import type { StepRun } from './deploy-step';
import { findFleetHosts } from './fleet-hosts';

/** Reached by ssh, each, and with room for an image. A host that does not tell is asked again by itself, so that its own fault is reported. */
export const checkHosts = async ({ limits }: DeployDeps, run: StepRun, hosts: readonly string[]): Promise<DeployCheck[]> => {
  const asked = await run.kamal(diskSpace(hosts), { isQuick: true });
  // It says nothing of the hosts, and asking one by one would only wait for it again.
  if (isHooksFault(asked)) return [{ check: 'hook', host: null, isOk: false, detail: describeEnd(asked) }];
  const answers = parseDiskSpace(asked.output);
  const checks: DeployCheck[] = [];
  for (const host of hosts) {
    const freeMb = answers.find((each) => each.host === host)?.freeMb;
    if (freeMb === undefined) {
      const alone = await run.kamal(diskSpace([host]), { isQuick: true });
      const isOk = isSuccess(alone);
      checks.push({ check: 'ssh', host, isOk, detail: isOk ? 'answers, and does not tell its free space' : describeEnd(alone) });
      continue;
    }
    checks.push({ check: 'ssh', host, isOk: true, detail: 'answers' });
    const detail = `${freeMb} MB free, ${limits.deployDiskFreeMb} MB wanted`;
    checks.push({ check: 'disk', host, isOk: freeMb >= limits.deployDiskFreeMb, detail });
  }
  return checks;
};

const isHooksFault = ({ hook, error }: KamalEnd): boolean => hook !== null || error?.class === 'Kamal::Cli::HookError';

/** Names the machines that keep the version that they have; it never refuses. */
export const checkFleet = async (deps: DeployDeps, { deploy }: StepRun): Promise<DeployCheck> => {
  const { leftOut } = await findFleetHosts(deps, deploy.destination);
  const detail = leftOut.length === 0 ? 'every registered machine takes part' : `offline, and left out: ${leftOut.join(', ')}`;
  return { check: 'fleet', host: null, isOk: true, detail };
};

/** Where something runs and no worker has ever registered, its jobs would be neither held nor waited for: the file and the registry differ in the address. */
export const checkRegistry = async (
  { pool, rolePorts }: DeployDeps,
  hosts: readonly Pick<DeployHost, 'host' | 'roles' | 'versionBefore'>[],
): Promise<DeployCheck[]> => {
  const running = hosts
    .filter(({ roles, versionBefore }) => versionBefore !== null && portsOfRoles(roles, rolePorts).hasWorker)
    .map(({ host }) => host);
  const detail = 'a version runs there, and no worker has ever registered from this address: its jobs would be interrupted unseen';
  return (await listUnregisteredHosts(pool, running)).map((host) => ({ check: 'registry', host, isOk: false, detail }));
};

/** Free, this deploy's, or left by one of ours that has ended. */
export const checkLock = async (deps: DeployDeps, run: StepRun): Promise<DeployCheck> => {
  const seen = await inspectLock(run);
  const lockCheck = (isOk: boolean, detail: string): DeployCheck => ({ check: 'lock', host: null, isOk, detail });
  if (seen.kind === 'free') return lockCheck(true, 'free');
  if (seen.kind === 'unknown') return lockCheck(false, seen.problem);
  if (parseLockMessage(seen.lock.message)?.deployId === run.deploy.deployId) return lockCheck(true, 'ours already');
  if (await isLeftBehind(deps, run.deploy, seen))
    return lockCheck(true, `left behind by a deploy of ours that has ended: ${seen.lock.message}`);
  return lockCheck(false, `held by ${describeHolder(seen.lock)}`);
};

/** What runs now is the way back, and its container is there since it runs: it must be one version. */
export const checkVersionBefore = (hosts: readonly Pick<DeployHost, 'host' | 'versionBefore'>[], before: RunningVersions): DeployCheck[] =>
  hosts.map(({ host, versionBefore }) => {
    const { versions: running = null, problem = '' } = before.get(host) ?? {};
    if (running === null) return { check: 'way_back', host, isOk: false, detail: problem };
    const isOne = new Set(running.map(({ version }) => version)).size <= 1;
    const detail = isOne
      ? versionBefore === null
        ? 'nothing runs there; the way back is to stop'
        : `${versionBefore} runs there`
      : running.map(({ role, version }) => `${role} runs ${version}`).join(', ');
    return { check: 'way_back', host, isOk: isOne, detail };
  });

/**
 * Pulled and its label checked on each host. Kamal removes the local tag before it pulls, so a version that runs there, which is also the way back, is
 * never pulled (kamal §1).
 */
export const checkImages = async (
  run: StepRun,
  hosts: readonly Pick<DeployHost, 'host' | 'versionBefore'>[],
  version: string,
): Promise<DeployCheck[]> => {
  const checks: DeployCheck[] = [];
  const present = hosts.filter(({ versionBefore }) => versionBefore === version).map(({ host }) => host);
  const others = hosts.map(({ host }) => host).filter((host) => !present.includes(host));
  if (present.length > 0)
    checks.push({ check: 'image', host: null, isOk: true, detail: `${version} runs on ${present.join(', ')} already` });
  if (others.length > 0) {
    const ended = await run.kamal(buildPull(version, others));
    if (isSuccess(ended)) checks.push({ check: 'image', host: null, isOk: true, detail: `${version} is pulled on ${others.join(', ')}` });
    else checks.push(...(await pullHostByHost(run, others, version)));
  }
  return checks;
};

/** One host's fault fails the pull on all, so that each is asked again by itself. */
const pullHostByHost = async (run: StepRun, hosts: readonly string[], version: string): Promise<DeployCheck[]> => {
  const { answers } = await run.kamal(hostByHost((some) => buildPull(version, some), hosts));
  return answers.map(({ host, ...answer }) => {
    const isOk = isSuccess(answer);
    return { check: 'image', host, isOk, detail: isOk ? `${version} is pulled` : describeEnd(answer) };
  });
};
