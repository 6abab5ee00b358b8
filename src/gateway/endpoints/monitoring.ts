import { everyone } from '../role';
import {
  alertsSchema,
  machineSchema,
  monitoringHealthSchema,
  monitoringMetricsSchema,
  registrySchema,
  workerDrainingSchema,
  workerDrainSchema,
  workerHealthPageSchema,
  workerStatusPageSchema,
} from '../compat/monitoring-schemas';
import {
  clearedSchema,
  clearedSessionSchema,
  clearedSessionsSchema,
  clearSessionsQuerySchema,
  deregisteredSchema,
  deregisterSchema,
  sessionParamsSchema,
  sessionsParamsSchema,
  sessionsQuerySchema,
  sessionsSchema,
} from '../compat/valet-fleet-schemas';
import { noQuerySchema, type Endpoint } from '../endpoint';
import { deregisterExamples, workerDrainExamples } from '../examples';

const tag = "The product's administration";
const page = { method: 'get', dialect: 'product', tag } as const;

/** The pages that the product's administration reads, and what it does to workers, in GH's words and in VALET's (ghosthands §1.2, ghosthands §2.1; valet §1.2). */
export const monitoringEndpoints = {
  machine: {
    ...page,
    path: '/monitoring/system',
    roles: 'public',
    summary: 'How busy our machine is',
    answers: { 200: { description: 'Of this process; the others tell theirs on METRICS_PORT.', schema: machineSchema } },
  },
  monitoringHealth: {
    ...page,
    path: '/monitoring/health',
    // Open at GH too; VALET's page of a sandbox asks both without a key (valet §5), and nobody is named in them.
    roles: 'public',
    summary: 'Checks, as GH tells them',
    answers: {
      200: { description: 'Healthy or degraded.', schema: monitoringHealthSchema },
      503: { description: 'Unhealthy.', schema: monitoringHealthSchema },
    },
  },
  monitoringMetrics: {
    ...page,
    path: '/monitoring/metrics/json',
    roles: 'public',
    summary: 'Totals, as GH tells them',
    answers: { 200: { description: 'Of the fleet, since the gateway started, a day at most.', schema: monitoringMetricsSchema } },
  },
  monitoringAlerts: {
    ...page,
    path: '/monitoring/alerts',
    roles: everyone,
    summary: 'What somebody should look at',
    answers: { 200: { description: 'Jobs by their public id.', schema: alertsSchema } },
  },
  monitoringWorkers: {
    ...page,
    path: '/monitoring/workers',
    roles: everyone,
    summary: 'The registry, as GH shows it',
    answers: { 200: { description: 'Newest registration first; a job is the public one.', schema: registrySchema } },
  },
  workerStatusPage: {
    ...page,
    path: '/worker/status',
    // VALET shows no key on the worker port (valet §1.1).
    roles: 'public',
    summary: 'The fleet as if it were one worker',
    description: 'Also on GATEWAY_WORKER_PORT, the port that VALET derives.',
    answers: { 200: { description: 'Jobs and workers together.', schema: workerStatusPageSchema } },
  },
  workerHealthPage: {
    ...page,
    path: '/worker/health',
    roles: 'public',
    summary: 'Is it safe to deploy?',
    description: "GH's codes: 503 with the same body while a job runs or the fleet is paused.",
    answers: {
      200: { description: 'Idle.', schema: workerHealthPageSchema },
      503: { description: 'Busy or draining.', schema: workerHealthPageSchema },
    },
  },
  workerDrainPage: {
    ...page,
    method: 'post',
    path: '/worker/drain',
    roles: ['operator', 'deployer'],
    summary: 'Drain a worker, or pause the fleet',
    description:
      'The pause, which is what a body without `worker_id` asks for, needs the role operator. Unlike at GH it can be taken back: POST /v1/workers/:workerId/release, which four hours do by themselves; POST /v1/unpause.',
    query: noQuerySchema,
    body: workerDrainSchema,
    bodyExamples: workerDrainExamples,
    isBodyOptional: true,
    answers: {
      200: { description: 'No new job; what runs goes on.', schema: workerDrainingSchema },
      404: { description: 'No such worker is registered.' },
    },
  },
  deregisterWorkers: {
    ...page,
    method: 'post',
    path: '/api/v1/gh/valet/workers/deregister',
    roles: ['product', 'operator'],
    summary: 'Give a worker up',
    description:
      'Found by worker, target, instance or sandbox id. Its job is cancelled or examined by its own workflow, never written over. ' +
      'Its machine gets no job for an hour, nor does whoever registers from that address or instance next: POST /v1/workers/:workerId/release ends that.',
    body: deregisterSchema,
    bodyExamples: deregisterExamples,
    answers: {
      200: { description: 'Offline; what became of its job.', schema: deregisteredSchema },
      404: { description: 'No worker, target, instance or sandbox has that name.' },
    },
  },
  listSessions: {
    ...page,
    path: '/api/v1/gh/sessions',
    roles: ['product', 'operator'],
    summary: "Browser sessions of a user, in VALET's form",
    query: sessionsQuerySchema,
    answers: { 200: { description: 'Without what is in them.', schema: sessionsSchema } },
  },
  clearSessions: {
    ...page,
    method: 'delete',
    path: '/api/v1/gh/sessions',
    roles: ['product', 'operator'],
    summary: 'Clear one or all',
    query: clearSessionsQuerySchema,
    answers: {
      200: { description: 'Gone.', schema: clearedSchema },
      404: { description: 'That user has no session there.' },
    },
  },
  listSessionsOfUser: {
    ...page,
    path: '/api/v1/gh/valet/sessions/:userId',
    roles: ['product', 'operator'],
    summary: "Browser sessions of a user, in GH's form",
    params: sessionsParamsSchema,
    answers: { 200: { description: 'Without what is in them.', schema: sessionsSchema } },
  },
  clearSessionsOfUser: {
    ...page,
    method: 'delete',
    path: '/api/v1/gh/valet/sessions/:userId',
    roles: ['product', 'operator'],
    summary: 'Clear all',
    params: sessionsParamsSchema,
    answers: { 200: { description: 'Gone.', schema: clearedSessionsSchema } },
  },
  clearSessionOfUser: {
    ...page,
    method: 'delete',
    path: '/api/v1/gh/valet/sessions/:userId/:domain',
    roles: ['product', 'operator'],
    summary: 'Clear one',
    params: sessionParamsSchema,
    answers: { 200: { description: 'Gone.', schema: clearedSessionSchema }, 404: { description: 'That user has no session there.' } },
  },
} as const satisfies Record<string, Endpoint>;
