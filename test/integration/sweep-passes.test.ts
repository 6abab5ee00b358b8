import { PassThrough } from 'node:stream';
import { createLog, type Log } from '../../src/log';
import { withDatabase } from '../support/database';
import { addWaitingJob, addWorker, addWorkers, assignAll, claim, emptyTables } from '../support/fleet-rows';
import { seedHistory } from '../support/seed-history';
import { sweepOnce } from '../support/sweep-pass';
import { countStatements } from '../support/statement-count';

const database = withDatabase();
beforeEach(async () => {
  await emptyTables(database.pool);
  await database.pool.query('delete from sandboxes');
});

const query = async (text: string, values: unknown[] = []) => (await database.pool.query<Record<string, unknown>>(text, values)).rows;

/** Everything that a pass may write, but its report. */
const snapshot = async (): Promise<Record<string, unknown>> => {
  const tables = [
    ...['job', 'attempt', 'host_probe', 'job_transition', 'callback', 'command', 'secret', 'audit', 'host_hold', 'received_callback'].map(
      (name) => `yardmaster.${name}`,
    ),
    ...['gh_automation_jobs', 'gh_job_events', 'gh_worker_registry', 'sandboxes'],
  ];
  const rows = await Promise.all(tables.map(async (table) => await query(`select * from ${table} t order by t::text`)));
  return Object.fromEntries(tables.map((table, index) => [table, rows[index]]));
};

/** A fleet with something of nearly everything that a pass repairs. */
const makeMess = async (): Promise<void> => {
  const ended = await addWaitingJob(database.pool);
  const live = await addWaitingJob(database.pool);
  const busy = await addWorker(database.pool);
  await addWorker(database.pool);
  await addWorker(database.pool, { heartbeatAgeMs: 600_000 });
  await assignAll(database.pool);
  await claim(database.pool, busy.workerId);
  await query(`update yardmaster.attempt set state = 'running', claimed_at = now() - interval '1 min' where worker_id = $1`, [
    busy.workerId,
  ]);
  await query(
    `update yardmaster.job j set state = 'running', touched_at = now() - interval '1 min' from yardmaster.attempt a where a.attempt_id = j.attempt_id`,
  );
  await query(`update gh_automation_jobs set status = 'running', last_heartbeat = now() - interval '1 min',
    interaction_data = '{"resolution_type":"code_entry","resolved_at":"2026-01-01T00:00:00Z"}' where id in (select attempt_id from yardmaster.attempt)`);
  await query(`update yardmaster.attempt set state = 'ended', ended_at = now() where job_id = $1`, [ended]);
  await query(`update yardmaster.job set state = 'failed', ended_at = now() - interval '1 min' where job_id = $1`, [ended]);
  await query(`update gh_automation_jobs set status = 'paused' where id in ($1, $2)`, [ended, live]);
  await query(
    `insert into gh_automation_jobs (user_id, job_type, target_url, task_description, status) values (gen_random_uuid(), 'apply', 'https://x.test/', 'x', 'queued')`,
  );
  await query(
    `insert into sandboxes (name, environment, instance_id, instance_type, public_ip, status, health_status, ec2_status)
    select 'a', 'dev', ec2_instance_id, 't3', ec2_ip, 'active', 'unhealthy', 'running' from gh_worker_registry where worker_id = $1`,
    [busy.workerId],
  );
  await query(
    `insert into yardmaster.command (job_id, generation, kind, actor, source, touched_at) values ($1, 1, 'cancel', 'a', 'b', now() - interval '1 h')`,
    [live],
  );
  await addWaitingJob(database.pool);
};

const silentPorts = async (): Promise<Record<string, 'silent'>> =>
  Object.fromEntries(
    (await query(`select ec2_ip from gh_worker_registry where last_heartbeat < now() - interval '5 min'`)).map(({ ec2_ip: host }) => [
      String(host),
      'silent',
    ]),
  );

describe('a dry run of a pass', () => {
  test('changes no row and notifies no workflow, and says what the next pass then does', async () => {
    await makeMess();
    const ports = await silentPorts();
    const before = await snapshot();
    const dryPass = await sweepOnce(database.pool, { dryRun: true, ports });
    expect(await snapshot()).toEqual(before);
    expect(dryPass.notified).toEqual([]);
    expect(dryPass.report).toMatchObject({ isDryRun: true, kind: 'full' });

    const done = await sweepOnce(database.pool, { ports });
    expect(done.report.isDryRun).toBe(false);
    // Among others: the mess is one.
    expect(Object.keys(done.report.counts).toSorted()).toEqual(
      expect.arrayContaining([
        'credentials_scrubbed',
        'job_adopted',
        'late_overwrite_repaired',
        'mirror_repaired',
        'sandbox_repaired',
        'worker_marked_offline',
      ]),
    );
    expect(dryPass.report.counts).toEqual(done.report.counts);
    const shown = (items: typeof done.report.items): string[] =>
      items.map(({ finding, before: from, after }) => `${finding} ${from} ${after}`).toSorted();
    expect(shown(dryPass.report.items)).toEqual(shown(done.report.items));
    expect(done.notified.length).toBeGreaterThan(0);
  });

  test('leaves a report that says so', async () => {
    await sweepOnce(database.pool, { dryRun: true });
    expect(await query('select kind, is_dry_run, counts from yardmaster.sweep_report order by sweep_id desc limit 1')).toEqual([
      { kind: 'full', is_dry_run: true, counts: {} },
    ]);
  });
});

