import type { DeployCheck, DeployLock, DeployView } from '../src/contracts/deploy';
import { makeKamalDeployId } from '../src/contracts/ids';
import { isDeployLive } from '../src/db/destinations';
import { isSuccess } from '../src/domain/child-end';
import { compensationPhase, phaseAfter } from '../src/domain/deploy-plan';
import { makeLockMessage, parseLockMessage } from '../src/domain/deploy-lock';
import { lockAcquire, lockRelease } from '../src/kamal/commands';
import type { DeployDeps } from './deploy-deps';
import { describeEnd, inspectLock, type LockState } from './deploy-inspect';
import type { DeployRef, RunStep, StepRun } from './deploy-step';

export const createLockActivities = (deps: DeployDeps, runStep: RunStep) => ({
  /** Taken just before the first stop, so that a long drain blocks no emergency fix; every later step runs under it. */
  async lockDestination({ deployId }: DeployRef): Promise<DeployView> {
    return await runStep(deployId, ['lock'], async (run) => {
      const refusal = await takeLock(deps, run);
      if (refusal === null) return await run.move({ phase: phaseAfter(run.deploy) });
      const check: DeployCheck = { check: 'lock', host: null, isOk: false, detail: refusal };
      await run.move({
        phase: compensationPhase(run.deploy),
        direction: 'back',
        detail: refusal,
        checks: [...run.deploy.checks.filter((each) => each.check !== 'lock'), check],
      });
    });
  },
});

/** Null when it is ours; else why it is not. Kamal's answer is not believed, the lock itself is inspected. */
const takeLock = async (deps: DeployDeps, run: StepRun): Promise<string | null> => {
  const { deployId, resolvedVersion, version } = run.deploy;
  const message = makeLockMessage({ installation: deps.installation, workflowId: makeKamalDeployId(run.deploy), deployId });
  const acquire = async (): Promise<{ seen: LockState; kamalAnswer: string }> => {
    const ended = await run.kamal(lockAcquire({ message, version: resolvedVersion ?? version }), { isQuick: true, hasLock: false });
    return { seen: await inspectLock(run), kamalAnswer: describeEnd(ended) };
  };
  let { seen, kamalAnswer } = await acquire();
  if (await isLeftBehind(deps, run.deploy, seen)) {
    await run.log.say('takes over the lock of a deploy of ours that has ended');
    await run.kamal(lockRelease(), { isQuick: true, hasLock: false });
    ({ seen, kamalAnswer } = await acquire());
  }
  if (seen.kind === 'free') return `Kamal did not take the lock: ${kamalAnswer}`;
  if (seen.kind === 'unknown') return `the lock could not be looked at: ${seen.problem}`;
  return isOurs(run.deploy, seen) ? null : `the lock is held by ${describeHolder(seen.lock)}`;
};

/** Gives the lock back if it is this deploy's. Null when it is free, or somebody else's, whose it stays: Kamal would release that too. */
export const giveLockBack = async (run: StepRun): Promise<string | null> => {
  const seen = await inspectLock(run);
  if (seen.kind === 'free') return null;
  if (seen.kind === 'unknown') return `the lock could not be looked at: ${seen.problem}`;
  if (!isOurs(run.deploy, seen)) return null;
  const ended = await run.kamal(lockRelease(), { isQuick: true, hasLock: false });
  return isSuccess(ended) ? null : `Kamal did not release the lock: ${describeEnd(ended)}`;
};

const isOurs = ({ deployId }: DeployView, seen: LockState): boolean =>
  seen.kind === 'held' && parseLockMessage(seen.lock.message)?.deployId === deployId;

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
