import { limits } from '../../src/contracts/limits';
import { acceptJob } from '../../src/db/jobs/accept-job';
import { assignWaitingJobs } from '../../src/db/jobs/assign';
import { findJob, moveJob, viewJob } from '../../src/db/jobs/jobs';
import { mirrorJob, refreshMirrors } from '../../src/db/jobs/mirror';
import { withTransaction } from '../../src/db/pool';
import { withDatabase } from '../support/database';
import { acceptNewJob, makeNewJob, testActor } from '../support/new-job';
import { until } from '../support/until';
import { withFleetFixture } from '../support/fleet-fixture';

/** Two runs of one step meet when an orchestrator is killed in the middle of it, or when it took too long: both are the job's owner. */
describe('a step that waited for the row behind another run of itself', () => {
  const fixture = withFleetFixture({ hosts: 1 });

  test('leaves a job alone that is in its back-off by now', async () => {
    const handle = await fixture.submit('https://sim.test/quick?ms=60000');
    const jobId = handle.workflowId.replace('apply-job-', '');
    await fixture.until(jobId, 'running');
    const owner = (await fixture.job(jobId)).owner ?? '';
    await handle.terminate('its steps are taken by hand here');

    const first = await fixture.pool.connect();
    try {
      await first.query('begin');
      await findJob(first, jobId, { lock: true });
      const second = fixture.activities.advanceJob({ jobId, owner });
      await until(
        async () =>
          (
            await fixture.pool.query(
              `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%yardmaster.job%'`,
            )
          ).rowCount,
        {
          what: 'the second run waits for the row',
        },
      );
      await first.query(
        `update yardmaster.attempt set state = 'ended', ended_at = now(), claimed_at = coalesce(claimed_at, now()) where job_id = $1`,
        [jobId],
      );
      await first.query(
        `update yardmaster.job set state = 'waiting', attempt_id = null, not_before = now() + interval '1 h', deadline_at = now() + interval '4 h' where job_id = $1`,
        [jobId],
      );
      await first.query('commit');
      await expect(second).resolves.toMatchObject({ state: 'waiting' });
    } finally {
      first.release();
    }
  });

  test('reads the attempt as the other run left it, not as it was before the wait', async () => {
    const handle = await fixture.submit('https://sim.test/quick?ms=60000');
    const jobId = handle.workflowId.replace('apply-job-', '');
    // Its first step, which terminating does not stop, would be one more that waits for the row.
    await until(async () => (await fixture.job(jobId)).state !== 'accepted', { what: 'the workflow has taken its first step' });
    await handle.terminate('its steps are taken by hand here');

    const [first, second] = [await fixture.pool.connect(), await fixture.pool.connect()];
    try {
      await first.query('begin');
      await findJob(first, jobId, { lock: true });
      await second.query('begin');
      const read = findJob(second, jobId, { lock: true });
      await until(
        async () =>
          (
            await fixture.pool.query(
              `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%yardmaster.job%'`,
            )
          ).rowCount,
        {
          what: 'the second run waits for the row',
        },
      );
      await first.query(
        `insert into yardmaster.attempt (attempt_id, job_id, generation, number, worker_id, state, claimed_at, ended_at)
        values (gen_random_uuid(), $1, 1, 100, 'somebody', 'ended', now(), now())`,
        [jobId],
      );
      await first.query(
        `update yardmaster.job set attempt_id = (select attempt_id from yardmaster.attempt where job_id = $1 and number = 100) where job_id = $1`,
        [jobId],
      );
      await first.query('commit');
      await expect(read).resolves.toMatchObject({ attempt: { number: 100, state: 'ended' }, tries: 1 });
    } finally {
      await second.query('rollback');
      first.release();
      second.release();
    }
  });
});

/** A step that was committed is repeated when its answer came too late, with what was known of the attempt before. */
describe('what is known of an earlier attempt', () => {
  const fixture = withFleetFixture({ hosts: 1 });

  test('P3: says nothing of the present one', async () => {
    const handle = await fixture.submit('https://sim.test/slow-start?startMs=60000');
    const jobId = handle.workflowId.replace('apply-job-', '');
    const { owner, attempt } = await fixture.until(jobId, 'running');
    await handle.terminate('its steps are taken by hand here');
    const attemptId = attempt?.attemptId ?? '';

    const step = { jobId, owner: owner ?? '', proof: 'gone' } as const;
    const earlier = '11111111-2222-4333-8444-555555555555';
    await expect(fixture.activities.advanceJob({ ...step, attemptId: earlier })).resolves.toMatchObject({
      state: 'running',
      attempt: { attemptId },
    });
    await expect(fixture.activities.advanceJob({ ...step, attemptId: earlier, isUnreachable: true })).resolves.toMatchObject({
      state: 'running',
    });
    await expect(fixture.activities.examineOwner({ jobId, attemptId: earlier })).resolves.toBe('none');
    await expect(fixture.activities.examineOwner({ jobId, attemptId })).resolves.toBe('alive');
    await expect(fixture.activities.advanceJob({ ...step, attemptId })).resolves.toMatchObject({ state: 'waiting', reason: 'retry' });
  });
});

