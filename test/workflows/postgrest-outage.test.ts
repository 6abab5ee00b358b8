import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { until } from '../support/until';
import { withFleetFixture } from '../support/fleet-fixture';

// GH's code does not look at refused writes: without PostgREST a worker applies, submits and goes idle, and its row says nothing (ghosthands §5.6).
describe('a worker whose writes are lost', () => {
  const fixture = withFleetFixture({ hosts: 2, limits: { attemptSilentMs: 2_000, doubtRecheckMs: 500, retryBackoffFirstMs: 200 } });

  test('P3: submits at most once, and the job ends as the callback of its worker says', async () => {
    for (const { ip } of fixture.simulator.hosts) fixture.simulator.breakPostgrest(ip);
    const jobId = randomUUID();
    // Its row stays claimable until the claim was seen, which only the callback tells here.
    const file = path.join(tmpdir(), `yardmaster-form-${jobId}`);
    await fixture.submit(`https://sim.test/quick?ms=300&untilFile=${encodeURIComponent(file)}`, { jobId });
    await until(
      async () =>
        (
          await fixture.pool.query(
            `select from gh_automation_jobs g join yardmaster.attempt a on a.attempt_id = g.id where a.job_id = $1 and g.target_worker_id is null`,
            [jobId],
          )
        ).rowCount === 1,
      { what: 'its row is disarmed' },
    );
    await writeFile(file, '');
    await until(() => fixture.simulator.log().some((entry) => entry.jobId === jobId && entry.event === 'ended'), {
      what: 'the worker is through with it',
    });
    await rm(file);
    for (const { ip } of fixture.simulator.hosts) fixture.simulator.heal(ip);
    await until(
      async () => {
        await fixture.sweep();
        return ['uncertain', 'succeeded', 'failed'].includes((await fixture.job(jobId)).state);
      },
      { what: 'the job rests or has ended' },
    );
    expect(fixture.simulator.log().filter((entry) => entry.jobId === jobId && entry.event === 'submitted')).toHaveLength(1);
    await fixture.until(jobId, 'succeeded');
    expect(await fixture.job(jobId)).toMatchObject({ reason: 'resolved_by_proof', submission: 'yes' });
    await until(() => fixture.received(jobId).some(({ status }) => status === 'completed'), { what: 'the product is told' });
    expect(fixture.received(jobId).map(({ status }) => status)).toContain('completed');
    const { rows } = await fixture.pool.query(
      `select g.status, g.error_code, a.act, a.actor, a.detail ->> 'submission' as submission
       from gh_automation_jobs g join yardmaster.audit a on a.subject = g.id::text and a.source = 'proof' where g.id = $1`,
      [jobId],
    );
    expect(rows).toEqual([{ status: 'completed', error_code: null, act: 'resolve', actor: 'yardmaster', submission: 'yes' }]);
  });

  test('P3: submits at most once, also when it dies after it could not write for long', async () => {
    for (const { ip } of fixture.simulator.hosts) fixture.simulator.breakPostgrest(ip);
    const jobId = randomUUID();
    await fixture.submit('https://sim.test/quick?ms=3000', { jobId });
    const lines = (): ReturnType<typeof fixture.simulator.log> => fixture.simulator.log().filter((entry) => entry.jobId === jobId);
    await until(() => lines().some(({ event }) => event === 'submitted'), { what: 'it has submitted' });
    fixture.simulator.kill(lines()[0]?.workerId ?? '', { restart: true });
    for (const { ip } of fixture.simulator.hosts) fixture.simulator.heal(ip);
    await until(
      async () => {
        await fixture.sweep();
        return ['uncertain', 'succeeded', 'failed'].includes((await fixture.job(jobId)).state);
      },
      { what: 'the job rests or has ended' },
    );
    expect(lines().filter(({ event }) => event === 'submitted')).toHaveLength(1);
    expect(await fixture.job(jobId)).toMatchObject({ state: 'uncertain', reason: 'worker_lost', submission: 'maybe' });
  });
});
