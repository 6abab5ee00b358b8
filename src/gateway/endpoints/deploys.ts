import type { Endpoint } from '../endpoint';
import { deployExamples, deploySignalExamples, breakLockExamples } from '../examples';
import {
  breakLockBodySchema,
  brokenLockSchema,
  deployPageSchema,
  deployParamsSchema,
  deploySchema,
  deploySignalBodySchema,
  destinationListSchema,
  destinationParamsSchema,
  destinationsQuerySchema,
  listDeploysQuerySchema,
  logStreamHeadersSchema,
  logStreamQuerySchema,
  placeDeployBodySchema,
  placeDeployHeadersSchema,
} from '../schemas/deploys';

const taken = {
  202: {
    description: 'Its workflow has taken the message; the deploy as its row says at this moment.',
    schema: deploySchema,
    headers: ['Location'],
  },
} as const;
const deploySignalEndpoint = {
  method: 'post',
  dialect: 'native',
  tag: 'Deploys',
  params: deployParamsSchema,
  body: deploySignalBodySchema,
  isBodyOptional: true,
  bodyExamples: deploySignalExamples,
  answers: { ...taken, 409: { description: 'The deploy has ended, or its phase forbids it.' } },
} as const;

/** Deploys, their logs, and where they go. */
export const deployEndpoints = {
  placeDeploy: {
    method: 'post',
    path: '/v1/deploys',
    dialect: 'native',
    tag: 'Deploys',
    summary: 'Start a deploy or a rollback',
    description:
      'Answers when its workflow has started, not at the end: that is what the log tells. Destination and version are checked against what exists before anything is written.',
    headers: placeDeployHeadersSchema,
    body: placeDeployBodySchema,
    bodyExamples: deployExamples,
    answers: {
      201: { description: 'Started.', schema: deploySchema, headers: ['Location'] },
      200: { description: 'The same request again: the deploy as it is now.', schema: deploySchema, headers: ['Location'] },
      409: { description: 'Another deploy holds the destination, who started it and since when; or the key was used for another request.' },
      503: { description: 'No deployer answers, or Temporal or Postgres is away. Nothing was started.' },
    },
  },
  listDeploys: {
    method: 'get',
    path: '/v1/deploys',
    dialect: 'native',
    tag: 'Deploys',
    summary: 'List deploys',
    description: 'Newest first; with needsAttention=true those that wait for a person.',
    query: listDeploysQuerySchema,
    answers: { 200: { description: 'One page.', schema: deployPageSchema } },
  },
  getDeploy: {
    method: 'get',
    path: '/v1/deploys/:deployId',
    dialect: 'native',
    tag: 'Deploys',
    summary: 'One deploy',
    description: 'Its phase, hosts with the versions before and now, where exit codes lied, and the jobs that it interrupted.',
    params: deployParamsSchema,
    answers: { 200: { description: 'As its rows say.', schema: deploySchema, headers: ['Location'] } },
  },
  approveDeploy: {
    ...deploySignalEndpoint,
    path: '/v1/deploys/:deployId/approve',
    summary: 'Approve a deploy',
    description: 'Only while it waits for that. Its preflight is done once more then.',
  },
  rejectDeploy: {
    ...deploySignalEndpoint,
    path: '/v1/deploys/:deployId/reject',
    summary: 'Reject a deploy',
    description: 'Only while it waits for an approval.',
  },
  cancelDeploy: {
    ...deploySignalEndpoint,
    path: '/v1/deploys/:deployId/cancel',
    summary: 'Cancel a deploy',
    description: 'At any phase. Where hosts were touched already, the version before is put back and verified.',
  },
  streamDeployLog: {
    method: 'get',
    path: '/v1/deploys/:deployId/stream',
    dialect: 'native',
    tag: 'Deploys',
    summary: 'The log as it grows',
    description:
      'Server-sent events. Each line is an unnamed event `{seq, at, stream, line}` whose id is its number. `gap` `{from, to}` stands for lines that retention removed, `end` `{outcome, detail, lastSeq}` comes once, after the last line; a comment every 15 s keeps the connection. A reconnect with Last-Event-ID goes on where it stopped, in any gateway; after `end` it is answered with 204, which ends the tries of an EventSource.',
    params: deployParamsSchema,
    query: logStreamQuerySchema,
    headers: logStreamHeadersSchema,
    answers: {
      200: { description: 'The stream.', contentType: 'text/event-stream' },
      204: { description: 'Everything was seen, `end` included.' },
      422: { description: '`after` or Last-Event-ID is beyond the end of the log.' },
    },
  },
  getDeployLog: {
    method: 'get',
    path: '/v1/deploys/:deployId/log',
    dialect: 'native',
    tag: 'Deploys',
    summary: 'The whole log as text',
    description:
      'One line each: the moment, whose line it is (`yardmaster` marks our own words), the line. Of a deploy that lives, as far as it is.',
    params: deployParamsSchema,
    answers: { 200: { description: 'The lines.', contentType: 'text/plain' } },
  },
  listDestinations: {
    method: 'get',
    path: '/v1/destinations',
    dialect: 'native',
    tag: 'Deploys',
    summary: 'Where deploys go',
    description: 'The version on each host, the lock and who holds it, as the deployer last saw it.',
    query: destinationsQuerySchema,
    answers: { 200: { description: 'By name.', schema: destinationListSchema } },
  },
  breakDeployLock: {
    method: 'post',
    path: '/v1/destinations/:destination/lock/break',
    dialect: 'native',
    tag: 'Deploys',
    summary: "Break Kamal's lock",
    description: 'For a lock that somebody left behind. Refused while a deploy of ours holds it: cancel that one instead.',
    params: destinationParamsSchema,
    body: breakLockBodySchema,
    bodyExamples: breakLockExamples,
    answers: {
      200: { description: 'It is free.', schema: brokenLockSchema },
      404: { description: 'The deployer knows no such destination.' },
      409: { description: 'A deploy of ours holds it, or somebody else breaks it at this moment.' },
      422: { description: 'No reason, or a configuration of the destination that cannot be used.' },
      503: { description: 'No deployer answers.' },
    },
  },
} as const satisfies Record<string, Endpoint>;
