import type { DeployCheck, DeployView } from '../../src/contracts/deploy';
import { holdForDeploy, listJobsOnHosts } from '../../src/db/deploys/deploy-fleet';
import { withTransaction } from '../../src/db/pool';
import { describeDrain, judgeDrain, notNamed, type JobOnHost } from '../../src/domain/deploy-drain';
import { compensationPhase, phaseAfter } from '../../src/domain/deploy-plan';
import type { DeployDeps } from './deploy-deps';
import type { DeployRef, RunStep, StepRun } from './deploy-step';

export const createDrainActivities = (deps: DeployDeps, runStep: RunStep) => ({
  /** From now on nothing is assigned to these hosts; what runs there goes on. */
  async holdHosts({ deployId }: DeployRef): Promise<DeployView> {
    return await runStep(deployId, ['hold'], async (run) => {
      const hosts = run.deploy.hosts.filter(({ state }) => state === 'waiting' || state === 'held').map(({ host }) => host);
      await holdAgain(deps, run);
      await run.log.say(`holds ${hosts.join(', ')}: no new jobs`);
      await run.move(
        { phase: phaseAfter(run.deploy) },
        hosts.map((host) => ({ host, state: 'held' as const })),
      );
    });
  },

  /** Waits for the jobs on the hosts that are still to be stopped, up to the deadline of the strategy. */
  async drainHosts({ deployId }: DeployRef): Promise<DeployView> {
    return await runStep(deployId, ['drain'], async (run) => {
      const hosts = hostsToStop(run.deploy);
      await holdAgain(deps, run);
      let logged = '[]';
      for (;;) {
        const jobs = await listJobsOnHosts(deps.pool, hosts);
        const waitedMs = Date.now() - Date.parse(run.deploy.phaseAt);
        const verdict = judgeDrain({ jobs, interrupted: run.deploy.interruptedJobs, strategy: run.deploy.strategy, waitedMs });
        const seen = jobs.map(({ jobId, host, state }) => ({ jobId, host, state }));
        if (logged !== JSON.stringify(seen)) {
          logged = JSON.stringify(seen);
          await run.move({ jobs: seen });
          await run.log.say(describeDrain(jobs));
        }
        switch (verdict.kind) {
          case 'drained':
            return await run.move({ phase: phaseAfter(run.deploy) });
          case 'forced':
            await run.log.say(`the drain's deadline is over; interrupts ${verdict.interrupted.map(({ jobId }) => jobId).join(', ')}`);
            return await run.move({ phase: phaseAfter(run.deploy), addInterruptedJobs: verdict.interrupted });
          case 'aborted': {
            const check: DeployCheck = { check: 'drain', host: null, isOk: false, detail: verdict.detail };
            return await run.move({
              phase: compensationPhase(run.deploy),
              direction: 'back',
              detail: verdict.detail,
              checks: [...run.deploy.checks, check],
            });
          }
          case 'waits':
            await run.pause(Math.min(deps.limits.deployDrainEveryMs, verdict.leftMs));
        }
      }
    });
  },
});

/** Those that the deploy has not stopped yet. */
const hostsToStop = ({ hosts }: DeployView): string[] =>
  hosts.filter(({ state }) => state === 'held' || state === 'waiting').map(({ host }) => host);

/**
 * Holds every host of the deploy, or prolongs that. Answers the jobs on hosts that are still to be stopped and that nobody has named: there are some
 * only where a hold had lapsed, because no deployer was there to prolong it.
 */
export const holdAgain = async (deps: DeployDeps, run: StepRun): Promise<JobOnHost[]> => {
  const { deployId, hosts, actor, kind, resolvedVersion, version, interruptedJobs } = run.deploy;
  const all = hosts.map(({ host }) => host);
  return await withTransaction(deps.pool, async (client) => {
    const reason = `${kind} of ${resolvedVersion ?? version}`;
    await holdForDeploy(client, { deployId, hosts: all, reason, actor, leaseMs: deps.limits.deployHoldMs });
    return notNamed(await listJobsOnHosts(client, hostsToStop(run.deploy)), interruptedJobs);
  });
};
