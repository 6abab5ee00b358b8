import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { failureTypes } from '../../src/contracts/errors';
import { makeKamalDeployId, makeLookAtDestinationId } from '../../src/contracts/ids';
import { createDeploysClient } from '../../src/gateway/deploys-client';
import { deployExamples } from '../../src/gateway/examples';
import { deployPageSchema, deploySchema, destinationListSchema, placeDeployBodySchema } from '../../src/gateway/schemas/deploys';
import { problemSchema } from '../../src/gateway/schemas/problem';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { ensureSearchAttributes } from '../../src/temporal/namespace';
import { withDatabase } from '../support/database';
import { call, startTestGateway, testKeys, type Reply, type TestGateway } from '../support/gateway';
import { addDeploy, endDeploy } from '../support/log-rows';
import { startScriptedDeployer, type ScriptedDeployer } from '../support/scripted-deployer';
import { withTemporal } from '../support/temporal';
import { until } from '../support/until';

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;
/** Of which nobody takes work. */
let lonely: TestGateway;
/** Whose Temporal is away. */
let cutOff: TestGateway;
let deployer: ScriptedDeployer;
/** What the deployer answers instead, and what a break of the lock waits for. */
let onInspect: NonNullable<Parameters<typeof startScriptedDeployer>[0]['onInspect']>;
let onBreak: () => Promise<void>;

beforeAll(async () => {
  const workflows = createWorkflowsClient(temporal.client, { deadlineMs: 30_000 });
  const { pool } = database;
  const start = async (taskQueue?: string) =>
    await startTestGateway({
      pool,
      workflows,
      deploys: createDeploysClient(temporal.client, { deadlineMs: 30_000, taskQueue }),
      limits: { inspectVersionMs: 10_000, inspectHostsMs: 10_000 },
    });
  gateway = await start();
  lonely = await startTestGateway({
    pool,
    workflows,
    deploys: createDeploysClient(temporal.client, { deadlineMs: 30_000, taskQueue: temporal.unique('nobody') }),
    limits: { inspectVersionMs: 1_000, breakLockMs: 1_000 },
  });
  cutOff = await startTestGateway({ pool, workflows });
  await ensureSearchAttributes(temporal.connection, temporal.namespace);
  deployer = await startScriptedDeployer({
    pool,
    address: temporal.address,
    namespace: temporal.namespace,
    onInspect: (input) => onInspect(input),
    onBreak: async () => await onBreak(),
  });
});
afterAll(async () => await Promise.all([gateway.stop(), lonely.stop(), cutOff.stop(), deployer.stop()]));

beforeEach(async () => {
  await database.pool.query('truncate yardmaster.deploy, yardmaster.destination, yardmaster.audit cascade');
  deployer.hold();
  onInspect = () => null;
  onBreak = async () => await Promise.resolve();
});
afterEach(async () => {
  const workflowId = makeKamalDeployId({ service: 'ghosthands', destination: 'staging' });
  await temporal.client.workflow
    .getHandle(workflowId)
    .terminate()
    .catch(() => undefined);
});

const post = async (
  path: string,
  json: unknown,
  { key = testKeys.deployer, headers = {}, at = gateway }: { key?: string; headers?: Record<string, string>; at?: TestGateway } = {},
): Promise<Reply> => await call(`${at.url}${path}`, { key, json, headers });
const get = async (path: string, key: string = testKeys.readOnly): Promise<Reply> => await call(`${gateway.url}${path}`, { key });
const unusable = 'the configuration of staging cannot be used: config: config/deploy.yml is no YAML that Kamal reads';
const order = { destination: 'staging', version: 'moving', reason: 'a test' };

const countDeploys = async (): Promise<number> => (await database.pool.query('select from yardmaster.deploy')).rowCount ?? 0;
const ended = async (deployId: unknown): Promise<Reply['body']> =>
  await until(
    async () => {
      const { body } = await get(`/v1/deploys/${String(deployId)}`);
      return body.outcome === null ? null : body;
    },
    { what: 'the deploy has ended' },
  );
const inPhase = async (deployId: unknown, phase: string): Promise<unknown> =>
  await until(async () => (await get(`/v1/deploys/${String(deployId)}`)).body.phase === phase, {
    what: `it is in ${phase}`,
    timeoutMs: 20_000,
  });

