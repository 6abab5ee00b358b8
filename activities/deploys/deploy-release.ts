import type { DeployOutcome, DeployView } from '../../src/contracts/deploy';
import { recordAct } from '../../src/db/audit';
import { holdForPerson } from '../../src/db/deploys/deploy-fleet';
import { endDeploy } from '../../src/db/deploys/deploys';
import { makeDeployHolder, releaseHolder } from '../../src/db/fleet/holds';
import { withTransaction } from '../../src/db/pool';
import { illHosts, outcomeOf } from '../../src/domain/deploy-plan';
import { cleanPersonText } from '../../src/domain/person-text';
import type { DeployDeps } from './deploy-deps';
import { giveLockBack } from './deploy-lock';
import { inspectHealth } from './deploy-inspect';
import { messageOf, type DeployRef, type RunStep, type StepRun } from './deploy-step';
import { OvertakenError } from './deploy-log';

export const createReleaseActivities = (deps: DeployDeps, runStep: RunStep) => ({
  /** Lock and holds are given back, whatever came before; then the deploy has ended. Its last line is stored before its outcome is. */
  async releaseDeploy({ deployId }: DeployRef): Promise<DeployView> {
    return await runStep(deployId, ['release'], async (run) => {
      const lockProblem = mayHaveLock(run.deploy) ? await releaseLock(deps, run) : null;
      const outcome = outcomeOf(run.deploy);
      const detail = describeOutcome(run.deploy, outcome, lockProblem);
      const hosts = run.deploy.hosts.map(({ host }) => host);
      // What is assigned next is decided by what the ports say now.
      if (hosts.length > 0) await inspectHealth(deps, run, hosts);
      await run.log.say(`${outcome}: ${detail}`);
      await run.log.flush();
      await withTransaction(deps.pool, async (client) => {
        const ill = outcome === 'broken' ? illHosts(run.deploy.hosts).map(({ host }) => host) : [];
        const reason = cleanPersonText(`deploy ${deployId} is broken: ${detail}`);
        if (ill.length > 0) await holdForPerson(client, { hosts: ill, reason, actor: run.deploy.actor });
        await releaseHolder(client, makeDeployHolder({ deployId }));
        if (!(await endDeploy(client, { deployId, runner: run.runner, outcome, detail })))
          throw new OvertakenError(`deploy ${deployId} was ended`);
        const { actor, destination, version, resolvedVersion } = run.deploy;
        await recordAct(client, {
          actor,
          source: 'deployer',
          address: null,
          act: `${run.deploy.kind}_ended`,
          subjectKind: 'deploy',
          subject: deployId,
          outcome,
          detail: { destination, version: resolvedVersion ?? version, ...(ill.length === 0 ? {} : { needHelp: ill.join(', ') }) },
        });
      });
      deps.onDeployEnded(run.deploy.destination);
    });
  },
});

/** Hosts are held before the lock is taken. */
const mayHaveLock = ({ hosts }: DeployView): boolean => hosts.some(({ state }) => state !== 'waiting');

/** Null when the lock is not ours any more. One that cannot be reached is left: the next deploy takes it over, since this one has ended. */
const releaseLock = async (deps: DeployDeps, run: StepRun): Promise<string | null> => {
  const { deployCompensateTries: tries, deployCompensateRetryMs: retryMs } = deps.limits;
  for (let attempt = 1; ; attempt++) {
    const problem = await giveLockBack(run).catch((error: unknown) => {
      if (run.signal.aborted || deps.draining.aborted) throw error;
      return messageOf(error);
    });
    if (problem === null || attempt === tries) return problem;
    await run.log.say(`${problem}; tries again in ${retryMs / 1_000} s (${attempt} of ${tries})`);
    await run.pause(retryMs);
  }
};

const describeOutcome = (deploy: DeployView, outcome: DeployOutcome, lockProblem: string | null): string => {
  const version = deploy.resolvedVersion ?? deploy.version;
  const hosts = deploy.hosts.map(({ host }) => host).join(', ');
  const why = deploy.detail === '' ? '' : ` (${deploy.detail})`;
  const before = [...new Set(deploy.hosts.map(({ versionBefore }) => versionBefore ?? 'nothing'))].join(', ');
  const descriptions: Record<DeployOutcome, string> = {
    succeeded: `${version} runs on ${hosts}, verified`,
    planned: `a dry run: ${version} would go to ${hosts}`,
    refused: deploy.detail === '' ? failedChecks(deploy) : deploy.detail,
    rejected: deploy.detail,
    aborted: deploy.detail,
    cancelled: deploy.detail,
    rolled_back: `${before} is back on the hosts, verified${why}`,
    broken: describeBroken(deploy, { version, before, why }),
  };
  return lockProblem === null ? descriptions[outcome] : `${descriptions[outcome]}; the lock is left behind: ${lockProblem}`;
};

const describeBroken = ({ hosts }: DeployView, { version, before, why }: { version: string; before: string; why: string }): string => {
  const ill = illHosts(hosts).map(({ host, detail }) => `${host} (${detail})`);
  const kept = hosts.filter(({ state }) => state === 'verified').map(({ host }) => host);
  return [
    ...(ill.length === 0 ? [] : [`neither ${version} nor ${before} is verified on ${ill.join(', ')}`]),
    ...(kept.length === 0 ? [] : [`${version} stays on ${kept.join(', ')}, verified`]),
  ]
    .join('; ')
    .concat(why);
};

const failedChecks = ({ checks }: DeployView): string =>
  checks
    .filter(({ isOk }) => !isOk)
    .map(({ check, host, detail }) => `${check}${host === null ? '' : ` on ${host}`}: ${detail}`)
    .join('; ');
