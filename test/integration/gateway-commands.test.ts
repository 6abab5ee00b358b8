import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { commandOutcomes, type CommandOutcome, type RouteTaken } from '../../src/contracts/command';
import { makeApplyJobId, makeCancelJobId, makeResumeJobId } from '../../src/contracts/ids';
import { taskQueues } from '../../src/contracts/messages';
import { findCommand, listCommands, updateCommand, type Command } from '../../src/db/commands/commands';
import { findJob, openNextGeneration } from '../../src/db/jobs/jobs';
import { withTransaction } from '../../src/db/pool';
import { takeSecret } from '../../src/db/commands/secrets';
import { outcomes } from '../../src/domain/command-outcome';
import { commandProblemSchema, commandSchema } from '../../src/gateway/schemas/commands';
import { jobDetailsSchema } from '../../src/gateway/schemas/job-answers';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { createSecretBox } from '../../src/secret-box';
import { ensureSearchAttributes } from '../../src/temporal/namespace';
import { projectRoot } from '../../src/project-root';
import { withDatabase } from '../support/database';
import { call, startTestGateway, testKeys, testSecretsKey, type Reply, type TestGateway } from '../support/gateway';
import { insertJob, setJob } from '../support/job-rows';
import { withTemporal } from '../support/temporal';
import { until } from '../support/until';

Runtime.install({ logger: new DefaultLogger('ERROR') });

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;

beforeAll(async () => {
  await ensureSearchAttributes(temporal.connection, temporal.namespace);
  gateway = await startTestGateway({ pool: database.pool, workflows: createWorkflowsClient(temporal.client, { deadlineMs: 30_000 }) });
});
afterAll(async () => await gateway.stop());

const post = async (place: string, json?: unknown, at = gateway): Promise<Reply> =>
  await call(`${at.url}${place}`, { key: testKeys.operator, ...(json === undefined ? { method: 'POST' } : { json }) });
const get = async (place: string): Promise<Reply> => await call(`${gateway.url}${place}`, { key: testKeys.readOnly });

