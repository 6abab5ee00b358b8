import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { limits } from '../../src/contracts/limits';
import { createPool } from '../../src/db/pool';
import { createReaders } from '../../src/gateway/sse/reader';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { withDatabase } from '../support/database';
import { readEvents } from '../support/event-reader';
import { call, startTestGateway, testKeys, type TestGateway } from '../support/gateway';
import { addDeploy, appendLines, endDeploy } from '../support/log-rows';
import { withTemporal } from '../support/temporal';

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;
let other: TestGateway;
let brief: TestGateway;

beforeAll(async () => {
  const workflows = createWorkflowsClient(temporal.client, { deadlineMs: 30_000 });
  const { pool } = database;
  [gateway, other, brief] = await Promise.all([
    startTestGateway({ pool, workflows, directUrl: database.databaseUrl }),
    // Without LISTEN.
    startTestGateway({ pool, workflows, limits: { logPollMs: 100 }, settings: { publicUrl: 'https://yard.test' } }),
    startTestGateway({ pool, workflows, limits: { sessionLifeMs: 1 } }),
  ]);
});
afterAll(async () => await Promise.all([gateway.stop(), other.stop(), brief.stop()]));

const signIn = async (key: string, at: TestGateway = gateway): Promise<string> => {
  const { status, headers } = await call(`${at.url}/v1/session`, { key, method: 'POST' });
  expect(status).toBe(201);
  return headers.get('set-cookie')?.split(';')[0] ?? '';
};
const pause = { reason: 'a test' };

it('is opened with a key, says whose it is, and opens every gateway that has the key', async () => {
  const signedIn = await call(`${gateway.url}/v1/session`, { key: testKeys.operator, method: 'POST' });
  expect(signedIn.headers.get('set-cookie')).toMatch(/^yardmaster_session=v1\.\S+; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/);
  expect(signedIn.body).toMatchObject({ name: 'ops', role: 'operator', expiresAt: expect.any(String) });
  const cookie = await signIn(testKeys.operator);
  for (const { url } of [gateway, other]) {
    expect(await call(`${url}/v1/session`, { headers: { cookie } })).toMatchObject({
      status: 200,
      body: { name: 'ops', role: 'operator' },
    });
  }
  expect((await call(`${other.url}/v1/session`, { key: testKeys.operator, method: 'POST' })).headers.get('set-cookie')).toMatch(
    /; Secure$/,
  );
});

it('lets an EventSource read a log, which can send no key', async () => {
  const deployId = await addDeploy(database.pool);
  await appendLines(database.pool, deployId, ['one']);
  await endDeploy(database.pool, deployId);
  const reader = await readEvents(`${gateway.url}/v1/deploys/${deployId}/stream`, { headers: { cookie: await signIn(testKeys.readOnly) } });
  await reader.ended;
  expect(reader.events.map(({ event }) => event)).toEqual(['message', 'end']);
});

it('acts only from a page of ours, with what no form can send', async () => {
  const cookie = await signIn(testKeys.operator);
  const own = new URL(gateway.url).origin;
  const post = async (headers: Record<string, string>) =>
    (await call(`${gateway.url}/v1/pause`, { json: pause, headers: { cookie, ...headers } })).status;
  expect(await post({ origin: own })).toBe(200);
  expect(await post({ origin: 'http://gateway.test' })).toBe(200);
  expect(await post({ 'sec-fetch-site': 'same-origin' })).toBe(200);
  expect(await post({ origin: 'https://evil.test' })).toBe(403);
  expect(await post({ origin: 'null' })).toBe(403);
  expect(await post({})).toBe(403);
  expect(await post({ 'sec-fetch-site': 'cross-site' })).toBe(403);
  expect(await post({ origin: own, 'content-type': 'text/plain' })).toBe(403);
  expect((await call(`${gateway.url}/v1/unpause`, { key: testKeys.operator, json: pause })).status).toBe(200);
});

it('has the role of its key, and a key that is shown beside it decides', async () => {
  const cookie = await signIn(testKeys.readOnly);
  const headers = { cookie, origin: new URL(gateway.url).origin };
  expect((await call(`${gateway.url}/v1/pause`, { json: pause, headers })).status).toBe(403);
  expect((await call(`${gateway.url}/v1/jobs`, { key: 'wrong-key-altogether', headers: { cookie } })).status).toBe(401);
});

it('is opened by no other session, and not without a key', async () => {
  const cookie = await signIn(testKeys.operator);
  const headers = { cookie, origin: new URL(gateway.url).origin, 'x-requested-with': 'test' };
  expect((await call(`${gateway.url}/v1/session`, { method: 'POST', headers })).status).toBe(401);
  expect((await call(`${gateway.url}/v1/session`, { method: 'POST' })).status).toBe(401);
});

