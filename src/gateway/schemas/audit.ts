import { z } from 'zod';
import { instantSchema, pageRowsSchema } from './values';

const wordSchema = z.string().min(1).max(255);

export const auditQuerySchema = z.strictObject({
  actor: wordSchema.optional().meta({ description: 'Name of a key.' }),
  act: wordSchema.optional().meta({ description: 'Such as `cancel`; its end is `cancel_ended`.' }),
  subject: wordSchema.optional().meta({ description: 'The id of a job, or `*` for the fleet.' }),
  since: instantSchema.optional(),
  limit: pageRowsSchema,
  cursor: z.string().min(1).max(200).optional().meta({ description: 'nextCursor of the last answer.' }),
});

export const auditPageSchema = z
  .strictObject({
    entries: z.array(
      z
        .strictObject({
          auditId: z.int(),
          at: instantSchema,
          actor: z.string(),
          source: z.string(),
          address: z.string().nullable(),
          act: z.string(),
          subjectKind: z.string(),
          subject: z.string(),
          route: z.string().nullable(),
          outcome: z.string().nullable(),
          detail: z.record(z.string(), z.unknown()),
        })
        .meta({ id: 'AuditEntry' }),
    ),
    nextCursor: z.string().nullable(),
  })
  .meta({ id: 'AuditPage' });