const typeOf = async (workflowId: string): Promise<string | null> => {
  try {
    return (await temporal.client.workflow.getHandle(workflowId).describe()).type;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
};

const openOne = async (jobId: string): Promise<Command> =>
  await until(async () => (await listCommands(database.pool, { jobId, rows: 10 })).find(({ endedAt }) => endedAt === null), {
    what: 'a command is open',
  });

const ownerRoute: RouteTaken = {
  route: 'owner',
  attemptId: randomUUID(),
  workerId: 'worker-1',
  host: '10.0.0.1',
  instanceId: null,
  reason: 'the worker that owns the job',
  steps: [{ lookedUp: 'registry', found: '10.0.0.1', level: 'info', reason: 'live' }],
};

/** What the command's workflow would write. */
const settle = async (jobId: string, outcome: CommandOutcome, { isEnd = true } = {}): Promise<void> => {
  const { commandId } = await openOne(jobId);
  const means = [{ means: 'listener' as const, result: 'ended' }];
  await updateCommand(database.pool, { commandId, route: ownerRoute, means, outcome, detail: outcomes[outcome].words, isEnd });
};

describe('cancel', () => {
  it('writes the row, starts the workflow, and answers with where it went, why, and what came of it', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'running' });
    const [reply] = await Promise.all([post(`/v1/jobs/${jobId}/cancel?wait=20`, { reason: 'another offer' }), settle(jobId, 'cancelled')]);
    expect(reply.status).toBe(200);
    const command = commandSchema.parse(reply.body);
    expect(command).toMatchObject({
      jobId,
      kind: 'cancel',
      actor: 'ops',
      reason: 'another offer',
      outcome: 'cancelled',
      words: outcomes.cancelled.words,
      route: ownerRoute,
      means: [{ means: 'listener', result: 'ended' }],
      jobState: 'running',
    });
    expect(reply.headers.get('location')).toBe(`/v1/commands/${command.commandId}`);
    const handle = temporal.client.workflow.getHandle(makeCancelJobId({ jobId }));
    expect(await handle.describe()).toMatchObject({ type: 'cancelJob', taskQueue: taskQueues.orchestrator });
    expect((await findJob(database.pool, jobId))?.isCancelRequested).toBe(true);
  });

  it('answers 202 with where to look when the time is over, and shows the open command at its job', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'running' });
    const reply = await post(`/v1/jobs/${jobId}/cancel?wait=0`);
    expect(reply).toMatchObject({ status: 202, body: { outcome: null, endedAt: null, words: 'Under way' } });
    const place = reply.headers.get('location') ?? '';
    expect(commandSchema.parse((await get(place)).body)).toEqual(commandSchema.parse(reply.body));
    const job = jobDetailsSchema.parse((await get(`/v1/jobs/${jobId}`)).body);
    expect(job.commands).toEqual({ open: [reply.body], last: [reply.body] });
    expect((await get(`/v1/jobs/${jobId}/commands`)).body).toEqual({ commands: [reply.body] });
    await settle(jobId, 'cancelled');
    expect((await get(place)).body).toMatchObject({ outcome: 'cancelled' });
  });

  it('makes one command and one workflow of ten racing cancels', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'running' });
    const haveAllCome = async (): Promise<boolean> => {
      const { rows } = await database.pool.query<{ n: number }>(
        `select count(*)::int as n from yardmaster.audit where subject = $1 and act = 'cancel'`,
        [jobId],
      );
      return rows[0]?.n === 10;
    };
    const [replies] = await Promise.all([
      Promise.all(Array.from({ length: 10 }, async () => await post(`/v1/jobs/${jobId}/cancel?wait=20`))),
      until(haveAllCome, { what: 'all ten have come' }).then(async () => await settle(jobId, 'cancelled')),
    ]);
    expect(new Set(replies.map(({ body }) => body.commandId)).size).toBe(1);
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await listCommands(database.pool, { jobId, rows: 20 })).toHaveLength(1);
  });

  it.each(commandOutcomes)('answers the outcome %s with the status of the table', async (outcome) => {
    const { jobId } = await insertJob(database.pool, { state: 'running' });
    const [reply] = await Promise.all([
      post(`/v1/jobs/${jobId}/cancel?wait=20`),
      settle(jobId, outcome, { isEnd: outcome !== 'unconfirmed' }),
    ]);
    expect(reply).toMatchObject({ status: outcomes[outcome].httpStatus, body: { outcome } });
  });

  it.each(['succeeded', 'failed', 'cancelled', 'expired'] as const)(
    'answers 409 for a job that has %s, with its state and without a workflow',
    async (state) => {
      const { jobId } = await insertJob(database.pool, { state });
      const reply = await post(`/v1/jobs/${jobId}/cancel`);
      expect(reply.status).toBe(409);
      expect(reply.headers.get('content-type')).toMatch('application/problem+json');
      expect(commandProblemSchema.parse(reply.body)).toMatchObject({
        code: 'job_state_conflict',
        outcome: 'already_finished',
        jobState: state,
        detail: expect.stringContaining(state),
      });
      expect(await typeOf(makeCancelJobId({ jobId }))).toBeNull();
      expect((await findJob(database.pool, jobId))?.isCancelRequested).toBe(false);
    },
  );

  it('keeps an accepted cancel while Temporal is away', async () => {
    const connection = Connection.lazy({ address: '127.0.0.1:1' });
    const workflows = createWorkflowsClient(new Client({ connection, namespace: 'none' }), { deadlineMs: 800 });
    const away = await startTestGateway({ pool: database.pool, workflows });
    const { jobId } = await insertJob(database.pool, { state: 'running' });
    const startedAt = Date.now();
    expect(await post(`/v1/jobs/${jobId}/cancel?wait=30`, undefined, away)).toMatchObject({ status: 202, body: { outcome: null } });
    // It does not use up its wait: nobody carries the cancel out meanwhile.
    expect(Date.now() - startedAt).toBeLessThan(30_000);
    expect((await findJob(database.pool, jobId))?.isCancelRequested).toBe(true);
    await away.stop();
    await connection.close();
  });
});

