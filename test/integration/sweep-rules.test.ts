import { limits } from '../../src/contracts/limits';
import { readAttempt } from '../../src/db/attempts/attempts';
import { moveJob } from '../../src/db/jobs/jobs';
import { mirrorJob } from '../../src/db/jobs/mirror';
import { provenByCallback } from '../../src/domain/submission-evidence';
import { withDatabase } from '../support/database';
import { addAttempt, addWaitingJob, addWorker, assignAll, claim, emptyTables } from '../support/fleet-rows';
import { insertJob } from '../support/job-rows';
import { sweepOnce } from '../support/sweep-pass';

const database = withDatabase();
beforeEach(async () => await emptyTables(database.pool));

const { query } = {
  query: async (text: string, values: unknown[] = []) => (await database.pool.query<Record<string, unknown>>(text, values)).rows,
};
const rowOf = async (id: string): Promise<Record<string, unknown>> =>
  (await query('select * from gh_automation_jobs where id = $1', [id]))[0] ?? {};

/** A job that a worker has claimed and runs. */
const runningJob = async (worker: Parameters<typeof addWorker>[1] = {}) => {
  const { workerId, host } = await addWorker(database.pool, worker);
  const jobId = await addWaitingJob(database.pool, { affinity: 'strict', wantedWorker: workerId });
  const [assigned] = await assignAll(database.pool);
  const attemptId = assigned?.attemptId ?? '';
  expect(await claim(database.pool, workerId)).toBe(attemptId);
  await query(`update yardmaster.attempt set state = 'running', claimed_at = now() - interval '1 min' where attempt_id = $1`, [attemptId]);
  await query(`update gh_automation_jobs set status = 'running' where id = $1`, [attemptId]);
  const move = {
    jobId,
    generation: 1,
    state: 'running',
    reason: 'running',
    deadlineInMs: 3_600_000,
    attempt: { attemptId, workerId },
  } as const;
  await moveJob(database.pool, move);
  await mirrorJob(database.pool, jobId, { showsWorkerId: false });
  return { workerId, host, jobId, attemptId };
};

/** A job that has ended, with its public row as we left it. */
const endedJob = async (): Promise<string> => {
  const jobId = await addWaitingJob(database.pool);
  await moveJob(database.pool, { jobId, generation: 1, state: 'succeeded', reason: 'completed', deadlineInMs: null, attempt: null });
  await query(`update gh_automation_jobs set status = 'completed', completed_at = now() where id = $1`, [jobId]);
  return jobId;
};
const age = async (jobId: string, minutes: number): Promise<unknown> =>
  await query(`update yardmaster.job set ended_at = now() - $2::int * interval '1 min' where job_id = $1`, [jobId, minutes]);

test('of the jobs without a workflow those at work are started first, then the eldest, and no more than a pass bears', async () => {
  const { host, jobId: atWork } = await runningJob();
  const accept = async (): Promise<string> => (await insertJob(database.pool)).jobId;
  const [later, eldest, latest] = [await accept(), await accept(), await accept()];
  const seconds = { [atWork]: 10, [later]: 30, [eldest]: 40, [latest]: 20 };
  await query(
    `update yardmaster.job set owner = null, accepted_at = now() - ($1::jsonb ->> job_id::text)::int * interval '1 s', state_at = now() - interval '1 min'`,
    [seconds],
  );
  const { notified, report } = await sweepOnce(database.pool, {
    full: false,
    ports: { [host]: { active_jobs: 1 } },
    limits: { sweepStartsMax: 2 },
  });
  expect(notified).toEqual([atWork, eldest].map((jobId) => `ensure ${jobId} accepted_without_workflow`));
  expect(report.counts).toEqual({ accepted_without_workflow: 2, left_for_next_pass: 1 });
});

