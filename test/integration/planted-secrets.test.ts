import { PassThrough } from 'node:stream';
import { createCancelActivities } from '../../activities/commands/cancel';
import { createJobActivities } from '../../activities/jobs/jobs';
import { createResumeActivities } from '../../activities/commands/resume';
import { createWorkerActActivities } from '../../activities/fleet/worker-acts';
import { parseFields } from '../../src/domain/field-rules';
import { personTextCharsMax, personTextCutMark } from '../../src/domain/person-text';
import { messageShapes, starts } from '../../src/domain/workflow-inputs';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { createLog } from '../../src/log';
import { ensureSearchAttributes } from '../../src/temporal/namespace';
import { withDatabase } from '../support/database';
import { addWaitingJob, addWorker, assignAll, claim, emptyTables } from '../support/fleet-rows';
import { call, startTestGateway, testKeys, type Reply, type TestGateway } from '../support/gateway';
import { insertJob } from '../support/job-rows';
import { makeDeps } from '../support/orchestrator-deps';
import { withTemporal } from '../support/temporal';
import { until } from '../support/until';

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;
const answers: string[] = [];

beforeAll(async () => {
  await ensureSearchAttributes(temporal.connection, temporal.namespace);
  gateway = await startTestGateway({
    pool: database.pool,
    workflows: createWorkflowsClient(temporal.client, { deadlineMs: 5_000 }),
    limits: { productCommandWaitMs: 0 },
  });
});
afterAll(async () => await gateway.stop());

const planted = ['hunter2planted', 'ghp_plantedplantedplantedplanted1234', 'planted.person@applicant.test', 'plantedpage'];
const typed =
  'done: password=hunter2planted, token ghp_plantedplantedplantedplanted1234, ask planted.person@applicant.test, see https://u:hunter2planted@v.test/?token=plantedpage';
const leaks = (text: string): string[] => planted.filter((each) => text.includes(each));

const post = async (place: string, json: object, key: string = testKeys.operator): Promise<Reply> => {
  const reply = await call(`${gateway.url}${place}`, { key, json });
  answers.push(reply.text);
  return reply;
};

