import { randomUUID } from 'node:crypto';
import { makeRecycleWorkerId } from '../../src/contracts/ids';
import type { SweepReport } from '../../src/contracts/sweep';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { call, startTestGateway, testKeys, type Reply, type TestGateway } from '../support/gateway';
import { until } from '../support/until';
import { withFleetFixture } from '../support/fleet-fixture';

/** What GH needs from the start of its process to its registration; no recycle command waits for it. */
const processStartMs = 400;
/** Hosts whose recycle command fails. */
const broken = new Set<string>();
const recycled: string[] = [];

const fixture = withFleetFixture({
  hosts: 2,
  limits: {
    attemptSilentMs: 5_000,
    doubtRecheckMs: 500,
    leftWaiterSettleMs: 100,
    releaseRetryFirstMs: 200,
    blockerMs: 1_000,
    blockerGraceMs: 200,
  },
  // Of a wait for a person nothing is heard for the length of a test.
  times: { processStartMs, humanWaitMs: 600_000 },
  recycle: async (simulator, host) => {
    if (broken.has(host)) return false;
    recycled.push(host);
    void simulator.restart(host);
    return await Promise.resolve(true);
  },
});
let gateway: TestGateway;

beforeAll(async () => {
  const workflows = createWorkflowsClient(fixture.client, { deadlineMs: 30_000, taskQueue: fixture.taskQueue });
  gateway = await startTestGateway({ pool: fixture.pool, workflows });
});
afterAll(async () => await gateway.stop());

beforeEach(() => {
  broken.clear();
  recycled.length = 0;
});
afterEach(async () => {
  broken.clear();
  await fixture.pool.query(`update yardmaster.attempt set release_next_at = now() where release_next_at is not null`);
  await until(async () => (await fixture.sweep(), (await idleWorkers()).length === 2), {
    what: 'both workers are idle',
    timeoutMs: 40_000,
  });
});

const post = async (path: string, json: object): Promise<Reply> => await call(`${gateway.url}${path}`, { key: testKeys.operator, json });
const get = async (path: string): Promise<Reply> => await call(`${gateway.url}${path}`, { key: testKeys.readOnly });

const idleWorkers = async (): Promise<string[]> => {
  const { workers } = (await get('/v1/workers')).body as { workers: { workerId: string; condition: string }[] };
  return workers.filter(({ condition }) => condition === 'idle').map(({ workerId }) => workerId);
};
const isIdle = async (workerId: string): Promise<boolean> => (await idleWorkers()).includes(workerId);

interface Placed {
  jobId: string;
  workerId: string;
  host: string;
  processId: string;
}

/** A job of that posting on that worker. */
const place = async (url: string, wantedWorker = 'worker-1'): Promise<Placed> => {
  const jobId = randomUUID();
  await fixture.submit(url, { jobId, wantedWorker, affinity: 'strict' });
  const { attempt } = await until(
    async () => {
      const job = await fixture.job(jobId);
      return job.attempt?.claimedAt ? job : null;
    },
    { what: 'it is claimed' },
  );
  const workerId = attempt?.workerId ?? '';
  return { jobId, workerId, host: attempt?.host ?? '', processId: processOf(workerId) };
};

const processOf = (workerId: string): string => fixture.simulator.host(workerId).describe().worker?.processId ?? '';

/** GH sends no callback at a review: a pass sees it. */
const sweptUntil = async (jobId: string, state: string): Promise<void> => {
  await until(async () => (await fixture.sweep(), (await fixture.job(jobId)).state === state), {
    what: `it is ${state}`,
    timeoutMs: 40_000,
  });
};

const reviewed = async (wantedWorker?: string): Promise<Placed> => {
  const placed = await place('https://sim.test/review?ms=50', wantedWorker);
  await sweptUntil(placed.jobId, 'waiting_human');
  return placed;
};

const actsOf = async (workerId: string): Promise<object[]> => {
  const { rows } = await fixture.pool.query<object>(
    `select act, actor, source, outcome from yardmaster.audit where subject_kind = 'worker' and subject = $1 order by audit_id`,
    [workerId],
  );
  return rows;
};

const lastSweep = async (): Promise<SweepReport> => ((await get('/v1/fleet')).body as { lastFullSweep: SweepReport }).lastFullSweep;

