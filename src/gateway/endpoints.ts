import { ghCallbackSchema } from '../contracts/ghosthands';
import { acceptedSchema, applySchema, duplicateSchema, healthSchema, modelsSchema, statusSchema, taskSchema } from './compat/valet-schemas';
import type { Endpoint } from './endpoint';
import { applyExamples, pauseExamples, submitJobExamples, taskExamples, workerCallbackExamples } from './examples';
import { acceptedJobSchema, fleetSchema, jobDetailsSchema, jobPageSchema } from './schemas/job-answers';
import { liveAnswerSchema, readyAnswerSchema, redeliveryAnswerSchema, workerCallbackAnswerSchema } from './schemas/operations';
import {
  jobParamsSchema,
  listJobsQuerySchema,
  pauseBodySchema,
  redeliverParamsSchema,
  submitHeadersSchema,
  workerCallbackParamsSchema,
} from './schemas/requests';
import { submitJobSchema } from './schemas/submit-job';

/** Every path of the gateway. What is not in here has no handler, no role and no line in /openapi.json. */
export const endpoints = {
  submitJob: {
    method: 'post',
    path: '/v1/jobs',
    dialect: 'native',
    tag: 'Jobs',
    summary: 'Submit a job',
    description: 'Answered when the job is durable: a repeated request under the same Idempotency-Key finds it.',
    headers: submitHeadersSchema,
    body: submitJobSchema,
    bodyExamples: submitJobExamples,
    answers: {
      201: { description: 'Accepted, and its workflow runs.', schema: acceptedJobSchema },
      200: { description: 'Accepted before: the same request under the same key.', schema: acceptedJobSchema },
      202: { description: 'Accepted while Temporal is away; it starts by itself later.', schema: acceptedJobSchema },
      409: { description: 'The key, or a live job of the task, came with another request.' },
    },
  },
  listJobs: {
    method: 'get',
    path: '/v1/jobs',
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
    dialect: 'native',
    tag: 'Workers',
    summary: 'Take a callback of a GH worker',
    description:
      'Always a hint: recorded, and the workflow looks at the row. One about an unknown or ended attempt is accepted and has no effect. ' +
      'Authenticated by X-GH-Service-Key; by `?secret=` or `?token=` only while LEGACY_SECRET_IN_QUERY is on.',
    params: workerCallbackParamsSchema,
    body: ghCallbackSchema,
    bodyExamples: workerCallbackExamples,
    answers: { 200: { description: 'Recorded.', schema: workerCallbackAnswerSchema } },
  },
  pause: {
    method: 'post',
    path: '/v1/pause',
    dialect: 'native',
    tag: 'Fleet',
    summary: 'Pause the fleet',
    description: 'Nothing new is assigned anywhere; what runs goes on.',
    body: pauseBodySchema,
    bodyExamples: pauseExamples,
    answers: { 200: { description: 'Paused.', schema: fleetSchema } },
  },
  unpause: {
    method: 'post',
    path: '/v1/unpause',
    dialect: 'native',
    tag: 'Fleet',
    summary: 'End the pause',
    body: pauseBodySchema,
    bodyExamples: pauseExamples,
    answers: { 200: { description: 'Not paused.', schema: fleetSchema } },
  },
  livez: {
    method: 'get',
    path: '/livez',
    dialect: 'native',
    tag: 'Health',
    summary: 'Does the process live?',
    answers: { 200: { description: 'It does.', schema: liveAnswerSchema } },
  },
  readyz: {
    method: 'get',
    path: '/readyz',
    dialect: 'native',
    tag: 'Health',
    summary: 'Is everything there that it needs?',
    description: 'Without Temporal it still accepts jobs, with 202.',
    answers: {
      200: { description: 'Ready.', schema: readyAnswerSchema },
      503: { description: 'What is missing, or that the process ends.', schema: readyAnswerSchema },
    },
  },
  openapi: {
    method: 'get',
    path: '/openapi.json',
    dialect: 'native',
    tag: 'Documents',
    summary: 'This document',
    answers: { 200: { description: 'OpenAPI 3.1.' } },
  },
  docs: {
    method: 'get',
    path: '/docs',
    dialect: 'native',
    tag: 'Documents',
    summary: 'This document for people',
    answers: { 200: { description: 'A page without scripts.', contentType: 'text/html' } },
  },
  docsStyle: {
    method: 'get',
    path: '/docs.css',
    dialect: 'native',
    tag: 'Documents',
    summary: 'How that page looks',
    answers: { 200: { description: 'A style sheet.', contentType: 'text/css' } },
  },
  submitApplication: {
    method: 'post',
    path: '/api/v1/gh/valet/apply',
    dialect: 'product',
    tag: "The product's client",
    summary: 'Submit an application as VALET does',
    body: applySchema,
    bodyExamples: applyExamples,
    answers: {
      201: { description: 'Accepted.', schema: acceptedSchema },
      409: { description: 'Accepted before: the only 409 on these paths.', schema: duplicateSchema },
    },
  },
  submitTask: {
    method: 'post',
    path: '/api/v1/gh/valet/task',
    dialect: 'product',
    tag: "The product's client",
    summary: 'Submit another task as VALET does',
    body: taskSchema,
    bodyExamples: taskExamples,
    answers: {
      201: { description: 'Accepted.', schema: acceptedSchema },
      409: { description: 'Accepted before: the only 409 on these paths.', schema: duplicateSchema },
    },
  },
  getApplicationStatus: {
    method: 'get',
    path: '/api/v1/gh/valet/status/:jobId',
    dialect: 'product',
    tag: "The product's client",
    summary: 'Read a job as VALET does',
    params: jobParamsSchema,
    answers: { 200: { description: 'The job in both spellings.', schema: statusSchema } },
  },
  listModels: {
    method: 'get',
    path: '/api/v1/gh/models',
    dialect: 'product',
    tag: "The product's client",
    summary: "GH's models",
    answers: { 200: { description: 'As a host of the fleet answers; empty while none does.', schema: modelsSchema } },
  },
  health: {
    method: 'get',
    path: '/health',
    dialect: 'product',
    tag: "The product's client",
    summary: 'Are we there?',
    answers: { 200: { description: 'Always.', schema: healthSchema } },
  },
} as const satisfies Record<string, Endpoint>;

export type EndpointName = keyof typeof endpoints;

const isEndpointName = (name: string): name is EndpointName => name in endpoints;
export const endpointNames: readonly EndpointName[] = Object.keys(endpoints).filter(isEndpointName);
