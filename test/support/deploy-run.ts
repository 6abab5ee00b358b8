import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Pool } from 'pg';
import { createPool } from '../../src/db/pool';
import { startSimulator, type Simulator } from '../../dev/gh/simulator';
import { startStandInTestbed, type StandInTestbed } from '../../dev/kamal/stand-in/stand-in-testbed';
import { claimPort } from '../../dev/tools/ports';
import { createGatewayProcess, createKamalDeployerProcess, createOrchestratorProcess, type OwnProcess } from './orchestrator-process';
import { startOwnStack, type OwnStack } from './own-stack';
import { until } from './until';

/** Real processes with production's limits: a gateway, and two deployers of which one works, over hosts that the stand-in deploys to. */
export interface DeployRun {
  pool: Pool;
  stack: OwnStack;
  testbed: StandInTestbed;
  simulator: Simulator;
  gateway: OwnProcess;
  deployers: OwnProcess[];
  orchestrators: OwnProcess[];
  /** Where the private directories of deploys are. */
  stateDir: string;
  gatewayUrl: string;
  key: string;
  operatorKey: string;
  /** The deployer that has the lock, or had it last. */
  findActive(): Promise<OwnProcess>;
  /** Starts what has ended, as a service manager does. */
  revive(except?: OwnProcess): Promise<void>;
  /** Kamal alone brings the destination there. */
  reset(destination: string, version: string): Promise<void>;
  stop(): Promise<void>;
}

export interface DeployRunOptions {
  /** Servers, logs, hosts; thrown away at the start. */
  dir: string;
  destinations: readonly string[];
  hostsOfEach: number;
  /** Besides, for jobs; none by default. */
  orchestrators?: number;
}

const firstVersion = 'v0';