describe('the attempts of a job', () => {
  const fixture = withFleetFixture({ hosts: 1, limits: { retryBackoffFirstMs: 100 } });

  test('are no more than allowed when each is first seen at its end', async () => {
    const handle = await fixture.submit('https://sim.test/fails-before-form?times=9&ms=50&lost=running', { attemptsMax: 2 });
    await expect(handle.result()).resolves.toMatchObject({ state: 'failed', reason: 'network_error' });
    const jobId = handle.workflowId.replace('apply-job-', '');
    const { rows } = await fixture.pool.query('select number from yardmaster.attempt where job_id = $1', [jobId]);
    expect(rows).toHaveLength(2);
  });
});

describe('the public row of a job that ends while the sweep refreshes it', () => {
  const database = withDatabase();

  test('P2: keeps the status of the end', async () => {
    const job = makeNewJob();
    await withTransaction(database.pool, async (client) => await acceptJob(client, job, testActor, limits));
    await database.pool.query(`update gh_automation_jobs set last_heartbeat = now() - interval '1 h' where id = $1`, [job.jobId]);

    const step = await database.pool.connect();
    try {
      await step.query('begin');
      await moveJob(step, { jobId: job.jobId, generation: 1, state: 'cancelled', reason: 'a test', deadlineInMs: null, attempt: null });
      await mirrorJob(step, job.jobId, { showsWorkerId: false });
      let isRefreshed = false;
      const refreshed = refreshMirrors(database.pool, { beatMs: 1_000 }, { showsWorkerId: false }).finally(() => (isRefreshed = true));
      await until(
        async () =>
          isRefreshed ||
          (await database.pool.query(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`))
            .rowCount,
        {
          what: 'the sweep is through, or waits for the step',
        },
      );
      await step.query('commit');
      await refreshed;
    } finally {
      step.release();
    }
    const { rows } = await database.pool.query('select status from gh_automation_jobs where id = $1', [job.jobId]);
    expect(rows).toEqual([{ status: 'cancelled' }]);
  });
});

describe('a job whose back-off ends in the middle of a step', () => {
  const database = withDatabase();

  test('is looked at again at once, since it was not over to those who assign', async () => {
    const job = makeNewJob();
    await acceptNewJob(database.pool, job, limits);
    const { jobId } = job;
    await database.pool.query(`update yardmaster.job set state = 'waiting', deadline_at = now() + interval '4 h' where job_id = $1`, [
      jobId,
    ]);
    const view = await withTransaction(database.pool, async (client) => {
      await client.query(`update yardmaster.job set not_before = now() + interval '1 ms' where job_id = $1`, [jobId]);
      await client.query('select pg_sleep(0.02)');
      const found = await findJob(client, jobId);
      return found === null ? null : viewJob(found, limits.doubtRecheckMs);
    });
    expect(view?.wakeInMs).toBe(0);
  });
});

describe('a job whose back-off ends while it is given to a worker', () => {
  const retryBackoffFirstMs = 2_000;
  const fixture = withFleetFixture({ hosts: 1, limits: { retryBackoffFirstMs } });

  test('runs, and is not taken for one that a cancel could not reach', async () => {
    const handle = await fixture.submit('https://sim.test/fails-before-form?times=1&ms=4000&lost=running,completed');
    const jobId = handle.workflowId.replace('apply-job-', '');
    await until(async () => (await fixture.job(jobId)).reason === 'retry', { what: 'the first attempt has failed' });
    // Assigned by somebody else, whose hint is lost: the workflow still waits for the end of the back-off.
    await withTransaction(fixture.pool, async (client) => {
      await client.query('update yardmaster.job set not_before = null where job_id = $1', [jobId]);
      const how = { callbackBaseUrl: 'http://127.0.0.1:9', limits: { ...limits, probeFreshMs: 600_000 } };
      await assignWaitingJobs(client, how);
    });
    expect((await fixture.job(jobId)).state).toBe('assigned');
    await until(async () => (await fixture.job(jobId)).state !== 'assigned', { what: 'the workflow has looked again' });
    expect(await fixture.job(jobId)).toMatchObject({ state: 'running', reason: 'running' });
    await handle.terminate('enough is seen');
  });
});
