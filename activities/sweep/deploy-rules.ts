import { refuseUnstartedDeploy } from '../../src/db/accept-deploy';
import { listNeglectedDeploys, listUnstartedDeploys, pruneDeploys } from '../../src/db/neglected-deploys';
import type { Pass } from './pass';

/** Deploys that nobody moves, and those that nobody needs any more. */
export const mendDeploys = async (pass: Pass): Promise<void> => {
  const { limits, workflows, deployRetention } = pass.deps;
  const rows = limits.sweepBatchRows;
  const neglected = pass.bound('deploys', await listNeglectedDeploys(pass.db, { afterMs: limits.deployUntouchedMs, rows }));
  for (const { deployId, destination } of neglected)
    pass.add({ finding: 'deploy_without_workflow', subject: deployId, detail: destination });
  await pass.tell(neglected, async (deploy) => await workflows.ensureKamalDeploy(deploy));

  for (const deployId of await listUnstartedDeploys(pass.db, { afterMs: limits.deployUntouchedMs, rows })) {
    const detail = 'no deployer took it, so it was not begun';
    if (await refuseUnstartedDeploy(pass.db, { deployId, detail })) pass.add({ finding: 'deploy_never_started', subject: deployId });
  }
  pass.count('deploys_pruned', await pruneDeploys(pass.db, { ...deployRetention, rows }));
};
