import os from 'node:os';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { Pool } from 'pg';
import { z } from 'zod';
import type { HostConfig } from './config';

const finalStatuses = ['completed', 'failed', 'cancelled', 'expired'];

/** Staging's list has one more (ghosthands §1.4). */
const retryableStatuses: Record<HostConfig['variant'], readonly string[]> = {
  main: ['failed', 'cancelled'],
  staging: ['failed', 'cancelled', 'needs_human'],
};

const misnumbered = (): Error => new Error('bind message supplies 1 parameters, but prepared statement requires 2');

const resumeSchema = z.object({
  resolved_by: z.enum(['human', 'system']).default('human'),
  resolution_notes: z.string().max(500).optional(),
  resolution_type: z.enum(['manual', 'code_entry', 'credentials', 'skip']).optional(),
  resolution_data: z.record(z.string(), z.unknown()).optional(),
});

export interface ApiIllness {
  code: number;
  status: string;
}

/** GH's API on port 3100, as far as an orchestrator can meet it (ghosthands §1). It is a container of its own: the worker's death is not its. */
export function createApiApp(deps: {
  host: HostConfig;
  pool: Pool;
  serviceSecret: string;
  startedAt: number;
  /** What it says instead of anything else while it is ill. */
  findIllness: () => ApiIllness | null;
}): Express {
  const { host, pool, serviceSecret, startedAt, findIllness } = deps;
  const app = express();
  app.use(express.json({ limit: '1mb' }));

  app.use((_request, response, next) => {
    const illness = findIllness();
    if (illness === null) next();
    else response.status(illness.code).json({ status: illness.status });
  });

  app.get('/health', (_request, response) => {
    response.json({
      status: 'ok',
      service: 'ghosthands',
      version: '0.1.0',
      environment: 'simulated',
      commit_sha: host.commitSha,
      api_healthy: true,
      timestamp: new Date().toISOString(),
    });
  });

  app.get('/health/version', (_request, response) => {
    response.json({
      service: 'ghosthands',
      environment: 'simulated',
      commit_sha: host.commitSha,
      image_tag: host.imageTag,
      build_time: new Date(startedAt).toISOString(),
      uptime_ms: Date.now() - startedAt,
      node_env: 'production',
    });
  });

  app.get('/health/system', (_request, response) => {
    response.json(describeSystem(host.variant));
  });

  app.get('/api/v1/gh/models', (_request, response) => {
    response.json({ models: [], presets: [], default: 'qwen-72b', total: 0 });
  });

  app.get('/monitoring/health', async (_request, response) => {
    response.json(await describeHealth(pool, startedAt));
  });

  // Nobody counts jobs, LLM and worker: their recorders have no callers (ghosthands §1.2).
  app.get('/monitoring/metrics/json', (_request, response) => {
    response.json({
      jobs: { created: 0, completed: 0, failed: 0, retried: 0, totalDurationMs: 0, avgDurationMs: 0 },
      llm: { calls: 0, totalInputTokens: 0, totalOutputTokens: 0, totalCostCents: 0, avgTokensPerCall: 0, costPerHourCents: 0 },
      worker: { activeJobs: 0, maxConcurrent: 1, totalProcessed: 0, queueDepth: 0 },
      api: { totalRequests: 0, totalErrors: 0, errorRate: 0, avgResponseTimeMs: 0, requestsByPath: {}, requestsByStatus: {} },
      uptime: Date.now() - startedAt,
      collectedAt: new Date().toISOString(),
    });
  });

  app.use('/api/v1/gh', (request, response, next) => {
    if (request.get('x-gh-service-key') === serviceSecret) next();
    else response.status(401).json({ error: 'unauthorized', message: 'Missing or invalid service key' });
  });

  // The placeholders of its SQL are numbered wrongly, so what could be cancelled is answered with 500, before anything is written (ghosthands §1.4).
  app.post('/api/v1/gh/jobs/:id/cancel', async (request, response) => {
    const status = await findStatus(pool, request.params.id);
    if (status === null) notFound(response);
    else if (finalStatuses.includes(status)) {
      response.status(409).json({ error: 'job_not_cancellable', current_status: status, reason: `Job is ${status}` });
    } else if (!host.honoursCommands) throw misnumbered();
    else response.json(await markCancelled(pool, request.params.id));
  });

  // Its placeholders are numbered as wrongly. What it means to write is what a later GH may write: `honoursCommands`.
  app.post('/api/v1/gh/jobs/:id/retry', async (request, response) => {
    const status = await findStatus(pool, request.params.id);
    if (status === null) return notFound(response);
    if (!retryableStatuses[host.variant].includes(status)) {
      const message = `Job cannot be retried in status ${status}`;
      return void response.status(409).json({ error: 'job_not_retryable', message, current_status: status });
    }
    if (!host.honoursCommands) throw misnumbered();
    response.json(await putBack(pool, request.params.id));
  });

  app.post('/api/v1/gh/valet/resume/:id', async (request, response) => {
    const body = resumeSchema.safeParse(request.body ?? {});
    if (!body.success) return void response.status(422).json(validationError(body.error));
    const rowId = request.params.id;
    const status = await findStatus(pool, rowId);
    if (status === null) return notFound(response);
    if (status !== 'paused') {
      return void response.status(409).json({ error: 'invalid_state', message: `Job is not paused (current status: ${status})` });
    }
    await resume(pool, rowId, body.data);
    const { resolved_by, resolution_type = 'manual' } = body.data;
    response.json({ job_id: rowId, status: 'running', resolved_by, resolution_type });
  });

  app.get('/api/v1/gh/jobs/:id/status', async (request, response) => {
    const { rows } = await pool.query(
      'select id, status, status_message, started_at, last_heartbeat, completed_at from gh_automation_jobs where id = $1',
      [request.params.id],
    );
    if (rows[0]) response.json(rows[0]);
    else notFound(response);
  });

  app.use((_request, response) => notFound(response));
  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    // A malformed UUID, too, is an error of the database and so a 500 (ghosthands §1.1).
    if (error instanceof SyntaxError) response.status(400).json({ error: 'bad_request', message: error.message });
    else response.status(500).json({ error: 'internal_error', message: 'An unexpected error occurred' });
  });
  return app;
}

