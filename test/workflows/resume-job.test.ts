import { randomBytes, randomUUID } from 'node:crypto';
import type { CommandView } from '../../src/contracts/command';
import { makeResumeJobId, parseApplyJobId } from '../../src/contracts/ids';
import { jobMovedSignal, resolveSignal, resumeSignal } from '../../src/contracts/messages';
import { listCommands, openCommand } from '../../src/db/commands/commands';
import { saveSecret } from '../../src/db/commands/secrets';
import { sensitive } from '../../src/domain/sensitive';
import { createSecretBox } from '../../src/secret-box';
import { until } from '../support/until';
import { withFleetFixture, type FleetFixture } from '../support/fleet-fixture';
import { makeGate } from '../support/gate';

const box = createSecretBox({ current: sensitive(randomBytes(32).toString('hex')), previous: null });
const code = 'one-time-93817';

const submit = async (
  fixture: FleetFixture,
  path: string,
): Promise<{ jobId: string; handle: Awaited<ReturnType<FleetFixture['submit']>> }> => {
  const handle = await fixture.submit(`https://sim.test${path}`, { jobId: randomUUID() });
  return { jobId: parseApplyJobId(handle.workflowId)?.jobId ?? '', handle };
};

const resume = async (fixture: FleetFixture, jobId: string, more: object = {}): Promise<CommandView> =>
  (await fixture.client.workflow.execute('resumeJob', {
    workflowId: makeResumeJobId({ jobId }),
    taskQueue: fixture.taskQueue,
    args: [{ jobId, actor: 'zoe', ...more }],
  })) as CommandView;

/** What REST does: the row first, the secret sealed beside it. */
const sealCode = async (fixture: FleetFixture, jobId: string): Promise<void> => {
  const opened = await openCommand(fixture.pool, {
    jobId,
    kind: 'resume',
    actor: 'zoe',
    source: 'rest',
    reason: null,
    resolutionType: 'code_entry',
  });
  if (opened === null) throw new Error('no job');
  await saveSecret(fixture.pool, { commandId: opened.command.commandId, sealed: box.seal(JSON.stringify({ code })), lifeMs: 300_000 });
};

