import { Client, Connection } from '@temporalio/client';
import { ensureSearchAttributes } from '../../src/temporal/namespace';
import { makeApplyJobId } from '../../src/contracts/ids';
import { applyExamples, submitJobExamples } from '../../src/gateway/examples';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { withDatabase } from '../support/database';
import { call, startTestGateway, testKeys, type Reply, type TestGateway } from '../support/gateway';
import { until } from '../support/until';
import { withTemporal } from '../support/temporal';

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;

beforeAll(async () => {
  await ensureSearchAttributes(temporal.connection, temporal.namespace);
  gateway = await startTestGateway({ pool: database.pool, workflows: createWorkflowsClient(temporal.client, { deadlineMs: 30_000 }) });
});
afterAll(async () => await gateway.stop());

const application = submitJobExamples['an application'];
const post = async (json: unknown, headers: Record<string, string> = {}): Promise<Reply> =>
  await call(`${gateway.url}/v1/jobs`, { key: testKeys.product, json, headers });

const countRows = async (): Promise<{ jobs: number; rows: number; transitions: number }> => {
  const { rows } = await database.pool.query<{ jobs: number; rows: number; transitions: number }>(
    `select (select count(*)::int from yardmaster.job) as jobs, (select count(*)::int from gh_automation_jobs) as rows,
       (select count(*)::int from yardmaster.job_transition) as transitions`,
  );
  return rows[0] ?? { jobs: -1, rows: -1, transitions: -1 };
};

const jobRow = async (jobId: unknown): Promise<Record<string, unknown>> => {
  const { rows } = await database.pool.query<Record<string, unknown>>(
    `select g.*, j.accepted_by, j.request_id, j.idempotency_key as our_key, j.wanted_worker, j.affinity, j.attempts_max, j.callback_url as our_callback_url
     from gh_automation_jobs g join yardmaster.job j on j.job_id = g.id where g.id = $1`,
    [jobId],
  );
  return rows[0] ?? {};
};

it('answers 201 with the place of the job once its rows are written and its workflow is started', async () => {
  const reply = await post({ ...application, taskId: 'task-201' }, { 'x-request-id': 'req-201' });
  expect(reply.status).toBe(201);
  expect(reply.headers.get('location')).toBe(`/v1/jobs/${String(reply.body.jobId)}`);
  expect(reply.headers.get('x-request-id')).toBe('req-201');
  expect(reply.body).toMatchObject({ state: 'accepted', generation: 1, isReplay: false, isStarted: true });
  const described = await temporal.client.workflow.getHandle(makeApplyJobId({ jobId: String(reply.body.jobId) })).describe();
  expect(described).toMatchObject({ type: 'applyJob', memo: { requestId: 'req-201' } });
});

it('writes the row in the words of GH, unclaimable, with its inputs as GH expects them', async () => {
  const { body } = await post({
    ...application,
    taskId: 'task-row',
    quality: 'quality',
    model: 'qwen-72b',
    worker: { id: 'gh-7', affinity: 'strict' },
    metadata: { campaign: 'a', link: 'see https://u:p@x.test/?secret=abc&page=2 now' },
  });
  expect(await jobRow(body.jobId)).toMatchObject({
    status: 'pending',
    worker_affinity: 'strict',
    target_worker_id: null,
    callback_url: null,
    job_type: 'apply',
    valet_task_id: 'task-row',
    wanted_worker: 'gh-7',
    affinity: 'strict',
    accepted_by: 'app',
    input_data: {
      user_data: {
        first_name: 'Ada',
        last_name: 'Lovelace',
        email: 'ada@example.com',
        location: { city: 'London', state: 'LND', country: 'UK' },
      },
      qa_overrides: { 'Are you allowed to work here?': 'Yes' },
      tier: 'pro',
      platform: 'greenhouse',
      model: 'qwen-72b',
    },
    resume_ref: { storage_path: 'resumes/ada.pdf' },
    metadata: {
      campaign: 'a',
      link: 'see https://x.test/?page=2 now',
      source: 'yardmaster',
      quality_preset: 'quality',
      valet_task_id: 'task-row',
      resume_ref: { storage_path: 'resumes/ada.pdf' },
    },
  });
});

