import { z } from 'zod';
import {
  deployHostStates,
  deployKinds,
  deployNamePattern,
  deployOutcomes,
  deployPhases,
  strategyBounds,
  versionPattern,
} from '../../contracts/deploy';
import { reasonSchema } from './person-text';
import { flagSchema, idSchema, instantSchema, keySchema, pageFields, printableSchema, wholeNumberSchema, listSchema } from './values';

const nameSchema = z
  .string()
  .regex(deployNamePattern, 'must be lower-case letters, digits, - and _, 63 at most')
  .meta({ example: 'staging' });

export const deployParamsSchema = z.strictObject({ deployId: idSchema });
export const destinationParamsSchema = z.strictObject({ destination: nameSchema });

export const placeDeployHeadersSchema = z.object({
  'idempotency-key': keySchema
    .optional()
    .meta({ description: 'The same request of the same caller under the same key is one deploy, however often it comes.' }),
});

const within = ({ least, most }: { least: number; most: number }) => z.int().min(least).max(most);

const strategySchema = z
  .strictObject({
    canaryHosts: within(strategyBounds.canaryHosts).meta({
      description: 'Hosts of the first batch, whose health decides about the others; 0: no canary.',
    }),
    batchHosts: within(strategyBounds.batchHosts).meta({ description: 'Hosts of every further batch; 0: all that are left at once.' }),
    soakSeconds: within(strategyBounds.soakSeconds).meta({ description: 'How long a verified canary must stay healthy.' }),
    drainSeconds: within(strategyBounds.drainSeconds).meta({ description: "How long running jobs of a batch's hosts may take to finish." }),
    onDrainDeadline: z.enum(['abort', 'force']).meta({ description: '`abort` ends the deploy then, `force` interrupts the jobs.' }),
    onMixedFleet: z.enum(['keep_verified', 'put_back']).meta({
      description:
        'When a touched host cannot be put back: `keep_verified` leaves the new version where it is verified, `put_back` puts the version before back there too. After a cancel it is always put back.',
    }),
    needsApproval: z.boolean().meta({ description: 'A person must say yes after the preflight.' }),
    approvalSeconds: within(strategyBounds.approvalSeconds).meta({ description: 'An approval that did not come until then is a no.' }),
  })
  .meta({ id: 'DeployStrategy' });

export const placeDeployBodySchema = z
  .strictObject({
    service: nameSchema.optional().meta({ description: 'A safeguard: a destination belongs to one service.' }),
    destination: nameSchema,
    version: z.string().regex(versionPattern, 'must be an image tag: letters, digits, . - and _, 128 at most').meta({
      description: 'An image tag; a moving one (`staging`, `latest`) means the immutable tag of the same digest.',
      example: 'staging-1a2b3c4',
    }),
    kind: z.enum(deployKinds).default('deploy').meta({ description: '`rollback` is the same act with an older version.' }),
    strategy: strategySchema.partial().default({}),
    dryRun: z.boolean().default(false).meta({ description: 'Ends after the preflight, with the plan.' }),
    reason: reasonSchema.optional(),
  })
  .meta({ id: 'PlaceDeploy' });

export const deploySignalBodySchema = z.strictObject({ reason: reasonSchema.optional() }).meta({ id: 'DeployWord' });
export const breakLockBodySchema = z.strictObject({ reason: reasonSchema }).meta({ id: 'BreakDeployLock' });

export const listDeploysQuerySchema = z.strictObject({
  destination: nameSchema.optional(),
  live: flagSchema.optional().meta({ description: '`true`: those that have not ended; `false`: those that have.' }),
  outcome: listSchema(deployOutcomes)
    .optional()
    .meta({ description: 'One outcome, or several; also as one word with commas between them.' }),
  needsAttention: flagSchema.optional().meta({
    description:
      '`true`: what waits for a person: an approval, a lock that somebody else has, a deploy that ended broken and that no later one has put right.',
  }),
  ...pageFields,
});

export const destinationsQuerySchema = z.strictObject({
  refresh: flagSchema.optional().meta({ description: '`true`: the deployer looks now, which takes some seconds.' }),
});

