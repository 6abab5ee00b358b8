import type { RequestHandler } from 'express';
import { recordAct } from '../../db/audit';
import { listProbes, listWorkers } from '../../db/fleet/fleet';
import { listRegistryPage, listSilentJobs, readJobTotals } from '../../db/fleet/fleet-summary';
import { listHolds, pauseFleet } from '../../db/fleet/holds';
import { withTransaction } from '../../db/pool';
import { shareRead } from '../../db/shared-read';
import { reportHosts } from '../../domain/fleet-report';
import { readMachine } from '../../metrics/machine';
import { actorOf } from '../actor';
import { answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import { listWorkersToRestart } from '../left-workers';
import { requireRole } from '../middleware/auth';
import { version } from '../version';
import { drainWorker } from '../worker-act';

type Names =
  | 'machine'
  | 'monitoringHealth'
  | 'monitoringMetrics'
  | 'monitoringAlerts'
  | 'monitoringWorkers'
  | 'workerStatusPage'
  | 'workerHealthPage'
  | 'workerDrainPage';

/** The whole fleet, where the product expects one worker behind one address (valet §6). */
const fleetAsWorker = 'yardmaster';
/** GH calls a job stuck whose worker has been silent for so long: degraded, and an alert (ghosthands §1.2). */
const silentMs = 120_000;
const stuckMs = 300_000;
const dayMs = 24 * 3_600_000;
const workersShown = 1_000;
/** Of both checks, each of which has a time of its own. */
const checksTakeMs = 10_000;

/** What the product's administration reads of the fleet, where it would ask one GH. A job in it is always the public one. */
export const createMonitoringRoutes = (deps: GatewayDeps): Record<Names, RequestHandler> => {
  const { pool, limits, metrics } = deps;
  const startedAt = Date.now();
  const summary = deps.checks.readFleetSummary;
  const healthChecks = shareRead(async () => [...(await checkDatabase(pool)), ...(await checkTemporal(deps))], {
    keptMs: limits.readinessKeptMs,
    timeoutMs: checksTakeMs,
  });

  return {
    machine: answer(endpoints.machine, async () => ({ status: 200, body: await readMachine() })),

    monitoringHealth: answer(endpoints.monitoringHealth, async () => {
      const checks = await healthChecks().catch(() => [databaseSilent(checksTakeMs)]);
      const statuses = checks.map(({ status }) => status);
      const status = statuses.includes('unhealthy') ? 'unhealthy' : statuses.includes('degraded') ? 'degraded' : 'healthy';
      return {
        status: status === 'unhealthy' ? 503 : 200,
        body: { status, version, uptime: Date.now() - startedAt, checks, timestamp: new Date().toISOString() },
      };
    }),

    monitoringMetrics: answer(endpoints.monitoringMetrics, async () => {
      const uptime = Math.min(dayMs, Date.now() - startedAt);
      const [fleet, totals] = await Promise.all([summary(), readJobTotals(pool, { sinceMs: uptime })]);
      const { created, completed, failed, retried, totalDurationMs } = totals;
      return {
        status: 200,
        body: {
          jobs: {
            created,
            completed,
            failed,
            retried,
            totalDurationMs,
            avgDurationMs: completed === 0 ? 0 : Math.round(totalDurationMs / completed),
          },
          // Nobody counts them: not GH, whose recorders have no callers (ghosthands §1.2), and not we, who make no such call.
          llm: { calls: 0, totalInputTokens: 0, totalOutputTokens: 0, totalCostCents: 0, avgTokensPerCall: 0, costPerHourCents: 0 },
          worker: {
            activeJobs: fleet.activeJobs,
            maxConcurrent: fleet.workersUp,
            totalProcessed: completed + failed,
            queueDepth: fleet.waitingJobs,
          },
          api: await metrics.readRequestTotals(),
          uptime,
          collectedAt: new Date().toISOString(),
        },
      };
    }),

    monitoringAlerts: answer(endpoints.monitoringAlerts, async () => {
      const [fleet, stuckJobIds, offline, toRestart] = await Promise.all([
        summary(),
        listSilentJobs(pool, { afterMs: stuckMs }),
        listOfflineHosts(deps),
        listWorkersToRestart(pool, deps),
      ]);
      const at = new Date().toISOString();
      const alerts = [
        ...alert('stuck_jobs_db', 'Stuck jobs', stuckJobIds.length, 'job(s) whose worker has been silent for 5 min', { stuckJobIds }),
        ...alert('hosts_offline', 'Hosts offline', offline.length, 'host(s) with workers that are offline', { hosts: offline }),
        ...alert(
          'jobs_uncertain',
          'Jobs that wait for a word',
          fleet.uncertainJobs,
          'job(s) of which nobody can tell whether they were submitted',
          {},
        ),
        ...alert('workers_to_restart', 'Workers that wait for a restart', toRestart.length, 'worker(s) that a person has to restart', {
          workers: toRestart.map(({ detail }) => detail),
        }),
      ].map((each) => ({ ...each, triggeredAt: at }));
      return { status: 200, body: { count: alerts.length, alerts, checkedAt: at } };
    }),

    monitoringWorkers: answer(endpoints.monitoringWorkers, async () => {
      const workers = await listRegistryPage(pool, { rows: workersShown });
      return { status: 200, body: { count: workers.length, workers, timestamp: new Date().toISOString() } };
    }),

    workerStatusPage: answer(endpoints.workerStatusPage, async () => {
      const { activeJobs, workersUp, isPaused } = await summary();
      return {
        status: 200,
        body: {
          worker_id: fleetAsWorker,
          ec2_instance_id: null,
          ec2_ip: null,
          active_jobs: activeJobs,
          max_concurrent: workersUp,
          is_running: true,
          is_draining: isPaused,
          dispatch_mode: 'legacy',
          asg_name: null,
          uptime_ms: Date.now() - startedAt,
          timestamp: new Date().toISOString(),
        },
      };
    }),

    workerHealthPage: answer(endpoints.workerHealthPage, async () => {
      const { activeJobs, isPaused } = await summary();
      const status = isPaused ? 'draining' : activeJobs > 0 ? 'busy' : 'idle';
      // GH's own codes: whoever asks whether it is safe to deploy must not be told 200 by a fleet at work (ghosthands §2.1).
      return { status: status === 'idle' ? 200 : 503, body: { status, active_jobs: activeJobs, deploy_safe: status === 'idle' } };
    }),

    workerDrainPage: answer(endpoints.workerDrainPage, async ({ body: { worker_id: workerId } }, facts) => {
      const reason = 'POST /worker/drain';
      if (workerId !== undefined) {
        const { drainMs: deadlineMs, foreignDrainHoldMs: holdMs } = limits;
        const { job } = await drainWorker(deps, { workerId, reason, deadlineMs, waitMs: 0, holdMs }, facts);
        return { status: 200, body: { status: 'draining', active_jobs: job === null ? 0 : 1, worker_id: workerId } };
      }
      // A pause has no end of its own, and only who may pause may end it.
      requireRole(facts.caller, endpoints.pause.roles, 'without a worker_id the whole fleet is paused');
      await withTransaction(pool, async (client) => {
        await recordAct(client, { ...actorOf(facts), act: 'pause', subjectKind: 'fleet', subject: '*', detail: { reason } });
        await pauseFleet(client, { reason, actor: facts.caller?.name ?? '' });
      });
      facts.log.warn('The fleet is paused', { reason, key: facts.caller?.name });
      return { status: 200, body: { status: 'draining', active_jobs: (await summary()).activeJobs, worker_id: fleetAsWorker } };
    }),
  };
};

interface Check {
  name: string;
  status: 'healthy' | 'degraded' | 'unhealthy';
  message: string;
  latencyMs: number;
}

/** Two of GH's checks, which need it: can it be read, and is every running job beating? */
const checkDatabase = async (pool: GatewayDeps['pool']): Promise<Check[]> => {
  const since = Date.now();
  try {
    const silent = await listSilentJobs(pool, { afterMs: silentMs });
    const latencyMs = Date.now() - since;
    return [
      { name: 'database', status: 'healthy', message: 'Connected', latencyMs },
      silent.length === 0
        ? { name: 'worker_heartbeat', status: 'healthy', message: 'All running jobs have recent heartbeats', latencyMs }
        : { name: 'worker_heartbeat', status: 'degraded', message: `${silent.length} job(s) with stale heartbeat`, latencyMs },
    ];
  } catch {
    // What exactly Postgres said is in the log of whoever needs it, and nobody's business on an open page.
    return [databaseSilent(Date.now() - since)];
  }
};

const databaseSilent = (latencyMs: number): Check => ({
  name: 'database',
  status: 'unhealthy',
  message: 'Postgres does not answer',
  latencyMs,
});

/** Without Temporal jobs are still accepted. */
const checkTemporal = async ({ workflows }: GatewayDeps): Promise<Check[]> => {
  const since = Date.now();
  const isThere = await workflows.check().then(
    () => true,
    () => false,
  );
  const latencyMs = Date.now() - since;
  return [
    isThere
      ? { name: 'temporal', status: 'healthy', message: 'Connected', latencyMs }
      : { name: 'temporal', status: 'degraded', message: 'Temporal does not answer: jobs are accepted and start later', latencyMs },
  ];
};

const listOfflineHosts = async ({ pool, limits }: GatewayDeps): Promise<string[]> => {
  const [workers, probes, holds] = await Promise.all([listWorkers(pool, limits), listProbes(pool, limits), listHolds(pool)]);
  return reportHosts({ workers, probes, holds, configured: [] })
    .hosts.filter((host) => host.health === 'offline' && host.workers.some(({ status }) => status !== 'offline'))
    .map(({ host }) => host);
};

const severeFrom = 4;

const alert = (id: string, name: string, count: number, what: string, metadata: Record<string, unknown>) =>
  count === 0
    ? []
    : [{ id, name, severity: count >= severeFrom ? ('critical' as const) : ('warning' as const), message: `${count} ${what}`, metadata }];
