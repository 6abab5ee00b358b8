import { randomBytes, randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { z } from 'zod';
import { claimPort } from '../../dev/tools/ports';
import { recycleCommandOf } from '../../dev/tools/demo-fleet';
import type { SimulatorOptions } from '../../dev/gh/config';
import { startSimulator, type Simulator } from '../../dev/gh/simulator';
import { createDeployerProcess, createGatewayProcess, createOrchestratorProcess, type OwnProcess } from './orchestrator-process';
import { startProductReceiver, type ProductBehaviour, type ProductReceiver } from './product-receiver';

export interface ControlPlaneOptions {
  databaseUrl: string;
  /** Another way to it for our own processes. */
  ownDatabaseUrl?: string;
  temporal: { address: string; namespace: string };
  /** Logs of our processes; thrown away at the start. */
  dir: string;
  hosts: number;
  orchestrators: number;
  timeScale?: number;
  logLevel?: 'debug' | 'info';
  productBehaviour?: () => ProductBehaviour;
  /** A deployer runs too, and restarts workers that no listener reaches. */
  recycles?: boolean;
  /** What a host has of its own, by its number from 0. */
  hostOptions?: (index: number) => Partial<SimulatorOptions['hosts'][number]>;
}

/** Gateway and orchestrators as real processes, with production's limits, over simulated GH hosts and a product that listens. */
export interface ControlPlane {
  gatewayUrl: string;
  gateway: OwnProcess;
  orchestrators: OwnProcess[];
  simulator: Simulator;
  product: ProductReceiver;
  operatorKey: string;
  deployKey: string;
  /** What may stand in no log and no history: the applicants' data and our keys. */
  unspeakable: readonly string[];
  secrets: readonly string[];
  /** `POST /v1/jobs`, as a product does it. */
  submit(targetUrl: string, more?: object): Promise<{ status: number; jobId: string; sentMs: number }>;
  /** `POST /v1/jobs/:jobId/cancel`, as an operator does it; waits for the outcome. */
  cancel(jobId: string, options: { waitSeconds: number }): Promise<{ status: number; outcome: string | null }>;
  stop: () => Promise<void>;
}

/** A request that gets no answer is a fault of ours, not of the faults that we play. */
const submitTimeoutMs = 15_000;

/** Of a refusal, too, which names no job. */
const answerSchema = z.object({ jobId: z.string().optional() });
const outcomeSchema = z.object({ outcome: z.string().nullish() });

export const startControlPlane = async (options: ControlPlaneOptions): Promise<ControlPlane> => {
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

const start = async (options: ControlPlaneOptions, stopping: (() => Promise<unknown>)[]): Promise<Omit<ControlPlane, 'stop'>> => {
  const marker = randomBytes(6).toString('hex');
  const operatorKey = `operator-key-${randomBytes(8).toString('hex')}`;
  const deployKey = `deploy-key-${randomBytes(8).toString('hex')}`;
  const serviceSecret = `service-secret-${randomBytes(8).toString('hex')}`;

  const product = await startProductReceiver({ behaviour: options.productBehaviour });
  stopping.push(product.stop);
  const simulator = await startHosts(options, serviceSecret);
  stopping.push(async () => await simulator.stop());

  const gatewayPort = await freePort();
  const gatewayUrl = `http://127.0.0.1:${gatewayPort}`;
  const env = {
    DATABASE_URL: options.ownDatabaseUrl ?? options.databaseUrl,
    DATABASE_DIRECT_URL: options.ownDatabaseUrl ?? options.databaseUrl,
    TEMPORAL_ADDRESS: options.temporal.address,
    TEMPORAL_NAMESPACE: options.temporal.namespace,
    GATEWAY_PORT: String(gatewayPort),
    GATEWAY_PUBLIC_URL: gatewayUrl,
    CALLBACK_BASE_URL: gatewayUrl,
    YARDMASTER_KEYS: `test:operator:${operatorKey},deploys:deployer:${deployKey}`,
    SECRETS_KEY: randomBytes(32).toString('hex'),
    GH_SERVICE_SECRET: serviceSecret,
    CALLBACK_ALLOWED_ORIGINS: product.origin,
    CALLBACK_ALLOW_PRIVATE_ADDRESSES: 'true',
    HOST_ADDRESS_MAP: simulator.hosts
      .map(({ ip, ports }) => `${ip}=http://127.0.0.1:${ports.api}|http://127.0.0.1:${ports.status}`)
      .join(','),
    RATE_LIMIT_PER_MINUTE: '1000000',
    LOG_LEVEL: options.logLevel ?? 'debug',
  };
  const gateway = createGatewayProcess({ name: 'gateway', dir: options.dir, env, readyUrl: `${gatewayUrl}/livez` });
  stopping.push(gateway.stop);
  const orchestrators = Array.from({ length: options.orchestrators }, (_, index) =>
    createOrchestratorProcess({ name: `orchestrator-${index + 1}`, dir: options.dir, env }),
  );
  stopping.push(async () => await Promise.all(orchestrators.map(async (each) => await each.stop())));
  const deployers =
    options.recycles === true
      ? [createDeployerProcess({ name: 'deployer', dir: options.dir, env: { ...env, RECYCLE_COMMAND: recycleCommandOf(simulator) } })]
      : [];
  stopping.push(async () => await Promise.all(deployers.map(async (each) => await each.stop())));
  await Promise.all([gateway, ...orchestrators, ...deployers].map(async (each) => await each.start()));

  return {
    gatewayUrl,
    gateway,
    orchestrators,
    simulator,
    product,
    operatorKey,
    deployKey,
    unspeakable: [marker, operatorKey, deployKey, serviceSecret],
    secrets: [operatorKey, deployKey, serviceSecret],
    async submit(targetUrl, more = {}) {
      const sentAt = Date.now();
      const response = await fetch(`${gatewayUrl}/v1/jobs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': operatorKey },
        body: JSON.stringify({ ...makeRequest({ targetUrl, callbackUrl: product.callbackUrl, marker }), ...more }),
        signal: AbortSignal.timeout(submitTimeoutMs),
      });
      const { jobId = '' } = answerSchema.parse(await response.json());
      return { status: response.status, jobId, sentMs: Date.now() - sentAt };
    },
    async cancel(jobId, { waitSeconds }) {
      const response = await fetch(`${gatewayUrl}/v1/jobs/${jobId}/cancel?wait=${waitSeconds}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': operatorKey },
        body: '{}',
        signal: AbortSignal.timeout(waitSeconds * 1_000 + submitTimeoutMs),
      });
      const { outcome = null } = outcomeSchema.parse(await response.json());
      return { status: response.status, outcome };
    },
  };
};

/** Every field that is about a person carries the marker, so that one word finds them all. */
const makeRequest = ({ targetUrl, callbackUrl, marker }: { targetUrl: string; callbackUrl: string; marker: string }): object => ({
  userId: randomUUID(),
  taskId: randomUUID(),
  targetUrl,
  callbackUrl,
  profile: {
    firstName: `Zoë ${marker}`,
    lastName: `Ünal-${marker}`,
    email: `${marker}@applicant.test`,
    phone: `+49 ${marker}`,
    location: { city: `City of ${marker}`, state: 'BE', country: 'DE' },
  },
  answers: { 'What is your salary?': `a lot, ${marker}` },
  resume: { storagePath: `resumes/${marker}.pdf` },
  timeoutSeconds: 300,
});

const startHosts = async (
  { databaseUrl, hosts, timeScale = 0.1, hostOptions }: ControlPlaneOptions,
  serviceSecret: string,
): Promise<Simulator> =>
  await startSimulator({
    databaseUrl,
    serviceSecret,
    controlPort: 0,
    hosts: await Promise.all(
      Array.from({ length: hosts }, async (_, index) => ({
        workerId: `worker-${index + 1}`,
        ip: `127.0.1.${index + 1}`,
        listenIp: '127.0.0.1',
        // A restarted process comes back on the same ports.
        apiPort: await freePort(),
        statusPort: await freePort(),
        variant: 'staging' as const,
        timeScale,
        // Docker and Node need seconds, whatever the rest is scaled to; two start times closer than 2 s are one to us.
        times: { containerRestartMs: 2_500 },
        ...hostOptions?.(index),
      })),
    ),
  });

const freePort = async (): Promise<number> => await claimPort({ port: 0, purpose: 'a test', changeWith: 'nothing' });
