import { randomUUID } from 'node:crypto';
import { endpointNames, endpoints } from '../../src/gateway/endpoints';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { withDatabase } from '../support/database';
import { followLog, readEvents, type EventReader } from '../support/event-reader';
import { call, startTestGateway, testKeys, type TestGateway } from '../support/gateway';
import { addDeploy, appendLines, endDeploy, storedLog } from '../support/log-rows';
import { withTemporal } from '../support/temporal';
import { until } from '../support/until';

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;
let silent: TestGateway;
const key = { 'x-api-key': testKeys.readOnly };

beforeAll(async () => {
  const workflows = createWorkflowsClient(temporal.client, { deadlineMs: 30_000 });
  const limits = { streamHeartbeatMs: 300, logReadersMax: 40, logTailBytes: 2_000, logPageRows: 50, logPageBytes: 4_000 };
  gateway = await startTestGateway({ pool: database.pool, workflows, directUrl: database.databaseUrl, limits });
  // Without LISTEN.
  silent = await startTestGateway({ pool: database.pool, workflows, limits: { logPollMs: 100 } });
});
afterAll(async () => await Promise.all([gateway.stop(), silent.stop()]));

const open: EventReader[] = [];
afterEach(() => open.splice(0).forEach((reader) => reader.cut()));

const read = async (
  deployId: string,
  { query = '', headers = {}, at = gateway }: { query?: string; headers?: Record<string, string>; at?: TestGateway } = {},
) => {
  const reader = await readEvents(`${at.url}/v1/deploys/${deployId}/stream${query}`, { headers: { ...key, ...headers } });
  open.push(reader);
  return reader;
};
const seqsOf = ({ events }: EventReader): number[] =>
  events.filter(({ event }) => event === 'message').map(({ data }) => (JSON.parse(data) as { seq: number }).seq);
const upTo = (n: number, from = 1): number[] => Array.from({ length: n - from + 1 }, (_, index) => from + index);
const numbered = (count: number): string[] => Array.from({ length: count }, (_, n) => `line ${n} ${'x'.repeat(n % 90)}`);

