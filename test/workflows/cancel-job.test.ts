import { randomUUID } from 'node:crypto';
import { makeCancelJobId, parseApplyJobId } from '../../src/contracts/ids';
import type { CommandView } from '../../src/contracts/command';
import { cancelSignal, resolveSignal } from '../../src/contracts/messages';
import { listCommands, openCommand } from '../../src/db/commands/commands';
import { until } from '../support/until';
import { withFleetFixture, type FleetFixture } from '../support/fleet-fixture';
import { makeGate } from '../support/gate';

const shortLimits = { retryBackoffFirstMs: 3_000, attemptSilentMs: 5_000, doubtRecheckMs: 500, commandUntouchedMs: 500 };

const submit = async (
  fixture: FleetFixture,
  path: string,
): Promise<{ jobId: string; handle: Awaited<ReturnType<FleetFixture['submit']>> }> => {
  const handle = await fixture.submit(`https://sim.test${path}`, { jobId: randomUUID() });
  return { jobId: parseApplyJobId(handle.workflowId)?.jobId ?? '', handle };
};

const cancel = async (fixture: FleetFixture, jobId: string): Promise<CommandView> =>
  (await fixture.client.workflow.execute('cancelJob', {
    workflowId: makeCancelJobId({ jobId }),
    taskQueue: fixture.taskQueue,
    args: [{ jobId, reason: 'changed my mind', actor: 'zoe' }],
    workflowIdConflictPolicy: 'USE_EXISTING',
  })) as CommandView;

const eventsOf = (fixture: FleetFixture, jobId: string): string[] =>
  fixture.simulator
    .log()
    .filter((entry) => entry.jobId === jobId)
    .map(({ event }) => event);