describe('a live attempt', () => {
  test('whose worker works is left alone', async () => {
    const { host } = await runningJob();
    const { report, notified } = await sweepOnce(database.pool, { ports: { [host]: { active_jobs: 1 } } });
    expect(report.counts).toEqual({});
    expect(notified).toEqual([]);
  });

  test('whose worker died a second after its claim and is back already, has it examined', async () => {
    const { jobId, host } = await runningJob();
    const { notified } = await sweepOnce(database.pool, { full: false, ports: { [host]: { active_jobs: 0, uptime_ms: 59_000 } } });
    expect(notified).toEqual([`examine ${jobId} worker_changed`]);
  });

  test('whose port refuses, has it examined in a light pass', async () => {
    const { jobId, host } = await runningJob();
    const { report, notified } = await sweepOnce(database.pool, { full: false, ports: { [host]: 'refused' } });
    expect(report).toMatchObject({ kind: 'light', counts: { worker_changed: 1, worker_port_down: 1 } });
    expect(notified).toEqual([`examine ${jobId} worker_changed`]);
  });

  test('whose worker went offline, or vanished from the registry, has it examined', async () => {
    const offline = await runningJob();
    const gone = await runningJob();
    await query(`update gh_worker_registry set status = 'offline' where worker_id = $1`, [offline.workerId]);
    await query('delete from gh_worker_registry where worker_id = $1', [gone.workerId]);
    const { notified } = await sweepOnce(database.pool, { ports: { [offline.host]: { active_jobs: 1 } } });
    expect(notified.toSorted()).toEqual([offline, gone].map(({ jobId }) => `examine ${jobId} worker_gone`).toSorted());
  });

  test('that says running while its worker is idle, has it examined', async () => {
    const { jobId, attemptId } = await runningJob();
    await query(`update gh_automation_jobs set last_heartbeat = now() - interval '40 s' where id = $1`, [attemptId]);
    expect((await sweepOnce(database.pool)).notified).toEqual([`examine ${jobId} zombie_attempt`]);
  });

  test('that ended without a word wakes its workflow', async () => {
    const { jobId, attemptId, host } = await runningJob();
    await query(`update gh_automation_jobs set status = 'failed' where id = $1`, [attemptId]);
    const { notified } = await sweepOnce(database.pool, { full: false, ports: { [host]: { active_jobs: 1 } } });
    expect(notified).toEqual([`ensure ${jobId} missed_callback`]);
  });

  test('that another worker claimed is from then on an attempt of that worker', async () => {
    const { attemptId, workerId, host } = await runningJob();
    const other = await addWorker(database.pool);
    await query('update gh_automation_jobs set worker_id = $2 where id = $1', [attemptId, other.workerId]);
    const ports = { [host]: { active_jobs: 0 }, [other.host]: { active_jobs: 1 } };
    const { of } = await sweepOnce(database.pool, { ports });
    expect(of('foreign_claim')).toEqual([expect.objectContaining({ subject: attemptId, before: workerId, after: other.workerId })]);
    expect(await query('select worker_id, host from yardmaster.attempt where attempt_id = $1', [attemptId])).toEqual([
      { worker_id: other.workerId, host: other.host },
    ]);
    expect((await sweepOnce(database.pool, { ports })).report.counts).toEqual({});
  });

  test('that a worker claimed beside its own one is an alarm, and our record stays', async () => {
    const mine = await runningJob();
    const other = await runningJob();
    await query('update gh_automation_jobs set worker_id = $2 where id = $1', [mine.attemptId, other.workerId]);
    const ports = { [mine.host]: { active_jobs: 1 }, [other.host]: { active_jobs: 1 } };
    const { of } = await sweepOnce(database.pool, { ports });
    expect(of('foreign_claim')).toMatchObject([{ before: mine.workerId, after: mine.workerId }]);
  });

  test('that two processes listen for is an alarm', async () => {
    const { attemptId, host } = await runningJob();
    const clients = await Promise.all([1, 2].map(async () => await database.pool.connect()));
    try {
      for (const client of clients) await client.query(`LISTEN "gh_job_cancel_${attemptId}"`);
      const { of } = await sweepOnce(database.pool, { full: false, ports: { [host]: { active_jobs: 1 } } });
      expect(of('several_listeners')).toEqual([{ finding: 'several_listeners', subject: attemptId, detail: '2 processes listen' }]);
    } finally {
      for (const client of clients) client.release(true);
    }
  });
});

