import { randomUUID } from 'node:crypto';
import { createRowCommands, type RowCommands } from '../../activities/commands/row-commands';
import { limits } from '../../src/contracts/limits';
import { listCommands, updateCommand } from '../../src/db/commands/commands';
import { findJob, moveJob } from '../../src/db/jobs/jobs';
import { mirrorJob } from '../../src/db/jobs/mirror';
import { resumeAttempt, scrubResolution } from '../../src/db/commands/resume';
import { listRowCommands, type RowCommandKind } from '../../src/db/commands/row-commands';
import { takeSecret } from '../../src/db/commands/secrets';
import { createSecretBox } from '../../src/secret-box';
import { withDatabase } from '../support/database';
import { addWaitingJob, emptyTables } from '../support/fleet-rows';
import { testSecretsKey } from '../support/gateway';
import { insertJob, type JobRowOptions } from '../support/job-rows';
import { makeDeps } from '../support/orchestrator-deps';
import { sweepOnce } from '../support/sweep-pass';

const database = withDatabase();
beforeEach(async () => await emptyTables(database.pool));

const box = createSecretBox({ current: testSecretsKey, previous: null });
const code = '734506';

const query = async (text: string, values: unknown[] = []) => (await database.pool.query<Record<string, unknown>>(text, values)).rows;
const rowOf = async (id: string): Promise<Record<string, unknown>> =>
  (await query('select * from gh_automation_jobs where id = $1', [id]))[0] ?? {};
const commandsOf = async (jobId: string) => await listCommands(database.pool, { jobId, rows: 9 });

/** An orchestrator without Temporal: what it would have started is noted. */
const createTaker = (secrets: typeof box | null = box): RowCommands & { started: string[] } => {
  const started: string[] = [];
  const { workflows } = makeDeps(database.pool);
  const deps = makeDeps(database.pool, {
    workflows: {
      ...workflows,
      ensureCommand: async ({ kind, jobId }) => void started.push(`${kind} ${jobId}`),
      ensureApplyJob: async (jobId, { reason }) => void started.push(`${reason} ${jobId}`),
    },
  });
  return { ...createRowCommands({ ...deps, secrets }), started };
};

const insertJobWithRow = async (options: JobRowOptions): Promise<string> => {
  const { jobId } = await insertJob(database.pool, options);
  await mirrorJob(database.pool, jobId, { showsWorkerId: false });
  return jobId;
};
/** With the job's present worker, and no row of its own. */
const addAttempt = async (jobId: string): Promise<string> => {
  const attemptId = randomUUID();
  await query(`insert into yardmaster.attempt (attempt_id, job_id, generation, number, worker_id) values ($2, $1, 1, 1, 'worker-7')`, [
    jobId,
    attemptId,
  ]);
  await query(`update yardmaster.job set attempt_id = $2 where job_id = $1`, [jobId, attemptId]);
  return attemptId;
};
const waitingForCode = async (): Promise<string> => await insertJobWithRow({ state: 'waiting_human', humanKind: 'blocker' });

/** The first of the statements of GH's own resume. */
const write = async (jobId: string, resolution: unknown): Promise<unknown> =>
  await query(`update gh_automation_jobs set interaction_data = coalesce(interaction_data, '{}') || $2::jsonb where id = $1`, [
    jobId,
    JSON.stringify(resolution),
  ]);
const withCode = { resolution_type: 'code_entry', resolution_data: { code }, resolved_by: 'human', resolved_at: '2026-01-01T00:00:00Z' };
/** The last of them. */
const writeLast = async (jobId: string, notes = ''): Promise<unknown> =>
  await query(
    `update gh_automation_jobs set status = 'running', paused_at = null, status_message = 'Resumed by human' || $2 where id = $1`,
    [jobId, notes],
  );

