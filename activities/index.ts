import type { Pool } from 'pg';
import { createCallbackActivities } from './jobs/callbacks';
import { createCancelActivities } from './commands/cancel';
import type { DeployDeps } from './deploys/deploy-deps';
import { createDeployWorkActivities } from './deploys/deploys';
import type { CommandDeps } from './deps';
import { endWhatIsRefused } from './database-border';
import { createDestinationActivities } from './deploys/destinations';
import { createJobActivities } from './jobs/jobs';
import { createOwnerActivities } from './jobs/owner';
import { createRecycleActivities, type RecycleDeps } from './fleet/recycle';
import { createResumeActivities } from './commands/resume';
import { createSweepActivities } from './sweep/sweep';
import type { SweepDeps } from './sweep/pass';
import { createWorkerActActivities } from './fleet/worker-acts';

/** Everything that the orchestrator's task queue runs. */
export const createOrchestratorActivities = ({ pools, ...deps }: CommandDeps & SweepDeps & { pools: { commands: Pool; sweep: Pool } }) => {
  const commandDeps = { ...deps, pool: pools.commands };
  return endWhatIsRefused(
    {
      ...createJobActivities(deps),
      ...createCancelActivities(commandDeps),
      ...createResumeActivities(commandDeps),
      ...createOwnerActivities(deps),
      ...createCallbackActivities(deps),
      ...createSweepActivities({ ...deps, pool: pools.sweep }),
      ...createWorkerActActivities(commandDeps),
    },
    deps.log,
  );
};

/** Everything that the deployer's task queue runs. */
export const createDeployActivities = ({ deploys, ...deps }: RecycleDeps & { deploys: DeployDeps | null }) => {
  const recycles = createRecycleActivities(deps);
  if (deploys === null) return recycles;
  const { readDestination, breakLock } = createDestinationActivities(deploys);
  return endWhatIsRefused({ ...recycles, ...createDeployWorkActivities(deploys), readDestination, breakLock }, deploys.log);
};
