import { z } from 'zod';
import { commandKinds, commandOutcomes, resolutionTypes, routes } from '../../contracts/command';
import { jobStates } from '../../contracts/job';
import { limits } from '../../contracts/limits';
import { codeSchema, passwordSchema, userNameSchema } from '../../contracts/resolution';
import { noteSchema } from './person-text';
import { problemSchema } from './problem';
import { idSchema, instantSchema, wholeNumberSchema } from './values';

export const commandParamsSchema = z.strictObject({ commandId: idSchema });

export const waitQuerySchema = z.strictObject({
  wait: wholeNumberSchema({ least: 0, most: limits.commandWaitSecondsMax })
    .optional()
    .meta({ description: 'Seconds to wait for the outcome; then 202 tells where to look.', default: limits.commandWaitSecondsDefault }),
});

const text = noteSchema.optional().meta({ description: 'For people; never a code or a password.' });

export const cancelBodySchema = z.strictObject({ reason: text }).meta({ id: 'CancelJob' });

const resumeFields = {
  resolutionType: z.enum(resolutionTypes).meta({ description: '`manual`: done at the page by hand. `skip`: go on without.' }),
  code: codeSchema.optional().meta({ description: 'For `code_entry`. Encrypted at rest, used once, gone within minutes.' }),
  username: userNameSchema.optional(),
  password: passwordSchema.optional().meta({ description: 'For `credentials`, with `username`. Kept like a code.' }),
  note: text,
};

export const resumeBodySchema = z
  .strictObject(resumeFields)
  .superRefine((body, context) => {
    const wanted: Record<(typeof resolutionTypes)[number], readonly SecretField[]> = {
      manual: [],
      skip: [],
      code_entry: ['code'],
      credentials: ['username', 'password'],
    };
    for (const name of ['code', 'username', 'password'] as const) {
      const isWanted = wanted[body.resolutionType].includes(name);
      if (isWanted === (body[name] !== undefined)) continue;
      const message = isWanted ? `is needed for resolutionType ${body.resolutionType}` : `is not for resolutionType ${body.resolutionType}`;
      context.addIssue({ code: 'custom', path: [name], message });
    }
  })
  .meta({ id: 'AnyResume' });
type SecretField = 'code' | 'username' | 'password';

const { resolutionType: _type, code, username: _username, password, note } = resumeFields;

/** The same rules as an object for each kind of resolution. */
export const resumeBodyShownSchema = z
  .discriminatedUnion('resolutionType', [
    z.strictObject({ resolutionType: z.enum(['manual', 'skip']), note }).meta({ id: 'ResumeByHand' }),
    z.strictObject({ resolutionType: z.literal('code_entry'), code: code.unwrap(), note }).meta({ id: 'ResumeWithCode' }),
    z
      .strictObject({ resolutionType: z.literal('credentials'), username: userNameSchema, password: password.unwrap(), note })
      .meta({ id: 'ResumeWithCredentials' }),
  ])
  .meta({ id: 'ResumeJob' });

export const retryBodySchema = z
  .strictObject({
    confirm: z.boolean().default(false).meta({ description: 'Somebody has checked that another try does not submit twice.' }),
  })
  .meta({ id: 'RetryJob' });

export const resolveBodySchema = z
  .strictObject({ submitted: z.boolean().meta({ description: 'Was the form submitted?' }), note: text })
  .meta({ id: 'ResolveJob' });

const stepSchema = z.strictObject({
  lookedUp: z.string(),
  found: z.string().nullable(),
  level: z.enum(['info', 'warn', 'error']),
  reason: z.string(),
});

const routeSchema = z
  .strictObject({
    route: z.enum(routes).meta({ description: '`row` and `owner` are as wished; every other one is a fallback, with its reason.' }),
    attemptId: z.guid().nullable(),
    workerId: z.string().nullable(),
    host: z.string().nullable(),
    instanceId: z.string().nullable(),
    reason: z.string(),
    steps: z.array(stepSchema).meta({ description: 'Every look-up on the way and what it gave.' }),
  })
  .meta({ id: 'RouteTaken' });

const commandFields = {
  commandId: z.guid(),
  jobId: z.guid(),
  generation: z.int(),
  kind: z.enum(commandKinds),
  actor: z.string(),
  reason: z.string().nullable(),
  requestedAt: instantSchema,
  endedAt: instantSchema.nullable(),
  outcome: z
    .enum(commandOutcomes)
    .nullable()
    .meta({ description: 'Null while it is under way; `unconfirmed` may still become another one.' }),
  words: z.string().meta({ description: 'What the outcome means.' }),
  detail: z.string(),
  route: routeSchema.nullable(),
  means: z
    .array(z.strictObject({ means: z.string(), result: z.string() }))
    .meta({ description: 'What was done to reach the worker, in order.' }),
  jobState: z.enum(jobStates),
};

export const commandSchema = z.strictObject(commandFields).meta({ id: 'Command' });

export const leftWorkerSchema = z
  .strictObject({
    workerId: z.string(),
    host: z.string().nullable(),
    isBeingRecycled: z.boolean().meta({ description: 'False: a person has to restart it, and `detail` says why.' }),
    detail: z.string(),
  })
  .nullable()
  .meta({
    id: 'LeftWorker',
    description:
      'The worker whose process the job has left behind, which gets no job before another process is there; null where there is none.',
  });

/** Of a retry or a resolve, by which a worker may have been left behind. */
export const personCommandSchema = z.strictObject({ ...commandFields, leftWorker: leftWorkerSchema }).meta({ id: 'PersonCommand' });

export const commandListSchema = z.strictObject({ commands: z.array(commandSchema) }).meta({ id: 'CommandList' });

/** A refusal is a problem that names its command as well. */
export const commandProblemSchema = z
  .strictObject({ ...commandFields, ...problemSchema.shape })
  .meta({ id: 'CommandProblem', description: 'A problem (RFC 9457) with the fields of the command beside its own.' });

/** Where another one is in the way (a resume that is under way, another live job of the task) there is no command of the caller's own. */
export const commandConflictSchema = z.union([commandProblemSchema, problemSchema]).meta({ id: 'CommandConflict' });
