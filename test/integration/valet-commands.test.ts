import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { commandOutcomes, type CommandOutcome } from '../../src/contracts/command';
import { makeCancelJobId, makeResumeJobId } from '../../src/contracts/ids';
import { listCommands, updateCommand } from '../../src/db/commands/commands';
import { findJob } from '../../src/db/jobs/jobs';
import { takeSecret } from '../../src/db/commands/secrets';
import { outcomes } from '../../src/domain/command-outcome';
import {
  valetCancelledSchema,
  valetRefusedSchema,
  valetResumedSchema,
  valetRetriedSchema,
} from '../../src/gateway/compat/valet-command-schemas';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { createSecretBox } from '../../src/secret-box';
import { ensureSearchAttributes } from '../../src/temporal/namespace';
import { withDatabase } from '../support/database';
import { call, startTestGateway, testKeys, testSecretsKey, type Reply, type TestGateway } from '../support/gateway';
import { insertJob } from '../support/job-rows';
import { withTemporal } from '../support/temporal';
import { until } from '../support/until';

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;
let impatient: TestGateway;

beforeAll(async () => {
  await ensureSearchAttributes(temporal.connection, temporal.namespace);
  const workflows = createWorkflowsClient(temporal.client, { deadlineMs: 30_000 });
  gateway = await startTestGateway({ pool: database.pool, workflows });
  impatient = await startTestGateway({ pool: database.pool, workflows, limits: { productCommandWaitMs: 0 } });
});
afterAll(async () => await Promise.all([gateway.stop(), impatient.stop()]));

/** As VALET's client does: its own header, and no body where it has none (valet §1.1). */
const post = async (place: string, json?: unknown, at = gateway): Promise<Reply> => {
  const reply = await call(`${at.url}/api/v1/gh${place}`, {
    headers: { 'x-gh-service-key': testKeys.service },
    ...(json === undefined ? { method: 'POST' } : { json }),
  });
  expect(reply.headers.get('content-type')).toMatch('application/json');
  expect(reply.status).not.toBe(409);
  return reply;
};

const settle = async (jobId: string, outcome: CommandOutcome): Promise<void> => {
  const { commandId } = await until(
    async () => (await listCommands(database.pool, { jobId, rows: 5 })).find(({ endedAt }) => endedAt === null),
    {
      what: 'a command is open',
    },
  );
  await updateCommand(database.pool, { commandId, outcome, detail: outcomes[outcome].words, isEnd: true });
};

describe('cancel', () => {
  it('answers in the shape of GH without a body, with what really came of it', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'running' });
    const asWorkflow = async (): Promise<void> => {
      await until(async () => (await findJob(database.pool, jobId))?.isCancelRequested, { what: 'the cancel is there' });
      await database.pool.query(`update yardmaster.job set state = 'cancelled', ended_at = now() where job_id = $1`, [jobId]);
      await settle(jobId, 'cancelled');
    };
    const [reply] = await Promise.all([post(`/jobs/${jobId}/cancel`), asWorkflow()]);
    expect(reply.status).toBe(200);
    expect(valetCancelledSchema.parse(reply.body)).toMatchObject({
      id: jobId,
      status: 'cancelled',
      cancelled_at: (await findJob(database.pool, jobId))?.endedAt?.toISOString(),
      outcome: 'cancelled',
      job_state: 'cancelled',
    });
    const described = await temporal.client.workflow.getHandle(makeCancelJobId({ jobId })).describe();
    expect(described.type).toBe('cancelJob');
  });

  it.each([
    ['succeeded', 'completed'],
    ['failed', 'failed'],
    ['cancelled', 'cancelled'],
    ['expired', 'expired'],
  ] as const)('answers 200 for a job that has %s, as often as it is asked', async (state, status) => {
    const { jobId } = await insertJob(database.pool, { state });
    for (let asked = 1; asked <= 2; asked++) {
      const reply = await post(`/jobs/${jobId}/cancel`);
      expect(reply).toMatchObject({ status: 200, body: { id: jobId, status, outcome: 'already_finished', job_state: state } });
      expect(String(reply.body.message).match(/ended first/g)).toHaveLength(1);
    }
  });

  it('answers 202 with the present state when it is not over in time', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'running' });
    const reply = await post(`/jobs/${jobId}/cancel`, {}, impatient);
    expect(reply.status).toBe(202);
    expect(valetCancelledSchema.parse(reply.body)).toMatchObject({ status: 'running', cancelled_at: null, outcome: null });
  });

  it.each(commandOutcomes)('answers the outcome %s with the status of the table, which is never 409', async (outcome) => {
    const { jobId } = await insertJob(database.pool, { state: 'running' });
    const [reply] = await Promise.all([post(`/jobs/${jobId}/cancel`), settle(jobId, outcome)]);
    expect(reply).toMatchObject({ status: outcomes[outcome].productStatus, body: { outcome } });
    expect((reply.status >= 400 ? valetRefusedSchema : valetCancelledSchema).safeParse(reply.body).success).toBe(true);
  });
});