describe('a resume in a public row', () => {
  test('P8: is sealed for its command and gone from the row, by whichever of four orchestrators is first', async () => {
    const jobId = await waitingForCode();
    await write(jobId, { details: 'kept', ...withCode });
    const takers = Array.from({ length: 4 }, () => createTaker());
    const taken = await Promise.all(takers.map(async ({ take }) => await take(jobId, 'resume')));
    expect(taken.filter((each) => each !== null)).toEqual([{ jobId, kind: 'resume', taken: 'taken', reason: expect.any(String) }]);
    expect(takers.flatMap(({ started }) => started)).toEqual([`resume ${jobId}`]);
    const [command, ...others] = await commandsOf(jobId);
    expect(others).toEqual([]);
    expect(command).toMatchObject({ kind: 'resume', source: 'row', actor: 'a neighbour', resolutionType: 'code_entry', endedAt: null });
    const sealed = await takeSecret(database.pool, command!.commandId);
    expect(JSON.parse(box.open(sealed!))).toEqual({ code });
    expect(JSON.stringify(await rowOf(jobId))).not.toContain(code);
  });

  test.each<[what: string, resolution: object, resolutionType: string, sealed: object | null]>([
    [
      'credentials',
      { resolution_type: 'credentials', resolution_data: { email: 'a@b.test', password: 'pw' } },
      'credentials',
      { username: 'a@b.test', password: 'pw' },
    ],
    ['a code to which GH gave its word for no type', { resolution_type: 'manual', resolution_data: { code } }, 'code_entry', { code }],
    ['a resume by hand', { resolution_type: 'manual', resolution_data: null }, 'manual', null],
    ['to go on without', { resolution_type: 'skip' }, 'skip', null],
  ])('is taken over: %s', async (_what, resolution, resolutionType, sealed) => {
    const jobId = await waitingForCode();
    await write(jobId, resolution);
    expect(await createTaker().take(jobId, 'resume')).toMatchObject({ taken: 'taken' });
    const [command] = await commandsOf(jobId);
    expect(command).toMatchObject({ resolutionType });
    const kept = await takeSecret(database.pool, command!.commandId);
    expect(kept === null ? null : JSON.parse(box.open(kept))).toEqual(sealed);
  });

  test.each<[what: string, resolution: object, field: string]>([
    ['of megabytes', { resolution_type: 'code_entry', resolution_data: { code: code.repeat(400_000) } }, 'resolution_data'],
    ['with a type of megabytes', { resolution_type: code.repeat(400_000) }, 'resolution_data'],
    ['of a number', { resolution_type: 'code_entry', resolution_data: { code: Number(code) } }, 'resolution_data.code'],
    ['in a list', { resolution_type: 'code_entry', resolution_data: [code] }, 'resolution_data'],
    ['as a text', { resolution_type: 'code_entry', resolution_data: code }, 'resolution_data'],
    ['of an unknown type', { resolution_type: `telepathy ${code}`, resolution_data: { code } }, 'resolution_type'],
    ['without what its type needs', { resolution_type: 'credentials', resolution_data: { username: code } }, 'resolution_data.password'],
    ['that is too long for a code', { resolution_type: 'code_entry', resolution_data: { code: code.repeat(20) } }, 'resolution_data.code'],
  ])('P8: %s is taken out, said, and has no effect', async (_what, resolution, field) => {
    const jobId = await waitingForCode();
    await write(jobId, resolution);
    const taker = createTaker();
    expect(await taker.take(jobId, 'resume')).toMatchObject({ taken: 'refused', reason: expect.stringContaining(field) });
    expect(taker.started).toEqual([]);
    const commands = await commandsOf(jobId);
    expect(commands).toMatchObject([{ outcome: 'refused', detail: expect.stringContaining(field), endedAt: expect.any(String) }]);
    const row = await rowOf(jobId);
    expect(row).toMatchObject({ status: 'paused', status_message: expect.stringContaining('POST /v1/jobs') });
    const everything = JSON.stringify([
      row,
      commands,
      await query('select * from yardmaster.job'),
      await query('select * from yardmaster.audit'),
    ]);
    expect(everything).not.toContain(code);
    expect(await query('select from yardmaster.secret')).toEqual([]);
  });

  test('P8: for an ended job is taken out and refused', async () => {
    const jobId = await insertJobWithRow({ state: 'succeeded' });
    await write(jobId, withCode);
    expect(await createTaker().take(jobId, 'resume')).toMatchObject({ taken: 'refused' });
    expect(await commandsOf(jobId)).toMatchObject([{ outcome: 'refused', detail: 'Nothing waits for a person: the job is succeeded' }]);
    expect(JSON.stringify(await rowOf(jobId))).not.toContain(code);
    expect(await rowOf(jobId)).toMatchObject({ status: 'completed' });
  });

  test('P8: that comes twice is taken out twice, and the second one changes nothing', async () => {
    const jobId = await waitingForCode();
    const { take, started } = createTaker();
    await write(jobId, withCode);
    await take(jobId, 'resume');
    await write(jobId, { ...withCode, resolution_data: { code: '999999' } });
    expect(await take(jobId, 'resume')).toMatchObject({ taken: 'joined' });
    expect(started).toEqual([`resume ${jobId}`]);
    const [command, ...others] = await commandsOf(jobId);
    expect(others).toEqual([]);
    expect(JSON.parse(box.open((await takeSecret(database.pool, command!.commandId))!))).toEqual({ code });
    expect(JSON.stringify(await rowOf(jobId))).not.toContain('999999');
  });

  test('P8: without a key for secrets is taken out, and its last statement is no second command', async () => {
    const jobId = await waitingForCode();
    const { take, started } = createTaker(null);
    await write(jobId, withCode);
    expect(await take(jobId, 'resume')).toMatchObject({ taken: 'refused', reason: expect.stringContaining('SECRETS_KEY') });
    await writeLast(jobId, `: the code is ${code}`);
    expect(await take(jobId, 'resume')).toBeNull();
    expect(started).toEqual([]);
    const row = await rowOf(jobId);
    expect(row).toMatchObject({ status: 'paused', status_message: expect.stringContaining('SECRETS_KEY') });
    expect(JSON.stringify(row)).not.toContain(code);
    expect(await commandsOf(jobId)).toHaveLength(1);
  });

  test('without any data is one by hand', async () => {
    const jobId = await waitingForCode();
    await writeLast(jobId);
    const { take, started } = createTaker();
    expect([await take(jobId, 'resume'), await take(jobId, 'resume')]).toMatchObject([{ taken: 'taken' }, null]);
    expect(started).toEqual([`resume ${jobId}`]);
    expect(await commandsOf(jobId)).toMatchObject([{ resolutionType: 'manual' }]);
  });

  test.each(['null', '"resolution_type"', '["resolution_type"]', '7'])(
    'P8: is taken while the row of its attempt holds %s where an interaction belongs',
    async (interaction) => {
      const jobId = await waitingForCode();
      const attemptId = await addAttempt(jobId);
      await query(
        `insert into gh_automation_jobs (id, user_id, job_type, target_url, task_description, status, worker_id, last_heartbeat, interaction_data)
         values ($1, gen_random_uuid(), 'apply', 'https://x.test', 'x', 'paused', 'worker-7', now(), $2::jsonb)`,
        [attemptId, interaction],
      );
      await write(jobId, withCode);
      expect(await createTaker().take(jobId, 'resume')).toMatchObject({ taken: 'taken' });
      expect(await rowOf(jobId)).toMatchObject({ status: 'paused' });
      expect(JSON.stringify(await rowOf(jobId))).not.toContain(code);
      const resolution = { type: 'code_entry', data: { code }, by: 'zoe' } as const;
      expect(await resumeAttempt(database.pool, { attemptId, workerId: 'worker-7', freshMs: 60_000, resolution })).toBe(true);
      expect(await rowOf(attemptId)).toMatchObject({ interaction_data: { resolution_data: { code } } });
      await scrubResolution(database.pool, attemptId);
      expect(JSON.stringify(await rowOf(attemptId))).not.toContain(code);
    },
  );

  test.each([`"resolution_data"`, `["resolution_data", "${code}"]`])('in a row whose data is %s ends no pass', async (data) => {
    const jobId = await waitingForCode();
    await query(`update gh_automation_jobs set interaction_data = $2::jsonb where id = $1`, [jobId, data]);
    const { of } = await sweepOnce(database.pool, { secrets: box });
    expect(of('row_command')).toMatchObject([{ subject: jobId, after: expect.any(String) }]);
    expect(JSON.stringify(await rowOf(jobId))).not.toContain(code);
  });
});

