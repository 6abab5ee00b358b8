import { everyone } from '../role';
import { ghCallbackSchema } from '../../contracts/ghosthands';
import type { Endpoint } from '../endpoint';
import { submitJobExamples, workerCallbackExamples } from '../examples';
import { acceptedJobSchema, jobDetailsSchema, jobPageSchema } from '../schemas/job-answers';
import { redeliveryAnswerSchema, workerCallbackAnswerSchema } from '../schemas/operations';
import {
  jobParamsSchema,
  listJobsQuerySchema,
  redeliverParamsSchema,
  submitHeadersSchema,
  workerCallbackParamsSchema,
  workerCallbackQuerySchema,
} from '../schemas/requests';
import { submitJobSchema, submitJobShownSchema } from '../schemas/submit-job';

/** The jobs, and what GH workers say about them. */
export const jobEndpoints = {
  submitJob: {
    method: 'post',
    path: '/v1/jobs',
    roles: ['product', 'operator'],
    dialect: 'native',
    tag: 'Jobs',
    summary: 'Submit a job',
    description: 'Answered when the job is durable: a repeated request under the same Idempotency-Key finds it.',
    headers: submitHeadersSchema,
    body: submitJobSchema,
    bodyShown: submitJobShownSchema,
    bodyExamples: submitJobExamples,
    answers: {
      201: { description: 'Accepted, and its workflow runs.', schema: acceptedJobSchema, headers: ['Location'] },
      200: { description: 'Accepted before: the same request under the same key.', schema: acceptedJobSchema, headers: ['Location'] },
      202: {
        description: 'Accepted while Temporal is away or has enough to do; its workflow is started later, by itself.',
        schema: acceptedJobSchema,
        headers: ['Location'],
      },
      409: { description: 'The key, or a live job of the task, came with another request.' },
    },
  },
  listJobs: {
    method: 'get',
    path: '/v1/jobs',
    roles: everyone,
    dialect: 'native',
    tag: 'Jobs',
    summary: 'List jobs',
    description: 'Newest first; with needsAttention=true what waits for a person, the nearest deadline first.',
    query: listJobsQuerySchema,
    answers: { 200: { description: 'One page.', schema: jobPageSchema } },
  },
  getJob: {
    method: 'get',
    path: '/v1/jobs/:jobId',
    roles: everyone,
    dialect: 'native',
    tag: 'Jobs',
    summary: 'Read a job',
    description: 'Its state, attempts, timeline and callbacks; while it waits, why. The lists hold the newest 200 entries.',
    params: jobParamsSchema,
    answers: { 200: { description: 'The job.', schema: jobDetailsSchema } },
  },
  redeliverCallback: {
    method: 'post',
    path: '/v1/jobs/:jobId/callbacks/:generation/:seq/redeliver',
    roles: ['product', 'operator'],
    dialect: 'native',
    tag: 'Jobs',
    summary: 'Deliver a callback again',
    description: 'Delivered or not, it is sent once more, with back-off for a day.',
    params: redeliverParamsSchema,
    answers: { 202: { description: 'It is on its way.', schema: redeliveryAnswerSchema } },
  },
  receiveCallback: {
    method: 'post',
    path: '/v1/callbacks/ghosthands/:attemptId',
    roles: ['worker'],
    dialect: 'native',
    tag: 'Workers',
    summary: 'Take a callback of a GH worker',
    description:
      'Always a hint: recorded, and the workflow looks at the row. One about an unknown or ended attempt is accepted and has no effect. ' +
      'Authenticated by X-GH-Service-Key; by `?secret=` or `?token=` only while LEGACY_SECRET_IN_QUERY is on.',
    params: workerCallbackParamsSchema,
    query: workerCallbackQuerySchema,
    body: ghCallbackSchema,
    bodyExamples: workerCallbackExamples,
    answers: { 200: { description: 'Recorded.', schema: workerCallbackAnswerSchema } },
  },
} as const satisfies Record<string, Endpoint>;
