import type { DeployView } from '../../src/contracts/deploy';
import { listJobsOnHosts } from '../../src/db/deploys/deploy-fleet';
import { notNamed, toInterrupted } from '../../src/domain/deploy-drain';
import {
  batchesToTakeBack,
  helplessHosts,
  judgeWayBack,
  mustKeepVerified,
  phaseAfter,
  planCompensation,
} from '../../src/domain/deploy-plan';
import type { HostVerdict } from '../../src/domain/deploy-verify';
import { appStart, appStop, deployVersion, hostByHost } from '../../src/kamal/commands';
import { moveTo, stopHosts, wakeInterrupted, wantedVersion } from './deploy-batches';
import type { DeployDeps } from './deploy-deps';
import { holdAgain } from './deploy-drain';
import { findSilent, inspectVersions, judgeVersionsOf, rolesOf } from './deploy-inspect';
import { isLockLost, mustHoldLock, underLock } from './deploy-standstill';
import { messageOf, type DeployRef, type RunStep, type StepRun } from './deploy-step';
import { untilVerified } from './deploy-verify';

export const createCompensateActivities = (deps: DeployDeps, runStep: RunStep) => ({
  /**
   * Puts the version before back, verified, each host on what is known of it: first where nothing whole runs, then, batch by batch, where the new version
   * does. Where a host cannot be helped, the healthy ones keep what they run unless the deploy was told otherwise.
   */
  async putBackHosts({ deployId }: DeployRef): Promise<DeployView> {
    return await runStep(deployId, ['compensate'], async (run) => {
      await underLock(deps, run, async () => {
        await holdAgain(deps, run);
        const helpless = helplessHosts(run.deploy.hosts).map(({ host }) => host);
        await bringBack(deps, run, helpless);
        for (const batch of batchesToTakeBack(run.deploy.hosts)) await takeBack(deps, run, batch);
        await run.move({ phase: phaseAfter(run.deploy) });
      });
    });
  },
});

/** A batch that runs the new version. No host of it is stopped for one that cannot be helped, nor without the lock. */
const takeBack = async (deps: DeployDeps, run: StepRun, batch: readonly string[]): Promise<void> => {
  const silent = findSilent(await inspectVersions(run, batch));
  const answering = batch.filter((host) => !silent.some((each) => each.host === host));
  await run.move(
    {},
    silent.map(({ host, problem }) => ({ host, state: 'failed' as const, detail: problem })),
  );
  if (!mustKeepVerified(run.deploy)) {
    const problem = await findLockProblem(deps, run);
    if (problem === null) return await bringBack(deps, run, batch);
    return await run.log.say(`${batch.join(', ')} stay as they are: ${problem}`);
  }
  const unproven = run.deploy.hosts.filter(({ host, state }) => answering.includes(host) && state === 'deployed').map(({ host }) => host);
  if (unproven.length > 0) {
    const verdicts = await untilVerified(deps, run, unproven, () => wantedVersion(run.deploy));
    await run.move(
      {},
      verdicts.map(({ host, version, detail, isVerified }) => ({
        host,
        state: isVerified ? ('verified' as const) : ('failed' as const),
        versionNow: version,
        detail: isVerified ? '' : detail,
      })),
    );
    await bringBack(
      deps,
      run,
      verdicts.filter(({ isVerified }) => !isVerified).map(({ host }) => host),
    );
  }
  const kept = run.deploy.hosts.filter(({ host, state }) => answering.includes(host) && state === 'verified').map(({ host }) => host);
  if (kept.length > 0)
    await run.log.say(`${kept.join(', ')}: ${wantedVersion(run.deploy)} is verified there and stays, since not every host can be helped`);
};

/** Null: it is ours. */
const findLockProblem = async (deps: DeployDeps, run: StepRun): Promise<string | null> => {
  try {
    await mustHoldLock(deps, run);
    return null;
  } catch (error) {
    if (isLockLost(error) || run.signal.aborted || deps.draining.aborted) throw error;
    return messageOf(error);
  }
};

/**
 * The first try looks first, so that what runs already is left alone; where it runs and is not healthy, the next ones start it anew. After some tries a
 * person is needed, and the hosts say so.
 */
const bringBack = async (deps: DeployDeps, run: StepRun, hosts: readonly string[]): Promise<void> => {
  const { deployCompensateTries: tries, deployCompensateRetryMs: retryMs } = deps.limits;
  const plan = (): ReturnType<typeof planCompensation> => planCompensation(run.deploy.hosts.filter(({ host }) => hosts.includes(host)));
  for (let attempt = 1; plan().length > 0; attempt++) {
    for (const group of plan()) {
      const verdicts = await putBack(deps, run, { ...group, mayRunAlready: attempt === 1, isLastTry: attempt === tries });
      await run.move(
        {},
        verdicts.map(({ host, version, detail, isVerified }) => ({
          host,
          state: isVerified ? ('put_back' as const) : ('failed' as const),
          versionNow: version,
          detail,
        })),
      );
    }
    if (plan().length === 0 || attempt === tries) return;
    await run.log.say(`not all are back; tries again in ${retryMs / 1_000} s (${attempt} of ${tries})`);
    await run.pause(retryMs);
  }
};