/** The whole table is looked at, not this machine's rows: one silent job of the fleet degrades every machine (ghosthands §1.2). */
async function describeHealth(pool: Pool, startedAt: number): Promise<object> {
  const asked = performance.now();
  const { rows } = await pool.query<{ silent: number }>(
    `select count(*)::int as silent from gh_automation_jobs where status = 'running' and last_heartbeat < now() - interval '120 s'`,
  );
  const silent = rows[0]?.silent ?? 0;
  return {
    status: silent === 0 ? 'healthy' : 'degraded',
    version: '0.1.0',
    uptime: Date.now() - startedAt,
    // A list, not the map that GH's own documents show.
    checks: [
      { name: 'database', status: 'healthy', message: 'Connected', latencyMs: Math.round(performance.now() - asked) },
      {
        name: 'worker_heartbeat',
        status: silent === 0 ? 'healthy' : 'degraded',
        message: silent === 0 ? 'No stuck jobs' : `${silent} job(s) with stale heartbeat`,
      },
      { name: 'llm_provider', status: 'healthy', message: 'Configured' },
      { name: 'storage', status: 'healthy', message: 'Accessible' },
    ],
    timestamp: new Date().toISOString(),
  };
}

async function findStatus(pool: Pool, rowId: string): Promise<string | null> {
  const { rows } = await pool.query<{ status: string }>('select status from gh_automation_jobs where id = $1', [rowId]);
  return rows[0]?.status ?? null;
}

/** Three statements, no transaction, and no look at whether anybody waits, whosever row it is (ghosthands §1.4). */
async function resume(pool: Pool, rowId: string, body: z.infer<typeof resumeSchema>): Promise<void> {
  const { resolution_type, resolution_data, resolved_by, resolution_notes } = body;
  if (resolution_type !== undefined || resolution_data !== undefined) {
    const resolution = {
      resolution_type: resolution_type ?? 'manual',
      resolution_data: resolution_data ?? null,
      resolved_by,
      resolved_at: new Date().toISOString(),
    };
    await pool.query(`update gh_automation_jobs set interaction_data = coalesce(interaction_data, '{}') || $2::jsonb where id = $1`, [
      rowId,
      JSON.stringify(resolution),
    ]);
  }
  await pool.query(`select pg_notify('gh_job_resume', $1)`, [rowId]);
  await pool.query(`update gh_automation_jobs set status = 'running', paused_at = null, status_message = $2 where id = $1`, [
    rowId,
    `Resumed by ${resolved_by}${resolution_notes === undefined ? '' : `: ${resolution_notes}`}`,
  ]);
}

/** The text of GH's own UPDATE, with placeholders that fit. */
async function markCancelled(pool: Pool, rowId: string): Promise<unknown> {
  const { rows } = await pool.query(
    `update gh_automation_jobs set status = 'cancelled', completed_at = now() where id = $1 returning id, status, completed_at as cancelled_at`,
    [rowId],
  );
  return rows[0];
}

async function putBack(pool: Pool, rowId: string): Promise<unknown> {
  const { rows } = await pool.query(
    `update gh_automation_jobs set status = 'pending', retry_count = retry_count + 1, worker_id = null, error_code = null, error_details = null,
       started_at = null, completed_at = null, last_heartbeat = null
     where id = $1 returning id, status, retry_count`,
    [rowId],
  );
  return rows[0];
}

function describeSystem(variant: HostConfig['variant']): Record<string, unknown> {
  const [loadAvg1m, loadAvg5m, loadAvg15m] = os.loadavg();
  const totalMb = Math.round(os.totalmem() / 2 ** 20);
  const usedMb = totalMb - Math.round(os.freemem() / 2 ** 20);
  // All zeros on main, real on staging (ghosthands §1.2).
  const disk = variant === 'staging' ? { usedGb: 12, totalGb: 50, usagePercent: 24 } : { usedGb: 0, totalGb: 0, usagePercent: 0 };
  return {
    cpu: { usagePercent: 10, cores: os.cpus().length, loadAvg1m, loadAvg5m, loadAvg15m },
    memory: { usedMb, totalMb, usagePercent: Math.round((usedMb / totalMb) * 100) },
    disk,
    timestamp: new Date().toISOString(),
  };
}

function notFound(response: Response): void {
  response.status(404).json({ error: 'not_found', message: 'Not found' });
}

const validationError = (error: z.ZodError): Record<string, unknown> => ({
  error: 'validation_error',
  details: error.issues.map((issue) => ({ field: issue.path.join('.'), message: issue.message, code: issue.code })),
});
