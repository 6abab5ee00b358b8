import path from 'node:path';
import type { Client } from '@temporalio/client';
import type { Pool } from 'pg';
import type { DeployLogLine, DeployPhase, DeployView } from '../../src/contracts/deploy';
import { limits as realLimits, type Limits } from '../../src/contracts/limits';
import { taskQueues, type KamalDeployInput } from '../../src/contracts/messages';
import { startSimulator, type Simulator } from '../../dev/gh/simulator';
import { streamResident } from '../../dev/kamal/stand-in/resident';
import { startStandInTestbed, type StandInTestbed } from '../../dev/kamal/stand-in/stand-in-testbed';
import { claimPort } from '../../dev/tools/ports';
import { projectRoot } from '../../src/project-root';
import { sensitive } from '../../src/domain/sensitive';
import type { HostAddressMap } from '../../src/ghosthands/client';
import { withDatabase } from './database';
import { startOrchestrator } from './orchestrator';
import { withTemporal } from './temporal';
import {
  addSearchAttributes,
  destination,
  getDeploy,
  startDeploy,
  startTestDeployer,
  untilDeployIsAt,
  type DeployHandle,
  type TestDeployer,
} from './test-deployer';

export { destination, service, type DeployHandle } from './test-deployer';

export interface DeployFixtureOptions {
  hosts?: number;
  /** Workers of the same fleet on hosts that are no part of the destination. */
  otherHosts?: number;
  limits?: Partial<Limits>;
  /** Jobs run too: an orchestrator works beside the deployer. */
  hasOrchestrator?: boolean;
  timeScale?: number;
  /** Each Kamal is a process, as in production; by default it runs inside of the test's, which takes a fraction of the time. */
  hasRealProcesses?: boolean;
  /** Dynamic configuration, for a Temporal server of its own. */
  temporalSettings?: Record<string, string>;
}