it('replays what there is, goes on live, ends with the outcome and closes', async () => {
  const deployId = await addDeploy(database.pool);
  await appendLines(database.pool, deployId, ['one', 'zwei ü']);
  const reader = await read(deployId);
  expect(reader).toMatchObject({ status: 200, headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' } });
  await until(() => seqsOf(reader).length === 2, { what: 'the replay is there' });
  await appendLines(database.pool, deployId, ['drei'], { stream: 'yardmaster' });
  await until(() => seqsOf(reader).length === 3, { what: 'the live line is there' });
  await endDeploy(database.pool, deployId, 'rolled_back', 'the image dies');
  await reader.ended;
  expect(reader.endedCleanly()).toBe(true);
  expect(reader.events.map(({ id, event }) => [id, event])).toEqual([
    ['1', 'message'],
    ['2', 'message'],
    ['3', 'message'],
    ['3.end', 'end'],
  ]);
  expect(JSON.parse(reader.events[2]?.data ?? '')).toEqual({
    seq: 3,
    at: expect.stringMatching(/^20.*Z$/),
    stream: 'yardmaster',
    line: 'drei',
  });
  expect(JSON.parse(reader.events[3]?.data ?? '')).toEqual({ deployId, outcome: 'rolled_back', detail: 'the image dies', lastSeq: 3 });
});

it('sends headers, a comment and how soon to come back before there is a line, and then a heartbeat', async () => {
  const deployId = await addDeploy(database.pool);
  const reader = await read(deployId);
  await until(() => reader.comments.length >= 3, { what: 'two heartbeats have come' });
  expect(reader.comments[0]).toBe('yardmaster');
  expect(reader.retryMs).toBe(2_000);
  expect(reader.events).toEqual([]);
});

it('goes on after a number, from the query or, first, from Last-Event-ID', async () => {
  const deployId = await addDeploy(database.pool);
  await appendLines(database.pool, deployId, numbered(300));
  await endDeploy(database.pool, deployId);
  const after = await read(deployId, { query: '?after=290' });
  const again = await read(deployId, { query: '?after=290', headers: { 'last-event-id': '297' } });
  await Promise.all([after.ended, again.ended]);
  expect([seqsOf(after), seqsOf(again)]).toEqual([upTo(300, 291), upTo(300, 298)]);
});

it('tells the end again to whom it did not reach, and 204 to whom it did', async () => {
  const deployId = await addDeploy(database.pool);
  await appendLines(database.pool, deployId, ['one']);
  await endDeploy(database.pool, deployId);
  const cutBefore = await read(deployId, { headers: { 'last-event-id': '1' } });
  await cutBefore.ended;
  expect(cutBefore.events.map(({ event }) => event)).toEqual(['end']);
  expect((await read(deployId, { headers: { 'last-event-id': '1.end' } })).status).toBe(204);
});

it.each([
  ['a number beyond the end', '?after=2', {}, 422, 'invalid'],
  ['an id beyond the end', '', { 'last-event-id': '2' }, 422, 'invalid'],
  ['an id that is none of ours', '', { 'last-event-id': 'x' }, 400, 'malformed'],
  ['a number that is none', '?after=-1', {}, 400, 'malformed'],
  ['a parameter that nobody knows', '?from=1', {}, 400, 'malformed'],
])('refuses %s', async (_what, query, headers, status, code) => {
  const deployId = await addDeploy(database.pool);
  await appendLines(database.pool, deployId, ['one']);
  expect(await call(`${gateway.url}/v1/deploys/${deployId}/stream${query}`, { key: testKeys.readOnly, headers })).toMatchObject({
    status,
    body: { code },
  });
});

it('answers 404 for the log of a deploy that does not exist, as stream and as text, and 401 without a key', async () => {
  for (const what of ['stream', 'log']) {
    expect(await call(`${gateway.url}/v1/deploys/${randomUUID()}/${what}`, { key: testKeys.readOnly })).toMatchObject({
      status: 404,
      body: { code: 'deploy_not_found' },
    });
    expect((await call(`${gateway.url}/v1/deploys/${randomUUID()}/${what}`)).status).toBe(401);
  }
});

it('tells a gap where retention removed lines, at the beginning and when all are gone', async () => {
  const deployId = await addDeploy(database.pool);
  await appendLines(database.pool, deployId, numbered(100));
  await endDeploy(database.pool, deployId);
  await database.pool.query(`delete from yardmaster.deploy_log where deploy_id = $1 and seq <= 40`, [deployId]);
  const reader = await read(deployId, { query: '?after=10' });
  await reader.ended;
  expect(reader.events[0]).toEqual({ id: '40', event: 'gap', data: '{"from":11,"to":40}' });
  expect(seqsOf(reader)).toEqual(upTo(100, 41));
  await database.pool.query(`delete from yardmaster.deploy_log where deploy_id = $1`, [deployId]);
  const late = await read(deployId);
  await late.ended;
  expect(late.events.map(({ id, event }) => [id, event])).toEqual([
    ['100', 'gap'],
    ['100.end', 'end'],
  ]);
});

it('gives readers who come at any moment of a flood the same log, each line once', async () => {
  const deployId = await addDeploy(database.pool);
  const readers: EventReader[] = [];
  for (let batch = 0; batch < 60; batch++) {
    if (batch % 3 === 0) readers.push(await read(deployId));
    await appendLines(database.pool, deployId, numbered(1 + ((batch * 7) % 40)));
  }
  await endDeploy(database.pool, deployId);
  await Promise.all(readers.map(async ({ ended }) => await ended));
  const stored = (await storedLog(database.pool, deployId)).map(({ seq }) => seq);
  for (const reader of readers) expect(seqsOf(reader)).toEqual(stored);
});

it('keeps nothing for a reader that stands still, and gives it all when it goes on', async () => {
  const deployId = await addDeploy(database.pool);
  const reader = await read(deployId);
  reader.stall();
  // More than all socket buffers between us hold.
  for (let batch = 0; batch < 100; batch++)
    await appendLines(
      database.pool,
      deployId,
      Array.from({ length: 100 }, () => 'x'.repeat(1_000)),
    );
  await until(async () => (await gateway.metrics.registry.metrics()).includes('yardmaster_stream_readers'), { what: 'it is counted' });
  await endDeploy(database.pool, deployId);
  reader.goOn();
  await reader.ended;
  expect({ clean: reader.endedCleanly(), lines: seqsOf(reader).length, last: reader.events.at(-1)?.event }).toEqual({
    clean: true,
    lines: 10_000,
    last: 'end',
  });
  expect(seqsOf(reader)).toEqual(upTo(10_000));
});

it('reaches its readers by polling where no notification arrives', async () => {
  const deployId = await addDeploy(database.pool);
  const reader = await read(deployId, { at: silent });
  await appendLines(database.pool, deployId, numbered(5));
  await until(() => seqsOf(reader).length === 5, { what: 'the lines have come' });
  await endDeploy(database.pool, deployId);
  await reader.ended;
  expect(reader.events.at(-1)?.event).toBe('end');
});

it('asks Postgres once for all readers of a log', async () => {
  const deployId = await addDeploy(database.pool);
  const readers = await Promise.all(Array.from({ length: 30 }, async () => await read(deployId)));
  await until(() => readers.every(({ comments }) => comments.length > 0), { what: 'all are connected' });
  const sent = jest.spyOn(database.pool, 'query');
  try {
    for (let n = 0; n < 10; n++) {
      await appendLines(database.pool, deployId, [`line ${n}`]);
      await until(() => readers.every((reader) => seqsOf(reader).length === n + 1), { what: `all have line ${n}` });
    }
    const reads = sent.mock.calls.filter(([query]) => JSON.stringify(query).includes('read_log_page')).length;
    // Ten lines, each told once; a poll may come between.
    expect(reads).toBeLessThanOrEqual(25);
  } finally {
    sent.mockRestore();
  }
});

it('lets no more readers in than it may have, and the next one when one has left', async () => {
  const deployId = await addDeploy(database.pool);
  const readers: EventReader[] = [];
  for (let n = 0; n < 41; n++) readers.push(await read(deployId));
  expect(readers.map(({ status }) => status).filter((status) => status === 200)).toHaveLength(40);
  expect(readers[40]).toMatchObject({ status: 503, headers: { 'retry-after': '30' } });
  await until(() => readers[40]?.text().includes('too_many_readers'), { what: 'the reason is there' });
  readers[0]?.cut();
  await until(async () => (await read(deployId)).status === 200, { what: 'there is a place again' });
});

it('lets no key have more than its share of them, whatever stream it reads', async () => {
  const workflows = createWorkflowsClient(temporal.client, { deadlineMs: 5_000 });
  const shared = await startTestGateway({
    pool: database.pool,
    workflows,
    limits: { logReadersOfOneMax: 3 },
    settings: { atmOpenReads: true },
  });
  const deployId = await addDeploy(database.pool);
  const statusOf = async (path: string, headers: Record<string, string>): Promise<number> => {
    const reader = await readEvents(`${shared.url}${path}`, { headers });
    open.push(reader);
    return reader.status;
  };
  const path = `/v1/deploys/${deployId}/stream`;
  expect([await statusOf(path, key), await statusOf(path, key), await statusOf('/deploy/stream', key)]).toEqual([200, 200, 200]);
  expect(await statusOf('/deploy/stream', key)).toBe(503);
  expect(await statusOf(path, { 'x-api-key': testKeys.operator })).toBe(200);
  const anybody = [1, 2, 3, 4].map(async () => await statusOf('/deploy/stream', {}));
  expect((await Promise.all(anybody)).toSorted((a, b) => a - b)).toEqual([200, 200, 200, 503]);
  await shared.stop();
});

it.each(endpointNames.filter((name) => endpoints[name].method === 'get'))(
  'a HEAD of %s is answered, and takes no place of a reader',
  async (name) => {
    const deployId = await addDeploy(database.pool);
    const path = endpoints[name].path.replace(':deployId', deployId).replaceAll(/[:*]\w+/g, '1');
    const { status } = await fetch(`${gateway.url}${path}`, {
      method: 'HEAD',
      headers: { 'x-api-key': testKeys.operator },
      signal: AbortSignal.timeout(20_000),
    });
    expect(status).toBeLessThan(600);
    const figures = await gateway.metrics.registry.metrics();
    expect(figures).not.toMatch(/yardmaster_stream_readers\{[^}]*\} [1-9]/);
  },
);

it('says goodbye with a time to come back when the gateway drains, and the reader goes on at its neighbour', async () => {
  const workflows = createWorkflowsClient(temporal.client, { deadlineMs: 30_000 });
  const leaving = await startTestGateway({ pool: database.pool, workflows, directUrl: database.databaseUrl });
  const deployId = await addDeploy(database.pool);
  await appendLines(database.pool, deployId, numbered(10));
  const reader = await read(deployId, { at: leaving });
  await until(() => seqsOf(reader).length === 10, { what: 'the replay is there' });
  await leaving.stop();
  await reader.ended;
  expect(reader.endedCleanly()).toBe(true);
  expect(reader.retryMs).toBeLessThanOrEqual(2_000);
  expect(reader.events.map(({ event }) => event)).not.toContain('end');
});

it('is the stored log through random cuts of the connection', async () => {
  const deployId = await addDeploy(database.pool);
  const followers = Array.from({ length: 5 }, (_, n) =>
    followLog(() => `${(n % 2 === 0 ? gateway : silent).url}/v1/deploys/${deployId}/stream`, { headers: key }),
  );
  for (let batch = 0; batch < 80; batch++) {
    await appendLines(database.pool, deployId, numbered(1 + (batch % 30)));
    if (batch % 4 === 0) followers[batch % 5]?.cut();
  }
  await endDeploy(database.pool, deployId);
  await Promise.all(followers.map(async ({ done }) => await done));
  const stored = await storedLog(database.pool, deployId);
  for (const { lines, gaps, connections } of followers) {
    expect(lines.map(({ seq, line }) => ({ seq, line }))).toEqual(stored);
    expect(gaps).toEqual([]);
    expect(connections).toBeGreaterThan(1);
  }
});

it('is there as text, in pages, with whose line each is', async () => {
  const deployId = await addDeploy(database.pool);
  await appendLines(database.pool, deployId, ['The preflight begins'], { stream: 'yardmaster' });
  await appendLines(database.pool, deployId, numbered(500));
  const log = await call(`${gateway.url}/v1/deploys/${deployId}/log`, { key: testKeys.operator });
  expect(log.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  const lines = log.text.trimEnd().split('\n');
  expect(lines[0]).toMatch(/^20\S+Z yardmaster The preflight begins$/);
  expect(lines.slice(1).map((line) => line.replace(/^\S+ stdout /, ''))).toEqual(numbered(500));
  await database.pool.query(`delete from yardmaster.deploy_log where deploy_id = $1 and seq <= 499`, [deployId]);
  const rest = await call(`${gateway.url}/v1/deploys/${deployId}/log`, { key: testKeys.operator });
  expect(rest.text.split('\n')).toHaveLength(4);
  expect(rest.text).toMatch(/^\(lines 1 to 499 were removed/);
});
