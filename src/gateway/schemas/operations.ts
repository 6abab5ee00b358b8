import { z } from 'zod';
import { fleetSchema } from './job-answers';

export const redeliveryAnswerSchema = z
  .strictObject({
    jobId: z.guid(),
    generation: z.int(),
    seq: z.int(),
    isStarted: z.boolean().meta({ description: 'False while Temporal is away: the sweep starts the delivery when it is back.' }),
  })
  .meta({ id: 'Redelivery' });

export const workerCallbackAnswerSchema = z
  .strictObject({
    received: z.literal(true),
    effect: z.enum(['wakes_job', 'attempt_ended', 'attempt_unknown', 'names_other_job']),
  })
  .meta({ id: 'WorkerCallbackReceipt' });

export const liveAnswerSchema = z.strictObject({ status: z.literal('alive') }).meta({ id: 'Liveness' });

export const openApiSchema = z
  .looseObject({
    openapi: z.string(),
    info: z.looseObject({ title: z.string(), version: z.string() }),
    paths: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'OpenApi' });

const postgresSchema = z.enum(['ok', 'read_only', 'old_schema', 'unfit_settings', 'away']).meta({
  description:
    'read_only: it can be asked, and nothing can be accepted. old_schema, unfit_settings: `detail` names the command that helps.',
});
const temporalSchema = z
  .enum(['ok', 'away'])
  .meta({ description: 'While it is away jobs are accepted with 202, and start when it is back; so it decides nothing about `status`.' });

export const readyAnswerSchema = z
  .strictObject({
    status: z.enum(['ready', 'not_ready']),
    checks: z.strictObject({ postgres: postgresSchema, temporal: temporalSchema }),
    detail: z.string().optional(),
    isDraining: z.boolean(),
    lastSweepAgeSeconds: z
      .number()
      .nullable()
      .meta({ description: 'Since the last pass over the fleet ended; far more than ten seconds means that no orchestrator works.' }),
    fleet: fleetSchema.nullable().meta({ description: 'Null while Postgres is away.' }),
  })
  .meta({ id: 'Readiness' });
