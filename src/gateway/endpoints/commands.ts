import { everyone } from '../role';
import type { Endpoint } from '../endpoint';
import { cancelExamples, resolveExamples, resumeExamples, retryExamples } from '../examples';
import {
  cancelBodySchema,
  commandConflictSchema,
  commandListSchema,
  commandParamsSchema,
  commandSchema,
  personCommandSchema,
  resolveBodySchema,
  resumeBodySchema,
  resumeBodyShownSchema,
  retryBodySchema,
  waitQuerySchema,
} from '../schemas/commands';
import { jobParamsSchema } from '../schemas/requests';

const refusedAnswer = (description: string) =>
  ({ description, schema: commandConflictSchema, contentType: 'application/problem+json' }) as const;
const underWayAnswer = {
  description: 'Not over yet; Location tells where to look.',
  schema: commandSchema,
  headers: ['Location'],
} as const;

const personUnderWayAnswer = { ...underWayAnswer, schema: personCommandSchema } as const;

/** What a person or a program may ask of a job. */
export const commandEndpoints = {
  cancelJob: {
    method: 'post',
    path: '/v1/jobs/:jobId/cancel',
    roles: ['product', 'operator'],
    dialect: 'native',
    tag: 'Commands',
    summary: 'Cancel a job',
    description:
      'Answers with where it went, why, and what came of it. Joins a cancel that is under way. A running job is only cancelled when its worker is ' +
      'proven stopped; where the form may be submitted by then, it rests `uncertain`.',
    params: jobParamsSchema,
    query: waitQuerySchema,
    body: cancelBodySchema,
    bodyExamples: cancelExamples,
    isBodyOptional: true,
    answers: {
      200: { description: 'Over: `outcome` says how.', schema: commandSchema, headers: ['Location'] },
      202: underWayAnswer,
      409: refusedAnswer('The job had ended first; `jobState` says how.'),
    },
  },
  resumeJob: {
    method: 'post',
    path: '/v1/jobs/:jobId/resume',
    roles: ['product', 'operator'],
    dialect: 'native',
    tag: 'Commands',
    summary: 'Resume a job that waits for a person',
    description:
      'The only way for a code or a password: it waits encrypted for minutes, is used once, and is taken out of the row after 5 s.',
    params: jobParamsSchema,
    query: waitQuerySchema,
    body: resumeBodySchema,
    bodyShown: resumeBodyShownSchema,
    bodyExamples: resumeExamples,
    answers: {
      200: { description: 'Over: `outcome` says whether its worker goes on.', schema: commandSchema, headers: ['Location'] },
      202: underWayAnswer,
      409: refusedAnswer('Refused; the detail says what happens instead.'),
    },
  },
  retryJob: {
    method: 'post',
    path: '/v1/jobs/:jobId/retry',
    roles: ['product', 'operator'],
    dialect: 'native',
    tag: 'Commands',
    summary: 'Try an ended or uncertain job again',
    description: 'Opens its next generation. Where it may already be submitted, only with `confirm: true`.',
    params: jobParamsSchema,
    query: waitQuerySchema,
    body: retryBodySchema,
    bodyExamples: retryExamples,
    isBodyOptional: true,
    answers: {
      200: { description: 'The next generation is open.', schema: personCommandSchema, headers: ['Location'] },
      202: personUnderWayAnswer,
      409: refusedAnswer('It has not ended, or `confirm` is needed.'),
    },
  },
  resolveJob: {
    method: 'post',
    path: '/v1/jobs/:jobId/resolve',
    roles: ['product', 'operator'],
    dialect: 'native',
    tag: 'Commands',
    summary: 'Say how a job ended',
    description:
      'For a job that is uncertain or waits at its review page: a person has looked. A process that it leaves behind is replaced by itself; `leftWorker` says so, ' +
      'or that a person has to restart that worker.',
    params: jobParamsSchema,
    query: waitQuerySchema,
    body: resolveBodySchema,
    bodyExamples: resolveExamples,
    answers: {
      200: { description: 'It ended as the person said.', schema: personCommandSchema, headers: ['Location'] },
      202: personUnderWayAnswer,
      409: refusedAnswer('The job is in another state.'),
    },
  },
  listCommands: {
    method: 'get',
    path: '/v1/jobs/:jobId/commands',
    roles: everyone,
    dialect: 'native',
    tag: 'Commands',
    summary: 'List the commands of a job',
    description: 'The newest 200, newest first.',
    params: jobParamsSchema,
    answers: { 200: { description: 'Each with its route and outcome.', schema: commandListSchema } },
  },
  getCommand: {
    method: 'get',
    path: '/v1/commands/:commandId',
    roles: everyone,
    dialect: 'native',
    tag: 'Commands',
    summary: 'Read a command',
    params: commandParamsSchema,
    answers: { 200: { description: 'Where it went, why, and what came of it.', schema: commandSchema } },
  },
} as const satisfies Record<string, Endpoint>;