describe('a cancel', () => {
  // The last second of a real worker: 1.0 s from the end of its listener to its exit, and its container back a second later.
  const fixture = withFleetFixture({ hosts: 2, limits: shortLimits, times: { exitDelayMs: 1_000 } });

  afterEach(async () => {
    await fixture.pool.query(`delete from yardmaster.host_hold`);
    await until(
      async () => {
        await fixture.sweep();
        const { rowCount } = await fixture.pool.query(`select from yardmaster.host_probe where is_worker_up and active_jobs = 0`);
        return rowCount === 2;
      },
      { what: 'both workers are back and idle' },
    );
  });

  test('P4: of a job that no worker has ends in the row, and says so', async () => {
    await fixture.pool.query(`insert into yardmaster.host_hold (host, reason, actor) values ('*', 'a test', 'test')`);
    const { jobId, handle } = await submit(fixture, '/quick');
    await fixture.until(jobId, 'waiting');
    const command = await cancel(fixture, jobId);
    expect(command).toMatchObject({
      outcome: 'cancelled',
      jobState: 'cancelled',
      route: { route: 'row' },
      means: [{ means: 'take_back' }],
    });
    await expect(handle.result()).resolves.toMatchObject({ state: 'cancelled' });
  });

  test('in the back-off between two attempts ends the job without another attempt', async () => {
    const { jobId, handle } = await submit(fixture, '/fails-before-form?times=9&ms=50');
    await until(async () => (await fixture.job(jobId)).reason === 'retry', { what: 'the first attempt failed' });
    expect(await cancel(fixture, jobId)).toMatchObject({ outcome: 'cancelled' });
    await expect(handle.result()).resolves.toMatchObject({ state: 'cancelled' });
    expect(eventsOf(fixture, jobId).filter((event) => event === 'claimed')).toHaveLength(1);
  });

  test('P4: of a running attempt that has not opened the form ends its worker and the job, and nothing was submitted', async () => {
    const { jobId, handle } = await submit(fixture, '/slow-start?startMs=600000');
    await fixture.until(jobId, 'running');
    const command = await cancel(fixture, jobId);
    expect(command).toMatchObject({
      outcome: 'cancelled',
      route: { route: 'owner', attemptId: expect.any(String), workerId: expect.stringMatching(/^worker-/) },
      means: [{ means: 'listener', result: 'ended' }],
    });
    await expect(handle.result()).resolves.toMatchObject({ state: 'cancelled' });
    expect(eventsOf(fixture, jobId)).not.toContain('submitted');
    await until(() => fixture.received(jobId).some(({ status }) => status === 'cancelled'), { what: 'the product is notified' });
  });

  test('P3: with the form open stops the worker and leaves the job uncertain', async () => {
    const { jobId, handle } = await submit(fixture, makeGate().form);
    await until(() => eventsOf(fixture, jobId).includes('form_opened'), { what: 'the form is open' });
    expect(await cancel(fixture, jobId)).toMatchObject({ outcome: 'cancelled_maybe_submitted', jobState: 'uncertain' });
    expect(eventsOf(fixture, jobId)).toContain('killed');
    expect(eventsOf(fixture, jobId)).not.toContain('restarted');
    await handle.signal(resolveSignal, { submitted: false });
    await expect(handle.result()).resolves.toMatchObject({ state: 'failed' });
  });

  test('P3: that stops a worker at a captcha in the form ends cancelled, and another try has to be confirmed', async () => {
    const { jobId, handle } = await submit(fixture, '/blocker?type=captcha&ms=50');
    await fixture.until(jobId, 'waiting_human');
    expect(await cancel(fixture, jobId)).toMatchObject({ outcome: 'cancelled_maybe_submitted', jobState: 'cancelled' });
    await expect(handle.result()).resolves.toMatchObject({ state: 'cancelled', reason: 'cancelled_at_blocker' });
    expect(await fixture.job(jobId)).toMatchObject({ submission: 'maybe', errorCode: null });
    expect(eventsOf(fixture, jobId)).not.toContain('submitted');
    await until(() => fixture.received(jobId).some(({ status }) => status === 'cancelled'), { what: 'the product is notified' });
    const { rows } = await fixture.pool.query(`select status, error_code from gh_automation_jobs where id = $1`, [jobId]);
    expect(rows).toEqual([{ status: 'cancelled', error_code: null }]);
  });

  test('at the review page frees the worker', async () => {
    const { jobId, handle } = await submit(fixture, '/review?ms=50');
    await until(
      async () => {
        await fixture.sweep();
        return (await fixture.job(jobId)).state === 'waiting_human';
      },
      { what: 'the review is seen' },
    );
    expect(await cancel(fixture, jobId)).toMatchObject({ outcome: 'cancelled_maybe_submitted', jobState: 'uncertain' });
    const { rows } = await fixture.pool.query(`select state from yardmaster.attempt where job_id = $1`, [jobId]);
    expect(rows).toEqual([{ state: 'ended' }]);
    await handle.signal(resolveSignal, { submitted: false });
    await handle.result();
  });

  test('that comes in the last second of a submission says that the job had ended first', async () => {
    const { jobId, handle } = await submit(fixture, '/quick?ms=1200');
    await until(() => eventsOf(fixture, jobId).includes('form_opened'), { what: 'the form is open' });
    const command = await cancel(fixture, jobId);
    const submitted = eventsOf(fixture, jobId).includes('submitted');
    // Either the action ended inside the last second, or the process went before it: the word must fit.
    expect(command.outcome).toBe(submitted && command.jobState === 'succeeded' ? 'already_finished' : 'cancelled_maybe_submitted');
    if (command.jobState === 'uncertain') await handle.signal(resolveSignal, { submitted });
    await handle.result();
  });

  test('of an ended job changes nothing and says how it ended', async () => {
    const { jobId, handle } = await submit(fixture, '/quick?ms=50');
    await handle.result();
    expect(await cancel(fixture, jobId)).toMatchObject({ outcome: 'already_finished', jobState: 'succeeded' });
  });

  test('between assignment and claim takes the attempt back', async () => {
    // Their probes are fresh, so they are given a job, which nobody claims.
    for (const { ip } of fixture.simulator.hosts) fixture.simulator.kill(ip);
    const { jobId, handle } = await submit(fixture, '/quick');
    await fixture.until(jobId, 'assigned');
    expect(await cancel(fixture, jobId)).toMatchObject({ outcome: 'cancelled', jobState: 'cancelled' });
    await expect(handle.result()).resolves.toMatchObject({ state: 'cancelled', reason: 'cancelled_before_claim' });
    for (const { ip } of fixture.simulator.hosts) await fixture.simulator.restart(ip);
    expect(eventsOf(fixture, jobId)).toEqual([]);
  });

  test('that was accepted while Temporal was away is carried out by the sweep', async () => {
    const { jobId, handle } = await submit(fixture, '/slow-start?startMs=600000');
    await fixture.until(jobId, 'running');
    // What the gateway writes before it starts the workflow.
    await openCommand(fixture.pool, { jobId, kind: 'cancel', actor: 'zoe', source: 'rest', reason: null });
    await until(
      async () => {
        await fixture.sweep();
        return (await listCommands(fixture.pool, { jobId, rows: 1 })).at(0)?.outcome === 'cancelled';
      },
      { what: 'the sweep has started its workflow, and that has ended', everyMs: 500 },
    );
    await expect(handle.result()).resolves.toMatchObject({ state: 'cancelled' });
  });

  test('joins the one that is under way', async () => {
    const { jobId, handle } = await submit(fixture, '/slow-start?startMs=600000');
    await fixture.until(jobId, 'running');
    const [one, other] = await Promise.all([cancel(fixture, jobId), cancel(fixture, jobId)]);
    expect(one.commandId).toBe(other.commandId);
    await handle.result();
  });

  test('can be a signal to the job', async () => {
    const { jobId, handle } = await submit(fixture, '/slow-start?startMs=600000');
    await fixture.until(jobId, 'running');
    await handle.signal(cancelSignal, { reason: 'by signal', actor: 'zoe' });
    await expect(handle.result()).resolves.toMatchObject({ state: 'cancelled' });
    // The command's own workflow writes its outcome when it has seen the job's end.
    await fixture.client.workflow.getHandle(makeCancelJobId({ jobId })).result();
    const { rows } = await fixture.pool.query(`select kind, actor, source, outcome from yardmaster.command where job_id = $1`, [jobId]);
    expect(rows).toEqual([{ kind: 'cancel', actor: 'zoe', source: 'signal', outcome: 'cancelled' }]);
  });
});
