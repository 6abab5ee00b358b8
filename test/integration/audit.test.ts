import { randomBytes, randomUUID } from 'node:crypto';
import { auditPageSchema } from '../../src/gateway/schemas/audit';
import { submitJobExamples } from '../../src/gateway/examples';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { updateCommand } from '../../src/db/commands/commands';
import { recordCommandEnd } from '../../src/db/audit';
import { withTransaction } from '../../src/db/pool';
import { ensureSearchAttributes } from '../../src/temporal/namespace';
import { withDatabase } from '../support/database';
import { call, startTestGateway, testKeys, type Reply, type TestGateway } from '../support/gateway';
import { insertJob } from '../support/job-rows';
import { withTemporal } from '../support/temporal';

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;

beforeAll(async () => {
  await ensureSearchAttributes(temporal.connection, temporal.namespace);
  const workflows = createWorkflowsClient(temporal.client, { deadlineMs: 30_000 });
  gateway = await startTestGateway({ pool: database.pool, workflows, settings: { trustProxy: 1 } });
});
afterAll(async () => await gateway.stop());

const post = async (place: string, json: unknown = {}, key: string = testKeys.operator): Promise<Reply> =>
  await call(`${gateway.url}${place}`, { key, json, headers: { 'x-forwarded-for': '203.0.113.7' } });
const list = async (query: string): Promise<ReturnType<typeof auditPageSchema.parse>> => {
  const reply = await call(`${gateway.url}/v1/audit?${query}`, { key: testKeys.operator });
  expect(reply.status).toBe(200);
  return auditPageSchema.parse(reply.body);
};

describe('every act that changes something', () => {
  it('leaves who, from where, what and on what', async () => {
    const { body } = await post('/v1/jobs', { ...submitJobExamples['an application'], taskId: randomUUID() }, testKeys.product);
    const { entries } = await list(`subject=${String(body.jobId)}`);
    expect(entries).toMatchObject([
      { actor: 'app', source: 'rest', address: '203.0.113.7', act: 'submit', subjectKind: 'job', subject: body.jobId, outcome: null },
    ]);
  });

  it('is there once: a repeated submit changes nothing', async () => {
    const request = { ...submitJobExamples['an application'], taskId: randomUUID() };
    const { body } = await post('/v1/jobs', request, testKeys.product);
    expect((await post('/v1/jobs', request, testKeys.product)).status).toBe(200);
    expect((await list(`subject=${String(body.jobId)}`)).entries).toHaveLength(1);
  });

  it('is there for the pause of the fleet and its end', async () => {
    await post('/v1/pause', { reason: 'a move' });
    await post('/v1/unpause', { reason: 'moved' });
    expect((await list('subject=*&limit=2')).entries).toMatchObject([
      { act: 'unpause', actor: 'ops', subjectKind: 'fleet', detail: { reason: 'moved' } },
      { act: 'pause', actor: 'ops', subjectKind: 'fleet', detail: { reason: 'a move' } },
    ]);
  });

  it('is there for a callback that is delivered again', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'failed' });
    await database.pool.query(
      `insert into yardmaster.callback (job_id, generation, seq, word, is_final, body, next_try_at, give_up_at, settled_at, settled_as)
       values ($1, 1, 1, 'failed', true, '{}', now(), now(), now(), 'given_up')`,
      [jobId],
    );
    expect((await post(`/v1/jobs/${jobId}/callbacks/1/1/redeliver`)).status).toBe(202);
    expect((await post(`/v1/jobs/${jobId}/callbacks/1/2/redeliver`)).status).toBe(404);
    expect((await list(`subject=${jobId}`)).entries).toMatchObject([
      { act: 'redeliver', detail: { generation: 1, seq: 1 } },
      { act: 'submit' },
    ]);
  });

  it('has a second line when a command is over, with its route and outcome, and never a third', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'running' });
    const { body } = await post(`/v1/jobs/${jobId}/cancel?wait=0`, { reason: 'said by phone' });
    const commandId = String(body.commandId);
    const route = { route: 'successor', attemptId: null, workerId: 'w', host: 'h', instanceId: null, reason: 'newer', steps: [] } as const;
    await updateCommand(database.pool, { commandId, route: { ...route, steps: [] }, outcome: 'cancelled', detail: '', isEnd: true });
    await Promise.all(
      Array.from(
        { length: 5 },
        async () => await withTransaction(database.pool, async (client) => await recordCommandEnd(client, commandId)),
      ),
    );
    expect((await list(`subject=${jobId}`)).entries).toMatchObject([
      { act: 'cancel_ended', actor: 'ops', route: 'successor', outcome: 'cancelled', detail: { commandId, generation: 1 } },
      { act: 'cancel', actor: 'ops', source: 'rest', route: null, outcome: null, detail: { commandId, generation: 1 } },
      { act: 'submit' },
    ]);
  });

  it("says which API it came through: the product's paths are another one", async () => {
    const { jobId } = await insertJob(database.pool, { state: 'failed' });
    await post(`/api/v1/gh/jobs/${jobId}/retry`, undefined, testKeys.service);
    expect((await list(`subject=${jobId}`)).entries).toMatchObject([
      { act: 'retry_ended', actor: 'valet', source: 'product', outcome: 'reopened' },
      { act: 'retry', actor: 'valet', source: 'product' },
      { act: 'submit' },
    ]);
  });

  it('is not there for what was refused before anything was written', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'running' });
    await post(`/v1/jobs/${jobId}/resume`, { resolutionType: 'code_entry' });
    await post(`/v1/jobs/${jobId}/cancel`, {}, testKeys.readOnly);
    expect((await list(`subject=${jobId}`)).entries.map(({ act }) => act)).toEqual(['submit']);
  });
});

