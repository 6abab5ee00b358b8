import { randomUUID } from 'node:crypto';
import { makeApplyJobId, makeDeliverCallbacksId } from '../../src/contracts/ids';
import { taskQueues } from '../../src/contracts/messages';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { startApplyJob } from '../../src/temporal/apply-job';
import { ensureSearchAttributes } from '../../src/temporal/namespace';
import { withDatabase } from '../support/database';
import { call, startTestGateway, testKeys, type Reply, type TestGateway } from '../support/gateway';
import { withTemporal } from '../support/temporal';

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;
let legacyGateway: TestGateway;

beforeAll(async () => {
  await ensureSearchAttributes(temporal.connection, temporal.namespace);
  const workflows = createWorkflowsClient(temporal.client, { deadlineMs: 30_000 });
  gateway = await startTestGateway({ pool: database.pool, workflows });
  legacyGateway = await startTestGateway({ pool: database.pool, workflows, legacySecretInQuery: true });
});
afterAll(async () => {
  await gateway.stop();
  await legacyGateway.stop();
});

const makeAttempt = async ({ isEnded = false } = {}): Promise<{ jobId: string; attemptId: string }> => {
  const [jobId, attemptId] = [randomUUID(), randomUUID()];
  await database.pool.query(
    `insert into yardmaster.job (job_id, state, owner, user_id, request_hash, accepted_by, request_id, timeout_seconds, job_deadline_at, callback_url)
     values ($1, 'running', gen_random_uuid(), gen_random_uuid(), 'h', 'app', 'r', 300, now() + interval '1 day', 'https://valet.test/hook')`,
    [jobId],
  );
  await database.pool.query(
    `insert into yardmaster.attempt (attempt_id, job_id, generation, number, worker_id, state, ended_at)
     values ($1::uuid, $2, 1, 1, 'gh-' || $1::uuid, $3, case when $3 = 'ended' then now() end)`,
    [attemptId, jobId, isEnded ? 'ended' : 'running'],
  );
  return { jobId, attemptId };
};

const callback = async (
  attemptId: string,
  { body = {}, query = '', headers = { 'x-gh-service-key': testKeys.service }, at = gateway }: CallbackOptions = {},
): Promise<Reply> =>
  await call(`${at.url}/v1/callbacks/ghosthands/${attemptId}${query}`, {
    json: { job_id: attemptId, status: 'running', ...body },
    headers,
  });

interface CallbackOptions {
  body?: object;
  query?: string;
  headers?: Record<string, string>;
  at?: TestGateway;
}

const recorded = async (attemptId: string): Promise<unknown[]> => {
  const { rows } = await database.pool.query(
    `select word, worker_id, error_code, effect from yardmaster.received_callback where attempt_id = $1 order by received_id`,
    [attemptId],
  );
  return rows;
};

const signalsOf = async (jobId: string): Promise<number> => {
  const { events } = await temporal.client.workflow.getHandle(makeApplyJobId({ jobId })).fetchHistory();
  return (events ?? []).filter((event) => event.workflowExecutionSignaledEventAttributes?.signalName === 'wake').length;
};

