import type { DeployCheck, DeployLock, DeployView } from '../../src/contracts/deploy';
import { makeKamalDeployId } from '../../src/contracts/ids';
import { isDeployLive } from '../../src/db/deploys/destinations';
import { isSuccess } from '../../src/domain/child-end';
import { compensationPhase, phaseAfter } from '../../src/domain/deploy-plan';
import { isLockOf, makeLockMessage, parseLockMessage } from '../../src/domain/deploy-lock';
import { lockAcquire, lockRelease } from '../../src/kamal/commands';
import type { DeployDeps } from './deploy-deps';
import { describeEnd, inspectLock, type LockState } from './deploy-inspect';
import type { DeployRef, RunStep, StepRun } from './deploy-step';

export const createLockActivities = (deps: DeployDeps, runStep: RunStep) => ({
  /** Taken just before the first stop, so that a long drain blocks no emergency fix; every later step runs under it. */
  async lockDestination({ deployId }: DeployRef): Promise<DeployView> {
    return await runStep(deployId, ['lock'], async (run) => {
      const taken = await takeLock(deps, run);
      if (taken.kind === 'taken') return await run.move({ phase: phaseAfter(run.deploy), lockAt: taken.at });
      const check: DeployCheck = { check: 'lock', host: null, isOk: false, detail: taken.problem };
      await run.move({
        phase: compensationPhase(run.deploy),
        direction: 'back',
        detail: taken.problem,
        checks: [...run.deploy.checks.filter((each) => each.check !== 'lock'), check],
      });
    });
  },
});

/** `lock`: who has it instead; null where nobody has, or nobody could look. */
type Taken = { kind: 'taken'; at: string | null } | { kind: 'refused'; problem: string; lock: DeployLock | null };

/** Kamal's answer is not believed, the lock itself is inspected. */
export const takeLock = async (deps: DeployDeps, run: StepRun): Promise<Taken> => {
  const { deployId, resolvedVersion, version } = run.deploy;
  const message = makeLockMessage({ installation: deps.installation, workflowId: makeKamalDeployId(run.deploy), deployId });
  // The moment of the one before would make a stranger's of it, for whoever finds this row after a kill.
  if (run.deploy.lockAt !== null) await run.move({ lockAt: null });
  const primary = (await run.open()).destination.hosts.slice(0, 1).map(({ host }) => host);
  const acquire = async (): Promise<{ seen: LockState; kamalAnswer: string }> => {
    const command = lockAcquire({ message, version: resolvedVersion ?? version, hosts: primary });
    const ended = await run.kamal(command, { isQuick: true, hasLock: false });
    return { seen: await inspectLock(run), kamalAnswer: describeEnd(ended) };
  };
  let { seen, kamalAnswer } = await acquire();
  if (await isLeftBehind(deps, run.deploy, seen)) {
    await run.log.say('takes over the lock of a deploy of ours that has ended');
    await run.kamal(lockRelease(), { isQuick: true, hasLock: false });
    ({ seen, kamalAnswer } = await acquire());
  }
  if (seen.kind === 'free') return { kind: 'refused', problem: `Kamal did not take the lock: ${kamalAnswer}`, lock: null };
  if (seen.kind === 'unknown') return { kind: 'refused', problem: `the lock could not be looked at: ${seen.problem}`, lock: null };
  if (isLockOf(run.deploy, seen.lock)) return { kind: 'taken', at: seen.lock.at };
  return { kind: 'refused', problem: `the lock is held by ${describeHolder(seen.lock)}`, lock: seen.lock };
};

/** Gives the lock back if it is this deploy's. Null when it is free, or somebody else's, whose it stays: Kamal would release that too. */
export const giveLockBack = async (run: StepRun): Promise<string | null> => {
  const seen = await inspectLock(run);
  if (seen.kind === 'free') return null;
  if (seen.kind === 'unknown') return `the lock could not be looked at: ${seen.problem}`;
  if (!isLockOf(run.deploy, seen.lock)) return null;
  const ended = await run.kamal(lockRelease(), { isQuick: true, hasLock: false });
  return isSuccess(ended) ? null : `Kamal did not release the lock: ${describeEnd(ended)}`;
};

/** Ours carries the name of a deploy; where that one has ended by our own record, nobody is behind it any more. */
export const isLeftBehind = async (
  { pool, installation }: DeployDeps,
  { deployId }: { deployId: string },
  seen: LockState,
): Promise<boolean> => {
  if (seen.kind !== 'held') return false;
  const holder = parseLockMessage(seen.lock.message);
  if (holder === null || holder.installation !== installation || holder.deployId === deployId) return false;
  return (await isDeployLive(pool, holder.deployId)) === false;
};

export const describeHolder = (lock: DeployLock): string =>
  `${lock.holder}${lock.at === null ? '' : ` since ${lock.at}`} (${lock.message})`;
