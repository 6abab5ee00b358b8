import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Pool } from 'pg';
import { taskQueues } from '../../src/contracts/messages';
import { createDeploysClient } from '../../src/gateway/deploys-client';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { ensureSearchAttributes, ensureWorkerCleanupSchedule } from '../../src/temporal/namespace';
import { addWorker } from './fleet-rows';
import { startTestGateway, type TestGateway } from './gateway';
import { insertJob } from './job-rows';
import { addDeploy, appendLines, endDeploy } from './log-rows';
import { startOrchestrator } from './orchestrator';
import { startScriptedDeployer } from './scripted-deployer';
import type { TestTemporal } from './temporal';

/** A gateway with something behind each of its paths: a machine, a worker, jobs, a deploy with its log, an orchestrator and a deployer. */
export interface ApiWorld {
  gateway: TestGateway;
  workerId: string;
  jobId: string;
  deployId: string;
  stop(): Promise<void>;
}

export const callbackOrigin = 'https://valet.test';
const address = '127.0.3.1';

export const startApiWorld = async ({
  pool,
  databaseUrl,
  temporal,
  hasEveryVersion = false,
}: {
  pool: Pool;
  databaseUrl: string;
  temporal: TestTemporal;
  /** Whatever is asked for can be deployed. */
  hasEveryVersion?: boolean;
}): Promise<ApiWorld> => {
  await ensureSearchAttributes(temporal.connection, temporal.namespace);
  await ensureWorkerCleanupSchedule(temporal.client, { everyMs: 3_600_000 });
  const machine = await startMachine();
  const addressMap = { [address]: { api: machine.url, worker: machine.url } };
  const at = { pool, address: temporal.address, namespace: temporal.namespace };
  const orchestrator = await startOrchestrator({
    ...at,
    client: temporal.client,
    taskQueue: taskQueues.orchestrator,
    callbackBaseUrl: 'http://gateway.test',
    addressMap,
  });
  const deployer = await startScriptedDeployer({
    ...at,
    onInspect: ({ want, version = '' }) =>
      hasEveryVersion && want === 'version' ? { want, version, service: 'ghosthands', resolved: version, problem: null } : null,
  });
  deployer.finish();
  const gateway = await startTestGateway({
    pool,
    directUrl: databaseUrl,
    workflows: createWorkflowsClient(temporal.client, { deadlineMs: 5_000 }),
    deploys: createDeploysClient(temporal.client, { deadlineMs: 5_000 }),
    addressMap,
    limits: { commandWaitSecondsDefault: 0, productCommandWaitMs: 100, sweepWaitMs: 5_000 },
    settings: { allowedCallbackOrigins: [callbackOrigin] },
  });
  // Its heart is still, so that no job is given to it: nothing is there that would work on one.
  const { workerId } = await addWorker(pool, { host: address, heartbeatAgeMs: 600_000 });
  const { jobId } = await insertJob(pool, { state: 'succeeded', submission: 'yes' });
  const deployId = await addDeploy(pool);
  await appendLines(pool, deployId, ['Acquiring the deploy lock', 'Ensure app can pass healthcheck…']);
  await endDeploy(pool, deployId);
  return {
    gateway,
    workerId,
    jobId,
    deployId,
    async stop() {
      await gateway.stop();
      await Promise.all([orchestrator.stop(), deployer.stop(), machine.stop()]);
    },
  };
};

/** GH as its ports answer; what it does not know is 404 in its words. */
const startMachine = async (): Promise<{ url: string; stop(): Promise<void> }> => {
  const server: Server = createServer((request, response) => {
    const body = request.url === '/worker/health' ? { status: 'idle', active_jobs: 0, deploy_safe: true } : { error: 'not_found' };
    response.writeHead('error' in body ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('The machine has no port');
  return {
    url: `http://127.0.0.1:${bound.port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};
