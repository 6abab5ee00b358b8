import { ApplicationFailure } from '@temporalio/common';
import type { DeployLock } from '../../src/contracts/deploy';
import { failureTypes } from '../../src/contracts/errors';
import { makeKamalDeployId } from '../../src/contracts/ids';
import { limits as realLimits } from '../../src/contracts/limits';
import { holdHost, makeWorkerHolder } from '../../src/db/fleet/holds';
import { deployRecordSchema, kamalValidateSchema, startedSchema } from '../../src/gateway/compat/atm-deploy-schemas';
import { createDeploysClient } from '../../src/gateway/deploys-client';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { ensureSearchAttributes } from '../../src/temporal/namespace';
import { withDatabase } from '../support/database';
import { readEvents, type EventReader } from '../support/event-reader';
import { addWorker, emptyTables } from '../support/fleet-rows';
import { call, startTestGateway, testKeys, type Reply, type TestGateway } from '../support/gateway';
import { addDeploy, appendLines, endDeploy } from '../support/log-rows';
import { startScriptedDeployer, type ScriptedDeployer } from '../support/scripted-deployer';
import { withTemporal } from '../support/temporal';
import { until } from '../support/until';

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;
let openGateway: TestGateway;
let lonely: TestGateway;
let deployer: ScriptedDeployer;
/** What the deployer answers instead. */
let onInspect: NonNullable<Parameters<typeof startScriptedDeployer>[0]['onInspect']>;
let crowded: TestGateway;
let production: TestGateway;
const secret = { 'x-deploy-secret': testKeys.deployer };

beforeAll(async () => {
  const workflows = createWorkflowsClient(temporal.client, { deadlineMs: 30_000 });
  const deploys = createDeploysClient(temporal.client, { deadlineMs: 30_000 });
  const { pool } = database;
  const limits = { inspectVersionMs: 10_000, inspectHostsMs: 10_000 };
  gateway = await startTestGateway({ pool, workflows, deploys, limits, directUrl: database.databaseUrl });
  openGateway = await startTestGateway({ pool, workflows, deploys, settings: { atmOpenReads: true } });
  lonely = await startTestGateway({
    pool,
    workflows,
    deploys: createDeploysClient(temporal.client, { deadlineMs: 30_000, taskQueue: temporal.unique('nobody') }),
    limits: { inspectVersionMs: 500, inspectHostsMs: 500 },
  });
  await ensureSearchAttributes(temporal.connection, temporal.namespace);
  crowded = await startTestGateway({ pool, workflows, deploys, limits: { logReadersMax: 0 } });
  production = await startTestGateway({ pool, workflows, deploys, limits, settings: { environment: 'production' } });
  const { address, namespace } = temporal;
  deployer = await startScriptedDeployer({ pool, address, namespace, onInspect: (input) => onInspect(input) });
});
afterAll(async () => {
  await Promise.all([gateway, openGateway, lonely, crowded, production].map(async (each) => await each.stop()));
  await deployer.stop();
});

const open: EventReader[] = [];
beforeEach(async () => {
  await emptyTables(database.pool);
  await database.pool.query('truncate yardmaster.deploy, yardmaster.destination, yardmaster.audit cascade');
  deployer.hold();
  onInspect = () => null;
});
afterEach(async () => {
  open.splice(0).forEach((reader) => reader.cut());
  const handle = temporal.client.workflow.getHandle(makeKamalDeployId({ service: 'ghosthands', destination: 'staging' }));
  await handle.terminate().catch(() => undefined);
});

const post = async (path: string, json?: unknown, headers: Record<string, string> = secret): Promise<Reply> =>
  await call(`${gateway.url}${path}`, { json, method: 'POST', headers });
const get = async (path: string, at = gateway): Promise<Reply> => await call(`${at.url}${path}`, { headers: secret });

