import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Pool } from 'pg';
import { z } from 'zod';
import { limits } from '../../src/contracts/limits';
import { refuseUnstartedDeploy } from '../../src/db/accept-deploy';
import { fleetGauges } from '../../src/db/fleet-gauges';
import { readForeignFindings } from '../../src/db/foreign-schema';
import { migrate } from '../../src/db/migrate';
import { createPool } from '../../src/db/pool';
import { pruneOldRows } from '../../src/db/retention';
import { findCancelListener } from '../../src/db/cancel-listeners';
import { loadFleetSchema } from '../../src/dev/fleet-schema/load';
import { claimPort } from '../../src/dev/ports';
import { projectRoot } from '../../src/dev/project-root';
import { startSimulator, type Simulator } from '../../src/dev/gh-simulator/simulator';
import { startStandInYard, type StandInYard } from '../../src/dev/kamal-stand-in/stand-in-yard';
import { createDeploysClient } from '../../src/gateway/deploys-client';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { ensureSearchAttributes } from '../../src/temporal';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startTestGateway, testKeys, type TestGateway } from '../support/gateway';
import { startOrchestrator } from '../support/orchestrator';
import { withTemporal } from '../support/temporal';
import { destination, startTestDeployer, type TestDeployer } from '../support/test-deployer';
import { until } from '../support/until';

type Process = 'migrate' | 'gateway' | 'orchestrator' | 'deployer';

const temporal = withTemporal();
let database: TestDatabase;
const pools: Partial<Record<Process, Pool>> = {};
let simulator: Simulator | undefined;
let kamal: StandInYard | undefined;
let deployer: TestDeployer | undefined;
let gateway: TestGateway | undefined;
let orchestrator: Awaited<ReturnType<typeof startOrchestrator>> | undefined;

/** Roles belong to the whole server, so each run has its own names for them. */
const roleOf = (process: Process): string => `${database.name}_${process}`;
const urlOf = (process: Process): string => `${database.databaseUrl}?options=${encodeURIComponent(`-c role=${roleOf(process)}`)}`;
const poolOf = (process: Process): Pool => {
  const pool = pools[process];
  if (pool === undefined) throw new Error(`no pool for ${process}`);
  return pool;
};

/** The SQL that operators run, word for word but for the names. */
const documentedSql = (block: string): string => {
  const text = readFileSync(path.join(projectRoot(), 'docs/operators.md'), 'utf8');
  const sql = new RegExp(`<!-- ${block}:start -->\\n\`\`\`sql\\n([^]*?)\`\`\``).exec(text)?.[1] ?? '';
  return sql
    .replace(/yardmaster_(migrate|gateway|orchestrator|deployer)/g, `${database.name}_$1`)
    .replace(/on database fleet/g, `on database ${database.name}`);
};

beforeAll(async () => {
  database = await createTestDatabase({ variant: 'none' });
  const client = await database.pool.connect();
  try {
    await loadFleetSchema(client, 'staging');
    await client.query(documentedSql('grants'));
  } finally {
    client.release();
  }
  await migrate(urlOf('migrate'), { info: () => undefined, warn: () => undefined });
  for (const process of ['migrate', 'gateway', 'orchestrator', 'deployer'] as const)
    pools[process] = createPool(urlOf(process), { max: 20, applicationName: process });
  await poolOf('migrate').query(documentedSql('gateway-grants'));
  await startProcesses();
});

afterAll(async () => {
  await deployer?.stop();
  await orchestrator?.stop();
  await gateway?.stop();
  await kamal?.stop();
  await simulator?.stop();
  for (const pool of Object.values(pools)) await pool.end();
  const admin = createPool(process.env['TEST_DATABASE_URL'] ?? '', { max: 1, applicationName: 'test' });
  await database.drop();
  for (const role of ['migrate', 'gateway', 'orchestrator', 'deployer', 'gh'])
    await admin.query(`drop role if exists ${database.name}_${role}`);
  await admin.end();
});

it('connects each process as the role of its own', async () => {
  const { rows } = await poolOf('gateway').query('select current_user as name');
  expect(rows).toEqual([{ name: roleOf('gateway') }]);
});