describe('a deploy that is asked for', () => {
  it('is started over its row, means the immutable version, and is audited', async () => {
    const placed = await post('/v1/deploys', order);
    expect(placed.status).toBe(201);
    const deploy = deploySchema.parse(placed.body);
    expect(deploy).toMatchObject({
      service: 'ghosthands',
      version: 'moving',
      resolvedVersion: 'v1',
      actor: 'atm',
      source: 'rest',
      outcome: null,
    });
    expect(placed.headers.get('location')).toBe(`/v1/deploys/${deploy.deployId}`);
    deployer.finish();
    expect(await ended(deploy.deployId)).toMatchObject({ outcome: 'succeeded', phase: 'done' });
    const audit = await call(`${gateway.url}/v1/audit?subject=${deploy.deployId}`, { key: testKeys.operator });
    expect(audit.body.entries).toEqual([expect.objectContaining({ act: 'deploy', actor: 'atm', subjectKind: 'deploy' })]);
  });

  it('is the same deploy when the request comes again under its key, and another request under that key is refused', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const first = await post('/v1/deploys', order, { headers });
    const again = await post('/v1/deploys', order, { headers });
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body.deployId).toBe(first.body.deployId);
    const other = await post('/v1/deploys', { ...order, version: 'v1' }, { headers });
    expect(other).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } });
    deployer.finish();
    expect(await ended(first.body.deployId)).toMatchObject({ outcome: 'succeeded' });
    expect((await post('/v1/deploys', order, { headers })).body.deployId).toBe(first.body.deployId);
    expect(await countDeploys()).toBe(1);
  });

  it('is another deploy under the same key of another caller', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const first = await post('/v1/deploys', order, { headers });
    deployer.finish();
    await ended(first.body.deployId);
    await database.pool.query(`update yardmaster.deploy set actor = 'somebody else'`);
    const second = await post('/v1/deploys', order, { headers });
    expect(second.status).toBe(201);
    expect(second.body.deployId).not.toBe(first.body.deployId);
    deployer.finish();
    await ended(second.body.deployId);
  });

  it('is refused while another one runs, rollbacks too, naming who holds the destination and since when', async () => {
    const first = await post('/v1/deploys', order);
    for (const kind of ['deploy', 'rollback']) {
      const second = await post('/v1/deploys', { ...order, kind });
      expect(second).toMatchObject({ status: 409, body: { code: 'deploy_under_way' } });
      for (const named of [first.body.deployId, 'atm', first.body.requestedAt]) expect(second.body.detail).toContain(named);
    }
  });

  it('is one of many that come at once', async () => {
    await get('/v1/destinations?refresh=true');
    const replies = await Promise.all(Array.from({ length: 8 }, async () => await post('/v1/deploys', order)));
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 409)).toHaveLength(7);
    expect(await countDeploys()).toBe(1);
  });

  it('may follow at once on one that has just ended', async () => {
    for (let round = 0; round < 3; round++) {
      const { status, body } = await post('/v1/deploys', { ...order, dryRun: true });
      expect(status).toBe(201);
      expect(await ended(body.deployId)).toMatchObject({ outcome: 'planned' });
    }
  });

  it.each<[string, object, string]>([
    ['an unknown destination', { destination: 'mars' }, 'destination'],
    ['an unknown version', { version: 'v9' }, 'version'],
    ['a version with shell characters', { version: 'v1;reboot' }, 'version'],
    ['a version that leads elsewhere', { version: '../v1' }, 'version'],
    ['a destination that leads elsewhere', { destination: '../../etc' }, 'destination'],
    ['a service that is not ours', { service: 'postgres' }, 'service'],
    ['a negative number of hosts', { strategy: { canaryHosts: -1 } }, 'strategy.canaryHosts'],
    ['a strategy that nobody knows', { strategy: { blueGreen: true } }, 'strategy.blueGreen'],
    ['an unknown field', { force: true }, 'force'],
  ])('is refused with %s, the field is named, and nothing is written', async (_what, difference, path) => {
    const reply = await post('/v1/deploys', { ...order, ...difference });
    expect(reply.status).toBe(422);
    expect(problemSchema.parse(reply.body).errors).toEqual([expect.objectContaining({ path })]);
    expect(await countDeploys()).toBe(0);
  });

  it('is refused with a configuration that cannot be used, which is named, and nothing is written', async () => {
    onInspect = () => ({ want: 'version', version: 'moving', service: null, resolved: null, problem: unusable });
    const reply = await post('/v1/deploys', order);
    expect(reply).toMatchObject({ status: 422, body: { detail: `destination: ${unusable}`, errors: [{ path: 'destination' }] } });
    expect(await countDeploys()).toBe(0);
  });

  it('is of the service that its configuration names now, whatever was seen there before', async () => {
    await database.pool.query(`insert into yardmaster.destination (service, destination, hosts) values ('', 'staging', '[]')`);
    const { status, body } = await post('/v1/deploys', order);
    expect([status, body.service]).toEqual([201, 'ghosthands']);
    const workflowId = makeKamalDeployId({ service: 'ghosthands', destination: 'staging' });
    expect((await temporal.client.workflow.getHandle(workflowId).describe()).status.name).toBe('RUNNING');
  });

  it('is told that no deployer answers, and nothing is written', async () => {
    const reply = await post('/v1/deploys', order, { at: lonely });
    expect(reply).toMatchObject({ status: 503, body: { code: 'no_deployer' } });
    expect(reply.headers.get('retry-after')).toBe('5');
    expect(await countDeploys()).toBe(0);
  });

  it('is told so long before a registry would have to answer, and nothing can happen later', async () => {
    const deploys = createDeploysClient(temporal.client, { deadlineMs: 600_000, takenMs: 500, taskQueue: temporal.unique('nobody') });
    const inspections = [1, 2].map(async () => await deploys.inspect({ destination: 'mars', want: 'version', version: 'v1' }, 600_000));
    expect(await Promise.all(inspections)).toEqual([{ kind: 'no_answer' }, { kind: 'no_answer' }]);
    const handle = temporal.client.workflow.getHandle(makeLookAtDestinationId({ destination: 'mars', want: 'version', version: 'v1' }));
    expect((await handle.describe()).status.name).toBe('TERMINATED');
  });

  it('is waited for while a deployer asks a slow registry', async () => {
    onInspect = async () => {
      await delay(1_500);
      return null;
    };
    const deploys = createDeploysClient(temporal.client, { deadlineMs: 30_000, takenMs: 300 });
    expect(await deploys.inspect({ destination: 'staging', want: 'version', version: 'v1' }, 30_000)).toMatchObject({
      kind: 'answered',
      answer: { resolved: 'v1' },
    });
  });

  it('is told that Temporal is away, and nothing is written', async () => {
    expect(await post('/v1/deploys', order, { at: cutOff })).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(await countDeploys()).toBe(0);
  });

  it('is ended at once, with the reason in its log, when Temporal goes away between the inspection and the start', async () => {
    const real = createDeploysClient(temporal.client, { deadlineMs: 30_000 });
    const late = await startTestGateway({
      pool: database.pool,
      workflows: createWorkflowsClient(temporal.client, { deadlineMs: 30_000 }),
      deploys: { ...real, startDeploy: async () => ({ kind: 'unreachable', error: 'gone' }) },
    });
    try {
      expect(await post('/v1/deploys', order, { at: late })).toMatchObject({ status: 503, body: { code: 'unavailable' } });
      const { body } = await get('/v1/deploys');
      expect(deployPageSchema.parse(body).deploys).toEqual([expect.objectContaining({ outcome: 'refused', lastSeq: 1 })]);
      const log = await get(`/v1/deploys/${String(deployPageSchema.parse(body).deploys[0]?.deployId)}/log`);
      expect(log.text).toContain('yardmaster Temporal did not take it in time');
    } finally {
      await late.stop();
    }
  });

  it('takes the examples of its documentation', () => {
    for (const example of Object.values(deployExamples)) expect(placeDeployBodySchema.safeParse(example)).toMatchObject({ success: true });
  });
});