describe('a deploy from the dashboard', () => {
  it('is answered at its start, with the immutable tag that its moving one means', async () => {
    const { status, body } = await post('/deploy/kamal', { destination: 'staging', version: 'staging' });
    expect(status).toBe(202);
    expect(startedSchema.parse(body)).toMatchObject({ success: true, imageTag: 'v1' });
    const record = await get(`/deploys/${String(body.deployId)}`);
    expect(deployRecordSchema.parse(record.body)).toMatchObject({
      id: body.deployId,
      status: 'deploying',
      imageTag: 'v1',
      triggeredBy: 'kamal',
      actor: 'atm',
    });
    deployer.finish();
    await until(async () => (await get(`/deploys/${String(body.deployId)}`)).body.status === 'completed', {
      what: 'it is completed',
      timeoutMs: 20_000,
    });
    expect((await get(`/deploys/${String(body.deployId)}`)).body.durationMs).toEqual(expect.any(Number));
  });

  it.each([
    ['an empty object', {}],
    ['no body at all', undefined],
  ])('means staging with %s', async (_what, json) => {
    const { status, body } = await post('/deploy/kamal', json);
    expect([status, body.imageTag]).toEqual([202, 'v1']);
  });

  describe('that names no destination', () => {
    const knowing = async (...names: string[]): Promise<void> => {
      for (const name of names)
        await database.pool.query(`insert into yardmaster.destination (service, destination, hosts) values ('ghosthands', $1, '[]')`, [
          name,
        ]);
    };
    const at = async (where: TestGateway, path: string, json?: object): Promise<Reply> =>
      await call(`${where.url}${path}`, { json, headers: secret });

    it('means the one that is called as the environment is', async () => {
      await knowing('staging', 'production');
      const asked: string[] = [];
      onInspect = ({ destination }) => {
        asked.push(destination);
        return null;
      };
      await at(production, '/deploy/kamal', {});
      await at(production, '/kamal/validate');
      expect(asked).toEqual(['production', 'production']);
      expect((await at(production, '/kamal/status')).body).toMatchObject({ destination: 'production' });
    });

    it('means the only one that there is', async () => {
      await knowing('staging');
      expect(await at(production, '/deploy/kamal', { version: 'v1' })).toMatchObject({ status: 202, body: { success: true } });
    });

    it('is refused where several could be meant', async () => {
      await knowing('staging', 'canada');
      const refused = { status: 400, body: { success: false, message: expect.stringContaining('production') } };
      expect(await at(production, '/deploy/kamal', {})).toMatchObject(refused);
      expect(await at(production, '/rollback/kamal', { version: 'v1' })).toMatchObject(refused);
      expect((await at(production, '/kamal/audit')).status).toBe(400);
      expect((await at(production, '/kamal/status')).body).toMatchObject({ available: false, locked: true });
      expect((await database.pool.query('select from yardmaster.deploy')).rowCount).toBe(0);
    });
  });

  it('is refused while a deploy or a rollback runs, naming the tag and its age in seconds', async () => {
    await post('/deploy/kamal', {});
    for (const [path, json] of [
      ['/deploy/kamal', {}],
      ['/rollback/kamal', { version: 'v1' }],
    ] as const) {
      const { status, body } = await post(path, json);
      expect(status).toBe(409);
      expect(body).toEqual({
        success: false,
        message: expect.stringMatching(/^A deploy is already in progress: v1 \(started \d+s ago by atm\)$/),
      });
    }
  });

  it('interrupts jobs only with force=true', async () => {
    const { body } = await post('/deploy/kamal?force=true', {});
    const { rows } = await database.pool.query(`select strategy from yardmaster.deploy where deploy_id = $1`, [body.deployId]);
    expect(rows[0].strategy).toMatchObject({ onDrainDeadline: 'force', drainSeconds: 0 });
  });

  it.each<[string, string, unknown, Record<string, string>, number]>([
    ['without the secret', '/deploy/kamal', {}, {}, 401],
    ['with a wrong secret', '/rollback/kamal', { version: 'v1' }, { 'x-deploy-secret': 'not-the-deploy-secret' }, 401],
    ['with the key of another role', '/deploy/kamal', {}, { 'x-api-key': testKeys.operator }, 403],
    ['to an unknown version', '/deploy/kamal', { version: 'nope' }, secret, 400],
    ['to a version with shell characters', '/deploy/kamal', { version: '$(reboot)' }, secret, 400],
    ['to a destination that leads elsewhere', '/deploy/kamal', { destination: '../x' }, secret, 400],
    ['to an unknown destination', '/deploy/kamal', { destination: 'production' }, secret, 400],
    ['back to no version', '/rollback/kamal', {}, secret, 400],
    ['back without a body', '/rollback/kamal', undefined, secret, 400],
  ])('is refused %s', async (_what, path, json, headers, status) => {
    const reply = await post(path, json, headers);
    expect(reply).toMatchObject({ status, body: { success: false, message: expect.any(String) } });
    expect((await database.pool.query('select from yardmaster.deploy')).rowCount).toBe(0);
  });

  it('is refused when its body is not JSON, or when no deployer is there', async () => {
    const broken = await call(`${gateway.url}/deploy/kamal`, { raw: '{"destination":', headers: secret });
    expect(broken).toMatchObject({ status: 400, body: { success: false } });
    const nobody = await call(`${lonely.url}/deploy/kamal`, { json: {}, headers: secret });
    expect(nobody).toMatchObject({ status: 503, body: { success: false, message: expect.stringContaining('deployer') } });
  });
});

