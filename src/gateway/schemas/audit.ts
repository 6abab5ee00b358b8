import { z } from 'zod';
import { instantSchema, pageFields, textSchema } from './values';

export const auditQuerySchema = z.strictObject({
  actor: textSchema.optional().meta({ description: 'Name of a key.' }),
  act: textSchema.optional().meta({ description: 'Such as `cancel`; its end is `cancel_ended`.' }),
  subject: textSchema.optional().meta({ description: 'The id of a job, or `*` for the fleet.' }),
  since: instantSchema.optional(),
  ...pageFields,
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