describe('resume', () => {
  const secretsOf = async (jobId: string): Promise<number> => {
    const { rows } = await database.pool.query<{ n: number }>(
      'select count(*)::int as n from yardmaster.secret join yardmaster.command using (command_id) where job_id = $1',
      [jobId],
    );
    return rows[0]?.n ?? -1;
  };

  it('keeps the code sealed for its workflow, and in no other place', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'waiting_human', humanKind: 'blocker' });
    const code = 'code-5550199';
    const reply = await post(`/v1/jobs/${jobId}/resume?wait=0`, { resolutionType: 'code_entry', code, note: `it is ${code}` });
    expect(reply).toMatchObject({ status: 202, body: { kind: 'resume', reason: 'it is [redacted]' } });
    const { rows } = await database.pool.query<{ found: boolean }>(
      `select exists (select from yardmaster.command c where c::text like $1) or exists (select from yardmaster.audit a where a::text like $1)
         or exists (select from yardmaster.secret s where encode(s.sealed, 'escape') like $1) as found`,
      [`%${code}%`],
    );
    expect(rows[0]?.found).toBe(false);
    const history = await temporal.client.workflow.getHandle(makeResumeJobId({ jobId })).fetchHistory();
    expect(Buffer.from(JSON.stringify(history)).toString()).not.toMatch(code);
    const payloads = history.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
    expect(payloads.map(({ data }) => JSON.parse(Buffer.from(data ?? []).toString()) as unknown)).toEqual([
      { jobId, resolutionType: 'code_entry', actor: 'ops', source: 'rest', note: 'it is [redacted]' },
    ]);
    expect(gateway.logLines.join('')).not.toMatch(code);
    const sealed = await takeSecret(database.pool, String(reply.body.commandId));
    const box = createSecretBox({ current: testSecretsKey, previous: null });
    expect(JSON.parse(box.open(sealed ?? Buffer.of()))).toEqual({ code });
  });

  it('answers what came of it', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'waiting_human', humanKind: 'blocker' });
    const body = { resolutionType: 'credentials', username: 'ada', password: 'correct horse' };
    const [reply] = await Promise.all([post(`/v1/jobs/${jobId}/resume?wait=20`, body), settle(jobId, 'resumed')]);
    expect(reply).toMatchObject({ status: 200, body: { outcome: 'resumed', route: { route: 'owner' } } });
  });

  it('refuses a second one while the first is under way, and names it', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'waiting_human', humanKind: 'blocker' });
    const first = await post(`/v1/jobs/${jobId}/resume?wait=0`, { resolutionType: 'code_entry', code: '111111' });
    const second = await post(`/v1/jobs/${jobId}/resume?wait=0`, { resolutionType: 'code_entry', code: '222222' });
    expect(second).toMatchObject({ status: 409, body: { code: 'command_under_way' } });
    expect(second.body.detail).toMatch(String(first.body.commandId));
    expect(await secretsOf(jobId)).toBe(1);
  });

  it('refuses one while the workflow of the last one is still at work, and forgets its code', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'waiting_human', humanKind: 'blocker' });
    await post(`/v1/jobs/${jobId}/resume?wait=0`, { resolutionType: 'manual' });
    await settle(jobId, 'resumed');
    const second = await post(`/v1/jobs/${jobId}/resume?wait=5`, { resolutionType: 'code_entry', code: '222222' });
    expect(second).toMatchObject({ status: 409, body: { outcome: 'refused' } });
    expect(second.body.detail).toMatch('repeat in a few seconds');
    expect(await secretsOf(jobId)).toBe(0);
  });

  it('refuses one for an ended job, and keeps nothing of its code', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'succeeded' });
    const reply = await post(`/v1/jobs/${jobId}/resume`, { resolutionType: 'code_entry', code: '333333' });
    expect(reply).toMatchObject({ status: 409, body: { outcome: 'refused', jobState: 'succeeded' } });
    expect(await secretsOf(jobId)).toBe(0);
    expect(await typeOf(makeResumeJobId({ jobId }))).toBeNull();
  });

  it('takes no secret where there is no key for it, and says what to do instead', async () => {
    const workflows = createWorkflowsClient(temporal.client, { deadlineMs: 30_000 });
    const keyless = await startTestGateway({ pool: database.pool, workflows, hasSecretsKey: false });
    const { jobId } = await insertJob(database.pool, { state: 'waiting_human', humanKind: 'blocker' });
    const refused = await post(`/v1/jobs/${jobId}/resume`, { resolutionType: 'code_entry', code: '444444' }, keyless);
    expect(refused).toMatchObject({ status: 503, body: { code: 'secrets_key_missing' } });
    expect(await listCommands(database.pool, { jobId, rows: 1 })).toEqual([]);
    expect((await post(`/v1/jobs/${jobId}/resume?wait=0`, { resolutionType: 'manual' }, keyless)).status).toBe(202);
    await keyless.stop();
  });
});