describe('a resume', () => {
  const fixture = withFleetFixture({
    hosts: 2,
    secrets: box,
    // Every resume lasts until its code is scrubbed.
    limits: { resumeScrubMs: 2_000, attemptSilentMs: 4_000, doubtRecheckMs: 500 },
  });

  test('P4: goes to the worker that waits, which goes on', async () => {
    const { jobId, handle } = await submit(fixture, '/blocker?type=captcha&ms=1500');
    await fixture.until(jobId, 'waiting_human');
    const command = await resume(fixture, jobId, { resolutionType: 'manual' });
    expect(command).toMatchObject({ outcome: 'resumed', route: { route: 'owner' }, means: [{ means: 'resume_row', result: 'delivered' }] });
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded' });
    const heard = () => fixture.received(jobId).map(({ status }) => status);
    await until(() => heard().at(-1) === 'completed', { what: 'the product heard everything' });
    // On a busy machine the worker is through before anybody has seen it run again.
    expect(heard().filter((status, n) => n !== 2 || status !== 'running')).toEqual(['running', 'paused', 'completed']);
  });

  test('P8: brings a code to the worker once, and leaves it nowhere', async () => {
    const { jobId, handle } = await submit(fixture, '/blocker-2fa?ms=1500');
    await fixture.until(jobId, 'waiting_human');
    await sealCode(fixture, jobId);
    const command = await resume(fixture, jobId);
    expect(command).toMatchObject({ outcome: 'resumed' });
    await handle.result();
    const received = fixture.simulator.log().filter((entry) => entry.jobId === jobId && entry.event === 'code_received');
    expect(received).toHaveLength(1);
    const { rows } = await fixture.pool.query(
      `select (select count(*)::int from yardmaster.secret) as secrets, g.interaction_data::text as left_in_row
       from gh_automation_jobs g join yardmaster.attempt a on a.attempt_id = g.id where a.job_id = $1`,
      [jobId],
    );
    expect(rows[0].secrets).toBe(0);
    expect(String(rows[0].left_in_row)).not.toContain(code);
    for (const workflowId of [makeResumeJobId({ jobId }), handle.workflowId]) {
      const history = JSON.stringify(await fixture.client.workflow.getHandle(workflowId).fetchHistory());
      const plain = history.replaceAll(/"data":"([^"]*)"/g, (_all, data: string) => Buffer.from(data, 'base64').toString());
      expect(`${history}${plain}`).not.toContain(code);
    }
  });

  test('P8: never lets a worker go on without the code that it waits for', async () => {
    const { jobId, handle } = await submit(fixture, '/blocker-2fa?ms=200');
    await fixture.until(jobId, 'waiting_human');
    await sealCode(fixture, jobId);
    const [command] = await listCommands(fixture.pool, { jobId, rows: 1 });
    const { commandId } = command!;
    const route = await fixture.activities.routeResume({ commandId });
    expect(route.route).toBe('owner');
    const other = createSecretBox({ current: sensitive(randomBytes(32).toString('hex')), previous: null });
    await fixture.pool.query('update yardmaster.secret set sealed = $1', [other.seal(JSON.stringify({ code }))]);
    expect(await fixture.activities.deliverResume({ commandId, route })).toEqual({
      outcome: 'refused',
      detail: expect.stringContaining('SECRETS_KEY'),
    });
    expect(await fixture.activities.deliverResume({ commandId, route })).toEqual({
      outcome: 'refused',
      detail: expect.stringContaining('no longer valid'),
    });
    const { rows } = await fixture.pool.query(
      'select g.status from gh_automation_jobs g join yardmaster.attempt a on a.attempt_id = g.id where a.job_id = $1',
      [jobId],
    );
    expect(rows).toEqual([{ status: 'paused' }]);
    await fixture.activities.endResume({ commandId, outcome: 'refused', detail: 'a test' });
    await sealCode(fixture, jobId);
    expect(await resume(fixture, jobId)).toMatchObject({ outcome: 'resumed' });
    await handle.result();
  });

  test('is refused with the reason when nothing waits', async () => {
    const gate = makeGate();
    const { jobId, handle } = await submit(fixture, gate.form);
    await fixture.until(jobId, 'running');
    expect(await resume(fixture, jobId)).toMatchObject({ outcome: 'refused', detail: expect.stringContaining('the job is running') });
    gate.open();
    await handle.result();
  });

  test('is refused at the review page, which says how it ends instead', async () => {
    const { jobId, handle } = await submit(fixture, '/review?ms=50');
    await until(
      async () => {
        await fixture.sweep();
        return (await fixture.job(jobId)).state === 'waiting_human';
      },
      { what: 'the review is seen' },
    );
    expect(await resume(fixture, jobId)).toMatchObject({ outcome: 'refused', detail: expect.stringContaining('resolve the job') });
    await handle.signal(resolveSignal, { submitted: true });
    await handle.result();
    const reviewer = (await fixture.job(jobId)).attempt?.workerId;
    await fixture.simulator.restart(fixture.simulator.hosts.find(({ workerId }) => workerId === reviewer)?.ip ?? '');
  });

  test('of a code that did not come over REST is refused, and a signal that carries one is ignored', async () => {
    const { jobId, handle } = await submit(fixture, '/blocker-2fa?ms=200');
    await fixture.until(jobId, 'waiting_human');
    expect(await resume(fixture, jobId, { resolutionType: 'code_entry' })).toMatchObject({
      outcome: 'refused',
      detail: expect.stringContaining('REST only'),
    });
    await expect(resume(fixture, jobId, { code })).rejects.toMatchObject({ cause: { message: expect.stringContaining('over REST') } });
    await handle.signal(resumeSignal, { resolutionType: 'code_entry', code } as never);
    await handle.signal(resumeSignal, { resolutionType: 'manual', actor: 'zoe' });
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded' });
  });

  test('finds nobody when the owner is gone, and the job looks again', async () => {
    const { jobId, handle } = await submit(fixture, '/blocker?type=captcha&ms=200');
    await fixture.until(jobId, 'waiting_human');
    const { attempt } = await fixture.job(jobId);
    fixture.simulator.kill(attempt?.host ?? '', { restart: true });
    expect(await resume(fixture, jobId)).toMatchObject({ outcome: 'refused', route: { route: 'parked' } });
    await fixture.until(jobId, 'uncertain');
    await handle.signal(resolveSignal, { submitted: false });
    await handle.result();
  });
});

describe('a resume that comes to nothing', () => {
  let isUntaken = false;
  let probes = 0;
  const fixture = withFleetFixture({
    hosts: 2,
    limits: { resumeScrubMs: 1_000, resumeTakenMs: 4_000, resumeProofMs: 4_000, attemptSilentMs: 4_000, doubtRecheckMs: 500 },
    replaceActivities: ({ traceResume }) => ({
      async traceResume(delivery) {
        probes++;
        return isUntaken ? 'waiting' : await traceResume(delivery);
      },
    }),
  });

  test('because its worker takes it and stands still makes that a zombie, and the job is recovered', async () => {
    const { jobId, handle } = await submit(fixture, '/blocker?type=captcha&at=error&ms=200');
    await fixture.until(jobId, 'waiting_human');
    expect(await resume(fixture, jobId)).toMatchObject({ outcome: 'zombie' });
    await until(
      async () => {
        await fixture.sweep();
        return (await fixture.job(jobId)).state === 'uncertain';
      },
      { what: 'the job is recovered' },
    );
    await handle.signal(resolveSignal, { submitted: false });
    await handle.result();
  });

  test('because its worker does not take it looks a few times, also when the job moves meanwhile', async () => {
    isUntaken = true;
    probes = 0;
    const { jobId } = await submit(fixture, '/blocker?type=captcha&ms=200');
    await fixture.until(jobId, 'waiting_human');
    const resuming = resume(fixture, jobId);
    await until(() => probes > 0, { what: 'it is delivered' });
    await fixture.client.workflow.getHandle(makeResumeJobId({ jobId })).signal(jobMovedSignal, { state: 'waiting_human' });
    expect(await resuming).toMatchObject({ outcome: 'zombie' });
    expect(probes).toBeLessThan(15);
  });
});
