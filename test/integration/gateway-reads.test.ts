import { randomUUID } from 'node:crypto';
import { assert, asyncProperty, boolean, constantFrom, record } from 'fast-check';
import { jobStates, type JobState } from '../../src/contracts/job';
import { limits } from '../../src/contracts/limits';
import { idleWorkers } from '../../src/db/jobs/assign';
import { countWorkers, workerConditions, type WorkerCondition } from '../../src/db/fleet/worker-counts';
import { submitJobExamples } from '../../src/gateway/examples';
import { jobDetailsSchema, jobPageSchema } from '../../src/gateway/schemas/job-answers';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { ensureSearchAttributes } from '../../src/temporal/namespace';
import { withDatabase } from '../support/database';
import { call, startTestGateway, testKeys, type Reply, type TestGateway } from '../support/gateway';
import { withTemporal } from '../support/temporal';

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;

beforeAll(async () => {
  await ensureSearchAttributes(temporal.connection, temporal.namespace);
  gateway = await startTestGateway({ pool: database.pool, workflows: createWorkflowsClient(temporal.client, { deadlineMs: 30_000 }) });
});
afterAll(async () => await gateway.stop());
beforeEach(async () => {
  await empty();
});

/** Several times faster than truncate, which rewrites each table's files. */
const empty = async (): Promise<void> => {
  await database.pool.query(
    `delete from yardmaster.job; delete from yardmaster.host_hold; delete from yardmaster.host_probe; delete from yardmaster.received_callback;
     delete from gh_worker_registry; delete from gh_automation_jobs`,
  );
};

const get = async (path: string): Promise<Reply> => await call(`${gateway.url}${path}`, { key: testKeys.readOnly });

interface MadeJob {
  jobId?: string;
  state?: JobState;
  userId?: string;
  taskId?: string | null;
  acceptedAt?: string;
  deadlineAt?: string | null;
}

/** A job as its record would stand after that life. */
const makeJob = async ({
  jobId = randomUUID(),
  state = 'waiting',
  userId = randomUUID(),
  taskId = null,
  acceptedAt = 'now()',
  deadlineAt = null,
}: MadeJob = {}): Promise<string> => {
  await database.pool.query(
    `insert into yardmaster.job (job_id, state, user_id, valet_task_id, request_hash, accepted_by, request_id, accepted_at, timeout_seconds,
       job_deadline_at, deadline_at, ended_at)
     values ($1, $2, $3, $4, 'h', 'app', 'r', $5::timestamptz, 300, now() + interval '1 day', $6::timestamptz,
       case when $2 in ('succeeded', 'failed', 'cancelled', 'expired') then now() end)`,
    [jobId, state, userId, taskId, acceptedAt, deadlineAt],
  );
  await database.pool.query(
    `insert into gh_automation_jobs (id, user_id, job_type, target_url, task_description, status, completed_at)
     values ($1, $2, 'apply', 'https://jobs.test/1?ref=a&access_token=hidden', 'x', 'pending', '2020-01-01')`,
    [jobId, userId],
  );
  return jobId;
};

const idsOf = ({ body }: Reply): string[] => jobPageSchema.parse(body).jobs.map(({ jobId }) => jobId);