describe('a worker that a person has released', () => {
  it('is idle again when its next process is, ten reviews in a row, without a person and without a pass of the sweep', async () => {
    const took: number[] = [];
    for (let turn = 1; turn <= 10; turn++) {
      const { jobId, workerId, processId } = await reviewed();
      const since = Date.now();
      expect((await post(`/v1/jobs/${jobId}/resolve?wait=20`, { submitted: turn % 2 === 0 })).status).toBe(200);
      await until(async () => await isIdle(workerId), { what: `worker-1 is idle after review ${turn}` });
      took.push(Date.now() - since);
      expect(processOf(workerId)).not.toBe(processId);
      expect(await fixture.job(jobId)).toMatchObject({ state: turn % 2 === 0 ? 'succeeded' : 'failed', attempt: { state: 'ended' } });
    }
    // For a person who reads it: a busy machine says nothing about ours.
    process.stdout.write(`resolve to idle, GH's own start of ${processStartMs} ms included: ${took.join(', ')} ms\n`);
    expect(recycled).toEqual(Array.from({ length: 10 }, () => '127.0.1.1'));
    expect((await fixture.pool.query('select from yardmaster.host_hold')).rowCount).toBe(0);
    expect((await actsOf('worker-1')).slice(0, 2)).toEqual([
      { act: 'recycle', actor: 'yardmaster', source: 'job', outcome: null },
      { act: 'recycle_ended', actor: 'yardmaster', source: 'job', outcome: 'recycled' },
    ]);
  }, 180_000);

  it('gets nothing while its process is being replaced, and then the job that waits for it', async () => {
    const { jobId, processId } = await reviewed();
    const next = randomUUID();
    await fixture.submit('https://sim.test/quick?ms=50', { jobId: next, wantedWorker: 'worker-1', affinity: 'strict' });
    await post(`/v1/jobs/${jobId}/resolve?wait=20`, { submitted: true });
    await sweptUntil(next, 'succeeded');
    const claims = fixture.simulator.log().filter((entry) => entry.event === 'claimed' && entry.jobId === next);
    expect(claims).toHaveLength(1);
    expect(claims[0]?.processId).not.toBe(processId);
  });

  it('is recycled by the sweep where the start was lost, and once where it was not', async () => {
    const { jobId, workerId, processId } = await reviewed();
    await fixture.handleOf(jobId).terminate('lost with its orchestrator');
    await fixture.pool.query(`update yardmaster.job set state = 'succeeded', ended_at = now(), deadline_at = null where job_id = $1`, [
      jobId,
    ]);
    await fixture.sweep({ full: false });
    await until(async () => await isIdle(workerId), { what: 'it is idle' });
    expect(processOf(workerId)).not.toBe(processId);
    await fixture.sweep();
    expect(recycled).toEqual(['127.0.1.1']);
  });
});

