import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import type { Pool } from 'pg';
import { createOrchestratorActivities } from '../activities';
import { noFleetConfig } from '../src/contracts/fleet-config';
import type { JobView } from '../src/contracts/job';
import { limits } from '../src/contracts/limits';
import { sensitive } from '../src/domain/sensitive';
import { createApp } from '../src/gateway/app';
import { createDeploysClient } from '../src/gateway/deploys-client';
import { createLogStreams } from '../src/gateway/sse/log-streams';
import { createWorkflowsClient } from '../src/gateway/workflows-client';
import { createHostClient } from '../src/ghosthands/client';
import { createLog } from '../src/log';
import { startAssigner } from '../workers/assigner';
import { createTunedWorker, workflowSource } from '../workers/run-worker';
import { createWorkflowsPort } from '../workers/workflows-port';
import { startInstantGh, type InstantGh } from './instant-gh';

export interface ControlPlane {
  url: string;
  apiKey: string;
  gh: InstantGh;
  /** How often a step of a job ran. */
  stepsTaken(): number;
  stop(): Promise<void>;
}

const apiKey = 'bench-product-key';
/** Far above the real limit: a busy machine shall make the figures bad, and not the run fail. */
const temporalCallMs = 20_000;

/** Our gateway over real HTTP and our orchestrator, with the limits and the worker options of production, around an instant GH. */
export const startControlPlane = async ({
  databaseUrl,
  gatewayPool,
  orchestratorPool,
  assignerPool,
  ghPool,
  client,
  connection,
  taskQueue,
  restMs,
}: {
  databaseUrl: string;
  gatewayPool: Pool;
  orchestratorPool: Pool;
  assignerPool: Pool;
  ghPool: Pool;
  client: Client;
  connection: NativeConnection;
  taskQueue: string;
  restMs: number;
}): Promise<ControlPlane> => {
  const log = createLog({ level: 'error', process: 'bench' });
  const workflows = createWorkflowsClient(client, { deadlineMs: temporalCallMs, taskQueue });
  const gh = await startInstantGh({ databaseUrl, pool: ghPool, workflows, restMs });

  let steps = 0;
  const noted =
    <Input>(step: (input: Input) => Promise<JobView>) =>
    async (input: Input): Promise<JobView> => {
      const view = await step(input);
      steps++;
      if (view.state === 'running' && view.attempt !== null) gh.onRunning(view.jobId, view.attempt.attemptId);
      return view;
    };
  const port = createWorkflowsPort(client, { deadlineMs: temporalCallMs, taskQueue });
  const assigner = startAssigner({
    pool: assignerPool,
    directUrl: databaseUrl,
    callbackBaseUrl: 'http://127.0.0.1:9',
    workflows: port,
    limits,
    log,
  });
  const activities = createOrchestratorActivities({
    pool: orchestratorPool,
    pools: { commands: orchestratorPool, sweep: orchestratorPool },
    log,
    limits,
    observe: () => undefined,
    showsWorkerId: false,
    workflows: port,
    hosts: createHostClient({
      addressMap: {},
      timeoutMs: limits.probeTimeoutMs,
      answerBytesMax: limits.probeAnswerBytesMax,
      serviceSecret: null,
    }),
    callbacks: { send: () => Promise.resolve({ kind: 'accepted' }) },
    cancelMeans: ['listener'],
    secrets: null,
    retentionMs: limits.retentionMs,
    deployRetention: { deploysMs: limits.retentionMs, linesMs: limits.retentionMs },
    fleetConfig: { read: () => Promise.resolve(noFleetConfig) },
    heartbeat: () => undefined,
  });
  const worker = await createTunedWorker({
    connection,
    namespace: client.options.namespace,
    taskQueue,
    activities: { ...activities, openJob: noted(activities.openJob), advanceJob: noted(activities.advanceJob) },
    ...workflowSource(),
  });
  const running = worker.run();

  const streams = createLogStreams({ pool: gatewayPool, directUrl: databaseUrl, limits, log });
  const app = createApp({
    pool: gatewayPool,
    workflows,
    deploys: createDeploysClient(client, { deadlineMs: temporalCallMs }),
    streams,
    secrets: null,
    models: { read: () => Promise.resolve({ models: [], presets: [], default: null, total: 0 }) },
    hosts: createHostClient({
      addressMap: {},
      timeoutMs: limits.probeTimeoutMs,
      answerBytesMax: limits.probeAnswerBytesMax,
      serviceSecret: null,
    }),
    fleetConfig: { read: () => Promise.resolve(noFleetConfig), current: () => noFleetConfig },
    metrics: {
      readRequestTotals: () => Promise.reject(new Error('nobody asks')),
      observe: () => undefined,
      observeCommand: () => undefined,
      openStream: () => () => undefined,
    },
    checks: {
      readReadiness: () => Promise.reject(new Error('nobody asks')),
      readFleetSummary: () => Promise.reject(new Error('nobody asks')),
    },
    log,
    limits,
    keyRing: { keys: [{ name: 'bench', role: 'product', secret: sensitive(apiKey) }], serviceSecrets: [], legacySecretInQuery: false },
    settings: {
      publicUrl: 'http://127.0.0.1',
      trustProxy: 0,
      bodyBytesMax: limits.requestBodyBytesMax,
      rateLimitPerMinute: 1_000_000,
      allowedCallbackOrigins: [],
      corsOrigins: [],
      atmOpenReads: false,
      environment: 'bench',
      showsWorkerId: false,
    },
    isDraining: () => false,
  });
  const server = await new Promise<Server>((resolve) => {
    const listening = app.listen(0, '127.0.0.1', () => resolve(listening));
  });

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    apiKey,
    gh,
    stepsTaken: () => steps,
    async stop() {
      await streams.close();
      server.closeAllConnections();
      server.close();
      worker.shutdown();
      await running;
      await assigner.close();
      await gh.stop();
    },
  };
};