test('a row that is not of our jobs is never touched', async () => {
  const [foreign] = await query(
    `insert into gh_automation_jobs (user_id, job_type, target_url, task_description, status, worker_id, status_message, interaction_data)
     values (gen_random_uuid(), 'apply', 'https://x.test', 'x', 'cancelled', 'w', 'Resumed by human', $1::jsonb) returning *`,
    [JSON.stringify(withCode)],
  );
  const id = String(foreign!['id']);
  const { take } = createTaker();
  for (const kind of ['cancel', 'resume', 'retry'] as const) expect(await take(id, kind)).toBeNull();
  await sweepOnce(database.pool, { secrets: box });
  expect(await rowOf(id)).toEqual(foreign);
});

describe('a cancel in a public row', () => {
  const cancelRow = async (jobId: string): Promise<unknown> =>
    await query(`update gh_automation_jobs set status = 'cancelled', completed_at = now() where id = $1`, [jobId]);

  test.each(['accepted', 'waiting', 'running', 'waiting_human'] as const)(
    'of a job that is %s becomes a command before its row is repaired',
    async (state) => {
      const jobId = await insertJobWithRow({ state, humanKind: state === 'waiting_human' ? 'blocker' : null });
      await cancelRow(jobId);
      const { of, notified } = await sweepOnce(database.pool);
      expect(of('row_command')).toMatchObject([{ subject: jobId, after: 'taken' }]);
      expect(of('mirror_repaired')).toEqual([]);
      expect(notified).toContain(`command ${jobId} cancel`);
      expect(await commandsOf(jobId)).toMatchObject([{ kind: 'cancel', source: 'row', endedAt: null }]);
      expect(await findJob(database.pool, jobId)).toMatchObject({ isCancelRequested: true });
      expect(await rowOf(jobId)).toMatchObject({ status: 'cancelled' });
      expect((await sweepOnce(database.pool)).of('row_command')).toEqual([]);
    },
  );

  test('is not written over by a step that comes before anybody has seen it, nor by the repair', async () => {
    const jobId = await insertJobWithRow({ state: 'waiting' });
    await cancelRow(jobId);
    const move = { jobId, generation: 1, state: 'running', reason: 'running', deadlineInMs: 3_600_000, attempt: null } as const;
    await moveJob(database.pool, move);
    await mirrorJob(database.pool, jobId, { showsWorkerId: false });
    expect(await rowOf(jobId)).toMatchObject({ status: 'cancelled' });
    expect(await listRowCommands(database.pool, { rows: 9 })).toEqual([{ jobId, kinds: ['cancel'] satisfies RowCommandKind[] }]);
  });

  test('gives way to the end of the job, and to what is left when its command has ended', async () => {
    const jobId = await insertJobWithRow({ state: 'running' });
    await cancelRow(jobId);
    await createTaker().take(jobId, 'cancel');
    const move = {
      jobId,
      generation: 1,
      state: 'uncertain',
      reason: 'stopped',
      submission: 'maybe',
      deadlineInMs: null,
      attempt: null,
    } as const;
    await moveJob(database.pool, move);
    await mirrorJob(database.pool, jobId, { showsWorkerId: false });
    expect(await rowOf(jobId)).toMatchObject({ status: 'cancelled' });
    const [command] = await commandsOf(jobId);
    await updateCommand(database.pool, { commandId: command!.commandId, outcome: 'cancelled_maybe_submitted', isEnd: true });
    await sweepOnce(database.pool);
    expect(await rowOf(jobId)).toMatchObject({ status: 'failed' });
  });

  test('joins a cancel that is under way', async () => {
    const jobId = await insertJobWithRow({ state: 'running' });
    await cancelRow(jobId);
    const takers = Array.from({ length: 4 }, () => createTaker());
    const taken = await Promise.all(takers.map(async ({ take }) => await take(jobId, 'cancel')));
    expect(taken.filter((each) => each !== null)).toHaveLength(1);
    expect(await commandsOf(jobId)).toHaveLength(1);
  });
});