it('lets gateway and orchestrator bring a job to its end, show it and deliver it', async () => {
  const jobId = await submit();
  const job = await until(async () => ((await read(jobId)).state === 'succeeded' ? await read(jobId) : null), {
    what: 'the job has succeeded',
    timeoutMs: 30_000,
  });
  expect(job).toMatchObject({ attempts: [{ state: 'ended', endReason: 'completed' }] });
  const settled = async (): Promise<boolean> => {
    const { callbacks } = await read(jobId);
    return callbacks.sent.length > 0 && callbacks.sent.every(({ settledAs }) => settledAs === 'delivered');
  };
  await until(settled, { what: 'its callbacks are delivered' });
  expect(job.callbacks.received).toBeGreaterThan(0);
  const { seq = 0 } = job.callbacks.sent[0] ?? {};
  expect((await call('POST', `/v1/jobs/${jobId}/callbacks/1/${seq}/redeliver`)).status).toBe(202);
  expect((await call('GET', '/v1/jobs?needsAttention=true')).status).toBe(200);
  expect((await call('GET', `/api/v1/gh/valet/status/${jobId}`)).status).toBe(200);
});

it('lets the gateway pause and unpause, and show why a job waits', async () => {
  expect((await call('POST', '/v1/pause', { reason: 'test' })).status).toBe(200);
  const jobId = await submit();
  await until(async () => (await read(jobId)).state === 'waiting', { what: 'the job waits' });
  expect(await read(jobId)).toMatchObject({ waiting: { fleet: { isPaused: true } } });
  expect((await call('POST', '/v1/unpause', { reason: 'test' })).status).toBe(200);
  await temporal.client.workflow.execute('workerCleanup', { workflowId: temporal.unique('sweep'), taskQueue: 'yardmaster' });
  await expect(
    until(async () => (await read(jobId)).state === 'succeeded', { what: 'the job has succeeded', timeoutMs: 30_000 }),
  ).resolves.toBe(true);
});

it('lets the gateway drain, release and deregister a worker, and list and clear browser sessions', async () => {
  const bodyOf = async (...request: Parameters<typeof call>): Promise<unknown> => await (await call(...request)).json();
  expect(await bodyOf('POST', '/v1/workers/worker-1/drain?wait=20', { reason: 'test' })).toMatchObject({ outcome: 'drained' });
  expect((await call('POST', '/v1/workers/worker-1/release', { reason: 'test' })).status).toBe(200);
  const userId = '6f1d2c3b-4a59-4e87-9c0d-1b2a3c4d5e6f';
  await database.pool.query(
    `insert into gh_browser_sessions (user_id, domain, session_data, encryption_key_id) values ($1, 'a.test', 'sealed', 'k')`,
    [userId],
  );
  expect(await bodyOf('GET', `/api/v1/gh/sessions?user_id=${userId}`)).toMatchObject({ count: 1 });
  await expect(poolOf('gateway').query('select session_data from gh_browser_sessions')).rejects.toThrow(/permission denied/);
  expect(await bodyOf('DELETE', `/api/v1/gh/sessions?user_id=${userId}&all=true`)).toMatchObject({ deleted_count: 1 });
  await database.pool.query(`insert into gh_worker_registry (worker_id) values ('given-up')`);
  expect((await call('POST', '/api/v1/gh/valet/workers/deregister', { target_worker_id: 'given-up' })).status).toBe(200);
  const { rows } = await database.pool.query(`select status from gh_worker_registry where worker_id = 'given-up'`);
  expect(rows).toEqual([{ status: 'offline' }]);
});

it('lets the gateway end a session that is signed out', async () => {
  const cookie = (await call('POST', '/v1/session')).headers.get('set-cookie')?.split(';')[0] ?? '';
  const headers = { cookie, 'x-api-key': testKeys.operator };
  expect((await fetch(`${gateway?.url}/v1/session`, { method: 'DELETE', headers })).status).toBe(200);
  expect((await fetch(`${gateway?.url}/v1/session`, { headers: { cookie } })).status).toBe(401);
});

it('lets gateway and deployer bring a deploy to its end, show its log, and cancel one', async () => {
  const placed = await deploy({ destination, version: 'v2', strategy: { canaryHosts: 0 } });
  expect(await ended(placed)).toMatchObject({ outcome: 'succeeded', disagreements: [] });
  expect(await (await call('GET', `/v1/deploys/${placed}/log`)).text()).toContain('succeeded: v2 runs on');
  expect((await call('GET', '/v1/destinations?refresh=true')).status).toBe(200);
  const waiting = await deploy({ destination, version: 'v1', strategy: { needsApproval: true } });
  const phaseOf = async (): Promise<string> => deploySeenSchema.parse(await (await call('GET', `/v1/deploys/${waiting}`)).json()).phase;
  await until(async () => (await phaseOf()) === 'approval', { what: 'the deploy waits for an approval', timeoutMs: 30_000 });
  expect((await call('POST', `/v1/deploys/${waiting}/cancel`, { reason: 'test' }, testKeys.deployer)).status).toBe(202);
  expect(await ended(waiting)).toMatchObject({ outcome: 'cancelled' });
});

