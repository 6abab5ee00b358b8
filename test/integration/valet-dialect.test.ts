import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Client, Connection } from '@temporalio/client';
import type { z } from 'zod';
import { makeApplyJobId } from '../../src/contracts/ids';
import {
  acceptedSchema,
  duplicateSchema,
  ghErrorSchema,
  healthSchema,
  modelsSchema,
  statusSchema,
} from '../../src/gateway/compat/valet-schemas';
import { applyExamples, taskExamples } from '../../src/gateway/examples';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { ensureSearchAttributes } from '../../src/temporal/namespace';
import { withDatabase } from '../support/database';
import { startTestGateway, testKeys, type TestGateway } from '../support/gateway';
import { withTemporal } from '../support/temporal';

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;

beforeAll(async () => {
  await ensureSearchAttributes(temporal.connection, temporal.namespace);
  gateway = await startTestGateway({ pool: database.pool, workflows: createWorkflowsClient(temporal.client, { deadlineMs: 30_000 }) });
});
afterAll(async () => await gateway.stop());

/**
 * VALET's client as it is (valet §1.1): its two headers, no retry, JSON expected of every success, a 409 with JSON taken for the result, and an
 * error for everything else.
 */
const valet = async (
  path: string,
  body?: unknown,
  { url = gateway.url, key = testKeys.service }: { url?: string; key?: string } = {},
): Promise<{ status: number; value: unknown }> => {
  const response = await fetch(`${url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: { 'Content-Type': 'application/json', ...(key === '' ? {} : { 'X-GH-Service-Key': key }) },
    signal: AbortSignal.timeout(15_000),
  });
  if (response.ok || response.status === 409) return { status: response.status, value: await response.json() };
  throw new ValetError(response.status, await response.text());
};

class ValetError extends Error {
  constructor(
    readonly status: number,
    readonly responseBody: string,
  ) {
    super(`GhostHands answered ${status}`);
  }
}

const refusalOf = async (request: Promise<unknown>): Promise<{ status: number; body: z.output<typeof ghErrorSchema> }> => {
  try {
    await request;
  } catch (error) {
    if (error instanceof ValetError) return { status: error.status, body: ghErrorSchema.parse(JSON.parse(error.responseBody)) };
    throw error;
  }
  throw new Error('VALET took the answer for a success');
};

const application = (difference: object = {}): object => ({
  ...applyExamples['what VALET sends'],
  valet_task_id: randomUUID(),
  ...difference,
});
const apply = async (difference: object = {}) => await valet('/api/v1/gh/valet/apply', application(difference));

const rowOf = async (jobId: string): Promise<Record<string, unknown>> => {
  const { rows } = await database.pool.query<Record<string, unknown>>(
    `select g.*, j.wanted_worker, j.affinity, j.attempts_max, j.callback_url as our_callback_url, j.accepted_by, j.idempotency_key as our_key
     from gh_automation_jobs g join yardmaster.job j on j.job_id = g.id where g.id = $1`,
    [jobId],
  );
  return rows[0] ?? {};
};

const countJobs = async (): Promise<number> => {
  const { rows } = await database.pool.query<{ jobs: number }>(
    `select ((select count(*) from yardmaster.job) + (select count(*) from gh_automation_jobs))::int as jobs`,
  );
  return rows[0]?.jobs ?? -1;
};

describe('POST /api/v1/gh/valet/apply', () => {
  it('answers 201 in the shape of GH once the job is durable and started', async () => {
    const { status, value } = await apply({ valet_task_id: 'task-shape' });
    expect(status).toBe(201);
    const accepted = acceptedSchema.parse(value);
    expect(accepted).toMatchObject({ valet_task_id: 'task-shape', status: 'pending' });
    expect(await temporal.client.workflow.getHandle(makeApplyJobId({ jobId: accepted.job_id })).describe()).toMatchObject({
      type: 'applyJob',
    });
  });

  it('writes the row as GH would, unclaimable', async () => {
    const { job_id: jobId, valet_task_id: taskId } = acceptedSchema.parse(
      (await apply({ quality: 'speed', model: 'qwen-72b', qa_answers: { 'Visa?': 'No' }, metadata: { campaign: 1 } })).value,
    );
    expect(await rowOf(jobId)).toMatchObject({
      created_by: 'yardmaster',
      job_type: 'apply',
      status: 'pending',
      worker_affinity: 'strict',
      target_worker_id: null,
      callback_url: null,
      valet_task_id: taskId,
      idempotency_key: null,
      tags: ['valet', 'apply'],
      input_data: {
        user_data: { first_name: 'Ada', last_name: 'Lovelace', email: 'ada@example.com' },
        qa_overrides: { 'Visa?': 'No' },
        tier: 'free',
        platform: 'other',
        model: 'qwen-72b',
      },
      resume_ref: { storage_path: 'resumes/ada.pdf' },
      metadata: {
        campaign: 1,
        source: 'valet',
        quality_preset: 'speed',
        valet_task_id: taskId,
        resume_ref: { storage_path: 'resumes/ada.pdf' },
      },
      attempts_max: 3,
      accepted_by: 'valet',
    });
  });

  it.each<[string, object, object]>([
    ['platform unknown', { platform: 'unknown' }, { input_data: { platform: 'other' } }],
    ['a platform that GH has no word for', { platform: 'ashby' }, { input_data: { platform: 'other' } }],
    ['a platform that GH knows', { platform: 'workday' }, { input_data: { platform: 'workday' } }],
    ['an empty résumé path', { resume: { storage_path: '' } }, { resume_ref: null }],
    [
      'an empty e-mail',
      { profile: { first_name: 'A', last_name: 'L', email: '' } },
      { input_data: { user_data: { first_name: 'A', last_name: 'L', email: '' } } },
    ],
    [
      'graduation year 0',
      {
        profile: {
          first_name: 'A',
          last_name: 'L',
          email: '',
          education: [{ institution: 'I', degree: 'D', field: '', graduation_year: 0 }],
        },
      },
      { input_data: { user_data: { education: [{ institution: 'I', degree: 'D', field: '' }] } } },
    ],
    ['one retry', { max_retries: 1 }, { attempts_max: 3 }],
    ['a field that GH drops too', { browser_hint: 'x' }, { job_type: 'apply' }],
    ['no target', { target_worker_id: null }, { wanted_worker: null, affinity: 'preferred' }],
    ['a target that is a worker', { target_worker_id: 'gh-7', worker_affinity: 'strict' }, { wanted_worker: 'gh-7', affinity: 'strict' }],
  ])('accepts %s', async (_what, difference, row) => {
    const { status, value } = await apply(difference);
    expect(status).toBe(201);
    expect(await rowOf(acceptedSchema.parse(value).job_id)).toMatchObject(row);
  });

  it('finds the instance behind a target that is the UUID of a sandbox, and takes an unknown one as it is', async () => {
    const sandboxId = randomUUID();
    await database.pool.query(
      `insert into sandboxes (id, name, environment, instance_id, instance_type) values ($1, 's', 'prod', 'i-0777', 't3.large')`,
      [sandboxId],
    );
    const known = acceptedSchema.parse((await apply({ target_worker_id: sandboxId, worker_affinity: 'strict' })).value);
    expect(await rowOf(known.job_id)).toMatchObject({ wanted_worker: 'i-0777', affinity: 'strict' });
    const strange = randomUUID();
    const unknown = acceptedSchema.parse((await apply({ target_worker_id: strange })).value);
    expect(await rowOf(unknown.job_id)).toMatchObject({ wanted_worker: strange });
  });

  it('takes the secret out of the callback address before anything is stored', async () => {
    const { job_id: jobId } = acceptedSchema.parse(
      (
        await apply({
          callback_url: `https://valet.test/api/v1/webhooks/ghosthands?token=${testKeys.service}`,
          metadata: {
            callback_url: `https://valet.test/x?token=${testKeys.service}`,
            hook: `https://valet.test/y?secret=${testKeys.service}&z=1`,
          },
        })
      ).value,
    );
    const row = await rowOf(jobId);
    expect(row).toMatchObject({
      our_callback_url: 'https://valet.test/api/v1/webhooks/ghosthands',
      metadata: { hook: 'https://valet.test/y?z=1' },
    });
    expect(JSON.stringify(row)).not.toMatch(testKeys.service);
    expect(gateway.logLines.join('')).not.toMatch(testKeys.service);
  });

  it('answers 409 with the job, its state and the word duplicate when the task has a live job', async () => {
    const first = acceptedSchema.parse((await apply({ valet_task_id: 'twice' })).value);
    const again = await apply({ valet_task_id: 'twice' });
    expect(again.status).toBe(409);
    expect(duplicateSchema.parse(again.value)).toEqual({
      job_id: first.job_id,
      valet_task_id: 'twice',
      status: 'pending',
      duplicate: true,
    });
    // VALET resolves its sandbox anew each time, so a repeated request may differ.
    const different = await apply({ valet_task_id: 'twice', target_worker_id: 'gh-9' });
    expect(duplicateSchema.parse(different.value).job_id).toBe(first.job_id);
  });

  it('makes one job of ten racing submits for one task, and each of them learns its id', async () => {
    const before = await countJobs();
    const request = application({ valet_task_id: 'valet-race' });
    const answers = await Promise.all(Array.from({ length: 10 }, async () => await valet('/api/v1/gh/valet/apply', request)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    const ids = answers.map(({ value }) => (typeof value === 'object' && value !== null && 'job_id' in value ? value.job_id : null));
    expect(new Set(ids).size).toBe(1);
    expect(await countJobs()).toBe(before + 2);
  });

  it.each([
    ['succeeded', 'yes', 'completed'],
    ['uncertain', 'maybe', 'failed'],
  ])('P3: answers 409 with the first job when the task is submitted again after it ended %s', async (state, submission, status) => {
    const task = { valet_task_id: `again-${state}` };
    const first = acceptedSchema.parse((await apply(task)).value);
    await database.pool.query(
      `update yardmaster.job set state = $2, submission = $3, ended_at = case when $2 = 'succeeded' then now() end where job_id = $1`,
      [first.job_id, state, submission],
    );
    for (const more of [{}, { idempotency_key: `key-${state}` }]) {
      const again = await apply({ ...task, ...more });
      expect(again.status).toBe(409);
      expect(duplicateSchema.parse(again.value)).toEqual({ job_id: first.job_id, ...task, status, duplicate: true });
    }
  });

  it('takes a task for one application, under whatever idempotency_key', async () => {
    const first = acceptedSchema.parse((await apply({ valet_task_id: 'keyed', idempotency_key: 'k-1' })).value);
    const otherKey = await apply({ valet_task_id: 'keyed', idempotency_key: 'k-2' });
    expect(duplicateSchema.parse(otherKey.value).job_id).toBe(first.job_id);
    const again = await apply({ valet_task_id: 'keyed', idempotency_key: 'k-1' });
    expect(duplicateSchema.parse(again.value).job_id).toBe(first.job_id);
  });

  it('never links a task to the job of another one: a foreign key is refused with 422', async () => {
    await apply({ valet_task_id: 'owner', idempotency_key: 'k-owned' });
    const before = await countJobs();
    const refusal = await refusalOf(apply({ valet_task_id: 'thief', idempotency_key: 'k-owned' }));
    expect(refusal).toMatchObject({ status: 422, body: { error: 'validation_error', message: expect.stringMatching('another task') } });
    expect(await countJobs()).toBe(before);
  });

  it('answers 201 also while Temporal is away', async () => {
    const connection = Connection.lazy({ address: '127.0.0.1:1' });
    const away = await startTestGateway({
      pool: database.pool,
      workflows: createWorkflowsClient(new Client({ connection, namespace: 'none' }), { deadlineMs: 800 }),
    });
    const { status, value } = await valet('/api/v1/gh/valet/apply', application(), { url: away.url });
    expect(status).toBe(201);
    expect(await rowOf(acceptedSchema.parse(value).job_id)).toMatchObject({ status: 'pending' });
    await away.stop();
    await connection.close();
  });

  it.each<[string, object, string]>([
    ['no task', { valet_task_id: undefined }, 'valet_task_id'],
    ['a user that is no UUID', { valet_user_id: 'me' }, 'valet_user_id'],
    ['a file', { target_url: 'file:///etc/passwd' }, 'target_url'],
    ['no résumé object', { resume: undefined }, 'resume'],
    ['an e-mail address that is none', { profile: { first_name: 'A', last_name: 'L', email: 'ada' } }, 'profile.email'],
    [
      'a graduation in the year 1',
      { profile: { first_name: 'A', last_name: 'L', email: '', education: [{ institution: 'I', degree: 'D', graduation_year: 1 }] } },
      'profile.education.0.graduation_year',
    ],
    ['a priority of 11', { priority: 11 }, 'priority'],
    ['a callback to a foreign origin', { callback_url: 'https://evil.test/?token=x' }, 'callback_url'],
    ['an execution mode that this fleet has dropped', { execution_mode: 'cookbook_only' }, 'execution_mode'],
  ])('refuses %s with 422 in the words of GH, and writes nothing', async (_what, difference, field) => {
    const before = await countJobs();
    const { status, body } = await refusalOf(apply(difference));
    expect({ status, error: body.error }).toEqual({ status: 422, error: 'validation_error' });
    expect(body.details?.map((detail) => detail.field)).toContain(field);
    expect(await countJobs()).toBe(before);
  });
});

