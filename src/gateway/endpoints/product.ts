import {
  valetCancelledSchema,
  valetCancelSchema,
  valetRefusedSchema,
  valetResumedSchema,
  valetResumeSchema,
  valetResumeShownSchema,
  valetRetriedSchema,
  valetRetrySchema,
} from '../compat/valet-command-schemas';
import {
  acceptedSchema,
  applySchema,
  duplicateSchema,
  healthSchema,
  modelsSchema,
  statusSchema,
  taskSchema,
} from '../compat/valet-schemas';
import type { Endpoint } from '../endpoint';
import { applyExamples, cancelExamples, retryExamples, taskExamples, valetResumeExamples } from '../examples';
import { jobParamsSchema } from '../schemas/requests';

const refusedAnswer = { description: 'Refused with the reason and the state of the job.', schema: valetRefusedSchema } as const;

/** The paths of VALET's client, in GH's words. */
export const productEndpoints = {
  submitApplication: {
    method: 'post',
    path: '/api/v1/gh/valet/apply',
    roles: ['product'],
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
    roles: ['product'],
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
    roles: ['product', 'operator', 'read_only'],
    dialect: 'product',
    tag: "The product's client",
    summary: 'Read a job as VALET does',
    params: jobParamsSchema,
    answers: { 200: { description: 'The job in both spellings.', schema: statusSchema } },
  },
  cancelApplication: {
    method: 'post',
    path: '/api/v1/gh/jobs/:jobId/cancel',
    roles: ['product', 'operator'],
    dialect: 'product',
    tag: "The product's client",
    summary: 'Cancel a job as VALET does',
    params: jobParamsSchema,
    body: valetCancelSchema,
    bodyExamples: cancelExamples,
    isBodyOptional: true,
    answers: {
      200: { description: 'Over, or it had ended before: `status` says how.', schema: valetCancelledSchema },
      202: { description: 'Not over yet.', schema: valetCancelledSchema },
    },
  },
  retryApplication: {
    method: 'post',
    path: '/api/v1/gh/jobs/:jobId/retry',
    roles: ['product', 'operator'],
    dialect: 'product',
    tag: "The product's client",
    summary: 'Try a job again as VALET does',
    params: jobParamsSchema,
    body: valetRetrySchema,
    bodyExamples: retryExamples,
    isBodyOptional: true,
    answers: {
      200: { description: 'Its next generation is open.', schema: valetRetriedSchema },
      202: { description: 'Not over yet.', schema: valetRetriedSchema },
      423: refusedAnswer,
    },
  },
  resumeApplication: {
    method: 'post',
    path: '/api/v1/gh/valet/resume/:jobId',
    roles: ['product', 'operator'],
    dialect: 'product',
    tag: "The product's client",
    summary: 'Resume a job as VALET does',
    params: jobParamsSchema,
    body: valetResumeSchema,
    bodyShown: valetResumeShownSchema,
    bodyExamples: valetResumeExamples,
    isBodyOptional: true,
    answers: {
      200: { description: 'Over: `outcome` says whether its worker goes on.', schema: valetResumedSchema },
      202: { description: 'Not over yet.', schema: valetResumedSchema },
      423: refusedAnswer,
    },
  },
  listModels: {
    method: 'get',
    path: '/api/v1/gh/models',
    // Open at GH too (ghosthands §1.1), and asked by VALET's start-up check without a key.
    roles: 'public',
    dialect: 'product',
    tag: "The product's client",
    summary: "GH's models",
    answers: { 200: { description: 'As a host of the fleet answers; empty while none does.', schema: modelsSchema } },
  },
  health: {
    method: 'get',
    path: '/health',
    roles: 'public',
    dialect: 'product',
    tag: "The product's client",
    summary: 'Are we there?',
    answers: { 200: { description: 'Always.', schema: healthSchema } },
  },
} as const satisfies Record<string, Endpoint>;
