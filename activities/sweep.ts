import type { SweepReport } from '../src/contracts/sweep';
import { assignWaitingJobs } from '../src/db/assign';
import { eraseAttempts, mirrorEvents } from '../src/db/attempts';
import { listNeglectedCommands } from '../src/db/commands';
import { listProbes, listWorkers } from '../src/db/fleet';
import { listLiveJobs } from '../src/db/jobs';
import { clearLeftWaiters, endLooseAttempts, listUnerasedJobs } from '../src/db/loose-attempts';
import { refreshMirrors } from '../src/db/mirror';
import { listNeglectedCallbacks, listNeglectedJobs } from '../src/db/neglected';
import { withTransaction } from '../src/db/pool';
import { findRefusal } from '../src/db/outage';
import { markSilentWorkersOffline, type SilentWorker } from '../src/db/registry';
import { listActiveSandboxes, repairSandboxes } from '../src/db/sandboxes';
import { pruneOldRows } from '../src/db/retention';
import { eraseExpiredSecrets } from '../src/db/secrets';
import { saveSweepReport } from '../src/db/sweep-reports';
import { listHostsToProbe, saveProbes, type HostProbe } from '../src/db/workers';
import { syncSandboxes, type SandboxFinding } from '../src/domain/sandbox-sync';
import type { OrchestratorDeps } from './deps';

/** How far back a pass looks for workflows that were terminated or failed; the next pass looks again, and starting twice changes nothing. */
const abortedSinceMs = 600_000;