describe('POST /api/v1/gh/valet/task', () => {
  const task = (difference: object = {}): object => ({ ...taskExamples['a test by an admin'], valet_task_id: randomUUID(), ...difference });

  it('accepts what VALET sends for a test', async () => {
    const { status, value } = await valet(
      '/api/v1/gh/valet/task',
      task({ input_data: { depth: 2 }, worker_affinity: 'strict', target_worker_id: 'gh-1' }),
    );
    expect(status).toBe(201);
    expect(await rowOf(acceptedSchema.parse(value).job_id)).toMatchObject({
      job_type: 'custom',
      task_description: 'Open the page and say its title',
      input_data: { depth: 2 },
      tags: ['valet', 'custom'],
      resume_ref: null,
      wanted_worker: 'gh-1',
    });
  });

  it('refuses a kind of job that the table does not know, which GH answers with 500', async () => {
    const { status, body } = await refusalOf(valet('/api/v1/gh/valet/task', task({ job_type: 'smart_apply' })));
    expect({ status, field: body.details?.[0]?.field }).toEqual({ status: 422, field: 'job_type' });
  });
});

describe('GET /api/v1/gh/valet/status/:jobId', () => {
  const statusOf = async (jobId: string) => {
    const { status, value } = await valet(`/api/v1/gh/valet/status/${jobId}`);
    expect(status).toBe(200);
    return statusSchema.parse(value);
  };

  /** A job that VALET submitted, brought into the state of the test. */
  const jobIn = async (set: string, rowSet = 'status_message = status_message'): Promise<string> => {
    const { job_id: jobId } = acceptedSchema.parse((await apply()).value);
    await database.pool.query(`update yardmaster.job set ${set} where job_id = $1`, [jobId]);
    await database.pool.query(`update gh_automation_jobs set ${rowSet} where id = $1`, [jobId]);
    return jobId;
  };

  it('tells a fresh job with both spellings of everything, and times always', async () => {
    const jobId = await jobIn(`state = 'waiting'`, `completed_at = now()`);
    expect(await statusOf(jobId)).toMatchObject({
      job_id: jobId,
      status: 'pending',
      worker_id: null,
      progress: null,
      result: null,
      error: null,
      interaction: null,
      cost: null,
      cost_breakdown: null,
      timestamps: { created_at: expect.any(String), started_at: null, completed_at: null },
    });
  });

  it('tells progress as a number, from the newest event of this life', async () => {
    const jobId = await jobIn(`state = 'running'`);
    await database.pool.query(
      `insert into gh_job_events (job_id, event_type, metadata, created_at) values
         ($1, 'progress_update', '{"progress_pct": 99}', now() - interval '1 day'),
         ($1, 'progress_update', '{"progress_pct": 20}', now() + interval '1 s'),
         ($1, 'progress_update', '{"progress_pct": 45.5}', now() + interval '2 s'),
         ($1, 'step_started', '{}', now() + interval '3 s')`,
      [jobId],
    );
    expect(await statusOf(jobId)).toMatchObject({ status: 'running', progress: 45.5 });
  });

  it('tells a success with result, screenshots and cost in both shapes', async () => {
    const jobId = await jobIn(
      `state = 'succeeded', ended_at = now(), wanted_worker = 'gh-1'`,
      `result_data = '{"confirmation_id": "C-1", "fields_filled": 12, "cost": {"total_cost_usd": 0.25, "action_count": 7, "input_tokens": 100, "output_tokens": 20}}',
       result_summary = 'Submitted', screenshot_urls = '["https://s.test/1.png", "https://s.test/2.png"]'`,
    );
    const cost = { total_cost_usd: 0.25, action_count: 7, total_tokens: 120 };
    expect(await statusOf(jobId)).toMatchObject({
      status: 'completed',
      target_worker_id: 'gh-1',
      result: {
        summary: 'Submitted',
        data: { confirmation_id: 'C-1' },
        confirmation_id: 'C-1',
        fields_filled: 12,
        screenshot_url: 'https://s.test/1.png',
        screenshots: ['https://s.test/1.png', 'https://s.test/2.png'],
      },
      cost,
      cost_breakdown: cost,
      timestamps: { completed_at: expect.any(String) },
    });
  });

  it.each<[string, string, object]>([
    [
      'a failure',
      `state = 'failed', ended_at = now(), error_code = 'login_required', error_message = 'No login'`,
      { status: 'failed', error: { code: 'login_required', message: 'No login', details: { message: 'No login' } } },
    ],
    [
      'an expiry',
      `state = 'expired', ended_at = now(), error_message = 'No worker'`,
      { status: 'expired', error: { code: 'expired', message: 'No worker' } },
    ],
    [
      'a possible submission',
      `state = 'uncertain', error_code = 'lost', error_message = 'Its worker is gone'`,
      {
        status: 'failed',
        error: { code: 'submission_uncertain', message: expect.stringMatching(/may already be submitted.*Its worker is gone/) },
      },
    ],
  ])('tells %s with code, message and details, and a completion, since its word is final', async (_what, set, expected) => {
    const status = await statusOf(await jobIn(set));
    expect(status).toMatchObject(expected);
    expect(status.timestamps.completed_at).toEqual(expect.any(String));
  });

  it('tells what a person is needed for, in a word that VALET knows', async () => {
    const jobId = await jobIn(
      `state = 'waiting_human', human_kind = 'blocker', state_at = now(), deadline_at = now() + interval '290 s'`,
      `interaction_type = 'captcha', interaction_data = '{"description": "A captcha", "page_url": "https://acme.test/c", "screenshot_url": "https://s.test/c.png"}'`,
    );
    expect(await statusOf(jobId)).toMatchObject({
      status: 'paused',
      interaction: {
        type: 'captcha',
        description: 'A captcha',
        page_url: 'https://acme.test/c',
        screenshot_url: 'https://s.test/c.png',
        // GH had waited 30 s when we saw it, and our own deadline is 20 s after its.
        timeout_seconds: 270,
      },
    });
  });

  it('survives whatever a worker left in the row', async () => {
    for (const value of ['null', '7', '"x"', '[]', '{"cost": "free"}', '{"cost": {"total_cost_usd": "1"}, "confirmation_id": 7}']) {
      const jobId = await jobIn(
        `state = 'succeeded', ended_at = now()`,
        `result_data = '${value}', screenshot_urls = '${value}', interaction_data = '${value}'`,
      );
      expect(await statusOf(jobId)).toMatchObject({ status: 'completed' });
    }
  });

  it('answers 404 for an unknown job and 400 for an id that is none, where GH answers 500', async () => {
    expect(await refusalOf(valet(`/api/v1/gh/valet/status/${randomUUID()}`))).toMatchObject({ status: 404, body: { error: 'not_found' } });
    expect(await refusalOf(valet('/api/v1/gh/valet/status/42'))).toMatchObject({ status: 400, body: { error: 'bad_request' } });
  });
});

