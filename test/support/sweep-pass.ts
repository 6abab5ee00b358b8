import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { CommandDeps, OrchestratorDeps, WorkerPortAnswer } from '../../activities/deps';
import { createSweepActivities } from '../../activities/sweep/sweep';
import { noFleetConfig, type FleetConfig } from '../../src/contracts/fleet-config';
import type { WorkerStatus } from '../../src/contracts/ghosthands';
import { limits, type Limits } from '../../src/contracts/limits';
import type { SweepItem, SweepReport, SweepRequest } from '../../src/contracts/sweep';
import type { Log } from '../../src/log';
import { makeDeps } from './orchestrator-deps';

export interface PassOptions extends SweepRequest {
  /** What a host's worker port says; without an entry it answers for the worker that is registered there, idle. */
  ports?: Record<string, Partial<WorkerStatus> | 'refused' | 'silent'>;
  /** How long each of them takes for its answer. */
  answersAfterMs?: number;
  limits?: Partial<Limits>;
  secrets?: CommandDeps['secrets'];
  /** Jobs whose workflow runs. */
  running?: string[];
  /** Destinations to which a workflow deploys. */
  deploying?: string[];
  /** Workflows whose task fails. */
  stuck?: Awaited<ReturnType<OrchestratorDeps['workflows']['listStuckWorkflows']>>;
  pool?: Pool;
  log?: Log;
  /** What FLEET_CONFIG says. */
  fleetConfig?: FleetConfig;
}

export interface PassOutcome {
  report: SweepReport;
  /** Of what it notified workflows: `<act> <job> <reason>`. */
  notified: string[];
  /** Hosts in the order in which they were asked. */
  asked: string[];
  of(finding: SweepItem['finding']): SweepItem[];
}

/** One pass over the rows of a test: everything is real but the ports and Temporal, which this plays. */
export const sweepOnce = async (pool: Pool, options: PassOptions = {}): Promise<PassOutcome> => {
  const {
    ports = {},
    running = [],
    deploying = [],
    stuck = [],
    pool: ofOrchestrator = pool,
    fleetConfig = noFleetConfig,
    ...others
  } = options;
  const { answersAfterMs = 0, limits: ofTest = {}, log, secrets: _secrets, ...request } = others;
  const { rows } = await pool.query<{ host: string; worker_id: string }>('select ec2_ip as host, worker_id from gh_worker_registry');
  const registered = new Map(rows.map(({ host, worker_id: workerId }) => [host, workerId]));
  const notified: string[] = [];
  const asked: string[] = [];
  const workflows: OrchestratorDeps['workflows'] = {
    wake: async (jobId, reason) => void notified.push(`wake ${jobId} ${reason}`),
    ensureApplyJob: async (jobId, { reason, examineOwner }) =>
      void notified.push(`${examineOwner === true ? 'examine' : 'ensure'} ${jobId} ${reason}`),
    ensureCommand: async ({ jobId, kind }) => void notified.push(`command ${jobId} ${kind}`),
    repeatMessage: async ({ jobId, kind, generation, submitted, actor, note }) =>
      void notified.push(`${kind} ${jobId} ${generation} ${submitted} ${actor} ${note}`),
    ensureRecycleWorker: async ({ workerId, attemptId }) => void notified.push(`recycle ${workerId} ${attemptId}`),
    ensureDeliverCallbacks: async (jobId, generation) => void notified.push(`callbacks ${jobId} ${generation}`),
    ensureKamalDeploy: async ({ deployId }) => void notified.push(`deploy ${deployId}`),
    listAbortedApplyJobs: async () => [],
    listStuckWorkflows: async () => stuck,
    isKamalDeployRunning: async ({ destination }) => deploying.includes(destination),
    listRunningApplyJobs: async ({ moreThan }) => (running.length > moreThan ? running : []),
  };
  const readWorkerPort = async (host: string): Promise<WorkerPortAnswer> => {
    asked.push(host);
    if (answersAfterMs > 0) await delay(answersAfterMs);
    const answer = ports[host];
    if (answer === 'refused') return { kind: 'refused' };
    if (answer === 'silent') return { kind: 'silent', problem: 'ETIMEDOUT' };
    const idle = { worker_id: registered.get(host) ?? '', active_jobs: 0, is_running: true, is_draining: false, dispatch_mode: 'legacy' };
    return { kind: 'answers', status: { ...idle, uptime_ms: 3_600_000, ...answer } };
  };
  const { sweepFleet } = createSweepActivities({
    ...makeDeps(ofOrchestrator, {
      workflows,
      limits: { ...limits, ...ofTest },
      ...(log === undefined ? {} : { log }),
      hosts: { readWorkerPort, readApi: async () => ({ isUp: true, imageTag: null }) },
    }),
    secrets: options.secrets ?? null,
    retentionMs: limits.retentionMs,
    deployRetention: { deploysMs: limits.retentionMs, linesMs: limits.retentionMs },
    heartbeat: () => {},
    fleetConfig: { read: () => Promise.resolve(fleetConfig) },
  });
  const report = await sweepFleet({ full: true, ...request });
  return { report, notified, asked, of: (finding) => report.items.filter((item) => item.finding === finding) };
};
