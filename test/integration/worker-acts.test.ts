import { randomUUID } from 'node:crypto';
import { makeDrainWorkerId, parseApplyJobId } from '../../src/contracts/ids';
import type { WorkerAct } from '../../src/contracts/worker-act';
import { workerActSchema } from '../../src/gateway/schemas/worker-acts';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { call, startTestGateway, testKeys, type Reply, type TestGateway } from '../support/gateway';
import { makeGate } from '../support/gate';
import { until } from '../support/until';
import { withFleetFixture } from '../support/fleet-fixture';

/** Hosts whose recycle command fails, and those where it says "done" and does nothing. */
const broken = new Set<string>();
const lazy = new Set<string>();
/** Where the machine comes back under another worker's id, as GH does without a configured one, and is up before the command is through. */
const renamed = new Map<string, string>();

const fixture = withFleetFixture({
  hosts: 2,
  limits: { retryBackoffFirstMs: 500, attemptSilentMs: 5_000, doubtRecheckMs: 500 },
  times: { exitDelayMs: 1_000, containerRestartMs: 2_500 },
  recycle: async (simulator, host) => {
    if (broken.has(host)) return false;
    const workerId = renamed.get(host);
    if (workerId !== undefined) await simulator.host(host).replace({ workerId });
    else if (!lazy.has(host)) await simulator.restart(host);
    return true;
  },
});
let gateway: TestGateway;

beforeAll(async () => {
  const workflows = createWorkflowsClient(fixture.client, { deadlineMs: 30_000, taskQueue: fixture.taskQueue });
  gateway = await startTestGateway({ pool: fixture.pool, workflows });
});
afterAll(async () => await gateway.stop());

afterEach(async () => {
  broken.clear();
  lazy.clear();
  renamed.clear();
  await fixture.pool.query('delete from yardmaster.host_hold');
  await until(
    async () => {
      await fixture.sweep();
      const { rowCount } = await fixture.pool.query(
        `select from yardmaster.host_probe p where is_worker_up and active_jobs = 0
           and not exists (select from yardmaster.attempt a where a.worker_id = p.worker_id and a.ended_at is null)`,
      );
      return rowCount === 2;
    },
    { what: 'both workers are idle' },
  );
});

const post = async (path: string, json: object, key: string = testKeys.operator): Promise<Reply> =>
  await call(`${gateway.url}${path}`, { key, json });
const get = async (path: string): Promise<Reply> => await call(`${gateway.url}${path}`, { key: testKeys.readOnly });

const runningJob = async (path: string): Promise<{ jobId: string; workerId: string; host: string }> => {
  const handle = await fixture.submit(`https://sim.test${path}`, { jobId: randomUUID() });
  const jobId = parseApplyJobId(handle.workflowId)?.jobId ?? '';
  const { attempt } = await fixture.until(jobId, 'running');
  return { jobId, workerId: attempt?.workerId ?? '', host: attempt?.host ?? '' };
};

/** As the gateway wrote it, and nobody carried it out. */
const leaveAct = async (act: WorkerAct, workerId: string, { ageMs, deadlineMs }: { ageMs: number; deadlineMs: number | null }) => {
  const detail = JSON.stringify({ actId: randomUUID(), reason: 'left behind', deadlineMs, force: false });
  await fixture.pool.query(
    `insert into yardmaster.audit (at, actor, source, act, subject_kind, subject, detail)
     values (now() - $1::int * interval '1 ms', 'zoe', 'api', $2, 'worker', $3, $4)`,
    [ageMs, act, workerId, detail],
  );
};

const auditOf = async (workerId: string): Promise<object[]> => {
  const { rows } = await fixture.pool.query<object>(
    `select act, actor, outcome from yardmaster.audit where subject_kind = 'worker' and subject = $1 order by audit_id`,
    [workerId],
  );
  return rows;
};