interface PutBackOrder {
  versionBefore: string | null;
  hosts: string[];
  mayRunAlready: boolean;
  isLastTry: boolean;
}

const putBack = async (deps: DeployDeps, run: StepRun, order: PutBackOrder): Promise<HostVerdict[]> => {
  const { hosts, versionBefore } = order;
  try {
    const { fit, unfit } = await startBefore(deps, run, order);
    const verified = fit.length === 0 ? [] : await untilVerified(deps, run, fit, () => versionBefore, { isRestarted: false });
    return [...verified, ...unfit];
  } catch (error) {
    // A cancel is none here, and a shutdown leaves it to the next deployer.
    if (isLockLost(error) || run.signal.aborted || deps.draining.aborted) throw error;
    await run.log.say(`${hosts.join(', ')} not back yet: ${messageOf(error)}`);
    return hosts.map((host) => unverified({ host, problem: messageOf(error) }));
  }
};

const unverified = ({ host, problem }: { host: string; problem: string }, version: string | null = null): HostVerdict => ({
  host,
  isVerified: false,
  version,
  detail: problem,
});

/**
 * Starts the version before where it does not run. Each host answers for itself: `unfit` are those that could not be looked at or stopped, and those that
 * run what somebody else has put there.
 */
const startBefore = async (
  deps: DeployDeps,
  run: StepRun,
  { versionBefore, hosts, mayRunAlready, isLastTry }: PutBackOrder,
): Promise<{ fit: string[]; unfit: HostVerdict[] }> => {
  const seen = await inspectVersions(run, hosts);
  const judged = hosts.map((host) => {
    const running = seen.get(host)?.versions ?? null;
    return { host, is: judgeWayBack({ running, roles: rolesOf(run, host), wanted: wantedVersion(run.deploy), versionBefore }) };
  });
  const pick = (...kinds: (typeof judged)[number]['is'][]): string[] =>
    judged.filter(({ is }) => kinds.includes(is)).map(({ host }) => host);
  const untouchable = judgeVersionsOf(run, pick('unread', 'foreign'), seen, versionBefore);
  const wanted = mayRunAlready ? pick('start') : pick('start', 'is_back');
  const rest = mayRunAlready ? pick('is_back') : [];
  if (wanted.length === 0) return { fit: rest, unfit: untouchable };

  await mustHoldLock(deps, run, { isLastTry });
  await nameJobs(deps, run, wanted);
  // Before it happens, as on the way forward: what is found half done is helped first.
  await run.move({}, moveTo(wanted, 'stopped', 'is being put back'));
  const stuck = await stopHosts(deps, run, wanted, hostByHost(appStop, wanted));
  const stopped = wanted.filter((host) => !stuck.some((each) => each.host === host));
  await wakeInterrupted(deps, run, stopped);
  if (versionBefore !== null && stopped.length > 0) await startVersionBefore(deps, run, { versionBefore, hosts: stopped, isLastTry });
  return { fit: [...rest, ...stopped], unfit: [...untouchable, ...stuck.map((each) => unverified(each))] };
};

/** The container before is still there as a rule, and its start is the shortest way; else its image is deployed again. */
const startVersionBefore = async (
  deps: DeployDeps,
  run: StepRun,
  { versionBefore, hosts, isLastTry }: { versionBefore: string; hosts: string[]; isLastTry: boolean },
): Promise<void> => {
  await mustHoldLock(deps, run, { isLastTry });
  await run.kamal(hostByHost((some) => appStart(versionBefore, some), hosts));
  const verdicts = judgeVersionsOf(run, hosts, await inspectVersions(run, hosts), versionBefore);
  const left = verdicts.filter(({ isVerified }) => !isVerified).map(({ host }) => host);
  if (left.length === 0) return;
  await mustHoldLock(deps, run, { isLastTry });
  await stopHosts(deps, run, left, hostByHost(appStop, left));
  await mustHoldLock(deps, run, { isLastTry });
  await run.kamal(hostByHost((some) => deployVersion(versionBefore, some), left));
};

/** There are some only where a hold had lapsed: the way back does not wait for them, and says which they are. */
const nameJobs = async ({ pool }: DeployDeps, run: StepRun, hosts: readonly string[]): Promise<void> => {
  const late = notNamed(await listJobsOnHosts(pool, hosts), run.deploy.interruptedJobs);
  if (late.length === 0) return;
  await run.log.say(`the way back interrupts ${late.map(({ jobId }) => jobId).join(', ')}`);
  await run.move({ addInterruptedJobs: late.map(toInterrupted) });
};
