import type { Pool } from 'pg';
import { readAttempt, takeBack } from '../../src/db/attempts/attempts';
import { moveJob } from '../../src/db/jobs/jobs';
import { createPool } from '../../src/db/pool';
import { readFinding } from '../../src/domain/attempt-finding';
import { recoverStuckJobs, releaseClaimedJobs } from '../../dev/gh/pickup';
import type { WorkerDatabase } from '../../dev/gh/worker-database';
import { withDatabase } from '../support/database';
import { addWaitingJob, addWaitingJobs, addWorker, addWorkers, assignAll, claim, emptyTables } from '../support/fleet-rows';

describe.each(['main-repaired', 'staging'] as const)('a claim in the tables of %s', (variant) => {
  const database = withDatabase({ variant });
  let pool: Pool;
  beforeAll(() => {
    pool = createPool(database.databaseUrl, { max: 20, applicationName: 'yardmaster-test-claims' });
  });
  afterAll(async () => await pool.end());
  beforeEach(async () => await emptyTables(pool));

  test('and a take-back that race never both win, and never both lose, in 300 rounds', async () => {
    const outcomes = { claimed: 0, takenBack: 0 };
    for (let round = 0; round < 3; round++) {
      await emptyTables(pool);
      await addWorkers(pool, 100);
      await addWaitingJobs(pool, 100);
      const assigned = await assignAll(pool);
      expect(assigned).toHaveLength(100);
      await concurrently(10, assigned, async ({ attemptId, workerId }, index) => {
        const take = async (): Promise<boolean> => await takeBack(pool, attemptId);
        const pickUp = async (): Promise<boolean> => (await claim(pool, workerId)) === attemptId;
        // Whoever starts first has the better chance: both get it, so that both ends are seen.
        const [isTakenBack, isClaimed] =
          index % 2 === 0 ? await Promise.all([take(), pickUp()]) : (await Promise.all([pickUp(), take()])).toReversed();
        expect([isTakenBack, isClaimed]).toContain(true);
        expect(isTakenBack).not.toBe(isClaimed);
        if (isClaimed === true) outcomes.claimed += 1;
        else outcomes.takenBack += 1;
      });
    }
    expect(outcomes.claimed + outcomes.takenBack).toBe(300);
    expect(Math.min(outcomes.claimed, outcomes.takenBack)).toBeGreaterThan(0);
  });

  test('of many rows by many pollers gives each row to its own worker, once', async () => {
    await addWorkers(pool, 8);
    await addWaitingJobs(pool, 100);
    let claims = 0;
    const poll = async (workerId: string): Promise<void> => {
      while (claims < 100) {
        const attemptId = await claim(pool, workerId);
        if (attemptId === null) {
          await assignAll(pool);
          continue;
        }
        claims += 1;
        // Through at once, and free for the next: as little time as possible between two rows.
        await pool.query(`update gh_automation_jobs set status = 'completed', target_worker_id = null where id = $1`, [attemptId]);
        await pool.query(`update yardmaster.attempt set state = 'ended', ended_at = now() where attempt_id = $1`, [attemptId]);
      }
    };
    await Promise.all(Array.from({ length: 8 }, async (_, index) => await poll(`worker-${index + 1}`)));
    const { rows } = await pool.query(
      `select count(*)::int as attempts, count(distinct a.job_id)::int as jobs,
         count(*) filter (where g.worker_id = a.worker_id)::int as by_its_worker,
         count(*) filter (where (select count(*) from gh_job_events e where e.job_id = g.id and e.to_status = 'queued') = 1)::int as once
       from yardmaster.attempt a join gh_automation_jobs g on g.id = a.attempt_id`,
    );
    expect(rows).toEqual([{ attempts: 100, jobs: 100, by_its_worker: 100, once: 100 }]);
  });

  test('is seen with the moment that the database gave it', async () => {
    const { attemptId, workerId } = await makeAssigned();
    await expect(finding(attemptId)).resolves.toEqual({ kind: 'unclaimed' });
    await claim(pool, workerId);
    const read = await readAttempt(pool, attemptId);
    expect(read).toMatchObject({ kind: 'seen', seen: { status: 'queued', workerId, isArmed: true, claimedAt: expect.any(Date) } });
    await expect(finding(attemptId)).resolves.toEqual({ kind: 'running', submission: 'no' });
  });

  test('that is seen disarms the row: not even its own worker takes it again', async () => {
    const { jobId, attemptId, workerId } = await makeAssigned();
    await claim(pool, workerId);
    // Until then GH would: it takes `queued` rows as well, its own included (ghosthands §4.1).
    await expect(claim(pool, workerId)).resolves.toBe(attemptId);
    await seeClaim({ jobId, attemptId, workerId });
    await expect(claim(pool, workerId)).resolves.toBeNull();
  });

  test.each(['a drain', 'the recovery of another worker'])('that is given back by %s stays with nobody', async (by) => {
    const { jobId, attemptId, workerId } = await makeAssigned();
    await claim(pool, workerId);
    await seeClaim({ jobId, attemptId, workerId });
    if (by === 'a drain') await releaseClaimedJobs(asGh(), workerId);
    else await recover({ stuckAfterMs: -1_000 });
    await expect(finding(attemptId)).resolves.toMatchObject({ kind: 'released' });
    for (const anybody of [workerId, 'worker-2', '']) await expect(claim(pool, anybody)).resolves.toBeNull();
    await expect(takeBack(pool, attemptId)).resolves.toBe(false);
  });

  test('does not happen after a take-back, nor a second take-back', async () => {
    const { attemptId, workerId } = await makeAssigned();
    await expect(takeBack(pool, attemptId)).resolves.toBe(true);
    await expect(claim(pool, workerId)).resolves.toBeNull();
    await expect(takeBack(pool, attemptId)).resolves.toBe(false);
  });

  test.each<[what: string, change: string]>([
    ['was claimed', `worker_id = 'worker-1', status = 'queued'`],
    ['has started', `started_at = now()`],
    ['was given back by a drain', `error_details = '{"released_by": "worker-1"}'`],
    ['was given back by a recovery', `error_details = '{"recovered_by": "worker-1"}'`],
    ['has ended', `status = 'completed'`],
  ])('is respected by a take-back of a row that %s', async (_what, change) => {
    const { attemptId } = await makeAssigned();
    await pool.query(`update gh_automation_jobs set ${change} where id = $1`, [attemptId]);
    await expect(takeBack(pool, attemptId)).resolves.toBe(false);
  });

  test("is not made by GH's recovery, which leaves an unclaimed attempt and the job row alone", async () => {
    const { attemptId, workerId } = await makeAssigned();
    await expect(recover({ stuckAfterMs: 0 })).resolves.toEqual([]);
    await expect(claim(pool, workerId)).resolves.toBe(attemptId);
  });

  /** What the step does that sees the job run. */
  const seeClaim = async ({ jobId, ...attempt }: { jobId: string; attemptId: string; workerId: string }): Promise<void> =>
    await moveJob(pool, {
      jobId,
      generation: 1,
      state: 'running',
      reason: 'running',
      deadlineInMs: null,
      attempt,
      work: { claim: { claimedAt: null } },
    });

  const makeAssigned = async (): Promise<{ attemptId: string; workerId: string; jobId: string }> => {
    await addWaitingJob(pool);
    await addWorker(pool);
    const [assigned] = await assignAll(pool);
    if (assigned === undefined) throw new Error('nothing was assigned');
    return assigned;
  };

  const finding = async (attemptId: string): Promise<object> => {
    const read = await readAttempt(pool, attemptId);
    if (read.kind !== 'seen') throw new Error(`the row cannot be read: ${JSON.stringify(read)}`);
    return readFinding(read.seen);
  };

  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- GH's statements ask for nothing but `query`.
  const asGh = (): WorkerDatabase => pool as unknown as WorkerDatabase;
  const recover = async ({ stuckAfterMs }: { stuckAfterMs: number }): Promise<object[]> =>
    await recoverStuckJobs(asGh(), { workerId: 'worker-2', variant: variant === 'staging' ? 'staging' : 'main', stuckAfterMs });
});

/** So many at a time. */
const concurrently = async <Item>(
  width: number,
  items: readonly Item[],
  work: (item: Item, index: number) => Promise<void>,
): Promise<void> => {
  const queue = items.entries();
  const runner = async (): Promise<void> => {
    for (const [index, item] of queue) await work(item, index);
  };
  await Promise.all(Array.from({ length: width }, runner));
};
