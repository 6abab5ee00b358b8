import { z } from 'zod';
import { deployNamePattern, versionPattern } from '../../contracts/deploy';
import { printableSchema } from '../schemas/values';

const destinationSchema = z.string().regex(deployNamePattern, 'must be a destination such as staging');
const versionSchema = z.string().regex(versionPattern, 'must be an image tag');

/** Strict, unlike ATM: with a slip in `destination` or in a worker's name the act would go to the default, which is more than was meant. */
export const deployKamalBodySchema = z
  .strictObject({
    destination: destinationSchema
      .optional()
      .meta({ description: 'By itself the one that is called as FLEET_ENVIRONMENT is, or the only one that there is.' }),
    version: versionSchema.optional().meta({
      description: 'A moving tag, as the dashboard sends it, means the immutable one of the same digest; by itself it is the destination.',
    }),
  })
  .meta({ id: 'AtmDeploy' });

export const rollbackKamalBodySchema = z
  .strictObject({ destination: destinationSchema.optional(), version: versionSchema })
  .meta({ id: 'AtmRollback' });

export const forceQuerySchema = z.strictObject({
  force: printableSchema(100)
    .optional()
    .meta({ description: '`true` interrupts the jobs that run on the hosts, instead of waiting for them.' }),
});

export const startedSchema = z
  .object({ success: z.literal(true), message: z.string(), deployId: z.string(), imageTag: z.string(), version: z.string() })
  .meta({ id: 'AtmDeployStarted' });

export const deployRecordSchema = z
  .object({
    id: z.string(),
    imageTag: z.string(),
    previousImageTag: z.string().nullable(),
    commitSha: z.string().nullable(),
    status: z.string(),
    startedAt: z.string(),
    completedAt: z.string().nullable(),
    durationMs: z.number().nullable(),
    error: z.string().nullable(),
    triggeredBy: z.string(),
    destination: z.string(),
    actor: z.string(),
    reason: z.string().nullable(),
  })
  .meta({ id: 'AtmDeployRecord' });

export const deployRecordsSchema = z.array(deployRecordSchema).meta({ id: 'AtmDeployRecords' });

/** ATM takes whatever comes, and answers everything to what is no number (atm §1.3). */
export const recordsQuerySchema = z.object({ limit: printableSchema(100).optional() });
export const recordParamsSchema = z.object({ deployId: printableSchema(255) });
export const destinationQuerySchema = z.object({ destination: destinationSchema.optional() });

export const kamalStatusSchema = z
  .object({
    available: z.boolean(),
    locked: z.boolean(),
    holder: z.string().optional(),
    reason: z.string().optional(),
    destination: z.string(),
  })
  .meta({ id: 'AtmKamalStatus', description: 'What nobody could look at counts as locked.' });

const checkSchema = z.object({ ok: z.boolean(), detail: z.string().optional() });
export const kamalValidateSchema = z
  .object({
    ready: z.boolean(),
    destination: z.string(),
    checks: z.object({ kamal: checkSchema, config: checkSchema, infisical: checkSchema }),
  })
  .meta({ id: 'AtmKamalValidate' });

export const kamalAuditSchema = z
  .array(z.object({ timestamp: z.string(), action: z.string(), performer: z.string(), details: z.string() }))
  .meta({ id: 'AtmKamalAudit' });

export const kamalHostsSchema = z.record(z.string(), z.record(z.string(), z.array(z.string()))).meta({ id: 'AtmKamalHosts' });

const drainMsMax = 1_800_000;
export const drainBodySchema = z
  .strictObject({
    timeoutMs: z
      .number()
      .positive()
      .default(300_000)
      .transform((ms) => Math.min(ms, drainMsMax)),
  })
  .meta({ id: 'AtmDrain' });
