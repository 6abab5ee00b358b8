import { makeApplyJobId } from '../../src/contracts/ids';
import { limits } from '../../src/contracts/limits';
import { resolveSignal, retrySignal } from '../../src/contracts/messages';
import { findCommand, openCommand, type Command, type NewCommand } from '../../src/db/commands/commands';
import { openNextGeneration } from '../../src/db/jobs/jobs';
import { insertJob, setJob } from '../support/job-rows';
import { emptyTables } from '../support/fleet-rows';
import { withDatabase } from '../support/database';
import { sweepOnce } from '../support/sweep-pass';
import { until } from '../support/until';
import { withFleetFixture } from '../support/fleet-fixture';

type Sent = Pick<NewCommand, 'kind'> & Partial<NewCommand>;

/** As the gateway writes it, and nobody carries it out. */
const say = async (pool: Parameters<typeof openCommand>[0], jobId: string, sent: Sent): Promise<Command> => {
  const opened = await openCommand(pool, { jobId, actor: 'zoe', source: 'rest', reason: 'I looked', ...sent });
  if (opened === null) throw new Error('no such job');
  return opened.command;
};

const age = async (pool: Parameters<typeof openCommand>[0], ageMs: number): Promise<unknown> =>
  await pool.query(
    `update yardmaster.command set touched_at = now() - $1::int * interval '1 ms', requested_at = requested_at - $1::int * interval '1 ms'`,
    [ageMs],
  );

describe('what was accepted and lost on its way', () => {
  const database = withDatabase();
  const { commandUntouchedMs } = limits;
  beforeEach(async () => await emptyTables(database.pool));

  it.each<[Sent, string]>([
    [{ kind: 'resolve', submitted: true }, 'true zoe I looked'],
    [{ kind: 'resolve', submitted: false }, 'false zoe I looked'],
    [{ kind: 'retry', reason: null }, 'false zoe null'],
  ])('is sent again as it was, and more and more rarely: %j', async (sent, text) => {
    const { jobId } = await insertJob(database.pool, { state: 'uncertain', submission: 'maybe' });
    await say(database.pool, jobId, sent);
    const pass = async (): Promise<string[]> => (await sweepOnce(database.pool)).notified.filter((each) => each.startsWith(sent.kind));
    expect(await pass()).toEqual([]);
    await age(database.pool, commandUntouchedMs + 1);
    expect(await pass()).toEqual([`${sent.kind} ${jobId} 1 ${text}`]);
    expect(await pass()).toEqual([]);
    await database.pool.query(
      `update yardmaster.command set requested_at = now() - interval '10 h', touched_at = now() - interval '59 min'`,
    );
    expect(await pass()).toEqual([]);
    await age(database.pool, 2 * 3_600_000);
    expect(await pass()).toHaveLength(1);
  });

  it('ends without a reader when it has been carried out, at the moment at which it was', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'uncertain', submission: 'maybe' });
    const { commandId } = await say(database.pool, jobId, { kind: 'resolve', submitted: true });
    await setJob(database.pool, jobId, { state: 'succeeded', reason: 'resolved_submitted', submission: 'yes' });
    await database.pool.query(
      `insert into yardmaster.job_transition (job_id, generation, state, reason, at) values ($1, 1, 'succeeded', 'resolved_submitted', now() + interval '1 s')`,
      [jobId],
    );
    await database.pool.query(`update yardmaster.command set touched_at = now() - interval '1 h'`);
    const { notified, of } = await sweepOnce(database.pool);
    expect(notified.filter((each) => each.startsWith('resolve'))).toEqual([]);
    expect(of('command_without_workflow')).toMatchObject([{ subject: jobId, before: 'open', after: 'ended' }]);
    const { rows } = await database.pool.query<{ at: Date }>(
      `select at from yardmaster.job_transition where job_id = $1 and state = 'succeeded'`,
      [jobId],
    );
    expect(await findCommand(database.pool, commandId)).toMatchObject({ outcome: 'resolved', endedAt: rows[0]?.at.toISOString() });
    expect((await database.pool.query(`select act, outcome from yardmaster.audit where subject = $1`, [jobId])).rows).toContainEqual({
      act: 'resolve_ended',
      outcome: 'resolved',
    });
  });

  it('says why not where the job went another way', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'failed', submission: 'maybe' });
    const { commandId } = await say(database.pool, jobId, { kind: 'resolve', submitted: true });
    await openNextGeneration(database.pool, { jobId, actor: 'ops', jobMs: 60_000 });
    await age(database.pool, 3_600_000);
    await sweepOnce(database.pool);
    expect(await findCommand(database.pool, commandId)).toMatchObject({
      outcome: 'refused',
      detail: expect.stringContaining('opened again'),
    });
  });

  it('of a dry run of a pass stays as it is', async () => {
    const { jobId } = await insertJob(database.pool, { state: 'uncertain' });
    const { commandId } = await say(database.pool, jobId, { kind: 'resolve', submitted: true });
    await age(database.pool, 3_600_000);
    const { report, notified } = await sweepOnce(database.pool, { dryRun: true });
    expect([report.counts.command_without_workflow, notified]).toEqual([1, []]);
    expect((await sweepOnce(database.pool)).notified).toContain(`resolve ${jobId} 1 true zoe I looked`);
    expect((await findCommand(database.pool, commandId))?.endedAt).toBeNull();
  });
});

