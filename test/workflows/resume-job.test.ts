import { randomBytes, randomUUID } from 'node:crypto';
import type { CommandView } from '../../src/contracts/command';
import { makeResumeJobId, parseApplyJobId } from '../../src/contracts/ids';
import { jobMovedSignal, resolveSignal, resumeSignal } from '../../src/contracts/messages';
import { listCommands, openCommand } from '../../src/db/commands';
import { saveSecret } from '../../src/db/secrets';
import { sensitive } from '../../src/domain/sensitive';
import { createSecretBox } from '../../src/secret-box';
import { until } from '../support/until';
import { withYard, type Yard } from '../support/yard';

const box = createSecretBox({ current: sensitive(randomBytes(32).toString('hex')), previous: null });
const code = 'one-time-93817';

const submit = async (yard: Yard, path: string): Promise<{ jobId: string; handle: Awaited<ReturnType<Yard['submit']>> }> => {
  const handle = await yard.submit(`https://sim.test${path}`, { jobId: randomUUID() });
  return { jobId: parseApplyJobId(handle.workflowId)?.jobId ?? '', handle };
};

const resume = async (yard: Yard, jobId: string, more: object = {}): Promise<CommandView> =>
  (await yard.client.workflow.execute('resumeJob', {
    workflowId: makeResumeJobId({ jobId }),
    taskQueue: yard.taskQueue,
    args: [{ jobId, actor: 'zoe', ...more }],
  })) as CommandView;

/** What REST does: the row first, the secret sealed beside it. */
const sealCode = async (yard: Yard, jobId: string): Promise<void> => {
  const opened = await openCommand(yard.pool, {
    jobId,
    kind: 'resume',
    actor: 'zoe',
    source: 'rest',
    reason: null,
    resolutionType: 'code_entry',
  });
  if (opened === null) throw new Error('no job');
  await saveSecret(yard.pool, { commandId: opened.command.commandId, sealed: box.seal(JSON.stringify({ code })), lifeMs: 300_000 });
};

