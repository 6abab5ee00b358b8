import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Client, WorkflowHandle, WorkflowStartOptions } from '@temporalio/client';
import type { Pool } from 'pg';
import type { CommandDeps } from '../../activities/deps';
import type { applyJob } from '../../workflows';
import type { CallbackBody } from '../../src/contracts/callback';
import { ghCallbackSchema } from '../../src/contracts/ghosthands';
import type { NewJob } from '../../src/contracts/job';
import { makeApplyJobId } from '../../src/contracts/ids';
import { limits as realLimits, type Limits } from '../../src/contracts/limits';
import { searchAttributes, wakeSignal } from '../../src/contracts/messages';
import type { Observe } from '../../src/contracts/observations';
import type { SweepRequest } from '../../src/contracts/sweep';
import { findJob, type Job } from '../../src/db/jobs/jobs';
import { recordCallback } from '../../src/db/callbacks/received-callbacks';
import { sensitive } from '../../src/domain/sensitive';
import { claimPort } from '../../dev/tools/ports';
import type { SimulatorOptions } from '../../dev/gh/config';
import { startSimulator, type Simulator } from '../../dev/gh/simulator';
import { withDatabase } from './database';
import { acceptNewJob, makeNewJob, startApplyJob } from './new-job';
import { startOrchestrator, type OrchestratorActivities, type OrchestratorOptions } from './orchestrator';
import { withTemporal } from './temporal';
import { until } from './until';

export interface FleetFixtureOptions {
  hosts?: number;
  variant?: 'main' | 'staging';
  limits?: Partial<Limits>;
  timeScale?: number;
  /** Times of the simulated workers that must not be scaled. */
  times?: SimulatorOptions['hosts'][number]['times'];
  secrets?: CommandDeps['secrets'];
  cancelMeans?: CommandDeps['cancelMeans'];
  /** What a host has of its own, by its number from 0. */
  hostOptions?: (index: number) => Partial<SimulatorOptions['hosts'][number]>;
  observe?: Observe;
  /** Instead of standard output. */
  logDestination?: NodeJS.WritableStream;
  /** A deployer runs too: true when it restarted the worker of that host. Without it nobody takes a recycle. */
  recycle?: (simulator: Simulator, host: string) => Promise<boolean>;
  /** How our own processes reach the database, where a test wants them to have fewer rights. */
  connectAs?: (databaseUrl: string) => Promise<Pool>;
  /** Dynamic configuration, for a Temporal server of its own. */
  temporalSettings?: Record<string, string>;
  replaceActivities?: OrchestratorOptions['replaceActivities'];
  /** Our worker listens to the database and polls it as a real orchestrator does. */
  listens?: boolean;
  showsWorkerId?: boolean;
}

/** A fleet and a control plane for the tests of a file: simulated GH hosts over real sockets, our worker in this process, a product that listens. */
export interface FleetFixture {
  pool: Pool;
  simulator: Simulator;
  activities: OrchestratorActivities;
  taskQueue: string;
  client: Client;
  /** What GH's API wants to be shown. */
  serviceSecret: string;
  /** Keeps a job, as the gateway does while Temporal is away. Answers its id. */
  accept(targetUrl: string, more?: Partial<NewJob>): Promise<string>;
  /** Accepts a job and starts its workflow, as the gateway does. */
  submit(targetUrl: string, more?: Partial<NewJob>): Promise<WorkflowHandle<typeof applyJob>>;
  /** Starts the workflow of a job that is in the table already. */
  start(jobId: string, more?: Partial<WorkflowStartOptions>): Promise<WorkflowHandle<typeof applyJob>>;
  handleOf(jobId: string): WorkflowHandle<typeof applyJob>;
  job(jobId: string): Promise<Job>;
  until(jobId: string, state: Job['state'], timeoutMs?: number): Promise<Job>;
  /** What the product received, in the order of arrival. */
  received(jobId: string): CallbackBody[];
  /** Answers the next callbacks with these status codes, then 200 again. */
  failCallbacks(statuses: number[]): void;
  /** A pass that applies every rule, unless it is told otherwise. */
  sweep(request?: SweepRequest): Promise<void>;
}

const serviceSecret = 'test-service-secret';

