import { z } from 'zod';
import { commandOutcomes } from '../../contracts/command';
import { noteSchema } from '../schemas/person-text';
import { idSchema, textSchema } from '../schemas/values';

/** As GH takes it; what VALET sends as the target is a sandbox's UUID (valet §1.2). */
export const deregisterSchema = z
  .object({
    target_worker_id: textSchema,
    reason: noteSchema.optional(),
    cancel_active_jobs: z.boolean().default(false),
    drain_timeout_seconds: z.int().min(0).max(300).optional().meta({ description: 'Without effect, as at GH.' }),
  })
  .meta({ id: 'ValetDeregister' });

export const deregisteredSchema = z
  .strictObject({
    deregistered: z.array(z.string()).meta({ description: "VALET's word." }),
    deregistered_workers: z.array(z.string()).meta({ description: "GH's word." }),
    cancelled_jobs: z.array(z.guid()),
    cancelled_job_ids: z.array(z.guid()),
    reason: z.string().nullable(),
    jobs: z
      .array(z.strictObject({ job_id: z.guid(), outcome: z.enum(commandOutcomes).nullable(), message: z.string() }))
      .meta({ description: 'What becomes of each job that was there; its workflow decides.' }),
  })
  .meta({ id: 'ValetDeregistered' });

export const sessionsQuerySchema = z.object({ user_id: idSchema });
export const clearSessionsQuerySchema = z
  .object({ user_id: idSchema, domain: textSchema.optional(), all: z.enum(['true', 'false']).optional() })
  .refine(({ domain, all }) => (domain === undefined) === (all === 'true'), { message: 'either domain, or all=true', path: ['domain'] });
export const sessionsParamsSchema = z.object({ userId: idSchema });
export const sessionParamsSchema = z.object({ userId: idSchema, domain: textSchema });

export const sessionsSchema = z
  .strictObject({
    user_id: z.guid(),
    sessions: z.array(
      z.strictObject({
        domain: z.string(),
        last_used_at: z.iso.datetime(),
        created_at: z.iso.datetime(),
        updated_at: z.iso.datetime(),
        expires_at: z.iso.datetime().nullable(),
      }),
    ),
    count: z.int(),
  })
  .meta({ id: 'BrowserSessions' });

export const clearedSessionSchema = z
  .strictObject({ user_id: z.guid(), domain: z.string(), deleted: z.literal(true) })
  .meta({ id: 'ClearedSession' });
export const clearedSessionsSchema = z.strictObject({ user_id: z.guid(), deleted_count: z.int() }).meta({ id: 'ClearedSessions' });
export const clearedSchema = z.union([clearedSessionsSchema, clearedSessionSchema]).meta({ id: 'ClearedSessionOrSessions' });
