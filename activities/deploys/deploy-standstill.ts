import type { DeployHost, DeployLock } from '../../src/contracts/deploy';
import { recordAct } from '../../src/db/audit';
import { isLockOf } from '../../src/domain/deploy-lock';
import { findForeignChange } from '../../src/domain/deploy-plan';
import type { DeployDeps } from './deploy-deps';
import { inspectLock, inspectVersions } from './deploy-inspect';
import { describeHolder, takeLock } from './deploy-lock';
import type { StepRun } from './deploy-step';

/** The lock is not ours, or was not for a while: this run of the step ends, and the next one begins with what is in the row. */
class LockLostError extends Error {
  override readonly name = 'LockLostError';
}

/** A step that changes hosts. While the deploy stands still it waits instead; each change of that is answered, for people to see. */
export const underLock = async (deps: DeployDeps, run: StepRun, step: () => Promise<void>): Promise<void> => {
  try {
    if (run.deploy.standstill !== null) await untilOurs(deps, run);
    await step();
  } catch (error) {
    if (!(error instanceof LockLostError)) throw error;
  }
};

/**
 * Before a command that changes a host: is the lock still the one that this deploy took? Kamal does not look under KAMAL_LOCK, and anybody may release it
 * (kamal §4). Where it cannot be looked at this throws, but for the last try of a way back, `isLastTry`: nobody can take a lock on a host that does not
 * answer, and hosts that run nothing wait.
 */
export const mustHoldLock = async (deps: DeployDeps, run: StepRun, { isLastTry = false } = {}): Promise<void> => {
  const seen = await inspectLock(run);
  if (seen.kind === 'unknown') {
    const problem = `the lock could not be looked at: ${seen.problem}`;
    if (!isLastTry) throw new Error(problem);
    return await run.log.say(`${problem}; goes on without, since nobody can take it there`);
  }
  if (seen.kind === 'held' && isLockOf(run.deploy, seen.lock)) {
    if (run.deploy.lockAt !== seen.lock.at) await run.move({ lockAt: seen.lock.at });
    return;
  }
  await stand(deps, run, seen.kind === 'held' ? describeForeign(run, seen.lock) : 'the lock was released by somebody');
  throw new LockLostError();
};

export const isLockLost = (error: unknown): boolean => error instanceof LockLostError;

const untilOurs = async (deps: DeployDeps, run: StepRun): Promise<never> => {
  for (;;) {
    const seen = await inspectLock(run, { isLogged: false });
    if (seen.kind === 'held' && !isLockOf(run.deploy, seen.lock)) {
      if (await stand(deps, run, describeForeign(run, seen.lock))) throw new LockLostError();
    } else if (seen.kind !== 'unknown') {
      await regain(deps, run);
      throw new LockLostError();
    }
    await run.pause(deps.limits.deployLockEveryMs);
  }
};

/** False: that is known already. */
const stand = async ({ pool }: DeployDeps, run: StepRun, detail: string): Promise<boolean> => {
  const { deployId, standstill } = run.deploy;
  if (standstill?.detail === detail) return false;
  await recordAct(pool, { ...by, act: 'deploy_lock_lost', subject: deployId, detail: { holder: detail } });
  await run.log.say(`${detail}; no host is changed until it is free again`);
  await run.move({ standstill: { since: standstill?.since ?? new Date().toISOString(), detail } });
  return true;
};

const by = { actor: 'yardmaster', source: 'deployer', address: null, subjectKind: 'deploy' } as const;

/** Whoever had it may have changed the hosts, so the plan counts only where they are as the deploy left them. */
const regain = async (deps: DeployDeps, run: StepRun): Promise<void> => {
  const taken = await takeLock(deps, run);
  if (taken.kind === 'refused') {
    if (taken.lock === null) throw new Error(taken.problem);
    await stand(deps, run, describeForeign(run, taken.lock));
    return;
  }
  const { deployId, hosts, direction, resolvedVersion, version } = run.deploy;
  await run.log.say('the lock is ours again');
  await recordAct(deps.pool, { ...by, act: 'deploy_lock_regained', subject: deployId, detail: {} });
  const seen = await inspectVersions(
    run,
    hosts.map(({ host }) => host),
  );
  const changed = hosts.flatMap((host) => {
    const versions = seen.get(host.host)?.versions ?? null;
    const detail = findForeignChange(host, versions, resolvedVersion ?? version);
    return detail === null ? [] : [{ host: host.host, state: stateOfChanged(host), versionNow: versions?.[0]?.version ?? null, detail }];
  });
  const isOver = changed.length > 0 && direction === 'forward';
  const detail = `changed while the lock was not ours: ${changed.map((each) => `${each.host}: ${each.detail}`).join('; ')}`;
  await run.move(
    {
      lockAt: taken.at,
      standstill: null,
      ...(isOver ? { phase: 'compensate' as const, direction: 'back' as const, detail } : {}),
    },
    changed,
  );
};

/** A host that this deploy has not touched is none that it puts back. */
const stateOfChanged = ({ state }: DeployHost): DeployHost['state'] => (state === 'waiting' || state === 'held' ? state : 'failed');

const describeForeign = ({ deploy }: StepRun, lock: DeployLock): string =>
  lock.deployId === deploy.deployId
    ? `the lock has our words and was taken anew, at ${lock.at} and not at ${deploy.lockAt}: it is held by ${describeHolder(lock)}`
    : `the lock is held by ${describeHolder(lock)}`;
