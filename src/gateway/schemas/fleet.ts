import { z } from 'zod';
import { jobStates } from '../../contracts/job';
import { workerConditions } from '../../db/fleet/worker-counts';
import { healthStatuses } from '../../domain/health';
import { machineName } from '../../domain/machine-name';
import { recycleStates } from '../../contracts/worker-act';
import { sweepFindings, sweepKinds, type SweepFinding } from '../../contracts/sweep';
import { reasonSchema } from './person-text';
import { instantSchema, textSchema } from './values';
import { fleetSchema, workersToRestartSchema } from './job-answers';

/** What stands for the whole fleet is no host: POST /v1/pause is for that. */
const hostSchema = textSchema
  .regex(/^[\w.:-]+$/, 'must be an address or an instance id; POST /v1/pause holds the whole fleet')
  .transform(machineName)
  .meta({ description: 'Address or instance id, in any spelling.', example: '10.0.0.7' });

export const hostParamsSchema = z.strictObject({ host: hostSchema });
export const workerParamsSchema = z.strictObject({ workerId: textSchema });

const dayInSeconds = 24 * 3_600;

export const holdBodySchema = z
  .strictObject({
    reason: reasonSchema.meta({ description: 'Shown wherever the hold is.' }),
    expiresInSeconds: z
      .int()
      .min(1)
      .max(30 * dayInSeconds)
      .optional()
      .meta({ description: 'The hold ends by itself; without it only a release ends it.' }),
  })
  .meta({ id: 'HoldHost' });

const holdSchema = z
  .strictObject({
    host: z.string(),
    holder: z.string().meta({
      description:
        'Whose it is, and who ends it: `person`, POST /v1/fleet/hosts/<host>/release with the `host` given here; `worker:<workerId>`, of a drain or of a ' +
        'deregistration, POST /v1/workers/<workerId>/release, whether that worker is still registered or not; `recycle:<workerId>` and `deploy:<deployId>` ' +
        'end with the recycle and the deploy.',
    }),
    reason: z.string(),
    actor: z.string(),
    heldAt: instantSchema,
    expiresAt: instantSchema.nullable(),
  })
  .meta({ id: 'Hold', description: 'No new job is assigned there; what runs goes on.' });

export const holdsSchema = z
  .array(holdSchema)
  .meta({ description: 'Every hold that keeps jobs away now, whoever’s it is: by the address or by the instance.' });

export const hostAnswerSchema = z
  .strictObject({
    host: z.string(),
    hold: holdSchema.nullable().meta({ description: "A person's, of this name." }),
    holds: holdsSchema,
    workers: z.array(z.string()).meta({ description: 'The registered workers that it is about; none may be a slip of the pen.' }),
  })
  .meta({ id: 'HostHold' });

const workerSchema = z
  .strictObject({
    workerId: z.string(),
    host: z.string().nullable(),
    instanceId: z.string().nullable(),
    status: z.string().meta({ description: 'As the registry says: active, draining, offline.' }),
    condition: z.enum(workerConditions).meta({ description: 'Why it takes no job; `idle` takes one.' }),
    isBeating: z.boolean(),
    registeredAt: instantSchema.nullable().meta({ description: 'Null where the registry has no moment that a calendar knows.' }),
    lastHeartbeatAt: instantSchema.nullable(),
    job: z
      .strictObject({
        jobId: z.guid(),
        attemptId: z.guid(),
        state: z.enum(jobStates),
        isOver: z
          .boolean()
          .meta({ description: 'It has ended, or goes on with another attempt, while this one keeps the worker: recycle it.' }),
      })
      .nullable(),
  })
  .meta({ id: 'Worker' });

export const oneWorkerSchema = workerSchema.extend({ holds: holdsSchema }).meta({ id: 'OneWorker' });

const findingNames = Object.keys(sweepFindings).filter((name): name is SweepFinding => name in sweepFindings);

const sweepFields = {
  kind: z
    .enum(sweepKinds)
    .meta({ description: 'light: heartbeats, ports, listeners, what moves jobs; full: every rule, about every third pass.' }),
  counts: z.partialRecord(z.enum(findingNames), z.int()),
  items: z
    .array(
      z.strictObject({
        finding: z.enum(findingNames),
        subject: z.string().meta({ description: 'The worker, host, job, attempt or sandbox that it is about.' }),
        detail: z.string(),
        before: z.string().optional(),
        after: z.string().optional(),
      }),
    )
    .meta({ description: 'The first of them, alarms and repairs before notices.' }),
};
const lastSweepSchema = z.strictObject({ startedAt: instantSchema, endedAt: instantSchema, ...sweepFields }).meta({ id: 'LastSweep' });

export const sweepBodySchema = z
  .strictObject({ dryRun: z.boolean().default(false).meta({ description: 'Looks, reports, and repairs nothing.' }) })
  .meta({ id: 'Sweep' });

export const sweepReportSchema = z
  .strictObject({ ...sweepFields, isDryRun: z.boolean() })
  .meta({ id: 'SweepReport', description: 'What a pass found, and what it did or would do.' });

export const sweepAskedSchema = z
  .strictObject({ workflowId: z.string(), lookAt: z.string().meta({ description: 'Where its report will be.' }) })
  .meta({ id: 'SweepAsked' });

const fleetHostSchema = z
  .strictObject({
    host: z.string(),
    health: z.enum(healthStatuses).meta({ description: 'API and worker port, and the registry; the worse of both.' }),
    reason: z.string(),
    ports: z
      .strictObject({ isApiUp: z.boolean(), isWorkerUp: z.boolean(), probedAt: instantSchema, problem: z.string().nullable() })
      .nullable(),
    imageVersion: z
      .string()
      .nullable()
      .meta({ description: 'Tag of the image that its API runs, as it said last; null where GH names none.' }),
    goesAround: z
      .string()
      .nullable()
      .meta({ description: 'Why VALET sends commands for this machine to its own API, past the gateway; null where they come to us.' }),
    holds: z.array(holdSchema),
    workers: z.array(workerSchema),
  })
  .meta({ id: 'FleetHost' });

const recycleSchema = z
  .strictObject({
    state: z.enum(recycleStates).meta({
      description:
        '`checked`: RECYCLE_CHECK_COMMAND passed at the start of the deployer; `proven`: a worker was recycled; `unproven`: there is a command that nobody has tried yet.',
    }),
    detail: z.string(),
    askedAt: instantSchema.meta({ description: 'When the deployer was asked last.' }),
    provenAt: instantSchema.nullable().meta({ description: 'When a worker was recycled last.' }),
  })
  .nullable()
  .meta({ id: 'RecycleReadiness', description: 'Can a process be replaced without a person? Null before a deployer was asked.' });

export const fleetReportSchema = z
  .strictObject({
    fleet: fleetSchema,
    hosts: z.array(fleetHostSchema),
    withoutAddress: z.array(workerSchema).meta({ description: 'Workers that registered without a usable address: nobody can ask them.' }),
    workersToRestart: workersToRestartSchema,
    recycle: recycleSchema,
    lastSweep: lastSweepSchema.nullable().meta({ description: 'What the last pass over the fleet found, of either kind.' }),
    lastFullSweep: lastSweepSchema.nullable().meta({ description: 'What the last pass found that applied every rule.' }),
  })
  .meta({ id: 'FleetReport' });

export const workerListSchema = z.strictObject({ workers: z.array(workerSchema) }).meta({ id: 'WorkerList' });