describe('retry', () => {
  it('opens the next generation of an ended job, and starts its workflow although the last one has completed', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'failed' });
    // A queue of its own: a worker on the usual one would find the commands of the other tests.
    const taskQueue = temporal.unique('retry');
    const workflows = createWorkflowsClient(temporal.client, { deadlineMs: 30_000, taskQueue });
    const own = await startTestGateway({ pool: database.pool, workflows });
    const connection = await NativeConnection.connect({ address: temporal.address });
    const { namespace } = temporal;
    const workflowsPath = path.join(projectRoot(), 'test/fixtures/ending-apply-job.ts');
    const worker = await Worker.create({ connection, namespace, taskQueue, workflowsPath });
    const workflowId = makeApplyJobId({ jobId });
    const first = await temporal.client.workflow.start('applyJob', { workflowId, taskQueue, args: [{ jobId }] });
    await worker.runUntil(first.result());
    await connection.close();

    const reply = await post(`/v1/jobs/${jobId}/retry`, undefined, own);
    expect(reply).toMatchObject({ status: 200, body: { kind: 'retry', outcome: 'reopened', generation: 1, jobState: 'accepted' } });
    expect(await findJob(database.pool, jobId)).toMatchObject({ generation: 2, state: 'accepted', endedAt: null });
    const described = await temporal.client.workflow.getHandle(workflowId).describe();
    expect(described.status.name).toBe('RUNNING');
    expect(described.runId).not.toBe(first.firstExecutionRunId);
    const { rows } = await database.pool.query<{ status: string }>('select status from gh_automation_jobs where id = $1', [jobId]);
    expect(rows[0]?.status).toBe('pending');
    await own.stop();
  });

  it.each([
    ['failed', 'maybe'],
    ['succeeded', 'yes'],
    ['uncertain', 'maybe'],
  ] as const)('P3: refuses a job that %s and is submitted %s until somebody confirms', async (state, submission) => {
    const { jobId } = await insertJob(database.pool, { state, submission });
    const refused = await post(`/v1/jobs/${jobId}/retry`, { confirm: false });
    expect(refused.status).toBe(409);
    expect(commandProblemSchema.parse(refused.body)).toMatchObject({ code: 'confirmation_needed', outcome: 'refused', jobState: state });
    expect(refused.body.detail).toMatch('confirm');
    expect(await findJob(database.pool, jobId)).toMatchObject({ generation: 1, state });
    expect(await typeOf(makeApplyJobId({ jobId }))).toBeNull();
  });

  it('opens the next generation of a job that may be submitted once somebody confirms', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'failed', submission: 'maybe' });
    expect(await post(`/v1/jobs/${jobId}/retry`, { confirm: true })).toMatchObject({ status: 200, body: { outcome: 'reopened' } });
    expect(await findJob(database.pool, jobId)).toMatchObject({ generation: 2, submission: 'no' });
  });

  it('opens one generation of five racing retries', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'failed' });
    const replies = await Promise.all(Array.from({ length: 5 }, async () => await post(`/v1/jobs/${jobId}/retry`)));
    expect(replies.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([200, 409, 409, 409, 409]);
    expect(await findJob(database.pool, jobId)).toMatchObject({ generation: 2 });
  });

  it.each(['accepted', 'waiting', 'assigned', 'running', 'waiting_human'] as const)('refuses a job that is %s', async (state) => {
    const { jobId } = await insertJob(database.pool, { state });
    expect(await post(`/v1/jobs/${jobId}/retry`, { confirm: true })).toMatchObject({
      status: 409,
      body: { code: 'job_state_conflict', outcome: 'refused', jobState: state },
    });
  });

  it('refuses a job whose task has another live job by now', async () => {
    const { jobId, taskId } = await insertJob(database.pool, { state: 'failed' });
    await insertJob(database.pool, { state: 'running', taskId });
    const reply = await post(`/v1/jobs/${jobId}/retry`);
    expect(reply).toMatchObject({ status: 409, body: { code: 'job_state_conflict' } });
    expect(reply.body.detail).toMatch('another live job');
    expect(await findJob(database.pool, jobId)).toMatchObject({ generation: 1, state: 'failed' });
  });

  it('signals the workflow of an uncertain job, and answers when the next generation is open', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'uncertain', submission: 'maybe' });
    const asWorkflow = async (): Promise<void> => {
      await until(async () => (await signalsOf(jobId)).length > 0, { what: 'the signal is there' });
      await withTransaction(database.pool, async (client) => {
        await setJob(client, jobId, { state: 'failed', reason: 'retried_by_person', submission: 'maybe' });
        await openNextGeneration(client, { jobId, actor: 'ops', jobMs: 60_000 });
      });
    };
    const [reply] = await Promise.all([post(`/v1/jobs/${jobId}/retry?wait=20`, { confirm: true }), asWorkflow()]);
    expect(reply).toMatchObject({ status: 200, body: { outcome: 'reopened', jobState: 'accepted' } });
    expect(await signalsOf(jobId)).toEqual([['retry', { confirm: true, actor: 'ops' }]]);
  });
});