it('keeps free data exactly as they were sent', async () => {
  const metadata =
    '{"id": "1546130668394913823", "n": [0.1, 1e3, 1E-7, 9007199254740992], "constructor": {"toString": 1}, "": null, "ä\\ud83d\\ude00": "\\u0001"}';
  const { jobType, taskDescription, userId, targetUrl } = submitJobExamples['another kind of job'];
  const rest = JSON.stringify({ jobType, taskDescription, userId, targetUrl }).slice(1, -1);
  const { status, body } = await call(`${gateway.url}/v1/jobs`, {
    key: testKeys.product,
    raw: `{"metadata": ${metadata}, "inputData": ${metadata}, ${rest}}`,
  });
  expect(status).toBe(201);
  const { rows } = await database.pool.query(
    `select metadata - '{source,quality_preset}'::text[] = $2::jsonb as metadata, input_data = $2::jsonb as input from gh_automation_jobs where id = $1`,
    [body.jobId, metadata],
  );
  expect(rows).toEqual([{ metadata: true, input: true }]);
});

it.each([
  ['metadata.source', { metadata: { source: 'a campaign' } }],
  ['metadata.yardmaster', { metadata: { yardmaster: {} } }],
  ['metadata.callback_url', { metadata: { callback_url: 'https://elsewhere.test/' } }],
  ['inputData.model', { model: 'a', inputData: { model: 'b' } }],
])('refuses %s, which it would write over or leave out', async (field, fields) => {
  expect(await post({ ...submitJobExamples['another kind of job'], ...fields })).toMatchObject({
    status: 422,
    body: { errors: [{ path: field }] },
  });
});

it('accepts every example of its own page', async () => {
  for (const example of Object.values(submitJobExamples)) {
    const { taskId: _taskId, ...rest } = { taskId: undefined, ...example };
    expect(await post(rest)).toMatchObject({ status: 201 });
  }
});

it('P1: makes one job of ten racing submits under one key', async () => {
  const before = await countRows();
  const request = { ...application, taskId: undefined };
  const replies = await Promise.all(Array.from({ length: 10 }, async () => await post(request, { 'idempotency-key': 'race-1' })));
  expect(new Set(replies.map(({ body }) => body.jobId)).size).toBe(1);
  expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(9);
  expect(await countRows()).toEqual({ jobs: before.jobs + 1, rows: before.rows + 1, transitions: before.transitions + 1 });
});

it('makes one job of ten racing submits for one task without a key', async () => {
  const replies = await Promise.all(Array.from({ length: 10 }, async () => await post({ ...application, taskId: 'race-task' })));
  expect(new Set(replies.map(({ body }) => body.jobId)).size).toBe(1);
});

it('answers a repeated request with 200 and the same job, whatever the order of its fields', async () => {
  const headers = { 'idempotency-key': 'again-1' };
  const first = await post({ ...application, taskId: 'again' }, headers);
  const turned = Object.fromEntries(Object.entries({ ...application, taskId: 'again' }).toReversed());
  const second = await post(turned, headers);
  expect(second).toMatchObject({ status: 200, body: { jobId: first.body.jobId, isReplay: true, acceptedAt: first.body.acceptedAt } });
});

it('tells the keys of two callers apart, whatever they ask for, and says nothing of the other one', async () => {
  const headers = { 'idempotency-key': 'shared-1' };
  const by = async (key: string, json: object): Promise<Reply> => await call(`${gateway.url}/v1/jobs`, { key, json, headers });
  const request = { ...application, taskId: undefined };
  const [first, second] = [await by(testKeys.product, request), await by(testKeys.operator, request)];
  expect([first.status, second.status]).toEqual([201, 201]);
  expect(second.body.jobId).not.toBe(first.body.jobId);
  expect(await by(testKeys.product, request)).toMatchObject({ status: 200, body: { jobId: first.body.jobId } });
  expect(await by(testKeys.operator, request)).toMatchObject({ status: 200, body: { jobId: second.body.jobId } });
  const refused = await by(testKeys.operator, { ...request, priority: 9 });
  expect(refused.status).toBe(409);
  expect(refused.text).toContain(second.body.jobId);
  const valet = await call(`${gateway.url}/api/v1/gh/valet/apply`, {
    key: testKeys.service,
    json: { ...applyExamples['what VALET sends'], valet_task_id: 'shared', idempotency_key: 'shared-1' },
  });
  expect(valet.status).toBe(201);
  // GH keeps one row a key.
  expect([await jobRow(first.body.jobId), await jobRow(second.body.jobId)]).toMatchObject([
    { idempotency_key: 'shared-1', our_key: 'shared-1' },
    { idempotency_key: null, our_key: 'shared-1' },
  ]);
});

