import { setTimeout as delay } from 'node:timers/promises';
import { limits } from '../../src/contracts/limits';
import { until } from '../support/until';
import { withFleetFixture, type FleetFixture } from '../support/fleet-fixture';

/** Passes as the schedule makes them, one after the other, until the work is done; the next one makes good one that failed. */
const whileSwept = async <Result>(fixture: FleetFixture, everyMs: number, work: () => Promise<Result>): Promise<Result> => {
  let isOver = false;
  const sweeping = (async () => {
    while (!isOver) {
      const nextAt = Date.now() + everyMs;
      await fixture.sweep({}).catch(() => undefined);
      while (!isOver && Date.now() < nextAt) await delay(50);
    }
  })();
  try {
    return await work();
  } finally {
    isOver = true;
    await sweeping;
  }
};

const statusOf = async (fixture: FleetFixture, workerId: string): Promise<string | undefined> =>
  (await fixture.pool.query<{ status: string }>('select status from gh_worker_registry where worker_id = $1', [workerId])).rows[0]?.status;

/** A job that its worker works on with the form still closed. */
const startJob = async (fixture: FleetFixture): Promise<{ jobId: string; workerId: string; host: string }> => {
  const { workflowId } = await fixture.submit('https://sim.test/slow-start?startMs=600000');
  const jobId = workflowId.replace('apply-job-', '');
  const { attempt } = await fixture.until(jobId, 'running', 60_000);
  return { jobId, workerId: attempt?.workerId ?? '', host: attempt?.host ?? '' };
};

const untilElsewhere = async (fixture: FleetFixture, job: { jobId: string; workerId: string }): Promise<void> => {
  await until(
    async () => {
      const { attempt, state, reason } = await fixture.job(job.jobId);
      if (attempt?.number === 2 && attempt.state === 'running') return attempt.workerId !== job.workerId;
      throw new Error(`${state} (${reason}), attempt ${attempt?.number}`);
    },
    { what: 'the job runs elsewhere', timeoutMs: 120_000, everyMs: 50 },
  );
};

describe('a worker that is killed', () => {
  // Everything as in life: limits, GH's own times, a pass every 10 s.
  const fixture = withFleetFixture({
    hosts: 4,
    timeScale: 1,
    limits: { sweepEveryMs: limits.sweepEveryMs, probeFreshMs: limits.probeFreshMs },
  });

  test('says nothing in the registry, and its job runs elsewhere within 45 s', async () => {
    const recoveryMs = await whileSwept(fixture, limits.sweepEveryMs, async () => {
      const jobs = [await startJob(fixture), await startJob(fixture)];
      return await Promise.all(
        jobs.map(async (job, index) => {
          await delay(index * 4_000);
          fixture.simulator.kill(job.host);
          const killedAt = Date.now();
          await untilElsewhere(fixture, job);
          expect(await statusOf(fixture, job.workerId)).toBe('active');
          return Date.now() - killedAt;
        }),
      );
    });
    process.stdout.write(`recovery after kill -9: ${recoveryMs.map((ms) => `${(ms / 1_000).toFixed(1)} s`).join(', ')}\n`);
    expect(Math.max(...recoveryMs)).toBeLessThan(45_000);
  }, 240_000);
});

describe('a worker that is killed while nobody can look at it', () => {
  let isBlind = true;
  let probes = 0;
  const fixture = withFleetFixture({
    hosts: 2,
    replaceActivities: ({ examineOwner }) => ({
      async examineOwner(input) {
        probes++;
        // As when Postgres is away, or one orchestrator after the other dies with it.
        if (isBlind) throw new Error('cannot look');
        return await examineOwner(input);
      },
    }),
  });

  test('does not end the workflow of its job, which runs elsewhere once somebody has looked', async () => {
    const job = await startJob(fixture);
    const { runId } = await fixture.handleOf(job.jobId).describe();
    fixture.simulator.kill(job.host);
    await whileSwept(fixture, 1_000, async () => {
      await until(() => probes >= 3, { what: 'three probes have failed', timeoutMs: 60_000 });
      isBlind = false;
      await untilElsewhere(fixture, job);
    });
    // The sweep would start a failed workflow again, so it is the same run that has to be there.
    await expect(fixture.handleOf(job.jobId).describe()).resolves.toMatchObject({ runId, status: { name: 'RUNNING' } });
  }, 120_000);
});

describe('a worker that is told to end', () => {
  const fixture = withFleetFixture({ hosts: 2 });

  test('is offline by its own word, and its job runs elsewhere once its process is gone', async () => {
    const job = await startJob(fixture);
    await whileSwept(fixture, 1_000, async () => {
      fixture.simulator.terminate(job.host, { graceMs: 4_000 });
      await until(async () => (await statusOf(fixture, job.workerId)) === 'offline', { what: 'the worker is offline' });
      await untilElsewhere(fixture, job);
    });
    const { rows } = await fixture.pool.query(
      'select count(*)::int as live from yardmaster.attempt where job_id = $1 and ended_at is null',
      [job.jobId],
    );
    expect(rows).toEqual([{ live: 1 }]);
  }, 120_000);
});
