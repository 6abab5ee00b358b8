import { createCallbackActivities } from './callbacks';
import { createCancelActivities } from './cancel';
import type { CommandDeps } from './deps';
import { createJobActivities } from './jobs';
import { createOwnerActivities } from './owner';
import { createRecycleActivities, type RecycleDeps } from './recycle';
import { createResumeActivities } from './resume';
import { createSweepActivities } from './sweep';
import { createWorkerActActivities } from './worker-acts';

/** Everything that the orchestrator's task queue runs. */
export const createOrchestratorActivities = (deps: CommandDeps & { retentionMs: number; heartbeat: () => void }) => ({
  ...createJobActivities(deps),
  ...createCancelActivities(deps),
  ...createResumeActivities(deps),
  ...createOwnerActivities(deps),
  ...createCallbackActivities(deps),
  ...createSweepActivities(deps),
  ...createWorkerActActivities(deps),
});

/** Everything that the deployer's task queue runs. */
export const createDeployActivities = (deps: RecycleDeps) => ({ ...createRecycleActivities(deps) });
