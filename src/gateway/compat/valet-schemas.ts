import { z } from 'zod';
import { affinities, executionModes, jobTypes } from '../../contracts/job';
import {
  graduationYearSchema,
  most,
  platforms,
  prioritySchema,
  qualities,
  timeoutSecondsSchema,
  yearsOfExperienceSchema,
} from '../schemas/submit-job';
import { emailSchema, idSchema, keptUrlSchema, pageUrlSchema, textSchema } from '../schemas/values';

/**
 * What VALET's client sends (valet §1.4), with GH's limits (ghosthands §1.3). Fields that GH does not know it drops, and so do we, since the client
 * comes unchanged. Lenient exactly where VALET is wrong: platform `unknown`, an empty résumé path or e-mail, graduation year 0, a sandbox id as
 * the target, max_retries.
 */
const text = (charsMax: number) => z.string().max(charsMax);
const emptyIsNone = <Value>(value: Value | '' | null | undefined): Value | undefined =>
  value === '' || value === null ? undefined : value;

const platformSchema = text(most.word)
  .min(1)
  .optional()
  .transform((word) => platforms.find((platform) => platform === word) ?? 'other');

const resumeSchema = z
  .object({
    storage_path: text(most.path).optional().transform(emptyIsNone),
    s3_key: text(most.path).optional().transform(emptyIsNone),
    download_url: z
      .union([z.literal(''), pageUrlSchema])
      .optional()
      .transform(emptyIsNone),
  })
  .meta({ id: 'ValetResume' });

const educationSchema = z.object({
  institution: text(most.title),
  degree: text(most.word),
  field: text(most.word).optional(),
  graduation_year: z
    .union([z.literal(0), graduationYearSchema])
    .optional()
    .transform((year) => (year === 0 ? undefined : year)),
});

const profileSchema = z
  .object({
    first_name: text(most.word),
    last_name: text(most.word),
    email: z.union([z.literal(''), emailSchema.max(most.title)], { error: 'must be an e-mail address, or empty' }),
    phone: text(most.phone).optional(),
    linkedin_url: z.union([z.literal(''), keptUrlSchema.max(most.path)]).optional(),
    portfolio_url: z.union([z.literal(''), keptUrlSchema.max(most.path)]).optional(),
    location: z
      .object({ city: text(most.word), state: text(most.word), country: text(most.word), zip: text(most.zip).optional() })
      .optional(),
    work_authorization: text(most.word).optional(),
    salary_expectation: text(most.word).optional(),
    years_of_experience: yearsOfExperienceSchema.optional(),
    education: z.array(educationSchema).max(most.education).optional(),
    work_history: z
      .array(
        z.object({
          company: text(most.title),
          title: text(most.title),
          start_date: text(most.date).optional(),
          end_date: text(most.date).optional(),
          description: text(most.work).optional(),
        }),
      )
      .max(most.workHistory)
      .optional(),
    skills: z.array(text(most.word)).max(most.skills).optional(),
  })
  .meta({ id: 'ValetProfile' });

const sharedFields = {
  valet_task_id: textSchema,
  valet_user_id: idSchema,
  target_url: pageUrlSchema,
  callback_url: keptUrlSchema.nullish().meta({ description: 'May carry `?token=`: taken out before anything is stored.' }),
  quality: z.enum(qualities).default('balanced'),
  priority: prioritySchema,
  timeout_seconds: timeoutSecondsSchema,
  idempotency_key: textSchema.nullish().meta({ description: 'Wins over valet_task_id, of which one job lives at a time.' }),
  metadata: z.record(z.string(), z.unknown()).default({}),
  target_worker_id: text(most.word)
    .nullish()
    .transform(emptyIsNone)
    .meta({ description: 'A worker, its target id, an instance, or the UUID of a sandbox.' }),
  worker_affinity: z.enum(affinities).default('preferred'),
  model: text(most.word).nullish().transform(emptyIsNone),
  image_model: text(most.word).nullish().transform(emptyIsNone),
  execution_mode: z.enum(executionModes).default('auto'),
  max_retries: z.number().nullish().meta({ description: 'Without effect, as at GH.' }),
};