describe('a drain', () => {
  it('of an idle worker is over at once, keeps new jobs away until the worker is released, and is audited', async () => {
    const drained = await post('/v1/workers/worker-1/drain?wait=10', { reason: 'a new kernel' });
    expect(drained.status).toBe(200);
    expect(workerActSchema.parse(drained.body)).toMatchObject({
      act: 'drain',
      outcome: 'drained',
      actor: 'ops',
      reason: 'a new kernel',
      job: null,
    });
    expect((await get('/v1/workers/worker-1')).body).toMatchObject({ condition: 'held' });

    expect((await post('/v1/workers/worker-1/release', { reason: 'done' }, testKeys.deployer)).body).toEqual({
      workerId: 'worker-1',
      wasHeld: true,
      holds: [],
    });
    await until(async () => (await get('/v1/workers/worker-1')).body.condition === 'idle', { what: 'it is idle again' });
    expect(await auditOf('worker-1')).toEqual([
      { act: 'drain', actor: 'ops', outcome: null },
      { act: 'drain_ended', actor: 'ops', outcome: 'drained' },
      { act: 'release', actor: 'atm', outcome: null },
    ]);
  });

  it('waits for the job of its worker, names it meanwhile, lets it end by itself, and takes a second drain for the first', async () => {
    const gate = makeGate();
    const { jobId, workerId } = await runningJob(gate.form);
    const first = await post(`/v1/workers/${workerId}/drain?wait=0`, { reason: 'a look' });
    expect(first).toMatchObject({ status: 202, body: { outcome: null, job: { jobId, state: 'running' } } });
    expect(first.headers.get('location')).toBe(`/v1/workers/${workerId}/drain`);
    const second = post(`/v1/workers/${workerId}/drain?wait=20`, { reason: 'me too' }, testKeys.deployer);
    gate.open();
    expect(await second).toMatchObject({ status: 200, body: { actId: first.body.actId, outcome: 'drained', reason: 'a look' } });
    expect(await fixture.job(jobId)).toMatchObject({ state: 'succeeded', tries: 1 });
    expect((await get(`/v1/workers/${workerId}/drain`)).body).toMatchObject({ actId: first.body.actId, outcome: 'drained' });
  });

  it('says at its deadline which job is still there, and leaves it alone', async () => {
    const gate = makeGate();
    const { jobId, workerId } = await runningJob(gate.form);
    const late = await post(`/v1/workers/${workerId}/drain?wait=10`, { reason: 'in a hurry', deadlineSeconds: 1 });
    expect(late).toMatchObject({ status: 200, body: { outcome: 'deadline_passed', job: { jobId, state: 'running' } } });
    expect(late.body.detail).toMatch(jobId);
    gate.open();
    expect((await fixture.until(jobId, 'succeeded')).tries).toBe(1);
  });

  it('ends when somebody releases the worker meanwhile', async () => {
    const gate = makeGate();
    const { jobId, workerId } = await runningJob(gate.form);
    await post(`/v1/workers/${workerId}/drain?wait=0`, { reason: 'a look' });
    await fixture.client.workflow.getHandle(makeDrainWorkerId({ workerId })).describe();
    await post(`/v1/workers/${workerId}/release`, { reason: 'never mind' });
    await until(async () => (await get(`/v1/workers/${workerId}/drain`)).body.outcome === 'released', {
      what: 'the drain has ended',
    });
    gate.open();
    expect((await fixture.until(jobId, 'succeeded')).tries).toBe(1);
  });

  it('does not take a worker for drained whose port says nothing, and says so meanwhile', async () => {
    fixture.simulator.partition('127.0.1.2', 'http');
    await fixture.sweep();
    const unprovable = { job: null, detail: expect.stringMatching(/nobody can tell/) };
    const open = await post('/v1/workers/worker-2/drain?wait=0', { reason: 'a look', deadlineSeconds: 1 });
    expect(open).toMatchObject({ status: 202, body: { outcome: null, ...unprovable } });
    const late = await post('/v1/workers/worker-2/drain?wait=15', { reason: 'a look' });
    expect(late.body).toMatchObject({ actId: open.body.actId, outcome: 'deadline_passed', ...unprovable });
    fixture.simulator.heal('127.0.1.2');
  });

  it.each(['unknown', 'i-77'])('of a worker without an address ends at once as unproven, when its instance is %s', async (instanceId) => {
    await fixture.pool.query(
      `insert into gh_worker_registry (worker_id, status, ec2_ip, ec2_instance_id) values ('lost', 'active', 'unknown', $1)`,
      [instanceId],
    );
    const over = await post('/v1/workers/lost/drain?wait=10', { reason: 'a look' });
    expect(over).toMatchObject({
      status: 200,
      body: { outcome: 'unproven', job: null, detail: expect.stringMatching(/without an address/) },
    });
    await fixture.pool.query(`delete from gh_worker_registry where worker_id = 'lost'`);
  });

  it('ends by a release also when the row of its worker is gone', async () => {
    fixture.simulator.partition('127.0.1.2');
    await post('/v1/workers/worker-2/drain?wait=0', { reason: 'a look' });
    const row = await fixture.pool.query(`delete from gh_worker_registry where worker_id = 'worker-2' returning *`);
    await until(async () => /registered/.test(String((await get('/v1/workers/worker-2/drain')).body.detail)), { what: 'it says so' });
    expect((await post('/v1/workers/worker-2/release', { reason: 'never mind' })).body).toMatchObject({ wasHeld: true });
    await until(async () => (await get('/v1/workers/worker-2/drain')).body.outcome === 'released', {
      what: 'the drain has ended',
    });
    await fixture.pool.query('insert into gh_worker_registry select * from jsonb_populate_record(null::gh_worker_registry, $1)', [
      JSON.stringify(row.rows[0]),
    ]);
    fixture.simulator.heal('127.0.1.2');
  });

  it('is a workflow that the CLI starts as well', async () => {
    const view = await fixture.client.workflow.execute('drainWorker', {
      workflowId: makeDrainWorkerId({ workerId: 'worker-2' }),
      taskQueue: fixture.taskQueue,
      args: [{ workerId: 'worker-2', reason: 'by hand', actor: 'zoe' }],
    });
    expect(view).toMatchObject({ outcome: 'drained', actor: 'zoe', reason: 'by hand' });
  });

  it('that is cancelled before its first step is stopped, not left open', async () => {
    await leaveAct('drain', 'worker-1', { ageMs: 1_000, deadlineMs: 600_000 });
    const handle = await fixture.client.workflow.start('drainWorker', {
      workflowId: makeDrainWorkerId({ workerId: 'worker-1' }),
      taskQueue: fixture.taskQueue,
      args: [{ workerId: 'worker-1' }],
      startDelay: '1 second',
    });
    await handle.cancel();
    expect(await handle.result()).toMatchObject({ outcome: 'stopped', reason: 'left behind' });
  });

  it('that nobody has ended is over some time after its deadline, and the next one is another', async () => {
    await leaveAct('drain', 'worker-1', { ageMs: 3_600_000, deadlineMs: 60_000 });
    const left = await get('/v1/workers/worker-1/drain');
    expect(left.body).toMatchObject({ outcome: 'deadline_passed', endedAt: left.body.deadlineAt, detail: expect.stringMatching(/nobody/) });
    const next = await post('/v1/workers/worker-1/drain?wait=10', { reason: 'again' });
    expect(next.body).toMatchObject({ outcome: 'drained', reason: 'again' });
    expect(next.body.actId).not.toBe(left.body.actId);
  });

  it.each([
    ['of nobody', '/v1/workers/nobody/drain', { reason: 'x' }, 404],
    ['without a reason', '/v1/workers/worker-1/drain', {}, 422],
    ['of a day', '/v1/workers/worker-1/drain', { reason: 'x', deadlineSeconds: 86_400 }, 422],
    ['read before there was one', '/v1/workers/nobody/drain', null, 404],
  ])('is refused %s', async (_what, path, body, status) => {
    expect((body === null ? await get(path) : await post(path, body)).status).toBe(status);
  });
});

