import { refuseUnstartedDeploy } from '../../src/db/deploys/accept-deploy';
import { listStalledDeploys, listUnstartedDeploys, pruneDeploys } from '../../src/db/deploys/stalled-deploys';
import { atOnce } from '../at-once';
import type { Pass } from './pass';

/** Deploys that nobody moves, and those that nobody needs any more. */
export const repairDeploys = async (pass: Pass): Promise<void> => {
  const { limits, log, workflows, deployRetention } = pass.deps;
  const rows = limits.sweepBatchRows;
  const untouched = pass.bound('deploys', await listStalledDeploys(pass.db, { afterMs: limits.deployUntouchedMs, rows }));
  // One that waits for an approval, or for a deployer, is touched by nobody and needs no other workflow.
  const running = await atOnce(
    untouched,
    limits.hintsAtOnce,
    async (deploy) =>
      await workflows.isKamalDeployRunning(deploy).catch((error: unknown) => {
        log.warn('The workflow of a deploy could not be looked at, the next pass tries again', { deployId: deploy.deployId, error });
        return true;
      }),
  );
  const lost = untouched.filter((_deploy, index) => running[index] === false);
  for (const { deployId, destination } of lost) pass.add({ finding: 'deploy_without_workflow', subject: deployId, detail: destination });
  await pass.notify(lost, async (deploy) => await workflows.ensureKamalDeploy(deploy));

  for (const deployId of await listUnstartedDeploys(pass.db, { afterMs: limits.deployUntouchedMs, rows })) {
    const detail = 'no deployer took it, so it was not begun';
    if (await refuseUnstartedDeploy(pass.db, { deployId, detail })) pass.add({ finding: 'deploy_never_started', subject: deployId });
  }
  pass.count('deploys_pruned', await pruneDeploys(pass.db, { ...deployRetention, rows }));
};