describe('a callback of GH', () => {
  it('about a live attempt is recorded and wakes its workflow, once for each time it comes', async () => {
    const { jobId, attemptId } = await makeAttempt();
    await startApplyJob(
      temporal.client,
      { jobId, userId: randomUUID(), requestId: 'r' },
      { deadlineMs: 5_000, taskQueue: taskQueues.orchestrator },
    );
    for (let times = 0; times < 2; times++) {
      expect(
        await callback(attemptId, { body: { status: 'failed', worker_id: 'gh-1', error_code: 'timeout', cost: { total_cost_usd: 1 } } }),
      ).toMatchObject({
        status: 200,
        body: { received: true, effect: 'wakes_job' },
      });
    }
    expect(await recorded(attemptId)).toEqual(
      [1, 2].map(() => ({ word: 'failed', worker_id: 'gh-1', error_code: 'timeout', effect: 'wakes_job' })),
    );
    expect(await signalsOf(jobId)).toBe(2);
  });

  it('about a job that was given to a worker before any workflow had it starts one', async () => {
    const { jobId, attemptId } = await makeAttempt();
    await database.pool.query('update yardmaster.job set owner = null where job_id = $1', [jobId]);
    expect(await callback(attemptId)).toMatchObject({ status: 200, body: { effect: 'wakes_job' } });
    expect(await signalsOf(jobId)).toBe(1);
  });

  it('about a live attempt whose workflow is not there is accepted and recorded', async () => {
    const { attemptId } = await makeAttempt();
    expect(await callback(attemptId)).toMatchObject({ status: 200, body: { effect: 'wakes_job' } });
  });

  it('about an unknown attempt is accepted and recorded, without effect', async () => {
    const attemptId = randomUUID();
    expect(await callback(attemptId)).toMatchObject({ status: 200, body: { received: true, effect: 'attempt_unknown' } });
    expect(await recorded(attemptId)).toMatchObject([{ effect: 'attempt_unknown' }]);
  });

  it('about an ended attempt is accepted and recorded, without effect', async () => {
    const { attemptId } = await makeAttempt({ isEnded: true });
    expect(await callback(attemptId, { body: { status: 'completed' } })).toMatchObject({ status: 200, body: { effect: 'attempt_ended' } });
    expect(await recorded(attemptId)).toMatchObject([{ word: 'completed', effect: 'attempt_ended' }]);
  });

  it('about the ended attempt of an uncertain job wakes it, and what it says of the submission is kept', async () => {
    const { jobId, attemptId } = await makeAttempt({ isEnded: true });
    await database.pool.query(`update yardmaster.job set state = 'uncertain', attempt_id = $2 where job_id = $1`, [jobId, attemptId]);
    for (const [result, submitted] of [
      [{ submitted: true }, true],
      [{ success: false }, false],
      [{ submitted: 'yes' }, null],
      ['strange', null],
    ] as const) {
      expect(await callback(attemptId, { body: { status: 'completed', result_data: result } })).toMatchObject({
        body: { effect: 'wakes_job' },
      });
      const { rows } = await database.pool.query(
        `select submitted from yardmaster.received_callback where attempt_id = $1 order by received_id desc limit 1`,
        [attemptId],
      );
      expect(rows).toEqual([{ submitted }]);
    }
  });

  it('with a wrong secret leaves its mark at the attempt, and none at one that is not ours', async () => {
    const { attemptId } = await makeAttempt();
    const headers = { 'x-gh-service-key': 'guess' };
    for (const id of [attemptId, randomUUID(), "x'; drop"]) expect((await callback(encodeURIComponent(id), { headers })).status).toBe(401);
    const { rows } = await database.pool.query(`select attempt_id from yardmaster.attempt where callback_refused_at is not null`);
    expect(rows).toContainEqual({ attempt_id: attemptId });
    expect(await recorded(attemptId)).toEqual([]);
  });

  it('that names another job than its address does is recorded, without effect', async () => {
    const { attemptId } = await makeAttempt();
    expect(await callback(attemptId, { body: { job_id: randomUUID() } })).toMatchObject({
      status: 200,
      body: { effect: 'names_other_job' },
    });
  });

  it('keeps nothing of what it says about the applicant', async () => {
    const { attemptId } = await makeAttempt();
    await callback(attemptId, { body: { status: 'completed', result_summary: 'Ada applied', result_data: { email: 'ada@example.com' } } });
    expect(JSON.stringify(await recorded(attemptId)) + gateway.logLines.join('')).not.toMatch(/Ada|ada@/);
  });

  it.each([
    ['without a status', { status: undefined }],
    ['with a status that is no text', { status: 7 }],
    ['without a job', { job_id: undefined }],
  ])('%s is refused with 422 and not recorded', async (_what, body) => {
    const { attemptId } = await makeAttempt();
    expect(await callback(attemptId, { body })).toMatchObject({ status: 422, body: { code: 'invalid' } });
    expect(await recorded(attemptId)).toEqual([]);
  });

  it('to an address without an attempt id is refused with 400', async () => {
    expect(await callback('42')).toMatchObject({ status: 400, body: { errors: [{ path: 'attemptId' }] } });
  });

  it.each([
    ['no secret', {}, ''],
    ['a wrong secret', { 'x-gh-service-key': 'guess' }, ''],
    ["an operator's key", { 'x-api-key': testKeys.operator }, ''],
    ['the secret in the address', {}, `?secret=${testKeys.service}`],
    ['the secret as a token in the address', {}, `?token=${testKeys.service}`],
  ])('with %s is refused with 401 and not recorded', async (_what, headers, query) => {
    const { attemptId } = await makeAttempt();
    expect(await callback(attemptId, { headers, query })).toMatchObject({ status: 401, body: { code: 'unauthorized' } });
    expect(await recorded(attemptId)).toEqual([]);
  });

  it.each(['secret', 'token'])('may carry the secret as ?%s= only while the legacy switch is on, and the log drops it', async (name) => {
    const { attemptId } = await makeAttempt();
    const query = `?${name}=${testKeys.service}`;
    expect(await callback(attemptId, { headers: {}, query, at: legacyGateway })).toMatchObject({ status: 200 });
    expect(await callback(attemptId, { headers: {}, query: `?${name}=guess`, at: legacyGateway })).toMatchObject({ status: 401 });
    // The header decides alone when it is there.
    expect(await callback(attemptId, { headers: { 'x-gh-service-key': 'guess' }, query, at: legacyGateway })).toMatchObject({
      status: 401,
    });
    const log = legacyGateway.logLines.join('');
    expect(log).toMatch(`/v1/callbacks/ghosthands/${attemptId}`);
    expect(log).not.toMatch(new RegExp(`${testKeys.service}|${name}=`));
  });
});