it('lets the gateway break a lock, and refuse a deploy that nobody began', async () => {
  await kamal?.kamal('lock', 'acquire', '-m', 'freeze', '-d', destination);
  const broken = await call('POST', `/v1/destinations/${destination}/lock/break`, { reason: 'test' }, testKeys.deployer);
  expect(await broken.json()).toMatchObject({ kind: 'broken' });
  const { rows } = await poolOf('gateway').query<{ deploy_id: string }>(
    `insert into yardmaster.deploy (deploy_id, service, destination, kind, version, strategy, actor, source)
     values (gen_random_uuid(), 'ghosthands', 'elsewhere', 'deploy', 'v1', '{}', 'test', 'test') returning deploy_id`,
  );
  const deployId = rows[0]?.deploy_id ?? '';
  expect(await refuseUnstartedDeploy(poolOf('gateway'), { deployId, detail: 'nobody' })).toBe(true);
});

it('lets each process read its figures, and the orchestrator find nothing missing in the neighbours’ tables', async () => {
  for (const process of ['gateway', 'orchestrator'] as const) {
    const readings = Promise.all(fleetGauges(poolOf(process), limits).map(({ read: readGauge }) => readGauge()));
    await expect(readings.then(({ length }) => length)).resolves.toBeGreaterThan(5);
  }
  const findings = await readForeignFindings(poolOf('orchestrator'));
  expect(findings.filter(({ severity }) => severity !== 'note')).toEqual([]);
});

it('lets the orchestrator see and end the backend of a worker that has another role', async () => {
  await database.pool.query(`create role ${database.name}_gh login password 'password-of-gh'`);
  const url = new URL(database.databaseUrl);
  [url.username, url.password] = [`${database.name}_gh`, 'password-of-gh'];
  const worker = createPool(url.href, { max: 1, applicationName: 'worker' });
  try {
    await worker.query('LISTEN "gh_job_cancel_x"');
    await expect(findCancelListener(poolOf('orchestrator'), 'x')).resolves.toBe('present');
    await expect(findCancelListener(poolOf('gateway'), 'x')).resolves.toBe('unreadable');
    await poolOf('orchestrator').query(
      `select pg_terminate_backend(pid) from pg_stat_activity where query = 'LISTEN "gh_job_cancel_x"' and datname = current_database()`,
    );
    await until(async () => (await findCancelListener(poolOf('orchestrator'), 'x')) === 'absent', { what: 'the listener has ended' });
  } finally {
    await worker.end();
  }
});

it('lets the orchestrator delete what is old', async () => {
  const jobId = await submit();
  await until(async () => (await read(jobId)).state === 'succeeded', { what: 'the job has succeeded', timeoutMs: 30_000 });
  const prune = async (): Promise<boolean> => {
    await pruneOldRows(poolOf('orchestrator'), { olderThanMs: 0, rows: 100 });
    return (await call('GET', `/v1/jobs/${jobId}`)).status === 404;
  };
  await expect(until(prune, { what: 'the job is gone' })).resolves.toBe(true);
});

it.each<[Process, string]>([
  ['gateway', `delete from gh_automation_jobs`],
  ['gateway', `delete from yardmaster.job`],
  ['gateway', `update yardmaster.job_transition set reason = 'x'`],
  ['gateway', `update yardmaster.audit set actor = 'x'`],
  ['gateway', `delete from yardmaster.audit`],
  ['orchestrator', `update yardmaster.audit set actor = 'x'`],
  ['orchestrator', `delete from yardmaster.audit`],
  ['gateway', `update yardmaster.attempt set state = 'ended'`],
  ['gateway', `insert into gh_job_events (job_id, event_type) select id, 'x' from gh_automation_jobs`],
  ['orchestrator', `update gh_worker_registry set ec2_ip = null`],
  ['orchestrator', `alter table gh_automation_jobs add column x int`],
  ['orchestrator', `create table yardmaster.x (x int)`],
  ['migrate', `select from gh_automation_jobs`],
])('does not let %s do more: %s', async (process, sql) => {
  await expect(poolOf(process).query(sql)).rejects.toMatchObject({ code: '42501' });
});

