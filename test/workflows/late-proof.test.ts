import { randomUUID } from 'node:crypto';
import { withFleetFixture } from '../support/fleet-fixture';
import { until } from '../support/until';
import { makeGate } from '../support/gate';

// On main the recovery at a worker's start completes any row that has been silent for 120 s, past the process that has it (ghosthands §2.5).
describe('a job whose worker hangs and comes back', () => {
  const fixture = withFleetFixture({
    hosts: 2,
    variant: 'main',
    limits: { attemptSilentMs: 1_000, doubtRecheckMs: 500 },
    times: { stuckJobMs: 1_500, jobHeartbeatMs: 300 },
  });

  test('P3: is not ended by the recovery of another worker, but by its own late word', async () => {
    const jobId = randomUUID();
    const gate = makeGate();
    await fixture.submit(`https://sim.test${gate.form}`, { jobId });
    const log = (): ReturnType<typeof fixture.simulator.log> => fixture.simulator.log().filter((entry) => entry.jobId === jobId);
    const attemptRow = async (): Promise<Record<string, unknown> | undefined> =>
      (
        await fixture.pool.query<Record<string, unknown>>(
          `select g.status, g.worker_id, g.result_data is not null as has_result, a.state, exists (
             select from gh_job_events e where e.job_id = g.id and e.event_type = 'step_completed') as has_step
           from gh_automation_jobs g join yardmaster.attempt a on a.attempt_id = g.id where a.job_id = $1`,
          [jobId],
        )
      ).rows[0];
    await until(async () => (await attemptRow())?.has_step === true, { what: 'a step is done' });
    const owner = log()[0]?.workerId ?? '';
    fixture.simulator.hang(owner);
    const other = fixture.simulator.hosts.find(({ workerId }) => workerId !== owner)?.workerId ?? '';
    await until(
      async () => {
        await fixture.simulator.restart(other);
        return (await attemptRow())?.status === 'completed';
      },
      { what: 'the other worker has completed the row', timeoutMs: 60_000 },
    );
    expect(await attemptRow()).toMatchObject({ worker_id: null, has_result: false });

    // Its process is only silent: whoever looks finds its listener.
    await until(
      async () => {
        await fixture.sweep();
        return (await fixture.job(jobId)).isOwnerInDoubt;
      },
      { what: 'its owner is in doubt', timeoutMs: 60_000 },
    );
    expect(await fixture.job(jobId)).toMatchObject({ state: 'running', attempt: { state: 'running' } });

    fixture.simulator.heal(owner);
    gate.open();
    await until(
      async () => {
        await fixture.sweep();
        return (await fixture.job(jobId)).state === 'succeeded';
      },
      { what: 'its own word has ended it', timeoutMs: 60_000 },
    );
    expect(await fixture.job(jobId)).toMatchObject({ submission: 'yes', attempt: { state: 'ended' } });
    expect(log().filter(({ event }) => event === 'submitted')).toHaveLength(1);
  });

  test('ends by what its row says after its attempt was given up, without a hint', async () => {
    const jobId = randomUUID();
    const handle = await fixture.submit('https://sim.test/fails-after-form?code=timeout&ms=50', { jobId });
    await fixture.until(jobId, 'uncertain');
    await until(() => fixture.received(jobId).some(({ status }) => status === 'failed'), { what: 'the product is told the doubt' });
    await fixture.pool.query(
      `update gh_automation_jobs set status = 'completed', result_data = '{"submitted": true}'
       where id = (select attempt_id from yardmaster.job where job_id = $1)`,
      [jobId],
    );
    await fixture.sweep();
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded', reason: 'resolved_by_proof' });
    const { rows } = await fixture.pool.query(
      `select g.status, g.error_code, a.submission from gh_automation_jobs g join yardmaster.attempt a on a.job_id = g.id where g.id = $1`,
      [jobId],
    );
    expect(rows).toEqual([{ status: 'completed', error_code: null, submission: 'yes' }]);
    // Its end was told: one of a generation stays the only one.
    expect(fixture.received(jobId).filter(({ status }) => status !== 'running')).toHaveLength(1);
  });
});