/** Hosts that the stand-in deploys to and the simulator plays GH on, and a deployer of this process. */
export interface DeployFixture {
  pool: Pool;
  databaseUrl: string;
  client: Client;
  temporal: { address: string; namespace: string };
  kamal: StandInTestbed;
  simulator: Simulator;
  hosts: string[];
  addressMap: HostAddressMap;
  deploy(input?: Partial<KamalDeployInput>): Promise<DeployHandle>;
  getDeploy(deployId: string): Promise<DeployView>;
  untilPhase(deployId: string, phase: DeployPhase): Promise<DeployView>;
  lines(deployId: string): Promise<DeployLogLine[]>;
  /** Of the deployer, until the next reset: for a story in which one of them has to elapse. */
  setLimits(limits: Partial<Limits>): void;
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

/** So short that a test of the whole story takes seconds; the rules are the same. */
const testLimits = {
  probeFreshMs: 600_000,
  deployVerifyMs: 15_000,
  deployVerifyEveryMs: 100,
  deploySoakEveryMs: 200,
  deployDrainEveryMs: 100,
  deployCompensateTries: 3,
  deployCompensateRetryMs: 300,
  deployLockEveryMs: 200,
  kamalKillAfterMs: 2_000,
  kamalSilentMs: 20_000,
  // A cancel reaches a step in the answer to a beat.
  deployBeatMs: 200,
} satisfies Partial<Limits>;

export const withDeployFixture = (options: DeployFixtureOptions = {}): DeployFixture => {
  const database = withDatabase();
  const temporal = withTemporal({ settings: options.temporalSettings });
  const limits = { ...realLimits, firstCallbackDelayMs: 50, ...testLimits, ...options.limits };
  // A host is stopped and started within a second here.
  const ownLimits = { ...limits, processStartJitterMs: 0 };
  const deployerLimits: Limits = { ...ownLimits };
  let simulator: Simulator | undefined;
  let kamal: StandInTestbed | undefined;
  let deployer: TestDeployer | undefined;
  let orchestrator: Awaited<ReturnType<typeof startOrchestrator>> | undefined;
  const { hosts: hostCount = 2, otherHosts = 0 } = options;
  const fleet = Array.from({ length: hostCount + otherHosts }, (_, index) => `127.0.1.${index + 1}`);
  const hosts = fleet.slice(0, hostCount);
  let addressMap: HostAddressMap = {};

  beforeAll(async () => {
    await addSearchAttributes(temporal);
    simulator = await startSimulator({
      databaseUrl: database.databaseUrl,
      serviceSecret: 'testbed-service-secret',
      controlPort: 0,
      hosts: await Promise.all(
        fleet.map(async (ip, index) => ({
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
    kamal = await startStandInTestbed({
      dir: path.join(projectRoot(), '.yardmaster/testbeds', temporal.namespace),
      hosts,
      simulatorUrl: `http://127.0.0.1:${simulator.controlPort}`,
      stepMs: 1,
      streamChild: options.hasRealProcesses === true ? undefined : streamResident,
    });
    for (const version of ['v0', 'v1', 'v2', 'v3']) await kamal.push(version);
    // The simulated workers run already; from now on containers say so.
    const first = await kamal.kamal('deploy', '--skip-push', '--version', 'v0', '-d', destination);
    if (first.code !== 0) throw new Error(first.output);
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
        ghServiceSecret: sensitive('testbed-service-secret'),
      });
    }
    await fixture.startDeployer();
  }, 120_000);

  afterAll(async () => {
    await fixture.stopDeployer();
    await orchestrator?.stop();
    await kamal?.stop();
    await simulator?.stop();
  }, 60_000);

  const fixture: DeployFixture = {
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
      return kamal as StandInTestbed;
    },
    get simulator() {
      return simulator as Simulator;
    },
    hosts,
    get addressMap() {
      return addressMap;
    },
    deploy: async (input = {}) => await startDeploy(temporal.client, input),
    getDeploy: async (deployId) => await getDeploy(database.pool, deployId),
    untilPhase: async (deployId, phase) => await untilDeployIsAt(database.pool, deployId, phase),
    async lines(deployId) {
      const { rows } = await database.pool.query<DeployLogLine>(
        `select seq::int, at::text, stream, line from yardmaster.deploy_log where deploy_id = $1 order by seq`,
        [deployId],
      );
      return rows;
    },
    setLimits: (changed) => void Object.assign(deployerLimits, changed),
    async reset(version) {
      fixture.setLimits(ownLimits);
      await fixture.kamal.misbehave();
      for (const host of fixture.kamal.hosts) await host.startSsh();
      for (const host of hosts) fixture.simulator.heal(host);
      await database.pool.query('delete from yardmaster.host_hold');
      if ((await fixture.versions()).every((running) => running === version)) return;
      await fixture.kamal.kamal('app', 'stop', '-d', destination);
      const ended = await fixture.kamal.kamal('deploy', '--skip-push', '--version', version, '-d', destination);
      if (ended.code !== 0) throw new Error(ended.output);
    },
    async rest() {
      const { rows } = await database.pool.query<{ host: string }>('select host from yardmaster.host_hold order by host');
      return { versions: await fixture.versions(), lock: await fixture.lockHolder(), holds: rows.map(({ host }) => host) };
    },
    versions: async () => await Promise.all(fixture.kamal.hosts.map(async (host) => await host.runningVersion())),
    lockHolder: async () => await fixture.kamal.host(hosts[0] ?? '').lockHolder(destination),
    async startDeployer() {
      deployer = await startTestDeployer({ pool: database.pool, temporal, testbed: fixture.kamal, limits: deployerLimits, addressMap });
    },
    async stopDeployer() {
      const stopped = deployer;
      deployer = undefined;
      await stopped?.stop();
    },
  };
  return fixture;
};

const freePort = async (): Promise<number> => await claimPort({ port: 0, purpose: 'a simulated host', changeWith: 'nothing' });
