import { randomUUID } from 'node:crypto';
import { until } from '../support/until';
import { withFleetFixture } from '../support/fleet-fixture';

// GH's code does not look at refused writes: without PostgREST a worker applies, submits and goes idle, and its row says nothing (ghosthands §5.6).
describe('a worker whose writes are lost', () => {
  const fixture = withFleetFixture({ hosts: 2, limits: { attemptSilentMs: 2_000, doubtRecheckMs: 500, retryBackoffFirstMs: 200 } });

  test('P3: submits at most once, and the job rests uncertain', async () => {
    for (const { ip } of fixture.simulator.hosts) fixture.simulator.breakPostgrest(ip);
    const jobId = randomUUID();
    await fixture.submit('https://sim.test/quick?ms=300', { jobId });
    await until(() => fixture.simulator.log().some((entry) => entry.jobId === jobId && entry.event === 'ended'), {
      what: 'the worker is through with it',
    });
    for (const { ip } of fixture.simulator.hosts) fixture.simulator.heal(ip);
    await until(
      async () => {
        await fixture.sweep();
        return ['uncertain', 'succeeded', 'failed'].includes((await fixture.job(jobId)).state);
      },
      { what: 'the job rests or has ended', timeoutMs: 30_000 },
    );
    expect(fixture.simulator.log().filter((entry) => entry.jobId === jobId && entry.event === 'submitted')).toHaveLength(1);
    expect(await fixture.job(jobId)).toMatchObject({ state: 'uncertain', reason: 'worker_lost', submission: 'maybe' });
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
      { what: 'the job rests or has ended', timeoutMs: 30_000 },
    );
    expect(lines().filter(({ event }) => event === 'submitted')).toHaveLength(1);
    expect(await fixture.job(jobId)).toMatchObject({ state: 'uncertain', reason: 'worker_lost', submission: 'maybe' });
  });
});
