import type { Pool, PoolClient } from 'pg';
import { createPool, withRollback, withTransaction } from '../../src/db/pool';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { until } from '../support/until';

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.databaseUrl, { max: 2, applicationName: 'yardmaster-test-lost' });
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

/** As `pg_terminate_backend` of an operator, a failover or a restart: while the session is borrowed and nothing is asked of it. */
const endSessionOf = async (client: PoolClient): Promise<void> => {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
  await database.pool.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
  await ended;
};

describe('a session that ends while it is borrowed', () => {
  it.each([
    ['a transaction', withTransaction],
    ['a look that is taken back', withRollback],
  ] as const)('fails %s, not the process, and the pool has another one', async (_what, borrow) => {
    const work = borrow(pool, async (client) => {
      await client.query(
        `insert into yardmaster.audit (actor, act, source, subject_kind, subject) values ('test', 'lost', 'test', 'job', 'x')`,
      );
      await endSessionOf(client);
      await client.query('select 1');
    });
    await expect(work).rejects.toThrow(/not queryable/);
    expect((await pool.query(`select from yardmaster.audit where act = 'lost'`)).rowCount).toBe(0);
    expect(pool.totalCount - pool.idleCount).toBe(0);
  });

  it('fails the commit of a transaction that had all its answers', async () => {
    await expect(withTransaction(pool, async (client) => await endSessionOf(client))).rejects.toThrow(/not queryable/);
  });

  it('is no error of whoever borrowed it and asks for nothing any more', async () => {
    const client = await pool.connect();
    await endSessionOf(client);
    client.release();
    await until(async () => (await pool.query('select 1')).rowCount === 1, { what: 'the pool answers' });
    expect(pool.totalCount).toBe(1);
  });
});
