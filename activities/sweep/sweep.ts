import type { RecycleReadiness } from '../../src/contracts/worker-act';
import type { SweepReport, SweepRequest } from '../../src/contracts/sweep';
import { mirrorEvents } from '../../src/db/attempts/attempts';
import { withRollback } from '../../src/db/pool';
import type { Queryable } from '../../src/db/queryable';
import { isRecycleAskDue, noteRecycleReadiness } from '../../src/db/fleet/recycle-command';
import { isFullSweepDue, saveSweepReport } from '../../src/db/fleet/sweep-reports';
import { adoptOlderRows } from './adoption';
import { repairDeploys } from './deploy-rules';
import { compareConfiguration } from './configuration';
import { repairRegistry, repairSandboxHealth } from './fleet-rules';
import { repairJobs, repairWorkflows } from './job-rules';
import { releaseWorkers } from './left-processes';
import { logFindings } from './log-findings';
import { openPass, type Pass, type SweepDeps } from './pass';
import { nameWaysAround, takeRowCommands } from './row-commands';
import { eraseRows, repairRows } from './row-rules';

export const createSweepActivities = (deps: SweepDeps) => {
  const { pool, limits, heartbeat } = deps;

  return {
    async noteRecycleReadiness(readiness: RecycleReadiness): Promise<void> {
      await noteRecycleReadiness(pool, readiness);
    },

    /**
     * One pass: probe every registered host, then find and repair what lost messages left behind. Each repair is idempotent and fenced, so a pass that dies in
     * the middle costs nothing but the wait for the next, and two at once do no harm.
     */
    async sweepFleet({ dryRun = false, full }: SweepRequest = {}): Promise<SweepReport> {
      const startedAt = new Date();
      const isFull = full ?? (dryRun || (await isFullSweepDue(pool, { everyMs: limits.sweepFullEveryMs })));
      const sweep = async (db: Queryable): Promise<SweepReport> => {
        const pass = openPass(deps, { db, kind: isFull ? 'full' : 'light', isDryRun: dryRun });
        for (const repair of isFull ? fullPass : lightPass) {
          await repair(pass);
          heartbeat();
        }
        return pass.finish();
      };
      const report = dryRun ? await withRollback(pool, sweep) : await sweep(pool);
      if (!dryRun) await logFindings(deps, report);
      await saveSweepReport(pool, { startedAt, ...report });
      if (!dryRun) deps.observe({ of: 'sweep', counts: report.counts, seconds: (Date.now() - startedAt.getTime()) / 1_000 });
      // What a person or a test asks for is a pass and nothing else.
      if (dryRun || full !== undefined) return report;
      const { recycleAskEveryMs: everyMs, recycleAskAgainMs: unreadyEveryMs } = limits;
      return (await isRecycleAskDue(pool, { everyMs, unreadyEveryMs })) ? { ...report, isRecycleAskDue: true } : report;
    },
  };
};

export type SweepActivities = ReturnType<typeof createSweepActivities>;

const showProgress = async ({ db }: Pass): Promise<void> => await mirrorEvents(db, null);

/** In this order: a command comes before what would repair the row that holds it, and what is seen first decides what the rest believes. */
const lightPass: readonly ((pass: Pass) => Promise<void>)[] = [
  takeRowCommands,
  repairRegistry,
  repairJobs,
  releaseWorkers,
  showProgress,
  adoptOlderRows,
];
const fullPass: typeof lightPass = [
  takeRowCommands,
  repairRegistry,
  repairSandboxHealth,
  nameWaysAround,
  compareConfiguration,
  repairRows,
  repairJobs,
  releaseWorkers,
  repairWorkflows,
  repairDeploys,
  showProgress,
  adoptOlderRows,
  eraseRows,
];
