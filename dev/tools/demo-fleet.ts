import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import path from 'node:path';
import { Client } from 'pg';
import { migrate } from '../../src/db/migrate';
import { chooseDeployHosts, prepareDeploys, type DemoDeployHosts, type DemoDeployTarget } from './demo-deploys';
import { loadFleetSchema } from '../fleet-schema/load';
import type { SimulatorOptions } from '../gh/config';
import { startSimulator, type Simulator } from '../gh/simulator';
import { startKeptProcess, type KeptProcess } from './kept-process';
import { claimPort } from './ports';
import { projectRoot } from '../../src/project-root';
import { startStack, type Stack } from './stack';

export interface DemoPorts {
  gateway: number;
  product: number;
  postgres: number;
  temporal: number;
  temporalUi: number;
  gatewayMetrics: number;
  orchestratorMetrics: number;
  deployerMetrics: number;
}

/** Everything that the demo runs, each part a real one but GH, whose workers are played. */
export interface DemoFleet {
  gatewayUrl: string;
  stack: Stack;
  simulator: Simulator;
  deploys: DemoDeployTarget;
  /** Statuses that the product's callback address received, by job. */
  received: ReadonlyMap<string, string[]>;
  stop(): Promise<void>;
}

/** Keys of the demo alone: they open nothing but what runs on this machine's loopback. */
export const demoKeys = { operator: 'demo-operator-key', deployer: 'demo-deployer-key', product: 'demo-service-secret' } as const;

export const startDemoFleet = async ({
  dir,
  ports,
  network,
  wantsStandIn,
  fresh,
  say,
}: {
  dir: string;
  ports: DemoPorts;
  /** The first three numbers of the hosts' addresses. */
  network: string;
  /** Deploys by the stand-in also where the real Kamal could do it. */
  wantsStandIn: boolean;
  fresh: boolean;
  say: (line: string) => void;
}): Promise<DemoFleet> => {
  await checkPorts(ports);
  const deployHosts = await chooseDeployHosts({ network, wantsStandIn });
  const hosts = await placeHosts(network, deployHosts);
  const stopping: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of stopping.splice(0).toReversed()) await end();
  };
  try {
    const stack = await startStack({
      dir,
      postgresPort: ports.postgres,
      temporalPort: ports.temporal,
      temporalUiPort: ports.temporalUi,
      fresh,
      databaseUrl: process.env.DATABASE_URL,
      say,
    });
    stopping.push(stack.stop);
    await prepareDatabase(stack.databaseUrl, say);

    const product = await startProduct(ports.product);
    stopping.push(product.stop);
    const simulator = await startSimulator({
      databaseUrl: stack.databaseUrl,
      serviceSecret: demoKeys.product,
      controlPort: 0,
      hosts,
    });
    stopping.push(simulator.stop);
    const running = simulator.hosts.filter(({ isReady }) => isReady);
    say(`GH: ${running.map((host) => `${host.workerId} on ${host.ip}:${host.ports.status}`).join(', ')} (simulated)`);
    const deploys = await prepareDeploys({
      dir,
      databaseUrl: stack.databaseUrl,
      hosts: deployHosts,
      simulator,
      serviceSecret: demoKeys.product,
      say,
    });
    stopping.push(deploys.stop);

    const environment = {
      DATABASE_URL: stack.databaseUrl,
      DATABASE_DIRECT_URL: stack.databaseUrl,
      TEMPORAL_ADDRESS: stack.temporalAddress,
      GATEWAY_PORT: String(ports.gateway),
      GATEWAY_PUBLIC_URL: `http://127.0.0.1:${ports.gateway}`,
      CALLBACK_BASE_URL: `http://127.0.0.1:${ports.gateway}`,
      YARDMASTER_KEYS: `demo:operator:${demoKeys.operator},demo-deployer:deployer:${demoKeys.deployer}`,
      GH_SERVICE_SECRET: demoKeys.product,
      CALLBACK_ALLOWED_ORIGINS: product.url,
      CALLBACK_ALLOW_PRIVATE_ADDRESSES: 'true',
      HOST_ADDRESS_MAP: addressMapOf(simulator),
      RATE_LIMIT_PER_MINUTE: '100000',
      // New at each start: what waits under it lives for minutes.
      SECRETS_KEY: randomBytes(32).toString('hex'),
    };
    const orchestrator = await startOurs('orchestrator', 'workers/orchestrator.js', dir, {
      ...environment,
      METRICS_PORT: String(ports.orchestratorMetrics),
    });
    stopping.push(orchestrator.stop);
    const deployer = await startOurs('deployer', 'workers/deployer.js', dir, {
      ...environment,
      ...deploys.settings,
      RECYCLE_COMMAND: recycleCommandOf(simulator),
      METRICS_PORT: String(ports.deployerMetrics),
    });
    stopping.push(deployer.stop);
    const gateway = await startOurs('gateway', 'src/gateway/server.js', dir, {
      ...environment,
      METRICS_PORT: String(ports.gatewayMetrics),
    });
    stopping.push(gateway.stop);
    const gatewayUrl = `http://127.0.0.1:${ports.gateway}`;
    await gateway.untilReady(async () => await answers(`${gatewayUrl}/readyz`), 20_000);
    await orchestrator.untilReady(async () => await answers(`http://127.0.0.1:${ports.orchestratorMetrics}/metrics`), 20_000);
    await deployer.untilReady(async () => await answers(`http://127.0.0.1:${ports.deployerMetrics}/metrics`), 20_000);
    say(
      `Yardmaster: gateway on ${gatewayUrl}, orchestrator and deployer beside it; their logs are in ${path.relative(process.cwd(), dir)}`,
    );
    return { gatewayUrl, stack, simulator, deploys, received: product.received, stop };
  } catch (error) {
    await stop();
    throw error;
  }
};

