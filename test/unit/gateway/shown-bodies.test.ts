import fc from 'fast-check';
import { resolutionTypes } from '../../../src/contracts/command';
import { jobTypes } from '../../../src/contracts/job';
import { valetResumeSchema, valetResumeShownSchema } from '../../../src/gateway/compat/valet-command-schemas';
import { submitJobExamples } from '../../../src/gateway/examples';
import { resumeBodySchema, resumeBodyShownSchema } from '../../../src/gateway/schemas/commands';
import { submitJobSchema, submitJobShownSchema } from '../../../src/gateway/schemas/submit-job';

const { profile, resume, answers, userId, targetUrl } = submitJobExamples['an application'];
const job = fc.record(
  {
    userId: fc.constant(userId),
    targetUrl: fc.constant(targetUrl),
    jobType: fc.constantFrom(...jobTypes),
    profile: fc.constant(profile),
    resume: fc.constantFrom(resume, {}),
    answers: fc.constant(answers),
    inputData: fc.constant({ pages: 2 }),
    taskDescription: fc.constant('List the open positions'),
  },
  { requiredKeys: ['userId', 'targetUrl'] },
);
const secrets = { code: fc.constant('481516'), username: fc.constant('ada'), password: fc.constant('correct horse') };
const resumption = fc.record(
  { resolutionType: fc.constantFrom(...resolutionTypes), ...secrets, note: fc.constant('from the inbox') },
  { requiredKeys: ['resolutionType'] },
);
const valetResumption = fc.record(
  {
    resolution_type: fc.constantFrom(...resolutionTypes, null),
    resolution_data: fc.option(fc.record({ ...secrets, email: fc.constant('ada@example.com') }, { requiredKeys: [] })),
    notes: fc.constant('from the inbox'),
  },
  { requiredKeys: [] },
);

it.each([
  ['a job', job, submitJobSchema, submitJobShownSchema],
  ['a resume', resumption, resumeBodySchema, resumeBodyShownSchema],
  ["a resume in VALET's words", valetResumption, valetResumeSchema, valetResumeShownSchema],
])('the document shows %s as it is read: what one takes, the other takes', (_what, bodies: fc.Arbitrary<unknown>, read, shown) => {
  let taken = 0;
  fc.assert(
    fc.property(bodies, (body) => {
      const isTaken = read.safeParse(body).success;
      taken += Number(isTaken);
      expect(shown.safeParse(body).success).toBe(isTaken);
    }),
    { numRuns: 1_000 },
  );
  expect(taken).toBeGreaterThan(10);
});