describe('a public row that was put back to pending', () => {
  /** As GH's own retry does. */
  const putBack = async (jobId: string): Promise<unknown> =>
    await query(
      `update gh_automation_jobs set status = 'pending', retry_count = retry_count + 1, worker_id = null, error_code = null, error_details = null,
         started_at = null, completed_at = null, last_heartbeat = null where id = $1`,
      [jobId],
    );

  test.each(['failed', 'cancelled', 'expired'] as const)('opens the next generation of a job that has %s', async (state) => {
    const jobId = await insertJobWithRow({ state });
    await putBack(jobId);
    const { of, notified } = await sweepOnce(database.pool);
    expect(of('row_command')).toMatchObject([{ subject: jobId, after: 'taken' }]);
    expect(notified).toContain(`ensure ${jobId} retried`);
    expect(await findJob(database.pool, jobId)).toMatchObject({ generation: 2, state: 'accepted' });
    expect(await commandsOf(jobId)).toMatchObject([{ kind: 'retry', source: 'row', outcome: 'reopened' }]);
    expect(await rowOf(jobId)).toMatchObject({ status: 'pending', worker_affinity: 'strict' });
    // The end of the life before is no cancel of this one.
    expect((await sweepOnce(database.pool)).of('row_command')).toEqual([]);
  });

  test.each<[what: string, options: JobRowOptions, status: string]>([
    ['that may be submitted', { state: 'failed', submission: 'maybe' }, 'failed'],
    ['that was submitted', { state: 'succeeded', submission: 'yes' }, 'completed'],
    ['that is uncertain', { state: 'uncertain', submission: 'maybe' }, 'failed'],
  ])('P3: of a job %s is repaired, and the retry is refused until somebody confirms', async (_what, options, status) => {
    const jobId = await insertJobWithRow(options);
    await putBack(jobId);
    const { of } = await sweepOnce(database.pool);
    expect(of('row_command')).toMatchObject([{ subject: jobId, after: 'refused', detail: expect.stringContaining('confirm') }]);
    expect(await findJob(database.pool, jobId)).toMatchObject({ generation: 1, state: options.state });
    expect(await commandsOf(jobId)).toMatchObject([{ kind: 'retry', outcome: 'refused' }]);
    expect(await rowOf(jobId)).toMatchObject({ status });
  });

  test('of a job whose task has another one by now is repaired', async () => {
    const { jobId, taskId } = await insertJob(database.pool, { state: 'failed' });
    await mirrorJob(database.pool, jobId, { showsWorkerId: false });
    await insertJob(database.pool, { taskId });
    await putBack(jobId);
    const { of } = await sweepOnce(database.pool);
    expect(of('row_command')).toMatchObject([{ after: 'refused', detail: expect.stringContaining('another live job') }]);
    expect(await rowOf(jobId)).toMatchObject({ status: 'failed' });
  });
});