it('P8: holds no code and no password, wherever they were typed', async () => {
  const { jobId } = await insertJob(database.pool, { state: 'waiting_human', humanKind: 'blocker' });
  const secret = 'typed-secret-90210';
  await post(`/v1/jobs/${jobId}/resume?wait=0`, { resolutionType: 'code_entry', code: secret, note: `code: ${secret}` });
  await post(
    `/api/v1/gh/valet/resume/${jobId}`,
    { resolution_data: { email: 'ada@example.com', password: secret }, notes: secret },
    testKeys.service,
  );
  await post(`/v1/jobs/${jobId}/resume`, { resolutionType: 'manual', password: secret });
  const { rows } = await database.pool.query<{ entries: number; leaks: number }>(
    `select count(*)::int as entries, (count(*) filter (where a::text like $1 or a::text like '%ada@example%'))::int as leaks from yardmaster.audit a`,
    [`%${secret}%`],
  );
  expect(rows[0]?.entries).toBeGreaterThan(0);
  expect(rows[0]?.leaks).toBe(0);
  expect(gateway.logLines.join('')).not.toMatch(secret);
});

describe('its list', () => {
  const subjects = Array.from({ length: 3 }, () => randomUUID());

  beforeAll(async () => {
    for (const [index, subject] of [...subjects, ...subjects].entries()) {
      await database.pool.query(
        `insert into yardmaster.audit (at, actor, source, act, subject_kind, subject) values (now() + $1::int * interval '1 hour', $2, 'rest', $3, 'job', $4)`,
        [index, `listed-${index % 2}`, index < 3 ? 'listed' : 'other', subject],
      );
    }
  });

  it('filters by who, what, on what and since when', async () => {
    expect((await list('actor=listed-1')).entries).toHaveLength(3);
    expect((await list('act=listed')).entries.map(({ subject }) => subject)).toEqual(subjects.toReversed());
    expect((await list(`subject=${subjects[0]}&act=other`)).entries).toHaveLength(1);
    const since = new Date(Date.now() + 3.5 * 3_600_000).toISOString();
    expect((await list(`since=${since}`)).entries.map(({ subject }) => subject)).toEqual([subjects[2], subjects[1]]);
  });

  it('is read page by page, each entry once, whatever comes meanwhile', async () => {
    const seen: number[] = [];
    let cursor: string | null = null;
    do {
      const page: ReturnType<typeof auditPageSchema.parse> = await list(`limit=2${cursor === null ? '' : `&cursor=${cursor}`}`);
      seen.push(...page.entries.map(({ auditId }) => auditId));
      cursor = page.nextCursor;
      if (seen.length === 2) await post('/v1/pause', { reason: 'meanwhile' });
    } while (cursor !== null);
    await post('/v1/unpause', { reason: 'over' });
    expect(seen).toEqual([...new Set(seen)].toSorted((a, b) => b - a));
    const { rows } = await database.pool.query<{ n: number }>('select count(*)::int as n from yardmaster.audit where audit_id <= $1', [
      seen[0],
    ]);
    expect(seen).toHaveLength(rows[0]?.n ?? -1);
  });

  it('refuses a cursor of another list, an unknown filter and a wrong instant', async () => {
    for (const query of ['cursor=abc', 'who=me', 'since=yesterday', 'limit=0']) {
      const reply = await call(`${gateway.url}/v1/audit?${query}`, { key: testKeys.operator });
      expect(reply).toMatchObject({ status: 400, body: { code: 'malformed' } });
    }
  });

  it('is for operators alone', async () => {
    for (const key of [testKeys.product, testKeys.deployer, testKeys.readOnly]) {
      expect(await call(`${gateway.url}/v1/audit`, { key })).toMatchObject({ status: 403 });
    }
  });
});

it('cannot be changed by a role that may not update or delete in it, whatever else it may', async () => {
  const role = `ym_app_${randomBytes(4).toString('hex')}`;
  const client = await database.pool.connect();
  const codeOf = async (statement: string): Promise<unknown> => {
    await client.query('savepoint before');
    const refusal: unknown = await client.query(statement).then(
      () => null,
      (error: unknown) => error,
    );
    await client.query('rollback to savepoint before');
    return refusal instanceof Error ? Reflect.get(refusal, 'code') : null;
  };
  // Rolled back: roles belong to the whole server.
  await client.query('begin');
  await client.query(`create role ${role}`);
  await client.query(`grant usage on schema yardmaster to ${role}`);
  await client.query(`grant select, insert, update, delete on all tables in schema yardmaster to ${role}`);
  await client.query(`revoke update, delete, truncate on yardmaster.audit from ${role}`);
  await client.query(`set local role ${role}`);
  const statements = [
    `insert into yardmaster.audit (actor, source, act, subject_kind, subject) values ('a', 'rest', 'granted', 'fleet', '*')`,
    `update yardmaster.audit set actor = 'b'`,
    'delete from yardmaster.audit',
    'truncate yardmaster.audit',
  ];
  const codes: unknown[] = [];
  for (const statement of statements) codes.push(await codeOf(statement));
  await client.query('rollback');
  client.release();
  expect(codes).toEqual([null, '42501', '42501', '42501']);
});
