import { z } from 'zod';
import { affinities, executionModes, jobTypes } from '../../contracts/job';
import { idSchema, keptUrlSchema, pageUrlSchema } from './values';

const text = (most: number) => z.string().min(1).max(most);

/** GH's own limits (ghosthands §1.3), in our spelling. */
export const profileSchema = z
  .strictObject({
    firstName: text(100),
    lastName: text(100),
    email: z.email().max(200),
    phone: text(30).optional(),
    linkedinUrl: keptUrlSchema.max(500).optional(),
    portfolioUrl: keptUrlSchema.max(500).optional(),
    location: z.strictObject({ city: text(100), state: text(100), country: text(100), zip: text(20).optional() }).optional(),
    workAuthorization: text(100).optional(),
    salaryExpectation: text(100).optional(),
    yearsOfExperience: z.int().min(0).max(70).optional(),
    education: z
      .array(
        z.strictObject({
          institution: text(200),
          degree: text(100),
          field: text(100).optional(),
          graduationYear: z.int().min(1950).max(2040).optional(),
        }),
      )
      .max(10)
      .optional(),
    workHistory: z
      .array(
        z.strictObject({
          company: text(200),
          title: text(200),
          startDate: text(20).optional(),
          endDate: text(20).optional(),
          description: text(2000).optional(),
        }),
      )
      .max(20)
      .optional(),
    skills: z.array(text(100)).max(100).optional(),
  })
  .meta({ id: 'Profile', description: 'Who applies. It stays in Postgres: no log line and no workflow history holds it.' });

export const resumeSchema = z
  .strictObject({
    storagePath: text(500).optional(),
    s3Key: text(500).optional(),
    downloadUrl: pageUrlSchema.optional().meta({ description: 'May be presigned: its query is kept, since the worker needs it.' }),
  })
  .refine((resume) => Object.values(resume).some((value) => value !== undefined), 'needs one of storagePath, s3Key, downloadUrl')
  .meta({ id: 'Resume', description: 'Where the worker finds the file; one of the three at least.', minProperties: 1 });

export const qualities = ['speed', 'balanced', 'quality'] as const;

/** GH's words on both branches; the row is told `other` for everything else. */
export const platforms = ['greenhouse', 'workday', 'linkedin', 'lever', 'icims', 'taleo', 'smartrecruiters', 'amazon', 'other'] as const;

const jobFields = {
  userId: idSchema,
  targetUrl: pageUrlSchema.meta({ description: 'The page of the posting, as the worker shall open it.' }),
  jobType: z.enum(jobTypes).default('apply'),
  taskDescription: text(1000).optional().meta({ description: 'Needed unless jobType is apply.' }),
  platform: z.enum(platforms).default('other'),
  profile: profileSchema.optional().meta({ description: 'Needed for apply, and only there.' }),
  answers: z
    .record(z.string().max(1000), z.string().max(10_000))
    .optional()
    .meta({ description: 'Prepared answers by question; only for apply.' }),
  resume: resumeSchema.optional().meta({ description: 'Needed for apply, and only there.' }),
  inputData: z.record(z.string(), z.unknown()).optional().meta({ description: 'What the worker gets when jobType is not apply.' }),
  taskId: text(255).optional().meta({ description: "The product's id. Without an Idempotency-Key, one job of a task lives at a time." }),
  callbackUrl: keptUrlSchema
    .optional()
    .meta({ description: 'Told what happens; its origin must be allowed (CALLBACK_ALLOWED_ORIGINS). Secrets in it are taken out.' }),
  priority: z.int().min(1).max(10).default(5).meta({ description: 'Lower comes first.' }),
  timeoutSeconds: z.int().min(30).max(3600).default(1800).meta({ description: "Of one run of GH's handler." }),
  executionMode: z.enum(executionModes).default('auto'),
  quality: z.enum(qualities).default('balanced'),
  model: text(100).optional(),
  imageModel: text(100).optional(),
  maxAttempts: z.int().min(1).max(5).default(3),
  worker: z
    .strictObject({
      id: text(100).meta({ description: 'A worker id, its target id, an instance id, or the id of a sandbox.' }),
      affinity: z
        .enum(affinities)
        .default('preferred')
        .meta({ description: '`strict` waits for it; `preferred` takes it when it is idle.' }),
    })
    .optional(),
  metadata: z
    .record(z.string().max(100), z.unknown())
    .optional()
    .meta({ description: "The caller's own; secrets in its URLs are taken out." }),
};

export const submitJobSchema = z
  .strictObject(jobFields)
  .superRefine((job, context) => {
    const need = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if (job.jobType === 'apply') {
      if (job.profile === undefined) need('profile', 'is needed for jobType apply');
      if (job.resume === undefined) need('resume', 'is needed for jobType apply');
      if (job.inputData !== undefined) need('inputData', 'is not for jobType apply: use profile, answers and resume');
      return;
    }
    if (job.taskDescription === undefined) need('taskDescription', `is needed for jobType ${job.jobType}`);
    for (const name of ['profile', 'answers', 'resume'] as const) {
      if (job[name] !== undefined) need(name, `is for jobType apply only: put what the worker needs into inputData`);
    }
  })
  .meta({ id: 'AnyJob' });
const { profile: _profile, answers, resume: _resume, inputData, ...sharedFields } = jobFields;
const [apply, ...otherTypes] = jobTypes;

/** The same rules as two objects: what an application takes, and what every other job takes. */
export const submitJobShownSchema = z
  .union([
    z
      .strictObject({ ...sharedFields, jobType: z.literal(apply).default(apply), profile: profileSchema, resume: resumeSchema, answers })
      .meta({ id: 'SubmitApplication' }),
    z.strictObject({ ...sharedFields, jobType: z.enum(otherTypes), taskDescription: text(1000), inputData }).meta({ id: 'SubmitOtherJob' }),
  ])
  .meta({ id: 'SubmitJob' });
export type SubmitJob = z.output<typeof submitJobSchema>;