export const deploySchema = z
  .strictObject({
    deployId: z.guid(),
    service: z.string(),
    destination: z.string(),
    kind: z.enum(deployKinds),
    version: z.string().meta({ description: 'As asked for.' }),
    resolvedVersion: z.string().nullable().meta({ description: 'The immutable tag that it means.' }),
    isDryRun: z.boolean(),
    reason: z.string().nullable(),
    actor: z.string(),
    source: z.string(),
    requestedAt: instantSchema,
    phase: z.enum(deployPhases),
    phaseAt: instantSchema,
    direction: z.enum(['forward', 'back']).meta({
      description:
        '`back` once the deploy has turned, and what it has touched is put back; one that ends before it touches anything has turned, too.',
    }),
    approvedBy: z.string().nullable(),
    cancelRequestedBy: z.string().nullable(),
    lockAt: z.string().nullable().meta({ description: 'When it took the lock, as Kamal tells it; null while it has none.' }),
    standstill: z
      .strictObject({ since: instantSchema, detail: z.string() })
      .nullable()
      .meta({ description: "Kamal's lock is not its own any more: it changes no host until the lock is free. `detail` says who has it." }),
    outcome: z.enum(deployOutcomes).nullable().meta({ description: 'Null while it lives.' }),
    detail: z.string(),
    endedAt: instantSchema.nullable(),
    lastSeq: z.int().meta({ description: 'Number of the newest log line.' }),
    strategy: strategySchema,
    checks: z.array(z.strictObject({ check: z.string(), host: z.string().nullable(), isOk: z.boolean(), detail: z.string() })),
    hosts: z.array(
      z.strictObject({
        host: z.string(),
        roles: z.array(z.string()),
        batch: z.int(),
        state: z.enum(deployHostStates),
        versionBefore: z.string().nullable(),
        versionNow: z.string().nullable(),
        detail: z.string(),
      }),
    ),
    jobs: z
      .array(z.strictObject({ jobId: z.string(), host: z.string(), state: z.string() }))
      .meta({ description: 'Jobs on its hosts, as the preflight or the drain saw them last.' }),
    disagreements: z
      .array(z.strictObject({ phase: z.enum(deployPhases), host: z.string().nullable(), expected: z.string(), found: z.string() }))
      .meta({ description: 'Where two sources told different things of the same step.' }),
    interruptedJobs: z.array(z.strictObject({ jobId: z.string(), attemptId: z.string(), workerId: z.string(), host: z.string() })),
  })
  .meta({ id: 'Deploy' });

export const deployPageSchema = z
  .strictObject({
    deploys: z.array(deploySchema),
    nextCursor: z.string().nullable(),
  })
  .meta({ id: 'DeployPage' });

export const destinationListSchema = z
  .strictObject({
    destinations: z.array(
      z
        .strictObject({
          service: z.string(),
          destination: z.string(),
          hosts: z.array(z.strictObject({ host: z.string(), roles: z.array(z.string()), version: z.string().nullable() })),
          lock: z
            .strictObject({
              holder: z.string(),
              at: z.string().nullable(),
              version: z.string().nullable(),
              message: z.string(),
              deployId: z.string().nullable(),
            })
            .nullable()
            .meta({ description: "Kamal's lock, as Kamal tells it; `deployId` when it is ours." }),
          problem: z.string().nullable().meta({ description: 'Why parts of it are unknown; then a lock of null proves nothing.' }),
          seenAt: instantSchema,
          deploy: z
            .strictObject({
              deployId: z.guid(),
              kind: z.enum(deployKinds),
              version: z.string(),
              actor: z.string(),
              phase: z.enum(deployPhases),
              requestedAt: instantSchema,
            })
            .nullable()
            .meta({ description: 'The deploy that is under way there.' }),
        })
        .meta({ id: 'Destination' }),
    ),
  })
  .meta({ id: 'DestinationList' });

export const brokenLockSchema = z
  .strictObject({ kind: z.enum(['broken', 'was_free']), detail: z.string() })
  .meta({ id: 'BrokenDeployLock' });

export const logStreamQuerySchema = z.strictObject({
  after: wholeNumberSchema({ least: 0, most: Number.MAX_SAFE_INTEGER })
    .optional()
    .meta({ description: 'Lines after this number; all of them by itself. The header Last-Event-ID, which browsers send, goes first.' }),
});

export const logStreamHeadersSchema = z.object({
  'last-event-id': printableSchema(40)
    .optional()
    .meta({ description: 'Id of the last event that was seen.', pattern: String.raw`^([0-9]{1,15}(\.end)?)?$` }),
});