describe('the public row', () => {
  test.each([
    ['that looks alive again, however long ago the job ended', `status = 'running'`, 60 * 24 * 10],
    ['that any worker could claim', `status = 'pending', worker_affinity = 'preferred'`, 60 * 24 * 10],
    ['that ended in another way', `status = 'failed', error_code = 'STALE_TASK'`, 1],
    ['that ended in another way, two hours later', `status = 'failed', error_code = 'STALE_TASK'`, 128],
    ['that is aimed at a worker', `target_worker_id = 'worker-1'`, 4],
    ['that holds what somebody typed', `interaction_data = '{"resolution_data":{"code":"123456"}}'`, 2],
  ])('of an ended job %s is repaired, and the event is kept', async (_what, change, minutes) => {
    const jobId = await endedJob();
    await age(jobId, minutes);
    await query(`update gh_automation_jobs set ${change} where id = $1`, [jobId]);
    const found = String((await rowOf(jobId))['status']);
    const { of } = await sweepOnce(database.pool);
    expect(of('late_overwrite_repaired')).toEqual([
      { finding: 'late_overwrite_repaired', subject: jobId, detail: '', before: found, after: 'completed' },
    ]);
    expect(await rowOf(jobId)).toMatchObject({
      status: 'completed',
      error_code: null,
      worker_affinity: 'strict',
      target_worker_id: null,
      interaction_data: null,
    });
    expect(
      await query(`select from_status, to_status, actor from gh_job_events where job_id = $1 and event_type = 'late_overwrite_repaired'`, [
        jobId,
      ]),
    ).toEqual([{ from_status: found, to_status: 'completed', actor: 'yardmaster' }]);
    expect((await sweepOnce(database.pool)).of('late_overwrite_repaired')).toEqual([]);
  });

  test('of a live job that somebody wrote over is put right', async () => {
    const { jobId, host } = await runningJob();
    await query(`update gh_automation_jobs set status = 'failed' where id = $1`, [jobId]);
    const { report, of } = await sweepOnce(database.pool, { ports: { [host]: { active_jobs: 1 } } });
    expect(report.counts).toEqual({ mirror_repaired: 1 });
    expect(of('mirror_repaired')).toMatchObject([{ subject: jobId, before: 'failed', after: 'running' }]);
    expect(await rowOf(jobId)).toMatchObject({ status: 'running' });
  });

  test('of a live job that was deleted is an alarm', async () => {
    const { jobId, host } = await runningJob();
    await query('delete from gh_automation_jobs where id = $1', [jobId]);
    const { of } = await sweepOnce(database.pool, { ports: { [host]: { active_jobs: 1 } } });
    expect(of('job_row_gone')).toMatchObject([{ subject: jobId }]);
  });
});

describe('an attempt that its job has left behind', () => {
  /** A person has said how it ended; its worker still has the browser, or had. */
  const leftBehind = async () => {
    const running = await runningJob();
    const { jobId, attemptId, workerId } = running;
    const attempt = { attemptId, workerId };
    await moveJob(database.pool, { jobId, generation: 1, state: 'succeeded', reason: 'resolved_submitted', deadlineInMs: null, attempt });
    await query(
      `update gh_automation_jobs set status = 'needs_human', worker_id = null, last_heartbeat = now() - interval '5 min' where id = $1`,
      [attemptId],
    );
    return running;
  };

  test('keeps its worker while that works', async () => {
    const { host } = await leftBehind();
    expect((await sweepOnce(database.pool, { ports: { [host]: { active_jobs: 1 } } })).of('loose_attempt_ended')).toEqual([]);
  });

  test('is named while its worker works on it, since only a restart frees that', async () => {
    const { host, jobId, attemptId, workerId } = await leftBehind();
    await query('update gh_worker_registry set current_job_id = $2 where worker_id = $1', [workerId, attemptId]);
    const ports = { [host]: { active_jobs: 1 } };
    expect((await sweepOnce(database.pool, { ports })).of('busy_with_ended_job')).toEqual([]);
    await age(jobId, 5);
    const { of } = await sweepOnce(database.pool, { full: false, ports });
    expect(of('busy_with_ended_job')).toMatchObject([
      { subject: workerId, detail: expect.stringMatching(`^job ${jobId}, ended \\d+ s ago$`) },
    ]);
  });

  test('is named as well once a person has opened the next generation of the job', async () => {
    const { host, jobId, attemptId, workerId } = await leftBehind();
    await query('update gh_worker_registry set current_job_id = $2 where worker_id = $1', [workerId, attemptId]);
    const reopened = `state = 'waiting', ended_at = null, attempt_id = null, generation = 2, state_at = now() - interval '5 min'`;
    await query(`update yardmaster.job set ${reopened} where job_id = $1`, [jobId]);
    const { of } = await sweepOnce(database.pool, { full: false, ports: { [host]: { active_jobs: 1 } } });
    expect(of('busy_with_ended_job')).toMatchObject([{ subject: workerId }]);
  });

  test.each([
    ['whose process started again two seconds after the claim', { active_jobs: 1, uptime_ms: 58_000 }],
    ['that is idle', { active_jobs: 0 }],
  ])('frees a worker %s, which gets the next job', async (_what, port) => {
    const { attemptId, host, workerId } = await leftBehind();
    const { of } = await sweepOnce(database.pool, { ports: { [host]: port } });
    expect(of('loose_attempt_ended')).toMatchObject([{ subject: attemptId, after: 'ended' }]);
    const next = await addWaitingJob(database.pool);
    await sweepOnce(database.pool, { ports: { [host]: { active_jobs: 0 } } });
    await expect(assignAll(database.pool)).resolves.toMatchObject([{ jobId: next, workerId }]);
  });

  test('whose machine was replaced by another worker is over, and its copies of personal data are erased', async () => {
    const { attemptId, host } = await leftBehind();
    await sweepOnce(database.pool, { ports: { [host]: { worker_id: 'worker-new' } } });
    expect(await query('select end_reason from yardmaster.attempt where attempt_id = $1', [attemptId])).toEqual([{ end_reason: 'lost' }]);
    expect(await rowOf(attemptId)).toMatchObject({ input_data: {} });
  });
});