describe('a message to a job', () => {
  const fixture = withFleetFixture({ hosts: 1 });

  const uncertainJob = async (): Promise<string> => {
    const handle = await fixture.submit('https://sim.test/fails-after-form?code=timeout&ms=50');
    const jobId = handle.workflowId.replace('apply-job-', '');
    await fixture.until(jobId, 'uncertain');
    return jobId;
  };

  it.each([
    ['resolve', 'resolved'],
    ['retry', 'reopened'],
  ] as const)('ends with what its job does, without a reader: %s', async (kind, outcome) => {
    const jobId = await uncertainJob();
    const { commandId } = await say(fixture.pool, jobId, { kind, submitted: true });
    const handle = fixture.client.workflow.getHandle(makeApplyJobId({ jobId }));
    await (kind === 'resolve'
      ? handle.signal(resolveSignal, { submitted: true, actor: 'zoe' })
      : handle.signal(retrySignal, { confirm: true, actor: 'zoe' }));
    const { rows } = await until(
      async () => {
        const found = await fixture.pool.query<{ at: Date }>(
          `select min(at) as at from yardmaster.job_transition where job_id = $1 and reason in ('resolved_submitted', 'retried_by_person') having min(at) is not null`,
          [jobId],
        );
        return found.rowCount === 1 ? found : null;
      },
      { what: 'the job has taken it' },
    );
    expect(await findCommand(fixture.pool, commandId)).toMatchObject({ outcome, endedAt: rows[0]?.at.toISOString() });
  });

  it('whose workflow was lost with it is carried out after the next pass', async () => {
    const jobId = await uncertainJob();
    const { commandId } = await say(fixture.pool, jobId, { kind: 'resolve', submitted: false });
    await fixture.client.workflow.getHandle(makeApplyJobId({ jobId })).terminate('with what it was sent');
    await age(fixture.pool, 3_600_000);
    await fixture.sweep();
    expect(await fixture.until(jobId, 'failed')).toMatchObject({ reason: 'resolved_not_submitted', detail: 'zoe: I looked' });
    expect(await findCommand(fixture.pool, commandId)).toMatchObject({ outcome: 'resolved', endedAt: expect.any(String) });
  });

  it('P3: that is for an earlier life of the job has no effect on the next', async () => {
    const jobId = await uncertainJob();
    const handle = fixture.client.workflow.getHandle(makeApplyJobId({ jobId }));
    await handle.signal(retrySignal, { confirm: true, actor: 'zoe', generation: 2 });
    await handle.signal(resolveSignal, { submitted: true, actor: 'zoe', generation: 7 });
    await handle.signal(resolveSignal, { submitted: false, actor: 'zoe', generation: 1 });
    expect(await fixture.until(jobId, 'failed')).toMatchObject({ generation: 1, reason: 'resolved_not_submitted' });
  });
});