/** All tests of a file share one fleet, so jobs of one test may wait for those of another: give each test its hosts. */
export const withFleetFixture = (options: FleetFixtureOptions = {}): FleetFixture => {
  const variant = options.variant ?? 'staging';
  const database = withDatabase({ variant: variant === 'main' ? 'main-repaired' : 'staging' });
  const temporal = withTemporal({ settings: options.temporalSettings });
  const limits = { ...realLimits, firstCallbackDelayMs: 50, sweepEveryMs: 1_000, probeFreshMs: 600_000, ...options.limits };
  const arrived: CallbackBody[] = [];
  const answers: number[] = [];
  let simulator: Simulator | undefined;
  let orchestrator: Awaited<ReturnType<typeof startOrchestrator>> | undefined;
  let ownPool: Pool | undefined;
  let inbound: Listener | undefined;
  let product: Listener | undefined;
  const taskQueue = temporal.unique('fleet');

  const handleOf = (jobId: string): WorkflowHandle<typeof applyJob> =>
    temporal.client.workflow.getHandle<typeof applyJob>(makeApplyJobId({ jobId }));

  beforeAll(async () => {
    await temporal.connection.operatorService.addSearchAttributes({
      namespace: temporal.namespace,
      searchAttributes: Object.fromEntries(Object.values(searchAttributes).map(({ name }) => [name, 2])),
    });
    // GH's callbacks come to an endpoint as thin as the gateway's: recorded, and a hint for the workflow.
    inbound = await listen(async (url, body) => {
      const attemptId = url.split('/').pop() ?? '';
      const callback = ghCallbackSchema.parse(JSON.parse(body));
      const { effect, jobId } = await recordCallback(database.pool, { attemptId, callback });
      if (effect === 'wakes_job' && jobId !== null)
        await handleOf(jobId)
          .signal(wakeSignal, { reason: 'callback' })
          .catch(() => undefined);
      return 200;
    });
    product = await listen(async (_url, body) => {
      const status = answers.shift() ?? 200;
      if (status === 200) arrived.push(JSON.parse(body) as CallbackBody);
      return status;
    });
    simulator = await startSimulator({
      databaseUrl: database.databaseUrl,
      serviceSecret,
      hosts: await Promise.all(
        Array.from({ length: options.hosts ?? 2 }, async (_, index) => ({
          workerId: `worker-${index + 1}`,
          ip: `127.0.1.${index + 1}`,
          listenIp: '127.0.0.1',
          // A restarted process comes back on the same ports.
          apiPort: await freePort(),
          statusPort: await freePort(),
          variant,
          timeScale: options.timeScale ?? 0.1,
          times: options.times,
          ...options.hostOptions?.(index),
        })),
      ),
    });
    const { recycle, connectAs } = options;
    ownPool = await connectAs?.(database.databaseUrl);
    orchestrator = await startOrchestrator({
      pool: ownPool ?? database.pool,
      address: temporal.address,
      namespace: temporal.namespace,
      client: temporal.client,
      taskQueue,
      callbackBaseUrl: inbound.url,
      addressMap: Object.fromEntries(
        simulator.hosts.map(({ ip, ports }) => [ip, { api: `http://127.0.0.1:${ports.api}`, worker: `http://127.0.0.1:${ports.status}` }]),
      ),
      limits,
      secrets: options.secrets,
      observe: options.observe,
      cancelMeans: options.cancelMeans,
      ghServiceSecret: sensitive(serviceSecret),
      logDestination: options.logDestination,
      replaceActivities: options.replaceActivities,
      directUrl: options.listens === true ? database.databaseUrl : undefined,
      showsWorkerId: options.showsWorkerId,
      recycle: recycle === undefined ? undefined : async (host) => await recycle(fixture.simulator, host),
    });
    await fixture.sweep();
  });

  afterAll(async () => {
    await orchestrator?.stop();
    await ownPool?.end();
    await simulator?.stop();
    await inbound?.stop();
    await product?.stop();
  });

  const fixture: FleetFixture = {
    get pool() {
      return database.pool;
    },
    get simulator() {
      return simulator as Simulator;
    },
    get activities() {
      return (orchestrator as NonNullable<typeof orchestrator>).activities;
    },
    taskQueue,
    serviceSecret,
    get client() {
      return temporal.client;
    },
    handleOf,
    async accept(targetUrl, more = {}) {
      const job = makeNewJob({ targetUrl, callbackUrl: `${product?.url}/callbacks`, ...more });
      await acceptNewJob(database.pool, job, limits);
      return job.jobId;
    },
    submit: async (targetUrl, more = {}) => await fixture.start(await fixture.accept(targetUrl, more)),
    start: async (jobId, more = {}) => await startApplyJob(temporal.client, { ...more, jobId, taskQueue }),
    async job(jobId) {
      const job = await findJob(database.pool, jobId);
      if (job === null) throw new Error(`no job ${jobId}`);
      return job;
    },
    until: async (jobId, state, timeoutMs = 60_000) =>
      await until(
        async () => {
          const job = await fixture.job(jobId);
          return job.state === state ? job : null;
        },
        { what: `job ${jobId} is ${state}`, timeoutMs },
      ),
    received: (jobId) => arrived.filter((body) => body.job_id === jobId),
    failCallbacks: (statuses) => void answers.push(...statuses),
    async sweep(request = { full: true }) {
      await temporal.client.workflow.execute('workerCleanup', { workflowId: temporal.unique('sweep'), taskQueue, args: [request] });
    },
  };
  return fixture;
};

const freePort = async (): Promise<number> => await claimPort({ port: 0, purpose: 'a simulated host', changeWith: 'nothing' });

interface Listener {
  url: string;
  /** Resolves when no answer is being worked out any more, so that what they use can be closed. */
  stop(): Promise<void>;
}

/** An answer that cannot be given is a 500, as at our gateway: under load a test's pool may have no connection for a hint. */
const listen = async (answer: (url: string, body: string) => Promise<number>): Promise<Listener> => {
  const answering = new Set<Promise<unknown>>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const answered = answer(request.url ?? '', Buffer.concat(chunks).toString('utf8'))
        .catch(() => 500)
        .then((status) => response.writeHead(status, { 'content-type': 'application/json' }).end('{"received":true}'))
        .finally(() => answering.delete(answered));
      answering.add(answered);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.close();
      server.closeAllConnections();
      await Promise.all(answering);
    },
  };
};
