import {
  deployKamalBodySchema,
  deployRecordSchema,
  deployRecordsSchema,
  destinationQuerySchema,
  drainBodySchema,
  forceQuerySchema,
  kamalAuditSchema,
  kamalHostsSchema,
  kamalStatusSchema,
  kamalValidateSchema,
  recordParamsSchema,
  recordsQuerySchema,
  rollbackKamalBodySchema,
  startedSchema,
} from '../compat/atm-deploy-schemas';
import type { Endpoint } from '../endpoint';

const atm = { dialect: 'atm', tag: 'ATM' } as const;
const started = {
  202: { description: 'It has started; how it ends is in the stream and in GET /deploys.', schema: startedSchema },
  409: { description: 'Another deploy or rollback is under way.' },
  503: { description: 'No deployer answers, or Temporal is away. Nothing was started.' },
};

/** ATM's paths about deploys, for its dashboard and its scripts (atm §1.3). */
export const atmDeployEndpoints = {
  deployKamal: {
    ...atm,
    method: 'post',
    path: '/deploy/kamal',
    summary: 'Start a deploy',
    query: forceQuerySchema,
    body: deployKamalBodySchema,
    isBodyOptional: true,
    bodyExamples: { 'as the dashboard sends it': { destination: 'staging', version: 'staging' } },
    answers: started,
  },
  rollbackKamal: {
    ...atm,
    method: 'post',
    path: '/rollback/kamal',
    summary: 'Start a rollback',
    query: forceQuerySchema,
    body: rollbackKamalBodySchema,
    isBodyOptional: true,
    bodyExamples: { 'to an older version': { destination: 'staging', version: 'staging-0f9e8d7' } },
    answers: started,
  },
  streamNewestDeploy: {
    ...atm,
    method: 'get',
    path: '/deploy/stream',
    summary: 'The log of the newest deploy',
    description:
      'Server-sent events as ATM’s page reads them: `{type: "log", line}`, and `{type: "complete", success, error?}` once, to who was connected when it ended. Needs a key or the session cookie; ATM_OPEN_READS opens it.',
    answers: { 200: { description: 'The stream.', contentType: 'text/event-stream' } },
  },
  listDeployRecords: {
    ...atm,
    method: 'get',
    path: '/deploys',
    summary: 'Deploys as ATM records them',
    query: recordsQuerySchema,
    answers: { 200: { description: 'Newest first.', schema: deployRecordsSchema } },
  },
  getDeployRecord: {
    ...atm,
    method: 'get',
    path: '/deploys/:deployId',
    summary: 'One of them',
    params: recordParamsSchema,
    answers: { 200: { description: 'The record.', schema: deployRecordSchema }, 404: { description: 'There is none.' } },
  },
  kamalStatus: {
    ...atm,
    method: 'get',
    path: '/kamal/status',
    summary: "Kamal's lock",
    query: destinationQuerySchema,
    answers: { 200: { description: 'As it is now.', schema: kamalStatusSchema } },
  },
  kamalValidate: {
    ...atm,
    method: 'get',
    path: '/kamal/validate',
    summary: 'Could it deploy?',
    query: destinationQuerySchema,
    answers: {
      200: { description: 'It could.', schema: kamalValidateSchema },
      503: { description: 'What is missing.', schema: kamalValidateSchema },
    },
  },
  kamalAudit: {
    ...atm,
    method: 'get',
    path: '/kamal/audit',
    summary: "Kamal's own audit",
    query: destinationQuerySchema,
    answers: {
      200: { description: 'Its last lines.', schema: kamalAuditSchema },
      400: { description: 'A query that cannot be read, or a configuration of the destination that cannot be used.' },
      404: { description: 'The deployer knows no such destination.' },
      503: { description: 'Nobody could look.' },
    },
  },
  kamalHosts: {
    ...atm,
    method: 'get',
    path: '/kamal/hosts',
    summary: 'Hosts by destination and role',
    answers: { 200: { description: 'As the deployer last saw them.', schema: kamalHostsSchema } },
  },
  drainGraceful: {
    ...atm,
    method: 'post',
    path: '/drain/graceful',
    summary: 'Drain every worker',
    description:
      'Each worker gets no new job, and the one that it has may finish. Server-sent events: `{type: "drain", worker, status, activeJobs}` every 2 s, then `{type: "complete", allDrained}`. The workers stay held for four hours, or until POST /v1/workers/:workerId/release.',
    body: drainBodySchema,
    isBodyOptional: true,
    bodyExamples: { 'five minutes': { timeoutMs: 300_000 } },
    answers: { 200: { description: 'The stream.', contentType: 'text/event-stream' } },
  },
} as const satisfies Record<string, Endpoint>;