describe('the rest of what VALET asks', () => {
  it('answers /health without a key', async () => {
    const { value } = await valet('/health', undefined, { key: '' });
    expect(healthSchema.parse(value)).toMatchObject({ status: 'ok', api_healthy: true });
  });

  it('answers an empty list of models while no host does, and the list of the fleet as soon as one does', async () => {
    const models = async () => modelsSchema.parse((await valet('/api/v1/gh/models', undefined, { key: '' })).value);
    expect(await models()).toEqual({ models: [], presets: [], default: null, total: 0 });

    const api = createServer((_request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          models: [{ alias: 'qwen-72b', model: 'q', provider: 'p', vision: true }],
          presets: [{ name: 'fast', model: 'q' }],
          default: 'qwen-72b',
          total: 1,
        }),
      );
    });
    api.listen(0, '127.0.0.1');
    await once(api, 'listening');
    const address = api.address();
    if (address === null || typeof address === 'string') throw new Error('The server has no port');
    await database.pool.query(
      `insert into yardmaster.host_probe (host, probed_at, is_api_up, is_worker_up) values ('10.0.0.1', now(), true, true), ('10.0.0.2', now() - interval '1 s', true, true)`,
    );
    // The host that answered last is gone meanwhile; the next one is asked.
    const withHosts = await startTestGateway({
      pool: database.pool,
      workflows: createWorkflowsClient(temporal.client, { deadlineMs: 30_000 }),
      addressMap: {
        '10.0.0.1': { api: 'http://127.0.0.1:1', worker: 'http://127.0.0.1:1' },
        '10.0.0.2': { api: `http://127.0.0.1:${address.port}`, worker: 'http://127.0.0.1:1' },
      },
    });
    const { value } = await valet('/api/v1/gh/models', undefined, { url: withHosts.url });
    expect(modelsSchema.parse(value)).toMatchObject({ models: [{ alias: 'qwen-72b', vision: true }], default: 'qwen-72b', total: 1 });
    await withHosts.stop();
    api.close();
    await once(api, 'close');
  });
});

