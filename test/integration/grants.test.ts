import { randomUUID } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Pool } from 'pg';
import { z } from 'zod';
import { limits } from '../../src/contracts/limits';
import { refuseUnstartedDeploy } from '../../src/db/deploys/accept-deploy';
import { fleetGauges } from '../../src/db/fleet/fleet-gauges';
import { readForeignFindings } from '../../src/db/foreign-schema';
import { migrate } from '../../src/db/migrate';
import { listCommands } from '../../src/db/commands/commands';
import { createPool } from '../../src/db/pool';
import { pruneOldRows } from '../../src/db/retention';
import { findCancelListener } from '../../src/db/commands/cancel-listeners';
import { loadFleetSchema } from '../../dev/fleet-schema/load';
import { claimPort } from '../../dev/tools/ports';
import { projectRoot } from '../../src/project-root';
import { startSimulator, type Simulator } from '../../dev/gh/simulator';
import { streamResident } from '../../dev/kamal/stand-in/resident';
import { startStandInTestbed, type StandInTestbed } from '../../dev/kamal/stand-in/stand-in-testbed';
import { endpointNames, type EndpointName } from '../../src/gateway/endpoints';
import { applyExamples, taskExamples } from '../../src/gateway/examples';
import { createDeploysClient } from '../../src/gateway/deploys-client';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { createSecretBox } from '../../src/secret-box';
import { ensureSearchAttributes } from '../../src/temporal/namespace';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startTestGateway, testKeys, testSecretsKey, type TestGateway } from '../support/gateway';
import { startOrchestrator } from '../support/orchestrator';
import { withTemporal } from '../support/temporal';
import { destination, startTestDeployer, type TestDeployer } from '../support/test-deployer';
import { until } from '../support/until';
import { makeGate } from '../support/gate';

type Process = 'migrate' | 'gateway' | 'orchestrator' | 'deployer';

const temporal = withTemporal();
let database: TestDatabase;
const pools: Partial<Record<Process, Pool>> = {};
let simulator: Simulator | undefined;
let kamal: StandInTestbed | undefined;
let deployer: TestDeployer | undefined;
let gateway: TestGateway | undefined;
let orchestrator: Awaited<ReturnType<typeof startOrchestrator>> | undefined;

/** Roles belong to the whole server, so each run has its own names for them. */
const roleOf = (process: Process | 'gh'): string => `${database.name}_${process}`;
const urlOf = (process: Process | 'gh'): string => {
  const url = new URL(database.databaseUrl);
  [url.username, url.password] = [roleOf(process), `password-of-${process}`];
  return url.href;
};
/** What a role's sessions may have by default: nothing of it may change what our statements mean. */
const oddDefaults = {
  search_path: 'nowhere',
  client_encoding: 'LATIN1',
  standard_conforming_strings: 'off',
  array_nulls: 'off',
  DateStyle: 'SQL, DMY',
  IntervalStyle: 'sql_standard',
  TimeZone: 'Asia/Kolkata',
  extra_float_digits: '-10',
  bytea_output: 'escape',
  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  statement_timeout: '1ms',
  lock_timeout: '1ms',
  idle_in_transaction_session_timeout: '1ms',
};
/** Whatever Postgres refused to any of the roles, also where somebody went on without it. */
const denied: string[] = [];
const watchDenials = (process: Process, pool: Pool): Pool =>
  pool.on('connect', (client) => {
    const connection: EventEmitter = Reflect.get(client, 'connection');
    connection.on('errorMessage', ({ code, message }: { code: string; message: string }) => {
      if (code === '42501') denied.push(`${process}: ${message}`);
    });
  });
