import { z } from 'zod';
import { textSchema } from '../schemas/values';

export const machineSchema = z
  .strictObject({
    cpu: z.strictObject({ usagePercent: z.number(), cores: z.int() }),
    memory: z.strictObject({ usedMb: z.number(), totalMb: z.number(), usagePercent: z.number() }),
    disk: z.strictObject({ usedGb: z.number(), totalGb: z.number(), usagePercent: z.number() }),
  })
  .meta({ id: 'Machine' });

const checkStatusSchema = z.enum(['healthy', 'degraded', 'unhealthy']);

export const monitoringHealthSchema = z
  .strictObject({
    status: checkStatusSchema,
    version: z.string(),
    uptime: z.int().meta({ description: 'Milliseconds.' }),
    checks: z.array(z.strictObject({ name: z.string(), status: checkStatusSchema, message: z.string(), latencyMs: z.int().optional() })),
    timestamp: z.iso.datetime(),
  })
  .meta({ id: 'MonitoringHealth' });

const count = z.int();

export const monitoringMetricsSchema = z
  .strictObject({
    jobs: z.strictObject({
      created: count,
      completed: count,
      failed: count,
      retried: count,
      totalDurationMs: z.number(),
      avgDurationMs: z.number(),
    }),
    llm: z.strictObject({
      calls: count,
      totalInputTokens: count,
      totalOutputTokens: count,
      totalCostCents: z.number(),
      avgTokensPerCall: z.number(),
      costPerHourCents: z.number(),
    }),
    worker: z.strictObject({ activeJobs: count, maxConcurrent: count, totalProcessed: count, queueDepth: count }),
    api: z.strictObject({
      totalRequests: count,
      totalErrors: count,
      errorRate: z.number(),
      avgResponseTimeMs: z.number(),
      requestsByPath: z.record(z.string(), count),
      requestsByStatus: z.record(z.string(), count),
    }),
    uptime: count.meta({ description: 'Milliseconds that the totals are about: since the start, a day at most.' }),
    collectedAt: z.iso.datetime(),
  })
  .meta({ id: 'MonitoringMetrics' });

export const alertsSchema = z
  .strictObject({
    count,
    alerts: z.array(
      z.strictObject({
        id: z.string(),
        name: z.string(),
        severity: z.enum(['warning', 'critical']),
        message: z.string(),
        triggeredAt: z.iso.datetime(),
        metadata: z.record(z.string(), z.unknown()).optional(),
      }),
    ),
    checkedAt: z.iso.datetime(),
  })
  .meta({ id: 'MonitoringAlerts' });

export const registrySchema = z
  .strictObject({
    count,
    workers: z.array(
      z.strictObject({
        worker_id: z.string(),
        status: z.string(),
        target_worker_id: z.string().nullable(),
        ec2_instance_id: z.string().nullable(),
        ec2_ip: z.string().nullable(),
        current_job_id: z.guid().nullable().meta({ description: 'The public job, never an attempt.' }),
        registered_at: z.iso.datetime().nullable(),
        last_heartbeat: z.iso.datetime().nullable(),
        jobs_completed: count,
        jobs_failed: count,
        uptime_seconds: count,
      }),
    ),
    timestamp: z.iso.datetime(),
  })
  .meta({ id: 'MonitoringWorkers' });

export const workerStatusPageSchema = z
  .strictObject({
    worker_id: z.string(),
    ec2_instance_id: z.string().nullable(),
    ec2_ip: z.string().nullable(),
    active_jobs: count,
    max_concurrent: count,
    is_running: z.boolean(),
    is_draining: z.boolean(),
    dispatch_mode: z.string(),
    asg_name: z.string().nullable(),
    uptime_ms: count,
    timestamp: z.iso.datetime(),
  })
  .meta({ id: 'WorkerStatusPage' });

export const workerHealthPageSchema = z
  .strictObject({ status: z.enum(['idle', 'busy', 'draining']), active_jobs: count, deploy_safe: z.boolean() })
  .meta({ id: 'WorkerHealthPage' });

/** Strict: with a slip in the name the whole fleet would be paused. */
export const workerDrainSchema = z
  .strictObject({
    worker_id: textSchema.optional().meta({ description: 'This worker alone; without it, the whole fleet is paused.' }),
  })
  .meta({ id: 'WorkerDrain' });

export const workerDrainingSchema = z
  .strictObject({ status: z.literal('draining'), active_jobs: count, worker_id: z.string() })
  .meta({ id: 'WorkerDraining' });
