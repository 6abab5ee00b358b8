import { z } from 'zod';
import { commandOutcomes, resolutionTypes, routes } from '../../contracts/command';
import { jobStates } from '../../contracts/job';
import {
  codeSchema,
  needResolutionData,
  passwordSchema,
  resolutionDataSchema,
  resolutionFields,
  userNameSchema,
} from '../../contracts/resolution';
import { noteSchema } from '../schemas/person-text';

/** What VALET's client and GH's own one send with a command (valet §1.2, ghosthands §1.4); fields that GH does not know it drops, and so do we. */
export const valetCancelSchema = z.object({ reason: noteSchema.nullish() }).meta({ id: 'ValetCancel' });

export const valetRetrySchema = z
  .object({
    confirm: z.boolean().default(false).meta({ description: 'Not of GH: somebody has checked that another try does not submit twice.' }),
  })
  .meta({ id: 'ValetRetry' });

const resumeBodyFields = {
  resolved_by: z.enum(['human', 'system']).default('human'),
  notes: noteSchema.nullish().meta({ description: "VALET's word." }),
  resolution_notes: noteSchema.nullish().meta({ description: "GH's word." }),
  ...resolutionFields,
};

export const valetResumeSchema = z.object(resumeBodyFields).superRefine(needResolutionData).meta({ id: 'AnyValetResumeCommand' });

const whoIsKnown = [{ username: userNameSchema }, { email: userNameSchema }] as const;

/** The same rules as an object for each kind of resolution. */
export const valetResumeShownSchema = z
  .union([
    z.object({ ...resumeBodyFields, resolution_type: z.enum(['manual', 'skip']).nullish() }).meta({ id: 'ValetResumeByHandOrData' }),
    z
      .object({
        ...resumeBodyFields,
        resolution_type: z.literal('code_entry'),
        resolution_data: resolutionDataSchema.extend({ code: codeSchema }),
      })
      .meta({ id: 'ValetResumeWithCode' }),
    z
      .object({
        ...resumeBodyFields,
        resolution_type: z.literal('credentials'),
        resolution_data: z.union(whoIsKnown.map((who) => resolutionDataSchema.extend({ ...who, password: passwordSchema }))),
      })
      .meta({ id: 'ValetResumeWithCredentials' }),
  ])
  .meta({
    id: 'ValetResumeCommand',
    description: 'Both vocabularies. Without a type it follows from the data; without both it was done by hand.',
  });

const factFields = {
  command_id: z.guid().optional(),
  outcome: z.enum(commandOutcomes).nullable().optional(),
  message: z.string(),
  job_state: z.enum(jobStates).optional(),
  route: z.enum(routes).nullable().optional(),
  route_reason: z.string().nullable().optional(),
};

const cancelFields = { id: z.guid(), status: z.string(), cancelled_at: z.iso.datetime().nullable() };
const retryFields = { id: z.guid(), status: z.string() };
const resumeFields = { job_id: z.guid(), status: z.string(), resolved_by: z.string(), resolution_type: z.enum(resolutionTypes) };

export const valetCancelledSchema = z.strictObject({ ...cancelFields, ...factFields }).meta({ id: 'ValetCancelled' });
export const valetRetriedSchema = z.strictObject({ ...retryFields, ...factFields }).meta({ id: 'ValetRetried' });
export const valetResumedSchema = z.strictObject({ ...resumeFields, ...factFields }).meta({ id: 'ValetResumed' });

/** 423: the state forbids it. */
export const valetRefusedSchema = z
  .object({ error: z.literal('invalid_state'), status: z.string().optional(), ...factFields })
  .meta({ id: 'ValetRefused' });