test('a command that cannot be taken stays where it is, and keeps neither another one nor the rest of the pass from its turn', async () => {
  const ill = [await insertJobWithRow({ state: 'running' }), await insertJobWithRow({ state: 'failed' })];
  const well = [await insertJobWithRow({ state: 'running' }), await insertJobWithRow({ state: 'failed' })];
  await query(`update gh_automation_jobs set status = 'cancelled' where id in ($1, $2)`, [ill[0], well[0]]);
  await query(`update gh_automation_jobs set status = 'pending', retry_count = 1, completed_at = null where id in ($1, $2)`, [
    ill[1],
    well[1],
  ]);
  await query(
    `create function refuse() returns trigger language plpgsql as $$ begin
       if new.job_id::text = any (tg_argv) then raise exception 'refused'; end if; return new; end $$`,
  );
  await query(`create trigger refuse before insert on yardmaster.command for each row execute function refuse('${ill[0]}', '${ill[1]}')`);
  try {
    const { of } = await sweepOnce(database.pool);
    expect(of('row_command').map(({ subject }) => subject)).toEqual(expect.arrayContaining(well));
    expect(of('row_command')).toHaveLength(2);
  } finally {
    await query('drop trigger refuse on yardmaster.command');
    await query('drop function refuse');
  }
  expect([await rowOf(ill[0]!), await rowOf(ill[1]!)]).toMatchObject([{ status: 'cancelled' }, { status: 'pending' }]);
  const { of } = await sweepOnce(database.pool);
  expect(of('row_command').map(({ subject }) => subject)).toEqual(expect.arrayContaining(ill));
});

test('what came by rows is an alarm for an hour, which names the fault of the set-up', async () => {
  const jobId = await addWaitingJob(database.pool);
  await query(`update gh_automation_jobs set status = 'cancelled' where id = $1`, [jobId]);
  const { of } = await sweepOnce(database.pool);
  expect(of('commands_go_around')).toMatchObject([{ detail: expect.stringMatching(/^1 cancel; .*ATM_BASE_URL/) }]);
  await query(
    `insert into sandboxes (name, environment, instance_id, instance_type, public_ip, status, ec2_status) values ('a', 'dev', 'i-1', 't3', '10.0.0.1', 'active', 'running')`,
  );
  const untagged = await sweepOnce(database.pool);
  expect(untagged.of('commands_go_around')).toMatchObject([{ detail: expect.stringContaining('sandboxes without tags.atm_fleet_id: 1') }]);
  expect(untagged.of('sandbox_leads_around')).toHaveLength(1);
  await query(`update sandboxes set tags = '{"atm_fleet_id": "a"}'`);
  await query(`update yardmaster.command set requested_at = now() - $1::int * interval '1 ms'`, [limits.aroundAlarmMs]);
  const tagged = await sweepOnce(database.pool);
  expect([...tagged.of('commands_go_around'), ...tagged.of('sandbox_leads_around')]).toEqual([]);
  await query('delete from sandboxes');
});

test('a public row names its worker only where the product may see it', async () => {
  const jobId = await insertJobWithRow({ state: 'running' });
  await addAttempt(jobId);
  await mirrorJob(database.pool, jobId, { showsWorkerId: false });
  expect(await rowOf(jobId)).toMatchObject({ worker_id: null });
  await mirrorJob(database.pool, jobId, { showsWorkerId: true });
  expect(await rowOf(jobId)).toMatchObject({ worker_id: 'worker-7' });
});
