import { z } from 'zod';
import { jobStates } from '../../contracts/job';
import { countSchema, flagSchema, idSchema, keySchema, pageRowsSchema, reasonSchema, wordsSchema } from './values';

export const jobParamsSchema = z.strictObject({ jobId: idSchema });

export const submitHeadersSchema = z.object({
  'idempotency-key': keySchema.optional().meta({ description: 'The same request under the same key is one job, however often it comes.' }),
});

export const listJobsQuerySchema = z.strictObject({
  state: wordsSchema(jobStates)
    .optional()
    .meta({ description: 'One state, or several; also as one word with commas between them.', example: ['waiting', 'running'] }),
  userId: idSchema.optional(),
  taskId: z.string().min(1).max(255).optional(),
  workerId: z.string().min(1).max(255).optional().meta({ description: 'Jobs of which this worker has, or had, an attempt.' }),
  needsAttention: flagSchema
    .optional()
    .meta({ description: '`true`: what waits for a person (waiting_human, uncertain), the nearest deadline first.' }),
  limit: pageRowsSchema,
  cursor: z.string().min(1).max(200).optional().meta({ description: 'nextCursor of the last answer.' }),
});

export const redeliverParamsSchema = z.strictObject({ jobId: idSchema, generation: countSchema(1_000_000), seq: countSchema(1_000_000) });

export const workerCallbackParamsSchema = z.strictObject({ attemptId: idSchema });

export const pauseBodySchema = z
  .strictObject({ reason: reasonSchema.meta({ description: 'Shown wherever the pause is.' }) })
  .meta({ id: 'PauseFleet' });
