import { z } from 'zod';
import { affinities, executionModes, jobTypes } from '../../contracts/job';
import { emailSchema, idSchema, keptUrlSchema, pageUrlSchema, textSchema } from './values';

/** GH's own limits (ghosthands §1.3), the same in the product's spelling: characters of texts, entries of lists. */
export const most = {
  word: 100,
  title: 200,
  phone: 30,
  date: 20,
  zip: 20,
  path: 500,
  task: 1_000,
  work: 2_000,
  education: 10,
  workHistory: 20,
  skills: 100,
} as const;
export const yearsOfExperienceSchema = z.int().min(0).max(70);
export const graduationYearSchema = z.int().min(1950).max(2040);
export const prioritySchema = z.int().min(1).max(10).default(5);
export const timeoutSecondsSchema = z.int().min(30).max(3600).default(1800);

/** As at GH, which fixes it whatever VALET asks for. */
export const attemptsMaxDefault = 3;

const text = (charsMax: number) => z.string().min(1).max(charsMax);

const profileSchema = z
  .strictObject({
    firstName: text(most.word),
    lastName: text(most.word),
    email: emailSchema.max(most.title),
    phone: text(most.phone).optional(),
    linkedinUrl: keptUrlSchema.max(most.path).optional(),
    portfolioUrl: keptUrlSchema.max(most.path).optional(),
    location: z
      .strictObject({ city: text(most.word), state: text(most.word), country: text(most.word), zip: text(most.zip).optional() })
      .optional(),
    workAuthorization: text(most.word).optional(),
    salaryExpectation: text(most.word).optional(),
    yearsOfExperience: yearsOfExperienceSchema.optional(),
    education: z
      .array(
        z.strictObject({
          institution: text(most.title),
          degree: text(most.word),
          field: text(most.word).optional(),
          graduationYear: graduationYearSchema.optional(),
        }),
      )
      .max(most.education)
      .optional(),
    workHistory: z
      .array(
        z.strictObject({
          company: text(most.title),
          title: text(most.title),
          startDate: text(most.date).optional(),
          endDate: text(most.date).optional(),
          description: text(most.work).optional(),
        }),
      )
      .max(most.workHistory)
      .optional(),
    skills: z.array(text(most.word)).max(most.skills).optional(),
  })
  .meta({ id: 'Profile', description: 'Who applies. It stays in Postgres: no log line and no workflow history holds it.' });

const resumeSchema = z
  .strictObject({
    storagePath: text(most.path).optional(),
    s3Key: text(most.path).optional(),
    downloadUrl: pageUrlSchema.optional().meta({ description: 'May be presigned: its query is kept, since the worker needs it.' }),
  })
  .refine((resume) => Object.values(resume).some((value) => value !== undefined), 'needs one of storagePath, s3Key, downloadUrl')
  .meta({ id: 'Resume', description: 'Where the worker finds the file; one of the three at least.', minProperties: 1 });

export const qualities = ['speed', 'balanced', 'quality'] as const;

/** GH's words on both branches; the row gets `other` for everything else. */
export const platforms = ['greenhouse', 'workday', 'linkedin', 'lever', 'icims', 'taleo', 'smartrecruiters', 'amazon', 'other'] as const;

/** What the row's metadata hold of ours, and what means something to GH in there: a caller's own under such a name would be written over, or left out. */
const ownMetadata = ['source', 'quality_preset', 'valet_task_id', 'resume_ref', 'yardmaster', 'dispatch_target', 'callback_url'];

const jobFields = {
  userId: idSchema,
  targetUrl: pageUrlSchema.meta({ description: 'The page of the posting, as the worker shall open it.' }),
  jobType: z.enum(jobTypes).default('apply'),
  taskDescription: text(most.task).optional().meta({ description: 'Needed unless jobType is apply.' }),
  platform: z.enum(platforms).default('other'),
  profile: profileSchema.optional().meta({ description: 'Needed for apply, and only there.' }),
  answers: z
    .record(z.string().max(1000), z.string().max(10_000))
    .optional()
    .meta({ description: 'Prepared answers by question; only for apply.' }),
  resume: resumeSchema.optional().meta({ description: 'Needed for apply, and only there.' }),
  inputData: z.record(z.string(), z.unknown()).optional().meta({ description: 'What the worker gets when jobType is not apply.' }),
  taskId: textSchema.optional().meta({
    description:
      "The product's id. A task is one application: while a job of it lives, has submitted or may have, another submission is answered with that job.",
  }),
  callbackUrl: keptUrlSchema
    .optional()
    .meta({ description: 'Told what happens; its origin must be allowed (CALLBACK_ALLOWED_ORIGINS). Secrets in it are taken out.' }),
  priority: prioritySchema.meta({ description: 'Lower comes first.' }),
  timeoutSeconds: timeoutSecondsSchema.meta({ description: "Of one run of GH's handler." }),
  executionMode: z.enum(executionModes).default('auto'),
  quality: z.enum(qualities).default('balanced'),
  model: text(most.word).optional(),
  imageModel: text(most.word).optional(),
  maxAttempts: z.int().min(1).max(5).default(attemptsMaxDefault),
  worker: z
    .strictObject({
      id: text(most.word).meta({ description: 'A worker id, its target id, an instance id, or the id of a sandbox.' }),
      affinity: z
        .enum(affinities)
        .default('preferred')
        .meta({ description: '`strict` waits for it; `preferred` takes it when it is idle.' }),
    })
    .optional(),
  metadata: z
    .record(z.string().max(100), z.unknown())
    .optional()
    .meta({ description: "The caller's own, kept as sent but for the secrets in URLs, which are taken out." }),
};

export const submitJobSchema = z
  .strictObject(jobFields)
  .superRefine((job, context) => {
    const need = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    const keepFree = (of: 'metadata' | 'inputData', names: readonly string[]): void => {
      for (const name of names.filter((each) => Object.hasOwn(job[of] ?? {}, each)))
        context.addIssue({ code: 'custom', path: [of, name], message: 'is a name that Yardmaster uses itself: take another one' });
    };
    keepFree('metadata', ownMetadata);
    keepFree('inputData', [...(job.model === undefined ? [] : ['model']), ...(job.imageModel === undefined ? [] : ['image_model'])]);
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
    z
      .strictObject({ ...sharedFields, jobType: z.enum(otherTypes), taskDescription: text(most.task), inputData })
      .meta({ id: 'SubmitOtherJob' }),
  ])
  .meta({ id: 'SubmitJob' });
export type SubmitJob = z.output<typeof submitJobSchema>;