export const applySchema = z
  .object({
    ...sharedFields,
    platform: platformSchema,
    resume: resumeSchema,
    profile: profileSchema,
    qa_answers: z.record(z.string(), z.string()).nullish(),
  })
  .meta({ id: 'ValetApply' });
export type ValetApply = z.output<typeof applySchema>;

export const taskSchema = z
  .object({
    ...sharedFields,
    job_type: z.enum(jobTypes),
    task_description: text(most.task).min(1),
    input_data: z.record(z.string(), z.unknown()).default({}),
  })
  .meta({ id: 'ValetTask' });
export type ValetTask = z.output<typeof taskSchema>;

export const acceptedSchema = z
  .strictObject({ job_id: z.guid(), valet_task_id: z.string(), status: z.literal('pending'), created_at: z.iso.datetime() })
  .meta({ id: 'ValetAccepted' });

export const duplicateSchema = z
  .strictObject({ job_id: z.guid(), valet_task_id: z.string(), status: z.string(), duplicate: z.literal(true) })
  .meta({ id: 'ValetDuplicate' });

const costSchema = z.strictObject({ total_cost_usd: z.number(), action_count: z.number(), total_tokens: z.number() });

export const statusSchema = z
  .strictObject({
    job_id: z.guid(),
    valet_task_id: z.string().nullable(),
    status: z.string(),
    status_message: z.string().nullable(),
    worker_id: z.string().nullable(),
    target_worker_id: z.string().nullable(),
    progress: z.number().nullable(),
    result: z
      .strictObject({
        data: z.unknown(),
        summary: z.string().nullable(),
        screenshots: z.array(z.string()),
        confirmation_id: z.string().nullable(),
        screenshot_url: z.string().nullable(),
        fields_filled: z.number().nullable(),
      })
      .nullable(),
    error: z.strictObject({ code: z.string(), message: z.string(), details: z.strictObject({ message: z.string() }) }).nullable(),
    interaction: z
      .strictObject({
        type: z.string(),
        description: z.string().nullable(),
        screenshot_url: z.string().nullable(),
        page_url: z.string().nullable(),
        paused_at: z.iso.datetime(),
        timeout_seconds: z.int(),
      })
      .nullable(),
    execution_mode: z.string().nullable(),
    browser_mode: z.string().nullable(),
    final_mode: z.string().nullable(),
    manual: z.null(),
    cost: costSchema.nullable(),
    cost_breakdown: costSchema.nullable(),
    browser_session_available: z.literal(false),
    timestamps: z.strictObject({
      created_at: z.iso.datetime(),
      started_at: z.iso.datetime().nullable(),
      completed_at: z.iso.datetime().nullable(),
    }),
  })
  .meta({ id: 'ValetStatus', description: "Both the shape that VALET reads and GH's (valet §1.2)." });

export const modelsSchema = z
  .object({
    models: z.array(z.object({ model: z.string(), provider: z.string() }).loose()),
    presets: z.array(z.object({ name: z.string() }).loose()),
    default: z.string().nullable(),
    total: z.int(),
  })
  .meta({ id: 'Models' });

export const healthSchema = z
  .strictObject({
    status: z.literal('ok'),
    service: z.string(),
    version: z.string(),
    api_healthy: z.boolean(),
    timestamp: z.iso.datetime(),
    activeWorkers: z.int().meta({ description: 'Really active jobs; this and the following for ATM’s dashboard.' }),
    deploySafe: z.boolean(),
    apiHealthy: z.boolean().meta({ description: 'The API of some host answers.' }),
    workerStatus: z.enum(['idle', 'busy', 'all-stopped', 'unknown']),
    currentDeploy: z.string().nullable(),
    uptimeMs: z.int(),
  })
  .meta({ id: 'ValetHealth' });

export const ghErrorSchema = z
  .strictObject({
    error: z.string(),
    message: z.string().optional(),
    details: z.array(z.strictObject({ field: z.string(), message: z.string(), code: z.string() })).optional(),
  })
  .meta({ id: 'GhError', description: "GH's words for an error. 409 is never one of them: VALET takes it for success." });
