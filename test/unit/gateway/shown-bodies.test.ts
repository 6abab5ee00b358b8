import { assert, constant, constantFrom, option, property, record, type Arbitrary } from 'fast-check';
import { resolutionTypes } from '../../../src/contracts/command';
import { jobTypes } from '../../../src/contracts/job';
import { valetResumeSchema, valetResumeShownSchema } from '../../../src/gateway/compat/valet-command-schemas';
import { submitJobExamples } from '../../../src/gateway/examples';
import { resumeBodySchema, resumeBodyShownSchema } from '../../../src/gateway/schemas/commands';
import { submitJobSchema, submitJobShownSchema } from '../../../src/gateway/schemas/submit-job';

const { profile, resume, answers, userId, targetUrl } = submitJobExamples['an application'];
const job = record(
  {
    userId: constant(userId),
    targetUrl: constant(targetUrl),
    jobType: constantFrom(...jobTypes),
    profile: constant(profile),
    resume: constantFrom(resume, {}),
    answers: constant(answers),
    inputData: constant({ pages: 2 }),
    taskDescription: constant('List the open positions'),
  },
  { requiredKeys: ['userId', 'targetUrl'] },
);
const secrets = { code: constant('481516'), username: constant('ada'), password: constant('correct horse') };
const resumption = record(
  { resolutionType: constantFrom(...resolutionTypes), ...secrets, note: constant('from the inbox') },
  { requiredKeys: ['resolutionType'] },
);
const valetResumption = record(
  {
    resolution_type: constantFrom(...resolutionTypes, null),
    resolution_data: option(record({ ...secrets, email: constant('ada@example.com') }, { requiredKeys: [] })),
    notes: constant('from the inbox'),
  },
  { requiredKeys: [] },
);

it.each([
  ['a job', job, submitJobSchema, submitJobShownSchema],
  ['a resume', resumption, resumeBodySchema, resumeBodyShownSchema],
  ["a resume in VALET's words", valetResumption, valetResumeSchema, valetResumeShownSchema],
])('the document shows %s as it is read: what one takes, the other takes', (_what, bodies: Arbitrary<unknown>, read, shown) => {
  let taken = 0;
  assert(
    property(bodies, (body) => {
      const isTaken = read.safeParse(body).success;
      taken += Number(isTaken);
      expect(shown.safeParse(body).success).toBe(isTaken);
    }),
    { numRuns: 1_000 },
  );
  expect(taken).toBeGreaterThan(10);
});
