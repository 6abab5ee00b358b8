import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import type { NewJob } from '../../contracts/job';
import type { FleetSummary } from '../../db/fleet/fleet-summary';
import { findJob } from '../../db/jobs/jobs';
import { findProductStatus } from '../../db/jobs/product-status';
import { ghStatusOf } from '../../domain/job-state';
import { answer, type Answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import type { Arrival } from '../new-job';
import { noSuchJob, Problem } from '../problem';
import type { RequestFacts } from '../request-facts';
import { checkCallbackOrigin, submit } from '../submission';
import { version } from '../version';
import { applyToNewJob, taskToNewJob } from './valet-job';
import { makeStatusAnswer } from './valet-status';

/**
 * GH's API as VALET's client knows it (valet §1): words and shapes only. Every answer is JSON, and 409 is the duplicate alone, since the
 * client takes any 409 for the result it asked for.
 */
export const createValetRoutes = (
  deps: GatewayDeps,
): Record<'submitApplication' | 'submitTask' | 'getApplicationStatus' | 'listModels' | 'health', RequestHandler> => ({
  submitApplication: answer(endpoints.submitApplication, async ({ body }, facts) => {
    checkCallbackOrigin(body.callback_url, 'callback_url', deps.settings.allowedCallbackOrigins);
    return await submitAndAnswer(deps, applyToNewJob(body, arrivalOf(facts)), facts);
  }),

  submitTask: answer(endpoints.submitTask, async ({ body }, facts) => {
    checkCallbackOrigin(body.callback_url, 'callback_url', deps.settings.allowedCallbackOrigins);
    return await submitAndAnswer(deps, taskToNewJob(body, arrivalOf(facts)), facts);
  }),

  getApplicationStatus: answer(endpoints.getApplicationStatus, async ({ params: { jobId } }) => {
    const status = await findProductStatus(deps.pool, jobId);
    if (status === null) throw noSuchJob(jobId);
    return { status: 200, body: makeStatusAnswer(status) };
  }),

  listModels: answer(endpoints.listModels, async () => ({ status: 200, body: await deps.models.read() })),

  // Always 200 and `ok`, as at GH: the product's client reads `status`, whoever wants to know more asks /readyz.
  health: answer(endpoints.health, async () => {
    const fleet = await deps.checks.readFleetSummary().catch(() => null);
    return { status: 200, body: { ...ghHealth(fleet), ...atmHealth(fleet) } };
  }),
});

const ghHealth = (fleet: FleetSummary | null): object => ({
  status: 'ok',
  service: 'yardmaster',
  version,
  api_healthy: fleet !== null,
  timestamp: new Date().toISOString(),
});

/** What ATM's dashboard reads on the same path (atm §4.1); its own `ok` means the same. While Postgres is away nothing is safe. */
const atmHealth = (fleet: FleetSummary | null): object => ({
  activeWorkers: fleet?.activeJobs ?? 0,
  deploySafe: fleet?.activeJobs === 0,
  apiHealthy: (fleet?.hostsUp ?? 0) > 0,
  workerStatus: fleet === null ? 'unknown' : fleet.workersUp === 0 ? 'all-stopped' : fleet.activeJobs > 0 ? 'busy' : 'idle',
  currentDeploy: fleet?.currentDeploy ?? null,
  uptimeMs: Math.round(process.uptime() * 1_000),
});

const arrivalOf = ({ caller, requestId }: RequestFacts): Arrival => ({
  jobId: randomUUID(),
  idempotencyKey: null,
  acceptedBy: caller?.name ?? '',
  requestId,
});

const submitAndAnswer = async (deps: GatewayDeps, job: NewJob, facts: RequestFacts): Promise<Answer> => {
  const submission = await submit(deps, job, facts, { executionMode: 'execution_mode', jobType: 'job_type' });
  if (submission.kind === 'created') {
    const { jobId, acceptedAt } = submission;
    return { status: 201, body: { job_id: jobId, valet_task_id: job.valetTaskId, status: 'pending', created_at: acceptedAt } };
  }
  const holder = await findJob(deps.pool, submission.jobId);
  if (holder === null)
    throw new Problem('unavailable', 'The job that held this key has just been pruned; repeat', { headers: { 'Retry-After': '1' } });
  // The client would link its task to whatever job a 409 names.
  if (holder.valetTaskId !== job.valetTaskId) {
    throw new Problem('idempotency_conflict', `idempotency_key belongs to job ${holder.jobId} of another task: use another key`);
  }
  return {
    status: 409,
    body: { job_id: holder.jobId, valet_task_id: job.valetTaskId, status: ghStatusOf[holder.state], duplicate: true },
  };
};