describe('delivering a callback again', () => {
  const redeliver = async (path: string): Promise<Reply> =>
    await call(`${gateway.url}/v1/jobs/${path}/redeliver`, { key: testKeys.operator, method: 'POST' });

  it('opens it and starts its delivery, delivered or not', async () => {
    const { jobId } = await makeAttempt();
    await database.pool.query(
      `insert into yardmaster.callback (job_id, generation, seq, word, is_final, body, next_try_at, give_up_at, tries, settled_at, settled_as)
       values ($1, 1, 1, 'completed', true, '{}', now() - interval '2 days', now() - interval '1 day', 9, now(), 'given_up')`,
      [jobId],
    );
    expect(await redeliver(`${jobId}/callbacks/1/1`)).toMatchObject({
      status: 202,
      body: { jobId, generation: 1, seq: 1, isStarted: true },
    });
    const { rows } = await database.pool.query(
      `select settled_as, tries, give_up_at > now() + interval '23 hours' as has_time from yardmaster.callback where job_id = $1`,
      [jobId],
    );
    expect(rows).toEqual([{ settled_as: null, tries: 0, has_time: true }]);
    const handle = temporal.client.workflow.getHandle(makeDeliverCallbacksId({ jobId, generation: 1 }));
    expect(await handle.describe()).toMatchObject({ type: 'deliverCallbacks', status: { name: 'RUNNING' } });
    // Asked twice, it joins the delivery that is under way.
    expect(await redeliver(`${jobId}/callbacks/1/1`)).toMatchObject({ status: 202 });
  });

  it('tells an unknown callback from an unknown job', async () => {
    const { jobId } = await makeAttempt();
    expect(await redeliver(`${jobId}/callbacks/1/7`)).toMatchObject({ status: 404, body: { code: 'callback_not_found' } });
    expect(await redeliver(`${randomUUID()}/callbacks/1/1`)).toMatchObject({ status: 404, body: { code: 'job_not_found' } });
    expect(await redeliver(`${jobId}/callbacks/1/x`)).toMatchObject({ status: 400, body: { errors: [{ path: 'seq' }] } });
  });
});