export const createSweepActivities = (deps: OrchestratorDeps & { retentionMs: number; heartbeat: () => void }) => {
  const { pool, log, limits, hosts, workflows, heartbeat } = deps;

  return {
    /**
     * One pass: probe every registered host, then find and mend what lost messages left behind. Each mend is idempotent, so a pass that dies in the
     * middle costs nothing but the wait for the next.
     */
    async sweepFleet(): Promise<SweepReport> {
      const startedAt = new Date();
      const report = createReport();

      const registered = await listHostsToProbe(pool, { rows: limits.sweepBatchRows });
      const probes = await atOnce(registered, limits.probesAtOnce, async ({ host }) => await probe(host));
      if (probes.length > 0) await saveProbes(pool, probes, { jitterMs: limits.processStartJitterMs });
      for (const { workerId, reason } of await silentWorkers()) report.add('worker_marked_offline', workerId, reason);
      for (const { finding, subject, detail } of await sandboxes()) report.add(finding, subject, detail);
      for (const { host, problem } of probes) if (problem !== null) report.add('worker_port_down', host, problem);
      heartbeat();

      for (const { attemptId } of await endLooseAttempts(pool, limits)) report.add('loose_attempt_ended', attemptId, '');
      for (const jobId of await listUnerasedJobs(pool, { rows: limits.sweepBatchRows })) await eraseAttempts(pool, jobId);
      report.count('left_waiter_gone', await clearLeftWaiters(pool));
      report.count('mirror_repaired', await refreshMirrors(pool, { beatMs: limits.mirrorBeatMs }));
      await mirrorEvents(pool, null);
      heartbeat();

      const neglected = await listNeglectedJobs(pool, limits);
      for (const { jobId, finding } of neglected) report.add(finding, jobId, '');
      await atOnce(
        neglected,
        limits.probesAtOnce,
        async ({ jobId, finding }) =>
          await tolerate(jobId, workflows.ensureApplyJob(jobId, { reason: finding, examineOwner: ownerFindings.has(finding) })),
      );
      heartbeat();

      const aborted = await workflows.listAbortedApplyJobs(new Date(Date.now() - abortedSinceMs)).catch((error: unknown) => {
        log.warn('Aborted workflows cannot be listed', { error });
        return [];
      });
      for (const jobId of await listLiveJobs(pool, aborted)) {
        report.add('workflow_aborted', jobId, '');
        await tolerate(jobId, workflows.ensureApplyJob(jobId, { reason: 'workflow_aborted', examineOwner: false }));
      }

      for (const { jobId, generation } of await listNeglectedCallbacks(pool, {
        afterMs: limits.untouchedMs / 10,
        rows: limits.sweepBatchRows,
      })) {
        report.add('callbacks_without_workflow', jobId, `generation ${generation}`);
        await tolerate(jobId, workflows.ensureDeliverCallbacks(jobId, generation));
      }

      for (const { jobId, kind } of await listNeglectedCommands(pool, {
        afterMs: limits.commandUntouchedMs,
        rows: limits.sweepBatchRows,
      })) {
        if (kind !== 'cancel' && kind !== 'resume') continue;
        report.add('command_without_workflow', jobId, kind);
        await tolerate(jobId, workflows.ensureCommand({ kind, jobId }));
      }

      report.count('secrets_expired', await eraseExpiredSecrets(pool));

      const served = await withTransaction(
        pool,
        async (client) => await assignWaitingJobs(client, { callbackBaseUrl: deps.callbackBaseUrl, limits }),
      );
      for (const { jobId, workerId } of served) report.add('assigned_by_sweep', jobId, workerId);
      await atOnce(served, limits.probesAtOnce, async ({ jobId }) => await tolerate(jobId, workflows.wake(jobId, 'assigned')));

      report.count('pruned', await pruneOldRows(pool, { olderThanMs: deps.retentionMs, rows: limits.sweepBatchRows }));
      const finished = report.finish();
      await saveSweepReport(pool, { startedAt, ...finished });
      deps.observe({ of: 'sweep', counts: finished.counts, seconds: (Date.now() - startedAt.getTime()) / 1_000 });
      return finished;
    },
  };

  /** GH's own reaper is left to do so where we may not. */
  async function silentWorkers(): Promise<SilentWorker[]> {
    return (
      (await asTheNeighboursAllow('update (status) on gh_worker_registry', async () => await markSilentWorkersOffline(pool, limits))) ?? []
    );
  }

  async function sandboxes(): Promise<SandboxFinding[]> {
    const known = await asTheNeighboursAllow('select on sandboxes', async () => await listActiveSandboxes(pool));
    if (known === null || known.length === 0) return [];
    const [workers, probes] = await Promise.all([listWorkers(pool, limits), listProbes(pool, limits)]);
    const { repairs, findings } = syncSandboxes({ sandboxes: known, workers, probes });
    if (repairs.length === 0) return findings;
    const grant = 'update (health_status, last_health_check_at) on sandboxes';
    const repaired = await asTheNeighboursAllow(grant, async () => await repairSandboxes(pool, repairs));
    return repaired === null ? findings.filter(({ finding }) => finding !== 'sandbox_repaired') : findings;
  }

  /** The neighbours' tables are theirs: what they refuse, or have no columns for, is left undone, and said. */
  async function asTheNeighboursAllow<Result>(what: string, work: () => Promise<Result>): Promise<Result | null> {
    try {
      return await work();
    } catch (error) {
      const refusal = findRefusal(error);
      if (refusal === null || !refusedByTheirTable.has(refusal.code)) throw error;
      log.warn("A part of the sweep is left undone: the neighbours' table refuses it (docs/operators.md has the grants)", { what, error });
      return null;
    }
  }

  async function probe(host: string): Promise<HostProbe> {
    const sentAtMs = Date.now();
    const [worker, isApiUp] = await Promise.all([hosts.readWorkerPort(host), hosts.isApiUp(host)]);
    const status = worker.kind === 'answers' ? worker.status : null;
    return {
      host,
      isApiUp,
      isWorkerUp: status !== null,
      workerId: status?.worker_id ?? null,
      dispatchMode: status?.dispatch_mode ?? null,
      isRunning: status?.is_running ?? null,
      isDraining: status?.is_draining ?? null,
      activeJobs: status?.active_jobs ?? null,
      uptimeMs: status?.uptime_ms ?? null,
      sentAtMs,
      problem: worker.kind === 'answers' ? null : worker.kind === 'refused' ? 'refused' : worker.problem,
    };
  }

  async function tolerate(jobId: string, hint: Promise<void>): Promise<void> {
    await hint.catch((error: unknown) => log.warn('A job could not be woken, the next pass tries again', { jobId, error }));
  }
};

export type SweepActivities = ReturnType<typeof createSweepActivities>;

/** Findings that are about the worker rather than the rows. */
const ownerFindings: ReadonlySet<string> = new Set(['worker_changed', 'silent_attempt']);

/** SQLSTATE: no privilege, no such column, no such type. */
const refusedByTheirTable: ReadonlySet<string> = new Set(['42501', '42703', '42704']);

const itemsMax = 50;

const createReport = () => {
  const counts: Record<string, number> = {};
  const items: SweepReport['items'] = [];
  const count = (finding: string, n: number): void => {
    if (n > 0) counts[finding] = (counts[finding] ?? 0) + n;
  };
  return {
    count,
    add(finding: string, subject: string, detail: string): void {
      count(finding, 1);
      if (items.length < itemsMax) items.push({ finding, subject, detail });
    },
    finish: (): SweepReport => ({ counts, items }),
  };
};

const atOnce = async <Item, Result>(items: readonly Item[], width: number, work: (item: Item) => Promise<Result>): Promise<Result[]> => {
  const results: Result[] = [];
  const queue = items.values();
  const lane = async (): Promise<void> => {
    for (const item of queue) results.push(await work(item));
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
  return results;
};
