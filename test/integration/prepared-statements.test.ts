import type { Pool } from 'pg';
import { findJob } from '../../src/db/jobs/jobs';
import { createPool } from '../../src/db/pool';
import { withDatabase } from '../support/database';

const database = withDatabase();
const jobId = '00000000-0000-4000-8000-000000000000';

test('a statement with a name is prepared under it, where the pool keeps plans and only there', async () => {
  expect(await listPrepared({ isDirect: true })).toEqual(['find_job', 'lock_job']);
  expect(await listPrepared({ isDirect: false })).toEqual([]);
  expect(await listPrepared({})).toEqual([]);
});

test('the name of a statement shows in the activity of the server', async () => {
  await withOneConnection({ isDirect: true }, async (pool) => {
    const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid');
    await findJob(pool, jobId);
    const activity = await database.pool.query<{ query: string }>('select query from pg_stat_activity where pid = $1', [rows[0]?.pid]);
    expect(activity.rows[0]?.query).toContain('/* find_job */');
  });
});

const listPrepared = async (options: { isDirect?: boolean }): Promise<string[]> =>
  await withOneConnection(options, async (pool) => {
    for (let n = 0; n < 2; n++) await findJob(pool, jobId, { lock: true });
    const { rows } = await pool.query<{ name: string }>('select name from pg_prepared_statements order by name');
    return rows.map(({ name }) => name);
  });

const withOneConnection = async <Result>(options: { isDirect?: boolean }, work: (pool: Pool) => Promise<Result>): Promise<Result> => {
  const pool = createPool(database.databaseUrl, { max: 1, applicationName: 'yardmaster-test-plans', ...options });
  try {
    return await work(pool);
  } finally {
    await pool.end();
  }
};
