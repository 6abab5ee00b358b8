import type { DeployView } from '../../src/contracts/deploy';
import { markWorkersStopped } from '../../src/db/deploys/deploy-fleet';
import { isSuccess } from '../../src/domain/child-end';
import { compensationPhase, currentBatch, phaseAfter } from '../../src/domain/deploy-plan';
import { findDisagreements } from '../../src/domain/deploy-verify';
import { appStop, deployVersion, type KamalCommand } from '../../src/kamal/commands';
import type { DeployDeps } from './deploy-deps';
import { holdAgain } from './deploy-drain';
import { describeEnd, findSilent, inspectVersions, judgeVersionsOf, type RunningVersions } from './deploy-inspect';
import { mustHoldLock, underLock } from './deploy-standstill';
import type { DeployRef, RunStep, StepRun } from './deploy-step';

export const createBatchActivities = (deps: DeployDeps, runStep: RunStep) => ({
  /** Stops the hosts of the batch whose turn it is, and takes their workers off the registry: nothing may be sent to a process that is gone. */
  async stopBatch({ deployId }: DeployRef): Promise<DeployView> {
    return await runStep(deployId, ['stop'], async (run) => await underLock(deps, run, async () => await stopCurrent(deps, run)));
  },

  /** Starts the version there. What Kamal says of it is compared with what runs, and the hosts are believed. */
  async deployBatch({ deployId }: DeployRef): Promise<DeployView> {
    return await runStep(deployId, ['deploy'], async (run) => await underLock(deps, run, async () => await deployCurrent(deps, run)));
  },
});

const stopCurrent = async (deps: DeployDeps, run: StepRun): Promise<void> => {
  const late = await holdAgain(deps, run);
  if (late.length > 0) {
    // Nobody prolonged the hold for a while, and jobs have come: they are waited for like the others.
    return await run.move({ phase: 'drain', detail: 'jobs came while no deployer held the hosts' });
  }
  const hosts = currentBatch(run.deploy.hosts).map(({ host }) => host);
  const silent = findSilent(await inspectVersions(run, hosts));
  if (silent.length > 0) {
    // None is stopped for one that could not be started again.
    return await run.move(
      { phase: 'compensate', direction: 'back', detail: silent.map(({ host, problem }) => `${host}: ${problem}`).join('; ') },
      silent.map(({ host, problem }) => ({ host, state: 'failed' as const, detail: problem })),
    );
  }
  await mustHoldLock(deps, run);
  // Before it happens: whoever finds this row knows that these may be stopped.
  await run.move({}, moveTo(hosts, 'stopped', 'is being stopped'));
  const left = await stopHosts(deps, run, hosts, appStop(hosts));
  if (left.length > 0) return await compensate(run, left.map(({ host, problem }) => `${host} ${problem}`).join('; '));
  await run.move(
    { phase: phaseAfter(run.deploy) },
    hosts.map((host) => ({ host, state: 'stopped' as const, versionNow: null })),
  );
  await wakeInterrupted(deps, run, hosts);
};

const deployCurrent = async (deps: DeployDeps, run: StepRun): Promise<void> => {
  const hosts = currentBatch(run.deploy.hosts).map(({ host }) => host);
  const version = wantedVersion(run.deploy);
  const exit = await startVersion(deps, run, { hosts, version });
  const seen = await inspectVersions(run, hosts);
  const verdicts = judgeVersionsOf(run, hosts, seen, version);
  const addDisagreements = findDisagreements({ phase: 'deploy', exit, verdicts });
  const wrong = verdicts.filter(({ isVerified }) => !isVerified);
  const kamalAnswer = exit === null || exit.isSuccess ? '' : ` (Kamal: ${exit.detail})`;
  const detail = wrong.length === 0 ? '' : `${wrong.map((each) => `${each.host}: ${each.detail}`).join('; ')}${kamalAnswer}`;
  await run.move(
    wrong.length === 0
      ? { phase: phaseAfter(run.deploy), addDisagreements }
      : { phase: compensationPhase(run.deploy), direction: 'back', detail, addDisagreements },
    verdicts.map((each) => ({
      host: each.host,
      state: each.isVerified ? ('deployed' as const) : ('failed' as const),
      versionNow: each.version,
      detail: each.isVerified ? '' : each.detail,
    })),
  );
};

/** Answers those that still run something, or cannot be looked at; the workers of the others go off the registry. */
export const stopHosts = async (
  deps: DeployDeps,
  run: StepRun,
  hosts: readonly string[],
  command: KamalCommand,
): Promise<{ host: string; problem: string }[]> => {
  const ended = await run.kamal(command);
  const seen = await inspectVersions(run, hosts);
  const left = hosts.flatMap((host) => {
    const { versions = null, problem = '' } = seen.get(host) ?? {};
    if (versions?.length === 0) return [];
    const answer = ended.answers.find((each) => each.host === host) ?? ended;
    return [{ host, problem: `could not be stopped: ${versions === null ? problem : describeEnd(answer)}` }];
  });
  const stopped = hosts.filter((host) => !left.some((each) => each.host === host));
  if (stopped.length === 0) return left;
  const offline = await markWorkersStopped(deps.pool, stopped);
  await run.log.say(`${stopped.join(', ')} stopped; offline in the registry: ${offline.length === 0 ? 'no worker' : offline.join(', ')}`);
  return left;
};

/** Said of a host before its start, so that whoever finds it knows that a start may have been cut off. */
const beingStarted = 'is being started';

/** After a kill the version may run on some hosts already, and would hold the ports of its own second start (kamal §3). Null: it runs everywhere. */
const startVersion = async (
  deps: DeployDeps,
  run: StepRun,
  { hosts, version }: { hosts: readonly string[]; version: string },
): Promise<{ isSuccess: boolean; detail: string } | null> => {
  const isSecondTry = run.deploy.hosts.some(({ host, detail }) => hosts.includes(host) && detail === beingStarted);
  if (isSecondTry) {
    const seen = await inspectVersions(run, hosts);
    if (judgeVersionsOf(run, hosts, seen, version).every(({ isVerified }) => isVerified)) return null;
    if (runsAnything(seen)) {
      await mustHoldLock(deps, run);
      await stopHosts(deps, run, hosts, appStop(hosts));
    }
  }
  await mustHoldLock(deps, run);
  await run.move({}, moveTo(hosts, 'stopped', beingStarted));
  const ended = await run.kamal(deployVersion(version, hosts));
  return { isSuccess: isSuccess(ended), detail: describeEnd(ended) };
};

const runsAnything = (seen: RunningVersions): boolean => [...seen.values()].some(({ versions }) => versions?.length !== 0);

/** The job's own workflow finds the process gone, and ends the attempt: requeued, or uncertain. */
export const wakeInterrupted = async ({ workflows, log }: DeployDeps, run: StepRun, hosts: readonly string[]): Promise<void> => {
  for (const { jobId, host } of run.deploy.interruptedJobs) {
    if (!hosts.includes(host)) continue;
    await workflows.ensureApplyJob(jobId, { reason: 'deploy', examineOwner: true }).catch((error: unknown) => {
      log.warn('An interrupted job could not be woken, the sweep will', { jobId, deployId: run.deploy.deployId, error });
    });
  }
};

export const wantedVersion = ({ resolvedVersion, version }: DeployView): string => resolvedVersion ?? version;

export const moveTo = (hosts: readonly string[], state: 'stopped', detail: string) => hosts.map((host) => ({ host, state, detail }));

const compensate = async (run: StepRun, detail: string): Promise<void> =>
  await run.move({ phase: compensationPhase(run.deploy), direction: 'back', detail });