const deploySeenSchema = z.looseObject({ deployId: z.string(), phase: z.string(), outcome: z.string().nullable() });

const deploy = async (body: object): Promise<string> => {
  const response = await call('POST', '/v1/deploys', body, testKeys.deployer);
  const answer: unknown = await response.json();
  expect({ status: response.status, answer }).toMatchObject({ status: 201 });
  return deploySeenSchema.parse(answer).deployId;
};

const ended = async (deployId: string): Promise<z.infer<typeof deploySeenSchema>> =>
  await until(
    async () => {
      const seen = deploySeenSchema.parse(await (await call('GET', `/v1/deploys/${deployId}`)).json());
      return seen.outcome === null ? null : seen;
    },
    { what: `deploy ${deployId} ends`, timeoutMs: 45_000 },
  );

const jobSeenSchema = z.object({
  state: z.string(),
  attempts: z.array(z.unknown()),
  waiting: z.unknown(),
  callbacks: z.object({ received: z.int(), sent: z.array(z.object({ seq: z.int(), settledAs: z.string().nullable() })) }),
});

async function startProcesses(): Promise<void> {
  await ensureSearchAttributes(temporal.connection, temporal.namespace);
  const port = async (): Promise<number> => await claimPort({ port: 0, purpose: 'a simulated host', changeWith: 'nothing' });
  simulator = await startSimulator({
    databaseUrl: database.databaseUrl,
    serviceSecret: testKeys.service,
    controlPort: 0,
    hosts: [
      {
        workerId: 'worker-1',
        ip: '127.0.1.1',
        listenIp: '127.0.0.1',
        apiPort: await port(),
        statusPort: await port(),
        variant: 'staging',
        timeScale: 0.1,
      },
    ],
  });
  const addressMap = Object.fromEntries(
    simulator.hosts.map(({ ip, ports }) => [ip, { api: `http://127.0.0.1:${ports.api}`, worker: `http://127.0.0.1:${ports.status}` }]),
  );
  gateway = await startTestGateway({
    pool: poolOf('gateway'),
    workflows: createWorkflowsClient(temporal.client, { deadlineMs: 10_000 }),
    deploys: createDeploysClient(temporal.client, { deadlineMs: 10_000 }),
    addressMap,
  });
  kamal = await startStandInYard({
    dir: path.join(projectRoot(), '.yardmaster/test-yards', temporal.namespace),
    hosts: ['127.0.1.1'],
    simulatorUrl: `http://127.0.0.1:${simulator.controlPort}`,
    stepMs: 5,
  });
  for (const version of ['v1', 'v2']) await kamal.push(version);
  expect(await kamal.kamal('deploy', '--skip-push', '--version', 'v1', '-d', destination)).toMatchObject({ code: 0 });
  deployer = await startTestDeployer({ pool: poolOf('deployer'), temporal, yard: kamal, limits, addressMap });
  orchestrator = await startOrchestrator({
    pool: poolOf('orchestrator'),
    address: temporal.address,
    namespace: temporal.namespace,
    client: temporal.client,
    taskQueue: 'yardmaster',
    callbackBaseUrl: gateway.url,
    addressMap,
    limits: { firstCallbackDelayMs: 50, probeFreshMs: 600_000 },
    send: async () => await Promise.resolve({ kind: 'accepted' }),
  });
  await temporal.client.workflow.execute('workerCleanup', { workflowId: temporal.unique('sweep'), taskQueue: 'yardmaster' });
}

async function call(method: string, path_: string, body?: object, key: string = testKeys.operator): Promise<Response> {
  return await fetch(`${gateway?.url}${path_}`, {
    method,
    headers: { 'x-api-key': key, ...(body ? { 'content-type': 'application/json' } : {}) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

async function submit(): Promise<string> {
  const response = await call('POST', '/v1/jobs', {
    userId: '6f1d2c3b-4a59-4e87-9c0d-1b2a3c4d5e6f',
    targetUrl: 'https://sim.test/quick?ms=50',
    callbackUrl: 'https://valet.test/hook',
    profile: { firstName: 'Ada', lastName: 'Lovelace', email: 'ada@example.com' },
    resume: { storagePath: 'resumes/ada.pdf' },
  });
  expect(response.status).toBe(201);
  return z.object({ jobId: z.string() }).parse(await response.json()).jobId;
}

async function read(jobId: string): Promise<z.infer<typeof jobSeenSchema>> {
  return jobSeenSchema.parse(await (await call('GET', `/v1/jobs/${jobId}`)).json());
}
