import type { DeployView } from '../src/contracts/deploy';
import { listJobsOnHosts } from '../src/db/deploy-fleet';
import { notNamed, toInterrupted } from '../src/domain/deploy-drain';
import { phaseAfter, planCompensation } from '../src/domain/deploy-plan';
import type { HostVerdict } from '../src/domain/deploy-verify';
import { appStart, deployVersion } from '../src/kamal/commands';
import { stopHosts, wakeInterrupted } from './deploy-batches';
import type { DeployDeps } from './deploy-deps';
import { holdAgain } from './deploy-drain';
import { inspectVersions, judgeVersionsOf } from './deploy-inspect';
import { messageOf, type DeployRef, type RunStep, type StepRun } from './deploy-step';
import { untilVerified } from './deploy-verify';

export const createCompensateActivities = (deps: DeployDeps, runStep: RunStep) => ({
  /**
   * Puts the version before back on every host that was touched, and verifies it. The first try looks first, so that what runs already is left alone; where
   * it runs and is not healthy, the next ones start it anew. After some tries a person is needed, and the hosts say so.
   */
  async putBackHosts({ deployId }: DeployRef): Promise<DeployView> {
    return await runStep(deployId, ['compensate'], async (run) => {
      const { deployCompensateTries: tries, deployCompensateRetryMs: retryMs } = deps.limits;
      await holdAgain(deps, run);
      for (let attempt = 1; ; attempt++) {
        for (const group of planCompensation(run.deploy.hosts)) {
          const verdicts = await putBack(deps, run, { ...group, mayRunAlready: attempt === 1 });
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
        const left = planCompensation(run.deploy.hosts);
        if (left.length === 0 || attempt === tries) break;
        await run.log.say(`not all are back; tries again in ${retryMs / 1_000} s (${attempt} of ${tries})`);
        await run.pause(retryMs);
      }
      await run.move({ phase: phaseAfter(run.deploy) });
    });
  },
});

const putBack = async (
  deps: DeployDeps,
  run: StepRun,
  { versionBefore, hosts, mayRunAlready }: { versionBefore: string | null; hosts: string[]; mayRunAlready: boolean },
): Promise<HostVerdict[]> => {
  try {
    const isThere = mayRunAlready && (await runsAlready(run, hosts, versionBefore));
    if (!isThere) await startBefore(deps, run, { versionBefore, hosts });
    return await untilVerified(deps, run, hosts, () => versionBefore, { isRestarted: false });
  } catch (error) {
    // A cancel is none here, and a shutdown leaves it to the next deployer.
    if (run.signal.aborted || deps.draining.aborted) throw error;
    await run.log.say(`${hosts.join(', ')} not back yet: ${messageOf(error)}`);
    return hosts.map((host) => ({ host, isVerified: false, version: null, detail: messageOf(error) }));
  }
};

/** The container before is still there as a rule, and its start is the shortest way; else its image is deployed again. */
const startBefore = async (
  deps: DeployDeps,
  run: StepRun,
  { versionBefore, hosts }: { versionBefore: string | null; hosts: string[] },
): Promise<void> => {
  await nameJobs(deps, run, hosts);
  const problem = await stopHosts(deps, run, hosts);
  if (problem !== null) throw new Error(problem);
  await wakeInterrupted(deps, run, hosts);
  if (versionBefore === null) return;
  await run.kamal(appStart(versionBefore, hosts));
  if (await runsAlready(run, hosts, versionBefore)) return;
  await stopHosts(deps, run, hosts);
  await run.kamal(deployVersion(versionBefore, hosts));
};

/** There are some only where a hold had lapsed: the way back does not wait for them, and says which they are. */
const nameJobs = async ({ pool }: DeployDeps, run: StepRun, hosts: readonly string[]): Promise<void> => {
  const late = notNamed(await listJobsOnHosts(pool, hosts), run.deploy.interruptedJobs);
  if (late.length === 0) return;
  await run.log.say(`the way back interrupts ${late.map(({ jobId }) => jobId).join(', ')}`);
  await run.move({ addInterruptedJobs: late.map(toInterrupted) });
};

const runsAlready = async (run: StepRun, hosts: readonly string[], version: string | null): Promise<boolean> => {
  return judgeVersionsOf(run, hosts, await inspectVersions(run, hosts), version).every(({ isVerified }) => isVerified);
};