describe('resolve', () => {
  it.each([
    ['uncertain', null, true],
    ['waiting_human', 'review', false],
  ] as const)('signals the workflow of a job that is %s (%s), and answers how it ended', async (state, humanKind, submitted) => {
    const { jobId } = await insertJob(database.pool, { state, humanKind, submission: 'maybe' });
    const asWorkflow = async (): Promise<void> => {
      await until(async () => (await signalsOf(jobId)).length > 0, { what: 'the signal is there' });
      await setJob(database.pool, jobId, {
        state: submitted ? 'succeeded' : 'failed',
        reason: submitted ? 'resolved_submitted' : 'resolved_not_submitted',
      });
    };
    const [reply] = await Promise.all([post(`/v1/jobs/${jobId}/resolve?wait=20`, { submitted, note: 'I looked' }), asWorkflow()]);
    expect(reply).toMatchObject({
      status: 200,
      body: { kind: 'resolve', outcome: 'resolved', jobState: submitted ? 'succeeded' : 'failed' },
    });
    expect(await signalsOf(jobId)).toEqual([['resolve', { submitted, actor: 'ops', note: 'I looked' }]]);
  });

  it.each([
    ['running', null, 'running'],
    ['succeeded', null, 'succeeded'],
    ['waiting_human', 'blocker', 'resume it'],
  ] as const)('refuses a job that is %s (%s), and says what it is', async (state, humanKind, words) => {
    const { jobId } = await insertJob(database.pool, { state, humanKind });
    const reply = await post(`/v1/jobs/${jobId}/resolve`, { submitted: true });
    expect(reply).toMatchObject({ status: 409, body: { outcome: 'refused', jobState: state } });
    expect(reply.body.detail).toMatch(words);
  });

  it('writes nothing when somebody looks: what carries a word out ends it, and the sweep what is left', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'uncertain', submission: 'maybe' });
    const reply = await post(`/v1/jobs/${jobId}/resolve?wait=0`, { submitted: true });
    expect(reply.status).toBe(202);
    const rows = async (): Promise<unknown> =>
      (
        await database.pool.query(
          `select c.*, (select count(*) from yardmaster.audit) as acts from yardmaster.command c where job_id = $1`,
          [jobId],
        )
      ).rows;
    await setJob(database.pool, jobId, { state: 'succeeded', reason: 'resolved_submitted', submission: 'yes' });
    const before = await rows();
    await get(reply.headers.get('location') ?? '');
    await get(`/v1/jobs/${jobId}/commands`);
    await get(`/v1/jobs/${jobId}`);
    expect(await rows()).toEqual(before);
  });

  it('ends a word that nobody waited for before the next one, which it would be in the way of', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'uncertain', submission: 'maybe' });
    const { body } = await post(`/v1/jobs/${jobId}/resolve?wait=0`, { submitted: true });
    await setJob(database.pool, jobId, { state: 'succeeded', reason: 'resolved_submitted', submission: 'yes' });
    expect(await post(`/v1/jobs/${jobId}/resolve`, { submitted: false })).toMatchObject({ status: 409, body: { outcome: 'refused' } });
    expect((await findCommand(database.pool, String(body.commandId)))?.outcome).toBe('resolved');
  });

  it('answers 503 while Temporal is away, and leaves nothing open that nobody carries out', async () => {
    const connection = Connection.lazy({ address: '127.0.0.1:1' });
    const workflows = createWorkflowsClient(new Client({ connection, namespace: 'none' }), { deadlineMs: 800 });
    const away = await startTestGateway({ pool: database.pool, workflows });
    const { jobId } = await insertJob(database.pool, { state: 'uncertain', submission: 'maybe' });
    expect(await post(`/v1/jobs/${jobId}/resolve`, { submitted: true }, away)).toMatchObject({
      status: 503,
      body: { code: 'unavailable' },
    });
    expect(await listCommands(database.pool, { jobId, rows: 5 })).toMatchObject([{ outcome: 'refused', endedAt: expect.any(String) }]);
    await away.stop();
    await connection.close();
  });
});