describe('what a person typed into a resume', () => {
  const typed = (resolvedAt: string): string =>
    JSON.stringify({ type: 'captcha', resolution_type: 'code_entry', resolution_data: { code: '123456' }, resolved_at: resolvedAt });

  const ago = (ms: number) => (): string => new Date(Date.now() - ms).toISOString();

  test.each<[string, () => string, boolean]>([
    ['that was left there is taken out of the row', ago(120_000), true],
    ['whose moment nobody can read is taken out of the row', () => 'yesterday', true],
    ['stays for the seconds in which the worker reads it', ago(0), false],
  ])('%s', async (_what, sayWhen, isScrubbed) => {
    const resolvedAt = sayWhen();
    const { attemptId, host } = await runningJob();
    await query('update gh_automation_jobs set interaction_data = $2 where id = $1', [attemptId, typed(resolvedAt)]);
    const { of } = await sweepOnce(database.pool, { ports: { [host]: { active_jobs: 1 } } });
    expect(of('credentials_scrubbed')).toHaveLength(isScrubbed ? 1 : 0);
    const { interaction_data: left } = await rowOf(attemptId);
    expect(left).toEqual(isScrubbed ? { type: 'captcha' } : JSON.parse(typed(resolvedAt)));
  });
});

describe('a worker that takes nothing', () => {
  test('because of a wait that an attempt left behind is named', async () => {
    const { workerId } = await addWorker(database.pool);
    const attemptId = await addAttempt(database.pool, { jobId: await endedJob(), workerId, hasLeftWaiter: true });
    await query(
      `insert into gh_automation_jobs (id, user_id, job_type, target_url, task_description, status, worker_affinity) values ($1, gen_random_uuid(), 'apply', 'https://x.test', 'x', 'failed', 'strict')`,
      [attemptId],
    );
    await query(`insert into gh_job_events (job_id, event_type) values ($1, 'hitl_paused')`, [attemptId]);
    const { of } = await sweepOnce(database.pool);
    expect(of('tainted_worker')).toMatchObject([{ subject: workerId }]);
  });

  test('because it did not claim is named', async () => {
    const { workerId } = await addWorker(database.pool);
    await addAttempt(database.pool, { jobId: await endedJob(), workerId, endReason: 'not_claimed' });
    expect((await sweepOnce(database.pool)).of('unclaiming_worker')).toMatchObject([{ subject: workerId }]);
  });

  test('because it runs in queue mode is named', async () => {
    const { workerId, host } = await addWorker(database.pool);
    const { of } = await sweepOnce(database.pool, { ports: { [host]: { dispatch_mode: 'queue' } } });
    expect(of('queue_mode_worker')).toMatchObject([{ subject: workerId }]);
  });
});