describe('a signal to a deploy', () => {
  it('approves it, and is refused before and after', async () => {
    const { body } = await post('/v1/deploys', { ...order, strategy: { needsApproval: true } });
    await inPhase(body.deployId, 'approval');
    expect(await post(`/v1/deploys/${String(body.deployId)}/approve`, { reason: 'looks good' })).toMatchObject({ status: 202 });
    await inPhase(body.deployId, 'drain');
    expect(await post(`/v1/deploys/${String(body.deployId)}/approve`, {})).toMatchObject({
      status: 409,
      body: { code: 'deploy_state_conflict' },
    });
    deployer.finish();
    expect(await ended(body.deployId)).toMatchObject({ outcome: 'succeeded', approvedBy: 'atm' });
    expect(await post(`/v1/deploys/${String(body.deployId)}/cancel`, {})).toMatchObject({
      status: 409,
      body: { code: 'deploy_state_conflict' },
    });
  });

  it('rejects it', async () => {
    const { body } = await post('/v1/deploys', { ...order, strategy: { needsApproval: true } });
    await inPhase(body.deployId, 'approval');
    expect(await post(`/v1/deploys/${String(body.deployId)}/reject`, {})).toMatchObject({ status: 202 });
    expect(await ended(body.deployId)).toMatchObject({ outcome: 'rejected' });
  });

  it('cancels it at work, and needs no body', async () => {
    const { body } = await post('/v1/deploys', order);
    await inPhase(body.deployId, 'drain');
    const cancelled = await call(`${gateway.url}/v1/deploys/${String(body.deployId)}/cancel`, { key: testKeys.deployer, method: 'POST' });
    expect(cancelled).toMatchObject({ status: 202, body: { cancelRequestedBy: 'atm' } });
    expect(await ended(body.deployId)).toMatchObject({ outcome: 'cancelled' });
    const audit = await call(`${gateway.url}/v1/audit?subject=${String(body.deployId)}&act=cancel`, { key: testKeys.operator });
    expect(audit.body.entries).toHaveLength(1);
  });

  it('is not lost silently: without a workflow nothing is audited and the caller shall repeat it', async () => {
    const deployId = await addDeploy(database.pool);
    expect(await post(`/v1/deploys/${deployId}/cancel`, {})).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect((await database.pool.query('select from yardmaster.audit')).rowCount).toBe(0);
    expect((await call(`${gateway.url}/v1/deploys/${deployId}`, { key: testKeys.readOnly })).body.cancelRequestedBy).toBeNull();
  });

  it('to a deploy that does not exist is a 404', async () => {
    expect(await post(`/v1/deploys/${randomUUID()}/approve`, {})).toMatchObject({ status: 404, body: { code: 'deploy_not_found' } });
    expect(await get('/v1/deploys/not-an-id')).toMatchObject({ status: 400, body: { code: 'malformed' } });
  });
});

