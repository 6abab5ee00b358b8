import { z } from 'zod';
import { limits } from '../../contracts/limits';
import { countSchema, cursorSchema, instantSchema, nameSchema } from './values';

export const auditQuerySchema = z.strictObject({
  actor: nameSchema(255).optional().meta({ description: 'Name of a key.' }),
  act: nameSchema(255).optional().meta({ description: 'Such as `cancel`; its end is `cancel_ended`.' }),
  subject: nameSchema(255).optional().meta({ description: 'The id of a job, or `*` for the fleet.' }),
  since: instantSchema.optional(),
  limit: countSchema(limits.pageRowsMax)
    .optional()
    .meta({ description: `1 to ${limits.pageRowsMax}; ${limits.pageRowsDefault} by itself.` }),
  cursor: cursorSchema.optional().meta({ description: 'nextCursor of the last answer.' }),
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
