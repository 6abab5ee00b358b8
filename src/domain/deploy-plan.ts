import type { DeployHost, DeployOutcome, DeployPhase, DeployStrategy, DeployView } from '../contracts/deploy';
import { judgeVersions, type RoleVersion } from './deploy-verify';

/** What the rules of a deploy look at; a DeployView is one. */
export type DeployFacts = Pick<
  DeployView,
  'phase' | 'direction' | 'strategy' | 'isDryRun' | 'approvedBy' | 'cancelRequestedBy' | 'checks' | 'hosts'
>;

/** The canary first, then batches of the wanted size. The first host, which carries Kamal's lock, goes first. */
export const planBatches = <Host extends { host: string }>(
  hosts: readonly Host[],
  { canaryHosts, batchHosts }: Pick<DeployStrategy, 'canaryHosts' | 'batchHosts'>,
): (Host & { batch: number })[] => {
  const canary = Math.min(canaryHosts, hosts.length);
  const size = batchHosts === 0 ? Math.max(1, hosts.length) : batchHosts;
  const firstAfter = canary === 0 ? 0 : 1;
  return hosts.map((host, index) => ({ ...host, batch: index < canary ? 0 : firstAfter + Math.floor((index - canary) / size) }));
};

/** The hosts of the batch whose turn it is: the first one that is not verified as a whole; none when all are. */
export const currentBatch = (hosts: readonly DeployHost[]): DeployHost[] => {
  const open = hosts.filter(({ state }) => state !== 'verified').map(({ batch }) => batch);
  return hosts.filter(({ batch }) => batch === Math.min(...open));
};

/** The batch that was verified last, which is what a soak watches. */
export const lastVerifiedBatch = (hosts: readonly DeployHost[]): DeployHost[] => {
  const verified = hosts.filter(({ state }) => state === 'verified').map(({ batch }) => batch);
  return hosts.filter(({ batch }) => batch === Math.max(...verified));
};

/** Where a deploy goes whose phase has done its part. */
export const phaseAfter = (deploy: DeployFacts): DeployPhase => {
  switch (deploy.phase) {
    case 'accepted':
      return 'preflight';
    case 'preflight':
      if (deploy.isDryRun) return 'release';
      return deploy.strategy.needsApproval && deploy.approvedBy === null ? 'approval' : 'hold';
    case 'approval':
      // Hours may have passed: everything is looked at again.
      return 'preflight';
    case 'hold':
      return 'drain';
    case 'drain':
      return 'lock';
    case 'lock':
      return 'stop';
    case 'stop':
      return 'deploy';
    case 'deploy':
      return 'verify';
    case 'verify':
      return mustSoak(deploy) ? 'soak' : nextBatchOrRelease(deploy);
    case 'soak':
      return nextBatchOrRelease(deploy);
    case 'compensate':
      return 'release';
    case 'release':
    case 'done':
      return 'done';
  }
};

const mustSoak = ({ strategy, hosts }: DeployFacts): boolean =>
  strategy.canaryHosts > 0 && strategy.soakSeconds > 0 && lastVerifiedBatch(hosts)[0]?.batch === 0;

const nextBatchOrRelease = ({ hosts }: DeployFacts): DeployPhase => (currentBatch(hosts).length > 0 ? 'stop' : 'release');

/** Phases at which a cancel or a failure turns the deploy around; later it has ended in all but name, and is only noted. */
export const canCompensate = ({ phase, direction }: Pick<DeployFacts, 'phase' | 'direction'>): boolean =>
  direction === 'forward' && phase !== 'release' && phase !== 'done';

/** Where a deploy goes that cannot, or must not, go on. */
export const compensationPhase = ({ hosts }: Pick<DeployFacts, 'hosts'>): DeployPhase =>
  touchedHosts(hosts).length > 0 ? 'compensate' : 'release';

/** A host counts as touched before its stop begins, so that a deployer killed in the middle leaves none out. */
export const touchedHosts = (hosts: readonly DeployHost[]): DeployHost[] => hosts.filter(({ state }) => isTouched[state]);

const isTouched: Record<DeployHost['state'], boolean> = {
  waiting: false,
  held: false,
  stopped: true,
  deployed: true,
  verified: true,
  failed: true,
  put_back: false,
};