describe('who may', () => {
  it.each([
    ['product', 403, 403],
    ['operator', 403, 200],
    ['readOnly', 403, 200],
    ['deployer', 201, 200],
  ] as const)('a key of the role %s deploys: %s, reads: %s', async (role, deploys, reads) => {
    expect((await post('/v1/deploys', order, { key: testKeys[role] })).status).toBe(deploys);
    expect((await get('/v1/deploys', testKeys[role])).status).toBe(reads);
    expect((await get('/v1/destinations', testKeys[role])).status).toBe(reads);
  });
});

describe('the list of deploys', () => {
  it('comes in pages that overlap nowhere, newest first, and filters', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 7; n++) {
      const deployId = await addDeploy(database.pool);
      if (n < 5) await endDeploy(database.pool, deployId, n % 2 === 0 ? 'succeeded' : 'broken');
      ids.unshift(deployId);
    }
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await get(`/v1/deploys?limit=3${cursor}`);
      const page = deployPageSchema.parse(body);
      seen.push(...page.deploys.map(({ deployId }) => deployId));
      cursor = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`;
    } while (cursor !== '');
    expect(seen).toEqual(ids);
    const count = async (query: string) => deployPageSchema.parse((await get(`/v1/deploys?${query}`)).body).deploys.length;
    expect([await count('live=true'), await count('live=false'), await count('outcome=broken'), await count('destination=mars')]).toEqual([
      2, 5, 2, 0,
    ]);
    expect((await get('/v1/deploys?cursor=abc')).status).toBe(400);
    expect((await get('/v1/deploys?outcome=lost')).status).toBe(400);
  });

  it('are found that wait for a person: for the lock, for an approval, and broken ones until a later one has put it right', async () => {
    const { pool } = database;
    const add = async (destination: string, outcome?: 'broken' | 'succeeded'): Promise<string> => {
      const deployId = await addDeploy(pool, { destination });
      if (outcome !== undefined) await endDeploy(pool, deployId, outcome);
      return deployId;
    };
    await add('repaired', 'broken');
    await add('repaired', 'succeeded');
    await add('runs');
    const broken = await add('broken', 'broken');
    const asked = await add('asked');
    const standing = await add('standing');
    await pool.query(`update yardmaster.deploy set phase = 'approval' where deploy_id = $1`, [asked]);
    const standstill = { since: '2026-03-07T10:00:00.000Z', detail: 'the lock is held by ada' };
    await pool.query(`update yardmaster.deploy set standstill = $2 where deploy_id = $1`, [standing, JSON.stringify(standstill)]);
    const { deploys } = deployPageSchema.parse((await get('/v1/deploys?needsAttention=true')).body);
    expect(deploys.map(({ deployId }) => deployId)).toEqual([standing, asked, broken]);
    expect(deploys[0]?.standstill).toEqual(standstill);
  });
});

describe('a destination', () => {
  it('is shown as it was seen last, or as it is seen now, with the deploy that is under way', async () => {
    expect((await get('/v1/destinations')).body).toEqual({ destinations: [] });
    const seen = destinationListSchema.parse((await get('/v1/destinations?refresh=true')).body);
    expect(seen.destinations).toEqual([
      expect.objectContaining({
        destination: 'staging',
        service: 'ghosthands',
        lock: null,
        deploy: null,
        hosts: [expect.objectContaining({ version: 'v0' })],
      }),
    ]);
    const { body } = await post('/v1/deploys', order);
    const now = destinationListSchema.parse((await get('/v1/destinations')).body);
    expect(now.destinations[0]?.deploy).toMatchObject({ deployId: body.deployId, actor: 'atm' });
  });

  it('that has come since is found by a refresh', async () => {
    await get('/v1/destinations?refresh=true');
    const destinations = ['production', 'staging'];
    onInspect = async ({ destination, want }) => {
      if (want !== 'state' || !destinations.includes(destination)) return null;
      await database.pool.query(
        `insert into yardmaster.destination (service, destination, hosts) values ('ghosthands', $1, '[]') on conflict do nothing`,
        [destination],
      );
      const seenAt = new Date().toISOString();
      return { want, state: { service: 'ghosthands', destination, hosts: [], lock: null, problem: null, seenAt }, destinations };
    };
    const seen = destinationListSchema.parse((await get('/v1/destinations?refresh=true')).body);
    expect(seen.destinations.map(({ destination }) => destination)).toEqual(destinations);
  });

  it('has its lock broken once, by the first of two who ask for it at the same time', async () => {
    await get('/v1/destinations?refresh=true');
    let goOn = (): void => undefined;
    const isAsked = new Promise<void>((asked) => {
      onBreak = async () => {
        asked();
        await new Promise<void>((resolve) => (goOn = resolve));
      };
    });
    const first = post('/v1/destinations/staging/lock/break', { reason: 'mine' });
    await isAsked;
    expect(await post('/v1/destinations/staging/lock/break', { reason: 'mine too' })).toMatchObject({
      status: 409,
      body: { code: 'command_under_way' },
    });
    goOn();
    expect(await first).toMatchObject({ status: 200, body: { kind: 'broken' } });
  });

  it('whose configuration cannot be used keeps its lock, and says why', async () => {
    await get('/v1/destinations?refresh=true');
    onBreak = async () => await Promise.reject(ApplicationFailure.nonRetryable(unusable, failureTypes.invalidInput));
    expect(await post('/v1/destinations/staging/lock/break', { reason: 'mine' })).toMatchObject({
      status: 422,
      body: { code: 'invalid', detail: `destination: ${unusable}` },
    });
  });

  it('has its lock broken by a deployer alone, with a reason, and in the audit', async () => {
    expect((await post('/v1/destinations/staging/lock/break', { reason: 'left behind' })).status).toBe(404);
    await get('/v1/destinations?refresh=true');
    expect(await post('/v1/destinations/staging/lock/break', { reason: 'left behind' })).toMatchObject({
      status: 200,
      body: { kind: 'broken' },
    });
    expect((await post('/v1/destinations/staging/lock/break', {})).status).toBe(422);
    expect((await post('/v1/destinations/staging/lock/break', { reason: 'x' }, { key: testKeys.operator })).status).toBe(403);
    expect(await post('/v1/destinations/staging/lock/break', { reason: 'refuse' })).toMatchObject({
      status: 409,
      body: { code: 'deploy_under_way' },
    });
    expect(await post('/v1/destinations/staging/lock/break', { reason: 'x' }, { at: lonely })).toMatchObject({
      status: 503,
      body: { code: 'no_deployer' },
    });
    const audit = await call(`${gateway.url}/v1/audit?act=break_lock`, { key: testKeys.operator });
    expect(audit.body.entries).toHaveLength(3);
  });
});