const checkPorts = async (ports: DemoPorts): Promise<void> => {
  const wanted = [
    { port: ports.gateway, purpose: 'the gateway', changeWith: '--gateway-port' },
    { port: ports.product, purpose: 'the listening product', changeWith: '--product-port' },
    { port: ports.gatewayMetrics, purpose: "the gateway's metrics", changeWith: '--gateway-metrics-port' },
    { port: ports.orchestratorMetrics, purpose: "the orchestrator's metrics", changeWith: '--orchestrator-metrics-port' },
    { port: ports.deployerMetrics, purpose: "the deployer's metrics", changeWith: '--deployer-metrics-port' },
  ];
  for (const each of wanted) await claimPort(each);
};

const prepareDatabase = async (databaseUrl: string, say: (line: string) => void): Promise<void> => {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ is_there: boolean }>(`select to_regclass('gh_automation_jobs') is not null as is_there`);
    if (rows[0]?.is_there !== true) await loadFleetSchema(client, 'staging');
  } finally {
    await client.end();
  }
  const quiet = { info: () => undefined, warn: (message: string) => say(message) };
  const ran = await migrate(databaseUrl, quiet);
  say(`Migrations: ${ran.length === 0 ? 'up to date' : `${ran.length} ran`}`);
};

/**
 * Three machines at their true ports, and those that the stand-in deploys to; where the system has only 127.0.0.1 (macOS), at free ports that
 * the address map names.
 */
const placeHosts = async (network: string, deployHosts: DemoDeployHosts): Promise<SimulatorOptions['hosts']> => {
  const ofJobs = [2, 3, 4].map((n) => `${network}.${n}`);
  const ips = [...ofJobs, ...deployHosts.ips];
  const hasLoopbackNetwork = await claimPort({ port: 0, host: ofJobs[0], purpose: 'a simulated host', changeWith: '--network' }).then(
    () => true,
    () => false,
  );
  const place = async (ip: string): Promise<object> => {
    const wanted = { purpose: 'a simulated host', changeWith: '--network' };
    if (!hasLoopbackNetwork)
      return {
        listenIp: '127.0.0.1',
        apiPort: await claimPort({ ...wanted, port: 0 }),
        statusPort: await claimPort({ ...wanted, port: 0 }),
      };
    for (const port of [3100, 3101]) await claimPort({ ...wanted, port, host: ip });
    return {};
  };
  const hosts = [];
  for (const [index, ip] of ips.entries()) {
    const host = {
      workerId: `gh-worker-${index + 1}`,
      ip,
      isDeployed: ofJobs.includes(ip),
      variant: 'staging' as const,
      ...(await place(ip)),
    };
    if (host.isDeployed || deployHosts.whyNotReal !== null) hosts.push(host);
  }
  return hosts;
};

const addressMapOf = (simulator: Simulator): string =>
  simulator.hosts
    .filter(({ config }) => config.listenIp !== config.ip)
    .map(({ ip, ports }) => `${ip}=http://127.0.0.1:${ports.api}|http://127.0.0.1:${ports.status}`)
    .join(',');

/** What `docker restart` is on a true host. */
export const recycleCommandOf = ({ controlPort }: Simulator): string =>
  JSON.stringify([
    process.execPath,
    path.join(projectRoot(), 'dev/gh/recycle-simulated-worker.mjs'),
    `http://127.0.0.1:${controlPort}`,
    '{workerId}',
  ]);

const startOurs = async (name: string, file: string, dir: string, env: Record<string, string>): Promise<KeptProcess> =>
  await startKeptProcess({
    name,
    dir,
    command: process.execPath,
    // The directory is how a later demo recognises a process of an earlier one.
    args: ['--enable-source-maps', path.join(projectRoot(), '.yardmaster/build', file), `--of=${dir}`],
    env,
    stopSignal: 'SIGTERM',
    stopWithinMs: 15_000,
  });

/** A product that only listens, with VALET's answer. */
const startProduct = async (port: number): Promise<{ url: string; received: Map<string, string[]>; stop(): Promise<void> }> => {
  const received = new Map<string, string[]>();
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      const { job_id: jobId, status } = JSON.parse(text) as { job_id: string; status: string };
      received.set(jobId, [...(received.get(jobId) ?? []), status]);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"received":true}');
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close').catch(() => undefined);
    },
  };
};

const answers = async (url: string): Promise<boolean> =>
  await fetch(url).then(
    async (response) => {
      await response.arrayBuffer();
      return response.ok;
    },
    () => false,
  );