it('makes two jobs of twenty racing submits of two callers under one key', async () => {
  const request = { ...application, taskId: undefined };
  const replies = await Promise.all(
    Array.from({ length: 20 }, async (_item, index) => {
      const key = index % 2 === 0 ? testKeys.product : testKeys.operator;
      return await call(`${gateway.url}/v1/jobs`, { key, json: request, headers: { 'idempotency-key': 'race-2' } });
    }),
  );
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200, 201]));
  expect(new Set(replies.map(({ body }) => body.jobId)).size).toBe(2);
});

it('refuses another request under a key that is taken, names the job and writes nothing', async () => {
  const headers = { 'idempotency-key': 'other-1' };
  const first = await post({ ...application, taskId: 'other-a' }, headers);
  const before = await countRows();
  const second = await post({ ...application, taskId: 'other-b' }, headers);
  expect(second).toMatchObject({
    status: 409,
    body: { code: 'idempotency_conflict', type: 'urn:yardmaster:problem:idempotency_conflict' },
  });
  expect(second.headers.get('content-type')).toMatch('application/problem+json');
  expect(second.body.detail).toMatch(String(first.body.jobId));
  expect(await countRows()).toEqual(before);
});

it('lets a task have a new job once its last one has ended', async () => {
  const first = await post({ ...application, taskId: 'ends' });
  await database.pool.query(`update yardmaster.job set state = 'failed', ended_at = now() where job_id = $1`, [first.body.jobId]);
  const second = await post({ ...application, taskId: 'ends', priority: 9 });
  expect(second.status).toBe(201);
  expect(second.body.jobId).not.toBe(first.body.jobId);
});

describe('a task that is submitted again', () => {
  const end = async (jobId: unknown, state: string, submission: string): Promise<void> => {
    await database.pool.query(
      `update yardmaster.job set state = $2, submission = $3, ended_at = case when $2 <> 'uncertain' then now() end where job_id = $1`,
      [jobId, state, submission],
    );
  };

  it.each([
    ['succeeded', 'yes'],
    ['uncertain', 'maybe'],
    ['cancelled', 'maybe'],
    ['failed', 'maybe'],
  ])('P3: after it ended %s, submitted %s, is the first job again, under whatever key', async (state, submission) => {
    const request = { ...application, taskId: `task-${state}-${submission}` };
    const first = await post(request, { 'idempotency-key': `${request.taskId}-1` });
    await end(first.body.jobId, state, submission);
    const withAndWithout: Record<string, string>[] = [{}, { 'idempotency-key': `${request.taskId}-2` }];
    for (const headers of withAndWithout) {
      expect(await post(request, headers)).toMatchObject({ status: 200, body: { jobId: first.body.jobId, isReplay: true, state } });
      const other = await post({ ...request, priority: 9 }, headers);
      expect(other).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } });
      expect(other.body.detail).toMatch(String(first.body.jobId));
    }
  });

  it.each(['failed', 'cancelled', 'expired'])('after it ended %s without a possible submission is a new job', async (state) => {
    const request = { ...application, taskId: `task-${state}` };
    const first = await post(request);
    await end(first.body.jobId, state, 'no');
    const second = await post(request);
    expect(second.status).toBe(201);
    expect(second.body.jobId).not.toBe(first.body.jobId);
  });

  it('P3: by ten at once, half of them with keys of their own, is one job', async () => {
    const request = { ...application, taskId: 'task-race-keys' };
    const replies = await Promise.all(
      Array.from(
        { length: 10 },
        async (_, index) => await post(request, index % 2 === 0 ? {} : { 'idempotency-key': `task-race-${index}` }),
      ),
    );
    expect(replies.filter(({ status }) => status !== 200 && status !== 201).map(({ status, text }) => [status, text])).toEqual([]);
    expect(new Set(replies.map(({ body }) => body.jobId)).size).toBe(1);
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
  });
});

it('refuses a key that a row of GH itself has, instead of failing', async () => {
  await database.pool.query(
    `insert into gh_automation_jobs (user_id, job_type, target_url, task_description, idempotency_key, status)
     values (gen_random_uuid(), 'apply', 'https://x.test', 'x', 'of-gh', 'completed')`,
  );
  expect(await post({ ...application, taskId: 'of-gh' }, { 'idempotency-key': 'of-gh' })).toMatchObject({
    status: 409,
    body: { code: 'idempotency_conflict' },
  });
});

it('refuses a value that the table of this fleet does not know, and names the field', async () => {
  const before = await countRows();
  // GH staging has dropped it (ghosthands §9).
  const reply = await post({ ...application, taskId: 'mode', executionMode: 'cookbook_only' });
  expect(reply).toMatchObject({ status: 422, body: { code: 'invalid', errors: [{ path: 'executionMode' }] } });
  expect(await countRows()).toEqual(before);
});