export const startDeployRun = async (options: DeployRunOptions): Promise<DeployRun> => {
  await rm(options.dir, { recursive: true, force: true });
  const stopping: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of stopping.splice(0).toReversed()) await end();
  };
  try {
    return { ...(await start(options, stopping)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
};

const start = async (
  { dir, destinations, hostsOfEach, orchestrators: orchestratorCount = 0 }: DeployRunOptions,
  stopping: (() => Promise<unknown>)[],
): Promise<Omit<DeployRun, 'stop'>> => {
  const stack = await startOwnStack(path.join(dir, 'stack'));
  stopping.push(stack.stop);
  const pool = createPool(stack.databaseUrl, { max: 5, applicationName: 'yardmaster-test' });
  stopping.push(async () => await pool.end());
  const ips = destinations.flatMap((_, network) => Array.from({ length: hostsOfEach }, (__, host) => `127.0.${network + 1}.${host + 1}`));
  const hostsOf = new Map(destinations.map((name, network) => [name, ips.slice(network * hostsOfEach, (network + 1) * hostsOfEach)]));
  const simulator = await startHosts(stack.databaseUrl, ips);
  stopping.push(async () => await simulator.stop());
  const testbed = await startStandInTestbed({
    dir: path.join(dir, 'testbed'),
    hosts: ips,
    destinations: Object.fromEntries(hostsOf),
    simulatorUrl: `http://127.0.0.1:${simulator.controlPort}`,
    stepMs: 5,
  });
  stopping.push(testbed.stop);

  const stateDir = path.join(dir, 'deploys');
  const key = `deployer-key-${randomBytes(8).toString('hex')}`;
  const operatorKey = `operator-key-${randomBytes(8).toString('hex')}`;
  const port = await freePort();
  const gatewayUrl = `http://127.0.0.1:${port}`;
  const env = environmentOf({ stack, simulator, testbed, stateDir, key, operatorKey, port });
  const logs = path.join(dir, 'logs');
  const gateway = createGatewayProcess({ name: 'gateway', dir: logs, env, readyUrl: `${gatewayUrl}/livez` });
  stopping.push(gateway.stop);
  const deployers = ['deployer-1', 'deployer-2'].map((name) => createKamalDeployerProcess({ name, dir: logs, env }));
  stopping.push(async () => await Promise.all(deployers.map(async (each) => await each.stop())));
  const orchestrators = Array.from({ length: orchestratorCount }, (_, index) =>
    createOrchestratorProcess({ name: `orchestrator-${index + 1}`, dir: logs, env }),
  );
  stopping.push(async () => await Promise.all(orchestrators.map(async (each) => await each.stop())));
  /** Several ask at once; a second start of the same process would be refused. */
  let reviving: Promise<void> | null = null;
  const run: Omit<DeployRun, 'stop'> = {
    pool,
    stack,
    testbed,
    simulator,
    gateway,
    deployers,
    orchestrators,
    stateDir,
    gatewayUrl,
    key,
    operatorKey,
    findActive: async () => {
      const turns = await Promise.all(deployers.map(async (each) => ({ each, at: await activeSince(each) })));
      const active = turns.filter(({ each, at }) => each.isRunning() && at !== '').toSorted((a, b) => b.at.localeCompare(a.at))[0];
      if (active === undefined) throw new Error('no deployer is active');
      return active.each;
    },
    revive: async (except) =>
      await (reviving ??= startEnded([gateway, ...deployers].filter((each) => each !== except)).finally(() => (reviving = null))),
    async reset(destination, version) {
      for (const each of [
        ['lock', 'release'],
        ['app', 'stop'],
        ['deploy', '--skip-push', '--version', version],
      ] as const) {
        const ended = await testbed.kamal(...each, '-d', destination);
        if (ended.code !== 0) throw new Error(`${each.join(' ')} of ${destination}: ${ended.output}`);
      }
    },
  };
  for (const version of [firstVersion, 'v1', 'v2']) await testbed.push(version);
  await testbed.push('bad', { broken: 'exits' });
  await Promise.all([
    ...destinations.map(async (name) => await startFirst(testbed, name)),
    gateway.start(),
    ...[...deployers, ...orchestrators].map(async (each) => await each.start()),
  ]);
  await until(run.findActive, { what: 'a deployer is active', timeoutMs: 60_000 });
  return run;
};

const startEnded = async (processes: readonly OwnProcess[]): Promise<void> => {
  for (const each of processes) if (!each.isRunning()) await each.start();
};

const startFirst = async (testbed: StandInTestbed, destination: string): Promise<void> => {
  const ended = await testbed.kamal('deploy', '--skip-push', '--version', firstVersion, '-d', destination);
  if (ended.code !== 0) throw new Error(ended.output);
};

/** When it became the one, by its own log; empty when it is not. */
const activeSince = async (deployer: OwnProcess): Promise<string> => {
  let at = '';
  for (const line of (await deployer.readLog()).split('\n')) {
    const time = /^\{"time":"([^"]+)"/.exec(line)?.[1] ?? '';
    if (line.includes('"message":"Active: the lock is ours"')) at = time;
    if (line.includes('"message":"The lock is lost')) at = '';
  }
  return at;
};

type ProcessSettings = Pick<DeployRun, 'stack' | 'simulator' | 'testbed' | 'stateDir' | 'key' | 'operatorKey'> & { port: number };

const environmentOf = ({ stack, simulator, testbed, stateDir, key, operatorKey, port }: ProcessSettings): Record<string, string> => {
  return {
    ...testbed.kamalEnv,
    DATABASE_URL: stack.databaseUrl,
    DATABASE_DIRECT_URL: stack.databaseUrl,
    TEMPORAL_ADDRESS: stack.temporalAddress,
    TEMPORAL_NAMESPACE: 'default',
    GATEWAY_PORT: String(port),
    GATEWAY_PUBLIC_URL: `http://127.0.0.1:${port}`,
    CALLBACK_BASE_URL: `http://127.0.0.1:${port}`,
    YARDMASTER_KEYS: `test:deployer:${key},ops:operator:${operatorKey}`,
    GH_SERVICE_SECRET: serviceSecret,
    HOST_ADDRESS_MAP: simulator.hosts
      .map(({ ip, ports }) => `${ip}=http://127.0.0.1:${ports.api}|http://127.0.0.1:${ports.status}`)
      .join(','),
    RATE_LIMIT_PER_MINUTE: '1000000',
    LOG_LEVEL: 'debug',
    KAMAL_BIN: testbed.kamalBin,
    KAMAL_CONFIG_DIR: testbed.configDir,
    DEPLOY_STATE_DIR: stateDir,
    INSTALLATION: 'deploy-run',
    DEPLOY_SECRET_KAMAL_REGISTRY_PASSWORD: testbed.registry.password,
    ...Object.fromEntries(Object.entries(testbed.secrets).map(([name, value]) => [`DEPLOY_SECRET_${name}`, value])),
  };
};

const serviceSecret = 'testbed-service-secret';

const startHosts = async (databaseUrl: string, ips: readonly string[]): Promise<Simulator> =>
  await startSimulator({
    databaseUrl,
    serviceSecret,
    controlPort: 0,
    hosts: await Promise.all(
      ips.map(async (ip, index) => ({
        workerId: `worker-${index + 1}`,
        ip,
        listenIp: '127.0.0.1',
        apiPort: await freePort(),
        statusPort: await freePort(),
        variant: 'staging' as const,
        timeScale: 0.1,
      })),
    ),
  });

const freePort = async (): Promise<number> => await claimPort({ port: 0, purpose: 'a test', changeWith: 'nothing' });