describe('a resume', () => {
  const yard = withYard({
    hosts: 2,
    secrets: box,
    // Every resume lasts until its code is scrubbed.
    limits: { resumeScrubMs: 2_000, attemptSilentMs: 4_000, doubtRecheckMs: 500 },
  });

  test('P4: goes to the worker that waits, which goes on', async () => {
    const { jobId, handle } = await submit(yard, '/blocker?type=captcha&ms=1500');
    await yard.until(jobId, 'waiting_human');
    const command = await resume(yard, jobId, { resolutionType: 'manual' });
    expect(command).toMatchObject({ outcome: 'resumed', route: { route: 'owner' }, means: [{ means: 'resume_row', result: 'delivered' }] });
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded' });
    await until(() => yard.received(jobId).length === 4, { what: 'the product heard everything' });
    expect(yard.received(jobId).map(({ status }) => status)).toEqual(['running', 'paused', 'running', 'completed']);
  });

  test('P8: brings a code to the worker once, and leaves it nowhere', async () => {
    const { jobId, handle } = await submit(yard, '/blocker-2fa?ms=1500');
    await yard.until(jobId, 'waiting_human');
    await sealCode(yard, jobId);
    const command = await resume(yard, jobId);
    expect(command).toMatchObject({ outcome: 'resumed' });
    await handle.result();
    const received = yard.simulator.log().filter((entry) => entry.jobId === jobId && entry.event === 'code_received');
    expect(received).toHaveLength(1);
    const { rows } = await yard.pool.query(
      `select (select count(*)::int from yardmaster.secret) as secrets, g.interaction_data::text as left_in_row
       from gh_automation_jobs g join yardmaster.attempt a on a.attempt_id = g.id where a.job_id = $1`,
      [jobId],
    );
    expect(rows[0].secrets).toBe(0);
    expect(String(rows[0].left_in_row)).not.toContain(code);
    for (const workflowId of [makeResumeJobId({ jobId }), handle.workflowId]) {
      const history = JSON.stringify(await yard.client.workflow.getHandle(workflowId).fetchHistory());
      const plain = history.replaceAll(/"data":"([^"]*)"/g, (_all, data: string) => Buffer.from(data, 'base64').toString());
      expect(`${history}${plain}`).not.toContain(code);
    }
  });

  test('P8: never lets a worker go on without the code that it waits for', async () => {
    const { jobId, handle } = await submit(yard, '/blocker-2fa?ms=200');
    await yard.until(jobId, 'waiting_human');
    await sealCode(yard, jobId);
    const [command] = await listCommands(yard.pool, { jobId, rows: 1 });
    const { commandId } = command!;
    const route = await yard.activities.routeResume({ commandId });
    expect(route.route).toBe('owner');
    const other = createSecretBox({ current: sensitive(randomBytes(32).toString('hex')), previous: null });
    await yard.pool.query('update yardmaster.secret set sealed = $1', [other.seal(JSON.stringify({ code }))]);
    expect(await yard.activities.deliverResume({ commandId, route })).toEqual({
      outcome: 'refused',
      detail: expect.stringContaining('SECRETS_KEY'),
    });
    expect(await yard.activities.deliverResume({ commandId, route })).toEqual({
      outcome: 'refused',
      detail: expect.stringContaining('no longer valid'),
    });
    const { rows } = await yard.pool.query(
      'select g.status from gh_automation_jobs g join yardmaster.attempt a on a.attempt_id = g.id where a.job_id = $1',
      [jobId],
    );
    expect(rows).toEqual([{ status: 'paused' }]);
    await yard.activities.endResume({ commandId, outcome: 'refused', detail: 'a test' });
    await sealCode(yard, jobId);
    expect(await resume(yard, jobId)).toMatchObject({ outcome: 'resumed' });
    await handle.result();
  });

  test('is refused with the reason when nothing waits', async () => {
    const { jobId, handle } = await submit(yard, '/quick?ms=8000');
    await yard.until(jobId, 'running');
    expect(await resume(yard, jobId)).toMatchObject({ outcome: 'refused', detail: expect.stringContaining('the job is running') });
    await handle.result();
  });

  test('is refused at the review page, which says how it ends instead', async () => {
    const { jobId, handle } = await submit(yard, '/review?ms=50');
    await until(
      async () => {
        await yard.sweep();
        return (await yard.job(jobId)).state === 'waiting_human';
      },
      { what: 'the review is seen' },
    );
    expect(await resume(yard, jobId)).toMatchObject({ outcome: 'refused', detail: expect.stringContaining('resolve the job') });
    await handle.signal(resolveSignal, { submitted: true });
    await handle.result();
    await yard.simulator.restart(
      yard.simulator.hosts.find(({ workerId }) => workerId === yard.received(jobId).at(-1)?.worker_id)?.ip ?? '',
    );
  });

  test('of a code that did not come over REST is refused, and a signal that carries one is ignored', async () => {
    const { jobId, handle } = await submit(yard, '/blocker-2fa?ms=200');
    await yard.until(jobId, 'waiting_human');
    expect(await resume(yard, jobId, { resolutionType: 'code_entry' })).toMatchObject({
      outcome: 'refused',
      detail: expect.stringContaining('REST only'),
    });
    await expect(resume(yard, jobId, { code })).rejects.toMatchObject({ cause: { message: expect.stringContaining('over REST') } });
    await handle.signal(resumeSignal, { resolutionType: 'code_entry', code } as never);
    await handle.signal(resumeSignal, { resolutionType: 'manual', actor: 'zoe' });
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded' });
  });

  test('finds nobody when the owner is gone, and the job looks again', async () => {
    const { jobId, handle } = await submit(yard, '/blocker?type=captcha&ms=200');
    await yard.until(jobId, 'waiting_human');
    const { attempt } = await yard.job(jobId);
    yard.simulator.kill(attempt?.host ?? '', { restart: true });
    expect(await resume(yard, jobId)).toMatchObject({ outcome: 'refused', route: { route: 'parked' } });
    await yard.until(jobId, 'uncertain', 30_000);
    await handle.signal(resolveSignal, { submitted: false });
    await handle.result();
  });
});

describe('a resume that comes to nothing', () => {
  let isUntaken = false;
  let looks = 0;
  const yard = withYard({
    hosts: 2,
    limits: { resumeScrubMs: 1_000, resumeTakenMs: 4_000, resumeProofMs: 4_000, attemptSilentMs: 4_000, doubtRecheckMs: 500 },
    replaceActivities: ({ traceResume }) => ({
      async traceResume(delivery) {
        looks++;
        return isUntaken ? 'waiting' : await traceResume(delivery);
      },
    }),
  });

  test('because its worker takes it and stands still makes that a zombie, and the job is recovered', async () => {
    const { jobId, handle } = await submit(yard, '/blocker?type=captcha&at=error&ms=200');
    await yard.until(jobId, 'waiting_human');
    expect(await resume(yard, jobId)).toMatchObject({ outcome: 'zombie' });
    await until(
      async () => {
        await yard.sweep();
        return (await yard.job(jobId)).state === 'uncertain';
      },
      { what: 'the job is recovered', timeoutMs: 30_000 },
    );
    await handle.signal(resolveSignal, { submitted: false });
    await handle.result();
  });

  test('because its worker does not take it looks a few times, also when the job moves meanwhile', async () => {
    isUntaken = true;
    looks = 0;
    const { jobId } = await submit(yard, '/blocker?type=captcha&ms=200');
    await yard.until(jobId, 'waiting_human');
    const resuming = resume(yard, jobId);
    await until(() => looks > 0, { what: 'it is delivered' });
    await yard.client.workflow.getHandle(makeResumeJobId({ jobId })).signal(jobMovedSignal, { state: 'waiting_human' });
    expect(await resuming).toMatchObject({ outcome: 'zombie' });
    expect(looks).toBeLessThan(15);
  });
});
