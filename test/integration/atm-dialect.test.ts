import { createServer, request, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { noFleetConfig, type FleetConfig } from '../../src/contracts/fleet-config';
import { limits } from '../../src/contracts/limits';
import { deployRecordSchema } from '../../src/gateway/compat/atm-deploy-schemas';
import {
  atmErrorSchema,
  atmMetricsSchema,
  atmVersionSchema,
  atmWorkersSchema,
  fleetListSchema,
  hostHealthSchema,
  hostMetricsSchema,
  hostWorkersSchema,
  idleStatusSchema,
} from '../../src/gateway/compat/atm-schemas';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { ensureSearchAttributes } from '../../src/temporal/namespace';
import { withDatabase } from '../support/database';
import { addWaitingJob, addWorker, assignAll, emptyTables, type WorkerRows } from '../support/fleet-rows';
import { call, startTestGateway, testKeys, type Reply, type TestGateway } from '../support/gateway';
import { withTemporal } from '../support/temporal';

/** A GH machine that says what a test wants, on both of its ports. */
let answers: Record<string, Page | 'nothing'> = {};
interface Page {
  status?: number;
  type?: string;
  body: string;
  location?: string;
}
const seen: { method: string; url: string; headers: NodeJS.Dict<string | string[]> }[] = [];
const address = '127.0.3.1';

const database = withDatabase();
const temporal = withTemporal();
let machine: Server;
let gateway: TestGateway;
let config: FleetConfig = noFleetConfig;

beforeAll(async () => {
  await ensureSearchAttributes(temporal.connection, temporal.namespace);
  machine = createServer((incoming, response) => {
    seen.push({ method: incoming.method ?? '', url: incoming.url ?? '', headers: incoming.headers });
    const answer = answers[incoming.url ?? ''];
    if (answer === 'nothing') return;
    const { status = 200, type = 'application/json', body, location } = answer ?? { status: 404, body: '{"error":"not_found"}' };
    response.writeHead(status, { 'content-type': type, ...(location === undefined ? {} : { location }) }).end(body);
  });
  machine.listen(0, '127.0.0.1');
  await once(machine, 'listening');
  const url = `http://127.0.0.1:${(machine.address() as AddressInfo).port}`;
  gateway = await startTestGateway({
    pool: database.pool,
    workflows: createWorkflowsClient(temporal.client, { deadlineMs: 30_000 }),
    addressMap: { [address]: { api: url, worker: url } },
    limits: { proxyTimeoutMs: 500, proxyAnswerBytesMax: 10_000 },
    fleetConfig: { read: async () => await Promise.resolve(config), current: () => config },
  });
});
afterAll(async () => {
  await gateway.stop();
  machine.closeAllConnections();
  machine.close();
});
beforeEach(async () => {
  answers = {};
  seen.length = 0;
  config = noFleetConfig;
  await emptyTables(database.pool);
  await database.pool.query('delete from yardmaster.deploy');
});

/** As the dashboard does with its secret; `null` as it does without. */
const get = async (path: string, secret: string | null = testKeys.deployer, headers: Record<string, string> = {}): Promise<Reply> =>
  await call(`${gateway.url}${path}`, { headers: { ...(secret === null ? {} : { 'x-deploy-secret': secret }), ...headers } });
const post = async (path: string, json: object = {}, secret: string = testKeys.deployer): Promise<Reply> =>
  await call(`${gateway.url}${path}`, { json, headers: { 'x-deploy-secret': secret } });
const addMachine = async (more: Partial<WorkerRows> = {}): Promise<WorkerRows> =>
  await addWorker(database.pool, { host: address, instanceId: 'i-0123456789abcdef0', ...more });
const serverId = 'gh-9abcdef0';
const id = 'gh-89abcdef0';

describe('the control plane itself', () => {
  it('tells health in one shape that the product and the dashboard read, with texts where they want texts', async () => {
    const worker = await addMachine();
    const idle = (await get('/health', null)).body;
    expect(idle).toMatchObject({
      status: 'ok',
      activeWorkers: 0,
      deploySafe: true,
      apiHealthy: true,
      workerStatus: 'idle',
      currentDeploy: null,
    });
    await addWaitingJob(database.pool, { affinity: 'strict', wantedWorker: worker.workerId });
    await assignAll(database.pool);
    expect((await get('/health', null)).body).toMatchObject({ status: 'ok', activeWorkers: 1, deploySafe: false, workerStatus: 'busy' });
  });

  it('names the deploy that is under way as a text, never as an object', async () => {
    await addDeploy(null);
    expect((await get('/health', null)).body.currentDeploy).toBe('v1');
    await addMachine();
    expect(hostHealthSchema.parse((await get(`/fleet/${id}/health`)).body).currentDeploy).toBe('v1');
  });

  it('tells version, metrics and workers in the types of the dashboard', async () => {
    answers['/health/version'] = { body: JSON.stringify({ service: 'ghosthands', commit_sha: 'abc', image_tag: null, uptime_ms: 5 }) };
    const worker = await addMachine({ processAgeMs: 90_000, activeJobs: 1 });
    expect(atmVersionSchema.parse((await get('/version', null)).body).ghosthands).toMatchObject({ commit_sha: 'abc', image_tag: '' });
    expect(atmMetricsSchema.parse((await get('/metrics', null)).body).available).toBe(true);
    const workers = atmWorkersSchema.parse(JSON.parse((await get('/workers')).text));
    expect(workers).toMatchObject([{ workerId: worker.workerId, containerId: worker.instanceId, activeJobs: 1 }]);
    expect(workers[0]?.uptime).toBeGreaterThanOrEqual(90);
    expect((await get('/containers')).text).toBe('[]');
  });

  it('says that no GH answers where none does', async () => {
    expect((await get('/version', null)).body.ghosthands).toEqual({ status: 'unreachable' });
  });
});

describe('the list of the fleet', () => {
  it('joins registry and configuration, names what it discovers as ATM does, and gives addresses to a key alone', async () => {
    await addMachine();
    config = {
      servers: [{ id: 'gh-sleeper', name: 'Sleeper', environment: 'staging', region: 'eu', ip: '10.9.9.9', role: 'ghosthands' }],
      problems: [],
    };
    const { servers, filter } = fleetListSchema.parse((await get('/fleet')).body);
    expect(servers.map(({ id: each, host, role }) => [each, host, role])).toEqual([
      ['yardmaster', '', 'atm'],
      ['gh-sleeper', '/fleet/gh-sleeper', 'ghosthands'],
      [id, `/fleet/${id}`, 'ghosthands'],
    ]);
    expect(servers[2]).toMatchObject({ ip: address, ec2InstanceId: 'i-0123456789abcdef0' });
    expect(filter).toEqual({ environment: 'staging', includeTerminated: false, currentEnvironment: 'staging' });

    const open = fleetListSchema.parse((await get('/fleet', null)).body).servers;
    expect(open).toHaveLength(3);
    expect(JSON.stringify(open)).not.toMatch(/10\.9\.9\.9|127\.0\.3\.1|i-0123/);
  });

  it('gives a configured machine its own id, wherever it is by now', async () => {
    await addMachine();
    config = { servers: [{ id: 'gh-one', ip: '10.1.1.1', ec2InstanceId: 'i-0123456789abcdef0', role: 'gh' }], problems: [] };
    const { servers } = fleetListSchema.parse((await get('/fleet')).body);
    expect(servers).toMatchObject([{ id: 'yardmaster' }, { id: 'gh-one', ip: address }]);
    for (const name of ['gh-one', 'i-0123456789abcdef0', address]) {
      expect(hostHealthSchema.parse((await get(`/fleet/${name}/health`)).body).status).toBe('healthy');
    }
  });

  it('keeps to one environment, unless all are wanted', async () => {
    config = {
      servers: [
        { id: 'a', environment: 'production', role: 'gh' },
        { id: 'b', environment: 'staging', role: 'gh' },
      ],
      problems: [],
    };
    const ids = async (query: string) => fleetListSchema.parse((await get(`/fleet${query}`)).body).servers.map((each) => each.id);
    expect(await ids('')).toEqual(['yardmaster', 'b']);
    expect(await ids('?environment=production')).toEqual(['yardmaster', 'a']);
    expect(await ids('?environment=all&includeTerminated=true')).toEqual(['yardmaster', 'a', 'b']);
    expect((await post('/fleet/reload')).body).toMatchObject({ success: true, count: 3 });
  });

  it('tells VALET which id an instance has', async () => {
    const worker = await addMachine({ activeJobs: 1 });
    await addWorker(database.pool, { status: 'offline', probeAgeMs: null });
    const { workers } = idleStatusSchema.parse((await get('/fleet/idle-status')).body);
    expect(workers).toMatchObject([
      { ec2State: 'unknown' },
      { serverId: id, ip: address, instanceId: worker.instanceId, ec2State: 'running', activeJobs: 1 },
    ]);
  });
});

describe('one machine', () => {
  it.each<[string, Partial<WorkerRows>, object]>([
    ['idle', {}, { status: 'healthy', activeWorkers: 0, deploySafe: true, apiHealthy: true, workerStatus: 'idle' }],
    ['busy', { activeJobs: 1 }, { status: 'healthy', activeWorkers: 1, deploySafe: false, workerStatus: 'busy' }],
    ['draining', { isDraining: true }, { status: 'healthy', workerStatus: 'draining' }],
    ['without a worker port', { isWorkerUp: false }, { status: 'degraded', deploySafe: false, workerStatus: 'unreachable', uptimeMs: 0 }],
    ['offline', { status: 'offline', isWorkerUp: false }, { status: 'offline', deploySafe: false, workerStatus: 'unreachable' }],
  ])('that is %s tells it by the one rule', async (_what, rows, expected) => {
    await addMachine(rows);
    expect(hostHealthSchema.parse((await get(`/fleet/${id}/health`)).body)).toMatchObject(expected);
  });

  it('tells an uptime as a text below its own path, and as a number in the list of all', async () => {
    await addMachine({ processAgeMs: 90_000 });
    const [worker] = hostWorkersSchema.parse(JSON.parse((await get(`/fleet/${id}/workers`)).text));
    expect(Number(worker?.uptime)).toBeGreaterThanOrEqual(90);
    expect((await get(`/fleet/${id}/containers`)).text).toBe('[]');
  });

  it.each<[string, Partial<WorkerRows>]>([
    ['its port does not answer', { isWorkerUp: false }],
    ['its port answers as another one', { probedWorkerId: 'another' }],
    ['nobody has asked its port lately', { probeAgeMs: 600_000 }],
  ])('calls a worker unreachable when %s, and says which image its API runs', async (_what, more) => {
    await addMachine(more);
    await database.pool.query(`update yardmaster.host_probe set image_tag = 'ghosthands:v7'`);
    const unreachable = { status: 'unreachable', image: 'ghosthands:v7', activeJobs: 0 };
    expect(hostWorkersSchema.parse(JSON.parse((await get(`/fleet/${id}/workers`)).text))).toMatchObject([unreachable]);
    expect(atmWorkersSchema.parse(JSON.parse((await get('/workers')).text))).toMatchObject([unreachable]);
  });

  const figures = {
    cpu: { usagePercent: 10, cores: 2 },
    memory: { usedMb: 1, totalMb: 2, usagePercent: 50 },
    disk: { usedGb: 1, totalGb: 4, usagePercent: 25 },
  };

  it('tells its metrics from the newer path', async () => {
    answers['/monitoring/system'] = { body: JSON.stringify(figures) };
    answers['/health/system'] = 'nothing';
    await addMachine();
    expect(hostMetricsSchema.parse((await get(`/fleet/${id}/metrics`)).body)).toEqual({ available: true, ...figures });
  });

  it('tells them from the older one, without what the dashboard does not know', async () => {
    answers['/health/system'] = { body: JSON.stringify({ ...figures, cpu: { ...figures.cpu, loadAvg1m: 1 }, timestamp: 'now' }) };
    await addMachine();
    expect((await get(`/fleet/${id}/metrics`)).body).toEqual({ available: true, ...figures });
  });

  it.each([
    ['neither path is there', {}],
    ['it answers with a page', { '/monitoring/system': { body: '<html>', type: 'text/html' }, '/health/system': { body: '{"cpu":{}}' } }],
    ['it answers without an end', { '/monitoring/system': 'nothing' as const, '/health/system': 'nothing' as const }],
  ])('tells zeros that say so where %s', async (_what, given) => {
    answers = given;
    await addMachine();
    const { available, cpu } = hostMetricsSchema.parse((await get(`/fleet/${id}/metrics`)).body);
    expect({ available, cpu }).toEqual({ available: false, cpu: { usagePercent: 0, cores: 0 } });
  });

  it('that is known to be off is asked nothing', async () => {
    await addMachine({ status: 'offline', isWorkerUp: false });
    await database.pool.query('update yardmaster.host_probe set is_api_up = false');
    expect((await get(`/fleet/${id}/metrics`)).body.available).toBe(false);
    expect((await get(`/fleet/${id}/version`)).body.ghosthands).toEqual({ status: 'unreachable' });
    expect((await get(`/fleet/${id}/workers`)).text).toBe('[]');
    expect(await get(`/fleet/${id}/health/deep`)).toMatchObject({
      status: 502,
      body: { error: expect.stringMatching(/^Proxy to .* failed/) },
    });
    expect(seen).toEqual([]);
  });

  it('that the registry alone calls offline is asked all the same: its API is up', async () => {
    await addMachine({ status: 'offline' });
    answers['/monitoring/system'] = { body: JSON.stringify(figures) };
    answers['/health/version'] = { body: JSON.stringify({ service: 'ghosthands', commit_sha: 'abc', image_tag: 'v1' }) };
    answers['/health/deep'] = { body: '{"deep":true}' };
    expect(hostHealthSchema.parse((await get(`/fleet/${id}/health`)).body).status).toBe('offline');
    expect((await get(`/fleet/${id}/metrics`)).body).toEqual({ available: true, ...figures });
    expect((await get(`/fleet/${id}/version`)).body.ghosthands).toMatchObject({ commit_sha: 'abc' });
    expect(await get(`/fleet/${id}/health/deep`)).toMatchObject({ status: 200, body: { deep: true } });
  });

  it('without a page is asked for nothing, whoever asks', async () => {
    await addMachine();
    for (const name of [id, 'gh-nobody']) {
      expect(await get(`/fleet/${name}`, null)).toMatchObject({ status: 400, body: { error: expect.stringMatching(/^Missing path: /) } });
    }
    expect(seen).toEqual([]);
  });

  it('that is configured is found by its address where its worker could not read its instance (ghosthands §2.3)', async () => {
    await addMachine({ instanceId: 'unknown' });
    config = { servers: [{ id: 'gh-one', ip: address, ec2InstanceId: 'i-0123456789abcdef0', role: 'gh' }], problems: [] };
    const { servers } = fleetListSchema.parse((await get('/fleet')).body);
    expect(servers.map((server) => server.id)).toEqual(['yardmaster', 'gh-one']);
    expect(hostHealthSchema.parse((await get('/fleet/gh-one/health')).body).status).toBe('healthy');
  });

  it('that could not read its instance is named by its address, like no other', async () => {
    await addMachine({ instanceId: 'unknown' });
    const { servers } = fleetListSchema.parse((await get('/fleet')).body);
    expect(servers.map((server) => server.id)).toEqual(['yardmaster', address]);
  });

  it('tells its deploys in ATM’s words', async () => {
    await addMachine();
    await addDeploy('succeeded');
    await addDeploy('rolled_back', '10.0.0.77');
    const records = z.array(deployRecordSchema).parse(JSON.parse((await get(`/fleet/${id}/deploys?limit=NaN`)).text));
    expect(records).toMatchObject([{ imageTag: 'v1', previousImageTag: 'v0', status: 'completed', triggeredBy: 'kamal', error: null }]);
  });
});

describe('any other page of a machine', () => {
  it('is passed as it answers, from the port that ATM would ask, without a header of the caller', async () => {
    answers['/worker/health'] = { status: 503, body: '{"status":"busy","active_jobs":1,"deploy_safe":false}' };
    answers['/monitoring/health?deep=1'] = { status: 200, type: 'text/plain; charset=utf-8', body: 'fine' };
    await addMachine();
    expect(await get(`/fleet/${id}/worker/health`, null)).toMatchObject({ status: 503, body: { status: 'busy' } });
    const page = await get(`/fleet/${id}/monitoring/health?deep=1`, testKeys.deployer, {
      'x-gh-service-key': testKeys.service,
      'x-other': 'x',
    });
    expect(page).toMatchObject({ status: 200, text: 'fine' });
    expect(page.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(seen.map(({ headers }) => [headers['x-gh-service-key'], headers['x-deploy-secret'], headers['x-other']])).toEqual([
      [undefined, undefined, undefined],
      [undefined, undefined, undefined],
    ]);
  });

  it('does not follow where it points', async () => {
    answers['/health/version/'] = { status: 302, location: 'http://127.0.0.1:1/secrets', body: '' };
    await addMachine();
    const reply = await fetch(`${gateway.url}/fleet/${id}/health/version/`, {
      redirect: 'manual',
      headers: { 'x-deploy-secret': testKeys.deployer },
    });
    expect([reply.status, reply.headers.get('location')]).toEqual([302, null]);
    expect(seen).toHaveLength(1);
  });

  it.each([
    ['sends megabytes', { body: 'x'.repeat(20_000) }, /more than 10000 bytes/],
    ['says nothing', 'nothing' as const, /failed/],
  ])('is cut off where it %s', async (_what, given, error) => {
    answers['/health/deep'] = given;
    await addMachine();
    expect(await get(`/fleet/${id}/health/deep`)).toMatchObject({ status: 502, body: { error: expect.stringMatching(error) } });
  });

  it.each(['/worker/../health/deep', '/x/%2E%2e/health/deep', '/./health', '/x/..'])('does not climb through %s', async (path) => {
    await addMachine();
    expect(await rawStatus(`/fleet/${id}${path}`)).toBe(400);
    expect(seen).toEqual([]);
  });

  it('of a machine that nobody knows is a 404, without a key a 401, and of no path an error', async () => {
    await addMachine();
    expect(await get('/fleet/gh-nobody/health')).toMatchObject({ status: 404, body: { error: 'Unknown server: gh-nobody' } });
    expect(await get('/fleet/169.254.169.254/latest/meta-data')).toMatchObject({ status: 404 });
    expect(await get(`/fleet/${id}/metrics`, null)).toMatchObject({
      status: 401,
      body: { success: false, message: expect.stringMatching(/^Unauthorized/) },
    });
    expect(seen).toEqual([]);
  });
});

describe("the product's paths below a machine", () => {
  it('are ours: a submission and a command reach the job, with the product’s key', async () => {
    await addMachine();
    const task = randomUUID();
    const submitted = await call(`${gateway.url}/fleet/${id}/api/v1/gh/valet/apply`, {
      headers: { 'x-gh-service-key': testKeys.service },
      json: {
        valet_task_id: task,
        valet_user_id: randomUUID(),
        target_url: 'https://jobs.test/1',
        resume: { storage_path: 'r.pdf' },
        profile: { first_name: 'A', last_name: 'B', email: '' },
      },
    });
    expect(submitted).toMatchObject({ status: 201, body: { valet_task_id: task } });
    const status = await call(`${gateway.url}/fleet/anything/api/v1/gh/valet/status/${String(submitted.body.job_id)}`, {
      headers: { 'x-gh-service-key': testKeys.service },
    });
    expect(status).toMatchObject({ status: 200, body: { valet_task_id: task } });
    const refused = await call(`${gateway.url}/fleet/${id}/api/v1/gh/jobs/${randomUUID()}/cancel`, {
      method: 'POST',
      headers: { 'x-gh-service-key': testKeys.service },
    });
    expect(refused).toMatchObject({ status: 404, body: { error: 'not_found' } });
    expect((await call(`${gateway.url}/fleet/${id}/api/v1/gh/valet/status/${String(submitted.body.job_id)}`)).status).toBe(401);
    expect(seen).toEqual([]);
  });

  it('never show an attempt where the registry points at one', async () => {
    const worker = await addMachine();
    const jobId = await addWaitingJob(database.pool, { affinity: 'strict', wantedWorker: worker.workerId });
    const [assigned] = await assignAll(database.pool);
    await database.pool.query('update gh_worker_registry set current_job_id = $1', [assigned?.attemptId]);
    const page = await get(`/fleet/${id}/monitoring/workers`, null, { 'x-gh-service-key': testKeys.service });
    expect(page.text).toContain(jobId);
    expect(page.text).not.toContain(assigned?.attemptId);
  });
});

describe('words and roles', () => {
  it.each([
    ['POST', '/fleet/wake', 'error'],
    ['GET', '/secrets/list', 'error'],
    ['GET', '/secrets/ghosthands?environment=staging', 'error'],
    ['GET', '/internal/llm-proxy-config', 'error'],
    ['POST', '/deploy', 'message'],
    ['POST', `/fleet/${serverId}/deploy`, 'message'],
    ['POST', '/rollback', 'message'],
    ['POST', '/cleanup', 'message'],
    ['PUT', '/admin/secrets/vars', 'message'],
    ['POST', '/admin/refresh-secrets', 'message'],
  ])('%s %s is not taken over, and says so in its shape', async (method, path, field) => {
    const stranger = await call(`${gateway.url}${path}`, { method });
    expect(stranger.status).toBe(401);
    expect(Object.keys(atmErrorSchema.parse(stranger.body))).toContain(field);
    const reply = await call(`${gateway.url}${path}`, { method, headers: { 'x-deploy-secret': testKeys.deployer } });
    expect(reply.status).toBe(501);
    expect(Object.keys(atmErrorSchema.parse(reply.body))).toContain(field);
  });

  it('has no secrets, and says so where the dashboard asks', async () => {
    expect(await get('/secrets/status', null)).toMatchObject({ status: 200, body: { connected: false } });
  });

  it.each(['wake', 'stop'])('says of %s what the machine is, as ATM does, before it says that it is not taken over', async (act) => {
    const asked = async (server: string, secret?: string): Promise<Reply> =>
      await call(`${gateway.url}/fleet/${server}/${act}`, {
        method: 'POST',
        headers: secret === undefined ? {} : { 'x-deploy-secret': secret },
      });
    expect(await asked('gh-nobody')).toMatchObject({ status: 401, body: { error: expect.any(String) } });
    expect(await asked('gh-nobody', testKeys.deployer)).toMatchObject({ status: 404, body: { error: 'Unknown server: gh-nobody' } });
    expect(await asked('yardmaster', testKeys.deployer)).toMatchObject({
      status: 400,
      body: { error: 'yardmaster is no machine of the fleet' },
    });
    await addMachine();
    const { status, body } = await asked(id, testKeys.deployer);
    const running = { status: 'already_running', serverId: id, instanceId: 'i-0123456789abcdef0', ip: address };
    const refused = { error: 'Yardmaster starts and stops no machines; POST /v1/workers/:workerId/drain empties one' };
    expect({ status, body }).toEqual(act === 'wake' ? { status: 200, body: running } : { status: 501, body: refused });
  });

  it('says that it starts no machine where one is off', async () => {
    await addMachine({ status: 'offline', isWorkerUp: false });
    expect(await post(`/fleet/${id}/wake`)).toMatchObject({ status: 501, body: { error: expect.stringMatching(/no machines/) } });
  });

  it.each(['/fleet/atm-gw1/nothing/here', '/fleet/yardmaster/v1/nothing', '/fleet/gh-nobody/health'])(
    'GET %s is a 404 in ATM’s shape',
    async (path) => {
      const reply = await get(path);
      expect(reply.status).toBe(404);
      expect(Object.keys(reply.body)).toEqual(['error']);
    },
  );

  it('answers an unknown path and a wrong method alike', async () => {
    expect(await get('/fleet')).toMatchObject({ status: 200 });
    expect(await post('/version')).toMatchObject({ status: 404, body: { error: 'not_found' } });
    expect(await post(`/fleet/${id}/health`)).toMatchObject({ status: 404, body: { error: 'not_found' } });
  });

  it.each([['/workers'], ['/containers']])('keeps %s behind a key, in the shape of that path', async (path) => {
    expect(await get(path, null)).toMatchObject({ status: 401, body: { success: false, message: expect.any(String) } });
    expect(await get(path, 'a wrong secret')).toMatchObject({ status: 401 });
  });

  it('answers the origins that are named, and every preflight', async () => {
    const allowed = await get('/fleet', null, { origin: 'https://dashboard.test' });
    expect([allowed.headers.get('access-control-allow-origin'), allowed.headers.get('vary')]).toEqual([
      'https://dashboard.test',
      expect.stringMatching(/Origin/),
    ]);
    expect((await get('/fleet', null, { origin: 'https://evil.test' })).headers.get('access-control-allow-origin')).toBeNull();
    const preflight = await call(`${gateway.url}/fleet/idle-status`, { method: 'OPTIONS', headers: { origin: 'https://dashboard.test' } });
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([204, 'Content-Type, X-Deploy-Secret']);
    expect(
      (await call(`${gateway.url}/v1/fleet`, { key: testKeys.operator, headers: { origin: 'https://dashboard.test' } })).headers.get(
        'access-control-allow-origin',
      ),
    ).toBeNull();
  });

  it('drains a worker by our drain, in ATM’s words', async () => {
    const { workerId } = await addMachine();
    expect(await post(`/fleet/${id}/drain`)).toMatchObject({
      status: 200,
      body: { success: true, message: expect.stringMatching(workerId) },
    });
    // ATM has no word for a release.
    const { rows } = await database.pool.query(
      `select holder, (extract(epoch from expires_at - held_at) * 1000)::int as "heldMs" from yardmaster.host_hold`,
    );
    expect(rows).toEqual([{ holder: `worker:${workerId}`, heldMs: limits.foreignDrainHoldMs }]);
    expect(await post('/drain', { worker_id: workerId })).toMatchObject({ status: 200 });
    expect((await database.pool.query('select from yardmaster.host_hold')).rowCount).toBe(1);
    expect(await post('/drain')).toMatchObject({ status: 501, body: { success: false } });
  });
});

describe('POST /fleet/:id/worker/drain', () => {
  it('drains the workers of that machine by our drain, and pauses nobody else (valet §6)', async () => {
    const { workerId } = await addMachine();
    const other = await addWorker(database.pool);
    await addWaitingJob(database.pool, { affinity: 'strict', wantedWorker: workerId });
    await assignAll(database.pool);
    const reply = await post(`/fleet/${id}/worker/drain`);
    expect(reply).toMatchObject({ status: 200, body: { status: 'draining', active_jobs: 1, worker_id: workerId } });
    await addWaitingJob(database.pool);
    expect(await assignAll(database.pool)).toMatchObject([{ workerId: other.workerId }]);
    expect(seen).toEqual([]);
  });

  it('needs a key, and a machine with a worker', async () => {
    await addMachine({ status: 'offline' });
    expect((await call(`${gateway.url}/fleet/${id}/worker/drain`, { method: 'POST' })).status).toBe(401);
    expect((await call(`${gateway.url}/fleet/${id}/worker/drain`, { method: 'POST', key: testKeys.product })).status).toBe(403);
    expect(await post(`/fleet/${id}/worker/drain`)).toMatchObject({ status: 404, body: { error: expect.stringMatching(/No worker/) } });
    expect(await post('/fleet/gh-nobody/worker/drain')).toMatchObject({ status: 404 });
  });
});

const addDeploy = async (outcome: string | null, host: string = address): Promise<void> => {
  await database.pool.query(
    `with d as (
       insert into yardmaster.deploy (deploy_id, service, destination, kind, version, strategy, actor, source, phase, outcome, ended_at)
       values (gen_random_uuid(), 'ghosthands', $1, 'deploy', 'v1', '{}', 'zoe', 'rest', 'done', $2::text, case when $2::text is not null then now() end)
       returning deploy_id
     )
     insert into yardmaster.deploy_host (deploy_id, host, roles, batch, state, version_before, version_now)
     select deploy_id, $3, '{workers}', 1, 'verified', 'v0', 'v1' from d`,
    [`staging-${randomUUID().slice(0, 8)}`, outcome, host],
  );
};

/** As it stands: fetch would climb by itself. */
const rawStatus = async (path: string): Promise<number> =>
  await new Promise((resolve, reject) => {
    const { port } = new URL(gateway.url);
    request({ port, path, headers: { 'x-deploy-secret': testKeys.deployer } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