const activitiesRun = new Set<string>();
const watchActivities = <Activities extends object>(activities: Activities): Activities => {
  const watched = Object.entries(activities).map(([name, activity]: [string, (...args: unknown[]) => Promise<unknown>]) => [
    name,
    async (...args: unknown[]): Promise<unknown> => {
      activitiesRun.add(name);
      return await activity(...args);
    },
  ]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The same names, and functions of the same shape.
  return Object.fromEntries(watched) as Activities;
};
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
    // GH's workers: the neighbours' tables are theirs, and whoever may end their sessions may not end a superuser's.
    await client.query(
      `create role ${database.name}_gh login password 'password-of-gh';
       grant all on all tables in schema public to ${database.name}_gh;
       grant usage on all sequences in schema public to ${database.name}_gh`,
    );
    for (const process of ['migrate', 'gateway', 'orchestrator', 'deployer'] as const) {
      await client.query(`alter role ${roleOf(process)} password 'password-of-${process}'`);
      for (const [name, value] of Object.entries(oddDefaults))
        await client.query(`alter role ${roleOf(process)} in database ${database.name} set ${name} = '${value}'`);
    }
  } finally {
    client.release();
  }
  await migrate(urlOf('migrate'), { info: () => undefined, warn: () => undefined });
  for (const process of ['migrate', 'gateway', 'orchestrator', 'deployer'] as const)
    pools[process] = watchDenials(process, createPool(urlOf(process), { max: 20, applicationName: process, isDirect: true }));
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
  await expect(until(async () => (await read(jobId)).state === 'succeeded', { what: 'the job has succeeded' })).resolves.toBe(true);
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
  const phaseOf = async (): Promise<string> => deployAnswerSchema.parse(await (await call('GET', `/v1/deploys/${waiting}`)).json()).phase;
  await until(async () => (await phaseOf()) === 'approval', { what: 'the deploy waits for an approval' });
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
  const worker = createPool(urlOf('gh'), { max: 1, applicationName: 'worker' });
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
  await until(async () => (await read(jobId)).state === 'succeeded', { what: 'the job has succeeded' });
  const prune = async (): Promise<boolean> => {
    await pruneOldRows(poolOf('orchestrator'), { olderThanMs: 0, rows: 100 });
    return (await call('GET', `/v1/jobs/${jobId}`)).status === 404;
  };
  await expect(until(prune, { what: 'the job is gone' })).resolves.toBe(true);
});

