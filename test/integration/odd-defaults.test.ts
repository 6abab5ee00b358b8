import { randomUUID } from 'node:crypto';
import { Client, type Pool } from 'pg';
import { limits } from '../../src/contracts/limits';
import { acceptJob } from '../../src/db/jobs/accept-job';
import { explainState, readDatabaseState, waitForDatabase } from '../../src/db/database-state';
import { findJob } from '../../src/db/jobs/jobs';
import { createListener } from '../../src/db/listen';
import { migrate } from '../../src/db/migrate';
import { createPool, withTransaction } from '../../src/db/pool';
import { saveSecret, takeSecret } from '../../src/db/commands/secrets';
import { waitForSessionLock } from '../../src/db/session-lock';
import { loadFleetSchema } from '../../dev/fleet-schema/load';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { makeNewJob, testActor } from '../support/new-job';
import { startTransactionPooler } from '../support/transaction-pooler';
import { until } from '../support/until';

/** What somebody may have given all sessions of a database, or of a role; and what ours have. */
const settings: [name: string, odd: string, ours: string][] = [
  ['search_path', 'nowhere', 'public'],
  ['client_encoding', 'LATIN1', 'UTF8'],
  ['standard_conforming_strings', 'off', 'on'],
  ['array_nulls', 'off', 'on'],
  ['DateStyle', 'SQL, DMY', 'ISO, MDY'],
  ['IntervalStyle', 'sql_standard', 'postgres'],
  ['TimeZone', 'Asia/Kolkata', 'UTC'],
  ['extra_float_digits', '-10', '1'],
  ['bytea_output', 'escape', 'hex'],
  ['default_transaction_isolation', 'serializable', 'read committed'],
  ['default_transaction_deferrable', 'on', 'off'],
  ['plan_cache_mode', 'force_generic_plan', 'auto'],
  ['jit', 'on', 'off'],
  ['statement_timeout', '1ms', '1min'],
  ['lock_timeout', '1ms', '0'],
  ['idle_in_transaction_session_timeout', '1ms', '2min'],
  ['idle_session_timeout', '200ms', '0'],
];

let database: TestDatabase;
let pool: Pool;
const logged: { message: string; fields?: object }[] = [];
const log = {
  info: () => undefined,
  warn: (message: string, fields?: object) => logged.push({ message, fields }),
};

