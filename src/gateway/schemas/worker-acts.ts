import { z } from 'zod';
import { jobStates } from '../../contracts/job';
import { limits } from '../../contracts/limits';
import { workerActOutcomes, workerActs } from '../../contracts/worker-act';
import { holdsSchema } from './fleet';
import { reasonSchema } from './person-text';
import { instantSchema } from './values';

export const drainBodySchema = z
  .strictObject({
    reason: reasonSchema,
    deadlineSeconds: z
      .int()
      .min(1)
      .max(limits.drainMaxMs / 1_000)
      .optional()
      .meta({ description: 'How long its job is waited for.', default: limits.drainMs / 1_000 }),
  })
  .meta({ id: 'DrainWorker' });

export const recycleBodySchema = z
  .strictObject({
    reason: reasonSchema,
    force: z
      .boolean()
      .default(false)
      .meta({ description: 'Also while a job runs there: it is interrupted, and tried again or left uncertain.' }),
  })
  .meta({ id: 'RecycleWorker' });

export const workerActSchema = z
  .strictObject({
    actId: z.guid(),
    act: z.enum(workerActs),
    workerId: z.string(),
    actor: z.string(),
    reason: z.string(),
    startedAt: instantSchema,
    deadlineAt: instantSchema.nullable(),
    isForced: z.boolean(),
    endedAt: instantSchema.nullable(),
    outcome: z.enum(workerActOutcomes).nullable().meta({
      description: 'Null while it is under way. A drain is `unproven` where the worker registered without an address to ask it at.',
    }),
    detail: z.string().meta({ description: 'What came of it; of a drain that is under way, what it waits for.' }),
    job: z
      .strictObject({ jobId: z.guid(), state: z.enum(jobStates) })
      .nullable()
      .meta({ description: 'What is still there, or was at the end; the job that a recycle interrupted.' }),
  })
  .meta({ id: 'WorkerAct' });

export const releasedWorkerSchema = z
  .strictObject({ workerId: z.string(), wasHeld: z.boolean(), holds: holdsSchema })
  .meta({ id: 'ReleasedWorker' });
