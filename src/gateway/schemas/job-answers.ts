import { z } from 'zod';
import { affinities, attemptStates, executionModes, humanKinds, jobStates, jobTypes, submissions } from '../../contracts/job';
import { workerConditions } from '../../db/fleet/worker-counts';
import { commandSchema, leftWorkerSchema } from './commands';
import { instantSchema } from './values';

const stateSchema = z.enum(jobStates).meta({
  description: '`succeeded`, `failed`, `cancelled` and `expired` are final; `uncertain` may be submitted and waits for a person.',
});

export const fleetSchema = z
  .strictObject({
    isPaused: z.boolean(),
    pause: z.strictObject({ reason: z.string(), actor: z.string(), pausedAt: instantSchema }).nullable(),
  })
  .meta({ id: 'Fleet', description: 'While the fleet is paused, nothing new is assigned anywhere.' });

export const acceptedJobSchema = z
  .strictObject({
    jobId: z.guid(),
    state: stateSchema,
    generation: z.int(),
    acceptedAt: instantSchema,
    isReplay: z.boolean().meta({ description: 'This request was accepted before; nothing new was written.' }),
    isStarted: z.boolean().meta({
      description: 'False while Temporal is away or has enough to do: the job is accepted all the same, and its workflow is started later.',
    }),
  })
  .meta({ id: 'AcceptedJob' });

const summaryFields = {
  jobId: z.guid(),
  generation: z.int(),
  state: stateSchema,
  reason: z.string().meta({ description: 'Why it is in this state, one word.' }),
  detail: z.string().meta({ description: 'The same for a person.' }),
  stateAt: instantSchema,
  userId: z.guid(),
  taskId: z.string().nullable(),
  priority: z.int(),
  acceptedAt: instantSchema,
  deadlineAt: instantSchema.nullable().meta({ description: 'When this state ends by itself.' }),
  completedAt: instantSchema.nullable().meta({ description: 'Only with a final state.' }),
  humanKind: z.enum(humanKinds).nullable(),
  submission: z.enum(submissions).meta({ description: 'Could the form have been submitted?' }),
  attemptCount: z.int().meta({ description: 'In this generation.' }),
  worker: z.strictObject({ workerId: z.string(), host: z.string().nullable() }).nullable(),
};

const jobSummarySchema = z.strictObject({ ...summaryFields, errorCode: z.string().nullable() }).meta({ id: 'JobSummary' });

export const workersToRestartSchema = z
  .array(
    z
      .strictObject({
        workerId: z.string(),
        host: z.string().nullable(),
        jobId: z.guid().meta({ description: 'The job that has left it behind.' }),
        detail: z.string().meta({ description: 'What to do, and why it was not recycled by itself.' }),
        tries: z.int(),
      })
      .meta({ id: 'WorkerToRestart' }),
  )
  .meta({ description: 'Workers that get no job before a person has restarted them.' });

export const jobPageSchema = z
  .strictObject({
    jobs: z.array(jobSummarySchema),
    nextCursor: z.string().nullable(),
    fleet: fleetSchema,
    workersToRestart: workersToRestartSchema.optional().meta({ description: 'Only with needsAttention=true.' }),
  })
  .meta({ id: 'JobPage' });

const conditionSchema = z.enum(workerConditions);

const waitingSchema = z
  .strictObject({
    workers: z.strictObject(Object.fromEntries(['registered', ...workerConditions].map((name) => [name, z.int()]))).meta({
      description:
        'Registered workers by the first reason that keeps them from a job: offline, stale (silent registry or status port), inQueueMode, ' +
        'draining, twin (two processes behind one id), held, tainted (a left-over human wait), deaf (did not claim), busy.',
    }),
    wantedWorker: z
      .strictObject({
        wantedId: z.string(),
        affinity: z.enum(affinities),
        condition: conditionSchema.nullable().meta({ description: 'Null: no registered worker has that id.' }),
      })
      .nullable(),
    notBefore: instantSchema.nullable().meta({ description: 'Back-off after a failed attempt.' }),
    fleet: fleetSchema,
  })
  .meta({ id: 'WhyWaiting', description: 'Only while the state is `accepted` or `waiting`.' });

export const jobDetailsSchema = z
  .strictObject({
    ...summaryFields,
    jobType: z.enum(jobTypes).nullable(),
    targetUrl: z.string().nullable().meta({ description: 'Without what looks like a secret.' }),
    executionMode: z.enum(executionModes).nullable(),
    timeoutSeconds: z.int(),
    attemptsMax: z.int(),
    acceptedBy: z.string(),
    requestId: z.string(),
    jobDeadlineAt: instantSchema,
    isRerunByGh: z.boolean().meta({ description: 'GH itself ran the form again after a browser crash.' }),
    isCancelRequested: z.boolean(),
    error: z.strictObject({ code: z.string(), message: z.string().nullable() }).nullable(),
    waiting: waitingSchema.nullable(),
    attempts: z.array(
      z
        .strictObject({
          attemptId: z.guid(),
          generation: z.int(),
          number: z.int(),
          workerId: z.string(),
          host: z.string().nullable(),
          instanceId: z.string().nullable(),
          state: z.enum(attemptStates),
          endReason: z.string().nullable(),
          submission: z.enum(submissions),
          errorCode: z.string().nullable(),
          assignedAt: instantSchema,
          claimedAt: instantSchema.nullable(),
          endedAt: instantSchema.nullable(),
        })
        .meta({ id: 'Attempt' }),
    ),
    timeline: z.array(
      z
        .strictObject({
          generation: z.int(),
          at: instantSchema,
          state: stateSchema,
          reason: z.string(),
          detail: z.string(),
          attemptId: z.guid().nullable(),
          workerId: z.string().nullable(),
        })
        .meta({ id: 'Transition' }),
    ),
    callbacks: z.strictObject({
      url: z.string().nullable(),
      received: z.int().meta({ description: 'How often GH called back about its attempts.' }),
      sent: z.array(
        z
          .strictObject({
            generation: z.int(),
            seq: z.int(),
            word: z.string(),
            isFinal: z.boolean(),
            createdAt: instantSchema,
            tries: z.int(),
            nextTryAt: instantSchema.nullable(),
            settledAt: instantSchema.nullable(),
            settledAs: z.enum(['delivered', 'superseded', 'given_up', 'refused']).nullable(),
            lastError: z.string().nullable(),
          })
          .meta({ id: 'SentCallback' }),
      ),
    }),
    commands: z.strictObject({
      open: z.array(commandSchema),
      last: z.array(commandSchema).meta({ description: 'The newest, open ones among them; GET /v1/jobs/:jobId/commands has more.' }),
    }),
    leftWorker: leftWorkerSchema,
    fleet: fleetSchema,
  })
  .meta({ id: 'Job' });
