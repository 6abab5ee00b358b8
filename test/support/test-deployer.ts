import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { Context } from '@temporalio/activity';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import type { Pool } from 'pg';
import { createDeployActivities } from '../../activities';
import type { DeployDeps } from '../../activities/deploys/deploy-deps';
import type { DeployPhase, DeployView } from '../../src/contracts/deploy';
import { noFleetConfig } from '../../src/contracts/fleet-config';
import { makeKamalDeployId } from '../../src/contracts/ids';
import type { Limits } from '../../src/contracts/limits';
import { searchAttributes, taskQueues, workflowNames, type KamalDeployInput } from '../../src/contracts/messages';
import { findDeploy } from '../../src/db/deploys/deploy-rows';
import type { DeployTestbed } from '../../dev/kamal/deploy-testbed';
import { defaultRolePorts } from '../../src/domain/role-ports';
import { sensitive } from '../../src/domain/sensitive';
import { createHostClient, type HostAddressMap } from '../../src/ghosthands/client';
import { createKamal } from '../../src/kamal/create-kamal';
import { createLog } from '../../src/log';
import { createTunedWorker } from '../../workers/run-worker';
import { createWorkflowsPort } from '../../workers/workflows-port';
import type { kamalDeploy } from '../../workflows';
import type { TestTemporal } from './temporal';
import { until } from './until';
import { workflowBundle } from './workflow-bundle';

export interface TestDeployer {
  activities: ReturnType<typeof createDeployActivities>;
  /** As at a shutdown: the command that runs may end, no other one begins. */
  stop(): Promise<void>;
}

/** Serves the queue `deploy` from this process. The test bed is the real one or the stand-in's, and says how its Kamal runs. */
export const startTestDeployer = async ({
  pool,
  temporal,
  testbed,
  limits,
  addressMap = {},
  watch = (activities) => activities,
}: {
  pool: Pool;
  temporal: TestTemporal;
  testbed: DeployTestbed;
  limits: Limits;
  addressMap?: HostAddressMap;
  /** Sees each activity that runs. */
  watch?: <Activities extends object>(activities: Activities) => Activities;
}): Promise<TestDeployer> => {
  const connection = await NativeConnection.connect({ address: temporal.address });
  const log = createLog({ level: process.env.TEST_LOG_LEVEL ?? 'error', process: 'test' });
  const draining = new AbortController();
  const { username, password } = testbed.registry;
  const secrets = new Map(Object.entries({ ...testbed.secrets, KAMAL_REGISTRY_PASSWORD: password, KAMAL_REGISTRY_USERNAME: username }));
  const deploys: DeployDeps = {
    pool,
    log,
    limits,
    kamal: createKamal({
      bin: testbed.kamalBin,
      configDir: testbed.configDir,
      stateDir: path.join(testbed.configDir, '../state'),
      env: testbed.kamalEnv,
      findSecret: (_destination, name) => {
        const value = secrets.get(name);
        return value === undefined ? null : sensitive(value);
      },
      streamChild: testbed.streamChild,
      killAfterMs: limits.kamalKillAfterMs,
      configTimeoutMs: limits.kamalConfigMs,
      configFreshMs: limits.kamalConfigFreshMs,
      log,
    }),
    hosts: createHostClient({
      addressMap,
      timeoutMs: limits.probeTimeoutMs,
      answerBytesMax: limits.probeAnswerBytesMax,
      serviceSecret: null,
    }),
    workflows: createWorkflowsPort(temporal.client, { deadlineMs: 10_000 }),
    installation: 'test-yard',
    rolePorts: defaultRolePorts,
    fleetConfig: { read: async () => await Promise.resolve(noFleetConfig) },
    heartbeat: (details) => Context.current().heartbeat(details),
    cancellation: () => Context.current().cancellationSignal,
    draining: draining.signal,
    onDeployEnded: () => undefined,
  };
  const activities = watch(
    createDeployActivities({
      log,
      limits,
      redact: (text) => text,
      recycle: null,
      runCommand: async () => await Promise.reject(new Error('no recycle in this test bed')),
      heartbeat: () => Context.current().heartbeat(),
      cancellation: () => Context.current().cancellationSignal,
      deploys,
    }),
  );
  const worker = await createTunedWorker({
    connection,
    namespace: temporal.namespace,
    taskQueue: taskQueues.deploy,
    workflowBundle: { codePath: await workflowBundle() },
    activities,
    shutdownGraceTime: '5 seconds',
    // A cancel reaches an activity in a heartbeat's reply.
    maxHeartbeatThrottleInterval: '100 milliseconds',
  });
  const running = worker.run();
  return {
    activities,
    async stop() {
      draining.abort();
      worker.shutdown();
      await running;
      await connection.close();
    },
  };
};

export const service = 'ghosthands';
export const destination = 'staging';

export interface DeployHandle {
  deployId: string;
  handle: WorkflowHandle<typeof kamalDeploy>;
}

/** As the gateway does; by default all hosts at once, unless a test is about batches: each takes as long as the first. */
export const startDeploy = async (client: Client, input: Partial<KamalDeployInput> = {}): Promise<DeployHandle> => {
  const deployId = input.deployId ?? randomUUID();
  const whole = { deployId, destination, version: 'v2', actor: 'test', source: 'test', ...input };
  const handle = await client.workflow.start<typeof kamalDeploy>(workflowNames.kamalDeploy, {
    workflowId: makeKamalDeployId({ service, destination }),
    taskQueue: taskQueues.deploy,
    workflowIdConflictPolicy: 'FAIL',
    args: [{ ...whole, strategy: { canaryHosts: 0, ...input.strategy } }],
  });
  return { deployId, handle };
};

export const getDeploy = async (pool: Pool, deployId: string): Promise<DeployView> => {
  const deploy = await findDeploy(pool, deployId);
  if (deploy === null) throw new Error(`no deploy ${deployId}`);
  return deploy;
};

export const untilDeployIsAt = async (pool: Pool, deployId: string, phase: DeployPhase, timeoutMs = 60_000): Promise<DeployView> =>
  await until(
    async () => {
      const deploy = await getDeploy(pool, deployId);
      if (deploy.outcome !== null && phase !== 'done') throw new Error(`it has ended: ${deploy.outcome}, ${deploy.detail}`);
      return deploy.phase === phase ? deploy : null;
    },
    { what: `deploy ${deployId} is at ${phase}`, timeoutMs },
  );

export const addSearchAttributes = async ({ connection, namespace }: TestTemporal): Promise<void> => {
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(Object.values(searchAttributes).map(({ name }) => [name, 2])),
  });
};