describe('a process that its job has left behind', () => {
  it('at a blocker that nobody ended is replaced, and its job rests for a person', async () => {
    const { jobId, workerId, processId } = await place('https://sim.test/blocker?type=captcha&ms=50');
    await fixture.until(jobId, 'waiting_human');
    await fixture.until(jobId, 'uncertain');
    await until(async () => await isIdle(workerId), { what: 'it is idle' });
    expect(processOf(workerId)).not.toBe(processId);
    expect(await fixture.job(jobId)).toMatchObject({ state: 'uncertain', reason: 'blocker_timeout', attempt: { state: 'ended' } });
  });

  it('at a review whose deadline has passed is replaced', async () => {
    const { jobId, workerId, processId } = await reviewed();
    await fixture.pool.query(`update yardmaster.job set deadline_at = now() where job_id = $1`, [jobId]);
    await sweptUntil(jobId, 'uncertain');
    await until(async () => await isIdle(workerId), { what: 'it is idle' });
    expect(processOf(workerId)).not.toBe(processId);
    expect(await fixture.job(jobId)).toMatchObject({ reason: 'review_timeout', attempt: { state: 'ended' } });
  });

  it('with a wait for a person in it is replaced, and the worker is tainted no more', async () => {
    const { jobId, workerId, processId } = await place('https://sim.test/ghost-waiter?ms=50&handlerTimeoutMs=300');
    await until(async () => processOf(workerId) !== processId && (await isIdle(workerId)), { what: 'it is idle' });
    expect(['uncertain', 'failed']).toContain((await fixture.job(jobId)).state);
    const { rows } = await fixture.pool.query(`select from yardmaster.attempt where has_left_waiter`);
    expect(rows).toEqual([]);
  });

  it('that a person retries keeps nothing from its next life', async () => {
    const { jobId, workerId, processId } = await reviewed();
    await fixture.pool.query(`update yardmaster.job set deadline_at = now() where job_id = $1`, [jobId]);
    broken.add('127.0.1.1');
    await sweptUntil(jobId, 'uncertain');
    expect((await post(`/v1/jobs/${jobId}/retry?wait=20`, { confirm: true })).status).toBe(200);
    broken.clear();
    await until(async () => (await fixture.sweep(), processOf(workerId) !== processId), { what: 'it is replaced' });
    // On the worker that it wants, and no other one: that has a process again which takes jobs.
    await sweptUntil(jobId, 'waiting_human');
    expect(await fixture.job(jobId)).toMatchObject({ generation: 2, attempt: { workerId, state: 'running' } });
    await post(`/v1/jobs/${jobId}/cancel?wait=30`, {});
  });

  it('is left alone when another one is there already, and when its worker has a job again', async () => {
    const { jobId, workerId, host } = await reviewed();
    broken.add(host);
    await post(`/v1/jobs/${jobId}/resolve?wait=20`, { submitted: true });
    await until(async () => (await fixture.pool.query('select from yardmaster.attempt where release_problem is not null')).rowCount === 1, {
      what: 'the recycle has failed',
    });
    broken.clear();
    await fixture.simulator.restart(host);
    await fixture.pool.query(`update yardmaster.attempt set release_next_at = now() where release_next_at is not null`);
    await until(async () => (await fixture.sweep(), await isIdle(workerId)), { what: 'it is idle' });
    expect(recycled).toEqual([]);
  });
});

describe('a recycle that does not help', () => {
  it('is named with its worker wherever a person looks, tried again, and forgotten when it has helped', async () => {
    const { jobId, workerId, host } = await reviewed();
    broken.add(host);
    await post(`/v1/jobs/${jobId}/resolve?wait=20`, { submitted: true });
    const names = expect.stringMatching(new RegExp(`Restart ${workerId}: Job ${jobId} .*exited with 1`));
    await until(
      async () => {
        await fixture.sweep();
        const { items } = await lastSweep();
        return items.some(({ finding, subject }) => finding === 'worker_waits_for_restart' && subject === workerId);
      },
      { what: 'the sweep alarms' },
    );
    const waits = [{ workerId, host, jobId, detail: names, tries: expect.any(Number) }];
    expect((await get('/v1/jobs?needsAttention=true')).body.workersToRestart).toEqual(waits);
    expect((await get('/v1/fleet')).body.workersToRestart).toEqual(waits);
    const { alerts } = (await get('/monitoring/alerts')).body as { alerts: object[] };
    expect(alerts).toContainEqual(expect.objectContaining({ id: 'workers_to_restart', metadata: { workers: [names] } }));
    // Who asks again is told as well.
    expect((await get(`/v1/jobs/${jobId}`)).body.leftWorker).toMatchObject({ workerId, isBeingRecycled: false, detail: names });

    broken.clear();
    await fixture.pool.query(`update yardmaster.attempt set release_next_at = now() where release_next_at is not null`);
    await until(async () => (await fixture.sweep(), await isIdle(workerId)), { what: 'it is idle' });
    expect((await get('/v1/jobs?needsAttention=true')).body.workersToRestart).toEqual([]);
  });

  it('is joined by a person, who is told how it ends', async () => {
    const { jobId, workerId } = await reviewed();
    await post(`/v1/jobs/${jobId}/resolve?wait=20`, { submitted: true });
    const joined = await post(`/v1/workers/${workerId}/recycle?wait=30`, { reason: 'me too' });
    expect(joined).toMatchObject({ status: 200, body: { outcome: 'recycled' } });
    await until(async () => await isIdle(workerId), { what: 'it is idle' });
    await fixture.client.workflow.getHandle(makeRecycleWorkerId({ workerId })).result();
  });
});