describe('retry', () => {
  it('opens the next generation, and is no error when it is asked again', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'failed' });
    const first = await post(`/jobs/${jobId}/retry`);
    expect(first.status).toBe(200);
    expect(valetRetriedSchema.parse(first.body)).toMatchObject({ id: jobId, status: 'pending', outcome: 'reopened' });
    const second = await post(`/jobs/${jobId}/retry`);
    expect(second.status).toBe(200);
    expect(valetRetriedSchema.parse(second.body)).toMatchObject({ id: jobId, status: 'pending' });
    expect(await findJob(database.pool, jobId)).toMatchObject({ generation: 2, state: 'accepted' });
  });

  it('P3: refuses with 423 what may be submitted already, until somebody confirms', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'failed', submission: 'maybe' });
    const refused = await post(`/jobs/${jobId}/retry`);
    expect(refused.status).toBe(423);
    expect(valetRefusedSchema.parse(refused.body)).toMatchObject({ error: 'invalid_state', outcome: 'refused', job_state: 'failed' });
    expect(refused.body.message).toMatch('submitted');
    expect(await findJob(database.pool, jobId)).toMatchObject({ generation: 1 });
    expect((await post(`/jobs/${jobId}/retry`, { confirm: true })).status).toBe(200);
  });

  it('refuses with 423 a job that still runs, and one whose task has another live job', async () => {
    const running = await insertJob(database.pool, { state: 'running' });
    expect((await post(`/jobs/${running.jobId}/retry`)).status).toBe(423);
    const { jobId, taskId } = await insertJob(database.pool, { state: 'failed' });
    await insertJob(database.pool, { taskId });
    expect((await post(`/jobs/${jobId}/retry`)).status).toBe(423);
  });
});