describe('a worker without a usable address', () => {
  test('is asked at that of its instance, and its row stays as it is', async () => {
    const { workerId } = await addWorker(database.pool, { host: 'unknown', instanceId: 'i-77', probeAgeMs: null, heartbeatAgeMs: 600_000 });
    await query(
      `insert into sandboxes (name, environment, instance_id, instance_type, public_ip, status, ec2_status) values ('a', 'dev', 'i-77', 't3', '10.7.7.7', 'active', 'running')`,
    );
    const before = await query('select * from gh_worker_registry');
    // Its port answers, so that it is alive although its heartbeat is old.
    const { asked, of } = await sweepOnce(database.pool, { ports: { '10.7.7.7': { worker_id: workerId } } });
    expect(asked).toEqual(['10.7.7.7']);
    expect(of('address_by_instance')).toMatchObject([{ subject: workerId, detail: '10.7.7.7 by i-77' }]);
    expect(of('worker_marked_offline')).toEqual([]);
    expect(await query('select * from gh_worker_registry')).toEqual(before);
    await query('delete from sandboxes');
  });
});

test('one lost answer marks nobody offline: a silent port is asked a second time', async () => {
  const { host, workerId } = await addWorker(database.pool, { heartbeatAgeMs: 600_000 });
  const { asked, of } = await sweepOnce(database.pool, { ports: { [host]: 'silent' } });
  expect(asked).toEqual([host, host]);
  expect(of('worker_marked_offline')).toEqual([
    { finding: 'worker_marked_offline', subject: workerId, detail: 'silent', before: 'active', after: 'offline' },
  ]);
});

test('a workflow whose row is gone is woken, so that it ends', async () => {
  const orphan = '00000000-0000-4000-8000-000000000001';
  const ended = await endedJob();
  const { notified, report } = await sweepOnce(database.pool, { running: [orphan, ended] });
  expect(notified).toEqual([`wake ${orphan} workflow_without_row`]);
  expect(report.counts).toEqual({ workflow_without_row: 1 });
});

test('a worker that came back can have a job after a light pass', async () => {
  const jobId = await addWaitingJob(database.pool);
  const { workerId } = await addWorker(database.pool, { probeAgeMs: null });
  await expect(assignAll(database.pool)).resolves.toEqual([]);
  await sweepOnce(database.pool, { full: false });
  await expect(assignAll(database.pool)).resolves.toMatchObject([{ jobId, workerId }]);
});

describe('the kind of a pass', () => {
  const next = async (): Promise<string> => (await sweepOnce(database.pool, { full: undefined })).report.kind;

  test('is full at first, light while the last full one is young, and full again, by the rows and the clock of the database', async () => {
    expect([await next(), await next(), await next()]).toEqual(['full', 'light', 'light']);
    await query(`update yardmaster.sweep_report set started_at = started_at - $1::int * interval '1 ms'`, [limits.sweepFullEveryMs]);
    expect([await next(), await next()]).toEqual(['full', 'light']);
  });

  test('is not decided by a dry run', async () => {
    await sweepOnce(database.pool, { dryRun: true });
    expect(await next()).toBe('full');
  });
});