describe('bad input', () => {
  it.each(['cancel', 'resume', 'retry', 'resolve'])('answers 404 for a %s of an unknown job', async (kind) => {
    const bodies: Record<string, object> = { resume: { resolutionType: 'manual' }, resolve: { submitted: true } };
    expect(await post(`/v1/jobs/${randomUUID()}/${kind}`, bodies[kind] ?? {})).toMatchObject({
      status: 404,
      body: { code: 'job_not_found' },
    });
  });

  it('answers 404 for an unknown command and for the commands of an unknown job', async () => {
    expect(await get(`/v1/commands/${randomUUID()}`)).toMatchObject({ status: 404, body: { code: 'command_not_found' } });
    expect(await get(`/v1/jobs/${randomUUID()}/commands`)).toMatchObject({ status: 404, body: { code: 'job_not_found' } });
  });

  it.each([
    ['cancel', { reasn: 'x' }, 'reasn'],
    ['cancel', { reason: 'x'.repeat(501) }, 'reason'],
    ['resume', { resolutionType: 'code_entry' }, 'code'],
    ['resume', { resolutionType: 'code_entry', code: '1'.repeat(65) }, 'code'],
    ['resume', { resolutionType: 'credentials', username: 'ada' }, 'password'],
    ['resume', { resolutionType: 'manual', code: '123456' }, 'code'],
    ['resume', { resolutionType: 'telepathy' }, 'resolutionType'],
    ['resume', {}, 'resolutionType'],
    ['retry', { confirm: 'yes' }, 'confirm'],
    ['resolve', { note: 'x' }, 'submitted'],
  ])('names the field of a wrong %s: %j', async (kind, body, field) => {
    const { jobId } = await insertJob(database.pool, { state: 'waiting_human', humanKind: 'blocker' });
    const reply = await post(`/v1/jobs/${jobId}/${kind}`, body);
    expect(reply).toMatchObject({ status: 422, body: { code: 'invalid' } });
    expect(reply.body.errors).toEqual(expect.arrayContaining([expect.objectContaining({ path: field })]));
    expect(reply.text).not.toMatch('123456');
    expect(await listCommands(database.pool, { jobId, rows: 1 })).toEqual([]);
  });

  it.each(['31', '-1', '1.5', 'x', ''])('refuses to wait %s seconds', async (wait) => {
    const { jobId } = await insertJob(database.pool);
    expect(await post(`/v1/jobs/${jobId}/cancel?wait=${wait}`)).toMatchObject({ status: 400, body: { code: 'malformed' } });
  });
});

const signalsOf = async (jobId: string): Promise<unknown[]> => {
  const { events } = await temporal.client.workflow.getHandle(makeApplyJobId({ jobId })).fetchHistory();
  return (events ?? []).flatMap(({ workflowExecutionSignaledEventAttributes: signal }) =>
    signal ? [[signal.signalName, JSON.parse(Buffer.from(signal.input?.payloads?.[0]?.data ?? []).toString()) as unknown]] : [],
  );
};