describe('GET /v1/jobs', () => {
  it('filters by state, user, task and worker', async () => {
    const userId = randomUUID();
    const running = await makeJob({ state: 'running', userId });
    const failed = await makeJob({ state: 'failed', taskId: 'task-1' });
    const waiting = await makeJob({ state: 'waiting', userId });
    await database.pool.query(
      `insert into yardmaster.attempt (attempt_id, job_id, generation, number, worker_id, state, ended_at)
       values (gen_random_uuid(), $1, 1, 1, 'gh-1', 'ended', now())`,
      [failed],
    );
    expect(idsOf(await get('/v1/jobs?state=running'))).toEqual([running]);
    expect(idsOf(await get('/v1/jobs?state=failed,waiting'))).toEqual([waiting, failed]);
    expect(idsOf(await get('/v1/jobs?state=failed&state=waiting'))).toEqual([waiting, failed]);
    expect(idsOf(await get(`/v1/jobs?userId=${userId.toUpperCase()}`))).toEqual([waiting, running]);
    expect(idsOf(await get('/v1/jobs?taskId=task-1'))).toEqual([failed]);
    expect(idsOf(await get('/v1/jobs?workerId=gh-1'))).toEqual([failed]);
    expect(idsOf(await get(`/v1/jobs?userId=${userId}&state=failed`))).toEqual([]);
  });

  it('pages through jobs of one and the same moment without losing or repeating one', async () => {
    const at = '2026-01-01 10:00:00.123456+00';
    const made = await Promise.all(Array.from({ length: 7 }, async () => await makeJob({ acceptedAt: at })));
    made.push(
      await makeJob({ acceptedAt: '2026-01-01 10:00:00.123457+00' }),
      await makeJob({ acceptedAt: '2026-01-01 10:00:00.123455+00' }),
    );
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const reply: Reply = await get(`/v1/jobs?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`);
      seen.push(...idsOf(reply));
      cursor = jobPageSchema.parse(reply.body).nextCursor;
    } while (cursor !== null);
    expect(seen).toHaveLength(made.length);
    expect(new Set(seen)).toEqual(new Set(made));
    expect(seen[0]).toBe(made[7]);
    expect(seen.at(-1)).toBe(made[8]);
  });

  it('lists what needs a person by deadline, the nearest first, and nothing else', async () => {
    const never = await makeJob({ state: 'uncertain', deadlineAt: 'infinity' });
    const late = await makeJob({ state: 'uncertain', deadlineAt: '2031-01-02' });
    const soon = await makeJob({ state: 'waiting_human', deadlineAt: '2031-01-01' });
    await makeJob({ state: 'running', deadlineAt: '2030-01-01' });
    const first = await get('/v1/jobs?needsAttention=true&limit=2');
    expect(idsOf(first)).toEqual([soon, late]);
    const { nextCursor } = jobPageSchema.parse(first.body);
    const second = await get(`/v1/jobs?needsAttention=true&limit=2&cursor=${nextCursor}`);
    expect(idsOf(second)).toEqual([never]);
    expect(second.body.nextCursor).toBeNull();
    expect(jobPageSchema.parse(second.body).jobs[0]?.deadlineAt).toBeNull();
  });

  it.each(['nonsense', 'W10', 'WyJuZXdlc3QiLDEsIngiXQ', '%00', 'e30'])('refuses the cursor %s with 400', async (cursor) => {
    expect(await get(`/v1/jobs?cursor=${cursor}`)).toMatchObject({
      status: 400,
      body: { code: 'malformed', errors: [{ path: 'cursor' }] },
    });
  });

  it('refuses the cursor of a list with another order', async () => {
    await makeJob();
    await makeJob();
    const { body } = await get('/v1/jobs?limit=1');
    expect(await get(`/v1/jobs?limit=1&needsAttention=true&cursor=${String(body.nextCursor)}`)).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'cursor' }] },
    });
  });

  it('shows the pause of the fleet on every page', async () => {
    expect((await get('/v1/jobs')).body.fleet).toEqual({ isPaused: false, pause: null });
    await call(`${gateway.url}/v1/pause`, { key: testKeys.operator, json: { reason: 'the database moves' } });
    expect((await get('/v1/jobs')).body.fleet).toMatchObject({ isPaused: true, pause: { reason: 'the database moves', actor: 'ops' } });
    await call(`${gateway.url}/v1/unpause`, { key: testKeys.operator, json: { reason: 'done' } });
    expect((await get('/v1/jobs')).body.fleet).toEqual({ isPaused: false, pause: null });
  });
});

