import { z } from 'zod';
import { jobStates } from '../../contracts/job';
import { noteSchema, reasonSchema } from './person-text';
import { countSchema, flagSchema, idSchema, keySchema, pageFields, textSchema, listSchema } from './values';

export const jobParamsSchema = z.strictObject({ jobId: idSchema });

export const submitHeadersSchema = z.object({
  'idempotency-key': keySchema.optional().meta({
    description:
      "The same request under the same key is one job, however often it comes. A caller's keys are its own: they are told apart by the name of the API key.",
  }),
});

export const listJobsQuerySchema = z.strictObject({
  state: listSchema(jobStates)
    .optional()
    .meta({ description: 'One state, or several; also as one word with commas between them.', example: ['waiting', 'running'] }),
  userId: idSchema.optional(),
  taskId: textSchema.optional(),
  workerId: textSchema.optional().meta({ description: 'Jobs of which this worker has, or had, an attempt.' }),
  needsAttention: flagSchema
    .optional()
    .meta({ description: '`true`: what waits for a person (waiting_human, uncertain), the nearest deadline first.' }),
  ...pageFields,
});

export const redeliverParamsSchema = z.strictObject({ jobId: idSchema, generation: countSchema(1_000_000), seq: countSchema(1_000_000) });

export const workerCallbackParamsSchema = z.strictObject({ attemptId: idSchema });
/** GH's workers may show their secret there (middleware/auth.ts). */
export const workerCallbackQuerySchema = z.looseObject({});

export const pauseBodySchema = z
  .strictObject({ reason: reasonSchema.meta({ description: 'Shown wherever the pause is.' }) })
  .meta({ id: 'PauseFleet' });

/** What is held needs a reason that others find; that it is held no more, none. */
export const releaseBodySchema = z
  .strictObject({ reason: noteSchema.optional().meta({ description: 'For the audit.' }) })
  .meta({ id: 'Release' });
