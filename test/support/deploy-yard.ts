import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { Context } from '@temporalio/activity';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { NativeConnection, type Worker } from '@temporalio/worker';
import type { Pool } from 'pg';
import { createDeployActivities } from '../../activities';
import type { DeployDeps } from '../../activities/deploy-deps';
import type { DeployLogLine, DeployPhase, DeployView } from '../../src/contracts/deploy';
import { makeKamalDeployId } from '../../src/contracts/ids';
import { limits as realLimits, type Limits } from '../../src/contracts/limits';
import { searchAttributes, taskQueues, workflowNames, type KamalDeployInput } from '../../src/contracts/messages';
import { findDeploy } from '../../src/db/deploy-rows';
import { startSimulator, type Simulator } from '../../src/dev/gh-simulator/simulator';
import { startStandInYard, type StandInYard } from '../../src/dev/kamal-stand-in/stand-in-yard';
import { claimPort } from '../../src/dev/ports';
import { projectRoot } from '../../src/dev/project-root';
import { sensitive } from '../../src/domain/sensitive';
import { createHostClient, type HostAddressMap } from '../../src/ghosthands/client';
import { createKamal } from '../../src/kamal/create-kamal';
import { createLog } from '../../src/log';
import { createTunedWorker } from '../../workers/run-worker';
import { createWorkflowsPort } from '../../workers/workflows-port';
import type { kamalDeploy } from '../../workflows';
import { withDatabase } from './database';
import { startOrchestrator, workflowBundle } from './orchestrator';
import { withTemporal } from './temporal';
import { until } from './until';

export interface DeployYardOptions {
  hosts?: number;
  limits?: Partial<Limits>;
  /** Jobs run too: an orchestrator works beside the deployer. */
  hasOrchestrator?: boolean;
  timeScale?: number;
}

/** Hosts that the stand-in deploys to and the simulator plays GH on, and a deployer of this process with Kamal as a real child. */
export interface DeployTestYard {
  pool: Pool;
  databaseUrl: string;
  client: Client;
  temporal: { address: string; namespace: string };
  kamal: StandInYard;
  simulator: Simulator;
  hosts: string[];
  addressMap: HostAddressMap;
  deploy(input?: Partial<KamalDeployInput>): Promise<DeployHandle>;
  look(deployId: string): Promise<DeployView>;
  untilPhase(deployId: string, phase: DeployPhase): Promise<DeployView>;
  lines(deployId: string): Promise<DeployLogLine[]>;
  /** Kamal alone brings every host there, which takes a fraction of a deploy of ours. */
  reset(version: string): Promise<void>;
  /** What is left when a deploy has ended: what runs, who holds the lock, which hosts are held. */
  rest(): Promise<{ versions: (string | null)[]; lock: string | null; holds: string[] }>;
  /** What runs on each host by the containers themselves. */
  versions(): Promise<(string | null)[]>;
  lockHolder(): Promise<string | null>;
  stopDeployer(): Promise<void>;
  startDeployer(): Promise<void>;
}

export interface DeployHandle {
  deployId: string;
  handle: WorkflowHandle<typeof kamalDeploy>;
}

export const service = 'ghosthands';
export const destination = 'staging';

/** So short that a test of the whole story takes seconds; the rules are the same. */
const testLimits = {
  probeFreshMs: 600_000,
  deployVerifyMs: 8_000,
  deployVerifyEveryMs: 100,
  deploySoakEveryMs: 200,
  deployDrainEveryMs: 100,
  deployBackTries: 3,
  deployBackRetryMs: 300,
  kamalKillAfterMs: 2_000,
  kamalSilentMs: 20_000,
} satisfies Partial<Limits>;

