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

const checkSchema = z.enum(['ok', 'away']);

export const readyAnswerSchema = z
  .strictObject({
    status: z.enum(['ready', 'not_ready']),
    checks: z.strictObject({ postgres: checkSchema, temporal: checkSchema }),
    isDraining: z.boolean(),
    fleet: fleetSchema.nullable().meta({ description: 'Null while Postgres is away.' }),
  })
  .meta({ id: 'Readiness' });