/** Each endpoint once, with success: what it does to the tables, it does as the gateway's role. One without a line here does not compile. */
const requests: Record<EndpointName, () => Promise<Response>> = {
  submitJob: async () => await call('POST', '/v1/jobs', jobAt('/quick?ms=50')),
  listJobs: async () => await call('GET', '/v1/jobs?needsAttention=true'),
  getJob: async () => await call('GET', `/v1/jobs/${await jobIn('succeeded')}`),
  redeliverCallback: async () => {
    const jobId = await jobIn('succeeded');
    const { callbacks } = await read(jobId);
    return await call('POST', `/v1/jobs/${jobId}/callbacks/1/${callbacks.sent[0]?.seq ?? 0}/redeliver`);
  },
  receiveCallback: async () => {
    const { attemptId, jobId } = await attemptOf(await jobIn('succeeded'));
    const body = { job_id: attemptId, status: 'completed', worker_id: 'worker-1' };
    expect(jobId).not.toBe(attemptId);
    return await fetch(`${gateway?.url}/v1/callbacks/ghosthands/${attemptId}`, {
      method: 'POST',
      headers: { 'x-gh-service-key': testKeys.service, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  },
  cancelJob: async () => await call('POST', `/v1/jobs/${await newJobIn('running', makeGate().form)}/cancel?wait=30`, { reason: 'test' }),
  resumeJob: async () =>
    await call('POST', `/v1/jobs/${await newJobIn('waiting_human', '/blocker')}/resume?wait=30`, {
      resolutionType: 'code_entry',
      code: '481516',
    }),
  retryJob: async () => await call('POST', `/v1/jobs/${await newJobIn('failed', '/invalid')}/retry?wait=20`, { confirm: true }),
  resolveJob: async () =>
    await call('POST', `/v1/jobs/${await newJobIn('uncertain', '/fails-after-form?ms=50')}/resolve?wait=20`, {
      submitted: true,
      note: 'seen',
    }),
  listCommands: async () => await call('GET', `/v1/jobs/${(await someCommand()).jobId}/commands`),
  getCommand: async () => await call('GET', `/v1/commands/${(await someCommand()).commandId}`),
  listAudit: async () => await call('GET', '/v1/audit'),
  pause: async () => await call('POST', '/v1/pause', { reason: 'test' }),
  unpause: async () => await call('POST', '/v1/unpause', { reason: 'test' }),
  holdHost: async () => await call('POST', '/v1/fleet/hosts/127.0.1.1/hold', { reason: 'test', expiresInSeconds: 60 }),
  releaseHost: async () => {
    await call('POST', '/v1/fleet/hosts/127.0.1.1/hold', { reason: 'test', expiresInSeconds: 60 });
    return await call('POST', '/v1/fleet/hosts/127.0.1.1/release', { reason: 'test' });
  },
  sweepFleet: async () => await call('POST', '/v1/fleet/sweep', { dryRun: true }),
  getFleet: async () => await call('GET', '/v1/fleet'),
  listWorkers: async () => await call('GET', '/v1/workers'),
  getWorker: async () => await call('GET', '/v1/workers/worker-1'),
  drainWorker: async () => await call('POST', '/v1/workers/worker-1/drain?wait=20', { reason: 'test' }),
  getDrain: async () => await call('GET', '/v1/workers/worker-1/drain'),
  releaseWorker: async () => await call('POST', '/v1/workers/worker-1/release', { reason: 'test' }),
  recycleWorker: async () => await call('POST', '/v1/workers/worker-1/recycle?wait=20', { reason: 'test', force: true }),
  getRecycle: async () => await call('GET', '/v1/workers/worker-1/recycle'),
  placeDeploy: async () => await afterDeploys(async () => await placed({ destination, version: 'v1', dryRun: true })),
  listDeploys: async () => await call('GET', '/v1/deploys'),
  getDeploy: async () => await call('GET', `/v1/deploys/${await someDeploy()}`),
  approveDeploy: async () => await sentAtApproval('approve', {}),
  rejectDeploy: async () => await sentAtApproval('reject', { reason: 'test' }),
  cancelDeploy: async () => await sentAtApproval('cancel', { reason: 'test' }),
  streamDeployLog: async () => await call('GET', `/v1/deploys/${await someDeploy()}/stream`),
  getDeployLog: async () => await call('GET', `/v1/deploys/${await someDeploy()}/log`),
  listDestinations: async () => await call('GET', '/v1/destinations?refresh=true'),
  breakDeployLock: async () =>
    await afterDeploys(async () => {
      await kamal?.kamal('lock', 'acquire', '-m', 'freeze', '-d', destination);
      return await call('POST', `/v1/destinations/${destination}/lock/break`, { reason: 'test' }, testKeys.deployer);
    }),
  signIn: async () => await call('POST', '/v1/session'),
  getSession: async () => await call('GET', '/v1/session'),
  signOut: async () => await call('DELETE', '/v1/session'),
  watchDeploy: async () => await call('GET', `/watch/${await someDeploy()}`),
  watchScript: async () => await call('GET', '/watch.js'),
  watchStyle: async () => await call('GET', '/watch.css'),
  deployKamal: async () =>
    await afterDeploys(async () => await call('POST', '/deploy/kamal', { destination, version: 'v1' }, testKeys.deployer)),
  rollbackKamal: async () =>
    await afterDeploys(async () => await call('POST', '/rollback/kamal', { destination, version: 'v2' }, testKeys.deployer)),
  streamNewestDeploy: async () => await call('GET', '/deploy/stream'),
  listDeployRecords: async () => await call('GET', '/deploys'),
  getDeployRecord: async () => await call('GET', `/deploys/${await someDeploy()}`),
  kamalStatus: async () => await call('GET', `/kamal/status?destination=${destination}`),
  kamalValidate: async () => await call('GET', `/kamal/validate?destination=${destination}`),
  kamalAudit: async () => await call('GET', `/kamal/audit?destination=${destination}`),
  kamalHosts: async () => await call('GET', '/kamal/hosts'),
  drainGraceful: async () => await call('POST', '/drain/graceful', { timeoutMs: 5_000 }, testKeys.deployer),
  livez: async () => await call('GET', '/livez'),
  readyz: async () => await call('GET', '/readyz'),
  openapi: async () => await call('GET', '/openapi.json'),
  docs: async () => await call('GET', '/docs'),
  docsStyle: async () => await call('GET', '/docs.css'),
  submitApplication: async () =>
    await call('POST', '/api/v1/gh/valet/apply', { ...applyExamples['what VALET sends'], valet_task_id: randomUUID() }, testKeys.service),
  submitTask: async () =>
    await call('POST', '/api/v1/gh/valet/task', { ...taskExamples['a test by an admin'], valet_task_id: randomUUID() }, testKeys.service),
  getApplicationStatus: async () => await call('GET', `/api/v1/gh/valet/status/${await jobIn('succeeded')}`),
  cancelApplication: async () =>
    await call('POST', `/api/v1/gh/jobs/${await newJobIn('running', makeGate().form)}/cancel`, {}, testKeys.service),
  retryApplication: async () => await call('POST', `/api/v1/gh/jobs/${await newJobIn('failed', '/invalid')}/retry`, {}, testKeys.service),
  resumeApplication: async () =>
    await call(
      'POST',
      `/api/v1/gh/valet/resume/${await newJobIn('waiting_human', '/blocker')}`,
      { resolved_by: 'human', resolution_type: 'manual' },
      testKeys.service,
    ),
  listModels: async () => await call('GET', '/api/v1/gh/models'),
  health: async () => await call('GET', '/health'),
  machine: async () => await call('GET', '/monitoring/system'),
  monitoringHealth: async () => await call('GET', '/monitoring/health'),
  monitoringMetrics: async () => await call('GET', '/monitoring/metrics/json'),
  monitoringAlerts: async () => await call('GET', '/monitoring/alerts'),
  monitoringWorkers: async () => await call('GET', '/monitoring/workers'),
  workerStatusPage: async () => await call('GET', '/worker/status'),
  workerHealthPage: async () => await call('GET', '/worker/health'),
  workerDrainPage: async () => await call('POST', '/worker/drain', { worker_id: 'worker-1' }),
  deregisterWorkers: async () => {
    await database.pool.query(
      `insert into gh_worker_registry (worker_id) values ('given-up') on conflict (worker_id) do update set status = 'active'`,
    );
    return await call('POST', '/api/v1/gh/valet/workers/deregister', { target_worker_id: 'given-up' });
  },
  listSessions: async () => await call('GET', `/api/v1/gh/sessions?user_id=${userId}`),
  clearSessions: async () => await call('DELETE', `/api/v1/gh/sessions?user_id=${userId}&all=true`),
  listSessionsOfUser: async () => await call('GET', `/api/v1/gh/valet/sessions/${userId}`),
  clearSessionsOfUser: async () => await call('DELETE', `/api/v1/gh/valet/sessions/${userId}`),
  async clearSessionOfUser() {
    await database.pool.query(
      `insert into gh_browser_sessions (user_id, domain, session_data, encryption_key_id) values ($1, 'a.test', 'sealed', 'k')`,
      [userId],
    );
    return await call('DELETE', `/api/v1/gh/valet/sessions/${userId}/a.test`);
  },
  atmVersion: async () => await call('GET', '/version'),
  atmMetrics: async () => await call('GET', '/metrics'),
  atmContainers: async () => await call('GET', '/containers'),
  atmWorkers: async () => await call('GET', '/workers'),
  atmFleet: async () => await call('GET', '/fleet'),
  reloadFleet: async () => await call('POST', '/fleet/reload'),
  idleStatus: async () => await call('GET', '/fleet/idle-status'),
  hostHealth: async () => await call('GET', '/fleet/127.0.1.1/health'),
  hostMetrics: async () => await call('GET', '/fleet/127.0.1.1/metrics'),
  hostVersion: async () => await call('GET', '/fleet/127.0.1.1/version'),
  hostWorkers: async () => await call('GET', '/fleet/127.0.1.1/workers'),
  hostContainers: async () => await call('GET', '/fleet/127.0.1.1/containers'),
  hostDeploys: async () => await call('GET', '/fleet/127.0.1.1/deploys'),
  wakeHost: async () => await ofInstance('wake'),
  stopHost: async () => await ofInstance('stop'),
  hostDrain: async () => await call('POST', '/fleet/127.0.1.1/drain', {}),
  hostWorkerDrain: async () => await call('POST', '/fleet/127.0.1.1/worker/drain', {}),
  hostWorkerStatus: async () => await call('GET', '/fleet/127.0.1.1/worker/status'),
  hostWorkerHealth: async () => await call('GET', '/fleet/127.0.1.1/worker/health'),
  proxyToHost: async () => await call('GET', '/fleet/127.0.1.1/health/version'),
  atmDrain: async () => await call('POST', '/drain', { worker_id: 'worker-1' }),
  secretsStatus: async () => await call('GET', '/secrets/status'),
};

/** Machines have an instance where the registry names one; the simulated workers say it of themselves only when told to. */
async function ofInstance(act: 'wake' | 'stop'): Promise<Response> {
  await database.pool.query(`update gh_worker_registry set ec2_instance_id = 'i-0123456789abcdef0' where ec2_ip = '127.0.1.1'`);
  return await call('POST', `/fleet/127.0.1.1/${act}`);
}

/** An answer as good as a success: of a worker that is busy, of what is not ours to do, and of a machine that the last probe has not seen running. */
const otherwise: Partial<Record<EndpointName, number>> = { workerHealthPage: 503, stopHost: 501, wakeHost: 501 };

describe('as the gateway’s role', () => {
  // A drain keeps its worker from the jobs of the next one, and a pause everybody's. A deploy goes on meanwhile, and what it holds it is about to stop.
  afterEach(async () => await database.pool.query(`delete from yardmaster.host_hold where holder not like 'deploy:%'`));

  it.each(endpointNames)('%s does what it says', async (name) => {
    denied.splice(0);
    const response = await requests[name]();
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
    const text = isStream ? '' : await response.text();
    if (isStream) await response.body?.cancel();
    const isDone = response.status < 400 || response.status === otherwise[name];
    expect({ isDone, status: response.status, text, denied }).toMatchObject({ isDone: true, denied: [] });
    expect(gateway?.logLines.filter((line) => line.includes('42501'))).toEqual([]);
  });
});

it('as the orchestrator’s role, a full pass of the sweep repairs what the neighbours’ tables say wrongly', async () => {
  denied.splice(0);
  const jobId = await jobIn('succeeded');
  await database.pool.query(
    `insert into gh_worker_registry (worker_id, status, last_heartbeat) values ('silent', 'active', now() - interval '1 h')`,
  );
  await database.pool.query(`update gh_automation_jobs set status = 'running' where id = $1`, [jobId]);
  await database.pool.query(`delete from yardmaster.sweep_report`);
  const repaired = async (): Promise<boolean> => {
    await sweep();
    const { rows } = await database.pool.query<{ is_repaired: boolean }>(
      `select (select status from gh_worker_registry where worker_id = 'silent') = 'offline'
         and (select status from gh_automation_jobs where id = $1) <> 'running' as is_repaired`,
      [jobId],
    );
    return rows[0]?.is_repaired === true;
  };
  await until(repaired, { what: 'both are repaired', timeoutMs: 60_000, everyMs: 500 });
  expect(denied).toEqual([]);
});

it('a deploy that finds a broken version goes back as the deployer’s role', async () => {
  denied.splice(0);
  await kamal?.push('bad', { broken: 'exits' });
  const deployId = await afterDeploys(async () => await deploy({ destination, version: 'bad', strategy: { canaryHosts: 0 } }));
  expect(await ended(deployId)).toMatchObject({ outcome: 'rolled_back' });
  expect(denied).toEqual([]);
});

it('every activity has run as the role of its process', async () => {
  denied.splice(0);
  const command = await someCommand();
  const deployId = await someDeploy();
  /** Those that only a rare turn of things needs: asked directly, over rows that have ended. */
  const rarely: Partial<Record<string, () => Promise<unknown>>> = {
    noteUnconfirmed: async () => await orchestrator?.activities.noteUnconfirmed({ commandId: command.commandId, detail: 'test' }),
    async proveStopped() {
      const jobId = await newJobIn('running', makeGate().form);
      await call('POST', `/v1/jobs/${jobId}/cancel?wait=30`, { reason: 'test' });
      const [cancel] = await listCommands(database.pool, { jobId, rows: 1 });
      const route = cancel?.route ?? null;
      if (cancel === undefined || route === null) throw new Error('the cancel went nowhere');
      return await orchestrator?.activities.proveStopped({ commandId: cancel.commandId, route, recycle: 'test' });
    },
    async retryJob() {
      const jobId = await newJobIn('uncertain', '/fails-after-form?ms=50&times=1');
      return await orchestrator?.activities.retryJob({ jobId, owner: await ownerOf(jobId), confirm: true });
    },
    async examineOwner() {
      const jobId = await newJobIn('running', makeGate().form);
      return await orchestrator?.activities.examineOwner(await attemptOf(jobId));
    },
    async proveRecycled() {
      const host = '127.0.1.1';
      const before = await orchestrator?.activities.lookBeforeRecycle({ host });
      if (before === undefined) return null;
      const target = { workerId: 'worker-1', host, instanceId: null };
      return await orchestrator?.activities.proveRecycled({ target, attemptId: null, before });
    },
    async inspectLeftProcess() {
      const jobId = await newJobIn('waiting_human', '/review?ms=50');
      await call('POST', `/v1/jobs/${jobId}/resolve?wait=30`, { submitted: false });
      const { attemptId } = await attemptOf(jobId);
      const worker = await database.pool.query<{ worker_id: string }>('select worker_id from yardmaster.attempt where attempt_id = $1', [
        attemptId,
      ]);
      return await orchestrator?.activities.inspectLeftProcess({ workerId: worker.rows[0]?.worker_id ?? '', attemptId });
    },
    awaitFreshWorker: async () => await orchestrator?.activities.awaitFreshWorker({ host: '127.0.1.1' }),
    async noteDeployFailure() {
      const activity: unknown = Reflect.get(deployer?.activities ?? {}, 'noteDeployFailure');
      if (typeof activity === 'function') await (activity as (input: object) => Promise<unknown>)({ deployId, detail: 'test' });
    },
  };
  for (const [name, run] of Object.entries(rarely)) {
    if (activitiesRun.has(name)) continue;
    await run?.();
    activitiesRun.add(name);
  }
  const all = [...Object.keys(orchestrator?.activities ?? {}), ...Object.keys(deployer?.activities ?? {})];
  expect(all.filter((name) => !activitiesRun.has(name))).toEqual([]);
  expect(denied).toEqual([]);
});

it.each<[Process, string]>([
  ['gateway', `delete from gh_automation_jobs`],
  ['gateway', `delete from gh_job_events`],
  ['gateway', `delete from yardmaster.job`],
  ['gateway', `update yardmaster.job_transition set reason = 'x'`],
  ['gateway', `update yardmaster.audit set actor = 'x'`],
  ['gateway', `delete from yardmaster.audit`],
  ['orchestrator', `update yardmaster.audit set actor = 'x'`],
  ['orchestrator', `delete from yardmaster.audit`],
  ['gateway', `update yardmaster.attempt set state = 'ended'`],
  ['orchestrator', `update gh_worker_registry set ec2_ip = null`],
  ['orchestrator', `alter table gh_automation_jobs add column x int`],
  ['orchestrator', `create table yardmaster.x (x int)`],
  ['migrate', `select from gh_automation_jobs`],
])('does not let %s do more: %s', async (process, sql) => {
  await expect(poolOf(process).query(sql)).rejects.toMatchObject({ code: '42501' });
});

const userId = '6f1d2c3b-4a59-4e87-9c0d-1b2a3c4d5e6f';

const jobAt = (posting: string): object => ({
  userId,
  targetUrl: `https://sim.test${posting}`,
  callbackUrl: 'https://valet.test/hook',
  profile: { firstName: 'Ada', lastName: 'Lovelace', email: 'ada@example.com' },
  resume: { storagePath: 'resumes/ada.pdf' },
});

const sweep = async (): Promise<void> => {
  await temporal.client.workflow.execute('workerCleanup', { workflowId: temporal.unique('sweep'), taskQueue: 'yardmaster' });
};

/** A pass now and then, since nothing starts it here: a worker that restarts is found by it. */
const untilState = async (jobId: string, state: string): Promise<string> => {
  let sweptAt = Date.now();
  await until(
    async () => {
      const seen = await read(jobId);
      if (seen.state === state) return true;
      if (Date.now() - sweptAt > 3_000) {
        await sweep();
        sweptAt = Date.now();
      }
      throw new Error(JSON.stringify(seen));
    },
    { what: `the job is ${state}`, timeoutMs: 60_000, everyMs: 100 },
  );
  return jobId;
};

const newJobIn = async (state: string, posting: string): Promise<string> => await untilState(await submit(posting), state);

const jobIn = async (state: string): Promise<string> => {
  const { rows } = await database.pool.query<{ job_id: string }>(
    `select job_id from yardmaster.job j where state = $1 and exists (select from yardmaster.callback c where c.job_id = j.job_id) limit 1`,
    [state],
  );
  return rows[0]?.job_id ?? (await newJobIn(state, '/quick?ms=50'));
};

const attemptOf = async (jobId: string): Promise<{ jobId: string; attemptId: string }> => {
  const { rows } = await database.pool.query<{ attempt_id: string }>(`select attempt_id from yardmaster.attempt where job_id = $1`, [
    jobId,
  ]);
  return { jobId, attemptId: rows[0]?.attempt_id ?? '' };
};

const ownerOf = async (jobId: string): Promise<string> => {
  const { rows } = await database.pool.query<{ owner: string }>(`select owner from yardmaster.job where job_id = $1`, [jobId]);
  return rows[0]?.owner ?? '';
};

const someCommand = async (): Promise<{ jobId: string; commandId: string }> => {
  const find = async () =>
    (
      await database.pool.query<{ jobId: string; commandId: string }>(
        `select job_id as "jobId", command_id as "commandId" from yardmaster.command limit 1`,
      )
    ).rows[0];
  const found = await find();
  if (found !== undefined) return found;
  await requests.resolveJob();
  return (await find()) ?? { jobId: '', commandId: '' };
};

/** One that has ended, or the first. */
const someDeploy = async (): Promise<string> => {
  const { rows } = await database.pool.query<{ deploy_id: string }>(
    `select deploy_id from yardmaster.deploy where ended_at is not null limit 1`,
  );
  if (rows[0] !== undefined) return rows[0].deploy_id;
  const deployId = await afterDeploys(async () => await deploy({ destination, version: 'v2', strategy: { canaryHosts: 0 } }));
  await ended(deployId);
  return deployId;
};

/** One runs at a time. */
const afterDeploys = async <Result>(work: () => Promise<Result>): Promise<Result> => {
  await until(
    async () =>
      (await database.pool.query(`select from yardmaster.deploy where destination = $1 and ended_at is null`, [destination])).rowCount ===
        0 && !(await isDeployRunning()),
    { what: 'no deploy is under way', timeoutMs: 90_000, everyMs: 200 },
  );
  return await work();
};

const isDeployRunning = async (): Promise<boolean> =>
  (await temporal.client.workflow.count(`WorkflowType = 'kamalDeploy' and ExecutionStatus = 'Running'`)).count > 0;

const placed = async (body: object): Promise<Response> => await call('POST', '/v1/deploys', body, testKeys.deployer);

const sentAtApproval = async (word: 'approve' | 'reject' | 'cancel', body: object): Promise<Response> => {
  const deployId = await afterDeploys(
    async () => await deploy({ destination, version: 'v1', strategy: { needsApproval: true, canaryHosts: 1, soakSeconds: 1 } }),
  );
  const phaseOf = async (): Promise<string> => deployAnswerSchema.parse(await (await call('GET', `/v1/deploys/${deployId}`)).json()).phase;
  await until(async () => (await phaseOf()) === 'approval', { what: 'the deploy waits for an approval', timeoutMs: 60_000 });
  return await call('POST', `/v1/deploys/${deployId}/${word}`, body, testKeys.deployer);
};

const deployAnswerSchema = z.looseObject({ deployId: z.string(), phase: z.string(), outcome: z.string().nullable() });

const deploy = async (body: object): Promise<string> => {
  const response = await call('POST', '/v1/deploys', body, testKeys.deployer);
  const answer: unknown = await response.json();
  expect({ status: response.status, answer }).toMatchObject({ status: 201 });
  return deployAnswerSchema.parse(answer).deployId;
};

const ended = async (deployId: string): Promise<z.infer<typeof deployAnswerSchema>> =>
  await until(
    async () => {
      const seen = deployAnswerSchema.parse(await (await call('GET', `/v1/deploys/${deployId}`)).json());
      return seen.outcome === null ? null : seen;
    },
    { what: `deploy ${deployId} ends` },
  );

const jobAnswerSchema = z.object({
  state: z.string(),
  attempts: z.array(z.unknown()),
  waiting: z.unknown(),
  callbacks: z.object({ received: z.int(), sent: z.array(z.object({ seq: z.int(), settledAs: z.string().nullable() })) }),
});

async function startProcesses(): Promise<void> {
  await ensureSearchAttributes(temporal.connection, temporal.namespace);
  const port = async (): Promise<number> => await claimPort({ port: 0, purpose: 'a simulated host', changeWith: 'nothing' });
  simulator = await startSimulator({
    databaseUrl: urlOf('gh'),
    serviceSecret: testKeys.service,
    controlPort: 0,
    // One for the deploys, and others that take the jobs meanwhile.
    hosts: await Promise.all(
      [1, 2, 3].map(async (number) => ({
        workerId: `worker-${number}`,
        ip: `127.0.1.${number}`,
        listenIp: '127.0.0.1',
        apiPort: await port(),
        statusPort: await port(),
        variant: 'staging' as const,
        timeScale: 0.1,
      })),
    ),
  });
  const addressMap = Object.fromEntries(
    simulator.hosts.map(({ ip, ports }) => [ip, { api: `http://127.0.0.1:${ports.api}`, worker: `http://127.0.0.1:${ports.status}` }]),
  );
  gateway = await startTestGateway({
    pool: poolOf('gateway'),
    workflows: createWorkflowsClient(temporal.client, { deadlineMs: 10_000 }),
    deploys: createDeploysClient(temporal.client, { deadlineMs: 10_000 }),
    addressMap,
    // What is asked here is whether it may; a machine that others use too takes its time.
    limits: { probeTimeoutMs: 30_000 },
  });
  kamal = await startStandInTestbed({
    dir: path.join(projectRoot(), '.yardmaster/testbeds', temporal.namespace),
    hosts: ['127.0.1.1'],
    simulatorUrl: `http://127.0.0.1:${simulator.controlPort}`,
    stepMs: 5,
    streamChild: streamResident,
  });
  for (const version of ['v1', 'v2']) await kamal.push(version);
  expect(await kamal.kamal('deploy', '--skip-push', '--version', 'v1', '-d', destination)).toMatchObject({ code: 0 });
  deployer = await startTestDeployer({
    pool: poolOf('deployer'),
    temporal,
    testbed: kamal,
    limits: { ...limits, processStartJitterMs: 0 },
    addressMap,
    watch: watchActivities,
  });
  orchestrator = await startOrchestrator({
    pool: poolOf('orchestrator'),
    address: temporal.address,
    namespace: temporal.namespace,
    client: temporal.client,
    taskQueue: 'yardmaster',
    callbackBaseUrl: gateway.url,
    addressMap,
    secrets: createSecretBox({ current: testSecretsKey, previous: null }),
    replaceActivities: watchActivities,
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

async function submit(posting = '/quick?ms=50'): Promise<string> {
  const response = await call('POST', '/v1/jobs', jobAt(posting));
  expect(response.status).toBe(201);
  return z.object({ jobId: z.string() }).parse(await response.json()).jobId;
}

async function read(jobId: string): Promise<z.infer<typeof jobAnswerSchema>> {
  return jobAnswerSchema.parse(await (await call('GET', `/v1/jobs/${jobId}`)).json());
}
