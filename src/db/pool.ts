import { Pool, type PoolClient } from 'pg';
import { poolTimeouts, statementSession } from './connection';
import { isSessionSpent } from './outage';
import { keepPlans, type Queryable } from './queryable';

/** What this folder needs of a logger; winston's fits. */
export interface DbLog {
  info(message: string, fields?: object): unknown;
  warn(message: string, fields?: object): unknown;
}

export interface PoolOptions {
  /** Part of the connection budget of the process (docs/settings.md). */
  max: number;
  /** Shown in pg_stat_activity. */
  applicationName: string;
  /**
   * No transaction pooler is between, so the sessions are ours: they set what our statements rely on (connection.ts), and keep the plans of named ones. A pooler
   * would refuse the first, and hand a statement to a session that never parsed it.
   */
  isDirect?: boolean;
  /** What its sessions set besides (connection.ts), where they are ours. */
  settings?: Readonly<Record<string, string>>;
  /** An answer that takes longer will not come: the way to Postgres is gone without a word, and the connection with it. Left out, TCP decides, in a quarter of an hour. */
  answerMs?: number;
  log?: DbLog;
}

/** A caller that gets no connection in this time is told so, rather than waiting behind an exhausted pool. */
const connectionTimeoutMillis = 5_000;

/**
 * int8 and numeric stay strings (they exceed what a JavaScript number holds exactly) and timestamptz becomes a Date: pg's own defaults,
 * which the row mappers rely on.
 */
export function createPool(databaseUrl: string, options: PoolOptions): Pool {
  const { applicationName } = options;
  const session =
    options.isDirect === true
      ? statementSession(databaseUrl, { applicationName, timeouts: { ...poolTimeouts, ...options.settings } })
      : { connectionString: databaseUrl, application_name: applicationName, keepAlive: true };
  const pool = new Pool({
    ...session,
    max: options.max,
    query_timeout: options.answerMs,
    connectionTimeoutMillis,
    // Statements that do not need each other's answers travel together: a step is two round trips instead of a dozen.
    pipeline: true,
  });
  // Without a listener, the end of an idle connection (a restart of Postgres) would end the process. The pool replaces it by itself.
  pool.on('error', (error) => options.log?.warn('An idle database connection was lost', { reason: error.message }));
  // One that is borrowed has nobody but us to hear of its end either: the pool listens only while it is idle. Whoever borrowed it learns of it by the
  // statement that is under way, or by the next one; a released one is thrown away.
  pool.on('connect', (client) => client.on('error', () => undefined));
  if (options.isDirect === true) {
    keepPlans(pool);
    pool.on('connect', keepPlans);
  }
  return pool;
}

/**
 * Commits what `work` did, or nothing of it. The error of `work` wins over an error of the rollback. Statements that `work` sends without waiting for
 * each must all have answered before it is through.
 */
export async function withTransaction<Result>(pool: Pool, work: (client: PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    const [, result] = await Promise.all([client.query('begin'), work(client)]);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((rollbackError: Error) => {
      // The connection is in an unknown state: it must not go back to the pool.
      broken = rollbackError;
    });
    if (isSessionSpent(error)) broken = error;
    throw error;
  } finally {
    client.release(broken);
  }
}

/**
 * Does `work` and takes all of it back: what would happen, without it happening. It gives way to whoever waits for the same rows, sooner than Postgres
 * looks for deadlocks.
 */
export async function withRollback<Result>(pool: Pool, work: (client: PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query(`begin; set local lock_timeout = '500ms'`);
    return await work(client);
  } catch (error) {
    if (isSessionSpent(error)) broken = error;
    throw error;
  } finally {
    await client.query('rollback').catch((error: Error) => {
      broken = error;
    });
    client.release(broken);
  }
}

/** Inside of a transaction: what `work` did is taken back when it fails, and the rest stays. */
export async function withSavepoint<Result>(db: Queryable, work: () => Promise<Result>): Promise<Result> {
  await db.query('savepoint part');
  try {
    const result = await work();
    await db.query('release savepoint part');
    return result;
  } catch (error) {
    await db.query('rollback to savepoint part');
    throw error;
  }
}