describe('refusals on the paths of the product', () => {
  it.each([
    ['no key', '', 401, 'unauthorized'],
    ['a wrong key', 'guess', 401, 'unauthorized'],
  ])('speak the words of GH for %s', async (_what, key, status, error) => {
    expect(await refusalOf(valet('/api/v1/gh/valet/apply', application(), { key }))).toMatchObject({ status, body: { error } });
  });

  it('are JSON in the words of GH for unknown paths, broken JSON, large bodies and another type', async () => {
    expect(await refusalOf(valet('/api/v1/gh/valet/nothing'))).toMatchObject({ status: 404, body: { error: 'not_found' } });
    const send = async (body: string, type: string) => {
      const response = await fetch(`${gateway.url}/api/v1/gh/valet/apply`, {
        method: 'POST',
        body,
        headers: { 'content-type': type, 'x-gh-service-key': testKeys.service },
      });
      return { status: response.status, error: ghErrorSchema.parse(await response.json()).error };
    };
    expect(await send('{', 'application/json')).toEqual({ status: 400, error: 'bad_request' });
    expect(await send('x', 'text/plain')).toEqual({ status: 415, error: 'http_error' });
    expect(await send(JSON.stringify({ a: 'x'.repeat(300_000) }), 'application/json')).toEqual({ status: 413, error: 'http_error' });
  });

  it("let in a native key of the product too, and no reader's", async () => {
    const send = async (key: string): Promise<number> => {
      const response = await fetch(`${gateway.url}/api/v1/gh/valet/apply`, {
        method: 'POST',
        body: JSON.stringify(application()),
        headers: { 'content-type': 'application/json', 'x-api-key': key },
      });
      await response.arrayBuffer();
      return response.status;
    };
    expect([await send(testKeys.product), await send(testKeys.readOnly)]).toEqual([201, 403]);
  });
});