describe('a recycle', () => {
  it('replaces the process of an idle worker, proves it, and gives it jobs again', async () => {
    const before = Date.now();
    const recycled = await post('/v1/workers/worker-1/recycle?wait=20', { reason: 'its browser hangs' });
    expect(recycled.status).toBe(200);
    expect(workerActSchema.parse(recycled.body)).toMatchObject({ act: 'recycle', outcome: 'recycled', isForced: false, job: null });
    const response = await fetch(`http://127.0.0.1:${fixture.simulator.host('worker-1').ports.status}/worker/status`);
    const { uptime_ms: uptimeMs } = (await response.json()) as { uptime_ms: number };
    expect(uptimeMs).toBeLessThan(Date.now() - before + 1_000);
    expect((await fixture.pool.query('select from yardmaster.host_hold')).rowCount).toBe(0);
  });

  it('is refused while a job runs there, and names it', async () => {
    const gate = makeGate();
    const { jobId, workerId } = await runningJob(gate.form);
    const refused = await post(`/v1/workers/${workerId}/recycle`, { reason: 'a look' });
    expect(refused).toMatchObject({ status: 409, body: { code: 'worker_busy', detail: expect.stringMatching(jobId) } });
    gate.open();
    expect((await fixture.until(jobId, 'succeeded')).tries).toBe(1);
  });

  it('is refused by its workflow too, so that nobody gets past the check', async () => {
    const gate = makeGate();
    const { jobId, workerId } = await runningJob(gate.form);
    const view = await fixture.client.workflow.execute('recycleWorker', {
      workflowId: `recycle-worker-${workerId}`,
      taskQueue: fixture.taskQueue,
      args: [{ workerId, actor: 'zoe' }],
    });
    expect(view).toMatchObject({ outcome: 'refused', job: { jobId } });
    gate.open();
    expect((await fixture.until(jobId, 'succeeded')).tries).toBe(1);
  });

  it('that is forced names the job that it interrupts, which is tried again where nothing was submitted', async () => {
    const { jobId, workerId } = await runningJob('/slow-start?startMs=600000&times=1&ms=100');
    const forced = await post(`/v1/workers/${workerId}/recycle?wait=20`, { reason: 'a look', force: true });
    expect(forced).toMatchObject({ status: 200, body: { outcome: 'recycled', isForced: true, job: { jobId } } });
    const job = await fixture.until(jobId, 'succeeded', 60_000);
    expect(job.tries).toBe(2);
  });

  it('that is forced may join one that was not, whose workflow never came', async () => {
    const { jobId, workerId } = await runningJob('/slow-start?startMs=600000&times=1&ms=100');
    await leaveAct('recycle', workerId, { ageMs: 1_000, deadlineMs: null });
    const forced = await post(`/v1/workers/${workerId}/recycle?wait=20`, { reason: 'a look', force: true });
    expect(forced).toMatchObject({ status: 200, body: { outcome: 'recycled', reason: 'left behind', isForced: true, job: { jobId } } });
    await fixture.until(jobId, 'succeeded', 60_000);
  });

  it('P3: that is forced over an open form leaves its job uncertain', async () => {
    const { jobId, workerId } = await runningJob(makeGate().form);
    await until(() => fixture.simulator.log().some((entry) => entry.jobId === jobId && entry.event === 'form_opened'), {
      what: 'the form is open',
    });
    await post(`/v1/workers/${workerId}/recycle?wait=20`, { reason: 'a look', force: true });
    await fixture.until(jobId, 'uncertain');
    expect(fixture.simulator.log().some((entry) => entry.jobId === jobId && entry.event === 'submitted')).toBe(false);
  });

  it('says that the command failed, and that a process outlived one that succeeded', async () => {
    broken.add('127.0.1.1');
    expect((await post('/v1/workers/worker-1/recycle?wait=20', { reason: 'a look' })).body).toMatchObject({
      outcome: 'failed',
      detail: expect.stringMatching(/exited with 1/),
    });
    lazy.add('127.0.1.2');
    expect((await post('/v1/workers/worker-2/recycle?wait=20', { reason: 'a look' })).body).toMatchObject({ outcome: 'unproven' });
  });

  it('is proven too where the machine comes back under another id', async () => {
    renamed.set('127.0.1.2', 'worker-3');
    expect((await post('/v1/workers/worker-2/recycle?wait=20', { reason: 'a look' })).body).toMatchObject({ outcome: 'recycled' });
  });

  it('needs no force where only the process of a job that has ended is left, which no drain outwaits', async () => {
    const handle = await fixture.submit('https://sim.test/review?ms=50', { jobId: randomUUID() });
    const jobId = parseApplyJobId(handle.workflowId)?.jobId ?? '';
    // GH sends no callback at a review: the sweep sees it.
    const isReviewed = async (): Promise<boolean> => {
      await fixture.sweep();
      return (await fixture.job(jobId)).state === 'waiting_human';
    };
    await until(isReviewed, { what: 'it waits for a review' });
    const { attempt } = await fixture.job(jobId);
    // Otherwise it is recycled by itself before anybody drains it.
    broken.add(attempt?.host ?? '');
    await post(`/v1/jobs/${jobId}/resolve`, { submitted: true, note: 'seen in the portal' });
    await fixture.until(jobId, 'succeeded');
    const path = `/v1/workers/${attempt?.workerId ?? ''}`;
    const drained = await post(`${path}/drain?wait=10`, { reason: 'a look', deadlineSeconds: 1 });
    expect(drained.body).toMatchObject({ outcome: 'deadline_passed', detail: expect.stringMatching(`${jobId} is over .* recycle`) });
    // One that is under way would be joined, and has failed already.
    await until(async () => (await get(`${path}/recycle`)).body.outcome === 'failed', { what: 'the recycle of its own has failed' });
    broken.clear();
    const recycled = await post(`${path}/recycle?wait=20`, { reason: 'it is stuck' });
    expect(recycled).toMatchObject({ status: 200, body: { outcome: 'recycled', isForced: false, job: null } });
    await until(
      async () => {
        await fixture.sweep();
        return (await get(path)).body.job === null;
      },
      { what: 'its attempt has ended' },
    );
    expect(await fixture.job(jobId)).toMatchObject({ state: 'succeeded', tries: 1 });
  });

  it('is an operator’s alone', async () => {
    expect((await post('/v1/workers/worker-1/recycle', { reason: 'x' }, testKeys.deployer)).status).toBe(403);
  });
});