/** Every row of ours and of the neighbours, as text. */
const dump = async (): Promise<string> => {
  const { rows: tables } = await database.pool.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_schema in ('yardmaster', 'public') and table_type = 'BASE TABLE'`,
  );
  const texts = await Promise.all(
    tables.map(async ({ name }) =>
      (await database.pool.query<{ row: string }>(`select t::text as row from ${name} t`)).rows.map(({ row }) => row),
    ),
  );
  expect(tables.length).toBeGreaterThan(15);
  return texts.flat().join('\n');
};

/** What starts and signals brought into histories. */
const readInputs = async (): Promise<string[]> => {
  const texts: string[] = [];
  for await (const { workflowId, runId } of temporal.client.workflow.list()) {
    const { events } = await temporal.client.workflow.getHandle(workflowId, runId).fetchHistory();
    const payloads = (events ?? []).flatMap((event) => [
      ...(event.workflowExecutionStartedEventAttributes?.input?.payloads ?? []),
      ...(event.workflowExecutionSignaledEventAttributes?.input?.payloads ?? []),
    ]);
    texts.push(...payloads.map(({ data }) => Buffer.from(data ?? []).toString()));
  }
  return texts;
};

describe('what a person types over REST', () => {
  it('P8: is in no table, answer, log line and history with its passwords, tokens and addresses', async () => {
    await addWorker(database.pool, { workerId: 'planted-worker', host: '10.9.9.9' });
    const running = await insertJob(database.pool, { state: 'running' });
    const blocked = await insertJob(database.pool, { state: 'waiting_human', humanKind: 'blocker' });
    const uncertain = await insertJob(database.pool, { state: 'uncertain' });
    const product = await insertJob(database.pool, { state: 'running' });
    const resumed = await insertJob(database.pool, { state: 'waiting_human', humanKind: 'blocker' });
    const statuses = [
      await post(`/v1/jobs/${running.jobId}/cancel?wait=0`, { reason: typed }),
      await post(`/v1/jobs/${blocked.jobId}/resume?wait=0`, { resolutionType: 'manual', note: typed }),
      await post(`/v1/jobs/${uncertain.jobId}/resolve?wait=0`, { submitted: true, note: typed }),
      await post(`/api/v1/gh/jobs/${product.jobId}/cancel`, { reason: typed }, testKeys.service),
      await post(`/api/v1/gh/valet/resume/${resumed.jobId}`, { resolution_notes: typed }, testKeys.service),
      await post('/v1/pause', { reason: typed }),
      await post('/v1/unpause', { reason: typed }),
      await post('/v1/fleet/hosts/10.9.9.9/hold', { reason: typed }),
      await post('/v1/workers/planted-worker/drain?wait=0', { reason: typed, deadlineSeconds: 60 }),
      await post('/v1/workers/planted-worker/release', { reason: typed }),
      await post('/v1/fleet/hosts/10.9.9.9/release', { reason: typed }),
      await post('/api/v1/gh/valet/workers/deregister', { target_worker_id: 'planted-worker', reason: typed }, testKeys.service),
    ].map(({ status }) => status);
    expect(statuses.filter((status) => status >= 400)).toEqual([]);
    answers.push((await call(`${gateway.url}/v1/audit?limit=200`, { key: testKeys.operator })).text);
    answers.push((await call(`${gateway.url}/v1/jobs/${running.jobId}`, { key: testKeys.operator })).text);

    const rows = await dump();
    expect(rows).toContain('done: password=[redacted]');
    expect(leaks(rows)).toEqual([]);
    expect(leaks(answers.join('\n'))).toEqual([]);
    expect(leaks(gateway.logLines.join('\n'))).toEqual([]);
    const histories = await until(
      async () => {
        const found = await readInputs();
        return found.filter((text) => text.includes('done: password=[redacted]')).length > 3 ? found : undefined;
      },
      { what: 'the list of workflows has those that were started' },
    );
    expect(leaks(histories.join('\n'))).toEqual([]);
  });
});

describe('what the CLI brings to an activity, through the border of its workflow', () => {
  const logLines: string[] = [];
  const destination = new PassThrough();
  destination.on('data', (chunk: Buffer) => logLines.push(chunk.toString()));
  const deps = () => ({
    ...makeDeps(database.pool),
    log: createLog({
      level: 'debug',
      process: 'test',
      destination,
    }),
    hosts: { ...makeDeps(database.pool).hosts, askToCancel: async () => await Promise.reject(new Error('not here')) },
    cancelMeans: ['listener'] as const,
    secrets: null,
  });

  it('P8: is in no row and no answer with its passwords, tokens and addresses, nor longer than is stated', async () => {
    await addWorker(database.pool, { workerId: 'typed-worker', host: '10.9.9.8' });
    const [cancelled, resumed, resolved, retried] = [
      await insertJob(database.pool, { state: 'running' }),
      await insertJob(database.pool, { state: 'waiting_human', humanKind: 'blocker' }),
      await insertJob(database.pool, { state: 'uncertain' }),
      await insertJob(database.pool, { state: 'uncertain' }),
    ];
    const long = `${typed} ${'because '.repeat(190_000)}`;
    const actor = `${typed}\u0000\ud800`;
    const owner = 'a-run';
    await database.pool.query('update yardmaster.job set owner = $1', [owner]);
    const input = <Input>({ input: parsed }: { input: Input | null }): Input => {
      if (parsed === null) throw new Error('the border refuses it');
      return parsed;
    };
    const answered = [
      await createCancelActivities(deps()).openCancel(
        input(parseFields({ jobId: cancelled.jobId, reason: long, actor, source: typed }, starts.cancelJob)),
      ),
      await createResumeActivities(deps()).openResume(input(parseFields({ jobId: resumed.jobId, note: long, actor }, starts.resumeJob))),
      await createJobActivities(deps()).resolveJob({
        jobId: resolved.jobId,
        owner,
        ...input(parseFields({ submitted: false, note: long, actor }, messageShapes.resolve)),
      }),
      await createJobActivities(deps()).retryJob({
        jobId: retried.jobId,
        owner,
        ...input(parseFields({ confirm: true, actor }, messageShapes.retry)),
      }),
      await createWorkerActActivities({ ...deps(), heartbeat: () => undefined }).openDrain(
        input(parseFields({ workerId: 'typed-worker', reason: long, actor }, starts.drainWorker)),
      ),
    ];
    const rows = await dump();
    expect(leaks(`${rows}${JSON.stringify(answered)}${logLines.join('')}`)).toEqual([]);
    expect(rows).toContain(personTextCutMark);
    expect(rows).not.toMatch(new RegExp(`[^\\n]{${personTextCharsMax * 8}}`));
  });
});

/** The only job, which a worker has claimed and our run `a-run` owns. */
const claimedJob = async (): Promise<{ jobId: string; attemptId: string }> => {
  await emptyTables(database.pool);
  await addWorker(database.pool);
  const jobId = await addWaitingJob(database.pool, { acceptedAgoMs: 60_000 });
  await database.pool.query(`update yardmaster.job set owner = 'a-run' where job_id = $1`, [jobId]);
  const [assignment] = await assignAll(database.pool);
  if (assignment === undefined) throw new Error('nobody took the job');
  await claim(database.pool, assignment.workerId);
  return { jobId, attemptId: assignment.attemptId };
};

test('P8: the address of a page that waits for a person loses its secrets on its way into our rows, the mirror and the callback', async () => {
  const { jobId, attemptId } = await claimedJob();
  const page = 'https://u:hunter2planted@site.test/apply?id=7&token=plantedpage#access_token=plantedpage';
  const interaction = { page_url: page, description: `Look at ${page}`, screenshot_url: 'https://s3.test/1.png?X-Amz-Signature=abc' };
  await database.pool.query(
    `update gh_automation_jobs set status = 'paused', paused_at = now(), last_heartbeat = now(), interaction_type = 'captcha', interaction_data = $2
     where id = $1`,
    [attemptId, JSON.stringify(interaction)],
  );
  await database.pool.query(
    `insert into gh_job_events (job_id, event_type, message, metadata) values ($1, 'progress_update', $2, jsonb_build_object('step', 'filling', 'at', $2::text, 'n', 1))`,
    [attemptId, `Look at "${page}" \\`],
  );
  const view = await createJobActivities(makeDeps(database.pool)).advanceJob({ jobId, owner: 'a-run' });
  expect(view).toMatchObject({ state: 'waiting_human' });
  const { rows } = await database.pool.query<{ mirror: string; callbacks: string; ours: string }>(
    `select g.interaction_data::text as mirror, (select string_agg(c.body::text, ' ') from yardmaster.callback c) as callbacks, j::text as ours
     from gh_automation_jobs g join yardmaster.job j on j.job_id = g.id where g.id = $1`,
    [jobId],
  );
  expect(rows[0]?.mirror).toContain('https://site.test/apply?id=7');
  expect(rows[0]?.callbacks).toContain('https://site.test/apply?id=7');
  const { rows: events } = await database.pool.query<{ message: string; metadata: object }>(
    `select message, metadata from gh_job_events where job_id = $1 and event_type = 'progress_update'`,
    [jobId],
  );
  const shown = 'Look at "https://[redacted]@site.test/apply?id=7&token=[redacted]#access_token=[redacted]" \\';
  expect(events).toEqual([{ message: shown, metadata: { step: 'filling', at: shown, n: 1 } }]);
  expect(leaks(JSON.stringify([rows, view]))).toEqual([]);
  expect(rows[0]?.mirror).toContain('X-Amz-Signature=abc');
});

test('P8: what a worker wrote of its failure is in our rows, the history, the mirror and the callback without its secrets, and cut', async () => {
  const { jobId, attemptId } = await claimedJob();
  await database.pool.query(
    `update gh_automation_jobs set status = 'failed', completed_at = now(), error_code = 'validation_error', error_details = jsonb_build_object('message', $2::text)
     where id = $1`,
    [attemptId, `${typed} ${'waiting for the selector '.repeat(60_000)}`],
  );
  const view = await createJobActivities(makeDeps(database.pool)).advanceJob({ jobId, owner: 'a-run' });
  expect(view).toMatchObject({ state: 'failed' });
  const { rows } = await database.pool.query<{ row: string }>(
    `select g::text as row from gh_automation_jobs g where id = $1 union all select j::text from yardmaster.job j
     union all select t::text from yardmaster.job_transition t union all select c::text from yardmaster.callback c`,
    [jobId],
  );
  const all = [...rows.map(({ row }) => row), JSON.stringify(view)];
  expect(all.filter((text) => text.includes('done: password=[redacted]')).length).toBeGreaterThanOrEqual(4);
  expect(leaks(all.join(' '))).toEqual([]);
  expect(Math.max(...all.map((text) => text.length))).toBeLessThan(10_000);
});
