import { createCallbackActivities } from './callbacks';
import type { OrchestratorDeps } from './deps';
import { createJobActivities } from './jobs';
import { createOwnerActivities } from './owner';
import { createSweepActivities } from './sweep';

/** Everything that the orchestrator's task queue runs. */
export const createOrchestratorActivities = (deps: OrchestratorDeps & { retentionMs: number; heartbeat: () => void }) => ({
  ...createJobActivities(deps),
  ...createOwnerActivities(deps),
  ...createCallbackActivities(deps),
  ...createSweepActivities(deps),
});