/** Touched, and neither the new version nor the one before is verified there. */
export const illHosts = (hosts: readonly DeployHost[]): DeployHost[] => touchedHosts(hosts).filter(({ state }) => state !== 'verified');

/** Those of them that nobody has seen running anything whole: they are helped first. */
export const helplessHosts = (hosts: readonly DeployHost[]): DeployHost[] => illHosts(hosts).filter(({ state }) => state !== 'deployed');

/** Hosts that run the new version, the last batch first: what takes them back takes no more of them at once than the strategy did. */
export const batchesToTakeBack = (hosts: readonly DeployHost[]): string[][] => {
  const running = hosts.filter(({ state }) => state === 'verified' || state === 'deployed');
  const batches = [...new Set(running.map(({ batch }) => batch))].toSorted((a, b) => b - a);
  return batches.map((number) => running.filter(({ batch }) => batch === number).map(({ host }) => host));
};

/** A host that cannot be helped keeps the fleet mixed, whatever becomes of the healthy ones; a person who cancelled wants the version before all the same. */
export const mustKeepVerified = ({
  strategy,
  cancelRequestedBy,
  hosts,
}: Pick<DeployFacts, 'strategy' | 'cancelRequestedBy' | 'hosts'>): boolean =>
  helplessHosts(hosts).length > 0 && strategy.onMixedFleet === 'keep_verified' && cancelRequestedBy === null;

/** Touched hosts to put back, those that ran the same version together: Kamal starts one version at a time. */
export const planCompensation = (hosts: readonly DeployHost[]): { versionBefore: string | null; hosts: string[] }[] => {
  const versions = [...new Set(touchedHosts(hosts).map(({ versionBefore }) => versionBefore))];
  return versions.map((versionBefore) => ({
    versionBefore,
    hosts: touchedHosts(hosts)
      .filter((host) => host.versionBefore === versionBefore)
      .map(({ host }) => host),
  }));
};

/**
 * What a touched host needs on the way back, by what it runs. `foreign`: a version that this deploy neither found nor brought, so somebody else put it
 * there, and it is left alone. `unread`: nobody could look, so nothing is done to it.
 */
export const judgeWayBack = ({
  running,
  roles,
  wanted,
  versionBefore,
}: {
  running: readonly RoleVersion[] | null;
  roles: readonly string[];
  wanted: string;
  versionBefore: string | null;
}): 'unread' | 'foreign' | 'is_back' | 'start' => {
  if (running === null) return 'unread';
  if (running.some(({ version }) => version !== wanted && version !== versionBefore)) return 'foreign';
  return judgeVersions({ host: '', roles, versions: running }, versionBefore).isVerified ? 'is_back' : 'start';
};

/** After a time without the lock: what a host runs that the deploy did not leave there. Null: all is as it was left, or nobody could look. */
export const findForeignChange = (
  { state, versionBefore, roles, host }: Pick<DeployHost, 'state' | 'versionBefore' | 'roles' | 'host'>,
  running: readonly RoleVersion[] | null,
  wanted: string,
): string | null => {
  if (running === null) return null;
  const isForeign = judgeWayBack({ running, roles, wanted, versionBefore }) === 'foreign';
  if (state === 'verified' || state === 'waiting' || state === 'held') {
    const verdict = judgeVersions({ host, roles, versions: running }, state === 'verified' ? wanted : versionBefore);
    return verdict.isVerified ? null : verdict.detail;
  }
  return isForeign ? judgeVersions({ host, roles, versions: running }, wanted).detail : null;
};

/** Checks whose refusal has an outcome of its own; every other one refuses the deploy. */
const endingChecks = { approval: 'rejected', drain: 'aborted' } as const satisfies Record<string, DeployOutcome>;

/** How a deploy has ended, from what is in its rows when everything is released. */
export const outcomeOf = (deploy: DeployFacts): DeployOutcome => {
  if (deploy.direction === 'forward') return deploy.isDryRun ? 'planned' : 'succeeded';
  if (touchedHosts(deploy.hosts).length > 0) return 'broken';
  if (deploy.hosts.some(({ state }) => state === 'put_back')) return 'rolled_back';
  const refusal = deploy.checks.find(({ isOk }) => !isOk)?.check;
  if (refusal === 'approval' || refusal === 'drain') return endingChecks[refusal];
  return refusal === undefined && deploy.cancelRequestedBy !== null ? 'cancelled' : 'refused';
};