test('a pass that died in the middle is made good by the next one, and two at once do everything once', async () => {
  await makeMess();
  const ports = await silentPorts();
  const passes = await Promise.all([1, 2, 3].map(async () => await sweepOnce(database.pool, { ports })));
  const times = (finding: 'job_adopted' | 'worker_marked_offline' | 'late_overwrite_repaired'): number =>
    passes.reduce((sum, { report }) => sum + (report.counts[finding] ?? 0), 0);
  expect([times('job_adopted'), times('worker_marked_offline'), times('late_overwrite_repaired')]).toEqual([1, 1, 1]);
  expect(await query(`select from gh_job_events where event_type = 'late_overwrite_repaired'`)).toHaveLength(1);
});

describe('a pass that finds nothing', () => {
  test.each([
    ['light', false, 17],
    ['full', true, 47],
  ])('costs a bounded number of statements, however large the fleet is: %s', async (_kind, full, most) => {
    const counts: number[] = [];
    for (const workers of [3, 300]) {
      await emptyTables(database.pool);
      await addWorkers(database.pool, workers);
      const { pool, sent, end } = countStatements(database.databaseUrl);
      const { report } = await sweepOnce(database.pool, { full, pool });
      counts.push(sent());
      await end();
      expect(report.counts).toEqual({});
    }
    expect(counts[1]).toBe(counts[0]);
    expect(counts[0]).toBeLessThanOrEqual(most);
  });

  test('finds nothing in a long past either', async () => {
    await seedHistory(database.pool, { endedJobs: 2_000, liveJobs: 0, workers: 20 });
    expect((await sweepOnce(database.pool)).report.counts).toEqual({});
  });
});

describe('the log of a pass', () => {
  const readLog = (): { log: Log; lines: () => Record<string, unknown>[] } => {
    const destination = new PassThrough();
    const log = createLog({ level: 'info', process: 'test', destination });
    const text = (): string => String(destination.read() ?? '');
    return {
      log,
      lines: () =>
        text()
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as Record<string, unknown>),
    };
  };

  test('has each finding once while it stays, with its ids and at its level, and each repair', async () => {
    const { log, lines } = readLog();
    const deaf = await addWorker(database.pool);
    const gone = await addWorker(database.pool, { heartbeatAgeMs: 600_000 });
    await addWorker(database.pool, { workerId: 'nowhere', host: 'unknown' });
    const ports = { [deaf.host]: 'silent', [gone.host]: 'refused' } as const;
    await sweepOnce(database.pool, { ports, log });
    const shown = lines();
    const line = (finding: string): unknown => shown.find((each) => each['finding'] === finding);
    expect(line('deaf_port')).toMatchObject({ level: 'warn', subject: deaf.workerId, workerId: deaf.workerId, detail: 'ETIMEDOUT' });
    expect(line('bad_registry_row')).toMatchObject({ level: 'info', workerId: 'nowhere' });
    expect(line('worker_marked_offline')).toMatchObject({ level: 'info', workerId: gone.workerId, before: 'active', after: 'offline' });
    expect(shown.at(-1)).toMatchObject({ kind: 'full', counts: { deaf_port: 1, worker_marked_offline: 1 } });
    // What only a full pass sees is not new again after a light one.
    await sweepOnce(database.pool, { ports, log, full: false });
    await sweepOnce(database.pool, { ports, log });
    expect(lines()).toEqual([]);
    await sweepOnce(database.pool, { log });
    await sweepOnce(database.pool, { ports: { [deaf.host]: 'silent' }, log });
    expect(lines().filter((each) => each['finding'] === 'deaf_port')).toHaveLength(1);
  });

  test('has nothing of a dry run', async () => {
    const { log, lines } = readLog();
    await addWorker(database.pool, { workerId: 'nowhere', host: 'unknown' });
    await sweepOnce(database.pool, { dryRun: true, log });
    expect(lines()).toEqual([]);
  });
});
