import { z } from 'zod';
import { affinities, executionModes, jobTypes } from '../../contracts/job';
import { platforms, qualities } from '../schemas/submit-job';
import { idSchema, keptUrlSchema, pageUrlSchema } from '../schemas/values';

/**
 * What VALET's client sends (valet §1.4), with GH's limits (ghosthands §1.3). Fields that GH does not know it drops, and so do we, since the client
 * comes unchanged. Lenient exactly where VALET is wrong: platform `unknown`, an empty résumé path or e-mail, graduation year 0, a sandbox id as
 * the target, max_retries.
 */
const text = (most: number) => z.string().max(most);
const filled = (most: number) => z.string().min(1).max(most);
const emptyIsNone = <Value>(value: Value | '' | null | undefined): Value | undefined =>
  value === '' || value === null ? undefined : value;

const platformSchema = filled(100)
  .optional()
  .transform((word) => platforms.find((platform) => platform === word) ?? 'other');

const resumeSchema = z
  .object({
    storage_path: text(500).optional().transform(emptyIsNone),
    s3_key: text(500).optional().transform(emptyIsNone),
    download_url: z
      .union([z.literal(''), pageUrlSchema])
      .optional()
      .transform(emptyIsNone),
  })
  .meta({ id: 'ValetResume' });

const educationSchema = z.object({
  institution: text(200),
  degree: text(100),
  field: text(100).optional(),
  graduation_year: z
    .union([z.literal(0), z.int().min(1950).max(2040)])
    .optional()
    .transform((year) => (year === 0 ? undefined : year)),
});

const profileSchema = z
  .object({
    first_name: text(100),
    last_name: text(100),
    email: z.union([z.literal(''), z.email().max(200)], { error: 'must be an e-mail address, or empty' }),
    phone: text(30).optional(),
    linkedin_url: z.union([z.literal(''), keptUrlSchema.max(500)]).optional(),
    portfolio_url: z.union([z.literal(''), keptUrlSchema.max(500)]).optional(),
    location: z.object({ city: text(100), state: text(100), country: text(100), zip: text(20).optional() }).optional(),
    work_authorization: text(100).optional(),
    salary_expectation: text(100).optional(),
    years_of_experience: z.int().min(0).max(70).optional(),
    education: z.array(educationSchema).max(10).optional(),
    work_history: z
      .array(
        z.object({
          company: text(200),
          title: text(200),
          start_date: text(20).optional(),
          end_date: text(20).optional(),
          description: text(2000).optional(),
        }),
      )
      .max(20)
      .optional(),
    skills: z.array(text(100)).max(100).optional(),
  })
  .meta({ id: 'ValetProfile' });

const sharedFields = {
  valet_task_id: filled(255),
  valet_user_id: idSchema,
  target_url: pageUrlSchema,
  callback_url: keptUrlSchema.nullish().meta({ description: 'May carry `?token=`: taken out before anything is stored.' }),
  quality: z.enum(qualities).default('balanced'),
  priority: z.int().min(1).max(10).default(5),
  timeout_seconds: z.int().min(30).max(3600).default(1800),
  idempotency_key: filled(255).nullish().meta({ description: 'Wins over valet_task_id, of which one job lives at a time.' }),
  metadata: z.record(z.string(), z.unknown()).default({}),
  target_worker_id: text(100)
    .nullish()
    .transform(emptyIsNone)
    .meta({ description: 'A worker, its target id, an instance, or the UUID of a sandbox.' }),
  worker_affinity: z.enum(affinities).default('preferred'),
  model: text(100).nullish().transform(emptyIsNone),
  image_model: text(100).nullish().transform(emptyIsNone),
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
    task_description: filled(1000),
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