describe('the records', () => {
  it('are newest first, and as many as wanted; a limit that is none means all', async () => {
    const ids = [await addDeploy(database.pool), await addDeploy(database.pool), await addDeploy(database.pool)].toReversed();
    await endDeploy(database.pool, ids[0] ?? '', 'rolled_back', 'the image dies');
    const idsOf = ({ text }: Reply) => (JSON.parse(text) as { id: string }[]).map(({ id }) => id);
    expect(idsOf(await get('/deploys?limit=2'))).toEqual(ids.slice(0, 2));
    for (const limit of ['abc', '0', '-1']) expect(idsOf(await get(`/deploys?limit=${limit}`))).toEqual(ids);
    const [record] = JSON.parse((await get('/deploys')).text) as unknown[];
    expect(deployRecordSchema.parse(record)).toMatchObject({ status: 'rolled_back', error: 'the image dies', commitSha: '1a2b3c4' });
  });

  it.each(['nope', '3c2b1a09-8f7e-4d6c-9b5a-4938271605f4'])('have none of the id %s', async (id) => {
    expect(await get(`/deploys/${id}`)).toMatchObject({ status: 404, body: { error: 'Deploy record not found' } });
  });
});

describe('what Kamal says', () => {
  const taken: DeployLock = { holder: 'ada', at: '2026-03-07T10:00:00Z', message: 'by hand', version: 'v0', deployId: null };
  it('is locked while a deploy of ours runs, free when it is, and locked when nobody can look', async () => {
    expect((await get('/kamal/status')).body).toEqual({ available: true, locked: false, destination: 'staging' });
    await post('/deploy/kamal', {});
    expect((await get('/kamal/status')).body).toMatchObject({ available: true, locked: true, holder: 'atm' });
    await database.pool.query('truncate yardmaster.deploy, yardmaster.destination cascade');
    expect((await get('/kamal/status', lonely)).body).toMatchObject({
      available: false,
      locked: true,
      reason: expect.stringContaining('deployer'),
    });
  });

  it.each<[string, { lock: DeployLock | null; problem: string | null }, object]>([
    ['somebody has taken it since', { lock: taken, problem: null }, { available: true, holder: 'ada' }],
    ['its file cannot be read any more', { lock: null, problem: 'config: no YAML' }, { holder: 'unknown', reason: 'config: no YAML' }],
  ])('is locked at once when it was free a moment ago and %s', async (_what, now, answer) => {
    expect((await get('/kamal/status')).body).toMatchObject({ locked: false });
    onInspect = ({ destination }) => {
      const state = { service: 'ghosthands', destination, hosts: [], seenAt: new Date().toISOString(), ...now };
      return { want: 'state', state, destinations: [destination] };
    };
    expect((await get('/kamal/status')).body).toMatchObject({ locked: true, ...answer });
  });

  it('is ready or not, in both cases with every check', async () => {
    const { status, body } = await get('/kamal/validate?destination=staging');
    expect(status).toBe(503);
    expect(kamalValidateSchema.parse(body)).toEqual({
      ready: false,
      destination: 'staging',
      checks: { kamal: { ok: true, detail: '2.11.0' }, config: { ok: true, detail: '' }, infisical: { ok: false, detail: 'A is missing' } },
    });
  });

  it('is not shown as there by an inspection that found no such destination', async () => {
    const { body } = await get('/kamal/validate?destination=mars');
    expect(kamalValidateSchema.parse(body).checks.kamal).toEqual({ ok: false, detail: 'was not asked' });
  });

  it('is audited with its real lines', async () => {
    expect(JSON.parse((await get('/kamal/audit')).text)).toEqual([
      { timestamp: '2026-03-07T10:00:00Z', action: 'deploy', performer: 'ada', details: '[staging web] Booted app version v1' },
    ]);
  });

  it('is no empty audit where nobody knows the destination, or nobody could look', async () => {
    expect(await get('/kamal/audit?destination=mars')).toMatchObject({
      status: 404,
      body: { error: 'Unknown destination: mars; there is staging' },
    });
    onInspect = () => {
      throw ApplicationFailure.nonRetryable("Kamal's audit could not be read: exit code 1");
    };
    expect(await get('/kamal/audit')).toMatchObject({ status: 503, body: { error: expect.stringContaining('exit code 1') } });
    onInspect = () => {
      throw ApplicationFailure.nonRetryable('the configuration of staging cannot be used: no YAML', failureTypes.invalidInput);
    };
    expect(await get('/kamal/audit')).toMatchObject({ status: 400, body: { error: expect.stringContaining('no YAML') } });
  });

  it('has hosts by destination and role', async () => {
    expect((await get('/kamal/hosts')).body).toEqual({});
    await get('/kamal/status');
    expect((await get('/kamal/hosts')).body).toEqual({ staging: { web: ['127.0.0.11'], workers: ['127.0.0.11'] } });
  });
});