it('finds the instance behind the id of a sandbox', async () => {
  const sandboxId = '7a1b0c2d-3e4f-4a5b-8c6d-7e8f90a1b2c3';
  await database.pool.query(
    `insert into sandboxes (id, name, environment, instance_id, instance_type) values ($1, 's', 'dev', 'i-0abc', 't3.large')`,
    [sandboxId],
  );
  const { body } = await post({ ...application, taskId: 'sandbox', worker: { id: sandboxId } });
  expect(await jobRow(body.jobId)).toMatchObject({ wanted_worker: 'i-0abc', affinity: 'preferred' });
});

it('takes secrets out of the callback address, and keeps the rest of it', async () => {
  const { body } = await post({
    ...application,
    taskId: 'stripped',
    callbackUrl: 'https://user:pw@valet.test/hooks/gh?a=1%20x&token=the-service-secret&b=2&API_key=k',
  });
  expect(await jobRow(body.jobId)).toMatchObject({ our_callback_url: 'https://valet.test/hooks/gh?a=1%20x&b=2', callback_url: null });
  const { rows } = await database.pool.query<{ found: boolean }>(
    `select exists (select from gh_automation_jobs g, yardmaster.job j
       where (g::text || j::text) like '%the-service-secret%') as found`,
  );
  expect(rows[0]?.found).toBe(false);
});

it('refuses a callback to an origin that is not allowed, and names the setting', async () => {
  const before = await countRows();
  const reply = await post({ ...application, taskId: 'origin', callbackUrl: 'https://evil.test/hook?token=kept-to-us' });
  expect(reply).toMatchObject({ status: 422, body: { code: 'invalid', errors: [{ path: 'callbackUrl' }] } });
  expect(reply.body.detail).toMatch('CALLBACK_ALLOWED_ORIGINS');
  expect(reply.text).not.toMatch('kept-to-us');
  expect(await countRows()).toEqual(before);
});

it('keeps the signature of a presigned résumé, which the worker needs, and the token that is a posting on Greenhouse', async () => {
  const { body } = await post({
    ...application,
    taskId: 'presigned',
    targetUrl: 'https://boards.greenhouse.io/embed/job_app?for=acme&token=4512345',
    resume: { downloadUrl: 'https://s3.test/r.pdf?X-Amz-Signature=abc' },
  });
  expect(await jobRow(body.jobId)).toMatchObject({
    target_url: 'https://boards.greenhouse.io/embed/job_app?for=acme&token=4512345',
    resume_ref: { download_url: 'https://s3.test/r.pdf?X-Amz-Signature=abc' },
  });
});

it('answers 202 while Temporal is away: the row is the promise', async () => {
  const connection = Connection.lazy({ address: '127.0.0.1:1' });
  const away = await startTestGateway({
    pool: database.pool,
    workflows: createWorkflowsClient(new Client({ connection, namespace: 'none' }), { deadlineMs: 800 }),
  });
  const reply = await call(`${away.url}/v1/jobs`, { key: testKeys.product, json: { ...application, taskId: 'away' } });
  expect(reply).toMatchObject({ status: 202, body: { state: 'accepted', isStarted: false } });
  expect(await jobRow(reply.body.jobId)).toMatchObject({ status: 'pending' });
  await away.stop();
  await connection.close();
});

it('names the job in the line of the request that brought it', async () => {
  const reply = await post({ ...application, taskId: 'named' });
  const line = (): string | undefined =>
    gateway.logLines.find((each) => each.includes(String(reply.body.jobId)) && each.includes('"status":201'));
  await until(line, { what: 'the answer is logged' });
  expect(JSON.parse(line() ?? '{}')).toMatchObject({
    message: 'Answered',
    path: '/v1/jobs',
    jobId: reply.body.jobId,
    requestId: expect.any(String) as string,
  });
});

it('writes no personal data and no secret into the log', async () => {
  await post({ ...application, taskId: 'logged', callbackUrl: 'https://valet.test/h?token=the-service-secret' });
  await call(`${gateway.url}/v1/jobs?taskId=x&token=${testKeys.service}`, { key: testKeys.product });
  const log = gateway.logLines.join('');
  expect(log).toMatch('"path":"/v1/jobs"');
  expect(log).not.toMatch(/ada@example\.com|Lovelace|the-service-secret|key-of-the|\?/);
});
