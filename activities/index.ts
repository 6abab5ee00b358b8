import type { Pool } from 'pg';
import { createCallbackActivities } from './callbacks';
import { createCancelActivities } from './cancel';
import type { DeployDeps } from './deploy-deps';
import { createDeployWorkActivities } from './deploys';
import type { CommandDeps } from './deps';
import { endWhatIsRefused } from './database-border';
import { createDestinationActivities } from './destinations';
import { createJobActivities } from './jobs';
import { createOwnerActivities } from './owner';
import { createRecycleActivities, type RecycleDeps } from './recycle';
import { createResumeActivities } from './resume';
import { createSweepActivities } from './sweep';
import type { SweepDeps } from './sweep/pass';
import { createWorkerActActivities } from './worker-acts';

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