describe("the old page's stream", () => {
  const connect = async (at = gateway, headers: Record<string, string> = secret): Promise<EventReader> => {
    const reader = await readEvents(`${at.url}/deploy/stream`, { headers });
    open.push(reader);
    return reader;
  };
  const dataOf = ({ events }: EventReader): unknown[] => events.map(({ data }) => JSON.parse(data));

  it('replays all lines to every connection while the deploy runs, and tells the end once, live, in unnamed events without ids', async () => {
    const deployId = await addDeploy(database.pool);
    await appendLines(database.pool, deployId, ['one', '', 'two']);
    const [first, second] = [await connect(), await connect()];
    for (const reader of [first, second]) await until(() => reader.events.length === 2, { what: 'the replay is there' });
    await appendLines(database.pool, deployId, ['The old version is back'], { stream: 'yardmaster' });
    await endDeploy(database.pool, deployId, 'rolled_back', 'the image dies');
    for (const reader of [first, second]) {
      await until(() => reader.events.length === 4, { what: 'the end is told' });
      expect(dataOf(reader)).toEqual([
        { type: 'log', line: 'one' },
        { type: 'log', line: 'two' },
        { type: 'log', line: '[yardmaster] The old version is back' },
        { type: 'complete', success: false, error: 'the image dies' },
      ]);
      expect(reader.events.every(({ id, event }) => id === null && event === 'message')).toBe(true);
      expect(reader.endedCleanly()).toBeNull();
    }
    const late = await connect();
    await until(() => late.events.length === 3, { what: 'the lines are there' });
    await until(() => late.comments.length > 0, { what: 'it is open' });
    expect(dataOf(late)).toEqual(dataOf(first).slice(0, 3));
  });

  it('goes on with the next deploy, whose end it tells as well', async () => {
    const before = await addDeploy(database.pool);
    await appendLines(database.pool, before, ['old']);
    await endDeploy(database.pool, before);
    const reader = await connect();
    await until(() => reader.events.length === 1, { what: 'the old line is there' });
    const next = await addDeploy(database.pool);
    await appendLines(database.pool, next, ['new']);
    await until(() => reader.events.length === 2, { what: 'the new line is there' });
    await endDeploy(database.pool, next);
    await until(() => reader.events.length === 3, { what: 'the end is told' });
    expect(dataOf(reader)).toEqual([
      { type: 'log', line: 'old' },
      { type: 'log', line: 'new' },
      { type: 'complete', success: true },
    ]);
  });

  it('is open before there is any deploy', async () => {
    const reader = await connect();
    await until(() => reader.comments.length > 0, { what: 'the first comment is there' });
    const deployId = await addDeploy(database.pool);
    await appendLines(database.pool, deployId, ['first']);
    await until(() => reader.events.length === 1, { what: 'the line is there' });
    expect(dataOf(reader)).toEqual([{ type: 'log', line: 'first' }]);
  });

  it('needs a key or a session, unless its reads are opened', async () => {
    expect((await connect(gateway, {})).status).toBe(401);
    expect((await connect(openGateway, {})).status).toBe(200);
    expect((await call(`${openGateway.url}/deploys`)).status).toBe(200);
    expect((await call(`${openGateway.url}/deploy/kamal`, { json: {} })).status).toBe(401);
    const signedIn = await call(`${gateway.url}/v1/session`, { key: testKeys.readOnly, method: 'POST' });
    const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect((await connect(gateway, { cookie })).status).toBe(200);
  });
});