describe('GET /v1/jobs/:jobId', () => {
  it('tells state, attempts, timeline and callbacks without bodies', async () => {
    const { body: accepted } = await call(`${gateway.url}/v1/jobs`, { key: testKeys.product, json: submitJobExamples['an application'] });
    const jobId = String(accepted.jobId);
    const attemptId = randomUUID();
    await database.pool.query(
      `insert into yardmaster.attempt (attempt_id, job_id, generation, number, worker_id, host) values ($1, $2, 1, 1, 'gh-1', '10.0.0.1')`,
      [attemptId, jobId],
    );
    await database.pool.query(`update yardmaster.job set state = 'assigned', attempt_id = $1, attempts = 1 where job_id = $2`, [
      attemptId,
      jobId,
    ]);
    await database.pool.query(
      `insert into yardmaster.callback (job_id, generation, seq, word, is_final, body, next_try_at, give_up_at, tries, last_error)
       values ($1, 1, 1, 'running', false, '{"result_data": "personal"}', now(), now(), 2, 'HTTP 500')`,
      [jobId],
    );
    await database.pool.query(
      `insert into yardmaster.received_callback (attempt_id, word, effect) values ($1, 'running', 'wakes_job'), ($1, 'completed', 'wakes_job')`,
      [attemptId],
    );
    const reply = await get(`/v1/jobs/${jobId}`);
    expect(reply.status).toBe(200);
    const job = jobDetailsSchema.parse(reply.body);
    expect(job).toMatchObject({
      state: 'assigned',
      worker: { workerId: 'gh-1', host: '10.0.0.1' },
      attemptCount: 1,
      attempts: [{ attemptId, number: 1, state: 'assigned' }],
      timeline: [{ state: 'accepted', generation: 1 }],
      callbacks: { received: 2, sent: [{ seq: 1, word: 'running', tries: 2, lastError: 'HTTP 500' }] },
      waiting: null,
      completedAt: null,
    });
    expect(reply.text).not.toMatch(/personal|ada@example/);
  });

  it('shows no completion with a state that is not final, whatever the job row says', async () => {
    const jobId = await makeJob({ state: 'running' });
    expect((await get(`/v1/jobs/${jobId}`)).body).toMatchObject({ completedAt: null });
    expect((await get('/v1/jobs')).body).toMatchObject({ jobs: [{ completedAt: null }] });
  });

  it('shows every state, and a completion with each final one', async () => {
    for (const state of jobStates) {
      const job = jobDetailsSchema.parse((await get(`/v1/jobs/${await makeJob({ state })}`)).body);
      expect({ state: job.state, isOver: job.completedAt !== null }).toEqual({
        state,
        isOver: ['succeeded', 'failed', 'cancelled', 'expired'].includes(state),
      });
    }
  });

  it('shows the address of the posting without what looks like a secret', async () => {
    expect((await get(`/v1/jobs/${await makeJob()}`)).body.targetUrl).toBe('https://jobs.test/1?ref=a');
  });

  it('answers 404 for an unknown job and 400 for an id that is none', async () => {
    expect(await get(`/v1/jobs/${randomUUID()}`)).toMatchObject({ status: 404, body: { code: 'job_not_found' } });
    expect(await get('/v1/jobs/42')).toMatchObject({ status: 400, body: { code: 'malformed', errors: [{ path: 'jobId' }] } });
  });
});

interface Scene {
  registry: 'active' | 'draining' | 'offline';
  beat: 'fresh' | 'old';
  probe: 'none' | 'fresh' | 'old' | 'down';
  mode: 'legacy' | 'queue';
  isRunning: boolean;
  isDraining: boolean;
  activeJobs: 0 | 1 | null;
  past: 'none' | 'live' | 'tainted' | 'tainted before its restart' | 'deaf' | 'deaf long ago' | 'ended';
  hold: 'none' | 'host' | 'instance' | 'fleet' | 'over';
  hasTwin: boolean;
}

const idleScene: Scene = {
  registry: 'active',
  beat: 'fresh',
  probe: 'fresh',
  mode: 'legacy',
  isRunning: true,
  isDraining: false,
  activeJobs: 0,
  past: 'none',
  hold: 'none',
  hasTwin: false,
};

const play = async (scene: Scene): Promise<void> => {
  const { pool } = database;
  await empty();
  await pool.query(
    `insert into gh_worker_registry (worker_id, status, target_worker_id, ec2_instance_id, ec2_ip, last_heartbeat)
     values ('gh-1', $1, 'target-1', 'i-1', '10.0.0.1', now() - $2::interval)`,
    [scene.registry, scene.beat === 'fresh' ? '1 s' : '5 min'],
  );
  if (scene.probe !== 'none') {
    await pool.query(
      `insert into yardmaster.host_probe (host, probed_at, is_api_up, is_worker_up, worker_id, dispatch_mode, is_running, is_draining, active_jobs, process_started_at)
       values ('10.0.0.1', now() - $1::interval, true, $2, 'gh-1', $3, $4, $5, $6, now() - interval '1 hour')`,
      [scene.probe === 'old' ? '5 min' : '1 s', scene.probe !== 'down', scene.mode, scene.isRunning, scene.isDraining, scene.activeJobs],
    );
  }
  if (scene.hasTwin) {
    await pool.query(
      `insert into yardmaster.host_probe (host, probed_at, is_api_up, is_worker_up, worker_id) values ('10.0.0.2', now(), true, true, 'gh-1')`,
    );
  }
  if (scene.hold !== 'none') {
    await pool.query(`insert into yardmaster.host_hold (host, reason, actor, expires_at) values ($1, 'r', 'a', now() + $2::interval)`, [
      { host: '10.0.0.1', instance: 'i-1', fleet: '*', over: '10.0.0.1' }[scene.hold],
      scene.hold === 'over' ? '-1 s' : '1 h',
    ]);
  }
  if (scene.past !== 'none') {
    const jobId = await makeJob({ state: 'running' });
    await pool.query(
      `insert into yardmaster.attempt (attempt_id, job_id, generation, number, worker_id, state, claimed_at, ended_at, end_reason, has_left_waiter)
       values (gen_random_uuid(), $1, 1, 1, 'gh-1', $2, coalesce($3::timestamptz, now()) - interval '1 s', $3::timestamptz, $4, $5)`,
      [
        jobId,
        scene.past === 'live' ? 'running' : 'ended',
        scene.past === 'live'
          ? null
          : new Date(
              Date.now() - { ended: 1, tainted: 1, deaf: 1, 'deaf long ago': 30, 'tainted before its restart': 120 }[scene.past] * 60_000,
            ),
        scene.past.startsWith('deaf') ? 'not_claimed' : 'failed',
        scene.past.startsWith('tainted'),
      ],
    );
  }
};