describe('what is proven late', () => {
  /** An uncertain job whose attempt is over. */
  const uncertainJob = async (): Promise<{ jobId: string; attemptId: string; workerId: string }> => {
    const { jobId, attemptId, workerId } = await runningJob();
    await query(`update yardmaster.attempt set state = 'ended', ended_at = now(), end_reason = 'lost' where attempt_id = $1`, [attemptId]);
    const attempt = { attemptId, workerId };
    await moveJob(database.pool, { jobId, generation: 1, state: 'uncertain', reason: 'end_not_written', deadlineInMs: 3_600_000, attempt });
    await mirrorJob(database.pool, jobId, { showsWorkerId: false });
    return { jobId, attemptId, workerId };
  };

  test('by the row of the attempt wakes its job', async () => {
    const { jobId, attemptId } = await uncertainJob();
    expect((await sweepOnce(database.pool)).notified).toEqual([]);
    await query(`update gh_automation_jobs set status = 'completed', result_data = '{"submitted": true}' where id = $1`, [attemptId]);
    expect((await sweepOnce(database.pool)).notified).toEqual([`ensure ${jobId} late_proof`]);
  });

  test('by a callback whose hint was lost wakes its job, once', async () => {
    const { jobId, attemptId, workerId } = await uncertainJob();
    await query(
      `insert into yardmaster.received_callback (attempt_id, word, worker_id, submitted, effect) values ($1, 'completed', $2, true, 'wakes_job')`,
      [attemptId, workerId],
    );
    expect((await sweepOnce(database.pool)).notified).toEqual([`ensure ${jobId} late_proof`]);
    await query('update yardmaster.job set touched_at = clock_timestamp() where job_id = $1', [jobId]);
    expect((await sweepOnce(database.pool)).notified).toEqual([]);
  });

  test.each<[what: string, row: string, eventAt: string | null, proof: object | null]>([
    ['of an attempt that was silent since', `last_heartbeat = now() - interval '2 min'`, null, { submission: 'yes' }],
    ['of one whose last event came before it', `last_heartbeat = now() - interval '2 min'`, '90 s', { submission: 'yes' }],
    ['of one that still beats', 'last_heartbeat = now()', null, null],
    ['of one that waits for a person and beats', `status = 'paused', last_heartbeat = now()`, null, null],
    ['of one that took another step', `last_heartbeat = now() - interval '2 min'`, '30 s', null],
    ['of one whose row another worker has', `worker_id = 'worker-9', last_heartbeat = now()`, null, { submission: 'yes' }],
    ['of one whose beat is infinite', `last_heartbeat = 'infinity'`, null, { submission: 'yes' }],
  ])('P3: by a callback is worth something %s', async (_what, row, eventAt, proof) => {
    const { attemptId, workerId } = await runningJob();
    await query(`update gh_automation_jobs set ${row} where id = $1`, [attemptId]);
    if (eventAt !== null)
      await query(`insert into gh_job_events (job_id, event_type, created_at) values ($1, 'step_started', now() - $2::interval)`, [
        attemptId,
        eventAt,
      ]);
    await query(
      `insert into yardmaster.received_callback (attempt_id, word, worker_id, submitted, effect, received_at)
       values ($1, 'completed', $2, true, 'wakes_job', now() - interval '1 min')`,
      [attemptId, workerId],
    );
    const read = await readAttempt(database.pool, attemptId);
    expect(read.kind === 'seen' ? provenByCallback(read.seen) : read).toEqual(proof);
  });

  test('is none when the recovery of another worker completed its row', async () => {
    const { attemptId } = await uncertainJob();
    await query(
      `update gh_automation_jobs set status = 'completed', worker_id = null, error_details = '{"recovered_by": "worker-9"}' where id = $1`,
      [attemptId],
    );
    expect((await sweepOnce(database.pool)).notified).toEqual([]);
  });
});

test('a worker whose callbacks come with a wrong secret is named, until one of its callbacks is taken', async () => {
  const { workerId, attemptId, host } = await runningJob();
  const ports = { [host]: { active_jobs: 1 } };
  await query('update yardmaster.attempt set callback_refused_at = now() where attempt_id = $1', [attemptId]);
  expect((await sweepOnce(database.pool, { ports })).of('callbacks_refused')).toMatchObject([{ subject: workerId }]);
  await query(
    `insert into yardmaster.received_callback (attempt_id, word, worker_id, effect, received_at) values ($1, 'running', $2, 'wakes_job', now() + interval '1 s')`,
    [attemptId, workerId],
  );
  expect((await sweepOnce(database.pool, { ports })).of('callbacks_refused')).toEqual([]);
});

test('a mirror that is repaired keeps nothing of what its neighbour wrote beside the state', async () => {
  const { jobId, host } = await runningJob();
  const before = await rowOf(jobId);
  await query(
    `update gh_automation_jobs set status = 'failed', status_message = 'Stale', error_code = 'worker_terminated', error_details = '{"by": "valet"}',
       completed_at = now(), started_at = now() + interval '1 h', paused_at = now(), interaction_type = 'captcha', interaction_data = '{"a": 1}',
       worker_id = 'nobody' where id = $1`,
    [jobId],
  );
  await sweepOnce(database.pool, { ports: { [host]: { active_jobs: 1 } } });
  const { last_heartbeat: _beat, updated_at: _updated, ...after } = await rowOf(jobId);
  expect(before).toMatchObject(after);
});