beforeAll(async () => {
  database = await createTestDatabase({ variant: 'none' });
  const client = await database.pool.connect();
  await loadFleetSchema(client, 'staging');
  for (const [name, odd] of settings)
    await client.query(`alter database ${database.name} set ${name} = ${name === 'search_path' ? odd : `'${odd}'`}`);
  // What we do not set is said.
  await client.query(`alter database ${database.name} set tcp_user_timeout = '60s'`);
  client.release();
  await migrate(database.databaseUrl, log);
  pool = createPool(database.databaseUrl, { max: 4, applicationName: 'yardmaster-test-odd', isDirect: true });
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

it.each(settings)('%s of a session of ours is its own, and not the database’s %s', async (name, _odd, ours) => {
  const { rows } = await pool.query<{ value: string }>(`select current_setting($1) as value`, [name]);
  expect(rows).toEqual([{ value: ours }]);
});

it('statements mean what they mean: instants, texts, bytes and nulls come back as they went in', async () => {
  const job = makeNewJob({ taskDescription: String.raw`Zoë’s “C:\new” – größer`, tags: ['a', 'NULL'] });
  const before = Date.now();
  const accepted = await withTransaction(pool, async (client) => await acceptJob(client, job, testActor, limits));
  expect(accepted).toMatchObject({ kind: 'created' });
  const found = await findJob(pool, job.jobId);
  expect(Math.abs((found?.acceptedAt.getTime() ?? 0) - before)).toBeLessThan(60_000);
  const { rows } = await pool.query(
    `select task_description, tags, $1::text[] as nulls, 0.1::float8 + 0.2::float8 as sum from gh_automation_jobs where id = $2`,
    [['a', null, 'NULL'], job.jobId],
  );
  expect(rows).toEqual([
    { task_description: job.taskDescription, tags: ['a', 'NULL'], nulls: ['a', null, 'NULL'], sum: 0.300_000_000_000_000_04 },
  ]);
  const commandId = randomUUID();
  const sealed = Buffer.from([0, 1, 92, 120, 255]);
  const isKept = await withTransaction(pool, async (client) => {
    await client.query(`set local session_replication_role = replica`);
    await saveSecret(client, { commandId, sealed, lifeMs: 60_000 });
    return (await takeSecret(client, commandId))?.equals(sealed);
  });
  expect(isKept).toBe(true);
});

it('what listens or holds a lock is there through silence that ends other sessions', async () => {
  const stop = new AbortController();
  const lock = { name: 'odd', everyMs: 60_000, log, applicationName: 'yardmaster-test-lock', signal: stop.signal };
  const held = await waitForSessionLock({ directUrl: database.databaseUrl, ...lock });
  const listener = createListener({
    directUrl: database.databaseUrl,
    channels: ['odd'],
    onNotify: () => undefined,
    onPoll: () => undefined,
    pollEveryMs: 60_000,
    log,
    applicationName: 'yardmaster-test-listen',
  });
  await until(() => listener.isListening(), { what: 'it listens' });
  const other = new Client({ connectionString: database.databaseUrl });
  other.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => other.once('end', () => resolve()));
  await other.connect();
  await ended;
  expect(held?.lost.aborted).toBe(false);
  expect(listener.isListening()).toBe(true);
  await listener.close();
  await held?.release();
});

it('a lock is had where the statements of others end after a millisecond, and asking for it takes longer', async () => {
  await pool.query(
    `create schema slow;
     create function slow.hashtext(text) returns int language sql as 'select pg_catalog.hashtext($1) from pg_sleep(0.05)';
     alter database ${database.name} set search_path = slow, pg_catalog`,
  );
  const held = await waitForSessionLock({
    directUrl: database.databaseUrl,
    name: 'slow',
    everyMs: 100,
    log,
    applicationName: 'yardmaster-test-lock',
    signal: AbortSignal.timeout(60_000),
  });
  expect(held).not.toBeNull();
  await held?.release();
});

it('is told at the start of a process, with whose word it is', async () => {
  logged.splice(0);
  const isThere = await waitForDatabase(pool, { log, stopping: new AbortController().signal, everyMs: 10 });
  expect({ isThere, logged: JSON.stringify(logged) }).toEqual({
    isThere: true,
    logged: expect.stringContaining('tcp_user_timeout = 60000 ms, by database'),
  });
});

it('through a pooler, where no session can be told, the process is not ready and names what helps', async () => {
  const other = await createTestDatabase();
  await other.pool.query(`alter database ${other.name} set DateStyle = 'SQL, DMY'`);
  const pooler = await startTransactionPooler(other.databaseUrl);
  const pooled = createPool(pooler.databaseUrl, { max: 2, applicationName: 'yardmaster-test-pooled' });
  try {
    const state = await readDatabaseState(pooled);
    expect(state).toEqual({ kind: 'unfit_settings', unfit: [{ name: 'DateStyle', value: 'SQL, DMY', wanted: 'ISO' }] });
    expect(explainState(state)).toContain("set DateStyle = 'ISO'");
  } finally {
    await pooled.end();
    await pooler.stop();
    await other.drop();
  }
});

describe('a schema', () => {
  it('without our tables, or with a migration missing, is old, and the command is named', async () => {
    const empty = await createTestDatabase({ variant: 'none' });
    const old = await createTestDatabase();
    await old.pool.query(`delete from yardmaster.migration where name = '000006_host_image'`);
    try {
      expect(await readDatabaseState(empty.pool)).toMatchObject({ kind: 'old_schema', missing: expect.arrayContaining(['000001_jobs']) });
      const state = await readDatabaseState(old.pool);
      expect(state).toEqual({ kind: 'old_schema', missing: ['000006_host_image'] });
      expect(explainState(state)).toContain('npm run migrate');
    } finally {
      await empty.drop();
      await old.drop();
    }
  });

  it('that is newer than the process is no reason to stop', async () => {
    const newer = await createTestDatabase();
    await newer.pool.query(`insert into yardmaster.migration (name, run_on) values ('999999_of_tomorrow', now())`);
    try {
      expect(await readDatabaseState(newer.pool)).toEqual({ kind: 'writable' });
    } finally {
      await newer.drop();
    }
  });

  it('that is migrated while a process waits for it lets it go on', async () => {
    const late = await createTestDatabase();
    await late.pool.query(`delete from yardmaster.migration where name = '000006_host_image'`);
    logged.splice(0);
    const waited = waitForDatabase(late.pool, {
      log: {
        info: () => undefined,
        warn: (message) => {
          logged.push({ message });
          return late.pool.query(`insert into yardmaster.migration (name, run_on) values ('000006_host_image', now())`);
        },
      },
      stopping: new AbortController().signal,
      everyMs: 10,
    });
    expect(await waited).toBe(true);
    expect(logged).toEqual([{ message: expect.stringContaining('npm run migrate') }]);
    await late.drop();
  });
});