it('ends in time, and is taken back from the browser', async () => {
  const cookie = await signIn(testKeys.operator, brief);
  expect((await call(`${brief.url}/v1/session`, { headers: { cookie } })).status).toBe(401);
  const out = await call(`${gateway.url}/v1/session`, { method: 'DELETE' });
  expect(out).toMatchObject({ status: 200, body: { isSignedIn: false } });
  expect(out.headers.get('set-cookie')).toMatch(/^yardmaster_session=; Path=\/; Max-Age=0/);
});

it('is over everywhere when it is signed out, for copies of the cookie and for what is read under it', async () => {
  const deployId = await addDeploy(database.pool);
  const [cookie, another] = [await signIn(testKeys.operator), await signIn(testKeys.readOnly)];
  const streams = [`/v1/deploys/${deployId}/stream`, '/deploy/stream'].flatMap((path) =>
    [gateway, other].map(async ({ url }) => await readEvents(`${url}${path}`, { headers: { cookie } })),
  );
  const readers = await Promise.all(streams);
  const stays = await readEvents(`${gateway.url}/v1/deploys/${deployId}/stream`, { headers: { cookie: another } });
  expect(readers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);

  const headers = { cookie, 'sec-fetch-site': 'same-origin', 'x-requested-with': 'test' };
  expect((await call(`${gateway.url}/v1/session`, { method: 'DELETE', headers: { cookie } })).status).toBe(403);
  expect(await call(`${gateway.url}/v1/session`, { method: 'DELETE', headers })).toMatchObject({
    status: 200,
    body: { isSignedIn: false },
  });
  for (const { url } of [gateway, other]) {
    expect((await call(`${url}/v1/session`, { headers: { cookie } })).status).toBe(401);
    expect((await call(`${url}/v1/pause`, { json: pause, headers })).status).toBe(401);
    expect((await call(`${url}/v1/session`, { headers: { cookie: another } })).status).toBe(200);
  }
  await Promise.all(readers.map(async ({ ended }) => await ended));
  expect(stays.endedCleanly()).toBeNull();
  stays.cut();

  const { rows } = await database.pool.query<{ session_id: string }>('select session_id from yardmaster.ended_session');
  expect(rows).toHaveLength(1);
  expect(cookie).not.toContain(rows[0]?.session_id);
});

it('keeps no session that was signed out for longer than it would have been good', async () => {
  await database.pool.query(`insert into yardmaster.ended_session values ('old', now() - interval '1 s')`);
  await call(`${gateway.url}/v1/session`, {
    method: 'DELETE',
    headers: { cookie: await signIn(testKeys.operator), 'sec-fetch-site': 'same-origin', 'x-requested-with': 'test' },
  });
  expect((await database.pool.query(`select from yardmaster.ended_session where session_id = 'old'`)).rowCount).toBe(0);
});

it('ends its streams when its time is over, and not those of a key', async () => {
  const readers = createReaders({ ...limits, streamHeartbeatMs: 150 });
  const server = createServer((request, response) => {
    readers.admit(response, { owner: 'key ops', sessionId: 'a', until: request.url === '/session' ? Date.now() : Infinity });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const byKey = await readEvents(`http://127.0.0.1:${port}/key`);
  await (
    await readEvents(`http://127.0.0.1:${port}/session`)
  ).ended;
  expect(byKey.endedCleanly()).toBeNull();
  readers.close();
  await byKey.ended;
  server.close();
});

it('is neither taken nor called over while nobody can tell whether it was signed out', async () => {
  const pool = createPool('postgres://nobody:x@127.0.0.1:1/none', { max: 1, applicationName: 'test' });
  const away = await startTestGateway({ pool, workflows: createWorkflowsClient(temporal.client, { deadlineMs: 5_000 }) });
  const headers = { cookie: await signIn(testKeys.operator) };
  expect((await call(`${away.url}/v1/session`, { headers })).status).toBe(503);
  expect((await call(`${away.url}/livez`, { headers })).status).toBe(200);
  expect((await call(`${away.url}/v1/session`, { key: testKeys.operator, headers })).status).toBe(200);
  await away.stop();
  await pool.end();
});

it('leaves no key and no cookie in the log', async () => {
  const cookie = await signIn(testKeys.operator);
  await call(`${gateway.url}/v1/jobs`, { headers: { cookie } });
  expect(gateway.logLines.join('')).not.toContain(cookie.split('=')[1]);
});