const conditionOf = async (): Promise<WorkerCondition | undefined> => {
  const { counts } = await countWorkers(database.pool, { wantedId: null, limits });
  return workerConditions.find((condition) => counts[condition] === 1);
};

describe('why a job waits', () => {
  it.each<[WorkerCondition, Partial<Scene>]>([
    ['idle', {}],
    ['offline', { registry: 'offline' }],
    ['stale', { beat: 'old' }],
    ['stale', { probe: 'none' }],
    ['stale', { probe: 'old' }],
    ['stale', { probe: 'down' }],
    ['inQueueMode', { mode: 'queue' }],
    ['draining', { isDraining: true }],
    ['draining', { registry: 'draining' }],
    ['draining', { isRunning: false }],
    ['twin', { hasTwin: true }],
    ['held', { hold: 'host' }],
    ['held', { hold: 'instance' }],
    ['held', { hold: 'fleet' }],
    ['idle', { hold: 'over' }],
    ['tainted', { past: 'tainted' }],
    ['idle', { past: 'tainted before its restart' }],
    ['deaf', { past: 'deaf' }],
    ['idle', { past: 'deaf long ago' }],
    ['busy', { past: 'live' }],
    ['busy', { activeJobs: 1 }],
    ['busy', { activeJobs: null }],
    ['idle', { past: 'ended' }],
  ])('is a worker that is %s when it is %j', async (condition, difference) => {
    await play({ ...idleScene, ...difference });
    expect(await conditionOf()).toBe(condition);
  });

  it('calls a worker idle exactly when the assigning statement does', async () => {
    const scenes = record<Scene>({
      registry: constantFrom('active', 'active', 'draining', 'offline'),
      beat: constantFrom('fresh', 'fresh', 'old'),
      probe: constantFrom('fresh', 'fresh', 'fresh', 'none', 'old', 'down'),
      mode: constantFrom('legacy', 'legacy', 'queue'),
      isRunning: constantFrom(true, true, false),
      isDraining: constantFrom(false, false, true),
      activeJobs: constantFrom(0, 0, 1, null),
      past: constantFrom('none', 'none', 'live', 'tainted', 'tainted before its restart', 'deaf', 'deaf long ago', 'ended'),
      hold: constantFrom('none', 'none', 'host', 'instance', 'fleet', 'over'),
      hasTwin: boolean(),
    });
    await assert(
      asyncProperty(scenes, async (scene) => {
        await play(scene);
        const { rowCount } = await database.pool.query(idleWorkers, [
          limits.workerHeartbeatFreshMs,
          limits.probeFreshMs,
          limits.deafWorkerMs,
        ]);
        const { counts } = await countWorkers(database.pool, { wantedId: null, limits });
        expect(counts.idle).toBe(rowCount);
        expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(1);
      }),
      { numRuns: 60 },
    );
  });

  it('says it with the job: all workers by condition, and the one it asks for', async () => {
    await play({ ...idleScene, mode: 'queue' });
    const jobId = await makeJob();
    await database.pool.query(`update yardmaster.job set wanted_worker = 'i-1', affinity = 'strict' where job_id = $1`, [jobId]);
    const job = jobDetailsSchema.parse((await get(`/v1/jobs/${jobId}`)).body);
    expect(job.waiting).toMatchObject({
      workers: { registered: 1, inQueueMode: 1, idle: 0 },
      wantedWorker: { wantedId: 'i-1', affinity: 'strict', condition: 'inQueueMode' },
      fleet: { isPaused: false },
    });
  });

  it('says that nobody has the id that a job insists on', async () => {
    await play(idleScene);
    const jobId = await makeJob();
    await database.pool.query(`update yardmaster.job set wanted_worker = 'gone', affinity = 'strict' where job_id = $1`, [jobId]);
    const job = jobDetailsSchema.parse((await get(`/v1/jobs/${jobId}`)).body);
    expect(job.waiting).toMatchObject({ workers: { registered: 1, idle: 1 }, wantedWorker: { condition: null } });
  });
});