describe('resume', () => {
  const box = createSecretBox({ current: testSecretsKey, previous: null });
  const keptBy = async (jobId: string): Promise<unknown> => {
    const [command] = await listCommands(database.pool, { jobId, rows: 1 });
    const sealed = await takeSecret(database.pool, command?.commandId ?? '');
    return {
      type: command?.resolutionType,
      note: command?.reason,
      data: sealed === null ? null : (JSON.parse(box.open(sealed)) as unknown),
    };
  };

  it.each<[string, object | undefined, object]>([
    ['nothing at all', undefined, { type: 'manual', note: null, data: null }],
    [
      "VALET's words",
      { resolved_by: 'human', notes: 'from the inbox', resolution_type: 'code_entry', resolution_data: { code: '481516' } },
      { type: 'code_entry', note: 'from the inbox', data: { code: '481516' } },
    ],
    [
      "GH's words",
      { resolution_notes: 'typed', resolution_type: 'credentials', resolution_data: { username: 'ada', password: 'pw-1' } },
      { type: 'credentials', note: 'typed', data: { username: 'ada', password: 'pw-1' } },
    ],
    [
      'an e-mail address for the user name, and no type',
      { resolution_data: { email: 'ada@example.com', password: 'pw-2' }, extra: true },
      { type: 'credentials', note: null, data: { username: 'ada@example.com', password: 'pw-2' } },
    ],
    ['skip', { resolved_by: 'system', resolution_type: 'skip', resolution_data: null }, { type: 'skip', note: null, data: null }],
  ])('takes %s', async (_what, body, kept) => {
    const { jobId } = await insertJob(database.pool, { state: 'waiting_human', humanKind: 'blocker' });
    const reply = await post(`/valet/resume/${jobId}`, body, impatient);
    expect(reply.status).toBe(202);
    expect(valetResumedSchema.parse(reply.body)).toMatchObject({ job_id: jobId, status: 'paused' });
    expect(await keptBy(jobId)).toEqual(kept);
    const history = await temporal.client.workflow.getHandle(makeResumeJobId({ jobId })).fetchHistory();
    expect(
      Buffer.concat(
        (history.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? []).map(({ data }) => data ?? Buffer.of()),
      ).toString(),
    ).not.toMatch(/481516|pw-\d/);
  });

  it('answers as GH does when the worker went on', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'waiting_human', humanKind: 'blocker' });
    const [reply] = await Promise.all([post(`/valet/resume/${jobId}`, { resolution_type: 'manual' }), settle(jobId, 'resumed')]);
    expect(reply.status).toBe(200);
    expect(valetResumedSchema.parse(reply.body)).toMatchObject({
      job_id: jobId,
      status: 'running',
      resolved_by: 'human',
      resolution_type: 'manual',
    });
  });

  it.each(['refused', 'superseded'] as const)('answers 423 with the reason when it was %s', async (outcome) => {
    const { jobId } = await insertJob(database.pool, { state: 'waiting_human', humanKind: 'blocker' });
    const [reply] = await Promise.all([post(`/valet/resume/${jobId}`), settle(jobId, outcome)]);
    expect(reply).toMatchObject({ status: 423, body: { error: 'invalid_state', message: outcomes[outcome].words } });
  });

  it('answers 423 for an ended job and for a second resume', async () => {
    const ended = await insertJob(database.pool, { state: 'succeeded' });
    expect(await post(`/valet/resume/${ended.jobId}`)).toMatchObject({
      status: 423,
      body: { error: 'invalid_state', job_state: 'succeeded' },
    });
    const { jobId } = await insertJob(database.pool, { state: 'waiting_human', humanKind: 'blocker' });
    await post(`/valet/resume/${jobId}`, {}, impatient);
    expect(await post(`/valet/resume/${jobId}`, {}, impatient)).toMatchObject({ status: 423, body: { error: 'invalid_state' } });
  });

  it.each([
    [{ resolution_type: 'code_entry' }, 'resolution_data.code'],
    [{ resolution_type: 'credentials', resolution_data: { username: 'a' } }, 'resolution_data.password'],
    [{ resolution_type: 'code_entry', resolution_data: { code: '7'.repeat(65) } }, 'resolution_data.code'],
    [{ resolution_type: 'telepathy' }, 'resolution_type'],
  ])('answers 422 for %j and names the field in GH’s words', async (body, field) => {
    const { jobId } = await insertJob(database.pool, { state: 'waiting_human', humanKind: 'blocker' });
    const reply = await post(`/valet/resume/${jobId}`, body);
    expect(reply).toMatchObject({ status: 422, body: { error: 'validation_error' } });
    expect(reply.body.details).toEqual(expect.arrayContaining([expect.objectContaining({ field })]));
    expect(reply.text).not.toMatch('77777777');
  });
});

it.each(['/jobs/ID/cancel', '/jobs/ID/retry', '/valet/resume/ID'])('answers 404 in GH’s words for an unknown job at %s', async (place) => {
  expect(await post(place.replace('ID', randomUUID()))).toMatchObject({ status: 404, body: { error: 'not_found' } });
});

it('answers 503 when a retry cannot reach Temporal, and 202 for a cancel, whose row is the promise', async () => {
  const connection = Connection.lazy({ address: '127.0.0.1:1' });
  const workflows = createWorkflowsClient(new Client({ connection, namespace: 'none' }), { deadlineMs: 800 });
  const away = await startTestGateway({ pool: database.pool, workflows });
  const uncertain = await insertJob(database.pool, { state: 'uncertain', submission: 'maybe' });
  expect((await post(`/jobs/${uncertain.jobId}/retry`, { confirm: true }, away)).status).toBe(503);
  const running = await insertJob(database.pool, { state: 'running' });
  expect((await post(`/jobs/${running.jobId}/cancel`, undefined, away)).status).toBe(202);
  await away.stop();
  await connection.close();
});
