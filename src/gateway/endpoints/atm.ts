import { deployRecordsSchema, recordsQuerySchema } from '../compat/atm-deploy-schemas';
import {
  atmDrainedSchema,
  atmDrainSchema,
  atmMetricsSchema,
  atmVersionSchema,
  atmWorkersSchema,
  containersSchema,
  fleetListSchema,
  fleetQuerySchema,
  hostHealthSchema,
  hostMetricsSchema,
  hostWorkersSchema,
  idleStatusSchema,
  proxyParamsSchema,
  reloadedSchema,
  secretsStatusSchema,
  serverParamsSchema,
} from '../compat/atm-schemas';
import { workerDrainingSchema, workerHealthPageSchema, workerStatusPageSchema } from '../compat/monitoring-schemas';
import type { Endpoint } from '../endpoint';
import { atmDrainExamples } from '../examples';

const tag = "ATM's dashboard";
const page = { method: 'get', dialect: 'atm', tag } as const;
const ofHost = { ...page, params: serverParamsSchema } as const;

/** ATM's paths, for its dashboard and for VALET (atm §1.3). */
export const atmEndpoints = {
  atmVersion: {
    ...page,
    path: '/version',
    summary: 'Versions, as ATM tells them',
    answers: { 200: { description: 'Of the first host that answers.', schema: atmVersionSchema } },
  },
  atmMetrics: {
    ...page,
    path: '/metrics',
    summary: 'Our machine, as ATM shows itself',
    answers: { 200: { description: 'Prometheus has a port of its own.', schema: atmMetricsSchema } },
  },
  atmContainers: {
    ...page,
    path: '/containers',
    summary: 'Containers, as ATM lists them',
    answers: { 200: { description: 'None.', schema: containersSchema } },
  },
  atmWorkers: {
    ...page,
    path: '/workers',
    summary: 'Workers, as ATM lists them',
    answers: { 200: { description: 'All that are not offline.', schema: atmWorkersSchema } },
  },
  atmFleet: {
    ...page,
    path: '/fleet',
    summary: 'The fleet, as ATM lists it',
    description: 'Registry and configuration. Addresses only for who shows a key.',
    query: fleetQuerySchema,
    answers: { 200: { description: 'The servers.', schema: fleetListSchema } },
  },
  reloadFleet: {
    ...page,
    method: 'post',
    path: '/fleet/reload',
    summary: 'Read the fleet file again',
    answers: { 200: { description: 'As it is now.', schema: reloadedSchema } },
  },
  idleStatus: {
    ...page,
    path: '/fleet/idle-status',
    summary: 'Who is idle, as ATM tells it',
    answers: { 200: { description: 'Each machine.', schema: idleStatusSchema } },
  },
  hostHealth: {
    ...ofHost,
    path: '/fleet/:serverId/health',
    summary: 'Health of a machine',
    answers: { 200: { description: 'By the one rule.', schema: hostHealthSchema } },
  },
  hostMetrics: {
    ...ofHost,
    path: '/fleet/:serverId/metrics',
    summary: 'How busy a machine is',
    answers: { 200: { description: 'Zeros with `available: false` where it does not say.', schema: hostMetricsSchema } },
  },
  hostVersion: {
    ...ofHost,
    path: '/fleet/:serverId/version',
    summary: 'Version of a machine',
    answers: { 200: { description: 'As its API tells it.', schema: atmVersionSchema } },
  },
  hostWorkers: {
    ...ofHost,
    path: '/fleet/:serverId/workers',
    summary: 'Workers of a machine',
    answers: { 200: { description: 'Their uptime is a text.', schema: hostWorkersSchema } },
  },
  hostContainers: {
    ...ofHost,
    path: '/fleet/:serverId/containers',
    summary: 'Containers of a machine',
    answers: { 200: { description: 'None.', schema: containersSchema } },
  },
  hostDeploys: {
    ...ofHost,
    path: '/fleet/:serverId/deploys',
    summary: 'Deploys of a machine',
    query: recordsQuerySchema,
    answers: { 200: { description: 'Newest first.', schema: deployRecordsSchema } },
  },
  hostDrain: {
    ...ofHost,
    method: 'post',
    path: '/fleet/:serverId/drain',
    summary: 'Drain the workers of a machine',
    description: 'Each by the drain of POST /v1/workers/:workerId/drain.',
    body: atmDrainSchema,
    bodyExamples: atmDrainExamples,
    isBodyOptional: true,
    answers: { 200: { description: 'Begun.', schema: atmDrainedSchema } },
  },
  hostWorkerDrain: {
    ...ofHost,
    method: 'post',
    path: '/fleet/:serverId/worker/drain',
    summary: 'Drain the worker of a machine, as GH is asked to',
    description: 'By the drain of POST /v1/workers/:workerId/drain, never by GH’s own, which gives the job away after 30 s.',
    body: atmDrainSchema,
    bodyExamples: atmDrainExamples,
    isBodyOptional: true,
    answers: { 200: { description: 'No new job; what runs goes on.', schema: workerDrainingSchema } },
  },
  hostWorkerStatus: {
    ...ofHost,
    isPassedOn: true,
    path: '/fleet/:serverId/worker/status',
    summary: "A worker's own status",
    description: 'VALET shows no key there (valet §1.1).',
    answers: { 200: { description: 'As it answers.', schema: workerStatusPageSchema }, 502: { description: 'It does not.' } },
  },
  hostWorkerHealth: {
    ...ofHost,
    isPassedOn: true,
    path: '/fleet/:serverId/worker/health',
    summary: "A worker's own health",
    answers: {
      200: { description: 'Idle.', schema: workerHealthPageSchema },
      502: { description: 'It does not answer.' },
      503: { description: 'Busy or draining.', schema: workerHealthPageSchema },
    },
  },
  proxyToHost: {
    ...page,
    isPassedOn: true,
    path: '/fleet/:serverId/*path',
    params: proxyParamsSchema,
    summary: 'Any other page of a machine',
    description: 'Passed as the machine answers: /worker and /workers from its worker port, everything else from its API.',
    answers: { 200: { description: 'As it answers.' }, 502: { description: 'It does not.' } },
  },
  atmDrain: {
    ...page,
    method: 'post',
    path: '/drain',
    summary: 'Drain a worker, as ATM is asked to',
    body: atmDrainSchema,
    bodyExamples: atmDrainExamples,
    isBodyOptional: true,
    answers: {
      200: { description: 'Begun.', schema: atmDrainedSchema },
      404: { description: 'No such worker is registered.' },
      501: { description: 'No worker is named.' },
    },
  },
  secretsStatus: {
    ...page,
    path: '/secrets/status',
    summary: 'Secrets, which are not ours',
    answers: { 200: { description: 'Not connected.', schema: secretsStatusSchema } },
  },
} as const satisfies Record<string, Endpoint>;