describe('a graceful drain', () => {
  it('tells each worker until all are drained, and closes', async () => {
    const { workerId, host } = await addWorker(database.pool);
    const reader = await readEvents(`${gateway.url}/drain/graceful`, {
      method: 'POST',
      body: '{}',
      headers: { ...secret, 'content-type': 'application/json' },
    });
    await reader.ended;
    expect(reader.events.map(({ data }) => JSON.parse(data) as unknown)).toEqual([
      { type: 'drain', worker: workerId, status: 'drained', activeJobs: 0 },
      { type: 'complete', allDrained: true },
    ]);
    const { rows } = await database.pool.query(
      `select host, (extract(epoch from expires_at - held_at) * 1000)::int as "heldMs" from yardmaster.host_hold`,
    );
    expect(rows).toEqual([{ host, heldMs: realLimits.foreignDrainHoldMs }]);
  });

  it('does not shorten the drain of a person, which only a release ends', async () => {
    const { workerId, host } = await addWorker(database.pool);
    await holdHost(database.pool, {
      host,
      holder: makeWorkerHolder({ workerId }),
      reason: 'a new kernel',
      actor: 'ops',
      expiresInMs: null,
    });
    const reader = await readEvents(`${gateway.url}/drain/graceful`, {
      method: 'POST',
      body: '{}',
      headers: { ...secret, 'content-type': 'application/json' },
    });
    await reader.ended;
    const { rows } = await database.pool.query(`select host, expires_at from yardmaster.host_hold`);
    expect(rows).toEqual([{ host, expires_at: null }]);
  });

  it('drains nobody for a reader for whom there is no room', async () => {
    await addWorker(database.pool);
    const refused = await call(`${crowded.url}/drain/graceful`, { json: {}, headers: secret });
    expect(refused.status).toBe(503);
    expect((await database.pool.query('select from yardmaster.host_hold')).rowCount).toBe(0);
    expect((await database.pool.query('select from yardmaster.audit')).rowCount).toBe(0);
  });

  it('needs the secret', async () => {
    expect(await post('/drain/graceful', {}, {})).toMatchObject({ status: 401, body: { success: false } });
  });
});