export const withDeployYard = (options: DeployYardOptions = {}): DeployTestYard => {
  const database = withDatabase();
  const temporal = withTemporal();
  const limits = { ...realLimits, firstCallbackDelayMs: 50, ...testLimits, ...options.limits };
  const log = createLog({ level: process.env.TEST_LOG_LEVEL ?? 'error', process: 'test' });
  let simulator: Simulator | undefined;
  let kamal: StandInYard | undefined;
  let connection: NativeConnection | undefined;
  let deployer: { worker: Worker; running: Promise<void>; draining: AbortController } | undefined;
  let orchestrator: Awaited<ReturnType<typeof startOrchestrator>> | undefined;
  const hosts = Array.from({ length: options.hosts ?? 2 }, (_, index) => `127.0.1.${index + 1}`);
  let addressMap: HostAddressMap = {};

  beforeAll(async () => {
    await temporal.connection.operatorService.addSearchAttributes({
      namespace: temporal.namespace,
      searchAttributes: Object.fromEntries(Object.values(searchAttributes).map(({ name }) => [name, 2])),
    });
    simulator = await startSimulator({
      databaseUrl: database.databaseUrl,
      serviceSecret: 'yard-service-secret',
      controlPort: 0,
      hosts: await Promise.all(
        hosts.map(async (ip, index) => ({
          workerId: `worker-${index + 1}`,
          ip,
          listenIp: '127.0.0.1',
          apiPort: await freePort(),
          statusPort: await freePort(),
          variant: 'staging' as const,
          timeScale: options.timeScale ?? 0.1,
        })),
      ),
    });
    addressMap = Object.fromEntries(
      simulator.hosts.map(({ ip, ports }) => [ip, { api: `http://127.0.0.1:${ports.api}`, worker: `http://127.0.0.1:${ports.status}` }]),
    );
    kamal = await startStandInYard({
      dir: path.join(projectRoot(), '.yardmaster/test-yards', temporal.namespace),
      hosts,
      simulatorUrl: `http://127.0.0.1:${simulator.controlPort}`,
      stepMs: 5,
    });
    for (const version of ['v0', 'v1', 'v2', 'v3']) await kamal.push(version);
    // The simulated workers run already; from now on containers say so.
    const first = await kamal.kamal('deploy', '--skip-push', '--version', 'v0', '-d', destination);
    if (first.code !== 0) throw new Error(first.output);
    connection = await NativeConnection.connect({ address: temporal.address });
    if (options.hasOrchestrator === true) {
      orchestrator = await startOrchestrator({
        pool: database.pool,
        address: temporal.address,
        namespace: temporal.namespace,
        client: temporal.client,
        taskQueue: taskQueues.orchestrator,
        callbackBaseUrl: 'http://127.0.0.1:9',
        addressMap,
        limits,
        ghServiceSecret: sensitive('yard-service-secret'),
      });
    }
    await yard.startDeployer();
  }, 120_000);

  afterAll(async () => {
    await yard.stopDeployer();
    await orchestrator?.stop();
    await connection?.close();
    await kamal?.stop();
    await simulator?.stop();
  }, 60_000);

  const yard: DeployTestYard = {
    get pool() {
      return database.pool;
    },
    get databaseUrl() {
      return database.databaseUrl;
    },
    get client() {
      return temporal.client;
    },
    temporal,
    get kamal() {
      return kamal as StandInYard;
    },
    get simulator() {
      return simulator as Simulator;
    },
    hosts,
    get addressMap() {
      return addressMap;
    },
    async deploy(input = {}) {
      const deployId = input.deployId ?? randomUUID();
      const handle = await temporal.client.workflow.start<typeof kamalDeploy>(workflowNames.kamalDeploy, {
        workflowId: makeKamalDeployId({ service, destination }),
        taskQueue: taskQueues.deploy,
        workflowIdConflictPolicy: 'FAIL',
        // All at once, unless a test is about batches: each takes as long as the first.
        args: [
          {
            deployId,
            destination,
            version: 'v2',
            actor: 'test',
            source: 'test',
            ...input,
            strategy: { canaryHosts: 0, ...input.strategy },
          },
        ],
      });
      return { deployId, handle };
    },
    async look(deployId) {
      const deploy = await findDeploy(database.pool, deployId);
      if (deploy === null) throw new Error(`no deploy ${deployId}`);
      return deploy;
    },
    untilPhase: async (deployId, phase) =>
      await until(
        async () => {
          const deploy = await yard.look(deployId);
          if (deploy.outcome !== null && phase !== 'done') throw new Error(`it has ended: ${deploy.outcome}, ${deploy.detail}`);
          return deploy.phase === phase ? deploy : null;
        },
        { what: `deploy ${deployId} is at ${phase}`, timeoutMs: 60_000 },
      ),
    async lines(deployId) {
      const { rows } = await database.pool.query<DeployLogLine>(
        `select seq::int, at::text, stream, line from yardmaster.deploy_log where deploy_id = $1 order by seq`,
        [deployId],
      );
      return rows;
    },
    async reset(version) {
      await yard.kamal.misbehave();
      for (const host of yard.kamal.hosts) await host.startSsh();
      for (const host of hosts) yard.simulator.heal(host);
      await database.pool.query('delete from yardmaster.host_hold');
      if ((await yard.versions()).every((running) => running === version)) return;
      await yard.kamal.kamal('app', 'stop', '-d', destination);
      const ended = await yard.kamal.kamal('deploy', '--skip-push', '--version', version, '-d', destination);
      if (ended.code !== 0) throw new Error(ended.output);
    },
    async rest() {
      const { rows } = await database.pool.query<{ host: string }>('select host from yardmaster.host_hold order by host');
      return { versions: await yard.versions(), lock: await yard.lockHolder(), holds: rows.map(({ host }) => host) };
    },
    versions: async () => await Promise.all(yard.kamal.hosts.map(async (host) => await host.runningVersion())),
    lockHolder: async () => await yard.kamal.host(hosts[0] ?? '').lockHolder(destination),
    async startDeployer() {
      if (connection === undefined) throw new Error('the yard has not started');
      const draining = new AbortController();
      const { username, password } = yard.kamal.registry;
      const secrets = { ...yard.kamal.secrets, KAMAL_REGISTRY_PASSWORD: password, KAMAL_REGISTRY_USERNAME: username };
      const deploys: DeployDeps = {
        pool: database.pool,
        log,
        limits,
        kamal: createKamal({
          bin: yard.kamal.kamalBin,
          configDir: yard.kamal.configDir,
          stateDir: path.join(yard.kamal.configDir, '../state'),
          env: yard.kamal.kamalEnv,
          findSecret: (_destination, name) => {
            const value = new Map(Object.entries(secrets)).get(name);
            return value === undefined ? null : sensitive(value);
          },
          killAfterMs: limits.kamalKillAfterMs,
          log,
        }),
        hosts: createHostClient({
          addressMap,
          timeoutMs: limits.probeTimeoutMs,
          answerBytesMax: limits.probeAnswerBytesMax,
          serviceSecret: null,
        }),
        workflows: createWorkflowsPort(temporal.client, { deadlineMs: 2_000 }),
        installation: 'test-yard',
        heartbeat: (details) => Context.current().heartbeat(details),
        cancellation: () => Context.current().cancellationSignal,
        draining: draining.signal,
        noteEnded: () => undefined,
      };
      const worker = await createTunedWorker({
        connection,
        namespace: temporal.namespace,
        taskQueue: taskQueues.deploy,
        workflowBundle: { codePath: await workflowBundle() },
        activities: createDeployActivities({
          log,
          limits,
          redact: (text) => text,
          recycle: null,
          runCommand: async () => await Promise.reject(new Error('no recycle in this yard')),
          heartbeat: () => Context.current().heartbeat(),
          cancellation: () => Context.current().cancellationSignal,
          deploys,
        }),
        shutdownGraceTime: '5 seconds',
      });
      deployer = { worker, running: worker.run(), draining };
    },
    async stopDeployer() {
      const stopped = deployer;
      deployer = undefined;
      stopped?.draining.abort();
      stopped?.worker.shutdown();
      await stopped?.running;
    },
  };
  return yard;
};

const freePort = async (): Promise<number> => await claimPort({ port: 0, purpose: 'a simulated host', changeWith: 'nothing' });
