import { listLeftProcesses } from '../../src/db/attempts/left-processes';
import { findRecycleReadiness } from '../../src/db/fleet/recycle-command';
import { findWaitForPerson, whyReplaced } from '../../src/domain/left-process';
import type { SweepFinding } from '../../src/contracts/sweep';
import type { RecycleState } from '../../src/contracts/worker-act';
import type { Pass } from './pass';

const readinessFindings: Partial<Record<RecycleState, SweepFinding>> = {
  check_failed: 'recycle_check_failed',
  not_configured: 'recycle_check_failed',
  no_deployer: 'recycle_check_failed',
  unproven: 'recycle_never_tried',
};

/**
 * Processes that attempts left behind. The end of a job starts the recycle of its worker by itself; what was lost of that is started here, and what did
 * not help is tried again.
 */
export const releaseWorkers = async (pass: Pass): Promise<void> => {
  const { limits, workflows } = pass.deps;
  const left = pass.bound('processes left behind', await listLeftProcesses(pass.db, limits), {
    max: limits.fleetRowsMax,
    isSettledByPass: false,
  });
  const readiness = await findRecycleReadiness(pass.db);
  const problem = readiness === null ? undefined : readinessFindings[readiness.state];
  if (problem !== undefined) pass.add({ finding: problem, subject: 'deployer', detail: readiness?.detail });
  for (const each of left) {
    const detail = findWaitForPerson(each, readiness);
    if (detail !== null) pass.add({ finding: 'worker_waits_for_restart', subject: each.workerId, detail });
  }
  // One a worker: its workflow has the worker's id, and another one of that id would join it.
  const due = [...new Map(left.filter(({ isDue }) => isDue).map((each) => [each.workerId, each])).values()];
  for (const each of due) pass.add({ finding: 'worker_released', subject: each.workerId, detail: whyReplaced(each) });
  await pass.notify(due, async ({ workerId, attemptId }) => await workflows.ensureRecycleWorker({ workerId, attemptId }));
};
